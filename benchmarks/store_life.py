"""Some days of a small company as the store lives through them: what store_kills.py interrupts.

A life is a list of moves. A move is one publication or one transaction of a person or of the dispatcher; all of it is
computed from its place in the list, so that two lives that were not interrupted are the same to the last bit.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import sqlalchemy as sa

from serving.day_records import HEALTH_COLUMNS, DayFrames, Decision, Loop, LoopState, Notice
from serving.idempotency import Answer, answered, keep
from serving.ledger import SYSTEM, Event, append
from serving.migrations.loop_tables import EPISODE, EVENT, IDEMPOTENCY_KEY, OUTBOX, PROFILE, PROJECTED, TASK
from serving.migrations.tables import SCORING_RUN
from serving.publication import OF_A_RUN
from serving.records import REASON_COLUMNS, SCORE_COLUMNS, ScoringRun
from serving.store import Store

FIRST_DAY = date(2026, 3, 2)
OWNERS = ("kim", "lee", "mia", "noa")
COOL_DOWN_DAYS = 2
#: Every so many days the day is published a second time, with data that have changed.
SUPERSEDED_EVERY = 3

Move = Callable[[Store], None]


@dataclass(frozen=True)
class Life:
    """A company of so many customers over so many days."""

    customers: int
    days: int

    def moves(self) -> list[Move]:
        """Everything that happens, in order; each changes something."""
        made: list[Move] = []
        for number in range(self.days):
            made += [self.published(number), _acknowledged(number), _sent(number), _closed(number)]
            if number % SUPERSEDED_EVERY == SUPERSEDED_EVERY - 1:
                made.append(self.published(number, shift=1))
        return made

    def published(self, number: int, shift: int = 0) -> Move:
        """The day's publication; with a shift other customers are loud."""
        as_of = day(number)
        levels = {f"c{one:04}": _level(one, number + shift) for one in range(self.customers)}
        run = ScoringRun(f"{as_of}-{shift}", as_of, "m1", f"data-{shift}", at(number))
        scores, reasons, frames = _scores(levels), _reasons(levels), _frames(levels, number)

        def move(store: Store) -> None:
            loop = Loop(lambda state: decide(state, levels), COOL_DOWN_DAYS)
            store.publish(
                run, scores, reasons, day=frames, loop=loop, clock=lambda: at(number, 10 + shift * 600), supersede=True
            )

        return move


def day(number: int) -> date:
    """The date of a day."""
    return FIRST_DAY + timedelta(days=number)


def at(number: int, minutes: int = 0) -> datetime:
    """A moment on a day."""
    return datetime.combine(day(number), datetime.min.time(), UTC) + timedelta(hours=6, minutes=minutes)


def _level(customer: int, number: int) -> str:
    """Loud for some days every now and then."""
    place = (customer * 7 + number * (1 + customer % 3)) % 40
    return {0: "red", 1: "orange", 2: "yellow", 3: "yellow"}.get(place, "none")


def _scores(levels: dict[str, str]) -> pd.DataFrame:
    rows = []
    for customer, level in levels.items():
        made = None if level == "none" else f"model:{level}"
        said = (customer, 0.5, 45.0, 0.4, 0.6, 0.9, 0.7, 0.5, 0.2, level, "eligible", "enough", "A", "percent")
        rows.append((*said, 9.0, 4.5, 1.4, -1.0, "early", "cooling", made, 0.5))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _reasons(levels: dict[str, str]) -> pd.DataFrame:
    said = (1, "orders_90d", "transaction", 1.0, None, None, 0.9, 0.1, "1 order.", "reason", "order_rhythm", None)
    rows = [(customer, *said) for customer in levels]
    return pd.DataFrame(rows, columns=list(REASON_COLUMNS))


def _frames(levels: dict[str, str], number: int) -> DayFrames:
    names = list(levels)
    loud = [name for name, level in levels.items() if level != "none"]
    profiles = pd.DataFrame({"customer_id": names, "owner": [_owner(name) for name in names]})
    health = pd.DataFrame([(name, *[50.0] * 6, 60.0, 10.0, "finance") for name in names], columns=list(HEALTH_COLUMNS))
    signals = pd.DataFrame({"customer_id": loud, "rule": "late", "level": "yellow"})
    return DayFrames(
        profiles.assign(facts=[{"name": name, "last_order_on": day(number)} for name in names]),
        health,
        signals.assign(evidence=[{"days": number} for _ in loud]),
        {"workload": {"loud": len(loud)}},
    )


def _owner(customer: str) -> str:
    return OWNERS[int(customer[1:]) % len(OWNERS)]


