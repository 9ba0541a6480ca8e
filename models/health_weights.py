"""Weights of the health score that a company's own losses taught, pulled towards those of its profile.

What is fitted is the very score that people see: the log-odds of a loss rise with what is missing to full health, and
the weights are those with which it tells best who was lost. Each is 0 or more and they sum to 100; a date has a level
of its own, so that a bad month for everybody teaches nothing. A dimension that nobody has keeps its weight.

A handful of losses says little, so the profile counts as if it had been learned from losses of its own::

    new = (lost * fitted + PROFILE_LOSSES * profile) / (lost + PROFILE_LOSSES)

with `lost` the number of customers lost, each once however many dates saw it coming. At a hundred losses the two count
alike. What it is worth is measured out of time: weights learned from what had matured before the newest dates are tried
on those dates, beside the profile's, on the same customers.
"""

from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from features.errors import SettingsError
from features.labels import churned, matures_on
from models.evaluation import Difference, differences, standing_table
from models.health import DEFAULT_WEIGHTS, WHOLE, Shares, mean_known

Floats = NDArray[np.float64]
Why = Literal["learned", "too few losses", "health tells nothing", "worse out of time"]

#: How many lost customers the profile counts as.
PROFILE_LOSSES = 100
#: With fewer lost customers, or kept ones, there is nothing to learn.
MIN_LOSSES = 30
#: A dimension known of a smaller share of the rows keeps its weight.
MIN_KNOWN_SHARE = 0.05
#: The newest share of the dates on which the weights are tried.
TRIED_SHARE = 1 / 3
#: Keeps the mean of a row defined whatever dimensions it has.
_LEAST = 1e-6


@dataclass(frozen=True)
class Learned:
    """Weights before and after, what they were learned from and what they are worth.

    Attributes
    ----------
    old, new
        The profile's weights and the learned ones; the same where nothing was learned.
    why
        ``learned``, or why the old ones stay.
    n, n_customers, n_lost
        Matured snapshots, customers and lost customers that were learned from.
    old_auc, new_auc
        Area under the ROC curve on the newest dates, of weights learned before them; None where it could not be tried.
    gain
        Their difference with its paired 95 % interval over customers.
    """

    old: Shares
    new: Shares
    why: Why
    n: int
    n_customers: int
    n_lost: int
    old_auc: float | None = None
    new_auc: float | None = None
    gain: Difference | None = None


