"""The track record: what we said and what came, with every n; and the book of all warnings."""

from typing import Annotated, Any, Literal

import pandas as pd
from fastapi import APIRouter, Query
from fastapi.responses import Response

from models.levels import LEVELS
from serving.api_data import profile_of
from serving.change_words import listed
from serving.exports import Sheet
from serving.pages import record_funnels as funnels
from serving.pages import record_model as model
from serving.pages import record_parts as parts
from serving.pages.files import file_answer
from serving.pages.record_parts import OUTCOMES, WAITING, Told
from serving.pages.view import DASH, Exporting, Overseeing, View, first_of, unknown
from serving.rows import records
from serving.wording import dimension_name, level_name
from serving.words.speech import text

router = APIRouter()

#: Rows of one page.
MOST = 50
State = Annotated[Literal["", "open", "closed"], Query()]
Level = Annotated[Literal["", "red", "orange", "yellow", "blue"], Query()]
Outcome = Annotated[Literal["", "right", "false", "lost_anyway", "stayed", "waiting"], Query()]
PageNumber = Annotated[int, Query(ge=1, le=100_000)]
STATES = {"open": text("Stands"), "closed": text("Closed")}
CLOSED = {"quiet": text("gone quiet"), "not_scored": text("not scored any more")}


@router.get("/record")
def record(view: Overseeing) -> Response:
    """Everything that is known of warnings and of the model."""
    told = parts.read(view)
    outcomes = view.service.store.outcomes()
    return view.page(
        "record.html",
        title=view.say(text("Track record")),
        here="record",
        day=view.day(told.day.as_of),
        why=_why_nothing(view, told),
        coming=parts.coming(view, told),
        facts=_facts(view, told),
        levels=parts.by_level(view, told),
        leads=parts.lead_histogram(view, told),
        misses=parts.misses(view, told),
        equal=model.at_equal_numbers(view, told.reports),
        rules=model.rules_kept(view, told.reports),
        judged_rules=parts.rules_by_verdict(view, told),
        certificate=model.certificate(view, told.reports),
        calibrations=model.calibrations(view, told.reports),
        standing=model.standing(view, told.reports),
        trained=model.MODEL in told.reports,
        customers=funnels.of_customers(view, told),
        warned=funnels.of_warnings(view, told, outcomes),
        purity=model.purity(view, told.reports),
        verdicts=parts.verdicts(view, told),
    )


def _facts(view: View, told: Told) -> list[dict[str, Any]]:
    counts = told.warnings["outcome"].value_counts()
    known = len(told.warnings) - int(counts.get(WAITING, 0))
    facts = [
        (
            text("Published days"),
            view.number(len(told.days)),
            view.say(text("since {day}"), day=view.day(told.days[0])),
        ),
        (text("Warnings opened"), view.number(len(told.warnings)), ""),
        (text("Outcome known"), view.number(known), ""),
        (text("Not known yet"), view.number(int(counts.get(WAITING, 0))), ""),
    ]
    return [{"label": view.say(name), "lines": [one for one in lines if one]} for name, *lines in facts]


def _why_nothing(view: View, told: Told) -> str:
    """Why there is no record of warnings yet; "" where there is one."""
    if told.levels and "all" in told.levels:
        return ""
    if len(told.days) < 2:
        return view.say(FIRST_DAY, day=view.day(told.days[0]))
    return view.say(NO_REPORT)


FIRST_DAY = text(
    "Only {day} is published so far. What became of the warnings is told from the second published day on: run "
    "`kizashi score` every day. Until then the model's own record on the past, below, is what there is."
)
NO_REPORT = text("The newest day tells nothing of the warnings before it. Run `kizashi score` again.")


# The book of warnings


