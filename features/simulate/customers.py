"""The `customers` table of the simulated world."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulate.accounts import INDUSTRIES, REGIONS, SECTORS, Accounts
from features.simulate.arrays import Integers
from features.simulate.names import company_names, sales_names
from features.simulate.scene import Scene


def customers_table(scene: Scene, _made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The `customers` table of the contract, as it stands at the extract."""
    accounts = scene.accounts
    names = np.empty(len(accounts), dtype=object)
    for number, (_, script, _) in enumerate(REGIONS):
        here = np.flatnonzero(accounts.region == number)
        names[here] = company_names(script, len(here), rng)
    owner = owner_on(scene, np.arange(len(accounts)), np.full(len(accounts), scene.span.days))
    return pd.DataFrame(
        {
            "customer_id": accounts.customer_id,
            "name": names,
            "industry": np.array([industry.name for industry in INDUSTRIES], dtype=object)[accounts.industry],
            "sector": np.array([sector.name for sector in SECTORS], dtype=object)[accounts.sector],
            "region": np.array([name for name, _, _ in REGIONS], dtype=object)[accounts.region],
            "owner": owner_names(scene, owner),
            "rank": ranks(accounts),
            "order_pattern": _patterns(accounts, rng),
            "since": scene.span.dates(accounts.since_day),
        }
    )


def owner_on(scene: Scene, account: Integers, day: Integers) -> Integers:
    """Number of the sales person who owned each account on each day: who leaves is followed by somebody new."""
    left = scene.causes.count_before("seller_left", account, day + 1)
    return scene.accounts.owner[account] + scene.accounts.people * left


def owner_names(scene: Scene, owner: Integers) -> npt.NDArray[np.object_]:
    """Names of sales people by number, in the script of their region."""
    accounts = scene.accounts
    region_of = np.zeros(accounts.people, dtype=np.int64)
    region_of[accounts.owner] = accounts.region
    place, known = owner % accounts.people, owner // accounts.people
    names = np.empty(len(owner), dtype=object)
    for number, (_, script, _) in enumerate(REGIONS):
        here = np.flatnonzero(region_of[place] == number)
        # Two regions share a script: even numbers in one and odd ones in the other, so nobody sells in both.
        names[here] = sales_names(script, 2 * (place[here] + accounts.people * known[here]) + number % 2)
    return names


def ranks(accounts: Accounts) -> npt.NDArray[np.object_]:
    """A for the tenth with the highest usual sales, then B, C and D."""
    usual = accounts.usual
    sales = usual["orders"] + np.log1p(np.exp(usual["extra_lines"])) + usual["line_amount"]
    place = np.argsort(np.argsort(-sales)) / len(accounts)
    letter = np.searchsorted([0.1, 0.3, 0.65], place, side="right")
    return np.array(["A", "B", "C", "D"], dtype=object)[letter]


def _patterns(accounts: Accounts, rng: np.random.Generator) -> npt.NDArray[np.object_]:
    """The rhythm on file: the nearest one for regular customers; one file in ten is out of date."""
    words = np.array(["weekly", "semimonthly", "monthly", "irregular"], dtype=object)
    nearest = np.searchsorted([10, 21, 45], 365.25 / accounts.orders_per_year)
    irregular = accounts.project | (accounts.regularity == 1)
    code = np.where(irregular, 3, nearest)
    outdated = rng.random(len(accounts)) < 0.1
    return words[np.where(outdated, rng.integers(0, len(words), len(accounts)), code)]
