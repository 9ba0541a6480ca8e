"""Predictions as a matrix, and every figure of the standing table as sums over customers.

A resample draws customers with all their rows. It is therefore a vector that says how often each customer counts, and
a figure of a resample is a function of matrix products with that vector: no row is ever copied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from models.figures import (
    COLUMNS,
    FloatArray,
    IntArray,
    InvalidPredictions,
    auc_of_gains,
    average_precision_of_gains,
    calibration_line,
    calibration_lines,
    capacity_of_gains,
    checked,
    checked_capacity,
    clipped_logit,
    descending_groups,
    lift_of_gains,
    log_losses,
    mass_bins,
    mean_of_known,
    ratio,
)

RANKING = ("roc_auc", "average_precision", "top_decile_lift")
AT_CAPACITY = ("precision_at_capacity", "recall_at_capacity")
CALIBRATION = (
    "brier",
    "log_loss",
    "ece",
    "reliability",
    "resolution",
    "calibration_slope",
    "calibration_intercept",
    "calibration_in_the_large",
)
_LOGIT_GROUPS = 256
_CELLS = 1_000_000


@dataclass(frozen=True)
class Book:
    """Predictions as a matrix, contestants by rows, with the customer and the cutoff of every row."""

    contestants: list[str]
    score: FloatArray
    outcome: FloatArray
    customer: IntArray
    cutoffs: list[IntArray]
    calibrated: list[bool]
    capacity: int | None

    @property
    def n_customers(self) -> int:
        """Distinct customers."""
        return int(self.customer.max()) + 1

    @classmethod
    def read(cls, frame: pd.DataFrame, ranks_only: Collection[str], capacity: int | None) -> Book:
        """The rows of a frame with `COLUMNS`; contestants in order of appearance.

        Raises
        ------
        InvalidPredictions : values that cannot be judged, or contestants on other rows or outcomes.
        """
        score, outcome = checked(frame["probability"], frame["outcome"])
        codes, names = zip(*(pd.factorize(frame[column]) for column in COLUMNS[:3]), strict=True)
        order = np.lexsort((codes[1], codes[2], codes[0]))
        keys, shape = np.stack(codes)[:, order], (len(names[0]), -1)
        even = len(set(np.bincount(codes[0]))) == 1 if keys.min() >= 0 else False
        doubled = (np.diff(keys, axis=1) == 0).all(axis=0).any()
        blocks = [part.reshape(shape) for part in (keys[1], keys[2], outcome[order])] if even else []
        if not even or doubled or any((block != block[0]).any() for block in blocks):
            raise InvalidPredictions(
                "All need the same (customer_id, as_of) rows, each once, no key missing, outcomes alike; "
                f"found rows {frame['contestant'].value_counts().to_dict()}. Judge only what all scored."
            )
        who, when, truth = (block[0] for block in blocks)
        scores, contestants = score[order].reshape(shape), [str(name) for name in names[0]]
        calibrated = [
            name not in ranks_only and row.min() >= 0 and row.max() <= 1
            for name, row in zip(contestants, scores, strict=True)
        ]
        cutoffs = [np.flatnonzero(when == code) for code in range(len(names[2]))]
        size = None if capacity is None else checked_capacity(capacity)
        return cls(contestants, scores, truth, who, cutoffs, calibrated, size)

    def measure(
        self, repeats: int, rng: np.random.Generator
    ) -> tuple[list[dict[str, FloatArray]], list[dict[str, FloatArray]]]:
        """Per contestant every metric: of the sample (one value), and of the resamples (`repeats` values)."""
        rulers = [
            Ruler.build(self, row, calibrated) for row, calibrated in zip(self.score, self.calibrated, strict=True)
        ]
        point = [ruler.measure(np.ones((self.n_customers, 1))) for ruler in rulers]
        for figures, row, calibrated in zip(point, self.score, self.calibrated, strict=True):
            if calibrated:  # the resamples group the logits for speed, the figure itself does not
                line = calibration_line(row, self.outcome)
                exact = (line.slope, line.intercept, line.in_the_large)
                figures |= {name: np.array([x]) for name, x in zip(CALIBRATION[-3:], exact, strict=True)}
        parts = [[ruler.measure(counts) for ruler in rulers] for counts in self.resamples(repeats, rng)]
        draws = [
            {metric: np.concatenate([part[place][metric] for part in parts]) for metric in point[place]}
            for place in range(len(rulers))
        ]
        return point, draws

    def resamples(self, repeats: int, rng: np.random.Generator) -> Iterator[FloatArray]:
        """How often each customer is drawn, in pieces that fit in memory."""
        return resamples(self.n_customers, repeats, rng, widest=max(rows.size for rows in self.cutoffs))


@dataclass(frozen=True)
class Ruler:
    """All metrics of one contestant as sums over customers: a matrix times how often each customer counts."""

    by_cutoff: list[tuple[sparse.csr_array, sparse.csr_array]]
    pooled: dict[str, sparse.csr_array]
    logits: FloatArray
    capacity: int | None

    @classmethod
    def build(cls, book: Book, score: FloatArray, calibrated: bool) -> Ruler:
        """The sums of one contestant's scores; without the pooled ones where it is no probability."""
        y, customer, width = book.outcome, book.customer, book.n_customers
        by_cutoff = []
        for rows in book.cutoffs:
            group = descending_groups(score[rows])
            ones = np.ones(rows.size)
            by_cutoff.append((_sums(ones, group, customer[rows], width), _sums(y[rows], group, customer[rows], width)))
        if not calibrated:
            return cls(by_cutoff, {}, np.empty((0, 1)), book.capacity)
        ones, bins = np.ones(y.size), mass_bins(score)
        _, fine = np.unique(mass_bins(score, _LOGIT_GROUPS), return_inverse=True)
        losses = np.concatenate([(score - y) ** 2, log_losses(score, y)])
        which = np.repeat([0, 1], y.size)
        pooled = {
            "losses": _sums(losses, which, np.tile(customer, 2), width),
            "n": _sums(ones, bins, customer, width),
            "promised": _sums(score, bins, customer, width),
            "observed": _sums(y, bins, customer, width),
            "rows": _sums(ones, fine, customer, width),
            "hits": _sums(y, fine, customer, width),
        }
        logits = np.bincount(fine, weights=clipped_logit(score)) / np.bincount(fine)
        return cls(by_cutoff, pooled, logits[:, None], book.capacity)

    def measure(self, counts: FloatArray) -> dict[str, FloatArray]:
        """Every metric for each column of `counts`."""
        names = RANKING if self.capacity is None else RANKING + AT_CAPACITY
        each: dict[str, list[FloatArray]] = {name: [] for name in names}
        for rows_of, hits_of in self.by_cutoff:
            rows, hits = np.cumsum(rows_of @ counts, axis=0), np.cumsum(hits_of @ counts, axis=0)
            values = [auc_of_gains(rows, hits), average_precision_of_gains(rows, hits), lift_of_gains(rows, hits, 0.1)]
            if self.capacity is not None:
                values.extend(capacity_of_gains(rows, hits, self.capacity))
            for name, value in zip(names, values, strict=True):
                each[name].append(value)
        figures = {name: mean_of_known(np.stack(values)) for name, values in each.items()}
        if not self.pooled:
            return figures | {name: np.full(counts.shape[1], np.nan) for name in CALIBRATION}
        sums = {name: matrix @ counts for name, matrix in self.pooled.items()}
        n, base = sums["n"].sum(axis=0), sums["observed"].sum(axis=0) / sums["n"].sum(axis=0)
        gap, rate = sums["promised"] - sums["observed"], ratio(sums["observed"], sums["n"])
        values = [
            *(sums["losses"] / n),
            np.abs(gap).sum(axis=0) / n,
            np.nansum(ratio(gap**2, sums["n"]), axis=0) / n,
            np.nansum(sums["n"] * (rate - base) ** 2, axis=0) / n,
            *calibration_lines(self.logits, sums["rows"], sums["hits"]),
        ]
        return figures | dict(zip(CALIBRATION, values, strict=True))


