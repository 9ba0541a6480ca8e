"""Which tasks are due on a date, which have ended by themselves, and whose they are.

Everything here is a function of frames: the day's facts, the rules that fired, the warnings, what people entered and
changed, and the tasks that there are. A run of the same day again sets off nothing new; the run after a missed day
sets off what the missed one would have, and says on which day its threshold was crossed.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from serving.ledger import SYSTEM, Event
from serving.organisation import OrgChart, Person
from serving.outcomes import lost_on
from serving.task_kinds import (
    CASE,
    CASE_RULE,
    COMPETITOR,
    CONTACT_KINDS,
    GREET,
    KINDS,
    ROUTED,
    SALES,
    SERVICE,
    TaskKind,
    kind_of,
)

#: What a row of :func:`due_tasks` holds: the columns of the table `task`.
COLUMNS = (
    "task_id", "customer_id", "episode_id", "case_id", "kind", "cause", "team", "owner", "created_on", "due_on",
    "facts", "checklist", "needs", "state",
)  # fmt: skip
#: Level of a warning -> the tasks that it sets off; a case besides from orange on.
LEVEL_KINDS: Mapping[str, tuple[str, ...]] = {
    "blue": ("attention",),
    "yellow": ("call_back",),
    "orange": CASE,
    "red": (*CASE, "executive_visit"),
}
_WARM = ("hot", "warm")
_LOUD_RISKS = ("high", "urgent")
_NO_ROWS: Mapping[str, Any] = {}

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Terms:
    """What a company can set about tasks.

    Attributes
    ----------
    contact_days
        Rank -> days since the last contact from which on another one is due.
    greeting_days
        Days from a change of the contact until the new one is to have been visited.
    edit_is_no_change
        Whether a change of a contact that is flagged as an edit (a corrected spelling) sets off nothing.
    old_orders, old_days
        A customer is an old one from so many order days on, or so many days after its first order.
    loss_told_within_days
        Losses further back are history: a store that is begun with years of data asks for no review of them.
    cooldown_days
        Cause -> days, where they differ from those of the kind.
    org
        Who is who.
    """

    contact_days: Mapping[str, int] = field(default_factory=lambda: {"A": 21, "B": 30, "C": 45, "D": 90})
    greeting_days: int = 21
    edit_is_no_change: bool = True
    old_orders: int = 3
    old_days: int = 180
    loss_told_within_days: int = 31
    cooldown_days: Mapping[str, int] = field(default_factory=dict)
    org: OrgChart = field(default_factory=OrgChart)


@dataclass(frozen=True)
class _Wanted:
    """Something that a kind of task answers, before it is asked whether there is one already."""

    kind: TaskKind
    customer_id: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    since: date | None = None
    checklist: tuple[str, ...] | None = None


@dataclass(frozen=True)
class _Day:
    """A day's frames, looked up by customer."""

    rows: Mapping[str, Row]
    signals: pd.DataFrame
    warnings: Mapping[str, Row]
    changes: pd.DataFrame
    tasks: pd.DataFrame
    contact: pd.Series
    terms: Terms
    as_of: date


def due_tasks(
    today: pd.DataFrame,
    signals: pd.DataFrame,
    episodes: pd.DataFrame,
    entered: pd.DataFrame,
    changes: pd.DataFrame,
    tasks: pd.DataFrame,
    terms: Terms,
    as_of: date,
) -> pd.DataFrame:
    """The tasks to create on a date, one row each, in order of customer and cause.

    Parameters
    ----------
    today
        Facts of every customer with ``stage``, ``order_cycle_days``, ``days_since_last_order`` and
        ``days_since_last_contact``; what is not there is unknown.
    signals
        Rules that fired: ``customer_id``, ``rule``, ``evidence``.
    episodes
        The warnings; one that is left alone (``arm`` is ``holdout``) sets off no task, and neither do the rules of its
        customer. What asks for a contact in time, and what people changed, does.
    entered
        What people entered of accounts: ``customer_id``, ``last_contact_on``. The newer contact counts.
    changes
        Changes that became known since the run before: ``customer_id``, ``field`` (``temperature``, ``risk`` or
        ``contact``), ``old``, ``new``, ``on`` and, for a contact, ``edit``.
    tasks
        All tasks, ended ones too, as the table `task` has them.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`. At most one per customer and cause, none where one is open or its cause cools down.
    """
    day = _day(today, signals, episodes, entered, changes, tasks, terms, as_of)
    taken = {(row["customer_id"], row["cause"]) for row in _records(tasks) if _blocks(row, terms, as_of)}
    made: dict[tuple[str, str], dict[str, Any]] = {}
    wanted = list(_wanted(day))
    causes = {(one.customer_id, one.kind.cause) for one in wanted}
    for one in wanted:
        key = (one.customer_id, one.kind.cause)
        quiet = any((one.customer_id, louder) in causes for louder in one.kind.yields_to)
        if key not in taken and key not in made and not quiet:
            made[key] = _task(one, day)
    return pd.DataFrame([made[key] for key in sorted(made)], columns=list(COLUMNS), dtype="object")


