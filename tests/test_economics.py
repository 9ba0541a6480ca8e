"""Money against figures worked out by hand: what a customer is worth, whether a contact pays, what can be proven."""

import numpy as np
import pandas as pd
import pytest

from models.economics import (
    MARGIN,
    READS,
    REVENUE,
    CompanyNumbers,
    break_even_save_rate,
    expected_loss,
    measure_of,
    profit,
    replacement_cost,
    smallest_provable_save_rate,
    value_at_risk,
    warnings_needed,
)
from models.figures import InvalidPredictions

DAY = pd.Timestamp("2026-01-01")
COLUMNS = ["days_since_first_order", "order_days_365d", "revenue_30d", "revenue_90d", "revenue_180d", "revenue_365d"]


def book(*rows, segment=None, as_of=DAY, **more):
    """Snapshots of one date with these values of COLUMNS; all in one segment, or in none."""
    frame = pd.DataFrame(rows, columns=COLUMNS, dtype="float64").assign(as_of=as_of, **more)
    return frame.assign(segment=pd.Series([segment] * len(frame), dtype="str"))


#: Known for longer than a year, and first seen a month ago, when trade was at its busiest.
OLD = (400, 8, 50, 90, 150, 200)
NEW = (30, 2, 50, 50, 50, 50)


def test_hr_07_a_customer_of_a_year_or_longer_is_worth_its_past_twelve_months():
    frame = book((900, 12, 0, 2e6, 4e6, 8e6), (365, 3, 1, 2, 3, 4))[list(READS)]
    assert value_at_risk(frame).tolist() == pytest.approx([8e6, 4.0], rel=1e-12)


def test_a_customer_first_seen_in_the_busiest_month_is_not_taken_for_twelve_of_them():
    # Of the 250 of the year 100 fell into the last 30 days: .4 of a year's trade. After first orders 8 + 1 order days
    # came in 1.4 years' trade: a pace of 9 / 1.4. It showed 1 + .4 pace orders of 1 + pace.
    pace = 9 / 1.4
    value = value_at_risk(book(OLD, NEW))
    assert value.tolist() == pytest.approx([200, 50 * (1 + pace) / (1 + 0.4 * pace)])
    assert value[1] == pytest.approx(104)
    assert value[1] < 50 * 365 / 30


def test_between_the_known_days_the_season_runs_in_a_straight_line():
    # 60 days: half way between .3 of the trade within 30 days and .5 within 90. One among a thousand moves nothing.
    many = [book((400, 11, 30, 50, 70, 100))] * 1000
    value = value_at_risk(pd.concat([*many, book((60, 1, 0, 7, 7, 7))], ignore_index=True))
    pace = 11
    assert value.iloc[-1] == pytest.approx(7 * (1 + pace) / (1 + 0.4 * pace), rel=2e-3)


def test_without_a_year_of_the_company_the_season_is_even():
    # 73 days are a fifth of a year; 2 orders after the first in it are 10 a year: 11 orders, of which 3 were shown
    assert value_at_risk(book((73, 3, 10, 30, 30, 30))).tolist() == pytest.approx([30 * 11 / 3])


def test_a_day_before_its_year_is_over_a_customer_is_worth_about_the_same_as_on_the_day():
    frame = book(OLD, OLD, (364, 8, 20, 50, 100, 200), (365, 8, 20, 50, 100, 200))
    before, on = value_at_risk(frame).iloc[2:]
    assert on == 200
    assert before == pytest.approx(on, rel=0.01)


def test_a_segment_has_its_own_season_and_few_customers_hardly_move_it():
    def worth(winter_customers):
        summer = [book((400, 12, 0, 0, 50, 100), segment="summer")] * 300
        winter = [book((400, 12, 80, 90, 95, 100), segment="winter")] * winter_customers
        young = [book((30, 1, 10, 10, 10, 10), segment="winter")]
        return value_at_risk(pd.concat([*summer, *winter, *young], ignore_index=True)).iloc[-1]

    assert worth(300) < worth(3) / 2


def test_each_date_has_its_own_season():
    january, june = book(OLD, NEW), book((400, 8, 10, 40, 100, 200), NEW, as_of=pd.Timestamp("2026-06-01"))
    together = value_at_risk(pd.concat([january, june], ignore_index=True))
    assert together.tolist() == pytest.approx([*value_at_risk(january), *value_at_risk(june)])


def test_a_value_is_never_negative_and_nothing_without_an_order():
    frame = book((500, 1, -5, -5, -5, -5), (np.nan, np.nan, 0, 0, 0, 0), (10, 1, -3, -3, -3, -3), OLD)
    assert value_at_risk(frame).tolist()[:3] == [0, 0, 0]


def test_margin_is_used_where_most_of_the_revenue_has_one():
    frame = book(OLD, OLD, OLD, (500, 1, 0, 0, 0, 100), margin_share_365d=[0.2, 0.4, np.nan, np.nan])
    assert measure_of(frame) == MARGIN
    # 200 at .2 and at .4; the others at the .3 that those two have together
    assert value_at_risk(frame).tolist() == pytest.approx([40, 80, 60, 30])
    rare = book(OLD, OLD, OLD, margin_share_365d=[0.2, np.nan, np.nan])
    assert measure_of(rare) == REVENUE == measure_of(book(OLD))
    assert value_at_risk(rare).tolist() == [200, 200, 200]


