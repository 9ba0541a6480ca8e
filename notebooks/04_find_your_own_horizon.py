# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Find your own horizon
#
# How long must a customer be silent to count as lost? Too short, and many of the lost come back by themselves; too
# long, and the warning comes when the customer is long gone, and the outcome of a model is known only half a year
# later. This notebook looks at a company's own past: how soon customers order again, how pure each label is, how well
# it can be foretold, what warnings would have cost and caught. It ends with a recommendation in words.

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
# ## What was said, and what came of it
#
# `kizashi backtest --out PREDICTIONS` writes what every contestant would have said at past dates, each with what was
# known then. Where there is no such file yet, a year of dates up to 90 days ago is walked through here. An outcome is
# known only when its whole window has passed, so that the outcomes are brought up to what is known today.

# %%
from datetime import timedelta

import numpy as np
import pandas as pd

from features.snapshots import ELIGIBLE, monthly
from models.folds import CHAMPION, with_outcomes
from pipelines.files import write_parquet
from pipelines.replay import backtest

PREDICTIONS = OUT / "predictions.parquet"
if not PREDICTIONS.exists():
    last = TODAY - timedelta(days=92)
    write_parquet(backtest(intake, last - timedelta(days=365), last).predictions, PREDICTIONS)
said = pd.read_parquet(PREDICTIONS).loc[:, :"segment"]
asked = [day.date() for day in sorted(said["as_of"].unique())]
# %% [markdown]
# ## How soon customers order again
#
# From each of ten dates, a quarter apart, the days to the next order. Where the data end before it came, only that it
# took longer is known. The curve of Kaplan and Meier (1958) uses those customers for as long as they were watched: at
# each day it multiplies by the share that did not order among those still watched and still silent.

# %%
from features.labels import CONFIRMED_DAYS, HORIZONS, no_order_within
from features.windows import choose_multiple, windows_of
from models.economics import measure_of, value_at_risk
from models.evaluation import differences, standing_table
from models.plots import portfolio_plot
from models.portfolio import Portfolio, capacity_table, threshold_table
from models.rules import RULES
from pipelines.economics import OWN, columns_of, numbers_of

every = monthly(intake.first_order() + timedelta(days=60), TODAY)[::-3][:10]
table = intake.snapshots(sorted({*every, *asked}))
rows = table.frame.join(table.outcomes(intake.observed_until)[["days_to_next_order", "observed_days"]])
eligible = rows[(rows["cohort"] == ELIGIBLE) & rows["as_of"].isin(pd.to_datetime(every))]


def still_silent(part, longest=360):
    """Share without an order after each day, censored rows counted while they were watched."""
    came = part["days_to_next_order"].to_numpy()
    watched = np.minimum(np.where(np.isnan(came), np.inf, came), part["observed_days"].to_numpy())
    days = np.arange(longest)
    at_risk = np.array([(watched >= day).sum() for day in days])
    ordered = np.array([(came == day).sum() for day in days])
    return np.cumprod(1 - ordered / np.maximum(at_risk, 1))


everybody = still_silent(eligible)
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.plot(everybody, color="black", linewidth=2, label=f"all {len(eligible):,} snapshots")
for place, (name, part) in enumerate(eligible.groupby("rhythm_class")):
    if len(part) >= 20:
        style = ["--", "-.", ":", (0, (1, 4)), (0, (5, 5))][place % 5]
        axes.plot(still_silent(part), color="0.3", linestyle=style, label=f"{name} ({len(part)})")
axes.set(xlabel="days", ylabel="share without an order", ylim=(0, 1), title="Time to the next order")
axes.legend(frameon=False)
show(figure, "time_to_next_order")

# %% [markdown]
# The same at the fixed horizons, beside the labels: a label counts only customers whose whole window has passed, so
# that it needs no curve, but has fewer rows.

# %%
for days in HORIZONS:
    matured = no_order_within(eligible, days).dropna()
    print(f"{days} days: curve {everybody[days - 1]:.1%}, labels {matured.mean():.1%} of {len(matured):,} matured rows")
assert (np.diff(everybody) <= 0).all()

