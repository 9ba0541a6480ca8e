"""One sales person: the risks, tasks and silent customers they hold, their contacts by day, and their orders."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from fastapi import APIRouter
from fastapi.responses import Response

from serving.api_data import listed, open_tasks
from serving.api_errors import Refused
from serving.api_settings import terms_now
from serving.api_visit import Id
from serving.list_rows import NONE, Choice, as_records
from serving.pages.manager import by_week
from serving.pages.manager_loop import follow_ups
from serving.pages.manager_parts import (
    CUSTOMER,
    DAYS,
    SOME,
    change,
    contact_days,
    contact_rates,
    customer_cell,
    definitions,
    grid,
    listing_grid,
    person,
    team_of,
)
from serving.pages.task_parts import standing_of, task_row
from serving.pages.today import LEVEL
from serving.pages.view import DASH, Overseeing, View, unknown
from serving.rows import records
from serving.words.speech import text

router = APIRouter()

Figures = Mapping[str, Any]


@router.get("/manager/people/{name:path}")
def one_person(view: Overseeing, name: Id) -> Response:
    """Everything of one sales person; of what is nobody's under ``(none)``."""
    people = team_of(view).people
    mine = people[people["owner"] == name]
    if mine.empty:
        raise Refused(404, message=NOBODY_OF_THAT_NAME)
    figures = records(mine)[0]
    sections = [_risks(view, name), _tasks(view, name, figures), _silent(view, name, figures), *_contacts(view, name)]
    return view.page(
        "person.html",
        title=person(view, name),
        here="manager",
        day=view.day(view.visit.look.company.day.as_of),
        facts=_facts(view, figures),
        lists=view.link(owner=name),
        sections=[*sections, _missing(view, name)],
    )


NOBODY_OF_THAT_NAME = text("There is no sales person of that name with customers, tasks or contacts.")


def _facts(view: View, one: Figures) -> list[dict[str, Any]]:
    silent = view.number(terms_now(view.service).silent_days)
    against = text("{change} against as many days of last month")
    told = {what: change(view, one[f"{what}_change"]) for what in ("orders", "revenue")}
    orders, revenue = (view.say(against, change=told[what]) if told[what] else "" for what in ("orders", "revenue"))
    red, orange = view.level("red"), view.level("orange")
    share = DASH if unknown(one["expected"]) else view.share(one["recorded"] / (one["expected"] or 1))
    met = {"n": view.number(one["recorded"]), "of": view.number(one["expected"])}
    facts = [
        (view.say(text("Customers")), view.number(one["accounts"]), ""),
        (view.say(text("{days} days without contact"), days=silent), view.number(one["silent"]), ""),
        (f"{red['sign']} {red['name']}", view.number(one["red"]), ""),
        (f"{orange['sign']} {orange['name']}", view.number(one["orange"]), ""),
        (view.say(text("Follow-ups recorded")), share, "" if share == DASH else view.say(text("{n} of {of}"), **met)),
        (view.say(text("Success rate")), view.share(one["success_rate"]), ""),
        (view.say(text("Loss rate")), view.share(one["loss_rate"]), ""),
        (view.say(text("Orders this month")), view.number(one["orders_month_to_date"]), orders),
        (view.say(text("Revenue this month")), view.money(one["revenue_month_to_date"]), revenue),
    ]
    return [{"label": name, "lines": [line for line in lines if line]} for name, *lines in facts]


def _more(view: View, n: int) -> list[str]:
    """That only some rows stand here."""
    return [view.say(text("{n} of {of} stand here."), n=view.number(SOME), of=view.number(n))] if n > SOME else []


