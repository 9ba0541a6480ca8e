"""What was known at a midnight: order days before, at and after; late, moved, grown and cancelled orders."""

from datetime import date, timedelta

import pandas as pd
import pytest
from orders import laid_out, lines, nasty_lines, visible_at, world_lines

from features import cutoffs

MAY_4 = date(2024, 5, 4)


def known(text: str, as_of: date, relation: str = "order_days", lookback_days: int | None = None) -> pd.DataFrame:
    """The rows of a relation that a cutoff sees, newest first."""
    with laid_out(lines(text)) as con:
        cutoffs.set_cutoffs(con, [as_of])
        return con.execute(f"{cutoffs.past(relation, lookback_days)} ORDER BY days_ago, customer_id").df()


def order_days(text: str, as_of: date) -> dict[str, float]:
    """Net value of each order day that a cutoff sees; a day without an order is left out."""
    found = known(text, as_of)
    found = found[found["is_order"]]
    return {str(day.date()): float(amount) for day, amount in zip(found["day"], found["amount"], strict=True)}


@pytest.mark.parametrize(
    ("ordered_at", "seen"),
    [("2024-05-03T23:59:59.999999", True), ("2024-05-04T00:00", False), ("2024-05-04T00:00:00.000001", False)],
    ids=["before", "at", "after"],
)
def test_an_order_at_the_midnight_of_the_cutoff_is_not_yet_known(ordered_at, seen):
    text = f"customer_id order_id ordered_at amount\nA 1 {ordered_at} 10"
    assert bool(order_days(text, MAY_4)) is seen


@pytest.mark.parametrize(
    ("recorded_at", "seen"),
    [("2024-05-03T23:59:59.999999", True), ("2024-05-04T00:00", False), ("2024-05-04T00:00:00.000001", False)],
    ids=["before", "at", "after"],
)
def test_an_order_is_seen_only_once_it_is_known(recorded_at, seen):
    text = f"customer_id order_id ordered_at recorded_at amount\nA 1 2024-04-01 {recorded_at} 10"
    assert order_days(text, MAY_4) == ({"2024-04-01": 10.0} if seen else {})


@pytest.mark.parametrize(("as_of", "seen"), [(date(2024, 5, 9), False), (date(2024, 5, 10), False)])
def test_a_late_order_is_unknown_until_the_day_after_its_booking(as_of, seen):
    text = "customer_id order_id ordered_at recorded_at amount\nA 1 2024-05-03T10:00 2024-05-10T09:00 10"
    assert bool(order_days(text, as_of)) is seen
    assert order_days(text, date(2024, 5, 11)) == {"2024-05-03": 10.0}


def test_an_order_booked_ahead_of_its_day_is_not_seen_before_it_happened():
    text = "customer_id order_id ordered_at recorded_at amount\nA 1 2024-05-03 2024-04-01 10"
    assert order_days(text, date(2024, 5, 3)) == {}
    assert order_days(text, date(2024, 5, 4)) == {"2024-05-03": 10.0}


def test_days_ago_is_one_on_the_first_midnight_after_the_order():
    text = "customer_id order_id ordered_at amount\nA 1 2024-05-03T23:00 10\nA 2 2024-05-02T01:00 10"
    assert known(text, MAY_4)["days_ago"].tolist() == [1, 2]


def test_a_line_known_later_counts_to_its_earlier_order_from_that_day_on_and_not_before():
    text = """
    customer_id order_id ordered_at recorded_at amount
    A           1        2024-05-01 2024-05-01  100
    A           1        2024-05-01 2024-05-07  11
    """
    values = {day: order_days(text, date(2024, 5, day)).get("2024-05-01") for day in (1, 2, 7, 8, 30)}
    assert values == {1: None, 2: 100.0, 7: 100.0, 8: 111.0, 30: 111.0}


def test_an_order_cancelled_under_its_own_number_was_an_order_day_until_then():
    text = """
    customer_id order_id ordered_at recorded_at amount
    A           1        2024-05-01 2024-05-01  100
    A           1        2024-05-06 2024-05-07  -100
    """
    assert order_days(text, date(2024, 5, 7)) == {"2024-05-01": 100.0}
    assert order_days(text, date(2024, 5, 8)) == {}
    after = known(text, date(2024, 5, 8))
    assert after[["amount", "returned", "orders"]].astype(float).to_numpy().tolist() == [[0.0, 100.0, 0.0]]


