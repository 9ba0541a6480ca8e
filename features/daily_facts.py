"""What lists and rules need of each customer beside its features: its file, its dates, its newest figures.

One row per customer that is known at the cutoff, read in one pass over each bucket. What no source tells is unknown,
never 0; what the orders tell is 0 where there were none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from features import building, cutoffs
from features.briefs import planned_action
from features.buckets import Events
from features.cutoffs import past
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.importance import rank_of
from features.issues import absent
from features.options import Value, resolved
from features.relations import RELATIONS
from features.sql import name_sql

#: Where the rank of a customer comes from.
FILE, EARNED = "file", "earned"
#: What a rank is earned by.
_EARNED_FROM = ("revenue_365d", "order_days_365d", "margin_share_365d", "days_since_last_order")
#: Columns of `customers` that are facts as they stand there.
_FILED = ("name", "industry", "province", "city", "type", "source", "manager", "parent_id")
_DATES = (
    "next_action_on",
    "contact_changed_on",
    "last_file_change_on",
    "first_order_on",
    "last_order_on",
    "longest_gap_ended_on",
    "last_contact_on",
    "last_visit_on",
    "last_coupon_on",
    "last_lost_quote_on",
)
#: Figures of the orders: 0 for a customer that has not ordered.
_FIGURES = (
    "revenue_previous_month",
    "orders_month_to_date",
    "revenue_month_to_date",
    "orders_previous_month_to_date",
    "revenue_previous_month_to_date",
    "amount_30d",
    "amount_30d_before",
    "orders_30d",
    "orders_30d_before",
)
#: Figures of the orders that are unknown without the orders that they need.
_NUMBERS = (
    "last_order_amount",
    "gap_before_last_order_days",
    "longest_gap_ended_days",
    "longest_gap_ended_amount",
)
COLUMNS = (
    "customer_id",
    "name",
    "industry",
    "region",
    "province",
    "city",
    "type",
    "source",
    "rank",
    "rank_by",
    "rank_by_trade",
    "owner",
    "manager",
    "parent_id",
    "order_pattern",
    "temperature",
    "risk",
    "growth",
    "main_product_line",
    "competitor_present",
    "budget_months",
    "next_action_on",
    "next_action_text",
    "contact_changed_on",
    "last_file_change_on",
    "first_order_on",
    "last_order_on",
    "last_order_amount",
    "gap_before_last_order_days",
    "longest_gap_ended_on",
    "longest_gap_ended_days",
    "longest_gap_ended_amount",
    "last_contact_on",
    "last_visit_on",
    "last_coupon_on",
    *_FIGURES,
    "last_lost_quote_on",
    "last_two_ratings",
    "contracts",
)


def daily_facts(
    events: Events,
    as_of: date,
    *,
    options: Mapping[str, object] | None = None,
    engine: Engine = ONE_BY_ONE,
) -> pd.DataFrame:
    """The facts of every customer that is known at midnight of a date.

    Parameters
    ----------
    options
        Values of :mod:`features.options` that differ from their defaults; a rank is earned by them.
    engine
        What maps the buckets.

    Returns
    -------
    DataFrame
        Ordered by customer, with a plain range index: :data:`COLUMNS` and every column of `customers` beyond the
        contract under its own name, but for one that bears the name of a fact. Days are ``datetime.date`` in object
        columns, money and counts float64.

        A rank is that on file (``rank_by`` is ``file``), else the one that the customer has earned (``earned``); both
        are missing for a customer without rank and order. ``rank_by_trade`` is what the past year's trade earns,
        whether the customer is dormant now or not. The month to date is that of the day before `as_of`, with that day,
        so that the first of a month still tells of the whole month before; it is compared with as many days from the
        first of the month before it, or with those right before it where that one is shorter. The longest gap between
        order days that ended in the month to date stands with the day, the days and the amount of the order that ended
        it. ``contact_changed_on`` is the newest change of the contact on file, or the last day of a key contact
        who left. ``gap_before_last_order_days`` are the days between the newest order day and the one before it.
        ``main_product_line`` is the one that most was spent on in the past year. ``last_two_ratings`` are numbers, the
        newest last; ``contracts`` mappings of ``signed_on``, ``starts_on`` and ``ends_on``, the oldest first; both None
        where the source tells of none at all.

    Raises
    ------
    SettingsError
        If an option is unknown.
    """
    parts = map_buckets(_Facts(as_of, resolved(options or {})), events, engine, "facts")
    whole = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(whole, ignore_index=True).sort_values("customer_id", ignore_index=True)


@dataclass(frozen=True)
class _Facts:
    """The facts of one bucket, in a form that another process can be handed."""

    as_of: date
    options: Mapping[str, Value]

    def __call__(self, events: Events, bucket: int) -> pd.DataFrame:
        """Read one bucket."""
        with events.connect(bucket) as con:
            cutoffs.lay_out_time(con)
            features = building.build(
                con, [self.as_of], events.columns, options=self.options, only=_EARNED_FROM
            ).set_index("customer_id")
            own = [name for name in events.further if name not in COLUMNS]
            facts = con.sql(_query(self.as_of, events.columns, own)).to_arrow_table().to_pandas()
        return _finished(facts, features, self.options, own)


def _query(as_of: date, present: building.Present, own: list[str]) -> str:
    """SQL of the facts but for the rank: one row per customer on file or with an order known by then."""
    filed = ", ".join(map(name_sql, (*_FILED, *own)))
    stands = "a.owner, a.rank, a.order_pattern, a.temperature, a.risk, a.growth, a.region"
    parts = {
        "sales": _sales(as_of),
        "contacted": "SELECT customer_id, max(day) AS last_contact_on, max(day) FILTER (channel = 'visit') AS "
        f"last_visit_on FROM ({past('interactions')}) GROUP BY ALL",
        "coupons": f"SELECT customer_id, max(day) AS last_coupon_on FROM ({past('promotions')}) GROUP BY ALL",
        "lost_quotes": "SELECT customer_id, max(CAST(coalesce(closed_at, quoted_at) AS DATE)) AS last_lost_quote_on "
        f"FROM ({past('quotes')}) WHERE status = 'lost' GROUP BY ALL",
        "changes": _changes(),
        "rated": "SELECT customer_id, list(hundredths / 100.0 ORDER BY rating_no DESC) AS last_two_ratings "
        f"FROM ({RELATIONS['ratings'].sql}) WHERE rating_no <= 2 GROUP BY ALL",
        "signed": "SELECT customer_id, list({'signed_on': day, 'starts_on': CAST(starts_at AS DATE), 'ends_on': "
        f"CAST(ends_at AS DATE)}} ORDER BY day, contract_id) AS contracts FROM ({past('contracts')}) GROUP BY ALL",
        "lines": "SELECT customer_id, arg_max(product_line, (amount_365d, product_line)) AS main_product_line "
        f"FROM ({RELATIONS['product_lines'].sql}) WHERE amount_365d > 0 GROUP BY ALL",
        "stands": RELATIONS["account_file"].sql,
    }
    rows = ", ".join(f"{name} AS ({sql})" for name, sql in parts.items())
    joined = " ".join(f"LEFT JOIN {name} USING (customer_id)" for name in parts)
    figures = ", ".join(f"CAST(coalesce({name}, 0) AS DOUBLE) AS {name}" for name in _FIGURES)
    dates = ", ".join(name for name in _DATES if name != "next_action_on")
    known = ", ".join(f"CAST({name} AS DOUBLE) AS {name}" for name in _NUMBERS)
    lists = ", ".join(
        f"coalesce({name}, []) AS {name}" if not absent(present, needed) else f"NULL AS {name}"
        for name, needed in (("last_two_ratings", "services.rating"), ("contracts", "contracts"))
    )
    return (
        f"WITH {rows}, known AS (SELECT customer_id FROM customers UNION SELECT customer_id FROM sales) "
        f"SELECT customer_id, {filed}, {stands}, stands.competitor_present, stands.budget_months, next_action, "
        f"{dates}, "
        f"main_product_line, {known}, {figures}, {lists} "
        f"FROM known JOIN accounts a USING (customer_id) LEFT JOIN (SELECT customer_id, {filed} FROM customers) "
        f"USING (customer_id) {joined} "
        "ORDER BY customer_id"
    )


def _sales(as_of: date) -> str:
    """SQL of what the orders tell: first and last one, the month to date, the last 30 days."""
    whole, until = _month_before(as_of), as_of.replace(day=1)
    month = (as_of - timedelta(days=1)).replace(day=1)
    so_far = as_of - month
    alike = min(_month_before(month), month - so_far)

    def between(what: str, first: date, until: date) -> str:
        return f"sum({what}) FILTER (day >= DATE '{first}' AND day < DATE '{until}')"

    figures = {
        "revenue_previous_month": between("amount", whole, until),
        "orders_month_to_date": between("orders", month, as_of),
        "revenue_month_to_date": between("amount", month, as_of),
        "orders_previous_month_to_date": between("orders", alike, alike + so_far),
        "revenue_previous_month_to_date": between("amount", alike, alike + so_far),
    }
    for what, counted in (("amount", "amount"), ("orders", "orders")):
        figures[f"{what}_30d"] = f"sum({counted}) FILTER (days_ago <= 30)"
        figures[f"{what}_30d_before"] = f"sum({counted}) FILTER (days_ago BETWEEN 31 AND 60)"
    gap = "day - lag(day) OVER (PARTITION BY customer_id ORDER BY day)"
    ended = f"is_order AND gap_days IS NOT NULL AND day >= DATE '{month}'"
    longest = {"on": "day", "days": "gap_days", "amount": "amount"}
    figures |= {
        f"longest_gap_ended_{name}": f"arg_max({what}, (gap_days, day)) FILTER ({ended})"
        for name, what in longest.items()
    }
    rows = f"SELECT *, {gap} AS gap_days FROM ({past('order_days')}) WHERE is_order"
    back = f"SELECT *, NULL AS gap_days FROM ({past('order_days')}) WHERE NOT is_order"
    newest = "max(day, 2) FILTER (is_order)"
    return (
        "SELECT customer_id, min(day) FILTER (is_order) AS first_order_on, max(day) FILTER (is_order) AS "
        "last_order_on, arg_max(amount, day) FILTER (is_order) AS last_order_amount, "
        f"{newest}[1] - {newest}[2] AS gap_before_last_order_days, "
        f"{', '.join(f'{sql} AS {name}' for name, sql in figures.items())} "
        f"FROM ({rows} UNION ALL {back}) GROUP BY ALL"
    )


def _month_before(day: date) -> date:
    """The first day of the month before that of a day."""
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def _changes() -> str:
    """SQL of what the changes of the file tell; a next action that was cleared is none."""
    newest = "arg_max(coalesce(new, ''), (changed_at, coalesce(new, ''))) FILTER (field = 'next_action')"
    return (
        "SELECT customer_id, max(contact_changed_on) AS contact_changed_on, max(day) AS last_file_change_on, "
        "max(next_action) AS next_action FROM ("
        f"SELECT customer_id, NULL::DATE AS contact_changed_on, max(day) AS day, {newest} AS next_action "
        f"FROM ({past('account_changes')}) GROUP BY ALL UNION ALL "
        "SELECT customer_id, as_of - CAST(min(days_ago) AS INTEGER), NULL, NULL "
        f"FROM ({RELATIONS['file_changes'].sql}) WHERE field = 'contact' AND new IS DISTINCT FROM old "
        "GROUP BY as_of, customer_id UNION ALL "
        "SELECT customer_id, as_of - CAST(min(lost_days_ago) AS INTEGER), NULL, NULL "
        f"FROM ({RELATIONS['key_contacts'].sql}) GROUP BY as_of, customer_id) GROUP BY customer_id"
    )


def _finished(
    facts: pd.DataFrame, features: pd.DataFrame, options: Mapping[str, Value], own: list[str]
) -> pd.DataFrame:
    """The facts with what Python tells better: the next action's day, the rank, plain lists."""
    planned = [planned_action(text) if _is_text(text) else (None, None) for text in facts["next_action"]]
    known = features.reindex(facts["customer_id"]).reset_index(drop=True)
    ordered = known["days_since_last_order"].notna() & (known["days_since_last_order"] >= 0)
    earned = rank_of(known, options).where(ordered)
    by_trade = rank_of(known.assign(days_since_last_order=0.0), options).where(ordered)
    filed = facts["rank"].notna()
    source = pd.Series(EARNED, index=facts.index, dtype="str").mask(filed, FILE)
    found = facts.assign(
        next_action_on=pd.Series([day for day, _ in planned], index=facts.index, dtype="object"),
        next_action_text=pd.Series([text or None for _, text in planned], index=facts.index, dtype="str"),
        rank=facts["rank"].where(filed, earned),
        rank_by=source.where(filed | earned.notna()),
        rank_by_trade=by_trade,
        **{name: _plain(facts[name]) for name in ("budget_months", "last_two_ratings", "contracts")},
        **{name: facts[name].astype("object").where(facts[name].notna(), None) for name in _DATES if name in facts},
        competitor_present=facts["competitor_present"]
        .astype("object")
        .where(facts["competitor_present"].notna(), None),
    )
    return found[[*COLUMNS, *own]]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _plain(column: pd.Series) -> pd.Series:
    """Arrays as lists, None where there is none."""
    values = [list(value) if hasattr(value, "__len__") else None for value in column]
    return pd.Series(values, index=column.index, dtype="object")
