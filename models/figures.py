"""The figures that judge predictions: how well they rank, and whether their probabilities keep their promise.

Rows are (customer, cutoff) pairs; `outcome` is 1 where the customer churned. Conventions, everywhere:

- **Ties** share their average. Rows of equal score form one group; where a cut (a decile, a capacity) falls
  inside a group, the part that is taken counts at the group's own rate. The order of rows never matters.
- **Bins of equal mass** place a row by its mid-rank, so rows of equal probability always share a bin: a
  constant prediction fills one, and bins are equal only as far as ties allow.
- **One-class outcomes** make ranking figures and calibration lines NaN: there is nothing to rank.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit, ndtri

from features.errors import KizashiError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

COLUMNS = ("contestant", "customer_id", "as_of", "probability", "outcome")
BINS = 15
# Log loss and logits see probabilities from this to one minus this: a sure mistake costs 13.8, not infinity.
CLIP = 1e-6
_NEWTON_STEPS = 40


class InvalidPredictions(KizashiError, ValueError):
    """Predictions that cannot be judged: missing values, other lengths, other rows, no probabilities."""


# Ranking


def roc_auc(score: npt.ArrayLike, outcome: npt.ArrayLike) -> float:
    """Chance that a churned row scores above one that stayed, ties one half; NaN for one class."""
    return float(auc_of_gains(*gains_of(score, outcome))[0])


def average_precision(score: npt.ArrayLike, outcome: npt.ArrayLike) -> float:
    """Precision averaged over the churned rows, from the top; its chance level is the base rate.

    Ties enter together, as in scikit-learn. NaN for one class.
    """
    return float(average_precision_of_gains(*gains_of(score, outcome))[0])


def lift_at(score: npt.ArrayLike, outcome: npt.ArrayLike, share: float) -> float:
    """Churn rate in the top `share` (0 to 1) of the rows over the base rate; NaN for one class."""
    if not 0 < share <= 1:
        raise InvalidPredictions(f"share must be above 0 and at most 1; found {share}. A tenth is 0.1.")
    return float(lift_of_gains(*gains_of(score, outcome), share)[0])


def top_decile_lift(score: npt.ArrayLike, outcome: npt.ArrayLike) -> float:
    """`lift_at` a tenth of the rows."""
    return lift_at(score, outcome, 0.1)


def precision_at(score: npt.ArrayLike, outcome: npt.ArrayLike, n: int) -> float:
    """Share that churned of the `n` highest scores (of all rows where there are fewer); NaN for one class."""
    return float(capacity_of_gains(*gains_of(score, outcome), checked_capacity(n))[0][0])


def recall_at(score: npt.ArrayLike, outcome: npt.ArrayLike, n: int) -> float:
    """Share of all churned rows that is among the `n` highest scores; NaN for one class."""
    return float(capacity_of_gains(*gains_of(score, outcome), checked_capacity(n))[1][0])


def decile_table(probability: npt.ArrayLike, outcome: npt.ArrayLike) -> pd.DataFrame:
    """Ten rows from the most at risk (decile 1) down, ties averaged over the deciles that they straddle.

    Columns: decile, n (may be fractional), mean_probability, outcome_rate, lift, captured_share (of all
    churned rows, in this decile and those above).
    """
    p, y = checked(probability, outcome, probabilities=True)
    rows, hits = gains_of(p, y)
    _, expected = _accumulated(p, p)
    cuts = np.linspace(0, p.size, 11)
    taken = [_hits_in_top(rows, hits, np.array([cut]))[0] for cut in cuts]
    mass = [_hits_in_top(rows, expected, np.array([cut]))[0] for cut in cuts]
    n, rate = p.size / 10, np.diff(taken) / (p.size / 10)
    return pd.DataFrame(
        {
            "decile": np.arange(1, 11),
            "n": n,
            "mean_probability": np.diff(mass) / n,
            "outcome_rate": rate,
            "lift": ratio(rate, np.full(10, y.mean())),
            "captured_share": ratio(np.array(taken[1:]), np.full(10, y.sum())),
        }
    )


# Calibration


@dataclass(frozen=True)
class Murphy:
    """The Brier score taken apart: `reliability - resolution + uncertainty + within`, exactly.

    `reliability` (0 is best) is the squared gap between promised and observed rate over bins of equal mass,
    `resolution` how far the bins' rates differ from the base rate, `uncertainty` the base rate's own
    variance, `within` what varies inside the bins (0 where the probabilities of a bin are equal). Murphy
    (1973), Journal of Applied Meteorology 12; the last term: Stephenson, Coelho & Jolliffe (2008), Weather
    and Forecasting 23.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within: float


