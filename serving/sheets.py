"""Rows of customers that are kept in their order: some customers' rows are replaced without making the others again."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from serving.list_rows import Order

Places = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Sheet:
    """Rows in order, each of one customer.

    Attributes
    ----------
    number
        Of the newest event that is in them.
    rows
        In order, with an index from 0 on.
    places
        Of each row: the place of its customer in the company.
    """

    number: int
    rows: pd.DataFrame
    places: Places

    def of(self, mask: Mask | None) -> pd.DataFrame:
        """Some of the rows, in their order; all of them without a mask."""
        return self.rows if mask is None else self.rows[mask].reset_index(drop=True)

    def replaced(self, number: int, gone: Mask, rows: pd.DataFrame, places: Places, order: Order) -> "Sheet":
        """The sheet with other rows of some customers.

        Parameters
        ----------
        number
            Of the newest event that is in the new rows.
        gone
            Whether each row is one of those customers'.
        rows, places
            Their new rows, in order, and the places of their customers.
        """
        if rows.empty and not gone.any():
            return Sheet(number, self.rows, self.places)
        kept = np.flatnonzero(~gone)
        if rows.empty:
            return Sheet(number, self.rows.take(kept).reset_index(drop=True), self.places[kept])
        old, new = _key(self.rows, order), _key(rows, order)
        at = [bisect_left(kept, new(row), key=old) for row in range(len(rows))]
        taken = np.insert(kept, at, np.arange(len(rows)) + len(self.rows))
        both = pd.concat([self.rows, rows]) if len(self.rows) else rows
        return Sheet(number, both.take(taken).reset_index(drop=True), np.concatenate([self.places, places])[taken])


def _key(rows: pd.DataFrame, order: Order) -> Callable[[Any], tuple[tuple[bool, Any], ...]]:
    """What tells the order of a row by its number; it compares as :func:`serving.list_rows.in_order` sorts."""
    columns = [(rows[name].array, ascending) for name, ascending in order]

    def key(row: Any) -> tuple[tuple[bool, Any], ...]:
        told = []
        for values, ascending in columns:
            value = values[row]
            unknown = bool(pd.isna(value))
            if not ascending and not unknown:
                value = -(value.value if isinstance(value, pd.Timestamp) else value)
            told.append((unknown, 0 if unknown else value))
        return tuple(told)

    return key
