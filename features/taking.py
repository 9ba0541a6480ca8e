"""The tables of an ingest carried through: opened, met with the contract, judged, and written beside the events.

``batches.py`` says which files to read. Customers go first, for the others must know them; then rows of earlier
files that were set aside for what has changed since (their account became known, their moment came) are judged
again, together with what is new.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import duckdb

from features import judging
from features.batches import Plan, TablePlan, TableState, TakeAgain, remembered
from features.buckets import LINES_PER_BUCKET, default_buckets, part_path
from features.contract import CONTRACT, REQUIRED_TABLE
from features.duplicates import find_duplicates
from features.errors import ColumnsMissing, SourceError
from features.judging import Judged, Moment, retried_name
from features.parts import (
    count_rows,
    earliest_wait,
    latest_moment,
    list_retried,
    measure,
    write_hashes,
    write_parts,
    write_quarantine,
    write_refused,
)
from features.publication import quarantine_path, taken_path
from features.resolving import Met, meet
from features.sources import Opened, Source
from features.sql import path_sql

CUSTOMERS = "customers"


class RowsLost(RuntimeError):
    """Rows in are not the sum of clean, quarantined and duplicate ones: our fault, not the data's."""


@dataclass
class Taking:
    """One try to carry out a plan.

    Parameters
    ----------
    out
        The folder of the events, of which nothing is changed here.
    work
        An empty folder; what is to be moved to ``out`` ends in its folder ``new``.
    buckets
        The number that was asked for, or None.
    generation
        The number in the names of the new files, above all that are there.
    now_ns
        The time of the disk when the work began, in nanoseconds.
    """

    connection: duckdb.DuckDBPyConnection
    source: Source
    plan: Plan
    out: Path
    work: Path
    moment: Moment
    buckets: int | None
    generation: int
    now_ns: int
    bucket_count: int = 0
    met: dict[str, Met] = field(default_factory=dict)
    judged: dict[str, Judged] = field(default_factory=dict)
    states: dict[str, TableState] = field(default_factory=dict)
    retried: dict[str, int] = field(default_factory=dict)

    @property
    def new(self) -> Path:
        """The folder of files that are new, under the paths that they get in ``out``."""
        return self.work / "new"

    def judge(self) -> Mapping[str, TableState]:
        """Judge what is new of every table; return what the tables are then, but for their clean rows.

        Raises
        ------
        TakeAgain
            Where a table, or all of them, must be taken whole.
        """
        self._open()
        self.bucket_count = self._bucket_count()
        self._know_customers()
        for one in self.plan.tables:
            if one.table not in self.judged and (met := self._with_retried(one)):
                self._judge(one, met)
        for one in self.plan.tables:
            # What is kept has an earlier state.
            self.states[one.table] = self._counted(one) if one.table in self.judged else _known(one)
        return self.states

    def write(self) -> Mapping[str, TableState]:
        """Write the clean rows and what is remembered of them; return what the tables are now.

        Raises
        ------
        SourceError
            Where a file changed while it was read.
        """
        for table, judged in self.judged.items():
            self.states[table] = self._written(judged, self.states[table])
        for one in self.plan.tables:
            now = {file.name: file for file in self.source.listing(one.table).files} if one.files else {}
            for file in one.files:
                if now.get(file.name) != file:
                    words = "changed while it was read. Run again when its export has ended"
                    raise SourceError(f"{one.listing.label}: {file.name} {words}.")
        return self.states

    def _open(self) -> None:
        """Meet the tables of which there is something new with the contract; all missing columns in one error."""
        missing = []
        for one in self.plan.tables:
            if one.kept:
                continue
            names = None if one.earlier is None else [file.name for file in one.files]
            opened = self.source.open(one.table, self.work / "read", names)
            try:
                met = meet(one.table, one.listing, one.mapping, opened)
            except ColumnsMissing as error:
                missing.append(str(error))
                continue
            self.met[one.table] = _continued(met, one.earlier) if one.earlier else met
        if missing:
            raise ColumnsMissing(" ".join(missing))

    def _bucket_count(self) -> int:
        """How many buckets there are, or are to be."""
        one = next(one for one in self.plan.tables if one.table == REQUIRED_TABLE)
        lines = one.earlier.rows_in if one.earlier else 0
        lines += self.met[REQUIRED_TABLE].rows if REQUIRED_TABLE in self.met else 0
        if not lines:
            raise SourceError(
                f"{self.source.label}: the table {REQUIRED_TABLE} has no rows. Export at least a year of orders."
            )
        if self.plan.earlier is None:
            return self.buckets or default_buckets(lines)
        buckets = self.plan.earlier.buckets
        if self.buckets is None and lines > 2 * buckets * LINES_PER_BUCKET:
            raise TakeAgain(f"{lines} order lines are more than twice what a number of buckets of {buckets} is for")
        return buckets

    def _know_customers(self) -> None:
        """Judge the customers, and list who is known now, with their buckets, and who was not known before."""
        plans = {one.table: one for one in self.plan.tables}
        known = self.plan.earlier.tables.get(CUSTOMERS) if self.plan.earlier else None
        judging.make_accounts(self.connection, "accounts_before", _accounts_sql(self.out, known) if known else "")
        one = plans.get(CUSTOMERS)
        same = one is not None and one.earlier is not None
        judging.make_accounts(self.connection, "accounts", "FROM accounts_before" if same else "")
        if one and CUSTOMERS in self.met:
            self._judge(one, self.met[CUSTOMERS])
            judging.write_accounts(self.connection, self.judged[CUSTOMERS])
        moved = judging.moved_accounts(self.connection) if known else 0
        if moved:
            raise TakeAgain(f"{moved} accounts are not among the customers any more or belong to another bucket")

    def _with_retried(self, one: TablePlan) -> Met | None:
        """What is to be judged of a table: what is new, and rows set aside earlier that may be sound by now."""
        met, known = self.met.get(one.table), one.earlier
        if known is None or not known.quarantined:
            return met
        come = known.waits is not None and known.waits <= self.moment.at
        if not come and CUSTOMERS not in self.judged:
            return met
        refused = taken_path(self.out, one.table, known.refused)
        files = list_retried(self.connection, one.table, refused, self.moment.run_at, judging.NEWCOMERS)
        if not files:
            return met
        if CONTRACT[one.table].key and not known.hashes:
            raise TakeAgain("rows that were set aside may be sound by now", one.table)
        again = meet(one.table, one.listing, one.mapping, self._reopened(one.table, files))
        groups = tuple(replace(group, retried=True) for group in again.groups)
        return replace(_continued(met or again, known), groups=(*(met.groups if met else ()), *groups))

    def _reopened(self, table: str, files: Sequence[str]) -> Sequence[Opened]:
        return self.source.open(table, self.work / "again", files)

    def _judge(self, one: TablePlan, met: Met) -> None:
        known = any(other.table == CUSTOMERS for other in self.plan.tables)
        judged = judging.judge(
            self.connection,
            met,
            self.moment,
            self.work / "judged" / one.table,
            buckets=self.bucket_count,
            known_customers=known,
            earlier=one.earlier,
        )
        find_duplicates(
            self.connection,
            judged,
            taken_path(self.out, one.table, ""),
            lambda files: self._reopened(one.table, files),
        )
        self.judged[one.table] = judged

    def _counted(self, one: TablePlan) -> TableState:
        """The state of a judged table, but for its clean rows; no row may get lost."""
        judged = self.judged[one.table]
        met = judged.met
        known = one.earlier or TableState(
            one.listing.label, one.listing.many, (), one.rules, met.columns, met.present, met.further
        )
        again = self.connection.execute(f"SELECT count(*) FROM {retried_name(one.table)}").fetchall()[0][0]
        clean, quarantined, duplicates = count_rows(self.connection, judged)
        if met.rows + again != clean + quarantined + duplicates:
            raise RowsLost(
                f"{one.listing.label}: {met.rows + again} rows in, {clean} + {quarantined} + {duplicates} out"
            )
        if again:
            self.retried[one.table] = again
        files = [*known.files, *remembered(self.source, one.table, one.files, self.now_ns)]
        state = replace(
            known,
            files=tuple(sorted(files, key=lambda file: file.name)),
            rows_in=known.rows_in + met.rows,
            clean=known.clean + clean,
            duplicates=known.duplicates + duplicates,
            quarantined=known.quarantined + quarantined - again,
            latest=_newer(known.latest, latest_moment(self.connection, judged)),
            batches=known.batches + 1,
        )
        return self._set_aside(judged, state) if quarantined or again or not known.refused else state

    def _set_aside(self, judged: Judged, state: TableState) -> TableState:
        """Write the rows set aside, for the next ingest and for people."""
        table = judged.table.name
        name = f"refused-{self.generation}.parquet"
        earlier = taken_path(self.out, table, state.refused) if state.refused else None
        refused, shown = taken_path(self.new, table, name), quarantine_path(self.new, table)
        write_refused(self.connection, judged, refused, earlier)
        write_quarantine(self.connection, table, judged.met.listing.many, refused, shown)
        waits = earliest_wait(self.connection, refused)
        return replace(state, refused=name, waits=waits, quarantine_ns=os.stat(shown).st_mtime_ns)

    def _written(self, judged: Judged, state: TableState) -> TableState:
        """The state of a table with its new clean rows written."""
        table = judged.table
        parts = write_parts(self.connection, judged, self.new, self.work / "sorted", self.generation)
        held = measure(self.connection, judged, self.new, parts)
        before = state.parts or ((),) * len(parts)
        hashes = state.hashes
        if judged.met.listing.many:
            hashes = (*hashes, f"hashes-{self.generation}.parquet")
            write_hashes(self.connection, judged, taken_path(self.new, table.name, hashes[-1]))
        filled = {*state.filled, *held.filled}
        return replace(
            state,
            parts=tuple((*old, *new) for old, new in zip(before, parts, strict=True)),
            hashes=hashes,
            filled=tuple(name for name in table.names if name in filled),
            digest_sum=state.digest_sum + held.digest_sum,
            newest=_newer(state.newest, held.newest),
        )


