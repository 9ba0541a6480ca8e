"""How broadly a customer buys: products and product lines, what is new, what has lapsed, how concentrated it is.

Each function returns SQL over ``products`` or ``product_lines``: one row per thing bought in the past 455 days, with
the quarters (90 days, the newest is 0) in which it was bought.
"""

from collections.abc import Mapping

from features import cutoffs, rhythm  # noqa: F401  (some of these features read the rhythm)
from features.registry import LOOKBACK_DAYS, feature
from features.relations import relation

_OLDER_QUARTERS = " + ".join(f"count(*) FILTER (quarter_{q})" for q in range(1, 5))
#: Quarters of the past year before the newest in which anything was bought at all.
_QUARTERS_BOUGHT = " + ".join(f"CAST(bool_or(quarter_{q}) AS INTEGER)" for q in range(1, 5))
#: Purchases, on different days, from which on a thing has a cycle of its own.
_PURCHASES = 3

_WINDOWS = {"90d": "days_ago <= 90", "before": "days_ago BETWEEN 91 AND 455"}
_UNITS = {
    f"{column}_{name}": f"sum({column}) FILTER ({window})"
    for name, window in _WINDOWS.items()
    for column in ("units", "units_amount")
}
_QUARTER_AMOUNTS = {
    f"amount_quarter_{q}": f"sum(amount) FILTER (days_ago BETWEEN {90 * q + 1} AND {90 * (q + 1)})" for q in range(5)
}


def things_bought(laid_out: str, thing: str, sums: Mapping[str, str]) -> str:
    """SQL of one row per (cutoff, customer, thing) bought in the 455 days before the cutoff, with its own clock.

    Parameters
    ----------
    laid_out
        ``product_days`` or ``line_days``.
    thing
        The column of what is bought.
    sums
        Further columns, aggregates of the days of one thing.

    ``last_days_ago`` is how long ago it was bought last, ``gap_days`` the median of the days between the days on which
    it was bought, NULL below three of them, ``amount_365d`` its net revenue of the past year.
    """
    before = "FILTER (amount > 0 AND days_ago BETWEEN 91 AND 455)"
    bought = (
        f"SELECT as_of, customer_id, {thing}, "
        "bit_or(CASE WHEN amount > 0 THEN 1 << ((days_ago - 1) // 90) END) AS quarters, "
        "min(days_ago) FILTER (amount > 0) AS last_days_ago, "
        "max(days_ago) FILTER (amount > 0) AS first_days_ago, "
        "list(days_ago) FILTER (amount > 0) AS bought_days_ago, "
        f"min(days_ago) {before} < max(days_ago) {before} AS bought_again_before, "
        "coalesce(sum(amount) FILTER (days_ago <= 365), 0) AS amount_365d, "
        "coalesce(sum(amount) FILTER (days_ago BETWEEN 91 AND 455), 0) AS amount_before, "
        f"{', '.join(f'{sql} AS {column}' for column, sql in sums.items())} "
        f"FROM ({cutoffs.past(laid_out, LOOKBACK_DAYS)}) WHERE {thing} IS NOT NULL GROUP BY ALL"
    )
    days = f"CASE WHEN len(bought_days_ago) >= {_PURCHASES} THEN list_sort(list_distinct(bought_days_ago)) END"
    gaps = "list_transform(range(1, len(own_days)), lambda i: own_days[i + 1] - own_days[i])"
    quarters = ", ".join(f"coalesce(quarters & {1 << q} > 0, false) AS quarter_{q}" for q in range(5))
    return (
        f"SELECT * EXCLUDE (bought_days_ago, own_days, quarters), {quarters}, "
        f"CASE WHEN len(own_days) >= {_PURCHASES} THEN CAST(list_median({gaps}) AS DOUBLE) END AS gap_days "
        f"FROM (SELECT *, {days} AS own_days FROM ({bought}))"
    )


relation("products", ("transactions",), things_bought("product_days", "product_id", _UNITS))
relation("product_lines", ("transactions",), things_bought("line_days", "product_line", _QUARTER_AMOUNTS))