def ended_tasks(
    today: pd.DataFrame,
    signals: pd.DataFrame,
    episodes: pd.DataFrame,
    entered: pd.DataFrame,
    tasks: pd.DataFrame,
    terms: Terms,
    as_of: date,
) -> pd.DataFrame:
    """Open tasks whose cause has gone: ``task_id``, ``customer_id``, ``episode_id``, ``version`` and ``by``.

    A contact ends what asks for a contact, a rule that fires no more what it set off, and the end of a warning what
    nobody but the warning asked for. ``by`` is ``contact``, ``rule`` or ``episode``. Parameters as :func:`due_tasks`.
    """
    day = _day(today, signals, episodes, entered, pd.DataFrame(), tasks, terms, as_of)
    fired = set(zip(signals["customer_id"], signals["rule"], strict=True)) if len(signals) else set()
    rows = []
    for row in _records(tasks):
        if row["state"] != "open" or row["kind"] not in KINDS or row["customer_id"] not in day.rows:
            continue
        customer, kind = row["customer_id"], KINDS[row["kind"]]
        gone = {
            "contact": not _contact_due(day, customer),
            "rule": not any((customer, rule) in fired for rule in kind.rules),
            "episode": customer not in day.warnings,
        }
        if gone.get(kind.ends_with, False):
            rows.append((row["task_id"], customer, row["episode_id"], row["version"], kind.ends_with))
    return pd.DataFrame(rows, columns=["task_id", "customer_id", "episode_id", "version", "by"], dtype="object")


def events_of(due: pd.DataFrame, ended: pd.DataFrame, at: datetime) -> list[Event]:
    """The ledger's events of a day's tasks: first those that ended, then those to create; each happens once."""
    events = []
    for row in _records(ended):
        payload = {"state": "done", "result": {"by": row["by"]}, "version": row["version"] + 1}
        events.append(Event("task_closed", SYSTEM, at, payload, row["customer_id"], row["episode_id"], row["task_id"]))
    for row in _records(due):
        payload = {name: row[name] for name in COLUMNS if name not in ("task_id", "customer_id", "episode_id")}
        once = f"task:{row['customer_id']}:{row['cause']}:{row['created_on'].isoformat()}"
        events.append(
            Event("task_created", SYSTEM, at, payload, row["customer_id"], row["episode_id"], row["task_id"], once=once)
        )
    return events


