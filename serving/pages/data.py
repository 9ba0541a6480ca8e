"""The page of the data: what was taken in, what was set aside, how much is known, and what the days stand on."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from features.errors import KizashiError
from features.source_record import SourceRecord
from serving.access import EXPORT, SET
from serving.api_board import Day
from serving.api_errors import Refused
from serving.api_visit import Word
from serving.exports import Sheet
from serving.pages import data_parts as parts
from serving.pages.files import file_answer
from serving.pages.view import NOT_YOURS, Overseeing, Setting, View, first_of, redirected
from serving.words.speech import text

router = APIRouter()

#: Rows of one page, and published days that are shown.
MOST, RUNS = 50, 30
#: Rows of a file of rows set aside at most.
MOST_IN_A_FILE = 50_000

PageNumber = Annotated[int, Query(ge=1, le=100_000)]

NO_EVENTS = text("The clean events are not in the folder of this service, so that nothing can be said of the sources.")


@router.get("/data")
def data(view: Overseeing) -> Response:
    """Sources, rows set aside, coverage, model and runs."""
    day = view.visit.look.company.day
    record, runs = record_of(view), view.service.store.runs()
    version = day.published.run.model_version
    effects = view.service.effects
    reports = day.memo.get("reports", lambda: view.service.store.reports(day.as_of))
    dead = view.service.store.notices(state="dead")
    return view.page(
        "data.html",
        title=view.say(text("Data")),
        here="data",
        day=view.day(day.as_of),
        no_events="" if record is not None else view.say(NO_EVENTS),
        taken=None if record is None else view.moment(record.taken_at),
        sources=[] if record is None else parts.source_rows(record, day.as_of, view),
        absent=[] if record is None else parts.absent_rows(record, view),
        sums=None if record is None else parts.sums(record, view),
        faults=[] if record is None else parts.fault_rows(record, view),
        tables=day.memo.get(("coverage", view.locale), lambda: _coverage(day, view)),
        model=parts.model_facts(None if effects is None else effects.model(), version, runs, view),
        card=_lines(reports.get("model_card")),
        silent=sorted(reports.get("silent_rules") or {}),
        runs=[_run(row, view) for row in runs.iloc[::-1].head(RUNS).to_dict("records")],
        more_runs=max(len(runs) - RUNS, 0),
        dead=[_notice(row, view) for row in dead.tail(RUNS).to_dict("records")],
        dead_in_all=len(dead),
        may_check=view.may(SET),
    )


def record_of(view: View) -> SourceRecord | None:
    """What was taken in; None where the events are not here."""
    try:
        return view.service.accounts.sources()
    except KizashiError:
        return None


def _coverage(day: Day, view: View) -> list[dict[str, Any]]:
    """How much is known of how many customers, as the day was published."""
    profile, health = day.profile, view.service.store.health(as_of=day.as_of)
    return [
        parts.cohort_table(profile, view),
        parts.grade_table(profile, view),
        parts.health_table(health, len(profile), view),
        parts.family_table(profile, view),
    ]


def _lines(card: Any) -> list[str]:
    """A model card that was published, as plain lines; none where there is none."""
    return card.splitlines() if isinstance(card, str) else []


def _run(row: Mapping[Any, Any], view: View) -> dict[str, str]:
    return {
        "day": view.day(row["as_of"].date()),
        "model": row["model_version"],
        "customers": view.number(row["customers"]),
        "reasons": view.number(row["reasons"]),
        "published": view.moment(row["published_at"].to_pydatetime()),
        "fingerprint": str(row["input_fingerprint"])[:12],
    }


def _notice(row: Mapping[Any, Any], view: View) -> dict[str, str]:
    return {
        "day": view.day(row["as_of"] if isinstance(row["as_of"], date) else row["as_of"].date()),
        "recipient": row["recipient"],
        "kind": row["kind"],
        "attempts": view.number(row["attempts"]),
        "error": row["error"] if isinstance(row["error"], str) else "",
    }


@router.get("/data/quarantine")
def quarantine(
    view: Overseeing, table: Word = None, reason: Word = None, column: Word = None, page: PageNumber = 1
) -> Response:
    """Rows that were set aside, with what is wrong and what to do."""
    if not table:
        return redirected("/data")
    record, name, total = _asked(view, table, reason, column)
    first = first_of(page, total, MOST)
    rows = record.refused(name, reason or "", column or "", skip=first, most=MOST)
    return view.page(
        "quarantine.html",
        title=view.say(text("Rows set aside: {table}"), table=parts.table_name(name, view)),
        here="data",
        rows=[_refused(row, view) for row in rows.to_dict("records")],
        first=first + 1,
        last=first + len(rows),
        total=total,
        most=MOST,
    )


@router.get("/data/quarantine/file")
def quarantine_file(
    view: Overseeing,
    table: Word = None,
    reason: Word = None,
    column: Word = None,
    kind: Annotated[Literal["csv", "xlsx"], Query(alias="format")] = "csv",
) -> Response:
    """The same rows as a file for a spreadsheet, in which no text runs as a formula; the ledger keeps who took it."""
    if not table:
        return redirected("/data")
    if not view.may(EXPORT):
        raise Refused(403, message=NOT_YOURS)
    record, name, _ = _asked(view, table, reason, column)
    rows = record.refused(name, reason or "", column or "", most=MOST_IN_A_FILE)
    return file_answer(view, Sheet.of(f"quarantine-{name}", rows), kind)


def _asked(view: View, table: str | None, reason: str | None, column: str | None) -> tuple[SourceRecord, str, int]:
    """The record, the table that is asked for, and how many of its rows are set aside for the reason."""
    record = record_of(view)
    found = None if record is None else next((one for one in record.tables if one.name == table), None)
    if record is None or found is None:
        raise Refused(404)
    mine = [one for one in found.reasons if reason in (None, "", one.kind) and column in (None, "", one.column)]
    return record, found.name, sum(one.rows for one in mine)


def _refused(row: Mapping[Any, Any], view: View) -> dict[str, str]:
    return {
        "file": parts.shortened(row["file"]),
        "row": view.number(row["row_number"]),
        "column": row["column"],
        "value": parts.shortened(row["value"]),
        "fault": parts.fault_name(row["kind"], row["reason"], view),
        "told": parts.shortened(row["reason"]),
        "mend": parts.mend(row["kind"], view),
    }


@router.get("/data/ledger")
def ledger(view: Setting) -> Response:
    """Whether the ledger is as it was written: every hash is computed again."""
    verified = view.service.store.verified()
    return view.page(
        "ledger.html",
        title=view.say(text("Ledger")),
        here="data",
        whole=verified.whole,
        events=view.number(verified.events),
        broken=view.number(verified.broken_at),
    )
