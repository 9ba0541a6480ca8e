"""From the files of a table to rows with a verdict each, all in DuckDB, all streaming.

Kept apart from ``quarantine.py``, which says what an ingest promises; here is how one table goes through it. What is
new of a table is read once into a judged copy on disk: typed columns, the first problem of each row, a hash of the
row as read. ``duplicates.py`` then finds the rows that repeat others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from features.as_read import FILE, ROW, placed, readings, row_hash
from features.batches import TableState
from features.buckets import bucket_sql
from features.checks import FUTURE, HOME, Problem, find_problems, known_at_sql, typed_name, typed_select
from features.contract import KNOWN_AT, RECORDED_AT, Table
from features.errors import SourceError
from features.resolving import Group, Met
from features.sql import name_sql, one_line, path_sql, text_sql

CHUNK_ROWS = 2_000_000
"""So many rows are sorted at a time: what fits into memory however wide they are."""

TAKEN = "duplicate_key"
REPEATED = "exact_duplicate"

_ACCOUNT, _HASH, _PROBLEM, _BUCKET = (name_sql(f"kizashi: {word}") for word in ("account", "hash", "problem", "bucket"))


@dataclass(frozen=True)
class Moment:
    """The moment of a run in the project's zone, and that zone."""

    at: datetime
    timezone: str

    @property
    def run_at(self) -> str:
        """The moment as SQL."""
        return f"TIMESTAMP '{self.at.isoformat(sep=' ')}'"


@dataclass(frozen=True)
class Judged:
    """What is new of a table with a verdict per row: the copy on disk and the problems that its verdicts number.

    ``earlier`` is what the table was before, None where it is taken whole.
    """

    met: Met
    problems: tuple[Problem, ...]
    folder: Path
    buckets: int
    chunks: int
    earlier: TableState | None = None

    @property
    def table(self) -> Table:
        """Its contract."""
        return self.met.table

    @property
    def dropped(self) -> str:
        """The temporary table of rows that repeat another one: file, row_number, kind, first_file, first_row."""
        return name_sql(f"dropped {self.table.name}")

    @property
    def retried(self) -> str:
        """The temporary table of rows that were set aside earlier and are judged again: file, row_number."""
        return retried_name(self.table.name)

    @property
    def names(self) -> list[str]:
        """The columns of its clean rows but ``known_at``."""
        return [*self.table.names, *self.met.further]

    def scan(self, chunk: int | None = None) -> str:
        """The SQL of the judged rows, of one chunk of buckets or of all."""
        part = "*" if chunk is None else str(chunk)
        return f"read_parquet({path_sql(self.folder, '*', f'chunk={part}', '*.parquet')}, hive_partitioning = false)"

    @property
    def kept(self) -> str:
        """The SQL of the judged rows that repeat no other one."""
        return f"(SELECT * FROM {self.scan()} ANTI JOIN {self.dropped} USING (file, row_number))"


def retried_name(table: str) -> str:
    """The temporary table of rows of a table that were set aside earlier and are judged again."""
    return name_sql(f"retried {table}")


