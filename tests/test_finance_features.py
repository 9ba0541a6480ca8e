"""Invoices paid, owed, confirmed and disputed, and changes of terms: what each says at a cutoff, counted by hand."""

import math
from datetime import date

import pytest
from orders import features_of

from features import own

JULY_1 = date(2024, 7, 1)
#: A customer of two and a half years.
ORDERS = "customer_id order_id ordered_at amount\nA 1 2022-01-01 100\nA 2 2024-06-20 100"
HEADER = "customer_id invoice_id issued_at amount due_at confirmed_at paid_at disputed disputed_at\n"
LIMIT = "customer_id credit_limit\nA 1000"
#: The seven indicators that are named for finance.
NAMED = (
    "ar_days_90d",
    "disputed_share_90d",
    "payment_days_mean_90d",
    "credit_used_share",
    "confirmation_days_mean_90d",
    "small_invoice_disputes_180d",
    "days_since_terms_change",
)


def financed(rows, as_of=JULY_1, options=None, **others):
    return features_of(ORDERS, as_of, options=options, finances=HEADER + rows.strip(), **others)


#: Issued 77, 57, 27 and 17 days before 1 July; one of them a credit note.
SEVEN = """
A 1 2024-04-15 600 2024-05-15 2024-04-16 2024-05-15 false -
A 2 2024-05-05 400 2024-06-04 2024-05-08 2024-06-14 true  2024-05-20
A 3 2024-06-04 600 2024-07-04 2024-06-09 -          false -
A 4 2024-06-14 200 2024-07-14 2024-06-15 -          true  2024-06-25
A 5 2024-06-20 -70 -          -          -          -     -
"""
TERMS = """
customer_id changed_at field old      new
A           2024-06-26 terms prepaid  net_30
A           2024-06-28 note  -        called
A           2024-06-30 terms net_30   net_30
"""


def test_dm_19_seven_named_indicators_have_their_hand_checked_values():
    row = financed(SEVEN, customers=LIMIT, account_changes=TERMS)
    assert row["ar_days_90d"] == 90 * 800 / 1800
    assert row["disputed_share_90d"] == pytest.approx(600 / 1800)
    assert row["payment_days_mean_90d"] == (30 + 40) / 2
    assert row["credit_used_share"] == 0.8
    assert row["confirmation_days_mean_90d"] == (1 + 3 + 5 + 1) / 4
    assert row["small_invoice_disputes_180d"] == 2
    assert row["days_since_terms_change"] == 5


SIXTH = '''
from features.registry import feature


@feature("receivables", unit="money", concept="payment", dimension="finance", needs=("paid_at",), empty=0)
def owed_amount() -> str:
    """Amount of all invoices that are not paid."""
    return "coalesce(sum(amount) FILTER (step = 0 AND is_open), 0)"
'''


def test_dm_19_an_indicator_from_a_company_s_own_file_joins_the_named_ones_in_the_finance_dimension(tmp_path):
    path = tmp_path / "more_finance.py"
    path.write_text(SIXTH, encoding="utf-8")
    try:
        assert own.install(own.read_own([path])) == ("owed_amount",)
        finance = {one.name for one in own.registered() if one.dimension == "finance"}
        row = financed(SEVEN, customers=LIMIT, account_changes=TERMS)
    finally:
        own.install(())
    assert finance >= {*NAMED, "owed_amount"}
    assert row["owed_amount"] == 800
    assert row[list(NAMED)].notna().all()


def test_dm_19_without_what_an_indicator_needs_it_is_unknown_and_without_its_table_absent():
    bare = "customer_id invoice_id issued_at amount\nA 1 2024-06-04 600"
    row = features_of(ORDERS, JULY_1, finances=bare)
    assert row[list(NAMED[:-1])].isna().all()
    assert "days_since_terms_change" not in row
    assert not {*NAMED} & set(features_of(ORDERS, JULY_1).index)


