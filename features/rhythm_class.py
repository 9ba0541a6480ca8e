"""Rhythm class: regular, irregular, seasonal, project, new or dormant, and what the sequence of the gaps tells.

The numbers that decide a class are features; their limits are options. A seasonal customer has most of its revenue in
the same few months in each of two years; one of projects orders in bursts with long silences between them.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from features import cutoffs
from features.cutoffs import GROSS
from features.options import Value, option, resolved
from features.registry import feature
from features.relations import RELATIONS, relation
from features.rhythm import PRIOR_GAPS
from features.transactions import fading

SEASON_MONTHS = option("season_months", 4, "A season is at most so many of the year's twelve months.", "months")
BURST_SILENCE_DAYS = option(
    "burst_silence_days", 90, "A gap between orders that is longer ends a burst of orders.", "days"
)
LAPSE_DAYS = option("lapse_min_days", 45, "A gap of no more days was no lapse, however short the usual ones.", "days")
LAPSE_QUANTILES = option(
    "lapse_gap_multiple", 2, "A gap beyond so many times the customer's usual long gap was a lapse.", "times"
)
DORMANT_DAYS = option("dormant_days", 365, "A customer without an order for longer may be dormant.", "days")
option("season_revenue_share", 0.7, "Share of a year's revenue that the months of a season must hold.", "share")
option("season_known_days", 640, "Days since the first order from which on two years' seasons can be compared.", "days")
option("project_gap_cv", 1.5, "Spread of the gaps against their mean from which on orders come in bursts.", "times")
option("project_silent_share", 0.5, "Share of the time in silences from which on orders come in bursts.", "share")
option("project_bursts_per_year", 3, "A customer of projects has at most so many bursts of orders a year.", "bursts")
option("regular_gap_cv", 0.6, "Spread of the gaps against their mean up to which a customer is regular.", "times")
option("new_customer_days", 90, "A customer is new for so many days after its first order.", "days")
option("new_customer_order_days", 3, "A customer with fewer order days is new.", "order days")

#: What a customer's rhythm may be, and the columns that decide it.
CLASSES: Mapping[str, tuple[str, ...]] = {
    "dormant": ("days_since_last_order", "gap_max_days_ever"),
    "new": ("order_days_ever", "days_since_first_order"),
    "seasonal": ("season_revenue_share_365d", "season_revenue_share_prior_365d", "days_since_first_order"),
    "project": ("gap_cv_ever", "silent_share_ever", "order_bursts_ever", "days_since_first_order"),
    "regular": ("gap_cv_ever",),
    "irregular": ("gap_cv_ever",),
}

#: Variance of the logarithm of gaps that come by chance (exponential): pi squared over 6.
CHANCE_LOG_VARIANCE = np.pi**2 / 6

_MONTHS = f"""
SELECT as_of, customer_id, (days_ago - 1) % 365 * 12 // 365 AS month_no,
       coalesce(sum({GROSS}) FILTER (days_ago <= 365), 0) AS this_year,
       coalesce(sum({GROSS}) FILTER (days_ago > 365), 0) AS year_before
FROM ({cutoffs.past("order_days", 730)}) GROUP BY ALL
"""
#: A season is what comes again: the months rank by the smaller of their shares in the two years.
_AGAIN = "least({})".format(
    ", ".join(f"{year} / nullif(sum({year}) OVER everything, 0)" for year in ("this_year", "year_before"))
)
relation(
    "months_of_two_years",
    ("transactions",),
    "SELECT *, again > 0 AND row_number() OVER (PARTITION BY as_of, customer_id ORDER BY again DESC, month_no) "
    f"<= {SEASON_MONTHS} AS in_season FROM (SELECT *, {_AGAIN} AS again FROM ({_MONTHS}) "
    "WINDOW everything AS (PARTITION BY as_of, customer_id))",
)
relation(
    "gap_steps",
    ("transactions",),
    "SELECT *, sum(log_gap) OVER (newest ROWS UNBOUNDED PRECEDING) AS log_gaps_since, lead(gap_days) OVER newest AS "
    "gap_before, sum(log_gap) OVER everything AS log_gaps, count(*) OVER everything AS gaps, "
    f"gap_days > greatest({LAPSE_DAYS}, least({DORMANT_DAYS}, "
    f"{LAPSE_QUANTILES} * quantile_cont(gap_days, 0.9) OVER everything)) AS lapse "
    "FROM (SELECT *, CAST(round(ln(gap_days) * 1000000) AS BIGINT) AS log_gap "
    f"FROM ({RELATIONS['gaps'].sql})) "
    "WINDOW newest AS (PARTITION BY as_of, customer_id ORDER BY gap_no), "
    "everything AS (PARTITION BY as_of, customer_id)",
)


def _in_season(year: str) -> str:
    """SQL of the share of a year's gross order value that fell in the season; unknown without a year to compare."""
    both = "sum(this_year) > 0 AND sum(year_before) > 0"
    return f"CASE WHEN {both} THEN coalesce(sum({year}) FILTER (in_season), 0) / sum({year}) END"


@feature("months_of_two_years", unit="share", concept="background")
def season_revenue_share_365d() -> str:
    """Share of the past year's gross order value that fell in the strongest four months common to it and the year
    before.
    """
    return _in_season("this_year")


@feature("months_of_two_years", unit="share", concept="background")
def season_revenue_share_prior_365d() -> str:
    """Share of the gross order value of the year before the past one that fell in the same months."""
    return _in_season("year_before")


@feature("gaps", unit="gaps", concept="order_rhythm", internal=True, empty=0)
def long_gaps_ever() -> str:
    """Gaps that end a burst of orders."""
    return f"count(*) FILTER (gap_days > {BURST_SILENCE_DAYS})"


