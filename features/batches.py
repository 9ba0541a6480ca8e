"""What earlier ingests took in, and what is new: the memory that makes the next ingest short.

The manifest of clean events remembers every file that was read (name, size, stamp, SHA-256) and the rules that it
was read under. A table is *kept* where nothing changed, *continued* where files came that were not there before,
and else taken *whole* again. Whatever could change the verdict on rows of earlier files ends in a table, or in all
of them, being taken whole: continuing must give what reading all files at once gives.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

import duckdb

from features.buckets import FORMAT
from features.contract import CONTRACT
from features.mapping import TableMapping
from features.sources import Listing, Source, SourceFile

SETTLED_NS = 2_000_000_000
"""A file changed in the last two seconds before it was read may change again within one tick of its clock."""

MOST_BATCHES = 366
"""After so many the table is taken whole, so that a bucket is a few large files again and not a year of small ones."""


class TakeAgain(Exception):
    """Something was found on the way that continuing cannot do: take the table, or all of them, whole."""

    def __init__(self, reason: str, table: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.table = table


@dataclass(frozen=True)
class TakenFile:
    """A file that was read; ``settled`` where its stamp alone says that it is still the same."""

    name: str
    size: int
    stamp: str
    digest: str
    settled: bool

    def is_still(self, source: Source, table: str, now: SourceFile) -> bool:
        """Whether the file of that name still has the content that was read."""
        if self.size != now.size:
            return False
        return (self.settled and self.stamp == now.stamp) or self.digest == source.digest(table, self.name)


@dataclass(frozen=True)
class TableState:
    """All that is known of a table without reading it again.

    Attributes
    ----------
    files, many, label
        What was read, and whether it is a folder of files.
    rules
        Digest of the contract's table and the mapping.
    columns, present, further
        As in :class:`features.resolving.Met`.
    rows_in, clean, duplicates, quarantined
        Rows, each of them counted once.
    filled
        The contract columns that hold a value somewhere.
    digest_sum
        Sum of the clean rows' digests, which knows no order.
    newest
        Newest ``known_at`` of the clean rows.
    latest
        Newest moment of a row that a run before it would set aside as lying in its future.
    waits
        Earliest moment of a row that was set aside because it did lie there.
    parts
        For each bucket the names of its files of clean rows.
    hashes, refused
        Files below ``taken/<table>``: a hash of each row of a folder of files, and the rows set aside.
    quarantine_ns
        Time of change of ``quarantine/<table>.parquet``, which tells whether it is the one that belongs here.
    """

    label: str
    many: bool
    files: tuple[TakenFile, ...]
    rules: str
    columns: tuple[str, ...]
    present: tuple[str, ...]
    further: Mapping[str, str]
    rows_in: int = 0
    clean: int = 0
    duplicates: int = 0
    quarantined: int = 0
    filled: tuple[str, ...] = ()
    digest_sum: int = 0
    newest: datetime | None = None
    latest: datetime | None = None
    waits: datetime | None = None
    parts: tuple[tuple[str, ...], ...] = ()
    hashes: tuple[str, ...] = ()
    refused: str = ""
    quarantine_ns: int = 0
    batches: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The state as plain data for JSON."""
        plain = asdict(self)
        for name in ("newest", "latest", "waits"):
            plain[name] = plain[name] and plain[name].isoformat()
        # 38 digits are more than some readers of JSON keep, and a name a line is too much of a page.
        return plain | {"digest_sum": str(self.digest_sum), "parts": [" ".join(names) for names in self.parts]}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "TableState":
        """The state that :meth:`to_dict` wrote."""
        given = dict(plain)
        for name in ("newest", "latest", "waits"):
            given[name] = given[name] and datetime.fromisoformat(given[name])
        for name in ("columns", "present", "filled", "hashes"):
            given[name] = tuple(given[name])
        given["files"] = tuple(TakenFile(**file) for file in given["files"])
        given["parts"] = tuple(tuple(names.split()) for names in given["parts"])
        return cls(**given | {"digest_sum": int(given["digest_sum"])})


@dataclass(frozen=True)
class Terms:
    """What holds for all tables of an ingest: another zone or another DuckDB may read every row otherwise."""

    timezone: str
    duckdb: str = duckdb.__version__


@dataclass(frozen=True)
class State:
    """All tables of clean events as the manifest remembers them; ``generation`` counts what was written."""

    generation: int
    buckets: int
    terms: Terms
    tables: Mapping[str, TableState]

    def to_dict(self) -> dict[str, Any]:
        """The state as plain data for JSON."""
        tables = {name: state.to_dict() for name, state in self.tables.items()}
        return {"generation": self.generation, "terms": asdict(self.terms), "tables": tables}

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> "State":
        """The state in a manifest of the present format."""
        plain = manifest["state"]
        tables = {name: TableState.from_dict(one) for name, one in plain["tables"].items()}
        return cls(int(plain["generation"]), int(manifest["buckets"]), Terms(**plain["terms"]), tables)


