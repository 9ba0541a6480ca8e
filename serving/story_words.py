"""The story of a customer in words: what page, console, API and notebook say of a :class:`serving.story.Story`.

Facts and numbers stay apart from what they go with, and nothing is called a cause. Every function takes codes and
numbers and returns words of the reader's language; what is unknown is said to be unknown, never left as a gap.
"""

import math
from typing import Any

from babel import numbers

from features.tracks import ELIGIBLE
from serving.change_words import (
    caution,
    change_short,
    change_text,
    counted,
    day_text,
    happening_detail,
    happening_name,
    happening_text,
    known,
    lane_name,
    lane_of,
    level_text,
    money,
    not_known,
    part_text,
    rule_text,
    step_text,
    together,
    what_if_text,
)
from serving.records import ROLES
from serving.story import Case, ReasonLine, Similar, Standing, Story
from serving.wording import (
    ReasonFacts,
    cohort_reason,
    concept_name,
    fact_text,
    level_name,
    no_clear_reason,
    outlook,
    reason_text,
    rest_text,
    role_name,
    stage_name,
)
from serving.words import changes
from serving.words.quantities import Speaker
from serving.words.speech import Said, language

__all__ = [
    "case_text",
    "caution",
    "change_short",
    "change_text",
    "clearing_texts",
    "day_text",
    "happening_detail",
    "happening_name",
    "happening_text",
    "horizon_texts",
    "known",
    "lane_name",
    "lane_of",
    "level_text",
    "log_odds",
    "log_odds_meaning",
    "money",
    "not_known",
    "outlook_text",
    "part_text",
    "place_text",
    "queue_text",
    "reason_line_text",
    "rule_text",
    "similar_text",
    "spoken_story",
    "stage_text",
    "step_text",
    "threshold_texts",
    "told",
    "what_if_text",
    "why_text",
]

REASON, AGAINST, SMALL, REST = ROLES


def log_odds(value: float | None, locale: str = "en") -> str:
    """A contribution with its sign and two decimals, "+0.42"; it is in log-odds (:func:`log_odds_meaning`)."""
    number = known(value)
    if number is None:
        return not_known(locale)
    shown = round(number, 2) + 0.0
    pattern = "+#,##0.00;-#,##0.00" if shown else "0.00"
    words = str(numbers.format_decimal(shown, format=pattern, locale=language(locale).locale))
    return words.replace("-", "\N{MINUS SIGN}")


def log_odds_meaning(locale: str = "en") -> str:
    """What log-odds are, for whoever never heard of them."""
    return language(locale).words(changes.LOG_ODDS_MEANING)


def outlook_text(standing: Standing, locale: str = "en") -> str:
    """The risk in one line, a percentage only where one may be told; else by the level of the probability alone."""
    days = known(standing.window_days)
    if days is None:
        return language(locale).words(changes.NO_HISTORY)
    chance = known(standing.probability) if standing.percent else None
    ends = (known(standing.low), known(standing.high))
    low, high = (math.nan if end is None else end for end in ends)
    rated = standing.cohort == ELIGIBLE
    return outlook(standing.model_level, days, chance=chance, interval=(low, high), rated=rated, locale=locale)


def place_text(standing: Standing, locale: str = "en") -> str:
    """The place in the cohort by risk."""
    words = language(locale)
    if standing.place is None:
        return words.words(changes.NO_PLACE)
    say = Speaker(words)
    return words.words(changes.PLACE, place=say.number(standing.place), customers=say.number(standing.cohort_size))


def stage_text(stage: str | None, locale: str = "en") -> str:
    """The stage of leaving; one that was not looked at is not known."""
    return not_known(locale) if stage is None else stage_name(stage, locale)


def queue_text(queue: str | None, locale: str = "en") -> str:
    """Whether there is still time; "" where that was not looked at."""
    return language(locale).words(changes.QUEUES[queue]) if queue in changes.QUEUES else ""


def horizon_texts(standing: Standing, locale: str = "en") -> list[str]:
    """The chance of no order within each horizon, shortest first; none where no probability may be told."""
    words = language(locale)
    say = Speaker(words)
    return [
        words.words(changes.HORIZON, days=say.days(days), chance=say.phrase("chance", chance))
        for days, chance in sorted(standing.horizons.items())
        if standing.percent
    ]


def threshold_texts(standing: Standing, locale: str = "en") -> list[str]:
    """From which probability on each level is given, the loudest first; none where no probability may be told."""
    words = language(locale)
    say = Speaker(words)
    return [
        words.words(changes.THRESHOLD, level=level_name(level, locale), chance=say.phrase("chance", lowest))
        for level, lowest in standing.thresholds.items()
        if standing.percent
    ]


