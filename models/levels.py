"""How loudly we say so: thresholds of the probability, solved on the walk-forward, each with its record.

From red downwards, each level takes as many customers as it can while the share of them that was really lost stays at
its promised precision and the level does not outgrow its share of the cohort. A level that no threshold can keep is
off, and says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import SettingsError
from models.evaluation import wilson

Floats = NDArray[np.float64]

#: From the loudest to silence.
LEVELS = ("red", "orange", "yellow", "blue", "none")

#: How loud a level is: 0 is silence.
LOUDNESS: Mapping[str, int] = {name: place for place, name in enumerate(reversed(LEVELS))}

#: A level is not opened on fewer matured predictions than this.
MIN_ROWS = 30

#: What a threshold was solved for.
PROMISE, CAPACITY = "promise", "capacity"


#: Still within their own window: there is time to act. Silent for longer: by our own definition already lost.
EARLY, OVERDUE = "early", "overdue"


def queue_of(frame: pd.DataFrame) -> pd.Series:
    """``early`` or ``overdue`` per snapshot: whether the silence has outlasted the customer's own window.

    The longest silent have the highest probabilities and would fill every level; each queue has room of its own.
    """
    late = frame["days_since_last_order"] > frame["churn_window_days"]
    return pd.Series(np.where(late, OVERDUE, EARLY), index=frame.index)


def room(largest_share: float, size: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places that a level and the louder ones have in queues of so many customers: rounded up, so at least one."""
    # A share such as .15 of 20 is a hair above 3 in binary; that hair is not a fourth place.
    return np.ceil(largest_share * size - 1e-9).astype("int64")


def loudness(levels: pd.Series) -> NDArray[np.int64]:
    """How loud each level is, shape (n,): 0 for ``none`` and where it is missing.

    Raises
    ------
    ValueError
        For a level that is none of :data:`LEVELS`.
    """
    strange = sorted(set(levels.dropna()) - set(LOUDNESS))
    if strange:
        raise ValueError(f"expected levels among {list(LEVELS)}; found {strange}: name one of them")
    return np.array(levels.map(LOUDNESS).fillna(0), dtype="int64")


def level_names(loud: NDArray[np.int64]) -> NDArray[np.object_]:
    """The inverse of :func:`loudness`."""
    return np.array(LEVELS[::-1], dtype=object)[loud]


@dataclass(frozen=True)
class Promise:
    """What a level is held to: the share of its customers that will be lost, and its room.

    Attributes
    ----------
    precision
        Share of the level's customers that will be lost.
    largest_share
        Largest share of a date's queue at this level or a louder one.
    """

    precision: float
    largest_share: float


DEFAULT_PROMISES: Mapping[str, Promise] = {
    "red": Promise(0.70, 0.05),
    "orange": Promise(0.60, 0.15),
    "yellow": Promise(0.50, 0.30),
    "blue": Promise(0.40, 0.50),
}


@dataclass(frozen=True)
class Level:
    """A level with its record on the walk-forward.

    Attributes
    ----------
    name
        One of :data:`LEVELS`.
    threshold
        Lowest probability that reaches it; None where it is off.
    promised
        Precision that it is held to.
    largest_share
        Largest share of a date's cohort at this level or above.
    precision, low, high
        Share really lost among the matured predictions at this level, with its 95 % Wilson interval; None where
        nothing has matured.
    n
        Matured predictions at this level.
    by
        What the threshold was solved for: :data:`PROMISE`, or :data:`CAPACITY` where that alone would have let in more.
    capacity, per_week
        New episodes a week at this level or a louder one: at most, and as counted on the walk-forward; None where no
        capacity is set, or nothing could be counted.
    """

    name: str
    threshold: float | None
    promised: float
    largest_share: float
    precision: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    by: str = PROMISE
    capacity: float | None = None
    per_week: float | None = None


