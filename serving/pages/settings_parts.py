"""How settings are named, typed, read back and shown on the page."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from babel import dates

from serving.api_errors import Refused
from serving.api_settings import MOST_PER_PERSON, NEW_PER_WEEK, PROFILE, THRESHOLDS, WEIGHTS
from serving.ledger import Recorded
from serving.list_settings import OF_LISTS, PREFIX
from serving.pages.view import View
from serving.wording import dimension_name, level_name
from serving.words.names import DIMENSIONS
from serving.words.speech import text

Row = dict[str, Any]

WEEK_ENDS = f"{PREFIX}week_ends"


@dataclass(frozen=True)
class Kind:
    """A setting: what it is called, what it means, and when a change shows."""

    name: str
    meaning: str
    at_once: bool = False


KINDS: Mapping[str, Kind] = {
    THRESHOLDS: Kind(
        text("Thresholds of the levels"),
        text(
            "From which chance of no order on a level is given, in per cent, falling from red to blue. Leave a field "
            "empty for what the training found: there the level keeps its promised precision."
        ),
    ),
    PROFILE: Kind(
        text("Industry profile"),
        text(
            "How the five dimensions of the health are weighed. Standard goods are heard from by their orders, project "
            "business by talking."
        ),
    ),
    WEIGHTS: Kind(
        text("Own weights of the health"),
        text("In per cent, 100 in all. They count in place of the profile; leave all empty for the profile's."),
    ),
    NEW_PER_WEEK: Kind(
        text("New warnings a week"),
        text("An owner gets at most so many new warnings in a week; the most valuable customers first."),
    ),
    MOST_PER_PERSON: Kind(
        text("Open tasks per person"),
        text("So many open tasks are shown to one person; those of the red list in any case."),
        at_once=True,
    ),
    WEEK_ENDS: Kind(
        text("End of the working week"), text("By this day customers on the red list are dealt with."), at_once=True
    ),
    f"{PREFIX}silent_days": Kind(
        text("Days without contact"), text("From so many days on an account counts as without contact."), at_once=True
    ),
    f"{PREFIX}important_silent_days": Kind(
        text("Days without order, important accounts"),
        text("Important accounts that have not ordered for longer are told by name."),
        at_once=True,
    ),
    f"{PREFIX}recent_days": Kind(
        text("Recent days"), text("What happened within so many days counts as recent."), at_once=True
    ),
    f"{PREFIX}review_days": Kind(
        text("Days between reviews"),
        text("The list of customers at risk is reviewed at least once in so many days."),
        at_once=True,
    ),
}
#: The parts of the page, each with its settings.
GROUPS = (
    ("levels", text("Levels"), (THRESHOLDS,)),
    ("health", text("Health"), (PROFILE, WEIGHTS)),
    ("capacity", text("Capacity"), (NEW_PER_WEEK, MOST_PER_PERSON)),
    ("lists", text("Lists"), tuple(OF_LISTS)),
)
PROFILES = {
    "default": text("Usual weights"),
    "standard": text("Standard goods"),
    "project": text("Project business"),
}
LEVELS = ("red", "orange", "yellow", "blue")
NO_NUMBER = text("“{value}” is not a number. Write it in digits, such as {example}.")
AS_BEFORE = text("as file and training say")


def setting_name(name: str, view: View) -> str:
    """What a setting is called."""
    return view.say(KINDS[name].name) if name in KINDS else name


def value_of(name: str, typed: str, parts: Mapping[str, str]) -> Any:
    """What was typed as a value of a setting; None where nothing was.

    Raises
    ------
    Refused
        422 if a field that wants a number holds none.
    """
    if name in (THRESHOLDS, WEIGHTS):
        numbers = {part: _number(one) for part, one in parts.items() if one.strip()}
        return {part: round(one / 100, 6) for part, one in numbers.items()} if name == THRESHOLDS else numbers or None
    if not typed.strip():
        return None
    if name == PROFILE:
        return typed.strip()
    number = _number(typed)
    return int(number) if number == int(number) else number


def _number(typed: str) -> float:
    try:
        number = float(typed.strip().removesuffix("%").strip().replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Refused(422, message=NO_NUMBER, value=typed.strip()[:40], example="45")
    return number


def _part(part: str, view: View) -> str:
    if part in LEVELS:
        return level_name(part, view.locale)
    return dimension_name(part, view.locale) if part in DIMENSIONS else part


def raw(name: str, value: Any) -> dict[str, str]:
    """A value as the fields of a form hold it, which :func:`value_of` reads back."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        many = 100 if name == THRESHOLDS else 1
        return {f"part.{part}": f"{round(float(one) * many, 6):g}" for part, one in value.items()}
    return {"value": str(value)}