# %% [markdown]
# ## How pure is the label of the own window?
#
# Of those who were silent for their whole window, some order again within the next one: they were no loss. Their share
# is the false churn of the label. The own window is a multiple of each customer's long gap, and the smallest multiple
# that keeps to the share asked for is taken; where none does, the smallest that is not surely worse than the best.

# %%
rule = intake.window()
choice = choose_multiple(eligible, rule)
print(choice.words)
told = [one for one in choice.tried if one.share is not None]
figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for one in told:
    spread = [[one.share - one.low], [one.high - one.share]]
    panels[0].errorbar([one.multiple], [one.share], yerr=spread, fmt="o", color="black", capsize=3)
panels[0].axhline(choice.max_false_churn, color="0.6", linestyle="--", label="asked for, at most")
panels[0].set(ylim=(0, 1), xlabel="multiple of the long gap", ylabel="false churn", title="Purity of the own window")
panels[0].legend(frameon=False)
for place, multiple in enumerate(rule.multiples):
    own = windows_of(eligible, rule, multiple).sort_values()
    panels[1].plot(own, np.linspace(0, 1, len(own)), color=str(0.2 * place), label=f"{multiple:g} times")
panels[1].set(xlabel="days of the own window", ylabel="share of customers", title="How long the own windows are")
panels[1].legend(frameon=False)
show(figure, "purity")

# %% [markdown]
# ## Who comes back after all?
#
# False churn looks as far ahead again as the window is long, so that it does not compare short windows with long ones.
# The same question with one answer for all: of those who were silent for the window, how many ordered before 360 days
# were over? Whoever was silent for so long counts as lost for certain.

# %%
sure = no_order_within(eligible, CONFIRMED_DAYS)
windows = {str(days): pd.Series(days, index=eligible.index) for days in HORIZONS}
windows[OWN] = windows_of(eligible, rule, choice.multiple)
back = {}
for name, window in windows.items():
    silent = (no_order_within(eligible, window) == 1) & sure.notna()
    back[name] = float(1 - sure[silent].mean()) if silent.any() else float("nan")
    print(f"{name}: {back[name]:.0%} of {silent.sum()} silences ended within {CONFIRMED_DAYS} days")

# %% [markdown]
# ## How well can it be foretold?
#
# For each horizon: the share that is lost, how well the champion ranks, how much better than the best rule, and how
# many dates have matured. A longer horizon has rarer losses and is judged on fewer dates; the own window counts a date
# only when its longest window has passed.

# %%
rng = np.random.default_rng(1)
predictions = with_outcomes(said, table, intake.observed_until)
rules = [rule.name for rule in RULES]
matured = {}
for horizon in (*map(str, HORIZONS), OWN):
    probability, outcome = columns_of(horizon)
    named = predictions.rename(columns={probability: "probability", outcome: "outcome"})
    named = named[named["contestant"].isin([CHAMPION, *rules])].dropna(subset="outcome")
    if named["outcome"].nunique() == 2 and named["as_of"].nunique() >= 2:
        matured[horizon] = named[["contestant", "customer_id", "as_of", "probability", "outcome"]]
    else:
        print(f"{horizon}: fewer than two dates have matured, or nobody or everybody was lost")
figures = {}
for horizon, judged in matured.items():
    standing = standing_table(judged, repeats=100, rng=rng).set_index("contestant")
    best = standing.loc[rules, "roc_auc"].idxmax()
    [lead] = differences(judged, [(CHAMPION, best)], ["roc_auc"], repeats=100, rng=rng)
    figures[horizon] = standing.loc[CHAMPION]
    one = figures[horizon]
    print(
        f"{horizon}: {one['base_rate']:.0%} lost on {one['n_cutoffs']:.0f} dates; AUC {one['roc_auc']:.3f} "
        f"[{one['roc_auc_low']:.3f}, {one['roc_auc_high']:.3f}], {lead.value:+.3f} [{lead.low:+.3f}, {lead.high:+.3f}] "
        f"over {best}; lift of the first tenth {one['top_decile_lift']:.1f}"
    )
