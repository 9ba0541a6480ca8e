"""The only place that cuts time.

A cutoff (``as_of``) is midnight at the start of a day. It sees a row only if the row happened before it and was known
before it: ``greatest(own time, known_at) < as_of``. Because cutoffs are midnights, this is the same as
``visible_from <= as_of`` with ``visible_from`` = the day after the later of the two. An order booked on 3 May,
whatever the hour, is visible from 4 May; recorded on 9 May, from 10 May.

What was known of a day or an order changes when a late line or a credit note under the same order number arrives.
Facts that do not add up (is this day an order day?) therefore stand in *versions*, each valid in ``[visible_from,
visible_until)``; exactly one version of a fact is valid at a cutoff. The same holds for a row of another table that was
restated under its key with a later ``recorded_at``. A later fact on a row (a reply, a payment, an answer) is unknown
before its own time.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

import duckdb

from features.contract import CONTRACT, KNOWN_AT, RECORDED_AT, Table
from features.options import option
from features.sql import name_sql

option("segment", "industry", "Column of `customers` whose values are compared with each other: the peers.")

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


def _thing_days(name: str, things: str, sums: Mapping[str, str], rows: str) -> str:
    """SQL that lays out sums by customer, thing and day, one version per state of knowledge."""
    parts = ", ".join(f"{sql} AS {column}" for column, sql in sums.items())
    known = ", ".join(f"sum({column}) OVER (known ROWS UNBOUNDED PRECEDING) AS {column}" for column in sums)
    return f"""
CREATE TEMP TABLE {name} AS
WITH parts AS (
    SELECT customer_id, {things}, CAST(ordered_at AS DATE) AS day, {_VISIBLE_FROM} AS visible_from, {parts}
    FROM transactions {rows} GROUP BY ALL
)
SELECT * EXCLUDE ({", ".join(sums)}), {known}, coalesce(lead(visible_from) OVER known, {FOREVER}) AS visible_until
FROM parts WINDOW known AS (PARTITION BY customer_id, {things}, day ORDER BY visible_from)
"""


_PRODUCT_DAYS = _thing_days(
    "product_days",
    "product_id, product_line",
    {
        "amount": "sum(amount)",
        "units": "sum(quantity)",
        "units_amount": "sum(amount) FILTER (quantity IS NOT NULL)",
    },
    "WHERE product_id IS NOT NULL OR product_line IS NOT NULL",
)

_LINE_DAYS = _thing_days("line_days", "product_line", {"amount": "sum(amount)"}, "WHERE product_line IS NOT NULL")

#: The days of the products that a customer once tried; empty, and free, where no line is marked as a trial.
_TRIAL_DAYS = _thing_days(
    "trial_days",
    "product_id",
    {"amount": "sum(amount)", "trial_amount": "coalesce(sum(amount) FILTER (trial), 0)"},
    "SEMI JOIN (SELECT DISTINCT customer_id AS c, product_id AS p FROM transactions WHERE trial) "
    "ON customer_id = c AND product_id IS NOT DISTINCT FROM p",
)

#: Lines by their order day and their days of promise and delivery; empty, and nearly free, where nothing was promised.
#: A line that the customer took back under the same order and product before it was delivered is cancelled: it is
#: there only until that became known.
_DELIVERIES = f"""
CREATE TEMP TABLE deliveries AS
WITH promised AS (
    SELECT customer_id, order_id, product_id, CAST(ordered_at AS DATE) AS day, CAST(promised_at AS DATE) AS promised,
           CAST(delivered_at AS DATE) AS delivered, coalesce(delivered_quantity < quantity, false) AS short,
           {_VISIBLE_FROM} AS visible_from
    FROM transactions WHERE promised_at IS NOT NULL AND amount > 0
), booked AS (
    SELECT customer_id AS c, order_id AS o, product_id AS p, {_VISIBLE_FROM} AS known_from, sum(amount) AS amount,
           coalesce(sum(amount) FILTER (amount > 0), 0) AS ordered,
           max(CAST(ordered_at AS DATE)) FILTER (amount < 0) AS day
    FROM transactions WHERE order_id IN (
        SELECT order_id FROM transactions WHERE amount < 0 INTERSECT SELECT order_id FROM promised
    ) GROUP BY ALL
), states AS (
    SELECT c, o, p, known_from, sum(amount) OVER known AS net, sum(ordered) OVER known AS ordered,
           max(day) OVER known AS cancelled
    FROM booked WINDOW known AS (PARTITION BY c, o, p ORDER BY known_from ROWS UNBOUNDED PRECEDING)
), taken_back AS (
    SELECT c, o, p, min(known_from) AS cancelled_from, arg_min(cancelled, known_from) AS cancelled
    FROM states WHERE ordered > 0 AND net <= 0 GROUP BY ALL
), lasting AS (
    SELECT * EXCLUDE (cancelled_from),
           CASE WHEN delivered IS NULL OR delivered > cancelled THEN cancelled_from END AS cancelled_from
    FROM promised LEFT JOIN taken_back
      ON customer_id = c AND order_id = o AND product_id IS NOT DISTINCT FROM p
)
SELECT customer_id, day, promised, delivered, visible_from, coalesce(cancelled_from, {FOREVER}) AS visible_until,
       count(*) AS lines, count(*) FILTER (short) AS short_lines
