"""Small tables of a working day: facts, rules that fired, warnings, and a store that holds one warning."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd

from serving import ledger
from serving.ledger import SYSTEM, Event
from serving.loop_rows import frame
from serving.organisation import OrgChart
from serving.tasks import Terms, due_tasks, ended_tasks, events_of

DAY = date(2026, 3, 2)
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
ORG = OrgChart(
    managers={"kim": "mara"},
    regions={"north": "nora"},
    director="dora",
    top="tom",
    teams={"service": "sam", "product": "pat", "operations": "olga", "technical": "tess"},
    fallback="office",
)
TERMS = Terms(org=ORG)

EPISODES = ("episode_id", "customer_id", "opened_on", "opened_level", "level", "dimension", "owner", "arm", "closed_on")
TASKS = (
    "task_id", "customer_id", "episode_id", "case_id", "kind", "cause", "team", "owner", "created_on", "due_on",
    "facts", "checklist", "needs", "state", "snoozed_until", "result", "closed_at", "closed_by", "version",
)  # fmt: skip
CHANGES = ("customer_id", "field", "old", "new", "on", "edit")


def days(number):
    return timedelta(days=number)


def table(columns, *rows):
    return pd.DataFrame([tuple(row.get(name) for name in columns) for row in rows], columns=columns, dtype="object")


def customer(customer_id="ann", **facts):
    usual = {
        "customer_id": customer_id, "name": "Ann & Co", "owner": "kim", "manager": None, "region": "north", "rank": "B",
        "stage": "none", "days_since_last_contact": 5.0, "last_order_on": DAY - days(20), "order_cycle_days": 30.0,
        "first_order_on": DAY - days(900),
    }  # fmt: skip
    return {**usual, **facts}


def fired(rule, customer_id="ann", **evidence):
    return {"customer_id": customer_id, "rule": rule, "evidence": evidence}


def warning(level="yellow", customer_id="ann", **more):
    usual = {
        "episode_id": f"e-{customer_id}", "customer_id": customer_id, "opened_on": DAY, "opened_level": level,
        "level": level, "dimension": "transaction", "owner": "kim", "arm": "shown",
    }  # fmt: skip
    return {**usual, **more}


def due(customers=(), signals=(), warnings=(), entered=(), changes=(), tasks=None, terms=TERMS, as_of=DAY):
    """The tasks that are due on a day, from rows of each table."""
    return due_tasks(
        *_tables(customers, signals, warnings, entered), table(CHANGES, *changes), _kept(tasks), terms, as_of
    )


def ended(customers=(), signals=(), warnings=(), entered=(), tasks=None, terms=TERMS, as_of=DAY):
    return ended_tasks(*_tables(customers, signals, warnings, entered), _kept(tasks), terms, as_of)


def _tables(customers, signals, warnings, entered):
    return (
        pd.DataFrame(list(customers) or [customer()]),
        table(("customer_id", "rule", "evidence", "since"), *signals),
        table(EPISODES, *warnings),
        table(("customer_id", "last_contact_on"), *entered),
    )


def _kept(tasks):
    return table(TASKS) if tasks is None else tasks


def as_kept(made, **changes):
    """Tasks that were just made as the store would have them."""
    return table(TASKS, *({**row, "version": 1, **changes} for row in made.to_dict("records")))


def opened(store, level="yellow", customer_id="ann", day=DAY, owner="kim", **more):
    """A warning in the store; returns its id."""
    episode = f"e-{customer_id}-{day.isoformat()}"
    payload = {
        "opened_on": day, "opened_level": level, "level": level, "highest_level": level, "queue": "early",
        "stage": "cooling", "dimension": "transaction", "owner": owner, "priority": 900.0, "step": "raised",
        "step_since": NINE, "arm": "shown", "propensity": 1.0, **more,
    }  # fmt: skip
    put(store, Event("episode_opened", SYSTEM, NINE, payload, customer_id, episode))
    return episode


def put(store, *events):
    with store.writing() as connection:
        ledger.append(connection, events)


def run(store, customers, as_of=DAY, signals=(), changes=(), warnings=None, terms=TERMS):
    """A day's run as far as tasks go: what has ended is closed, what is due is created; returns what is due."""
    standing = frame(store, "episode") if warnings is None else table(EPISODES, *warnings)
    today, fired_ones, _, _ = _tables(customers, signals, (), ())
    entered = frame(store, "account_state")
    at = datetime.combine(as_of, NINE.timetz())
    gone = ended_tasks(today, fired_ones, standing, entered, frame(store, "task"), terms, as_of)
    put(store, *events_of(pd.DataFrame(), gone, at))
    made = due_tasks(today, fired_ones, standing, entered, table(CHANGES, *changes), frame(store, "task"), terms, as_of)
    put(store, *events_of(made, pd.DataFrame(), at))
    return made
