"""What the pages of the team are made of: the figures of every sales person, contacts, reports, and rows of tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from features.contact_records import DEFINITIONS, LOGGED_WITHIN_DAYS, rates
from serving.api_data import listed, open_tasks, profile_of, room
from serving.list_register import Listing
from serving.list_rows import NONE, Choice
from serving.pages.list_cells import FEWER, MORE, Cells
from serving.pages.today import NOBODY
from serving.pages.view import DASH, View, first_of, unknown
from serving.rows import records
from serving.words.columns import FIGURES, column_of
from serving.words.list_answers import DEFINITIONS as COUNTED
from serving.words.speech import text

#: Rows of one page, rows of a list beside others, and bars of a chart.
MOST, SOME, BARS = 50, 15, 10
#: Success and loss of contacts are told of so many days.
CONTACT_DAYS = 90
_COUNTS = ("contacts", "effective", "high_value", "unsuccessful")
#: Figures of a person that add up to those of the company.
SUMS = (
    "accounts", "silent", "unknown", "high", "red", "orange", "open", "overdue", "left", "expected", "recorded",
    *_COUNTS, "orders_month_to_date", "orders_previous_month_to_date", "revenue_month_to_date",
    "revenue_previous_month_to_date",
)  # fmt: skip


@dataclass(frozen=True)
class Team:
    """The figures of everybody who has customers, tasks or contacts.

    Attributes
    ----------
    people
        By ``owner`` (``(none)`` for what is nobody's), those with most red and orange customers first and what is
        nobody's last: :data:`SUMS`, ``success_rate``, ``loss_rate``, ``orders_change`` and ``revenue_change``. NaN
        where something is not known.
    whole
        The same of all together.
    lacking
        The tables or columns of the contract for want of which figures are unknown.
    """

    people: pd.DataFrame
    whole: Mapping[str, float]
    lacking: tuple[str, ...] = ()


def team_of(view: View) -> Team:
    """The figures of everybody, made once for as long as nothing is entered."""
    memo = view.visit.look.company.memo
    team: Team = memo.get(("team", view.visit.today), lambda: _team(view))
    return team


def _team(view: View) -> Team:
    visit = view.visit
    _, profile = profile_of(visit)
    silent, orders = (listed(visit, name, Choice()) for name in ("silent_by_owner", "orders_by_owner"))
    owners = profile["owner"].fillna(NONE)
    standing = pd.DataFrame(
        {"accounts": 1, "red": profile["level"] == "red", "orange": profile["level"] == "orange"}, index=owners.index
    )
    tasks = open_tasks(visit)
    late = tasks["due_on"] < pd.Timestamp(visit.today)
    work = pd.DataFrame({"open": 1, "overdue": late}, index=tasks.index).groupby(tasks["owner"].fillna(NONE)).sum()
    left = {owner or NONE: n for owner, n in room(visit, visit.today).not_shown.items()}
    follow = pd.DataFrame((reports_of(view).get("follow_ups") or {}).get("people") or [], columns=list(_FOLLOWED))
    contacts = contact_days(view)
    parts: list[Any] = [
        standing.groupby(owners).sum(),
        silent.rows.set_index("owner")[["silent", "unknown"]],
        listed(visit, "risk_by_owner", Choice()).rows.groupby("owner").size().rename("high"),
        work,
        pd.Series(left, dtype="float64").rename("left"),
        follow.set_index("owner")[["expected", "recorded"]],
        _lately(contacts.rows, visit.look.company.day.as_of),
        orders.rows.set_index("owner").drop(columns=["orders_change", "revenue_change"]),
    ]
    found = pd.concat([part.astype("float64") for part in parts], axis=1)
    none_at_all = ["accounts", "high", "red", "orange", "open", "overdue", "left"]
    found = found.reindex(columns=list(SUMS)).fillna(dict.fromkeys(none_at_all, 0.0))
    whole = found.sum(min_count=1).to_frame().T
    found = _rated(found).rename_axis("owner").reset_index()
    found = found.assign(loud=found["red"] + found["orange"], nobody=found["owner"] == NONE)
    found = found.sort_values(
        ["nobody", "loud", "red", "owner"], ascending=[True, False, False, True], ignore_index=True
    ).drop(columns=["loud", "nobody"])
    lacking = [one for one in (silent.source_absent, contacts.source_absent) if one]
    return Team(found, records(_rated(whole))[0], tuple(lacking))


_FOLLOWED = ("owner", "expected", "recorded", "share", "missing")


def _rated(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of sums with the shares and changes that follow from them."""
    shares = {
        name: rows[list(DEFINITIONS[name])].sum(axis=1, min_count=1) / rows["contacts"].where(rows["contacts"] > 0)
        for name in ("success_rate", "loss_rate")
    }
    for what in ("orders", "revenue"):
        before = rows[f"{what}_previous_month_to_date"]
        shares[f"{what}_change"] = rows[f"{what}_month_to_date"] / before.where(before > 0) - 1
    return rows.assign(**shares)


def _lately(days: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The contacts of each person in the last :data:`CONTACT_DAYS` days."""
    recent = days[days["day"] >= pd.Timestamp(as_of - timedelta(days=CONTACT_DAYS))]
    return recent.groupby("owner")[list(_COUNTS)].sum(min_count=1)


def contact_days(view: View) -> Listing:
    """What each sales person did on each day of a year (LV-23); it follows from the day alone."""
    memo = view.visit.look.company.day.memo
    found: Listing = memo.get("contact_days", lambda: _with_days(listed(view.visit, "contact_days", Choice())))
    return found


def _with_days(found: Listing) -> Listing:
    """A list that has days and owners even where it is empty."""
    rows = found.rows.assign(day=pd.to_datetime(found.rows["day"]), owner=found.rows["owner"].astype("object"))
    return Listing(found.name, rows, found.source_absent, found.columns_absent)


def contact_rates(view: View) -> pd.DataFrame:
    """Success and loss of each person month by month (LV-24), the newest month first."""
    days = contact_days(view).rows
    if days.empty:
        return pd.DataFrame(columns=["owner", "begins", "days", *_COUNTS, "success_rate", "loss_rate", "logged_share"])
    found: pd.DataFrame = view.visit.look.company.day.memo.get(
        "contact_rates",
        lambda: rates(days).sort_values(["begins", "owner"], ascending=[False, True], ignore_index=True),
    )
    return found


def reports_of(view: View) -> Mapping[str, Any]:
    """What the newest day tells of the company as a whole, by name."""
    day = view.visit.look.company.day
    told: Mapping[str, Any] = day.memo.get("reports", lambda: view.service.store.reports(day.as_of))
    return told


# Words and rows


def person(view: View, owner: Any) -> str:
    """A sales person by name; what is nobody's says so."""
    return view.say(NOBODY) if unknown(owner) or owner == NONE else str(owner)


def person_cell(view: View, owner: Any) -> dict[str, Any]:
    """A sales person with the way to the own page."""
    name = NONE if unknown(owner) else str(owner)
    return {"text": person(view, owner), "address": view.link("manager", "people", name)}


def customer_cell(view: View, customer: str) -> dict[str, Any]:
    """A customer with its name and the way to its page; one that the day does not know has no page."""
    company = view.visit.look.company
    place = company.place(customer)
    if place is None:
        return {"text": customer}
    name = company.profile["name"].iloc[place] if "name" in company.profile.columns else None
    told = customer if unknown(name) else str(name)
    return {"text": told, "sub": customer, "address": view.link("customers", customer)}


def change(view: View, value: float | None) -> str:
    """A change as a share with its sign; "" where it is not known."""
    if unknown(value):
        return ""
    told = view.share(abs(float(value)))  # type: ignore[arg-type]
    if not value:
        return view.say(NO_CHANGE)
    return view.say(MORE if float(value) > 0 else FEWER, share=told)


def grid(
    caption: str,
    headings: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Any]],
    last: bool = False,
) -> dict[str, Any]:
    """A table whose cells may be texts, or what :func:`person_cell` and its like tell; with `last` one row sums up."""
    return {
        "caption": caption,
        "columns": [{"heading": heading, "look": look} for heading, look in headings],
        "rows": [{"cells": list(row), "sum": last and i == len(rows) - 1} for i, row in enumerate(rows)],
    }


