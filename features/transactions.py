"""What a customer's orders are worth: revenue, order value, returns, margin, discount, urgency.

Each function returns SQL over ``order_days`` (one row per day with its net amounts, see :mod:`features.cutoffs`);
`past` is the condition on ``days_ago``. Amounts are in the project's currency.
"""

from features import cutoffs, products, rhythm  # noqa: F401  (some of these features read those)
from features.cutoffs import GROSS
from features.options import option
from features.registry import LOOKBACK_DAYS, Baseline, feature, ratio_of
from features.relations import relation

WINDOWS = (30, 90, 180, 365)
#: One usual order: what keeps the ratios of a short history near 1.
ORDER_VALUE = "greatest(coalesce(order_value_mean_ever, 0), 0)"

LARGE_ORDER_QUANTILE = option(
    "large_order_quantile",
    0.8,
    "An order day is large from this quantile on of the customer's own in the year before the last 90 days.",
    "share",
)
LARGE_ORDER_AMOUNT = option(
    "large_order_amount",
    0,
    "An order day is large from this value on; 0: from the customer's own quantile on.",
    "money",
)
UNCHANGED_REVENUE = option(
    "unchanged_revenue_share", 0.1, "Revenue within this share of the usual counts as unchanged.", "share"
)

relation(
    "sized_order_days",
    ("transactions",),
    f"SELECT *, CASE WHEN {LARGE_ORDER_AMOUNT} > 0 THEN CAST({LARGE_ORDER_AMOUNT} AS DOUBLE) ELSE "
    f"quantile_cont(CAST(amount AS DOUBLE), {LARGE_ORDER_QUANTILE}) FILTER (days_ago > 90) "
    "OVER (PARTITION BY as_of, customer_id) END AS large_from "
    f"FROM ({cutoffs.past('order_days', LOOKBACK_DAYS)}) WHERE is_order",
)


def fading(half_life_days: int) -> str:
    """SQL of a whole-numbered weight that halves with every so many days, a million for today."""
    return f"CAST(round(1000000 * pow(0.5, days_ago / {half_life_days}.0)) AS HUGEINT)"


@feature("order_days", unit="money", concept="spending")
def order_value_mean_ever() -> str:
    """Mean net value of an order day over the whole past."""
    return "avg(amount) FILTER (is_order)"


@feature(
    "order_days",
    unit="money",
    concept="spending",
    worse="less",
    windows=WINDOWS,
    baseline=Baseline(90, pseudo=ORDER_VALUE),
)
def revenue(past: str) -> str:
    """Net revenue, returns and credit notes taken off."""
    return f"coalesce(sum(amount) FILTER ({past}), 0)"


@feature("order_days", unit="money", concept="spending", worse="less")
def revenue_ever() -> str:
    """Net revenue over the whole past."""
    return "coalesce(sum(amount), 0)"


@feature("order_days", unit="money", concept="spending", usual="revenue_90d_usual")
def revenue_prior_90d() -> str:
    """Net revenue in the 90 days before the last 90."""
    return "coalesce(sum(amount) FILTER (days_ago BETWEEN 91 AND 180), 0)"


@feature("features", unit="ratio", concept="spending", worse="less")
def revenue_90d_vs_prior_90d() -> str:
    """Net revenue of the last 90 days against the 90 before, one usual order added to both."""
    return ratio_of("revenue_90d", "revenue_prior_90d", ORDER_VALUE)


@feature("features", unit="ratio", concept="spending", worse="less")
def revenue_30d_vs_90d() -> str:
    """Net revenue of the last 30 days against a third of the last 90, one usual order added to both."""
    return ratio_of("revenue_30d", "revenue_90d / 3", ORDER_VALUE)


@feature("features", unit="money", concept="spending", worse="less")
def revenue_monthly_mean_90d() -> str:
    """Net revenue per 30 days, from the last 90 days."""
    return "revenue_90d / 3"


@feature("order_days", unit="share", concept="spending", worse="more")
def revenue_drop_share_30d() -> str:
    """Share by which the net revenue of the last 30 days fell short of the 30 before. Unknown after nothing."""
    before = "sum(amount) FILTER (days_ago BETWEEN 31 AND 60)"
    return f"CASE WHEN {before} > 0 THEN 1 - coalesce(sum(amount) FILTER (days_ago <= 30), 0) / {before} END"


@feature("features", unit="flag", concept="spending")
def revenue_90d_unchanged() -> str:
    """Net revenue of the last 90 days is about the customer's own usual (1 = yes)."""
    apart = "abs(revenue_90d - revenue_90d_usual)"
    return f"CASE WHEN revenue_90d_usual > 0 THEN {apart} <= {UNCHANGED_REVENUE} * revenue_90d_usual END"


