"""Simulated worlds as the gates look at them: the product's cohort, what came of it, and what was told before.

Used by simulator_gates.py, which is the command.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from benchmarks.simulator_facts import plain_facts
from benchmarks.standing_truth import ORACLES, Truth
from features.labels import no_order_within
from features.quarantine import ingest
from features.registry import registered
from features.simulate import World, simulate, write
from features.simulate.oracles import PARTICLES, oracles
from features.snapshots import ELIGIBLE, Cohort, SnapshotTable, Window, take
from features.sources import open_source
from pipelines.simulate import ORACLE_HORIZON_DAYS, oracle_dates

END = date(2026, 10, 1)
MONTHS, CUTOFFS = 36, 6
SILENT, GONE = "no_order", "lost"  # outcomes: no order within, lost after `ORACLE_HORIZON_DAYS`
RECENCY = "days_since_last_order"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Judged:
    """Some worlds of one preset at their cutoffs.

    Attributes
    ----------
    rows
        One row per (customer, cutoff) of the product's cohort: `customer_id` with the seed, `as_of`, `cutoff` (date
        and seed: each world is judged for itself), the outcomes `no_order` and `lost` (0 or 1), `gone` (lost already
        at the cutoff), `overdue`, `proneness` (true constant factor of the hazards), `<oracle> p_...` (missing for
        customers that the oracles did not watch), and the facts.
    facts
        Names of the columns of facts: the product's features, and those of `plain_facts`.
    losses
        All losses of the history: `customer_id`, `lost_at`, `returned_at`, `sudden`, and `as_of`, the last cutoff
        before it (missing where none is less than a month before).
    """

    rows: pd.DataFrame
    facts: tuple[str, ...]
    losses: pd.DataFrame


def judge(
    preset: str,
    customers: int,
    seeds: Sequence[int],
    *,
    particles: int = PARTICLES,
    watched: int | None = None,
    cutoffs: int = CUTOFFS,
    with_facts: bool = True,
    say: Say = lambda _: None,
) -> Judged:
    """Worlds of a preset, one per seed, at the last `cutoffs` starts of a month whose outcome is known.

    The oracles watch the first `watched` customers of each, by default all.
    """
    parts = []
    for seed in seeds:
        say(f"{preset}, seed {seed}: a world of {customers} customers")
        world = simulate(customers, MONTHS, seed=seed, preset=preset, end=END)
        dates = oracle_dates(world)[-cutoffs:]
        say("  what its tables show plainly, after an ingest")
        table, facts = _read(world, dates, with_facts)
        say(f"  the oracles, {particles} particles for each customer")
        told = oracles(world, dates, customers if watched is None else watched, particles=particles)
        rows = _rows(world, table, told).merge(facts, on=["customer_id", "as_of"], how="left", validate="one_to_one")
        # A frame of so many columns is laid out anew once, not with every further one.
        parts.append((_of_seed(rows.copy(), seed), _of_seed(_losses(world, dates), seed)))
    names = [feature.name for feature in registered()] + [str(name) for name in facts.columns[2:]]
    rows, losses = (pd.concat(some, ignore_index=True) for some in zip(*parts, strict=True))
    return Judged(rows, tuple(names), losses)


def _read(world: World, dates: Sequence[date], with_facts: bool) -> tuple[SnapshotTable, pd.DataFrame]:
    """The product's snapshots and the plain facts (keys alone where they are not wanted), both through an ingest."""
    with tempfile.TemporaryDirectory(prefix="kizashi-gates-") as place:
        write(world, Path(place) / "data")
        later = datetime.combine(END, datetime.min.time(), UTC)
        events = ingest(open_source(Path(place) / "data"), Path(place) / "events", run_at=later, timezone="UTC").events
        table = take(events, dates, cohort=Cohort(), window=Window())
        facts = plain_facts(events, dates) if with_facts else table.frame[["customer_id", "as_of"]]
    return table, facts.assign(as_of=facts["as_of"].astype("datetime64[us]"))


def _rows(world: World, table: SnapshotTable, told: pd.DataFrame) -> pd.DataFrame:
    """The cohort with outcomes and forecasts."""
    outcome = no_order_within(table.outcomes(), ORACLE_HORIZON_DAYS)
    rows = table.frame.assign(no_order=outcome).query(f"cohort == '{ELIGIBLE}'").reset_index(drop=True)
    rows["as_of"] = rows["as_of"].astype("datetime64[us]")
    truth = Truth(world.truth["losses"], told, END)
    rows[GONE] = truth.lost_at(rows, ORACLE_HORIZON_DAYS)
    rows["gone"] = truth.lost_at(rows, 0) == 1
    rows["overdue"] = rows[RECENCY] > rows["churn_window_days"]
    rows["proneness"] = rows["customer_id"].map(world.truth["customers"].set_index("customer_id")["proneness"])
    for oracle in ORACLES:
        mine = told[told["oracle"] == oracle].drop(columns="oracle").set_index(["customer_id", "as_of"])
        rows = rows.join(mine.add_prefix(f"{oracle} "), on=["customer_id", "as_of"], validate="one_to_one")
    return rows


def _losses(world: World, dates: Sequence[date]) -> pd.DataFrame:
    """Every loss with the last cutoff before it, if that is less than a month before."""
    losses = world.truth["losses"].assign(sudden=lambda table: ~table["symptomatic"])
    looks = pd.DataFrame({"as_of": pd.to_datetime(pd.Series(dates)).astype("datetime64[us]")})
    losses = pd.merge_asof(
        losses.sort_values(["lost_at", "customer_id"]), looks, left_on="lost_at", right_on="as_of",
        allow_exact_matches=False,
    )  # fmt: skip
    too_far = losses["lost_at"] > losses["as_of"] + pd.DateOffset(months=1)
    losses["as_of"] = losses["as_of"].mask(too_far)
    return losses[["customer_id", "lost_at", "returned_at", "sudden", "as_of"]]


def _of_seed(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The rows of one world among those of others."""
    cutoff = rows["as_of"].dt.strftime("%Y-%m-%d") + f" of {seed}"
    return rows.assign(customer_id=f"{seed}:" + rows["customer_id"].astype("str"), cutoff=cutoff)
