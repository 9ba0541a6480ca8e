"""How a source's own tables and columns become those of the contract: a small language of plain data.

A mapping is written as data (``[sources.transactions]`` in the settings, or a ready layout) and never as SQL.
It can say four things of a contract column: take this source column, take this constant, multiply these
columns, make it negative where another column begins so. ``require`` adds checks on source columns; rows that
break one are quarantined. A contract column that no mapping speaks of is taken under its own name where the
source has it.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.contract import CONTRACT
from features.errors import SettingsError

Check = Literal["nonzero", "positive", "not_negative"]

LAYOUTS = Path(__file__).parent / "layouts"


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NegativeWhen(_Plain):
    """The rows whose value is negative whatever the sign in the file, such as credit notes."""

    column: str
    starts_with: Annotated[str, Field(min_length=1)]


class ColumnMapping(_Plain):
    """Where one contract column comes from: exactly one of ``column``, ``value``, ``multiply``.

    ``format`` reads a date that is not written year first, in the percent codes of ``strptime``.
    """

    column: str | None = None
    value: str | None = None
    multiply: tuple[str, ...] = ()
    negative_when: NegativeWhen | None = None
    format: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        """A bare name stands for the column of that name."""
        return {"column": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_origin(self) -> "ColumnMapping":
        if sum((self.column is not None, self.value is not None, bool(self.multiply))) != 1:
            raise ValueError("give exactly one of `column`, `value`, `multiply`")
        if len(self.multiply) == 1:
            raise ValueError("`multiply` takes two columns or more")
        if self.negative_when and self.value is not None:
            raise ValueError("`negative_when` goes with `column` or `multiply`")
        if self.format and self.column is None:
            raise ValueError("`format` goes with `column`")
        return self

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The source columns that it reads."""
        sign = (self.negative_when.column,) if self.negative_when else ()
        return (*((self.column,) if self.column is not None else ()), *self.multiply, *sign)


class _TableText(_Plain):
    """The shape of ``[sources.<table>]``."""

    file: str | None = None
    table: str | None = None
    encoding: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    max_quarantine_share: Annotated[float, Field(ge=0, le=1, strict=False)] | None = None
    columns: dict[str, ColumnMapping] = {}
    require: dict[str, Check] = {}


@dataclass(frozen=True)
class TableMapping:
    """One contract table's place in the source and the origin of its columns.

    Parameters
    ----------
    table
        Name of the contract table.
    file
        Glob of the file's name in the folder, letters of either case; default: the table's name.
    source_table
        Name of the table or view in a database, with its schema if need be; default: the table's name.
    encoding, delimiter
        Of a CSV file; default: UTF-8, and the separator that stands most often in the header.
    max_quarantine_share
        Largest share of rows (0 to 1) that may be quarantined; default: that of the run.
    columns
        Contract column to its origin.
    require
        Source column to the check that its rows must pass.
    """

    table: str
    file: str | None = None
    source_table: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    max_quarantine_share: float | None = None
    columns: Mapping[str, ColumnMapping] = field(default_factory=lambda: MappingProxyType({}))
    require: Mapping[str, Check] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def from_dict(cls, table: str, data: Mapping[str, Any]) -> "TableMapping":
        """Check ``[sources.<table>]`` and return it as a mapping.

        Raises
        ------
        SettingsError
            For a table or column that the contract does not know, or a word that the language does not have.
        """
        place = f"[sources.{table}]"
        if table not in CONTRACT:
            raise SettingsError(f"{place}: there is no table {table!r}. Known: {sorted(CONTRACT)}.")
        try:
            text = _TableText.model_validate(_tuples(data))
        except ValidationError as error:
            raise SettingsError(
                f"{place}: {_in_words(error)}. See docs/contract.md for what a mapping can say."
            ) from None
        contract = CONTRACT[table]
        unknown = sorted(set(text.columns) - set(contract.names))
        if unknown and not contract.further:
            raise SettingsError(f"{place}: the contract has no column {unknown}. Known: {list(contract.names)}.")
        renamed = {name: origin for name, origin in text.columns.items() if name in unknown}
        if any(origin.column is None for origin in renamed.values()):
            raise SettingsError(f"{place}: {unknown} are beyond the contract and can only be taken as they are.")
        _check_kinds(place, table, text)
        return cls(
            table=table,
            file=text.file,
            source_table=text.table,
            encoding=text.encoding,
            delimiter=text.delimiter,
            max_quarantine_share=text.max_quarantine_share,
            columns=MappingProxyType(text.columns),
            require=MappingProxyType(dict(text.require)),
        )

    def matches(self, file_name: str) -> bool:
        """Whether a file of that name in the folder is this table's."""
        stem = file_name.rsplit(".", 1)[0]
        wanted = (self.file or self.table).casefold()
        return fnmatchcase(file_name.casefold(), wanted) or fnmatchcase(stem.casefold(), wanted)

    def origin(self, column: str) -> ColumnMapping:
        """Where a contract column comes from: as mapped, else the source column of its own name."""
        return self.columns.get(column) or ColumnMapping(column=column)


def mappings_from_dict(data: Mapping[str, Mapping[str, Any]]) -> dict[str, TableMapping]:
    """The mappings of a whole ``[sources]`` section, by contract table."""
    return {table: TableMapping.from_dict(table, one) for table, one in data.items()}


def layout_names() -> tuple[str, ...]:
    """The ready layouts that come with the programme."""
    return tuple(sorted(path.stem for path in LAYOUTS.glob("*.toml")))


def load_layout(name: str) -> dict[str, TableMapping]:
    """The mappings of a ready layout, by contract table.

    Raises
    ------
    SettingsError
        Where no layout of that name comes with the programme.
    """
    if name not in layout_names():
        raise SettingsError(f"There is no layout {name!r}. Known: {', '.join(layout_names())}.")
    text = (LAYOUTS / f"{name}.toml").read_text(encoding="utf-8")
    return mappings_from_dict(tomllib.loads(text)["sources"])


def _tuples(value: Any) -> Any:
    """Lists as tuples, which frozen records want."""
    if isinstance(value, Mapping):
        return {key: _tuples(one) for key, one in value.items()}
    return tuple(value) if isinstance(value, list) else value


def _in_words(error: ValidationError) -> str:
    """All problems of a section in one line, each with its place."""
    problems: dict[str, str] = {}
    for one in error.errors(include_url=False):
        place = ".".join(str(part) for part in one["loc"])
        words = one["msg"].removeprefix("Value error, ")
        problems[place] = f"`{place}`: {words}" if place else words
    return "; ".join(problems.values())


def _check_kinds(place: str, table: str, text: _TableText) -> None:
    """Refuse arithmetic on columns that are no numbers and formats on columns that are no dates."""
    known = {column.name: column.type for column in CONTRACT[table].columns}
    for name, origin in text.columns.items():
        numeric = known.get(name) in ("money", "number", "integer", "share")
        if (origin.multiply or origin.negative_when) and not numeric:
            raise SettingsError(f"{place}: `{name}` is no number: `multiply` and `negative_when` cannot make it.")
        if origin.format and known.get(name) != "timestamp":
            raise SettingsError(f"{place}: `{name}` is no date: `format` cannot read it.")
