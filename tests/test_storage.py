"""Object storage by URL: files read whole or refused in one line, and no secret told."""

import socket
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import boto3
import pytest

from features.errors import SourceError
from features.storage import CHUNK, Storage, fetched, is_url

pytest_plugins = ["object_store"]

SECRET = "tOp/s3cret"


def one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    message = str(error.value)
    assert "\n" not in message
    assert SECRET not in message
    assert error.value.__cause__ is None
    return message


# --- the address -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "url"), [("s3://b/x", True), ("S3/x", False), ("/s3://", False), (Path("s3:/b"), False), ("", False)]
)
def test_a_url_is_told_from_a_path(data, url):
    assert is_url(data) is url


@pytest.mark.parametrize(
    "url",
    [
        f"s3://AKIAKEY:{SECRET}@bucket/folder",
        f"s3://AKIAKEY:{SECRET.replace('/', '%2F')}@bucket/folder",
        f"s3://{SECRET.replace('/', '')}@bucket",
        f"s3://bucket/folder?secret_key={SECRET}",
        f"s3://bucket:{SECRET}",
    ],
)
def test_a_secret_in_the_url_is_refused_and_not_told(url):
    with pytest.raises(SourceError, match=r"s3://.*: .*AWS_") as error:
        Storage(url)
    assert not [part for part in ("AKIA", "s3cret", "secret_key") if part in one_line(error)]


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "s3://b", "s3://a b/x", "s3://-bucket/x", "s3://bucket/a\nb"])
def test_what_is_no_address_of_a_bucket_is_refused(url):
    with pytest.raises(SourceError, match=r"not the address of a bucket. Write s3://bucket/folder") as error:
        Storage(url)
    one_line(error)


# --- files -------------------------------------------------------------------------------------------------------


def told(found):
    return {one.key: one.size for one in found}


def test_a_folder_lists_what_is_in_it(bucket):
    for key in ("in/b.parquet", "in/a.csv", "in/deep/c.csv", "inner/d.csv", "e.csv"):
        bucket.put(key, key)
    bucket.put("in/", "")  # so do some programs draw a folder
    storage = Storage(f"{bucket.url}/in/")
    assert told(storage.inside()) == {"a.csv": 8, "b.parquet": 12, "deep": None}
    assert list(told(storage.inside(below=True))) == ["a.csv", "b.parquet", "deep", "deep/c.csv"]
    assert told(storage.inside("deep")) == {"deep/c.csv": 13}
    assert told(Storage(bucket.url).inside()) == {"e.csv": 5, "in": None, "inner": None}
    assert told(Storage(f"{bucket.url}/none").inside()) == {}


def test_a_path_on_object_storage_speaks_like_a_path(bucket):
    bucket.put("in/deep/c.CSV", "abc")
    deep, *more = Storage(bucket.url).find("in").iterdir()
    assert not more
    assert (str(deep), deep.name, deep.is_dir(), deep.is_file()) == (f"{bucket.url}/in/deep", "deep", True, False)
    [file] = deep.iterdir()
    assert (str(file), file.name, file.suffix) == (f"{bucket.url}/in/deep/c.CSV", "c.CSV", ".CSV")
    assert (file.is_dir(), file.is_file(), file.size) == (False, True, 3)
    assert file.changed_ns == int(bucket.written()["in/deep/c.CSV"].timestamp()) * 10**9


def test_a_file_is_told_from_a_folder(bucket):
    bucket.put("in/a.csv", "x")
    found = [Storage(bucket.url + key).find() for key in ("", "/in", "/in/a.csv", "/in/a", "/none")]
    assert [one and (one.name, one.is_file()) for one in found] == [
        (bucket.name, False),
        ("in", False),
        ("a.csv", True),
        None,
        None,
    ]


def test_the_tag_is_that_of_the_content(bucket):
    tags = []
    for content in ("a", "b", "a"):
        bucket.put("a.csv", content)
        tags.append(Storage(bucket.url).find("a.csv").tag())
    assert tags[0] == tags[2] != tags[1]


def test_many_files_come_in_their_order(bucket, tmp_path):
    for number in range(20):
        bucket.put(f"in/{number:02}.csv", str(number))
    paths = fetched(Storage(f"{bucket.url}/in").inside(), tmp_path / "work")
    assert [path.name for path in paths] == [f"{number:02}.csv" for number in range(20)]
    assert [path.read_text() for path in paths] == [str(number) for number in range(20)]


