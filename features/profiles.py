"""The profile of an account: fourteen items, each with a value or a note why there is none.

An absent source gives None and says so; it never becomes a 0. The figures of orders are those of the features.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import pandas as pd

from features.building import Present
from features.cutoffs import EVENT_TABLES, past
from features.deliveries import LONGEST_LEAD_DAYS
from features.importance import importance_factors, rank_of
from features.issues import absent
from features.options import Value
from features.registry import LOOKBACK_DAYS
from features.relations import RELATIONS
from features.rhythm import PATTERN_DAYS

#: Features that a profile is made from.
FACTS = (
    "revenue_365d",
    "order_days_365d",
    "margin_share_365d",
    "revenue_90d_vs_usual",
    "growth_level",
    "competitor_present",
    "days_since_last_order",
    "order_cycle_days",
    "days_to_next_expected_order",
    "filled_line_share_365d",
)
NO_TABLE = "source absent: no table of the contract holds"
NO_ORDER = "no order is known by then"


@dataclass(frozen=True)
class Item:
    """A value, a mapping of values or None; the note says why it is None, or what to know of it."""

    value: Any
    note: str = ""


@dataclass(frozen=True)
class Reading:
    """What a profile is read from.

    Attributes
    ----------
    con
        A connection to the rows of one account on which its features were built for one cutoff.
    present
        For each table that the source has, the columns that it fills.
    facts
        The account's features of :data:`FACTS`, as far as there are such; none before its first order.
    file
        What `customers` says of the account, as its file stood; empty without that table.
    options
        Values of :mod:`features.options`.
    """

    con: duckdb.DuckDBPyConnection
    present: Present
    as_of: date
    facts: Mapping[str, float]
    file: Mapping[str, Any]
    options: Mapping[str, Value]

    def first(self, query: str) -> dict[str, Any]:
        """The first row of a query; empty where it has none."""
        found = self.con.execute(query)
        names = [column[0] for column in found.description]
        rows = found.fetchall()
        return dict(zip(names, rows[0], strict=True)) if rows else {}

    def why_not(self, *needs: str) -> str:
        """Why nothing can be told from some tables or columns (``table.column``); empty where it can."""
        missing = absent(self.present, *needs)
        if missing:
            return f"source absent: {missing}"
        for table in dict.fromkeys(one.partition(".")[0] for one in needs):
            if table in EVENT_TABLES and self.first(f"SELECT days_of_{table} AS days FROM source_days")["days"] is None:
                return f"source not in use before {self.as_of}: {table}"
        return ""

    def item(self, query: str, *needs: str) -> Item:
        """The one row of a query as an item, or why it cannot be asked."""
        why = self.why_not(*needs)
        return Item(None, why) if why else Item(self.first(query))

    def fact(self, name: str) -> float | None:
        """A feature, None where it is unknown."""
        value = self.facts.get(name)
        return None if value is None or pd.isna(value) else float(value)


def profile(read: Reading) -> dict[str, Item]:
    """The fourteen items of an account at the cutoff, by name and in the order of the requirement."""
    sales = _sales(read)
    return {
        "basic_information": Item(dict(read.file)) if read.file else Item(None, read.why_not("customers")),
        "customer_classification": _classification(read),
        "contact_records": _contact_records(read),
        "customer_contact_files": Item(None, f"{NO_TABLE} documents"),
        "quotation_records": _quotation_records(read),
        "current_orders": _current_orders(read),
        "accounts_receivable": _receivable(read),
        "sales_expenses": Item(None, f"{NO_TABLE} expenses"),
        **sales,
        **_cycle(read, sales["last_order_date"].value),
    }


def card(read: Reading) -> dict[str, Item]:
    """Six values at a glance: class, sales of the last whole month, days without trade, last visit, days not visited,
    day of the newest coupon or promotion.
    """
    filed, earned = read.file.get("rank"), _earned_rank(read)
    month = "date_trunc('month', as_of)"
    last_month = f"day >= {month} - INTERVAL 1 MONTH AND day < {month}"
    sales = read.first(f"SELECT coalesce(sum(amount) FILTER ({last_month}), 0) AS sales FROM ({past('order_days')})")
    visit = read.item(
        f"SELECT max(day) AS last FROM ({past('interactions')}) WHERE channel = 'visit'", "interactions.channel"
    )
    last_visit = visit.value["last"] if visit.value else None
    coupon = read.item(f"SELECT max(day) AS last FROM ({past('promotions')})", "promotions")
    silent = read.fact("days_since_last_order")
    return {
        "abc_class": Item(filed or earned, "on file" if filed else "earned, none is on file" if earned else NO_ORDER),
        "sales_of_last_month": Item(sales["sales"]),
        "days_without_trade": Item(None, NO_ORDER) if silent is None else Item(int(silent)),
        "last_visit_date": Item(last_visit, visit.note or ("" if last_visit else "never visited")),
        "days_not_visited": Item(last_visit and (read.as_of - last_visit).days, visit.note),
        "last_coupon_date": Item(coupon.value and coupon.value["last"], coupon.note),
    }


def _frame(read: Reading) -> pd.DataFrame:
    """The features as the one-row frame that ranks are computed from."""
    return pd.DataFrame([dict(read.facts)], dtype="float64")


def _earned_rank(read: Reading) -> str | None:
    return str(rank_of(_frame(read), read.options).iloc[0]) if read.facts else None


def _classification(read: Reading) -> Item:
    now = read.first("SELECT * FROM accounts")
    filed = read.first(RELATIONS["account_file"].sql)
    factors: dict[str, float] = {}
    if read.facts:
        table = importance_factors(_frame(read), read.options)
        known = table[table["score"].notna()]
        factors = dict(zip(known["factor"].astype("str"), known["points"].astype("float64"), strict=True))
    return Item(
        {
            "rank": now.get("rank"),
            "earned_rank": _earned_rank(read),
            "importance": round(sum(factors.values()), 1) if factors else None,
            "importance_factors": {name: round(points, 1) for name, points in factors.items()} or None,
            "type": read.file.get("type"),
            "industry": read.file.get("industry"),
            "order_pattern": now.get("order_pattern"),
            "growth": now.get("growth"),
            "competitor_present": filed.get("competitor_present"),
            "temperature": now.get("temperature"),
            "stated_risk": now.get("risk"),
        },
        read.why_not("customers"),
    )


def _contact_records(read: Reading) -> Item:
    newest = "(occurred_at, interaction_id)"
    return read.item(
        "SELECT count(*) AS interactions, count(*) FILTER (days_ago <= 90) AS last_90_days, max(occurred_at) AS "
        f"last_at, arg_max(channel, {newest}) AS last_channel, arg_max(owner, {newest}) AS last_owner "
        f"FROM ({past('interactions')})",
        "interactions",
    )


def _quotation_records(read: Reading) -> Item:
    stood = "coalesce(status, 'open')"
    known = not absent(read.present, "quotes.status")
    counts = ", ".join(
        f"{f'count(*) FILTER ({stood} = {value!r})' if known else 'NULL'} AS {value}"
        for value in ("open", "won", "lost")
    )
    return read.item(
        f"SELECT count(*) AS quotes, sum(amount) AS amount, {counts}, max(quoted_at) AS last_at "
        f"FROM ({past('quotes')})",
        "quotes",
    )


def _current_orders(read: Reading) -> Item:
    found = read.item(
        "SELECT coalesce(sum(lines), 0) AS undelivered_lines, min(promised) FILTER (promised >= as_of) AS "
        "next_promised_on, coalesce(sum(lines) FILTER (promised < as_of), 0) AS late_lines "
        f"FROM ({past('deliveries', LOOKBACK_DAYS + LONGEST_LEAD_DAYS)}) WHERE delivered IS NULL",
        "transactions.promised_at",
        "transactions.delivered_at",
    )
    if found.value is None:
        return found
    return Item({**found.value, "fill_rate_365d": read.fact("filled_line_share_365d")})


def _receivable(read: Reading) -> Item:
    late = "coalesce(sum(amount) FILTER (due_at < as_of), 0)" if not absent(read.present, "finances.due_at") else "NULL"
    return read.item(
        f"SELECT coalesce(sum(amount), 0) AS owed, count(*) AS open_invoices, {late} AS overdue, "
        f"min(issued_at) AS oldest_issued_at FROM ({past('finances')}) WHERE amount > 0 AND paid_at IS NULL",
        "finances.paid_at",
    )


def _sales(read: Reading) -> dict[str, Item]:
    """First and last order, cumulative sales and gross profit, net of returns."""
    whole = read.first(
        "SELECT min(day) FILTER (is_order) AS first, max(day) FILTER (is_order) AS last, sum(amount) AS sales, "
        f"sum(margin) AS profit, sum(margin_amount) AS with_margin FROM ({past('order_days')})"
    )
    never = "" if whole["last"] else NO_ORDER
    margin = read.why_not("transactions.margin") or never
    if not margin and whole["with_margin"] != whole["sales"]:
        margin = f"known for {whole['with_margin'] or 0:,.2f} of the sales"
    return {
        "first_order_date": Item(whole["first"], never),
        "last_order_date": Item(whole["last"], never),
        "cumulative_sales": Item(whole["sales"], never if whole["sales"] is None else ""),
        "sales_gross_profit": Item(whole["profit"], margin),
    }


def _cycle(read: Reading, last: date | None) -> dict[str, Item]:
    """The days between orders, and when the next one is expected."""
    cycle = read.fact("order_cycle_days")
    if cycle is None or last is None:
        why = f"not known below {read.options['cycle_min_gaps']} gaps between order days" if last else NO_ORDER
        return {"average_purchase_cycle_days": Item(None, why), "estimated_next_purchase_date": Item(None, why)}
    pattern = read.first("SELECT order_pattern FROM accounts").get("order_pattern")
    filed = pattern if pattern in PATTERN_DAYS else None
    due = last + timedelta(days=int(cycle + 0.5))
    late = (read.as_of - due).days
    return {
        "average_purchase_cycle_days": Item(cycle, f"on file: {filed}" if filed else "median of its own gaps"),
        "estimated_next_purchase_date": Item(due, f"overdue by {late} days" if late > 0 else ""),
    }
