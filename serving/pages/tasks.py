"""Tasks: what is to be done until when, and one task with its end: done, put off or dropped."""

import hashlib
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from serving import api_loop
from serving.access import ACT
from serving.api_models import TaskAsleepBody, TaskDoneBody, TaskWaivedBody
from serving.api_visit import Id, Visit, Word
from serving.exports import Sheet
from serving.list_rows import as_records
from serving.pages.files import file_answer
from serving.pages.forms import offer
from serving.pages.task_parts import (
    GROUPS,
    Asked,
    Found,
    found,
    grouped,
    others_of,
    owners_among,
    planned,
    set_off_by,
    standing_of,
    task_row,
    told_end,
    warning_line,
)
from serving.pages.today import MOST, PageNumber
from serving.pages.view import Exporting, Reading, View, first_of, redirected
from serving.sessions import local_path
from serving.wording import level_name
from serving.words.choices import CHOICES, choice_name, options
from serving.words.speech import text
from serving.words.task_words import KIND_NAMES, NEEDS

router = APIRouter()

State = Annotated[Literal["open", "done", "waived"], Query()]
Due = Annotated[Literal["overdue", "today", "week", "later", ""], Query()]


def asked_of(
    owner: Word = None,
    team: Word = None,
    kind: Word = None,
    due: Due = "",
    state: State = "open",
    asleep: bool = False,
    everything: Annotated[bool, Query(alias="all")] = False,
) -> Asked:
    """What the address of the tasks asks for."""
    return Asked(owner, team, kind, due, state, asleep, everything)


Wanted = Annotated[Asked, Depends(asked_of)]


@router.get("/tasks")
def tasks(view: Reading, asked: Wanted, page: PageNumber = 1) -> Response:
    """Tasks by when they are due, and the contacts that are planned."""
    there = found(view, asked)
    first = first_of(page, len(there.rows), MOST)
    part = there.rows.iloc[first : first + MOST]
    rows = as_records(part)
    standing = standing_of(view, [row["customer_id"] for row in rows])
    codes = grouped(view, part["due_on"]).tolist() if asked.state == "open" else [asked.state] * len(part)
    told = [task_row(view, row, standing) for row in rows]
    names = {**GROUPS, **CHOICES["task_state"]}
    return view.page(
        "tasks.html",
        title=view.say(text("Tasks")),
        here="tasks",
        day=view.day(view.visit.today),
        tabs=_tabs(view, asked, there),
        groups=[
            {
                "code": code,
                "name": view.say(names[code]),
                "count": there.counts.get(code, len(there.rows)),
                "rows": [row for row, of in zip(told, codes, strict=True) if of == code],
            }
            for code in dict.fromkeys(codes)
        ],
        state=asked.state,
        first=first + 1,
        last=first + len(part),
        total=len(there.rows),
        most=MOST,
        beyond=there.beyond,
        filters=_filters(view, asked, there),
        asked=asked,
        filtered=bool(asked.owner or asked.team or asked.kind or asked.due) or asked.state != "open",
        plans=planned(view, asked.owner_for(view)) if asked.state == "open" else [],
    )


def _tabs(view: View, asked: Asked, there: Found) -> list[dict[str, Any]]:
    """How many open tasks there are in each group, and the addresses that show one alone."""
    if asked.state != "open":
        return []
    groups = [(code, name, there.counts[code]) for code, name in GROUPS.items()]
    return [
        {
            "code": code,
            "name": view.say(name),
            "count": view.number(number),
            "address": view.again(due=code or None, page=None),
            "here": code == asked.due,
        }
        for code, name, number in (("", text("All"), sum(there.counts.values())), *groups)
    ]


def _filters(view: View, asked: Asked, there: Found) -> list[dict[str, Any]]:
    """What the tasks can be cut by."""
    owner = asked.owner_for(view)
    owners = owners_among(view, there.whole)
    if owner and owner not in dict(owners):
        owners = [(owner, owner), *owners]
    kinds = [(code, view.say(name)) for code, name in KIND_NAMES.items() if (there.whole["kind"] == code).any()]
    listed = [
        ("owner", text("Sales person"), owners, owner),
        ("team", text("Team"), options("team", view.locale), asked.team or ""),
        ("kind", text("Kind of task"), kinds, asked.kind or ""),
    ]
    return [
        {"field": field, "label": view.say(label), "options": values, "value": value}
        for field, label, values, value in listed
    ]


