"""The pages of a scored company, served by the real server, and a real browser that looks at them.

Where no Chromium is installed the tests that need one are skipped and say so; Playwright's own download is never used.
"""

import dataclasses
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, Playwright
from two_days import LATER

from pipelines.server import listening, service_at
from pipelines.settings import Settings
from serving.accounts import accounts, add_account, link_for
from serving.api import make_app
from serving.api_guard import Ration
from serving.api_visit import Service
from serving.ledger import Recorded
from serving.pages.view import LANGUAGE_COOKIE
from serving.sessions import COOKIE, Sessions

#: When a day is published, and when people come to their desks.
PUBLISHED, MORNING = time(6, tzinfo=UTC), datetime.combine(LATER, time(8, 30, tzinfo=UTC))
LANGUAGES = ("en", "ja", "zh")
#: Success criteria of WCAG 2.0, 2.1 and 2.2, levels A and AA.
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
KEY = b"a key of the tests, and of nothing but the tests"
FLAGS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
#: Milliseconds after which an element that does not come is a failure; they share two cores with other tests.
PATIENCE = 60_000


def chromium() -> str | None:
    """Where Chromium is, if it is installed."""
    named = os.environ.get("KIZASHI_CHROMIUM")  # noqa: TID251
    names = ("chromium", "chromium-browser", "google-chrome")
    return named or next((found for name in names if (found := shutil.which(name))), None)


#: Why tests are skipped where there is none.
NO_BROWSER = "no Chromium is installed (Debian: chromium), and KIZASHI_CHROMIUM names none"


def flags() -> list[str]:
    """Nothing that calls home; without its sandbox only where it refuses to have one."""
    return [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]


class Clock:
    """Stands still until somebody sets it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Site:
    """A served company: its address, its service, and people of every role.

    Attributes
    ----------
    people
        Name of an account by what it is called here: viewer, ann and bob (reps of two owners), manager, admin.
    owners
        Whose customers Ann and Bob see.
    """

    app: FastAPI
    service: Service
    clock: Clock
    address: str
    people: dict[str, str]
    owners: dict[str, str]

    def cookie(self, who: str) -> str:
        """That of a new session."""
        assert self.service.sessions is not None
        with self.service.store.reading() as connection:
            [account] = [one for one in accounts(connection) if one.name == self.people[who]]
        return self.service.sessions.issue(account.name, account.epoch)

    def token(self, cookie: str) -> str:
        """What a form of a session bears."""
        assert self.service.sessions is not None
        session = self.service.sessions.read(cookie)
        assert session is not None
        return session.token

    def link(self, who: str) -> str:
        """An address that leads in once."""
        with self.service.store.writing() as connection:
            return f"{self.address}/sign-in/{link_for(connection, self.people[who], self.clock())}"

    def events(self, after: int = 0) -> list[Recorded]:
        """What was written into the ledger after an event."""
        return self.service.store.history(after=after)

    def last(self) -> int:
        """The number of the newest event."""
        return self.events()[-1].number

    def profile(self) -> pd.DataFrame:
        """One row per customer: score, owner and facts."""
        return self.service.board.newest().profile


def customer_address(customer_id: str) -> str:
    return f"/customers/{quote(customer_id, safe='')}"


@contextmanager
def served_at(out: Path, database: Path, app: FastAPI | None, address: str, clock: Clock) -> Iterator[Site]:
    """The company of an output folder with its changes in a database of its own, and people who may sign in."""
    settings = Settings(store={"url": f"sqlite:///{database}"})
    many = Ration(clock, 10_000_000)
    with service_at(settings, out, clock) as made:
        sessions = Sessions(KEY, clock)
        service = dataclasses.replace(made, sessions=sessions, requests=many, attempts=many)
        if app is None:
            app = make_app(service)
        app.state.service = service
        owners = two_owners(service)
        people = {"viewer": "Vic", "ann": "Ann", "bob": "Bob", "manager": "Mia", "admin": "Ada"}
        roles = {"viewer": "viewer", "ann": "rep", "bob": "rep", "manager": "manager", "admin": "admin"}
        with service.store.writing() as connection:
            for who, name in people.items():
                add_account(connection, name, roles[who], owner=owners.get(who), language=None, now=clock())
        yield Site(app, service, clock, address, people, owners)


def two_owners(service: Service) -> dict[str, str]:
    """Who sell to the most customers who are warned of."""
    profile = service.board.newest().profile
    loud = profile.loc[profile["level"].isin(["red", "orange"]), "owner"].dropna()
    first, second = loud.value_counts().sort_index().sort_values(ascending=False, kind="stable").index[:2]
    return {"ann": str(first), "bob": str(second)}


def published_on(day: date) -> Callable[[], datetime]:
    moment = datetime.combine(day, PUBLISHED)
    return lambda: moment


@dataclass
class Server:
    """One application for all tests of a worker, which takes longer to lay out than to answer."""

    book: Path
    place: Path
    app: FastAPI | None = None
    address: str = "http://localhost"
    made: int = 0

    @contextmanager
    def site(self) -> Iterator[Site]:
        """The company as it stands in the morning, in a database of the test's own."""
        self.made += 1
        database = self.place / f"{self.made}.db"
        shutil.copy(self.book / "kizashi.db", database)
        before = None if self.app is None else self.app.state.service
        with served_at(self.book, database, self.app, self.address, Clock(MORNING)) as site:
            self.app = site.app
            yield site
            if before is not None:
                self.app.state.service = before


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """The address of an application that the real server serves, in a thread of this process."""
    with listening("127.0.0.1", 0) as bound:
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def launched(playwright: Playwright, place: str) -> Iterator[Browser]:
    """A browser that is closed at the end."""
    started = playwright.chromium.launch(executable_path=place, args=flags())
    try:
        yield started
    finally:
        started.close()


