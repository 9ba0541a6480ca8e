"""BG/NBD and MBG/CNBD-k as contestants: P(no order in the window), fitted without any outcome.

A model is fitted on every customer known at a cutoff and judged by P(no order within the horizon), never by 1 -
P(alive): the question is whether the customer will order, not whether a coin of the model has come down.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from features.labels import HORIZONS, no_order_within
from features.snapshots import Progress, silent
from models.btyd import BTYD
from models.contestants import Training

Floats = NDArray[np.float64]


#: Log-odds are kept within these bounds (a chance of one in 22,000): silence is never certain.
LIMIT = 10.0
#: Days of the horizon that customers of projects are asked about; the others have no use for it.
YEAR = 365
#: A segment with fewer customers is not fitted by itself.
SEGMENT_CUSTOMERS = 500
#: Customers of a segment that its fit is made of: it only has to say how the segment differs from the whole book.
SEGMENT_SAMPLE = 5_000


@dataclass(frozen=True)
class Variant:
    """One member of the family: regularity `k` of the gaps, and whether a customer may drop out after the first
    purchase."""

    name: str
    k: int
    dropout_at_zero: bool


BGNBD = Variant("bgnbd", 1, dropout_at_zero=False)
VARIANTS = (
    BGNBD,
    Variant("mbgcnbd1", 1, dropout_at_zero=True),
    Variant("mbgcnbd2", 2, dropout_at_zero=True),
    Variant("mbgcnbd3", 3, dropout_at_zero=True),
)


def history(frame: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Repeat order days, age at the last order and age at the cutoff (days since the first order) of each row."""
    age = frame["days_since_first_order"].to_numpy(dtype="float64")
    repeats = frame["order_days_ever"].to_numpy(dtype="float64") - 1
    return repeats, age - frame["days_since_last_order"].to_numpy(dtype="float64"), age


def log_odds(model: BTYD, frame: pd.DataFrame, horizons: tuple[int, ...] = HORIZONS) -> Floats:
    """Log-odds of no order within each horizon, shape (n, horizons)."""
    chances = np.column_stack([model.p_no_order(*history(frame), days) for days in horizons])
    return np.clip(special.logit(chances), -LIMIT, LIMIT)


def fit_book(book: pd.DataFrame, variant: Variant, seed: int) -> BTYD:
    """Fit a variant on every customer of a book who has ordered."""
    ordered = book[book["order_days_ever"] >= 1]
    return BTYD.fit(
        *history(ordered), k=variant.k, dropout_at_zero=variant.dropout_at_zero, rng=np.random.default_rng(seed)
    )


def fit_segments(book: pd.DataFrame, variant: Variant, whole: BTYD, seed: int) -> dict[str, BTYD]:
    """Fit a variant on each segment with at least :data:`SEGMENT_CUSTOMERS` customers who have ordered.

    A segment that is the whole book is not fitted twice.

    Parameters
    ----------
    whole
        The variant's fit on the whole book, from which each segment's starts.
    """
    ordered = book[book["order_days_ever"] >= 1]
    fitted = {}
    for name, part in ordered.groupby("segment"):
        if SEGMENT_CUSTOMERS <= len(part) < len(ordered) and (part["order_days_ever"] > 1).any():
            fitted[str(name)] = BTYD.fit(
                *history(part),
                k=variant.k,
                dropout_at_zero=variant.dropout_at_zero,
                sample=SEGMENT_SAMPLE,
                near=whole,
                rng=np.random.default_rng(seed),
            )
    return fitted


def log_odds_by_segment(whole: BTYD, segments: Mapping[str, BTYD], frame: pd.DataFrame) -> Floats:
    """Log-odds of no order within each horizon, each row by the fit of its segment or else of the whole book."""
    margins = log_odds(whole, frame)
    for name, model in segments.items():
        here = (frame["segment"] == name).to_numpy(dtype=bool)
        margins[here] = log_odds(model, frame[here])
    return margins


def column(variant: Variant, days: int) -> str:
    """Name of the column that holds a variant's log-odds."""
    return f"{variant.name}_{days}"


def segment_column(variant: Variant, days: int) -> str:
    """Name of the column that holds a variant's log-odds by the fit of the customer's segment."""
    return f"{variant.name}_{days}_by_segment"


def attach(frame: pd.DataFrame, seed: int, progress: Progress = silent) -> pd.DataFrame:
    """The frame with each variant's log-odds per horizon, fitted on the book of each date: no row sees a later one.

    Besides :data:`features.labels.HORIZONS` there is :data:`YEAR`. Customers with one order day have the log-odds by
    the fit of their segment as well, as columns that are there only where some segment is large enough.
    """
    parts = []
    books = list(frame[frame["order_days_ever"] >= 1].groupby("as_of", sort=True))
    for step, (as_of, book) in enumerate(books):
        progress(f"order rhythms known on {pd.Timestamp(str(as_of)):%Y-%m-%d}", step / len(books))
        columns: dict[str, Floats] = {}
        for variant in VARIANTS:
            columns |= _of_date(book, variant, seed)
        parts.append(pd.DataFrame(columns, index=book.index))
    return frame.join(pd.concat(parts))


def _of_date(book: pd.DataFrame, variant: Variant, seed: int) -> dict[str, Floats]:
    """The columns of one variant at one date."""
    whole = fit_book(book, variant, seed)
    horizons = (*HORIZONS, YEAR)
    margins = log_odds(whole, book, horizons)
    columns = {column(variant, days): margins[:, i] for i, days in enumerate(horizons)}
    single = (book["order_days_ever"] == 1).to_numpy()
    # A BG/NBD customer cannot drop out after one order: no contestant for those who have one only.
    if variant.dropout_at_zero and single.any() and (segments := fit_segments(book, variant, whole, seed)):
        own = np.full((len(book), len(HORIZONS)), np.nan)
        own[single] = log_odds_by_segment(whole, segments, book[single])
        columns |= {segment_column(variant, days): own[:, i] for i, days in enumerate(HORIZONS)}
    return columns


def best_variant(rows: pd.DataFrame, candidates: tuple[Variant, ...], slices: int = 6) -> Variant:
    """The variant with the lowest log loss on the newest matured dates; the first one where none has matured."""
    losses = dict.fromkeys(candidates, 0.0)
    for days in HORIZONS:
        outcome = no_order_within(rows, days)
        matured = rows[outcome.notna()]
        newest = matured[matured["as_of"].isin(sorted(matured["as_of"].unique())[-slices:])]
        y = outcome.loc[newest.index].to_numpy()
        for variant in candidates:
            margin = newest[column(variant, days)].to_numpy()
            losses[variant] += float(np.sum(np.logaddexp(0, margin) - y * margin)) / max(len(y), 1)
    return min(candidates, key=lambda variant: losses[variant])


@dataclass(frozen=True)
class LabelFree:
    """The family as a contestant: among `candidates`, the one that did best on matured dates, fitted on the book of
    the cutoff."""

    name: str
    candidates: tuple[Variant, ...]

    def fit(self, training: Training) -> "FittedLabelFree":
        """Choose and fit."""
        variant = best_variant(training.rows, self.candidates)
        return FittedLabelFree(variant, fit_book(training.book, variant, training.seed))


@dataclass(frozen=True)
class FittedLabelFree:
    """A fitted variant."""

    variant: Variant
    model: BTYD

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of no order within each horizon, shape (n, horizons)."""
        return log_odds(self.model, frame)


BGNBD_CONTESTANT = LabelFree("bgnbd", (BGNBD,))
MBGCNBD_CONTESTANT = LabelFree("mbgcnbd", VARIANTS[1:])
