"""What events make of the tables: the only writer of episodes, tasks, accounts' states, outcomes, reviews, feedback,
exposures and settings.

A payload's names are the columns of its table. A change bears the ``version`` that it makes; if the row is not at the
version before, somebody else was faster and the whole transaction is refused (:class:`Stale`).
"""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa  # noqa: TID251

from features.errors import StoreError
from serving.ledger import Event, plain, read
from serving.migrations.loop_tables import (
    ACCOUNT_STATE,
    EPISODE,
    EXPOSURE,
    FEEDBACK,
    OUTCOME,
    PROJECTED,
    REVIEW,
    SETTING,
    TASK,
)
from serving.migrations.tables import UtcDateTime

Projector = Callable[[sa.Connection, Event], None]


class Stale(StoreError):
    """What was to be changed has been changed by somebody else since it was read."""


def project(connection: sa.Connection, event: Event) -> None:
    """Write what an event means into the tables.

    Raises
    ------
    StoreError
        If the kind is unknown, or a payload names what its table has not.
    Stale
        If the row was changed meanwhile.
    """
    if event.kind not in KINDS:
        raise StoreError(f"event {event.kind!r}: expected one of {', '.join(sorted(KINDS))}.")
    KINDS[event.kind](connection, event)


def rebuild(connection: sa.Connection) -> None:
    """Empty the projected tables and write them again from the ledger, in the caller's transaction."""
    for table in reversed(PROJECTED):
        connection.execute(table.delete())
    for recorded in read(connection):
        project(connection, recorded.event)


