# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Why was this customer flagged?
#
# One customer of today's list: how likely it is lost and how sure that is, the reasons and how they add up, the curve
# over the horizons, its own history, its peers, and what has changed since four weeks before.

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
# ## The champion
#
# The model in use, as `kizashi train` registered it. Where there is none yet, one is trained a month before today, as
# it would have been: it has not seen what it is asked about here.

# %%
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from scipy.special import expit

from features.labels import HORIZONS
from features.snapshots import ELIGIBLE, Cohort, Window, take
from models.reasons import concept_of, contributions, peer_values, reasons
from pipelines.score import champion_of, score_day
from pipelines.scoring import figures_of, sentence, with_columns
from pipelines.train import Asked, train

if not (OUT / "mlflow").exists():
    earlier = take_in(Request(DATA, OUT, TODAY - timedelta(days=30), layout=LAYOUT))
    train(earlier, Asked("notebook", datetime.now(UTC)))
champion = champion_of(OUT)
model = champion.model
print(f"{champion.version}, trained as of {model.facts['trained_as_of']}. {model.selection.words}")

# %% [markdown]
# ## Today's list
#
# The daily run, not stored anywhere. A level is a promise: of the customers that stood at it in the past so many were
# really lost. Within a level, whoever has most to lose comes first. `shown` is what the calibration certificate allows:
# a percentage, or the level alone.

# %%
for level in model.levels.levels:
    state = "off: it could not keep its promise" if level.threshold is None else f"from {level.threshold:.0%} on"
    past = "nothing has matured" if level.precision is None else f"{level.precision:.0%} were lost, of {level.n}"
    print(f"{level.name}: promises {level.promised:.0%}, {state}; {past}")
day = score_day(intake, champion)
loud = [level.name for level in model.levels.levels]
scores = day.scores[day.scores["cohort"] == ELIGIBLE]
listed = scores.assign(loudness=pd.Categorical(scores["level"], [*loud, "none"]))
listed = listed.sort_values(["loudness", "expected_loss"], ascending=[True, False])
columns = ["customer_id", "level", "churn_probability", "churn_low", "churn_high", "completeness", "expected_loss"]
print(listed[[*columns, "shown"]].head(10).round(3).to_string(index=False))

# %% [markdown]
# ## Whom to look at
#
# The daily run again, for four weeks before: of those who are red or orange today, the newest warnings come first.
# Any other customer of the list will do: set `CUSTOMER`.

# %%
BEFORE = TODAY - timedelta(days=28)
table = take(
    intake.events,
    [BEFORE, TODAY],
    cohort=Cohort(**model.facts["cohort"]),
    window=Window(**model.facts["window"]),
    options=model.facts["options"],
)
snapshots = with_columns(table.frame, model)
eligible = snapshots[snapshots["cohort"] == ELIGIBLE]
then = eligible[eligible["as_of"] == pd.Timestamp(BEFORE)]
stood = then[["customer_id"]].join(model.score(then)[["margin", "level"]])
listed = listed.merge(stood, on="customer_id", suffixes=("", "_before"))
warned = listed[listed["level"].isin(["red", "orange"])]
new = warned[~warned["level_before"].isin(["red", "orange"])]
print(f"{len(warned)} customers are red or orange, {len(new)} of them were not four weeks before")
CUSTOMER = pd.concat([new, warned, listed])["customer_id"].iloc[0]
print(f"Chosen: {CUSTOMER}")

# %% [markdown]
# ## How likely, and how sure
#
# The probability is that of no order within the customer's own window, a multiple of the gap that nine of ten of its
# gaps do not exceed. The interval is about the probability, not the outcome: it holds the spread over models that were
# each taught by other customers, and over the levels of past seasons. The grade says what the model had to go by.

# %%
score = scores.set_index("customer_id").loc[CUSTOMER]
place = 1 + (scores["churn_probability"] > score["churn_probability"]).sum()
print(
    f"{CUSTOMER}, {score['level']}: {score['churn_probability']:.0%} (90 % interval {score['churn_low']:.0%} to "
    f"{score['churn_high']:.0%}) that no order comes within {score['churn_window_days']:.0f} days. Place {place} of "
    f"{len(scores)}; data grade {score['completeness']}; expected loss {score['expected_loss']:,.0f}."
)

# %% [markdown]
# ## The reasons add up
#
# In log-odds, a base (a usual customer with this window) plus one share per concept is the margin, and the logistic
# function of the margin is the probability. Nothing is left over, so that a reason cannot be made up. Features that say
# nearly the same share a concept: else their weight would be spread over many small reasons. `kizashi explain` tells
# the same of any customer.

# %%
now = pd.Timestamp(TODAY)
today = eligible[eligible["as_of"] == now]
mine = today[today["customer_id"] == CUSTOMER]
told = reasons(model, mine, count=10, peers=peer_values(today))
facts = figures_of(mine.drop(columns=["customer_id", "as_of", "cohort"]).iloc[0].to_dict())
for reason in told.to_dict("records"):
    words = sentence(reason, facts, TODAY, intake.settings.project.currency)
    print(f"{reason['contribution']:+.3f} ({reason['contribution_points']:+.1%}) {words}")
total = score["base_margin"] + told["contribution"].sum()
print(
    f"base {score['base_margin']:+.3f} and reasons {told['contribution'].sum():+.3f} make {total:+.3f}, the margin is "
    f"{score['margin']:+.3f}; as a probability {expit(total):.4f}, given {score['churn_probability']:.4f}"
)
assert np.isclose(total, score["margin"])
assert np.isclose(expit(total), score["churn_probability"])
assert np.isclose(expit(score["base_margin"]) + told["contribution_points"].sum(), score["churn_probability"])

