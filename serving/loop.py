"""What people do with warnings, tasks and accounts: the six steps and every other move, each an event of the ledger.

Every function takes the store (or an open transaction), who acts and when, and the version of what the person has
seen. Nothing or all of a move is written; if somebody else was faster it raises :class:`serving.projection.Stale`.
It returns the row as it stands afterwards.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa  # noqa: TID251

from features.contract import RISKS, TEMPERATURES
from features.errors import StoreError
from serving.ledger import Event, append
from serving.loop_rows import Row, Where, found, one, open_episode, open_task, open_tasks, seen, writing
from serving.migrations.loop_tables import ACCOUNT_STATE, EPISODE, OUTCOME, REVIEW, TASK
from serving.outcomes import APPROACHES, CAUSES, RESULTS, WHYS
from serving.task_kinds import KINDS

#: The six states of a warning, in the order in which they are gone through.
STEPS = ("raised", "acknowledged", "planned", "in_progress", "evaluated", "learned")
VERDICTS = ("true", "false", "known")
EXPOSURES = ("shown", "opened", "contacted")
#: What a new owner is told.
BRIEF = ("history", "open_issues", "temperature", "budget_months")
#: A task may sleep for so long at a time.
MOST_DAYS_ASLEEP = 30


# The six steps


def acknowledge(where: Where, episode_id: str, *, actor: str, at: datetime, version: int) -> Row:
    """A person takes a warning as theirs; where it has no owner, it becomes theirs."""
    with writing(where) as connection:
        row = one(connection, EPISODE, episode_id)
        if row["owner"] is None and row["version"] == version and row["step"] == "raised":
            owned = {"owner": actor, "version": version + 1}
            append(connection, [Event("episode_changed", actor, at, owned, row["customer_id"], episode_id)])
            version += 1
        return _step(connection, episode_id, "acknowledged", {}, actor, at, version)


def plan(
    where: Where, episode_id: str, *, plays: Sequence[str], actor: str, at: datetime, version: int, note: str = ""
) -> Row:
    """Decide what is to be done: codes of plays, a note."""
    if not plays and not note:
        raise StoreError(f"warning {episode_id!r}: a plan names at least one play or a note; found neither.")
    told = {"plays": list(plays), "note": note}
    with writing(where) as connection:
        return _step(connection, episode_id, "planned", told, actor, at, version)


def start(where: Where, episode_id: str, *, actor: str, at: datetime, version: int) -> Row:
    """Begin to carry out the plan."""
    with writing(where) as connection:
        return _step(connection, episode_id, "in_progress", {}, actor, at, version)


def evaluate(where: Where, episode_id: str, *, result: str, actor: str, at: datetime, version: int) -> Row:
    """Say what it came to; one of :data:`serving.outcomes.RESULTS`."""
    _chosen("result", result, RESULTS)
    with writing(where) as connection:
        return _step(connection, episode_id, "evaluated", {"result": result}, actor, at, version)


def learn(where: Where, episode_id: str, *, lesson: str, actor: str, at: datetime, version: int) -> Row:
    """Keep what was learned; the end of a warning's way."""
    if not lesson.strip():
        raise StoreError(f"warning {episode_id!r}: a lesson is a sentence; found an empty one.")
    with writing(where) as connection:
        return _step(connection, episode_id, "learned", {"lesson": lesson}, actor, at, version)


def _step(
    connection: sa.Connection,
    episode_id: str,
    to: str,
    told: Mapping[str, Any],
    actor: str,
    at: datetime,
    version: int,
) -> Row:
    row = seen(connection, EPISODE, episode_id, version)
    place = STEPS.index(row["step"]) + 1
    allowed = STEPS[place] if place < len(STEPS) else None
    if to != allowed:
        way = f"the next step is {allowed!r}" if allowed else "it has gone all its way"
        raise StoreError(f"warning {episode_id!r} is {row['step']!r}: {way}, found {to!r}.")
    payload = {**told, "step": to, "version": version + 1}
    append(connection, [Event("step_moved", actor, at, payload, row["customer_id"], episode_id)])
    return one(connection, EPISODE, episode_id)


