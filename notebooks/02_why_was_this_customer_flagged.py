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
# over the horizons, its own history, its peers, what has changed since four weeks before, and what would clear it.

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
from math import fsum

import numpy as np
import pandas as pd
from scipy.special import expit

from features.snapshots import ELIGIBLE
from pipelines.champions import champion_of
from pipelines.dated import dated
from pipelines.story import explain
from pipelines.train import Asked, train
from pipelines.what_if import Supposed, what_if
from serving.story_words import (
    change_text,
    clearing_texts,
    happening_text,
    log_odds,
    outlook_text,
    place_text,
    reason_line_text,
    similar_text,
    step_text,
    what_if_text,
    why_text,
)
from serving.wording import concept_name

if not (OUT / "mlflow").exists():
    earlier = take_in(Request(DATA, OUT, TODAY - timedelta(days=30), layout=LAYOUT))
    train(earlier, Asked("notebook", datetime.now(UTC)))
champion = champion_of(OUT)
model = champion.model
print(f"{champion.version}, trained as of {model.facts['trained_as_of']}. {model.selection.words}")

# %% [markdown]
# ## Today's list
#
# The day as it was published, or else scored now and not stored. A level is a promise: of the customers that stood at
# it in the past so many were really lost. Within a level, whoever has most to lose comes first. `shown` is what the
# calibration certificate allows: a percentage, or the level alone.

# %%
for level in model.levels.levels:
    state = "off: it could not keep its promise" if level.threshold is None else f"from {level.threshold:.0%} on"
    past = "nothing has matured" if level.precision is None else f"{level.precision:.0%} were lost, of {level.n}"
    print(f"{level.name}: promises {level.promised:.0%}, {state}; {past}")
day = dated(intake)
scores = day.scores[day.scores["cohort"] == ELIGIBLE]
loud = [level.name for level in model.levels.levels]
listed = scores.assign(loudness=pd.Categorical(scores["level"], [*loud, "none"]))
listed = listed.sort_values(["loudness", "expected_loss"], ascending=[True, False])
columns = ["customer_id", "level", "churn_probability", "churn_low", "churn_high", "completeness", "expected_loss"]
print(listed[[*columns, "shown"]].head(10).round(3).to_string(index=False))

# %% [markdown]
# ## Its story
#
# The first of the list; any other customer will do: set `CUSTOMER`. The story is that of `kizashi explain`, the API and
# the page, and so are its sentences.

# %%
CUSTOMER = listed["customer_id"].iloc[0]
BEFORE = TODAY - timedelta(days=28)
story = explain(intake, CUSTOMER, since=BEFORE)
standing, currency = story.standing, story.currency
print(f"{CUSTOMER} {story.name}, {standing.level}: {outlook_text(standing)}")
print(f"{place_text(standing)}; data grade {standing.completeness}")

# %% [markdown]
# ## The reasons add up
#
# In log-odds, a base (a usual customer with this window) plus one share per concept is the margin, and the logistic
# function of the margin is the probability. Nothing is left over, so that a reason cannot be made up. Features that say
# nearly the same share a concept: else their weight would be spread over many small reasons. Told are the concepts
# whose facts are unusual, small changes where there are few of those, and what speaks against; the rest is one sum.

# %%
print(why_text(story))
for line in story.reasons:
    words = reason_line_text(line, story)
    print(f"{log_odds(line.contribution)} ({line.contribution_points:+.1%}) {line.role}: {words}")
told = fsum(line.contribution for line in story.reasons)
total = standing.base_margin + told
print(
    f"base {standing.base_margin:+.3f} and reasons {told:+.3f} make {total:+.3f}, the margin is "
    f"{standing.margin:+.3f}; as a probability {expit(total):.4f}, given {standing.probability:.4f}"
)
steps = np.array([share.contribution for share in story.concepts])
points = fsum(line.contribution_points for line in story.reasons)
assert np.isclose(total, standing.margin)
assert np.isclose(standing.base_margin + steps.sum(), standing.margin)
assert np.isclose(expit(total), standing.probability)
assert np.isclose(expit(standing.base_margin) + points, standing.probability)

names = [concept_name(share.concept) for share in story.concepts]
start = standing.base_margin + steps.cumsum() - steps
figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
axes.barh(names, steps, left=start, color=np.where(steps > 0, "0.2", "0.7"))
axes.axvline(standing.base_margin, color="0.6", linestyle=":", label="base")
axes.axvline(standing.margin, color="black", linestyle="--", label="margin")
axes.use_sticky_edges = False
axes.invert_yaxis()
axes.set(xlabel="log-odds of being lost", title="From a usual customer to this one")
axes.legend(frameon=False)
show(figure, "reasons")

