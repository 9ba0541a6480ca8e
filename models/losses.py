"""Losses as far as orders alone can tell, for data in which nobody wrote down when a customer was lost."""

from datetime import date

import pandas as pd

#: A silence is confirmed as a loss so many days after the order that should have followed.
CONFIRMED_AFTER_DAYS = 90


def derived_losses(
    order_days: pd.DataFrame, observed_until: date, *, confirmed_after_days: int = CONFIRMED_AFTER_DAYS
) -> pd.DataFrame:
    """Silences that outlasted the customer's usual gap by so many days.

    Parameters
    ----------
    order_days
        ``customer_id`` and ``day``, each net order day once, as known at `observed_until`.
    observed_until
        The midnight before which orders were seen.

    Returns
    -------
    DataFrame
        ``customer_id``, ``last_order_at``, ``expected_at`` (the last order's expected successor: the last order plus
        the median of the customer's gaps until then) and ``returned_at`` (the next order day; missing where none was
        seen). A customer with a single order day has no usual gap and is not in it. Losses are complete for
        ``expected_at`` up to `observed_until` less `confirmed_after_days`.
    """
    days = order_days[["customer_id", "day"]].drop_duplicates().sort_values(["customer_id", "day"], ignore_index=True)
    at = pd.to_datetime(days["day"]).astype("datetime64[us]")
    before, after = (at.groupby(days["customer_id"]).shift(step) for step in (1, -1))
    gaps = (at - before).dt.days.astype("float64")
    usual = gaps.groupby(days["customer_id"]).expanding().median().reset_index(level=0, drop=True)
    expected = at + pd.to_timedelta(usual.reindex(days.index).round(), unit="D")
    silent_until = after.fillna(pd.Timestamp(observed_until))
    lost = (silent_until - expected).dt.days >= confirmed_after_days
    table = {"customer_id": days["customer_id"], "last_order_at": at, "expected_at": expected, "returned_at": after}
    return pd.DataFrame(table)[lost].reset_index(drop=True)