def _kept(view: View, what: str, name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Rows of a person, made once for as long as nothing is entered."""
    rows: pd.DataFrame = view.visit.look.company.memo.get((what, name), make)
    return rows


def _of(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of one person; an owner that is missing is nobody."""
    return rows[rows["owner"].fillna(NONE) == name]


def _risky(view: View, name: str) -> pd.DataFrame:
    """The customers of a person at high or urgent risk, those worth most first."""
    rows = _of(listed(view.visit, "risk_by_owner", Choice()).rows, name)
    return rows.sort_values("value_at_risk", ascending=False, kind="stable")


def _late(view: View, name: str, days: int) -> pd.DataFrame:
    """The customers of a person without a contact for so many days, those worth most first."""
    state = view.visit.look.company.state
    late = state.loc[state["days_since_last_interaction"] >= days, list(SILENT)]
    return _of(late, name).sort_values(["value_at_risk", "customer_id"], ascending=[False, True])


SILENT = ("customer_id", "owner", "level", "days_since_last_interaction", "value_at_risk")


def _risks(view: View, name: str) -> dict[str, Any]:
    rows = _kept(view, "risks", name, lambda: _risky(view, name))
    section = {"id": "risks", "heading": view.say(text("High and urgent risk"))}
    if rows.empty:
        return {**section, "empty": (view.say(text("Nobody is at high or urgent risk here.")), "")}
    shown = ("name", "risk", "stated_risk", "engine_risk", "level", "value_at_risk")
    table = listing_grid(view, "risk_by_owner", shown, as_records(rows.head(SOME)))
    return {
        **section,
        "lines": _more(view, len(rows)),
        "table": {**table, "caption": view.say(text("Customers at high or urgent risk"))},
        "links": [
            (view.say(text("All of them")), view.link("manager", "risks", owner=name)),
            (view.say(text("Sheet for the weekly meeting")), view.link("meeting", owner=name)),
        ],
    }


def _tasks(view: View, name: str, figures: Figures) -> dict[str, Any]:
    rows = _kept(view, "tasks", name, lambda: _of(open_tasks(view.visit), name))
    section = {"id": "tasks", "heading": view.say(text("Open tasks"))}
    if rows.empty:
        return {**section, "empty": (view.say(text("No task is open.")), "")}
    part = as_records(rows.head(SOME))
    standing = standing_of(view, [row["customer_id"] for row in part])
    told = [
        [{"text": one["title"], "address": one["address"]}, customer_cell(view, one["customer_id"]),
         {"level": one["level"]} if one["level"] else DASH, {"text": one["due"], "sub": one["late"]}]
        for one in (task_row(view, row, standing) for row in part)
    ]  # fmt: skip
    headings = [(view.say(name), "") for name in (text("Task"), CUSTOMER, LEVEL, text("Due day"))]
    numbers = {code: view.number(figures[code]) for code in ("open", "overdue", "left")}
    return {
        **section,
        "lines": [view.say(WORK, **numbers), *_more(view, len(rows))],
        "table": grid(view.say(text("Open tasks")), headings, told),
        "links": [(view.say(text("All tasks of this person")), view.link("tasks", owner=name, all=1))],
    }


WORK = text("{open} open, {overdue} of them overdue, {left} beyond what fits into a day.")


def _silent(view: View, name: str, figures: Figures) -> dict[str, Any]:
    days = terms_now(view.service).silent_days
    section = {
        "id": "silent",
        "heading": view.say(text("{days} days without contact or longer"), days=view.number(days)),
    }
    rows = _kept(view, "silent", name, lambda: _late(view, name, days))
    if rows.empty:
        words = NEVER_KNOWN if unknown(figures["silent"]) else ALL_IN_TOUCH
        return {**section, "empty": (view.say(words), "")}
    told = [
        [customer_cell(view, row["customer_id"]), {"level": row["level"]},
         view.number(row["days_since_last_interaction"]), view.money(row["value_at_risk"])]
        for row in rows.head(SOME).to_dict("records")
    ]  # fmt: skip
    headings = [
        (view.say(CUSTOMER), ""), (view.say(LEVEL), ""), (view.say(DAYS), "number"),
        (view.say(text("Value at risk")), "number"),
    ]  # fmt: skip
    return {
        **section,
        "lines": _more(view, len(rows)),
        "table": grid(view.say(text("Customers without contact, by value at risk")), headings, told),
    }


NEVER_KNOWN = text("There are no contacts in your files, so nobody knows who is without one.")
ALL_IN_TOUCH = text("Every customer whose last contact is known had one lately.")


def _contacts(view: View, name: str) -> list[dict[str, Any]]:
    """The contacts of a person week by week, day by day, and how they turned out."""
    days = _kept(view, "days", name, lambda: _of(contact_days(view).rows, name))
    if days.empty:
        empty = (view.say(text("No contact of the last year is known.")), "")
        return [{"id": "weeks", "heading": view.say(text("Contact history")), "empty": empty}]
    months = contact_rates(view)
    months = months[months["owner"] == name].head(SOME)
    by_day = ("day", "customers", "contacts", "effective", "high_value", "unsuccessful", "logged")
    by_month = ("begins", "days", "contacts", "success_rate", "loss_rate", "logged_share", "contacts_per_day")
    return [
        by_week(view, days),
        {
            "id": "days",
            "heading": view.say(text("Contacts day by day")),
            "lines": [view.say(NEWEST, n=view.number(SOME), all=view.number(days["contacts"].sum()))],
            "table": {
                **listing_grid(view, "contact_days", by_day, as_records(days.head(SOME))),
                "caption": view.say(text("Contacts day by day")),
            },
            "links": [(view.say(text("Every day of every sales person")), view.link("lists", "contact_days"))],
        },
        {
            "id": "months",
            "heading": view.say(text("How contacts turned out, month by month")),
            "table": {
                **listing_grid(view, "contact_rates", by_month, as_records(months)),
                "caption": view.say(text("How contacts turned out, month by month")),
            },
            "meanings": definitions(view, "success_rate", "loss_rate"),
        },
    ]


NEWEST = text("The newest {n} days with a contact. Contacts in the year before: {all}.")


def _missing(view: View, name: str) -> dict[str, Any]:
    """The contacts of a person that were due and that nobody recorded."""
    people: list[dict[str, Any]] = follow_ups(view).get("people") or []
    missing: list[Any] = next((one["missing"] for one in people if one["owner"] == name), [])
    section = {"id": "missing", "heading": view.say(text("Follow-ups without a record"))}
    if not missing:
        return {**section, "empty": (view.say(text("Nothing that was due in the last month is missing.")), "")}
    rows = pd.DataFrame(missing, columns=["customer_id", "day"]).sort_values(["day", "customer_id"])
    told = [[customer_cell(view, row["customer_id"]), view.day(row["day"])] for row in rows.to_dict("records")[:SOME]]
    headings = [(view.say(CUSTOMER), ""), (view.say(text("Was due on")), "")]
    return {
        **section,
        "lines": _more(view, len(rows)),
        "table": grid(view.say(text("Follow-ups without a record")), headings, told),
    }
