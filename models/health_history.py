"""Health at earlier dates, as it was known then: how far a customer has fallen, and the level that this alone gives.

The fall is measured against the customer's own reference, the median of its health on dates 91 to 180 days back. Four
dates span that window: a score looks back 90 days, so that nearer neighbours would say the same again at the same cost,
and of four the median lies between the middle two, which one odd date does not move. The newest of them is 91 days
back, so that reference and today share nothing of what happened in the last 90 days.

Health at an earlier date is made of the snapshots of that date, never of what became known later, and of nothing but
the features that the marks read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from features import building, cutoffs
from features.buckets import Events
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.errors import SettingsError, TooLittleData
from features.options import Value, resolved
from features.own import OwnFile, install, installed
from features.relations import RELATIONS
from features.snapshots import all_starts, monthly
from models.health_scheme import FIVE_DIMENSIONS, RATING_AGE, Scheme, check_features

#: From which fall, as a share of the reference, each level is given; loudest first.
DROP_LEVELS = {"red": 0.35, "orange": 0.25, "yellow": 0.15, "blue": 0.10}
#: A fall in each of so many months that is above so many points in all makes a customer potential churn.
FALLING_MONTHS, FALLING_POINTS = 3, 20.0
#: Shares and points are compared to the ninth decimal, as if they were decimals: 80 to 68 is a fall of exactly 15 %.
DECIMALS = 9


@dataclass(frozen=True)
class Reference:
    """What a customer's health is compared with.

    Attributes
    ----------
    from_days, until_days
        The window, in days before the cutoff, both ends in it.
    dates
        How many dates in it, evenly spread.
    known
        On so many of them health must be known: a shorter past is no reference.
    drop_by
        ``share``: a fall is a share of the reference; ``points``: 100 points are a fall of 1.

    Raises
    ------
    SettingsError
        If the window is turned round or the numbers of dates do not fit.
    """

    from_days: int = 91
    until_days: int = 180
    dates: int = 4
    known: int = 2
    drop_by: Literal["share", "points"] = "share"

    def __post_init__(self) -> None:
        """Refuse a window without its dates."""
        if not 1 <= self.from_days < self.until_days:
            raise SettingsError(
                f"health reference: expected a window that ends before it begins, in days back; found "
                f"{self.from_days} to {self.until_days}. Give the nearer end first, from 1 on."
            )
        if not 1 <= self.known <= self.dates <= self.until_days - self.from_days + 1:
            raise SettingsError(
                f"health reference: expected at most one date a day, and no more known ones than dates; found "
                f"{self.dates} dates of which {self.known} known. Give fewer."
            )

    def as_ofs(self, as_of: date) -> tuple[date, ...]:
        """Its dates, oldest first."""
        back = np.rint(np.linspace(self.until_days, self.from_days, self.dates))
        return tuple(as_of - timedelta(days=int(days)) for days in back)


USUAL_REFERENCE = Reference()


def month_steps(as_of: date) -> tuple[date, ...]:
    """The same day of the three months before, oldest first; the last day of a month that does not have it."""
    first = (pd.Timestamp(as_of) - pd.DateOffset(months=FALLING_MONTHS)).date()
    return tuple(monthly(first, as_of)[:-1])


def health_dates(as_of: date, reference: Reference = USUAL_REFERENCE) -> tuple[date, ...]:
    """The earlier dates at which health is needed at a cutoff, oldest first: the reference's and three months' ends."""
    return tuple(sorted({*reference.as_ofs(as_of), *month_steps(as_of)}))


@dataclass(frozen=True)
class HealthPass:
    """Health over one bucket, in a form that another process can be handed."""

    as_ofs: tuple[date, ...]
    scheme: Scheme
    starts: pd.DataFrame
    options: Mapping[str, Value]
    own: tuple[OwnFile, ...] = ()

    def __call__(self, events: Events, bucket: int) -> pd.DataFrame:
        """Read one bucket."""
        install(self.own)
        # Every snapshot begins with its order days, whatever the marks read.
        wanted = (*self.scheme.features, "days_since_first_order")
        ages = (
            f"SELECT as_of, customer_id, CAST(min(days_ago) AS DOUBLE) AS {RATING_AGE} "
            f"FROM ({RELATIONS['ratings'].sql}) GROUP BY ALL"
        )
        with events.connect(bucket) as con:
            cutoffs.lay_out_time(con)
            frame = building.build(
                con, self.as_ofs, events.columns, starts=self.starts, options=self.options, only=wanted
            )
            rated = con.execute(ages).df().astype({"customer_id": "str", "as_of": "datetime64[s]"})
        frame = frame.merge(rated, how="left", on=["as_of", "customer_id"], validate="1:1")
        keys = frame[["customer_id", "as_of", "segment", RATING_AGE]]
        stale = frame[RATING_AGE] > self.scheme.oldest_rating_days
        return pd.concat([keys.assign(rating_stale=stale), self.scheme.scored(frame)], axis=1)


def health_rows(
    events: Events,
    as_ofs: Sequence[date],
    scheme: Scheme = FIVE_DIMENSIONS,
    *,
    options: Mapping[str, object] | None = None,
    engine: Engine = ONE_BY_ONE,
) -> pd.DataFrame:
    """Health of every customer at each date, as known then; the same dates give the same rows, whatever the others.

    Parameters
    ----------
    as_ofs
        The cutoff itself, mostly, and those of :func:`health_dates`.
    options
        Values of :mod:`features.options` that differ from their defaults.
    engine
        What maps the buckets.

    Returns
    -------
    DataFrame
        One row per customer known by then and date, ordered by (as_of, customer_id): ``customer_id`` (str), ``as_of``
        (datetime64), ``segment`` (str), ``rating_age_days`` (float64, whole days since the newest rating, NaN
        without one), ``rating_stale`` (bool) and what :func:`models.health.health` gives.

    Raises
    ------
    SettingsError
        If a mark reads what is no feature, or one that compares customers.
    """
    check_features(scheme.features)
    plan = HealthPass(tuple(as_ofs), scheme, all_starts(events, engine), resolved(options or {}), installed())
    found = pd.concat(map_buckets(plan, events, engine, "health"), ignore_index=True)
    return found.sort_values(["as_of", "customer_id"], ignore_index=True)


def with_history(by_date: pd.DataFrame, as_of: date, reference: Reference = USUAL_REFERENCE) -> pd.DataFrame:
    """Each customer's health at the cutoff with its reference, its fall and the level of that.

    Parameters
    ----------
    by_date
        ``customer_id``, ``as_of``, ``health`` and whatever else :func:`health_rows` gives, at the cutoff and the dates
        of :func:`health_dates`; each customer and date once. Other dates are not looked at.
    as_of
        The cutoff.

    Returns
    -------
    DataFrame
        The rows of the cutoff with ``health_reference`` (float64), ``health_drop_share`` and ``health_drop_points``
        (float64, below 0 for a rise), ``health_drop`` (the one of the two that counts, points as hundredths),
        ``health_1m``, ``health_2m``, ``health_3m`` (one, two and three months before), ``fall_3m_points`` (over the
        three), ``potential_churn`` (bool, by the score alone: it fell in each of the three months and by more than 20
        points in all), ``drop_level`` (str, of the fall) and ``health_level`` (str, red for potential churn). A
        customer without a reference has no drop, NaN, and the drop level none.

    Raises
    ------
    TooLittleData
        If there is no health of the cutoff.
    """
    today = by_date[by_date["as_of"] == pd.Timestamp(as_of)].reset_index(drop=True)
    if today.empty:
        raise TooLittleData(f"health: expected rows of {as_of}; found none. Score health at that date first.")
    by_customer = by_date.pivot(index="customer_id", columns="as_of", values="health")
    by_customer = by_customer.reindex(index=today["customer_id"]).reset_index(drop=True)
    back = by_customer.reindex(columns=pd.DatetimeIndex(reference.as_ofs(as_of)))
    usual = back.median(axis=1).where(back.notna().sum(axis=1) >= reference.known)
    months = by_customer.reindex(columns=pd.DatetimeIndex(month_steps(as_of)))
    points = (usual - today["health"]).round(DECIMALS)
    share = (points / usual.where(usual > 0)).round(DECIMALS)
    by = share if reference.drop_by == "share" else (points / 100).round(DECIMALS)
    steps = np.diff(np.column_stack([months, today["health"]]), axis=1)
    total = (months.iloc[:, 0] - today["health"]).round(DECIMALS)
    falling = pd.Series((steps < 0).all(axis=1)) & (total > FALLING_POINTS)
    level = drop_level(by)
    found = {"health_reference": usual, "health_drop_share": share, "health_drop_points": points, "health_drop": by}
    found |= {f"health_{n}m": months.iloc[:, -n] for n in range(1, FALLING_MONTHS + 1)}
    found |= {"fall_3m_points": total, "potential_churn": falling}
    found |= {"drop_level": level, "health_level": level.where(~falling, "red")}
    return today.assign(**found)


def drop_level(drop: pd.Series) -> pd.Series:
    """The level of each fall: blue from 10 %, yellow from 15 %, orange from 25 %, red from 35 %; else none.

    Parameters
    ----------
    drop
        Shares of the reference (or points as hundredths), NaN where there is none. Compared to the ninth decimal.
    """
    value = drop.round(DECIMALS).to_numpy(dtype="float64")
    reached = [value >= least for least in DROP_LEVELS.values()]
    return pd.Series(np.select(reached, list(DROP_LEVELS), "none"), index=drop.index, dtype="str")
