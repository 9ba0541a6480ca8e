"""The contract compiled to SQL: typed columns, and the problems that send a row to quarantine.

Every contract column becomes two expressions over the source's columns: its typed value, and the text that a
person finds in the source. A problem is a condition with a column, a kind and words; the first that holds is
the row's.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from features.contract import ALWAYS_KNOWN, RECORDED_AT, Column, Table
from features.mapping import ColumnMapping, TableMapping
from features.sql import name_sql, text_sql

RAGGED = "kizashi: fields of a torn row"
"""Column that a staged CSV file carries where rows have another number of fields than the header."""

HOME = name_sql("kizashi: home")
"""Identifier of the bucket of a known account, in the table ``accounts`` that rows are joined with."""

UNKNOWN = "unknown_customer"
FUTURE = "in_the_future"
"""Kinds of problems that time may mend: the account becomes known, the moment comes."""

_SPACE = "chr(32) || chr(9) || chr(10) || chr(13) || chr(160) || chr(12288)"
_PADDED = r"^[\s\x{A0}\x{3000}]|[\s\x{A0}\x{3000}]$"
_DAY = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}"
_CLOCK = r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
_ZONE = r" ?(Z|UTC|[+-]\d{2}(:?\d{2})?)"
_EARLIEST_EVENT = "TIMESTAMP '1970-01-01'"
_CHECKS = {
    "nonzero": ("= 0", "must not be 0"),
    "positive": ("<= 0", "must be above 0"),
    "not_negative": ("< 0", "must not be below 0"),
}
_DATE_WORDS = "not a date such as 2024-01-31 or 2024-01-31T09:30:00+09:00"


@dataclass(frozen=True)
class Problem:
    """One way in which a row can break the contract: where, of what kind, in words; and the SQL of it."""

    column: str
    kind: str
    reason: str
    condition: str
    value: str


@dataclass(frozen=True)
class Resolved:
    """A contract table met with a source: which columns are there, where they come from, of which type.

    ``types`` maps the source's columns to DuckDB types; ``origins`` the contract's columns to the source's;
    ``further`` maps names beyond the contract to the source's columns.
    """

    table: Table
    mapping: TableMapping
    types: Mapping[str, str]
    origins: Mapping[str, ColumnMapping]
    further: Mapping[str, str]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The contract columns that the source has."""
        return tuple(column for column in self.table.columns if column.name in self.origins)


def typed_select(resolved: Resolved, timezone: str) -> list[str]:
    """The select list of the clean columns: every contract column, the further ones, ``known_at``."""
    listed = []
    for column in resolved.table.columns:
        origin = resolved.origins.get(column.name)
        typed = _typed(column, origin, resolved.types, timezone) if origin else f"NULL::{column.sql_type}"
        listed.append(f"{typed} AS {typed_name(column.name)}")
    listed += [f"{name_sql(source)} AS {typed_name(name)}" for name, source in resolved.further.items()]
    return listed


def typed_name(name: str) -> str:
    """The identifier of a typed column beside the source's own."""
    return name_sql("clean " + name)


def known_at_sql(resolved: Resolved) -> str:
    """When a row became known: its own time, or later where it was recorded later; else always."""
    table = resolved.table
    times = (table.time, RECORDED_AT, table.published) if table.time else (None, None, None)
    own, recorded, published = (typed_name(name) if name else "NULL" for name in times)
    return f"coalesce(greatest({own}, coalesce({recorded}, {published})), TIMESTAMP '{ALWAYS_KNOWN}')"


def find_problems(resolved: Resolved, run_at: str, *, known_customers: bool) -> Iterator[Problem]:
    """Every problem to look for in a table, the one to report first coming first.

    ``run_at`` is an SQL timestamp in the project's zone. ``known_customers`` says that the rows are joined
    with ``accounts``, the clean customers.
    """
    if RAGGED in resolved.types:
        ragged = name_sql(RAGGED)
        yield Problem(
            "",
            "ragged_row",
            "not as many fields as the header",
            f"{ragged} IS NOT NULL",
            f"left({ragged}, 500)",
        )
    for column in resolved.columns:
        yield from _missing(column, resolved)
    for name, check in resolved.mapping.require.items():
        comparison, words = _CHECKS[check]
        number = f"try_cast({_present(name, resolved.types)} AS DOUBLE)"
        wrong = f"NOT coalesce(isfinite({number}) AND NOT {number} {comparison}, false)"
        yield Problem(name, "mapping_check", words, wrong, f"CAST({name_sql(name)} AS VARCHAR)")
    for column in resolved.columns:
        yield from _broken(column, resolved)
    yield from _future(resolved, run_at)
    if known_customers:
        value = typed_name("customer_id")
        unknown = f"{value} IS NOT NULL AND {HOME} IS NULL"
        yield Problem("customer_id", UNKNOWN, "not in customers", unknown, value)


