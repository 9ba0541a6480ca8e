"""Statistics by a column of the customers' file: sums that meet the grand total to the last digit."""

from datetime import date
from decimal import Decimal

import pytest
from orders import ingested, lines

from features.errors import SettingsError
from features.statistics import DIMENSIONS, NONE, Totals, statistics, table

JULY_1 = date(2024, 7, 1)
ORDERS = """
customer_id order_id ordered_at amount margin
A           1        2024-01-05 100.01 30
A           1        2024-01-05 -20.01 -6
A           2        2024-03-05 50     10.5
B           3        2024-02-05 10.10  -
B           4        2024-07-01 999    999
C           5        2024-02-05 0.1    0.03
D           6        2024-02-05 0.2    0.07
E           7        2024-02-05 -5     -1
"""
CUSTOMERS = """
customer_id province city  type  industry  rank source sector
A           Kanto    Tokyo maker machinery A    fair   x
B           Kanto    Chiba maker food      B    fair   y
C           Kansai   Osaka maker machinery C    web    x
D           -        -     -     -         -    -      -
E           Kansai   Osaka user  food      -    web    y
F           Hokkaido Otaru user  food      A    web    y
"""
CHANGES = "customer_id changed_at field old new\nB 2024-06-30 rank B A\nC 2024-07-01 rank C A"
SALES, PROFIT = Decimal("135.40"), Decimal("33.60")


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    folder = tmp_path_factory.mktemp("statistics") / "made"
    return ingested(lines(ORDERS), folder, 3, customers=lines(CUSTOMERS), account_changes=lines(CHANGES))


@pytest.mark.parametrize("by", DIMENSIONS)
def test_dm_16_totals_over_all_values_of_a_dimension_are_the_grand_total_of_all_three_measures(events, by):
    found = statistics(events, JULY_1, by)
    assert found.total == Totals(customers=5, orders=5, sales=SALES, gross_profit=PROFIT)
    summed = [
        sum((getattr(row, measure) for row in found.rows.values()), Decimal(0))
        for measure in ("customers", "orders", "sales", "gross_profit")
    ]
    assert summed == [5, 5, SALES, PROFIT]
    assert list(found.rows)[-1] == NONE, "accounts without a value have a line of their own, the last one"
    assert found.note == ""


def test_dm_16_each_value_has_its_own_sums_and_those_without_one_are_told_apart(events):
    found = statistics(events, JULY_1, "industry").rows
    assert found == {
        "machinery": Totals(2, 3, Decimal("130.10"), Decimal("34.53")),
        "food": Totals(2, 1, Decimal("5.10"), Decimal(-1)),
        NONE: Totals(1, 1, Decimal("0.2"), Decimal("0.07")),
    }
    assert list(found) == ["machinery", "food", NONE]


def test_the_level_is_that_of_the_date(events):
    assert statistics(events, JULY_1, "level").rows["A"].customers == 2, "B rose the day before, C rises today"
    assert statistics(events, date(2024, 6, 30), "level").rows["A"].customers == 1


def test_what_is_ordered_on_the_date_is_not_known_yet(events):
    assert statistics(events, date(2024, 7, 2), "city").rows["Chiba"].sales == Decimal("1009.10")
    assert statistics(events, date(2024, 1, 5), "city").rows == {}


def test_any_further_column_of_the_file_is_a_dimension_too(events):
    assert statistics(events, JULY_1, "sector").rows["x"].orders == 3


def test_an_unknown_column_is_told_with_those_that_there_are(events):
    with pytest.raises(SettingsError, match=r"--by colour: .* no such column. Give one of province, .* or of .*sector"):
        statistics(events, JULY_1, "colour")


def test_without_a_file_of_customers_and_without_margins_there_is_one_line_and_no_made_up_profit(tmp_path):
    alone = ingested(lines(ORDERS).drop(columns="margin"), tmp_path / "made")
    found = statistics(alone, JULY_1, "city")
    assert found.rows == {NONE: Totals(5, 5, SALES, None)}
    assert found.total.gross_profit is None
    assert found.note == "source absent: customers.city, transactions.margin"


def test_the_table_holds_a_line_per_value(events):
    found = table(statistics(events, JULY_1, "type"))
    assert list(found.columns) == ["type", "customers", "orders", "sales", "gross_profit"]
    assert found["type"].tolist() == ["maker", "user", NONE]