def reason_line_text(line: ReasonLine, story: Story, locale: str = "en") -> str:
    """The fact of a reason as a sentence."""
    if line.role == REST:
        return rest_text(locale)
    if line.said:
        return fact_text(Said.from_list(line.said), locale, story.currency)
    standing = story.standing
    facts = ReasonFacts(
        line.feature,
        line.value,
        line.usual_value,
        line.contribution,
        window_days=standing.window_days,
        currency=story.currency,
        as_of=standing.as_of,
        facts=story.facts,
        peer=line.peer_value,
    )
    return reason_text(facts, locale)


def why_text(story: Story, locale: str = "en") -> str:
    """What stands above the reasons: what they go with, that no single one is clear, or why there are none."""
    words, roles = language(locale), {line.role for line in story.reasons}
    if REASON in roles:
        return role_name(REASON, locale)
    if SMALL in roles:
        return no_clear_reason(locale)
    if story.standing.cohort != ELIGIBLE:
        return words.words(changes.NOT_RATED, reason=cohort_reason(story.standing.cohort, locale=locale))
    return words.words(changes.NONE_UNUSUAL if roles else changes.NO_REASONS)


def told(story: Story, locale: str = "en") -> list[tuple[str, list[ReasonLine]]]:
    """What is told of the reasons, in groups under their headings.

    First the reasons with the small changes beside them, or the small changes where there is no clear reason; then what
    speaks against. The first group is always there, its heading says so where there is nothing to tell.
    """
    of_role = {role: [line for line in story.reasons if line.role == role] for role in (REASON, SMALL, AGAINST)}
    first = of_role[REASON] or of_role[SMALL]
    groups = [(why_text(story, locale), first)]
    if of_role[REASON] and of_role[SMALL]:
        groups.append((role_name(SMALL, locale), of_role[SMALL]))
    if of_role[AGAINST]:
        groups.append((role_name(AGAINST, locale), of_role[AGAINST]))
    return groups


def clearing_texts(story: Story, locale: str = "en") -> list[str]:
    """What would bring the level down, with its caution last; that nothing does, or that there is no level."""
    words = language(locale)
    if story.standing.level == "none":
        return [words.words(changes.NOTHING_TO_CLEAR)]
    if not story.clearing:
        return [words.words(changes.NOTHING_CLEARS)]
    cases = [what_if_text(case, story.standing.percent, locale, story.currency) for case in story.clearing]
    return [*cases, caution(locale)]


def similar_text(similar: Similar, locale: str = "en") -> str:
    """What came of the nearest past cases: "Of the 10 most similar past cases, 7 were lost within their window."."""
    words, cases = language(locale), similar.cases
    if not cases:
        return words.words(changes.NO_CASES)
    lost = sum(case.lost for case in cases)
    if len(cases) == 1:
        first = words.words(changes.ONE_LOST if lost else changes.ONE_KEPT)
    else:
        nearest = counted(changes.CASES, len(cases), locale)
        first = words.words(changes.LOST_OF_CASES, cases=nearest, lost=counted(changes.LOST, lost, locale))
    looked_at = [counted(changes.LOOKED_AT, similar.looked_at, locale)] if similar.looked_at else []
    return together([first, *looked_at], locale)


def case_text(case: Case, locale: str = "en") -> str:
    """What came of one past case."""
    words = language(locale)
    if case.next_order_days is None:
        return words.words(changes.CASE_LOST_SINCE if case.lost else changes.CASE_KEPT)
    days = Speaker(words).days(case.next_order_days)
    return words.words(changes.CASE_LOST_LATER if case.lost else changes.CASE_KEPT_ORDER, days=days)


def spoken_story(story: Story, locale: str = "en") -> dict[str, Any]:
    """Every sentence of a story in one language, for whoever draws it: the same that console and page say."""
    change = story.change
    return {
        "outlook": outlook_text(story.standing, locale),
        "place": place_text(story.standing, locale),
        "level_parts": [part_text(part, locale) for part in story.standing.level_parts],
        "stage": stage_text(story.standing.stage, locale),
        "why": [
            {"heading": heading, "told": [reason_line_text(line, story, locale) for line in lines]}
            for heading, lines in told(story, locale)
        ],
        "concepts": {share.concept: concept_name(share.concept, locale) for share in story.concepts},
        "change": None if change is None else change_text(change, locale, story.currency),
        "steps": [step_text(step, change, locale, story.currency) for step in change.steps] if change else [],
        "clearing": clearing_texts(story, locale),
        "similar": similar_text(story.similar, locale),
    }
