"""Calibration that must earn its place: identity unless an affine map of the log-odds did better, walking forward.

An affine map keeps additive contributions additive. The candidates are no change, a shift and slope fitted on all
earlier dates (Platt scaling), and half of the shift that the same season of last year would have needed. On real data
a correction learnt on the newest matured dates made things worse (their season is another), hence the test: each date
is predicted with what was known before it, and a candidate replaces identity only if its mean log loss is better by
more than one standard error over dates.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]

MIN_DATES = 4
SEASON_SHARE = 0.5
SEASON_DAYS = 45


@dataclass(frozen=True)
class Affine:
    """Calibrated log-odds = `intercept` + `slope` x log-odds; `kind` says which candidate it was."""

    intercept: float = 0.0
    slope: float = 1.0
    kind: str = "identity"

    def __call__(self, margin: Floats) -> Floats:
        """Calibrated log-odds, shape of `margin`."""
        return self.intercept + self.slope * margin


def choose(rows: pd.DataFrame, horizon_days: int, as_of: pd.Timestamp) -> Affine:
    """The calibration to use at `as_of`.

    Parameters
    ----------
    rows
        Out-of-time predictions whose outcome is known at `as_of`: ``as_of`` (their own date), ``margin`` (log-odds)
        and ``outcome`` (0.0 or 1.0).
    horizon_days
        Maturity of the outcome in days, lateness of the books included: a date may be corrected only by dates that
        had matured before it.
    """
    dates = sorted(rows["as_of"].unique())
    losses: dict[str, list[float]] = {"identity": [], "platt": [], "season": []}
    for date in dates:
        earlier = rows[rows["as_of"] <= date - timedelta(days=horizon_days)]
        if earlier.empty:
            continue
        here = rows[rows["as_of"] == date]
        for kind in losses:
            losses[kind].append(
                _log_loss(_fit(kind, earlier, date)(here["margin"].to_numpy()), here["outcome"].to_numpy())
            )
    table = pd.DataFrame(losses)
    if len(table) < MIN_DATES:
        return Affine()
    gains = table.rsub(table["identity"], axis=0)
    threshold = gains.std(ddof=1) / np.sqrt(len(gains))
    worth = gains.mean().where(gains.mean() > threshold).drop("identity").dropna()
    return Affine() if worth.empty else _fit(str(worth.idxmax()), rows, as_of)


def _fit(kind: str, earlier: pd.DataFrame, as_of: pd.Timestamp) -> Affine:
    if kind == "platt":
        return platt(earlier["margin"].to_numpy(), earlier["outcome"].to_numpy())
    if kind == "season":
        age = (as_of - earlier["as_of"]).dt.days
        same = earlier[(age - 365).abs() <= SEASON_DAYS]
        if same.empty:
            return Affine(kind="season")
        shift = level_shift(same["margin"].to_numpy(), same["outcome"].to_numpy())
        return Affine(SEASON_SHARE * shift, 1.0, "season")
    return Affine()


def platt(margin: Floats, outcome: Floats) -> Affine:
    """Shift and slope of maximum likelihood (Platt 1999), the slope not below 0."""

    def loss(theta: Floats) -> tuple[float, Floats]:
        value = theta[0] + theta[1] * margin
        error = special.expit(value) - outcome
        return _log_loss(value, outcome), np.array([error.mean(), (error * margin).mean()])

    best = optimize.minimize(loss, np.array([0.0, 1.0]), jac=True, method="L-BFGS-B", bounds=[(-5, 5), (0.05, 5)])
    return Affine(float(best.x[0]), float(best.x[1]), "platt")


def level_shift(margin: Floats, outcome: Floats) -> float:
    """The shift of the log-odds that makes the mean probability equal the observed share, within 5."""
    share = (outcome.sum() + 0.5) / (len(outcome) + 1)

    def excess(shift: float) -> float:
        return float(special.expit(margin + shift).mean() - share)

    return (
        5.0 * float(np.sign(-excess(0.0))) if excess(-5.0) * excess(5.0) > 0 else float(optimize.brentq(excess, -5, 5))
    )


def _log_loss(margin: Floats, outcome: Floats) -> float:
    return float(np.mean(np.logaddexp(0, margin) - outcome * margin))
