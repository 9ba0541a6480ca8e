"""What is let through before a training, and what is not: the months of a small company, clean and poisoned."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from companies import Company, written

from features.quarantine import ingest
from features.simulate import simulate, write
from features.sources import open_source
from pipelines.data_gate import Limits, compare, refusal
from pipelines.data_profile import profile
from pipelines.intake import Request, take_in

#: The champion's training, and the next one; between them lies August.
TRAINED, NEXT = date(2026, 8, 1), date(2026, 9, 1)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A small company with four tables."""
    folder = tmp_path_factory.mktemp("simulated")
    write(simulate(120, 30, seed=5, end=date(2026, 10, 1)), folder / "data")
    for file in (folder / "data").glob("*.parquet"):
        if file.stem not in ("customers", "interactions", "market_events", "transactions"):
            file.unlink()
    return Company(folder, folder / "data")


def profile_of(data: Path, as_of: date) -> dict:
    return profile(take_in(Request(str(data), data.parent / "out", as_of)).events, as_of)


@pytest.fixture(scope="module")
def champions(simulated: Company) -> dict:
    """The profile that the champion keeps."""
    return json.loads(json.dumps(profile_of(simulated.data, TRAINED), allow_nan=False))


def lines(*orders: tuple[str, str, str, float]) -> pd.DataFrame:
    rows = [(who, f"{number}", pd.Timestamp(day), "P1", amount) for number, (who, _, day, amount) in enumerate(orders)]
    return pd.DataFrame(rows, columns=["customer_id", "order_id", "ordered_at", "product_id", "amount"])


def test_a_profile_has_the_figures_of_each_month_and_no_customer(tmp_path: Path) -> None:
    orders = lines(
        ("A", "", "2026-01-05", 100.0),
        ("A", "", "2026-03-02", 200.0),
        ("A", "", "2026-03-02", 200.0),  # a second order of the same day
        ("B", "", "2026-03-31", 10.0),
        ("B", "", "2026-04-09", -10.0),  # a credit note is no order
        ("B", "", "2026-04-10", 999.0),  # not known yet on 10 April
    )
    found = profile_of(written(orders, tmp_path / "data", ""), date(2026, 4, 10))
    assert (found["as_of"], found["first"], found["tables"]) == ("2026-04-10", "2026-01", {"transactions": 6})
    january, march, april = (found["months"][month] for month in ("2026-01", "2026-03", "2026-04"))
    assert january == {
        "days": 31,
        "revenue": 100.0,
        "order_days": 1,
        "customers": 1,
        "returning": 0,
        "usual_order": pytest.approx(100),
        "returning_share": 0,
    }
    # A's day is worth 400 and B's 10: their geometric mean is the root of 4,000; only A had ordered before
    assert march["revenue"] == 410
    assert (march["order_days"], march["customers"], march["returning"]) == (2, 2, 1)
    assert march["usual_order"] == pytest.approx(4000**0.5)
    assert (march["returning_share"], march["products"], march["repeated_share"]) == (0.5, 1, 1.0)
    assert april == {"days": 9, "revenue": -10.0, "order_days": 0, "customers": 0, "returning": 0}
    assert found["rows"]["transactions"] == {"2026-01": 1, "2026-03": 3, "2026-04": 1}
    assert found["sizes"]["transactions.amount"]["2026-03"] == [pytest.approx((200 * 200 * 10) ** (1 / 3)), 3]
    assert not {"A", "B"} & set(json.dumps(found).replace('"', " ").split())


