"""Data by URL: the clean events that the same folder becomes, or one line that says what to mend."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from companies import finished, regulars, started

from features import storage
from features.buckets import Events
from features.contract import CONTRACT
from features.engines import map_buckets
from features.errors import SourceError
from features.mapping import mappings_from_dict
from features.quarantine import ingest
from features.sources import SourceWarning, open_source

pytest_plugins = ["object_store"]

CUSTOMERS = "customer_id,name,parent_id,segment\nA,Alpha,,gold\nB,Beta,A,gold\nC,Gamma,,\nD,Delta,,iron\nJ,Iota,,\n"
HEAD = "customer_id,order_id,ordered_at,amount\n"
MONDAY = HEAD + "A,1,2024-01-10,100\nB,2,2024-01-11,20.5\nC,3,2024-01-12,-3\nD,4,2024-02-01,8\nJ,5,2024-02-01,NaN\n"
TUESDAY = HEAD + "C,6,2024-02-02,7\n"


def take_in(data, out: Path, mappings=None, buckets=3):
    source = open_source(data, mappings)
    return ingest(source, out, run_at=datetime(2024, 6, 1), timezone="UTC", max_share=0.5, buckets=buckets)


@pytest.fixture
def data(tmp_path):
    """A folder of Parquet, CSV and a table of many files."""
    folder = tmp_path / "data"
    (folder / "transactions").mkdir(parents=True)
    (folder / "customers.csv").write_text(CUSTOMERS)
    (folder / "transactions" / "2024-02-01.csv").write_text(MONDAY)
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE a AS SELECT 'kim' AS owner, TIMESTAMP '2024-03-01' AS starts_at")
        connection.execute(f"COPY a TO '{folder / 'absences.parquet'}' (FORMAT parquet)")
    return folder


def uploaded(bucket, folder: Path, at="in") -> str:
    for path in folder.rglob("*"):
        if path.is_file():
            bucket.put(f"{at}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return f"{bucket.url}/{at}"


def rows(events: Events) -> list[list]:
    """Every row of every table, bucket by bucket."""
    return map_buckets(_rows, events)


def _rows(events: Events, bucket: int) -> list:
    with events.connect(bucket) as connection:
        return [connection.execute(f"FROM {table} ORDER BY ALL").fetchall() for table in CONTRACT]


# --- the user's data ---------------------------------------------------------------------------------------------


def test_data_by_url_become_the_clean_events_that_the_same_folder_becomes(bucket, data, tmp_path):
    near = take_in(data, tmp_path / "near")
    far = take_in(uploaded(bucket, data), tmp_path / "far")
    assert far.tables == near.tables
    assert far.table("transactions").quarantined == 1
    assert far.events.fingerprint == near.events.fingerprint
    assert rows(far.events) == rows(near.events)
    assert bucket.secret not in "".join(path.read_text("latin-1") for path in (tmp_path / "far").rglob("*.json"))


def test_one_file_by_url_is_its_table(bucket, tmp_path):
    bucket.put("transactions.csv", MONDAY)
    bucket.put("export 7.csv", MONDAY)
    mappings = mappings_from_dict({"transactions": {"file": "export*"}})
    own = take_in(f"{bucket.url}/transactions.csv", tmp_path / "1")
    mapped = take_in(f"{bucket.url}/export 7.csv", tmp_path / "2", mappings)
    assert own.events.fingerprint == mapped.events.fingerprint
    assert own.table("transactions").rows_in == 5


def test_of_a_folder_that_grew_only_the_new_object_is_read(bucket, data, tmp_path, monkeypatch):
    monkeypatch.setattr("features.batches.SETTLED_NS", -(10**12))  # the objects are a moment old
    url = uploaded(bucket, data)
    take_in(url, tmp_path / "far")
    bucket.put("in/transactions/2024-02-02.csv", TUESDAY)
    fetched, fetch = [], storage.Storage.fetch

    def told(self, path, name="", sha256=""):
        fetched.append(name)
        return fetch(self, path, name, sha256)

    monkeypatch.setattr(storage.Storage, "fetch", told)
    report = take_in(url, tmp_path / "far")
    assert fetched == ["transactions/2024-02-02.csv"]
    assert report.taken.kind == "incremental"
    assert report.events.fingerprint == take_in(url, tmp_path / "whole").events.fingerprint


def test_an_object_that_was_written_over_is_read_again(bucket, data, tmp_path):
    url = uploaded(bucket, data)
    before = take_in(url, tmp_path / "far")
    bucket.put("in/transactions/2024-02-01.csv", MONDAY.replace("20.5", "20.6"))
    after = take_in(url, tmp_path / "far")
    assert after.events.fingerprint != before.events.fingerprint
    assert after.events.fingerprint == take_in(url, tmp_path / "whole").events.fingerprint


def test_an_object_that_is_no_table_is_named(bucket):
    bucket.put("in/transactions.csv", MONDAY)
    bucket.put("in/orders.csv", MONDAY)
    with pytest.warns(SourceWarning, match=rf"^{bucket.url}/in: not used, .* \['orders.csv'\]"):
        open_source(f"{bucket.url}/in")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, r"^{url}: there is no such folder or file"),
        ({"in/quotes.csv": "x"}, r"^{url}: no file transactions.parquet or transactions.csv .* \['quotes.csv'\]"),
        ({"in/transactions.csv": "x", "in/Transactions.parquet": "x"}, r"^{url}: several files for transactions"),
        ({"in/transactions.csv": ""}, r"^transactions.csv: the file is empty \(0 bytes\)"),
        ({"in/transactions.parquet": b"PAR1" + bytes(99)}, r"^transactions.parquet: the Parquet file is cut off"),
        ({"in/transactions/a.parquet": b"nothing"}, r"^transactions/a.parquet: not a Parquet file"),
        ({"in": "x"}, r"^in: neither Parquet nor CSV"),
    ],
)
def test_what_cannot_be_read_is_named(bucket, tmp_path, keys, message):
    for key, body in keys.items():
        bucket.put(key, body)
    url = f"{bucket.url}/in"
    with pytest.raises(SourceError, match=message.format(url=url)) as error:
        take_in(url, tmp_path / "far")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "far").exists()


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"^s3://no-such-bucket/in.*: there is no such .*bucket. Mend"):
        take_in("s3://no-such-bucket/in", tmp_path / "far")


# --- the command -------------------------------------------------------------------------------------------------


def test_the_command_reads_data_by_url_and_tells_no_secret(bucket, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    regulars(datetime(2025, 1, 1).date()).to_parquet(folder / "transactions.parquet")
    url = uploaded(bucket, folder)
    processes = [
        started(["check", "--data", data, "--out", out], tmp_path)
        for data, out in ((str(folder), "near"), (url, "far"))
    ]
    near, far = map(finished, processes)
    assert (near.code, far.code) == (0, 0), far.err
    assert far.out.replace("far", "near") == near.out
    written = [path for path in (tmp_path / "far").rglob("*") if path.is_file()]
    assert len(written) > 2
    assert not [path for path in written if bucket.secret.encode() in path.read_bytes()]
    assert bucket.secret not in far.out + far.err


def test_the_command_tells_a_mistake_in_one_line(bucket, tmp_path):
    mistakes = {
        "s3://AKIA:sec/ret@in/x": "kizashi: s3://...: keys and servers do not belong into a URL",
        f"{bucket.url}/none": f"kizashi: {bucket.url}/none: there is no such folder or file",
    }
    processes = [started(["check", "--data", url], tmp_path) for url in mistakes]
    for ended, words in zip(map(finished, processes), mistakes.values(), strict=True):
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(words)
        assert ended.err.count("\n") == 1
        assert "sec/ret" not in ended.err
