"""What the track record shows of the warnings that were opened: levels, lead times, misses, rules, verdicts.

Everything is read from what the day has published and from the store; nothing is judged anew here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from math import ceil, inf
from typing import Any

import pandas as pd

from models.levels import LEVELS
from serving.api_board import Day
from serving.change_words import rule_text
from serving.charts import About
from serving.effects import LEAST
from serving.pages.view import DASH, View, unknown
from serving.record_charts import Count, Range, columns, ranges
from serving.stepping import SUPERSEDED
from serving.warning_history import opening_scores
from serving.words.choices import options
from serving.words.speech import text

#: Days of one column of the histogram of lead times.
STEP_DAYS = 30
WAITING, RIGHT, FALSE, LOST_ANYWAY, STAYED = "waiting", "right", "false", "lost_anyway", "stayed"
#: What can have become of a warning.
OUTCOMES: Mapping[str, str] = {
    RIGHT: text("Left alone, and lost: right"),
    FALSE: text("Left alone, and ordered: false alarm"),
    LOST_ANYWAY: text("Contacted, and lost all the same"),
    STAYED: text("Contacted, and ordered: cannot be told"),
    WAITING: text("Not known yet"),
}
TRACK_RECORD, WARNINGS, MISSES, RULES, HELD_DOWN = "track_record", "warnings", "misses", "rules", "held_down"
FEW = text("too few to tell")


@dataclass(frozen=True)
class Told:
    """Everything that the page is made of.

    Attributes
    ----------
    day
        The newest published day.
    reports
        What it tells of the company, by name.
    warnings
        Every warning that stands in the book, the newest first, with ``outcome`` (of :data:`OUTCOMES`), ``lead_days``
        (from opening to loss, NaN where none is known) and ``known_on`` (when the outcome is known).
    days
        The published days, oldest first.
    """

    day: Day
    reports: Mapping[str, Any]
    warnings: pd.DataFrame
    days: Sequence[date]

    @property
    def levels(self) -> dict[str, dict[str, Any]]:
        """The rows of the track record by level; empty where there is none."""
        rows = (self.reports.get(TRACK_RECORD) or {}).get("levels") or ()
        return {row["level"]: row for row in rows}


def read(view: View) -> Told:
    """What there is to tell on the newest day, read once after each event."""
    told: Told = view.visit.look.company.memo.get("record", lambda: _read(view))
    return told


def _read(view: View) -> Told:
    store, day = view.service.store, view.visit.look.company.day
    reports = store.reports(day.as_of)
    rows = store.episodes().rows
    rows = rows[rows["close_reason"] != SUPERSEDED].reset_index(drop=True)
    return Told(
        day,
        reports,
        with_outcomes(rows, reports.get(WARNINGS), opening_scores(store)),
        [moment.date() for moment in store.runs()["as_of"]],
    )


def with_outcomes(rows: pd.DataFrame, told: Mapping[str, Any] | None, opened: pd.DataFrame) -> pd.DataFrame:
    """Warnings with what became of them.

    Parameters
    ----------
    rows
        Of the store: at least ``episode_id``, ``opened_on`` and ``closed_on``, which become dates.
    told
        The report of the day; without it nothing is known yet.
    opened
        Of :func:`serving.warning_history.opening_scores`: from it the day on which an outcome will be known.
    """
    windows = opened.set_index("episode_id")["churn_window_days"]
    rows = rows.assign(**{name: _dates(rows[name]) for name in ("opened_on", "closed_on")})
    days = rows["episode_id"].map(windows)
    known = [
        None if unknown(window) else on + timedelta(days=ceil(window))
        for on, window in zip(rows["opened_on"], days, strict=True)
    ]
    of = dict(zip(told["episode_id"], range(len(told["episode_id"])), strict=True)) if told else {}
    outcomes, leads = [], []
    for episode, on in zip(rows["episode_id"], rows["opened_on"], strict=True):
        place = of.get(episode)
        lost = None if place is None or told is None else told["lost"][place]
        treated = bool(told["treated"][place]) if told is not None and place is not None else False
        outcomes.append(WAITING if lost is None else _outcome(bool(lost), treated))
        lost_on = told["lost_on"][place] if told is not None and place is not None else None
        leads.append(float("nan") if not lost_on else float((date.fromisoformat(lost_on) - on).days))
    return rows.assign(
        outcome=pd.Series(outcomes, index=rows.index, dtype="object"),
        lead_days=pd.Series(leads, index=rows.index, dtype="float64"),
        known_on=pd.Series(known, index=rows.index, dtype="object"),
    )


def _dates(days: pd.Series) -> pd.Series:
    """Days as dates, None where there is none."""
    told = [None if unknown(day) else pd.Timestamp(day).date() for day in days]
    return pd.Series(told, index=days.index, dtype="object")


def _outcome(lost: bool, treated: bool) -> str:
    if treated:
        return LOST_ANYWAY if lost else STAYED
    return RIGHT if lost else FALSE


# Figures in words


def between(view: View, value: float | None, low: float | None, high: float | None, n: int | None = None) -> str:
    """A share with its interval; of too few cases none is given."""
    if unknown(value) or unknown(low):
        return DASH
    if n is not None and n < LEAST:
        return view.say(FEW)
    return view.say(
        text("{share} ({low} to {high})"), share=view.share(value), low=view.share(low), high=view.share(high)
    )


def table(
    caption: str, headings: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], last: bool = False
) -> dict[str, Any]:
    """A table as the macro lays it out: headings with their look; with `last` the last row sums up."""
    return {
        "caption": caption,
        "columns": [{"heading": heading, "look": look} for heading, look in headings],
        "rows": [{"cells": list(row), "sum": last and i == len(rows) - 1} for i, row in enumerate(rows)],
    }


# By level


def by_level(view: View, told: Told) -> dict[str, Any] | None:
    """The track record of each level with its chart; None where no report tells it."""
    levels, report = told.levels, told.reports.get(TRACK_RECORD) or {}
    if "all" not in levels or "first" not in report:
        return None
    rows, shown = [], []
    for code in (*LEVELS[:-1], "all"):
        row = levels[code]
        name = (
            view.say(text("All levels")) if code == "all" else view.level(code)["sign"] + " " + view.level(code)["name"]
        )
        n = int(row["matured"])
        share = between(view, row["precision"], row["low"], row["high"], n)
        rows.append(
            [
                name, view.number(row["episodes"]), view.number(n), view.number(row["hits"]), share,
                view.share(row["null_precision"]), _leads(view, told.warnings, code), view.number(row["false_alarms"]),
                view.number(row["undetermined"]), view.number(row["waiting"]),
                between(view, row["recall"], row["recall_low"], row["recall_high"], row["losses"]),
            ]
        )  # fmt: skip
        if row["episodes"]:
            known = n >= LEAST
            words = share if known else view.say(text("{share}, {right} of {n}"), share=share, right=row["hits"], n=n)
            value, low, high = (row[end] if known else None for end in ("precision", "low", "high"))
            shown.append(Range(name, value, low, high, words, row["null_precision"]))
    headings = [
        (view.say(text("Level when opened")), ""), (view.say(text("Warnings")), "number"),
        (view.say(text("Outcome known")), "number"), (view.say(text("Right")), "number"),
        (view.say(text("Share right")), "number"), (view.say(text("Drawn by lot")), "number"),
        (view.say(text("Days ahead of the loss")), "number"), (view.say(text("False alarms")), "number"),
        (view.say(text("Contacted in time")), "number"), (view.say(text("Not known yet")), "number"),
        (view.say(text("Losses warned of")), "number"),
    ]  # fmt: skip
    title = view.say(text("Share of the warnings that came true"))
    return {
        "table": table(view.say(text("Warnings by the level that they opened with")), headings, rows, last=True),
        "chart": ranges(
            About("right", title, view.say(text("A bar for each level: the share with its 95% interval."))),
            shown,
            view.say(text("As many customers drawn by lot")),
        ),
        "small": view.say(
            text(
                "Warnings opened from {first} until before {until}, by the orders known until {observed}. {customers} "
                "customers could be warned about. Right: no order within the customer's own window after the opening, "
                "of those left alone. 95% Wilson intervals; below {least} cases none is given."
            ),
            first=view.day(report["first"]),
            until=view.day(report["until"]),
            observed=view.day(report["observed_until"]),
            customers=view.number(report["customers"]),
            least=LEAST,
        ),
    }


def _leads(view: View, warnings: pd.DataFrame, code: str) -> str:
    """Median and quartiles of the days from a right warning to the loss."""
    days = lead_days(warnings, code)
    if days.empty:
        return DASH
    if len(days) < LEAST:
        return view.number(float(days.median()))
    ends = (view.number(float(days.quantile(share))) for share in (0.25, 0.75))
    return view.say(
        text("{middle} ({low} to {high})"),
        middle=view.number(float(days.median())),
        **dict(zip(("low", "high"), ends, strict=True)),
    )


def lead_days(warnings: pd.DataFrame, code: str = "all") -> pd.Series:
    """Days from the opening of right warnings to the loss, of a level or of all."""
    mine = warnings if code == "all" else warnings[warnings["opened_level"] == code]
    return mine.loc[mine["outcome"] == RIGHT, "lead_days"].dropna()


def lead_histogram(view: View, told: Told) -> dict[str, Any] | None:
    """How long before the loss right warnings opened; None where none is known."""
    days = lead_days(told.warnings)
    if days.empty:
        return None
    edges = [*range(0, 181, STEP_DAYS), None]
    bars, rows = [], []
    for first, after in [(None, 0), *pairwise(edges)]:
        inside = (days >= (-inf if first is None else first)) & (days < (inf if after is None else after))
        n = view.number(int(inside.sum()))
        if first is None and not inside.any():
            continue
        late = view.say(text("late"))
        bars.append(Count(late if first is None else str(first) if after else f"{first}+", float(inside.sum()), n))
        rows.append([late if first is None else f"{first}{DASH}{after - 1}" if after else f"{first}+", n])
    title = view.say(text("Days from a right warning to the loss"))
    across = view.say(text("Days ahead"))
    described = view.say(text("A column for each month ahead of the loss."))
    return {
        "chart": columns(About("leads", title, described), bars, across),
        "table": table(title, [(across, ""), (view.say(text("Warnings")), "number")], rows),
        "small": view.say(
            text(
                "{n} right warnings, median {median}, half of them between {low} and {high} days. A loss is certain "
                "when the silence has lasted 90 days beyond the order that was due; late is a warning that opened "
                "after that."
            ),
            n=view.number(len(days)),
            median=view.days(float(days.median())),
            low=view.number(float(days.quantile(0.25))),
            high=view.number(float(days.quantile(0.75))),
        ),
    }


def misses(view: View, told: Told) -> dict[str, Any] | None:
    """Losses that no warning had come before, by name; None where the day does not tell."""
    found = told.reports.get(MISSES)
    leads = (told.reports.get(TRACK_RECORD) or {}).get("leads") or {}
    if found is None:
        return None
    names = dict(
        zip(told.day.profile["customer_id"], told.day.profile.get("name", told.day.profile["customer_id"]), strict=True)
    )
    return {
        "n": view.number(found["n"]),
        "losses": view.number(leads.get("losses")),
        "count": found["n"],
        "rows": [
            {
                "name": names.get(row["customer_id"], row["customer_id"]),
                "address": view.link("customers", row["customer_id"]),
                "lost_on": view.day(row["lost_on"]),
                "revenue": view.money(row["revenue"]),
            }
            for row in found["losses"]
        ],
    }


def names_of(day: Day) -> dict[str, str]:
    """What customers are called, where that is known."""
    named: dict[str, str] = day.memo.get("names", lambda: _names(day))
    return named


def _names(day: Day) -> dict[str, str]:
    if "name" not in day.profile:
        return {}
    pairs = zip(day.profile["customer_id"], day.profile["name"], strict=True)
    return {who: name for who, name in pairs if isinstance(name, str)}


def coming(view: View, told: Told) -> str:
    """When outcomes that are not known yet will be."""
    waiting = told.warnings[(told.warnings["outcome"] == WAITING) & told.warnings["known_on"].notna()]
    if waiting.empty:
        return ""
    days = sorted(waiting["known_on"])
    return view.say(
        text(
            "Of {n} warnings the outcome is not known yet: the first on {first}, half by {middle}, the last on {last}."
        ),
        n=view.number(len(days)),
        first=view.day(days[0]),
        middle=view.day(days[len(days) // 2]),
        last=view.day(days[-1]),
    )


# People and rules


def verdicts(view: View, told: Told) -> dict[str, Any] | None:
    """What people said of warnings; None where nobody said anything."""
    given = view.service.store.feedback()
    given = given[given["episode_id"].isin(told.warnings["episode_id"])]
    if given.empty:
        return None
    counts = given["verdict"].value_counts()
    headings = [
        (view.say(text("Verdict")), ""),
        (view.say(text("Number")), "number"),
        (view.say(text("Share")), "number"),
    ]
    rows = [
        [name, view.number(int(counts.get(code, 0))), view.share(counts.get(code, 0) / len(given))]
        for code, name in options("verdict", view.locale)
    ]
    return {
        "table": table(view.say(text("What people said of warnings")), headings, rows),
        "small": view.say(
            text("{n} verdicts on {warnings} of {total} warnings; who says nothing is not counted."),
            n=view.number(len(given)), warnings=view.number(given["episode_id"].nunique()),
            total=view.number(len(told.warnings)),
        ),
    }  # fmt: skip


def rules_by_verdict(view: View, told: Told) -> dict[str, Any] | None:
    """How often the rules behind judged warnings were right, by what people said; None where nobody judged any."""
    found = told.reports.get(RULES) or []
    if not found or "rule" not in found[0]:
        return None
    names = (
        text("Judged"), text("Right, known ones included"), text("Of these known already"), text("False alarms"),
        text("Share right"),
    )  # fmt: skip
    headings = [(view.say(text("Rule")), ""), *((view.say(name), "number") for name in names)]
    rows = [
        [
            rule_text(row["rule"], view.locale),
            *(view.number(row.get(code)) for code in ("n", "true", "known", "false")),
            between(view, row.get("precision"), row.get("low"), row.get("high"), row.get("n")),
        ]
        for row in found
    ]
    return {"table": table(view.say(text("Rules behind the warnings that people judged")), headings, rows)}
