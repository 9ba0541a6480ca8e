"""The service on both engines: a day is read, and a request that comes ten times at once is done once."""

from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from fastapi import FastAPI
from served import Clock, Served, fill, served_at

from serving.store import Store

pytest_plugins = ["databases", "served_company"]


@pytest.fixture
def on_both(app: FastAPI, published: Path, store: Store) -> Served:
    fill(store)
    return served_at(app, store, published / "events", Clock())


def test_a_day_is_read_and_changed_on_both_engines(on_both: Served) -> None:
    for path in ("/morning", "/customers", "/customers/K-AOKI", "/episodes", "/tasks", "/runs", "/lists/risk_list"):
        assert on_both.get("admin", path).status_code == 200, path
    answer = on_both.post("ann", "/customers/K-AOKI/update", {"temperature": "cold", "risk": "urgent", "version": 0})
    assert answer.json()["account"]["version"] == 1
    assert on_both.post("ann", "/episodes/e-K-AOKI/acknowledge", {"version": 1}).status_code == 200
    assert on_both.get("admin", "/ledger").json()["whole"] is True


def test_ten_at_once_with_one_key_are_done_once_on_both_engines(on_both: Served) -> None:
    before, answers = on_both.events(), list[Any]()

    def ask() -> None:
        body = {"visit": True, "reason": "asked"}
        answers.append(on_both.post("bob", "/customers/K-BOLT/decision", body, "all-at-once"))

    threads = [Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(one.status_code, one.content) for one in answers} == {(200, answers[0].content)}
    assert on_both.events() == before + 1
