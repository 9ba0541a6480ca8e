"""What people did and found out about customers, read into the outcomes that a training learns from.

A customer whom somebody contacted did not show what would have happened without that: its outcome is unknown from the
first contact on. A loss that a review confirmed is known, whatever stray order came after it.
"""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from features.labels import HORIZONS, no_order_within

#: Columns of the two frames.
TREATED = ("customer_id", "treated_from", "treated_until")
LOST = ("customer_id", "lost_on", "reviewed_on")


@dataclass(frozen=True)
class Cases:
    """Contacts and confirmed losses; days are dates, an open end is None.

    Attributes
    ----------
    treated
        :data:`TREATED`: from the first contact on a warning until the warning ended.
    lost
        :data:`LOST`: since when a customer counts as lost, and the day on which a review said so.
    """

    treated: pd.DataFrame
    lost: pd.DataFrame

    def __bool__(self) -> bool:
        """Whether there is any."""
        return len(self.treated) + len(self.lost) > 0

    def told(self, outcome: pd.DataFrame, known_at: date) -> pd.DataFrame:
        """The outcomes of snapshots as these cases tell them.

        A contact ends the observation of every snapshot whose days reach into it, so that windows which contain it are
        unknown and those that ended before it are not. A loss that was reviewed before `known_at` tells the windows
        that ended before the review: no order from the day of the loss on counts, contact or not.

        Parameters
        ----------
        outcome
            ``customer_id``, ``as_of``, ``days_to_next_order`` and ``observed_days`` as known at `known_at`.

        Returns
        -------
        DataFrame
            The same rows and columns.
        """
        days, observed = outcome["days_to_next_order"], outcome["observed_days"]
        seen = self._until_contact(outcome).clip(upper=observed)
        pairs = _pairs(outcome, self.lost)
        until = _days(pairs["reviewed_on"], pairs["as_of"])
        next_order, loss = days.loc[pairs["row"]].to_numpy(), _days(pairs["lost_on"], pairs["as_of"])
        counts = (pairs["reviewed_on"] < pd.Timestamp(known_at)) & (until > 0) & ~(next_order < loss)
        review = pd.Series(until[counts].to_numpy(), index=pairs.loc[counts, "row"]).groupby(level=0).max()
        until_review = review.reindex(outcome.index)
        stray = days < until_review
        told_by_review = until_review.notna() & (stray | (seen < observed))
        both = until_review.fillna(0).clip(lower=seen).clip(upper=observed)
        whole = seen.mask(told_by_review, both).astype(observed.dtype)
        return outcome.assign(days_to_next_order=days.mask(stray), observed_days=whole)

    def _until_contact(self, outcome: pd.DataFrame) -> pd.Series:
        """Days from each snapshot to the first contact within its days; 0 under one that has begun."""
        pairs = _pairs(outcome, self.treated)
        reaches = pairs["treated_until"].isna() | (pairs["as_of"] < pairs["treated_until"])
        days = _days(pairs["treated_from"], pairs["as_of"]).clip(lower=0)
        first = pd.Series(days[reaches].to_numpy(), index=pairs.loc[reaches, "row"]).groupby(level=0).min()
        return first.reindex(outcome.index).fillna(np.inf)

    def counts(self, outcome: pd.DataFrame, known_at: date) -> "Told":
        """How many snapshots the cases change; the arguments are those of :meth:`told`."""
        contacts_alone = replace(self, lost=self.lost.head(0)).told(outcome, known_at)
        whole = self.told(outcome, known_at)
        left, labelled = pd.Series(False, index=outcome.index), pd.Series(False, index=outcome.index)
        for horizon in HORIZONS:
            before, without, now = (no_order_within(one, horizon) for one in (outcome, contacts_alone, whole))
            left |= before.notna() & now.isna()
            labelled |= now.notna() & (without != now)
        return Told(int(left.sum()), int(labelled.sum()))


@dataclass(frozen=True)
class Told:
    """What cases change in the snapshots of a training.

    Attributes
    ----------
    left_out
        Snapshots of which some outcome would be known, had nobody contacted the customer.
    confirmed
        Snapshots of which a review tells an outcome that was unknown or another.
    """

    left_out: int = 0
    confirmed: int = 0

    @property
    def words(self) -> str:
        """Both counts in a sentence."""
        return (
            f"Treated snapshots left out: {self.left_out:,} (the customer was contacted within the window). "
            f"Snapshots labelled by a confirmed loss: {self.confirmed:,}."
        )


def _pairs(outcome: pd.DataFrame, cases: pd.DataFrame) -> pd.DataFrame:
    """Every snapshot beside every case of its customer: ``row`` (label of the snapshot), ``as_of`` and the case."""
    mine = cases.astype({"customer_id": "str"})
    for name in mine.columns.drop("customer_id"):
        mine[name] = pd.to_datetime(mine[name])
    keys = outcome[["customer_id", "as_of"]].assign(row=outcome.index)
    return keys.merge(mine, on="customer_id", how="inner")


def _days(days: pd.Series, since: pd.Series) -> pd.Series:
    return (days - since).dt.days.astype("float64")
