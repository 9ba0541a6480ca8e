"""From what happened to what the company hands over: late entries, an extract at one midnight, rows sent twice.

Nothing here knows a table by its meaning: times, keys and later facts are read off the contract. Each step of each
table draws from a stream of its own, so that no step changes what another one, or another table, is made of.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.contract import CONTRACT, RECORDED_AT, REQUIRED_TABLE, Column, Table
from features.errors import SettingsError
from features.simulate.arrays import Booleans, Span
from features.simulate.presets import Preset

LATE_DAYS = (1, 12)  # from an event to a late entry, first and last possible
BACKDATED = 0.1  # of the late entries: made at the end of a month, under the date of the event
BACKDATED_DAYS = (22, 29)  # waited before that end of a month, which makes 20 to 60 days in all
TOGETHER = {"transactions": "order_id"}  # what is entered at one time: all lines of an order
MASTER_TABLES = ("customers", "contacts")  # kept in one place, so that no row of them is sent twice
# What stands in a later fact before it is known, where that is not simply nothing.
BEFORE = {("quotes", "status"): "open", ("partnerships", "status"): "planned", ("finances", "disputed"): False}

Stream = Callable[[str], np.random.Generator]


def recorded(
    tables: Mapping[str, pd.DataFrame], preset: Preset, span: Span, stream: Stream, *, without: Sequence[str] = ()
) -> dict[str, pd.DataFrame]:
    """The tables as they are extracted at the midnight that ends the history.

    Parameters
    ----------
    tables
        By name of the contract, with every row that is ever entered and every fact that ever comes.
    stream
        Gives the random numbers of a part of the world by its name.
    without
        Tables that this company does not have.

    Returns
    -------
    The tables in the order given. `Preset.late_rows` of the rows of each event table are entered `LATE_DAYS` after
    the event, and `BACKDATED` of these at the end of a later month; rows that are entered later than that anyway keep
    their time, and the lines of an order share theirs. Rows entered after the extract are absent, and what became
    known of a row only after it is missing (a quotation is open, a milestone planned, an invoice not disputed).
    `Preset.duplicates` of the rows come twice, the second time anywhere in the file, but for `MASTER_TABLES`.
    """
    handed_over = {}
    for name, rows in tables.items():
        if name not in without:
            handed_over[name] = _handed_over(CONTRACT[name], rows, preset, span, stream)
    return handed_over


def check_without(without: Sequence[str], drawn: Sequence[str]) -> None:
    """Refuse to leave out a table that is not drawn, or the one that no company lacks.

    Raises
    ------
    SettingsError
        In one line, for the first such name.
    """
    for name in without:
        if name == REQUIRED_TABLE:
            raise SettingsError(f"simulate: without {name} nothing can be said of a customer. Leave out other tables.")
        if name not in drawn:
            known = ", ".join(table for table in drawn if table != REQUIRED_TABLE)
            raise SettingsError(f"simulate: expected to leave out one of {known}; found {name!r}. Name a table.")


def _handed_over(table: Table, rows: pd.DataFrame, preset: Preset, span: Span, stream: Stream) -> pd.DataFrame:
    rows = rows.astype(dict.fromkeys(rows.select_dtypes("datetime"), "datetime64[us]"))
    if table.time is None:
        return rows
    rows = _entered(table, rows, preset.late_rows, stream(f"late {table.name}"))
    rows = as_extracted(table, rows, span)
    if table.name in MASTER_TABLES:
        return rows
    return _some_twice(rows, preset.duplicates, stream(f"twice {table.name}"))


def _entered(table: Table, rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """The rows with the time of their entry, some of them late."""
    happened = rows[table.time].to_numpy(dtype="datetime64[us]")
    together = TOGETHER.get(table.name)
    group = pd.factorize(rows[together])[0] if together else np.arange(len(rows))
    count = int(group.max(initial=-1)) + 1
    late = (rng.random(count) < share)[group]
    by_month_end = (rng.random(count) < BACKDATED)[group]
    days = rng.integers(LATE_DAYS[0], LATE_DAYS[1] + 1, count)[group].astype("timedelta64[D]")
    waited = rng.integers(BACKDATED_DAYS[0], BACKDATED_DAYS[1] + 1, count)[group].astype("timedelta64[D]")
    entered = np.where(by_month_end, _month_end(happened + waited), happened + days)
    at_first = _first_entry(table, rows)
    # A row without a time of its own (NaT) is neither late nor early.
    return rows.assign(**{RECORDED_AT: np.where(late & (entered > at_first), entered, at_first)})


def _first_entry(table: Table, rows: pd.DataFrame) -> npt.NDArray[np.datetime64]:
    """When each row is entered if nobody is late: as drawn, else when it was published, else at its own time."""
    entered = rows[table.time]
    for name in (table.published, RECORDED_AT):
        if name is not None and name in rows:
            entered = rows[name].fillna(entered)
    return entered.to_numpy(dtype="datetime64[us]")


def _month_end(moments: npt.NDArray[np.datetime64]) -> npt.NDArray[np.datetime64]:
    """The last working day of the month of each moment, at the same time of day."""
    day = moments.astype("datetime64[D]")
    last = (day.astype("datetime64[M]") + 1).astype("datetime64[D]") - 1
    known = ~np.isnat(last)
    working = last.copy()
    working[known] = np.busday_offset(last[known], 0, roll="backward")
    return working + (moments - day)


def as_extracted(table: Table, rows: pd.DataFrame, span: Span) -> pd.DataFrame:
    """What an extract at the midnight that ends the history shows of rows with a time of their own."""
    end = span.dates(np.array([span.days]))[0]
    clocks = [RECORDED_AT, table.published] + ([] if table.planned else [table.time])
    to_come = np.zeros(len(rows), dtype=bool)
    for name in clocks:
        if name is not None and name in rows:
            to_come |= rows[name].to_numpy(dtype="datetime64[us]") >= end
    seen = rows[~to_come].reset_index(drop=True)
    later = [column for column in table.columns if column.later and column.name in seen]
    unknown = {column: _known_at(table, column, seen) >= end for column in later}
    before = {column.name: _before(table, column, seen[column.name], unknown[column]) for column in later}
    return seen.assign(**before)


def _known_at(table: Table, column: Column, rows: pd.DataFrame) -> npt.NDArray[np.datetime64]:
    """When a later fact of each row became known: at the time given for it, else at the row's own."""
    own = rows[table.time].to_numpy(dtype="datetime64[us]")
    if column.later not in rows:
        return own
    at = rows[column.later].to_numpy(dtype="datetime64[us]")
    return at if column.later == column.name else np.where(np.isnat(at), own, at)


def _before(table: Table, column: Column, values: pd.Series, unknown: Booleans) -> pd.Series:
    """The values of a later fact, those not yet known as they were before."""
    place = (table.name, column.name)
    if place in BEFORE:
        return values.mask(unknown, BEFORE[place])
    # Types that know a missing value, whether or not one is missing this time.
    wider: Any = {"b": "boolean", "i": "Int64"}.get(values.dtype.kind)
    return values.astype(wider).mask(unknown) if wider else values.mask(unknown)


def _some_twice(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """The rows, some of them once more, anywhere among the others."""
    again = np.flatnonzero(rng.random(len(rows)) < share)
    place = np.concatenate([np.arange(len(rows)), rng.random(len(again)) * len(rows)])
    number = np.concatenate([np.arange(len(rows)), again])
    return rows.iloc[number[np.argsort(place, kind="stable")]].reset_index(drop=True)
