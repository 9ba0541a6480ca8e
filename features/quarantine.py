"""From a source to clean events: every row is clean, quarantined or an exact duplicate; the three add up.

``ingest`` reads what is new of a source, judges it, stops where too many rows of a table are bad, and only then adds
to the clean events, partitioned by customer. The result is the one that reading all files at once would have, and
where that needs earlier rows to be judged again, they are. Everything is made in a folder beside the target and put
in place in the end: a run that fails or is killed leaves the earlier events as they are.
"""

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb

from features import batches, publication
from features.batches import State, TablePlan, TableState, TakeAgain, Taken, Terms
from features.buckets import FORMAT, MANIFEST, Events, read_events, read_manifest
from features.contract import CONTRACT, REQUIRED_TABLE
from features.errors import QuarantineLimit, SettingsError, SourceError, TooLittleData
from features.judging import Moment
from features.parts import Reason, count_reasons, fingerprint, write_quarantine
from features.sources import Source
from features.sql import one_line, quiet_connection
from features.taking import CUSTOMERS, RowsLost, Taking

MEMORY = "1200MB"


@dataclass(frozen=True)
class TableReport:
    """Where the rows of one table went, those of earlier ingests included.

    ``rows_in == clean + quarantined + duplicates``, each counted for itself. ``allowed_share`` is the largest
    share of quarantined rows (0 to 1) with which the run goes on.
    """

    table: str
    source: str
    rows_in: int
    clean: int
    quarantined: int
    duplicates: int
    allowed_share: float
    reasons: tuple[Reason, ...]

    @property
    def quarantined_share(self) -> float:
        """Quarantined rows as a share (0 to 1) of the rows read; 0 for an empty table."""
        return self.quarantined / self.rows_in if self.rows_in else 0.0


@dataclass(frozen=True)
class IngestReport:
    """What an ingest read, kept and refused, and the clean events that it wrote.

    ``taken`` says whether all was read or only what was new.
    """

    tables: tuple[TableReport, ...]
    events: Events
    taken: Taken

    def table(self, name: str) -> TableReport:
        """The report of one table; ``KeyError`` where the source has none of that name."""
        for report in self.tables:
            if report.table == name:
                return report
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data for JSON."""
        return {
            "taken": asdict(self.taken),
            "tables": {report.table: asdict(report) for report in self.tables},
            "columns": {table: list(names) for table, names in self.events.columns.items()},
            "further": list(self.events.further),
            "buckets": self.events.buckets,
            "sizes": dict(self.events.sizes),
            "data_end": self.events.data_end.isoformat(),
            "fingerprint": self.events.fingerprint,
        }


def ingest(
    source: Source,
    out: Path,
    *,
    run_at: datetime,
    timezone: str,
    max_share: float = 0.01,
    buckets: int | None = None,
) -> IngestReport:
    """Check a source against the contract and write its clean events to the folder ``out``.

    Where ``out`` holds events of the same source, only what is new is read: see :mod:`features.batches`.

    Parameters
    ----------
    out
        Left as it is on any error.
    run_at
        Moment of the run; events after it are quarantined. Without a zone it is in the project's.
    timezone
        The project's zone, such as ``Asia/Tokyo``; moments with a zone are converted to it.
    max_share
        Largest share of rows (0 to 1) of a table that may be quarantined, where its mapping does not say.
    buckets
        Number of partitions; default: that of events that are continued, else one per million order lines.

    Returns
    -------
    IngestReport
        Rows in, clean, quarantined and duplicate per table, reasons with row numbers, and the events.

    Raises
    ------
    SourceError
        Where a table cannot be read, ``transactions`` has no rows, or ``out`` holds something else.
    ColumnsMissing
        For required or mapped columns that are absent, of all tables at once.
    QuarantineLimit
        Where more rows of a table break the contract than allowed; nothing is written.
    TooLittleData
        Where no order line is left.
    """
    moment = _moment(run_at, timezone)
    if buckets is not None and buckets < 1:
        raise SettingsError(f"buckets = {buckets}: expected 1 or more. Leave it out for one per million order lines.")
    if not 0 <= max_share <= 1:
        raise SettingsError(f"max_share = {max_share}: expected a share from 0 to 1, such as 0.01.")
    if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise SourceError(f"{out}: holds something else than clean events. Name an empty or a new folder for them.")
    with publication.alone_with(out) as work:
        return _carry_out(source, out, work, moment, max_share, buckets)


def _moment(run_at: datetime, timezone: str) -> Moment:
    """The run's moment in the project's zone."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(f"timezone = {timezone!r}: there is no such zone. Write one such as Asia/Tokyo.") from None
    local = run_at.astimezone(zone) if run_at.tzinfo else run_at
    return Moment(local.replace(tzinfo=None), timezone)