steps = told.set_index("concept")["contribution"]
start = score["base_margin"] + steps.cumsum() - steps
figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
axes.barh(steps.index, steps, left=start, color=np.where(steps > 0, "0.2", "0.7"))
axes.axvline(score["base_margin"], color="0.6", linestyle=":", label="base")
axes.axvline(score["margin"], color="black", linestyle="--", label="margin")
axes.use_sticky_edges = False
axes.invert_yaxis()
axes.set(xlabel="log-odds of being lost", title="From a usual customer to this one")
axes.legend(frameon=False)
show(figure, "reasons")

# %% [markdown]
# ## The curve over the horizons
#
# No order within 30, 60, 90 and 180 days: the longer, the less likely that it stays silent. The own window is read off
# between them. The grey line is the median of everybody who can be warned about.

# %%
curve = {days: score[f"p_no_order_{days}"] for days in HORIZONS}
usual = [scores[f"p_no_order_{days}"].median() for days in curve]
assert (np.diff(list(curve.values())) <= 0).all()
figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
axes.plot(list(curve), list(curve.values()), "o-", color="black", label=CUSTOMER)
axes.plot(list(curve), usual, "o--", color="0.6", label="median of the cohort")
spread = [[score["churn_probability"] - score["churn_low"]], [score["churn_high"] - score["churn_probability"]]]
own = {"fmt": "D", "color": "black", "mfc": "white", "capsize": 3}
axes.errorbar(score["churn_window_days"], score["churn_probability"], yerr=spread, label="own window, 90 %", **own)
axes.set(xlabel="days without an order", ylabel="probability", ylim=(0, 1), title="No order within so many days")
axes.legend(frameon=False)
show(figure, "curve")

# %% [markdown]
# ## Its history
#
# Every order day as it was known today, by its net amount. Shaded: the silence so far; the dashed line is where the
# own window ends that begins today.

# %%
orders = table.order_days
known = (orders["visible_from"] <= now) & (now < orders["visible_until"]) & (orders["day"] < now)
history = orders[known & orders["is_order"] & (orders["customer_id"] == CUSTOMER)]
figure, axes = plt.subplots(figsize=(8, 3.5), layout="constrained")
axes.vlines(history["day"], 0, history["amount"], color="black", linewidth=1)
axes.axvspan(history["day"].max(), now, color="0.9")
axes.axvline(now + pd.Timedelta(days=score["churn_window_days"]), color="black", linestyle="--")
silent = (now - history["day"].max()).days
axes.set(ylabel="net amount of the day", title=f"{len(history)} order days, silent for {silent} days")
show(figure, "history")

# %% [markdown]
# ## Its peers
#
# What tells each reason: the value, what is usual for this customer, the median of all customers who can be warned
# about, and the share of them with no higher value. A reason can be strong although the peers do the same: it counts
# against what the model has learnt, and the customer's own past is often the better measure.

# %%
places = today.rank(pct=True, numeric_only=True).loc[mine.index[0]]
beside = told.assign(at_most=[places.get(name, np.nan) for name in told["feature"]])
print(beside[["concept", "feature", "value", "usual_value", "peer_value", "at_most"]].round(2).to_string(index=False))
placed = beside.dropna(subset="at_most").drop_duplicates("feature")
figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
axes.plot(placed["at_most"], placed["feature"], "o", color="black")
axes.axvline(0.5, color="0.6", linewidth=1)
axes.invert_yaxis()
axes.set(xlim=(-0.02, 1.02), xlabel="share of the cohort with no higher value", title="Among its peers")
show(figure, "peers")

# %% [markdown]
# ## What has changed in four weeks
#
# The same model at both dates, each with what was known then. The base and the shares of the concepts are additive at
# both, so that their differences add up to the change. The level of a customer can also move because the room at a
# level is a share of the cohort.

# %%
if str(BEFORE) < model.facts["trained_as_of"]:
    print("The champion has learnt from what became known after the earlier date: it may know a little too much of it.")
levels = {stand: model.score(part)["level"] for stand, part in eligible.groupby("as_of")}
rows = eligible[eligible["customer_id"] == CUSTOMER].sort_values("as_of")
probable = model.probabilities(rows)
split = contributions(model, rows)
shares = split.values.T.groupby(concept_of).sum()
shares.loc["(base)"] = split.base
change = shares[rows.index[1]] - shares[rows.index[0]]
for (index, row), p in zip(rows.iterrows(), probable.to_dict("records"), strict=True):
    print(
        f"{row['as_of']:%Y-%m-%d}: {levels[row['as_of']][index]}, {p['churn_probability']:.1%} [{p['churn_low']:.1%}, "
        f"{p['churn_high']:.1%}], {row['days_since_last_order']:.0f} days since the last order"
    )
assert np.isclose(change.sum(), probable["margin"].iloc[1] - probable["margin"].iloc[0])
assert np.isclose(probable["churn_probability"].iloc[1], score["churn_probability"])

largest = change[change.abs().sort_values(ascending=False).index].head(10)
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.barh(largest.index, largest, color=np.where(largest > 0, "0.2", "0.7"))
axes.invert_yaxis()
axes.set(xlabel="change in log-odds", title=f"Since {BEFORE}: {change.sum():+.2f} in all")
show(figure, "change")
