"""Events on object storage: one ingest or the next, never half of each, and nothing sent twice."""

import json
import pickle
import subprocess
import sys

import pytest

from features.errors import SourceError
from features.mirror import Mirror, _catalogue, latest, mirror
from features.storage import Storage

pytest_plugins = ["object_store"]

MONDAY = {"manifest.json": "monday", "orders/bucket=0/part-0.parquet": "ab", "orders/bucket=1/part-0.parquet": "cd"}
TUESDAY = {**MONDAY, "manifest.json": "tuesday", "orders/bucket=1/part-1.parquet": "ef"}
WEDNESDAY = {"manifest.json": "wednesday", "orders/bucket=0/part-0.parquet": "gh"}


@pytest.fixture
def day(bucket, tmp_path):
    """Puts files there with these contents."""

    def puts(contents: dict[str, str]) -> Mirror:
        for name, content in contents.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        return mirror(tmp_path, contents, f"{bucket.url}/events")

    return puts


def contents(of: Mirror, folder) -> dict[str, str]:
    of.fetch(of.names, folder)
    return {name: (folder / name).read_text() for name in of.names}


def test_what_was_put_there_is_read_in_another_process_with_nothing_but_the_environment(bucket, day, tmp_path):
    sent = day(MONDAY)
    code = (
        "import pickle, sys; from pathlib import Path; from features.mirror import latest\n"
        "sent = pickle.load(sys.stdin.buffer); assert sent == latest(sent.url)\n"
        "sent.fetch(sent.names, Path(sys.argv[1])); print(sent.read('manifest.json'))"
    )
    content = pickle.dumps(sent)
    command = [sys.executable, "-c", code, tmp_path / "there"]
    answer = subprocess.run(command, input=content, capture_output=True, check=True, timeout=60)
    assert answer.stdout == b"b'monday'\n"
    assert {name: (tmp_path / "there" / name).read_text() for name in MONDAY} == MONDAY
    assert bucket.secret.encode() not in content
    assert str(sent) == f"{bucket.url}/events"


def test_who_began_with_one_ingest_reads_it_to_its_end(bucket, day, tmp_path):
    monday = day(MONDAY)
    tuesday = day(TUESDAY)
    assert latest(f"{bucket.url}/events/") == tuesday != monday
    assert contents(monday, tmp_path / "1") == MONDAY
    assert contents(tuesday, tmp_path / "2") == TUESDAY


def test_only_new_contents_are_sent(bucket, day):
    day(MONDAY)
    before = bucket.written()
    day(TUESDAY)
    new = sorted(key.split(".")[0] for key in set(bucket.written()) - set(before))
    assert [key for key in new if "catalogue" not in key] == [
        "events/files/manifest",
        "events/files/orders/bucket=1/part-1",
    ]
    kept = {key: time for key, time in bucket.written().items() if key in before and "files/" in key}
    assert kept == {key: before[key] for key in kept}
    assert len(kept) == 3


def test_the_same_events_again_are_the_same_state(bucket, day):
    assert day(MONDAY) == day(MONDAY)
    assert len([key for key in bucket.keys if "catalogues/" in key]) == 1


def test_the_ingest_before_the_last_is_deleted_and_nothing_else(bucket, day, tmp_path):
    day(MONDAY)
    tuesday = day(TUESDAY)
    bucket.put("events/notes.txt", "mine")
    wednesday = day(WEDNESDAY)
    assert contents(tuesday, tmp_path / "2") == TUESDAY
    assert contents(wednesday, tmp_path / "3") == WEDNESDAY
    assert not [key for key in bucket.keys if bucket.get(key) == b"monday"]
    assert bucket.get("events/notes.txt") == b"mine"
    assert len(bucket.keys) == len(["pointer", "notes"]) + 2 * len(["catalogue"]) + len(TUESDAY) + len(WEDNESDAY)


def test_a_writer_that_breaks_off_leaves_the_one_before(bucket, day, monkeypatch, tmp_path):
    monday = day(MONDAY)
    put = Storage.put

    def broken(storage, path, name):
        if "part-1" in name:
            raise SourceError("no answer")
        put(storage, path, name)

    monkeypatch.setattr(Storage, "put", broken)
    with pytest.raises(SourceError, match="no answer"):
        day(TUESDAY)
    assert latest(f"{bucket.url}/events") == monday
    assert contents(monday, tmp_path / "1") == MONDAY
    monkeypatch.undo()


