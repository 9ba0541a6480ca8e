"""The `customers` table of the simulated world."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulate.accounts import INDUSTRIES, REGIONS, Accounts
from features.simulate.names import company_names, sales_names
from features.simulate.stages import Scene

CUSTOMERS_PER_OWNER = 40  # a usual portfolio of a sales person


def customers_table(scene: Scene, rng: np.random.Generator) -> pd.DataFrame:
    """The `customers` table of the contract: a file that never changes, and foretells nothing."""
    accounts = scene.accounts
    names = np.empty(len(accounts), dtype=object)
    owners = np.empty(len(accounts), dtype=object)
    for number, (_, script, _) in enumerate(REGIONS):
        here = np.flatnonzero(accounts.region == number)
        people = max(1, round(len(here) / CUSTOMERS_PER_OWNER))
        names[here] = company_names(script, len(here), rng)
        # Two regions share a script: even numbers in one and odd ones in the other, so nobody sells in both.
        owners[here] = sales_names(script, 2 * rng.integers(0, people, len(here)) + number % 2)
    return pd.DataFrame(
        {
            "customer_id": accounts.customer_id,
            "name": names,
            "industry": np.array([industry.name for industry in INDUSTRIES], dtype=object)[accounts.industry],
            "region": np.array([name for name, _, _ in REGIONS], dtype=object)[accounts.region],
            "owner": owners,
            "rank": _ranks(accounts),
            "order_pattern": _patterns(accounts, rng),
            "since": scene.span.dates(accounts.since_day),
        }
    )


def _ranks(accounts: Accounts) -> npt.NDArray[np.object_]:
    """A for the tenth with the highest usual sales, then B, C and D."""
    sales = accounts.orders_per_year * (1 + accounts.extra_lines) * accounts.line_amount
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
