"""Quotes, promotions and contracts: tables written by hand, values by hand. The cutoff is 1 July 2024."""

from datetime import date

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


@pytest.fixture(autouse=True)
def only_what_is_tested_here(monkeypatch):
    kept = registry_of("quotes", "promotions", "contracts", also=["discount_share_365d_vs_peers"])
    monkeypatch.setattr(registry, "REGISTRY", kept)


def quoted(rows: str) -> str:
    return f"customer_id quote_id quoted_at asked_discount status closed_at\n{rows}"


def of_quotes(rows: str, as_of: date = JULY_1, orders: str = ORDERS, **options: object) -> pd.Series:
    return features_of(orders, as_of, options=options, quotes=quoted(rows))


TWO_UNANSWERED = """
A q1 2024-06-16 0.10 open -
A q2 2024-06-10 -    open -
A q3 2024-06-17 0.30 open -
A q4 2024-06-01 0.20 lost 2024-06-12
"""


def test_fe_12_two_unanswered_quotes_one_phrase_and_a_trial_without_a_sequel_are_listed_separately():
    orders = """
    customer_id order_id ordered_at amount product_id trial
    A           1        2024-01-10 100    p1         false
    A           2        2024-02-15 5      p2         true
    """
    row = features_of(
        orders,
        JULY_1,
        quotes=quoted(TWO_UNANSWERED),
        interactions="customer_id interaction_id occurred_at text\nA 1 2024-06-20 maybe_next_time",
    )
    assert row["unanswered_quotes"] == 2.0  # the one of 17 June is 14 days old
    assert row["deferrals_90d"] == 1.0
    assert row["trials_without_follow_up"] == 1.0
    assert row["cold_feedback_signs"] == 4.0


def test_fe_12_the_days_after_which_a_quote_is_unanswered_are_an_option_and_nothing_else_is_needed():
    assert of_quotes(TWO_UNANSWERED, unanswered_quote_days=13)["unanswered_quotes"] == 3.0
    assert of_quotes(TWO_UNANSWERED, unanswered_quote_days=21)["unanswered_quotes"] == 0.0
    assert of_quotes(TWO_UNANSWERED)["cold_feedback_signs"] == 2.0


@pytest.mark.parametrize(
    ("as_of", "unanswered", "oldest", "lost"),
    [(date(2024, 6, 12), 0.0, 11.0, 0.0), (date(2024, 6, 13), 0.0, 3.0, 1.0), (date(2024, 6, 25), 1.0, 15.0, 1.0)],
)
def test_a_quote_that_was_decided_later_is_open_before(as_of, unanswered, oldest, lost):
    row = of_quotes(TWO_UNANSWERED, as_of)
    assert row[["unanswered_quotes", "oldest_open_quote_days", "lost_quotes_in_a_row"]].tolist() == [
        unanswered,
        oldest,
        lost,
    ]


@pytest.mark.parametrize(
    ("quote", "ordered", "discount"),
    [
        ("open -", "2024-06-09", 0.3),
        ("open -", "2024-06-10", None),
        ("open -", "2024-06-20", None),
        ("won 2024-06-20", "2024-06-09", None),
    ],
)
def test_a_deep_discount_asked_for_in_a_stalled_quote_counts_until_an_order_is_placed(quote, ordered, discount):
    row = of_quotes(f"A q1 2024-06-10 0.3 {quote}\nA q2 2024-06-24 0.5 open -", orders=f"{ORDERS}A 3 {ordered} 50")
    found = row["unanswered_quote_discount_share"]
    assert pd.isna(found) if discount is None else found == discount


def test_quotes_are_counted_in_windows_and_against_the_customer_s_own_usual():
    # 5 quotes in the 365 days before the last 90; source and customer have 503 days of history or more
    rows = "\n".join(
        f"A q{number} {day} - open -"
        for number, day in enumerate(
            [
                "2023-02-14",
                "2023-06-01",
                "2023-09-01",
                "2023-12-01",
                "2024-01-15",
                "2024-04-01",
                "2024-04-02",
                "2024-06-30",
            ]
        )
    )
    row = of_quotes(rows)
    assert row["quotes_90d"] == 2.0  # 2 April is 90 days ago
    assert row["quotes_90d_usual"] == pytest.approx(5 * 90 / 365)
    assert row["quotes_90d_vs_usual"] == pytest.approx((2 + 1) / (5 * 90 / 365 + 1))
    assert row["days_since_last_quote"] == 1.0


