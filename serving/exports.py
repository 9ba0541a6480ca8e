"""Tables as files for a spreadsheet: CSV that is streamed, XLSX for what a spreadsheet can hold.

A text never becomes a formula. In CSV, whose cells have no types, a text that a spreadsheet would run gets an
apostrophe in front; XLSX has cells for text, where it stays as it is. Numbers stay numbers, the negative ones too.
"""

import csv
import io
import json
import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import IO, Any

import pandas as pd

from features.errors import SettingsError

CSV, XLSX = "csv", "xlsx"
MEDIA_TYPES = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

#: An XLSX file of more rows takes a minute to make and longer to open.
XLSX_ROWS = 50_000
#: Characters that a cell of XLSX can hold.
CELL_LENGTH = 32_767

#: What spreadsheets take for the beginning of a formula, the full-width forms of Asian keyboards included.
_RUN = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001
_CHUNK_BYTES = 64 * 1024
_ROWS_AT_A_TIME = 500


@dataclass(frozen=True)
class Sheet:
    """A table on its way out: its name, its columns, its rows one after another."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]
    size: int

    @classmethod
    def of(cls, name: str, frame: pd.DataFrame) -> "Sheet":
        """A frame as a sheet, without its index."""
        return cls(
            name, [str(column) for column in frame.columns], frame.itertuples(index=False, name=None), len(frame)
        )


def written(sheet: Sheet, kind: str) -> Iterator[bytes]:
    """The bytes of a file, piece by piece.

    Raises
    ------
    SettingsError
        If there is no such kind of file, or the table is too long for it; at the call, before any byte.
    """
    if kind == CSV:
        return _csv(sheet)
    if kind != XLSX:
        raise SettingsError(f"format {kind!r}: expected {CSV} or {XLSX}.")
    if sheet.size > XLSX_ROWS:
        raise SettingsError(f"{sheet.name}: {sheet.size:,} rows; XLSX takes up to {XLSX_ROWS:,}. Take CSV.")
    return _xlsx(sheet)


def _csv(sheet: Sheet) -> Iterator[bytes]:
    # Without a byte order mark Excel takes UTF-8 for the code page of the machine.
    yield b"\xef\xbb\xbf"
    page = io.StringIO(newline="")
    # Every text is quoted, or one with a semicolon falls into two cells where that is the separator.
    writer = csv.writer(page, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([_for_csv(column) for column in sheet.columns])
    for number, row in enumerate(sheet.rows, start=1):
        writer.writerow([_for_csv(cell) for cell in row])
        if number % _ROWS_AT_A_TIME == 0:
            yield page.getvalue().encode("utf-8", "replace")
            page.seek(0)
            page.truncate()
    yield page.getvalue().encode("utf-8", "replace")


def _for_csv(value: Any) -> Any:
    value = cell(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, int | float):
        return value
    text = value.isoformat() if isinstance(value, date) else str(value)
    # NUL ends the cell in some readers; blanks before a formula are dropped by others.
    text = text.replace("\0", "")
    return f"'{text}" if text.startswith(_RUN) or text.lstrip().startswith(_RUN) else text


def _xlsx(sheet: Sheet) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as file:
        _fill(sheet, file)
        file.seek(0)
        while piece := file.read(_CHUNK_BYTES):
            yield piece


def _fill(sheet: Sheet, file: IO[bytes]) -> None:
    import xlsxwriter

    with tempfile.TemporaryDirectory(prefix="kizashi-xlsx-") as folder:
        book = xlsxwriter.Workbook(
            file,
            {
                "constant_memory": True,
                "tmpdir": folder,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
            },
        )
        day, moment = (book.add_format({"num_format": form}) for form in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm"))
        page = book.add_worksheet(_title(sheet.name))
        page.freeze_panes(1, 0)
        for number, row in enumerate([sheet.columns, *sheet.rows]):
            for place, value in enumerate(row):
                content = cell(value)
                if isinstance(content, bool):
                    page.write_boolean(number, place, content)
                elif isinstance(content, int | float):
                    page.write_number(number, place, content)
                elif isinstance(content, datetime):
                    page.write_datetime(number, place, content, moment)
                elif isinstance(content, date):
                    page.write_datetime(number, place, datetime.combine(content, time()), day)
                elif content is not None:
                    page.write_string(number, place, content[:CELL_LENGTH])
        book.close()


def _title(name: str) -> str:
    """A sheet's name as Excel allows it."""
    return "".join(letter for letter in name if letter not in "[]:*?/\\'")[:31] or "list"


def cell(value: Any) -> bool | int | float | str | date | None:
    """A value as a cell holds it: None for what is unknown, whatever its type; lists and mappings as JSON."""
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()
    if value is None or isinstance(value, bool | int):
        return value if not isinstance(value, int) or abs(value) < 2**53 else str(value)
    if isinstance(value, float | Decimal):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    if pd.isna(value):
        return None
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        plain = datetime.fromisoformat(moment.isoformat(timespec="seconds"))
        return plain.date() if plain.time() == time() else plain
    return value if isinstance(value, date) else str(value)


def save(sheet: Sheet, kind: str, file: IO[bytes]) -> None:
    """Write a file as :func:`written` gives it."""
    for piece in written(sheet, kind):
        file.write(piece)
