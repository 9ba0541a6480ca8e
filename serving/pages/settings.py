"""The page of the settings: what holds, what a change would do, who changed what, and who may sign in."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field

from features.errors import KizashiError
from serving.access import SET
from serving.accounts import accounts
from serving.api_company import change_setting
from serving.api_errors import Refused
from serving.api_models import Seen, SettingBody
from serving.api_settings import changeable
from serving.api_visit import Visit, Word
from serving.list_settings import OF_LISTS, PREFIX
from serving.loop_rows import frame
from serving.pages import settings_parts as parts
from serving.pages.forms import offer, problem_of
from serving.pages.settings_preview import effect
from serving.pages.view import Overseeing, View, redirected
from serving.words.choices import choice_name
from serving.words.speech import text

router = APIRouter()

#: Changes that are shown.
CHANGES = 50
COMMANDS = (
    ("kizashi user add NAME --role rep --owner NAME", text("Make an account; a link leads in once.")),
    ("kizashi user link NAME", text("Make another link.")),
    ("kizashi user disable NAME", text("Let nobody in by this account any more.")),
    ("kizashi user list", text("See all accounts.")),
)


class Typed(Seen):
    """A value as it was typed: whole, or in parts."""

    value: str = Field(default="", max_length=200)
    part: dict[str, str] = Field(default_factory=dict)


@router.get("/settings")
def settings(view: Overseeing) -> Response:
    """What holds today, with a form for whoever may change it."""
    return _page(view)


def _page(view: View, at: str = "") -> Response:
    """The page; what was typed stands in the form of the setting `at`."""
    held, usual = _held(view), _usual(view)
    known, effects = changeable(view.service), view.service.effects
    named = [one for _, _, names in parts.GROUPS for one in names]
    others = [name for name in known if name not in named]
    groups = [(code, view.say(words), [one for one in names if one in known]) for code, words, names in parts.GROUPS]
    groups += [("other", view.say(text("Further settings")), others)]
    return view.page(
        "settings.html",
        title=view.say(text("Settings")),
        here="settings",
        may_set=view.may(SET),
        groups=[
            {"code": code, "name": name, "settings": [_setting(one, held, usual, view, at) for one in names]}
            for code, name, names in groups
            if names
        ],
        promises=_promises(view),
        of_the_file=[] if effects is None else _lines(effects.of_the_file()),
        changes=parts.history(view.service.store.history(kinds=["setting_changed"]), usual, view)[:CHANGES],
        accounts=_accounts(view) if view.may(SET) else None,
        commands=[(command, view.say(words)) for command, words in COMMANDS],
    )


def _held(view: View) -> dict[str, dict[str, Any]]:
    """The settings that were changed, by name, with their version."""
    rows = frame(view.service.store, "setting").to_dict("records")
    return {str(row["name"]): {"value": row["value"], "version": int(row["version"])} for row in rows}


def _usual(view: View) -> Mapping[str, Any]:
    """What holds where nobody has changed it."""
    terms, effects = view.service.terms, view.service.effects
    lists = {name: getattr(terms, name.removeprefix(PREFIX)) for name in OF_LISTS}
    return {**lists, **({} if effects is None else effects.usual())}


def _setting(
    name: str, held: Mapping[str, Mapping[str, Any]], usual: Mapping[str, Any], view: View, at: str
) -> dict[str, Any]:
    now = held.get(name, {"value": None, "version": 0})
    value = parts.whole(name, now["value"], usual)
    standing = parts.raw(name, now["value"] if now["value"] is not None or name not in OF_LISTS else value)
    kind = parts.KINDS.get(name)
    return {
        "name": name,
        "heading": parts.setting_name(name, view),
        "meaning": "" if kind is None else view.say(kind.meaning),
        "at_once": kind is not None and kind.at_once,
        "now": parts.told(name, value, view),
        "changed": now["value"] is not None,
        "fields": parts.fields(name, view.typed if name == at else standing, usual.get(name), view),
    }


def _promises(view: View) -> dict[str, Any] | None:
    """The levels of the model: from which chance on, what they promise, and their room."""
    effects = view.service.effects
    model = None if effects is None else effects.model()
    if model is None:
        return None
    headings = (
        text("Level"), text("Threshold of the training"), text("Promised precision"), text("Precision on the past"),
        text("Predictions that came of age"), text("Largest share of its queue"),
    )  # fmt: skip
    columns = [{"heading": view.say(one), "look": "number" if place else ""} for place, one in enumerate(headings)]
    rows = []
    for one in model["levels"]:
        solved = view.say(text("off")) if one["threshold"] is None else parts.percent(one["threshold"], view)
        told = (solved, view.share(one["promised"]), view.share(one["precision"]), view.number(one["n"]))
        rows.append({"cells": [view.level(one["name"])["name"], *told, view.share(one["largest_share"])], "sum": False})
    return {"caption": view.say(text("What the training found")), "columns": columns, "rows": rows}


def _lines(sections: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lines of the file of settings."""
    return [
        {"section": f"[{section}]", "lines": [f"{key} = {_toml(value)}" for key, value in values.items()]}
        for section, values in sections.items()
    ]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _accounts(view: View) -> list[dict[str, str]]:
    with view.service.store.reading() as connection:
        found = accounts(connection)
    return [
        {
            "name": one.name,
            "role": choice_name("role", one.role, view.locale),
            "owner": one.owner or "",
            "since": view.day(None if one.created_at is None else one.created_at.date()),
            "state": view.say(text("disabled")) if one.disabled_at is not None else view.say(text("may sign in")),
        }
        for one in found
    ]


@router.get("/settings/preview")
def preview(view: Overseeing, request: Request, name: Word = None) -> Response:
    """What a value would change today; nothing is stored."""
    known = changeable(view.service)
    if name is None:
        return redirected("/settings")
    if name not in known:
        raise Refused(404)
    asked = {key: value[:200] for key, value in request.query_params.items()}
    given = {key.partition(".")[2]: value for key, value in asked.items() if key.startswith("part.")}
    try:
        value = known[name](parts.value_of(name, asked.get("value", ""), given))
        found = effect(view, name, value)
    except (Refused, KizashiError) as refusal:
        view.problem, status = problem_of(refusal, view)
        view.typed = asked
        again = _page(view, name)
        again.status_code = status
        return again
    held, usual = _held(view), _usual(view)
    now = held.get(name, {"value": None, "version": 0})
    kind = parts.KINDS.get(name)
    return view.page(
        "settings_preview.html",
        title=view.say(text("What would change")),
        here="settings",
        name=name,
        heading=parts.setting_name(name, view),
        now=parts.told(name, parts.whole(name, now["value"], usual), view),
        then=parts.told(name, parts.whole(name, value, usual), view),
        same=value == now["value"],
        at_once=kind is not None and kind.at_once,
        fields=parts.raw(name, value),
        version=now["version"],
        found=found,
        may_set=view.may(SET),
    )


def save(visit: Visit, name: str, body: Typed, key: str) -> Response:
    """Change a setting to what was typed."""
    value = parts.value_of(name, body.value, body.part)
    return change_setting(visit, name, SettingBody(version=body.version, value=value), key)


offer(
    router,
    "/settings/{name}",
    right=SET,
    act=save,
    body=Typed,
    done=("setting", text("The setting is changed.")),
    page=lambda view, name: _page(view, name),
    onto=lambda _parts, _answer: "/settings",
)
