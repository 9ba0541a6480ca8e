"""The team: how every sales person stands, who holds which risks, who orders again, contacts, and what is missing."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pandas as pd
from fastapi import APIRouter
from fastapi.responses import Response

from serving.api_data import listed
from serving.api_settings import terms_now
from serving.api_visit import Word
from serving.charts import About
from serving.list_rows import NONE, Choice, as_records
from serving.pages import manager_loop as loop
from serving.pages import manager_worked
from serving.pages.manager_parts import (
    BARS,
    CONTACT_DAYS,
    PERSON,
    Team,
    change,
    contact_days,
    contact_rates,
    definitions,
    grid,
    listing_grid,
    part_of,
    person,
    person_cell,
    tabs,
    team_of,
)
from serving.pages.today import PageNumber
from serving.pages.view import DASH, Overseeing, View, unknown
from serving.record_charts import Count, columns, funnel
from serving.words.speech import text

router = APIRouter()

#: Weeks that the chart of contacts shows.
WEEKS = 13


@router.get("/manager")
def people(view: Overseeing, page: PageNumber = 1) -> Response:
    """How every sales person stands."""
    team = team_of(view)
    part, pager = part_of(team.people, page)
    rows = [_person_row(view, row) for row in part.to_dict("records")]
    if pager["last"] == pager["total"] > 1:
        rows.append(_person_row(view, {"owner": None, **team.whole}, whole=True))
    table = grid(view.say(text("Sales people")), _headings(view), rows, last=pager["last"] == pager["total"] > 1)
    section = {
        "id": "people",
        "heading": view.say(text("Sales people")),
        "lines": [view.say(ORDER)],
        "table": table,
        "pager": pager,
    }
    return _page(view, "", [section, _meanings(view, team)], facts=_facts(view, team))


def _page(view: View, tab: str, sections: list[dict[str, Any]], facts: list[dict[str, Any]] | None = None) -> Response:
    return view.page(
        "manager.html",
        title=view.say(text("Team")),
        here="manager",
        day=view.day(view.visit.look.company.day.as_of),
        tabs=tabs(view, tab),
        sections=sections,
        facts=facts or [],
    )


def _headings(view: View) -> list[tuple[str, str]]:
    days = view.number(terms_now(view.service).silent_days)
    names = [
        view.say(text("Customers")),
        view.say(text("{days} days without contact"), days=days),
        view.say(text("High or urgent risk")),
        view.say(text("Red")),
        view.say(text("Orange")),
        view.say(text("Open tasks")),
        view.say(text("Overdue")),
        view.say(text("Beyond the day")),
        view.say(text("Follow-ups recorded")),
        view.say(text("Success rate")),
        view.say(text("Loss rate")),
        view.say(text("Orders this month")),
        view.say(text("Revenue this month")),
    ]
    return [(view.say(PERSON), ""), *((name, "number") for name in names), (view.say(text("Lists")), "")]


def _person_row(view: View, row: Mapping[Any, Any], whole: bool = False) -> list[Any]:
    owner = row["owner"]
    risks = view.number(row["high"])
    follow = DASH if unknown(row["expected"]) else view.share(row["recorded"] / (row["expected"] or 1))
    met = {"n": view.number(row["recorded"]), "of": view.number(row["expected"])}
    return [
        view.say(text("All")) if whole else person_cell(view, owner),
        view.number(row["accounts"]),
        view.number(row["silent"]),
        risks if whole or not row["high"] else {"text": risks, "address": view.link("manager", "risks", owner=owner)},
        view.number(row["red"]),
        view.number(row["orange"]),
        view.number(row["open"]),
        view.number(row["overdue"]),
        view.number(row["left"]),
        follow if follow == DASH else {"text": follow, "sub": view.say(text("{n} of {of}"), **met)},
        view.share(row["success_rate"]),
        view.share(row["loss_rate"]),
        {"text": view.number(row["orders_month_to_date"]), "sub": change(view, row["orders_change"])},
        {"text": view.money(row["revenue_month_to_date"]), "sub": change(view, row["revenue_change"])},
        "" if whole else {"text": view.say(text("Today")), "address": view.link(owner=owner)},
    ]


def _facts(view: View, team: Team) -> list[dict[str, Any]]:
    whole = team.whole
    orders = view.say(text("{change} against as many days of last month"), change=change(view, whole["revenue_change"]))
    facts = [
        (text("Customers"), view.number(whole["accounts"]), ""),
        (text("Red"), view.number(whole["red"]), ""),
        (text("Orange"), view.number(whole["orange"]), ""),
        (text("Open tasks"), view.number(whole["open"]), view.say(OF_THEM_LATE, n=view.number(whole["overdue"]))),
        (
            text("Revenue this month"),
            view.money(whole["revenue_month_to_date"]),
            orders if change(view, whole["revenue_change"]) else "",
        ),
    ]
    return [{"label": view.say(name), "lines": [one for one in lines if one]} for name, *lines in facts]


def _meanings(view: View, team: Team) -> dict[str, Any]:
    """What the columns of the people count."""
    follow, last = loop.follow_ups(view), view.visit.look.company.day.as_of - timedelta(days=1)
    own = [
        (text("{days} days without contact"), SILENT),
        (text("High or urgent risk"), HIGH),
        (text("Beyond the day"), BEYOND),
        (text("Follow-ups recorded"), FOLLOWED),
        (text("Orders this month"), ORDERS),
    ]
    numbers = {
        "days": view.number(terms_now(view.service).silent_days),
        "within": view.days(follow.get("within_days")),
        "first": view.day(last.replace(day=1)),
        "last": view.day(last),
    }
    told = [{"name": view.say(name, **numbers), "text": view.say(words, **numbers)} for name, words in own]
    lately = view.say(
        text("Success and loss are of the contacts of the last {days} days."), days=view.number(CONTACT_DAYS)
    )
    return {
        "id": "meanings",
        "heading": view.say(text("What is counted")),
        "lines": [lately, *(view.say(LACKS, table=one) for one in team.lacking)],
        "meanings": [*told, *definitions(view, "success_rate", "loss_rate")],
    }


LATELY = text("Success and loss are of the contacts of the last {days} days.")
ORDER = text("Those with most red and orange customers stand first. A name leads to the person's own page.")
OF_THEM_LATE = text("{n} of them overdue")
SILENT = text(
    "Customers whose last contact was {days} days ago or longer. One whose last contact is not known is not counted."
)
HIGH = text("Customers whose risk, entered by people or by their level, is high or urgent.")
BEYOND = text("Open tasks beyond what fits into the person's day; they are not shown on the person's own pages.")
FOLLOWED = text(
    "Contacts that tasks asked for in the last month, and that were recorded within {within} of the day on which"
    " they were due."
)
ORDERS = text(
    "Orders of the person's customers from {first} to {last}, and the change against as many days of the month before."
)
LACKS = text("There is no {table} in your files: what is made of it is shown as a dash.")


# Who holds which risks


@router.get("/manager/risks")
def risks(view: Overseeing, owner: Word = None, page: PageNumber = 1) -> Response:
    """The customers at high or urgent risk, each under its owner."""
    rows = listed(view.visit, "risk_by_owner", Choice()).rows
    held = view.visit.look.company.memo.get("held", lambda: _sums(rows))
    mine = rows[rows["owner"] == owner] if owner else rows
    part, pager = part_of(mine, page)
    shown = ("name", "risk", "stated_risk", "engine_risk", "level", "value_at_risk", "owner")
    options = sorted(set(held.index) | ({owner} if owner else set()), key=lambda one: (one == NONE, one))
    section = {
        "id": "risks",
        "heading": person(view, owner) if owner else view.say(text("Customers")),
        "lines": [view.say(text("Every customer stands under exactly one sales person."))],
        "select": {"options": [(one, person(view, one)) for one in options], "value": owner or ""},
        "table": {**listing_grid(view, "risk_by_owner", shown, as_records(part)), "caption": view.say(AT_RISK)},
        "pager": pager,
        "file": "risk_by_owner",
        "empty": None if len(part) else (view.say(text("Nobody is at high or urgent risk here.")), ""),
    }
    return _page(view, "risks", [_held(view, held), section] if len(held) else [section])


def _sums(rows: pd.DataFrame) -> pd.DataFrame:
    """How many customers each sales person holds and what is at risk with them, the most first."""
    return rows.groupby("owner")["value_at_risk"].agg(["size", "sum"]).sort_values("sum", ascending=False)


def _held(view: View, held: pd.DataFrame) -> dict[str, Any]:
    """What is at risk with each person, as bars and figures."""
    told = [(str(owner), int(row["size"]), float(row["sum"])) for owner, row in held.head(BARS).iterrows()]
    title = view.say(text("Value at risk by sales person"))
    described = view.say(text("A bar for each sales person, against the largest."))
    bars = [Count(person(view, owner), value, view.money(value)) for owner, _, value in told]
    headings = [(view.say(PERSON), ""), (view.say(text("Customers")), "number"), (view.say(WORTH), "number")]
    rows: list[list[Any]] = [
        [{"text": person(view, owner), "address": view.link("manager", "risks", owner=owner)}, view.number(n),
         view.money(value)]
        for owner, n, value in told
    ]  # fmt: skip
    rows.append([view.say(text("All")), view.number(held["size"].sum()), view.money(float(held["sum"].sum()))])
    return {
        "id": "held",
        "heading": view.say(text("High and urgent risk")),
        "lines": [view.say(LARGEST, n=view.number(BARS))] if len(held) > BARS else [],
        "chart": funnel(About("held", title, described), bars),
        "table": grid(title, headings, rows, last=True),
    }


WORTH = text("Value at risk")
AT_RISK = text("Customers at high or urgent risk")
LARGEST = text("The {n} with the most at risk; the sum is of all.")


# Who orders again


@router.get("/manager/restarted")
def restarted(view: Overseeing, page: PageNumber = 1) -> Response:
    """The customers whose orders came back this month, with what is recorded of it."""
    rows = listed(view.visit, "restarted", Choice()).rows
    part, pager = part_of(rows, page)
    shown = (
        "name", "owner", "was", "longest_gap_ended_on", "longest_gap_ended_days", "longest_gap_ended_amount",
        "detected_level", "approach", "stopped_why", "outcome",
    )  # fmt: skip
    recorded, drafts = ((rows["outcome"] == state).sum() for state in ("final", "draft"))
    lines = [view.say(RESTARTED, n=view.number(len(rows)), recorded=view.number(recorded))]
    lines += [view.say(DRAFTS, n=view.number(drafts))] if drafts else []
    section = {
        "id": "restarted",
        "heading": view.say(text("Customers that order again")),
        "lines": lines if len(rows) else [],
        "table": {**listing_grid(view, "restarted", shown, as_records(part)), "caption": view.say(BACK)},
        "pager": pager,
        "file": "restarted",
        "empty": None if len(part) else (view.say(NO_RESTART), view.say(NO_RESTART_NEXT)),
    }
    return _page(view, "restarted", [section])


BACK = text("Customers that ordered again this month after too long a silence")
RESTARTED = text("Ordered again this month: {n}; for {recorded} of them it is recorded what was done and why.")
DRAFTS = text(
    "Drafts among the records: {n}. On the customer's page somebody still has to say what was done and why the orders"
    " had stopped."
)
NO_RESTART = text("Nobody ordered again this month after too long a silence.")
NO_RESTART_NEXT = text("Customers appear here on the day after the order that ends their silence.")


# Contacts


@router.get("/manager/contacts")
def contacts(view: Overseeing, page: PageNumber = 1) -> Response:
    """The contacts of everybody: week by week, and how they turned out month by month."""
    found = contact_days(view)
    if found.rows.empty:
        lacking = found.source_absent or "interactions"
        empty = (view.say(NO_CONTACTS), view.say(NO_CONTACTS_NEXT, table=lacking))
        return _page(
            view, "contacts", [{"id": "contacts", "heading": view.say(text("Contact history")), "empty": empty}]
        )
    part, pager = part_of(contact_rates(view), page)
    shown = (
        "owner", "begins", "days", "contacts", "effective", "high_value", "unsuccessful", "success_rate", "loss_rate",
        "logged_share",
    )  # fmt: skip
    months = {
        "id": "months",
        "heading": view.say(text("How contacts turned out, month by month")),
        "table": {**listing_grid(view, "contact_rates", shown, as_records(part)), "caption": view.say(BY_MONTH)},
        "pager": pager,
        "file": "contact_rates",
        "links": [(view.say(text("Every day of every sales person")), view.link("lists", "contact_days"))],
    }
    counted = ("effective", "high_value", "unsuccessful", "success_rate", "loss_rate", "logged_share")
    meanings = {
        "id": "meanings",
        "heading": view.say(text("What is counted")),
        "meanings": definitions(view, *counted),
    }
    return _page(view, "contacts", [by_week(view, found.rows), months, meanings])


def by_week(view: View, days: pd.DataFrame) -> dict[str, Any]:
    """Contacts week by week as columns, with their figures."""
    as_of = pd.Timestamp(view.visit.look.company.day.as_of)
    last = as_of - pd.Timedelta(days=1)
    monday = last - pd.Timedelta(days=last.weekday())
    weeks = [monday - pd.Timedelta(weeks=back) for back in reversed(range(WEEKS))]
    begins = days["day"] - pd.to_timedelta(days["day"].dt.day_of_week, unit="D")
    sums = days.groupby(begins)[["contacts", "effective", "high_value", "unsuccessful"]].sum(min_count=1)
    sums = sums.reindex(weeks)
    title = view.say(text("Contacts week by week"))
    bars = [
        Count(f"{week.month}/{week.day}", 0.0 if unknown(n) else float(n), view.number(0 if unknown(n) else n))
        for week, n in zip(weeks, sums["contacts"], strict=True)
    ]
    headings = [(view.say(text("Week from")), "")]
    names = (text("Contacts"), text("Effective"), text("Of high value"), text("Unsuccessful"))
    headings += [(view.say(name), "number") for name in names]
    rows = [
        [view.day(week.date()), view.number(0 if unknown(row[0]) else row[0]), *map(view.number, row[1:])]
        for week, row in zip(reversed(weeks), reversed(sums.to_numpy().tolist()), strict=True)
    ]
    described = view.say(text("A column for each week, named by its Monday; the last one may not be over."))
    return {
        "id": "weeks",
        "heading": title,
        "chart": columns(About("weeks", title, described), bars, view.say(text("Week from"))),
        "table": grid(title, headings, rows),
    }


BY_MONTH = text("Contacts of each sales person by month")
NO_CONTACTS = text("No contact of the last year is known.")
NO_CONTACTS_NEXT = text("Add the table {table} to your files; it fills with the next run of kizashi score.")


# What people have to do and have recorded, and what worked


@router.get("/manager/follow-up")
def follow_up(view: Overseeing) -> Response:
    """What waits, what is missing, and where people and the engine disagree."""
    return _page(view, "follow-up", loop.follow_up(view))


@router.get("/manager/worked")
def worked(view: Overseeing) -> Response:
    """What acting on warnings was followed by, as far as that can be told."""
    return _page(view, "worked", manager_worked.worked(view))