def _bought(days: int) -> str:
    return f"count(*) FILTER (last_days_ago <= {days})"


def _usual_per_quarter() -> str:
    return f"({_OLDER_QUARTERS}) / nullif({_QUARTERS_BOUGHT}, 0)"


def _concentration(amount: str = "amount_365d") -> str:
    cents = f"CAST(greatest({amount}, 0) * 100 AS HUGEINT)"
    total = f"CAST(sum({cents}) AS DOUBLE)"
    return f"sum({cents} * {cents}) / nullif({total} * {total}, 0)"


@feature(
    "products", unit="products", concept="breadth", worse="less", needs=("product_id",), usual="products_90d_usual"
)
def products_30d() -> str:
    """Different products bought, last 30 days."""
    return _bought(30)


@feature(
    "products", unit="products", concept="breadth", worse="less", needs=("product_id",), usual="products_90d_usual"
)
def products_90d() -> str:
    """Different products bought, last 90 days."""
    return _bought(90)


@feature("products", unit="products", concept="breadth", worse="less", needs=("product_id",))
def products_365d() -> str:
    """Different products bought, last 365 days."""
    return _bought(365)


@feature("products", unit="products", concept="breadth", needs=("product_id",))
def products_90d_usual() -> str:
    """Different products bought in a usual active quarter of the year before the last 90 days."""
    return _usual_per_quarter()


@feature("features", unit="ratio", concept="breadth", worse="less", needs=("product_id",), usual="products_90d_usual")
def products_90d_vs_usual() -> str:
    """Different products of the last 90 days against the customer's own usual, one added to both."""
    return "(products_90d + 1) / (products_90d_usual + 1)"


@feature("features", unit="products per order day", concept="breadth", worse="less", needs=("product_id",))
def products_per_order_day_365d() -> str:
    """Different products per order day, last 365 days."""
    return "products_365d / nullif(order_days_365d, 0)"


@feature("products", unit="products", concept="breadth", worse="less", needs=("product_id",))
def new_products_90d() -> str:
    """Products bought in the last 90 days for the first time in 455 days."""
    return "count(*) FILTER (first_days_ago <= 90)"


@feature("products", unit="share", concept="breadth", worse="less", needs=("product_id",))
def repeat_product_share_365d() -> str:
    """Share of the products bought in the past year that were bought in more than one quarter."""
    quarters = " + ".join(f"CAST(quarter_{q} AS INTEGER)" for q in range(4))
    return f"count(*) FILTER ({quarters} > 1) / nullif(count(*) FILTER (last_days_ago <= 365), 0)"


@feature("products", unit="share", concept="breadth", worse="more", needs=("product_id",))
def lapsed_product_share_90d() -> str:
    """Share of the products bought on two or more days of the year before that were not bought in the last 90 days."""
    regular = "bought_again_before"
    return f"count(*) FILTER ({regular} AND last_days_ago > 90) / nullif(count(*) FILTER ({regular}), 0)"


@feature("products", unit="share", concept="breadth", worse="more", needs=("product_id",))
def lapsed_revenue_share_90d() -> str:
    """Share of the year's earlier revenue that came from products not bought in the last 90 days."""
    earned = "amount_before > 0"
    return (
        f"coalesce(sum(amount_before) FILTER ({earned} AND last_days_ago > 90), 0) "
        f"/ nullif(sum(amount_before) FILTER ({earned}), 0)"
    )


@feature("products", unit="share", concept="breadth", worse="more", needs=("product_id",))
def top_product_share_365d() -> str:
    """Share of the past year's revenue that came from the strongest product."""
    return "max(amount_365d) / nullif(sum(amount_365d) FILTER (amount_365d > 0), 0)"


@feature("products", unit="index", concept="breadth", worse="more", needs=("product_id",))
def product_concentration_365d() -> str:
    """Herfindahl index of the past year's revenue over products: 1 is a single product."""
    return _concentration()


