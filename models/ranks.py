"""A customer's place among the customers of its date: what makes amounts of all kinds, and all dates, comparable."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Values of a column among which a customer's place is told.
KNOTS = 64


@dataclass(frozen=True)
class Ranks:
    """Places among the customers of one date: 0 in the middle, with a standard deviation of 1 where all values differ.

    Attributes
    ----------
    columns
        Names of the features.
    knots
        Per column up to :data:`KNOTS` values of those customers, rising; none where it was unknown for all.
    """

    columns: tuple[str, ...]
    knots: tuple[tuple[float, ...], ...]

    @classmethod
    def of_cohort(cls, frame: pd.DataFrame, columns: tuple[str, ...]) -> "Ranks":
        """The places among the rows of a frame."""
        values = frame[list(columns)].to_numpy(dtype="float64")
        return cls(columns, tuple(_knots(value) for value in values.T))

    def places(self, frame: pd.DataFrame) -> Floats:
        """The place of each row in each column, shape (n, columns); the middle where a value is unknown."""
        found = np.zeros((len(frame), len(self.columns)))
        values = frame[list(self.columns)].to_numpy(dtype="float64")
        for i, (value, knots) in enumerate(zip(values.T, self.knots, strict=True)):
            known = np.isfinite(value)
            if knots and known.any():
                below, above = (np.searchsorted(knots, value[known], side) for side in ("left", "right"))
                found[known, i] = np.sqrt(12) * ((below + above) / (2 * len(knots)) - 0.5)
        return found


def _knots(value: Floats) -> tuple[float, ...]:
    known = np.sort(value[np.isfinite(value)])
    if len(known) > KNOTS:
        known = known[((np.arange(KNOTS) + 0.5) / KNOTS * len(known)).astype("int64")]
    return tuple(map(float, known))


def places_by_date(rows: pd.DataFrame, columns: tuple[str, ...]) -> Floats:
    """The places of rows of several dates, each among the rows of its own; shape (n, columns)."""
    found = np.zeros((len(rows), len(columns)))
    for here in rows.groupby("as_of").indices.values():
        part = rows.iloc[here]
        found[here] = Ranks.of_cohort(part, columns).places(part)
    return found
