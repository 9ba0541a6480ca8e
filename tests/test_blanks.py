"""What tables leave blank and which features are off for it: told, and in nobody's way."""

from datetime import date

import pytest
from orders import features_of, ingested, lines, present

from features.blanks import blanks, features_off
from features.contract import CONTRACT

ORDERS = "customer_id order_id ordered_at amount\n" + "\n".join(f"{who} {who} 2024-01-02 10" for who in "ABC")
CUSTOMERS = """
customer_id name industry  region owner
A           Aoki machinery North  Ann
B           Bolt -         North  -
C           Cox  -         North  -
"""
CONTACTS = """
customer_id contact_id name   role       valid_from recorded_at
A           c1         Tanaka technical  2024-01-01 2024-01-01
A           c2         Mori   purchasing 2024-01-01 2024-01-01
A           c3         Sato   user       2024-01-01 2024-01-01
A           c4         Ito    executive  2024-01-01 2024-01-01
A           c5         Ueno   -          2024-01-01 2024-01-01
B           c6         Endo   -          2024-01-01 2024-01-01
B           c6         Endo   user       2024-01-01 2024-02-01
"""


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blanks") / "made"
    return ingested(lines(ORDERS), folder, 2, customers=lines(CUSTOMERS), contacts=lines(CONTACTS))


def test_dm_01_an_account_without_an_owner_is_taken_in_and_told_of_as_no_owner(events):
    [found] = [one for one in blanks(events) if one.column == "owner"]
    assert (found.table, found.words, found.rows, found.of, found.first) == ("customers", "no owner", 2, 3, ("B", "C"))
    assert events.sizes["customers"] == 3


def test_dm_18_a_contact_without_a_role_is_told_of_unless_the_role_was_given_since(events):
    [found] = [one for one in blanks(events) if one.table == "contacts"]
    assert (found.words, found.rows, found.of, found.first) == ("no role", 1, 6, ("c5",))


def test_what_is_filled_and_what_is_not_there_at_all_is_not_told(events, tmp_path):
    assert [(one.table, one.column) for one in blanks(events)] == [
        ("customers", "industry"),
        ("customers", "owner"),
        ("contacts", "role"),
    ]
    assert blanks(ingested(lines(ORDERS), tmp_path / "made")) == ()


DELIVERED = """
customer_id order_id ordered_at amount product_id quantity promised_at delivered_at delivered_quantity
A           1        2024-01-02 10     p          1        2024-01-05  2024-01-04   1
A           2        2024-01-02 10     p          1        2024-01-05  2024-01-09   1
"""


def test_dm_24_orders_alone_work_and_say_which_features_are_off_and_delivery_columns_switch_the_fill_rate_on():
    day = date(2024, 2, 1)
    alone = features_of(ORDERS, day)
    assert alone["revenue_90d"] == 10
    assert alone.isna()["filled_line_share_90d"]
    off = features_off(present(lines(ORDERS))).set_index("feature")["missing"]
    assert off["filled_line_share_90d"] == "transactions.promised_at"
    assert off["filled_line_share_90d_vs_usual"] == "transactions.promised_at"
    assert off["interactions_90d"] == "interactions"
    assert off["ar_days_90d"] == "finances"
    assert "revenue_90d" not in off
    assert features_of(DELIVERED, day)["filled_line_share_90d"] == 0.5
    on = set(off.index) - set(features_off(present(lines(DELIVERED)))["feature"])
    assert "filled_line_share_90d" in on
    assert all(off[name].startswith("transactions.") for name in on)


def test_every_feature_that_is_said_to_be_off_is_absent_or_unknown_and_of_a_whole_source_none_is():
    row = features_of(ORDERS, date(2024, 2, 1))
    off = features_off(present(lines(ORDERS)))["feature"]
    assert row.reindex(off).isna().all()
    every = {name: tuple(column.name for column in table.columns) for name, table in CONTRACT.items()}
    assert features_off(every).empty
