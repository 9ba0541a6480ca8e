"""The sheet for the weekly meeting: every customer of the red list with why, what to do, and room for a decision."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd
from fastapi import APIRouter
from fastapi.responses import Response

from models.levels import LEVELS
from serving.api_data import listed
from serving.api_visit import Word
from serving.charts import SIGNS
from serving.list_rows import NONE, Choice
from serving.list_words import step_text, why_texts
from serving.pages.list_cells import FEWER, MORE
from serving.pages.manager_parts import grid, part_of, person
from serving.pages.today import PageNumber, told
from serving.pages.view import DASH, Overseeing, View
from serving.words.speech import text

router = APIRouter()

#: Customers of one page: each takes as much room as several rows of a list.
MOST = 40
WEEK = timedelta(days=7)


@router.get("/meeting")
def meeting(view: Overseeing, owner: Word = None, page: PageNumber = 1) -> Response:
    """The customers of the red list, each under its sales person."""
    day = view.visit.look.company.day
    everybody, sums = view.visit.look.company.memo.get("meeting", lambda: _sheet(view))
    rows = everybody[everybody["owner"] == owner] if owner else everybody
    part, pager = part_of(rows, page, MOST)
    groups: list[dict[str, Any]] = []
    for row in told(view, part):
        name = row["owner"]
        if not groups or groups[-1]["owner"] != name:
            groups.append({"owner": name, "id": f"p{len(groups) + 1}", "cases": [], **_heading(view, sums.loc[name])})
            groups[-1]["name"] = person(view, name)
        groups[-1]["cases"].append(_case(view, row))
    owners = sorted(set(sums.index) | ({owner} if owner else set()), key=lambda one: (one == NONE, one))
    return view.page(
        "meeting.html",
        title=view.say(text("Weekly meeting")),
        here="manager",
        day=view.day(day.as_of),
        levels=_levels(view),
        summed=view.say(SUMMED, n=view.number(len(rows)), worth=view.money(float(rows["value_at_risk"].sum()))),
        groups=groups,
        owner=owner or "",
        owners=[(one, person(view, one)) for one in owners],
        pager=pager,
    )


def _sheet(view: View) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The list as the sheet has it, and how many customers and how much is at risk of each sales person."""
    rows = by_owner(listed(view.visit, "meeting", Choice()).rows)
    return rows, rows.groupby("owner")["value_at_risk"].agg(["size", "sum"])


def by_owner(rows: pd.DataFrame) -> pd.DataFrame:
    """The list with the customers of one sales person together, by name; what is nobody's stands last."""
    keys = rows[["owner"]].assign(nobody=rows["owner"] == NONE)
    return rows.loc[keys.sort_values(["nobody", "owner"], kind="stable").index].reset_index(drop=True)


SUMMED = text("Customers on the red list: {n}, with {worth} at risk.")


def _heading(view: View, sums: Mapping[str, Any]) -> dict[str, str]:
    n = int(sums["size"])
    return {"count": view.count("{n} customer", "{n} customers", n), "worth": view.money(float(sums["sum"]))}


def _case(view: View, row: Mapping[str, Any]) -> dict[str, Any]:
    step = row["next_step"] or {}
    return {
        "id": row["customer_id"],
        "name": row["name"] or row["customer_id"],
        "address": view.link("customers", row["customer_id"]),
        "rank": row["rank"],
        "level": row["level"] if row["level"] in SIGNS else "none",
        "worth": view.money(row["value_at_risk"]),
        "silent": view.days(row["days_since_last_order"]),
        "late": view.days(row["days_late"]) if (row["days_late"] or 0) > 0 else "",
        "why": [*why_texts(row["why"], view.locale), *row["said"]],
        "step": step_text(row["next_step"], row, view.locale),
        "whose": step.get("owner") if step.get("owner") not in (None, NONE, row["owner"]) else "",
        "step_on": view.day(step["due_on"]) if step.get("due_on") else "",
        "due": view.day(row["due_on"]),
    }


def _levels(view: View) -> dict[str, Any]:
    """How many customers stand on each level, now and a week before."""
    day = view.visit.look.company.day
    now = day.profile["level"].value_counts()
    since, before = day.memo.get("a week before", lambda: _week_before(view, day.as_of))
    then = view.say(text("On {day}"), day=view.day(since)) if since else view.say(text("A week before"))
    rows: list[list[Any]] = []
    for code in LEVELS:
        n, old = int(now.get(code, 0)), before.get(code, 0)
        rows.append(
            [{"level": code}, view.number(n), *([view.number(old), _signed(view, n - old)] if since else [DASH, DASH])]
        )
    headings = [
        (view.say(text("Level")), ""), (view.say(text("On {day}"), day=view.day(day.as_of)), "number"),
        (then, "number"), (view.say(text("Change")), "number"),
    ]  # fmt: skip
    missing = "" if since else view.say(NO_WEEK)
    return {"table": grid(view.say(text("Customers by level")), headings, rows), "missing": missing}


NO_WEEK = text("No day a week before or older is published yet, so there is nothing to compare with.")


def _signed(view: View, n: int) -> str:
    return view.say(MORE if n > 0 else FEWER, share=view.number(abs(n))) if n else view.number(0)


def _week_before(view: View, as_of: date) -> tuple[date | None, dict[str, int]]:
    """The newest day that was published a week before or earlier, and how many stood on each level then."""
    store = view.service.store
    since = store.day_before(as_of - WEEK + timedelta(days=1))
    if since is None:
        return None, {}
    return since, {str(code): int(n) for code, n in store.scores(since)["level"].value_counts().items()}