def paid_after(*days):
    """One invoice every 30 days from 1 March on, paid after so many days."""
    issued = [date(2024, 3, 1), date(2024, 3, 31), date(2024, 4, 30)]
    return "".join(
        f"A {number} {day} 80 - - {date.fromordinal(day.toordinal() + wait)} - -\n"
        for number, (day, wait) in enumerate(zip(issued, days, strict=True))
    )


def test_fe_23_invoices_paid_after_30_31_45_days_show_a_rising_trend():
    # 30 days apart: sum of squares 1800, of products 30 x 15, plus the prior of the spread
    assert financed(paid_after(30, 31, 45))["payment_trend_days_365d"] == pytest.approx(450 * 90 / (1800 + 8100))
    assert financed(paid_after(30, 30, 30))["payment_trend_days_365d"] == 0
    assert financed(paid_after(45, 31, 30))["payment_trend_days_365d"] < 0


def test_fe_23_an_unpaid_invoice_counts_with_its_age_at_the_cutoff_once_that_is_longer_than_usual():
    paid = paid_after(30, 31, 45)
    assert financed(paid)["payment_days_mean_90d"] == pytest.approx((31 + 45) / 2), "30 days ended in March"
    young, old = (f"{paid}A 9 {day} 80 - - {then} - -" for day, then in (("2024-06-21", "-"), ("2024-05-12", "-")))
    assert financed(young)["payment_days_mean_90d"] == pytest.approx((31 + 45) / 2)
    assert financed(old)["payment_days_mean_90d"] == pytest.approx((31 + 45 + 50) / 3)
    later = f"{paid}A 9 2024-05-12 80 - - 2024-08-01 - -"
    assert financed(later)["payment_days_mean_90d"] == financed(old)["payment_days_mean_90d"]


def test_fe_23_eighty_of_a_limit_of_a_hundred_is_four_fifths():
    owed = "A 1 2024-06-04 80 - - - - -"
    assert financed(owed, customers="customer_id credit_limit\nA 100")["credit_used_share"] == 0.8
    raised = "customer_id changed_at field old new\nA 2024-06-15 credit_limit 100 160\nA 2024-07-02 credit_limit 160 80"
    row = financed(owed, customers="customer_id credit_limit\nA 100", account_changes=raised)
    assert row["credit_used_share"] == 0.5, "the limit as it stood then"
    for written in ("-", "0"):
        assert math.isnan(financed(owed, customers=f"customer_id credit_limit\nA {written}")["credit_used_share"])


def test_fe_23_use_of_credit_is_compared_with_what_was_owed_a_quarter_of_a_year_ago_and_before():
    rows = """
    A 1 2024-03-20 200 - - 2024-04-10 - -
    A 2 2023-12-20 300 - - 2024-02-01 - -
    A 3 2023-09-15 100 - - 2023-09-16 - -
    A 4 2024-06-20 500 - - -          - -
    """
    row = financed(rows, customers=LIMIT)
    names = ["credit_used_share", "credit_used_share_usual", "credit_used_share_vs_usual"]
    # 2 April: 200; 3 January: 300; 5 October: nothing of 100; 7 July: no invoices at all
    assert row[names].tolist() == [0.5, pytest.approx(0.5 / 3), pytest.approx(1 / 3)]


def test_fe_23_confirmation_is_delayed_from_the_day_of_issue_and_a_paid_invoice_waits_no_more():
    rows = """
    A 1 2024-05-01 80 - 2024-05-03 - - -
    A 2 2024-06-01 80 - 2024-06-05 - - -
    A 3 2024-06-11 80 - -          - - -
    A 4 2024-04-01 80 - -          2024-04-20 - -
    """
    assert financed(rows)["confirmation_days_mean_90d"] == pytest.approx((2 + 4 + 20) / 3)