@dataclass(frozen=True)
class Taken:
    """What an ingest read.

    Attributes
    ----------
    kind
        ``full`` where every table was read whole, else ``incremental``.
    reason
        Why a full one; empty for an incremental one.
    files
        By table, the files that were read for the first time by an incremental one.
    whole
        By table, why an incremental one had to read it whole.
    retried
        By table, how many rows set aside earlier were looked at again.
    """

    kind: Literal["full", "incremental"]
    reason: str = ""
    files: Mapping[str, tuple[str, ...]] | None = None
    whole: Mapping[str, str] | None = None
    retried: Mapping[str, int] | None = None

    @property
    def words(self) -> str:
        """One line for a person."""
        if self.kind == "full":
            return f"Everything was read: {self.reason}."
        new = [f"{len(names)} new in {table} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
               for table, names in (self.files or {}).items()]  # fmt: skip
        whole = [f"{table} whole ({reason})" for table, reason in (self.whole or {}).items()]
        again = [f"{rows} rows of {table} that had been set aside" for table, rows in (self.retried or {}).items()]
        return f"Read: {'; '.join([*new, *whole, *again])}." if new or whole or again else "Nothing was new."


@dataclass(frozen=True)
class TablePlan:
    """What is to be done with a table: kept where there is nothing to read, continued, or taken whole.

    ``earlier`` is what it was, None where it is taken whole for the `reason`; ``files`` are to be read.
    """

    table: str
    listing: Listing
    mapping: TableMapping
    rules: str
    files: tuple[SourceFile, ...] = ()
    earlier: TableState | None = None
    reason: str = ""

    @property
    def kept(self) -> bool:
        """Whether no file of it has to be read."""
        return self.earlier is not None and not self.files


@dataclass(frozen=True)
class Plan:
    """What is to be done with all tables; ``earlier`` is None for a full ingest, for the `reason`."""

    tables: tuple[TablePlan, ...]
    earlier: State | None = None
    reason: str = ""

    @property
    def taken(self) -> Taken:
        """What is read when the plan is carried out."""
        whole = {one.table: one.reason for one in self.tables if one.earlier is None}
        if len(whole) == len(self.tables):
            return Taken("full", self.reason or "; ".join(dict.fromkeys(whole.values())))
        new = {one.table: tuple(file.name for file in one.files) for one in self.tables if one.earlier and one.files}
        return Taken("incremental", "", new, whole, {})


def rules_of(mapping: TableMapping) -> str:
    """Digest of what a table is judged by: the contract and the words of its mapping."""
    said = (mapping.encoding, mapping.delimiter, sorted(mapping.columns.items()), sorted(mapping.require.items()))
    return hashlib.sha256(repr((FORMAT, CONTRACT[mapping.table], said)).encode()).hexdigest()


def plan(source: Source, earlier: State | None, reason: str, again: Mapping[str, str]) -> Plan:
    """Say what to read of a source.

    Parameters
    ----------
    earlier
        What was taken in before; None for a full ingest for the `reason`.
    again
        Tables that have to be taken whole all the same, with the reason.
    """
    tables = []
    for table in source.tables:
        mapping, listing = source.mapping(table), source.listing(table)
        whole = TablePlan(table, listing, mapping, rules_of(mapping), listing.files)
        known = earlier.tables.get(table) if earlier else None
        if known is None:
            tables.append(replace(whole, reason=reason or f"{listing.label} is a new table"))
            continue
        why = again.get(table) or _changed(source, whole, known)
        if why:
            tables.append(replace(whole, reason=why))
        else:
            names = {file.name for file in known.files}
            new = tuple(file for file in listing.files if file.name not in names)
            tables.append(replace(whole, files=new, earlier=known))
    return Plan(tuple(tables), earlier, reason)


def _changed(source: Source, now: TablePlan, known: TableState) -> str:
    """Why a table cannot be continued; empty where it can."""
    if now.rules != known.rules:
        return f"the mapping of {now.table} or the contract changed"
    if not now.listing.files:
        return f"{now.listing.label} has no files by which to tell what is new"
    listed = {file.name: file for file in now.listing.files}
    label = f"{now.listing.label}" if now.listing.many else ""
    for file in known.files:
        if file.name not in listed:
            return f"{label}{file.name} is gone"
        if not file.is_still(source, now.table, listed[file.name]):
            return f"{label}{file.name} changed"
    if now.listing.many != known.many:
        return f"{now.listing.label} was no folder before" if now.listing.many else f"{known.label} is no folder now"
    if not now.listing.many and len(listed) > len(known.files):
        return f"{now.listing.label} is another file"
    if len(listed) > len(known.files) and known.batches >= MOST_BATCHES:
        return f"the parts of {known.batches} batches are joined"
    return ""


def remembered(source: Source, table: str, files: tuple[SourceFile, ...], now_ns: int) -> tuple[TakenFile, ...]:
    """The files that are about to be read, as the next ingest has to find them again."""
    return tuple(
        TakenFile(
            file.name,
            file.size,
            file.stamp,
            source.digest(table, file.name),
            file.changed_ns is None or file.changed_ns < now_ns - SETTLED_NS,
        )
        for file in files
    )
