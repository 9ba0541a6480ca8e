"""Each list that a requirement asks for, with its acceptance test; and the decision chain of one account."""

from datetime import date, timedelta
from functools import cache

import pandas as pd
import pytest
from accounts_at import InMemory
from listed import PRESENT, TODAY, customers, ids, one, view
from orders import RUN_AT, lines

from features.building import build
from features.contact_curve import expected_contacts
from features.contact_records import by_owner_and_day, contact_history, contact_records, rates, recorded_late
from features.cutoffs import lay_out_time
from features.daily_facts import daily_facts
from features.decision_chain import decision_chain
from features.mapping import load_layout
from features.quarantine import ingest
from features.sources import open_source
from serving.list_rows import Choice, Terms
from serving.list_views import with_warnings


def ago(days):
    return TODAY - timedelta(days=days)


def numbered(name, *values, **more):
    """Customers 0, 1, ... that differ in one column."""
    return customers(*({"customer_id": str(number), name: value, **more} for number, value in enumerate(values)))


def rows(name, profile, **given):
    return view(name, profile, **given).rows.to_dict("records")


def test_lv_02_accounts_without_contact_for_30_days_are_counted_for_each_owner():
    profile = customers(
        *({"customer_id": str(days), "last_contact_on": ago(days)} for days in (29, 30, 31)),
        {"customer_id": "B", "owner": None, "last_contact_on": None},
    )
    assert rows("silent_by_owner", profile) == [
        {"owner": "Ann", "accounts": 3, "silent": 2, "unknown": 0},
        {"owner": "(none)", "accounts": 1, "silent": 0, "unknown": 1},
    ]


def test_lv_02_without_the_table_the_source_is_absent_until_somebody_enters_a_contact():
    without = {name: columns for name, columns in PRESENT.items() if name != "interactions"}
    profile = one(last_contact_on=None)
    found = view("silent_by_owner", profile, present=without)
    assert (found.source_absent, len(found.rows)) == ("interactions", 0)
    entered = pd.DataFrame([{"customer_id": "A", "last_contact_on": ago(30)}])
    assert view("silent_by_owner", profile, present=without, entered=entered).rows["silent"].tolist() == [1]


def test_lv_03_orders_and_amounts_of_the_month_are_compared_with_as_many_days_before():
    half = {
        "orders_month_to_date": 5.0,
        "orders_previous_month_to_date": 4.0,
        "revenue_month_to_date": 500.0,
        "revenue_previous_month_to_date": 400.0,
    }
    none = dict.fromkeys(half, 0.0)
    profile = customers(
        {"customer_id": "A", **half}, {"customer_id": "B", **half}, {"customer_id": "C", "owner": "Bob", **none}
    )
    ann, bob = rows("orders_by_owner", profile)
    assert (ann["orders_month_to_date"], ann["revenue_month_to_date"]) == (10, 1000)
    assert (ann["orders_previous_month_to_date"], ann["revenue_previous_month_to_date"]) == (8, 800)
    assert (ann["orders_change"], ann["revenue_change"]) == (0.25, 0.25)
    assert pd.isna(bob["orders_change"])


def test_lv_04_each_account_at_high_or_urgent_risk_stands_once_under_one_owner():
    profile = customers(
        {"customer_id": "A", "risk": "high"},
        {"customer_id": "B", "risk": "urgent", "level": "red", "owner": None},
        {"customer_id": "C", "risk": "low", "level": "orange", "owner": "Bob"},
        {"customer_id": "D", "risk": "medium", "level": "yellow"},
    )
    found = [(row["owner"], row["customer_id"], row["risk"]) for row in rows("risk_by_owner", profile)]
    assert found == [("(none)", "B", "urgent"), ("Ann", "A", "high"), ("Bob", "C", "high")]


