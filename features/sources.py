"""What ``--data`` names, opened: a folder, one file, or a database, table by table as Parquet.

::

    orders/                       one table per file: customers.parquet, transactions.csv, ...
    orders/transactions/          or a table of many files, read in the order of their names
    orders/transactions.parquet   one file duckdb:///file.duckdb         one table or view per name; also
    sqlite:///file.db, postgresql://user@host/base
    s3://bucket/orders            a folder or a file on object storage

Whatever the source, a table comes out as Parquet in the source's own columns and order of rows, so that a row's
number is its place in its file and every later step reads one format. Nothing is downloaded, no SQL of a user is
run, and the source itself is only ever read.
"""

import hashlib
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Protocol

import duckdb

from features.checks import RAGGED
from features.contract import CONTRACT, REQUIRED_TABLE
from features.csv_files import stage_csv
from features.databases import DATABASES, Database, open_database
from features.errors import SourceError
from features.mapping import TableMapping
from features.sql import one_line, path_sql, quiet_connection, text_sql
from features.storage import SCHEME, Storage, StoredPath, fetched, is_url

PARQUET = ".parquet"
SUFFIXES = (PARQUET, ".csv", ".tsv")
PATH = "kizashi: path"
"""Column of a scan that holds the path of a row's file."""

Entry = Path | StoredPath
"""A file or folder of a source, on this machine or on object storage."""


class SourceWarning(UserWarning):
    """Something in a source that can be used but looks wrong, such as a file that is no known table."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a table, as it stands there now.

    ``stamp`` changes where the content may have changed (a time of change, an entity tag). ``changed_ns`` is that
    time in nanoseconds where the stamp is nothing but a time, in whose last tick a file can change unnoticed.
    """

    name: str
    size: int
    stamp: str
    changed_ns: int | None = None


@dataclass(frozen=True)
class Listing:
    """Where a table lies: its name in reports, whether it is a folder of files, and its files in reading order.

    Without files it is nothing that can be recognised again, such as a table of a database.
    """

    label: str
    many: bool = False
    files: tuple[SourceFile, ...] = ()


@dataclass(frozen=True)
class Opened:
    """Files of one table that have the same columns of the same types, as Parquet.

    ``label`` is their name in messages; the last part of each path is the file's name in the source; ``types`` maps
    the source's columns to DuckDB types, in the source's order; ``rows`` counts the rows of all files.
    """

    table: str
    label: str
    paths: tuple[Path, ...]
    types: Mapping[str, str]
    rows: int
    mapping: TableMapping

    @property
    def scan(self) -> str:
        """The SQL of its rows, with ``file_row_number`` from 0 and the file's path as :data:`PATH`."""
        listed = ", ".join(path_sql(path) for path in self.paths)
        options = f"file_row_number = true, filename = {text_sql(PATH)}, hive_partitioning = false"
        return f"read_parquet([{listed}], {options})"

    @property
    def file(self) -> str:
        """The SQL of the name of a row's file."""
        return text_sql(self.paths[0].name) if len(self.paths) == 1 else f'parse_filename("{PATH}")'

    @property
    def found(self) -> list[str]:
        """The source's columns, for messages."""
        return [name for name in self.types if name != RAGGED]


class Source(Protocol):
    """Tables that can be listed and opened one by one."""

    @property
    def label(self) -> str:
        """Its name in messages; never a password."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The contract's tables that the source has, in the contract's order."""

    def mapping(self, table: str) -> TableMapping:
        """How the table's columns become those of the contract."""

    def listing(self, table: str) -> Listing:
        """Where a table lies now."""

    def digest(self, table: str, name: str) -> str:
        """What identifies the content of one of the listed files."""

    def open(self, table: str, work: Path, names: Collection[str] | None = None) -> tuple[Opened, ...]:
        """Return a table, or those of its files; what has to be written on the way goes to the folder ``work``."""


