"""The standing table: every contestant on the same rows, each figure with its interval over customers.

Intervals are 95 %, from a bootstrap that draws customers with all their rows, as neighbouring cutoffs
of one customer are nearly the same observation. Ranking is measured per cutoff and averaged over the
cutoffs that have both outcomes; calibration is pooled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from models.figures import (
    BINS,
    CLIP,
    COLUMNS,
    CalibrationLine,
    FloatArray,
    IntArray,
    InvalidPredictions,
    Murphy,
    auc_of_gains,
    average_precision,
    average_precision_of_gains,
    brier,
    calibration_line,
    calibration_lines,
    capacity_of_gains,
    checked,
    checked_capacity,
    clipped_logit,
    complete,
    decile_table,
    descending_groups,
    ece,
    lift_at,
    lift_of_gains,
    log_loss,
    log_losses,
    mass_bins,
    mean_of_known,
    murphy,
    precision_at,
    ratio,
    recall_at,
    reliability_bins,
    roc_auc,
    top_decile_lift,
    wilson,
)
from models.plots import lift_plot, reliability_plot

__all__ = [
    "AT_CAPACITY",
    "BINS",
    "CALIBRATION",
    "CLIP",
    "COLUMNS",
    "RANKING",
    "CalibrationLine",
    "Difference",
    "InvalidPredictions",
    "Murphy",
    "average_precision",
    "brier",
    "calibration_line",
    "decile_table",
    "difference",
    "ece",
    "lift_at",
    "lift_plot",
    "log_loss",
    "mass_bins",
    "murphy",
    "precision_at",
    "recall_at",
    "reliability_bins",
    "reliability_plot",
    "roc_auc",
    "standing_table",
    "top_decile_lift",
    "wilson",
]

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
# Noise inflates these, and a resample has twice the noise of the sample: see _interval.
_NOISY = frozenset({"ece", "reliability", "resolution"})
_LOGIT_GROUPS = 256
_CELLS = 1_000_000


@dataclass(frozen=True)
class Difference:
    """How much higher contestant `a` measures than `b` on the same rows, with its paired 95 % interval."""

    a: str
    b: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    n_customers: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


def standing_table(
    predictions: pd.DataFrame,
    *,
    repeats: int = 300,
    capacity: int | None = None,
    ranks_only: Collection[str] = (),
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One row per contestant, in order of appearance, all judged on the same rows.

    Parameters
    ----------
    predictions : one row per (contestant, customer_id, as_of) with `probability` and `outcome` (0 or 1); each
        contestant has the same rows. One that is named in `ranks_only`, or that has a value outside 0 to 1
        (days since the last order), is a score, not a probability: its calibration figures are NaN.
    repeats : resamples of customers behind the intervals; the same ones for all contestants.
    capacity : alerts that can be worked on per cutoff; adds precision_at_capacity and recall_at_capacity.

    Returns
    -------
    contestant, n (rows), n_customers, n_cutoffs, base_rate (pooled), then per metric `m` of `RANKING`,
    `AT_CAPACITY` and `CALIBRATION` the columns `m`, `m_low`, `m_high`. Noise inflates ECE and the parts of
    the Brier score; their intervals aim at the value without noise, and so reach further down than up.

    Raises
    ------
    InvalidPredictions : missing columns or values, or contestants that were not all judged on the same rows.
    """
    book = _Book.read(complete(predictions), ranks_only, capacity)
    point, draws = book.measure(repeats, rng)
    rows = []
    for place, contestant in enumerate(book.contestants):
        row: dict[str, Any] = {
            "contestant": contestant,
            "n": book.outcome.size,
            "n_customers": book.n_customers,
            "n_cutoffs": len(book.cutoffs),
            "base_rate": float(book.outcome.mean()),
        }
        for metric in point[place]:
            value = float(point[place][metric][0])
            low, high = _interval(metric, value, draws[place][metric])
            low = max(low, 0.0) if metric in _NOISY else low
            row |= {metric: value, f"{metric}_low": low, f"{metric}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def difference(
    predictions: pd.DataFrame,
    a: str,
    b: str,
    metric: str,
    *,
    repeats: int = 300,
    capacity: int | None = None,
    ranks_only: Collection[str] = (),
    rng: np.random.Generator,
) -> Difference:
    """`metric` of contestant `a` minus that of `b`, resampled together; arguments as for `standing_table`."""
    known = complete(predictions)["contestant"]
    missing = [name for name in (a, b) if name not in set(known)]
    if missing:
        raise InvalidPredictions(f"No predictions of {missing}; the contestants are {list(known.unique())}.")
    book = _Book.read(predictions[known.isin([a, b])], ranks_only, capacity)
    point, draws = book.measure(repeats, rng)
    if metric not in point[0]:
        raise InvalidPredictions(f"Expected one of the metrics {list(point[0])}; found {metric!r}.")
    first, second = book.contestants.index(a), book.contestants.index(b)
    value = float(point[first][metric][0] - point[second][metric][0])
    low, high = _interval(metric, value, draws[first][metric] - draws[second][metric], paired=True)
    return Difference(a, b, metric, value, low, high, book.outcome.size, book.n_customers)


