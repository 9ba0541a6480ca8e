"""Customers as they would stand under other circumstances, through the very code that makes the real snapshots.

A variant is a copy of a customer's rows of which some are not there, or some more are: what became known later is left
out ("only time has passed"), a part of it is let in again ("only the complaint is new"), an order is added, an invoice
paid. :class:`Variants` are clean events like any other, made of such copies, so that whatever reads events reads them.

What became known when is told in days: the day of a row, or of a later fact on one (a reply, a payment), is the first
cutoff that sees it, the rule of :mod:`features.cutoffs`. A row that was recorded with its facts tells all of them on
its own day.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from features import cutoffs
from features.buckets import Events, bucket_sql
from features.contract import ALWAYS_KNOWN, CONTRACT, KNOWN_AT, RECORDED_AT, REQUIRED_TABLE, Table
from features.errors import SettingsError
from features.narrowing import narrow
from features.sql import name_sql, quiet_connection

_OF_CUSTOMER = tuple(table for table in CONTRACT.values() if table.of_customer)
_OF_ALL = tuple(table for table in CONTRACT.values() if not table.of_customer)
_EVENTS = tuple(table for table in _OF_CUSTOMER if table.time)
#: The first cutoff that sees a row.
_VISIBLE_FROM = f"CAST({KNOWN_AT} AS DATE) + 1"
#: Which variant a copied row belongs to; no further column of `customers` bears this name.
_PLACE = name_sql("kizashi: variant")


@dataclass(frozen=True)
class Variant:
    """One customer under other circumstances.

    Attributes
    ----------
    name
        The ``customer_id`` under which it comes out.
    customer_id
        The customer that it is a copy of.
    unseen_from
        What this cutoff does not see yet is not there: rows, and later facts on rows. None: everything is there.
    seen
        But for this: pairs of a table and a day of :func:`new_facts`, whose rows and later facts are there all the
        same.
    added
        Rows that are put in, whatever is unseen: a table and values by column. Missing columns are empty, missing ids
        made up; a row is known from its own time, or from its ``recorded_at`` where that is later.
    set_facts
        Values put into rows that are there, with all their versions: a table, what finds the rows (values by column,
        all of which match) and the values by column. A later fact needs its time, too: no cutoff sees it before.

    Raises
    ------
    ValueError
        For a table that is not about one customer, or to which nothing can be added.
    """

    name: str
    customer_id: str
    unseen_from: date | None = None
    seen: frozenset[tuple[str, date]] = frozenset()
    added: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    set_facts: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would be without effect."""
        timed = {table.name for table in _EVENTS}
        strange = {name for name, _ in (*self.seen, *self.added)} - timed
        strange |= {name for name, _, _ in self.set_facts} - {table.name for table in _OF_CUSTOMER}
        if strange:
            raise ValueError(
                f"variant {self.name!r}: these tables have no rows of its own to change: {sorted(strange)}"
            )


@dataclass(frozen=True, eq=False)
class Variants(Events):
    """Clean events of variants of some customers, in one bucket; made by :func:`variants`, held in memory.

    Ids that no two rows of a table share (``invoice_id``, ``ticket_id``, ...) begin with the variant's name and a
    slash, so that two copies of a row are not taken for versions of each other. ``parent_id`` is still the real
    account. Absences and market events are the company's, whatever a variant has not seen, and so is where each source
    begins. ``fingerprint`` and ``data_end`` are those of the real events.

    What compares customers with each other compares the variants, where it is not told otherwise: give the real
    :class:`features.population.Population` to :func:`features.passes.take_parts`. Of
    :func:`features.contact_curve.contact_periods`, ``begun_days`` is to be taken from the real ones.

    Attributes
    ----------
    rows
        By table, its rows.
    begun
        What :func:`features.snapshots.all_starts` says of the whole company.
    """

    rows: Mapping[str, pa.Table] = field(default_factory=dict, repr=False)
    begun: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)

    def connect(self, bucket: int) -> duckdb.DuckDBPyConnection:
        """Return a new in-memory connection with the contract tables of all variants."""
        if bucket != 0:
            raise ValueError(f"bucket {bucket}: variants have only bucket 0")
        connection = quiet_connection()
        for table in CONTRACT.values():
            connection.register("variants_held", self.rows[table.name])
            connection.execute(
                f"CREATE TABLE {table.name} AS SELECT {_typed(self, table)}, {KNOWN_AT} FROM variants_held r"
            )
            connection.unregister("variants_held")
        return connection

    def starts(self, bucket: int) -> pd.DataFrame:  # noqa: ARG002
        """Where each source begins for the whole company."""
        return self.begun


