"""Simulated companies that several test files look at; drawn once per process, never to be changed in place."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import cache

import pandas as pd
import pytest

from features.simulate import PRESETS, Preset, World, simulate
from features.simulate import world as world_module

END = date(2026, 1, 1)
START = pd.Timestamp(2023, 1, 1)
ORDER_TABLES = ("customers", "transactions")


@contextmanager
def orders_alone() -> Iterator[None]:
    """Only customers and order lines are drawn, which are the same with and without the other tables."""
    with pytest.MonkeyPatch.context() as patch:
        drawn = {name: table for name, table in world_module.TABLES.items() if name in ORDER_TABLES}
        patch.setattr(world_module, "TABLES", drawn)
        yield


@cache
def company(preset: str | Preset = "normal", policy: str | None = None, customers: int = 3000, seed: int = 7) -> World:
    """Customers and orders of three years."""
    with orders_alone():
        return simulate(customers, 36, seed=seed, preset=preset, end=END, policy=policy)


@cache
def whole_company() -> World:
    """A small company with all its tables."""
    return simulate(250, 24, seed=7, end=END)


def normal(**changes: float) -> Preset:
    """The normal parameters with some changes."""
    return replace(PRESETS["normal"], **changes)


def orders_of(world: World) -> pd.DataFrame:
    """One row per order, credit notes left out."""
    lines = world.tables["transactions"].drop_duplicates()
    placed = lines[lines["amount"] > 0]
    return placed.groupby("order_id", as_index=False).agg(
        customer_id=("customer_id", "first"),
        ordered_at=("ordered_at", "first"),
        urgent=("urgent", "first"),
        amount=("amount", "sum"),
        list_amount=("list_amount", "sum"),
    )
