"""The simplest model stays in use until another surely ranks better and loses less."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from features.labels import HORIZONS
from models.classifiers import LIGHTGBM
from models.logistic import LOGISTIC
from models.selection import (
    ALONE,
    COMPONENTS,
    LABEL_FREE,
    Selection,
    at_own_level,
    best_weights,
    losses_at_own_level,
    regret,
    select,
)

HALVES = ((0.5, 0.5, 0.0),) * 4


def predicted(dates: int, noise: dict[str, float], *, level: float = 0.0, customers: int = 300) -> pd.DataFrame:
    """A record in which each component says the truth with so much noise, one of them at a level that is off."""
    rng = np.random.default_rng(8)
    n = customers * dates
    truth = rng.normal(0, 1.5, n)
    lost = rng.random(n) < expit(truth)
    columns = {}
    for name in COMPONENTS:
        said = truth + rng.normal(0, noise[name], n) if noise[name] < 9 else rng.normal(0, 0.3, n)
        columns |= {f"{name}_{days}": said + (level if noise[name] == 0 else 0.0) for days in HORIZONS}
    return pd.DataFrame(
        {
            "customer_id": np.tile([f"C{i}" for i in range(customers)], dates),
            "as_of": np.repeat(pd.date_range("2024-01-01", periods=dates, freq="MS").to_numpy(), customers),
            "days_to_next_order": np.where(lost, np.nan, 1.0),
            "observed_days": 400,
        }
        | columns
    )


def only(good: str) -> dict[str, float]:
    """One component knows the truth, the others nothing."""
    return {name: 0.0 if name == good else 9.0 for name in COMPONENTS}


# --- the ladder


@pytest.mark.parametrize("good", [LOGISTIC, LIGHTGBM])
def test_a_learner_that_surely_beats_the_label_free_model_is_in_use_and_its_blend_with_noise_is_not(good):
    found = select(predicted(4, only(good)))
    assert (found.in_use, found.weights) == (good, ALONE[good])
    steps = {step.candidate: step for step in found.steps}
    assert list(steps) == [LOGISTIC, LIGHTGBM, "blend"]
    assert steps[good].taken
    assert steps[good].in_use == LABEL_FREE
    assert steps[good].auc_low > 0 > steps[good].loss_high
    assert not steps["blend"].taken
    assert steps["blend"].in_use == good
    assert (steps[good].n, steps[good].n_customers, found.horizon_days, found.dates) == (1200, 300, 90, 4)


def test_the_label_free_model_stays_where_it_knows_the_truth():
    found = select(predicted(4, only(LABEL_FREE)))
    assert (found.in_use, found.weights) == (LABEL_FREE, ALONE[LABEL_FREE])
    assert not any(step.taken for step in found.steps)
    assert all(step.in_use == LABEL_FREE for step in found.steps)


def test_components_that_say_the_same_leave_it_to_the_label_free_one():
    record = predicted(4, only(LABEL_FREE))
    same = {f"{name}_{days}": record[f"{LABEL_FREE}_{days}"] for name in COMPONENTS for days in HORIZONS}
    assert select(record.assign(**same)).in_use == LABEL_FREE


def test_a_small_gain_that_could_be_chance_is_no_reason_to_leave_the_simpler_model():
    noise = {LIGHTGBM: 1.0, LOGISTIC: 1.0, LABEL_FREE: 1.02}
    assert select(predicted(4, noise, customers=60)).in_use == LABEL_FREE


def test_parts_that_err_independently_are_blended_on_enough_data():
    found = select(predicted(6, dict.fromkeys(COMPONENTS, 1.5), customers=600))
    assert found.in_use == "blend"
    assert found.weights not in ALONE.values()
    assert [sum(weights) for weights in found.weights] == pytest.approx([1] * 4)


@pytest.mark.parametrize(("dates", "chosen"), [(0, False), (2, False), (3, True)])
def test_nothing_is_chosen_before_three_dates_have_matured(dates, chosen):
    record = predicted(dates, only(LOGISTIC)) if dates else pd.DataFrame()
    found = select(record)
    assert (found.in_use == LOGISTIC) == chosen
    if not chosen:
        assert found == Selection()
        assert found.weights == ALONE[LABEL_FREE]


@pytest.mark.parametrize(("observed", "horizon"), [(400, 90), (90, 90), (89, 60), (59, 30), (29, 0)])
def test_the_longest_matured_horizon_up_to_ninety_days_decides(observed, horizon):
    record = predicted(4, only(LOGISTIC)).assign(observed_days=observed)
    assert select(record).horizon_days == horizon


def test_a_date_at_which_everybody_stayed_or_left_decides_nothing():
    record = predicted(4, only(LOGISTIC)).assign(days_to_next_order=1.0)
    assert select(record) == Selection()


def test_a_selection_comes_back_from_plain_values():
    found = select(predicted(4, only(LOGISTIC)))
    assert Selection.from_dict(found.to_dict()) == found


def test_the_blend_of_a_date_takes_weights_that_had_matured_by_then():
    # The newest date alone would say logistic regression; it is judged with what the dates before it said.
    record = predicted(8, only(LABEL_FREE))
    newest = record["as_of"] == record["as_of"].max()
    turned = record.copy()
    for days in HORIZONS:
        turned.loc[newest, f"{LOGISTIC}_{days}"] = record.loc[newest, f"{LABEL_FREE}_{days}"]
        turned.loc[newest, f"{LABEL_FREE}_{days}"] = record.loc[newest, f"{LOGISTIC}_{days}"]
    blend = {step.candidate: step for step in select(turned).steps}["blend"]
    assert blend.auc <= 0


# --- in words


def test_words_say_what_is_in_use_and_what_was_not_shown_to_add_anything():
    words = select(predicted(4, only(LOGISTIC))).words
    assert words.startswith("In use is logistic regression. Not taken, as it has not been shown that they add anything")
    assert ": LightGBM, the weighted sum of LightGBM, logistic regression and the order rhythm. A step up" in words


def test_words_say_that_nothing_has_matured():
    assert Selection().words == (
        "In use is the order rhythm alone, which needs no past losses: too little has matured to compare models, and "
        "this one needs no past losses."
    )


def test_words_of_the_top_of_the_ladder_name_nothing_that_was_refused():
    found = select(predicted(6, dict.fromkeys(COMPONENTS, 1.5), customers=600))
    taken = replace(found, steps=tuple(replace(step, taken=True) for step in found.steps))
    assert "Not taken" not in taken.words
    assert taken.words.startswith("In use is the weighted sum of LightGBM, logistic regression and the order rhythm.")


# --- weights


def test_each_horizon_has_the_weights_that_suit_it():
    early, late = predicted(4, only(LOGISTIC)), predicted(4, only(LIGHTGBM))
    mixed = early.assign(**{name: late[name] for name in late if name.endswith(("_90", "_180"))})
    assert best_weights(mixed) == ((0.0, 1.0, 0.0),) * 2 + ((1.0, 0.0, 0.0),) * 2


def test_a_horizon_that_has_not_matured_takes_the_weights_of_the_one_before_it():
    early, late = predicted(4, only(LOGISTIC)), predicted(4, only(LIGHTGBM))
    mixed = early.assign(**{name: late[name] for name in late if name.endswith(("_90", "_180"))})
    assert best_weights(mixed.assign(observed_days=89)) == ((0.0, 1.0, 0.0),) * 4
    assert best_weights(mixed.assign(observed_days=179))[2:] == ((1.0, 0.0, 0.0),) * 2


@pytest.mark.parametrize("level", [-2.0, 0.0, 2.0])
@pytest.mark.parametrize("good", COMPONENTS)
def test_the_component_with_the_right_shape_has_the_weight_although_its_level_is_off(good, level):
    assert (
        best_weights(predicted(4, only(good), level=level)) == (tuple(float(name == good) for name in COMPONENTS),) * 4
    )


def test_without_a_matured_date_the_learners_weigh_the_same():
    assert best_weights(pd.DataFrame()) == HALVES
    assert best_weights(predicted(3, only(LOGISTIC)).assign(observed_days=29)) == HALVES


def test_dates_that_have_not_matured_do_not_count():
    record = predicted(6, only(LOGISTIC))
    newest = record["as_of"] >= sorted(record["as_of"].unique())[2]
    wrong = record.copy()
    for days in HORIZONS:
        wrong.loc[newest, f"{LOGISTIC}_{days}"] *= -1
    hidden = wrong.assign(observed_days=record["observed_days"].mask(newest, 29))
    assert best_weights(hidden) == best_weights(record[~newest])


def test_the_loss_at_the_own_level_is_the_lowest_that_a_shift_can_reach():
    margins = np.array([[-3.0, 1.0], [-2.0, 4.0], [-4.0, 2.0], [-1.0, 3.0]] * 200)
    outcome = np.tile([0.0, 1, 0, 1], 200)
    found = losses_at_own_level(margins, outcome)
    shifts = np.linspace(-8, 8, 1601)
    for column in range(2):
        shifted = margins[:, [column]] + shifts
        best = (np.logaddexp(0, shifted) - outcome[:, None] * shifted).mean(axis=0).min()
        assert found[column] == pytest.approx(best, abs=1e-3)
    assert expit(at_own_level(margins, outcome)).mean(axis=0) == pytest.approx([0.5, 0.5], abs=1e-3)


def test_a_blend_is_judged_with_the_weights_that_could_be_chosen_from_books_that_come_late():
    record = predicted(9, only(LIGHTGBM), customers=100)
    at_once, late = (
        {step.candidate: step for step in select(record, latency_days=days).steps}["blend"] for days in (0, 400)
    )
    # three dates of 90 days had matured by the sixth date; 400 days later still, none ever has
    assert at_once.loss < late.loss


# --- what the choice cost


def judged(name: str, probabilities: list[float]) -> pd.DataFrame:
    """Two dates with the outcomes 1, 0."""
    return pd.DataFrame(
        {
            "contestant": name,
            "as_of": pd.to_datetime(["2024-01-01"] * 2 + ["2024-02-01"] * 2),
            "probability": probabilities,
            "outcome": [1.0, 0.0, 1.0, 0.0],
        }
    )


def test_the_regret_is_what_the_chosen_one_lost_more_than_each_candidate():
    rows = pd.concat([judged("champion", [0.6, 0.4] * 2), judged("a", [0.9, 0.1] * 2), judged("b", [0.5, 0.5] * 2)])
    table = regret(rows, "champion", ("a", "b")).set_index("contestant")
    losses = {"champion": -np.log(0.6), "a": -np.log(0.9), "b": -np.log(0.5)}
    for name, loss in losses.items():
        assert table.loc[name, "log_loss"] == pytest.approx(loss)
        assert table.loc[name, "own_level_log_loss"] == pytest.approx(loss)
        assert table.loc[name, "regret"] == pytest.approx(losses["champion"] - loss)
    assert list(table["roc_auc"]) == [1.0, 1.0, 0.5]
    assert table.loc["a", "regret"] > 0 > table.loc["b", "regret"]


def test_the_regret_does_not_see_a_level_that_is_off_for_all_alike():
    shifted = expit(logit(np.array([0.9, 0.1])) + 1.0).tolist()
    table = regret(pd.concat([judged("champion", shifted * 2), judged("a", [0.9, 0.1] * 2)]), "champion", ("a",))
    assert table["regret"].tolist() == pytest.approx([0, 0], abs=1e-6)
    assert table["log_loss"].iloc[0] > table["log_loss"].iloc[1]


def test_a_candidate_without_predictions_and_dates_at_which_all_stayed_have_no_figure():
    all_stayed = judged("champion", [0.6, 0.4] * 2).assign(outcome=0.0)
    table = regret(all_stayed, "champion", ("a",)).set_index("contestant")
    assert table.loc["champion", "log_loss"] == pytest.approx(-np.log([0.4, 0.6]).mean())
    assert np.isnan(table.loc["champion", "roc_auc"])
    assert table.loc["a"].isna().all()
