"""Fourteen items of an account, with values worked out by hand, and a note where there is none."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

from datetime import date, datetime
from decimal import Decimal

import pandas as pd
import pytest
from accounts_at import brief_of
from orders import RUN_AT

from features.briefs import account_brief
from features.errors import SettingsError
from features.quarantine import ingest
from features.sources import open_source

JULY_1 = date(2024, 7, 1)
FOURTEEN = (
    "basic_information",
    "customer_classification",
    "contact_records",
    "customer_contact_files",
    "quotation_records",
    "current_orders",
    "accounts_receivable",
    "sales_expenses",
    "first_order_date",
    "last_order_date",
    "cumulative_sales",
    "sales_gross_profit",
    "average_purchase_cycle_days",
    "estimated_next_purchase_date",
)
ORDERS = """
customer_id order_id ordered_at amount
A           1        2024-03-01 100.10
A           2        2024-04-10 50.20
A           3        2024-05-20 60.30
A           3        2024-05-20 -10.30
A           4        2024-06-29 40
A           5        2024-07-01 999
B           6        2024-05-01 7
"""
WITH_MORE = """
customer_id order_id ordered_at amount margin product_id quantity promised_at delivered_at delivered_quantity
A           1        2024-03-01 100    30     p          1        2024-03-05  2024-03-04   1
A           2        2024-04-10 50     -      p          1        2024-04-12  2024-04-14   1
A           3        2024-06-10 60     20.5   p          1        2024-06-20  -            -
A           4        2024-06-29 40     5      p          1        2024-07-09  2024-07-08   1
B           6        2024-05-01 7      1      p          1        2024-05-03  2024-05-03   1
"""
CUSTOMERS = """
customer_id name        industry  rank order_pattern growth    competitor_present owner
A           Aoki_Works  machinery B    monthly       shrinking true               Ann
B           Bolt_House  machinery -    -             -         -                  -
"""
INTERACTIONS = """
customer_id interaction_id occurred_at channel owner
A           1              2024-01-05  visit   Ann
A           2              2024-06-01  visit   Ann
A           3              2024-06-19  call    Bob
A           4              2024-07-01  visit   Bob
B           5              2024-06-25  visit   Bob
"""
QUOTES = """
customer_id quote_id quoted_at  amount status closed_at
A           1        2024-02-01 100    won    2024-02-20
A           2        2024-05-01 200    lost   2024-07-03
A           3        2024-06-30 25.5   open   -
B           4        2024-06-30 1      open   -
"""
FINANCES = """
customer_id invoice_id issued_at  amount due_at     paid_at
A           1          2024-03-02 100    2024-04-01 2024-03-20
A           2          2024-04-12 50     2024-05-12 2024-07-01
A           3          2024-06-11 60     2024-07-11 -
B           4          2024-06-11 9      2024-06-12 -
"""
PROMOTIONS = "customer_id issued_at amount\nA 2024-05-05 5\nA 2024-07-02 5"


@pytest.fixture(scope="module")
def full():
    return brief_of(
        WITH_MORE,
        JULY_1,
        customers=CUSTOMERS,
        interactions=INTERACTIONS,
        quotes=QUOTES,
        finances=FINANCES,
        promotions=PROMOTIONS,
    )


def test_dm_14_a_profile_has_its_fourteen_items_and_an_absent_source_gives_none_with_a_note_never_0():
    profile = brief_of(ORDERS, JULY_1).profile
    assert tuple(profile) == FOURTEEN
    absent = {name: item.note for name, item in profile.items() if item.value is None}
    assert absent == {
        "basic_information": "source absent: customers",
        "contact_records": "source absent: interactions",
        "customer_contact_files": "source absent: no table of the contract holds documents",
        "quotation_records": "source absent: quotes",
        "current_orders": "source absent: transactions.promised_at",
        "accounts_receivable": "source absent: finances",
        "sales_expenses": "source absent: no table of the contract holds expenses",
        "sales_gross_profit": "source absent: transactions.margin",
    }
    assert profile["cumulative_sales"].value == Decimal("240.30")
    assert profile["first_order_date"].value == date(2024, 3, 1)
    assert profile["last_order_date"].value == date(2024, 6, 29)
    # gaps of 40, 40 and 40 days
    assert profile["average_purchase_cycle_days"].value == 40
    assert profile["estimated_next_purchase_date"].value == date(2024, 8, 8)


def test_dm_14_every_item_that_has_a_source_is_told_as_it_was_known(full):
    found = {name: item.value for name, item in full.profile.items()}
    assert found["basic_information"] == {
        "customer_id": "A",
        "name": "Aoki Works",
        "industry": "machinery",
        "rank": "B",
        "owner": "Ann",
        "order_pattern": "monthly",
        "growth": "shrinking",
        "competitor_present": True,
    }
    classified = found["customer_classification"]
    assert (classified["rank"], classified["earned_rank"], classified["growth"]) == ("B", "C", "shrinking")
    assert classified["importance"] == pytest.approx(sum(classified["importance_factors"].values()), abs=0.1)
    assert found["contact_records"] == {
        "interactions": 3,
        "last_90_days": 2,
        "last_at": datetime(2024, 6, 19),
        "last_channel": "call",
        "last_owner": "Bob",
    }
    # the loss of 3 July is not known yet
    assert found["quotation_records"] == {
        "quotes": 3,
        "amount": Decimal("325.5"),
        "open": 2,
        "won": 1,
        "lost": 0,
        "last_at": datetime(2024, 6, 30),
    }
    assert found["current_orders"] == {
        "undelivered_lines": 2,
        "next_promised_on": date(2024, 7, 9),
        "late_lines": 1,
        # of three lines due one came in time
        "fill_rate_365d": pytest.approx(1 / 3),
    }
    # the payment of 1 July is not known at its midnight
    assert found["accounts_receivable"] == {
        "owed": Decimal(110),
        "open_invoices": 2,
        "overdue": Decimal(50),
        "oldest_issued_at": datetime(2024, 4, 12),
    }
    assert found["cumulative_sales"] == Decimal(250)
    assert found["sales_gross_profit"] == Decimal("55.5")
    assert full.profile["sales_gross_profit"].note == "known for 200.00 of the sales"
    assert (found["average_purchase_cycle_days"], full.profile["average_purchase_cycle_days"].note) == (
        30,
        "on file: monthly",
    )
    assert found["estimated_next_purchase_date"] == date(2024, 7, 29)


def test_dm_21_the_six_values_at_a_glance(full):
    assert {name: item.value for name, item in full.card.items()} == {
        "abc_class": "B",
        "sales_of_last_month": Decimal(100),
        "days_without_trade": 2,
        "last_visit_date": date(2024, 6, 1),
        "days_not_visited": 30,
        "last_coupon_date": date(2024, 5, 5),
    }


def test_dm_21_without_a_coupon_and_a_visit_ever_the_fields_are_empty_not_today():
    card = brief_of(ORDERS, JULY_1, "B", interactions=INTERACTIONS.replace("B ", "A "), promotions=PROMOTIONS).card
    assert card["last_coupon_date"].value is None
    assert card["last_visit_date"].value is None
    assert card["days_not_visited"].value is None
    assert (card["abc_class"].value, card["abc_class"].note) == ("C", "earned, none is on file")


def test_a_source_that_began_later_is_not_in_use_yet():
    early = brief_of(ORDERS, date(2024, 5, 1), quotes="customer_id quote_id quoted_at amount\nA 1 2024-06-01 5")
    item = early.profile["quotation_records"]
    assert (item.value, item.note) == (None, "source not in use before 2024-05-01: quotes")
    later = brief_of(ORDERS, date(2024, 6, 2), "B", quotes="customer_id quote_id quoted_at amount\nA 1 2024-06-01 5")
    assert later.profile["quotation_records"].value["quotes"] == 0


def test_before_its_first_order_an_account_on_file_has_no_dates_and_no_sales():
    found = brief_of(ORDERS, date(2024, 4, 1), "B", customers=CUSTOMERS)
    names = ("first_order_date", "last_order_date", "cumulative_sales", "estimated_next_purchase_date")
    assert [(found.profile[name].value, found.profile[name].note) for name in names] == [
        (None, "no order is known by then")
    ] * 4
    assert found.card["days_without_trade"].value is None
    assert found.card["abc_class"].value is None


def test_below_three_gaps_the_cycle_is_not_known():
    profile = brief_of(ORDERS, date(2024, 6, 29)).profile
    for name in ("average_purchase_cycle_days", "estimated_next_purchase_date"):
        assert (profile[name].value, profile[name].note) == (None, "not known below 3 gaps between order days")


EIGHT = {
    "name": "青木製作所",
    "address": "大阪市北区1-2-3",
    "industry": "machinery",
    "purchasing_department": "購買部",
    "contact_name": "田中 一郎",
    "contact_title": "課長",
    "contact_details": "0612345678 / tanaka@example.com",
    "owner": "佐藤",
}


def test_dm_01_an_account_row_with_all_eight_fields_comes_back_unchanged(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    rows = pd.DataFrame([{"customer_id": "A", **EIGHT}, {"customer_id": "B", "name": "no owner here"}])
    rows.to_csv(source / "customers.csv", index=False)
    pd.DataFrame(
        {"customer_id": ["A", "B"], "order_id": ["1", "2"], "ordered_at": ["2024-05-01"] * 2, "amount": [5, 5]}
    ).to_csv(source / "transactions.csv", index=False)
    report = ingest(open_source(source), tmp_path / "events", run_at=RUN_AT, timezone="UTC", max_share=0)
    assert report.table("customers").quarantined == 0
    back = account_brief(report.events, "A", JULY_1)
    assert {name: back.profile["basic_information"].value[name] for name in EIGHT} == EIGHT
    assert account_brief(report.events, "B", JULY_1).owner is None


def test_an_unknown_account_is_told_with_examples_of_known_ones():
    with pytest.raises(SettingsError, match=r"'Z' is not known before 2024-07-01. Known are for example \['[AB]'"):
        brief_of(ORDERS, JULY_1, "Z")
    with pytest.raises(SettingsError, match="'B' is not known before 2024-05-01"):
        brief_of(ORDERS, date(2024, 5, 1), "B")
