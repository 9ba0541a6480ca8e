"""The one file that speaks to Prefect for real: a flow is recorded with its end, and a served schedule fires."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import killpg
from pathlib import Path

import pytest
from companies import DAY, Company, environment, finished, started

pytest_plugins = ["trained"]

#: Long enough for two slow and busy cores; reached only where something is broken.
PATIENCE_SECONDS = 150

ENDS = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

#: Serves the daily run, as docs would have a user do it: DATA OUT AS_OF.
SERVED = """
import sys
from pathlib import Path
from pipelines.settings import prepare_environment
prepare_environment(Path(sys.argv[2]))
from pipelines.flows import score
parameters = dict(zip(("data", "out", "as_of"), sys.argv[1:], strict=True))
score.serve("daily", interval=5, parameters=parameters, limit=1, print_starting_message=False)
"""


@contextmanager
def running(command: list[str], folder: Path, **variables: str) -> Iterator[None]:
    """A process that goes on until it is ended, with all that it has started."""
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(folder) | variables,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            killpg(process.pid, signal.SIGKILL)
        process.wait()


class Server:
    """Prefect's server as an operator starts it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def asked(self, path: str, body: dict | None = None) -> object:
        """The answer to a question."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def runs(self) -> list[dict]:
        """All flow runs, the oldest first."""
        found = self.asked("flow_runs/filter", {"sort": "EXPECTED_START_TIME_ASC"})
        assert isinstance(found, list)
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("prefect")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = Server(f"http://127.0.0.1:{port}/api")
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    variables = {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
    }
    with running(command, folder, **variables):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(OSError):
                found.asked("health")
                break
            assert time.monotonic() < deadline, (folder / "log.txt").read_text()
            time.sleep(0.5)
        yield found


def test_a_flow_is_recorded_as_completed_with_its_parameters(company: Company, server: Server, tmp_path: Path) -> None:
    out = company.register_at(tmp_path / "out")
    arguments = ["score", "--data", str(company.data), "--as-of", str(DAY), "--out", str(out)]
    before = len(server.runs())
    done = finished(started(arguments, tmp_path, PREFECT_API_URL=server.url))
    assert done.code == 0, done.err
    [run] = server.runs()[before:]
    assert (run["state_name"], run["parameters"]["as_of"], run["parameters"]["data"]) == (
        "Completed",
        str(DAY),
        str(company.data),
    )
    assert not list((out / "prefect").rglob("*.pickle")), "nothing of a customer is kept by Prefect"


def test_a_mistake_ends_the_flow_as_failed_and_the_command_in_one_line(
    company: Company, server: Server, tmp_path: Path
) -> None:
    arguments = ["score", "--data", str(company.data), "--as-of", str(DAY), "--out", "untrained"]
    before = len(server.runs())
    done = finished(started(arguments, tmp_path, PREFECT_API_URL=server.url))
    said = [line for line in done.err.splitlines() if not line.startswith("- ")]
    assert done.code == 2
    assert len(said) == 1
    assert said[0].startswith("kizashi: ")
    assert said[0].endswith("run `kizashi train`")
    [run] = server.runs()[before:]
    assert run["state_name"] == "Failed"


def test_a_served_schedule_fires(company: Company, server: Server, tmp_path: Path) -> None:
    # with SQLAlchemy 2.1 a served flow is never scheduled, and only the server's log says so
    out = company.register_at(tmp_path / "out")
    command = [sys.executable, "-c", SERVED, str(company.data), str(out), str(DAY)]
    with running(command, tmp_path, PREFECT_API_URL=server.url, PREFECT_LOGGING_LEVEL="INFO"):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (ended := [run for run in server.runs() if run["auto_scheduled"] and run["state_type"] in ENDS]):
            assert time.monotonic() < deadline, (server.runs(), (tmp_path / "log.txt").read_text())
            time.sleep(0.5)
    assert ended[0]["state_name"] == "Completed", (tmp_path / "log.txt").read_text()
