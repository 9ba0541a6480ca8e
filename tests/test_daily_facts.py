"""What lists and rules need of each customer: worked out by hand, and blind to what comes later."""

from datetime import date
from functools import cache

import pandas as pd
import pytest
from accounts_at import InMemory
from orders import RUN_AT, ingested, lines
from two_clocks import as_it_was, nasty, scrambled, simulated

from features.building import build
from features.contact_records import contact_records
from features.cutoffs import lay_out_time
from features.daily_facts import COLUMNS, daily_facts
from features.decision_chain import decision_chain
from features.mapping import load_layout
from features.quarantine import ingest
from features.sources import open_source

JULY_15 = date(2024, 7, 15)
ORDERS = """
customer_id order_id ordered_at amount
A           1        2024-05-03 100
A           2        2024-06-10 80
A           3        2024-06-14 40
A           4        2024-06-15 999
A           5        2024-07-02 70.5
A           6        2024-07-02 29.5
A           6        2024-07-03 -9.5
A           7        2024-07-15 5000
B           8        2024-06-30 7
C           9        2024-07-15 7
"""
CUSTOMERS = """
customer_id name rank owner region order_pattern competitor_present budget_months parent_id manager
A           Aoki -    Ann   north  monthly       true               3,10          -         Max
B           Bolt A    -     -      -             -                  -             A         -
D           Dori -    Dan   -      -             -                  -             -         -
"""
CHANGES = """
customer_id changed_at field       old  new                   author
A           2024-06-01 owner       Ann  Cleo                  admin
A           2024-06-10 temperature warm cool                  Cleo
A           2024-06-11 risk        -    urgent                Cleo
A           2024-06-20 contact     Mori Tanaka                Cleo
A           2024-06-25 contact     Ito  Ito                   Cleo
A           2024-07-01 next_action -    2024-07-18_call_Mr_Ito Cleo
A           2024-07-14 note        -    spoke_to_him          Cleo
A           2024-07-15 risk        -    low                   Cleo
B           2024-07-01 next_action -    2024-07-18_call       Cleo
B           2024-07-02 next_action -    -                     Cleo
"""
INTERACTIONS = """
customer_id interaction_id occurred_at channel
A           1              2024-05-01  visit
A           2              2024-07-05  call
A           3              2024-07-15  visit
"""
QUOTES = """
customer_id quote_id quoted_at  status closed_at
A           1        2024-05-01 lost   2024-06-01
A           2        2024-05-02 lost   2024-07-15
B           3        2024-05-01 won    2024-06-01
"""
SERVICES = """
customer_id ticket_id kind   opened_at  rating rated_at
A           1         survey 2024-01-01 5      2024-01-05
A           2         survey 2024-02-01 2      2024-02-05
A           3         survey 2024-03-01 1.5    2024-03-05
A           4         survey 2024-07-01 5      2024-07-15
B           5         survey 2024-07-01 3      2024-07-02
"""
CONTRACTS = """
customer_id contract_id signed_at  starts_at  ends_at
A           1           2024-01-10 2024-02-01 2025-01-31
A           2           2024-07-15 2024-08-01 -
B           3           2023-01-10 -          -
"""
PROMOTIONS = "customer_id issued_at\nA 2024-05-05\nA 2024-07-15"


@cache
def full(as_of=JULY_15):
    tables = {
        "transactions": ORDERS,
        "customers": CUSTOMERS,
        "account_changes": CHANGES,
        "interactions": INTERACTIONS,
        "quotes": QUOTES,
        "services": SERVICES,
        "contracts": CONTRACTS,
        "promotions": PROMOTIONS,
    }
    return daily_facts(InMemory({name: lines(text) for name, text in tables.items()}), as_of).set_index("customer_id")


def of(customer, *names):
    row = full().loc[customer]
    return [row[name] for name in names]


def test_there_is_one_row_for_each_customer_on_file_or_with_an_order_by_then():
    # C's first order is of the cutoff's own day
    assert list(full().index) == ["A", "B", "D"]
    assert list(full().columns) == list(COLUMNS[1:])


def test_the_file_stands_as_the_changes_that_were_known_left_it():
    assert of("A", "name", "owner", "manager", "region", "temperature", "risk") == [
        "Aoki",
        "Cleo",
        "Max",
        "north",
        "cool",
        "urgent",
    ]
    assert of("A", "competitor_present", "budget_months", "order_pattern") == [True, [3, 10], "monthly"]
    assert of("B", "competitor_present", "budget_months", "parent_id") == [None, None, "A"]
    assert of("A", "contact_changed_on", "last_file_change_on") == [date(2024, 6, 20), date(2024, 7, 14)]


