"""Does anything see the future? The same probe for the shipped features and the user's own, on the user's own data.

The future-blind probe builds the snapshots of a date twice: from all events, and from what a database would have held
on that day - no row that happened or was recorded later, no later version of a row, no later fact on one. Whatever
differs has looked ahead, and is named.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import pandas as pd
from scipy import special

from features import building, cutoffs
from features.buckets import Events
from features.contract import CONTRACT, KNOWN_AT, Table
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.options import Value, resolved
from features.own import OwnFile, install, installed
from features.snapshots import all_starts

#: A week of a table with less than this share of its usual rows, and rarer than this by chance, is not whole.
WHOLE_SHARE = 0.5
BY_CHANCE = 0.001
WEEK = 7


def as_it_was(con: duckdb.DuckDBPyConnection, as_of: date) -> None:
    """Replace the views of a bucket's event tables by what they would have held at midnight of a date."""
    moment = f"TIMESTAMP '{as_of.isoformat()}'"
    for table in CONTRACT.values():
        if table.time is None:
            continue
        masks = [f"CASE WHEN {when} < {moment} THEN {name} END AS {name}" for name, when in _later(table)]
        replaced = f" REPLACE ({', '.join(masks)})" if masks else ""
        con.execute(
            f"CREATE OR REPLACE TEMP VIEW then_{table.name} AS SELECT * FROM {table.name} WHERE {KNOWN_AT} < {moment}"
        )
        rows = con.sql(f"SELECT *{replaced} FROM then_{table.name}").to_arrow_table()
        con.execute(f"DROP VIEW {table.name}")
        con.register(table.name, rows)


def _later(table: Table) -> list[tuple[str, str]]:
    """Each later fact with the SQL of the time from which it was known."""
    return [
        (column.name, column.name if column.later == column.name else f"coalesce({column.later}, {table.time})")
        for column in table.columns
        if column.later
    ]


@dataclass(frozen=True)
class _Both:
    """The snapshots of a bucket at one date, from all events and from those of that day."""

    as_of: date
    starts: pd.DataFrame
    options: Mapping[str, Value]
    own: tuple[OwnFile, ...]

    def __call__(self, events: Events, bucket: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        install(self.own)
        frames = []
        for then in (False, True):
            with events.connect(bucket) as con:
                if then:
                    as_it_was(con, self.as_of)
                cutoffs.lay_out_time(con)
                frames.append(
                    building.build(con, [self.as_of], events.columns, starts=self.starts, options=self.options)
                )
        return frames[0], frames[1]


def future_blind(
    events: Events,
    as_of: date,
    *,
    options: Mapping[str, object] | None = None,
    engine: Engine = ONE_BY_ONE,
) -> dict[str, int]:
    """Features that know something of a date that could not be known then, with the number of customers it shows on.

    Features of the second pass (segment, peers) compare what is tested here. Customers whom only one of the two builds
    has are counted under ``customer_id``.
    """
    values = resolved(options or {})
    both = _Both(as_of, all_starts(events, engine), values, installed())
    found: dict[str, int] = {}
    for now, then in map_buckets(both, events, engine, "future-blind probe"):
        one, other = (frame.set_index("customer_id") for frame in (now, then))
        strangers = one.index.symmetric_difference(other.index)
        shared = one.index.intersection(other.index)
        differing = {name: int(_differs(one.loc[shared, name], other.loc[shared, name]).sum()) for name in one.columns}
        differing["customer_id"] = len(strangers)
        for name, count in differing.items():
            if count:
                found[name] = found.get(name, 0) + count
    return found


def _differs(one: pd.Series, other: pd.Series) -> np.ndarray:
    """Where two columns are not the same to the last bit; missing is missing."""
    same = (one == other).fillna(False) | (one.isna() & other.isna())
    return ~same.to_numpy(dtype=bool)


@dataclass(frozen=True)
class LastWeek:
    """How whole the end of a table is.

    Attributes
    ----------
    table
        Its name.
    rows
        Rows of its own last week before the end of the data.
    usual
        Median number of rows of the twelve weeks before it.
    silent_days
        Days from its newest row to the end of the data.
    """

    table: str
    rows: int
    usual: float
    silent_days: int

    @property
    def whole(self) -> bool:
        """Whether the last week has at least half of its usual rows, or so few as chance gives (Poisson)."""
        return self.rows >= WHOLE_SHARE * self.usual or float(special.pdtr(self.rows, self.usual)) >= BY_CHANCE


def last_weeks(events: Events, engine: Engine = ONE_BY_ONE) -> tuple[LastWeek, ...]:
    """The last week of every event table before the end of the data, by the rows' own time.

    An export that is cut off, or a source that stopped being fed, looks like customers who fell silent.
    """
    counted = pd.concat(map_buckets(_by_day, events, engine, "rows by day"), ignore_index=True)
    weeks = []
    for name, rows in counted.groupby("source"):
        ago = (pd.Timestamp(events.data_end) - rows["day"]).dt.days
        of_week = rows.groupby((ago - 1) // WEEK)["rows"].sum().reindex(range(13), fill_value=0)
        if of_week.loc[1:].median() > 0:
            weeks.append(LastWeek(str(name), int(of_week.loc[0]), float(of_week.loc[1:].median()), int(ago.min()) - 1))
    return tuple(weeks)


def _by_day(events: Events, bucket: int) -> pd.DataFrame:
    end = f"DATE '{events.data_end.isoformat()}'"
    with events.connect(bucket) as con:
        parts = [
            f"SELECT '{name}' AS source, CAST({CONTRACT[name].time} AS DATE) AS day, count(*) AS rows FROM {name} "
            f"WHERE {CONTRACT[name].time} < {end} GROUP BY ALL"
            for name in events.columns
            if CONTRACT[name].time and (CONTRACT[name].of_customer or bucket == 0)
        ]
        return con.execute(" UNION ALL ".join(parts)).df().astype({"source": "str"})
