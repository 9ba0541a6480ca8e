"""Rows written in a test, or built from tables of a few rows, as rules are asked of them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd
from orders import laid_out, lines, present

from features import building
from features.options import resolved
from features.registry import registered
from models.warning_conditions import conditions
from models.warning_rule_list import WARNING_RULES
from models.warning_rules import WarningRule, rule_options, signals

JULY_1 = date(2024, 7, 1)
OPTIONS = rule_options({}, WARNING_RULES)
#: The features that some rule reads.
READ = {
    name
    for rule in WARNING_RULES
    for name in (
        *rule.shows,
        *(column for text in rule.texts for one in conditions(text) for column in one.columns({})),
    )
} & {one.name for one in registered()} | {
    f"{role}_interactions_90d{view}"
    for role in ("technical", "purchasing", "user", "executive")
    for view in ("", "_usual")
}


def ago(days: int) -> date:
    """The day that lies so many days before 1 July 2024."""
    return JULY_1 - timedelta(days=days)


def rows(**columns: Sequence[Any]) -> pd.DataFrame:
    """One row per value: customers c1, c2, ... on 1 July 2024."""
    count = len(next(iter(columns.values())))
    keys = {"customer_id": [f"c{number}" for number in range(1, count + 1)], "as_of": pd.Timestamp(JULY_1)}
    return pd.DataFrame(keys | {name: list(values) for name, values in columns.items()})


def fired(
    frame: pd.DataFrame, code: str, rules: Sequence[WarningRule] = WARNING_RULES, **options: object
) -> list[bool]:
    """Whether a rule fired, per row of the frame."""
    found = signals(frame, rules, rule_options(options, WARNING_RULES))
    return frame["customer_id"].isin(found.loc[found["rule"] == code, "customer_id"]).tolist()


def told(frame: pd.DataFrame, code: str, rules: Sequence[WarningRule] = WARNING_RULES, **options: object) -> pd.Series:
    """The only signal of a rule."""
    found = signals(frame, rules, rule_options(options, WARNING_RULES))
    return found[found["rule"] == code].squeeze(axis=0)


def declared(code: str) -> WarningRule:
    """A shipped rule."""
    return next(rule for rule in WARNING_RULES if rule.code == code)


def built(
    transactions: str,
    as_of: date = JULY_1,
    facts: Mapping[str, Any] | None = None,
    only: Sequence[str] = (),
    **others: str,
) -> pd.DataFrame:
    """What rules read of each customer: features from tables written by hand, with facts beside them."""
    ordered, tables = lines(transactions), {name: lines(text) for name, text in others.items()}
    with laid_out(ordered, **tables) as con:
        frame = building.build(con, [as_of], present(ordered, **tables), options=resolved({}), only={*(only or READ)})
    return frame.assign(**(facts or {}))


def orders(**customers: Sequence[int]) -> str:
    """Order lines of 100 each: customer -> the days ago on which it ordered."""
    said = [f"{who} {who}{days} {ago(days)} 100" for who, held in customers.items() for days in held]
    return "\n".join(["customer_id order_id ordered_at amount", *said])
