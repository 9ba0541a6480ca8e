"""The rows of the closed loop, each by its own acceptance test."""

from datetime import timedelta

import pandas as pd
import pytest
from working_days import DAY, NINE, customer, days, opened, put, run, table

from features.errors import StoreError
from serving import loop
from serving.effects import action_in_time, change_report, red_actions, visit_in_time
from serving.loop_rows import frame, told
from serving.outcomes import CAUSES, RestartTerms, families, lost_on, name_of, restarts, unreviewed
from serving.plays import advice, case_book, knowledge, play_record
from serving.store import Store
from serving.stuck import stuck
from serving.verification import disagreements, fired_rules, rule_precision, training_facts
from serving.workload import REVIEW_INPUT, completeness, satisfaction, update_compliance

KIM = {"actor": "kim", "at": NINE}
MOVES = (
    (loop.acknowledge, {}),
    (loop.plan, {"plays": ["inventory_plan"]}),
    (loop.start, {}),
    (loop.evaluate, {"result": "kept"}),
    (loop.learn, {"lesson": "a plan for stock brought them back"}),
)


@pytest.fixture
def store(tmp_path):
    with Store.open(f"sqlite:///{tmp_path / 'kizashi.db'}") as made:
        yield made


def rows(store, name):
    return frame(store, name).to_dict("records")


def test_cl_01_a_warning_goes_through_six_states_in_order_each_with_who_and_when(store):
    assert len(loop.STEPS) == 6
    episode = opened(store)
    for version, (move, told_by) in enumerate(MOVES, start=1):
        row = move(store, episode, actor="kim", at=NINE + timedelta(hours=version), version=version, **told_by)
        assert (row["step"], row["step_since"]) == (loop.STEPS[version], NINE + timedelta(hours=version))
    moved = told(store, "step_moved")
    assert list(moved["step"]) == list(loop.STEPS[1:])
    assert set(moved["actor"]) == {"kim"}
    with pytest.raises(StoreError, match="has gone all its way"):
        loop.learn(store, episode, lesson="again", version=6, **KIM)


@pytest.mark.parametrize("place", range(5))
def test_cl_01_an_illegal_jump_is_refused_with_what_is_allowed(store, place):
    episode = opened(store)
    for version, (move, told_by) in enumerate(MOVES[:place], start=1):
        move(store, episode, version=version, **told_by, **KIM)
    for other, (move, told_by) in enumerate(MOVES):
        if other != place:
            with pytest.raises(StoreError, match=f"the next step is {loop.STEPS[place + 1]!r}"):
                move(store, episode, version=place + 1, **told_by, **KIM)
    assert rows(store, "episode")[0]["step"] == loop.STEPS[place]


def test_cl_01_a_step_says_what_it_needs(store):
    episode = opened(store)
    loop.acknowledge(store, episode, version=1, **KIM)
    with pytest.raises(StoreError, match="at least one play or a note"):
        loop.plan(store, episode, plays=[], version=2, **KIM)
    with pytest.raises(StoreError, match="result is one of"):
        loop.evaluate(store, episode, result="fine", version=2, **KIM)
    with pytest.raises(StoreError, match="a lesson is a sentence"):
        loop.learn(store, episode, lesson=" ", version=2, **KIM)


def test_cl_01_warnings_that_do_not_move_are_listed_by_state_with_their_age_and_those_that_nobody_owns(store):
    first = opened(store, "red", "ann")
    opened(store, "blue", "bob", owner=None)
    opened(store, "blue", "cho")
    loop.acknowledge(store, first, actor="kim", at=NINE + timedelta(days=4), version=1)
    found = stuck(frame(store, "episode"), NINE + timedelta(days=7), after_days=3)
    assert found[["customer_id", "step", "days", "owner"]].to_numpy().tolist() == [
        ["bob", "raised", 7, None],
        ["cho", "raised", 7, "kim"],
        ["ann", "acknowledged", 3, "kim"],
    ]
    assert found["unowned"].tolist() == [True, False, False]
    assert len(stuck(frame(store, "episode"), NINE + timedelta(days=6), after_days=3)) == 2
    # whoever takes one that nobody owns becomes its owner
    taken = loop.acknowledge(store, "e-bob-2026-03-02", actor="lee", at=NINE, version=1)
    assert (taken["owner"], taken["step"], taken["version"]) == ("lee", "acknowledged", 3)


