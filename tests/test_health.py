"""The health score is the weighted mean of what is known of five dimensions, and of nothing else."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from worlds import table_of

from features import shipped
from features.errors import SettingsError
from features.registry import REGISTRY
from features.simulate import simulate
from models.health import DIMENSIONS, MARKS, PROFILES, Mark, Weights, health

SCORES = [f"health_{dimension}" for dimension in DIMENSIONS]
ALL = ", ".join(DIMENSIONS)


def of_scores(**scores: float) -> pd.DataFrame:
    """A snapshot whose dimensions have these scores, all sub-indicators alike, without columns of the others."""
    values = {
        mark.feature: mark.bad + scores[mark.dimension] / 100 * (mark.good - mark.bad)
        for mark in MARKS
        if mark.dimension in scores
    }
    return pd.DataFrame([values])


def as_usual(**changed: float) -> pd.DataFrame:
    """A snapshot with every sub-indicator at its good end but for these features."""
    return pd.DataFrame([{mark.feature: mark.good for mark in MARKS} | changed])


def check_alone(dimension: str, feature: str, value: float, mark: float) -> None:
    """Only this sub-indicator is worse than usual: the dimension falls by a third of it, the total by its weight."""
    row = health(as_usual(**{feature: value})).iloc[0]
    fall = (100 - mark) / 3
    assert row[f"health_{dimension}"] == pytest.approx(100 - fall)
    assert [row[name] for name in SCORES if name != f"health_{dimension}"] == [100.0] * 4
    weight = {"transaction": 0.30, "interaction": 0.25, "service": 0.20, "finance": 0.15, "strategy": 0.10}[dimension]
    assert row["health"] == pytest.approx(100 - weight * fall)


def test_hs_01_the_score_is_the_sum_of_the_dimensions_each_by_its_weight():
    found = health(of_scores(transaction=80, interaction=60, service=40, finance=100, strategy=20)).iloc[0]
    assert found[SCORES].tolist() == pytest.approx([80, 60, 40, 100, 20])
    assert found["health"] == pytest.approx(24 + 15 + 8 + 15 + 2)
    assert found["known_dimensions"] == ALL
    assert health(as_usual())["health"].tolist() == [100.0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strategy": 5}, r"sum to 100, found .*strategy 5, in sum 95\. Add 5 to them in all\."),
        ({"strategy": 15}, r"in sum 105\. Take 5 from them in all\."),
        ({"transaction": -10, "interaction": 65}, r"found transaction -10, .* Give transaction a number of 0 or more"),
        ({"finance": float("nan")}, "Give finance a number"),
        ({"finance": float("inf")}, "Give finance a number"),
    ],
)
def test_hs_01_weights_that_do_not_sum_to_100_are_rejected_with_what_mends_them(given, message):
    with pytest.raises(SettingsError, match=message) as caught:
        Weights(**given)
    assert "\n" not in str(caught.value)


def test_hs_01_weights_in_decimal_fractions_sum_to_100():
    assert Weights(0.1, 0.2, 33.3, 33.3, 33.1).finance == 33.3


@pytest.mark.parametrize(
    ("feature", "value", "mark"),
    [
        ("order_days_90d_vs_usual", 0.625, 50),
        ("order_value_slope_365d", -0.1, 80),
        ("product_lines_90d_vs_usual", 0.4, 20),
    ],
)
def test_hs_02_transaction_is_order_frequency_order_size_and_product_range(feature, value, mark):
    check_alone("transaction", feature, value, mark)


@pytest.mark.parametrize(
    ("feature", "value", "mark"),
    [
        ("technical_reply_hours_90d_vs_usual", 2.5, 50),
        ("attended_share_90d_vs_usual", 1 / 4 - 4 / 4, 0),
        # Executives came every 90 days, and now not for 180.
        ("days_since_last_executive_interaction_vs_usual", 2, 50),
    ],
)
def test_hs_03_interaction_is_response_time_participation_in_meetings_and_executives(feature, value, mark):
    check_alone("interaction", feature, value, mark)


@pytest.mark.parametrize(
    ("feature", "value", "mark"),
    [
        ("resolution_days_mean_90d_vs_usual", 3.7, 10),
        ("maintenance_uptake_share_365d_vs_usual", -0.3, 60),
        ("training_uptake_share_365d_vs_usual", -0.6, 20),
    ],
)
def test_hs_04_service_is_time_to_resolve_uptake_of_maintenance_and_training(feature, value, mark):
    check_alone("service", feature, value, mark)


@pytest.mark.parametrize(
    ("feature", "value", "mark"),
    [
        ("payment_days_mean_90d_vs_usual", 45 / 30, 50),
        ("credit_used_share_vs_usual", 0.4, 20),
        ("confirmation_days_mean_90d_vs_usual", 1.3, 90),
    ],
)
def test_hs_05_finance_is_time_to_pay_use_of_credit_and_time_to_confirm(feature, value, mark):
    check_alone("finance", feature, value, mark)


@pytest.mark.parametrize(
    ("feature", "value", "mark"),
    [
        ("document_depth_90d_vs_usual", 1 / 16, 0),
        ("joint_rnd_180d_vs_usual", 0.85, 80),
        ("joint_marketing_180d_vs_usual", 0.55, 40),
    ],
)
def test_hs_06_strategy_is_shared_information_joint_research_and_joint_marketing(feature, value, mark):
    check_alone("strategy", feature, value, mark)


def test_hs_06_without_strategic_data_the_other_dimensions_share_its_weight_and_are_named():
    found = health(of_scores(transaction=80, interaction=60, service=40, finance=100)).iloc[0]
    assert found["health"] == pytest.approx((30 * 80 + 25 * 60 + 20 * 40 + 15 * 100) / 90)
    assert np.isnan(found["health_strategy"])
    assert found["known_dimensions"] == "transaction, interaction, service, finance"


def test_hs_08_project_business_looks_at_interaction_and_standard_goods_at_transactions():
    assert Weights.default() == Weights(30, 25, 20, 15, 10)
    assert Weights.of_profile("project").interaction > 25
    assert Weights.of_profile("standard").transaction > 30
    row = of_scores(transaction=0, interaction=100, service=50, finance=50, strategy=50)
    by_profile = {name: health(row, weights)["health"].iloc[0] for name, weights in PROFILES.items()}
    assert by_profile["project"] > by_profile["default"] > by_profile["standard"]


def test_hs_08_a_profile_that_does_not_exist_is_answered_with_those_that_do():
    with pytest.raises(SettingsError, match=r"'retail': expected one of default, standard, project\."):
        Weights.of_profile("retail")


def test_hs_09_edited_weights_change_the_score_of_the_same_data():
    row = of_scores(transaction=80, interaction=60, service=40, finance=100, strategy=20)
    assert health(row, Weights(10, 20, 30, 15, 25))["health"].tolist() == pytest.approx([8 + 12 + 12 + 15 + 5])


def test_each_dimension_has_three_sub_indicators_that_are_features_of_its_own():
    shipped.load()
    assert {d: sum(mark.dimension == d for mark in MARKS) for d in DIMENSIONS} == dict.fromkeys(DIMENSIONS, 3)
    assert [(mark.feature, REGISTRY[mark.feature].dimension) for mark in MARKS] == [
        (mark.feature, mark.dimension) for mark in MARKS
    ]
    assert len({mark.feature for mark in MARKS}) == len({mark.indicator for mark in MARKS}) == 15


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark.feature)
def test_a_mark_is_100_as_usual_or_better_and_falls_evenly_to_0_at_the_bad_end_and_beyond(mark):
    way = mark.bad - mark.good
    steps = [-np.inf, -2, 0, 0.25, 0.5, 1, 3, np.inf]
    found = mark.of(pd.DataFrame({mark.feature: [mark.good + step * way for step in steps]}))
    assert found.tolist() == pytest.approx([100, 100, 100, 75, 50, 0, 0, 0])


def test_an_unknown_sub_indicator_is_left_out_of_the_mean_of_its_dimension():
    row = as_usual(order_days_90d_vs_usual=0.625, product_lines_90d_vs_usual=np.nan)
    assert health(row)["health_transaction"].tolist() == pytest.approx([(50 + 100) / 2])
    assert health(row.drop(columns="product_lines_90d_vs_usual"))["health_transaction"].tolist() == pytest.approx([75])


def test_each_row_counts_the_dimensions_that_it_has():
    both = pd.concat([of_scores(transaction=20, finance=80), of_scores(finance=80), of_scores()], ignore_index=True)
    found = health(both)
    assert found["known_dimensions"].tolist() == ["transaction, finance", "finance", ""]
    assert found["known_dimensions"].dtype == "str"
    assert found["health"].tolist() == pytest.approx([(30 * 20 + 15 * 80) / 45, 80, np.nan], nan_ok=True)


def test_a_dimension_of_no_weight_keeps_its_score_and_does_not_count():
    weights = Weights(transaction=100, interaction=0, service=0, finance=0, strategy=0)
    found = health(pd.concat([of_scores(transaction=20, finance=80), of_scores(finance=80)]), weights)
    assert found["health_finance"].tolist() == pytest.approx([80, 80])
    assert found["health"].tolist() == pytest.approx([20, np.nan], nan_ok=True)
    assert found["known_dimensions"].tolist() == ["transaction", ""]


def test_orders_alone_give_the_transaction_dimension_alone():
    lines = simulate(60, 24, seed=4, end=date(2025, 7, 1)).tables["transactions"]
    frame = table_of(lines[["customer_id", "order_id", "ordered_at", "amount"]], [date(2025, 4, 1)]).frame
    found = health(frame)
    known = found["health"].notna()
    assert known.mean() > 0.5
    assert (found["known_dimensions"] == np.where(known, "transaction", "")).all()
    np.testing.assert_allclose(found["health"], found["health_transaction"], rtol=1e-12)
    assert found[SCORES[1:]].isna().all(axis=None)


def test_the_score_stays_between_0_and_100_and_is_known_wherever_a_dimension_is():
    rng = np.random.default_rng(5)
    values = rng.standard_cauchy((5000, len(MARKS)))
    values[rng.random(values.shape) < 0.6] = np.nan
    values[rng.random(values.shape) < 0.02] = np.inf
    frame = pd.DataFrame(values, columns=[mark.feature for mark in MARKS])
    for shares in rng.dirichlet(np.ones(5), 5):
        found = health(frame, Weights(*(100 * shares)))
        scores = found[["health", *SCORES]]
        assert (scores.isna() | ((scores >= 0) & (scores <= 100))).all(axis=None)
        assert (found["health"].notna() == found[SCORES].notna().any(axis=1)).all()
        assert ((found["known_dimensions"] != "") == found["health"].notna()).all()
        lowest, highest = found[SCORES].min(axis=1), found[SCORES].max(axis=1)
        assert (found["health"] >= lowest - 1e-9)[found["health"].notna()].all()
        assert (found["health"] <= highest + 1e-9)[found["health"].notna()].all()


def test_the_result_stands_on_the_index_of_the_snapshots_and_leaves_them_as_they_were():
    frame = pd.concat([as_usual(credit_used_share_vs_usual=0.5), as_usual()]).set_axis(["b", "b"])
    before = frame.copy()
    found = health(frame)
    assert found.index.tolist() == ["b", "b"]
    assert found["health_finance"].tolist() == pytest.approx([200 / 3, 100])
    pd.testing.assert_frame_equal(frame, before)
    assert health(frame.iloc[:0]).shape == (0, 8)


def test_other_marks_and_shares_within_a_dimension_can_be_given():
    marks = (
        Mark("silence", "transaction", "days_since_last_order", 30, 90, weight=3),
        Mark("revenue", "transaction", "revenue_90d_vs_usual", 1, 0),
    )
    frame = pd.DataFrame({"days_since_last_order": [45.0, np.nan], "revenue_90d_vs_usual": [0.25, 0.25]})
    found = health(frame, marks=marks)
    assert found["health_transaction"].tolist() == pytest.approx([(3 * 75 + 25) / 4, 25])
    assert found["known_dimensions"].tolist() == ["transaction", "transaction"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dimension": "money"}, "one of the dimensions transaction, .* found 'money'"),
        ({"bad": 1.0}, "two different numbers as ends; found good 1 and bad 1"),
        ({"good": float("nan")}, "two different numbers as ends; found good nan"),
        ({"weight": 0.0}, "a weight above 0; found 0"),
        ({"weight": float("inf")}, "a weight above 0; found inf"),
    ],
)
def test_a_mark_that_maps_nothing_is_refused(changed, message):
    given = {"indicator": "late", "dimension": "finance", "feature": "late", "good": 1.0, "bad": 2.0} | changed
    with pytest.raises(SettingsError, match=f"health mark 'late': expected {message}"):
        Mark(**given)
