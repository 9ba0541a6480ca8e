"""What the pages of tasks are made of: which tasks are wanted, how one is told, what set it off, its case."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pandas as pd

from serving.api_data import listed, room, seen
from serving.api_settings import terms_now
from serving.change_words import rule_text
from serving.charts import SIGNS
from serving.desk import TASKS
from serving.list_rows import NONE, Choice, are_of, as_records, week_end
from serving.pages.list_cells import Cells
from serving.pages.today import NOBODY
from serving.pages.view import DASH, View, unknown
from serving.task_kinds import title_of
from serving.wording import dimension_name
from serving.words.choices import CHOICES, choice_name
from serving.words.columns import FACTS, Column
from serving.words.lists import list_name
from serving.words.speech import plural, text
from serving.words.task_words import ENDED_BY, MISSING, NEEDS, SUPERSEDED

#: When a task is due, as the page groups it.
GROUPS = {
    "overdue": text("Overdue"), "today": text("Today"), "week": text("This week"), "later": text("Later"),
}  # fmt: skip
#: The three lists of planned contacts, the most pressing first, and how many rows of each stand beside the tasks.
PLANNED, PLANS = ("contact_overdue", "contact_today", "contact_this_week"), 5
#: What people changed, by the kind of task that answers it: which choice its values are of.
_CHANGED = {"temperature_down": "temperature", "risk_high": "risk", "contact_changed": ""}


@dataclass(frozen=True)
class Asked:
    """What the address of the tasks asks for.

    Attributes
    ----------
    owner
        None where it does not say: a rep's own tasks then, everybody's for the others; "" for all.
    everything
        Also open tasks beyond what fits into their owners' day.
    """

    owner: str | None = None
    team: str | None = None
    kind: str | None = None
    due: str = ""
    state: str = "open"
    asleep: bool = False
    everything: bool = False

    def owner_for(self, view: View) -> str:
        """Whose tasks are wanted; "" for everybody's."""
        return (view.visit.caller.scope or "") if self.owner is None else self.owner


@dataclass(frozen=True)
class Found:
    """The tasks that are wanted.

    Attributes
    ----------
    whole
        Those that the caller may see, whatever else is asked.
    rows
        The wanted ones, the first due first; of those that ended, the newest end first.
    counts
        Of each group of :data:`GROUPS`, before the address chooses one.
    beyond
        How many more there are that do not fit into their owners' day.
    """

    whole: pd.DataFrame
    rows: pd.DataFrame
    counts: Mapping[str, int]
    beyond: int


def found(view: View, asked: Asked) -> Found:
    """The tasks that an address asks for, of those that the caller may see."""
    visit, is_open = view.visit, asked.state == "open"
    held = visit.service.desk.look().rows(TASKS) if is_open else visit.service.store.tasks(state=asked.state).rows
    whole = seen(visit, held)
    rows = whole
    if is_open and not asked.asleep:
        rows = rows[~(rows["snoozed_until"] > pd.Timestamp(visit.today))]
    for name, value in (("owner", asked.owner_for(view)), ("team", asked.team), ("kind", asked.kind)):
        if value:
            rows = rows[rows[name].isna() if value == NONE else rows[name] == value]
    beyond = pd.Series(False, index=rows.index)
    if is_open and not asked.everything:
        beyond = are_of(rows["task_id"], room(visit, visit.today).left["task_id"])
    rows = rows[~beyond]
    if not is_open:
        rows = rows.sort_values(["closed_at", "task_id"], ascending=[False, True], kind="stable")
        return Found(whole, rows.reset_index(drop=True), {}, 0)
    groups = grouped(view, rows["due_on"])
    counts = {code: int((groups == code).sum()) for code in GROUPS}
    rows = rows[groups == asked.due] if asked.due else rows
    return Found(whole, rows.reset_index(drop=True), counts, int(beyond.sum()))


def grouped(view: View, due_on: pd.Series) -> pd.Series:
    """The group of each due day."""
    today = view.visit.today
    last = week_end(today, terms_now(view.service).week_ends)
    groups = pd.Series("later", index=due_on.index, dtype="object")
    groups = groups.mask(due_on <= pd.Timestamp(last), "week").mask(due_on <= pd.Timestamp(today), "today")
    return groups.mask(due_on < pd.Timestamp(today), "overdue")


