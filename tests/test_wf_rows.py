"""The rows of the workflow, each by its own acceptance test."""

from dataclasses import replace
from datetime import date

import pytest
from working_days import (
    DAY,
    NINE,
    ORG,
    TERMS,
    as_kept,
    customer,
    days,
    due,
    ended,
    fired,
    opened,
    run,
    table,
    warning,
)

from features.errors import StoreError
from serving import loop
from serving.level_actions import Figures, falls, outputs, root_of
from serving.loop_rows import frame, told
from serving.organisation import OrgChart
from serving.plays import CLASS_OF_DIMENSION, Advice, advice, contributions_of, lint, play_name, wake_up
from serving.store import Store
from serving.task_kinds import body_of, checklist_of, title_of
from serving.workload import case_state


@pytest.fixture
def store(tmp_path):
    with Store.open(f"sqlite:///{tmp_path / 'kizashi.db'}") as made:
        yield made


def only(made):
    [row] = made.to_dict("records")
    return row


def test_wf_01_a_late_order_is_one_open_task_of_the_owner(store):
    late = [fired("order_late", days_since_last_order=45, order_cycle_days=30, late_order_multiple=1.5)]
    row = only(run(store, [customer()], signals=late))
    assert title_of(row["kind"], row["facts"]) == "[To check] Ann & Co's order is late"
    assert (row["owner"], row["state"]) == ("kim", "open")
    assert len(run(store, [customer()], signals=late)) == 0
    assert len(run(store, [customer()], DAY + days(1), signals=late)) == 0
    assert len(frame(store, "task")) == 1


def test_wf_02_a_fall_of_the_temperature_asks_for_value_and_no_price_talks():
    change = {"customer_id": "ann", "field": "temperature", "old": "warm", "new": "cool", "on": DAY}
    row = only(due(changes=[change]))
    assert "No price talks" in body_of(row["kind"])
    assert "Do not open with the price" in checklist_of(row["checklist"])
    assert title_of(row["kind"], row["facts"]).startswith("[Temperature down]")
    assert row["kind"] == only(due(signals=[fired("temperature_fell")]))["kind"]


@pytest.mark.parametrize(
    ("old", "new", "n"),
    [("hot", "cool", 1), ("cool", "cool", 0), ("cold", "cool", 0), (None, "cool", 1), ("hot", "warm", 0)],
)
def test_wf_02_only_a_fall_to_cool_is_one(old, new, n):
    assert len(due(changes=[{"customer_id": "ann", "field": "temperature", "old": old, "new": new, "on": DAY}])) == n


def test_wf_03_a_high_risk_goes_to_the_owner_and_to_the_manager():
    change = {"customer_id": "ann", "field": "risk", "old": "low", "new": "high", "on": DAY}
    row = only(due(changes=[change]))
    assert (row["owner"], row["facts"]["recipients"], row["facts"]["missing"]) == ("kim", ["kim", "mara"], [])
    assert row["checklist"] == ["tell_manager", "meeting"]
    filed = only(due([customer(manager="nils")], changes=[change]))
    assert filed["facts"]["recipients"] == ["kim", "nils"]
    nobody = only(due(changes=[change], terms=replace(TERMS, org=OrgChart(fallback="office"))))
    assert (nobody["facts"]["recipients"], nobody["facts"]["missing"]) == (["kim", "office"], ["no_manager"])
    assert len(due(changes=[{**change, "old": "high", "new": "urgent"}])) == 0


def test_wf_04_stopped_orders_ask_for_the_competitor_or_first_for_the_new_contact():
    stopped = [fired("order_late"), fired("orders_stopped")]
    plain = only(due(signals=stopped))
    assert (plain["kind"], plain["checklist"][0]) == ("orders_stopped", "check_competitor")
    changed = only(due([customer(new_contact_hardly_known=1.0)], stopped))
    assert changed["checklist"][:2] == ["greet_new_contact", "check_competitor"]
    assert only(due([customer(new_contact_hardly_known=0.0)], stopped))["checklist"][0] == "check_competitor"


