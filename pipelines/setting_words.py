"""Settings in words: what a value may be, what is wrong with one, and what the comments of a TOML file say.

Works on any pydantic model whose sections are models: the bounds stand once, in the model, and both the
page of settings and the messages of errors are read off it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

_NUMBERS = {int: "a whole number", float: "a number"}
_BOUNDS = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))


@dataclass(frozen=True)
class Allowed:
    """What a value may be, where its type and bounds do not say it; `secret` values are never repeated."""

    words: str
    secret: bool = False


@dataclass(frozen=True)
class Entry:
    """One key of a TOML file, or one of its sections (`key` is empty), with the comment above it."""

    section: str
    key: str
    default: str
    words: str


def documented(text: str) -> Iterator[Entry]:
    """The sections and keys of a TOML text of one-line values, in order, each with the comment above it."""
    section = ""
    words: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            words.append(line.removeprefix("#").strip())
            continue
        if line.startswith("["):
            section = line.strip("[] ")
            yield Entry(section, "", "", " ".join(words))
        elif "=" in line:
            key, default = (part.strip() for part in line.split("=", 1))
            yield Entry(section, key, default, " ".join(words))
        words = []


def allowed(field: FieldInfo) -> str:
    """What the values of a field may be: ``a whole number, at least 1``."""
    for mark in field.metadata:
        if isinstance(mark, Allowed):
            return mark.words
    kind = field.annotation
    words = [_NUMBERS.get(kind, "text")] if isinstance(kind, type) else ["text"]
    for name, bound in _BOUNDS:
        words += [f"{bound} {limit}" for mark in field.metadata if (limit := getattr(mark, name, None)) is not None]
    return ", ".join(words)


def field_at(model: type[BaseModel], path: tuple[str, ...]) -> FieldInfo:
    """The field that a path of names leads to, or the last one on the way that is no section."""
    field = model.model_fields[path[0]]
    section = _section(field)
    if section is None or len(path) == 1:
        return field
    return field_at(section, path[1:])


def problems(model: type[BaseModel], values: Mapping[str, Any], refusal: ValidationError) -> list[str]:
    """Everything that pydantic refused in `values`, each once, with its place and what is allowed there."""
    found: dict[tuple[str, ...], str] = {}
    for error in refusal.errors(include_url=False):
        path = tuple(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            found[path] = _unknown(model, path)
            continue
        field = field_at(model, path)
        path = path[: _depth(model, path)]  # without the places inside a list
        found[path] = _refused(path, field, error["type"], error["msg"], values)
    return list(found.values())


def _refused(path: tuple[str, ...], field: FieldInfo, kind: str, message: str, values: Mapping[str, Any]) -> str:
    if _section(field) or get_origin(field.annotation) is dict:
        wrong = message.removeprefix("Value error, ") if kind == "value_error" else "must be a table of settings"
        return f"[{'.'.join(path)}]: {wrong}"
    if any(isinstance(mark, Allowed) and mark.secret for mark in field.metadata):
        return f"{_named(path)} is not usable, allowed: {allowed(field)}"
    value: Any = values
    for name in path:
        value = value[name]
    return f"{_named(path)} = {json.dumps(value, ensure_ascii=False, default=str)}, allowed: {allowed(field)}"


def _unknown(model: type[BaseModel], path: tuple[str, ...]) -> str:
    section: type[BaseModel] = model
    for name in path[:-1]:
        section = _section(section.model_fields[name]) or section
    known, name = list(section.model_fields), path[-1]
    if len(path) == 1:
        homes = [place for place, field in model.model_fields.items() if name in _names(field)]
        if homes:
            return f"{name} belongs under [{homes[0]}]"
    near = get_close_matches(name, known, n=1)
    mend = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    return f"{_named(path)} is unknown, {mend}"


def _named(path: tuple[str, ...]) -> str:
    return f"[{'.'.join(path[:-1])}] {path[-1]}" if len(path) > 1 else f"[{path[0]}]"


def _names(field: FieldInfo) -> tuple[str, ...]:
    section = _section(field)
    return tuple(section.model_fields) if section else ()


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _depth(model: type[BaseModel], path: tuple[str, ...]) -> int:
    """How many names of a path lead through sections to a field."""
    section = _section(model.model_fields[path[0]])
    return 1 if section is None or len(path) == 1 else 1 + _depth(section, path[1:])