@feature(
    "product_lines",
    unit="product lines",
    concept="breadth",
    worse="less",
    needs=("product_line",),
    usual="product_lines_90d_usual",
)
def product_lines_90d() -> str:
    """Product lines bought, last 90 days."""
    return _bought(90)


@feature("product_lines", unit="product lines", concept="breadth", worse="less", needs=("product_line",))
def product_lines_365d() -> str:
    """Product lines bought, last 365 days."""
    return _bought(365)


@feature("product_lines", unit="product lines", concept="breadth", needs=("product_line",))
def product_lines_90d_usual() -> str:
    """Product lines bought in a usual active quarter of the year before the last 90 days."""
    return _usual_per_quarter()


@feature(
    "features", unit="ratio", concept="breadth", worse="less", needs=("product_line",), usual="product_lines_90d_usual"
)
def product_lines_90d_vs_usual() -> str:
    """Product lines of the last 90 days against the customer's own usual, one added to both."""
    return "(product_lines_90d + 1) / (product_lines_90d_usual + 1)"


@feature("product_lines", unit="index", concept="breadth", worse="more", needs=("product_line",))
def product_line_concentration_365d() -> str:
    """Herfindahl index of the past year's revenue over product lines: 1 is a single line."""
    return _concentration()


@feature("features", unit="change", concept="breadth", worse="less", needs=("product_line",))
def product_lines_90d_change() -> str:
    """Change of the product lines of the last 90 days against the customer's own usual. A fall from 5 to 2 is -60%."""
    return "product_lines_90d / nullif(product_lines_90d_usual, 0) - 1"


@feature(
    "product_lines",
    unit="index",
    concept="breadth",
    worse="more",
    needs=("product_line",),
    usual="product_line_concentration_90d_usual",
)
def product_line_concentration_90d() -> str:
    """Herfindahl index of the revenue of the last 90 days over product lines. 1 is a single line."""
    return _concentration("amount_quarter_0")


@feature("product_lines", unit="index", concept="breadth", needs=("product_line",))
def product_line_concentration_90d_usual() -> str:
    """Herfindahl index of a usual active quarter of the year before the last 90 days over product lines."""
    quarters = ", ".join(_concentration(f"amount_quarter_{q}") for q in range(1, 5))
    return f"list_avg(list_filter([{quarters}], lambda x: x IS NOT NULL))"


@feature(
    "features",
    unit="index",
    concept="breadth",
    worse="more",
    needs=("product_line",),
)
def product_line_concentration_90d_vs_usual() -> str:
    """Herfindahl index of the last 90 days over product lines, less the customer's own usual. Above 0 is narrower."""
    return "product_line_concentration_90d - product_line_concentration_90d_usual"


#: What the units of the last 90 days would have cost at the prices before, of products that have both, in cents.
_COMMON = "units_90d > 0 AND units_before > 0 AND units_amount_90d > 0 AND units_amount_before > 0"
_AT_OLD_PRICES = (
    "sum(CAST(round(100 * CAST(units_90d AS DOUBLE) * CAST(units_amount_before AS DOUBLE) "
    f"/ nullif(CAST(units_before AS DOUBLE), 0)) AS HUGEINT)) FILTER ({_COMMON})"
)
_PAID = f"sum(CAST(units_amount_90d * 100 AS HUGEINT)) FILTER ({_COMMON})"


@feature("products", unit="ratio", concept="prices", needs=("product_id", "quantity"))
def price_90d_vs_usual() -> str:
    """Prices paid in the last 90 days against the customer's own of the year before. Over the products of both: the
    Paasche index.
    """
    return f"{_PAID} / nullif({_AT_OLD_PRICES}, 0)"


@feature("products", unit="money", concept="prices", needs=("product_id", "quantity"))
def price_effect_90d() -> str:
    """Part of the revenue of the last 90 days that came from prices other than those of the year before."""
    return f"({_PAID} - {_AT_OLD_PRICES}) / 100"