@feature("features", unit="money", concept="prices", worse="less", needs=("product_id", "quantity"))
def volume_effect_90d() -> str:
    """Revenue of the last 90 days beyond the customer's own usual that did not come from prices but from volume and
    mix.
    """
    return "revenue_90d - revenue_90d_usual - price_effect_90d"


@feature("segment", unit="money", concept="spending", internal=True)
def revenue_365d_of_segment() -> str:
    """Mean net revenue of the past year of the eligible customers of a segment."""
    return "sum(CAST(round(revenue_365d * 100) AS HUGEINT)) / count(*) / 100"


@feature("peers", unit="ratio", concept="spending", worse="less")
def revenue_365d_vs_segment() -> str:
    """Net revenue of the past year against the mean of the same segment."""
    return "CASE WHEN revenue_365d_of_segment > 0 THEN revenue_365d / revenue_365d_of_segment END"


@feature("order_days", unit="share", concept="spending", worse="less")
def revenue_recent_half_share_365d() -> str:
    """Share of the year's gross order value that fell in its newer half."""
    return f"coalesce(sum({GROSS}) FILTER (days_ago <= 182), 0) / nullif(sum({GROSS}) FILTER (days_ago <= 365), 0)"


@feature(
    "order_days",
    unit="money",
    concept="spending",
    worse="less",
    windows=(90, 365),
    baseline=Baseline(90, "mean", ORDER_VALUE),
)
def order_value_mean(past: str) -> str:
    """Mean net value of an order day."""
    return f"avg(amount) FILTER (is_order AND {past})"


@feature("order_days", unit="money", concept="spending", worse="less", windows=(365,), usual="order_value_mean_ever")
def order_value_median(past: str) -> str:
    """Median net value of an order day."""
    return f"quantile_cont(CAST(amount AS DOUBLE), 0.5) FILTER (is_order AND {past})"


@feature("order_days", unit="money", concept="spending", worse="less", windows=(365,), usual="order_value_mean_ever")
def order_value_max(past: str) -> str:
    """Highest net value of an order day."""
    return f"max(amount) FILTER (is_order AND {past})"


@feature("order_days", unit="money", concept="spending", worse="less", usual="order_value_mean_ever")
def last_order_value() -> str:
    """Net value of the newest order day."""
    return "arg_min(amount, days_ago) FILTER (is_order)"


@feature("features", unit="ratio", concept="spending", worse="less", usual="order_value_mean_ever")
def last_order_value_vs_usual() -> str:
    """Net value of the newest order day against the mean of all order days."""
    return "last_order_value / nullif(order_value_mean_ever, 0)"


@feature("features", unit="ratio", concept="spending", worse="less", usual="order_value_mean_ever")
def order_value_mean_90d_vs_ever() -> str:
    """Mean order value of the last 90 days against that of all order days."""
    return "order_value_mean_90d / nullif(order_value_mean_ever, 0)"


@feature("order_days", unit="change", concept="spending", worse="less")
def order_value_slope_365d() -> str:
    """Trend of the net value of an order day over the past year, per 90 days as a share of its mean. By least squares;
    unknown below three order days.
    """
    within = "FILTER (is_order AND days_ago <= 365)"
    cents = "CAST(amount * 100 AS HUGEINT)"
    days, squares = f"CAST(sum(days_ago) {within} AS HUGEINT)", f"CAST(sum(days_ago * days_ago) {within} AS HUGEINT)"
    number, value = f"CAST(count(*) {within} AS HUGEINT)", f"sum({cents}) {within}"
    rise = f"({days} * {value} - {number} * sum({cents} * days_ago) {within})"
    spread = f"nullif({number} * {squares} - {days} * {days}, 0)"
    return f"CASE WHEN {number} >= 3 AND {value} > 0 THEN 90 * ({rise} / {spread}) / ({value} / {number}) END"


@feature("order_days", unit="ratio", concept="spending", worse="less")
def order_value_fast_vs_slow() -> str:
    """Order value of late against the longer run. Means with weights that halve every 60, and every 365, days."""
    cents = "CAST(amount * 100 AS HUGEINT)"
    fast, slow = (
        f"(sum({cents} * {weight}) FILTER (is_order) / nullif(sum({weight}) FILTER (is_order), 0))"
        for weight in (fading(60), fading(365))
    )
    return f"CASE WHEN {slow} > 0 THEN {fast} / {slow} END"


@feature("sized_order_days", unit="order days", concept="spending", worse="less", windows=(90,), baseline=Baseline(90))
def large_orders(past: str) -> str:
    """Order days of a value that is large for this customer."""
    return f"CASE WHEN count(large_from) > 0 THEN count(*) FILTER (amount >= large_from AND {past}) END"