@pytest.mark.parametrize(
    ("gap", "cycle", "was"),
    [
        (44, 30, None),
        (45, 30, "overdue"),
        (60, 30, "overdue"),
        (61, 30, "lost"),
        (180, 30, "dormant"),
        (180, None, "dormant"),
    ],
)
def test_lv_05_who_was_late_and_orders_again_this_month_is_listed_with_gap_and_amount(gap, cycle, was):
    profile = one(
        longest_gap_ended_on=ago(3), longest_gap_ended_days=gap, longest_gap_ended_amount=70.5, order_cycle_days=cycle
    )
    found = [
        (row["was"], row["longest_gap_ended_days"], row["longest_gap_ended_amount"])
        for row in rows("restarted", profile)
    ]
    assert found == ([(was, gap, 70.5)] if was else [])


def test_lv_05_the_record_of_the_restart_stands_with_it():
    outcomes = pd.DataFrame(
        [("A", ago(400), "final", "red", "phone", "budget"), ("A", ago(2), "draft", "orange", None, None)],
        columns=["customer_id", "recorded_on", "state", "detected_level", "approach", "why"],
    )
    profile = one(longest_gap_ended_on=ago(3), longest_gap_ended_days=61.0)
    (row,) = rows("restarted", profile, outcomes=outcomes)
    assert (row["outcome"], row["detected_level"]) == ("draft", "orange")
    (row,) = rows("restarted", profile, outcomes=outcomes[:1])
    assert pd.isna(row["outcome"])


def test_lv_05_a_dormant_customer_that_ordered_three_days_ago_is_found_in_the_orders():
    header = "customer_id order_id ordered_at amount"
    orders = f"{header}\nA 1 2023-07-01 5\nA 2 2024-07-14 70.5\nA 3 2024-07-15 1\nB 4 2024-07-01 1"
    facts = daily_facts(InMemory({"transactions": lines(orders)}), TODAY)
    assert [(row["customer_id"], row["longest_gap_ended_days"]) for row in rows("restarted", facts)] == [("A", 379.0)]


def test_lv_06_the_last_order_alone_and_the_risk_alone_change_the_highlight():
    def highlight(**row):
        return [row["highlight"] for row in rows("act_now", one(**row))]

    assert highlight() == []
    assert highlight(days_since_last_order=60) == ["act"]
    assert highlight(days_since_last_order=45) == ["watch"]
    assert highlight(risk="urgent") == ["act"]
    assert highlight(risk="high") == ["watch"]


def test_lv_07_important_customers_without_an_order_for_more_than_three_months():
    profile = customers(
        {"customer_id": "A", "rank": "A", "days_since_last_order": 90},
        {"customer_id": "B", "rank": "B", "days_since_last_order": 91},
        {"customer_id": "C", "rank": "C", "days_since_last_order": 91, "order_pattern": "weekly"},
        {"customer_id": "D", "rank": "D", "rank_by_trade": "A", "days_since_last_order": 200},
    )
    found = [(row["customer_id"], row["important_by"]) for row in rows("important_silent", profile)]
    assert found == [("D", "trade"), ("B", "rank")]


TWO_COLUMNS = """customer_id,last_order_on,order_pattern
A,2024-04-15,weekly
B,2024-04-17,monthly
C,2024-04-18,monthly
D,2024-04-01,irregular
E,2024-07-10,weekly
F,2023-12-01,semimonthly
"""


def test_lv_07_a_file_of_two_columns_gives_the_list_in_one_run(tmp_path):
    (tmp_path / "last_orders.csv").write_text(TWO_COLUMNS)
    source = open_source(tmp_path / "last_orders.csv", load_layout("last-orders"))
    events = ingest(source, tmp_path / "events", run_at=RUN_AT, timezone="UTC", max_share=0).events
    facts = daily_facts(events, TODAY)
    with events.connect(0) as con:
        lay_out_time(con)
        cycles = build(con, [TODAY], events.columns, only=("days_since_last_order", "order_cycle_days"))
    profile = facts.merge(cycles[["customer_id", "days_since_last_order", "order_cycle_days"]], on="customer_id")
    found = [
        (row["customer_id"], row["important_by"], row["days_since_last_order"])
        for row in rows("important_silent", profile, present=events.columns)
    ]
    assert found == [("F", "order_pattern", 229), ("A", "order_pattern", 93), ("B", "order_pattern", 91)]