def _present(name: str, types: Mapping[str, str]) -> str:
    """A source column, NULL where it holds nothing but spaces."""
    column = name_sql(name)
    if types[name] != "VARCHAR":
        return column
    # Few values are padded, and looking is three times cheaper than trimming.
    padded = f"regexp_matches({column}, '{_PADDED}')"
    return f"nullif(CASE WHEN {padded} THEN trim({column}, {_SPACE}) ELSE {column} END, '')"


def _whole(expression: str, source_type: str) -> str:
    """Text of a value; a whole number that came as a float loses its point: 13085.0 is 13085."""
    if source_type in ("DOUBLE", "FLOAT"):
        whole = f"{expression} = trunc({expression}) AND abs({expression}) < 9e15"
        integer, other = f"CAST(CAST({expression} AS BIGINT) AS VARCHAR)", f"CAST({expression} AS VARCHAR)"
        return f"CASE WHEN {whole} THEN {integer} WHEN isfinite({expression}) THEN {other} END"
    if source_type == "VARCHAR" or source_type.startswith("DECIMAL"):
        text = f"CAST({expression} AS VARCHAR)"
        whole = f"regexp_replace({text}, '^(-?[0-9]+)\\.0+$', '\\1')"
        return f"CASE WHEN contains({text}, '.0') THEN {whole} ELSE {text} END"
    return f"CAST({expression} AS VARCHAR)"


def _signed(expression: str, origin: ColumnMapping, types: Mapping[str, str]) -> str:
    """An amount with the sign that the mapping asks for."""
    rule = origin.negative_when
    if rule is None:
        return expression
    text = _whole(_present(rule.column, types), types[rule.column])
    begins = f"starts_with({text}, {text_sql(rule.starts_with)})"
    return f"CASE WHEN {begins} THEN -abs({expression}) ELSE {expression} END"


def _number(column: Column, origin: ColumnMapping, types: Mapping[str, str]) -> str:
    if origin.multiply:
        # Wide enough for any two factors: an overflow would stop the run instead of marking the row.
        product, *others = (f"try_cast({_present(name, types)} AS DECIMAL(18,6))" for name in origin.multiply)
        for other in others:
            product = f"(CAST(try_cast({product} AS DECIMAL(18,6)) AS DECIMAL(38,6)) * {other})"
        value = f"try_cast({product} AS {column.sql_type})"
    else:
        value = f"try_cast({_origin_text(origin, types)} AS {column.sql_type})"
    if column.sql_type == "DOUBLE":
        value = f"CASE WHEN isfinite({value}) THEN {value} END"
    return _signed(value, origin, types)


def _origin_text(origin: ColumnMapping, types: Mapping[str, str]) -> str:
    """The one source value behind a column that is not a product."""
    if origin.value is not None:
        return text_sql(origin.value)
    return _present(origin.source_columns[0], types)


def _timestamp(origin: ColumnMapping, types: Mapping[str, str], timezone: str) -> str:
    value = _origin_text(origin, types)
    source_type = "VARCHAR" if origin.column is None else types[origin.column]
    zone = text_sql(timezone)
    if source_type == "TIMESTAMP WITH TIME ZONE":
        moment = f"timezone({zone}, {value})"
    elif source_type == "DATE" or source_type.startswith("TIMESTAMP"):
        moment = f"CAST({value} AS TIMESTAMP)"
    elif source_type != "VARCHAR":
        return "NULL::TIMESTAMP"
    elif origin.format:
        moment = f"try_strptime({value}, {text_sql(origin.format)})"
    else:
        plain = f"regexp_full_match({value}, '{_DAY}([T ]{_CLOCK})?')"
        zoned = f"regexp_full_match({value}, '{_DAY}[T ]{_CLOCK}{_ZONE}')"
        moment = (
            f"CASE WHEN {plain} THEN try_cast({value} AS TIMESTAMP)"
            f" WHEN {zoned} THEN timezone({zone}, try_cast({value} AS TIMESTAMPTZ)) END"
        )
    in_range = f"{moment} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
    return f"CASE WHEN {in_range} THEN {moment} END"


