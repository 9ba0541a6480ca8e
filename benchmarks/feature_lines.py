"""Order lines of an invented wholesaler for the benchmark of the feature engine: any number, always the same ones.

Everything is drawn from hashes of (customer, order, line), so a file depends on nothing but its arguments: 20 orders a
customer on the average, 10 lines an order, three years to the end of 2024. Customers buy again and again from an
assortment of their own; one line in 40 comes back as a credit note under its order's number within a month, one in 50
is recorded days after the order. Nothing here resembles the simulated companies of ``kizashi simulate``, and nothing
is learned from it: only time and memory are.

Example: python benchmarks/feature_lines.py 1000000 --out var/lines
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb

from features.buckets import Events
from features.quarantine import ingest
from features.sources import open_source

LINES_PER_ORDER = 10
ORDERS = 20
LINES_PER_CUSTOMER = LINES_PER_ORDER * ORDERS
#: Customers whose lines are made, and written to a file, at a time.
CHUNK = 10_000
#: The moment of the ingest: after the last line.
RUN_AT = datetime(2025, 1, 1)
DAYS = 1096

_UNIFORM = "hash({}) % 1000003 / 1000003.0"

_LINES = """
WITH customers AS (
    SELECT c, hash(c, 1) % 33 + 4 AS orders,
           CASE WHEN hash(c, 2) % 2 = 0 THEN 0 ELSE hash(c, 3) % 365 END AS first_day,
           CASE WHEN hash(c, 4) % 10 < 7 THEN {days} ELSE 400 + hash(c, 5) % 600 END AS last_day,
           6 + hash(c, 6) % 40 AS things
    FROM range({first}, {last}) numbers(c)
), orders AS (
    SELECT c, things, o,
           TIMESTAMP '2022-01-01' + to_days(CAST(first_day + floor(
               greatest(last_day - first_day, 30) * (o + {o_uniform}) / orders) AS INTEGER))
           + to_minutes(CAST(480 + hash(c, o, 8) % 600 AS INTEGER)) AS ordered_at,
           1 + hash(c, o, 9) % {most_lines} AS lines, hash(c, o, 10) % 20 = 0 AS urgent
    FROM customers, range(36) numbers(o) WHERE o < orders
), lines AS (
    SELECT c, o, l, ordered_at, urgent, 1 + hash(c, o, l, 11) % 24 AS quantity,
           CAST(floor(things * pow({pick_uniform}, 2)) AS BIGINT) AS pick
    FROM orders, range({most_lines}) numbers(l) WHERE l < lines
), products AS (
    SELECT *, hash(c, pick % 5, 13) % 40 AS line, hash(c, pick, 14) % 125 AS member FROM lines
), priced AS (
    SELECT *, CAST(1 + hash(line, member) % 20000 / 100 AS DECIMAL(18,4)) * quantity AS list_amount FROM products
), sold AS (
    SELECT 'C' || lpad(CAST(c AS VARCHAR), 8, '0') AS customer_id, c || '-' || o AS order_id, ordered_at,
           CAST(round(list_amount * (0.85 + hash(c, o, l, 15) % 16 / 100), 2) AS DECIMAL(18,4)) AS amount,
           'P' || (line * 125 + member) AS product_id, 'L' || line AS product_line,
           CAST(quantity AS DECIMAL(18,4)) AS quantity, CAST(list_amount AS DECIMAL(18,4)) AS list_amount, urgent,
           hash(c, o, l, 16) AS margin_seed, hash(c, o, l, 17) AS credit_seed, hash(c, o, l, 18) AS late_seed
    FROM priced
), booked AS (
    SELECT customer_id, order_id, ordered_at, amount, product_id, product_line, quantity, list_amount, urgent,
           CAST(round(amount * (0.05 + margin_seed % 45 / 100), 2) AS DECIMAL(18,4)) AS margin,
           CASE WHEN late_seed % 50 = 0 THEN ordered_at + to_days(CAST(1 + late_seed % 9 AS INTEGER)) END AS recorded_at
    FROM sold
    UNION ALL
    SELECT customer_id, order_id, ordered_at + to_days(CAST(1 + credit_seed % 30 AS INTEGER)), -amount, product_id,
           product_line, -quantity, -list_amount, urgent,
           -CAST(round(amount * (0.05 + margin_seed % 45 / 100), 2) AS DECIMAL(18,4)), NULL
    FROM sold WHERE credit_seed % 40 = 0
)
SELECT * FROM booked WHERE greatest(ordered_at, recorded_at) < TIMESTAMP '2025-01-01'
ORDER BY ordered_at, order_id, product_id, amount
"""


def write_lines(lines: int, folder: Path, *, lines_per_order: int = LINES_PER_ORDER) -> int:
    """Write about so many order lines and their customers as a source that ``kizashi`` reads; return the customers.

    Parameters
    ----------
    lines_per_order
        On the average. Customers and order days do not depend on it where ``lines / lines_per_order`` is the same.
    """
    customers = max(1, lines // (lines_per_order * ORDERS))
    (folder / "transactions").mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"threads": 2}) as con:
        for first in range(0, customers, CHUNK):
            query = _LINES.format(
                first=first,
                last=min(first + CHUNK, customers),
                days=DAYS,
                most_lines=2 * lines_per_order - 1,
                o_uniform=_UNIFORM.format("c, o, 7"),
                pick_uniform=_UNIFORM.format("c, o, l, 12"),
            )
            file = folder / "transactions" / f"part-{first // CHUNK:05}.parquet"
            con.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet)")
        con.execute(
            "COPY (SELECT 'C' || lpad(CAST(c AS VARCHAR), 8, '0') AS customer_id, 'I' || hash(c, 19) % 8 AS industry, "
            f"'R' || hash(c, 20) % 5 AS region FROM range({customers}) numbers(c)) "
            f"TO '{folder / 'customers.parquet'}' (FORMAT parquet)"
        )
    return customers


def clean_events(folder: Path, out: Path, buckets: int | None = None) -> Events:
    """The clean events of lines that were written, by the product's own ingest."""
    return ingest(open_source(folder), out, run_at=RUN_AT, timezone="UTC", buckets=buckets).events


def main(given: Sequence[str] | None = None) -> int:
    """Write lines, and the clean events made of them beside them."""
    parser = argparse.ArgumentParser(
        description="Write invented order lines and the clean events made of them.",
        epilog="Example: python benchmarks/feature_lines.py 1000000 --out var/lines",
    )
    parser.add_argument("lines", type=int)
    parser.add_argument("--lines-per-order", type=int, default=LINES_PER_ORDER, help="(%(default)s)")
    parser.add_argument("--buckets", type=int, help="by default one per million lines")
    parser.add_argument("--out", type=Path, required=True)
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--only-lines", action="store_true", help="do not make the clean events")
    part.add_argument("--written", action="store_true", help="the lines are there: only make the clean events")
    arguments = parser.parse_args(given)
    if not arguments.written:
        write_lines(arguments.lines, arguments.out / "lines", lines_per_order=arguments.lines_per_order)
    if not arguments.only_lines:
        clean_events(arguments.out / "lines", arguments.out / "events", arguments.buckets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
