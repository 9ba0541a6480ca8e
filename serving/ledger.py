"""The ledger of the loop: every change of a warning, a task or an account's file is an event that nobody can change.

Each event holds the hash of the one before, so that a row altered behind the database's back shows
(:func:`verify`). The tables that lists and pages read are a projection of the events
(:mod:`serving.projection`), written in the same transaction and rebuilt from them at any time.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa  # noqa: TID251

from features.errors import StoreError
from serving.migrations.connection import LOCK_EVENTS, LOCK_WORD
from serving.migrations.loop_tables import EVENT
from serving.records import zoned

#: What the first event holds in place of a hash.
GENESIS = "0" * 64
#: Who acts where no person does.
SYSTEM = "kizashi"


@dataclass(frozen=True)
class Event:
    """Something that happened, in a form that can be kept for ever.

    Attributes
    ----------
    kind
        One of :data:`serving.projection.KINDS`.
    actor
        Who did it: a user's name, or :data:`SYSTEM`.
    at
        When, with its time zone.
    payload
        What JSON can hold, dates and moments included (kept in ISO 8601).
    customer_id, episode_id, task_id
        What it is about.
    once
        Where the same thing may happen one time only, a key for it: a second event with the key is left out.
    """

    kind: str
    actor: str
    at: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)
    customer_id: str | None = None
    episode_id: str | None = None
    task_id: str | None = None
    once: str | None = None

    def __post_init__(self) -> None:
        """Refuse what nobody answers for, or a moment that could be any of 24."""
        if not self.actor:
            raise StoreError(f"An event needs an actor, found {self.actor!r} for {self.kind}.")
        zoned(f"The moment of {self.kind}", self.at)


@dataclass(frozen=True)
class Recorded:
    """An event with its place in the ledger."""

    number: int
    event: Event


@dataclass(frozen=True)
class Verified:
    """The ledger as it was found: how many events, and the number of the first that does not fit (None: all do)."""

    events: int
    broken_at: int | None

    @property
    def whole(self) -> bool:
        """Whether every event is as it was written."""
        return self.broken_at is None


def append(connection: sa.Connection, events: Iterable[Event]) -> list[Recorded]:
    """Write events into the ledger and into the tables that are a projection of it, in the caller's transaction.

    Events whose ``once`` is known already are left out. The transaction must be one for writing
    (:meth:`serving.store.Store.writing`).

    Raises
    ------
    StoreError
        If an event cannot be projected: it is of an unknown kind, or about something that is not there.
    Stale
        If it changes what somebody else has changed meanwhile.
    """
    from serving.projection import project

    _alone(connection)
    number, before = _last(connection)
    written = []
    for event in events:
        if event.once is not None and _known(connection, event.once):
            continue
        number += 1
        row = _row(number, event, before)
        connection.execute(EVENT.insert(), row)
        project(connection, event)
        before = row["hash"]
        written.append(Recorded(number, event))
    return written


def read(
    connection: sa.Connection, *, customer_id: str | None = None, kinds: Iterable[str] = (), after: int = 0
) -> list[Recorded]:
    """Return events in the order in which they were written; of one customer or of some kinds where given.

    `after` is the number of the newest event that is not wanted.
    """
    chosen = sa.select(EVENT).where(EVENT.c.number > after).order_by(EVENT.c.number)
    if customer_id is not None:
        chosen = chosen.where(EVENT.c.customer_id == customer_id)
    if named := tuple(kinds):
        chosen = chosen.where(EVENT.c.kind.in_(named))
    return [Recorded(row.number, event_of(row)) for row in connection.execute(chosen)]


def event_of(row: sa.Row[Any]) -> Event:
    """Return a row of the ledger as an event."""
    about = {name: getattr(row, name) for name in ("customer_id", "episode_id", "task_id", "once")}
    return Event(row.kind, row.actor, row.at, json.loads(row.payload), **about)


def verify(connection: sa.Connection) -> Verified:
    """Recompute every hash of the ledger."""
    number, before = 0, GENESIS
    for row in connection.execute(sa.select(EVENT).order_by(EVENT.c.number)):
        number += 1
        if (row.number, row.before) != (number, before) or row.hash != _hash(dict(row._mapping)):
            return Verified(number, row.number)
        before = row.hash
    return Verified(number, None)


def plain(value: Any) -> Any:
    """Return what JSON cannot hold as text: days and moments in ISO 8601, moments in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item"):  # a number of NumPy
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be kept in an event")


def _row(number: int, event: Event, before: str) -> dict[str, Any]:
    # NaN is no JSON; whoever means "unknown" says null.
    payload = json.dumps(dict(event.payload), default=plain, sort_keys=True, ensure_ascii=False, allow_nan=False)
    row = {
        "number": number,
        "at": event.at.astimezone(UTC),
        "actor": event.actor,
        "kind": event.kind,
        "customer_id": event.customer_id,
        "episode_id": event.episode_id,
        "task_id": event.task_id,
        "once": event.once,
        "payload": payload,
        "before": before,
    }
    return {**row, "hash": _hash(row)}


def _hash(row: Mapping[str, Any]) -> str:
    """SHA-256 of everything that an event says and of the hash before it."""
    told = [row[name] for name in EVENT.columns.keys() if name not in ("at", "hash")]  # noqa: SIM118
    content = json.dumps([*told, row["at"].isoformat()], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


def _alone(connection: sa.Connection) -> None:
    """Be the only one who appends until the transaction ends: SQLite has one writer, PostgreSQL is asked for a lock."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_WORD, LOCK_EVENTS)))


def _last(connection: sa.Connection) -> tuple[int, str]:
    row = connection.execute(sa.select(EVENT.c.number, EVENT.c.hash).order_by(EVENT.c.number.desc()).limit(1)).first()
    return (0, GENESIS) if row is None else (row.number, row.hash)


def _known(connection: sa.Connection, once: str) -> bool:
    return connection.execute(sa.select(EVENT.c.number).where(EVENT.c.once == once)).first() is not None
