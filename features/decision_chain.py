"""The decision chain of one account: who decides there, how warm each one is, what is planned together, how service
goes.

Time is cut into periods of 30 days that end at the cutoff, so that the newest one is never half a month. What is usual
of a person or a role are its contacts in the 365 days before, scaled to the days that are looked at, as in the features
(:mod:`features.roles`): the newest cell of a role's row is what its feature says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import duckdb
import pandas as pd

from features import snapshots
from features.buckets import Events
from features.contact_curve import PERIOD_DAYS as CURVE_DAYS
from features.contact_curve import contact_periods, expected_contacts
from features.contract import ROLES
from features.cutoffs import past
from features.engines import ONE_BY_ONE, Engine
from features.interactions import with_roles
from features.issues import absent
from features.narrowing import account_connection
from features.options import Value, resolved
from features.registry import BASELINE_DAYS, BASELINE_MIN_DAYS

#: States of a person or a role; a gap is a role that nobody bears or a person to whom nobody ever spoke.
WARM, COOLING, LOST, GAP = "warm", "cooling", "lost", "gap"
STATES = (WARM, COOLING, LOST, GAP)
#: A period, and what is compared with the usual.
PERIOD_DAYS, RECENT_DAYS = 30, 90
#: Columns of the matrix.
PERIODS = 12
#: Up to this share of what is expected, contacts are below the curve.
CURVE_SHARE = 0.8
#: Nobody has spoken to a person for so long: the contact is lost.
LOST_DAYS = 180
UNKNOWN = "unknown"
#: Steps of the colour, from as usual or more (0) to the strongest; from which one on a person is cooling.
STRONGEST, _COOL = 4, 3
_CLOSE = 1e-9

_PEOPLE = f"""
SELECT contact_id, arg_max(name, from_day) AS name, arg_max(title, from_day) AS title, arg_max(role, from_day) AS role,
       CASE WHEN NOT bool_or(valid_to IS NULL) THEN max(CAST(valid_to AS DATE)) END AS left_on
