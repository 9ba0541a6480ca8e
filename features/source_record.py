"""What stands in the folder of clean events of each table: where its rows went, the days that they span, what is wrong.

Everything is read from the manifest and, for the days, from one column of each table; nothing is judged anew.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from features.buckets import MANIFEST, Events, part_path, read_events, read_manifest
from features.contract import CONTRACT
from features.parts import Reason
from features.publication import taken_path
from features.sql import name_sql, path_sql, quiet_connection

#: Columns of a row that was set aside.
REFUSED = ("file", "row_number", "kind", "column", "value", "reason")


@dataclass(frozen=True)
class TakenTable:
    """A table that was taken in.

    Attributes
    ----------
    name, source
        Of the contract, and of the source.
    rows_in, clean, quarantined, duplicates
        Where its rows went: the last three make the first.
    allowed_share
        Largest share (0 to 1) of quarantined rows with which a run goes on.
    reasons
        What is wrong with the rows set aside, the most frequent first.
    first, last
        Days of the oldest and the newest clean row that a moment lies before; None for a table without time.
    filled
        Columns of the contract that it fills.
    """

    name: str
    source: str
    rows_in: int
    clean: int
    quarantined: int
    duplicates: int
    allowed_share: float
    reasons: tuple[Reason, ...]
    first: date | None
    last: date | None
    filled: tuple[str, ...]


@dataclass(frozen=True)
class SourceRecord:
    """All tables that were taken in, and when.

    Attributes
    ----------
    folder
        Of the clean events.
    fingerprint
        Of the clean events.
    taken_at
        When they were written last.
    data_end
        First midnight after the newest order.
    tables
        In the order of the contract.
    """

    folder: Path
    fingerprint: str
    taken_at: datetime
    data_end: date
    tables: tuple[TakenTable, ...]

    @property
    def absent(self) -> tuple[str, ...]:
        """Tables of the contract that the source does not have."""
        here = {table.name for table in self.tables}
        return tuple(name for name in CONTRACT if name not in here)

    def refused(self, table: str, kind: str = "", column: str = "", *, skip: int = 0, most: int = 50) -> pd.DataFrame:
        """Rows that were set aside, in the order of their files.

        Parameters
        ----------
        table
            One that was taken in.
        kind, column
            Of the reason; "" for every one.
        skip, most
            The part that is wanted.

        Returns
        -------
        DataFrame
            The columns :data:`REFUSED`.
        """
        # a run that wrote new events meanwhile has taken the old file away
        state = read_manifest(self.folder)["state"]["tables"].get(table)
        if state is None:
            return pd.DataFrame(columns=list(REFUSED))
        path = taken_path(self.folder, table, state["refused"])
        asked = [(name, value) for name, value in (("kind", kind), ("column", column)) if value]
        where = " AND ".join(["true", *(f"{name_sql(name)} = ?" for name, _ in asked)])
        listed = ", ".join(map(name_sql, REFUSED))
        with quiet_connection() as con:
            return con.execute(
                f"SELECT {listed} FROM read_parquet({path_sql(path)}, hive_partitioning = false) WHERE {where} "
                f"ORDER BY file, row_number LIMIT {int(most)} OFFSET {int(skip)}",
                [value for _, value in asked],
            ).df()


def source_record(folder: Path) -> SourceRecord:
    """The record of a folder of clean events.

    Raises
    ------
    SourceError
        Where there is none, or none that can be read.
    """
    events, manifest = read_events(folder), read_manifest(folder)
    with quiet_connection() as con:
        tables = tuple(
            _table(con, events, folder, manifest["tables"][name]) for name in CONTRACT if name in manifest["tables"]
        )
    taken_at = datetime.fromtimestamp(os.stat(folder / MANIFEST).st_mtime, UTC)
    return SourceRecord(folder, events.fingerprint, taken_at, events.data_end, tables)


def _table(con: duckdb.DuckDBPyConnection, events: Events, folder: Path, told: Mapping[str, Any]) -> TakenTable:
    name = told["table"]
    first, last = _span(con, events, folder, name)
    return TakenTable(
        name=name,
        source=told["source"],
        rows_in=told["rows_in"],
        clean=told["clean"],
        quarantined=told["quarantined"],
        duplicates=told["duplicates"],
        allowed_share=told["allowed_share"],
        reasons=tuple(
            Reason(**{**one, "first_rows": tuple(one["first_rows"]), "first_files": tuple(one["first_files"])})
            for one in told["reasons"]
        ),
        first=first,
        last=last,
        filled=tuple(events.columns.get(name, ())),
    )


def _span(con: duckdb.DuckDBPyConnection, events: Events, folder: Path, name: str) -> tuple[date | None, date | None]:
    """The days of the oldest and the newest row; what is planned for later does not count."""
    table = CONTRACT[name]
    paths = [
        path_sql(part_path(folder, table, bucket, part))
        for bucket, parts in enumerate(events.parts.get(name, ()))
        for part in parts
    ]
    if table.time is None or not paths:
        return None, None
    time = name_sql(table.time)
    found = con.execute(
        f"SELECT CAST(min({time}) AS DATE), CAST(max({time}) FILTER ({time} < ?) AS DATE) "
        f"FROM read_parquet([{', '.join(paths)}], hive_partitioning = false)",
        [datetime.combine(events.data_end, datetime.min.time())],
    ).fetchall()
    return found[0][0], found[0][1]
