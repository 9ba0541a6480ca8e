"""Is a fact itself unusual, on the side that worries? What is as ever is no reason, whatever a model makes of it.

A fact departs from the customer's own usual where that is known: by :data:`UNUSUAL` or more robust standard deviations
of the customer's own earlier windows, and a silence by being longer than nine of ten of the customer's own gaps. Where
there is no such past, it is compared with the other customers of the date: (value - median) / ((q75 - q25) / 1.349).
Where half of them have the same value, so that they have no spread, it is unusual beyond all but a tenth of them.

The limits (a robust z of 1.5 in size, or beyond the own 90 % quantile) are those of the project's rules for reasons; a
customer at random passes the first, on one side, about one time in fifteen if values are normal.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.registry import Feature, registered

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: A fact that is so many robust standard deviations off is unusual.
UNUSUAL = 1.5
#: The interquartile range of a normal distribution in standard deviations.
IQR_TO_SD = 1.349
#: What is compared with the other customers of a date: the columns of their spread.
QUANTILES = ("q10", "q25", "median", "q75", "q90")

#: The unit of a column that is a deviation from the customer's own past already.
_DEVIATION = "standard deviations"
_SILENCE = "days_since_last_order"
_SILENCE_IN_LONG_GAPS = "days_since_last_order_vs_q90_gap"
_LONG_GAP = "gap_q90_days_ever"


def unusual(frame: pd.DataFrame, features: Sequence[str], spread: pd.DataFrame) -> pd.DataFrame:
    """Which facts of which customers are unusual on the side that worries (:attr:`features.registry.Feature.worse`).

    Parameters
    ----------
    frame
        Snapshots with `features` as columns; where it also has their ``_z`` columns and the long gap of the customer,
        facts are held against the customer's own past.
    features
        Names of registered features. A feature that worries on neither side is unusual on both.
    spread
        The eligible customers of the same date: index feature, columns :data:`QUANTILES`. A feature that it does not
        have is compared with the customer's own past only.

    Returns
    -------
    DataFrame
        bool, index of `frame`, one column per feature. What is unknown is never unusual, and neither is a customer's
        own past level (``revenue_90d_usual``), which is no fact of its own.

    Raises
    ------
    KeyError
        If a feature is not registered or is no column of `frame`.
    """
    held = {one.name: one for one in registered()}
    known = [held[name] for name in features]
    value: Floats = frame[list(features)].to_numpy(dtype=np.float64)
    own = _own_deviations(frame, known)
    above, below = _beyond_peers(value, known, spread)
    from_own = ~np.isnan(own)
    above = np.where(from_own, own >= UNUSUAL, above)
    below = np.where(from_own, own <= -UNUSUAL, below)
    upwards = np.array([one.worse != "less" for one in known], dtype=bool)
    downwards = np.array([one.worse != "more" for one in known], dtype=bool)
    past = {one.usual for one in held.values() if one.usual is not None and one.usual.endswith("_usual")}
    fact = np.array([one.name not in past for one in known], dtype=bool)
    found = (above & upwards | below & downwards) & fact & ~np.isnan(value)
    return pd.DataFrame(found, index=frame.index, columns=list(features))


def _own_deviations(frame: pd.DataFrame, features: Sequence[Feature]) -> Floats:
    """Deviation from the customer's own past, shape (n, features); NaN where none is known.

    For a silence: infinite beyond the long gap, 0 within it.
    """
    silence = _beyond_long_gap(frame)
    unknown = np.full(len(frame), np.nan)
    columns = []
    for one in features:
        deviation = one.name if one.unit == _DEVIATION else f"{one.name.removesuffix('_vs_usual')}_z"
        if one.name == _SILENCE or one.name.startswith(f"{_SILENCE}_vs_"):
            columns.append(silence)
        elif deviation in frame:
            columns.append(frame[deviation].to_numpy(dtype=np.float64))
        else:
            columns.append(unknown)
    return np.stack(columns, axis=1) if columns else np.empty((len(frame), 0))


def _beyond_long_gap(frame: pd.DataFrame) -> Floats:
    """Infinite where the silence is longer than nine of ten of the customer's own gaps, else 0; NaN without a gap."""
    if _SILENCE_IN_LONG_GAPS in frame:
        gaps = frame[_SILENCE_IN_LONG_GAPS].to_numpy(dtype=np.float64)
    elif {_SILENCE, _LONG_GAP} <= set(frame):
        gaps = (frame[_SILENCE] / frame[_LONG_GAP]).to_numpy(dtype=np.float64)
    else:
        return np.full(len(frame), np.nan)
    return np.where(np.isnan(gaps), np.nan, np.where(gaps > 1, np.inf, 0.0))


def _beyond_peers(value: Floats, features: Sequence[Feature], spread: pd.DataFrame) -> tuple[Flags, Flags]:
    """Far above, and far below, the other customers of the date; each of shape (n, features)."""
    q10, q25, median, q75, q90 = spread.reindex([one.name for one in features])[list(QUANTILES)].to_numpy(float).T
    flag = np.array([one.unit == "flag" for one in features], dtype=bool)
    spreads = (q75 > q25) & ~flag
    far = UNUSUAL * (q75 - q25) / IQR_TO_SD
    # A flag is unusual only where nine of ten do not have it: its q90 is then 0, or its q10 is 1.
    high = np.where(spreads, median + far, np.where(flag & (q90 > 0), np.nan, q90))
    low = np.where(spreads, median - far, np.where(flag & (q10 < 1), np.nan, q10))
    return np.where(spreads, value >= high, value > high), np.where(spreads, value <= low, value < low)
