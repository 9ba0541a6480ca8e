"""Category clocks: for every account and product line, or product, how overdue it is and what revenue has lapsed.

A thing bought on three days or more has a cycle of its own, the median of the days between them. It is overdue when
more than :data:`OVERDUE_CYCLES` of them have passed. The features count only such things; the display table puts the
usual cycle of other accounts in the place of one that is not known yet, and says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from features import cutoffs, products
from features.buckets import Events
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.options import Value, option, resolved, set_options
from features.registry import feature
from features.sql import quiet_connection

OVERDUE_CYCLES = option(
    "overdue_cycles", 2, "A product or product line is overdue beyond so many of its own cycles.", "cycles"
)
MAIN_THINGS = option("main_things", 3, "How many of an account's strongest products or product lines are main.", "")

_OVERDUE = f"last_days_ago > {OVERDUE_CYCLES} * gap_days"
_CYCLES = "last_days_ago / gap_days"


def _lapsed() -> str:
    """SQL of the past year's revenue of what is overdue."""
    return f"coalesce(sum(amount_365d) FILTER (amount_365d > 0 AND {_OVERDUE}), 0)"


def _lapsed_share() -> str:
    return f"{_lapsed()} / nullif(sum(amount_365d) FILTER (amount_365d > 0), 0)"


@feature("products", unit="products", concept="breadth", worse="more", needs=("product_id",))
def overdue_products() -> str:
    """Products that are overdue by their own cycle."""
    return f"count(*) FILTER ({_OVERDUE})"


@feature("products", unit="share", concept="breadth", worse="more", needs=("product_id",))
def overdue_product_share() -> str:
    """Share of the products with a cycle of their own that are overdue by it."""
    return f"count(*) FILTER ({_OVERDUE}) / nullif(count(gap_days), 0)"


@feature("products", unit="share", concept="breadth", worse="more", needs=("product_id",))
def overdue_product_revenue_share() -> str:
    """Share of the past year's revenue that came from products that are overdue by their own cycle."""
    return _lapsed_share()


@feature("features", unit="share", concept="breadth", worse="more", needs=("product_id",))
def switched_product_revenue_share() -> str:
    """Share of the past year's revenue from overdue products while the customer itself orders on time. Perhaps they are
    bought elsewhere now; 0 where the customer itself is late.
    """
    return (
        f"CASE WHEN days_since_last_order_vs_median_gap <= {OVERDUE_CYCLES} THEN overdue_product_revenue_share "
        "WHEN days_since_last_order_vs_median_gap IS NOT NULL AND overdue_product_revenue_share IS NOT NULL THEN 0 END"
    )


@feature("product_lines", unit="product lines", concept="breadth", worse="more", needs=("product_line",))
def overdue_product_lines() -> str:
    """Product lines that are overdue by their own cycle."""
    return f"count(*) FILTER ({_OVERDUE})"


@feature("product_lines", unit="share", concept="breadth", worse="more", needs=("product_line",))
def overdue_product_line_share() -> str:
    """Share of the product lines with a cycle of their own that are overdue by it."""
    return f"count(*) FILTER ({_OVERDUE}) / nullif(count(gap_days), 0)"


@feature("product_lines", unit="money", concept="breadth", worse="more", needs=("product_line",))
def overdue_product_line_revenue_365d() -> str:
    """Revenue of the past year from product lines that are overdue by their own cycle."""
    return _lapsed()


@feature("product_lines", unit="share", concept="breadth", worse="more", needs=("product_line",), peers="difference")
def overdue_product_line_revenue_share() -> str:
    """Share of the past year's revenue that came from product lines that are overdue by their own cycle."""
    return _lapsed_share()


@feature("product_lines", unit="cycles", concept="breadth", worse="more", needs=("product_line",))
def strongest_product_line_cycles() -> str:
    """Days since the strongest product line was bought, in its own cycles."""
    return f"arg_max({_CYCLES}, (amount_365d, product_line)) FILTER (gap_days IS NOT NULL)"


