"""A copy of a SQLite store, made while others write, and read again before it counts."""

import os
from pathlib import Path

import sqlalchemy as sa  # noqa: TID251

from features.errors import StoreError
from serving.ledger import Verified, verify
from serving.migrations.connection import engine_of, place_of, target_of, told


def back_up(url: str, to: Path) -> Verified:
    """Write a copy of the store into a new file and return its ledger, verified.

    To restore, put the file in the place of the store while nobody uses it, without the `-wal` and `-shm` files that
    may lie beside the old one. On PostgreSQL use `pg_dump` and `pg_restore`.

    Raises
    ------
    StoreError
        If the store is not SQLite, the file is there already, or the copy is not whole; no file is left then.
    """
    target = target_of(url)
    if target.drivername != "sqlite":
        raise StoreError(f"{place_of(target)}: expected a SQLite file; copy PostgreSQL with pg_dump.")
    if not Path(str(target.database)).exists():
        raise StoreError(f"{place_of(target)}: there is no store to copy.")
    if to.exists():
        raise StoreError(f"{to} is there already; give the copy a name of its own.")
    unfinished = to.with_name(to.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        _copy(target, unfinished)
        found = _checked(unfinished)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.rename(to)
    finally:
        unfinished.unlink(missing_ok=True)
    return found


def _copy(target: sa.URL, to: Path) -> None:
    engine = engine_of(target)
    try:
        with told(target), engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            assert raw is not None  # noqa: S101
            # One consistent state, without a lock on those who write.
            raw.cursor().execute("VACUUM INTO ?", (str(to),))
    finally:
        engine.dispose()


def _checked(copy: Path) -> Verified:
    target = target_of(f"sqlite:///{copy}")
    engine = engine_of(target)
    try:
        with told(target), engine.begin() as connection:
            said = connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
            found = verify(connection)
    finally:
        engine.dispose()
    if said != "ok" or not found.whole:
        ledger = "whole" if found.whole else f"broken at event {found.broken_at}"
        raise StoreError(f"the copy is not whole (integrity: {said}; ledger: {ledger}); the store itself may not be.")
    return found
