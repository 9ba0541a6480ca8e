"""A company of chance that one store serves and another writes to, and everything made of its store anew."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pandas as pd

from features.contract import RISKS, TEMPERATURES
from serving import desk, loop
from serving.access import Caller, within
from serving.api_board import Board
from serving.api_data import (
    customers,
    four_lists,
    listed,
    material,
    profile_of,
    seen,
)
from serving.api_settings import terms_now
from serving.api_visit import Service, Visit
from serving.day_records import HEALTH_COLUMNS, DayFrames
from serving.ledger import SYSTEM, Event, append
from serving.list_register import Material
from serving.list_rows import NONE, Choice, Terms, as_records, current
from serving.list_settings import OF_LISTS, terms_with
from serving.list_views import listing
from serving.lists import LISTS, morning
from serving.records import LEVELS, REASON_COLUMNS, SCORE_COLUMNS, ScoringRun
from serving.rows import records
from serving.store import Store
from serving.workload import within_capacity

DAY = date(2024, 7, 17)
NINE = datetime(2024, 7, 17, 9, tzinfo=UTC)
OWNERS = ("Ann", "Bob", "Cho", None)
ADMIN, ANN, NOBODYS = Caller("a", "Admin", "admin"), Caller("r", "Ann", "rep", "Ann"), Caller("n", "New", "rep", "New")
TABLES = ("transactions", "interactions", "promotions", "quotes", "account_changes", "contracts")
COLUMNS = ("customer_id", "channel", "status", "result")
#: Much of what lists are made of, in the reach of their thresholds.
CUSTOMERS = 24


class Files:
    """The contacts of a company, and the tables that it has."""

    def __init__(self, tables: tuple[str, ...]) -> None:
        self.tables = tables
        days = [pd.Timestamp(2024, 7, 1 + number % 15, 10) for number in range(40)]
        self.records = pd.DataFrame(
            {
                "customer_id": [f"C{number % CUSTOMERS:02d}" for number in range(40)],
                "owner": [("Ann", "Bob")[number % 2] for number in range(40)],
                "occurred_at": pd.Series(days, dtype="datetime64[us]"),
                "result": [("effective", "unsuccessful", None)[number % 3] for number in range(40)],
                "logged_after_days": 1.0,
            }
        )  # fmt: skip

    def present(self) -> dict[str, tuple[str, ...]]:
        return dict.fromkeys(self.tables, COLUMNS)

    def contacts(self, _: date) -> pd.DataFrame:
        return self.records


class Book:
    """A company of chance with a store that serves and another that writes."""

    def __init__(self, path: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.served, self.writes = Store.open(f"sqlite:///{path}"), Store.open(f"sqlite:///{path}")
        self.now, self.day, self.runs, self.moves = NINE, DAY, 0, 0
        self.publish()
        tables = TABLES[: self.chance.choice((4, len(TABLES)))]
        self.service = Service.of(self.served, lambda: self.now, UTC, cast(Any, Files(tables)))

    def visit(self, caller: Caller) -> Visit:
        return Visit(self.service, caller, self.now, "")

    def back(self, most: int) -> date | None:
        return self.chance.choice((None, self.day - timedelta(days=self.chance.randrange(most))))

    def facts(self, number: int) -> dict[str, Any]:
        pick, number_of = self.chance.choice, self.chance.randrange
        silent = pick((None, float(number_of(1, 120)), float(number_of(1, 600))))
        signed = self.back(400)
        return {
            "name": f"Name {number % 7}", "rank": pick(("A", "B", "C", None)), "region": pick(("North", None)),
            "industry": pick(("tools", "food")), "manager": pick(("Max", None)), "segment": pick(("gold", 3, None)),
            "order_pattern": pick(("weekly", "monthly", "irregular", None)), "temperature": pick((*TEMPERATURES, None)),
            "risk": pick((*RISKS, None)), "days_since_last_order": silent, "order_cycle_days": pick((None, 7.0, 30.0)),
            "last_order_on": None if silent is None else self.day - timedelta(days=int(silent)),
            "first_order_on": self.back(60), "last_contact_on": self.back(60), "last_visit_on": self.back(60),
            "next_action_on": pick((None, self.day + timedelta(days=number_of(-9, 20)))),
            "next_action_text": pick((None, "call")), "last_file_change_on": self.back(60),
            "last_lost_quote_on": self.back(60), "longest_gap_ended_on": self.back(60),
            "longest_gap_ended_days": pick((None, 400.0, 65.0)), "amount_30d": pick((0.0, 50.0)),
            "amount_30d_before": pick((0.0, 900.0)), "orders_30d": pick((0.0, 1.0)),
            "orders_30d_before": pick((0.0, 9.0)), "orders_month_to_date": pick((None, 2.0)),
            "contracts": [{"signed_on": signed, "starts_on": signed, "ends_on": self.back(100)}] * number_of(3),
        }  # fmt: skip

    def publish(self) -> None:
        """Publish a day: the next one, or the same one again with other figures."""
        self.runs += 1
        pick, share = self.chance.choice, self.chance.random
        ids = [f"C{number:02d}" for number in range(CUSTOMERS) if number < 8 or share() < 0.9]
        scores, profiles, reasons, signals = [], [], [], []
        for number, customer in enumerate(ids):
            level, worth = pick(LEVELS), float(pick((0, 100, 100, 900)))
            said = (customer, 0.5, 45.0, 0.4, 0.6, 0.9, 0.7, 0.5, 0.2, level, "eligible", "enough", "A", "percent")
            made = None if level == "none" else f"model:{level}"
            scores.append((*said, worth, 0.5 * worth, 1.4, -1.0, "overdue", "cooling", made, None))
            profiles.append((customer, pick(OWNERS), self.facts(number)))
            for place in range(1, self.chance.randrange(5)):
                told = (
                    f"feature_{place}",
                    "transaction",
                    9.0,
                    3.0,
                    None,
                    share() - 0.2,
                    0.1,
                    "Said.",
                    "reason",
                    "c",
                    None,
                )
                reasons.append((customer, place, *told))
            if share() < 0.4:
                signals.append((customer, "order_late", "yellow", {"days_since_last_order": 75.0}))
        day = DayFrames(
            pd.DataFrame(profiles, columns=["customer_id", "owner", "facts"]),
            pd.DataFrame(columns=list(HEALTH_COLUMNS)),
            pd.DataFrame(signals, columns=["customer_id", "rule", "level", "evidence"]),
        )
        self.writes.publish(
            ScoringRun(f"run-{self.runs}", self.day, "m1", f"f{self.runs}", self.now),
            pd.DataFrame(scores, columns=list(SCORE_COLUMNS)),
            pd.DataFrame(reasons, columns=list(REASON_COLUMNS)),
            day=day,
            clock=lambda: self.now,
            supersede=True,
        )
        self.writing([event for one in self.chance.sample(ids, 8) for event in self.opened(one)])

    def opened(self, customer: str) -> Iterator[Event]:
        """A warning with a task, and a task of another kind, as a run opens them."""
        if not self.writes.episodes(is_open=True, customer_id=customer, limit=0).total:
            one = f"e-{self.runs}-{customer}"
            warning = {
                "opened_on": self.day - timedelta(days=self.runs % 3), "opened_level": "orange", "level": "orange",
                "highest_level": "orange", "owner": self.chance.choice(OWNERS), "step": "raised",
                "step_since": self.now, "arm": "shown", "propensity": 1.0,
            }  # fmt: skip
            yield Event("episode_opened", SYSTEM, self.now, warning, customer, one, once=f"{customer}{self.runs}")
        for kind in ("order_late", "call_back"):
            if kind not in set(self.writes.tasks(state="open", customer_id=customer).rows["kind"]):
                task = {
                    "kind": kind, "cause": kind, "team": "sales", "owner": self.chance.choice(OWNERS),
                    "created_on": self.day, "due_on": self.day + timedelta(days=self.chance.randrange(4)),
                    "facts": {"name": "x"}, "checklist": ["call"], "needs": [], "state": "open",
                }  # fmt: skip
                yield Event("task_created", SYSTEM, self.now, task, customer, None, f"t-{self.runs}-{customer}-{kind}")

    def writing(self, events: list[Event]) -> None:
        with self.writes.writing() as connection:
            append(connection, events)

    def move(self) -> str:
        """One thing that somebody does; return what."""
        self.moves += 1
        self.now += timedelta(minutes=1)
        what = self.chance.choice(list(MOVES))
        MOVES[what](self)
        return what

    def someone(self) -> str:
        return self.chance.choice(self.writes.profiles(self.day)["customer_id"].tolist())

    def someones_task(self) -> dict[str, Any]:
        return self.chance.choice(records(self.writes.tasks(state="open").rows))

    def update(self) -> None:
        pick = self.chance.choice
        loop.update_account(
            pick((self.served, self.writes)), self.someone(), temperature=pick(TEMPERATURES), risk=pick(RISKS),
            actor="Ann", at=self.now, today=self.day, contacted_on=self.back(20),
            next_action_on=pick((None, self.day + timedelta(days=self.chance.randrange(9)))),
            next_action_text=pick((None, "visit")),
        )  # fmt: skip

    def plan_nothing(self) -> None:
        loop.set_account(
            self.writes, self.someone(), {"next_action_on": None, "next_action_text": None}, actor="Bob", at=self.now
        )

    def review(self) -> None:
        self.writing([Event("account_reviewed", "Max", self.now, {}, self.someone())])

    def done(self) -> None:
        row = self.someones_task()
        loop.close_task(
            self.writes, row["task_id"], actor="Ann", at=self.now, version=row["version"], contacted_on=self.back(5)
        )

    def waived(self) -> None:
        row = self.someones_task()
        loop.waive_task(self.served, row["task_id"], reason="no", actor="Ann", at=self.now, version=row["version"])

    def asleep(self) -> None:
        row, until = self.someones_task(), self.day + timedelta(days=self.chance.randrange(1, 5))
        loop.snooze_task(
            self.writes, row["task_id"], until=until, actor="Bob", at=self.now, today=self.day, version=row["version"]
        )

    def hand_over(self) -> None:
        """A hand-over, at times by somebody who does not have the account."""
        customer = self.someone()
        owner = self.service.desk.look().company.profile.set_index("customer_id").loc[customer, "owner"]
        giver = owner if isinstance(owner, str) and self.chance.random() < 0.8 else "Dan"
        to = self.chance.choice([one for one in ("Ann", "Bob", "Cho", "New") if one != giver])
        brief = dict.fromkeys(loop.BRIEF)
        loop.hand_over(
            self.writes, customer, from_owner=giver, to_owner=to, on=self.day, brief=brief, actor="Max", at=self.now
        )

    def setting(self) -> None:
        name = self.chance.choice(list(OF_LISTS))
        value = self.chance.randrange(7) if name.endswith("week_ends") else self.chance.randrange(1, 60)
        self.writing([Event("setting_changed", "Admin", self.now, {"name": name, "value": value})])

    def more(self) -> None:
        self.writing(list(self.opened(self.someone())))

    def next_day(self) -> None:
        self.now += timedelta(days=1)
        self.day += timedelta(days=1)
        self.publish()

    def exported(self) -> None:
        self.writing([Event("export_made", "Ann", self.now, {"list": "red", "format": "csv", "rows": 1})])

    def close(self) -> None:
        self.served.close()
        self.writes.close()


MOVES: dict[str, Callable[[Book], None]] = {
    "update": Book.update, "update again": Book.update, "plan nothing": Book.plan_nothing, "review": Book.review,
    "done": Book.done, "waived": Book.waived, "asleep": Book.asleep, "hand over": Book.hand_over,
    "setting": Book.setting, "more": Book.more, "next day": Book.next_day, "superseded": Book.publish,
    "exported": Book.exported,
}  # fmt: skip


class Anew:
    """Everything made of the store anew, as if nothing were kept."""

    def __init__(self, book: Book, caller: Caller) -> None:
        store = book.served
        self.store, self.caller, self.book = store, caller, book
        self.day = Board(store).newest()
        told = [one.event for one in store.history(kinds=["owner_changed"])]
        self.everybody = handed_one_by_one(self.day.profile, told)
        self.profile = within(self.everybody, caller)
        self.terms = terms_with(Terms(), store.settings())
        self.entered = store.account_states()

    def tasks(self) -> pd.DataFrame:
        rows = self.store.tasks(state="open").rows
        own = rows["customer_id"].isin(self.profile["customer_id"]) | (rows["owner"] == self.caller.scope)
        return rows if self.caller.scope is None else rows[own].reset_index(drop=True)

    def material(self) -> Material:
        accounts = self.book.service.accounts
        contacts = accounts.contacts(self.day.as_of)
        return Material(
            self.profile, self.day.as_of, accounts.present(), self.entered, self.day.reasons, self.tasks(),
            self.day.signals[self.day.signals["customer_id"].isin(self.profile["customer_id"])],
            contacts[contacts["customer_id"].isin(self.profile["customer_id"])], terms=self.terms,
        )  # fmt: skip

    def morning(self, choice: Choice) -> Any:
        given = self.material()
        return morning(
            given.profile, given.entered, given.as_of, reasons=given.reasons, tasks=given.tasks, terms=given.terms,
            choice=choice,
        )  # fmt: skip

    def room(self, most: int) -> Any:
        red = morning(self.everybody, self.entered, self.day.as_of, terms=self.terms).lists["red"]["customer_id"]
        tasks = self.store.tasks(state="open", awake_on=self.book.day).rows
        return within_capacity(tasks, most, list(red))


def handed_one_by_one(profile: pd.DataFrame, told: list[Event]) -> pd.DataFrame:
    """Owners of today, each hand-over asked of the whole profile."""
    for event in told:
        moved = (profile["customer_id"] == event.customer_id) & (profile["owner"] == event.payload["from_owner"])
        profile = profile.assign(owner=profile["owner"].mask(moved, event.payload["to_owner"]))
    return profile


def same(kept: pd.DataFrame, anew: pd.DataFrame) -> None:
    """The same rows in the same order, as they are told."""
    assert list(kept.columns) == list(anew.columns)
    assert as_records(kept) == as_records(anew)


def choices(chance: random.Random) -> Choice:
    some = (
        Choice(), Choice(owner="Ann"), Choice(owner=NONE), Choice(level="red"), Choice(rank="a", region=NONE),
        Choice(search="name 3"), Choice(search="c1", industry="food"), Choice(fields={"segment": "3"}),
        Choice(fields={"stated_risk": "urgent"}), Choice(owner="nobody at all"),
    )  # fmt: skip
    return chance.choice(some)


def compare(book: Book, names: list[str], caller: Caller) -> None:
    visit, anew, choice = book.visit(caller), Anew(book, caller), choices(book.chance)
    day, profile = profile_of(visit)
    same(profile, anew.profile)
    assert day.published.run.run_id == anew.day.published.run.run_id
    same(customers(visit, profile, day), current(anew.profile, anew.entered, day.as_of))
    assert terms_now(book.service) == anew.terms
    kept, made = four_lists(visit, choice), anew.morning(choice)
    assert (kept.as_of, kept.week_ends_on, kept.quarter) == (made.as_of, made.week_ends_on, made.quarter)
    same(kept.tasks, made.tasks)
    for name in LISTS:
        same(kept.lists[name], made.lists[name])
    for name in names:
        one, other = listed(visit, name, choice), listing(name, anew.material(), choice)
        assert (one.source_absent, one.columns_absent) == (other.source_absent, other.columns_absent)
        same(one.rows, other.rows)
    given = material(visit).tasks
    assert given is not None
    same(given, anew.tasks())
    same(book.service.desk.look().rows(desk.WARNINGS), book.served.episodes(is_open=True).rows)
    same(seen(visit, book.served.outcomes()), book.served.outcomes().head(0))