def awake(tasks: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Open tasks that do not sleep: one that sleeps is back on the day until which it was to sleep."""
    open_ones = tasks[tasks["state"] == "open"]
    asleep = open_ones["snoozed_until"].map(lambda until: until is not None and until > as_of).astype(bool)
    return open_ones[~asleep]


def case_state(tasks: pd.DataFrame) -> pd.DataFrame:
    """Every case: ``case_id``, ``customer_id``, ``state``, ``open``, ``done`` and ``waived``.

    A case is ``closed`` when all of its tasks are done or waived; nobody closes it otherwise.
    """
    rows = []
    cases = tasks[tasks["case_id"].notna()]
    for (case, customer), mine in cases.groupby(["case_id", "customer_id"]):
        n = mine["state"].value_counts().reindex(["open", "done", "waived"], fill_value=0)
        rows.append((case, customer, "open" if n["open"] else "closed", *map(int, n)))
    return pd.DataFrame(rows, columns=["case_id", "customer_id", "state", "open", "done", "waived"])


@dataclass(frozen=True)
class Room:
    """What fits into the day: the tasks that are shown, and how many each owner is not shown."""

    shown: pd.DataFrame
    not_shown: Mapping[str, int]


def within_capacity(tasks: pd.DataFrame, most_per_person: int, must_act: Iterable[str] = ()) -> Room:
    """At most so many open tasks for each owner, the most urgent and the earliest due first.

    Tasks of the customers of `must_act` are shown in any case, and take room from the others.
    """
    must = tasks["customer_id"].isin(list(must_act))
    urgency = -tasks["kind"].map(lambda code: kind_of(code).urgency).astype(int)
    order = tasks.assign(_must=~must, _urgency=urgency).sort_values(
        ["_must", "_urgency", "due_on", "task_id"], kind="stable"
    )
    place = order.groupby(order["owner"].fillna(""), sort=False).cumcount()
    seen = (place < most_per_person) | ~order["_must"]
    left = order[~seen]["owner"].fillna("").value_counts()
    return Room(tasks[seen.reindex(tasks.index)], {str(owner): int(n) for owner, n in left.items()})


# What sets tasks off


def _day(
    today: pd.DataFrame,
    signals: pd.DataFrame,
    episodes: pd.DataFrame,
    entered: pd.DataFrame,
    changes: pd.DataFrame,
    tasks: pd.DataFrame,
    terms: Terms,
    as_of: date,
) -> _Day:
    rows = {row["customer_id"]: row for row in _records(today)}
    standing = [row for row in _records(episodes) if row["closed_on"] is None]
    contact = today.set_index("customer_id").get("days_since_last_contact", pd.Series(dtype=float)).astype(float)
    said = {row["customer_id"]: row["last_contact_on"] for row in _records(entered)}
    told = pd.Series({key: float((as_of - day).days) for key, day in said.items() if day is not None}, dtype=float)
    newest = np.fmin(contact, told.reindex(contact.index)) if len(contact) else told
    return _Day(rows, signals, {row["customer_id"]: row for row in standing}, changes, tasks, newest, terms, as_of)


def _wanted(day: _Day) -> Iterator[_Wanted]:
    yield from _by_rules(day)
    yield from _by_changes(day)
    yield from _by_contact(day)
    yield from _by_levels(day)
    yield from _by_losses(day)


def _by_rules(day: _Day) -> Iterator[_Wanted]:
    kinds = {rule: kind for kind in KINDS.values() for rule in kind.rules}
    for row in _records(day.signals):
        customer, rule = row["customer_id"], row["rule"]
        if customer not in day.rows or _left_alone(day, customer):
            continue
        evidence = {"rule": rule, "evidence": dict(row.get("evidence") or {})}
        if rule in kinds:
            kind = kinds[rule]
            checklist = None
            if kind.code == "order_stopped" and _contact_changed(day, customer):
                checklist = (GREET, *kind.checklist)
            yield _Wanted(kind, customer, evidence, _date(row.get("since")), checklist)
        if rule == CASE_RULE and _is_old(day, customer):
            yield from _case(day, customer, CASE, evidence)


def _by_changes(day: _Day) -> Iterator[_Wanted]:
    for row in _records(day.changes):
        customer, field_name, new = row["customer_id"], row["field"], row["new"]
        told = {"old": row["old"], "new": new, "changed_on": row["on"]}
        colder = new in ("cool", "cold") and (row["old"] in _WARM or row["old"] is None)
        if field_name == "temperature" and colder:
            yield _Wanted(KINDS["temperature_down"], customer, told)
        elif field_name == "risk" and new in _LOUD_RISKS and row["old"] not in _LOUD_RISKS:
            yield _Wanted(KINDS["risk_high"], customer, told)
        elif field_name == "contact" and not (row.get("edit") and day.terms.edit_is_no_change) and new != row["old"]:
            yield _Wanted(KINDS["contact_changed"], customer, told, row["on"])


def _by_contact(day: _Day) -> Iterator[_Wanted]:
    for customer in day.contact.index[day.contact.notna()]:
        if customer in day.rows and _contact_due(day, customer):
            rank = day.rows[customer]["rank"]
            days, limit = int(day.contact[customer]), day.terms.contact_days[rank]
            facts = {"rank": rank, "days_since_last_contact": days, "contact_days": limit}
            yield _Wanted(KINDS[CONTACT_KINDS[rank]], customer, facts, day.as_of - timedelta(days=days - limit))


def _by_levels(day: _Day) -> Iterator[_Wanted]:
    for customer, row in day.warnings.items():
        if customer not in day.rows or _left_alone(day, customer):
            continue
        facts = {"level": row["level"], "dimension": row["dimension"]}
        codes = LEVEL_KINDS.get(row["level"], ())
        plain = [code for code in codes if code not in (*CASE, "executive_visit")]
        yield from (_Wanted(KINDS[code], customer, facts) for code in plain)
        yield from _case(day, customer, [code for code in codes if code not in plain], facts)


def _case(day: _Day, customer: str, codes: Iterable[str], facts: Mapping[str, Any]) -> Iterator[_Wanted]:
    """The tasks of a case; where one is open already, only what it does not hold."""
    held = {row["kind"] for row in _records(day.tasks) if row["case_id"] == _open_case(day, customer)}
    budget = {"budget_line": "retention"}
    for code in codes:
        if code not in held:
            yield _Wanted(KINDS[code], customer, {**facts, **(budget if code == "executive_visit" else {})})


def _by_losses(day: _Day) -> Iterator[_Wanted]:
    done = {(row["customer_id"], str(row["facts"].get("lost_on"))) for row in _of_kind(day.tasks, "loss_review")}
    for customer, row in day.rows.items():
        if row.get("stage") != "lost":
            continue
        lost = lost_on(row, day.as_of)
        if (day.as_of - lost).days <= day.terms.loss_told_within_days and (customer, lost.isoformat()) not in done:
            yield _Wanted(KINDS["loss_review"], customer, {"lost_on": lost.isoformat()}, lost)


def _left_alone(day: _Day, customer: str) -> bool:
    return bool(day.warnings.get(customer, _NO_ROWS).get("arm") == "holdout")


def _contact_due(day: _Day, customer: str) -> bool:
    """Whether the last contact lies as far back as the customer's rank allows; an unknown one is not due."""
    limit = day.terms.contact_days.get(day.rows[customer].get("rank") or "")
    days = day.contact.get(customer, float("nan"))
    return limit is not None and bool(days >= limit)


def _contact_changed(day: _Day, customer: str) -> bool:
    """Whether the contact changed and the new one is hardly known."""
    known = day.rows[customer].get("new_contact_hardly_known")
    return known is not None and bool(known == 1)


def _is_old(day: _Day, customer: str) -> bool:
    row = day.rows[customer]
    first = _date(row.get("first_order_on"))
    tenure = (day.as_of - first).days if first else 0
    return tenure >= day.terms.old_days or (row.get("order_days_ever") or 0) >= day.terms.old_orders


def _open_case(day: _Day, customer: str) -> str | None:
    for row in _records(day.tasks):
        if row["customer_id"] == customer and row["state"] == "open" and row["case_id"]:
            return str(row["case_id"])
    return None


def _blocks(row: Row, terms: Terms, as_of: date) -> bool:
    """Whether a task stands in the way of another of its cause: it is open, or ended so lately that the cause cools."""
    if row["state"] == "open":
        return True
    kind = KINDS.get(row["kind"])
    days = terms.cooldown_days.get(row["cause"], kind.cooldown_days if kind else 0)
    ended = row["closed_at"]
    return ended is not None and as_of < ended.date() + timedelta(days=days)


# What a task is made of


def _task(one: _Wanted, day: _Day) -> dict[str, Any]:
    row, warned = day.rows.get(one.customer_id, _NO_ROWS), day.warnings.get(one.customer_id, _NO_ROWS)
    team = one.kind.team if one.kind.team != ROUTED else team_of(warned.get("dimension"))
    asked = {**row, "customer_id": one.customer_id}
    owner = day.terms.org.of_team(team, asked) if team != SALES else day.terms.org.owner_of(asked)
    told = [day.terms.org.role(role, asked) for role in one.kind.tells]
    starts = one.since if one.kind.code == "contact_changed" and one.since else day.as_of
    days = day.terms.greeting_days if one.kind.code == "contact_changed" else one.kind.due_days
    case = None
    if one.kind.code in (*CASE, "executive_visit"):
        case = _open_case(day, one.customer_id) or _key("case", one.customer_id, day.as_of)
    return {
        "task_id": _key("task", one.customer_id, one.kind.cause, day.as_of),
        "customer_id": one.customer_id,
        "episode_id": warned.get("episode_id"),
        "case_id": case,
        "kind": one.kind.code,
        "cause": one.kind.cause,
        "team": team,
        "owner": owner.name,
        "created_on": day.as_of,
        # What became known late has the day as its last.
        "due_on": max(day.as_of, starts + timedelta(days=days)),
        "facts": _facts(one, asked, [owner, *told], day),
        "checklist": list(one.kind.checklist if one.checklist is None else one.checklist),
        "needs": list(one.kind.needs),
        "state": "open",
    }


def _facts(one: _Wanted, row: Row, people: list[Person], day: _Day) -> dict[str, Any]:
    """What the task's page tells: the customer's name, what set it off and since when, who is told, what is missing."""
    named = {"customer_id": one.customer_id, "name": _text(row.get("name"))}
    months = [int(month) for month in _list(row.get("budget_months"))]
    soon = [month for month in months if day.as_of.month in (month, (month - 2) % 12 + 1)]
    facts: dict[str, Any] = {**named, **one.facts, "crossed_on": one.since or day.as_of}
    facts["recipients"] = list(dict.fromkeys(person.name for person in people if person.name))
    facts["missing"] = [person.missing for person in people if person.missing]
    if soon:
        facts["budget_months"] = soon
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in facts.items()}


def team_of(dimension: str | None) -> str:
    """The team that steps in: service where its own dimension speaks for the warning, else sales."""
    return SERVICE if dimension == "service" else SALES


def _key(*parts: object) -> str:
    """The same id for the same customer, cause and day, on whatever machine."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:20]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _of_kind(tasks: pd.DataFrame, code: str) -> list[dict[str, Any]]:
    return [row for row in _records(tasks) if row["kind"] == code]


def _date(value: Any) -> date | None:
    if value is None or value is pd.NaT or isinstance(value, float):
        return None
    return value.date() if isinstance(value, datetime) else value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _list(value: Any) -> list[Any]:
    return list(value) if hasattr(value, "__len__") and not isinstance(value, str) else []
