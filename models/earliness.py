"""Early warning, by episode: how long before a loss a customer was first warned about, and what that cost.

A **warning** is an episode and not a flagged row: it opens on the date on which the score reaches the contestant's
threshold while none is open, and is over once the score has stayed below it for longer than
``Terms.closed_after_days``. A lost customer whose score stays high is one warning.

**Run-in.** Who stands above the threshold when the dates begin was warned about earlier, nobody knows when. The dates
on which that cannot be told from a new warning (the first one where dates are a month apart) only set the state: a
warning open by then is no new warning. Counted as new, the long silent of years would use up the budget of months.

**What is not paid for earns nothing.** Only new warnings count for a loss, and each from the day it opened: neither one
that stands from before the run-in nor the later months of a long one. A policy that knows nothing then reaches the same
share however long it holds its warnings. If standing counted, one score for all would warn of nearly every loss, at no
more new warnings than there are new customers.

**Equal effort.** Each contestant has the threshold, the highest one, at which it opens as many new warnings per 100
customers and month as the others. Counted in flagged rows, a policy that flags at random would look best, because it
flags somebody else on every date. What stands under a warning at a time is given beside (``standing``).

**Ties** are broken by an order of the customers drawn at random and kept over the dates, and all figures averaged over
such draws. The random policy draws anew on every date; its figures are averaged over draws as well. Thresholds are part
of the policy: resamples of customers keep them.

The structure (precision of warnings, share of events warned, timeliness, burden) is that of Scully & Daluwatte (2017),
PMC6660561.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.book import by_customer, resamples
from models.figures import FloatArray, IntArray, InvalidPredictions, ratio
from models.levels import EARLY, OVERDUE

ALL = "all"
#: Those not yet overdue, those overdue, and both in one list.
QUEUES = (EARLY, OVERDUE, ALL)
RANDOM = "random"
COLUMNS = ("contestant", "customer_id", "as_of", "probability", "overdue")
#: The lead, in days, at which contestants are compared with the baseline.
COMPARED_LEAD = 60
MONTH_DAYS = 365.25 / 12
_TIE_DRAWS = 20
_RANDOM_DRAWS = 50
#: Wider than any history in days: customer * _SPAN + day sorts by customer and then by day.
_SPAN = 1_000_000


@dataclass(frozen=True)
class Terms:
    """What counts as a warning and as a hit, for every contestant alike; all but the first in days.

    Attributes
    ----------
    per_100_a_month
        New warnings per 100 customers and month.
    closed_after_days
        A warning is over when the score was below the threshold on every date of so many days; between one month and
        two, so that a single monthly date below ends it, and a month's length never decides.
    hit_within_days
        A warning is right if the loss comes at most so many days after it opened, and a loss was warned about if a new
        warning opened at most so many days before it.
    leads
        Days before the loss at which the share of losses already newly warned about is given.
    """

    per_100_a_month: float = 3.0
    closed_after_days: int = 45
    hit_within_days: int = 180
    leads: tuple[int, ...] = (0, 30, 60, 90, 120)


USUAL = Terms()


def earliness_table(
    predictions: pd.DataFrame,
    losses: pd.DataFrame,
    *,
    known_until: date,
    baseline: str,
    terms: Terms = USUAL,
    repeats: int = 300,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One row per queue and contestant, the random policy among them.

    Parameters
    ----------
    predictions
        One row per (contestant, customer_id, as_of) with ``probability`` (any score) and ``overdue`` (bool: the
        silence has outlasted the customer's own window); each contestant has the same rows. In the queue of those not
        yet overdue only rows with ``overdue`` false can open a warning, in the other only those with true.
    losses
        ``customer_id``, ``event_at``; ``ends_at`` (the return, missing where there was none) and ``revenue`` (what
        was lost) where they are known. Customers that were not predicted are left out.
    known_until
        Losses before this midnight are all in `losses`. A warning is judged once it is
        ``terms.hit_within_days`` older.
    baseline
        The contestant whose share warned :data:`COMPARED_LEAD` days ahead the others are compared with.

    Returns
    -------
    DataFrame
        ``queue``, ``contestant``, ``n_customers``, ``months`` (customer-months of the queue after the run-in),
        ``warnings`` (new ones; a mean over draws), ``losses_<d>`` (how many could have been warned that early: they
        fell into the period of the dates after the run-in, and the customer was in the queue on such a date at least d
        and at most ``terms.hit_within_days`` days before). Then with ``_low`` and ``_high``, 95 % from resamples of
        customers: ``warned_<d>`` (share of those losses with a new warning that opened on such a date),
        ``precision`` (share of the new warnings old enough to tell that a loss followed), ``warnings_per_100`` (new
        ones per 100 customers and month), ``standing`` (share of the queue above the threshold, over all dates),
        ``already_lost`` (share of the new warnings that came after the loss), ``revenue_recall`` (share of the revenue
        of ``losses_0`` that was warned about) and ``times_baseline`` (``warned_60`` over that of the baseline, on the
        same resamples). NaN where there is nothing to divide by. A queue without a date after the run-in has no rows.

    Raises
    ------
    InvalidPredictions
        If columns or values are missing, the contestants were not all given the same rows, or there is no baseline.
    """
    panel = _Panel.read(predictions, losses, known_until, terms)
    if baseline not in panel.contestants:
        raise InvalidPredictions(f"No predictions of {[baseline]}; the contestants are {panel.contestants}.")
    counts = np.hstack(list(resamples(panel.n_customers, repeats, rng)))
    rows = []
    for queue in QUEUES:
        rows += _judged_queue(panel, queue, baseline, counts, rng)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Losses:
    """Losses in order of customer and day; `opens` is the first day on which a warning counts as one of it."""

    customer: IntArray
    day: IntArray
    ends: IntArray
    opens: IntArray
    revenue: FloatArray
    inside: IntArray  # numbers of those that fell into the evaluated period


