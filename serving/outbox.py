"""Notices on their way out: decided in a transaction, delivered at least once.

A notice is written by whoever decides it, in the same transaction (:func:`enqueue`); of one recipient, kind and day
there is one. A dispatcher leases notices for a while, sends them and says what came of it (:class:`Outbox`). If it dies
in between the lease runs out and another sends the notice again: at most once more per death.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa  # noqa: TID251

from serving.day_records import Notice, dated, kept
from serving.migrations.loop_tables import OUTBOX
from serving.records import zoned

#: After so many attempts a notice is dead: somebody has to look.
ATTEMPTS = 6
#: How long to wait after the first failure; twice as long after each further one, up to the longest.
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
#: What is kept of an error.
_ERROR_LENGTH = 500

WAITING = ("pending", "failed")


@dataclass(frozen=True)
class Leased:
    """A notice to be sent now. `attempts` counts this one; `leased_until` is when another dispatcher may take it."""

    notice: Notice
    attempts: int
    leased_until: datetime

    @property
    def dedupe_key(self) -> str:
        """The key of the notice, the same at every attempt: what a channel that knows such keys is to be given."""
        return self.notice.dedupe_key


def enqueue(
    connection: sa.Connection,
    notices: Iterable[Notice],
    at: datetime,
    *,
    run_id: str | None = None,
    instead_of: Iterable[str] = (),
) -> int:
    """Write notices into the outbox in the caller's transaction; return how many were new.

    One that is there already stays one: its payload is replaced while it waits, and left alone once it is leased, sent
    or dead.

    Parameters
    ----------
    connection : in a transaction for writing
    notices : what is to be told
    at : the moment, with its zone
    run_id : the run that decided them
    instead_of : runs whose notices are void: those that still wait and are not among `notices` are removed
    """
    zoned("A notice's moment", at)
    new, keys = 0, set()
    for notice in notices:
        keys.add(notice.dedupe_key)
        said = {"payload": kept(notice.payload), "run_id": run_id}
        state = connection.execute(sa.select(OUTBOX.c.state).where(OUTBOX.c.dedupe_key == notice.dedupe_key)).scalar()
        if state in WAITING:
            waits = sa.and_(OUTBOX.c.dedupe_key == notice.dedupe_key, OUTBOX.c.state.in_(WAITING))
            connection.execute(OUTBOX.update().where(waits).values(said))
        elif state is None:
            row = {"recipient": notice.recipient, "kind": notice.kind, "as_of": notice.as_of, "attempts": 0}
            first = {"dedupe_key": notice.dedupe_key, "state": "pending", "created_at": at}
            connection.execute(OUTBOX.insert(), {**row, **said, **first})
            new += 1
    void = sa.select(OUTBOX.c.dedupe_key).where(OUTBOX.c.run_id.in_(list(instead_of)), OUTBOX.c.state.in_(WAITING))
    for key in set(connection.execute(void).scalars()) - keys:
        connection.execute(OUTBOX.delete().where(OUTBOX.c.dedupe_key == key, OUTBOX.c.state.in_(WAITING)))
    return new


class Outbox:
    """The dispatcher's side of the outbox; each method is a transaction of its own."""

    def __init__(self, writing: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        self._writing = writing

    def lease(self, by: str, seconds: float, now: datetime, limit: int = 20) -> list[Leased]:
        """Take up to `limit` notices that are due, the oldest first; nobody else is given them for `seconds`.

        Due are those that wait and whose back-off is over, and those whose dispatcher has let its lease run out. One
        that has been leased :data:`ATTEMPTS` times without an answer is dead.
        """
        zoned("The moment of a lease", now)
        waits = sa.and_(OUTBOX.c.state.in_(WAITING), sa.or_(OUTBOX.c.not_before.is_(None), OUTBOX.c.not_before <= now))
        lost = sa.and_(OUTBOX.c.state == "sending", OUTBOX.c.leased_until <= now)
        until = now + timedelta(seconds=seconds)
        with self._writing() as connection:
            silent = OUTBOX.update().where(lost, OUTBOX.c.attempts >= ATTEMPTS)
            connection.execute(
                silent.values(state="dead", leased_by=None, leased_until=None, error="no answer from the dispatcher")
            )
            due = sa.select(OUTBOX).where(sa.or_(waits, lost)).order_by(OUTBOX.c.created_at, OUTBOX.c.dedupe_key)
            rows = connection.execute(due.limit(limit).with_for_update(skip_locked=True)).all()
            for row in rows:
                taken = {"state": "sending", "leased_by": by, "leased_until": until, "attempts": row.attempts + 1}
                connection.execute(OUTBOX.update().where(OUTBOX.c.dedupe_key == row.dedupe_key).values(taken))
        return [
            Leased(Notice(row.recipient, row.kind, row.as_of, dated(row.payload)), row.attempts + 1, until)
            for row in rows
        ]

    def sent(self, dedupe_key: str, by: str, now: datetime) -> bool:
        """Say that a notice has arrived; False if the lease was lost meanwhile and somebody else has it."""
        zoned("The moment of sending", now)
        values = {"state": "sent", "sent_at": now, "leased_by": None, "leased_until": None, "error": None}
        with self._writing() as connection:
            return self._answer(connection, dedupe_key, by, values)

    def failed(
        self, dedupe_key: str, by: str, error: str, now: datetime, *, wait: timedelta | None = None, final: bool = False
    ) -> str | None:
        """Say that a notice could not be sent; return its state, or None if the lease was lost meanwhile.

        Parameters
        ----------
        dedupe_key, by : the notice and its dispatcher
        error : why, kept in one line; it must hold no secret
        now : the moment, with its zone; the next attempt is one minute later, then two, four, up to an hour
        wait : how long the receiver asks to be left alone, if longer than that
        final : whether another attempt is useless
        """
        zoned("The moment of a failure", now)
        said = " ".join(error.split())[:_ERROR_LENGTH]
        with self._writing() as connection:
            mine = sa.and_(OUTBOX.c.dedupe_key == dedupe_key, OUTBOX.c.leased_by == by)
            attempts = connection.execute(sa.select(OUTBOX.c.attempts).where(mine)).scalar()
            if attempts is None:
                return None
            state = "dead" if final or attempts >= ATTEMPTS else "failed"
            pause = max(back_off(attempts), wait or timedelta(0))
            values = {"state": state, "error": said, "leased_by": None, "leased_until": None, "not_before": now + pause}
            return state if self._answer(connection, dedupe_key, by, values) else None

    def revive(self, dedupe_key: str) -> bool:
        """Let a dead notice wait again, with all its attempts; False if it is not dead."""
        dead = sa.and_(OUTBOX.c.dedupe_key == dedupe_key, OUTBOX.c.state == "dead")
        with self._writing() as connection:
            fresh = OUTBOX.update().where(dead).values(state="pending", attempts=0, not_before=None)
            return connection.execute(fresh).rowcount == 1

    @staticmethod
    def _answer(connection: sa.Connection, dedupe_key: str, by: str, values: Mapping[str, Any]) -> bool:
        mine = sa.and_(OUTBOX.c.dedupe_key == dedupe_key, OUTBOX.c.leased_by == by, OUTBOX.c.state == "sending")
        return connection.execute(OUTBOX.update().where(mine).values(dict(values))).rowcount == 1


def back_off(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts, of which all failed."""
    return min(FIRST_WAIT * 2 ** (attempts - 1), LONGEST_WAIT)


def notices_of(connection: sa.Connection, *, as_of: date | None = None, state: str | None = None) -> list[sa.Row[Any]]:
    """Return rows of the outbox, the oldest first; of one day or in one state where given."""
    chosen = sa.select(OUTBOX).order_by(OUTBOX.c.created_at, OUTBOX.c.dedupe_key)
    if as_of is not None:
        chosen = chosen.where(OUTBOX.c.as_of == as_of)
    if state is not None:
        chosen = chosen.where(OUTBOX.c.state == state)
    return list(connection.execute(chosen))