FROM lasting WHERE cancelled_from IS NULL OR visible_from < cancelled_from GROUP BY ALL
"""


#: Tables whose rows :func:`past` shows one by one.
EVENT_TABLES = tuple(name for name, table in CONTRACT.items() if table.time and name != "transactions")


def _known(table: Table) -> str:
    """SQL that lays out an event table: each row with its day and the time in which this version was the newest."""
    seen = f"CAST({KNOWN_AT} AS DATE) + 1"
    until = FOREVER
    if table.key:
        versions = f"PARTITION BY {', '.join(table.key)} ORDER BY {KNOWN_AT}, coalesce({RECORDED_AT}, {table.time})"
        until = f"coalesce(lead({seen}) OVER ({versions}), {FOREVER})"
    return (
        f"CREATE TEMP TABLE known_{table.name} AS SELECT * EXCLUDE ({KNOWN_AT}, {RECORDED_AT}), "
        f"CAST({table.time} AS DATE) AS day, {seen} AS visible_from, {until} AS visible_until FROM {table.name}"
    )


def lay_out_time(con: duckdb.DuckDBPyConnection) -> None:
    """Turn the clean events into versions with the time in which each was known, once per connection.

    Makes the temporary tables ``order_days`` (customer, day; net of everything booked under the day's orders, one
    version per state of knowledge; `is_order` where at least one order has a net amount above 0), ``product_days``
    (customer, product, product line, day; net, versioned likewise), ``line_days`` (customer, product line, day),
    ``trial_days`` (the days of the products that were ever tried), ``deliveries`` (promised lines by order day, day of
    promise and day of delivery) and ``known_<table>`` for every other event table. Money and quantities stay exact
    decimals.
    """
    for statement in (_ORDER_PARTS, _ORDERS, _ORDER_DAYS, _PRODUCT_DAYS, _LINE_DAYS, _TRIAL_DAYS, _DELIVERIES):
        con.execute(statement)
    con.execute("DROP TABLE orders")
    con.execute("DROP TABLE order_parts")
    lay_out_events(con, EVENT_TABLES)


def lay_out_events(con: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
    """The part of :func:`lay_out_time` that makes ``known_<table>``, for readers of these event tables alone."""
    for name in tables:
        con.execute(_known(CONTRACT[name]))


def set_cutoffs(con: duckdb.DuckDBPyConnection, as_ofs: Sequence[date]) -> None:
    """Name the cutoffs that :func:`past` and :func:`observed` refer to, each once."""
    con.execute("CREATE OR REPLACE TEMP TABLE cutoffs (as_of DATE PRIMARY KEY)")
    con.executemany("INSERT INTO cutoffs VALUES (?)", [[as_of] for as_of in sorted(set(as_ofs))])


def source_starts(tables: Collection[str] = EVENT_TABLES) -> str:
    """SQL of (source, visible_from, day): from when each of the event tables was known to begin on which day.

    A company that began to log its calls last year has no calls before; what a customer's usual number of them was can
    only be told from then on. Reads the clean events, not what :func:`lay_out_time` makes of them.
    """
    known = [
        f"SELECT '{name}' AS source, CAST({KNOWN_AT} AS DATE) + 1 AS visible_from, "
        f"min(CAST(coalesce({CONTRACT[name].time}, {KNOWN_AT}) AS DATE)) AS day FROM {name} GROUP BY ALL"
        for name in EVENT_TABLES
        if name in tables
    ]
    nothing = "SELECT NULL::VARCHAR AS source, NULL::DATE AS visible_from, NULL::DATE AS day WHERE false"
    return " UNION ALL ".join(known or [nothing])


#: What `account_changes` may say of an account, with the column of `customers` that holds today's value of it.
ACCOUNT_FIELDS = {
    "owner": "owner",
    "rank": "rank",
    "order_pattern": "order_pattern",
    "growth": "growth",
    "credit_limit": "CAST(credit_limit AS VARCHAR)",
    "temperature": None,
    "risk": None,
}


def set_accounts(con: duckdb.DuckDBPyConnection, segment: str) -> None:
    """Make the table ``accounts``: every known account at each cutoff of :func:`set_cutoffs`, as its file stood then.

    Columns ``as_of``, ``customer_id``, ``segment`` (the given column of `customers`), ``region``, ``since`` and, as
    text, the fields of :data:`ACCOUNT_FIELDS` from the newest change that was known; before the first known change they
    are
    what `customers` says, which has no history of its own.
    """
    held = {row[0] for row in con.execute("SELECT column_name FROM (DESCRIBE customers)").fetchall()}
    group = f"CAST({name_sql(segment)} AS VARCHAR)" if segment in held else "NULL"
    newest = ", ".join(
        f"arg_max(new, (changed_at, new)) FILTER (field = '{name}' AND new IS NOT NULL) AS {name}"
        for name in ACCOUNT_FIELDS
    )
    now = ", ".join(
        f"coalesce(changed.{name}, {f'filed.{name}' if column else 'NULL'}) AS {name}"
        for name, column in ACCOUNT_FIELDS.items()
    )
    filed = ", ".join(f"{column} AS {name}" for name, column in ACCOUNT_FIELDS.items() if column)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE accounts AS WITH changed AS ("
        f"SELECT as_of, customer_id, {newest} FROM ({past('account_changes')}) GROUP BY ALL), "
        f"filed AS (SELECT customer_id, {group} AS segment, region, since, {filed} FROM customers), "
        "known AS (SELECT customer_id FROM order_days UNION SELECT customer_id FROM customers) "
        f"SELECT as_of, customer_id, filed.segment, filed.region, filed.since, {now} "
        "FROM cutoffs CROSS JOIN known LEFT JOIN changed USING (as_of, customer_id) LEFT JOIN filed USING (customer_id)"
    )


_DELIVERED_BY_THEN = ", ".join(
    f"CASE WHEN e.delivered < c.as_of THEN e.{fact} END AS {fact}" for fact in ("delivered", "short_lines")
)


def past(relation: str, lookback_days: int | None = None) -> str:
    """SQL of the rows that each cutoff may see, with ``as_of`` and ``days_ago`` (at least 1; NULL without a day).

    Parameters
    ----------
    relation
        A table of :func:`lay_out_time` or an event table of the contract, whose later facts are NULL before their own
        time.
    lookback_days
        The longest window that any reader of the result needs; `None` for the whole past.
    """
    bound = "" if lookback_days is None else f" AND e.day >= c.as_of - {lookback_days}"
    laid_out, masked = relation, f" REPLACE ({_DELIVERED_BY_THEN})" if relation == "deliveries" else ""
    if relation in EVENT_TABLES:
        table = CONTRACT[relation]
        laid_out = f"known_{relation}"
        later = [(column, column.later) for column in table.columns if column.later]
        facts = [
            f"CASE WHEN {f'e.{when}' if when == column.name else f'coalesce(e.{when}, e.{table.time})'} < c.as_of "
            f"THEN e.{column.name} END AS {column.name}"
            for column, when in later
        ]
        masked = f" REPLACE ({', '.join(facts)})" if facts else ""
    return (
        f"SELECT c.as_of, c.as_of - e.day AS days_ago, e.* EXCLUDE (visible_from, visible_until){masked} "
        f"FROM cutoffs c JOIN {laid_out} e ON e.visible_from <= c.as_of AND c.as_of < e.visible_until{bound}"
    )


def observed(observed_until: date) -> str:
    """SQL of all order days as known at `observed_until`: what outcomes are read from, and nothing later."""
    until = f"DATE '{observed_until.isoformat()}'"
    return (
        "SELECT customer_id, CAST(day AS DATE) AS day FROM order_days "
        f"WHERE is_order AND visible_from <= {until} AND {until} < visible_until AND day < {until}"
    )
