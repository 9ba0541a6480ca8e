"""Fixtures of the pages of the simulated company, and of a browser that looks at them, see `browser.py`."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import NO_BROWSER, Server, Site, chromium, launched, published_on, running
from companies import DAY, Company
from playwright.sync_api import Browser, Playwright, sync_playwright
from two_days import LATER

from pipelines.score import score


@pytest.fixture(scope="session")
def book(company: Company, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with two published days, the last in the morning of `LATER`; made once for all workers of a run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "book"
    folder.mkdir(exist_ok=True)
    out = folder / "out"
    lock = sqlite3.connect(folder / "lock.db", timeout=600, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        if not (folder / "made").exists():
            company.register_at(out)
            for day in (DAY, LATER):
                score(company.taken_in(out, day), clock=published_on(day))
            (folder / "made").touch()
    finally:
        lock.close()
    return out


@pytest.fixture(scope="session")
def pages(book: Path, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The application of the pages, for a client without a network."""
    return Server(book, tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="session")
def online(pages: Server) -> Iterator[Server]:
    """The same behind the real server, with a company that nobody changes unless a test has one of its own."""
    with pages.site() as site, running(site.app) as address:
        pages.address = site.address = address
        yield pages


@pytest.fixture
def site(online: Server) -> Iterator[Site]:
    """The company in the morning of a test's own."""
    with online.site() as made:
        yield made


@pytest.fixture(scope="session")
def playwright_here() -> Iterator[Playwright]:
    """Playwright, which must not be started twice in one thread."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """The browser of a worker; each test has windows of its own."""
    place = chromium()
    if place is None:
        pytest.skip(NO_BROWSER)
    with launched(request.getfixturevalue("playwright_here"), place) as started:
        yield started
