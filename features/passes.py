"""Snapshots on disk, one file per bucket: for more customers than memory holds, and for workers on other machines.

The first pass over a bucket writes its snapshots; the levels of segments are read from all those files; the second
pass writes each bucket's finished snapshots. Whoever comes next - scoring, labels, an export - maps over the files. The
folder must be one that every worker sees.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from features import peers
from features.buckets import Events
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.options import Value, resolved
from features.own import installed
from features.population import Population
from features.snapshots import Cohort, Plan, Progress, SnapshotTable, Window, all_starts, finish, silent
from features.sql import path_sql, quiet_connection

#: Columns whose quantiles are taken at once: DuckDB keeps all values of each.
AT_ONCE = 16
#: What :meth:`SnapshotParts.spread` tells of a feature.
QUANTILES = {"q10": 0.1, "q25": 0.25, "median": 0.5, "q75": 0.75, "q90": 0.9}


@dataclass(frozen=True)
class SnapshotParts:
    """Finished snapshots of all customers at some dates, by bucket.

    Attributes
    ----------
    folder
        Where they lie.
    events
        The clean events that they were made of.
    population
        What they know of the whole company.
    """

    folder: Path
    events: Events
    population: Population = field(repr=False)

    def frame(self, bucket: int) -> pd.DataFrame:
        """The snapshots of one bucket, as :attr:`features.snapshots.SnapshotTable.frame`."""
        return _read(self.folder / f"snapshots-{bucket}.parquet")

    def columns(self, names: Collection[str]) -> pd.DataFrame:
        """Those of these columns that the snapshots have, of all customers, in the order of the buckets."""
        parts = []
        for bucket in range(self.events.buckets):
            path = self.folder / f"snapshots-{bucket}.parquet"
            here = [name for name in pq.read_schema(path).names if name in names]
            parts.append(_typed(pd.read_parquet(path, columns=here)))
        return pd.concat(parts, ignore_index=True)

    def table(self, bucket: int) -> SnapshotTable:
        """The snapshots of one bucket with its order days, so that outcomes can be read (but for lost categories)."""
        days = pd.read_parquet(self.folder / f"days-{bucket}.parquet").astype({"customer_id": "str"})
        return SnapshotTable(self.frame(bucket), days, self.events.data_end)

    def medians(self, as_of: date) -> pd.Series:
        """Median of every feature over the eligible customers of a date: the peer values of reasons."""
        return self.spread(as_of)["median"].rename(None).rename_axis(None)

    def spread(self, as_of: date) -> pd.DataFrame:
        """Where every feature lies among the eligible customers of a date.

        Returns
        -------
        DataFrame
            Index ``feature``, columns ``q10``, ``q25``, ``median``, ``q75`` and ``q90`` (float64); values between two
            customers are interpolated, and NaN where nobody has one.
        """
        files = path_sql(self.folder, "snapshots-*.parquet")
        with quiet_connection() as con:
            described = con.execute(f"DESCRIBE SELECT * FROM read_parquet({files})").fetchall()
            names = [str(row[0]) for row in described if row[1] == "DOUBLE"]
            found: list[list[float]] = []
            for start in range(0, len(names), AT_ONCE):
                some = names[start : start + AT_ONCE]
                listed = ", ".join(f"quantile_cont({name}, {[*QUANTILES.values()]})" for name in some)
                rows = f"read_parquet({files}) WHERE cohort = 'eligible' AND as_of = DATE '{as_of.isoformat()}'"
                values = con.execute(f"SELECT {listed} FROM {rows}").fetchall()[0]
                found += [[float("nan")] * len(QUANTILES) if one is None else one for one in values]
        return pd.DataFrame(found, index=pd.Index(names, name="feature"), columns=[*QUANTILES], dtype="float64")


def take_parts(
    events: Events,
    as_ofs: Sequence[date],
    folder: Path,
    *,
    cohort: Cohort,
    window: Window,
    options: Mapping[str, object] | None = None,
    engine: Engine = ONE_BY_ONE,
    progress: Progress = silent,
    population: Population | None = None,
) -> SnapshotParts:
    """The same snapshots as :func:`features.snapshots.take`, written bucket by bucket; memory holds one at a time.

    Parameters
    ----------
    folder
        An empty folder that every worker of the engine sees.
    population
        What customers are compared with; by default what all customers of `events` tell. Give that of earlier parts,
        taken with the same cohort and options, where `events` hold only some customers.

    Raises
    ------
    ValueError
        If `population` tells nothing of one of the cutoffs.
    """
    if population is not None:
        population.must_tell_of(as_ofs)
    values = resolved(options or {})
    progress("when each source begins", 0.0)
    watched = progress if engine is ONE_BY_ONE else silent
    starts = all_starts(events, engine) if population is None else population.starts
    plan = Plan(tuple(as_ofs), cohort, starts, values, installed(), progress=watched, categories=False)
    map_buckets(_First(plan, folder), events, engine, "features")
    progress("comparing customers with their peers", 0.9)
    if population is None:
        population = Population(tuple(as_ofs), starts, _levels(folder, events))
    map_buckets(_Second(folder, population.levels, window, values), events, engine, "peers")
    return SnapshotParts(folder, events, population)


def _levels(folder: Path, events: Events) -> pd.DataFrame:
    """The levels of peers, from the first pass over all buckets."""
    read = ", ".join(["as_of", "segment", "cohort", *peers.needed(events.columns)])
    with quiet_connection() as con:
        rows = f"SELECT {read} FROM read_parquet({path_sql(folder, 'first-*.parquet')})"
        return peers.market_levels(rows, con, events.columns)


@dataclass(frozen=True)
class _First:
    """Write the first pass of a bucket."""

    plan: Plan
    folder: Path

    def __call__(self, events: Events, bucket: int) -> None:
        found = self.plan(events, bucket)
        _write(found.frame, self.folder / f"first-{bucket}.parquet")
        _write(found.order_days, self.folder / f"days-{bucket}.parquet")


@dataclass(frozen=True)
class _Second:
    """Finish the snapshots of a bucket; doing it again gives the same file."""

    folder: Path
    levels: pd.DataFrame
    window: Window
    options: Mapping[str, Value]

    def __call__(self, events: Events, bucket: int) -> None:
        first = _read(self.folder / f"first-{bucket}.parquet")
        frame = finish(first, self.levels, self.window, events.columns, self.options)
        _write(frame, self.folder / f"snapshots-{bucket}.parquet")


def _write(frame: pd.DataFrame, path: Path) -> None:
    """Write aside first, then rename: a worker that dies leaves no half file."""
    aside = path.with_name(f".{path.name}")
    frame.to_parquet(aside, index=False)
    aside.replace(path)


def _read(path: Path) -> pd.DataFrame:
    return _typed(pd.read_parquet(path))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    strings = {name: "str" for name in ("customer_id", "segment", "cohort", "rhythm_class") if name in frame}
    days = {"as_of": "datetime64[s]"} if "as_of" in frame else {}
    return frame.astype({**strings, **days})
