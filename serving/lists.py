"""The four working lists of a morning, and the digest of one person.

Lists say what to do when; levels say how far it has gone: a customer of any level may be on any list. Whoever is on
several of red, yellow and grey stands on the first of them, and the row names the others; the blue list, of what is
planned, goes beside all three. Lists are computed whenever they are read, so that what is entered changes them at once.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from features.briefs import plain
from models.warning_rules import WORKING_LISTS
from serving.list_rows import (
    NONE,
    Choice,
    Order,
    Terms,
    are_of,
    arranged,
    as_days,
    as_records,
    chosen,
    current,
    in_order,
    monday,
    period,
    week_end,
)

LISTS = ("red", "yellow", "blue", "grey")
#: What each row of the four lists has.
ROW = (
    "customer_id",
    "name",
    "owner",
    "rank",
    "level",
    "stage",
    "queue",
    "region",
    "industry",
    "days_since_last_order",
    "order_cycle_days",
    "days_late",
    "cycles",
    "days_since_last_interaction",
    "temperature",
    "stated_risk",
    "engine_risk",
    "why",
    "reasons",
    "next_step",
    "next_action_on",
    "next_action_text",
    "churn_probability",
    "shown",
    "value_at_risk",
    "expected_loss",
    "due_on",
    "also_on",
)
#: Codes of what puts a customer on a list besides the rules.
STATED_RISK, ENGINE, TEMPERATURE, PLANNED = "stated_risk", "engine_risk", "temperature", "next_action"
#: Sections of a digest, in the order of the morning routine, and what an empty one says.
SECTIONS, EMPTY = ("red", "yellow", "tasks"), "none"
#: What each open task has, and the order of them.
TASK_ROW = ("task_id", "customer_id", "name", "kind", "owner", "due_on")
TASK_ORDER: Order = (("due_on", True), ("customer_id", True), ("task_id", True))
#: So many of the strongest reasons stand in a row.
REASONS = 3
_REASON = ("feature", "value", "usual_value", "contribution")
#: The order of each list.
ORDER: Mapping[str, Order] = {
    "red": (("value_at_risk", False), ("cycles", False), ("customer_id", True)),
    "yellow": (("value_at_risk", False), ("days_since_last_interaction", False), ("customer_id", True)),
    "blue": (("next_action_on", True), ("value_at_risk", False), ("customer_id", True)),
    "grey": (("value_at_risk", False), ("days_since_last_order", True), ("customer_id", True)),
}


@dataclass(frozen=True)
class Morning:
    """The four lists of a day.

    Attributes
    ----------
    lists
        By the names of :data:`LISTS`: frames with the columns :data:`ROW`.
    tasks
        Open tasks of the chosen customers, the first due first: ``task_id``, ``customer_id``, ``name``, ``kind``,
        ``owner``, ``due_on`` (datetime64).
    week_ends_on
        The last working day of the week.
    quarter
        The first day of the quarter whose review set the grey list is.
    """

    as_of: date
    lists: Mapping[str, pd.DataFrame]
    tasks: pd.DataFrame
    week_ends_on: date
    quarter: date

    @property
    def counts(self) -> dict[str, int]:
        """How many customers are on each list."""
        return {name: len(rows) for name, rows in self.lists.items()}

    def to_dict(self) -> dict[str, Any]:
        """The whole as plain data for JSON."""
        return plain(
            {
                "as_of": self.as_of,
                "week_ends_on": self.week_ends_on,
                "quarter": self.quarter,
                "counts": self.counts,
                "lists": {name: as_records(rows) for name, rows in self.lists.items()},
            }
        )


def morning(
    profile: pd.DataFrame,
    entered: pd.DataFrame | None,
    as_of: date,
    *,
    reasons: pd.DataFrame | None = None,
    tasks: pd.DataFrame | None = None,
    terms: Terms | None = None,
    choice: Choice | None = None,
) -> Morning:
    """The four lists as they stand now.

    Red: a rule for the red list fires (RB-03), or a person states an urgent risk, or the engine's level is red; the
    row says which. To be dealt with by the end of the week. Yellow: a rule for it fires (RB-21), or the temperature is
    cool or below; by the end of the month. Blue: the next action is planned for this week or the next, weeks begin on
    Monday, and there was no contact on its day or later. Grey: a rule for it fires (RB-22); by the end of the quarter.

    Parameters
    ----------
    profile, entered
        As of :func:`serving.list_rows.current`.
    reasons
        Published reasons: ``customer_id``, ``position``, ``feature``, ``value``, ``usual_value``, ``contribution``.
    tasks
        ``task_id``, ``customer_id``, ``kind``, ``owner``, ``due_on``, ``state``.
    choice
        Which customers are wanted, and in what order; by default all.

    Raises
    ------
    SettingsError
        If a field or column of the choice is unknown.
    """
    terms, choice = terms or Terms(), choice or Choice()
    state = chosen(current(profile, entered, as_of), choice)
    made = morning_of(state, as_of, reasons=reasons, tasks=tasks, terms=terms)
    return replace(made, lists={name: arranged(rows, choice) for name, rows in made.lists.items()})


def morning_of(
    state: pd.DataFrame,
    as_of: date,
    *,
    reasons: pd.DataFrame | None,
    tasks: pd.DataFrame | None,
    terms: Terms,
) -> Morning:
    """The four lists of customers as they stand (:func:`serving.list_rows.current`), each in its own order.

    Whether a customer is on a list, and with what row, follows from that customer alone.
    """
    why = reasons_to_list(state, terms, as_of)
    open_ones = open_tasks(tasks, state)
    rows = {name: rows_of(name, state, why, reasons, open_ones, terms, as_of) for name in LISTS}
    return Morning(as_of, rows, open_ones, week_end(as_of, terms.week_ends), period(as_of, 3)[0])


Why = dict[str, dict[str, list[dict[str, Any]]]]


def reasons_to_list(state: pd.DataFrame, terms: Terms, as_of: date) -> Why:
    """Why customers belong on lists: list -> customer -> codes with their evidence, on every list that they meet."""
    why: Why = {name: {} for name in LISTS}

    def note(on: str, customer: Any, code: str, evidence: Mapping[str, Any]) -> None:
        why[on].setdefault(str(customer), []).append({"code": code, "evidence": dict(evidence)})

    rules = {rule.code: rule for rule in terms.rules if rule.working_list}
    for signal in terms.fired(state, tuple(rules.values())).to_dict("records"):
        note(str(rules[signal["rule"]].working_list), signal["customer_id"], signal["rule"], signal["evidence"])
    for column, code in (("stated_risk", STATED_RISK), ("engine_risk", ENGINE)):
        for customer, risk in _pairs(state[state[column].isin(terms.red_risks)], column):
            note("red", customer, code, {"risk": risk})
    for customer, how in _pairs(state[state["temperature"].isin(terms.yellow_temperatures)], "temperature"):
        note("yellow", customer, TEMPERATURE, {"temperature": how})
    first = pd.Timestamp(monday(as_of))
    planned = state["next_action_on"].between(first, first + timedelta(days=13)) & ~state["action_done"]
    for customer, day in _pairs(state[planned], "next_action_on"):
        note("blue", customer, PLANNED, {"next_action_on": day.date()})
    return why


def _pairs(rows: pd.DataFrame, column: str) -> Iterator[tuple[Any, Any]]:
    return zip(rows["customer_id"], rows[column], strict=True)


def rows_of(
    name: str,
    state: pd.DataFrame,
    why: Why,
    reasons: pd.DataFrame | None,
    tasks: pd.DataFrame,
    terms: Terms,
    as_of: date,
) -> pd.DataFrame:
    """The rows of one list in its own order, with the open tasks of :func:`open_tasks`."""
    louder = WORKING_LISTS[: WORKING_LISTS.index(name)] if name in WORKING_LISTS else ()
    here = [customer for customer in why[name] if not any(customer in why[other] for other in louder)]
    rows = state[state["customer_id"].isin(here)].reset_index(drop=True)
    customers = rows["customer_id"]
    told, first = top_reasons(reasons, customers), next_tasks(tasks)
    due = _due_on(name, rows, terms, as_of)
    steps = rows[["customer_id", "next_action_on", "next_action_text", "action_done"]].to_dict("records")
    rows = rows.assign(
        why=_objects([why[name][customer] for customer in customers]),
        reasons=_objects([told.get(customer, []) for customer in customers]),
        next_step=_objects([_step(first.get(str(row["customer_id"])), row) for row in steps]),
        due_on=due,
        also_on=_objects(
            [[other for other in LISTS if other != name and customer in why[other]] for customer in customers]
        ),
        owner=rows["owner"].fillna(NONE),
    )
    return in_order(rows[list(ROW)], ORDER[name])


def _objects(values: list[Any]) -> pd.Series:
    return pd.Series(values, dtype="object")


def _due_on(name: str, rows: pd.DataFrame, terms: Terms, as_of: date) -> pd.Series:
    """By when a customer of a list is to be dealt with."""
    if name == "blue":
        return rows["next_action_on"]
    ends = {
        "red": week_end(as_of, terms.week_ends),
        "yellow": period(as_of, 1)[1] - timedelta(days=1),
        "grey": period(as_of, 3)[1] - timedelta(days=1),
    }
    return pd.Series(pd.Timestamp(ends[name]), index=rows.index, dtype="datetime64[s]")


def _step(task: Mapping[str, Any] | None, row: Mapping[Any, Any]) -> dict[str, Any] | None:
    """What comes next: the open task that is due first, else the planned action that is not done."""
    if task is not None:
        return {"kind": "task", **task}
    day, text = _or_none(row["next_action_on"]), _or_none(row["next_action_text"])
    if (day is None and text is None) or row["action_done"]:
        return None
    return {"kind": PLANNED, "text": text, "due_on": day and day.date()}


def _or_none(value: Any) -> Any:
    return None if pd.isna(value) else value


def top_reasons(reasons: pd.DataFrame | None, customers: pd.Series) -> dict[str, list[dict[str, Any]]]:
    """By customer, the strongest reasons that raise the risk, as codes and numbers."""
    if reasons is None or reasons.empty:
        return {}
    raising = reasons[reasons["customer_id"].isin(set(customers)) & (reasons["contribution"] > 0)]
    best = raising.sort_values(["customer_id", "position"]).groupby("customer_id").head(REASONS)
    told: dict[str, list[dict[str, Any]]] = {}
    for row in best.to_dict("records"):
        told.setdefault(str(row["customer_id"]), []).append({name: _or_none(row[name]) for name in _REASON})
    return told


def open_tasks(tasks: pd.DataFrame | None, state: pd.DataFrame) -> pd.DataFrame:
    """The open tasks of some customers, the first due first."""
    columns = ("task_id", "customer_id", "kind", "owner", "due_on", "state")
    held = pd.DataFrame(columns=list(columns)) if tasks is None else tasks
    held = held[(held["state"] == "open") & are_of(held["customer_id"], state["customer_id"])]
    names = state.set_index("customer_id")["name"]
    rows = held.assign(
        name=held["customer_id"].map(names),
        owner=held["owner"].astype("str").fillna(NONE),
        due_on=as_days(held["due_on"]),
    )
    return in_order(rows[list(TASK_ROW)], TASK_ORDER)


def next_tasks(tasks: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """By customer, the open task that is due first."""
    first = tasks.drop_duplicates("customer_id")
    return {
        str(row["customer_id"]): {
            "task_id": row["task_id"],
            "code": row["kind"],
            "owner": row["owner"],
            "due_on": row["due_on"].date(),
        }
        for row in first.to_dict("records")
    }


def review_is_due(as_of: date, last_generated_on: date | None) -> bool:
    """Whether the grey list's review set of this quarter is still to be drawn up: once a quarter."""
    return last_generated_on is None or last_generated_on < period(as_of, 3)[0]


