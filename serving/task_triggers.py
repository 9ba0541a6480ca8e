"""What sets tasks off on a day: rules that fired, changes, contacts that are due, warnings, losses.

Nothing here asks whether there is such a task already; :mod:`serving.tasks` does.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from features.contract import TEMPERATURES
from models.warning_rule_list import WARNING_RULES
from serving.organisation import OrgChart
from serving.outcomes import lost_on
from serving.rows import records
from serving.task_kinds import CASE, CASE_RULES, CONTACT_KINDS, GREET, KINDS, TaskKind

#: Level of a warning -> the tasks that it sets off; a case besides from orange on.
LEVEL_KINDS: Mapping[str, tuple[str, ...]] = {
    "blue": ("attention",),
    "yellow": ("call_back",),
    "orange": CASE,
    "red": (*CASE, "executive_visit"),
}
#: What is read of a customer's facts; only the first must be there.
READS = (
    "customer_id", "name", "owner", "manager", "region", "rank", "stage", "last_order_on", "order_cycle_days",
    "churn_window_days", "first_order_on", "order_days_ever", "days_since_last_contact", "new_contact_hardly_known",
    "potential_churn", "budget_months",
)  # fmt: skip
_LOUD_RISKS = ("high", "urgent")
NO_ROW: Mapping[str, Any] = {}
#: The reason that :mod:`serving.stepping` gives for what a replaced run had opened.
SUPERSEDED = "superseded"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Terms:
    """What a company can set about tasks.

    Attributes
    ----------
    contact_days
        Rank -> days since the last contact from which on another one is due.
    greeting_days
        Days from a change of the contact until the new one is to have been visited.
    edit_is_no_change
        Whether a change of a contact that is flagged as an edit (a corrected spelling) sets off nothing.
    old_orders, old_days
        A customer is an old one from so many order days on, or so many days after its first order.
    told_within_days
        Losses, and silences that grew too long, further back are history: a store that is begun with years of data asks
        for nothing to be done about them.
    temperature_alarms
        Temperatures to which a fall calls for an answer.
    rule_teams
        Rule -> the team that it is a matter of.
    cooldown_days
        Cause -> days, where they differ from those of the kind.
    org
        Who is who.
    """

    contact_days: Mapping[str, int] = field(default_factory=lambda: {"A": 21, "B": 30, "C": 45, "D": 90})
    greeting_days: int = 21
    edit_is_no_change: bool = True
    old_orders: int = 3
    old_days: int = 180
    told_within_days: int = 31
    temperature_alarms: tuple[str, ...] = ("cool",)
    rule_teams: Mapping[str, str] = field(default_factory=lambda: {rule.code: rule.team for rule in WARNING_RULES})
    cooldown_days: Mapping[str, int] = field(default_factory=dict)
    org: OrgChart = field(default_factory=OrgChart)


@dataclass(frozen=True)
class Wanted:
    """Something that a kind of task answers, before it is asked whether there is one already."""

    kind: TaskKind
    customer_id: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    since: date | None = None
    checklist: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Day:
    """A day's frames, looked up by customer."""

    rows: Mapping[str, Row]
    rules: Mapping[str, list[str]]
    signals: list[Row]
    warnings: Mapping[str, Row]
    changes: list[Row]
    reviewed: Mapping[str, date]
    contact: Mapping[str, float]
    cases: Mapping[str, tuple[str, frozenset[str]]]
    taken: frozenset[tuple[str, str]]
    terms: Terms
    as_of: date


