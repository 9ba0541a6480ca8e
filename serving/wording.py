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
from serving.words import amounts, breadth, names, rhythm, terms
from serving.words.quantities import Speaker
from serving.words.speech import Figure, Sentence, figure, holds, language, say

#: The order-rhythm model's own estimate: its value is the probability of no order within the customer's window.
RHYTHM_MODEL = "btyd"

SENTENCES: Mapping[str, tuple[Sentence, ...]] = {
    **rhythm.SENTENCES,
    **amounts.SENTENCES,
    **terms.SENTENCES,
    **breadth.SENTENCES,
}
#: What is said of a feature of the user's own, from the first line of its docstring.
_OWN = (
    say("{meaning}: {actual}; usually {usual}.", actual="value", usual="usual"),
    say("{meaning}: {actual}.", actual="value"),
)
_UNKNOWN = say("{concept}: no figure is known.")

_WINDOW = re.compile(r"_(\d+)d(?=_|$)")
_VIEW = re.compile(r"(?<=\dd)_(z|vs_peers)$")
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


def reason_text(reason: ReasonFacts, locale: str = "en") -> str:
    """The reason's fact as a sentence in the reader's language; what is unknown is left out.

    Raises
    ------
    ArtefactError
        If the feature is not registered.
    SettingsError
        If there is no such locale.
    """
    known = _feature(reason.feature)
    speaker = Speaker(language(locale), reason.currency)
    figures = _figures(reason, known)
    ways, days = sentences_of(reason.feature)
    for way in ways:
        said = _said(way, figures, days, speaker)
        if said is not None:
            return said
    if known and not ways:
        return _own_feature(known, figures, speaker)
    concept = known.concept if known else "order_rhythm"
    return speaker.language.words(_UNKNOWN.message, concept=concept_name(concept, locale))


def sentences_of(feature: str) -> tuple[tuple[Sentence, ...], str]:
    """The ways to state a feature, fullest first (none if it has none), and the number for ``{days}`` in them."""
    # The fact behind a deviation, or a comparison with peers, is what is and what is usual for the customer.
    told = _VIEW.sub("_vs_usual", feature)
    feature = told if told in REGISTRY else feature
    days = set(_WINDOW.findall(feature))
    family = _WINDOW.sub("_{days}d", feature)
    return SENTENCES.get(feature, SENTENCES.get(family, ())), days.pop() if len(days) == 1 else ""


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
    own = concept.replace("_", " ").capitalize()
    return language(locale).words(names.CONCEPTS[concept]) if concept in names.CONCEPTS else own


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


def _figures(reason: ReasonFacts, known: Feature | None) -> dict[str, Figure]:
    """All known figures by name: the customer's row, and over it what the reason itself says."""
    named: dict[str, float | None] = {
        **reason.facts,
        "gap_median_days_ever": _or(reason.cycle_days, reason.facts.get("gap_median_days_ever")),
        "window_days": reason.window_days,
        "value": reason.value,
        "usual": reason.usual,
    }
    if known:
        named[known.name] = _or(reason.value, named.get(known.name))
        named["value"] = named[known.name]
        if known.usual:
            named[known.usual] = _or(reason.usual, named.get(known.usual))
            named["usual"] = named[known.usual]
    # + 0.0: a negative zero is a zero
    numbers = {
        name: float(number) + 0.0 for name, number in named.items() if number is not None and math.isfinite(number)
    }
    dates = {"last_order_on": reason.last_order_on, "as_of": reason.as_of}
    return {**numbers, **{name: day for name, day in dates.items() if day is not None}}


def _or(first: float | None, second: float | None) -> float | None:
    """The first number if it is known, else the second."""
    return second if first is None or not math.isfinite(first) else first


def _said(way: Sentence, figures: Mapping[str, Figure], days: str, speaker: Speaker) -> str | None:
    """The sentence in words; None if it does not apply or one of its figures is unknown."""
    if not all(holds(condition.replace("{days}", days), figures) for condition in way.when):
        return None
    phrases = {}
    for slot, source in way.slots.items():
        name, kind = source.replace("{days}", days).split()
        number = figure(name, figures)
        if number is None:
            return None
        phrases[slot] = speaker.phrase(kind, number)
    return speaker.language.words(way.message, **phrases)


def _own_feature(known: Feature, figures: Mapping[str, Figure], speaker: Speaker) -> str:
    """What can be said of a feature that has no sentence of its own: of a comparison, what it compares."""
    base = REGISTRY.get(_COMPARED.sub("", known.name))
    if base and base is not known and base.name in figures:
        usual = figures.get(base.usual) if base.usual else None
        known = base
        figures = {"value": figures[base.name], **({} if usual is None else {"usual": usual})}
    kind = names.KIND_OF_UNIT.get(known.unit, "number")
    meaning = known.meaning.split(". ")[0].rstrip(".")
    for way in _OWN:
        found = {slot: figure(name, figures) for slot, name in way.slots.items()}
        phrases = {slot: speaker.phrase(kind, number) for slot, number in found.items() if number is not None}
        if len(phrases) == len(found):
            return speaker.language.words(way.message, meaning=meaning, **phrases)
    return speaker.language.words(_UNKNOWN.message, concept=concept_name(known.concept, str(speaker.language.locale)))