def test_lv_08_the_weekly_meeting_has_reasons_with_numbers_open_task_owner_and_day_of_each_red_client():
    reasons = pd.DataFrame(
        [("A", 1, "days_since_last_order", 75.0, 30.0, 0.9)],
        columns=["customer_id", "position", "feature", "value", "usual_value", "contribution"],
    )
    tasks = pd.DataFrame(
        [("t", "A", "check_order", "Bob", ago(0), "open")],
        columns=["task_id", "customer_id", "kind", "owner", "due_on", "state"],
    )
    profile = customers({"customer_id": "A", "rank": "A", "days_since_last_order": 75}, {"customer_id": "B"})
    (row,) = rows("meeting", profile, reasons=reasons, tasks=tasks)
    assert (row["customer_id"], row["owner"], row["due_on"].date()) == ("A", "Ann", date(2024, 7, 21))
    assert row["why"][0]["evidence"]["order_cycle_days"] == 30
    assert row["reasons"] == [
        {"feature": "days_since_last_order", "value": 75.0, "usual_value": 30.0, "contribution": 0.9}
    ]
    assert row["next_step"] == {"kind": "task", "task_id": "t", "code": "check_order", "owner": "Bob", "due_on": TODAY}


@pytest.mark.parametrize(("days", "limit", "on"), [(30, 30, False), (31, 30, True), (45, 45, False), (46, 45, True)])
def test_rb_05_no_trade_within_the_limit_is_about_to_churn(days, limit, on):
    terms = Terms(options={"about_to_churn_days": limit})
    assert ids("about_to_churn", one(days_since_last_order=days), terms=terms) == ["A"] * on


NINE = customers(
    {
        "customer_id": "A",
        "rank": "A",
        "revenue_previous_month": 50.0,
        "days_since_last_order": 31,
        "last_visit_on": ago(10),
        "last_coupon_on": ago(20),
    },
    {"customer_id": "B", "revenue_previous_month": 70.0, "days_since_last_order": 45, "last_visit_on": None},
    {"customer_id": "C", "revenue_previous_month": 0.0, "days_since_last_order": 40, "last_visit_on": ago(1)},
)


def test_lv_09_the_customers_about_to_churn_have_all_six_columns():
    found = view("about_to_churn", NINE).rows
    assert list(found["customer_id"]) == ["B", "C", "A"]
    last = found.iloc[2]
    assert (last["rank"], last["revenue_previous_month"], last["days_since_last_order"]) == ("A", 50, 31)
    assert (last["last_visit_on"].date(), last["days_not_visited"], last["last_coupon_on"].date()) == (
        ago(10),
        10,
        ago(20),
    )
    assert found.iloc[0][["last_visit_on", "days_not_visited", "last_coupon_on"]].isna().all()


def test_lv_09_it_is_put_in_order_by_days_and_by_sales_and_names_absent_sources():
    for sort, expected in (("days_since_last_order", ["A", "C", "B"]), ("revenue_previous_month", ["C", "A", "B"])):
        assert ids("about_to_churn", NINE, choice=Choice(sort=sort)) == expected
    found = view("about_to_churn", NINE, present={"transactions": ()})
    assert dict(found.columns_absent) == {
        "last_visit_on": "interactions",
        "days_not_visited": "interactions",
        "last_coupon_on": "promotions",
    }
    assert len(found.rows) == 3


def slump(name, before, now, what):
    profile = one(**{f"{what}_30d_before": float(before), f"{what}_30d": float(now)})
    return [(row["previous"], row["current"], row["drop"]) for row in rows(name, profile)]


