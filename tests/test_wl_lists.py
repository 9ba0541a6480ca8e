"""The four working lists: who is on which, and until when."""

from datetime import date, timedelta

import pandas as pd
import pytest
from listed import TODAY, customers, lists_of, one

from features.errors import SettingsError
from serving.list_rows import Terms
from serving.lists import morning, review_is_due


def rows_of(name, profile, entered=None, **given):
    return morning(profile, entered, TODAY, **given).lists[name].to_dict("records")


@pytest.mark.parametrize(("rank", "days", "on"), [("A", 59, False), ("A", 60, True), ("B", 61, True), ("C", 60, False)])
def test_rb_03_an_important_customer_at_twice_its_cycle_is_on_the_red_list(rank, days, on):
    assert lists_of(one(rank=rank, days_since_last_order=days))["red"] == ["A"] * on


def test_wl_05_whoever_is_urgent_is_on_the_red_list_whatever_its_rank_until_the_end_of_the_week():
    (row,) = rows_of("red", one(rank="C", risk="urgent"))
    assert row["why"] == [{"code": "stated_risk", "evidence": {"risk": "urgent"}}]
    assert row["due_on"].date() == date(2024, 7, 21)
    (row,) = rows_of("red", one(rank="C", risk="urgent"), terms=Terms(week_ends=4))
    assert row["due_on"].date() == date(2024, 7, 19)
    assert lists_of(one(rank="C", risk="high"))["red"] == []


def test_wl_05_the_stated_risk_and_the_engine_s_are_kept_apart_and_the_red_list_is_their_union():
    profile = customers(
        {"customer_id": "A", "risk": "urgent", "level": "none"},
        {"customer_id": "B", "risk": "low", "level": "red"},
        {"customer_id": "C", "risk": "low", "level": "orange"},
        {"customer_id": "D", "risk": None, "level": None},
    )
    found = {row["customer_id"]: row for row in rows_of("red", profile)}
    assert {name: [why["code"] for why in row["why"]] for name, row in found.items()} == {
        "A": ["stated_risk"],
        "B": ["engine_risk"],
    }
    assert (found["B"]["stated_risk"], found["B"]["engine_risk"]) == ("low", "urgent")


def test_wl_05_the_rule_tells_days_cycle_and_how_late():
    (row,) = rows_of("red", one(rank="A", days_since_last_order=75))
    assert row["why"][0]["code"] == "important_orders_stopped"
    assert row["why"][0]["evidence"]["days_since_last_order"] == 75
    assert (row["days_late"], row["cycles"]) == (45, 2.5)


@pytest.mark.parametrize(("rank", "days", "on"), [("A", 44, False), ("B", 45, True), ("A", 46, True), ("C", 60, False)])
def test_rb_21_an_important_customer_without_contact_for_45_days_is_on_the_yellow_list(rank, days, on):
    assert lists_of(one(rank=rank, last_contact_on=TODAY - timedelta(days=days)))["yellow"] == ["A"] * on


def test_wl_06_cool_or_below_is_on_the_yellow_list_until_the_end_of_the_month():
    (row,) = rows_of("yellow", one(rank="D", temperature="cold"))
    assert row["due_on"].date() == date(2024, 7, 31)
    assert row["why"] == [{"code": "temperature", "evidence": {"temperature": "cold"}}]
    assert lists_of(one(temperature="cool"))["yellow"] == ["A"]
    assert lists_of(one(rank="A", temperature="warm", last_contact_on=TODAY - timedelta(days=44)))["yellow"] == []


@pytest.mark.parametrize(
    ("planned", "on"),
    [
        (date(2024, 7, 14), False),
        (date(2024, 7, 15), True),
        (date(2024, 7, 17), True),
        (date(2024, 7, 28), True),
        (date(2024, 7, 29), False),
    ],
)
def test_wl_07_what_is_planned_from_this_monday_to_the_next_week_s_sunday_is_on_the_blue_list(planned, on):
    profile = one(next_action_on=planned, last_contact_on=date(2024, 7, 1))
    assert lists_of(profile)["blue"] == ["A"] * on
    # as kept in a database
    assert lists_of(profile.assign(next_action_on=planned.isoformat(), last_contact_on=None))["blue"] == ["A"] * on


