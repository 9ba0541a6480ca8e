"""Ingests that are killed: readers have the events before or the events after, and the next ingest mends the rest."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from features.publication import alone_with

CHILD = Path(__file__).with_name("ingesting_child.py")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the child process forks, which this system cannot")


def lines_of(folder: Path, how: str) -> list[dict[str, object]]:
    """Run the child and return what it printed."""
    child = subprocess.run([sys.executable, str(CHILD), str(folder), how], capture_output=True, text=True, timeout=300)
    assert child.returncode == 0, child.stderr
    return [json.loads(line) for line in child.stdout.splitlines()]


@pytest.mark.parametrize(("how", "steps"), [("first", 4), ("day", 15), ("whole", 15), ("full", 15)])
def test_an_ingest_killed_at_any_step_leaves_the_events_before_or_after(tmp_path: Path, how: str, steps: int) -> None:
    lines = lines_of(tmp_path, how)
    assert [line["died"] for line in lines] == [True] * (len(lines) - 1) + [False]
    assert len(lines) > steps
    states = [line["seen"] for line in lines]
    change = states.index("after")
    assert change > 0
    assert states == ["before"] * change + ["after"] * (len(states) - change)
    assert {(line["then"], line["quarantine"]) for line in lines} == {("after", True)}
    assert [line["left"] for line in lines] == [[]] * len(lines)


def test_the_same_kills_find_a_careless_writer_out(tmp_path: Path) -> None:
    assert "torn" in {line["seen"] for line in lines_of(tmp_path, "careless")}


def test_writers_of_one_folder_wait_for_each_other(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    with alone_with(tmp_path / "events"), pytest.raises(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)
    assert list(tmp_path.iterdir()) == []
