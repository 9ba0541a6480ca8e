"""What compares customers: levels of a segment at a date, and each customer against them.

Everything else about a customer comes from its own bucket. This is the second, small pass: one aggregate over the
eligible snapshots of all buckets per (date, segment), and arithmetic that puts it beside each row.
"""

from collections.abc import Mapping, Sequence

import duckdb
import pandas as pd

from features import registry
from features.building import Present, in_steps, lacks
from features.errors import FeatureError
from features.options import Value, option, resolved, set_options
from features.registry import Feature
from features.sql import one_line, quiet_connection

SHRINK = option(
    "segment_shrink_customers",
    20,
    "A segment of n customers counts n / (n + this), all customers the rest.",
    "customers",
)

#: Levels that are taken in one query: DuckDB keeps all values of each median.
AT_ONCE = 24

#: The usual long gap of the cohort, which short histories are pulled towards; a part of every market level.
USUAL_GAP = "usual_gap_q90_days"


def needed(present: Present) -> tuple[str, ...]:
    """Columns of the first pass that the second one reads."""
    _, over_segment, beside = _second(present)
    names = {name for one in (*over_segment, *beside) for name in registry.dependencies(one)}
    own = {one.name for one in (*over_segment, *beside)}
    return tuple(sorted({"gap_q90_days_ever", *names} - own))


def market_levels(rows: str, con: duckdb.DuckDBPyConnection, present: Present) -> pd.DataFrame:
    """Levels of every segment and of all customers at every date.

    Parameters
    ----------
    rows
        SQL of the snapshots of all buckets: `as_of`, `segment`, `cohort` and the columns of :func:`needed`.

    Returns
    -------
    DataFrame
        ``as_of``, ``segment`` (missing for all customers together), ``customers`` (int64, the eligible ones),
        :data:`USUAL_GAP` and one float64 column per feature over ``segment``.
    """
    _, over_segment, _ = _second(present)
    parts = [over_segment[start : start + AT_ONCE] for start in range(0, len(over_segment), AT_ONCE)] or [[]]
    first, *others = (_levels_of(rows, con, some) for some in parts)
    for other in others:
        first = first.merge(other.drop(columns=["customers", USUAL_GAP]), on=["as_of", "segment"], how="left")
    return first.astype({"segment": "str"})


def _levels_of(rows: str, con: duckdb.DuckDBPyConnection, features: Sequence[Feature]) -> pd.DataFrame:
    columns = "".join(f", CAST({one.expression} AS DOUBLE) AS {one.name}" for one in features)
    levels = _run(
        con,
        f"SELECT as_of, segment, grouping(segment) = 1 AS of_all, count(*) AS customers, "
        f"median(gap_q90_days_ever) AS {USUAL_GAP}{columns} FROM ({rows}) WHERE cohort = 'eligible' "
        "GROUP BY GROUPING SETS ((as_of), (as_of, segment)) ORDER BY ALL",
    )
    kept = levels["of_all"] | levels["segment"].notna()  # customers without a segment are compared with all
    return levels[kept].drop(columns="of_all").reset_index(drop=True)


def with_peers(
    frame: pd.DataFrame, levels: pd.DataFrame, present: Present, options: Mapping[str, Value] | None = None
) -> pd.DataFrame:
    """The snapshots with all features of the second pass.

    Parameters
    ----------
    frame
        Snapshots of some customers: `as_of`, `segment` and the columns of :func:`needed`.
    levels
        Of :func:`market_levels`, over all customers.
    present, options
        As for :func:`features.building.build`.
    """
    shown, over_segment, beside = _second(present)
    if not shown:
        return frame
    read = [name for name in needed(present) if name in frame.columns]
    names = [one.name for one in over_segment]
    absent = {name for one in beside for name in one.optional} - {one.name for one in registry.available(present)}
    with quiet_connection() as con:
        set_options(con, resolved({}) if options is None else options)
        con.register("frame", frame[["as_of", "segment", *read]].assign(row=range(len(frame))))
        con.register("levels", levels.assign(as_of=levels["as_of"].astype("datetime64[s]")))
        shrunk = "".join(f", {_shrunk(name)} AS {name}" for name in names)
        query = (
            f"SELECT f.*{shrunk} FROM frame f "
            "LEFT JOIN (SELECT * FROM levels WHERE segment IS NULL) a ON a.as_of = f.as_of "
            "LEFT JOIN (SELECT * FROM levels WHERE segment IS NOT NULL) s "
            "ON s.as_of = f.as_of AND s.segment = f.segment"
        )
        if absent:
            query = f"SELECT *, {', '.join(f'NULL::DOUBLE AS {name}' for name in sorted(absent))} FROM ({query})"
        for group in in_steps(beside):
            added = ", ".join(
                f"CAST({'NULL' if lacks(one, present) else one.expression} AS DOUBLE) AS {one.name}" for one in group
            )
            query = f"SELECT *, {added} FROM ({query})"
        listed = ", ".join(one.name for one in shown)
        found = _run(con, f"SELECT {listed} FROM ({query}) ORDER BY row")
    # One block instead of one per column: pandas calls a frame of many blocks fragmented at the next new column.
    held = pd.DataFrame(found.to_numpy(dtype="float64"), index=frame.index, columns=found.columns)
    return pd.concat([frame, held], axis=1)


def _run(con: duckdb.DuckDBPyConnection, query: str) -> pd.DataFrame:
    try:
        return con.execute(query).df()
    except (duckdb.ProgrammingError, duckdb.ConversionException) as error:
        raise FeatureError(f"a feature over `segment` or `peers` cannot be computed: {one_line(error)}") from None


def _shrunk(name: str) -> str:
    """SQL of a segment's level pulled towards that of all customers."""
    weight = f"(coalesce(s.customers, 0) / (coalesce(s.customers, 0) + {SHRINK}))"
    return f"CASE WHEN s.{name} IS NULL THEN a.{name} ELSE {weight} * s.{name} + (1 - {weight}) * a.{name} END"


def _second(present: Present) -> tuple[list[Feature], list[Feature], list[Feature]]:
    """Features of the second pass: those that are shown, those over a segment, those beside it."""
    over_segment: list[Feature] = []
    beside: list[Feature] = []
    for one in registry.available(present):
        if one.over == "segment":
            over_segment.append(one)
        elif one.over == "peers":
            beside.append(one)
    shown: Sequence[Feature] = [one for one in (*over_segment, *beside) if not one.internal]
    return list(shown), over_segment, beside
