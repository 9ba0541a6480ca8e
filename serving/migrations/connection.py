"""How the application's database is reached: URL, engine, one writer at a time, errors without secrets."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa  # noqa: TID251

from features.errors import StoreError
from serving.migrations.tables import HEAD, VERSION_TABLE

#: PostgreSQL's advisory locks: our word, then a number each for whole publications, their last step, and the events.
LOCK_WORD, LOCK_PUBLICATION, LOCK_FLIP, LOCK_EVENTS = 0x4B495A41, 1, 2, 3

#: How long an ordinary statement waits for another writer of a SQLite file.
_BUSY_SECONDS = 30

_POSTGRES = "postgresql+psycopg"


def target_of(url: str) -> sa.URL:
    """Return the parsed URL of a store.

    Raises
    ------
    StoreError
        If it is not the URL of a SQLite file or a PostgreSQL database; the message never repeats the URL.
    """
    expected = "sqlite:///path/to/file.db or postgresql://user:password@host/database"
    try:
        target = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise StoreError(f"The store's URL cannot be read; expected {expected}.") from None
    if target.drivername == "postgresql":
        target = target.set(drivername=_POSTGRES)
    if target.drivername not in ("sqlite", _POSTGRES):
        raise StoreError(f"The store's URL is of kind {target.drivername!r}; expected {expected}.")
    file = target.database or ""
    if target.drivername == "sqlite" and (file in ("", ":memory:") or file.startswith("file:")):
        raise StoreError(f"The store needs a plain file, found {file!r}; expected {expected}.")
    return target


def place_of(target: sa.URL) -> str:
    """Return where a store is, in words that hold no user, password or option."""
    if target.drivername == "sqlite":
        return f"store {target.database}"
    return f"store postgresql://{target.host or 'local'}/{target.database or ''}"


def engine_of(target: sa.URL) -> sa.Engine:
    """Return an engine whose transactions are those that we ask for.

    A connection with the execution option `writing` takes SQLite's write lock when a transaction begins: a
    read that turns into a write in mid-transaction would fail at once where another process is writing.
    """
    try:
        # Errors must not carry customers' rows into a log.
        engine = sa.create_engine(target, hide_parameters=True)
    except ImportError:
        raise StoreError(
            f"{place_of(target)}: PostgreSQL needs the driver psycopg; install kizashi[postgres]."
        ) from None
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 must not begin transactions of its own
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def told(target: sa.URL) -> Iterator[None]:
    """Turn what a database says into one line of ours, without the secrets of its URL."""
    try:
        yield
    except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
        said = first_line(error)
        secrets = [target.password, *(value for key, value in target.query.items() if "pass" in key)]
        for secret in secrets:
            said = said.replace(str(secret), "***") if secret else said
        raise StoreError(
            f"{place_of(target)}: {said}. Check that the database answers, has room, and lets its user write."
        ) from None


def first_line(error: sa.exc.SQLAlchemyError) -> str:
    """Return what the driver said, without the statement and without the row that it may show below."""
    said = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
    return said[0].rstrip(".")


@contextmanager
def alone(engine: sa.Engine, wait_seconds: float) -> Iterator[sa.Connection]:
    """Return a connection for writing whose owner is the only one of its kind, in this process or another.

    The lock dies with its process: SQLite's is that of an empty file beside the database, PostgreSQL's that
    of the session. The connection is not given back to the pool, so that the session ends here.

    Raises
    ------
    StoreError
        If somebody else stays the only one for `wait_seconds`.
    """
    busy = StoreError(
        f"{place_of(engine.url)}: another process has been writing for {wait_seconds:g} seconds; "
        "wait for it to end, then run this again."
    )
    with engine.execution_options(writing=True).connect() as connection:
        connection.detach()
        if engine.dialect.name == "sqlite":
            with _file_locked(Path(f"{engine.url.database}-publication"), wait_seconds, busy):
                yield connection
        else:
            _lock_session(connection, wait_seconds, busy)
            yield connection


@contextmanager
def _file_locked(path: Path, wait_seconds: float, busy: StoreError) -> Iterator[None]:
    with ExitStack() as held:
        try:
            lock = held.enter_context(closing(sqlite3.connect(path, timeout=wait_seconds, isolation_level=None)))
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise busy from None
            raise StoreError(f"{path}: {error}. Check that its folder may be written.") from None
        yield


def _lock_session(connection: sa.Connection, wait_seconds: float, busy: StoreError) -> None:
    milliseconds = str(max(1, round(wait_seconds * 1000)))  # 0 would mean for ever
    try:
        with connection.begin():
            connection.execute(sa.select(sa.func.set_config("lock_timeout", milliseconds, False)))
            connection.execute(sa.select(sa.func.pg_advisory_lock(LOCK_WORD, LOCK_PUBLICATION)))
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_not_available
            raise busy from None
        raise


def prepare(engine: sa.Engine, create: bool, wait_seconds: float) -> None:
    """Bring the database to the newest schema; make it where there is none and `create` says so.

    Raises
    ------
    StoreError
        If there is no store and none may be made, if a newer Kizashi wrote it, or if the disk cannot hold it.
    """
    with engine.begin() as connection:
        found = _schema(connection)
    if found == HEAD:
        return
    if found is None and not create:
        raise no_store(engine.url)
    # Alembic takes longer to import than all the rest, and is needed once per version.
    from serving.migrations.upgrade import upgrade

    with alone(engine, wait_seconds) as connection:
        if engine.dialect.name == "sqlite":
            _set_up_file(connection, engine.url)
        with connection.begin():
            found = _schema(connection)  # somebody may have been faster
            if found != HEAD:
                upgrade(connection, found)
            if engine.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise StoreError(f"{place_of(engine.url)}: rows lost their parents in the migration; not migrated.")


def _set_up_file(connection: sa.Connection, target: sa.URL) -> None:
    """Set a write-ahead log for good; no foreign keys while SQLite rebuilds tables, or children go too."""
    raw: Any = connection.connection.dbapi_connection
    mode = raw.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(
            f"{place_of(target)}: SQLite cannot keep a write-ahead log here (journal mode {mode!r}); "
            "put the file on a local disk."
        )
    raw.execute("PRAGMA foreign_keys = OFF")


def _schema(connection: sa.Connection) -> str | None:
    """Return the revision of the schema, or None where there is no store."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()


def no_store(target: sa.URL) -> StoreError:
    """Return the error of a store that was to be there."""
    return StoreError(f"{place_of(target)}: there is no store yet; score a day first.")
