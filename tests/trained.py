"""Fixtures of the simulated company of `companies`, made once for all workers of a run."""

import sqlite3

import pytest
from companies import DAY, Company, make

from pipelines.intake import Intake
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
