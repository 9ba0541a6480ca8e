"""Rhythm classes and the numbers that decide them, and what the sequence of a customer's gaps tells."""

import math
import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from histories import MAY_4, ordered, table
from orders import features_of, lines, snapshots_of, world_lines

from features.options import resolved
from features.registry import available
from features.rhythm_class import CLASSES, rhythm_class_of


def season_of(year: int) -> list[int]:
    """Every two weeks from 1 October to Christmas, as days before 4 May 2024."""
    return [(MAY_4 - (date(year, 10, 1) + timedelta(days=14 * n))).days for n in range(7)]


CUSTOMERS = {
    "clockwork": range(10, 400, 30),
    "by_chance": [5, 8, 60, 66, 70, 140, 150, 230, 232, 300],
    "winter": [*season_of(2023), *season_of(2022), *season_of(2021)],
    "yearly": [60, 425, 790, 1155],
    "builder": [20, 22, 25, 27, 30, 33, 700, 703, 705, 708, 1500, 1502, 1505],
    "first_week": [1, 3, 5, 6],
    "one_order": [200],
    "gone": [400, 410, 420, 430],
    "gone_as_before": [400, 410, 420, 430, 840, 850],
}


def snapshots() -> pd.DataFrame:
    rows = [ordered(sorted(agos), customer=name) for name, agos in CUSTOMERS.items()]
    return snapshots_of(lines(table(*rows)), [MAY_4]).set_index("customer_id")


def test_every_class_is_told_from_its_numbers():
    found = rhythm_class_of(snapshots())
    assert found.to_dict() == {
        "builder": "project",
        "by_chance": "irregular",
        "clockwork": "regular",
        "first_week": "new",
        "gone": "dormant",
        "gone_as_before": "project",
        "one_order": "new",
        "winter": "seasonal",
        "yearly": "seasonal",
    }
    assert str(found.dtype) == "str"
    assert set(found) <= set(CLASSES)


def test_the_numbers_that_decide_are_columns():
    frame = snapshots()
    assert {name for names in CLASSES.values() for name in names} <= set(frame.columns)
    winter, builder = frame.loc["winter"], frame.loc["builder"]
    assert winter[["season_revenue_share_365d", "season_revenue_share_prior_365d"]].tolist() == [1.0, 1.0]
    assert builder["order_bursts_ever"] == 3.0
    # of 1485 days from the first to the last order 667 and 792 lay between bursts
    assert builder["silent_share_ever"] == pytest.approx((667 + 792) / 1485)
    assert builder["gap_cv_ever"] > 1.5


def row(**changes: float) -> pd.DataFrame:
    """A customer who orders irregularly."""
    usual = {
        "days_since_last_order": 30,
        "days_since_first_order": 900,
        "order_days_ever": 20,
        "gap_max_days_ever": 120,
        "gap_cv_ever": 1.0,
        "season_revenue_share_365d": 0.5,
        "season_revenue_share_prior_365d": 0.5,
        "silent_share_ever": 0.2,
        "order_bursts_ever": 3,
    }
    return pd.DataFrame([{**usual, **changes}]).astype("float64")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "irregular"),
        ({"gap_cv_ever": 0.6}, "regular"),
        ({"gap_cv_ever": 0.61}, "irregular"),
        ({"gap_cv_ever": math.nan}, "irregular"),
        ({"days_since_last_order": 365}, "irregular"),
        ({"days_since_last_order": 366}, "dormant"),
        ({"days_since_last_order": 366, "gap_max_days_ever": 366}, "irregular"),
        ({"days_since_last_order": 367, "gap_max_days_ever": 366}, "dormant"),
        ({"order_days_ever": 2}, "new"),
        ({"order_days_ever": math.nan}, "new"),
        ({"days_since_first_order": 89}, "new"),
        ({"days_since_first_order": 90}, "irregular"),
        ({"season_revenue_share_365d": 0.7, "season_revenue_share_prior_365d": 0.7}, "seasonal"),
        ({"season_revenue_share_365d": 0.9, "season_revenue_share_prior_365d": 0.69}, "irregular"),
        ({"season_revenue_share_365d": 0.9, "season_revenue_share_prior_365d": math.nan}, "irregular"),
        (
            {"season_revenue_share_365d": 1, "season_revenue_share_prior_365d": 1, "days_since_first_order": 639},
            "irregular",
        ),
        ({"gap_cv_ever": 1.51, "silent_share_ever": 0.5}, "project"),
        ({"gap_cv_ever": 1.5, "silent_share_ever": 0.5}, "irregular"),
        ({"gap_cv_ever": 1.51, "silent_share_ever": 0.49}, "irregular"),
        ({"gap_cv_ever": 1.51, "silent_share_ever": 0.5, "order_bursts_ever": 8}, "irregular"),
    ],
)
def test_a_class_begins_at_its_limit(changes, name):
    assert rhythm_class_of(row(**changes)).tolist() == [name]


