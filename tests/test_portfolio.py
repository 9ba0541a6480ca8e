"""The portfolio simulator against a company of four customers whose warnings can be counted on fingers."""

import numpy as np
import pandas as pd
import pytest

from features.errors import TooLittleData
from models.earliness import MONTH_DAYS, RANDOM
from models.economics import REVENUE, CompanyNumbers
from models.figures import InvalidPredictions
from models.plots import portfolio_plot
from models.portfolio import Portfolio, capacity_table, threshold_table

DATES = ["2026-01-01", "2026-02-01", "2026-03-01"]
#: The first date is the run-in. Scores, whether lost from the date on, and the value on it.
FOUR = {
    "A": ([0.9, 0.9, 0.9], [1, 1, 1], [100, 90, 80]),  # stands since the run-in
    "B": ([0.1, 0.8, 0.8], [0, 1, 1], [50, 40, 30]),  # one warning, in time
    "C": ([0.1, 0.6, 0.1], [0, 0, 0], [70, 70, 70]),  # a false alarm
    "D": ([0.1, 0.2, 0.3], [0, 0, 1], [20, 20, 10]),  # missed
}
NUMBERS = CompanyNumbers(contact_cost=5, offer_cost=2, save_rate=0.5, margin_share=0.5)


def rows(customers, dates=DATES, contestant="champion"):
    parts = [
        pd.DataFrame({"as_of": pd.to_datetime(dates), "probability": scores, "outcome": lost, "value": values}).assign(
            customer_id=who, contestant=contestant
        )
        for who, (scores, lost, values) in customers.items()
    ]
    return pd.concat(parts, ignore_index=True).astype({"outcome": "float64", "value": "float64"})


def at(threshold, predictions, numbers=NUMBERS, repeats=50):
    table = threshold_table(
        Portfolio.read(predictions),
        ["champion"],
        [threshold],
        numbers,
        REVENUE,
        repeats=repeats,
        rng=np.random.default_rng(0),
    )
    return table.iloc[0]


def at_capacity(a_month, predictions, contestants=("champion",)):
    table = capacity_table(
        Portfolio.read(predictions),
        contestants,
        [a_month],
        NUMBERS,
        REVENUE,
        repeats=20,
        rng=np.random.default_rng(0),
    )
    return table.set_index("contestant")


def test_every_contact_every_loss_and_its_value_is_counted():
    found = at(0.5, rows(FOUR))
    counts = ["warnings", "right", "false_alarms", "lost", "caught", "under_older", "missed"]
    assert found[counts].tolist() == [2, 1, 1, 3, 1, 1, 1]
    # values on the first date after the run-in on which each was lost: A 90, B 40, D 10
    assert found[["lost_value", "caught_value", "under_older_value"]].tolist() == [140, 40, 90]
    assert found["caught_value_share"] == pytest.approx(40 / 140)
    assert found["precision"] == 0.5
    # Wilson, 1 of 2
    assert found[["precision_low", "precision_high"]].tolist() == pytest.approx([0.0945, 0.9055], abs=1e-4)
    assert found["warnings_a_month"] == pytest.approx(2 / (2 * 29.5 / MONTH_DAYS))


def test_costs_profit_and_break_even_are_those_of_the_companys_numbers():
    found = at(0.5, rows(FOUR))
    # 2 contacts at 5, and C takes the offer of 2 for nothing; B's 40 are half margin, less the offer: 18
    assert found["cost"] == 12
    assert found["break_even_save_rate"] == pytest.approx(12 / 18)
    assert found["profit"] == pytest.approx(0.5 * 18 - 12)


def test_without_the_cost_of_a_contact_there_is_neither_cost_nor_profit():
    found = at(0.5, rows(FOUR), CompanyNumbers(save_rate=0.5, margin_share=0.5))
    assert found[["cost", "break_even_save_rate", "profit"]].isna().all()
    assert found["caught"] == 1


