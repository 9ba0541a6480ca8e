"""Rows that repeat others: exactly, or by their key; among what is new and against all that was taken in before.

Of the rows of a folder of files, hashes and keys are remembered in ``taken/<table>/hashes-*.parquet``. A hash only
suggests: whether two rows are equal is proven on the rows themselves, for which the files of earlier ones are read
again.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import duckdb

from features.as_read import FILE, ROW, normal_names, normal_select, placed, row_hash
from features.batches import TakeAgain
from features.checks import typed_name
from features.contract import RECORDED_AT, Table
from features.judging import REPEATED, TAKEN, Judged
from features.sources import Opened
from features.sql import path_sql, text_sql

Reopen = Callable[[Sequence[str]], Iterable[Opened]]
"""Opens files of a table that were read by an earlier ingest, by their names."""


def find_duplicates(connection: duckdb.DuckDBPyConnection, judged: Judged, taken: Path, reopen: Reopen) -> None:
    """List rows that repeat another one: first exactly, then, of what is left and sound, by key.

    Of equal rows the first stays, in the order of files and rows.

    Parameters
    ----------
    taken
        The folder of what is remembered of the table.

    Raises
    ------
    TakeAgain
        Where a file that stands before earlier ones has a row of theirs: the first would then be another.
    """
    _find_repeated(connection, judged, taken, reopen)
    if judged.table.key:
        _find_taken(connection, judged, taken)


def hashes_select(judged: Judged) -> str:
    """The SQL of what is remembered of judged rows: where each stands, its hash and, where it is sound, its key."""
    columns = ["file", "row_number", "row_hash", f"{_own_time(judged.table)} AS own_time"]
    if judged.table.key:
        key = [f"CASE WHEN problem IS NULL THEN {name} END AS {name}" for name in _key_columns(judged.table)]
        columns += ["problem IS NULL AS sound", *key, *_versions(judged.table)]
    kept = f"{judged.scan()} LEFT JOIN {judged.dropped} USING (file, row_number)"
    return f"SELECT {', '.join(columns)} FROM {kept} WHERE kind IS DISTINCT FROM {text_sql(REPEATED)}"


def _find_repeated(connection: duckdb.DuckDBPyConnection, judged: Judged, taken: Path, reopen: Reopen) -> None:
    """Rows that are equal to an earlier one in every column of the source."""
    new = f"(SELECT file, row_number, row_hash FROM {judged.scan()} WHERE NOT retried)"
    repeated = f"SELECT row_hash FROM {new} GROUP BY row_hash HAVING count(*) > 1"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE suspects AS SELECT file, row_number, false AS old FROM {new} "
        f"WHERE row_hash IN ({repeated})"
    )
    earlier = _earlier(judged, taken)
    if earlier:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE met AS {_same_hash(connection, judged, earlier)}")
        connection.execute(
            f"INSERT INTO suspects SELECT file, row_number, false FROM {new} SEMI JOIN met USING (row_hash) "
            "ANTI JOIN suspects USING (file, row_number)"
        )
        connection.execute("INSERT INTO suspects SELECT DISTINCT file, row_number, true FROM met")
    if not _count(connection, "suspects"):
        return
    files = [str(file) for (file,) in connection.execute("SELECT DISTINCT file FROM suspects WHERE old").fetchall()]
    opened = [group.opened for group in judged.met.groups if not group.retried] + (list(reopen(files)) if files else [])
    columns = judged.met.columns
    rows = " UNION ALL ".join(
        f"SELECT {FILE} AS file, {ROW} AS row_number, {row_hash(one, columns)} AS row_hash, "
        f"{', '.join(normal_select(one, columns))} FROM ({placed(one, 'suspects')})"
        for one in opened
    )
    equal = f"PARTITION BY row_hash, {', '.join(normal_names(columns))} ORDER BY file, row_number"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE later AS SELECT file, row_number, old, first, old_first FROM ("
        f"SELECT file, row_number, old, first_value({_PLACE}) OVER equal AS first, first_value(old) OVER equal AS "
        f"old_first FROM ({rows}) JOIN suspects USING (file, row_number) WINDOW equal AS ({equal})) "
        f"WHERE first <> {_PLACE}"
    )
    _drop_later(connection, judged, REPEATED)


def _same_hash(connection: duckdb.DuckDBPyConnection, judged: Judged, earlier: str) -> str:
    """The SQL of earlier rows with the hash of a new one.

    Equal rows have the same own time, so that most of what is remembered need not even be read.
    """
    new = f"(SELECT row_hash, {_own_time(judged.table)} AS own_time FROM {judged.scan()} WHERE NOT retried)"
    bounds = f"SELECT min(own_time), max(own_time), count(*) FILTER (own_time IS NULL) FROM {new}"
    first, last, without = connection.execute(bounds).fetchall()[0]
    times = [f"own_time BETWEEN TIMESTAMP '{first}' AND TIMESTAMP '{last}'"] if first is not None else []
    times += ["own_time IS NULL"] if without else []
    alike = f"SELECT file, row_number, row_hash FROM {earlier} SEMI JOIN {new} AS new USING (row_hash)"
    return " UNION ALL ".join(f"{alike} WHERE {time}" for time in times or ["false"])


def _find_taken(connection: duckdb.DuckDBPyConnection, judged: Judged, taken: Path) -> None:
    """Sound rows with the key of an earlier one that are no restatement of it.

    A restatement is of the same account and was recorded at another moment. Where nothing says when a row was
    recorded, its own time counts, and of several such rows the first stays.
    """
    columns = _key_columns(judged.table)
    key = ", ".join(typed_name(name) for name in judged.table.key)
    sound = f"(SELECT * FROM {judged.kept} WHERE problem IS NULL)"
    new = f"SELECT file, row_number, {', '.join([*columns, *_versions(judged.table)])}, false AS old FROM {sound}"
    repeated = f"SELECT hash({key}) FROM {sound} GROUP BY 1 HAVING count(*) > 1"
    keyed = f"{new} WHERE hash({key}) IN ({repeated})"
    earlier = _earlier(judged, taken)
    if earlier:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE met AS SELECT DISTINCT file, row_number, {', '.join(columns)}, moment, "
            f"recorded, true AS old FROM {earlier} WHERE sound AND hash({key}) IN (SELECT hash({key}) FROM {sound})"
        )
        found = f"{repeated} UNION ALL SELECT hash({key}) FROM met"
        keyed = f"{new} WHERE hash({key}) IN ({found}) UNION ALL BY NAME FROM met"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE keyed AS {keyed}")
    if not _count(connection, "keyed"):
        return
    account = typed_name("customer_id")
    windows = {
        "same": f"PARTITION BY {key}",
        "unrecorded": f"PARTITION BY {', '.join(columns)}, recorded",
        "version": f"PARTITION BY {', '.join(columns)}, moment, stands",
    }
    first = [f"first_value({{'place': {_PLACE}, 'old': old}}) OVER {name} AS {name}" for name in windows]
    listed = [f"{name} AS ({parts} ORDER BY file, row_number)" for name, parts in windows.items()]
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE later AS SELECT file, row_number, old, first.place AS first, first.old AS "
        f"old_first FROM (SELECT *, CASE WHEN {account} IS DISTINCT FROM account THEN same "
        "WHEN NOT stands THEN unrecorded ELSE version END AS first FROM ("
        f"SELECT *, {first[2]} FROM (SELECT *, recorded OR unrecorded.place = {_PLACE} AS stands FROM ("
        f"SELECT *, first_value({account}) OVER same AS account, {first[0]}, {first[1]} FROM keyed "
        f"WINDOW {listed[0]}, {listed[1]})) WINDOW {listed[2]})) WHERE first.place <> {_PLACE}"
    )
    _drop_later(connection, judged, TAKEN)


_PLACE = "{'file': file, 'row_number': row_number}"


def _drop_later(connection: duckdb.DuckDBPyConnection, judged: Judged, kind: str) -> None:
    """Drop the new rows that have an earlier one; an old row that has a new one before it needs all read again."""
    if _count(connection, "later WHERE old AND NOT old_first"):
        raise TakeAgain(f"{judged.met.listing.label}: a new file stands before rows that it repeats", judged.table.name)
    connection.execute(
        f"INSERT INTO {judged.dropped} SELECT file, row_number, {text_sql(kind)}, first.file, first.row_number "
        "FROM later WHERE NOT old"
    )


def _count(connection: duckdb.DuckDBPyConnection, rows: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {rows}").fetchall()[0][0])


def _earlier(judged: Judged, taken: Path) -> str:
    """The SQL of what is remembered of earlier rows; empty where nothing is."""
    if judged.earlier is None or not judged.earlier.hashes:
        return ""
    listed = ", ".join(path_sql(taken / name) for name in judged.earlier.hashes)
    return f"read_parquet([{listed}], hive_partitioning = false)"


def _own_time(table: Table) -> str:
    return typed_name(table.time) if table.time else "NULL::TIMESTAMP"


def _versions(table: Table) -> list[str]:
    """The SQL of what tells versions of a row apart: when it was recorded, by default its own time; and which it is."""
    if RECORDED_AT not in table.names:
        return [f"{_own_time(table)} AS moment", "false AS recorded"]
    recorded = typed_name(RECORDED_AT)
    return [f"coalesce({recorded}, {_own_time(table)}) AS moment", f"{recorded} IS NOT NULL AS recorded"]


def _key_columns(table: Table) -> list[str]:
    """The columns that rows of one key and one account share."""
    return [typed_name(name) for name in dict.fromkeys([*table.key, "customer_id"])]