def test_a_payment_cycle_of_30_days_that_becomes_one_of_45_is_seen_against_the_customer_s_own_usual():
    months = [date(2023, 4, 1), *(date(2023, month, 1) for month in range(5, 13)), date(2024, 1, 1), date(2024, 2, 1)]
    late = [date(2024, 3, 1), date(2024, 4, 1), date(2024, 5, 1)]
    waits = [(day, 30) for day in months] + [(day, 45) for day in late]
    rows = "".join(
        f"A {number} {day} 80 - - {date.fromordinal(day.toordinal() + wait)} - -\n"
        for number, (day, wait) in enumerate(waits)
    )
    row = financed(rows)
    names = ["payment_days_mean_90d", "payment_days_mean_90d_usual", "payment_days_mean_90d_vs_usual"]
    assert row[names].tolist() == [45, 30, pytest.approx(46 / 31)]
    # four earlier quarters of 30 each: the spread is that of chance, half of it
    assert row["payment_days_mean_90d_z"] == pytest.approx(15 / math.sqrt(4 * 15**2 / 8))


def test_days_beyond_terms_tell_early_late_and_still_unpaid():
    rows = """
    A 1 2024-04-01 80 2024-05-01 - 2024-04-28 - -
    A 2 2024-05-01 80 2024-05-31 - 2024-06-05 - -
    A 3 2024-05-15 80 2024-06-14 - -          - -
    A 4 2024-06-15 80 2024-07-15 - -          - -
    """
    row = financed(rows)
    assert row["days_beyond_terms_90d"] == pytest.approx((-3 + 5 + 17) / 3), "the last one is not due yet"
    assert row["overdue_amount"] == 80
    assert row["overdue_share"] == 0.5
    assert row["longest_overdue_days"] == 17
    on_time = financed(rows, date(2024, 6, 14))
    assert on_time[["overdue_amount", "longest_overdue_days"]].tolist() == [0, 0], "due today, payable today"
    assert financed(rows, date(2024, 6, 15))["longest_overdue_days"] == 1


def test_invoices_issued_further_apart_and_paid_later_each_time_show_a_trend_beyond_terms():
    rows = "".join(
        f"A {number} 2024-0{month}-01 80 2024-0{month}-11 - 2024-0{month}-{11 + late} - -\n"
        for number, (month, late) in enumerate([(1, 0), (3, 2), (5, 7)])
    )
    row = financed(rows)
    # 182, 122 and 61 days ago; the sums about the means are 7320.67 and 424
    assert row["days_beyond_terms_trend_365d"] == pytest.approx(424 * 90 / (7320 + 2 / 3 + 8100))


def test_fe_31_a_dispute_over_a_small_invoice_counts_from_its_own_day_and_one_over_a_large_does_not():
    rows = """
    A 1 2024-05-01 499.99 - - - true  2024-06-01
    A 2 2024-05-01 500.00 - - - true  2024-06-01
    A 3 2024-05-01 100.00 - - - false -
    A 4 2024-05-01 100.00 - - - true  2024-07-01
    """
    assert financed(rows)["small_invoice_disputes_180d"] == 1
    assert financed(rows, date(2024, 7, 2))["small_invoice_disputes_180d"] == 2
    assert financed(rows, date(2024, 6, 1))["small_invoice_disputes_180d"] == 0
    assert financed(rows, options={"small_invoice": 501})["small_invoice_disputes_180d"] == 2


def test_fe_31_a_change_of_terms_five_days_ago_is_five_days_old_and_other_changes_are_none():
    row = features_of(ORDERS, JULY_1, account_changes=TERMS)
    assert row["days_since_terms_change"] == 5
    assert math.isnan(features_of(ORDERS, date(2024, 6, 26), account_changes=TERMS)["days_since_terms_change"])


def test_a_share_of_disputes_without_an_invoice_is_unknown_and_never_more_than_all():
    rows = "A 1 2024-01-01 900 - - - true 2024-05-01"
    assert math.isnan(financed(rows)["disputed_share_90d"])
    assert financed(f"{rows}\nA 2 2024-06-01 300 - - - - -")["disputed_share_90d"] == 1
