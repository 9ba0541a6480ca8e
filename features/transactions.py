"""What a customer's orders are worth: revenue, order value, returns, margin, discount, urgency.

Each function returns SQL over ``order_days`` (one row per day with its net amounts, see :mod:`features.cutoffs`);
`past` is the condition on ``days_ago``. Amounts are in the project's currency.
"""

from features.cutoffs import GROSS
from features.registry import Baseline, feature, ratio_of

WINDOWS = (30, 90, 180, 365)
#: One usual order: what keeps the ratios of a short history near 1.
ORDER_VALUE = "greatest(coalesce(order_value_mean_ever, 0), 0)"


@feature("order_days", unit="money", concept="order_value")
def order_value_mean_ever() -> str:
    """Mean net value of an order day over the whole past."""
    return "avg(amount) FILTER (is_order)"


@feature("order_days", unit="money", concept="revenue", windows=WINDOWS, baseline=Baseline(90, pseudo=ORDER_VALUE))
def revenue(past: str) -> str:
    """Net revenue, returns and credit notes taken off."""
    return f"coalesce(sum(amount) FILTER ({past}), 0)"


@feature("order_days", unit="money", concept="revenue")
def revenue_ever() -> str:
    """Net revenue over the whole past."""
    return "coalesce(sum(amount), 0)"


@feature("order_days", unit="money", concept="revenue", usual="revenue_90d_usual")
def revenue_prior_90d() -> str:
    """Net revenue in the 90 days before the last 90."""
    return "coalesce(sum(amount) FILTER (days_ago BETWEEN 91 AND 180), 0)"


@feature("features", unit="ratio", concept="revenue")
def revenue_90d_vs_prior_90d() -> str:
    """Net revenue of the last 90 days against the 90 before, one usual order added to both."""
    return ratio_of("revenue_90d", "revenue_prior_90d", ORDER_VALUE)


@feature("features", unit="ratio", concept="revenue")
def revenue_30d_vs_90d() -> str:
    """Net revenue of the last 30 days against a third of the last 90, one usual order added to both."""
    return ratio_of("revenue_30d", "revenue_90d / 3", ORDER_VALUE)


@feature("order_days", unit="share", concept="revenue")
def revenue_recent_half_share_365d() -> str:
    """Share of the year's gross order value that fell in its newer half."""
    return f"coalesce(sum({GROSS}) FILTER (days_ago <= 182), 0) / nullif(sum({GROSS}) FILTER (days_ago <= 365), 0)"


@feature(
    "order_days", unit="money", concept="order_value", windows=(90, 365), baseline=Baseline(90, "mean", ORDER_VALUE)
)
def order_value_mean(past: str) -> str:
    """Mean net value of an order day."""
    return f"avg(amount) FILTER (is_order AND {past})"


@feature("order_days", unit="money", concept="order_value", windows=(365,), usual="order_value_mean_ever")
def order_value_median(past: str) -> str:
    """Median net value of an order day."""
    return f"quantile_cont(CAST(amount AS DOUBLE), 0.5) FILTER (is_order AND {past})"


@feature("order_days", unit="money", concept="order_value", windows=(365,), usual="order_value_mean_ever")
def order_value_max(past: str) -> str:
    """Highest net value of an order day."""
    return f"max(amount) FILTER (is_order AND {past})"


@feature("order_days", unit="money", concept="order_value", usual="order_value_mean_ever")
def last_order_value() -> str:
    """Net value of the newest order day."""
    return "arg_min(amount, days_ago) FILTER (is_order)"


@feature("features", unit="ratio", concept="order_value", usual="order_value_mean_ever")
def last_order_value_vs_usual() -> str:
    """Net value of the newest order day against the mean of all order days."""
    return "last_order_value / nullif(order_value_mean_ever, 0)"


@feature("features", unit="ratio", concept="order_value", usual="order_value_mean_ever")
def order_value_mean_90d_vs_ever() -> str:
    """Mean order value of the last 90 days against that of all order days."""
    return "order_value_mean_90d / nullif(order_value_mean_ever, 0)"


@feature("order_days", unit="lines", concept="order_size", windows=(90, 365), baseline=Baseline(90, "mean"))
def lines_per_order_day(past: str) -> str:
    """Mean number of lines on an order day."""
    return f"avg(lines) FILTER (is_order AND {past})"


@feature(
    "order_days",
    unit="units",
    concept="order_size",
    windows=(90, 365),
    baseline=Baseline(90, "mean"),
    needs=("quantity",),
)
def units_per_order_day(past: str) -> str:
    """Mean net quantity on an order day."""
    return f"avg(units) FILTER (is_order AND {past})"


@feature("order_days", unit="orders", concept="order_size", windows=(90, 365))
def orders_per_order_day(past: str) -> str:
    """Mean number of orders on an order day."""
    return f"avg(orders) FILTER (is_order AND {past})"


@feature("order_days", unit="money", concept="returns", windows=WINDOWS)
def returned(past: str) -> str:
    """Value of returns and credit notes."""
    return f"coalesce(sum(returned) FILTER ({past}), 0)"


@feature("order_days", unit="share", concept="returns", windows=(90, 365), baseline=Baseline(90, "level"))
def return_share(past: str) -> str:
    """Value of returns and credit notes as a share of the gross order value, at most 1."""
    gross = f"sum({GROSS}) FILTER ({past})"
    return f"CASE WHEN {gross} > 0 THEN least(1, sum(returned) FILTER ({past}) / {gross}) END"


@feature("order_days", unit="days", concept="returns", windows=(90, 365))
def return_days(past: str) -> str:
    """Days with a return or credit note."""
    return f"count(*) FILTER (returned > 0 AND {past})"


@feature("order_days", unit="days", concept="returns")
def days_since_last_return() -> str:
    """Days since the newest return or credit note."""
    return "min(days_ago) FILTER (returned > 0)"


@feature(
    "order_days",
    unit="share",
    concept="margin",
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
    concept="margin",
    windows=(90, 365),
    baseline=Baseline(90, "level"),
    needs=("margin",),
)
def high_margin_share(past: str) -> str:
    """Share of net revenue that came from lines with a high margin."""
    return f"coalesce(sum(high_margin_amount) FILTER ({past}), 0) / nullif(sum(margin_amount) FILTER ({past}), 0)"


@feature("order_days", unit="money", concept="margin", windows=(90, 365), needs=("margin",))
def margin(past: str) -> str:
    """Margin earned, of lines that tell it."""
    return f"CASE WHEN count(*) FILTER ({past}) = 0 THEN 0 ELSE sum(margin) FILTER ({past}) END"


@feature(
    "order_days",
    unit="share",
    concept="discount",
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
    concept="urgency",
    windows=(90, 365),
    baseline=Baseline(90, "level"),
    needs=("urgent",),
)
def urgent_order_share(past: str) -> str:
    """Share of orders that were urgent."""
    return f"sum(urgent_orders) FILTER ({past}) / nullif(sum(orders_with_urgency) FILTER ({past}), 0)"
