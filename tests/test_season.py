"""The time of the year: last year's season of the segment, and the open season of a customer."""

from datetime import date, timedelta

import pandas as pd
import pytest
from histories import MAY_4, ordered, table
from orders import features_of, lines, snapshots_of

from features.snapshots import Cohort

OPEN = [
    "open_season_share",
    "open_season_days_since_last_order",
    "open_season_days_since_last_order_vs_gap",
]


def every_march(years: range) -> str:
    rows = [f"A {year} {year}-03-10 100" for year in years]
    return "\n".join(["customer_id order_id ordered_at amount", *rows])


def test_a_yearly_buyer_at_month_eleven_does_not_look_overdue():
    row = features_of(every_march(range(2021, 2025)), date(2025, 2, 20))
    assert row["days_since_last_order"] == 347.0
    # of March 2024 the days from the 10th on: 22 of them; a year has 31 open days
    assert row[OPEN].tolist() == pytest.approx([31 / 365.25, 22.0, 22 / ((1096 / 3) * 31 / 365.25)])
    assert row["open_season_days_since_last_order_vs_gap"] < 1
    assert row["order_days_90d_vs_season_usual"] >= 0.5 or pd.isna(row["order_days_90d_vs_season_usual"])


@pytest.mark.parametrize(
    ("as_of", "open_days"), [(date(2025, 3, 1), 22), (date(2025, 3, 2), 23), (date(2025, 5, 1), 53)]
)
def test_the_silence_of_a_yearly_buyer_grows_in_its_month_only(as_of, open_days):
    row = features_of(every_march(range(2021, 2025)), as_of)
    assert row["open_season_days_since_last_order"] == open_days
    assert (row["open_season_days_since_last_order_vs_gap"] > 1.5) == (as_of.month == 5)


def test_a_seasonal_buyer_s_off_season_is_no_silence_though_its_usual_gap_is_a_week():
    days = [date(year, 10, 1) + timedelta(days=7 * week) for year in (2022, 2023) for week in range(13)]
    text = "\n".join(["customer_id order_id ordered_at amount", *(f"A {day} {day} 100" for day in days)])
    row = features_of(text, date(2024, 8, 1))
    assert row["days_since_last_order_vs_median_gap"] > 30
    assert row["open_season_share"] == pytest.approx(92 / 365.25)
    assert row["open_season_days_since_last_order"] == 8.0
    assert row["open_season_days_since_last_order_vs_gap"] < 2


@pytest.mark.parametrize(("first", "known"), [(549, False), (550, True), (551, True)])
def test_all_days_count_until_nearly_a_year_of_orders_is_known(first, known):
    # the silence began on 27 September 2023; the first order lies in November 2022, eleven months before
    row = features_of(table(ordered([first, 220])), MAY_4)
    assert (row["open_season_share"] < 1) == known
    assert (row["open_season_days_since_last_order"] < 220) == known


def test_a_customer_with_returns_only_has_no_season():
    frame = snapshots_of(lines("customer_id order_id ordered_at amount\nA C1 2024-04-01 -5\nB 1 2024-04-01 5"), [MAY_4])
    assert frame.set_index("customer_id").loc["A", [*OPEN, "order_days_expected_next_90d"]].isna().all()


#: Three customers of two and a half years: 8 order days each in the 365 days before the last 90, of which 4 fell in
#: the quarter that ended a year ago and 1 in the quarter that began then.
SEASON = [900, 370, 380, 390, 400, 350, 200, 190, 180]


def test_the_season_of_a_segment_is_its_order_days_of_last_year_against_an_even_spread():
    text = table(*(ordered([*SEASON, 50], customer=name) for name in "ABC"))
    row = features_of(text, MAY_4, cohort=Cohort(projects_apart=False, seasons_apart=False))
    assert row["order_days_same_90d_last_year"] == 4.0
    assert row["segment_season_past_90d_vs_even"] == pytest.approx(4 / (8 * 90 / 365))
    # of the 5 order days of the past 365 days one fell in the 90 days that followed this date, and in the 30
    assert row["segment_season_next_90d_vs_even"] == pytest.approx(1 / (5 * 90 / 365))
    assert row["segment_season_next_30d_vs_even"] == pytest.approx(1 / (5 * 30 / 365))
    assert row["order_days_expected_next_90d"] == pytest.approx(5 * 90 / 365 * 1 / (5 * 90 / 365))


def test_order_days_are_held_against_the_usual_at_this_time_of_the_year():
    text = table(*(ordered([*SEASON, 50], customer=name) for name in "ABC"))
    row = features_of(text, MAY_4, cohort=Cohort(projects_apart=False, seasons_apart=False))
    # usual 8 * 90 / 365 a quarter, but 4 in this one: 1 + 1 against 4 + 1
    assert row["order_days_90d_vs_usual"] == pytest.approx(2 / (8 * 90 / 365 + 1))
    assert row["order_days_90d_vs_season_usual"] == pytest.approx(2 / 5)
    assert row["revenue_90d_vs_season_usual"] == pytest.approx(200 / 500)


def test_a_segment_without_a_year_before_has_no_season():
    row = features_of(table(ordered([5, 40, 364])), MAY_4)
    unknown = ["segment_season_next_90d_vs_even", "segment_season_past_90d_vs_even", "order_days_expected_next_90d"]
    assert row[[*unknown, "order_days_90d_vs_season_usual"]].isna().all()


@pytest.mark.parametrize(("first", "days"), [(335, None), (336, 1.0), (337, 1.0)])
def test_the_month_that_followed_a_year_ago_is_known_once_it_had_begun(first, days):
    found = features_of(table(ordered([first, 5])), MAY_4)["order_days_next_30d_last_year"]
    assert pd.isna(found) if days is None else found == days
