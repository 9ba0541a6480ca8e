"""Rules stand beside models: their ranking is never changed, only read as probabilities."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from worlds import training

from features.labels import HORIZONS
from models.rules import RULES, Rule

SILENCE = Rule("silence", "days_since_last_order")
DAYS = np.array([1.0, 5, 10, 20, 40, 80, 160, 320] * 5)


def rows(silent: np.ndarray, days: np.ndarray = DAYS) -> pd.DataFrame:
    """Matured snapshots of one date; who is silent orders after a year, who is not orders the next day."""
    return pd.DataFrame(
        {
            "as_of": pd.Timestamp(2024, 1, 1),
            "days_since_last_order": days,
            "days_to_next_order": np.where(silent, 365.0, 1.0),
            "observed_days": 400,
        }
    )


def of(days: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"days_since_last_order": days})


@pytest.mark.parametrize("silent", [DAYS > 30, DAYS < 30], ids=["as expected", "reversed"])
def test_a_longer_silence_is_never_the_lesser_risk(silent):
    noisy = silent ^ (np.arange(len(DAYS)) % 5 == 0)
    margins = SILENCE.fit(training(rows(noisy))).margins(of([1, 2, 30, 31, 300, 301]))
    assert margins.shape == (6, len(HORIZONS))
    assert (np.diff(margins, axis=0) > 0).all()


def test_the_curve_has_the_level_of_the_outcomes_it_was_read_off():
    noisy = (DAYS > 30) ^ (np.arange(len(DAYS)) % 5 == 0)
    history = rows(noisy)
    p = expit(SILENCE.fit(training(history)).margins(history))
    assert p.mean(axis=0) == pytest.approx(noisy.mean(), abs=1e-4)
    assert (p[noisy].mean(axis=0) > p[~noisy].mean(axis=0)).all()


def test_twice_the_silence_adds_the_same_to_the_margin_whatever_the_silence():
    noisy = (DAYS > 30) ^ (np.arange(len(DAYS)) % 5 == 0)
    margins = SILENCE.fit(training(rows(noisy))).margins(of([5, 10, 20, 40]))
    np.testing.assert_allclose(np.diff(margins, n=2, axis=0), 0, atol=1e-12)


def test_an_unknown_value_counts_as_the_usual_one():
    fitted = SILENCE.fit(training(rows(DAYS > 30)))
    margins = fitted.margins(of([10, np.nan, 20, 40]))
    assert margins[1] == pytest.approx(margins[2])


def test_a_silence_of_no_days_and_one_that_nobody_knows_have_finite_margins():
    fitted = SILENCE.fit(training(rows(DAYS > 30)))
    assert np.isfinite(fitted.margins(of([0.0, np.nan]))).all()
    assert np.isfinite(fitted.margins(of([np.nan]))).all()


@pytest.mark.parametrize(("silent", "learnt"), [(0, False), (4, False), (5, True), (35, True), (36, False)])
def test_a_curve_needs_five_of_each_outcome_and_without_them_the_median_has_even_odds(silent, learnt):
    order = np.argsort(-DAYS, kind="stable")
    mask = np.zeros(len(DAYS), dtype=bool)
    mask[order[:silent]] = True
    fitted = SILENCE.fit(training(rows(mask)))
    assert all((curve != (0.0, 1.0)) == learnt for curve in fitted.curves)
    if not learnt:
        median = float(np.exp(np.median(np.log(DAYS))))
        np.testing.assert_allclose(fitted.margins(of([median])), 0, atol=1e-12)


def test_only_what_had_matured_shapes_the_curve_of_a_horizon():
    history = rows(DAYS > 30)
    unseen = history.assign(observed_days=np.where(np.arange(len(DAYS)) < 20, 100, 30))
    changed = unseen.assign(
        days_to_next_order=np.where(unseen["observed_days"] == 30, 1.0, unseen["days_to_next_order"])
    )
    one, other = (SILENCE.fit(training(frame)).curves for frame in (unseen, changed))
    assert one[0] != other[0]
    assert one[1:] == other[1:]
    assert one[3] == (0.0, 1.0)


def test_the_shipped_rules_are_the_silence_and_the_silence_in_own_cycles():
    assert [rule.feature for rule in RULES] == ["days_since_last_order", "days_since_last_order_vs_mean_gap"]