summary = pd.DataFrame(figures).T.astype("float64")
figure, panels = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
panels[0].bar(summary.index, summary["base_rate"], color="0.5")
panels[0].set(title="Share lost", xlabel="horizon")
spread = np.abs(summary[["roc_auc_low", "roc_auc_high"]].to_numpy().T - summary["roc_auc"].to_numpy())
panels[1].errorbar(summary.index, summary["roc_auc"], yerr=spread, fmt="o", color="black", capsize=3)
panels[1].set(title="AUC of the champion, 95 %", xlabel="horizon")
show(figure, "horizons")

# %% [markdown]
# ## What warnings would have cost and caught
#
# A contact is a new warning; whoever stands under one already costs nothing more. Value at risk is what a customer is
# worth a year if it went on as before. `docs/economics.md` has the formulas. What a contact costs and how many losses
# it prevents only the company can know: what is not set in `[economics]` of `kizashi.toml` stays unknown here.

# %%
keys = ["customer_id", "as_of"]
worth = table.frame[keys].assign(value=value_at_risk(table.frame))
measure, numbers = measure_of(table.frame), numbers_of(intake.settings)
print(f"Values are counted in {measure}. Not set: {', '.join(numbers.missing(measure)) or 'nothing'}.")
CAPACITIES = [2, 5, 10, 20]
THRESHOLDS = [0.3, 0.5, 0.7, 0.9]
columns = ["warnings", "precision", "caught", "under_older", "missed", "caught_value_share", "cost", "profit"]
caught = {}
for horizon, judged in matured.items():
    portfolio = Portfolio.read(judged.merge(worth, on=keys))
    caught[horizon] = capacity_table(portfolio, [CHAMPION, *rules], CAPACITIES, numbers, measure, repeats=50, rng=rng)
    mine = caught[horizon][caught[horizon]["contestant"] == CHAMPION]
    print(f"{horizon}: so many new warnings a month")
    print(mine[["capacity", *columns]].round(2).to_string(index=False))
    from_here = threshold_table(portfolio, [CHAMPION], THRESHOLDS, numbers, measure, repeats=50, rng=rng)
    print(f"{horizon}: from a probability on")
    print(from_here[["threshold", *columns]].round(2).to_string(index=False))

# %% [markdown]
# What counts as lost differs between the horizons, so that these tables are read one by one and not against each other.
# Where dates lie a quarter apart a warning is closed before the next one, and every further one counts as new.

# %%
shown = "90" if "90" in caught else next(iter(caught))
show(portfolio_plot(caught[shown], title=f"No order within {shown} days"), "portfolio")

# %% [markdown]
# ## A recommendation
#
# The shortest horizon whose losses are real: of its silences no more end within the year than false churn is allowed.
# A short one warns early and is soon known to be right or wrong; only where too many come back is it worth to wait.

# %%
judgeable = [name for name in windows if name in caught and np.isfinite(back[name])]
kept = [name for name in judgeable if back[name] <= choice.max_false_churn]
if not judgeable:
    print("Too little has matured to recommend a horizon: use 90 days until a year and a half has passed.")
else:
    best = kept[0] if kept else min(judgeable, key=lambda name: back[name])
    words = "the customer's own window" if best == OWN else f"{best} days"
    known = rule.max_days if best == OWN else int(best)
    here = caught[best][(caught[best]["contestant"] == CHAMPION) & (caught[best]["capacity"] == CAPACITIES[1])].iloc[0]
    reason = (
        f"the shortest horizon of which no more than {choice.max_false_churn:.0%} come back within the year"
        if kept
        else f"no horizon keeps to {choice.max_false_churn:.0%}, and of this one the fewest come back"
    )
    print(
        f"Take {words}: {reason} ({back[best]:.0%}). {figures[best]['base_rate']:.0%} of the cohort is lost in it, the "
        f"champion ranks them with an AUC of {figures[best]['roc_auc']:.2f}, and whether it was right is known after "
        f"{known} days. At {CAPACITIES[1]} new warnings a month {here['precision']:.0%} of the contacts are right, and "
        f"{here['caught_value_share']:.0%} of the lost value is caught by a new warning."
    )
    print(
        f"For the daily list keep the own window: {choice.multiple:g} times the long gap suits who orders every week "
        "and who orders twice a year alike. Fixed days serve to compare years and companies."
    )
