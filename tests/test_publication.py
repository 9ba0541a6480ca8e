"""A day on both engines: what it says besides scores, how it moves warnings and tasks, and how that is taken back."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa  # noqa: TID251

from features.errors import StoreError
from serving.day_records import HEALTH_COLUMNS, DayFrames, Decision, Loop, LoopState, Notice
from serving.ledger import SYSTEM, Event, append
from serving.migrations.loop_tables import PROJECTED
from serving.projection import rebuild
from serving.records import REASON_COLUMNS, SCORE_COLUMNS, Published, ScoringRun
from serving.store import Store

pytest_plugins = ["databases"]

MONDAY = date(2026, 3, 2)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
NONE = pd.DataFrame(columns=list(REASON_COLUMNS))

Levels = Mapping[str, str]


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 6, tzinfo=UTC)


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


@pytest.fixture
def whole(store: Store) -> Iterator[Store]:
    """A store whose ledger must verify at the end of the test, and whose tables must be what the ledger makes."""
    yield store
    assert store.verified().whole
    before = tables(store)
    with store.writing() as connection:
        rebuild(connection)
    assert tables(store) == before


# What a day says


def day_frames(**facts: Any) -> DayFrames:
    health = pd.DataFrame([("ann", *[50.0] * 6, 80.0, 30.0, "finance")], columns=list(HEALTH_COLUMNS))
    return DayFrames(
        profiles=pd.DataFrame({"customer_id": ["ann", "bob"], "owner": ["kim", None], "facts": [facts, {}]}),
        health=health,
        signals=pd.DataFrame(
            [("ann", "order_late", "yellow", {"days": np.int64(45), "since_on": MONDAY})],
            columns=["customer_id", "rule", "level", "evidence"],
        ),
        reports={"workload": {"kim": 3, "lost_on": TUESDAY}},
    )


BOTH = {"ann": "yellow", "bob": "none"}


def test_what_a_day_says_besides_is_read_back_with_its_days(store: Store) -> None:
    facts = {"name": "Ann & Co", "rank": np.nan, "last_order_on": MONDAY, "contracts": [{"ends_on": TUESDAY}], "n": 2}
    publish(store, MONDAY, BOTH, frames=day_frames(**facts))
    profiles = store.profiles(MONDAY)
    assert profiles["facts"].tolist() == [facts | {"rank": None}, {}]
    assert profiles["owner"].isna().tolist() == [False, True]
    assert store.signals(MONDAY)["evidence"].tolist() == [{"days": 45, "since_on": MONDAY}]
    assert store.health("ann")[["as_of", "health_reference", "known_dimensions"]].values.tolist() == [
        [pd.Timestamp(MONDAY), 80.0, "finance"]
    ]
    assert store.report(MONDAY, "workload") == {"kim": 3, "lost_on": "2026-03-03"}
    assert store.report(MONDAY, "nothing") is None
    assert store.reports(TUESDAY) == {}
    assert store.signals(TUESDAY).empty
    assert store.signals(TUESDAY).dtypes.equals(store.signals(MONDAY).dtypes)


def test_profiles_are_kept_for_the_newest_day_and_the_rest_for_ever(store: Store, plain: sa.Engine) -> None:
    for day in (TUESDAY, MONDAY, WEDNESDAY):
        publish(store, day, BOTH, frames=day_frames(day=day.day))
        newest = max(day, TUESDAY)
        assert [len(store.profiles(one)) for one in (MONDAY, TUESDAY, WEDNESDAY)] == [
            2 * (one == newest) for one in (MONDAY, TUESDAY, WEDNESDAY)
        ]
        with plain.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM profile").scalar_one() == 2
    assert len(store.health("ann")) == 3
    assert all(len(store.signals(day)) == 1 for day in (MONDAY, TUESDAY, WEDNESDAY))


def test_a_replaced_run_takes_its_profiles_with_it(store: Store, plain: sa.Engine) -> None:
    publish(store, MONDAY, BOTH, frames=day_frames(n=1))
    publish(store, MONDAY, BOTH, frames=day_frames(n=2), data="f2")
    assert store.profiles(MONDAY)["facts"].tolist() == [{"n": 2}, {}]
    with plain.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM profile").scalar_one() == 2


def test_a_rule_fires_since_the_day_from_which_it_has_fired_on_every_published_day(store: Store) -> None:
    fired = {MONDAY: True, TUESDAY: True, WEDNESDAY: False}
    fired |= {WEDNESDAY + timedelta(days=days): True for days in (1, 4)}  # the days between were not published
    for day, fires in fired.items():
        frames = day_frames()
        publish(store, day, BOTH, frames=frames if fires else DayFrames())
    since = [store.signals(day)["since"].dt.date.tolist() for day in fired]
    thursday = WEDNESDAY + timedelta(days=1)
    assert since == [[MONDAY], [MONDAY], [], [thursday], [thursday]]


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (
            DayFrames(profiles=pd.DataFrame({"customer_id": ["zoe"], "owner": [None], "facts": [{}]})),
            "profile .*'zoe'",
        ),
        (
            DayFrames(profiles=pd.DataFrame({"customer_id": ["ann"], "owner": [None], "facts": ["x"]})),
            "it is not a dict",
        ),
        (
            DayFrames(profiles=pd.DataFrame({"customer_id": ["ann"], "owner": [None], "facts": [{"n": {1, 2}}]})),
            "a value of type set cannot be kept",
        ),
        (
            DayFrames(profiles=pd.DataFrame({"customer_id": ["ann"], "owner": [7], "facts": [{"n": float("inf")}]})),
            "owner is not a text in 1 rows .*a number is infinite",
        ),
        (
            DayFrames(health=pd.DataFrame([("ann", 100.5, *[1.0] * 7, "")], columns=list(HEALTH_COLUMNS))),
            "health is outside 0 to 100",
        ),
        (
            DayFrames(health=pd.DataFrame([("ann", *[np.inf] * 8, None)], columns=list(HEALTH_COLUMNS))),
            "health is infinite .* known_dimensions is not a text",
        ),
        (
            DayFrames(
                signals=pd.DataFrame(
                    [("ann", "r", "loud", {}), ("ann", "r", "blue", {})],
                    columns=["customer_id", "rule", "level", "evidence"],
                )
            ),
            "level is not one of .* customer_id and rule occurs more than once",
        ),
        (DayFrames(reports={"": 1}), "expected names, found ''"),
        (DayFrames(reports={"workload": {"x": object()}}), "report workload .* type object cannot be kept"),
    ],
)
def test_a_day_that_breaks_a_promise_is_refused_in_one_line_and_nothing_is_published(
    store: Store, frames: DayFrames, said: str
) -> None:
    with pytest.raises(StoreError, match=said) as refused:
        publish(store, MONDAY, BOTH, frames=frames, decide=opening("ann"))
    assert "\n" not in str(refused.value)
    assert store.published(MONDAY) is None
    assert store.episodes().total == 0


# What a day moves


def test_warnings_tasks_and_notices_come_with_the_day_and_once(whole: Store) -> None:
    def decide(state: LoopState) -> Decision:
        return Decision(opened(state, "ann"), [Notice("kim", "digest", state.as_of, {"red": 1})])

    first = publish(whole, MONDAY, BOTH, decide=decide)
    assert (first.stepped, first.late) == (True, False)
    again = publish(whole, MONDAY, BOTH, decide=decide)
    assert (again.unchanged, again.stepped) == (True, True)
    assert warnings(whole) == {"ann": ("yellow", None, None)}
    assert tasks(whole) == {"task-ann-2026-03-02": "open"}
    assert whole.notices()[["recipient", "kind", "state"]].values.tolist() == [["kim", "digest", "pending"]]
    assert whole.verified().events == 2
    assert whole.published(MONDAY) == first


def test_a_decision_that_cannot_be_written_leaves_the_day_unpublished(whole: Store) -> None:
    with pytest.raises(StoreError):
        publish(whole, MONDAY, BOTH, decide=lambda state: Decision([*opened(state, "ann"), Event("x", "y", state.at)]))
    assert whole.published(MONDAY) is None
    assert (whole.episodes().total, whole.verified().events) == (0, 0)
    assert publish(whole, MONDAY, BOTH, decide=opening("ann")).stepped


def test_the_decision_sees_the_loop_as_it_stands(whole: Store) -> None:
    seen: list[LoopState] = []

    def look(state: LoopState) -> Decision:
        seen.append(state)
        return Decision()

    days = [MONDAY + timedelta(days=days) for days in range(5)]
    publish(whole, days[0], BOTH, decide=opening("ann", "bob"))
    publish(whole, days[1], BOTH | {"ann": "red"}, decide=closing(days[1]))
    act(whole, Event("account_updated", "kim", at(days[1]), {"risk": "high"}, "ann"))
    for day in days[2:4]:
        publish(whole, day, BOTH, decide=look, cool_down_days=1)
    publish(whole, days[4], BOTH, decide=look, cool_down_days=3)
    # closed on the second day: within one day of the third, not of the fourth
    assert [len(state.episodes) for state in seen] == [2, 0, 2]
    assert [sorted(set(state.earlier["as_of"].dt.date)) for state in seen] == [days[:2], days[:3], days[1:4]]
    assert seen[0].earlier.query("customer_id == 'ann'")["level"].tolist() == ["yellow", "red"]
    assert seen[0].earlier.query("customer_id == 'ann'")["level_parts"].tolist() == ["model:yellow", "model:red"]
    assert sorted(seen[0].tasks["customer_id"]) == ["ann", "bob"]
    assert seen[0].accounts["risk"].tolist() == ["high"]
    assert (seen[0].as_of, seen[0].at) == (days[2], at(days[2]) + timedelta(minutes=5))


@pytest.mark.parametrize(("day", "late"), [(MONDAY, True), (TUESDAY, False), (WEDNESDAY, False)])
def test_a_day_older_than_the_newest_leaves_the_warnings_alone_and_says_so(whole: Store, day: date, late: bool) -> None:
    publish(whole, TUESDAY, BOTH, decide=opening("ann"))
    published = publish(whole, day, BOTH, data="f2", decide=opening("ann", "bob") if day == TUESDAY else opening("bob"))
    assert (published.stepped, published.late) == (not late, late)
    assert set(warnings(whole)) == ({"ann"} if late else {"ann", "bob"})
    assert len(whole.scores(day)) == 2


def test_a_day_without_a_loop_leaves_the_warnings_alone(whole: Store) -> None:
    publish(whole, MONDAY, BOTH, decide=opening("ann"))
    published = publish(whole, TUESDAY, BOTH)
    assert (published.stepped, published.late) == (False, False)
    assert publish(whole, MONDAY, BOTH, data="f2", decide=opening("bob")).stepped


# A run that replaces another of its day


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
    [_, task] = opened(LoopState(TUESDAY, at(TUESDAY), *[pd.DataFrame()] * 4), "ann")
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


# Reading


def test_warnings_and_tasks_are_read_by_owner_customer_state_and_page(whole: Store) -> None:
    def decide(state: LoopState) -> Decision:
        events = [*opened(state, "ann", owner="kim"), *opened(state, "bob", owner="lee"), *opened(state, "cho")]
        return Decision([*events, Event("customer_restarted", SYSTEM, state.at, {"gap_days": 70}, "ann")])

    publish(whole, MONDAY, dict.fromkeys(("ann", "bob", "cho"), "yellow"), decide=decide)
    done = {"state": "done", "result": {}, "version": 2}
    act(
        whole,
        Event("task_closed", "kim", at(MONDAY), done, "ann", None, "task-ann-2026-03-02"),
        Event(
            "task_changed",
            "kim",
            at(MONDAY),
            {"snoozed_until": TUESDAY, "version": 2},
            "bob",
            None,
            "task-bob-2026-03-02",
        ),
    )
    assert whole.episodes(owners=["kim", "lee"]).rows["customer_id"].tolist() == ["ann", "bob"]
    assert whole.episodes(customer_id="cho").total == 1
    assert [whole.episodes(opened_from=day).total for day in (MONDAY, TUESDAY)] == [3, 0]
    page = whole.episodes(limit=1, offset=1)
    assert (page.total, page.rows["customer_id"].tolist()) == (3, ["bob"])
    assert whole.tasks(state="open").rows["customer_id"].tolist() == ["bob", "cho"]
    assert [whole.tasks(state="open", awake_on=day).total for day in (MONDAY, TUESDAY)] == [1, 2]
    due = MONDAY + timedelta(days=4)
    assert [whole.tasks(due_until=due + timedelta(days=days)).total for days in (-1, 0, 1)] == [0, 3, 3]
    assert [one.event.kind for one in whole.history("ann", ["customer_restarted"])] == ["customer_restarted"]


def test_what_people_say_is_read_back(whole: Store) -> None:
    publish(whole, MONDAY, BOTH, decide=opening("ann"))
    now, warning = at(MONDAY), "ann-2026-03-02"
    act(
        whole,
        Event("account_updated", "kim", now, {"temperature": "cool", "last_contact_on": MONDAY}, "ann"),
        Event(
            "outcome_recorded", "kim", now, {"state": "final", "recorded_on": MONDAY, "why": "budget"}, "ann", warning
        ),
        Event("review_recorded", "lee", now, {"lost_on": MONDAY, "family": "care", "cause": "no_visits"}, "bob"),
        Event("feedback_given", "kim", now, {"verdict": "true"}, "ann", warning),
        Event("exposed", "kim", now, {"kind": "contacted"}, "ann", warning),
        Event("setting_changed", "lee", now, {"name": "weights", "value": {"finance": 20.0}}),
    )
    assert whole.account_states("ann")["last_contact_on"].dt.date.tolist() == [MONDAY]
    assert whole.account_states("bob").empty
    assert whole.outcomes()["why"].tolist() == ["budget"]
    assert whole.reviews("bob")["cause"].tolist() == ["no_visits"]
    assert whole.feedback()["verdict"].tolist() == ["true"]
    assert whole.exposures()["at"].tolist() == [pd.Timestamp(now)]
    assert whole.settings() == {"weights": {"finance": 20.0}}
    assert str(whole.exposures()["at"].dtype) == "datetime64[us, UTC]"
