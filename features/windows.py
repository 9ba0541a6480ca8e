"""The customer's own churn window: how long a silence counts as having left, and which multiple makes that true.

The window is a multiple of the customer's long gap, the gap that nine of ten of its gaps do not exceed, pulled towards
that of the cohort. Which multiple is no matter of taste: the company's own past decides. Of those who were silent for
their whole window, some order again within the next one: the *false-churn share*. The smallest multiple that keeps it
within bounds is taken.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: The months of the year, as the bits of a number (January is 1), whose days count towards a window: all of them.
ALL_YEAR = 0b1111_1111_1111

#: What a window is made of: columns of the snapshots that :func:`windows_of` reads.
READS = ("as_of", "long_gap_days", "open_months")

#: Customers whose silence a multiple must have been tried on before its share is believed.
MIN_CUSTOMERS = 20

_Z = 1.959964


@dataclass(frozen=True)
class Window:
    """The rule of the customer's own window.

    Attributes
    ----------
    multiples
        Multiples of the long gap that may be taken, rising. One alone is fixed.
    max_false_churn
        Share of those silent for their window who may order again within the next one. The smallest multiple that keeps
        to it is taken (:func:`choose_multiple`).
    min_days, max_days
        Bounds of the window.
    shrink_gaps
        Gaps of the cohort's usual customer that are added to the customer's own n gaps: the own long gap weighs n / (n
        + shrink_gaps).
    """

    multiples: tuple[float, ...] = (1.5, 2.0, 2.5, 3.0)
    max_false_churn: float = 0.25
    min_days: int = 45
    max_days: int = 180
    shrink_gaps: float = 4.0

    def __post_init__(self) -> None:
        """Take the list that a file of JSON holds for what it was."""
        object.__setattr__(self, "multiples", tuple(self.multiples))


@dataclass(frozen=True)
class FalseChurn:
    """How one multiple fared: of `positives` silent snapshots of `customers`, which share ordered again in time.

    `low` and `high` are the 95 % interval; all three are None where fewer than :data:`MIN_CUSTOMERS` were silent.
    """

    multiple: float
    share: float | None
    low: float | None
    high: float | None
    positives: int
    customers: int


@dataclass(frozen=True)
class WindowChoice:
    """Which multiple is taken and what every one of them would have been worth.

    Attributes
    ----------
    multiple
        The one that is taken.
    reached
        Whether it keeps to `max_false_churn`; None where too little has matured to tell.
    max_false_churn
        What was asked for.
    tried
        Every multiple of the rule, rising.
    """

    multiple: float
    reached: bool | None
    max_false_churn: float
    tried: tuple[FalseChurn, ...]

    @property
    def chosen(self) -> FalseChurn:
        """How the multiple that is taken fared: the purity of the label."""
        return next(one for one in self.tried if one.multiple == self.multiple)

    @property
    def words(self) -> str:
        """The choice and its purity as one sentence or two."""
        one = self.chosen
        head = f"The window is {self.multiple:g} times a customer's long gap"
        if one.share is None:
            return (
                f"{head}: too little has matured to choose by ({one.customers} customers were silent for their window "
                f"long enough ago, {MIN_CUSTOMERS} are needed), so that the share of false churn is not known yet."
            )
        how = "as set" if len(self.tried) == 1 else "chosen from the company's own past"
        purity = (
            f"Of {one.positives:,} silences as long ({one.customers:,} customers), {one.share:.0%} (95 % interval "
            f"{one.low:.0%} to {one.high:.0%}) ended in an order within as long again"
        )
        if self.reached:
            return f"{head}, {how}. {purity}; at most {self.max_false_churn:.0%} was asked for."
        lacking = "no multiple keeps" if len(self.tried) > 1 else "it does not keep"
        return f"{head}, {how}. {purity}: {lacking} to the {self.max_false_churn:.0%} asked for."

    def to_dict(self) -> dict[str, object]:
        """Plain values, as a manifest holds them."""
        return {**asdict(self), "tried": [asdict(one) for one in self.tried]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "WindowChoice":
        """The choice from :meth:`to_dict`."""
        return cls(**{**values, "tried": tuple(FalseChurn(**one) for one in values["tried"])})


def long_gaps(frame: pd.DataFrame, rule: Window, usual_q90: pd.Series) -> pd.Series:
    """The gap that nine of ten gaps do not exceed, in days, pulled towards that of the cohort of the same date.

    Parameters
    ----------
    frame
        ``gap_q90_days_ever`` (NaN below one gap) and ``order_days_ever``.
    usual_q90
        Median of the cohort's long gaps at each row's date, NaN where there is no cohort: the longest window then
        stands for it.
    """
    own = frame["gap_q90_days_ever"]
    gaps = (frame["order_days_ever"] - 1).clip(lower=0).where(own.notna(), 0)
    usual = usual_q90.fillna(rule.max_days / rule.multiples[0])
    pulled = (gaps * own.fillna(0) + rule.shrink_gaps * usual) / (gaps + rule.shrink_gaps)
    return pulled.astype("float64").rename("long_gap_days")


def windows_of(frame: pd.DataFrame, rule: Window, multiple: float | None = None) -> pd.Series:
    """Days from the cutoff without an order after which a customer counts as churned.

    Parameters
    ----------
    frame
        ``long_gap_days`` and, where some have a season, ``as_of`` and ``open_months`` (:data:`ALL_YEAR` for everybody
        else): of a seasonal customer only the days of its open months count, so that its window ends later, by
        `max_days` at the latest.
    multiple
        Of the long gap; by default the first of the rule's.

    Returns
    -------
    Series
        int64 days on the frame's index.
    """
    times = rule.multiples[0] if multiple is None else multiple
    days = (times * frame["long_gap_days"]).clip(rule.min_days, rule.max_days).round().astype("int64")
    if "open_months" in frame.columns:
        days = _in_open_months(frame, days, rule.max_days)
    return days.rename("churn_window_days")


def churn_windows(frame: pd.DataFrame, rule: Window, usual_q90: pd.Series) -> pd.Series:
    """The windows at the rule's first multiple, from the gaps; see :func:`long_gaps` and :func:`windows_of`."""
    return windows_of(frame.assign(long_gap_days=long_gaps(frame, rule, usual_q90)), rule)