def test_wl_07_weeks_begin_on_monday_whatever_the_day():
    for day in range(7):
        as_of = date(2024, 7, 15) + timedelta(days=day)
        planned = [date(2024, 7, 14), date(2024, 7, 15), date(2024, 7, 28), date(2024, 7, 29)]
        profile = customers(
            *(
                {"customer_id": str(number), "next_action_on": when, "last_contact_on": None}
                for number, when in enumerate(planned)
            )
        )
        assert lists_of(profile, as_of=as_of)["blue"] == ["1", "2"]


def test_wl_07_what_was_done_is_planned_no_more():
    planned = {"next_action_on": date(2024, 7, 16), "next_action_text": "call"}
    for contact, on in ((date(2024, 7, 15), True), (date(2024, 7, 16), False), (date(2024, 7, 17), False)):
        assert lists_of(one(**planned, last_contact_on=contact))["blue"] == ["A"] * on


@pytest.mark.parametrize(("days", "on"), [(179, False), (180, True), (181, True)])
def test_rb_22_no_order_for_180_days_is_on_the_grey_list(days, on):
    assert lists_of(one(rank="C", days_since_last_order=days))["grey"] == ["A"] * on


def test_rb_22_red_and_grey_overlap_whoever_is_on_both_stands_on_the_red_list_which_says_so():
    profile = one(rank="A", days_since_last_order=200)
    (row,) = rows_of("red", profile)
    assert row["also_on"] == ["grey"]
    assert lists_of(profile) == {"red": ["A"], "yellow": [], "blue": [], "grey": []}
    both = one(rank="A", days_since_last_order=200, temperature="cold", next_action_on=TODAY, last_contact_on=None)
    assert lists_of(both) == {"red": ["A"], "yellow": [], "blue": ["A"], "grey": []}
    assert rows_of("blue", both)[0]["also_on"] == ["red", "yellow", "grey"]


def test_wl_08_the_grey_list_is_a_review_set_once_a_quarter_and_can_always_be_asked_for():
    found = morning(one(days_since_last_order=180), None, TODAY)
    assert list(found.lists["grey"]["customer_id"]) == ["A"]
    assert found.quarter == date(2024, 7, 1)
    assert found.lists["grey"]["due_on"][0].date() == date(2024, 9, 30)
    assert review_is_due(TODAY, None)
    assert review_is_due(TODAY, date(2024, 6, 30))
    assert not review_is_due(TODAY, date(2024, 7, 1))
    assert not review_is_due(date(2024, 9, 30), TODAY)
    assert review_is_due(date(2024, 10, 1), TODAY)


def test_thresholds_come_from_the_rules_and_a_company_s_own_change_the_lists():
    profile = one(rank="C", days_since_last_order=45)
    assert lists_of(profile)["red"] == []
    terms = Terms(options={"important_ranks": ["A", "B", "C"], "stopped_order_multiple": 1.5})
    assert lists_of(profile, terms=terms)["red"] == ["A"]
    assert lists_of(one(days_since_last_order=200), terms=Terms(options={"dormant_from_days": "off"}))["grey"] == []
    with pytest.raises(SettingsError, match="there are no options"):
        Terms(options={"dormant_days": 3})
    with pytest.raises(SettingsError, match=r"week_ends = 7: expected 0 \(Monday\) to 6"):
        Terms(week_ends=7)


def test_unknown_values_put_nobody_on_a_list():
    unknown = dict.fromkeys(
        ("days_since_last_order", "order_cycle_days", "last_contact_on", "temperature", "risk", "level", "rank")
    )
    assert set(map(tuple, lists_of(one(**unknown)).values())) == {()}
    bare = pd.DataFrame({"customer_id": ["A"], "last_order_on": [TODAY - timedelta(days=180)]})
    assert lists_of(bare)["grey"] == ["A"]
