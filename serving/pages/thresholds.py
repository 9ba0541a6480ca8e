"""The simulator of thresholds: what the past would have given had each level begun at another probability.

The day publishes the sums of the walk-forward at every whole per cent (and at the thresholds in use), so that what is
shown is a count and no estimate of one.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from fastapi.responses import Response

from models.economics import CompanyNumbers, break_even_save_rate, profit
from models.figures import wilson
from models.levels import LEVELS
from serving.charts import About, Mark
from serving.effects import LEAST
from serving.pages.record_model import MODEL, of_training
from serving.pages.record_parts import between, table
from serving.pages.view import DASH, Overseeing, View
from serving.record_charts import Curve, curves
from serving.words.speech import text

router = APIRouter()

Percent = Annotated[float | None, Query(ge=1, le=99, allow_inf_nan=False)]
#: From the loudest to the quietest.
ASKED = LEVELS[:-1]
DAYS_A_WEEK = 7


@router.get("/record/thresholds")
def thresholds(
    view: Overseeing, red: Percent = None, orange: Percent = None, yellow: Percent = None, blue: Percent = None
) -> Response:
    """The simulator; without a question it shows the thresholds in use."""
    day = view.service.board.newest()
    reports = view.service.store.reports(day.as_of)
    told, record = reports.get(MODEL) or {}, of_training(reports)
    held = None if record is None else record["thresholds"]
    common: dict[str, Any] = {"title": view.say(text("Thresholds")), "here": "record"}
    if held is None:
        return view.page("thresholds.html", **common, held=None, trained=record is not None)
    now = {one["name"]: one["threshold"] for one in told["levels"]}
    given = {"red": red, "orange": orange, "yellow": yellow, "blue": blue}
    asked = {code: now[code] if given[code] is None else (given[code] or 0) / 100 for code in ASKED}
    falling = [one for one in asked.values() if one is not None]
    if falling != sorted(falling, reverse=True):
        view.problem = view.say(NOT_FALLING)
        asked = now
    owners = max(int(day.profile["owner"].nunique()), 1)
    chosen = {code: nearest(held["edges"]["at"], one) for code, one in asked.items()}
    used = {code: nearest(held["edges"]["at"], one) for code, one in now.items()}
    numbers = CompanyNumbers(**{name: _numbers(value) for name, value in (told.get("economics") or {}).items()})
    changed = chosen != used
    return view.page(
        "thresholds.html",
        **common,
        held=held,
        fields=[
            {"code": code, "name": view.level(code), "value": _typed(given[code], asked[code])} for code in ASKED
        ],
        tables=[
            _table(view, held, one, owners, caption)
            for one, caption in (
                (chosen, view.say(text("As chosen"))), (used, view.say(text("As in use")))
            )[0 if changed else 1 :]
        ],
        chart=_chart(view, held, chosen),
        money=_money(view, held, chosen, used if changed else None, numbers, record["measure"] if record else ""),
        small=_small(view, held, told, owners),
        changed=changed,
    )  # fmt: skip


NOT_FALLING = text("The thresholds have to fall from red to blue. Shown are those in use.")


def nearest(edges: list[float], asked: float | None) -> int | None:
    """The place of the edge that is nearest to what was asked; None for a level that is off."""
    return None if asked is None else int(np.abs(np.array(edges) - asked).argmin())


def _numbers(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _typed(given: float | None, asked: float | None) -> str:
    """A threshold in per cent as a field holds it."""
    percent = given if given is not None else None if asked is None else round(asked * 100, 1)
    return "" if percent is None else f"{percent:g}"


def at(held: Mapping[str, Any], place: int) -> dict[str, Any]:
    """What is known of an edge, with what follows from it.

    Returns
    -------
    dict
        The edge's own sums and ``precision`` with ``low`` and ``high`` (right of the new warnings), ``warned`` (lost
        customers at or above it while it mattered: newly warned of, or under an older warning), ``recall`` with
        ``recall_low`` and ``recall_high`` (their share of the lost), ``weekly`` (new warnings a week).
    """
    row = {name: values[place] for name, values in held["edges"].items()}
    warned = row["caught"] + row["under_older"]
    low, high = wilson(row["right"], row["warnings"])
    recall_low, recall_high = wilson(warned, held["lost"])
    return row | {
        "precision": row["right"] / row["warnings"] if row["warnings"] else None,
        "low": float(low), "high": float(high),
        "warned": warned,
        "recall": warned / held["lost"] if held["lost"] else None,
        "recall_low": float(recall_low), "recall_high": float(recall_high),
        "missed": held["lost"] - warned,
        "weekly": row["warnings"] / held["days"] * DAYS_A_WEEK,
    }  # fmt: skip


def band(held: Mapping[str, Any], place: int, louder: int | None) -> tuple[int, int]:
    """Predictions of a level alone, and how many of them were lost: at or above its edge, and below the louder one."""
    rows, lost = (held["edges"][name] for name in ("rows", "rows_lost"))
    if louder is None:
        return rows[place], lost[place]
    return rows[place] - rows[louder], lost[place] - lost[louder]


def _table(
    view: View, held: Mapping[str, Any], chosen: Mapping[str, int | None], owners: int, caption: str
) -> dict[str, Any]:
    headings = [
        (view.say(text("This level or louder")), ""), (view.say(text("From")), "number"),
        (view.say(text("New warnings a week")), "number"), (view.say(text("A week and sales person")), "number"),
        (view.say(text("Share right")), "number"), (view.say(text("Losses warned of")), "number"),
        (view.say(text("Newly, under an older one, missed")), "number"),
        (view.say(text("Days left in the own window")), "number"),
        (view.say(text("Lost at this level alone")), "number"),
    ]  # fmt: skip
    rows, louder = [], None
    for code in ASKED:
        place, name = chosen[code], view.level(code)
        label = f"{name['sign']} {name['name']}"
        if place is None:
            rows.append([label, view.say(text("off")), *[DASH] * (len(headings) - 2)])
            continue
        one = at(held, place)
        rows.append(
            [
                label, percent(view, one["at"]), view.number(one["weekly"], 1),
                view.number(one["weekly"] / owners, 1),
                between(view, one["precision"], one["low"], one["high"], one["warnings"]),
                between(view, one["recall"], one["recall_low"], one["recall_high"], held["lost"]),
                " / ".join(view.number(one[what]) for what in ("caught", "under_older", "missed")),
                _lead(view, one),
                _alone(view, *band(held, place, louder)),
            ]
        )  # fmt: skip
        louder = place
    return table(caption, headings, rows)


def _alone(view: View, n: int, lost: int) -> str:
    """The share lost of the predictions at a level alone."""
    if not n:
        return DASH
    low, high = wilson(lost, n)
    share = between(view, lost / n, float(low), float(high), n)
    return view.say(text("{share} of {n}"), share=share, n=view.number(n))


def percent(view: View, share: float) -> str:
    """A threshold, with its decimal where it has one."""
    return view.say(text("{n}%"), n=view.number(share * 100, 1))


def _lead(view: View, one: Mapping[str, Any]) -> str:
    if one["lead_50"] is None:
        return DASH
    ends = {"low": view.number(one["lead_25"]), "high": view.number(one["lead_75"])}
    return view.say(text("{middle} ({low} to {high})"), middle=view.number(one["lead_50"]), **ends)


def _chart(view: View, held: Mapping[str, Any], chosen: Mapping[str, int | None]) -> dict[str, Any]:
    """Share right and losses warned of over the threshold, with the chosen ones."""
    found = [at(held, place) for place in range(len(held["edges"]["at"]))]
    right = [(one["at"], one["precision"]) for one in found if one["warnings"] >= LEAST]
    warned = [(one["at"], one["recall"]) for one in found if one["recall"] is not None]
    marks = [
        Mark(held["edges"]["at"][place], view.level(code)["sign"])
        for code, place in chosen.items()
        if place is not None
    ]
    title = view.say(text("What each threshold would have given"))
    lines = [
        Curve(view.say(text("Losses warned of")), warned),
        Curve(view.say(text("New warnings that were right")), right, dashed=True),
    ]
    described = view.say(text("Two curves over the threshold; the upright lines are the levels."))
    tenths = [one for one in found if round(one["at"] * 100, 6) % 10 == 0]
    names = (
        text("New warnings"), text("Right"), text("Share right"), text("Losses warned of"), text("Predictions above"),
    )  # fmt: skip
    headings = [(view.say(text("Threshold")), "number"), *((view.say(name), "number") for name in names)]
    rows = [
        [
            percent(view, one["at"]), view.number(one["warnings"]), view.number(one["right"]),
            between(view, one["precision"], one["low"], one["high"], one["warnings"]),
            between(view, one["recall"], one["recall_low"], one["recall_high"], held["lost"]), view.number(one["rows"]),
        ]
        for one in tenths
    ]  # fmt: skip
    across = view.say(text("Threshold of the probability"))
    return {
        "chart": curves(About("curves", title, described), lines, marks, across, view.share),
        "table": table(title, headings, rows),
    }


def _money(
    view: View,
    held: Mapping[str, Any],
    chosen: Mapping[str, int | None],
    used: Mapping[str, int | None] | None,
    numbers: CompanyNumbers,
    measure: Any,
) -> dict[str, Any]:
    """What contacting every new warning would have cost and won, from the company's own numbers."""
    missing = numbers.missing(measure)
    if numbers.contact_cost is None:
        return {"missing": ", ".join(f"economics.{name}" for name in missing), "table": None}
    headings = [
        (view.say(text("This level or louder")), ""), (view.say(text("Contacts")), "number"),
        (view.say(text("Value caught")), "number"), (view.say(text("Expected profit")), "number"),
        (view.say(text("Pays from this share kept")), "number"),
    ]  # fmt: skip
    rows = []
    in_use, as_chosen = text("{level}, as in use"), text("{level}, as chosen")
    for which, mine in ((in_use, chosen),) if used is None else ((as_chosen, chosen), (in_use, used)):
        for code, place in mine.items():
            if place is None:
                continue
            one = at(held, place)
            paid = (one["warnings"], one["right"], one["caught_value"], numbers, measure)
            rate = float(break_even_save_rate(*paid))
            rows.append(
                [
                    view.say(which, level=view.level(code)["name"]), view.number(one["warnings"]),
                    view.money(one["caught_value"]), view.money(float(profit(*paid))),
                    view.share(rate) if rate <= 1 else view.say(text("never")),
                ]
            )  # fmt: skip
    return {
        "missing": ", ".join(f"economics.{name}" for name in missing),
        "table": table(view.say(text("What it would have cost and won")), headings, rows),
    }


def _small(view: View, held: Mapping[str, Any], told: Mapping[str, Any], owners: int) -> str:
    return view.say(
        text(
            "Counted on the walk-forward of the training on {trained}: {rows} predictions of {customers} customers of "
            "the cohort on {dates} dates from {first} to {last} ({days} days), {lost} customers lost. Lost: no order "
            "within the customer's own window. A new warning is a customer that reaches the threshold and was not "
            "above it in the 45 days before; the date before the first only shows who stood above already. {owners} "
            "sales persons. Without the room of the levels, without rules and health, which open warnings of their "
            "own. 95% intervals; below {least} cases none is given."
        ),
        trained=view.day(told["trained_as_of"]), rows=view.number(held["rows"]),
        customers=view.number(held["customers"]), dates=view.number(len(held["dates"])),
        first=view.day(held["dates"][0]), last=view.day(held["dates"][-1]), days=view.number(held["days"]),
        lost=view.number(held["lost"]), owners=view.number(owners), least=LEAST,
    )  # fmt: skip
