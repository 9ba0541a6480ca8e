"""The page ``docs/contract.md``, written from the contract itself.

Kept apart from ``contract.py`` because it is prose about the tables and not the tables; a test asserts that
the page on disk is what stands here.
"""

from collections.abc import Iterator, Mapping

from features.tables import Column, Table

_HEAD = """\
# The input contract

<!-- Written by `python -m features.contract > docs/contract.md`; change features/contract.py instead. -->

What you hand over: one table per file (`customers.parquet`, `transactions.csv`, ...) in a folder, or one
table or view per name in a database (`duckdb:///file.duckdb`, `sqlite:///file.db`,
`postgresql://user@host/base`). Only `transactions` must be there. This page is a promise: names, types and
meanings do not change without a note in the changelog. `*` marks a required column. Everything else is
optional, table by table and column by column: a missing source switches off what needs it, says so once,
and never becomes a made-up 0.

## Conventions

- `*_at` is a timestamp, year first (`2024-01-31`, `2024-01-31T09:30:00+09:00`). A date is taken as its
  midnight; a time with a zone is converted to the project's zone; a time without one is in the project's
  zone.
- Money is a decimal number in the project's base currency. Ids are strings; a whole number that comes as a
  float loses its point (`13085.0` is `13085`). Booleans are true or false. Enumerations are lower case,
  except `rank`.
- Spaces around a value do not count, and an empty field is a missing value.
- Column names are found whatever their upper and lower case.
- A snapshot (`as_of`) is a moment: midnight at the start of that day, so it sees events with `*_at < as_of`
  only.

## Two clocks

Every event table may carry `recorded_at`: when the row became known to the company (default: the event's
own time). A snapshot uses a row only if it was *known* by then: `known_at` is the own time of the row, or
`recorded_at` where that is later. Later facts on the same row are unknown before their own time: a ticket
resolved after the snapshot is an open ticket at it. The column "known from" says which time that is; where
that time is not given, it is the event's own.
"""

_TAIL = """\
## Bad input

Nothing is dropped silently and nothing bad is let in. Every row is exactly one of three: clean,
quarantined, or an exact duplicate (equal to an earlier row in every column of the source). A row that
breaks the contract goes to `quarantine/<table>.parquet` with the table, row number (the first data row is
1), column, value and reason; the report counts each kind and names the first rows. What breaks the
contract:

| kind | what it is |
|---|---|
| `missing` | a required value is not there |
| `not_a_date`, `not_a_number`, `not_true_or_false` | a value that cannot be read as its type |
| `not_finite`, `out_of_range` | NaN, infinite, too large, out of bounds, or an event before 1970 |
| `unknown_value` | not one of the values of an enumeration |
| `duplicate_key` | the key of an earlier sound row, with other values: the first row stays |
| `in_the_future` | an event or its `recorded_at` after the moment of the run |
| `unknown_customer` | an account that is not in `customers`, where that table is given |
| `mapping_check` | a check of the mapping (`require`) that the row does not pass |
| `ragged_row` | a row of a CSV file with more or fewer fields than the header |

The run goes on without quarantined rows while they are at most 1 % of a table (`max_quarantine_share`),
else it stops before anything is written. A file that cannot be read, or a missing required column, stops
the run with one line that names the file, the column and the mend. CSV files are UTF-8 unless the mapping
says otherwise.

## Mapping your own columns

A source with other names is mapped in `kizashi.toml`, in plain data and never in SQL:

```toml
[sources.transactions]
file = "orders_*"                 # glob of the file's name; in a database: table = "sales.orders"
encoding = "cp932"                # of a CSV file; default UTF-8. Also: delimiter = ";"
max_quarantine_share = 0.05
[sources.transactions.columns]
customer_id = "Kunde"                                             # a column under another name
currency = { value = "EUR" }                                      # a constant
ordered_at = { column = "Datum", format = "%d.%m.%Y" }            # a date that is not written year first
amount = { multiply = ["Menge", "Preis"], negative_when = { column = "Beleg", starts_with = "C" } }
[sources.transactions.require]
Preis = "positive"                # or "nonzero", "not_negative"; other rows go to quarantine
```

`negative_when` makes the value negative whatever its sign in the file. Columns that are not mapped are
taken under their own names. Ready layouts: {layouts}.
"""


def page(contract: Mapping[str, Table], layouts: tuple[str, ...]) -> str:
    """Return the page in Markdown."""
    tables = "\n".join("\n".join(_section(table)) for table in contract.values())
    listed = ", ".join(f"`{name}`" for name in layouts)
    return f"{_HEAD}\n## Tables\n\n{tables}\n{_TAIL.replace('{layouts}', listed)}"


def _section(table: Table) -> Iterator[str]:
    yield f"### {table.name}"
    yield ""
    yield f"One row is {table.row}."
    notes = []
    if table.key:
        notes.append(f"Key: {', '.join(f'`{name}`' for name in table.key)}.")
    if table.time:
        notes.append(f"Own time: `{table.time}`{', which may lie ahead' if table.planned else ''}.")
    if table.further:
        notes.append("Any further columns are kept, and can be filtered by and used in rules.")
    if notes:
        yield " ".join(notes)
    yield ""
    yield "| column | type | meaning | values | known from |"
    yield "|---|---|---|---|---|"
    for column in table.columns:
        yield f"| {' | '.join(_cells(column))} |"
    yield ""


def _cells(column: Column) -> Iterator[str]:
    yield f"`{column.name}`" + ("*" if column.required else "")
    yield column.type
    yield column.meaning
    values = ", ".join(column.values) or column.unit
    if column.values_where:
        fields = dict.fromkeys(f"`{field}`" for _, field, _ in column.values_where)
        values = f"for the fields {', '.join(fields)}: their own values"
    yield values
    yield f"`{column.later}`" if column.later else ""
