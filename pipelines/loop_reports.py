"""What people make of the warnings, told anew with every daily run: what was done in time, what waits, what is missing.

Every report bears ``n``, the cases that it is made of, and the settings that it was made by; without cases its shares
are null.
"""

from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pandas as pd

from features.contact_records import NOBODY, contact_records
from features.snapshots import ELIGIBLE
from pipelines.intake import Intake
from pipelines.loop_sections import Outcomes, Records
from pipelines.record_report import RECORD_DAYS, Past, read_past, treated_in_time, what_came
from serving.day_records import kept
from serving.effects import Compared, action_in_time, effect, red_actions, saved, visit_in_time
from serving.loop import STEPS
from serving.loop_rows import frame, told
from serving.outcomes import families, unreviewed
from serving.rows import records
from serving.stepping import SUPERSEDED
from serving.store import Store
from serving.stuck import stuck
from serving.task_kinds import CONTACT_KINDS
from serving.verification import disagreements
from serving.workload import completeness, satisfaction, update_compliance

#: Records of contacts are judged over so many days.
MONTH_DAYS = 31
#: At most so many rows of a list are told, the most urgent ones; ``n`` counts all.
LISTED = 50
#: Contacts: whose, on which day, when recorded (dates), how.
CONTACTS = ("customer_id", "contact_on", "recorded_on", "channel")
_UPDATE = ("last_contact_on", "temperature", "risk")


@dataclass(frozen=True)
class LoopPast(Past):
    """What the store knows of the warnings before a day's run, and of what people did.

    Attributes
    ----------
    tasks, outcomes, reviews, entered
        The tables ``task`` (what a replaced run had made left out), ``outcome``, ``review`` and ``account_state``.
    updates
        Every update of an account: ``customer_id``, ``on`` and ``last_contact_on`` (dates), ``temperature``, ``risk``;
        what was not updated is None.
    """

    tasks: pd.DataFrame
    outcomes: pd.DataFrame
    reviews: pd.DataFrame
    entered: pd.DataFrame
    updates: pd.DataFrame


def read_loop(store: Store) -> LoopPast:
    """The warnings of the store with what was said and done of them."""
    past = read_past(store)
    tasks = frame(store, "task")
    replaced = tasks["result"].map(lambda result: (result or {}).get("reason") == SUPERSEDED).astype(bool)
    events = told(store, "account_updated")
    updates = events.reindex(columns=["customer_id", *_UPDATE]).astype("object")
    days = [None if pd.isna(day) else date.fromisoformat(day) for day in updates["last_contact_on"]]
    return LoopPast(
        **{one.name: getattr(past, one.name) for one in fields(past)},
        tasks=tasks[~replaced],
        outcomes=frame(store, "outcome"),
        reviews=frame(store, "review"),
        entered=frame(store, "account_state"),
        updates=updates.assign(
            last_contact_on=pd.Series(days, index=updates.index, dtype="object"),
            on=pd.Series([at.date() for at in events["at"]], index=updates.index, dtype="object"),
        ),
    )


def contacts_of(intake: Intake, past: LoopPast, today: pd.DataFrame) -> pd.DataFrame:
    """The contacts of the source that the reports look at, as :data:`CONTACTS`; none where it has no such table."""
    if "interactions" not in intake.events.columns:
        return pd.DataFrame(columns=list(CONTACTS), dtype="object")
    as_of, section = intake.as_of, intake.settings.records
    month = as_of - timedelta(days=MONTH_DAYS + max(section.follow_up_within_days, section.update_within_days) + 1)
    due = _due(past.tasks, section.follow_up_within_days, as_of)
    wanted = [month, *due["created_on"], *_changed(today, as_of)["contact_changed_on"]]
    found = contact_records(intake.events, as_of, since=min(wanted), engine=intake.engine)
    logged = pd.to_timedelta(found["logged_after_days"].fillna(0).clip(lower=0), unit="D")
    days = {"contact_on": found["occurred_at"], "recorded_on": found["occurred_at"] + logged}
    return found.assign(**{name: day.dt.date.astype("object") for name, day in days.items()})[list(CONTACTS)]


