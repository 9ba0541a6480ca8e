"""A small company with two sales people whose figures are worked out by hand, for the tests of the team's pages."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from html.parser import HTMLParser
from typing import Any

import pandas as pd
from paged import Paged
from served import DAY, NINE

from serving.day_records import DayFrames
from serving.ledger import SYSTEM, Event, append
from serving.records import REASON_COLUMNS, SCORE_COLUMNS, ScoringRun
from serving.store import Store

MINUS = "\N{MINUS SIGN}"
Book = dict[str, tuple[Any, ...]]
#: Customer: owner, level, worth, days since the last contact and order, orders and revenue of the month and before.
BOOK: Book = {
    "A1": ("Ann", "red", 900.0, 29, 75, 4.0, 400.0, 4.0, 500.0),
    "A2": ("Ann", "orange", 300.0, 30, 10, 6.0, 600.0, 4.0, 300.0),
    "A3": ("Ann", "none", 50.0, 31, 10, 0.0, 0.0, 0.0, 0.0),
    "B1": ("Bob", "red", 700.0, 90, 80, 1.0, 10.0, 0.0, 0.0),
    "N1": (None, "yellow", 20.0, None, 20, 0.0, 0.0, 0.0, 0.0),
}
MONTHS = (
    "orders_month_to_date", "revenue_month_to_date", "orders_previous_month_to_date", "revenue_previous_month_to_date",
)  # fmt: skip
#: Ann made ten contacts in June, six with success and two in vain; Bob's of March is too long ago.
RESULTS = ["effective"] * 5 + ["high_value"] + ["unsuccessful"] * 2 + ["-"] * 2


def publish(store: Store, day: date, reports: Mapping[str, Any], book: Book) -> None:
    """Publish a day with the customers of a book."""
    scores, profiles = [], []
    for customer, (owner, level, worth, contact, silent, *months) in book.items():
        made = None if level == "none" else f"model:{level}"
        said = (customer, 0.5, 45.0, 0.4, 0.6, 0.9, 0.7, 0.5, 0.2, level, "eligible", "enough", "A", "percent")
        scores.append((*said, worth, worth / 2, 1.4, -1.0, "overdue", "cooling", made, None))
        facts = {
            "name": f"Name of {customer}", "rank": "A", "order_cycle_days": 30.0,
            "days_since_last_order": float(silent),
            "last_order_on": day - timedelta(days=silent), **dict(zip(MONTHS, months, strict=True)),
            "last_contact_on": None if contact is None else day - timedelta(days=contact),
        }  # fmt: skip
        profiles.append((customer, owner, facts))
    frames = DayFrames(pd.DataFrame(profiles, columns=["customer_id", "owner", "facts"]), reports=reports)
    store.publish(
        ScoringRun(f"run-{day}", day, "m1", f"f-{day}", NINE),
        pd.DataFrame(scores, columns=list(SCORE_COLUMNS)),
        pd.DataFrame([], columns=list(REASON_COLUMNS)),
        day=frames,
        clock=lambda: NINE,
    )


Team = Callable[..., Paged]


class Rows(HTMLParser):
    """The rows of all tables of a page: heading -> text, by what stands first in the row."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._cell: list[str] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self._cell = []
        elif tag == "span" and self._cell is not None:
            self._cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None:
            self.rows[-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)


def row_of(answer: Any, first: str) -> list[str]:
    """The cells after the one that a row begins with."""
    found = [row[1:] for row in Rows(answer.text).rows if row and row[0] == first]
    assert found, f"no row begins with {first!r}"
    return found[0]


def firsts(answer: Any) -> list[str]:
    return [row[0] for row in Rows(answer.text).rows]


def entered(paged: Paged, *made: Event) -> None:
    with paged.served.service.store.writing() as connection:
        append(connection, list(made))


def task(number: int, owner: str | None, due_on: date, customer: str = "A1") -> Event:
    told: dict[str, Any] = {
        "kind": "order_late", "cause": f"order_late:{number}", "team": "sales", "owner": owner, "created_on": DAY,
        "due_on": due_on, "facts": {"name": f"Name of {customer}"}, "checklist": [], "needs": [], "state": "open",
    }  # fmt: skip
    return Event("task_created", SYSTEM, NINE, told, customer, None, f"t{number}")


FOLLOWED: dict[str, Any] = {
    "n": 10, "recorded": 8, "share": 0.8, "within_days": 3,
    "people": [{"owner": "Ann", "expected": 10, "recorded": 8, "share": 0.8,
                "missing": [["A1", "2024-06-20"], ["A2", "2024-06-21"]]}],
}  # fmt: skip


REPORTS: dict[str, Any] = {
    "updates": {"n": 10, "contacts": 10, "updated": 7, "share": 0.7, "within_days": 1, "target": 0.8,
                "review": "review_input_fields"},
    "follow_ups": FOLLOWED,
    "stuck": {"n": 3, "steps": [
        {"step": "raised", "n": 2, "unowned": 1, "median_days": 4.5, "longest_days": 6.0, "warnings": [
            {"episode_id": "e1", "customer_id": "A1", "owner": "Ann", "days": 6, "unowned": False},
            {"episode_id": "e2", "customer_id": "N1", "owner": None, "days": 3, "unowned": True}]},
        {"step": "planned", "n": 1, "unowned": 0, "median_days": 1.0, "longest_days": 1.0, "warnings": [
            {"episode_id": "e3", "customer_id": "gone", "owner": "Bob", "days": 1, "unowned": False}]}]},
    "reviews_missing": {"n": 1, "after_days": 30, "losses": [
        {"customer_id": "B1", "owner": "Bob", "lost_on": "2024-05-01", "days": 61}]},
    "disagreements": {"n": 60, "people_see_more": 1, "accounts": [
        {"customer_id": "A3", "manual": "urgent", "engine": "low", "apart": 3, "author": "kim",
         "at": "2024-06-30T09:00:00+00:00"},
        {"customer_id": "B1", "manual": "low", "engine": "urgent", "apart": -3, "author": None, "at": None}]},
    "ratings_stale": {"n": 4, "stale": 1, "after_days": 365, "customers": [
        {"customer_id": "A2", "rated_on": "2023-01-01", "rating": 2.0, "days": 547}]},
}  # fmt: skip


def rate(hits: int, n: int, low: float, high: float) -> dict[str, Any]:
    return {"hits": hits, "n": n, "share": hits / n, "low": low, "high": high, "too_few": False}


FEW: dict[str, Any] = {"hits": 1, "n": 3, "share": None, "low": None, "high": None, "too_few": True}
EFFECT: dict[str, Any] = {
    "n": 300, "least_cases": 10, "untreated": rate(30, 100, 0.22, 0.4), "treated": rate(20, 150, 0.09, 0.2),
    "undetermined": 130, "shown": rate(45, 250, 0.14, 0.23), "holdout": rate(15, 50, 0.19, 0.44), "points": 0.12,
    "low": 0.01, "high": 0.23, "detectable": 0.15, "code": None,
    "saved": {"customers": 30.0, "low": 2.5, "high": 57.5, "code": None},
}  # fmt: skip