def matured_scores(health: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Health of customers of whom it is known what became of them: what :func:`learn_weights` learns from.

    Parameters
    ----------
    health
        Of :func:`models.health_history.health_rows`.
    outcomes
        Of those who could be warned about: ``customer_id``, ``as_of``, ``churn_window_days``, ``days_to_next_order``
        and ``observed_days``.

    Returns
    -------
    DataFrame
        The rows of both, with ``outcome`` (1.0 no order within the own window, 0.0 one, NaN not known yet) and
        ``matured_at`` (datetime64, when the longest window of the date was over).
    """
    own = outcomes[["customer_id", "as_of", "churn_window_days"]].assign(outcome=churned(outcomes))
    longest = own.groupby("as_of")["churn_window_days"].transform("max")
    own = own.assign(matured_at=matures_on(own["as_of"], longest)).drop(columns="churn_window_days")
    return health.merge(own, on=["customer_id", "as_of"], validate="1:1")


def learn_weights(
    scores: pd.DataFrame, old: Shares = DEFAULT_WEIGHTS, *, repeats: int = 300, rng: np.random.Generator
) -> Learned:
    """Weights from what became of customers of known health.

    Parameters
    ----------
    scores
        One row per customer and date: ``customer_id``, ``as_of``, ``health_<dimension>`` for each dimension of `old`,
        ``outcome`` (1 lost, 0 kept, NaN not yet known) and ``matured_at`` (from when the outcome was known).
    old
        The profile's weights.
    repeats
        Resamples of customers behind the interval.

    Raises
    ------
    SettingsError
        If a column is missing.
    """
    columns = ["customer_id", "as_of", "outcome", "matured_at", *(f"health_{name}" for name in old.dimensions)]
    missing = [name for name in columns if name not in scores]
    if missing:
        raise SettingsError(
            f"health weights: expected the columns {', '.join(columns)}; {', '.join(missing)} missing. Add them."
        )
    rows = scores[scores["outcome"].notna()]
    rows = rows[np.isfinite(_health(rows, old))]
    lost = rows.loc[rows["outcome"] == 1, "customer_id"].nunique()
    kept = Learned(old, old, "too few losses", len(rows), rows["customer_id"].nunique(), lost)
    if not _enough(rows):
        return kept
    found = _pulled(rows, old)
    if found is None:
        return replace(kept, why="health tells nothing")
    tried = _tried(rows, old, repeats, rng)
    if tried is None:
        return replace(kept, new=found, why="learned")
    old_auc, new_auc, gain = tried
    worth = replace(kept, old_auc=old_auc, new_auc=new_auc, gain=gain)
    return replace(worth, why="worse out of time") if gain.high < 0 else replace(worth, new=found, why="learned")


def _enough(rows: pd.DataFrame) -> bool:
    """Whether enough customers were lost, and enough kept, at some date."""
    customers = rows.groupby("outcome")["customer_id"].nunique()
    return int(customers.reindex([0.0, 1.0], fill_value=0).min()) >= MIN_LOSSES


def _scores(rows: pd.DataFrame, weights: Shares) -> Floats:
    return rows[[f"health_{name}" for name in weights.dimensions]].to_numpy(dtype="float64", na_value=np.nan)


def _health(rows: pd.DataFrame, weights: Shares) -> Floats:
    """The score of dimension scores with these weights."""
    share = np.array(list(asdict(weights).values()))
    return mean_known(np.where(share > 0, _scores(rows, weights), np.nan), share)


def _pulled(rows: pd.DataFrame, old: Shares) -> Shares | None:
    """The fitted weights, pulled towards the old ones; None where no weights tell a loss."""
    before = np.array(list(asdict(old).values())) / WHOLE
    gone = 1.0 - _scores(rows, old) / WHOLE
    seen = np.isfinite(gone).mean(axis=0) >= MIN_KNOWN_SHARE
    known = np.isfinite(gone[:, seen]).any(axis=1)
    dates = pd.factorize(rows["as_of"])[0][known]
    slopes = _fitted(gone[known][:, seen], rows["outcome"].to_numpy(dtype="float64")[known], dates)
    if slopes.sum() <= seen.sum() * _LEAST * 2:
        return None
    fitted = before.copy()
    fitted[seen] = before[seen].sum() * slopes / slopes.sum()
    lost = rows.loc[rows["outcome"] == 1, "customer_id"].nunique()
    mixed = (lost * fitted + PROFILE_LOSSES * before) / (lost + PROFILE_LOSSES)
    return type(old)(**dict(zip(old.dimensions, in_tenths(mixed), strict=True)))


def in_tenths(shares: Floats) -> tuple[float, ...]:
    """Shares of 1 as per cent with one decimal that sum to 100: what is cut off goes to those that lost the most."""
    exact = shares / shares.sum() * 1000
    whole = np.floor(exact + 1e-9).astype("int64")
    missing = 1000 - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:missing]] += 1
    return tuple(float(value) / 10 for value in whole)


def _fitted(gone: Floats, y: Floats, dates: NDArray[np.int64]) -> Floats:
    """Slopes, 0 or more, of what is missing in each dimension, with which the score tells the outcome best.

    The log-odds are the date's level + b * (weighted mean of what is missing of the known dimensions), with weights in
    proportion to the slopes and b their sum. Slopes have a floor just above 0, and a faint ridge where nothing tells.
    """
    known = np.isfinite(gone)
    missing = np.where(known, gone, 0.0)
    number, columns = int(dates.max()) + 1, gone.shape[1]

    def loss(theta: Floats) -> tuple[float, Floats]:
        level, slope = theta[:number], theta[number:]
        above, below = missing @ slope, known @ slope
        mean = above / below
        margin = level[dates] + slope.sum() * mean
        error = (special.expit(margin) - y) / y.size
        steep = mean[:, None] + slope.sum() * (missing - known * mean[:, None]) / below[:, None]
        value = np.mean(np.logaddexp(0, margin) - y * margin) + 1e-5 * float(slope @ slope)
        return float(value), np.concatenate([np.bincount(dates, error, number), error @ steep + 2e-5 * slope])

    start = np.concatenate([np.full(number, -1.0), np.full(columns, 1.0)])
    bounds = [(-15.0, 15.0)] * number + [(_LEAST, None)] * columns
    best = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
    return np.asarray(best.x[number:], dtype="float64")


def _tried(
    rows: pd.DataFrame, old: Shares, repeats: int, rng: np.random.Generator
) -> tuple[float, float, Difference] | None:
    """Both sets on the newest dates, the learned one from what had matured before; None where that is too little."""
    dates = np.sort(rows["as_of"].unique())
    first = dates[-max(1, round(len(dates) * TRIED_SHARE))]
    before, after = rows[rows["matured_at"] <= first], rows[rows["as_of"] >= first]
    found = _pulled(before, old) if _enough(before) else None
    if found is None or after["outcome"].nunique() < 2:
        return None
    judged = [
        after[["customer_id", "as_of", "outcome"]].assign(
            contestant=name, probability=1.0 - _health(after, weights) / WHOLE
        )
        for name, weights in (("old", old), ("new", found))
    ]
    predictions = pd.concat(judged, ignore_index=True)
    predictions = predictions[predictions.groupby(["customer_id", "as_of"])["probability"].transform("count") == 2]
    table = standing_table(predictions, repeats=1, ranks_only=("old", "new"), rng=rng)
    gain = differences(predictions, [("new", "old")], ["roc_auc"], repeats=repeats, ranks_only=("old", "new"), rng=rng)[
        0
    ]
    old_auc, new_auc = table["roc_auc"].astype("float64")
    return old_auc, new_auc, gain
