"""The lists of a morning: their rows, what is entered, choosing, order, and the digest."""

import json
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from listed import TODAY, customers, lists_of, one, view

from features.errors import SettingsError
from serving.list_rows import Choice
from serving.list_views import VIEWS
from serving.lists import ROW, digest, morning

THREE = customers(
    {"customer_id": "A", "name": "Aoki", "risk": "urgent", "owner": "Ann", "value_at_risk": 10.0, "vip": "yes"},
    {"customer_id": "B", "name": "Bolt", "risk": "urgent", "owner": "Bob", "value_at_risk": 30.0, "region": "south"},
    {"customer_id": "C", "name": "Cord", "risk": "urgent", "owner": None, "level": "orange", "tier": 3.0},
)
TASKS = pd.DataFrame(
    [
        ("t1", "A", "check_order", "Ann", date(2024, 7, 17), "open"),
        ("t2", "A", "call_back", "Ann", date(2024, 7, 21), "open"),
        ("t3", "A", "call_back", "Ann", date(2024, 7, 22), "open"),
        ("t4", "B", "call_back", "Ann", date(2024, 7, 10), "open"),
        ("t5", "B", "call_back", "Ann", date(2024, 7, 9), "done"),
        ("t6", "C", "call_back", "Bob", date(2024, 7, 18), "open"),
    ],
    columns=["task_id", "customer_id", "kind", "owner", "due_on", "state"],
)
REASONS = pd.DataFrame(
    [("A", 2, "orders_90d", 1.0, 4.0, 0.2), ("A", 1, "gap", 60.0, 30.0, 0.9), ("A", 3, "visits", 5.0, 4.0, -0.1)],
    columns=["customer_id", "position", "feature", "value", "usual_value", "contribution"],
)


def test_lv_01_one_call_gives_the_four_lists_with_counts_and_rows_that_say_what_to_do():
    profile = customers(
        {"customer_id": "A", "rank": "A", "days_since_last_order": 75, "owner": "Ann"},
        {"customer_id": "B", "temperature": "cold"},
        {"customer_id": "C", "next_action_on": TODAY + timedelta(days=1), "next_action_text": "visit"},
        {"customer_id": "D", "days_since_last_order": 180, "order_cycle_days": None},
        {"customer_id": "E"},
    )
    found = morning(profile, None, TODAY, tasks=TASKS[:3], reasons=REASONS).to_dict()
    assert found["counts"] == {"red": 1, "yellow": 1, "blue": 1, "grey": 1}
    (row,) = found["lists"]["red"]
    assert set(row) == set(ROW)
    assert (row["customer_id"], row["owner"], row["days_late"], row["due_on"]) == ("A", "Ann", 45, "2024-07-21")
    assert row["why"][0]["code"] == "important_orders_stopped"
    assert [reason["feature"] for reason in row["reasons"]] == ["gap", "orders_90d"]
    assert row["next_step"] == {
        "kind": "task",
        "task_id": "t1",
        "code": "check_order",
        "owner": "Ann",
        "due_on": "2024-07-17",
    }
    planned = found["lists"]["blue"][0]["next_step"]
    assert planned == {"kind": "next_action", "text": "visit", "due_on": "2024-07-18"}
    assert found["lists"]["grey"][0]["days_late"] is None
    json.dumps(found, allow_nan=False)


def test_an_update_changes_the_lists_at_once():
    profile = one(rank="A", last_contact_on=TODAY - timedelta(days=60), risk="urgent", temperature="cold")
    assert (lists_of(profile)["red"], lists_of(profile)["yellow"]) == (["A"], [])
    entered = [{"customer_id": "A", "risk": "low", "temperature": None, "last_contact_on": None}]
    assert (lists_of(profile, entered)["red"], lists_of(profile, entered)["yellow"]) == ([], ["A"])
    entered[0] |= {"temperature": "hot", "last_contact_on": TODAY.isoformat()}
    assert set(map(tuple, lists_of(profile, entered).values())) == {()}


def test_of_two_days_of_contact_the_later_one_counts():
    profile = one(rank="A", last_contact_on=TODAY - timedelta(days=10))
    assert lists_of(profile, [{"customer_id": "A", "last_contact_on": date(2024, 1, 1)}])["yellow"] == []


