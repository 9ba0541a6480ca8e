"""The words in which the naive features are written: days with orders, days in between, shares."""

import math

import pandas as pd

NAN = math.nan


def over(part: float, whole: float) -> float:
    return part / whole if whole else NAN


def orders(days: pd.DataFrame) -> pd.DataFrame:
    return days[days["orders"] > 0]


def gross(days: pd.DataFrame) -> float:
    return days["amount"].sum() + days["returned"].sum()


def between(days: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    return days[days["ago"].between(first, last)]
