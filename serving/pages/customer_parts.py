"""What the page of a customer shows of the published day and of what people entered; nothing here reads events."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pandas as pd

from serving import charts
from serving.api_board import Day
from serving.api_data import customer_of, customers
from serving.api_settings import terms_now
from serving.charts import Bar
from serving.ledger import Recorded
from serving.list_rows import as_records, current
from serving.list_words import clearing_text, why_texts
from serving.lists import LISTS, reasons_to_list
from serving.pages.view import View, unknown
from serving.records import REASON_COLUMNS
from serving.records import ROLES as REASON_ROLES
from serving.story import Change, HealthLine, ReasonLine, Signal, Similar, Standing, Story, change_of
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


@dataclass(frozen=True)
class Known:
    """One customer as the published day and the store tell it.

    Attributes
    ----------
    profile, state
        Its row of the profile, and of :func:`serving.list_rows.current`: one row each.
    reasons, signals, health, episodes, tasks, outcomes
        Its rows; of the tasks the open ones, of health every published day, the oldest first.
    events
        Of the ledger, the oldest first.
    change
        Why its level is another than on the day published before; None where it is the same.
    since
        The day published before; None on the first.
    """

    customer_id: str
    day: Day
    profile: pd.DataFrame
    state: pd.DataFrame
    entered: Mapping[str, Any] | None
    health: pd.DataFrame
    episodes: pd.DataFrame
    tasks: pd.DataFrame
    outcomes: pd.DataFrame
    events: list[Recorded]
    change: Change | None
    since: date | None

    @cached_property
    def row(self) -> dict[str, Any]:
        """How it stands now, as plain data; days are ISO text."""
        return as_records(self.state)[0]

    @cached_property
    def reasons(self) -> pd.DataFrame:
        """Its published reasons, in the order of telling."""
        told = self.day.reasons
        return told[told["customer_id"] == self.customer_id].sort_values("position")

    @cached_property
    def signals(self) -> pd.DataFrame:
        """The rules that fired for it."""
        return self.day.signals[self.day.signals["customer_id"] == self.customer_id]

    @property
    def name(self) -> str:
        """Its name, or its id where it has none."""
        return str(self.row.get("name") or self.customer_id)

    @property
    def version(self) -> int:
        """Of what people entered of it; 0 where nobody has."""
        return 0 if self.entered is None else int(self.entered["version"])

    @cached_property
    def warning(self) -> dict[str, Any] | None:
        """The open warning."""
        standing = self.episodes[self.episodes["closed_on"].isna()]
        return None if standing.empty else as_records(standing.head(1))[0]


def known_of(view: View, customer_id: str) -> Known:
    """A customer whom the caller may see.

    Raises
    ------
    Refused
        404 if there is no such customer, or it is not the caller's to see.
    """
    day, profile = customer_of(view.visit, customer_id)
    store = view.service.store
    entered = store.account_states(customer_id)
    changes = store.changes(day.as_of, customer_id)
    return Known(
        customer_id=customer_id,
        day=day,
        profile=profile,
        state=customers(view.visit, profile, day),
        entered=None if entered.empty else as_records(entered)[0],
        health=store.health(customer_id=customer_id),
        episodes=store.episodes(customer_id=customer_id).rows,
        tasks=store.tasks(customer_id=customer_id, state="open").rows,
        outcomes=store.outcomes(customer_id),
        events=store.history(customer_id),
        change=None if changes.empty else change_of(changes["change"].iloc[0]),
        since=store.day_before(day.as_of),
    )


def standing_of(one: Known) -> Standing:
    """How a customer stands, as far as it is published: without its place and the thresholds of the levels."""
    row = one.row
    parts = str(row["level_parts"] or "").split()
    model = next((part.split(":")[1] for part in parts if part.startswith("model:")), "none")
    return Standing(
        as_of=one.day.as_of,
        level=row["level"],
        model_level=model,
        level_parts=tuple(parts),
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
        name=row.get("name") or "",
        owner=row.get("owner") or "",
        currency=currency,
        standing=standing_of(one),
        reasons=tuple(_line(reason) for reason in one.reasons[list(REASON_COLUMNS)].to_dict("records")),
        concepts=(),
        dimensions={},
        signals=tuple(Signal(told["rule"], told["level"], told["evidence"] or {}) for told in _fired(one.signals)),
        health=health_of(one),
        timeline=(),
        change=one.change,
        clearing=(),
        similar=Similar(),
    )


def _fired(signals: pd.DataFrame) -> list[dict[Any, Any]]:
    loudness = list(names.LEVELS)
    return sorted(signals.to_dict("records"), key=lambda row: (-loudness.index(row["level"]), row["rule"]))


def _line(reason: Mapping[Any, Any]) -> ReasonLine:
    said = json.loads(reason["said"]) if isinstance(reason["said"], str) else []
    if not said and reason["role"] != REST and not set("{}") & set(reason["text"]):
        said = [{"message": reason["text"], "slots": {}}]  # published before there were codes: as it was told then
    kept = {name: reason[name] for name in ReasonLine.__dataclass_fields__ if name != "said"}
    return ReasonLine(**kept, said=tuple(said))


def health_of(one: Known) -> HealthLine | None:
    """The health on the newest day with that of the days before; None where it is not known."""
    if one.health.empty or unknown(one.health["health"].iloc[-1]):
        return None
    last = one.health.iloc[-1]
    score, reference = float(last["health"]), known(float(last["health_reference"]))
    parts = str(one.row["level_parts"] or "").split()
    past = one.health[:-1].dropna(subset="health")
    return HealthLine(
        as_of=last["as_of"].date(),
        score=score,
        dimensions={name: known(float(last[f"health_{name}"])) for name in names.DIMENSIONS},
        reference=reference,
        drop_share=(reference - score) / reference if reference else None,
        level=next((part.split(":")[1] for part in parts if part.startswith("health:")), "none"),
        past={day.date(): float(value) for day, value in zip(past["as_of"], past["health"], strict=True)},
    )


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
            fact(view, OWNER, row.get("owner") or view.say(NOBODY)),
            fact(view, WORTH, view.money(standing.value_at_risk)),
            fact(view, LOSS, view.money(standing.expected_loss)),
            fact(view, LAST_ORDER, *_ordered(view, row)),
            fact(view, CYCLE, view.days(row["order_cycle_days"])),
            fact(view, LATE, _late(view, row["days_late"])),
            fact(view, LAST_CONTACT, view.day(row["last_contact_on"])),
            fact(view, NEXT_ACTION, *_planned(view, row)),
            fact(view, STAGE, stage_text(standing.stage, view.locale)),
            fact(view, RANK, row.get("rank") or view.unknown),
            fact(view, REGION, row.get("region") or view.unknown),
            fact(view, INDUSTRY, row.get("industry") or view.unknown),
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
    if unknown(row["next_action_on"]) and not row["next_action_text"]:
        return [view.say(NOTHING_PLANNED)]
    return [view.day(row["next_action_on"]), *([row["next_action_text"]] if row["next_action_text"] else [])]


def _parts(view: View, standing: Standing) -> list[str]:
    told = [part_text(part, view.locale) for part in standing.level_parts]
    return [part[:1].upper() + part[1:] for part in told]


def lists_of(view: View, one: Known, state: pd.DataFrame | None = None) -> list[dict[str, Any]]:
    """On which of the four lists the customer stands, why, and what would end it; `state` is another one of it."""
    terms = terms_now(view.service)
    why = reasons_to_list(one.state if state is None else state, terms, one.day.as_of)
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


def rules_of(view: View, one: Known) -> list[dict[str, Any]]:
    """The rules that fired, the loudest first, and since when."""
    return [
        {"text": rule_text(row["rule"], view.locale), "level": row["level"], "since": view.day(row["since"].date())}
        for row in _fired(one.signals)
    ]


def sum_of(sections: Sections, one: Known) -> dict[str, Any] | None:
    """How the published reasons add up to the score, as a chart and a table; None where there is no score."""
    base, margin = known(one.row["base_margin"]), known(one.row["margin"])
    if base is None or margin is None or one.reasons.empty:
        return None
    locale, everything_else = sections.locale, sections.say("rest")
    bars = [
        sections.bar(everything_else if role == REST else concept_name(concept, locale), float(value))
        for role, concept, value in zip(
            one.reasons["role"], one.reasons["concept"], one.reasons["contribution"], strict=True
        )
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
    if one.change is not None:
        return sections.change(one.change)
    line = view.say(AS_IT_WAS, day=view.day(one.since)) if one.since else view.say(FIRST_DAY)
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
            "late": row["due_on"] < view.visit.today.isoformat(),
            "asleep": view.day(row["snoozed_until"])
            if row["snoozed_until"] and row["snoozed_until"] > view.visit.today.isoformat()
            else "",
        }
        for row in as_records(one.tasks)
    ]


def told_of_update(view: View, one: Known) -> dict[str, Any] | None:
    """What the newest update changed, and the lists before and after it; None where there is none."""
    updates = [told for told in one.events if told.event.kind == "account_updated" and "risk" in told.event.payload]
    if not updates:
        return None
    last, event = updates[-1].number, updates[-1].event
    before: dict[str, Any] = {"customer_id": one.customer_id}
    for told in one.events:
        if told.event.kind == "account_updated" and told.number < last:
            before |= {name: value for name, value in told.event.payload.items() if name != "version"}
    state = current(one.profile, pd.DataFrame([before], dtype="object"), one.day.as_of)
    stood, now = as_records(state)[0], event.payload
    ended = [
        told
        for told in one.events
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
