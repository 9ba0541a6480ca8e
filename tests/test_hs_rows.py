"""Health by date: the other scheme, three months of falls, ratings that are too old, rows that come out alike again."""

from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from orders import ingested, known_at, lines

from features.errors import SettingsError
from features.simulate import simulate
from models.health import INPUTS, Mark, Weights
from models.health_history import Reference, health_dates, health_rows, month_steps, with_history
from models.health_scheme import (
    FIVE_DIMENSIONS,
    FIVE_INPUTS,
    RATING_AGE,
    InputWeights,
    Scheme,
    check_features,
    edited,
    with_marks,
)

AS_OF = date(2026, 3, 31)
WORLD_AS_OF = date(2025, 11, 1)
KEYS = ["customer_id", "as_of"]


def inputs(**changed: float) -> pd.DataFrame:
    """A snapshot with every input half way between its ends, and a fresh rating."""
    half = {mark.feature: (mark.good + mark.bad) / 2 for mark in FIVE_INPUTS.marks}
    return pd.DataFrame([half | {RATING_AGE: 10.0} | changed])


def months(*health: float) -> pd.Series:
    """What is found of a customer with these scores, a month apart, the last one today."""
    days = [*month_steps(AS_OF), AS_OF]
    rows = pd.DataFrame({"customer_id": "A", "as_of": pd.to_datetime(days), "health": health})
    return with_history(rows, AS_OF).iloc[0]


@cache
def world() -> dict[str, pd.DataFrame]:
    """All tables of a small company. Not to be changed in place."""
    return simulate(40, 24, seed=5, end=date(2026, 1, 1)).tables


def rows_of(tables: dict[str, pd.DataFrame], as_ofs: list[date], scheme: Scheme = FIVE_DIMENSIONS) -> pd.DataFrame:
    others = {name: table for name, table in tables.items() if name != "transactions"}
    with TemporaryDirectory() as place:
        return health_rows(ingested(tables["transactions"], Path(place), **others), as_ofs, scheme)


@cache
def world_rows() -> pd.DataFrame:
    return rows_of(world(), [*health_dates(WORLD_AS_OF), WORLD_AS_OF])


# HS-09: weights of segments


def test_hs_09_a_segment_has_weights_of_its_own_and_all_others_those_of_the_company():
    row = {mark.feature: mark.good if mark.dimension == "finance" else mark.bad for mark in FIVE_DIMENSIONS.marks}
    frame = pd.DataFrame([row | {"segment": name} for name in ("pumps", "valves", None)])
    own = edited(FIVE_DIMENSIONS.weights, {"finance": 40, "transaction": 5}, "[health.segments.pumps]")
    found = Scheme(FIVE_DIMENSIONS.weights, FIVE_DIMENSIONS.marks, {"pumps": own}).scored(frame)
    # only finance is at 100, all else at 0
    assert found["health"].tolist() == pytest.approx([40, 15, 15])


def test_hs_09_weights_of_a_segment_have_to_sum_to_100_too():
    with pytest.raises(SettingsError, match=r"^\[health\.segments\.pumps\]: .* in sum 125\. Take 25 from them"):
        edited(Weights(), {"finance": 40.0}, "[health.segments.pumps]")
    with pytest.raises(SettingsError, match=r"place: expected transaction, .*; found money\. Name"):
        edited(Weights(), {"money": 40.0}, "place")
    with pytest.raises(SettingsError, match=r"segment 'pumps': expected transaction, .* found activity"):
        Scheme(Weights(), FIVE_DIMENSIONS.marks, {"pumps": InputWeights()})


# HS-10: five inputs


def test_hs_10_five_inputs_of_equal_weight_make_a_score_of_0_to_100():
    assert FIVE_INPUTS.weights.dimensions == INPUTS
    found = FIVE_INPUTS.scored(inputs()).iloc[0]
    assert found["health"] == pytest.approx(50)
    assert [found[f"health_{name}"] for name in INPUTS] == pytest.approx([50] * 5)
    assert found["known_dimensions"] == ", ".join(INPUTS)
    best = inputs(**{mark.feature: mark.good for mark in FIVE_INPUTS.marks})
    worst = inputs(**{mark.feature: mark.bad for mark in FIVE_INPUTS.marks})
    assert [FIVE_INPUTS.scored(frame)["health"].item() for frame in (worst, best)] == [0, 100]


