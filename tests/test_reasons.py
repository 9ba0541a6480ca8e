"""Reasons add up exactly, whatever the blend, the calibration and the window; only unusual facts are told as reasons."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from worlds import latest, latest_cohort, walk

from features.labels import HORIZONS
from features.passes import QUANTILES
from features.registry import REGISTRY
from features.snapshots import ELIGIBLE
from models.calibration import Affine
from models.churn_model import ChurnModel
from models.horizons import curve, probability_frame
from models.reasons import (
    AGAINST,
    AGAINST_TOLD,
    COLUMNS,
    LEAST,
    OTHER,
    REASON,
    REST,
    RHYTHM,
    RHYTHM_CONCEPT,
    ROLES,
    SMALL,
    SMALL_TOLD,
    TOLD_THROUGH,
    Contributions,
    bases,
    concept_of,
    contributions,
    dimension_of,
    reasons,
    spread_of,
)
from models.unusual import unusual

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
def spread() -> pd.DataFrame:
    return spread_of(latest())


@cache
def told(count: int = 5) -> pd.DataFrame:
    """The reasons of the whole cohort. Not to be changed in place."""
    return reasons(champion(), latest_cohort(), count=count, spread=spread())


def assert_adds_up(model: ChurnModel, frame: pd.DataFrame, split: Contributions) -> None:
    margin = probability_frame(model.margins(frame), frame["churn_window_days"])["margin"]
    np.testing.assert_allclose(split.base + split.values.sum(axis=1), margin, rtol=0, atol=1e-9)
    assert list(split.values.index) == list(split.base.index) == list(frame.index)


# --- exactly additive


@pytest.mark.parametrize("calibrations", [PLAIN, CALIBRATED, CROSSED], ids=["plain", "calibrated", "crossed"])
@pytest.mark.parametrize("weights", BLENDS, ids=str)
def test_base_and_contributions_add_up_to_the_margin_of_every_customer(weights, calibrations):
    model, cohort = champion(weights, calibrations), latest_cohort()
    split = contributions(model, cohort)
    assert_adds_up(model, cohort, split)
    np.testing.assert_allclose(bases(model, cohort), split.base, rtol=0, atol=1e-9)
    assert split.values.columns.is_unique
    assert split.values.columns[-1] == RHYTHM
    if calibrations == CROSSED:
        assert (np.diff(model.margins(cohort), axis=1) > 0).any(axis=1).mean() > 0.9


@pytest.mark.parametrize("calibrations", [PLAIN, CALIBRATED, CROSSED], ids=["plain", "calibrated", "crossed"])
@pytest.mark.parametrize("weights", BLENDS, ids=str)
def test_they_add_up_when_customers_are_compared_with_twenty_others(weights, calibrations):
    model, frame, others = champion(weights, calibrations), latest_cohort().tail(50), latest_cohort().head(20)
    split = contributions(model, frame, others)
    assert_adds_up(model, frame, split)
    by_paths = contributions(model, frame)
    assert np.allclose(split.values, by_paths.values, atol=1e-6) == (weights[0] == 0)
    pd.testing.assert_series_equal(split.values[RHYTHM], by_paths.values[RHYTHM], rtol=0, atol=1e-12)


@pytest.mark.parametrize("absent", [(0,), (0, 1, 2, 3)])
@pytest.mark.parametrize("weights", BLENDS, ids=str)
def test_they_add_up_where_a_learner_had_too_little_to_learn_from(weights, absent):
    model = champion(weights)
    bags = tuple(() if i in absent else bag for i, bag in enumerate(model.boosting.bags))
    lines = tuple(None if 3 - i in absent else line for i, line in enumerate(model.logistic.lines))
    model = replace(model, boosting=replace(model.boosting, bags=bags), logistic=replace(model.logistic, lines=lines))
    split = contributions(model, latest_cohort())
    assert_adds_up(model, latest_cohort(), split)
    np.testing.assert_allclose(bases(model, latest_cohort()), split.base, rtol=0, atol=1e-9)
    assert_adds_up(
        model, latest_cohort().head(30), contributions(model, latest_cohort().head(30), latest_cohort()[-5:])
    )


def test_customers_outside_the_cohort_add_up_too():
    frame = latest()[latest()["order_days_ever"] >= 1]
    assert (frame["cohort"] != ELIGIBLE).any()
    assert_adds_up(champion(), frame, contributions(champion(), frame))


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


def test_reasons_of_contributions_that_are_at_hand_are_the_same():
    split = contributions(champion(), latest_cohort())
    at_hand = reasons(champion(), latest_cohort(), count=5, spread=spread(), split=split)
    pd.testing.assert_frame_equal(at_hand, told())
    others = contributions(champion(), latest_cohort(), latest_cohort().head(5))
    compared = reasons(champion(), latest_cohort(), count=5, spread=spread(), split=others)
    assert not compared["contribution"].equals(told()["contribution"])


def test_a_customer_like_the_base_has_no_points_to_share_out():
    model = champion((0.0, 0.0, 1.0), PLAIN)
    frame = latest_cohort().head(3)
    model = replace(model, reference=tuple(model.rhythm.margins(frame.head(1))[0]))
    table = reasons(model, frame, count=2, spread=spread())
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


# --- what is told, in cases made by hand

#: Each feature worries on one side; their values spread around 0, so that 9 off on that side is unusual.
SILENCE, FEWER_ORDERS = "days_since_last_order", "order_days_30d"
SPENDING, PRODUCTS, RETURNS = "revenue_30d", "products_365d", "returned_30d"
TALKS, COMPLAINTS, LATE, RIVAL = (
    "interactions_30d",
    "complaints_365d",
    "payment_trend_days_365d",
    "competitor_events_30d",
)
MADE = (SILENCE, FEWER_ORDERS, SPENDING, PRODUCTS, RETURNS, TALKS, COMPLAINTS, LATE, RIVAL)
AROUND_0 = pd.DataFrame([(-1.3, -0.67, 0.0, 0.67, 1.3)] * len(MADE), index=list(MADE), columns=list(QUANTILES))


def worrying(name: str, size: float = 9.0) -> float:
    return -size if REGISTRY[name].worse == "less" else size


def made(values: pd.DataFrame) -> pd.DataFrame:
    """Snapshots with these values."""
    who = [f"M{i:03d}" for i in range(len(values))]
    return values.assign(customer_id=who, as_of=pd.Timestamp("2025-01-01"), gap_median_days_ever=12.0)


def tell(shares: dict[str, float], odd: tuple[str, ...] = (), count: int = 3) -> list[tuple[str, str, float]]:
    """Role, feature and contribution of what is told of one customer with these shares, without the rest.

    The facts in `odd` are unusual on the side that worries.
    """
    values = {name: [worrying(name) if name in odd else 0.0] for name in shares if name != RHYTHM}
    split = Contributions(pd.Series([-1.0]), pd.DataFrame([{RHYTHM: 0.0, **shares}]))
    table = reasons(champion(), made(pd.DataFrame(values)), count=count, spread=AROUND_0, split=split)
    assert table["role"].iloc[-1] == REST
    assert table["contribution"].sum() == pytest.approx(sum(shares.values()))
    facts = table.iloc[:-1]
    return list(zip(facts["role"], facts["feature"], facts["contribution"].round(12), strict=True))


def test_the_facts_of_these_cases_are_of_all_dimensions_and_of_a_concept_each_but_for_two_of_the_rhythm():
    assert {dimension_of(name) for name in MADE} == {dimension_of(name) for name in REGISTRY}
    concepts = [concept_of(name) for name in MADE]
    assert concepts[:2] == [RHYTHM_CONCEPT] * 2
    assert len(set(concepts[1:])) == len(concepts) - 1
    assert all(REGISTRY[name].worse for name in MADE)


@pytest.mark.parametrize(("share", "is_reason"), [(LEAST - 1e-6, False), (LEAST, True), (LEAST + 1e-6, True)])
@pytest.mark.parametrize("odd", [(), (COMPLAINTS,)])
def test_a_reason_is_large_enough_and_its_fact_unusual(share, is_reason, odd):
    [(role, feature, _)] = tell({COMPLAINTS: share}, odd)
    assert feature == COMPLAINTS
    assert role == (REASON if is_reason and odd else SMALL)


@pytest.mark.parametrize(("share", "told_of"), [(-LEAST + 1e-6, False), (-LEAST, True), (-LEAST - 1e-6, True)])
def test_what_speaks_against_a_warning_is_large_enough_too(share, told_of):
    assert tell({COMPLAINTS: share}) == ([(AGAINST, COMPLAINTS, round(share, 12))] if told_of else [])


def test_a_concept_is_told_by_the_unusual_fact_that_raises_it_most():
    refunds, share = "returned_90d", "return_share_365d"
    assert len({concept_of(name) for name in (RETURNS, refunds, share)}) == 1
    values = pd.DataFrame({RETURNS: [0.0] * 4, refunds: [0.0, 9.0, 9.0, 0.0], share: [9.0, 9.0, 9.0, 0.0]})
    shares = pd.DataFrame({RETURNS: 0.5, refunds: [0.3, 0.3, -0.1, 0.3], share: [0.1, 0.1, 0.1, 0.1], RHYTHM: 0.0})
    frame = made(values).assign(return_share_365d_usual=0.0, returned_90d_usual=0.0, **{"return_share_90d": 0.0})
    peers = AROUND_0.loc[[RETURNS] * 3].set_axis([RETURNS, refunds, share])
    split = Contributions(pd.Series([-1.0] * 4), shares)
    table = reasons(champion(), frame, count=1, spread=peers, split=split)
    facts = table[table["role"] != REST]
    assert list(facts["feature"]) == [share, refunds, share, RETURNS]
    assert list(facts["role"]) == [REASON, REASON, REASON, SMALL]
    assert facts["contribution"].to_list() == pytest.approx([0.9, 0.9, 0.5, 0.9])


def test_the_rhythm_is_told_by_the_silence_wherever_that_is_unusual_itself():
    shares = {SILENCE: 0.1, FEWER_ORDERS: 0.5, RHYTHM: 0.2}
    assert tell(shares, (SILENCE, FEWER_ORDERS)) == [(REASON, SILENCE, 0.8)]
    assert tell(shares, (FEWER_ORDERS,)) == [(REASON, FEWER_ORDERS, 0.8)]
    assert tell(shares) == [(SMALL, SILENCE, 0.8)]
    assert tell({SILENCE: 0.0, RHYTHM: 0.8}, (SILENCE,)) == [(REASON, SILENCE, 0.8)]


def test_the_second_reason_is_of_another_dimension_where_there_is_one():
    shares = {SILENCE: 2.0, SPENDING: 1.0, PRODUCTS: 0.8, TALKS: 0.3, LATE: 0.2}
    every = (SILENCE, SPENDING, PRODUCTS, TALKS, LATE)
    assert [name for _, name, _ in tell(shares, every, 5)] == [SILENCE, TALKS, LATE, SPENDING, PRODUCTS]
    assert [name for _, name, _ in tell(shares, every, 2)] == [SILENCE, TALKS]
    # Whose fact is not unusual is no reason, and of whatever dimension takes no place.
    assert [name for _, name, _ in tell(shares, (SILENCE, SPENDING, LATE), 2)] == [SILENCE, LATE]
    assert [name for _, name, _ in tell(shares, (SILENCE, SPENDING, PRODUCTS), 2)] == [SILENCE, SPENDING]


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (2, 2), (3, 3), (9, 3)])
def test_no_more_reasons_are_told_than_asked_for(count, expected):
    shares = {TALKS: 0.5, LATE: 0.4, RIVAL: 0.3}
    found = tell(shares, tuple(shares), count)
    assert [role for role, _, _ in found if role == REASON] == [REASON] * expected
    assert (SMALL in {role for role, _, _ in found}) == (count == 0)


def test_where_no_fact_is_unusual_the_three_largest_changes_are_listed_as_small():
    shares = {TALKS: 0.05, LATE: 0.4, RIVAL: -0.01, COMPLAINTS: 0.3, PRODUCTS: 0.2}
    assert tell(shares) == [(SMALL, LATE, 0.4), (SMALL, COMPLAINTS, 0.3), (SMALL, PRODUCTS, 0.2)]
    assert SMALL_TOLD == 3
    # One reason, however weak, and none of them is.
    assert tell(shares, (PRODUCTS,)) == [(REASON, PRODUCTS, 0.2)]


def test_the_two_strongest_speak_against_a_warning_by_facts_that_do_not_worry():
    shares = {LATE: 0.4, TALKS: -0.2, RIVAL: -0.5, COMPLAINTS: -0.3}
    assert tell(shares, (LATE,)) == [(REASON, LATE, 0.4), (AGAINST, RIVAL, -0.5), (AGAINST, COMPLAINTS, -0.3)]
    assert AGAINST_TOLD == 2
    both = {SILENCE: -0.2, FEWER_ORDERS: -0.9}
    assert tell(both, (FEWER_ORDERS,)) == [(AGAINST, SILENCE, -1.1)]
    assert tell(both, (SILENCE,)) == [(AGAINST, FEWER_ORDERS, -1.1)]
    assert tell(both, (SILENCE, FEWER_ORDERS)) == [(AGAINST, FEWER_ORDERS, -1.1)]


# --- what is told, against the description read aloud for one customer after the other


def by_hand(share: pd.Series, odd: pd.Series, count: int) -> list[tuple[str, str, str, float]]:
    """Role, concept, feature and contribution of all that is told of one customer."""
    concepts: dict[str, list[str]] = {}
    for name in share.index:
        concepts.setdefault(concept_of(name), []).append(name)
    sums = {concept: share[names].sum() for concept, names in concepts.items()}

    def through(concept: str, sign: int, fits: pd.Series) -> str | None:
        names = [name for name in concepts[concept] if name != RHYTHM]
        first = TOLD_THROUGH.get(concept)
        if first in names and fits[first]:
            return first
        return max(
            (name for name in names if fits[name] and share[name] * sign > 0), key=share.mul(sign).get, default=None
        )

    def strongest(concept: str, sign: int) -> str:
        return max((name for name in concepts[concept] if name != RHYTHM), key=share.mul(sign).get)

    left = {concept: through(concept, 1, odd) for concept, value in sums.items() if value >= LEAST}
    left = {concept: name for concept, name in left.items() if name}
    rows, seen = [], set()
    while left and len(rows) < count:
        fresh = [concept for concept in left if dimension_of(left[concept]) not in seen]
        concept = max(fresh or left, key=sums.get)
        name = left.pop(concept)
        seen.add(dimension_of(name))
        rows.append((REASON, concept, name, sums[concept]))
    if not rows:
        raised = sorted((concept for concept in sums if sums[concept] > 0), key=lambda concept: -sums[concept])
        every = pd.Series(True, index=share.index)
        rows += [(SMALL, one, through(one, 1, every) or strongest(one, 1), sums[one]) for one in raised[:3]]
    lowered = sorted((concept for concept in sums if sums[concept] <= -LEAST), key=sums.get)
    rows += [(AGAINST, one, through(one, -1, ~odd) or strongest(one, -1), sums[one]) for one in lowered[:2]]
    return [*rows, (REST, OTHER, OTHER, sum(sums.values()) - sum(value for *_, value in rows))]


def told_by_hand(split: Contributions, odd: pd.DataFrame, count: int) -> list[tuple[str, str, str, float]]:
    return [row for i in split.values.index for row in by_hand(split.values.loc[i], odd.loc[i], count)]


def assert_told(table: pd.DataFrame, expected: list[tuple[str, str, str, float]]) -> None:
    for place, column in enumerate(["role", "concept", "feature"]):
        assert table[column].to_list() == [row[place] for row in expected]
    np.testing.assert_allclose(table["contribution"], [row[3] for row in expected], rtol=0, atol=1e-12)


@pytest.mark.parametrize("count", [0, 1, 3, 20])
def test_drawn_customers_are_told_of_as_described(count):
    rng = np.random.default_rng(0)
    frame = made(pd.DataFrame(rng.normal(size=(300, len(MADE))) * 1.5, columns=list(MADE)))
    shares = pd.DataFrame(rng.normal(size=(300, len(MADE) + 1)) * 0.3, columns=[*MADE, RHYTHM])
    split = Contributions(pd.Series(-1.0, index=frame.index), shares)
    table = reasons(champion(), frame, count=count, spread=AROUND_0, split=split)
    assert_told(table, told_by_hand(split, unusual(frame, MADE, AROUND_0), count))
    assert set(table["role"]) == (set(ROLES) if count else {SMALL, AGAINST, REST})


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("weights", BLENDS, ids=str)
def test_the_cohort_is_told_of_as_described(weights, count):
    model, cohort = champion(weights), latest_cohort().head(150)
    split = contributions(model, cohort)
    odd = unusual(cohort, list(split.values.columns.drop(RHYTHM)), spread())
    assert_told(reasons(model, cohort, count=count, spread=spread()), told_by_hand(split, odd, count))


# --- the table


@pytest.mark.parametrize("count", [1, 3, 5])
def test_the_rows_of_a_customer_are_numbered_reasons_or_small_changes_first_and_the_rest_last(count):
    per_customer = told(count).groupby("customer_id", sort=False)
    assert list(per_customer.groups) == list(latest_cohort()["customer_id"])
    for _, mine in per_customer:
        assert list(mine["position"]) == list(range(1, len(mine) + 1))
        roles = list(mine["role"])
        assert not {REASON, SMALL} <= set(roles)
        assert roles == sorted(roles, key=(REASON, SMALL, AGAINST, REST).index)
        assert roles.count(REST) == 1
        assert mine["concept"].is_unique


def test_the_label_free_model_alone_tells_of_the_rhythm_in_every_role():
    table = reasons(champion((0.0, 0.0, 1.0)), latest_cohort(), count=3, spread=spread())
    facts = table[table["role"] != REST]
    assert set(facts["role"]) == {REASON, SMALL, AGAINST}
    assert set(facts["concept"]) == {RHYTHM_CONCEPT}
    assert set(facts["feature"]) == set(TOLD_THROUGH.values())
    assert facts["customer_id"].is_unique
    told_of = set(facts["customer_id"])
    left = table[(table["role"] == REST) & table["customer_id"].isin(told_of)]
    np.testing.assert_allclose(left["contribution"], 0, atol=1e-12)


def test_a_told_feature_belongs_to_its_concept_and_to_its_dimension():
    facts = told()[told()["role"] != REST]
    assert (facts["feature"].map(concept_of) == facts["concept"]).all()
    assert RHYTHM not in set(facts["feature"])
    assert (facts["dimension"] == facts["feature"].map(lambda name: REGISTRY[name].dimension)).all()
    assert (told().loc[told()["role"] == REST, ["concept", "feature"]] == OTHER).all(axis=None)


def test_a_row_carries_the_value_the_own_usual_and_the_median_of_the_eligible_peers():
    peers = latest()
    eligible = peers[peers["cohort"] == ELIGIBLE]
    held = peers.set_index("customer_id")
    facts = told()[told()["role"] != REST]
    assert (told()["as_of"] == peers["as_of"].iloc[0]).all()
    medians = {name: eligible[name].median() for name in facts["feature"].unique()}
    assert any(peers[name].median() != median for name, median in medians.items())
    for row in facts.iloc[::37].itertuples():
        usual = REGISTRY[row.feature].usual
        expected = [held.loc[row.customer_id, row.feature], medians[row.feature]]
        assert [row.value, row.peer_value] == pytest.approx(expected, nan_ok=True)
        own = np.nan if usual is None else held.loc[row.customer_id, usual]
        assert row.usual_value == pytest.approx(own, nan_ok=True)
    assert facts["usual_value"].notna().any()
    assert told()[told()["role"] == REST][["value", "usual_value", "peer_value"]].isna().all(axis=None)


def test_the_spread_is_that_of_the_eligible_customers():
    values = pd.DataFrame(
        {"cohort": [ELIGIBLE] * 11 + ["new"], "revenue_90d": [*range(0, 110, 10), 9e9], "segment": "a"}
    )
    assert spread_of(values).loc["revenue_90d"].to_dict() == {"q10": 10, "q25": 25, "median": 50, "q75": 75, "q90": 90}
    assert list(spread_of(values).index) == ["revenue_90d"]


def test_a_customer_is_told_of_alike_alone_and_in_the_cohort():
    one = latest_cohort().iloc[[123]]
    alone = reasons(champion(), one, count=5, spread=spread())
    among = told()[told()["customer_id"] == one["customer_id"].iloc[0]].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among, rtol=0, atol=1e-12)


def test_every_concept_that_is_always_told_through_one_feature_owns_that_feature():
    for concept, name in TOLD_THROUGH.items():
        assert REGISTRY[name].concept == concept


def test_a_concept_has_one_dimension():
    owned = {(concept_of(name), dimension_of(name)) for name in REGISTRY}
    assert len(owned) == len({concept for concept, _ in owned})
    assert dimension_of(RHYTHM) == dimension_of(TOLD_THROUGH[RHYTHM_CONCEPT])


def test_nobody_to_explain_gives_no_reasons():
    table = reasons(champion(), latest_cohort().head(0), count=3, spread=spread())
    assert table.empty
    assert list(table.columns) == list(told().columns) == list(COLUMNS)
    assert bases(champion(), latest_cohort().head(0)).shape == (0,)