RESTARTED = customer(
    last_order_on=DAY + days(59), last_order_amount=1250.0, gap_before_last_order_days=90.0, order_cycle_days=30.0
)


def restarted(store, row, as_of):
    at = NINE + timedelta(days=(as_of - DAY).days)
    return restarts(
        pd.DataFrame([row]), frame(store, "episode"), frame(store, "outcome"), RestartTerms(), as_of, at
    )  # fmt: skip


def test_cl_02_an_order_that_comes_back_begins_a_record_with_three_of_its_five_fields(store):
    episode = opened(store, "red")
    as_of = DAY + days(60)
    for _ in range(2):  # the day is run again
        put(store, *restarted(store, RESTARTED, as_of))
    [draft] = rows(store, "outcome")
    assert (draft["state"], draft["detected_level"], draft["days_stopped"]) == ("draft", "red", 90.0)
    assert (draft["first_order_amount"], draft["result"], draft["author"]) == (1250.0, "restarted", "kizashi")
    assert len(told(store, "customer_restarted")) == 1
    final = loop.record_outcome(
        store, episode, approach="visit", why="competitor", result="restarted", today=as_of, version=1, **KIM
    )
    assert (final["state"], final["approach"], final["why"], final["author"]) == (
        "final", "visit", "competitor", "kim"
    )  # fmt: skip
    assert (final["detected_level"], final["days_stopped"], final["first_order_amount"]) == ("red", 90.0, 1250.0)
    put(store, *restarted(store, RESTARTED, as_of + days(1)))
    assert rows(store, "outcome")[0]["state"] == "final"


@pytest.mark.parametrize(
    ("gap", "kinds"),
    [(45.0, []), (46.0, ["outcome_recorded"]), (60.0, ["outcome_recorded"]),
     (61.0, ["customer_restarted", "outcome_recorded"])],
)  # fmt: skip
def test_cl_02_only_an_order_after_a_silence_comes_back(store, gap, kinds):
    opened(store)
    events = restarted(store, {**RESTARTED, "gap_before_last_order_days": gap}, DAY + days(60))
    assert [event.kind for event in events] == kinds


def test_cl_02_an_order_before_the_warning_or_long_ago_is_no_news(store):
    opened(store)
    before = {**RESTARTED, "last_order_on": DAY - days(1)}
    assert [event.kind for event in restarted(store, before, DAY)] == ["customer_restarted"]
    assert restarted(store, RESTARTED, DAY + days(91)) == []
    assert len(restarted(store, RESTARTED, DAY + days(90))) == 2
    unknown = {**RESTARTED, "order_cycle_days": float("nan"), "last_order_on": None}
    assert restarted(store, unknown, DAY) == []


def test_cl_03_action_within_14_days_of_red_against_later(store):
    early = pd.DataFrame({"action_days": [14.0] * 10, "restarted": [True] * 7 + [False] * 3})
    late = pd.DataFrame({"action_days": [15.0] * 10, "restarted": [True] * 2 + [False] * 8})
    never = pd.DataFrame({"action_days": [float("nan")] * 4, "restarted": [True] * 4})
    found = action_in_time(pd.concat([early, late, never]))
    assert (found.one.n, found.one.share, found.other.n, found.other.share) == (10, 0.7, 10, 0.2)
    # Wilson's interval by hand: (7 + 1.92) / 13.84 -+ 1.96 / 13.84 * sqrt(2.1 + .96)
    assert (round(found.one.low, 3), round(found.one.high, 3)) == (0.397, 0.892)
    assert (round(found.other.low, 3), round(found.other.high, 3)) == (0.057, 0.510)
    few = action_in_time(pd.concat([early[:9], late]))
    assert (few.one.too_few, few.one.n, few.points == few.points) == (True, 9, False)
    # read from the loop: a warning without a final record is not known yet
    episode = opened(store, "red")
    loop.note_exposure(store, episode, "contacted", actor="kim", at=NINE + timedelta(days=5))
    [row] = red_actions(frame(store, "episode"), frame(store, "outcome")).to_dict("records")
    assert (row["action_days"], row["restarted"]) == (5.0, None)
    loop.record_outcome(store, episode, approach="visit", why="budget", result="restarted", today=DAY, version=0, **KIM)
    [row] = red_actions(frame(store, "episode"), frame(store, "outcome")).to_dict("records")
    assert row["restarted"] is True


