"""From a source to clean events: every row is clean, quarantined or an exact duplicate; the three add up.

``ingest`` judges every table, stops where too many rows are bad, and only then writes the clean events,
partitioned by customer. All of it happens in a folder of its own beside the target, which takes the target's
place in the end: a run that fails leaves nothing behind.
"""

import json
import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb

from features.buckets import FORMAT, MANIFEST, Events, default_buckets
from features.checks import Resolved
from features.contract import KNOWN_AT, REQUIRED_TABLE
from features.errors import ColumnsMissing, QuarantineLimit, SettingsError, SourceError, TooLittleData
from features.judging import (
    Judged,
    Moment,
    Reason,
    count_reasons,
    count_rows,
    fingerprint,
    judge,
    write_accounts,
    write_clean,
    write_quarantine,
)
from features.sources import Opened, Source, resolve
from features.sql import name_sql, one_line, path_sql, quiet_connection

MEMORY = "1200MB"


class RowsLost(RuntimeError):
    """Rows in are not the sum of clean, quarantined and duplicate ones: our fault, not the data's."""


@dataclass(frozen=True)
class TableReport:
    """Where the rows of one table went.

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
    """What an ingest read, kept and refused, and the clean events that it wrote."""

    tables: tuple[TableReport, ...]
    events: Events

    def table(self, name: str) -> TableReport:
        """The report of one table; ``KeyError`` where the source has none of that name."""
        for report in self.tables:
            if report.table == name:
                return report
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data for JSON."""
        return {
            "tables": {report.table: asdict(report) for report in self.tables},
            "columns": {table: list(names) for table, names in self.events.columns.items()},
            "further": list(self.events.further),
            "buckets": self.events.buckets,
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

    Parameters
    ----------
    out
        Replaced as a whole if it holds earlier events; left as it is on any error.
    run_at
        Moment of the run; events after it are quarantined. Without a zone it is in the project's.
    timezone
        The project's zone, such as ``Asia/Tokyo``; moments with a zone are converted to it.
    max_share
        Largest share of rows (0 to 1) of a table that may be quarantined, where its mapping does not say.
    buckets
        Number of partitions; default: one per million order lines.

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
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    try:
        report = _pass_through(source, work, moment, max_share, buckets)
        _take_place(work / "clean", out, work / "replaced")
    finally:
        shutil.rmtree(work)
    return replace(report, events=replace(report.events, folder=out))


def _moment(run_at: datetime, timezone: str) -> Moment:
    """The run's moment in the project's zone."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(f"timezone = {timezone!r}: there is no such zone. Write one such as Asia/Tokyo.") from None
    local = run_at.astimezone(zone) if run_at.tzinfo else run_at
    return Moment(f"TIMESTAMP '{local.replace(tzinfo=None).isoformat(sep=' ')}'", timezone)


def _pass_through(source: Source, work: Path, moment: Moment, max_share: float, buckets: int | None) -> IngestReport:
    """Judge all tables, then write what is clean below ``work``."""
    met = _open_all(source, work / "read")
    lines = next(opened.rows for opened, _ in met if opened.table == REQUIRED_TABLE)
    if not lines:
        raise SourceError(f"{source.label}: the table {REQUIRED_TABLE} has no rows. Export at least a year of orders.")
    connection = quiet_connection(
        memory_limit=MEMORY, temp_directory=str(work / "spill"), preserve_insertion_order=False
    )
    try:
        judged = _judge_all(connection, met, work / "judged", moment, buckets or default_buckets(lines))
        reports = tuple(_report(connection, one, max_share) for one in judged)
        _stop_above_limit(reports)
        events = _write(connection, judged, work / "clean", reports)
    except duckdb.Error as error:
        words = f"clean events cannot be written ({one_line(error)}). Free disk or memory, then run again."
        raise SourceError(f"{work.parent}: {words}") from None
    finally:
        connection.close()
    return IngestReport(reports, events)


def _open_all(source: Source, folder: Path) -> list[tuple[Opened, Resolved]]:
    """Every table of the source met with its contract; all missing columns in one error."""
    folder.mkdir()
    met, missing = [], []
    for table in source.tables:
        opened = source.open(table, folder)
        try:
            met.append((opened, resolve(opened)))
        except ColumnsMissing as error:
            missing.append(str(error))
    if missing:
        raise ColumnsMissing(" ".join(missing))
    return met


def _judge_all(
    connection: duckdb.DuckDBPyConnection,
    met: Sequence[tuple[Opened, Resolved]],
    folder: Path,
    moment: Moment,
    buckets: int,
) -> list[Judged]:
    """Judge the tables, customers first: the others must know them."""
    folder.mkdir()
    judged: list[Judged] = []
    known_customers = False
    for opened, resolved in met:
        place = folder / opened.table
        known = known_customers
        try:
            one = judge(connection, opened, resolved, moment, place, buckets=buckets, known_customers=known)
        except duckdb.Error as error:
            words = f"cannot be read to its end ({one_line(error)}). Copy or export it again."
            raise SourceError(f"{opened.label}: {words}") from None
        judged.append(one)
        if opened.table == "customers":
            write_accounts(connection, one)
            known_customers = True
    return judged


def _report(connection: duckdb.DuckDBPyConnection, judged: Judged, max_share: float) -> TableReport:
    """The rows of one table counted, and the law of conservation checked."""
    rows_in = judged.opened.rows
    clean, quarantined, duplicates = count_rows(connection, judged)
    reasons = count_reasons(connection, judged)
    if rows_in != clean + quarantined + duplicates or quarantined != sum(reason.rows for reason in reasons):
        raise RowsLost(f"{judged.opened.label}: {rows_in} rows in, {clean} + {quarantined} + {duplicates} out")
    own = judged.resolved.mapping.max_quarantine_share
    return TableReport(
        table=judged.table.name,
        source=judged.opened.label,
        rows_in=rows_in,
        clean=clean,
        quarantined=quarantined,
        duplicates=duplicates,
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
    rows = ", ".join(str(number) for number in reason.first_rows)
    more = ", ..." if reason.rows > len(reason.first_rows) else ""
    return f"{reason.column or 'row'} {reason.words}: {reason.rows} (rows {rows}{more})"


def _write(
    connection: duckdb.DuckDBPyConnection,
    judged: Sequence[Judged],
    folder: Path,
    reports: Sequence[TableReport],
) -> Events:
    """Write clean rows, quarantined rows and the manifest."""
    for one in judged:
        write_clean(connection, one, folder)
        write_quarantine(connection, one, folder / "quarantine" / f"{one.table.name}.parquet")
    newest = connection.execute(
        f"SELECT max({KNOWN_AT}) FROM read_parquet({path_sql(folder, REQUIRED_TABLE, '*', '*.parquet')})"
    ).fetchone()
    if newest is None or newest[0] is None:
        label = next(report.source for report in reports if report.table == REQUIRED_TABLE)
        raise TooLittleData(f"{label}: no order line is left. Look at the reasons, mend the data, run again.")
    further = [tuple(one.resolved.further) for one in judged if one.table.further]
    events = Events(
        folder=folder,
        buckets=judged[0].buckets,
        columns={one.table.name: _filled(connection, one, folder) for one in judged},
        data_end=(newest[0] + timedelta(days=1)).date(),
        fingerprint=fingerprint(connection, folder, judged),
        further=further[0] if further else (),
    )
    manifest = {"format": FORMAT, **IngestReport(tuple(reports), events).to_dict()}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return events


def _filled(connection: duckdb.DuckDBPyConnection, one: Judged, folder: Path) -> tuple[str, ...]:
    """The contract columns of a table that the source has and fills: one that is always empty says nothing."""
    names = [column.name for column in one.resolved.columns]
    counts = ", ".join(f"count({name_sql(name)})" for name in names)
    files = path_sql(folder, one.table.name, "*", "*.parquet")
    met = connection.execute(f"SELECT {counts} FROM read_parquet({files})").fetchall()[0]
    required = {column.name for column in one.table.columns if column.required}
    return tuple(name for name, n in zip(names, met, strict=True) if n or name in required)


def _take_place(written: Path, out: Path, replaced: Path) -> None:
    """Put the written folder in the target's place; what stood there goes when the new one is complete."""
    if out.exists():
        out.rename(replaced)
    try:
        written.rename(out)
    except OSError:
        if replaced.exists():
            replaced.rename(out)
        raise
