"""What people have to do and have recorded: room in the day, cases, the completeness of follow-ups and of updates."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from serving.rows import records
from serving.task_kinds import kind_of

#: Codes of what the figures here can ask a manager to look at.
REVIEW_INPUT = "review_input_fields"
#: So many open tasks are shown to one person, where nothing else is set.
MOST_PER_PERSON = 15


def awake(tasks: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Open tasks that do not sleep: one that sleeps is back on the day until which it was to sleep."""
    open_ones = tasks[tasks["state"] == "open"]
    until = [row["snoozed_until"] for row in records(open_ones)]
    return open_ones[[day is None or day <= as_of for day in until]]


def case_state(tasks: pd.DataFrame) -> pd.DataFrame:
    """Every case: ``case_id``, ``customer_id``, ``state``, ``open``, ``done`` and ``waived``.

    A case is ``closed`` when all of its tasks are done or waived; nobody closes it otherwise.
    """
    rows = []
    cases = tasks[tasks["case_id"].notna()]
    for (case, customer), mine in cases.groupby(["case_id", "customer_id"]):
        n = mine["state"].value_counts().reindex(["open", "done", "waived"], fill_value=0)
        rows.append((case, customer, "open" if n["open"] else "closed", *map(int, n)))
    return pd.DataFrame(rows, columns=["case_id", "customer_id", "state", "open", "done", "waived"])


@dataclass(frozen=True)
class Room:
    """What fits into the day: the tasks that are shown, and those that are left."""

    shown: pd.DataFrame
    left: pd.DataFrame

    @property
    def not_shown(self) -> dict[str, int]:
        """How many each owner is not shown; those who are shown all are not named."""
        counted = self.left["owner"].fillna("").value_counts()
        return {str(owner): int(n) for owner, n in counted.items()}


def within_capacity(tasks: pd.DataFrame, most_per_person: int, must_act: Iterable[str] = ()) -> Room:
    """At most so many open tasks for each owner, the most urgent and the earliest due first.

    Tasks of the customers of `must_act` are shown in any case, and take room from the others.
    """
    known = set(must_act)
    must = np.array([one in known for one in tasks["customer_id"].tolist()], dtype=bool)
    urgency = {code: kind_of(code).urgency for code in tasks["kind"].unique()}
    louder = -np.array([urgency[code] for code in tasks["kind"].tolist()], dtype="int64")
    due_on, task_id = (pd.factorize(tasks[name], sort=True)[0] for name in ("due_on", "task_id"))
    order = np.lexsort((task_id, due_on, louder, ~must))
    owner = pd.Series(pd.factorize(tasks["owner"].fillna(""))[0][order], index=order)
    place = owner.groupby(owner, sort=False).cumcount().reindex(range(len(tasks))).to_numpy()
    seen = (place < most_per_person) | must
    return Room(tasks[seen], tasks[~seen])


# Follow-ups


def completeness(expected: pd.DataFrame, contacts: pd.DataFrame, within_days: int) -> pd.DataFrame:
    """For each owner the share of the contacts that were to be made, and were recorded in time.

    Parameters
    ----------
    expected
        ``owner``, ``customer_id`` and ``expected_on``, one row per contact that was due.
    contacts
        ``customer_id`` and ``contact_on``, each record once; one record meets one expectation.
    within_days
        A record counts from the day on which the contact was due until so many days after it.

    Returns
    -------
    DataFrame
        ``owner``, ``expected``, ``recorded``, ``share`` and ``missing``, a list of (customer, day); least complete
        first.
    """
    there: dict[str, list[date]] = {}
    for row in sorted(records(contacts), key=lambda row: row["contact_on"]):
        there.setdefault(row["customer_id"], []).append(row["contact_on"])
    met = []
    for row in records(expected.sort_values(["expected_on", "customer_id"])):
        left = there.get(row["customer_id"], [])
        latest = row["expected_on"] + timedelta(days=within_days)
        fits = next((day for day in left if row["expected_on"] <= day <= latest), None)
        if fits is not None:
            left.remove(fits)
        met.append((row["owner"], row["customer_id"], row["expected_on"], fits is not None))
    rows = pd.DataFrame(met, columns=["owner", "customer_id", "expected_on", "met"])
    told = []
    for owner, mine in rows.groupby("owner"):
        missing = [(row.customer_id, row.expected_on) for row in mine[~mine["met"]].itertuples()]
        told.append((owner, len(mine), int(mine["met"].sum()), float(mine["met"].mean()), missing))
    found = pd.DataFrame(told, columns=["owner", "expected", "recorded", "share", "missing"])
    return found.sort_values(["share", "owner"], ignore_index=True)


@dataclass(frozen=True)
class Compliance:
    """How many contacts were followed by the update of all three fields.

    Attributes
    ----------
    contacts, updated
        How many there were, and how many of them were followed.
    share
        NaN without contacts.
    review
        :data:`REVIEW_INPUT` where the share is below the target: the form is to be looked at, not the people.
    """

    contacts: int
    updated: int
    share: float
    review: str | None


def update_compliance(
    contacts: pd.DataFrame, updates: pd.DataFrame, *, within_days: int = 1, target: float = 0.8
) -> Compliance:
    """The share of contacts that the 30-second update followed.

    Parameters
    ----------
    contacts
        ``customer_id``, ``contact_on``.
    updates
        ``customer_id``, ``on`` and what was updated: ``last_contact_on``, ``temperature``, ``risk``. One that leaves
        out any of the three is no update of this kind.
    within_days
        An update counts on the day of the contact and so many days after it.
    """
    whole = updates[updates[["last_contact_on", "temperature", "risk"]].notna().all(axis=1)]
    days: dict[str, list[date]] = {}
    for row in records(whole):
        days.setdefault(row["customer_id"], []).append(row["on"])
    latest = timedelta(days=within_days)
    updated = sum(
        any(row["contact_on"] <= day <= row["contact_on"] + latest for day in days.get(row["customer_id"], ()))
        for row in records(contacts)
    )
    share = updated / len(contacts) if len(contacts) else float("nan")
    return Compliance(len(contacts), updated, share, REVIEW_INPUT if share < target else None)


def satisfaction(ratings: pd.DataFrame, as_of: date, stale_after_days: int) -> pd.DataFrame:
    """The newest satisfaction of every customer, and whether it is too old to count.

    Parameters
    ----------
    ratings
        ``customer_id``, ``rated_on``, ``rating``.

    Returns
    -------
    DataFrame
        ``customer_id``, ``rated_on``, ``rating``, ``days``, ``stale`` (older than `stale_after_days`), ``counted``
        (the rating, NaN where it is stale) and ``notice`` (``satisfaction_stale`` there, else None).
    """
    newest = ratings.sort_values("rated_on", kind="stable").groupby("customer_id", as_index=False).last()
    days = pd.Series([(as_of - row["rated_on"]).days for row in records(newest)], index=newest.index, dtype="int64")
    stale = days > stale_after_days
    counted = newest["rating"].astype(float).mask(stale)
    notice = pd.Series("satisfaction_stale", index=newest.index, dtype="object").where(stale, None)
    return newest.assign(days=days, stale=stale, counted=counted, notice=notice)


def without_contact(today: pd.DataFrame, days: int = 30) -> pd.Series:
    """Accounts of each owner without a contact for at least so many days; an unknown contact is not counted."""
    late = today[today["days_since_last_contact"] >= days]
    return late.groupby("owner").size().rename("accounts")