def test_an_account_without_quotes_asked_for_none_and_one_of_a_company_without_quotes_is_unknown():
    row = of_quotes("B q1 2024-06-10 - open -")
    assert row[["quotes_90d", "unanswered_quotes", "lost_quotes_in_a_row", "cold_feedback_signs"]].tolist() == [0.0] * 4
    assert row[["quote_won_share_365d", "oldest_open_quote_days", "days_since_last_quote"]].isna().all()
    assert "quotes_90d" not in features_of(ORDERS, JULY_1).index
    assert pd.isna(of_quotes("B q1 2024-07-02 - open -")["quotes_90d"])


def test_the_share_of_quotes_won_is_of_those_that_were_decided_by_then():
    rows = """
    A q1 2024-01-10 - won  2024-02-01
    A q2 2024-02-10 - lost 2024-03-01
    A q3 2024-03-10 - lost 2024-07-01
    A q4 2024-06-10 - open -
    A q5 2023-06-01 - lost 2023-07-01
    """
    assert of_quotes(rows)["quote_won_share_365d"] == 0.5
    assert of_quotes(rows, date(2024, 7, 2))["quote_won_share_365d"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("statuses", "row"),
    [("won lost lost", 2.0), ("lost won lost", 1.0), ("lost lost won", 0.0), ("lost lost lost", 3.0), ("- - -", 0.0)],
)
def test_quotes_lost_in_a_row_are_counted_from_the_last_one_that_was_won(statuses, row):
    rows = "\n".join(
        f"A q{number} 2024-0{number}-01 - {status} {'-' if status == '-' else f'2024-0{number}-20'}"
        for number, status in enumerate(statuses.split(), start=1)
    )
    assert of_quotes(rows)["lost_quotes_in_a_row"] == row


def test_a_quote_becomes_an_order_where_one_follows_within_thirty_days_and_the_newest_quotes_are_not_judged():
    rows = """
    A q1 2024-04-15 - - -
    A q2 2024-04-14 - - -
    A q3 2024-05-15 - - -
    A q4 2024-06-01 - - -
    A q5 2023-06-30 - - -
    """
    # ordered on 15 May: 30 days after q1, 31 after q2, on the day of q3; q4 is 30 days old, q5 367
    assert of_quotes(rows)["quote_order_share_365d"] == pytest.approx(2 / 3)
    assert of_quotes(rows, quote_order_days=31)["quote_order_share_365d"] == pytest.approx(3 / 3)
    assert of_quotes(rows, quote_order_days=29)["quote_order_share_365d"] == pytest.approx(1 / 4)


def test_the_discount_asked_for_is_compared_with_the_customer_s_own_usual():
    rows = """
    A q1 2023-02-01 0.01 - -
    A q2 2023-08-01 0.02 - -
    A q3 2024-01-10 0.04 - -
    A q4 2024-05-10 0.10 - -
    A q5 2024-06-10 0.05 - -
    A q6 2024-06-11 -    - -
    """
    row = of_quotes(rows)
    assert row["asked_discount_share_90d"] == pytest.approx(0.075)
    assert row["asked_discount_share_90d_usual"] == pytest.approx(0.03)
    assert row["asked_discount_share_90d_vs_usual"] == pytest.approx(0.045)


def test_what_is_told_only_by_the_outcome_is_unknown_where_there_is_no_outcome():
    row = features_of(ORDERS, JULY_1, quotes="customer_id quote_id quoted_at\nA q1 2024-06-01")
    assert row["quotes_90d"] == 1.0
    assert (
        row[["unanswered_quotes", "lost_quotes_in_a_row", "quote_won_share_365d", "cold_feedback_signs"]].isna().all()
    )