def test_cl_04_a_visit_within_21_days_of_a_change_of_contact_in_both_forms_as_an_observation():
    visited = pd.DataFrame({"visit_days": [21.0] * 25, "kept": [True] * 21 + [False] * 4})
    others = pd.DataFrame({"visit_days": [22.0] * 10 + [float("nan")] * 15, "kept": [True] * 15 + [False] * 10})
    found = visit_in_time(pd.concat([visited, others]))
    assert (found.one.share, found.other.share) == (0.84, 0.6)
    assert (round(found.points, 10), round(found.relative, 10), found.basis) == (0.24, 0.4, "observational")


def test_cl_05_a_loss_asks_for_a_review_once_and_is_listed_until_it_is_done(store):
    lost = customer(stage="lost", last_order_on=DAY - days(61), order_cycle_days=30.0, churn_window_days=45.0)
    assert lost_on(lost, DAY) == DAY
    assert lost_on(lost, DAY + days(3)) == DAY
    made = run(store, [lost])
    assert (made["kind"].tolist(), made["facts"][0]["lost_on"]) == (["loss_review"], DAY.isoformat())
    tasks = frame(store, "task")
    assert len(unreviewed(tasks, DAY + days(30), 30)) == 0
    assert unreviewed(tasks, DAY + days(31), 30)[["customer_id", "owner", "days"]].to_numpy().tolist() == [
        ["ann", "kim", 31]
    ]
    loop.record_review(store, "ann", lost_on=DAY, cause="slow_response", **KIM)
    assert rows(store, "task")[0]["state"] == "done"
    assert len(unreviewed(frame(store, "task"), DAY + days(90), 30)) == 0
    assert len(run(store, [lost], DAY + days(31))) == 0
    assert len(run(store, [{**lost, "order_cycle_days": 31.0}], DAY + days(30))) == 0
    again = {**lost, "last_order_on": DAY + days(40)}
    assert len(run(store, [again], DAY + days(101))) == 1
    wanted = {"slow_service", "price", "slow_response", "competitor"}
    assert wanted <= set(CAUSES)


def test_cl_05_closing_the_task_with_a_cause_is_the_review(store):
    lost = customer(stage="lost", last_order_on=DAY - days(61), churn_window_days=45.0)
    task = run(store, [lost])["task_id"][0]
    loop.close_task(store, task, result={"cause": "price", "note": "10 % less"}, version=1, **KIM)
    [review] = rows(store, "review")
    assert (review["lost_on"], review["family"], review["cause"], review["note"]) == (
        DAY, "price_range", "price", "10 % less"
    )  # fmt: skip


def test_cl_05_losses_of_long_ago_ask_for_nothing(store):
    row = customer(stage="lost", last_order_on=DAY - days(61 + 32), order_cycle_days=30.0, churn_window_days=45.0)
    assert len(run(store, [row])) == 0
    assert len(run(store, [{**row, "last_order_on": DAY - days(61 + 31)}])) == 1


def test_cl_06_reviews_and_restarts_are_labelled_cases_of_the_next_training(store):
    assert training_facts(store).cases == 0
    episode = opened(store, "red")
    loop.note_exposure(store, episode, "contacted", actor="kim", at=NINE + timedelta(days=2))
    put(store, *restarted(store, RESTARTED, DAY + days(60)))
    loop.record_review(store, "bob", lost_on=DAY, cause="price", **KIM)
    loop.record_review(store, "cho", lost_on=DAY, cause="range", **KIM)
    found = training_facts(store)
    assert found.cases == 3
    assert found.confirmed_lost["customer_id"].tolist() == ["bob", "cho"]
    assert found.restarted.to_numpy().tolist() == [["ann", DAY + days(59)]]
    assert found.treated.to_numpy().tolist() == [["ann", DAY + days(2), None, 1.0]]
    moved = change_report({"weight_finance": 15.0, "red": 0.6, "blue": 0.2}, {"weight_finance": 18.0, "red": 0.6})
    assert moved["name"].tolist() == ["blue", "weight_finance"]
    assert moved[["before", "after"]].iloc[1].tolist() == [15.0, 18.0]


def book(*cases):
    columns = ("episode_id", "reason_class", "plays", "result", "recorded_on")
    return table(columns, *(dict(zip(columns, case, strict=True)) for case in cases))


