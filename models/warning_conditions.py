"""The language that rules are written in: conditions on the columns of one customer's row.

A text holds one condition or several joined by ``and``:

- ``days_since_last_order >= late_order_multiple * order_cycle_days``: a column, one of ``>= > <= < =``, and a number,
  an option or a column, or a product of two of them, with a minus before it where it is wanted;
- ``rank in [A, B]``, ``rank in important_ranks``: a column whose text (or number) is one of a list;
- ``role_imbalance is true``: a flag, 1 or true.

A column whose name is more than letters, digits and underscores stands in double quotes. What is unknown, infinite or
of another kind meets no condition. Decimal fractions are compared to nine digits, so that 11 is not below 1.1 times 10.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.options import Value

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

#: The value of an option that switches off each condition that reads it.
OFF = "off"

#: Comparison -> what the limit is called in the evidence where it has no name of its own.
COMPARISONS = {">=": "at_least", "<=": "at_most", ">": "above", "<": "below", "=": "equal_to"}
#: Numbers that differ by less than this share of the larger one are equal.
SAME = 1e-9

_NAME = r'"[^"]+"|[^\W\d]\w*'
_FACTOR = rf"{_NAME}|\d+(?:\.\d+)?"
_COMPARED = re.compile(
    rf"(?P<column>{_NAME})\s*(?P<how>>=|<=|>|<|=)\s*(?P<minus>-?)\s*"
    rf"(?P<first>{_FACTOR})(?:\s*\*\s*(?P<second>{_FACTOR}))?"
)
_LISTED = re.compile(rf"(?P<column>{_NAME})\s+in\s+(?:\[(?P<listed>[^\[\]]*)\]|(?P<option>{_NAME}))")
_FLAG = re.compile(rf"(?P<column>{_NAME})\s+is\s+(?P<flag>true|false)")
_AND = re.compile(r"\s+and\s+(?![^\[]*\])")
_HOW = (
    'expected "column >= number" (or >, <=, <, =; the number may be an option or a column, times another), '
    '"column in [A, B]" or "column is true", several joined by "and"'
)


@dataclass(frozen=True)
class Condition:
    """One condition.

    Attributes
    ----------
    column
        The column that it is about.
    how
        One of :data:`COMPARISONS`, ``in`` or ``is``.
    factors
        Numbers and names whose product is the limit; for ``in``, the name of the option that holds the list.
    listed
        For ``in``, the texts that are written out.
    """

    column: str
    how: str
    factors: tuple[float | str, ...] = ()
    listed: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names besides the column: options and further columns."""
        return tuple(one for one in self.factors if isinstance(one, str))

    def columns(self, options: Collection[str]) -> tuple[str, ...]:
        """The columns that it reads: every name that is no option."""
        return (self.column, *(name for name in self.names if name not in options))


@lru_cache(maxsize=4096)
def conditions(text: str) -> tuple[Condition, ...]:
    """The conditions of a text, all of which have to be met.

    Raises
    ------
    ValueError
        If a part of it is no condition; the message says what one looks like.
    """
    return tuple(_condition(part.strip(), text) for part in _AND.split(text.strip()))


def _condition(part: str, text: str) -> Condition:
    if found := _COMPARED.fullmatch(part):
        written = [found[name] for name in ("first", "second") if found[name]]
        factors = [float(one) if one[0].isdigit() else one.strip('"') for one in written]
        return Condition(found["column"].strip('"'), found["how"], (*([-1.0] if found["minus"] else []), *factors))
    if found := _LISTED.fullmatch(part):
        column, option = found["column"].strip('"'), found["option"]
        listed = tuple(one.strip().strip('"') for one in (found["listed"] or "").split(",") if one.strip())
        if option or listed:
            return Condition(column, "in", (option.strip('"'),) if option else (), listed)
    if found := _FLAG.fullmatch(part):
        return Condition(found["column"].strip('"'), "is", (1.0 if found["flag"] == "true" else 0.0,))
    where = f" in {text!r}" if part != text else ""
    raise ValueError(f"{part!r}{where} is no condition: {_HOW}")


