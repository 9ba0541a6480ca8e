"""The hidden life of a relationship: healthy, cooling, comparison, decision, lost, and the ways back.

A semi-Markov chain per customer. Time is in whole days from the start of the history; a stage covers the days
start <= day < end, so that a customer lost on a day places no order on it.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulate.accounts import Accounts
from features.simulate.arrays import WEEK, Floats, Integers, Span
from features.simulate.causes import Causes, onset
from features.simulate.presets import Preset
from features.simulate.signals import DRIVERS

STAGES = ("healthy", "cooling", "comparison", "decision", "lost")
HEALTHY, COOLING, COMPARISON, DECISION, LOST = range(5)
# By stage: where it leads, and where it leads instead (sudden loss, recovery, return).
FORWARD = np.array([COOLING, COMPARISON, DECISION, LOST, LOST])
INSTEAD = np.array([LOST, HEALTHY, HEALTHY, LOST, HEALTHY])
# By stage: how far a customer has turned away at its start and at its end (1 = at the loss), and the same for
# how much other offers are compared. Within a stage both move in a straight line: no jump gives a stage away.
TURNED_AWAY = np.array([[0.0, 0.0], [0.0, 0.5], [0.5, 0.85], [0.85, 1.0], [1.0, 1.0]])
COMPARING = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.8], [0.8, 1.0], [1.0, 1.0]])
RUN_IN_WEEKS = 53  # lives start a year before the history, which then opens on customers in every stage
RETURN_SHAPE = 2.0  # gamma shape of the absence of those who come back: hardly ever within weeks
NEVER = 1_000_000  # end of a stage that does not end


@dataclass(frozen=True)
class Lives:
    """Stage episodes in order of customer and time, as parallel arrays."""

    account: Integers  # row number of the customer
    stage: Integers  # index into STAGES
    start: Integers
    end: Integers  # NEVER if it does not end
    planned: Integers  # the end that it would have had if no talk had come between
    driver: Integers  # index into DRIVERS; -1 in health and for a sudden loss and what follows it
    depth: Floats  # how deep the symptoms of this episode go, mean 1
    onset: Integers  # day on which the cooling began that led here; the own start if there was none

    def of(self, first: int, last: int) -> "Lives":
        """The episodes of the customers `first` <= number < `last`, numbered from 0."""
        cut = slice(*np.searchsorted(self.account, [first, last]))
        some = {field.name: getattr(self, field.name)[cut] for field in fields(self)}
        return Lives(**{**some, "account": some["account"] - first})


@dataclass(frozen=True)
class Hazards:
    """How likely the healthy are to begin to cool, and to leave without a symptom.

    Weeks count from `RUN_IN_WEEKS` before the history. A stage's clock is in days from the start of the history.
    """

    cooling: npt.NDArray[np.float32]  # (customers, weeks, drivers) yearly hazard
    sudden: Floats  # (customers, weeks) yearly hazard
    total: Floats  # (customers, weeks + 1) cumulated from the run-in on

    @property
    def weeks(self) -> int:
        """Weeks of the run-in and the history."""
        return self.sudden.shape[1]

    def week(self, day: Integers) -> Integers:
        """The week in which each day lies; the first or last one for days outside."""
        return np.clip(day // WEEK + RUN_IN_WEEKS, 0, self.weeks - 1)

    def healthy_until(self, account: Integers, start: Integers, waited: Floats) -> Floats:
        """The moment (in days) at which each account's hazard since `start` adds up to `waited`; else NEVER."""
        at = start / WEEK + RUN_IN_WEEKS
        whole = np.minimum(at.astype(np.int64), self.weeks - 1)
        before = self.total[account, whole]
        target = before + (at - whole) * (self.total[account, whole + 1] - before) + waited
        low, high = whole, np.full(len(account), self.weeks)
        while (high - low > 1).any():
            middle = (low + high) // 2
            reached = self.total[account, middle] > target
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        level = self.total[account, low]
        part = (target - level) / np.maximum(self.total[account, low + 1] - level, 1e-300)
        return np.where(target < self.total[account, -1], (low + part - RUN_IN_WEEKS) * WEEK, NEVER)


def draw_hazards(accounts: Accounts, causes: Causes, preset: Preset, span: Span) -> Hazards:
    """The hazards that the causes, the proneness of each customer and the change of the times make."""
    cooling, sudden = preset.hazards
    weeks = RUN_IN_WEEKS + span.weeks
    times = np.where(np.arange(weeks) * WEEK >= span.days - 365.25 + RUN_IN_WEEKS * WEEK, preset.late_loss, 1.0)
    relative = np.empty((len(accounts), weeks, len(DRIVERS)), dtype=np.float32)
    relative[:, :RUN_IN_WEEKS] = [driver.share for driver in DRIVERS]
    relative[:, RUN_IN_WEEKS:] = onset(causes, len(accounts), preset, span)
    own = accounts.proneness[:, None] * times
    relative *= (cooling * own)[:, :, None].astype(np.float32)
    by_week = sudden * own
    total = np.zeros((len(accounts), weeks + 1))
    np.cumsum((relative.sum(axis=2) + by_week) * WEEK / 365.25, axis=1, out=total[:, 1:])
    return Hazards(relative, by_week, total)


