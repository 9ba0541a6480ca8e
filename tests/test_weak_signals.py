"""Scattered weak signs drawn together, from tables written by hand. The cutoff is 1 July 2024."""

from datetime import date, timedelta

import pandas as pd
import pytest
from narrowed import registry_of
from orders import features_of, lines, snapshots_of

from features import registry

JULY_1 = date(2024, 7, 1)
ORDERS = """
customer_id order_id ordered_at amount
A           1        2023-01-10 100
A           2        2024-05-15 100
"""
TOLD = (
    "weak_signal_kinds_365d",
    "weak_signal_sum_vs_peers",
    "weak_signal_sum_change_90d_vs_peers",
    "weak_signals_make_a_pattern",
)


@pytest.fixture(autouse=True)
def only_what_is_tested_here(monkeypatch):
    monkeypatch.setattr(registry, "REGISTRY", registry_of(also=TOLD))


def day(days_ago: int) -> str:
    return str(JULY_1 - timedelta(days=days_ago))


def complaint(days_ago: int) -> str:
    return f"customer_id ticket_id kind opened_at\nA t1 complaint {day(days_ago)}"


def deferral(days_ago: int) -> str:
    return f"customer_id interaction_id occurred_at text\nA i1 {day(days_ago)} maybe_next_time"


def unanswered_quote(days_ago: int) -> str:
    """A quote that has been unanswered for so many days, which it is after 14."""
    return f"customer_id quote_id quoted_at status closed_at\nA q1 {day(days_ago + 14)} open -"


def drawn_together(options: dict[str, object] | None = None, **tables: str) -> pd.Series:
    return features_of(ORDERS, JULY_1, options=options, **tables)


def test_fe_34_three_weak_signs_over_nine_months_make_a_pattern_and_one_alone_does_not():
    signs = {"services": complaint(270), "interactions": deferral(140), "quotes": unanswered_quote(10)}
    row = drawn_together(**signs)
    each = [0.5, 2 ** (-140 / 270), 2 ** (-10 / 270)]
    assert row["weak_signal_kinds_365d"] == 3.0
    assert row["weak_signal_sum"] == pytest.approx(sum(each), abs=2e-6)  # 2.17
    assert row["weak_signals_make_a_pattern"] == 1.0
    for table, alone in zip(signs, each, strict=True):
        row = drawn_together(**{table: signs[table]})
        assert row["weak_signal_sum"] == pytest.approx(alone, abs=1e-6)
        assert row["weak_signals_make_a_pattern"] == 0.0


def test_fe_34_two_of_the_three_are_none_yet_however_new():
    assert drawn_together(services=complaint(1), interactions=deferral(1))["weak_signals_make_a_pattern"] == 0.0


def test_fe_34_signs_of_one_kind_count_1_at_most():
    many = "\n".join(f"A t{number} complaint {day(number)}" for number in range(1, 40))
    row = drawn_together(services=f"customer_id ticket_id kind opened_at\n{many}")
    assert row[["weak_signal_kinds_365d", "weak_signal_sum", "weak_signals_make_a_pattern"]].tolist() == [1, 1, 0]


def test_fe_34_the_half_life_the_alert_line_and_the_kinds_are_options():
    signs = {"services": complaint(100), "interactions": deferral(100)}
    assert drawn_together({"weak_signal_half_life_days": 100}, **signs)["weak_signal_sum"] == 1.0
    assert drawn_together({"weak_signal_alert": 1}, **signs)["weak_signals_make_a_pattern"] == 1.0
    assert drawn_together({"weak_signals_left_out": ["put_off"]}, **signs)["weak_signal_kinds_365d"] == 1.0


@pytest.mark.parametrize(("days_ago", "kinds"), [(365, 1.0), (366, 0.0)])
def test_a_sign_counts_for_a_year(days_ago, kinds):
    assert drawn_together(services=complaint(days_ago))["weak_signal_kinds_365d"] == kinds


def test_the_sum_is_compared_with_that_of_90_days_ago():
    row = drawn_together(services=complaint(360), interactions=deferral(10))
    assert row["weak_signal_sum_90d_ago"] == pytest.approx(2**-1, abs=1e-6)  # the complaint, then 270 days old
    now = 2 ** (-360 / 270) + 2 ** (-10 / 270)
    assert row["weak_signal_sum_change_90d"] == pytest.approx(now - 0.5, abs=3e-6)


HEADS = {
    "interactions": "customer_id interaction_id occurred_at channel direction invited attended result text",
    "services": "customer_id ticket_id kind opened_at accepted answered_at rating rated_at",
    "finances": "customer_id invoice_id issued_at amount due_at paid_at disputed disputed_at",
    "quotes": "customer_id quote_id quoted_at status closed_at",
    "contacts": "customer_id contact_id valid_from valid_to",
    "account_changes": "customer_id changed_at field old new",
    "partnerships": "customer_id activity_id kind planned_at done_at status",
}


