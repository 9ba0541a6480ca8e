"""Five minutes of a morning in a real browser: from the link to signing out, in each language, also without scripts.

What is asserted is what was stored, besides what is shown.
"""

import csv
from collections.abc import Callable
from typing import Any

import pytest
from browser import LANGUAGES, NO_BROWSER, Site, Window, chromium, customer_address, window_of
from playwright.sync_api import Browser, Locator
from two_days import LATER

from serving.access import Caller
from serving.api_data import four_lists
from serving.api_visit import Visit
from serving.list_rows import Choice
from serving.lists import Morning

pytest_plugins = ["trained", "browsed"]
pytestmark = pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)

SCRIPTED = {"scripts": True, "no_scripts": False}
UPDATED = {"temperature": "cold", "risk": "urgent"}


@pytest.fixture(params=SCRIPTED)
def scripts(request: pytest.FixtureRequest) -> bool:
    return SCRIPTED[request.param]


def morning(site: Site) -> Morning:
    """The four lists as they stand."""
    return four_lists(Visit(site.service, Caller("", "Mia", "manager"), site.clock(), ""), Choice())


def lists(site: Site) -> dict[str, list[str]]:
    """The customers of the four lists, in order; each on the one that asks for them the soonest."""
    return {name: rows["customer_id"].tolist() for name, rows in morning(site).lists.items()}


def also(site: Site) -> dict[str, set[str]]:
    """All customers who belong on each list, also those who stand on another one that asks for them sooner."""
    made = morning(site).lists
    found = {name: set(rows["customer_id"]) for name, rows in made.items()}
    for rows in made.values():
        for customer, others in zip(rows["customer_id"], rows["also_on"], strict=True):
            for name in others:
                found[name].add(customer)
    return found


def shown(window: Window) -> list[str]:
    """The customers of the list on the page, in its order."""
    return [address.removeprefix("/customers/") for address in opened(window)]


def opened(window: Window) -> list[str]:
    """Where the rows of the page lead; read at once, since a script may change them."""
    links = window.page.locator("[data-row] [data-open]")
    return list(links.evaluate_all("links => links.map(link => link.getAttribute('href').split('?')[0])"))


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
        before, also_before = lists(site), also(site)
        owners = site.profile().set_index("customer_id")["owner"]
        theirs = [one for one in before["red"] if owners[one] == site.owners["ann"]]
        assert shown(window) == before["red"][:50]
        page.select_option("#f-owner", site.owners["ann"])
        if not scripts:
            submit(window, page.locator("form.filters button"))
        page.wait_for_url("**owner=*")
        waited(window, lambda: shown(window) == theirs[:50])
        # one of them is searched, and opened with the keyboard alone
        [target, *_] = [one for one in theirs if one not in also_before["yellow"]]
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
        after = also(site)
        assert (target in after["yellow"], target in also_before["yellow"]) == (True, False)
        assert {name: target in rows for name, rows in after.items()} == {
            name: page.locator(f".on-lists .on-{name}").count() == 1 for name in after
        }
        # back to the yellow list
        submit(window, page.locator(".bar nav a").first)
        submit(window, page.locator(".tab-yellow"))
        assert shown(window) == lists(site)["yellow"][:50]
        # one task is done, another one is put off
        finish_and_put_off(site, window)
        # the list as a file holds the rows that were seen
        submit(window, page.locator(".bar nav a").first)
        with page.expect_download() as loading:
            page.locator(".files a").first.click()
        with open(loading.value.path(), encoding="utf-8-sig", newline="") as file:
            _, *rows = csv.reader(file)  # the headings are in the reader's language
        assert [row[0] for row in rows] == lists(site)["red"]
        assert shown(window) == [row[0] for row in rows][:50]
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
    for _ in range(600):
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
    assert f"/tasks/{task_id}" not in opened(window)
    newest = site.last()
    address = opened(window)[0]
    submit(window, page.locator("[data-row] [data-open]").first)
    page.locator("details summary").first.click()
    form = page.locator("form[action$='/snooze']")
    until = form.locator("input[name=until]")
    last_day = str(until.get_attribute("max"))
    until.fill(last_day)
    submit(window, form.locator("button"))
    [event] = [recorded.event for recorded in site.events(newest)]
    assert (event.kind, f"/tasks/{event.task_id}", event.actor) == ("task_changed", address, "Mia")
    assert str(event.payload["snoozed_until"]) == last_day
    assert address not in opened(window)


