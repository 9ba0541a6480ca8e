"""What ``--data`` names, opened: a folder, one file, or a database, table by table as Parquet.

::

    orders/                       one table per file: customers.parquet, transactions.csv, ...
    orders/transactions.parquet   one file duckdb:///file.duckdb         one table or view per name; also
    sqlite:///file.db, postgresql://user@host/base

Whatever the source, a table comes out as one Parquet file in the source's own columns and order of rows, so
that a row's number is its place there and every later step reads one format. Nothing is downloaded, no SQL of
a user is run, and the source itself is only ever read.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Protocol

import duckdb

from features.checks import RAGGED, Resolved
from features.contract import CONTRACT, REQUIRED_TABLE, RESERVED
from features.csv_files import stage_csv
from features.databases import DATABASES, Database, open_database
from features.errors import ColumnsMissing, SourceError
from features.mapping import ColumnMapping, TableMapping
from features.sql import one_line, path_sql, quiet_connection

PARQUET = ".parquet"
SUFFIXES = (PARQUET, ".csv", ".tsv")


class SourceWarning(UserWarning):
    """Something in a source that can be used but looks wrong, such as a file that is no known table."""


@dataclass(frozen=True)
class Opened:
    """One table of a source as a Parquet file.

    ``label`` is its name in messages; ``types`` maps the source's columns to DuckDB types, in the source's
    order.
    """

    table: str
    label: str
    path: Path
    types: Mapping[str, str]
    rows: int
    mapping: TableMapping

    @property
    def scan(self) -> str:
        """The SQL of its rows, with ``file_row_number`` from 0."""
        return f"read_parquet({path_sql(self.path)}, file_row_number = true, hive_partitioning = false)"

    @property
    def found(self) -> list[str]:
        """The source's columns, for messages."""
        return [name for name in self.types if name != RAGGED]


class Source(Protocol):
    """Tables that can be opened one by one."""

    @property
    def label(self) -> str:
        """Its name in messages; never a password."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The contract's tables that the source has, in the contract's order."""

    def open(self, table: str, work: Path) -> Opened:
        """Return one table; what has to be written on the way goes to the folder ``work``."""


def open_source(data: str | Path, mappings: Mapping[str, TableMapping] | None = None) -> Source:
    """Return the source behind ``--data``, without reading its rows yet.

    Parameters
    ----------
    data
        A folder, a file, or a database URL.
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
    if scheme:
        if scheme not in DATABASES:
            known = ", ".join(f"{name}://" for name in DATABASES)
            raise SourceError(
                f"{scheme}://: not a database that can be read. Give a folder, a file, or one of {known}."
            )
        return _DatabaseSource(open_database(text), mappings)
    path = Path(data)
    if not path.exists():
        raise SourceError(f"{path}: there is no such folder or file. Give a folder with transactions.parquet or .csv.")
    return _FileSource.found(path, mappings)


def resolve(opened: Opened) -> Resolved:
    """Meet a table with its contract: which columns are there and where each comes from.

    Raises
    ------
    ColumnsMissing
        For required or mapped columns that are not in the source, all of them at once.
    SourceError
        For a further column that bears a reserved name.
    """
    contract = CONTRACT[opened.table]
    own = {name.strip().casefold(): name for name in reversed(opened.found)}
    origins: dict[str, ColumnMapping] = {}
    absent: list[str] = []
    for name in _wanted(opened):
        origin = opened.mapping.origin(name)
        read = [own.get(column.strip().casefold()) for column in origin.source_columns]
        if None not in read:
            origins[name] = _renamed(origin, own)
        elif name in opened.mapping.columns:
            absent += [column for column in origin.source_columns if column.strip().casefold() not in own]
        elif name in contract.required:
            absent.append(name)
    absent += [name for name in opened.mapping.require if name not in opened.types]
    if absent:
        raise ColumnsMissing(_missing_words(opened, list(dict.fromkeys(absent))))
    further = _further(opened, origins)
    known = {name: origin for name, origin in origins.items() if name in contract.names}
    return Resolved(contract, opened.mapping, opened.types, known, further)


def _wanted(opened: Opened) -> list[str]:
    """Contract columns and, where the contract keeps them, further columns that the mapping names."""
    names = list(CONTRACT[opened.table].names)
    return names + [name for name in opened.mapping.columns if name not in names]


def _renamed(origin: ColumnMapping, own: Mapping[str, str]) -> ColumnMapping:
    """The origin with the source's own spelling of its columns."""
    sign = origin.negative_when
    return origin.model_copy(
        update={
            "column": None if origin.column is None else own[origin.column.strip().casefold()],
            "multiply": tuple(own[name.strip().casefold()] for name in origin.multiply),
            "negative_when": sign and sign.model_copy(update={"column": own[sign.column.strip().casefold()]}),
        }
    )


def _further(opened: Opened, origins: Mapping[str, ColumnMapping]) -> dict[str, str]:
    """Columns beyond the contract, where the table keeps them: all that nothing else has used."""
    contract = CONTRACT[opened.table]
    used = {name for origin in origins.values() for name in origin.source_columns}
    if not contract.further:
        _warn_of_near_misses(opened, used, [name for name in contract.names if name not in origins])
        return {}
    named = {name: str(origin.column) for name, origin in origins.items() if name not in contract.names}
    own = {name: name for name in opened.found if name not in used and name.casefold() not in contract.names}
    taken = [name for name in {**own, **named} if name.casefold() in RESERVED]
    if taken:
        raise SourceError(f"{opened.label}: the columns {taken} bear names that are taken. Rename them there.")
    return {**own, **named}


