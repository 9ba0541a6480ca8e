"""Attacks on the pages: what addresses, headers and forms may not do, and what nobody is told on the way."""

import logging
import re
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from paged import Paged
from served import Served, warned
from starlette.testclient import TestClient

from features.errors import SettingsError
from pipelines.changed_settings import LARGEST, checks, numbers
from pipelines.server import AccountFiles
from pipelines.settings import Settings
from serving.api import PREFIX
from serving.api_guard import QUERY_BYTES
from serving.api_story import MOST_WAITING
from serving.ledger import append
from serving.sessions import COOKIE, LONGEST_PATH, SECURE_COOKIE
from serving.story import Story, WhatIf

pytest_plugins = ["served_company"]


@pytest.fixture
def pages(served: Served) -> Paged:
    return Paged(served)


def at(pages: Paged, path: str) -> TestClient:
    """A client whose requests bear this very path, which clients would else put in order."""
    app = pages.served.app

    async def asked(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "path": path, "raw_path": path.encode()}, receive, send)

    return TestClient(asked, base_url="http://localhost", follow_redirects=False)


# Where a page leads


@pytest.mark.parametrize("path", ["//evil.example/x", "///evil.example", "//evil.example"])
def test_no_link_of_a_page_leads_to_another_host_by_its_own_address(pages: Paged, path: str) -> None:
    answer = at(pages, path).get("/")
    assert answer.status_code == 404
    links = re.findall(r'(?:href|action|src)="([^"]*)"', answer.text)
    assert any("evil.example" in link for link in links)
    assert [link for link in links if not re.match(r"/(?!/)|#", link)] == []


@pytest.mark.parametrize("path", ["/tasks/", "/sign-in/secret-of-a-link/", "/static", f"{PREFIX}/lists/"])
def test_nobody_is_sent_on_to_an_address_by_http(pages: Paged, path: str) -> None:
    answer = pages.get("rep", path)
    assert "location" not in answer.headers
    assert answer.status_code == 404


def test_who_comes_by_a_very_long_address_can_sign_in(pages: Paged) -> None:
    onward = pages.get("", "/customers/" + "x" * LONGEST_PATH).headers["location"]
    assert pages.get("", onward).status_code == 200
    kept = pages.get("", "/customers/" + "x" * (LONGEST_PATH - len("/customers/"))).headers["location"]
    assert kept.startswith("/sign-in?next=")
    assert pages.get("", kept).status_code == 200


REFERERS = (
    "http://[",
    "http://localhost//evil.example/",
    "http://evil.example/",
    "\\",
    "http://localhost/\\evil.example",
)


@pytest.mark.parametrize("referer", REFERERS)
def test_a_task_leads_back_to_a_page_of_ours_whatever_the_browser_says(pages: Paged, referer: str) -> None:
    answer = pages.get("rep", "/tasks/t-K-AOKI", Referer=referer)
    assert answer.status_code == 200
    assert "evil" not in answer.text


def test_a_question_that_every_link_would_repeat_has_an_end(pages: Paged) -> None:
    for who, path in (("", "/sign-in"), ("rep", "/"), ("rep", "/tasks")):
        assert pages.get(who, f"{path}?q=x&{'a&' * (QUERY_BYTES // 2)}").status_code == 400
    assert pages.get("rep", "/?q=" + "%E6%96%87" * 100).status_code == 200


# Sessions


def test_behind_a_proxy_that_says_nothing_of_tls_a_session_made_anew_stays_secure(pages: Paged) -> None:
    [cookie] = pages.cookies("rep").values()
    pages.served.clock.now += timedelta(days=2)
    made = pages.client.get("/", headers={"Cookie": f"{SECURE_COOKIE}={cookie}"}).headers["set-cookie"]
    assert made.startswith(f"{SECURE_COOKIE}=")
    assert "Secure" in made.split("; ")
    plain = pages.client.get("/", headers={"Cookie": f"{COOKIE}={cookie}"}).headers["set-cookie"]
    assert plain.startswith(f"{COOKIE}=")


# What a rep is told


def test_a_task_of_ones_own_tells_nothing_of_a_warning_that_is_not(pages: Paged) -> None:
    theirs = warned("K-BOLT", "Bob")[1]
    with pages.served.service.store.writing() as connection:
        append(
            connection, [replace(theirs, task_id="t-lent", payload={**theirs.payload, "owner": "Ann", "cause": "x"})]
        )
    told = {who: pages.get(who, "/tasks/t-lent").text for who in ("rep", "manager")}
    assert "It belongs to the warning" in told["manager"]
    assert "It belongs to the warning" not in told["rep"]
    assert "Orange" not in told["rep"]
    assert pages.served.get("ann", "/episodes/e-K-BOLT").status_code == 404


