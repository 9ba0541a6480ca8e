"""The team: figures against those worked out by hand, whose they are, and what stands empty."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pandas as pd
import pytest
from paged import Paged, words_of
from served import DAY, NINE
from teams import BOOK, EFFECT, FEW, FOLLOWED, REPORTS, Rows, Team, entered, firsts, rate, row_of, task

from serving.day_records import DayFrames
from serving.ledger import SYSTEM, Event
from serving.pages.view import DASH
from serving.records import REASON_COLUMNS, SCORE_COLUMNS, ScoringRun
from serving.words.speech import LANGUAGES

pytest_plugins = ["served_company", "team_company"]

TABS = ("", "/risks", "/restarted", "/contacts", "/follow-up", "/worked")
PAGES = (*(f"/manager{tab}" for tab in TABS), "/manager/people/Ann", "/meeting")


def test_lv_02_lv_03_lv_04_lv_24_one_row_of_each_sales_person_has_the_figures_worked_out_by_hand(team: Team) -> None:
    page = team(reports={"follow_ups": FOLLOWED}).get("manager", "/manager")
    assert page.status_code == 200
    # customers, silent (of 29, 30 and 31 days two), at risk, red, orange, tasks, follow-ups, rates, orders
    ann = ["3", "2", "2", "1", "1", "0", "0", "0", "80% 8 of 10", "60%", "20%", "10 +25%", "1,000 +25%", "Today"]
    assert row_of(page, "Ann") == ann
    bob = ["1", "1", "1", "1", "0", "0", "0", "0", DASH, DASH, DASH, "1", "10", "Today"]
    assert row_of(page, "Bob") == bob
    assert row_of(page, "Nobody")[:5] == ["1", "0", "0", "0", "0"], "an unknown contact is no silence"
    assert row_of(page, "All")[:5] == ["5", "3", "3", "2", "1"]
    assert row_of(page, "All")[8:13] == ["80% 8 of 10", "60%", "20%", "11 +38%", "1,010 +26%"]
    words = words_of(page)
    assert "Unsuccessful contacts as a share of all contacts" in words
    assert "Effective contacts and those of high value as a share of all contacts" in words
    assert "from Jun 1, 2024 to Jun 30, 2024" in words
    assert 'href="/manager/people/Ann"' in page.text
    assert 'href="/?owner=Ann"' in page.text


def test_tasks_are_counted_with_those_overdue_and_beyond_the_day(team: Team) -> None:
    paged = team()
    limit = paged.served.service.limits.most_per_person
    late, today = DAY - timedelta(days=1), DAY
    mine = [task(n, "Ann", late if n < 3 else today, "A3") for n in range(limit + 2)]
    entered(paged, *mine, task(90, "Bob", today, "B1"), task(91, None, late, "N1"))
    page = paged.get("manager", "/manager")
    assert row_of(page, "Ann")[5:8] == [str(limit + 2), "3", "2"]
    assert row_of(page, "Bob")[5:8] == ["1", "0", "0"]
    assert row_of(page, "Nobody")[5:8] == ["1", "1", "0"]
    assert row_of(page, "All")[5:8] == [str(limit + 4), "4", "2"]
    assert f"{limit + 2} open, 3 of them overdue, 2 beyond" in words_of(paged.get("manager", "/manager/people/Ann"))


def test_lv_04_every_account_at_high_or_urgent_risk_stands_under_exactly_one_owner(team: Team) -> None:
    paged = team()
    told = {"temperature": "warm", "risk": "urgent"}
    assert paged.served.post("manager", "/customers/N1/update", told).status_code == 200
    page = paged.get("manager", "/manager/risks")
    assert [first for first in firsts(page) if first.startswith("Name")] == [
        "Name of N1 N1", "Name of A1 A1", "Name of A2 A2", "Name of B1 B1"
    ]  # fmt: skip
    assert row_of(page, "Name of N1 N1")[:2] == ["Urgent", "Urgent"]
    assert row_of(page, "Name of A2 A2")[-1] == "Ann"
    mine = firsts(paged.get("manager", "/manager/risks?owner=Ann"))
    assert [first for first in mine if first.startswith("Name")] == ["Name of A1 A1", "Name of A2 A2"]
    assert "Nobody is at high or urgent risk here." in words_of(paged.get("manager", "/manager/risks?owner=Zoe"))


def test_long_lists_come_in_parts(team: Team) -> None:
    book = {f"C{n:03}": ("Ann", "red", float(n), 5, 100, 0.0, 0.0, 0.0, 0.0) for n in range(120)}
    paged = team(book)
    for path, most in (("/manager/risks", 50), ("/meeting", 40)):
        seen: set[str] = set()
        for page in range(1, -(-120 // most) + 1):
            answer = paged.get("manager", f"{path}?page={page}")
            names = {f"C{n:03}" for n in range(120) if f"/customers/C{n:03}" in answer.text}
            assert len(names) == min(most, 120 - most * (page - 1)), (path, page)
            assert not names & seen
            assert len(answer.content) < 60_000
            seen |= names
        assert paged.get("manager", f"{path}?page=999").status_code == 200


def test_lv_05_who_orders_again_stands_with_what_is_recorded_of_it(team: Team) -> None:
    paged = team()
    store = paged.served.service.store
    facts = {
        "longest_gap_ended_on": DAY - timedelta(days=3), "longest_gap_ended_days": 200.0,
        "longest_gap_ended_amount": 750.0, "order_cycle_days": 30.0, "name": "Name of A1",
    }  # fmt: skip
    profile = pd.DataFrame([("A1", "Ann", facts)], columns=["customer_id", "owner", "facts"])
    next_day = DAY + timedelta(days=1)
    said = ("A1", 0.5, 45.0, 0.4, 0.6, 0.9, 0.7, 0.5, 0.2, "none", "eligible", "enough", "A", "percent")
    scores = pd.DataFrame([(*said, 9.0, 4.5, 1.4, -1.0, "overdue", "cooling", None, None)], columns=list(SCORE_COLUMNS))
    store.publish(
        ScoringRun("run-2", next_day, "m1", "f2", NINE), scores, pd.DataFrame([], columns=list(REASON_COLUMNS)),
        day=DayFrames(profile), clock=lambda: NINE,
    )  # fmt: skip
    bare = paged.get("manager", "/manager/restarted")
    assert row_of(bare, "Name of A1 A1") == ["Ann", "Dormant", "Jun 28, 2024", "200 days", "750", *[DASH] * 4]
    warning = {
        "opened_on": DAY, "opened_level": "red", "level": "red", "highest_level": "red", "queue": "overdue",
        "stage": "cooling", "dimension": "transaction", "owner": "Ann", "priority": 9.0, "step": "raised",
        "step_since": NINE, "arm": "shown", "propensity": 1.0,
    }  # fmt: skip
    record = {
        "state": "final", "detected_level": "red", "days_stopped": 200.0, "first_order_amount": 750.0,
        "result": "restarted", "recorded_on": next_day, "approach": "visit", "why": "competitor", "version": 1,
    }  # fmt: skip
    entered(
        paged,
        Event("episode_opened", SYSTEM, NINE, warning, "A1", "e1"),
        Event("outcome_recorded", "kim", NINE, record, "A1", "e1"),
    )
    told = paged.get("manager", "/manager/restarted")
    assert row_of(told, "Name of A1 A1")[5:] == ["◆ Red", "Visit", "A competitor", "Final"]
    assert "Ordered again this month: 1; for 1 of them it is recorded" in words_of(told)


def test_lv_23_the_contacts_of_a_person_stand_by_day_and_sum_to_all(team: Team) -> None:
    paged = team()
    page = paged.get("manager", "/manager/people/Ann")
    days = [row for row in Rows(page.text).rows if row and row[0].startswith("Jun ") and row[1:3] == ["1", "1"]]
    assert len(days) == 10
    assert sum(int(row[2]) for row in days) == 10
    assert "Contacts in the year before: 10." in words_of(page)
    months = row_of(page, "Jun 2024")
    assert months[:4] == ["10", "10", "60%", "20%"]
    everybody = paged.get("manager", "/manager/contacts")
    weeks = [row for row in Rows(everybody.text).rows if len(row) == 5 and row[0] != "Week from"]
    assert len(weeks) == 13
    assert sum(int(row[1]) for row in weeks) == 10, "Bob's contact lies before the weeks that are shown"
    assert row_of(everybody, "Bob")[2] == "1"


def test_cl_01_cl_10_cl_12_what_waits_and_what_is_missing_is_told_in_words(team: Team) -> None:
    paged = team(reports=REPORTS)
    page = paged.get("manager", "/manager/follow-up")
    words = words_of(page)
    for said in (
        "7 of 10 contacts of the last month were followed by an update within 1 day.",
        "The form is to be looked at, not the people", "70% of 80%",
        "8 of 10 contacts that were due in the last month were recorded within 3 days.",
        "Name of A1 (Jun 20, 2024)", "Losses without a cause for more than 30 days: 1.",
        "Customers: 60; on 1 of them people see more risk than the engine.", "2 of 60 stand here.",
        "Of 4 customers with a rating, that of 1 is older than 365 days",
    ):  # fmt: skip
        assert said in words, said
    assert row_of(page, "Raised")[:4] == ["2", "1", "5", "6"]
    assert row_of(page, "Name of B1 B1") == ["Bob", "May 1, 2024", "61"]
    [risk, engine, author] = row_of(page, "Name of A3 A3")
    assert (risk, engine) == ("Urgent", "Low risk")
    assert author.startswith("kim 6/30/24, 9:00")
    for code in ("review_input_fields", "in_progress", "people_see_more"):
        assert code not in page.text
    assert "gone" in words, "a customer of another day is named by its number"
    assert 'href="/customers/gone"' not in page.text
    assert "Name of A1" in words_of(paged.get("manager", "/manager/people/Ann"))
    for locale in ("ja", "zh"):
        told = words_of(paged.get("manager", "/manager/follow-up", locale))
        assert "The form is to be looked at" not in told
        assert "Name of A1" in told


@pytest.mark.parametrize("locale", LANGUAGES)
def test_of_many_follow_ups_without_a_record_some_are_named(team: Team, locale: str) -> None:
    missing = [["A1", f"2024-06-{day}"] for day in range(10, 14)]
    person = {"owner": "Ann", "expected": 10, "recorded": 6, "share": 0.6, "missing": missing}
    told = {**FOLLOWED, "recorded": 6, "share": 0.6, "people": [person]}
    words = words_of(team(reports={"follow_ups": told}).get("manager", "/manager/follow-up", locale))
    assert words.count("Name of A1") == 3
    assert ("and 1 more" in words) == (locale == "en")


def test_cl_03_what_worked_has_intervals_and_says_what_is_only_observed(team: Team) -> None:
    acting = {"n": 60, "within_days": 14, "one": rate(28, 40, 0.55, 0.82), "other": rate(8, 20, 0.22, 0.61),
              "points": 0.3, "relative": 0.75, "basis": "observational"}  # fmt: skip
    visiting = {**acting, "n": 6, "within_days": 21, "one": FEW, "other": FEW, "points": None, "relative": None}
    page = team(reports={"acting_in_time": acting, "visiting_in_time": visiting, "effect": EFFECT}).get(
        "manager", "/manager/worked"
    )
    words = words_of(page)
    assert row_of(page, "Acted within 14 days") == ["40", "28", "70% (55% to 82%)"]
    assert row_of(page, "Visited within 21 days") == ["3", "1", "too few to tell"]
    for said in (
        "The share is 30 percentage points higher in the first group.", "who is in which group is no accident",
        "the smaller group has 3, and from 10 on there is a comparison", "12 percentage points fewer ended in a loss",
        "Customers kept by it: 30 (95% interval 2.5 to 57.5).", "No case has come to its end yet.",
    ):  # fmt: skip
        assert said in words, said


def test_no_number_of_customers_kept_is_given_without_a_comparison(team: Team) -> None:
    nothing = {**EFFECT, "points": None, "low": None, "high": None, "detectable": None, "code": "no_comparison",
               "saved": {"customers": None, "low": None, "high": None, "code": "no_comparison"}}  # fmt: skip
    words = words_of(team(reports={"effect": nothing}).get("manager", "/manager/worked"))
    assert "No warning is left alone by lot" in words
    assert "Customers kept by it" not in words


# Whose they are, in what language, and what stands empty


@pytest.mark.parametrize("path", [*PAGES, "/manager/people/Zoe"])
def test_a_rep_sees_none_of_it_and_whoever_may_look_does(team: Team, path: str) -> None:
    paged = team(reports=REPORTS)
    refused = paged.get("rep", path)
    assert refused.status_code == 403
    assert "Bob" not in words_of(refused)
    assert paged.get("", path).status_code == 303
    for who in ("viewer", "manager", "admin"):
        assert paged.get(who, path).status_code == (404 if path.endswith("Zoe") else 200)
    assert "/manager" not in paged.get("rep", "/").text


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("locale", LANGUAGES)
def test_the_pages_are_in_the_readers_language(team: Team, path: str, locale: str) -> None:
    page = team(reports={**REPORTS, "effect": EFFECT}).get("manager", path, locale)
    assert page.status_code == 200
    assert f'<html lang="{locale}">' in page.text
    said = {"en": ("Team", "Weekly meeting"), "ja": ("チーム", "週次会議"), "zh": ("团队", "周会")}[locale]
    assert said[path == "/meeting"] in words_of(page)
    assert len(page.content) < 60_000


@pytest.mark.parametrize("name", ["Ann/Bob", 'Kim "K" <b>x</b>', "50% & more?", "山田 太郎", "(none)"])
def test_a_person_of_any_name_has_a_page(team: Team, name: str) -> None:
    owner = None if name == "(none)" else name
    book = {"A1": (owner, *BOOK["A1"][1:]), "B1": BOOK["B1"]}
    paged = team(book, {"follow_ups": {**FOLLOWED, "people": [{**FOLLOWED["people"][0], "owner": name}]}})
    shown = "Nobody" if owner is None else name
    people, sheet = paged.get("manager", "/manager"), paged.get("manager", "/meeting")
    address = f"/manager/people/{quote(name, safe='')}"
    for page in (people, sheet):
        assert f'href="{address}"' in page.text
        assert "<b>x</b>" not in page.text
    person = paged.get("manager", address)
    assert person.status_code == 200
    assert shown in words_of(person)
    assert "Name of A1" in words_of(person)
    assert "Name of B1" not in words_of(person)
    assert "<b>x</b>" not in person.text
    assert "Name of A1" in words_of(paged.get("manager", f"/meeting?owner={quote(name, safe='')}"))
    assert "Name of A1" in words_of(paged.get("manager", f"/manager/risks?owner={quote(name, safe='')}"))


@pytest.mark.parametrize("path", PAGES)
def test_a_company_of_which_little_is_known_has_pages_that_say_so(team: Team, path: str) -> None:
    paged = team({"N1": (None, "none", 5.0, None, 5, None, None, None, None)}, orders_alone=True)
    page = paged.get("manager", path)
    assert page.status_code == (404 if path == "/manager/people/Ann" else 200)
    said = {
        "/manager": "There is no interactions in your files",
        "/manager/risks": "Nobody is at high or urgent risk here.",
        "/manager/restarted": "Nobody ordered again this month",
        "/manager/contacts": "No contact of the last year is known. Add the table interactions to your files",
        "/manager/follow-up": "The newest day tells nothing of what the team did.",
        "/manager/worked": "No case has come to its end yet.",
        "/manager/people/Ann": "There is no sales person of that name",
        "/meeting": "Nobody is on the red list today.",
    }[path]
    assert said in words_of(page)
    if path == "/manager":
        assert row_of(page, "Nobody") == ["1", DASH, "0", "0", "0", "0", "0", "0", *[DASH] * 5, "Today"]
        person = words_of(paged.get("manager", "/manager/people/(none)"))
        assert "There are no contacts in your files, so nobody knows who is without one." in person


def test_before_anything_is_published_there_is_the_first_page(team: Team) -> None:
    answer = team(None).get("manager", "/manager")
    assert answer.status_code == 200
    assert "Nothing to show yet" in words_of(answer)


def test_a_day_is_the_same_for_everybody_until_something_is_entered(team: Team) -> None:
    paged = team()
    first = paged.get("manager", "/manager")
    assert row_of(first, "Ann")[2] == row_of(paged.get("viewer", "/manager"), "Ann")[2] == "2"
    told = {"temperature": "warm", "risk": "high"}
    assert paged.served.post("manager", "/customers/A3/update", told).status_code == 200
    assert row_of(paged.get("manager", "/manager"), "Ann")[2] == "3"


@contextmanager
def moment(paged: Paged, now: datetime) -> Iterator[None]:
    before, paged.served.clock.now = paged.served.clock.now, now
    yield
    paged.served.clock.now = before


def test_tasks_become_overdue_as_days_pass(team: Team) -> None:
    paged = team()
    entered(paged, task(1, "Ann", DAY))
    assert row_of(paged.get("manager", "/manager"), "Ann")[6] == "0"
    with moment(paged, datetime(2024, 7, 2, 9, tzinfo=UTC)):
        assert row_of(paged.get("manager", "/manager"), "Ann")[6] == "1"
