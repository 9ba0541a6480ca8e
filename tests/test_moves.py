"""Why a score moved: the moves of the features sum to the move of the margin, and what stays has no part in it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from worlds import CUTOFFS, latest_cohort, walk

from features.labels import HORIZONS
from models.calibration import Affine
from models.churn_model import ChurnModel
from models.horizons import pooling, probability_frame, window_weights
from models.moves import moves
from models.reasons import RHYTHM, WINDOW

PLAIN = (Affine(),) * 4
CALIBRATED = tuple(map(Affine, (0.4, -0.3, 0.2, -0.1), (0.8, 1.0, 1.3, 0.6), ("platt", "season", "platt", "platt")))
#: Longer horizons lifted above shorter ones, so that every curve has to be made coherent.
CROSSED = (Affine(-2.0), Affine(-1.0), Affine(0.0), Affine(1.5))
#: Lifted so little that only some curves have to be: how the horizons weigh then moves with the features.
NEARLY = (Affine(0.0), Affine(0.5), Affine(0.9), Affine(1.2))
CALIBRATIONS = {"plain": PLAIN, "calibrated": CALIBRATED, "crossed": CROSSED, "nearly": NEARLY}
BLENDS = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.5, 0.25, 0.25), (0.25, 0.75, 0.0)]
#: Read by the trees and by the regression, not by the label-free model.
MOVED = "revenue_90d"


def champion(weights: tuple[float, float, float] = (0.5, 0.25, 0.25), calibrations=CALIBRATED) -> ChurnModel:
    walked = walk().champion
    return replace(walked, selection=replace(walked.selection, weights=(weights,) * 4), calibrations=calibrations)


@cache
def pairs() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same customers a quarter apart; the rows keep their own index. Not to be changed in place."""
    frame = walk().table.frame
    held = [frame[frame["as_of"] == pd.Timestamp(day)].set_index("customer_id", drop=False) for day in CUTOFFS[-2:]]
    bought = [one[one["order_days_ever"] >= 1] for one in held]
    both = bought[0].index.intersection(bought[1].index)
    return bought[0].loc[both].reset_index(drop=True), bought[1].loc[both].set_index(1000 + np.arange(len(both)))


def margin_of(model: ChurnModel, frame: pd.DataFrame) -> np.ndarray:
    return probability_frame(model.margins(frame), frame["churn_window_days"])["margin"].to_numpy()


def weights_of(model: ChurnModel, frame: pd.DataFrame) -> np.ndarray:
    """The weight of each horizon in each customer's margin."""
    return np.einsum("ni,nij->nj", window_weights(frame["churn_window_days"]), pooling(model.margins(frame)))