@pytest.mark.parametrize(
    ("feature", "dimension", "worse", "better"),
    [
        ("inbound_interactions_90d_vs_usual", "activity", 0.5, 0.75),
        ("order_days_90d_vs_usual", "deal_frequency", 0.5, 0.75),
        ("payment_days_mean_90d_vs_usual", "payment_cycle", 1.6, 1.4),
        ("complaints_90d_vs_usual", "complaints", 3.0, 2.0),
        ("last_rating", "satisfaction", 2.0, 4.0),
    ],
)
def test_hs_10_each_input_alone_moves_the_score_in_its_own_direction(feature, dimension, worse, better):
    low, middle, high = (
        FIVE_INPUTS.scored(frame).iloc[0]
        for frame in (inputs(**{feature: worse}), inputs(), inputs(**{feature: better}))
    )
    assert low["health"] < middle["health"] < high["health"]
    others = [f"health_{name}" for name in INPUTS if name != dimension]
    assert low[others].tolist() == middle[others].tolist() == high[others].tolist()
    assert high["health"] - low["health"] == pytest.approx(
        0.2 * (high[f"health_{dimension}"] - low[f"health_{dimension}"])
    )


def test_hs_10_the_score_never_leaves_0_to_100_on_random_data():
    rng = np.random.default_rng(2)
    columns = [*FIVE_INPUTS.features, RATING_AGE]
    values = 3 * rng.standard_cauchy((3000, len(columns)))
    values[rng.random(values.shape) < 0.3] = np.nan
    found = FIVE_INPUTS.scored(pd.DataFrame(values, columns=columns))
    scores = found[["health", *(f"health_{name}" for name in INPUTS)]]
    assert (scores.isna() | scores.ge(0) & scores.le(100)).all(axis=None)
    assert found["health"].notna().mean() > 0.9


def test_hs_10_marks_of_one_scheme_are_refused_in_the_other():
    with pytest.raises(SettingsError, match=r"expected the dimensions activity, .*; found another in order frequency"):
        Scheme(InputWeights(), FIVE_DIMENSIONS.marks)


# CL-11: ratings that are too old


@pytest.mark.parametrize(("age", "counts"), [(364.0, True), (365.0, True), (366.0, False)])
def test_cl_11_a_rating_older_than_a_year_is_left_out_and_named(age, counts):
    found = FIVE_INPUTS.scored(inputs(last_rating=1.0, **{RATING_AGE: age})).iloc[0]
    assert found["health"] == pytest.approx(40 if counts else 50)
    assert ("satisfaction" in found["known_dimensions"]) == counts
    assert found["stale"] == ("" if counts else "satisfaction")


def test_cl_11_the_age_of_the_newest_rating_is_flagged_for_each_customer_in_either_scheme():
    orders = lines("""
        customer_id order_id ordered_at amount
        A 1 2025-01-10 100
        B 2 2025-01-10 100
        C 3 2025-01-10 100
    """)
    services = lines("""
        customer_id ticket_id kind opened_at rating rated_at
        A t1 survey 2025-01-01 1 2025-01-01
        A t2 survey 2025-12-01 5 2025-12-31
        A t3 survey 2026-03-30 - -
        B t4 survey 2025-12-29 3 2025-12-30
    """)
    tables = {"transactions": orders, "services": services}
    for scheme in (FIVE_DIMENSIONS, FIVE_INPUTS):
        found = rows_of(tables, [AS_OF], scheme.with_stale_after(90)).set_index("customer_id")
        assert found["rating_age_days"].to_dict() == pytest.approx({"A": 90, "B": 91, "C": np.nan}, nan_ok=True)
        assert found["rating_stale"].to_dict() == {"A": False, "B": True, "C": False}
    assert found["health_satisfaction"].to_dict() == pytest.approx({"A": 100, "B": np.nan, "C": np.nan}, nan_ok=True)
    assert found["stale"].to_dict() == {"A": "", "B": "satisfaction", "C": ""}


# HS-11: three months of falls


@pytest.mark.parametrize(
    ("health", "red"),
    [
        ((80, 74, 66, 59), True),  # 21 points
        ((80, 74, 66, 60), False),  # 20 points
        ((80, 74, 66, 59.9), True),
        ((80, 50, 60, 55), False),  # it rose in one of them
        ((80, 60, 60, 50), False),  # it stood still in one of them
        ((80, np.nan, 60, 50), False),
    ],
)
def test_hs_11_a_fall_in_each_of_three_months_by_more_than_20_points_in_all_is_potential_churn(health, red):
    found = months(*health)
    assert found["potential_churn"] == red
    assert found["health_level"] == ("red" if red else "none")
    assert [found["health_3m"], found["health_2m"], found["health_1m"]] == pytest.approx(
        [float(one) for one in health[:3]], nan_ok=True
    )
    assert found["fall_3m_points"] == pytest.approx(health[0] - health[3])