def test_a_profile_is_the_same_for_any_number_of_buckets(simulated: Company, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("transactions", "market_events"):
        shutil.copy(simulated.data / f"{name}.parquet", data)

    def bucketed(buckets: int) -> dict:
        moment = datetime(2026, 10, 2, tzinfo=UTC)
        source = open_source(str(data), {})
        report = ingest(source, tmp_path / f"{buckets}", run_at=moment, timezone="UTC", buckets=buckets)
        return profile(report.events, NEXT)

    one, three = bucketed(1), bucketed(3)
    assert one["rows"] == three["rows"]
    assert one["rows"]["market_events"]  # seen from every bucket, counted once
    for month, figures in one["months"].items():
        assert three["months"][month] == pytest.approx(figures)


def test_clean_months_pass_at_every_date(simulated: Company, champions: dict) -> None:
    for as_of in (TRAINED, NEXT, date(2026, 9, 20)):
        assert compare(champions, profile_of(simulated.data, as_of)) == []


def test_a_champion_without_a_profile_lets_everything_through(champions: dict) -> None:
    assert compare({}, champions) == []


def shuffled(table: pd.DataFrame, august: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    mixed = rng.permutation(table.loc[august, "customer_id"].to_numpy())
    return table.assign(customer_id=table["customer_id"].mask(august, pd.Series(mixed, index=table.index[august])))


def given_to_anybody(table: pd.DataFrame, august: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    anybody = pd.Series(rng.choice(table["customer_id"].unique(), len(table)), index=table.index)
    return table.assign(customer_id=table["customer_id"].mask(august, anybody))


def thousandfold_amounts(table: pd.DataFrame, august: pd.Series, _: np.random.Generator) -> pd.DataFrame:
    return table.assign(amount=table["amount"].mask(august, table["amount"] * 1000))


def thousandfold_units(table: pd.DataFrame, august: pd.Series, _: np.random.Generator) -> pd.DataFrame:
    return table.assign(quantity=table["quantity"].mask(august, table["quantity"] * 1000))


def some_amounts(table: pd.DataFrame, august: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    return thousandfold_amounts(table, august & (rng.random(len(table)) < 0.1), rng)


def lost(table: pd.DataFrame, august: pd.Series, _: np.random.Generator) -> pd.DataFrame:
    return table.drop(index=table.index[august][5:])


Poison = Callable[[pd.DataFrame, pd.Series, np.random.Generator], pd.DataFrame]


@pytest.mark.parametrize(
    ("poison", "code", "figure"),
    [
        (shuffled, "shuffled", "share of products"),
        (given_to_anybody, "shuffled", "share of customers who had ordered"),
        (thousandfold_amounts, "size", "usual value of an order day"),
        (thousandfold_units, "size", "usual size of transactions.quantity"),
        (some_amounts, "volume", "net revenue"),
        (lost, "volume", "order days"),
    ],
)
def test_a_poisoned_month_is_told_with_what_it_was_before(
    simulated: Company, champions: dict, tmp_path: Path, poison: Poison, code: str, figure: str
) -> None:
    orders = simulated.orders()
    august = (orders["ordered_at"] >= "2026-08-01") & (orders["ordered_at"] < "2026-09-01")
    (tmp_path / "data").mkdir()
    poisoned = poison(orders, august, np.random.default_rng(1))
    poisoned.to_parquet(tmp_path / "data" / "transactions.parquet", index=False)
    found = [one for one in compare(champions, profile_of(tmp_path / "data", NEXT)) if one.code == code]
    told = [one for one in found if figure in one.words]
    assert told, found
    assert told[0].words.startswith("2026-08: ")
    figures = told[0].figures
    assert not figures["lowest"] <= figures["found"] <= figures["highest"]
    assert "in the champion's 12 months it was" in told[0].words


def test_a_table_and_a_column_that_are_gone_are_told(simulated: Company, champions: dict, tmp_path: Path) -> None:
    data = Path(shutil.copytree(simulated.data, tmp_path / "data"))
    (data / "interactions.parquet").unlink()
    orders = simulated.orders().drop(columns="margin")
    orders.to_parquet(data / "transactions.parquet", index=False)
    found = {one.code: one.words for one in compare(champions, profile_of(data, NEXT))}
    assert set(found) == {"table_gone", "column_gone"}
    assert found["table_gone"].startswith("Table interactions is gone; it had ")
    assert "no longer has margin" in found["column_gone"]


def months(figures: dict | None = None, **changed: dict) -> dict:
    """The profile of a company that is the same in every month of 2025."""
    steady = {"days": 30, "order_days": 100, "customers": 60, "returning": 50, "revenue": 1e4, "usual_order": 80.0}
    steady |= {"returning_share": 50 / 60, "products": 200, "repeated_share": 0.5, "alike": 0.6} | (figures or {})
    names = [f"2025-{month:02d}" for month in range(1, 13)]
    told = {name: {**steady, **changed.get(f"m{name[-2:]}", {})} for name in names}
    return {
        "format": 1,
        "as_of": "2026-01-01",
        "first": "2025-01",
        "tables": {"transactions": 1200},
        "columns": {"transactions": ["amount"]},
        "months": told,
        "rows": {"transactions": dict.fromkeys(names, 100)},
        "sizes": {"transactions.amount": {name: [80.0, 100] for name in names}},
    }


@pytest.mark.parametrize(("orders", "codes"), [(91, []), (90, []), (89, ["past_rewritten"]), (111, ["past_rewritten"])])
def test_late_lines_change_the_past_a_little_and_more_is_refused(orders: int, codes: list[str]) -> None:
    found = compare(months(), months(m05={"order_days": orders}))
    assert [one.code for one in found] == codes
    if codes:
        assert found[0].words.startswith(
            f"2025-05, a month of the past: order days {orders}; at the last training 100."
        )


def test_a_few_orders_more_or_less_are_no_rewriting_of_a_small_month() -> None:
    assert compare(months({"order_days": 5}), months({"order_days": 5}, m05={"order_days": 8})) == []
    assert compare(months({"order_days": 5}), months({"order_days": 5}, m05={"order_days": 9})) != []


def test_the_limits_are_the_callers() -> None:
    rewritten = months(m05={"order_days": 70})
    assert compare(months(), rewritten, Limits(largest_rewrite=0.3)) == []
    assert compare(months(), rewritten, Limits(largest_rewrite=0.29)) != []


def test_a_past_that_vanished_or_that_begins_later_than_time_went_by_is_told() -> None:
    gone = months()
    del gone["months"]["2025-05"]
    assert {one.code for one in compare(months(), gone)} == {"past_rewritten"}
    later = months()
    for name in ("2025-01", "2025-02", "2025-03"):
        del later["months"][name]
    later["first"] = "2025-04"
    assert [one.code for one in compare(months(), later)] == ["history_gone"]
    # an extract of the last so many months moves on with the date
    rolling = {**later, "as_of": "2026-03-20", "months": later["months"] | {"2026-01": {}, "2026-02": {}}}
    assert "history_gone" not in {one.code for one in compare(months(), rolling)}


def test_the_refusal_says_what_was_found_and_the_way_out() -> None:
    found = compare(months(), months({"order_days": 10, "customers": 9, "revenue": 9.0}))
    said = str(refusal(found, "version 3, trained as of 2026-01-01"))
    assert "version 3, trained as of 2026-01-01" in said.splitlines()[0]
    assert len(said.splitlines()) == len(found) + 2
    assert said.endswith('`kizashi train --accept-data "why"`.')
    many = str(refusal(found * 5, "version 3"))
    assert f"and {5 * len(found) - 6} more of the kind." in many
