"""What a changed setting would do today: levels, lists and tasks before and after, by the functions that make them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd

from models.levels import LEVELS, LOUDNESS
from serving.api_data import room
from serving.api_settings import MOST_PER_PERSON, NEW_PER_WEEK, PROFILE, THRESHOLDS, WEIGHTS
from serving.desk import Look
from serving.list_rows import NONE
from serving.list_settings import OF_LISTS, terms_with
from serving.lists import LISTS, morning
from serving.pages.view import View
from serving.wording import level_name
from serving.words.choices import choice_name
from serving.words.speech import text
from serving.workload import awake, within_capacity

#: Customers that are named.
MOST = 20
#: Settings that levels are given by.
OF_LEVELS = (THRESHOLDS, PROFILE, WEIGHTS)


@dataclass(frozen=True)
class Effect:
    """What a change does.

    Attributes
    ----------
    tables
        Counts before and after, as the templates lay them out.
    moved
        How many customers change their level or a list.
    shown
        The first of them, the most valuable first: name, address, level before and after, lists before and after.
    """

    tables: list[dict[str, Any]]
    moved: int
    shown: list[dict[str, Any]]


def effect(view: View, name: str, value: Any) -> Effect:
    """What a value of a setting would change today.

    Raises
    ------
    KizashiError
        If it cannot be told: the model or the events are not here.
    """
    look = view.service.desk.look()
    effects = view.service.effects
    if name in OF_LEVELS and effects is not None:
        levels = effects.levels(name, value).set_index("customer_id")
        return _of_levels(view, look, levels)
    if name in OF_LISTS:
        return _of_lists(view, look, look.company.profile["level"], {name: value})
    if name == MOST_PER_PERSON:
        return Effect([_tasks(view, look, value)], 0, [])
    if name == NEW_PER_WEEK and effects is not None:
        return Effect([_new_warnings(view, look, value if value is not None else effects.usual().get(name))], 0, [])
    return Effect([], 0, [])


def _of_levels(view: View, look: Look, levels: pd.DataFrame) -> Effect:
    profile = look.company.profile
    after = levels["after"].reindex(profile["customer_id"]).set_axis(profile.index).fillna("none")
    found = _of_lists(view, look, after, {})
    counts = [levels[side].value_counts() for side in ("before", "after")]
    rows = [(level_name(one, view.locale), int(counts[0].get(one, 0)), int(counts[1].get(one, 0))) for one in LEVELS]
    table = _table(view, view.say(text("Customers by level")), view.say(text("Level")), rows)
    return Effect([table, *found.tables], found.moved, found.shown)


def _of_lists(view: View, look: Look, level: pd.Series, changed: dict[str, Any]) -> Effect:
    """The lists with other levels or terms, and who moves."""
    company = look.company
    after = morning(
        company.profile.assign(level=level), view.service.store.account_states(), company.day.as_of,
        terms=terms_with(company.terms, changed),
    ).lists  # fmt: skip
    before = {name: look.rows(name) for name in LISTS}
    rows = [(choice_name("list", name, view.locale), len(before[name]), len(after[name])) for name in LISTS]
    here = pd.DataFrame(
        {
            "name": company.profile["name"] if "name" in company.profile else company.profile["customer_id"],
            "owner": company.profile["owner"],
            "level": company.profile["level"].fillna("none"),
            "new": level,
            "worth": company.profile["value_at_risk"].fillna(0.0),
        }
    ).set_axis(company.profile["customer_id"])
    for side, lists in (("on", before), ("then", after)):
        here[side] = [()] * len(here)
        for name in LISTS:
            on = here.index.isin(lists[name]["customer_id"])
            here.loc[on, side] = here.loc[on, side].map(lambda held, one=name: (*held, one))
    moved = here[(here["level"] != here["new"]) | (here["on"] != here["then"])]
    table = _table(view, view.say(text("Customers by list")), view.say(text("List")), rows)
    first = moved.sort_values("worth", ascending=False, kind="stable").head(MOST)
    return Effect([table], len(moved), [_moved(view, str(who), row) for who, row in first.iterrows()])


def _moved(view: View, customer_id: str, row: pd.Series) -> dict[str, Any]:
    names = {side: [choice_name("list", one, view.locale) for one in row[side]] for side in ("on", "then")}
    return {
        "name": row["name"] if isinstance(row["name"], str) else customer_id,
        "address": view.link("customers", customer_id),
        "owner": "" if row["owner"] == NONE or not isinstance(row["owner"], str) else row["owner"],
        "before": row["level"],
        "after": row["new"],
        "louder": LOUDNESS[row["new"]] > LOUDNESS[row["level"]],
        "on": view.say(text(", ")).join(names["on"]),
        "then": view.say(text(", ")).join(names["then"]),
    }


def _tasks(view: View, look: Look, value: Any) -> dict[str, Any]:
    """How many open tasks are shown and how many wait for room."""
    today, service = view.visit.today, view.service
    most = service.limits.most_per_person if value is None else int(value)
    before = room(view.visit, today)
    after = within_capacity(awake(service.store.tasks(state="open").rows, today), most, look.rows("red")["customer_id"])
    rows = [
        (view.say(text("Shown")), len(before.shown), len(after.shown)),
        (view.say(text("Not shown, for lack of room")), len(before.left), len(after.left)),
    ]
    return _table(view, view.say(text("Open tasks")), view.say(text("Tasks")), rows)


def _new_warnings(view: View, look: Look, value: Any) -> dict[str, Any]:
    """What the last week would have been with room for so many new warnings of each owner."""
    day = look.company.day.as_of
    opened = view.service.store.episodes(opened_from=day - timedelta(days=6)).rows["owner"].value_counts()
    fits = opened if value in (None, "") else opened.clip(upper=int(value))
    rows = [
        (view.say(text("New warnings of the last week")), int(opened.sum()), int(fits.sum())),
        (
            view.say(text("Most of one owner")),
            int(opened.max() if len(opened) else 0),
            int(fits.max() if len(fits) else 0),
        ),
    ]
    return _table(view, view.say(text("The last week, had this held")), view.say(text("Warnings")), rows)


def _table(view: View, caption: str, first: str, rows: list[tuple[str, int, int]]) -> dict[str, Any]:
    headings = [{"heading": first, "look": ""}]
    headings += [
        {"heading": view.say(one), "look": "number"} for one in (text("Now"), text("Then"), text("Difference"))
    ]
    told = [
        {"cells": [name, view.number(now), view.number(then), _difference(then - now, view)], "sum": False}
        for name, now, then in rows
    ]
    return {"caption": caption, "columns": headings, "rows": told}


def _difference(number: int, view: View) -> str:
    return view.number(number) if number <= 0 else f"+{view.number(number)}"
