"""Rows that break the contract, on demand: what a door that lets nothing bad in is tested with.

A dirty row is a copy of a sound one in which one thing is wrong. It stands in the file beside the sound rows, so that
a company with dirty rows is otherwise the very same. Text in a column of dates fits no typed column: a table with
dirty rows is text throughout, and written as CSV.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from features.contract import CONTRACT, RECORDED_AT, Column, Table
from features.errors import SettingsError
from features.simulate.arrays import Integers, Span
from features.simulate.recording import Stream

MOST = 0.5  # of the rows of a table: beyond that nobody would call it that company's data
COLUMNS = ("table", "row_number", "copy_of", "customer_id", "column", "kind", "value")
NO_DATES = ("2025-02-30", "31.12.2024", "soon", "20241231 10h")
NO_NUMBERS = ("n/a", "1.234,50", "twelve")
INFINITE = ("NaN", "inf", "-inf")
TOO_LARGE = "1e18"
TOO_OLD = "1900-01-01"  # what systems write for no date
YEARS_AHEAD = 60  # a century mistyped: in the future of any run
NO_VALUES = ("unlisted", "?")
NO_BOOLEANS = ("perhaps", "2.5")
NO_MONTHS = "13"


@dataclass(frozen=True)
class Flaw:
    """One way in which a row can break the contract; the kind and the column are those that a quarantine names.

    `texts` are what stands there instead. `where` (a column and its value) says in which rows it is wrong.
    """

    column: str
    kind: str
    texts: tuple[str, ...]
    where: tuple[str, str] | None = None


def pick_dirty_rows(tables: Mapping[str, pd.DataFrame], share: float, span: Span, stream: Stream) -> pd.DataFrame:
    """The dirty rows of all tables, as the truth keeps them.

    Parameters
    ----------
    tables
        The sound tables as they are handed over.
    share
        Of the rows of each file (0 to 0.5), rounded down; the kinds of flaw take turns.

    Returns
    -------
    One row per dirty row: `table`; `row_number` (from 1) in the file and `copy_of`, the number of the sound row that
    it repeats among the sound rows; `customer_id` of that row (missing where the table has none); `column` and `kind`
    of the flaw, and the `value` that stands there (missing for a duplicate key, where more than one column counts).

    Raises
    ------
    SettingsError
        For a share out of range.
    """
    if not 0 <= share <= MOST:
        raise SettingsError(f"simulate: expected dirty from 0 to {MOST}, found {share}. Give a share such as 0.01.")
    parts = [
        _pick(CONTRACT[name], rows, share, list(_flaws(CONTRACT[name], rows, span, "customers" in tables)), stream)
        for name, rows in tables.items()
    ]
    return pd.concat(parts, ignore_index=True)


def with_dirty_rows(name: str, rows: pd.DataFrame, dirty: pd.DataFrame) -> pd.DataFrame:
    """A table as text, its dirty rows (those of `pick_dirty_rows`) at their places."""
    mine = dirty[dirty["table"] == name].sort_values("row_number")
    added = mine["row_number"].to_numpy() - 1
    order = np.empty(len(rows) + len(mine), dtype=np.int64)
    is_added = np.zeros(len(order), dtype=bool)
    is_added[added] = True
    order[is_added] = np.arange(len(mine)) + len(rows)
    order[~is_added] = np.arange(len(rows))
    both = pd.concat([as_text(rows), _broken(CONTRACT[name], rows, mine)], ignore_index=True)
    return both.iloc[order].reset_index(drop=True)


def as_text(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with every value as text; missing values stay missing."""
    table = pa.Table.from_pandas(rows, preserve_index=False)
    return pd.DataFrame({name: _text(table.column(name)).to_pandas() for name in table.column_names}, dtype="str")


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(values.type):
        try:
            values = values.cast(pa.timestamp("s"))
        except pa.ArrowInvalid:  # there are fractions of a second, which are shown then
            return values.cast(pa.string())
    return values.cast(pa.string())


def _flaws(table: Table, rows: pd.DataFrame, span: Span, customers_known: bool) -> Iterator[Flaw]:
    """Every way in which a row with these columns can be wrong."""
    for column in table.columns:
        if column.name in rows:
            yield from _flaws_of(column)
    ahead = f"{span.start.astype('datetime64[Y]').astype(int) + 1970 + span.days // 365 + YEARS_AHEAD}-10-01"
    for name in (table.time, RECORDED_AT):
        if name is not None and name in rows and (name == RECORDED_AT or not table.planned):
            yield Flaw(name, "in_the_future", (ahead,))
    if table.time is not None:
        yield Flaw(table.time, "out_of_range", (TOO_OLD,))
    if customers_known and table.of_customer and table.name != "customers":
        yield Flaw("customer_id", "unknown_customer", ("X00000", "unknown"))
    if table.key:
        yield Flaw(", ".join(table.key), "duplicate_key", ())


