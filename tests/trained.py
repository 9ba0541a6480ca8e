"""Fixtures of the simulated company of `companies`, made once for all workers of a run, and commands run on it."""

import os
import sqlite3
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from companies import DAY, Company, Finished, Run, make

from pipelines import caller, cli
from pipelines.intake import Intake, Request
from pipelines.score import Scored, score


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Company:
    """The simulated company; made by the first worker of a run, the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "company"
    folder.mkdir(exist_ok=True)
    made = Company(folder, folder / "data")
    lock = sqlite3.connect(folder / "lock.db", timeout=600, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        if not (folder / "made").exists():
            make(made)
            (folder / "made").touch()
    finally:
        lock.close()
    return made


@pytest.fixture(scope="session")
def scored(company: Company, tmp_path_factory: pytest.TempPathFactory) -> tuple[Intake, Scored]:
    """The company's clean events and its published scores of `DAY`. Not to be changed in place."""
    out = company.register_at(tmp_path_factory.mktemp("scored") / "out")
    intake = company.taken_in(out, DAY)
    return intake, score(intake)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `main` in this process in a folder of its own; flows are called without Prefect."""
    # a test's environment and way of telling warnings are not the command's to keep
    monkeypatch.setattr(os, "environ", os.environ.copy())  # noqa: TID251
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(cli, "_watched", _without_prefect)
    monkeypatch.setattr(cli, "_leave", sys.exit)
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["kizashi", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return Finished(int(end.value.code or 0), said.out, said.err)

    return called


def _without_prefect(flow: str, request: Request | None = None, **parameters: Any) -> Any:
    """What the flow calls, with the parameters that the command gives it."""
    # Prefect, which is imported with the flows, does not make the parents of its home
    (Path(parameters["out"]) / "prefect").mkdir(parents=True, exist_ok=True)
    from pipelines import flows

    token = caller.REQUEST.set(request)
    try:
        return getattr(flows, flow).fn(**parameters)
    finally:
        caller.REQUEST.reset(token)
