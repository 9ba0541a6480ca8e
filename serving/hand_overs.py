"""Accounts whose owner has changed in the data: what is open moves to the new owner, and a brief goes with it.

The daily run does for the source what :func:`serving.loop.hand_over` does for people. An account that a person has
handed over stays where it is until the source names anybody but the one who gave it away.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from serving.day_records import LoopState
from serving.ledger import SYSTEM, Event
from serving.rows import records
from serving.task_kinds import SALES

Row = Mapping[str, Any]
_NO_ROW: Row = {}
#: Moments of an account that its new owner is told: name -> the facts with its day and its money.
_MOMENTS = {
    "first_order": ("first_order_on", None),
    "last_order": ("last_order_on", "last_order_amount"),
    "last_contact": ("last_contact_on", None),
    "last_visit": ("last_visit_on", None),
}


@dataclass(frozen=True)
class HandedOver:
    """What changes hands on a day.

    Attributes
    ----------
    events
        The moves of warnings and tasks, and one ``owner_changed`` with its brief per account; each happens once.
    state
        The loop as it stands with them.
    """

    events: list[Event]
    state: LoopState

    @property
    def by_owner(self) -> dict[str, list[dict[str, Any]]]:
        """New owner -> ``customer_id``, ``from_owner`` and ``tasks`` of the accounts that came to it.

        The brief stays in the ledger, where whoever may see the account reads it.
        """
        told: dict[str, list[dict[str, Any]]] = {}
        for one in self.events:
            if one.kind == "owner_changed":
                row = {name: one.payload[name] for name in ("from_owner", "tasks")}
                told.setdefault(one.payload["to_owner"], []).append({"customer_id": one.customer_id, **row})
        return told


def handed_over(state: LoopState, facts: pd.DataFrame, signals: pd.DataFrame, changes: pd.DataFrame) -> HandedOver:
    """What moves to other owners, as the day's facts name them.

    Parameters
    ----------
    facts
        ``customer_id``, ``owner`` and what the brief tells; an account without an owner is handed to nobody.
    signals
        The rules that fired: open issues of the brief.
    changes
        Rows of the field ``owner`` tell of accounts with nothing open.
    """
    owners = {who: new for who, new in zip(facts["customer_id"], facts["owner"], strict=True) if isinstance(new, str)}
    former = _former(state, owners, changes)
    if not former:
        return HandedOver([], state)
    entered = {row["customer_id"]: row for row in records(state.accounts)}
    fired = signals[signals["customer_id"].isin(former)].groupby("customer_id")["rule"].agg(list).to_dict()
    warned = {row["customer_id"]: row for row in records(state.episodes) if row["closed_on"] is None}
    asked: dict[str, list[Row]] = {}
    for row in records(state.tasks):
        asked.setdefault(row["customer_id"], []).append(row)
    events = []
    for row in records(facts[facts["customer_id"].isin(former)]):
        who = row["customer_id"]
        told = _Account(row, entered.get(who, _NO_ROW), warned.get(who), asked.get(who, []), fired.get(who, []))
        events += told.events(former[who], owners[who], state)
    moved = {one.episode_id if one.kind == "episode_changed" else one.task_id for one in events}
    episodes = _with_owners(state.episodes, "episode_id", moved, owners)
    return HandedOver(
        events, replace(state, episodes=episodes, tasks=_with_owners(state.tasks, "task_id", moved, owners))
    )


def _former(state: LoopState, owners: Mapping[str, str], changes: pd.DataFrame) -> dict[str, list[str | None]]:
    """Customer -> whom the source does not name any more: owners of what is open, and those of changes of the file."""
    held = [(row["customer_id"], row["owner"]) for row in records(state.episodes) if row["closed_on"] is None]
    held += [(row["customer_id"], row["owner"]) for row in records(state.tasks) if row["team"] == SALES]
    held += [(row["customer_id"], row["old"]) for row in records(changes) if row["field"] == "owner"]
    given = {row["customer_id"]: (row["from_owner"], row["to_owner"]) for row in records(state.handed)}
    former: dict[str, list[str | None]] = {}
    for who, old in held:
        new = owners.get(who)
        if new is not None and new != old and given.get(who) != (new, old) and old not in former.get(who, []):
            former.setdefault(who, []).append(old)
    return former


@dataclass(frozen=True)
class _Account:
    """What is known of an account that changes hands, and what is open with it."""

    row: Row
    entered: Row
    warning: Row | None
    tasks: list[Row]
    rules: list[str]

    def events(self, former: list[str | None], owner: str, state: LoopState) -> list[Event]:
        """The moves from any of the former owners, and the change of hands itself."""
        who, events, moved = self.row["customer_id"], [], []
        for row in self.tasks:
            # a task of nobody goes along only where it is sales' own
            if row["owner"] in former and (row["owner"] is not None or row["team"] == SALES):
                said = {"owner": owner, "version": int(row["version"]) + 1}
                events.append(Event("task_changed", SYSTEM, state.at, said, who, row["episode_id"], row["task_id"]))
                moved.append(row["task_id"])
        if self.warning is not None and self.warning["owner"] in former:
            said = {"owner": owner, "version": int(self.warning["version"]) + 1}
            events.append(Event("episode_changed", SYSTEM, state.at, said, who, self.warning["episode_id"]))
        told = {
            "from_owner": next((one for one in former if one is not None), None),
            "to_owner": owner,
            "on": state.as_of,
            "brief": self.brief(),
            "tasks": moved,
        }
        once = f"owner:{who}:{state.as_of}:{owner}"
        return [*events, Event("owner_changed", SYSTEM, state.at, told, who, once=once)]

    def brief(self) -> dict[str, Any]:
        """The parts of :data:`serving.loop.BRIEF`; what people entered counts before the file."""
        contacts = [day for day in (self.row.get("last_contact_on"), self.entered.get("last_contact_on")) if day]
        file = {**self.row, "last_contact_on": max(contacts, default=None)}
        history = [
            {"kind": kind, "on": file[on], **({"amount": _number(file.get(amount))} if amount else {})}
            for kind, (on, amount) in _MOMENTS.items()
            if file.get(on) is not None
        ]
        issues = [{"kind": "task", "what": one["kind"], "since": one["created_on"]} for one in self.tasks]
        if self.warning is not None:
            issues.insert(0, {"kind": "warning", "what": self.warning["level"], "since": self.warning["opened_on"]})
        months = file.get("budget_months")
        return {
            "history": sorted(history, key=lambda one: str(one["on"])),
            "open_issues": [*issues, *({"kind": "rule", "what": rule, "since": None} for rule in sorted(self.rules))],
            "temperature": self.entered.get("temperature") or file.get("temperature"),
            "budget_months": [int(month) for month in months] if isinstance(months, Iterable) else None,
        }


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def _with_owners(frame: pd.DataFrame, key: str, moved: set[str | None], owners: Mapping[str, str]) -> pd.DataFrame:
    """The rows with the owners of those that moved, at the version that their events make."""
    here = frame[key].isin(moved)
    new = frame["customer_id"].map(owners)
    return frame.assign(owner=frame["owner"].mask(here, new), version=frame["version"] + here.astype("int64"))
