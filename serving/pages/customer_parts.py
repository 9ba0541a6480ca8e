"""What the page of a customer shows of the published day and of what people entered; nothing here reads events."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from serving import charts
from serving.api_board import Day
from serving.api_data import customer_of, customers
from serving.api_settings import terms_now
from serving.charts import Bar
from serving.customer_file import CustomerFile, customer_file
from serving.list_rows import Terms, current
from serving.list_words import clearing_text, why_texts
from serving.lists import LISTS, reasons_to_list
from serving.loop_rows import Row
from serving.pages.view import View, unknown
from serving.records import ROLES as REASON_ROLES
from serving.story import HealthLine, ReasonLine, Signal, Similar, Standing, Story, change_of
from serving.story_sections import Sections
from serving.story_words import (
    known,
    log_odds,
    log_odds_meaning,
    outlook_text,
    part_text,
    queue_text,
    rule_text,
    stage_text,
)
from serving.task_kinds import title_of
from serving.wording import concept_name
from serving.words import names
from serving.words.choices import CHOICES, choice_name
from serving.words.speech import text

#: Log-odds that published reasons may differ from the published score by rounding.
ROUNDING = 0.005
REST = REASON_ROLES[-1]


#: Columns of the profile and of what follows from it that the page tells.
READ = (
    "name", "owner", "rank", "region", "industry", "level", "stage", "queue", "cohort", "history", "completeness",
    "shown", "level_parts", "churn_probability", "churn_low", "churn_high", "churn_window_days", "margin",
    "base_margin", "value_at_risk", "expected_loss", "last_order_on", "days_since_last_order", "order_cycle_days",
    "days_late", "last_contact_on", "next_action_on", "next_action_text", "temperature", "stated_risk", "reviewed_by",
    "reviewed_at", "updated_by", "updated_at",
)  # fmt: skip


#: Columns that put a customer on a list besides those that rules read.
_DRAWN_BY = frozenset(
    ("customer_id", "as_of", "stated_risk", "engine_risk", "temperature", "next_action_on", "action_done")
)


@dataclass(frozen=True)
class Known:
    """One customer as the published day and the store tell it.

    Attributes
    ----------
    profile, state
        Its row of the profile, and of :func:`serving.list_rows.current`: one row each.
    row
        What :data:`READ` names of the state: days are dates, unknown is None.
    file
        What the store holds of it.
    """

    customer_id: str
    day: Day
    profile: pd.DataFrame
    state: pd.DataFrame
    row: Mapping[str, Any]
    file: CustomerFile

    @property
    def name(self) -> str:
        """Its name, or its id where it has none."""
        return str(self.row["name"] or self.customer_id)

    @property
    def version(self) -> int:
        """Of what people entered of it; 0 where nobody has."""
        return 0 if self.file.entered is None else int(self.file.entered["version"])

    @property
    def warning(self) -> dict[str, Any] | None:
        """The open warning."""
        return next((row for row in self.file.episodes if row["closed_on"] is None), None)


def known_of(view: View, customer_id: str) -> Known:
    """A customer whom the caller may see.

    Raises
    ------
    Refused
        404 if there is no such customer, or it is not the caller's to see.
    """
    day, profile = customer_of(view.visit, customer_id)
    state = customers(view.visit, profile, day)
    file = customer_file(view.service.store, customer_id, day.as_of)
    return Known(customer_id, day, profile, state, plain_row(state), file)


def plain_row(state: pd.DataFrame) -> dict[str, Any]:
    """What :data:`READ` names of the first row."""
    found = {name: state[name].array[0] for name in READ if name in state.columns}
    return {name: _plainly(found.get(name)) for name in READ}


def _plainly(value: Any) -> Any:
    if unknown(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime() if value.tzinfo else value.date()
    return value.item() if hasattr(value, "item") else value


def standing_of(one: Known) -> Standing:
    """How a customer stands, as far as it is published: without its place and the thresholds of the levels."""
    row = one.row
    return Standing(
        as_of=one.day.as_of,
        level=row["level"],
        model_level=_part_of("model", row),
        level_parts=tuple((row["level_parts"] or "").split()),
        stage=row["stage"],
        queue=row["queue"],
        cohort=row["cohort"],
        history=row["history"],
        completeness=row["completeness"],
        shown=row["shown"],
        probability=row["churn_probability"],
        low=row["churn_low"],
        high=row["churn_high"],
        window_days=row["churn_window_days"],
        horizons={},
        margin=row["margin"],
        base_margin=row["base_margin"],
        value_at_risk=row["value_at_risk"],
        expected_loss=row["expected_loss"],
        place=None,
        cohort_size=0,
        model_version=one.day.published.run.model_version,
        thresholds={},
    )


def story_of(one: Known, currency: str) -> Story:
    """What is published of a customer in the form of a story, so that it is told in the same words."""
    row = one.row
    return Story(
        customer_id=one.customer_id,
        name=row["name"] or "",
        owner=row["owner"] or "",
        currency=currency,
        standing=standing_of(one),
        reasons=tuple(_line(reason) for reason in one.file.reasons),
        concepts=(),
        dimensions={},
        signals=tuple(Signal(told["rule"], told["level"], told["evidence"] or {}) for told in _fired(one.file.signals)),
        health=health_of(one),
        timeline=(),
        change=None if one.file.change is None else change_of(one.file.change),
        clearing=(),
        similar=Similar(),
    )


def _fired(signals: list[Row]) -> list[Row]:
    """The rules that fired, the loudest first."""
    loudness = list(names.LEVELS)
    return sorted(signals, key=lambda row: (-loudness.index(row["level"]), row["rule"]))


def _line(reason: Mapping[str, Any]) -> ReasonLine:
    said = json.loads(reason["said"]) if reason["said"] else []
    if not said and reason["role"] != REST and not set("{}") & set(reason["text"]):
        said = [{"message": reason["text"], "slots": {}}]  # published before there were codes: as it was told then
    kept = {name: reason[name] for name in ReasonLine.__dataclass_fields__ if name != "said"}
    return ReasonLine(**{**kept, "concept": reason["concept"] or REST}, said=tuple(said))


def health_of(one: Known) -> HealthLine | None:
    """The health on the newest day with that of the days before; None where it is not known."""
    last = one.file.health[-1] if one.file.health else None
    if last is None or last["health"] is None:
        return None
    score, reference = last["health"], last["health_reference"]
    return HealthLine(
        as_of=last["as_of"],
        score=score,
        dimensions={name: last[f"health_{name}"] for name in names.DIMENSIONS},
        reference=reference,
        drop_share=(reference - score) / reference if reference else None,
        level=_part_of("health", one.row),
        past={row["as_of"]: row["health"] for row in one.file.health[:-1] if row["health"] is not None},
    )


def _part_of(source: str, row: Mapping[str, Any]) -> str:
    """The level that a source gives, among what makes the level."""
    parts = (row["level_parts"] or "").split()
    return next((part.split(":")[1] for part in parts if part.startswith(f"{source}:")), "none")


# What stands on the page


def headline(view: View, one: Known, story: Story) -> dict[str, Any]:
    """Who it is and how it stands, at a glance."""
    row, standing = one.row, story.standing
    return {
        "name": one.name,
        "id": one.customer_id,
        "level": standing.level,
        "outlook": outlook_text(standing, view.locale),
        "queue": queue_text(standing.queue, view.locale),
        "facts": [
            fact(view, OWNER, row["owner"] or view.say(NOBODY)),
            fact(view, WORTH, view.money(standing.value_at_risk)),
            fact(view, LOSS, view.money(standing.expected_loss)),
            fact(view, LAST_ORDER, *_ordered(view, row)),
            fact(view, CYCLE, view.days(row["order_cycle_days"])),
            fact(view, LATE, _late(view, row["days_late"])),
            fact(view, LAST_CONTACT, view.day(row["last_contact_on"])),
            fact(view, NEXT_ACTION, *_planned(view, row)),
            fact(view, STAGE, stage_text(standing.stage, view.locale)),
            fact(view, RANK, row["rank"] or view.unknown),
            fact(view, REGION, row["region"] or view.unknown),
            fact(view, INDUSTRY, row["industry"] or view.unknown),
            fact(view, AS_OF, view.day(one.day.as_of)),
            *([fact(view, MADE_BY, *_parts(view, standing))] if standing.level_parts else []),
        ],
    }


def fact(view: View, label: str, *lines: str) -> dict[str, Any]:
    """A label with what stands under it."""
    return {"label": view.say(label), "lines": lines}


def _ordered(view: View, row: Mapping[str, Any]) -> list[str]:
    silent = row["days_since_last_order"]
    told = [] if unknown(silent) else [view.say(AGO, days=view.days(silent))]
    return [view.day(row["last_order_on"]), *told]


def _late(view: View, days: float | None) -> str:
    return view.days(days) if unknown(days) or (days and days >= 1) else view.say(NOT_LATE)


def _planned(view: View, row: Mapping[str, Any]) -> list[str]:
    told = [view.day(row["next_action_on"])] if row["next_action_on"] else []
    told += [row["next_action_text"]] if row["next_action_text"] else []
    return told or [view.say(NOTHING_PLANNED)]


def _parts(view: View, standing: Standing) -> list[str]:
    told = [part_text(part, view.locale) for part in standing.level_parts]
    return [part[:1].upper() + part[1:] for part in told]


def lists_of(view: View, one: Known, state: pd.DataFrame | None = None) -> list[dict[str, Any]]:
    """On which of the four lists the customer stands, why, and what would end it; `state` is another one of it."""
    terms = terms_now(view.service)
    why = reasons_to_list(read_by(terms, one.state if state is None else state), terms, one.day.as_of)
    rules = {rule.code: rule for rule in terms.rules}
    return [
        {
            "code": code,
            "name": choice_name("list", code, view.locale),
            "address": view.link(list=code, q=one.customer_id),
            "why": why_texts(told, view.locale),
            "clearing": clearing_text(told, rules, view.locale),
        }
        for code in LISTS
        if (told := why[code].get(one.customer_id))
    ]


def read_by(terms: Terms, state: pd.DataFrame) -> pd.DataFrame:
    """The columns that lists are drawn by: the others, hundreds of features, would be carried along for nothing."""
    texts = " ".join(told for rule in terms.rules if rule.working_list for told in (*rule.texts, *rule.shows))
    kept = [
        name for name in state.columns if name in _DRAWN_BY or str(name) in texts or "_interactions_90d" in str(name)
    ]
    return state[kept]


def rules_of(view: View, one: Known) -> list[dict[str, Any]]:
    """The rules that fired, the loudest first, and since when."""
    return [
        {"text": rule_text(row["rule"], view.locale), "level": row["level"], "since": view.day(row["since"])}
        for row in _fired(one.file.signals)
    ]


def sum_of(sections: Sections, one: Known) -> dict[str, Any] | None:
    """How the published reasons add up to the score, as a chart and a table; None where there is no score."""
    base, margin = known(one.row["base_margin"]), known(one.row["margin"])
    if base is None or margin is None or not one.file.reasons:
        return None
    locale, everything_else = sections.locale, sections.say("rest")
    bars = [
        sections.bar(
            everything_else if row["role"] == REST else concept_name(row["concept"], locale), row["contribution"]
        )
        for row in one.file.reasons
    ]
    left = margin - base - sum(bar.value for bar in bars)
    if abs(left) > ROUNDING:  # a day on which not all of the rest was published
        bars.append(sections.bar(everything_else, left))
    ends = (sections.bar(sections.say("base"), base), sections.bar(sections.say("total"), margin))
    about = sections.about("sum-chart", sections.say("sum_of", name=one.name), sections.say("sum_told"))
    rows = [(bar.label, bar.shown) for bar in (ends[0], *bars, ends[1])]
    return {
        "heading": sections.say("sum"),
        "chart": charts.waterfall(about, ends[0], bars, ends[1]),
        "told": sections.say("sum_told"),
        "table": sections.table(sections.say("sum"), {"group": "short", "log_odds": "number"}, rows, len(rows) - 1),
        "stated": _stated(ends, bars, locale, sections),
        "meaning": log_odds_meaning(locale),
        "rounded": sections.say("rounded"),
    }


def _stated(ends: tuple[Bar, Bar], bars: list[Bar], locale: str, sections: Sections) -> str:
    total = log_odds(sum(bar.value for bar in bars), locale)
    return sections.words.words(SUM, base=ends[0].shown, total=total, score=ends[1].shown)


def change_part(view: View, one: Known, sections: Sections) -> dict[str, Any]:
    """What moved the level since the day before, or that it is the same."""
    if sections.story.change is not None:
        return sections.change(sections.story.change)
    before = one.file.before
    line = view.say(AS_IT_WAS, day=view.day(before)) if before else view.say(FIRST_DAY)
    return {"text": line, "chart": None}


def tasks_of(view: View, one: Known) -> list[dict[str, Any]]:
    """The open tasks, the first due first."""
    return [
        {
            "title": title_of(row["kind"], {"customer_id": one.customer_id, **row["facts"]}, view.locale),
            "address": view.link("tasks", row["task_id"]),
            "team": choice_name("team", row["team"], view.locale) if row["team"] in CHOICES["team"] else row["team"],
            "owner": row["owner"] or view.say(NOBODY),
            "due": view.day(row["due_on"]),
            "late": row["due_on"] < view.visit.today,
            "asleep": view.day(row["snoozed_until"])
            if row["snoozed_until"] and row["snoozed_until"] > view.visit.today
            else "",
        }
        for row in one.file.tasks
    ]


def told_of_update(view: View, one: Known) -> dict[str, Any] | None:
    """What the newest update changed, and the lists before and after it; None where there is none."""
    updates = [
        told for told in one.file.events if told.event.kind == "account_updated" and "risk" in told.event.payload
    ]
    if not updates:
        return None
    last, event = updates[-1].number, updates[-1].event
    before: dict[str, Any] = {"customer_id": one.customer_id}
    for told in one.file.events:
        if told.event.kind == "account_updated" and told.number < last:
            before |= {name: value for name, value in told.event.payload.items() if name != "version"}
    state = current(one.profile, pd.DataFrame([before], dtype="object"), one.day.as_of)
    stood, now = plain_row(state), event.payload
    ended = [
        told
        for told in one.file.events
        if told.number > last and told.event.kind == "task_closed" and told.event.at == event.at
    ]
    return {
        "by": event.actor,
        "temperature": _moved(view, "temperature", stood["temperature"], now["temperature"]),
        "risk": _moved(view, "risk", stood["stated_risk"], now["risk"]),
        "contact": view.day(now["last_contact_on"]),
        "ended": len(ended),
        "left": [told["name"] for told in lists_of(view, one, state)],
    }


def _moved(view: View, kind: str, before: str | None, after: str) -> str:
    named = choice_name(kind, after, view.locale)
    if before is None or before == after or before not in CHOICES[kind]:
        return named
    return view.say(ARROW, before=choice_name(kind, before, view.locale), after=named)


OWNER, RANK, REGION, INDUSTRY = text("Sales person"), text("Rank"), text("Region"), text("Industry")
WORTH, LOSS, STAGE = text("Value at risk"), text("Expected loss"), text("Stage")
LAST_ORDER, CYCLE, LATE = text("Last order"), text("Usual time between orders"), text("Late by")
LAST_CONTACT, NEXT_ACTION, AS_OF = text("Last contact"), text("Next action"), text("As of")
MADE_BY, NOBODY, NOT_LATE, NOTHING_PLANNED = (
    text("What makes the level"), text("Nobody"), text("Not late"), text("Nothing planned"),
)  # fmt: skip
AGO = text("{days} ago")
ARROW = text("{before} → {after}")
SUM = text("{base} for a customer with nothing unusual, {total} for what is told here: {score} in all.")
AS_IT_WAS = text("The level is the same as on {day}.")
FIRST_DAY = text("This is the first day that was published; from the next one on, changes stand here.")