def draw_lives(accounts: Accounts, hazards: Hazards, preset: Preset, span: Span, rng: np.random.Generator) -> Lives:
    """The stages of every customer until the end of the history; nobody was lost before it began."""
    birth = np.maximum(accounts.since_day, -RUN_IN_WEEKS * WEEK)
    pending = np.arange(len(accounts))
    kept: list[pd.DataFrame] = []
    while pending.size:
        now = opening(pending, HEALTHY, birth[pending])
        drawn = live_on(now, hazards, preset, span, rng)
        gone = drawn.loc[(drawn["stage"] == LOST) & (drawn["start"] <= 0), "account"].unique()
        kept.append(drawn[~drawn["account"].isin(gone)])
        pending = np.sort(gone)
    return lives_of(pd.concat(kept))


def lives_of(episodes: pd.DataFrame) -> Lives:
    """Episodes in any order as lives."""
    whole = episodes.sort_values(["account", "start"], kind="stable")
    return Lives(**{field.name: whole[field.name].to_numpy() for field in fields(Lives)})


def opening(account: Integers, stage: int, start: Integers) -> dict[str, npt.NDArray[np.generic]]:
    """Episodes that begin, without a driver and of usual depth."""
    return {
        "account": account,
        "stage": np.full(len(account), stage),
        "start": start,
        "driver": np.full(len(account), -1),
        "depth": np.ones(len(account)),
        "onset": start,
    }


def live_on(
    now: dict[str, npt.NDArray[Any]], hazards: Hazards, preset: Preset, span: Span, rng: np.random.Generator
) -> pd.DataFrame:
    """The given episodes and all that follow, one step of all chains at a time."""
    steps: list[pd.DataFrame] = []
    while now["account"].size:
        account, stage = now["account"], now["stage"]
        end, following = _leave(now, hazards, preset, rng)
        steps.append(pd.DataFrame({**now, "end": end, "planned": end}))
        begins = following == COOLING
        unseen = (following == HEALTHY) | ((stage == HEALTHY) & (following == LOST))
        driver = _drivers(hazards, account, end, rng)
        depth = rng.gamma(preset.depth_shape, 1 / preset.depth_shape, len(stage))
        after = {
            "account": account,
            "stage": following,
            "start": end,
            "driver": np.select([begins, unseen], [driver, -1], now["driver"]),
            "depth": np.select([begins, unseen], [depth, 1.0], now["depth"]),
            "onset": np.where(begins | unseen, end, now["onset"]),
        }
        goes_on = end < span.days
        now = {name: values[goes_on] for name, values in after.items()}
    return pd.concat(steps, ignore_index=True)


def _leave(
    now: dict[str, npt.NDArray[Any]], hazards: Hazards, preset: Preset, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """When each current stage ends, and the stage after it."""
    account, stage, start = now["account"], now["stage"], now["start"]
    mean, shape, instead = stage_laws(preset)
    end = start + rng.gamma(shape[stage], mean[stage] / shape[stage])
    chance = rng.random(len(stage))
    healthy_end = hazards.healthy_until(account, start, rng.exponential(size=len(stage)))
    end = np.where(stage == HEALTHY, healthy_end, end)
    week = hazards.week(np.minimum(end, NEVER).astype(np.int64))
    sudden = hazards.sudden[account, week]
    by_chance = sudden / np.maximum(hazards.cooling[account, week].sum(axis=1) + sudden, 1e-300)
    turns = chance < np.where(stage == HEALTHY, by_chance, instead[stage])
    end = np.where((stage == LOST) & ~turns, NEVER, np.minimum(np.maximum(np.ceil(end), start + 1), NEVER))
    return end.astype(np.int64), np.where(turns, INSTEAD[stage], FORWARD[stage])


def stage_laws(preset: Preset) -> tuple[Floats, Floats, Floats]:
    """By stage: mean days and gamma shape of its length, and the chance that it leads to `INSTEAD`.

    Health has no such law: its length and what follows come from the hazards.
    """
    mean = np.array([1.0, preset.cooling_days, preset.comparison_days, preset.decision_days, preset.return_days])
    shape = np.array([1.0, preset.stage_shape, preset.stage_shape, preset.stage_shape, RETURN_SHAPE])
    return mean, shape, np.array([0.0, preset.cooling_recovers, preset.comparison_recovers, 0.0, preset.returns])


def _drivers(hazards: Hazards, account: Integers, day: Integers, rng: np.random.Generator) -> Integers:
    """What drives a cooling that begins on each day: a cause at work makes its own driver the likelier."""
    share = np.cumsum(hazards.cooling[account, hazards.week(day)], axis=1)
    return (rng.random(len(day))[:, None] * share[:, -1:] >= share[:, :-1]).sum(axis=1)