def open_source(data: str | Path, mappings: Mapping[str, TableMapping] | None = None) -> Source:
    """Return the source behind ``--data``, without reading its rows yet.

    Parameters
    ----------
    data
        A folder or a file, here or on object storage, or a database URL.
    mappings
        By contract table; a table without one is found under its own name.

    Raises
    ------
    SourceError
        Where there is nothing, nothing readable, or no ``transactions``.
    """
    mappings = mappings or {}
    text = str(data)
    scheme = text.split("://", 1)[0] if "://" in text else ""
    if scheme and not is_url(text):
        if scheme not in DATABASES:
            known = ", ".join(f"{name}://" for name in DATABASES)
            raise SourceError(
                f"{scheme}://: not a database that can be read. Give a folder, a file, or one of {known}, {SCHEME}."
            )
        return _DatabaseSource(open_database(text), mappings)
    path = Storage(text).find() if scheme else Path(data)
    if not path or (isinstance(path, Path) and not path.exists()):
        raise SourceError(f"{data}: there is no such folder or file. Give a folder with transactions.parquet or .csv.")
    return _FileSource.found(path, mappings)


@dataclass(frozen=True)
class _Place:
    """The file of a table, or its folder and the files in it in the order of their names."""

    path: Entry
    files: tuple[Entry, ...]

    @property
    def many(self) -> bool:
        return self.path not in self.files

    @property
    def label(self) -> str:
        return f"{self.path.name}/" if self.many else self.path.name

    def label_of(self, names: tuple[str, ...]) -> str:
        """The name of some of its files in messages."""
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return f"{self.label}{names[0]}{more}" if self.many else self.label


@dataclass(frozen=True)
class _FileSource:
    """A folder of tables, or one file."""

    path: Entry
    places: Mapping[str, _Place]
    mappings: Mapping[str, TableMapping]

    @classmethod
    def found(cls, path: Entry, mappings: Mapping[str, TableMapping]) -> "_FileSource":
        places = _places_in_folder(path, mappings) if path.is_dir() else _one_file(path, mappings)
        return cls(path, places, mappings)

    @property
    def label(self) -> str:
        return str(self.path)

    @property
    def tables(self) -> tuple[str, ...]:
        return tuple(name for name in CONTRACT if name in self.places)

    def mapping(self, table: str) -> TableMapping:
        return self.mappings.get(table) or TableMapping(table)

    def listing(self, table: str) -> Listing:
        place = self.places[table]
        return Listing(place.label, place.many, tuple(_as_it_stands(file) for file in place.files))

    def digest(self, table: str, name: str) -> str:
        for file in self.places[table].files:
            if file.name == name:
                if isinstance(file, StoredPath):
                    return file.tag()
                with file.open("rb") as handle:
                    return hashlib.file_digest(handle, "sha256").hexdigest()
        raise KeyError(name)

    def open(self, table: str, work: Path, names: Collection[str] | None = None) -> tuple[Opened, ...]:
        place, mapping = self.places[table], self.mapping(table)
        files = [file for file in place.files if names is None or file.name in names]
        folder = work / table
        folder.mkdir(parents=True, exist_ok=True)
        try:
            described = list(_described(_near(files, folder), folder, mapping))
        except SourceError as error:
            # What reads one file knows its name only, which files of other tables may bear, too.
            raise SourceError(f"{place.label if place.many else ''}{error}") from None
        opened = []
        for types, group in groupby(sorted(described, key=lambda one: list(one[1].items())), key=lambda one: one[1]):
            alike = list(group)
            paths = tuple(path for path, _, _ in alike)
            label = place.label_of(tuple(path.name for path in paths))
            opened.append(Opened(table, label, paths, types, sum(rows for _, _, rows in alike), mapping))
        return tuple(opened)


