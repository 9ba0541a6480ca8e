"""Tables met with the contract: where each column comes from, in one file and across the files of a table.

The files of a table may differ: an older export lacks a column, another writes a number as text. Each kind of file
is resolved for itself; what they have in common as one table is a :class:`Met`.
"""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from features.checks import RAGGED, Resolved
from features.contract import CONTRACT, RESERVED, Table
from features.errors import ColumnsMissing, SourceError
from features.mapping import ColumnMapping, TableMapping
from features.sources import Listing, Opened, SourceWarning


@dataclass(frozen=True)
class Group:
    """Files of one table that are read alike; ``retried`` where only rows set aside earlier are read again."""

    opened: Opened
    resolved: Resolved
    retried: bool = False


@dataclass(frozen=True)
class Met:
    """A table met with its contract, over all its files, those taken in earlier included.

    Attributes
    ----------
    columns
        The source's columns as :func:`keyed` names them, sorted: what makes rows equal.
    present
        The contract columns that the source has, in the contract's order.
    further
        Columns beyond the contract with their DuckDB types.
    """

    table: Table
    listing: Listing
    mapping: TableMapping
    groups: tuple[Group, ...]
    columns: tuple[str, ...]
    present: tuple[str, ...]
    further: Mapping[str, str]

    @property
    def rows(self) -> int:
        """The rows of the files that are read for the first time."""
        return sum(group.opened.rows for group in self.groups if not group.retried)


def keyed(types: Iterable[str]) -> dict[str, str]:
    """The source's columns by the name under which files share them: letters of either case, no outer spaces."""
    own: dict[str, str] = {}
    for name in types:
        if name != RAGGED:
            key = name.strip().casefold()
            own[key if key not in own else f"{key}\n{len(own)}"] = name
    return own


def meet(table: str, listing: Listing, mapping: TableMapping, opened: Iterable[Opened]) -> Met:
    """Resolve the files of a table and say what they are together.

    Raises
    ------
    ColumnsMissing
        For required or mapped columns that a file lacks, all files in one error.
    SourceError
        For a further column that bears a reserved name.
    """
    groups, missing = [], []
    for one in opened:
        try:
            groups.append(Group(one, resolve(one)))
        except ColumnsMissing as error:
            missing.append(str(error))
    if missing:
        raise ColumnsMissing(" ".join(missing))
    contract = CONTRACT[table]
    columns = {key for group in groups for key in keyed(group.opened.types)}
    present = tuple(name for name in contract.names if any(name in group.resolved.origins for group in groups))
    return Met(contract, listing, mapping, tuple(groups), tuple(sorted(columns)), present, _joint_further(groups))


def _joint_further(groups: Iterable[Group]) -> dict[str, str]:
    """The further columns of all files; text where the files do not agree on a type."""
    joint: dict[str, str] = {}
    for group in groups:
        spelt = {name.casefold(): name for name in joint}
        for name, source in group.resolved.further.items():
            kept = spelt.get(name.casefold(), name)
            kind = group.opened.types[source]
            joint[kept] = kind if joint.get(kept, kind) == kind else "VARCHAR"
    return joint


def resolve(opened: Opened) -> Resolved:
    """Meet a table with its contract: which columns are there and where each comes from.

    Raises
    ------
    ColumnsMissing
        For required or mapped columns that are not in the source, all of them at once.
    SourceError
        For a further column that bears a reserved name.
    """
    contract = CONTRACT[opened.table]
    own = {name.strip().casefold(): name for name in reversed(opened.found)}
    origins: dict[str, ColumnMapping] = {}
    absent: list[str] = []
    for name in _wanted(opened):
        origin = opened.mapping.origin(name)
        read = [own.get(column.strip().casefold()) for column in origin.source_columns]
        if None not in read:
            origins[name] = _renamed(origin, own)
        elif name in opened.mapping.columns:
            absent += [column for column in origin.source_columns if column.strip().casefold() not in own]
        elif name in contract.required:
            absent.append(name)
    absent += [name for name in opened.mapping.require if name not in opened.types]
    if absent:
        raise ColumnsMissing(_missing_words(opened, list(dict.fromkeys(absent))))
    further = _further(opened, origins)
    known = {name: origin for name, origin in origins.items() if name in contract.names}
    return Resolved(contract, opened.mapping, opened.types, known, further)


def _wanted(opened: Opened) -> list[str]:
    """Contract columns and, where the contract keeps them, further columns that the mapping names."""
    names = list(CONTRACT[opened.table].names)
    return names + [name for name in opened.mapping.columns if name not in names]


def _renamed(origin: ColumnMapping, own: Mapping[str, str]) -> ColumnMapping:
    """The origin with the source's own spelling of its columns."""
    sign = origin.negative_when
    return origin.model_copy(
        update={
            "column": None if origin.column is None else own[origin.column.strip().casefold()],
            "multiply": tuple(own[name.strip().casefold()] for name in origin.multiply),
            "negative_when": sign and sign.model_copy(update={"column": own[sign.column.strip().casefold()]}),
        }
    )


def _further(opened: Opened, origins: Mapping[str, ColumnMapping]) -> dict[str, str]:
    """Columns beyond the contract, where the table keeps them: all that nothing else has used."""
    contract = CONTRACT[opened.table]
    used = {name for origin in origins.values() for name in origin.source_columns}
    if not contract.further:
        _warn_of_near_misses(opened, used, [name for name in contract.names if name not in origins])
        return {}
    named = {name: str(origin.column) for name, origin in origins.items() if name not in contract.names}
    own = {name: name for name in opened.found if name not in used and name.casefold() not in contract.names}
    taken = [name for name in {**own, **named} if name.casefold() in RESERVED]
    if taken:
        raise SourceError(f"{opened.label}: the columns {taken} bear names that are taken. Rename them there.")
    return {**own, **named}


def _warn_of_near_misses(opened: Opened, used: set[str], absent: list[str]) -> None:
    """Say of unused columns that look like a misspelt one of the contract."""
    near = {}
    for name in opened.found:
        if name not in used and (close := get_close_matches(name.strip().casefold(), absent, 1, 0.85)):
            near[name] = close[0]
    if near:
        meant = ", ".join(f"{name!r} (is it {column!r}?)" for name, column in near.items())
        where = f"[sources.{opened.table}.columns] in kizashi.toml"
        warnings.warn(f"{opened.label}: not used: {meant}. Rename or map under {where}.", SourceWarning, stacklevel=2)


def _missing_words(opened: Opened, absent: list[str]) -> str:
    are = "1 column is" if len(absent) == 1 else f"{len(absent)} columns are"
    return (
        f"{opened.label}: {are} missing: {absent}. Found: {opened.found}. "
        f"Rename them, or map them under [sources.{opened.table}] in kizashi.toml."
    )
