"""How fast the pages of a large company are: a book (page_book.py), the real server, and a real browser.

Of every page: when the first of it is painted in a browser that was just started (Chromium, on this machine), what CPU
time the server spends on a view once it is warm, and how many bytes of HTML it sends, as they are and compressed. Pages
that read the events of one customer are slower at the first view of a customer, and stand by themselves. At last a
person's update is entered by another process before each view of a list, so that the view has to take it in.

Example: python benchmarks/pages.py --book var/page-book --demo var/demo
"""

import argparse
import gzip
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import sqlalchemy as sa
from playwright.sync_api import sync_playwright

from benchmarks import page_book
from pipelines.session_key import session_key
from serving import loop
from serving.accounts import add_account
from serving.api_data import NAMES
from serving.migrations.loop_tables import EVENT
from serving.sessions import COOKIE, Sessions
from serving.store import Store

RESULTS = Path(__file__).parent / "results"
KIZASHI = (sys.executable, "-c", "from pipelines.cli import main; main()")
CHROMIUM = "/usr/bin/chromium"
LOADS, PAINTS = 20, 5
#: What a page may take: milliseconds until the first paint and of the server's CPU, bytes of HTML.
MOST_PAINT, MOST_CPU, MOST_BYTES = 300, 20, 60_000
PATIENCE = 600.0


@dataclass
class Figures:
    """What one page takes; milliseconds and bytes."""

    name: str
    path: str
    role: str
    status: int = 0
    first_view_cpu: float = 0.0
    cpu: float = 0.0
    html: int = 0
    sent: int = 0
    paint: float = 0.0
    paint_median: float = 0.0


@dataclass(frozen=True)
class Server:
    """`kizashi serve` in a process of its own."""

    process: subprocess.Popen[bytes]
    address: str

    def cpu(self) -> float:
        """Seconds of CPU that it has spent."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def get(self, path: str, cookie: str) -> tuple[int, bytes, int]:
        """Status, body, and bytes of the answer as it was sent."""
        headers = {"Cookie": f"{COOKIE}={cookie}", "Accept-Encoding": "gzip", "Accept-Language": "en"}
        try:
            with urlopen(Request(self.address + path, headers=headers), timeout=PATIENCE) as answer:
                body, status, told = answer.read(), answer.status, answer.headers
        except HTTPError as refused:
            return refused.code, refused.read(), 0
        plain = gzip.decompress(body) if told.get("Content-Encoding") == "gzip" else body
        return status, plain, len(body) + len(str(told))


@contextmanager
def serving(out: Path) -> Iterator[Server]:
    """Serve a folder until the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = (out / "serve.log").open("wb")
    command = [*KIZASHI, "serve", "--out", str(out), "--port", str(port)]
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    server = Server(process, f"http://127.0.0.1:{port}")
    try:
        for _ in range(600):
            try:
                urlopen(server.address + "/api/v1/health", timeout=PATIENCE).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit((out / "serve.log").read_text(errors="replace")) from None
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait()
        log.close()


@dataclass(frozen=True)
class People:
    """Signed cookies of as many accounts as there are pages, so that nobody's ration of requests is used up."""

    store: Store
    sessions: Sessions
    owner: str

    def cookie(self, role: str) -> str:
        """The cookie of a new account."""
        moment = datetime.now(UTC)
        name = f"Reader {moment.timestamp():.6f}"
        with self.store.writing() as connection:
            owner = self.owner if role == "rep" else None
            account = add_account(connection, name, role, owner=owner, language=None, now=moment)
        return self.sessions.issue(account.name, account.epoch)


def pages(store: Store) -> tuple[list[Figures], list[Figures], str]:
    """The pages that are measured, those that read one customer's events, and an owner."""
    as_of = store.latest_as_of()
    assert as_of is not None
    warned = store.episodes(is_open=True, limit=40).rows
    customer, owner = (
        str(warned["customer_id"].iloc[0]),
        str(store.profiles(as_of, str(warned["customer_id"].iloc[0]))["owner"].iloc[0]),
    )
    one, who = quote(customer, safe=""), quote(owner)
    shown = [
        Figures("Today", "/", "admin"),
        Figures("Today, of a rep", "/", "rep"),
        Figures("Today, filtered and sorted", f"/?owner={who}&level=red&sort=-days_late", "admin"),
        Figures("Today, searched", "/?q=tools&list=yellow&page=2", "admin"),
        Figures("What changed", "/changes", "admin"),
        Figures("Tasks", "/tasks", "admin"),
        Figures("Tasks, of a rep", "/tasks", "rep"),
        Figures("All lists", "/lists", "admin"),
        *(Figures(f"List: {name}", f"/lists/{name}", "admin") for name in NAMES),
        Figures("A customer", f"/customers/{one}", "admin"),
        Figures("A customer, of a rep", f"/customers/{one}", "rep"),
        Figures("Team", "/manager", "manager"),
        Figures("Track record", "/record", "manager"),
        Figures("Track record: warnings", "/record/warnings", "manager"),
        Figures("Data", "/data", "admin"),
        Figures("Data: ledger", "/data/ledger", "admin"),
        Figures("Settings", "/settings", "admin"),
    ]
    parts = [
        Figures("A customer: account", f"/customers/{one}/account", "admin"),
        Figures("A customer: story", f"/customers/{one}/story", "admin"),
        Figures("Track record: thresholds", "/record/thresholds", "manager"),
    ]
    return shown, parts, owner