def _carry_out(
    source: Source, out: Path, work: Path, moment: Moment, max_share: float, buckets: int | None
) -> IngestReport:
    """Plan, take in, and plan anew where more has to be read than was thought."""
    there, reason = _there(out)
    # Full or not: no file that the events there consist of may be written over.
    generation = there.generation + 1 if there else 0
    reason = reason or (_why_full(there, source, out, moment, buckets) if there else "")
    earlier = None if reason else there
    again: dict[str, str] = {}
    now_ns = work.stat().st_mtime_ns
    while True:
        plan = batches.plan(source, earlier, reason, again)
        place = Path(tempfile.mkdtemp(dir=work))
        try:
            with _working(out, place) as connection:
                taking = Taking(connection, source, plan, out, place, moment, buckets, generation, now_ns)
                return _taken_in(taking, max_share)
        except TakeAgain as found:
            if found.table:
                again[found.table] = found.reason
            else:
                earlier, reason = None, found.reason
        shutil.rmtree(place)


@contextmanager
def _working(out: Path, place: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that spills to disk, whose errors name the disk."""
    connection = quiet_connection(
        memory_limit=MEMORY, temp_directory=str(place / "spill"), preserve_insertion_order=False
    )
    try:
        yield connection
    except duckdb.Error as error:
        words = f"clean events cannot be written ({one_line(error)}). Free disk or memory, then run again."
        raise SourceError(f"{out.parent}: {words}") from None
    finally:
        connection.close()


def _there(out: Path) -> tuple[State | None, str]:
    """What the events in a folder consist of; None, with the reason, where nothing can be made of them."""
    if not (out / MANIFEST).is_file():
        return None, "nothing was taken in before"
    try:
        return State.from_manifest(read_manifest(out)), ""
    except (SourceError, KeyError, TypeError, ValueError):
        return None, "the manifest of what was taken in before is of another format or damaged"


def _why_full(there: State, source: Source, out: Path, moment: Moment, buckets: int | None) -> str:
    """Why events cannot be continued by what a source has now; empty where they can."""
    terms = Terms(moment.timezone)
    missing = [path for path in publication.files_of(out, there.tables, shown=False) if not path.is_file()]
    gone = [name for name in there.tables if name not in source.tables]
    later = [name for name, table in there.tables.items() if table.latest and table.latest > moment.at]
    if missing:
        return f"{missing[0].relative_to(out)} is missing"
    if there.terms.timezone != terms.timezone:
        return f"the zone was {there.terms.timezone} and is {terms.timezone}"
    if there.terms != terms:
        return f"DuckDB was {there.terms.duckdb} and is {terms.duckdb}"
    if buckets not in (None, there.buckets):
        return f"{buckets} instead of {there.buckets} buckets are asked for"
    if gone:
        return f"the table {gone[0]} is gone"
    if CUSTOMERS in source.tables and CUSTOMERS not in there.tables:
        return f"the table {CUSTOMERS} is new"
    if later:
        return f"the run is at {moment.at}, before rows of {later[0]} that were taken in"
    return ""


def _taken_in(taking: Taking, max_share: float) -> IngestReport:
    """Judge, stop where too much is wrong, write, and put in place."""
    states = taking.judge()
    reports = tuple(_report(taking, one, states[one.table], max_share) for one in taking.plan.tables)
    _stop_above_limit(reports)
    earlier = taking.plan.earlier
    if not taking.judged and earlier:
        events = read_events(taking.out)
        report = IngestReport(reports, events, taking.plan.taken)
        publication.clear(taking.out, states)
    else:
        states = taking.write()
        report = _published(taking, states, reports)
    _mend_quarantine(taking, states)
    return report


def _report(taking: Taking, one: TablePlan, state: TableState, max_share: float) -> TableReport:
    """The rows of one table; the reasons are counted from the rows set aside themselves."""
    refused = publication.taken_path(taking.new, one.table, state.refused)
    if not refused.is_file():
        refused = publication.taken_path(taking.out, one.table, state.refused)
    reasons = count_reasons(taking.connection, refused, state.many)
    if state.quarantined != sum(reason.rows for reason in reasons):
        raise RowsLost(f"{state.label}: {state.quarantined} rows were set aside, but not all of them are there")
    own = one.mapping.max_quarantine_share
    return TableReport(
        table=one.table,
        source=state.label,
        rows_in=state.rows_in,
        clean=state.clean,
        quarantined=state.quarantined,
        duplicates=state.duplicates,
        allowed_share=max_share if own is None else own,
        reasons=reasons,
    )


def _stop_above_limit(reports: Sequence[TableReport]) -> None:
    """Stop where a table has more bad rows than allowed, naming all such tables."""
    over = [report for report in reports if report.quarantined_share > report.allowed_share]
    if over:
        raise QuarantineLimit(" ".join(_limit_words(report) for report in over) + " Nothing was written.")


def _limit_words(report: TableReport) -> str:
    found = "; ".join(_reason_words(reason) for reason in report.reasons[:8])
    enough = min(1.0, math.ceil(round(report.quarantined_share * 100, 6)) / 100)
    return (
        f"{report.source}: {report.quarantined} of {report.rows_in} rows ({report.quarantined_share:.1%}) "
        f"break the contract, allowed are {report.allowed_share:.1%}: {found}. Mend them, or allow "
        f"max_quarantine_share = {enough:.2f} under [sources.{report.table}] in kizashi.toml."
    )


def _reason_words(reason: Reason) -> str:
    more = ", ..." if reason.rows > len(reason.first_rows) else ""
    return f"{reason.column or 'row'} {reason.words}: {reason.rows} (rows {reason.places}{more})"


def _published(taking: Taking, states: Mapping[str, TableState], reports: tuple[TableReport, ...]) -> IngestReport:
    """Put what was written in the place of what was there, with its manifest."""
    newest = states[REQUIRED_TABLE].newest
    if newest is None:
        label = states[REQUIRED_TABLE].label
        raise TooLittleData(f"{label}: no order line is left. Look at the reasons, mend the data, run again.")
    further = next((state.further for name, state in states.items() if CONTRACT[name].further), {})
    events = Events(
        folder=taking.out,
        buckets=taking.bucket_count,
        columns={name: _columns(name, state) for name, state in states.items()},
        data_end=(newest + timedelta(days=1)).date(),
        fingerprint=fingerprint(states.items()),
        further=tuple(further),
        further_types=tuple(further.values()),
        sizes={name: state.clean for name, state in states.items()},
        parts={name: state.parts for name, state in states.items()},
    )
    taken = taking.plan.taken
    if taken.kind == "incremental":
        taken = replace(taken, retried=dict(taking.retried))
    report = IngestReport(reports, events, taken)
    state = State(taking.generation, taking.bucket_count, Terms(taking.moment.timezone), states)
    further_types = {"further_types": list(events.further_types)}
    manifest = {"format": FORMAT, **report.to_dict(), **further_types, "state": state.to_dict()}
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    publication.publish(taking.new, taking.out, states, text)
    return report


def _columns(table: str, state: TableState) -> tuple[str, ...]:
    """The contract columns of a table that the source has and fills: one that is always empty says nothing."""
    return tuple(name for name in state.present if name in state.filled or name in CONTRACT[table].required)


def _mend_quarantine(taking: Taking, states: Mapping[str, TableState]) -> None:
    """Write the quarantine anew where it is not the one of these events: a killed ingest may have left it so."""
    for name, state in states.items():
        shown = publication.quarantine_path(taking.out, name)
        if shown.is_file() and shown.stat().st_mtime_ns == state.quarantine_ns:
            continue
        mended = taking.work / f"{name}.parquet"
        refused = publication.taken_path(taking.out, name, state.refused)
        write_quarantine(taking.connection, name, state.many, refused, mended)
        os.utime(mended, ns=(state.quarantine_ns, state.quarantine_ns))
        shown.parent.mkdir(exist_ok=True)
        mended.replace(shown)
