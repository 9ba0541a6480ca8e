"""Why a customer stands on a list, what takes it off again and what comes next, in words."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from models.warning_rules import WarningRule
from serving.change_words import day_text, listed, rule_text
from serving.lists import ENGINE, PLANNED, STATED_RISK, TEMPERATURE
from serving.task_kinds import title_of
from serving.wording import level_name
from serving.words.choices import choice_name
from serving.words.speech import language, text

_STATED = text("The risk that a person entered is urgent.")
_ENGINE = text("The warning level is red.")
_TEMPERATURE = text("The relationship was entered as {temperature}.")
_PLANNED = text("A contact is planned for {day}.")

#: What takes a customer off a list again, by what put it there.
_AN_ORDER = text("an order")
_A_CONTACT = text("a contact")
_LOWER_RISK = text("a lower risk in the update after a contact")
_WARMER = text("a warmer temperature in the update after a contact")
_A_LEVEL = text("a level below {level}")
_NOT_SO = text("the end of “{rule}”")
_OFF = text("Off the list with: {what}.")

Why = Sequence[Mapping[str, Any]]


def why_texts(why: Why, locale: str = "en") -> list[str]:
    """Why a customer stands on a list, a sentence each."""
    words = language(locale)
    told = []
    for one in why:
        code, evidence = one["code"], one["evidence"]
        if code == STATED_RISK:
            told.append(words.words(_STATED))
        elif code == ENGINE:
            told.append(words.words(_ENGINE))
        elif code == TEMPERATURE:
            name = choice_name("temperature", evidence["temperature"], locale)
            told.append(words.words(_TEMPERATURE, temperature=name))
        elif code == PLANNED:
            told.append(words.words(_PLANNED, day=_day(evidence["next_action_on"], locale)))
        else:
            told.append(rule_text(code, locale))
    return told


def clearing_text(why: Why, rules: Mapping[str, WarningRule], locale: str = "en") -> str:
    """What would take a customer off the list: all of it has to come about where several things put it there."""
    words = language(locale)
    needed: list[str] = []
    for one in why:
        code = one["code"]
        if code == STATED_RISK:
            needed.append(words.words(_LOWER_RISK))
        elif code == ENGINE:
            needed.append(words.words(_A_LEVEL, level=level_name("red", locale)))
        elif code == TEMPERATURE:
            needed.append(words.words(_WARMER))
        elif code == PLANNED:
            needed.append(words.words(_A_CONTACT))
        else:
            needed.append(_of_rule(code, rules, locale))
    return words.words(_OFF, what=listed(list(dict.fromkeys(needed)), locale))


def _of_rule(code: str, rules: Mapping[str, WarningRule], locale: str) -> str:
    """What ends a rule: the order or the contact whose absence it counts; else that it does not hold any more."""
    words, rule = language(locale), rules.get(code)
    read = " ".join(rule.texts) if rule else ""
    if "days_since_last_order" in read:
        return words.words(_AN_ORDER)
    if "days_since_last_interaction" in read:
        return words.words(_A_CONTACT)
    return words.words(_NOT_SO, rule=rule_text(code, locale).rstrip(".。"))


def step_text(step: Mapping[str, Any] | None, row: Mapping[str, Any], locale: str = "en") -> str:
    """What comes next with a customer: the title of its first task, or the action that was planned; "" for nothing."""
    if step is None:
        return ""
    if step["kind"] == "task":
        return title_of(step["code"], {"name": row["name"], "customer_id": row["customer_id"]}, locale)
    return step["text"] or language(locale).words(_PLANNED, day=_day(step["due_on"], locale))


def _day(day: date | str, locale: str) -> str:
    """A day, as lists hold it or as JSON does."""
    return day_text(date.fromisoformat(day) if isinstance(day, str) else day, locale)
