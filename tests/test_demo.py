"""The demonstration: one command in an empty folder, without a network, the same list for everybody."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from companies import ALONE, SHORT, Finished, finished, started

from pipelines import demo
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
    for name in ("data", "events", "mlflow", "snapshots", "walks"):
        (tmp_path / name).mkdir()
    (tmp_path / "kizashi.db").touch()
    demo.make_room(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [demo.MARK]
