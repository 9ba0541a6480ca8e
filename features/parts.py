"""What an ingest leaves of a table: sorted parts of clean rows, the rows set aside, and what to remember of all.

Nothing here changes a file that is there: what is new is written beside it, in a folder that ``publication.py`` then
moves into its place.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from features.batches import TableState
from features.buckets import part_path
from features.checks import FUTURE, UNKNOWN, typed_name
from features.contract import KNOWN_AT
from features.duplicates import hashes_select
from features.judging import REPEATED, TAKEN, Judged, latest_sql, numbered_case, retried_name
from features.sql import name_sql, path_sql, text_sql

SHOWN_ROWS = 5


@dataclass(frozen=True)
class Reason:
    """One kind of problem in one column: how many rows, and the first of them (numbered from 1 in their file).

    ``first_files`` names for each of the first rows its file, where the table is a folder of files.
    """

    kind: str
    column: str
    words: str
    rows: int
    first_rows: tuple[int, ...]
    first_files: tuple[str, ...] = ()

    @property
    def places(self) -> str:
        """The first rows in words: ``3, 17`` or ``2026-11-21.csv 3, 2026-11-22.csv 1``."""
        if not self.first_files:
            return ", ".join(str(row) for row in self.first_rows)
        return ", ".join(f"{file} {row}" for file, row in zip(self.first_files, self.first_rows, strict=True))


@dataclass(frozen=True)
class Measured:
    """What clean rows hold: see :class:`features.batches.TableState`."""

    rows: int = 0
    digest_sum: int = 0
    newest: datetime | None = None
    filled: tuple[str, ...] = ()


def write_parts(
    connection: duckdb.DuckDBPyConnection, judged: Judged, folder: Path, work: Path, generation: int
) -> tuple[tuple[str, ...], ...]:
    """Write the clean rows of a table, for each bucket that has some, sorted by account and time.

    Returns
    -------
    tuple
        For each bucket the names of its new files in ``folder/<table>/bucket=<i>``.
    """
    table = judged.table
    listed = ", ".join(f"{typed_name(name)} AS {name_sql(name)}" for name in judged.names)
    order = [typed_name(name) for name in ("customer_id", table.time) if name in table.names]
    names: list[tuple[str, ...]] = [() for _ in range(judged.buckets if table.of_customer else 1)]
    for chunk in range(judged.chunks):
        if not any(judged.folder.glob(f"*/chunk={chunk}/*.parquet")):
            continue
        to = work / table.name / str(chunk)
        to.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(
            f"COPY (SELECT {listed}, {KNOWN_AT}, bucket FROM {judged.scan(chunk)} "
            f"ANTI JOIN {judged.dropped} USING (file, row_number) WHERE problem IS NULL "
            f"ORDER BY {', '.join(['bucket', *order, 'row_number'])}) "
            f"TO {text_sql(str(to))} (FORMAT parquet, PARTITION_BY (bucket))"
        )
        for place in to.iterdir():
            bucket = int(place.name.removeprefix("bucket="))
            written = sorted(place.iterdir())
            names[bucket] = tuple(_part_name(generation, number) for number in range(len(written)))
            for file, name in zip(written, names[bucket], strict=True):
                part = part_path(folder, table, bucket, name)
                part.parent.mkdir(parents=True, exist_ok=True)
                file.rename(part)
    return tuple(names)


def _part_name(generation: int, number: int) -> str:
    return f"part-{generation}-{number}.parquet" if number else f"part-{generation}.parquet"


def measure(
    connection: duckdb.DuckDBPyConnection, judged: Judged, folder: Path, parts: tuple[tuple[str, ...], ...]
) -> Measured:
    """Read the new parts back and say what they hold."""
    paths = [path_sql(part_path(folder, judged.table, n, name)) for n, names in enumerate(parts) for name in names]
    if not paths:
        return Measured()
    present = judged.met.present
    counts = ", ".join(f"count({name_sql(name)})" for name in present)
    # A sum of the rows' digests knows no order, yet counts a row as often as it stands there.
    digests = [*present, *sorted(judged.met.further), KNOWN_AT]
    fields = ", ".join(f"coalesce(CAST({name_sql(name)} AS VARCHAR), chr(30))" for name in digests)
    rows, digest_sum, newest, *filled = connection.execute(
        f"SELECT count(*), sum(CAST(md5_number_lower(concat_ws(chr(31), {fields})) AS HUGEINT)), max({KNOWN_AT}), "
        f"{counts} FROM read_parquet([{', '.join(paths)}], hive_partitioning = false)"
    ).fetchall()[0]
    held = tuple(name for name, n in zip(present, filled, strict=True) if n)
    return Measured(int(rows), int(digest_sum), newest, held)


def fingerprint(tables: Iterable[tuple[str, TableState]]) -> str:
    """Hex digest of the clean rows; the same whatever their order, the buckets, the files and the kind of source."""
    digest = hashlib.sha256()
    for name, state in sorted(tables):
        columns = [*state.present, *sorted(state.further), KNOWN_AT]
        digest.update(repr((name, columns, (state.clean, state.digest_sum if state.clean else None))).encode())
    return digest.hexdigest()


def count_rows(connection: duckdb.DuckDBPyConnection, judged: Judged) -> tuple[int, int, int]:
    """The numbers of clean, quarantined and exactly repeated rows among those judged, each counted for itself."""
    row = connection.execute(
        "SELECT count(*) FILTER (kind IS NULL AND problem IS NULL), "
        f"count(*) FILTER (kind = {text_sql(TAKEN)} OR (kind IS NULL AND problem IS NOT NULL)), "
        f"count(*) FILTER (kind = {text_sql(REPEATED)}) "
        f"FROM {judged.scan()} LEFT JOIN {judged.dropped} USING (file, row_number)"
    ).fetchone()
    clean, quarantined, duplicates = row or (0, 0, 0)
    return int(clean), int(quarantined), int(duplicates)


def latest_moment(connection: duckdb.DuckDBPyConnection, judged: Judged) -> datetime | None:
    """The newest moment of rows that a run before it would set aside as lying in its future."""
    unknown = [str(number) for number, problem in enumerate(judged.problems) if problem.kind == UNKNOWN]
    # What was found before the question of the future was asked would be found again.
    asked = " OR ".join(["problem IS NULL", *(f"problem = {number}" for number in unknown)])
    query = f"SELECT max({latest_sql(judged.table)}) FROM {judged.scan()} WHERE {asked}"
    newest: datetime | None = connection.execute(query).fetchall()[0][0]
    return newest


def write_hashes(connection: duckdb.DuckDBPyConnection, judged: Judged, path: Path) -> None:
    """Write what finds rows again that come a second time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Version 2 of Parquet keeps numbers that count up and times in a fifth of the space.
    to = f"{text_sql(str(path))} (FORMAT parquet, PARQUET_VERSION v2)"
    connection.execute(f"COPY ({hashes_select(judged)}) TO {to}")


