"""The steps from a table as read to its clean, quarantined and duplicate rows, all in DuckDB, all streaming.

Kept apart from ``quarantine.py``, which says what an ingest promises; here is how one table goes through it.
A table is read once into a judged copy on disk: typed columns, the first problem of each row, a hash of the
row as read. Duplicates are found by hash and then proven on the rows themselves, so that memory holds hashes
only.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from features.buckets import bucket_sql, part_path
from features.checks import Problem, Resolved, find_problems, known_at_sql, typed_name, typed_select
from features.contract import KNOWN_AT, Table
from features.sources import Opened
from features.sql import name_sql, path_sql, text_sql

SHOWN_ROWS = 5
TAKEN = "duplicate_key"
REPEATED = "exact_duplicate"


@dataclass(frozen=True)
class Reason:
    """One kind of problem in one column: how many rows, and the first of them (numbered from 1)."""

    kind: str
    column: str
    words: str
    rows: int
    first_rows: tuple[int, ...]


@dataclass(frozen=True)
class Moment:
    """The moment of a run as SQL, and the project's zone."""

    run_at: str
    timezone: str


@dataclass(frozen=True)
class Judged:
    """A table with a verdict per row: the copy on disk and the problems that its verdicts number."""

    opened: Opened
    resolved: Resolved
    problems: tuple[Problem, ...]
    folder: Path
    buckets: int

    @property
    def table(self) -> Table:
        """Its contract."""
        return self.resolved.table

    @property
    def dropped(self) -> str:
        """The temporary table of rows that repeat an earlier one."""
        return name_sql(f"dropped {self.table.name}")

    def scan(self, bucket: int | None = None) -> str:
        """The SQL of the judged rows, of one bucket or of all."""
        part = "*" if bucket is None else str(bucket)
        return f"read_parquet({path_sql(self.folder, f'bucket={part}', '*.parquet')}, hive_partitioning = false)"


def judge(
    connection: duckdb.DuckDBPyConnection,
    opened: Opened,
    resolved: Resolved,
    moment: Moment,
    folder: Path,
    *,
    buckets: int,
    known_customers: bool,
) -> Judged:
    """Write the judged copy of a table to ``folder`` and find its duplicates."""
    joined = known_customers and resolved.table.of_customer and resolved.table.name != "customers"
    problems = tuple(find_problems(resolved, moment.run_at, known_customers=joined))
    typed = ", ".join(typed_select(resolved, moment.timezone))
    accounts = f"LEFT JOIN accounts ON {typed_name('customer_id')} = accounts.account" if joined else ""
    names = [*resolved.table.names, *resolved.further]
    value = numbered_case("problem", [problem.value for problem in problems])
    verdict = " ".join(f"WHEN {problem.condition} THEN {number}" for number, problem in enumerate(problems))
    rows = (
        f"SELECT row_number, problem, CAST({value} AS VARCHAR) AS value, row_hash, bucket, "
        f"{known_at_sql(resolved)} AS {KNOWN_AT}, {', '.join(typed_name(name) for name in names)} "
        "FROM ("
        f"SELECT *, CAST(CASE WHEN false THEN 0 {verdict} END AS SMALLINT) AS problem, "
        f"{_bucket(resolved.table, buckets, joined)} AS bucket FROM ("
        f"SELECT *, file_row_number + 1 AS row_number, {_row_hash(opened)} AS row_hash, {typed} "
        f"FROM {opened.scan}) {accounts})"
    )
    partitioned = "FORMAT parquet, PARTITION_BY (bucket), WRITE_PARTITION_COLUMNS true"
    connection.execute(f"COPY ({rows}) TO {text_sql(str(folder))} ({partitioned})")
    if not opened.rows:
        empty = folder / "bucket=0" / "no-rows.parquet"
        empty.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(f"COPY ({rows}) TO {text_sql(str(empty))} (FORMAT parquet)")
    judged = Judged(opened, resolved, problems, folder, buckets)
    _find_duplicates(connection, judged)
    return judged


def numbered_case(number: str, values: Sequence[str]) -> str:
    """The SQL of the value at a number's place in a list, NULL where the number is NULL."""
    cases = " ".join(f"WHEN {place} THEN {value}" for place, value in enumerate(values))
    return f"CASE {number} WHEN -1 THEN NULL {cases} END"


