"""One account of a company that a test writes, as it is known at a date."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import duckdb
import pandas as pd
from orders import known_at, lines, present

from features import cutoffs
from features.briefs import AccountBrief, account_brief
from features.contract import CONTRACT, KNOWN_AT
from features.sql import quiet_connection


@dataclass(frozen=True)
class InMemory:
    """Events that no ingest has seen, in one bucket: tables that it would refuse can be read, too."""

    tables: Mapping[str, pd.DataFrame]
    buckets: int = 1
    further: tuple[str, ...] = ()
    folder: str = "memory"

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """The contract columns of each table."""
        others = {name: table for name, table in self.tables.items() if name != "transactions"}
        return present(self.tables["transactions"], **others)

    def connect(self, bucket: int) -> duckdb.DuckDBPyConnection:
        """A connection with one table per table of the contract."""
        assert bucket == 0
        con = quiet_connection()
        for name, contract in CONTRACT.items():
            held = self.tables.get(name, pd.DataFrame({column: [] for column in contract.names}))
            typed = [
                f"CAST({column.name if column.name in held.columns else 'NULL'} AS {column.sql_type}) AS {column.name}"
                for column in contract.columns
            ]
            con.register("written", held.assign(**{KNOWN_AT: known_at(name, held)}))
            con.execute(f"CREATE TABLE {name} AS SELECT {', '.join(typed)}, {KNOWN_AT} FROM written")
        return con

    def starts(self, bucket: int) -> pd.DataFrame:
        """From when each event table was known to begin on which day, as :meth:`features.buckets.Events.starts`."""
        with self.connect(bucket) as con:
            return con.execute(cutoffs.source_starts(self.columns)).df().astype({"source": "str"})


def brief_of(transactions: str, as_of: date, customer: str = "A", **others: str) -> AccountBrief:
    """The brief of an account; every table is written as for :func:`orders.lines`."""
    written = {"transactions": transactions, **others}
    return account_brief(InMemory({name: lines(text) for name, text in written.items()}), customer, as_of)
