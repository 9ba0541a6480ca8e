"""Rules that need no training as contestants: the days since the last order, as such and in own cycles, and the
health score.

A rule ranks. To stand beside probabilities its ranking is read off a one-variable logistic curve fitted on matured
outcomes, with a slope that is never negative: the curve cannot change or reverse the order that the rule gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from features.labels import HORIZONS
from models.contestants import Training, enough
from models.health import DEFAULT_WEIGHTS, MARKS, WHOLE, Mark, Weights, health

Floats = NDArray[np.float64]

#: Keeps the ranking where the data would have it flat or reversed.
MIN_SLOPE = 1e-3


class Ranking(Protocol):
    """What a curve is read off: a score of each snapshot alone."""

    def score(self, frame: pd.DataFrame) -> Floats:
        """The higher, the likelier to be gone; a number for every row."""
        ...


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
        return read_off(self, training)

    def score(self, frame: pd.DataFrame) -> Floats:
        """Logarithm of the feature; the median of those known where it is unknown."""
        return _filled(np.log(frame[self.feature].clip(lower=1e-3).to_numpy()))


@dataclass(frozen=True)
class HealthRule:
    """Rank customers by 100 less their health score.

    Attributes
    ----------
    name
        As printed in tables.
    weights, marks
        As for :func:`models.health.health`.
    """

    name: str
    weights: Weights = DEFAULT_WEIGHTS
    marks: Sequence[Mark] = MARKS

    def fit(self, training: Training) -> "FittedRule":
        """Read the curves off the matured outcomes; without any, even odds at the median."""
        return read_off(self, training)

    def score(self, frame: pd.DataFrame) -> Floats:
        """What is missing to full health, 0 to 1; the median of those known where it is unknown."""
        return _filled(1.0 - health(frame, self.weights, self.marks)["health"].to_numpy() / WHOLE)


@dataclass(frozen=True)
class FittedRule:
    """A rule with its curve (intercept, slope) per horizon."""

    rule: Ranking
    centre: float
    curves: tuple[tuple[float, float], ...]

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of no order within each horizon, shape (n, horizons)."""
        score = self.rule.score(frame) - self.centre
        return np.column_stack([intercept + slope * score for intercept, slope in self.curves])


def read_off(rule: Ranking, training: Training) -> FittedRule:
    """A rule with the curves of its score on the matured outcomes; even odds at the median where there are too few."""
    centre = float(np.median(rule.score(training.book))) if len(training.book) else 0.0
    # Without the features, which may be hundreds: every horizon takes a copy of its matured rows.
    outcomes = training.rows[["days_to_next_order", "observed_days"]]
    scored = replace(training, rows=outcomes.assign(rule_score=rule.score(training.rows) - centre))
    curves = []
    for days in HORIZONS:
        rows, outcome = scored.matured(days)
        learnt = enough(outcome, minority=5)
        curves.append(_curve(rows["rule_score"].to_numpy(), outcome) if learnt else (0.0, 1.0))
    return FittedRule(rule, centre, tuple(curves))


def _filled(score: Floats) -> Floats:
    """The score with the median of those known in the place of the unknown, 0 where none is known."""
    known = np.isfinite(score)
    return np.where(known, score, np.median(score[known]) if known.any() else 0.0)


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


HEALTH = HealthRule("health")
RULES: tuple[Rule | HealthRule, ...] = (
    Rule("days_since_last_order", "days_since_last_order"),
    Rule("cycle", "days_since_last_order_vs_mean_gap"),
    HEALTH,
)