def test_the_lower_the_threshold_the_fewer_losses_are_missed_and_the_more_stand_under_an_older_warning():
    everything = at(0.0, rows(FOUR))
    assert everything[["warnings", "caught", "under_older", "missed"]].tolist() == [0, 0, 3, 0]
    nothing = at(0.95, rows(FOUR))
    assert nothing[["warnings", "caught", "under_older", "missed"]].tolist() == [0, 0, 0, 3]
    assert nothing[["precision", "break_even_save_rate"]].isna().all()
    assert nothing["profit"] == 0


def test_hr_05_a_customer_saved_twice_is_worth_saving_once():
    dates = [f"2026-0{month}-01" for month in range(1, 7)]
    twice = {"E": ([0.1, 0.9, 0.1, 0.1, 0.9, 0.9], [0, 1, 1, 0, 1, 1], [100, 80, 60, 40, 30, 20])}
    quiet = {"F": ([0.1] * 6, [0] * 6, [10] * 6)}
    found = at(0.5, rows(twice | quiet, dates))
    assert found[["warnings", "right", "lost", "caught"]].tolist() == [2, 2, 1, 1]
    assert found["lost_value"] == found["caught_value"] == 80


def test_a_capacity_is_the_highest_threshold_with_so_many_new_warnings_a_month():
    # two months less a day or two: two new warnings are B's and C's, as at a threshold of .6
    found = at_capacity(1, rows(FOUR)).loc["champion"]
    expected = at(0.6, rows(FOUR))
    shared = ["warnings", "right", "caught", "under_older", "missed", "caught_value", "cost", "profit"]
    assert found[shared].tolist() == expected[shared].tolist()


def test_more_than_can_be_warned_about_is_as_many_as_can():
    assert at_capacity(100, rows(FOUR)).loc["champion", "warnings"] == 3
    assert Portfolio.read(rows(FOUR)).most_a_month("champion") == pytest.approx(3 / (2 * 29.5 / MONTH_DAYS))


def test_at_one_capacity_all_have_as_many_contacts_and_ties_are_broken_by_chance():
    tied = {f"T{i}": ([0.1, 0.5, 0.1], [0, i % 2, i % 2], [10, 10, 10]) for i in range(8)}
    table = at_capacity(1, rows(tied), ("champion", RANDOM))
    assert table["warnings"].tolist() == [2, 2]
    assert table["lost"].tolist() == [4, 4]
    assert (table["caught"] > 0).all()
    assert (table["caught"] < 2).all(), "half of those drawn would stay"


def test_intervals_come_from_resamples_of_customers():
    same = {f"S{i}": ([0.1, 0.9, 0.9], [0, 1, 1], [7, 7, 7]) for i in range(5)}
    found = at(0.5, rows(same))
    assert found[["caught_share_low", "caught_share", "caught_share_high"]].tolist() == [1, 1, 1]
    assert found["caught_value_low"] == found["caught_value_high"] == 35
    differing = at(0.5, rows(FOUR), repeats=200)
    assert differing["caught_share_low"] == 0 < differing["caught_share"] < differing["caught_share_high"]


def test_a_single_date_is_only_a_run_in():
    one = rows({"A": ([0.9], [1], [5]), "B": ([0.1], [0], [5])}, DATES[:1])
    with pytest.raises(TooLittleData, match=r"outcomes of 1 date\(s\) are known; at least 2"):
        Portfolio.read(one)


@pytest.mark.parametrize("broken", ["value", "outcome"])
def test_rows_that_cannot_be_counted_are_refused(broken):
    with pytest.raises(InvalidPredictions):
        Portfolio.read(rows(FOUR).drop(columns=broken))
    with pytest.raises(InvalidPredictions):
        Portfolio.read(rows(FOUR).assign(**{broken: np.nan}))


def test_the_curve_has_a_line_for_every_contestant():
    table = at_capacity(1, rows(FOUR), ("champion", RANDOM)).reset_index()
    axes = portfolio_plot(table).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["champion", "random"]
