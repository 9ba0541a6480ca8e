# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Compare two models
#
# The champion beside another contestant on the same customers and dates: figures with intervals, paired differences,
# calibration, lift, what choosing has cost, where the two disagree, and what the gate would say. A contestant is any
# of the walk: rules, label-free models, learners, their blend. Registered challengers come last.

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

from models.folds import CHAMPION, with_outcomes
from pipelines.files import write_parquet
from pipelines.replay import backtest
from pipelines.train import judged_rows

PREDICTIONS = OUT / "predictions.parquet"
if not PREDICTIONS.exists():
    last = TODAY - timedelta(days=92)
    write_parquet(backtest(intake, last - timedelta(days=365), last).predictions, PREDICTIONS)
said = pd.read_parquet(PREDICTIONS).loc[:, :"segment"]
asked = [day.date() for day in sorted(said["as_of"].unique())]
# %% [markdown]
# ## The two
#
# Set `OTHER` to any contestant of the list. 90 days is the horizon that decides which model is in use.

# %%
from models.book import RANKING
from models.evaluation import calibration_line, differences, standing_table
from models.plots import lift_plot, reliability_plot, smooth_reliability_plot
from models.selection import NAMES, regret
from models.smooth_curve import smooth_curve
from models.tracking import Tracking
from pipelines.model_gate import MODEL, Candidate, Limits, on_record
from pipelines.promotion import candidate, registered
from pipelines.settings import tracking_folder
from pipelines.train import LADDER_NAMES

DAYS = 90
OTHER = "lightgbm"
RULE = "cycle"
table = intake.snapshots(asked)
predictions = with_outcomes(said, table, intake.observed_until)
judged = judged_rows(predictions, DAYS)
rng = np.random.default_rng(1)
print(f"{', '.join(judged['contestant'].unique())}: the same {len(judged) // judged['contestant'].nunique()} rows each")
pair = judged[judged["contestant"].isin([CHAMPION, OTHER])]
both = judged[judged["contestant"].isin([CHAMPION, OTHER, RULE])]

# %% [markdown]
# ## The standing table
#
# Ranking is measured within a date, whoever is likelier to be lost stands higher; calibration over all dates, whether
# of those promised 30 % some 30 % were lost. Intervals are 95 % over customers, drawn with all their rows, because
# neighbouring dates of one customer are nearly the same observation. Each belongs to one contestant alone: two may
# overlap although one model is surely better on the same customers.

# %%
standing = standing_table(judged, rng=rng).sort_values("log_loss", ignore_index=True)
shown = ["roc_auc", "average_precision", "top_decile_lift", "brier", "log_loss", "ece", "calibration_slope"]
print(standing[["contestant", *shown]].round(3).to_string(index=False))
figure, panels = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for axes, name in zip(panels, ["roc_auc", "log_loss"], strict=True):
    ends = standing[[f"{name}_low", f"{name}_high"]].to_numpy().T
    spread = np.abs(ends - standing[name].to_numpy())
    axes.errorbar(standing[name], standing["contestant"], xerr=spread, fmt="o", color="black", capsize=2)
    axes.set(xlabel=name)
figure.suptitle(f"No order within {DAYS} days, {standing['n_cutoffs'].iloc[0]} dates")
show(figure, "standing")

# %% [markdown]
# ## Paired differences
#
# The same resamples for both, so that what is hard about a customer falls out. Where the interval excludes zero, the
# difference is more than chance. This is the comparison that decides: a model that is not surely better is not taken,
# and the simpler one stays.

# %%
metrics = ["roc_auc", "top_decile_lift", "brier", "log_loss", "ece"]
found = differences(both, [(CHAMPION, OTHER), (CHAMPION, RULE)], metrics, rng=rng)
for one in found:
    better = (one.value > 0) == (one.metric in RANKING)
    words = f"{'better' if better else 'worse'}, more than by chance" if one.excludes_zero else "no difference shown"
    print(f"{one.a} - {one.b}, {one.metric}: {one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}] {words}")

figure, panels = plt.subplots(1, len(metrics), figsize=(11, 2.6), sharey=True, layout="constrained")
for axes, name in zip(panels, metrics, strict=True):
    for one in (one for one in found if one.metric == name):
        # an interval of a noisy figure need not hold the figure itself
        spread = [[max(one.value - one.low, 0)], [max(one.high - one.value, 0)]]
        axes.errorbar([one.value], [f"- {one.b}"], xerr=spread, fmt="o", color="black", capsize=2)
    axes.axvline(0, color="0.6", linewidth=1)
    axes.set(xlabel=name)
    axes.margins(y=0.6)
    axes.locator_params(axis="x", nbins=4)
figure.suptitle(f"{CHAMPION} less another; left of zero is better from brier on")
show(figure, "differences")

# %% [markdown]
# ## Calibration
#
# The smooth curve needs no bins: the observed share over the promised probability, with its band. The line's slope says
# whether probabilities are too extreme (below 1) or too timid, its level whether there were more losses than promised.

