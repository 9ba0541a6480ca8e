"""Rules stand beside models: their ranking is never changed, only read as probabilities."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from worlds import training

from benchmarks.standing_page import NAMES
from features.labels import HORIZONS
from models.health import Weights
from models.rules import HEALTH, RULES, HealthRule, Rule

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


def healthy(payment: list[float]) -> pd.DataFrame:
    """Snapshots of whom only the time to pay is known, against the usual one: 1 is a health of 100, 2 of 0."""
    return pd.DataFrame({"payment_days_mean_90d_vs_usual": payment})


def ill(reversed_too: bool) -> pd.DataFrame:
    """Matured snapshots in which those of health below 50 mostly fall silent, or mostly do not."""
    payment = np.linspace(1, 2, len(DAYS))
    silent = (payment > 1.5) ^ (np.arange(len(DAYS)) % 5 == 0) ^ reversed_too
    return rows(silent).join(healthy(payment.tolist()))


@pytest.mark.parametrize("reversed_too", [False, True], ids=["as expected", "reversed"])
def test_a_lower_health_score_is_never_the_lesser_risk(reversed_too):
    margins = HEALTH.fit(training(ill(reversed_too))).margins(healthy([1, 1.01, 1.4, 1.41, 1.9, 2]))
    assert margins.shape == (6, len(HORIZONS))
    assert (np.diff(margins, axis=0) > 0).all()


def test_the_health_rule_ranks_by_what_is_missing_to_full_health():
    assert HEALTH.score(healthy([1, 1.25, 2, 3])).tolist() == pytest.approx([0, 0.25, 1, 1])
    late_or_shrinking = healthy([1.5, np.nan]).assign(order_days_90d_vs_usual=[np.nan, 0.625])
    assert HEALTH.score(late_or_shrinking).tolist() == pytest.approx([0.5, 0.5])
    # 30 parts transaction of 100 and 15 parts finance of 0: one third is missing; with 10 parts and 35, seven ninths.
    both = healthy([2.0]).assign(order_days_90d_vs_usual=1.0)
    assert HEALTH.score(both).tolist() == pytest.approx([1 / 3])
    other = HealthRule("other", Weights(transaction=10, interaction=25, service=20, finance=35, strategy=10))
    assert other.score(both).tolist() == pytest.approx([7 / 9])


def test_the_curve_of_the_health_score_has_the_level_of_the_outcomes():
    history = ill(reversed_too=False)
    p = expit(HEALTH.fit(training(history)).margins(history))
    silent = history["days_to_next_order"] > 300
    assert p.mean(axis=0) == pytest.approx(silent.mean(), abs=1e-4)
    assert (p[silent].mean(axis=0) > p[~silent].mean(axis=0) + 0.1).all()


def test_an_unknown_health_counts_as_the_median_and_a_book_without_any_has_one_margin_for_all():
    fitted = HEALTH.fit(training(ill(reversed_too=False)))
    margins = fitted.margins(healthy([1.1, np.nan, 1.3, 1.9]))
    assert margins[1] == pytest.approx(margins[2])
    nowhere = of([1.0, 10.0, 100.0])
    assert HEALTH.score(nowhere).tolist() == [0.0, 0.0, 0.0]
    silent = (DAYS > 30) ^ (np.arange(len(DAYS)) % 5 == 0)
    unread = HEALTH.fit(training(rows(silent))).margins(nowhere)
    np.testing.assert_allclose(expit(unread), silent.mean(), atol=1e-4)


def test_the_shipped_rules_are_the_silence_the_silence_in_own_cycles_and_the_health_score():
    assert [rule.name for rule in RULES] == ["days_since_last_order", "cycle", "health"]
    assert [rule.feature for rule in RULES if isinstance(rule, Rule)] == [
        "days_since_last_order",
        "days_since_last_order_vs_mean_gap",
    ]


def test_every_shipped_rule_has_a_name_in_the_standing_table():
    assert {rule.name for rule in RULES} <= set(NAMES)
