"""Plain facts about each customer from every table of the contract, by one recipe, and how well a single one foretells.

Used by simulator_gates.py, which is the command: what a beginner would count first must not give a loss away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from features import cutoffs
from features.buckets import Events
from features.contract import CONTRACT, KNOWN_AT, RECORDED_AT, Column, Table
from features.engines import map_buckets
from features.simulate.recording import BEFORE
from features.sql import name_sql, text_sql
from models.figures import FloatArray

WINDOWS = (30, 90, 180, 365)
RECENT, USUAL = 180, 365  # days of a mean, and of the time before them that it is compared with
PACE, PSEUDO = 90, 0.5  # days of a number of rows that is compared with the `USUAL` days before; keeps ratios finite
#: A mean is exact in this type, so that its last digit does not depend on the order of the rows.
_EXACT = "DECIMAL(18, 6)"
Fact = tuple[str, str]


def plain_facts(events: Events, as_ofs: Sequence[date]) -> pd.DataFrame:
    """One row per customer with a row anywhere, and cutoff: `customer_id, as_of`, and a float64 column per fact.

    Of each table: the number of rows in `WINDOWS`, the days since the last one, the pace against the year before; of
    each number and answer its mean over `RECENT` days and the change against the `USUAL` days before them; of each
    value of an enumeration its share likewise, and its rows; of each date how far it lies from the row's own. A row
    counts from when it had happened and was recorded, a later fact from its own time. Missing where there is none.
    """

    def of_bucket(source: Events, bucket: int) -> pd.DataFrame:
        with source.connect(bucket) as con:
            cutoffs.set_cutoffs(con, as_ofs)
            frame = con.execute(
                "SELECT DISTINCT customer_id, as_of FROM transactions, cutoffs ORDER BY as_of, customer_id"
            ).df()
            for name in source.columns:
                if name != "transactions":
                    frame = frame.merge(_of_table(con, CONTRACT[name]), on=["customer_id", "as_of"], how="left")
            return frame

    frame = pd.concat(map_buckets(of_bucket, events), ignore_index=True)
    counted = [name for name in map(str, frame.columns) if " rows " in name]
    return frame.fillna(dict.fromkeys(counted, 0.0)).astype({"customer_id": "str", "as_of": "datetime64[us]"})


def _of_table(con: duckdb.DuckDBPyConnection, table: Table) -> pd.DataFrame:
    facts = ", ".join(f"CAST({sql} AS DOUBLE) AS {name_sql(f'{table.name}: {name}')}" for name, sql in _facts(table))
    return con.execute(f"SELECT customer_id, as_of, {facts} FROM ({_seen(table)}) GROUP BY customer_id, as_of").df()


def _seen(table: Table) -> str:
    """SQL of the rows that each cutoff sees, later facts as they were known then, with `own` and `days_ago`."""
    link = "customer_id"
    if not table.of_customer:  # of the customer's sales person, or of its region
        accounts = {column.name for column in CONTRACT["customers"].columns}
        link = next(column.name for column in table.columns if column.name in accounts)
    columns = ", ".join(f"{_known(table, column)} AS {name_sql(column.name)}" for column in _told(table))
    own = f"e.{table.time}" if table.time else "NULL::TIMESTAMP"
    past = f"{own} < c.as_of AND e.{KNOWN_AT} < c.as_of" if table.time else "true"
    rows = f"{table.name} e" if table.of_customer else f"{table.name} e JOIN customers k USING ({link})"
    who = "e.customer_id" if table.of_customer else "k.customer_id"
    return (
        f"SELECT {who} AS customer_id, c.as_of, {own} AS own, c.as_of - CAST({own} AS DATE) AS days_ago, {columns} "
        f"FROM {rows} JOIN cutoffs c ON {past}"
    )


def _told(table: Table) -> list[Column]:
    """The columns that tell something: not the keys, and neither clock of the row."""
    return [column for column in table.columns if column.name not in (table.time, RECORDED_AT, "customer_id")]


def _known(table: Table, column: Column) -> str:
    """A column as a cutoff sees it: a later fact as it was before, until its own time."""
    name = f"e.{name_sql(column.name)}"
    if column.later is None:
        return name
    before = BEFORE.get((table.name, column.name))
    earlier = "NULL" if before is None else text_sql(before) if isinstance(before, str) else str(before).lower()
    return f"CASE WHEN e.{name_sql(column.later)} >= c.as_of THEN {earlier} ELSE {name} END"


def _facts(table: Table) -> Iterator[Fact]:
    """Names of the facts and SQL aggregates over the rows seen; what is counted has " rows " in its name."""
    if table.time is not None:
        yield from ((f"number of rows in {days} days", f"count(*) FILTER (days_ago <= {days})") for days in WINDOWS)
        yield "days since the last row", "min(days_ago)"
        yield "pace of rows", _pace("true")
    for column in _told(table):
        name = name_sql(column.name)
        if column.type in ("number", "integer", "money", "share", "boolean"):
            value = f"CAST({name} AS INTEGER)" if column.type == "boolean" else f"CAST({name} AS {_EXACT})"
            yield from _means(table, column.name, value)
        elif column.type == "timestamp":
            reference = "own" if table.time else "CAST(as_of AS TIMESTAMP)"
            yield from _means(table, f"hours to {column.name}", f"date_diff('hour', {reference}, {name})")
            yield from _means(table, f"whether {column.name} is known", f"CAST({name} IS NOT NULL AS INTEGER)")
        for value in column.values:
            yield from _shares(table, column.name, value, "true")
        for other, held, values in column.values_where:
            for value in values:
                yield from _shares(table, column.name, value, f"{name_sql(other)} = {text_sql(held)}")


def _shares(table: Table, column: str, value: str, where: str) -> Iterator[Fact]:
    """How much of the rows for which the condition holds has a value, and how many they are."""
    holds = f"{name_sql(column)} = {text_sql(value)}"
    yield from _means(table, f"{column} is {value}", f"CASE WHEN {where} THEN CAST({holds} AS INTEGER) END")
    if table.time is not None:
        both = f"{where} AND {holds}"
        yield f"number of rows with {column} {value}", f"count(*) FILTER ({both} AND days_ago <= {RECENT})"
        yield f"pace of {column} {value}", _pace(both)


def _means(table: Table, what: str, value: str) -> Iterator[Fact]:
    if table.time is None:
        yield what, f"avg({value})"
        return
    recent = f"avg({value}) FILTER (days_ago <= {RECENT})"
    yield what, recent
    yield f"{what}, change", f"{recent} - avg({value}) FILTER (days_ago BETWEEN {RECENT + 1} AND {RECENT + USUAL})"


def _pace(where: str) -> str:
    recent = f"count(*) FILTER ({where} AND days_ago <= {PACE})"
    before = f"count(*) FILTER ({where} AND days_ago BETWEEN {PACE + 1} AND {PACE + USUAL})"
    return f"({recent} + {PSEUDO}) / ({before} * {PACE / USUAL:.6f} + {PSEUDO})"


@dataclass(frozen=True)
class Reading:
    """A fact and the way in which it is read: where a missing value stands, and whether high or low is the sign."""

    name: str
    missing: float
    sign: float

    def score(self, rows: pd.DataFrame) -> pd.Series[float]:
        """High where the fact points to the outcome."""
        # Ranks keep the order, and hold no infinity.
        return self.sign * rows[self.name].fillna(self.missing).rank()


def best_reading(rows: pd.DataFrame, names: Sequence[str], outcome: str) -> Reading:
    """The single fact with the highest AUC, averaged over the cutoffs (`cutoff`), in whichever way it reads best."""
    values, y = rows[list(names)].to_numpy(dtype=float), rows[outcome].to_numpy() == 1
    groups = list(rows.groupby("cutoff").indices.values())
    ways = (-np.inf, np.inf)
    aucs = np.empty((len(ways), len(names)))
    for number, missing in enumerate(ways):
        filled = np.where(np.isnan(values), missing, values)
        aucs[number] = np.mean([_aucs(filled[here], y[here]) for here in groups], axis=0)
    way, place = divmod(int(np.abs(aucs - 0.5).argmax()), len(names))
    return Reading(names[place], ways[way], 1.0 if aucs[way, place] >= 0.5 else -1.0)


def _aucs(values: FloatArray, y: npt.NDArray[np.bool_]) -> FloatArray:
    """AUC of every column."""
    hits = int(y.sum())
    above = rankdata(values, axis=0)[y].sum(axis=0) - hits * (hits + 1) / 2
    return np.asarray(above / (hits * (len(y) - hits)))
