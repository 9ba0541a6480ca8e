"""The `customers` table of the simulated world."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulate.accounts import INDUSTRIES, REGIONS, SECTORS, Accounts
from features.simulate.arrays import Floats, Integers
from features.simulate.names import company_names, sales_names
from features.simulate.scene import Scene

CHILDREN = 0.03  # customers that belong to another one
PLACES = {  # by region: its province, three of its cities
    "Kanto": ("関東", ("東京", "横浜", "さいたま")),
    "Kansai": ("関西", ("大阪", "京都", "神戸")),
    "Jiangsu": ("江苏", ("南京", "苏州", "无锡")),
    "Guangdong": ("广东", ("广州", "深圳", "东莞")),
    "Bavaria": ("Bayern", ("München", "Nürnberg", "Augsburg")),
    "Lombardy": ("Lombardia", ("Milano", "Bergamo", "Brescia")),
}


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
            **_file(scene, rng),
        }
    )


def _file(scene: Scene, rng: np.random.Generator) -> dict[str, npt.ArrayLike]:
    """The other columns of the file: by chance, by the region or by the usual sales; they foretell nothing."""
    accounts = scene.accounts
    count = len(accounts)
    place = rng.integers(0, 3, count)
    provinces, cities = (np.array([PLACES[name][part] for name, _, _ in REGIONS], dtype=object) for part in (0, 1))
    managers = owner_names(scene, np.array([_first_owner(accounts, number) for number in range(len(REGIONS))]))
    months = np.array([str(month) for month in range(1, 13)] + ["3,9", "4,10", "6,12", None], dtype=object)
    rivals = np.zeros(count, dtype=bool)
    rivals[scene.causes.of("rival_arrives").account] = True
    seen = rng.random(count)
    credit = 1000 * np.ceil(np.exp(yearly_sales(accounts) + 0.4 * rng.standard_normal(count)) / 5000)
    return {
        "province": provinces[accounts.region],
        "city": cities[accounts.region, place],
        "type": np.array(["dealer", "end user", "maker"], dtype=object)[rng.integers(0, 3, count)],
        "source": np.array(["fair", "referral", "website", "cold call"], dtype=object)[rng.integers(0, 4, count)],
        "manager": managers[accounts.region],
        "credit_limit": credit,
        "growth": np.array(["expanding", "flat", "shrinking"], dtype=object)[rng.choice(3, count, p=[0.3, 0.5, 0.2])],
        # Sales have heard of most competitors who came, and believe in some who did not.
        "competitor_present": np.where(rivals, seen < 0.6, seen < 0.15),
        "budget_months": months[np.where(rng.random(count) < 0.6, rng.integers(0, len(months) - 1, count), -1)],
        "parent_id": _parents(accounts, rng),
    }


def _first_owner(accounts: Accounts, region: int) -> int:
    """The number of the first sales person of a region; of all where it has no customer."""
    here = accounts.owner[accounts.region == region]
    return int(here.min()) if len(here) else 0


def _parents(accounts: Accounts, rng: np.random.Generator) -> npt.NDArray[np.object_]:
    """Few accounts belong to a larger one of their region, which belongs to nobody."""
    parents = np.full(len(accounts), None, dtype=object)
    child = rng.random(len(accounts)) < CHILDREN
    for region in range(len(REGIONS)):
        here = accounts.region == region
        heads = np.flatnonzero(here & ~child)
        if len(heads):
            mine = np.flatnonzero(here & child)
            parents[mine] = accounts.customer_id[heads[rng.integers(0, len(heads), len(mine))]]
    return parents


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


def yearly_sales(accounts: Accounts) -> Floats:
    """Log of each customer's usual sales in a year."""
    usual = accounts.usual
    return usual["orders"] + np.log1p(np.exp(usual["extra_lines"])) + usual["line_amount"]


def ranks(accounts: Accounts) -> npt.NDArray[np.object_]:
    """A for the tenth with the highest usual sales, then B, C and D."""
    place = np.argsort(np.argsort(-yearly_sales(accounts))) / len(accounts)
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
