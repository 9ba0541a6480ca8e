"""One account out of a bucket, or one table: what is asked of a few rows does not lay out the time of all."""

from collections.abc import Collection
from datetime import date

import duckdb

from features import cutoffs
from features.buckets import Events, bucket_sql
from features.contract import CONTRACT, KNOWN_AT, REQUIRED_TABLE
from features.errors import SettingsError
from features.sql import quiet_connection, text_sql


def narrow(con: duckdb.DuckDBPyConnection, condition: str, keep: Collection[str] = ()) -> None:
    """Put tables with only some rows in the place of the bucket's, before time is laid out.

    Parameters
    ----------
    con
        Of :meth:`features.buckets.Events.connect`.
    condition
        SQL over the tables that are about one customer each; the others stay whole.
    keep
        Tables that stay whole, too.
    """
    for table in CONTRACT.values():
        if table.of_customer and table.name not in keep:
            con.execute(f"CREATE TEMP TABLE {table.name} AS SELECT * FROM memory.main.{table.name} WHERE {condition}")


def account_connection(events: Events, customer_id: str, as_of: date) -> duckdb.DuckDBPyConnection:
    """A connection to the rows of one account, with time laid out and `as_of` as its only cutoff; close it.

    Raises
    ------
    SettingsError
        If no such account was known before `as_of`.
    """
    account = text_sql(customer_id)
    with quiet_connection() as con:
        home = con.execute(f"SELECT {bucket_sql(account, events.buckets)}").fetchall()[0][0]
    # an account with a parent lies in the parent's bucket
    for bucket in sorted(range(events.buckets), key=lambda bucket: bucket != home):
        con = events.connect(bucket)
        if con.execute(f"SELECT 1 FROM ({_known(as_of)}) WHERE customer_id = {account}").fetchall():
            narrow(con, f"customer_id = {account}")
            cutoffs.lay_out_time(con)
            cutoffs.set_cutoffs(con, [as_of])
            return con
        con.close()
    some: list[str] = []
    for bucket in range(events.buckets):
        if not some:
            with events.connect(bucket) as con:
                found = con.execute(f"SELECT customer_id FROM ({_known(as_of)}) ORDER BY 1 LIMIT 3").fetchall()
            some = [name for (name,) in found]
    raise SettingsError(
        f"customer {customer_id!r} is not known before {as_of}. "
        f"Known are for example {some}; give one of them, or a later --as-of."
    )


def _known(as_of: date) -> str:
    """SQL of the accounts on file, and of those with an order line that was known by then."""
    lines = f"SELECT customer_id FROM {REQUIRED_TABLE} WHERE {KNOWN_AT} < DATE '{as_of}'"
    return f"SELECT customer_id FROM customers UNION {lines}"
