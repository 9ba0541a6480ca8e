"""What the data looked like, month by month: aggregates that a champion keeps of its training, nothing of a customer.

Shuffled orders keep every total. So three figures ask whether a month's orders belong to their customers: the share of
customers that had ordered before, how far the value of an order is like the customer's own earlier ones, and the share
of products that the customer had bought before.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from features.buckets import Events
from features.contract import CONTRACT, KNOWN_AT
from features.engines import ONE_BY_ONE, Engine, map_buckets

FORMAT = 1
#: Months before, in which a customer's earlier orders are looked for.
LOOKBACK_MONTHS = 3
#: Newest months that a profile keeps.
KEPT_MONTHS = 36


def exact(number: str) -> str:
    """SQL of a number whose sum is the same in whatever order its rows come."""
    return f"CAST({number} AS DECIMAL(24, 12))"


_ORDERS = f"""
WITH lines AS (
    SELECT customer_id, order_id, product_id, CAST(ordered_at AS DATE) AS day, amount
    FROM transactions WHERE greatest(ordered_at, {KNOWN_AT}) < $as_of
), orders AS (
    SELECT customer_id, order_id, min(day) AS day, sum(amount) AS amount FROM lines GROUP BY ALL HAVING sum(amount) > 0
), days AS (
    SELECT customer_id, day, date_trunc('month', day) AS month, CAST(sum(amount) AS DOUBLE) AS amount
    FROM orders GROUP BY ALL
), here AS (
    SELECT customer_id, month, count(*) AS order_days, sum({exact("ln(amount)")}) AS logs FROM days GROUP BY ALL
), earlier AS (
    SELECT h.customer_id, h.month, sum(b.logs) / sum(b.order_days) AS usual
    FROM here h JOIN here b ON b.customer_id = h.customer_id
     AND b.month < h.month AND b.month >= h.month - INTERVAL {LOOKBACK_MONTHS} MONTH GROUP BY ALL
), bought AS (
    SELECT DISTINCT customer_id, product_id, date_trunc('month', day) AS month
    FROM lines WHERE amount > 0 AND product_id IS NOT NULL
), products AS (
    SELECT month, count(*) AS products, count(*) FILTER (EXISTS (
        FROM bought o WHERE o.customer_id = b.customer_id AND o.product_id = b.product_id
         AND o.month < b.month AND o.month >= b.month - INTERVAL {LOOKBACK_MONTHS} MONTH)) AS bought_before
    FROM bought b SEMI JOIN earlier e ON e.customer_id = b.customer_id AND e.month = b.month GROUP BY ALL
), money AS (
    SELECT date_trunc('month', day) AS month, CAST(sum(amount) AS DOUBLE) AS revenue FROM lines GROUP BY ALL
), people AS (
    SELECT month, count(*) AS customers, sum(order_days) AS order_days, sum(logs) AS logs, count(usual) AS returning,
           sum({exact("logs / order_days")}) FILTER (usual IS NOT NULL) AS x, sum({exact("usual")}) AS y,
           sum({exact("(logs / order_days) ** 2")}) FILTER (usual IS NOT NULL) AS xx,
           sum({exact("usual ** 2")}) AS yy, sum({exact("logs / order_days * usual")}) AS xy
    FROM here LEFT JOIN earlier USING (customer_id, month) GROUP BY ALL
)
SELECT CAST(month AS DATE) AS month, * EXCLUDE (month)
FROM money LEFT JOIN people USING (month) LEFT JOIN products USING (month)
"""


@dataclass(frozen=True)
class _Sums:
    """Sums of one bucket that add up over buckets: of orders by month; of rows and sizes by table, column and month."""

    orders: pd.DataFrame
    rows: pd.DataFrame


def profile(events: Events, as_of: date, *, engine: Engine = ONE_BY_ONE) -> dict[str, Any]:
    """What the data looked like, as known at `as_of`; plain values for JSON, no customer in them.

    Returns
    -------
    dict
        ``as_of``; ``first`` (the month of the first order); ``tables`` (rows by table); ``columns`` (those filled, by
        table); ``months``: by ``2026-08`` the ``days`` of the month before `as_of`, ``order_days``, ``customers``,
        ``revenue`` (net), ``usual_order`` (geometric mean of what an order day is worth), ``returning`` (customers who
        had ordered in the three months before), ``returning_share``, ``alike`` (correlation of an order's logarithm
        with the customer's own earlier ones), ``products`` (of returning customers, each once per customer) and
        ``repeated_share`` (those of them that were bought before); ``rows`` (by table, by month); ``sizes`` (by
        ``table.column``, by month: geometric mean and count of the values that are not 0). A figure that cannot be told
        is left out.
    """
    found = map_buckets(partial(_sums, as_of=as_of), events, engine, "profile")
    orders = pd.concat([one.orders for one in found]).groupby("month").sum(min_count=1).sort_index()
    rows = pd.concat([one.rows for one in found]).groupby(["table", "column", "month"]).sum().reset_index()
    names = {month: f"{month:%Y-%m}" for month in pd.to_datetime(orders.index)}
    months = {
        names[month]: _figures(sums, month, as_of)
        for month, sums in zip(pd.to_datetime(orders.index), orders.to_dict("records"), strict=True)
    }
    kept = list(months)[-KEPT_MONTHS:]
    counts = rows[rows["column"] == ""]
    sizes = rows[(rows["column"] != "") & (rows["n"] > 0)]
    return {
        "format": FORMAT,
        "as_of": str(as_of),
        "first": next(iter(months), None),
        "tables": {name: int(size) for name, size in sorted(events.sizes.items()) if name in events.columns},
        "columns": {name: sorted(columns) for name, columns in sorted(events.columns.items())},
        "months": {month: months[month] for month in kept},
        "rows": _by_month(counts["table"], counts, kept, lambda row: int(row["n"])),
        "sizes": _by_month(
            sizes["table"] + "." + sizes["column"],
            sizes,
            kept,
            lambda row: [float(np.exp(row["logs"] / row["n"])), int(row["n"])],
        ),
    }


def _by_month(
    names: pd.Series, table: pd.DataFrame, kept: Collection[str], value: Callable[[dict[Any, Any]], Any]
) -> dict[str, Any]:
    """Nested plain values: by name, by month."""
    found: dict[str, dict[str, Any]] = {}
    for name, row in zip(names, table.to_dict("records"), strict=True):
        month = f"{pd.Timestamp(row['month']):%Y-%m}"
        if month in kept:
            found.setdefault(str(name), {})[month] = value(row)
    return found


def _figures(sums: dict[Any, Any], month: pd.Timestamp, as_of: date) -> dict[str, float]:
    """The figures of one month from its sums."""
    end = min(month + pd.offsets.MonthBegin(1), pd.Timestamp(as_of))
    known = {name: float(value) for name, value in sums.items() if pd.notna(value)}
    figures = {"days": (end - month).days, "revenue": round(known.get("revenue", 0.0), 2)}
    figures |= {name: int(known.get(name, 0)) for name in ("order_days", "customers", "returning")}
    if figures["order_days"]:
        figures["usual_order"] = float(np.exp(known["logs"] / known["order_days"]))
        figures["returning_share"] = known["returning"] / known["customers"]
    if known.get("products"):
        figures["products"] = int(known["products"])
        figures["repeated_share"] = known.get("bought_before", 0.0) / known["products"]
    n = known.get("returning", 0.0)
    if n > 3:
        spread = (known["xx"] - known["x"] ** 2 / n) * (known["yy"] - known["y"] ** 2 / n)
        if spread > 1e-12 * max(known["xx"] * known["yy"], 1e-12):
            figures["alike"] = float((known["xy"] - known["x"] * known["y"] / n) / np.sqrt(spread))
    return figures


def _sums(events: Events, bucket: int, *, as_of: date) -> _Sums:
    """Read one bucket."""
    with events.connect(bucket) as con:
        orders = con.execute(_ORDERS, {"as_of": pd.Timestamp(as_of).to_pydatetime()}).df()
        parts = [
            con.execute(_table_sql(name, events.columns[name]), {"as_of": pd.Timestamp(as_of).to_pydatetime()}).df()
            for name in events.columns
            if CONTRACT[name].time and (CONTRACT[name].of_customer or bucket == 0)
        ]
    return _Sums(orders, pd.concat(parts, ignore_index=True).astype({"table": "str", "column": "str"}))


def _table_sql(name: str, columns: tuple[str, ...]) -> str:
    """SQL of (table, column, month, n, logs): rows, and values that are not 0, of one table by month."""
    table = CONTRACT[name]
    seen = f"FROM {name} WHERE greatest({table.time}, {KNOWN_AT}) < $as_of GROUP BY ALL"
    month = f"CAST(date_trunc('month', {table.time}) AS DATE) AS month"
    parts = [f"SELECT '{name}' AS \"table\", '' AS \"column\", {month}, count(*) AS n, 0.0::DOUBLE AS logs {seen}"]
    for column in columns:
        if column in table.names and table.column(column).type in ("money", "number"):
            logs = f"coalesce(sum({exact(f'ln(nullif(abs({column}::DOUBLE), 0))')}), 0)"
            parts.append(f"SELECT '{name}', '{column}', {month}, count(*) FILTER ({column} <> 0), {logs} {seen}")
    return " UNION ALL ".join(parts)