def day_of(
    today: pd.DataFrame,
    signals: pd.DataFrame,
    episodes: pd.DataFrame,
    entered: pd.DataFrame,
    changes: pd.DataFrame,
    tasks: pd.DataFrame,
    terms: Terms,
    as_of: date,
) -> Day:
    """The frames of a day, looked up by customer; parameters as :func:`serving.tasks.due_tasks`."""
    rows = {row["customer_id"]: row for row in records(today[[name for name in READS if name in today]])}
    standing = [row for row in records(episodes) if row["closed_on"] is None]
    kept = records(tasks)
    cases: dict[str, tuple[str, frozenset[str]]] = {}
    held: dict[str, set[str]] = {}
    for row in kept:
        if row["case_id"]:
            held.setdefault(row["case_id"], set()).add(row["kind"])
    for row in kept:
        if row["case_id"] and row["state"] == "open":
            cases[row["customer_id"]] = (row["case_id"], frozenset(held[row["case_id"]]))
    rules: dict[str, list[str]] = {}
    asked = sorted((row for row in kept if row["kind"] == "loss_review"), key=lambda row: row["created_on"])
    fired = records(signals)
    for row in fired:
        rules.setdefault(row["customer_id"], []).append(row["rule"])
    return Day(
        rows,
        rules,
        list(fired),
        {row["customer_id"]: row for row in standing},
        list(records(changes)),
        {row["customer_id"]: row["created_on"] for row in asked},
        _contact(rows, records(entered), as_of),
        cases,
        frozenset((row["customer_id"], row["cause"]) for row in kept if _blocks(row, terms, as_of)),
        terms,
        as_of,
    )


def _contact(rows: Mapping[str, Row], entered: Iterable[Row], as_of: date) -> dict[str, float]:
    """Days since the newest contact, of the source's and of those that people entered; only where one is known."""
    days = {customer: _number(row.get("days_since_last_contact")) for customer, row in rows.items()}
    for row in entered:
        if row["last_contact_on"] is not None:
            told = float((as_of - row["last_contact_on"]).days)
            days[row["customer_id"]] = float(np.fmin(told, days.get(row["customer_id"], told)))
    return {customer: value for customer, value in days.items() if value == value}


def wanted(day: Day) -> Iterator[Wanted]:
    """Everything that asks for a task on a day, whether there is one already or not."""
    yield from _by_rules(day)
    yield from _by_changes(day)
    yield from _by_contact(day)
    yield from _by_levels(day)
    yield from _by_losses(day)
    for customer, row in day.rows.items():
        if bool(row.get("potential_churn", 0) == 1) and _is_old(day, customer) and not _left_alone(day, customer):
            yield from _case(day, customer, CASE, {"rule": "potential_churn"})


def _by_rules(day: Day) -> Iterator[Wanted]:
    kinds = {rule: kind for kind in KINDS.values() for rule in kind.rules}
    for row in day.signals:
        customer, rule = row["customer_id"], row["rule"]
        if customer not in day.rows or _left_alone(day, customer):
            continue
        evidence = {"rule": rule, "evidence": dict(row.get("evidence") or {})}
        if rule in kinds:
            kind = kinds[rule]
            crossed = _crossed(row, day.as_of)
            if crossed is not None and (day.as_of - crossed).days > day.terms.told_within_days:
                continue  # no news: the lists name the customer
            checklist = None
            if kind.code == "orders_stopped" and _contact_changed(day, customer):
                checklist = (GREET, *kind.checklist)
            yield Wanted(kind, customer, evidence, crossed, checklist)
        if rule in CASE_RULES and _is_old(day, customer):
            yield from _case(day, customer, CASE, evidence)


def _crossed(signal: Row, as_of: date) -> date | None:
    """The day on which a silence of so many own cycles was reached, however late the run; else since when it fires."""
    told = signal.get("evidence") or {}
    multiple = next((value for name, value in told.items() if name.endswith("_order_multiple")), None)
    if multiple is None or "order_cycle_days" not in told or "days_since_last_order" not in told:
        return signal.get("since")
    late = told["days_since_last_order"] - math.ceil(multiple * told["order_cycle_days"])
    return as_of - timedelta(days=int(late))


def _by_changes(day: Day) -> Iterator[Wanted]:
    for row in day.changes:
        customer, field_name, new = row["customer_id"], row["field"], row["new"]
        told = {"old": row["old"], "new": new, "changed_on": row["on"]}
        if field_name == "temperature" and new in day.terms.temperature_alarms and _colder(row["old"], new):
            yield Wanted(KINDS["temperature_down"], customer, told)
        elif field_name == "risk" and new in _LOUD_RISKS and row["old"] not in _LOUD_RISKS:
            yield Wanted(KINDS["risk_high"], customer, told)
        elif field_name == "contact" and not (row.get("edit") and day.terms.edit_is_no_change) and new != row["old"]:
            yield Wanted(KINDS["contact_changed"], customer, told, row["on"])


