"""The simulated world as a whole: draw it, and write it as a folder that Kizashi reads like any other."""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pandas as pd
from pyarrow import Table
from pyarrow.csv import write_csv

from features.errors import SettingsError
from features.simulate import interventions
from features.simulate.absences import absences_table
from features.simulate.account_changes import account_changes_table
from features.simulate.accounts import draw_accounts
from features.simulate.arrays import WEEK, Span, wander
from features.simulate.causes import CAUSES, draw_causes
from features.simulate.contacts import contacts_table
from features.simulate.contracts import contracts_table
from features.simulate.customers import customers_table
from features.simulate.demand import draw_demand, place_orders
from features.simulate.dirty_rows import pick_dirty_rows, with_dirty_rows
from features.simulate.finances import finances_table
from features.simulate.interactions import interactions_table
from features.simulate.market_events import market_events_table
from features.simulate.partnerships import partnerships_table
from features.simulate.presets import PRESETS, Preset
from features.simulate.promotions import promotions_table
from features.simulate.quotes import quotes_table
from features.simulate.recording import check_without, recorded
from features.simulate.scene import Scene
from features.simulate.services import services_table
from features.simulate.signals import SIGNALS
from features.simulate.stages import draw_hazards, draw_lives
from features.simulate.transactions import transactions_table
from features.simulate.truth import truth_of_causes, truth_of_customers, truth_of_losses, truth_of_stages
from features.snapshots import Progress, silent

FIRST_YEAR = 2000  # of a history

Tables = Mapping[str, pd.DataFrame]
TABLES: dict[str, Callable[[Scene, Tables, np.random.Generator], pd.DataFrame]] = {
    "customers": customers_table,
    "contacts": contacts_table,
    "transactions": transactions_table,
    "interactions": interactions_table,
    "services": services_table,
    "finances": finances_table,
    "partnerships": partnerships_table,
    "quotes": quotes_table,
    "account_changes": account_changes_table,
    "contracts": contracts_table,
    "promotions": promotions_table,
    "absences": absences_table,
    "market_events": market_events_table,
}
"""How each table of the contract is drawn, from the scene and the tables above it; each in a stream of its own."""


@dataclass(frozen=True)
class World:
    """A simulated company: what it would hand over, and what nobody could hand over.

    Attributes
    ----------
    tables
        The contract's tables by name, as extracted at midnight of `end`; dirty rows are not among them.
    truth
        `customers`, `stages`, `losses`, `causes` and `interventions`: see `features.simulate.truth` and
        `features.simulate.interventions`; and `dirty`, the dirty rows that are written among the others, where any
        were asked for: see `features.simulate.dirty_rows`.
    scene
        What the tables were drawn from.
    settings
        The arguments that give the same world again.
    """

    tables: Tables
    truth: Tables
    scene: Scene
    settings: Mapping[str, Any]

    @property
    def preset(self) -> Preset:
        """The parameters."""
        return self.scene.preset