class Rows:
    """The rows that conditions are asked of: each column is read once, options stand for their values."""

    def __init__(self, frame: pd.DataFrame, options: Mapping[str, Value]) -> None:
        self.frame, self.options = frame, options
        self._numbers: dict[str, Floats] = {}

    def meet(self, text: str) -> Flags:
        """Which rows meet all conditions of a text."""
        met = np.ones(len(self.frame), dtype=bool)
        for one in conditions(text):
            met &= self._meet(one)
        return met

    def missing(self, text: str) -> tuple[str, ...]:
        """Columns of a text that are not there, or unknown in every row."""
        read = [name for one in conditions(text) for name in one.columns(self.options)]
        return tuple(name for name in dict.fromkeys(read) if not self.tells(name))

    def off(self, text: str) -> bool:
        """Whether an option switches the text off."""
        return any(self.options.get(name) == OFF for one in conditions(text) for name in one.names)

    def evidence(self, text: str, at: NDArray[np.intp]) -> dict[str, list[float | str]]:
        """Values and limits of the conditions of a text in rows that meet it: name -> one value per row."""
        told: dict[str, list[float | str]] = {}
        for one in conditions(text):
            told |= {name: self.values(name, at) for name in one.columns(self.options)}
            for name in one.names:
                if name in self.options and one.how != "in":
                    told[name] = [float(self.options[name])] * len(at)  # type: ignore[arg-type]
            if one.how in COMPARISONS and any(isinstance(factor, float) and factor != -1.0 for factor in one.factors):
                limit = np.broadcast_to(self._limit(one), len(self.frame))
                told[f"{one.column}_{COMPARISONS[one.how]}"] = limit[at].tolist()
        return told

    def values(self, name: str, at: NDArray[np.intp]) -> list[float | str]:
        """Values of a column in some rows: numbers, or texts where it holds such; NaN where unknown."""
        numbers = self.numbers(name)[at]
        column = self.frame[name].iloc[at]
        texts = column.tolist()
        return [
            text if isinstance(text, str) and not np.isfinite(number) else number
            for text, number in zip(texts, numbers.tolist(), strict=True)
        ]

    def tells(self, name: str) -> bool:
        """Whether a column is there and known in some row."""
        return name in self.frame.columns and bool(self.frame[name].notna().any())

    def numbers(self, name: str) -> Floats:
        """A column as numbers: true is 1, false 0; NaN where it is absent, unknown, infinite or no number."""
        if name not in self._numbers:
            read = _as_numbers(self.frame[name]) if name in self.frame.columns else np.full(len(self.frame), np.nan)
            self._numbers[name] = np.where(np.isfinite(read), read, np.nan)
        return self._numbers[name]

    def _meet(self, one: Condition) -> Flags:
        if one.column not in self.frame.columns or any(self.options.get(name) == OFF for name in one.names):
            return np.zeros(len(self.frame), dtype=bool)
        if one.how == "in":
            return self._is_listed(one)
        return compared(self.numbers(one.column), "=" if one.how == "is" else one.how, self._limit(one))

    def _limit(self, one: Condition) -> Floats:
        limit: Floats = np.ones(1)
        for factor in one.factors:
            if isinstance(factor, float):
                limit = limit * factor
            elif factor in self.options:
                limit = limit * float(self.options[factor])  # type: ignore[arg-type]
            else:
                limit = limit * self.numbers(factor)
        return limit

    def _is_listed(self, one: Condition) -> Flags:
        listed = one.listed
        for name in one.names:
            held = self.options.get(name, ())
            listed = held if isinstance(held, tuple) else (str(held),)
        column = self.frame[one.column]
        if pd.api.types.is_numeric_dtype(column.dtype):
            wanted = pd.to_numeric(pd.Series(listed, dtype="object"), errors="coerce").to_numpy("float64")
            return np.isin(self.numbers(one.column), wanted[np.isfinite(wanted)])
        return column.astype("object").isin(list(listed)).to_numpy("bool")


def compared(value: Floats, how: str, limit: Floats) -> Flags:
    """Whether values stand to limits as a comparison says; NaN on either side never does."""
    same = np.abs(value - limit) <= SAME * np.maximum(np.abs(value), np.abs(limit))
    if how == "=":
        return np.asarray(same)
    beyond = value > limit if how[0] == ">" else value < limit
    return np.asarray(beyond | same if how.endswith("=") else beyond & ~same)


def _as_numbers(column: pd.Series) -> Floats:
    if column.dtype.kind in "mM":  # a time is no number, though pandas would make one of it
        return np.full(len(column), np.nan)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        words = {"true": 1.0, "false": 0.0}
        column = column.astype("object").map(
            lambda one: words.get(one.strip().lower(), one) if isinstance(one, str) else one
        )
    return pd.to_numeric(column, errors="coerce").to_numpy("float64", na_value=np.nan)
