"""Rows that repeat others: exactly, by their key, or as a restatement of what was known before."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from features.quarantine import ingest
from features.sources import open_source

RUN = datetime(2024, 6, 1, 12, 0)
ORDERS = """customer_id,order_id,ordered_at,amount
A,1,2024-01-10,100
B,2,2024-01-11,20.5
"""


def take_in(folder: Path, tables: dict[str, str]):
    data = folder / "data"
    data.mkdir(exist_ok=True)
    for name, text in ({"transactions": ORDERS} | tables).items():
        (data / f"{name}.csv").write_text(text)
    return ingest(open_source(data), folder / "out", run_at=RUN, timezone="UTC", max_share=1.0)


def quarantined(folder: Path, table: str):
    path = folder / "out" / "quarantine" / f"{table}.parquet"
    return duckdb.sql(f"SELECT row_number, \"column\", value, reason FROM '{path}' ORDER BY row_number").fetchall()


def clean(report, query):
    connection = report.events.connect(0)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def kinds(report, table):
    return {(reason.kind, reason.column): reason.first_rows for reason in report.table(table).reasons}


# --- duplicates ---------------------------------------------------------------------------------------------


def test_rows_equal_in_every_column_are_duplicates_and_the_first_stays(tmp_path):
    again = "A,1,2024-01-10,100\n"
    report = take_in(tmp_path, {"transactions": ORDERS + again + "A,1,2024-01-10,100.00\n" + again})
    table = report.table("transactions")
    assert (table.rows_in, table.clean, table.quarantined, table.duplicates) == (5, 3, 0, 2)


def test_a_file_that_numbers_its_rows_has_no_duplicates(tmp_path):
    lines = "customer_id,order_id,ordered_at,amount,row_no\nA,1,2024-01-10,100,1\nA,1,2024-01-10,100,2\n"
    assert take_in(tmp_path, {"transactions": lines}).table("transactions").duplicates == 0


def test_a_bad_row_that_stands_twice_is_one_bad_row_and_one_duplicate(tmp_path):
    bad = "A,1,never,100\n"
    table = take_in(tmp_path, {"transactions": ORDERS + bad + bad}).table("transactions")
    assert (table.clean, table.quarantined, table.duplicates) == (2, 1, 1)


def test_of_rows_with_the_same_key_the_first_sound_one_stays(tmp_path):
    quotes = """customer_id,quote_id,quoted_at,amount
A,q1,2024-01-01,x
A,q1,2024-01-02,1
A,q1,2024-01-02,1
B,q1,2024-01-03,2
A,q2,2024-01-03,2
"""
    report = take_in(tmp_path, {"quotes": quotes})
    table = report.table("quotes")
    assert (table.rows_in, table.clean, table.quarantined, table.duplicates) == (5, 2, 2, 1)
    assert quarantined(tmp_path, "quotes") == [
        (1, "amount", "x", "not a number"),
        (4, "quote_id", "q1", "the key stands already in row 2"),
    ]
    assert clean(report, "SELECT quote_id, amount FROM quotes ORDER BY 1") == [("q1", 1), ("q2", 2)]


def test_a_person_may_stand_twice_with_other_times_but_not_with_the_same(tmp_path):
    contacts = """customer_id,contact_id,title,valid_from
A,p1,buyer,2020-01-01
A,p1,head,2023-01-01
A,p1,chief,2023-01-01
A,p2,buyer,
A,p2,head,
"""
    report = take_in(tmp_path, {"contacts": contacts})
    assert kinds(report, "contacts") == {("duplicate_key", "customer_id, contact_id, valid_from"): (3, 5)}


# --- restated rows ------------------------------------------------------------------------------------------

QUOTE = "customer_id,quote_id,quoted_at,amount,recorded_at\n"


@pytest.mark.parametrize(
    ("second", "is_version"),
    [
        ("A,q1,2024-01-02,9,2024-01-04", True),  # recorded later
        ("A,q1,2024-01-02,9,2024-01-02", True),  # recorded earlier, and handed over later
        ("A,q1,2024-01-01,9,2024-01-04", True),  # of another own time
        ("A,q1,2024-01-02,9,2024-01-03", False),  # at the same moment
        ("A,q1,2024-01-03,9,", False),  # without a record, its own time counts: the same moment
        ("A,q1,2024-01-02,9,", True),  # ... and here another one
        ("B,q1,2024-01-02,9,2024-01-04", False),  # of another account
    ],
)
def test_a_row_with_the_key_of_another_restates_it_if_it_was_recorded_at_another_moment(tmp_path, second, is_version):
    report = take_in(tmp_path, {"quotes": f"{QUOTE}A,q1,2024-01-02,1,2024-01-03\n{second}\n"})
    assert report.table("quotes").clean == (2 if is_version else 1)
    taken = [] if is_version else [(2, "quote_id", "q1", "the key stands already in row 1")]
    assert quarantined(tmp_path, "quotes") == taken


def test_of_rows_with_one_key_and_no_record_the_first_stays_whatever_their_own_times(tmp_path):
    quotes = "customer_id,quote_id,quoted_at,amount\nA,q1,2024-01-02,1\nA,q1,2024-01-03,2\nA,q1,2024-01-04,2\n"
    take_in(tmp_path, {"quotes": quotes})
    assert [row[0] for row in quarantined(tmp_path, "quotes")] == [2, 3]


def test_versions_of_a_row_are_known_one_after_another(tmp_path):
    lines = "A,q1,2024-01-02,1,\nA,q1,2024-01-02,3,2024-02-01\nA,q1,2024-01-02,2,2024-01-10\n"
    report = take_in(tmp_path, {"quotes": QUOTE + lines + "A,q1,2024-01-02,3,2024-02-01\n"})
    assert report.table("quotes").duplicates == 1
    assert clean(report, "SELECT known_at, amount FROM quotes ORDER BY 1") == [
        (datetime(2024, 1, 2), 1),
        (datetime(2024, 1, 10), 2),
        (datetime(2024, 2, 1), 3),
    ]


def test_an_account_is_not_restated(tmp_path):
    report = take_in(tmp_path, {"customers": "customer_id,rank\nA,A\nB,B\nA,C\n"})
    assert kinds(report, "customers") == {("duplicate_key", "customer_id"): (3,)}