def _known(one: TablePlan) -> TableState:
    if one.earlier is None:
        raise RowsLost(f"{one.listing.label}: it was neither judged nor kept")
    return one.earlier


def _newer(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment is not None), default=None)


def _accounts_sql(out: Path, customers: TableState) -> str:
    """The SQL of the customers that earlier ingests took in, with their buckets."""
    table = CONTRACT[CUSTOMERS]
    paths = [part_path(out, table, bucket, name) for bucket, names in enumerate(customers.parts) for name in names]
    if not paths:
        return ""
    bucket = r"CAST(regexp_extract(path, 'bucket=(\d+)[/\\][^/\\]*$', 1) AS INTEGER)"
    options = "filename = 'path', hive_partitioning = false"
    return f"SELECT customer_id, {bucket} FROM read_parquet([{', '.join(map(path_sql, paths))}], {options})"


def _continued(met: Met, known: TableState) -> Met:
    """New files of a table as parts of what it was; what makes rows equal and how they are typed must not change."""
    label, table = met.listing.label, met.table.name
    brought = sorted(set(met.columns) - set(known.columns))
    if brought:
        raise TakeAgain(f"{label}: a new file brings the columns {brought}", table)
    types = {name.casefold(): kind for name, kind in known.further.items()}
    for name, kind in met.further.items():
        if types[name.casefold()] not in (kind, "VARCHAR"):
            raise TakeAgain(f"{label}: a new file has another type of {name}", table)
    return replace(met, columns=known.columns, present=known.present, further=known.further)
