"""Requests that may come twice: a double click, or a client that heard no answer, is answered once and acted on once.

Both functions belong into the transaction that does what the request asks, so that the act and its answer are kept
together or not at all::

    with store.writing() as connection:
        before = answered(connection, actor, key, request_hash)
        if before is None:
            append(connection, events)
            keep(connection, actor, key, request_hash, Answer(201, body), now)
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa  # noqa: TID251

from features.errors import StoreError
from serving.ledger import append
from serving.migrations.loop_tables import IDEMPOTENCY_KEY
from serving.records import zoned


class KeyReused(StoreError):
    """A key came with another request than the one that it was first used for."""


@dataclass(frozen=True)
class Answer:
    """What a request was answered: status and text."""

    status: int
    text: str


def answered(connection: sa.Connection, actor: str, key: str, request_hash: str) -> Answer | None:
    """Return what the same request of the actor was answered before, or None.

    From here until the transaction ends nobody else acts, so that of two that come at once the second finds the answer
    of the first.

    Raises
    ------
    KeyReused
        If the actor used the key for another request.
    """
    append(connection, [])
    here = sa.and_(IDEMPOTENCY_KEY.c.actor == actor, IDEMPOTENCY_KEY.c.key == key)
    row = connection.execute(sa.select(IDEMPOTENCY_KEY).where(here)).one_or_none()
    if row is None:
        return None
    if row.request_hash != request_hash:
        raise KeyReused(f"The key {key!r} was used for another request; give every request a key of its own.")
    return Answer(row.status, row.answer)


def keep(connection: sa.Connection, actor: str, key: str, request_hash: str, answer: Answer, at: datetime) -> None:
    """Keep the answer of a request."""
    zoned("The moment of an answer", at)
    row = {"actor": actor, "key": key, "request_hash": request_hash, "at": at}
    connection.execute(IDEMPOTENCY_KEY.insert(), {**row, "status": answer.status, "answer": answer.text})


def forget(connection: sa.Connection, before: datetime) -> int:
    """Remove answers that are older; return how many. A client that repeats itself does so within a day."""
    return connection.execute(IDEMPOTENCY_KEY.delete().where(IDEMPOTENCY_KEY.c.at < before)).rowcount
