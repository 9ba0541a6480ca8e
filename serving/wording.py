"""Everything that Kizashi says about a customer, in words: the only place where codes and numbers become sentences.

A sentence states a fact - what is, and what is usual for this customer - and leaves open what follows from it. Whether
the fact goes with a higher or a lower risk is a word of its own, :func:`direction`. Nothing is called a cause. The
sentences stand in :mod:`serving.words`, English first; a catalogue under ``serving/locales`` gives the other languages.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from features.errors import ArtefactError, SettingsError
from features.registry import REGISTRY, Feature, registered
from serving.words import names
from serving.words.quantities import Speaker
from serving.words.sentences import telling
from serving.words.speech import PHRASE, Figure, Find, Part, Said, Sentence, figure, holds, language, render, say

#: The order-rhythm model's own estimate: its value is the probability of no order within the customer's window.
RHYTHM_MODEL = "btyd"

#: What is said of a feature of the user's own, from the first line of its docstring.
_OWN = (
    say("{meaning}: {actual}; usually {usual}.", actual="value", usual="usual"),
    say("{meaning}: {actual}.", actual="value"),
)
_UNKNOWN = say("{concept}: no figure is known.")
_PEER = say("Similar customers: {peer}.", peer="peer")
_COMPARED = re.compile(r"_(vs_usual|z|vs_peers)$")


@dataclass(frozen=True)
class ReasonFacts:
    """One reason as codes and numbers: all that its sentence may draw on.

    Attributes
    ----------
    feature
        A registered feature, or `RHYTHM_MODEL`.
    value, usual
        The feature's value, and the customer's own usual (the column that the feature names as such). None or NaN is
        unknown.
    contribution
        Log-odds; above 0 goes with a higher risk.
    window_days
        The customer's churn window.
    currency
        ISO code, or "" where amounts are told without one.
    last_order_on, as_of
        The newest order day; the cutoff.
    cycle_days
        The usual gap between orders.
    facts
        The customer's whole row of features, so that a sentence may cite other columns.
    peer
        The feature's value of similar customers; None or NaN is unknown.
    peers
        Column -> its value of similar customers, for a sentence about another column than the feature's own.
    """

    feature: str
    value: float | None
    usual: float | None
    contribution: float
    window_days: float | None = None
    currency: str = ""
    last_order_on: date | None = None
    cycle_days: float | None = None
    as_of: date | None = None
    facts: Mapping[str, float] = field(default_factory=dict)
    peer: float | None = None
    peers: Mapping[str, float] = field(default_factory=dict)


def reason_text(reason: ReasonFacts, locale: str = "en") -> str:
    """The reason's fact in the reader's language; what is unknown is left out.

    Raises
    ------
    ArtefactError
        If the feature is not registered.
    SettingsError
        If there is no such locale.
    """
    return fact_text(fact_of(reason), locale, reason.currency)


def fact_text(said: Said, locale: str = "en", currency: str = "") -> str:
    """A fact in the reader's language; amounts are in `currency`, "" leaves it unnamed.

    Raises
    ------
    SettingsError
        If there is no such locale.
    """
    return render(said, Speaker(language(locale), currency))


def fact_of(reason: ReasonFacts) -> Said:
    """The reason's fact as codes and numbers, which can be stored and told later without the customer's row.

    After a sentence about a quantity comes the value of similar customers, where it is known.

    Raises
    ------
    ArtefactError
        If the feature is not registered.
    """
    known = _feature(reason.feature)
    told = telling(reason.feature)
    find = _finder(reason, known, told.told)
    for way in told.ways:
        part = _part(way, find, told.days)
        if part is not None:
            return Said((part, *_of_peers(way, reason, told.told, told.days)))
    if known and not told.ways:
        return Said((_own_feature(known, find),))
    return Said((_unknown(known.concept if known else "order_rhythm"),))


def direction(reason: ReasonFacts) -> Literal["raises", "lowers"]:
    """``raises`` where the reason goes with a higher risk, else ``lowers``."""
    return "raises" if reason.contribution > 0 else "lowers"


def rest_text(locale: str = "en") -> str:
    """The sentence of all reasons that are not told one by one."""
    return language(locale).words(names.REST)


def direction_name(code: str, locale: str = "en") -> str:
    """The heading of the reasons of one direction: "Goes with a higher risk"."""
    return _name("direction", names.DIRECTIONS, code, locale)


def concept_name(concept: str, locale: str = "en") -> str:
    """The name of a group of features; a concept of the user's own is told by its code."""
    return language(locale).words(names.CONCEPTS[concept]) if concept in names.CONCEPTS else _own_concept(concept)


