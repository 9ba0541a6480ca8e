"""The standing table: every contestant on the same rows, each figure with its interval over customers.

Intervals are 95 %, from a bootstrap that draws customers with all their rows, as neighbouring cutoffs
of one customer are nearly the same observation. Ranking is measured per cutoff and averaged over the
cutoffs that have both outcomes; calibration is pooled.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.book import AT_CAPACITY, CALIBRATION, RANKING, Book
from models.figures import (
    BINS,
    CLIP,
    COLUMNS,
    CalibrationLine,
    FloatArray,
    InvalidPredictions,
    Murphy,
    average_precision,
    brier,
    calibration_line,
    complete,
    decile_table,
    ece,
    lift_at,
    log_loss,
    mass_bins,
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
    "SHAREABLE",
    "SKILL",
    "CalibrationLine",
    "Difference",
    "InvalidPredictions",
    "Murphy",
    "achievable_share",
    "average_precision",
    "brier",
    "calibration_line",
    "decile_table",
    "difference",
    "differences",
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

# Noise inflates these, and a resample has twice the noise of the sample: see _interval.
_NOISY = frozenset({"ece", "reliability", "resolution"})
#: What the share of achievable skill is given for.
SKILL = ("roc_auc", "log_loss", "brier")
#: What it can be given for: the higher, or the lower, the better.
SHAREABLE = (*RANKING, "brier", "log_loss", "ece")
# Above this share of resamples in which the ceiling is no better than the floor there is nothing to achieve.
_NOTHING_TO_ACHIEVE = 0.025


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
    book = Book.read(complete(predictions), ranks_only, capacity)
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
    return differences(
        predictions, [(a, b)], [metric], repeats=repeats, capacity=capacity, ranks_only=ranks_only, rng=rng
    )[0]


def differences(
    predictions: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    metrics: Sequence[str],
    *,
    repeats: int = 300,
    capacity: int | None = None,
    ranks_only: Collection[str] = (),
    rng: np.random.Generator,
) -> list[Difference]:
    """`difference` of each pair in each metric, pair by pair, all on the same resamples."""
    known = complete(predictions)["contestant"]
    named = {name for pair in pairs for name in pair}
    missing = sorted(named - set(known))
    if missing:
        raise InvalidPredictions(f"No predictions of {missing}; the contestants are {list(known.unique())}.")
    book = Book.read(predictions[known.isin(named)], ranks_only, capacity)
    point, draws = book.measure(repeats, rng)
    strange = [metric for metric in metrics if metric not in point[0]]
    if strange:
        raise InvalidPredictions(f"Expected one of the metrics {list(point[0])}; found {strange[0]!r}.")
    found = []
    for a, b in pairs:
        first, second = book.contestants.index(a), book.contestants.index(b)
        for metric in metrics:
            value = float(point[first][metric][0] - point[second][metric][0])
            low, high = _interval(metric, value, draws[first][metric] - draws[second][metric], paired=True)
            found.append(Difference(a, b, metric, value, low, high, book.outcome.size, book.n_customers))
    return found


def achievable_share(
    predictions: pd.DataFrame,
    *,
    floor: str,
    ceiling: str,
    metrics: Sequence[str] = SKILL,
    repeats: int = 300,
    ranks_only: Collection[str] = (),
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The part of the way from `floor` to `ceiling` that each contestant goes: (it - floor) / (ceiling - floor).

    Parameters
    ----------
    predictions, repeats, ranks_only : as for `standing_table`.
    floor, ceiling : contestants: a rule that everybody has, and the best that could be known. 0 is as good as the
        floor, 1 as the ceiling; both bounds can be passed.
    metrics : of `SHAREABLE`, those of which the highest or the lowest value is the best.

    Returns
    -------
    contestant (all but floor and ceiling), then per metric `m` the columns `m`, `m_low`, `m_high`: 95 %, all three
    contestants on the same resamples. NaN where one of the three is no probability, and where the ceiling is not
    surely better than the floor (in more than 2.5 % of the resamples it is not): then there is nothing to share.

    Raises
    ------
    InvalidPredictions : floor or ceiling is not among the contestants, or a metric that has no best end; and as for
        `standing_table`.
    """
    strange = [name for name in metrics if name not in SHAREABLE]
    if strange:
        raise InvalidPredictions(f"Expected metrics among {list(SHAREABLE)}; found {strange}. Leave them out.")
    book = Book.read(complete(predictions), ranks_only, None)
    missing = [name for name in (floor, ceiling) if name not in book.contestants]
    if missing:
        raise InvalidPredictions(f"No predictions of {missing}; the contestants are {book.contestants}.")
    point, draws = book.measure(repeats, rng)
    bounds = [book.contestants.index(name) for name in (floor, ceiling)]
    rows = []
    for place, contestant in enumerate(book.contestants):
        if place not in bounds:
            parts = [_part_of_way(metric, place, bounds, point, draws) for metric in metrics]
            rows.append({"contestant": contestant} | {name: value for part in parts for name, value in part.items()})
    return pd.DataFrame(rows)


def _part_of_way(
    metric: str,
    place: int,
    bounds: list[int],
    point: list[dict[str, FloatArray]],
    draws: list[dict[str, FloatArray]],
) -> dict[str, float]:
    """The share with its interval; NaN where the ceiling is not surely better than the floor."""
    value, low, high = np.nan, np.nan, np.nan
    sign = 1.0 if metric in RANKING else -1.0
    gap = sign * (draws[bounds[1]][metric] - draws[bounds[0]][metric])
    if np.mean(~(gap > 0)) <= _NOTHING_TO_ACHIEVE:
        whole, resampled = (
            ratio(of[place][metric] - of[bounds[0]][metric], of[bounds[1]][metric] - of[bounds[0]][metric])
            for of in (point, draws)
        )
        value = float(whole[0])
        low, high = _interval(metric, value, resampled)
    return {metric: value, f"{metric}_low": low, f"{metric}_high": high}


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
