"""The cells of tables: every value of a list, and every fact of a task, in the reader's words."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from babel import dates

from serving.change_words import rule_text
from serving.charts import SIGNS
from serving.list_rows import NONE
from serving.list_words import step_text, why_texts
from serving.lists import LISTS
from serving.pages.view import DASH, View, unknown
from serving.records import PERCENT
from serving.wording import stage_name
from serving.words.choices import CHOICES, choice_name
from serving.words.columns import FIGURES, SORTABLE, Column, code_name, column_of
from serving.words.speech import text

Row = Mapping[str, Any]

_LOOKS = {"day": "day", "month": "day", "moment": "day", "step": "step"}


def sortable(kind: str) -> bool:
    """Whether a column of this kind can be sorted by."""
    return kind in SORTABLE


def look_of(kind: str) -> str:
    """The class that the cells of a kind bear."""
    return "number" if kind in FIGURES else _LOOKS.get(kind, "")


class Cells:
    """Puts the values of one list into words."""

    def __init__(self, view: View, of_list: str = "") -> None:
        self._view, self._list = view, of_list
        self._tell: Mapping[str, Callable[[Any, Column], str]] = {
            "person": self._person,
            "stage": lambda value, _: stage_name(value, view.locale),
            "choice": self._choice,
            "code": lambda value, column: code_name(column.codes, value, view.locale),
            "money": lambda value, _: view.money(value),
            "share": lambda value, _: view.share(value),
            "change": self._change,
            "number": lambda value, _: view.number(value, 1),
            "decimal": lambda value, _: view.number(value, 1),
            "times": lambda value, _: view.number(value, 1),
            "days": lambda value, _: self._days(float(value)),
            "day": lambda value, _: view.day(value),
            "month": self._month,
            "moment": lambda value, _: view.moment(value),
            "year": lambda value, _: str(int(value)),
            "yes": lambda value, _: view.say(YES) if value else view.say(NO),
        }

    def cell(self, name: str, row: Row) -> dict[str, Any]:
        """The cell of a column: how it looks, and its text, level, lines or link."""
        column, value, view = column_of(name, self._list), row.get(name), self._view
        if name == "churn_probability" and row.get("shown") != PERCENT:
            value = None  # no percentage where its calibration is not proved
        cell: dict[str, Any] = {"look": look_of(column.kind), "kind": column.kind, "text": "", "sub": "", "address": ""}
        if column.kind == "name":
            customer = row["customer_id"]
            more = {"text": value or customer, "address": view.link("customers", customer), "sub": customer}
            return {**cell, **more}
        if column.kind == "level":
            return {**cell, "level": value if value in SIGNS else ""}
        if column.kind == "step":
            step = value or {}
            return {**cell, "text": step_text(value, row, view.locale) or DASH, "sub": self._due(step.get("due_on"))}
        if column.kind in ("why", "reasons", "rules"):
            return {**cell, "lines": self._lines(column.kind, value or [], row)}
        return {**cell, "text": self.told(column, value)}

    def told(self, column: Column, value: Any) -> str:
        """A value in words; a dash where it is unknown."""
        if unknown(value):
            return DASH
        tell = self._tell.get(column.kind)
        return str(value) if tell is None else tell(value, column)

    def _lines(self, kind: str, value: Any, row: Row) -> list[str]:
        if kind == "why":
            return why_texts(value, self._view.locale)
        if kind == "reasons":
            return list(row.get("said", ()))
        return [
            choice_name("list", one, self._view.locale) if one in LISTS else rule_text(one, self._view.locale)
            for one in value
        ]

    def _person(self, value: Any, _: Column) -> str:
        return self._view.say(NOBODY) if value == NONE else str(value)

    def _month(self, value: date | str, _: Column) -> str:
        day = date.fromisoformat(value[:10]) if isinstance(value, str) else value
        return str(dates.format_skeleton("yMMM", day, locale=self._view.words.locale))

    def _choice(self, value: Any, column: Column) -> str:
        return choice_name(column.codes, value, self._view.locale) if value in CHOICES[column.codes] else str(value)

    def _change(self, value: Any, _: Column) -> str:
        told = self._view.share(abs(value))
        return self._view.say(MORE if value > 0 else FEWER, share=told) if value else told

    def _days(self, value: float) -> str:
        return self._view.days(value) if value >= 0 else self._view.say(BEFORE, days=self._view.days(-value))

    def _due(self, value: date | str | None) -> str:
        return "" if unknown(value) else self._view.day(value)


NOBODY, YES, NO = text("Nobody"), text("Yes"), text("No")
MORE, FEWER = text("+{share}"), text("\N{MINUS SIGN}{share}")
BEFORE = text("{days} left")
