"""The loop's step within a publication: what a day's run makes of warnings and tasks, and how a later run of the same
day takes that back.

A day moves the loop forward or not at all: once a newer day has moved it, an older one leaves warnings and tasks alone.
Where a run replaces another of the newest day, the decision starts from where the day began: what the replaced run did
to older warnings and tasks is taken back by further events, and those that it had opened are not shown. If the new run
opens them too they stay, with what people did to them; if not they are closed as ``superseded``, tasks waived. What a
person has changed since is the person's: a column is taken back or refreshed only while it holds what the day's runs
had given it, and what a person has closed is not opened again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa  # noqa: TID251

from serving import outbox
from serving.day_records import Decision, Loop, LoopState
from serving.ledger import SYSTEM, Event, Recorded, append, event_of, read
from serving.migrations.loop_tables import ACCOUNT_STATE, EPISODE, EVENT, OUTCOME, TASK
from serving.migrations.tables import SCORE, SCORING_RUN
from serving.projection import typed_values
from serving.reading import frame_of
from serving.records import ScoringRun

SUPERSEDED = "superseded"
#: The kind of task that is asked for once per loss, however long ago.
LOSS_REVIEW = "loss_review"


@dataclass(frozen=True)
class Moved:
    """The numbers of the events by which a run moved the loop; `last` is `first` less one where it moved nothing."""

    first: int
    last: int


@dataclass(frozen=True)
class Kind:
    """What a run opens, changes and closes: warnings or tasks, and the events that say so."""

    table: sa.Table
    key: str
    made: str
    changed: str
    closed: str
    #: Of the rows that have these in common one is open.
    one_open: tuple[str, ...]
    #: Columns of people, or of the row for ever.
    not_ours: frozenset[str]
    #: The column and the value that say that a row is open.
    open_where: tuple[str, object]
    open_again: Mapping[str, object]
    closing: Mapping[str, object]

    @property
    def changes(self) -> tuple[str, ...]:
        """The events that bear the version of such a row."""
        return (self.changed, self.closed, *(("step_moved",) if self.made == "episode_opened" else ()))

    def is_open(self, row: sa.Row[Any]) -> bool:
        """Whether nobody has closed the row."""
        name, value = self.open_where
        return bool(getattr(row, name) == value)

    def by_us(self, row: sa.Row[Any]) -> bool:
        """Whether the row was closed because a run was replaced."""
        return all(getattr(row, name) == value for name, value in self.closing.items())

    def of(self, row: sa.Row[Any]) -> tuple[object, ...]:
        """What the row is about."""
        return tuple(getattr(row, name) for name in self.one_open)

    def told_of(self, event: Event) -> tuple[object, ...]:
        """What the row is about that an event makes."""
        values = {**event.payload, "customer_id": event.customer_id}
        return tuple(values.get(name) for name in self.one_open)


EPISODES = Kind(
    EPISODE, "episode_id", "episode_opened", "episode_changed", "episode_closed", ("customer_id",),
    frozenset({"step", "step_since", "treated_at", "arm", "propensity", "version"}),
    ("closed_on", None), {"closed_on": None, "close_reason": None}, {"close_reason": SUPERSEDED},
)  # fmt: skip
TASKS = Kind(
    TASK, "task_id", "task_created", "task_changed", "task_closed", ("customer_id", "cause"),
    frozenset({"snoozed_until", "version"}),
    ("state", "open"), {"state": "open", "closed_at": None, "closed_by": None, "result": None},
    {"state": "waived", "result": {"reason": SUPERSEDED}},
)  # fmt: skip
BOTH = (EPISODES, TASKS)


@dataclass
class Rewound:
    """What runs of the same day had done before: rows that they made, and what they last gave each column."""

    made: dict[str, sa.Row[Any]] = field(default_factory=dict)
    given: dict[str, dict[str, Any]] = field(default_factory=dict)

    def free(self, row: sa.Row[Any], key: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Of new values those that change the row and no person's work."""
        given = self.given[getattr(row, key)]
        here = {name: getattr(row, name) for name in values}
        return {name: new for name, new in values.items() if here[name] != new and here[name] == given.get(name)}


def newest_step(connection: sa.Connection) -> date | None:
    """Return the newest day that has moved the loop, or None."""
    newest = sa.select(sa.func.max(SCORING_RUN.c.as_of)).where(SCORING_RUN.c.first_event.is_not(None))
    return connection.execute(newest).scalar()


