"""Clean events on disk, partitioned by customer, and the one way to read them.

Everything about a customer lies in one bucket (with its parent account, where it has one), so what is
computed from a bucket needs no other. The folder::

    manifest.json
    <table>/bucket=<i>/part-<n>.parquet   clean rows that the n-th ingest wrote, where it had some for the bucket
    quarantine/<table>.parquet            table, (file,) row_number, column, value, reason
    taken/<table>/                        what the next ingest has to know of the rows taken in

Only what the manifest names counts. Tables that are not about one customer (absences, market events) lie in bucket 0
and are seen from every bucket. The same files can lie on object storage, too, see ``mirror.py``: a bucket that is read
from there is fetched first, to a folder that goes with the connection.
"""

import json
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from features import cutoffs
from features.contract import CONTRACT, KNOWN_AT, Table
from features.errors import SourceError
from features.mirror import Mirror, latest, mirror
from features.sql import name_sql, path_sql, quiet_connection
from features.storage import is_url

MANIFEST = "manifest.json"
FORMAT = 2
LINES_PER_BUCKET = 1_000_000


@dataclass(frozen=True)
class Events:
    """The clean events of an ingest, and of those before it that it continued.

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
        Hex digest of the clean content, independent of the order of rows and files and the number of buckets.
    further
        Columns of ``customers`` beyond the contract.
    further_types
        Their DuckDB types.
    sizes
        Clean rows per table.
    parts
        By table, for each bucket the names of its files; a table that is not about one customer has one bucket.
    """

    folder: Path | Mirror
    buckets: int
    columns: Mapping[str, tuple[str, ...]]
    data_end: date
    fingerprint: str
    further: tuple[str, ...] = ()
    further_types: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def connect(self, bucket: int) -> duckdb.DuckDBPyConnection:
        """Return a new in-memory connection with one view per contract table, of that bucket's rows.

        A table that the source lacks is an empty view with the right types. The caller closes the connection.

        Raises
        ------
        SourceError
            Where the events lie on object storage and the bucket cannot be fetched.
        """
        if not 0 <= bucket < self.buckets:
            raise ValueError(f"bucket {bucket} is not one of the {self.buckets} buckets of {self.folder}")
        connection = quiet_connection()
        folder = self.folder
        if isinstance(folder, Mirror):
            near = Path(tempfile.mkdtemp(prefix="kizashi-bucket-"))
            weakref.finalize(connection, shutil.rmtree, near, ignore_errors=True)
            folder.fetch(self.files(bucket), near)
            folder = near
        for table in CONTRACT.values():
            connection.execute(f'CREATE VIEW "{table.name}" AS {self._select(folder, table, bucket)}')
        return connection

    def starts(self, bucket: int) -> pd.DataFrame:
        """From when each event table of a bucket was known to begin on which day (``source, visible_from, day``)."""
        with self.connect(bucket) as con:
            return con.execute(cutoffs.source_starts(self.columns)).df().astype({"source": "str"})

    def types(self, table: Table) -> dict[str, str]:
        """DuckDB types of a table's columns, those of `further` included, in the order of the views."""
        types = {column.name: column.sql_type for column in table.columns}
        return types | dict(zip(self.further, self.further_types, strict=True)) if table.further else types

    def files(self, bucket: int) -> tuple[str, ...]:
        """The files from which a bucket is read, as paths in the folder."""
        tables = [CONTRACT[name] for name in self.parts]
        return tuple(path.as_posix() for table in tables for path in self._paths(Path(), table, bucket))

    def _paths(self, folder: Path, table: Table, bucket: int) -> list[Path]:
        place = bucket if table.of_customer else 0
        names = self.parts[table.name][place] if table.name in self.parts else ()
        return [part_path(folder, table, place, name) for name in names]

    def _select(self, folder: Path, table: Table, bucket: int) -> str:
        paths = self._paths(folder, table, bucket)
        if paths:
            return f"SELECT * FROM read_parquet([{', '.join(map(path_sql, paths))}], hive_partitioning = false)"
        typed = [f"NULL::{kind} AS {name_sql(name)}" for name, kind in self.types(table).items()]
        return f"SELECT {', '.join(typed)}, NULL::TIMESTAMP AS {KNOWN_AT} WHERE false"


def part_path(folder: Path, table: Table, bucket: int, name: str) -> Path:
    """A file of a table's rows in one bucket."""
    return folder / table.name / f"bucket={bucket}" / name


def default_buckets(rows: int) -> int:
    """How many buckets that many order lines want: one per million, at least one."""
    return max(1, -(-rows // LINES_PER_BUCKET))


def bucket_sql(account: str, buckets: int) -> str:
    """The SQL of an account's bucket; stable across runs, machines and versions of DuckDB."""
    return f"CAST(md5_number_lower({account}) % {buckets} AS INTEGER)"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of clean events of the present format.

    Raises
    ------
    SourceError
        Where there is none, or none that can be read.
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
    return manifest


def read_events(folder: Path | str) -> Events:
    """Return the clean events that an ingest wrote to a folder, or that were put at a URL.

    Raises
    ------
    SourceError
        Where there is no readable manifest, or a file that the manifest promises is gone.
    """
    if is_url(folder):
        there = latest(str(folder))
        return events_of(there, json.loads(there.read(MANIFEST)))
    folder = Path(folder)
    events = events_of(folder, read_manifest(folder))
    for table, buckets in events.parts.items():
        for bucket, names in enumerate(buckets):
            for name in names:
                part = part_path(folder, CONTRACT[table], bucket, name)
                if not part.is_file():
                    raise SourceError(f"{part}: missing, though {MANIFEST} promises it. Ingest the data again.")
    return events


def mirrored(events: Events, url: str) -> Events:
    """Put clean events on object storage too, where they replace those of before; return them as read from there.

    Raises
    ------
    SourceError
        Where the URL holds something else or cannot be written.
    """
    if isinstance(events.folder, Mirror):
        raise ValueError(f"the events of {events.folder} are on object storage already")
    names = {name for bucket in range(events.buckets) for name in events.files(bucket)}
    return replace(events, folder=mirror(events.folder, {MANIFEST, *names}, url))


def events_of(folder: Path | Mirror, manifest: Mapping[str, Any]) -> Events:
    """The record that a manifest describes."""
    return Events(
        folder=folder,
        buckets=int(manifest["buckets"]),
        columns={table: tuple(names) for table, names in manifest["columns"].items()},
        data_end=date.fromisoformat(manifest["data_end"]),
        fingerprint=manifest["fingerprint"],
        further=tuple(manifest["further"]),
        further_types=tuple(manifest["further_types"]),
        sizes=dict(manifest["sizes"]),
        parts={
            table: tuple(tuple(names.split()) for names in state["parts"])
            for table, state in manifest["state"]["tables"].items()
        },
    )
