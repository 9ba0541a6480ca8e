"""Money: what a customer is worth a year, what is expected to be lost, whether a contact pays, what can be proven.

Every number here that depends on what a contact achieves uses a rate that the company has set. Where it has set none
there is no profit, only the rate from which on a contact would pay: how many losses a contact prevents is known from a
group that was left alone, and from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq
from scipy.special import ndtri

from models.figures import FloatArray, InvalidPredictions, ratio

#: What a value is counted in: gross profit where the source tells it, else net revenue.
Measure = Literal["margin", "revenue"]
MARGIN: Measure = "margin"
REVENUE: Measure = "revenue"

#: Days of the past for which the revenue of everybody is known: what the season of a part of the year is read off.
_KNOTS = np.array([0.0, 30.0, 90.0, 180.0, 365.0])
_REVENUES = [f"revenue_{days:.0f}d" for days in _KNOTS[1:]]
_YEAR_DAYS = 365
#: Columns of the snapshots that a value at risk is made of; besides them ``margin_share_365d``, where there is one.
READS = ("as_of", "segment", "days_since_first_order", "order_days_365d", *_REVENUES)
#: Usual customers of the company that are added to each segment, as for the other levels of a segment.
_SHRINK_CUSTOMERS = 20.0
#: Margins are used where they are known for at least this share of the revenue.
_MARGIN_KNOWN_SHARE = 0.5


@dataclass(frozen=True)
class CompanyNumbers:
    """What only the company itself can know; None where it has not said so.

    Attributes
    ----------
    contact_cost
        What one contact costs, in the project's currency.
    offer_cost
        What is given away to a contacted customer that goes on ordering; 0 where nothing is offered.
    save_rate
        Share (0 to 1) of the customers about to be lost that a contact keeps.
    margin_share
        Share of net revenue that is margin; used where the source has no margins.
    replacement_multiple
        How many times the cost of keeping a customer a new one costs: the lower and the upper end.
    """

    contact_cost: float | None = None
    offer_cost: float = 0.0
    save_rate: float | None = None
    margin_share: float | None = None
    replacement_multiple: tuple[float, float] | None = None

    def margin_of(self, measure: Measure) -> float | None:
        """What one unit of value at risk earns; None where only revenue is known and no share of it was set."""
        return 1.0 if measure == MARGIN else self.margin_share

    def missing(self, measure: Measure) -> tuple[str, ...]:
        """Names of the numbers without which there is no expected profit."""
        needed = {"contact_cost": self.contact_cost, "save_rate": self.save_rate, "margin_share": self.margin_share}
        if measure == MARGIN:
            del needed["margin_share"]
        return tuple(name for name, value in needed.items() if value is None)


def measure_of(frame: pd.DataFrame) -> Measure:
    """What the value at risk of these snapshots is counted in: margin where most of the revenue has one."""
    if "margin_share_365d" not in frame:
        return REVENUE
    revenue = frame["revenue_365d"].clip(lower=0)
    known = revenue[frame["margin_share_365d"].notna()].sum()
    return MARGIN if known > 0 and known >= _MARGIN_KNOWN_SHARE * revenue.sum() else REVENUE


def value_at_risk(frame: pd.DataFrame) -> pd.Series:
    """Seasonally adjusted value of each customer's next 12 months, if it went on as before.

    Twelve whole months hold each season once, so for a customer known for a year or longer it is the value of the past
    365 days. A younger one has shown only a part of a year, which began with an order. Where customers of its segment
    place `pace` orders a year and a share `s` of a year's trade falls into the days since its first order, it has
    shown ``1 + pace * s`` orders out of ``1 + pace``:

        value at risk = value seen * (1 + pace) / (1 + pace * s)

    A customer first seen in the busiest month is thus not taken for one that has twelve of them, and nobody counts for
    more than ``1 + pace`` times what was seen.

    `s` is read off the net revenue of all customers of the segment in the past 30, 90, 180 and 365 days, straight lines
    between them, and is days / 365 where the company itself is younger than a year and no season has been seen. `pace`
    is the number of order days after the first one over the shares of a year in which they were placed. To each segment
    20 usual customers of the company are added.

    Parameters
    ----------
    frame
        Snapshots of all customers, of one or several dates: :data:`READS` and, where the source has margins,
        ``margin_share_365d``.

    Returns
    -------
    Series
        ``value_at_risk`` on the index of `frame`, float64, never negative, in the project's currency: margin or net
        revenue as :func:`measure_of` says; 0.0 without an order.
    """
    share = _share_of_year(frame)
    ordered = frame["order_days_365d"].fillna(0) >= 1
    first_inside = frame["days_since_first_order"] <= _YEAR_DAYS
    repeats = (frame["order_days_365d"] - first_inside).where(ordered, 0.0)
    pooled = _pooled(pd.DataFrame({"repeats": repeats, "exposure": share.where(ordered, 0.0)}), frame)
    pace = pd.Series(ratio(pooled["repeats"].to_numpy(), pooled["exposure"].to_numpy()), index=frame.index).fillna(0.0)
    return (_seen(frame) * (1 + pace) / (1 + pace * share)).rename("value_at_risk")


def expected_loss(probability: pd.Series, value: pd.Series) -> pd.Series:
    """Probability of losing the customer times its value at risk, on their common index."""
    return (probability * value).rename("expected_loss")


def _seen(frame: pd.DataFrame) -> pd.Series:
    """Value of the past 365 days, never negative; the company's margin share stands in for one that is not known."""
    revenue = frame["revenue_365d"].fillna(0.0).clip(lower=0)
    if measure_of(frame) == REVENUE:
        return revenue
    own = frame["margin_share_365d"]
    usual = (own * revenue).sum() / revenue[own.notna()].sum()
    # Returns can leave a share that is no share; a margin is never more than the revenue that it is part of.
    return (own.fillna(usual) * frame["revenue_365d"].fillna(0.0)).clip(lower=0, upper=revenue)