def decide(state: LoopState, levels: dict[str, str]) -> Decision:
    """Open who is loud and neither open nor cooling down, follow the level, close who is quiet."""
    events: list[Event] = []
    seen: set[str] = set()
    due = state.tasks.set_index("customer_id")
    for row in state.episodes.itertuples():
        seen.add(row.customer_id)
        level = levels[row.customer_id]
        if not pd.isna(row.closed_on) or level == row.level:
            continue
        change = {"level": level, "version": int(row.version) + 1}
        if level != "none":
            events.append(Event("episode_changed", SYSTEM, state.at, change, row.customer_id, row.episode_id))
            continue
        change = {"closed_on": state.as_of, "close_reason": "below", "version": int(row.version) + 1}
        events.append(Event("episode_closed", SYSTEM, state.at, change, row.customer_id, row.episode_id))
        if row.customer_id in due.index:
            task = due.loc[row.customer_id]
            waived = {"state": "waived", "result": {"reason": "below"}, "version": int(task["version"]) + 1}
            events.append(
                Event("task_closed", SYSTEM, state.at, waived, row.customer_id, row.episode_id, task["task_id"])
            )
    opened = [name for name, level in levels.items() if level != "none" and name not in seen]
    events += [event for name in opened for event in _opened(state, name, levels[name])]
    told = sorted({_owner(name) for name in opened})
    return Decision(events, [Notice(owner, "digest", state.as_of, {"new": len(opened)}) for owner in told])


def _opened(state: LoopState, customer: str, level: str) -> list[Event]:
    episode = f"{customer}-{state.as_of}"
    warning = {
        "opened_on": state.as_of, "opened_level": level, "level": level, "highest_level": level, "step": "raised",
        "step_since": state.at, "arm": "shown", "propensity": 1.0, "owner": _owner(customer),
    }  # fmt: skip
    task = {
        "kind": "order_late", "cause": "order_late", "team": "sales", "created_on": state.as_of, "checklist": [],
        "due_on": state.as_of + timedelta(days=4), "facts": {"level": level}, "needs": [], "state": "open",
        "owner": _owner(customer),
    }  # fmt: skip
    return [
        Event("episode_opened", SYSTEM, state.at, warning, customer, episode, once=f"open:{episode}"),
        Event("task_created", SYSTEM, state.at, task, customer, episode, f"task-{episode}", f"task:{episode}"),
    ]


def _acknowledged(number: int) -> Move:
    """A person takes the first new warning."""

    def move(store: Store) -> None:
        with store.writing() as connection:
            new = sa.select(EPISODE).where(EPISODE.c.step == "raised", EPISODE.c.closed_on.is_(None))
            row = connection.execute(new.order_by(EPISODE.c.episode_id).limit(1)).one()
            step = {"step": "acknowledged", "version": row.version + 1}
            append(connection, [Event("step_moved", row.owner, at(number, 60), step, row.customer_id, row.episode_id)])

    return move


def _sent(number: int) -> Move:
    """The dispatcher sends a notice; the lease of one that died in between has run out meanwhile."""

    def move(store: Store) -> None:
        with store.writing() as connection:  # a lease would be a transaction of its own
            waits = sa.select(OUTBOX.c.dedupe_key).where(OUTBOX.c.state == "pending")
            key = connection.execute(waits.order_by(OUTBOX.c.dedupe_key).limit(1)).scalar_one()
            sent = OUTBOX.update().where(OUTBOX.c.dedupe_key == key)
            connection.execute(sent.values(state="sent", sent_at=at(number, 70), attempts=1))

    return move


def _closed(number: int) -> Move:
    """A person ends the task that is due first, and with it enters the contact; the request may come twice."""

    def move(store: Store) -> None:
        with store.writing() as connection:
            if answered(connection, "kim", f"close-{number}", "h") is not None:
                return
            first = sa.select(TASK).where(TASK.c.state == "open").order_by(TASK.c.due_on, TASK.c.task_id).limit(1)
            row, now = connection.execute(first).one(), at(number, 80)
            done = {"state": "done", "result": {}, "version": row.version + 1}
            about = (row.customer_id, row.episode_id)
            append(
                connection,
                [
                    Event("task_closed", "kim", now, done, *about, row.task_id),
                    Event("account_updated", "kim", now, {"risk": "high", "last_contact_on": day(number)}, about[0]),
                    Event("exposed", "kim", now, {"kind": "contacted"}, *about),
                ],
            )
            keep(connection, "kim", f"close-{number}", "h", Answer(201, row.task_id), now)

    return move


def fingerprints(connection: sa.Connection) -> dict[str, str]:
    """A digest of each table as its readers see it: without runs that are not published, profiles of the newest day."""
    seen = sa.select(SCORING_RUN.c.run_id).where(SCORING_RUN.c.state != "staged")
    published = sa.select(SCORING_RUN.c.run_id).where(SCORING_RUN.c.state == "published")
    newest = published.order_by(SCORING_RUN.c.as_of.desc()).limit(1)
    wanted = {table: sa.select(table).where(table.c.run_id.in_(seen)) for table, _ in OF_A_RUN}
    wanted[PROFILE] = sa.select(PROFILE).where(PROFILE.c.run_id.in_(newest))
    wanted[SCORING_RUN] = sa.select(SCORING_RUN).where(SCORING_RUN.c.state != "staged")
    wanted |= {table: sa.select(table) for table in (*PROJECTED, EVENT, OUTBOX, IDEMPOTENCY_KEY)}
    digests = {}
    for table, chosen in wanted.items():
        rows = connection.execute(chosen).all()
        lines = "\n".join(sorted(map(repr, map(tuple, rows))))
        digests[table.name] = hashlib.sha256(lines.encode()).hexdigest()
    return digests
