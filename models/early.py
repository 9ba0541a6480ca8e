"""Losses to come, among customers who are not overdue yet: what the signals say before the orders stop.

"No order within 90 days" mostly finds out who has gone already or orders rarely. Here the label is the loss itself, as
far as orders tell it: on the day of the training the label-free model gives each customer's chance of having dropped
out after its last order, its rhythm allowed for. That chance, dated half a usual gap after that order, is the label: a
number from 0 to 1, without waiting until the silence is beyond doubt. It is learnt from comparisons with the
customer's own usual, its peers and its past only, so that neither size nor rhythm by itself can warn.
docs/experiments.md has what this was worth.

It orders the queue of those not overdue. The first places of it are marked where such places were right often enough
on the walk-forward; a mark that no place has earned is off, and its record says how often they were.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from features.snapshots import ELIGIBLE, drawn
from models.classifiers import RHYTHM
from models.contestants import MOST_RANKED, Training
from models.label_free import FittedLabelFree, history
from models.levels import EARLY, MIN_ROWS, Level, Levels, Promise, queue_of, solve
from models.logistic import ridge
from models.offsets import level_offsets
from models.ranks import Ranks, places_by_date

Floats = NDArray[np.float64]

#: In the middle of what a warning is good for: at least 60 days ahead, at most 180.
AHEAD_DAYS = 120
#: Whoever had probably dropped out by the snapshot teaches nothing about losses to come.
GONE = 0.3
#: What the mark is held to: one in five is lost in the target's days, and at most a tenth of the queue has it.
MARKED = Promise(0.2, 0.1)
_MARK = "early"


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

    def fit(self, training: Training, rhythm: FittedLabelFree | None = None) -> "FittedEarly | None":
        """Learn from what was known at a cutoff; None where that is too little.

        Parameters
        ----------
        training
            As for every contestant; its outcomes are not used.
        rhythm
            The label-free model of the cutoff, where it is fitted already.
        """
        book = training.book
        dropped_out = _dropped_out(training, rhythm)
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


def _dropped_out(training: Training, rhythm: FittedLabelFree | None) -> Floats:
    """Chance of each customer of the book to have dropped out after its last order."""
    model = (RHYTHM.fit(training) if rhythm is None else rhythm).model
    return np.asarray(1 - model.p_alive(*history(training.book)), dtype="float64")


def _no_mark(promise: Promise = MARKED) -> Level:
    return Level(_MARK, None, promise.precision, promise.largest_share)


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
    mark
        From which place on customers are marked, with the record of such places on the walk-forward: the share of
        their labels. Its threshold is None where it is off.
    """

    ranks: Ranks
    line: tuple[float, ...]
    intercept: float
    mark: Level = field(default_factory=_no_mark)

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
        learnt = {"columns": list(self.columns), "knots": knots, "line": list(self.line), "intercept": self.intercept}
        return learnt | {"mark": dict(vars(self.mark))}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FittedEarly":
        """The inverse of :meth:`to_dict`."""
        ranks = Ranks(tuple(values["columns"]), tuple(tuple(held) for held in values["knots"]))
        return cls(ranks, tuple(values["line"]), float(values["intercept"]), Level(**values["mark"]))


@dataclass(frozen=True)
class EarlyRecord:
    """Places given at earlier dates of a walk: ``customer_id``, ``as_of``, ``place``; None where there are none."""

    rows: pd.DataFrame | None = None

    def with_places(self, eligible: pd.DataFrame, early: FittedEarly | None) -> "EarlyRecord":
        """The record with the places of one more date, of those not overdue; as it is where nothing was learnt."""
        if early is None:
            return self
        here = eligible[["customer_id", "as_of"]].assign(place=early.places(eligible))
        here = here[here["place"] > 0]
        return EarlyRecord(here if self.rows is None else pd.concat([self.rows, here], ignore_index=True))

    def mark(self, training: Training, rhythm: FittedLabelFree, target: EarlyTarget, promise: Promise) -> Level:
        """The lowest place from which on such places kept the promise, by what is known at the cutoff of `training`.

        Where none did it is off, with the record of the first ``promise.largest_share`` of the queue.
        """
        if self.rows is None:
            return _no_mark(promise)
        label = target.label(self.rows, training.book, _dropped_out(training, rhythm))
        known = self.rows[["as_of", "place"]].assign(label=label).dropna()
        if len(known) < MIN_ROWS:
            return _no_mark(promise)
        rows = (known["place"], known["label"], known["as_of"])
        (mark,) = solve(*rows, {_MARK: promise}).levels
        if mark.threshold is not None:
            return mark
        (whole,) = solve(*rows, {_MARK: replace(promise, precision=0.0)}).levels
        return replace(whole, threshold=None, promised=promise.precision)


def learn(
    training: Training,
    rhythm: FittedLabelFree,
    record: EarlyRecord,
    promise: Promise = MARKED,
    learner: Early | None = None,
) -> FittedEarly | None:
    """What warns of losses to come at a cutoff, its mark solved on the places of earlier dates; None as for `fit`."""
    learner = Early() if learner is None else learner
    fitted = learner.fit(training, rhythm)
    return None if fitted is None else replace(fitted, mark=record.mark(training, rhythm, learner.target, promise))


def standing(
    early: FittedEarly | None, queue: pd.Series, probability: pd.Series, margin: pd.Series | None = None
) -> pd.DataFrame:
    """Who comes first in the queues of one date's cohort, on its index.

    Parameters
    ----------
    early
        The model's; None where it could learn nothing.
    queue, probability
        As :func:`models.levels.queue_of` and the champion say.
    margin
        ``early.margins`` of the same rows, which buckets of customers can tell apart from each other; not needed
        without `early`.

    Returns
    -------
    DataFrame
        ``queue_position`` (int64, 1 the first: the early queue by its places, the overdue one by probability, and both
        by probability without `early`), ``early_place`` (float64, 1 the first; NaN for the overdue) and ``early_mark``
        (boolean; missing for the overdue and where nothing is marked).
    """
    waiting = queue == EARLY
    place = pd.Series(np.nan, index=queue.index)
    marked = pd.Series(pd.NA, index=queue.index, dtype="boolean")
    if early is not None and margin is not None:
        place = margin.where(waiting).rank(pct=True)
        if early.mark.threshold is not None:
            marked[waiting] = Levels((early.mark,)).of(place[waiting]) == _MARK
    key = place.where(place.notna(), probability)
    order = pd.DataFrame({"queue": queue, "key": key, "probability": probability})
    order = order.sort_values(["key", "probability"], ascending=False, kind="stable")
    position = (order.groupby("queue").cumcount() + 1).reindex(queue.index)
    return pd.DataFrame({"queue_position": position, "early_place": place, "early_mark": marked})