@dataclass(frozen=True)
class Section:
    """A part of a digest. An empty one stays and says so by its code.

    Attributes
    ----------
    code
        One of :data:`SECTIONS`.
    rows
        Customers with the columns :data:`ROW`; for ``tasks`` :data:`FOLLOW_UPS`.
    not_shown
        How many more there are than fit into the day.
    """

    code: str
    rows: pd.DataFrame
    not_shown: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The section as plain data: ``says`` is :data:`EMPTY` where there is nothing, ``not_shown`` tells of more."""
        says: dict[str, Any] = {"not_shown": self.not_shown} if self.not_shown else {}
        if self.rows.empty and not self.not_shown:
            says = {"says": EMPTY}
        return {"code": self.code, "count": len(self.rows), **says, "rows": as_records(self.rows)}


FOLLOW_UPS = ("customer_id", "name", "kind", "code", "task_id", "text", "due_on", "when")


def digest(today: Morning, owner: str, left: Collection[str] = ()) -> tuple[Section, ...]:
    """The morning of one person, in the order of the routine: red list, yellow list, tasks of today and this week.

    Follow-ups are the owner's open tasks and the planned actions of the owner's customers that are due by the end of
    the week (Sunday); ``when`` is ``overdue``, ``today`` or ``this_week``. Tasks with an id in `left` are counted as
    not shown.
    """
    lists = [Section(name, _owned(today.lists[name], owner)) for name in SECTIONS[:2]]
    sunday = monday(today.as_of) + timedelta(days=6)
    tasks = _owned(today.tasks, owner)
    beyond = tasks["task_id"].isin(left)
    not_shown = int((beyond & (tasks["due_on"] <= pd.Timestamp(sunday))).sum())
    tasks = tasks[~beyond]
    planned = _owned(today.lists["blue"], owner)
    follow = pd.concat(
        [
            tasks.assign(code=tasks["kind"], kind="task", text=None),
            planned.assign(code=PLANNED, kind=PLANNED, task_id=None, text=planned["next_action_text"]),
        ],
        ignore_index=True,
    )
    follow = follow[follow["due_on"] <= pd.Timestamp(sunday)]
    days = (follow["due_on"] - pd.Timestamp(today.as_of)).dt.days
    when = pd.Series("this_week", index=follow.index).mask(days == 0, "today").mask(days < 0, "overdue")
    follow = follow.assign(when=when)[list(FOLLOW_UPS)]
    rows = follow.sort_values(["due_on", "customer_id"], kind="stable", ignore_index=True)
    return (*lists, Section("tasks", rows, not_shown))


def _owned(rows: pd.DataFrame, owner: str) -> pd.DataFrame:
    return rows[rows["owner"] == owner].reset_index(drop=True)
