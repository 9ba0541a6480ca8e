"""Fixtures of the company of `teams.py`."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from orders import lines
from paged import Paged
from served import DAY, NINE, Clock, served_at
from teams import BOOK, RESULTS, Book, Team, publish

from features.quarantine import ingest
from features.sources import open_source
from serving.api_guard import Ration
from serving.store import Store


@pytest.fixture(scope="module")
def team_events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The events of the company, taken in: ``all``, and ``orders`` alone."""
    folder = tmp_path_factory.mktemp("team")
    (folder / "data").mkdir()
    orders = [f"{customer} {n} 2024-05-01 10" for n, customer in enumerate(BOOK, start=1)]
    made = [f"A1 i{n} 2024-06-{n + 10} visit outbound Ann {result}" for n, result in enumerate(RESULTS)]
    made.append("B1 i99 2024-03-20 visit outbound Bob effective")
    tables = {
        "transactions": "\n".join(["customer_id order_id ordered_at amount", *orders]),
        "interactions": "\n".join(["customer_id interaction_id occurred_at channel direction owner result", *made]),
    }
    for name, told in tables.items():
        lines(told).to_parquet(folder / "data" / f"{name}.parquet")
    ingest(open_source(str(folder / "data"), {}), folder / "all", run_at=NINE, timezone="UTC")
    (folder / "data" / "interactions.parquet").unlink()
    ingest(open_source(str(folder / "data"), {}), folder / "orders", run_at=NINE, timezone="UTC")
    return folder


@pytest.fixture
def team(app: FastAPI, team_events: Path, tmp_path: Path) -> Iterator[Team]:
    """Opens the pages of a company with the customers of a book and the reports of its newest day."""
    opened: list[Store] = []

    def serve(
        book: Book | None = BOOK,
        reports: Mapping[str, Any] = {},
        *,
        before: Book | None = None,
        orders_alone: bool = False,
    ) -> Paged:
        store = Store.open(f"sqlite:///{tmp_path / f'{len(opened)}.db'}")
        opened.append(store)
        if before is not None:
            publish(store, DAY - timedelta(days=7), {}, before)
        if book is not None:
            publish(store, DAY, reports, book)
        clock = Clock()
        many = {name: Ration(clock, 100_000) for name in ("requests", "attempts")}
        return Paged(served_at(app, store, team_events / ("orders" if orders_alone else "all"), clock, **many))

    yield serve
    for store in opened:
        store.close()
