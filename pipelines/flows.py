"""The Prefect flows: thin, so that all work can be done and tested without them.

A flow takes plain values, which Prefect records, calls one function and returns what that returned. Correctness does
not rest on Prefect: a flow that runs twice publishes once.
"""

from datetime import UTC, date, datetime
from pathlib import Path

from prefect import flow

from pipelines import caller
from pipelines import demo as demonstration
from pipelines import score as scoring
from pipelines import train as training
from pipelines.caller import user
from pipelines.engines import engine_of
from pipelines.intake import Intake, Request, take_in


@flow(name="train", persist_result=False)
def train(
    data: str,
    out: str,
    as_of: date | None = None,
    config: str | None = None,
    layout: str = "",
    promote: bool = False,
    accept_data: str = "",
    tune: bool = False,
    by: str = "",
) -> tuple[Intake, training.Trained]:
    """Hold the data against the champion's, walk forward, register the new model, put it through the gate."""
    request, progress = _request(data, out, as_of, config, layout), caller.WATCHER.get()
    with engine_of(request.settings(), progress=progress) as engine:
        intake = take_in(request, engine=engine)
        asked = training.Asked(by or user(), datetime.now(UTC), promote, accept_data, tune)
        return intake, training.train(intake, asked, progress=progress)


@flow(name="score", persist_result=False)
def score(
    data: str, out: str, as_of: date | None = None, config: str | None = None, layout: str = "", supersede: bool = False
) -> tuple[Intake, scoring.Scored]:
    """Check the data, score every customer with the champion, publish the date."""
    request, progress = _request(data, out, as_of, config, layout), caller.WATCHER.get()
    with engine_of(request.settings(), progress=progress) as engine:
        intake = take_in(request, engine=engine)
        return intake, scoring.score(intake, supersede=supersede, progress=progress)


@flow(name="demo", persist_result=False)
def demo(out: str, customers: int, months: int, seed: int) -> demonstration.Demo:
    """Simulate a company, train on it, score its newest day."""
    return demonstration.run(Path(out), customers, months, seed, progress=caller.WATCHER.get())


def _request(data: str, out: str, as_of: date | None, config: str | None, layout: str) -> Request:
    recorded = Request(data, Path(out), as_of, Path(config) if config else None, layout)
    return caller.REQUEST.get() or recorded