def test_the_limits_are_options():
    assert rhythm_class_of(row(), resolved({"regular_gap_cv": 1.0})).tolist() == ["regular"]
    assert rhythm_class_of(row(), resolved({"season_revenue_share": 0.5})).tolist() == ["seasonal"]


def test_a_season_is_the_same_months_in_both_years():
    shares = ["season_revenue_share_365d", "season_revenue_share_prior_365d"]
    again = features_of(table(ordered([10, 20, 40, 50, 150], 100), ordered([375, 385, 405, 700], 90)), MAY_4)
    # months are counted back from the cutoff: 10, 20 and 40, 50 days ago lie in two of them, so do 375, 385 and 405
    assert again[shares].tolist() == pytest.approx([4 / 5, 3 / 4])
    elsewhere = features_of(table(ordered([10, 20, 40, 50], 100), ordered([600, 610, 580, 570], 90)), MAY_4)
    assert elsewhere[shares].tolist() == [0.0, 0.0]
    assert features_of(table(ordered([10, 20, 40, 50])), MAY_4)[shares].isna().all()


def test_alike_gaps_are_regular_and_gaps_by_chance_are_not():
    alike = features_of(table(ordered(range(10, 600, 30))), MAY_4)["gap_regularity"]
    # 19 pairs of equal gaps: V = (0 + 4 / 12) / (18 + 4), k = (1 - 4 V) / (8 V)
    variance = (4 / 12) / (18 + 4)
    assert alike == pytest.approx((1 - 4 * variance) / (8 * variance))
    days = np.cumsum(np.random.default_rng(1).exponential(20, 200).clip(1).round()).astype(int).tolist()
    chance = features_of(table(ordered(days)), MAY_4)["gap_regularity"]
    assert 0.6 < chance < 1.6
    assert pd.isna(features_of(table(ordered([5, 30])), MAY_4)["gap_regularity"])


def test_gaps_that_have_become_longer_stand_out_and_gaps_that_have_become_shorter_do_not():
    longer = features_of(table(ordered([10, 70, 130, 190, 250, 260, 270, 280, 290, 300])), MAY_4)
    shorter = features_of(table(ordered([10, 20, 30, 40, 50, 110, 170, 230, 290, 350])), MAY_4)
    assert longer["gap_lengthening"] > 1.0
    assert shorter["gap_lengthening"] == pytest.approx(0, abs=1e-9)
    assert longer["gap_fast_vs_slow"] > 1.2
    assert shorter["gap_fast_vs_slow"] < 0.8


def test_the_largest_cumulative_sum_of_the_log_gaps_is_scaled_by_spread_and_number():
    # gaps, newest first: 40, 40, 10, 10; logarithms minus their mean: L, L, -L, -L with L = ln 2
    row = features_of(table(ordered([5, 45, 85, 95, 105])), MAY_4)
    variance = (4 * math.log(2) ** 2 + 4 * math.pi**2 / 6) / (3 + 4)
    assert row["gap_lengthening"] == pytest.approx(2 * math.log(2) / math.sqrt(4 * variance), rel=1e-5)


@pytest.mark.parametrize(
    ("agos", "lapses", "back"),
    [
        ([*range(5, 200, 10)], 0, 0),
        ([5, 15, 25, 400, *range(410, 700, 10)], 1, 1),
        ([*range(366, 500, 10), 900, *range(910, 1200, 10)], 1, 0),
        ([*range(5, 100, 10), 195, *range(205, 600, 10)], 1, 1),
        ([5, 49, *range(52, 200, 3)], 0, 0),
        ([5, 51, *range(54, 200, 3)], 1, 1),
        ([5], 0, 0),
    ],
)
def test_a_silence_far_beyond_the_usual_from_which_a_customer_came_back_was_a_lapse(agos, lapses, back):
    row = features_of(table(ordered(agos)), MAY_4)
    assert row[["earlier_lapses", "reactivated_365d"]].tolist() == [lapses, back]


def test_a_simulated_company_has_customers_of_several_classes():
    found = rhythm_class_of(snapshots_of(world_lines(), [date(2025, 6, 12)]))
    assert {"regular", "irregular", "new"} <= set(found)


@pytest.mark.parametrize("module", ["clocks", "deliveries", "rhythm_class", "season", "transactions", "products"])
def test_the_features_are_the_same_whichever_module_is_imported_first(module):
    ask = "from features.registry import available; print(len(available({'transactions': ()})))"
    command = [sys.executable, "-c", f"import features.{module}; {ask}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(said) == len(available({"transactions": ()}))
