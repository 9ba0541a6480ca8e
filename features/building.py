"""From the declared features to columns: every feature of every customer at many cutoffs, one pass per source.

Within a bucket each relation is aggregated once for all cutoffs and features; arithmetic runs over the joined
aggregates. Only what compares customers is left for :mod:`features.peers`, a second small pass over the snapshots.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import duckdb
import pandas as pd

from features import cutoffs, registry
from features.errors import FeatureError
from features.options import Value, resolved, set_options
from features.registry import Feature, dependencies
from features.relations import PREPARATIONS, RELATIONS
from features.sql import one_line

Present = Mapping[str, Collection[str]]

#: Columns of the frame that are no features: who and when, and the segment that peers are taken from.
KEYS = ("customer_id", "as_of", "segment")

#: Filtered aggregates in one query: DuckDB slices all arguments of all aggregates once for each filter, so that the
#: time grows with the square of their number.
FILTERS = 24


def build(
    con: duckdb.DuckDBPyConnection,
    as_ofs: Sequence[date],
    present: Present,
    *,
    starts: pd.DataFrame | None = None,
    options: Mapping[str, Value] | None = None,
    only: Collection[str] | None = None,
) -> pd.DataFrame:
    """Every feature of one bucket that needs no other bucket.

    Parameters
    ----------
    con
        A connection on which :func:`features.cutoffs.lay_out_time` has run.
    as_ofs
        The cutoffs.
    present
        For each table that the source has, the columns that it fills. A feature whose table is absent has no column;
        one that needs an absent column is NaN throughout.
    starts
        What :func:`features.cutoffs.source_starts` says of all buckets together; by default of this one.
    options
        Values of :mod:`features.options`; by default their defaults.
    only
        Names of the features that are wanted; by default all.

    Returns
    -------
    DataFrame
        ``customer_id`` (str), ``as_of`` (datetime64), ``segment`` (str, missing where unknown) and one float64 column
        per feature, ordered by (as_of, customer_id).
    """
    values = resolved({}) if options is None else options
    set_options(con, values)
    cutoffs.set_cutoffs(con, as_ofs)
    cutoffs.set_accounts(con, str(values["segment"]))
    _set_source_days(con, starts)
    features = [one for one in registry.available(present, only) if one.over not in ("segment", "peers")]
    read = {RELATIONS[one.over].sql for one in features if one.over in RELATIONS}
    for table, prepare in PREPARATIONS.items():
        if any(table in sql for sql in read):
            prepare(con, values)
    used = _aggregate(con, features, present)
    _join(con, features, used, present)
    try:
        frame = con.execute(f"SELECT * FROM ({_wide(features, present)}) ORDER BY as_of, customer_id").df()
    except (duckdb.ProgrammingError, duckdb.ConversionException) as error:
        raise _culprit_among(con, features, present, error) from None
    con.execute("DROP TABLE joined")
    frame[["customer_id", "segment"]] = frame[["customer_id", "segment"]].astype("str")  # empty ones come as objects
    frame["as_of"] = frame["as_of"].astype("datetime64[s]")
    for one in features:
        if one.compute:
            try:
                frame[one.name] = one.compute(frame).astype("float64")
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                words = f"feature {one.name}: {type(error).__name__}: {one_line(error)}"
                raise FeatureError(f"{words} - in its function; does it name in `reads` what it reads?") from error
    kept = (one.name for one in features if not one.internal and (only is None or one.name in only))
    return frame[[*KEYS, *kept]]


def _set_source_days(con: duckdb.DuckDBPyConnection, starts: pd.DataFrame | None) -> None:
    """Make ``source_days``: per cutoff, the days since each table was known to begin, NULL where it had not begun."""
    if starts is not None:
        con.register("all_starts", starts)
    known = cutoffs.source_starts() if starts is None else "SELECT * FROM all_starts"
    days = ", ".join(
        f"as_of - CAST(min(day) FILTER (source = '{name}') AS DATE) AS days_of_{name}" for name in cutoffs.EVENT_TABLES
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE source_days AS SELECT as_of, {days} FROM cutoffs "
        f"LEFT JOIN ({known}) ON visible_from <= as_of GROUP BY as_of"
    )


def lacks(one: Feature, present: Present) -> bool:
    """Whether an optional column that the feature needs is not there."""
    needs = [column.split(".", 1) for column in one.needs]
    return any(column not in present.get(table, ()) for table, column in needs)


def _aggregate(con: duckdb.DuckDBPyConnection, features: Sequence[Feature], present: Present) -> list[str]:
    """Aggregate each relation that is read into tables ``built_<name>``; returns the names."""
    built = []
    for over in dict.fromkeys(one.over for one in features if one.over in RELATIONS):
        own = [one for one in features if one.over == over]
        parts, rows = _in_parts(own, present), f"({RELATIONS[over].sql})"
        try:
            if len(parts) > 1:
                con.execute(f"CREATE OR REPLACE TEMP TABLE relation_rows AS FROM {rows}")
                rows = "relation_rows"
            for number, columns in enumerate(parts, 1):
                built.append(f"{over}_{number}" if number > 1 else over)
                query = f"SELECT as_of, customer_id, {', '.join(columns)} FROM {rows} GROUP BY as_of, customer_id"
                con.execute(f"CREATE OR REPLACE TEMP TABLE built_{built[-1]} AS {query}")
        except (duckdb.ProgrammingError, duckdb.ConversionException) as error:
            raise _culprit(con, own, error) from None
        con.execute("DROP TABLE IF EXISTS relation_rows")
    return built


def _in_parts(features: Sequence[Feature], present: Present) -> list[list[str]]:
    """The columns of a relation's features, in parts of few filters each."""
    parts: list[list[str]] = [[]]
    filters = 0
    for one in features:
        expression = "NULL" if lacks(one, present) else one.expression
        filters += expression.count("FILTER")
        if filters > FILTERS and parts[-1]:
            parts.append([])
            filters = expression.count("FILTER")
        parts[-1].append(f"CAST({expression} AS DOUBLE) AS {one.name}")
    return parts


