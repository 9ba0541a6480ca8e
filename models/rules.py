"""Rules that need no training as contestants: the days since the last order, as such and in own cycles.

A rule ranks. To stand beside probabilities its ranking is read off a one-variable logistic curve fitted on matured
outcomes, with a slope that is never negative: the curve cannot change or reverse the order that the rule gives.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from features.labels import HORIZONS
from models.contestants import Training, enough

Floats = NDArray[np.float64]

#: Keeps the ranking where the data would have it flat or reversed.
MIN_SLOPE = 1e-3


@dataclass(frozen=True)
class Rule:
    """Rank customers by the logarithm of a feature: the higher, the likelier to be gone.

    Attributes
    ----------
    name
        As printed in tables.
    feature
        The feature; where it is unknown, the median of those known stands in.
    """

    name: str
    feature: str

    def fit(self, training: Training) -> "FittedRule":
        """Read the curves off the matured outcomes; without any, even odds at the median."""
        centre = float(np.nanmedian(self.score(training.book))) if len(training.book) else 0.0
        curves = []
        for days in HORIZONS:
            rows, outcome = training.matured(days)
            curves.append(_curve(self.score(rows) - centre, outcome) if enough(outcome, minority=5) else (0.0, 1.0))
        return FittedRule(self, centre, tuple(curves))

    def score(self, frame: pd.DataFrame) -> Floats:
        """Logarithm of the feature; the median of those known where it is unknown."""
        value = np.log(frame[self.feature].clip(lower=1e-3).to_numpy())
        known = value[np.isfinite(value)]
        return np.where(np.isfinite(value), value, np.median(known) if known.size else 0.0)


@dataclass(frozen=True)
class FittedRule:
    """A rule with its curve (intercept, slope) per horizon."""

    rule: Rule
    centre: float
    curves: tuple[tuple[float, float], ...]

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of no order within each horizon, shape (n, horizons)."""
        score = self.rule.score(frame) - self.centre
        return np.column_stack([intercept + slope * score for intercept, slope in self.curves])


def _curve(score: Floats, outcome: pd.Series) -> tuple[float, float]:
    """Maximum likelihood of a logistic curve with slope at least :data:`MIN_SLOPE`."""
    y = outcome.to_numpy()

    def loss(theta: Floats) -> tuple[float, Floats]:
        margin = theta[0] + theta[1] * score
        error = special.expit(margin) - y
        value = np.mean(np.logaddexp(0, margin) - y * margin)
        return float(value), np.array([error.mean(), (error * score).mean()])

    best = optimize.minimize(
        loss, np.array([0.0, 0.5]), jac=True, method="L-BFGS-B", bounds=[(None, None), (MIN_SLOPE, None)]
    )
    return float(best.x[0]), float(best.x[1])


RULES = (
    Rule("days_since_last_order", "days_since_last_order"),
    Rule("cycle", "days_since_last_order_vs_mean_gap"),
)