@dataclass(frozen=True)
class _Panel:
    """Rows in order of customer and day, the scores of each contestant, and the losses."""

    contestants: list[str]
    score: FloatArray
    customer: IntArray
    day: IntArray
    overdue: npt.NDArray[np.bool_]
    losses: _Losses
    step_days: float
    counted: npt.NDArray[np.bool_]  # rows after the run-in
    known_until: int
    terms: Terms

    @property
    def n_customers(self) -> int:
        return int(self.customer.max()) + 1

    def per_customer(self, customer: IntArray, values: npt.ArrayLike) -> FloatArray:
        """Sum of the values per customer."""
        return np.bincount(customer, np.asarray(values, dtype=float), self.n_customers).astype(float)

    @classmethod
    def read(cls, predictions: pd.DataFrame, losses: pd.DataFrame, known_until: date, terms: Terms) -> _Panel:
        absent = [name for name in COLUMNS if name not in predictions]
        if absent or predictions.empty or predictions["overdue"].isna().any():
            raise InvalidPredictions(
                f"Early warning needs the columns {list(COLUMNS)}, none of them missing a value; found "
                f"{list(predictions)} and {len(predictions)} rows."
            )
        names, score, one = by_customer(predictions.assign(outcome=0.0))
        customer, known = pd.factorize(one["customer_id"])
        day, overdue = days_of(one["as_of"]), one["overdue"].to_numpy(dtype=bool)
        settled, step = settled_dates(day, terms.closed_after_days)
        counted = np.isin(day, settled)
        period = (int(settled[0]) if settled.size else int(day.max()), int(np.ceil(day.max() + step)))
        found = _read_losses(losses, pd.Index(known), period, terms)
        end = int(days_of(pd.Series([pd.Timestamp(known_until)]))[0])
        return cls(names, score, customer, day, overdue, found, step, counted, end, terms)


