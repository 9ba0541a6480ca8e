"""Weights learned from losses are those of what drives them, as far as there are losses; every change can be undone."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from features.errors import ArtefactError, SettingsError
from models.health import DIMENSIONS, PROFILES, Weights
from models.health_scheme import InputWeights
from models.health_weight_history import FILE_NAME, change_weights, in_use, read_changes, revert_weights
from models.health_weights import PROFILE_LOSSES, in_tenths, learn_weights, matured_scores

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def company(customers: int = 400, dates: int = 6, seed: int = 0, steep: float = 6.0, **known: float) -> pd.DataFrame:
    """Snapshots whose dimensions are drawn evenly from 0 to 100; the lower finance, the likelier the loss."""
    rng = np.random.default_rng(seed)
    n = customers * dates
    as_of = np.repeat(pd.date_range("2024-01-01", periods=dates, freq="90D"), customers)
    frame = pd.DataFrame({"customer_id": np.tile([f"C{i:04}" for i in range(customers)], dates), "as_of": as_of})
    frame["matured_at"] = frame["as_of"] + pd.Timedelta(days=90)
    for name in DIMENSIONS:
        frame[f"health_{name}"] = rng.uniform(0, 100, n)
        frame.loc[rng.random(n) >= known.get(name, 1.0), f"health_{name}"] = np.nan
    finance = frame["health_finance"].fillna(50) / 100
    frame["outcome"] = (rng.random(n) < expit(-4 + steep * (1 - finance))).astype("float64")
    return frame


def learnt(scores: pd.DataFrame, old: Weights = PROFILES["default"]):
    return learn_weights(scores, old, repeats=100, rng=np.random.default_rng(1))


def total(weights: Weights) -> float:
    return sum(getattr(weights, name) for name in weights.dimensions)


def test_hs_07_where_only_finance_drives_losses_its_weight_rises_above_15_and_tells_more_out_of_time():
    found = learnt(company())
    assert found.why == "learned"
    assert found.old == Weights()
    assert found.new.finance > 50
    assert total(found.new) == pytest.approx(100)
    assert all(getattr(found.new, name) < getattr(found.old, name) for name in DIMENSIONS if name != "finance")
    assert found.new_auc > found.old_auc
    assert found.gain.low > 0
    assert found.n == 2400
    assert found.n_customers == 400
    assert PROFILE_LOSSES < found.n_lost <= 400


def test_hs_07_the_fewer_losses_the_nearer_to_the_weights_of_the_profile():
    weights = [learnt(company(customers)).new.finance for customers in (80, 400, 3000)]
    assert 15 < weights[0] < weights[1] < weights[2]


@pytest.mark.parametrize("profile", ["default", "standard", "project"])
def test_hs_07_each_profile_is_where_learning_starts_from(profile):
    found = learnt(company(80), PROFILES[profile])
    assert found.old == PROFILES[profile]
    assert found.new.finance > found.old.finance
    order = [getattr(found.new, name) for name in ("transaction", "interaction")]
    assert (order[0] > order[1]) == (PROFILES[profile].transaction > PROFILES[profile].interaction)


def test_hs_07_with_too_few_losses_the_profile_stays():
    few = company(400)
    lost = few.loc[few["outcome"] == 1, "customer_id"].unique()[:29]
    few["outcome"] = (few["customer_id"].isin(lost) & (few["outcome"] == 1)).astype("float64")
    found = learnt(few)
    assert (found.why, found.new, found.n_lost) == ("too few losses", Weights(), 29)
    assert found.gain is None


def test_hs_07_where_the_healthy_are_lost_health_tells_nothing_and_the_profile_stays():
    scores = company()
    scores[[f"health_{name}" for name in DIMENSIONS]] *= -1
    scores[[f"health_{name}" for name in DIMENSIONS]] += 100
    found = learnt(scores)
    assert (found.why, found.new) == ("health tells nothing", Weights())


def test_hs_07_what_was_learned_and_is_worse_on_the_newest_dates_is_not_taken():
    scores = company(600)
    late = scores["as_of"] >= scores["as_of"].unique()[-2]
    scores.loc[late, "health_finance"] = 100 - scores.loc[late, "health_finance"]
    found = learnt(scores)
    assert (found.why, found.new) == ("worse out of time", Weights())
    assert found.gain.high < 0


def test_a_dimension_that_is_hardly_ever_known_keeps_its_weight():
    found = learnt(company(strategy=0.0, service=0.02)).new
    assert (found.strategy, found.service) == (10, 20)
    assert found.finance > 15
    assert total(found) == pytest.approx(100)


def test_unknown_dimensions_are_shared_out_as_in_the_score_itself():
    found = learnt(company(1500, transaction=0.5, interaction=0.5, service=0.5, strategy=0.5)).new
    assert found.finance > 50


def test_outcomes_that_are_not_known_yet_teach_nothing():
    scores = company()
    more = company(seed=5).assign(outcome=np.nan)
    assert learnt(pd.concat([scores, more], ignore_index=True)) == learnt(scores)


def test_without_its_columns_nothing_can_be_learned():
    with pytest.raises(SettingsError, match="matured_at, health_finance missing"):
        learnt(company().drop(columns=["matured_at", "health_finance"]))


def test_what_became_of_a_customer_counts_once_the_longest_window_of_its_date_is_over():
    keys = {"customer_id": list("ABCABC"), "as_of": pd.to_datetime(["2025-01-01"] * 3 + ["2025-02-01"] * 3)}
    outcomes = pd.DataFrame(keys).assign(
        churn_window_days=[45, 60, 90] * 2, days_to_next_order=[45, 59, np.nan] * 2, observed_days=[90] * 3 + [89] * 3
    )
    health = pd.DataFrame(keys).assign(health=50.0)
    found = matured_scores(health, outcomes.iloc[[0, 1, 2, 3, 5]])
    assert found["outcome"].tolist() == pytest.approx([1, 0, 1, np.nan, np.nan], nan_ok=True)
    assert found["matured_at"].dt.strftime("%m-%d").tolist() == ["04-01"] * 3 + ["05-02"] * 2


def test_the_weights_of_five_inputs_are_learned_likewise():
    names = dict(zip(DIMENSIONS, InputWeights().dimensions, strict=True))
    scores = company().rename(columns={f"health_{old}": f"health_{new}" for old, new in names.items()})
    found = learn_weights(scores, InputWeights(), repeats=10, rng=np.random.default_rng(1))
    assert isinstance(found.new, InputWeights)
    assert found.new.complaints > 20


def test_tenths_of_a_per_cent_sum_to_100():
    assert in_tenths(np.array([1, 1, 1.0])) == (33.4, 33.3, 33.3)
    assert in_tenths(np.array([0.3, 0.25, 0.2, 0.15, 0.1])) == (30, 25, 20, 15, 10)
    for shares in np.random.default_rng(3).dirichlet(np.ones(5), 300):
        assert Weights(*in_tenths(shares)) is not None
        np.testing.assert_allclose(in_tenths(shares), 100 * shares, atol=0.1)


# The history of the weights


def test_hs_07_a_change_is_logged_with_who_when_why_old_and_new_and_can_be_reverted(tmp_path: Path):
    found = learnt(company())
    made = change_weights(
        tmp_path, found.new, Weights(), at=AT, who="mina", what="learned", why="spring", facts={"n_lost": found.n_lost}
    )
    history = read_changes(tmp_path)
    assert history == (made,)
    assert (made.at, made.who, made.what, made.why) == (AT, "mina", "learned", "spring")
    assert (made.old["finance"], made.new["finance"]) == (15, found.new.finance)
    assert made.facts == {"n_lost": found.n_lost}
    assert in_use(history, Weights()) == found.new
    back = revert_weights(tmp_path, Weights(), at=AT, who="ken", why="too much finance")
    assert (back.what, back.old, back.new) == ("reverted", made.new, made.old)
    history = read_changes(tmp_path)
    assert [one.who for one in history] == ["mina", "ken"]
    assert in_use(history, Weights()) == Weights()


def test_reverting_again_goes_further_back_until_the_first_set(tmp_path: Path):
    sets = [Weights(), PROFILES["project"], PROFILES["standard"], Weights(20, 20, 20, 20, 20)]
    for new in sets[1:]:
        change_weights(tmp_path, new, Weights(), at=AT, who="mina", what="edited", why="try")
    for before in reversed(sets[:-1]):
        revert_weights(tmp_path, Weights(), at=AT, who="mina", why="back")
        assert in_use(read_changes(tmp_path), Weights()) == before
    with pytest.raises(SettingsError, match="expected an earlier set to go back to"):
        revert_weights(tmp_path, Weights(), at=AT, who="mina", why="back")
    assert len(read_changes(tmp_path)) == 6


def test_the_same_weights_again_are_no_change_and_other_dimensions_have_their_own_history(tmp_path: Path):
    assert change_weights(tmp_path, Weights(), Weights(), at=AT, who="a", what="edited", why="-") is None
    assert read_changes(tmp_path) == ()
    change_weights(tmp_path, PROFILES["project"], Weights(), at=AT, who="a", what="edited", why="-")
    assert in_use(read_changes(tmp_path), InputWeights()) == InputWeights()
    change_weights(tmp_path, InputWeights(40, 15, 15, 15, 15), InputWeights(), at=AT, who="a", what="edited", why="-")
    assert in_use(read_changes(tmp_path), Weights()) == PROFILES["project"]
    assert in_use(read_changes(tmp_path), InputWeights()).activity == 40


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"at": "yesterday"}]'])
def test_a_history_that_cannot_be_read_says_so_and_stays(tmp_path: Path, text: str):
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(ArtefactError, match="expected a list of changes of the health weights"):
        change_weights(tmp_path, PROFILES["project"], Weights(), at=AT, who="a", what="edited", why="-")
    assert (tmp_path / FILE_NAME).read_text() == text


def test_a_moment_without_a_zone_and_an_unknown_kind_of_change_are_refused(tmp_path: Path):
    given = {"at": AT, "who": "a", "what": "edited", "why": "-"}
    with pytest.raises(ValueError, match="time zone"):
        change_weights(tmp_path, PROFILES["project"], Weights(), **{**given, "at": AT.replace(tzinfo=None)})
    with pytest.raises(ValueError, match="'guessed' is none of learned, edited, reverted"):
        change_weights(tmp_path, PROFILES["project"], Weights(), **{**given, "what": "guessed"})
