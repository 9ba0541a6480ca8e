"""What a move from one row to another is worth, feature by feature: Shapley's value by enumeration is the judge."""

from functools import cache
from itertools import chain, combinations
from math import factorial

import lightgbm
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from worlds import drawn_rows, training

from models.classifiers import RHYTHM, FittedBoosting
from models.paired_trees import CELLS, Leaves, between

NAN = float("nan")
#: The columns of drawn rows: one that is at times unknown in training, three that never are, one without use.
COLUMNS = ("sometimes", "centred", "positive", "negative", "constant")
QUICK = {"verbosity": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True}


def drawn(n: int, seed: int, unknown: float = 0.0) -> np.ndarray:
    """Rows of :data:`COLUMNS` in single precision, as features are; a share of all values unknown."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, len(COLUMNS)))
    X[:, 2], X[:, 3], X[:, 4] = np.abs(X[:, 2]) + 0.1, -np.abs(X[:, 3]) - 0.1, 1.0
    X[rng.random(X.shape) < unknown] = NAN
    return X.astype("float32").astype("float64")


def learnt(X: np.ndarray, y: np.ndarray, rounds: int = 12, categories=(), **parameters) -> lightgbm.Booster:
    settings = {"objective": "binary", "num_leaves": 8, "min_child_samples": 10, "learning_rate": 0.3}
    data = lightgbm.Dataset(X, y, categorical_feature=list(categories), params={"verbosity": -1})
    return lightgbm.train({**QUICK, **settings, **parameters}, data, rounds)


@cache
def booster(seed: int = 0, rounds: int = 12, leaves: int = 8) -> lightgbm.Booster:
    """A booster whose features act together, and whose first column was unknown for a fifth of the rows."""
    X = drawn(600, seed)
    margin = 2 * X[:, 0] * np.sign(X[:, 1]) + X[:, 2] * X[:, 3] + (X[:, 1] > 0.3)
    X[np.random.default_rng([seed, 1]).random(len(X)) < 0.2, 0] = NAN
    y = np.random.default_rng([seed, 2]).random(len(X)) < expit(margin)
    return learnt(X, y, rounds, num_leaves=leaves, seed=seed)


def raw(one: lightgbm.Booster, X: np.ndarray) -> np.ndarray:
    return one.predict(X, raw_score=True, num_threads=1)


def shapley(one: lightgbm.Booster, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Shapley values of the move of one row, from the predictions of all rows that are partly moved."""
    players = range(len(before))
    sets = list(chain.from_iterable(combinations(players, size) for size in range(len(before) + 1)))
    mixed = np.stack([np.where(np.isin(players, here), after, before) for here in sets])
    worth = dict(zip(sets, raw(one, mixed), strict=True))
    found = np.zeros(len(before))
    for here in sets:
        for player in set(players) - set(here):
            share = factorial(len(here)) * factorial(len(before) - len(here) - 1) / factorial(len(before))
            found[player] += share * (worth[tuple(sorted((*here, player)))] - worth[here])
    return found


def missing_types(one: lightgbm.Booster) -> set[tuple[str, str]]:
    """Column and missing type of every split."""
    trees = one.trees_to_dataframe().dropna(subset=["split_feature"])
    return set(zip(trees["split_feature"], trees["missing_type"], strict=True))


# --- the value


