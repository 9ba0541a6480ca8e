"""How important an account is: the rank that it earns, and the factors of its importance."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from histories import MAY_4, ordered, table
from orders import RUN_AT, features_of

from features.importance import importance_factors, importance_of, rank_of
from features.options import resolved
from features.quarantine import ingest
from features.sources import open_source

#: Exactly on the cut-offs of rank A.
ON_A = {"revenue_365d": 100_000, "order_days_365d": 12, "margin_share_365d": 0.1, "days_since_last_order": 10}
ON_B = {"revenue_365d": 20_000, "order_days_365d": 4, "margin_share_365d": 0.0, "days_since_last_order": 10}


def frame(*rows: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, dtype="float64")


def refused(rank: str, folder: Path) -> list[list[object]]:
    """Row number, column and value of what goes to quarantine where the second account has this rank."""
    source = folder / "source"
    source.mkdir()
    (source / "transactions.csv").write_text("customer_id,order_id,ordered_at,amount\nK,1,2024-05-01,5\n")
    (source / "customers.csv").write_text(f"customer_id,rank\nK,A\nL,{rank}\n")
    ingest(open_source(source), folder / "events", run_at=RUN_AT, timezone="UTC", max_share=0.6)
    path = folder / "events" / "quarantine" / "customers.parquet"
    return pd.read_parquet(path)[["row_number", "column", "value"]].to_numpy().tolist() if path.exists() else []


@pytest.mark.parametrize("rank", ["A", "B", "C", "D"])
def test_dm_05_the_four_ranks_are_accepted(rank, tmp_path):
    assert refused(rank, tmp_path) == []


def test_dm_05_a_rank_e_is_rejected_with_its_row_number(tmp_path):
    assert refused("E", tmp_path) == [[2, "rank", "E"]]


@pytest.mark.parametrize(
    ("changes", "rank"),
    [
        ({}, "A"),
        ({"revenue_365d": 99_999}, "B"),
        ({"order_days_365d": 11}, "B"),
        ({"margin_share_365d": 0.09}, "B"),
        ({"margin_share_365d": np.nan}, "A"),
        ({"days_since_last_order": 179}, "A"),
        ({"days_since_last_order": 180}, "D"),
        ({"days_since_last_order": np.nan}, "D"),
    ],
)
def test_dm_06_an_account_exactly_on_the_cut_off_is_a_and_one_unit_below_is_b(changes, rank):
    assert rank_of(frame({**ON_A, **changes})).tolist() == [rank]


@pytest.mark.parametrize(
    ("changes", "rank"),
    [({}, "B"), ({"revenue_365d": 19_999}, "C"), ({"order_days_365d": 3}, "C"), ({"margin_share_365d": -0.01}, "C")],
)
def test_dm_06_an_account_below_a_cut_off_of_b_is_c(changes, rank):
    assert rank_of(frame({**ON_B, **changes})).tolist() == [rank]


def test_dm_06_changing_a_cut_off_changes_the_rank():
    rows = frame(ON_A, ON_B)
    assert rank_of(rows).tolist() == ["A", "B"]
    assert rank_of(rows, resolved({"rank_a_revenue": 100_001})).tolist() == ["B", "B"]
    assert rank_of(rows, resolved({"rank_a_revenue": 20_000, "rank_a_order_days": 4})).tolist() == ["A", "B"]
    assert rank_of(rows, resolved({"rank_d_days": 10})).tolist() == ["D", "D"]


def test_dm_06_a_rank_is_earned_from_the_features_of_the_orders():
    text = table(ordered(range(10, 360, 29), 10_000, more="2000"), columns="margin")
    row = features_of(text, MAY_4)
    assert row[["revenue_365d", "order_days_365d"]].tolist() == [130_000.0, 13.0]
    assert rank_of(row.to_frame().T).tolist() == ["A"]
    assert rank_of(row.to_frame().T.drop(columns="margin_share_365d")).tolist() == ["A"]


#: Half of rank A's revenue and order days, flat, another vendor coming in.
EVEN = {
    "revenue_365d": 50_000,
    "order_days_365d": 6,
    "margin_share_365d": 0.05,
    "growth_level": 1,
    "competitor_present": 1,
}


def test_dm_07_two_accounts_that_differ_in_margin_only_differ_in_importance_and_the_table_says_why():
    rows = frame(EVEN, {**EVEN, "margin_share_365d": 0.1}).set_axis(["thin", "thick"])
    points = importance_of(rows)
    # .35 and .2 and .2 of 50, .15 of 50, nothing for competition; the margin of "thick" counts whole
    assert points.to_dict() == {"thin": pytest.approx(45.0), "thick": pytest.approx(55.0)}
    factors = importance_factors(rows).pivot(index="factor", columns="account", values="points")
    apart = (factors["thick"] - factors["thin"]).round(9)
    assert apart[apart != 0].to_dict() == {"margin": 10.0}


def test_dm_07_the_factor_table_has_the_five_factors_of_each_account():
    found = importance_factors(frame(EVEN, EVEN))
    assert found["factor"].tolist() == ["volume", "frequency", "margin", "growth", "competition"] * 2
    assert found["account"].tolist() == [0] * 5 + [1] * 5
    assert found["score"].tolist() == [0.5, 0.5, 0.5, 0.5, 0.0] * 2
    assert found["weight"].tolist() == pytest.approx([0.35, 0.2, 0.2, 0.15, 0.1] * 2)


@pytest.mark.parametrize(
    ("changes", "factor", "score"),
    [
        ({"revenue_365d": -5}, "volume", 0.0),
        ({"revenue_365d": 200_000}, "volume", 1.0),
        ({"growth_level": 2}, "growth", 1.0),
        ({"growth_level": 0}, "growth", 0.0),
        ({"growth_level": np.nan, "revenue_90d_vs_usual": 1.2}, "growth", 0.6),
        ({"growth_level": np.nan, "revenue_90d_vs_usual": 3.0}, "growth", 1.0),
        ({"competitor_present": 0}, "competition", 1.0),
    ],
)
def test_dm_07_a_factor_scores_between_nothing_and_one(changes, factor, score):
    found = importance_factors(frame({**EVEN, **changes})).set_index("factor")
    assert found.loc[factor, "score"] == pytest.approx(score)


def test_dm_07_the_weight_of_an_unknown_factor_is_spread_over_the_others():
    known = frame(EVEN).drop(columns=["competitor_present", "margin_share_365d"])
    found = importance_factors(known).set_index("factor")
    assert found["weight"].tolist() == pytest.approx([0.5, 0.2 / 0.7, 0.0, 0.15 / 0.7, 0.0])
    assert found["points"].tolist() == pytest.approx([25.0, 10 / 0.7, 0.0, 7.5 / 0.7, 0.0])
    assert importance_of(known).tolist() == [pytest.approx(50.0)]


def test_dm_07_the_weights_are_options_and_no_accounts_have_no_importance():
    only = {f"importance_{name}_weight": 0 for name in ("frequency", "margin", "growth", "competition")}
    assert importance_of(frame(EVEN), resolved(only)).tolist() == [50.0]
    assert importance_of(frame(EVEN).head(0)).tolist() == []
    assert importance_factors(frame(EVEN).head(0)).empty