def _row_hash(opened: Opened) -> str:
    return f"hash({', '.join(name_sql(name) for name in opened.types)})"


def _bucket(table: Table, buckets: int, joined: bool) -> str:
    """The bucket of a row: its account's, bad rows without an account going to the first."""
    if joined:
        return "coalesce(accounts.bucket, 0)"
    if not table.of_customer or buckets == 1:
        return "0"
    account = typed_name("customer_id")
    if table.name == "customers":
        account = f"coalesce({typed_name('parent_id')}, {account})"
    return f"coalesce({bucket_sql(account, buckets)}, 0)"


def _find_duplicates(connection: duckdb.DuckDBPyConnection, judged: Judged) -> None:
    """List rows that repeat an earlier one: first exactly, then, of what is left and sound, by key."""
    connection.execute(f"CREATE TEMP TABLE {judged.dropped} (row_number BIGINT, kind VARCHAR, first_row BIGINT)")
    as_read = f"(SELECT *, file_row_number + 1 AS row_number FROM {judged.opened.scan})"
    repeated = f"SELECT row_hash FROM {judged.scan()} GROUP BY row_hash HAVING count(*) > 1"
    suspects = f"SELECT row_number FROM {judged.scan()} WHERE row_hash IN ({repeated})"
    columns = [name_sql(name) for name in judged.opened.types]
    _drop_later(connection, judged, as_read, suspects, columns, REPEATED)
    if judged.table.key:
        key = [typed_name(name) for name in judged.table.key]
        left = f"{judged.scan()} ANTI JOIN {judged.dropped} USING (row_number)"
        sound = f"(SELECT * FROM {left} WHERE problem IS NULL)"
        taken = f"SELECT hash({', '.join(key)}) FROM {sound} GROUP BY 1 HAVING count(*) > 1"
        suspects = f"SELECT row_number FROM {sound} WHERE hash({', '.join(key)}) IN ({taken})"
        _drop_later(connection, judged, sound, suspects, key, TAKEN)


def _drop_later(
    connection: duckdb.DuckDBPyConnection,
    judged: Judged,
    rows: str,
    suspects: str,
    columns: list[str],
    kind: str,
) -> None:
    """Of rows that are equal in the columns keep the first; hashes only suggest, the columns prove."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE suspects AS {suspects}")
    counted = connection.execute("SELECT count(*) FROM suspects").fetchone()
    if not counted or not counted[0]:
        return
    first = f"min(row_number) OVER (PARTITION BY {', '.join(columns)})"
    connection.execute(
        f"INSERT INTO {judged.dropped} SELECT row_number, {text_sql(kind)}, first_row FROM "
        f"(SELECT row_number, {first} AS first_row FROM {rows} SEMI JOIN suspects USING (row_number)) "
        "WHERE row_number > first_row"
    )


def write_accounts(connection: duckdb.DuckDBPyConnection, customers: Judged) -> None:
    """List the clean customers with their buckets in the temporary table ``accounts``."""
    connection.execute(
        f"CREATE TEMP TABLE accounts AS SELECT {typed_name('customer_id')} AS account, bucket "
        f"FROM {customers.scan()} ANTI JOIN {customers.dropped} USING (row_number) WHERE problem IS NULL"
    )


def count_rows(connection: duckdb.DuckDBPyConnection, judged: Judged) -> tuple[int, int, int]:
    """The numbers of clean, quarantined and exactly repeated rows, each counted for itself."""
    row = connection.execute(
        "SELECT count(*) FILTER (kind IS NULL AND problem IS NULL), "
        f"count(*) FILTER (kind = {text_sql(TAKEN)} OR (kind IS NULL AND problem IS NOT NULL)), "
        f"count(*) FILTER (kind = {text_sql(REPEATED)}) "
        f"FROM {judged.scan()} LEFT JOIN {judged.dropped} USING (row_number)"
    ).fetchone()
    clean, quarantined, duplicates = row or (0, 0, 0)
    return int(clean), int(quarantined), int(duplicates)


def count_reasons(connection: duckdb.DuckDBPyConnection, judged: Judged) -> tuple[Reason, ...]:
    """What is wrong with the quarantined rows, the most frequent first."""
    rows = connection.execute(
        f"SELECT problem, count(*), min(row_number, {SHOWN_ROWS}) FROM {judged.scan()} "
        f"ANTI JOIN {judged.dropped} USING (row_number) WHERE problem IS NOT NULL GROUP BY problem "
        f"UNION ALL SELECT NULL, count(*), min(row_number, {SHOWN_ROWS}) FROM {judged.dropped} "
        f"WHERE kind = {text_sql(TAKEN)} HAVING count(*) > 0"
    ).fetchall()
    reasons = []
    for number, count, first in rows:
        problem = _key_problem(judged.table) if number is None else judged.problems[number]
        reasons.append(Reason(problem.kind, problem.column, problem.reason, int(count), tuple(first)))
    return tuple(sorted(reasons, key=lambda reason: (-reason.rows, reason.kind, reason.column)))


def _key_problem(table: Table) -> Problem:
    return Problem(", ".join(table.key), TAKEN, "the key of an earlier row, with other values", "", "")


def write_quarantine(connection: duckdb.DuckDBPyConnection, judged: Judged, path: Path) -> None:
    """Write the quarantined rows: table, row_number, column, value, reason; in the source's order."""
    key = judged.table.key
    key_text = " || ', ' || ".join(f"coalesce(CAST({typed_name(name)} AS VARCHAR), '')" for name in key) or "NULL"
    columns = numbered_case("problem", [text_sql(problem.column) for problem in judged.problems])
    reasons = numbered_case("problem", [text_sql(problem.reason) for problem in judged.problems])
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = ", ".join(
        f"CASE WHEN kind IS NULL THEN {broken} ELSE {taken} END AS {name_sql(name)}"
        for name, broken, taken in (
            ("column", columns, text_sql(", ".join(key))),
            ("value", "value", key_text),
            ("reason", reasons, "'the key stands already in row ' || first_row"),
        )
    )
    connection.execute(
        f"COPY (SELECT {text_sql(judged.table.name)} AS {name_sql('table')}, row_number, {listed} "
        f"FROM {judged.scan()} LEFT JOIN {judged.dropped} USING (row_number) "
        f"WHERE kind = {text_sql(TAKEN)} OR (kind IS NULL AND problem IS NOT NULL) ORDER BY row_number) "
        f"TO {text_sql(str(path))} (FORMAT parquet)"
    )