def first_customer(site: Site, window: Window) -> str:
    """The page of the first customer of the red list, opened."""
    customer = lists(site)["red"][0]
    window.open(customer_address(customer))
    return customer


def fill_update(window: Window, **fields: str) -> Locator:
    """Choose the two of the update and write what comes next; return the button."""
    form = window.page.locator("#update form")
    for name, value in UPDATED.items():
        form.locator(f"input[name={name}][value={value}]").check()
    for name, value in fields.items():
        form.locator(f"input[name={name}]").fill(value)
    return form.locator("button")


def test_a_button_that_is_pressed_twice_does_its_work_once(site: Site, browser: Browser, scripts: bool) -> None:
    with window_of(browser, site, "manager", java_script_enabled=scripts) as window:
        customer, newest = first_customer(site, window), site.last()
        with window.page.expect_navigation():
            fill_update(window).dblclick(no_wait_after=True)
        window.page.wait_for_load_state("load")
        window.open(customer_address(customer))  # whatever was sent has been answered before this is
        assert [event[0] for event in told(site, newest)].count("account_updated") == 1
        assert window.complaints == []


def test_what_another_window_changed_meanwhile_is_said_and_nothing_typed_is_lost(
    site: Site, browser: Browser, scripts: bool
) -> None:
    with window_of(browser, site, "manager", "ja", java_script_enabled=scripts) as window:
        customer = first_customer(site, window)
        second = window.another()
        second.open(customer_address(customer))
        submit(window, fill_update(window))
        newest = site.last()
        second.expected.add(409)
        plan = {"next_action_on": "2026-08-20", "next_action_text": "図面の件で訪問"}
        submit(second, fill_update(second, **plan))
        assert site.last() == newest
        form = second.page.locator("#update form")
        assert {name: form.locator(f"[name={name}]").input_value() for name in plan} == plan
        assert {name: form.locator(f"[name={name}]:checked").input_value() for name in UPDATED} == UPDATED
        assert second.page.locator(".notice.bad").inner_text()
        # the page knows the newer state: sent again, it is kept
        submit(second, form.locator("button"))
        kinds = [event[0] for event in told(site, newest)]
        assert kinds.count("account_updated") == 1
        assert told(site, newest)[kinds.index("account_updated")][3]["next_action_text"] == plan["next_action_text"]
        assert (window.complaints, second.complaints) == ([], [])


def test_the_way_back_leads_to_the_list_as_it_was_chosen(site: Site, browser: Browser, scripts: bool) -> None:
    with window_of(browser, site, "manager", java_script_enabled=scripts) as window:
        page = window.open("/?list=red&sort=name")
        chosen = shown(window)
        submit(window, page.locator("[data-open]").nth(2))
        submit(window, fill_update(window))
        page.go_back()
        page.go_back()
        page.wait_for_url("**/?list=red&sort=name")
        waited(window, lambda: sorted(shown(window)) == sorted(chosen))
        assert shown(window) == chosen
        assert window.complaints == []


def test_arrows_home_and_end_go_through_the_rows(site: Site, browser: Browser) -> None:
    with window_of(browser, site, "manager") as window:
        window.open("/")
        rows = opened(window)
        window.tab_to("[data-open]")
        assert window.focused() == rows[0]
        for key, place in (
            ("ArrowDown", 1),
            ("ArrowDown", 2),
            ("ArrowUp", 1),
            ("End", -1),
            ("ArrowDown", -1),
            ("Home", 0),
        ):
            window.press(key)
            assert window.focused() == rows[place]
        with window.page.expect_navigation():
            window.press("Enter")
        assert window.page.url == site.address + rows[0]


def test_after_signing_out_the_way_back_shows_nothing(site: Site, browser: Browser) -> None:
    with window_of(browser, site, "manager") as window:
        page = window.open("/?list=yellow")
        name = page.locator("[data-open]").first.inner_text()
        submit(window, page.locator("form.out button"))
        page.go_back()
        page.wait_for_url("**/sign-in**")
        assert name not in page.locator("body").inner_text()