@dataclass
class Window:
    """A browser's window, and what it complained of."""

    context: BrowserContext
    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    #: Answers that a test is about: the console tells of every answer that is no success.
    expected: set[int] = field(default_factory=set)

    def open(self, path: str) -> Page:
        answer = self.page.goto(path if path.startswith("http") else self.address + path)
        assert answer is not None
        self.status = answer.status
        return self.page

    def another(self) -> "Window":
        """A second tab of the same person."""
        return watched(Window(self.context, self.context.new_page(), self.address, self.complaints, self.elsewhere))

    @property
    def content(self) -> str:
        return self.page.locator("main").inner_text()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def focused(self) -> str:
        """What has the focus: its address or its text."""
        return str(
            self.page.evaluate("document.activeElement.getAttribute('href') || document.activeElement.innerText")
        )

    def tab_to(self, selector: str, most: int = 80) -> None:
        """Go to an element with the Tab key alone."""
        for _ in range(most):
            self.press("Tab")
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} is not reached by {most} times Tab; the focus is on {self.focused()!r}")


def watched(window: Window) -> Window:
    """A window that writes down what goes wrong in it."""
    page, home = window.page, window.address
    page.set_default_timeout(PATIENCE)

    def said(message: Any) -> None:
        if message.type in ("error", "warning"):
            refused = "the server responded with a status of" in message.text
            if not (refused and any(f"status of {code}" in message.text for code in window.expected)):
                window.complaints.append(f"{message.type}: {message.text}")

    def asked(request: Any) -> None:
        if not request.url.startswith((home, "data:")):
            window.elsewhere.append(request.url)

    page.on("console", said)
    page.on("pageerror", lambda error: window.complaints.append(f"error: {error}"))
    page.on("request", asked)
    return window


@contextmanager
def window_of(
    browser: Browser,
    site: Site,
    who: str = "",
    language: str = "en",
    width: int = 1280,
    height: int = 900,
    **more: Any,
) -> Iterator[Window]:
    """A new window; where a person is named, they are signed in already."""
    context = browser.new_context(viewport={"width": width, "height": height}, locale=TAGS[language], **more)
    try:
        if who:
            cookies = {COOKIE: site.cookie(who), LANGUAGE_COOKIE: language}
            context.add_cookies([{"name": name, "value": cookies[name], "url": site.address} for name in cookies])
        yield watched(Window(context, context.new_page(), site.address))
    finally:
        context.close()


#: What a browser tells of its language.
TAGS = {"en": "en-GB", "ja": "ja-JP", "zh": "zh-CN"}

Opened = Callable[..., AbstractContextManager[Window]]


def violations(page: Page) -> list[str]:
    """What axe finds wrong by WCAG 2.0 to 2.2, A and AA."""
    found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def too_wide(page: Page) -> int:
    """Pixels by which a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def later(site: Site, **more: float) -> None:
    """Let time pass."""
    site.clock.now += timedelta(**more)