def test_wf_05_a_new_contact_is_to_be_visited_within_21_days_of_the_change():
    change = {"customer_id": "ann", "field": "contact", "old": "Mr Ito", "new": "Ms Ono", "on": DAY}
    assert only(due(changes=[change]))["due_on"] == DAY + days(21)
    assert only(due(changes=[change], as_of=DAY + days(2)))["due_on"] == DAY + days(21)
    late = only(due(changes=[change], as_of=DAY + days(40)))
    assert late["due_on"] == DAY + days(40)
    edit = {**change, "new": "Mr. Ito", "edit": True}
    assert len(due(changes=[edit])) == 0
    assert len(due(changes=[edit], terms=replace(TERMS, edit_is_no_change=False))) == 1


def test_wf_05_a_new_owner_takes_over_what_is_open(store):
    opened(store)
    run(store, [customer()], signals=[fired("order_late")], warnings=[])
    brief = dict.fromkeys(loop.BRIEF)
    moved = loop.hand_over(store, "ann", from_owner="kim", to_owner="lee", on=DAY, brief=brief, actor="mara", at=NINE)
    assert set(frame(store, "task")["owner"]) == {"lee"}
    assert len(moved["tasks"]) == 1


def check_contact_is_due(rank, limit, kind):
    found = [due([customer(rank=rank, days_since_last_contact=float(n))]) for n in (limit - 1, limit, limit + 1)]
    assert [len(one) for one in found] == [0, 1, 1]
    assert only(found[1])["kind"] == kind
    assert only(found[2])["facts"]["crossed_on"] == (DAY - days(1)).isoformat()


def test_wf_06_a_customer_of_rank_a_is_to_be_contacted_after_21_days():
    check_contact_is_due("A", 21, "follow_up_a")


def test_wf_07_a_customer_of_rank_b_is_to_be_contacted_after_30_days():
    check_contact_is_due("B", 30, "follow_up_b")


def test_wf_08_a_customer_of_rank_c_is_to_be_contacted_after_45_days():
    check_contact_is_due("C", 45, "follow_up_c")


def test_wf_09_a_customer_of_rank_d_is_to_be_won_back_after_90_days():
    check_contact_is_due("D", 90, "restart")
    [task] = due([customer(rank="D", days_since_last_contact=90.0)]).to_dict("records")
    assert title_of(task["kind"], task["facts"]).startswith("[Restart challenge]")


def test_wf_06_a_contact_that_is_entered_avoids_the_task_and_closes_it(store):
    silent = [customer(rank="A", days_since_last_contact=21.0)]
    assert len(due(silent, entered=[{"customer_id": "ann", "last_contact_on": DAY - days(20)}])) == 0
    assert len(run(store, silent)) == 1
    loop.update_account(store, "ann", temperature="warm", risk="low", actor="kim", at=NINE, today=DAY)
    task = only(frame(store, "task"))
    assert (task["state"], task["result"], task["closed_by"]) == ("done", {"by": "contact"}, "kim")
    assert len(run(store, [customer(rank="A", days_since_last_contact=22.0)], DAY + days(1))) == 0


def test_wf_06_a_contact_of_the_source_closes_the_task_too(store):
    made = as_kept(due([customer(rank="A", days_since_last_contact=21.0)]))
    assert list(ended([customer(rank="A", days_since_last_contact=0.0)], tasks=made)["by"]) == ["contact"]
    run(store, [customer(rank="A", days_since_last_contact=21.0)])
    run(store, [customer(rank="A", days_since_last_contact=0.0)], DAY + days(1))
    assert only(frame(store, "task"))["closed_by"] == "kizashi"


def test_wf_10_one_update_sets_three_fields_and_refuses_what_is_no_choice(store):
    row = loop.update_account(store, "ann", temperature="cool", risk="medium", actor="kim", at=NINE, today=DAY)
    assert (row["last_contact_on"], row["temperature"], row["risk"]) == (DAY, "cool", "medium")
    assert len(told(store, "account_updated")) == 1
    for wrong in ({"temperature": "tepid"}, {"risk": "none"}, {"contacted_on": DAY + days(1)}):
        with pytest.raises(StoreError, match=r"is one of|is today"):
            loop.update_account(
                store, "ann", **{"temperature": "hot", "risk": "low", **wrong}, actor="kim", at=NINE, today=DAY
            )
    assert len(told(store, "account_updated")) == 1


