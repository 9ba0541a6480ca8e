"""How much people are shown and what they may put off: tasks of a person, days asleep, cases of a play."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from served import DAY, NINE, Served, warned

from pipelines.loop_sections import Outcomes, Tasks
from pipelines.notify import notify
from pipelines.server import service_at
from pipelines.settings import Settings
from serving.api_visit import Limits
from serving.ledger import SYSTEM, Event, append
from serving.store import Store

pytest_plugins = ["served_company"]


def add(store: Store, n: int, word: str = "bob", customer: str = "K-BOLT", **more: Any) -> None:
    """Give Bob so many tasks, `word-01` due on the next day; `more` are further values of each."""
    kind = {"kind": "order_late", "team": "sales", "checklist": [], "needs": [], "state": "open", "facts": {}}
    with store.writing() as connection:
        for place in range(1, n + 1):
            name = f"{word}-{place:02d}"
            due = {"owner": "Bob", "created_on": DAY, "due_on": DAY + timedelta(days=place), "cause": name}
            append(connection, [Event("task_created", SYSTEM, NINE, {**kind, **due, **more}, customer, None, name)])


def shown(served: Served, who: str = "bob", **parameters: Any) -> tuple[list[str], int]:
    told = served.get(who, "/tasks", limit=200, **parameters).json()
    assert told["total"] == len(told["items"])
    return [row["task_id"] for row in told["items"]], told["not_shown"]


@pytest.mark.parametrize(("n", "not_shown"), [(14, 0), (15, 0), (16, 1)])
def test_one_person_is_shown_so_many_tasks_and_told_how_many_are_left(served: Served, n: int, not_shown: int) -> None:
    add(served.service.store, n - 1)  # with the one that Bob has already, due on the seventh day
    found, left = shown(served)
    assert (len(found), left) == (n - not_shown, not_shown)
    days = [served.get("bob", f"/tasks/{name}").json()["due_on"] for name in found]
    assert days == sorted(days)
    assert not not_shown or "bob-15" not in found, "the last one due is left"
    for who in ("bob", "admin"):
        whole, left = shown(served, who, owner="Bob", all=True)
        assert (len(whole), left) == (n, 0)


def test_what_does_not_fit_does_not_come_up_by_a_filter_and_is_counted_there(served: Served) -> None:
    add(served.service.store, 16)
    assert len(shown(served, "admin", owner="Bob")[0]) == 15
    assert shown(served, "admin")[1] == 2
    late = shown(served, kind="order_late", customer_id="K-BOLT")
    assert (len(late[0]), late[1]) == (15, 2)
    assert shown(served, due_until=str(DAY + timedelta(days=2))) == (["bob-01", "bob-02"], 0)


def test_a_task_of_a_red_list_customer_is_shown_beyond_the_limit(served: Served) -> None:
    store = served.service.store
    add(store, 15)
    last = DAY + timedelta(days=90)
    add(store, 1, "red", "K-AOKI", due_on=last)
    found, left = shown(served)
    assert "red-01" in found, "though the account is Ann's, which Bob does not see, and the task is the last one due"
    assert (len(found), left) == (15, 2)
    add(store, 16, "more", "K-AOKI", due_on=last)
    found, left = shown(served)
    assert ({name.split("-")[0] for name in found}, len(found), left) == ({"red", "more"}, 17, 16)


def test_tasks_that_sleep_take_no_room(served: Served) -> None:
    store = served.service.store
    add(store, 14)
    add(store, 3, "nap", snoozed_until=DAY + timedelta(days=2))
    assert [(len(found), left) for found, left in (shown(served), shown(served, asleep=True))] == [(15, 0), (18, 0)]
    served.clock.now = NINE + timedelta(days=2)
    assert (len(shown(served)[0]), shown(served)[1]) == (15, 3)


@pytest.mark.parametrize(("days", "status"), [(6, 200), (7, 200), (8, 422)])
def test_a_task_sleeps_no_longer_than_is_set(served: Served, days: int, status: int) -> None:
    served.app.state.service = replace(served.service, limits=Limits(most_days_asleep=7))
    until = DAY + timedelta(days=days)
    answer = served.post("ann", "/tasks/t-K-AOKI/snooze", {"version": 1, "until": str(until)})
    assert answer.status_code == status
    if status == 422:
        said = answer.json()["error"]
        assert said["message"] == "A task sleeps for at most 7 days, until 2024-07-08."
        assert said["details"] == [{"where": "body.until", "problem": "it is after 2024-07-08"}]
        assert served.get("ann", "/tasks/t-K-AOKI").json()["version"] == 1, "nothing is written"


def test_a_longer_sleep_than_usual_may_be_set(served: Served) -> None:
    served.app.state.service = replace(served.service, limits=Limits(most_days_asleep=45))
    until = {"version": 1, "until": str(DAY + timedelta(days=45))}
    assert served.post("ann", "/tasks/t-K-AOKI/snooze", until).status_code == 200


def ended_well(store: Store, place: int, play: str = "visit") -> None:
    """A warning of years ago for which a play was planned, and that ended well."""
    episode, on = f"past-{place}", date(2020, 1, 1) + timedelta(days=place)
    opened, _ = warned("K-BOLT", "Bob")
    past = {**opened.payload, "opened_on": on, "closed_on": on, "close_reason": "restarted"}
    planned = {"step": "planned", "plays": [play], "version": 2}
    ended = {
        "state": "final", "detected_level": "orange", "approach": "visit", "why": "budget", "result": "restarted",
        "recorded_on": on, "version": 1,
    }  # fmt: skip
    with store.writing() as connection:
        for kind, payload in (("episode_opened", past), ("step_moved", planned), ("outcome_recorded", ended)):
            append(connection, [Event(kind, "Bob", NINE, payload, "K-BOLT", episode)])


@pytest.mark.parametrize(("n", "play", "by"), [
    (2, "inventory_plan", "mapping"), (3, "visit", "record"), (4, "visit", "record"),
])  # fmt: skip
def test_own_success_ranks_a_play_from_so_many_cases_on(served: Served, n: int, play: str, by: str) -> None:
    served.app.state.service = replace(served.service, limits=Limits(least_cases_of_a_play=3))
    for place in range(n):
        ended_well(served.service.store, place)
    (first,) = served.get("ann", "/episodes/e-K-AOKI/plays").json()["items"]
    assert (first["play"], first["by"]) == (play, by)


# From the settings


@pytest.fixture
def out(published: Path, tmp_path: Path) -> Path:
    """What `kizashi score` left, of the test's own, with four more tasks of Bob's."""
    place = tmp_path / "var"
    place.mkdir()
    (place / "events").symlink_to(published / "events")
    (place / "kizashi.db").write_bytes((published / "kizashi.db").read_bytes())
    with Store.open(f"sqlite:///{place / 'kizashi.db'}") as store:
        add(store, 4)
        add(store, 1, "nap", snoozed_until=DAY + timedelta(days=1))
    return place


FEW = Settings(tasks=Tasks(most_per_person=2, most_days_asleep=9), outcomes=Outcomes(least_cases_of_a_play=7))


def test_the_service_has_the_limits_of_the_settings(out: Path) -> None:
    with service_at(Settings(), out, lambda: NINE) as service:
        assert service.limits == Limits() == Limits(15, 30, 5)
    with service_at(FEW, out, lambda: NINE) as service:
        assert service.limits == Limits(2, 9, 7)


def test_wf_12_a_digest_has_as_many_tasks_as_fit_and_says_how_many_more_there_are(out: Path, tmp_path: Path) -> None:
    notify(FEW, out, tmp_path / "sink", clock=lambda: NINE)
    (file,) = (tmp_path / "sink").glob("*Bob*")
    told = json.loads(file.read_text(encoding="utf-8"))
    section = told["payload"]["sections"][2]
    assert ([row["due_on"] for row in section["rows"]], section["not_shown"]) == (["2024-07-02", "2024-07-03"], 2)
    assert told["words"]["lines"][-4:] == [
        "Tasks of today and this week: 2",
        "  [To check] K-BOLT's order is late, due 2024-07-02",
        "  [To check] K-BOLT's order is late, due 2024-07-03",
        "  2 more tasks are not shown",
    ]


def test_a_day_filled_by_what_is_more_urgent_says_what_is_due_and_not_shown(out: Path, tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{out / 'kizashi.db'}") as store:
        add(store, 2, "late", kind="orders_stopped", due_on=DAY + timedelta(days=30))
    notify(FEW, out, tmp_path / "sink", clock=lambda: NINE)
    (file,) = (tmp_path / "sink").glob("*Bob*")
    lines = json.loads(file.read_text(encoding="utf-8"))["words"]["lines"]
    assert lines[-2:] == ["Tasks of today and this week: 0", "  4 more tasks are not shown"]