def write_refused(connection: duckdb.DuckDBPyConnection, judged: Judged, path: Path, earlier: Path | None) -> None:
    """Write the rows set aside, those of earlier ingests included that were not judged again.

    Columns: file, row_number, kind, column, value, words (of the kind), reason (of the row), customer, waits (the
    moment from which it does not lie in the future).
    """
    table, many = judged.table, judged.met.listing.many
    key = " || ', ' || ".join(f"coalesce(CAST({typed_name(name)} AS VARCHAR), '')" for name in table.key) or "NULL"
    of_problem = {
        name: numbered_case("problem", {n: text_sql(one) for n, one in enumerate(texts)})
        for name, texts in (
            ("kind", [problem.kind for problem in judged.problems]),
            ("column", [problem.column for problem in judged.problems]),
            ("words", [problem.reason for problem in judged.problems]),
        )
    }
    taken = "'the key stands already in row ' || first_row" + (" || ' of ' || first_file" if many else "")
    listed = ", ".join(
        f"CASE WHEN kind IS NULL THEN {broken} ELSE {otherwise} END AS {name_sql(name)}"
        for name, broken, otherwise in (
            ("kind", of_problem["kind"], "kind"),
            ("column", of_problem["column"], text_sql(", ".join(table.key))),
            ("value", "value", key),
            ("words", of_problem["words"], "'the key of an earlier row, with other values'"),
            ("reason", of_problem["words"], taken),
        )
    )
    customer = typed_name("customer_id") if table.of_customer else "NULL::VARCHAR"
    rows = (
        f"SELECT file, row_number, {listed}, {customer} AS customer, waits FROM {judged.scan()} "
        f"LEFT JOIN {judged.dropped} USING (file, row_number) "
        f"WHERE kind = {text_sql(TAKEN)} OR (kind IS NULL AND problem IS NOT NULL)"
    )
    if earlier:
        rows += f" UNION ALL FROM {_refused(earlier)} ANTI JOIN {judged.retried} USING (file, row_number)"
    path.parent.mkdir(parents=True, exist_ok=True)
    connection.execute(f"COPY ({rows}) TO {text_sql(str(path))} (FORMAT parquet)")


