"""Which tasks are due: one per customer and cause, none twice, none too early, and none for whom it is left alone."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError
from working_days import (
    CHANGES,
    DAY,
    EPISODES,
    NINE,
    TERMS,
    as_kept,
    customer,
    days,
    due,
    ended,
    fired,
    table,
    warning,
)

from features.errors import StoreError
from models.warning_rule_list import WARNING_RULES
from pipelines.loop_sections import Contacts, Holdout, Organisation, Outcomes, Tasks, task_terms
from serving.effects import LEAST
from serving.organisation import OrgChart
from serving.outcomes import RestartTerms
from serving.task_kinds import CASE_RULES, CHECKLIST, KINDS, TEAMS, body_of, checklist_of, kind_of, title_of
from serving.tasks import COLUMNS, Terms, due_tasks, ended_tasks, events_of
from serving.workload import awake, case_state, within_capacity


def test_the_settings_of_the_loop_make_the_terms():
    assert task_terms(Contacts(), Tasks(), Organisation()) == Terms()
    assert Outcomes().restart_terms() == RestartTerms()
    assert Outcomes().least_cases == LEAST
    own = task_terms(Contacts(), Tasks(), Organisation(top="tom"), {"calls_fell": "service"})
    assert (own.org.top, own.rule_teams["calls_fell"], own.rule_teams["order_late"]) == ("tom", "service", "sales")


def test_a_setting_of_the_loop_that_cannot_be_is_refused():
    for section, wrong in (
        (Contacts, {"rank_a_days": 31}),
        (Tasks, {"cooldown_days": {"dance": 3}}),
        (Tasks, {"temperature_alarms": ["tepid"]}),
        (Holdout, {"share": 0.51}),
        (Outcomes, {"overdue_after_cycles": 0.9}),
    ):
        with pytest.raises(ValidationError):
            section.model_validate(wrong)


def causes(made):
    return list(made["cause"])


def test_every_kind_has_a_known_team_checklist_and_rules():
    shipped = {rule.code for rule in WARNING_RULES}
    for code, kind in KINDS.items():
        assert kind.code == code
        assert kind.team in (*TEAMS, "routed")
        assert set(kind.checklist) <= set(CHECKLIST)
        assert set(kind.rules) <= shipped
        assert "{name}" in kind.title
        assert title_of(code, {"name": "Ann & Co"}).count("Ann & Co") == 1
        assert body_of(code) == kind.body
    assert set(CASE_RULES) <= shipped
    assert checklist_of(["call"]) == ["Call the customer and ask how things stand"]
    with pytest.raises(StoreError, match="a task's kind is one of"):
        kind_of("dance")


def test_a_customer_without_a_name_is_called_by_its_number():
    assert "[To check] 17's order is late" in title_of("order_late", {"name": None, "customer_id": "17"})


def test_a_second_run_of_the_day_sets_off_nothing_and_neither_does_the_next_day():
    late = [fired("order_late")]
    made = due(signals=late)
    assert causes(made) == ["order_late"]
    assert list(made.columns) == list(COLUMNS)
    assert len(due(signals=late, tasks=as_kept(made))) == 0
    assert len(due(signals=late, tasks=as_kept(made), as_of=DAY + days(1))) == 0


@pytest.mark.parametrize(("later", "n"), [(27, 0), (28, 1), (29, 1)])
def test_the_same_cause_waits_until_it_has_cooled_down(later, n):
    closed = as_kept(due(signals=[fired("order_late")]), state="done", closed_at=NINE, version=2)
    assert len(due(signals=[fired("order_late")], tasks=closed, as_of=DAY + days(later))) == n


def test_a_task_that_a_replaced_run_had_made_cools_nothing_down():
    gone = {"state": "waived", "closed_at": NINE, "result": {"reason": "superseded"}}
    closed = as_kept(due(signals=[fired("order_late")]), **gone)
    assert len(due(signals=[fired("order_late")], tasks=closed)) == 1


def test_the_cool_down_of_a_cause_can_be_set():
    closed = as_kept(due(signals=[fired("order_late")]), state="done", closed_at=NINE)
    quick = replace(TERMS, cooldown_days={"order_late": 3})
    assert len(due(signals=[fired("order_late")], tasks=closed, terms=quick, as_of=DAY + days(2))) == 0
    assert len(due(signals=[fired("order_late")], tasks=closed, terms=quick, as_of=DAY + days(3))) == 1


def test_the_same_customer_cause_and_day_have_the_same_task_id():
    one, other = due(signals=[fired("order_late")]), due(signals=[fired("order_late", late_order_multiple=1.5)])
    assert list(one["task_id"]) == list(other["task_id"])
    assert list(due(signals=[fired("order_late")], as_of=DAY + days(1))["task_id"]) != list(one["task_id"])


def test_a_warning_that_is_left_alone_sets_off_no_task_but_a_contact_is_due_all_the_same():
    made = due([customer(days_since_last_contact=30.0)], [fired("orders_stopped")], [warning("orange", arm="holdout")])
    assert causes(made) == ["contact_due"]


def test_a_closed_warning_sets_off_no_task():
    assert len(due(warnings=[warning("red", closed_on=DAY - days(1))])) == 0


def test_a_customer_that_is_not_known_any_more_gets_no_task():
    assert len(due(signals=[fired("order_late", "bob")], warnings=[warning(customer_id="bob")])) == 0


def test_a_task_whose_rule_fires_no_more_ends_by_itself():
    made = as_kept(due(signals=[fired("order_late")]))
    assert len(ended(signals=[fired("order_late")], tasks=made)) == 0
    gone = ended(tasks=made)
    assert list(gone["by"]) == ["rule"]
    [event] = events_of(pd.DataFrame(), gone, NINE)
    assert (event.kind, event.payload) == (
        "task_closed",
        {"state": "done", "result": {"by": "rule"}, "version": 2},
    )


def test_a_task_of_a_warning_ends_with_it_and_one_with_needs_never_by_itself():
    made = as_kept(due(signals=[fired("revenue_slump")], warnings=[warning("blue")]))
    assert sorted(made["cause"]) == ["level_blue", "slump"]
    assert list(ended(warnings=[], tasks=made)["by"]) == ["episode"]


def test_an_owner_that_is_missing_is_told_and_stood_in_for():
    [row] = due([customer(owner=None)], [fired("order_late")]).to_dict("records")
    assert (row["owner"], row["facts"]["missing"]) == ("office", ["no_owner"])
    [row] = due([customer(owner=None)], [fired("order_late")], terms=replace(TERMS, org=OrgChart())).to_dict("records")
    assert row["owner"] is None


def test_the_budget_month_is_told_in_it_and_in_the_month_before():
    for month, told in ((8, False), (9, True), (10, True), (11, False)):
        [row] = due(
            [customer(budget_months=[10], last_order_on=None)], [fired("order_late")], as_of=date(2026, month, 15)
        ).to_dict("records")
        assert ("budget_months" in row["facts"]) == told
    [row] = due([customer(budget_months=[1])], [fired("order_late")], as_of=date(2026, 12, 15)).to_dict("records")
    assert row["facts"]["budget_months"] == [1]


def test_a_sleeping_task_is_back_on_its_day():
    made = as_kept(due(signals=[fired("order_late")]), snoozed_until=DAY + days(3))
    assert [len(awake(made, DAY + days(n))) for n in (2, 3, 4)] == [0, 1, 1]


def test_only_so_many_tasks_are_shown_the_most_urgent_first_and_the_rest_is_counted():
    many = due(
        [customer(name) for name in ("ann", "bob", "cho")],
        [fired("order_late", "ann"), fired("orders_stopped", "bob"), fired("order_late", "cho")],
    )
    room = within_capacity(many, 2)
    assert list(room.shown["customer_id"]) in (["ann", "bob"], ["bob", "cho"])
    assert room.not_shown == {"kim": 1}
    assert list(within_capacity(many, 1).shown["customer_id"]) == ["bob"]
    must = within_capacity(many, 1, must_act=["ann", "cho"])
    assert list(must.shown["customer_id"]) == ["ann", "cho"]
    assert must.not_shown == {"kim": 1}


def test_a_case_that_has_ended_cools_down_as_a_whole():
    made = due(warnings=[warning("orange")])
    closed = as_kept(made, state="done", closed_at=NINE)
    closed.loc[closed["kind"] == "case_product", "closed_at"] = NINE + timedelta(days=60)
    later = DAY + days(100)
    assert len(due(warnings=[warning("orange")], tasks=closed, as_of=later)) == 0
    assert len(due(warnings=[warning("orange")], tasks=closed, as_of=DAY + days(150))) == 4
    assert case_state(closed)["state"].tolist() == ["closed"]


def test_what_sets_off_nothing_gives_an_empty_table_with_all_columns():
    made = due([customer(rank=None, days_since_last_contact=float("nan"))])
    assert (len(made), list(made.columns)) == (0, list(COLUMNS))
    assert len(ended(tasks=table(("task_id", "state", "kind", "customer_id")))) == 0


def test_tables_with_days_and_gaps_in_the_dtypes_of_pandas_say_the_same():
    made = due([customer(rank="A", days_since_last_contact=21.0)], [fired("order_late")], [warning("orange")])
    closed = as_kept(made, state="done", closed_at=NINE)
    read = closed.astype({"created_on": "datetime64[s]", "case_id": "str", "snoozed_until": "datetime64[s]"})
    read["closed_at"] = pd.to_datetime(read["closed_at"], utc=True)
    seen = [
        table(EPISODES, warning("orange")).astype({"opened_on": "datetime64[s]", "closed_on": "datetime64[s]"}),
        table(("customer_id", "last_contact_on"), {"customer_id": "bob"}).astype({"last_contact_on": "datetime64[s]"}),
    ]
    today = pd.DataFrame([customer(rank="A", days_since_last_contact=21.0)]).astype({"last_order_on": "datetime64[s]"})
    signals = table(("customer_id", "rule", "evidence"), fired("order_late"))
    for later, n in ((6, 0), (27, 1), (28, 2), (90, 6)):
        found = due_tasks(today, signals, *seen, table(CHANGES), read, TERMS, DAY + days(later))
        assert len(found) == n
    opened = read.assign(state="open")
    assert len(due_tasks(today, signals, *seen, table(CHANGES), opened, TERMS, DAY)) == 0
    gone = ended_tasks(today, signals, *seen, opened, TERMS, DAY)
    assert len(gone) == 0


def test_the_page_tells_every_kind_with_its_days():
    page = (Path(__file__).parents[1] / "docs" / "loop.md").read_text(encoding="utf-8")
    for code, kind in KINDS.items():
        [line] = [line for line in page.splitlines() if line.startswith(f"| `{code}` |")]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        ends = kind.ends_with or "-"
        assert [cells[1], *cells[3:]] == [kind.row, kind.team, str(kind.due_days), str(kind.cooldown_days), ends]
        assert all(f"`{rule}`" in cells[2] for rule in kind.rules)