def test_an_order_credited_in_part_stays_an_order_day_of_lower_value():
    text = """
    customer_id order_id ordered_at amount
    A           1        2024-05-01 100
    A           1        2024-05-03 -99.99
    """
    assert order_days(text, MAY_4) == {"2024-05-01": 0.01}


def test_an_order_revived_by_a_later_line_is_an_order_day_again():
    text = """
    customer_id order_id ordered_at recorded_at amount
    A           1        2024-05-01 2024-05-01  100
    A           1        2024-05-01 2024-05-05  -100
    A           1        2024-05-01 2024-05-09  40
    """
    assert [order_days(text, date(2024, 5, day)) for day in (5, 6, 9, 10)] == [
        {"2024-05-01": 100.0},
        {},
        {},
        {"2024-05-01": 40.0},
    ]


def test_a_credit_note_under_its_own_number_is_no_order_and_takes_none_away():
    text = """
    customer_id order_id ordered_at amount
    A           1        2024-05-01 100
    A           C9       2024-05-02 -100
    """
    assert order_days(text, MAY_4) == {"2024-05-01": 100.0}
    assert known(text, MAY_4)["returned"].astype(float).tolist() == [100.0, 0.0]


def test_a_day_with_an_order_and_a_larger_credit_note_is_an_order_day_of_negative_value():
    text = """
    customer_id order_id ordered_at amount
    A           1        2024-05-01 100
    A           C9       2024-05-01 -130
    """
    assert order_days(text, MAY_4) == {"2024-05-01": -30.0}


def test_two_orders_on_one_day_are_one_order_day():
    text = """
    customer_id order_id ordered_at       amount
    A           1        2024-05-01T09:00 100
    A           2        2024-05-01T17:00 20
    """
    found = known(text, MAY_4)
    assert found[["orders", "lines"]].to_numpy().tolist() == [[2, 2]]
    assert order_days(text, MAY_4) == {"2024-05-01": 120.0}


def test_the_second_order_of_a_day_counts_from_the_day_it_is_known():
    text = """
    customer_id order_id ordered_at recorded_at amount
    A           1        2024-05-01 2024-05-01  100
    A           2        2024-05-01 2024-05-05  20
    """
    assert order_days(text, date(2024, 5, 5)) == {"2024-05-01": 100.0}
    assert order_days(text, date(2024, 5, 6)) == {"2024-05-01": 120.0}


def test_an_order_moves_when_an_earlier_line_becomes_known():
    text = """
    customer_id order_id ordered_at recorded_at amount
    A           1        2024-05-03 2024-05-03  100
    A           1        2024-05-01 2024-05-07  20
    """
    assert order_days(text, date(2024, 5, 7)) == {"2024-05-03": 100.0}
    assert order_days(text, date(2024, 5, 8)) == {"2024-05-01": 120.0}
    assert [len(known(text, date(2024, 5, day))) for day in (7, 8)] == [1, 1], "nothing stays where it left"


def test_an_order_that_moves_leaves_the_other_orders_of_both_days_where_they_are():
    text = """
    customer_id order_id ordered_at recorded_at amount
    A           0        2024-05-01 2024-05-01  1
    A           1        2024-05-03 2024-05-03  100
    A           2        2024-05-03 2024-05-03  30
    A           1        2024-05-01 2024-05-07  20
    """
    assert order_days(text, date(2024, 5, 7)) == {"2024-05-03": 130.0, "2024-05-01": 1.0}
    assert order_days(text, date(2024, 5, 8)) == {"2024-05-03": 30.0, "2024-05-01": 121.0}


def test_one_order_number_of_two_customers_is_two_orders():
    text = """
    customer_id order_id ordered_at amount
    A           1        2024-05-01 100
    B           1        2024-05-02 -100
    """
    assert order_days(text, MAY_4) == {"2024-05-01": 100.0}


