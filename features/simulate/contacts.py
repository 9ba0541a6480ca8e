"""The `contacts` table of the simulated world: who at each account we deal with, and for how long."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulate.accounts import REGIONS, Accounts
from features.simulate.arrays import Floats, Integers
from features.simulate.names import PEOPLE
from features.simulate.office import opened
from features.simulate.scene import Scene

ROLES = ("technical", "purchasing", "user", "executive")
TECHNICAL, PURCHASING, USER, EXECUTIVE = range(4)
PEOPLE_SHARES = (0.35, 0.40, 0.25)  # accounts with two, three, four people; one of them always buys
LIKING = (6.0, 0.0, 3.0, 2.0)  # odds by role of being among them, beside the buyer
MOVES_PER_YEAR = 0.08  # people other than buyers who move on: nothing follows from it
VACANT_DAYS = (3, 30)  # until somebody new is there
# Departments and titles by script and role.
PLACES = {
    "latin": (
        (("Engineering", "Quality", "Maintenance"), ("Head of Engineering", "Engineer", "Quality Manager")),
        (("Purchasing", "Procurement"), ("Head of Purchasing", "Buyer", "Senior Buyer")),
        (("Production", "Warehouse"), ("Shift Leader", "Warehouse Manager", "Foreman")),
        (("Management",), ("Managing Director", "Chief Operating Officer", "Plant Director")),
    ),
    "japanese": (
        (("技術部", "品質管理部", "保全課"), ("部長", "課長", "主任")),
        (("購買部", "資材部"), ("部長", "課長", "係長")),
        (("製造部", "物流課"), ("課長", "班長", "主任")),
        (("役員室",), ("代表取締役", "取締役", "工場長")),
    ),
    "chinese": (
        (("技术部", "质量部", "设备部"), ("部长", "工程师", "主管")),
        (("采购部", "供应部"), ("采购经理", "采购主管", "采购员")),
        (("生产部", "仓储部"), ("车间主任", "班长", "仓库主管")),
        (("总经办",), ("总经理", "副总经理", "厂长")),
    ),
}


def contacts_table(scene: Scene, _made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The `contacts` table of the contract: one row per person, in order of account, role and time.

    A buyer leaves when the cause `buyer_left` says so; the next one begins days later.
    """
    people = _people(scene, rng)
    account = people["account"].to_numpy()
    begins = scene.span.dates(people["begins"].to_numpy())
    ends = people["ends"].to_numpy()
    number = pd.Series(np.arange(1, len(people) + 1)).astype("str").str.zfill(6)
    customer = pd.array(scene.accounts.customer_id, dtype="str").take(account)
    name, department, title = _described(scene.accounts, account, people["role"].to_numpy(), rng)
    return pd.DataFrame(
        {
            "customer_id": customer,
            "contact_id": "P" + number,
            "name": pd.array(name, dtype="str"),
            "department": pd.array(department, dtype="str"),
            "title": pd.array(title, dtype="str"),
            "role": pd.array(np.array(ROLES, dtype=object)[people["role"]], dtype="str"),
            "valid_from": begins,
            "valid_to": np.where(ends >= 0, scene.span.dates(np.maximum(ends, 0)), np.datetime64("NaT", "us")),
            "recorded_at": begins,
        }
    )


def _people(scene: Scene, rng: np.random.Generator) -> pd.DataFrame:
    """Everybody: `account, role, begins, ends` (last day in the place; -1: stays), a place's people in order."""
    account, role = _places(len(scene.accounts), rng)
    since = scene.accounts.since_day[account]
    # Those met at the start came some time after the relationship began.
    begins = np.where(since < 0, since + np.floor(rng.random(len(since)) * -since).astype(np.int64), since)
    place, day = _departures(scene, role, rng)
    was_there = day > begins[place]
    place, day = place[was_there], day[was_there]
    order = np.lexsort((day, place))
    place, day = place[order], day[order]
    # Nobody new can leave before being there: a departure right after another one is none.
    too_soon = (np.diff(place, prepend=-1) == 0) & (np.diff(day, prepend=0) < 2)
    place, day = place[~too_soon], day[~too_soon]
    following = np.append(np.where(place[1:] == place[:-1], day[1:], scene.span.days * 2), scene.span.days * 2)
    comes = opened(scene.span, day + rng.integers(*VACANT_DAYS, len(day), endpoint=True))
    comes = np.minimum(comes, following[: len(day)] - 1)
    people = pd.DataFrame(
        {
            "place": np.concatenate([np.arange(len(account)), place]),
            "begins": np.concatenate([begins, comes]),
        }
    ).sort_values(["place", "begins"], kind="stable", ignore_index=True)
    people["account"], people["role"] = account[people["place"]], role[people["place"]]
    last = people["place"].to_numpy() != np.append(people["place"].to_numpy()[1:], -1)
    people["ends"] = -1
    people.loc[~last, "ends"] = day
    return people


