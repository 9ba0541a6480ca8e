"""A company's own rules: the same language as the shipped ones, written into the settings.

::

    [[rules.own]]
    id = "fewer_follow_ups"
    when = ["follow_ups_60d <= 0.5 * follow_ups_60d_before"]
    level = "yellow"
    team = "service"
    words = "Half as many follow-ups as in the 60 days before."
"""

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from features import contact_curve, daily_facts
from features.errors import SettingsError
from features.options import Option
from features.registry import registered
from models import relationship
from models.levels import LEVELS
from models.warning_conditions import COMPARISONS, Condition, conditions
from models.warning_rule_list import WARNING_RULES
from models.warning_rules import TEAMS, WORKING_LISTS, WarningRule

#: What an own rule may say. `of` are the texts of which `at_least` have to be met.
KEYS = ("id", "when", "any_of", "at_least", "of", "none_of", "shows", "level", "working_list", "team", "tag", "words")
_TEXTS = ("when", "any_of", "of", "none_of", "shows")
_CHOICES: Mapping[str, Sequence[str]] = {"level": LEVELS[::-1], "working_list": WORKING_LISTS, "team": TEAMS}
_ID = re.compile(r"[a-z][a-z0-9_]*")
_OPTIONS: dict[str, Option] = {one.name: one for rule in WARNING_RULES for one in rule.options}


def own_rules(tables: Sequence[Mapping[str, Any]], known: Collection[str] | None = None) -> tuple[WarningRule, ...]:
    """The rules of ``[[rules.own]]``, in their order.

    Parameters
    ----------
    tables
        As parsed from TOML.
    known
        Columns that a row may have: features, facts, columns of the company's own. Without them names of columns are
        not looked at.

    Raises
    ------
    SettingsError
        As :func:`own_rule`, and if two rules bear the same id.
    """
    rules: list[WarningRule] = []
    for place, table in enumerate(tables, 1):
        rule = own_rule(table, known, place=place)
        if rule.code in {one.code for one in rules}:
            raise SettingsError(f"rules.own: two rules are called {rule.code!r}. Give one of them another id.")
        rules.append(rule)
    return tuple(rules)


def own_rule(table: Mapping[str, Any], known: Collection[str] | None = None, *, place: int = 1) -> WarningRule:
    """One rule of the company's own.

    Parameters
    ----------
    table
        ``id`` (its code) and ``words`` (its sentence); one or more of ``when``, ``any_of`` and ``at_least`` with
        ``of``; where wanted ``none_of``, ``shows``, ``level`` (by default none), ``working_list``, ``team`` (by default
        sales), ``tag``.
    known
        As for :func:`own_rules`.
    place
        Which of the rules it is, from 1, for the message.

    Raises
    ------
    SettingsError
        If something is missing, unknown or no condition; one line with the place and the mend.
    """
    code = table.get("id")
    if not isinstance(code, str) or not _ID.fullmatch(code):
        raise SettingsError(
            f"rules.own, rule {place}: id = {code!r}, expected a name of small letters, digits and underscores."
        )
    where = f"rules.own.{code}"
    if code in {rule.code for rule in WARNING_RULES}:
        raise SettingsError(f"{where}: a shipped rule is called so. Give yours another id.")
    if unknown := sorted(set(table) - set(KEYS)):
        raise SettingsError(f"{where}: there is no {', '.join(unknown)}. Known are {', '.join(KEYS)}.")
    said = {name: _texts(where, name, table.get(name, ())) for name in _TEXTS}
    if not (said["when"] or said["any_of"] or said["of"]):
        raise SettingsError(f"{where}: it never fires. Say `when`, `any_of`, or `at_least` with `of`.")
    for name in ("when", "any_of", "of", "none_of"):
        for text in said[name]:
            _check_text(f"{where}.{name}", text, known)
    if known is not None:
        for name in said["shows"]:
            _check_column(f"{where}.shows", name, known)
    chosen = {name: _choice(where, name, table[name]) for name in _CHOICES if name in table}
    return WarningRule(
        id=code,
        code=code,
        source="own",
        meaning=_sentence(where, "words", table.get("words")),
        when=said["when"],
        any_of=said["any_of"],
        at_least=_at_least(where, table, said["of"]),
        none_of=said["none_of"],
        shows=said["shows"],
        tag=_sentence(where, "tag", table["tag"]) if "tag" in table else None,
        words=_sentence(where, "words", table.get("words")),
        **chosen,
    )


def known_columns(further: Collection[str] = ()) -> frozenset[str]:
    """Every column that a rule may read: features, facts, what is told of contacts and roles, and `further` ones."""
    features = (one.name for one in registered())
    return frozenset((*features, *daily_facts.COLUMNS, *contact_curve.COLUMNS, *relationship.COLUMNS, *further))


def _texts(where: str, name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(one, str) and one.strip() for one in value):
        return tuple(value)
    raise SettingsError(f'{where}.{name} = {value!r}: expected a list of texts, such as ["orders_30d < 1"].')


def _sentence(where: str, name: str, value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise SettingsError(f"{where}.{name} = {value!r}: expected a text that people will read.")


def _choice(where: str, name: str, value: object) -> Any:
    if value in _CHOICES[name]:
        return value
    raise SettingsError(f"{where}.{name} = {value!r}: expected one of {', '.join(_CHOICES[name])}.")


def _at_least(where: str, table: Mapping[str, Any], texts: tuple[str, ...]) -> tuple[int, tuple[str, ...]] | None:
    number = table.get("at_least")
    if number is None and not texts:
        return None
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= len(texts):
        return number, texts
    raise SettingsError(
        f"{where}.at_least = {number!r}: expected a whole number from 1 to the {len(texts)} conditions of `of`."
    )


def _check_text(where: str, text: str, known: Collection[str] | None) -> None:
    try:
        parsed = conditions(text)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}.") from None
    for one in parsed:
        _check_kinds(where, text, one)
        if known is not None:
            for name in one.columns(_OPTIONS):
                _check_column(where, name, known)


def _check_kinds(where: str, text: str, one: Condition) -> None:
    if one.column in _OPTIONS:
        raise SettingsError(f"{where}: {text!r} begins with the option {one.column}. Begin with a column.")
    for name in one.names:
        is_list = name in _OPTIONS and isinstance(_OPTIONS[name].default, tuple)
        if one.how == "in" and not is_list:
            raise SettingsError(f"{where}: {text!r}: {name} is no list of texts. Write `in [{name}]`.")
        if one.how in COMPARISONS and is_list:
            raise SettingsError(f"{where}: {text!r}: {name} is a list of texts. Write `{one.column} in {name}`.")


def _check_column(where: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        near = get_close_matches(name, [*known, *_OPTIONS], n=1)
        mend = f"Did you mean {near[0]}?" if near else "docs/features.md lists the features, docs/rules.md the facts."
        raise SettingsError(f"{where}: there is no column {name!r}. {mend}")
