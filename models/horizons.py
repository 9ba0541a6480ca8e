"""From four horizons to one coherent curve and the customer's own window, linearly in the log-odds.

Each horizon has its own model. P(no order) cannot grow with the horizon, so rows that break this are projected by
pooling adjacent violators (isotonic regression; Barlow et al. 1972), here on the log-odds. The probability for the
customer's own window is read off between the horizons, log-odds against log-days. Both steps are weighted sums of the
four log-odds: contributions that are additive for each horizon stay additive for the window.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from features.labels import HORIZONS

Floats = NDArray[np.float64]

PROBABILITIES = tuple(f"p_no_order_{days}" for days in HORIZONS)


def pooling(margins: Floats) -> Floats:
    """Weights that make each row non-increasing over the horizons.

    Parameters
    ----------
    margins
        Log-odds of no order, shape (n, horizons).

    Returns
    -------
    ndarray
        Shape (n, horizons, horizons), rows sum to 1: ``einsum("nij,nj->ni", pooling(m), m)`` is the nearest
        non-increasing row.
    """
    n, size = margins.shape
    weights = np.broadcast_to(np.eye(size), (n, size, size)).copy()
    broken = np.flatnonzero((np.diff(margins, axis=1) > 0).any(axis=1))
    if broken.size:
        weights[broken] = _pool(margins[broken])
    return weights


def _pool(margins: Floats) -> Floats:
    """The min-max formula: value i is the min over starts <= i of the max over ends >= i of the block means."""
    n, size = margins.shape
    totals = np.concatenate([np.zeros((n, 1)), np.cumsum(margins, axis=1)], axis=1)
    weights = np.zeros((n, size, size))
    rows = np.arange(n)
    for i in range(size):
        means = np.stack(
            [
                np.stack(
                    [(totals[:, end + 1] - totals[:, start]) / (end + 1 - start) for end in range(i, size)], axis=1
                )
                for start in range(i + 1)
            ],
            axis=1,
        )
        ends = means.argmax(axis=2)
        starts = means.max(axis=2).argmin(axis=1)
        last = i + ends[rows, starts]
        position = np.arange(size)
        inside = (position >= starts[:, None]) & (position <= last[:, None])
        weights[:, i, :] = inside / inside.sum(axis=1, keepdims=True)
    return weights


def window_weights(window_days: pd.Series | Floats) -> Floats:
    """Weights of the horizons in each customer's window, shape (n, horizons); beyond them the nearest one counts."""
    place = np.interp(np.log(np.asarray(window_days, dtype="float64")), np.log(HORIZONS), np.arange(len(HORIZONS)))
    lower = np.minimum(place.astype("int64"), len(HORIZONS) - 2)
    share = place - lower
    weights = np.zeros((len(place), len(HORIZONS)))
    rows = np.arange(len(place))
    weights[rows, lower] = 1 - share
    weights[rows, lower + 1] = share
    return weights


def own_weights(margins: Floats, window_days: pd.Series | Floats) -> Floats:
    """Weights of the uncorrected horizons in the own window, through both steps, shape (n, horizons); rows sum to 1."""
    return np.asarray(np.einsum("ni,nij->nj", window_weights(window_days), pooling(margins)))


def curve(margins: Floats, window_days: pd.Series | Floats) -> tuple[Floats, Floats]:
    """Coherent log-odds of the horizons, shape (n, horizons), and the log-odds of the own window, shape (n,)."""
    coherent = np.einsum("nij,nj->ni", pooling(margins), margins)
    return coherent, np.einsum("nj,nj->n", window_weights(window_days), coherent)


def probability_frame(margins: Floats, window_days: pd.Series) -> pd.DataFrame:
    """``margin`` (log-odds of the own window), ``churn_probability`` and ``p_no_order_*``, index of `window_days`."""
    coherent, margin = curve(margins, window_days)
    # Summing pooled rows in another order may leave a last bit of increase; probabilities must not show it.
    probabilities = np.minimum.accumulate(expit(coherent), axis=1)
    frame = pd.DataFrame(probabilities, columns=list(PROBABILITIES), index=window_days.index)
    frame.insert(0, "churn_probability", expit(margin))
    frame.insert(0, "margin", margin)
    return frame