def step(connection: sa.Connection, run: ScoringRun, loop: Loop, at: datetime) -> Moved:
    """Move warnings, tasks and notices in the caller's transaction, which publishes the run.

    Raises
    ------
    StoreError
        If the decision cannot be written.
    """
    append(connection, [])  # from here on nobody else moves the loop until the transaction ends
    first = _last(connection) + 1
    past = _past(connection, run.as_of)
    rewound = {kind.key: _rewind(connection, kind, past, run.as_of, at) for kind in BOTH}
    decision = loop.decide(_state(connection, run.as_of, loop, at, rewound))
    settled = _Settled(run.as_of, at, rewound)
    events = settled.events(decision)
    append(connection, [*settled.closings(), *events])
    outbox.enqueue(connection, decision.notices, at, run_id=run.run_id, instead_of=_runs(connection, run.as_of))
    return Moved(first, _last(connection))


def _last(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.max(EVENT.c.number))).scalar() or 0


def _runs(connection: sa.Connection, as_of: date) -> list[str]:
    """Runs of the day that have moved the loop before."""
    moved = sa.and_(SCORING_RUN.c.as_of == as_of, SCORING_RUN.c.first_event.is_not(None))
    return list(connection.execute(sa.select(SCORING_RUN.c.run_id).where(moved)).scalars())


def _past(connection: sa.Connection, as_of: date) -> list[Recorded]:
    """The events by which runs of the same day have moved the loop."""
    moved = sa.and_(
        SCORING_RUN.c.as_of == as_of, EVENT.c.number.between(SCORING_RUN.c.first_event, SCORING_RUN.c.last_event)
    )
    rows = connection.execute(sa.select(EVENT).join(SCORING_RUN, moved).order_by(EVENT.c.number))
    return [Recorded(row.number, event_of(row)) for row in rows]


def _rewind(connection: sa.Connection, kind: Kind, past: list[Recorded], as_of: date, at: datetime) -> Rewound:
    """Take back what the day's runs did to rows that are older than the day, and find those that they made."""
    rewound = Rewound()
    made = set()
    for recorded in past:
        event = recorded.event
        one = getattr(event, kind.key)
        if event.kind == kind.made:
            made.add(one)
        if event.kind in (kind.made, kind.changed, kind.closed):
            rewound.given.setdefault(one, {}).update(_given(kind, event))
    rows = _rows(connection, kind, rewound.given)
    rewound.made = {one: row for one, row in rows.items() if one in made}
    hidden = {kind.of(row): row for row in rewound.made.values() if kind.is_open(row)}
    events = []
    for one, row in rows.items():
        if one in made:
            continue
        payload = rewound.free(row, kind.key, _before(connection, kind, row, past[0].number, rewound))
        if not payload:
            continue
        if kind.open_where[0] in payload:  # it opens again: nothing else may be open in its place
            rival = hidden.get(kind.of(row))
            if rival is not None:
                events.append(_closing(kind, rival, as_of, at))
            elif _taken(connection, kind, row):
                continue
        events.append(_event(kind.changed, kind, row, at, {**payload, "version": row.version + 1}))
    append(connection, events)
    for event in events:
        rewound.given[getattr(event, kind.key)].update(_given(kind, event))
    rewound.made = _rows(connection, kind, rewound.made)
    return rewound


def _rows(connection: sa.Connection, kind: Kind, ids: Iterable[str]) -> dict[str, sa.Row[Any]]:
    """The rows as they are now, in the order of their ids."""
    key = kind.table.c[kind.key]
    found: dict[str, sa.Row[Any]] = {}
    wanted = sorted(ids)
    for start in range(0, len(wanted), 500):  # a statement holds so many values on every engine
        rows = connection.execute(sa.select(kind.table).where(key.in_(wanted[start : start + 500])).order_by(key))
        found |= {getattr(row, kind.key): row for row in rows}
    return found


