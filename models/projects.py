"""Customers of projects: the chance of no order within a year.

They order in bursts with long silences between them, so that a gap alarms nobody and a silence of three months says
next to nothing: from orders alone they are nearly unpredictable. They are asked about a year and are reported apart
from everybody else. The label-free order rhythm answers, which knows of no bursts and therefore promises too much or
too little; a straight line through its log-odds mends that, and quotes and inquiries may tell more. Each is taken only
if the contest of :mod:`models.second_order` says so on dates whose year has passed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import ArtefactError
from features.labels import no_order_within
from models.btyd import BTYD
from models.contestants import enough
from models.label_free import LIMIT, YEAR, FittedLabelFree, Variant, column, log_odds
from models.logistic import ridge
from models.second_order import TEST_DATES, climb, known_before, latency_of, matured_dates, told

Floats = NDArray[np.float64]

LABEL_FREE = "label_free"
LINE = "line"
PIPELINE = "pipeline"

#: Signs that a project is being prepared; the score needs those of them that are in use.
SIGNS = ("quotes_90d", "days_since_last_quote", "unanswered_quotes", "oldest_open_quote_days", "inquiries_90d")
#: Ridge penalty per standard deviation: as strong as that many uncertain rows.
PENALTY = 20.0
#: Rows of the rarer outcome without which nothing is learnt, and the fewest dates that decide anything.
MIN_MINORITY = 10
MIN_DATES = 3


@dataclass(frozen=True)
class Line:
    """A ridge regression that starts from the label-free log-odds.

    Attributes
    ----------
    signs
        Those of :data:`SIGNS` that it reads.
    coefficients
        Of the intercept, the label-free log-odds and each sign, log-odds per standard deviation.
    centre, spread
        Of the standardisation, in the same order.
    """

    signs: tuple[str, ...]
    coefficients: tuple[float, ...]
    centre: tuple[float, ...]
    spread: tuple[float, ...]

    def margin(self, start: Floats, frame: pd.DataFrame) -> Floats:
        """Label-free log-odds with what the line adds to them, shape (n,)."""
        Z = (_matrix(start, frame, self.signs) - np.array(self.centre)) / np.array(self.spread)
        return np.clip(start + np.nan_to_num(Z) @ np.array(self.coefficients), -LIMIT, LIMIT)


@dataclass(frozen=True)
class FittedProjects:
    """The model in use for customers of projects.

    Attributes
    ----------
    in_use
        ``label_free``, ``line`` or ``pipeline``.
    variant, model
        The label-free model of the whole book.
    line
        What is added to it; None where it is in use alone.
    evidence
        The contest, JSON-safe: ``horizon_days``, ``dates``, ``customers`` and ``steps``, each as made by
        :func:`models.second_order.climb`.
    """

    in_use: str
    variant: Variant
    model: BTYD
    line: Line | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def margin(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of no order within :data:`models.label_free.YEAR` days, shape (n,)."""
        start = log_odds(self.model, frame, (YEAR,))[:, 0]
        return start if self.line is None else self.line.margin(start, frame)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return {
            "in_use": self.in_use,
            "variant": vars(self.variant).copy(),
            "model": self.model.to_dict(),
            "line": None if self.line is None else {name: list(values) for name, values in vars(self.line).items()},
            "evidence": dict(self.evidence),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "FittedProjects":
        """The inverse of :meth:`to_dict`; ArtefactError where something is missing."""
        try:
            line = values["line"]
            return cls(
                values["in_use"],
                Variant(**values["variant"]),
                BTYD.from_dict(values["model"]),
                None if line is None else Line(**{name: tuple(found) for name, found in line.items()}),
                values["evidence"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ArtefactError(
                f"the model of projects cannot be read ({type(error).__name__}: {error}). Train again."
            ) from error


def fit(rows: pd.DataFrame, book: pd.DataFrame, rhythm: FittedLabelFree, seed: int) -> FittedProjects:
    """Fit the contestants and put the simplest one that no other surely beats into use.

    Parameters
    ----------
    rows
        Snapshots of customers of projects at earlier dates, with label-free columns for a year
        (:func:`models.label_free.attach`), ``days_to_next_order`` and ``observed_days`` as known at the date of `book`;
        may be empty.
    book
        Every customer with an order at the date.
    rhythm
        The label-free model of the date.
    """
    dates = matured_dates(rows, YEAR)
    trials = _walk(rows, book, rhythm.variant, dates) if dates else pd.DataFrame()
    in_use, line = LABEL_FREE, None
    steps: list[dict[str, Any]] = []
    if len(trials) and trials["as_of"].nunique() >= MIN_DATES:
        in_use, steps = climb(trials, (LABEL_FREE, LINE, PIPELINE), seed)
    if in_use != LABEL_FREE:
        line = learn_line(rows, rhythm.variant, signs_of(rows) if in_use == PIPELINE else ())
    return FittedProjects(in_use, rhythm.variant, rhythm.model, line, told(YEAR, trials, steps))


def signs_of(rows: pd.DataFrame) -> tuple[str, ...]:
    """The signs of :data:`SIGNS` that the company's tables give."""
    return tuple(name for name in SIGNS if name in rows and rows[name].notna().any())


def learn_line(rows: pd.DataFrame, variant: Variant, signs: tuple[str, ...]) -> Line | None:
    """The regression on rows whose year has passed; None where there are too few of the rarer outcome."""
    outcome = no_order_within(rows, YEAR)
    known, y = rows[outcome.notna()], outcome.dropna()
    if not enough(y, minority=MIN_MINORITY):
        return None
    start = known[column(variant, YEAR)].to_numpy(dtype="float64")
    X = _matrix(start, known, signs)
    held = pd.DataFrame(X)
    spread = held.std(ddof=0).to_numpy()
    # The intercept is a column of ones: it stays as it is.
    centre, spread = held.mean().fillna(0.0).to_numpy(copy=True), np.where(spread > 0, spread, 1.0)
    centre[0] = 0.0
    coefficients = ridge(np.nan_to_num((X - centre) / spread), y.to_numpy(), start, 1 / PENALTY)
    return Line(signs, *(tuple(map(float, values)) for values in (coefficients, centre, spread)))


def _walk(rows: pd.DataFrame, book: pd.DataFrame, variant: Variant, dates: list[pd.Timestamp]) -> pd.DataFrame:
    """What every contestant would have said at the newest dates at which the line could be learnt; empty if at none."""
    latency, signs = latency_of(rows, book), signs_of(rows)
    parts: list[pd.DataFrame] = []
    for day in reversed(dates):
        past, here = known_before(rows, day, latency), rows[rows["as_of"] == day]
        start = here[column(variant, YEAR)].to_numpy(dtype="float64")
        line, more = (learn_line(past, variant, read) for read in ((), signs))
        if line is None or more is None or len(parts) == TEST_DATES:
            break
        said = {LABEL_FREE: start, LINE: line.margin(start, here), PIPELINE: more.margin(start, here)}
        parts.append(here[["customer_id", "as_of"]].assign(outcome=no_order_within(here, YEAR), **said))
    return pd.concat(parts, ignore_index=True).dropna(subset="outcome") if parts else pd.DataFrame()


def _matrix(start: Floats, frame: pd.DataFrame, signs: tuple[str, ...]) -> Floats:
    """Ones, the label-free log-odds and the logarithms of the signs, shape (n, signs + 2); NaN where unknown."""
    values = [np.log1p(frame[name].clip(lower=0).to_numpy(dtype="float64")) for name in signs]
    return np.column_stack([np.ones(len(frame)), start, *values])
