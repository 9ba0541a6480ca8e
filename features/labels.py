"""What happened after a cutoff: the time to the next net order, censored, and every label derived from it.

The stored outcome is never a 0 or 1 but the number of days to the next order day (0 = on the day of the cutoff
itself) and how long the customer was observed. ``no order within h days`` then holds if there was none in ``[as_of,
as_of + h)``. A label is unknown until its maturity date ``as_of + h`` whatever was seen before, because counting
early orders at once and silences only later would make the newest rows look safe.
"""

from datetime import date

import duckdb
import numpy as np
import pandas as pd

from features import cutoffs

#: The published fixed horizons, in days.
HORIZONS = (30, 60, 90, 180)

#: No order within a year: what customers of projects are judged by, whose silences of months say nothing.
PROJECT_HORIZON = 365

#: Twice the longest window: who has been silent for so long counts as lost for certain. For audits of the labels.
CONFIRMED_DAYS = 2 * HORIZONS[-1]


def outcomes(con: duckdb.DuckDBPyConnection, snapshots: pd.DataFrame, observed_until: date) -> pd.DataFrame:
    """Time to the next net order of each snapshot, as known at the midnight `observed_until`.

    Parameters
    ----------
    con
        A connection on which :func:`features.cutoffs.lay_out_time` has run.
    snapshots
        Columns ``customer_id`` and ``as_of``.
    observed_until
        Nothing that happened or became known from here on is used. A row is censored here.

    Returns
    -------
    DataFrame
        One row per row of `snapshots`, in its order: ``customer_id``, ``as_of``, ``days_to_next_order`` (float64, NaN
        where none was seen) and ``observed_days`` (int64, negative where the cutoff is later than `observed_until`).
    """
    keys = snapshots[["customer_id", "as_of"]].reset_index(drop=True).rename_axis("row_no").reset_index()
    con.register("outcome_keys", keys)
    days = con.execute(
        f"""
        SELECT CAST(o.day - CAST(k.as_of AS DATE) AS DOUBLE) AS days_to_next_order
        FROM outcome_keys k ASOF LEFT JOIN ({cutoffs.observed(observed_until)}) o
          ON k.customer_id = o.customer_id AND CAST(k.as_of AS DATE) <= o.day
        ORDER BY k.row_no
        """
    ).df()
    con.unregister("outcome_keys")
    observed = (pd.Timestamp(observed_until) - keys["as_of"]).dt.days
    return keys[["customer_id", "as_of"]].assign(
        days_to_next_order=days["days_to_next_order"].astype("float64"), observed_days=observed.astype("int64")
    )


def no_order_within(outcome: pd.DataFrame, days: int | pd.Series) -> pd.Series:
    """1.0 where no order came within `days` of the cutoff, 0.0 where one did, NaN where that has not matured.

    Parameters
    ----------
    outcome
        ``days_to_next_order`` and ``observed_days`` as made by :func:`outcomes`.
    days
        One horizon for all rows, or a window per row on the same index.
    """
    silent = ~(outcome["days_to_next_order"] < days)
    return silent.astype("float64").where(outcome["observed_days"] >= days, np.nan)


def churned(outcome: pd.DataFrame) -> pd.Series:
    """1.0 where no order came within the customer's own window, 0.0 where one did, NaN on dates not wholly matured.

    A date counts only when its longest window has passed: earlier, the customers with short windows alone would be
    known, and they are not like the others.

    Parameters
    ----------
    outcome
        ``as_of``, ``churn_window_days``, ``days_to_next_order`` and ``observed_days``.
    """
    longest = outcome.groupby("as_of")["churn_window_days"].transform("max")
    return no_order_within(outcome, outcome["churn_window_days"]).where(outcome["observed_days"] >= longest)


def matures_on(as_of: pd.Series, days: int | pd.Series) -> pd.Series:
    """The first midnight at which a label of `days` is known, per row."""
    return as_of + pd.to_timedelta(days, unit="D")


def derive(outcome: pd.DataFrame) -> pd.DataFrame:
    """Every label with its maturity date, from the time to the next order.

    Parameters
    ----------
    outcome
        ``as_of``, ``churn_window_days``, ``days_to_next_order`` and ``observed_days``.

    Returns
    -------
    DataFrame
        On the index of `outcome`: ``no_order_30`` ... ``no_order_180``, ``no_order_365``, ``confirmed_lost`` (no order
        within :data:`CONFIRMED_DAYS`) and ``churned`` (all 1.0, 0.0, NaN where not matured), ``matures_on_30`` ...
        ``matures_on_180``, ``matures_on_365`` and ``matures_on_own_window`` (datetime64). Partial defection needs
        revenue: :meth:`features.snapshots.SnapshotTable.partial`.
    """
    horizons = (*HORIZONS, PROJECT_HORIZON)
    fixed = {f"no_order_{days}": no_order_within(outcome, days) for days in horizons}
    fixed |= {"confirmed_lost": no_order_within(outcome, CONFIRMED_DAYS), "churned": churned(outcome)}
    dates = {f"matures_on_{days}": matures_on(outcome["as_of"], days) for days in horizons}
    own = matures_on(outcome["as_of"], outcome["churn_window_days"])
    return pd.DataFrame({**fixed, **dates, "matures_on_own_window": own})