def _warn_of_near_misses(opened: Opened, used: set[str], absent: list[str]) -> None:
    """Say of unused columns that look like a misspelt one of the contract."""
    near = {}
    for name in opened.found:
        if name not in used and (close := get_close_matches(name.strip().casefold(), absent, 1, 0.85)):
            near[name] = close[0]
    if near:
        meant = ", ".join(f"{name!r} (is it {column!r}?)" for name, column in near.items())
        where = f"[sources.{opened.table}.columns] in kizashi.toml"
        warnings.warn(f"{opened.label}: not used: {meant}. Rename or map under {where}.", SourceWarning, stacklevel=2)


def _missing_words(opened: Opened, absent: list[str]) -> str:
    are = "1 column is" if len(absent) == 1 else f"{len(absent)} columns are"
    return (
        f"{opened.label}: {are} missing: {absent}. Found: {opened.found}. "
        f"Rename them, or map them under [sources.{opened.table}] in kizashi.toml."
    )


@dataclass(frozen=True)
class _FileSource:
    """A folder of files, one table each, or one file."""

    path: Path
    files: Mapping[str, Path]
    mappings: Mapping[str, TableMapping]

    @classmethod
    def found(cls, path: Path, mappings: Mapping[str, TableMapping]) -> "_FileSource":
        files = _files_in_folder(path, mappings) if path.is_dir() else _one_file(path, mappings)
        return cls(path, files, mappings)

    @property
    def label(self) -> str:
        return str(self.path)

    @property
    def tables(self) -> tuple[str, ...]:
        return tuple(name for name in CONTRACT if name in self.files)

    def open(self, table: str, work: Path) -> Opened:
        file = self.files[table]
        mapping = self.mappings.get(table) or TableMapping(table)
        if file.stat().st_size == 0:
            raise SourceError(f"{file.name}: the file is empty (0 bytes). Export it again.")
        path = file
        if file.suffix.casefold() != PARQUET:
            path = stage_csv(file, work / f"{table}.parquet", table, mapping.encoding, mapping.delimiter)
        else:
            _check_parquet(file)
        return opened_parquet(table, file.name, path, mapping)


def _files_in_folder(folder: Path, mappings: Mapping[str, TableMapping]) -> dict[str, Path]:
    present = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    readable = [file for file in present if file.suffix.casefold() in SUFFIXES]
    names = [file.name for file in present]
    files: dict[str, Path] = {}
    for table in CONTRACT:
        mapping = mappings.get(table) or TableMapping(table)
        matching = [file for file in readable if mapping.matches(file.name)]
        if len(matching) > 1:
            several = [file.name for file in matching]
            raise SourceError(
                f"{folder}: several files for {table}: {several}. Keep one, or name it: file = ... under "
                f"[sources.{table}] in kizashi.toml."
            )
        if matching:
            files[table] = matching[0]
        elif mapping.file or table == REQUIRED_TABLE:
            raise SourceError(_no_file_words(folder, mapping, names))
    unused = [file.name for file in readable if file not in files.values()]
    if unused:
        words = f"{folder}: not used, for no table has their names: {unused}. Known: {list(CONTRACT)}."
        warnings.warn(words, SourceWarning, stacklevel=4)
    return files


def _no_file_words(folder: Path, mapping: TableMapping, names: list[str]) -> str:
    wanted = mapping.file or f"{mapping.table}.parquet or {mapping.table}.csv"
    return (
        f"{folder}: no file {wanted} for the table {mapping.table} (Parquet or CSV). Found: {names[:20]}. "
        f"Rename it, or name it: file = ... under [sources.{mapping.table}] in kizashi.toml."
    )


def _one_file(path: Path, mappings: Mapping[str, TableMapping]) -> dict[str, Path]:
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
    return dict.fromkeys(mapped, path)


def _check_parquet(file: Path) -> None:
    with file.open("rb") as handle:
        head = handle.read(4)
        handle.seek(max(0, file.stat().st_size - 4))
        tail = handle.read(4)
    if head != b"PAR1":
        raise SourceError(f"{file.name}: not a Parquet file (it begins with {head!r}, not b'PAR1'). Export it again.")
    if tail != b"PAR1":
        raise SourceError(f"{file.name}: the Parquet file is cut off (its end is missing). Copy or export it again.")


def opened_parquet(table: str, label: str, path: Path, mapping: TableMapping) -> Opened:
    """Read the columns and the number of rows of a Parquet file."""
    connection = quiet_connection()
    scan = f"read_parquet({path_sql(path)}, hive_partitioning = false)"
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
        counted = connection.execute(f"SELECT count(*) FROM {scan}").fetchone()
    except duckdb.Error as error:
        raise SourceError(f"{label}: the file is damaged ({one_line(error)}). Copy or export it again.") from None
    finally:
        connection.close()
    types = {str(row[0]): str(row[1]) for row in described}
    return Opened(table, label, path, types, int(counted[0]) if counted else 0, mapping)


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

    def open(self, table: str, work: Path) -> Opened:
        mapping = self.mappings.get(table) or TableMapping(table)
        name = self._names[table]
        path = work / f"{table}.parquet"
        self.database.stage(name, path)
        return opened_parquet(table, f"{self.label} {name}", path, mapping)