def variants(events: Events, chosen: Sequence[Variant], starts: pd.DataFrame, known_on: date | None = None) -> Variants:
    """Events of these variants, read once from wherever their customers lie.

    Parameters
    ----------
    starts
        What :func:`features.snapshots.all_starts` says of `events`, the whole company.
    known_on
        Of absences and market events what this cutoff does not see is not there; by default everything is.

    Raises
    ------
    SettingsError
        If a customer is not known.
    ValueError
        If there is no variant or two bear the same name; for rows added to a table that the source lacks, or without
        what every row must fill; for facts of rows that are not there, or that say whose or when a row is.
    """
    names = [one.name for one in chosen]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"variants need names of their own, at least one; found {names}")
    copies: dict[str, list[pa.Table]] = {table.name: [] for table in _OF_CUSTOMER}
    rows: dict[str, pa.Table] = {}
    seen = "true" if known_on is None else f"{_VISIBLE_FROM} <= DATE '{known_on.isoformat()}'"
    for con in _visited(events, {one.customer_id for one in chosen}):
        for table in _OF_CUSTOMER:
            copies[table.name].append(_copied(con, events, table, chosen))
        for table in _OF_ALL:
            known = f"SELECT {_listed(events, table)}, {KNOWN_AT} FROM {table.name} r WHERE {seen}"
            rows[table.name] = con.sql(known).to_arrow_table()
    with quiet_connection() as con:
        for table in _OF_CUSTOMER:
            rows[table.name] = _changed(con, events, table, chosen, pa.concat_tables(copies[table.name]))
    return Variants(
        folder=events.folder,
        buckets=1,
        columns=events.columns,
        data_end=events.data_end,
        fingerprint=events.fingerprint,
        further=events.further,
        further_types=events.further_types,
        sizes={name: rows[name].num_rows for name in events.sizes},
        rows=rows,
        begun=starts,
    )


def new_facts(events: Events, customers: Collection[str], since: date, until: date) -> pd.DataFrame:
    """What became known of customers after one cutoff and up to another, by table and day.

    Parameters
    ----------
    since, until
        Cutoffs: what the first one does not see and the second one does.

    Returns
    -------
    DataFrame
        ``customer_id`` (str), ``table`` (str), ``day`` (datetime64[s], the first cutoff that sees it) and ``rows``
        (int64): the rows that came, or on which a later fact came, on that day; a row that was restated before anybody
        saw it is none. Ordered by customer, day and table. A :class:`Variant` with ``unseen_from=since`` that has seen
        all of these is the real customer at `until`.

    Raises
    ------
    SettingsError
        If a customer is not known.
    """
    found = []
    for con in _visited(events, customers):
        narrow(con, "customer_id IN (SELECT customer_id FROM wanted)")
        cutoffs.lay_out_events(con, [table.name for table in _EVENTS if table.name in cutoffs.EVENT_TABLES])
        query = " UNION ALL ".join(map(_new_rows, _EVENTS))
        found.append(
            con.execute(
                f'SELECT customer_id, "table", day, count(*) AS rows FROM ({query}) '
                "WHERE day > ? AND day <= ? AND day < visible_until GROUP BY ALL",
                [since, until],
            ).df()
        )
    typed = {"customer_id": "str", "table": "str", "day": "datetime64[s]", "rows": "int64"}
    whole = pd.concat(found) if found else pd.DataFrame({name: [] for name in typed})
    return whole.astype(typed).sort_values(["customer_id", "day", "table"], ignore_index=True)


