"""Fixtures of an object store: a real server of S3's protocol in a process of its own, on this machine only."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import boto3
import pytest

#: It ends with its standard input, however the tests end.
SERVER = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel("ERROR")
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""

_NUMBERS = count(1)


@dataclass(frozen=True)
class Bucket:
    """An empty bucket, through a client that knows nothing of ours."""

    client: Any
    server: str
    name: str
    #: Must be found in nothing that we print or write.
    secret: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    def put(self, key: str, body: bytes | str) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        with self.client.get_object(Bucket=self.name, Key=key)["Body"] as body:
            content: bytes = body.read()
        return content

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def written(self) -> dict[str, datetime]:
        """When each object was written, by key; folders that a program has drawn are left out."""
        listed = self.client.list_objects_v2(Bucket=self.name).get("Contents", ())
        return {one["Key"]: one["LastModified"] for one in listed if not one["Key"].endswith("/")}

    @property
    def keys(self) -> list[str]:
        return sorted(self.written())


@pytest.fixture(scope="session")
def object_server() -> Iterator[str]:
    """The address of the server."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.stdin.close()


@pytest.fixture
def bucket(object_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket of this test's own, which the environment says how to reach."""
    environment = {
        "AWS_ENDPOINT_URL": object_server,
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tOp/s3cret+Of+t3sts",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    name = f"kizashi-tests-{next(_NUMBERS)}"
    with closing(boto3.client("s3", endpoint_url=object_server, region_name="us-east-1")) as client:
        client.create_bucket(Bucket=name)
        yield Bucket(client, object_server, name, environment["AWS_SECRET_ACCESS_KEY"])