def test_dm_11_the_next_action_has_its_day_and_one_that_was_cleared_is_none():
    assert of("A", "next_action_on", "next_action_text") == [date(2024, 7, 18), "call Mr Ito"]
    assert of("B", "next_action_on")[0] is None
    assert pd.isna(of("B", "next_action_text")[0])
    assert of("A", "last_contact_on", "last_visit_on") == [date(2024, 7, 5), date(2024, 5, 1)]


def test_a_rank_is_that_on_file_else_the_earned_one_and_none_before_the_first_order():
    assert of("B", "rank", "rank_by") == ["A", "file"]
    assert of("A", "rank", "rank_by") == ["C", "earned"]
    assert full().loc["D", ["rank", "rank_by", "rank_by_trade"]].isna().all()


def test_a_dormant_customer_has_the_rank_of_its_trade_besides():
    events = InMemory({"transactions": lines("customer_id order_id ordered_at amount\nA 1 2024-01-05 150000")})
    options = {"rank_a_order_days": 1}
    for as_of, rank in ((date(2024, 7, 2), "A"), (date(2024, 7, 3), "D")):
        found = daily_facts(events, as_of, options=options).iloc[0]
        assert (found["rank"], found["rank_by_trade"]) == (rank, "A")


def test_the_orders_tell_dates_and_the_newest_figures():
    assert of("A", "first_order_on", "last_order_on", "gap_before_last_order_days") == [
        date(2024, 5, 3),
        date(2024, 7, 2),
        17.0,
    ]
    # 70.5 and 29.5 less what came back under the order's number a day later
    assert of("A", "last_order_amount") == [90.5]
    assert of("A", "amount_30d", "amount_30d_before") == [999 + 90.5, 220.0 - 100.0]
    assert of("A", "orders_30d", "orders_30d_before") == [3.0, 2.0]
    assert of("D", "revenue_previous_month", "orders_30d") == [0.0, 0.0]
    assert of("D", "first_order_on", "last_order_on") == [None, None]


def test_lv_03_the_month_to_date_is_compared_with_as_many_days_of_the_month_before():
    # 14 days of July have passed: the order of 15 June is beyond them
    assert of("A", "orders_month_to_date", "revenue_month_to_date") == [2.0, 90.5]
    assert of("A", "orders_previous_month_to_date", "revenue_previous_month_to_date") == [2.0, 120.0]
    assert of("A", "revenue_previous_month") == [1119.0]


def test_lv_03_where_the_month_before_is_shorter_the_comparison_begins_earlier():
    orders = (
        "customer_id order_id ordered_at amount\nA 1 2023-01-29 1\nA 2 2023-01-30 2\nA 3 2023-02-28 4\nA 4 2023-03-01 8"
    )
    found = daily_facts(InMemory({"transactions": lines(orders)}), date(2023, 3, 31)).iloc[0]
    # 30 days of March, so the 30 days from 30 January on
    assert (found["revenue_month_to_date"], found["revenue_previous_month_to_date"]) == (8.0, 6.0)
    # on the first, the month to date is the whole one before
    first = daily_facts(InMemory({"transactions": lines(orders)}), date(2023, 3, 1)).iloc[0]
    assert (first["revenue_month_to_date"], first["revenue_previous_month_to_date"]) == (4.0, 0.0)
    assert first["revenue_previous_month"] == 4.0


def test_lv_05_the_longest_gap_that_ended_this_month_has_its_order():
    assert of("A", "longest_gap_ended_on", "longest_gap_ended_days", "longest_gap_ended_amount") == [
        date(2024, 7, 2),
        17.0,
        90.5,
    ]
    assert of("B", "longest_gap_ended_on") == [None]
    orders = "customer_id order_id ordered_at amount\nA 1 2024-01-01 1\nA 2 2024-07-02 2\nA 3 2024-07-31 3"
    for as_of, ended in (
        (date(2024, 7, 2), None),
        (date(2024, 7, 3), 183),
        (date(2024, 8, 1), 183),
        (date(2024, 8, 2), None),
    ):
        found = daily_facts(InMemory({"transactions": lines(orders)}), as_of).iloc[0]
        assert found["longest_gap_ended_days"] == ended if ended else pd.isna(found["longest_gap_ended_days"])


def test_quotes_coupons_ratings_and_contracts_are_those_known_by_then():
    assert of("A", "last_lost_quote_on", "last_coupon_on") == [date(2024, 6, 1), date(2024, 5, 5)]
    assert of("A", "last_two_ratings") == [[2.0, 1.5]]
    assert of("B", "last_two_ratings", "last_lost_quote_on") == [[3.0], None]
    assert of("D", "last_two_ratings", "contracts") == [[], []]
    assert of("A", "contracts")[0] == [
        {"signed_on": date(2024, 1, 10), "starts_on": date(2024, 2, 1), "ends_on": date(2025, 1, 31)}
    ]
    assert of("B", "contracts")[0] == [{"signed_on": date(2023, 1, 10), "starts_on": None, "ends_on": None}]