FROM (SELECT *, coalesce(CAST(valid_from AS DATE), DATE '0001-01-01') AS from_day FROM ({past("contacts")}))
WHERE coalesce(days_ago >= 1, true) GROUP BY contact_id
"""
_SPOKEN = (
    "SELECT contact_id, coalesce(role, held_role) AS role, day, CAST(days_ago AS INTEGER) AS days_ago "
    f"FROM ({with_roles(past('interactions'))})"
)


PEOPLE = (
    "contact_id",
    "name",
    "title",
    "role",
    "state",
    "last_contact_on",
    "left_on",
    "contacts_90d",
    "usual_90d",
    "trend",
)
CELLS = ("kind", "key", "ends_on", "contacts_90d", "usual_90d", "change", "strength", "few")


@dataclass(frozen=True)
class DecisionChain:
    """Who decides at an account and how it goes with them, as it was known at a cutoff.

    Attributes
    ----------
    people
        Every person on file who is in place or left within 455 days, and a row for every role that nobody in place
        bears, with the contacts of nobody on file: ``contact_id``, ``name``, ``title`` (missing for such a row),
        ``role``, ``state`` (of :data:`STATES`; missing without the table of contacts made), ``last_contact_on``,
        ``left_on`` (dates), ``contacts_90d``, ``usual_90d`` and ``trend`` (change against the usual, from -1; NaN where
        no usual is known), by role.
    matrix
        ``kind`` (``role`` or ``contact``), ``key``, ``ends_on`` (date, the period's last day), ``contacts_90d`` (of
        the 90 days up to then), ``usual_90d``, ``change`` (NaN where no usual is known), ``strength`` (0 to
        :data:`STRONGEST`) and ``few`` (the usual is below ``role_min_interactions``, so the change says little).
    board
        Of :func:`strategic_board`.
    service
        The lifecycle curve of the account's contacts (:mod:`features.contact_curve`), the oldest first: ``begins_on``,
        ``ends_on`` (dates; a period's first and last day), ``age`` (in periods), ``expected``, ``expected_by``,
        ``limit`` (80 % of what is expected), ``actual`` and ``below`` (bool: at the limit or under it).
    unknown
        What cannot be told, with the table or column of the contract that the source lacks.
    """

    people: pd.DataFrame
    matrix: pd.DataFrame
    board: pd.DataFrame
    service: pd.DataFrame
    unknown: Mapping[str, str]


def decision_chain(
    events: Events,
    customer_id: str,
    as_of: date,
    *,
    options: Mapping[str, object] | None = None,
    engine: Engine = ONE_BY_ONE,
    curve: pd.DataFrame | None = None,
) -> DecisionChain:
    """The decision chain of an account at midnight of a date.

    Parameters
    ----------
    options
        Values of :mod:`features.options` that differ from their defaults: ``role_fall_share`` is the strongest colour,
        ``role_cooling_share`` what makes a person cool, ``overdue_milestone_days`` what marks a milestone.
    engine
        What maps the buckets, for what is compared with other accounts.
    curve
        Of :func:`features.contact_curve.expected_contacts` at the same date, where it is at hand; else it is made.

    Raises
    ------
    SettingsError
        If no such account was known by then, or an option is unknown.
    """
    values = resolved(options or {})
    needs = {"people": "contacts", "matrix": "interactions", "board": "partnerships", "service": "interactions"}
    unknown = {what: lacking for what, table in needs.items() if (lacking := absent(events.columns, table))}
    spoken_since = _began(events, as_of, engine)
    if curve is None:
        curve = expected_contacts(contact_periods(events, as_of, engine=engine))
    with account_connection(events, customer_id, as_of) as con:
        first = con.execute(f"SELECT min(day) FILTER (is_order) FROM ({past('order_days')})").fetchall()[0][0]
        spoken = con.execute(_SPOKEN).df().astype({"contact_id": "str", "role": "str"})
        file = con.execute(_PEOPLE).df()
        known_from = max(first, spoken_since) if first and spoken_since else None
        usual = _Usual(spoken, as_of, (as_of - known_from).days if known_from else 0, values)
        return DecisionChain(
            people=_people(file, usual, "matrix" not in unknown),
            matrix=_matrix(file, usual),
            board=strategic_board(con, as_of, _share(values, "overdue_milestone_days")),
            service=_service(curve[curve["customer_id"] == customer_id], as_of),
            unknown=unknown,
        )


def _began(events: Events, as_of: date, engine: Engine) -> date | None:
    """The first day of which contacts were known at a cutoff; None where none were."""
    starts = snapshots.all_starts(events, engine)
    known = starts[(starts["source"] == "interactions") & (starts["visible_from"] <= pd.Timestamp(as_of))]
    return None if known.empty else pd.Timestamp(known["day"].min()).date()


def _service(curve: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The account's curve with its days and its band."""
    periods = curve.sort_values("period", ascending=False, ignore_index=True)
    limit = CURVE_SHARE * periods["expected"]
    ends = [as_of - timedelta(days=CURVE_DAYS * (int(number) - 1) + 1) for number in periods["period"]]
    begins = [day - timedelta(days=CURVE_DAYS - 1) for day in ends]
    return periods.assign(
        begins_on=pd.Series(begins, dtype="object"),
        ends_on=pd.Series(ends, dtype="object"),
        limit=limit,
        below=(periods["expected"] > 0) & (periods["actual"] <= limit + _CLOSE),
    )[["begins_on", "ends_on", "age", "expected", "expected_by", "limit", "actual", "below"]]


@dataclass(frozen=True)
class _Usual:
    """The contacts with an account, and what is usual of some of them.

    Attributes
    ----------
    spoken
        ``contact_id``, ``role``, ``day`` and ``days_ago`` of each contact.
    history_days
        For how long both the relationship and the source can tell.
    """

    spoken: pd.DataFrame
    as_of: date
    history_days: int
    options: Mapping[str, Value]

    def days_ago(self, column: str, key: str) -> pd.Series:
        """Of the contacts with a person or a role."""
        return self.spoken.loc[self.spoken[column] == key, "days_ago"]

    def at(self, days_ago: pd.Series, shift: int) -> tuple[int, float]:
        """The contacts of the 90 days that ended so many days before the cutoff, and the usual number."""
        recent = int(days_ago.between(shift + 1, shift + RECENT_DAYS).sum())
        before = days_ago.between(shift + RECENT_DAYS + 1, shift + RECENT_DAYS + BASELINE_DAYS).sum()
        reach = min(BASELINE_DAYS, self.history_days - shift - RECENT_DAYS)
        return recent, float(before * RECENT_DAYS / reach) if reach >= BASELINE_MIN_DAYS else float("nan")

    def strength(self, recent: int, usual: float) -> int:
        """The step of the colour; exact at the shares."""
        fallen = usual - recent
        for step, share in ((4, "role_fall_share"), (3, "role_cooling_share"), (2, "role_normal_band")):
            if usual > 0 and fallen >= _share(self.options, share) * usual - _CLOSE:
                return step
        return 1 if fallen > _CLOSE else 0

    def state(self, days_ago: pd.Series, left: bool) -> str:
        """How warm a person or a role is."""
        if left:
            return LOST
        if days_ago.empty:
            return GAP
        recent, usual = self.at(days_ago, 0)
        if days_ago.min() > LOST_DAYS:
            return LOST
        return COOLING if recent == 0 or self.strength(recent, usual) >= _COOL else WARM


def _people(file: pd.DataFrame, usual: _Usual, spoken: bool) -> pd.DataFrame:
    """Who decides: every person on file, then each role that none of those in place bears."""
    rows = []
    for person in file.to_dict("records"):
        left = None if pd.isna(person["left_on"]) else pd.Timestamp(person["left_on"]).date()
        if left is None or (usual.as_of - left).days <= RECENT_DAYS + BASELINE_DAYS:
            days = usual.days_ago("contact_id", str(person["contact_id"]))
            rows.append(_row(person, days, left, usual, spoken))
    strangers = replace(usual, spoken=usual.spoken[~usual.spoken["contact_id"].isin(file["contact_id"])])
    borne = {row["role"] for row in rows if row["left_on"] is None}
    for role in ROLES:
        if role not in borne:
            nobody = {"contact_id": None, "name": None, "title": None, "role": role}
            # what was spoken with somebody who has left makes no contact with the role
            rows.append(_row(nobody, strangers.days_ago("role", role), None, usual, spoken))
    place = {role: number for number, role in enumerate(ROLES)}
    rows.sort(key=lambda row: (place.get(row["role"], len(place)), row["left_on"] is not None, str(row["contact_id"])))
    frame = pd.DataFrame(rows, columns=list(PEOPLE))
    return frame.astype({"state": "str", "trend": "float64", "usual_90d": "float64", "contacts_90d": "float64"})


def _row(person: Mapping[Any, Any], days: pd.Series, left: date | None, usual: _Usual, spoken: bool) -> dict[str, Any]:
    text = {name: None if pd.isna(person[name]) else str(person[name]) for name in PEOPLE[:4]}
    recent, normal = usual.at(days, 0) if spoken else (float("nan"), float("nan"))
    return {
        **text,
        "role": text["role"] or UNKNOWN,
        "state": usual.state(days, left is not None) if spoken or left else None,
        "last_contact_on": None if days.empty else usual.as_of - timedelta(days=int(days.min())),
        "left_on": left,
        "contacts_90d": recent,
        "usual_90d": normal,
        "trend": recent / normal - 1 if normal > 0 else float("nan"),
    }


def _matrix(file: pd.DataFrame, usual: _Usual) -> pd.DataFrame:
    """Each role and each person on file, period by period, the oldest first."""
    keys = [("role", role) for role in ROLES]
    keys += [("contact", str(person)) for person in sorted(file["contact_id"])]
    least = _share(usual.options, "role_min_interactions")
    rows = []
    for kind, key in keys if len(usual.spoken) else ():
        days = usual.days_ago("role" if kind == "role" else "contact_id", key)
        for number in range(PERIODS - 1, -1, -1):
            recent, normal = usual.at(days, number * PERIOD_DAYS)
            change = (recent - normal) / normal if normal > 0 else float("nan")
            ends = usual.as_of - timedelta(days=number * PERIOD_DAYS + 1)
            rows.append((kind, key, ends, recent, normal, change, usual.strength(recent, normal), normal < least))
    return pd.DataFrame(rows, columns=list(CELLS)).astype({"kind": "str", "key": "str", "few": "bool"})


def strategic_board(con: duckdb.DuckDBPyConnection, as_of: date, limit_days: float) -> pd.DataFrame:
    """Milestones and joint activities with their delay, those that are open and late first, the latest on top.

    Returns
    -------
    DataFrame
        ``activity_id``, ``kind``, ``level``, ``status``, ``explanation`` (missing where none), ``planned_on``,
        ``done_on`` (dates), ``days_late`` (0 where on time or not due; NaN where cancelled), ``is_open``, ``marked``
        (open and late by more than the limit) and ``unexplained`` (marked, and nobody says why).
    """
    found = con.execute(
        "SELECT activity_id, kind, level, status, nullif(trim(explanation), '') AS explanation, day AS planned_on, "
        f"CAST(done_at AS DATE) AS done_on FROM ({past('partnerships')}) WHERE kind IS DISTINCT FROM "
        "'document_request' ORDER BY day, activity_id"
    ).df()
    text = dict.fromkeys(("activity_id", "kind", "level", "status", "explanation"), "str")
    found = found.astype({**text, "planned_on": "datetime64[s]", "done_on": "datetime64[s]"})
    off = found["status"] == "cancelled"
    is_open = found["done_on"].isna() & ~off & (found["status"] != "done")
    until = found["done_on"].fillna(pd.Timestamp(as_of))
    late = (until - found["planned_on"]).dt.days.clip(lower=0).astype("float64")
    late = late.mask(off).mask(found["done_on"].isna() & (found["status"] == "done"), 0.0)
    marked = is_open & (late > limit_days)
    board = found.assign(
        planned_on=found["planned_on"].dt.date.astype("object"),
        done_on=found["done_on"].dt.date.astype("object").where(found["done_on"].notna(), None),
        days_late=late,
        is_open=is_open,
        marked=marked,
        unexplained=marked & found["explanation"].isna(),
    )
    return board.sort_values(["is_open", "days_late"], ascending=False, kind="stable", ignore_index=True)


def _share(options: Mapping[str, Value], name: str) -> float:
    return float(str(options[name]))
