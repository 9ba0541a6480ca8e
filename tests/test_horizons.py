"""Four horizons become one coherent curve and the customer's own window, linearly in the log-odds."""

import numpy as np
import pandas as pd
import pytest
from sklearn.isotonic import isotonic_regression

from models.horizons import PROBABILITIES, curve, pooling, probability_frame, window_weights

RNG = np.random.default_rng(5)
#: Rows in every order, with ties: three kinds of broken row and whole ones.
ROWS = np.vstack([RNG.normal(size=(300, 4)), RNG.integers(-1, 2, size=(200, 4)), np.sort(RNG.normal(size=(50, 4)))])
WHOLE = -np.sort(-RNG.normal(size=(50, 4)), axis=1)


def projected(margins: np.ndarray) -> np.ndarray:
    return np.einsum("nij,nj->ni", pooling(margins), margins)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([3, 2, 1, 0], [3, 2, 1, 0]),
        ([0, 1, -1, -2], [0.5, 0.5, -1, -2]),
        ([3, 0, 1, 2], [3, 1, 1, 1]),
        ([0, 1, 2, 3], [1.5, 1.5, 1.5, 1.5]),
        ([1, 3, 0, 2], [2, 2, 1, 1]),
    ],
)
def test_adjacent_horizons_that_contradict_each_other_meet_at_their_mean(row, expected):
    assert projected(np.array([row], dtype="float64"))[0] == pytest.approx(expected)


def test_pooling_is_isotonic_regression_row_by_row():
    expected = np.array([isotonic_regression(row, increasing=False) for row in ROWS])
    np.testing.assert_allclose(projected(ROWS), expected, atol=1e-12)


def test_the_weights_of_every_horizon_are_shares_of_one():
    weights = pooling(ROWS)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=2), 1, atol=1e-12)


def test_a_row_that_is_coherent_stays_as_it_is():
    assert (pooling(WHOLE) == np.eye(4)).all()
    assert (projected(WHOLE) == WHOLE).all()


def test_no_rows_give_no_weights():
    assert pooling(np.empty((0, 4))).shape == (0, 4, 4)
    assert probability_frame(np.empty((0, 4)), pd.Series([], dtype="int64")).empty


@pytest.mark.parametrize("scale", [1.0, 1e-9, 8.0])
def test_the_chance_of_silence_never_grows_with_the_horizon(scale):
    frame = probability_frame(ROWS * scale, pd.Series(RNG.integers(30, 181, len(ROWS))))
    assert (np.diff(frame[list(PROBABILITIES)], axis=1) <= 0).all()
    assert frame[list(PROBABILITIES)].ge(0).all(axis=None)
    assert frame[list(PROBABILITIES)].le(1).all(axis=None)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (10, [1, 0, 0, 0]),
        (30, [1, 0, 0, 0]),
        (45, [1 - np.log2(1.5), np.log2(1.5), 0, 0]),
        (60, [0, 1, 0, 0]),
        (90, [0, 0, 1, 0]),
        (180, [0, 0, 0, 1]),
        (400, [0, 0, 0, 1]),
    ],
)
def test_a_window_is_read_between_its_two_horizons_by_the_logarithm_of_its_days(days, expected):
    assert window_weights(np.array([days], dtype="float64"))[0] == pytest.approx(expected)


def test_the_own_window_lies_between_its_neighbours_and_on_a_horizon_is_that_horizon():
    window = pd.Series([30, 45, 60, 75, 90, 130, 180], index=list("abcdefg"))
    frame = probability_frame(np.tile([2.0, 1.0, -0.5, -3.0], (7, 1)), window)
    own = frame["churn_probability"]
    assert list(frame.index) == list("abcdefg")
    assert (np.diff(own) < 0).all()
    for customer, days in (("a", 30), ("c", 60), ("e", 90), ("g", 180)):
        assert own[customer] == pytest.approx(frame.loc[customer, f"p_no_order_{days}"])


def test_the_probability_is_the_logistic_function_of_the_margin():
    frame = probability_frame(ROWS, pd.Series(RNG.integers(30, 181, len(ROWS))))
    assert frame["churn_probability"].to_numpy() == pytest.approx(1 / (1 + np.exp(-frame["margin"].to_numpy())))


def test_parts_that_add_up_per_horizon_add_up_in_the_window():
    window = RNG.integers(20, 200, len(ROWS)).astype("float64")
    parts = RNG.normal(size=(5, *ROWS.shape))
    parts[4] = ROWS - parts[:4].sum(axis=0)
    share = np.einsum("ni,nij->nj", window_weights(window), pooling(ROWS))
    of_parts = np.einsum("nj,pnj->pn", share, parts)
    np.testing.assert_allclose(of_parts.sum(axis=0), curve(ROWS, window)[1], atol=1e-12)


def test_a_shift_and_a_stretch_of_all_horizons_shift_and_stretch_the_window():
    window = RNG.integers(20, 200, len(ROWS)).astype("float64")
    coherent, margin = curve(ROWS, window)
    stretched, stretched_margin = curve(3 * ROWS - 1, window)
    np.testing.assert_allclose(stretched, 3 * coherent - 1, atol=1e-12)
    np.testing.assert_allclose(stretched_margin, 3 * margin - 1, atol=1e-12)