def test_lv_10_two_lists_of_slumps_show_before_now_and_the_drop():
    assert slump("amount_slump", 1000, 500, "amount") == [(1000, 500, 0.5)]
    assert slump("amount_slump", 1000, 501, "amount") == []
    assert slump("amount_slump", 0, 0, "amount") == []
    assert slump("orders_slump", 10, 7, "orders") == [(10, 7, 3)]
    assert slump("orders_slump", 10, 8, "orders") == []
    both = one(amount_30d_before=9.0, amount_30d=1.0, orders_30d_before=9.0, orders_30d=1.0)
    assert ids("amount_slump", both) == ids("orders_slump", both) == ["A"]
    assert ids("amount_slump", both, terms=Terms(options={"slump_revenue_share": 0.9})) == []


def test_lv_11_churned_and_about_to_churn_are_exclusive_and_together_all_beyond_the_limit():
    profile = numbered("days_since_last_order", 30, 31, 40, 41, 179, 180, order_cycle_days=20.0)
    profile.loc[[4, 5], "order_cycle_days"] = None
    churned, about = ids("churned", profile), ids("about_to_churn", profile)
    assert (sorted(churned), sorted(about)) == (["3", "5"], ["1", "2", "4"])
    assert ids("churned", profile.assign(days_since_last_order=1.0)) == []


def test_lv_12_customers_of_the_three_groups_bear_their_tags_and_a_supervisor():
    calm = {"order_days_ever": 3.0, "last_rating": 5.0, "rating_before_last": 2.0, "manager": "Max"}
    profile = customers(
        {"customer_id": "A", **calm, "days_since_last_order": 91, "order_cycle_days": None},
        {"customer_id": "B", **calm, "last_rating": 2.0, "manager": None},
        {"customer_id": "C", **calm, "unanswered_quote_discount_share": 0.3},
        {"customer_id": "D", **calm, "days_since_last_order": 90},
    )
    found = {row["customer_id"]: (row["tags"], row["supervisor"]) for row in rows("key_follow_up", profile)}
    assert found == {
        "A": (["old_customer_silent"], "Max"),
        "B": (["two_low_ratings"], "(none)"),
        "C": (["price_bargainer"], "Max"),
    }
    published = pd.DataFrame({"customer_id": ["D", "D"], "rule": ["two_low_ratings", "churned"]})
    assert [row["tags"] for row in rows("key_follow_up", profile, signals=published)] == [["two_low_ratings"]]


def test_lv_13_customers_at_risk_stand_by_value_with_their_last_review():
    profile = customers(
        {"customer_id": "A", "level": "blue", "value_at_risk": 10.0},
        {"customer_id": "B", "level": "red", "value_at_risk": 30.0},
        {"customer_id": "C", "risk": "high", "value_at_risk": 20.0},
        {"customer_id": "D", "value_at_risk": 99.0},
    )
    entered = pd.DataFrame(
        [
            {"customer_id": "A", "reviewed_at": f"{ago(30)}T00:00:00+00:00", "reviewed_by": "Max"},
            {"customer_id": "B", "reviewed_at": f"{ago(31)}T09:00:00+00:00", "reviewed_by": "Max"},
        ]
    )
    found = [
        (row["customer_id"], row["reviewed_by"], row["review_overdue"])
        for row in rows("risk_list", profile, entered=entered)
    ]
    assert found[0] == ("B", "Max", True)
    assert found[1][0::2] == ("C", True)
    assert found[2] == ("A", "Max", False)


