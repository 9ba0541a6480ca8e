"""What the tables show of each signal: the way back from the rows to the declarations, for the oracle."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.contract import RECORDED_AT
from features.simulate.arrays import Floats, Integers, Span


@dataclass(frozen=True)
class Observations:
    """Observations of one signal as parallel arrays, in any order.

    Attributes
    ----------
    signal
        Name in `SIGNALS`.
    account
        Number of the customer.
    day
        Day on which the fact was known: a payment on the day on which it was made, or on which its invoice was entered
        if that was later.
    value
        `share`: 1 for yes, 0 for no. `value`, `count`: the number. `rate`: 1 per event.
    usual
        What would be usual in this observation, on the scale of the family, where that is not the same for all
        observations of a customer; else None.
    """

    signal: str
    account: Integers
    day: Integers
    value: Floats
    usual: Floats | None = None


def known_day(span: Span, rows: pd.DataFrame, at: str | pd.Series) -> Integers:
    """The day on which facts were known: that of `at`, or that on which their rows were entered if that was later."""
    happened = rows[at] if isinstance(at, str) else at
    day = span.day(happened.to_numpy())
    return np.maximum(day, span.day(rows[RECORDED_AT].to_numpy())) if RECORDED_AT in rows else day