def test_the_pointer_is_written_after_all_that_it_promises_and_before_anything_is_deleted(day, monkeypatch):
    steps = []

    def told(method):
        whole = getattr(Storage, method)

        def call(storage, *arguments):
            whole(storage, *arguments)
            steps.append((method, arguments[-1].split("/")[0]))

        monkeypatch.setattr(Storage, method, call)

    day(MONDAY)
    day(TUESDAY)
    for method in ("put", "write", "delete"):
        told(method)
    day(WEDNESDAY)
    sent = [("put", "files")] * 2 + [("write", "catalogues"), ("write", "latest.json")]
    assert steps[:4] == sent
    assert sorted(steps[4:]) == [("delete", "catalogues"), ("delete", "files")]


def test_an_object_that_somebody_deleted_is_sent_again(bucket, day, tmp_path):
    day(MONDAY)
    [gone] = [key for key in bucket.keys if "bucket=1" in key]
    bucket.delete(gone)
    assert contents(day(TUESDAY), tmp_path / "2") == TUESDAY


@pytest.mark.parametrize("content", ["c", "cdcd", "xy"], ids=["cut off", "too long", "altered"])
def test_an_object_that_is_not_what_was_put_there_is_named(bucket, day, tmp_path, content):
    sent = day(MONDAY)
    [key] = [key for key in bucket.keys if "bucket=1" in key]
    bucket.put(key, content)
    with pytest.raises(SourceError, match=rf"^s3://{bucket.name}/{key}: the object is cut off or altered"):
        sent.fetch(sent.names, tmp_path / "1")


def test_an_object_that_is_gone_is_named(bucket, day, tmp_path):
    sent = day(MONDAY)
    [key] = [key for key in bucket.keys if "bucket=1" in key]
    bucket.delete(key)
    with pytest.raises(SourceError, match=rf"^s3://{bucket.name}/{key}: there is no such object"):
        sent.fetch(sent.names, tmp_path / "1")


def test_a_file_that_is_not_among_the_events_is_named(bucket, day, tmp_path):
    with pytest.raises(SourceError, match=rf"^{bucket.url}/events: quotes/a is not among the events there"):
        day(MONDAY).fetch(["quotes/a"], tmp_path)


def test_a_folder_without_events_is_named(bucket):
    with pytest.raises(SourceError, match=rf"^{bucket.url}/events: no clean events here .*Ingest the data first"):
        latest(f"{bucket.url}/events")


def test_a_folder_that_holds_something_else_is_left_alone(bucket, day):
    bucket.put("events/holiday.jpg", "x")
    with pytest.raises(SourceError, match=r"holds something else than clean events. Name an empty folder"):
        day(MONDAY)
    assert bucket.keys == ["events/holiday.jpg"]


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 99}'])
@pytest.mark.parametrize("which", ["latest", "catalogue"])
def test_a_pointer_or_catalogue_that_is_torn_or_of_another_format_is_refused(bucket, day, tmp_path, content, which):
    day(MONDAY)
    [key] = [key for key in bucket.keys if which in key]
    bucket.put(key, content)
    _catalogue.cache_clear()
    with pytest.raises(SourceError, match=rf"^s3://{bucket.name}/{key}: .*Empty .*folder and ingest"):
        contents(latest(f"{bucket.url}/events"), tmp_path / "1")


def test_the_catalogue_says_what_is_where_and_no_more(bucket, day):
    sent = day(MONDAY)
    catalogue = json.loads(bucket.get(f"events/catalogues/{sent.catalogue}.json"))
    assert catalogue["files"].keys() == MONDAY.keys()
    content, size, digest = catalogue["files"]["orders/bucket=0/part-0.parquet"]
    assert content == f"files/orders/bucket=0/part-0.{digest[:20]}.parquet"
    assert size == 2
    assert bucket.get(f"events/{content}") == b"ab"
