"""Dask clusters: one is started on this machine or called at its address, and sent work on buckets.

Dask and Prefect are imported by the functions that need them: most runs are of one process.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from features.engines import EngineError
from features.errors import SettingsError
from features.sql import one_line
from pipelines import settings as configuration

if TYPE_CHECKING:
    from distributed import Client, Future, Security
    from prefect_dask import DaskTaskRunner

T = TypeVar("T")

#: So long a scheduler has to answer.
CONNECT_SECONDS = 10
#: So long a worker process of a cluster on this machine has to come up.
START_SECONDS = 120
#: So long a worker may take to tell Prefect's server of its last buckets.
TELL_SECONDS = 10

#: Sends a function of a bucket, under the name of what is done: the future to wait for, and what fetches the result.
Send = Callable[[Callable[[int], T], int, str], tuple["Future", Callable[[], T]]]


@dataclass(frozen=True)
class Cluster:
    """A cluster that can be sent work; `threads` are those of a worker, None where the worker itself knows."""

    address: str
    client: "Client"
    send: Send[Any]
    threads: int | None


@contextmanager
def joined(wanted: configuration.Engine) -> Iterator[Cluster]:
    """The cluster at the address of the settings, or one on this machine that ends with the context.

    Raises
    ------
    SettingsError
        If Dask is not installed, no scheduler answers at the address, or its workers lack Kizashi.
    EngineError
        If the cluster on this machine does not come up, or a flow's process has a Dask client of its own.
    """
    in_flow = _flow_server() is not None
    try:
        for name in ("distributed", "prefect_dask") if in_flow else ("distributed",):
            import_module(name)
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f'[engine] kind = "dask" needs {missing.name}, which is not installed: '
            'install kizashi[dask], or set kind = "local".'
        ) from None
    if in_flow:
        _refuse_another()
    with ExitStack() as stack:
        if wanted.address:
            _call(wanted.address)
            cluster = stack.enter_context(_connected(wanted.address))
            _protect_workers(cluster, stack)
        else:
            address, security = stack.enter_context(_started(wanted))
            cluster = stack.enter_context(_connected(address, security, wanted.threads_per_worker))
        yield cluster


def _refuse_another() -> None:
    """Make sure that the process has no Dask client: Prefect's task runner would take that one's cluster."""
    from distributed import Client

    with suppress(ValueError):
        address = Client.current().scheduler.address
        raise EngineError(f"this process has a Dask client of {address}, which Prefect would use instead: close it.")


@contextmanager
def _started(wanted: configuration.Engine) -> Iterator[tuple[str, "Security"]]:
    """A cluster on this machine that listens to nobody else: its address, and the certificates that it asks for."""
    import dask
    from distributed import LocalCluster, Security

    # whoever reaches a port of Dask can run code: other users of this machine reach it, but have no certificate
    security = Security.temporary()
    own = {
        "distributed.nanny.pre-spawn-environ": {},  # they would stay in our own environment
        "distributed.deploy.lost-worker-timeout": "1h",  # by itself it gives up one that takes 15 s to come back
    }
    with ExitStack() as stack, dask.config.set(own):
        try:
            cluster = LocalCluster(
                n_workers=wanted.workers,
                threads_per_worker=1,  # those of Dask; within a bucket there may be more
                memory_limit=wanted.memory_per_worker or "auto",
                processes=True,
                host="127.0.0.1",
                protocol="tls://",
                security=security,
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False, "allowed_failures": wanted.retries},
                env={"OMP_NUM_THREADS": str(wanted.threads_per_worker)},
                preload="import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",  # we tell them when to stop
                death_timeout=START_SECONDS,
            )
        except (RuntimeError, OSError) as error:
            raise EngineError(
                f"no Dask cluster of {wanted.workers} workers can be started here ({one_line(error)}). What its "
                "processes wrote says why; a script of your own needs `if __name__ == '__main__':`."
            ) from None
        stack.enter_context(cluster)
        yield cluster.scheduler_address, security


def _call(address: str) -> None:
    """Make sure that a scheduler is at an address; Dask's client would wait for ever for something else to speak."""
    from distributed import Security
    from distributed.comm import connect

    async def greeted() -> None:
        comm = await connect(address, timeout=CONNECT_SECONDS, **Security().get_connection_args("client"))
        try:
            await comm.write({"op": "identity", "reply": True})
            kind = (await comm.read())["type"]
        finally:
            comm.abort()
        if kind != "Scheduler":
            raise OSError(f"this is a {kind}")

    try:
        with ThreadPoolExecutor(1) as apart:  # a notebook's own thread has its own loop
            apart.submit(asyncio.run, asyncio.wait_for(greeted(), CONNECT_SECONDS + 1)).result()
    except Exception as error:  # what is no scheduler answers anything, and Dask takes it for lengths of messages
        reason = one_line(error) or f"silent for {CONNECT_SECONDS} s"
        raise SettingsError(
            f'[engine] address = "{address}": no Dask scheduler answers there ({reason}). '
            "Start one (`dask scheduler`), mend the address, or leave it empty for a cluster on this machine."
        ) from None


