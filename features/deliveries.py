"""How well orders were delivered, how short their promised lead times were, and trials that led to nothing.

A line is *due* on the day for which it was promised. It was delivered in full and on time if it came by that day in the
ordered quantity: the fill rate. A delivery that tells no quantity counts as full. A line that the customer took back
under the same order and product before it was delivered was cancelled by the customer and counts nowhere.
"""

from features import cutoffs, transactions  # noqa: F401  (some of these features read the orders')
from features.options import option
from features.registry import LOOKBACK_DAYS, Baseline, feature
from features.relations import relation

#: Lines that were promised for later than so many days after their order are left out.
LONGEST_LEAD_DAYS = 180

SHORT_LEAD_DAYS = option(
    "short_lead_days", 3, "A line that is promised for fewer days after its order is as good as urgent.", "days"
)
TRIAL_WAIT_DAYS = option(
    "trial_wait_days", 60, "Days after a trial order in which an order of volume is expected.", "days"
)
TRIAL_MULTIPLE = option(
    "trial_follow_up_multiple", 1, "An order of the same thing follows a trial up from so many times its value on.", ""
)
SMALL_FIRST_ORDER = option(
    "small_first_order_share",
    0.5,
    "A first order is small, and so perhaps a trial, below this share of the segment's usual order value.",
    "share",
)

_PAST = cutoffs.past("deliveries", LOOKBACK_DAYS + LONGEST_LEAD_DAYS)
relation(
    "due_lines",
    ("transactions",),
    "SELECT as_of, customer_id, as_of - promised AS days_ago, lines, delivered, "
    "CASE WHEN delivered <= promised THEN lines - short_lines ELSE 0 END AS filled, "
    "CASE WHEN delivered <= promised THEN 0 ELSE lines END AS late, coalesce(short_lines, 0) AS short, "
    "coalesce(delivered, as_of) - promised AS delay_days "
    f"FROM ({_PAST}) WHERE promised < as_of AND promised >= as_of - {LOOKBACK_DAYS}",
)
relation(
    "promised_lines",
    ("transactions",),
    "SELECT as_of, customer_id, days_ago, lines, promised - day AS lead_days "
    f"FROM ({cutoffs.past('deliveries', LOOKBACK_DAYS)})",
)
_TRIALS = (
    "SELECT *, min(days_ago) FILTER (trial_amount > 0) OVER things AS trial_days_ago "
    f"FROM ({cutoffs.past('trial_days', LOOKBACK_DAYS)}) "
    "WINDOW things AS (PARTITION BY as_of, customer_id, product_id)"
)
relation(
    "trials",
    ("transactions",),
    "SELECT as_of, customer_id, trial_days_ago AS days_ago, "
    "max(trial_amount) FILTER (days_ago = trial_days_ago) AS trial_amount, "
    "max(amount) FILTER (days_ago < trial_days_ago) AS follow_up_amount "
    f"FROM ({_TRIALS}) WHERE trial_days_ago IS NOT NULL GROUP BY as_of, customer_id, product_id, trial_days_ago",
)

_SHARE = Baseline(90, "level")
#: What is delivered is a product: without one, what was taken back cannot be told from what was never delivered.
_ON_TIME = ("promised_at", "delivered_at", "product_id")
_IN_FULL = (*_ON_TIME, "quantity", "delivered_quantity")


def _share(lines: str, past: str) -> str:
    return f"coalesce(sum({lines}) FILTER ({past}), 0) / nullif(sum(lines) FILTER ({past}), 0)"


@feature(
    "due_lines", unit="share", concept="deliveries", worse="less", windows=(90, 365), baseline=_SHARE, needs=_IN_FULL
)
def filled_line_share(past: str) -> str:
    """Share of the lines due that were delivered in full and on time."""
    return _share("filled", past)


@feature("due_lines", unit="share", concept="deliveries", worse="more", windows=(90,), baseline=_SHARE, needs=_ON_TIME)
def late_line_share(past: str) -> str:
    """Share of the lines due that were delivered late or not yet."""
    return _share("late", past)


@feature("due_lines", unit="share", concept="deliveries", worse="more", windows=(90,), baseline=_SHARE, needs=_IN_FULL)
def short_line_share(past: str) -> str:
    """Share of the lines due that were delivered short of the ordered quantity."""
    return _share("short", past)


@feature("due_lines", unit="lines", concept="deliveries", worse="more", needs=_ON_TIME, empty=0)
def undelivered_lines() -> str:
    """Lines past their promised day that are still to be delivered."""
    return "coalesce(sum(lines) FILTER (delivered IS NULL), 0)"


@feature("due_lines", unit="days", concept="deliveries", worse="more", windows=(90,), needs=_ON_TIME)
def longest_delay_days(past: str) -> str:
    """Longest delay of the deliveries due, those still to come included."""
    return f"CASE WHEN count(*) FILTER ({past}) > 0 THEN greatest(0, max(delay_days) FILTER ({past})) END"


@feature(
    "promised_lines",
    unit="share",
    concept="deliveries",
    worse="more",
    windows=(90,),
    baseline=_SHARE,
    needs=("promised_at", "product_id"),
)
def short_lead_line_share(past: str) -> str:
    """Share of the lines ordered that were promised for within a few days."""
    return _share(f"CASE WHEN lead_days < {SHORT_LEAD_DAYS} THEN lines END", past)


@feature("trials", unit="orders", concept="breadth", worse="more", needs=("trial", "product_id"), empty=0)
def trials_without_follow_up() -> str:
    """Trial orders of some time ago after which the same was not ordered again in volume."""
    followed = f"coalesce(follow_up_amount, 0) >= {TRIAL_MULTIPLE} * trial_amount"
    return f"count(*) FILTER (days_ago >= {TRIAL_WAIT_DAYS} AND NOT ({followed}))"


@feature("segment", unit="money", concept="spending", internal=True)
def order_value_mean_ever_of_segment() -> str:
    """Usual mean order value of the eligible customers of a segment."""
    return "median(order_value_mean_ever)"


@feature("peers", unit="flag", concept="breadth", worse="more")
def small_first_order_alone() -> str:
    """The only order so far was some time ago and small for the segment (1 = yes). A trial, perhaps, that led to
    nothing.
    """
    small = f"order_value_mean_ever < {SMALL_FIRST_ORDER} * order_value_mean_ever_of_segment"
    known = "order_value_mean_ever IS NOT NULL AND order_value_mean_ever_of_segment IS NOT NULL"
    alone = f"order_days_ever = 1 AND days_since_first_order >= {TRIAL_WAIT_DAYS}"
    return f"CASE WHEN {known} THEN {alone} AND {small} END"