def _refused(path: Path) -> str:
    return f"read_parquet({path_sql(path)}, hive_partitioning = false)"


def write_quarantine(connection: duckdb.DuckDBPyConnection, table: str, many: bool, refused: Path, path: Path) -> None:
    """Write what people read: table, (file,) row_number, column, value, reason; in the source's order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = ["row_number", name_sql("column"), "value", "reason"]
    listed = ", ".join([f"{text_sql(table)} AS {name_sql('table')}", *(["file"] if many else []), *columns])
    connection.execute(
        f"COPY (SELECT {listed} FROM {_refused(refused)} ORDER BY file, row_number) "
        f"TO {text_sql(str(path))} (FORMAT parquet)"
    )


def count_reasons(connection: duckdb.DuckDBPyConnection, refused: Path, many: bool) -> tuple[Reason, ...]:
    """What is wrong with the rows set aside, the most frequent first."""
    place = "{'file': file, 'row_number': row_number}"
    rows = connection.execute(
        f'SELECT kind, "column", words, count(*), min({place}, {SHOWN_ROWS}) FROM {_refused(refused)} GROUP BY ALL'
    ).fetchall()
    reasons = [
        Reason(
            kind,
            column,
            words,
            int(count),
            tuple(one["row_number"] for one in first),
            tuple(one["file"] for one in first) if many else (),
        )
        for kind, column, words, count, first in rows
    ]
    return tuple(sorted(reasons, key=lambda reason: (-reason.rows, reason.kind, reason.column, reason.words)))


def earliest_wait(connection: duckdb.DuckDBPyConnection, refused: Path) -> datetime | None:
    """The first moment from which a row set aside does not lie in the future any more."""
    earliest: datetime | None = connection.execute(f"SELECT min(waits) FROM {_refused(refused)}").fetchall()[0][0]
    return earliest


def list_retried(
    connection: duckdb.DuckDBPyConnection, table: str, refused: Path, run_at: str, newcomers: str
) -> tuple[str, ...]:
    """List rows set aside that may be sound by now, in a temporary table; return the names of their files.

    ``newcomers`` is the SQL of accounts that were not known before.
    """
    name = retried_name(table)
    connection.execute(
        f"CREATE TEMP TABLE {name} AS SELECT file, row_number FROM {_refused(refused)} "
        f"WHERE (kind = {text_sql(FUTURE)} AND waits <= {run_at}) "
        f"OR (kind = {text_sql(UNKNOWN)} AND customer IN ({newcomers}))"
    )
    return tuple(str(file) for (file,) in connection.execute(f"SELECT DISTINCT file FROM {name} ORDER BY 1").fetchall())
