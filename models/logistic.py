"""Logistic regression as a contestant: every feature by its rank among the customers of its date, strongly shrunk.

Ranks make amounts of all kinds comparable, and a date with its neighbours, whatever the season did to everybody. The
regression starts from the log-odds of the label-free model plus, for each training date, the constant of its level, as
the trees do (:mod:`models.classifiers`); a ridge penalty pulls all it adds towards nothing. docs/experiments.md has
what this was worth.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from features.labels import HORIZONS
from features.snapshots import ELIGIBLE
from models.classifiers import RHYTHM
from models.contestants import Training, enough
from models.label_free import FittedLabelFree, column
from models.offsets import level_offsets
from models.ranks import Ranks

Floats = NDArray[np.float64]

LOGISTIC = "logistic"


@dataclass(frozen=True)
class Logistic:
    """Ridge logistic regression on the label-free log-odds.

    Attributes
    ----------
    name
        As printed in tables.
    strength
        Inverse of the penalty: half the sum of squared coefficients over it is added to the summed log loss.
    min_minority, min_slices
        A horizon with fewer rows of the rarer outcome, or fewer matured dates, is left to the label-free model.
    """

    name: str
    strength: float = 0.0003
    min_minority: int = 75
    min_slices: int = 2

    def fit(self, training: Training) -> "FittedLogistic":
        """One regression per horizon."""
        rhythm = RHYTHM.fit(training)
        whole, X = training.ranked
        tasks: list[tuple[Floats, Floats, Floats]] = []
        lines: list[tuple[float, ...] | None] = []
        for days in HORIZONS:
            matured, outcome = training.matured(days)
            possible = matured["as_of"].nunique() >= self.min_slices and enough(outcome, minority=self.min_minority)
            if not possible or days not in training.horizons:
                lines.append(None)
                continue
            known = whole.index.isin(matured.index)
            rows, y = whole[known], outcome.loc[whole.index[known]]
            start = rows[column(rhythm.variant, days)]
            offset = start.to_numpy() + level_offsets(start, y, rows["as_of"])
            # What came of shorter horizons is known of fresher dates, and says nearly the same.
            tasks.append((X[known], y.to_numpy(), offset))
            places, outcomes, offsets = (np.concatenate(parts) for parts in zip(*tasks, strict=True))
            lines.append(tuple(map(float, ridge(places, outcomes, offsets, self.strength))))
        cohort = training.book[training.book["cohort"] == ELIGIBLE]
        return FittedLogistic(rhythm, Ranks.of_cohort(cohort, training.columns), tuple(lines))


def ridge(X: Floats, y: Floats, offset: Floats, strength: float) -> Floats:
    """Coefficients of the lowest penalised log loss; there is no intercept, the offset has it.

    Parameters
    ----------
    X, y, offset
        Shape (n, columns); outcomes, 0.0 or 1.0, or chances between; log-odds to start from.
    strength
        Half the sum of squared coefficients over it is added to the summed log loss.
    """

    def loss(b: Floats) -> tuple[float, Floats]:
        margin = offset + X @ b
        value = (np.logaddexp(0, margin) - y * margin).sum() + b @ b / (2 * strength)
        return float(value), X.T @ (special.expit(margin) - y) + b / strength

    found = optimize.minimize(loss, np.zeros(X.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return np.asarray(found.x, dtype="float64")


@dataclass(frozen=True)
class FittedLogistic:
    """Coefficients per horizon (None where there was too little to learn from) on a fitted label-free model.

    Attributes
    ----------
    rhythm
        The label-free model that the regression starts from.
    ranks
        Places among the cohort of the training date.
    lines
        Per horizon one coefficient per column, in log-odds per standard deviation of the places.
    """

    rhythm: FittedLabelFree
    ranks: Ranks
    lines: tuple[tuple[float, ...] | None, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads."""
        return self.ranks.columns

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of no order within each horizon, shape (n, horizons)."""
        start = self.rhythm.margins(frame)
        if all(line is None for line in self.lines):
            return start
        places = self.ranks.places(frame)
        # BLAS sums a row in another order when it stands among others; a score must not change by its company.
        added = [np.zeros(len(frame)) if line is None else (places * np.array(line)).sum(axis=1) for line in self.lines]
        return start + np.column_stack(added)

    def contributions(self, places: Floats, horizon: int) -> Floats:
        """What each column adds to the label-free log-odds, from its places; shape (n, columns)."""
        line = self.lines[horizon]
        return np.zeros_like(places) if line is None else places * np.array(line)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the label-free model."""
        return {
            "columns": list(self.columns),
            "knots": [list(knots) for knots in self.ranks.knots],
            "lines": [None if line is None else list(line) for line in self.lines],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any], rhythm: FittedLabelFree) -> "FittedLogistic":
        """The inverse of :meth:`to_dict`."""
        ranks = Ranks(tuple(values["columns"]), tuple(tuple(knots) for knots in values["knots"]))
        return cls(rhythm, ranks, tuple(None if line is None else tuple(line) for line in values["lines"]))