# Accounts


def update_account(
    where: Where,
    customer_id: str,
    *,
    temperature: str,
    risk: str,
    actor: str,
    at: datetime,
    today: date,
    contacted_on: date | None = None,
    next_action_on: date | None = None,
    next_action_text: str | None = None,
    version: int | None = None,
) -> Row:
    """The update after a contact: its day (today by default), temperature and risk by choice, perhaps the next action.

    It treats the open warning and ends the tasks that ask for a contact.

    Parameters
    ----------
    version
        Of the account's state as the person saw it: 0 where there was none, None to write over whatever there is.

    Raises
    ------
    StoreError
        If a choice is none of the list, or the day lies in the future.
    """
    contacted = _past("contacted_on", contacted_on or today, today)
    values: Row = {"last_contact_on": contacted, "temperature": temperature, "risk": risk}
    if next_action_on is not None or next_action_text is not None:
        values |= {"next_action_on": next_action_on, "next_action_text": next_action_text}
    with writing(where) as connection:
        row = set_account(connection, customer_id, values, actor=actor, at=at, version=version)
        _contacted(connection, customer_id, actor, at)
        return row


def set_account(
    where: Where,
    customer_id: str,
    values: Mapping[str, Any],
    *,
    actor: str,
    at: datetime,
    version: int | None = None,
) -> Row:
    """Set some of an account's fields (``temperature``, ``risk``, ``next_action_on``, ``next_action_text``)."""
    fields = ("last_contact_on", "temperature", "risk", "next_action_on", "next_action_text")
    if not values or set(values) - set(fields):
        raise StoreError(f"account {customer_id!r}: give some of {', '.join(fields)}; found {', '.join(values)}.")
    for name, choices in (("temperature", TEMPERATURES), ("risk", RISKS)):
        if values.get(name) is not None:
            _chosen(name, values[name], choices)
    payload = dict(values) if version is None else {**values, "version": version + 1}
    with writing(where) as connection:
        append(connection, [Event("account_updated", actor, at, payload, customer_id)])
        return one(connection, ACCOUNT_STATE, customer_id)


def note_exposure(where: Where, episode_id: str, kind: str, *, actor: str, at: datetime) -> Row:
    """Keep that somebody was shown or opened a warning, or contacted its customer; the first time counts."""
    _chosen("exposure", kind, EXPOSURES)
    with writing(where) as connection:
        row = one(connection, EPISODE, episode_id)
        append(connection, [Event("exposed", actor, at, {"kind": kind}, row["customer_id"], episode_id)])
        return one(connection, EPISODE, episode_id)


def note_decision(where: Where, customer_id: str, *, visit: bool, reason: str, actor: str, at: datetime) -> Row:
    """Keep whether a rep is to be sent again, and why."""
    if not reason.strip():
        raise StoreError(f"account {customer_id!r}: a decision on a visit needs a reason; found none.")
    payload = {"decision": "visit" if visit else "no_visit", "reason": reason}
    with writing(where) as connection:
        append(connection, [Event("decision_noted", actor, at, payload, customer_id)])
    return {"customer_id": customer_id, **payload, "actor": actor, "at": at}


# What was thought of a warning, and what came of it


def give_feedback(
    where: Where, episode_id: str, *, verdict: str, actor: str, at: datetime, note: str | None = None
) -> Row:
    """Say that a warning was true, false, or known already; the actor's later word replaces the earlier."""
    _chosen("verdict", verdict, VERDICTS)
    with writing(where) as connection:
        row = one(connection, EPISODE, episode_id)
        payload = {"verdict": verdict, "note": note}
        append(connection, [Event("feedback_given", actor, at, payload, row["customer_id"], episode_id)])
    return {"episode_id": episode_id, **payload, "author": actor, "at": at}