def listing_grid(view: View, name: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows of a list by its name, in some of its columns."""
    cells = Cells(view, name)
    headings = [
        (view.say(column_of(one, name).heading), "number" if column_of(one, name).kind in FIGURES else "")
        for one in columns
    ]
    told = [[_cell(view, cells.cell(one, row), row, one) for one in columns] for row in rows]
    return grid("", headings, told)


def _cell(view: View, cell: dict[str, Any], row: Mapping[str, Any], column: str) -> Any:
    if cell["kind"] == "level":
        return {"level": cell["level"]} if cell["level"] else DASH
    if column == "owner":
        return person_cell(view, row["owner"])
    return {key: cell[key] for key in ("text", "sub", "address", "lines") if cell.get(key)} or DASH


def part_of(rows: pd.DataFrame, page: int, most: int = MOST) -> tuple[pd.DataFrame, dict[str, int]]:
    """A page of some rows, and what its pager says; a page beyond the last is the last."""
    first = first_of(page, len(rows), most)
    part = rows.iloc[first : first + most]
    return part, {"first": first + 1, "last": first + len(part), "total": len(rows), "most": most}


def definitions(view: View, *names: str) -> list[dict[str, str]]:
    """What columns of the list of contacts count."""
    counted = COUNTED["contact_rates"]
    days = view.number(LOGGED_WITHIN_DAYS)
    return [{"name": view.say(column_of(one).heading), "text": view.say(counted[one], days=days)} for one in names]


def tabs(view: View, here: str) -> list[dict[str, Any]]:
    """The pages of the team."""
    return [
        {"name": view.say(name), "address": view.link("manager", *([code] if code else [])), "here": code == here}
        for code, name in TABS.items()
    ]


TABS = {
    "": text("Sales people"),
    "risks": text("Who holds which risks"),
    "restarted": text("Ordering again"),
    "contacts": text("Contact history"),
    "follow-up": text("Follow-up"),
    "worked": text("What worked"),
}
NO_CHANGE = text("no change")
PERSON, CUSTOMER, DAYS = text("Sales person"), text("Customer"), text("Days")