def _share_of_year(frame: pd.DataFrame) -> pd.Series:
    """The share of a year's trade that falls into the days since each customer's first order; 1 from a year on."""
    known = frame["days_since_first_order"].clip(0, _YEAR_DAYS).fillna(_YEAR_DAYS).to_numpy()
    sums = _pooled(frame[_REVENUES].fillna(0.0), frame).to_numpy()
    oldest = frame.groupby("as_of")["days_since_first_order"].transform("max").to_numpy()
    seasonal = ((oldest >= _YEAR_DAYS) & (sums[:, -1] > 0))[:, None]
    traded = np.divide(sums, sums[:, -1:], out=np.zeros_like(sums), where=seasonal)
    shares = np.where(seasonal, np.maximum.accumulate(traded.clip(0, 1), axis=1), _KNOTS[1:] / _YEAR_DAYS)
    shares = np.column_stack([np.zeros(len(frame)), shares])
    above = np.searchsorted(_KNOTS[1:], known) + 1
    rows = np.arange(len(frame))
    low, high = shares[rows, above - 1], shares[rows, above]
    part = (known - _KNOTS[above - 1]) / (_KNOTS[above] - _KNOTS[above - 1])
    return pd.Series(low + part * (high - low), index=frame.index)


def _pooled(parts: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Sums over each row's date and segment, with usual customers of the company added."""
    company = parts.groupby(frame["as_of"]).transform("mean")
    segment = parts.groupby([frame["as_of"], frame["segment"].fillna("")]).transform("sum")
    return segment.where(frame["segment"].notna(), 0.0) + _SHRINK_CUSTOMERS * company


# Whether a contact pays. For one customer: 1 contact, `probability` losses of probability * value.


def profit(
    contacts: npt.ArrayLike,
    losses: npt.ArrayLike,
    value: npt.ArrayLike,
    numbers: CompanyNumbers,
    measure: Measure,
    save_rate: float | None = None,
) -> FloatArray:
    """Expected profit of contacting customers of whom some are about to be lost.

    ``save_rate * (margin * value - offer_cost * losses) - contact_cost * contacts - offer_cost * (contacts - losses)``:
    every contact costs, and the offer is taken by those who are kept and by those who would have stayed. The shape is
    that of Verbeke et al. (2012), European Journal of Operational Research 218(1), 211-229, with each customer's own
    value.

    Parameters
    ----------
    contacts, losses, value
        How many are contacted, how many of them would be lost, and the value at risk of those: for a single customer 1,
        its probability and its probability times its value.
    save_rate
        By default the company's own.

    Returns
    -------
    ndarray
        In the project's currency; NaN throughout where a number is missing (:meth:`CompanyNumbers.missing`).
    """
    kept = numbers.save_rate if save_rate is None else save_rate
    earns = numbers.margin_of(measure)
    n, lost, at_risk = (np.asarray(values, dtype=float) for values in (contacts, losses, value))
    if kept is None or earns is None or numbers.contact_cost is None:
        return np.full(np.broadcast(n, lost, at_risk).shape, np.nan)
    offer = numbers.offer_cost
    return np.asarray(kept * (earns * at_risk - offer * lost) - numbers.contact_cost * n - offer * (n - lost))


def break_even_save_rate(
    contacts: npt.ArrayLike, losses: npt.ArrayLike, value: npt.ArrayLike, numbers: CompanyNumbers, measure: Measure
) -> FloatArray:
    """The share of losses that contacts must prevent so that they cost nothing in the end.

    Parameters are those of :func:`profit`. Needs only the cost of a contact. Where the value is revenue and no margin
    share was set, all of it counts as earned: the true rate is higher, so the result is to be read as "at least".

    Returns
    -------
    ndarray
        Above 1 where contacts cannot pay, infinite where there is nothing to win; NaN where the cost is not set.
    """
    n, lost, at_risk = (np.asarray(values, dtype=float) for values in (contacts, losses, value))
    if numbers.contact_cost is None:
        return np.full(np.broadcast(n, lost, at_risk).shape, np.nan)
    earns = numbers.margin_of(measure)
    won = (1.0 if earns is None else earns) * at_risk - numbers.offer_cost * lost
    spent = numbers.contact_cost * n + numbers.offer_cost * (n - lost)
    return np.divide(spent, won, out=np.full(np.broadcast(spent, won).shape, np.inf), where=won > 0)


def replacement_cost(customers: float, numbers: CompanyNumbers) -> tuple[float, float] | None:
    """What new customers in the place of so many lost ones cost, lower and upper end; None without the numbers.

    The cost of keeping one (contact and offer) times the company's multiple, which is a rule of thumb of the trade.
    """
    if numbers.replacement_multiple is None or numbers.contact_cost is None:
        return None
    keeping = (numbers.contact_cost + numbers.offer_cost) * customers
    low, high = numbers.replacement_multiple
    return low * keeping, high * keeping


# What a group that is left alone can prove.


def warnings_needed(
    lost: float, lost_contacted: float, *, holdout_share: float = 0.5, power: float = 0.8, confidence: float = 0.95
) -> float:
    """Warnings, both groups together, that show such a difference with this power.

    The normal approximation for two shares `p` and `p'`, of which a share `h` is left alone, and `m`, their mean, which
    both would have without an effect: ``(z_confidence * sqrt(m (1 - m) (1 / h + 1 / (1 - h))) + z_power * sqrt(p (1 -
    p) / h + p' (1 - p') / (1 - h)))^2 / (p - p')^2``. From 20 to 16 % lost: 2 * 1,447 with halves, 8,204 with a tenth
    left alone.

    Parameters
    ----------
    lost, lost_contacted
        Share lost of those left alone, and of those contacted; both in 0 to 1 and not the same.
    holdout_share
        Share of the warnings that is left alone, drawn at random.

    Raises
    ------
    InvalidPredictions : shares out of range, or no difference to show.
    """
    _checked_shares(lost, holdout_share)
    if not 0 <= lost_contacted <= 1 or lost == lost_contacted:
        raise InvalidPredictions(
            f"The shares lost must lie in 0 to 1 and differ; found {lost} and {lost_contacted}. A fifth is 0.2."
        )
    alone, rest, mean = holdout_share, 1 - holdout_share, (lost + lost_contacted) / 2
    without = np.sqrt(mean * (1 - mean) * (1 / alone + 1 / rest))
    between = np.sqrt(lost * (1 - lost) / alone + lost_contacted * (1 - lost_contacted) / rest)
    needed = ndtri(0.5 + confidence / 2) * without + ndtri(power) * between
    return float((needed / (lost - lost_contacted)) ** 2)


def smallest_provable_save_rate(
    warnings: float, lost: float, *, holdout_share: float = 0.5, power: float = 0.8, confidence: float = 0.95
) -> float:
    """The smallest share of losses that contacts must prevent for so many warnings to show it.

    The inverse of :func:`warnings_needed`, told as a share of `lost`.

    Returns
    -------
    float
        In 0 to 1; NaN where not even keeping every single customer would show.

    Raises
    ------
    InvalidPredictions : shares out of range.
    """
    _checked_shares(lost, holdout_share)

    def short_of(kept: float) -> float:
        needed = warnings_needed(
            lost, lost * (1 - kept), holdout_share=holdout_share, power=power, confidence=confidence
        )
        return 1 / needed - 1 / warnings

    if warnings <= 0 or lost == 0 or short_of(1.0) < 0:
        return float("nan")
    return float(brentq(short_of, 1e-9, 1.0))


def _checked_shares(lost: float, holdout_share: float) -> None:
    if not 0 <= lost <= 1 or not 0 < holdout_share < 1:
        raise InvalidPredictions(
            f"Expected a share lost in 0 to 1 and a holdout between 0 and 1; found {lost} and {holdout_share}. "
            "A tenth is 0.1."
        )