@pytest.mark.parametrize(
    ("table", "row", "days_ago", "weight"),
    [
        ("interactions", "A i 2024-06-21 call inbound - - - a_competitor_offered_more", 10, 1),
        ("interactions", "A i 2024-06-21 call inbound - - - your_price_is_too_high", 10, 1),
        ("interactions", "A i 2024-06-21 event outbound true false - -", 10, 1),
        ("interactions", "A i 2024-06-21 visit outbound - - unsuccessful -", 10, 0.5),
        ("services", "A t upgrade 2024-05-01 false 2024-06-21 - -", 10, 1),
        ("services", "A t training 2024-05-22 - - - -", 10, 1),  # refused after 30 days
        ("services", "A t survey 2024-05-22 - - - -", 10, 0.5),  # not answered after 30 days
        ("services", "A t survey 2024-05-01 - - 2 2024-06-21", 10, 1),
        ("finances", "A f 2024-05-01 100 2024-06-07 - - -", 10, 0.5),  # late from 14 days beyond terms
        ("finances", "A f 2024-05-01 100 2024-06-07 2024-06-25 - -", 10, 0.5),
        ("finances", "A f 2024-05-01 100 2024-08-07 - true 2024-06-21", 10, 1),
        ("quotes", "A q 2024-06-01 lost 2024-06-21", 10, 0.5),
        ("contacts", "A p 2001-01-01 2024-06-21", 10, 1),
        ("account_changes", "A 2024-06-21 temperature warm cool", 10, 1),
        ("account_changes", "A 2024-06-21 contact Smith Jones", 10, 1),
        ("account_changes", "A 2024-06-21 terms 30 60", 10, 0.5),
        ("partnerships", "A a strategy_meeting 2024-06-21 - postponed", 10, 1),
    ],
)
def test_each_kind_of_sign_counts_with_its_weight_from_its_own_day(table, row, days_ago, weight):
    found = drawn_together(**{table: f"{HEADS[table]}\n{row}"})
    assert found["weak_signal_sum"] == pytest.approx(weight * 2 ** (-days_ago / 270), abs=1e-6)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("interactions", "A i 2024-06-21 call inbound true true effective see_you_on_monday"),
        ("interactions", "A i 2024-06-21 email outbound - - - maybe_next_time"),  # our own words
        ("services", "A t upgrade 2024-06-15 - - - -"),
        ("services", "A t upgrade 2024-05-01 true 2024-06-21 - -"),
        ("services", "A t survey 2024-05-01 - - 4 2024-06-21"),
        ("finances", "A f 2024-05-01 100 2024-06-17 - - -"),
        ("finances", "A f 2024-05-01 100 2024-06-07 2024-06-20 - -"),
        ("finances", "A f 2024-05-01 -100 2024-06-07 - - -"),
        ("quotes", "A q 2024-06-17 open -"),
        ("quotes", "A q 2024-06-01 lost 2024-07-21"),  # lost later: a quote left unanswered until then
        ("contacts", "A p 2001-01-01 2024-07-21"),
        ("account_changes", "A 2024-06-21 temperature cool warm"),
        ("partnerships", "A b roadmap 2024-01-01 2024-01-01 done\nA a strategy_meeting 2024-08-21 - postponed"),
    ],
)
def test_what_goes_well_or_is_still_to_come_is_no_sign(table, row):
    found = drawn_together(**{table: f"{HEADS[table]}\n{row}"})
    told = 2 ** (-16 / 270) if "2024-07-21" in row and table == "quotes" else 0.0
    assert found["weak_signal_sum"] == pytest.approx(told, abs=1e-6)


def test_a_return_is_half_a_sign_and_with_orders_alone_nothing_is_said():
    returned = f"{ORDERS}A 3 2024-06-21 -50"
    assert features_of(returned, JULY_1)[["weak_signal_sum", "weak_signals_make_a_pattern"]].isna().all()
    row = features_of(returned, JULY_1, services=complaint(400).replace("A ", "B "))
    assert row["weak_signal_sum"] == pytest.approx(0.5 * 2 ** (-10 / 270), abs=1e-6)


def test_what_the_whole_segment_shows_is_no_sign_against_peers():
    names = "ABC"
    orders = "customer_id order_id ordered_at amount\n" + "\n".join(
        f"{name} {name}{number} 2024-0{number}-15 100" for name in names for number in (2, 4, 6)
    )
    services = "customer_id ticket_id kind opened_at\n" + "\n".join(
        f"{name} {name} complaint 2024-06-01" for name in names
    )
    frame = snapshots_of(lines(orders), [JULY_1], services=lines(services))
    assert (frame["weak_signal_sum"] > 0.9).all()
    assert frame["weak_signal_sum_vs_peers"].tolist() == [0.0, 0.0, 0.0]
