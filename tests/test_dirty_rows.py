"""Dirty rows on demand: the door finds exactly these, and every other row passes as if they were not there."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

from collections import Counter
from datetime import date, datetime
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from simulated import END, whole_company

from features.contract import CONTRACT, Table
from features.errors import SettingsError
from features.quarantine import IngestReport, ingest
from features.simulate import World, simulate, write
from features.simulate.arrays import Span
from features.simulate.dirty_rows import as_text, pick_dirty_rows, with_dirty_rows
from features.sources import open_source

SPAN = Span(np.datetime64("2024-01-01"), 366)
#: All that a row can be refused for; a torn line and a mapping's own check are no matter of its values.
KINDS = {
    "missing", "not_a_date", "not_true_or_false", "not_a_number", "not_finite", "out_of_range", "unknown_value",
    "in_the_future", "unknown_customer", "duplicate_key",
}  # fmt: skip
SOUND = {"id": "A1", "timestamp": pd.Timestamp(2024, 5, 6), "money": 12.5, "number": 3.0, "share": 0.5, "boolean": True}


def stream(part: str) -> np.random.Generator:
    return np.random.default_rng(crc32(part.encode()))


def sound(table: Table, count: int = 240) -> pd.DataFrame:
    """Rows of a table of the contract with all its columns, each with a key of its own."""
    rows = pd.DataFrame(index=range(count))
    for column in table.columns:
        value = column.values[0] if column.values else SOUND.get(column.type, 'words, "quoted"\nand broken')
        rows[column.name] = "3,9" if column.pattern else value
    number = pd.Series(range(count)).astype("str")
    keyed = next((name for name in table.key if name != "customer_id"), "customer_id")
    if table.key:
        rows[keyed] = "K" + number
    elif "customer_id" in rows:
        rows["customer_id"] = "K" + number
    if table.name == "account_changes":
        rows["field"], rows["old"], rows["new"] = "temperature", "hot", "cold"
        rows.loc[::3, ["field", "old", "new"]] = ["note", "tepid", "?"]
    if table.name == "transactions":
        rows["order_id"] = "S" + number
    return rows


def taken_in(folder: Path, tables: dict[str, pd.DataFrame]) -> IngestReport:
    """The tables as CSV files, let in by the real door; it may refuse as many rows as it likes."""
    (folder / "data").mkdir()
    for name, rows in tables.items():
        rows.to_csv(folder / "data" / f"{name}.csv", index=False)
    source = open_source(folder / "data")
    return ingest(source, folder / "events", run_at=datetime(2025, 6, 1), timezone="UTC", max_share=1.0)


def found(report: IngestReport, name: str) -> pd.DataFrame:
    """What the door says of the rows that it set aside."""
    return pd.read_parquet(report.events.folder / "quarantine" / f"{name}.parquet").sort_values("row_number")


def kinds(report: IngestReport, name: str) -> dict[tuple[str, str], int]:
    counts: Counter[tuple[str, str]] = Counter()
    for reason in report.table(name).reasons:
        counts[reason.kind, reason.column] += reason.rows
    return dict(counts)


def agree(report: IngestReport, world_dirty: pd.DataFrame, name: str) -> None:
    """The door's list and the truth's list are one, row by row."""
    mine = world_dirty[world_dirty["table"] == name].sort_values("row_number")
    refused = found(report, name)
    assert refused["row_number"].tolist() == mine["row_number"].tolist()
    assert refused["column"].tolist() == mine["column"].tolist()
    assert kinds(report, name) == mine.groupby(["kind", "column"]).size().to_dict()
    shown = mine["value"].notna() & (mine["value"].str.strip() != "")
    assert refused["value"].to_numpy()[shown].tolist() == mine.loc[shown, "value"].tolist()


@pytest.mark.parametrize("table", CONTRACT.values(), ids=lambda table: table.name)
def test_every_way_to_break_a_table_of_the_contract_is_found_where_it_was_made(tmp_path: Path, table: Table) -> None:
    tables = {name: sound(CONTRACT[name]) for name in {"transactions", table.name}}
    dirty = pick_dirty_rows(tables, 0.4, SPAN, stream)
    report = taken_in(tmp_path, {name: with_dirty_rows(name, rows, dirty) for name, rows in tables.items()})
    for name, rows in tables.items():
        assert report.table(name).clean == len(rows.drop_duplicates())
        assert report.table(name).duplicates == rows.duplicated().sum()
        agree(report, dirty, name)
    broken = set(dirty.loc[dirty["table"] == table.name, "column"])
    assert {column.name for column in table.columns if column.required or column.values} <= broken


@pytest.fixture(scope="module")
def dirty_world() -> World:
    return simulate(250, 24, seed=7, end=END, dirty=0.02)


@pytest.fixture(scope="module")
def report(dirty_world: World, tmp_path_factory: pytest.TempPathFactory) -> IngestReport:
    folder = tmp_path_factory.mktemp("dirty")
    write(dirty_world, folder / "data")
    source = open_source(folder / "data")
    return ingest(source, folder / "events", run_at=datetime(2026, 1, 1), timezone="UTC", max_share=0.02)


@pytest.mark.parametrize("name", list(whole_company().tables))
def test_exactly_the_dirty_rows_are_set_aside_and_all_rows_are_somewhere(
    dirty_world: World, report: IngestReport, name: str
) -> None:
    rows, dirty = dirty_world.tables[name], dirty_world.truth["dirty"]
    counted = report.table(name)
    assert counted.rows_in == len(rows) + (dirty["table"] == name).sum()
    assert counted.duplicates == rows.duplicated().sum()
    assert counted.clean == len(rows) - counted.duplicates
    agree(report, dirty, name)


def test_rows_are_broken_in_every_way_that_the_door_knows(dirty_world: World) -> None:
    assert set(dirty_world.truth["dirty"]["kind"]) == KINDS


def test_the_company_is_the_same_with_and_without_dirty_rows(dirty_world: World) -> None:
    plain = whole_company()
    for part in (dirty_world.tables, plain.tables):
        assert list(part) == list(plain.tables)
    for name, rows in plain.tables.items():
        pd.testing.assert_frame_equal(dirty_world.tables[name], rows)
    assert set(dirty_world.truth) - set(plain.truth) == {"dirty"}


def test_the_share_of_dirty_rows_is_that_of_the_whole_file_and_never_above_it(dirty_world: World) -> None:
    counts = dirty_world.truth["dirty"]["table"].value_counts()
    for name, rows in dirty_world.tables.items():
        share = counts.get(name, 0) / (len(rows) + counts.get(name, 0))
        assert 0.02 - 2 / len(rows) <= share <= 0.02


def test_the_sound_rows_of_a_file_stand_there_unchanged_and_in_order(dirty_world: World) -> None:
    dirty = dirty_world.truth["dirty"]
    for name, rows in dirty_world.tables.items():
        whole = with_dirty_rows(name, rows, dirty)
        numbers = dirty.loc[dirty["table"] == name, "row_number"] - 1
        pd.testing.assert_frame_equal(whole.drop(index=numbers).reset_index(drop=True), as_text(rows))


def test_a_dirty_row_differs_from_its_copy_in_one_column(dirty_world: World) -> None:
    dirty = dirty_world.truth["dirty"]
    for name, rows in dirty_world.tables.items():
        mine = dirty[(dirty["table"] == name) & (dirty["kind"] != "duplicate_key")]
        text = as_text(rows).iloc[mine["copy_of"] - 1].reset_index(drop=True)
        broken = with_dirty_rows(name, rows, dirty).iloc[mine["row_number"] - 1].reset_index(drop=True)
        differs = (text.fillna("") != broken.fillna("")).sum(axis=1)
        assert differs.between(0, 1).all()
        assert differs.sum() > 0.9 * len(mine)


def test_without_a_table_of_customers_no_customer_is_unknown() -> None:
    world = simulate(60, 12, seed=7, end=date(2026, 1, 1), dirty=0.05, without=["customers"])
    assert "unknown_customer" not in set(world.truth["dirty"]["kind"])
    assert "customers" not in set(world.truth["dirty"]["table"])


def test_a_share_beyond_half_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"expected dirty from 0 to 0.5, found 0.6"):
        pick_dirty_rows({"transactions": sound(CONTRACT["transactions"])}, 0.6, SPAN, stream)
