"""What would bring a customer's level down, and how it would stand had something happened: re-scored, never stored.

Only what the customer itself can do is tried: an order, a payment. That is no promise of an effect: whoever orders is
another customer than one who was made to. Everybody else stands as today.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import pandas as pd

from features import cutoffs
from features.errors import SettingsError
from features.variants import Variant
from models.levels import LOUDNESS
from pipelines.changes import name_of
from pipelines.dated import DatedDay, levels_of
from serving.story import WhatIf

#: In so many days from today an order is tried, the latest first.
ORDER_WITHIN = (28, 14, 7, 1)
#: Orders of so many days tell what is usual.
USUAL_DAYS = 730

Row = tuple[str, Mapping[str, Any]]
Facts = tuple[str, Mapping[str, Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Supposed:
    """What is supposed to happen.

    Attributes
    ----------
    ordered_on
        Day of an order, not before the date that is looked at; None for none.
    amount
        Of the order; None for one of usual size.
    paid
        Whether all overdue invoices are paid, on the date itself.
    """

    ordered_on: date | None = None
    amount: float | None = None
    paid: bool = False


def what_if(day: DatedDay, customer_id: str, supposed: Supposed) -> WhatIf:
    """How a customer would stand on the day after.

    Raises
    ------
    SettingsError
        If nothing is supposed, the order lies before the date, is no amount above 0, or there is nothing to be paid.
    """
    if supposed.ordered_on is None and not supposed.paid:
        raise SettingsError("nothing is supposed to happen: name the day of an order, or that the invoices are paid.")
    if supposed.ordered_on is not None and supposed.ordered_on < day.as_of:
        raise SettingsError(
            f"an order on {supposed.ordered_on} lies in the past of {day.as_of}: name a day from it on."
        )
    if supposed.amount is not None and not 0 < supposed.amount < float("inf"):
        raise SettingsError(f"the order's amount must be above 0; found {supposed.amount}.")
    if supposed.amount is not None and supposed.ordered_on is None:
        raise SettingsError("an amount without an order: name the day of the order, too.")
    own = _Own.of(day, customer_id)
    on = supposed.ordered_on or day.as_of
    added = own.order(on, supposed.amount) if supposed.ordered_on is not None else ()
    facts = own.payments(day.as_of) if supposed.paid else ()
    if supposed.paid and not facts:
        raise SettingsError(f"customer {customer_id!r} has no invoice that is overdue on {day.as_of}.")
    amount = own.order_amount(supposed.amount) if added else own.owed
    return _looked(day, customer_id, "given", on, amount, added, facts)


def clearing(day: DatedDay, customer_id: str) -> tuple[WhatIf, ...]:
    """What brings the level down, each the latest day by which it does; empty where nothing that is tried does."""
    score = day.score(customer_id)
    if score is None or score["level"] == "none":
        return ()
    own = _Own.of(day, customer_id)
    found = []
    payments = own.payments(day.as_of)
    if payments:
        paid = _looked(day, customer_id, "payment", day.as_of, own.owed, (), payments)
        found += [paid] if paid.clears else []
    order = _latest(day, customer_id, own, "order", ())
    found += [order] if order else []
    if not found and payments:
        both = _latest(day, customer_id, own, "both", payments)
        found += [both] if both else []
    return tuple(found)


def _latest(day: DatedDay, customer_id: str, own: "_Own", kind: str, facts: tuple[Facts, ...]) -> WhatIf | None:
    """The latest day by which an order of usual size brings the level down."""
    if own.usual is None:
        return None
    for days in ORDER_WITHIN:
        on = day.as_of + timedelta(days=days - 1)
        amount = own.order_amount(None) + (own.owed if facts else 0.0)
        found = _looked(day, customer_id, kind, on, amount, own.order(on, None), facts)
        if found.clears:
            return found
    return None


def _looked(
    day: DatedDay,
    customer_id: str,
    kind: str,
    on: date,
    amount: float | None,
    added: tuple[Row, ...],
    facts: tuple[Facts, ...],
) -> WhatIf:
    """How the customer would stand on the day after, with it and without."""
    as_of = on + timedelta(days=1)
    # What has happened since a day in the past is not known on it.
    supposed = Variant(name_of(0), customer_id, unseen_from=day.as_of, added=added, set_facts=facts)
    table = levels_of(day, [supposed, Variant(name_of(1), customer_id, unseen_from=day.as_of)], as_of)
    there, otherwise = table.loc[name_of(0)], table.loc[name_of(1)]
    score = day.score(customer_id)
    today = "none" if score is None else str(score["level"])
    return WhatIf(
        kind=kind,
        by=on,
        amount=amount,
        as_of=as_of,
        level=str(there["level"]),
        probability=_known(there["churn_probability"]),
        margin=_known(there["margin"]),
        level_otherwise=str(otherwise["level"]),
        probability_otherwise=_known(otherwise["churn_probability"]),
        # What comes of waiting alone is not the order's doing.
        clears=LOUDNESS[str(there["level"])] < min(LOUDNESS[today], LOUDNESS[str(otherwise["level"])]),
    )


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


@dataclass(frozen=True)
class _Own:
    """What is usual for a customer, and what it owes.

    `usual` are the lines of the order of the last two years whose amount is nearest to the median; None without orders.
    """

    usual: pd.DataFrame | None
    overdue: tuple[str, ...]
    owed: float

    @classmethod
    def of(cls, day: DatedDay, customer_id: str) -> "_Own":
        """Read what was known at the date."""
        events = day.intake.events
        for bucket in range(events.buckets):
            with events.connect(bucket) as con:
                lines = con.execute(
                    "SELECT * FROM transactions WHERE customer_id = ? AND greatest(ordered_at, known_at) < ? "
                    "AND ordered_at >= ? ORDER BY ordered_at, order_id",
                    [customer_id, day.as_of, day.as_of - timedelta(days=USUAL_DAYS)],
                ).df()
                cutoffs.lay_out_events(con, ["finances"])
                cutoffs.set_cutoffs(con, [day.as_of])
                invoices = con.execute(
                    f"SELECT invoice_id, CAST(amount AS DOUBLE) AS amount FROM ({cutoffs.past('finances')}) "
                    "WHERE customer_id = ? AND amount > 0 AND due_at < as_of AND paid_at IS NULL ORDER BY invoice_id",
                    [customer_id],
                ).fetchall()
            if len(lines) or invoices:
                return cls(_usual(lines), tuple(str(one) for one, _ in invoices), sum(amount for _, amount in invoices))
        return cls(None, (), 0.0)

    def order_amount(self, amount: float | None) -> float:
        """The amount of the order: the given one, or that of the usual order."""
        return amount if amount is not None else 0.0 if self.usual is None else float(self.usual["amount"].sum())

    def order(self, on: date, amount: float | None) -> tuple[Row, ...]:
        """The rows of an order on a day: the usual one, its amounts scaled to `amount`."""
        at = datetime.combine(on, time(12))
        if self.usual is None:
            given: dict[str, Any] = {"order_id": "supposed", "ordered_at": at, "amount": amount or 1.0}
            return (("transactions", given),)
        scale = 1.0 if amount is None else amount / self.order_amount(None)
        names = [name for name in ("product_id", "product_line", "quantity") if name in self.usual]
        return tuple(
            (
                "transactions",
                {
                    "order_id": "supposed",
                    "ordered_at": at,
                    "amount": round(float(row["amount"]) * scale, 2),
                    **{name: row[name] for name in names if not pd.isna(row[name])},
                },
            )
            for row in self.usual.to_dict("records")
        )

    def payments(self, on: date) -> tuple[Facts, ...]:
        """All overdue invoices paid on a day."""
        paid = datetime.combine(on, time(12))
        return tuple(("finances", {"invoice_id": one}, {"paid_at": paid}) for one in self.overdue)


def _usual(lines: pd.DataFrame) -> pd.DataFrame | None:
    """The lines of the order whose amount is nearest to the median of all orders above 0."""
    if lines.empty:
        return None
    amounts = lines.groupby("order_id", sort=False)["amount"].sum().astype("float64")
    amounts = amounts[amounts > 0]
    if amounts.empty:
        return None
    nearest = (amounts - amounts.median()).abs().sort_values(kind="stable").index[0]
    chosen = lines[(lines["order_id"] == nearest) & (lines["amount"].astype("float64") > 0)]
    return chosen.astype({"amount": "float64"}).reset_index(drop=True)
