"""What happens around an account: acts of competitors in its region, an index of the market.

`published_at` is when an act could be known; until then no cutoff sees it. Windows count from the day on which it
happened. What belongs to a region is counted once per region and cutoff, and only then given to its accounts.
"""

from features.cutoffs import past
from features.options import option
from features.registry import BASELINE_DAYS, BASELINE_MIN_DAYS, LOOKBACK_DAYS, feature, ratio_of
from features.relations import relation

INDEX_KIND = option(
    "market_index_kind", "market_index", "`kind` of the market events whose `value` is an index of the region's market."
)

_ACT = "competitor IS NOT NULL"
_INDEX = f"kind = {INDEX_KIND} AND value IS NOT NULL"
relation(
    "market_events",
    ("market_events", "customers"),
    f"""
WITH seen AS MATERIALIZED ({past("market_events", LOOKBACK_DAYS)}), regions AS (
    SELECT as_of, region, min(days_ago) FILTER ({_ACT}) AS newest,
           count(*) FILTER ({_ACT} AND days_ago <= 30) AS acts_30d,
           count(*) FILTER ({_ACT} AND days_ago <= 90) AS acts_90d,
           count(*) FILTER ({_ACT} AND days_ago > 90) AS acts_before,
           avg(value) FILTER ({_INDEX} AND days_ago <= 90) AS index_90d,
           avg(value) FILTER ({_INDEX} AND days_ago > 365) AS index_last_year
    FROM seen GROUP BY ALL
)
SELECT as_of, customer_id, newest, coalesce(acts_30d, 0) AS acts_30d, coalesce(acts_90d, 0) AS acts_90d,
       coalesce(acts_before, 0) AS acts_before, index_90d, index_last_year
FROM accounts JOIN (SELECT DISTINCT as_of FROM seen) USING (as_of) LEFT JOIN regions USING (as_of, region)
WHERE region IS NOT NULL
""",
)
_NEEDS = ("competitor", "customers.region")


@feature("market_events", unit="events", concept="market", dimension="strategy", worse="more", needs=_NEEDS)
def competitor_events_30d() -> str:
    """Acts of competitors in the account's region, last 30 days."""
    return "max(acts_30d)"


@feature(
    "market_events",
    unit="events",
    concept="market",
    dimension="strategy",
    worse="more",
    needs=_NEEDS,
    usual="competitor_events_90d_usual",
)
def competitor_events_90d() -> str:
    """Acts of competitors in the account's region, last 90 days."""
    return "max(acts_90d)"


@feature("market_events", unit="events", concept="market", dimension="strategy", needs=_NEEDS, internal=True)
def competitor_events_90d_before() -> str:
    """Acts of competitors in the region in the year before the last 90 days."""
    return "max(acts_before)"


@feature("features", unit="events", concept="market", dimension="strategy")
def competitor_events_90d_usual() -> str:
    """Acts of competitors that are usual in the account's region in 90 days, from the year before them."""
    days = f"least({BASELINE_DAYS}, days_of_market_events - 90)"
    known = f"days_of_market_events >= {90 + BASELINE_MIN_DAYS}"
    return f"CASE WHEN {known} THEN competitor_events_90d_before * 90 / {days} END"


@feature(
    "features",
    unit="ratio",
    concept="market",
    dimension="strategy",
    worse="more",
    needs=("market_events.competitor", "customers.region"),
    usual="competitor_events_90d_usual",
)
def competitor_events_90d_vs_usual() -> str:
    """Acts of competitors in the account's region, last 90 days, against what is usual there, one added to both."""
    known = "competitor_events_90d IS NOT NULL AND competitor_events_90d_usual IS NOT NULL"
    return f"CASE WHEN {known} THEN {ratio_of('competitor_events_90d', 'competitor_events_90d_usual', '1')} END"


@feature("market_events", unit="days", concept="market", dimension="strategy", worse="less", needs=_NEEDS)
def days_since_competitor_event() -> str:
    """Days since a competitor was last active in the account's region."""
    return "min(newest)"


@feature(
    "market_events",
    unit="ratio",
    concept="market",
    dimension="strategy",
    worse="less",
    needs=("value", "kind", "customers.region"),
)
def market_index_vs_last_year() -> str:
    """Index of the market of the account's region, mean of the last 90 days against the same days a year ago."""
    return "max(index_90d / nullif(index_last_year, 0))"
