"""The account of a customer as its events tell it: profile, people, product lines, what is open, what happened."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
from fastapi import APIRouter
from fastapi.responses import Response

from features.briefs import AccountBrief, records
from features.profiles import Item
from serving.api_customers import told_of
from serving.api_errors import Refused
from serving.api_visit import Id
from serving.ledger import SYSTEM, Event, Recorded
from serving.list_views import with_warnings
from serving.loop_rows import Row
from serving.pages.customer_parts import Known, known_of, story_of
from serving.pages.customer_people import people_of
from serving.pages.today import MOST, PageNumber
from serving.pages.view import Reading, View, first_of, unknown
from serving.plays import play_name
from serving.story import Happening
from serving.story_sections import Sections, drawn_days
from serving.story_words import happening_detail, happening_name, lane_of
from serving.task_kinds import KINDS, title_of
from serving.words import account as words
from serving.words.choices import CHOICES, choice_name
from serving.words.speech import text

router = APIRouter()

#: Events that one page tells, and acts of people that are told.
TOLD, ACTS = 20, 30


@router.get("/customers/{customer_id:path}/account")
def account(view: Reading, customer_id: Id, page: PageNumber = 1) -> Response:
    """What the events say of a customer."""
    one = known_of(view, customer_id)
    here: dict[str, Any] = {
        "title": view.say(TITLE, name=one.name),
        "here": "today",
        "customer": view.link("customers", customer_id),
        "history": [_act(view, told) for told in reversed(one.file.events) if told.event.kind != "export_made"][:ACTS],
    }
    try:
        brief = told_of(view.visit, customer_id, view.service.accounts.brief)
        people = people_of(view, told_of(view.visit, customer_id, view.service.accounts.chain))
    except Refused as refused:
        line = refused.message(view.locale)
        return view.page("customer_account.html", **here, status=refused.status, refusal=line, brief=None)
    return view.page(
        "customer_account.html",
        **here,
        refusal="",
        brief=brief,
        profile=[_item(view, name, item) for name, item in brief.profile.items()],
        people=people,
        clocks=_clocks(view, brief.clocks),
        issues=_issues(view, brief),
        notes=_notes(view, brief.notes),
        timeline=_timeline(view, one, brief, page),
    )


# The profile


def _item(view: View, name: str, item: Item) -> dict[str, Any]:
    """One of the fourteen items: its values, or the note why there is none."""
    value, values = item.value, []
    if isinstance(value, Mapping):
        values = [
            {"label": words.named(words.FIELDS, field, view.words), "value": _value(view, field, told)}
            for field, told in value.items()
            if not _nothing(told)
        ]
    elif not _nothing(value):
        values = [{"label": "", "value": _value(view, name, value)}]
    note = words.note_text(item.note, view.words) if item.note else ""
    return {
        "name": words.named(words.ITEMS, name, view.words),
        "values": values,
        "note": note or ("" if values else view.unknown),
    }


def _nothing(value: Any) -> bool:
    return not len(value) if isinstance(value, tuple | list | Mapping) else unknown(value)


def _value(view: View, field: str, value: Any) -> str:
    """A value of a profile in the reader's words."""
    if isinstance(value, Mapping):
        pairs = {words.named(words.FIELDS, name, view.words): _value(view, name, told) for name, told in value.items()}
        return view.say(AND_SO_ON).join(view.say(PAIR, name=name, value=told) for name, told in pairs.items())
    if isinstance(value, tuple | list):
        return view.say(AND_SO_ON).join(_value(view, field, told) for told in value)
    if isinstance(value, bool):
        return view.say(words.YES if value else words.NO)
    if isinstance(value, datetime | date):
        return view.day(value)
    if field in words.MONEY:
        return view.money(float(value))
    if field in words.SHARES:
        return view.share(float(value))
    if field == "average_purchase_cycle_days":
        return view.days(float(value))
    if isinstance(value, int | float | Decimal):
        return view.number(float(value), 1)
    if value in words.VALUES.get(field, {}):
        return words.named(words.VALUES[field], value, view.words)
    kind = {"stated_risk": "risk"}.get(field, field)
    return choice_name(kind, value, view.locale) if value in CHOICES.get(kind, {}) else str(value)


# Product lines, what is open, notes


def _clocks(view: View, clocks: pd.DataFrame) -> list[dict[str, Any]]:
    """Each product line: when it was bought last, how often usually, and how late it is."""
    return [
        {
            "name": row["category"],
            "main": row["main"],
            "bought": view.day(row["last_bought"]),
            "cycle": "" if unknown(row["cycle_days"]) else view.days(row["cycle_days"]),
            "whose": "" if unknown(row["cycle_of"]) else words.named(words.CYCLES, row["cycle_of"], view.words),
            "late": view.days(late) if (late := _late(row)) > 0 else "",
            "overdue": row["overdue"],
            "revenue": view.money(row["revenue_365d"]),
        }
        for row in records(clocks)[:MOST]
    ]


