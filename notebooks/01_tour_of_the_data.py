# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # A tour of the data
#
# What is in the data before any model: where each row went, who can be warned about, how regularly customers order,
# what the seasons do, and what the features know.

# %% [markdown]
# ## The company
#
# Set `KIZASHI_NOTEBOOK_DATA` to your own folder, file or database (and `KIZASHI_NOTEBOOK_OUT` to the folder that
# `kizashi --out` writes to, `var` by default); with a `kizashi.toml` beside the data its settings hold. Without them a
# small company is simulated once, with settings that are quick rather than good and invented costs, and all notebooks
# share it. What is asserted holds for any data.

# %%
# ruff: noqa: S101
import os
from datetime import date
from pathlib import Path

from pipelines.settings import prepare_environment

OUT = Path(os.environ.get("KIZASHI_NOTEBOOK_OUT", "var/notebooks"))
prepare_environment(OUT)  # before numpy is imported, which reads there how many threads it may start

import matplotlib.pyplot as plt

from features.simulate import simulate, write
from pipelines.intake import Request, take_in

DATA = os.environ.get("KIZASHI_NOTEBOOK_DATA", str(OUT / "data"))
LAYOUT = ""  # the name of a ready mapping, such as "online-retail-ii"
ABSENT = ["absences", "account_changes", "contacts", "contracts", "market_events", "partnerships", "promotions"]
ABSENT += ["quotes", "services"]
QUICK = """\
[project]
currency = "EUR"
[training]
threads = 1
slice_every_months = 3
test_cutoffs = 2
[lightgbm]
rounds = 20
learning_rate = 0.1
min_child_samples = 20
bags = 2
[economics]
contact_cost = 150
save_rate = 0.1
margin_share = 0.3
"""

if "KIZASHI_NOTEBOOK_DATA" not in os.environ and not (Path(DATA) / "kizashi.toml").exists():
    write(simulate(250, 30, seed=2, end=date(2026, 10, 1), without=ABSENT, dirty=0.008), Path(DATA))
    (Path(DATA) / "kizashi.toml").write_text(QUICK, encoding="utf-8")
intake = take_in(Request(DATA, OUT, layout=LAYOUT))
TODAY = intake.as_of
(OUT / "plots").mkdir(exist_ok=True)
print(f"{DATA}: known until {TODAY}. Results and plots: {OUT}")


def show(figure, name):
    """Save a figure; as the last line of a cell it is shown, too."""
    figure.savefig(OUT / "plots" / f"{name}.png", dpi=110)
    plt.close(figure)
    return figure


# %% [markdown]
# ## Where each row went
#
# Every row is clean, an exact duplicate, or set aside with its reason and its number in the file. Nothing is mended in
# silence and nothing is lost: the three add up, and a table with too many bad rows stops the run.

# %%
from datetime import timedelta

import numpy as np
import pandas as pd

from features.blanks import blanks, features_off
from features.catalogue import catalogue, with_coverage
from features.snapshots import ELIGIBLE, funnel, monthly
from features.windows import ALL_YEAR
from models.completeness import LACKING, completeness, grades_table
from pipelines.catalogue import beginnings

found = {}
for table in intake.report.tables:
    print(
        f"{table.table}: {table.rows_in} rows = {table.clean} clean + {table.quarantined} quarantined + "
        f"{table.duplicates} exact duplicates"
    )
    assert table.rows_in == table.clean + table.quarantined + table.duplicates
    for reason in table.reasons:
        found[f"{table.table}.{reason.column}: {reason.kind}"] = reason.rows
    for reason in table.reasons[:5]:
        print(f"    {reason.column}: {reason.words}: {reason.rows}, rows {reason.places}")
for blank in blanks(intake.events):
    print(f"{blank.table}: {blank.rows} of {blank.of} with {blank.words}, taken in all the same")

counts = pd.Series(found, dtype="float64").sort_values().tail(20)
figure, axes = plt.subplots(figsize=(7, 1 + 0.25 * len(counts)), layout="constrained")
axes.barh(counts.index, counts, color="0.4")
axes.set(xlabel="rows", title="What was set aside, and why")
show(figure, "quarantine")

# %% [markdown]
# ## Who can be warned about
#
# A snapshot is one customer as it was known at one midnight, the cutoff. At each cutoff every customer is in exactly
# one track. Only `eligible` ones are warned about by their silence: they have a habit to lose and have not been gone
# for too long. The others are counted, and treated in other ways, so that no order is silently outside.

# %%
cutoffs = monthly(TODAY - timedelta(days=365), TODAY)
table = intake.snapshots(cutoffs)
frame = table.frame
today = frame[frame["as_of"] == pd.Timestamp(TODAY)]
print(funnel(today).to_string(index=False))

