"""The coupons of the simulated world: given in campaigns, used or not."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from features.simulate.accounts import SECTORS
from features.simulate.arrays import Floats, Integers
from features.simulate.observed import Observations, known_day
from features.simulate.office import listed, moments, opened
from features.simulate.scene import Scene

CAMPAIGNS = {"wholesale": 3.0, "fmcg": 5.0}  # a year; nobody gives coupons to industry
REACH = 0.6  # of the customers on the list, by chance
WORTH = (25.0, 50.0, 100.0, 200.0)  # by campaign, by chance
USED_WITHIN = 50  # days at most, until the next open day
USED_DAYS = 18.0  # mean days until a coupon is used, if it is
VALID_DAYS = 60  # a coupon that is not used by then never is


def promotions_table(scene: Scene, _made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The `promotions` table of the contract, in order of time; a coupon that was not used has no `used_at`.

    A coupon is given to whom the list holds, whatever becomes of the relationship; who is lost uses none.
    """
    accounts, span = scene.accounts, scene.span
    account, day, worth = _campaigns(scene, rng)
    wait = np.minimum(1 + rng.exponential(USED_DAYS, len(day)), USED_WITHIN).astype(np.int64)
    used = opened(span, day + wait)
    lost = scene.lost[account, np.minimum(used, span.days - 1)]
    taken = scene.happens("coupon_used", account, day, rng) & ~lost
    issued_at = span.dates(day) + np.timedelta64(9, "h")
    used_at = moments(span, used, rng)
    return pd.DataFrame(
        {
            "customer_id": pd.array(accounts.customer_id[account], dtype="str"),
            "issued_at": issued_at,
            "recorded_at": issued_at,
            "amount": worth,
            "used_at": np.where(taken, used_at, np.datetime64("NaT", "us")),
        }
    ).sort_values(["issued_at", "customer_id"], kind="stable", ignore_index=True)


def _campaigns(scene: Scene, rng: np.random.Generator) -> tuple[Integers, Integers, Floats]:
    """Customer, day and worth of every coupon; one campaign of a sector at most a day."""
    span = scene.span
    who: list[Integers] = [np.empty(0, dtype=np.int64)]
    when: list[Integers] = [np.empty(0, dtype=np.int64)]
    worth = [np.empty(0)]
    for number, sector in enumerate(SECTORS):
        members = np.flatnonzero(scene.accounts.sector == number)
        times = rng.poisson(CAMPAIGNS.get(sector.name, 0.0) * span.days / 365.25)
        days = np.unique(opened(span, rng.integers(0, span.days, times)))
        values = rng.choice(WORTH, len(days))
        account, day = np.tile(members, len(days)), np.repeat(days, len(members))
        given = (rng.random(len(day)) < REACH) & (day < span.days) & listed(scene, account, day)
        who.append(account[given])
        when.append(day[given])
        worth.append(np.repeat(values, len(members))[given])
    return np.concatenate(who), np.concatenate(when), np.concatenate(worth)


def promotions_observed(scene: Scene, tables: Mapping[str, pd.DataFrame]) -> list[Observations]:
    """Every coupon: a yes on the day on which it was used, a no when it is no longer valid."""
    if "promotions" not in tables:
        return []
    span = scene.span
    rows = tables["promotions"].drop_duplicates()
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(rows["customer_id"]))
    used = rows["used_at"].notna().to_numpy()
    decided_at = rows["used_at"].fillna(rows["issued_at"] + pd.Timedelta(days=VALID_DAYS))
    day = known_day(span, rows, decided_at)
    known = day < span.days
    return [Observations("coupon_used", account[known], day[known], used[known].astype(float))]