def judge(
    connection: duckdb.DuckDBPyConnection,
    met: Met,
    moment: Moment,
    folder: Path,
    *,
    buckets: int,
    known_customers: bool,
    earlier: TableState | None = None,
) -> Judged:
    """Write the judged copy of what is new of a table to ``folder``.

    Raises
    ------
    SourceError
        Where a file cannot be read to its end.
    """
    joined = known_customers and met.table.of_customer and met.table.name != "customers"
    chunks = min(buckets, -(-met.rows // CHUNK_ROWS)) if met.table.of_customer else 1
    problems: dict[tuple[str, str, str], Problem] = {}
    folder.mkdir(parents=True)
    connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS {retried_name(met.table.name)} ({PLACE})")
    connection.execute(
        f"CREATE TEMP TABLE {name_sql(f'dropped {met.table.name}')} ({PLACE}, kind VARCHAR, first_file VARCHAR, "
        "first_row BIGINT)"
    )
    for number, group in enumerate(met.groups):
        found = tuple(find_problems(group.resolved, moment.run_at, known_customers=joined))
        for one in found:
            problems.setdefault((one.column, one.kind, one.reason), one)
        numbers = {key: place for place, key in enumerate(problems)}
        numbered = [(numbers[one.column, one.kind, one.reason], one) for one in found]
        rows = _judged_rows(met, group, numbered, moment, buckets, chunks, joined=joined)
        to = folder / str(number)
        try:
            _copy_in_chunks(connection, rows, to, chunks)
        except duckdb.Error as error:
            raise SourceError(_unread_words(connection, met.listing.label, group, error)) from None
    return Judged(met, tuple(problems.values()), folder, buckets, max(chunks, 1), earlier)


PLACE = "file VARCHAR, row_number BIGINT"


def _judged_rows(
    met: Met,
    group: Group,
    problems: Sequence[tuple[int, Problem]],
    moment: Moment,
    buckets: int,
    chunks: int,
    *,
    joined: bool,
) -> str:
    """The SQL of the judged rows of some files."""
    typed = ", ".join(typed_select(group.resolved, moment.timezone))
    rows = placed(group.opened, retried_name(met.table.name) if group.retried else "")
    accounts = f"LEFT JOIN accounts ON {typed_name('customer_id')} = accounts.{_ACCOUNT}" if joined else ""
    verdict = " ".join(f"WHEN {problem.condition} THEN {number}" for number, problem in problems)
    value = numbered_case(_PROBLEM, {number: problem.value for number, problem in problems})
    waits = {number: typed_name(problem.column) for number, problem in problems if problem.kind == FUTURE}
    clean = [typed_name(name) for name in met.table.names] + _further_select(met, group)
    return (
        f"SELECT {FILE} AS file, {ROW} AS row_number, {str(group.retried).lower()} AS retried, "
        f"{_PROBLEM} AS problem, CAST({value} AS VARCHAR) AS value, "
        f"CAST({numbered_case(_PROBLEM, waits)} AS TIMESTAMP) AS waits, {_HASH} AS row_hash, {_BUCKET} AS bucket, "
        f"{_BUCKET} % {max(chunks, 1)} AS chunk, {known_at_sql(group.resolved)} AS {KNOWN_AT}, {', '.join(clean)} "
        f"FROM (SELECT *, CAST(CASE WHEN false THEN 0 {verdict} END AS SMALLINT) AS {_PROBLEM}, "
        f"{_bucket(met.table, buckets, joined)} AS {_BUCKET} "
        f"FROM (SELECT *, {row_hash(group.opened, met.columns)} AS {_HASH}, {typed} FROM ({rows})) {accounts})"
    )


def numbered_case(number: str, values: Mapping[int, str]) -> str:
    """The SQL of the value that belongs to a number, NULL where the number is NULL or has none."""
    cases = " ".join(f"WHEN {place} THEN {value}" for place, value in values.items())
    return f"CASE {number} WHEN -1 THEN NULL {cases} END"


def _further_select(met: Met, group: Group) -> list[str]:
    """The further columns under the table's names and types, whatever this file calls and types them."""
    own = {name.casefold(): name for name in group.resolved.further}
    listed = []
    for name, kind in met.further.items():
        value = typed_name(own[name.casefold()]) if name.casefold() in own else "NULL"
        listed.append(f"CAST({value} AS {kind}) AS {typed_name(name)}")
    return listed


def _bucket(table: Table, buckets: int, joined: bool) -> str:
    """The bucket of a row: its account's, bad rows without an account going to the first."""
    if joined:
        return f"coalesce(accounts.{HOME}, 0)"
    if not table.of_customer or buckets == 1:
        return "0"
    account = typed_name("customer_id")
    if table.name == "customers":
        account = f"coalesce({typed_name('parent_id')}, {account})"
    return f"coalesce({bucket_sql(account, buckets)}, 0)"


def _copy_in_chunks(connection: duckdb.DuckDBPyConnection, rows: str, folder: Path, chunks: int) -> None:
    """Write rows below ``folder/chunk=<i>``; a table of one chunk has a file even without rows."""
    if chunks > 1:
        connection.execute(f"COPY ({rows}) TO {text_sql(str(folder))} (FORMAT parquet, PARTITION_BY (chunk))")
        return
    only = folder / "chunk=0" / "rows.parquet"
    only.parent.mkdir(parents=True)
    connection.execute(f"COPY (SELECT * EXCLUDE (chunk) FROM ({rows})) TO {text_sql(str(only))} (FORMAT parquet)")


def _unread_words(connection: duckdb.DuckDBPyConnection, folder: str, group: Group, error: duckdb.Error) -> str:
    """Name the file that cannot be read: of many, the first that cannot be read by itself."""
    label = group.opened.label
    for name, reading in readings(group.opened) if len(group.opened.paths) > 1 else ():
        try:
            connection.execute(reading)
        except duckdb.Error as own:
            label, error = f"{folder}{name}", own
            break
    return f"{label}: cannot be read to its end ({one_line(error)}). Copy or export it again."


NEWCOMERS = f"SELECT {_ACCOUNT} FROM accounts ANTI JOIN accounts_before USING ({_ACCOUNT})"
"""The SQL of accounts that were not known before."""


def make_accounts(connection: duckdb.DuckDBPyConnection, name: str, rows: str = "") -> None:
    """Make a temporary table of accounts with their buckets, with the rows of a query."""
    connection.execute(f"CREATE TEMP TABLE {name} ({_ACCOUNT} VARCHAR, {HOME} INTEGER)")
    if rows:
        connection.execute(f"INSERT INTO {name} {rows}")


def write_accounts(connection: duckdb.DuckDBPyConnection, customers: Judged) -> None:
    """Add the clean customers with their buckets to the temporary table ``accounts``."""
    connection.execute(
        f"INSERT INTO accounts SELECT {typed_name('customer_id')}, bucket FROM {customers.kept} WHERE problem IS NULL"
    )


def moved_accounts(connection: duckdb.DuckDBPyConnection) -> int:
    """How many accounts of ``accounts_before`` are not in ``accounts``, or in another bucket there."""
    left = f"accounts_before ANTI JOIN accounts USING ({_ACCOUNT}, {HOME})"
    return int(connection.execute(f"SELECT count(*) FROM {left}").fetchall()[0][0])


def latest_sql(table: Table) -> str:
    """The SQL of the newest moment of a judged row that may not lie in the future of a run."""
    times = [name for name in (None if table.planned else table.time, RECORDED_AT) if name in table.names]
    return f"greatest({', '.join([*(typed_name(str(name)) for name in times), 'NULL::TIMESTAMP'])})"
