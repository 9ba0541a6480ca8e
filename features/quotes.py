"""Quotations, promotions and contracts: what a customer asks for, what it is given, how long it is bound.

A quote is open until it is won or lost, whatever its row says today. Samples are no table of the contract: the
trial orders without a sequel stand for them beside the quotes left unanswered and the talks that put us off. Each of
the three is a column of its own as well.
"""

from features import cutoffs
from features.options import option
from features.registry import LOOKBACK_DAYS, Baseline, feature
from features.relations import relation

UNANSWERED = option("unanswered_quote_days", 14, "An open quote older than this is unanswered.", "days")
FOLLOWED = option("quote_order_days", 30, "An order within so many days of a quote follows from it.", "days")

# the first order at or after the quote tells whether one followed
relation(
    "quotes",
    ("quotes",),
    f"""
SELECT *, max(-decided_days_ago) FILTER (status = 'won') OVER (PARTITION BY as_of, customer_id) AS last_won
FROM (SELECT q.*, q.days_ago - o.days_ago AS days_to_order, coalesce(status, 'open') = 'open' AND closed_at IS NULL
             AS is_open, q.as_of - CAST(coalesce(closed_at, quoted_at) AS DATE) AS decided_days_ago
      FROM ({cutoffs.past("quotes", LOOKBACK_DAYS)}) q
      ASOF LEFT JOIN (SELECT * FROM ({cutoffs.past("order_days", LOOKBACK_DAYS)}) WHERE is_order) o
        ON q.as_of = o.as_of AND q.customer_id = o.customer_id AND q.days_ago >= o.days_ago)
""",
)
_IS_UNANSWERED = f"is_open AND days_ago > {UNANSWERED}"


@feature("quotes", unit="quotes", concept="prices", worse="less", windows=(90,), baseline=Baseline(90), empty=0)
def quotes(past: str) -> str:
    """Quotes asked for."""
    return f"count(*) FILTER ({past})"


@feature("quotes", unit="days", concept="prices", worse="more")
def days_since_last_quote() -> str:
    """Days since the newest quote."""
    return "min(days_ago)"


@feature("quotes", unit="quotes", concept="prices", worse="more", empty=0, needs=("status",))
def unanswered_quotes() -> str:
    """Quotes that have been open for too long without an answer."""
    return f"count(*) FILTER ({_IS_UNANSWERED})"


@feature(
    "features", unit="signs", concept="prices", worse="more", optional=("deferrals_90d", "trials_without_follow_up")
)
def cold_feedback_signs() -> str:
    """Quotes left unanswered, talks of the last 90 days in which the account put us off and trial orders without a
    sequel, together.
    """
    return "unanswered_quotes + coalesce(deferrals_90d, 0) + coalesce(trials_without_follow_up, 0)"


@feature("quotes", unit="days", concept="prices", worse="more", needs=("status",))
def oldest_open_quote_days() -> str:
    """Days since the oldest quote that is still open."""
    return "max(days_ago) FILTER (is_open)"


@feature("quotes", unit="share", concept="prices", worse="more", needs=("asked_discount", "status"))
def unanswered_quote_discount_share() -> str:
    """Highest discount asked for in an unanswered quote that no order has followed."""
    return f"max(asked_discount) FILTER ({_IS_UNANSWERED} AND days_to_order IS NULL)"


@feature("quotes", unit="share", concept="prices", worse="less", needs=("status",), peers="difference")
def quote_won_share_365d() -> str:
    """Share of the quotes of the last 365 days that were won, of those that were decided."""
    decided = "days_ago <= 365 AND status <> 'open'"
    return f"count(*) FILTER ({decided} AND status = 'won') / nullif(count(*) FILTER ({decided}), 0)"


@feature("quotes", unit="quotes", concept="prices", worse="more", empty=0, needs=("status",))
def lost_quotes_in_a_row() -> str:
    """Quotes lost since the last one that was won."""
    return "count(*) FILTER (status = 'lost' AND -decided_days_ago > coalesce(last_won, -100000))"


