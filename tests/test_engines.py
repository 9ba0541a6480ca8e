"""Engines: what the settings name, what is said where that cannot be had, and one flow on Dask for real."""

import json
import pickle
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from companies import environment
from dask_cluster import BUCKETS, broken, company, orders, settings

from features.buckets import Events
from features.engines import ONE_BY_ONE, map_buckets
from features.errors import KizashiError, SettingsError
from pipelines import dask_clusters, engines
from pipelines.engines import engine_of
from pipelines.settings import Settings, load_settings

HERE = Path(__file__).parent

#: Asks for Dask where it is not installed.
WITHOUT = """
import sys
sys.modules["distributed"] = None
from features.errors import SettingsError
from pipelines.engines import engine_of
from pipelines.sections import Engine
from pipelines.settings import Settings
try:
    with engine_of(Settings(engine=Engine(kind="dask"))):
        pass
except SettingsError as error:
    print(error)
print(sorted({"dask", "prefect"} & set(sys.modules)))
"""


def test_the_engine_of_one_machine_maps_the_buckets_in_their_order() -> None:
    begun = []
    assert ONE_BY_ONE.map(lambda bucket: begun.append(bucket) or bucket * 10, [2, 0, 1], "tens") == [20, 0, 10]
    assert begun == [2, 0, 1]


def test_by_default_the_engine_is_that_of_one_machine() -> None:
    with engine_of(Settings()) as engine:
        assert engine is ONE_BY_ONE


def test_without_dask_one_line_says_what_to_install() -> None:
    answer = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True, timeout=120)
    assert answer.stderr == ""
    assert answer.stdout.splitlines() == [
        '[engine] kind = "dask" needs distributed, which is not installed: install kizashi[dask], '
        'or set kind = "local".',
        "[]",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('kind = "spark"', 'kind = "spark", allowed: "local" or "dask"'),
        ('address = "10.0.0.5:8786"', 'address = "10.0.0.5:8786", allowed: "tcp://HOST:PORT", "tls://HOST:PORT"'),
        ('address = "tcp://me:secret@dask:8786"', 'allowed: "tcp://HOST:PORT"'),
        ('memory_per_worker = "much"', 'memory_per_worker = "much", allowed: a size, such as "4GiB"'),
        ("workers = 0", "workers = 0, allowed: a whole number, at least 1"),
        ("retries = -1", "retries = -1, allowed: a whole number, at least 0"),
    ],
)
def test_a_setting_of_the_engine_that_cannot_be_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(f"[engine]\n{text}\n")
    with pytest.raises(SettingsError, match=re.escape(words)):
        load_settings(file)


def test_addresses_and_sizes_of_the_engine_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    for address in ("tcp://10.0.0.5:8786", "tls://dask.example:8786", "tcp://[::1]:8786"):
        for memory in ("4GiB", "500 MB", "1.5 TB"):
            file.write_text(f'[engine]\nkind = "dask"\naddress = "{address}"\nmemory_per_worker = "{memory}"\n')
            read = load_settings(file).engine
            assert (read.address, read.memory_per_worker) == (address, memory)


@pytest.fixture
def silent() -> Iterator[str]:
    """An address where somebody listens and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def refusal(address: str) -> str:
    with pytest.raises(SettingsError) as caught, engine_of(settings(address)):
        pass
    return str(caught.value)


def test_an_address_where_no_scheduler_answers_is_named_with_the_mend(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_clusters, "CONNECT_SECONDS", 1)
    said = {address: refusal(address) for address in ("tcp://127.0.0.1:1", silent)}
    mend = "Start one (`dask scheduler`), mend the address, or leave it empty for a cluster on this machine."
    for address, words in said.items():
        assert words.startswith(f'[engine] address = "{address}": no Dask scheduler answers there (')
        assert words.endswith(mend)
        assert "\n" not in words
    assert "silent for 1 s" in said[silent]


@pytest.mark.parametrize(
    ("server", "scheduler", "told"),
    [
        ("http://127.0.0.1:8000/api", "tls://127.0.0.1:4000", True),
        ("http://localhost:8000/api", "tcp://[::1]:4000", True),
        ("http://127.0.0.1:8000/api", "tcp://10.0.0.5:8786", False),
        ("http://127.0.0.1:8000/api", "tcp://dask.example:8786", False),
        ("https://prefect.example/api", "tcp://10.0.0.5:8786", True),
    ],
)
def test_workers_of_other_machines_are_not_sent_to_a_server_of_this_one(
    server: str, scheduler: str, told: bool
) -> None:
    assert dask_clusters.within_reach(server, scheduler) == told


def test_a_worker_with_another_version_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"a Dask worker has kizashi \S+, this run is of 0\.0\.7: install the same"):
        engines._Work(abs, engines.nothing, None, "0.0.7")(1)


def errors(kind: type[KizashiError] = KizashiError) -> Iterator[type[KizashiError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from errors(below)


def test_every_mistake_can_travel_from_a_worker() -> None:
    for kind in errors():
        arrived = pickle.loads(pickle.dumps(kind("one line")))
        assert (type(arrived), str(arrived)) == (kind, "one line")


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Events:
    return company(tmp_path_factory.mktemp("company"))


def test_a_flow_maps_its_buckets_as_tasks_that_outlive_a_worker_and_tells_a_broken_one_in_one_line(
    events: Events, tmp_path: Path
) -> None:
    torn = broken(events, tmp_path / "torn")
    command = [sys.executable, str(HERE / "dask_flow_child.py"), str(events.folder), str(torn.folder), "out"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 2, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith(f"kizashi: bucket 2 of {torn.folder} cannot be read (")
    found = json.loads(done.stdout)
    assert found["orders"] == map_buckets(orders, events)
    assert found["attempts"] == [1, 1, 2, 1]
    assert found["recorders"] == [found["server"]]
    assert "which Prefect would use instead: close it." in found["refusal"]
    ended = [task for task in found["tasks"] if not task[0].startswith("lines")]
    assert ended == [[f"{what} of bucket {n}", "Completed"] for what in ("orders", "servers") for n in range(BUCKETS)]
    assert ["lines of bucket 2", "Failed"] in found["tasks"]