@feature("product_lines", unit="cycles", concept="breadth", worse="more", needs=("product_line",))
def most_overdue_main_product_line_cycles() -> str:
    """Days since the most overdue of the main product lines was bought, in its own cycles."""
    return f"list_max(arg_max({_CYCLES}, (amount_365d, product_line), {MAIN_THINGS}) FILTER (gap_days IS NOT NULL))"


def category_clocks(
    events: Events, as_of: date, *, options: Mapping[str, object] | None = None, engine: Engine = ONE_BY_ONE
) -> pd.DataFrame:
    """How overdue every account is in every product line, or product where the source names no line, at `as_of`.

    Parameters
    ----------
    options
        Values of :mod:`features.options` that differ from their defaults.

    Returns
    -------
    DataFrame
        Of everything bought in the past 455 days: ``customer_id``, ``category`` (str), ``purchase_days`` (int64),
        ``last_bought`` (datetime64), ``cycle_days`` and ``cycle_of``: ``own`` from three purchases on, else
        ``category`` (median of the accounts that have one in it), else ``cohort`` (of all), else missing;
        ``overdue_cycles`` (days since the last purchase in cycles), ``overdue`` (bool), ``revenue_365d``,
        ``lapsed_revenue`` (the same of what is overdue, else 0) and ``main`` (bool: among the account's strongest),
        ordered by customer and lapsed revenue.

    Raises
    ------
    SettingsError
        If an option is unknown.
    """
    values = resolved(options or {})
    parts = map_buckets(_Clocks(as_of, values), events, engine, "category clocks")
    with quiet_connection() as con:
        set_options(con, values)
        con.register("bought", pd.concat(parts, ignore_index=True))
        found = con.execute(
            f"""
            WITH of_others AS (
                SELECT *, median(own_cycle_days) OVER (PARTITION BY category) AS of_category,
                       median(own_cycle_days) OVER () AS of_all,
                       row_number() OVER (PARTITION BY customer_id ORDER BY revenue_365d DESC, category) AS place
                FROM bought
            ), clocked AS (
                SELECT *, coalesce(own_cycle_days, of_category, of_all) AS cycle_days,
                       CASE WHEN own_cycle_days IS NOT NULL THEN 'own' WHEN of_category IS NOT NULL THEN 'category'
                            WHEN of_all IS NOT NULL THEN 'cohort' END AS cycle_of,
                       last_days_ago / coalesce(own_cycle_days, of_category, of_all) AS overdue_cycles,
                       coalesce(overdue_cycles > {OVERDUE_CYCLES}, false) AS overdue
                FROM of_others
            )
            SELECT customer_id, category, purchase_days, last_bought, cycle_days, cycle_of, overdue_cycles, overdue,
                   revenue_365d, CASE WHEN overdue THEN greatest(revenue_365d, 0) ELSE 0 END AS lapsed_revenue,
                   place <= {MAIN_THINGS} AND revenue_365d > 0 AS main
            FROM clocked ORDER BY customer_id, lapsed_revenue DESC, category
            """
        ).df()
    return found.astype({"customer_id": "str", "category": "str", "cycle_of": "str", "last_bought": "datetime64[s]"})


@dataclass(frozen=True)
class _Clocks:
    """The clocks of one bucket, in a form that another process can be handed."""

    as_of: date
    options: Mapping[str, Value]

    def __call__(self, events: Events, bucket: int) -> pd.DataFrame:
        """Read one bucket."""
        purchases = {"purchase_days": "count(DISTINCT days_ago) FILTER (amount > 0)"}
        by_line = "product_line" in events.columns["transactions"]
        laid_out, thing = ("line_days", "product_line") if by_line else ("product_days", "product_id")
        bought = products.things_bought(laid_out, thing, purchases)
        with events.connect(bucket) as con:
            cutoffs.lay_out_time(con)
            set_options(con, self.options)
            cutoffs.set_cutoffs(con, [self.as_of])
            return con.execute(
                f"SELECT customer_id, {thing} AS category, purchase_days, last_days_ago, "
                "as_of - CAST(last_days_ago AS INTEGER) AS last_bought, gap_days AS own_cycle_days, "
                f"CAST(amount_365d AS DOUBLE) AS revenue_365d FROM ({bought}) WHERE purchase_days > 0"
            ).df()
