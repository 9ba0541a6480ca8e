"""How important an account is: its rank from three cut-offs, and a score of five factors that says where it comes from.

Pure functions of snapshots. The cut-offs are in the project's currency: set them for the company.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from features.options import Value, option, resolved

option("rank_a_revenue", 100_000, "Net revenue of the past year from which on an account may be A.", "money")
option("rank_b_revenue", 20_000, "Net revenue of the past year from which on an account may be B.", "money")
option("rank_a_order_days", 12, "Order days of the past year from which on an account may be A.", "order days")
option("rank_b_order_days", 4, "Order days of the past year from which on an account may be B.", "order days")
option("rank_a_margin_share", 0.1, "Margin share of the past year from which on an account may be A.", "share")
option("rank_b_margin_share", 0.0, "Margin share of the past year from which on an account may be B.", "share")
option("rank_d_days", 180, "An account without an order for so many days is D, dormant.", "days")

#: Factor -> the weight that it has by default.
_WEIGHTS = {"volume": 0.35, "frequency": 0.2, "margin": 0.2, "growth": 0.15, "competition": 0.1}
for _factor, _weight in _WEIGHTS.items():
    option(f"importance_{_factor}_weight", _weight, f"Weight of an account's {_factor} in its importance.", "")

#: The three criteria of the rank: option -> column.
_CRITERIA = {"revenue": "revenue_365d", "order_days": "order_days_365d", "margin_share": "margin_share_365d"}


def rank_of(frame: pd.DataFrame, options: Mapping[str, Value] | None = None) -> pd.Series:
    """The rank that an account earns: A most important, B important, C normal, D dormant.

    An account is A (B) where its annual revenue, order days and margin share all reach the cut-offs of A (B); exactly
    on the cut-off is enough. A margin that is not known is not asked for. D comes first: no order for the days of
    `rank_d_days` or longer, or none at all.

    Parameters
    ----------
    frame
        ``revenue_365d``, ``order_days_365d``, ``days_since_last_order`` and, if there is one, ``margin_share_365d``.
    options
        Values of :mod:`features.options`; by default their defaults.

    Returns
    -------
    Series
        ``A``, ``B``, ``C`` or ``D`` (str) on the frame's index.
    """
    limit = _limits(options)
    reached = {}
    for rank in "ab":
        reached[rank] = pd.Series(True, index=frame.index)
        for criterion, column in _CRITERIA.items():
            if column in frame.columns:
                missing = frame[column].isna() & (criterion == "margin_share")
                reached[rank] &= (frame[column] >= limit[f"rank_{rank}_{criterion}"]) | missing
    dormant = ~(frame["days_since_last_order"] < limit["rank_d_days"])
    ranks = np.select([dormant, reached["a"], reached["b"]], ["D", "A", "B"], "C")
    return pd.Series(ranks, index=frame.index, dtype="str", name="earned_rank")


def importance_factors(frame: pd.DataFrame, options: Mapping[str, Value] | None = None) -> pd.DataFrame:
    """What each of five factors adds to an account's importance: the factor table.

    Volume, frequency and margin score their share of rank A's cut-off, at most 1. Growth scores 0 shrinking, .5 flat, 1
    expanding, as filed, else as the revenue of the last 90 days against the usual says (0 at none, .5 as usual, 1 at
    twice). Competition scores 1 where no other vendor is coming in and 0 where one is. The weight of what is not known
    is spread over the other factors.

    Parameters
    ----------
    frame
        ``revenue_365d``, ``order_days_365d`` and, as far as there are such, ``margin_share_365d``, ``growth_level`` (0
        to 2), ``revenue_90d_vs_usual`` and ``competitor_present`` (1 = yes), with an index that names the accounts.
    options
        Values of :mod:`features.options`; by default their defaults.

    Returns
    -------
    DataFrame
        One row per account and factor, the factors of an account together and in the order of their names here:
        ``account`` (the index of `frame`), ``factor`` (str), ``score`` (0 to 1, NaN where not known), ``weight`` (of
        an account they sum to 1) and ``points`` (100 times their product).
    """
    limit = _limits(options)
    unknown = pd.Series(np.nan, index=frame.index)

    def column(name: str) -> pd.Series:
        return frame[name] if name in frame.columns else unknown

    scores = pd.DataFrame(
        {
            "volume": _up_to(column("revenue_365d"), limit["rank_a_revenue"]),
            "frequency": _up_to(column("order_days_365d"), limit["rank_a_order_days"]),
            "margin": _up_to(column("margin_share_365d"), limit["rank_a_margin_share"]),
            "growth": (column("growth_level") / 2).fillna((column("revenue_90d_vs_usual") / 2).clip(0, 1)),
            "competition": 1 - column("competitor_present"),
        }
    )
    weights = pd.DataFrame({name: limit[f"importance_{name}_weight"] for name in scores}, index=frame.index)
    weights = weights.where(scores.notna(), 0.0)
    weights = weights.div(weights.sum(axis=1).replace(0.0, np.nan), axis=0)
    table = pd.DataFrame(
        {
            "account": np.repeat(frame.index.to_numpy(), scores.shape[1]),
            "factor": pd.Series(np.tile(scores.columns.to_numpy(), len(frame)), dtype="str"),
            "score": scores.to_numpy("float64").ravel(),
            "weight": weights.to_numpy("float64").ravel(),
        }
    )
    return table.assign(points=(100 * table["score"] * table["weight"]).fillna(0.0))


def importance_of(frame: pd.DataFrame, options: Mapping[str, Value] | None = None) -> pd.Series:
    """An account's importance from 0 to 100: the sum of the points of :func:`importance_factors`."""
    points = importance_factors(frame, options)["points"].to_numpy().reshape(len(frame), len(_WEIGHTS))
    return pd.Series(points.sum(axis=1), index=frame.index, name="importance")


def _up_to(values: pd.Series, cut_off: float) -> pd.Series:
    """The share of a cut-off that is reached, 0 to 1; a cut-off of 0 is reached from 0 on."""
    return (values / cut_off).clip(0, 1) if cut_off > 0 else (values >= 0).astype("float64").where(values.notna())


def _limits(options: Mapping[str, Value] | None) -> dict[str, float]:
    """The options that are numbers."""
    values = resolved({}) if options is None else options
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
