"""What thresholds of the probability would have given on the walk-forward, at so many edges that a page can look it up.

Of every edge there are the sums themselves, not what was interpolated: whoever picks an edge gets what a count of the
predictions gives. Warnings, lost and caught customers are those of :mod:`models.portfolio`; nobody is named.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from features.errors import TooLittleData
from models.earliness import RANDOM, USUAL, lowest_before, ranks
from models.figures import FloatArray, ratio, wilson
from models.portfolio import Portfolio

#: Thresholds on offer: every whole per cent.
EDGES = tuple(round(step / 100, 2) for step in range(1, 100))
#: At most so many thresholds are worked out at a time, for the sake of memory.
_AT_A_TIME = 10
#: Days from the opening of a right warning to the end of the own window, at these shares of them.
QUARTILES = (0.25, 0.5, 0.75)


def threshold_record(predictions: pd.DataFrame, edges: Sequence[float]) -> dict[str, Any] | None:
    """What each threshold would have given; None where no date is left after the run-in.

    Parameters
    ----------
    predictions
        One row per customer and date of one contestant, matured: ``contestant``, ``customer_id``, ``as_of``,
        ``probability``, ``outcome`` (1 lost, 0 ordered again), ``value`` (at risk) and ``window_left`` (days until the
        own window after the last order ends, below 0 where it has).
    edges
        The thresholds.

    Returns
    -------
    dict
        ``dates`` (counted, ISO), ``days`` (length of the time), ``customers``, ``rows``, ``rows_lost`` (after the
        run-in), ``lost``, ``lost_value``; and under ``edges`` lists with one entry per threshold: ``at``, ``rows`` and
        ``rows_lost`` (predictions at or above it), ``warnings``, ``right``, ``caught``, ``under_older``,
        ``caught_value``, and ``lead_25``, ``lead_50``, ``lead_75`` (None without a right warning).
    """
    try:
        book = Portfolio.read(predictions)
    except TooLittleData:
        return None
    rows = predictions.sort_values(["customer_id", "as_of"])  # the order of the portfolio
    left = rows["window_left"].to_numpy(dtype="float64")
    score, counted = book.score[0], book.counted
    held = sorted({float(edge) for edge in edges})
    found: dict[str, list[Any]] = {"at": held}
    columns = ("warnings", "right", "lost", "caught", "under_older", "lost_value", "caught_value", "under_older_value")
    sums = np.concatenate(
        [
            np.stack([one.sum(axis=1) for one in book.at_thresholds(book.contestants[0], held[at : at + _AT_A_TIME])])
            for at in range(0, len(held), _AT_A_TIME)
        ]
    )
    named = dict(zip(columns, sums.T, strict=True))
    for name in ("warnings", "right", "caught", "under_older"):
        found[name] = [round(value) for value in named[name]]
    found["caught_value"] = [round(float(value), 2) for value in named["caught_value"]]
    found["rows"] = [int((counted & (score >= edge)).sum()) for edge in held]
    found["rows_lost"] = [int((counted & book.lost & (score >= edge)).sum()) for edge in held]
    leads = _leads(book, left, held)
    for share, name in zip(QUARTILES, ("lead_25", "lead_50", "lead_75"), strict=True):
        found[name] = [round(float(np.quantile(one, share)), 1) if one.size else None for one in leads]
    days = np.unique(book.day[counted])
    return {
        "dates": [str(day) for day in days.astype("datetime64[D]")],
        "days": round(book.months * 365.25 / 12, 2),
        "customers": int(np.unique(book.customer[counted]).size),
        "rows": int(counted.sum()),
        "rows_lost": int((counted & book.lost).sum()),
        "lost": round(float(named["lost"][0])),
        "lost_value": round(float(named["lost_value"][0]), 2),
        "edges": found,
    }


def _leads(book: Portfolio, left: FloatArray, edges: Sequence[float]) -> list[FloatArray]:
    """Of each threshold the days until the end of the own window, of every right warning that opens at it."""
    score = book.score[0]
    rank, _ = ranks(score, np.zeros(score.size))
    nearest = lowest_before(rank, book.customer, book.day, USUAL.closed_after_days)
    right = book.counted & book.lost
    cuts = [int((score >= edge).sum()) for edge in edges]
    return [left[right & (rank < cut) & (nearest >= cut)] for cut in cuts]


def at_equal_warnings(
    predictions: pd.DataFrame, warnings: Sequence[int], contestants: Sequence[str], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """What each contestant and the lot reach with as many warnings; nothing where no date is left after the run-in.

    Parameters
    ----------
    predictions
        As for :func:`threshold_record`, of all contestants, on the same rows.
    warnings
        Numbers of new warnings over the whole time.

    Returns
    -------
    list of dict
        ``warnings`` (asked for), ``contestant``, ``opened`` (fewer where no threshold opens so many; means over draws
        where scores tie), ``right``, ``precision`` with ``low`` and ``high``, ``lost``, ``caught``, ``recall``.
    """
    wanted = sorted({int(number) for number in warnings if number > 0})
    try:
        book = Portfolio.read(predictions)
    except TooLittleData:
        return []
    told = []
    for name in [one for one in (*contestants, RANDOM) if one in (*book.contestants, RANDOM)]:
        for number, sums in zip(wanted, book.at_capacities(name, [n / book.months for n in wanted], rng), strict=True):
            opened, right, lost, caught = (float(value) for value in sums[:4].sum(axis=1))
            low, high = wilson(right, opened)
            told.append(
                {
                    "warnings": number,
                    "contestant": name,
                    "opened": round(opened, 1),
                    "right": round(right, 1),
                    "precision": float(ratio(np.array(right), np.array(opened))),
                    "low": float(low),
                    "high": float(high),
                    "lost": round(lost),
                    "caught": round(caught, 1),
                    "recall": float(ratio(np.array(caught), np.array(lost))),
                }
            )
    return told
