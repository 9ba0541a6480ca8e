"""Rows as they stand in the source: what makes two of them equal, across files of other types.

A daily export writes a column as whole numbers today and, because one value is missing, as floats tomorrow; it
leaves an empty column out. Rows are therefore compared in a normal form, by the names of their columns: a number
without superfluous zeros, a date as its midnight, a column that a file lacks as missing. Text is compared as it is.
"""

from collections.abc import Iterator, Sequence

from features.checks import RAGGED
from features.resolving import keyed
from features.sources import Opened
from features.sql import name_sql, path_sql

FILE = name_sql("kizashi: file")
ROW = name_sql("kizashi: row")
"""Identifiers that no column of a source bears: a row's file and its number there."""

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_WHOLE = frozenset((*_INTEGERS, *(f"U{kind}" for kind in _INTEGERS)))
_FLOATS = frozenset(("DOUBLE", "FLOAT"))


def row_hash(opened: Opened, columns: Sequence[str]) -> str:
    """The SQL of a hash of a row of these files over the columns of all files: equal rows have equal hashes."""
    own = keyed(opened.types)
    terms = [_hashed(own[key], opened.types[own[key]]) if key in own else "NULL" for key in columns]
    return f"hash({', '.join([*terms, _torn(opened)])})"


def normal_select(opened: Opened, columns: Sequence[str]) -> list[str]:
    """The select list of a row's columns in normal form, named as :func:`normal_names` says."""
    own = keyed(opened.types)
    forms = [_normal(own[key], opened.types[own[key]]) if key in own else "NULL::VARCHAR" for key in columns]
    return [f"{form} AS {name}" for form, name in zip([*forms, _torn(opened)], normal_names(columns), strict=True)]


def normal_names(columns: Sequence[str]) -> list[str]:
    """Identifiers of the columns of :func:`normal_select`."""
    return [name_sql(f"as read {number}") for number in range(len(columns) + 1)]


def _torn(opened: Opened) -> str:
    return name_sql(RAGGED) if RAGGED in opened.types else "NULL::VARCHAR"


def _hashed(name: str, kind: str) -> str:
    """What is hashed of a value: cheaper than its normal form, and equal where that is."""
    value = name_sql(name)
    if kind in _WHOLE | _FLOATS or kind.startswith("DECIMAL"):
        return f"(CAST({value} AS DOUBLE) + 0.0)"
    if kind == "DATE" or (kind.startswith("TIMESTAMP") and kind != "TIMESTAMP WITH TIME ZONE"):
        return f"try_cast({value} AS TIMESTAMP)"
    return value if kind in ("VARCHAR", "BOOLEAN", "TIMESTAMP WITH TIME ZONE") else f"CAST({value} AS VARCHAR)"


def _normal(name: str, kind: str) -> str:
    value = name_sql(name)
    text = f"CAST({value} AS VARCHAR)"
    if kind in _FLOATS:
        whole = f"{value} = trunc({value}) AND abs({value}) < 9e15"
        return f"CASE WHEN {whole} THEN CAST(CAST({value} AS BIGINT) AS VARCHAR) ELSE {text} END"
    if kind.startswith("DECIMAL"):
        trimmed = f"rtrim(rtrim({text}, '0'), '.')"
        return f"CASE WHEN contains({text}, '.') THEN {trimmed} ELSE {text} END"
    if kind == "DATE" or (kind.startswith("TIMESTAMP") and kind != "TIMESTAMP WITH TIME ZONE"):
        return f"coalesce(CAST(try_cast({value} AS TIMESTAMP) AS VARCHAR), {text})"
    return value if kind == "VARCHAR" else text


def placed(opened: Opened, confined_to: str = "") -> str:
    """The SQL of the source's rows with :data:`FILE` and :data:`ROW`, their place there counted from 1.

    ``confined_to`` names a table of ``file`` and ``row_number``: only the rows that it lists.
    """
    rows = f"SELECT *, {opened.file} AS {FILE}, file_row_number + 1 AS {ROW} FROM {opened.scan}"
    if not confined_to:
        return rows
    return f"SELECT * FROM ({rows}) SEMI JOIN {confined_to} AS kept ON kept.file = {FILE} AND kept.row_number = {ROW}"


def readings(opened: Opened) -> Iterator[tuple[str, str]]:
    """For each file its name and the SQL that reads every value in it."""
    columns = ", ".join(name_sql(name) for name in opened.types)
    for path in opened.paths:
        yield path.name, f"SELECT max(hash({columns})) FROM read_parquet({path_sql(path)}, hive_partitioning = false)"
