"""The portfolio simulator: what contacting by a score would have cost and caught, at any threshold and any capacity.

A **contact** is a new warning, by the episode rule of :mod:`models.earliness`: a customer who was warned about on a
date before and still stands above the threshold is none, and neither is one whose warning stands since the run-in.

A **lost customer** is one who was lost at some date after the run-in, whichever contestant is asked. It counts once,
with its value on the first such date, however many of its dates and warnings there are. It was *caught* if a new
warning opened on a date from which it was lost, *under an older warning* if it stood above the threshold on such a date
without a new warning, and else *missed*; the three add up to all lost customers. An older warning was paid for before,
and perhaps long before: more contacts open some warnings earlier, so that what they catch does not always grow.

A warning is right if the customer was lost from that date on, and else a false alarm: the customer ordered again. What
came of it is what came of it without our contacts: nobody knows how many would have been kept.

Thresholds are part of the policy. That of a capacity is the highest at which so many new warnings a month open over the
dates; resamples of customers keep it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from features.errors import TooLittleData
from models.book import by_customer, resamples
from models.earliness import (
    MONTH_DAYS,
    RANDOM,
    USUAL,
    cut_for,
    days_of,
    lowest_before,
    openings,
    random_scores,
    ranks,
    settled_dates,
    tie_breaks,
)
from models.economics import CompanyNumbers, Measure, break_even_save_rate, profit
from models.figures import COLUMNS, FloatArray, IntArray, InvalidPredictions, ratio, wilson

#: What is counted of each customer under a policy.
_SUMS = ("warnings", "right", "lost", "caught", "under_older", "lost_value", "caught_value", "under_older_value")
#: Figures with an interval from resamples of customers.
WITH_INTERVAL = ("caught_share", "caught_value", "caught_value_share", "break_even_save_rate", "profit")
_TIE_DRAWS = 10
_RANDOM_DRAWS = 20


@dataclass(frozen=True)
class Portfolio:
    """Matured predictions of several dates with what was at stake, in order of customer and day.

    Attributes
    ----------
    contestants
        Names, in the order of `score`.
    score
        Shape (contestants, rows): any score.
    customer, day
        Number of the customer from 0, and days since 1970.
    lost
        Whether the customer was lost from that date on.
    value
        Value at risk on that date.
    counted
        Rows after the run-in, the first dates, which only show who stands under a warning already.
    months
        Length of the time after the run-in.
    """

    contestants: list[str]
    score: FloatArray
    customer: IntArray
    day: IntArray
    lost: npt.NDArray[np.bool_]
    value: FloatArray
    counted: npt.NDArray[np.bool_]
    months: float

    @classmethod
    def read(cls, predictions: pd.DataFrame) -> Portfolio:
        """The rows of a frame ``contestant, customer_id, as_of, probability, outcome`` (0 or 1) and ``value``.

        Raises
        ------
        InvalidPredictions
            If columns or values are missing, or the contestants were not all given the same rows.
        TooLittleData
            If no date is left after the run-in.
        """
        absent = [name for name in (*COLUMNS, "value") if name not in predictions]
        if absent or predictions.empty or not np.isfinite(predictions["value"]).all():
            raise InvalidPredictions(
                f"A portfolio needs the columns {[*COLUMNS, 'value']}, a value in every row, and rows; found "
                f"{list(predictions)} and {len(predictions)} rows."
            )
        names, score, one = by_customer(predictions)
        day = days_of(one["as_of"])
        settled, step = settled_dates(day, USUAL.closed_after_days)
        if settled.size == 0:
            raise TooLittleData(
                f"The outcomes of {np.unique(day).size} date(s) are known; at least 2, a month apart, are needed: the "
                "first only shows who was warned about before. Give predictions of more or earlier dates."
            )
        customer, lost = pd.factorize(one["customer_id"])[0], one["outcome"].to_numpy(dtype=float) == 1
        months = settled.size * step / MONTH_DAYS
        value = one["value"].to_numpy(dtype=float)
        return cls(names, score, customer, day, lost, value, np.isin(day, settled), months)

    @property
    def n_customers(self) -> int:
        """Distinct customers."""
        return int(self.customer.max()) + 1

    def most_a_month(self, contestant: str) -> float:
        """The most new warnings a month that a threshold can open: below it everybody stands under one already."""
        score = self.score[self.contestants.index(contestant)]
        rank, between = ranks(score, np.zeros(score.size))
        opened = openings(rank, self._nearest(rank), self.counted)
        return float(opened[between].max()) / self.months

    def _nearest(self, rank: IntArray) -> IntArray:
        return lowest_before(rank, self.customer, self.day, USUAL.closed_after_days)

    def _draws(self, contestant: str, rng: np.random.Generator) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Scores with what breaks ties between customers: several times where there are ties, or nothing but chance."""
        if contestant == RANDOM:
            return random_scores(self.day.size, _RANDOM_DRAWS, rng)
        score = self.score[self.contestants.index(contestant)]
        return tie_breaks(score, self.customer, self.n_customers, _TIE_DRAWS, rng)

    def at_capacities(self, contestant: str, a_month: Sequence[float], rng: np.random.Generator) -> list[FloatArray]:
        """Sums per customer, shape (sums, customers), for each number of new warnings a month."""
        total = [np.zeros((len(_SUMS), self.n_customers)) for _ in a_month]
        draws = 0
        for score, tie in self._draws(contestant, rng):
            draws += 1
            rank, between = ranks(score, tie)
            nearest = self._nearest(rank)
            opened = openings(rank, nearest, self.counted)
            for sums, capacity in zip(total, a_month, strict=True):
                cut = cut_for(opened, between, max(1, round(capacity * self.months)))
                sums += self._sums(rank < cut, nearest < cut)
        return [sums / draws for sums in total]

    def at_thresholds(self, contestant: str, thresholds: Sequence[float]) -> list[FloatArray]:
        """Sums per customer, shape (sums, customers), for each score from which on a customer is warned about."""
        score = self.score[self.contestants.index(contestant)]
        rank, _ = ranks(score, np.zeros(score.size))
        nearest = self._nearest(rank)
        cuts = [int((score >= threshold).sum()) for threshold in thresholds]
        return [self._sums(rank < cut, nearest < cut) for cut in cuts]

    def _sums(self, flagged: npt.NDArray[np.bool_], standing: npt.NDArray[np.bool_]) -> FloatArray:
        """What is counted of each customer, with these rows above the threshold and those under a warning before."""
        opened = self.counted & flagged & ~standing
        lost_rows = np.flatnonzero(self.counted & self.lost)
        who, first = np.unique(self.customer[lost_rows], return_index=True)  # rows of a customer stand by day
        lost = self._of(who, 1.0)
        value = self._of(who, self.value[lost_rows[first]])
        caught = lost * (self._per_customer(opened & self.lost) > 0)
        older = lost * (self._per_customer(self.counted & self.lost & flagged) > 0) * (caught == 0)
        # A customer whose loss was caught twice is worth saving once.
        rows = [self._per_customer(opened), self._per_customer(opened & self.lost)]
        return np.stack([*rows, lost, caught, older, value, value * caught, value * older])

    def _of(self, who: IntArray, values: float | FloatArray) -> FloatArray:
        every = np.zeros(self.n_customers)
        every[who] = values
        return every

    def _per_customer(self, rows: npt.NDArray[np.bool_]) -> FloatArray:
        return np.bincount(self.customer[rows], minlength=self.n_customers).astype(float)