@pytest.mark.parametrize("path", ["/", "/lists/risk_by_owner"])
def test_a_rep_chooses_among_the_values_of_their_own_customers(pages: Paged, path: str) -> None:
    def offered(who: str) -> set[str]:
        return set(re.findall(r'<option value="([^"]+)"', pages.get(who, path).text))

    assert {"North", "machinery", "South", "food"} <= offered("manager")
    assert {"North", "machinery"} <= offered("rep")
    assert offered("rep").isdisjoint({"South", "food"})
    assert offered("bob").isdisjoint({"North", "machinery"})


# What nobody is told


OF_EVENTS = ("/lists/contact_days", "/export/contact_days", "/manager", "/manager/contacts", "/manager/people/Ann")


@contextmanager
def without_events(pages: Paged, place: Path) -> Iterator[None]:
    here = pages.served.app.state
    before, here.service = here.service, replace(here.service, accounts=AccountFiles(place))
    yield
    here.service = before


def test_no_answer_names_a_folder_of_the_machine(
    pages: Paged, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "nothing-here"
    with without_events(pages, place), caplog.at_level(logging.WARNING, "kizashi.api"):
        answers = [pages.get("manager", path) for path in OF_EVENTS]
        answers.append(pages.served.get("manager", "/lists/contact_days"))
    assert [answer.status_code for answer in answers] == [422] * len(answers)
    assert [answer.url for answer in answers if str(place) in answer.text] == []
    assert all("A source of data cannot be read." in answer.text for answer in answers)
    assert str(place) in caplog.text, "whoever keeps the service has to know"


def test_a_form_that_the_database_fails_does_not_say_where_it_lies(pages: Paged) -> None:
    with pages.served.service.store.reading() as connection:
        [place] = [row[2] for row in connection.exec_driver_sql("PRAGMA database_list") if row[1] == "main"]
    with sqlite3.connect(place) as direct:
        direct.execute("DROP TABLE idempotency_key")
    direct.close()
    answer = pages.post("rep", "/tasks/t-K-AOKI/done", {"version": "1"})
    assert answer.status_code == 503
    assert str(Path(place).parent) not in answer.text
    assert "idempotency_key" not in answer.text


# What takes long


class Slow:
    """Tells no story before it may."""

    def __init__(self) -> None:
        self.all_here, self.may = threading.Barrier(MOST_WAITING + 1), threading.Event()

    def story(self, customer_id: str, as_of: date, since: date | None = None) -> Story:
        self.all_here.wait(60)
        self.may.wait(60)
        raise SettingsError(f"{customer_id}: no story on {as_of}, nor since {since}.")

    def what_if(self, customer_id: str, as_of: date, **supposed: Any) -> WhatIf:
        raise SettingsError(f"{customer_id}: no {supposed} on {as_of}.")


def test_who_asks_for_many_stories_at_once_leaves_room_for_the_other_pages(pages: Paged) -> None:
    here, slow, path = pages.served.app.state, Slow(), "/customers/K-AOKI/story"
    here.service = replace(here.service, stories=slow)
    with ThreadPoolExecutor(MOST_WAITING) as pool:
        asked = [pool.submit(pages.get, "rep", path) for _ in range(MOST_WAITING)]
        slow.all_here.wait(60)
        try:
            further = pages.get("rep", path), pages.served.get("ann", path)
        finally:
            slow.may.set()
        assert {one.result().status_code for one in asked} == {422}
    assert [answer.status_code for answer in further] == [429, 429]
    assert "Too many requests" in further[0].text
    slow.all_here = threading.Barrier(1)
    assert pages.get("rep", path).status_code == 422, "their places are free again"


# Numbers out of all measure


SHOWN = ("/", "/tasks", "/settings", "/manager")


@pytest.mark.parametrize("one", [10**400, float("inf"), float("nan")])
def test_a_threshold_or_weight_out_of_all_measure_is_refused(one: float) -> None:
    for name in ("levels.thresholds", "health.weights"):
        with pytest.raises(SettingsError, match=name):
            numbers(name, {"red": one})


@pytest.mark.parametrize("name", ["tasks.most_per_person", "warnings.new_per_week"])
@pytest.mark.parametrize("value", [LARGEST + 1, 10**40, 10**400])
def test_no_setting_makes_pages_that_cannot_be_shown(pages: Paged, name: str, value: int) -> None:
    here = pages.served.app.state
    here.service = replace(here.service, changeable=checks(Settings(), lambda: None))
    answers = [
        pages.served.post("admin", f"/settings/{name}", {"version": 0, "value": value}),
        pages.post("admin", f"/settings/{name}", {"version": "0", "value": str(value)[:200]}),
        pages.get("viewer", f"/settings/preview?name={name}&value={str(value)[:200]}"),
    ]
    assert [answer.status_code for answer in answers] == [422] * 3
    assert {path: pages.get("admin", path).status_code for path in SHOWN} == dict.fromkeys(SHOWN, 200)
