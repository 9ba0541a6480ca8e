"""Problems, offers, ratings and surveys: what each says at a cutoff, counted by hand."""

import math
from datetime import date

import pytest
from orders import features_of

JULY_1 = date(2024, 7, 1)
#: A customer of two and a half years.
ORDERS = "customer_id order_id ordered_at amount\nA 1 2022-01-01 100\nA 2 2024-06-20 100"
HEADER = "customer_id ticket_id kind opened_at resolved_at accepted answered_at rating rated_at\n"
#: Problems that took 2, 3, 5 and 8 days.
SLOWER = """
A 1 complaint 2024-01-01 2024-01-03 - - - -
A 2 repair    2024-03-01 2024-03-04 - - - -
A 3 complaint 2024-05-01 2024-05-06 - - - -
A 4 repair    2024-06-01 2024-06-09 - - - -
"""


def served(rows, as_of=JULY_1, **options):
    return features_of(ORDERS, as_of, options=options, services=HEADER + rows.strip())


def test_fe_21_problems_of_2_3_5_8_days_show_a_rising_trend():
    row = served(SLOWER)
    # opened 182, 122, 61, 30 days ago: sums of squares and products about the means are 13,622.75 and 502.5
    assert row["resolution_trend_days_365d"] == pytest.approx(502.5 * 90 / (13_622.75 + 8100))
    assert row["resolution_days_mean_90d"] == 6.5
    assert row["open_problems"] == 0


@pytest.mark.parametrize(
    ("opened", "mean"),
    [("2024-06-21", (5 + 8 + 10) / 3), ("2024-06-28", (5 + 8) / 2)],
    ids=["10 days, longer than the usual 4", "3 days"],
)
def test_fe_21_an_open_problem_counts_with_its_age_once_that_is_longer_than_usual(opened, mean):
    row = served(f"{SLOWER}A 5 complaint {opened} - - - - -")
    assert row["resolution_days_mean_90d"] == pytest.approx(mean)
    assert row["open_problems"] == 1


def test_fe_21_an_open_problem_that_drags_on_steepens_the_trend_and_the_first_one_ever_has_its_age():
    rising, dragging = served(SLOWER), served(f"{SLOWER}A 5 complaint 2024-06-11 - - - - -")
    assert dragging["resolution_trend_days_365d"] > rising["resolution_trend_days_365d"] > 0
    assert served("A 5 repair 2024-06-21 - - - - -")["resolution_days_mean_90d"] == 10


def test_fe_21_a_problem_resolved_after_the_cutoff_is_open_at_it():
    row = served(SLOWER, date(2024, 6, 5))
    assert row["open_problems"] == 1
    assert row["resolution_days_mean_90d"] == (5 + 4) / 2, "open for 4 days, usually 3"


def test_three_problems_of_one_week_are_hardly_a_trend_and_two_are_none():
    week = "A 1 repair 2024-06-01 2024-06-02 - - - -\nA 2 repair 2024-06-03 2024-06-07 - - - -"
    assert math.isnan(served(week)["resolution_trend_days_365d"])
    slope = served(f"{week}\nA 3 repair 2024-06-05 2024-06-12 - - - -")["resolution_trend_days_365d"]
    assert slope == pytest.approx(12 * 90 / (8 + 8100)), "1, 4 and 7 days, two days apart"


def test_the_worst_recent_problem_is_set_against_the_customer_s_own_earlier_ones():
    row = served(SLOWER)
    assert row["worst_problem_days_42d"] == 8
    assert row["problem_days_median"] == 3, "of 2, 3 and 5 days; the one of 8 ended 22 days ago"
    assert row["worst_problem_days_42d_vs_usual"] == 9 / 4
    waiting = served(f"{SLOWER}A 5 complaint 2024-06-11 - - - - -")
    assert waiting["worst_problem_days_42d"] == 20
    assert math.isnan(served(SLOWER, date(2024, 10, 1))["worst_problem_days_42d"])


def test_complaints_and_repairs_are_counted_apart_and_against_the_customer_s_own_usual():
    old = "".join(f"A c{month} complaint 2023-{month:02d}-15 2023-{month:02d}-16 - - - -\n" for month in range(7, 11))
    new = "".join(f"A n{day} complaint 2024-06-{day:02d} 2024-06-{day:02d} - - - -\n" for day in range(10, 15))
    begun = "B b survey 2022-01-01 - - - - -\n"
    row = served(f"{begun}{old}{new}A r repair 2024-06-01 2024-06-02 - - - -")
    assert row[["complaints_90d", "complaints_365d", "repairs_90d"]].tolist() == [5, 9, 1]
    assert row["complaints_90d_usual"] == pytest.approx(4 * 90 / 365)
    assert row["complaints_90d_vs_usual"] == pytest.approx(6 / (4 * 90 / 365 + 1))
    # earlier quarters 0, 1, 3, 0: median 0.5, median absolute deviation 0.5
    assert row["complaints_90d_z"] == pytest.approx(4.5 / math.sqrt((4 * (1.4826 * 0.5) ** 2 + 4) / 8))
    assert row["problems_365d_vs_order_days"] == 10