def capacity_table(
    portfolio: Portfolio,
    contestants: Sequence[str],
    a_month: Sequence[float],
    numbers: CompanyNumbers,
    measure: Measure,
    *,
    repeats: int = 300,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One row per contestant and number of new warnings a month, the contestants at equal effort.

    Parameters
    ----------
    contestants
        Of the portfolio, and :data:`models.earliness.RANDOM` for chance.
    a_month
        New warnings a month. Where fewer can open, the most that can.
    numbers, measure
        The company's numbers, and what the values are counted in.

    Returns
    -------
    DataFrame
        ``contestant``, ``capacity``, then: ``warnings`` (new ones after the run-in, each a contact),
        ``warnings_a_month``, ``right``, ``false_alarms`` (ordered again), ``precision`` with its Wilson interval,
        ``lost``, ``caught``, ``under_older`` and ``missed`` customers, ``lost_value``, ``under_older_value``, ``cost``
        (contacts and offers to those who ordered again; NaN where not set), and with ``_low`` and ``_high``, 95 % from
        resamples of customers, ``caught_share`` (of the lost customers), ``caught_value``, ``caught_value_share``,
        ``break_even_save_rate`` and ``profit``. Counts may be fractional where ties were broken in several ways.
    """
    keys = [(name, capacity) for name in contestants for capacity in a_month]
    sums = [each for name in contestants for each in portfolio.at_capacities(name, a_month, rng)]
    head = pd.DataFrame(keys, columns=["contestant", "capacity"])
    return _judged(head, sums, portfolio, numbers, measure, repeats, rng)


def threshold_table(
    portfolio: Portfolio,
    contestants: Sequence[str],
    thresholds: Sequence[float],
    numbers: CompanyNumbers,
    measure: Measure,
    *,
    repeats: int = 300,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """As :func:`capacity_table`, one row per contestant and ``threshold``: who reaches it is warned about."""
    keys = [(name, threshold) for name in contestants for threshold in thresholds]
    sums = [each for name in contestants for each in portfolio.at_thresholds(name, thresholds)]
    head = pd.DataFrame(keys, columns=["contestant", "threshold"])
    return _judged(head, sums, portfolio, numbers, measure, repeats, rng)


def _judged(
    head: pd.DataFrame,
    sums: Sequence[FloatArray],
    portfolio: Portfolio,
    numbers: CompanyNumbers,
    measure: Measure,
    repeats: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The policies' sums as figures, with the middle 95 % of their resamples."""
    matrix = sparse.csr_array(np.concatenate(sums))
    shape = (len(sums), len(_SUMS), -1)
    totals = np.concatenate([each.sum(axis=1) for each in sums]).reshape(shape)
    drawn = [(matrix @ counts).reshape(shape) for counts in resamples(portfolio.n_customers, repeats, rng)]
    found = dict(zip(_SUMS, np.moveaxis(totals, 1, 0)[..., 0], strict=True))
    figures = _figures(np.moveaxis(totals, 1, 0), numbers, measure)
    spread = _figures(np.moveaxis(np.concatenate(drawn, axis=2), 1, 0), numbers, measure)
    low, high = wilson(found["right"], found["warnings"])
    false_alarms = found["warnings"] - found["right"]
    contacts = np.nan if numbers.contact_cost is None else numbers.contact_cost * found["warnings"]
    table = head.assign(
        warnings=found["warnings"],
        warnings_a_month=found["warnings"] / portfolio.months,
        right=found["right"],
        false_alarms=false_alarms,
        precision=ratio(found["right"], found["warnings"]),
        precision_low=low,
        precision_high=high,
        lost=found["lost"],
        caught=found["caught"],
        under_older=found["under_older"],
        missed=found["lost"] - found["caught"] - found["under_older"],
        lost_value=found["lost_value"],
        under_older_value=found["under_older_value"],
        cost=contacts + numbers.offer_cost * false_alarms,
    )
    for name in WITH_INTERVAL:
        bounds = np.array([_bounds(values) for values in spread[name]])
        table = table.assign(
            **{name: figures[name][:, 0], f"{name}_low": bounds[:, 0], f"{name}_high": bounds[:, 1]},
        )
    return table


def _figures(sums: npt.NDArray[np.float64], numbers: CompanyNumbers, measure: Measure) -> Mapping[str, FloatArray]:
    """Figures of sums of shape (sums, policies, resamples); each of shape (policies, resamples)."""
    found = dict(zip(_SUMS, sums, strict=True))
    paid = (found["warnings"], found["right"], found["caught_value"], numbers, measure)
    return {
        "caught_share": ratio(found["caught"], found["lost"]),
        "caught_value": found["caught_value"],
        "caught_value_share": ratio(found["caught_value"], found["lost_value"]),
        "break_even_save_rate": np.where(found["warnings"] > 0, break_even_save_rate(*paid), np.nan),
        "profit": profit(*paid),
    }


def _bounds(values: FloatArray) -> tuple[float, float]:
    """The middle 95 % of what is known; "nearest", because a break-even rate may be infinite."""
    known = values[~np.isnan(values)]
    if known.size == 0:
        return np.nan, np.nan
    low, high = np.quantile(known, [0.025, 0.975], method="nearest")
    return float(low), float(high)
