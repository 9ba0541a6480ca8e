"""Learners learn the shape from every matured row, no other, and add up to what they say."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from worlds import drawn_rows, matured_until, training

from features.labels import HORIZONS
from models.classifiers import (
    LOGISTIC_COLUMNS,
    RHYTHM,
    Boosting,
    BoostingOptions,
    FittedBoosting,
    Line,
    Logistic,
    level_offsets,
)
from models.label_free import column

FEW_ROUNDS = BoostingOptions(rounds=20, learning_rate=0.1)
BOOSTING = Boosting("boosting", FEW_ROUNDS, min_minority=20)
ONE_SLICE = replace(BOOSTING, newest_slice_only=True)
LOGISTIC = Logistic("logistic", min_minority=20)
#: The oldest of the drawn dates; the others follow every 30 days.
DAY_0 = pd.Timestamp("2024-01-01")


def texts(fitted: FittedBoosting) -> list[str | None]:
    """The trees, without the settings that LightGBM writes behind them."""
    return [
        None if booster is None else booster.model_to_string().split("parameters:")[0] for booster in fitted.boosters
    ]


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
    assert fitted.contributions(nobody, 0).shape == (0, len(LOGISTIC_COLUMNS) + 1)
    assert LOGISTIC.fit(training(drawn_rows())).margins(nobody).shape == (0, 4)


# --- what is learnt from


def test_what_had_not_matured_changes_no_learner():
    cutoff = DAY_0 + pd.Timedelta(days=150)
    rows = matured_until(drawn_rows(dates=5), cutoff)
    newest = rows["as_of"] > cutoff - pd.Timedelta(days=90)
    assert newest.sum() == 2 * 120
    noise = np.random.default_rng(2).permutation(int(newest.sum()))
    other = rows.copy()
    for name in (*LOGISTIC_COLUMNS[2:], "days_to_next_order", column(RHYTHM.candidates[0], 90)):
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


def test_line_contributions_and_intercept_add_up_to_the_margin():
    rows = drawn_rows().assign(gap_cv_ever=drawn_rows()["gap_cv_ever"].mask(drawn_rows().index % 3 == 0))
    fitted = LOGISTIC.fit(training(rows))
    start = fitted.rhythm.margins(rows)
    for i, line in enumerate(fitted.lines):
        parts = fitted.parts(rows, start, i)
        assert parts.shape == (len(rows), len(LOGISTIC_COLUMNS) + 1)
        np.testing.assert_allclose(line.intercept + parts.sum(axis=1), fitted.margins(rows)[:, i], atol=1e-12)
        assert (parts[rows.index % 3 == 0, LOGISTIC_COLUMNS.index("gap_cv_ever")] == 0).all()


def test_a_line_of_one_column_by_hand():
    line = Line(intercept=-1.0, coefficients=(2.0,), mean=(3.0,), spread=(0.5,))
    assert line.contributions(np.array([[3.0], [4.0], [2.5], [np.nan]])).ravel() == pytest.approx([0, 4, -2, 0])


def test_the_line_is_the_ridge_regression_of_standardised_logarithms():
    rows = drawn_rows()
    fitted = LOGISTIC.fit(training(rows))
    start = rows[column(fitted.rhythm.variant, 90)]
    X = pd.concat([np.log1p(rows[list(LOGISTIC_COLUMNS)]), start], axis=1).to_numpy()
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    model = LogisticRegression(C=LOGISTIC.strength).fit(Z, rows["days_to_next_order"] >= 90)
    line = fitted.lines[2]
    contributions = line.contributions(X).sum(axis=1) + line.intercept
    np.testing.assert_allclose(contributions, model.decision_function(Z), atol=1e-9)


def test_a_column_that_nobody_has_yet_counts_for_nothing_and_leaves_no_gap_in_the_artefact():
    rows = drawn_rows().assign(gap_cv_ever=np.nan)
    fitted = LOGISTIC.fit(training(rows))
    later = drawn_rows()
    for line in fitted.lines:
        assert np.isfinite([*line.coefficients, *line.mean, *line.spread]).all()
    assert (fitted.margins(rows) == fitted.margins(later)).all()


def test_a_horizon_without_a_line_has_no_parts():
    rows = matured_until(drawn_rows(), DAY_0 + pd.Timedelta(days=150))
    fitted = LOGISTIC.fit(training(rows))
    assert fitted.lines[3] is None
    with pytest.raises(ValueError, match="no line was fitted for 180 days"):
        fitted.parts(rows, fitted.rhythm.margins(rows), 3)
