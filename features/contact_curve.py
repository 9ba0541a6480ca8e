"""How often a customer was in contact, against the curve that its age and its own past would have it follow.

A period is a quarter of 90 days, counted back from the cutoff; period 1 is the newest. A contact is a row of
`interactions`, and what service and customer had to do with each other: a complaint, a repair, an offer that was
accepted, a survey that was answered. An offer that was declined or left lying is none.

The curve is the mean of all customers by their age, from the periods before the two newest, which are the ones under
test. A customer with half a year of past before those follows it at the height of its own year; a younger one follows
the curve itself. Both move with the season that all customers had in that year.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import cutoffs
from features.buckets import Events
from features.cutoffs import past
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.issues import absent

Floats = NDArray[np.float64]

PERIOD_DAYS, PERIODS = 90, 12
#: Periods of a year, and the newest ones, which no expectation is made from.
YEAR, TESTED = 4, 2
#: Own periods from which on a customer's own height is known.
OWN_MIN = 2
#: Ages, in periods, from which on all are alike, and the periods that are added to those of each age.
OLDEST, PRIOR = 8, 20
#: Contacts of all customers in a year from which on it has a season: fewer differ by more than the season from quarter
#: to quarter by chance alone.
SEASON_MIN = 1000
FOLLOW_UP_DAYS = (30, 60, 90)
#: Where an expectation comes from.
OWN, ALL = "own", "all"
COLUMNS = (
    "contacts_last_period",
    "contacts_expected_last_period",
    "contacts_period_before",
    "contacts_expected_period_before",
    *(f"follow_ups_{days}d{before}" for days in FOLLOW_UP_DAYS for before in ("", "_before")),
)

_PERIOD_NAMES = [f"period_{number}" for number in range(1, PERIODS + 1)]
_SERVED = "kind IN ('complaint', 'repair') OR accepted OR rating IS NOT NULL"


def contact_periods(events: Events, as_of: date, *, engine: Engine = ONE_BY_ONE) -> pd.DataFrame:
    """Contacts of every known customer by period, and our follow-ups of late.

    Returns
    -------
    DataFrame
        Ordered by ``customer_id``: ``age_days`` (since the first order or contact), ``begun_days`` (since the first row
        of `interactions` of any customer), ``period_1`` to ``period_12``, and ``follow_ups_30d`` and so on: contacts
        that went out from us in the last 30, 60 and 90 days, and in as many days before (``_before``). Without
        `interactions` all but the age are missing; without its `direction` the follow-ups are.
    """
    parts = map_buckets(_Periods(as_of), events, engine, "contacts")
    found = pd.concat(parts, ignore_index=True).sort_values("customer_id", ignore_index=True)
    found = found.assign(begun_days=found["begun_days"].max()).astype({"customer_id": "str"})
    no_log, no_direction = found["begun_days"].isna().all(), absent(events.columns, "interactions.direction")
    unknown = [*(_PERIOD_NAMES if no_log else []), *(COLUMNS[4:] if no_log or no_direction else [])]
    return found.assign(**dict.fromkeys(unknown, np.nan))


def expected_contacts(periods: pd.DataFrame) -> pd.DataFrame:
    """The curve of every customer: what was, and what was to be expected.

    Parameters
    ----------
    periods
        Of :func:`contact_periods`.

    Returns
    -------
    DataFrame
        One row per customer and whole period of its age that the source tells of: ``customer_id``, ``period`` (1 is the
        newest), ``age`` (periods since the customer's first), ``actual``, ``expected`` (float64) and ``expected_by``:
        ``own`` or ``all``.
    """
    counts = periods[_PERIOD_NAMES].to_numpy("float64")
    number = np.arange(1, PERIODS + 1)
    whole = np.floor(np.nan_to_num(periods[["age_days", "begun_days"]].to_numpy("float64")) / PERIOD_DAYS)
    told = number <= whole.min(axis=1, keepdims=True)
    age = (whole[:, [0]] - number).astype("int64")
    earlier = told & (number > TESTED)
    curve = _by_age(counts, age, earlier)[np.clip(age, 0, OLDEST)]
    last_year = earlier & (number <= TESTED + YEAR)
    shape = curve * _season(counts, curve, last_year)[(number - 1) % YEAR]
    is_own = last_year.sum(axis=1) >= OWN_MIN
    usual = np.where(last_year, shape, 0).sum(axis=1)
    height = np.divide(np.where(last_year, counts, 0).sum(axis=1), usual, out=np.ones(len(usual)), where=usual > 0)
    expected = shape * np.where(is_own, height, 1.0)[:, None]
    row, column = np.nonzero(told)
    return pd.DataFrame(
        {
            "customer_id": periods["customer_id"].to_numpy()[row],
            "period": number[column],
            "age": age[row, column],
            "actual": counts[row, column],
            "expected": expected[row, column],
            "expected_by": np.where(is_own[row], OWN, ALL),
        }
    ).astype({"customer_id": "str", "expected_by": "str"})


def contact_columns(periods: pd.DataFrame) -> pd.DataFrame:
    """What rules read: ``customer_id`` and :data:`COLUMNS` of every customer of :func:`contact_periods`."""
    curve = expected_contacts(periods)
    found = periods[["customer_id", *COLUMNS[4:]]]
    for number, said in ((1, "last_period"), (2, "period_before")):
        names = {"actual": f"contacts_{said}", "expected": f"contacts_expected_{said}"}
        of_period = curve.loc[curve["period"] == number, ["customer_id", *names]].rename(columns=names)
        found = found.merge(of_period, on="customer_id", how="left")
    return found[["customer_id", *COLUMNS]]


def _by_age(counts: Floats, age: NDArray[np.int64], told: NDArray[np.bool_]) -> Floats:
    """Mean contacts per period by age in periods, drawn to the mean over all ages where few tell of it."""
    ages = np.clip(age[told], 0, OLDEST)
    sums = np.bincount(ages, weights=counts[told], minlength=OLDEST + 1)
    cells = np.bincount(ages, minlength=OLDEST + 1)
    mean = sums.sum() / max(cells.sum(), 1)
    return np.asarray((sums + PRIOR * mean) / (cells + PRIOR))


def _season(counts: Floats, curve: Floats, told: NDArray[np.bool_]) -> Floats:
    """All contacts against the curve in each quarter of the year before the tested periods, 1 on average."""
    number = np.arange(PERIODS)
    actual, usual = (np.where(told, one, 0).sum(axis=0) for one in (counts, curve))
    season = np.ones(YEAR)
    in_year = (number >= TESTED) & (number < TESTED + YEAR)
    if actual.sum() >= SEASON_MIN and (usual[in_year] > 0).all():
        season[number[in_year] % YEAR] = actual[in_year] / usual[in_year]
    return season / season.mean()


@dataclass(frozen=True)
class _Periods:
    """The contacts of one bucket, in a form that another process can be handed."""

    as_of: date

    def __call__(self, events: Events, bucket: int) -> pd.DataFrame:
        """Read one bucket."""
        counted = [
            f"count(*) FILTER (days_ago BETWEEN {PERIOD_DAYS * number + 1} AND {PERIOD_DAYS * (number + 1)}) AS {name}"
            for number, name in enumerate(_PERIOD_NAMES)
        ]
        for days in FOLLOW_UP_DAYS:
            counted.append(f"count(*) FILTER (is_ours AND days_ago <= {days}) AS follow_ups_{days}d")
            before = f"is_ours AND days_ago BETWEEN {days + 1} AND {2 * days}"
            counted.append(f"count(*) FILTER ({before}) AS follow_ups_{days}d_before")
        contacts = (
            "SELECT customer_id, days_ago, coalesce(direction = 'outbound', false) AS is_ours "
            f"FROM ({past('interactions')}) UNION ALL "
            f"SELECT customer_id, days_ago, false FROM ({past('services')}) WHERE {_SERVED}"
        )
        names = [*_PERIOD_NAMES, *COLUMNS[4:]]
        query = (
            f"WITH contacts AS MATERIALIZED ({contacts}), counted AS (SELECT customer_id, max(days_ago) AS met_days, "
            f"{', '.join(counted)} FROM contacts GROUP BY ALL), ordered AS (SELECT customer_id, max(days_ago) AS "
            f"ordered_days FROM ({past('order_days')}) WHERE is_order GROUP BY ALL), known AS (SELECT customer_id "
            "FROM customers UNION SELECT customer_id FROM ordered) SELECT customer_id, "
            "CAST(greatest(met_days, ordered_days) AS DOUBLE) AS age_days, "
            f"CAST((SELECT max(days_ago) FROM ({past('interactions')})) AS DOUBLE) AS begun_days, "
            f"{', '.join(f'CAST(coalesce({name}, 0) AS DOUBLE) AS {name}' for name in names)} "
            "FROM known LEFT JOIN counted USING (customer_id) LEFT JOIN ordered USING (customer_id)"
        )
        with events.connect(bucket) as con:
            cutoffs.lay_out_time(con)
            cutoffs.set_cutoffs(con, [self.as_of])
            return con.sql(query).to_arrow_table().to_pandas()
