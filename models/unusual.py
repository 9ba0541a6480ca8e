"""Is a fact itself unusual, on the side that worries? What is as ever is no reason, whatever a model makes of it.

A fact departs from the customer's own usual where that is known: by :data:`UNUSUAL` or more robust standard deviations
of the customer's own earlier windows, and a silence by being longer than nine of ten of the customer's own gaps. Where
there is no such past, it is compared with the other customers of the date: (value - median) / ((q75 - q25) / 1.349).
Where half of them have the same value, so that they have no spread, it is unusual beyond all but a tenth of them.

On the other side of the usual a fact is a comfort: it speaks against a warning.

The limits (a robust z of 1.5 in size, or beyond the own 90 % quantile) are those of the project's rules for reasons; a
customer at random passes the first, on one side, about one time in fifteen if values are normal.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.passes import QUANTILES
from features.registry import Feature, registered

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: A fact that is so many robust standard deviations off is unusual.
UNUSUAL = 1.5
#: Farther off than this is no more unusual.
MOST = 6.0
#: The interquartile range of a normal distribution in standard deviations.
IQR_TO_SD = 1.349

#: The unit of a column that is a deviation from the customer's own past already.
_DEVIATION = "standard deviations"
#: Columns that hold a comparison and not the quantity itself.
_VIEW = re.compile(r"_(vs_[a-z0-9_]+|z)$")
_SILENCE = "days_since_last_order"
#: The silence in gaps of the customer's own, the long one and the usual one, and the gaps themselves.
_GAPS = (
    ("days_since_last_order_vs_q90_gap", "gap_q90_days_ever"),
    ("days_since_last_order_vs_median_gap", "gap_median_days_ever"),
)


@dataclass(frozen=True)
class Facts:
    """What can be said of the facts of n customers; bool, index of the snapshots, one column per feature.

    Attributes
    ----------
    unusual
        The fact departs far on the side that worries (:attr:`features.registry.Feature.worse`); of a feature that
        worries on neither side, on any.
    comforting
        The fact lies on the other side: no worse than is usual for the customer, or better than its peers' median.
        Never of a feature without a side.
    """

    unusual: pd.DataFrame
    comforting: pd.DataFrame


def facts(frame: pd.DataFrame, features: Sequence[str], spread: pd.DataFrame) -> Facts:
    """Which facts of which customers are unusual, and which are a comfort.

    Parameters
    ----------
    frame
        Snapshots with `features` as columns; where it also has their ``_z`` columns, the usual and the long gap of the
        customer, facts are held against the customer's own past.
    features
        Names of registered features.
    spread
        The eligible customers of the same date: index feature, columns :data:`~features.passes.QUANTILES`. A feature
        that it does not have is compared with the customer's own past only.

    Returns
    -------
    Facts
        What is unknown is neither, and so is a customer's own past level (``revenue_90d_usual``), which is no fact of
        its own.

    Raises
    ------
    KeyError
        If a feature is not registered or is no column of `frame`.
    """
    held = {one.name: one for one in registered()}
    known = [held[name] for name in features]
    value: Floats = frame[list(features)].to_numpy(dtype=np.float64)
    own = _own_deviations(frame, known)
    above, below, better, lower = _beside_peers(value, known, spread)
    from_own = ~np.isnan(own)
    above = np.where(from_own, own >= UNUSUAL, above)
    below = np.where(from_own, own <= -UNUSUAL, below)
    said, usual = _told(frame, known, held)
    # No farther than is usual for the customer is not unusual, however far from its peers.
    above, below = above & ~(said <= usual), below & ~(said >= usual)
    known_usual = ~np.isnan(said) & ~np.isnan(usual)
    better, lower = np.where(known_usual, said >= usual, better), np.where(known_usual, said <= usual, lower)
    better, lower = np.where(from_own, own >= 0, better), np.where(from_own, own <= 0, lower)
    more = np.array([one.worse == "more" for one in known], dtype=bool)
    less = np.array([one.worse == "less" for one in known], dtype=bool)
    past = {one.usual for one in held.values() if one.usual is not None and one.usual.endswith("_usual")}
    told = np.array([one.name not in past for one in known], dtype=bool) & ~np.isnan(value)
    odd, calm = (above & ~less | below & ~more) & told, (lower & more | better & less) & told

    def framed(flags: Flags) -> pd.DataFrame:
        return pd.DataFrame(flags, index=frame.index, columns=list(features))

    return Facts(framed(odd), framed(calm))


def how_unusual(frame: pd.DataFrame, concepts: Sequence[str]) -> Floats:
    """How far the most unusual fact of each concept departs on the side that worries, shape (n, concepts).

    In robust standard deviations of the customer's own earlier windows, at most :data:`MOST` in size; 0 where no such
    fact is known. Every registered deviation that `frame` has counts, whether a model reads it or not.
    """
    found = np.zeros((len(frame), len(concepts)))
    for i, concept in enumerate(concepts):
        sides = {
            one.name: 1.0 if one.worse == "more" else -1.0
            for one in registered()
            if one.concept == concept and one.unit == _DEVIATION and one.worse and one.name in frame
        }
        if sides:
            deviation = frame[list(sides)].to_numpy(dtype=np.float64) * np.array(list(sides.values()))
            found[:, i] = np.clip(np.nan_to_num(deviation, nan=0.0), -MOST, MOST).max(axis=1)
    return found


def _own_deviations(frame: pd.DataFrame, features: Sequence[Feature]) -> Floats:
    """Deviation from the customer's own past, shape (n, features); NaN where none is known.

    For a silence: infinite beyond the long gap, 1 within it, minus infinite within the usual one.
    """
    silence = _beyond_gaps(frame)
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


def _told(frame: pd.DataFrame, features: Sequence[Feature], held: Mapping[str, Feature]) -> tuple[Floats, Floats]:
    """The quantity that is told of each feature and what is usual of it, each of shape (n, features); NaN if unknown.

    A comparison is told through the quantity that it compares.
    """
    unknown = np.full(len(frame), np.nan)
    told = [held.get(_VIEW.sub("", one.name), one) for one in features]
    pairs = [(one.name, one.usual) if one.usual in frame and one.name in frame else None for one in told]
    columns = [(unknown, unknown) if pair is None else tuple(frame[list(pair)].to_numpy(float).T) for pair in pairs]
    if not columns:
        return np.empty((len(frame), 0)), np.empty((len(frame), 0))
    said, usual = (np.stack(side, axis=1) for side in zip(*columns, strict=True))
    return said, usual


def _beyond_gaps(frame: pd.DataFrame) -> Floats:
    """Infinite where the silence is longer than nine of ten of the customer's own gaps; minus infinite where it is no
    longer than half of them; 1 between, 0 where the half is not known; NaN without a gap.
    """
    long, usual = (_in_gaps(frame, name, gap) for name, gap in _GAPS)
    found = np.where(long > 1, np.inf, np.where(np.isnan(usual), 0.0, np.where(usual > 1, 1.0, -np.inf)))
    return np.where(np.isnan(long), np.nan, found)


def _in_gaps(frame: pd.DataFrame, name: str, gap: str) -> Floats:
    """The silence in gaps of one kind; NaN where it is unknown."""
    if name in frame:
        return frame[name].to_numpy(dtype=np.float64)
    if {_SILENCE, gap} <= set(frame):
        return (frame[_SILENCE] / frame[gap]).to_numpy(dtype=np.float64)
    return np.full(len(frame), np.nan)


def _beside_peers(value: Floats, features: Sequence[Feature], spread: pd.DataFrame) -> tuple[Flags, ...]:
    """Far above, far below, above and below the other customers of the date; each of shape (n, features)."""
    q10, q25, median, q75, q90 = spread.reindex([one.name for one in features])[list(QUANTILES)].to_numpy(float).T
    flag = np.array([one.unit == "flag" for one in features], dtype=bool)
    spreads = (q75 > q25) & ~flag
    far = UNUSUAL * (q75 - q25) / IQR_TO_SD
    # A flag is unusual only where nine of ten do not have it: its q90 is then 0, or its q10 is 1.
    high = np.where(spreads, median + far, np.where(flag & (q90 > 0), np.nan, q90))
    low = np.where(spreads, median - far, np.where(flag & (q10 < 1), np.nan, q10))
    above, below = np.where(spreads, value >= high, value > high), np.where(spreads, value <= low, value < low)
    return above, below, value > median, value < median