@feature("features", unit="bursts", concept="order_rhythm")
def order_bursts_ever() -> str:
    """Bursts of orders, parted by long silences."""
    return "CASE WHEN order_days_ever > 0 THEN long_gaps_ever + 1 END"


@feature("gaps", unit="share", concept="order_rhythm")
def silent_share_ever() -> str:
    """Share of the time between the first and the newest order that lay in long silences. The burst index."""
    return f"coalesce(sum(gap_days) FILTER (gap_days > {BURST_SILENCE_DAYS}), 0) / sum(gap_days)"


@feature("gap_steps", unit="index", concept="order_rhythm")
def gap_regularity() -> str:
    """Regularity of successive gaps, 1 where they come by chance and larger the more they are alike.

    The Wheat-Morrison estimate k = (1 - 4 V) / (8 V) with V the variance of a gap's share of two successive gaps
    (Wheat & Morrison 1990, Journal of Marketing Research 27, 87-93), V pulled towards that of chance, 1/12, by
    :data:`features.rhythm.PRIOR_GAPS` pairs. Unknown below two gaps.
    """
    part = "CAST(round(1000000 * (gap_days / (gap_days + gap_before) - 0.5)) AS BIGINT)"
    squares = f"sum({part} * {part}) FILTER (gap_before IS NOT NULL) / 1000000000000"
    variance = f"(({squares} + {PRIOR_GAPS} / 12) / (count(gap_before) + {PRIOR_GAPS}))"
    return f"CASE WHEN count(gap_before) > 0 THEN (1 - 4 * {variance}) / (8 * {variance}) END"


@feature("gap_steps", unit="standard deviations", concept="order_rhythm", worse="more")
def gap_lengthening() -> str:
    """How far the newest gaps have become longer than the customer's gaps were.

    The largest cumulative sum of the logarithms less their mean, newest first, scaled by their spread and the root of
    their number: the statistic of a change of the mean (Page 1955, Biometrika 42, 523-527); beyond 1.2 it is rarely
    chance. The variance is pulled towards that of chance by :data:`features.rhythm.PRIOR_GAPS` gaps. Unknown below four
    gaps.
    """
    squares = "sum(CAST(log_gap AS HUGEINT) * log_gap) / 1000000000000"
    total = "(max(log_gaps) / 1000000)"
    own = f"greatest(0, {squares} - {total} * {total} / count(*))"
    variance = f"({own} + {PRIOR_GAPS} * {CHANCE_LOG_VARIANCE}) / (count(*) - 1 + {PRIOR_GAPS})"
    drift = "max(gaps * log_gaps_since - gap_no * log_gaps) / 1000000 / count(*)"
    return f"CASE WHEN count(*) >= 4 THEN {drift} / sqrt(count(*) * ({variance})) END"


@feature("gaps", unit="ratio", concept="order_rhythm", worse="more")
def gap_fast_vs_slow() -> str:
    """Gaps of late against the longer run. Means with weights that halve every 90, and every 365, days."""
    fast, slow = (f"(sum({weight} * gap_days) / nullif(sum({weight}), 0))" for weight in (fading(90), fading(365)))
    return f"{fast} / {slow}"


@feature("gap_steps", unit="lapses", concept="order_rhythm", empty=0)
def earlier_lapses() -> str:
    """Silences far beyond the usual long gap from which this customer came back."""
    return "count(*) FILTER (lapse)"


@feature("gap_steps", unit="flag", concept="order_rhythm", empty=0)
def reactivated_365d() -> str:
    """Came back in the last 365 days from a silence far beyond the usual long gap (1 = yes)."""
    return "count(*) FILTER (lapse AND days_ago <= 365) > 0"


def rhythm_class_of(frame: pd.DataFrame, options: Mapping[str, Value] | None = None) -> pd.Series:
    """The rhythm class of each snapshot.

    In this order: ``dormant`` without an order for longer than the dormant days and the longest gap from which the
    customer ever came back; ``new``; ``seasonal``; ``project``; ``regular``; else ``irregular``. Nothing that compares
    customers decides it, so that it is known before the cohort is.

    Parameters
    ----------
    frame
        The columns of :data:`CLASSES`.
    options
        Values of :mod:`features.options`; by default their defaults.

    Returns
    -------
    Series
        A name of :data:`CLASSES` (str) on the frame's index.
    """
    values = resolved({}) if options is None else options
    limit = {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
    age, order_days, cv = (frame[name] for name in ("days_since_first_order", "order_days_ever", "gap_cv_ever"))
    dormant_from = frame["gap_max_days_ever"].fillna(0).clip(lower=limit["dormant_days"])
    seasons = frame[["season_revenue_share_365d", "season_revenue_share_prior_365d"]].min(axis=1, skipna=False)
    bursts_a_year = frame["order_bursts_ever"] * 365 / age.clip(lower=365)
    found = {
        "dormant": frame["days_since_last_order"] > dormant_from,
        "new": (order_days.fillna(0) < limit["new_customer_order_days"]) | (age < limit["new_customer_days"]),
        "seasonal": (seasons >= limit["season_revenue_share"]) & (age >= limit["season_known_days"]),
        "project": (cv > limit["project_gap_cv"])
        & (frame["silent_share_ever"] >= limit["project_silent_share"])
        & (bursts_a_year <= limit["project_bursts_per_year"]),
        "regular": cv <= limit["regular_gap_cv"],
    }
    names = np.select([found[name].to_numpy() for name in found], list(found), "irregular")
    return pd.Series(names, index=frame.index, dtype="str", name="rhythm_class")
