"""Learners learn the shape from every matured row, no other, and add up to what they say."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from worlds import COLUMNS, drawn_rows, matured_until, training

from features.labels import HORIZONS
from models.classifiers import (
    RHYTHM,
    Boosting,
    BoostingOptions,
    FittedBoosting,
)
from models.label_free import column
from models.logistic import Logistic
from models.offsets import level_offsets
from models.ranks import KNOTS, Ranks

FEW_ROUNDS = BoostingOptions(rounds=20, learning_rate=0.1, min_child_samples=20, bags=2)
BOOSTING = Boosting("boosting", FEW_ROUNDS, min_minority=20)
ONE_SLICE = replace(BOOSTING, newest_slice_only=True)
LOGISTIC = Logistic("logistic", strength=0.01, min_minority=20)
#: The oldest of the drawn dates; the others follow every 30 days.
DAY_0 = pd.Timestamp("2024-01-01")


def texts(fitted: FittedBoosting) -> list[list[str]]:
    """The trees of each bag, without the settings that LightGBM writes behind them."""
    return [[booster.model_to_string().split("parameters:")[0] for booster in bag] for bag in fitted.bags]


# --- the level of a date


def test_the_offset_gives_each_date_its_own_share_of_silent_customers():
    start = pd.Series([-1.0, 0.0, 1.0, 2.0, 0.0, 3.0, 3.0])
    outcome = pd.Series([0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    as_of = pd.Series(pd.to_datetime(["2024-01-01"] * 4 + ["2024-02-01"] * 3))
    offsets = level_offsets(start, outcome, as_of)
    p = expit(start + offsets)
    assert len(set(offsets[:4])) == len(set(offsets[4:])) == 1
    assert p[:4].mean() == pytest.approx((1 + 0.5) / 5)
    assert p[4:].mean() == pytest.approx((3 + 0.5) / 4)


def test_the_offset_does_not_depend_on_the_order_of_rows_or_on_other_dates():
    rows = drawn_rows()
    start, outcome = rows[column(RHYTHM.candidates[0], 90)], (rows["days_to_next_order"] >= 90).astype("float64")
    offsets = pd.Series(level_offsets(start, outcome, rows["as_of"]), index=rows.index)
    mixed = rows.index[np.random.default_rng(0).permutation(len(rows))]
    np.testing.assert_allclose(level_offsets(start[mixed], outcome[mixed], rows["as_of"][mixed]), offsets[mixed])
    first = rows.index[rows["as_of"] == DAY_0]
    assert (level_offsets(start[first], outcome[first], rows["as_of"][first]) == offsets[first]).all()


# --- when there is too little to learn from


@pytest.mark.parametrize(("rarer", "learnt"), [(19, False), (20, True), (21, True)])
@pytest.mark.parametrize("contestant", [BOOSTING, LOGISTIC])
def test_a_horizon_needs_enough_of_the_rarer_outcome(contestant, rarer, learnt):
    rows = drawn_rows()
    place = np.random.default_rng(1).permutation(len(rows))
    rows = rows.assign(days_to_next_order=np.where(place < rarer, 500.0, 1.0))
    fitted = contestant.fit(training(rows))
    same = fitted.margins(rows) == fitted.rhythm.margins(rows)
    assert same.all() == (not learnt)


@pytest.mark.parametrize(
    ("contestant", "dates", "learnt"),
    [(BOOSTING, 2, False), (BOOSTING, 3, True), (ONE_SLICE, 1, True), (LOGISTIC, 1, False), (LOGISTIC, 2, True)],
)
def test_a_horizon_needs_enough_matured_dates(contestant, dates, learnt):
    rows = drawn_rows()
    rows = matured_until(rows, DAY_0 + pd.Timedelta(days=30 * (dates - 1) + 30))
    fitted = contestant.fit(training(rows))
    margins, start = fitted.margins(rows), fitted.rhythm.margins(rows)
    assert (margins[:, 0] == start[:, 0]).all() == (not learnt)
    assert (margins[:, 3] == start[:, 3]).all()


def test_nobody_to_score_gives_no_margins():
    fitted = BOOSTING.fit(training(drawn_rows()))
    nobody = drawn_rows().head(0)
    assert fitted.margins(nobody).shape == (0, 4)
    assert fitted.contributions(nobody, 0).shape == (0, len(COLUMNS) + 1)
    assert LOGISTIC.fit(training(drawn_rows())).margins(nobody).shape == (0, 4)


# --- what is learnt from


def test_what_had_not_matured_changes_no_learner():
    cutoff = DAY_0 + pd.Timedelta(days=150)
    rows = matured_until(drawn_rows(dates=5), cutoff)
    newest = rows["as_of"] > cutoff - pd.Timedelta(days=90)
    assert newest.sum() == 2 * 120
    noise = np.random.default_rng(2).permutation(int(newest.sum()))
    other = rows.copy()
    for name in ("days_to_next_order", *(column(variant, 90) for variant in RHYTHM.candidates)):
        other.loc[newest, name] = rows.loc[newest, name].to_numpy()[noise]
    book = training(rows).book
    one, two = (replace(training(frame), book=book) for frame in (rows, other))
    assert not one.rows.equals(two.rows)
    assert texts(BOOSTING.fit(one))[2:] == texts(BOOSTING.fit(two))[2:]
    assert texts(BOOSTING.fit(one))[0] != texts(BOOSTING.fit(two))[0]
    assert LOGISTIC.fit(one).lines[2:] == LOGISTIC.fit(two).lines[2:]
    assert LOGISTIC.fit(one).lines[0] != LOGISTIC.fit(two).lines[0]


def test_boosting_learns_from_every_matured_date_and_its_twin_from_the_newest_one():
    rows = drawn_rows()
    first = rows["as_of"] == DAY_0
    reordered = rows.loc[first, "revenue_90d"].to_numpy()[::-1]
    other = rows.assign(revenue_90d=rows["revenue_90d"].mask(first, pd.Series(reordered, index=rows.index[first])))
    assert texts(BOOSTING.fit(training(rows))) != texts(BOOSTING.fit(training(other)))
    assert texts(ONE_SLICE.fit(training(rows))) == texts(ONE_SLICE.fit(training(other)))


def test_the_level_of_a_date_is_not_learnt_only_who_stands_out_on_it():
    rows = drawn_rows()
    starts = [column(variant, days) for variant in RHYTHM.candidates for days in HORIZONS]
    first = rows["as_of"] == DAY_0
    lifted = rows.assign(**{name: rows[name] + 0.7 * first for name in starts})
    one, two = BOOSTING.fit(training(rows)), BOOSTING.fit(training(lifted))
    assert one.rhythm == two.rhythm
    for i in range(4):
        np.testing.assert_allclose(one.correction(rows, i), two.correction(rows, i), atol=1e-9)
        assert np.abs(one.correction(rows, i)).max() > 0.3


def test_a_learner_tells_apart_what_the_label_free_model_cannot():
    rows = drawn_rows(dates=6)
    spender = rows["revenue_90d"] > 4
    for fitted in (BOOSTING.fit(training(rows)), LOGISTIC.fit(training(rows))):
        gain = fitted.margins(rows) - fitted.rhythm.margins(rows)
        assert (gain[~spender].mean(axis=0) > gain[spender].mean(axis=0)).all()


def test_the_same_rows_give_the_same_trees_whatever_the_threads():
    one = training(drawn_rows())
    assert texts(BOOSTING.fit(one)) == texts(BOOSTING.fit(replace(one, threads=2)))
    assert texts(BOOSTING.fit(one)) != texts(BOOSTING.fit(replace(one, seed=1)))


# --- what the parts add up to


def test_tree_contributions_add_up_to_the_correction():
    rows = drawn_rows()
    fitted = BOOSTING.fit(training(rows))
    for i in range(4):
        np.testing.assert_allclose(fitted.contributions(rows, i).sum(axis=1), fitted.correction(rows, i), atol=1e-12)


def test_what_the_columns_add_to_the_label_free_log_odds_is_the_regression():
    rows = drawn_rows().assign(gap_cv_ever=drawn_rows()["gap_cv_ever"].mask(drawn_rows().index % 3 == 0))
    fitted = LOGISTIC.fit(training(rows))
    start, places = fitted.rhythm.margins(rows), fitted.ranks.places(rows)
    for i in range(4):
        parts = fitted.contributions(places, i)
        assert parts.shape == (len(rows), len(COLUMNS))
        np.testing.assert_allclose(start[:, i] + parts.sum(axis=1), fitted.margins(rows)[:, i], atol=1e-12)
        assert (parts[rows.index % 3 == 0, COLUMNS.index("gap_cv_ever")] == 0).all()


# --- places among the customers of a date


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


def test_a_column_that_nobody_has_yet_counts_for_nothing_and_comes_back_from_plain_values():
    rows = drawn_rows().assign(gap_cv_ever=np.nan)
    fitted = LOGISTIC.fit(training(rows))
    assert (fitted.margins(rows) == fitted.margins(drawn_rows())).all()
    again = type(fitted).from_dict(json.loads(json.dumps(fitted.to_dict(), allow_nan=False)), fitted.rhythm)
    assert again == fitted


def test_the_regression_is_the_one_with_the_lowest_penalised_loss():
    rows = drawn_rows()
    fitted = LOGISTIC.fit(training(rows))
    start = rows[column(fitted.rhythm.variant, 90)]
    y = (rows["days_to_next_order"] >= 90).astype("float64")
    offset = start.to_numpy() + level_offsets(start, y, rows["as_of"])
    places = np.zeros((len(rows), len(COLUMNS)))
    for here in rows.groupby("as_of").indices.values():
        places[here] = Ranks.of_cohort(rows.iloc[here], COLUMNS).places(rows.iloc[here])
    b = np.array(fitted.lines[2])
    slope = places.T @ (expit(offset + places @ b) - y.to_numpy()) + b / LOGISTIC.strength
    np.testing.assert_allclose(slope, 0, atol=0.02)
    assert np.abs(b).max() > 0.05


def test_what_everybody_of_a_date_has_more_of_changes_no_place():
    rows = drawn_rows()
    first = rows["as_of"] == DAY_0
    richer = rows.assign(revenue_90d=rows["revenue_90d"].mask(first, 3 * rows["revenue_90d"]))
    book = training(rows).book
    one, two = (LOGISTIC.fit(replace(training(frame), book=book)) for frame in (rows, richer))
    assert one.lines == two.lines


def test_only_the_asked_horizons_are_learnt():
    some = replace(training(drawn_rows()), horizons=(90,))
    assert [line is None for line in LOGISTIC.fit(some).lines] == [True, True, False, True]
    assert [len(bag) for bag in BOOSTING.fit(some).bags] == [0, 0, 2, 0]


# --- bags


def test_each_bag_draws_its_share_of_the_customers_with_all_their_snapshots():
    rows = drawn_rows()
    fitted = BOOSTING.fit(training(rows))
    for bag in fitted.bags:
        sizes = [int(booster.dump_model()["tree_info"][0]["tree_structure"]["internal_count"]) for booster in bag]
        # A tree sees four fifths of the bag's rows.
        assert all(0.5 * 480 * 0.8 < size < 0.85 * 480 * 0.8 for size in sizes)
        assert len({booster.model_to_string() for booster in bag}) == len(bag)
    assert fitted.share == 0.667


def test_with_many_rows_each_bag_draws_fewer_customers():
    options = BoostingOptions(rows_per_bag=1000, bag_share=0.5)
    assert options.share_of(1500) == 0.5
    assert options.share_of(10_000) == 0.1
    assert options.share_of(0) == 0.5


def test_the_mean_of_the_bag_is_what_counts():
    rows = drawn_rows()
    fitted = BOOSTING.fit(training(rows))
    each = fitted.corrections(rows, 1)
    assert each.shape == (2, len(rows))
    np.testing.assert_allclose(fitted.correction(rows, 1), each.mean(axis=0), atol=1e-15)
    np.testing.assert_allclose(fitted.margins(rows)[:, 1], fitted.rhythm.margins(rows)[:, 1] + each.mean(axis=0))
