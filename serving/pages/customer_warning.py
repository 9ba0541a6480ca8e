"""The open warning of a customer with its six steps, what is advised, what people think of it and what came of it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from features.errors import KizashiError
from serving import loop
from serving.access import ACT
from serving.api_company import cases
from serving.api_visit import Visit, log
from serving.charts import SIGNS
from serving.loop import STEPS
from serving.pages.customer_parts import Known
from serving.pages.view import View, unknown
from serving.plays import PLAYS, advice, contributions_of, play_name, play_record
from serving.words.choices import CHOICES, choice_name, options
from serving.words.speech import text

#: The act that brings a warning to each step, and what its button says.
ACTS: Mapping[str, tuple[str, str]] = {
    "acknowledged": ("acknowledge", text("Take it on")),
    "planned": ("plan", text("Keep the plan")),
    "in_progress": ("start", text("Begin")),
    "evaluated": ("evaluate", text("Keep the result")),
    "learned": ("learn", text("Keep the lesson")),
}
#: What is to be done at each step.
ASKS: Mapping[str, str] = {
    "acknowledged": text("Is this warning yours? Take it on, so that everybody knows."),
    "planned": text("What is to be done? Choose among what helped before, or write it down."),
    "in_progress": text("Has the plan been begun?"),
    "evaluated": text("What did it come to?"),
    "learned": text("What would you do again, or otherwise? One sentence helps whoever has the next such case."),
}
#: Why a warning ended.
ENDS: Mapping[str, str] = {
    "quiet": text("The risk has been low for long enough"),
    "not_scored": text("The customer is not scored any more"),
    "superseded": text("The day was corrected"),
}
#: Plays are advised until the plan is made.
_BEFORE_THE_PLAN = ("raised", "acknowledged")
SHOWN = "shown"


def warning_of(view: View, one: Known) -> dict[str, Any] | None:
    """The open warning as the page shows it; None where there is none."""
    row = one.warning
    if row is None:
        return None
    base = {"level": row["level"] if row["level"] in SIGNS else "none", "opened": view.day(row["opened_on"])}
    if row["arm"] != SHOWN:
        return {**base, "held": True}
    place = STEPS.index(row["step"])
    following = STEPS[place + 1] if place + 1 < len(STEPS) else None
    mine = [told.event for told in one.file.events if told.event.episode_id == row["episode_id"]]
    moves = {told.payload["step"]: told for told in mine if told.kind == "step_moved"}
    opinions = {told.actor: told.payload for told in mine if told.kind == "feedback_given"}
    return {
        **base,
        "held": False,
        "id": row["episode_id"],
        "version": row["version"],
        "owner": row["owner"],
        "treated": view.moment(row["treated_at"]) if row["treated_at"] else "",
        "steps": [_step(view, code, number, place, moves) for number, code in enumerate(STEPS)],
        "next": None if following is None else _next(view, row, following),
        "plays": _advised(view, one) if row["step"] in _BEFORE_THE_PLAN else [],
        "opinions": [
            {
                "by": who,
                "verdict": choice_name("verdict", told["verdict"], view.locale),
                "note": told.get("note") or "",
            }
            for who, told in opinions.items()
        ],
        "mine": opinions.get(view.visit.caller.name, {}).get("verdict", ""),
    }


def _step(view: View, code: str, number: int, place: int, moves: Mapping[str, Any]) -> dict[str, Any]:
    """One of the six steps: whether it is done, by whom, and what was said at it."""
    event = moves.get(code)
    return {
        "name": choice_name("step", code, view.locale),
        "done": number <= place,
        "here": number == place,
        "by": "" if event is None else event.actor,
        "at": "" if event is None else view.moment(event.at),
        "said": "" if event is None else _said(view, event.payload),
    }


def _said(view: View, payload: Mapping[str, Any]) -> str:
    told = [play_name(play, view.locale) for play in payload.get("plays") or ()]
    if payload.get("result") in CHOICES["result"]:
        told.append(choice_name("result", payload["result"], view.locale))
    told += [payload[name] for name in ("note", "lesson") if payload.get(name)]
    return " · ".join(told)


def _next(view: View, row: Mapping[str, Any], step: str) -> dict[str, Any]:
    act, button = ACTS[step]
    return {
        "act": act,
        "address": view.link("episodes", row["episode_id"], act),
        "name": choice_name("step", step, view.locale),
        "ask": view.say(ASKS[step]),
        "button": view.say(button),
    }


class _Record:
    """How often plays ended well, made anew only where a plan or a final record has come since."""

    def __init__(self) -> None:
        self._made: tuple[int, pd.DataFrame] | None = None

    def now(self, visit: Visit) -> pd.DataFrame:
        """Of :func:`serving.plays.play_record`."""
        store = visit.service.store
        number, made = store.mark().number, self._made
        if made is None or store.history(kinds=("step_moved", "outcome_recorded"), after=made[0]):
            made = (number, play_record(cases(visit)))
        self._made = (number, made[1])
        return made[1]


def _advised(view: View, one: Known) -> list[dict[str, Any]]:
    """What to do, the first to be tried first, with how often it ended well; then every other play."""
    made: _Record = one.day.memo.get("record of plays", _Record)
    record = made.now(view.visit)
    weights = contributions_of(pd.DataFrame(one.file.reasons), pd.DataFrame(one.file.signals))
    advised = advice(weights, record, least=view.service.limits.least_cases_of_a_play)
    known = [
        {
            "code": play.play,
            "name": play_name(play.play, view.locale),
            "advised": True,
            "record": view.say(RECORD, successes=view.number(play.successes), n=view.number(play.n)) if play.n else "",
        }
        for play in advised
    ]
    codes = {play["code"] for play in known}
    others = [
        {"code": play, "name": play_name(play, view.locale), "advised": False, "record": ""}
        for play in PLAYS
        if play not in codes
    ]
    return [*known, *others]


def records_of(view: View, one: Known) -> list[dict[str, Any]]:
    """What came of the customer's warnings, the open one first: final records, drafts, and what has none yet."""
    told = []
    for row in one.file.episodes:
        if row["arm"] != SHOWN:
            continue
        record = one.file.outcomes.get(row["episode_id"], {})
        told.append(
            {
                "id": row["episode_id"],
                "level": row["highest_level"],
                "opened": view.day(row["opened_on"]),
                "closed": view.day(row["closed_on"]) if row["closed_on"] else "",
                "end": view.say(ENDS[row["close_reason"]]) if row["close_reason"] in ENDS else "",
                "state": record.get("state", ""),
                "version": record.get("version", 0),
                "approach": _named(view, "approach", record.get("approach")),
                "why": _named(view, "why", record.get("why")),
                "result": _named(view, "result", record.get("result")),
                "chosen": {name: record.get(name) or "" for name in ("approach", "why", "result", "note")},
                "stopped": "" if unknown(record.get("days_stopped")) else view.days(record["days_stopped"]),
                "first": "" if unknown(record.get("first_order_amount")) else view.money(record["first_order_amount"]),
                "by": record.get("author", ""),
                "address": view.link("episodes", row["episode_id"], "outcome"),
            }
        )
    return told


