"""One account at a date: everything that a sales person wants to know before a call, as it was known then.

`customers` has no history: what was never changed through `account_changes` is today's value at every past date, too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd

from features import building, snapshots
from features.buckets import Events
from features.clocks import category_clocks
from features.contract import CONTRACT
from features.cutoffs import past
from features.engines import ONE_BY_ONE, Engine
from features.issues import Issues, open_issues
from features.narrowing import account_connection
from features.notes import notes
from features.options import resolved
from features.profiles import FACTS, Item, Reading, card, profile
from features.relations import RELATIONS
from features.sql import name_sql
from features.timelines import timeline

_PLANNED = re.compile(r"\s*(\d{4}-\d{2}-\d{2})\s*[:,-]?\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Ownership:
    """Who was in charge of an account, from when to before when; None where it began or ends unknown."""

    owner: str | None
    since: date | None
    until: date | None


@dataclass(frozen=True)
class NextAction:
    """The newest next action on file, which begins with its day: ``2026-10-03 call about the drawings``."""

    planned_on: date | None
    text: str
    owner: str | None
    noted_at: datetime


@dataclass(frozen=True)
class AccountBrief:
    """One account at a date.

    Attributes
    ----------
    file
        What `customers` says, as the file stood: every column that the source fills and every further one.
    profile, card
        The items of :mod:`features.profiles`.
    owner
        Who is in charge at the date.
    owners
        Who was in charge when, the oldest first; the last one still is.
    budget_months
        Months (1 to 12) in which the account's budget is settled.
    next_action
        None where nothing is planned.
    people
        Contacts in place: ``contact_id``, ``name``, ``title``, ``department``, ``role``, ``since``, ``last_contact``.
    changes
        Changes of the file, the newest first: ``changed_at``, ``field``, ``old``, ``new``, ``author``.
    notes
        Of :func:`features.notes.notes`.
    issues
        Of :func:`features.issues.open_issues`.
    clocks
        The account's rows of :func:`features.clocks.category_clocks`.
    timeline
        Of :func:`features.timelines.timeline`.
    """

    customer_id: str
    as_of: date
    file: Mapping[str, Any]
    profile: Mapping[str, Item]
    card: Mapping[str, Item]
    owner: str | None
    owners: tuple[Ownership, ...]
    budget_months: tuple[int, ...]
    next_action: NextAction | None
    people: pd.DataFrame
    changes: pd.DataFrame
    notes: pd.DataFrame
    issues: Issues
    clocks: pd.DataFrame
    timeline: pd.DataFrame

    @property
    def budget_is_near(self) -> bool:
        """Whether a budget month has come or begins next month."""
        return bool({self.as_of.month, self.as_of.month % 12 + 1} & set(self.budget_months))

    def newest(self, field: str) -> dict[str, Any] | None:
        """The newest change of a field: ``changed_at``, ``old``, ``new``, ``author``; None where there was none."""
        found = self.changes[self.changes["field"] == field]
        return None if found.empty else records(found.head(1))[0]

    def to_dict(self) -> dict[str, Any]:
        """The whole as plain data for JSON."""
        frames = {
            "people": self.people,
            "changes": self.changes,
            "notes": self.notes,
            "open_issues": self.issues.table,
            "category_clocks": self.clocks,
            "timeline": self.timeline,
        }
        return plain(
            {
                "customer_id": self.customer_id,
                "as_of": self.as_of,
                "profile": {name: vars(item) for name, item in self.profile.items()},
                "card": {name: vars(item) for name, item in self.card.items()},
                "owner": self.owner,
                "owners": [vars(one) for one in self.owners],
                "budget_months": self.budget_months,
                "budget_is_near": self.budget_is_near,
                "next_action": self.next_action and vars(self.next_action),
                "issues_unknown": self.issues.unknown,
                **{name: records(frame) for name, frame in frames.items()},
            }
        )


def account_brief(
    events: Events,
    customer_id: str,
    as_of: date,
    *,
    options: Mapping[str, object] | None = None,
    engine: Engine = ONE_BY_ONE,
) -> AccountBrief:
    """Everything that was known of an account at midnight of a date.

    Parameters
    ----------
    options
        Values of :mod:`features.options` that differ from their defaults.
    engine
        What maps the buckets, for what is compared with other accounts.

    Raises
    ------
    SettingsError
        If no such account was known by then, or an option is unknown.
    """
    values = resolved(options or {})
    with account_connection(events, customer_id, as_of) as con:
        starts = snapshots.all_starts(events, engine)
        frame = building.build(con, [as_of], events.columns, starts=starts, options=values, only=FACTS)
        facts = {name: frame[name].iloc[0] for name in FACTS if name in frame and len(frame)}
        # before its first order an account has no features, whatever came back to it
        facts = facts if facts.get("days_since_last_order", float("nan")) >= 0 else {}
        read = Reading(con, events.columns, as_of, facts, _file(con, events), values)
        changes = _changes(con)
        now = read.first("SELECT owner FROM accounts")
        months = read.first(f"SELECT budget_months FROM ({RELATIONS['account_file'].sql})").get("budget_months")
        clocks = category_clocks(events, as_of, options=options, engine=engine)
        return AccountBrief(
            customer_id=customer_id,
            as_of=as_of,
            file=read.file,
            profile=profile(read),
            card=card(read),
            owner=now.get("owner"),
            owners=ownerships(changes, now.get("owner")),
            budget_months=tuple(sorted(months or ())),
            next_action=_next_action(changes, now.get("owner")),
            people=_people(con),
            changes=changes,
            notes=notes(con).drop(columns="customer_id"),
            issues=_of_one(open_issues(con, events.columns)),
            clocks=clocks[clocks["customer_id"] == customer_id].drop(columns="customer_id").reset_index(drop=True),
            timeline=timeline(con).drop(columns=["as_of", "customer_id"]),
        )


def _of_one(issues: Issues) -> Issues:
    return Issues(issues.table.drop(columns="customer_id"), issues.unknown)


def _file(con: duckdb.DuckDBPyConnection, events: Events) -> dict[str, Any]:
    """The account's row of `customers`, with what `account_changes` says since."""
    if "customers" not in events.columns:
        return {}
    names = [name for name in CONTRACT["customers"].names if name in events.columns["customers"]]
    changed = {name: f"accounts.{name}" for name in ("owner", "rank", "order_pattern", "growth")} | {
        "credit_limit": "TRY_CAST(accounts.credit_limit AS DECIMAL(18,4))",
        "competitor_present": "stands.competitor_present",
    }
    shown = ", ".join(
        f"{changed.get(name, f'customers.{name_sql(name)}')} AS {name_sql(name)}" for name in [*names, *events.further]
    )
    found = con.execute(
        f"SELECT {shown} FROM customers JOIN accounts USING (customer_id) "
        f"JOIN ({RELATIONS['account_file'].sql}) stands USING (customer_id)"
    )
    columns = [column[0] for column in found.description]
    rows = found.fetchall()
    return dict(zip(columns, rows[0], strict=True)) if rows else {}