def _before(connection: sa.Connection, kind: Kind, row: sa.Row[Any], first: int, rewound: Rewound) -> dict[str, Any]:
    """What the columns that the day's runs have touched held before the day."""
    one = getattr(row, kind.key)
    told = sa.select(EVENT).where(
        EVENT.c.customer_id == row.customer_id, EVENT.c[kind.key] == one, EVENT.c.number < first,
        EVENT.c.kind.in_((kind.made, kind.changed, kind.closed)),
    )  # fmt: skip
    held: dict[str, Any] = {}
    for earlier in connection.execute(told.order_by(EVENT.c.number)):
        held |= _given(kind, event_of(earlier))
    return {name: held.get(name) for name in rewound.given[one]}


def _given(kind: Kind, event: Event) -> dict[str, Any]:
    """What an event gave the columns that are a run's to give."""
    payload = dict(event.payload)
    if event.kind == "task_closed":
        payload |= {"closed_at": event.at, "closed_by": event.actor}
    return {name: value for name, value in typed_values(kind.table, payload).items() if name not in kind.not_ours}


def _taken(connection: sa.Connection, kind: Kind, row: sa.Row[Any]) -> bool:
    """Whether another row about the same is open."""
    table = kind.table
    same = [table.c[name] == getattr(row, name) for name in kind.one_open]
    name, value = kind.open_where
    return connection.execute(sa.select(table.c[kind.key]).where(*same, table.c[name] == value)).first() is not None


def _state(
    connection: sa.Connection, as_of: date, loop: Loop, at: datetime, rewound: Mapping[str, Rewound]
) -> LoopState:
    """The loop as it is shown to the decision."""
    recent = sa.and_(
        EPISODE.c.closed_on >= as_of - timedelta(days=loop.cool_down_days),
        EPISODE.c.close_reason.is_distinct_from(SUPERSEDED),
    )
    episodes = sa.select(EPISODE).where(sa.or_(EPISODE.c.closed_on.is_(None), recent))
    tasks = sa.select(TASK).where(TASK.c.state == "open")
    earlier = _earlier(connection, as_of, loop.earlier_days)
    shown = {}
    for kind, chosen in zip(BOTH, (episodes, tasks), strict=True):
        rows = connection.execute(chosen.order_by(kind.table.c.customer_id, kind.table.c[kind.key])).all()
        hidden = rewound[kind.key].made
        shown[kind.key] = frame_of(
            [row for row in rows if getattr(row, kind.key) not in hidden], kind.table.columns, dates=True
        )
    lately = datetime.combine(as_of - timedelta(days=loop.remembered_days), time(), UTC)
    remembered = sa.and_(TASK.c.state != "open", sa.or_(TASK.c.closed_at >= lately, TASK.c.kind == LOSS_REVIEW))
    ended, accounts, outcomes = (
        frame_of(connection.execute(chosen).all(), chosen.selected_columns, dates=True)
        for chosen in (
            sa.select(TASK).where(remembered).order_by(TASK.c.customer_id, TASK.c.task_id),
            sa.select(ACCOUNT_STATE).order_by(ACCOUNT_STATE.c.customer_id),
            sa.select(OUTCOME).order_by(OUTCOME.c.episode_id),
        )
    )
    return LoopState(
        as_of, at, shown["episode_id"], earlier, shown["task_id"], ended, accounts, outcomes, _handed(connection)
    )


def _handed(connection: sa.Connection) -> pd.DataFrame:
    """The newest hand-over by a person of each account that had one."""
    told = (recorded.event for recorded in read(connection, kinds=["owner_changed"]))
    newest = {
        one.customer_id: (one.payload["from_owner"], one.payload["to_owner"]) for one in told if one.actor != SYSTEM
    }
    rows = [(customer, *owners) for customer, owners in newest.items()]
    return pd.DataFrame(rows, columns=["customer_id", "from_owner", "to_owner"], dtype="object")


def _earlier(connection: sa.Connection, as_of: date, days: int) -> pd.DataFrame:
    """Scores of the last published days before one."""
    runs = (
        sa.select(SCORING_RUN.c.run_id, SCORING_RUN.c.as_of)
        .where(SCORING_RUN.c.state == "published", SCORING_RUN.c.as_of < as_of)
        .order_by(SCORING_RUN.c.as_of.desc())
        .limit(days)
        .subquery()
    )
    wanted = (SCORE.c.customer_id, runs.c.as_of, SCORE.c.churn_probability, SCORE.c.level, SCORE.c.level_parts)
    rows = connection.execute(sa.select(*wanted).join(runs, runs.c.run_id == SCORE.c.run_id)).all()
    frame = frame_of(rows, wanted, dates=True)
    by_model = [_by_model(level, parts) for level, parts in zip(frame["level"], frame["level_parts"], strict=True)]
    frame = frame.assign(model_level=pd.Series(by_model, dtype="str"))
    return frame.sort_values(["as_of", "customer_id"], ignore_index=True)


