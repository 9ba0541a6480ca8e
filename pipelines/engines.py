"""Engines that the settings name: this process, or a Dask cluster through Prefect's Dask task runner.

Within a flow each bucket is a task of that flow, so that Prefect shows which ones are done. Elsewhere (``kizashi
check``, a notebook) buckets go to Dask as they are: a flow of their own would first start a server that nobody looks
at. Either way it is Dask that tries again, and only what was lost with its worker: an exception of a bucket would be
the same the second time.
"""

import atexit
import os
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from features import sql
from features.engines import ONE_BY_ONE, Engine, EngineError
from features.errors import SettingsError
from features.snapshots import Progress, silent
from pipelines.dask_clusters import Cluster, joined
from pipelines.settings import Settings

if TYPE_CHECKING:
    from distributed import Future

T = TypeVar("T")

#: So long buckets may wait while a cluster has no worker at all: one that grows on demand needs some time.
WORKER_SECONDS = 120
#: The cluster is looked at so often while no bucket is finished.
LOOK_SECONDS = 1


def nothing() -> None:
    """What a worker does before its first bucket where there is nothing to do."""


@contextmanager
def engine_of(
    settings: Settings, *, progress: Progress = silent, prepare: Callable[[], None] = nothing
) -> Iterator[Engine]:
    """The engine that the settings name, for as long as the context lasts.

    Parameters
    ----------
    progress
        Told of every finished bucket of a cluster. An engine of this process leaves that to the function it calls.
    prepare
        Called once in each worker process before its first bucket, never in this one: imports a user's feature files,
        say. A module-level function or a frozen dataclass, so that it can be sent and is known again; where it reads
        what may change, with a digest of that, because the workers of a cluster outlive the run.

    Raises
    ------
    SettingsError
        If Dask is not installed, no scheduler answers at the address, or its workers lack Kizashi.
    EngineError
        If the cluster on this machine does not come up, or a flow's process has a Dask client of its own.
    """
    if settings.engine.kind == "local":
        yield ONE_BY_ONE
        return
    progress("starting Dask", 0.0)
    with joined(settings.engine) as cluster:
        yield OnDask(cluster, progress, prepare)


@dataclass(frozen=True)
class _Work(Generic[T]):
    """What a worker is sent: a function of a bucket, and what has to be done first.

    A worker process does one after another, whatever number of threads Dask gives it: memory holds one bucket, and the
    registry of features is the process's own.
    """

    function: Callable[[int], T]
    prepare: Callable[[], None]
    threads: int | None
    version: str

    def __call__(self, bucket: int) -> T:
        with _ONE_AT_A_TIME:
            _make_ready(self)
            return self.function(bucket)


_ONE_AT_A_TIME = Lock()
#: What this worker process has done already.
_READY: set[Hashable] = set()


def _make_ready(work: _Work[Any]) -> None:
    """Prepare a worker process, once."""
    if work.prepare in _READY:
        return
    found = version("kizashi")
    if found != work.version:
        raise SettingsError(
            f"a Dask worker has kizashi {found}, this run is of {work.version}: install the same there."
        )
    from distributed import get_worker

    sql.THREADS = work.threads or get_worker().state.nthreads
    work.prepare()
    atexit.register(_end_quietly)
    _READY.add(work.prepare)


def _end_quietly() -> None:
    """Keep DuckDB's binding from calling leaks what Prefect's threads still hold when a worker's interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


@dataclass(frozen=True)
class _Sent(Generic[T]):
    """A bucket that a worker has, or will have when one is there."""

    place: int
    bucket: int
    future: "Future"
    fetch: Callable[[], T]


@dataclass(frozen=True)
class OnDask:
    """The engine of a Dask cluster: as many buckets at a time as it has workers.

    No bucket is sent before there is a worker for it, so that a lost worker takes along only what it had begun, and
    each result is fetched as soon as it is there.
    """

    cluster: Cluster
    progress: Progress
    prepare: Callable[[], None]

    def map(self, function: Callable[[int], T], buckets: Sequence[int], what: str) -> list[T]:
        """Call the function with each bucket, wherever a worker of the cluster is free."""
        work = _Work(function, self.prepare, self.cluster.threads, version("kizashi"))
        waiting = deque(enumerate(buckets))
        running: dict[Hashable, _Sent[T]] = {}
        done: SimpleQueue[Future] = SimpleQueue()
        results: dict[int, T] = {}
        alone_since = time.monotonic()
        try:
            while waiting or running:
                workers = self._workers()
                alone_since = time.monotonic() if workers else self._patient(alone_since)
                while waiting and len(running) < max(workers, 1):
                    place, bucket = waiting.popleft()
                    sent = _Sent(place, bucket, *self.cluster.send(work, bucket, what))
                    running[sent.future.key] = sent
                    sent.future.add_done_callback(done.put)
                with suppress(Empty):
                    sent = running.pop(done.get(timeout=LOOK_SECONDS).key)
                    results[sent.place] = self._fetched(sent, what)
                    progress = f"{what} of bucket {len(results)} of {len(buckets)}"
                    self.progress(progress, len(results) / len(buckets))
        finally:
            if self.cluster.client.status == "running":
                self.cluster.client.cancel([sent.future for sent in running.values()])
        return [results[place] for place in range(len(buckets))]

    def _workers(self) -> int:
        """How many workers the cluster has just now."""
        try:
            return len(self.cluster.client.nthreads())
        except OSError:
            raise self._lost() from None

    def _patient(self, alone_since: float) -> float:
        """Since when there has been no worker; an error where that is too long ago."""
        if time.monotonic() - alone_since < WORKER_SECONDS:
            return alone_since
        raise EngineError(
            f"no worker has been with the Dask scheduler at {self.cluster.address} for {WORKER_SECONDS} s. "
            f"Start some (`dask worker {self.cluster.address}`) and look at what the last ones logged."
        )

    def _fetched(self, sent: _Sent[T], what: str) -> T:
        """The result of a bucket that is done; raises what its function raised, or what became of the cluster."""
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        try:
            return sent.fetch()
        except KilledWorker as killed:
            raise EngineError(
                f"{what} of bucket {sent.bucket}: {killed.allowed_failures + 1} workers were lost one after another "
                "while they worked on it. Most often they lack memory: raise memory_per_worker or lower workers under "
                "[engine], or look at what the workers logged."
            ) from None
        except (CancelledError, CommClosedError):
            raise self._lost() from None

    def _lost(self) -> EngineError:
        return EngineError(
            f"the connection to the Dask scheduler at {self.cluster.address} is lost. Start it, then run again."
        )
