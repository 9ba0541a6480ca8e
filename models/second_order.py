"""Customers with one order day: the chance that no second order comes.

The label-free order rhythm answers it without a single outcome. Three contestants may do better: the same fitted on
the customer's segment, a discrete-time hazard of the second order by the age of the first one, and a ridge regression
on the few facts that one order leaves, on top of whichever of these is in use. Each step up is taken only if, walking
forward over earlier dates, it surely loses less: the log loss of the chances as they would have been given, its level
included, with a paired bootstrap over customers. Else the simpler one stays, as it does in a book that is too small or
too young to tell.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from features.errors import ArtefactError
from features.labels import HORIZONS, no_order_within
from features.snapshots import drawn
from models import evaluation
from models.btyd import BTYD
from models.contestants import enough
from models.hazard import Hazard, learn_hazard
from models.label_free import (
    LIMIT,
    VARIANTS,
    YEAR,
    Variant,
    best_variant,
    column,
    fit_book,
    fit_segments,
    log_odds_by_segment,
    segment_column,
)
from models.logistic import ridge
from models.offsets import level_offsets

Floats = NDArray[np.float64]

LABEL_FREE = "label_free"
BY_SEGMENT = "label_free_by_segment"
HAZARD = "hazard"
FACTS = "facts"

#: What the regression reads of a snapshot; the score needs these columns where it is in use.
READS = ("days_since_first_order", "last_order_value", "lines_per_order_day_365d", "products_365d")
#: Ridge penalty of its coefficients, per standard deviation: as strong as that many uncertain rows.
PENALTY = 1_000.0
#: Newest matured dates that the contest is held on, and the fewest that decide anything.
TEST_DATES = 8
MIN_DATES = 3
#: The horizon that decides. A shorter one does not stand in for it: who leads for a month may mislead for a half-year.
DECIDING_HORIZON = 90
#: Rows of the rarer outcome without which the regression learns nothing.
MIN_MINORITY = 30
#: Rows that the regression learns from, and customers that the bootstrap is made of; more only take longer.
MOST_ROWS = 40_000
MOST_CUSTOMERS = 4_000
REPEATS = 300
_MBG = tuple(variant for variant in VARIANTS if variant.dropout_at_zero)


@dataclass(frozen=True)
class Facts:
    """What the facts of one order add to the log-odds of the contestant that they stand on.

    Centred on the customers of the date that it was learnt for: it says who is likelier to come back than another, and
    leaves the level as it is.

    Attributes
    ----------
    columns
        Those of :data:`READS` that the company has.
    centre, spread
        Of the columns of the regression's matrix.
    coefficients
        Per horizon, log-odds per standard deviation; zeros where too little had matured.
    """

    columns: tuple[str, ...]
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]

    def corrections(self, frame: pd.DataFrame) -> Floats:
        """To be added to the log-odds of each horizon, shape (n, horizons)."""
        Z = (_matrix(frame, self.columns) - np.array(self.centre)) / np.array(self.spread)
        return np.nan_to_num(Z) @ np.array(self.coefficients).T


@dataclass(frozen=True)
class FittedSecondOrder:
    """The model in use for customers with one order day.

    Attributes
    ----------
    in_use
        ``label_free``, ``label_free_by_segment``, ``hazard`` or ``facts``.
    variant, model
        The label-free model of the whole book.
    segments
        Its fits of single segments, where they are in use.
    hazard
        Where it is in use, by itself or under the facts.
    facts
        Where they are in use; they stand on the hazard if there is one, else on the label-free model.
    evidence
        The contest, JSON-safe: ``horizon_days``, ``dates``, ``customers`` and ``steps``, each as made by
        :func:`climb`; empty steps where too little had matured.
    """

    in_use: str
    variant: Variant
    model: BTYD
    segments: Mapping[str, BTYD] = field(default_factory=dict)
    hazard: Hazard | None = None
    facts: Facts | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of no second order within each horizon, shape (n, horizons)."""
        start = (
            log_odds_by_segment(self.model, self.segments, frame) if self.hazard is None else self.hazard.margins(frame)
        )
        return start if self.facts is None else np.clip(start + self.facts.corrections(frame), -LIMIT, LIMIT)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return {
            "in_use": self.in_use,
            "variant": vars(self.variant).copy(),
            "model": self.model.to_dict(),
            "segments": {name: model.to_dict() for name, model in self.segments.items()},
            "hazard": None if self.hazard is None else self.hazard.to_dict(),
            "facts": None if self.facts is None else {name: list(v) for name, v in vars(self.facts).items()},
            "evidence": dict(self.evidence),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "FittedSecondOrder":
        """The inverse of :meth:`to_dict`; ArtefactError where something is missing."""
        try:
            hazard, facts = values["hazard"], values["facts"]
            return cls(
                values["in_use"],
                Variant(**values["variant"]),
                BTYD.from_dict(values["model"]),
                {name: BTYD.from_dict(model) for name, model in values["segments"].items()},
                None if hazard is None else Hazard.from_dict(hazard),
                None if facts is None else _facts_from(facts),
                values["evidence"],
            )
        except (KeyError, TypeError) as error:
            raise ArtefactError(
                f"the second-order model cannot be read ({type(error).__name__}: {error}). Train again."
            ) from error


def fit(rows: pd.DataFrame, book: pd.DataFrame, seed: int) -> FittedSecondOrder:
    """Fit the contestants and put the simplest one that no other surely beats into use.

    Parameters
    ----------
    rows
        Snapshots of customers with one order day at earlier dates, with label-free columns (:func:`attach` of
        :mod:`models.label_free`), ``days_to_next_order`` and ``observed_days`` as known at the date of `book`; may be
        empty.
    book
        Every customer with an order at the date.

    Raises
    ------
    TooLittleData
        If the book is too small even for the label-free model.
    """
    variant = best_variant(rows, _MBG) if len(rows) else _MBG[0]
    whole = fit_book(book, variant, seed)
    days = DECIDING_HORIZON
    dates = matured_dates(rows, days)
    if len(dates) < MIN_DATES:
        return FittedSecondOrder(LABEL_FREE, variant, whole, evidence=told(days, pd.DataFrame(), []))
    dates = dates[-TEST_DATES:]
    trials = _trials(rows, book, dates)
    base, steps = climb(trials, (LABEL_FREE, BY_SEGMENT, HAZARD), seed)
    in_use, last = climb(trials.assign(**{FACTS: trials[base] + _added(rows, book, dates, base)}), (base, FACTS), seed)
    hazard = learn_hazard(rows) if base == HAZARD else None
    segments = fit_segments(book, variant, whole, seed) if base == BY_SEGMENT else {}
    facts = None
    if in_use == FACTS:
        facts = learn_facts(rows, book[book["order_days_ever"] == 1], starts(rows, base, variant, hazard))
    return FittedSecondOrder(in_use, variant, whole, segments, hazard, facts, told(days, trials, [*steps, *last]))


def climb(trials: pd.DataFrame, ladder: tuple[str, ...], seed: int) -> tuple[str, list[dict[str, Any]]]:
    """The last step of a ladder that surely loses less than the one below it, and every comparison.

    Parameters
    ----------
    trials
        ``customer_id``, ``as_of``, ``outcome`` and, per name of the ladder, out-of-time log-odds.
    ladder
        From the simplest up.

    Returns
    -------
    str, list of dict
        The name in use; per comparison ``candidate``, ``in_use``, ``log_loss`` and ``roc_auc`` (candidate less the one
        in use) with ``_low`` and ``_high`` of the 95 % interval, and ``taken``. Figures that do not exist are None.
    """
    keys = trials[["customer_id", "as_of", "outcome"]]
    judged = pd.concat(
        [keys.assign(contestant=name, probability=special.expit(trials[name])) for name in ladder], ignore_index=True
    )
    in_use, steps = ladder[0], []
    for candidate in ladder[1:]:
        if np.array_equal(trials[candidate], trials[in_use]):
            continue
        loss, auc = evaluation.differences(
            judged,
            [(candidate, in_use)],
            ["log_loss", "roc_auc"],
            repeats=REPEATS,
            rng=np.random.default_rng(seed),
        )
        taken = bool(loss.high < 0 and not auc.high < 0)
        step: dict[str, Any] = {"candidate": candidate, "in_use": in_use, "taken": taken}
        for found in (loss, auc):
            ends = {"": found.value, "_low": found.low, "_high": found.high}
            step |= {f"{found.metric}{end}": value if np.isfinite(value) else None for end, value in ends.items()}
        steps.append(step)
        in_use = candidate if taken else in_use
    return in_use, steps


def told(days: int, trials: pd.DataFrame, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """The evidence of a contest, JSON-safe."""
    counts = {"dates": "as_of", "customers": "customer_id"}
    found = {name: int(trials[of].nunique()) if len(trials) else 0 for name, of in counts.items()}
    return {"horizon_days": days, **found, "steps": steps}


def matured_dates(rows: pd.DataFrame, days: int) -> list[pd.Timestamp]:
    """Dates whose outcome for `days` is known, if both outcomes were seen; oldest first."""
    if rows.empty:
        return []
    outcome = no_order_within(rows, days).dropna()
    return sorted(rows.loc[outcome.index, "as_of"].unique()) if outcome.nunique() == 2 else []


def latency_of(rows: pd.DataFrame, book: pd.DataFrame) -> int:
    """Days by which the outcomes of `rows` are observed less long than to the date of `book`."""
    until = (rows["as_of"] + pd.to_timedelta(rows["observed_days"], unit="D")).max()
    return max(int((book["as_of"].max() - until).days), 0) if len(book) else 0


def known_before(rows: pd.DataFrame, day: pd.Timestamp, latency_days: int) -> pd.DataFrame:
    """Rows of dates before `day`, with their outcomes as known at it."""
    past = rows[rows["as_of"] < day]
    observed = (day - past["as_of"]).dt.days - latency_days
    seen = past["days_to_next_order"].where(past["days_to_next_order"] < observed)
    return past.assign(observed_days=observed, days_to_next_order=seen)


def learn_facts(
    rows: pd.DataFrame, singles: pd.DataFrame, start: Floats, horizons: tuple[int, ...] = HORIZONS
) -> Facts:
    """The regression on the matured part of `rows`, centred on the customers of `singles`.

    Every date of the past is centred on itself too and starts from the log-odds `start` (shape (n, horizons)) at that
    date's own level, so that what is learnt is who comes back, not how the level moved.
    """
    columns = tuple(name for name in READS if name in rows and name in singles)
    few = drawn(rows["customer_id"], MOST_ROWS / max(len(rows), 1)).to_numpy()
    known, start = rows[few], start[few]
    X = _matrix(known, columns)
    X = X - pd.DataFrame(X).groupby(known["as_of"].to_numpy()).transform("mean").to_numpy()
    spread = pd.DataFrame(X).std(ddof=0).to_numpy()
    spread = np.where(spread > 0, spread, 1.0)
    Z = np.nan_to_num(X / spread)
    lines = []
    for place, days in enumerate(HORIZONS):
        outcome = no_order_within(known, days)
        here = outcome.notna().to_numpy()
        if days not in horizons or not enough(outcome[here], minority=MIN_MINORITY):
            lines.append((0.0,) * Z.shape[1])
            continue
        offsets = level_offsets(pd.Series(start[here, place]), outcome[here], known.loc[here, "as_of"])
        found = ridge(Z[here], outcome[here].to_numpy(), start[here, place] + offsets, 1 / PENALTY)
        lines.append(tuple(map(float, found)))
    centre = pd.DataFrame(_matrix(singles, columns)).mean().fillna(0.0)
    return Facts(columns, tuple(map(float, centre)), tuple(map(float, spread)), tuple(lines))


def starts(rows: pd.DataFrame, base: str, variant: Variant, hazard: Hazard | None) -> Floats:
    """Log-odds of snapshots by the contestant that facts stand on, shape (n, horizons).

    Without a hazard, or where a segment has no fit, the label-free model of the whole book counts.
    """
    if base == HAZARD and hazard is not None:
        return hazard.margins(rows)
    whole = rows[[column(variant, days) for days in HORIZONS]].to_numpy(dtype="float64")
    names = [segment_column(variant, days) for days in HORIZONS]
    if base != BY_SEGMENT or names[0] not in rows:
        return whole
    own = rows[names].to_numpy(dtype="float64")
    return np.where(np.isnan(own), whole, own)


def _facts_from(values: Mapping[str, Any]) -> Facts:
    columns, centre, spread, lines = (values[name] for name in ("columns", "centre", "spread", "coefficients"))
    return Facts(tuple(columns), tuple(centre), tuple(spread), tuple(tuple(line) for line in lines))


def _known_at(
    rows: pd.DataFrame, book: pd.DataFrame, dates: list[pd.Timestamp]
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame, Variant]]:
    """Per date the customers that are judged, the past as known there, and the variant that it would have chosen."""
    latency = latency_of(rows, book)
    judged = rows[rows["as_of"].isin(dates)]
    judged = judged[drawn(judged["customer_id"], MOST_CUSTOMERS / max(judged["customer_id"].nunique(), 1))]
    for day, here in judged.groupby("as_of"):
        past = known_before(rows, pd.Timestamp(str(day)), latency)
        yield here, past, best_variant(past, _MBG) if len(past) else _MBG[0]


def _trials(rows: pd.DataFrame, book: pd.DataFrame, dates: list[pd.Timestamp]) -> pd.DataFrame:
    """What every contestant but the facts would have said at each date of the deciding horizon."""
    place, parts = HORIZONS.index(DECIDING_HORIZON), []
    for here, past, variant in _known_at(rows, book, dates):
        hazard = learn_hazard(past)
        said = {base: starts(here, base, variant, hazard)[:, place] for base in (LABEL_FREE, BY_SEGMENT, HAZARD)}
        outcome = no_order_within(here, DECIDING_HORIZON)
        parts.append(here[["customer_id", "as_of"]].assign(outcome=outcome, **said))
    return pd.concat(parts, ignore_index=True)


def _added(rows: pd.DataFrame, book: pd.DataFrame, dates: list[pd.Timestamp], base: str) -> Floats:
    """What the facts would have added at each date, in the order of :func:`_trials`."""
    place, parts = HORIZONS.index(DECIDING_HORIZON), []
    for here, past, variant in _known_at(rows, book, dates):
        start = starts(past, base, variant, learn_hazard(past) if base == HAZARD else None)
        singles = rows[rows["as_of"] == here["as_of"].iloc[0]]
        facts = learn_facts(past, singles, start, (DECIDING_HORIZON,))
        parts.append(facts.corrections(here)[:, place])
    return np.concatenate(parts)


def _matrix(frame: pd.DataFrame, columns: tuple[str, ...]) -> Floats:
    """Logarithms of the facts, and the time of the year of the first order; shape (n, columns + 2)."""
    age = frame["days_since_first_order"].to_numpy(dtype="float64")
    facts = []
    for name in columns:
        values = frame[name].to_numpy(dtype="float64")
        # A window of a year no longer holds the order by then; that is no fact about the order.
        values = np.where(age > YEAR, np.nan, values) if name.endswith("_365d") else values
        facts.append(np.log1p(np.maximum(values, 0)))
    first = frame["as_of"] - pd.to_timedelta(frame["days_since_first_order"], unit="D")
    turn = 2 * np.pi * first.dt.day_of_year.to_numpy(dtype="float64") / 365.25
    return np.column_stack([*facts, np.cos(turn), np.sin(turn)])
