"""A day on both engines: what it says besides scores, how it moves warnings and tasks, and what can be read."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa  # noqa: TID251
from made_days import (
    BOTH,
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    act,
    at,
    closing,
    kept_whole,
    opened,
    opening,
    publish,
    tasks,
    warnings,
)

from features.errors import StoreError
from models import episodes
from serving.day_records import CHANGE_COLUMNS, HEALTH_COLUMNS, DayFrames, Decision, LoopState, Notice
from serving.ledger import SYSTEM, Event
from serving.store import Store

pytest_plugins = ["databases"]


@pytest.fixture
def whole(store: Store) -> Iterator[Store]:
    with kept_whole(store):
        yield store


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


def changes_of(since: object = MONDAY, **other: Any) -> DayFrames:
    """Ann went from none to yellow; with other columns where given."""
    row = ("ann", since, "none", "yellow", -1.5, 1 / 3, {"steps": [{"on": TUESDAY, "shares": ()}]}, "Up to Yellow.")
    return DayFrames(changes=pd.DataFrame([row], columns=list(CHANGE_COLUMNS)).assign(**other))


@pytest.mark.parametrize("since", [MONDAY, pd.Timestamp(MONDAY)])
def test_a_changed_level_is_read_back_with_why_it_changed(store: Store, since: date) -> None:
    publish(store, TUESDAY, BOTH, frames=changes_of(since))
    (row,) = store.changes(TUESDAY).to_dict("records")
    assert row == {
        "customer_id": "ann", "as_of": pd.Timestamp(TUESDAY), "since": pd.Timestamp(MONDAY), "level_before": "none",
        "level_after": "yellow", "margin_before": -1.5, "margin_after": 1 / 3,
        "change": {"steps": [{"on": "2026-03-03", "shares": []}]}, "text": "Up to Yellow.", "run_id": "2026-03-03-f1",
    }  # fmt: skip
    assert len(store.changes(TUESDAY, "ann")) == 1
    assert store.changes(TUESDAY, "bob").empty
    assert store.changes(MONDAY).dtypes.equals(store.changes(TUESDAY).dtypes)


def test_margins_of_a_change_may_be_unknown(store: Store) -> None:
    publish(store, TUESDAY, BOTH, frames=changes_of(margin_before=None, margin_after=np.nan))
    assert store.changes(TUESDAY)[["margin_before", "margin_after"]].isna().all(axis=None)


def test_a_change_is_read_while_its_run_is_and_kept_afterwards(store: Store, plain: sa.Engine) -> None:
    publish(store, TUESDAY, BOTH, frames=changes_of())
    publish(store, WEDNESDAY, BOTH, frames=changes_of(TUESDAY, level_before="red"))
    publish(store, TUESDAY, BOTH, frames=changes_of(text="Up again."), data="f2")
    assert [store.changes(day)["text"].tolist() for day in (TUESDAY, WEDNESDAY)] == [["Up again."], ["Up to Yellow."]]
    publish(store, TUESDAY, BOTH, data="f3")
    assert store.changes(TUESDAY).empty
    with plain.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM level_change").scalar_one() == 3


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("level_before = 'purple'", "ck_level_change_level_before"),
        ("level_after = 'purple'", "ck_level_change_level_after"),
        ("level_after = level_before", "ck_level_change_levels_differ"),
        ("margin_before = 1e301", "ck_level_change_margin_before_finite"),
        ("margin_after = -1e301", "ck_level_change_margin_after_finite"),
    ],
)
def test_the_database_itself_refuses_a_change_that_is_none(
    store: Store, plain: sa.Engine, statement: str, constraint: str
) -> None:
    publish(store, TUESDAY, BOTH, frames=changes_of())
    with pytest.raises(sa.exc.IntegrityError, match=constraint), plain.begin() as connection:
        connection.exec_driver_sql(f"UPDATE level_change SET {statement}")


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


def test_the_state_is_what_the_steps_of_warnings_take(whole: Store) -> None:
    """Three days by `models.episodes`: steady on the second, so it opens; then a replaced day steps again."""
    levels, moves = {"ann": "yellow", "bob": "none"}, []

    def decide(state: LoopState) -> Decision:
        today = pd.DataFrame({"customer_id": list(levels), "level": list(levels.values())}).assign(
            model_level=list(levels.values()), rule_level="none", health_level="none", churn_probability=0.5,
            queue="early", dimension="transaction", priority=9.0, owner="kim",
        )  # fmt: skip
        done = episodes.step(today, state.earlier, state.episodes, as_of=state.as_of, entry=0.3)
        moves.append(done)
        rows = done.opened.astype(object).where(done.opened.notna(), None).to_dict("records")
        events = []
        for row in rows:
            reason, one, who = row.pop("reason"), row.pop("episode_id"), row.pop("customer_id")
            more = {
                "opened_reason": reason,
                "step": "raised",
                "step_since": state.at,
                "arm": "shown",
                "propensity": 1.0,
            }
            events.append(Event("episode_opened", SYSTEM, state.at, row | more, who, one))
        return Decision(events)

    for day in (MONDAY, TUESDAY, WEDNESDAY):
        publish(whole, day, levels, decide=decide, cool_down_days=28)
    publish(whole, WEDNESDAY, levels, decide=decide, cool_down_days=28, data="f2")
    assert [(len(done.opened), len(done.closed)) for done in moves] == [(1, 0), (0, 0), (0, 0), (0, 0)]
    assert whole.episodes().rows[["customer_id", "opened_reason", "dimension"]].values.tolist() == [
        ["ann", "first_scoring", "transaction"]
    ]


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
        (changes_of(MONDAY - timedelta(days=1), customer_id="zoe"), "level_change rows .* a row has no score"),
        (changes_of(MONDAY), r"since is not a day before 2026-03-02 in 1 rows \(customers \['ann'\]\)"),
        (changes_of(None), "since is not a day before"),
        (changes_of(pd.NaT), "since is not a day before"),
        (changes_of(pd.Timestamp(MONDAY) - timedelta(hours=1)), "since is not a day before"),
        (changes_of("2026-03-01"), "since is not a day before"),
        (changes_of(level_before="loud"), "level_before is not one of"),
        (changes_of(level_after=None), "level_after is not one of"),
        (changes_of(level_after="none"), "the level is the same as before"),
        (changes_of(margin_before=np.inf), "margin_before is infinite"),
        (changes_of(margin_after=-np.inf), "margin_after is infinite"),
        (changes_of(change="it fell"), "change cannot be kept: it is not a dict"),
        (changes_of(text=""), "text is not a text"),
        (DayFrames(changes=pd.concat([changes_of().changes] * 2)), "customer_id occurs more than once"),
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
    assert [sorted(set(state.earlier["as_of"])) for state in seen] == [days[:2], days[:3], days[1:4]]
    assert seen[0].earlier.query("customer_id == 'ann'")["level"].tolist() == ["yellow", "red"]
    assert seen[0].earlier.query("customer_id == 'ann'")["level_parts"].tolist() == ["model:yellow", "model:red"]
    assert seen[0].episodes["closed_on"].tolist() == [days[1]] * 2
    assert seen[0].tasks["snoozed_until"].tolist() == [None] * 2
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


def test_the_models_part_of_earlier_levels_is_told_apart(whole: Store, plain: sa.Engine) -> None:
    publish(whole, MONDAY, {"ann": "red", "bob": "red", "cho": "red", "dee": "none"})
    parts = {"ann": "'model:yellow rule:late:orange raised:competitor'", "bob": "'health:red'", "cho": "NULL"}
    with plain.execution_options(writing=True).begin() as connection:
        for customer, said in parts.items():
            connection.exec_driver_sql(f"UPDATE score SET level_parts = {said} WHERE customer_id = '{customer}'")
    seen: list[LoopState] = []

    def look(state: LoopState) -> Decision:
        seen.append(state)
        return Decision()

    publish(whole, TUESDAY, BOTH, decide=look)
    told = dict(zip(seen[0].earlier["customer_id"], seen[0].earlier["model_level"], strict=True))
    assert told == {"ann": "yellow", "bob": "none", "cho": "red", "dee": "none"}


def test_a_day_without_a_loop_leaves_the_warnings_alone(whole: Store) -> None:
    publish(whole, MONDAY, BOTH, decide=opening("ann"))
    published = publish(whole, TUESDAY, BOTH)
    assert (published.stepped, published.late) == (False, False)
    assert publish(whole, MONDAY, BOTH, data="f2", decide=opening("bob")).stepped


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
