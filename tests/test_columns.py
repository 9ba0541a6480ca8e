"""A learner is given each thing once, nothing that is the same for everybody, and what stands out most."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from worlds import drawn_rows, matured_until, training

from models.columns import ASKED_HORIZON, MEASURED_ROWS, informative, strongest
from models.contestants import Training
from models.label_free import VARIANTS, column

NAMES = ("order_days_30d", "order_days_90d", "order_days_365d", "revenue_90d")


def rows(n: int = 300, **columns: np.ndarray | float) -> pd.DataFrame:
    """Columns of noise, except those that are given."""
    return pd.DataFrame({name: np.random.default_rng(i).normal(size=n) for i, name in enumerate(NAMES)}).assign(
        **columns
    )


def test_columns_that_differ_are_all_kept_in_their_order():
    assert informative(rows(), NAMES) == NAMES
    assert informative(rows(), NAMES[::-1]) == NAMES[::-1]


def test_a_constant_and_an_unknown_column_are_left_out():
    assert informative(rows(order_days_30d=3.0, revenue_90d=np.nan), NAMES) == NAMES[1:3]


def test_a_column_that_is_known_for_some_only_says_something_although_it_has_one_value():
    sometimes = np.where(np.arange(300) % 2 == 0, 1.0, np.nan)
    assert "order_days_30d" in informative(rows(order_days_30d=sometimes), NAMES)


def test_of_two_columns_in_the_same_order_of_customers_the_first_one_stays():
    here = rows()
    copied = here.assign(order_days_365d=np.exp(here["order_days_90d"]), revenue_90d=-here["order_days_30d"])
    assert informative(copied, NAMES) == ("order_days_30d", "order_days_90d")


def test_columns_that_are_unknown_for_other_customers_are_no_copies():
    here = rows()
    copy = here["order_days_30d"].where(np.arange(300) > 20)
    assert informative(here.assign(order_days_90d=copy), NAMES) == NAMES
    nearly = here["order_days_30d"].where(np.arange(300) > 1)
    assert "order_days_90d" not in informative(here.assign(order_days_90d=nearly), NAMES)


def test_columns_of_different_dimensions_stand_for_different_reasons():
    here = rows()
    names = ("order_days_30d", "payment_days_mean_90d")
    same = here.assign(payment_days_mean_90d=here["order_days_30d"])
    assert informative(same, names) == names


def test_many_rows_give_the_same_answer_as_some_of_them_and_no_row_gives_all():
    assert informative(rows(MEASURED_ROWS + 500, order_days_30d=1.0), NAMES) == NAMES[1:]
    assert informative(rows().head(0), NAMES) == NAMES


# --- what stands out most

#: Columns that say nothing.
NOISE = tuple(f"noise_{i}" for i in range(30))
EVERY = (*NOISE[:15], "revenue_90d", *NOISE[15:], "gap_cv_ever")
VARIANT = VARIANTS[1]


@cache
def planted(dates: int = 5) -> pd.DataFrame:
    """Rows of which `revenue_90d` and, more weakly, `gap_cv_ever` tell who leaves. Not to be changed in place."""
    rng = np.random.default_rng(5)
    rows = drawn_rows(dates=dates)
    noise = pd.DataFrame({name: rng.normal(size=len(rows)) for name in NOISE}, index=rows.index)
    gap = rows["gap_cv_ever"] + np.minimum(rows["days_to_next_order"], 200) / 50
    return pd.concat([rows.assign(gap_cv_ever=gap), noise], axis=1)


def given(rows: pd.DataFrame, columns: tuple[str, ...] = EVERY) -> Training:
    return training(rows, columns)


def test_planted_columns_are_kept_among_thirty_of_noise():
    assert set(strongest(given(planted()), VARIANT, 2)) == {"revenue_90d", "gap_cv_ever"}
    five = strongest(given(planted()), VARIANT, 5)
    assert len(five) == 5
    assert {"revenue_90d", "gap_cv_ever"} < set(five)
    assert five == tuple(name for name in EVERY if name in five)


def test_the_order_of_columns_and_of_rows_changes_nothing_but_the_order():
    kept = strongest(given(planted()), VARIANT, 8)
    turned = strongest(given(planted(), EVERY[::-1]), VARIANT, 8)
    assert turned == kept[::-1]
    mixed = planted().sample(frac=1, random_state=1)
    assert strongest(replace(given(mixed), book=given(planted()).book), VARIANT, 8) == kept


def test_it_is_asked_what_a_column_adds_to_the_label_free_model():
    # A column that repeats the label-free log-odds ranks the customers well and adds nothing.
    rows = planted()
    start = rows[column(VARIANT, ASKED_HORIZON)]
    y = np.random.default_rng(0).random(len(rows)) < 1 / (1 + np.exp(-start))
    rows = rows.assign(noise_0=start, days_to_next_order=np.where(y, 500.0, 10.0), revenue_90d=y + rows["noise_1"])
    assert strongest(given(rows), VARIANT, 1) == ("revenue_90d",)
    assert "noise_0" not in strongest(given(rows), VARIANT, 5)


def test_what_holds_for_a_whole_date_tells_nobody_apart():
    # Everybody of a date has the same: the share of those who left on it.
    rows = planted()
    left = (rows["days_to_next_order"] >= ASKED_HORIZON).groupby(rows["as_of"]).transform("mean")
    rows = rows.assign(noise_3=left)
    assert "noise_3" not in strongest(given(rows), VARIANT, len(EVERY) - 1)


def test_only_matured_outcomes_are_asked():
    dates = sorted(planted()["as_of"].unique())
    cutoff = dates[-1] + pd.Timedelta(days=60)
    rows = matured_until(planted(), cutoff)
    new = rows["as_of"] > cutoff - pd.Timedelta(days=ASKED_HORIZON)
    assert 0 < new.sum() < len(rows)
    rng = np.random.default_rng(3)
    other = rows.copy()
    for name in ("days_to_next_order", "revenue_90d", *NOISE):
        other.loc[new, name] = rng.permutation(rows.loc[new, name].to_numpy())
    book = given(rows).book
    one, two = (strongest(replace(given(frame), book=book), VARIANT, 8) for frame in (rows, other))
    assert one == two
    old = rows.index[~new][::3]
    other.loc[old, "revenue_90d"] = 1.0
    assert strongest(replace(given(other), book=book), VARIANT, 1) == ("gap_cv_ever",)


@pytest.mark.parametrize("count", [len(EVERY), len(EVERY) + 1])
def test_as_many_columns_as_are_wanted_are_all_kept(count):
    assert strongest(given(planted()), VARIANT, count) == EVERY


def test_before_anything_has_matured_all_columns_are_kept():
    rows = matured_until(planted(), planted()["as_of"].min())
    assert strongest(given(rows), VARIANT, 3) == EVERY
    everybody = planted().assign(days_to_next_order=1.0)
    assert strongest(given(everybody), VARIANT, 3) == EVERY


def test_a_shorter_horizon_answers_where_the_usual_one_has_not_matured():
    dates = sorted(planted()["as_of"].unique())
    rows = matured_until(planted(dates=5), dates[0] + pd.Timedelta(days=70))
    assert "gap_cv_ever" in strongest(given(rows), VARIANT, 2)


def test_a_column_that_is_the_same_for_all_is_the_first_to_go():
    rows = planted().assign(noise_7=1.0, noise_9=np.nan)
    assert {"noise_7", "noise_9"}.isdisjoint(strongest(given(rows), VARIANT, len(EVERY) - 2))