def dimension_name(dimension: str, locale: str = "en") -> str:
    """The name of one of the five dimensions of health."""
    return _name("dimension", names.DIMENSIONS, dimension, locale)


def level_name(level: str, locale: str = "en") -> str:
    """The name of a level of warning."""
    return _name("level", names.LEVELS, level, locale)


def outlook(
    level: str,
    window_days: float,
    *,
    chance: float | None = None,
    interval: tuple[float, float] = (math.nan, math.nan),
    rated: bool = True,
    locale: str = "en",
) -> str:
    """The risk of no order within the customer's window: "46% (31% to 62%) chance of no order in 45 days".

    Parameters
    ----------
    level
        Code of the level of warning; said in words where there is no `chance`.
    chance, interval
        The probability and the ends of its interval; None where no percentage may be said, NaN where no end is known.
    rated
        False of a customer outside the cohort, who gets no level.
    """
    words = language(locale)
    speaker = Speaker(words)
    days = speaker.phrase("days", window_days)
    if chance is None:
        if not rated:
            return words.words(names.NOT_RATED, days=days)
        return words.words(names.UNPROVED, risk=_name("level", names.RISKS, level, locale, days=days))
    told = speaker.phrase("chance", chance)
    if all(map(math.isfinite, interval)):
        low, high = (speaker.phrase("chance", end) for end in interval)
        told = words.words(names.BETWEEN, chance=told, low=low, high=high)
    return words.words(names.CHANCE, chance=told, days=days)


def stage_name(stage: str, locale: str = "en") -> str:
    """The name of a stage on the way out, :data:`serving.records.STAGES`."""
    return _name("stage", names.STAGES, stage, locale)


def role_name(role: str, locale: str = "en") -> str:
    """The heading of the reasons of one role: "What speaks against it"."""
    return _name("role of a reason", names.ROLES, role, locale)


def no_clear_reason(locale: str = "en") -> str:
    """What stands before small changes, where no reason is clear."""
    return language(locale).words(names.NO_CLEAR_REASON)


def level_part(part: str, rule: str = "", locale: str = "en") -> str:
    """One contribution to a level in words, from its text (``model:yellow``, ``rule:role_imbalance:orange``).

    `rule` is the rule's name in the reader's language, "" where it is not known.
    """
    source = part.split(":")[0]
    if source == "rule":
        return language(locale).words(names.RULE_PART, rule=rule) if rule else language(locale).words(names.A_RULE)
    return _name("source of a level", names.LEVEL_PARTS, source, locale)


def unit_name(unit: str, locale: str = "en") -> str:
    """A unit as the heading of a column; a unit of the user's own is told as it is."""
    return language(locale).words(names.UNITS[unit]) if unit in names.UNITS else unit


def quantity(value: float, unit: str, locale: str = "en", currency: str = "") -> str:
    """A value with its unit in words: "42 days", "38%". Empty where it is unknown."""
    if not math.isfinite(value):
        return ""
    return Speaker(language(locale), currency).phrase(names.KIND_OF_UNIT.get(unit, "number"), value)


def cohort_reason(code: str, n: int | None = None, locale: str = "en") -> str:
    """Why a customer is, or is not, one to be warned about; `n` is the limit of the condition that failed."""
    if code not in names.COHORTS:
        raise SettingsError(f"a cohort code is one of {sorted(names.COHORTS)}; found {code!r}.")
    plain, counted = names.COHORTS[code]
    words = language(locale)
    if counted is None or n is None:
        return words.words(plain)
    return words.count(counted, n, Speaker(words).number(n))


def _name(what: str, table: Mapping[str, str], code: str, locale: str, **phrases: str) -> str:
    """The words of a code from a closed list, with their phrases put in."""
    if code not in table:
        raise SettingsError(f"a {what} is one of {sorted(table)}; found {code!r}.")
    return language(locale).words(table[code], **phrases)


