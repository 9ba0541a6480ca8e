"""The yearly contracts of the simulated world: signed again each year, or not."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from features.simulate.accounts import SECTORS
from features.simulate.arrays import Floats, Integers
from features.simulate.customers import ranks
from features.simulate.observed import Observations, known_day
from features.simulate.office import moments, opened, usual_year
from features.simulate.scene import Scene

HOLDERS = {"A": 0.6, "B": 0.4, "C": 0.2, "D": 0.08}  # share of customers with yearly contracts, by rank
INDUSTRIAL = 1.5  # times as many among industrial customers
YEAR = 365  # days that a contract runs
GRACE_DAYS = 30  # after which a contract that is not signed again is a no
SIZE_SPREAD = 0.12  # sd of the log of the agreed amount around the usual sales of a year: it foretells nothing


def contracts_table(scene: Scene, _made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The `contracts` table of the contract, in order of time.

    The first contract of each holder comes with the relationship, or in the year before the history; it says
    nothing. From then on every year brings the question anew, also after a year without a contract. Who is lost
    signs nothing.
    """
    accounts, span = scene.accounts, scene.span
    holder = np.flatnonzero(rng.random(len(accounts)) < _shares(scene))
    phase = rng.integers(1, YEAR + 1, len(holder))
    # Of a standing customer the history meets the running contract; older than the relationship it cannot be.
    first = np.maximum(accounts.since_day[holder], -phase)
    account, start = _years(holder, first, scene.span.days)
    signed = opened(span, start)
    opening = start == np.repeat(first, np.unique(account, return_counts=True)[1])
    lost = scene.lost[account, np.clip(signed, 0, span.days - 1)]
    kept = opening | (scene.happens("renewed", account, start, rng) & ~lost)
    account, start, signed = account[kept], start[kept], signed[kept]
    amount = usual_year(accounts)[account] * np.exp(SIZE_SPREAD * rng.standard_normal(len(account)))
    signed_at = moments(span, signed, rng)
    drawn = pd.DataFrame(
        {
            "customer_id": pd.array(accounts.customer_id[account], dtype="str"),
            "signed_at": signed_at,
            "recorded_at": signed_at,
            "starts_at": span.dates(start),
            "ends_at": span.dates(start + YEAR - 1),
            "amount": np.maximum(np.round(amount, -2), 100.0),
        }
    ).sort_values(["signed_at", "customer_id"], kind="stable", ignore_index=True)
    number = pd.Series(np.arange(1, len(drawn) + 1)).astype("str").str.zfill(6)
    drawn.insert(1, "contract_id", ("K" + number).astype("str"))
    return drawn


def _shares(scene: Scene) -> Floats:
    """Chance of each customer to be one with yearly contracts."""
    by_rank = pd.Series(ranks(scene.accounts)).map(HOLDERS).to_numpy(dtype=float)
    industrial = np.array([sector.name == "industrial" for sector in SECTORS])[scene.accounts.sector]
    return np.asarray(by_rank * np.where(industrial, INDUSTRIAL, 1.0))


def _years(holder: Integers, first: Integers, until: int) -> tuple[Integers, Integers]:
    """The first day of every contract year before `until`, in order of holder and time."""
    times = np.maximum(-(-(until - first) // YEAR), 1)
    account = np.repeat(holder, times)
    year = np.arange(len(account)) - np.repeat(np.cumsum(times) - times, times)
    return account, np.repeat(first, times) + YEAR * year


def contracts_observed(scene: Scene, tables: Mapping[str, pd.DataFrame]) -> list[Observations]:
    """Every year of a holder of contracts after the first one: signed, or not known to be `GRACE_DAYS` into it."""
    if "contracts" not in tables or tables["contracts"].empty:
        return []
    span = scene.span
    rows = tables["contracts"].drop_duplicates()
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(rows["customer_id"]))
    facts = pd.DataFrame(
        {
            "account": account,
            "start": span.day(rows["starts_at"].to_numpy()),
            "signed": known_day(span, rows, "signed_at"),
        }
    )
    first = facts.groupby("account")["start"].min()
    holder, start = _years(first.index.to_numpy(), first.to_numpy(), span.days)
    asked = pd.DataFrame({"account": holder, "start": start})
    asked = asked[asked.duplicated("account")].merge(facts, on=["account", "start"], how="left")
    given_up = asked["start"] + GRACE_DAYS
    day = asked["signed"].fillna(given_up).clip(upper=given_up).to_numpy().astype(np.int64)
    known = day < span.days
    value = (asked["signed"] <= given_up).to_numpy().astype(float)
    return [Observations("renewed", asked["account"].to_numpy()[known], day[known], value[known])]