def _flaws_of(column: Column) -> Iterator[Flaw]:
    """Every way in which a value of a column can be wrong by itself."""
    if column.required:
        yield Flaw(column.name, "missing", ("", "  "))
    if column.type == "timestamp":
        yield Flaw(column.name, "not_a_date", NO_DATES)
    if column.type == "boolean":
        yield Flaw(column.name, "not_true_or_false", NO_BOOLEANS)
    if column.type in ("money", "number", "integer", "share"):
        yield Flaw(column.name, "not_a_number", NO_NUMBERS)
        yield Flaw(column.name, "not_finite", INFINITE)
        beyond = TOO_LARGE if column.highest is None else f"{column.highest + 1:g}"
        yield Flaw(column.name, "out_of_range", (beyond,))
    if column.values:
        yield Flaw(column.name, "unknown_value", NO_VALUES)
    if column.pattern:
        yield Flaw(column.name, "unknown_value", (NO_MONTHS,))
    for other, value, _ in column.values_where:
        yield Flaw(column.name, "unknown_value", NO_VALUES, where=(other, value))


def _pick(table: Table, rows: pd.DataFrame, share: float, flaws: list[Flaw], stream: Stream) -> pd.DataFrame:
    """The dirty rows of one table: each flaw in its turn, each copy of another row, each at a place of its own."""
    rng = stream(f"dirty {table.name}")
    flaws = [flaws[number] for number in rng.permutation(len(flaws))]
    source, flaw = _sources(rows, flaws, int(share * len(rows) / (1 - share)), rng)
    texts = [flaws[number].texts or (None,) for number in flaw]
    chosen = rng.random(len(source))
    picked = pd.DataFrame(
        {
            "table": table.name,
            "row_number": 0,
            "copy_of": source + 1,
            "customer_id": rows["customer_id"].to_numpy()[source] if table.of_customer else None,
            "column": [flaws[number].column for number in flaw],
            "kind": [flaws[number].kind for number in flaw],
            "value": [words[int(part * len(words))] for words, part in zip(texts, chosen, strict=True)],
        }
    ).astype(dict.fromkeys(("table", "customer_id", "column", "kind", "value"), "str"))
    # Two rows that are wrong in the same way must differ elsewhere: else one of them is an exact duplicate.
    picked = picked[~_broken(table, rows, picked).duplicated().to_numpy()].reset_index(drop=True)
    return picked.assign(row_number=_places(picked, len(rows), rng))


def _sources(rows: pd.DataFrame, flaws: list[Flaw], count: int, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Which rows are copied, and by number what is wrong with each copy; no row is copied twice."""
    free = rng.permutation(len(rows))
    source, flaw = [], []
    for number, one in enumerate(flaws):
        wanted = len(range(number, count, len(flaws)))
        fits = np.ones(len(free), dtype=bool)
        if one.where:
            fits = (rows[one.where[0]] == one.where[1]).to_numpy(dtype=bool)[free]
        taken = np.flatnonzero(fits)[:wanted]
        source.append(free[taken])
        flaw.append(np.full(len(taken), number))
        free = np.delete(free, taken)
    return np.concatenate(source), np.concatenate(flaw)


def _broken(table: Table, rows: pd.DataFrame, picked: pd.DataFrame) -> pd.DataFrame:
    """The dirty rows themselves as text, in the order of `picked`."""
    copies = as_text(rows.iloc[picked["copy_of"].to_numpy() - 1].reset_index(drop=True))
    for column in table.columns:
        here = ((picked["column"] == column.name) & (picked["kind"] != "duplicate_key")).to_numpy()
        if here.any():
            copies.loc[here, column.name] = picked.loc[here, "value"].to_numpy()
    again = (picked["kind"] == "duplicate_key").to_numpy()
    free = [one.name for one in table.columns if one.type == "text" and not one.values and one.name in copies]
    if again.any() and free:
        copies.loc[again, free[0]] = copies.loc[again, free[0]].fillna("") + " (2)"
    elif again.any():
        # At another time of day, yet recorded when the first was: one recorded later would be a restatement.
        copies.loc[again, table.time] = copies.loc[again, table.time].str[:10] + " 23:59:59"
    return copies


def _places(picked: pd.DataFrame, sound: int, rng: np.random.Generator) -> Integers:
    """Row numbers in the file, anywhere; a second row of a key comes after the first."""
    after = np.where(picked["kind"] == "duplicate_key", picked["copy_of"], 0)
    place = after + rng.random(len(picked)) * (sound - after)
    order = np.argsort(np.concatenate([np.arange(sound), place]), kind="stable")
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order)) + 1
    return number[sound:]
