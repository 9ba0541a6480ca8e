"""The page ``docs/contract.md``, written from the contract itself.

Kept apart from ``contract.py`` because it is prose about the tables and not the tables; a test asserts that
the page on disk is what stands here.
"""

from collections.abc import Iterator, Mapping

from features.tables import Column, Table

_HEAD = """\
# The input contract

<!-- Written by `python -m features.contract > docs/contract.md`; change features/contract.py instead. -->

What you hand over: one table per file (`customers.parquet`, `transactions.csv`, ...) in a folder, or per
folder of files (`transactions/2026-11-21.parquet`, ...), or one table or view per name in a database
(`duckdb:///file.duckdb`, `sqlite:///file.db`, `postgresql://user@host/base`). Only `transactions` must be
there. This page is a promise: names, types and meanings do not change without a note in the changelog. `*`
marks a required column. Everything else is optional, table by table and column by column: a missing source
switches off what needs it, says so once, and never becomes a made-up 0.

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

**Restated rows.** What was known of a row may change altogether: an invoice is corrected, a quotation gets
another amount. Hand over the new row beside the old one, with the same key and its own `recorded_at`: both are
clean, and a snapshot uses the newest version that was known by then.

| invoice_id | issued_at | amount | recorded_at | |
|---|---|---|---|---|
| F-17 | 2026-03-02 | 1200.00 | 2026-03-02 | what every snapshot until 10 March sees |
| F-17 | 2026-03-02 | 900.00 | 2026-03-10 | what later snapshots see, and the row above no more |

A row with the key of another one, of the same account, restates it if it was recorded at another moment (by
default its own time); the order in which they are handed over says nothing. Recorded at the same moment, or where
neither says when, or of another account, it contradicts the first one and goes to quarantine.
`customers` has one row per account and no `recorded_at`: what changes there goes into `account_changes`.
`transactions` has no key, for an order has many lines: a line is corrected as in the books, by a credit note under
the same `order_id` and, where something is left of it, a new line.

## Tables of many files

A folder with a table's name (`transactions/`) is that table: any number of Parquet and CSV files in it, read in
the order of their names. Each must have the required columns; others may be missing or of another type in some of
them. Folders within it are not read. A file `transactions.parquet` beside a folder `transactions/` is refused. Rows
in the quarantine and in reports are named by file and row number.

What was taken in before is not read again. Of a folder with a new file, only that file is read, and only files of
its own are added to the clean events; late rows go to their customers like all others. The result is the one that
reading all files at once would have: rows that repeat earlier ones are found, and the shares of quarantined rows
are those of the whole table. The report says what was read. Read again are:

- rows in quarantine that time may have mended: their account is in `customers` now, or their moment has come;
- a whole table where one of its files changed or is gone, its mapping or the contract changed, a new file brings a
  column that no earlier one had, or a new file comes first by its name and has rows of later ones; and a table of a
  database;
- all tables where an account is gone from `customers` or belongs to another parent, `customers` or another table is
  gone, the project's zone or DuckDB's version changed, the lines are more than twice what the partitions were made
  for, or the moment of the run lies before rows that were taken in.

What a file brought in stays only while the file does: one that is gone takes its rows along. A file is the same if
its size and time of change are, or its content is; so replace a file, never write into it while it is read.
"""

_TAIL = """\
## Bad input

Nothing is dropped silently and nothing bad is let in. Every row is exactly one of three: clean,
quarantined, or an exact duplicate (equal to an earlier row in every column of the source). A row that
breaks the contract goes to `quarantine/<table>.parquet` with the table, file (of a table of many), row number (the
first data row is 1), column, value and reason; the report counts each kind and names the first rows. What breaks
the contract:

| kind | what it is |
|---|---|
| `missing` | a required value is not there |
| `not_a_date`, `not_a_number`, `not_true_or_false` | a value that cannot be read as its type |
| `not_finite`, `out_of_range` | NaN, infinite, too large, out of bounds, or an event before 1970 |
| `unknown_value` | not one of the values of an enumeration |
| `duplicate_key` | the key of an earlier sound row, with other values, that is no restatement: the first row stays |
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
file = "orders_*"                 # glob of the file's or folder's name; in a database: table = "sales.orders"
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