def loop_reports(
    past: LoopPast,
    today: pd.DataFrame,
    contacts: pd.DataFrame,
    orders: pd.DataFrame,
    *,
    outcomes: Outcomes,
    records_kept: Records,
    oldest_rating_days: int,
    as_of: date,
    observed_until: date,
) -> dict[str, Any]:
    """The reports of a day on its loop, by name, as JSON holds them.

    Parameters
    ----------
    past
        Of :func:`read_loop`, before the day itself has moved anything.
    today
        Every customer: ``customer_id``, ``cohort``, ``level``, ``risk`` (on file), ``churn_window_days``,
        ``contact_changed_on`` (dates), ``last_two_ratings`` (lists) and ``rating_age_days``.
    contacts
        Of :func:`contacts_of`.
    orders
        Of :func:`pipelines.record_report.order_days`.
    oldest_rating_days
        Of the health score: an older rating does not count.
    outcomes, records_kept
        The sections of the settings.
    observed_until
        The midnight before which orders count as known.
    """
    episodes = past.episodes[past.episodes["opened_on"].map(lambda day: day <= as_of).astype(bool)]
    lost = _lost(episodes, _changed(today, as_of), orders, observed_until)
    together = _contacts(contacts, past.updates)
    found = {
        "acting_in_time": acting(episodes, past.outcomes, outcomes),
        "visiting_in_time": visiting(today, contacts, lost, outcomes, as_of),
        "effect": effect_report(episodes, lost, outcomes),
        "causes": causes(past.reviews, outcomes),
        "reviews_missing": reviews_missing(past.tasks, outcomes, as_of),
        "stuck": stuck_report(episodes, as_of),
        "disagreements": disagreement_report(today, past.entered),
        "follow_ups": follow_ups(past.tasks, together, records_kept, as_of),
        "updates": updates_report(together, past.updates, records_kept, as_of),
        "ratings_stale": ratings_stale(today, oldest_rating_days, as_of),
    }
    return {name: kept(content) for name, content in found.items()}


# What came of it


def acting(episodes: pd.DataFrame, outcomes: pd.DataFrame, terms: Outcomes) -> dict[str, Any]:
    """Orders that came back after red warnings, acted upon early against later."""
    days = terms.act_within_days
    return _sides(action_in_time(red_actions(episodes, outcomes), days, terms.least_cases), days)


def visiting(
    today: pd.DataFrame, contacts: pd.DataFrame, lost: pd.Series, terms: Outcomes, as_of: date
) -> dict[str, Any]:
    """Customers that stayed after their contact changed, visited early against the others.

    A customer stayed if it ordered within its own window after the change. A change counts when both the window and
    the days for the visit have passed; where no source tells how a contact was made, none does.
    """
    days = terms.visit_within_days
    visits: dict[str, list[date]] = {}
    for row in records(contacts[contacts["channel"] == "visit"]):
        visits.setdefault(row["customer_id"], []).append(row["contact_on"])
    rows = []
    for row in records(_changed(today, as_of)) if contacts["channel"].notna().any() else []:
        changed = row["contact_changed_on"]
        came = [(day - changed).days for day in visits.get(row["customer_id"], ()) if day >= changed]
        fate = lost.get(_key(row))
        if changed + timedelta(days=days) < as_of and fate is not None and fate == fate:
            rows.append((float(min(came)) if came else float("nan"), fate == 0))
    changes = pd.DataFrame(rows, columns=["visit_days", "kept"]).astype({"visit_days": "float64", "kept": "object"})
    return _sides(visit_in_time(changes, days, terms.least_cases), days)


def effect_report(episodes: pd.DataFrame, lost: pd.Series, terms: Outcomes) -> dict[str, Any]:
    """What showing warnings did, by lot; ``code`` says why there is no number where there is none."""
    fate = episodes["episode_id"].map(lost).astype("float64")
    treated = treated_in_time(episodes)
    rows = episodes[["arm"]].assign(propensity=episodes["propensity"].astype("float64"), treated=treated, lost=fate)
    known = rows[rows["lost"].notna()]
    found = effect(known, terms.least_cases)
    return {
        "n": len(known),
        "least_cases": terms.least_cases,
        **asdict(found),
        "saved": asdict(saved(found, found.shown.n)),
    }