def simulate(
    customers: int,
    months: int,
    *,
    seed: int,
    preset: str | Preset = "normal",
    end: date,
    policy: str | None = None,
    without: Sequence[str] = (),
    dirty: float = 0.0,
    progress: Progress = silent,
) -> World:
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
    policy
        Whom sales may talk to, where it is not as the preset says.
    without
        Tables that this company does not have; the others are as they would be with them.
    dirty
        Share (0 to 0.5) of the rows of each written file that break the contract; the other rows stay as they are.

    Raises
    ------
    SettingsError
        For numbers out of range, unknown presets, policies and tables.
    """
    chosen = _checked({"customers": customers, "months": months, "seed": seed}, preset, policy)
    _check_end(end, months)
    check_without(without, list(TABLES))
    stream = partial(_stream, seed)
    start = (pd.Timestamp(end) - pd.DateOffset(months=months)).date()
    span = Span(np.datetime64(start, "D"), (end - start).days)
    progress(f"the lives of {customers} customers over {months} months", 0.0)
    scene = set_scene(customers, chosen, span, seed)
    tables: dict[str, pd.DataFrame] = {}
    for number, (name, table) in enumerate(TABLES.items()):
        progress(f"the table {name}", (1 + number) / (2 + len(TABLES)))
        tables[name] = table(scene, tables, stream(name))
    progress("what is recorded of it", (1 + len(TABLES)) / (2 + len(TABLES)))
    delivered = recorded(tables, chosen, span, stream, without=without)
    spoilt = {"dirty": pick_dirty_rows(delivered, dirty, span, stream)} if dirty else {}
    return World(
        tables=delivered,
        truth={
            "customers": truth_of_customers(scene.accounts),
            "stages": truth_of_stages(scene),
            "losses": truth_of_losses(scene),
            "causes": truth_of_causes(scene),
            "interventions": interventions.truth_of_interventions(scene.talks, scene.accounts, span),
            **spoilt,
        },
        scene=scene,
        settings={
            "customers": customers,
            "months": months,
            "seed": seed,
            "preset": preset if isinstance(preset, str) else "own",
            "end": end.isoformat(),
            "policy": chosen.policy,
            "without": list(without),
            "dirty": dirty,
        },
    )


def set_scene(customers: int, preset: Preset, span: Span, seed: int) -> Scene:
    """Everything that is settled before any table is drawn."""
    accounts = draw_accounts(customers, preset, span, _stream(seed, "accounts"))
    causes = draw_causes(accounts, span, _stream(seed, "causes"))
    hazards = draw_hazards(accounts, causes, preset, span)
    demand = draw_demand(accounts, preset, span, _stream(seed, "demand"))
    lives = draw_lives(accounts, hazards, preset, span, _stream(seed, "lives"))
    orders = place_orders(accounts, lives, demand, preset, span)
    talks = interventions.pick(accounts, orders, preset, span, _stream(seed, "policy"))
    if len(talks.account):
        with_talk = interventions.talked_to(talks, lives, hazards, preset, span, _stream(seed, "talks"))
        answered = place_orders(accounts, with_talk, demand, preset, span)
        talks = interventions.compared(talks, (lives, orders), (with_talk, answered), span)
        lives = interventions.shown(talks, lives, with_talk)
        orders = place_orders(accounts, lives, demand, preset, span)
    paths = wander(customers, span.weeks, WEEK, preset.attention_memory_days, _stream(seed, "attention"))
    return Scene(accounts, causes, hazards, lives, demand, paths, orders, talks, preset, span)


def write(world: World, folder: Path) -> None:
    """Write the tables into `folder`, and the truth below `truth/`, where no table is sought.

    A table is a Parquet file; with dirty rows, which fit no typed column, it is a CSV file. `truth/world.json` keeps
    the settings, all parameters and the number of rows of every file.
    """
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    dirty = world.truth.get("dirty")
    rows = {}
    for name, table in world.tables.items():
        if dirty is None:
            file, whole = f"{name}.parquet", table
            whole.to_parquet(folder / file, index=False)
        else:
            file, whole = f"{name}.csv", with_dirty_rows(name, table, dirty)
            write_csv(Table.from_pandas(whole, preserve_index=False), folder / file)
        rows[file] = len(whole)
    for name, table in world.truth.items():
        table.to_parquet(folder / "truth" / f"{name}.parquet", index=False)
    record = {
        "settings": dict(world.settings),
        "preset": asdict(world.preset),
        "signals": [asdict(signal) for signal in SIGNALS.values()],
        "causes": [asdict(cause) for cause in CAUSES],
        "rows": rows,
    }
    (folder / "truth" / "world.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _checked(numbers: Mapping[str, int], preset: str | Preset, policy: str | None) -> Preset:
    """The parameters, once all arguments are in range."""
    for name, value in numbers.items():
        least = 0 if name == "seed" else 1
        if value < least:
            raise SettingsError(f"simulate: expected {name} >= {least}, found {value}. Give a larger number.")
    if isinstance(preset, str) and preset not in PRESETS:
        known = ", ".join(PRESETS)
        raise SettingsError(f"simulate: expected a preset of {known}, found {preset!r}. Choose one of them.")
    chosen = PRESETS[preset] if isinstance(preset, str) else preset
    if policy is None:
        return chosen
    policies = get_args(get_type_hints(Preset)["policy"])
    if policy not in policies:
        known = ", ".join(policies)
        raise SettingsError(f"simulate: expected a policy of {known}, found {policy!r}. Choose one of them.")
    return replace(chosen, policy=policies[policies.index(policy)])


def _check_end(end: date, months: int) -> None:
    """Refuse a history so old that customers, who may be 25 years older, began before any ledger."""
    if end.year - months / 12 < FIRST_YEAR:
        raise SettingsError(
            f"simulate: expected a history that begins in {FIRST_YEAR} or later, found {months} months before {end}. "
            "Give fewer months or a later end."
        )


def _stream(seed: int, part: str) -> np.random.Generator:
    """The random numbers of one part of the world."""
    return np.random.default_rng([seed, zlib.crc32(part.encode())])