@pytest.mark.parametrize("unknown", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_move_is_worth_its_shapley_value(seed, unknown):
    before, after = drawn(25, 10 + seed, unknown), drawn(25, 20 + seed, unknown)
    expected = np.stack([shapley(booster(seed), *pair) for pair in zip(before, after, strict=True)])
    found = between([booster(seed)], before, after)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    assert (np.abs(expected[:, :4]).max(axis=0) > 0.1).all()


@pytest.mark.parametrize("unknown", [0.0, 0.5])
def test_the_shares_of_a_row_sum_to_the_difference_of_its_two_predictions(unknown):
    before, after = drawn(500, 3, unknown), drawn(500, 4, unknown)
    difference = raw(booster(), after) - raw(booster(), before)
    np.testing.assert_allclose(between([booster()], before, after).sum(axis=1), difference, rtol=0, atol=1e-9)


def test_an_unknown_value_goes_where_lightgbm_sends_it_whether_or_not_training_had_one():
    assert {("Column_0", "NaN"), ("Column_1", "None"), ("Column_2", "None"), ("Column_3", "None")} <= missing_types(
        booster()
    )
    known = drawn(200, 5)
    for column in range(4):
        unknown = known.copy()
        unknown[:, column] = NAN
        found = between([booster()], known, unknown)
        difference = raw(booster(), unknown) - raw(booster(), known)
        np.testing.assert_allclose(found[:, column], difference, rtol=0, atol=1e-9)
        assert (np.delete(found, column, axis=1) == 0).all()
        assert (difference != 0).any()


def test_where_training_had_no_unknown_value_it_counts_as_0():
    known, unknown = drawn(200, 6), drawn(200, 6)
    known[:, 1:4], unknown[:, 1:4] = 0.0, NAN
    assert (between([booster()], known, unknown) == 0).all()


def test_a_value_on_a_threshold_goes_where_lightgbm_sends_it():
    splits = booster().trees_to_dataframe().dropna(subset=["threshold"])
    # LightGBM reads what is nearer to 0 than 1e-35 as 0, and splits there.
    splits = splits[splits["threshold"].abs() > 1e-30]
    assert len(splits) > 20
    before = drawn(len(splits), 7)
    after = before.copy()
    column = splits["split_feature"].str.removeprefix("Column_").astype(int).to_numpy()
    after[np.arange(len(splits)), column] = splits["threshold"]
    difference = raw(booster(), after) - raw(booster(), before)
    np.testing.assert_allclose(between([booster()], before, after).sum(axis=1), difference, rtol=0, atol=1e-9)


def test_what_does_not_move_has_no_share_and_the_way_back_is_worth_the_opposite():
    before, after = drawn(200, 8, 0.2), drawn(200, 9, 0.2)
    stays = np.random.default_rng(0).random(after.shape) < 0.5
    after[stays] = before[stays]
    there, back = between([booster()], before, after), between([booster()], after, before)
    assert (there[stays] == 0).all()
    np.testing.assert_allclose(there, -back, rtol=0, atol=1e-12)
    assert (there != 0).any()


def test_a_column_that_no_tree_reads_has_no_share():
    before, after = drawn(50, 10), drawn(50, 11)
    after[:, 4] = 99.0
    found = between([booster()], before, after)
    assert (found[:, 4] == 0).all()
    assert (found[:, :4] != 0).any(axis=0).all()


def test_more_rows_than_are_held_at_a_time_are_worth_the_same():
    large = booster(0, 60, 15)
    most = CELLS // len(Leaves.of(large).feature)
    before, after = drawn(2 * most + 7, 12, 0.1), drawn(2 * most + 7, 13, 0.1)
    found = between([large], before, after)
    np.testing.assert_allclose(found.sum(axis=1), raw(large, after) - raw(large, before), rtol=0, atol=1e-9)
    for edge in (most, 2 * most):
        here = slice(edge - 3, edge + 3)
        np.testing.assert_allclose(found[here], between([large], before[here], after[here]), rtol=0, atol=1e-12)


def test_shap_finds_the_same_where_nothing_is_unknown():
    import shap

    before, after = drawn(12, 14), drawn(12, 15)
    expected = []
    for start, end in zip(before, after, strict=True):
        explainer = shap.TreeExplainer(booster(), start[np.newaxis], feature_perturbation="interventional")
        expected.append(explainer.shap_values(end[np.newaxis], check_additivity=False)[0])
    np.testing.assert_allclose(between([booster()], before, after), expected, rtol=0, atol=1e-6)


# --- bags and boosters of a special kind


def test_a_bag_is_worth_the_mean_of_its_boosters():
    before, after = drawn(30, 16), drawn(30, 17)
    alone = [between([booster(seed)], before, after) for seed in (0, 1)]
    assert not np.allclose(*alone)
    np.testing.assert_allclose(
        between([booster(0), booster(1)], before, after), np.mean(alone, axis=0), rtol=0, atol=1e-12
    )


def test_an_empty_bag_finds_nothing():
    assert (between([], drawn(3, 18), drawn(3, 19)) == np.zeros((3, len(COLUMNS)))).all()


def test_nobody_gives_no_rows():
    assert between([booster()], drawn(0, 20), drawn(0, 21)).shape == (0, len(COLUMNS))


def test_a_booster_of_single_leaves_finds_nothing():
    X = drawn(100, 22)
    lone = learnt(X, np.arange(100) % 2, min_child_samples=1000)
    assert lone.trees_to_dataframe()["split_feature"].isna().all()
    assert (between([lone], X[:50], X[50:]) == np.zeros((50, len(COLUMNS)))).all()


def test_a_split_by_category_is_refused():
    X = drawn(400, 24)
    X[:, 0] = np.arange(400) % 6
    by_category = learnt(X, np.isin(X[:, 0], (1, 4)), categories=[0])
    with pytest.raises(ValueError, match="expected splits by <=; found '=='"):
        between([by_category], X[:2], X[2:4])


# --- as the bags of a contestant


def fitted(*bag: lightgbm.Booster) -> FittedBoosting:
    return FittedBoosting(RHYTHM.fit(training(drawn_rows())), COLUMNS, (bag, (), (), ()), 1.0)


def snapshots(X: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(X, columns=list(COLUMNS))


@pytest.mark.parametrize("unknown", [0.0, 0.3])
def test_against_others_a_feature_has_the_mean_of_its_shapley_values_against_each(unknown):
    boosting, rows, others = fitted(booster(0), booster(1)), drawn(6, 25, unknown), drawn(5, 26, unknown)
    expected = np.mean(
        [[[shapley(one, other, row) for other in others] for row in rows] for one in boosting.bags[0]], axis=(0, 2)
    )
    found = boosting.contributions(snapshots(rows), 0, snapshots(others))
    np.testing.assert_allclose(found[:, :-1], expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found[:, -1], boosting.correction(snapshots(others), 0).mean(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), boosting.correction(snapshots(rows), 0), rtol=0, atol=1e-9)


def test_those_compared_with_have_nothing_that_sets_them_apart_in_the_mean():
    boosting, others = fitted(booster()), snapshots(drawn(20, 27, 0.1))
    found = boosting.contributions(others, 0, others)[:, :-1]
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-9)
    assert np.abs(found).max() > 0.1


def test_a_move_between_snapshots_is_what_the_correction_moves():
    boosting = fitted(booster(0), booster(1))
    before, after = snapshots(drawn(40, 28, 0.2)), snapshots(drawn(40, 29, 0.2))
    moved = boosting.moved(before, after, 0)
    difference = boosting.correction(after, 0) - boosting.correction(before, 0)
    np.testing.assert_allclose(moved.sum(axis=1), difference, rtol=0, atol=1e-9)
    assert (boosting.moved(before, after, 1) == np.zeros((40, len(COLUMNS)))).all()