def _typed(column: Column, origin: ColumnMapping, types: Mapping[str, str], timezone: str) -> str:
    if column.type == "timestamp":
        return _timestamp(origin, types, timezone)
    if column.type in ("money", "number", "integer", "share"):
        return _number(column, origin, types)
    value = _origin_text(origin, types)
    source_type = "VARCHAR" if origin.column is None else types[origin.column]
    if column.type == "boolean":
        return f"try_cast({_whole(value, source_type)} AS BOOLEAN)"
    if column.type == "text" and source_type == "VARCHAR" and not column.pattern:
        return value
    return _whole(value, source_type)


def _as_read(origin: ColumnMapping) -> str:
    """What stands in the source, as text, for the quarantine table."""
    if origin.value is not None:
        return text_sql(origin.value)
    names = origin.multiply or origin.source_columns[:1]
    return " || ' x ' || ".join(f"coalesce(CAST({name_sql(name)} AS VARCHAR), '')" for name in names)


def _absent(column: Column, origin: ColumnMapping, types: Mapping[str, str]) -> str:
    """The condition that nothing stands in the source for this column."""
    if origin.value is not None:
        return "false"
    if column.type in ("id", "text"):
        return f"{typed_name(column.name)} IS NULL"
    names = origin.multiply or origin.source_columns[:1]
    return "(" + " OR ".join(f"{_present(name, types)} IS NULL" for name in names) + ")"


def _missing(column: Column, resolved: Resolved) -> Iterator[Problem]:
    if column.required:
        origin = resolved.origins[column.name]
        value = "NULL" if not origin.multiply else _as_read(origin)
        yield Problem(column.name, "missing", "missing", _absent(column, origin, resolved.types), value)


def _broken(column: Column, resolved: Resolved) -> Iterator[Problem]:
    """Values that stand in the source but are not what the contract says."""
    origin, types = resolved.origins[column.name], resolved.types
    typed, value = typed_name(column.name), _as_read(origin)
    unread = f"{typed} IS NULL AND NOT {_absent(column, origin, types)}"

    def problem(kind: str, reason: str, condition: str) -> Problem:
        return Problem(column.name, kind, reason, condition, value)

    if column.type == "timestamp":
        yield problem("not_a_date", _DATE_WORDS, unread)
    if column.type == "boolean":
        yield problem("not_true_or_false", "neither true nor false", unread)
    if column.type in ("money", "number", "integer", "share"):
        yield from _no_number(problem, unread, origin, types)
    if column.values:
        listed = ", ".join(text_sql(one) for one in column.values)
        yield problem("unknown_value", f"not one of {', '.join(column.values)}", f"{typed} NOT IN ({listed})")
    if column.pattern:
        wrong = f"NOT regexp_full_match({typed}, {text_sql(column.pattern)})"
        yield problem("unknown_value", "not a list of months such as 10 or 3,9", wrong)
    if column.lowest is not None:
        outside = f"{typed} NOT BETWEEN {column.lowest} AND {column.highest}"
        yield problem("out_of_range", f"not between {column.lowest:g} and {column.highest:g}", outside)
    for other, of_value, values in column.values_where:
        listed = ", ".join(text_sql(one) for one in values)
        condition = f"{typed_name(other)} = {text_sql(of_value)} AND {typed} NOT IN ({listed})"
        yield problem("unknown_value", f"{of_value}: not one of {', '.join(values)}", condition)


def _no_number(
    problem: Callable[[str, str, str], Problem], unread: str, origin: ColumnMapping, types: Mapping[str, str]
) -> Iterator[Problem]:
    """Tell text from NaN, infinity and numbers too large to keep."""
    names = origin.multiply or origin.source_columns[:1]
    values = [f"try_cast({_present(name, types)} AS DOUBLE)" for name in names]
    if origin.value is not None:
        values = [f"try_cast({text_sql(origin.value)} AS DOUBLE)"]
    no_text = " OR ".join(f"{value} IS NULL" for value in values)
    infinite = " OR ".join(f"NOT isfinite({value})" for value in values)
    yield problem("not_a_number", "not a number", f"{unread} AND ({no_text})")
    yield problem("not_finite", "NaN or infinite", f"{unread} AND ({infinite})")
    yield problem("out_of_range", "too large to be true", unread)


def _future(resolved: Resolved, run_at: str) -> Iterator[Problem]:
    """Events after the moment of the run, and events older than any ledger."""
    table = resolved.table
    for name in (table.time, RECORDED_AT):
        if name is None or name not in resolved.origins:
            continue
        value = _as_read(resolved.origins[name])
        if name == RECORDED_AT or not table.planned:
            condition = f"{typed_name(name)} > {run_at}"
            yield Problem(name, FUTURE, "after the moment of the run", condition, value)
        if name == table.time:
            condition = f"{typed_name(name)} < {_EARLIEST_EVENT}"
            yield Problem(name, "out_of_range", "before 1970", condition, value)
