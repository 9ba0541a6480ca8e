"""Reasons add up exactly, whatever the blend, the calibration and the window; a reason is an unusual fact."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from told_by_hand import by_hand
from worlds import latest, latest_cohort, walk

from features.labels import HORIZONS
from features.passes import QUANTILES
from features.registry import REGISTRY
from features.snapshots import ELIGIBLE
from models.calibration import Affine
from models.churn_model import ChurnModel
from models.horizons import curve, probability_frame
from models.reasons import (
    LEAST,
    RHYTHM,
    RHYTHM_CONCEPT,
    SMALL_TOLD,
    TOLD_THROUGH,
    Contributions,
    bases,
    concept_of,
    contributions,
    dimension_of,
    reasons,
    spread_of,
    tellable,
)
from models.unusual import Facts, facts

REASON, SMALL, AGAINST, REST, OTHER = "reason", "small", "against", "rest", "other"
PLAIN = (Affine(),) * 4
CALIBRATED = tuple(map(Affine, (0.4, -0.3, 0.2, -0.1), (0.8, 1.0, 1.3, 0.6), ("platt", "season", "platt", "platt")))
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
    few = latest_cohort().head(30)
    assert_adds_up(model, few, contributions(model, few, latest_cohort().tail(5)))


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
    probability = expit(base) + sums["contribution_points"]
    np.testing.assert_allclose(probability, scores["churn_probability"], rtol=0, atol=1e-9)
    assert (told()["contribution"] * told()["contribution_points"] >= 0).all()


def test_a_customer_like_the_base_has_no_points_to_share_out():
    model = champion((0.0, 0.0, 1.0), PLAIN)
    frame = latest_cohort().head(3)
    model = replace(model, reference=tuple(model.rhythm.margins(frame.head(1))[0]))
    table = reasons(model, frame, count=2, spread=spread())
    points = table["contribution_points"]
    assert np.isfinite(points).all()
    np.testing.assert_allclose(points[table["customer_id"] == frame["customer_id"].iloc[0]], 0, atol=1e-12)


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
    split = contributions(model, frame)
    np.testing.assert_allclose(split.values[list(model.boosting.columns)], np.mean(bag, axis=0), atol=1e-6)
    start = model.rhythm.margins(frame)[:, horizon] - model.reference[horizon]
    np.testing.assert_allclose(split.values[RHYTHM], start, atol=1e-12)
    np.testing.assert_allclose(split.base, model.reference[horizon] + np.mean(means), atol=1e-6)


def test_logistic_regression_alone_is_explained_by_its_lines():
    model = champion((0.0, 1.0, 0.0), PLAIN)
    frame = on_horizon(model, 2)
    split = contributions(model, frame)
    parts = model.logistic.contributions(model.logistic.ranks.places(frame), 2)
    np.testing.assert_allclose(split.values[list(model.logistic.columns)], parts, atol=1e-12)
    np.testing.assert_allclose(split.values[RHYTHM], model.rhythm.margins(frame)[:, 2] - model.reference[2], atol=1e-12)
    assert np.abs(parts).max() > 0.01


def test_a_blend_is_explained_by_the_mean_of_its_parts():
    frame = on_horizon(champion((0.5, 0.25, 0.25), PLAIN), 1)
    pure = {weights: contributions(champion(weights, PLAIN), frame) for weights in BLENDS[:3]}
    mixed = contributions(champion((0.5, 0.25, 0.25), PLAIN), frame)
    rows = np.all([np.diff(champion(one, PLAIN).margins(frame), axis=1) <= 0 for one in BLENDS[:3]], axis=(0, 2))
    assert rows.sum() > 50
    shares = zip((0.5, 0.25, 0.25), BLENDS[:3], strict=True)
    expected = sum(share * pure[weights].values[rows] for share, weights in shares)
    pd.testing.assert_frame_equal(mixed.values[rows], expected, rtol=0, atol=1e-10)


# --- what is told, in cases made by hand

#: A feature of each of several concepts, and two of the rhythm; all but NEITHER worry on one side.
SILENCE, FEWER_ORDERS, SPENDING, PRODUCTS = "days_since_last_order", "order_days_30d", "revenue_30d", "products_365d"
RETURNS, TALKS, COMPLAINTS = "returned_30d", "interactions_30d", "complaints_365d"
LATE, RIVAL, NEITHER = "payment_trend_days_365d", "competitor_events_30d", "order_value_mean_ever"
MADE = (SILENCE, FEWER_ORDERS, SPENDING, PRODUCTS, RETURNS, TALKS, COMPLAINTS, LATE, RIVAL)
AROUND_0 = pd.DataFrame([(-1.3, -0.67, 0.0, 0.67, 1.3)] * 10, index=[*MADE, NEITHER], columns=list(QUANTILES))


def made(values: pd.DataFrame) -> pd.DataFrame:
    """Snapshots with these values, whose own past is not known."""
    who = [f"M{i:03d}" for i in range(len(values))]
    return values.assign(customer_id=who, as_of=pd.Timestamp("2025-01-01"), gap_median_days_ever=np.nan)


def tell(shares: dict[str, float], odd=(), calm=(), count: int = 3) -> list[tuple[str, str, float]]:
    """Role, feature and contribution of what is told of one customer with these shares, without the rest.

    The facts in `odd` are unusual on the side that worries, those in `calm` on the other; the others are as with peers.
    """
    sizes = {name: 9.0 * ((name in odd) - (name in calm)) for name in {*shares, SILENCE} - {RHYTHM}}
    values = {name: [-size if REGISTRY[name].worse == "less" else size] for name, size in sizes.items()}
    split = Contributions(pd.Series([-1.0]), pd.DataFrame([{RHYTHM: 0.0, **shares}]))
    table = reasons(champion(), made(pd.DataFrame(values)), count=count, spread=AROUND_0, split=split)
    assert table["role"].iloc[-1] == REST
    assert table["contribution"].sum() == pytest.approx(sum(shares.values()))
    told_of = table.iloc[:-1]
    return list(zip(told_of["role"], told_of["feature"], told_of["contribution"].round(12), strict=True))


def test_these_facts_are_of_all_dimensions_and_of_a_concept_each_but_for_two_of_the_rhythm():
    assert {dimension_of(name) for name in MADE} == {dimension_of(name) for name in REGISTRY}
    assert (
        [concept_of(name) for name in MADE].count(RHYTHM_CONCEPT) == len(MADE) - len({*map(concept_of, MADE)}) + 1 == 2
    )


@pytest.mark.parametrize(("share", "large"), [(LEAST - 1e-6, False), (LEAST, True), (LEAST + 1e-6, True)])
def test_a_reason_is_large_enough_and_its_fact_unusual(share, large):
    size = round(share, 12)
    assert tell({COMPLAINTS: share}, odd=(COMPLAINTS,)) == [(REASON if large else SMALL, COMPLAINTS, size)]
    assert tell({COMPLAINTS: share}) == [(SMALL, COMPLAINTS, size)]
    assert tell({COMPLAINTS: share}, calm=(COMPLAINTS,)) == []


@pytest.mark.parametrize(("share", "large"), [(-LEAST + 1e-6, False), (-LEAST, True), (-LEAST - 1e-6, True)])
def test_what_speaks_against_a_warning_is_large_enough_and_its_fact_a_comfort(share, large):
    against = [(AGAINST, COMPLAINTS, round(share, 12))]
    assert tell({COMPLAINTS: share}, calm=(COMPLAINTS,)) == (against if large else [])
    assert tell({COMPLAINTS: share}) == tell({COMPLAINTS: share}, odd=(COMPLAINTS,)) == []


def test_the_rhythm_is_told_by_the_silence_first_whether_the_model_reads_it_or_not():
    shares = {FEWER_ORDERS: 0.6, RHYTHM: 0.2}
    for read in (shares, {SILENCE: 0.0, **shares}):
        assert tell(read, odd=(SILENCE, FEWER_ORDERS)) == [(REASON, SILENCE, 0.8)]
        assert tell(read, odd=(FEWER_ORDERS,)) == [(REASON, FEWER_ORDERS, 0.8)]
        assert tell(read) == [(SMALL, SILENCE, 0.8)]
    assert tell({RHYTHM: 0.8}, odd=(SILENCE,)) == [(REASON, SILENCE, 0.8)]


def test_after_a_silence_nothing_else_of_the_rhythm_is_a_comfort():
    shares = {SILENCE: -0.2, FEWER_ORDERS: -0.9}
    assert tell(shares, calm=(SILENCE, FEWER_ORDERS)) == [(AGAINST, SILENCE, -1.1)]
    assert tell(shares, calm=(FEWER_ORDERS,), odd=(SILENCE,)) == []


def test_after_the_order_rhythm_come_reasons_of_other_dimensions_where_there_are_any():
    shares = {SILENCE: 2.0, SPENDING: 1.0, PRODUCTS: 0.8, TALKS: 0.3, LATE: 0.2}
    assert [name for _, name, _ in tell(shares, MADE, count=5)] == [SILENCE, TALKS, LATE, SPENDING, PRODUCTS]
    assert [name for _, name, _ in tell(shares, MADE, count=2)] == [SILENCE, TALKS]
    # Whose fact is not unusual is no reason, and of whatever dimension takes no place.
    assert [name for _, name, _ in tell(shares, (SILENCE, SPENDING, LATE), count=2)][:2] == [SILENCE, LATE]
    assert [name for _, name, _ in tell(shares, (SILENCE, SPENDING, PRODUCTS), count=2)][:2] == [SILENCE, SPENDING]


def test_what_worries_on_neither_side_is_not_told_but_counts_in_its_concept(monkeypatch):
    assert REGISTRY[NEITHER].worse == ""
    assert tell({NEITHER: 2.0, SPENDING: 0.1}, odd=(NEITHER, SPENDING)) == [(REASON, SPENDING, 2.1)]
    assert tell({NEITHER: 2.0}, odd=(NEITHER,)) == tell({NEITHER: -2.0}, odd=(NEITHER,)) == []
    # Whoever made a feature of the company's own knows what it says.
    monkeypatch.setitem(REGISTRY, NEITHER, replace(REGISTRY[NEITHER], module="ours"))
    assert tell({NEITHER: 2.0}, odd=(NEITHER,)) == [(REASON, NEITHER, 2.0)]


def test_where_no_fact_is_unusual_the_three_largest_changes_are_listed_as_small():
    shares = {TALKS: 0.05, LATE: 0.4, RIVAL: -0.01, COMPLAINTS: 0.3, PRODUCTS: 0.2}
    assert tell(shares) == [(SMALL, LATE, 0.4), (SMALL, COMPLAINTS, 0.3), (SMALL, PRODUCTS, 0.2)]
    # Beside a reason there is less room for them, and beside the order rhythm those of other dimensions come first.
    assert tell(shares, odd=(PRODUCTS,)) == [(REASON, PRODUCTS, 0.2), (SMALL, LATE, 0.4), (SMALL, COMPLAINTS, 0.3)]
    assert tell({SILENCE: 0.2, SPENDING: 0.1, TALKS: 0.05, LATE: 0.02}, odd=(SILENCE,)) == [
        (REASON, SILENCE, 0.2),
        (SMALL, TALKS, 0.05),
        (SMALL, SPENDING, 0.1),
    ]
    # What there is no room for among the reasons is none of them.
    assert tell({LATE: 0.4, PRODUCTS: 0.3}, odd=(LATE, PRODUCTS), count=1) == [(REASON, LATE, 0.4)]


def test_the_two_strongest_speak_against_a_warning():
    shares = {LATE: 0.4, TALKS: -0.2, RIVAL: -0.5, COMPLAINTS: -0.3}
    against = [(AGAINST, RIVAL, -0.5), (AGAINST, COMPLAINTS, -0.3)]
    assert tell(shares, odd=(LATE,), calm=(TALKS, RIVAL, COMPLAINTS)) == [(REASON, LATE, 0.4), *against]


# --- what is told, against the description followed for one customer after the other


def assert_told_by_hand(table: pd.DataFrame, split: Contributions, frame: pd.DataFrame, held: Facts, count: int):
    flags = {"odd": held.unusual, "calm": held.comforting}
    flags["plain"] = ~held.comforting & frame[list(held.comforting)].notna()
    expected = []
    for row in frame.index:
        mine = pd.DataFrame({kind: found.loc[row] for kind, found in flags.items()})
        expected += by_hand(split.values.loc[row], mine, count, frame.loc[row])
    for place, column in enumerate(["role", "concept", "feature"]):
        assert table[column].to_list() == [row[place] for row in expected]
    np.testing.assert_allclose(table["contribution"], [row[3] for row in expected], rtol=0, atol=1e-12)


@pytest.mark.parametrize("count", [1, 3, 20])
def test_drawn_customers_are_told_of_as_described(count):
    rng = np.random.default_rng(0)
    frame = made(pd.DataFrame(rng.normal(size=(300, len(MADE))) * 1.5, columns=list(MADE)))
    shares = pd.DataFrame(rng.normal(size=(300, len(MADE) + 1)) * 0.3, columns=[*MADE, RHYTHM])
    split = Contributions(pd.Series(-1.0, index=frame.index), shares)
    table = reasons(champion(), frame, count=count, spread=AROUND_0, split=split)
    assert set(table["role"]) == {REASON, SMALL, AGAINST, REST}
    assert_told_by_hand(table, split, frame, facts(frame, MADE, AROUND_0), count)


@pytest.mark.parametrize("weights", BLENDS, ids=str)
def test_the_cohort_is_told_of_as_described(weights):
    model, cohort = champion(weights), latest_cohort().head(150)
    split = contributions(model, cohort)
    names = [name for name in split.values if tellable(name)]
    table = reasons(model, cohort, count=3, spread=spread())
    assert_told_by_hand(table, split, cohort, facts(cohort, names, spread()), 3)


# --- the table


@pytest.mark.parametrize("count", [1, 5])
def test_the_rows_of_a_customer_are_numbered_reasons_or_small_changes_first_and_the_rest_last(count):
    per_customer = told(count).groupby("customer_id", sort=False)
    assert [name for name, _ in per_customer] == list(latest_cohort()["customer_id"])
    for _, mine in per_customer:
        assert list(mine["position"]) == list(range(1, len(mine) + 1))
        roles = list(mine["role"])
        assert not {REASON, SMALL} <= set(roles) or roles.count(REASON) + roles.count(SMALL) <= SMALL_TOLD
        assert roles == sorted(roles, key=(REASON, SMALL, AGAINST, REST).index)
        assert roles.count(REST) == 1
        assert mine["concept"].is_unique


def test_the_label_free_model_alone_tells_of_the_silence_in_every_role():
    table = reasons(champion((0.0, 0.0, 1.0)), latest_cohort(), count=3, spread=spread())
    of_rhythm = table[table["role"] != REST]
    assert set(of_rhythm["role"]) == {REASON, SMALL, AGAINST}
    assert set(of_rhythm["feature"]) == {SILENCE}
    assert of_rhythm["customer_id"].is_unique
    left = table[(table["role"] == REST) & table["customer_id"].isin(of_rhythm["customer_id"])]
    np.testing.assert_allclose(left["contribution"], 0, atol=1e-12)


def test_a_row_carries_the_value_the_own_usual_and_the_median_of_the_eligible_peers():
    peers = latest()
    held = peers.set_index("customer_id")
    rows, rest = told()[told()["role"] != REST], told()[told()["role"] == REST]
    assert (told()["as_of"] == peers["as_of"].iloc[0]).all()
    assert (rows["dimension"] == rows["feature"].map(lambda name: REGISTRY[name].dimension)).all()
    medians = latest_cohort()[rows["feature"].unique()].median()
    assert (peers[medians.index].median() != medians).any()
    for row in rows.iloc[::37].itertuples():
        usual = REGISTRY[row.feature].usual
        expected = [held.loc[row.customer_id, row.feature], medians[row.feature]]
        assert [row.value, row.peer_value] == pytest.approx(expected, nan_ok=True)
        own = np.nan if usual is None else held.loc[row.customer_id, usual]
        assert row.usual_value == pytest.approx(own, nan_ok=True)
    assert rows["usual_value"].notna().any()
    assert rest[["value", "usual_value", "peer_value"]].isna().all(axis=None)


def test_the_spread_is_that_of_the_eligible_customers():
    orders = [*range(0, 110, 10), 9e9]
    values = pd.DataFrame({"cohort": [ELIGIBLE] * 11 + ["new"], "orders_90d": orders, "segment": "a"})
    expected = pd.DataFrame([(10.0, 25.0, 50.0, 75.0, 90.0)], index=["orders_90d"], columns=list(QUANTILES))
    pd.testing.assert_frame_equal(spread_of(values), expected)


def test_a_customer_is_told_of_alike_alone_and_in_the_cohort():
    one = latest_cohort().iloc[[123]]
    alone = reasons(champion(), one, count=5, spread=spread())
    among = told()[told()["customer_id"] == one["customer_id"].iloc[0]].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among, rtol=0, atol=1e-12)


def test_a_concept_has_one_dimension_and_owns_the_feature_that_stands_for_it():
    owned = {(concept_of(name), dimension_of(name)) for name in REGISTRY}
    assert len(owned) == len({concept for concept, _ in owned})
    assert {concept: concept_of(name) for concept, name in TOLD_THROUGH.items()} == {RHYTHM_CONCEPT: RHYTHM_CONCEPT}
    assert dimension_of(RHYTHM) == dimension_of(TOLD_THROUGH[RHYTHM_CONCEPT])


def test_nobody_to_explain_gives_no_reasons():
    table = reasons(champion(), latest_cohort().head(0), count=3, spread=spread())
    assert table.empty
    assert list(table.columns) == list(told().columns)
    assert bases(champion(), latest_cohort().head(0)).shape == (0,)
