"""Every page in a real browser: accessible, within its window, quiet, and asking nobody but its own service."""

import re
from collections.abc import Iterator

import pytest
from browser import LANGUAGES, NO_BROWSER, Server, Site, Window, chromium, too_wide, violations, window_of
from page_routes import addresses, things_of
from playwright.sync_api import Browser

pytest_plugins = ["trained", "browsed"]
pytestmark = pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)

ALL = addresses()
#: Addresses of forms, which send on to the page that the form stands on, and of files.
FORMS, FILE = {one.path for one in ALL if one.method == "POST"}, re.compile(r"/(export|file)\b")
PAGES = [
    one for one in ALL if one.method == "GET" and one.right and one.path not in FORMS and not FILE.search(one.path)
]
NARROW = 360


@pytest.fixture(scope="module")
def still(online: Server) -> Iterator[Site]:
    """A company that no test of this file changes."""
    with online.site() as site:
        yield site


def is_its_own(window: Window, site: Site, path: str) -> bool:
    """Whether an address is a page, and not one that sends on to another page."""
    window.open(path)
    return window.page.url == site.address + path


def focus_is_seen(window: Window) -> bool:
    """Whether the first link that Tab reaches is outlined."""
    window.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle + document.activeElement.tagName"
    return str(window.page.evaluate(outline)) == "solidA"


def faults_at(window: Window, language: str) -> list[str]:
    """What is wrong with the page in a window."""
    page = window.page
    page.wait_for_load_state("networkidle")
    found = violations(page)
    found += [f"{too_wide(page)} px too wide"] if too_wide(page) > 0 else []
    found += ["no h1"] if page.locator("h1:visible").count() != 1 else []
    found += ["another language"] if page.locator("html").get_attribute("lang") != language else []
    found += ["the focus is not seen"] if not focus_is_seen(window) else []
    return found


@pytest.mark.parametrize("place", range(len(PAGES)), ids=[one.path for one in PAGES])
def test_a_page_is_for_everybody_and_asks_nobody(still: Site, browser: Browser, place: int) -> None:
    address, faults = PAGES[place], []
    path = address.filled(things_of(still, "ann"))
    looks = {"light": {"width": 1440}, "dark": {"width": NARROW, "color_scheme": "dark", "has_touch": True}}
    for turn, (look, options) in enumerate(looks.items()):
        language = LANGUAGES[(place + turn) % len(LANGUAGES)]
        who = ("manager", "admin")[(place + turn) % 2]
        with window_of(browser, still, who if address.open_to(who) else "admin", language, **options) as window:
            if not is_its_own(window, still, path):
                return
            assert window.status == 200
            told = [*faults_at(window, language), *window.complaints, *window.elsewhere]
            faults += [f"{look}, {who}, {language}: {one}" for one in told]
    assert faults == []


@pytest.mark.parametrize("look", ["light", "dark"])
def test_the_way_in_is_for_everybody(still: Site, browser: Browser, look: str) -> None:
    for path in ("/sign-in", still.link("ann"), "/nothing-here"):
        with window_of(browser, still, language="ja", width=NARROW, color_scheme=look) as window:
            window.expected.add(404)
            window.open(path)
            assert [*faults_at(window, "ja"), *window.complaints, *window.elsewhere] == []


@pytest.mark.parametrize("who", ["viewer", "ann"])
def test_who_may_do_less_is_offered_less(still: Site, browser: Browser, who: str) -> None:
    """No link or button on the first pages leads to where this person is refused."""
    with window_of(browser, still, who) as window:
        things = things_of(still, "ann")
        for path in ("/", f"/customers/{things['customer_id']}", f"/tasks/{things['task_id']}"):
            page = window.open(path)
            assert window.status == 200
            places = page.locator("main a[href^='/'], nav a[href^='/']").evaluate_all(
                "links => [...new Set(links.map(link => link.getAttribute('href').split('#')[0]))]"
            )
            for address in places[:25]:
                answer = window.context.request.get(still.address + address, max_redirects=0)
                assert (address, answer.status) in ((address, 200), (address, 303))
            if who == "viewer":
                assert page.locator("main form[method=post]").count() == 0


def test_a_printed_page_has_no_bar(still: Site, browser: Browser) -> None:
    paths = [one.path for one in PAGES]
    with window_of(browser, still, "manager") as window:
        for path in ("/", "/meeting" if "/meeting" in paths else "/tasks"):
            page = window.open(path)
            assert page.locator(".bar").is_visible()
            page.emulate_media(media="print")
            assert not page.locator(".bar").is_visible()
            assert page.locator("h1").is_visible()
            assert too_wide(page) <= 0
            page.emulate_media(media="screen")
            assert len(page.pdf(format="A4")) > 1000
