"""Fixtures of a company that is served, see `served.py`."""

import shutil
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
from fastapi import FastAPI
from orders import lines
from served import CUSTOMERS, INTERACTIONS, NINE, ORDERS, Clock, Served, checked, fill, served_at

from features.quarantine import ingest
from features.sources import open_source
from pipelines.server import AccountFiles
from serving.api import make_app
from serving.api_guard import Ration
from serving.api_visit import Service
from serving.store import Store


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `kizashi score` leaves it: the events and the database, never to be written to."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "data").mkdir()
    for name, text in {"transactions": ORDERS, "customers": CUSTOMERS, "interactions": INTERACTIONS}.items():
        lines(text).to_parquet(folder / "data" / f"{name}.parquet")
    source = open_source(str(folder / "data"), {})
    ingest(source, folder / "var" / "events", run_at=NINE, timezone="UTC")
    with Store.open(f"sqlite:///{folder / 'var' / 'kizashi.db'}") as store:
        fill(store)
    return folder / "var"


@pytest.fixture(scope="session")
def app(published: Path) -> Iterator[FastAPI]:
    """The application, which takes longer to lay out its routes than to answer; each test gives it a service."""
    with Store.open(f"sqlite:///{published / 'kizashi.db'}") as store:
        yield make_app(Service.of(store, Clock(), UTC, AccountFiles(published / "events")))


@pytest.fixture
def served(app: FastAPI, published: Path, tmp_path: Path) -> Iterator[Served]:
    """The service of a company of the test's own."""
    shutil.copy(published / "kizashi.db", tmp_path / "kizashi.db")
    clock = Clock()
    many = {name: Ration(clock, 100_000) for name in ("requests", "attempts")}
    with Store.open(f"sqlite:///{tmp_path / 'kizashi.db'}") as store:
        yield served_at(app, store, published / "events", clock, changeable={"late_order_multiple": checked}, **many)