@pytest.mark.parametrize("length", [0, 1, CHUNK, 2 * CHUNK + 5])
def test_a_file_comes_back_as_it_was_put(bucket, tmp_path, length):
    content = (bytes(range(256)) * (length // 256 + 1))[:length]
    (tmp_path / "a").write_bytes(content)
    Storage(bucket.url).put(tmp_path / "a", "deep/b")
    assert bucket.get("deep/b") == content
    back = Storage(f"{bucket.url}/deep/b").fetch(tmp_path / "c")
    assert back.read_bytes() == content


@pytest.mark.parametrize("name", ["a b.csv", "注文[1]*.csv", "50%25#1+2.csv"])
def test_a_name_is_taken_as_it_is_written(bucket, tmp_path, name):
    bucket.put(f"in/{name}", "x")
    assert [one.name for one in Storage(f"{bucket.url}/in").inside()] == [name]
    assert Storage(f"{bucket.url}/in/{name}").find().is_file()
    assert Storage(f"{bucket.url}/in").fetch(tmp_path / "x", name).read_bytes() == b"x"


def test_an_object_that_is_replaced_while_it_is_read_is_noticed(bucket, tmp_path, monkeypatch):
    bucket.put("a.csv", "x" * (CHUNK + 1))
    storage = Storage(bucket.url)
    read = storage._next

    def replaced_before(source, name):
        bucket.put("a.csv", "y" * (CHUNK + 1))
        return read(source, name)

    monkeypatch.setattr(storage, "_next", replaced_before)
    with pytest.raises(SourceError, match=r"/a.csv: the object was replaced while it was read. Run again."):
        storage.fetch(tmp_path / "a.csv", "a.csv")


# --- what stands in the way --------------------------------------------------------------------------------------


def every_call(storage: Storage, folder: Path):
    (folder / "out").write_text("x")
    return {
        "find": lambda: storage.find("a.csv"),
        "inside": storage.inside,
        "tag": lambda: storage.tag("a.csv"),
        "read": lambda: storage.read("a.csv"),
        "fetch": lambda: storage.fetch(folder / "in", "a.csv"),
        "put": lambda: storage.put(folder / "out", "b.csv"),
        "write": lambda: storage.write(b"x", "b.csv"),
        "delete": lambda: storage.delete("a.csv"),
    }


CALLS = ("find", "inside", "tag", "read", "fetch", "put", "write", "delete")


@pytest.mark.parametrize("call", CALLS[1:])
@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_does_not_exist_is_named(tmp_path, call):
    url = "s3://no-such-bucket/orders"
    with pytest.raises(SourceError, match=rf"^{url}(/[ab].csv)?: there is no such .*bucket. Mend") as error:
        every_call(Storage(url), tmp_path)[call]()
    one_line(error)


@pytest.mark.parametrize("call", ["tag", "read", "fetch", "delete"])
def test_an_object_that_does_not_exist_is_named(bucket, tmp_path, call):
    with pytest.raises(SourceError, match=rf"^{bucket.url}/a.csv: there is no such object") as error:
        every_call(Storage(bucket.url), tmp_path)[call]()
    one_line(error)


@pytest.fixture
def guarded(bucket, monkeypatch):
    """The server asks from now on who is there: an account without any right."""
    with closing(boto3.client("iam", endpoint_url=bucket.server, region_name="us-east-1")) as accounts:
        accounts.create_user(UserName=bucket.name)
        key = accounts.create_access_key(UserName=bucket.name)["AccessKey"]
    bucket.put("in/a.csv", "x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])

    def open_calls(count):
        body, kind = str(count).encode(), {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(f"{bucket.server}/moto-api/reset-auth", body, kind)).close()

    open_calls(0)
    yield key
    open_calls("inf")


@pytest.mark.parametrize("call", CALLS)
def test_without_the_right_one_is_told_so(bucket, guarded, tmp_path, call):
    with pytest.raises(SourceError, match=rf"^{bucket.url}/in(/[ab].csv)?: access denied. Look at AWS_") as error:
        every_call(Storage(f"{bucket.url}/in"), tmp_path)[call]()
    assert guarded["SecretAccessKey"] not in one_line(error)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AWS_ACCESS_KEY_ID", "the access key is not known there"),
        ("AWS_SECRET_ACCESS_KEY", "the secret is not that of the access key"),
    ],
)
@pytest.mark.usefixtures("guarded")
def test_a_wrong_key_is_told_from_a_wrong_secret(bucket, monkeypatch, name, words):
    monkeypatch.setenv(name, SECRET)
    with pytest.raises(SourceError, match=rf"{words}. Look at AWS_ACCESS_KEY_ID") as error:
        Storage(f"{bucket.url}/in").inside()
    one_line(error)


def test_a_server_that_does_not_answer_is_given_up(bucket, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(
        SourceError, match=rf"^{bucket.url}: no answer \(.*port {port}.*\). Look at the network"
    ) as error:
        Storage(bucket.url).inside()
    one_line(error)


MEASURE = """
import resource, sys
from pathlib import Path
from features.storage import Storage
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
storage = Storage(sys.argv[1])
storage.inside()
before = peak()
storage.put(Path(sys.argv[2]), "big")
storage.fetch(Path(sys.argv[3]), "big")
print(peak() - before)
"""


def test_a_large_file_passes_through_a_small_memory(bucket, tmp_path):
    with (tmp_path / "big").open("wb") as file:
        file.truncate(200 << 20)
    command = [sys.executable, "-c", MEASURE, bucket.url, tmp_path / "big", tmp_path / "back"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert (tmp_path / "back").stat().st_size == 200 << 20
    assert int(answer.stdout) < 100