def test_a_next_action_that_was_entered_replaces_that_of_the_file_with_its_text():
    profile = one(next_action_on=TODAY, next_action_text="old", last_contact_on=None)
    entered = pd.DataFrame([{"customer_id": "A", "next_action_on": date(2024, 7, 20), "next_action_text": None}])
    (row,) = morning(profile, entered, TODAY).lists["blue"].to_dict("records")
    assert row["next_action_on"].date() == date(2024, 7, 20)
    assert pd.isna(row["next_action_text"])


def red(**choice):
    return lists_of(THREE, choice=Choice(**choice))["red"]


def test_lists_are_chosen_by_owner_level_region_own_fields_and_search():
    assert red() == ["B", "A", "C"]
    assert red(owner="Ann") == ["A"]
    assert red(owner="(none)") == ["C"]
    assert red(level="orange") == ["C"]
    assert red(region="south") == ["B"]
    assert red(fields={"vip": "YES"}) == ["A"]
    assert red(fields={"tier": "3"}) == ["C"]
    assert red(fields={"vip": "(none)"}) == ["B", "C"]
    assert red(search="o") == ["B", "A", "C"]
    assert red(search="  aOk") == ["A"]
    assert red(search="b", owner="Bob") == ["B"]
    with pytest.raises(SettingsError, match=r"no fields \['shoe'\] to choose by. Known: \['action_done'"):
        red(fields={"shoe": "43"})


def test_lists_are_put_in_order_and_the_unknown_stands_last():
    assert red(sort="name") == ["A", "B", "C"]
    assert red(sort="value_at_risk") == ["C", "A", "B"]
    assert red(sort="owner", descending=True) == ["B", "A", "C"]
    with pytest.raises(SettingsError, match="no column 'shoe' to sort by"):
        red(sort="shoe")
    with pytest.raises(SettingsError, match="'why' has no order"):
        red(sort="why")


def test_wf_12_a_digest_has_red_yellow_and_the_follow_ups_of_today_and_this_week_in_this_order():
    profile = customers(
        {"customer_id": "A", "risk": "urgent", "owner": "Ann", "name": "Aoki"},
        {"customer_id": "B", "temperature": "cold", "owner": "Ann"},
        {"customer_id": "C", "risk": "urgent", "owner": "Bob"},
        {"customer_id": "D", "owner": "Ann", "next_action_on": date(2024, 7, 19), "next_action_text": "visit"},
        {"customer_id": "E", "owner": "Ann", "next_action_on": date(2024, 7, 22)},
    )
    sections = digest(morning(profile, None, TODAY, tasks=TASKS), "Ann")
    assert [section.code for section in sections] == ["red", "yellow", "tasks"]
    assert [list(section.rows["customer_id"]) for section in sections[:2]] == [["A"], ["B"]]
    follow = sections[2].to_dict()["rows"]
    assert [(row["customer_id"], row["code"], row["due_on"], row["when"]) for row in follow] == [
        ("B", "call_back", "2024-07-10", "overdue"),
        ("A", "check_order", "2024-07-17", "today"),
        ("D", "next_action", "2024-07-19", "this_week"),
        ("A", "call_back", "2024-07-21", "this_week"),
    ]


def test_wf_12_an_empty_section_stays_and_says_none():
    sections = digest(morning(one(), None, TODAY), "Ann")
    assert [section.to_dict() for section in sections] == [
        {"code": code, "count": 0, "says": "none", "rows": []} for code in ("red", "yellow", "tasks")
    ]


OF_CONTACTS = {"contact_days", "contact_rates"}


@pytest.mark.parametrize("name", sorted(set(VIEWS) - OF_CONTACTS))
def test_every_list_has_its_columns_for_one_customer_for_a_bare_one_and_for_none(name):
    bare = pd.DataFrame({"customer_id": ["A"]})
    for profile in (one(), bare, one().iloc[:0]):
        found = view(name, profile)
        assert tuple(found.rows.columns) == VIEWS[name].columns
        json.dumps(found.to_dict(), allow_nan=False)
    assert VIEWS[name].ids


def test_an_unknown_list_names_the_known_ones():
    with pytest.raises(SettingsError, match=r"no list 'reds'. Known: \['about_to_churn'"):
        view("reds", one())


def test_every_list_is_on_the_page_of_lists():
    page = (Path(__file__).parents[1] / "docs" / "lists.md").read_text(encoding="utf-8")
    assert [name for name, one in VIEWS.items() if f"`{name}`" not in page or one.ids[0] not in page] == []