def _read_losses(losses: pd.DataFrame, customers: pd.Index, period: tuple[int, int], terms: Terms) -> _Losses:
    """The losses of these customers; those from `period[0]` until before `period[1]` are inside."""
    absent = [name for name in ("customer_id", "event_at") if name not in losses]
    if absent or losses["event_at"].isna().any() or losses.duplicated(["customer_id", "event_at"]).any():
        raise InvalidPredictions(
            "Losses need the columns ['customer_id', 'event_at'], each pair once and none missing; found "
            f"{list(losses)} and {len(losses)} rows. Drop the rows without a date."
        )
    kept = losses[losses["customer_id"].isin(customers)].reset_index(drop=True)
    customer, day = customers.get_indexer(pd.Index(kept["customer_id"])), days_of(kept["event_at"])
    order = np.lexsort((day, customer))
    customer, day = customer[order].astype(np.int64), day[order]
    ends = np.full(day.size, _SPAN - 1)
    if "ends_at" in kept:
        back = kept["ends_at"].notna().to_numpy()[order]
        ends[back] = days_of(kept["ends_at"].iloc[order])[back]
    revenue = kept["revenue"].fillna(0).to_numpy(dtype=float)[order] if "revenue" in kept else np.zeros(day.size)
    opens = day - terms.hit_within_days
    again = np.flatnonzero(np.diff(customer) == 0) + 1
    opens[again] = np.maximum(opens[again], ends[again - 1])
    inside = np.flatnonzero((day >= period[0]) & (day < period[1]))
    return _Losses(customer, day, ends, opens, revenue, inside)


# The episode rule, for whoever counts warnings: rows stand in order of customer and day throughout.


def days_of(at: pd.Series) -> IntArray:
    """Days since 1970, rounded down."""
    return pd.to_datetime(at).to_numpy().astype("datetime64[D]").astype(np.int64)


def settled_dates(day: IntArray, closed_after_days: int) -> tuple[IntArray, float]:
    """The dates after the run-in, and the mean number of days from one date to the next."""
    dates = np.unique(day)
    step = float(np.diff(dates).mean()) if len(dates) > 1 else MONTH_DAYS
    # A date of the run-in lies so near the first that a date before that would still hold a warning open.
    return dates[(dates > dates[0]) & (dates - dates[0] + step > closed_after_days)], step


def ranks(score: FloatArray, tie: FloatArray) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """The rank of every row, 0 for the highest score, and whether a threshold can lie after the first 0 to n rows."""
    n = score.size
    rank = np.empty(n, dtype=np.int64)
    order = np.lexsort((tie, -score))
    rank[order] = np.arange(n)
    # A threshold lies between two scores: rows of a customer with the same score are above it together.
    between = np.ones(n + 1, dtype=bool)
    between[1:-1] = (np.diff(score[order]) != 0) | (np.diff(tie[order]) != 0)
    return rank, between


def lowest_before(rank: IntArray, customer: IntArray, day: IntArray, closed_after_days: int) -> IntArray:
    """The lowest rank among the customer's rows of the days in which a warning stays open; n where none is.

    With the first `cut` rows above the threshold, a row opens a warning if its rank is below `cut` and this is not.
    """
    n, lowest = rank.size, np.full(rank.size, rank.size)
    for back in range(1, n):
        near = day[back:] - day[:-back] <= closed_after_days
        near &= customer[back:] == customer[:-back]
        if not near.any():
            break
        lowest[back:] = np.where(near, np.minimum(lowest[back:], rank[:-back]), lowest[back:])
    return lowest


def openings(rank: IntArray, nearest: IntArray, counted: npt.NDArray[np.bool_]) -> IntArray:
    """How many new warnings open on counted rows with the first 0, 1, ... n rows above the threshold."""
    n = rank.size
    # A row opens one for every cut above its own rank up to the lowest rank of the customer's rows just before.
    new = counted & (nearest > rank)
    begins, stops = rank[new] + 1, nearest[new] + 1
    change = np.bincount(begins, minlength=n + 2) - np.bincount(stops, minlength=n + 2)
    return np.cumsum(change)[: n + 1]


