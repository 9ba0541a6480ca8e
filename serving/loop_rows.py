"""Reading the tables of the loop and the ledger, and the rows that a move starts from."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pandas as pd
import sqlalchemy as sa  # noqa: TID251

from features.errors import StoreError
from serving.ledger import read
from serving.migrations.loop_tables import EPISODE, PROJECTED, TASK
from serving.projection import Stale
from serving.store import Store

Where = Store | sa.Connection
Row = dict[str, Any]

_TABLES = {table.name: table for table in PROJECTED}


def frame(where: Where, table: str) -> pd.DataFrame:
    """A table of the loop (``episode``, ``task``, ``account_state``, ``outcome``, ``review``, ...) as a frame.

    Values are Python's own in object columns: dates are dates, unknown is None.
    """
    if table not in _TABLES:
        raise StoreError(f"a table of the loop is one of {', '.join(_TABLES)}; found {table!r}.")
    with reading(where) as connection:
        rows = [tuple(row) for row in connection.execute(sa.select(_TABLES[table]))]
    return pd.DataFrame(rows, columns=list(_TABLES[table].columns.keys()), dtype="object")


def told(where: Where, kind: str, customer_id: str | None = None) -> pd.DataFrame:
    """Events of a kind, oldest first: what they say, with ``customer_id``, ``episode_id``, ``actor`` and ``at``.

    The history of what is kept in the ledger alone: of an account's fields (``account_updated``), of its owners
    (``owner_changed``), of decisions on visits (``decision_noted``), of plans (``step_moved``).
    """
    with reading(where) as connection:
        events = [recorded.event for recorded in read(connection, customer_id=customer_id, kinds=[kind])]
    about = ("customer_id", "episode_id", "actor", "at")
    rows = [{**event.payload, **{name: getattr(event, name) for name in about}} for event in events]
    columns = list(dict.fromkeys([*about, *(name for row in rows for name in row)]))
    return pd.DataFrame([tuple(map(row.get, columns)) for row in rows], columns=columns, dtype="object")


def owner_on(where: Where, customer_id: str, day: date) -> str | None:
    """Who had the account on a day, as far as hand-overs tell; None where there were none."""
    owner = None
    for row in told(where, "owner_changed", customer_id).to_dict("records"):
        owner = owner or row["from_owner"]
        if date.fromisoformat(row["on"]) <= day:
            owner = row["to_owner"]
    return owner


@contextmanager
def writing(where: Where) -> Iterator[sa.Connection]:
    """Give the transaction for writing: that of the caller, or one of its own."""
    if isinstance(where, sa.Connection):
        yield where
    else:
        with where.writing() as connection:
            yield connection


@contextmanager
def reading(where: Where) -> Iterator[sa.Connection]:
    """Give the transaction for reading: that of the caller, or one of its own."""
    if isinstance(where, sa.Connection):
        yield where
    else:
        with where.reading() as connection:
            yield connection


def found(connection: sa.Connection, table: sa.Table, key: str) -> Row | None:
    """Return the row of a key, or None."""
    row = connection.execute(sa.select(table).where(next(iter(table.primary_key)) == key)).one_or_none()
    return None if row is None else dict(row._mapping)


def one(connection: sa.Connection, table: sa.Table, key: str) -> Row:
    """Return the row of a key; it must be there."""
    row = found(connection, table, key)
    if row is None:
        raise StoreError(f"{table.name} {key!r}: there is none.")
    return row


def seen(connection: sa.Connection, table: sa.Table, key: str, version: int) -> Row:
    """The row at the version that the person saw: what it allows is judged by nothing newer or older."""
    row = one(connection, table, key)
    if row["version"] != version:
        raise Stale(
            f"{table.name} {key!r} has been changed by somebody else since (version {row['version']}, expected "
            f"{version}). Read it again, then decide again."
        )
    return row


def open_task(connection: sa.Connection, task_id: str, version: int) -> Row:
    """Return an open task at the version that the person saw."""
    row = seen(connection, TASK, task_id, version)
    if row["state"] != "open":
        raise StoreError(f"task {task_id!r} is {row['state']!r} since {row['closed_at']}; only an open one changes.")
    return row


def open_tasks(connection: sa.Connection, customer_id: str) -> list[Row]:
    """Return the open tasks of a customer."""
    mine = sa.and_(TASK.c.customer_id == customer_id, TASK.c.state == "open")
    return [dict(row._mapping) for row in connection.execute(sa.select(TASK).where(mine).order_by(TASK.c.task_id))]


def open_episode(connection: sa.Connection, customer_id: str) -> Row | None:
    """Return the open warning of a customer, or None."""
    mine = sa.and_(EPISODE.c.customer_id == customer_id, EPISODE.c.closed_on.is_(None))
    row = connection.execute(sa.select(EPISODE).where(mine)).one_or_none()
    return None if row is None else dict(row._mapping)
