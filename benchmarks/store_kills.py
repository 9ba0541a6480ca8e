"""What the store keeps when its writers are killed: days are published and warnings moved, SIGKILL after SIGKILL.

A life (store_life.py) is lived once without interruption, and the state after each of its moves is kept. Then it is
lived again by children that are killed: at a statement or commit chosen at random, or after a random time. After each
kill the database must be what it was before or after one of the moves, to the last bit; the life goes on from there. At
its end the ledger must verify and the tables must be those that the ledger makes. A careless publisher (a commit for
each batch, no unique keys) is killed beside it, to show that faults would be seen; and several publishers of one day
meet.

Example: python benchmarks/store_kills.py --kills 1000 --database sqlite
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.store_life import Life, Move, fingerprints
from benchmarks.store_naive import run_naive
from benchmarks.store_victims import Databases, databases, killed, wait_for_the_dead
from serving.ledger import verify
from serving.migrations.loop_tables import EPISODE, OUTBOX, TASK
from serving.projection import rebuild
from serving.store import Store

RESULTS = Path(__file__).parent / "results"
#: Share of kills that come after a random time; the others come at a random statement or commit.
BY_TIME = 0.4
#: A kill meets one of so many moves ahead.
AHEAD = 6
RACERS = 3

State = dict[str, str]


@dataclass
class Account:
    """What came of all kills."""

    database: str
    kills: int = 0
    at_statement: int = 0
    after_time: int = 0
    lives: int = 0
    moves: int = 0
    days: int = 0
    warnings: int = 0
    tasks: int = 0
    notices: int = 0
    neither_before_nor_after: int = 0
    lost: int = 0
    doubled: int = 0
    broken_ledgers: int = 0
    rebuilt_otherwise: int = 0
    races: int = 0
    race_faults: int = 0
    seconds: float = 0.0
    naive_kills: int = 0
    naive_half_published: int = 0
    naive_doubled: int = 0
    differing: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """Everything that must be 0."""
        kept = self.neither_before_nor_after + self.lost + self.doubled
        return kept + self.broken_ledgers + self.rebuilt_otherwise + self.race_faults


@dataclass(frozen=True)
class Truth:
    """A life that nobody interrupted: the state before and after each move, its statements and seconds, its keys."""

    states: list[State]
    points: list[int]
    seconds: list[float]
    keys: dict[str, list[Any]]


def lived(store: Store, moves: Sequence[Move]) -> Truth:
    """Live without interruption."""
    passed = 0

    def pass_by(*_: object) -> None:
        nonlocal passed
        passed += 1

    states, points, seconds = [state_of(store)], [], []
    for move in moves:
        passed, began = 0, time.perf_counter()
        sa.event.listen(sa.Engine, "before_cursor_execute", pass_by)
        sa.event.listen(sa.Engine, "commit", pass_by)
        move(store)
        sa.event.remove(sa.Engine, "before_cursor_execute", pass_by)
        sa.event.remove(sa.Engine, "commit", pass_by)
        seconds.append(time.perf_counter() - began)
        points.append(passed)
        states.append(state_of(store))
    return Truth(states, points, seconds, keys_of(store))


def state_of(store: Store) -> State:
    """The state of the database once nobody else is connected."""
    with store:
        with store.reading() as connection:
            wait_for_the_dead(connection)
        with store.reading() as connection:
            return fingerprints(connection)


def keys_of(store: Store) -> dict[str, list[Any]]:
    """Every warning, task and notice by what makes it one."""
    chosen = {
        "warnings": sa.select(EPISODE.c.customer_id, EPISODE.c.opened_on),
        "tasks": sa.select(TASK.c.customer_id, TASK.c.cause, TASK.c.created_on),
        "notices": sa.select(OUTBOX.c.recipient, OUTBOX.c.kind, OUTBOX.c.as_of),
    }
    with store, store.reading() as connection:
        return {name: [tuple(row) for row in connection.execute(select)] for name, select in chosen.items()}


def run_lives(stores: Databases, life: Life, kills: int, account: Account, seed: int) -> None:
    """Kill until so many have died, one life after another."""
    dice = random.Random(seed)
    moves = life.moves()
    with stores.new("truth") as store:
        truth = lived(store, moves)
    if len({json.dumps(state) for state in truth.states}) != len(truth.states):
        raise RuntimeError("two states of the life are the same: a kill between them could not be told")
    while account.kills < kills:
        with stores.new(f"life_{account.lives}") as store:
            place = 0
            while 0 <= place < len(moves) and account.kills < kills:
                place = _one_kill(store, moves, place, truth, dice, account)
            account.lives += 1
            if place < 0:
                continue
            for move in moves[place:]:
                move(store)
            account.moves += len(moves)
            account.days += life.days
            _judge(store, truth, account)


def _one_kill(
    store: Store, moves: Sequence[Move], place: int, truth: Truth, dice: random.Random, account: Account
) -> int:
    """Live on from a place until killed; return the place where the life stands then, -1 where it is none."""

    def work() -> None:
        for move in moves[place:]:
            move(store)

    by_time = dice.random() < BY_TIME
    # A publication has hundreds of points, a person's move a few: each of the next moves is as likely as the others.
    span = min(dice.randint(1, AHEAD), len(moves) - place)
    if by_time:
        died = killed(work, None, dice.uniform(0, 1.5 * sum(truth.seconds[place : place + span])))
    else:
        before = sum(truth.points[place : place + span - 1])
        died = killed(work, before + dice.randrange(truth.points[place + span - 1] + 1), None)
    if died:
        account.kills += 1
        account.after_time += by_time
        account.at_statement += not by_time
    state = state_of(store)
    if state in truth.states[place:]:
        return truth.states.index(state)
    account.neither_before_nor_after += 1
    nearest = truth.states[place]
    account.differing.append(" ".join(name for name in state if state[name] != nearest[name]))
    return -1


def _judge(store: Store, truth: Truth, account: Account) -> None:
    """The end of a life: nothing lost, nothing doubled, a whole ledger, tables that it makes."""
    found = keys_of(store)
    for name, rows in found.items():
        setattr(account, name, getattr(account, name) + len(rows))
        account.lost += len(set(truth.keys[name]) - set(rows))
        account.doubled += len(rows) - len(set(rows))
    with store:
        with store.reading() as connection:
            account.broken_ledgers += not verify(connection).whole
            before = fingerprints(connection)
        with store.writing() as connection:
            rebuild(connection)
            account.rebuilt_otherwise += fingerprints(connection) != before


def race(stores: Databases, life: Life, account: Account) -> None:
    """Publish each day from several processes at once: it must be as if one had."""
    moves = [life.published(number) for number in range(life.days)]
    with stores.new("race_truth") as store:
        truth = lived(store, moves)
    with stores.new("race") as store:
        for move, state in zip(moves, truth.states[1:], strict=True):
            gate, opened = os.pipe()
            children = []
            for _ in range(RACERS):
                child = os.fork()
                if child == 0:
                    status = 1
                    try:
                        os.close(opened)
                        os.read(gate, 1)  # ends when the gate is opened, for all at once
                        move(store)
                        status = 0
                    finally:
                        os._exit(status)
                children.append(child)
            os.close(gate)
            os.close(opened)
            failed = [child for child in children if os.waitpid(child, 0)[1] != 0]
            account.races += 1
            account.race_faults += bool(failed) or state_of(store) != state


def measure(of: str, kills: int, naive_kills: int, life: Life, seed: int = 7) -> Account:
    """Everything on one engine."""
    account = Account("sqlite" if of.startswith("sqlite") else "postgresql")
    began = time.perf_counter()
    with databases(of) as stores:
        run_lives(stores, life, kills, account, seed)
        account.seconds = time.perf_counter() - began
        race(stores, life, account)
        careless = run_naive(stores, life, naive_kills, seed)
    account.naive_kills, account.naive_half_published = careless.kills, careless.half_published
    account.naive_doubled = careless.doubled
    return account


#: Figures of the page and what they are.
FIGURES = {
    "kills": "children killed with SIGKILL",
    "at_statement": "... at a statement or commit chosen at random",
    "after_time": "... after a random time",
    "lives": "whole lives lived through",
    "moves": "moves (publications, acts of people, notices sent)",
    "warnings": "warnings at the ends of the lives",
    "tasks": "tasks at the ends of the lives",
    "notices": "notices at the ends of the lives",
    "neither_before_nor_after": "**states that were neither before nor after a move**",
    "lost": "**warnings, tasks and notices lost**",
    "doubled": "**warnings, tasks and notices doubled**",
    "broken_ledgers": "**ledgers that do not verify**",
    "rebuilt_otherwise": "**tables that are not what the ledger makes**",
    "races": f"days published by {RACERS} processes at once",
    "race_faults": "**... that were not as if one had**",
    "naive_kills": "control: kills of a careless publisher",
    "naive_half_published": "control: half-published days seen",
    "naive_doubled": "control: warnings and tasks doubled",
}


def page(accounts: Sequence[Account], life: Life) -> str:
    """The figures as a page."""
    rows = [asdict(account) for account in accounts]
    lines = [
        "# Killed while writing",
        "",
        f"`python benchmarks/store_kills.py`: days of {life.customers} customers are published, with warnings, tasks "
        "and notices; people take warnings and end tasks, notices are sent, days are replaced. After each kill the "
        "database is compared, row by row, with a life that nobody interrupted.",
        "",
        "| | " + " | ".join(account.database for account in accounts) + " |",
        "|---|" + "---:|" * len(accounts),
        *(f"| {said} | " + " | ".join(f"{row[name]:,}" for row in rows) + " |" for name, said in FIGURES.items()),
        "| milliseconds per kill, the comparison included | "
        + " | ".join(f"{1000 * account.seconds / max(account.kills, 1):.0f}" for account in accounts)
        + " |",
        "",
    ]
    for account in accounts:
        if account.faults == 0:
            lines.append(
                f"No fault in {account.kills:,} kills on {account.database}: by the rule of three, fewer than "
                f"{3 / account.kills:.2%} of kills leave one, at 95 % confidence."
            )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the page beside the accounts of other engines, print the account."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql, or a server's URL with {}")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--naive-kills", type=int, default=60)
    parser.add_argument("--customers", type=int, default=200)
    parser.add_argument("--days", type=int, default=6)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, help=f"folder of the page; {RESULTS} unless told")
    given = parser.parse_args(arguments)
    life = Life(given.customers, given.days)
    account = measure(given.database, given.kills, given.naive_kills, life, given.seed)
    out = given.out or RESULTS
    kept = out / "store_kills.json"
    told = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    told[account.database] = asdict(account)
    kept.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    accounts = [Account(**told[name]) for name in ("sqlite", "postgresql") if name in told]
    (out / "store_kills.md").write_text(page(accounts, life), encoding="utf-8")
    print(json.dumps(asdict(account)))
    return 1 if account.faults or not account.naive_doubled else 0


if __name__ == "__main__":
    sys.exit(main())
