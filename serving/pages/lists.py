"""All lists: which there are and what they answer, each as a table in words, and as a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pandas as pd
from fastapi import APIRouter, Query
from fastapi.responses import Response

from features.contact_records import LOGGED_WITHIN_DAYS
from features.contract import CONTRACT
from serving.api_data import choice_of, columns_of, listed
from serving.api_settings import terms_now
from serving.api_visit import Id, Search, Sort, Where, Word
from serving.list_rows import NONE, Choice, Terms, as_records
from serving.lists import LISTS
from serving.pages.files import file_answer
from serving.pages.list_cells import Cells, look_of, sortable
from serving.pages.list_files import file_of, with_shown
from serving.pages.today import (
    INDUSTRY,
    LEVEL,
    LINE,
    LOUDNESS,
    MOST,
    NOBODY,
    OWNER,
    REGION,
    WITHOUT,
    PageNumber,
    told,
    values_of,
)
from serving.pages.view import Exporting, Reading, View, first_of, redirected
from serving.wording import level_name
from serving.words.columns import LARGEST_FIRST, column_of
from serving.words.list_answers import ANSWERS, DEFINITIONS, GROUPS
from serving.words.lists import list_name
from serving.words.speech import text

router = APIRouter()

#: Columns that stand under another one: the number of a customer under its name.
UNDER = {"customer_id": "name"}
#: What a list is about can be cut by.
_CUTS = (("owner", OWNER), ("level", LEVEL), ("region", REGION), ("industry", INDUSTRY))


@dataclass(frozen=True)
class Asked:
    """What the address of a list asks for."""

    owner: str | None
    level: str | None
    region: str | None
    industry: str | None
    q: str
    sort: str

    @property
    def choice(self) -> Choice:
        """The same as the lists understand it."""
        return Choice(
            owner=self.owner or None,
            level=self.level or None,
            region=self.region or None,
            industry=self.industry or None,
            search=self.q,
            sort=self.sort.removeprefix("-") or None,
            descending=self.sort.startswith("-"),
        )

    @property
    def any(self) -> bool:
        """Whether the list is cut at all."""
        return bool(self.owner or self.level or self.region or self.industry or self.q)


@router.get("/lists")
def lists(view: Reading) -> Response:
    """Every list by name, in groups, with what it answers."""
    limits = limits_of(view)
    return view.page(
        "lists.html",
        title=view.say(text("Lists")),
        here="lists",
        groups=[
            {
                "code": f"g{number}",
                "name": view.say(heading),
                "lists": [
                    {
                        "name": list_name(name, view.locale),
                        "address": view.link(list=name) if name in LISTS else view.link("lists", name),
                        "answer": view.say(ANSWERS[name], **limits),
                    }
                    for name in names
                ],
            }
            for number, (heading, names) in enumerate(GROUPS.items(), start=1)
        ],
    )


@router.get("/lists/{name}")
def one_list(
    view: Reading,
    name: Id,
    owner: Word = None,
    level: Word = None,
    region: Word = None,
    industry: Word = None,
    q: Search = "",
    sort: Sort = "",
    page: PageNumber = 1,
) -> Response:
    """A list, cut and sorted as the address says; the four of the morning stand on the first page."""
    if name in LISTS:
        return redirected(f"/{view.asked(list=name)}")
    asked = Asked(owner, level, region, industry, q, sort)
    found = listed(view.visit, name, asked.choice)
    first = first_of(page, len(found.rows), MOST)
    part = found.rows.iloc[first : first + MOST]
    headings = _headings(view, name, sort)
    return view.page(
        "one_list.html",
        title=list_name(name, view.locale),
        here="lists",
        name=name,
        day=view.day(view.service.board.newest().as_of),
        answer=view.say(ANSWERS[name], **limits_of(view)),
        headings=headings,
        rows=_rows(view, name, part, [one["column"] for one in headings]),
        first=first + 1,
        last=first + len(part),
        total=len(found.rows),
        most=MOST,
        filters=_filters(view, asked),
        filtered=asked.any,
        q=q,
        sort=sort,
        sorts=_sorts(view, name, headings, sort),
        absent=_source(view, found.source_absent),
        unknown=[
            {"heading": view.say(column_of(column, name).heading), **source}
            for column, lacking in found.columns_absent.items()
            if (source := _source(view, lacking)) is not None
        ],
        definitions=_definitions(view, name),
    )


@router.get("/export/{name}")
def export(
    view: Exporting,
    name: Id,
    kind: Annotated[Literal["csv", "xlsx"], Query(alias="format")] = "csv",
    owner: Word = None,
    level: Word = None,
    queue: Word = None,
    region: Word = None,
    industry: Word = None,
    line: Word = None,
    q: Search = "",
    where: Where = [],  # noqa: B006 - FastAPI copies it
    sort: Sort = "",
) -> Response:
    """A list as a file with the rows of its page, in the same order."""
    more = {"queue": queue, "region": region, "industry": industry, LINE: line}
    conditions = [*where, *(f"{column}={value}" for column, value in more.items() if value)]
    found = listed(view.visit, name, choice_of(conditions, q, sort, {"owner": owner or None, "level": level or None}))
    return file_answer(view, file_of(view, name, found.rows), kind)


def limits_of(view: View) -> dict[str, str]:
    """The numbers that the lists are drawn by, as their sentences tell them."""
    terms = terms_now(view.service)
    days: dict[str, float] = {
        "silent": terms.silent_days,
        "important": terms.important_silent_days,
        "recent": terms.recent_days,
        "review": terms.review_days,
        **{name: _limit(terms, option) for name, option in _OPTIONS.items()},
    }
    shown = {name: view.number(None if value == float("inf") else value, 1) for name, value in days.items()}
    return {**shown, "slump_share": view.share(_known(_limit(terms, "slump_revenue_share")))}


_OPTIONS = {
    "about": "about_to_churn_days",
    "churned": "churned_cycle_multiple",
    "dormant": "dormant_from_days",
    "slump_orders": "slump_orders",
}


def _limit(terms: Terms, option: str) -> float:
    """A number among the options; endless where none of the company's rules has it."""
    return terms.limit(option) if option in terms.values else float("inf")


