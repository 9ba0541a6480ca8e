"""Every rule by its row of the requirements: exact numbers before, at and after each boundary."""

import math

import pandas as pd
import pytest
from ruled import OPTIONS, built, declared, fired, orders, rows, told

from models.warning_rules import WORKING_LISTS, raised, rule_levels, signals

NAN = math.nan


def test_rb_01_with_a_cycle_of_30_days_an_order_is_late_from_the_45th_day_on():
    frame = rows(days_since_last_order=[44, 45, 46], order_cycle_days=[30.0] * 3)
    assert fired(frame, "order_late") == [False, True, True]
    assert told(frame.iloc[[1]], "order_late")["evidence"] == {
        "days_since_last_order": 45.0,
        "order_cycle_days": 30.0,
        "late_order_multiple": 1.5,
    }
    assert declared("order_late").stage == "cooling"


def test_rb_01_a_day_has_one_signal_of_the_rule_however_late_the_order_is():
    frame = rows(days_since_last_order=[46], order_cycle_days=[30.0])
    assert signals(frame, [declared("order_late")], OPTIONS)["rule"].tolist() == ["order_late"]


def test_rb_02_with_a_cycle_of_30_days_orders_have_stopped_from_the_60th_day_on():
    frame = rows(days_since_last_order=[59, 60, 61], order_cycle_days=[30.0] * 3)
    assert fired(frame, "orders_stopped") == [False, True, True]
    assert declared("orders_stopped").stage == "comparison"


def test_rb_03_important_customers_whose_orders_have_stopped_are_on_the_red_list():
    frame = rows(
        rank=["A", "B", "C", "D", None, "A"],
        days_since_last_order=[60, 60, 60, 60, 60, 59],
        order_cycle_days=[30.0] * 6,
    )
    assert fired(frame, "important_orders_stopped") == [True, True, False, False, False, False]
    assert declared("important_orders_stopped").working_list == "red"
    assert fired(frame, "important_orders_stopped", important_ranks=["C"]) == [False, False, True, False, False, False]


def test_rb_04_with_a_cycle_of_20_days_a_customer_is_churned_beyond_the_40th_day_and_no_more_after_an_order():
    frame = rows(days_since_last_order=[39, 40, 41, 1], order_cycle_days=[20.0] * 4)
    assert fired(frame, "churned") == [False, False, True, False]
    assert declared("churned").tag == "churned"


def test_rb_05_no_trade_in_30_days_is_about_to_churn_and_the_limit_can_be_set():
    frame = rows(days_since_last_order=[29, 30, 31, 45, 46])
    assert fired(frame, "about_to_churn") == [False, False, True, True, True]
    assert fired(frame, "about_to_churn", about_to_churn_days=45) == [False, False, False, False, True]


def test_rb_05_nobody_is_churned_and_about_to_churn_and_beyond_the_limit_everybody_is_one_of_them():
    days = list(range(1, 200))
    frame = pd.concat([rows(days_since_last_order=days).assign(order_cycle_days=one) for one in (7.0, 15, 30, 90, NAN)])
    frame["customer_id"] = [f"c{number}" for number in range(len(frame))]
    churned, about_to = fired(frame, "churned"), fired(frame, "about_to_churn")
    assert not any(one and other for one, other in zip(churned, about_to, strict=True))
    either = [one or other for one, other in zip(churned, about_to, strict=True)]
    beyond = (frame["days_since_last_order"] > 30) | (frame["days_since_last_order"] > 2 * frame["order_cycle_days"])
    assert either == beyond.tolist()


def test_rb_06_revenue_that_fell_by_half_has_slumped_and_the_share_can_be_set():
    # from 1000 to 500, to 501 and to 400
    frame = rows(revenue_drop_share_30d=[1 - 500 / 1000, 1 - 501 / 1000, 1 - 400 / 1000, NAN])
    assert fired(frame, "revenue_slump") == [True, False, True, False]
    assert fired(frame, "revenue_slump", slump_revenue_share=0.6) == [False, False, True, False]


def test_rb_06_orders_that_are_3_fewer_have_slumped_and_the_number_can_be_set():
    # from 10 to 7, to 8 and to 6
    frame = rows(orders_drop_30d=[3, 2, 4, NAN])
    assert fired(frame, "orders_slump") == [True, False, True, False]
    assert fired(frame, "orders_slump", slump_orders=4) == [False, False, True, False]