def _by_model(level: str, parts: Any) -> str:
    """The model's part of a level; days of a version that kept no parts had no other."""
    if not isinstance(parts, str):
        return level
    return next((part.partition(":")[2] for part in parts.split() if part.startswith("model:")), "none")


class _Settled:
    """A decision turned into events, with the rows that earlier runs of the day made in the place of new ones."""

    def __init__(self, as_of: date, at: datetime, rewound: Mapping[str, Rewound]) -> None:
        self.as_of, self.at, self.rewound = as_of, at, rewound
        self.there = {kind.key: {kind.of(row): row for row in rewound[kind.key].made.values()} for kind in BOTH}
        #: Ids that the decision gave -> ids of rows that are there; None where a person has settled the matter.
        self.ids: dict[tuple[str, str], str | None] = {}
        self.versions: dict[tuple[str, str], int] = {}

    def events(self, decision: Decision) -> list[Event]:
        """The events to be written."""
        return [written for event in decision.events for written in self._event(event)]

    def _event(self, event: Event) -> list[Event]:
        for kind in BOTH:
            row = self.there[kind.key].get(kind.told_of(event)) if event.kind == kind.made else None
            if row is not None:
                return self._again(kind, row, event)
        renamed = self._renamed(event)
        return [] if renamed is None else [renamed]

    def _renamed(self, event: Event) -> Event | None:
        """The event about the rows that are there; None if it is about what a person has settled."""
        for kind in BOTH:
            named = (kind.key, getattr(event, kind.key))
            if named not in self.ids:
                continue
            there = self.ids[named]
            if there is None:
                return None
            event = replace(event, episode_id=there) if kind is EPISODES else replace(event, task_id=there)
            if event.kind in kind.changes:
                self.versions[kind.key, there] += 1
                event = replace(event, payload={**event.payload, "version": self.versions[kind.key, there]})
        return event

    def _again(self, kind: Kind, row: sa.Row[Any], event: Event) -> list[Event]:
        """What opens a row again that is there, or refreshes it; nothing where a person has closed it."""
        one, new = getattr(row, kind.key), getattr(event, kind.key)
        if not (kind.is_open(row) or kind.by_us(row)):
            self.ids[kind.key, new] = None
            return []
        self.ids[kind.key, new] = one
        self.versions[kind.key, one] = row.version
        unsaid = {"below_since": None} if kind is EPISODES else {}
        wanted = typed_values(kind.table, {**unsaid, **kind.open_again, **event.payload})
        wanted = {name: value for name, value in wanted.items() if name not in kind.not_ours}
        changes = self.rewound[kind.key].free(row, kind.key, wanted)
        if kind.by_us(row):  # closed by us, so that opening it undoes nobody's work
            changes |= {name: value for name, value in kind.open_again.items() if getattr(row, name) != value}
        if not changes:
            return []
        self.versions[kind.key, one] += 1
        return [_event(kind.changed, kind, row, self.at, {**changes, "version": self.versions[kind.key, one]})]

    def closings(self) -> list[Event]:
        """The ends of what earlier runs of the day had opened and this decision did not."""
        kept = {(key, there) for (key, _), there in self.ids.items()}
        return [
            _closing(kind, row, self.as_of, self.at)
            for kind in BOTH
            for one, row in self.rewound[kind.key].made.items()
            if kind.is_open(row) and (kind.key, one) not in kept
        ]


def _closing(kind: Kind, row: sa.Row[Any], as_of: date, at: datetime) -> Event:
    payload = {**kind.closing, **({"closed_on": as_of} if kind is EPISODES else {}), "version": row.version + 1}
    return _event(kind.closed, kind, row, at, payload)


def _event(name: str, kind: Kind, row: sa.Row[Any], at: datetime, payload: Mapping[str, Any]) -> Event:
    about = {"episode_id": row.episode_id} | ({"task_id": row.task_id} if kind is TASKS else {})
    return Event(name, SYSTEM, at, payload, row.customer_id, **about)