@contextmanager
def _connected(address: str, security: "Security | None" = None, threads: int | None = None) -> Iterator[Cluster]:
    """A cluster by its scheduler's address; within a flow it is sent tasks of that flow, elsewhere the bare work."""
    server = _flow_server()
    with ExitStack() as stack:
        client, runner = _client(address, security, server, stack)
        if server is None or runner is None or not within_reach(server, address):
            yield Cluster(address, client, partial(_send_plain, client), threads)
            return
        try:
            yield Cluster(address, client, partial(_send_task, runner, server), threads)
        except Exception:
            _hear_out(client)
            raise
        _hear_out(client)


def _client(
    address: str, security: "Security | None", server: str | None, stack: ExitStack
) -> "tuple[Client, DaskTaskRunner | None]":
    options: dict[str, Any] = {"timeout": CONNECT_SECONDS, "set_as_default": False, "security": security}
    if server is None:
        from distributed import Client

        return stack.enter_context(Client(address, **options)), None
    from prefect_dask import DaskTaskRunner

    runner = stack.enter_context(DaskTaskRunner(address=address, client_kwargs=options))
    return runner.client, runner


def _flow_server() -> str | None:
    """The address of the Prefect server that keeps the record of the flow that is running; None outside of flows."""
    if "prefect" not in sys.modules:
        return None
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    return str(context.client.api_url).rstrip("/") if context else None


def within_reach(server: str, scheduler: str) -> bool:
    """Whether the workers of a scheduler can tell a server of their tasks: not one that listens to this machine alone.

    A flow starts such a server where no ``PREFECT_API_URL`` is set; workers on this machine reach it.
    """
    return not _on_loopback(server) or _on_loopback(scheduler)


def _on_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _send_plain(client: "Client", work: Callable[[int], T], bucket: int, what: str) -> tuple["Future", Callable[[], T]]:
    future = client.submit(work, bucket, key=f"{what}-{bucket}-{uuid4().hex}", pure=False)
    return future, future.result


def _send_task(
    runner: "DaskTaskRunner", server: str, work: Callable[[int], T], bucket: int, what: str
) -> tuple["Future", Callable[[], T]]:
    from prefect import task
    from prefect.cache_policies import NO_CACHE
    from prefect.settings import PREFECT_API_URL, temporary_settings

    # as a parameter the work would be searched for futures, and copied
    @task(name=what, task_run_name=f"{what} of bucket {bucket}", cache_policy=NO_CACHE, persist_result=False)
    def of_bucket() -> T:
        return work(bucket)

    # without it each worker process would start a server of its own
    with temporary_settings({PREFECT_API_URL: server}):
        future = runner.submit(of_bucket, {})
    return future.wrapped_future, lambda: future.result()


def _hear_out(client: "Client") -> None:
    """Wait until the workers have told Prefect's server all: the next run may have another, and this one's be gone."""
    with suppress(OSError):
        client.run(_tell, on_error="ignore")


async def _tell() -> None:
    from prefect.events.worker import EventsWorker

    await asyncio.to_thread(EventsWorker.drain_all, TELL_SECONDS)


def _protect_workers(cluster: Cluster, stack: ExitStack) -> None:
    """Keep the workers of a cluster that others have started from reporting to anybody, those to come included."""
    from distributed import WorkerPlugin

    class Protection(WorkerPlugin):
        """Prefect, which a worker imports with its first task, reads the environment then."""

        def setup(self, worker: object) -> None:  # noqa: ARG002
            configuration.protect_environment()

    name = f"kizashi-{uuid4().hex}"
    try:
        cluster.client.register_plugin(Protection(), name=name)
    except ImportError as error:
        raise SettingsError(
            f"the workers of the Dask scheduler at {cluster.address} cannot run Kizashi ({one_line(error)}): "
            f"install kizashi[dask] {version('kizashi')} where they run."
        ) from None
    stack.callback(_withdraw, cluster.client, name)


def _withdraw(client: "Client", name: str) -> None:
    with suppress(OSError):  # it is gone with its scheduler
        client.unregister_worker_plugin(name)
