"""Which features a learner is given: those that say something, and each thing once.

Hundreds of features of twelve tables hold columns that are constant in this company, equal, or nearly so (orders of 85
and of 90 days). Left in, they cost time and split one reason over many names, and no learner here gained from them.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from features.labels import no_order_within
from features.registry import registered
from models.contestants import Training
from models.label_free import Variant, column
from models.offsets import level_offsets

Floats = NDArray[np.float64]

#: Of two columns of a dimension that correlate more, the one that is registered later is left out.
LARGEST_CORRELATION = 0.98
#: Rows that the correlations are measured on.
MEASURED_ROWS = 4_000
#: The horizon at which features are asked what they add.
ASKED_HORIZON = 90


def informative(rows: pd.DataFrame, columns: Sequence[str], seed: int = 0) -> tuple[str, ...]:
    """The columns without constants and without near-copies within their dimension.

    Parameters
    ----------
    rows
        Snapshots that are learnt from; unknown values count as the column's median, and being unknown as a value of
        its own.
    columns
        Candidates, in the order of the registry: the first of a group of near-copies stays.
    seed
        Of the rows drawn for the correlations.

    Returns
    -------
    tuple of str
        In the order of `columns`.
    """
    if rows.empty:
        return tuple(columns)
    drawn = rows
    if len(rows) > MEASURED_ROWS:
        drawn = rows.iloc[np.sort(np.random.default_rng(seed).choice(len(rows), MEASURED_ROWS, replace=False))]
    dimensions = {feature.name: feature.dimension for feature in registered()}
    by_dimension: dict[str, list[str]] = {}
    for name in columns:
        by_dimension.setdefault(dimensions[name], []).append(name)
    kept: set[str] = set()
    for names in by_dimension.values():
        kept.update(_without_copies(drawn[names].to_numpy(dtype="float64"), names))
    return tuple(name for name in columns if name in kept)


def _without_copies(X: Floats, names: Sequence[str]) -> list[str]:
    known = np.isfinite(X)
    usual = np.array(
        [np.median(column[here]) if here.any() else 0.0 for column, here in zip(X.T, known.T, strict=True)]
    )
    # Ranks: a logarithm or a cap of another column tells a tree nothing new.
    ranks = pd.DataFrame(np.where(known, X, usual)).rank().to_numpy()
    ranks = ranks - ranks.mean(axis=0)
    spread = np.sqrt((ranks**2).sum(axis=0))
    constant = (spread == 0) & (known.all(axis=0) | ~known.any(axis=0))
    scaled = ranks / np.where(spread > 0, spread, 1.0)
    alike = np.abs(scaled.T @ scaled) > LARGEST_CORRELATION
    # Columns that are unknown for other customers are never copies of each other.
    unlike = known.T.astype("float32") @ (~known).astype("float32")
    alike &= unlike + unlike.T <= (1 - LARGEST_CORRELATION) * len(X)
    kept: list[int] = []
    for place in np.flatnonzero(~constant):
        if not alike[place, kept].any():
            kept.append(int(place))
    return [names[place] for place in kept]


def strongest(training: Training, variant: Variant, count: int) -> tuple[str, ...]:
    """The `count` columns that tell most of what the label-free model leaves open, in their order.

    Each column is asked alone, by the score statistic of its ranks within their dates (Rao 1948, Mathematical
    Proceedings of the Cambridge Philosophical Society 44): how far silences beyond what the label-free model and the
    level of the date expect go with high or low places. All of them where nothing has matured.
    """
    if len(training.columns) <= count:
        return training.columns
    rows, places = training.ranked
    asked = ASKED_HORIZON
    outcome = no_order_within(rows, asked)
    if outcome.dropna().nunique() < 2:
        asked = min(training.horizons)
        outcome = no_order_within(rows, asked)
    if outcome.dropna().nunique() < 2:
        return training.columns
    known = outcome.notna().to_numpy()
    rows, places, outcome = rows[known], places[known], outcome[known]
    start = rows[column(variant, asked)]
    expected = special.expit(start.to_numpy() + level_offsets(start, outcome, rows["as_of"]))
    spread = np.sqrt((places**2).sum(axis=0))
    strength = np.abs(places.T @ (outcome.to_numpy() - expected)) / np.where(spread > 0, spread, 1.0)
    kept = set(np.argsort(-strength, kind="stable")[:count])
    return tuple(name for place, name in enumerate(training.columns) if place in kept)