def test_cl_07_what_worked_for_the_same_class_comes_first_with_its_counts():
    good = [(f"a{n}", "finance", ["play_a"], "restarted" if n < 8 else "lost", DAY) for n in range(10)]
    poor = [(f"b{n}", "finance", ["play_b"], "kept" if n < 3 else "lost", DAY) for n in range(10)]
    other = [(f"c{n}", "service_contacts", ["play_b"], "kept", DAY) for n in range(10)]
    record = play_record(book(*poor, *good, *other))
    found = advice({"finance": 1.0}, record, least=5)
    assert [(one.play, one.successes, one.n, one.by) for one in found] == [
        ("play_a", 8, 10, "record"), ("play_b", 3, 10, "record")
    ]  # fmt: skip
    assert found[0].share == 0.8
    [fallback] = advice({"finance": 1.0}, record, least=11)
    assert (fallback.play, fallback.n, fallback.by) == ("payment_options", 0, "mapping")


def test_cl_08_a_case_that_ended_well_becomes_an_entry_that_is_found_by_its_class(store):
    episode = opened(store, "red", dimension="finance")
    other = opened(store, "red", "bob", dimension="finance")
    for version, (move, told_by) in enumerate(MOVES, start=1):
        move(store, episode, version=version, **told_by, **KIM)
    for one, result in ((episode, "restarted"), (other, "lost")):
        loop.record_outcome(store, one, approach="visit", why="budget", result=result, today=DAY, version=0, **KIM)
    cases = case_book(frame(store, "episode"), frame(store, "outcome"), told(store, "step_moved"))
    [entry] = knowledge(cases, "finance").to_dict("records")
    assert (entry["customer_id"], entry["level"], entry["why"]) == ("ann", "red", "budget")
    assert (entry["plays"], entry["result"]) == (["inventory_plan"], "restarted")
    assert entry["lesson"] == "a plan for stock brought them back"
    assert len(knowledge(cases, "service_contacts")) == 0
    assert len(knowledge(cases)) == 1
    assert play_record(cases).to_numpy().tolist() == [["finance", "inventory_plan", 1, 1]]


def test_cl_09_a_false_alarm_lowers_the_precision_of_its_rules(store):
    episodes = [opened(store, customer_id=name) for name in ("ann", "bob", "cho")]
    signals = table(
        ("customer_id", "rule", "on"),
        *({"customer_id": name, "rule": "order_late", "on": DAY} for name in ("ann", "bob", "cho")),
        {"customer_id": "ann", "rule": "payment_slow", "on": DAY + days(3)},
        {"customer_id": "bob", "rule": "payment_slow", "on": DAY - days(1)},
    )
    behind = fired_rules(frame(store, "episode"), signals)
    assert len(behind) == 4
    for episode, verdict in zip(episodes, ("true", "known", "true"), strict=True):
        loop.give_feedback(store, episode, verdict=verdict, **KIM)
    before = rule_precision(frame(store, "feedback"), behind).set_index("rule")
    assert before.loc["order_late", ["n", "true", "known", "false", "precision"]].tolist() == [3, 3, 1, 0, 1.0]
    loop.give_feedback(store, episodes[2], verdict="false", actor="lee", at=NINE + timedelta(hours=1))
    after = rule_precision(frame(store, "feedback"), behind).set_index("rule")
    assert after.loc["order_late", "precision"] == pytest.approx(2 / 3)
    assert after.loc["payment_slow", "precision"] == 1.0


def test_cl_09_where_people_and_the_engine_disagree_both_are_told_with_author_and_date(store):
    today = table(
        ("customer_id", "level", "risk"),
        {"customer_id": "ann", "level": "orange", "risk": None},
        {"customer_id": "bob", "level": "none", "risk": "urgent"},
        {"customer_id": "cho", "level": "red", "risk": "urgent"},
        {"customer_id": "dan", "level": "blue", "risk": None},
    )
    loop.set_account(store, "ann", {"risk": "low"}, **KIM)
    found = disagreements(today, frame(store, "account_state"))
    assert found.to_numpy().tolist() == [
        ["bob", "urgent", "low", 3, None, None],
        ["ann", "low", "high", -2, "kim", NINE],
    ]