def test_lv_18_three_lists_by_the_next_action_s_day():
    profile = customers(
        {"customer_id": "today", "next_action_on": TODAY},
        {"customer_id": "tomorrow", "next_action_on": ago(-1)},
        {"customer_id": "open", "next_action_on": ago(1), "last_contact_on": ago(2)},
        {"customer_id": "done", "next_action_on": ago(1), "last_contact_on": ago(1)},
        {"customer_id": "sunday", "next_action_on": date(2024, 7, 21)},
        {"customer_id": "next week", "next_action_on": date(2024, 7, 22)},
    )
    assert ids("contact_today", profile) == ["today"]
    assert ids("contact_this_week", profile) == ["tomorrow", "sunday"]
    assert ids("contact_overdue", profile) == ["open"]
    # on Sunday, tomorrow is a day of the next week
    assert ids("contact_this_week", profile, as_of=date(2024, 7, 21)) == ["next week"]


def test_lv_19_ordered_lately_overdue_and_lost_by_year():
    profile = customers(
        {"customer_id": "new", "days_since_last_order": 30, "last_order_on": ago(30)},
        {"customer_id": "due today", "days_since_last_order": 40, "order_cycle_days": 40.0, "last_order_on": ago(40)},
        {"customer_id": "late", "days_since_last_order": 41, "order_cycle_days": 40.0, "last_order_on": ago(41)},
        {"customer_id": "lost 2024", "days_since_last_order": 61, "last_order_on": ago(61)},
        {"customer_id": "lost 2022", "days_since_last_order": 700, "last_order_on": ago(700)},
    )
    assert ids("ordered_recently", profile) == ["new"]
    assert ids("overdue", profile) == ["late"]
    assert [(row["year"], row["customer_id"]) for row in rows("lost_by_year", profile)] == [
        (2024, "lost 2024"),
        (2022, "lost 2022"),
    ]


def test_rb_23_one_day_beyond_the_expected_order_is_overdue():
    for left, on in ((-1, True), (0, False), (1, False)):
        assert ids("overdue", one(days_to_next_expected_order=left, days_since_last_order=30 - left)) == ["A"] * on


def test_lv_20_new_updated_and_lost_orders_are_three_lists():
    profile = customers(
        {"customer_id": "new", "first_order_on": ago(30)},
        {"customer_id": "older", "first_order_on": ago(31)},
        {"customer_id": "changed", "last_file_change_on": ago(30)},
        {"customer_id": "entered"},
        {"customer_id": "lost", "last_lost_quote_on": ago(1)},
    )
    entered = pd.DataFrame([{"customer_id": "entered", "updated_at": f"{ago(1)}T08:00:00Z", "updated_by": "Ann"}])
    assert ids("new", profile) == ["new"]
    assert ids("updated", profile, entered=entered) == ["entered", "changed"]
    assert ids("lost_orders", profile) == ["lost"]
    assert view("lost_orders", one(), present={"transactions": ()}).source_absent == "quotes"


def test_lv_21_contracts_of_this_and_of_the_last_month_quarter_and_year():
    def contract(signed, starts=None, ends=None):
        return [{"signed_on": signed, "starts_on": starts, "ends_on": ends}]

    profile = customers(
        {"customer_id": "A", "contracts": contract(date(2024, 6, 30), date(2024, 8, 1), date(2024, 9, 30))},
        {"customer_id": "B", "contracts": contract(date(2024, 4, 1), None, date(2024, 6, 30))},
        {"customer_id": "C", "contracts": contract("2023-12-31", "2024-01-01", None)},
        {"customer_id": "D", "contracts": []},
        {"customer_id": "E", "contracts": None},
    )
    # signed on the last day of the last quarter, which is the last day of the last month, too
    assert ids("contracts_new_last_month", profile) == ["A"]
    assert ids("contracts_new_last_quarter", profile) == ["A", "B"]
    assert ids("contracts_new_last_year", profile) == ["C"]
    assert ids("contracts_this_month", profile) == ["C"]
    assert ids("contracts_this_quarter", profile) == ["A", "C"]
    assert ids("contracts_this_year", profile) == ["A", "B", "C"]
    in_august = {"as_of": date(2024, 8, 5)}
    assert ids("contracts_new_last_month", profile, **in_august) == []
    assert ids("contracts_new_last_quarter", profile, **in_august) == ["A", "B"]
    assert ids("contracts_new_last_year", profile, as_of=date(2024, 1, 1)) == ["C"]
    assert view("contracts_this_month", profile, present={"transactions": ()}).rows["customer_id"].tolist() == ["C"]
    assert view("contracts_this_month", one(), present={"transactions": ()}).source_absent == "contracts"