def cut_for(opened: IntArray, between: npt.NDArray[np.bool_], wanted: int) -> int:
    """The number of rows above the highest threshold that opens so many new warnings, or else the most there are."""
    reached = np.flatnonzero(between & (opened >= wanted))
    return int(reached[0] if reached.size else np.where(between, opened, -1).argmax())


def tie_breaks(
    score: FloatArray, customer: IntArray, n_customers: int, draws: int, rng: np.random.Generator
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """A contestant's scores with what breaks ties between customers: once where no two tie, else in so many ways."""
    pairs = np.unique(np.stack([score, customer.astype(float)]), axis=1).shape[1]
    for _ in range(1 if np.unique(score).size == pairs else draws):
        yield score, rng.permutation(n_customers).astype(float)[customer]


def random_scores(rows: int, draws: int, rng: np.random.Generator) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Scores that say nothing, drawn anew for every date, so many times; with no ties to break."""
    for _ in range(draws):
        yield rng.random(rows), np.zeros(rows)


@dataclass(frozen=True)
class _Queue:
    """The rows of one queue: what can open a warning there, and what every policy is measured by."""

    panel: _Panel
    customer: IntArray
    day: IntArray
    counted: npt.NDArray[np.bool_]

    @property
    def months(self) -> float:
        """Customer-months after the run-in."""
        return float(self.counted.sum()) * self.panel.step_days / MONTH_DAYS

    def flagged(self, score: FloatArray, tie: FloatArray) -> tuple[IntArray, IntArray]:
        """Numbers of the rows above the threshold of the budget, and of those among them that open a warning."""
        rank, between = ranks(score, tie)
        nearest = lowest_before(rank, self.customer, self.day, self.panel.terms.closed_after_days)
        wanted = max(1, round(self.panel.terms.per_100_a_month * self.months / 100))
        cut = cut_for(openings(rank, nearest, self.counted), between, wanted)
        return np.flatnonzero(rank < cut), np.flatnonzero((rank < cut) & (nearest >= cut))

    def longest_lead(self, rows: IntArray) -> IntArray:
        """Days from the first of these rows that may count for it to each loss inside the period; -1 without one."""
        losses = self.panel.losses
        who, when = losses.customer[losses.inside], losses.day[losses.inside]
        keys = self.customer[rows] * _SPAN + self.day[rows]
        place = np.searchsorted(keys, who * _SPAN + losses.opens[losses.inside])
        found = np.append(keys, -1)[place]
        counts = (found // _SPAN == who) & (found % _SPAN <= when)
        return np.where(counts, when - found % _SPAN, -1)

    def sums(self, flagged: IntArray, opened: IntArray, possible: IntArray) -> dict[str, tuple[FloatArray, FloatArray]]:
        """Per figure the numerator and denominator of every customer, with these rows above the threshold."""
        panel, losses = self.panel, self.panel.losses
        new = opened[self.counted[opened]]
        lead, lost = self.longest_lead(new), losses.customer[losses.inside]
        figures = {}
        for days in panel.terms.leads:
            could = possible >= days
            figures[f"warned_{days}"] = (
                panel.per_customer(lost, could & (lead >= days)),
                panel.per_customer(lost, could),
            )
        revenue = losses.revenue[losses.inside] * (possible >= 0)
        who, day = self.customer[new], self.day[new]
        key, keys = who * _SPAN + day, losses.customer * _SPAN + losses.day
        following = np.searchsorted(keys, key)
        ahead = np.append(keys, -1)[following] - key
        previous = np.append(keys, -1)[following - 1]
        gone = (previous // _SPAN == who) & (np.append(losses.ends, 0)[following - 1] > day)
        hit = (ahead >= 0) & (ahead <= panel.terms.hit_within_days) & ~gone
        old = day + panel.terms.hit_within_days <= panel.known_until
        every = np.ones(new.size)
        hundreds = self.counted * self.panel.step_days / MONTH_DAYS / 100
        return figures | {
            "precision": (panel.per_customer(who, hit & old), panel.per_customer(who, old)),
            "warnings_per_100": (panel.per_customer(who, every), panel.per_customer(self.customer, hundreds)),
            "standing": (
                panel.per_customer(self.customer[flagged], np.ones(flagged.size)),
                panel.per_customer(self.customer, np.ones(self.day.size)),
            ),
            "already_lost": (panel.per_customer(who, gone), panel.per_customer(who, every)),
            "revenue_recall": (panel.per_customer(lost, revenue * (lead >= 0)), panel.per_customer(lost, revenue)),
        }


def _judged_queue(
    panel: _Panel, queue: str, baseline: str, counts: FloatArray, rng: np.random.Generator
) -> list[dict[str, object]]:
    """The rows of the table for one queue; none where nobody stands in it after the run-in."""
    inside = np.flatnonzero({ALL: panel.overdue | True, EARLY: ~panel.overdue, OVERDUE: panel.overdue}[queue])
    rows = _Queue(panel, panel.customer[inside], panel.day[inside], panel.counted[inside])
    if not rows.counted.any():
        return []
    possible = rows.longest_lead(np.flatnonzero(rows.counted))
    sums = {
        name: _mean_sums(rows, possible, tie_breaks(score[inside], rows.customer, panel.n_customers, _TIE_DRAWS, rng))
        for name, score in zip(panel.contestants, panel.score, strict=True)
    }
    sums[RANDOM] = _mean_sums(rows, possible, random_scores(rows.day.size, _RANDOM_DRAWS, rng))
    facts: dict[str, object] = {"n_customers": np.unique(rows.customer).size, "months": rows.months}
    facts |= {f"losses_{days}": int((possible >= days).sum()) for days in panel.terms.leads}
    compared = f"warned_{COMPARED_LEAD}"
    table = []
    for name, figures in sums.items():
        row: dict[str, object] = {"queue": queue, "contestant": name} | facts
        row["warnings"] = round(float(figures["warnings_per_100"][0].sum()), 6)
        for metric, pair in figures.items():
            row |= _with_interval(metric, pair, counts)
        if compared in figures:
            row |= _with_interval("times_baseline", (figures[compared][0], sums[baseline][compared][0]), counts)
        table.append(row)
    return table


def _mean_sums(
    rows: _Queue, possible: IntArray, draws: Iterator[tuple[FloatArray, FloatArray]]
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """The sums of a policy, averaged over draws."""
    total: dict[str, FloatArray] = {}
    number = 0
    for score, tie in draws:
        number += 1
        for name, pair in rows.sums(*rows.flagged(score, tie), possible).items():
            total[name] = total.get(name, 0.0) + np.stack(pair)
    return {name: (both[0] / number, both[1] / number) for name, both in total.items()}


def _with_interval(name: str, pair: tuple[FloatArray, FloatArray], counts: FloatArray) -> dict[str, float]:
    """A quotient of sums over customers with the middle 95 % of its resamples."""
    above, below = (values @ counts for values in pair)
    value = float(ratio(pair[0].sum(keepdims=True), pair[1].sum(keepdims=True))[0])
    # A resample in which the baseline warned nobody in time is infinitely often beaten; without both it says nothing.
    drawn = np.where((below == 0) & (above > 0), np.inf, ratio(above, below))
    drawn = drawn[~np.isnan(drawn)]
    if drawn.size == 0 or np.isnan(value):
        return {name: value, f"{name}_low": np.nan, f"{name}_high": np.nan}
    low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
    return {name: value, f"{name}_low": float(low), f"{name}_high": float(high)}