def typed_values(table: sa.Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as the table's columns want them, from texts or from what they were before.

    Raises
    ------
    StoreError
        If the table has no such column.
    """
    unknown = sorted(set(values) - set(table.columns.keys()))
    if unknown:
        raise StoreError(f"{table.name}: no such columns {unknown}; there are {', '.join(table.columns.keys())}.")
    return {name: _typed(table.c[name].type, value) for name, value in values.items()}


def _typed(kind: sa.types.TypeEngine[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, UtcDateTime) and not isinstance(value, datetime):
        return datetime.fromisoformat(value)
    if isinstance(kind, sa.Date) and not isinstance(value, date):
        return date.fromisoformat(value)
    if isinstance(kind, sa.JSON):
        # As the ledger keeps it, so that a rebuilt table is the same.
        return json.loads(json.dumps(value, default=plain, sort_keys=True))
    return value


def _made(table: sa.Table, *about: str) -> Projector:
    """A new row from a payload, with these of the event's own fields; a new row is at version 1."""

    def write(connection: sa.Connection, event: Event) -> None:
        own = {name: getattr(event, name) for name in about}
        connection.execute(table.insert(), typed_values(table, {"version": 1, **event.payload, **own}))

    return write


def _changed(table: sa.Table, key: str) -> Projector:
    """A change of the row that the event is about, from the version before the payload's."""

    def write(connection: sa.Connection, event: Event) -> None:
        one = getattr(event, key)
        version = int(event.payload["version"])
        here = sa.and_(table.c[key] == one, table.c.version == version - 1)
        if connection.execute(table.update().where(here).values(**typed_values(table, event.payload))).rowcount != 1:
            there = connection.execute(sa.select(table.c.version).where(table.c[key] == one)).scalar()
            if there is None:
                raise StoreError(f"{table.name} {one!r}: there is none.")
            raise Stale(
                f"{table.name} {one!r} has been changed by somebody else since (version {there}, expected "
                f"{version - 1}). Read it again, then decide again."
            )

    return write


def _step_moved(connection: sa.Connection, event: Event) -> None:
    payload = {"step": event.payload["step"], "step_since": event.at, "version": event.payload["version"]}
    moved = Event(event.kind, event.actor, event.at, payload, event.customer_id, event.episode_id)
    _changed(EPISODE, "episode_id")(connection, moved)


def _upserted(table: sa.Table, *about: str) -> Projector:
    """The row of a key, made or replaced in the columns that the payload names."""
    keys = [column.name for column in table.primary_key]

    def write(connection: sa.Connection, event: Event) -> None:
        own = {name: getattr(event, name) for name in about}
        values = typed_values(table, {**event.payload, **own})
        here = sa.and_(*(table.c[name] == values[name] for name in keys))
        if "version" in table.columns:
            found = connection.execute(sa.select(table.c.version).where(here)).scalar()
            expected = event.payload.get("version", (found or 0) + 1)
            if expected != (found or 0) + 1:
                raise Stale(
                    f"{table.name} {values[keys[0]]!r} has been changed by somebody else since (version {found or 0}, "
                    f"expected {expected - 1}). Read it again, then decide again."
                )
            values["version"] = expected
        if connection.execute(table.update().where(here).values(**values)).rowcount == 0:
            connection.execute(table.insert(), values)

    return write


def _account_updated(connection: sa.Connection, event: Event) -> None:
    payload = {**event.payload, "updated_at": event.at, "updated_by": event.actor}
    _upserted(ACCOUNT_STATE, "customer_id")(
        connection, Event(event.kind, event.actor, event.at, payload, event.customer_id)
    )


def _account_reviewed(connection: sa.Connection, event: Event) -> None:
    payload = {"reviewed_at": event.at, "reviewed_by": event.actor}
    _account_updated(connection, Event(event.kind, event.actor, event.at, payload, event.customer_id))


def _exposed(connection: sa.Connection, event: Event) -> None:
    """The first time counts; whoever contacts a customer has treated the warning."""
    row = {"episode_id": event.episode_id, "kind": event.payload["kind"], "actor": event.actor}
    here = sa.and_(*(EXPOSURE.c[name] == value for name, value in row.items()))
    if connection.execute(sa.select(EXPOSURE.c.at).where(here)).first() is None:
        connection.execute(EXPOSURE.insert(), {**row, "at": event.at})
    if row["kind"] == "contacted":
        first = sa.and_(EPISODE.c.episode_id == event.episode_id, EPISODE.c.treated_at.is_(None))
        connection.execute(EPISODE.update().where(first).values(treated_at=event.at))


def _task_closed(connection: sa.Connection, event: Event) -> None:
    payload = {**event.payload, "closed_at": event.at, "closed_by": event.actor}
    closed = Event(event.kind, event.actor, event.at, payload, event.customer_id, task_id=event.task_id)
    _changed(TASK, "task_id")(connection, closed)


def _said(table: sa.Table, *about: str) -> Projector:
    """A statement of the actor at the event's moment, replaced where it was made before."""

    def write(connection: sa.Connection, event: Event) -> None:
        payload = {**event.payload, "author": event.actor, "at": event.at}
        said = Event(event.kind, event.actor, event.at, payload, event.customer_id, event.episode_id)
        _upserted(table, *about)(connection, said)

    return write


def _outcome(connection: sa.Connection, event: Event) -> None:
    payload = {**event.payload, "author": event.actor}
    said = Event(event.kind, event.actor, event.at, payload, event.customer_id, event.episode_id)
    _upserted(OUTCOME, "episode_id", "customer_id")(connection, said)


def _noted(connection: sa.Connection, event: Event) -> None:
    """Kept in the ledger and nowhere else."""


#: What may happen, and what each makes of the tables.
KINDS: dict[str, Projector] = {
    "episode_opened": _made(EPISODE, "episode_id", "customer_id"),
    "episode_changed": _changed(EPISODE, "episode_id"),
    "episode_closed": _changed(EPISODE, "episode_id"),
    "step_moved": _step_moved,
    "exposed": _exposed,
    "task_created": _made(TASK, "task_id", "customer_id", "episode_id"),
    "task_changed": _changed(TASK, "task_id"),
    "task_closed": _task_closed,
    "account_updated": _account_updated,
    "account_reviewed": _account_reviewed,
    "outcome_recorded": _outcome,
    "review_recorded": _said(REVIEW, "customer_id"),
    "feedback_given": _said(FEEDBACK, "episode_id"),
    "setting_changed": _said(SETTING),
    "customer_restarted": _noted,
    "owner_changed": _noted,
    "decision_noted": _noted,
    "export_made": _noted,
}
