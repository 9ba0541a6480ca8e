"""Who decides at a customer and how it goes with them, how often we were in contact, and what is planned together."""

from collections.abc import Mapping
from typing import Any

from babel import dates

from features.briefs import records
from features.contract import ROLES
from features.decision_chain import DecisionChain
from serving import charts
from serving.charts import About
from serving.pages.view import View, unknown
from serving.words import account as words
from serving.words.speech import text

#: The strength from which a fall is said to be one in words, too.
_FALLEN = 2
#: People whose months are shown at most.
MOST_PEOPLE = 20


def people_of(view: View, chain: DecisionChain) -> dict[str, Any]:
    """The decision chain as the page shows it."""
    return {
        "people": [_person(view, row) for row in records(chain.people)],
        "heat": _heat(view, chain),
        "curve": _curve(view, chain),
        "board": [_project(view, row) for row in records(chain.board)[:50]],
        "lacking": {
            what: view.say(LACKING, source=chain.unknown[what]) if what in chain.unknown else ""
            for what in ("people", "matrix", "board", "service")
        },
    }


def _person(view: View, row: Mapping[str, Any]) -> dict[str, Any]:
    """A person, or a role that nobody bears."""
    state = row["state"] or ""
    return {
        "name": row["name"] or row["contact_id"] or "",
        "title": row["title"] or "",
        "role": words.named(words.ROLES, row["role"], view.words),
        "nobody": row["contact_id"] is None,
        "state": words.named(words.STATES, state, view.words) if state else view.unknown,
        "code": state,
        "spoken": view.day(row["last_contact_on"]),
        "left": view.day(row["left_on"]) if row["left_on"] else "",
        "recent": view.number(row["contacts_90d"]),
        "usual": view.number(row["usual_90d"], 1),
        "trend": "" if unknown(row["trend"]) else _change(view, row["trend"]),
    }


def _change(view: View, share: float) -> str:
    """A change against the usual with its sign."""
    told = view.share(abs(share))
    rounded = round(share, 2)
    if not rounded:
        return told
    return view.say(LESS if rounded < 0 else MORE, share=told)


def _heat(view: View, chain: DecisionChain) -> dict[str, Any] | None:
    """Roles and people by month: all roles, whether anybody bears them or not; None where no contact is known."""
    cells: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in records(chain.matrix):
        cells.setdefault((row["kind"], row["key"]), []).append(row)
    if not cells:
        return None
    people = {row["contact_id"]: row for row in records(chain.people) if row["contact_id"] is not None}
    borne = {row["role"] for row in people.values() if row["left_on"] is None}
    ends = [row["ends_on"] for row in next(iter(cells.values()))]
    rows = [
        {
            "label": words.named(words.ROLES, role, view.words),
            "sub": "" if role in borne else view.say(NOBODY),
            "gap": role not in borne,
            "role": True,
            "cells": [_cell(view, one) for one in cells.get(("role", role), [])],
        }
        for role in ROLES
    ]
    rows += [
        {
            "label": person["name"] or key,
            "sub": words.named(words.ROLES, person["role"], view.words),
            "gap": False,
            "role": False,
            "cells": [_cell(view, one) for one in cells[("contact", key)]],
        }
        for key, person in list(people.items())[:MOST_PEOPLE]
        if ("contact", key) in cells
    ]
    months = [str(dates.format_skeleton("MMMd", day, locale=view.words.locale)) for day in ends]
    return {"months": months, "rows": rows}


def _cell(view: View, one: Mapping[str, Any]) -> dict[str, Any]:
    """Contacts of 90 days; the strength of the colour is the fall against the usual."""
    strength = 0 if one["few"] else int(one["strength"])
    return {
        "n": view.number(one["contacts_90d"]),
        "strength": strength,
        "change": _change(view, one["change"]) if strength >= _FALLEN and not unknown(one["change"]) else "",
        "usual": "" if unknown(one["usual_90d"]) else view.say(USUAL, n=view.number(one["usual_90d"], 1)),
    }


def _curve(view: View, chain: DecisionChain) -> dict[str, Any] | None:
    """How often we were in contact, against what an account of its age would see; None where nobody knows."""
    rows = [row for row in records(chain.service) if not unknown(row["expected"])]
    if not rows:
        return None
    periods = [
        charts.Period(
            row["begins_on"], row["ends_on"], float(row["actual"]), float(row["expected"]), float(row["limit"])
        )
        for row in rows
    ]
    about = About("curve-chart", view.say(CURVE), view.say(CURVE_TOLD))
    ticks = [(one.ends, str(dates.format_skeleton("yMMM", one.ends, locale=view.words.locale))) for one in periods]
    return {
        "chart": charts.against_curve(about, periods, ticks[:: -(-len(ticks) // 4)]),
        "rows": [
            {
                "from": view.day(row["begins_on"]),
                "to": view.day(row["ends_on"]),
                "actual": view.number(row["actual"]),
                "expected": view.number(row["expected"], 1),
                "below": row["below"],
            }
            for row in reversed(rows)
        ],
        "told": view.say(CURVE_TOLD),
    }


def _project(view: View, row: Mapping[str, Any]) -> dict[str, Any]:
    """A milestone or a joint activity."""
    return {
        "what": words.named(words.BOARD, row["kind"] or "other", view.words),
        "id": row["activity_id"],
        "level": row["level"] or "",
        "status": words.named(words.BOARD, row["status"], view.words) if row["status"] else "",
        "planned": view.day(row["planned_on"]),
        "done": view.day(row["done_on"]),
        "late": "" if unknown(row["days_late"]) or row["days_late"] < 1 else view.days(row["days_late"]),
        "marked": row["marked"],
        "unexplained": row["unexplained"],
        "why": row["explanation"] or "",
    }


NOBODY = text("nobody in this role")
LESS, MORE, USUAL = text("\N{MINUS SIGN}{share}"), text("+{share}"), text("usually {n}")
LACKING = text("This cannot be told, since {source} is not delivered.")
CURVE = text("How often we were in contact")
CURVE_TOLD = text(
    "Dots are contacts of 90 days, the line is what an account of this age and past would have, and the dashed line is "
    "80% of it. A hollow dot lies below."
)