@router.get("/record/warnings")
def warnings(
    view: Overseeing, state: State = "", level: Level = "", outcome: Outcome = "", page: PageNumber = 1
) -> Response:
    """Every warning, the newest first."""
    rows = _chosen(parts.read(view), state, level, outcome)
    first = first_of(page, len(rows), MOST)
    part = rows.iloc[first : first + MOST]
    names = parts.names_of(view.service.board.newest())
    levels = [(code, level_name(code, view.locale)) for code in LEVELS[:-1]]
    return view.page(
        "record_warnings.html",
        title=view.say(text("All warnings")),
        here="record",
        rows=[_row(view, row, names) for row in records(part)],
        first=first + 1,
        last=first + len(part),
        total=len(rows),
        most=MOST,
        filters=[
            ("state", view.say(text("State")), _options(view, STATES), state),
            ("level", view.say(text("Level when opened")), levels, level),
            ("outcome", view.say(text("Outcome")), _options(view, OUTCOMES), outcome),
        ],
        filtered=bool(state or level or outcome),
    )


@router.get("/record/warnings/export")
def export(
    view: Exporting,
    kind: Annotated[Literal["csv", "xlsx"], Query(alias="format")] = "csv",
    state: State = "",
    level: Level = "",
    outcome: Outcome = "",
) -> Response:
    """The book as a file; a rep takes that of the own customers, and the ledger keeps who took it."""
    rows = _chosen(parts.read(view), state, level, outcome)
    rows = rows[rows["customer_id"].isin(_own(view))]
    names = parts.names_of(view.service.board.newest())
    sheet = Sheet.of(
        "warnings",
        pd.DataFrame(
            {
                view.say(text("Opened on")): list(rows["opened_on"]),
                view.say(text("Customer")): list(rows["customer_id"]),
                view.say(text("Name")): [names.get(one) for one in rows["customer_id"]],
                view.say(text("Level when opened")): [level_name(one, view.locale) for one in rows["opened_level"]],
                view.say(text("Loudest level")): [level_name(one, view.locale) for one in rows["highest_level"]],
                view.say(text("Reason from")): [_reason(view, one) for one in rows["dimension"]],
                view.say(text("Sales person")): list(rows["owner"]),
                view.say(text("Closed on")): list(rows["closed_on"]),
                view.say(text("Outcome")): [view.say(OUTCOMES[one]) for one in rows["outcome"]],
                view.say(text("Outcome known on")): list(rows["known_on"]),
                view.say(text("Days ahead of the loss")): list(rows["lead_days"]),
            },
            dtype="object",
        ),
    )
    return file_answer(view, sheet, kind)


def _own(view: View) -> pd.Series:
    return profile_of(view.visit)[1]["customer_id"]


def _chosen(told: Told, state: str, level: str, outcome: str) -> pd.DataFrame:
    rows = told.warnings
    if state:
        rows = rows[rows["closed_on"].isna() if state == "open" else rows["closed_on"].notna()]
    if level:
        rows = rows[rows["opened_level"] == level]
    return rows[rows["outcome"] == outcome] if outcome else rows


def _options(view: View, words: dict[str, str] | Any) -> list[tuple[str, str]]:
    return [(code, view.say(message)) for code, message in words.items()]


def _reason(view: View, dimension: str | None) -> str:
    """The dimensions that a warning's strongest reasons lay in."""
    if unknown(dimension):
        return DASH
    return listed([dimension_name(one, view.locale) for one in str(dimension).split(",")], view.locale)


def _row(view: View, row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    why = CLOSED.get(row["close_reason"] or "")
    return {
        "opened": view.day(row["opened_on"]),
        "name": names.get(row["customer_id"], row["customer_id"]),
        "id": row["customer_id"],
        "address": view.link("customers", row["customer_id"]),
        "level": row["opened_level"],
        "loudest": None if row["highest_level"] == row["opened_level"] else row["highest_level"],
        "reason": _reason(view, row["dimension"]),
        "owner": DASH if unknown(row["owner"]) else row["owner"],
        "closed": DASH if unknown(row["closed_on"]) else view.day(row["closed_on"]),
        "why": view.say(why) if why else "",
        "outcome": view.say(OUTCOMES[row["outcome"]]),
        "known": view.say(text("known from {day} on"), day=view.day(row["known_on"]))
        if row["outcome"] == WAITING and not unknown(row["known_on"]) else "",
        "lead": view.number(row["lead_days"]),
    }  # fmt: skip
