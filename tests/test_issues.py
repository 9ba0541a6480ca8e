"""What is open with an account: the rows behind the features, each with its days."""

from datetime import date

import pandas as pd
from orders import laid_out, lines

from features import cutoffs
from features.issues import absent, open_issues
from features.options import resolved, set_options

JULY_1 = date(2024, 7, 1)
ORDERS = """
customer_id order_id ordered_at amount promised_at delivered_at
A           1        2024-06-01 10     2024-06-21  -
A           2        2024-06-01 10     2024-06-21  -
A           3        2024-06-01 10     2024-06-21  2024-06-25
A           4        2024-06-01 10     2024-07-01  -
"""
PARTNERSHIPS = """
customer_id activity_id kind             planned_at done_at    explanation status
A           due-31      joint_rnd        2024-05-31 -          -           planned
A           due-30      joint_rnd        2024-06-01 -          -           planned
A           explained   joint_rnd        2024-05-01 -          holiday     planned
A           cancelled   joint_rnd        2024-05-01 -          -           cancelled
A           asked       document_request 2024-05-01 -          -           planned
A           later       joint_rnd        2024-05-01 2024-07-05 -           done
"""
SERVICES = """
customer_id ticket_id kind        opened_at  resolved_at
A           t1        complaint   2024-06-20 -
A           t2        complaint   2024-05-20 2024-07-01
A           t3        complaint   2024-05-20 2024-06-30
A           t4        repair      2024-06-30 -
A           t5        maintenance 2024-05-20 -
"""
QUOTES = """
customer_id quote_id quoted_at  amount status closed_at
A           q15      2024-06-16 5      open   -
A           q14      2024-06-17 5      open   -
A           lost     2024-05-01 5      lost   2024-05-20
"""
FINANCES = """
customer_id invoice_id issued_at  amount due_at     paid_at
A           late       2024-05-01 70.5   2024-06-28 -
A           due        2024-05-01 70     2024-07-01 -
A           paid       2024-05-01 70     2024-06-28 2024-06-29
A           credit     2024-05-01 -70    2024-06-28 -
"""
ALL = {"partnerships": PARTNERSHIPS, "services": SERVICES, "quotes": QUOTES, "finances": FINANCES}


def issues_of(as_of, orders=ORDERS, options=None, **tables):
    held = {name: lines(text) for name, text in tables.items()}
    orders = lines(orders)
    present = {name: tuple(table.columns) for name, table in {"transactions": orders, **held}.items()}
    with laid_out(orders, **held) as con:
        set_options(con, resolved(options or {}))
        cutoffs.set_cutoffs(con, [as_of])
        return open_issues(con, present)


def test_dm_20_a_milestone_due_31_days_ago_without_a_word_is_overdue_by_31_days():
    found = issues_of(JULY_1, partnerships=PARTNERSHIPS).table
    milestones = found[found["kind"] == "overdue milestone"]
    # the one that was done on 5 July is still open on the 1st
    assert milestones[["what", "days"]].values.tolist() == [["joint rnd later", 61], ["joint rnd due-31", 31]]


def test_every_kind_is_listed_with_what_it_is_since_when_and_its_amount():
    found = issues_of(JULY_1, **ALL)
    assert found.unknown == {}
    rows = found.table[found.table["kind"] != "overdue milestone"]
    assert rows[["kind", "what", "days"]].values.tolist() == [
        ["open complaint", "t2", 42],
        ["unanswered quote", "q15", 15],
        ["open complaint", "t1", 11],
        ["late delivery", "2 lines ordered on 2024-06-01", 10],
        ["overdue invoice", "late", 3],
        ["open repair", "t4", 1],
    ]
    assert rows["amount"].dropna().tolist() == [5.0, 70.5]
    assert rows["since"].tolist()[0] == pd.Timestamp(2024, 5, 20)


def test_the_patience_is_that_of_the_options():
    found = issues_of(JULY_1, options={"unanswered_quote_days": 15, "overdue_milestone_days": 10}, **ALL).table
    assert "unanswered quote" not in set(found["kind"])
    assert (found["kind"] == "overdue milestone").sum() == 3


def test_what_an_absent_source_would_tell_is_unknown_not_none_open():
    bare = "customer_id order_id ordered_at amount\nA 1 2024-06-01 10"
    unpaid = "customer_id invoice_id issued_at amount due_at\nA 1 2024-01-01 5 2024-02-01"
    found = issues_of(JULY_1, bare, finances=unpaid)
    assert found.table.empty
    assert found.unknown == {
        "overdue milestone": "partnerships",
        "open complaint": "services",
        "open repair": "services",
        "unanswered quote": "quotes",
        "overdue invoice": "finances.paid_at",
        "late delivery": "transactions.promised_at",
    }


def test_absence_is_told_of_a_table_before_a_column():
    present = {"finances": ("due_at",)}
    assert absent(present, "finances", "finances.due_at") == ""
    assert absent(present, "finances.paid_at") == "finances.paid_at"
    assert absent(present, "finances.issued_at") == "", "what the contract asks for is always there"
    assert absent(present, "quotes.status") == "quotes"
