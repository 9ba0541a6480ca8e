"""A publisher in a process of its own, to be killed or raced: run by test_store_crashes.py, never by hand.

``kill URL HOW`` publishes one day after another in a child process that is killed with SIGKILL at its first
statement or commit, its second, and so on until one survives; prints what a reader saw after each kill and
after the repetition. ``race URL FOLDER DATA...`` publishes one day from as many processes at once, the rows of
whoever is first being held back until all have announced themselves in FOLDER; prints what came of each.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa  # noqa: TID251

import serving.publication
from features.errors import StoreError
from serving.day_records import CHANGE_COLUMNS, SIGNAL_COLUMNS, DayFrames, Decision, Loop, LoopState, Notice
from serving.ledger import SYSTEM, Event
from serving.migrations.tables import REASON, SCORE, SCORING_RUN
from serving.records import REASON_COLUMNS, SCORE_COLUMNS, ScoringRun
from serving.store import Store

FIRST_DAY = date(2026, 1, 1)
CUSTOMERS = 9
WORDS = ("red", "eligible", "enough", "A", "percent")  # level, cohort, history, completeness, shown
REPEATED_EVERY = 10
MORE = ("early", "cooling", "model:red", 0.5)
REASON_MORE = ("reason", "order_rhythm", None)  # role, concept, said
serving.publication.BATCH_ROWS = 4  # three transactions of scores, two of reasons


def scores_of(probability: float) -> pd.DataFrame:
    rows = [
        (f"c{i}", probability, 45.0, 0.0, 1.0, 0.9, 0.7, 0.5, 0.2, *WORDS, 9.0, 7.0, 1.4, -1.0, *MORE)
        for i in range(CUSTOMERS)
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def reasons_of(points: float) -> pd.DataFrame:
    rows = [
        (f"c{i}", 1, "orders_90d", "transaction", 1.0, None, None, 0.9, points, "1 order in 90 days.", *REASON_MORE)
        for i in range(CUSTOMERS - 2)
    ]
    return pd.DataFrame(rows, columns=list(REASON_COLUMNS))


def run_of(run_id: str, as_of: date, data: str) -> ScoringRun:
    return ScoringRun(run_id, as_of, "m1", data, datetime(2026, 1, 1, tzinfo=UTC))


def clock() -> datetime:
    return datetime(2026, 1, 1, 9, tzinfo=UTC)


def publish(store: Store, as_of: date, attempt: int) -> None:
    run = run_of(f"{as_of}-{attempt}", as_of, "new")
    with store:
        store.publish(run, scores_of(0.25), reasons_of(0.25), clock=clock, supersede=True)


def publish_with_warnings(store: Store, as_of: date, attempt: int, data: str = "new") -> None:
    """Publish a day that closes the open warning and opens another: of c1 if it is the old result, c0 if the new."""
    number, customer = (0.25, "c0") if data == "new" else (0.75, "c1")

    def decide(state: LoopState) -> Decision:
        opened = {
            "opened_on": as_of, "opened_level": "red", "level": "red", "highest_level": "red", "step": "raised",
            "step_since": state.at, "arm": "shown", "propensity": 1.0,
        }  # fmt: skip
        closed = {"closed_on": as_of, "close_reason": "below"}
        events = [
            Event("episode_closed", SYSTEM, state.at, {**closed, "version": int(row.version) + 1}, *about(row))
            for row in state.episodes[state.episodes["closed_on"].isna()].itertuples()
        ]
        new = Event("episode_opened", SYSTEM, state.at, opened, customer, f"{customer}-{as_of}")
        return Decision([*events, new], [Notice("kim", "digest", as_of, {"new": customer})])

    def about(row: Any) -> tuple[str, str]:
        return row.customer_id, row.episode_id

    since = as_of - timedelta(days=1)
    changed = [(customer, since, "none", "red", -1.0, number, {"steps": []}, "It went red.")]
    frames = DayFrames(
        signals=pd.DataFrame([("c0", "late", "red", {})], columns=list(SIGNAL_COLUMNS)),
        changes=pd.DataFrame(changed, columns=list(CHANGE_COLUMNS)),
    )
    with store:
        store.publish(
            run_of(f"{as_of}-{attempt}", as_of, data), scores_of(number), reasons_of(number),
            day=frames, loop=Loop(decide), clock=clock, supersede=True,
        )  # fmt: skip


def publish_naively(store: Store, as_of: date, attempt: int) -> None:
    """Publish as one would without thinking: the ledger first, then the rows, a commit for each batch."""
    engine = store._engine.execution_options(writing=True)
    run_id = f"{as_of}-{attempt}"
    run = run_of(run_id, as_of, "new")
    values = {**asdict(run), "published_at": run.created_at, "state": "published", "customers": 9, "reasons": 7}
    with engine.begin() as connection:
        connection.execute(SCORING_RUN.delete().where(SCORING_RUN.c.as_of == as_of))
        connection.execute(SCORING_RUN.insert(), values)
    for table, frame in ((SCORE, scores_of(0.25)), (REASON, reasons_of(0.25))):
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        for start in range(0, len(rows), serving.publication.BATCH_ROWS):
            batch = [{"run_id": run_id, **row} for row in rows[start : start + serving.publication.BATCH_ROWS]]
            with engine.begin() as connection:
                connection.execute(table.insert(), batch)
    engine.dispose()


def seen(store: Store, as_of: date) -> str:
    """What a reader sees of a day: nothing, all of the old result, all of the new, or something torn."""
    with store:
        scores, reasons = store.scores(as_of), store.reasons(as_of)
        published, warned = store.published(as_of), store.episodes(is_open=True).rows["episode_id"].tolist()
        told = [payload["new"] for payload in store.notices(as_of=as_of)["payload"]]
        changed = store.changes(as_of)["customer_id"].tolist()
        whole_ledger = store.verified().whole
    if scores.empty and reasons.empty:
        return "nothing"
    for name, number, customer in (("old", 0.75, "c1"), ("new", 0.25, "c0")):
        whole = len(scores) == CUSTOMERS and len(reasons) == CUSTOMERS - 2 and whole_ledger
        if published is not None and published.stepped:
            whole &= (warned, told, changed) == ([f"{customer}-{as_of}"], [customer], [customer])
        if whole and set(scores["churn_probability"]) | set(reasons["contribution_points"]) == {number}:
            return name
    return "torn"


def left_over(store: Store) -> int:
    """Rows and runs that no publication owns."""
    staged = sa.select(SCORING_RUN.c.run_id).where(SCORING_RUN.c.state == "staged")
    with store._engine.begin() as connection:
        counted = [
            connection.execute(sa.select(sa.func.count()).where(table.c.run_id.in_(staged))).scalar_one()
            for table in (SCORING_RUN, SCORE, REASON)
        ]
    store.close()
    return sum(counted)


def killed_at(point: int, work: Callable[[], None]) -> bool:
    """Do the work in a child that dies at its `point`-th statement or commit; return whether it died."""
    child = os.fork()
    if child == 0:
        passed = 0

        def pass_by(*_: object) -> None:
            nonlocal passed
            if passed == point:
                os.kill(os.getpid(), signal.SIGKILL)
            passed += 1

        sa.event.listen(sa.Engine, "before_cursor_execute", pass_by)
        sa.event.listen(sa.Engine, "commit", pass_by)
        status = 1
        try:
            work()
            pass_by()  # after the last commit, before anybody is told
            status = 0
        finally:
            os._exit(status)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return False


def kill(url: str, how: str) -> None:
    published = {"naive": publish_naively, "supersede": publish_with_warnings}.get(how, publish)
    store = Store.open(url)
    store.close()  # no connection may be open when a child is forked; the store opens others when it needs them
    as_of, there = FIRST_DAY, ""
    for point in range(200):
        if how == "supersede" and there != "old":
            publish_with_warnings(store, as_of, 0, "old")
        died = killed_at(point, lambda as_of=as_of: published(store, as_of, 1))
        after_kill = seen(store, as_of)
        line = {"died": died, "seen": after_kill}
        # What is there is there still: a day of warnings is finished now and then, the others at once.
        if how != "supersede" or after_kill != "old" or point % REPEATED_EVERY == 0:
            published(store, as_of, 2)
            line |= {"then": seen(store, as_of), "left": left_over(store)}
            as_of += timedelta(days=1)
        there = after_kill if "then" not in line else ""
        print(json.dumps(line))
        if not died:
            return


def race(url: str, folder: str, *data: str) -> None:
    for number, fingerprint in enumerate(data):
        if os.fork() == 0:
            status = 1
            try:
                print(json.dumps(raced(url, Path(folder), f"racer-{number}", len(data), fingerprint)), flush=True)
                status = 0
            finally:
                os._exit(status)
    statuses = [os.wait()[1] for _ in data]
    assert not any(statuses), "a racer failed by itself"


def raced(url: str, folder: Path, name: str, count: int, data: str) -> dict[str, str]:
    def held_back() -> Iterator[pd.DataFrame]:
        give_up = time.monotonic() + 240
        while len(list(folder.iterdir())) < count:
            if time.monotonic() > give_up:
                raise RuntimeError("the other publishers did not come")
            time.sleep(0.01)
        yield scores_of(0.25)

    (folder / name).touch()
    try:
        with Store.open(url) as store:
            published = store.publish(run_of(name, FIRST_DAY, data), held_back(), reasons_of(0.25), clock=clock)
    except StoreError as error:
        return {"name": name, "outcome": "refused", "said": str(error)}
    return {
        "name": name,
        "outcome": "unchanged" if published.unchanged else "published",
        "run_id": published.run.run_id,
    }


if __name__ == "__main__":
    {"kill": kill, "race": race}[sys.argv[1]](*sys.argv[2:])