def _near(files: Iterable[Entry], folder: Path) -> list[Path]:
    """The files on this machine; those that are not here yet are fetched first."""
    here = [file for file in files if isinstance(file, Path)]
    return here or fetched((file for file in files if isinstance(file, StoredPath)), folder / "fetched")


def _as_it_stands(file: Entry) -> SourceFile:
    if isinstance(file, StoredPath):
        return SourceFile(file.name, file.size or 0, str(file.changed_ns), file.changed_ns)
    try:
        now = file.stat()
    except OSError:
        raise SourceError(f"{file.name}: it was there and is gone. Run again when its export has ended.") from None
    return SourceFile(file.name, now.st_size, str(now.st_mtime_ns), now.st_mtime_ns)


def _described(
    files: Iterable[Path], folder: Path, mapping: TableMapping
) -> Iterator[tuple[Path, dict[str, str], int]]:
    """Each file as Parquet, with its columns and the number of its rows."""
    with quiet_connection() as connection:
        for file in files:
            if _as_it_stands(file).size == 0:
                raise SourceError(f"{file.name}: the file is empty (0 bytes). Export it again.")
            path = file
            if file.suffix.casefold() != PARQUET:
                path = stage_csv(file, folder / file.name, mapping.table, mapping.encoding, mapping.delimiter)
            else:
                _check_parquet(file)
            yield path, *describe_parquet(connection, file.name, path)


def _places_in_folder(folder: Entry, mappings: Mapping[str, TableMapping]) -> dict[str, _Place]:
    present = sorted((entry for entry in folder.iterdir() if not entry.name.startswith(".")), key=_name)
    readable = [entry for entry in present if entry.is_dir() or entry.suffix.casefold() in SUFFIXES]
    names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in present]
    places: dict[str, _Place] = {}
    for table in CONTRACT:
        mapping = mappings.get(table) or TableMapping(table)
        matching = [place for entry in readable if mapping.matches(entry.name) for place in _place(entry)]
        if len(matching) > 1:
            several = [place.label for place in matching]
            raise SourceError(
                f"{folder}: several files for {table}: {several}. Keep one, put all into a folder {table}/, or name "
                f"the one: file = ... under [sources.{table}] in kizashi.toml."
            )
        if matching:
            places[table] = matching[0]
        elif mapping.file or table == REQUIRED_TABLE:
            raise SourceError(_no_file_words(folder, mapping, names))
    used = [place.path for place in places.values()]
    unused = [entry.name for entry in readable if entry.is_file() and entry not in used]
    if unused:
        words = f"{folder}: not used, for no table has their names: {unused}. Known: {list(CONTRACT)}."
        warnings.warn(words, SourceWarning, stacklevel=4)
    return places


def _name(entry: Entry) -> str:
    return entry.name


def _place(entry: Entry) -> Iterator[_Place]:
    """The entry of a folder as the place of a table; nothing for a folder in which no file can be read."""
    if entry.is_file():
        yield _Place(entry, (entry,))
        return
    inside = [one for one in entry.iterdir() if not one.name.startswith((".", "_"))]
    files = sorted((one for one in inside if one.is_file() and one.suffix.casefold() in SUFFIXES), key=_name)
    unused = sorted(one.name for one in inside if one not in files)
    if unused or not files:
        words = f"not used: {unused}" if unused else "no file in it"
        warnings.warn(f"{entry}: {words}. Expected Parquet or CSV files.", SourceWarning, stacklevel=6)
    if files:
        yield _Place(entry, tuple(files))


def _no_file_words(folder: Entry, mapping: TableMapping, names: list[str]) -> str:
    wanted = mapping.file or f"{mapping.table}.parquet or {mapping.table}.csv"
    return (
        f"{folder}: no file {wanted} for the table {mapping.table} (Parquet or CSV). Found: {names[:20]}. "
        f"Rename it, or name it: file = ... under [sources.{mapping.table}] in kizashi.toml."
    )


