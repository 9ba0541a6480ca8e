"""How soon a second order comes: a discrete-time hazard by the age of the first one, without the shape of any law."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.labels import HORIZONS
from models.label_free import LIMIT

Floats = NDArray[np.float64]

#: Ages of the first order, in days, at which the hazard may change.
AGES = (0, 7, 14, 30, 60, 90, 120, 180, 240, 365, 540, 730)
#: Second orders without which there is no hazard, and as many as the pooled curve counts for in a segment's.
MIN_REPEATS = 30
SHRINK_REPEATS = 20.0


@dataclass(frozen=True)
class Hazard:
    """Chance of the second order on a day, given none before, by the age of the first one in :data:`AGES`.

    Attributes
    ----------
    pooled
        Per span of ages, over all customers.
    segments
        The same per segment, pulled towards the pooled curve: a segment of which the pooled curve expects n second
        orders in a span weighs n / (n + :data:`SHRINK_REPEATS`) there.
    """

    pooled: tuple[float, ...]
    segments: Mapping[str, tuple[float, ...]]

    def log_odds(self, frame: pd.DataFrame, days: int) -> Floats:
        """Log-odds of no second order within `days`, shape (n,)."""
        curves = np.array([self.pooled, *self.segments.values()])
        codes = {name: place + 1 for place, name in enumerate(self.segments)}
        which = frame["segment"].map(codes).fillna(0).to_numpy(dtype="int64")
        silent = _days_at(frame["days_since_first_order"].to_numpy(dtype="float64"), float(days))
        log_chance = (silent * np.log1p(-curves)[which]).sum(axis=1)
        return np.clip(log_chance - np.log(-np.expm1(log_chance)), -LIMIT, LIMIT)

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of no second order within each horizon, shape (n, horizons)."""
        return np.column_stack([self.log_odds(frame, days) for days in HORIZONS])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return {"pooled": list(self.pooled), "segments": {name: list(curve) for name, curve in self.segments.items()}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Hazard":
        """The inverse of :meth:`to_dict`."""
        return cls(tuple(values["pooled"]), {name: tuple(curve) for name, curve in values["segments"].items()})


def learn_hazard(rows: pd.DataFrame) -> Hazard | None:
    """The hazard from all rows, unmatured ones too; None below :data:`MIN_REPEATS` second orders.

    A customer counts once, from its oldest snapshot to the second order or to where observation ends: it is at risk
    from when it was first seen without a second order (Kaplan & Meier 1958, JASA 53, 457-481, with delayed entry). A
    span of ages nobody was seen in goes on as the one before it.
    """
    seen = rows[rows["observed_days"] > 0].sort_values("as_of").drop_duplicates("customer_id")
    came = (seen["days_to_next_order"] < seen["observed_days"]).to_numpy(dtype=bool)
    if came.sum() < MIN_REPEATS:
        return None
    age = seen["days_since_first_order"].to_numpy(dtype="float64")
    # The day of the second order was at risk as well.
    watched = np.where(came, seen["days_to_next_order"].to_numpy() + 1, seen["observed_days"].to_numpy())
    exposed = _days_at(age, watched)
    span = np.searchsorted(AGES, age + watched - 1, side="right") - 1
    repeats = np.zeros_like(exposed)
    repeats[np.flatnonzero(came), span[came]] = 1
    rate, pooled = repeats.sum() / exposed.sum(), []
    for of_span, days in zip(repeats.sum(axis=0), exposed.sum(axis=0), strict=True):
        rate = (of_span + 1) / (days + 1 / rate)
        pooled.append(float(rate))
    segments = {}
    for name, places in pd.Series(np.arange(len(seen))).groupby(seen["segment"].to_numpy()):
        here = places.to_numpy()
        counts, days = repeats[here].sum(axis=0), exposed[here].sum(axis=0)
        own = (counts + SHRINK_REPEATS) / (days + SHRINK_REPEATS / np.array(pooled))
        segments[str(name)] = tuple(map(float, own))
    return Hazard(tuple(pooled), segments)


def _days_at(age: Floats, days: Floats | float) -> Floats:
    """Days of [age, age + days) in each span of :data:`AGES`, shape (n, spans)."""
    low, high = np.array(AGES, dtype="float64"), np.array([*AGES[1:], np.inf])
    return np.clip(np.minimum((age + days)[:, None], high) - np.maximum(age[:, None], low), 0, None)
