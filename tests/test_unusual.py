"""Whether a fact is itself unusual: against the customer's own past first, else against the others of the date."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.registry import REGISTRY, registered
from models.unusual import IQR_TO_SD, QUANTILES, UNUSUAL, facts

NAN = float("nan")
#: A feature of each side that has a `_z` column.
LESS, MORE, NEITHER = "revenue_90d", "complaints_90d", "discount_share_90d"
#: Without a past of their own.
LESS_OF_PEERS, MORE_OF_PEERS, NEITHER_OF_PEERS = "product_lines_90d", "overdue_amount", "open_season_share"
#: One robust standard deviation is 10.
AROUND_100 = (100 - 13, 100 - 6.745, 100, 100 + 6.745, 100 + 13)


def spread(**rows) -> pd.DataFrame:
    return pd.DataFrame(rows, index=list(QUANTILES), dtype=float).T


def told(name: str, values, *, against=AROUND_100, **others) -> list[bool]:
    """Whether each value of one feature is unusual, with other columns of the snapshots beside it."""
    frame = pd.DataFrame({name: values, **others}, dtype=float)
    return facts(frame, [name], spread(**{name: against})).unusual[name].tolist()


def test_the_features_of_these_tests_worry_on_the_sides_that_they_stand_for():
    sides = {"less": (LESS, LESS_OF_PEERS), "more": (MORE, MORE_OF_PEERS), "": (NEITHER, NEITHER_OF_PEERS)}
    for side, names in sides.items():
        assert {REGISTRY[name].worse for name in names} == {side}
        assert [f"{name}_z" in REGISTRY for name in names] == [True, False]


DEVIATIONS = [-1.5, -1.4, 0.0, 1.4, 1.5]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (LESS, [True, False, False, False, False]),
        (MORE, [False, False, False, False, True]),
        (NEITHER, [True, False, False, False, True]),
    ],
)
@pytest.mark.parametrize("view", ["", "_vs_usual"])
def test_a_fact_departs_from_the_own_past_by_one_and_a_half_deviations_on_the_side_that_worries(name, view, expected):
    assert told(name + view, [100.0] * 5, **{f"{name}_z": DEVIATIONS}) == expected


@pytest.mark.parametrize(("name", "expected"), [(LESS, [True] + [False] * 4), (MORE, [False] * 4 + [True])])
def test_a_deviation_is_its_own_measure(name, expected):
    assert told(f"{name}_z", DEVIATIONS) == expected


def test_what_is_usual_for_the_customer_is_not_unusual_however_far_it_is_from_others():
    assert told(LESS, [0.0, 0.0], **{f"{LESS}_z": [0.0, NAN]}) == [False, True]


def test_another_window_without_a_deviation_of_its_own_is_compared_with_others():
    assert told("revenue_30d", [0.0, 100.0], revenue_90d_z=[0.0, -9.0]) == [True, False]


def test_the_comparison_with_peers_is_measured_by_peers_even_where_the_own_past_is_known():
    assert told(f"{LESS}_vs_peers", [0.0, 100.0], **{f"{LESS}_z": [0.0, -9.0]}) == [True, False]


@pytest.mark.parametrize("view", ["", "_vs_median_gap", "_vs_mean_gap", "_vs_median_gap_vs_peers"])
def test_a_silence_is_unusual_beyond_nine_of_ten_own_gaps(view):
    ratio = {"days_since_last_order_vs_q90_gap": [0.9, 1.0, 1.01, NAN]}
    assert told(f"days_since_last_order{view}", [500.0, 500.0, 1.0, 500.0], **ratio) == [False, False, True, True]


def test_a_silence_against_the_long_gap_speaks_for_itself():
    assert told("days_since_last_order_vs_q90_gap", [1.0, 1.01, NAN]) == [False, True, False]


def test_the_long_gap_itself_serves_where_the_ratio_is_no_column():
    assert told("days_since_last_order", [29.0, 30.0, 31.0], gap_q90_days_ever=[29.0] * 3) == [False, True, True]


def test_a_silence_without_any_gap_is_compared_with_others():
    assert told("days_since_last_order", [114.0, 116.0, 50.0]) == [False, True, False]
    assert told("days_since_last_order", [114.0, 116.0], gap_q90_days_ever=[NAN, NAN]) == [False, True]


def test_a_deviation_of_the_silence_is_measured_in_deviations_and_not_by_the_long_gap():
    beyond = {"days_since_last_order_vs_q90_gap": [2.0, 0.5]}
    assert told("days_since_last_order_own_z", [1.4, 1.6], **beyond) == [False, True]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (LESS_OF_PEERS, [True, False, False, False, False]),
        (MORE_OF_PEERS, [False, False, False, False, True]),
        (NEITHER_OF_PEERS, [True, False, False, False, True]),
    ],
)
def test_without_a_past_a_fact_is_unusual_far_from_the_median_of_others(name, expected):
    assert told(name, [84.9, 85.1, 100.0, 114.9, 115.1]) == expected


@pytest.mark.parametrize(
    ("name", "against", "expected"),
    [
        (MORE_OF_PEERS, (0, 0, 0, 0, 0), [False, False, True, True]),
        (MORE_OF_PEERS, (0, 0, 0, 0, 3), [False, False, False, True]),
        (LESS_OF_PEERS, (0, 0, 0, 0, 0), [True, False, False, False]),
        (LESS_OF_PEERS, (-2, 0, 0, 0, 0), [False, False, False, False]),
        (NEITHER_OF_PEERS, (0, 0, 0, 0, 0), [True, False, True, True]),
    ],
)
def test_where_others_are_alike_a_fact_is_unusual_beyond_all_but_a_tenth_of_them(name, against, expected):
    assert told(name, [-1.0, 0.0, 3.0, 4.0], against=against) == expected


@pytest.mark.parametrize(
    ("name", "side", "against", "expected"),
    [
        ("competitor_present", "more", (0, 0, 0, 0, 0), [False, True]),
        ("competitor_present", "more", (0, 0, 0, 0, 0.4), [False, False]),
        ("competitor_present", "more", (0, 0, 0, 0, 1), [False, False]),
        ("competitor_present", "more", (0, 0, 0, 0.1, 1), [False, False]),
        ("competitor_present", "more", (0, 0, 1, 1, 1), [False, False]),
        ("contract_running", "less", (1, 1, 1, 1, 1), [True, False]),
        ("contract_running", "less", (0.6, 1, 1, 1, 1), [False, False]),
        ("contract_running", "less", (0, 0, 0, 0, 0), [False, False]),
        ("reactivated_365d", "", (0, 0, 0, 0, 0), [False, True]),
        ("reactivated_365d", "", (1, 1, 1, 1, 1), [True, False]),
    ],
)
def test_a_flag_is_unusual_on_its_worrying_side_where_nine_of_ten_others_are_not(name, side, against, expected):
    assert (REGISTRY[name].unit, REGISTRY[name].worse) == ("flag", side)
    assert told(name, [0.0, 1.0], against=against) == expected


@pytest.mark.parametrize("name", [one.name for one in registered()])
def test_the_unknown_is_never_unusual(name):
    deviations = {f"{name.removesuffix('_vs_usual')}_z": -9.0, "days_since_last_order_vs_q90_gap": 9.0, name: NAN}
    frame = pd.DataFrame(deviations, index=[0])
    assert not facts(frame, [name], spread(**{name: AROUND_100})).unusual.iloc[0, 0]


def test_a_customer_s_own_past_level_is_no_fact_of_its_own():
    for name in ("revenue_90d_usual", "last_rating_usual", "products_90d_usual"):
        assert told(name, [-1e9, 1e9]) == [False, False]


def test_a_comparison_with_the_usual_is_a_fact_though_its_name_ends_alike():
    assert told("price_talks_more_than_usual", [200.0]) == [True]
    assert told("order_days_90d_vs_season_usual", [0.0]) == [True]


def test_a_feature_whose_spread_is_not_known_is_held_against_the_own_past_only():
    frame = pd.DataFrame({LESS: [0.0, 0.0], f"{LESS}_z": [-2.0, NAN]})
    assert facts(frame, [LESS], spread(overdue_amount=AROUND_100)).unusual[LESS].tolist() == [True, False]


def test_the_answer_has_the_rows_and_the_columns_asked_for_and_leaves_what_it_was_given():
    frame = pd.DataFrame({MORE_OF_PEERS: [200.0, 0.0], LESS_OF_PEERS: [200.0, 0.0]}, index=["b", "a"])
    before = frame.copy()
    found = facts(frame, [LESS_OF_PEERS, MORE_OF_PEERS], spread(**dict.fromkeys(frame, AROUND_100))).unusual
    expected = pd.DataFrame({LESS_OF_PEERS: [False, True], MORE_OF_PEERS: [True, False]}, index=["b", "a"])
    pd.testing.assert_frame_equal(found, expected)
    pd.testing.assert_frame_equal(frame, before)


def test_no_features_and_no_customers_give_empty_answers():
    frame = pd.DataFrame({MORE_OF_PEERS: [200.0]})
    assert facts(frame, [], spread()).unusual.shape == (1, 0)
    assert facts(frame[:0], [MORE_OF_PEERS], spread(overdue_amount=AROUND_100)).unusual.shape == (0, 1)


def test_a_name_that_nobody_declared_is_an_error():
    with pytest.raises(KeyError, match="revenue_91d"):
        facts(pd.DataFrame({"revenue_91d": [1.0]}), ["revenue_91d"], spread())


QUANTITY = st.floats(-1e6, 1e6)
SORTED = st.lists(QUANTITY, min_size=5, max_size=5).map(sorted)


@given(values=st.lists(QUANTITY, min_size=1, max_size=20).map(sorted), against=SORTED)
def test_whatever_is_worse_than_the_unusual_is_unusual_too(values, against):
    more, less = told(MORE_OF_PEERS, values, against=against), told(LESS_OF_PEERS, values, against=against)
    assert more == sorted(more)
    assert less == sorted(less, reverse=True)
    either = told(NEITHER_OF_PEERS, values, against=against)
    assert either == [a or b for a, b in zip(more, less, strict=True)]


@given(values=st.lists(QUANTITY, min_size=1, max_size=20), against=SORTED)
def test_the_middle_half_of_the_others_is_never_unusual(values, against):
    for value, found in zip(values, told(NEITHER_OF_PEERS, values, against=against), strict=True):
        assert not (found and against[1] <= value <= against[3] and against[3] - against[2] == against[2] - against[1])
        assert not (found and value == against[2])


@given(
    rows=st.lists(st.tuples(QUANTITY, st.floats(-5, 5) | st.just(NAN)), min_size=1, max_size=10),
    against=SORTED,
)
def test_a_customer_s_answer_does_not_depend_on_who_else_is_asked_about(rows, against):
    values, deviations = zip(*rows, strict=True)
    together = told(MORE, list(values), against=against, **{f"{MORE}_z": list(deviations)})
    alone = [told(MORE, [value], against=against, **{f"{MORE}_z": [z]})[0] for value, z in rows]
    assert together == alone


def test_normal_customers_pass_the_limit_one_time_in_fifteen():
    values = np.random.default_rng(3).normal(size=20_000)
    against = np.quantile(values, [0.1, 0.25, 0.5, 0.75, 0.9])
    share = np.mean(told(MORE_OF_PEERS, values, against=against))
    assert abs(share - 1 / 15) < 0.006
    assert np.isclose((against[3] - against[1]) / IQR_TO_SD * UNUSUAL, 1.5, rtol=0.03)
