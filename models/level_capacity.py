"""Levels that no more customers newly reach in a week than somebody can look after.

A promise of precision says who may be warned about, a capacity how many at a time. Thresholds are raised, and never
lowered, until as few episodes open on the walk-forward; a promise of 0 leaves a level to its capacity alone.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.earliness import USUAL, days_of, lowest_before, openings, ranks, settled_dates
from models.evaluation import wilson
from models.levels import CAPACITY, Level, Levels

Floats = NDArray[np.float64]

#: What is counted on: one row per customer and date of the walk-forward. ``lost`` is NaN until it has matured.
READS = ("customer_id", "as_of", "probability", "queue", "lost")


def within_capacity(
    levels: Levels,
    record: pd.DataFrame,
    capacity: Mapping[str, float],
    *,
    tolerance: float = 0.0,
    closed_after_days: int = USUAL.closed_after_days,
) -> Levels:
    """The levels with thresholds so high that no more new episodes open in a week than there is capacity for.

    Counted are the weeks of the walk-forward after its run-in, see :mod:`models.earliness`, both queues together and
    without the levels' room, which can only make it fewer. Customers with the same probability are in together or out
    together. Where not even those with the highest one fit, the level is off.

    Parameters
    ----------
    levels
        As solved for their promises (:func:`models.levels.solve`).
    record
        Predictions of the walk-forward: :data:`READS`.
    capacity
        New episodes a week at this level or a louder one, by level; a level that is not named has no limit of its own.
    tolerance
        Share by which a capacity may be passed.
    closed_after_days
        An episode is over when the probability was below the threshold for longer.

    Returns
    -------
    Levels
        With the record of each level as it is now; unchanged but for the capacities where the walk-forward is too short
        to tell a new episode from one that was there before.

    Raises
    ------
    ValueError
        For a level that there is not, or a quieter level with less capacity than a louder one.
    """
    _checked(levels, capacity)
    named = tuple(replace(level, capacity=capacity.get(level.name)) for level in levels.levels)
    probability, new = _new_a_week(record, closed_after_days)
    if new.size == 0:
        return Levels(named)
    found = []
    for level in named:
        if level.threshold is not None and level.capacity is not None:
            level = _raised(level, level.threshold, level.capacity * (1 + tolerance), probability, new)
        if level.threshold is not None:
            reached = np.flatnonzero(probability >= level.threshold)
            level = replace(level, per_week=float(new[reached[-1]]) if reached.size else 0.0)
        found.append(level)
    return _measured(Levels(tuple(found)), record)


def _raised(level: Level, threshold: float, most: float, probability: Floats, new: Floats) -> Level:
    """The level at the lowest threshold, not below its own, at which at most so many episodes open a week."""
    # Past the first threshold with too many the number may fall again, as long episodes merge.
    too_many = np.flatnonzero(new > most + 1e-9)
    fits = int(too_many[0]) if too_many.size else new.size
    if fits == 0:
        return replace(level, threshold=None, by=CAPACITY)
    lowest = float(probability[fits - 1])
    return replace(level, threshold=lowest, by=CAPACITY) if lowest > threshold else level


def _checked(levels: Levels, capacity: Mapping[str, float]) -> None:
    names = [level.name for level in levels.levels]
    strange = sorted(set(capacity) - set(names))
    if strange:
        raise ValueError(f"expected capacities of {names}; found {strange}: leave them out")
    given = [capacity[name] for name in names if name in capacity]
    if given != sorted(given):
        raise ValueError(
            f"expected capacities that do not fall from the loudest level to the quietest; found {dict(capacity)}: "
            "each counts its own level and the louder ones"
        )


def _new_a_week(record: pd.DataFrame, closed_after_days: int) -> tuple[Floats, Floats]:
    """Every probability as a threshold, falling, and the new episodes a week that it would have opened."""
    if record.empty:
        return np.zeros(0), np.zeros(0)
    rows = record.assign(customer=pd.factorize(record["customer_id"])[0]).sort_values(["customer", "as_of"])
    customer = rows["customer"].to_numpy(dtype="int64")
    day = days_of(rows["as_of"])
    settled, step = settled_dates(day, closed_after_days)
    if settled.size == 0:
        return np.zeros(0), np.zeros(0)
    score = rows["probability"].to_numpy(dtype="float64")
    rank, between = ranks(score, np.zeros(score.size))
    nearest = lowest_before(rank, customer, day, closed_after_days)
    opened = openings(rank, nearest, np.isin(day, settled))
    ends = np.flatnonzero(between[1:]) + 1
    return np.sort(score)[::-1][ends - 1], opened[ends] / (settled.size * step / 7)


def _measured(levels: Levels, record: pd.DataFrame) -> Levels:
    """The levels with what became of the matured predictions that reach them."""
    parts = [levels.of(here["probability"], here["queue"]) for _, here in record.groupby("as_of", sort=True)]
    order = pd.concat([here for _, here in record.groupby("as_of", sort=True)])
    rows = pd.DataFrame({"level": np.concatenate(parts), "lost": order["lost"].to_numpy(dtype="float64")}).dropna()
    found = []
    for level in levels.levels:
        lost = rows.loc[rows["level"] == level.name, "lost"]
        n = len(lost)
        low, high = (float(end) for end in wilson(lost.sum(), n))
        kept = (float(lost.mean()), low, high) if n else (None, None, None)
        found.append(replace(level, precision=kept[0], low=kept[1], high=kept[2], n=n))
    return Levels(tuple(found))
