"""Publishers that are killed, and publishers that meet: a day is whole or not there, and published once."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from publishing_child import FIRST_DAY, seen

from serving.store import Store

pytest_plugins = ["databases"]

ROOT = Path(__file__).parents[1]
CHILD = Path(__file__).with_name("publishing_child.py")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the child process forks, which this system cannot")


def lines_of(*arguments: str) -> list[dict[str, object]]:
    """Run the child and return what it printed."""
    child = subprocess.run([sys.executable, str(CHILD), *arguments], capture_output=True, text=True, timeout=300)
    assert child.returncode == 0, child.stderr
    return [json.loads(line) for line in child.stdout.splitlines()]


@pytest.mark.parametrize(("how", "before"), [("fresh", "nothing"), ("supersede", "old")])
def test_a_publisher_killed_at_any_statement_leaves_before_or_after(url: str, how: str, before: str) -> None:
    lines = lines_of("kill", url, how)
    assert [line["died"] for line in lines] == [True] * (len(lines) - 1) + [False]
    assert len(lines) > 25
    # One commit makes the day; after it profiles of older days are looked for.
    flip = [line["seen"] for line in lines].index("new")
    assert [line["seen"] for line in lines] == [before] * flip + ["new"] * (len(lines) - flip)
    assert flip > 20
    assert {(line["then"], line["left"]) for line in lines if "then" in line} == {("new", 0)}


def test_the_same_kills_find_a_careless_publisher_out(url: str) -> None:
    lines = lines_of("kill", url, "naive")
    assert "torn" in {line["seen"] for line in lines}


@pytest.mark.parametrize("data", [("f1", "f1", "f1"), ("f1", "f2", "f3")])
def test_of_processes_that_publish_one_day_at_once_one_wins(
    url: str, tmp_path: Path, data: tuple[str, str, str]
) -> None:
    folder = tmp_path / "announced"
    folder.mkdir()
    outcomes = lines_of("race", url, str(folder), *data)
    loser = "unchanged" if len(set(data)) == 1 else "refused"
    assert Counter(str(outcome["outcome"]) for outcome in outcomes) == {"published": 1, loser: 2}
    winner = next(outcome["name"] for outcome in outcomes if outcome["outcome"] == "published")
    for outcome in outcomes:
        if outcome["outcome"] == "refused":
            assert f"already published by run {winner}" in str(outcome["said"])
        else:
            assert outcome["run_id"] == winner
    assert seen(Store.open(url), FIRST_DAY) == "new"


@pytest.mark.parametrize(("engine", "kills"), [("sqlite", 30), ("postgresql", 10)])
def test_days_with_warnings_tasks_and_notices_survive_kills_and_meetings(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str, kills: int
) -> None:
    server = "sqlite" if engine == "sqlite" else request.getfixturevalue("postgres")
    asked = f"--kills {kills} --naive-kills 6 --customers 40 --days 3 --out {tmp_path}".split()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.store_kills", "--database", server, *asked],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.stderr == ""
    account = json.loads(done.stdout)
    assert account["kills"] == kills
    assert account["lives"] >= 1
    assert account["warnings"] > 0
    for fault in ("neither_before_nor_after", "lost", "doubled", "broken_ledgers", "rebuilt_otherwise", "race_faults"):
        assert account[fault] == 0, account
    assert account["races"] == 3
    assert account["naive_half_published"] > 0, "the same kills find a careless publisher out"
    assert account["naive_doubled"] > 0
    assert "No fault in" in (tmp_path / "store_kills.md").read_text(encoding="utf-8")