@dataclass(frozen=True)
class CalibrationLine:
    """Logistic regression of the outcome on the logit of the probability: slope 1 and intercept 0 are ideal.

    A slope below 1 says that the probabilities are too extreme. `in_the_large` is the intercept where the
    slope is held at 1: above 0 where too little churn was promised. NaN where the outcomes do not say.
    Cox (1958), Biometrika 45.
    """

    slope: float
    intercept: float
    in_the_large: float


def brier(probability: npt.ArrayLike, outcome: npt.ArrayLike) -> float:
    """Mean squared difference of probability and outcome; 0 is best, .25 a constant one half."""
    p, y = checked(probability, outcome, probabilities=True)
    return float(np.mean((p - y) ** 2))


def log_loss(probability: npt.ArrayLike, outcome: npt.ArrayLike) -> float:
    """Mean negative log likelihood, probabilities clipped to [1e-6, 1 - 1e-6]; 0 is best."""
    return float(np.mean(log_losses(*checked(probability, outcome, probabilities=True))))


def mass_bins(probability: npt.ArrayLike, bins: int = BINS) -> IntArray:
    """The bin (0 to `bins` - 1) of every row by its mid-rank; rows of equal probability share one."""
    _, group, counts = np.unique(np.asarray(probability), return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2)[group]
    return np.minimum(middle * bins / middle.size, bins - 1).astype(np.int64)


def ece(probability: npt.ArrayLike, outcome: npt.ArrayLike, bins: int = BINS) -> float:
    """Expected calibration error: gap between promised and observed rate, averaged over bins of equal mass.

    In 0 to 1, 0 is best; even a perfect forecast has about `sqrt(2 bins p (1 - p) / (pi n))`.
    """
    table = reliability_bins(probability, outcome, bins)
    return float(np.average((table.mean_probability - table.observed).abs(), weights=table.n))


def murphy(probability: npt.ArrayLike, outcome: npt.ArrayLike, bins: int = BINS) -> Murphy:
    """The Brier score's parts over bins of equal mass."""
    table, y = reliability_bins(probability, outcome, bins), np.asarray(outcome, dtype=float)
    base = float(y.mean())
    reliability = float(np.average((table.mean_probability - table.observed) ** 2, weights=table.n))
    resolution = float(np.average((table.observed - base) ** 2, weights=table.n))
    uncertainty = base * (1 - base)
    within = brier(probability, y) - (reliability - resolution + uncertainty)
    return Murphy(reliability, resolution, uncertainty, within)


def calibration_line(probability: npt.ArrayLike, outcome: npt.ArrayLike) -> CalibrationLine:
    """Slope and intercept of the outcome on the logit of the probability (clipped as in `log_loss`)."""
    p, y = checked(probability, outcome, probabilities=True)
    values, group = np.unique(p, return_inverse=True)
    slope, intercept, large = calibration_lines(clipped_logit(values)[:, None], *_grouped(group, y))
    return CalibrationLine(float(slope[0]), float(intercept[0]), float(large[0]))


def reliability_bins(probability: npt.ArrayLike, outcome: npt.ArrayLike, bins: int = BINS) -> pd.DataFrame:
    """One row per bin of equal mass that has rows: bin, n, mean_probability, observed, low, high.

    `low` and `high` are the Wilson interval of the observed rate, rows taken as independent.
    """
    p, y = checked(probability, outcome, probabilities=True)
    frame = pd.DataFrame({"bin": mass_bins(p, bins), "probability": p, "outcome": y})
    grouped = frame.groupby("bin")
    n = grouped.size()
    low, high = wilson(grouped.outcome.sum().to_numpy(), n.to_numpy())
    table = {"n": n, "mean_probability": grouped.probability.mean(), "observed": grouped.outcome.mean()}
    return pd.DataFrame(table | {"low": low, "high": high}).reset_index()