def view(server: Server, people: People, page: Figures, loads: int) -> None:
    """What the server does for a page."""
    cookie, began = people.cookie(page.role), server.cpu()
    page.status, body, page.sent = server.get(page.path, cookie)
    page.first_view_cpu = 1000 * (server.cpu() - began)
    page.html = len(body)
    if page.status != 200:
        return
    server.get(page.path, cookie)
    began = server.cpu()
    for _ in range(loads):
        server.get(page.path, cookie)
    page.cpu = 1000 * (server.cpu() - began) / loads


def after_updates(server: Server, people: People, page: Figures, loads: int) -> None:
    """What the server does for a page where somebody has entered an update since the view before."""
    cookie = people.cookie(page.role)
    as_of = people.store.latest_as_of()
    assert as_of is not None
    warned = people.store.episodes(is_open=True, limit=loads).rows["customer_id"].tolist()
    page.status, body, page.sent = server.get(page.path, cookie)
    page.html, spent = len(body), 0.0
    for number, customer in enumerate(warned):
        loop.update_account(
            people.store, customer, temperature=("warm", "cold")[number % 2], risk=("low", "urgent")[number % 2],
            actor="Benchmark", at=datetime.now(UTC), today=as_of,
        )  # fmt: skip
        began = server.cpu()
        server.get(page.path, cookie)
        spent += server.cpu() - began
    page.cpu = 1000 * spent / len(warned)


def painted(server: Server, people: People, measured: Sequence[Figures], times: int) -> None:
    """When a page's first part is painted in a browser that was just started."""
    with sync_playwright() as playwright:
        for page in measured:
            found, cookie = [], people.cookie(page.role)
            for _ in range(times):
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
                context = browser.new_context(locale="en-GB")
                context.add_cookies([{"name": COOKIE, "value": cookie, "url": server.address}])
                opened = context.new_page()
                opened.goto(server.address + page.path)
                found.append(_first_paint(opened))
                browser.close()
            page.paint, page.paint_median = min(found), median(found)


def _first_paint(opened: Any) -> float:
    """Milliseconds until the first content was painted; asked from outside, since pages let nothing be evaluated."""
    for _ in range(200):
        entries = opened.evaluate("() => performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)")
        if entries:
            return float(entries[0])
        time.sleep(0.05)
    raise SystemExit("Nothing was painted within ten seconds.")


def measure(book: Path, loads: int, paints: int) -> dict[str, Any]:
    """All figures of a book."""
    with Store.open(f"sqlite:///{book / page_book.DATABASE}", create=False) as store, serving_of(book, store) as run:
        server, people, shown, parts = run
        began = server.cpu()
        server.get("/", people.cookie("admin"))
        first_of_all = server.cpu() - began
        for page in [*shown, *parts]:
            view(server, people, page, loads)
            print(f"{page.name:40s} {page.status} {page.cpu:8.1f} ms {page.html:9,} bytes", flush=True)
        updated = [Figures("Today", "/", "admin"), Figures("List: risk_list", "/lists/risk_list", "admin")]
        for page in updated:
            after_updates(server, people, page, loads)
        there = [page for page in [*shown, *parts] if page.status == 200]
        if paints:
            painted(server, people, there, paints)
        missing = [page.path for page in [*shown, *parts] if page not in there]
        size = _size(store)
    return {
        "book": size,
        "pages": [asdict(page) for page in shown if page in there],
        "of_one_customer": [asdict(page) for page in parts if page in there],
        "after_an_update": [asdict(page) for page in updated if page.status == 200],
        "first_of_all": first_of_all,
        "not_there": missing,
        "loads": loads,
        "paints": paints,
        "machine": _machine(),
    }


