"""The demonstration: one command in an empty folder, without a network, the same list and pages for everybody."""

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from companies import ALONE, SHORT, Finished, finished, started

from pipelines import demo
from pipelines.settings import Settings, database_url
from serving.ledger import SYSTEM, Event, append
from serving.store import Store
from serving.words import names

#: About the smallest company in which somebody is orange.
SMALL = ["--customers", "160", "--months", "24"]


def can_be_alone() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """The folder and the output of the real command, cut off from every network where the system allows it."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "kizashi.toml").write_text(SHORT)
    return folder, finished(started(["demo", *SMALL], folder, network=not can_be_alone()))


@contextmanager
def pages_of(folder: Path) -> Iterator[tuple[str, str]]:
    """What `kizashi demo --serve` says before it serves, and the link that it gives."""
    process = started(["demo", *SMALL, "--serve", "--port", "0"], folder)
    assert process.stdout is not None
    said = ""
    try:
        while line := process.stdout.readline():
            said += line
            if re.match(r"http://127\.0\.0\.1:\d+/sign-in/\S+$", line):
                yield said, line.strip()
                break
        else:
            raise AssertionError(said + process.communicate()[1])
    finally:
        process.send_signal(signal.SIGINT)
        finished(process)


def morning(output: str) -> list[str]:
    """The part of the output with the morning's list."""
    start, end = output.index("\nRed on"), output.index("\nWhere to look next")
    return output[start:end].splitlines()


def test_the_demonstration_says_whom_to_call_why_and_where_to_look_next(shown: tuple[Path, Finished]) -> None:
    folder, done = shown
    assert done.code == 0, done.err
    listed = morning(done.out)
    assert sum(line.startswith(("Red on 2026-10-01", "Orange on 2026-10-01")) for line in listed) == 4
    assert sum(line.startswith("  ● C") for line in listed) > 0
    assert sum(line.startswith("      - ") for line in listed) > 0
    [explain] = re.findall(r"^  \S*(kizashi explain C\d+ --data \S+ --out \S+)  ", done.out, re.MULTILINE)
    assert "Traceback" not in done.err
    assert (folder / "var" / "demo" / "kizashi.db").is_file()
    told = finished(started(explain.split()[1:], folder))
    assert told.code == 0, told.err
    assert explain.split()[2] in told.out


def test_its_end_says_how_to_see_the_pages(shown: tuple[Path, Finished]) -> None:
    assert re.search(r"\n  \S*kizashi demo --serve --customers 160 --months 24    .*browser\n$", shown[1].out)


def test_two_days_are_published_each_on_its_own_morning(shown: tuple[Path, Finished]) -> None:
    with store_of(shown[0]) as store:
        assert store.day_before(demo.END) == date(2026, 9, 24)
        moments = {event.event.at for event in store.history()}
    assert moments == {datetime(2026, 9, 24, 6, tzinfo=UTC), datetime(2026, 10, 1, 6, tzinfo=UTC)}


def test_its_pages_stand_on_its_last_day_and_need_no_second_training(shown: tuple[Path, Finished]) -> None:
    with pages_of(shown[0]) as (said, link):
        assert "is made already" in said
        address = "{0.scheme}://{0.netloc}".format(urlsplit(link))
        with httpx2.Client(follow_redirects=True, headers={"Origin": address, "Accept-Language": "en"}) as client:
            assert "local" in client.get(link).text
            today = client.post(link)
            assert (today.status_code, str(today.url)) == (200, f"{address}/")
            assert "Oct 1, 2026" in today.text
            assert "Since Sep 24, 2026" in today.text
            assert "no newer day is published" not in today.text
            assert client.post(link).status_code == 410


def test_the_clock_begins_in_the_morning_and_never_goes_back(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'kizashi.db'}") as store:
        moments = [datetime(2027, 3, 1, 23, tzinfo=UTC)]
        clock = demo.clock_of(store, lambda: moments[-1])
        assert clock() == datetime.combine(demo.END, time(8, 30, tzinfo=UTC))
        moments.append(moments[-1] + timedelta(hours=2))
        assert clock() == datetime.combine(demo.END, time(10, 30, tzinfo=UTC))
        with store.writing() as connection:
            append(connection, [Event("export_made", SYSTEM, clock(), {"list": "red", "format": "csv", "rows": 1})])
        assert demo.clock_of(store, lambda: moments[0])() == datetime.combine(demo.END, time(10, 30, tzinfo=UTC))


def test_what_was_made_otherwise_or_not_to_its_end_is_made_again(shown: tuple[Path, Finished], tmp_path: Path) -> None:
    out = shown[0] / "var" / "demo"
    assert demo.is_made(out, 160, 24, 1)
    for made_of in ((161, 24, 1), (160, 25, 1), (160, 24, 2)):
        assert not demo.is_made(out, *made_of)
    assert not demo.is_made(tmp_path, 160, 24, 1)
    shutil.copy(out / demo.MARK, tmp_path)
    assert demo.is_made(tmp_path, 160, 24, 1)
    demo.make_room(tmp_path)
    assert not demo.is_made(tmp_path, 160, 24, 1)


def store_of(folder: Path) -> Store:
    return Store.open(database_url(Settings(), folder / "var" / "demo"), create=False)


def test_the_same_company_again_gives_the_same_list(shown: tuple[Path, Finished]) -> None:
    folder, done = shown
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        again = demo.run(Path("var/demo"), 160, 24, 1)
    levels = again.scored.day.scores["level"].value_counts()
    counts = ", ".join(f"{level} {levels.get(level, 0)}" for level in ("red", "orange", "yellow", "blue", "none"))
    assert f"All 160 customers: {counts}." in done.out
    # the first demonstration is wiped: its champion and its published day do not stand in the way
    assert again.trained.version.number == 1
    assert not again.scored.published.unchanged
    loud = again.scored.day.scores.query("level in ('red', 'orange')")
    listed = re.findall(r"● (C\d+)", done.out)
    further = sum(int(number) for number in re.findall(r"\.\.\. and (\d+) more", done.out))
    assert 0 < len(listed) == len(set(listed)) == len(loud) - further
    assert set(listed) <= set(loud["customer_id"])
    for row in loud[loud["customer_id"].isin(listed)].to_dict("records"):
        days = f"{row['churn_window_days']:.0f} days"
        told = f"{row['churn_probability']:.0%} chance of no order in {days}"
        if row["shown"] != "percent":
            told = names.RISKS[row["model_level"]].format(days=days)
        assert re.search(f"● {row['customer_id']} .*: {told}", done.out)


def test_the_test_says_where_it_could_not_cut_the_network_off() -> None:
    if not can_be_alone():
        pytest.skip("this system cannot run a command without a network (unshare --net): it was run with one")


def test_nothing_of_an_earlier_demonstration_stays(tmp_path: Path) -> None:
    demo.make_room(tmp_path)
    for name in ("data", "events", "mlflow", "populations", "snapshots", "walks"):
        (tmp_path / name).mkdir()
    (tmp_path / "kizashi.db").touch()
    demo.make_room(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [demo.MARK]
