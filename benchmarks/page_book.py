"""A large company's published day, for measuring pages: the day of a demo company, tiled.

`kizashi demo --out DIR` scores a few hundred customers. The book is a copy of that folder with another database: the
same day as often as it takes for so many customers, under new ids and owners, published and entered in the ledger by
the calls of the product. The first tile keeps its ids, so that what is told of the company as a whole and what lies in
the events names customers who are there. People's own entries (updates, hand-overs) come on top.

Example: python benchmarks/page_book.py --demo var/demo --out var/page-book
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from features.contract import RISKS, TEMPERATURES
from serving import loop
from serving.day_records import HEALTH_COLUMNS, PROFILE_COLUMNS, SIGNAL_COLUMNS, DayFrames
from serving.ledger import SYSTEM, Event, append
from serving.records import REASON_COLUMNS, SCORE_COLUMNS, ScoringRun
from serving.store import Store

CUSTOMERS, WARNINGS, OWNERS = 50_000, 2_000, 40
UPDATES, HAND_OVERS = 1_000, 40
DATABASE = "kizashi.db"
#: Events of one transaction.
BATCH = 1_000
_BRIEF = dict.fromkeys(loop.BRIEF)


@dataclass(frozen=True)
class Size:
    """How large a book is: customers, open warnings with their tasks, owners, and what people entered."""

    customers: int = CUSTOMERS
    warnings: int = WARNINGS
    owners: int = OWNERS
    updates: int = UPDATES
    hand_overs: int = HAND_OVERS


@dataclass(frozen=True)
class Demo:
    """What a demo company published on its newest day, and the warnings and tasks that are open."""

    run: ScoringRun
    at: datetime
    scores: pd.DataFrame
    reasons: pd.DataFrame
    profiles: pd.DataFrame
    health: pd.DataFrame
    signals: pd.DataFrame
    reports: dict[str, Any]
    opened: list[Event] = field(default_factory=list)

    @classmethod
    def of(cls, store: Store) -> "Demo":
        """Read it."""
        as_of = store.latest_as_of()
        published = None if as_of is None else store.published(as_of)
        if as_of is None or published is None or published.published_at is None:
            raise SystemExit("Nothing is published there: run `kizashi demo --out DIR` first.")
        profiles = store.profiles(as_of)
        return cls(
            published.run,
            published.published_at,
            store.scores(as_of)[list(SCORE_COLUMNS)],
            store.reasons(as_of)[list(REASON_COLUMNS)],
            profiles[list(PROFILE_COLUMNS)],
            store.health(as_of=as_of)[list(HEALTH_COLUMNS)],
            store.signals(as_of)[list(SIGNAL_COLUMNS)],
            store.reports(as_of),
            [one.event for one in store.history(kinds=["episode_opened", "task_created"])],
        )


@dataclass(frozen=True)
class Tiling:
    """New ids and owners for one tile of a book."""

    demo: Demo
    size: Size

    @property
    def tiles(self) -> int:
        """How many tiles make the book."""
        return -(-self.size.customers // len(self.demo.scores))

    def customer(self, customer_id: str, tile: int) -> str:
        """The id of a customer in a tile; the first tile keeps its own."""
        return f"{customer_id}-{tile:03d}" if tile else customer_id

    def owner(self, owner: Any, tile: int) -> Any:
        """The owner of a customer in a tile, so that there are as many as wanted."""
        names = sorted(set(self.demo.profiles["owner"].dropna()))
        group = tile % max(1, self.size.owners // len(names))
        return f"{owner} {group + 1}" if group and isinstance(owner, str) else owner

    def frames(self, frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """A frame of the day, tile by tile; the last tile is cut to size."""
        for tile in range(self.tiles):
            left = self.size.customers - tile * len(self.demo.scores)
            rows = frame[frame["customer_id"].isin(self.demo.scores["customer_id"].head(left))]
            rows = rows.assign(customer_id=[self.customer(one, tile) for one in rows["customer_id"]])
            yield rows if "owner" not in rows else rows.assign(owner=[self.owner(one, tile) for one in rows["owner"]])

    def opened(self) -> Iterator[Event]:
        """The warnings of the book with their tasks, tile after tile."""
        warnings = 0
        for tile in range(self.tiles):
            left = self.size.customers - tile * len(self.demo.scores)
            there = set(self.demo.scores["customer_id"].head(left))
            for event in self.demo.opened:
                if event.customer_id not in there:
                    continue
                warnings += event.kind == "episode_opened"
                if warnings > self.size.warnings:
                    return
                yield self.moved(event, tile)

    def moved(self, event: Event, tile: int) -> Event:
        """An event of the demo as it happens in a tile."""

        def named(value: str | None) -> str | None:
            return None if value is None else f"{value}-{tile:03d}" if tile else value

        payload = dict(event.payload)
        payload |= {"owner": self.owner(payload.get("owner"), tile)}
        if payload.get("case_id") is not None:
            payload |= {"case_id": named(payload["case_id"])}
        customer = None if event.customer_id is None else self.customer(event.customer_id, tile)
        return Event(event.kind, SYSTEM, event.at, payload, customer, named(event.episode_id), named(event.task_id))


def make(demo: Path, out: Path, size: Size, told: Callable[[str], object] = print) -> Path:
    """Make a book in a folder that is not there yet; return the folder."""
    if out.exists():
        raise SystemExit(f"{out} is there already. Remove it, or give another --out.")
    staged = out.with_name(f"{out.name}.part")
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(demo, staged, ignore=shutil.ignore_patterns("prefect", f"{DATABASE}*"))
    with Store.open(f"sqlite:///{demo / DATABASE}", create=False) as store:
        tiling = Tiling(Demo.of(store), size)
    with Store.open(f"sqlite:///{staged / DATABASE}") as store:
        fill(store, tiling, told)
    staged.rename(out)
    return out


def fill(store: Store, tiling: Tiling, told: Callable[[str], object] = print) -> None:
    """Publish the day of a book, open its warnings, and enter what people do."""
    demo, size = tiling.demo, tiling.size
    frames = (demo.scores, demo.reasons, demo.profiles, demo.health, demo.signals)
    scores, reasons, profiles, health, signals = map(tiling.frames, frames)
    day = DayFrames(profiles, health, signals, demo.reports)
    published = store.publish(demo.run, scores, reasons, day=day, clock=lambda: demo.at)
    told(f"published {published.customers:,} customers, {published.reasons:,} reasons")
    events = tiling.opened()
    written = 0
    while batch := list(islice(events, BATCH)):
        with store.writing() as connection:
            append(connection, batch)
        written += len(batch)
    told(f"opened {store.episodes(is_open=True, limit=0).total:,} warnings and their tasks: {written:,} events")
    _entered(store, tiling)
    told(f"entered {size.updates:,} updates and {size.hand_overs:,} hand-overs")


def _entered(store: Store, tiling: Tiling) -> None:
    """What people enter: updates of customers all over the book, and hand-overs of some."""
    demo, size = tiling.demo, tiling.size
    profiles = pd.concat(list(tiling.frames(demo.profiles[["customer_id", "owner"]])), ignore_index=True)
    owners = sorted(set(profiles["owner"].dropna()))
    at, today = demo.at + timedelta(minutes=1), demo.run.as_of
    step = max(1, len(profiles) // max(1, size.updates))
    with store.writing() as connection:
        for number, customer in enumerate(profiles["customer_id"].iloc[::step].head(size.updates)):
            loop.update_account(
                connection,
                customer,
                temperature=TEMPERATURES[number % len(TEMPERATURES)],
                risk=RISKS[number % len(RISKS)],
                actor=owners[number % len(owners)],
                at=at,
                today=today,
                contacted_on=today - timedelta(days=number % 20),
                next_action_on=today + timedelta(days=number % 9) if number % 3 == 0 else None,
            )
        held = profiles[profiles["owner"].notna()].iloc[7 :: max(1, len(profiles) // max(1, size.hand_overs))]
        for customer, owner in held.head(size.hand_overs).itertuples(index=False):
            to = owners[(owners.index(owner) + 1) % len(owners)]
            loop.hand_over(
                connection, customer, from_owner=owner, to_owner=to, on=today, brief=_BRIEF, actor=owner, at=at
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a book."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, required=True, help="a folder of `kizashi demo`")
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    for name, value in vars(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value, help=f"default {value:,}")
    given = parser.parse_args(arguments)
    size = Size(**{name: getattr(given, name) for name in vars(Size())})
    make(given.demo, given.out, size)


if __name__ == "__main__":
    main(sys.argv[1:])