def record_outcome(
    where: Where,
    episode_id: str,
    *,
    approach: str,
    why: str,
    result: str,
    actor: str,
    at: datetime,
    today: date,
    version: int,
    note: str | None = None,
) -> Row:
    """Make the record of a warning final: what was done and why the orders had stopped, both from closed lists.

    `version` is that of the draft, 0 where there is none. A final record is not changed any more.
    """
    _chosen("approach", approach, APPROACHES)
    _chosen("why", why, WHYS)
    _chosen("result", result, RESULTS)
    with writing(where) as connection:
        episode = one(connection, EPISODE, episode_id)
        there = found(connection, OUTCOME, episode_id)
        if there and there["state"] == "final":
            raise StoreError(f"outcome of {episode_id!r} is final since {there['recorded_on']}; it is not changed.")
        payload: Row = {"state": "final", "approach": approach, "why": why, "result": result, "note": note}
        payload |= {"recorded_on": today, "version": version + 1}
        if there is None:
            payload["detected_level"] = episode["opened_level"]
        append(connection, [Event("outcome_recorded", actor, at, payload, episode["customer_id"], episode_id)])
        return one(connection, OUTCOME, episode_id)


def record_review(
    where: Where, customer_id: str, *, lost_on: date, cause: str, actor: str, at: datetime, note: str | None = None
) -> Row:
    """Keep why a customer was lost, and end the task that asked for it; a cause has one family."""
    _chosen("cause", cause, CAUSES)
    with writing(where) as connection:
        for row in open_tasks(connection, customer_id):
            if row["kind"] == "loss_review":
                _end(connection, row, "done", {"cause": cause}, actor, at)
        _reviewed(connection, customer_id, lost_on, cause, note, actor, at)
        mine = sa.and_(REVIEW.c.customer_id == customer_id, REVIEW.c.lost_on == lost_on)
        return dict(connection.execute(sa.select(REVIEW).where(mine)).one()._mapping)


def _reviewed(
    connection: sa.Connection, customer_id: str, lost_on: date, cause: str, note: Any, actor: str, at: datetime
) -> None:
    payload = {"lost_on": lost_on, "family": CAUSES[cause][0], "cause": cause, "note": note}
    append(connection, [Event("review_recorded", actor, at, payload, customer_id)])


# Tasks


def snooze_task(
    where: Where,
    task_id: str,
    *,
    until: date,
    actor: str,
    at: datetime,
    today: date,
    version: int,
    most_days: int = MOST_DAYS_ASLEEP,
) -> Row:
    """Let a task sleep until a day, on which it comes back; at most `most_days` days from today."""
    if not today < until <= today + timedelta(days=most_days):
        last = today + timedelta(days=most_days)
        raise StoreError(f"a task sleeps until a day after {today}, at the latest {last}; found {until}.")
    with writing(where) as connection:
        row = open_task(connection, task_id, version)
        _change(connection, row, {"snoozed_until": until}, actor, at)
        return one(connection, TASK, task_id)


def close_task(
    where: Where,
    task_id: str,
    *,
    actor: str,
    at: datetime,
    version: int,
    result: Mapping[str, Any] | None = None,
    contacted_on: date | None = None,
) -> Row:
    """End a task as done, with all that its kind needs (such as ``{"cause": "price"}``).

    Parameters
    ----------
    contacted_on
        Where the customer was contacted: the account's newest contact, which treats the open warning.
    """
    told = {name: value for name, value in (result or {}).items() if value not in (None, "")}
    with writing(where) as connection:
        row = open_task(connection, task_id, version)
        missing = [name for name in row["needs"] if name not in told]
        if missing:
            raise StoreError(f"task {task_id!r} cannot be closed without {', '.join(missing)}; waive it, or give them.")
        if "cause" in row["needs"]:
            _chosen("cause", told["cause"], CAUSES)
        _end(connection, row, "done", told, actor, at)
        if row["kind"] == "loss_review":
            lost = date.fromisoformat(row["facts"]["lost_on"])
            _reviewed(connection, row["customer_id"], lost, told["cause"], told.get("note"), actor, at)
        if contacted_on is not None:
            newest = found(connection, ACCOUNT_STATE, row["customer_id"])
            before = newest["last_contact_on"] if newest else None
            latest = max(contacted_on, before or contacted_on)
            set_account(connection, row["customer_id"], {"last_contact_on": latest}, actor=actor, at=at)
            _contacted(connection, row["customer_id"], actor, at)
        return one(connection, TASK, task_id)


