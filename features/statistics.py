"""Statistics of accounts: cumulative sales, orders and gross profit by any column of the customers' file.

Sums are exact: over all values of a column they are the grand total to the last digit. Accounts without a value, and
those that are not on file, fall under :data:`NONE`.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from decimal import Decimal

import pandas as pd

from features import cutoffs
from features.buckets import Events
from features.contract import CONTRACT
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.errors import SettingsError
from features.narrowing import narrow
from features.sql import name_sql

#: The six usual dimensions and the column of `customers` that each is; any other column is one, too.
DIMENSIONS = {
    "province": "province",
    "city": "city",
    "type": "type",
    "industry": "industry",
    "level": "rank",
    "source": "source",
}
NONE = "(none)"


@dataclass(frozen=True)
class Totals:
    """What some accounts have brought in.

    Attributes
    ----------
    customers
        Accounts with an order, a return or a credit note.
    orders
        Orders with a net amount above 0.
    sales
        Net amount of all lines, returns taken off.
    gross_profit
        Sum of the margins; None where the source has none.
    """

    customers: int
    orders: int
    sales: Decimal
    gross_profit: Decimal | None


@dataclass(frozen=True)
class Statistics:
    """Totals by the values of a dimension.

    Attributes
    ----------
    by
        The dimension.
    rows
        Value -> its totals; the highest sales first, :data:`NONE` last.
    total
        The grand total, summed without looking at the dimension.
    note
        Which source is absent, if one is.
    """

    by: str
    rows: Mapping[str, Totals]
    total: Totals
    note: str = ""


def statistics(events: Events, as_of: date, by: str, *, engine: Engine = ONE_BY_ONE) -> Statistics:
    """Cumulative sales, orders and gross profit known before `as_of`, by a dimension.

    Parameters
    ----------
    by
        One of :data:`DIMENSIONS` or any column of `customers`, one beyond the contract included. `rank` and `owner` are
        those of the date; what has no history is today's.
    engine
        What maps the buckets.

    Raises
    ------
    SettingsError
        If `customers` has no such column.
    """
    column = DIMENSIONS.get(by, by)
    known = (*CONTRACT["customers"].names, *events.further)
    if column not in known:
        more = [name for name in known if name not in DIMENSIONS.values()]
        raise SettingsError(
            f"--by {by}: `customers` has no such column. Give one of {', '.join(DIMENSIONS)}, or of {', '.join(more)}."
        )
    absent = [
        f"{table}.{name}"
        for table, name in (("customers", column), ("transactions", "margin"))
        if name not in events.columns.get(table, ()) and name not in events.further
    ]
    parts = map_buckets(_Sums(as_of, column), events, engine, "statistics")
    has_margin = "margin" in events.columns["transactions"]
    of_value: dict[str, list[_Sum]] = defaultdict(list)
    for value, *sums in (row for rows, _ in parts for row in rows):
        of_value[NONE if value is None else value].append(_Sum(*sums))
    rows = {value: _total(sums, has_margin) for value, sums in of_value.items()}
    order = sorted(rows, key=lambda value: (value == NONE, -rows[value].sales, value))
    note = f"source absent: {', '.join(absent)}" if absent else ""
    total = _total([_Sum(*whole) for _, whole in parts], has_margin)
    return Statistics(by, {value: rows[value] for value in order}, total, note)


def table(found: Statistics) -> pd.DataFrame:
    """The totals as a table: the dimension's value, ``customers``, ``orders``, ``sales``, ``gross_profit``."""
    rows = [{found.by: value, **asdict(sums)} for value, sums in found.rows.items()]
    return pd.DataFrame(rows, columns=[found.by, *(part.name for part in fields(Totals))])


@dataclass(frozen=True)
class _Sum:
    """The sums of one bucket."""

    customers: int
    orders: int
    sales: Decimal
    gross_profit: Decimal


def _total(sums: list[_Sum], has_margin: bool) -> Totals:
    profit = sum((one.gross_profit for one in sums), Decimal(0)) if has_margin else None
    sales = sum((one.sales for one in sums), Decimal(0))
    return Totals(sum(one.customers for one in sums), sum(one.orders for one in sums), sales, profit)


_MEASURES = (
    "count(DISTINCT customer_id), CAST(coalesce(sum(orders), 0) AS BIGINT), coalesce(sum(amount), 0), "
    "coalesce(sum(margin), 0)"
)


@dataclass(frozen=True)
class _Sums:
    """The sums of one bucket, in a form that another process can be handed: those by value, and that of all."""

    as_of: date
    column: str

    def __call__(self, events: Events, bucket: int) -> tuple[list[tuple], tuple]:
        """Read one bucket."""
        with events.connect(bucket) as con:
            narrow(con, "false", keep=("customers", "transactions", "account_changes"))
            cutoffs.lay_out_time(con)
            cutoffs.set_cutoffs(con, [self.as_of])
            cutoffs.set_accounts(con, self.column)
            # what has a history stands under its own name, all else as the segment
            value = self.column if self.column in cutoffs.ACCOUNT_FIELDS else "segment"
            days = cutoffs.past("order_days")
            found = con.execute(
                f"SELECT nullif(trim(CAST({name_sql(value)} AS VARCHAR)), '') AS value, {_MEASURES} "
                f"FROM ({days}) LEFT JOIN accounts USING (as_of, customer_id) GROUP BY value"
            ).fetchall()
            return found, con.execute(f"SELECT {_MEASURES} FROM ({days})").fetchall()[0]