def test_cl_10_eight_of_ten_follow_ups_are_80_percent_and_the_two_are_named():
    expected = table(
        ("owner", "customer_id", "expected_on"),
        *({"owner": "kim", "customer_id": f"c{n}", "expected_on": DAY} for n in range(10)),
        {"owner": "lee", "customer_id": "x", "expected_on": DAY},
    )
    contacts = table(
        ("customer_id", "contact_on"),
        *({"customer_id": f"c{n}", "contact_on": DAY + days(n % 4)} for n in range(8)),
        {"customer_id": "c8", "contact_on": DAY + days(4)},
        {"customer_id": "c9", "contact_on": DAY - days(1)},
        {"customer_id": "x", "contact_on": DAY},
    )
    found = completeness(expected, contacts, within_days=3)
    assert found[["owner", "expected", "recorded", "share"]].to_numpy().tolist() == [
        ["kim", 10, 8, 0.8], ["lee", 1, 1, 1.0]
    ]  # fmt: skip
    assert found["missing"][0] == [("c8", DAY), ("c9", DAY)]


def test_cl_10_one_record_meets_one_expectation():
    expected = table(
        ("owner", "customer_id", "expected_on"),
        *({"owner": "kim", "customer_id": "c", "expected_on": DAY + days(n)} for n in range(2)),
    )
    contacts = table(("customer_id", "contact_on"), {"customer_id": "c", "contact_on": DAY + days(1)})
    assert completeness(expected, contacts, within_days=3)["share"].tolist() == [0.5]


def test_cl_11_an_old_score_of_satisfaction_is_marked_and_does_not_count():
    ratings = table(
        ("customer_id", "rated_on", "rating"),
        {"customer_id": "ann", "rated_on": DAY - days(400), "rating": 5.0},
        {"customer_id": "ann", "rated_on": DAY - days(180), "rating": 4.0},
        {"customer_id": "bob", "rated_on": DAY - days(181), "rating": 3.0},
    )
    found = satisfaction(ratings, DAY, 180).set_index("customer_id")
    assert found["stale"].to_dict() == {"ann": False, "bob": True}
    assert found.loc["ann", "counted"] == 4.0
    assert (found.loc["bob", "counted"] != found.loc["bob", "counted"], found.loc["bob", "rating"]) == (True, 3.0)
    assert found.loc["bob", "notice"] == "satisfaction_stale"


def test_cl_12_seven_of_ten_contacts_with_an_update_are_70_percent_and_below_target_the_form_is_reviewed():
    contacts = table(("customer_id", "contact_on"), *({"customer_id": f"c{n}", "contact_on": DAY} for n in range(10)))
    whole = {"last_contact_on": DAY, "temperature": "warm", "risk": "low"}
    updates = table(
        ("customer_id", "on", "last_contact_on", "temperature", "risk"),
        *({"customer_id": f"c{n}", "on": DAY + days(n % 2), **whole} for n in range(7)),
        {"customer_id": "c7", "on": DAY + days(2), **whole},
        {"customer_id": "c8", "on": DAY, **whole, "risk": None},
    )
    found = update_compliance(contacts, updates)
    assert (found.contacts, found.updated, found.share, found.review) == (10, 7, 0.7, REVIEW_INPUT)
    assert update_compliance(contacts, updates, target=0.7).review is None
    assert update_compliance(contacts[:0], updates).review is None


def test_cl_13_twenty_reviews_are_told_by_family_and_add_up(store):
    causes = ["slow_service"] * 9 + ["nobody_in_charge"] * 5 + ["range"] * 6
    for n, cause in enumerate(causes):
        loop.record_review(store, f"c{n}", lost_on=DAY, cause=cause, **KIM)
    found = families(frame(store, "review")).set_index("family")
    assert found["n"].tolist() == [9, 5, 6, 0]
    assert found["share"].tolist() == [0.45, 0.25, 0.3, 0.0]
    assert found["share"].sum() == pytest.approx(1.0)
    assert families(frame(store, "review")[:0])["share"].isna().all()
    with pytest.raises(StoreError, match="cause is one of"):
        loop.record_review(store, "c99", lost_on=DAY, cause="bad luck", **KIM)
    assert name_of(CAUSES, "price") == "A lower price elsewhere"


def test_rb_04_a_later_order_logs_that_the_customer_came_back(store):
    put(store, *restarted(store, RESTARTED, DAY + days(60)))
    [event] = told(store, "customer_restarted").to_dict("records")
    assert (event["customer_id"], event["days_stopped"], event["first_order_on"]) == (
        "ann", 90.0, (DAY + days(59)).isoformat()
    )  # fmt: skip