def by_customer(predictions: pd.DataFrame) -> tuple[list[str], FloatArray, pd.DataFrame]:
    """Predictions in order of customer and date.

    Parameters
    ----------
    predictions
        One row per (contestant, customer_id, as_of) with `probability` (any score) and `outcome`.

    Returns
    -------
    list of str, ndarray, DataFrame
        The contestants; their scores, shape (contestants, rows); the rows of one of them.

    Raises
    ------
    InvalidPredictions : as :meth:`Book.read`, of contestants on other rows above all.
    """
    names = Book.read(predictions, (), None).contestants
    frame = predictions.assign(contestant=pd.Categorical(predictions["contestant"].astype("str"), names))
    frame = frame.sort_values(["contestant", "customer_id", "as_of"])
    score = frame["probability"].to_numpy(dtype=float).reshape(len(names), -1)
    return names, score, frame.iloc[: score.shape[1]]


def _sums(values: FloatArray, group: IntArray, customer: IntArray, width: int) -> sparse.csr_array:
    """Sum of `values` per group (rows) and customer (columns)."""
    table = sparse.coo_array((values, (group, customer)), shape=(int(group.max()) + 1, width)).tocsr()
    table.eliminate_zeros()
    return table


def resamples(customers: int, repeats: int, rng: np.random.Generator, *, widest: int = 0) -> Iterator[FloatArray]:
    """How often each customer is drawn: pieces of shape (customers, resamples), `repeats` resamples in all.

    A piece has so few resamples that a table of them with `widest` rows fits in memory.

    Raises
    ------
    InvalidPredictions : fewer than one resample.
    """
    if repeats < 1:
        raise InvalidPredictions(f"repeats must be at least 1; found {repeats}. 300 is usual.")
    piece = max(1, _CELLS // max(customers, widest))
    even = np.full(customers, 1 / customers)
    for start in range(0, repeats, piece):
        size = min(piece, repeats - start)
        yield np.ascontiguousarray(rng.multinomial(customers, even, size=size).T, dtype=float)
