"""A company in four buckets, Dask clusters of two workers, and what tests have the workers do.

Workers import this module by its name.
"""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from signal import SIGKILL
from typing import TypeVar, cast
from uuid import uuid4

import pandas as pd
from companies import environment

from features import cutoffs, snapshots
from features.buckets import Events, read_events
from features.engines import Engine
from features.errors import ColumnsMissing
from features.quarantine import ingest
from features.simulate import simulate, write
from features.sources import open_source
from features.sql import quiet_connection
from pipelines import settings as configuration
from pipelines.settings import Settings

T = TypeVar("T")

BUCKETS = 4
AS_OFS = [date(2026, 9, 1)]
#: Long enough for two slow and busy cores; reached only where something is broken.
PATIENCE_SECONDS = 120


def settings(address: str = "", **given: object) -> Settings:
    """Settings of a cluster of two workers."""
    return Settings(engine=configuration.Engine(kind="dask", address=address, **given))


def taken(events: Events, **engine: object) -> snapshots.SnapshotTable:
    """The snapshots of a date."""
    return snapshots.take(events, AS_OFS, cohort=snapshots.Cohort(), window=snapshots.Window(), **engine)


def broken(events: Events, folder: Path) -> Events:
    """A copy of events with a file of bucket 2 torn off before its end."""
    shutil.copytree(events.folder, folder)
    [part] = (folder / "transactions" / "bucket=2").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-100])
    return read_events(folder)


def company(folder: Path) -> Events:
    """The clean events of a simulated company with all tables."""
    write(simulate(24, 14, seed=3, preset="normal", end=date(2026, 10, 1)), folder / "data")
    source = open_source(str(folder / "data"))
    return ingest(source, folder / "events", run_at=datetime(2026, 10, 2), timezone="UTC", buckets=BUCKETS).events


@dataclass(frozen=True)
class Marked:
    """A function of a bucket that leaves a file for each time that it is begun; the first time, `held` never ends."""

    function: Callable[[int], object]
    folder: Path
    held: int | None

    def __call__(self, bucket: int) -> object:
        first = not any(self.folder.glob(f"bucket-{bucket}-*"))
        (self.folder / f"bucket-{bucket}-{uuid4().hex}-{os.getpid()}").touch()
        while bucket == self.held and first:
            time.sleep(0.05)
        return self.function(bucket)


@dataclass(frozen=True)
class Marking:
    """An engine that has another one run marked functions for one kind of work."""

    engine: Engine
    folder: Path
    held: int | None = None
    what: str = "features"

    def map(self, function: Callable[[int], T], buckets: Sequence[int], what: str) -> list[T]:
        """Map the function, marked where this is the kind of work."""
        marked = Marked(function, self.folder, self.held)
        return self.engine.map(cast(Callable[[int], T], marked) if what == self.what else function, buckets, what)

    def attempts(self) -> list[int]:
        """How often each bucket was begun."""
        return [len(self._marks(bucket)) for bucket in range(BUCKETS)]

    def kill_holder(self) -> None:
        """End the process that holds the bucket, once it does, as the kernel would where memory is short."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (marks := self._marks(self.held)):
            assert time.monotonic() < deadline, "the bucket was never begun"
            time.sleep(0.05)
        os.kill(int(marks[0].name.rpartition("-")[2]), SIGKILL)

    def _marks(self, bucket: int | None) -> list[Path]:
        return list(self.folder.glob(f"bucket-{bucket}-*"))


def orders(events: Events, bucket: int) -> int:
    """How many order lines a bucket has."""
    with events.connect(bucket) as con:
        return con.execute("SELECT count(*) FROM transactions").fetchall()[0][0]


def days(events: Events, bucket: int) -> pd.DataFrame:
    """The order days of a bucket: exact sums, laid out in time."""
    with events.connect(bucket) as con:
        cutoffs.lay_out_time(con)
        return con.execute("SELECT * FROM order_days ORDER BY ALL").df()


def kill_own_process(bucket: int) -> int:
    """End the worker in the middle of bucket 1, every time."""
    if bucket == 1:
        os.kill(os.getpid(), SIGKILL)
    return bucket


def refuse(bucket: int) -> None:
    """What a user has to mend."""
    raise ColumnsMissing(f"bucket {bucket}: the column 'amount' is missing. Map it.")


def threads(_bucket: int) -> tuple[int, str | None]:
    """The threads that DuckDB takes in a worker, and those that OpenMP is told to take."""
    with quiet_connection() as con:
        return con.execute("SELECT current_setting('threads')").fetchall()[0][0], os.environ.get("OMP_NUM_THREADS")  # noqa: TID251


def recorder(_bucket: int) -> str:
    """The server that a worker tells of its tasks."""
    from prefect.settings import PREFECT_API_URL  # noqa: TID251

    return str(PREFECT_API_URL.value())


@dataclass(frozen=True)
class Preparation:
    """What has to be done in a worker before its first bucket; leaves a file each time that it is done."""

    folder: Path

    def __call__(self) -> None:
        (self.folder / f"{os.getpid()}-{uuid4().hex}").touch()

    def seen(self, _bucket: int) -> int:
        """How often this worker process was prepared, as the function of a bucket."""
        return len(list(self.folder.glob(f"{os.getpid()}-*")))


@dataclass(frozen=True)
class Processes:
    """A scheduler and two workers as an operator starts them."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: tuple[subprocess.Popen[bytes], ...]


@contextmanager
def started(folder: Path, workers: int = 2) -> Iterator[Processes]:
    """A cluster of processes of its own on this machine."""
    file = folder / "scheduler.json"
    common = ("--scheduler-file", str(file), "--no-dashboard", "--host", "127.0.0.1")
    scheduler = _running(folder, "dask_scheduler", "--port", "0", *common)
    running = [scheduler]
    try:
        running += [_running(folder, "dask_worker", "--nthreads", "2", *common) for _ in range(workers)]
        yield Processes(_address(file, scheduler), scheduler, tuple(running[1:]))
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(PATIENCE_SECONDS)


def _running(folder: Path, command: str, *options: str) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    with (folder / f"{command}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{command}", *options],
            cwd=folder,
            env=environment(folder) | {"PYTHONPATH": paths},
            stdout=log,
            stderr=log,
        )


def _address(file: Path, scheduler: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not file.exists() or not file.read_text():
        assert scheduler.poll() is None, file.with_name("dask_scheduler.log").read_text()
        assert time.monotonic() < deadline, "no scheduler came up"
        time.sleep(0.05)
    return json.loads(file.read_text())["address"]
