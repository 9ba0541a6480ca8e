"""The simulated world as a whole: draw it, and write it as a folder that Kizashi reads like any other."""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import SettingsError
from features.simulate.accounts import Accounts, Span, draw_accounts
from features.simulate.customers import customers_table
from features.simulate.orders import transactions_table
from features.simulate.presets import PRESETS, Preset
from features.simulate.stages import Scene, draw_lives, truth_of_losses, truth_of_stages

TABLES: dict[str, Callable[[Scene, np.random.Generator], pd.DataFrame]] = {
    "customers": customers_table,
    "transactions": transactions_table,
}
"""How each table of the contract is drawn. A table added here is in every world, and changes no other."""


@dataclass(frozen=True)
class World:
    """A simulated company: what it would hand over, and what nobody could hand over.

    Attributes
    ----------
    tables
        The contract's tables by name, as extracted at midnight of `end`: `customers` and `transactions`.
    truth
        `stages` and `losses` (see `features.simulate.stages`), and `customers`, what is usual for each:
        `orders_per_year`, `regularity` (Erlang shape of the gaps), `project`, `high_margin_share` and
        `proneness` (to leave, 1 on average).
    preset
        The parameters.
    settings
        The arguments that give the same world again.
    """

    tables: Mapping[str, pd.DataFrame]
    truth: Mapping[str, pd.DataFrame]
    preset: Preset
    settings: Mapping[str, str | int]


def simulate(customers: int, months: int, *, seed: int, preset: str | Preset = "normal", end: date) -> World:
    """A world of `customers` accounts over the `months` calendar months before `end`.

    The same arguments give the same world. Each table draws from a stream of its own, so that one more table
    changes no other.

    Parameters
    ----------
    customers
        Accounts in the file, some won during the history; those lost before it are not in it.
    months
        Length of the history.
    seed
        Any number from 0.
    preset
        A name in `PRESETS`, or parameters of one's own.
    end
        The day of the extract: everything in the tables was known before its midnight.

    Raises
    ------
    SettingsError
        For numbers out of range and unknown presets.
    """
    chosen = _checked(customers, months, seed, preset)
    start = (pd.Timestamp(end) - pd.DateOffset(months=months)).date()
    span = Span(np.datetime64(start, "D"), (end - start).days)
    accounts = draw_accounts(customers, chosen, span, _stream(seed, "accounts"))
    lives = draw_lives(accounts, chosen, span, _stream(seed, "lives"))
    scene = Scene(accounts, lives, chosen, span)
    return World(
        tables={name: table(scene, _stream(seed, name)) for name, table in TABLES.items()},
        truth={
            "customers": _truth_of_customers(accounts),
            "stages": truth_of_stages(scene),
            "losses": truth_of_losses(scene),
        },
        preset=chosen,
        settings={
            "customers": customers,
            "months": months,
            "seed": seed,
            "preset": preset if isinstance(preset, str) else "own",
            "end": end.isoformat(),
        },
    )


def write(world: World, folder: Path) -> None:
    """Write the tables into `folder` as Parquet, and the truth below `truth/`, where no table is sought."""
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    for name, table in world.tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    for name, table in world.truth.items():
        table.to_parquet(folder / "truth" / f"{name}.parquet", index=False)
    record = {"settings": dict(world.settings), "preset": asdict(world.preset)}
    (folder / "truth" / "world.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _checked(customers: int, months: int, seed: int, preset: str | Preset) -> Preset:
    """The parameters, once all arguments are in range."""
    for name, value, least in (("customers", customers, 1), ("months", months, 1), ("seed", seed, 0)):
        if value < least:
            raise SettingsError(f"simulate: expected {name} >= {least}, found {value}. Give a larger number.")
    if isinstance(preset, Preset):
        return preset
    if preset not in PRESETS:
        known = ", ".join(PRESETS)
        raise SettingsError(f"simulate: expected a preset of {known}, found {preset!r}. Choose one of them.")
    return PRESETS[preset]


def _stream(seed: int, part: str) -> np.random.Generator:
    """The random numbers of one part of the world."""
    return np.random.default_rng([seed, zlib.crc32(part.encode())])


def _truth_of_customers(accounts: Accounts) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": accounts.customer_id,
            "orders_per_year": accounts.orders_per_year,
            "regularity": accounts.regularity,
            "project": accounts.project,
            "high_margin_share": accounts.high_share,
            "proneness": accounts.proneness,
        }
    )
