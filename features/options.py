"""Numbers that a feature needs and a company may want otherwise: declared beside the feature, set in one place.

A feature says ``SMALL_INVOICE = option("small_invoice", 500, "Amount below which an invoice is small.", "money")`` and
writes the returned SQL into its expression. The value is a variable of the connection, so that the same expression
runs with every company's own value.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from features.errors import SettingsError
from features.sql import text_sql

Value = bool | int | float | str | tuple[str, ...]


@dataclass(frozen=True)
class Option:
    """One number, text or list of texts with its default and its meaning."""

    name: str
    default: Value
    meaning: str
    unit: str = ""


OPTIONS: dict[str, Option] = {}


def option(name: str, default: Value, meaning: str, unit: str = "") -> str:
    """Declare an option and return the SQL of its value.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    if name in OPTIONS:
        raise ValueError(f"option {name} is declared twice")
    OPTIONS[name] = Option(name, default, meaning, unit)
    return f"getvariable({text_sql(name)})"


def resolved(given: Mapping[str, object]) -> dict[str, Value]:
    """Every option's value: the given one where there is one, else the default.

    Raises
    ------
    SettingsError
        If a name is unknown or a value is not of its default's kind.
    """
    from features import shipped

    shipped.load()
    unknown = sorted(set(given) - set(OPTIONS))
    if unknown:
        raise SettingsError(
            f"features.options: there are no options {unknown}. `kizashi features --options` lists them all."
        )
    return {name: _kept(known, given[name]) if name in given else known.default for name, known in OPTIONS.items()}


def _kept(known: Option, value: object) -> Value:
    if isinstance(known.default, tuple):
        if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
            return tuple(value)
        wanted = "a list of texts"
    elif isinstance(known.default, bool):
        if isinstance(value, bool):
            return value
        wanted = "true or false"
    elif isinstance(known.default, str):
        if isinstance(value, str):
            return value
        wanted = "a text"
    else:
        if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
            return value
        wanted = "a number"
    raise SettingsError(f"features.options.{known.name} = {value!r}: expected {wanted}, such as {known.default!r}.")


def set_options(con: duckdb.DuckDBPyConnection, values: Mapping[str, Value]) -> None:
    """Make the values visible to the expressions that run on a connection."""
    for name, value in values.items():
        con.execute(f"SET VARIABLE {name} = {_literal(value)}")


def _literal(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(text_sql(one) for one in value)}]::VARCHAR[]"
    return (
        text_sql(value) if isinstance(value, str) else repr(value).lower() if isinstance(value, bool) else repr(value)
    )