def _feature(name: str) -> Feature | None:
    """The registered feature, None for the rhythm model."""
    if name == RHYTHM_MODEL:
        return None
    if name not in REGISTRY:
        registered()
    if name not in REGISTRY:
        raise ArtefactError(
            f"a reason must name a registered feature or {RHYTHM_MODEL!r}; found {name!r}. Register it, or train anew."
        )
    return REGISTRY[name]


def _finder(reason: ReasonFacts, known: Feature | None, told: str) -> Find:
    """Finds a figure by name: in what the reason itself says, else in the customer's row.

    ``value`` is that of the feature `told`, ``own`` that of the reason's feature.
    """
    facts = reason.facts
    named: dict[str, float | None] = {
        "gap_median_days_ever": _or(reason.cycle_days, facts.get("gap_median_days_ever")),
        "window_days": reason.window_days,
        "value": reason.value,
        "usual": reason.usual,
    }
    if known:
        own = _or(reason.value, named.get(known.name, facts.get(known.name)))
        named |= {known.name: own, "own": own, "value": own if told == known.name else facts.get(told)}
        if known.usual:
            usual = _or(reason.usual, named.get(known.usual, facts.get(known.usual)))
            named |= {known.usual: usual, "usual": usual}
    days = {"last_order_on": reason.last_order_on, "as_of": reason.as_of}

    def find(name: str) -> Figure | None:
        if name in days:
            return days[name]
        found = named[name] if name in named else facts.get(name)
        # + 0.0: a negative zero is a zero
        return float(found) + 0.0 if found is not None and math.isfinite(found) else None

    return find


def _or(first: float | None, second: float | None) -> float | None:
    """The first number if it is known, else the second."""
    return second if first is None or not math.isfinite(first) else first


def _part(way: Sentence, find: Find, days: str) -> Part | None:
    """The sentence with its figures; None if it does not apply or one of them is unknown."""
    if not all(holds(condition.replace("{days}", days), find) for condition in way.when):
        return None
    slots: dict[str, tuple[str, float | str]] = {slot: (PHRASE, phrase) for slot, phrase in way.phrases.items()}
    for slot, source in way.slots.items():
        name, kind = source.replace("{days}", days).split()
        found = figure(name, find)
        if found is None:
            return None
        slots[slot] = (kind, found.isoformat() if isinstance(found, date) else found)
    return Part(way.message, slots)


def _of_peers(way: Sentence, reason: ReasonFacts, told: str, days: str) -> tuple[Part, ...]:
    """What the sentence is about, of similar customers; empty where it is unknown or means nothing."""
    if not way.peer:
        return ()
    name, kind = way.peer.replace("{days}", days).split()
    column = told if name == "value" else name
    found = _or(reason.peer if column == reason.feature else None, reason.peers.get(column))
    if found is None or not math.isfinite(found):
        return ()
    return (Part(_PEER.message, {"peer": (kind, float(found) + 0.0)}),)


def _own_feature(known: Feature, find: Find) -> Part:
    """What can be said of a feature that has no sentence of its own: of a comparison, what it compares."""
    base = REGISTRY.get(_COMPARED.sub("", known.name))
    figures = {"actual": find("value"), "usual": find("usual")}
    if base and base is not known and find(base.name) is not None:
        known = base
        figures = {"actual": find(base.name), "usual": find(base.usual) if base.usual else None}
    kind = names.KIND_OF_UNIT.get(known.unit, "number")
    meaning = known.meaning.split(". ")[0].rstrip(".")
    for way in _OWN:
        found = {slot: figures[slot] for slot in way.slots}
        numbers = {slot: (kind, number) for slot, number in found.items() if isinstance(number, int | float)}
        if len(numbers) == len(found):
            return Part(way.message, {"meaning": (PHRASE, meaning), **numbers})
    return _unknown(known.concept)


def _unknown(concept: str) -> Part:
    """That nothing is known."""
    return Part(_UNKNOWN.message, {"concept": (PHRASE, names.CONCEPTS.get(concept, _own_concept(concept)))})


def _own_concept(concept: str) -> str:
    """A concept of the user's own, as words."""
    return concept.replace("_", " ").capitalize()
