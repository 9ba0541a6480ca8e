"""Rows of a frame as plain values, whatever read the frame."""

from typing import Any

import pandas as pd


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame by column name, with Python's own values.

    Days are dates and moments with a zone datetimes, however the frame keeps them; what is missing is None in columns
    of texts, days and objects, and NaN in columns of numbers.
    """
    columns = {str(name): _plain(frame[name]) for name in frame.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(column: pd.Series) -> list[Any]:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return [None if at is pd.NaT else at.to_pydatetime() for at in column]
    if pd.api.types.is_datetime64_dtype(column.dtype):
        return [None if day is pd.NaT else day.date() for day in column]
    if pd.api.types.is_numeric_dtype(column.dtype):
        return list(column.tolist())
    missing = column.isna().to_numpy()
    return [None if lacks else _own(value) for value, lacks in zip(column, missing, strict=True)]


def _own(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.date() if value.tzinfo is None else value.to_pydatetime()
    return value
