"""A small company that is served: two owners, a published day, a warning and a task of each; a client per role."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
from fastapi import FastAPI
from starlette.testclient import TestClient

from features.errors import SettingsError
from pipelines.server import AccountFiles
from serving.access import create_token
from serving.api import PREFIX
from serving.api_visit import Service
from serving.day_records import HEALTH_COLUMNS, DayFrames
from serving.ledger import SYSTEM, Event, append
from serving.records import REASON_COLUMNS, SCORE_COLUMNS, ScoringRun
from serving.store import Store

DAY = date(2024, 7, 1)
NINE = datetime(2024, 7, 1, 9, tzinfo=UTC)
ROLES = {"viewer": None, "rep": "Ann", "manager": None, "admin": None}

ORDERS = """
customer_id order_id ordered_at amount product_line
K-AOKI      1        2024-02-17 1500   bolts
K-AOKI      2        2024-03-18 1500   bolts
K-AOKI      3        2024-04-17 1500   bolts
K-BOLT      5        2024-06-30 7      nuts
K/CORD      6        2024-06-29 9      nuts
"""
CUSTOMERS = """
customer_id name        industry  region rank owner segment
K-AOKI      Aoki_Works  machinery North  A    Ann   gold
K-BOLT      Bolt_[2]    food      South  C    Bob   -
K/CORD      Cord        food      South  C    -     -
"""
INTERACTIONS = """
customer_id interaction_id occurred_at channel direction owner text
K-AOKI      i1             2024-06-01  visit   outbound  Ann   about_drawings
K-BOLT      i2             2024-06-02  call    inbound   Bob   about_prices
"""
FACTS: dict[str, dict[str, Any]] = {
    "K-AOKI": {
        "name": "Aoki Works", "rank": "A", "region": "North", "industry": "machinery", "temperature": "warm",
        "risk": "low", "segment": "gold", "last_order_on": date(2024, 4, 17), "days_since_last_order": 75.0,
        "order_cycle_days": 30.0, "last_contact_on": date(2024, 6, 1),
    },
    "K-BOLT": {
        "name": "Bolt [2]", "rank": "C", "region": "South", "industry": "food", "temperature": "warm", "risk": "low",
        "segment": None, "last_order_on": date(2024, 6, 30), "days_since_last_order": 1.0, "order_cycle_days": 30.0,
        "last_contact_on": date(2024, 6, 2),
    },
    "K/CORD": {"name": "Cord", "rank": "C", "region": "South", "industry": "food", "last_order_on": date(2024, 6, 29)},
}  # fmt: skip
OWNERS = {"K-AOKI": "Ann", "K-BOLT": "Bob", "K/CORD": None}
#: Role, concept and sentence in codes of a reason.
TOLD = ("reason", "order_rhythm", '[{"message": "Silent {actual}.", "slots": {"actual": ["days", 75.0]}}]')


def scores() -> pd.DataFrame:
    rows = []
    for customer, level, worth in (("K-AOKI", "orange", 900.0), ("K-BOLT", "none", 20.0), ("K/CORD", "none", 10.0)):
        made = None if level == "none" else f"model:{level}"
        said = (customer, 0.5, 45.0, 0.4, 0.6, 0.9, 0.7, 0.5, 0.2, level, "eligible", "enough", "A", "percent")
        rows.append((*said, worth, 0.5 * worth, 1.4, -1.0, "overdue", "cooling", made, None))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def day() -> DayFrames:
    profiles = pd.DataFrame(
        [(customer, OWNERS[customer], facts) for customer, facts in FACTS.items()],
        columns=["customer_id", "owner", "facts"],
    )
    health = pd.DataFrame([("K-AOKI", *[60.0] * 6, 80.0, 25.0, "all five")], columns=list(HEALTH_COLUMNS))
    fired = {"days_since_last_order": 75.0, "order_cycle_days": 30.0}
    signals = pd.DataFrame(
        [("K-AOKI", "order_late", "yellow", fired)], columns=["customer_id", "rule", "level", "evidence"]
    )
    return DayFrames(profiles, health, signals, {"track_record": {"precision": 0.5, "n": 40}})


def warned(customer: str, owner: str) -> list[Event]:
    """A warning `e-<customer>` with a task `t-<customer>`, as a run opens them."""
    warning = {
        "opened_on": DAY, "opened_level": "orange", "level": "orange", "highest_level": "orange", "queue": "overdue",
        "stage": "cooling", "dimension": "transaction", "owner": owner, "priority": 900.0, "step": "raised",
        "step_since": NINE, "arm": "shown", "propensity": 1.0,
    }  # fmt: skip
    task = {
        "kind": "order_late", "cause": "order_late", "team": "sales", "owner": owner, "created_on": DAY,
        "due_on": DAY + timedelta(days=7), "facts": {"name": FACTS[customer]["name"]}, "checklist": ["call"],
        "needs": [], "state": "open",
    }  # fmt: skip
    return [
        Event("episode_opened", SYSTEM, NINE, warning, customer, f"e-{customer}"),
        Event("task_created", SYSTEM, NINE, task, customer, f"e-{customer}", f"t-{customer}"),
    ]


def fill(store: Store) -> None:
    """Publish the day, and open the warnings of both owners."""
    reason = ("K-AOKI", 1, "days_since_last_order", "transaction", 75.0, 30.0, None, 0.9, 0.1, "Silent 75 days.", *TOLD)
    store.publish(
        ScoringRun("run-1", DAY, "m1", "f1", NINE),
        scores(),
        pd.DataFrame([reason], columns=list(REASON_COLUMNS)),
        day=day(),
        clock=lambda: NINE,
    )
    with store.writing() as connection:
        append(connection, [*warned("K-AOKI", "Ann"), *warned("K-BOLT", "Bob")])


@dataclass
class Clock:
    """Stands still until somebody sets it."""

    now: datetime = NINE

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Served:
    """The service with a token of every role; `ann` and `bob` are reps."""

    app: FastAPI
    service: Service
    clock: Clock
    tokens: dict[str, str]
    client: TestClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = TestClient(self.app, base_url="http://localhost", raise_server_exceptions=True)

    def get(self, who: str, path: str, **parameters: Any) -> Any:
        return self.client.get(f"{PREFIX}{path}", headers=self.headers(who), params=parameters or None)

    def post(self, who: str, path: str, body: Any = None, key: str | None = None) -> Any:
        headers = {**self.headers(who), "Idempotency-Key": key or str(uuid4())}
        return self.client.post(f"{PREFIX}{path}", headers=headers, json=body)

    def headers(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}

    def events(self) -> int:
        """How many events there are."""
        return len(self.service.store.history())


def served_at(app: FastAPI, store: Store, events: Path, clock: Clock, **more: Any) -> Served:
    """A service of a store, with tokens, in an application that served another before."""
    service = app.state.service = Service.of(store, clock, UTC, AccountFiles(events), **more)
    people = {"viewer": ("viewer", None), "ann": ("rep", "Ann"), "bob": ("rep", "Bob"), "manager": ("manager", None)}
    tokens = {}
    with store.writing() as connection:
        for name, (role, owner) in {**people, "admin": ("admin", None)}.items():
            tokens[name] = create_token(connection, name, role, owner=owner, now=NINE, days=90)[1]
    return Served(app, service, clock, tokens)


def checked(value: Any) -> Any:
    """What may be a value of the setting of the tests: a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingsError(f"late_order_multiple: expected a number, found {value!r}.")
    return value
