"""Reasons add up exactly, whatever the blend, the calibration and the window; a concept is told once."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from worlds import latest, latest_cohort, walk

from features.labels import HORIZONS
from features.registry import REGISTRY
from features.snapshots import ELIGIBLE
from models.calibration import Affine
from models.churn_model import ChurnModel
from models.horizons import curve, probability_frame
from models.reasons import OTHER, RHYTHM, RHYTHM_CONCEPT, TOLD_THROUGH, concept_of, contributions, peer_values, reasons

PLAIN = (Affine(),) * 4
CALIBRATED = (
    Affine(0.4, 0.8, "platt"),
    Affine(-0.3, 1.0, "season"),
    Affine(0.2, 1.3, "platt"),
    Affine(-0.1, 0.6, "platt"),
)
#: Longer horizons lifted above shorter ones, so that every curve has to be made coherent.
CROSSED = (Affine(-2.0), Affine(-1.0), Affine(0.0), Affine(1.5))
BLENDS = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.5, 0.25, 0.25), (0.25, 0.75, 0.0)]


def champion(weights: tuple[float, float, float] = (0.5, 0.25, 0.25), calibrations=CALIBRATED) -> ChurnModel:
    walked = walk().champion
    return replace(walked, selection=replace(walked.selection, weights=(weights,) * 4), calibrations=calibrations)


@cache
def told(count: int = 5) -> pd.DataFrame:
    """The reasons of the whole cohort. Not to be changed in place."""
    return reasons(champion(), latest_cohort(), count=count, peers=peer_values(latest()))


def margin_of(model: ChurnModel, frame: pd.DataFrame) -> pd.Series:
    return probability_frame(model.margins(frame), frame["churn_window_days"])["margin"]


# --- exactly additive


@pytest.mark.parametrize("calibrations", [PLAIN, CALIBRATED, CROSSED], ids=["plain", "calibrated", "crossed"])
@pytest.mark.parametrize("weights", BLENDS, ids=str)
def test_base_and_contributions_add_up_to_the_margin_of_every_customer(weights, calibrations):
    model, cohort = champion(weights, calibrations), latest_cohort()
    split = contributions(model, cohort)
    np.testing.assert_allclose(split.base + split.values.sum(axis=1), margin_of(model, cohort), rtol=0, atol=1e-9)
    assert list(split.values.index) == list(cohort.index)
    assert split.values.columns.is_unique
    if calibrations == CROSSED:
        assert (np.diff(model.margins(cohort), axis=1) > 0).any(axis=1).mean() > 0.9


@pytest.mark.parametrize("absent", [(0,), (0, 1, 2, 3)])
@pytest.mark.parametrize("weights", BLENDS, ids=str)
def test_they_add_up_where_a_learner_had_too_little_to_learn_from(weights, absent):
    model = champion(weights)
    bags = tuple(() if i in absent else bag for i, bag in enumerate(model.boosting.bags))
    lines = tuple(None if 3 - i in absent else line for i, line in enumerate(model.logistic.lines))
    model = replace(model, boosting=replace(model.boosting, bags=bags), logistic=replace(model.logistic, lines=lines))
    split = contributions(model, latest_cohort())
    np.testing.assert_allclose(
        split.base + split.values.sum(axis=1), margin_of(model, latest_cohort()), rtol=0, atol=1e-9
    )


def test_customers_outside_the_cohort_add_up_too():
    frame = latest()[latest()["order_days_ever"] >= 1]
    split = contributions(champion(), frame)
    assert (frame["cohort"] != ELIGIBLE).any()
    np.testing.assert_allclose(split.base + split.values.sum(axis=1), margin_of(champion(), frame), rtol=0, atol=1e-9)


def test_the_reasons_of_a_customer_add_up_to_its_margin_and_its_points_to_its_probability():
    model, cohort = champion(), latest_cohort()
    base = contributions(model, cohort).base.to_numpy()
    scores = model.score(cohort)
    sums = told().groupby("customer_id", sort=False)[["contribution", "contribution_points"]].sum()
    assert list(sums.index) == list(cohort["customer_id"])
    np.testing.assert_allclose(base + sums["contribution"], scores["margin"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        expit(base) + sums["contribution_points"], scores["churn_probability"], rtol=0, atol=1e-9
    )
    same_sign = told()["contribution"] * told()["contribution_points"]
    assert (same_sign >= 0).all()


def test_a_customer_like_the_base_has_no_points_to_share_out():
    model = champion((0.0, 0.0, 1.0), PLAIN)
    frame = latest_cohort().head(3)
    model = replace(model, reference=tuple(model.rhythm.margins(frame.head(1))[0]))
    table = reasons(model, frame, count=2, peers=peer_values(latest()))
    first = table[table["customer_id"] == frame["customer_id"].iloc[0]]
    assert np.isfinite(table["contribution_points"]).all()
    np.testing.assert_allclose(first["contribution_points"], 0, atol=1e-12)


# --- where the shares come from


def on_horizon(model: ChurnModel, horizon: int) -> pd.DataFrame:
    """Customers whose window is a horizon and whose curve needs no pooling: that horizon alone is explained."""
    cohort = latest_cohort().assign(churn_window_days=HORIZONS[horizon])
    margins = model.margins(cohort)
    whole = (curve(margins, cohort["churn_window_days"])[0] == margins).all(axis=1)
    assert whole.sum() > 100
    return cohort[whole]


@pytest.mark.parametrize("horizon", [0, 3])
def test_lightgbm_alone_is_explained_as_shap_explains_its_trees(horizon):
    import shap

    model = champion((1.0, 0.0, 0.0), PLAIN)
    frame = on_horizon(model, horizon)
    bag, means = [], []
    for booster in model.boosting.bags[horizon]:
        explainer = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
        # Left to itself, shap asks LightGBM for the values of its models: its own algorithm is what is wanted here.
        explainer.model.model_type = "internal"
        X = frame[list(model.boosting.columns)].to_numpy(dtype="float32")
        bag.append(explainer.shap_values(X, check_additivity=False))
        means.append(np.ravel(explainer.expected_value)[0])
    expected = np.mean(bag, axis=0)
    split = contributions(model, frame)
    np.testing.assert_allclose(split.values[list(model.boosting.columns)], expected, atol=1e-6)
    start = model.rhythm.margins(frame)[:, horizon]
    np.testing.assert_allclose(split.values[RHYTHM], start - model.reference[horizon], atol=1e-12)
    base = model.reference[horizon] + np.mean(means)
    np.testing.assert_allclose(split.base, base, atol=1e-6)


def test_logistic_regression_alone_is_explained_by_its_lines():
    model = champion((0.0, 1.0, 0.0), PLAIN)
    frame = on_horizon(model, 2)
    split = contributions(model, frame)
    parts = model.logistic.contributions(model.logistic.ranks.places(frame), 2)
    np.testing.assert_allclose(split.values[list(model.logistic.columns)], parts, atol=1e-12)
    start = model.rhythm.margins(frame)[:, 2] - model.reference[2]
    np.testing.assert_allclose(split.values[RHYTHM], start, atol=1e-12)
    assert np.abs(parts).max() > 0.01


def test_the_label_free_model_alone_has_one_reason():
    model = champion((0.0, 0.0, 1.0), CALIBRATED)
    table = reasons(model, latest_cohort(), count=1, peers=peer_values(latest()))
    assert set(table["concept"]) == {RHYTHM_CONCEPT, OTHER}
    np.testing.assert_allclose(table.loc[table["concept"] == OTHER, "contribution"], 0, atol=1e-12)


def test_a_blend_is_explained_by_the_mean_of_its_parts():
    frame = on_horizon(champion((0.5, 0.25, 0.25), PLAIN), 1)
    pure = {weights: contributions(champion(weights, PLAIN), frame) for weights in BLENDS[:3]}
    mixed = contributions(champion((0.5, 0.25, 0.25), PLAIN), frame)
    coherent = [(np.diff(champion(weights, PLAIN).margins(frame), axis=1) <= 0).all(axis=1) for weights in BLENDS[:3]]
    rows = np.logical_and.reduce(coherent)
    assert rows.sum() > 50
    shares = zip((0.5, 0.25, 0.25), BLENDS[:3], strict=True)
    expected = sum(share * pure[weights].values[rows] for share, weights in shares)
    pd.testing.assert_frame_equal(mixed.values[rows], expected, rtol=0, atol=1e-10)


# --- how they are told


@pytest.mark.parametrize("count", [1, 3, 5])
def test_each_customer_has_that_many_concepts_and_the_rest_last(count):
    table = told(count)
    per_customer = table.groupby("customer_id", sort=False)
    assert (per_customer.size() == count + 1).all()
    assert not table.duplicated(["customer_id", "concept"]).any()
    assert per_customer["position"].apply(list).map(lambda found: found == list(range(1, count + 2))).all()
    assert (per_customer["concept"].last() == OTHER).all()
    assert (table["concept"] == OTHER).sum() == len(latest_cohort())


def test_more_concepts_than_there_are_leave_nothing_to_other():
    table = reasons(champion(), latest_cohort().head(5), count=500, peers=peer_values(latest()))
    concepts = {concept_of(name) for name in contributions(champion(), latest_cohort()).values.columns}
    assert set(table["concept"]) == concepts | {OTHER}
    assert (table.loc[table["concept"] == OTHER, "contribution"] == 0).all()


def by_hand(count: int, customer: int) -> list[tuple[str, str, float]]:
    """Concept, feature and contribution of one customer, straight from the description."""
    row = contributions(champion(), latest_cohort()).values.iloc[customer]
    sums: dict[str, float] = {}
    for name, value in row.items():
        sums[concept_of(name)] = sums.get(concept_of(name), 0.0) + value
    strongest = sorted(sums, key=lambda concept: -abs(sums[concept]))[:count]
    rows = []
    for concept in sorted(strongest, key=lambda concept: -sums[concept]):
        names = [name for name in row.index if concept_of(name) == concept and name != RHYTHM]
        mover = max(names, key=lambda name: row[name] * np.sign(sums[concept]))
        rows.append((concept, TOLD_THROUGH.get(concept, mover), sums[concept]))
    return [*rows, (OTHER, OTHER, sum(sums.values()) - sum(sums[concept] for concept in strongest))]


@pytest.mark.parametrize("customer", [0, 17, 101, 250, 399])
def test_the_strongest_concepts_are_told_what_raises_the_risk_first_through_the_feature_that_moves_it_most(customer):
    name = latest_cohort()["customer_id"].iloc[customer]
    mine = told()[told()["customer_id"] == name]
    expected = by_hand(5, customer)
    assert list(mine["concept"]) == [concept for concept, _, _ in expected]
    assert list(mine["feature"]) == [feature for _, feature, _ in expected]
    assert mine["contribution"].to_numpy() == pytest.approx([value for _, _, value in expected], abs=1e-12)


def test_a_told_feature_belongs_to_its_concept_and_is_never_the_part_without_a_feature():
    facts = told()[told()["concept"] != OTHER]
    assert (facts["feature"].map(concept_of) == facts["concept"]).all()
    assert RHYTHM not in set(facts["feature"])
    assert (facts["dimension"] == facts["feature"].map(lambda name: REGISTRY[name].dimension)).all()


def test_a_reason_carries_the_value_the_own_usual_and_the_median_of_the_eligible_peers():
    peers = latest()
    eligible = peers[peers["cohort"] == ELIGIBLE]
    held = peers.set_index("customer_id")
    facts = told()[told()["concept"] != OTHER]
    assert (facts["as_of"] == peers["as_of"].iloc[0]).all()
    medians = {name: eligible[name].median() for name in facts["feature"].unique()}
    assert any(peers[name].median() != median for name, median in medians.items())
    for row in facts.iloc[::37].itertuples():
        usual = REGISTRY[row.feature].usual
        expected = [held.loc[row.customer_id, row.feature], medians[row.feature]]
        assert [row.value, row.peer_value] == pytest.approx(expected, nan_ok=True)
        own = np.nan if usual is None else held.loc[row.customer_id, usual]
        assert row.usual_value == pytest.approx(own, nan_ok=True)
    assert facts["usual_value"].notna().any()
    assert told()[told()["concept"] == OTHER][["value", "usual_value", "peer_value"]].isna().all(axis=None)


def test_a_customer_is_explained_alike_alone_and_in_the_cohort():
    one = latest_cohort().iloc[[123]]
    alone = reasons(champion(), one, count=5, peers=peer_values(latest()))
    among = told()[told()["customer_id"] == one["customer_id"].iloc[0]].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among, rtol=0, atol=1e-12)


def test_every_concept_that_is_always_told_through_one_feature_owns_that_feature():
    for concept, name in TOLD_THROUGH.items():
        assert REGISTRY[name].concept == concept


def test_nobody_to_explain_gives_no_reasons():
    table = reasons(champion(), latest_cohort().head(0), count=3, peers=peer_values(latest()))
    assert table.empty
    assert list(table.columns) == list(told().columns)
