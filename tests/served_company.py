"""Fixtures of a company that is served, see `served.py`."""

import shutil
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pandas as pd
import pytest
from fastapi import FastAPI
from orders import lines
from served import CUSTOMERS, DAY, INTERACTIONS, NINE, ORDERS, Clock, Served, checked, day, scores, served_at, warned

from features.quarantine import ingest
from features.sources import open_source
from pipelines.server import AccountFiles
from serving.api import make_app
from serving.api_guard import Ration
from serving.api_visit import Service
from serving.ledger import append
from serving.records import REASON_COLUMNS, ScoringRun
from serving.store import Store


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `kizashi score` leaves it: the events and the database, never to be written to."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "data").mkdir()
    for name, text in {"transactions": ORDERS, "customers": CUSTOMERS, "interactions": INTERACTIONS}.items():
        lines(text).to_parquet(folder / "data" / f"{name}.parquet")
    source = open_source(str(folder / "data"), {})
    ingest(source, folder / "var" / "events", run_at=NINE, timezone="UTC")
    reason = ("K-AOKI", 1, "days_since_last_order", "transaction", 75.0, 30.0, None, 0.9, 0.1, "Silent 75 days.")
    with Store.open(f"sqlite:///{folder / 'var' / 'kizashi.db'}") as store:
        store.publish(
            ScoringRun("run-1", DAY, "m1", "f1", NINE),
            scores(),
            pd.DataFrame([reason], columns=list(REASON_COLUMNS)),
            day=day(),
            clock=lambda: NINE,
        )
        with store.writing() as connection:
            append(connection, [*warned("K-AOKI", "Ann"), *warned("K-BOLT", "Bob")])
    return folder / "var"


@pytest.fixture(scope="session")
def app(company: Path) -> Iterator[FastAPI]:
    """The application, which takes longer to lay out its routes than to answer; each test gives it a service."""
    with Store.open(f"sqlite:///{company / 'kizashi.db'}") as store:
        yield make_app(Service.of(store, Clock(), UTC, AccountFiles(company / "events")))


@pytest.fixture
def served(app: FastAPI, company: Path, tmp_path: Path) -> Iterator[Served]:
    """The service of a company of the test's own."""
    shutil.copy(company / "kizashi.db", tmp_path / "kizashi.db")
    clock = Clock()
    many = {name: Ration(clock, 100_000) for name in ("requests", "attempts")}
    with Store.open(f"sqlite:///{tmp_path / 'kizashi.db'}") as store:
        yield served_at(app, store, company / "events", clock, changeable={"late_order_multiple": checked}, **many)