def _places(count: int, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Account and role of every place that somebody holds, in order of both."""
    people = 2 + np.searchsorted(np.cumsum(PEOPLE_SHARES)[:-1], rng.random(count), side="right")
    with np.errstate(divide="ignore"):
        liking = np.log(np.array(LIKING)) + rng.gumbel(size=(count, len(ROLES)))
    liking[:, PURCHASING] = np.inf
    rank = np.argsort(np.argsort(-liking, axis=1), axis=1)
    account, role = np.nonzero(rank < people[:, None])
    return account, role


def _departures(scene: Scene, role: Integers, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Place and last day of everybody who leaves: buyers by the cause, others by chance."""
    left = scene.causes.of("buyer_left")
    buyers = np.flatnonzero(role == PURCHASING)  # one in every account, in order of account
    others = np.flatnonzero(role != PURCHASING)
    moves = rng.poisson(MOVES_PER_YEAR * scene.span.days / 365.25, len(others))
    chance = np.repeat(others, moves)
    day = rng.integers(0, scene.span.days, len(chance))
    return np.concatenate([buyers[left.account], chance]), np.concatenate([left.day, day])


def _described(
    accounts: Accounts, account: Integers, role: Integers, rng: np.random.Generator
) -> tuple[npt.NDArray[np.object_], ...]:
    """Name, department and title of everybody, in the script of the region."""
    name, department, title = (np.empty(len(account), dtype=object) for _ in range(3))
    draws = rng.random((4, len(account)))
    scripts = np.array([script for _, script, _ in REGIONS], dtype=object)[accounts.region[account]]
    for script, places in PLACES.items():
        mine = np.flatnonzero(scripts == script)
        family, given = (_one_of(words, draw[mine]) for words, draw in zip(PEOPLE[script], draws[:2], strict=True))
        name[mine] = given + " " + family if script == "latin" else family + given
        for number, (departments, titles) in enumerate(places):
            here = mine[role[mine] == number]
            department[here] = _one_of(departments, draws[2, here])
            title[here] = _one_of(titles, draws[3, here])
    return name, department, title


def _one_of(words: tuple[str, ...], draw: Floats) -> npt.NDArray[np.object_]:
    """One word per draw from 0 to 1."""
    return np.array(words, dtype=object)[(draw * len(words)).astype(np.int64)]


def person_on(scene: Scene, contacts: pd.DataFrame, account: Integers, role: Integers, day: Integers) -> Integers:
    """Row in `contacts` of the person who held each role at each account on each day; -1 if nobody did."""
    lap = scene.span.days * 2 + 2
    whose = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(contacts["customer_id"]))
    part = pd.Index(ROLES).get_indexer(pd.Index(contacts["role"]))
    place = whose * len(ROLES) + part
    # Before the history it does not matter when somebody came.
    begins = np.clip(scene.span.day(contacts["valid_from"].to_numpy()), 0, lap - 1)
    order = np.lexsort((begins, place))
    wanted = account * len(ROLES) + role
    found = np.searchsorted((place * lap + begins)[order], wanted * lap + np.clip(day, 0, lap - 1), side="right") - 1
    row = order[np.maximum(found, 0)]
    leaves = contacts["valid_to"].to_numpy()
    still = np.isnat(leaves[row]) | (scene.span.dates(day) <= leaves[row])
    return np.where((found >= 0) & (place[row] == wanted) & still, row, -1)
