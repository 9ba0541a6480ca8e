"""Losses to come, among customers who are not overdue yet: what the signals say before the orders stop.

"No order within 90 days" mostly finds out who has gone already or orders rarely. Here the label is the loss itself, as
far as orders tell it: on the day of the training the label-free model gives each customer's chance of having dropped
out after its last order, its rhythm allowed for. That chance, dated half a usual gap after that order, is the label: a
number from 0 to 1, without waiting until the silence is beyond doubt. It is learnt from comparisons with the
customer's own usual, its peers and its past only, so that neither size nor rhythm by itself can warn.
docs/experiments.md has what this was worth.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from features.snapshots import ELIGIBLE, drawn
from models.classifiers import RHYTHM
from models.contestants import MOST_RANKED, Training
from models.label_free import history
from models.levels import EARLY, queue_of
from models.logistic import ridge
from models.offsets import level_offsets
from models.ranks import Ranks, places_by_date

Floats = NDArray[np.float64]

#: In the middle of what a warning is good for: at least 60 days ahead, at most 180.
AHEAD_DAYS = 120
#: Whoever had probably dropped out by the snapshot teaches nothing about losses to come.
GONE = 0.3


@dataclass(frozen=True)
class EarlyTarget:
    """The label of a snapshot, from orders alone.

    Attributes
    ----------
    ahead_days
        A loss counts when it falls into so many days after the snapshot.
    gone
        Rows whose customer had dropped out by the snapshot with more than this chance have no label.
    """

    ahead_days: int = AHEAD_DAYS
    gone: float = GONE

    def label(self, rows: pd.DataFrame, book: pd.DataFrame, dropped_out: Floats) -> pd.Series:
        """Chance that the customer was lost in the days after the snapshot.

        Parameters
        ----------
        rows
            Snapshots: ``customer_id``, ``as_of``.
        book
            Every customer at the day of the training: ``customer_id``, ``as_of``, ``days_since_last_order``,
            ``gap_median_days_ever`` (unknown after one order: the median of the others).
        dropped_out
            Each customer of the book's chance of having dropped out after its last order, shape (customers,).

        Returns
        -------
        Series of float64
            On the index of `rows`; NaN where the days are not over on the day of the training, where the customer had
            probably dropped out before the snapshot, and where it is not in the book.
        """
        usual = book["gap_median_days_ever"]
        silent = book["days_since_last_order"] - (usual.fillna(usual.median()).fillna(0) / 2).round()
        lost_at = (book["as_of"] - pd.to_timedelta(silent, unit="D")).set_axis(book["customer_id"])
        chance = pd.Series(dropped_out, index=book["customer_id"])
        ahead = (rows["customer_id"].map(lost_at) - rows["as_of"]).dt.days
        p = rows["customer_id"].map(chance).astype("float64")
        label = p.where((ahead > 0) & (ahead <= self.ahead_days), 0.0)
        over = rows["as_of"] + pd.Timedelta(days=self.ahead_days) <= book["as_of"].max()
        return label.where(over & p.notna() & ~((ahead <= 0) & (p > self.gone)))


def change_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The features that compare a customer with its own usual, its past or its peers, in the order given."""
    return tuple(c for c in columns if c.endswith("_z") or any(part in c for part in ("_vs_", "_change", "_slope")))


@dataclass(frozen=True)
class Early:
    """Ridge logistic regression on the places of changes among the customers of a date who are not overdue.

    Attributes
    ----------
    target
        What is learnt.
    strength
        Inverse of the ridge penalty, as for :class:`models.logistic.Logistic`.
    min_losses, min_slices
        With fewer expected losses, or fewer dates whose days are over, nothing is learnt.
    """

    target: EarlyTarget = field(default_factory=EarlyTarget)
    strength: float = 0.0003
    min_losses: float = 75.0
    min_slices: int = 3

    def fit(self, training: Training) -> "FittedEarly | None":
        """Learn from what was known at a cutoff; None where that is too little.

        Parameters
        ----------
        training
            As for every contestant; its outcomes are not used.
        """
        book = training.book
        dropped_out = 1 - RHYTHM.fit(training).model.p_alive(*history(book))
        here = book[(book["cohort"] == ELIGIBLE) & (queue_of(book) == EARLY)]
        rows = training.rows[queue_of(training.rows) == EARLY]
        y = self.target.label(rows, book, dropped_out)
        rows = rows[y.notna()]
        rows = rows[drawn(rows["customer_id"], MOST_RANKED / max(len(rows), 1))]
        y = y.loc[rows.index]
        columns = change_columns(training.columns)
        if y.sum() < self.min_losses or rows["as_of"].nunique() < self.min_slices or here.empty or not columns:
            return None
        X = places_by_date(rows, columns)
        level = level_offsets(pd.Series(0.0, index=rows.index), y, rows["as_of"])
        line = ridge(X, y.to_numpy(), level, self.strength)
        whole = pd.Series(0, index=rows.index)
        intercept = level_offsets(pd.Series(X @ line, index=rows.index), y, whole)[0]
        return FittedEarly(Ranks.of_cohort(here, columns), tuple(map(float, line)), float(intercept))


@dataclass(frozen=True)
class FittedEarly:
    """What was learnt.

    Attributes
    ----------
    ranks
        Places among those not overdue at the training date.
    line
        One coefficient per column, in log-odds per standard deviation of the places.
    intercept
        The log-odds at which the mean chance is that of the labels learnt from.
    """

    ranks: Ranks
    line: tuple[float, ...]
    intercept: float

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads."""
        return self.ranks.columns

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of a loss in the target's days, shape (n,); meant for those not overdue."""
        return self.intercept + self.contributions(frame).sum(axis=1)

    def chances(self, frame: pd.DataFrame) -> Floats:
        """The same as a chance, shape (n,)."""
        return np.asarray(special.expit(self.margins(frame)), dtype="float64")

    def places(self, frame: pd.DataFrame) -> Floats:
        """The place of each row among those of its date who are not overdue, shape (n,): 1 the first to warn about.

        0 for the overdue. The level of the chances moves with every training, their order within a date does not, so
        dates are compared by it.
        """
        margin = pd.Series(self.margins(frame), index=frame.index).where(queue_of(frame) == EARLY)
        return np.asarray(margin.groupby(frame["as_of"]).rank(pct=True).fillna(0.0), dtype="float64")

    def contributions(self, frame: pd.DataFrame) -> Floats:
        """What each column adds to the intercept, shape (n, columns): 0 where a value is unknown."""
        return self.ranks.places(frame) * np.array(self.line)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        knots = [list(held) for held in self.ranks.knots]
        return {"columns": list(self.columns), "knots": knots, "line": list(self.line), "intercept": self.intercept}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FittedEarly":
        """The inverse of :meth:`to_dict`."""
        ranks = Ranks(tuple(values["columns"]), tuple(tuple(held) for held in values["knots"]))
        return cls(ranks, tuple(values["line"]), float(values["intercept"]))