#: Columns of the file, which holds the tasks in the order of the page, and their headings.
SHEET = {
    "task_id": text("Task number"),
    "title": text("Task"),
    "customer_id": text("Customer number"),
    "customer": text("Customer"),
    "level": text("Warning level"),
    "owner": text("Sales person"),
    "team": text("Team"),
    "due_on": text("Due day"),
    "state": text("State"),
    "snoozed_until": text("Asleep until"),
    "closed_at": text("Ended"),
    "closed_by": text("Ended by"),
}


@router.get("/export/tasks")
def export(
    view: Exporting, asked: Wanted, kind_of_file: Annotated[Literal["csv", "xlsx"], Query(alias="format")] = "csv"
) -> Response:
    """The tasks of a page as a file for a spreadsheet; the ledger keeps who took it."""
    rows = as_records(found(view, asked).rows)
    standing = standing_of(view, [row["customer_id"] for row in rows])
    told = [{**row, **task_row(view, row, standing), "owner": row["owner"]} for row in rows]
    for row in told:
        row["level"] = level_name(row["level"], view.locale) if row["level"] else None
        row["state"] = choice_name("task_state", row["state"], view.locale)
    headings = [view.say(heading) for heading in SHEET.values()]
    sheet = Sheet("tasks", headings, [[row[name] for name in SHEET] for row in told], len(told))
    return file_answer(view, sheet, kind_of_file)


@router.get("/tasks/{task_id}")
def task(view: Reading, task_id: Id) -> Response:
    """A task: what it asks for, why it was set off, and the ways to end it."""
    return shown(view, task_id)


def shown(view: View, task_id: str) -> Response:
    """The page of a task that the caller may see."""
    told = api_loop.task(view.visit, view.locale, task_id).model_dump()
    standing = standing_of(view, [told["customer_id"]])
    today, most = view.visit.today, view.service.limits.most_days_asleep
    return view.page(
        "task.html",
        title=told["title"],
        here="tasks",
        task=told,
        row=task_row(view, told, standing),
        created=view.day(told["created_on"]),
        end=told_end(view, told) if told["state"] != "open" else None,
        why=set_off_by(view, told),
        warning=warning_line(view, told, standing),
        others=others_of(view, told),
        needs=_needs(view, told["needs"]),
        back=_back(view, task_id),
        address=view.link("tasks", task_id),
        today=today.isoformat(),
        first_day=(today + timedelta(days=1)).isoformat(),
        last_day=(today + timedelta(days=most)).isoformat(),
        most_days=most,
        sent=view.request.scope["path"].rpartition("/")[2] if view.problem else "",
    )


def _needs(view: View, needs: list[str]) -> list[dict[str, Any]]:
    """A field for everything that the end of a task has to tell."""
    return [
        {
            "name": f"result.{need}",
            "label": view.say(NEEDS[need]) if need in NEEDS else need.replace("_", " ").capitalize(),
            "options": options(need, view.locale) if need in CHOICES else [],
        }
        for need in needs
    ]


def _back(view: View, task_id: str) -> str:
    """The page of ours that one came from; that of all tasks where it is not known."""
    if typed := view.typed.get("back"):
        return local_path(typed)
    try:
        came = urlsplit(view.request.headers.get("referer", ""))
    except ValueError:
        return "/tasks"
    here = view.link("tasks", task_id)
    if came.netloc != view.request.headers.get("host") or came.path.startswith((here, "/sign-in")):
        return "/tasks"
    return local_path(came.path + (f"?{came.query}" if came.query else ""))


def _done(visit: Visit, task_id: str, body: TaskDoneBody, key: str) -> Response:
    """End a task; the tasks of one page share the key of its form, which each makes its own."""
    own = hashlib.sha256(f"{key}\n{task_id}".encode()).hexdigest()
    return api_loop.task_done(visit, task_id, body, own)


offer(
    router, "/tasks/{task_id}/done", right=ACT, act=_done, body=TaskDoneBody, page=shown,
    done=("task_done", text("The task is done.")),
)  # fmt: skip
offer(
    router, "/tasks/{task_id}/waive", right=ACT, act=api_loop.task_waived, body=TaskWaivedBody, page=shown,
    done=("task_dropped", text("The task is dropped.")),
)  # fmt: skip
offer(
    router, "/tasks/{task_id}/snooze", right=ACT, act=api_loop.task_asleep, body=TaskAsleepBody, page=shown,
    done=("task_asleep", text("The task is put off.")),
)  # fmt: skip


def _back_to_task(view: Reading, task_id: Id) -> Response:
    """Where a form was refused the browser stands at its address: whoever loads it again is sent to the task."""
    return redirected(view.link("tasks", task_id))


for _act in ("done", "waive", "snooze"):
    router.get(f"/tasks/{{task_id}}/{_act}")(_back_to_task)
