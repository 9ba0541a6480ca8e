"""The snapshot table: one row per (customer, as-of date) with features, cohort and churn window, and its outcomes.

Everything about a customer comes from its own bucket. Only what compares customers, its peers and the usual gap that
a short history is pulled towards, is a second small pass (:mod:`features.peers`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from features import building, cutoffs, labels, peers
from features.buckets import Events
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.errors import TooLittleData
from features.options import Value, resolved
from features.own import OwnFile, install, installed
from features.rhythm_class import rhythm_class_of
from features.sql import quiet_connection

ELIGIBLE = "eligible"

#: What is being done, and the share of it that is done (0 to 1).
Progress = Callable[[str, float], None]


def silent(_what: str, _share: float) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Cohort:
    """Who is warned about: customers with a habit to lose who have not been gone for too long.

    Attributes
    ----------
    min_order_days
        Order days that a customer must have had before the cutoff.
    max_days_since_last_order
        A customer who has been silent for longer is dormant: a case for winning back, not for a warning.
    """

    min_order_days: int = 2
    max_days_since_last_order: int = 365


@dataclass(frozen=True)
class Window:
    """The customer's own churn window: a multiple of the gap that nine of ten gaps do not exceed, within bounds.

    Attributes
    ----------
    multiple_of_q90
        The multiple.
    min_days, max_days
        Bounds of the window.
    shrink_gaps
        Gaps of the cohort's usual customer that are added to the customer's own n gaps: the own q90 weighs n / (n +
        shrink_gaps).
    """

    multiple_of_q90: float = 1.5
    min_days: int = 45
    max_days: int = 180
    shrink_gaps: float = 4.0


@dataclass(frozen=True)
class SnapshotTable:
    """Snapshots of every known customer at several cutoffs, and the order days from which outcomes are read.

    Attributes
    ----------
    frame
        ``customer_id``, ``as_of``, ``segment``, one float64 column per feature, ``cohort`` (``eligible`` or the code of
        the first condition that failed), ``churn_window_days`` (int64), ``rhythm_class``. Ordered by (as_of,
        customer_id), with a plain range index.
    order_days
        Versioned order days: ``customer_id``, ``day``, ``is_order``, ``visible_from``, ``visible_until``.
    data_end
        The first midnight after the newest known event: outcomes are observed before it.
    """

    frame: pd.DataFrame
    order_days: pd.DataFrame = field(repr=False)
    data_end: date

    def outcomes(self, observed_until: date | None = None) -> pd.DataFrame:
        """Time to the next order of every row of `frame`, as known at `observed_until` (by default the data's end)."""
        until = min(observed_until or self.data_end, self.data_end)
        with quiet_connection() as con:
            con.register("order_days", self.order_days)
            return labels.outcomes(con, self.frame, until)


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
    frame = pd.concat([rows for rows, _ in parts], ignore_index=True)
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
    return SnapshotTable(frame, pd.concat([days for _, days in parts], ignore_index=True), events.data_end)


@dataclass(frozen=True)
class Plan:
    """The first pass over one bucket, in a form that another process can be handed.

    Called with events and a bucket it returns the bucket's snapshots, with their cohort but without what compares
    customers, and its versioned order days.
    """

    as_ofs: tuple[date, ...]
    cohort: Cohort
    starts: pd.DataFrame
    options: Mapping[str, Value]
    own: tuple[OwnFile, ...] = ()
    share: float = 1.0
    progress: Progress = silent

    def __call__(self, events: Events, bucket: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Read one bucket."""
        install(self.own)
        self.progress(f"features of bucket {bucket + 1} of {events.buckets}", bucket / events.buckets)
        with events.connect(bucket) as con:
            cutoffs.lay_out_time(con)
            days = con.execute(
                "SELECT customer_id, day, is_order, visible_from, visible_until FROM order_days "
                "ORDER BY customer_id, day, visible_from"
            ).df()
            frame = building.build(con, self.as_ofs, events.columns, starts=self.starts, options=self.options)
        days = days.astype({"customer_id": "str"})
        frame = frame[drawn(frame["customer_id"], self.share)].reset_index(drop=True)
        return frame.assign(cohort=cohort_of(frame, self.cohort)), days[drawn(days["customer_id"], self.share)]


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
    with events.connect(bucket) as con:
        return con.execute(cutoffs.source_starts(events.columns)).df().astype({"source": "str"})


def finish(
    frame: pd.DataFrame, levels: pd.DataFrame, window: Window, present: building.Present, options: Mapping[str, Value]
) -> pd.DataFrame:
    """Snapshots of the first pass with their peers and the customer's own window."""
    usual = levels[levels["segment"].isna()].set_index("as_of")[peers.USUAL_GAP]
    days = churn_windows(frame, window, frame["as_of"].map(usual))
    whole = pd.concat([peers.with_peers(frame, levels, present, options), days.rename("churn_window_days")], axis=1)
    return pd.concat([whole, rhythm_class_of(whole, options).rename("rhythm_class")], axis=1)


def cohort_of(frame: pd.DataFrame, rule: Cohort) -> pd.Series:
    """``eligible``, or the first condition that a row fails: ``no_order``, ``few_order_days``, ``dormant``."""
    conditions = [
        (frame["order_days_ever"].fillna(0) < 1, "no_order"),
        (frame["order_days_ever"] < rule.min_order_days, "few_order_days"),
        (frame["days_since_last_order"] > rule.max_days_since_last_order, "dormant"),
    ]
    codes = np.select([c.to_numpy() for c, _ in conditions], [code for _, code in conditions], ELIGIBLE)
    return pd.Series(codes, index=frame.index)


def churn_windows(frame: pd.DataFrame, rule: Window, usual_q90: pd.Series) -> pd.Series:
    """Days without an order after which a customer counts as churned, pulled towards the cohort of the same date.

    Parameters
    ----------
    usual_q90
        Median of the cohort's long gaps at each row's date, NaN where there is no cohort.
    """
    own = frame["gap_q90_days_ever"]
    gaps = (frame["order_days_ever"] - 1).clip(lower=0).where(own.notna(), 0)
    usual = usual_q90.fillna(rule.max_days / rule.multiple_of_q90)
    q90 = (gaps * own.fillna(0) + rule.shrink_gaps * usual) / (gaps + rule.shrink_gaps)
    days = (rule.multiple_of_q90 * q90).clip(rule.min_days, rule.max_days)
    return days.round().astype("int64")


def funnel(frame: pd.DataFrame) -> pd.DataFrame:
    """How many customers, with which revenue, are left after each condition of the cohort, per cutoff.

    Returns
    -------
    DataFrame
        ``as_of``, ``condition`` (``known``, ``with_order``, ``enough_order_days``, ``eligible``), ``customers``
        (int64) and ``revenue_365d`` (float64, in the project's currency).
    """
    passed = {"known": [], "with_order": ["no_order"], "enough_order_days": ["no_order", "few_order_days"]}
    passed[ELIGIBLE] = ["no_order", "few_order_days", "dormant"]
    rows = []
    for condition, failed in passed.items():
        left = frame[~frame["cohort"].isin(failed)].groupby("as_of")["revenue_365d"].agg(["size", "sum"])
        left = left.reindex(pd.Index(frame["as_of"].unique(), name="as_of"), fill_value=0)
        rows.append(left.set_axis(["customers", "revenue_365d"], axis=1).assign(condition=condition).reset_index())
    order = list(passed)
    table = pd.concat(rows, ignore_index=True).sort_values(
        ["as_of", "condition"], key=lambda column: column.map(order.index) if column.name == "condition" else column
    )
    return table[["as_of", "condition", "customers", "revenue_365d"]].reset_index(drop=True)


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