def wilson(hits: npt.ArrayLike, n: npt.ArrayLike, confidence: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Bounds of a share of `hits` in `n`, shape of the inputs; NaN where `n` is 0. Wilson (1927), JASA 22."""
    count, total = np.asarray(hits, dtype=float), np.asarray(n, dtype=float)
    z2 = float(ndtri(0.5 + confidence / 2)) ** 2
    share = ratio(count, total)
    middle = (share * total + z2 / 2) / (total + z2)
    half = np.sqrt(z2) / (total + z2) * np.sqrt(share * (1 - share) * total + z2 / 4)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


# What the figures are made of


def checked(
    score: npt.ArrayLike, outcome: npt.ArrayLike, *, probabilities: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Both columns as floats, or InvalidPredictions with what is wrong and where."""
    try:
        s, y = np.asarray(score, dtype=float), np.asarray(outcome, dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidPredictions(f"Expected two columns of numbers; found others: {error}.") from error
    if s.ndim != 1 or s.shape != y.shape or s.size == 0:
        raise InvalidPredictions(
            f"Expected two columns of one length with at least one row; found shapes {s.shape} and {y.shape}."
        )
    checks = [
        ("Scores must be finite numbers", ~np.isfinite(s), s, "Fill or drop the rows that were not scored."),
        ("Outcomes must be 0 or 1", ~np.isin(y, (0, 1)), y, "Drop the rows whose horizon has not matured."),
    ]
    if probabilities:
        checks.append(("Probabilities must lie in 0 to 1", (s < 0) | (s > 1), s, "Calibrate the score first."))
    for expected, wrong, values, mend in checks:
        if wrong.any():
            place = int(np.flatnonzero(wrong)[0])
            raise InvalidPredictions(
                f"{expected}; {int(wrong.sum())} of {s.size} are not, first {values[place]} at position {place}. {mend}"
            )
    return s, y


def complete(predictions: pd.DataFrame) -> pd.DataFrame:
    """The frame itself, or InvalidPredictions where columns are missing or there is no row."""
    absent = [column for column in COLUMNS if column not in predictions]
    if absent or predictions.empty:
        raise InvalidPredictions(
            f"Predictions need the columns {list(COLUMNS)} and at least one row; found the columns "
            f"{list(predictions)} and {len(predictions)} rows."
        )
    return predictions


def checked_capacity(n: int) -> int:
    """The number of alerts as it is, or InvalidPredictions below 1."""
    if n < 1:
        raise InvalidPredictions(f"The capacity must be at least one customer; found {n}.")
    return int(n)


def descending_groups(score: FloatArray) -> IntArray:
    """The group of ties of every row, 0 for the highest score."""
    return np.unique(-score, return_inverse=True)[1]


def _grouped(group: IntArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Number of rows and sum of values per group: (groups, 1) each."""
    rows, sums = np.bincount(group).astype(float), np.bincount(group, weights=values).astype(float)
    return rows[:, None], sums[:, None]


def _accumulated(score: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rows and values from the top down to the end of each group of ties: (groups, 1) each."""
    rows, sums = _grouped(descending_groups(score), values)
    return np.cumsum(rows, axis=0), np.cumsum(sums, axis=0)


def gains_of(score: npt.ArrayLike, outcome: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Rows and churned rows from the top down to the end of each group of ties: (groups, 1) each."""
    return _accumulated(*checked(score, outcome))


def ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """The quotient, NaN where it divides by zero."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below != 0)


def _where_two_classes(values: FloatArray, rows: FloatArray, hits: FloatArray) -> FloatArray:
    return np.where((hits[-1] > 0) & (hits[-1] < rows[-1]), values, np.nan)


# Below, `rows` and `hits` are cumulated from the top over groups of ties (axis 0), one column per resample.


def auc_of_gains(rows: FloatArray, hits: FloatArray) -> FloatArray:
    """ROC AUC of every column."""
    step, misses = np.diff(hits, axis=0, prepend=0.0), np.diff(rows - hits, axis=0, prepend=0.0)
    pairs = (misses * (hits - step / 2)).sum(axis=0)
    return ratio(pairs, hits[-1] * (rows[-1] - hits[-1]))


def average_precision_of_gains(rows: FloatArray, hits: FloatArray) -> FloatArray:
    """Average precision of every column."""
    step = np.diff(hits, axis=0, prepend=0.0)
    total = (step * hits / np.maximum(rows, 1.0)).sum(axis=0)
    return _where_two_classes(ratio(total, hits[-1]), rows, hits)


def _hits_in_top(rows: FloatArray, hits: FloatArray, mass: FloatArray) -> FloatArray:
    """Hits among the first `mass` rows; the group of ties that is cut counts at its own rate."""
    place, column = np.minimum((rows < mass).sum(axis=0), len(rows) - 1), np.arange(rows.shape[1])
    n_before = np.where(place > 0, rows[place - 1, column], 0.0)
    hits_before = np.where(place > 0, hits[place - 1, column], 0.0)
    part = (mass - n_before) / np.maximum(rows[place, column] - n_before, 1.0)
    return hits_before + part * (hits[place, column] - hits_before)


def lift_of_gains(rows: FloatArray, hits: FloatArray, share: float) -> FloatArray:
    """Lift of every column in its first `share` of rows."""
    taken = share * rows[-1]
    lift = ratio(_hits_in_top(rows, hits, taken) * rows[-1], taken * hits[-1])
    return _where_two_classes(lift, rows, hits)


def capacity_of_gains(rows: FloatArray, hits: FloatArray, capacity: int) -> tuple[FloatArray, FloatArray]:
    """Precision and recall of the first `capacity` rows."""
    taken = np.minimum(float(capacity), rows[-1])
    found = _hits_in_top(rows, hits, taken)
    precision, recall = ratio(found, taken), ratio(found, hits[-1])
    return _where_two_classes(precision, rows, hits), _where_two_classes(recall, rows, hits)


def mean_of_known(values: FloatArray) -> FloatArray:
    """Mean over the first axis of what is not NaN; NaN where nothing is known."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0).astype(float))


def log_losses(p: FloatArray, y: FloatArray) -> FloatArray:
    """Log loss of every row, clipped."""
    clipped = np.clip(p, CLIP, 1 - CLIP)
    return -(y * np.log(clipped) + (1 - y) * np.log1p(-clipped))


def clipped_logit(p: FloatArray) -> FloatArray:
    """Log-odds of probabilities clipped to [CLIP, 1 - CLIP]."""
    return logit(np.clip(p, CLIP, 1 - CLIP))


def calibration_lines(
    logits: FloatArray, rows: FloatArray, hits: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Slope, intercept and intercept at slope 1 by Newton's method; `logits` is (groups, 1)."""
    # Centred, slope and level hardly depend on each other.
    centre = float(np.average(logits, weights=rows.mean(axis=1, keepdims=True)))
    x, ones = logits - centre, np.ones_like(rows[0])
    slope, level, large = ones, ones * centre, ones * 0.0
    for _ in range(_NEWTON_STEPS):
        p = expit(level + slope * x)
        miss, weight = hits - rows * p, rows * p * (1 - p)
        g0, g1 = miss.sum(axis=0), (x * miss).sum(axis=0)
        h0, h1, h2 = weight.sum(axis=0), (x * weight).sum(axis=0), (x * x * weight).sum(axis=0)
        # One probability only, or classes that a threshold separates: no line is determined.
        determinant = np.where(h0 * h2 - h1**2 > 1e-12 * h0**2, h0 * h2 - h1**2, 0.0)
        line = np.stack([ratio(h0 * g1 - h1 * g0, determinant), ratio(h2 * g0 - h1 * g1, determinant)])
        line = line / np.maximum(np.abs(line).max(axis=0), 1.0)
        slope, level = slope + line[0], level + line[1]
        q = expit(logits + large)
        shift = ratio((hits - rows * q).sum(axis=0), (rows * q * (1 - q)).sum(axis=0))
        shift = np.clip(shift, -1.0, 1.0)
        large = large + shift
        if not ((np.abs(line) > 1e-9).any() or (np.abs(shift) > 1e-9).any()):
            break
    found, settled = np.abs(line).max(axis=0) < 1e-6, np.abs(shift) < 1e-6
    intercept = np.where(found, level - slope * centre, np.nan)
    return np.where(found, slope, np.nan), intercept, np.where(settled, large, np.nan)
