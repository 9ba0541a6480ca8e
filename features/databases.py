"""Tables of a database, streamed into Parquet: DuckDB files, SQLite files, PostgreSQL servers.

Only whole tables and views are read, by name, in one read-only transaction. Messages name the database
without its password.
"""

import importlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import duckdb
import pyarrow.parquet

from features.errors import SourceError
from features.sql import name_sql, one_line, quiet_connection, text_sql

DATABASES = ("duckdb", "sqlite", "postgresql")

_PATIENCE_SECONDS = 10
_PLAIN_POSTGRES = frozenset(
    (
        *("smallint", "integer", "bigint", "real", "double precision", "boolean", "text", "date"),
        *("timestamp without time zone", "timestamp with time zone", "character varying"),
    )
)


class Database(Protocol):
    """A database whose tables can be listed and staged."""

    @property
    def label(self) -> str:
        """Its name in messages, without a password."""

    def names(self) -> list[str]:
        """Tables and views that can be read; those outside the default schema as ``schema.table``."""

    def stage(self, name: str, path: Path) -> None:
        """Write all rows of a table or view to a Parquet file."""


def open_database(url: str) -> Database:
    """Return the database behind a URL; nothing is read yet.

    Raises
    ------
    SourceError
        Where a file is missing or the URL is not of the form that its scheme wants.
    """
    scheme = url.split("://", 1)[0]
    if scheme == "postgresql":
        return _Postgres(url)
    path = Path(unquote(url.split("://", 1)[1]).removeprefix("/"))
    if not url.startswith(f"{scheme}:///") or not path.name:
        raise SourceError(
            f"{url}: not the address of a file. Write {scheme}:///folder/file, with four slashes for /folder."
        )
    if not path.is_file():
        raise SourceError(
            f"{url}: there is no such file. Write {scheme}:///folder/file, with four slashes for /folder."
        )
    return _DuckDB(path) if scheme == "duckdb" else _SQLite(path)


@dataclass(frozen=True)
class _DuckDB:
    path: Path

    @property
    def label(self) -> str:
        return self.path.name

    @contextmanager
    def _attached(self) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = quiet_connection(preserve_insertion_order=True)
        try:
            connection.execute(f"ATTACH {text_sql(str(self.path))} AS source (TYPE duckdb, READ_ONLY)")
            connection.execute("USE source")
            yield connection
        except duckdb.Error as error:
            raise SourceError(f"{self.label}: cannot be read as a DuckDB database ({one_line(error)}).") from None
        finally:
            connection.close()

    def names(self) -> list[str]:
        query = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = 'source'"
        with self._attached() as connection:
            rows = connection.execute(query).fetchall()
        return [name if schema == "main" else f"{schema}.{name}" for schema, name in rows]

    def stage(self, name: str, path: Path) -> None:
        with self._attached() as connection:
            connection.execute(f"COPY (SELECT * FROM {_quoted(name)}) TO {text_sql(str(path))} (FORMAT parquet)")


@dataclass(frozen=True)
class _SQLite:
    path: Path

    @property
    def label(self) -> str:
        return self.path.name

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        driver = importlib.import_module("adbc_driver_sqlite.dbapi")
        try:
            with (
                closing(driver.connect(f"file:{quote(str(self.path))}?mode=ro")) as connection,
                closing(connection.cursor()) as cursor,
            ):
                yield cursor
        except driver.Error as error:
            raise SourceError(f"{self.label}: cannot be read as an SQLite database ({one_line(error)}).") from None

    def names(self) -> list[str]:
        with self._cursor() as cursor:
            cursor.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
            return [str(row[0]) for row in cursor.fetchall()]

    def stage(self, name: str, path: Path) -> None:
        # SQLite types each value, the driver types a column by its first rows: text holds every one of them.
        with self._cursor() as cursor:
            cursor.execute(f"SELECT name FROM pragma_table_info({text_sql(name)})")
            columns = [name_sql(str(row[0])) for row in cursor.fetchall()]
            listed = ", ".join(f"CAST({column} AS TEXT) AS {column}" for column in columns)
            cursor.execute(f"SELECT {listed} FROM {name_sql(name)}")
            _write(cursor, path)


@dataclass(frozen=True)
class _Postgres:
    url: str

    @property
    def label(self) -> str:
        parts = urlsplit(self.url)
        where = parts.netloc.rsplit("@", 1)[-1]
        return f"postgresql://{where}{parts.path}"

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        try:
            driver = importlib.import_module("adbc_driver_postgresql.dbapi")
        except ImportError:
            raise SourceError(
                f"{self.label}: the PostgreSQL driver is not installed. Install kizashi[postgres]."
            ) from None
        parts = urlsplit(self.url)
        query = {"connect_timeout": str(_PATIENCE_SECONDS), **dict(parse_qsl(parts.query))}
        address = urlunsplit(parts._replace(query=urlencode(query)))
        try:
            with closing(driver.connect(address)) as connection, closing(connection.cursor()) as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                yield cursor
        except driver.Error as error:
            raise SourceError(
                f"{self.label}: {self._without_secrets(one_line(error))}. Check address and rights."
            ) from None

    def _without_secrets(self, words: str) -> str:
        password = urlsplit(self.url).password
        for secret in (self.url, password, unquote(password) if password else None):
            words = words.replace(secret, "***") if secret else words
        return words

    def names(self) -> list[str]:
        with self._cursor() as cursor:
            cursor.execute(
                "SELECT CAST(table_schema AS text), CAST(table_name AS text), "
                "table_schema = current_schema() FROM information_schema.tables "
                "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
            )
            return [str(name) if own else f"{schema}.{name}" for schema, name, own in cursor.fetchall()]

    def stage(self, name: str, path: Path) -> None:
        schema, _, table = name.rpartition(".")
        where = f"table_schema = {text_sql(schema)}" if schema else "table_schema = current_schema()"
        with self._cursor() as cursor:
            cursor.execute(
                "SELECT CAST(column_name AS text), CAST(data_type AS text) FROM information_schema.columns "
                f"WHERE {where} AND table_name = {text_sql(table)} ORDER BY ordinal_position"
            )
            columns = [(name_sql(str(column)), str(kind)) for column, kind in cursor.fetchall()]
            # Exact numbers and types of the user's own would come as bytes: their text is what a person sees.
            listed = ", ".join(
                column if kind in _PLAIN_POSTGRES else f"CAST({column} AS text) AS {column}" for column, kind in columns
            )
            cursor.execute(f"SELECT {listed} FROM {_quoted(name)}")
            _write(cursor, path)


def _quoted(name: str) -> str:
    return ".".join(name_sql(part) for part in name.split("."))


def _write(cursor: Any, path: Path) -> None:
    """Stream a result into a Parquet file, batch by batch, in its own order."""
    reader = cursor.fetch_record_batch()
    with pyarrow.parquet.ParquetWriter(path, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
