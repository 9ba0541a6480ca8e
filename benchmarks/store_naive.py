"""A careless publisher, killed as the store is: the control that shows that the harness sees faults."""

import random
from dataclasses import dataclass

import sqlalchemy as sa

from benchmarks.store_life import Life, day
from benchmarks.store_victims import Databases, killed, wait_for_the_dead
from serving.migrations.connection import engine_of

NAIVE_TABLES = ("naive_score", "naive_warning", "naive_task")
_BATCH = 20


@dataclass
class Careless:
    """What came of the kills of the careless publisher."""

    kills: int = 0
    half_published: int = 0
    doubled: int = 0


def run_naive(stores: Databases, life: Life, kills: int, seed: int) -> Careless:
    """Kill a careless publisher: a commit for each batch, no unique keys, no staging."""
    dice, account = random.Random(seed), Careless()
    with stores.new("naive") as store:
        engine = engine_of(store._engine.url).execution_options(writing=True)
        with engine.begin() as connection:
            for table in (*NAIVE_TABLES, "naive_day"):
                connection.exec_driver_sql(f"CREATE TABLE {table} (as_of TEXT, customer_id TEXT)")
        engine.dispose()
        number = 0
        while account.kills < kills:
            points = 2 * (len(NAIVE_TABLES) * life.customers // _BATCH + 1)
            died = killed(lambda: _careless(engine, life, number), dice.randrange(points + 2), None)  # noqa: B023
            account.kills += died
            account.half_published += _half(engine, number)
            if not died or _done(engine, number):
                number += 1
        with engine.begin() as connection:
            for table in NAIVE_TABLES[1:]:
                counted = f"SELECT count(*) - count(DISTINCT as_of || customer_id) FROM {table}"
                account.doubled += connection.exec_driver_sql(counted).scalar_one()
        engine.dispose()
    return account


def _careless(engine: sa.Engine, life: Life, number: int) -> None:
    names = [f"c{one:04}" for one in range(life.customers)]
    for table in NAIVE_TABLES:
        for start in range(0, len(names), _BATCH):
            with engine.begin() as connection:
                rows = ", ".join(f"('{day(number)}', '{name}')" for name in names[start : start + _BATCH])
                connection.exec_driver_sql(f"INSERT INTO {table} VALUES {rows}")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO naive_day VALUES ('{day(number)}', '')")


def _done(engine: sa.Engine, number: int) -> bool:
    return _rows(engine, "naive_day", number) > 0


def _half(engine: sa.Engine, number: int) -> bool:
    return _rows(engine, "naive_score", number) > 0 and not _done(engine, number)


def _rows(engine: sa.Engine, table: str, number: int) -> int:
    with engine.begin() as connection:
        wait_for_the_dead(connection)
        counted = f"SELECT count(*) FROM {table} WHERE as_of = '{day(number)}'"
        found = int(connection.exec_driver_sql(counted).scalar_one())
    engine.dispose()
    return found