tracks = funnel(frame).pivot(index="as_of", columns="track", values="customers")
tracks = tracks[tracks.sum().sort_values(ascending=False).index]
greys = [str(shade) for shade in np.linspace(0.1, 0.9, len(tracks.columns))]
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.stackplot(tracks.index, tracks.T, labels=tracks.columns, colors=greys)
axes.set(ylabel="customers", title="Tracks over the past year")
axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
show(figure, "tracks")

# %% [markdown]
# ## The rhythm of customers
#
# One line per customer, one mark per order day of the past two years. Forty days of silence are nothing for one of
# these customers and an alarm for another: that is why each has its own window.

# %%
now = pd.Timestamp(TODAY)
orders = table.order_days
known = (orders["visible_from"] <= now) & (now < orders["visible_until"]) & orders["is_order"]
orders = orders[known & (orders["day"] >= now - pd.Timedelta(days=730)) & (orders["day"] < now)]
print(today["rhythm_class"].value_counts().to_string())
shown = today[today["order_days_ever"] >= 1].groupby("rhythm_class").head(5).sort_values("rhythm_class")
days = [orders.loc[orders["customer_id"] == name, "day"].to_numpy() for name in shown["customer_id"]]
figure, axes = plt.subplots(figsize=(7, 6), layout="constrained")
axes.eventplot(days, colors="black", linelengths=0.7)
axes.set_yticks(range(len(shown)), shown["rhythm_class"])
axes.set(title="Order days, five customers of each rhythm class")
show(figure, "rhythms")

# %% [markdown]
# ## Recency against the own rhythm
#
# Days since the last order say who is silent; in own cycles they say for whom that is unusual. Customers above the line
# of one cycle and left of the median are the ones that a list sorted by recency hides.

# %%
cohort = today[today["cohort"] == ELIGIBLE]
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.scatter(
    cohort["days_since_last_order"], cohort["days_since_last_order_vs_median_gap"], s=10, color="black", alpha=0.5
)
axes.axhline(1, color="black", linestyle="--", linewidth=1)
axes.axvline(cohort["days_since_last_order"].median(), color="0.6", linewidth=1)
axes.set(xlabel="days since the last order", ylabel="the same in own median gaps", yscale="log", title="Who is late?")
show(figure, "who_is_late")

# %% [markdown]
# ## Seasons
#
# In a quiet month everybody is silent for longer, and that is no loss. The index is a month's order days against an
# even year, by segment; 1 is no season. The model is told the same through features of the segment's season. A seasonal
# customer's window counts only days of the months in which it orders at all.

# %%
segment_of = today.set_index("customer_id")["segment"].fillna("(none)")
dated = orders.assign(month=orders["day"].dt.month, segment=orders["customer_id"].map(segment_of).fillna("(none)"))
index = dated.groupby(["segment", "month"]).size().unstack(fill_value=0)
index = index.reindex(columns=range(1, 13), fill_value=0)
index = index.div(index.sum(axis=1), axis=0) * 12
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for place, (name, row) in enumerate(index.loc[dated["segment"].value_counts().index[:4]].iterrows()):
    axes.plot(row.index, row, color=str(0.2 * place), linestyle=["-", "--", "-.", ":"][place], label=name)
axes.axhline(1, color="0.7", linewidth=1)
axes.set(xlabel="month of the year", ylabel="order days against an even year", title="The season, largest segments")
axes.legend(frameon=False)
seasonal = today[today["open_months"] != ALL_YEAR]
for row in seasonal.head(5).to_dict("records"):
    months = [month for month in range(1, 13) if row["open_months"] >> (month - 1) & 1]
    print(f"{row['customer_id']} orders in months {months} only: today {row['cohort']}")
ahead = today[["segment", "segment_season_next_90d_vs_even"]].drop_duplicates().dropna(subset="segment")
print(ahead.to_string(index=False))
show(figure, "seasons")

# %% [markdown]
# ## What the features know
#
# A feature whose source is absent is off, and says which table or column it misses. One that is there may still be
# unknown of a customer. The grade from A to D says how much is known of each customer: by the length of its history
# and the dimensions beside the orders. It is shown next to every probability.

# %%
off = features_off(intake.events.columns)
print(f"{len(off)} features are off; missing: {off['missing'].value_counts().head(6).to_dict()}")
listed = with_coverage(catalogue(), cohort, beginnings(intake.events))
there = listed[~listed["feature"].isin(off["feature"])]
known = 1 - there.groupby("source")["missing_share"].mean()
print(there.groupby("dimension").agg(features=("feature", "size"), missing=("missing_share", "mean")).round(3))

graded = completeness(today, intake.events.columns).loc[cohort.index]
print(grades_table(graded).to_string(index=False))
for code, customers in graded["lacking"].explode().value_counts().head(5).items():
    print(f"{customers} customers: {LACKING[code]}")
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.barh(known.index, known, color="0.4")
axes.set(xlim=(0, 1), xlabel="share of values that are known, eligible customers", title="Coverage by source")
show(figure, "coverage")
