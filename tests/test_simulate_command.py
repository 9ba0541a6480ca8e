"""`kizashi simulate` as a stranger meets it, and its folder through the product's own door."""

import json
import os
import re
import sys
import warnings
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from companies import Finished
from simulated import END, normal

from features.contract import CONTRACT
from features.simulate import World, simulate
from pipelines import cli, demo
from pipelines import simulate as command
from pipelines.intake import Request, take_in

#: A company that is drawn in a moment, and has every table.
SMALL = ("--customers", "120", "--months", "12", "--seed", "3")

Run = Callable[..., Finished]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `main` in this process in a folder of its own."""
    monkeypatch.setattr(os, "environ", os.environ.copy())  # noqa: TID251
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(cli, "_leave", sys.exit)
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["kizashi", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return Finished(int(end.value.code or 0), said.out, said.err)

    return called


def same_world(folder: Path, world: World) -> None:
    """The files of a folder hold this world."""
    for name, rows in world.tables.items():
        pd.testing.assert_frame_equal(pd.read_parquet(folder / f"{name}.parquet"), rows)
    for name, rows in world.truth.items():
        pd.testing.assert_frame_equal(pd.read_parquet(folder / "truth" / f"{name}.parquet"), rows)


def test_the_command_writes_the_company_that_its_options_name_and_says_what_it_holds(run: Run, tmp_path: Path) -> None:
    done = run("simulate", *SMALL, "--out", "made")
    assert done.code == 0, done.err
    world = simulate(120, 12, seed=3, end=demo.END)
    same_world(tmp_path / "made", world)
    for name, rows in world.tables.items():
        assert re.search(rf"\b{name}\.parquet\W+{len(rows):,}\W", done.out), name
    losses = world.truth["losses"]
    assert f"Lost: {losses['customer_id'].nunique()} of 120 customers in 12 months" in done.out
    assert f"The truth, which no command reads: {Path('made', 'truth')}" in done.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made"]
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == sorted(
        [*(f"{name}.parquet" for name in world.tables), "truth"]
    )
    stages = [line for line in done.err.splitlines() if line.startswith("- ")]
    assert "- the table transactions" in stages
    assert stages[-1] == "- writing the files"


def test_the_next_command_that_it_names_runs(run: Run) -> None:
    [told] = re.findall(
        r"^Next: \S*kizashi (check .*), then \S*kizashi train --data ",
        run("simulate", *SMALL, "--out", "a b").out,
        re.MULTILINE,
    )
    assert told == "check --data 'a b'"
    checked = run("check", "--data", "a b")
    assert checked.code == 0, checked.err
    assert re.search(r"transactions\W+[\d,]+\W+[\d,]+\W+0\W", checked.out)


def test_the_options_reach_the_world(run: Run, tmp_path: Path) -> None:
    options = [
        "--preset",
        "hard",
        "--policy",
        "none",
        "--end",
        "2024-06-15",
        "--without",
        "finances",
        "--without",
        "quotes",
    ]
    assert run("simulate", *SMALL, *options, "--out", "made").code == 0
    world = simulate(
        120,
        12,
        seed=3,
        preset="hard",
        end=pd.Timestamp(2024, 6, 15).date(),
        policy="none",
        without=["finances", "quotes"],
    )
    same_world(tmp_path / "made", world)
    record = json.loads((tmp_path / "made" / "truth" / "world.json").read_text(encoding="utf-8"))
    assert record["settings"] == {
        "customers": 120, "months": 12, "seed": 3, "preset": "hard", "end": "2024-06-15", "policy": "none",
        "without": ["finances", "quotes"], "dirty": 0.0,
    }  # fmt: skip
    assert {name.split(".")[0] for name in record["rows"]} == set(CONTRACT) - {"finances", "quotes"}


def test_its_own_defaults_are_a_company_that_can_be_trained_on() -> None:
    [defaults] = [one for name, one in cli.typer.main.get_command(cli.app).commands.items() if name == "simulate"]  # type: ignore[attr-defined]
    given = {parameter.name: parameter.default for parameter in defaults.params}
    assert (given["customers"], given["months"], given["preset"], given["seed"]) == (2000, 36, "normal", 1)
    assert (given["policy"], given["dirty"], given["oracle_customers"]) == (None, 0.0, None)


# --- what it may not touch ------------------------------------------------------------------------------------


def one_line(done: Finished, pattern: str) -> None:
    said = [line for line in done.err.splitlines() if not line.startswith("- ")]
    assert done.code == 2, done
    assert len(said) == 1, done.err
    assert re.search(pattern, said[0]), said[0]


def test_a_folder_with_anything_else_in_it_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "transactions.parquet").write_text("years of work")
    one_line(
        run("simulate", *SMALL, "--out", "mine"), "--out mine: holds transactions.parquet, which no simulation has"
    )
    assert (tmp_path / "mine" / "transactions.parquet").read_text() == "years of work"
    one_line(run("simulate", *SMALL, "--out", "mine/transactions.parquet"), "transactions.parquet: is a file. Give")


def test_a_file_that_was_put_beside_a_simulated_company_keeps_it_from_being_replaced(run: Run, tmp_path: Path) -> None:
    run("simulate", *SMALL, "--without", "contacts", "--out", "made")
    before = (tmp_path / "made" / "transactions.parquet").read_bytes()
    (tmp_path / "made" / "contacts.parquet").write_text("of my own")
    one_line(
        run("simulate", *SMALL, "--out", "made"), "--out made: holds contacts.parquet, which no simulation has made"
    )
    assert (tmp_path / "made" / "transactions.parquet").read_bytes() == before
    assert (tmp_path / "made" / "contacts.parquet").read_text() == "of my own"


def test_a_simulated_company_is_replaced_as_a_whole(run: Run, tmp_path: Path) -> None:
    run("simulate", *SMALL, "--dirty", "0.01", "--out", "made")
    assert (tmp_path / "made" / "transactions.csv").is_file()
    assert run("simulate", *SMALL, "--seed", "4", "--out", "made").code == 0
    same_world(tmp_path / "made", simulate(120, 12, seed=4, end=demo.END))
    assert not list((tmp_path / "made").glob("*.csv"))
    assert not (tmp_path / "made" / "truth" / "dirty.parquet").exists()


def test_a_run_that_fails_leaves_what_was_there(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("simulate", *SMALL, "--out", "made")
    before = {path: path.read_bytes() for path in (tmp_path / "made").rglob("*.parquet")}

    def full(_world: World, folder: Path) -> None:
        (folder / "customers.parquet").write_text("half of")
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(command, "write", full)
    one_line(run("simulate", *SMALL, "--seed", "4", "--out", "made"), "No space left on device")
    assert {
        path: path.read_bytes() for path in (tmp_path / "made").rglob("*") if path.is_file() and path.suffix != ".json"
    } == before
    one_line(run("simulate", *SMALL, "--out", "new"), "No space left on device")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (("--preset", "soft"), "expected a preset of easy, normal, hard, null, drift, found 'soft'"),
        (("--policy", "loud"), "expected a policy of none, random, overdue, found 'loud'"),
        (("--without", "transactions"), "without transactions nothing can be said"),
        (("--without", "orders"), "expected to leave out one of customers, .*found 'orders'"),
        (("--dirty", "0.9"), "--dirty"),
        (("--customers", "0"), "--customers"),
        (("--months", "0"), "--months"),
        (("--months", "1000"), "begins in 2000 or later, found 1000 months before 2026-10-01"),
        (("--seed", "-1"), "--seed"),
        (("--end", "1.10.2026"), "'1.10.2026' is no date: write it as 2026-10-01"),
        (("--months", "3", "--oracle-customers", "5"), "expected a start of a month with 90 days after it"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_makes_no_folder(
    run: Run, tmp_path: Path, options: tuple[str, ...], pattern: str
) -> None:
    one_line(run("simulate", *SMALL, *options, "--out", "made"), pattern)
    assert list(tmp_path.iterdir()) == []


# --- the product's own door -----------------------------------------------------------------------------------


def test_nothing_of_a_clean_company_is_set_aside_and_each_row_sent_twice_is_seen(tmp_path: Path) -> None:
    world = command.run(tmp_path / "data", 150, 15, preset="normal", seed=5, end=END)
    intake = take_in(Request(str(tmp_path / "data"), tmp_path / "out"))
    assert [report.table for report in intake.report.tables] == list(CONTRACT)
    for report in intake.report.tables:
        rows = world.tables[report.table]
        assert (report.rows_in, report.quarantined) == (len(rows), 0), report.reasons
        assert report.duplicates == rows.duplicated().sum()
    assert END - timedelta(days=7) < intake.as_of <= END


def test_of_a_dirty_company_exactly_the_dirty_rows_are_set_aside(tmp_path: Path) -> None:
    settings = tmp_path / "kizashi.toml"
    settings.write_text("[quarantine]\nmax_share = 0.05\n", encoding="utf-8")
    world = command.run(tmp_path / "data", 150, 15, preset="normal", seed=5, end=END, dirty=0.05)
    intake = take_in(Request(str(tmp_path / "data"), tmp_path / "out", config=settings))
    dirty = world.truth["dirty"]
    for report in intake.report.tables:
        rows, mine = world.tables[report.table], dirty[dirty["table"] == report.table]
        refused = pd.read_parquet(intake.events.folder / "quarantine" / f"{report.table}.parquet")
        assert sorted(refused["row_number"]) == sorted(mine["row_number"])
        assert report.rows_in == len(rows) + len(mine) == report.clean + report.quarantined + report.duplicates
        assert report.clean == len(rows.drop_duplicates())


def test_one_row_in_a_hundred_passes_with_the_settings_as_they_are_and_changes_no_clean_event(tmp_path: Path) -> None:
    prints, refused = set(), []
    for dirty in (0.0, 0.01):
        command.run(tmp_path / str(dirty), 120, 12, preset="normal", seed=5, end=END, dirty=dirty)
        report = take_in(Request(str(tmp_path / str(dirty)), tmp_path / "out")).report
        prints.add(report.events.fingerprint)
        refused.append(sum(table.quarantined for table in report.tables))
    assert len(prints) == 1
    assert refused[0] == 0
    assert refused[1] > 50


# --- the oracles ----------------------------------------------------------------------------------------------


def test_the_oracles_look_at_the_last_starts_of_a_month_whose_outcome_is_known() -> None:
    long, short = (simulate(5, months, seed=1, preset=normal(), end=demo.END) for months in (36, 6))
    dates = command.oracle_dates(long)
    assert (len(dates), dates[0].isoformat(), dates[-1].isoformat()) == (12, "2025-08-01", "2026-07-01")
    # 90 days after 1 July it is 29 September: over by the extract on 1 October. On 1 April 2026 the history begins.
    assert [day.isoformat() for day in command.oracle_dates(short)] == ["2026-05-01", "2026-06-01", "2026-07-01"]


def test_without_a_word_on_them_the_oracles_look_at_some_customers_where_the_history_allows(
    run: Run, tmp_path: Path
) -> None:
    run("simulate", *SMALL, "--out", "made")
    told = pd.read_parquet(tmp_path / "made" / "truth" / "oracles.parquet")
    assert 0 < told["customer_id"].nunique() <= command.ORACLE_CUSTOMERS
    assert run("simulate", "--customers", "20", "--months", "3", "--out", "short").code == 0
    assert not (tmp_path / "short" / "truth" / "oracles.parquet").exists()


def test_what_a_killed_run_left_behind_is_in_nobody_s_way(run: Run, tmp_path: Path) -> None:
    (tmp_path / "made" / ".simulating-x").mkdir(parents=True)
    (tmp_path / "made" / ".simulating-x" / "customers.parquet").write_text("half")
    assert run("simulate", *SMALL, "--oracle-customers", "0", "--out", "made").code == 0
    assert not (tmp_path / "made" / ".simulating-x").exists()


def test_the_oracles_are_written_beside_the_truth(run: Run, tmp_path: Path) -> None:
    done = run("simulate", *SMALL, "--oracle-customers", "10", "--out", "made")
    assert done.code == 0, done.err
    told = pd.read_parquet(tmp_path / "made" / "truth" / "oracles.parquet")
    assert set(told["oracle"]) == {"latent_state", "particle_filter"}
    assert 0 < told["customer_id"].nunique() <= 10
    assert told["as_of"].max() == pd.Timestamp(2026, 7, 1)
    horizons = [told[f"p_no_order_{days}"] for days in (30, 60, 90, 180)]
    assert all((later <= sooner + 1e-9).all() for sooner, later in pairwise(horizons))