@dataclass(frozen=True)
class _Book:
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
        return int(self.customer.max()) + 1

    @classmethod
    def read(cls, frame: pd.DataFrame, ranks_only: Collection[str], capacity: int | None) -> _Book:
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
            _Ruler.build(self, row, calibrated) for row, calibrated in zip(self.score, self.calibrated, strict=True)
        ]
        point = [ruler.measure(np.ones((self.n_customers, 1))) for ruler in rulers]
        for figures, row, calibrated in zip(point, self.score, self.calibrated, strict=True):
            if calibrated:  # the resamples group the logits for speed, the figure itself does not
                line = calibration_line(row, self.outcome)
                exact = (line.slope, line.intercept, line.in_the_large)
                figures |= {name: np.array([x]) for name, x in zip(CALIBRATION[-3:], exact, strict=True)}
        parts = [[ruler.measure(counts) for ruler in rulers] for counts in self._resamples(repeats, rng)]
        draws = [
            {metric: np.concatenate([part[place][metric] for part in parts]) for metric in point[place]}
            for place in range(len(rulers))
        ]
        return point, draws

    def _resamples(self, repeats: int, rng: np.random.Generator) -> Iterator[FloatArray]:
        """How often each customer is drawn, customers by resamples, in pieces that fit in memory."""
        if repeats < 1:
            raise InvalidPredictions(f"repeats must be at least 1; found {repeats}. 300 is usual.")
        piece = max(1, _CELLS // max(self.n_customers, *(rows.size for rows in self.cutoffs)))
        even = np.full(self.n_customers, 1 / self.n_customers)
        for start in range(0, repeats, piece):
            size = min(piece, repeats - start)
            yield np.ascontiguousarray(rng.multinomial(self.n_customers, even, size=size).T, dtype=float)


@dataclass(frozen=True)
class _Ruler:
    """All metrics of one contestant as sums over customers: a matrix times how often each customer counts."""

    by_cutoff: list[tuple[sparse.csr_array, sparse.csr_array]]
    pooled: dict[str, sparse.csr_array]
    logits: FloatArray
    capacity: int | None

    @classmethod
    def build(cls, book: _Book, score: FloatArray, calibrated: bool) -> _Ruler:
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


def _sums(values: FloatArray, group: IntArray, customer: IntArray, width: int) -> sparse.csr_array:
    """Sum of `values` per group (rows) and customer (columns)."""
    table = sparse.coo_array((values, (group, customer)), shape=(int(group.max()) + 1, width)).tocsr()
    table.eliminate_zeros()
    return table


def _interval(metric: str, value: float, draws: FloatArray, *, paired: bool = False) -> tuple[float, float]:
    """The middle 95 % of the resamples that have the metric at all.

    Where noise inflates the metric, resamples lie above the sample as the sample lies above the truth. So
    they are mirrored at the figure (the ECE, unless it is a difference, in squares, where noise adds up), and
    the interval is widened to hold the figure.
    """
    known = draws[np.isfinite(draws)]
    if known.size == 0 or not np.isfinite(value):
        return np.nan, np.nan
    low, high = (float(end) for end in np.quantile(known, [0.025, 0.975]))
    if metric not in _NOISY:
        return low, high
    shift = value - float(known.mean())
    if metric == "ece" and not paired:
        below, above = (max(2 * value**2 - end**2, 0.0) ** 0.5 for end in (high, low))
    else:
        below, above = 2 * value - high, 2 * value - low
    return min(below, low + shift), max(above, high + shift)
