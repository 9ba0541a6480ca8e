"""What a company's tables leave blank, and the features that are off for it: findings that stop nothing.

A row without an owner or a role, or with a person who is not on file, is no mistake: it is taken in and used. But
somebody should know.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from features import registry
from features.buckets import Events
from features.building import Present
from features.contract import CONTRACT, KNOWN_AT
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.registry import Feature

#: Columns whose blanks are told, and what a row without a value is called.
_TOLD = {
    ("customers", "name"): "no name",
    ("customers", "industry"): "no industry",
    ("customers", "region"): "no region",
    ("customers", "owner"): "no owner",
    ("contacts", "name"): "no name",
    ("contacts", "role"): "no role",
    ("interactions", "channel"): "no channel",
    ("interactions", "contact_id"): "contact not on file",
    ("finances", "due_at"): "no due date",
    ("partnerships", "kind"): "no kind",
}
SHOWN = 5
#: A person who is named and not on file is as unknown as one who is not named, which is no matter of its own.
_NOT_ON_FILE = """contact_id IS NOT NULL
    AND (customer_id, contact_id) NOT IN (SELECT (customer_id, contact_id) FROM contacts)"""


@dataclass(frozen=True)
class Blank:
    """Rows of a table that leave a column blank.

    Attributes
    ----------
    words
        What they are called: ``no owner``.
    rows, of
        How many they are, of how many; a restated row counts in its newest version.
    first
        The first of their keys.
    """

    table: str
    column: str
    words: str
    rows: int
    of: int
    first: tuple[str, ...]


def blanks(events: Events, *, engine: Engine = ONE_BY_ONE) -> tuple[Blank, ...]:
    """Rows of the clean events that leave a column blank which they should fill, or that name nobody on file."""
    told = _told(events.columns)
    parts = map_buckets(_blanks, events, engine, "blanks")
    found = []
    for number, (table, column) in enumerate(told):
        here = [part[number] for part in parts]
        rows, of = sum(blank for blank, _, _ in here), sum(every for _, every, _ in here)
        if rows:
            first = sorted(key for _, _, keys in here for key in keys)[:SHOWN]
            found.append(Blank(table, column, _TOLD[table, column], rows, of, tuple(first)))
    return tuple(found)


def _told(present: Present) -> list[tuple[str, str]]:
    """What can be told of these tables: people who are not on file only where there is a file of people."""
    of_people = "contacts" in present and "contact_id" in present.get("interactions", ())
    return [one for one in _TOLD if one[0] in present and (of_people or one != ("interactions", "contact_id"))]


def _blanks(events: Events, bucket: int) -> list[tuple[int, int, list[str]]]:
    """Blank rows, all rows and the first keys of the blank ones, of each told column of a bucket."""
    found = []
    with events.connect(bucket) as con:
        for name, column in _told(events.columns):
            table = CONTRACT[name]
            key = next(part for part in ("contact_id", *table.key) if part in table.key)
            newest = f"QUALIFY row_number() OVER (PARTITION BY {', '.join(table.key)} ORDER BY {KNOWN_AT} DESC) = 1"
            blank = f"nullif(trim(CAST({column} AS VARCHAR)), '') IS NULL"
            blank = _NOT_ON_FILE if column == "contact_id" else blank
            [(rows, of, first)] = con.execute(
                f"SELECT count(*) FILTER ({blank}), count(*), coalesce(min({key}, {SHOWN}) FILTER ({blank}), []) "
                f"FROM (SELECT * FROM {name} {newest})"
            ).fetchall()
            found.append((rows, of, first))
    return found


def features_off(present: Present) -> pd.DataFrame:
    """Features that are absent, or unknown throughout, because the source lacks a table or a column.

    Returns
    -------
    DataFrame
        ``feature`` and ``missing`` (a table, or a column as ``table.column``), in the order of the registry.
    """
    off = [(one.name, next(_missing(one, present), "")) for one in registry.registered()]
    return pd.DataFrame([row for row in off if row[1]], columns=["feature", "missing"], dtype="str")


def _missing(one: Feature, present: Present) -> Iterator[str]:
    """What the source lacks for a feature, tables first."""
    yield from (table for table in one.sources if table not in present and table in CONTRACT)
    for need in one.needs:
        table, _, column = need.partition(".")
        if column not in present.get(table, ()):
            yield need
    for name in registry.dependencies(one):
        if name not in one.optional:
            yield from _missing(registry.REGISTRY[name], present)