def _colder(old: str | None, new: str) -> bool:
    """Whether a temperature fell; the first one on file counts as a fall."""
    return old is None or TEMPERATURES.index(new) > TEMPERATURES.index(old)


def _by_contact(day: Day) -> Iterator[Wanted]:
    for customer in day.contact:
        if customer in day.rows and contact_due(day, customer):
            rank = day.rows[customer]["rank"]
            days, limit = int(day.contact[customer]), day.terms.contact_days[rank]
            facts = {"rank": rank, "days_since_last_contact": days, "contact_days": limit}
            yield Wanted(KINDS[CONTACT_KINDS[rank]], customer, facts, day.as_of - timedelta(days=days - limit))


def _by_levels(day: Day) -> Iterator[Wanted]:
    for customer, row in day.warnings.items():
        if customer not in day.rows or _left_alone(day, customer):
            continue
        facts = {"level": row["level"], "dimension": row["dimension"]}
        codes = LEVEL_KINDS.get(row["level"], ())
        plain = [code for code in codes if code not in (*CASE, "executive_visit")]
        yield from (Wanted(KINDS[code], customer, facts) for code in plain)
        yield from _case(day, customer, [code for code in codes if code not in plain], facts)


def _case(day: Day, customer: str, codes: Iterable[str], facts: Mapping[str, Any]) -> Iterator[Wanted]:
    """The tasks of a case; of one that is open only what it lacks, and no second team while the first one's cools."""
    case, held = day.cases.get(customer, (None, frozenset()))
    cools = case is None and any((customer, KINDS[code].cause) in day.taken for code in CASE)
    budget = {"budget_line": "retention"}
    for code in codes:
        if code not in held and not (cools and code in CASE):
            yield Wanted(KINDS[code], customer, {**facts, **(budget if code == "executive_visit" else {})})


def _by_losses(day: Day) -> Iterator[Wanted]:
    for customer, row in day.rows.items():
        if row.get("stage") != "lost":
            continue
        lost, asked = lost_on(row, day.as_of), day.reviewed.get(customer)
        # One review for one silence: the day of the loss shifts with what is known of the cycle.
        again = asked is not None and (row.get("last_order_on") is None or asked > row["last_order_on"])
        if not again and (day.as_of - lost).days <= day.terms.told_within_days:
            yield Wanted(KINDS["loss_review"], customer, {"lost_on": lost.isoformat()}, lost)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _left_alone(day: Day, customer: str) -> bool:
    return bool(day.warnings.get(customer, NO_ROW).get("arm") == "holdout")


def contact_due(day: Day, customer: str) -> bool:
    """Whether the last contact lies as far back as the customer's rank allows; an unknown one is not due."""
    limit = day.terms.contact_days.get(str(day.rows[customer].get("rank")))
    return limit is not None and day.contact.get(customer, 0.0) >= limit


def _contact_changed(day: Day, customer: str) -> bool:
    """Whether the contact changed and the new one is hardly known."""
    known = day.rows[customer].get("new_contact_hardly_known")
    return known is not None and bool(known == 1)


def _is_old(day: Day, customer: str) -> bool:
    row = day.rows[customer]
    first = row.get("first_order_on")
    tenure = (day.as_of - first).days if first else 0
    return tenure >= day.terms.old_days or _number(row.get("order_days_ever")) >= day.terms.old_orders


def _blocks(row: Row, terms: Terms, as_of: date) -> bool:
    """Whether a task stands in the way of another of its cause: it is open, or ended so lately that the cause cools."""
    if row["state"] == "open":
        return True
    if row["state"] == "waived" and (row["result"] or {}).get("reason") == SUPERSEDED:
        return False  # the run that made it was replaced: nobody has dealt with it
    kind = KINDS.get(row["kind"])
    days = terms.cooldown_days.get(row["cause"], kind.cooldown_days if kind else 0)
    ended = row["closed_at"]
    return ended is not None and as_of < ended.date() + timedelta(days=days)