def test_a_margin_lies_between_nothing_and_the_revenue():
    frame = book(OLD, OLD, margin_share_365d=[-0.5, 40.0])
    assert value_at_risk(frame).tolist() == [0, 200]


def test_an_expected_loss_is_the_probability_times_the_value():
    assert expected_loss(pd.Series([0.25, 0.0]), pd.Series([200.0, 90.0])).tolist() == [50, 0]


# Whether a contact pays

KNOWN = CompanyNumbers(contact_cost=10, offer_cost=20, save_rate=0.3, margin_share=0.5)


def test_a_contact_costs_and_the_offer_goes_to_the_kept_and_to_those_who_would_have_stayed():
    # lost with .4 of 1,000, half of it margin: .3 of .4 are kept (.12 * (500 - 20)), .6 take the offer anyway
    assert profit(1, 0.4, 400, KNOWN, REVENUE) == pytest.approx(0.12 * 480 - 10 - 0.6 * 20)
    assert profit(1, 0.4, 400, KNOWN, MARGIN) == pytest.approx(0.12 * 980 - 10 - 0.6 * 20)


def test_at_the_break_even_rate_the_profit_is_nothing():
    rate = break_even_save_rate([1, 1], [0.4, 0.1], [400, 30], KNOWN, REVENUE)
    assert rate.tolist() == pytest.approx([22 / 192, 28 / 13])
    assert profit(1, 0.4, 400, KNOWN, REVENUE, save_rate=rate[0]) == pytest.approx(0)


def test_the_break_even_rate_needs_the_cost_of_a_contact_alone():
    cost = CompanyNumbers(contact_cost=10)
    assert break_even_save_rate(1, 0.5, 100, cost, REVENUE) == pytest.approx(0.1)
    assert break_even_save_rate(1, 0.5, 0, cost, REVENUE) == np.inf
    assert np.isnan(break_even_save_rate(1, 0.5, 100, CompanyNumbers(), REVENUE))


@pytest.mark.parametrize(
    ("numbers", "measure", "missing"),
    [
        (CompanyNumbers(), REVENUE, ("contact_cost", "save_rate", "margin_share")),
        (CompanyNumbers(contact_cost=1), MARGIN, ("save_rate",)),
        (CompanyNumbers(contact_cost=1, save_rate=0.1), REVENUE, ("margin_share",)),
    ],
)
def test_without_the_companys_own_numbers_there_is_no_profit_and_the_missing_ones_are_named(numbers, measure, missing):
    assert numbers.missing(measure) == missing
    assert np.isnan(profit([1, 1], [0.4, 0.2], [40, 20], numbers, measure)).all()


def test_hr_08_the_multiple_gives_both_ends_of_what_new_customers_cost():
    numbers = CompanyNumbers(contact_cost=80, offer_cost=20, replacement_multiple=(5, 10))
    assert replacement_cost(3, numbers) == (1500, 3000)
    assert replacement_cost(3, CompanyNumbers(contact_cost=80)) is None
    assert replacement_cost(3, CompanyNumbers(replacement_multiple=(5, 10))) is None


# What a group that is left alone can prove


def test_a_fall_from_20_to_16_percent_takes_about_1450_warnings_in_each_half():
    # halves: 1.96 sqrt(2 * .18 * .82) + .8416 sqrt(.2 * .8 + .16 * .84) = 1.5215; its square / .04^2 = 1,447
    assert warnings_needed(0.2, 0.16) / 2 == pytest.approx(1447, abs=0.5)
    assert 8000 <= warnings_needed(0.2, 0.16, holdout_share=0.1) <= 8600
    assert 3400 <= warnings_needed(0.2, 0.16, holdout_share=0.3) <= 3550


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize(("lost", "contacted"), [(0.2, 0.16), (0.7, 0.35), (0.5, 0.01)])
def test_what_can_be_proven_is_the_inverse_of_what_is_needed(share, lost, contacted):
    needed = warnings_needed(lost, contacted, holdout_share=share)
    found = smallest_provable_save_rate(needed, lost, holdout_share=share)
    assert found == pytest.approx((lost - contacted) / lost)


def test_that_six_left_alone_are_nearly_all_lost_proves_little():
    # 6 of 6 lost and 38 of 55: chance gives such a difference once in six times (Fisher's exact test, two-sided)
    assert smallest_provable_save_rate(61, 0.97, holdout_share=0.1) > 0.4


def test_few_warnings_prove_nothing_at_all():
    # of 10 left alone 2 are lost, more or less 1.3: not even none of the other 10 would differ enough
    assert np.isnan(smallest_provable_save_rate(20, 0.2))
    assert np.isnan(smallest_provable_save_rate(0, 0.2))
    assert np.isnan(smallest_provable_save_rate(1000, 0.0))
    assert smallest_provable_save_rate(2000, 0.2) < smallest_provable_save_rate(200, 0.2) < 1


@pytest.mark.parametrize(("lost", "contacted", "share"), [(0.2, 0.2, 0.5), (1.2, 0.1, 0.5), (0.2, 0.1, 0.0)])
def test_shares_that_are_none_are_refused(lost, contacted, share):
    with pytest.raises(InvalidPredictions, match="found"):
        warnings_needed(lost, contacted, holdout_share=share)
