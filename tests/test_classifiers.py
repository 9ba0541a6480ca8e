"""Learners learn the shape from every matured row, no other, and add up to what they say."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from worlds import COLUMNS, drawn_rows, matured_until, training

from features.labels import HORIZONS
from models.classifiers import RHYTHM, Boosting, BoostingOptions, FittedBoosting
from models.contestants import Training
from models.label_free import column
from models.logistic import Logistic
from models.offsets import level_offsets
from models.ranks import places_by_date

FEW_ROUNDS = BoostingOptions(rounds=20, learning_rate=0.1, min_child_samples=20, bags=2)
BOOSTING = Boosting("boosting", FEW_ROUNDS, min_minority=20)
ONE_SLICE = replace(BOOSTING, newest_slice_only=True)
LOGISTIC = Logistic("logistic", strength=0.01, min_minority=20)
#: The oldest of the drawn dates; the others follow every 30 days.
DAY_0 = pd.Timestamp("2024-01-01")


def texts(fitted: FittedBoosting) -> list[list[str]]:
    """The trees of each bag, without the settings that LightGBM writes behind them."""
    return [[booster.model_to_string().split("parameters:")[0] for booster in bag] for bag in fitted.bags]


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


def changed_since(rows: pd.DataFrame, since: pd.Timestamp) -> tuple[Training, Training]:
    """The rows as given, and with other outcomes and other label-free log-odds from a date on; one book for both."""
    newest = rows["as_of"] >= since
    noise = np.random.default_rng(2).permutation(int(newest.sum()))
    other = rows.copy()
    for name in ("days_to_next_order", *(column(variant, 90) for variant in RHYTHM.candidates)):
        other.loc[newest, name] = rows.loc[newest, name].to_numpy()[noise]
    assert not rows.equals(other)
    one, two = (replace(training(frame), book=training(rows).book) for frame in (rows, other))
    return one, two


def test_a_date_whose_shortest_horizon_has_not_passed_changes_no_learner():
    rows = matured_until(drawn_rows(dates=5), DAY_0 + pd.Timedelta(days=149))
    one, two = changed_since(rows, DAY_0 + pd.Timedelta(days=120))
    assert texts(BOOSTING.fit(one)) == texts(BOOSTING.fit(two))
    assert LOGISTIC.fit(one).lines == LOGISTIC.fit(two).lines


def test_trees_of_a_horizon_learn_from_the_dates_that_have_matured_at_it():
    rows = matured_until(drawn_rows(dates=5), DAY_0 + pd.Timedelta(days=150))
    one, two = changed_since(rows, DAY_0 + pd.Timedelta(days=90))
    before, after = (texts(BOOSTING.fit(given)) for given in (one, two))
    assert before[2:] == after[2:]
    assert before[0] != after[0]


def test_a_longer_horizon_of_the_regression_learns_from_shorter_ones_and_none_from_longer_ones():
    # An order between 60 and 90 days says nothing of 30 and 60 days; one within 30 says something of 90 as well.
    rows = drawn_rows()
    late = (rows["days_to_next_order"] >= 60) & (rows["days_to_next_order"] < 90)
    soon = rows["days_to_next_order"] < 30
    usual, longer, shorter = (
        LOGISTIC.fit(training(rows.assign(days_to_next_order=rows["days_to_next_order"].mask(here, to)))).lines
        for here, to in ((late, 75.0), (late, 95.0), (soon & (rows.index % 2 == 0), 45.0))
    )
    assert longer[:2] == usual[:2]
    assert longer[2] != usual[2]
    assert longer[3] != usual[3]
    assert all(shorter[i] != usual[i] for i in range(4))


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


def test_a_column_that_nobody_has_yet_counts_for_nothing_and_comes_back_from_plain_values():
    rows = drawn_rows().assign(gap_cv_ever=np.nan)
    fitted = LOGISTIC.fit(training(rows))
    assert (fitted.margins(rows) == fitted.margins(drawn_rows())).all()
    again = type(fitted).from_dict(json.loads(json.dumps(fitted.to_dict(), allow_nan=False)), fitted.rhythm)
    assert again == fitted


def test_the_regression_is_the_one_with_the_lowest_penalised_loss_over_its_own_and_all_shorter_horizons():
    rows = drawn_rows()
    fitted = LOGISTIC.fit(training(rows))
    places = places_by_date(rows, COLUMNS)
    for last in range(4):
        b = np.array(fitted.lines[last])
        slope = b / LOGISTIC.strength
        for days in HORIZONS[: last + 1]:
            start = rows[column(fitted.rhythm.variant, days)]
            y = (rows["days_to_next_order"] >= days).astype("float64")
            offset = start.to_numpy() + level_offsets(start, y, rows["as_of"])
            slope = slope + places.T @ (expit(offset + places @ b) - y.to_numpy())
        np.testing.assert_allclose(slope, 0, atol=0.05)
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


def test_what_the_regression_adds_to_a_customer_does_not_depend_on_its_company():
    rows = drawn_rows()
    fitted = LOGISTIC.fit(training(rows))
    whole = fitted.margins(rows)
    for count in (1, 2, 3, 7, 50):
        some = np.random.default_rng(count).choice(len(rows), count, replace=False)
        assert (fitted.margins(rows.iloc[some]) == whole[some]).all()


def test_trees_are_given_the_strongest_columns_alone():
    few = replace(BOOSTING, options=replace(FEW_ROUNDS, most_columns=3))
    fitted = few.fit(training(drawn_rows(dates=6)))
    assert len(fitted.columns) == 3
    assert "revenue_90d" in fitted.columns
    assert fitted.columns == tuple(name for name in COLUMNS if name in fitted.columns)
    assert fitted.contributions(drawn_rows(), 1).shape == (480, 4)


def test_the_mean_of_the_bag_is_what_counts():
    rows = drawn_rows()
    fitted = BOOSTING.fit(training(rows))
    each = fitted.corrections(rows, 1)
    assert each.shape == (2, len(rows))
    np.testing.assert_allclose(fitted.correction(rows, 1), each.mean(axis=0), atol=1e-15)
    np.testing.assert_allclose(fitted.margins(rows)[:, 1], fitted.rhythm.margins(rows)[:, 1] + each.mean(axis=0))