def test_lv_22_leadership_sees_stage_status_level_and_last_contact_and_chooses_by_level():
    profile = customers(
        {"customer_id": "A", "days_since_last_order": None, "level": None},
        {"customer_id": "B", "level": "orange", "stage": "comparison", "days_since_last_order": 61},
        {"customer_id": "C", "days_since_last_order": 31},
        {"customer_id": "D", "rank": "A"},
    )
    found = [(row["customer_id"], row["status"]) for row in rows("leadership", profile)]
    assert found == [("A", "potential"), ("D", "active"), ("C", "about_to_churn"), ("B", "lost")]
    (row,) = rows("leadership", profile, choice=Choice(level="orange"))
    assert (row["stage"], row["level"], row["last_contact_on"].date()) == ("comparison", "orange", ago(1))
    assert ids("leadership", profile, choice=Choice(rank="A")) == ["D"]


INTERACTIONS = """
customer_id interaction_id occurred_at owner result       recorded_at
A           1              2024-06-03  Ann   effective    2024-06-03
A           2              2024-06-03  Ann   effective    2024-06-06
B           3              2024-06-03  Ann   effective    2024-06-07
A           4              2024-06-04  Ann   effective    2024-06-04
A           5              2024-06-04  Ann   effective    2024-06-04
A           6              2024-06-04  Ann   high_value   2024-06-04
A           7              2024-06-05  Ann   unsuccessful 2024-06-05
A           8              2024-06-05  Ann   unsuccessful 2024-06-05
A           9              2024-06-05  Ann   -            2024-06-05
A           10             2024-06-05  Ann   -            2024-06-05
A           11             2024-07-01  -     effective    2024-07-01
A           12             2024-07-01  Bob   effective    2024-07-17
A           1              2024-06-03  Ann   effective    2024-07-10
"""
ORDERS = "customer_id order_id ordered_at amount\nA 1 2023-01-05 10\nB 2 2024-01-05 10"


@cache
def contacts(text=INTERACTIONS, as_of=TODAY):
    return contact_records(InMemory({"transactions": lines(ORDERS), "interactions": lines(text)}), as_of)


def test_lv_23_the_counts_of_all_sales_people_and_days_sum_to_all_contacts():
    days = by_owner_and_day(contacts())
    assert days["contacts"].sum() == len(contacts()) == 11
    assert [(row["owner"], row["day"].day, row["contacts"], row["customers"]) for row in days.to_dict("records")] == [
        ("(none)", 1, 1, 1),
        ("Ann", 3, 3, 2),
        ("Ann", 4, 3, 1),
        ("Ann", 5, 4, 1),
    ]
    shown = view("contact_days", customers({"customer_id": "A"}, {"customer_id": "B"}), contacts=contacts()).rows
    assert shown["contacts"].sum() == 11
    events = InMemory({"transactions": lines(ORDERS), "interactions": lines(INTERACTIONS)})
    assert contact_history(events, "B", TODAY)["interaction_id"].tolist() == ["3"]


def test_lv_24_ten_contacts_six_effective_two_lost_are_60_and_20_percent():
    (ann,) = rates(by_owner_and_day(contacts())).query("owner == 'Ann'").to_dict("records")
    assert (ann["contacts"], ann["effective"], ann["high_value"], ann["unsuccessful"]) == (10, 5, 1, 2)
    assert (ann["success_rate"], ann["loss_rate"]) == (0.6, 0.2)
    assert (ann["days"], ann["begins"].date()) == (3, date(2024, 6, 1))
    shown = rows("contact_rates", customers({"customer_id": "A"}, {"customer_id": "B"}), contacts=contacts())
    assert [row["success_rate"] for row in shown] == [1.0, 0.6]
    bare = contacts("customer_id interaction_id occurred_at\nA 1 2024-06-03")
    assert rates(by_owner_and_day(bare))[["success_rate", "loss_rate", "logged_share"]].isna().all(axis=None)