@feature("sized_order_days", unit="change", concept="spending", worse="less")
def large_orders_90d_change() -> str:
    """Change of the large orders of the last 90 days against the 90 before. A fall from 4 to 1 is -75%."""
    recent, before = (
        f"count(*) FILTER (amount >= large_from AND days_ago BETWEEN {first} AND {first + 89})" for first in (1, 91)
    )
    return f"{recent} / nullif({before}, 0) - 1"


@feature("order_days", unit="lines", concept="spending", worse="less", windows=(90, 365), baseline=Baseline(90, "mean"))
def lines_per_order_day(past: str) -> str:
    """Mean number of lines on an order day."""
    return f"avg(lines) FILTER (is_order AND {past})"


@feature(
    "order_days",
    unit="units",
    concept="spending",
    worse="less",
    windows=(90, 365),
    baseline=Baseline(90, "mean"),
    needs=("quantity",),
)
def units_per_order_day(past: str) -> str:
    """Mean net quantity on an order day."""
    return f"avg(units) FILTER (is_order AND {past})"


@feature("order_days", unit="orders", concept="spending", windows=(90, 365))
def orders_per_order_day(past: str) -> str:
    """Mean number of orders on an order day."""
    return f"avg(orders) FILTER (is_order AND {past})"


@feature("order_days", unit="money", concept="deliveries", worse="more", windows=WINDOWS)
def returned(past: str) -> str:
    """Value of returns and credit notes."""
    return f"coalesce(sum(returned) FILTER ({past}), 0)"


@feature(
    "order_days", unit="share", concept="deliveries", worse="more", windows=(90, 365), baseline=Baseline(90, "level")
)
def return_share(past: str) -> str:
    """Value of returns and credit notes as a share of the gross order value, at most 1."""
    gross = f"sum({GROSS}) FILTER ({past})"
    return f"CASE WHEN {gross} > 0 THEN least(1, sum(returned) FILTER ({past}) / {gross}) END"


@feature("order_days", unit="days", concept="deliveries", worse="more", windows=(90, 365))
def return_days(past: str) -> str:
    """Days with a return or credit note."""
    return f"count(*) FILTER (returned > 0 AND {past})"


@feature("order_days", unit="days", concept="deliveries", worse="less")
def days_since_last_return() -> str:
    """Days since the newest return or credit note."""
    return "min(days_ago) FILTER (returned > 0)"


@feature(
    "order_days",
    unit="share",
    concept="prices",
    worse="less",
    windows=(90, 365),
    baseline=Baseline(90, "level"),
    needs=("margin",),
)
def margin_share(past: str) -> str:
    """Margin as a share of net revenue."""
    return f"sum(margin) FILTER ({past}) / nullif(sum(margin_amount) FILTER ({past}), 0)"


@feature(
    "order_days",
    unit="share",
    concept="prices",
    worse="less",
    windows=(90, 365),
    baseline=Baseline(90, "level"),
    needs=("margin",),
)
def high_margin_share(past: str) -> str:
    """Share of net revenue that came from lines with a high margin."""
    return f"coalesce(sum(high_margin_amount) FILTER ({past}), 0) / nullif(sum(margin_amount) FILTER ({past}), 0)"


@feature("features", unit="change", concept="prices", worse="less", needs=("margin",))
def high_margin_share_90d_change() -> str:
    """Change of the share of revenue from lines with a high margin against the customer's own usual share."""
    return "high_margin_share_90d / nullif(high_margin_share_90d_usual, 0) - 1"


@feature("features", unit="share", concept="prices", worse="more", needs=("margin",))
def high_margin_share_drop_at_same_revenue() -> str:
    """Fall of the share of revenue from lines with a high margin while revenue itself is about as usual. Else 0."""
    drop = "greatest(0, -high_margin_share_90d_vs_usual)"
    return f"CASE WHEN high_margin_share_90d_vs_usual IS NOT NULL THEN revenue_90d_unchanged * {drop} END"


@feature("order_days", unit="money", concept="prices", worse="less", windows=(90, 365), needs=("margin",))
def margin(past: str) -> str:
    """Margin earned, of lines that tell it."""
    return f"CASE WHEN count(*) FILTER ({past}) = 0 THEN 0 ELSE sum(margin) FILTER ({past}) END"


@feature(
    "order_days",
    unit="share",
    concept="prices",
    windows=(90, 365),
    baseline=Baseline(90, "level"),
    needs=("list_amount",),
)
def discount_share(past: str) -> str:
    """Discount against list prices."""
    return f"1 - sum(listed_amount) FILTER ({past}) / nullif(sum(listed) FILTER ({past}), 0)"


@feature(
    "order_days",
    unit="share",
    concept="deliveries",
    worse="more",
    windows=(90, 365),
    baseline=Baseline(90, "level"),
    needs=("urgent",),
)
def urgent_order_share(past: str) -> str:
    """Share of orders that were urgent."""
    return f"sum(urgent_orders) FILTER ({past}) / nullif(sum(orders_with_urgency) FILTER ({past}), 0)"
