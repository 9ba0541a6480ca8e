"""The hidden life of a relationship: healthy, cooling, comparison, decision, lost, and the ways back.

A semi-Markov chain per customer. Time is in whole days from the start of the history; a stage covers the days
start <= day < end, so that a customer lost on a day places no order on it.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulate.accounts import Accounts, Booleans, Floats, Integers, Span
from features.simulate.presets import DRIVERS, Preset

STAGES = ("healthy", "cooling", "comparison", "decision", "lost")
HEALTHY, COOLING, COMPARISON, DECISION, LOST = range(5)
# By stage: where it leads, and where it leads instead (sudden loss, recovery, return).
FORWARD = np.array([COOLING, COMPARISON, DECISION, LOST, LOST])
INSTEAD = np.array([LOST, HEALTHY, HEALTHY, LOST, HEALTHY])
# By stage: how far a customer has turned away at its start and at its end (1 = at the loss), and the same for
# how much other offers are compared. Within a stage both move in a straight line: no jump gives a stage away.
TURNED_AWAY = np.array([[0.0, 0.0], [0.0, 0.5], [0.5, 0.85], [0.85, 1.0], [0.0, 0.0]])
COMPARING = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.8], [0.8, 1.0], [0.0, 0.0]])
RUN_IN_DAYS = 365  # lives start a year before the history, which then opens on customers in every stage
RETURN_SHAPE = 2.0  # gamma shape of the absence of those who come back: hardly ever within weeks
NEVER = 1_000_000  # end of a stage that does not end


@dataclass(frozen=True)
class Lives:
    """Stage episodes in order of customer and time, as parallel arrays."""

    account: Integers  # row number of the customer
    stage: Integers  # index into STAGES
    start: Integers
    end: Integers  # NEVER if it does not end
    driver: Integers  # index into DRIVERS; -1 in health and for a sudden loss and what follows it
    depth: Floats  # how deep the symptoms of this episode go, mean 1
    onset: Integers  # day on which the cooling began that led here; the own start if there was none

    def of(self, first: int, last: int) -> "Lives":
        """The episodes of the customers `first` <= number < `last`, numbered from 0."""
        cut = slice(*np.searchsorted(self.account, [first, last]))
        some = {field.name: getattr(self, field.name)[cut] for field in fields(self)}
        return Lives(**{**some, "account": some["account"] - first})


@dataclass(frozen=True)
class Scene:
    """All that is settled before any table is drawn; every table of the world is a function of it."""

    accounts: Accounts
    lives: Lives
    preset: Preset
    span: Span


@dataclass(frozen=True)
class Mood:
    """Daily state of some customers, arrays of shape (customers, days)."""

    active: Booleans  # a customer on that day: after its start, and not lost
    turned_away: Floats  # 0 in health, rising to the depth of the episode at the loss
    comparing: Floats  # likewise, only from the comparison on
    driver: npt.NDArray[np.int8]  # index into DRIVERS, meaningful where turned_away > 0


def draw_lives(accounts: Accounts, preset: Preset, span: Span, rng: np.random.Generator) -> Lives:
    """The stages of every customer until the end of the history; nobody was lost before it began."""
    birth = np.maximum(accounts.since_day, -RUN_IN_DAYS)
    pending = np.arange(len(accounts))
    kept: list[pd.DataFrame] = []
    while pending.size:
        drawn = _chains(pending, birth[pending], accounts.proneness[pending], preset, span, rng)
        gone = drawn.loc[(drawn["stage"] == LOST) & (drawn["start"] <= 0), "account"].unique()
        kept.append(drawn[~drawn["account"].isin(gone)])
        pending = np.sort(gone)
    whole = pd.concat(kept).sort_values(["account", "start"], kind="stable")
    return Lives(**{name: whole[name].to_numpy() for name in whole.columns})


def _chains(
    who: Integers, birth: Integers, proneness: Floats, preset: Preset, span: Span, rng: np.random.Generator
) -> pd.DataFrame:
    """Episodes of the customers `who`, one step of all chains at a time."""
    now = {
        "account": who,
        "stage": np.full(len(who), HEALTHY),
        "start": birth,
        "driver": np.full(len(who), -1),
        "depth": np.ones(len(who)),
        "onset": birth,
    }
    steps: list[pd.DataFrame] = []
    while now["account"].size:
        stage, start = now["stage"], now["start"]
        end, following = _leave(stage, start, proneness, preset, span, rng)
        steps.append(pd.DataFrame({**now, "end": end}))
        begins = following == COOLING
        unseen = (following == HEALTHY) | ((stage == HEALTHY) & (following == LOST))
        driver = rng.choice(len(DRIVERS), size=len(stage), p=[driver.share for driver in DRIVERS])
        depth = rng.gamma(preset.depth_shape, 1 / preset.depth_shape, len(stage))
        after = {
            "account": now["account"],
            "stage": following,
            "start": end,
            "driver": np.select([begins, unseen], [driver, -1], now["driver"]),
            "depth": np.select([begins, unseen], [depth, 1.0], now["depth"]),
            "onset": np.where(begins | unseen, end, now["onset"]),
        }
        goes_on = end < span.days
        now = {name: values[goes_on] for name, values in after.items()}
        proneness = proneness[goes_on]
    return pd.concat(steps, ignore_index=True)


def _leave(
    stage: Integers, start: Integers, proneness: Floats, preset: Preset, span: Span, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """When each current stage ends, and the stage after it."""
    cooling, sudden = preset.hazards
    by_chance = sudden / (cooling + sudden)
    instead = np.array([by_chance, preset.cooling_recovers, preset.comparison_recovers, 0, preset.returns])
    lengths = [0.0, preset.cooling_days, preset.comparison_days, preset.decision_days, preset.return_days]
    mean = np.array(lengths)
    shape = np.array([1.0, preset.stage_shape, preset.stage_shape, preset.stage_shape, RETURN_SHAPE])
    turns = rng.random(len(stage)) < instead[stage]
    end = start + rng.gamma(shape[stage], mean[stage] / shape[stage])
    # Health ends after an exponential time of the hazard clock, which may run faster in the last year.
    clock_days = np.array([-NEVER, span.days - 365.25, NEVER])
    clock = clock_days[1] + (clock_days - clock_days[1]) * np.array([1.0, 1.0, preset.late_loss])
    waited = rng.exponential(365.25 / (cooling + sudden), len(stage)) / proneness
    healthy_end = np.interp(np.interp(start, clock_days, clock) + waited, clock, clock_days)
    end = np.where(stage == HEALTHY, healthy_end, end)
    end = np.where((stage == LOST) & ~turns, NEVER, np.maximum(np.ceil(end), start + 1))
    return end.astype(np.int64), np.where(turns, INSTEAD[stage], FORWARD[stage])


def moods(scene: Scene, first: int, last: int) -> Mood:
    """The daily state of the customers `first` <= number < `last`."""
    lives, span, since_day = scene.lives.of(first, last), scene.span, scene.accounts.since_day[first:last]
    shape = (len(since_day), span.days)
    active = np.arange(span.days) >= since_day[:, None]
    turned_away, comparing = np.zeros(shape), np.zeros(shape)
    driver = np.zeros(shape, dtype=np.int8)

    past = _recoveries(lives)
    row, day, part = _every_day(lives.end[past], lives.end[past] + int(scene.preset.fade_days), span)
    row = past[row]
    cell = (lives.account[row], day)
    turned_away[cell] = lives.depth[row] * TURNED_AWAY[lives.stage[row], 1] * (1 - part)
    comparing[cell] = lives.depth[row] * COMPARING[lives.stage[row], 1] * (1 - part)
    driver[cell] = lives.driver[row]

    unwell = np.flatnonzero(lives.stage != HEALTHY)
    row, day, part = _every_day(lives.start[unwell], lives.end[unwell], span)
    row = unwell[row]
    cell = (lives.account[row], day)
    for state, knots in ((turned_away, TURNED_AWAY), (comparing, COMPARING)):
        at_start, at_end = knots[lives.stage[row]].T
        # A new cooling may begin before the traces of the last one are gone: the deeper of the two shows.
        state[cell] = np.maximum(state[cell], lives.depth[row] * (at_start + (at_end - at_start) * part))
    driver[cell] = lives.driver[row]
    active[cell] &= lives.stage[row] != LOST
    return Mood(active, turned_away, comparing, driver)


def _recoveries(lives: Lives) -> Integers:
    """Row numbers of the coolings and comparisons after which the customer was healthy again."""
    unwell = (lives.stage[:-1] == COOLING) | (lives.stage[:-1] == COMPARISON)
    back = unwell & (lives.stage[1:] == HEALTHY) & (lives.account[:-1] == lives.account[1:])
    return np.flatnonzero(back)


def _every_day(start: Integers, end: Integers, span: Span) -> tuple[Integers, Integers, Floats]:
    """One entry per day of each episode inside the history: its row, the day, the part of it that is over."""
    first, last = np.clip(start, 0, span.days), np.clip(end, 0, span.days)
    length = last - first
    row = np.repeat(np.arange(len(start)), length)
    day = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length) + first[row]
    return row, day, (day - start[row]) / (end - start)[row]


def truth_of_stages(scene: Scene) -> pd.DataFrame:
    """Stage episodes with dates: `customer_id, stage, starts_at, ends_at, driver, depth`.

    `ends_at` is missing for a stage that lasts beyond the extract, `driver` where no cause was at work
    (health, sudden loss). A stage that was over before the history is left out.
    """
    lives, span = scene.lives, scene.span
    seen = (lives.end > 0) & (lives.start < span.days)
    names = np.array([driver.name for driver in DRIVERS] + [None], dtype=object)
    return pd.DataFrame(
        {
            "customer_id": scene.accounts.customer_id[lives.account[seen]],
            "stage": np.array(STAGES, dtype=object)[lives.stage[seen]],
            "starts_at": span.dates(lives.start[seen]),
            "ends_at": _known_by_the_end(lives.end[seen], span),
            "driver": pd.array(names[lives.driver[seen]], dtype="str"),
            "depth": lives.depth[seen],
        }
    )


def truth_of_losses(scene: Scene) -> pd.DataFrame:
    """Losses inside the history: `customer_id, lost_at, returned_at, symptomatic, driver, cooling_at`.

    From `lost_at` (a midnight) to `returned_at` (missing if not by the extract) the customer orders nothing.
    `cooling_at` is when the cooling began that led to the loss; for a sudden loss it is missing and
    `symptomatic` is false.
    """
    lives, span = scene.lives, scene.span
    lost = (lives.stage == LOST) & (lives.start < span.days)
    names = np.array([driver.name for driver in DRIVERS] + [None], dtype=object)
    symptomatic = lives.driver[lost] >= 0
    return pd.DataFrame(
        {
            "customer_id": pd.array(scene.accounts.customer_id[lives.account[lost]], dtype="str"),
            "lost_at": span.dates(lives.start[lost]),
            "returned_at": _known_by_the_end(lives.end[lost], span),
            "symptomatic": symptomatic,
            "driver": pd.array(names[lives.driver[lost]], dtype="str"),
            "cooling_at": np.where(symptomatic, span.dates(lives.onset[lost]), np.datetime64("NaT", "us")),
        }
    )


def _known_by_the_end(days: Integers, span: Span) -> npt.NDArray[np.datetime64]:
    """The midnights of day numbers; missing for those after the extract."""
    return np.where(days < span.days, span.dates(np.minimum(days, span.days)), np.datetime64("NaT", "us"))
