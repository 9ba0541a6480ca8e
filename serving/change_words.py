"""Why a score moved, and what would move it, in words: events, steps, changes and what-ifs of :mod:`serving.story`.

A step goes with a higher or a lower risk, never more than that. What is unknown is said to be unknown, never left as a
gap.
"""

import math
from collections.abc import Sequence
from datetime import date
from functools import reduce

from babel import dates, lists

from models.warning_rule_list import WARNING_RULES
from serving.story import Change, Happening, Step, WhatIf
from serving.wording import direction_name, level_name, level_part
from serving.words import changes
from serving.words.details import detail_text
from serving.words.quantities import Speaker
from serving.words.speech import Plural, language

#: A move of fewer log-odds would be printed as 0.00.
LEAST = 0.005
#: How many steps are told in each direction.
STEPS_TOLD = 3
#: The longest :func:`change_short`.
SHORTEST = 140
#: So many days are told one by one, more as a span.
_DAYS_TOLD = 3
_RULES = {rule.code: rule.meaning for rule in WARNING_RULES}
_KINDS = {kind: (lane, name) for lane, kinds in changes.HAPPENINGS.items() for kind, name in kinds.items()}


def known(value: float | None) -> float | None:
    """The number; None where it is unknown, NaN or endless."""
    return value if value is not None and math.isfinite(value) else None


def not_known(locale: str = "en") -> str:
    """What stands in the place of an unknown figure."""
    return language(locale).words(changes.NOT_KNOWN)


def money(value: float | None, locale: str = "en", currency: str = "") -> str:
    """An amount, or that it is not known."""
    number = known(value)
    return not_known(locale) if number is None else Speaker(language(locale), currency).money(number)


def day_text(day: date, locale: str = "en", year: int | None = None) -> str:
    """The day in the reader's format, without its year where that is `year`."""
    if day.year == year:
        return str(dates.format_skeleton("MMMd", day, locale=language(locale).locale))
    return str(dates.format_date(day, "medium", locale=language(locale).locale))


def level_text(level: str, probability: float | None, percent: bool, locale: str = "en") -> str:
    """A level, with the probability where it is known and may be told: "Orange (46%)"."""
    name, chance = level_name(level, locale), known(probability)
    if not percent or chance is None:
        return name
    words = language(locale)
    return words.words(changes.LEVEL_CHANCE, level=name, chance=Speaker(words).phrase("chance", chance))


def rule_text(rule: str, locale: str = "en") -> str:
    """What a rule says, without its full stop; a rule of the user's own is told by its name."""
    own = rule.replace("_", " ").capitalize()
    return language(locale).named(_RULES.get(rule, own)).rstrip(".。")


def part_text(part: str, locale: str = "en", earlier: str | None = None) -> str:
    """One thing that makes a level (`Standing.level_parts`), with that level: "the health score (Orange)".

    `earlier` is the level that it made before: "the health score (Red → Orange)".
    """
    source, *rest = part.split(":")
    named = level_part(part, locale=locale)
    if source == "rule" and len(rest) > 1:
        named = language(locale).words(changes.RULE, rule=rule_text(rest[0], locale))
    if source == "raised":
        return named
    level = level_name(rest[-1], locale)
    if earlier is not None:
        level = language(locale).words(changes.ARROW, before=level_name(earlier, locale), after=level)
    return language(locale).words(changes.PART, source=named, level=level)


def happening_name(kind: str, locale: str = "en") -> str:
    """What a kind of event is called, beginning small; a kind of the user's own is told as it is."""
    return language(locale).named(_KINDS[kind][1] if kind in _KINDS else kind)


def happening_detail(happening: Happening, locale: str = "en") -> str:
    """What is said of an event: the level of a warning, and its detail."""
    level = level_name(happening.level, locale) if happening.level else ""
    return " · ".join(filter(None, [level, detail_text(happening.detail, language(locale))]))


def lane_of(kind: str) -> str:
    """The lane of the timeline on which a kind of event stands."""
    return _KINDS[kind][0] if kind in _KINDS else "other"


def lane_name(lane: str, locale: str = "en") -> str:
    """The name of a lane."""
    return language(locale).words(changes.LANES[lane])


def happening_text(happening: Happening, locale: str = "en", currency: str = "", year: int | None = None) -> str:
    """One event: "order of May 12, €430"; its year is left out where it is `year`."""
    return _of_days(happening_name(happening.kind, locale), [happening], locale, currency, year)