def _changes(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Changes of the file, the newest first; a missing old value is the new one of the change before."""
    before = "lag(new) OVER (PARTITION BY field ORDER BY changed_at, new, old)"
    found = con.execute(
        f"SELECT changed_at, field, coalesce(old, {before}) AS old, new, author FROM ({past('account_changes')}) "
        "ORDER BY changed_at DESC, field, new DESC, old DESC, author"
    ).df()
    text = dict.fromkeys(("field", "old", "new", "author"), "str")
    return found.astype({"changed_at": "datetime64[us]", **text})


def ownerships(changes: pd.DataFrame, filed: str | None) -> tuple[Ownership, ...]:
    """Who was in charge when, from the changes of an account's file, the newest first, and its owner on file."""
    moves = changes[(changes["field"] == "owner") & changes["new"].notna()].iloc[::-1]
    if moves.empty:
        return (Ownership(filed, None, None),)
    days = [moment.date() for moment in moves["changed_at"]]
    first = moves["old"].iloc[0]
    names = [None if pd.isna(first) else str(first), *moves["new"].astype(str)]
    spans = zip(names, [None, *days], [*days, None], strict=True)
    return tuple(Ownership(owner, since, until) for owner, since, until in spans)


def owner_on(owners: tuple[Ownership, ...], day: date) -> str | None:
    """Who was in charge at the end of a day."""
    began = [one.owner for one in owners if one.since is None or one.since <= day]
    return began[-1] if began else None


def _next_action(changes: pd.DataFrame, owner: str | None) -> NextAction | None:
    found = changes[changes["field"] == "next_action"]
    if found.empty or pd.isna(found["new"].iloc[0]) or not str(found["new"].iloc[0]).strip():
        return None
    row = found.iloc[0]
    planned, text = planned_action(str(row["new"]))
    return NextAction(planned, text, owner, row["changed_at"].to_pydatetime())


def planned_action(text: str) -> tuple[date | None, str]:
    """The day that a next action on file begins with, None where it begins with none, and what is left of its text."""
    dated = _PLANNED.fullmatch(text)
    if dated:
        try:
            return date.fromisoformat(dated[1]), dated[2].strip()
        except ValueError:
            return None, text.strip()
    return None, text.strip()


def _people(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Contacts in place, those with whom we spoke last first."""
    spoken = f"SELECT contact_id, max(day) AS last_contact FROM ({past('interactions')}) GROUP BY ALL"
    found = con.execute(
        "SELECT contact_id, name, title, department, role, CAST(valid_from AS DATE) AS since, last_contact "
        f"FROM ({past('contacts')}) LEFT JOIN ({spoken}) USING (contact_id) "
        "WHERE valid_to IS NULL AND coalesce(days_ago >= 1, true) "
        "ORDER BY last_contact DESC NULLS LAST, name, contact_id, since, title, department, role"
    ).df()
    text = dict.fromkeys(("contact_id", "name", "title", "department", "role"), "str")
    return found.astype({**text, "since": "datetime64[s]", "last_contact": "datetime64[s]"})


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as mappings, missing values as None."""
    return [{str(name): _value(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _value(value: Any) -> Any:
    if isinstance(value, tuple | list | dict):
        return value
    return None if pd.isna(value) else value


def plain(value: Any) -> Any:
    """A value made of what JSON knows: dates as ISO text, money as a number."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value.item() if hasattr(value, "item") else value
