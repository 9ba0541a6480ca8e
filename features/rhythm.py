"""When a customer orders: recency, cycle, regularity, season.

A gap is the number of days between two consecutive order days. The cycle is the usual gap. Sums and spreads are
computed from integers, so that a value does not depend on the order of rows.
"""

import numpy as np
import pandas as pd
from scipy import special

from features import cutoffs
from features.cutoffs import GROSS
from features.registry import Baseline, feature
from features.relations import relation

WINDOWS = (30, 60, 90, 180, 365)
MEDIAN_GAP = "gap_median_days_ever"

#: Gaps of a typical customer that are added to an own history before its regularity is believed.
PRIOR_GAPS = 4.0

relation("order_days", ("transactions",), cutoffs.past("order_days"))
relation(
    "gaps",
    ("transactions",),
    "SELECT * FROM (SELECT as_of, customer_id, days_ago, "
    "lag(days_ago) OVER (PARTITION BY as_of, customer_id ORDER BY days_ago DESC) - days_ago AS gap_days, "
    "row_number() OVER (PARTITION BY as_of, customer_id ORDER BY days_ago) AS gap_no "
    f"FROM ({cutoffs.past('order_days')}) WHERE is_order) WHERE gap_days IS NOT NULL",
)


@feature("order_days", unit="days", concept="order_rhythm", usual=MEDIAN_GAP)
def days_since_last_order() -> str:
    """Days since the newest order."""
    return "min(days_ago) FILTER (is_order)"


@feature("order_days", unit="days", concept="tenure")
def days_since_first_order() -> str:
    """Days since the first known order."""
    return "max(days_ago) FILTER (is_order)"


@feature("order_days", unit="order days", concept="tenure")
def order_days_ever() -> str:
    """Days with an order over the whole past."""
    return "count(*) FILTER (is_order)"


@feature("order_days", unit="order days", concept="order_frequency", windows=WINDOWS, baseline=Baseline(90))
def order_days(past: str) -> str:
    """Days with an order."""
    return f"count(*) FILTER (is_order AND {past})"


@feature("order_days", unit="order days", concept="order_frequency", usual="order_days_90d_usual")
def order_days_prior_90d() -> str:
    """Days with an order in the 90 days before the last 90."""
    return "count(*) FILTER (is_order AND days_ago BETWEEN 91 AND 180)"


@feature("features", unit="ratio", concept="order_frequency")
def order_days_90d_vs_prior_90d() -> str:
    """Order days of the last 90 days against the 90 before, one added to both."""
    return "(order_days_90d + 1) / (order_days_prior_90d + 1)"


@feature("features", unit="order days per 90 days", concept="order_frequency")
def order_days_per_90d_ever() -> str:
    """Order days per 90 days since the first order."""
    return "CASE WHEN order_days_ever > 0 THEN 90 * order_days_ever / greatest(days_since_first_order, 30) END"


@feature("features", unit="ratio", concept="order_frequency")
def order_days_90d_vs_ever() -> str:
    """Order days of the last 90 days against the rate since the first order, one added to both."""
    return "(order_days_90d + 1) / (order_days_per_90d_ever + 1)"


@feature("order_days", unit="months", concept="order_frequency", windows=(365,))
def active_months(past: str) -> str:
    """30-day months with at least one order."""
    return f"count(DISTINCT (days_ago - 1) // 30) FILTER (is_order AND {past})"


@feature("gaps", unit="days", concept="cycle")
def gap_mean_days_ever() -> str:
    """Mean gap between order days."""
    return "avg(gap_days)"


@feature("gaps", unit="days", concept="cycle")
def gap_median_days_ever() -> str:
    """Median gap between order days: the order cycle."""
    return "quantile_cont(gap_days, 0.5)"


@feature("gaps", unit="days", concept="cycle")
def gap_q90_days_ever() -> str:
    """Gap that nine of ten gaps do not exceed."""
    return "quantile_cont(gap_days, 0.9)"


@feature("gaps", unit="days", concept="cycle", usual=MEDIAN_GAP)
def gap_max_days_ever() -> str:
    """Longest gap between order days."""
    return "max(gap_days)"


