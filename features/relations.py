"""Relations: what an expression of a feature aggregates, one per idea, declared beside the features that read it.

A relation is SQL with the columns ``as_of`` and ``customer_id`` and whatever its features need; a feature's value is
its expression over the rows of one customer at one cutoff. It is written over :func:`features.cutoffs.past`, which
shows each cutoff only what was known before it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import duckdb

from features.options import Value


@dataclass(frozen=True)
class Relation:
    """One relation.

    Attributes
    ----------
    name
        What a feature names with its `over`.
    tables
        Tables of the contract without which it is empty; the first one is the source of its features.
    sql
        A query.
    """

    name: str
    tables: tuple[str, ...]
    sql: str

    @property
    def source(self) -> str:
        """The table that its features come from."""
        return self.tables[0]


RELATIONS: dict[str, Relation] = {}


def relation(name: str, tables: tuple[str, ...], sql: str) -> None:
    """Declare a relation.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    if name in RELATIONS:
        raise ValueError(f"relation {name} is declared twice")
    RELATIONS[name] = Relation(name, tables, sql)


Preparation = Callable[[duckdb.DuckDBPyConnection, Mapping[str, Value]], None]

#: Temporary tables that relations may read beside those of :mod:`features.cutoffs`, each with what makes it.
PREPARATIONS: dict[str, Preparation] = {}


def preparation(table: str) -> Callable[[Preparation], Preparation]:
    """Register a function that makes a temporary table which SQL alone cannot.

    It runs in each bucket in which a relation that names the table is read, after time is laid out and the cutoffs are
    named, with the bucket's connection and the values of all options.

    Raises
    ------
    ValueError
        If the name is taken.
    """

    def register(prepare: Preparation) -> Preparation:
        if table in PREPARATIONS:
            raise ValueError(f"table {table} is prepared twice")
        PREPARATIONS[table] = prepare
        return prepare

    return register
