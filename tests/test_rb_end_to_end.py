"""Rules asked of what the feature engine makes of a few rows: each boundary again. The cutoff is 1 July 2024."""

from datetime import timedelta

import pytest
from ruled import JULY_1, ago, built, fired, orders, told

EVERY_30_DAYS = (0, 30, 60, 90)


def silent(*days: int) -> str:
    """Customers A44 and so on, who ordered every 30 days and are silent for so many."""
    return orders(**{f"A{last}": [last + gap for gap in EVERY_30_DAYS] for last in days})


def test_rb_01_monthly_orders_are_late_on_the_45th_day():
    frame = built(silent(44, 45, 46))
    assert frame["order_cycle_days"].tolist() == [30, 30, 30]
    assert fired(frame, "order_late") == [False, True, True]


def test_rb_01_the_pattern_on_file_is_the_cycle():
    once = orders(A=[10], B=[11])
    filed = "customer_id order_pattern\nA weekly\nB weekly"
    assert fired(built(once, customers=filed), "order_late") == [False, True]  # 10.5 days


def test_rb_02_rb_03_rb_04_the_60th_day_stops_and_the_61st_churns():
    frame = built(silent(59, 60, 61), facts={"rank": ["A", "A", "C"]})
    assert fired(frame, "orders_stopped") == [False, True, True]
    assert fired(frame, "important_orders_stopped") == [False, True, False]
    assert fired(frame, "churned") == [False, False, True]


def test_rb_04_a_later_order_takes_the_mark_away():
    text = silent(62)
    assert fired(built(text), "churned") == [True]
    again = f"{text}\nA62 new {ago(1)} 100"
    assert fired(built(again), "churned") == [False]
    assert fired(built(again, JULY_1 - timedelta(days=1)), "churned") == [True], "not known the day before"


def test_rb_05_the_last_order_30_days_ago_is_trade_and_31_days_ago_is_none():
    frame = built(orders(A=[30], B=[31], C=[46]))
    assert fired(frame, "about_to_churn") == [False, True, True]
    assert fired(frame, "about_to_churn", about_to_churn_days=45) == [False, False, True]


def test_rb_06_a_month_is_held_against_the_one_before():
    amounts = {"A": (1000, 500), "B": (1000, 501), "C": (0, 500)}
    said = [
        f"{who} {who}{days} {ago(days)} {amount}"
        for who, held in amounts.items()
        for days, amount in zip((31, 30), held, strict=True)
        if amount
    ]
    frame = built("\n".join(["customer_id order_id ordered_at amount", *said]))
    assert fired(frame, "revenue_slump") == [True, False, False]
    fewer = built(orders(A=[*range(1, 8), *range(31, 41)], B=[*range(1, 9), *range(31, 41)]))
    assert fired(fewer, "orders_slump") == [True, False]


def test_rb_07_three_order_days_and_91_of_silence():
    frame = built(orders(A=(90, 91, 92), B=(91, 92, 93), C=[91], D=(91, 181), E=(91, 100)))
    assert fired(frame, "old_customer_silent") == [False, True, False, True, False]


def test_rb_08_the_two_newest_ratings():
    given = {"A": (5, 2, 2), "B": (2, 5), "C": (2,), "D": (2, 2, 5)}
    said = [
        f"{who} {who}{place} survey {ago(100 - place)} {ago(99 - place)} {rating}"
        for who, ratings in given.items()
        for place, rating in enumerate(ratings)
    ]
    services = "\n".join(["customer_id ticket_id kind opened_at rated_at rating", *said])
    frame = built(orders(**{who: [10] for who in given}), services=services)
    assert fired(frame, "two_low_ratings") == [True, False, False, False]


def test_rb_09_a_deep_discount_in_a_quote_of_21_days_until_the_order():
    quotes = "\n".join(
        [
            "customer_id quote_id quoted_at asked_discount status closed_at",
            *(f"{who} {who} {ago(days)} {share} open -" for who, days, share in (("A", 21, 0.3), ("B", 14, 0.3))),
            *(f"{who} {who} {ago(21)} {share} open -" for who, share in (("C", 0.19), ("D", 0.3))),
        ]
    )
    frame = built(orders(A=[50], B=[50], C=[50], D=[50, 5]), quotes=quotes)
    assert fired(frame, "price_bargainer") == [True, False, False, False]


def test_rb_12_after_gaps_of_8_10_and_12_days_the_13th_day_is_out_of_the_pattern_and_the_12th_is_not():
    gaps = (0, 8, 18, 30)  # mean 10, standard deviation 2; the silence under test is no gap yet
    frame = built(orders(**{f"A{last}": [last + gap for gap in gaps] for last in (12, 13)}))
    assert frame["days_since_last_order_own_z"].tolist() == [1.0, 1.5]
    assert fired(frame, "order_anomaly") == [False, True]