def causes(reviews: pd.DataFrame, terms: Outcomes) -> dict[str, Any]:
    """Losses by family of cause; of too few only how many there are."""
    found = families(reviews)
    few = len(reviews) < terms.least_cases
    shares = found.assign(share=float("nan")) if few else found
    return {
        "n": len(reviews),
        "least_cases": terms.least_cases,
        "too_few": few,
        "families": shares.to_dict("records"),
    }


def reviews_missing(tasks: pd.DataFrame, terms: Outcomes, as_of: date) -> dict[str, Any]:
    """Losses that nobody has said the cause of for too long."""
    found = unreviewed(tasks, as_of, terms.review_after_days)
    return {"n": len(found), "after_days": terms.review_after_days, "losses": _listed(found)}


# What people have to do and have recorded


def stuck_report(episodes: pd.DataFrame, as_of: date) -> dict[str, Any]:
    """Warnings by step with their age; those that are left alone by lot wait for nobody."""
    midnight = datetime.combine(as_of, time(), UTC)
    found = stuck(episodes[episodes["arm"] == "shown"], midnight, 0)
    steps = []
    for step in STEPS[:-1]:
        mine = found[found["step"] == step]
        days = mine["days"].astype("float64")
        counts = {"n": len(mine), "unowned": int(mine["unowned"].sum())}
        ages = {"median_days": days.median(), "longest_days": days.max()}
        steps.append({"step": step, **counts, **ages, "warnings": _listed(mine.drop(columns="step"))})
    return {"n": len(found), "steps": steps}


def disagreement_report(today: pd.DataFrame, entered: pd.DataFrame) -> dict[str, Any]:
    """Accounts that can be warned about whose risk people rate otherwise than the level says."""
    rated = today.loc[today["cohort"] == ELIGIBLE, ["customer_id", "level", "risk"]]
    found = disagreements(rated, entered)
    return {"n": len(found), "people_see_more": int((found["apart"] > 0).sum()), "accounts": _listed(found)}


def follow_ups(tasks: pd.DataFrame, contacts: pd.DataFrame, terms: Records, as_of: date) -> dict[str, Any]:
    """For each person the contacts that were due in the last month, and were recorded in time.

    A contact that is recorded between the day on which its task was created and the one on which it was due is one of
    the day on which it was due.
    """
    within = terms.follow_up_within_days
    due = _due(tasks, within, as_of)
    spans: dict[str, list[tuple[date, date]]] = {}
    for row in records(due):
        spans.setdefault(row["customer_id"], []).append((row["created_on"], row["due_on"]))
    days = [
        next((due for since, due in spans.get(who, ()) if since <= on <= due), on)
        for who, on in zip(contacts["customer_id"], contacts["recorded_on"], strict=True)
    ]
    expected = due.assign(owner=due["owner"].fillna(NOBODY), expected_on=due["due_on"])
    made = contacts.assign(contact_on=pd.Series(days, index=contacts.index, dtype="object"))
    people = completeness(expected, made[made["customer_id"].isin(list(spans))], within)
    n, recorded = int(people["expected"].sum()), int(people["recorded"].sum())
    share = recorded / n if n else None
    return {
        "n": n,
        "recorded": recorded,
        "share": share,
        "within_days": within,
        "people": people.to_dict("records"),
    }


def updates_report(contacts: pd.DataFrame, updates: pd.DataFrame, terms: Records, as_of: date) -> dict[str, Any]:
    """How many contacts of the last month the update of all three fields followed; ``review`` where too few."""
    within = terms.update_within_days
    found = update_compliance(
        contacts[_judged(contacts["contact_on"], within, as_of)],
        updates,
        within_days=within,
        target=terms.update_target,
    )
    return {"n": found.contacts, "within_days": within, "target": terms.update_target, **asdict(found)}