@feature("gaps", unit="days", concept="regularity")
def gap_sd_days_ever() -> str:
    """Standard deviation of the gaps; unknown below two gaps."""
    return (
        "CASE WHEN count(*) > 1 THEN sqrt(greatest(0, sum(gap_days * gap_days) "
        "- sum(gap_days) * sum(gap_days) / count(*)) / (count(*) - 1)) END"
    )


@feature("features", unit="ratio", concept="regularity")
def gap_cv_ever() -> str:
    """Standard deviation of the gaps against their mean: near 0 clockwork, near 1 by chance, above in bursts."""
    return "gap_sd_days_ever / nullif(gap_mean_days_ever, 0)"


@feature("gaps", unit="log days", concept="regularity")
def gap_log_mean_ever() -> str:
    """Mean natural logarithm of the gaps, to a millionth."""
    return "sum(CAST(round(ln(gap_days) * 1000000) AS BIGINT)) / 1000000.0 / count(*)"


@feature("gaps", unit="days", concept="cycle", usual=MEDIAN_GAP)
def last_gap_days() -> str:
    """Gap before the newest order."""
    return "max(gap_days) FILTER (gap_no = 1)"


@feature("gaps", unit="days", concept="cycle", usual=MEDIAN_GAP)
def last_3_gaps_mean_days() -> str:
    """Mean of the three newest gaps."""
    return "avg(gap_days) FILTER (gap_no <= 3)"


@feature("gaps", unit="days", concept="cycle")
def gap_before_last_3_mean_days() -> str:
    """Mean of all gaps but the three newest."""
    return "avg(gap_days) FILTER (gap_no > 3)"


@feature("features", unit="ratio", concept="cycle", usual="gap_before_last_3_mean_days")
def last_3_gaps_vs_usual() -> str:
    """Mean of the three newest gaps against the gaps before them, 7 days added to both."""
    return "(last_3_gaps_mean_days + 7) / (gap_before_last_3_mean_days + 7)"


@feature("features", unit="ratio", concept="cycle", usual=MEDIAN_GAP)
def last_gap_vs_usual() -> str:
    """Gap before the newest order against the mean gap, 7 days added to both."""
    return "(last_gap_days + 7) / (gap_mean_days_ever + 7)"


@feature("features", unit="cycles", concept="order_rhythm", usual=MEDIAN_GAP)
def days_since_last_order_vs_median_gap() -> str:
    """Days since the newest order, in own median gaps."""
    return "days_since_last_order / nullif(gap_median_days_ever, 0)"


@feature("features", unit="cycles", concept="order_rhythm", usual="gap_mean_days_ever")
def days_since_last_order_vs_mean_gap() -> str:
    """Days since the newest order, in own mean gaps."""
    return "days_since_last_order / nullif(gap_mean_days_ever, 0)"


@feature("features", unit="cycles", concept="order_rhythm", usual="gap_q90_days_ever")
def days_since_last_order_vs_q90_gap() -> str:
    """Days since the newest order against the gap that nine of ten gaps do not exceed."""
    return "days_since_last_order / nullif(gap_q90_days_ever, 0)"


@feature("features", unit="cycles", concept="order_rhythm", usual="gap_max_days_ever")
def days_since_last_order_vs_max_gap() -> str:
    """Days since the newest order against the longest gap."""
    return "days_since_last_order / nullif(gap_max_days_ever, 0)"


@feature("features", unit="standard deviations", concept="order_rhythm", usual=MEDIAN_GAP)
def days_since_last_order_z() -> str:
    """Days since the newest order beyond the mean gap, in standard deviations of the gaps (at least 3 days); unknown
    below two gaps.
    """
    spread = "CASE WHEN gap_sd_days_ever IS NOT NULL THEN greatest(gap_sd_days_ever, 3) END"
    return f"(days_since_last_order - gap_mean_days_ever) / ({spread})"


@feature("features", unit="share", concept="tenure")
def days_since_last_order_vs_tenure() -> str:
    """Days since the newest order as a share of the time since the first."""
    return "days_since_last_order / nullif(days_since_first_order, 0)"