def test_without_their_tables_facts_are_unknown_never_0():
    found = daily_facts(InMemory({"transactions": lines(ORDERS)}), JULY_15).set_index("customer_id")
    told = {"rank", "rank_by", "rank_by_trade", "first_order_on", "last_order_on", "last_order_amount"}
    told |= {"gap_before_last_order_days"} | {
        name for name in COLUMNS if "month_" in name or "_month" in name or "_30d" in name
    }
    told |= {"longest_gap_ended_on", "longest_gap_ended_days", "longest_gap_ended_amount"}
    told -= {"budget_months"}
    assert set(found.columns[found.loc["A"].notna()]) == told
    assert list(found.index) == ["A", "B"]


def test_the_company_s_own_columns_stand_under_their_own_names_and_buckets_change_nothing(tmp_path):
    own = lines(CUSTOMERS).assign(vip=["yes", "no", None], last_order_on="typed by somebody")
    found = [
        daily_facts(ingested(lines(ORDERS), tmp_path / str(buckets), buckets, customers=own), JULY_15)
        for buckets in (1, 3)
    ]
    pd.testing.assert_frame_equal(*found)
    assert list(found[0].columns) == [*COLUMNS, "vip"]
    assert list(found[0]["vip"].fillna("")) == ["yes", "no", ""]
    # a fact is not replaced by a column that bears its name
    assert found[0]["last_order_on"][0] == date(2024, 7, 2)


@pytest.mark.parametrize("world", [simulated, nasty])
@pytest.mark.parametrize("change", [as_it_was, scrambled])
def test_what_comes_later_changes_no_fact_and_no_contact_record(change, world):
    as_of = date(2025, 1, 7)
    then, later = InMemory(world()), InMemory(change(world(), as_of))
    for read in (daily_facts, contact_records):
        now = read(then, as_of)
        assert len(now) > 20
        pd.testing.assert_frame_equal(now, read(later, as_of), check_exact=True)


def test_the_two_worlds_know_every_fact_of_somebody():
    unknown = [
        {name for name, column in daily_facts(InMemory(world()), date(2025, 1, 7)).items() if column.isna().all()}
        for world in (simulated, nasty)
    ]
    # the next actions of both worlds name no day
    assert unknown[0] & unknown[1] == {"next_action_on"}


TWO_COLUMNS = """customer_id,last_order_on,order_pattern
A,2024-04-15,weekly
B,2024-04-16,monthly
C,2024-07-10,weekly
"""


def test_lv_07_a_file_of_the_last_order_and_its_pattern_is_enough_for_facts_and_cycle(tmp_path):
    (tmp_path / "last_orders.csv").write_text(TWO_COLUMNS)
    source = open_source(tmp_path / "last_orders.csv", load_layout("last-orders"))
    events = ingest(source, tmp_path / "events", run_at=RUN_AT, timezone="UTC", max_share=0).events
    found = daily_facts(events, JULY_15)
    assert list(found["last_order_on"]) == [date(2024, 4, 15), date(2024, 4, 16), date(2024, 7, 10)]
    assert list(found["order_pattern"]) == ["weekly", "monthly", "weekly"]
    with events.connect(0) as con:
        lay_out_time(con)
        only = ("days_since_last_order", "order_cycle_days")
        features = build(con, [JULY_15], events.columns, only=only).set_index("customer_id")
    assert features["days_since_last_order"].tolist() == [91.0, 90.0, 5.0]
    assert features["order_cycle_days"].tolist() == [7.0, 30.0, 7.0]


@pytest.mark.parametrize("change", [as_it_was, scrambled])
def test_what_comes_later_changes_nothing_of_a_decision_chain(change):
    as_of = date(2025, 1, 7)
    spoken = simulated()["interactions"]
    customer = spoken[spoken["occurred_at"] < pd.Timestamp(as_of)]["customer_id"].value_counts().index[0]
    then, later = (
        decision_chain(InMemory(world), customer, as_of) for world in (simulated(), change(simulated(), as_of))
    )
    for part in ("people", "matrix", "board", "service"):
        assert len(getattr(then, part))
        pd.testing.assert_frame_equal(getattr(then, part), getattr(later, part), check_exact=True)


def test_the_main_product_line_is_that_of_the_past_years_money_and_unknown_where_no_line_is_told():
    bought = lines("""
    customer_id order_id ordered_at amount product_line
    A           1        2023-06-01 900    saws
    A           2        2024-06-01 50     bolts
    A           3        2024-06-02 30     nuts
    A           4        2024-06-03 30     nuts
    A           5        2024-07-15 999    saws
    B           6        2024-06-01 50     -
    """)
    found = daily_facts(InMemory({"transactions": bought}), JULY_15).set_index("customer_id")["main_product_line"]
    assert found["A"] == "nuts"
    assert pd.isna(found["B"])
    assert full()["main_product_line"].isna().all()
