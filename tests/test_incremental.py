"""Files taken in one by one end in the events that all of them at once would give, and only what is new is read."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

import random
from datetime import datetime, timedelta
from hashlib import md5
from pathlib import Path

import duckdb
import pytest
from feeds import DAYS, ORDERS, QUOTES, RUN, content, files, rows, second_day_to_come, take_in, write, write_day

from features import taking
from features.errors import ColumnsMissing, QuarantineLimit, SourceError


@pytest.fixture
def two_days(tmp_path: Path) -> Path:
    """A folder with ``data`` of two days, of which the first is taken in, in four buckets, in ``out``."""
    return second_day_to_come(tmp_path)


# --- day by day is all at once ------------------------------------------------------------------------------


@pytest.mark.parametrize("buckets", [1, 4])
def test_days_taken_in_one_by_one_give_what_all_at_once_give(tmp_path: Path, buckets: int) -> None:
    data = tmp_path / "data"
    for number, day in enumerate(DAYS):
        write_day(data, day)
        run_at = datetime(2024, 5, 2, 12) + timedelta(days=number)
        one_by_one = take_in(data, tmp_path / "days", run_at=run_at, buckets=buckets)
        at_once = take_in(data, tmp_path / day, run_at=run_at, buckets=buckets)
        assert content(one_by_one) == content(at_once)
        assert at_once.taken.kind == "full"
        assert one_by_one.taken.kind == ("incremental" if number else "full")
    table = one_by_one.table("transactions")
    assert (table.rows_in, table.clean, table.quarantined, table.duplicates) == (10, 6, 2, 2)
    quotes = one_by_one.table("quotes")
    assert (quotes.rows_in, quotes.clean, quotes.quarantined, quotes.duplicates) == (7, 4, 3, 0)


def feed(rng: random.Random, data: Path, day: int, earlier: dict[str, list[str]]) -> None:
    """One more file a table, of rows that are often bad, known from before, late, restated or of nobody."""
    for table, head in (("transactions", ORDERS.replace("\n", ",recorded_at\n")), ("quotes", QUOTES)):
        lines = earlier[table] if rng.random() < 0.2 else []
        for _ in range(rng.randint(1, 6)):
            when = rng.choice([f"2024-05-{day:02d}", f"2024-05-{max(1, day - 2):02d}", "2024-07-01", "never"])
            recorded = rng.choice(["", f"2024-05-{day:02d}", f"2024-05-{day + 1:02d}"])
            key = rng.randint(1, 4)
            lines.append(f"{rng.choice('AABCDE')},{key},{when},{rng.choice(['5', '7.50', 'x'])},{recorded}\n")
        lines += rng.sample(earlier[table], min(2, len(earlier[table])))
        earlier[table] = list(dict.fromkeys(earlier[table] + lines))
        name = f"{table}/{day if rng.random() < 0.8 else 9 - day:02d}-{day}"
        path = write(data, f"{name}.csv", head + "".join(lines))
        if rng.random() < 0.5:
            duckdb.execute(f"COPY (FROM read_csv('{path}', all_varchar = true)) TO '{data / name}.parquet'")
            path.unlink()
    known = "".join(f"{account},B\n" for account in "ABCD"[: rng.choice([2, 2, 3, 4])])
    write(data, "customers.csv", f"customer_id,rank\n{known}")


@pytest.mark.parametrize("seed", range(4))
def test_any_feed_taken_in_file_by_file_gives_what_all_at_once_give(tmp_path: Path, seed: int) -> None:
    rng, earlier = random.Random(seed), {"transactions": ["A,0,2024-05-01,5,\n"], "quotes": []}
    write(tmp_path / "data", "transactions/00.csv", ORDERS + "A,0,2024-05-01,5\n")
    for day in range(1, 5):
        feed(rng, tmp_path / "data", day, earlier)
        # the fourth run stands after the rows that lie in the future of the others
        run_at = RUN + timedelta(days=30 if day == 4 else 0)
        one_by_one = take_in(tmp_path / "data", tmp_path / "days", run_at=run_at, buckets=2)
    assert content(one_by_one) == content(take_in(tmp_path / "data", tmp_path / "all", run_at=run_at, buckets=2))


def test_days_that_arrive_out_of_order_give_the_same_events(tmp_path: Path) -> None:
    for day in ("2024-05-03", "2024-05-01", "2024-05-02"):
        write_day(tmp_path / "data", day)
        write(tmp_path / "data", "customers.csv", "customer_id,rank\nA,A\nB,A\nC,A\n")
        report = take_in(tmp_path / "data", tmp_path / "days")
    assert content(report) == content(take_in(tmp_path / "data", tmp_path / "all"))
    assert report.taken.whole == {
        "transactions": "transactions/: a new file stands before rows that it repeats"
    }  # the unreadable line of the second day stood in the third already


def test_rows_are_equal_only_if_their_values_are_whatever_their_hashes_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("judging", "duplicates"):
        monkeypatch.setattr(f"features.{module}.row_hash", lambda *_: "hash(1)")
    for day in DAYS:
        write_day(tmp_path / "data", day)
        report = take_in(tmp_path / "data", tmp_path / "days")
    monkeypatch.undo()
    assert content(report) == content(take_in(tmp_path / "data", tmp_path / "all"))


def test_a_row_that_comes_again_as_another_type_is_the_same_row(tmp_path: Path) -> None:
    columns = "'A' AS customer_id, {} AS order_id, {} AS ordered_at, {} AS amount"
    first = columns.format("7", "DATE '2024-05-01'", "1.5::DOUBLE")
    again = columns.format("7::DOUBLE", "TIMESTAMP '2024-05-01'", "1.50::DECIMAL(9,2)") + ", NULL AS quantity"
    other = columns.format("7::DOUBLE", "TIMESTAMP '2024-05-01 00:00:01'", "1.50::DECIMAL(9,2)")
    folder = tmp_path / "data" / "transactions"
    folder.mkdir(parents=True)
    duckdb.execute(f"COPY (SELECT {first}, 3 AS quantity UNION ALL SELECT {first}, NULL) TO '{folder}/1.parquet'")
    take_in(tmp_path / "data", tmp_path / "out")
    duckdb.execute(f"COPY (SELECT {again}) TO '{folder}/2.parquet'")
    duckdb.execute(f"COPY (SELECT {first} UNION ALL SELECT {other}) TO '{folder}/3.parquet'")
    table = take_in(tmp_path / "data", tmp_path / "out").table("transactions")
    assert (table.rows_in, table.clean, table.duplicates) == (5, 3, 2)


# --- what is read and written -------------------------------------------------------------------------------


def test_a_new_file_adds_parts_in_the_buckets_of_its_customers_and_touches_nothing_else(two_days: Path) -> None:
    before = files(two_days / "out")
    report = take_in(two_days / "data", two_days / "out")
    after = files(two_days / "out")
    replaced = {"manifest.json", "quarantine/transactions.parquet", "quarantine/quotes.parquet"}
    replaced |= {"taken/transactions/refused-0.parquet", "taken/quotes/refused-0.parquet"}
    assert {name for name in before if after.get(name) != before[name]} == replaced
    bucket_a, bucket_b = (int.from_bytes(md5(name).digest()[8:], "little") % 4 for name in (b"A", b"B"))
    assert {name for name in after if name not in before} == {
        f"transactions/bucket={bucket_b}/part-1.parquet",  # the late line, B's
        f"quotes/bucket={bucket_a}/part-1.parquet",  # the restatement, A's
        *(f"taken/{table}/{what}-1.parquet" for table in ("transactions", "quotes") for what in ("hashes", "refused")),
    }
    assert report.taken.files == {"transactions": ("2024-05-02.csv",), "quotes": ("2024-05-02.csv",)}
    assert report.taken.words == "Read: 1 new in transactions (2024-05-02.csv); 1 new in quotes (2024-05-02.csv)."


def test_where_nothing_is_new_nothing_is_read_and_nothing_is_written(
    two_days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = take_in(two_days / "data", two_days / "out")
    before = files(two_days / "out")
    monkeypatch.setattr("features.sources._FileSource.open", lambda *_: pytest.fail("a table was opened"))
    again = take_in(two_days / "data", two_days / "out")
    assert files(two_days / "out") == before
    assert content(again) == content(first)
    assert again.taken.words == "Nothing was new."


def test_the_number_of_buckets_stays_as_it_was(two_days: Path) -> None:
    assert take_in(two_days / "data", two_days / "out").events.buckets == 4


def test_a_small_table_that_changed_is_read_whole_and_the_others_are_not(two_days: Path) -> None:
    take_in(two_days / "data", two_days / "out")
    before = files(two_days / "out")
    write(two_days / "data", "customers.csv", "customer_id,rank\nA,D\nB,A\n")
    report = take_in(two_days / "data", two_days / "out")
    assert report.taken.whole == {"customers": "customers.csv changed"}
    assert rows(report, "SELECT customer_id, rank FROM customers") == [("A", "D"), ("B", "A")]
    assert content(report) == content(take_in(two_days / "data", two_days / "all", buckets=4))
    unchanged = {name for name, held in files(two_days / "out").items() if before.get(name) == held}
    assert {name for name in before if name.startswith(("transactions", "quotes"))} <= unchanged


# --- rows that were set aside -------------------------------------------------------------------------------


def test_an_account_that_becomes_known_lets_in_its_earlier_rows(tmp_path: Path) -> None:
    for day in list(DAYS)[:2]:
        write_day(tmp_path / "data", day)
        report = take_in(tmp_path / "data", tmp_path / "out", buckets=2)
    assert [reason.kind for reason in report.table("transactions").reasons] == ["not_a_number", "unknown_customer"]
    write(tmp_path / "data", "customers.csv", "customer_id,rank\nA,A\nB,A\nC,A\n")
    report = take_in(tmp_path / "data", tmp_path / "out")
    assert [reason.kind for reason in report.table("transactions").reasons] == ["not_a_number"]
    assert report.taken.retried == {"transactions": 1}
    assert "1 rows of transactions that had been set aside" in report.taken.words
    assert rows(report, "SELECT order_id FROM transactions WHERE customer_id = 'C'") == [("3",)]
    assert content(report) == content(take_in(tmp_path / "data", tmp_path / "all", buckets=2))


@pytest.mark.parametrize(("run_at", "known"), [("2024-05-03T23:59:59", False), ("2024-05-04T00:00:00", True)])
def test_a_row_of_the_future_is_let_in_once_its_moment_has_come(tmp_path: Path, run_at: str, known: bool) -> None:
    write_day(tmp_path / "data", "2024-05-01")
    take_in(tmp_path / "data", tmp_path / "out", run_at=datetime(2024, 5, 2, 12))
    moment = datetime.fromisoformat(run_at)
    report = take_in(tmp_path / "data", tmp_path / "out", run_at=moment)
    assert (rows(report, "SELECT order_id FROM transactions WHERE order_id = '4'") == [("4",)]) is known
    assert report.taken.retried == ({"transactions": 1} if known else {})
    assert content(report) == content(take_in(tmp_path / "data", tmp_path / "all", run_at=moment))


def test_rows_of_one_file_with_a_key_are_judged_anew_with_their_table(tmp_path: Path) -> None:
    write(tmp_path / "data", "transactions.csv", ORDERS + "A,1,2024-05-01,5\n")
    write(tmp_path / "data", "quotes.csv", QUOTES + "C,q1,2024-05-01,1,\nA,q1,2024-05-01,1,\n")
    write(tmp_path / "data", "customers.csv", "customer_id\nA\n")
    take_in(tmp_path / "data", tmp_path / "out")
    write(tmp_path / "data", "customers.csv", "customer_id\nA\nC\n")
    report = take_in(tmp_path / "data", tmp_path / "out")
    assert report.taken.whole["quotes"] == "rows that were set aside may be sound by now"
    assert rows(report, "SELECT customer_id FROM quotes") == [("C",)]  # its row stands first
    assert content(report) == content(take_in(tmp_path / "data", tmp_path / "all"))


def test_the_share_of_bad_rows_is_that_of_all_files_of_a_table(tmp_path: Path) -> None:
    sound = "".join(f"A,{line},2024-05-01,1\n" for line in range(9))
    write(tmp_path / "data", "transactions/1.csv", ORDERS + sound + "A,9,never,1\n")
    take_in(tmp_path / "data", tmp_path / "out", max_share=0.1)
    write(tmp_path / "data", "transactions/2.csv", ORDERS + "A,5,never,1\n")
    before = files(tmp_path / "out")
    with pytest.raises(QuarantineLimit, match=r"^transactions/: 2 of 11 rows .*\(rows 1.csv 10, 2.csv 1\)"):
        take_in(tmp_path / "data", tmp_path / "out", max_share=0.1)
    assert files(tmp_path / "out") == before
    assert take_in(tmp_path / "data", tmp_path / "out", max_share=0.2).table("transactions").quarantined == 2
    with pytest.raises(QuarantineLimit, match="2 of 11 rows"):  # a narrower limit holds for what was taken in, too
        take_in(tmp_path / "data", tmp_path / "out", max_share=0.1)


# --- errors -------------------------------------------------------------------------------------------------


def test_a_new_file_without_a_required_column_is_named_and_nothing_is_written(two_days: Path) -> None:
    write(two_days / "data", "transactions/2024-05-03.csv", "customer_id,order_id,date,amount\nA,1,2024-05-01,5\n")
    before = files(two_days / "out")
    with pytest.raises(ColumnsMissing, match=r"^transactions/2024-05-03.csv: 1 column is missing: \['ordered_at'\]"):
        take_in(two_days / "data", two_days / "out")
    assert files(two_days / "out") == before
    assert sorted(path.name for path in two_days.iterdir()) == ["data", "out"]


def test_a_file_that_changes_while_it_is_read_stops_the_run(two_days: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = taking.measure

    def meanwhile(*given: object) -> object:
        write(two_days / "data", "transactions/2024-05-02.csv", ORDERS + "A,1,2024-05-02,1\n")
        return measured(*given)

    monkeypatch.setattr(taking, "measure", meanwhile)
    before = files(two_days / "out")
    with pytest.raises(SourceError, match=r"^transactions/: 2024-05-02.csv changed while it was read. Run again"):
        take_in(two_days / "data", two_days / "out")
    assert files(two_days / "out") == before


def test_a_quarantine_that_is_not_that_of_the_events_is_written_anew(two_days: Path) -> None:
    report = take_in(two_days / "data", two_days / "out")
    held = content(report)
    for table, spoil in (("transactions", Path.unlink), ("quotes", lambda path: path.write_bytes(b"PAR1"))):
        spoil(two_days / "out" / "quarantine" / f"{table}.parquet")
    assert content(take_in(two_days / "data", two_days / "out")) == held
