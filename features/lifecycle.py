"""The lifecycle curve of service: how many service interactions an account should have had by now, and how many it had.

A service interaction is a row of `services`. What is expected comes from the account's own history by season where two
years are known, else from its own past year, else, for a young account, from what others had at the same age. A period
is below the curve from 20 % on; two such periods in a row are worth watching (RB-14).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import pandas as pd

from features import cutoffs, snapshots
from features.buckets import Events
from features.cutoffs import past
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.narrowing import narrow

PERIOD_DAYS = 30
PERIODS = 12
YEAR = 365
#: An own history shorter than this expects nothing by itself.
OWN_DAYS = 180
#: So many others must have reached an age for their mean to be an expectation.
COHORT_MIN = 5
#: Below this share of what is expected a period is below the curve.
BAND = 0.8
SEASON, OWN, COHORT = "season", "own", "cohort"
_CLOSE = 1e-9


@dataclass(frozen=True)
class Cohort:
    """What accounts have at each age: mean service interactions per period of 30 days since the first order.

    Attributes
    ----------
    means
        By number of whole periods of age, from 0; only ages that at least :data:`COHORT_MIN` accounts have reached.
    """

    means: Mapping[int, float]


@dataclass(frozen=True)
class Curve:
    """Expected and actual service interactions, period by period.

    Attributes
    ----------
    periods
        ``begins_on``, ``ends_on`` (dates; the period's first and last day), ``age_days`` (at its end), ``expected``
        (NaN where nothing tells it), ``expected_by`` (:data:`SEASON`, :data:`OWN` or :data:`COHORT`; missing),
        ``limit`` (80 % of what is expected), ``actual`` and ``below`` (bool: at the limit or under it), the oldest
        first.
    """

    periods: pd.DataFrame

    @property
    def watch(self) -> bool:
        """Whether the two newest periods were both below the curve."""
        return len(self.periods) >= 2 and bool(self.periods["below"].tail(2).all())


def service_curve(con: duckdb.DuckDBPyConnection, as_of: date, begun_on: date | None, cohort: Cohort | None) -> Curve:
    """The curve of one account over the last twelve periods that it was there in.

    Parameters
    ----------
    con
        Of :func:`features.narrowing.account_connection`.
    begun_on
        The day on which the source's table was known to begin, of :func:`began`; None where it had not.
    cohort
        Of :func:`service_cohort`; without it a short history has no expectation.
    """
    tickets = [day for (day,) in con.execute(f"SELECT day FROM ({past('services')})").fetchall()]
    first = con.execute(f"SELECT min(day) FILTER (is_order) FROM ({past('order_days')})").fetchall()[0][0]
    rows = []
    if first is not None and begun_on is not None:
        known_from = max(first, begun_on)
        for number in range(PERIODS, 0, -1):
            begins = as_of - timedelta(days=number * PERIOD_DAYS)
            if begins >= known_from:
                rows.append(_period(tickets, begins, known_from, first, cohort))
    names = ("begins_on", "ends_on", "age_days", "expected", "expected_by", "limit", "actual", "below")
    frame = pd.DataFrame(rows, columns=list(names))
    return Curve(frame.astype({"expected": "float64", "limit": "float64", "expected_by": "str", "below": "bool"}))


def _period(
    tickets: list[date], begins: date, known_from: date, first: date, cohort: Cohort | None
) -> tuple[date, date, int, float, str | None, float, int, bool]:
    ends = begins + timedelta(days=PERIOD_DAYS)
    age = (ends - first).days
    expected, by = _expected(tickets, begins, known_from)
    if by is None and cohort is not None:
        mean = cohort.means.get((begins - first).days // PERIOD_DAYS)
        expected, by = (float("nan"), None) if mean is None else (mean, COHORT)
    actual = _count(tickets, begins, ends)
    limit = BAND * expected
    below = expected > 0 and actual <= limit + _CLOSE
    return begins, ends - timedelta(days=1), age, expected, by, limit, actual, below


def _expected(tickets: list[date], begins: date, known_from: date) -> tuple[float, str | None]:
    """What the account's own history before a period lets expect of it."""
    known = (begins - known_from).days
    if known >= 2 * YEAR:
        # the same days of each year known, with a period on both sides against the noise of single days
        counts = []
        for years in range(1, (known - PERIOD_DAYS) // YEAR + 1):
            start = begins - timedelta(days=years * YEAR)
            counts.append(_count(tickets, start - _PERIOD, start + 2 * _PERIOD) / 3)
        return sum(counts) / len(counts), SEASON
    if known >= OWN_DAYS:
        days = min(known, PERIODS * PERIOD_DAYS)
        return _count(tickets, begins - timedelta(days=days), begins) * PERIOD_DAYS / days, OWN
    return float("nan"), None


_PERIOD = timedelta(days=PERIOD_DAYS)


def _count(days: list[date], first: date, until: date) -> int:
    return sum(first <= day < until for day in days)


def began(events: Events, table: str, as_of: date, engine: Engine = ONE_BY_ONE) -> date | None:
    """The day on which a table was known to begin at a cutoff; None where nothing of it was known."""
    starts = snapshots.all_starts(events, engine)
    known = starts[(starts["source"] == table) & (starts["visible_from"] <= pd.Timestamp(as_of))]
    return None if known.empty else pd.Timestamp(known["day"].min()).date()


def service_cohort(events: Events, as_of: date, *, engine: Engine = ONE_BY_ONE) -> Cohort:
    """The mean curve of all accounts by age, as it was known at midnight of a date."""
    begun = began(events, "services", as_of, engine)
    if begun is None:
        return Cohort({})
    parts = map_buckets(_Ages(as_of, begun), events, engine, "service by age")
    ages = pd.concat(parts, ignore_index=True).groupby("period", sort=True)[["accounts", "tickets"]].sum()
    reached = ages[ages["accounts"] >= COHORT_MIN]
    means = reached["tickets"] / reached["accounts"]
    return Cohort({int(period): float(mean) for period, mean in means.items()})  # type: ignore[call-overload]


@dataclass(frozen=True)
class _Ages:
    """Accounts and tickets of one bucket by age, in a form that another process can be handed."""

    as_of: date
    begun: date

    def __call__(self, events: Events, bucket: int) -> pd.DataFrame:
        """Read one bucket; a period counts where the account and the source were there in the whole of it."""
        with events.connect(bucket) as con:
            narrow(con, "false", keep=("services", "transactions"))
            cutoffs.lay_out_time(con)
            cutoffs.set_cutoffs(con, [self.as_of])
            return con.execute(
                f"""
                WITH firsts AS (
                    SELECT customer_id, min(day) FILTER (is_order) AS first FROM ({past("order_days")}) GROUP BY ALL
                ), lived AS (
                    SELECT customer_id, first,
                           unnest(range(((DATE '{self.as_of}' - first) // {PERIOD_DAYS}))) AS period FROM firsts
                    WHERE first IS NOT NULL
                ), seen AS (
                    SELECT customer_id, period FROM lived
                    WHERE first + CAST(period * {PERIOD_DAYS} AS INTEGER) >= DATE '{self.begun}'
                ), had AS (
                    SELECT customer_id, (day - first) // {PERIOD_DAYS} AS period, count(*) AS tickets
                    FROM ({past("services")}) JOIN firsts USING (customer_id) WHERE day >= first GROUP BY ALL
                )
                SELECT period, count(*) AS accounts, CAST(coalesce(sum(tickets), 0) AS BIGINT) AS tickets
                FROM seen LEFT JOIN had USING (customer_id, period) GROUP BY period
                """
            ).df()