def write_clean(connection: duckdb.DuckDBPyConnection, judged: Judged, folder: Path) -> None:
    """Write the clean rows of a table, one file per bucket, sorted by account and time."""
    table = judged.table
    names = [*table.names, *judged.resolved.further]
    listed = ", ".join(f"{typed_name(name)} AS {name_sql(name)}" for name in names)
    order = [typed_name(name) for name in ("customer_id", table.time) if name in table.names]
    for bucket in range(judged.buckets if table.of_customer else 1):
        path = part_path(folder, table, bucket)
        path.parent.mkdir(parents=True)
        has_rows = any(judged.folder.glob(f"bucket={bucket}/*.parquet"))
        rows = judged.scan(bucket) if has_rows else f"(SELECT * FROM {judged.scan()} LIMIT 0)"
        connection.execute(
            f"COPY (SELECT {listed}, {KNOWN_AT} FROM {rows} ANTI JOIN {judged.dropped} USING (row_number) "
            f"WHERE problem IS NULL ORDER BY {', '.join([*order, 'row_number'])}) "
            f"TO {text_sql(str(path))} (FORMAT parquet)"
        )


def fingerprint(connection: duckdb.DuckDBPyConnection, folder: Path, tables: Iterable[Judged]) -> str:
    """Hex digest of the clean rows; the same whatever their order, the buckets and the kind of source."""
    digest = hashlib.sha256()
    for judged in sorted(tables, key=lambda one: one.table.name):
        names = [column.name for column in judged.resolved.columns] + [
            *sorted(judged.resolved.further),
            KNOWN_AT,
        ]
        # A sum of the rows' digests knows no order, yet counts a row as often as it stands there.
        fields = ", ".join(f"coalesce(CAST({name_sql(name)} AS VARCHAR), chr(30))" for name in names)
        path = path_sql(folder, judged.table.name, "*", "*.parquet")
        row = connection.execute(
            f"SELECT count(*), sum(CAST(md5_number_lower(concat_ws(chr(31), {fields})) AS HUGEINT)) "
            f"FROM read_parquet({path}, hive_partitioning = false)"
        ).fetchone()
        digest.update(repr((judged.table.name, names, row)).encode())
    return digest.hexdigest()
