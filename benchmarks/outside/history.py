"""Columns from order lines, as anybody would compute them; every row sees only what was known before its own date."""

from collections.abc import Callable

import numpy as np
import pandas as pd

KEYS = ["customer_id", "as_of"]
WINDOWS = (30, 60, 90, 180, 365)
DAY = pd.Timedelta(days=1)


def with_visibility(orders: pd.DataFrame) -> pd.DataFrame:
    """The lines with ``day``, when they happened, and ``visible_from``, the first midnight that knows of them."""
    later = orders["ordered_at"].where(orders["ordered_at"] > orders["known_at"], orders["known_at"])
    return orders.assign(day=orders["ordered_at"].dt.normalize(), visible_from=later.dt.normalize() + DAY)


def postings(orders: pd.DataFrame) -> pd.DataFrame:
    """What was booked under each order number, by the date from which it was known."""
    seen = with_visibility(orders)
    keys = ["customer_id", "order_id", "visible_from"]
    return seen.groupby(keys, as_index=False).agg(amount=("amount", "sum"), day=("day", "min"))


def order_days(booked: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Days on which a customer ordered, net of what was known by `as_of` to be returned under the same number.

    Returns
    -------
    DataFrame
        ``customer_id``, ``day``, ``amount`` (above 0) and ``days_ago`` (at least 1), ordered by customer and day.
    """
    known = booked[booked["visible_from"] <= as_of]
    orders = known.groupby(["customer_id", "order_id"], as_index=False).agg(
        amount=("amount", "sum"), day=("day", "min")
    )
    days = orders[orders["amount"] > 0].groupby(["customer_id", "day"], as_index=False)["amount"].sum()
    return days.assign(days_ago=(as_of - days["day"]).dt.days.astype("float64"))


def rfm(orders: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Four plain columns per row: days since the last and the first order, order days, mean amount of an order day."""
    booked = postings(orders)
    return _per_date(rows, lambda as_of: _rfm_of(order_days(booked, as_of)))


def wide(orders: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The plain columns with gaps between orders, windows of several lengths, returns and breadth."""
    booked, lines = postings(orders), with_visibility(orders)
    return _per_date(rows, lambda as_of: _wide_of(booked, lines, as_of))


def logarithms(columns: pd.DataFrame) -> pd.DataFrame:
    """log(1 + x) of columns that are never negative: amounts and counts of trade are skewed."""
    return columns.clip(lower=0).apply(np.log1p)


def _per_date(rows: pd.DataFrame, of_date: Callable[[pd.Timestamp], pd.DataFrame]) -> pd.DataFrame:
    """The columns that `of_date` gives per customer, for every row, on the index of `rows`."""
    parts = []
    for as_of, group in rows.groupby("as_of"):
        parts.append(of_date(as_of).reindex(group["customer_id"]).set_axis(group.index))
    return pd.concat(parts).loc[rows.index]


def _rfm_of(days: pd.DataFrame) -> pd.DataFrame:
    return days.groupby("customer_id").agg(
        days_since_last_order=("days_ago", "min"),
        days_since_first_order=("days_ago", "max"),
        order_days=("days_ago", "size"),
        mean_amount=("amount", "mean"),
    )


def _wide_of(booked: pd.DataFrame, lines: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    days = order_days(booked, as_of)
    columns = _rfm_of(days)
    gap = days["days_ago"].groupby(days["customer_id"]).diff(-1)
    gaps = gap.groupby(days["customer_id"]).agg(["mean", "median", "std", "max"]).add_prefix("gap_")
    last = days.groupby("customer_id").tail(1).set_index("customer_id")["amount"]
    columns = columns.join(gaps).assign(last_amount=last)
    columns["cycles_since_last_order"] = columns["days_since_last_order"] / columns["gap_mean"]
    columns["longest_gaps_since_last_order"] = columns["days_since_last_order"] / columns["gap_max"]
    known = lines[lines["visible_from"] <= as_of]
    ago = (as_of - known["day"]).dt.days
    for window in WINDOWS:
        recent = days[days["days_ago"] <= window].groupby("customer_id")["amount"]
        columns[f"order_days_{window}d"] = recent.size()
        columns[f"revenue_{window}d"] = recent.sum()
        here = known[ago <= window].groupby("customer_id")
        columns[f"products_{window}d"] = here["product_id"].nunique()
        columns[f"lines_{window}d"] = here.size()
    returned = known[(known["amount"] < 0) & (ago <= 365)].groupby("customer_id")["amount"].sum()
    columns["returned_365d"] = -returned
    counted = [name for name in columns if not str(name).startswith(("gap_", "cycles", "longest"))]
    return columns.fillna(dict.fromkeys(counted, 0.0))