def test_rb_15_an_act_in_the_region_counts_for_30_days():
    events = f"region occurred_at competitor kind\nnorth {ago(30)} Acme fair\nsouth {ago(31)} Acme fair"
    regions = "customer_id region\nA north\nB south\nC east"
    frame = built(orders(A=[5], B=[5], C=[5]), market_events=events, customers=regions)
    assert fired(frame, "competitor_in_region") == [True, False, False]


def invoices(**paid: tuple[int, int]) -> str:
    """Customer -> days to pay four invoices of before the last 90 days, and two paid in them."""
    said = []
    for who, (before, recent) in paid.items():
        for place, settled in enumerate((120, 150, 180, 210)):
            said.append(f"{who} {who}{place} {ago(settled + before)} 100 {ago(settled)}")
        for place, settled in enumerate((20, 40), 4):
            said.append(f"{who} {who}{place} {ago(settled + recent)} 100 {ago(settled)}")
    return "\n".join(["customer_id invoice_id issued_at amount paid_at", *said])


def test_rb_16_payment_from_30_to_45_days_is_slow():
    paid = invoices(A=(30, 45), B=(30, 44), C=(60, 65), D=(31, 45))
    frame = built(orders(**dict.fromkeys("ABCD", (400, 10))), finances=paid)
    assert frame["payment_days_mean_90d"].tolist() == [45, 44, 65, 45]
    assert frame["payment_days_mean_90d_usual"].tolist() == [30, 30, 60, 31]
    assert fired(frame, "payment_slow") == [True, False, False, False]


@pytest.mark.parametrize(
    ("days", "explanation", "fires"), [(30, "-", False), (31, "-", True), (31, "customs", False), (400, "-", True)]
)
def test_rb_18_a_milestone_31_days_late_without_a_word(days, explanation, fires):
    header = "customer_id activity_id kind planned_at done_at status explanation"
    milestone = f"{header}\nA m roadmap {ago(days)} - planned {explanation}"
    assert fired(built(orders(A=(500, 10)), partnerships=milestone), "milestone_late") == [fires]


def test_rb_19_70_percent_fewer_contacts_with_one_role_beside_another_as_usual():
    def contacts(who: str, technical: int) -> list[str]:
        counts = {"technical": (technical, 100), "purchasing": (100, 100)}
        return [
            f"{who} {who}{role}{start}{number} {ago(start + number % 90)} {role}"
            for role, held in counts.items()
            for start, count in zip((1, 91), held, strict=True)
            for number in range(count)
        ]

    said = [*contacts("A", 30), *contacts("B", 31)]
    # the log begins 180 days ago, so that the usual of 90 days is what was in the 90 before
    log = "\n".join(["customer_id interaction_id occurred_at role", *said])
    frame = built(orders(A=(500, 10), B=(500, 10)), interactions=log)
    assert fired(frame, "role_imbalance") == [True, False]
    signal = told(frame, "role_imbalance")
    assert (signal["level"], signal["evidence"]["weakest_role"]) == ("orange", "technical")
    assert signal["evidence"]["weakest_role_interactions_90d_vs_usual"] == 0.3


@pytest.mark.parametrize(
    ("old", "new", "days", "fires"),
    [("warm", "cool", 1, True), ("warm", "cool", 2, False), ("cool", "cool", 1, False), ("cold", "cool", 1, False)],
)
def test_rb_20_only_the_fall_to_cool_of_the_day_before_counts(old, new, days, fires):
    changes = f"customer_id changed_at field old new\nA {ago(200)} temperature - {old}\n"
    changes += f"A {ago(days)}T09:00 temperature {old} {new}"
    frame = built(orders(A=[10]), facts={"temperature": new}, account_changes=changes)
    assert fired(frame, "temperature_fell") == [fires]


def test_rb_21_the_last_contact_45_days_ago():
    log = "\n".join(
        [
            "customer_id interaction_id occurred_at channel",
            *(f"{who} {who} {ago(days)} call" for who, days in (("A", 44), ("B", 45), ("C", 60))),
        ]
    )
    frame = built(orders(A=[5], B=[5], C=[5]), facts={"rank": ["A", "B", "C"]}, interactions=log)
    assert fired(frame, "important_without_contact") == [False, True, False]


def test_rb_22_dormant_from_the_180th_day_on():
    assert fired(built(orders(A=[179], B=[180])), "dormant") == [False, True]


def test_rb_23_overdue_on_the_day_after_the_expected_one():
    assert fired(built(silent(29, 30, 31)), "order_overdue") == [False, False, True]


def test_hs_11_two_messages_without_a_reply_and_none_where_one_was_answered_between():
    header = "customer_id interaction_id occurred_at channel direction replied_at"
    sent = {"A": ("-", "-"), "B": ("-", str(ago(10)), "-"), "C": ("-",)}
    said = [
        f"{who} {who}{place} {ago(20 - 4 * place)} email outbound {replied}"
        for who, replies in sent.items()
        for place, replied in enumerate(replies)
    ]
    frame = built(orders(**{who: [5] for who in sent}), interactions="\n".join([header, *said]))
    assert fired(frame, "outreach_unanswered") == [True, False, False]
