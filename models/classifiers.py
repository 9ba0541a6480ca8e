"""Learners as contestants: logistic regression on order timing and money, LightGBM on every feature.

LightGBM starts from the log-odds of the label-free model plus, for each training date, the constant that matches that
date's share of silent customers. It therefore learns the *shape*, what makes one customer likelier to be gone than
another, and not the level, which moves with the season and with how long the data has run. docs/experiments.md has
what this was worth.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from features.labels import HORIZONS
from models.contestants import Training, enough
from models.label_free import VARIANTS, FittedLabelFree, LabelFree, column

Floats = NDArray[np.float64]

#: The label-free model that learners build on: whichever variant did best on matured dates.
RHYTHM = LabelFree("rhythm", VARIANTS)

#: Columns of the logistic regression; those that are not already logarithms or shares enter as log(1 + value).
LOGISTIC_COLUMNS = (
    "days_since_last_order",
    "days_since_first_order",
    "order_days_90d",
    "order_days_365d",
    "order_days_ever",
    "gap_mean_days_ever",
    "gap_cv_ever",
    "longer_gap_probability",
    "revenue_90d",
    "revenue_365d",
    "order_value_mean_ever",
)


@dataclass(frozen=True)
class BoostingOptions:
    """Settings of LightGBM; the defaults were chosen on cutoffs earlier than those that are reported."""

    rounds: int = 300
    learning_rate: float = 0.015
    num_leaves: int = 8
    min_child_samples: int = 40
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.8
    lambda_l2: float = 5.0

    def parameters(self, seed: int, threads: int) -> dict[str, Any]:
        """The parameters of a deterministic run."""
        return {
            "objective": "binary",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_child_samples": self.min_child_samples,
            "feature_fraction": self.feature_fraction,
            "bagging_fraction": self.bagging_fraction,
            "bagging_freq": 1,
            "lambda_l2": self.lambda_l2,
            "num_threads": threads,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }


@dataclass(frozen=True)
class Boosting:
    """LightGBM on the label-free log-odds.

    Attributes
    ----------
    name
        As printed in tables.
    options
        Settings of LightGBM.
    newest_slice_only
        Learn from the newest matured date alone instead of all of them.
    min_minority, min_slices
        A horizon with fewer rows of the rarer outcome, or fewer matured dates, is left to the label-free model.
    """

    name: str
    options: BoostingOptions = field(default_factory=BoostingOptions)
    newest_slice_only: bool = False
    min_minority: int = 150
    min_slices: int = 3

    def fit(self, training: Training) -> "FittedBoosting":
        """One booster per horizon."""
        rhythm = RHYTHM.fit(training)
        boosters = []
        for days in HORIZONS:
            rows, outcome = training.matured(days)
            slices = 1 if self.newest_slice_only else self.min_slices
            if self.newest_slice_only and len(rows):
                newest = rows["as_of"] == rows["as_of"].max()
                rows, outcome = rows[newest], outcome[newest]
            possible = rows["as_of"].nunique() >= slices and enough(outcome, minority=self.min_minority)
            boosters.append(self._boost(rows, outcome, training, column(rhythm.variant, days)) if possible else None)
        return FittedBoosting(rhythm, training.columns, tuple(boosters))

    def _boost(self, rows: pd.DataFrame, outcome: pd.Series, training: Training, start: str) -> Any:
        import lightgbm

        data = lightgbm.Dataset(
            rows[list(training.columns)],
            outcome,
            init_score=rows[start].to_numpy() + level_offsets(rows[start], outcome, rows["as_of"]),
            free_raw_data=True,
        )
        return lightgbm.train(self.options.parameters(training.seed, training.threads), data, self.options.rounds)


@dataclass(frozen=True)
class FittedBoosting:
    """Boosters per horizon (None where there was too little to learn from) on a fitted label-free model."""

    rhythm: FittedLabelFree
    columns: tuple[str, ...]
    boosters: tuple[Any, ...]

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of no order within each horizon, shape (n, horizons)."""
        start = self.rhythm.margins(frame)
        return np.column_stack([start[:, i] + self.correction(frame, i) for i in range(len(HORIZONS))])

    def correction(self, frame: pd.DataFrame, horizon: int) -> Floats:
        """What a horizon's booster adds to the label-free log-odds, shape (n,)."""
        booster = self.boosters[horizon]
        if booster is None or frame.empty:
            return np.zeros(len(frame))
        return booster.predict(frame[list(self.columns)], raw_score=True, num_threads=1)

    def contributions(self, frame: pd.DataFrame, horizon: int) -> Floats:
        """TreeSHAP values of that correction per column and, last, its expected value; shape (n, columns + 1)."""
        if frame.empty:
            return np.zeros((0, len(self.columns) + 1))
        return self.boosters[horizon].predict(frame[list(self.columns)], pred_contrib=True, num_threads=1)


