"""From what a user names to clean events: the dates that can be stood on, and the account of every row."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from companies import BEGIN, EVERY_DAYS, SETTINGS, STAYING, regulars, written

from features.errors import SettingsError, TooLittleData
from features.snapshots import Cohort, Window
from models.levels import Promise
from pipelines.intake import FIRST_LOOKBACK_DAYS, Intake, Request, take_in
from pipelines.settings import database_url
from serving.store import Store

#: The day after an order of everybody: the data ends here.
END = BEGIN + timedelta(days=EVERY_DAYS * 10 + 1)


@pytest.fixture
def intake_of(tmp_path: Path) -> Callable[..., Intake]:
    """Takes in order lines of the written company, changed or not."""

    def taken(lines: pd.DataFrame | None = None, settings: str = SETTINGS, as_of: date | None = None) -> Intake:
        data = written(regulars(END) if lines is None else lines, tmp_path / "data", settings)
        return take_in(Request(str(data), tmp_path / "out", as_of))

    return taken


def test_every_row_is_accounted_for_in_the_database(intake_of: Callable[..., Intake]) -> None:
    lines = regulars(END)
    unreadable = lines.head(2).assign(order_id=["B1", "B2"], amount=[float("nan"), float("inf")])
    lines = pd.concat([lines, lines.tail(3), unreadable], ignore_index=True)
    intake = intake_of(lines, SETTINGS + "[quarantine]\nmax_share = 0.05\n")
    [report] = intake.report.tables
    assert (report.quarantined, report.duplicates) == (2, 3)
    with closing(sqlite3.connect(intake.request.out / "kizashi.db")) as con:
        [run] = con.execute("SELECT run_id FROM ingest_run").fetchall()
    with Store.open(database_url(intake.settings, intake.request.out), create=False) as store:
        kept = store.ingest(run[0])
    assert kept is not None
    count = kept.tables["transactions"]
    assert (count.rows_in, count.clean, count.quarantined, count.duplicates) == (len(lines), len(lines) - 5, 2, 3)
    assert sum(count.reasons.values()) == 2
    assert kept.input_fingerprint == intake.events.fingerprint


def test_each_taking_in_has_an_account_of_its_own_and_the_same_fingerprint(intake_of: Callable[..., Intake]) -> None:
    first, second = intake_of(), intake_of()
    assert first.events.fingerprint == second.events.fingerprint
    with closing(sqlite3.connect(second.request.out / "kizashi.db")) as con:
        kept = con.execute("SELECT count(*), count(DISTINCT input_fingerprint) FROM ingest_run").fetchone()
    assert kept == (2, 1)


def test_without_a_date_one_stands_on_the_midnight_after_the_newest_event(intake_of: Callable[..., Intake]) -> None:
    assert intake_of().as_of == END


@pytest.mark.parametrize(("days", "allowed"), [(-1, True), (0, True), (1, False)])
def test_no_date_after_the_end_of_the_data_can_be_stood_on(
    intake_of: Callable[..., Intake], days: int, allowed: bool
) -> None:
    as_of = END + timedelta(days=days)
    if allowed:
        assert intake_of(as_of=as_of).as_of == as_of
        return
    newest = END - timedelta(days=1)
    with pytest.raises(
        SettingsError, match=f"--as-of {as_of} is after the end of the data: .* is of {newest}. Give {END}"
    ):
        intake_of(as_of=as_of)


@pytest.mark.parametrize(("days", "allowed"), [(-1, False), (0, True), (1, True)])
def test_the_first_cutoff_has_a_past_to_look_back_on(
    intake_of: Callable[..., Intake], days: int, allowed: bool
) -> None:
    intake = intake_of()
    last = BEGIN + timedelta(days=FIRST_LOOKBACK_DAYS + days)
    if allowed:
        assert intake.dates_until(last) == [last]
        return
    with pytest.raises(TooLittleData, match=f"{last} is less than 60 days after the first order \\({BEGIN}\\)"):
        intake.dates_until(last)


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (1, ["2024-04-01", "2024-05-01", "2024-06-01", "2024-07-01"]),
        (2, ["2024-05-01", "2024-07-01"]),
        (3, ["2024-04-01", "2024-07-01"]),
    ],
)
def test_cutoffs_go_back_from_the_last_one(intake_of: Callable[..., Intake], every: int, expected: list[str]) -> None:
    intake = intake_of(settings=f"[training]\nslice_every_months = {every}\n")
    assert [str(day) for day in intake.dates_until(date(2024, 7, 1))] == expected


def test_settings_beside_the_data_reach_every_layer(intake_of: Callable[..., Intake]) -> None:
    settings = (
        "[cohort]\nmin_order_days = 4\n[window]\nmin_days = 50\n[lightgbm]\nrounds = 7\n"
        "[training]\nseed = 5\nthreads = 1\n[labels]\ninvoice_latency_days = 3\n[levels.red]\nprecision = 0.8\n"
    )
    intake = intake_of(settings=settings)
    assert intake.cohort() == Cohort(min_order_days=4, max_days_since_last_order=365)
    assert intake.window() == Window(min_days=50)
    walk = intake.walk_options()
    assert (walk.boosting.rounds, walk.seed, walk.threads, walk.invoice_latency_days) == (7, 5, 1, 3)
    assert walk.promises["red"] == Promise(0.8, 0.05)


def test_events_after_the_moment_of_the_run_are_set_aside(tmp_path: Path) -> None:
    lines = regulars(END)
    data = written(lines, tmp_path / "data", "[quarantine]\nmax_share = 0.6\n")
    moment = datetime(2024, 5, 29, 12, tzinfo=UTC)
    intake = take_in(Request(str(data), tmp_path / "out"), run_at=moment)
    late = int((lines["ordered_at"] > moment.replace(tzinfo=None)).sum())
    assert late > len(STAYING)
    assert intake.report.table("transactions").quarantined == late
    assert intake.as_of == BEGIN + timedelta(days=EVERY_DAYS * 7 + 1)  # orders of that very midnight are known
