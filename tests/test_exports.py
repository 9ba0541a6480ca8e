"""Files for a spreadsheet: nothing in them runs, and numbers stay numbers."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import openpyxl
import pandas as pd
import pytest

from features.errors import SettingsError
from serving.exports import CELL_LENGTH, CSV, XLSX, XLSX_ROWS, Sheet, cell, written

HOSTILE = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "＝1+1",  # noqa: RUF001
    '=HYPERLINK("http://x","y")',
    "=cmd|' /C calc'!A0",
)
HARMLESS = ("C0042", "a;=1+1", 'say "hi", twice', "two\nlines", "青木工業", "http://example.com", "12", "")


def file_of(frame: pd.DataFrame, kind: str) -> bytes:
    return b"".join(written(Sheet.of("late customers", frame), kind))


def csv_rows(frame: pd.DataFrame) -> list[list[str]]:
    return list(csv.reader(io.StringIO(file_of(frame, CSV).decode("utf-8-sig"), newline="")))


def xlsx_page(frame: pd.DataFrame) -> openpyxl.worksheet.worksheet.Worksheet:
    return openpyxl.load_workbook(io.BytesIO(file_of(frame, XLSX))).active


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_a_formula_in_csv(text: str) -> None:
    rows = csv_rows(pd.DataFrame({"name": [text], text: ["x"]}))
    assert rows[1][0] == f"'{text}"
    assert rows[0][1] == f"'{text}", "names of columns come from the company's file, too"


@pytest.mark.parametrize("text", HARMLESS)
def test_a_text_that_runs_nothing_stays_as_it_is(text: str) -> None:
    assert csv_rows(pd.DataFrame({"name": [text]}))[1] == [text]
    found = xlsx_page(pd.DataFrame({"name": [text], "more": [1]}))["A2"]
    assert (found.value or "", found.data_type, found.hyperlink) == (text, "s", None)


def test_in_xlsx_every_text_is_a_cell_of_text() -> None:
    page = xlsx_page(pd.DataFrame({"=1+1": HOSTILE}))
    assert {one.data_type for row in page.iter_rows() for one in row} == {"s"}
    assert page["A1"].value == "=1+1"
    assert page["A2"].value == HOSTILE[0]


def test_negative_numbers_stay_numbers() -> None:
    frame = pd.DataFrame({"drop": [-0.25, 3.0], "orders": [-2, 7], "paid": [Decimal("-1.5"), Decimal(2)]})
    assert csv_rows(frame)[1:] == [["-0.25", "-2", "-1.5"], ["3.0", "7", "2.0"]]
    page = xlsx_page(frame)
    assert [one.value for one in page[2]] == [-0.25, -2, -1.5]
    assert {one.data_type for one in page[2]} == {"n"}


def test_what_is_unknown_is_an_empty_cell_of_every_type() -> None:
    unknown = (None, float("nan"), float("inf"), np.float64("nan"), pd.NA, pd.NaT, Decimal("NaN"))
    assert [cell(value) for value in unknown] == [None] * len(unknown)


def test_days_moments_flags_and_lists_have_a_form_of_their_own() -> None:
    moment = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    values = [date(2026, 3, 1), pd.Timestamp("2026-03-01"), moment, True, np.bool_(False), ["a", 1], np.int64(5)]
    frame = pd.DataFrame([values], columns=[f"c{number}" for number in range(len(values))], dtype=object)
    told = ["2026-03-01", "2026-03-01", "2026-03-01T12:30:00", "true", "false", '["a", 1]', "5"]
    assert csv_rows(frame)[1] == told
    found = [one.value for one in xlsx_page(frame)[2]]
    assert found[:3] == [datetime(2026, 3, 1), datetime(2026, 3, 1), datetime(2026, 3, 1, 12, 30)]  # noqa: DTZ001
    assert found[3:] == [True, False, '["a", 1]', 5]


def test_csv_bears_the_mark_by_which_excel_knows_utf_8_and_comes_in_pieces() -> None:
    pieces = list(written(Sheet.of("long", pd.DataFrame({"name": ["青木"] * 1200})), CSV))
    assert pieces[0] == b"\xef\xbb\xbf"
    assert len(pieces) == 4
    assert b"".join(pieces).decode("utf-8-sig").count("青木") == 1200


@pytest.mark.parametrize(("rows", "refused"), [(XLSX_ROWS, False), (XLSX_ROWS + 1, True)])
def test_a_table_that_is_too_long_for_xlsx_is_refused_before_any_byte(rows: int, refused: bool) -> None:
    ask: Callable[[], object] = lambda: written(Sheet("all", ["name"], iter(()), rows), XLSX)  # noqa: E731
    if refused:
        with pytest.raises(SettingsError, match=r"50,001 rows; XLSX takes up to 50,000\. Take CSV\."):
            ask()
    else:
        ask()


def test_an_unknown_kind_of_file_is_refused() -> None:
    with pytest.raises(SettingsError, match="expected csv or xlsx"):
        written(Sheet("all", ["name"], iter(()), 0), "pdf")


def test_texts_longer_than_a_cell_and_control_characters_do_not_break_the_file() -> None:
    page = xlsx_page(pd.DataFrame({"note": ["x" * (CELL_LENGTH + 1), "bell\a", "nul\0"]}))
    assert len(page["A2"].value) == CELL_LENGTH
    assert csv_rows(pd.DataFrame({"note": ["nul\0"]}))[1] == ["nul"]