def _in_open_months(frame: pd.DataFrame, days: pd.Series, longest: int) -> pd.Series:
    """The windows in calendar days where they were counted in days of open months."""
    open_months = frame["open_months"].to_numpy("int64")
    wanted = days.to_numpy(copy=True)
    seasonal = np.flatnonzero(open_months != ALL_YEAR)
    starts = frame["as_of"].to_numpy("datetime64[D]")[seasonal]
    for start in np.unique(starts):
        rows = seasonal[starts == start]
        months = (start + np.arange(longest)).astype("datetime64[M]").astype("int64") % 12
        masks, which = np.unique(open_months[rows], return_inverse=True)
        passed = np.cumsum((masks[:, None] >> months) & 1, axis=1)[which]
        reached = passed >= wanted[rows, None]
        wanted[rows] = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, longest)
    return pd.Series(wanted, index=days.index)


def choose_multiple(rows: pd.DataFrame, rule: Window) -> WindowChoice:
    """The smallest multiple whose false-churn share keeps to the rule; else the best one, and that it does not.

    Best is the smallest whose share lies within the 95 % interval of the lowest one: a longer window must show that it
    is purer, else the window would jump from month to month by chance. The share is told over the dates that lie twice
    the longest window back, the same for all multiples: later dates would know of short windows alone.

    Parameters
    ----------
    rows
        Eligible snapshots with their outcome as known at the deciding date: ``customer_id``, ``as_of``,
        ``long_gap_days``, ``days_to_next_order``, ``observed_days`` and ``open_months`` where some have a season.
    """
    read = [name for name in ("customer_id", "days_to_next_order", *READS) if name in rows.columns]
    known = rows.loc[(rows["observed_days"] >= 2 * rule.max_days).to_numpy(), read]
    customers = pd.factorize(known["customer_id"])[0]
    tried = tuple(_false_churn(known, customers, rule, multiple) for multiple in rule.multiples)
    told = [one for one in tried if one.share is not None]
    if not told:
        return WindowChoice(rule.multiples[0], None, rule.max_false_churn, tried)
    pure = [one for one in told if one.share is not None and one.share <= rule.max_false_churn]
    if pure:
        return WindowChoice(pure[0].multiple, True, rule.max_false_churn, tried)
    best = min(told, key=lambda one: one.share or 0.0)
    near = next(one for one in told if (one.share or 0.0) <= (best.high or 0.0))
    return WindowChoice(near.multiple, False, rule.max_false_churn, tried)


def _false_churn(known: pd.DataFrame, customers: NDArray[np.int64], rule: Window, multiple: float) -> FalseChurn:
    window = windows_of(known, rule, multiple).to_numpy()
    days = known["days_to_next_order"].to_numpy("float64")
    silent = ~(days < window)
    back = (days < 2 * window)[silent]
    sizes = np.bincount(customers[silent])
    again = np.bincount(customers[silent], weights=back.astype("float64"))[sizes > 0]
    sizes = sizes[sizes > 0]
    if len(sizes) < MIN_CUSTOMERS:
        return FalseChurn(multiple, None, None, None, int(silent.sum()), len(sizes))
    share, low, high = _clustered(again, sizes)
    return FalseChurn(multiple, share, low, high, int(silent.sum()), len(sizes))


def _clustered(hits: NDArray[Any], sizes: NDArray[Any]) -> tuple[float, float, float]:
    """A share of rows that come in groups, with its interval.

    The Wilson interval (1927, JASA 22) on as many rows as would be worth these, were they independent: the number that
    the variance of the ratio over groups stands for (Kish 1965, Survey Sampling, ch. 8).
    """
    n, groups = float(sizes.sum()), len(sizes)
    share = float(hits.sum() / n)
    variance = groups / (groups - 1) * float(((hits - share * sizes) ** 2).sum()) / n**2
    worth = share * (1 - share) / variance if variance > 0 else float(groups)
    worth = min(max(worth, 1.0), n)
    middle = (share * worth + _Z**2 / 2) / (worth + _Z**2)
    half = _Z / (worth + _Z**2) * float(np.sqrt(share * (1 - share) * worth + _Z**2 / 4))
    return share, max(0.0, middle - half), min(1.0, middle + half)
