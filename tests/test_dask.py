"""Buckets on real Dask clusters of two worker processes: the same results, and one clear line for what goes wrong."""

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest
from dask_cluster import (
    BUCKETS,
    PATIENCE_SECONDS,
    Marking,
    Preparation,
    broken,
    company,
    days,
    kill_own_process,
    orders,
    refuse,
    settings,
    started,
    taken,
    threads,
)
from pandas.testing import assert_frame_equal

from features.buckets import Events
from features.engines import EngineError, map_buckets
from features.errors import ColumnsMissing, SettingsError, SourceError
from pipelines import dask_clusters, engines
from pipelines.engines import OnDask, engine_of, nothing


@pytest.fixture(scope="module")
def engine() -> Iterator[OnDask]:
    """The engine of a cluster of two worker processes that is made for the run."""
    with engine_of(settings()) as made:
        assert isinstance(made, OnDask)
        yield made


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Events:
    """The clean events of a simulated company. Not to be changed in place."""
    return company(tmp_path_factory.mktemp("company"))


def test_the_snapshots_of_a_cluster_are_those_of_one_machine_bit_for_bit(engine: OnDask, events: Events) -> None:
    found, wanted = taken(events, engine=engine), taken(events)
    assert wanted.frame["customer_id"].nunique() > BUCKETS
    assert_frame_equal(found.frame, wanted.frame, check_exact=True)
    assert_frame_equal(found.order_days, wanted.order_days, check_exact=True)


def test_a_killed_worker_costs_a_retry_of_its_bucket_and_nothing_else(
    engine: OnDask, events: Events, tmp_path: Path
) -> None:
    def kill_when_only_it_is_left(what: str, _share: float) -> None:
        if what == f"orders of bucket {BUCKETS - 1} of {BUCKETS}":
            marking.kill_holder()

    marking = Marking(OnDask(engine.cluster, kill_when_only_it_is_left, nothing), tmp_path, held=2, what="orders")
    found = map_buckets(days, events, marking, "orders")
    assert_frame_equal(pd.concat(found), pd.concat(map_buckets(days, events)), check_exact=True)
    assert marking.attempts() == [1, 1, 2, 1]


def test_a_bucket_that_ends_every_worker_is_named_after_the_retries(engine: OnDask) -> None:
    with pytest.raises(EngineError, match=r"^orders of bucket 1: 3 workers were lost one after another .* memory"):
        engine.map(kill_own_process, range(BUCKETS), "orders")
    assert engine.map(len, ["ab"], "lengths") == [2], "the cluster goes on"  # type: ignore[arg-type, list-item]


def test_a_bucket_that_cannot_be_read_names_itself_and_is_not_tried_again(
    engine: OnDask, events: Events, tmp_path: Path
) -> None:
    torn = broken(events, tmp_path / "events")
    marking = Marking(engine, tmp_path, what="orders")
    with pytest.raises(SourceError) as caught:
        map_buckets(orders, torn, marking, "orders")
    said = str(caught.value)
    assert said.startswith(f"bucket 2 of {torn.folder} cannot be read (")
    assert said.endswith("Look at its files, or ingest the data again.")
    assert "\n" not in said
    assert marking.attempts()[2] == 1


def test_a_mistake_of_the_user_s_keeps_its_class_and_words(engine: OnDask) -> None:
    with pytest.raises(ColumnsMissing, match=r"^bucket 0: the column 'amount' is missing. Map it.$"):
        engine.map(refuse, [0], "orders")


def test_results_come_in_the_order_of_the_buckets_and_each_is_reported(engine: OnDask, events: Events) -> None:
    seen: list[tuple[str, float]] = []
    watched = OnDask(engine.cluster, lambda *told: seen.append(told), nothing)
    assert map_buckets(orders, events, watched, "orders") == map_buckets(orders, events)
    assert seen == [(f"orders of bucket {done} of 4", done / 4) for done in (1, 2, 3, 4)]


def test_a_worker_takes_as_many_threads_for_its_bucket_as_the_settings_say(engine: OnDask) -> None:
    assert engine.map(threads, range(BUCKETS), "threads") == [(1, "1")] * BUCKETS


def test_a_worker_process_is_prepared_once_before_its_first_bucket(engine: OnDask, tmp_path: Path) -> None:
    preparation = Preparation(tmp_path)
    prepared = OnDask(engine.cluster, engine.progress, preparation)
    for _ in range(2):
        assert prepared.map(preparation.seen, range(BUCKETS), "buckets") == [1] * BUCKETS


def test_the_cluster_of_a_run_listens_to_this_machine_alone_and_asks_for_a_certificate(engine: OnDask) -> None:
    engine.cluster.client.wait_for_workers(2, PATIENCE_SECONDS)  # one may have been killed just now
    workers = engine.cluster.client.run(lambda: psutil.Process().pid)
    assert len(workers) == 2
    assert all(address.startswith("tls://127.0.0.1:") for address in [engine.cluster.address, *workers])
    ports = {
        connection.laddr
        for pid in [psutil.Process().pid, *workers.values()]
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert len(ports) > 3
    assert {port.ip for port in ports} == {"127.0.0.1"}
    with (
        pytest.raises(SettingsError, match=r"no Dask scheduler answers there .*TLS"),
        engine_of(settings(engine.cluster.address)),
    ):
        pass


def test_a_cluster_at_an_address_gives_the_same_and_its_end_is_told_in_one_line(
    events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_clusters, "CONNECT_SECONDS", 5)
    with started(tmp_path) as processes, engine_of(settings(processes.address)) as engine:
        found = map_buckets(days, events, engine, "orders")
        assert_frame_equal(pd.concat(found), pd.concat(map_buckets(days, events)), check_exact=True)
        assert engine.map(threads, [0], "threads") == [(2, "1")]
        assert set(engine.cluster.client.run(os.getenv, "DO_NOT_TRACK").values()) == {"true"}
        for worker in processes.workers:
            worker.terminate()
            worker.wait()
        monkeypatch.setattr(engines, "WORKER_SECONDS", 1)
        with pytest.raises(EngineError, match=f"^no worker has been with the Dask scheduler at {processes.address}"):
            map_buckets(orders, events, engine)
        processes.scheduler.kill()
        with pytest.raises(EngineError, match=f"^the connection to the Dask scheduler at {processes.address} is lost"):
            map_buckets(orders, events, engine)
