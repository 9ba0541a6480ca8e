"""Clean events on disk, partitioned by customer, and the one way to read them.

Everything about a customer lies in one bucket (with its parent account, where it has one), so what is
computed from a bucket needs no other. The folder::

    manifest.json
    <table>/bucket=<i>/part-0.parquet     for the tables that the source has; every bucket has its file
    quarantine/<table>.parquet            table, row_number, column, value, reason

Tables that are not about one customer (absences, market events) lie in bucket 0 and are seen from every
bucket.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from features.contract import CONTRACT, KNOWN_AT, Table
from features.errors import SourceError
from features.sql import path_sql, quiet_connection

MANIFEST = "manifest.json"
FORMAT = 1
LINES_PER_BUCKET = 1_000_000


@dataclass(frozen=True)
class Events:
    """The clean events of one ingest.

    Parameters
    ----------
    folder
        Where they lie.
    buckets
        Number of buckets, at least 1.
    columns
        For each table that the source has, the contract columns that the source really fills; a table that is
        not named here is absent.
    data_end
        First midnight after the newest known event of ``transactions``: the latest cutoff that sees it all.
    fingerprint
        Hex digest of the clean content, independent of the order of rows and the number of buckets.
    further
        Columns of ``customers`` beyond the contract.
    """

    folder: Path
    buckets: int
    columns: Mapping[str, tuple[str, ...]]
    data_end: date
    fingerprint: str
    further: tuple[str, ...] = ()

    def connect(self, bucket: int) -> duckdb.DuckDBPyConnection:
        """Return a new in-memory connection with one view per contract table, of that bucket's rows.

        A table that the source lacks is an empty view with the right types. The caller closes the connection.
        """
        if not 0 <= bucket < self.buckets:
            raise ValueError(f"bucket {bucket} is not one of the {self.buckets} buckets of {self.folder}")
        connection = quiet_connection()
        for table in CONTRACT.values():
            connection.execute(f'CREATE VIEW "{table.name}" AS {self._select(table, bucket)}')
        return connection

    def _select(self, table: Table, bucket: int) -> str:
        if table.name not in self.columns:
            typed = [f'NULL::{column.sql_type} AS "{column.name}"' for column in table.columns]
            return f"SELECT {', '.join(typed)}, NULL::TIMESTAMP AS {KNOWN_AT} WHERE false"
        path = part_path(self.folder, table, bucket)
        return f"SELECT * FROM read_parquet({path_sql(path)}, hive_partitioning = false)"


def part_path(folder: Path, table: Table, bucket: int) -> Path:
    """The file of a table's rows in one bucket."""
    return folder / table.name / f"bucket={bucket if table.of_customer else 0}" / "part-0.parquet"


def default_buckets(rows: int) -> int:
    """How many buckets that many order lines want: one per million, at least one."""
    return max(1, -(-rows // LINES_PER_BUCKET))


def bucket_sql(account: str, buckets: int) -> str:
    """The SQL of an account's bucket; stable across runs, machines and versions of DuckDB."""
    return f"CAST(md5_number_lower({account}) % {buckets} AS INTEGER)"


def read_events(folder: Path) -> Events:
    """Return the clean events that an ingest wrote to a folder.

    Raises
    ------
    SourceError
        Where the folder holds no readable manifest, or a file that the manifest promises is gone.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SourceError(f"{folder}: no clean events here ({MANIFEST} is missing). Ingest the data first.") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: cannot be read ({error}). Ingest the data again.") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise SourceError(f"{path}: not clean events of format {FORMAT}. Ingest the data again.")
    events = events_of(folder, manifest)
    for name in events.columns:
        for bucket in range(events.buckets):
            part = part_path(folder, CONTRACT[name], bucket)
            if not part.is_file():
                raise SourceError(f"{part}: missing, though {MANIFEST} promises it. Ingest the data again.")
    return events


def events_of(folder: Path, manifest: Mapping[str, Any]) -> Events:
    """The record that a manifest describes."""
    return Events(
        folder=folder,
        buckets=int(manifest["buckets"]),
        columns={table: tuple(names) for table, names in manifest["columns"].items()},
        data_end=date.fromisoformat(manifest["data_end"]),
        fingerprint=manifest["fingerprint"],
        further=tuple(manifest["further"]),
    )
