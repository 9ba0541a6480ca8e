"""A correction of the log-odds has to earn its place on dates that had matured before the ones it is judged on."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from models.calibration import MIN_DATES, Affine, choose, level_shift, platt

DAY_0 = pd.Timestamp("2023-01-01")
#: 13 customers in three groups whose outcomes are exactly as likely as these log-odds say: 1 of 4, 2 of 5, 3 of 4.
TRUE = np.repeat([-np.log(3), np.log(2 / 3), np.log(3)], [4, 5, 4])
OUTCOME = np.array([1.0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0])


def rows(margins: list[np.ndarray], every_days: int = 30, outcomes: list[np.ndarray] | None = None) -> pd.DataFrame:
    """One date after the other with these log-odds."""
    return pd.concat(
        [
            pd.DataFrame({"as_of": DAY_0 + pd.Timedelta(days=every_days * i), "margin": margin, "outcome": outcome})
            for i, (margin, outcome) in enumerate(zip(margins, outcomes or [OUTCOME] * len(margins), strict=True))
        ],
        ignore_index=True,
    )


def after(table: pd.DataFrame, days: int) -> pd.Timestamp:
    return table["as_of"].max() + pd.Timedelta(days=days)


def log_loss(margin: np.ndarray) -> float:
    return float(np.mean(np.logaddexp(0, margin) - OUTCOME * margin))


def test_an_affine_map_is_a_shift_and_a_slope_of_the_log_odds():
    assert Affine(1.0, 2.0)(np.array([-1.0, 0.0, 3.0])) == pytest.approx([-1, 1, 7])
    assert Affine()(TRUE) == pytest.approx(TRUE)


@pytest.mark.parametrize("slope", [0.5, 1.0, 4.0])
def test_platt_undoes_a_wrong_slope_and_a_wrong_level(slope):
    found = platt(slope * TRUE - 0.7, OUTCOME)
    assert (found.intercept, found.slope) == pytest.approx((0.7 / slope, 1 / slope), abs=1e-4)


def test_platt_never_reverses_the_order_of_customers():
    assert platt(-TRUE, OUTCOME).slope > 0


@pytest.mark.parametrize("wrong_by", [-1.5, 0.0, 2.0])
def test_the_shift_gives_the_mean_probability_that_was_observed(wrong_by):
    margin = TRUE + wrong_by
    shifted = expit(margin + level_shift(margin, OUTCOME))
    assert shifted.mean() == pytest.approx((OUTCOME.sum() + 0.5) / (len(OUTCOME) + 1))


@pytest.mark.parametrize(("wrong_by", "shift"), [(9.0, -5.0), (-9.0, 5.0)])
def test_the_shift_ends_at_five(wrong_by, shift):
    assert level_shift(TRUE + wrong_by, OUTCOME) == shift


def test_nothing_is_corrected_where_nothing_is_wrong():
    table = rows([TRUE] * 10)
    assert choose(table, 30, after(table, 30)) == Affine()


@pytest.mark.parametrize(("dates", "kind"), [(1, "identity"), (4, "identity"), (5, "platt"), (6, "platt")])
def test_overconfidence_is_corrected_once_four_dates_could_judge_it(dates, kind):
    assert MIN_DATES == 4
    table = rows([3 * TRUE] * dates)
    found = choose(table, 30, after(table, 30))
    assert found.kind == kind
    if kind == "platt":
        assert (found.intercept, found.slope) == pytest.approx((0, 1 / 3), abs=1e-4)


@pytest.mark.parametrize(("every_days", "kind"), [(29, "identity"), (30, "platt"), (31, "platt")])
def test_a_date_is_judged_only_by_dates_that_had_matured_before_it(every_days, kind):
    # Five dates: with maturity at 30 days four can be judged if they are 30 days apart, and three if 29.
    table = rows([3 * TRUE] * 5, every_days)
    assert choose(table, 30, after(table, 30)).kind == kind


def test_no_table_and_no_judged_date_leave_the_log_odds_alone():
    table = rows([3 * TRUE] * 6)
    assert choose(table, 180, after(table, 180)) == Affine()
    assert choose(table.head(0), 30, DAY_0) == Affine()


@pytest.mark.parametrize(("good", "worth_it"), [(3, True), (4, False)])
def test_a_gain_within_one_standard_error_is_no_gain(good, worth_it):
    # The slope is right on some dates and thrice too steep on the others; each date is corrected by its predecessors.
    slopes = [3.0] * 3 + [1.0] * good
    table = rows([slope * TRUE for slope in slopes])
    gains = []
    for i in range(1, len(slopes)):
        earlier = table[table["as_of"] < DAY_0 + pd.Timedelta(days=30 * i)]
        fitted = platt(earlier["margin"].to_numpy(), earlier["outcome"].to_numpy())
        gains.append(log_loss(slopes[i] * TRUE) - log_loss(fitted(slopes[i] * TRUE)))
    assert np.mean(gains) > 0
    assert (np.mean(gains) > np.std(gains, ddof=1) / np.sqrt(len(gains))) == worth_it
    assert (choose(table, 30, after(table, 30)).kind == "platt") == worth_it


def seasons(months: int) -> pd.DataFrame:
    """Monthly dates, all predicted at even odds, of which one half-year is too low and the other too high."""
    outcomes = [(np.arange(13) < (10 if i % 12 < 6 else 3)).astype("float64") for i in range(months)]
    return rows([np.zeros(13)] * months, 30, outcomes)


@pytest.mark.parametrize("months", [25, 31])
def test_half_the_shift_that_the_same_season_needed_last_year(months):
    table = seasons(months)
    as_of = after(table, 30)
    found = choose(table, 30, as_of)
    age = (as_of - table["as_of"]).dt.days
    same = table[age.between(320, 410)]
    assert found.kind == "season"
    assert found.slope == 1.0
    assert found.intercept == pytest.approx(0.5 * level_shift(same["margin"].to_numpy(), same["outcome"].to_numpy()))
    assert found.intercept != 0


def test_the_season_of_last_year_is_45_days_wide_on_either_side():
    table = seasons(25)
    as_of = after(table, 30)
    age = (as_of - table["as_of"]).dt.days
    for days, counts in ((319, False), (320, True), (365, True), (410, True), (411, False)):
        moved = pd.concat(
            [table[~age.between(300, 430)], table[age == 390].assign(as_of=as_of - pd.Timedelta(days=days))]
        )
        found = choose(moved, 30, as_of)
        assert found.kind == "season"
        assert (found.intercept != 0) == counts