def test_wf_11_an_update_counts_at_once_without_a_run(store):
    assert len(due([customer(rank="A", days_since_last_contact=21.0)])) == 1
    loop.update_account(store, "ann", temperature="warm", risk="low", actor="kim", at=NINE, today=DAY)
    entered = frame(store, "account_state").to_dict("records")
    assert len(due([customer(rank="A", days_since_last_contact=21.0)], entered=entered)) == 0


FIGURES = Figures(
    health=52.0, reference=80.0, drop=35.0,
    dimensions={"transaction": (40.0, 80.0), "interaction": (70.0, 80.0), "service": (80.0, 80.0)},
    weights={"transaction": 30.0, "interaction": 25.0, "service": 20.0},
    reasons=[{"feature": "orders_90d", "dimension": "transaction", "value": 1.0, "contribution": 0.9},
             {"feature": "visits_90d", "dimension": "interaction", "value": 0.0, "contribution": 0.3}],
    signals=[{"rule": "order_late", "evidence": {}}],
    plays=[Advice("inventory_plan", "order_frequency", 0, 0, "mapping")],
    recent={"last_order_on": "2026-01-03", "contacts_90d": 1},
)  # fmt: skip


def by_code(level, org=ORG):
    return {one.code: one for one in outputs(level, customer(), org, FIGURES)}


def test_wf_13_blue_reminds_the_account_manager_with_a_brief_and_asks_for_more_contact():
    made = by_code("blue")
    assert list(made) == ["remind_owner", "activity_brief", "more_contact"]
    assert {one.recipients for one in made.values()} == {("kim",)}
    assert made["activity_brief"].content["contacts_90d"] == 1
    assert only(due(warnings=[warning("blue")]))["kind"] == "attention"


def test_wf_14_yellow_escalates_with_a_diagnosis_a_call_back_and_a_technical_assessment():
    made = by_code("yellow")
    assert list(made) == ["escalate", "diagnosis", "call_back", "technical_assessment"]
    assert made["escalate"].recipients == ("nora",)
    report = made["diagnosis"].content
    assert (report["health"], report["drop"]) == (52.0, 35.0)
    assert report["dimensions"]["transaction"] == {"now": 40.0, "reference": 80.0}
    assert report["reasons"][0]["feature"] == "orders_90d"
    assert only(due(warnings=[warning("yellow")]))["kind"] == "call_back"
    nobody = outputs("yellow", customer(), OrgChart(director="dora"), FIGURES)[0]
    assert (nobody.recipients, nobody.missing) == (("dora",), ("no_regional_manager",))


def test_wf_15_orange_tells_the_directors_and_names_what_explains_most_of_the_fall():
    made = by_code("orange")
    assert list(made) == ["tell_director", "retention_team", "root_of_the_fall", "retention_plan"]
    assert made["tell_director"].recipients == ("dora", "tom")
    root = made["root_of_the_fall"].content
    # 30 * 40 of 75 points against 25 * 10 of 75
    assert falls(FIGURES).round(3).to_dict() == {"transaction": 16.0, "interaction": 3.333, "service": 0.0}
    assert (root["dimension"], round(root["share"], 3), root["signals"]) == ("transaction", 0.828, ["order_late"])
    plan = made["retention_plan"].content
    assert (plan["plays"], plan["answers"]) == (["inventory_plan"], root)


def test_wf_15_without_a_score_the_reasons_tell_what_weighs_most():
    assert root_of(replace(FIGURES, dimensions={}))["dimension"] == "transaction"
    assert root_of(Figures())["dimension"] is None