def test_a_customer_without_tickets_has_none_where_others_have_some_and_unknown_where_nobody_has():
    others = "B 1 complaint 2024-01-01 2024-01-03 - - - -"
    counts = ["complaints_90d", "open_problems", "maintenance_refusals_180d", "training_refusals_180d"]
    assert served(others)[counts].tolist() == [0, 0, 0, 0]
    assert served(others, date(2024, 1, 1))[counts].isna().all(), "nothing had been written down yet"
    assert math.isnan(served(others)["resolution_days_mean_90d"])
    assert "complaints_90d" not in features_of(ORDERS, JULY_1)


OFFERS = """
A 1 maintenance 2023-09-01 - true  2023-09-03 - -
A 2 maintenance 2023-12-01 - false 2023-12-05 - -
A 3 maintenance 2024-03-01 - -     -          - -
A 4 maintenance 2024-05-01 - false 2024-05-02 - -
"""


def test_fe_22_one_of_four_offers_of_maintenance_accepted_is_a_quarter_and_no_invitation_to_training_is_unknown():
    row = served(OFFERS)
    assert row["maintenance_uptake_share_365d"] == 0.25
    assert math.isnan(row["training_uptake_share_365d"])


@pytest.mark.parametrize(
    ("offer", "share"),
    [
        ("2024-06-20 - -    -         ", 1 / 4),
        ("2024-05-31 - -    -         ", 1 / 5),
        ("2024-06-20 - true 2024-06-22", 2 / 5),
        ("2024-06-20 - true 2024-07-01", 1 / 4),
    ],
    ids=["may still be answered", "31 days old", "accepted", "accepted on the day of the cutoff, which is later"],
)
def test_fe_22_an_offer_counts_once_it_is_answered_or_too_old_to_be(offer, share):
    assert served(f"{OFFERS}A 5 maintenance {offer} - -")["maintenance_uptake_share_365d"] == pytest.approx(share)


def test_fe_22_uptake_is_compared_with_the_customer_s_own_year_before():
    before = "A 7 training 2023-02-01 - true 2023-02-02 - -\nA 8 training 2023-03-01 - true 2023-03-02 - -"
    row = served(f"{before}\nA 9 training 2024-02-01 - false 2024-02-02 - -")
    names = ["training_uptake_share_365d", "training_uptake_share_365d_usual", "training_uptake_share_365d_vs_usual"]
    assert row[names].tolist() == [0, 1, -1]


REFUSALS = [f"{kind}_refusals_180d" for kind in ("maintenance", "training", "upgrade")]


def test_fe_29_what_is_declined_or_not_answered_is_counted_once_in_its_own_class():
    rows = """
    A 1 maintenance 2024-03-01 - false 2024-05-20 - -
    A 2 training    2024-03-01 - false 2024-03-05 - -
    A 3 training    2024-05-31 - -     -          - -
    A 4 upgrade     2024-06-01 - -     -          - -
    A 5 upgrade     2024-05-01 - true  2024-05-03 - -
    A 6 complaint   2024-05-01 - -     -          - -
    """
    assert served(rows)[REFUSALS].tolist() == [1, 2, 0]
    assert served(rows, date(2024, 7, 2))[REFUSALS].tolist() == [1, 2, 1], "the proposal of 1 June is 31 days old"
    assert served(rows, unanswered_offer_days=29)[REFUSALS].tolist() == [1, 2, 1]


def test_fe_29_a_refusal_leaves_the_window_180_days_after_the_answer():
    rows = "A 1 upgrade 2023-06-01 - false 2024-01-03 - -"
    assert served(rows)["upgrade_refusals_180d"] == 1
    assert served(rows, date(2024, 7, 2))["upgrade_refusals_180d"] == 0


def test_ratings_tell_the_newest_the_one_before_and_the_fall():
    rows = """
    A 1 survey 2024-03-01 - - - 5 2024-03-02
    A 2 survey 2024-04-01 - - - 4 2024-04-02
    A 3 repair 2024-05-01 2024-05-02 - - 2 2024-05-03
    A 4 survey 2024-05-02 - - - 1 2024-07-01
    """
    row = served(rows)
    names = ["last_rating", "rating_before_last", "last_rating_usual", "last_rating_vs_usual", "rating_mean_365d"]
    assert row[names].tolist() == [2, 4, 4.5, -2.5, pytest.approx(11 / 3)]
    assert served(rows, date(2024, 7, 2))[names[:3]].tolist() == [1, 2, pytest.approx(11 / 3)]


def test_surveys_that_nobody_answers_are_a_sign_of_their_own():
    rows = """
    A 1 survey 2023-12-01 - - - 4 2023-12-04
    A 2 survey 2024-02-01 - - - 4 2024-02-04
    A 3 survey 2024-04-01 - - - - -
    A 4 survey 2024-05-31 - - - - -
    A 5 survey 2024-06-01 - - - - -
    """
    row = served(rows)
    assert row["survey_silence_share_365d"] == 2 / 4, "the survey of 1 June may still be answered"
    assert row["surveys_unanswered_in_a_row"] == 2
    assert served(rows, unanswered_survey_days=14)["surveys_unanswered_in_a_row"] == 3
    assert served(rows, date(2024, 2, 20))["surveys_unanswered_in_a_row"] == 0
