# ---
# jupyter:
#   jupytext:
#     text_representation:
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

from features.snapshots import ELIGIBLE, monthly, take
from models.folds import CHAMPION, with_outcomes
from pipelines.replay import backtest
from pipelines.train import judged_rows, write_parquet

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
from features.labels import HORIZONS, no_order_within
from features.windows import Window, choose_multiple, windows_of
from models.economics import value_at_risk, measure_of
from models.evaluation import differences, standing_table
from models.plots import portfolio_plot
from models.portfolio import Portfolio, capacity_table, threshold_table
from models.rules import RULES
from pipelines.economics import OWN, columns_of, numbers_of

every = monthly(intake.first_order() + timedelta(days=60), TODAY)[::-3][:10]
table = take(
    intake.events,
    sorted({*every, *asked}),
    cohort=intake.cohort(),
    window=intake.window(),
    options=intake.options(),
)
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
# ## How pure is the label?
#
# Of those who were silent for a whole window, some order again within the next one: they were no loss. Their share is
# the false churn of the label. The own window is a multiple of each customer's long gap; the smallest multiple that
# keeps to the share asked for is taken, and the same can be asked of every fixed horizon.

# %%
choice = choose_multiple(eligible, intake.window())
print(choice.words)
longest = intake.window().max_days
fixed = {days: choose_multiple(eligible, Window((1.0,), min_days=days, max_days=days)).chosen for days in HORIZONS}
purity = {f"own x {one.multiple:g}": one for one in choice.tried} | {f"{days} days": one for days, one in fixed.items()}
told = {name: one for name, one in purity.items() if one.share is not None}
for name, one in purity.items():
    share = "not known yet" if one.share is None else f"{one.share:.0%} [{one.low:.0%}, {one.high:.0%}]"
    print(f"{name}: false churn {share}, of {one.positives} silences of {one.customers} customers")

shares = np.array([one.share for one in told.values()])
spread = [[one.share - one.low for one in told.values()], [one.high - one.share for one in told.values()]]
figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
if told:
    panels[0].errorbar(shares, list(told), xerr=spread, fmt="o", color="black", capsize=2)
panels[0].axvline(choice.max_false_churn, color="0.6", linestyle="--", label="asked for, at most")
panels[0].set(xlim=(0, 1), xlabel="share that ordered within as long again", title="False churn")
panels[0].legend(frameon=False)
for place, multiple in enumerate(intake.window().multiples):
    own = windows_of(eligible, intake.window(), multiple).sort_values()
    panels[1].plot(own, np.linspace(0, 1, len(own)), color=str(0.2 * place), label=f"{multiple:g} times")
panels[1].set(xlabel="days of the own window", ylabel="share of customers", title="How long the own windows are")
panels[1].legend(frameon=False)
show(figure, "purity")

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
    if named["outcome"].nunique() == 2:
        matured[horizon] = named[["contestant", "customer_id", "as_of", "probability", "outcome"]]
    else:
        print(f"{horizon}: nothing has matured yet")
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
summary = pd.DataFrame(figures).T
figure, panels = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
panels[0].bar(summary.index, summary["base_rate"], color="0.5")
panels[0].set(title="Share lost", xlabel="horizon")
spread = np.abs(
    summary[["roc_auc_low", "roc_auc_high"]].to_numpy(dtype=float).T - summary["roc_auc"].to_numpy(dtype=float)
)
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

# %%
shown = "90" if "90" in caught else next(iter(caught))
show(portfolio_plot(caught[shown], title=f"No order within {shown} days"), "portfolio")