def waive_task(where: Where, task_id: str, *, reason: str, actor: str, at: datetime, version: int) -> Row:
    """End a task undone, for a reason."""
    if not reason.strip():
        raise StoreError(f"task {task_id!r}: whoever waives a task gives a reason; found none.")
    with writing(where) as connection:
        row = open_task(connection, task_id, version)
        _end(connection, row, "waived", {"reason": reason}, actor, at)
        return one(connection, TASK, task_id)


def hand_over(
    where: Where,
    customer_id: str,
    *,
    from_owner: str,
    to_owner: str,
    on: date,
    brief: Mapping[str, Any],
    actor: str,
    at: datetime,
) -> Row:
    """Give an account to another owner: open tasks and warning move, and a brief goes with them.

    Parameters
    ----------
    brief
        ``history``, ``open_issues``, ``temperature`` and ``budget_months``, each None where it is not known.

    Returns
    -------
    dict
        ``customer_id``, ``from_owner``, ``to_owner``, ``on``, ``brief`` and ``tasks``, the ids of the tasks that moved.
    """
    if from_owner == to_owner or not to_owner:
        raise StoreError(f"account {customer_id!r}: expected another owner than {from_owner!r}; found {to_owner!r}.")
    if missing := [part for part in BRIEF if part not in brief]:
        raise StoreError(f"account {customer_id!r}: a hand-over's brief lacks {', '.join(missing)}; None is unknown.")
    with writing(where) as connection:
        moved = [row for row in open_tasks(connection, customer_id) if row["owner"] == from_owner]
        for row in moved:
            _change(connection, row, {"owner": to_owner}, actor, at)
        warned = open_episode(connection, customer_id)
        if warned is not None and warned["owner"] in (from_owner, None):
            payload = {"owner": to_owner, "version": warned["version"] + 1}
            append(connection, [Event("episode_changed", actor, at, payload, customer_id, warned["episode_id"])])
        told = {"from_owner": from_owner, "to_owner": to_owner, "on": on, "brief": dict(brief)}
        told["tasks"] = [row["task_id"] for row in moved]
        append(connection, [Event("owner_changed", actor, at, told, customer_id)])
    return {"customer_id": customer_id, **told}


# What the moves are made of


def _change(connection: sa.Connection, row: Row, values: Mapping[str, Any], actor: str, at: datetime) -> None:
    payload = {**values, "version": row["version"] + 1}
    append(
        connection, [Event("task_changed", actor, at, payload, row["customer_id"], row["episode_id"], row["task_id"])]
    )


def _end(connection: sa.Connection, row: Row, state: str, result: Mapping[str, Any], actor: str, at: datetime) -> None:
    payload = {"state": state, "result": dict(result), "version": row["version"] + 1}
    append(
        connection, [Event("task_closed", actor, at, payload, row["customer_id"], row["episode_id"], row["task_id"])]
    )


def _contacted(connection: sa.Connection, customer_id: str, actor: str, at: datetime) -> None:
    """A contact treats the open warning and ends what asks for a contact."""
    warned = open_episode(connection, customer_id)
    if warned is not None:
        append(connection, [Event("exposed", actor, at, {"kind": "contacted"}, customer_id, warned["episode_id"])])
    for row in open_tasks(connection, customer_id):
        if row["kind"] in KINDS and KINDS[row["kind"]].ends_with == "contact":
            _end(connection, row, "done", {"by": "contact"}, actor, at)


def _chosen(what: str, value: str, choices: Mapping[str, Any] | Sequence[str]) -> None:
    if value not in choices:
        raise StoreError(f"{what} is one of {', '.join(choices)}; found {value!r}.")


def _past(what: str, day: date, today: date) -> date:
    if day > today:
        raise StoreError(f"{what} is today, {today}, or a day before; found {day}.")
    return day