@dataclass(frozen=True)
class Levels:
    """All levels, loudest first."""

    levels: tuple[Level, ...]

    @property
    def entry(self) -> float | None:
        """The lowest probability that reaches any level; None where all are off."""
        return min((level.threshold for level in self.levels if level.threshold is not None), default=None)

    def of(self, probability: pd.Series, queue: pd.Series | None = None) -> NDArray[np.object_]:
        """The level of each customer of one date's cohort: the loudest that it reaches and that has room for it.

        A level has room for its largest share of each queue, counted from the highest probability; customers with the
        same probability are in together or out together. Without `queue` (see :func:`queue_of`) all stand in one.
        """
        one = pd.Series(EARLY, index=probability.index)
        queues = one if queue is None else queue
        place = probability.groupby(queues).rank(ascending=False, method="max").to_numpy()
        size = probability.groupby(queues).transform("size").to_numpy()
        names = np.full(len(probability), "none", dtype=object)
        for level in reversed(self.levels):
            if level.threshold is not None:
                reached = (probability.to_numpy() >= level.threshold) & (place <= room(level.largest_share, size))
                names = np.where(reached, level.name, names)
        return names

    def with_thresholds(self, given: Mapping[str, float]) -> "Levels":
        """The same levels with other thresholds for some, of which then nothing is known of how they did.

        Raises
        ------
        SettingsError
            If there is no such level, a threshold is no probability, or they do not fall from red to blue.
        """
        strange = sorted(set(given) - {level.name for level in self.levels})
        if strange:
            raise SettingsError(f"levels.thresholds: there is no level {', '.join(strange)}. Leave it out.")
        if any(not 0 < one < 1 for one in given.values()):
            raise SettingsError("levels.thresholds: expected probabilities above 0 and below 1.")
        blank = {"precision": None, "low": None, "high": None, "n": 0, "per_week": None}
        levels = tuple(
            replace(level, threshold=given[level.name], **blank)  # type: ignore[arg-type]
            if level.name in given and given[level.name] != level.threshold
            else level
            for level in self.levels
        )
        on = [level for level in levels if level.threshold is not None]
        for louder, quieter in pairwise(on):
            if (louder.threshold or 0) < (quieter.threshold or 0):
                raise SettingsError(
                    f"levels.thresholds: {louder.name} begins at {louder.threshold:g}, below {quieter.name} at "
                    f"{quieter.threshold:g}. Let them fall from red to blue."
                )
        return Levels(levels)

    def to_dict(self) -> list[dict[str, Any]]:
        """Plain values for the manifest."""
        return [vars(level) for level in self.levels]

    @classmethod
    def from_dict(cls, rows: list[dict[str, Any]]) -> "Levels":
        """The inverse of :meth:`to_dict`."""
        return cls(tuple(Level(**row) for row in rows))


def solve(
    probability: pd.Series,
    outcome: pd.Series,
    as_of: pd.Series,
    promises: Mapping[str, Promise] = DEFAULT_PROMISES,
    queue: pd.Series | None = None,
) -> Levels:
    """Thresholds that would have kept the promises on matured out-of-time predictions.

    Parameters
    ----------
    probability
        Churn probabilities predicted at the time.
    outcome
        1.0 lost, 0.0 ordered again; matured rows only.
    as_of
        The date of each prediction: room is counted within a date.
    promises
        Per level, loudest first, precision and largest share. With fewer than :data:`MIN_ROWS` rows the thresholds are
        the promised precisions themselves: a calibrated probability is the precision that it promises.
    queue
        The queue of each row; room is counted within it.
    """
    if len(probability) < MIN_ROWS:
        return Levels(tuple(Level(name, p.precision, p.precision, p.largest_share) for name, p in promises.items()))
    queues = probability.groupby([as_of] if queue is None else [as_of, queue])
    place = queues.rank(ascending=False, method="max").to_numpy()
    size = queues.transform("size").to_numpy()
    p, y = probability.to_numpy(), outcome.to_numpy()
    free = np.full(len(p), True)
    levels = []
    for name, promise in promises.items():
        here = np.flatnonzero(free & (place <= room(promise.largest_share, size)))
        level = _opened(name, promise, p[here], y[here])
        if level.threshold is not None:
            free[here[p[here] >= level.threshold]] = False
        levels.append(level)
    return Levels(tuple(levels))


def _opened(name: str, promise: Promise, p: Floats, y: Floats) -> Level:
    """The level with the lowest threshold that keeps its promise on these rows, or switched off."""
    order = np.argsort(-p, kind="stable")
    # Customers with the same probability cannot be told apart: a level may end only where the probability changes.
    ends = np.flatnonzero(np.append(np.diff(p[order]) < 0, True)) + 1 if len(p) else np.array([], dtype="int64")
    lost = np.concatenate([[0.0], np.cumsum(y[order])])
    kept = ends[(ends >= MIN_ROWS) & (lost[ends] / ends >= promise.precision)]
    if kept.size == 0:
        return Level(name, None, promise.precision, promise.largest_share)
    n = int(kept[-1])
    low, high = wilson(lost[n], n)
    precision = float(lost[n]) / n
    threshold = float(p[order[n - 1]])
    return Level(name, threshold, promise.precision, promise.largest_share, precision, float(low), float(high), n)


@dataclass(frozen=True)
class LevelChange:
    """One line of the log of thresholds.

    Attributes
    ----------
    level
        Whose threshold changed.
    was, now
        Before and after; None where the level was, or is, off.
    why
        ``off`` (no threshold keeps what is asked), ``no_record`` (too little has matured: the promise itself),
        ``promise`` or ``capacity`` (what the threshold was solved for).
    n
        Matured predictions that the threshold stands on.
    """

    level: str
    was: float | None
    now: float | None
    why: str
    n: int


def changes(before: Levels | None, after: Levels) -> tuple[LevelChange, ...]:
    """What a new model changes in the thresholds, loudest level first; everything where there was none before."""
    was = {} if before is None else {level.name: level.threshold for level in before.levels}
    return tuple(
        LevelChange(level.name, was.get(level.name), level.threshold, _why(level), level.n)
        for level in after.levels
        if level.name not in was or was[level.name] != level.threshold
    )


def _why(level: Level) -> str:
    if level.threshold is None:
        return "off"
    return "no_record" if level.n == 0 and level.by == PROMISE else level.by
