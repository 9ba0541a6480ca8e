"""The shape of the input contract: what a table and a column can say of themselves.

Kept apart from ``contract.py``, which fills this shape, so that each stays short enough to be read at once.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ColumnType = Literal["id", "text", "timestamp", "money", "number", "integer", "share", "boolean"]

SQL_TYPES: dict[str, str] = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "money": "DECIMAL(18,4)",
    "number": "DECIMAL(18,4)",
    "integer": "BIGINT",
    "share": "DOUBLE",
    "boolean": "BOOLEAN",
}
"""How each type of the contract is stored in the clean events."""

RECORDED_AT = "recorded_at"
KNOWN_AT = "known_at"
RESERVED = (KNOWN_AT, "bucket")
"""Names that the clean events need for themselves; no further column may bear them."""

ALWAYS_KNOWN = datetime(1900, 1, 1)  # noqa: DTZ001 - clean events are naive, in the project's zone
"""The ``known_at`` of a row that has no time of its own, such as an account: before every snapshot."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    ``later`` names, for a fact that comes after the row itself, the column that says when it became known:
    the column itself for ``replied_at``, ``answered_at`` for ``accepted``. ``values`` is the closed list of
    an enumeration; ``values_where`` closes a free column for some rows only, as (column, its value, allowed
    values).
    """

    name: str
    type: ColumnType
    meaning: str
    required: bool = False
    unit: str = ""
    values: tuple[str, ...] = ()
    later: str | None = None
    lowest: float | None = None
    highest: float | None = None
    pattern: str = ""
    values_where: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    @property
    def sql_type(self) -> str:
        """The DuckDB type of the column in the clean events."""
        return SQL_TYPES[self.type]


@dataclass(frozen=True)
class Table:
    """One table of the contract.

    ``key`` holds the columns that no two rows may share, or nothing where a row has no key of its own.
    ``time`` is the row's own time. ``published`` is a column that says when the world could first know, the
    default of ``recorded_at``. ``planned`` says that the own time may lie ahead (a milestone, a holiday):
    such a row is no mistake, it is simply not yet known.
    """

    name: str
    row: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    time: str | None = None
    published: str | None = None
    planned: bool = False
    further: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in the contract's order."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that every row must fill."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def of_customer(self) -> bool:
        """Whether its rows belong to one account each, and so to one bucket."""
        return "customer_id" in self.names

    def column(self, name: str) -> Column:
        """The column of that name; ``KeyError`` where the contract has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name!r}")
