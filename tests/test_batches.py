"""What of a source has to be read again: nothing, what is new, a table, or all of it."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from feeds import ORDERS, RUN, content, rows, second_day_to_come, take_in, write

from features import batches
from features.quarantine import ingest
from features.sources import open_source


@pytest.fixture
def two_days(tmp_path: Path) -> Path:
    """A folder with ``data`` of two days, of which the first is taken in, in four buckets, in ``out``."""
    return second_day_to_come(tmp_path)


def touched(folder: Path) -> None:
    os.utime(folder / "data" / "transactions" / "2024-05-01.csv")


def rewritten_in_the_same_tick(folder: Path) -> None:
    path = folder / "data" / "transactions" / "2024-05-01.csv"
    stamp = path.stat().st_mtime_ns
    path.write_text(path.read_text().replace("20.5", "30.5"))
    os.utime(path, ns=(stamp, stamp))


def test_a_file_with_another_time_of_change_is_the_same_file(two_days: Path) -> None:
    touched(two_days)
    assert take_in(two_days / "data", two_days / "out").taken.whole == {}


def test_a_file_that_changed_just_after_it_was_read_is_another_file(two_days: Path) -> None:
    rewritten_in_the_same_tick(two_days)
    report = take_in(two_days / "data", two_days / "out")
    assert report.taken.whole == {"transactions": "transactions/2024-05-01.csv changed"}
    assert rows(report, "SELECT amount FROM transactions WHERE order_id = '2'") == [(30.5,)]


# --- what has to be read again ------------------------------------------------------------------------------


def altered(folder: Path) -> None:
    write(folder / "data", "transactions/2024-05-01.csv", ORDERS + "A,1,2024-05-01,1\n")


def gone(folder: Path) -> None:
    (folder / "data" / "quotes" / "2024-05-01.csv").unlink()


def brings_a_column(folder: Path) -> None:
    text = "customer_id,order_id,ordered_at,amount,quantity\nA,9,2024-05-02,1,2\n"
    write(folder / "data", "transactions/2024-05-02b.csv", text)


def becomes_one_file(folder: Path) -> None:
    (folder / "data" / "quotes" / "2024-05-02.csv").unlink()
    (folder / "data" / "quotes" / "2024-05-01.csv").rename(folder / "data" / "quotes.csv")
    (folder / "data" / "quotes").rmdir()


def is_new(folder: Path) -> None:
    write(folder / "data", "services.csv", "customer_id,ticket_id,kind,opened_at\nA,1,repair,2024-05-01\n")


@pytest.mark.parametrize(
    ("change", "table", "reason"),
    [
        (altered, "transactions", "transactions/2024-05-01.csv changed"),
        (gone, "quotes", "quotes/2024-05-01.csv is gone"),
        (brings_a_column, "transactions", "transactions/: a new file brings the columns ['quantity']"),
        (becomes_one_file, "quotes", "2024-05-01.csv is gone"),
        (is_new, "services", "services.csv is a new table"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_table_is_taken_whole_where_its_files_do_not_just_go_on(
    two_days: Path, change: Callable[[Path], None], table: str, reason: str
) -> None:
    change(two_days)
    report = take_in(two_days / "data", two_days / "out")
    assert report.taken.kind == "incremental"
    assert report.taken.whole == {table: reason}
    assert content(report) == content(take_in(two_days / "data", two_days / "all", buckets=4))


def test_another_mapping_of_a_table_reads_that_table_again(two_days: Path) -> None:
    mappings = {"quotes": {"columns": {"asked_discount": {"value": "0.1"}}}}
    report = take_in(two_days / "data", two_days / "out", mappings=mappings)
    assert report.taken.whole == {"quotes": "the mapping of quotes or the contract changed"}
    assert set(rows(report, "SELECT asked_discount FROM quotes")) == {(0.1,)}


def a_parent(folder: Path) -> None:
    write(folder / "data", "customers.csv", "customer_id,rank,parent_id\nA,A,\nB,A,A\n")


def one_customer_less(folder: Path) -> None:
    write(folder / "data", "customers.csv", "customer_id,rank\nA,A\n")


def no_customers(folder: Path) -> None:
    (folder / "data" / "customers.csv").unlink()


def a_part_is_lost(folder: Path) -> None:
    next((folder / "out" / "transactions").rglob("part-0.parquet")).unlink()


def damaged(folder: Path) -> None:
    (folder / "out" / "manifest.json").write_text("{")


def of_another_duckdb(folder: Path) -> None:
    path = folder / "out" / "manifest.json"
    path.write_text(path.read_text().replace(f'"duckdb": "{duckdb.__version__}"', '"duckdb": "1.0"'))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (a_parent, "1 accounts are not among the customers any more or belong to another bucket"),
        (one_customer_less, "1 accounts are not among the customers any more or belong to another bucket"),
        (no_customers, "the table customers is gone"),
        (a_part_is_lost, "part-0.parquet is missing"),
        (damaged, "the manifest of what was taken in before is of another format or damaged"),
        (of_another_duckdb, "DuckDB was 1.0 and is"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_everything_is_read_again_where_the_events_cannot_go_on(
    two_days: Path, change: Callable[[Path], None], reason: str
) -> None:
    change(two_days)
    report = take_in(two_days / "data", two_days / "out", buckets=4)
    assert report.taken.kind == "full"
    assert reason in report.taken.reason
    assert content(report) == content(take_in(two_days / "data", two_days / "all", buckets=4))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"buckets": 2}, "2 instead of 4 buckets are asked for"),
        ({"timezone": "Asia/Tokyo"}, "the zone was UTC and is Asia/Tokyo"),
        ({"run_at": datetime(2024, 4, 30)}, "the run is at 2024-04-30 00:00:00, before rows of transactions that"),
    ],
    ids=["buckets", "zone", "moment"],
)
def test_everything_is_read_again_on_other_terms(two_days: Path, settings: dict[str, object], reason: str) -> None:
    given = {"run_at": RUN, "timezone": "UTC", "max_share": 1.0, **settings}
    report = ingest(open_source(two_days / "data"), two_days / "out", **given)
    assert report.taken.kind == "full"
    assert reason in report.taken.reason
    given = {"buckets": report.events.buckets, **given}
    assert content(report) == content(ingest(open_source(two_days / "data"), two_days / "all", **given))


def test_everything_is_read_again_once_the_lines_are_more_than_twice_what_the_buckets_are_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("buckets", "taking"):
        monkeypatch.setattr(f"features.{module}.LINES_PER_BUCKET", 2)
    seen = []
    for day in range(1, 6):  # lines: 2, 4, 6, 8, 10
        lines = "".join(f"C{line},{day},2024-05-0{day},1\n" for line in range(2))
        write(tmp_path / "data", f"transactions/{day}.csv", ORDERS + lines)
        report = take_in(tmp_path / "data", tmp_path / "out")
        seen.append((report.taken.kind, report.events.buckets))
    one, three = [("full", 1), ("incremental", 1)], [("full", 3), ("incremental", 3), ("incremental", 3)]
    assert seen == one + three


def test_a_table_of_very_many_parts_is_joined(two_days: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_BATCHES", 1)
    report = take_in(two_days / "data", two_days / "out")
    reason = "the parts of 1 batches are joined"
    assert report.taken.whole == {"transactions": reason, "quotes": reason}
    assert {len(names) for buckets in report.events.parts.values() for names in buckets} <= {0, 1}


def test_a_database_has_nothing_by_which_to_tell_what_is_new(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "crm.duckdb") as base:
        base.execute("CREATE TABLE transactions AS SELECT 'A' AS customer_id, 1 AS order_id, DATE '2024-05-01' AS "
                     "ordered_at, 5 AS amount")  # fmt: skip
    for _ in range(2):
        source = open_source(f"duckdb:///{tmp_path}/crm.duckdb")
        report = ingest(source, tmp_path / "out", run_at=RUN, timezone="UTC")
    assert report.taken.kind == "full"
    assert report.taken.reason == "crm.duckdb transactions has no files by which to tell what is new"


def test_what_the_manifest_says_of_the_next_ingest_is_plain_data(two_days: Path) -> None:
    report = take_in(two_days / "data", two_days / "out")
    manifest = json.loads((two_days / "out" / "manifest.json").read_text())
    assert manifest["taken"] == json.loads(json.dumps(report.to_dict()["taken"]))
    state = batches.State.from_manifest(manifest)
    assert json.loads(json.dumps(state.to_dict())) == manifest["state"]
    names = [file.name for file in state.tables["transactions"].files]
    assert names == ["2024-05-01.csv", "2024-05-02.csv"]


@pytest.mark.parametrize(
    ("taken", "words"),
    [
        (batches.Taken("full", "x.csv changed"), "Everything was read: x.csv changed."),
        (batches.Taken("incremental", "", {}, {}, {}), "Nothing was new."),
        (
            batches.Taken("incremental", "", {"quotes": ("1", "2", "3", "4")}, {"customers": "new"}, {"quotes": 2}),
            "Read: 4 new in quotes (1, 2, 3, ...); customers whole (new); 2 rows of quotes that had been set aside.",
        ),
    ],
    ids=["full", "nothing", "some"],
)
def test_what_was_read_is_said_in_one_line(taken: batches.Taken, words: str) -> None:
    assert taken.words == words