# %% [markdown]
# ## The curve over the horizons
#
# No order within 30, 60, 90 and 180 days: the longer, the less likely that it stays silent. The own window is read off
# between them, with its 90 % interval, which is about the probability and not the outcome: it holds the spread over
# models that were each taught by other customers, and over the levels of past seasons. The grey line is the median of
# everybody who can be warned about.

# %%
curve = standing.horizons
usual = [scores[f"p_no_order_{days}"].median() for days in curve]
assert (np.diff(list(curve.values())) <= 0).all()
figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
axes.plot(list(curve), list(curve.values()), "o-", color="black", label=CUSTOMER)
axes.plot(list(curve), usual, "o--", color="0.6", label="median of the cohort")
spread = [[standing.probability - standing.low], [standing.high - standing.probability]]
own = {"fmt": "D", "color": "black", "mfc": "white", "capsize": 3}
axes.errorbar(standing.window_days, standing.probability, yerr=spread, label="own window, 90 %", **own)
axes.set(xlabel="days without an order", ylabel="probability", ylim=(0, 1), title="No order within so many days")
axes.legend(frameon=False)
show(figure, "curve")

# %% [markdown]
# ## Its history
#
# What was known today of its last two years: every order day by its net amount, the newest of everything else in words.
# Shaded: the silence so far; the dashed line is where the own window ends that begins today.

# %%
now = pd.Timestamp(TODAY)
ordered = [event for event in story.timeline if event.kind == "order"]
days = pd.to_datetime([event.on for event in ordered])
silent = story.facts["days_since_last_order"]
figure, axes = plt.subplots(figsize=(8, 3.5), layout="constrained")
axes.vlines(days, 0, [event.amount for event in ordered], color="black", linewidth=1)
axes.axvspan(now - pd.Timedelta(days=silent), now, color="0.9")
axes.axvline(now + pd.Timedelta(days=standing.window_days), color="black", linestyle="--")
axes.set(ylabel="net amount of the day", title=f"{len(ordered)} order days, silent for {silent:.0f} days")
for event in story.timeline[:-11:-1]:
    print(happening_text(event, currency=currency))
show(figure, "history")

# %% [markdown]
# ## Its peers
#
# What tells each reason: the value, what is usual for this customer, and the customers of the same date who can be
# warned about, eight of ten of whom lie between `q10` and `q90`. The value of a feature that ends in `_vs_usual` is
# held against the usual already. A reason can be strong although the peers do the same: it counts against what the
# model has learnt, and the customer's own past is often the better measure. Then those who once stood as this one does,
# and what came of them.

# %%
lines = pd.DataFrame(
    [(one.role, one.concept, one.feature, one.value, one.usual_value) for one in story.reasons[:-1]],
    columns=["role", "concept", "feature", "value", "usual_value"],
)
peers = day.kept.spread.rename_axis("feature").reset_index()
beside = lines.merge(peers[["feature", "q10", "median", "q90"]], on="feature", how="left")
print(beside.round(2).to_string(index=False))
print(similar_text(story.similar))

# %% [markdown]
# ## What has changed in four weeks
#
# From then to now in steps that were each scored anew: the days that passed, what became known in its order, and
# another model where there was one. They add up to the change. The level of a customer can also move because the room
# at a level is a share of the cohort.

# %%
if str(BEFORE) < model.facts["trained_as_of"]:
    print("The champion has learnt from what became known after the earlier date: it may know a little too much of it.")
change = story.change
print(change_text(change, currency=currency))
moved = np.array([step.contribution for step in change.steps])
labels = [step_text(step, change, currency=currency) for step in change.steps]
for worth, label in zip(moved, labels, strict=True):
    print(f"{log_odds(worth)} {label}")
assert not change.comparable or np.isclose(moved.sum(), change.after.margin - change.before.margin)

figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
axes.barh(range(len(moved)), moved, color=np.where(moved > 0, "0.2", "0.7"))
axes.set_yticks(range(len(moved)), [label[:60] for label in labels])
axes.invert_yaxis()
axes.set(xlabel="change in log-odds", title=f"Since {BEFORE}: {moved.sum():+.2f} in all")
show(figure, "change")

# %% [markdown]
# ## What would clear it
#
# What brings the level down, and how the customer would stand had it ordered today, in two weeks, in four: scored anew
# and stored nowhere. It is arithmetic of the score and no promise: who orders by itself is another customer than one
# who was talked into it.

# %%
for days in (0, 14, 28):
    supposed = what_if(day, CUSTOMER, Supposed(ordered_on=TODAY + timedelta(days=days)))
    print(what_if_text(supposed, standing.percent, currency=currency))
for words in clearing_texts(story):
    print(words)
