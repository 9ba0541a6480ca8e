"""Which tasks are due on a date, which have ended by themselves, and whose they are.

Everything here is a function of frames: the day's facts, the rules that fired, the warnings, what people entered and
changed, and the tasks that there are. A run of the same day again sets off nothing new; the run after a missed day
sets off what the missed one would have, and says on which day its threshold was crossed.
"""

import hashlib
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from serving.ledger import SYSTEM, Event
from serving.organisation import Person
from serving.rows import records
from serving.task_kinds import CASE, KINDS, ROUTED, SALES, SERVICE
from serving.task_triggers import NO_ROW, Day, Row, Terms, Wanted, contact_due, day_of, wanted

__all__ = ["COLUMNS", "Terms", "due_tasks", "ended_tasks", "events_of"]

#: What a row of :func:`due_tasks` holds: the columns of the table `task`.
COLUMNS = (
    "task_id", "customer_id", "episode_id", "case_id", "kind", "cause", "team", "owner", "created_on", "due_on",
    "facts", "checklist", "needs", "state",
)  # fmt: skip


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
    day = day_of(today, signals, episodes, entered, changes, tasks, terms, as_of)
    made: dict[tuple[str, str], dict[str, Any]] = {}
    asked = list(wanted(day))
    causes = {(one.customer_id, one.kind.cause) for one in asked}
    for one in asked:
        key = (one.customer_id, one.kind.cause)
        quiet = any((one.customer_id, louder) in causes for louder in one.kind.yields_to)
        if key not in day.taken and key not in made and not quiet:
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
    day = day_of(today, signals, episodes, entered, pd.DataFrame(), tasks, terms, as_of)
    rows = []
    for row in records(tasks):
        if row["state"] != "open" or row["kind"] not in KINDS or row["customer_id"] not in day.rows:
            continue
        customer, kind = row["customer_id"], KINDS[row["kind"]]
        gone = {
            "contact": not contact_due(day, customer),
            "rule": not any(rule in kind.rules for rule in day.rules.get(customer, [])),
            "episode": customer not in day.warnings,
        }
        if gone.get(kind.ends_with, False):
            rows.append((row["task_id"], customer, row["episode_id"], row["version"], kind.ends_with))
    return pd.DataFrame(rows, columns=["task_id", "customer_id", "episode_id", "version", "by"], dtype="object")


def events_of(due: pd.DataFrame, ended: pd.DataFrame, at: datetime) -> list[Event]:
    """The ledger's events of a day's tasks: first those that ended, then those to create; each happens once."""
    events = []
    for row in records(ended):
        payload = {"state": "done", "result": {"by": row["by"]}, "version": row["version"] + 1}
        events.append(Event("task_closed", SYSTEM, at, payload, row["customer_id"], row["episode_id"], row["task_id"]))
    for row in records(due):
        payload = {name: row[name] for name in COLUMNS if name not in ("task_id", "customer_id", "episode_id")}
        once = f"task:{row['customer_id']}:{row['cause']}:{row['created_on'].isoformat()}"
        events.append(
            Event("task_created", SYSTEM, at, payload, row["customer_id"], row["episode_id"], row["task_id"], once=once)
        )
    return events


# What a task is made of


def _task(one: Wanted, day: Day) -> dict[str, Any]:
    row, warned = day.rows.get(one.customer_id, NO_ROW), day.warnings.get(one.customer_id, NO_ROW)
    team = one.kind.team if one.kind.team != ROUTED else _routed(warned, one.customer_id, day)
    asked = {**row, "customer_id": one.customer_id}
    owner = day.terms.org.of_team(team, asked) if team != SALES else day.terms.org.owner_of(asked)
    told = [day.terms.org.role(role, asked) for role in one.kind.tells]
    starts = one.since if one.kind.code == "contact_changed" and one.since else day.as_of
    days = day.terms.greeting_days if one.kind.code == "contact_changed" else one.kind.due_days
    case = None
    if one.kind.code in (*CASE, "executive_visit"):
        case = day.cases.get(one.customer_id, (_key("case", one.customer_id, day.as_of),))[0]
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


def _facts(one: Wanted, row: Row, people: list[Person], day: Day) -> dict[str, Any]:
    """What the task's page tells: the customer's name, what set it off and since when, who is told, what is missing."""
    named = {"customer_id": one.customer_id, "name": row["name"] if isinstance(row.get("name"), str) else None}
    months = [int(month) for month in _list(row.get("budget_months"))]
    soon = [month for month in months if day.as_of.month in (month, (month - 2) % 12 + 1)]
    facts: dict[str, Any] = {**named, **one.facts, "crossed_on": one.since or day.as_of}
    facts["recipients"] = list(dict.fromkeys(person.name for person in people if person.name))
    facts["missing"] = [person.missing for person in people if person.missing]
    if soon:
        facts["budget_months"] = soon
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in facts.items()}


def _routed(warned: Row, customer: str, day: Day) -> str:
    """The team that steps in: that of the dimension that speaks for the warning, else that of the rules; else sales."""
    if warned.get("dimension"):
        return SERVICE if warned["dimension"] == "service" else SALES
    mine = day.rules.get(customer, [])
    return SERVICE if mine and all(day.terms.rule_teams.get(rule) == SERVICE for rule in mine) else SALES


def _key(*parts: object) -> str:
    """The same id for the same customer, cause and day, on whatever machine."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:20]


def _list(value: Any) -> list[Any]:
    return list(value) if hasattr(value, "__len__") and not isinstance(value, str) else []