def _late(row: Mapping[str, Any]) -> float:
    """Days beyond the usual cycle."""
    if unknown(row["cycle_days"]) or unknown(row["overdue_cycles"]):
        return 0.0
    return float(row["overdue_cycles"] * row["cycle_days"] - row["cycle_days"])


def _issues(view: View, brief: AccountBrief) -> dict[str, Any]:
    rows = [
        {
            "kind": words.named(words.ISSUES, row["kind"], view.words),
            "what": row["what"],
            "since": view.day(row["since"]),
            "days": view.days(row["days"]),
            "amount": "" if unknown(row["amount"]) else view.money(row["amount"]),
        }
        for row in records(brief.issues.table)
    ]
    lacking = [
        view.say(LACKING, kind=words.named(words.ISSUES, kind, view.words), source=source)
        for kind, source in brief.issues.unknown.items()
    ]
    return {"rows": rows[:MOST], "lacking": lacking}


def _notes(view: View, notes: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "day": view.day(row["changed_at"]),
            "author": row["author"] or "",
            "text": row["text"],
            "tags": [words.named(words.TAGS, tag, view.words) for tag in row["tags"]],
        }
        for row in records(notes)[:MOST]
    ]


# What happened


def _timeline(view: View, one: Known, brief: AccountBrief, page: int) -> dict[str, Any]:
    """Events and warnings on one axis: drawn for as long as the chart stays legible, and told page by page."""
    rows = with_warnings(brief.timeline, _frame(one.file.episodes))
    events = [
        Happening(
            row["happened_at"].date(),
            row["kind"],
            None if unknown(row["amount"]) else float(row["amount"]),
            row["detail"] or "",
            row["level"],
        )
        for row in records(rows)
    ]
    sections = Sections(story_of(one, view.service.currency), view.locale, "account-")
    newest = list(reversed(events))
    first = first_of(page, len(newest), TOLD)
    part = newest[first : first + TOLD]
    return {
        "chart": sections.timeline_chart(events, drawn_days(events, brief.as_of)),
        "rows": [
            {
                "day": view.day(event.on),
                "what": _capital(happening_name(event.kind, view.locale)),
                "warning": lane_of(event.kind) == "warnings",
                "amount": "" if event.amount is None else view.money(event.amount),
                "detail": happening_detail(event, view.locale),
            }
            for event in part
        ],
        "first": first + 1,
        "last": first + len(part),
        "total": len(newest),
        "most": TOLD,
    }


def _frame(episodes: list[Row]) -> pd.DataFrame:
    columns = ("opened_on", "opened_level", "highest_level", "closed_on", "close_reason")
    return pd.DataFrame([[row[name] for name in columns] for row in episodes], columns=list(columns), dtype="object")


def _act(view: View, told: Recorded) -> dict[str, str]:
    """Who did what, when."""
    event = told.event
    return {
        "at": view.moment(event.at),
        "who": "Kizashi" if event.actor == SYSTEM else event.actor,
        "what": words.named(words.EVENTS, event.kind, view.words),
        "detail": view.say(AND_SO_ON).join(filter(None, _details(view, event))),
    }


def _details(view: View, event: Event) -> list[str]:
    """What an event says, as far as there are words for it."""
    payload = event.payload
    told = [
        choice_name(kind, payload[name], view.locale)
        for name, kind in _CHOSEN.items()
        if isinstance(payload.get(name), str) and payload[name] in CHOICES[kind]
    ]
    if event.kind == "exposed":
        told.append(words.named(words.EXPOSURES, payload["kind"], view.words))
    if event.kind == "task_created" and payload.get("kind") in KINDS:
        told.append(
            title_of(payload["kind"], {"customer_id": event.customer_id, **payload.get("facts", {})}, view.locale)
        )
    if event.kind == "owner_changed":
        told.append(view.say(FROM_TO, before=payload["from_owner"] or view.unknown, after=payload["to_owner"]))
    told += [play_name(play, view.locale) for play in payload.get("plays") or ()]
    told += [view.day(payload[name]) for name in ("next_action_on", "snoozed_until") if payload.get(name)]
    told += [str(payload[name]) for name in ("next_action_text", "note", "reason", "lesson") if payload.get(name)]
    return told


#: Names in payloads whose values are choices, and which.
_CHOSEN = {
    "step": "step", "temperature": "temperature", "risk": "risk", "verdict": "verdict", "approach": "approach",
    "why": "why", "result": "result", "cause": "cause", "decision": "visit", "state": "task_state",
}  # fmt: skip


def _capital(phrase: str) -> str:
    return phrase[:1].upper() + phrase[1:]


TITLE = text("{name}: the account")
PAIR, AND_SO_ON, FROM_TO = text("{name}: {value}"), text(", "), text("{before} → {after}")
LACKING = text("{kind}: cannot be told, since {source} is not delivered.")
