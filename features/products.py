"""How broadly a customer buys: products and product lines, what is new, what has lapsed, how concentrated it is.

Each function returns SQL over ``products`` or ``product_lines``: one row per thing bought in the past 455 days, with
the quarters (90 days, the newest is 0) in which it was bought.
"""

from features import cutoffs
from features.registry import LOOKBACK_DAYS, feature
from features.relations import relation

_OLDER_QUARTERS = " + ".join(f"count(*) FILTER (quarter_{q})" for q in range(1, 5))
#: Quarters of the past year before the newest in which anything was bought at all.
_QUARTERS_BOUGHT = " + ".join(f"CAST(bool_or(quarter_{q}) AS INTEGER)" for q in range(1, 5))


def _things_bought(column: str) -> str:
    """SQL of one row per (cutoff, customer, thing) bought in the 455 days before the cutoff, with its own clock."""
    quarters = ", ".join(
        f"bool_or(amount > 0 AND days_ago BETWEEN {90 * q + 1} AND {90 * (q + 1)}) AS quarter_{q}" for q in range(5)
    )
    return (
        f"SELECT as_of, customer_id, {column}, {quarters}, min(days_ago) FILTER (amount > 0) AS last_days_ago, "
        "max(days_ago) FILTER (amount > 0) AS first_days_ago, "
        "count(DISTINCT days_ago) FILTER (amount > 0 AND days_ago BETWEEN 91 AND 455) AS days_before, "
        "coalesce(sum(amount) FILTER (days_ago <= 365), 0) AS amount_365d, "
        "coalesce(sum(amount) FILTER (days_ago BETWEEN 91 AND 455), 0) AS amount_before "
        f"FROM ({cutoffs.past('product_days', LOOKBACK_DAYS)}) WHERE {column} IS NOT NULL GROUP BY ALL"
    )


relation("products", ("transactions",), _things_bought("product_id"))
relation("product_lines", ("transactions",), _things_bought("product_line"))


def _bought(days: int) -> str:
    return f"count(*) FILTER (last_days_ago <= {days})"


def _usual_per_quarter() -> str:
    return f"({_OLDER_QUARTERS}) / nullif({_QUARTERS_BOUGHT}, 0)"


def _concentration() -> str:
    cents = "CAST(greatest(amount_365d, 0) * 100 AS HUGEINT)"
    total = f"CAST(sum({cents}) AS DOUBLE)"
    return f"sum({cents} * {cents}) / nullif({total} * {total}, 0)"


@feature("products", unit="products", concept="breadth", needs=("product_id",), usual="products_90d_usual")
def products_30d() -> str:
    """Different products bought, last 30 days."""
    return _bought(30)


@feature("products", unit="products", concept="breadth", needs=("product_id",), usual="products_90d_usual")
def products_90d() -> str:
    """Different products bought, last 90 days."""
    return _bought(90)


@feature("products", unit="products", concept="breadth", needs=("product_id",))
def products_365d() -> str:
    """Different products bought, last 365 days."""
    return _bought(365)


@feature("products", unit="products", concept="breadth", needs=("product_id",))
def products_90d_usual() -> str:
    """Different products bought in a usual active quarter of the year before the last 90 days."""
    return _usual_per_quarter()


@feature("features", unit="ratio", concept="breadth", needs=("product_id",), usual="products_90d_usual")
def products_90d_vs_usual() -> str:
    """Different products of the last 90 days against the customer's own usual, one added to both."""
    return "(products_90d + 1) / (products_90d_usual + 1)"


@feature("features", unit="products per order day", concept="breadth", needs=("product_id",))
def products_per_order_day_365d() -> str:
    """Different products per order day, last 365 days."""
    return "products_365d / nullif(order_days_365d, 0)"


@feature("products", unit="products", concept="breadth", needs=("product_id",))
def new_products_90d() -> str:
    """Products bought in the last 90 days for the first time in 455 days."""
    return "count(*) FILTER (first_days_ago <= 90)"


@feature("products", unit="share", concept="lapsed_products", needs=("product_id",))
def repeat_product_share_365d() -> str:
    """Share of the products bought in the past year that were bought in more than one quarter."""
    quarters = " + ".join(f"CAST(quarter_{q} AS INTEGER)" for q in range(4))
    return f"count(*) FILTER ({quarters} > 1) / nullif(count(*) FILTER (last_days_ago <= 365), 0)"


@feature("products", unit="share", concept="lapsed_products", needs=("product_id",))
def lapsed_product_share_90d() -> str:
    """Share of the products bought on two or more days of the year before that were not bought in the last 90 days."""
    regular = "days_before >= 2"
    return f"count(*) FILTER ({regular} AND last_days_ago > 90) / nullif(count(*) FILTER ({regular}), 0)"


@feature("products", unit="share", concept="lapsed_products", needs=("product_id",))
def lapsed_revenue_share_90d() -> str:
    """Share of the year's earlier revenue that came from products not bought in the last 90 days."""
    earned = "amount_before > 0"
    return (
        f"coalesce(sum(amount_before) FILTER ({earned} AND last_days_ago > 90), 0) "
        f"/ nullif(sum(amount_before) FILTER ({earned}), 0)"
    )


@feature("products", unit="share", concept="concentration", needs=("product_id",))
def top_product_share_365d() -> str:
    """Share of the past year's revenue that came from the strongest product."""
    return "max(amount_365d) / nullif(sum(amount_365d) FILTER (amount_365d > 0), 0)"


@feature("products", unit="index", concept="concentration", needs=("product_id",))
def product_concentration_365d() -> str:
    """Herfindahl index of the past year's revenue over products: 1 is a single product."""
    return _concentration()


@feature(
    "product_lines", unit="product lines", concept="breadth", needs=("product_line",), usual="product_lines_90d_usual"
)
def product_lines_90d() -> str:
    """Product lines bought, last 90 days."""
    return _bought(90)


@feature("product_lines", unit="product lines", concept="breadth", needs=("product_line",))
def product_lines_365d() -> str:
    """Product lines bought, last 365 days."""
    return _bought(365)


@feature("product_lines", unit="product lines", concept="breadth", needs=("product_line",))
def product_lines_90d_usual() -> str:
    """Product lines bought in a usual active quarter of the year before the last 90 days."""
    return _usual_per_quarter()


@feature("features", unit="ratio", concept="breadth", needs=("product_line",), usual="product_lines_90d_usual")
def product_lines_90d_vs_usual() -> str:
    """Product lines of the last 90 days against the customer's own usual, one added to both."""
    return "(product_lines_90d + 1) / (product_lines_90d_usual + 1)"


@feature("product_lines", unit="index", concept="concentration", needs=("product_line",))
def product_line_concentration_365d() -> str:
    """Herfindahl index of the past year's revenue over product lines: 1 is a single line."""
    return _concentration()