@contextmanager
def serving_of(book: Path, store: Store) -> Iterator[tuple[Server, People, list[Figures], list[Figures]]]:
    """The server of a book, the people who look at it, and the pages."""
    shown, parts, owner = pages(store)
    people = People(store, Sessions(session_key(book), lambda: datetime.now(UTC)), owner)
    people.cookie("admin")  # with an account there, the server makes no link of its own
    with serving(book) as server:
        yield server, people, shown, parts


def _size(store: Store) -> dict[str, int]:
    as_of = store.latest_as_of()
    assert as_of is not None
    published = store.published(as_of)
    with store.reading() as connection:
        events = connection.execute(sa.select(sa.func.count()).select_from(EVENT)).scalar_one()
    return {
        "customers": 0 if published is None else published.customers,
        "open_warnings": store.episodes(is_open=True, limit=0).total,
        "open_tasks": store.tasks(state="open", limit=0).total,
        "owners": store.profiles(as_of)["owner"].nunique(),
        "events": int(events),
    }


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in ("kizashi", "pandas", "fastapi", "uvicorn", "jinja2"))
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB of memory, {platform.system()}; mean number of processes that wanted "
        f"a core at the end, ours included: {load:.1f}. {versions}, Python {platform.python_version()}."
    )


def report(told: dict[str, Any]) -> str:
    """The figures as a page."""
    book = told["book"]
    lines = [
        "# Pages of a large company",
        "",
        f"`python benchmarks/pages.py`: {book['customers']:,} customers, {book['open_warnings']:,} open warnings with "
        f"{book['open_tasks']:,} open tasks, {book['owners']} owners, {book['events']:,} events. First paint: in a "
        f"browser that was just started, on the same machine, best (and median) of {told['paints']}. CPU: of the "
        f"server, for one view once it is warm, mean of {told['loads']}; the first view of the page beside it. The aim "
        f"is a first paint within {MOST_PAINT} ms, {MOST_CPU} ms of CPU and {MOST_BYTES // 1000} kB of HTML; what is "
        "above is bold.",
        "",
        *_table(told["pages"]),
        "",
        "## What reads events or models",
        "",
        *_table(told["of_one_customer"]),
        "",
        "## After an update by somebody else",
        "",
        "Before each view another process enters an update of a customer, which the view takes in.",
        "",
        *(f"- {one['name']}: {_marked(one['cpu'], MOST_CPU, '.1f')} ms of CPU" for one in told["after_an_update"]),
        "",
        f"The first view of all after a day was published, which reads the day: {told['first_of_all']:.1f} s of CPU.",
        "",
        f"Machine: {told['machine']}",
    ]
    if told["not_there"]:
        lines += ["", f"Not there: {', '.join(told['not_there'])}."]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    head = ["| page | first paint, ms | CPU, ms | CPU of the first view, ms | HTML, kB | sent, kB |"]
    return [
        *head,
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {row['name']} | {_marked(row['paint'], MOST_PAINT, '.0f')} ({row['paint_median']:.0f}) "
            f"| {_marked(row['cpu'], MOST_CPU, '.1f')} | {row['first_view_cpu']:.0f} "
            f"| {_marked(row['html'] / 1000, MOST_BYTES / 1000, '.1f')} | {row['sent'] / 1000:.1f} |"
            for row in rows
        ),
    ]


def _marked(value: float, most: float, form: str) -> str:
    return f"{value:{form}}" if value <= most else f"**{value:{form}}**"


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the book where it is not there, measure, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--book", type=Path, required=True, help="folder of the book; made from --demo if it is not there"
    )
    parser.add_argument("--demo", type=Path, help="a folder of `kizashi demo`")
    parser.add_argument("--loads", type=int, default=LOADS, help="views of a page whose CPU is counted (%(default)s)")
    parser.add_argument("--paints", type=int, default=PAINTS, help="browsers started for a page (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for pages.json and pages.md (%(default)s)")
    given = parser.parse_args(arguments)
    if not given.book.exists():
        if given.demo is None:
            raise SystemExit("There is no book. Make a company with `kizashi demo --out DIR`, then give --demo DIR.")
        page_book.make(given.demo, given.book, page_book.Size())
    with tempfile.TemporaryDirectory() as folder:  # people's accounts and updates do not go into the book
        copy = Path(shutil.copytree(given.book, Path(folder) / "out"))
        told = measure(copy, given.loads, given.paints)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "pages.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    (given.out / "pages.md").write_text(report(told), encoding="utf-8")
    print(report(told))


if __name__ == "__main__":
    main()
