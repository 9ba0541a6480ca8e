"""The simulated world keeps its own promises: the same again, as the contract says, and possible in a real company."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest
from simulated import END, START, company, normal, orders_alone, orders_of, whole_company

from features.contract import CONTRACT
from features.errors import SettingsError
from features.simulate import PRESETS, World, simulate, write
from features.simulate import world as world_module

DTYPES = {
    "id": {"str"},
    "text": {"str"},
    "timestamp": {"datetime64[us]"},
    "money": {"float64"},
    "number": {"int64", "Int64", "float64"},
    "share": {"float64"},
    "boolean": {"bool", "boolean"},
}


@pytest.fixture(scope="module")
def world() -> World:
    return company()


def test_the_same_arguments_give_the_same_world_and_another_seed_another() -> None:
    first, again, other = (simulate(60, 12, seed=seed, preset="normal", end=END) for seed in (3, 3, 4))
    for part in ("tables", "truth"):
        for name, frame in getattr(first, part).items():
            pd.testing.assert_frame_equal(frame, getattr(again, part)[name])
    assert not first.tables["transactions"].equals(other.tables["transactions"])


def test_one_more_table_changes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with orders_alone():
        alone = simulate(60, 12, seed=3, end=END)
        tables = {"promotions": coupons, **world_module.TABLES}
    monkeypatch.setattr(world_module, "TABLES", tables)
    joined = simulate(60, 12, seed=3, end=END)
    assert list(joined.tables) == ["promotions", "customers", "transactions"]
    pd.testing.assert_frame_equal(alone.tables["transactions"], joined.tables["transactions"])


def coupons(scene, _made, rng) -> pd.DataFrame:
    issued = scene.span.dates(rng.integers(0, scene.span.days, len(scene.accounts)))
    return pd.DataFrame({"customer_id": scene.accounts.customer_id, "issued_at": issued})


@pytest.mark.parametrize("name", list(world_module.TABLES))
def test_every_table_is_as_the_contract_says(name: str) -> None:
    table, frame = CONTRACT[name], whole_company().tables[name]
    further = {"sector"} if name == "customers" else set()
    assert len(frame) > 0
    assert set(frame.columns) <= set(table.names) | further
    for column in (table.column(column) for column in frame.columns if column not in further):
        values = frame[column.name]
        assert str(values.dtype) in DTYPES[column.type], column.name
        assert values.notna().all() or not column.required, column.name
        assert not column.values or set(values.dropna()) <= set(column.values), column.name
    if table.key:
        assert not frame.drop_duplicates().duplicated(list(table.key)).any()
    if table.of_customer:
        assert frame["customer_id"].isin(whole_company().tables["customers"]["customer_id"]).all()


def test_no_two_facts_look_like_one_row_delivered_twice() -> None:
    delivered_once = simulate(250, 24, seed=8, preset=normal(duplicates=0.0), end=END)
    assert [name for name, rows in delivered_once.tables.items() if rows.duplicated().any()] == []


def test_amounts_have_two_decimals_and_agree_with_each_other(world: World) -> None:
    lines = world.tables["transactions"]
    for column in ("amount", "margin", "list_amount"):
        cents = lines[column] * 100
        assert np.allclose(cents, cents.round(), atol=1e-4), column
    assert (lines["amount"].abs() <= lines["list_amount"].abs() + 0.005).all()
    assert (np.sign(lines["amount"]) == np.sign(lines["quantity"])).all()
    assert (lines["margin"].abs() < lines["amount"].abs()).all()


def test_a_product_stands_on_one_line_of_an_order(world: World) -> None:
    assert not world.tables["transactions"].drop_duplicates().duplicated(["order_id", "product_id"]).any()


def test_nothing_is_known_after_the_end_nor_ordered_before_the_start(world: World) -> None:
    lines = world.tables["transactions"]
    assert lines["recorded_at"].max() < pd.Timestamp(END)
    assert lines["ordered_at"].max() < pd.Timestamp(END)
    assert lines["ordered_at"].min() >= START
    assert lines["delivered_at"].max() < pd.Timestamp(END)
    assert world.tables["customers"]["since"].max() < pd.Timestamp(END)


def test_orders_come_on_working_days_in_business_hours(world: World) -> None:
    lines = world.tables["transactions"]
    at = lines["ordered_at"].dt
    assert at.day_of_week.max() == 4
    assert at.hour.between(8, 17).all()
    assert not ((at.month == 12) & (at.day >= 29) & (lines["amount"] > 0)).any()


def test_a_credit_note_has_its_own_number_and_is_booked_days_after_its_date(world: World) -> None:
    lines = world.tables["transactions"]
    notes, orders = lines[lines["amount"] < 0], lines[lines["amount"] > 0]
    assert not set(notes["order_id"]) & set(orders["order_id"])
    assert 0.02 < notes["order_id"].nunique() / orders["order_id"].nunique() < 0.03
    assert (notes["recorded_at"] - notes["ordered_at"]).min() >= pd.Timedelta(days=1)
    # Every note takes back a product that its customer had bought before.
    bought = orders.groupby(["customer_id", "product_id"])["ordered_at"].min().rename("bought_at")
    joined = notes.join(bought, on=["customer_id", "product_id"])
    assert (joined["bought_at"] < joined["ordered_at"]).mean() > 0.99  # the order itself may be entered late


def test_a_lost_customer_orders_nothing_until_it_returns(world: World) -> None:
    losses = world.truth["losses"]
    absent = losses.assign(until=losses["returned_at"].fillna(pd.Timestamp(END)))
    joined = orders_of(world).merge(absent, on="customer_id")
    inside = (joined["ordered_at"] >= joined["lost_at"]) & (joined["ordered_at"] < joined["until"])
    assert not inside.any()
    assert (joined["ordered_at"] < joined["lost_at"]).any()
    assert (joined["ordered_at"] >= joined["until"]).any()


def test_no_customer_orders_before_the_relationship_began(world: World) -> None:
    joined = orders_of(world).merge(world.tables["customers"], on="customer_id")
    assert (joined["ordered_at"] >= joined["since"]).all()


def test_the_truth_is_written_apart_from_the_tables(tmp_path) -> None:
    with orders_alone():
        world = simulate(60, 12, seed=3, end=END, policy="random", without=["customers"])
    write(world, tmp_path / "demo")
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["transactions.parquet", "truth"]
    back = pd.read_parquet(tmp_path / "demo" / "transactions.parquet")
    pd.testing.assert_frame_equal(back, world.tables["transactions"])
    for name, frame in world.truth.items():
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "demo" / "truth" / f"{name}.parquet"), frame)
    record = json.loads((tmp_path / "demo" / "truth" / "world.json").read_text(encoding="utf-8"))
    assert record["settings"] == {
        "customers": 60,
        "months": 12,
        "seed": 3,
        "preset": "normal",
        "end": "2026-01-01",
        "policy": "random",
        "without": ["customers"],
        "dirty": 0.0,
    }
    assert record["preset"]["yearly_loss"] == world.preset.yearly_loss
    assert record["preset"]["policy"] == "random"
    assert record["rows"] == {"transactions.parquet": len(back)}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"customers": 0}, "expected customers >= 1, found 0"),
        ({"months": 0}, "expected months >= 1, found 0"),
        ({"seed": -1}, "expected seed >= 0, found -1"),
        ({"preset": "soft"}, "expected a preset of easy, normal, hard, null, drift, found 'soft'"),
        ({"policy": "loud"}, "expected a policy of none, random, overdue, found 'loud'"),
        ({"months": 400}, "begins in 2000 or later, found 400 months before 2026-01-01"),
        ({"without": ["transactions"]}, "without transactions nothing can be said"),
        ({"without": ["orders"]}, "expected to leave out one of customers.*found 'orders'"),
        ({"dirty": -0.1}, "expected dirty from 0 to 0.5, found -0.1"),
        ({"dirty": float("nan")}, "expected dirty from 0 to 0.5, found nan"),
    ],
)
def test_an_argument_out_of_range_is_refused_in_one_line(wrong: dict, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as told:
        simulate(**{"customers": 10, "months": 6, "seed": 1, "end": END, **wrong})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("customers", [1, 2])
def test_a_tiny_world_is_a_world_too(customers: int, preset: str) -> None:
    for seed in range(5):
        policy = ("none", "random", "overdue")[seed % 3]
        world = simulate(customers, 1, seed=seed, preset=preset, end=date(2024, 3, 31), policy=policy, dirty=0.3)
        assert len(world.tables["customers"]) == customers
        assert world.tables["transactions"]["amount"].dtype == "float64"
