"""The snapshot table: one row per (customer, as-of date) with features, cohort and churn window, and its outcomes.

Everything about a customer comes from its own bucket. Only what compares customers, its peers and the usual gap that
a short history is pulled towards, is a second small pass (:mod:`features.peers`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb
import pandas as pd

from features import building, cutoffs, labels, partial, peers
from features.buckets import Events
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.errors import TooLittleData
from features.options import Value, resolved
from features.own import OwnFile, install, installed
from features.sql import quiet_connection
from features.tracks import ELIGIBLE, Cohort, cohort_of, funnel, told_apart
from features.windows import Window, churn_windows, long_gaps, windows_of

__all__ = [
    "ELIGIBLE",
    "Cohort",
    "Plan",
    "Progress",
    "SnapshotTable",
    "Window",
    "all_starts",
    "churn_windows",
    "cohort_of",
    "drawn",
    "finish",
    "first_pass",
    "funnel",
    "monthly",
    "silent",
    "take",
]

#: What is being done, and the share of it that is done (0 to 1).
Progress = Callable[[str, float], None]


def silent(_what: str, _share: float) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class SnapshotTable:
    """Snapshots of every known customer at several cutoffs, and the order days from which outcomes are read.

    Attributes
    ----------
    frame
        ``customer_id``, ``as_of``, ``segment``, one float64 column per feature, ``rhythm_class``, ``open_months``
        (int64), ``cohort`` (:data:`features.tracks.TRACKS`), ``long_gap_days`` (float64) and ``churn_window_days``
        (int64, at the window's first multiple). Ordered by (as_of, customer_id), with a plain range index.
    order_days
        Versioned order days: ``customer_id``, ``day``, ``is_order``, ``amount`` (float64, net), ``visible_from``,
        ``visible_until``.
    data_end
        The first midnight after the newest known event: outcomes are observed before it.
    category_days
        Versioned days on which a category was bought (:data:`features.partial.CATEGORY_DAYS`); None where unknown.
    """

    frame: pd.DataFrame
    order_days: pd.DataFrame = field(repr=False)
    data_end: date
    category_days: pd.DataFrame | None = field(default=None, repr=False)

    def outcomes(self, observed_until: date | None = None) -> pd.DataFrame:
        """Time to the next order of every row of `frame`, as known at `observed_until` (by default the data's end)."""
        until = min(observed_until or self.data_end, self.data_end)
        with quiet_connection() as con:
            con.register("order_days", self.order_days)
            return labels.outcomes(con, self.frame, until)

    def partial(
        self,
        observed_until: date | None = None,
        rule: partial.Partial = partial.DEFAULT,
        days: pd.Series | None = None,
    ) -> pd.DataFrame:
        """Partial defection of every row of `frame`, as known then; see :func:`features.partial.partial_defection`."""
        until = min(observed_until or self.data_end, self.data_end)
        with quiet_connection() as con:
            con.register("order_days", self.order_days)
            return partial.partial_defection(con, self.frame, until, rule, self.category_days, days)


def take(
    events: Events,
    as_ofs: Sequence[date],
    *,
    cohort: Cohort,
    window: Window,
    options: Mapping[str, object] | None = None,
    engine: Engine = ONE_BY_ONE,
    max_rows: int | None = None,
    progress: Progress = silent,
) -> SnapshotTable:
    """Snapshots of all customers at the given cutoffs.

    Parameters
    ----------
    options
        Values of :mod:`features.options` that differ from their defaults.
    engine
        What maps the buckets.
    max_rows
        About so many snapshots are kept: beyond it customers are drawn at random, all snapshots of a customer together,
        so that memory has a bound; peers are then those of the sample.

    Raises
    ------
    TooLittleData
        If no order was known at any of the cutoffs.
    SettingsError
        If an option is unknown.
    """
    values = resolved(options or {})
    progress("when each source begins", 0.0)
    starts = all_starts(events, engine)
    watched = progress if engine is ONE_BY_ONE else silent
    share = 1.0
    if max_rows is not None:
        customers = sum(map_buckets(_customers, events, engine, "customers"))
        share = min(1.0, max_rows / max(1, customers * len(as_ofs)))
    plan = Plan(tuple(as_ofs), cohort, starts, values, installed(), share, watched)
    parts = map_buckets(plan, events, engine, "features")
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    if frame.empty:
        raise TooLittleData(
            f"no order is known before {max(as_ofs)}: the orders begin later. "
            "Give a later --as-of, or check `ordered_at`."
        )
    progress("comparing customers with their peers", 0.9)
    frame = frame.sort_values(["as_of", "customer_id"], ignore_index=True)
    with quiet_connection() as con:
        con.register("frame", frame[["as_of", "segment", "cohort", *peers.needed(events.columns)]])
        levels = peers.market_levels("SELECT * FROM frame", con, events.columns)
    frame = finish(frame, levels, window, events.columns, values)
    days = pd.concat([part.order_days for part in parts], ignore_index=True)
    categories = [part.category_days for part in parts if part.category_days is not None]
    return SnapshotTable(frame, days, events.data_end, pd.concat(categories, ignore_index=True) if categories else None)


@dataclass(frozen=True)
class FirstPass:
    """What the first pass keeps of one bucket, as :class:`SnapshotTable` has it of all."""

    frame: pd.DataFrame
    order_days: pd.DataFrame
    category_days: pd.DataFrame | None


@dataclass(frozen=True)
class Plan:
    """The first pass over one bucket, in a form that another process can be handed.

    Called with events and a bucket it returns the bucket's snapshots, with their track but without what compares
    customers, its versioned order days and, where `categories` is set, the days on which categories were bought.
    """

    as_ofs: tuple[date, ...]
    cohort: Cohort
    starts: pd.DataFrame
    options: Mapping[str, Value]
    own: tuple[OwnFile, ...] = ()
    share: float = 1.0
    progress: Progress = silent
    categories: bool = True

    def __call__(self, events: Events, bucket: int) -> FirstPass:
        """Read one bucket."""
        install(self.own)
        self.progress(f"features of bucket {bucket + 1} of {events.buckets}", bucket / events.buckets)
        with events.connect(bucket) as con:
            cutoffs.lay_out_time(con)
            days = con.execute(
                "SELECT customer_id, day, is_order, CAST(amount AS DOUBLE) AS amount, visible_from, visible_until "
                "FROM order_days ORDER BY customer_id, day, visible_from"
            ).df()
            bought = partial.category_days(con, events.columns, min(self.as_ofs)) if self.categories else None
            frame = first_pass(con, self.as_ofs, events.columns, self.cohort, starts=self.starts, options=self.options)
        return FirstPass(self._drawn(frame), self._drawn(days), None if bought is None else self._drawn(bought))

    def _drawn(self, rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows.astype({"customer_id": "str"})
        # A copy has one block per type instead of one per column, which pandas would call fragmented.
        return rows[drawn(rows["customer_id"], self.share)].reset_index(drop=True).copy()


def first_pass(
    con: duckdb.DuckDBPyConnection,
    as_ofs: Sequence[date],
    present: building.Present,
    cohort: Cohort,
    *,
    starts: pd.DataFrame | None = None,
    options: Mapping[str, Value],
) -> pd.DataFrame:
    """Snapshots of one bucket with all that needs no other bucket: features, rhythm class, track."""
    frame = building.build(con, as_ofs, present, starts=starts, options=options)
    return told_apart(con, frame, cohort, options)


def drawn(customers: pd.Series, share: float) -> pd.Series:
    """Whether each row's customer is in a sample of about `share` of the customers, the same at every date."""
    if share >= 1:
        return pd.Series(True, index=customers.index)
    return pd.util.hash_pandas_object(customers, index=False).set_axis(customers.index) < share * 2.0**64


def _customers(events: Events, bucket: int) -> int:
    with events.connect(bucket) as con:
        return int(con.execute("SELECT count(DISTINCT customer_id) FROM transactions").fetchall()[0][0])


def all_starts(events: Events, engine: Engine = ONE_BY_ONE) -> pd.DataFrame:
    """From when each event table was known to begin on which day: ``source``, ``visible_from``, ``day``."""
    found = pd.concat(map_buckets(_starts, events, engine, "beginnings"), ignore_index=True)
    return found.groupby(["source", "visible_from"])["day"].min().reset_index()


def _starts(events: Events, bucket: int) -> pd.DataFrame:
    return events.starts(bucket)


def finish(
    frame: pd.DataFrame, levels: pd.DataFrame, window: Window, present: building.Present, options: Mapping[str, Value]
) -> pd.DataFrame:
    """Snapshots of the first pass with their peers and the customer's own window at its first multiple."""
    usual = levels[levels["segment"].isna()].set_index("as_of")[peers.USUAL_GAP]
    long = long_gaps(frame, window, frame["as_of"].map(usual))
    whole = pd.concat([peers.with_peers(frame, levels, present, options), long], axis=1)
    return pd.concat([whole, windows_of(whole, window)], axis=1)


def monthly(first: date, last: date) -> list[date]:
    """Cutoffs a month apart that end on `last` and do not begin before `first`, oldest first.

    The day of the month is kept where the month has it, else its last day: monthly(2024-01-31, 2024-03-31) has
    2024-02-29.
    """
    cuts = []
    for step in range(12 * (last.year - first.year) + 13):
        months = last.year * 12 + last.month - 1 - step
        start = pd.Timestamp(year=months // 12, month=months % 12 + 1, day=1)
        cut = start.replace(day=min(last.day, start.days_in_month)).date()
        if cut >= first:
            cuts.append(cut)
    return cuts[::-1]