def test_rb_06_the_signal_shows_what_was_and_what_is():
    frame = rows(revenue_drop_share_30d=[0.6], amount_30d_before=[1000.0], amount_30d=[400.0])
    shown = {"revenue_drop_share_30d": 0.6, "slump_revenue_share": 0.5, "amount_30d_before": 1000, "amount_30d": 400}
    assert told(frame, "revenue_slump")["evidence"] == shown


def test_rb_07_an_old_customer_is_silent_beyond_90_days():
    frame = rows(days_since_last_order=[90, 91], order_days_ever=[3, 3], days_since_first_order=[150, 150])
    assert fired(frame, "old_customer_silent") == [False, True]
    assert declared("old_customer_silent").tag == "key_follow_up"


def test_rb_07_old_is_who_ordered_on_3_days_or_for_180_days_and_never_who_ordered_once():
    frame = rows(
        days_since_last_order=[91] * 5 + [400],
        order_days_ever=[3, 2, 2, 2, 1, 1],
        days_since_first_order=[100, 179, 180, 181, 91, 400],
    )
    assert fired(frame, "old_customer_silent") == [True, False, True, True, False, False]
    assert fired(frame, "old_customer_silent", old_customer_order_days=2)[1]


def test_rb_08_the_last_two_ratings_have_to_be_low():
    frame = rows(last_rating=[2, 5, 2, 2], rating_before_last=[2, 2, NAN, 3])
    assert fired(frame, "two_low_ratings") == [True, False, False, False]
    assert fired(frame, "two_low_ratings", low_rating=3) == [True, False, False, True]
    assert (declared("two_low_ratings").team, declared("two_low_ratings").tag) == ("service", "key_follow_up")


def test_rb_09_who_asked_for_30_percent_off_in_a_quote_that_is_open_is_a_bargainer_until_the_order():
    frame = rows(unanswered_quote_discount_share=[0.3, 0.2, 0.19, NAN], oldest_open_quote_days=[21, 21, 21, 21])
    assert fired(frame, "price_bargainer") == [True, True, False, False]
    assert told(frame.iloc[[0]], "price_bargainer")["evidence"]["oldest_open_quote_days"] == 21


def test_rb_11_three_falls_of_15_percent_in_a_row_are_yellow():
    # talks of depth 100, 85, 72, 61 and 100, 85, 80, 68
    frame = rows(talk_depth_falls_in_a_row=[3, 1], talk_depth_fall_share_over_3=[0.39, 0.32])
    assert fired(frame, "talks_shallower") == [True, False]
    assert told(frame.iloc[[0]], "talks_shallower")["level"] == "yellow"


def test_rb_11_a_fall_of_15_percent_in_total_counts_only_where_it_is_set():
    frame = rows(talk_depth_falls_in_a_row=[1, 0, 0], talk_depth_fall_share_over_3=[0.32, 0.15, 0.14])
    assert fired(frame, "talks_shallower") == [False, False, False]
    assert fired(frame, "talks_shallower", shallower_in_total_share=0.15) == [True, True, False]
    instead = {"shallower_in_total_share": 0.15, "shallower_talks": "off"}
    assert fired(rows(talk_depth_falls_in_a_row=[3]), "talks_shallower", **instead) == [False]


def test_rb_12_a_silence_of_13_days_after_gaps_of_10_give_or_take_2_is_out_of_the_pattern():
    frame = rows(days_since_last_order_own_z=[(13.0 - 10) / 2, (12.9 - 10) / 2, NAN])
    assert fired(frame, "order_anomaly") == [True, False, False]


@pytest.mark.parametrize("column", ["order_value_mean_90d_z", "urgent_order_share_90d_z", "high_margin_share_90d_z"])
def test_rb_12_size_urgency_and_mix_count_in_both_directions(column):
    frame = rows(**{column: [1.5, 1.49, -1.49, -1.5]})
    assert fired(frame, "order_anomaly") == [True, False, False, True]
    assert told(frame.iloc[[3]], "order_anomaly")["evidence"] == {column: -1.5, "anomaly_deviations": 1.5}


def test_rb_14_two_periods_in_a_row_below_80_percent_of_the_curve_are_a_watch():
    # expected 10 and 10; the last one has nothing to compare with in the period before
    frame = rows(
        contacts_last_period=[8, 9, 8, 8.1, 7],
        contacts_period_before=[8, 8, 9, 8, NAN],
        contacts_expected_last_period=[10.0] * 5,
        contacts_expected_period_before=[10.0] * 5,
    )
    assert fired(frame, "contacts_below_curve") == [True, False, False, False, False]
    assert (declared("contacts_below_curve").level, declared("contacts_below_curve").tag) == ("blue", "watch")