def owners_among(view: View, rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Who has tasks among some, by name."""
    names = [(name, name) for name in sorted({name for name in rows["owner"].tolist() if isinstance(name, str)})]
    return [*names, *([(NONE, view.say(NOBODY))] if rows["owner"].isna().any() else [])]


# One task


@dataclass(frozen=True)
class Standing:
    """How the customers of some tasks stand: their level, and whether the caller may open their page."""

    levels: Mapping[str, str]
    open_to: frozenset[str]


def standing_of(view: View, customers: list[str]) -> Standing:
    """How some customers stand now."""
    company = view.service.desk.look().company
    mine = company.mine(view.visit.caller)
    places = {one: place for one in customers if (place := company.place(one)) is not None}
    seen_ones = {one: place for one, place in places.items() if mine is None or mine[place]}
    levels = company.profile["level"].take(list(seen_ones.values())).tolist()
    told = {one: level for one, level in zip(seen_ones, levels, strict=True) if level in SIGNS}
    return Standing(told, frozenset(seen_ones))


def task_row(view: View, row: Mapping[str, Any], standing: Standing) -> dict[str, Any]:
    """A task as a row shows it; `row` holds days as days or ISO text."""
    customer = row["customer_id"]
    due, today = _day(row["due_on"]), view.visit.today
    late = (today - due).days if row["state"] == "open" else 0
    asleep = row["snoozed_until"] is not None and _day(row["snoozed_until"]) > today and row["state"] == "open"
    return {
        "id": row["task_id"],
        "title": title_of(row["kind"], {"customer_id": customer, **row["facts"]}, view.locale),
        "address": view.link("tasks", row["task_id"]),
        "customer": row["facts"].get("name") or customer,
        "customer_id": customer,
        "customer_address": view.link("customers", customer) if customer in standing.open_to else "",
        "level": standing.levels.get(customer, ""),
        "owner": row["owner"] or view.say(NOBODY),
        "team": choice_name("team", row["team"], view.locale) if row["team"] in CHOICES["team"] else row["team"],
        "due": view.day(due),
        "late": view.count(LATE, late) if late > 0 else "",
        "asleep": view.say(ASLEEP, day=view.day(row["snoozed_until"])) if asleep else "",
        "needs": bool(row["needs"]),
        "version": row["version"],
        "state": row["state"],
        "end": told_end(view, row) if row["state"] != "open" else None,
    }


def told_end(view: View, row: Mapping[str, Any]) -> dict[str, Any]:
    """How a task ended: the state, when, by whom, and what was told."""
    result = dict(row["result"] or {})
    lines = []
    if (by := result.pop("by", "")) in ENDED_BY:
        lines.append(view.say(ENDED_BY[by]))
    if row["state"] == "waived" and result.get("reason") == "superseded":
        lines.append(view.say(SUPERSEDED))
        result.pop("reason")
    for name, value in result.items():
        told = choice_name(name, value, view.locale) if value in CHOICES.get(name, {}) else str(value)
        lines.append(view.say(TOLD, name=view.say(NEEDS[name]), value=told) if name in NEEDS else told)
    who = row["closed_by"] or ""
    return {
        "state": choice_name("task_state", row["state"], view.locale),
        "at": view.moment(row["closed_at"]),
        "by": "" if who == "system" else who,
        "lines": lines,
    }


def set_off_by(view: View, task: Mapping[str, Any]) -> dict[str, Any]:
    """Why a task was set off: sentences, and the figures behind it, as far as there are words for them."""
    facts, lines = task["facts"], []
    if rule := facts.get("rule"):
        lines.append(rule_text(rule, view.locale))
    if facts.get("dimension"):
        lines.append(view.say(SPEAKS, dimension=dimension_name(facts["dimension"], view.locale)))
    kind = _CHANGED.get(task["kind"])
    if kind is not None and "new" in facts:
        before, after = (_changed(view, kind, facts.get(name)) for name in ("old", "new"))
        lines.append(view.say(FROM_TO, before=before, after=after))
    if facts.get("budget_line") == "retention":
        lines.append(view.say(BUDGET))
    if months := facts.get("budget_months"):
        lines.append(view.say(MONTHS, months=", ".join(map(str, months))))
    told = {**facts, **dict(facts.get("evidence") or {})}
    if "lost_on" in told or told.get("crossed_on") == task["created_on"]:
        told.pop("crossed_on", None)  # says nothing more
    cells = Cells(view)
    return {
        "lines": lines,
        "facts": [
            {"label": view.say(column.heading), "text": _fact(view, cells, column, told[name])}
            for name, column in FACTS.items()
            if name in told and not unknown(told[name])
        ],
        "missing": list(dict.fromkeys(view.say(MISSING[one]) for one in facts.get("missing") or () if one in MISSING)),
        "told": ", ".join(one for one in facts.get("recipients") or () if one != task["owner"]),
    }


def _fact(view: View, cells: Cells, column: Column, value: Any) -> str:
    if column.kind == "level":
        return view.level(value)["name"] if value in SIGNS else DASH
    return cells.told(column, value)


def _changed(view: View, kind: str, value: str | None) -> str:
    if unknown(value):
        return view.unknown
    return choice_name(kind, str(value), view.locale) if value in CHOICES.get(kind, {}) else str(value)


def others_of(view: View, task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The other tasks of the same case that the caller may see, the first due first."""
    if not task["case_id"]:
        return []
    rows = seen(view.visit, view.service.store.tasks(customer_id=task["customer_id"]).rows)
    rows = rows[(rows["case_id"] == task["case_id"]) & (rows["task_id"] != task["task_id"])]
    standing = standing_of(view, [task["customer_id"]])
    return [
        {**task_row(view, row, standing), "word": choice_name("task_state", row["state"], view.locale)}
        for row in as_records(rows)
    ]


def warning_line(view: View, task: Mapping[str, Any], standing: Standing) -> dict[str, Any] | None:
    """The warning that a task belongs to; None where there is none, it is left alone, or not the caller's to see."""
    if not task["episode_id"]:
        return None
    rows = view.service.store.episodes(customer_id=task["customer_id"]).rows
    row = next((row for row in as_records(rows) if row["episode_id"] == task["episode_id"]), None)
    customer = task["customer_id"]
    # A task may be the caller's own and its customer somebody else's: then so is the warning.
    if row is None or row["arm"] != "shown" or customer not in standing.open_to:
        return None
    return {
        "level": row["level"] if row["level"] in SIGNS else "none",
        "opened": view.day(row["opened_on"]),
        "step": choice_name("step", row["step"], view.locale),
        "closed": view.day(row["closed_on"]) if row["closed_on"] else "",
        "address": view.link("customers", customer) + "#warning",
    }


# Planned contacts


@dataclass(frozen=True)
class Plans:
    """One of the lists of planned contacts, as far as it stands beside the tasks."""

    view: View
    name: str
    owner: str

    @cached_property
    def told(self) -> dict[str, Any]:
        """Its name, its first rows and how many there are."""
        listing = listed(self.view.visit, self.name, Choice(owner=self.owner or None))
        return {
            "name": list_name(self.name, self.view.locale),
            "address": self.view.link("lists", self.name, owner=self.owner),
            "absent": listing.source_absent,
            "total": len(listing.rows),
            "rows": [
                {
                    "name": row["name"] or row["customer_id"],
                    "address": self.view.link("customers", row["customer_id"]),
                    "day": self.view.day(row["next_action_on"]),
                    "text": row["next_action_text"] or "",
                }
                for row in as_records(listing.rows.head(PLANS))
            ],
        }


def planned(view: View, owner: str) -> list[dict[str, Any]]:
    """The three lists of planned contacts, of one sales person or of all that the caller may see."""
    mine = "" if view.visit.caller.scope is not None else owner
    return [Plans(view, name, mine).told for name in PLANNED]


def _day(value: date | str) -> date:
    return date.fromisoformat(value[:10]) if isinstance(value, str) else value


LATE = plural("{n} day late", "{n} days late")
ASLEEP = text("Put off until {day}")
TOLD = text("{name}: {value}")
SPEAKS = text("The signs are strongest here: {dimension}.")
FROM_TO = text("It changed from {before} to {after}.")
BUDGET = text("It may be paid from the retention budget.")
MONTHS = text("The customer's budget is decided soon, in the months: {months}.")