def whole(name: str, value: Any, usual: Mapping[str, Any]) -> Any:
    """What holds with a value of a setting: what the value leaves open is as usual."""
    if value is None:
        return usual.get(name)
    return {**(usual.get(name) or {}), **value} if isinstance(value, Mapping) else value


def told(name: str, value: Any, view: View) -> str:
    """A value in words."""
    if value is None or value == {}:
        return view.say(AS_BEFORE)
    if isinstance(value, Mapping):
        known = [part for part in (*LEVELS, *DIMENSIONS) if part in value]
        listed = [*known, *(part for part in value if part not in known)]
        return view.say(text(", ")).join(
            view.say(text("{name} {value}"), name=_part(part, view), value=_one(name, value[part], view))
            for part in listed
        )
    if name == PROFILE:
        return view.say(PROFILES[value]) if value in PROFILES else str(value)
    if name == WEEK_ENDS:
        return weekdays(view)[value][1]
    return view.number(value) if isinstance(value, int | float) else str(value)


def _one(name: str, value: float | None, view: View) -> str:
    if value is None:
        return view.say(text("off"))
    return percent(value, view) if name == THRESHOLDS else view.number(value, 0 if value == int(value) else 1)


def percent(value: float, view: View) -> str:
    """A probability in per cent with one decimal."""
    return view.say(text("{n}%"), n=view.number(value * 100, 1))


def weekdays(view: View) -> list[tuple[int, str]]:
    """The days of the week, Monday is 0."""
    names = dates.get_day_names("wide", locale=view.words.locale)
    return [(number, str(names[number])) for number in range(7)]


def fields(name: str, held: Mapping[str, str], usual: Any, view: View) -> list[Row]:
    """The fields of a setting's form.

    Parameters
    ----------
    held
        What stands in them, by their names.
    usual
        What holds where nothing is changed.
    """
    if name in (THRESHOLDS, WEIGHTS):
        parts = LEVELS if name == THRESHOLDS else tuple(usual or DIMENSIONS)
        return [
            {
                "id": f"{name}.{part}".replace(".", "-"),
                "name": f"part.{part}",
                "label": _part(part, view),
                "value": held.get(f"part.{part}", ""),
                "hint": "" if part not in (usual or {}) else _one(name, (usual or {})[part], view),
                "options": [],
            }
            for part in parts
        ]
    one: Row = {
        "id": name.replace(".", "-"), "name": "value", "label": setting_name(name, view),
        "value": held.get("value", ""), "hint": "" if usual is None else told(name, usual, view), "options": [],
    }  # fmt: skip
    if name == PROFILE:
        one["options"] = [("", view.say(AS_BEFORE)), *((code, view.say(words)) for code, words in PROFILES.items())]
    if name == WEEK_ENDS:
        one["options"] = [(str(number), day) for number, day in weekdays(view)]
    return [one]


def history(events: list[Recorded], usual: Mapping[str, Any], view: View) -> list[Row]:
    """Who changed what, the newest first, with the value before; what stands now can be set back to it."""
    before: dict[str, Any] = {}
    newest: dict[str, int] = {}
    rows = []
    for recorded in events:
        event = recorded.event
        name, value = event.payload["name"], event.payload["value"]
        newest[name] = recorded.number
        rows.append((recorded, name, before.get(name), value))
        before[name] = value
    return [
        {
            "at": view.moment(recorded.event.at),
            "who": recorded.event.actor,
            "setting": setting_name(name, view),
            "name": name,
            "before": told(name, earlier, view) if earlier is not None else _first(name, usual, view),
            "after": told(name, value, view),
            "back": raw(name, earlier if earlier is not None else _needed(name, usual)),
            "version": recorded.event.payload["version"],
            "newest": newest[name] == recorded.number,
        }
        for recorded, name, earlier, value in reversed(rows)
    ]


def _needed(name: str, usual: Mapping[str, Any]) -> Any:
    """The value that is as before: lists want one, all else knows none."""
    return usual.get(name) if name in OF_LISTS else None


def _first(name: str, usual: Mapping[str, Any], view: View) -> str:
    return told(name, usual[name], view) if name in OF_LISTS else view.say(AS_BEFORE)
