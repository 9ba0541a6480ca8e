"""The time of the year: the same days a year ago, the season of the segment, and days in which a customer buys at all.

A segment's season is its order days in a part of last year against an even spread over the year: 1 is none. A
customer's open season are the months in which it has ordered, once its orders span nearly a whole year: the off-season
of a yearly buyer is no silence.
"""

import numpy as np
import pandas as pd

from features.cutoffs import GROSS
from features.registry import feature, ratio_of
from features.transactions import ORDER_VALUE

#: Days between the first and the newest order from which on the months without an order are known to be closed.
YEAR_KNOWN_DAYS = 330


@feature("order_days", unit="order days", concept="background", usual="order_days_90d_usual")
def order_days_next_90d_last_year() -> str:
    """Days with an order in the 90 days that followed this date a year ago; unknown without that past."""
    return (
        "CASE WHEN max(days_ago) FILTER (is_order) > 275 "
        "THEN count(*) FILTER (is_order AND days_ago BETWEEN 276 AND 365) END"
    )


@feature("order_days", unit="order days", concept="background", usual="order_days_90d_usual")
def order_days_same_90d_last_year() -> str:
    """Days with an order in the same 90 days a year ago; unknown without that past."""
    return (
        "CASE WHEN max(days_ago) FILTER (is_order) > 365 "
        "THEN count(*) FILTER (is_order AND days_ago BETWEEN 366 AND 455) END"
    )


@feature("features", unit="ratio", concept="background", worse="less", usual="order_days_same_90d_last_year")
def order_days_90d_vs_last_year() -> str:
    """Order days of the last 90 days against the same days a year ago, one added to both."""
    return "(order_days_90d + 1) / (order_days_same_90d_last_year + 1)"


@feature("features", unit="ratio", concept="background", usual="order_days_90d")
def season_ahead_vs_season_past() -> str:
    """Order days a year ago in the 90 days to come against those in the 90 days gone, one added to both."""
    return "(order_days_next_90d_last_year + 1) / (order_days_same_90d_last_year + 1)"


@feature("order_days", unit="share", concept="background")
def revenue_next_90d_last_year_share() -> str:
    """Share of the past year's gross order value that fell in the 90 days that followed this date a year ago."""
    return (
        "CASE WHEN max(days_ago) FILTER (is_order) > 275 "
        f"THEN coalesce(sum({GROSS}) FILTER (days_ago BETWEEN 276 AND 365), 0) "
        f"/ nullif(sum({GROSS}) FILTER (days_ago <= 365), 0) END"
    )


@feature("order_days", unit="share", concept="background")
def busiest_quarter_share_365d() -> str:
    """Share of the past year's gross order value that fell in the strongest of its four quarters of 91 days."""
    quarters = ", ".join(
        f"coalesce(sum({GROSS}) FILTER (days_ago BETWEEN {low} AND {low + 90}), 0)" for low in (1, 92, 183, 274)
    )
    return f"greatest({quarters}) / nullif(sum({GROSS}) FILTER (days_ago <= 364), 0)"


@feature("frame", unit="cosine", concept="background")
def time_of_year_cos(frame: pd.DataFrame) -> pd.Series:
    """Cosine of the time of the year: 1 at new year, -1 at midsummer."""
    return np.cos(2 * np.pi * frame["as_of"].dt.day_of_year / 365.25)


@feature("frame", unit="sine", concept="background")
def time_of_year_sin(frame: pd.DataFrame) -> pd.Series:
    """Sine of the time of the year: 1 in early April, -1 in early October."""
    return np.sin(2 * np.pi * frame["as_of"].dt.day_of_year / 365.25)


@feature("order_days", unit="order days", concept="background")
def order_days_next_30d_last_year() -> str:
    """Days with an order in the 30 days that followed this date a year ago; unknown without that past."""
    return (
        "CASE WHEN max(days_ago) FILTER (is_order) > 335 "
        "THEN count(*) FILTER (is_order AND days_ago BETWEEN 336 AND 365) END"
    )


def _against_even(part: str, whole: str, years: float, known: str) -> str:
    """SQL of the order days of a season over the customers who were there, against an even spread over the year."""
    counted = f"sum(CAST(round({part}) AS BIGINT)) FILTER ({known})"
    return f"{counted} / nullif(sum(CAST(round({whole}) AS BIGINT)) FILTER ({known}) * {years}, 0)"


@feature("segment", unit="ratio", concept="background")
def segment_season_next_30d_vs_even() -> str:
    """Order days of the segment a year ago in the 30 days to come, against an even spread over the past year."""
    return _against_even("order_days_next_30d_last_year", "order_days_365d", 30 / 365, "days_since_first_order > 365")