def level_offsets(start: pd.Series, outcome: pd.Series, as_of: pd.Series) -> Floats:
    """Per row the constant that makes the mean probability of its date equal the date's share of silent customers."""
    offsets = np.zeros(len(start))
    for rows in pd.Series(np.arange(len(start))).groupby(as_of.to_numpy()).indices.values():
        margin = start.to_numpy()[rows]
        # Half a customer is added to both outcomes: a date on which all were silent would ask for infinity.
        share = (outcome.to_numpy()[rows].sum() + 0.5) / (len(rows) + 1)
        offsets[rows] = optimize.brentq(_excess, -40, 40, args=(margin, share))
    return offsets


def _excess(offset: float, margin: Floats, share: float) -> float:
    return float(special.expit(margin + offset).mean() - share)


@dataclass(frozen=True)
class Logistic:
    """Logistic regression on order timing, money and the label-free log-odds; ridge penalty on standardised columns.

    Attributes
    ----------
    name
        As printed in tables.
    strength
        Inverse of the penalty (scikit-learn's C).
    min_minority, min_slices
        A horizon with fewer rows of the rarer outcome, or fewer matured dates, is left to the label-free model.
    """

    name: str
    strength: float = 0.1
    min_minority: int = 75
    min_slices: int = 2

    def fit(self, training: Training) -> "FittedLogistic":
        """One regression per horizon."""
        from sklearn.linear_model import LogisticRegression

        rhythm = RHYTHM.fit(training)
        lines: list[Line | None] = []
        for days in HORIZONS:
            rows, outcome = training.matured(days)
            if rows["as_of"].nunique() < self.min_slices or not enough(outcome, minority=self.min_minority):
                lines.append(None)
                continue
            X = _logistic_matrix(rows, rows[column(rhythm.variant, days)].to_numpy())
            mean, spread = _standard(X)
            Z = np.nan_to_num((X - mean) / spread)
            fitted = LogisticRegression(C=self.strength, max_iter=500).fit(Z, outcome)
            lines.append(
                Line(float(fitted.intercept_[0]), *(tuple(map(float, v)) for v in (fitted.coef_[0], mean, spread)))
            )
        return FittedLogistic(rhythm, tuple(lines))


@dataclass(frozen=True)
class Line:
    """Intercept and, per column, coefficient, mean and spread of the standardisation; all log-odds per standard
    deviation."""

    intercept: float
    coefficients: tuple[float, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]

    def contributions(self, X: Floats) -> Floats:
        """Coefficient times standardised value, 0 where unknown; shape of `X`."""
        return np.nan_to_num((X - np.array(self.mean)) / np.array(self.spread)) * np.array(self.coefficients)


@dataclass(frozen=True)
class FittedLogistic:
    """A line per horizon (None where there was too little to learn from) on a fitted label-free model."""

    rhythm: FittedLabelFree
    lines: tuple[Line | None, ...]

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of no order within each horizon, shape (n, horizons)."""
        start = self.rhythm.margins(frame)
        return np.column_stack(
            [
                start[:, i] if line is None else line.intercept + self.parts(frame, start, i).sum(axis=1)
                for i, line in enumerate(self.lines)
            ]
        )

    def parts(self, frame: pd.DataFrame, start: Floats, horizon: int) -> Floats:
        """Contributions of :data:`LOGISTIC_COLUMNS` and, last, of the label-free log-odds; shape (n, columns + 1)."""
        line = self.lines[horizon]
        if line is None:
            raise ValueError(f"no line was fitted for {HORIZONS[horizon]} days")
        return line.contributions(_logistic_matrix(frame, start[:, horizon]))


def _standard(X: Floats) -> tuple[Floats, Floats]:
    """Mean and spread of the known values per column; 0 and 1 where nobody has a value."""
    held = pd.DataFrame(X)
    spread = held.std(ddof=0).to_numpy()
    return held.mean().fillna(0.0).to_numpy(), np.where(spread > 0, spread, 1.0)


def _logistic_matrix(frame: pd.DataFrame, start: Floats) -> Floats:
    columns = [np.log1p(frame[name].clip(lower=0).to_numpy(dtype="float64")) for name in LOGISTIC_COLUMNS]
    return np.column_stack([*columns, start])


LIGHTGBM = "lightgbm"
LOGISTIC = "logistic"
