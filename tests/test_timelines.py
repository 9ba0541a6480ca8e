"""The timeline: whatever happened to an account, from every table, in the order of time and only once it is known."""

from datetime import date

import pandas as pd
import pytest
from orders import laid_out, lines

from features import cutoffs
from features.contract import CONTRACT
from features.timelines import kinds, timeline

JULY_1 = date(2024, 7, 1)
ORDERS = "customer_id order_id ordered_at amount\nA 1 2024-06-02 10\nB 2 2024-06-02 10"
CUSTOMERS = "customer_id owner region\nA Ann North\nB Bob South"
#: One row of each other table; the day of each event is its place in the order of time.
TABLES = {
    "quotes": "customer_id quote_id quoted_at amount status closed_at\nA q1 2024-06-01 10 won 2024-06-11",
    "services": """
customer_id ticket_id kind      opened_at  resolved_at rating rated_at
A           t1        complaint 2024-06-03 2024-06-12  -      -
A           t2        survey    2024-06-04 -           4      2024-06-13
""",
    "interactions": """
customer_id interaction_id occurred_at channel direction text           replied_at
A           i1             2024-06-05  inquiry inbound   what_about_it? -
A           i2             2024-06-06  -       inbound   -              -
A           i3             2024-06-07  email   outbound  -              2024-06-14
""",
    "finances": "customer_id invoice_id issued_at amount paid_at\nA f1 2024-06-08 10 2024-06-15",
    "partnerships": "customer_id activity_id kind planned_at done_at\nA p1 roadmap 2024-06-09 2024-06-16",
    "account_changes": """
customer_id changed_at field       old  new          author
A           2024-06-10 temperature warm cool         Ann
A           2024-06-17 note        -    all_is_well  Ann
A           2024-06-18 shoe_size   41   42           Ann
""",
    "promotions": "customer_id issued_at amount used_at\nA 2024-06-19 5 2024-06-20",
    "contracts": "customer_id contract_id signed_at ends_at amount\nA k1 2024-06-21 2025-06-20 100",
    "contacts": "customer_id contact_id name valid_from valid_to\nA c1 Tanaka 2024-06-22 2024-06-23",
    "absences": "owner starts_at ends_at\nAnn 2024-06-24 2024-06-30\nBob 2024-06-24 2024-06-30",
    "market_events": "region occurred_at competitor kind\nNorth 2024-06-25 Acme price_cut\nSouth 2024-06-25 Acme -",
}
IN_ORDER = [
    "quote",
    "order",
    "complaint",
    "survey",
    "inquiry",
    "other",
    "email",
    "invoice",
    "roadmap",
    "change",
    "quote won",
    "complaint resolved",
    "feedback",
    "reply",
    "payment",
    "roadmap done",
    "note",
    "other",
    "promotion",
    "promotion used",
    "contract",
    "contact came",
    "contact left",
    "absence",
    "market event",
]


def events_of(as_of, orders=ORDERS, **tables):
    tables = {name: lines(written) for name, written in {"customers": CUSTOMERS, **tables}.items()}
    with laid_out(lines(orders), **tables) as con:
        cutoffs.set_cutoffs(con, [as_of])
        cutoffs.set_accounts(con, "industry")
        found = timeline(con)
    return found[found["customer_id"] == "A"]


def test_dm_17_a_quote_an_order_a_complaint_feedback_and_an_enquiry_come_back_in_the_order_of_time():
    found = events_of(JULY_1, **{name: TABLES[name] for name in ("quotes", "services", "interactions")})
    five = found[found["kind"].isin(["quote", "order", "complaint", "survey", "inquiry"])]
    assert five["kind"].tolist() == ["quote", "order", "complaint", "survey", "inquiry"]
    assert five["happened_at"].dt.day.tolist() == [1, 2, 3, 4, 5]
    assert five["detail"].tolist() == ["q1", "1 line", "t1", "t2", "inbound; what about it?"]
    assert five["amount"].tolist()[:2] == [10.0, 10.0]


def test_dm_17_every_event_table_tells_its_events_and_an_unknown_kind_is_kept_as_other_and_counted():
    found = events_of(JULY_1, **TABLES)
    assert found["kind"].tolist() == IN_ORDER
    assert found["happened_at"].dt.day.tolist() == list(range(1, 26))
    assert set(found["table"]) == {name for name, table in CONTRACT.items() if table.time}
    assert kinds(found)["other"] == 2
    assert kinds(found[found["kind"] == "order"]) == {"order": 1, "other": 0}


@pytest.mark.parametrize("as_of", [date(2024, 6, 11), date(2024, 6, 12), date(2024, 6, 13)])
def test_an_event_is_there_from_the_midnight_after_it_on(as_of):
    found = events_of(as_of, **TABLES)
    assert found["happened_at"].max() == pd.Timestamp(as_of) - pd.Timedelta(days=1)
    assert len(found) == as_of.day - 1


def test_a_row_that_was_recorded_late_and_a_plan_for_later_are_not_there_yet():
    late = "customer_id interaction_id occurred_at recorded_at channel\nA 1 2024-06-01 2024-07-01 call"
    planned = "customer_id activity_id planned_at recorded_at kind\nA 1 2024-08-01 2024-06-01 roadmap"
    assert events_of(JULY_1, interactions=late, partnerships=planned)["kind"].tolist() == ["order"]
    assert events_of(date(2024, 7, 2), interactions=late)["kind"].tolist() == ["call", "order"]


def test_a_credit_note_lowers_its_order_and_one_by_itself_is_a_return():
    text = "customer_id order_id ordered_at amount\nA 1 2024-06-02 10\nA 1 2024-06-02 -4\nA 2 2024-06-05 -3"
    found = events_of(JULY_1, orders=text)
    assert found[["kind", "amount", "detail"]].values.tolist() == [
        ["order", 6.0, "2 lines; returns taken off"],
        ["return", -3.0, ""],
    ]


def test_a_delivery_that_came_late_says_by_how_many_days():
    text = """
customer_id order_id ordered_at amount promised_at delivered_at quantity delivered_quantity
A           1        2024-06-02 10     2024-06-05  2024-06-08   5        4
A           2        2024-06-03 10     2024-06-30  2024-07-01   5        5
"""
    found = events_of(JULY_1, orders=text)
    assert found.loc[found["kind"] == "delivery", "detail"].tolist() == ["1 line; 3 days late; 1 short"]