def ratings_stale(today: pd.DataFrame, oldest_days: int, as_of: date) -> dict[str, Any]:
    """Customers whose newest rating is too old to count; ``n`` are those with any."""
    rated = today[today["rating_age_days"].notna()]
    newest = [float(given[-1]) if isinstance(given, list) and given else None for given in rated["last_two_ratings"]]
    days = [as_of - timedelta(days=int(age)) for age in rated["rating_age_days"]]
    ratings = rated[["customer_id"]].assign(
        rated_on=pd.Series(days, index=rated.index, dtype="object"),
        rating=pd.Series(newest, index=rated.index, dtype="float64"),
    )
    found = satisfaction(ratings, as_of, oldest_days)
    stale = found[found["stale"]].sort_values(["days", "customer_id"], ascending=[False, True])
    return {
        "n": len(found),
        "stale": len(stale),
        "after_days": oldest_days,
        "customers": _listed(stale[["customer_id", "rated_on", "rating", "days"]]),
    }


# What several of them are made of


def _sides(found: Compared, days: int) -> dict[str, Any]:
    """Two groups as JSON holds them."""
    return {"n": found.one.n + found.other.n, "within_days": days, **asdict(found)}


def _listed(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return records(rows.head(LISTED))


def _changed(today: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The newest change of the contact of each customer with a window of its own, of the last year."""
    first = as_of - timedelta(days=RECORD_DAYS)
    days = [row["contact_changed_on"] for row in records(today[["contact_changed_on"]])]
    lately = pd.Series([day is not None and first <= day < as_of for day in days], index=today.index, dtype=bool)
    chosen = today.loc[lately & today["churn_window_days"].notna()]
    return chosen[["customer_id", "contact_changed_on", "churn_window_days"]]


def _key(change: dict[str, Any]) -> str:
    """What a change is called among warnings."""
    return f"change:{change['customer_id']}"


def _lost(episodes: pd.DataFrame, changes: pd.DataFrame, orders: pd.DataFrame, observed_until: date) -> pd.Series:
    """Whether orders stayed out for the own window after warnings and changes (1, 0, NaN while unknown), by key."""
    columns = ["episode_id", "customer_id", "opened_on", "churn_window_days"]
    more = [{**row, "episode_id": _key(row), "opened_on": row["contact_changed_on"]} for row in records(changes)]
    rows = pd.DataFrame([*records(episodes[columns]), *more], columns=columns)
    if rows.empty:
        return pd.Series(dtype="float64")
    theirs = orders[orders["customer_id"].isin(rows["customer_id"])]
    found, _ = what_came(rows, theirs, observed_until)
    return found.set_index("episode_id")["lost"]


def _judged(days: pd.Series, within: int, as_of: date) -> pd.Series:
    """Whether what was due on each day was to be recorded in the month before a date."""
    ends = [day + timedelta(days=within) for day in days]
    first = as_of - timedelta(days=MONTH_DAYS)
    return pd.Series([first <= day < as_of for day in ends], index=days.index, dtype=bool)


def _due(tasks: pd.DataFrame, within: int, as_of: date) -> pd.DataFrame:
    """Tasks that asked for a contact by rank and were not waived, whose record had to be there by a date."""
    asked = tasks[tasks["kind"].isin(list(CONTACT_KINDS.values())) & (tasks["state"] != "waived")]
    return asked[_judged(asked["due_on"], within, as_of)]


def _contacts(contacts: pd.DataFrame, updates: pd.DataFrame) -> pd.DataFrame:
    """Contacts of the source and those that people entered; of a customer one a day, as it was recorded first."""
    entered = updates[updates["last_contact_on"].notna()]
    entered = entered.assign(contact_on=entered["last_contact_on"], recorded_on=entered["on"], channel=None)
    rows = [*records(contacts), *records(entered[list(CONTACTS)])]
    rows.sort(key=lambda row: (row["recorded_on"], row["contact_on"], row["customer_id"]))
    return pd.DataFrame(rows, columns=list(CONTACTS), dtype="object").drop_duplicates(["customer_id", "contact_on"])
