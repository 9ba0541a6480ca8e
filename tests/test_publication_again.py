"""A run that replaces another of its day, on both engines: what the first did is taken back, what people did is not."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pandas as pd
import pytest
from made_days import (
    BOTH,
    MONDAY,
    TUESDAY,
    act,
    at,
    changing,
    closing,
    kept_whole,
    opened,
    opening,
    publish,
    state_on,
    tasks,
    warnings,
)

from serving.day_records import Decision, LoopState, Notice
from serving.ledger import SYSTEM, Event
from serving.store import Store

pytest_plugins = ["databases"]


@pytest.fixture
def whole(store: Store) -> Iterator[Store]:
    with kept_whole(store):
        yield store


def test_what_only_the_replaced_run_had_opened_is_closed_as_superseded(whole: Store) -> None:
    publish(whole, MONDAY, BOTH, decide=opening("ann", "bob"))
    publish(whole, MONDAY, BOTH, data="f2", decide=opening("bob"))
    assert warnings(whole) == {"ann": ("yellow", MONDAY, "superseded"), "bob": ("yellow", None, None)}
    assert tasks(whole) == {"task-ann-2026-03-02": "waived", "task-bob-2026-03-02": "open"}
    kinds = [recorded.event.kind for recorded in whole.history("bob")]
    assert kinds == ["episode_opened", "task_created"], "what both opened is not touched"


def test_what_a_third_run_opens_again_is_the_same_warning(whole: Store) -> None:
    publish(whole, MONDAY, BOTH, decide=opening("ann"))
    publish(whole, MONDAY, BOTH, data="f2", decide=opening())
    assert whole.episodes(is_open=True).total == 0
    publish(whole, MONDAY, BOTH, data="f3", decide=opening("ann", level="red"))
    assert warnings(whole) == {"ann": ("red", None, None)}
    assert tasks(whole) == {"task-ann-2026-03-02": "open"}
    assert whole.tasks().rows["facts"].tolist() == [{"level": "red"}]
    publish(whole, MONDAY, BOTH, data="f4", decide=opening())
    assert warnings(whole) == {"ann": ("red", MONDAY, "superseded")}


def test_a_warning_that_both_runs_open_takes_the_new_level_and_keeps_what_people_did(whole: Store) -> None:
    publish(whole, MONDAY, BOTH, decide=opening("ann"))
    act(
        whole,
        Event("step_moved", "kim", at(MONDAY), {"step": "acknowledged", "version": 2}, "ann", "ann-2026-03-02"),
        Event("episode_changed", "kim", at(MONDAY), {"owner": "kim", "version": 3}, "ann", "ann-2026-03-02"),
    )

    def decide(state: LoopState) -> Decision:
        [warning, task] = opened(state, "ann", "orange", owner="lee")
        # A decision may go on about what it opens; ids and versions are those of the warning that is there.
        renamed = Event("episode_opened", SYSTEM, state.at, warning.payload, "ann", "another")
        raised = Event("episode_changed", SYSTEM, state.at, {"stage": "comparison", "version": 2}, "ann", "another")
        about = Event("task_created", SYSTEM, state.at, {**task.payload, "cause": "x"}, "ann", "another", "t2")
        return Decision([renamed, task, raised, about])

    publish(whole, MONDAY, BOTH, data="f2", decide=decide)
    [row] = whole.episodes().rows.to_dict("records")
    assert (row["level"], row["stage"], row["step"], row["owner"]) == ("orange", "comparison", "acknowledged", "kim")
    found = whole.tasks().rows
    assert found["episode_id"].unique().tolist() == ["ann-2026-03-02"]
    assert sorted(found["cause"]) == ["order_late", "x"]


def test_what_the_first_run_did_not_say_of_a_warning_the_second_may(whole: Store) -> None:
    publish(whole, MONDAY, BOTH, decide=opening("ann"))
    publish(
        whole, MONDAY, BOTH, data="f2", decide=lambda state: Decision(opened(state, "ann", owner="lee", priority=9.0))
    )
    assert whole.episodes().rows[["owner", "priority", "version"]].values.tolist() == [["lee", 9.0, 2]]
    publish(whole, MONDAY, BOTH, data="f3", decide=opening("ann"))
    assert whole.episodes().rows[["owner", "version"]].values.tolist() == [["lee", 2]], "unsaid is not unset"


def test_what_a_person_has_closed_is_not_opened_again(whole: Store) -> None:
    publish(whole, MONDAY, BOTH, decide=opening("ann"))
    said = {"closed_on": MONDAY, "close_reason": "wrong", "version": 2}
    done = {"state": "done", "result": {"cause": "price"}, "version": 2}
    act(
        whole,
        Event("episode_closed", "kim", at(MONDAY), said, "ann", "ann-2026-03-02"),
        Event("task_closed", "kim", at(MONDAY), done, "ann", "ann-2026-03-02", "task-ann-2026-03-02"),
    )
    for data, decide in (("f2", opening("ann")), ("f3", opening())):
        publish(whole, MONDAY, BOTH, data=data, decide=decide)
        assert warnings(whole) == {"ann": ("yellow", MONDAY, "wrong")}
        assert tasks(whole) == {"task-ann-2026-03-02": "done"}


def test_the_decision_of_a_replacing_run_starts_from_where_the_day_began(whole: Store) -> None:
    seen: list[LoopState] = []
    publish(whole, MONDAY, BOTH, decide=opening("ann", "bob"))
    publish(whole, TUESDAY, BOTH, decide=changing(level="red", highest_level="red"))

    def look(state: LoopState) -> Decision:
        seen.append(state)
        return Decision()

    publish(whole, TUESDAY, BOTH, data="f2", decide=look)
    assert seen[0].episodes["level"].tolist() == ["yellow", "yellow"]
    assert {one[0] for one in warnings(whole).values()} == {"yellow"}


def test_a_warning_that_the_replaced_run_had_closed_is_open_again(whole: Store) -> None:
    publish(whole, MONDAY, BOTH, decide=opening("ann"))
    publish(whole, TUESDAY, BOTH, decide=closing(TUESDAY))
    assert warnings(whole) == {"ann": ("yellow", TUESDAY, "below")}
    publish(whole, TUESDAY, BOTH, data="f2", decide=opening())
    assert warnings(whole) == {"ann": ("yellow", None, None)}
    publish(whole, TUESDAY, BOTH, data="f3", decide=closing(TUESDAY))
    assert warnings(whole) == {"ann": ("yellow", TUESDAY, "below")}


def test_a_warning_closed_and_another_opened_on_one_day_are_both_taken_back(whole: Store) -> None:
    publish(whole, MONDAY, BOTH, decide=opening("ann"))

    def both(state: LoopState) -> Decision:
        done = {"state": "done", "result": {}, "version": 2}
        ended = Event("task_closed", SYSTEM, state.at, done, "ann", "ann-2026-03-02", "task-ann-2026-03-02")
        return Decision([*closing(state.as_of)(state).events, ended, *opened(state, "ann", "red")])

    publish(whole, TUESDAY, BOTH, decide=both)
    assert whole.episodes(is_open=True).rows["level"].tolist() == ["red"]
    publish(whole, TUESDAY, BOTH, data="f2", decide=opening())
    rows = whole.episodes().rows.set_index("episode_id")["close_reason"]
    assert (pd.isna(rows["ann-2026-03-02"]), rows["ann-2026-03-03"]) == (True, "superseded")
    assert tasks(whole) == {"task-ann-2026-03-02": "open", "task-ann-2026-03-03": "waived"}


def test_what_a_person_has_changed_since_is_not_taken_back(whole: Store) -> None:
    publish(whole, MONDAY, BOTH, decide=opening("ann", "bob"))
    publish(whole, TUESDAY, BOTH, decide=changing(owner="lee", level="red"))
    mine = {"owner": "kim", "version": 3}
    act(whole, Event("episode_changed", "kim", at(TUESDAY), mine, "ann", "ann-2026-03-02"))
    publish(whole, TUESDAY, BOTH, data="f2", decide=opening())
    rows = whole.episodes().rows.set_index("customer_id")
    assert rows.loc["ann", ["owner", "level"]].tolist() == ["kim", "yellow"]
    assert pd.isna(rows.loc["bob", "owner"])


def test_a_task_is_not_opened_again_where_a_person_has_opened_another(whole: Store) -> None:
    publish(whole, MONDAY, BOTH, decide=opening("ann"))

    def ending(state: LoopState) -> Decision:
        done = {"state": "done", "result": {}, "version": 2}
        return Decision([Event("task_closed", SYSTEM, state.at, done, "ann", None, "task-ann-2026-03-02")])

    publish(whole, TUESDAY, BOTH, decide=ending)
    [_, task] = opened(state_on(TUESDAY), "ann")
    act(whole, Event("task_created", "kim", at(TUESDAY), task.payload, "ann", None, "by-hand"))
    publish(whole, TUESDAY, BOTH, data="f2", decide=opening())
    assert tasks(whole) == {"task-ann-2026-03-02": "done", "by-hand": "open"}


def test_superseded_warnings_do_not_cool_a_customer_down(whole: Store) -> None:
    seen: list[LoopState] = []
    publish(whole, MONDAY, BOTH, decide=opening("ann"))
    publish(whole, MONDAY, BOTH, data="f2", decide=opening())

    def look(state: LoopState) -> Decision:
        seen.append(state)
        return Decision(opened(state, "ann"))

    publish(whole, TUESDAY, BOTH, decide=look, cool_down_days=30)
    assert seen[0].episodes.empty
    assert whole.episodes(is_open=True).rows["opened_on"].dt.date.tolist() == [TUESDAY]


def test_waiting_notices_of_a_replaced_run_are_replaced_or_withdrawn_and_sent_ones_stay(whole: Store) -> None:
    def telling(**payloads: int) -> Callable[[LoopState], Decision]:
        return lambda state: Decision([], [Notice(who, "digest", state.as_of, {"n": n}) for who, n in payloads.items()])

    publish(whole, MONDAY, BOTH, decide=telling(ann=1, kim=1, lee=1))
    [first] = whole.outbox.lease("d1", 60, at(MONDAY) + timedelta(hours=1), limit=1)
    assert whole.outbox.sent(first.dedupe_key, "d1", at(MONDAY) + timedelta(hours=1))
    publish(whole, MONDAY, BOTH, data="f2", decide=telling(ann=2, kim=2))
    found = whole.notices()
    assert found[["recipient", "state"]].values.tolist() == [["ann", "sent"], ["kim", "pending"]]
    assert found["payload"].tolist() == [{"n": 1}, {"n": 2}]