def step_text(step: Step, change: Change, locale: str = "en", currency: str = "") -> str:
    """One part of a change, beginning small: "12 more days without an order", "order of May 12, €430"."""
    words = language(locale)
    if step.kind == "time":
        return _time(change, locale)
    if step.kind != "events":
        return words.words(changes.MODEL if step.kind == "model" else changes.RESTATED)
    year, happenings = change.after.as_of.year, step.happenings
    if not happenings:
        subject = words.words(changes.SUBJECTS.get(step.table or "", changes.SUBJECT_UNKNOWN))
        day = not_known(locale) if step.on is None else day_text(step.on, locale, year)
        return words.words(changes.NEWS, subject=subject, day=day)
    if len(happenings) == 1:
        return happening_text(happenings[0], locale, currency, year)
    kinds = {one.kind for one in happenings}
    alike = changes.SEVERAL_ALIKE.get(next(iter(kinds))) if len(kinds) == 1 else None
    several = alike or changes.SEVERAL.get(step.table or "", changes.SEVERAL_OF_ANY)
    what = counted(several, len(happenings), locale)
    return _of_days(what, happenings, locale, currency if alike else None, year)


def _time(change: Change, locale: str) -> str:
    """Days that passed, and whether an order came in them."""
    days = (change.after.as_of - change.before.as_of).days
    if days < 1:
        return language(locale).words(changes.SAME_DAY)
    events = [step for step in change.steps if step.kind == "events"]
    ordered = any(step.table == "transactions" and _has_order(step) for step in events)
    message = changes.PASSED if ordered else changes.PASSED_SILENT if events else changes.PASSED_ALONE
    return counted(message, days, locale)


def _has_order(step: Step) -> bool:
    """Whether an order is among the events; where nothing says what they are, it may be one."""
    return not step.happenings or any(one.kind == "order" for one in step.happenings)


def _of_days(what: str, events: Sequence[Happening], locale: str, currency: str | None, year: int | None) -> str:
    """What happened on its days, with its sum of money; no money where `currency` is None or an amount is unknown."""
    words = language(locale)
    found = sorted({event.on for event in events})
    shown = [day_text(day, locale, year) for day in found]
    if len(shown) > _DAYS_TOLD:
        day = words.words(changes.FROM_DAY_TO_DAY, first=shown[0], last=shown[-1])
    else:
        day = listed(shown, locale)
    amounts = [amount for event in events if (amount := known(event.amount)) is not None]
    if currency is None or len(amounts) < len(events):
        return words.words(changes.OF_DAY, what=what, day=day)
    return words.words(changes.OF_DAY_AMOUNT, what=what, day=day, amount=money(math.fsum(amounts), locale, currency))


def listed(phrases: Sequence[str], locale: str = "en") -> str:
    """Phrases without commas as a list: "May 4 and May 9"."""
    return str(lists.format_list(list(phrases), locale=language(locale).locale))


def counted(message: Plural, number: int, locale: str = "en") -> str:
    """A count in words."""
    words = language(locale)
    return words.count(message, number, Speaker(words).number(number))


def joined(phrases: Sequence[str], locale: str = "en") -> str:
    """Phrases one after the other, which may hold commas."""
    words = language(locale)
    return reduce(lambda first, rest: words.words(changes.AND_MORE, first=first, rest=rest), phrases)


def together(sentences: Sequence[str], locale: str = "en") -> str:
    """Sentences one after the other, spaced as the language does it."""
    words = language(locale)
    return reduce(lambda first, rest: words.words(changes.AND_THEN, first=first, rest=rest), sentences)


def change_text(change: Change, locale: str = "en", currency: str = "") -> str:
    """Why a customer stands otherwise than before: from where to where, what moved, the threshold, what made the level.

    Where nothing moved, or where the two dates cannot be compared, it says so.
    """
    words = language(locale)
    sentences = [_from_to(change, locale)]
    if not change.comparable:
        sentences.append(words.words(changes.NOT_COMPARABLE))
    else:
        sentences += _moves(change, locale, currency) or [words.words(changes.NOTHING_MOVED)]
        sentences += _threshold(change, locale)
    for what, parts in parts_moved(change, locale).items():
        if parts:
            sentences.append(words.words(changes.PARTS[what], parts=joined(parts, locale)))
    return together(sentences, locale)