def test_wf_16_red_has_a_budget_line_two_departments_and_a_visit_of_the_top():
    made = by_code("red")
    assert list(made) == ["top_management", "retention_budget", "recovery_plan", "executive_visit"]
    assert made["retention_budget"].content == {"budget_line": "retention"}
    assert len(set(made["recovery_plan"].content["departments"])) >= 2
    tasks = due(warnings=[warning("red")])
    assert len(tasks) == 5
    assert tasks["case_id"].nunique() == 1
    visit = only(tasks[tasks["kind"] == "executive_visit"])
    assert (visit["owner"], visit["facts"]["budget_line"]) == ("tom", "retention")
    # a customer that turns red while its team is at work gets the visit and no second team
    team = as_kept(due(warnings=[warning("orange")]))
    more = only(due(warnings=[warning("red")], tasks=team, as_of=DAY + days(3)))
    assert (more["kind"], more["case_id"]) == ("executive_visit", team["case_id"][0])


@pytest.mark.parametrize(
    ("dimension", "play"),
    [("interaction", "technology_seminar"), ("transaction", "inventory_plan"), ("service", "health_check"),
     ("finance", "payment_options")],
)  # fmt: skip
def test_wf_17_each_class_of_reasons_has_its_play(dimension, play):
    reasons = table(("dimension", "contribution"), {"dimension": dimension, "contribution": 0.4})
    assert [one.play for one in advice(contributions_of(reasons))] == [play]
    assert play_name(play)
    own = {CLASS_OF_DIMENSION[dimension]: "our_own_way"}
    [mine] = advice(contributions_of(reasons), mapping=own)
    assert (mine.play, play_name(mine.play)) == ("our_own_way", "Our own way")


def test_wf_17_mixed_reasons_give_plays_in_order_of_their_contribution():
    reasons = table(
        ("dimension", "contribution"),
        {"dimension": "finance", "contribution": 0.3},
        {"dimension": "transaction", "contribution": 0.2},
        {"dimension": "transaction", "contribution": 0.2},
        {"dimension": "service", "contribution": -0.9},
    )
    assert [one.play for one in advice(contributions_of(reasons))] == ["inventory_plan", "payment_options"]


def test_wf_18_an_imbalance_of_the_technical_role_proposes_the_visit_of_the_head_of_technology():
    reasons = table(("dimension", "contribution"), {"dimension": "transaction", "contribution": 2.0})
    for role, first in (("technical", "cto_visit"), ("purchasing", "inventory_plan")):
        signals = table(("rule", "evidence"), fired("role_imbalance", weakest_role=role))
        assert advice(contributions_of(reasons, signals))[0].play == first


def test_wf_19_two_customers_get_two_texts_and_a_text_for_anybody_is_refused():
    pumps = {"favourite_item": "pump P-12", "last_order_on": date(2025, 11, 3), "item_orders": 7}
    one, other = wake_up(pumps), wake_up({"favourite_item": "valve V-3", "last_order_on": date(2025, 10, 1)})
    assert {message.message for message in one}.isdisjoint(message.message for message in other)
    assert [message.play for message in one] == ["custom_product", "live_stream", "coupon"]
    for message in (*one, *other):
        lint(message.message, message.cites)
    with pytest.raises(StoreError, match="at least one fact of its own"):
        lint("Our latest offers are hard to beat!", one[0].cites)
    with pytest.raises(StoreError, match="none is known"):
        lint("Our latest offers are hard to beat!", [])
    assert wake_up({}) == []
    [date_only] = wake_up({"last_order_on": date(2025, 11, 3)})
    lint(date_only.message, date_only.cites)


def test_wf_20_a_case_is_four_tasks_and_ends_when_all_are_done_or_waived_with_a_reason(store):
    opened(store, "orange")
    made = run(store, [customer()])
    assert dict(zip(made["team"], made["owner"], strict=True)) == {
        "sales": "kim", "service": "sam", "product": "pat", "operations": "olga"
    }  # fmt: skip
    titles = [title_of(kind, {"name": "X"}) for kind in made["kind"]]
    assert len(set(titles)) == 4
    for n, task in enumerate(made["task_id"]):
        assert only(case_state(frame(store, "task")))["state"] == "open"
        if n == 0:
            with pytest.raises(StoreError, match="gives a reason"):
                loop.waive_task(store, task, reason=" ", actor="kim", at=NINE, version=1)
            loop.waive_task(store, task, reason="no upgrade fits", actor="kim", at=NINE, version=1)
        else:
            loop.close_task(store, task, actor="kim", at=NINE, version=1)
    state = only(case_state(frame(store, "task")))
    assert (state["state"], state["done"], state["waived"]) == ("closed", 3, 1)