def _known(value: float) -> float | None:
    return None if value == float("inf") else value


def _rows(view: View, name: str, part: pd.DataFrame, columns: list[str]) -> list[list[dict[str, Any]]]:
    """The cells of some rows."""
    part = with_shown(view, part)
    rows = told(view, part) if "reasons" in part.columns else as_records(part)
    cells = Cells(view, name)
    return [[cells.cell(column, row) for column in columns] for row in rows]


def _headings(view: View, name: str, sort: str) -> list[dict[str, Any]]:
    """What stands above each column: its words, whether the list is sorted by it, and the address that sorts it."""
    columns = [column for column in columns_of(name) if UNDER.get(column) not in columns_of(name)]
    made = []
    for column in columns:
        kind = column_of(column, name).kind
        here = sort.removeprefix("-") == column
        first, other = _ways(column, name)
        made.append(
            {
                "column": column,
                "text": view.say(column_of(column, name).heading),
                "look": look_of(kind),
                "address": view.again(sort=other if sort == first else first, page=None) if sortable(kind) else "",
                "sorted": ("descending" if sort.startswith("-") else "ascending") if here else "",
            }
        )
    return made


def _sorts(view: View, name: str, headings: list[dict[str, Any]], sort: str) -> list[tuple[str, str]]:
    """What the list can be sorted by where its headings are not to be seen, on a narrow screen."""
    offered = {}
    for one in headings:
        if one["address"]:
            first, other = _ways(one["column"], name)
            offered[first] = one["text"]
            if sort == other:
                offered[other] = view.say(_REVERSED, heading=one["text"])
    return list(offered.items())


def _ways(column: str, name: str) -> tuple[str, str]:
    """How a list is sorted by a column first, and the other way."""
    down = column_of(column, name).kind in LARGEST_FIRST
    return (f"-{column}", column) if down else (column, f"-{column}")


def _filters(view: View, asked: Asked) -> list[dict[str, Any]]:
    """What the list can be cut by: field, label, its values and the one that is chosen."""
    offered = []
    for field, label in _CUTS:
        if field == "owner" and view.visit.caller.scope is not None:
            continue
        if field == "level":
            values = [(code, level_name(code, view.locale)) for code in reversed(LOUDNESS)]
        else:
            known = [(value, value) for value in values_of(view, field)]
            nobody = (NONE, view.say(NOBODY if field == "owner" else WITHOUT))
            values = [*known, nobody] if known else []
        if values:
            offered.append(
                {"field": field, "label": view.say(label), "options": values, "value": getattr(asked, field) or ""}
            )
    return offered


def _source(view: View, lacking: str) -> dict[str, str] | None:
    """The table, or the column of one, that a list lacks; None where it lacks nothing."""
    if not lacking:
        return None
    table, _, column = lacking.partition(".")
    need = CONTRACT[table]
    words = _LACKS_COLUMN if column else _LACKS_TABLE
    fields = [column] if column else [one.name for one in need.columns if one.required]
    return {"text": view.say(words, table=table, column=column), "table": table, "fields": ", ".join(fields)}


def _definitions(view: View, name: str) -> list[dict[str, str]]:
    """What the columns of a list count, where that is not plain."""
    counted: Mapping[str, str] = DEFINITIONS.get(name, {})
    days = view.number(LOGGED_WITHIN_DAYS)
    return [
        {"name": view.say(column_of(column, name).heading), "text": view.say(words, days=days)}
        for column, words in counted.items()
    ]


_REVERSED = text("{heading}, the other way round")
_LACKS_TABLE = text("The table {table} is not among your files.")
_LACKS_COLUMN = text("The table {table} has no column {column}.")