@feature(
    "frame",
    unit="probability",
    concept="order_rhythm",
    usual=MEDIAN_GAP,
    reads=("order_days_ever", "gap_cv_ever", "days_since_last_order", "gap_mean_days_ever"),
)
def longer_gap_probability(frame: pd.DataFrame) -> pd.Series:
    """Chance of a gap as long as the present one if nothing has changed: gamma gaps with the customer's mean and a
    shrunk spread.

    The spread's square is pulled towards that of chance (1) by :data:`PRIOR_GAPS` gaps.
    """
    gaps = frame["order_days_ever"] - 1
    spread = (gaps * frame["gap_cv_ever"].fillna(1.0) ** 2 + PRIOR_GAPS) / (gaps + PRIOR_GAPS)
    shape = (1 / spread.clip(lower=0.05)).to_numpy()
    elapsed = frame["days_since_last_order"] / frame["gap_mean_days_ever"].where(lambda mean: mean > 0)
    return pd.Series(special.gammaincc(shape, shape * elapsed.to_numpy()), index=frame.index)


@feature("order_days", unit="order days", concept="season", usual="order_days_90d_usual")
def order_days_next_90d_last_year() -> str:
    """Days with an order in the 90 days that followed this date a year ago; unknown without that past."""
    return (
        "CASE WHEN max(days_ago) FILTER (is_order) > 275 "
        "THEN count(*) FILTER (is_order AND days_ago BETWEEN 276 AND 365) END"
    )


@feature("order_days", unit="order days", concept="season", usual="order_days_90d_usual")
def order_days_same_90d_last_year() -> str:
    """Days with an order in the same 90 days a year ago; unknown without that past."""
    return (
        "CASE WHEN max(days_ago) FILTER (is_order) > 365 "
        "THEN count(*) FILTER (is_order AND days_ago BETWEEN 366 AND 455) END"
    )


@feature("features", unit="ratio", concept="season", usual="order_days_same_90d_last_year")
def order_days_90d_vs_last_year() -> str:
    """Order days of the last 90 days against the same days a year ago, one added to both."""
    return "(order_days_90d + 1) / (order_days_same_90d_last_year + 1)"


@feature("features", unit="ratio", concept="season", usual="order_days_90d")
def season_ahead_vs_season_past() -> str:
    """Order days a year ago in the 90 days to come against those in the 90 days gone, one added to both."""
    return "(order_days_next_90d_last_year + 1) / (order_days_same_90d_last_year + 1)"


@feature("order_days", unit="share", concept="season")
def revenue_next_90d_last_year_share() -> str:
    """Share of the past year's gross order value that fell in the 90 days that followed this date a year ago."""
    return (
        "CASE WHEN max(days_ago) FILTER (is_order) > 275 "
        f"THEN coalesce(sum({GROSS}) FILTER (days_ago BETWEEN 276 AND 365), 0) "
        f"/ nullif(sum({GROSS}) FILTER (days_ago <= 365), 0) END"
    )


@feature("order_days", unit="share", concept="season")
def busiest_quarter_share_365d() -> str:
    """Share of the past year's gross order value that fell in the strongest of its four quarters of 91 days."""
    quarters = ", ".join(
        f"coalesce(sum({GROSS}) FILTER (days_ago BETWEEN {low} AND {low + 90}), 0)" for low in (1, 92, 183, 274)
    )
    return f"greatest({quarters}) / nullif(sum({GROSS}) FILTER (days_ago <= 364), 0)"


@feature("frame", unit="cosine", concept="season")
def time_of_year_cos(frame: pd.DataFrame) -> pd.Series:
    """Cosine of the time of the year: 1 at new year, -1 at midsummer."""
    return np.cos(2 * np.pi * frame["as_of"].dt.day_of_year / 365.25)


@feature("frame", unit="sine", concept="season")
def time_of_year_sin(frame: pd.DataFrame) -> pd.Series:
    """Sine of the time of the year: 1 in early April, -1 in early October."""
    return np.sin(2 * np.pi * frame["as_of"].dt.day_of_year / 365.25)
