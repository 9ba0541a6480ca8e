"""Customers written in a test as the lists read them."""

from datetime import date

import pandas as pd

from serving.list_register import Material
from serving.list_views import listing
from serving.lists import morning

#: A Wednesday; its week ends on Sunday 21 July 2024, the next begins on Monday 22 July.
TODAY = date(2024, 7, 17)
_TABLES = ("transactions", "interactions", "promotions", "quotes", "account_changes", "contracts")
PRESENT = dict.fromkeys(_TABLES, ("customer_id", "channel", "status", "result"))
_USUAL = {
    "name": None,
    "owner": "Ann",
    "rank": "C",
    "level": "none",
    "stage": "none",
    "region": "north",
    "industry": "tools",
    "temperature": "warm",
    "risk": "low",
    "days_since_last_order": 5.0,
    "order_cycle_days": 30.0,
    "last_contact_on": date(2024, 7, 16),
    "value_at_risk": 0.0,
    "expected_loss": 0.0,
    "churn_probability": 0.1,
}


def customers(*rows):
    """A profile of customers who give no cause for anything but what is written."""
    return pd.DataFrame([{**_USUAL, **row} for row in rows]) if rows else pd.DataFrame([{"customer_id": "A", **_USUAL}])


def one(**row):
    return customers({"customer_id": "A", **row})


def lists_of(profile, entered=None, as_of=TODAY, **given):
    """List -> the ids on it, in its order."""
    found = morning(profile, None if entered is None else pd.DataFrame(entered), as_of, **given)
    return {name: list(rows["customer_id"]) for name, rows in found.lists.items()}


def view(name, profile, as_of=TODAY, choice=None, present=None, **given):
    """A list by its name."""
    return listing(name, Material(profile, as_of, PRESENT if present is None else present, **given), choice)


def ids(name, profile, **given):
    return list(view(name, profile, **given).rows["customer_id"])