def _one_file(path: Entry, mappings: Mapping[str, TableMapping]) -> dict[str, _Place]:
    """One file is that file for every mapped table; without a mapping its name says which table it is."""
    if path.suffix.casefold() not in SUFFIXES:
        raise SourceError(f"{path.name}: neither Parquet nor CSV ({', '.join(SUFFIXES)}). Save it as one of them.")
    mapped = {table for table, mapping in mappings.items() if mapping.matches(path.name)}
    mapped = mapped or set(mappings) or {table for table in CONTRACT if TableMapping(table).matches(path.name)}
    if REQUIRED_TABLE not in mapped:
        raise SourceError(
            f"{path.name}: not the table {REQUIRED_TABLE}, without which nothing can be said. Rename it to "
            f"{REQUIRED_TABLE}{path.suffix}, map it under [sources.{REQUIRED_TABLE}] in kizashi.toml, "
            "or give its folder."
        )
    return dict.fromkeys(mapped, _Place(path, (path,)))


def _check_parquet(file: Path) -> None:
    with file.open("rb") as handle:
        head = handle.read(4)
        handle.seek(max(0, file.stat().st_size - 4))
        tail = handle.read(4)
    if head != b"PAR1":
        raise SourceError(f"{file.name}: not a Parquet file (it begins with {head!r}, not b'PAR1'). Export it again.")
    if tail != b"PAR1":
        raise SourceError(f"{file.name}: the Parquet file is cut off (its end is missing). Copy or export it again.")


def describe_parquet(connection: duckdb.DuckDBPyConnection, label: str, path: Path) -> tuple[dict[str, str], int]:
    """Return the columns with their types, in order, and the number of rows of a Parquet file."""
    scan = f"read_parquet({path_sql(path)}, hive_partitioning = false)"
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
        counted = connection.execute(f"SELECT count(*) FROM {scan}").fetchone()
    except duckdb.Error as error:
        raise SourceError(f"{label}: the file is damaged ({one_line(error)}). Copy or export it again.") from None
    return {str(row[0]): str(row[1]) for row in described}, int(counted[0]) if counted else 0


@dataclass(frozen=True)
class _DatabaseSource:
    """One table or view per name of a database."""

    database: Database
    mappings: Mapping[str, TableMapping]

    @property
    def label(self) -> str:
        return self.database.label

    @property
    def tables(self) -> tuple[str, ...]:
        return tuple(self._names)

    @cached_property
    def _names(self) -> dict[str, str]:
        """Contract table to the database's own name for it."""
        present = {name.casefold(): name for name in self.database.names()}
        found: dict[str, str] = {}
        for table in CONTRACT:
            wanted = self.mappings[table].source_table if table in self.mappings else None
            name = (wanted or table).casefold()
            if name in present:
                found[table] = present[name]
            elif wanted or table == REQUIRED_TABLE:
                raise SourceError(
                    f"{self.label}: there is no table or view {wanted or table!r}. "
                    f"Found: {sorted(present.values())[:30]}. Make a view of that name, or name yours: "
                    f"table = ... under [sources.{table}] in kizashi.toml."
                )
        return found

    def mapping(self, table: str) -> TableMapping:
        return self.mappings.get(table) or TableMapping(table)

    def listing(self, table: str) -> Listing:
        return Listing(f"{self.label} {self._names[table]}")

    def digest(self, table: str, name: str) -> str:
        raise KeyError(f"{table} of a database has no file {name}")

    def open(self, table: str, work: Path, names: Collection[str] | None = None) -> tuple[Opened, ...]:  # noqa: ARG002
        label = self.listing(table).label
        path = work / f"{table}.parquet"
        work.mkdir(parents=True, exist_ok=True)
        self.database.stage(self._names[table], path)
        with quiet_connection() as connection:
            types, rows = describe_parquet(connection, label, path)
        return (Opened(table, label, (path,), types, rows, self.mapping(table)),)