def _new_rows(table: Table) -> str:
    """SQL of the days on which something of a row became visible: one row each, with the end of the row's version."""
    rows = f"known_{table.name}"
    if table.name not in cutoffs.EVENT_TABLES:
        rows = f"(SELECT *, {_VISIBLE_FROM} AS visible_from, {cutoffs.FOREVER} AS visible_until FROM {table.name})"
    facts = [f"CASE WHEN {name} IS NOT NULL THEN {day} END" for name, day in _later(table, "visible_from").items()]
    days = f"unnest(list_distinct([{', '.join(['visible_from', *facts])}]))"
    return f"SELECT customer_id, '{table.name}' AS \"table\", {days} AS day, visible_until FROM {rows}"


def _later(table: Table, visible: str) -> dict[str, str]:
    """Each later fact of a table with the SQL of the first cutoff that sees it; `visible` is that of the row itself."""
    when = {
        column.name: column.later if column.later == column.name else f"coalesce({column.later}, {table.time})"
        for column in table.columns
        if column.later
    }
    return {name: f"greatest(CAST({time} AS DATE) + 1, {visible})" for name, time in when.items()}


def _visited(events: Events, customers: Collection[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to each bucket in which some of the customers lie, as ``wanted``; no more buckets than it takes."""
    left = set(customers)
    wanted = pa.table({"customer_id": pa.array(sorted(left), pa.string())})
    with quiet_connection() as con:
        con.register("wanted", wanted)
        homes = con.execute(f"SELECT DISTINCT {bucket_sql('customer_id', events.buckets)} FROM wanted").fetchall()
    # an account with a parent lies in the parent's bucket
    for bucket in sorted(range(events.buckets), key=lambda bucket: (bucket,) not in homes):
        if not left:
            return
        with events.connect(bucket) as con:
            con.register("wanted", wanted)
            known = f"SELECT customer_id FROM customers UNION ALL SELECT customer_id FROM {REQUIRED_TABLE}"
            found = con.execute(f"SELECT customer_id FROM wanted SEMI JOIN ({known}) USING (customer_id)").fetchall()
            left -= {name for (name,) in found}
            if found:
                yield con
    if left:
        raise SettingsError(f"customers {sorted(left)[:3]} are not known. Give others, or ingest the data again.")


def _listed(events: Events, table: Table, masks: Mapping[str, str] | None = None) -> str:
    """The select list of the columns of a table `r`, some of them masked."""
    given = masks or {}
    return ", ".join(f"{given.get(name, f'r.{name_sql(name)}')} AS {name_sql(name)}" for name in events.types(table))


def _typed(events: Events, table: Table) -> str:
    """The select list of a table's columns in the types of the clean events."""
    return _listed(
        events, table, {name: f"CAST(r.{name_sql(name)} AS {kind})" for name, kind in events.types(table).items()}
    )


def _copied(con: duckdb.DuckDBPyConnection, events: Events, table: Table, chosen: Sequence[Variant]) -> pa.Table:
    """A bucket's rows of a table, once for each variant of their customer, without what that has not seen."""
    days = [[day for name, day in sorted(one.seen) if name == table.name] for one in chosen]
    held = {
        "place": pa.array(range(len(chosen)), pa.int32()),
        "of_customer": pa.array([one.customer_id for one in chosen], pa.string()),
        "unseen_from": pa.array([one.unseen_from for one in chosen], pa.date32()),
        "seen_days": pa.array(days, pa.list_(pa.date32())),
    }
    con.register("variants_chosen", pa.table(held))

    def is_seen(day: str) -> str:
        return f"(v.unseen_from IS NULL OR {day} <= v.unseen_from OR list_contains(v.seen_days, {day}))"

    masks = {name: f"CASE WHEN {is_seen(day)} THEN r.{name} END" for name, day in _later(table, _VISIBLE_FROM).items()}
    return con.sql(
        f"SELECT v.place AS {_PLACE}, {_listed(events, table, masks)}, {KNOWN_AT} FROM {table.name} r JOIN "
        f"variants_chosen v ON r.customer_id = v.of_customer WHERE {is_seen(_VISIBLE_FROM) if table.time else 'true'}"
    ).to_arrow_table()


def _changed(
    con: duckdb.DuckDBPyConnection, events: Events, table: Table, chosen: Sequence[Variant], copied: pa.Table
) -> pa.Table:
    """The copies of all buckets with what is added and set, under the names of their variants."""
    con.register("variants_copied", copied)
    con.execute(
        f"CREATE TABLE {table.name} AS SELECT {_PLACE}, {_typed(events, table)}, {KNOWN_AT} FROM variants_copied r"
    )
    for place, one in enumerate(chosen):
        rows = [row for name, row in one.added if name == table.name]
        for number, row in enumerate(rows):
            _add(con, events, table, place, {**_made_up(table, number), **row})
        for name, found_by, values in one.set_facts:
            if name == table.name:
                _set(con, events, table, place, found_by, values)
    names = pa.table({"place": pa.array(range(len(chosen)), pa.int32()), "name": [one.name for one in chosen]})
    con.register("variants_named", names)
    own_ids = () if "customer_id" in table.key else table.key
    masks = {"customer_id": "v.name"} | {name: f"concat(v.name, '/', r.{name})" for name in own_ids}
    order = ", ".join([_PLACE, *([f"r.{table.time}", KNOWN_AT] if table.time else [])])
    return con.sql(
        f"SELECT {_listed(events, table, masks)}, {KNOWN_AT} FROM {table.name} r "
        f"JOIN variants_named v ON v.place = {_PLACE} ORDER BY {order}"
    ).to_arrow_table()


def _made_up(table: Table, number: int) -> dict[str, str]:
    """Ids for an added row."""
    return {name: f"added {number}" for name in table.required if table.column(name).type == "id"}


def _add(con: duckdb.DuckDBPyConnection, events: Events, table: Table, place: int, row: Mapping[str, Any]) -> None:
    """Put a row into a table."""
    lacking = [name for name in table.required if row.get(name) is None]
    strange = sorted(set(row) - set(table.names))
    if table.name not in events.columns or lacking or strange:
        words = f"without {lacking} or with {strange}" if lacking or strange else "where the source has no such table"
        raise ValueError(f"no row of {table.name} can be added {words}")
    given = {**row, "customer_id": None}
    con.execute(
        f"INSERT INTO {table.name} ({_PLACE}, {', '.join(map(name_sql, given))}) "
        f"VALUES ({place}, {', '.join('?' * len(given))})",
        [*map(_plain, given.values())],
    )
    known = f"coalesce(greatest({table.time}, {RECORDED_AT}), TIMESTAMP '{ALWAYS_KNOWN}')"
    con.execute(f"UPDATE {table.name} SET {KNOWN_AT} = {known} WHERE {KNOWN_AT} IS NULL")


def _set(
    con: duckdb.DuckDBPyConnection,
    events: Events,
    table: Table,
    place: int,
    found_by: Mapping[str, Any],
    values: Mapping[str, Any],
) -> None:
    """Put values into a variant's rows of a table."""
    held = events.types(table)
    strange = sorted(
        ({*found_by, *values} - set(held)) | ({*values} & {"customer_id", table.time, RECORDED_AT, *table.key})
    )
    if strange or not values:
        raise ValueError(f"of a row of {table.name} these cannot be set or asked for: {strange or 'no value at all'}")
    put = ", ".join(f"{name_sql(name)} = ?" for name in values)
    found = " AND ".join([f"{_PLACE} = {place}", *(f"{name_sql(name)} = ?" for name in found_by)])
    given = [*map(_plain, values.values()), *map(_plain, found_by.values())]
    if not con.execute(f"UPDATE {table.name} SET {put} WHERE {found}", given).fetchall()[0][0]:
        raise ValueError(f"no row of {table.name} has {dict(found_by)}, so nothing can be set on it")


def _plain(value: Any) -> Any:
    """A value as the driver takes it: no number or time of numpy's or pandas'."""
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.item() if hasattr(value, "item") else value
