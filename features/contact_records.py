"""Who was in touch with whom, day by day: what sales people recorded, and what came of it.

A contact is a row of `interactions`. It is effective, of high value or unsuccessful as its `result` says, and neither
where that says nothing. The success rate is the share of effective and high-value contacts, the loss rate that of
unsuccessful ones, both of all contacts, those without a result included: a contact that nobody judged is no success.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from features import cutoffs
from features.buckets import Events
from features.contract import KNOWN_AT, RECORDED_AT
from features.cutoffs import past
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.narrowing import account_connection, narrow

#: A contact that is recorded later than so many days after it took place is late.
LOGGED_WITHIN_DAYS = 3
#: A contact of nobody in particular.
NOBODY = "(none)"
#: What each rate counts, of all contacts.
DEFINITIONS: Mapping[str, tuple[str, ...]] = {
    "success_rate": ("effective", "high_value"),
    "loss_rate": ("unsuccessful",),
    "logged_share": ("logged",),
}
_RESULTS = ("effective", "high_value", "unsuccessful")
_COUNTS = ("contacts", *_RESULTS, "logged")
_ORDER = ["occurred_at", "interaction_id"]

# the first time that a contact was recorded counts: a row that was mended later was not recorded late
_RECORDS = f"""
SELECT i.customer_id, i.interaction_id, i.occurred_at, i.day, i.channel, i.direction, i.contact_id, i.role, i.owner,
       i.result, i.text, CAST(recorded AS DATE) - i.day AS logged_after_days
FROM ({past("interactions")}) i
JOIN (SELECT interaction_id, min(coalesce({RECORDED_AT}, occurred_at)) AS recorded
      FROM interactions WHERE {KNOWN_AT} < (SELECT max(as_of) FROM cutoffs) GROUP BY ALL) USING (interaction_id)
"""


def contact_records(
    events: Events, as_of: date, *, since: date | None = None, engine: Engine = ONE_BY_ONE
) -> pd.DataFrame:
    """Every contact that was known before `as_of`, the oldest first.

    Parameters
    ----------
    since
        The first day that is wanted; by default all.

    Returns
    -------
    DataFrame
        ``customer_id``, ``interaction_id``, ``occurred_at`` (datetime64), ``channel``, ``direction``, ``contact_id``,
        ``role``, ``owner`` (:data:`NOBODY` where missing), ``result``, ``text`` (str) and ``logged_after_days``
        (float64; NaN where the source does not say when a row was recorded).
    """
    parts = map_buckets(_Records(as_of, since), events, engine, "contacts")
    return _typed(pd.concat(parts, ignore_index=True), RECORDED_AT in events.columns.get("interactions", ()))


def contact_history(events: Events, customer_id: str, as_of: date) -> pd.DataFrame:
    """The contacts with one customer, as :func:`contact_records` has them; those of former owners, too.

    Raises
    ------
    SettingsError
        If no such account was known by then.
    """
    with account_connection(events, customer_id, as_of) as con:
        found = con.execute(_RECORDS).df().drop(columns="day")
    return _typed(found, RECORDED_AT in events.columns.get("interactions", ()))


def by_owner_and_day(records: pd.DataFrame, *, within_days: int = LOGGED_WITHIN_DAYS) -> pd.DataFrame:
    """What each sales person did on each day; the contacts of all rows sum to the contacts there are.

    Parameters
    ----------
    records
        Of :func:`contact_records`.
    within_days
        A contact that was recorded no more days after it took place is recorded in time.

    Returns
    -------
    DataFrame
        ``owner``, ``day`` (datetime64), ``customers``, ``contacts``, ``effective``, ``high_value``, ``unsuccessful``
        (NaN where no contact at all bears a result) and ``logged`` (recorded in time; NaN where unknown), ordered by
        owner and day.
    """
    marked = _marked(records, within_days).assign(day=records["occurred_at"].dt.normalize())
    counted = marked.groupby(["owner", "day"], sort=True)
    table = counted[list(_COUNTS)].sum(min_count=1)
    table.insert(0, "customers", counted["customer_id"].nunique())
    return table.reset_index()


def rates(days: pd.DataFrame, period: str = "month") -> pd.DataFrame:
    """Success and loss of each sales person in each period.

    Parameters
    ----------
    days
        Of :func:`by_owner_and_day`.
    period
        ``week`` (from Monday), ``month``, ``quarter`` or ``year``.

    Returns
    -------
    DataFrame
        ``owner``, ``begins`` (datetime64, the period's first day), ``days`` (with a contact), the counts, and
        ``success_rate``, ``loss_rate``, ``logged_share`` (0 to 1, by :data:`DEFINITIONS`) and ``contacts_per_day``.
    """
    begins = days["day"].dt.to_period({"week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}[period])
    grouped = days.assign(begins=begins.dt.start_time).groupby(["owner", "begins"], sort=True)
    table = grouped[list(_COUNTS)].sum(min_count=1)
    table.insert(0, "days", grouped.size())
    for name, counted in DEFINITIONS.items():
        table[name] = table[list(counted)].sum(axis=1, min_count=1) / table["contacts"]
    return table.assign(contacts_per_day=table["contacts"] / table["days"]).reset_index()


def recorded_late(records: pd.DataFrame, *, within_days: int = LOGGED_WITHIN_DAYS) -> pd.DataFrame:
    """The contacts that were recorded later than that, the latest first."""
    late = records[records["logged_after_days"] > within_days]
    return late.sort_values(["logged_after_days", *_ORDER], ascending=[False, True, True], ignore_index=True)


def _marked(records: pd.DataFrame, within_days: int) -> pd.DataFrame:
    """One column per count, 1 where the contact counts."""
    after = records["logged_after_days"]
    judged = records["result"].notna().any()
    marks = {name: (records["result"] == name).astype("float64") if judged else float("nan") for name in _RESULTS}
    logged = (after <= within_days).astype("float64").where(after.notna())
    return records[["customer_id", "owner"]].assign(contacts=1.0, **marks, logged=logged)


@dataclass(frozen=True)
class _Records:
    """The contacts of one bucket, in a form that another process can be handed."""

    as_of: date
    since: date | None

    def __call__(self, events: Events, bucket: int) -> pd.DataFrame:
        """Read one bucket."""
        first = f" WHERE day >= DATE '{self.since}'" if self.since else ""
        with events.connect(bucket) as con:
            narrow(con, "false", keep=("interactions",))
            cutoffs.lay_out_time(con)
            cutoffs.set_cutoffs(con, [self.as_of])
            return con.execute(f"SELECT * EXCLUDE (day) FROM ({_RECORDS}){first}").df()


def _typed(records: pd.DataFrame, clocked: bool) -> pd.DataFrame:
    text = ("customer_id", "interaction_id", "channel", "direction", "contact_id", "role", "owner", "result", "text")
    found = records.astype(
        {**dict.fromkeys(text, "str"), "occurred_at": "datetime64[us]", "logged_after_days": "float64"}
    )
    after = found["logged_after_days"] if clocked else float("nan")
    return found.assign(owner=found["owner"].fillna(NOBODY), logged_after_days=after).sort_values(
        _ORDER, ignore_index=True
    )