def _culprit(con: duckdb.DuckDBPyConnection, features: Sequence[Feature], error: duckdb.Error) -> Exception:
    """The error of the one aggregate that fails by itself; where none does, the error as it was."""
    for one in features:
        relation = RELATIONS[one.over].sql
        try:
            con.execute(f"SELECT CAST({one.expression} AS DOUBLE) FROM ({relation}) GROUP BY as_of, customer_id")
        except duckdb.Error as found:
            return FeatureError(f"feature {one.name}: {one_line(found)} - in its SQL: {one.expression}")
    return error


def _culprit_among(
    con: duckdb.DuckDBPyConnection, features: Sequence[Feature], present: Present, error: Exception
) -> Exception:
    """The error of the first arithmetic feature with which the columns cannot be computed any more."""
    for n, one in enumerate(features):
        if one.over == "features":
            try:
                con.execute(f"SELECT count(*) FROM ({_wide(features[: n + 1], present)}) WHERE {one.name} = 0")
            except duckdb.Error as found:
                return FeatureError(f"feature {one.name}: {one_line(found)} - in its SQL: {one.expression}")
    return error


def _join(con: duckdb.DuckDBPyConnection, features: Sequence[Feature], used: Sequence[str], present: Present) -> None:
    """Make the table ``joined``: one row per (cutoff, customer known by then) with all aggregates.

    It is kept apart from the arithmetic because planning and running both at once takes twice as long.
    """
    joins = " ".join(f"LEFT JOIN built_{over} USING (as_of, customer_id)" for over in used if over != "order_days")
    columns = ", ".join(_held(one, present) for one in features if one.over in RELATIONS)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE joined AS "
        f"SELECT as_of, customer_id, accounts.segment, source_days.* EXCLUDE (as_of), {columns} FROM built_order_days "
        f"{joins} LEFT JOIN accounts USING (as_of, customer_id) JOIN source_days USING (as_of)"
    )
    for name in used:
        con.execute(f"DROP TABLE built_{name}")


def _wide(features: Sequence[Feature], present: Present) -> str:
    """SQL of the joined aggregates with the arithmetic over them."""
    query = "SELECT * FROM joined"
    absent = {name for one in features for name in one.optional} - {one.name for one in features}
    if absent:
        query = f"SELECT *, {', '.join(f'NULL::DOUBLE AS {name}' for name in sorted(absent))} FROM ({query})"
    for level in in_steps([one for one in features if one.over == "features"]):
        added = ", ".join(f"CAST({_or_null(one, present)} AS DOUBLE) AS {one.name}" for one in level)
        query = f"SELECT *, {added} FROM ({query})"
    return query


def _held(one: Feature, present: Present) -> str:
    """An aggregate as the snapshot holds it: `empty` where the customer has no row of a source that is in use."""
    if one.empty is None or lacks(one, present):
        return one.name
    begun = [f"days_of_{table} IS NOT NULL" for table in one.sources if table in cutoffs.EVENT_TABLES]
    value = f"coalesce({one.name}, {one.empty})"
    return f"CASE WHEN {' AND '.join(begun)} THEN {value} END AS {one.name}" if begun else f"{value} AS {one.name}"


def _or_null(one: Feature, present: Present) -> str:
    return "NULL" if lacks(one, present) else one.expression


def in_steps(derived: Sequence[Feature]) -> list[list[Feature]]:
    """Derived features in groups, each of which reads only aggregates and earlier groups."""
    depth: dict[str, int] = {}
    for one in derived:  # registered after what they read
        depth[one.name] = 1 + max((depth[name] for name in dependencies(one) if name in depth), default=-1)
    groups: list[list[Feature]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for one in derived:
        groups[depth[one.name]].append(one)
    return groups
