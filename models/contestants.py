"""The one shape of every contestant: fitted on what was known at a cutoff, it gives log-odds of no order for each
horizon.

Rules, label-free models and learners are contestants alike, so that they always stand in one table.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.labels import HORIZONS, no_order_within
from features.snapshots import drawn
from models.ranks import places_by_date

Floats = NDArray[np.float64]

#: Snapshots whose places are told at most; beyond it customers are drawn.
MOST_RANKED = 30_000


@dataclass(frozen=True)
class Training:
    """What may be learnt from at a cutoff.

    Attributes
    ----------
    rows
        Snapshots of eligible customers at earlier cutoffs: features, ``churn_window_days``, label-free log-odds, and
        the outcome columns ``days_to_next_order`` and ``observed_days`` as known at the cutoff.
    book
        Every customer with an order at the cutoff itself; no outcomes.
    columns
        Names of the features that carry a value.
    seed
        Seed of everything random.
    threads
        Threads that a learner may use.
    latency_days
        Days by which orders reach the books late; the outcome columns allow for them already.
    horizons
        Horizons to learn; the others are left to the label-free model.
    """

    rows: pd.DataFrame
    book: pd.DataFrame
    columns: tuple[str, ...]
    seed: int = 0
    threads: int = 2
    latency_days: int = 0
    horizons: tuple[int, ...] = HORIZONS

    @cached_property
    def ranked(self) -> tuple[pd.DataFrame, Floats]:
        """The rows, at most :data:`MOST_RANKED` of drawn customers, and their places among the rows of their date.

        Shape of the places: (rows, columns).
        """
        rows = self.rows[drawn(self.rows["customer_id"], MOST_RANKED / max(len(self.rows), 1))]
        return rows, places_by_date(rows, self.columns)

    def matured(self, days: int) -> tuple[pd.DataFrame, pd.Series]:
        """The rows whose outcome for `days` was known at the cutoff, and that outcome (1.0 = no order)."""
        outcome = no_order_within(self.rows, days)
        known = outcome.notna()
        return self.rows[known], outcome[known]


class Fitted(Protocol):
    """A contestant that has learnt."""

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of no order within each horizon, shape (rows of `frame`, horizons)."""
        ...


class Contestant(Protocol):
    """A way of telling who will not order again."""

    @property
    def name(self) -> str:
        """As printed in tables."""
        ...

    def fit(self, training: Training) -> Fitted:
        """Learn from what was known at a cutoff."""
        ...


def enough(outcome: pd.Series, *, minority: int) -> bool:
    """Whether there are at least `minority` rows of both outcomes."""
    positives = int(outcome.sum())
    return min(positives, len(outcome) - positives) >= minority