def assert_sums(model: ChurnModel, before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    found = moves(model, before, after)
    difference = margin_of(model, after) - margin_of(model, before)
    np.testing.assert_allclose(found.sum(axis=1), difference, rtol=0, atol=1e-9)
    assert np.abs(difference).max() > 0.01
    return found


def test_the_pairs_of_these_tests_differ_in_their_windows_and_in_what_is_known():
    before, after = pairs()
    assert len(before) > 500
    assert list(before["customer_id"]) == list(after["customer_id"])
    assert (before["churn_window_days"].to_numpy() != after["churn_window_days"].to_numpy()).mean() > 0.2
    columns = list(champion().boosting.columns)
    assert (before[columns].isna().to_numpy() & after[columns].notna().to_numpy()).any()


# --- exact


@pytest.mark.parametrize("calibrations", CALIBRATIONS.values(), ids=CALIBRATIONS)
@pytest.mark.parametrize("weights", BLENDS, ids=str)
def test_the_moves_of_a_customer_sum_to_the_move_of_its_margin(weights, calibrations):
    before, after = pairs()
    found = assert_sums(champion(weights, calibrations), before, after)
    assert found.index.equals(after.index)
    assert found.columns.is_unique
    assert list(found.columns[-2:]) == [RHYTHM, WINDOW]


@pytest.mark.parametrize("absent", [(0,), (0, 1, 2, 3)])
@pytest.mark.parametrize("weights", BLENDS, ids=str)
def test_they_do_where_a_learner_had_too_little_to_learn_from(weights, absent):
    model = champion(weights)
    bags = tuple(() if i in absent else bag for i, bag in enumerate(model.boosting.bags))
    lines = tuple(None if 3 - i in absent else line for i, line in enumerate(model.logistic.lines))
    model = replace(model, boosting=replace(model.boosting, bags=bags), logistic=replace(model.logistic, lines=lines))
    assert_sums(model, *pairs())


def test_they_do_where_horizons_have_weights_of_their_own():
    model = champion()
    model = replace(model, selection=replace(model.selection, weights=tuple(BLENDS[:4])))
    assert_sums(model, *pairs())


def test_they_do_between_different_customers():
    frame = latest_cohort()
    assert_sums(champion(), frame.head(200), frame.tail(200))


@pytest.mark.parametrize("calibrations", [CALIBRATED, CROSSED, NEARLY], ids=["calibrated", "crossed", "nearly"])
def test_a_row_that_stays_has_no_moves(calibrations):
    before, _ = pairs()
    assert (moves(champion(calibrations=calibrations), before, before).to_numpy() == 0).all()


@pytest.mark.parametrize("calibrations", CALIBRATIONS.values(), ids=CALIBRATIONS)
def test_the_way_back_is_the_opposite_move(calibrations):
    before, after = pairs()
    model = champion(calibrations=calibrations)
    there, back = moves(model, before, after), moves(model, after, before)
    np.testing.assert_allclose(there, -back.to_numpy(), rtol=0, atol=1e-12)
    assert np.abs(there).max(axis=None) > 0.1


def test_a_customer_is_told_alike_alone_and_among_others():
    before, after = pairs()
    alone = moves(champion(), before.iloc[[77]], after.iloc[[77]])
    pd.testing.assert_frame_equal(alone, moves(champion(), before, after).iloc[[77]], rtol=0, atol=1e-12)


def test_rows_pair_by_their_place_whatever_their_index():
    before, after = pairs()
    shuffled = before.set_index(np.random.default_rng(0).permutation(len(before)))
    pd.testing.assert_frame_equal(moves(champion(), shuffled, after), moves(champion(), before, after))


def test_nobody_has_no_moves():
    before, after = pairs()
    found = moves(champion(), before.head(0), after.head(0))
    assert found.empty
    assert list(found.columns) == list(moves(champion(), before.head(1), after.head(1)).columns)


def test_rows_that_do_not_pair_are_refused():
    before, after = pairs()
    with pytest.raises(ValueError, match="a row before for each row after; found 3 and 2"):
        moves(champion(), before.head(3), after.head(2))


# --- each to what moved


@pytest.mark.parametrize("weights", BLENDS, ids=str)
def test_where_one_feature_moves_only_that_feature_has_a_share(weights):
    frame = latest_cohort()
    moved = frame.assign(**{MOVED: frame[MOVED].to_numpy()[::-1]})
    model = champion(weights)
    found = moves(model, frame, moved)
    assert (found.drop(columns=[MOVED, WINDOW]) == 0).all(axis=None)
    # The window has none, either, unless the curve crosses otherwise than before.
    alike = (weights_of(model, frame) == weights_of(model, moved)).all(axis=1)
    assert alike.sum() > 100
    assert (found.loc[alike, WINDOW] == 0).all()
    assert (found[MOVED] != 0).any() == (weights[2] < 1)


def test_where_the_window_alone_moves_it_has_all_of_the_move():
    frame = latest_cohort()
    moved = frame.assign(churn_window_days=HORIZONS[0] + HORIZONS[-1] - frame["churn_window_days"])
    found = assert_sums(champion(), frame, moved)
    assert (found.drop(columns=WINDOW) == 0).all(axis=None)


def test_a_silence_moves_the_label_free_model_alone_by_its_own_part():
    frame = latest_cohort().assign(churn_window_days=HORIZONS[1])
    moved = frame.assign(days_since_last_order=frame["days_since_last_order"] + 1)
    model = champion((0.0, 0.0, 1.0), PLAIN)
    found = assert_sums(model, frame, moved)
    assert (found.drop(columns=[RHYTHM, WINDOW]) == 0).all(axis=None)
    whole = [(pooling(model.margins(one))[:, 1] == np.eye(4)[1]).all(axis=1) for one in (frame, moved)]
    alone = whole[0] & whole[1]
    assert alone.sum() > 100
    difference = model.rhythm.margins(moved)[:, 1] - model.rhythm.margins(frame)[:, 1]
    np.testing.assert_allclose(found[RHYTHM][alone], difference[alone], rtol=0, atol=1e-12)
    assert (found[WINDOW][alone] == 0).all()


@pytest.mark.parametrize("calibrations", CALIBRATIONS.values(), ids=CALIBRATIONS)
def test_the_window_has_the_mean_of_moving_first_and_of_moving_last(calibrations):
    before, after = pairs()
    model = champion(calibrations=calibrations)
    turned = weights_of(model, after) - weights_of(model, before)
    first, last = ((turned * model.margins(frame)).sum(axis=1) for frame in (before, after))
    np.testing.assert_allclose(moves(model, before, after)[WINDOW], (first + last) / 2, rtol=0, atol=1e-9)
    assert np.abs(turned).max() > 0.1


def test_the_regression_moves_by_its_coefficients_times_the_places():
    before, after = pairs()
    model = champion((0.0, 1.0, 0.0), CALIBRATED)
    mean = (weights_of(model, before) + weights_of(model, after)) / 2
    places = model.logistic.ranks.places(after) - model.logistic.ranks.places(before)
    per_horizon = [
        mean[:, [i]] * model.calibrations[i].slope * places * np.array(model.logistic.lines[i])
        for i in range(len(HORIZONS))
    ]
    found = moves(model, before, after)[list(model.logistic.columns)]
    np.testing.assert_allclose(found, sum(per_horizon), rtol=0, atol=1e-12)
    assert np.abs(found).max(axis=None) > 0.01


def test_a_blend_moves_by_the_mean_of_its_parts_where_the_window_weighs_the_same():
    before, after = pairs()
    before, after = (frame.assign(churn_window_days=HORIZONS[2]) for frame in (before, after))
    models = {weights: champion(weights, PLAIN) for weights in BLENDS[:4]}
    alike = np.logical_and.reduce(
        [
            (pooling(model.margins(frame)) == np.eye(4)).all(axis=(1, 2))
            for model in models.values()
            for frame in (before, after)
        ]
    )
    assert alike.sum() > 50
    found = {weights: moves(model, before[alike], after[alike]) for weights, model in models.items()}
    shares = zip((0.5, 0.25, 0.25), BLENDS[:3], strict=True)
    expected = sum(share * found[weights] for share, weights in shares)
    pd.testing.assert_frame_equal(found[BLENDS[3]], expected, rtol=0, atol=1e-10)
