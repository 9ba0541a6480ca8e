"""The simulated world keeps its own promises: what is true in it, and what can and cannot be seen."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.contract import CONTRACT
from features.errors import SettingsError
from features.simulate import PRESETS, World, simulate, write
from features.simulate import world as world_module

END = date(2026, 1, 1)
SIZE = {"customers": 3000, "months": 36, "seed": 7, "end": END}
DTYPES = {
    "id": "str",
    "text": "str",
    "timestamp": "datetime64[us]",
    "money": "float64",
    "number": "int64",
    "boolean": "bool",
}


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    return {preset: simulate(preset=preset, **SIZE) for preset in PRESETS}


@pytest.fixture(scope="module")
def normal(worlds: dict[str, World]) -> World:
    return worlds["normal"]


def orders_of(world: World) -> pd.DataFrame:
    """One row per order, credit notes left out."""
    lines = world.tables["transactions"]
    placed = lines[lines["amount"] > 0]
    return placed.groupby("order_id", as_index=False).agg(
        customer_id=("customer_id", "first"),
        ordered_at=("ordered_at", "first"),
        urgent=("urgent", "first"),
        amount=("amount", "sum"),
        list_amount=("list_amount", "sum"),
    )


def change_before_loss(world: World) -> tuple[float, float]:
    """Orders in the 90 days before a loss minus those in 90 days before them: mean and standard error."""
    losses = world.truth["losses"].merge(world.tables["customers"], on="customer_id")
    seen = losses["lost_at"] - pd.Timedelta(days=270) >= pd.Timestamp("2023-01-01")
    old = losses["lost_at"] - pd.Timedelta(days=270) >= losses["since"]
    first = ~losses.duplicated("customer_id")
    losses = losses.loc[seen & old & first, ["customer_id", "lost_at"]]
    joined = losses.merge(orders_of(world), on="customer_id")
    ago = (joined["lost_at"] - joined["ordered_at"]) / pd.Timedelta(days=1)
    counts = {
        name: joined[(ago > after) & (ago <= until)].groupby("customer_id").size()
        for name, after, until in (("late", 0, 90), ("early", 90, 270))
    }
    table = pd.DataFrame(counts, index=losses["customer_id"]).fillna(0)
    change = table["late"] - table["early"] / 2
    return float(change.mean()), float(change.std() / np.sqrt(len(change)))


def test_the_same_arguments_give_the_same_world_and_another_seed_another() -> None:
    first, again, other = (simulate(60, 12, seed=seed, preset="normal", end=END) for seed in (3, 3, 4))
    for part in ("tables", "truth"):
        for name, frame in getattr(first, part).items():
            pd.testing.assert_frame_equal(frame, getattr(again, part)[name])
    assert not first.tables["transactions"].equals(other.tables["transactions"])


def test_one_more_table_changes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = simulate(60, 12, seed=3, end=END)
    tables = {"contacts": lambda scene, rng: pd.DataFrame({"n": rng.random(len(scene.accounts))})}
    monkeypatch.setattr(world_module, "TABLES", {**tables, **world_module.TABLES})
    joined = simulate(60, 12, seed=3, end=END)
    assert list(joined.tables) == ["contacts", "customers", "transactions"]
    pd.testing.assert_frame_equal(alone.tables["transactions"], joined.tables["transactions"])


def test_every_table_is_as_the_contract_says(normal: World) -> None:
    for name, frame in normal.tables.items():
        table = CONTRACT[name]
        assert set(frame.columns) <= set(table.names)
        assert set(table.required) <= set(frame.columns)
        for column in (table.column(column) for column in frame.columns):
            values = frame[column.name]
            assert values.dtype == DTYPES[column.type], column.name
            assert values.notna().all(), column.name
            assert not column.values or set(values) <= set(column.values), column.name
        if table.key:
            assert not frame.duplicated(list(table.key)).any()
    assert not normal.tables["transactions"].duplicated(["order_id", "product_id"]).any()
    accounts = normal.tables["customers"]["customer_id"]
    assert normal.tables["transactions"]["customer_id"].isin(accounts).all()


def test_amounts_have_two_decimals_and_agree_with_each_other(normal: World) -> None:
    lines = normal.tables["transactions"]
    for column in ("amount", "margin", "list_amount"):
        cents = lines[column] * 100
        assert np.allclose(cents, cents.round(), atol=1e-4), column
    assert (lines["amount"].abs() <= lines["list_amount"].abs() + 0.005).all()
    assert (np.sign(lines["amount"]) == np.sign(lines["quantity"])).all()
    assert (lines["margin"].abs() < lines["amount"].abs()).all()


def test_nothing_is_known_after_the_end_nor_ordered_before_the_start(normal: World) -> None:
    lines = normal.tables["transactions"]
    assert lines["recorded_at"].max() < pd.Timestamp(END)
    assert lines["ordered_at"].max() < pd.Timestamp(END)
    assert lines["ordered_at"].min() >= pd.Timestamp("2023-01-01")
    assert normal.tables["customers"]["since"].max() < pd.Timestamp(END)


def test_orders_come_on_working_days_in_business_hours(normal: World) -> None:
    lines = normal.tables["transactions"]
    at = lines["ordered_at"].dt
    assert at.day_of_week.max() == 4
    assert at.hour.between(8, 17).all()
    assert not ((at.month == 12) & (at.day >= 29) & (lines["amount"] > 0)).any()


def test_a_late_order_is_recorded_after_it_was_placed_and_the_others_at_once(normal: World) -> None:
    lines = normal.tables["transactions"]
    orders = lines[lines["amount"] > 0]
    delay = (orders["recorded_at"] - orders["ordered_at"]).dt.days
    assert delay.min() == 0
    assert delay.max() == 12
    assert 0.015 < (delay > 0).mean() < 0.025
    assert orders.groupby("order_id")["recorded_at"].nunique().max() == 1


def test_a_credit_note_has_its_own_number_and_is_booked_days_after_its_date(normal: World) -> None:
    lines = normal.tables["transactions"]
    notes, orders = lines[lines["amount"] < 0], lines[lines["amount"] > 0]
    assert not set(notes["order_id"]) & set(orders["order_id"])
    assert 0.02 < notes["order_id"].nunique() / orders["order_id"].nunique() < 0.03
    assert (notes["recorded_at"] - notes["ordered_at"]).min() >= pd.Timedelta(days=1)
    # Every note takes back a product that its customer had bought before.
    bought = orders.groupby(["customer_id", "product_id"])["ordered_at"].min().rename("bought_at")
    joined = notes.join(bought, on=["customer_id", "product_id"])
    assert (joined["bought_at"] < joined["ordered_at"]).all()


def test_a_lost_customer_orders_nothing_until_it_returns(normal: World) -> None:
    losses = normal.truth["losses"]
    absent = losses.assign(until=losses["returned_at"].fillna(pd.Timestamp(END)))
    joined = orders_of(normal).merge(absent, on="customer_id")
    inside = (joined["ordered_at"] >= joined["lost_at"]) & (joined["ordered_at"] < joined["until"])
    assert not inside.any()
    assert (joined["ordered_at"] < joined["lost_at"]).any()
    assert (joined["ordered_at"] >= joined["until"]).any()


def test_no_customer_orders_before_the_relationship_began(normal: World) -> None:
    joined = orders_of(normal).merge(normal.tables["customers"], on="customer_id")
    assert (joined["ordered_at"] >= joined["since"]).all()


def test_stages_follow_each_other_without_a_gap_and_only_in_allowed_order(normal: World) -> None:
    stages = normal.truth["stages"]
    following = stages.groupby("customer_id")[["stage", "starts_at"]].shift(-1)
    inner = following["stage"].notna()
    assert (stages.loc[inner, "ends_at"] == following.loc[inner, "starts_at"]).all()
    assert stages.loc[~inner, "ends_at"].isna().all()
    assert set(zip(stages.loc[inner, "stage"], following.loc[inner, "stage"], strict=True)) == {
        ("healthy", "cooling"),
        ("healthy", "lost"),
        ("cooling", "healthy"),
        ("cooling", "comparison"),
        ("comparison", "healthy"),
        ("comparison", "decision"),
        ("decision", "lost"),
        ("lost", "healthy"),
    }
    lost = stages[stages["stage"] == "lost"]
    assert list(lost["starts_at"]) == list(normal.truth["losses"]["lost_at"])


def test_a_symptomatic_loss_had_a_cause_and_a_cooling_and_a_sudden_one_neither(normal: World) -> None:
    losses = normal.truth["losses"]
    seen = losses["symptomatic"]
    assert losses.loc[seen, ["driver", "cooling_at"]].notna().all(axis=None)
    assert losses.loc[~seen, ["driver", "cooling_at"]].isna().all(axis=None)
    lead = (losses.loc[seen, "lost_at"] - losses.loc[seen, "cooling_at"]).dt.days
    assert 150 < lead.median() < 270


@pytest.mark.parametrize(("stage", "low", "high"), [("cooling", 90, 180), ("comparison", 30, 90), ("decision", 14, 35)])
def test_the_usual_length_of_a_stage_is_as_stated(normal: World, stage: str, low: int, high: int) -> None:
    stages = normal.truth["stages"]
    whole = stages[(stages["stage"] == stage) & stages["ends_at"].notna()]
    days = (whole["ends_at"] - whole["starts_at"]).dt.days
    assert days.between(low, high).mean() > 0.7


@pytest.mark.parametrize(("stage", "share"), [("cooling", 0.38), ("comparison", 0.28)])
def test_some_relationships_recover_by_themselves(normal: World, stage: str, share: float) -> None:
    stages = normal.truth["stages"]
    after = stages.groupby("customer_id")["stage"].shift(-1)[stages["stage"] == stage].dropna()
    assert (after == "healthy").mean() == pytest.approx(share, abs=0.05)


def test_about_a_fifth_of_customers_is_lost_a_year_and_a_quarter_of_them_suddenly(normal: World) -> None:
    stages, losses = normal.truth["stages"], normal.truth["losses"]
    active = stages[stages["stage"] != "lost"]
    begins = active["starts_at"].clip(lower=pd.Timestamp("2023-01-01"))
    years = (active["ends_at"].fillna(pd.Timestamp(END)) - begins).dt.days.sum() / 365.25
    assert 0.15 < 1 - np.exp(-len(losses) / years) < 0.25
    assert 0.20 < 1 - losses["symptomatic"].mean() < 0.30


@pytest.mark.parametrize("shape", [1, 4, 8])
def test_gaps_are_as_regular_as_their_erlang_shape(shape: int) -> None:
    calm = replace(
        PRESETS["null"],
        yearly_loss=1e-6,
        orders_per_year=12.0,
        rate_spread=0.0,
        regularity=(shape,),
        regularity_shares=(1.0,),
        season=0.0,
        drift_spread=0.0,
        market_spread=0.0,
        slump_depth=0.0,
        project_share=0.0,
        pauses_per_year=0.0,
        new_per_year=0.0,
    )
    orders = orders_of(simulate(200, 60, seed=5, preset=calm, end=END)).sort_values("ordered_at")
    gaps = orders.groupby("customer_id")["ordered_at"].diff().dropna() / pd.Timedelta(days=1)
    assert gaps.mean() == pytest.approx(365.25 / 12, rel=0.05)
    assert gaps.std() / gaps.mean() == pytest.approx(shape**-0.5, rel=0.08)


def test_in_the_null_world_everybody_leaves_without_a_sign(worlds: dict[str, World]) -> None:
    assert not worlds["null"].truth["losses"]["symptomatic"].any()
    assert set(worlds["null"].truth["stages"]["stage"]) == {"healthy", "lost"}
    change, error = change_before_loss(worlds["null"])
    assert abs(change) < 3 * error
    # The same figure in the normal world: the yardstick is fine enough to see a sign where there is one.
    change, error = change_before_loss(worlds["normal"])
    assert change < -4 * error


def test_the_stronger_the_signal_the_more_the_orders_fall_before_a_loss(worlds: dict[str, World]) -> None:
    falls = [change_before_loss(worlds[preset])[0] for preset in ("easy", "normal", "hard")]
    assert falls == sorted(falls)
    truths = [worlds[preset].truth["losses"] for preset in ("easy", "normal", "hard")]
    assert truths[0].equals(truths[1])  # only what is seen differs, never what happens
    assert truths[1].equals(truths[2])


def test_before_a_loss_lines_margins_and_breadth_fall_and_discounts_and_rushes_rise(normal: World) -> None:
    losses = normal.truth["losses"]
    lines = normal.tables["transactions"]
    lines = lines[lines["amount"] > 0].merge(losses[losses["symptomatic"]], on="customer_id")
    lines["high"] = lines["product_line"] <= "L08"
    lines["off"] = 1 - lines["amount"] / lines["list_amount"]
    ago = (lines["lost_at"] - lines["ordered_at"]).dt.days
    late = lines[(ago >= 0) & (ago < 60)]
    early = lines[lines["ordered_at"].between(lines["cooling_at"] - pd.Timedelta(days=180), lines["cooling_at"])]
    assert late["high"].mean() < early["high"].mean() - 0.08
    sizes = [np.log(part["amount"]).groupby(part["customer_id"]).mean() for part in (late, early)]
    assert (sizes[0] - sizes[1]).mean() < -0.1
    assert late["off"].mean() > early["off"].mean() + 0.02
    assert late["urgent"].mean() > early["urgent"].mean() + 0.02
    breadths = [part.groupby("order_id")["product_line"].nunique().mean() for part in (late, early)]
    assert breadths[0] < breadths[1]


def test_in_the_drifting_world_more_leave_and_all_order_less_in_the_last_year(
    worlds: dict[str, World],
) -> None:
    def in_year(frame: pd.DataFrame, column: str, year: int) -> int:
        return int((frame[column].dt.year == year).sum())

    for column, frames in (
        ("lost_at", [worlds[preset].truth["losses"] for preset in ("normal", "drift")]),
        ("ordered_at", [orders_of(worlds[preset]) for preset in ("normal", "drift")]),
    ):
        before = in_year(frames[1], column, 2024) / in_year(frames[0], column, 2024)
        after = in_year(frames[1], column, 2025) / in_year(frames[0], column, 2025)
        assert before == pytest.approx(1, abs=0.05)
        assert after > 1.15 if column == "lost_at" else after < 0.9


def test_days_since_the_last_order_alone_do_not_give_the_answer_away(normal: World) -> None:
    """AUC for "no order in 90 days", customers with two order days and an order within a year."""
    orders = orders_of(normal)
    aucs = []
    for cutoff in pd.date_range("2025-05-01", periods=5, freq="MS"):
        past = orders[orders["ordered_at"] < cutoff].groupby("customer_id")["ordered_at"]
        facts = pd.DataFrame(
            {
                "days": past.apply(lambda at: at.dt.normalize().nunique()),
                "since": (cutoff - past.max()).dt.days,
            }
        )
        facts = facts[(facts["days"] >= 2) & (facts["since"] <= 365)]
        ahead = orders[orders["ordered_at"].between(cutoff, cutoff + pd.Timedelta(days=90), inclusive="left")]
        silent = ~facts.index.isin(ahead["customer_id"])
        assert 0.2 < silent.mean() < 0.45
        ranks, n = facts["since"].rank().to_numpy(), silent.sum()
        aucs.append((ranks[silent].sum() - n * (n + 1) / 2) / (n * (len(ranks) - n)))
    assert 0.70 < np.mean(aucs) < 0.80


def test_the_truth_is_written_apart_from_the_tables(tmp_path) -> None:
    world = simulate(60, 12, seed=3, end=END)
    write(world, tmp_path / "demo")
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        "customers.parquet",
        "transactions.parquet",
        "truth",
    ]
    back = pd.read_parquet(tmp_path / "demo" / "transactions.parquet")
    pd.testing.assert_frame_equal(back, world.tables["transactions"])
    losses = pd.read_parquet(tmp_path / "demo" / "truth" / "losses.parquet")
    pd.testing.assert_frame_equal(losses, world.truth["losses"])
    record = json.loads((tmp_path / "demo" / "truth" / "world.json").read_text(encoding="utf-8"))
    assert record["settings"] == {
        "customers": 60,
        "months": 12,
        "seed": 3,
        "preset": "normal",
        "end": "2026-01-01",
    }
    assert record["preset"]["yearly_loss"] == world.preset.yearly_loss


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"customers": 0}, "expected customers >= 1, found 0"),
        ({"months": 0}, "expected months >= 1, found 0"),
        ({"seed": -1}, "expected seed >= 0, found -1"),
        ({"preset": "soft"}, "expected a preset of easy, normal, hard, null, drift, found 'soft'"),
    ],
)
def test_an_argument_out_of_range_is_refused_in_one_line(wrong: dict[str, int | str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        simulate(**{"customers": 10, "months": 6, "seed": 1, "end": END, **wrong})


@pytest.mark.parametrize("customers", [1, 2])
def test_a_tiny_world_is_a_world_too(customers: int) -> None:
    for seed in range(10):
        world = simulate(customers, 1, seed=seed, end=date(2024, 3, 31))
        assert len(world.tables["customers"]) == customers
        assert world.tables["transactions"]["amount"].dtype == "float64"
