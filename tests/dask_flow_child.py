"""A flow that maps buckets on Dask in a process of its own: run by test_engines.py, never by hand.

``EVENTS BROKEN OUT``: a command like those of the command line. It prints what it found of the sound events as JSON,
then meets a bucket of BROKEN that cannot be read.
"""

import json
import sys
import urllib.request
from pathlib import Path

from dask_cluster import BUCKETS, Marking, orders, recorder, settings

from features.buckets import read_events
from features.engines import EngineError, map_buckets
from features.errors import SourceError
from pipelines import cli
from pipelines.engines import engine_of
from pipelines.settings import prepare_environment


def command(events: Path, torn: Path, out: Path) -> None:
    """Run the flow as the command line runs its own."""
    prepare_environment(out)
    (out / "prefect").mkdir(parents=True)
    from prefect import flow  # noqa: TID251

    flow(name="mapped", persist_result=False)(mapped)(str(events), str(torn), str(out))


def mapped(events: str, torn: str, out: str) -> None:
    """Map sound buckets while a worker is killed, then those of which one is broken; tell how that went."""
    from prefect.context import FlowRunContext  # noqa: TID251

    context = FlowRunContext.get()
    server = str(context.client.api_url).rstrip("/")

    def kill_when_only_it_is_left(what: str, _share: float) -> None:
        if what == f"orders of bucket {BUCKETS - 1} of {BUCKETS}":
            marking.kill_holder()

    mistake, refused = None, refusal()
    with engine_of(settings(), progress=kill_when_only_it_is_left) as engine:
        marking = Marking(engine, Path(out).absolute(), held=2, what="orders")
        found = {
            "orders": map_buckets(orders, read_events(Path(events)), marking, "orders"),
            "attempts": marking.attempts(),
            "recorders": sorted(set(engine.map(recorder, range(BUCKETS), "servers"))),
            "server": server,
            "refusal": refused,
        }
        try:
            map_buckets(orders, read_events(Path(torn)), engine, "lines")
        except SourceError as error:
            mistake = error
    print(json.dumps(found | {"tasks": sorted(tasks(server, context.flow_run.id))}))
    if mistake is not None:
        raise mistake


def refusal() -> str:
    """What is said where the process has a Dask client of its own, whose cluster Prefect would take."""
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster, Client(cluster):
        try:
            with engine_of(settings()):
                return ""
        except EngineError as error:
            return str(error)


def tasks(server: str, flow_run: object) -> list[tuple[str, str]]:
    """What Prefect's server knows of the flow's tasks: name and state."""
    body = json.dumps({"flow_runs": {"id": {"any_": [str(flow_run)]}}}).encode()
    request = urllib.request.Request(f"{server}/task_runs/filter", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return [(task["name"], task["state_name"]) for task in json.load(answer)]


if __name__ == "__main__":
    cli.app.command(name="mapped")(command)
    sys.argv.insert(1, "mapped")
    cli.main()