def change_short(change: Change, locale: str = "en", currency: str = "") -> str:
    """The same for a line of a list, at most :data:`SHORTEST` characters: the levels, and the strongest steps."""
    words = language(locale)
    before, after = (level_name(one.level, locale) for one in (change.before, change.after))
    moved = words.words(changes.AS_BEFORE, level=after)
    if before != after:
        moved = words.words(changes.ARROW, before=before, after=after)
    phrases = [
        words.words(changes.PARTS_SHORT[what], part=part)
        for what, parts in parts_moved(change, locale).items()
        for part in parts
    ]
    # what moved the score comes first, unless the score made neither level
    steps = [step_text(step, change, locale, currency) for step in _strongest(change)]
    phrases = steps + phrases if change.before.model_level != change.after.model_level else phrases + steps
    said = moved
    for n in range(1, len(phrases) + 1):
        longer = words.words(changes.SHORT, moved=moved, steps=joined(phrases[:n], locale))
        if len(longer) > SHORTEST:
            break
        said = longer
    return said


def parts_moved(change: Change, locale: str = "en") -> dict[str, list[str]]:
    """What makes the level now and did not (``new``), what makes another one (``other``), and what does not any more
    (``gone``), in words; the score itself is told by its own moves.
    """
    before, after = (
        {part.rpartition(":")[0]: part for part in parts if not part.startswith("model:")}
        for parts in (change.parts_gone, change.parts_new)
    )
    both = [(part, before[source].rpartition(":")[2]) for source, part in after.items() if source in before]
    return {
        "new": [part_text(part, locale) for source, part in after.items() if source not in before],
        "other": [part_text(part, locale, earlier) for part, earlier in both],
        "gone": [part_text(part, locale) for source, part in before.items() if source not in after],
    }


def _from_to(change: Change, locale: str) -> str:
    words, before, after = language(locale), change.before, change.after
    percent = before.percent and after.percent
    first = level_text(before.level, before.probability, percent, locale)
    last = level_text(after.level, after.probability, percent, locale)
    day = day_text(before.as_of, locale, after.as_of.year)
    later = day_text(after.as_of, locale)
    if first == last:
        return words.words(changes.SAME_LEVEL, level=last, day=day, later=later)
    return words.words(changes.MOVED, before=first, day=day, after=last, later=later)


def _strongest(change: Change) -> list[Step]:
    """The steps that moved the score, the strongest first; those of a tenth of the strongest and less are left out."""
    moves = [abs(known(step.contribution) or 0.0) for step in change.steps]
    least = max(LEAST, max(moves, default=0.0) / 10)
    moved = [step for step, size in zip(change.steps, moves, strict=True) if size >= least]
    return sorted(moved, key=lambda step: -abs(step.contribution))


def _moves(change: Change, locale: str, currency: str) -> list[str]:
    """The strongest steps by what they go with, the direction of the whole first."""
    steps = _strongest(change)
    higher = math.fsum(step.contribution for step in steps) >= 0
    sentences = []
    for raises in (higher, not higher):
        chosen = [step for step in steps if (step.contribution > 0) == raises][:STEPS_TOLD]
        if chosen:
            heading = direction_name("raises" if raises else "lowers", locale)
            told = joined([step_text(step, change, locale, currency) for step in chosen], locale)
            sentences.append(language(locale).words(changes.DIRECTED, direction=heading, steps=told))
    return sentences


def _threshold(change: Change, locale: str) -> list[str]:
    """Whether the score crossed the threshold between the two levels; nothing where it gave the same level twice."""
    threshold, level = known(change.threshold), change.threshold_level
    if threshold is None or level is None or change.before.model_level == change.after.model_level:
        return []
    there = change.after.model_level == level
    return [language(locale).words(changes.CROSSED if there else changes.FELL_SHORT, level=level_name(level, locale))]


def what_if_text(case: WhatIf, percent: bool, locale: str = "en", currency: str = "") -> str:
    """How the customer would stand had something happened.

    What brings the level down is told by the day by which it must happen; all else, and what the caller asked about,
    by how the customer would stand with it and without it.

    Parameters
    ----------
    percent
        Whether probabilities may be told (`Standing.percent`).
    """
    words, amount = language(locale), known(case.amount)
    day, size = day_text(case.by, locale), money(case.amount, locale, currency)
    lacking = 1 if amount is None else 0
    if case.kind in changes.CLEARS and case.clears:
        to_level, to_none = changes.CLEARS[case.kind][lacking]
        message = to_none if case.level == "none" else to_level
        return words.words(message, amount=size, day=day, level=level_name(case.level, locale))
    return words.words(
        changes.WITH_AND_WITHOUT,
        later=day_text(case.as_of, locale),
        what=words.words(changes.GIVEN[case.kind][lacking], amount=size, day=day),
        level=level_text(case.level, case.probability, percent, locale),
        otherwise=level_text(case.level_otherwise, case.probability_otherwise, percent, locale),
    )


def caution(locale: str = "en") -> str:
    """What has to stand beside every what-if: no promise, and no cause."""
    return language(locale).words(changes.CAUTION)
