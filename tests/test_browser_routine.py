"""Five minutes of a morning in a real browser: from the link to signing out, in three languages, with scripts and without.

What is asserted is what was stored, besides what is shown.
"""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from browser import LANGUAGES, Site, Window, customer_address, violations, window_of
from playwright.sync_api import Browser, Locator
from two_days import LATER

from serving.access import Caller
from serving.api_data import four_lists
from serving.api_visit import Visit
from serving.list_rows import Choice

pytest_plugins = ["trained", "browsed"]

SCRIPTED = {"scripts": True, "no_scripts": False}
UPDATED = {"temperature": "cool", "risk": "urgent"}


@pytest.fixture(params=SCRIPTED)
def scripts(request: pytest.FixtureRequest) -> bool:
    return SCRIPTED[request.param]


def lists(site: Site) -> dict[str, list[str]]:
    """The four lists as they are stored, each with its customers in order."""
    visit = Visit(site.service, Caller("", "Mia", "manager"), site.clock(), "")
    return {name: rows["customer_id"].tolist() for name, rows in four_lists(visit, Choice()).lists.items()}


def shown(window: Window) -> list[str]:
    """The customers of the list on the page, in its order."""
    links = window.page.locator("[data-row] [data-open]")
    return [str(link.get_attribute("href")).removeprefix("/customers/") for link in links.all()]


def told(site: Site, after: int) -> list[tuple[str, str, str | None, dict[str, Any]]]:
    """Kind, who did it, about whom, and what was written, of every event after one."""
    events = [recorded.event for recorded in site.events(after)]
    return [(event.kind, event.actor, event.customer_id, dict(event.payload)) for event in events]


def submit(window: Window, button: Locator) -> None:
    """Press a button, and wait until the page that follows is there."""
    with window.page.expect_navigation():
        button.click()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_morning_of_a_manager(site: Site, browser: Browser, language: str, scripts: bool) -> None:
    with window_of(browser, site, language=language, java_script_enabled=scripts, accept_downloads=True) as window:
        page = window.page
        # the link leads in once
        link = site.link("manager")
        window.open(link)
        assert page.locator("html").get_attribute("lang") == language
        page.locator("form.sign-in button").focus()
        with page.expect_navigation():
            window.press("Enter")
        assert page.url == f"{site.address}/"
        # the red list, filtered by owner
        before = lists(site)
        owners = site.profile().set_index("customer_id")["owner"]
        theirs = [one for one in before["red"] if owners[one] == site.owners["ann"]]
        assert shown(window) == before["red"][:50]
        page.select_option("#f-owner", site.owners["ann"])
        if not scripts:
            submit(window, page.locator("form.filters button"))
        page.wait_for_url("**owner=*")
        waited(window, lambda: shown(window) == theirs[:50])
        # one of them is searched, and opened with the keyboard alone
        [target, *_] = [one for one in theirs if one not in before["yellow"]]
        page.fill("#q", target)
        page.locator("#q").press("Enter")
        waited(window, lambda: shown(window) == [target])
        window.press("Tab")
        window.tab_to("[data-open]")
        with page.expect_navigation():
            window.press("Enter")
        assert page.url == site.address + customer_address(target)
        assert page.locator("h1").inner_text()
        assert page.locator("#why .reasons li").count() > 0
        assert all(text.strip() for text in page.locator("#why .reasons li").all_inner_texts())
        # two choices, and the customer stands on another list at once
        assert page.locator(".on-lists .on-yellow").count() == 0
        newest = site.last()
        update = page.locator("#update form")
        for name, value in UPDATED.items():
            update.locator(f"input[name={name}][value={value}]").check()
        submit(window, update.locator("button"))
        kind, who, about, payload = told(site, newest)[0]
        assert (kind, who, about) == ("account_updated", "Mia", target)
        assert payload == {**payload, **UPDATED, "last_contact_on": str(LATER)}
        assert [event[0] for event in told(site, newest)].count("account_updated") == 1
        assert page.locator(".notice.good").inner_text()
        after = lists(site)
        assert target in after["yellow"]
        assert {name: target in rows for name, rows in after.items()} == {
            name: page.locator(f".on-lists .on-{name}").count() == 1 for name in after
        }
        # back to the yellow list
        submit(window, page.locator(".bar nav a").first)
        submit(window, page.locator(".tab-yellow"))
        assert shown(window) == after["yellow"][:50]
        assert target in shown(window)
        # one task is done, another one is put off
        finish_and_put_off(site, window)
        # the list as a file holds the rows that were seen
        submit(window, page.locator(".bar nav a").first)
        with page.expect_download() as loading:
            page.locator(".files a").first.click()
        with open(loading.value.path(), encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["customer_id"] for row in rows] == lists(site)["red"]
        assert shown(window) == [row["customer_id"] for row in rows][:50]
        # out again, and nothing is shown any more, nor does the link lead in twice
        submit(window, page.locator("form.out button"))
        window.open("/")
        assert page.url == f"{site.address}/sign-in"
        window.open(customer_address(target))
        assert page.url.startswith(f"{site.address}/sign-in?next=")
        window.expected.add(410)
        window.open(link)
        assert window.status == 410
        assert (window.complaints, window.elsewhere) == ([], [])


def waited(window: Window, holds: Callable[[], bool]) -> None:
    """Wait for what a script does on the page; without scripts it holds at once."""
    for _ in range(150):
        if holds():
            return
        window.page.wait_for_timeout(100)
    raise AssertionError(f"the page never came to show what it should: {window.content[:500]}")


def finish_and_put_off(site: Site, window: Window) -> None:
    """On the page of the tasks: one is done by its button, the next one put off on its own page."""
    page = window.page
    submit(window, page.locator(".bar nav a[href='/tasks']"))
    newest = site.last()
    button = page.locator("[data-row] button[formaction]").first
    task_id = str(button.get_attribute("formaction")).split("/")[2]
    submit(window, button)
    closed = [recorded.event for recorded in site.events(newest) if recorded.event.kind == "task_closed"]
    assert [(event.task_id, event.actor, event.payload["state"]) for event in closed] == [(task_id, "Mia", "done")]
    assert task_id not in [str(one.get_attribute("href")).split("/")[2] for one in tasks_on(page)]
    newest = site.last()
    link = tasks_on(page)[0]
    task_id = str(link.get_attribute("href")).split("/")[2].partition("?")[0]
    submit(window, link)
    page.locator("details summary").first.click()
    form = page.locator("form[action$='/snooze']")
    until = form.locator("input[name=until]")
    last_day = str(until.get_attribute("max"))
    until.fill(last_day)
    submit(window, form.locator("button"))
    [event] = [recorded.event for recorded in site.events(newest)]
    assert (event.kind, event.task_id, event.actor) == ("task_snoozed", task_id, "Mia")
    assert str(event.payload["until"]) == last_day
    assert task_id not in [str(one.get_attribute("href")).split("/")[2].partition("?")[0] for one in tasks_on(page)]


def tasks_on(page: Any) -> list[Locator]:
    return list(page.locator("[data-row] [data-open]").all())
