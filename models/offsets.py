"""The level of a date: how many of its customers left, whatever tells them apart."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]


def level_offsets(start: pd.Series, outcome: pd.Series, as_of: pd.Series) -> Floats:
    """Per row the constant that makes the mean probability of its date equal the date's share of silent customers."""
    offsets = np.zeros(len(start))
    for rows in pd.Series(np.arange(len(start))).groupby(as_of.to_numpy()).indices.values():
        margin = start.to_numpy()[rows]
        # Half a customer is added to both outcomes: a date on which all were silent would ask for infinity.
        share = (outcome.to_numpy()[rows].sum() + 0.5) / (len(rows) + 1)
        offsets[rows] = optimize.brentq(_excess, -40, 40, args=(margin, share))
    return offsets


def _excess(offset: float, margin: Floats, share: float) -> float:
    return float(special.expit(margin + offset).mean() - share)
