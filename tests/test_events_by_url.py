"""Clean events by URL: read bucket by bucket as those on disk, from any process that the environment lets in."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

import gc
import json
import pickle
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from dask_cluster import orders, settings, started

from features.buckets import Events, mirrored, read_events
from features.contract import CONTRACT
from features.engines import map_buckets
from features.errors import SettingsError, SourceError
from features.quarantine import ingest
from features.sources import open_source
from pipelines import intake
from pipelines.engines import engine_of
from pipelines.settings import Engine, Quarantine, Settings, load_settings

pytest_plugins = ["object_store"]

#: Of three buckets, D lies in the second, J in the first, the others in the third.
CUSTOMERS = "customer_id,name,parent_id,segment\nA,Alpha,,gold\nB,Beta,A,gold\nC,Gamma,,\nD,Delta,,iron\nJ,Iota,,\n"
HEAD = "customer_id,order_id,ordered_at,amount\n"
MONDAY = HEAD + "A,1,2024-01-10,100\nB,2,2024-01-11,20.5\nC,3,2024-01-12,-3\nD,4,2024-02-01,8\nJ,5,2024-02-01,NaN\n"
TUESDAY = HEAD + "C,6,2024-02-02,7\n"
ABSENCES = "owner,starts_at\nkim,2024-03-01\n"


def take_in(data: Path, out: Path) -> Events:
    moment = datetime(2024, 6, 1)
    return ingest(open_source(data), out, run_at=moment, timezone="UTC", max_share=0.5, buckets=3).events


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    (folder / "transactions").mkdir(parents=True)
    (folder / "customers.csv").write_text(CUSTOMERS)
    (folder / "absences.csv").write_text(ABSENCES)
    (folder / "transactions" / "2024-02-01.csv").write_text(MONDAY)
    return folder


def rows(events: Events) -> list[list]:
    """Every row of every table, bucket by bucket."""
    return map_buckets(_rows, events)


def _rows(events: Events, bucket: int) -> list:
    with events.connect(bucket) as connection:
        return [connection.execute(f"FROM {table} ORDER BY ALL").fetchall() for table in CONTRACT]


@pytest.fixture
def events(data, tmp_path):
    return take_in(data, tmp_path / "events")


@pytest.fixture
def near(tmp_path, monkeypatch):
    """Where fetched buckets lie for their time."""
    folder = tmp_path / "near"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_events_by_url_are_read_bucket_by_bucket_as_those_on_disk(bucket, events, near):
    far = mirrored(events, f"{bucket.url}/events")
    assert rows(far) == rows(events)
    assert read_events(f"{bucket.url}/events/") == far
    assert (far.columns, far.further, far.fingerprint) == (events.columns, events.further, events.fingerprint)
    gc.collect()
    assert list(near.iterdir()) == []


def test_a_bucket_s_files_are_here_while_its_connection_is(bucket, events, near):
    far = mirrored(events, f"{bucket.url}/events")
    connection = far.connect(1)
    here = sorted(
        path.relative_to(folder).as_posix() for folder in near.iterdir() for path in folder.rglob("*.parquet")
    )
    assert here == sorted(far.files(1))
    connection.close()
    del connection
    gc.collect()
    assert list(near.iterdir()) == []


def test_a_fresh_process_reads_events_with_nothing_but_the_environment(bucket, events):
    far = mirrored(events, f"{bucket.url}/events")
    sent = pickle.dumps(far)
    assert bucket.secret.encode() not in sent
    code = (
        "import pickle, sys\nfrom features.buckets import read_events\n"
        "sent = pickle.load(sys.stdin.buffer); assert sent == read_events(sys.argv[1])\n"
        "count = lambda n: sent.connect(n).execute('SELECT count(*) FROM transactions').fetchone()[0]\n"
        "print([count(n) for n in range(sent.buckets)])"
    )
    command = [sys.executable, "-W", "error", "-c", code, far.folder.url]
    answer = subprocess.run(command, input=sent, capture_output=True, check=False, timeout=60)
    assert answer.stderr == b""
    assert json.loads(answer.stdout) == [0, 1, 3]


def new_part(events: Events) -> str:
    """The one file that the second ingest added, without its suffix."""
    [part] = {name for bucket in range(events.buckets) for name in events.files(bucket) if "part-0" not in name}
    return part.removesuffix(".parquet")


def test_a_new_day_sends_only_its_own_parts_and_does_not_disturb_readers(bucket, data, events, tmp_path):
    monday, read = mirrored(events, f"{bucket.url}/events"), rows(events)
    before = bucket.written()
    (data / "transactions" / "2024-02-02.csv").write_text(TUESDAY)
    tuesday = take_in(data, tmp_path / "events")
    far = mirrored(tuesday, f"{bucket.url}/events")
    new = [key for key in bucket.keys if key not in before and "/files/" in key]
    assert sorted(key.split(".")[0] for key in new) == ["events/files/manifest", f"events/files/{new_part(tuesday)}"]
    assert rows(far) == rows(tuesday) != read
    assert rows(monday) == read


def test_a_bucket_that_cannot_be_read_is_named(bucket, events):
    far = mirrored(events, f"{bucket.url}/events")
    [key] = [key for key in bucket.keys if "transactions/bucket=1" in key]
    bucket.put(key, bucket.get(key)[:-9])
    assert _rows(far, 0) == _rows(events, 0)
    with pytest.raises(SourceError, match=rf"s3://{bucket.name}/{key}: the object is cut off"):
        map_buckets(_rows, far)


def test_where_no_events_are_one_is_told_so(bucket):
    with pytest.raises(SourceError, match=rf"^{bucket.url}/events: no clean events here"):
        read_events(f"{bucket.url}/events")


def test_events_that_are_there_already_are_not_sent_from_there(bucket, events):
    far = mirrored(events, f"{bucket.url}/events")
    with pytest.raises(ValueError, match="are on object storage already"):
        mirrored(far, f"{bucket.url}/copy")


def test_workers_of_a_cluster_read_their_buckets_by_url_alone(bucket, events, tmp_path):
    expected = map_buckets(orders, events)
    far = mirrored(events, f"{bucket.url}/events")
    shutil.rmtree(events.folder)
    with started(tmp_path, workers=1) as processes, engine_of(settings(processes.address)) as engine:
        assert map_buckets(orders, far, engine) == expected == [0, 1, 3]
        [key] = [key for key in bucket.keys if "transactions/bucket=1" in key]
        bucket.delete(key)
        with pytest.raises(SourceError, match=rf"^s3://{bucket.name}/{key}: there is no such object"):
            map_buckets(orders, far, engine)
    assert bucket.secret not in "".join(path.read_text() for path in tmp_path.glob("*.log"))


@pytest.mark.parametrize("address", ["", "tcp://127.0.0.1:1"])
def test_the_setting_puts_events_there_and_a_cluster_at_an_address_reads_them_there(bucket, data, tmp_path, address):
    url = f"{bucket.url}/events"
    given = Settings(engine=Engine(kind="dask", address=address, events=url), quarantine=Quarantine(max_share=0.5))
    taken = intake.take_in(intake.Request(str(data), tmp_path / "out", given=given))
    assert read_events(url).fingerprint == taken.events.fingerprint
    assert taken.events.folder == (read_events(url).folder if address else tmp_path / "out" / "events")


def test_the_setting_takes_no_secret_and_does_not_tell_it(tmp_path):
    (tmp_path / "kizashi.toml").write_text('[engine]\nevents = "s3://AKIA:sec/ret@bucket/events"\n')
    with pytest.raises(SettingsError, match='"s3://BUCKET/FOLDER" without keys') as error:
        load_settings(tmp_path / "kizashi.toml")
    assert "sec/ret" not in str(error.value)
    assert "AKIA" not in str(error.value)