# %%
for name in (CHAMPION, OTHER):
    rows = pair[pair["contestant"] == name]
    line = calibration_line(rows["probability"], rows["outcome"])
    print(
        f"{name}: slope {line.slope:.2f}, level {line.in_the_large:+.2f} log-odds; promised "
        f"{rows['probability'].mean():.1%}, observed {rows['outcome'].mean():.1%}"
    )
show(reliability_plot(pair, bins=8, title="Bins of equal mass, Wilson bars"), "reliability_bins")

# %%
rows = pair[pair["contestant"] == CHAMPION]
show(smooth_reliability_plot(rows, smooth_curve(rows, rng=rng), bins=8, title=CHAMPION), "reliability_champion")

# %%
rows = pair[pair["contestant"] == OTHER]
show(smooth_reliability_plot(rows, smooth_curve(rows, rng=rng), bins=8, title=OTHER), "reliability_other")

# %% [markdown]
# ## Lift
#
# Of the share of customers that somebody has time for, how many times the usual share were really lost?

# %%
show(lift_plot(both, title=f"No order within {DAYS} days"), "lift")

# %% [markdown]
# ## What choosing has cost
#
# The champion of each date was chosen with what was known then. Regret is its loss less that of a candidate that would
# have been fixed beforehand: above 0, that one would have been better. Losses are taken at each date's own level,
# because the level moves with the season for all models alike.

# %%
cost = regret(judged, CHAMPION, LADDER_NAMES)
print(cost.round(4).to_string(index=False))
print(f"The steps of the ladder: {'; '.join(NAMES.values())}.")
assert cost["regret"].iloc[0] == 0

# %% [markdown]
# ## Where they disagree
#
# One mark per customer and date, filled where the customer was lost. Of the tenth on which they disagree the most:
# whose probabilities came nearer?

# %%
keys = ["customer_id", "as_of"]
wide = pair.pivot(index=[*keys, "outcome"], columns="contestant", values="probability").reset_index()
wide["gap"] = wide[OTHER] - wide[CHAMPION]
wide = wide.merge(table.frame[[*keys, "rhythm_class", "days_since_last_order", "order_days_ever"]], on=keys)
apart = wide.loc[wide["gap"].abs().sort_values(ascending=False).index].head(max(10, len(wide) // 10))
print(apart.head(10).to_string(index=False, float_format="{:.2f}".format))
for side, rows in apart.groupby(np.where(apart["gap"] > 0, f"{OTHER} higher", f"{CHAMPION} higher")):
    told = f"{CHAMPION} {rows[CHAMPION].mean():.0%}, {OTHER} {rows[OTHER].mean():.0%}"
    print(f"{side}: {len(rows)} rows, {told}, really lost {rows['outcome'].mean():.0%}")
print((wide["gap"].abs().groupby(wide["rhythm_class"]).mean()).round(3).to_string())
figure, axes = plt.subplots(figsize=(5.5, 5), layout="constrained")
for outcome, colour in ((0, "white"), (1, "black")):
    rows = wide[wide["outcome"] == outcome]
    axes.scatter(rows[CHAMPION], rows[OTHER], s=14, facecolor=colour, edgecolor="0.3", linewidth=0.5)
axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
axes.set(xlabel=CHAMPION, ylabel=OTHER, aspect="equal", title="Filled: lost")
show(figure, "disagreement")

# %% [markdown]
# ## What the gate would say
#
# A challenger takes the champion's place only if it loads and scores its golden rows as recorded, its data are in line
# with the champion's, and it is not worse on the predictions that both made without knowing the outcome. Here the gate
# is asked what it would say if `OTHER`, and the rule, were put forward: what is on record decides, nothing is changed.

# %%
limits = Limits.of(intake.settings.promotion)
champion = Candidate(1, OUT, walk=judged[judged["contestant"].isin([CHAMPION, RULE])])
for name in (OTHER, RULE):
    walk = judged[judged["contestant"].isin([name, RULE])]
    walk = pd.concat([walk[walk["contestant"] == name].assign(contestant=MODEL), walk[walk["contestant"] == RULE]])
    verdict = on_record(Candidate(2, OUT, walk=walk), champion, limits)
    print(f"{name}: {'would pass' if verdict.passed else 'would be refused'}")
    for check in verdict.checks:
        print(f"    {check.name}: {check.words}")

# %% [markdown]
# ## Registered versions
#
# What `kizashi train` has registered here, and every change of the champion with its reason. Each other version is held
# against the champion as the gate would, from the record of both.

# %%
if tracking_folder(OUT).exists():
    listed, changes = registered(OUT)
    print(listed.round(3).to_string(index=False))
    for change in changes:
        print(f"{change.at:%Y-%m-%d} {change.who}: version {change.version} {change.what}, because: {change.why}")
    versions = Tracking(tracking_folder(OUT)).versions()
    in_use = [version for version in versions if "champion" in version.aliases]
    for version in versions:
        if in_use and version not in in_use:
            verdict = on_record(candidate(OUT, version), candidate(OUT, in_use[0]), limits)
            print(f"version {version.number}: {'would pass' if verdict.passed else 'would be refused'}")
            for check in verdict.checks:
                print(f"    {check.name}: {check.words}")