def test_cl_10_contacts_recorded_later_than_three_days_are_late_and_a_mended_row_is_not():
    assert rates(by_owner_and_day(contacts())).query("owner == 'Ann'")["logged_share"].tolist() == [0.9]
    assert recorded_late(contacts())["interaction_id"].tolist() == ["3"]
    assert recorded_late(contacts(), within_days=2)["interaction_id"].tolist() == ["3", "2"]


def test_lv_25_a_warning_stands_after_the_events_that_caused_it_and_before_those_of_its_day():
    timeline = pd.DataFrame(
        {
            "happened_at": pd.to_datetime(["2024-07-16 23:59", "2024-07-17 00:00", "2024-07-17 10:00"]).astype(
                "datetime64[us]"
            ),
            "table": "interactions",
            "kind": ["complaint", "call", "visit"],
            "amount": float("nan"),
            "detail": "",
        }
    )
    episodes = pd.DataFrame(
        {
            "opened_on": [date(2024, 7, 17), date(2023, 1, 1)],
            "opened_level": ["orange", "blue"],
            "highest_level": ["red", "yellow"],
            "closed_on": [None, date(2023, 2, 1)],
            "close_reason": [None, "ordered"],
        }
    )
    found = with_warnings(timeline, episodes)
    assert list(found["kind"]) == ["warning", "warning_closed", "complaint", "warning", "call", "visit"]
    assert list(found["level"].fillna("")) == ["blue", "yellow", "", "orange", "", ""]
    assert found["detail"][1] == "ordered"
    assert list(with_warnings(timeline, episodes.iloc[:0])["kind"]) == ["complaint", "call", "visit"]


CONTACTS = """
customer_id contact_id name   title role       valid_from valid_to
A           c1         Tanaka chief purchasing -          -
A           c2         Mori   -     technical  -          -
A           c3         Sato   -     user       -          2024-06-30
A           c4         Ueda   -     executive  -          -
"""
MILESTONES = """
customer_id activity_id kind          planned_at done_at    status    explanation
A           m1          joint_rnd     2024-06-16 -          planned   -
A           m2          joint_rnd     2024-06-17 -          planned   -
A           m3          joint_rnd     2024-05-01 -          postponed their_plant
A           m4          roadmap       2024-05-01 2024-05-11 done      -
A           m6          roadmap       2024-05-01 -          cancelled -
"""


