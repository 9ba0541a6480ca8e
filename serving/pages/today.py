"""Today: the four lists of the morning, and on top what changed since the day before."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pandas as pd
from fastapi import APIRouter, Query
from fastapi.responses import Response

from models.warning_rules import WarningRule
from serving.api_data import four_lists, open_tasks, open_warnings, profile_of, room, said_in
from serving.api_settings import terms_now
from serving.api_story import moved
from serving.api_visit import Search, Sort, Word
from serving.change_words import change_short, listed
from serving.charts import SIGNS
from serving.list_rows import NONE, Choice, are_of, as_records
from serving.list_words import clearing_text, step_text, why_texts
from serving.lists import LISTS
from serving.pages.view import Reading, View, first_of
from serving.records import PERCENT
from serving.story import change_of
from serving.wording import level_name
from serving.words.choices import choice_name, options
from serving.words.speech import text

router = APIRouter()

#: Rows of one page, reasons told in a row, and changes shown on top.
MOST, REASONS, MOVES = 50, 2, 3
#: The column of the profile that tells what a customer mostly buys.
LINE = "main_product_line"
#: Columns that a list can be sorted by, and what they are called.
SORTS = {
    "-value_at_risk": text("Value at risk"),
    "-expected_loss": text("Expected loss"),
    "-days_late": text("Days late"),
    "due_on": text("Due day"),
    "name": text("Name"),
    "owner": text("Sales person"),
}
LOUDNESS = ("none", "blue", "yellow", "orange", "red")

PageNumber = Annotated[int, Query(ge=1, le=100_000)]


@router.get("/")
def today(
    view: Reading,
    name: Annotated[Literal["red", "yellow", "blue", "grey"], Query(alias="list")] = "red",
    owner: Word = None,
    level: Word = None,
    queue: Word = None,
    region: Word = None,
    industry: Word = None,
    line: Word = None,
    q: Search = "",
    sort: Sort = "",
    page: PageNumber = 1,
) -> Response:
    """The lists of today, filtered and sorted as the address says."""
    fields = {key: value for key, value in (("queue", queue), (LINE, line)) if value}
    choice = Choice(
        owner=owner or None,
        level=level or None,
        region=region or None,
        industry=industry or None,
        fields=fields,
        search=q,
        sort=sort.removeprefix("-") or None,
        descending=sort.startswith("-"),
    )
    morning = four_lists(view.visit, choice)
    rules = {rule.code: rule for rule in terms_now(view.service).rules}
    rows = morning.lists[name]
    first = first_of(page, len(rows), MOST)
    part = rows.iloc[first : first + MOST]
    asked = {"owner": owner, "level": level, "queue": queue, "region": region, "industry": industry, "line": line}
    return view.page(
        "today.html",
        title=view.say(text("Today")),
        here="today",
        day=view.day(morning.as_of),
        tabs=[
            {"code": code, "count": view.number(morning.counts[code]), "address": view.again(list=code, page=None)}
            for code in LISTS
        ],
        names=dict(options("list", view.locale)),
        list=name,
        until=_until(view, name, morning),
        rows=[_row(view, row, rules) for row in told(view, part)],
        first=first + 1,
        last=first + len(part),
        total=len(rows),
        most=MOST,
        filters=_filters(view, asked),
        filtered=any(asked.values()) or bool(q),
        q=q,
        sort=sort,
        sorts=[(code, view.say(words)) for code, words in SORTS.items()],
        changes=_changes(view),
        tasks=_tasks_today(view),
    )


_UNTIL = {
    "red": text("To be dealt with by the end of the week, {day}."),
    "yellow": text("To be dealt with by the end of the month."),
    "blue": text("Contacts that are planned for this week and the next."),
    "grey": text("Dormant customers, to be looked through once a quarter; this quarter began on {quarter}."),
}


def _until(view: View, name: str, morning: Any) -> str:
    return view.say(_UNTIL[name], day=view.day(morning.week_ends_on), quarter=view.day(morning.quarter))


def told(view: View, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a list with the sentences of their strongest reasons."""
    day = view.service.board.newest()
    mine = day.of("reasons", rows["customer_id"])
    mine = mine[mine["role"] == "reason"].sort_values(["customer_id", "position"]).groupby("customer_id").head(REASONS)
    said = said_in(mine, view.locale, view.service.currency)
    texts = said.groupby("customer_id")["text"].agg(list).to_dict() if len(said) else {}
    return [{**row, "said": texts.get(row["customer_id"], [])} for row in as_records(rows)]