def _named(view: View, kind: str, code: str | None) -> str:
    return choice_name(kind, code, view.locale) if code is not None and code in CHOICES[kind] else ""


def choices_of(view: View) -> dict[str, list[tuple[str, str]]]:
    """Everything that the forms choose from."""
    kinds = ("temperature", "risk", "result", "approach", "why", "verdict", "visit", "cause")
    return {kind: options(kind, view.locale) for kind in kinds}


def note_opened(view: View, one: Known) -> None:
    """Keep that who may act opened the page of a customer with an open warning; once, and never at the page's cost."""
    warning, who = one.warning, view.visit.caller.name
    if warning is None or warning["arm"] != SHOWN or not view.may(ACT):
        return
    if any("prefetch" in view.request.headers.get(name, "") for name in ("sec-purpose", "purpose")):
        return  # the browser looked, nobody else did
    before = any(
        told.event.kind == "exposed"
        and told.event.episode_id == warning["episode_id"]
        and told.event.actor == who
        and told.event.payload["kind"] == "opened"
        for told in one.file.events
    )
    if before:
        return
    try:
        loop.note_exposure(view.service.store, warning["episode_id"], "opened", actor=who, at=view.visit.now)
    except KizashiError as mistake:
        log.warning("that a warning was opened could not be kept: %s", mistake)


RECORD = text("ended well {successes} times of {n}")