@feature("segment", unit="ratio", concept="background")
def segment_season_next_90d_vs_even() -> str:
    """Order days of the segment a year ago in the 90 days to come, against an even spread over the past year."""
    return _against_even("order_days_next_90d_last_year", "order_days_365d", 90 / 365, "days_since_first_order > 365")


@feature("segment", unit="ratio", concept="background")
def segment_season_past_90d_vs_even() -> str:
    """Order days of the segment a year ago in the 90 days gone, against an even spread over the year before them."""
    year_before = "order_days_90d_usual * 365 / 90"
    return _against_even("order_days_same_90d_last_year", year_before, 90 / 365, "days_since_first_order > 455")


def _against_season(recent: str, pseudo: str) -> str:
    usual = f"{recent}_usual * segment_season_past_90d_vs_even"
    return f"CASE WHEN {usual} IS NOT NULL THEN {ratio_of(recent, usual, pseudo)} END"


@feature("peers", unit="ratio", concept="background", worse="less")
def order_days_90d_vs_season_usual() -> str:
    """Order days of the last 90 days against the customer's own usual at this time of the year, one added to both."""
    return _against_season("order_days_90d", "1")


@feature("peers", unit="ratio", concept="background", worse="less")
def revenue_90d_vs_season_usual() -> str:
    """Net revenue of the last 90 days against the customer's own usual at this time of the year, one usual order added
    to both.
    """
    return _against_season("revenue_90d", ORDER_VALUE)


@feature("peers", unit="order days", concept="background", usual="order_days_90d_usual")
def order_days_expected_next_90d() -> str:
    """Order days to expect in the next 90 days. Those of the past year, spread as the segment's season says."""
    usual = "order_days_365d * 90 / least(365, greatest(90, days_since_first_order))"
    return f"CASE WHEN order_days_ever > 0 THEN {usual} * segment_season_next_90d_vs_even END"


@feature("order_days", unit="months", concept="background", internal=True)
def order_months() -> str:
    """The months of the year with an order, as the bits of a number: January is 1, December 2048."""
    return "bit_or(1 << (month(day) - 1)) FILTER (is_order)"


_OPEN = ("order_months", "days_since_first_order", "days_since_last_order")


def _open_months(frame: pd.DataFrame) -> np.ndarray:
    """For each row, which months of the year are open: all of them while less than a year is known."""
    months = frame["order_months"].fillna(0).to_numpy("int64")
    known = (frame["days_since_first_order"] - frame["days_since_last_order"] >= YEAR_KNOWN_DAYS).to_numpy()
    return ((months[:, None] >> np.arange(12)) & 1).astype(bool) | ~known[:, None]


def _open_share(frame: pd.DataFrame) -> np.ndarray:
    """The share of the year that lies in the open months of each row."""
    lengths = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    return (_open_months(frame) * lengths).sum(axis=1) / lengths.sum()


def _open_days(frame: pd.DataFrame) -> np.ndarray:
    """The days of the open months from the newest order on, the order's own day included, the cutoff's not."""
    if not len(frame):
        return np.zeros(0)
    since = frame["days_since_last_order"].fillna(0).to_numpy("int64")
    end = frame["as_of"].to_numpy("datetime64[D]").astype("int64")
    first = (end - since).min()
    month = np.arange(first, end.max()).astype("datetime64[D]").astype("datetime64[M]").astype("int64") % 12
    before = np.vstack([np.zeros((1, 12), "int64"), np.cumsum(month[:, None] == np.arange(12), axis=0)])
    passed = before[end - first] - before[end - since - first]
    return (passed * _open_months(frame)).sum(axis=1)


def _of_orders(values: np.ndarray, frame: pd.DataFrame) -> pd.Series:
    """The values on the frame's index, missing for a customer without an order."""
    return pd.Series(values, index=frame.index, dtype="float64").where(frame["days_since_last_order"].notna())


@feature("frame", unit="share", concept="background", reads=_OPEN)
def open_season_share(frame: pd.DataFrame) -> pd.Series:
    """Share of the year that lies in months in which the customer has ordered. 1 while less than a year is known."""
    return _of_orders(_open_share(frame), frame)


@feature("frame", unit="days", concept="background", worse="more", usual="gap_median_days_ever", reads=_OPEN)
def open_season_days_since_last_order(frame: pd.DataFrame) -> pd.Series:
    """Days since the newest order, counted only in months in which the customer has ordered. All days while less than
    a year is known.

    A buyer of every March has 22 of them from 10 March to the end of February.
    """
    return _of_orders(_open_days(frame), frame)


@feature("frame", unit="cycles", concept="background", worse="more", reads=(*_OPEN, "gap_mean_days_ever"))
def open_season_days_since_last_order_vs_gap(frame: pd.DataFrame) -> pd.Series:
    """Days since the newest order in the customer's open season, against its mean gap in the open season."""
    return _of_orders(_open_days(frame), frame) / (frame["gap_mean_days_ever"] * _open_share(frame))