def test_rb_14_where_no_contact_is_expected_none_is_missed():
    names = ("contacts_last_period", "contacts_period_before")
    expected = ("contacts_expected_last_period", "contacts_expected_period_before")
    frame = rows(**{name: [0, 0] for name in names}, **{name: [0.0, 1.0] for name in expected})
    assert fired(frame, "contacts_below_curve") == [False, True]


def test_rb_15_a_competitor_in_the_region_lifts_the_level_by_one_while_the_act_counts():
    frame = rows(days_since_competitor_event=[1, 30, 31, NAN])
    assert fired(frame, "competitor_in_region") == [True, True, False, False]
    assert declared("competitor_in_region").escalates
    assert told(frame.iloc[[0]], "competitor_in_region")["evidence"] == {
        "days_since_competitor_event": 1,
        "competitor_days": 30,
    }
    assert [raised(level) for level in ("none", "blue", "yellow", "orange", "red")] == [
        "none",
        "yellow",
        "orange",
        "red",
        "red",
    ]


def test_rb_16_payment_in_45_days_where_30_are_usual_is_slow_and_in_65_where_60_are_is_not():
    frame = rows(payment_days_mean_90d=[45, 44, 65, 45, 45], payment_days_mean_90d_usual=[30, 29, 60, 31, NAN])
    assert fired(frame, "payment_slow") == [True, False, False, False, False]
    assert declared("payment_slow").level == "yellow"


MOVED = {
    "payment_days_mean_90d": 36,
    "payment_days_mean_90d_usual": 30,
    "credit_used_share": 0.6,
    "credit_used_share_usual": 0.5,
    "confirmation_days_mean_90d": 6,
    "confirmation_days_mean_90d_usual": 5,
}


@pytest.mark.parametrize(
    ("changed", "fires"),
    [
        ({}, True),
        ({"credit_used_share": 0.5}, True),
        ({"credit_used_share": 0.5, "confirmation_days_mean_90d": 5}, False),
        ({"credit_used_share": NAN, "confirmation_days_mean_90d": 5.9}, False),
        # beyond a limit of its own: slow payment, credit, confirmation
        ({"payment_days_mean_90d": 45}, False),
        ({"payment_days_mean_90d": 44}, True),
        ({"credit_used_share": 1.01}, False),
        ({"credit_used_share": 1.0}, True),
        ({"confirmation_days_mean_90d": 31}, False),
        # nothing owed and nothing to confirm is no move
        ({"credit_used_share": 0, "credit_used_share_usual": 0, "confirmation_days_mean_90d": 5}, False),
    ],
)
def test_rb_17_two_of_three_indicators_up_by_20_percent_are_a_pattern_while_none_is_beyond_its_limit(changed, fires):
    frame = rows(**{name: [value] for name, value in (MOVED | changed).items()})
    assert fired(frame, "finances_move_together") == [fires]


def test_rb_17_the_evidence_names_the_indicators_that_moved():
    frame = rows(**{name: [value] for name, value in (MOVED | {"credit_used_share": 0.5}).items()})
    assert set(told(frame, "finances_move_together")["evidence"]) == {
        "payment_days_mean_90d",
        "payment_days_mean_90d_usual",
        "payment_days_mean_90d_above",
        "confirmation_days_mean_90d",
        "confirmation_days_mean_90d_usual",
        "confirmation_days_mean_90d_above",
        "moved_multiple",
    }


def test_rb_18_a_milestone_is_late_beyond_30_days():
    frame = rows(longest_overdue_milestone_days=[30, 31, 0])
    assert fired(frame, "milestone_late") == [False, True, False]
    assert (declared("milestone_late").level, declared("milestone_late").team) == ("yellow", "management")


def test_rb_19_an_imbalance_of_roles_is_orange_and_names_the_role():
    frame = rows(
        role_imbalance=[1.0, 0.0, NAN],
        weakest_role_interactions_90d_vs_usual=[0.3, 0.31, NAN],
        technical_interactions_90d=[3, 3.1, NAN],
        technical_interactions_90d_usual=[10.0] * 3,
        purchasing_interactions_90d=[10.0] * 3,
        purchasing_interactions_90d_usual=[10.0] * 3,
    )
    assert fired(frame, "role_imbalance") == [True, False, False]
    signal = told(frame, "role_imbalance")
    assert signal["level"] == "orange"
    assert signal["evidence"] == {
        "role_imbalance": 1.0,
        "weakest_role": "technical",
        "weakest_role_interactions_90d_vs_usual": 0.3,
    }


