"""Clean events: one bucket per customer, every table in sight, the same content whatever the buckets."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

import hashlib
import json
import pickle
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from features.buckets import default_buckets, read_events
from features.contract import CONTRACT, KNOWN_AT
from features.engines import map_buckets
from features.errors import SourceError
from features.quarantine import ingest
from features.sources import open_source

RUN = datetime(2024, 6, 1)

CUSTOMERS = """customer_id,name,parent_id,segment
A,Alpha,,gold
B,Beta,A,gold
C,Gamma,,
D,Delta,,iron
"""
TRANSACTIONS = """customer_id,order_id,ordered_at,amount
A,1,2024-01-10,100
B,2,2024-01-11,20.5
C,3,2024-01-12T23:00:00,-3
D,4,2024-02-01,7
A,5,2024-02-02,1
"""
ABSENCES = """owner,starts_at
kim,2024-03-01
"""


def events_of(folder: Path, buckets=None, transactions=TRANSACTIONS, out="events"):
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "customers.csv").write_text(CUSTOMERS)
    (source / "transactions.csv").write_text(transactions)
    (source / "absences.csv").write_text(ABSENCES)
    return ingest(open_source(source), folder / out, run_at=RUN, timezone="UTC", buckets=buckets).events


def rows(events, bucket, query):
    connection = events.connect(bucket)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_everything_about_a_customer_and_its_parent_lies_in_one_bucket(tmp_path):
    events = events_of(tmp_path, buckets=4)
    place = {}
    for bucket in range(4):
        for table in ("customers", "transactions"):
            for (customer,) in rows(events, bucket, f"SELECT DISTINCT customer_id FROM {table}"):
                place.setdefault(customer, set()).add(bucket)
    assert {customer: len(buckets) for customer, buckets in place.items()} == {"A": 1, "B": 1, "C": 1, "D": 1}
    assert place["B"] == place["A"]


def test_a_bucket_is_the_same_in_every_run_on_every_machine(tmp_path):
    events = events_of(tmp_path, buckets=8)
    found = {
        customer: bucket
        for bucket in range(8)
        for (customer,) in rows(events, bucket, "SELECT customer_id FROM customers WHERE parent_id IS NULL")
    }
    digests = {customer: hashlib.md5(customer.encode()).digest() for customer in "ACD"}
    assert found == {customer: int.from_bytes(digest[8:], "little") % 8 for customer, digest in digests.items()}


def test_a_table_without_customers_is_seen_from_every_bucket(tmp_path):
    events = events_of(tmp_path, buckets=3)
    assert [rows(events, bucket, "SELECT owner FROM absences") for bucket in range(3)] == [[("kim",)]] * 3


def test_a_table_that_the_source_lacks_is_an_empty_view_with_its_types(tmp_path):
    events = events_of(tmp_path)
    described = {name: kind for name, kind, *_ in rows(events, 0, "DESCRIBE quotes")}
    assert described == {
        "customer_id": "VARCHAR",
        "quote_id": "VARCHAR",
        "quoted_at": "TIMESTAMP",
        "amount": "DECIMAL(18,4)",
        "asked_discount": "DOUBLE",
        "status": "VARCHAR",
        "closed_at": "TIMESTAMP",
        "recorded_at": "TIMESTAMP",
        "known_at": "TIMESTAMP",
    }
    assert rows(events, 0, "SELECT * FROM quotes") == []
    assert "quotes" not in events.columns


@pytest.mark.parametrize("bucket", range(3))
def test_every_view_has_every_column_of_its_table_in_the_contract_s_types(tmp_path, bucket):
    events = events_of(tmp_path, buckets=3)
    for table in CONTRACT.values():
        described = {name: kind for name, kind, *_ in rows(events, bucket, f"DESCRIBE {table.name}")}
        wanted = {column.name: column.sql_type for column in table.columns} | {KNOWN_AT: "TIMESTAMP"}
        further = {"segment": "VARCHAR"} if table.name == "customers" else {}
        assert described == wanted | further


def test_the_columns_that_the_source_really_has_are_named(tmp_path):
    events = events_of(tmp_path)
    assert events.columns["transactions"] == ("customer_id", "order_id", "ordered_at", "amount")
    assert events.columns["customers"] == ("customer_id", "name", "parent_id")
    assert events.further == ("segment",)
    assert rows(events, 0, "SELECT segment FROM customers ORDER BY customer_id") == [
        ("gold",),
        ("gold",),
        (None,),
        ("iron",),
    ]


@pytest.mark.parametrize(
    ("newest", "data_end"),
    [
        ("2024-02-02", date(2024, 2, 3)),
        ("2024-02-02T00:00:01", date(2024, 2, 3)),
        ("2024-02-02T23:59:59", date(2024, 2, 3)),
        ("2024-02-03", date(2024, 2, 4)),
    ],
)
def test_data_end_is_the_first_midnight_that_sees_the_newest_order(tmp_path, newest, data_end):
    events = events_of(tmp_path, transactions=TRANSACTIONS + f"A,6,{newest},1\n")
    assert events.data_end == data_end


def test_the_fingerprint_knows_neither_the_order_of_rows_nor_the_buckets(tmp_path):
    head, *lines = TRANSACTIONS.splitlines(keepends=True)
    backwards = "".join([head, *reversed(lines)])
    first = events_of(tmp_path)
    assert events_of(tmp_path, buckets=5, transactions=backwards, out="again").fingerprint == first.fingerprint


@pytest.mark.parametrize(
    "changed",
    [
        TRANSACTIONS.replace("20.5", "20.6"),
        TRANSACTIONS.replace("B,2", "C,2"),
        TRANSACTIONS + "D,6,2024-02-01,7\n",
        TRANSACTIONS.replace("A,5,2024-02-02,1\n", ""),
    ],
    ids=["amount", "customer", "one more", "one less"],
)
def test_the_fingerprint_knows_the_content(tmp_path, changed):
    assert events_of(tmp_path).fingerprint != events_of(tmp_path, transactions=changed, out="again").fingerprint


def test_events_read_back_are_those_that_were_written(tmp_path):
    written = events_of(tmp_path, buckets=2)
    assert read_events(tmp_path / "events") == written


def test_events_can_be_sent_to_another_process(tmp_path):
    events = events_of(tmp_path)
    assert pickle.loads(pickle.dumps(events)) == events


def test_a_folder_with_signs_of_a_pattern_in_its_name_is_read_as_it_is_called(tmp_path):
    strange = tmp_path / "run[1] * ?"
    strange.mkdir()
    events = events_of(strange, buckets=2)
    counted = map_buckets(lambda events, bucket: len(rows(events, bucket, "FROM transactions")), events)
    assert sum(counted) == 5


def test_buckets_are_mapped_in_their_order(tmp_path):
    events = events_of(tmp_path, buckets=3)
    assert map_buckets(lambda events, bucket: (events.buckets, bucket), events) == [(3, 0), (3, 1), (3, 2)]


def test_a_bucket_that_is_not_there_is_refused(tmp_path):
    events = events_of(tmp_path, buckets=2)
    with pytest.raises(ValueError, match="bucket 2 is not one of the 2 buckets"):
        events.connect(2)


def test_a_connection_downloads_nothing(tmp_path):
    connection = events_of(tmp_path).connect(0)
    with pytest.raises(duckdb.Error):
        connection.execute("SELECT * FROM read_xlsx('a.xlsx')")
    connection.close()


@pytest.mark.parametrize(
    ("rows_in", "buckets"), [(1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2), (10_000_000, 10)]
)
def test_a_bucket_holds_about_a_million_order_lines(rows_in, buckets):
    assert default_buckets(rows_in) == buckets


def test_a_folder_without_events_says_what_to_do(tmp_path):
    with pytest.raises(SourceError, match=r"no clean events here .*Ingest the data first"):
        read_events(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 99}'])
def test_a_manifest_that_is_torn_or_of_another_format_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(SourceError, match="Ingest the data again"):
        read_events(tmp_path)


def test_a_bucket_file_that_is_gone_is_noticed_before_anything_is_computed(tmp_path):
    events = events_of(tmp_path, buckets=2)
    (events.folder / next(file for file in events.files(1) if file.startswith("transactions"))).unlink()
    with pytest.raises(SourceError, match=r"part-0.parquet: missing"):
        read_events(events.folder)


def test_the_manifest_carries_the_report_of_the_ingest(tmp_path):
    events = events_of(tmp_path)
    manifest = json.loads((events.folder / "manifest.json").read_text())
    assert manifest["tables"]["transactions"]["rows_in"] == 5
    assert manifest["fingerprint"] == events.fingerprint


def test_a_bucket_names_the_files_that_it_is_read_from(tmp_path):
    events = events_of(tmp_path, buckets=2)
    written = {str(path.relative_to(events.folder)) for path in events.folder.glob("*/bucket=*/*.parquet")}
    assert {file for bucket in range(2) for file in events.files(bucket)} == written
    assert all(file.startswith(("absences/", "customers/", "transactions/")) for file in written)
    assert set(events.files(0)) & set(events.files(1)) == {"absences/bucket=0/part-0.parquet"}


def test_what_the_manifest_does_not_name_is_not_read(tmp_path):
    events = events_of(tmp_path, buckets=2)
    before = [rows(events, bucket, "FROM transactions ORDER BY ALL") for bucket in range(2)]
    for file in events.files(1):
        part = events.folder / file
        part.with_name("part-1.parquet").write_bytes(part.read_bytes())
    assert read_events(events.folder) == events
    assert [rows(events, bucket, "FROM transactions ORDER BY ALL") for bucket in range(2)] == before


def test_a_bucket_without_rows_has_no_file_and_every_column(tmp_path):
    events = events_of(tmp_path, buckets=50)
    empty = next(bucket for bucket in range(50) if not any("customers" in file for file in events.files(bucket)))
    assert rows(events, empty, "FROM customers") == []
    assert "segment" in [name for name, *_ in rows(events, empty, "DESCRIBE customers")]


def test_the_rows_of_every_table_are_counted(tmp_path):
    events = events_of(tmp_path, buckets=3)
    assert events.sizes == {"customers": 4, "transactions": 5, "absences": 1}
