"""What a day decides, on a real store: warnings, tasks, notices and hand-overs, and nothing twice."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_days import MONDAY, TUESDAY, WEDNESDAY, at, kept_whole, publish, tasks, warnings

from models.episodes import Hysteresis, Pilot
from serving import loop
from serving.day_records import Decision, LoopState, Notice
from serving.decision import HANDED_OVER, NEW_WARNINGS, TOLD_OF_TASKS, Decided, Terms, Today, decide
from serving.loop_rows import told
from serving.notices import words
from serving.organisation import OrgChart
from serving.store import Store
from serving.tasks import Terms as TaskTerms

ORG = OrgChart(managers={"kim": "mara"}, director="dora", top="tom", fallback="office")
TERMS = Terms(entry=0.4, tasks=TaskTerms(org=ORG))
CHANGES = ("customer_id", "field", "old", "new", "on", "edit")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'kizashi.db'}") as opened, kept_whole(opened):
        yield opened


def customer(customer_id: str, level: str = "none", **more: Any) -> dict[str, Any]:
    """One customer of a day: what it is scored by, and its facts."""
    usual = {
        "customer_id": customer_id, "level": level, "model_level": level, "rule_level": "none", "health_level": "none",
        "churn_probability": 0.1 if level == "none" else 0.6, "queue": "early", "dimension": "transaction",
        "priority": 100.0, "owner": "kim", "stage": "cooling", "listed": False, "name": customer_id.title(),
        "region": "north", "manager": None, "rank": "D", "order_cycle_days": 30.0, "churn_window_days": 60.0,
        "last_order_on": MONDAY - timedelta(days=20), "first_order_on": date(2024, 1, 10), "last_order_amount": 70.5,
        "gap_before_last_order_days": 28.0, "days_since_last_contact": 3.0, "budget_months": [3], "temperature": "warm",
    }  # fmt: skip
    return {**usual, **more}


def today(*customers: dict[str, Any], signals: Any = (), changes: Any = ()) -> Today:
    rows = pd.DataFrame(list(customers))
    fired = pd.DataFrame(list(signals), columns=["customer_id", "rule", "level", "evidence"], dtype="object")
    return Today(rows, rows, fired, pd.DataFrame(list(changes), columns=list(CHANGES), dtype="object"))


def run(
    store: Store, day: date, *customers: dict[str, Any], terms: Terms = TERMS, data: str = "f1", **more: Any
) -> Decided:
    """Publish a day with what it decides."""
    decided: list[Decided] = []

    def move(state: LoopState) -> Decision:
        decided[:] = [decide(state, today(*customers, **more), terms)]
        return decided[0].decision

    levels = {one["customer_id"]: one["level"] for one in customers}
    publish(store, day, levels, decide=move, data=data, cool_down_days=28)
    return decided[0]


def kinds(store: Store) -> dict[str, list[str]]:
    """Customer -> kinds of its open tasks."""
    rows = store.tasks(state="open").rows
    return rows.groupby("customer_id")["kind"].agg(sorted).to_dict()


def notices(store: Store, kind: str) -> dict[str, Any]:
    rows = store.notices()
    rows = rows[rows["kind"] == kind]
    return dict(zip(rows["recipient"], rows["payload"], strict=True))


def test_a_level_opens_a_warning_with_its_task_and_a_notice_to_the_owner(store: Store) -> None:
    run(store, MONDAY, customer("ann", "yellow"), customer("bob"))
    assert warnings(store) == {"ann": ("yellow", None, None)}
    [row] = store.episodes().rows.to_dict("records")
    assert (row["arm"], row["propensity"], row["step"], row["owner"]) == ("shown", 1.0, "raised", "kim")
    assert (row["opened_level"], row["dimension"], row["priority"]) == ("yellow", "transaction", 100.0)
    assert kinds(store) == {"ann": ["call_back"]}
    told_of = {"customer_id": "ann", "episode_id": row["episode_id"], "level": "yellow"}
    assert notices(store, NEW_WARNINGS) == {"kim": {"warnings": [told_of]}}


def test_a_warning_changes_and_is_over_after_fourteen_quiet_days_with_the_task_that_nobody_else_asked_for(
    store: Store,
) -> None:
    run(store, MONDAY, customer("ann", "yellow"))
    changed = run(store, TUESDAY, customer("ann", "red", rule_level="red", model_level="yellow"))
    assert changed.moves.changed["reason"].tolist() == ["louder"]
    assert warnings(store) == {"ann": ("red", None, None)}
    quiet = customer("ann")
    run(store, WEDNESDAY, quiet)
    run(store, WEDNESDAY + timedelta(days=13), quiet)
    assert warnings(store)["ann"][1] is None
    over = WEDNESDAY + timedelta(days=14)
    run(store, over, quiet)
    assert warnings(store) == {"ann": ("blue", over, "quiet")}
    # the cases of the red days need a result and wait for somebody; what the warning alone asked for is done
    assert "call_back" not in kinds(store).get("ann", [])


def test_a_warning_left_alone_by_lot_is_noticed_by_nobody_and_sets_off_no_task(store: Store) -> None:
    many = [customer(f"c{number:02d}", "yellow", priority=100.0 - number) for number in range(20)]
    terms = Terms(
        Hysteresis(new_per_week=None), 0.4, holdout_share=0.5, top_value_share=0.05, salt="s", tasks=TERMS.tasks
    )
    run(store, MONDAY, *many, terms=terms)
    rows = store.episodes().rows.set_index("customer_id")
    arms = rows["arm"]
    assert set(arms) == {"shown", "holdout"}
    assert (arms["c00"], rows.loc["c00", "propensity"]) == ("shown", 1.0), "the most valuable one is never left alone"
    assert set(rows.loc[rows.index != "c00", "propensity"]) == {0.5}
    [told_of] = notices(store, NEW_WARNINGS).values()
    shown = set(arms.index[arms == "shown"])
    assert {one["customer_id"] for one in told_of["warnings"]} == shown == set(kinds(store))


def test_a_second_run_of_the_same_day_changes_nothing(store: Store) -> None:
    book = [customer("ann", "yellow"), customer("bob", "red", rule_level="red"), customer("cleo")]
    fired = [
        (
            "cleo",
            "order_late",
            "none",
            {"days_since_last_order": 46.0, "order_cycle_days": 30.0, "late_order_multiple": 1.5},
        )
    ]
    run(store, MONDAY, *book, signals=fired)
    before = (store.episodes().rows, store.tasks().rows, store.notices().drop(columns="run_id"), len(store.history()))
    run(store, MONDAY, *book, signals=fired, data="f2")
    after = (store.episodes().rows, store.tasks().rows, store.notices().drop(columns="run_id"), len(store.history()))
    for was, now in zip(before[:3], after[:3], strict=True):
        pd.testing.assert_frame_equal(was, now)
    assert before[3] == after[3]


def test_tasks_are_created_once_however_many_days_ask_for_them(store: Store) -> None:
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        run(store, day, customer("ann", "yellow"), customer("bob", days_since_last_contact=90.0))
    assert kinds(store) == {"ann": ["call_back"], "bob": ["restart"]}
    assert set(store.tasks().rows["created_on"].dt.date) == {MONDAY}


def test_what_a_replaced_run_had_opened_is_superseded_and_the_new_run_opens_its_own(store: Store) -> None:
    run(store, MONDAY, customer("ann", "yellow"), customer("bob"))
    run(store, MONDAY, customer("ann"), customer("bob", "yellow"), data="f2")
    assert warnings(store) == {"ann": ("yellow", MONDAY, "superseded"), "bob": ("yellow", None, None)}
    assert sorted(tasks(store).values()) == ["open", "waived"]
    assert kinds(store) == {"bob": ["call_back"]}


def test_ml_05_in_shadow_mode_scores_are_published_and_no_warning_and_no_task_is_there(store: Store) -> None:
    terms = Terms(entry=0.4, pilot=Pilot(shadow=True), tasks=TERMS.tasks)
    loud = customer("ann", "red", rule_level="red", days_since_last_contact=99.0, listed=True)
    changed = [("ann", "risk", None, "urgent", MONDAY, False)]
    fired = [("ann", "orders_stopped", "none", {})]
    run(store, MONDAY, loud, terms=terms, signals=fired, changes=changed)
    assert store.scores(MONDAY)["level"].tolist() == ["red"]
    assert (len(store.episodes().rows), len(store.tasks().rows), len(store.notices())) == (0, 0, 0)
    # the day on which it is switched off, what was seen meanwhile is warned about
    run(store, TUESDAY, loud, signals=fired)
    assert warnings(store)["ann"][0] == "red"


def test_ml_05_a_pilot_opens_warnings_and_tasks_in_its_unit_alone(store: Store) -> None:
    terms = Terms(entry=0.4, pilot=Pilot("region", ("north",)), tasks=TERMS.tasks)
    book = [
        customer(f"{region}-1", "red", rule_level="red", region=region, days_since_last_contact=99.0)
        for region in ("north", "south")
    ]
    run(store, MONDAY, *book, customer("lost", region=None, level="yellow"), terms=terms)
    assert set(warnings(store)) == set(kinds(store)) == {"north-1"}
    assert set(store.scores(MONDAY)["customer_id"]) == {"north-1", "south-1", "lost"}


def test_what_does_not_fit_into_an_owners_week_is_counted_with_its_money(store: Store) -> None:
    terms = Terms(Hysteresis(new_per_week=1), 0.4, tasks=TERMS.tasks)
    book = [
        customer("ann", "yellow", priority=50.0),
        customer("bob", "yellow", priority=80.0),
        customer("cleo", "yellow", owner="lee", priority=1.0),
    ]
    decided = run(store, MONDAY, *book, terms=terms)
    assert set(warnings(store)) == {"bob", "cleo"}
    assert decided.moves.not_shown == (1, 50.0)
    run(store, MONDAY + timedelta(days=7), *book, terms=terms)
    assert set(warnings(store)) == {"ann", "bob", "cleo"}, "the next week has room"


def test_cl_02_an_order_that_came_back_is_recorded_once_with_what_the_system_knows(store: Store) -> None:
    run(store, MONDAY, customer("ann", "red", rule_level="red"))
    back = customer("ann", last_order_on=MONDAY, gap_before_last_order_days=61.0, last_order_amount=500.0)
    for day in (TUESDAY, WEDNESDAY):
        run(store, day, back)
    [draft] = store.outcomes().to_dict("records")
    assert (draft["state"], draft["result"], draft["detected_level"]) == ("draft", "restarted", "red")
    assert (draft["days_stopped"], draft["first_order_amount"]) == (61.0, 500.0)
    assert len(told(store, "customer_restarted")) == 1


@pytest.mark.parametrize(("gap", "draft", "restarted"), [(45.0, 0, 0), (46.0, 1, 0), (60.0, 1, 0), (61.0, 1, 1)])
def test_how_long_a_silence_has_to_be_for_an_order_to_come_back(
    store: Store, gap: float, draft: int, restarted: int
) -> None:
    run(store, MONDAY, customer("ann", "red", rule_level="red"))
    run(store, TUESDAY, customer("ann", last_order_on=MONDAY, gap_before_last_order_days=gap))
    assert (len(store.outcomes()), len(told(store, "customer_restarted"))) == (draft, restarted)


def test_notices_are_one_per_owner_and_day(store: Store) -> None:
    book = [
        customer("ann", "yellow"),
        customer("bob", "yellow"),
        customer("cleo", "yellow", owner="lee"),
        customer("dan", "yellow", owner=None),
    ]
    changed = [("ann", "risk", "low", "urgent", MONDAY, False), ("bob", "risk", "low", "high", MONDAY, False)]
    run(store, MONDAY, *book, changes=changed)
    told_of = notices(store, NEW_WARNINGS)
    assert {who: [one["customer_id"] for one in held["warnings"]] for who, held in told_of.items()} == {
        "kim": ["ann", "bob"],
        "lee": ["cleo"],
    }
    # the manager is told of both tasks in one notice; kim, who has them, is not told again
    others = notices(store, TOLD_OF_TASKS)
    assert [one["customer_id"] for one in others["mara"]["tasks"]] == ["ann", "bob"]
    assert "kim" not in others
    run(store, TUESDAY, *book)
    assert len(store.notices(as_of=TUESDAY)) == 0, "nothing is new"


# Hand-overs


def test_dm_22_where_the_source_names_another_owner_the_warning_and_the_open_tasks_go_there(store: Store) -> None:
    run(store, MONDAY, customer("ann", "yellow"), customer("bob", "yellow"))
    run(store, TUESDAY, customer("ann", "yellow", owner="lee"), customer("bob", "yellow"))
    assert dict(store.episodes().rows[["customer_id", "owner"]].itertuples(index=False)) == {"ann": "lee", "bob": "kim"}
    assert dict(store.tasks().rows[["customer_id", "owner"]].itertuples(index=False)) == {"ann": "lee", "bob": "kim"}
    [moved] = told(store, "owner_changed").to_dict("records")
    assert (moved["customer_id"], moved["from_owner"], moved["to_owner"], moved["actor"]) == (
        "ann",
        "kim",
        "lee",
        "kizashi",
    )
    assert moved["tasks"] == store.tasks(customer_id="ann").rows["task_id"].tolist()
    run(store, WEDNESDAY, customer("ann", "yellow", owner="lee"), customer("bob", "yellow"))
    assert len(told(store, "owner_changed")) == 1


def test_op_03_the_new_owner_gets_a_brief_of_four_parts_by_the_run_that_sees_the_change(store: Store) -> None:
    run(store, MONDAY, customer("ann", "yellow"))
    loop.update_account(store, "ann", temperature="cool", risk="low", actor="kim", at=at(MONDAY), today=MONDAY)
    run(store, TUESDAY, customer("ann", "yellow", owner="lee"), signals=[("ann", "slump", "none", {})])
    brief = told(store, "owner_changed")["brief"][0]
    assert sorted(brief) == sorted(loop.BRIEF)
    assert brief == {
        "history": [
            {"kind": "first_order", "on": "2024-01-10"},
            {"kind": "last_order", "on": "2026-02-10", "amount": 70.5},
            {"kind": "last_contact", "on": "2026-03-02"},
        ],
        "open_issues": [
            {"kind": "warning", "what": "yellow", "since": "2026-03-02"},
            {"kind": "task", "what": "call_back", "since": "2026-03-02"},
            {"kind": "rule", "what": "slump", "since": None},
        ],
        "temperature": "cool",
        "budget_months": [3],
    }
    # the notice names the account alone: what the brief tells is read where the account may be seen
    [account] = notices(store, HANDED_OVER)["lee"]["accounts"]
    told_so = words(Notice("lee", HANDED_OVER, TUESDAY, {"accounts": [account]}), {"ann": "Ann & Co"})
    assert told_so.subject == "1 customer is yours from now on: 2026-03-03"
    assert told_so.lines == ("Ann & Co",)
    assert account == {"customer_id": "ann", "from_owner": "kim", "tasks": store.tasks().rows["task_id"].tolist()}


def test_op_03_an_account_with_nothing_open_is_handed_over_where_the_file_tells_of_the_change(store: Store) -> None:
    run(store, MONDAY, customer("ann"))
    changed = [("ann", "owner", "kim", "lee", MONDAY, False)]
    run(store, TUESDAY, customer("ann", owner="lee"), changes=changed)
    [moved] = told(store, "owner_changed").to_dict("records")
    assert (moved["from_owner"], moved["to_owner"], moved["tasks"]) == ("kim", "lee", [])
    assert moved["brief"]["open_issues"] == []


def test_a_change_of_owner_and_of_level_on_one_day_are_both_made(store: Store) -> None:
    run(store, MONDAY, customer("ann", "yellow"))
    run(store, TUESDAY, customer("ann", "red", rule_level="red", owner="lee"))
    [row] = store.episodes().rows.to_dict("records")
    assert (row["owner"], row["level"]) == ("lee", "red")
    assert set(store.tasks(state="open").rows["owner"]) <= {"lee", "tom"}


def test_a_run_again_of_the_day_of_a_hand_over_makes_it_once(store: Store) -> None:
    run(store, MONDAY, customer("ann", "yellow"))
    for data in ("f1", "f2"):
        run(store, TUESDAY, customer("ann", "yellow", owner="lee"), data=data)
    assert set(store.tasks().rows["owner"]) == set(store.episodes().rows["owner"]) == {"lee"}
    assert len(told(store, "owner_changed")) == 1
    run(store, TUESDAY, customer("ann", "yellow"), data="f3")  # the source was wrong: nothing changed hands
    assert set(store.tasks().rows["owner"]) == set(store.episodes().rows["owner"]) == {"kim"}


def test_what_a_person_has_handed_over_stays_there_until_the_source_names_somebody_else(store: Store) -> None:
    run(store, MONDAY, customer("ann", "yellow"))
    brief = dict.fromkeys(loop.BRIEF)
    who = {"actor": "mara", "at": at(MONDAY)}
    loop.hand_over(store, "ann", from_owner="kim", to_owner="lee", on=MONDAY, brief=brief, **who)
    run(store, TUESDAY, customer("ann", "yellow"))  # the file still says kim
    assert set(store.tasks().rows["owner"]) == set(store.episodes().rows["owner"]) == {"lee"}
    run(store, WEDNESDAY, customer("ann", "yellow", owner="max"))
    assert set(store.tasks().rows["owner"]) == set(store.episodes().rows["owner"]) == {"max"}


def test_an_account_of_nobody_goes_to_the_first_owner_that_is_named_and_one_without_stays(store: Store) -> None:
    run(store, MONDAY, customer("ann", "yellow", owner=None), customer("bob", "yellow"))
    assert set(store.tasks(customer_id="ann").rows["owner"]) == {"office"}, "who stands in"
    run(store, TUESDAY, customer("ann", "yellow", owner="lee"), customer("bob", "yellow", owner=None))
    owners = dict(store.episodes().rows[["customer_id", "owner"]].itertuples(index=False))
    assert owners == {"ann": "lee", "bob": "kim"}
    assert set(store.tasks(customer_id="ann").rows["owner"]) == {"lee"}