def test_rb_20_a_change_to_cool_counts_once_and_staying_cool_does_not():
    frame = rows(temperature=["cool", "cool", "warm", "cold", None], days_since_temperature_fell=[1, 2, 1, 1, 1])
    assert fired(frame, "temperature_fell") == [True, False, False, False, False]
    both = {"temperature_alarms": ["cool", "cold"]}
    assert fired(frame, "temperature_fell", **both) == [True, False, False, True, False]


def test_rb_21_important_customers_without_contact_for_45_days_are_on_the_yellow_list():
    frame = rows(rank=["A", "A", "B", "C"], days_since_last_interaction=[44, 45, 46, 60])
    assert fired(frame, "important_without_contact") == [False, True, True, False]
    assert declared("important_without_contact").working_list == "yellow"


def test_rb_22_180_days_without_an_order_are_dormant_and_on_the_grey_list():
    frame = rows(days_since_last_order=[179, 180, 181])
    assert fired(frame, "dormant") == [False, True, True]
    assert declared("dormant").working_list == "grey"


def test_rb_22_an_important_dormant_customer_has_both_signals_and_red_comes_before_grey():
    frame = rows(rank=["A"], days_since_last_order=[200], order_cycle_days=[30.0])
    found = signals(frame, [declared("dormant"), declared("important_orders_stopped")], OPTIONS)["rule"].tolist()
    lists = [declared(code).working_list for code in found]
    assert sorted(lists, key=WORKING_LISTS.index) == ["red", "grey"]


def test_rb_23_an_order_is_overdue_when_its_expected_day_has_passed():
    # expected yesterday, today and tomorrow
    frame = rows(days_to_next_expected_order=[-1, 0, 1], order_cycle_days=[30.0] * 3)
    assert fired(frame, "order_overdue") == [True, False, False]
    assert declared("order_overdue").tag == "overdue"


def test_rb_24_a_relationship_is_as_strong_as_its_weakest_role_and_the_signal_names_it():
    contacts = {"technical": 18, "purchasing": 18, "user": 18, "executive": 4}
    columns = {f"{role}_interactions_90d": [count, 18] for role, count in contacts.items()}
    frame = rows(**columns, **{f"{role}_interactions_90d_usual": [20, 20] for role in contacts})
    assert fired(frame, "weak_link") == [True, False]
    assert told(frame, "weak_link")["evidence"] == {
        "relationship_score": 20.0,  # of 90, 90, 90 and 20
        "weak_link_score": 50.0,
        "weakest_role": "executive",
    }


def test_rb_24_a_role_that_was_hardly_ever_in_touch_is_no_weak_link():
    frame = rows(user_interactions_90d=[0, 0, 3], user_interactions_90d_usual=[4.9, 5, 5])
    assert fired(frame, "weak_link") == [False, True, False]
    assert fired(frame, "weak_link", weak_role_min_contacts=4) == [True, True, False]


def test_hs_11_two_attempts_in_a_row_without_an_answer_are_red():
    # attempts, and the days that the oldest unanswered message has waited; calls that failed wait for nothing
    frame = rows(attempts_since_last_response=[1, 2, 3, 2, 2], waiting_days=[9, 9, 9, NAN, 2])
    assert fired(frame, "outreach_unanswered") == [False, True, True, True, False]
    assert told(frame.iloc[[1]], "outreach_unanswered")["level"] == "red"
    assert declared("outreach_unanswered").tag == "potential_churn"


def test_the_level_of_a_customer_s_rules_is_that_of_the_loudest():
    frame = rows(
        days_since_last_order=[60, 60, 1],
        order_cycle_days=[30.0] * 3,
        longest_overdue_milestone_days=[31, 0, 0],
        role_imbalance=[1, 0, 0],
    )
    shipped = [declared(code) for code in ("order_late", "milestone_late", "role_imbalance")]
    found = signals(frame, shipped, OPTIONS)
    assert rule_levels(found).to_dict() == {"c1": "orange", "c2": "none"}


def test_rb_12_gaps_that_are_all_alike_have_a_spread_of_a_day():
    frame = built(orders(A=(11, 21, 31, 41), B=(12, 22, 32, 42)), only=["days_since_last_order_own_z"])
    assert frame.set_index("customer_id")["days_since_last_order_own_z"].to_dict() == {"A": 1.0, "B": 2.0}
    assert fired(frame, "order_anomaly") == [False, True]