@feature("quotes", unit="share", concept="prices", worse="less", peers="difference")
def quote_order_share_365d() -> str:
    """Share of the quotes of the past year, the newest left out, that an order followed soon."""
    ripe = f"days_ago <= 365 AND days_ago > {FOLLOWED}"
    return f"count(*) FILTER ({ripe} AND days_to_order <= {FOLLOWED}) / nullif(count(*) FILTER ({ripe}), 0)"


@feature(
    "quotes",
    unit="share",
    concept="prices",
    worse="more",
    windows=(90,),
    baseline=Baseline(90, "level", spread="0.05"),
    needs=("asked_discount",),
)
def asked_discount_share(past: str) -> str:
    """Mean discount asked for in quotes."""
    millionths = f"sum(CAST(round(asked_discount * 1000000) AS BIGINT)) FILTER ({past})"
    return f"{millionths} / 1000000.0 / nullif(count(asked_discount) FILTER ({past}), 0)"


relation("promotions", ("promotions",), cutoffs.past("promotions"))


@feature("promotions", unit="days", concept="prices")
def days_since_last_promotion() -> str:
    """Days since the newest coupon or promotion was given; unknown where there never was one."""
    return "min(days_ago)"


@feature("promotions", unit="share", concept="prices", worse="less", needs=("used_at",))
def used_promotion_share_365d() -> str:
    """Share of the coupons and promotions of the last 365 days that were used."""
    return "count(used_at) FILTER (days_ago <= 365) / nullif(count(*) FILTER (days_ago <= 365), 0)"


@feature("promotions", unit="money", concept="prices", empty=0, internal=True, needs=("amount",))
def promotion_amount_365d() -> str:
    """Worth of the promotions of the last 365 days."""
    return "coalesce(sum(amount) FILTER (days_ago <= 365), 0)"


@feature("features", unit="share", concept="prices", peers="difference")
def promotion_share_365d() -> str:
    """Worth of coupons and promotions as a share of net revenue, last 365 days, at most 1."""
    return "CASE WHEN revenue_365d > 0 THEN least(1, promotion_amount_365d / revenue_365d) END"


@feature("segment", unit="share", concept="prices", internal=True, needs=("list_amount",))
def discount_share_365d_of_segment() -> str:
    """Discount against list prices that is usual in the segment."""
    return "median(discount_share_365d)"


@feature("peers", unit="share", concept="prices", needs=("list_amount",))
def discount_share_365d_vs_peers() -> str:
    """Discount against list prices, last 365 days, against that of the same segment at the same date."""
    return "discount_share_365d - discount_share_365d_of_segment"


relation(
    "contracts",
    ("contracts",),
    "SELECT as_of, customer_id, coalesce(starts_at, signed_at) < as_of + INTERVAL 1 DAY AS has_begun, "
    f"CAST(ends_at AS DATE) - as_of AS days_left FROM ({cutoffs.past('contracts')})",
)


@feature(
    "contracts", unit="flag", concept="partnership", dimension="strategy", worse="less", empty=0, needs=("ends_at",)
)
def contract_running() -> str:
    """A contract is running (1 = yes)."""
    return "CAST(bool_or(has_begun AND coalesce(days_left >= 0, true)) AS INTEGER)"


@feature("contracts", unit="days", concept="partnership", dimension="strategy", worse="less", needs=("ends_at",))
def days_until_contract_end() -> str:
    """Days until the last signed contract ends; unknown where none is left or one has no end."""
    return "CASE WHEN max(days_left) >= 0 AND NOT bool_or(days_left IS NULL) THEN max(days_left) END"


@feature("contracts", unit="days", concept="partnership", dimension="strategy", needs=("ends_at",))
def days_since_contract_end() -> str:
    """Days since the last contract ended without a renewal."""
    return "CASE WHEN max(days_left) < 0 AND NOT bool_or(days_left IS NULL) THEN -max(days_left) END"
