"""Days made by hand: scores, decisions and what came of them, for the tests of publications."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa  # noqa: TID251

from serving.day_records import DayFrames, Decision, Loop, LoopState
from serving.ledger import SYSTEM, Event, append
from serving.migrations.loop_tables import PROJECTED
from serving.projection import rebuild
from serving.records import REASON_COLUMNS, SCORE_COLUMNS, Published, ScoringRun
from serving.store import Store

MONDAY = date(2026, 3, 2)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
NONE = pd.DataFrame(columns=list(REASON_COLUMNS))

Levels = Mapping[str, str]
BOTH = {"ann": "yellow", "bob": "none"}


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 6, tzinfo=UTC)


def state_on(day: date) -> LoopState:
    """A loop with nothing in it."""
    return LoopState(day, at(day), *[pd.DataFrame()] * (len(fields(LoopState)) - 2))


def scores_of(levels: Levels) -> pd.DataFrame:
    rows = []
    for customer, level in levels.items():
        made = None if level == "none" else f"model:{level}"
        said = (customer, 0.5, 45.0, 0.4, 0.6, 0.9, 0.7, 0.5, 0.2, level, "eligible", "enough", "A", "percent")
        rows.append((*said, 9.0, 4.5, 1.4, -1.0, "early", "cooling", made, 0.5))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def publish(
    store: Store,
    day: date,
    levels: Levels,
    *,
    data: str = "f1",
    decide: Callable[[LoopState], Decision] | None = None,
    frames: DayFrames | None = None,
    cool_down_days: int = 0,
) -> Published:
    return store.publish(
        ScoringRun(f"{day}-{data}", day, "m1", data, at(day)),
        scores_of(levels),
        NONE,
        day=frames,
        loop=None if decide is None else Loop(decide, cool_down_days),
        clock=lambda: at(day) + timedelta(minutes=5),
        supersede=True,
    )


def opened(state: LoopState, customer: str, level: str = "yellow", **more: Any) -> list[Event]:
    """A warning with its task, as a day opens them."""
    episode = f"{customer}-{state.as_of}"
    warning = {
        "opened_on": state.as_of, "opened_level": level, "level": level, "highest_level": level, "step": "raised",
        "step_since": state.at, "arm": "shown", "propensity": 1.0, **more,
    }  # fmt: skip
    task = {
        "kind": "order_late", "cause": "order_late", "team": "sales", "created_on": state.as_of, "checklist": [],
        "due_on": state.as_of + timedelta(days=4), "facts": {"level": level}, "needs": [], "state": "open",
    }  # fmt: skip
    return [
        Event("episode_opened", SYSTEM, state.at, warning, customer, episode, once=f"open:{episode}"),
        Event("task_created", SYSTEM, state.at, task, customer, episode, f"task-{episode}", f"task:{episode}"),
    ]


def opening(*customers: str, level: str = "yellow") -> Callable[[LoopState], Decision]:
    return lambda state: Decision([event for one in customers for event in opened(state, one, level)])


def changing(**change: Any) -> Callable[[LoopState], Decision]:
    """Change every open warning."""

    def decide(state: LoopState) -> Decision:
        open_ = state.episodes[state.episodes["closed_on"].isna()]
        kind = "episode_closed" if "closed_on" in change else "episode_changed"
        return Decision(
            [
                Event(
                    kind, SYSTEM, state.at, {**change, "version": int(row.version) + 1}, row.customer_id, row.episode_id
                )
                for row in open_.itertuples()
            ]
        )

    return decide


def closing(day: date) -> Callable[[LoopState], Decision]:
    return changing(closed_on=day, close_reason="below")


def act(store: Store, *events: Event) -> None:
    with store.writing() as connection:
        append(connection, events)


def warnings(store: Store) -> dict[str, tuple[object, ...]]:
    """Customer -> level, day closed and why, of all warnings."""
    rows = store.episodes().rows
    return {
        row.customer_id: (row.level, None if pd.isna(row.closed_on) else row.closed_on.date(), row.close_reason)
        for row in rows.astype({"close_reason": object}).where(rows.notna(), None).itertuples()
    }


def tasks(store: Store) -> dict[str, str]:
    rows = store.tasks().rows
    return dict(zip(rows["task_id"], rows["state"], strict=True))


def tables(store: Store) -> dict[str, list[str]]:
    with store.reading() as connection:
        return {table.name: sorted(map(repr, connection.execute(sa.select(table)))) for table in PROJECTED}


@contextmanager
def kept_whole(store: Store) -> Iterator[Store]:
    """The store; afterwards its ledger must verify and its tables must be what the ledger makes."""
    yield store
    assert store.verified().whole
    before = tables(store)
    with store.writing() as connection:
        rebuild(connection)
    assert tables(store) == before
