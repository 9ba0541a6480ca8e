"""A list as a file for a spreadsheet, as its page shows it: headings and codes in words, figures and days as such."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from serving.exports import Sheet
from serving.pages.list_cells import Cells
from serving.pages.today import told
from serving.pages.view import View, unknown
from serving.words.columns import FIGURES, column_of

#: Kinds whose values a spreadsheet can reckon with, and so stay as they are.
_PLAIN: tuple[str, ...] = (*FIGURES, "day", "month", "moment", "year", "customer", "text")
#: Rows that are put into words at a time.
_AT_A_TIME = 500


def with_shown(view: View, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that also say whether a percentage may be told of their customers, where they tell of probabilities."""
    if "churn_probability" not in rows.columns or "shown" in rows.columns:
        return rows
    state = view.service.desk.look().company.known(rows["customer_id"])
    return rows.assign(shown=None if state is None else state["shown"].to_numpy())


def file_of(view: View, name: str, rows: pd.DataFrame) -> Sheet:
    """The rows of a list as a sheet; they are put into words as they are written."""
    columns = [str(column) for column in rows.columns]
    headings = [view.say(column_of(column, name).heading) for column in columns]
    return Sheet(name, headings, _spoken(view, name, rows, columns), len(rows))


def _spoken(view: View, name: str, rows: pd.DataFrame, columns: list[str]) -> Iterator[list[Any]]:
    cells, whole = Cells(view, name), with_shown(view, rows)
    for first in range(0, len(whole), _AT_A_TIME):
        part = whole.iloc[first : first + _AT_A_TIME]
        for row in told(view, part) if "customer_id" in columns else part.to_dict("records"):
            yield [_value(view, cells, name, column, row) for column in columns]


def _value(view: View, cells: Cells, name: str, column: str, row: dict[Any, Any]) -> Any:
    """What one cell of the file holds; None for what is unknown."""
    kind, value = column_of(column, name).kind, row.get(column)
    cell = cells.cell(column, row)
    if kind == "level":
        return view.level(cell["level"])["name"] if cell["level"] else None
    if "lines" in cell:
        return "\n".join(cell["lines"]) or None
    if kind == "step":
        return " ".join(filter(None, (cell["text"], cell["sub"]))) if value else None
    if kind == "name":
        return cell["text"]
    if isinstance(value, float | str | None) and unknown(value):
        return None
    if column == "churn_probability" and cell["text"] == view.share(None):
        return None  # no percentage is told where its calibration is not proved
    return value if kind in _PLAIN else cell["text"]
