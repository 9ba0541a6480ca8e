"""What is claimed of early warning in the trade, measured on one's own warnings and losses, each with what it hides.

Share warned months ahead, share identified, kept, the churn rate before and after, the revenue kept, the stage at the
first warning: a number is only given with what it was counted from, and none of saving without a comparison.
"""

from dataclasses import dataclass

import pandas as pd

from models.stages import STAGES
from models.track_record import Share

#: How long before a loss a warning is asked for: 3 to 6 months.
AHEAD_DAYS = (90, 180)
#: What subtle changes of the order rhythm are claimed to give: 2 to 3 months.
RHYTHM_DAYS = (60, 90)
NEVER, OTHER = "never", "other"


@dataclass(frozen=True)
class Ahead:
    """How long before the loss the first warning came.

    Attributes
    ----------
    in_time
        Share of the losses first warned about 90 to 180 days before, both ends included.
    or_earlier
        Share first warned about 90 days before or earlier.
    """

    in_time: Share
    or_earlier: Share


def ahead(alerts: pd.DataFrame, days: tuple[int, int] = AHEAD_DAYS) -> Ahead:
    """Of all losses (:func:`models.track_record.first_alerts`) who was first warned about that long before."""
    lead, n = alerts["lead_days"], len(alerts)
    early = lead >= days[0]
    return Ahead(Share.of(int((early & (lead <= days[1])).sum()), n), Share.of(int(early.sum()), n))


@dataclass(frozen=True)
class Leads:
    """The lead times of the warned losses.

    Attributes
    ----------
    losses, warned
        How many, and how many of them were warned about.
    quantiles
        Days at the shares .1, .25, .5, .75 and .9 of the warned; empty where there are none.
    median_days
        NaN where there are none.
    long
        Share of the warned with at least 60 days.
    claimed_days
        What the trade claims, to be shown beside.
    """

    losses: int
    warned: int
    quantiles: dict[float, float]
    median_days: float
    long: Share
    claimed_days: tuple[int, int] = RHYTHM_DAYS


def leads(alerts: pd.DataFrame, long_days: int = RHYTHM_DAYS[0]) -> Leads:
    """How the lead times are spread (:func:`models.track_record.first_alerts`)."""
    known = alerts["lead_days"].dropna()
    at = {share: float(known.quantile(share)) for share in (0.1, 0.25, 0.5, 0.75, 0.9)} if len(known) else {}
    long = Share.of(int((known >= long_days).sum()), len(known))
    return Leads(len(alerts), len(known), at, float(known.median()), long)


def first_stages(alerts: pd.DataFrame) -> dict[str, Share]:
    """In which stage the losses were first warned about: cooling, comparison, decision, other (no stage, or lost
    already) and never; each loss in exactly one."""
    asked = (*STAGES[1:-1], OTHER, NEVER)
    stage = alerts["stage"].where(alerts["stage"].isin(asked), OTHER).where(alerts["lead_days"].notna(), NEVER)
    return {name: Share.of(int((stage == name).sum()), len(alerts)) for name in asked}


@dataclass(frozen=True)
class Identified:
    """How many of the lost were warned about, beside what it took.

    Attributes
    ----------
    recall
        Share of the lost that was warned about.
    alerts
        Warnings opened for it.
    precision
        Share of the warnings that came true, of those that can be told.
    """

    recall: Share
    alerts: int
    precision: Share


def identified(warned: int, lost: int, alerts: int, right: int, told: int) -> Identified:
    """So many warned of so many lost, with so many alerts of which `right` of the `told` ones came true."""
    return Identified(Share.of(warned, lost), alerts, Share.of(right, told))


@dataclass(frozen=True)
class Saved:
    """How many of the identified were kept.

    Attributes
    ----------
    kept
        Share of those who were warned about and contacted that went on ordering.
    untreated
        The same share of those who were warned about and left alone; None where nobody was: then nobody knows how many
        would have gone on ordering anyway, and `difference` is None too.
    difference
        What the contact is worth: the first share less the second.
    """

    kept: Share
    untreated: Share | None
    difference: float | None


def saved(kept: int, identified: int, untreated: tuple[int, int] | None = None) -> Saved:
    """So many kept of so many identified, beside (kept, all) of those left alone where there are any."""
    share = Share.of(kept, identified)
    if untreated is None or untreated[1] == 0:
        return Saved(share, None, None)
    alone = Share.of(*untreated)
    return Saved(share, alone, share.value - alone.value)


@dataclass(frozen=True)
class ChurnChange:
    """The churn rate of two years: the share of the customers at a year's beginning that was lost in it.

    Attributes
    ----------
    before, after
        The two rates.
    points
        Change in percentage points.
    relative
        Change as a share of the first; NaN where that was 0.
    """

    before: Share
    after: Share
    points: float
    relative: float


def churn_change(before: tuple[int, int], after: tuple[int, int]) -> ChurnChange:
    """From (lost in the year, customers at its beginning) of two years; what the change is due to it does not say."""
    one, two = Share.of(*before), Share.of(*after)
    change = two.value - one.value
    return ChurnChange(one, two, 100 * change, change / one.value if one.value else float("nan"))


def retained_revenue(saves: pd.DataFrame, orders: pd.DataFrame) -> pd.Series:
    """Revenue of the 12 months after each save, by customer; its sum is what was retained if all would have left.

    A customer that was saved twice counts once, from its first save.

    Parameters
    ----------
    saves
        ``customer_id``, ``saved_on``.
    orders
        ``customer_id``, ``ordered_on``, ``amount`` (net).
    """
    first = pd.to_datetime(saves["saved_on"]).groupby(saves["customer_id"]).min()
    begins = orders["customer_id"].map(first)
    day = pd.to_datetime(orders["ordered_on"])
    counted = orders[(day >= begins) & (day < begins + pd.DateOffset(years=1))]
    total = counted.groupby("customer_id")["amount"].sum()
    return total.reindex(first.index).fillna(0.0).rename("retained_revenue")
