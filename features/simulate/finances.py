"""The invoices of the simulated world: when they are due, confirmed, disputed and paid."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from features.simulate.arrays import Booleans, Floats, Integers
from features.simulate.observed import Observations, known_day
from features.simulate.office import moments, opened
from features.simulate.routine import WorkingTime
from features.simulate.scene import Scene
from features.simulate.signals import SIGNALS
from features.simulate.transactions import DAY_SECONDS

TERMS = (14, 30, 45, 60)  # days to pay
TERMS_SHARE = (0.15, 0.50, 0.20, 0.15)  # of the customers; fewer have 14 days, see `_terms`
ROOM = 2.5  # standard deviations between the usual day of payment and the day after the invoice, at least
COLLECTIVE = 0.25  # of the customers: one invoice a month for all that was delivered in it
DISPUTE_DAYS = (0.5, 8.0)  # working days from the invoice to the dispute, from and to: they foretell nothing


def finances_table(scene: Scene, made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The `finances` table of the contract, in order of time; needs `transactions`.

    An order is invoiced when it is delivered or, for some customers, with all others of its month. Credit notes are
    no invoices.
    """
    span, office = scene.span, WorkingTime.of(scene.span)
    invoices = _invoices(scene, made["transactions"], rng)
    account, issued = invoices["account"].to_numpy(), invoices["issued"].to_numpy()
    issued_at = moments(span, issued, rng)
    due = issued + _terms(scene, rng)[account]
    paid = office.nearest(due + np.rint(scene.values("pay_days", account, due, rng)).astype(np.int64))
    paid_at = moments(span, np.maximum(paid, opened(span, issued + 1)), rng)
    confirmed_at = office.after(issued_at, np.exp(scene.values("confirm_days", account, issued, rng)))
    disputed = scene.happens("disputed", account, issued, rng)
    # Nobody disputes what is paid.
    soon = np.minimum(rng.uniform(*DISPUTE_DAYS, len(issued)), office.between(issued_at, paid_at) / 2)
    disputed_at = office.after(issued_at, soon)
    table = pd.DataFrame(
        {
            "customer_id": pd.array(scene.accounts.customer_id[account], dtype="str"),
            "issued_at": issued_at,
            "amount": invoices["amount"].round(2).to_numpy(),
            "due_at": span.dates(due),
            "confirmed_at": confirmed_at,
            "paid_at": paid_at,
            "disputed": disputed,
            "disputed_at": np.where(disputed, disputed_at, np.datetime64("NaT", "us")),
            "recorded_at": issued_at,
        }
    ).sort_values(["issued_at", "customer_id"], kind="stable", ignore_index=True)
    number = pd.Series(np.arange(1, len(table) + 1)).astype("str").str.zfill(7)
    table.insert(1, "invoice_id", ("F" + number).astype("str"))
    return table


def _invoices(scene: Scene, transactions: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Every invoice: `account`, `issued` (an open day), `amount`."""
    span = scene.span
    lines = transactions[(transactions["amount"] > 0) & transactions["delivered_at"].notna()]
    first = lines.drop_duplicates("order_id")
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(first["customer_id"]))
    delivered = first["delivered_at"].to_numpy()
    collective = (rng.random(len(scene.accounts)) < COLLECTIVE)[account]
    month = delivered.astype("datetime64[M]")
    next_month = span.day((month + 1).astype("datetime64[D]"))
    orders = pd.DataFrame(
        {
            "account": account,
            "issued": opened(span, np.where(collective, next_month, span.day(delivered))),
            # Whoever pays by order has one invoice for each, also for two on one day.
            "order": np.where(collective, -1, np.arange(len(first))),
            "amount": lines.groupby("order_id", sort=False)["amount"].sum().reindex(first["order_id"]).to_numpy(),
        }
    )
    return orders.groupby(["account", "issued", "order"])["amount"].sum().reset_index()


def _terms(scene: Scene, rng: np.random.Generator) -> Integers:
    """Days to pay of each customer: by chance, but long enough for those who are used to pay early.

    So a payment hardly ever has to wait for the day after the invoice, where it would say less.
    """
    usual, noise = scene.accounts.usual["pay_days"], SIGNALS["pay_days"].noise
    place = rng.choice(len(TERMS), len(usual), p=TERMS_SHARE)
    needed = np.searchsorted(TERMS, 1 + ROOM * noise - usual)
    return np.array(TERMS)[np.clip(np.maximum(place, needed), 0, len(TERMS) - 1)]


def finances_observed(scene: Scene, tables: Mapping[str, pd.DataFrame]) -> list[Observations]:
    """What the invoices say of the signals, each on the day on which it was known: no dispute when it is paid.

    Payments on the first open day after the invoice are left out: they may have had to wait for it.
    """
    if "finances" not in tables:
        return []
    span, office = scene.span, WorkingTime.of(scene.span)
    rows = tables["finances"].drop_duplicates()
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(rows["customer_id"]))
    issued_at = rows["issued_at"].to_numpy()

    def seen(signal: str, chosen: Booleans, at: str, value: Floats) -> Observations:
        return Observations(signal, account[chosen], known_day(span, rows[chosen], at), value)

    confirmed = rows["confirmed_at"].notna().to_numpy()
    waited = office.between(issued_at[confirmed], rows.loc[confirmed, "confirmed_at"].to_numpy())
    paid = rows["paid_at"].notna().to_numpy()
    free = paid.copy()
    paid_day = span.day(rows.loc[paid, "paid_at"].to_numpy())
    free[paid] = paid_day > opened(span, span.day(issued_at[paid]) + 1)
    late = span.day(rows.loc[free, "paid_at"].to_numpy()) - span.day(rows.loc[free, "due_at"].to_numpy())
    # A no may yet turn into a yes, until the invoice is paid.
    disputed = rows["disputed_at"].notna().to_numpy()
    peaceful = paid & ~disputed
    return [
        seen("confirm_days", confirmed, "confirmed_at", np.log(np.maximum(waited, 1 / DAY_SECONDS))),
        seen("pay_days", free, "paid_at", late.astype(float)),
        seen("disputed", disputed, "disputed_at", np.ones(int(disputed.sum()))),
        seen("disputed", peaceful, "paid_at", np.zeros(int(peaceful.sum()))),
    ]
