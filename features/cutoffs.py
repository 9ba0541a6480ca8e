"""The only place that cuts time.

A cutoff (``as_of``) is midnight at the start of a day. It sees a row only if the row happened before it and was known
before it: ``greatest(own time, known_at) < as_of``. Because cutoffs are midnights, this is the same as
``visible_from <= as_of`` with ``visible_from`` = the day after the later of the two. An order booked on 3 May,
whatever the hour, is visible from 4 May; recorded on 9 May, from 10 May.

What was known of a day or an order changes when a late line or a credit note under the same order number arrives.
Facts that do not add up (is this day an order day?) therefore stand in *versions*, each valid in ``[visible_from,
visible_until)``; exactly one version of a fact is valid at a cutoff.
"""

from collections.abc import Sequence
from datetime import date

import duckdb

FOREVER = "DATE '9999-12-31'"

#: The day from which a row of `transactions` may be seen.
_VISIBLE_FROM = "CAST(greatest(ordered_at, known_at) AS DATE) + 1"

_SUMS = (
    "amount",
    "returned",
    "lines",
    "units",
    "margin",
    "margin_amount",
    "high_margin_amount",
    "listed",
    "listed_amount",
)

#: What was ordered on a day, before returns and credit notes: SQL over ``order_days``.
GROSS = "(amount + returned)"

#: A line's margin counts as high from this share of its amount on.
HIGH_MARGIN_SHARE = 0.35

_ORDER_PARTS = f"""
CREATE TEMP TABLE order_parts AS
SELECT customer_id, order_id, {_VISIBLE_FROM} AS visible_from,
       min(CAST(ordered_at AS DATE)) AS day,
       sum(amount) AS amount,
       coalesce(-sum(amount) FILTER (amount < 0), 0) AS returned,
       count(*) AS lines,
       sum(quantity) AS units,
       sum(margin) AS margin,
       sum(amount) FILTER (margin IS NOT NULL) AS margin_amount,
       sum(amount) FILTER (amount > 0 AND margin >= {HIGH_MARGIN_SHARE} * amount) AS high_margin_amount,
       sum(list_amount) AS listed,
       sum(amount) FILTER (list_amount IS NOT NULL) AS listed_amount,
       bool_or(urgent) AS urgent
FROM transactions GROUP BY ALL
"""

_ORDERS = f"""
CREATE TEMP TABLE orders AS
SELECT customer_id, order_id, visible_from,
       coalesce(lead(visible_from) OVER (PARTITION BY customer_id, order_id ORDER BY visible_from), {FOREVER}) AS
       visible_until, min(day) OVER known AS day, {
    ", ".join(f"sum({column}) OVER known AS {column}" for column in _SUMS)
}, bool_or(urgent) OVER known AS urgent
FROM order_parts
WINDOW known AS (PARTITION BY customer_id, order_id ORDER BY visible_from ROWS UNBOUNDED PRECEDING)
"""

_ORDER_DAYS = f"""
CREATE TEMP TABLE order_days AS
WITH moments AS (
    SELECT DISTINCT customer_id, day, unnest([visible_from, visible_until]) AS moment FROM orders
), valued AS (
    SELECT m.customer_id, m.day, m.moment AS visible_from,
           count(o.order_id) FILTER (o.amount > 0) AS orders,
           count(o.order_id) FILTER (o.amount < 0) AS returns,
           count(o.order_id) FILTER (o.amount > 0 AND o.urgent) AS urgent_orders,
           count(o.urgent) FILTER (o.amount > 0) AS orders_with_urgency,
           count(o.order_id) AS documents,
           {", ".join(f"sum(o.{column}) AS {column}" for column in _SUMS)}
    FROM moments m LEFT JOIN orders o
      ON o.customer_id = m.customer_id AND o.day = m.day AND o.visible_from <= m.moment AND m.moment < o.visible_until
    WHERE m.moment < {FOREVER}
    GROUP BY ALL
)
SELECT * EXCLUDE (documents), orders > 0 AS is_order,
       coalesce(lead(visible_from) OVER (PARTITION BY customer_id, day ORDER BY visible_from), {FOREVER}) AS
       visible_until
FROM valued QUALIFY documents > 0
"""

_PRODUCT_DAYS = f"""
CREATE TEMP TABLE product_days AS
WITH parts AS (
    SELECT customer_id, product_id, product_line, CAST(ordered_at AS DATE) AS day, {_VISIBLE_FROM} AS visible_from,
           sum(amount) AS amount
    FROM transactions WHERE product_id IS NOT NULL OR product_line IS NOT NULL GROUP BY ALL
)
SELECT * EXCLUDE (amount), sum(amount) OVER (known ROWS UNBOUNDED PRECEDING) AS amount,
       coalesce(lead(visible_from) OVER known, {FOREVER}) AS visible_until
FROM parts WINDOW known AS (PARTITION BY customer_id, product_id, product_line, day ORDER BY visible_from)
"""


def lay_out_time(con: duckdb.DuckDBPyConnection) -> None:
    """Turn the lines of `transactions` into versioned days, once per connection.

    Makes the temporary tables ``order_days`` (customer, day; net of everything booked under the day's orders, one
    version per state of knowledge; `is_order` where at least one order has a net amount above 0) and ``product_days``
    (customer, product, product line, day; net, versioned likewise). Money and quantities stay exact decimals.
    """
    for statement in (_ORDER_PARTS, _ORDERS, _ORDER_DAYS, _PRODUCT_DAYS):
        con.execute(statement)
    con.execute("DROP TABLE orders")
    con.execute("DROP TABLE order_parts")


def set_cutoffs(con: duckdb.DuckDBPyConnection, as_ofs: Sequence[date]) -> None:
    """Name the cutoffs that :func:`past` and :func:`observed` refer to, each once."""
    con.execute("CREATE OR REPLACE TEMP TABLE cutoffs (as_of DATE PRIMARY KEY)")
    con.executemany("INSERT INTO cutoffs VALUES (?)", [[as_of] for as_of in sorted(set(as_ofs))])


def past(relation: str, lookback_days: int | None = None) -> str:
    """SQL of the rows of a laid-out relation that each cutoff may see, with ``as_of`` and ``days_ago`` (at least 1).

    Parameters
    ----------
    relation
        ``order_days`` or ``product_days``.
    lookback_days
        The longest window that any reader of the result needs; `None` for the whole past.
    """
    bound = "" if lookback_days is None else f" AND e.day >= c.as_of - {lookback_days}"
    return (
        f"SELECT c.as_of, c.as_of - e.day AS days_ago, e.* EXCLUDE (visible_from, visible_until) "
        f"FROM cutoffs c JOIN {relation} e ON e.visible_from <= c.as_of AND c.as_of < e.visible_until{bound}"
    )


def observed(observed_until: date) -> str:
    """SQL of all order days as known at `observed_until`: what outcomes are read from, and nothing later."""
    until = f"DATE '{observed_until.isoformat()}'"
    return (
        "SELECT customer_id, CAST(day AS DATE) AS day FROM order_days "
        f"WHERE is_order AND visible_from <= {until} AND {until} < visible_until AND day < {until}"
    )
