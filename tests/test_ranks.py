"""A customer's place among the customers of its date."""

import numpy as np
import pandas as pd
import pytest

from models.ranks import KNOTS, Ranks, places_by_date

TWO = ("revenue_90d", "order_days_90d")


def test_a_place_is_told_by_the_customers_below_and_above_with_ties_in_their_middle():
    ranks = Ranks.of_cohort(pd.DataFrame({"revenue_90d": [1.0, 2.0, 2.0, 5.0, np.nan]}), ("revenue_90d",))
    places = ranks.places(pd.DataFrame({"revenue_90d": [0.0, 1.0, 2.0, 3.0, 9.0, np.nan]})).ravel()
    below, above = np.array([0, 0, 1, 3, 4]), np.array([0, 1, 3, 3, 4])
    assert places[:5] == pytest.approx(np.sqrt(12) * ((below + above) / 8 - 0.5))
    assert places[5] == 0


def test_places_of_many_customers_are_told_among_a_few_of_them_and_spread_by_one():
    values = pd.DataFrame({"revenue_90d": np.random.default_rng(0).gamma(1.0, 9.0, 5000)})
    ranks = Ranks.of_cohort(values, ("revenue_90d",))
    assert len(ranks.knots[0]) == KNOTS
    exact = np.sqrt(12) * ((values["revenue_90d"].rank() - 0.5) / 5000 - 0.5)
    np.testing.assert_allclose(ranks.places(values)[:, 0], exact, atol=np.sqrt(12) / KNOTS)
    assert ranks.places(values).std() == pytest.approx(1, abs=0.02)


def test_a_column_that_is_unknown_for_all_puts_everybody_in_the_middle():
    ranks = Ranks.of_cohort(pd.DataFrame({"revenue_90d": [np.nan, np.nan]}), ("revenue_90d",))
    assert ranks.knots == ((),)
    assert ranks.places(pd.DataFrame({"revenue_90d": [1.0, np.nan]})).tolist() == [[0.0], [0.0]]


def test_each_row_is_placed_among_the_rows_of_its_own_date():
    # Three customers at two dates; at the second one everybody has ten times as much, in another order of rows.
    rows = pd.DataFrame(
        {
            "as_of": pd.to_datetime(
                ["2024-01-01", "2024-02-01", "2024-01-01", "2024-02-01", "2024-01-01", "2024-02-01"]
            ),
            "revenue_90d": [1.0, 30.0, 2.0, 20.0, 3.0, 10.0],
            "order_days_90d": [5.0, np.nan, 5.0, np.nan, 5.0, 7.0],
        },
        index=[9, 4, 7, 1, 3, 8],
    )
    edge = np.sqrt(12) / 3
    assert places_by_date(rows, TWO) == pytest.approx(
        np.array([[-edge, 0], [edge, 0], [0, 0], [0, 0], [edge, 0], [-edge, 0]])
    )
    assert places_by_date(rows.head(0), TWO).shape == (0, 2)


def test_what_everybody_of_a_date_has_more_of_changes_no_place_by_date():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({name: rng.gamma(2.0, 5.0, 300) for name in TWO})
    rows["as_of"] = np.repeat(pd.date_range("2024-01-01", periods=3).to_numpy(), 100)
    first = rows["as_of"] == rows["as_of"].min()
    richer = rows.assign(revenue_90d=rows["revenue_90d"].mask(first, 1000 + rows["revenue_90d"] ** 3))
    assert (places_by_date(richer, TWO) == places_by_date(rows, TWO)).all()