def test_wf_21_an_old_customer_that_does_not_answer_or_falls_opens_exactly_one_case():
    unanswered = [fired("outreach_unanswered")]
    made = due(signals=unanswered, warnings=[warning("red")])
    assert made["case_id"].dropna().nunique() == 1
    assert len(due([customer(potential_churn=True)])) == 4
    assert len(due([customer(potential_churn=True)], unanswered)) == 4
    young = customer(first_order_on=DAY - days(179), order_days_ever=2)
    assert len(due([young], unanswered)) == 0
    assert len(due([{**young, "first_order_on": DAY - days(180)}], unanswered)) == 4
    assert len(due([{**young, "order_days_ever": 3}], unanswered)) == 4
    assert len(due(signals=unanswered, tasks=as_kept(due(signals=unanswered)), as_of=DAY + days(5))) == 0


def test_wf_22_a_slump_is_not_closed_without_saying_why(store):
    made = only(run(store, [customer()], signals=[fired("revenue_slump"), fired("orders_slump")]))
    assert "promotion" in made["checklist"]
    close = {"actor": "kim", "at": NINE, "version": 1}
    with pytest.raises(StoreError, match="cannot be closed without cause"):
        loop.close_task(store, made["task_id"], **close)
    with pytest.raises(StoreError, match="cause is one of"):
        loop.close_task(store, made["task_id"], result={"cause": "bad luck"}, **close)
    row = loop.close_task(store, made["task_id"], result={"cause": "price", "promotion": "5 % off"}, **close)
    assert (row["state"], row["result"]) == ("done", {"cause": "price", "promotion": "5 % off"})


def test_wf_23_a_decision_on_a_visit_is_kept_with_its_reason(store):
    with pytest.raises(StoreError, match="needs a reason"):
        loop.note_decision(store, "ann", visit=True, reason="", actor="kim", at=NINE)
    loop.note_decision(store, "ann", visit=False, reason="moved abroad", actor="kim", at=NINE)
    loop.note_decision(store, "bob", visit=True, reason="new buyer", actor="lee", at=NINE)
    kept = told(store, "decision_noted")
    assert kept["decision"].tolist() == ["no_visit", "visit"]
    assert kept[["reason", "actor"]].to_numpy().tolist() == [["moved abroad", "kim"], ["new buyer", "lee"]]


def test_wf_24_what_is_a_matter_of_service_goes_to_service_and_of_orders_to_sales():
    complaint = only(due(signals=[fired("two_low_ratings")]))
    assert (complaint["team"], complaint["owner"]) == ("service", "sam")
    assert only(due(signals=[fired("order_late")]))["team"] == "sales"
    for dimension, team, owner in (("service", "service", "sam"), ("transaction", "sales", "kim")):
        row = only(due(warnings=[warning("yellow", dimension=dimension)]))
        assert (row["team"], row["owner"]) == (team, owner)
    untold = warning("blue", dimension=None)
    row = only(due(signals=[fired("contacts_below_curve")], warnings=[untold]))
    assert row["team"] == "service"
    assert only(due(warnings=[untold]))["team"] == "sales"


def test_wf_25_a_threshold_is_told_on_its_day_and_after_a_missed_run_the_next_day_with_its_date():
    def late(n):
        return [fired("order_late", days_since_last_order=n, order_cycle_days=30.0, late_order_multiple=1.5)]

    assert len(due()) == 0
    on_time = only(due(signals=late(45)))
    assert (on_time["created_on"], on_time["facts"]["crossed_on"]) == (DAY, DAY.isoformat())
    caught_up = only(due(signals=late(46), as_of=DAY + days(1)))
    assert (caught_up["created_on"], caught_up["facts"]["crossed_on"]) == (DAY + days(1), DAY.isoformat())
    # a run of the missed day that starts later is still a run of that day
    assert only(due(signals=late(45)))["task_id"] == on_time["task_id"]