def talks(contact, recent, usual, first=1):
    """Contacts with a person: so many in the last 90 days, four times as many as usual in the 360 days before."""
    days = [1 + 80 * number // max(recent, 1) for number in range(recent)]
    days += [91 + 8 * number for number in range(usual * 4)]
    return [(contact, first + number, ago(day)) for number, day in enumerate(days)]


@cache
def chain():
    spoken = talks("c1", 10, 10) + talks("c2", 3, 10, 500) + talks("c3", 5, 5, 1000)
    # the source begins 450 days ago, so that the year before the last 90 days has 360 days
    spoken.append(("c1", 9999, ago(450)))
    written = pd.DataFrame(spoken, columns=["contact_id", "interaction_id", "occurred_at"])
    interactions = written.assign(
        customer_id="A",
        interaction_id=written["interaction_id"].astype("str"),
        channel="call",
        occurred_at=pd.to_datetime(written["occurred_at"]),
    )
    tables = {
        "transactions": lines(ORDERS),
        "contacts": lines(CONTACTS),
        "interactions": interactions,
        "partnerships": lines(MILESTONES),
    }
    events = InMemory(tables)
    curve = pd.DataFrame(
        {
            "customer_id": ["A", "A", "A", "B"],
            "period": [1, 2, 3, 1],
            "age": [5, 4, 3, 5],
            "actual": [8.0, 8.0, 9.0, 1.0],
            "expected": [10.0, 10.0, 10.0, 10.0],
            "expected_by": "own",
        }
    )
    return decision_chain(events, "A", TODAY, curve=curve)


def test_lv_14_every_role_has_its_people_and_their_state_and_one_that_nobody_bears_is_a_gap():
    people = {row["role"]: row for row in chain().people.to_dict("records") if row["left_on"] is None}
    assert pd.isna(people["user"].pop("contact_id"))
    assert {role: (row.get("contact_id"), row["state"]) for role, row in people.items()} == {
        "purchasing": ("c1", "warm"),
        "technical": ("c2", "cooling"),
        "executive": ("c4", "gap"),
        # the only user has left
        "user": (None, "gap"),
    }
    assert people["technical"]["trend"] == pytest.approx(-0.7)
    assert people["technical"]["last_contact_on"] == ago(1)
    (left,) = (row for row in chain().people.to_dict("records") if row["left_on"] is not None)
    assert (left["contact_id"], left["state"], left["left_on"]) == ("c3", "lost", date(2024, 6, 30))


def test_lv_14_without_contacts_on_file_all_four_roles_are_gaps():
    found = decision_chain(InMemory({"transactions": lines(ORDERS)}), "B", TODAY)
    assert list(found.people["role"]) == ["technical", "purchasing", "user", "executive"]
    assert found.people["contact_id"].isna().all()
    assert dict(found.unknown) == {
        "people": "contacts",
        "matrix": "interactions",
        "board": "partnerships",
        "service": "interactions",
    }
    assert (len(found.matrix), len(found.board), len(found.service)) == (0, 0, 0)


def test_lv_15_a_fall_of_70_percent_in_three_months_has_the_strongest_colour():
    newest = chain().matrix.query("ends_on == @ago(1)").set_index("key")
    assert newest.loc["technical", ["contacts_90d", "usual_90d"]].tolist() == [3, 10.0]
    assert newest.loc["technical", "change"] == pytest.approx(-0.7)
    assert newest.loc["technical", "strength"] == 4
    assert newest.loc["c2", "strength"] == 4
    assert abs(newest.loc["purchasing", "change"]) < 0.05
    assert newest.loc["purchasing", "strength"] <= 1
    assert newest.loc["executive", "change"] != newest.loc["executive", "change"]
    of_role = chain().matrix.query("key == 'technical'")
    assert len(of_role) == 12
    assert list(of_role["ends_on"])[-2:] == [ago(31), ago(1)]


def test_lv_16_milestones_late_by_more_than_30_days_are_marked():
    board = chain().board.set_index("activity_id")
    # planned 31 and 30 days before
    assert board.loc["m1", ["days_late", "marked", "unexplained"]].tolist() == [31.0, True, True]
    assert board.loc["m2", ["days_late", "marked"]].tolist() == [30.0, False]
    assert board.loc["m3", ["days_late", "marked", "unexplained"]].tolist() == [77.0, True, False]
    assert board.loc["m4", ["days_late", "is_open", "marked"]].tolist() == [10.0, False, False]
    assert pd.isna(board.loc["m6", "days_late"])
    assert list(board.index[:2]) == ["m3", "m1"]


def test_lv_17_the_curve_has_expected_actual_and_the_80_percent_line():
    curve = chain().service
    assert curve[["expected", "limit", "actual", "below"]].to_numpy().tolist() == [
        [10.0, 8.0, 9.0, False],
        [10.0, 8.0, 8.0, True],
        [10.0, 8.0, 8.0, True],
    ]
    assert (curve["begins_on"].iloc[-1], curve["ends_on"].iloc[-1]) == (ago(90), ago(1))
    assert expected_contacts.__doc__