def test_urgency_is_a_matter_of_orders_and_not_of_credit_notes():
    text = """
    customer_id order_id ordered_at amount urgent
    A           1        2024-05-01 100    True
    A           1        2024-05-01 100    False
    A           2        2024-05-01 100    -
    A           C9       2024-05-01 -10    False
    """
    assert known(text, MAY_4)[["urgent_orders", "orders_with_urgency"]].to_numpy().tolist() == [[1, 1]]


def test_a_product_given_back_the_same_day_is_not_bought_from_the_day_this_is_known():
    text = """
    customer_id order_id ordered_at recorded_at amount product_id
    A           1        2024-05-01 2024-05-01  100    p
    A           1        2024-05-01 2024-05-07  -100   p
    """
    for as_of, amounts in ((date(2024, 5, 7), [100.0]), (date(2024, 5, 8), [0.0])):
        assert known(text, as_of, "product_days")["amount"].astype(float).tolist() == amounts


def test_lines_without_product_and_product_line_are_no_product():
    text = """
    customer_id order_id ordered_at amount product_id product_line
    A           1        2024-05-01 1      p          -
    A           1        2024-05-01 2      -          l
    A           1        2024-05-01 4      -          -
    """
    assert known(text, MAY_4, "product_days")["amount"].sum() == 3


@pytest.mark.parametrize("relation", ["order_days", "product_days"])
def test_a_lookback_ends_after_its_last_day(relation):
    text = """
    customer_id order_id ordered_at amount product_id
    A           1        2024-02-05 1      p
    A           2        2024-02-04 1      p
    A           3        2024-02-03 1      p
    """
    assert known(text, MAY_4, relation, lookback_days=90)["days_ago"].tolist() == [89, 90]


def test_a_cutoff_named_twice_counts_once():
    with laid_out(lines("customer_id order_id ordered_at amount\nA 1 2024-05-01 10")) as con:
        cutoffs.set_cutoffs(con, [MAY_4, date(2024, 6, 1), MAY_4])
        assert [row[0] for row in con.execute(cutoffs.past("order_days")).fetchall()] == [MAY_4, date(2024, 6, 1)]


@pytest.mark.parametrize("as_of", [date(2024, 5, 7), date(2024, 5, 8), date(2024, 5, 9)])
def test_observed_order_days_are_those_that_a_cutoff_at_that_midnight_would_see(as_of):
    text = """
    customer_id order_id ordered_at recorded_at amount
    A           1        2024-05-03 2024-05-03  100
    A           1        2024-05-01 2024-05-07  20
    A           2        2024-05-07 2024-05-07  20
    A           C3       2024-05-06 2024-05-06  -20
    """
    with laid_out(lines(text)) as con:
        days = {str(day) for _, day in con.execute(cutoffs.observed(as_of)).fetchall()}
    assert days == set(order_days(text, as_of))


@pytest.mark.parametrize("table", [world_lines, nasty_lines])
@pytest.mark.parametrize(
    ("relation", "fact"),
    [("order_days", "customer_id, day"), ("product_days", "customer_id, product_id, product_line, day")],
)
def test_at_most_one_version_of_a_fact_is_valid_at_a_time(table, relation, fact):
    query = f"""
        SELECT count(*), count(*) FILTER (visible_from < visible_until), count(*) FILTER (visible_until <= following)
        FROM (SELECT *, coalesce(lead(visible_from) OVER (PARTITION BY {fact} ORDER BY visible_from),
                                 DATE '9999-12-31') AS following FROM {relation})
    """
    with laid_out(table()) as con:
        versions, not_empty, apart = con.execute(query).fetchone()
    assert versions == not_empty == apart > 0


@pytest.mark.parametrize("table", [world_lines, nasty_lines])
def test_money_is_neither_lost_nor_made_by_valuing_it_day_by_day(table):
    as_ofs = [date(2025, 7, 1) - timedelta(days=40 * step) for step in range(12)]
    query = f"SELECT as_of, sum(amount) FROM ({cutoffs.past('order_days')}) GROUP BY as_of"
    with laid_out(table()) as con:
        cutoffs.set_cutoffs(con, as_ofs)
        booked = dict(con.execute(query).fetchall())
    cents = (table()["amount"] * 100).round().astype("int64")
    assert {day: round(value * 100) for day, value in booked.items()} == {
        as_of: cents[visible_at(table()) < pd.Timestamp(as_of)].sum() for as_of in as_ofs
    }
