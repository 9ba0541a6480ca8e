"""A learner is given each thing once, and nothing that is the same for everybody."""

import numpy as np
import pandas as pd

from models.columns import MEASURED_ROWS, informative

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
