"""Worlds with every table of the contract, and what a database would have held at an earlier moment.

Three worlds are the same before a cutoff: as it is; as it was then, without later rows, later versions of rows and
later facts; with all of those scrambled and more of them invented.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pandas as pd
from orders import WORLD_END, known_at, nasty_lines, world_lines

from features.contract import CONTRACT, Column, Table
from features.simulate import PRESETS, simulate

Tables = Mapping[str, pd.DataFrame]

FIRST, LAST = pd.Timestamp(2023, 1, 1), pd.Timestamp(2025, 6, 30)


@cache
def simulated() -> Tables:
    """A small simulated company with all tables and many late rows. Not to be changed in place."""
    often = replace(PRESETS["normal"], credit_notes=0.15, late_rows=0.15, duplicates=0.0)
    world = dict(simulate(80, 30, seed=11, preset=often, end=WORLD_END).tables)
    world["transactions"] = world_lines()
    return world


@cache
def nasty(seed: int = 7) -> Tables:
    """Tables as unkind as the contract allows: any value anywhere, rows restated again and again. Not to be changed."""
    rng = np.random.default_rng(seed)
    lines = nasty_lines()
    accounts = sorted(lines["customer_id"].unique())
    tables = {name: _drawn(table, accounts, rng) for name, table in CONTRACT.items() if name != "transactions"}
    customers = tables["customers"].head(len(accounts)).assign(customer_id=accounts, parent_id=None)
    return {**tables, "customers": customers, "transactions": lines}


def _drawn(table: Table, accounts: list[str], rng: np.random.Generator, rows: int = 240) -> pd.DataFrame:
    """Rows of a table with values drawn from what its columns allow; a third of those with a key stand twice or more,
    recorded at other times."""
    frame = pd.DataFrame({column.name: _values(column, accounts, rng, rows) for column in table.columns})
    if table.time is None:
        return frame
    frame[table.time] = LAST - pd.to_timedelta(rng.integers(0, 900 * 24, rows), "h")
    if table.key:
        serial = pd.Series(np.arange(rows)).astype("str")
        for name in set(table.key) - {"customer_id", table.time}:
            frame[name] = table.name[:2] + serial
        restated = frame.iloc[rng.integers(0, rows, rows // 3)].copy()
        for column in table.columns:
            if column.name not in (*table.key, "customer_id", "recorded_at"):
                restated[column.name] = _values(column, accounts, rng, len(restated))
        restated[table.time] = restated[table.time].fillna(LAST)
        frame = pd.concat([frame, restated], ignore_index=True)
    late = pd.to_timedelta(rng.integers(-3 * 24, 150 * 24, len(frame)), "h")
    late = np.where(rng.random(len(frame)) < 0.5, late, pd.to_timedelta(0))
    frame["recorded_at"] = (frame[table.time] + pd.to_timedelta(late)).astype("datetime64[us]")
    if table.key:
        # only the version that was recorded at one moment is told apart by the contract
        frame = frame.drop_duplicates([*table.key, "recorded_at"], ignore_index=True)
    return frame


def _values(column: Column, accounts: list[str], rng: np.random.Generator, rows: int) -> pd.Series:
    if column.name == "customer_id":
        return pd.Series(rng.choice(accounts, rows))
    if column.name in ("owner", "region", "manager"):
        return pd.Series(rng.choice([f"{column.name}-{number}" for number in range(4)], rows))
    if column.name == "field":
        return pd.Series(rng.choice(["owner", "contact", "terms", "note", "competitor", "credit_limit"], rows))
    if column.name in ("old", "new"):
        return pd.Series(rng.choice(["owner-1", "owner-2", "1000", "true", "net 30"], rows))
    if column.name == "budget_months":
        return pd.Series(rng.choice(["10", "3,9"], rows))
    if column.name == "contact_id":
        return pd.Series(rng.choice([f"co{number}" for number in range(60)], rows))
    if column.name == "text":
        said = [
            "maybe next time",
            "We will see.",
            "Please send the drawing M8x20 by Friday, 20 pcs.",
            "",
            "なるほど",
            "不着急",
        ]
        return pd.Series(rng.choice(said, rows))
    kinds = {
        "boolean": lambda: pd.Series(pd.array(rng.choice([True, False, None], rows), dtype="boolean")),
        "timestamp": lambda: pd.Series(
            np.where(rng.random(rows) < 0.7, FIRST + pd.to_timedelta(rng.integers(0, 1100 * 24, rows), "h"), pd.NaT)
        ).astype("datetime64[us]"),
        "text": lambda: pd.Series(rng.choice([*(column.values or ("a", "b 2", "3")), None], rows)).astype("str"),
        "id": lambda: pd.Series(rng.choice(["x1", "x2", "x3"], rows)),
        "share": lambda: pd.Series(rng.random(rows)),
        "number": lambda: pd.Series(rng.choice([1.0, 2.0, 5.0, np.nan], rows)),
        "integer": lambda: pd.Series(rng.integers(0, 9, rows)),
        "money": lambda: pd.Series(rng.choice([10.0, 250.5, 9000.0, np.nan], rows)),
    }
    values = kinds[column.type]()
    return values.fillna(1.0) if column.required and column.type in ("money", "number") else values


def as_it_was(tables: Tables, as_of: date) -> dict[str, pd.DataFrame]:
    """The tables as they stood at the cutoff: no row that happened or was recorded later, no later fact on one."""
    cut = pd.Timestamp(as_of)
    then = {}
    for name, frame in tables.items():
        table = CONTRACT[name]
        if table.time is None:
            then[name] = frame
            continue
        held = frame[known_at(name, frame) < cut].reset_index(drop=True)
        for column, later in _later(table, held):
            held[column] = held[column].mask(later >= cut)
        then[name] = held
    return then


def _later(table: Table, held: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    """Each later fact of the table with the time from which it was known, row by row; times last."""
    found = []
    for column in table.columns:
        if column.later and column.name in held:
            if column.later == column.name or column.later not in held:
                when = held[column.name] if column.later == column.name else held[table.time]
            else:
                when = held[column.later].fillna(held[table.time])
            found.append((column.name, column.later == column.name, pd.to_datetime(when)))
    return [(name, when) for name, _, when in sorted(found, key=lambda fact: fact[1])]


def scrambled(tables: Tables, as_of: date) -> dict[str, pd.DataFrame]:
    """With all later rows twice, changed in every column, under known keys and new ones; later facts at other times."""
    cut = pd.Timestamp(as_of)
    rng = np.random.default_rng(1)
    other = {}
    for name, frame in tables.items():
        table = CONTRACT[name]
        if table.time is None or name == "transactions":
            other[name] = frame if table.time is None else _later_lines(frame, as_of)
            continue
        past = frame[known_at(name, frame) < cut].reset_index(drop=True)
        for column, later in _later(table, past):
            hidden = later >= cut
            if column in [one.name for one in table.columns if one.later == one.name]:
                moved = cut + pd.to_timedelta(rng.integers(0, 90 * 24, len(past)), "h")
                moved = pd.Series(moved, index=past.index)
                if all(one.later != column or one.name == column for one in table.columns):
                    moved = moved.where(
                        rng.random(len(past)) < 0.8
                    )  # else its facts would count from the row's own time
                past[column] = past[column].mask(hidden, moved.astype(past[column].dtype))
            else:
                drawn = past[column].sample(frac=1, random_state=2).set_axis(past.index)
                past[column] = past[column].mask(hidden, drawn)
        after = pd.concat([frame] * 2, ignore_index=True)
        after = after.apply(lambda column: column.sample(frac=1, random_state=rng.integers(1e6)).reset_index(drop=True))
        after["recorded_at"] = (cut + pd.to_timedelta(rng.integers(0, 200 * 24, len(after)), "h")).astype(
            "datetime64[us]"
        )
        new = rng.random(len(after)) < 0.5
        for key in set(table.key) - {"customer_id", table.time}:
            after[key] = after[key].where(~new, "new" + pd.Series(np.arange(len(after))).astype("str"))
        other[name] = pd.concat([after, past.sample(frac=1, random_state=4)], ignore_index=True)
    return other


def _later_lines(lines: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Order lines with all later ones twice, shuffled, with other amounts, customers, orders, products and days.

    Half of them are of orders that were known before, on days that were known before, but recorded later.
    """
    rng = np.random.default_rng(1)
    cut = pd.Timestamp(as_of)
    visible = known_at("transactions", lines)
    past = lines[visible < cut].reset_index(drop=True)
    if "delivered_at" in past:
        hidden = past["delivered_at"] >= cut
        past["delivered_at"] = past["delivered_at"].mask(hidden, cut + pd.Timedelta(days=3))
        past["delivered_quantity"] = past["delivered_quantity"].mask(hidden, 1)
    later = pd.concat([lines[visible >= cut]] * 2, ignore_index=True)
    later = later if len(later) else past.sample(50, replace=True, random_state=1).reset_index(drop=True)
    numbers = [name for name in ("amount", "quantity", "margin", "list_amount") if name in later]
    later[numbers] = rng.choice([-1000.0, -0.01, 0.01, 33.0, 5000.0], (len(later), len(numbers)))
    later["product_id"] = rng.choice(["new", "p1", "L01-01"], len(later))
    later["urgent"] = pd.array(rng.random(len(later)) < 0.5, dtype=lines["urgent"].dtype)
    after = cut + pd.to_timedelta(rng.integers(0, 200 * 86_400, len(later)), "s")
    later["recorded_at"] = after.where(rng.random(len(later)) < 0.9, cut)
    of_known = past.sample(len(later), replace=True, random_state=2).reset_index(drop=True)
    known = rng.random(len(later)) < 0.5
    for name in ("customer_id", "order_id"):
        later[name] = of_known[name].where(known, later[name].sample(frac=1, random_state=3).to_numpy())
    later["ordered_at"] = (of_known["ordered_at"] - pd.Timedelta(days=1)).where(known, later["recorded_at"])
    return pd.concat([later, past.sample(frac=1, random_state=4)], ignore_index=True)
