"""A correction of the log-odds has to earn its place on dates that it had not seen, the shape apart from the level."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from models.calibration import (
    MIN_DATES,
    USUAL_DATES,
    USUAL_LEVEL_SPREAD,
    Affine,
    choose,
    level_shift,
    level_spread,
)

DAY_0 = pd.Timestamp("2023-01-01")
#: 13 customers in three groups whose outcomes are exactly as likely as these log-odds say: 1 of 4, 2 of 5, 3 of 4.
TRUE = np.repeat([-np.log(3), np.log(2 / 3), np.log(3)], [4, 5, 4])
OUTCOME = np.array([1.0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0])


def rows(
    margins: list[np.ndarray],
    every_days: int = 30,
    outcomes: list[np.ndarray] | None = None,
    label_free: float | None = None,
) -> pd.DataFrame:
    """One date after the other with these log-odds; the label-free model says the same, or one number for all."""
    parts = zip(margins, outcomes or [OUTCOME] * len(margins), strict=True)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "as_of": DAY_0 + pd.Timedelta(days=every_days * i),
                    "margin": margin,
                    "outcome": outcome,
                    "label_free": margin if label_free is None else label_free,
                }
            )
            for i, (margin, outcome) in enumerate(parts)
        ],
        ignore_index=True,
    )


def after(table: pd.DataFrame, days: int) -> pd.Timestamp:
    return table["as_of"].max() + pd.Timedelta(days=days)


def chosen(table: pd.DataFrame, days: int = 30, as_of: pd.Timestamp | None = None) -> Affine:
    """The calibration at the day on which the table has matured, for a cohort like that of its last date."""
    here = table[table["as_of"] == table["as_of"].max()][["margin", "label_free"]]
    return choose(table, here, days, after(table, days) if as_of is None else as_of)


def test_an_affine_map_is_a_shift_and_a_slope_of_the_log_odds():
    assert Affine(1.0, 2.0)(np.array([-1.0, 0.0, 3.0])) == pytest.approx([-1, 1, 7])
    assert Affine()(TRUE) == pytest.approx(TRUE)


@pytest.mark.parametrize("wrong_by", [-1.5, 0.0, 2.0])
def test_the_shift_gives_the_mean_probability_that_was_observed(wrong_by):
    margin = TRUE + wrong_by
    shifted = expit(margin + level_shift(margin, OUTCOME))
    assert shifted.mean() == pytest.approx((OUTCOME.sum() + 0.5) / (len(OUTCOME) + 1))


@pytest.mark.parametrize(("wrong_by", "shift"), [(9.0, -5.0), (-9.0, 5.0)])
def test_the_shift_ends_at_five(wrong_by, shift):
    assert level_shift(TRUE + wrong_by, OUTCOME) == shift


def test_nothing_is_corrected_where_nothing_is_wrong():
    assert chosen(rows([TRUE] * 10)) == Affine()
    assert choose(rows([TRUE]).head(0), rows([TRUE]).head(0), 30, DAY_0) == Affine()


# --- shape


@pytest.mark.parametrize(("dates", "corrected"), [(1, False), (3, False), (4, True), (6, True)])
def test_overconfidence_is_corrected_once_four_dates_could_judge_it(dates, corrected):
    assert MIN_DATES == 4
    # Out of 180 days only the first dates are judged by others, so that the level has nothing to say.
    found = chosen(rows([2.5 * TRUE] * dates), days=180)
    assert (found.kind == "slope") == corrected
    if corrected:
        assert found.slope == pytest.approx(0.4)
        centre = 2.5 * TRUE.mean()
        assert found(np.array([centre])) == pytest.approx([centre])


def test_one_odd_date_among_right_ones_changes_no_slope():
    assert chosen(rows([3 * TRUE] + [TRUE] * 5), days=180).slope == 1.0


def test_the_shape_does_not_see_a_level_that_is_off():
    assert chosen(rows([TRUE + 1.5] * 6), days=180) == Affine()


# --- level


def seasons(months: int) -> pd.DataFrame:
    """Monthly dates, all predicted at even odds, of which one half-year is too low and the other too high."""
    outcomes = [(np.arange(13) < (10 if i % 12 < 6 else 3)).astype("float64") for i in range(months)]
    return rows([np.zeros(13)] * months, 30, outcomes)


@pytest.mark.parametrize("months", [25, 31])
def test_the_level_follows_the_same_season_of_last_year_where_that_was_right(months):
    table = seasons(months)
    as_of = after(table, 30)
    found = chosen(table)
    same = table[(as_of - table["as_of"]).dt.days.between(320, 410)]
    part = float(found.kind.split(" of ")[0])
    assert found.kind.endswith("of last year's season")
    assert found.slope == 1.0
    assert found.intercept == pytest.approx(part * level_shift(same["margin"].to_numpy(), same["outcome"].to_numpy()))
    assert found.intercept != 0


def test_the_season_of_last_year_is_45_days_wide_on_either_side():
    table = seasons(25)
    as_of = after(table, 30)
    age = (as_of - table["as_of"]).dt.days
    for days, counts in ((319, False), (320, True), (365, True), (410, True), (411, False)):
        moved = pd.concat(
            [table[~age.between(300, 430)], table[age == 390].assign(as_of=as_of - pd.Timedelta(days=days))]
        )
        found = chosen(moved, as_of=as_of)
        assert "season" in found.kind
        assert (found.intercept != 0) == counts


def test_the_level_goes_to_that_of_the_label_free_model_where_it_had_been_right():
    share = OUTCOME.mean()
    table = rows([TRUE + 1.0] * 8, label_free=float(np.log(share / (1 - share))))
    found = chosen(table)
    assert found.kind.endswith("of the way to the label-free level")
    promised = expit(found(TRUE + 1.0)).mean()
    assert abs(promised - share) < abs(expit(TRUE + 1.0).mean() - share) / 2
    # What counts is the cohort that is scored: one that the label-free model sees as it is seen is not moved.
    here = pd.DataFrame({"margin": TRUE, "label_free": TRUE})
    assert choose(table, here, 30, after(table, 30)).intercept == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("every_days", "corrected"), [(29, False), (30, True)])
def test_a_date_is_judged_only_by_dates_that_had_matured_before_it(every_days, corrected):
    # Five dates: with maturity at 30 days four can be judged if they are 30 days apart, and three if 29.
    table = rows([TRUE + 1.0] * 5, every_days, label_free=0.0)
    assert (chosen(table, as_of=after(table, 30)).intercept != 0) == corrected


# --- how uncertain the level is


def test_the_spread_of_the_level_is_what_past_dates_needed_pulled_towards_the_usual_one():
    table = rows([TRUE + 0.6, TRUE - 0.6])
    shifts = [level_shift(TRUE + 0.6, OUTCOME), level_shift(TRUE - 0.6, OUTCOME)]
    expected = (np.square(shifts).sum() + USUAL_DATES * USUAL_LEVEL_SPREAD**2) / (2 + USUAL_DATES)
    assert level_spread(table) == pytest.approx(np.sqrt(expected))
    assert level_spread(table.head(0)) == pytest.approx(USUAL_LEVEL_SPREAD)
    assert level_spread(table, Affine(0.6)) > level_spread(table)


def test_many_dates_at_the_right_level_leave_little_of_the_usual_spread():
    assert level_spread(rows([TRUE] * 60)) < 0.1 < level_spread(rows([TRUE] * 6))