def _row(view: View, row: dict[str, Any], rules: Mapping[str, WarningRule]) -> dict[str, Any]:
    chance = row["churn_probability"] if row["shown"] == PERCENT else None
    return {
        "id": row["customer_id"],
        "name": row["name"] or row["customer_id"],
        "address": view.link("customers", row["customer_id"]),
        "level": row["level"] if row["level"] in SIGNS else "none",
        "queue": row["queue"],
        "rank": row["rank"],
        "owner": view.say(NOBODY) if row["owner"] == NONE else row["owner"],
        "chance": None if chance is None else view.speaker.phrase("chance", chance),
        "worth": view.money(row["value_at_risk"]),
        "why": why_texts(row["why"], view.locale),
        "said": row["said"],
        "clearing": clearing_text(row["why"], rules, view.locale),
        "step": step_text(row["next_step"], row, view.locale),
        "step_on": view.day((row["next_step"] or {}).get("due_on")),
        "also": listed([choice_name("list", one, view.locale) for one in row["also_on"]], view.locale),
    }


def _filters(view: View, asked: dict[str, str | None]) -> list[dict[str, Any]]:
    """What the list can be cut by: field, label, its values and the one that is chosen."""
    levels = [(code, level_name(code, view.locale)) for code in reversed(LOUDNESS)]
    offered: list[tuple[str, str, list[tuple[str, str]]]] = [
        ("level", LEVEL, levels),
        ("queue", QUEUE, options("queue", view.locale)),
    ]
    for field, label, column in (
        ("owner", OWNER, "owner"),
        ("region", REGION, "region"),
        ("industry", INDUSTRY, "industry"),
        ("line", PRODUCT_LINE, LINE),
    ):
        if field == "owner" and view.visit.caller.scope is not None:
            continue
        values = [(value, value) for value in values_of(view, column)]
        if values:
            offered.append((field, label, [*values, (NONE, view.say(NOBODY if field == "owner" else WITHOUT))]))
    return [
        {"field": field, "label": view.say(label), "options": values, "value": asked[field] or ""}
        for field, label, values in offered
    ]


def values_of(view: View, column: str) -> tuple[str, ...]:
    """The values of a column of texts among the customers whom the caller may see, in order."""
    day, profile = profile_of(view.visit)
    if view.visit.caller.scope is None or column not in profile.columns:
        return day.values(column)
    return tuple(sorted(map(str, profile[column].dropna().unique())))


def _changes(view: View) -> dict[str, Any] | None:
    """How many levels went up and down since the day before, and the moves that matter most; None on the first day."""
    day, rows = moved(view.visit)
    since = view.service.store.day_before(day.as_of)
    if since is None:
        return None
    steps = [LOUDNESS.index(after) - LOUDNESS.index(before) for before, after in _levels(rows)]
    shown = rows.head(MOVES).to_dict("records")
    return {
        "since": view.day(since),
        "up": sum(step > 0 for step in steps),
        "down": sum(step < 0 for step in steps),
        "new": int((open_warnings(view.visit)["opened_on"] >= pd.Timestamp(day.as_of)).sum()),
        "shown": [
            {
                "name": row["name"] if isinstance(row["name"], str) else row["customer_id"],
                "address": view.link("customers", row["customer_id"]) + "#change",
                "text": change_short(change_of(row["change"]), view.locale, view.service.currency),
            }
            for row in shown
        ],
        "more": max(len(rows) - MOVES, 0),
    }


def _levels(rows: pd.DataFrame) -> list[tuple[str, str]]:
    return [(change["before"]["level"], change["after"]["level"]) for change in rows["change"]]


def _tasks_today(view: View) -> int:
    """How many open tasks are due by today and fit into the day, as the page of tasks shows them."""
    key = ("tasks due", view.visit.today, view.visit.caller.scope)
    due: int = view.visit.look.company.memo.get(key, lambda: _due_by_today(view))
    return due


def _due_by_today(view: View) -> int:
    today, whose = view.visit.today, view.visit.caller.scope
    due = open_tasks(view.visit, due_until=today, awake_on=today)
    due = due if whose is None else due[due["owner"] == whose]
    return int((~are_of(due["task_id"], room(view.visit, today).left["task_id"])).sum())


NOBODY, WITHOUT = text("Nobody"), text("Not known")
LEVEL, QUEUE, OWNER = text("Level"), text("Queue"), text("Sales person")
REGION, INDUSTRY, PRODUCT_LINE = text("Region"), text("Industry"), text("Product line")