def test_hs_11_a_month_before_is_the_same_day_or_the_last_one_of_a_shorter_month():
    assert [str(day) for day in month_steps(date(2026, 5, 31))] == ["2026-02-28", "2026-03-31", "2026-04-30"]
    assert [str(day) for day in month_steps(date(2026, 1, 1))] == ["2025-10-01", "2025-11-01", "2025-12-01"]


# HS-12: a row for each customer and date


def test_hs_12_every_active_customer_has_one_row_per_date_and_the_same_date_gives_the_same_rows_again():
    found = world_rows()
    assert not found.duplicated(KEYS).any()
    orders = world()["transactions"]
    recent = orders[orders["ordered_at"].between("2025-06-01", "2025-10-01") & (orders["amount"] > 0)]
    today = found[found["as_of"] == pd.Timestamp(WORLD_AS_OF)].reset_index(drop=True)
    assert len(today) > 20
    assert set(recent["customer_id"]) <= set(today["customer_id"])
    pd.testing.assert_frame_equal(rows_of(world(), [WORLD_AS_OF]), today)


def test_hs_12_health_of_a_date_is_what_was_known_then():
    cut = health_dates(WORLD_AS_OF)[0]
    known = {name: table[known_at(name, table) < pd.Timestamp(cut)] for name, table in world().items()}
    then = rows_of(known, [cut])
    now = world_rows()
    now = now[now["as_of"] == pd.Timestamp(cut)].reset_index(drop=True)
    assert then["health"].notna().mean() > 0.8
    pd.testing.assert_frame_equal(then, now)


def test_hs_12_the_history_gives_one_row_per_customer_of_the_cutoff_and_again_the_same():
    first, again = (with_history(world_rows(), WORLD_AS_OF) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert first["customer_id"].is_unique
    assert first["health_reference"].notna().mean() > 0.7
    scores = first[["health", "health_reference", "health_1m"]]
    assert (scores.isna() | scores.ge(0) & scores.le(100)).all(axis=None)
    known = first["health_drop"].notna()
    assert known.any()
    assert (known == (first["health_reference"].notna() & first["health"].notna())).all()


# What a company changes of the marks


def test_marks_can_be_changed_left_out_and_added():
    marks = with_marks(
        FIVE_DIMENSIONS.marks,
        {
            "order_days_90d_vs_usual": {"bad": 0.5},
            "product_lines_90d_vs_usual": {"weight": 0},
            "revenue_90d_vs_usual": {"dimension": "transaction", "good": 1.0, "bad": 0.0, "weight": 2.0},
        },
    )
    found = {mark.feature: mark for mark in marks if mark.dimension == "transaction"}
    assert [(one.bad, one.weight) for one in found.values()] == [(0.5, 1), (-0.5, 1), (0.0, 2.0)]
    assert found["revenue_90d_vs_usual"].indicator == "revenue 90d vs usual"
    with pytest.raises(SettingsError, match="'revenue_90d': expected dimension, good and bad for a new mark; bad not"):
        with_marks((), {"revenue_90d": {"dimension": "finance", "good": 1.0}})


def test_what_is_no_feature_of_the_customer_itself_makes_no_mark():
    check_features((*FIVE_DIMENSIONS.features, *FIVE_INPUTS.features))
    with pytest.raises(SettingsError, match="'revenue': expected the name of a feature; there is no such one"):
        check_features(["revenue"])
    with pytest.raises(SettingsError, match=r"'last_rating_vs_peers': .* compares it with others"):
        check_features(["last_rating_vs_peers"])


def test_a_scheme_of_one_mark_reads_what_it_needs_and_no_more():
    scheme = Scheme(Weights(), (Mark("rating", "service", "last_rating", 5, 1),))
    assert scheme.features == ("last_rating",)
    found = rows_of({"transactions": world()["transactions"]}, [WORLD_AS_OF], scheme)
    assert found["health"].isna().all()
    assert len(found) > 20


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"from_days": 180, "until_days": 180}, "found 180 to 180. Give the nearer end first"),
        ({"from_days": 0}, "found 0 to 180"),
        ({"known": 5}, "found 4 dates of which 5 known"),
        ({"dates": 91}, "found 91 dates of which 2 known"),
    ],
)
def test_a_reference_without_its_dates_is_refused(changed, message):
    with pytest.raises(SettingsError, match=message):
        Reference(**changed)
