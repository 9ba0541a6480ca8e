"""The story of one customer as pages lay it out: sections of sentences, of charts, and of tables with their figures."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from babel import dates

from serving import charts
from serving.charts import SIGNS, About, Bar, Dot, Lane, Mark, Meter, Span
from serving.story import Change, Happening, HealthLine, ReasonLine, Similar, Standing, Story
from serving.story_words import (
    case_text,
    change_text,
    clearing_texts,
    day_text,
    happening_detail,
    happening_name,
    happening_text,
    horizon_texts,
    known,
    lane_name,
    lane_of,
    log_odds,
    log_odds_meaning,
    money,
    not_known,
    outlook_text,
    part_text,
    place_text,
    queue_text,
    reason_line_text,
    rule_text,
    similar_text,
    stage_text,
    step_text,
    threshold_texts,
    told,
)
from serving.wording import concept_name, dimension_name, level_name
from serving.words import changes, names
from serving.words.quantities import Speaker
from serving.words.speech import Language, language

#: How many bars of concepts and of steps a chart has besides its two ends; what is left over is one more bar.
CONCEPTS_DRAWN, STEPS_DRAWN = 7, 10
#: Days that the timeline is drawn over, and rows of its table.
DRAWN_DAYS, EVENTS_SHOWN = 365, 15
#: Events that a chart draws.
MOST_DRAWN = 160
#: Rows of past health scores, and ticks of a time axis.
PAST_SHOWN, _TICKS = 12, 5
_SHAPES = dict(zip(("orders", "contact", "service", "payments", "other"), charts.SHAPES, strict=True))
_HOLLOW = frozenset(("return", "reply", "contact left", "credit note"))

_DAY, _FIGURE, _FREE, _SHORT = "day", "number", "free", "short"
#: Columns of the tables: their labels, and how they look.
_SUM = {"group": _SHORT, "dimension": _SHORT, "log_odds": _FIGURE}
_CHANGE = {"step": _SHORT, "log_odds": _FIGURE}
_EVENTS = {"day": _DAY, "what": _SHORT, "amount": _FIGURE, "detail": _FREE}
_CASES = {"customer": _FREE, "as_of": _DAY, "outcome": _SHORT, "distance": _FIGURE}

Table = dict[str, Any]


class Sections:
    """The story of a customer, section by section, in one language.

    Parameters
    ----------
    at
        Begins the ids of sections and charts, so that two stories, or a story and more, fit into one page.
    """

    def __init__(self, story: Story, locale: str = "en", at: str = "") -> None:
        self.story, self.locale, self.at = story, locale, at
        self.words: Language = language(locale)
        self.speaker = Speaker(self.words, story.currency)
        self.name = story.name or story.customer_id

    def whole(self) -> dict[str, Any]:
        """Everything that the template ``_story.html`` lays out."""
        standing = self.story.standing
        badge = self.level(standing.level)
        return {
            "at": self.at,
            "words": {name: self.words.words(message) for name, message in changes.PAGE.items() if "{" not in message},
            "title": self.say("title", name=self.name, level=badge["name"]),
            "name": self.name,
            "badge": badge,
            "outlook": outlook_text(standing, self.locale),
            "queue": queue_text(standing.queue, self.locale),
            "facts": self.head(standing),
            "why": self.why(),
            "meaning": log_odds_meaning(self.locale),
            "sum": self.sum(),
            "change": self.change(self.story.change) if self.story.change else None,
            "clearing": self.clearing(),
            "timeline": self.timeline(self.story.timeline) if self.story.timeline else None,
            "health": self.health(self.story.health) if self.story.health else None,
            "similar": self.similar(self.story.similar),
            "signs": [self.level(code) for code in SIGNS],
            "print": self.small_print(standing),
        }

    def about(self, name: str, title: str, description: str) -> About:
        """What a chart is to whoever cannot see it."""
        return About(self.at + name, title, description)

    def say(self, label: str, **phrases: str) -> str:
        """A label of the page."""
        return self.words.words(changes.PAGE[label], **phrases)

    def level(self, code: str) -> dict[str, str]:
        """A level as the templates show it."""
        return {"code": code, "sign": SIGNS[code], "name": level_name(code, self.locale)}

    def fact(self, label: str, *lines: str) -> dict[str, Any]:
        """A label with what stands under it."""
        return {"label": self.say(label), "lines": lines}

    def table(self, caption: str, columns: Mapping[str, str], rows: Sequence[Sequence[str]], *sums: int) -> Table:
        """A table.

        Parameters
        ----------
        columns
            Heading, as a label of the page, and how its cells look; `_FREE` is text of any length.
        sums
            Places of the rows that are sums.
        """
        looks = [{"heading": self.say(label), "look": look} for label, look in columns.items()]
        lines = [{"cells": cells, "sum": place in sums} for place, cells in enumerate(rows)]
        return {"caption": caption, "columns": looks, "rows": lines}

    def head(self, standing: Standing) -> list[dict[str, Any]]:
        """What is known of the customer at a glance."""
        story, locale = self.story, self.locale
        parts = [_capital(part_text(part, locale)) for part in standing.level_parts]
        return [
            self.fact("place", place_text(standing, locale)),
            *([self.fact("horizons", *chances)] if (chances := horizon_texts(standing, locale)) else []),
            self.fact("value_at_risk", money(standing.value_at_risk, locale, story.currency)),
            self.fact("expected_loss", money(standing.expected_loss, locale, story.currency)),
            self.fact("stage", stage_text(standing.stage, locale)),
            self.fact("owner", story.owner or not_known(locale)),
            self.fact("as_of", day_text(standing.as_of, locale)),
            *([self.fact("made_by", *parts)] if parts else []),
        ]

    def why(self) -> dict[str, Any]:
        """The reasons, what speaks against them, and the rules that fired."""
        return {
            "groups": [
                {"heading": heading, "told": [self.reason(line) for line in lines]}
                for heading, lines in told(self.story, self.locale)
            ],
            "rules": [
                {"text": rule_text(signal.rule, self.locale), "level": self.level(signal.level)}
                for signal in self.story.signals
            ],
        }

    def reason(self, line: ReasonLine) -> dict[str, str]:
        """One reason."""
        return {
            "side": "raises" if line.contribution > 0 else "lowers",
            "concept": concept_name(line.concept, self.locale),
            "text": reason_line_text(line, self.story, self.locale),
        }

    def sum(self) -> dict[str, Any] | None:
        """How the log-odds add up, by concept; None where there are none."""
        base, margin = known(self.story.standing.base_margin), known(self.story.standing.margin)
        concepts = [share for share in self.story.concepts if known(share.contribution) is not None]
        if base is None or margin is None or not concepts:
            return None
        bars = [
            Bar(concept_name(share.concept, self.locale), share.contribution, log_odds(share.contribution, self.locale))
            for share in concepts
        ]
        ends = (self.bar(self.say("base"), base), self.bar(self.say("total"), margin))
        about = self.about("sum-chart", self.say("sum_of", name=self.name), self.say("sum_told"))
        drawn = _with_rest(bars, range(min(CONCEPTS_DRAWN, len(bars))), self.say("rest"), self.locale)
        rows = [
            (ends[0].label, "", ends[0].shown),
            *(
                (bar.label, dimension_name(share.dimension, self.locale), bar.shown)
                for bar, share in zip(bars, concepts, strict=True)
            ),
            (ends[1].label, "", ends[1].shown),
        ]
        return {
            "chart": charts.waterfall(about, ends[0], drawn, ends[1]),
            "table": self.table(self.say("sum"), _SUM, rows, len(rows) - 1),
        }

    def bar(self, label: str, value: float) -> Bar:
        """A bar with its value in log-odds."""
        return Bar(label, value, log_odds(value, self.locale))

    def change(self, change: Change) -> dict[str, Any]:
        """What changed since the earlier date."""
        text = change_text(change, self.locale, self.story.currency)
        before, after = known(change.before.margin), known(change.after.margin)
        if not change.comparable or before is None or after is None or not change.steps:
            return {"text": text, "chart": None}
        day, later = (day_text(one.as_of, self.locale) for one in (change.before, change.after))
        bars = [
            self.bar(_capital(step_text(step, change, self.locale, self.story.currency)), step.contribution)
            for step in change.steps
        ]
        ends = (self.bar(self.say("before", day=day), before), self.bar(self.say("after", day=later), after))
        strongest = sorted(range(len(bars)), key=lambda place: -abs(bars[place].value))
        kept = range(len(bars)) if len(bars) <= STEPS_DRAWN else sorted(strongest[: STEPS_DRAWN - 1])
        about = self.about("change-chart", self.say("change"), self.say("change_told", day=day, later=later))
        line, rows = None, [(bar.label, bar.shown) for bar in (ends[0], *bars, ends[1])]
        threshold = known(change.threshold)
        if threshold is not None and change.threshold_level is not None:
            reached = self.say("threshold", level=level_name(change.threshold_level, self.locale))
            line = Mark(before + threshold, reached)
            rows.append((reached, log_odds(before + threshold, self.locale)))
        drawn = _with_rest(bars, kept, self.say("other_steps"), self.locale)
        return {
            "text": text,
            "chart": charts.waterfall(about, ends[0], drawn, ends[1], line),
            "table": self.table(about.description, _CHANGE, rows, len(bars) + 1),
        }

    def clearing(self) -> dict[str, Any]:
        """What would bring the level down; last the caution, or that there is nothing."""
        *cases, last = clearing_texts(self.story, self.locale)
        return {"cases": cases, "last": last}

    def timeline(self, events: Sequence[Happening]) -> dict[str, Any]:
        """What happened: the chart of the last year, and the newest events."""
        rows = [
            (
                day_text(event.on, self.locale),
                _capital(happening_name(event.kind, self.locale)),
                "\N{EN DASH}" if known(event.amount) is None else money(event.amount, self.locale, self.story.currency),
                happening_detail(event, self.locale),
            )
            for event in reversed(events[-EVENTS_SHOWN:])
        ]
        return {
            "chart": self.timeline_chart(events, drawn_days(events, self.story.standing.as_of)),
            "table": self.table(self.say("newest"), _EVENTS, rows),
        }

    def timeline_chart(self, events: Sequence[Happening], days: int = DRAWN_DAYS) -> str | None:
        """The lanes on which something happened within the days drawn; None where nothing did."""
        until = self.story.standing.as_of
        since = until - timedelta(days)
        shown = [event for event in events if since <= event.on <= until]
        largest = max(
            (abs(known(event.amount) or 0.0) for event in shown if lane_of(event.kind) == "orders"), default=0
        )
        lanes = []
        for lane, shape in _SHAPES.items():
            here = [event for event in shown if lane_of(event.kind) == lane]
            dots = [
                Dot(event.on, self.event(event), _size(event, largest, lane), event.kind in _HOLLOW) for event in here
            ]
            if dots:
                lanes.append(Lane(lane_name(lane, self.locale), shape, dots))
        spans = [span for span in self.warnings(events, until) if span.end > since]
        if spans:
            lanes.append(Lane(lane_name("warnings", self.locale), spans=spans))
        if not lanes:
            return None
        title = self.say("timeline_of", day=day_text(since, self.locale), later=day_text(until, self.locale))
        ticks = self.ticks(since, until)
        return charts.timeline(
            self.about("timeline-chart", title, self.say("timeline_told")), lanes, since, until, ticks
        )

    def event(self, event: Happening) -> str:
        """An event on the chart."""
        return _capital(happening_text(event, self.locale, self.story.currency))

    def warnings(self, events: Sequence[Happening], until: date) -> list[Span]:
        """The warnings that were open, by level."""
        turns = [event for event in events if lane_of(event.kind) == "warnings"]
        spans = []
        for event, following in pairwise([*turns, None]):
            if event is not None and event.kind != "warning_closed" and event.level:
                end = following.on if following else until
                spans.append(Span(event.on, end, event.level, level_name(event.level, self.locale)))
        return spans

    def ticks(self, since: date, until: date) -> list[tuple[date, str]]:
        """The first days of some months, in words."""
        months = [
            date(year, month, 1)
            for year in range(since.year, until.year + 1)
            for month in range(1, 13)
            if since <= date(year, month, 1) <= until
        ]
        chosen = months[:: -(-len(months) // _TICKS)] if months else []
        return [(day, str(dates.format_skeleton("yMMM", day, locale=self.words.locale))) for day in chosen]

    def health(self, health: HealthLine) -> dict[str, Any]:
        """The health score by dimension, and over time."""
        scores = [(self.say("health_total"), known(health.score))]
        scores += [(dimension_name(code, self.locale), known(value)) for code, value in health.dimensions.items()]
        rows = [(label, self.points(value)) for label, value in scores]
        meters = [Meter(label, value, self.points(value)) for label, value in scores]
        about = self.about("health-chart", self.say("health"), self.say("health_told"))
        fall = known(health.drop_share)
        return {
            "fall": self.say("health_drop", share=self.speaker.share(fall)) if fall is not None and fall > 0 else "",
            "level": self.level(health.level),
            "chart": charts.meters(about, meters),
            "table": self.table(self.say("health"), {"dimension": _SHORT, "points": _FIGURE}, rows, 0),
            "past": self.past(health),
        }

    def points(self, score: float | None) -> str:
        """A health score in words."""
        return not_known(self.locale) if score is None else self.speaker.number(score)

    def past(self, health: HealthLine) -> dict[str, Any] | None:
        """The health score over time; None where there is only one."""
        scores: Mapping[date, float | None] = {**health.past, health.as_of: health.score}
        found = sorted((day, score) for day, value in scores.items() if (score := known(value)) is not None)
        if len(found) < 2:
            return None
        points = [(day, score, f"{day_text(day, self.locale)}: {self.points(score)}") for day, score in found]
        reference, usual = known(health.reference), None
        if reference is not None:
            usual = Mark(reference, self.say("health_reference", score=self.points(reference)))
        title = self.say("health_past")
        about = self.about("health-past-chart", title, usual.label if usual else title)
        rows = [(day_text(day, self.locale), self.points(score)) for day, score in reversed(found[-PAST_SHOWN:])]
        return {
            "chart": charts.history(about, points, usual, self.ticks(found[0][0], found[-1][0])),
            "table": self.table(title, {"day": _DAY, "points": _FIGURE}, rows),
        }

    def similar(self, similar: Similar) -> dict[str, Any]:
        """Past cases that were alike."""
        rows = [
            (
                case.name or case.customer_id,
                day_text(case.as_of, self.locale),
                case_text(case, self.locale),
                self.speaker.number(case.distance, 2),
            )
            for case in similar.cases
        ]
        table = self.table(self.say("similar"), _CASES, rows) if rows else None
        return {"text": similar_text(similar, self.locale), "table": table}

    def small_print(self, standing: Standing) -> list[dict[str, Any]]:
        """What the page was made from."""
        chances = [
            self.words.words(
                names.CHANCE, chance=self.speaker.phrase("chance", chance), days=self.speaker.phrase("days", days)
            )
            for days, value in sorted(standing.horizons.items())
            if standing.percent and (chance := known(value)) is not None
        ]
        thresholds = threshold_texts(standing, self.locale)
        grade = standing.completeness or not_known(self.locale)
        return [
            self.fact("customer", self.story.customer_id),
            self.fact("as_of", day_text(standing.as_of, self.locale)),
            self.fact("model_version", standing.model_version or not_known(self.locale)),
            self.fact("completeness", grade, *([self.say("completeness_told")] if standing.completeness else [])),
            *([self.fact("risk", *chances)] if chances else []),
            *([self.fact("thresholds", *thresholds)] if thresholds else []),
        ]


def _with_rest(bars: Sequence[Bar], kept: Sequence[int], rest: str, locale: str) -> list[Bar]:
    """The bars at the places in `kept`, and last the sum of all others."""
    others = [bar.value for place, bar in enumerate(bars) if place not in kept]
    chosen = [bars[place] for place in kept]
    return [*chosen, Bar(rest, sum(others), log_odds(sum(others), locale))] if others else chosen


def _size(event: Happening, largest: float, lane: str) -> float:
    """How large an event is drawn, its area in proportion to its amount; all but orders are alike."""
    if lane != "orders":
        return 0.25
    return (abs(known(event.amount) or 0.0) / largest) ** 0.5 if largest else 0.25


def drawn_days(events: Sequence[Happening], as_of: date) -> int:
    """Days that a chart of events covers: a year, or half or a quarter of it where very much happened."""
    for days in (DRAWN_DAYS, DRAWN_DAYS // 2):
        if sum((as_of - event.on).days <= days for event in events) <= MOST_DRAWN:
            return days
    return DRAWN_DAYS // 4


def _capital(phrase: str) -> str:
    """A phrase that begins a line."""
    return phrase[:1].upper() + phrase[1:]
