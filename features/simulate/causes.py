"""What happens to customers from outside: causes that mostly do nothing and sometimes push.

Each cause leaves its own trace in the tables, whether it pushes or not. For some time it raises the hazard that a
healthy customer begins to cool; if it does, the cause decides which driver the cooling has.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from features.simulate.accounts import INDUSTRIES, REGIONS, Accounts
from features.simulate.arrays import WEEK, Floats, Integers, Span
from features.simulate.presets import Preset
from features.simulate.signals import DRIVERS


@dataclass(frozen=True)
class Cause:
    """A cause: how often it happens and how far it pushes.

    `per_year` counts events per member of `whom`; an event reaches the share `reach` of their customers. For
    `days` the hazard of cooling is raised by `push` times the usual one, all of it towards `driver`.
    """

    name: str
    whom: Literal["account", "owner", "region", "industry"]
    driver: str
    per_year: float
    reach: float
    push: float
    days: int
    trace: str


CAUSES = (
    Cause("seller_left", "owner", "relationship", 0.12, 1.0, 1.5, 120, "the account's owner changes; absences before"),
    Cause("buyer_left", "account", "relationship", 0.15, 1.0, 2.0, 120, "a contact's term ends, another one's begins"),
    Cause("late_deliveries", "account", "service", 0.30, 1.0, 1.5, 90, "most deliveries of two months come late"),
    Cause("open_tickets", "account", "service", 0.15, 1.0, 2.0, 120, "complaints of two months wait for an answer"),
    Cause("price_rise", "industry", "price", 0.60, 0.8, 1.0, 150, "prices are 3 to 9 % higher from then on"),
    Cause("rival_arrives", "region", "competitor", 0.40, 0.9, 0.8, 180, "an act of a competitor is published"),
)
NUMBER = {cause.name: number for number, cause in enumerate(CAUSES)}
SPELL_DAYS = 60  # how long late deliveries and open tickets last


@dataclass(frozen=True)
class Causes:
    """All events, and whom they reached, as parallel arrays in order of time within each cause."""

    event_kind: Integers  # index into CAUSES
    event_group: Integers  # number of the account, owner, region or industry
    event_day: Integers
    kind: Integers
    account: Integers
    day: Integers
    size: Floats  # of a price rise, as a share; 0 for others
    event: Integers  # row number of the event

    def of(self, name: str) -> "Causes":
        """The events of one cause and whom they reached; `event` still counts all events."""
        mine, reached = self.event_kind == NUMBER[name], self.kind == NUMBER[name]
        return Causes(
            self.event_kind[mine], self.event_group[mine], self.event_day[mine],
            self.kind[reached], self.account[reached], self.day[reached], self.size[reached], self.event[reached],
        )  # fmt: skip

    def in_spell(self, name: str, account: Integers, day: Integers) -> npt.NDArray[np.bool_]:
        """Whether each (account, day) lies within `SPELL_DAYS` of an event of the cause."""
        return self.count_before(name, account, day + 1) > self.count_before(name, account, day + 1 - SPELL_DAYS)

    def count_before(self, name: str, account: Integers, day: Integers) -> Integers:
        """How many events of the cause each account had seen before each day."""
        mine = self.of(name)
        lap = max(int(day.max(initial=0)), int(mine.day.max(initial=0))) + 2
        day = np.clip(day, 0, lap - 1)
        keys = np.sort(mine.account * lap + mine.day)
        return np.searchsorted(keys, account * lap + day) - np.searchsorted(keys, account * lap)


def draw_causes(accounts: Accounts, span: Span, rng: np.random.Generator) -> Causes:
    """All causes over the history; how strongly they push is not drawn here, so all presets share them."""
    members = {
        "account": np.arange(len(accounts)),
        "owner": accounts.owner,
        "region": accounts.region,
        "industry": accounts.industry,
    }
    sizes = {"account": len(accounts), "owner": accounts.people, "region": len(REGIONS), "industry": len(INDUSTRIES)}
    events: list[tuple[Integers, ...]] = []
    reached: list[tuple[npt.NDArray[np.generic], ...]] = []
    known = 0
    for kind, cause in enumerate(CAUSES):
        times = rng.poisson(cause.per_year * span.days / 365.25, sizes[cause.whom])
        group = np.repeat(np.arange(len(times)), times)
        day = rng.integers(0, span.days, len(group))
        order = np.lexsort((group, day))
        group, day = group[order], day[order]
        events.append((np.full(len(group), kind), group, day))
        event, account = _reached(group, members[cause.whom], cause.reach, rng)
        size = rng.uniform(0.03, 0.09, len(group)) if cause.name == "price_rise" else np.zeros(len(group))
        reached.append((np.full(len(event), kind), account, day[event], size[event], event + known))
        known += len(group)
    kinds, groups, days = (np.concatenate(part) for part in zip(*events, strict=True))
    return Causes(kinds, groups, days, *(np.concatenate(part) for part in zip(*reached, strict=True)))


def _reached(group: Integers, member: Integers, reach: float, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Pairs (event, account): all members of each event's group, each with the chance `reach`."""
    by_group = np.argsort(member, kind="stable")
    first = np.searchsorted(member[by_group], group)
    count = np.searchsorted(member[by_group], group, side="right") - first
    event = np.repeat(np.arange(len(group)), count)
    place = np.arange(len(event)) - np.repeat(np.cumsum(count) - count, count) + first[event]
    kept = rng.random(len(event)) < reach
    return event[kept], by_group[place[kept]]


def onset(causes: Causes, customers: int, preset: Preset, span: Span) -> npt.NDArray[np.float32]:
    """Hazard of cooling relative to its mean, by driver; shape (customers, weeks, drivers), adding up to 1 on average.

    The mean over all customers and weeks is 1 whatever the causes do, so that they decide who cools and when, and
    not how many do.
    """
    hazard = np.empty((customers, span.weeks, len(DRIVERS)), dtype=np.float32)
    hazard[:] = [driver.share for driver in DRIVERS]
    names = [driver.name for driver in DRIVERS]
    for kind, cause in enumerate(CAUSES):
        mine = causes.kind == kind
        account, first = causes.account[mine], causes.day[mine] // WEEK
        length = -(-cause.days // WEEK)
        pushed = np.zeros((customers, span.weeks + length + 1), dtype=np.float32)
        np.add.at(pushed, (account, first), 1.0)
        np.add.at(pushed, (account, first + length), -1.0)
        # Two events of one cause at a time push no harder than one.
        active = np.minimum(np.cumsum(pushed, axis=1)[:, : span.weeks], 1.0)
        hazard[:, :, names.index(cause.driver)] += np.float32(preset.causes * cause.push) * active
    return hazard / np.float32(hazard.sum(axis=2, dtype=np.float64).mean())
