"""Thresholds within a capacity, and the figures of a quarter and of every level and rule, against hand counts."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from worlds import drawn_rows, training

from features.labels import HORIZONS
from features.windows import Window
from models.churn_model import assemble
from models.classifiers import LIGHTGBM, Boosting, BoostingOptions
from models.evaluation import wilson
from models.level_capacity import within_capacity
from models.levels import CAPACITY, DEFAULT_PROMISES, PROMISE, Promise, changes, solve
from models.logistic import LOGISTIC, Logistic
from models.record import Record
from models.track_record import EPISODES, LOSSES, OUTCOMES, QuarterReport, Share, confusion, quarter_report


def walk_of(seed: int = 0, weeks: int = 30, customers: int = 300) -> pd.DataFrame:
    """Weekly scorings of customers whose chances wander, with outcomes drawn by them."""
    rng = np.random.default_rng(seed)
    drift = np.cumsum(rng.normal(0, 0.35, (weeks, customers)), axis=0) + rng.normal(-0.5, 1, customers)
    probability = 1 / (1 + np.exp(-drift))
    rows = pd.DataFrame(
        {
            "customer_id": np.tile([f"C{place:03d}" for place in range(customers)], weeks),
            "as_of": np.repeat(pd.date_range("2025-01-06", periods=weeks, freq="7D"), customers),
            "probability": probability.ravel(),
            "queue": "early",
        }
    )
    return rows.assign(lost=(rng.random(len(rows)) < rows["probability"]).astype("float64"))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ml_04_with_a_capacity_of_twenty_a_week_at_most_twenty_open_and_the_log_says_why(seed):
    rows = walk_of(seed)
    promised = solve(rows["probability"], rows["lost"], rows["as_of"], DEFAULT_PROMISES, rows["queue"])
    limited = within_capacity(promised, rows, {"blue": 20.0}, closed_after_days=14)
    blue = limited.levels[-1]
    assert blue.per_week is not None
    assert blue.per_week <= 20
    tried = [level.threshold for level in promised.levels]
    loose = within_capacity(promised, rows, {"blue": 20.0}, tolerance=0.1, closed_after_days=14).levels[-1]
    assert loose.per_week is not None
    assert loose.per_week <= 22
    assert all(
        level.threshold >= was for level, was in zip(limited.levels, tried, strict=True) if was and level.threshold
    )
    assert limited == within_capacity(
        promised, rows.sample(frac=1, random_state=1), {"blue": 20.0}, closed_after_days=14
    )


def test_ml_04_the_log_of_a_change_is_plain_and_tells_before_after_why_and_how_many():
    rows = walk_of()
    promised = solve(rows["probability"], rows["lost"], rows["as_of"], DEFAULT_PROMISES, rows["queue"])
    limited = within_capacity(promised, rows, {"blue": 5.0}, closed_after_days=14)
    (line,) = changes(promised, limited)
    assert (line.level, line.why, line.n) == ("blue", "capacity", limited.levels[-1].n)
    assert (line.was, line.now) == (promised.levels[-1].threshold, limited.levels[-1].threshold)
    assert json.loads(json.dumps(asdict(line))) == asdict(line)
    assert changes(limited, limited) == ()


def test_ml_04_a_champion_is_trained_within_the_capacity():
    rows = training(drawn_rows())
    learners = {LIGHTGBM: Boosting(LIGHTGBM, BoostingOptions(rounds=3)), LOGISTIC: Logistic(LOGISTIC)}
    fitted = {name: learner.fit(rows) for name, learner in learners.items()}
    margins = np.repeat(logit(np.linspace(0.05, 0.95, len(rows.rows)))[:, None], len(HORIZONS), axis=1)
    record = Record().with_predictions(rows.rows, np.stack([margins] * 3), margins).known_at(rows)
    promises = {"blue": Promise(0.05, 1.0)}
    free, limited = (
        assemble(fitted, record, rows, promises, Window(), 1.5, capacity).levels.levels[0]
        for capacity in (None, {"blue": 2.0})
    )
    assert (free.by, free.per_week) == (PROMISE, None)
    assert (limited.by, limited.capacity) == (CAPACITY, 2.0)
    assert limited.threshold > free.threshold
    assert 0 < limited.per_week <= 2


# --- a quarter

EPISODE_ROWS = [
    ("1", "A", "2026-01-01", None, "red", "early", "Abe", False, 100.0),
    ("2", "B", "2026-02-01", None, "red", "early", "Abe", False, 50.0),
    ("3", "C", "2026-03-31", None, "blue", "early", "Abe", True, 20.0),
    ("4", "D", "2026-02-01", "2026-02-20", "blue", "early", "Abe", True, 10.0),
    ("5", "D", "2026-03-20", None, "blue", "early", "Abe", False, 15.0),
    ("6", "E", "2025-12-31", None, "blue", "early", "Abe", False, 99.0),
    ("7", "F", "2026-04-01", None, "blue", "early", "Abe", False, 99.0),
]
OUTCOME_ROWS = [
    ("1", 1.0, 0.0, None, None, "2026-03-02"),
    ("2", 0.0, 1.0, None, None, None),
    ("3", 0.0, 1.0, None, None, None),
    ("4", 1.0, 0.0, None, None, "2026-03-01"),
    ("5", np.nan, np.nan, None, None, None),
]
LOSS_ROWS = [("A", "2026-03-02", 1.0), ("D", "2026-03-01", 1.0), ("G", "2026-01-01", 1.0), ("A", "2026-04-01", 1.0)]


def quarter_tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    return (
        pd.DataFrame(EPISODE_ROWS, columns=list(EPISODES)),
        pd.DataFrame(OUTCOME_ROWS, columns=list(OUTCOMES)),
        pd.DataFrame(LOSS_ROWS, columns=list(LOSSES)),
    )


def test_ml_07_the_report_of_a_quarter_equals_what_is_counted_by_hand():
    assert quarter_report(*quarter_tables(), "2026Q1") == QuarterReport(
        alerts=5,
        precision=Share.of(1, 2),  # A and B; C and D were treated, D's second one has not matured
        recall=Share.of(2, 3),  # A and D of A, D and G
        lead_days=44.0,  # 60 for A, 28 for D
        saves=Share.of(1, 2),
        compared=Share.of(1, 2),
        value=185.0,  # D once, at 15
    )


def test_ml_07_without_a_comparison_nothing_is_said_of_saves():
    episodes, outcomes, losses = quarter_tables()
    found = quarter_report(episodes.assign(treated=True), outcomes, losses, "2026Q1")
    assert (found.saves, found.compared, found.precision.n) == (None, None, 0)
    assert found.alerts == 5


# --- by level and by rule

COHORT = pd.DataFrame({"customer_id": list("ABCDEFGH"), "as_of": "2026-01-01", "lost": [1, 1, 1, 0, 0, 0, 0, np.nan]})
WARNED = pd.DataFrame(
    {
        "customer_id": ["A", "B", "D", "C", "A", "H", "A"],
        "as_of": "2026-01-01",
        "name": ["red", "red", "red", "blue", "late_order", "late_order", "late_order"],
    }
)


def test_ml_08_confusion_counts_by_level_and_by_rule_equal_hand_counts():
    found = confusion(COHORT, WARNED).set_index("name")
    counts = ["n", "lost_warned", "kept_warned", "lost_not_warned", "kept_not_warned"]
    assert found[counts].to_dict("index") == {
        "blue": dict(zip(counts, (7, 1, 0, 2, 4), strict=True)),
        "late_order": dict(zip(counts, (7, 1, 0, 2, 4), strict=True)),  # twice the same, and H has not matured
        "red": dict(zip(counts, (7, 2, 1, 1, 3), strict=True)),
    }
    assert (found[counts[1:]].sum(axis=1) == found["n"]).all()


def test_ml_08_precision_recall_and_lift_stand_beside_with_their_intervals():
    red = confusion(COHORT, WARNED).set_index("name").loc["red"]
    assert (red["precision"], red["recall"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert red["lift"] == pytest.approx((2 / 3) / (3 / 7))
    assert (red["precision_low"], red["precision_high"]) == tuple(map(float, wilson(2, 3)))
    never = confusion(COHORT.assign(lost=np.nan), WARNED)
    assert never["precision"].isna().all()