def test_fe_37_a_customer_at_two_per_cent_discount_where_its_peers_have_six_is_four_points_below():
    orders = "customer_id order_id ordered_at amount list_amount\n" + "\n".join(
        f"{who} {who}{day} 2024-06-0{day} {amount} 100"
        for who, amount in (("A", 98), ("B", 94), ("C", 94), ("D", 90))
        for day in (1, 2)
    )
    found = snapshots_of(lines(orders), [JULY_1]).set_index("customer_id")["discount_share_365d_vs_peers"]
    assert found.loc["A"] == pytest.approx(-0.04)
    assert found.loc["B"] == pytest.approx(0.0)
    assert found.loc["D"] == pytest.approx(0.04)


PROMOTED = "customer_id issued_at amount used_at"


def test_fe_37_promotions_are_weighed_against_revenue_and_against_peers():
    orders = "customer_id order_id ordered_at amount\n" + "\n".join(
        f"{who} {who}{day} 2024-06-0{day} 500" for who in "ABC" for day in (1, 2)
    )
    promotions = f"""
    {PROMOTED}
    A 2024-03-01 20 -
    A 2023-06-01 70 -
    B 2024-03-01 40 2024-03-02
    B 2024-04-01 20 2024-07-01
    C 2024-03-01 60 -
    """
    frame = snapshots_of(lines(orders), [JULY_1], promotions=lines(promotions)).set_index("customer_id")
    assert frame["promotion_share_365d"].tolist() == pytest.approx([0.02, 0.06, 0.06])
    assert frame["promotion_share_365d_vs_peers"].tolist() == pytest.approx([-0.04, 0.0, 0.0])
    assert frame["days_since_last_promotion"].tolist() == [122.0, 91.0, 122.0]
    assert frame["used_promotion_share_365d"].tolist() == [0.0, 0.5, 0.0]


def test_without_any_promotion_the_day_of_the_last_one_is_unknown_and_not_today():
    row = features_of(ORDERS, JULY_1, promotions=f"{PROMOTED}\nB 2024-03-01 20 -")
    assert pd.isna(row["days_since_last_promotion"])
    assert row["promotion_share_365d"] == 0.0


@pytest.mark.parametrize(
    ("contracts", "running", "until", "since"),
    [
        ("A c1 2023-07-01 2023-07-02 2024-07-01", 1.0, 0.0, None),
        ("A c1 2023-07-01 2023-07-02 2024-06-30", 0.0, None, 1.0),
        ("A c1 2023-07-01 2023-07-02 2024-06-30\nA c2 2024-06-20 2024-07-01 2025-06-30", 1.0, 364.0, None),
        ("A c1 2023-07-01 2023-07-02 2024-06-30\nA c2 2024-06-20 2024-08-01 2025-06-30", 0.0, 364.0, None),
        ("A c1 2023-07-01 2023-07-02 2024-06-30\nA c2 2024-07-01 2024-07-01 2025-06-30", 0.0, None, 1.0),
        ("A c1 2023-07-01 - 2024-08-30\nA c2 2024-01-01 - -", 1.0, None, None),
        ("B c1 2023-07-01 2023-07-02 2024-08-30", 0.0, None, None),
    ],
)
def test_the_days_until_a_contract_ends_or_since_it_ended_without_renewal(contracts, running, until, since):
    row = features_of(ORDERS, JULY_1, contracts=f"customer_id contract_id signed_at starts_at ends_at\n{contracts}")
    assert row["contract_running"] == running
    for name, days in (("days_until_contract_end", until), ("days_since_contract_end", since)):
        assert pd.isna(row[name]) if days is None else row[name] == days


def test_a_contract_that_was_extended_ends_later_from_the_day_on_which_that_was_recorded():
    contracts = """
    customer_id contract_id signed_at  starts_at  ends_at    recorded_at
    A           c1          2023-07-01 2023-07-02 2024-07-31 2023-07-01
    A           c1          2023-07-01 2023-07-02 2024-12-31 2024-06-30
    """
    days = [
        features_of(ORDERS, date(2024, month, day), contracts=contracts)["days_until_contract_end"]
        for month, day in ((6, 30), (7, 1))
    ]
    assert days == [31.0, 183.0]
