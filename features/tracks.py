"""Tracks: which customers are warned by their silence, and what becomes of all others.

Every customer is in exactly one track at a date, and with it every order:

- ``eligible``: warned, levels and probabilities of their own window.
- ``no_order``: no order yet; nothing can be lost.
- ``closed``: the account was closed, blocked, found insolvent, merged or moved: no loss that a visit could prevent.
- ``few_order_days``: new, or back with a first order after having been dormant: no rhythm to depart from yet; the
  label-free model tells the chance of a second order.
- ``dormant``: silent for too long to be warned of; a case for winning back.
- ``project``: orders in bursts with long silences between them: nearly unpredictable from orders, no warning by
  silence; judged by no order within a year.
- ``off_season``: a seasonal customer outside its open months: dormant by season, not at risk.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from features.cutoffs import past
from features.options import Value
from features.rhythm_class import rhythm_class_of
from features.season import order_months
from features.windows import ALL_YEAR

ELIGIBLE = "eligible"

#: All tracks, those who are warned first; of the others, the first whose condition holds.
TRACKS = (ELIGIBLE, "no_order", "closed", "few_order_days", "dormant", "project", "off_season")

#: Values of the field `status` in `account_changes` that take an account out of the warnings; the one that undoes it.
CLOSED = ("closed", "blocked", "insolvent", "merged", "moved")
OPEN = "active"


@dataclass(frozen=True)
class Cohort:
    """Who is warned about: customers with a habit to lose who have not been gone for too long.

    Attributes
    ----------
    min_order_days
        Order days that a customer must have had before the cutoff.
    max_days_since_last_order
        A customer who has been silent for longer is dormant: a case for winning back, not for a warning.
    projects_apart
        Customers of projects are not warned about: their silences say nothing.
    seasons_apart
        Seasonal customers are not warned about outside their open months, and the own window counts only days of those.
    reactivated_apart
        Who comes back after a silence that made it dormant counts as new until its second order since; but for seasonal
        customers, who are away for most of a year by habit.
    """

    min_order_days: int = 2
    max_days_since_last_order: int = 365
    projects_apart: bool = True
    seasons_apart: bool = True
    reactivated_apart: bool = True


def told_apart(
    con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, rule: Cohort, options: Mapping[str, Value]
) -> pd.DataFrame:
    """The snapshots of a bucket with ``rhythm_class``, ``open_months`` and ``cohort``.

    Parameters
    ----------
    con
        The bucket's connection, on which :func:`features.building.build` has run for these snapshots.
    frame
        What it returned.
    options
        Values of :mod:`features.options`.

    Returns
    -------
    DataFrame
        With three more columns: ``rhythm_class`` (str), ``open_months`` (int64, the months of the year whose days count
        towards the window as the bits of a number, January is 1; all of them but for seasonal customers) and ``cohort``
        (str, one of :data:`TRACKS`).
    """
    rhythm = rhythm_class_of(frame, options)
    seasonal = (rhythm == "seasonal") & rule.seasons_apart
    facts = frame[["as_of", "customer_id"]].assign(
        rhythm_class=rhythm, open_months=ALL_YEAR, closed=_closed(con, frame)
    )
    if seasonal.any():
        months = f"SELECT as_of, customer_id, {order_months()} AS found FROM ({past('order_days')}) GROUP BY ALL"
        found = _looked_up(con, frame[seasonal], months)
        facts.loc[seasonal, "open_months"] = found.fillna(ALL_YEAR).astype("int64")
    conditions = pd.concat([frame[["order_days_ever", "days_since_last_order", "last_gap_days"]], facts], axis=1)
    told = facts[["rhythm_class", "open_months"]].assign(cohort=cohort_of(conditions, rule))
    return pd.concat([frame, told], axis=1)


def _closed(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame) -> pd.Series:
    """Whether the newest known status of each account takes it out of the warnings."""
    status = "lower(trim(new))"
    known = ", ".join(f"'{one}'" for one in (*CLOSED, OPEN))
    newest = (
        f"SELECT as_of, customer_id, arg_max({status}, (changed_at, {status})) <> '{OPEN}' AS found "
        f"FROM ({past('account_changes')}) WHERE lower(trim(field)) = 'status' AND {status} IN ({known}) GROUP BY ALL"
    )
    return _looked_up(con, frame, newest).fillna(0.0) > 0


def _looked_up(con: duckdb.DuckDBPyConnection, rows: pd.DataFrame, query: str) -> pd.Series:
    """The column ``found`` of a query by (as_of, customer_id) for each row, as float64; NaN where it has none."""
    con.register("looked_up", rows[["as_of", "customer_id"]].assign(row_no=range(len(rows))))
    found = con.execute(
        f"SELECT CAST(found AS DOUBLE) AS found FROM looked_up l LEFT JOIN ({query}) q "
        "ON q.as_of = CAST(l.as_of AS DATE) AND q.customer_id = l.customer_id ORDER BY row_no"
    ).df()
    con.unregister("looked_up")
    return found["found"].astype("float64").set_axis(rows.index)


def cohort_of(frame: pd.DataFrame, rule: Cohort) -> pd.Series:
    """``eligible``, or the first of :data:`TRACKS` whose condition holds.

    Parameters
    ----------
    frame
        ``order_days_ever`` and ``days_since_last_order``; ``last_gap_days``, ``closed`` (bool), ``rhythm_class`` and,
        with ``as_of``, ``open_months`` where they are known: without them nobody is in their tracks.
    """
    held = frame.reindex(columns=["rhythm_class", "closed", "last_gap_days"])
    away = (held["last_gap_days"] > rule.max_days_since_last_order) & (held["rhythm_class"] != "seasonal")
    few = (frame["order_days_ever"] < rule.min_order_days) | (
        away & rule.reactivated_apart & (rule.min_order_days >= 2)
    )
    months = frame["open_months"] if "open_months" in frame.columns else pd.Series(ALL_YEAR, index=frame.index)
    today = frame["as_of"].dt.month if "as_of" in frame.columns else pd.Series(1, index=frame.index)
    conditions = {
        "no_order": frame["order_days_ever"].fillna(0) < 1,
        "closed": held["closed"].eq(True),
        "few_order_days": few,
        "dormant": frame["days_since_last_order"] > rule.max_days_since_last_order,
        "project": held["rhythm_class"].eq("project") & rule.projects_apart,
        "off_season": ((months.to_numpy("int64") >> (today.to_numpy("int64") - 1) & 1) == 0) & rule.seasons_apart,
    }
    codes = np.select([np.asarray(one, dtype=bool) for one in conditions.values()], list(conditions), ELIGIBLE)
    return pd.Series(codes, index=frame.index)


def funnel(frame: pd.DataFrame, never_ordered: int = 0) -> pd.DataFrame:
    """Where every customer and every order of the past year is: its track, per cutoff.

    Parameters
    ----------
    frame
        ``as_of``, ``cohort``, ``revenue_365d`` and ``order_days_365d``, one row per customer and cutoff.
    never_ordered
        Accounts without any document, of which the snapshots have no row; counted to ``no_order``.

    Returns
    -------
    DataFrame
        One row per cutoff and track, in the order of :data:`TRACKS`, those without anybody too: ``as_of``, ``track``,
        ``customers`` (int64), ``revenue_365d`` (float64, in the project's currency), ``order_days_365d`` (int64) and
        ``revenue_share`` (0 to 1, of the whole of the cutoff; NaN where that is not above 0). The sums over the tracks
        are those of `frame`.
    """
    grouped = frame.groupby(["as_of", "cohort"])
    counted = pd.DataFrame(
        {
            "customers": grouped.size(),
            "revenue_365d": grouped["revenue_365d"].sum(),
            "order_days_365d": grouped["order_days_365d"].sum(),
        }
    )
    every = pd.MultiIndex.from_product([sorted(frame["as_of"].unique()), TRACKS], names=["as_of", "track"])
    table = counted.rename_axis(["as_of", "track"]).reindex(every, fill_value=0).reset_index()
    table["customers"] += np.where(table["track"] == "no_order", never_ordered, 0)
    return _with_shares(table)


def funnels_together(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The funnel of all buckets from those of each."""
    sums = ["customers", "revenue_365d", "order_days_365d"]
    whole = pd.concat(list(parts)).groupby(["as_of", "track"], sort=False)[sums].sum().reset_index()
    place = {track: number for number, track in enumerate(TRACKS)}
    order = whole.assign(place=whole["track"].map(place)).sort_values(["as_of", "place"]).index
    return _with_shares(whole.loc[order].reset_index(drop=True))


def _with_shares(table: pd.DataFrame) -> pd.DataFrame:
    total = table.groupby("as_of")["revenue_365d"].transform("sum")
    counts = table.astype({"customers": "int64", "order_days_365d": "int64", "revenue_365d": "float64"})
    return counts.assign(revenue_share=(counts["revenue_365d"] / total.where(total > 0)).astype("float64"))
