"""What a day decides: which warnings open, change and end, which tasks come of them, and which orders came back.

One function of what the day found and of how the loop stands; it is called within the transaction that publishes the
day, so that nothing can move in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from models.episodes import OPENED, USUAL, Hysteresis, Moves, Pilot, step
from serving.day_records import Decision, LoopState, Notice
from serving.effects import assigned, top_values
from serving.hand_overs import HandedOver, handed_over
from serving.ledger import SYSTEM, Event
from serving.outcomes import RestartTerms, restarts
from serving.rows import records
from serving.tasks import Terms as TaskTerms
from serving.tasks import due_tasks, ended_tasks, events_of

#: Notices of a day, by kind: what is new for an owner, who is told of a task besides its owner, and whose accounts are
#: another's from now on.
NEW_WARNINGS, TOLD_OF_TASKS, HANDED_OVER = "new_warnings", "told_of_tasks", "handed_over"


@dataclass(frozen=True)
class Today:
    """What a day found.

    Attributes
    ----------
    scored
        Of everybody who can be warned about, as :func:`models.episodes.step` wants it.
    facts
        Of every customer, what tasks and lists read.
    signals
        ``customer_id``, ``rule``, ``level``, ``evidence``: the rules that fired.
    changes
        What became known since the run before of fields of the file, as :func:`serving.tasks.due_tasks` wants it.
    """

    scored: pd.DataFrame
    facts: pd.DataFrame
    signals: pd.DataFrame
    changes: pd.DataFrame


@dataclass(frozen=True)
class Terms:
    """What a company has set about warnings and tasks.

    Attributes
    ----------
    hysteresis, entry
        As for :func:`models.episodes.step`.
    holdout_share, top_value_share, salt
        As for :func:`serving.effects.assigned`.
    tasks, restarts
        Of the tasks, and of orders that came back.
    pilot
        Where warnings and tasks may open.
    """

    hysteresis: Hysteresis = USUAL
    entry: float | None = None
    holdout_share: float = 0.0
    top_value_share: float = 0.1
    salt: str = ""
    tasks: TaskTerms = field(default_factory=TaskTerms)
    restarts: RestartTerms = field(default_factory=RestartTerms)
    pilot: Pilot = field(default_factory=Pilot)


@dataclass(frozen=True)
class Decided:
    """A decision with the moves that it is made of, for whoever tells of the day."""

    decision: Decision
    moves: Moves
    new_tasks: pd.DataFrame


def decide(state: LoopState, today: Today, terms: Terms) -> Decided:
    """What the day does to warnings and tasks; first, what is open goes to the owners that the source names."""
    handed = handed_over(state, today.facts, today.signals, today.changes)
    state = handed.state
    moves = _moves(state, today, terms)
    opened = _opened(moves.opened, today.scored, terms, state.at)
    standing = _standing(state.episodes, moves, opened)
    here = today.facts[terms.pilot.of(today.facts)]
    changes = today.changes[today.changes["customer_id"].isin(here["customer_id"])]
    told = state.accounts if len(state.accounts) else pd.DataFrame(columns=["customer_id", "last_contact_on"])
    tasks = pd.concat([state.tasks, state.ended_tasks], ignore_index=True)
    frames = (here, today.signals, standing, told)
    due = due_tasks(*frames, changes, tasks, terms.tasks, state.as_of)
    ended = ended_tasks(*frames, state.tasks, terms.tasks, state.as_of)
    events = [
        *handed.events,
        *opened,
        *_carried_on(moves, state),
        *events_of(due, ended, state.at),
        *restarts(today.facts, standing, state.outcomes, terms.restarts, state.as_of, state.at),
    ]
    return Decided(Decision(events, _notices(handed, opened, due, state)), moves, due)


def _moves(state: LoopState, today: Today, terms: Terms) -> Moves:
    may_open = terms.pilot.of(today.scored)
    scored = today.scored.assign(may_open=may_open)
    return step(scored, state.earlier, state.episodes, terms.hysteresis, as_of=state.as_of, entry=terms.entry)


def _opened(opened: pd.DataFrame, scored: pd.DataFrame, terms: Terms, at: datetime) -> list[Event]:
    """The warnings that open, each with the lot that says whether it is shown."""
    valuable = top_values(scored["priority"].astype("float64"), terms.top_value_share).to_numpy()
    top = set(scored.loc[valuable, "customer_id"])
    events = []
    for row in records(opened[list(OPENED)].drop(columns="reason")):
        lot = assigned(
            row["episode_id"],
            row["level"],
            share=terms.holdout_share,
            salt=terms.salt,
            top_value=row["customer_id"] in top,
        )
        payload = _known({**row, "arm": lot.arm, "propensity": lot.propensity, "step": "raised", "step_since": at})
        del payload["episode_id"], payload["customer_id"]
        who, one = row["customer_id"], row["episode_id"]
        events.append(Event("episode_opened", SYSTEM, at, payload, who, one, once=f"open:{one}"))
    return events


def _carried_on(moves: Moves, state: LoopState) -> list[Event]:
    """What becomes of the warnings that stood open."""
    versions = dict(zip(state.episodes["episode_id"], state.episodes["version"], strict=True))
    events = []
    for kind, frame in (("episode_changed", moves.changed), ("episode_closed", moves.closed)):
        for row in records(frame):
            who, one = row.pop("customer_id"), row.pop("episode_id")
            reason = row.pop("reason")
            if kind == "episode_closed":
                row["close_reason"] = reason
            payload = {**_known(row), "version": int(versions[one]) + 1}
            events.append(Event(kind, SYSTEM, state.at, payload, who, one))
    return events


def _standing(episodes: pd.DataFrame, moves: Moves, opened: list[Event]) -> pd.DataFrame:
    """The warnings as they stand after the day, with the columns of their table."""
    rows = episodes.set_index("episode_id", drop=False).astype(object)
    for frame in (moves.changed, moves.closed):
        new = frame.set_index("episode_id").drop(columns=["customer_id", "reason"]).astype(object)
        for name in new:
            rows.loc[new.index, name] = new[name]
    made = [
        {**dict.fromkeys(rows), **one.payload, "customer_id": one.customer_id, "episode_id": one.episode_id}
        for one in opened
    ]
    return pd.DataFrame([*rows.to_dict("records"), *made], columns=list(rows.columns), dtype=object)


def _notices(handed: HandedOver, opened: list[Event], due: pd.DataFrame, state: LoopState) -> list[Notice]:
    """One notice per owner with new warnings that are shown, per other person who is to be told of tasks, and per owner
    who has got accounts of another."""
    by_owner: dict[str, list[dict[str, Any]]] = {}
    for one in opened:
        if one.payload["owner"] and one.payload["arm"] == "shown":
            told = {"customer_id": one.customer_id, "episode_id": one.episode_id, "level": one.payload["level"]}
            by_owner.setdefault(one.payload["owner"], []).append(told)
    others: dict[str, list[dict[str, Any]]] = {}
    for row in records(due):
        for person in row["facts"].get("recipients", []):
            if person != row["owner"]:
                told = {name: row[name] for name in ("task_id", "customer_id", "kind", "due_on")}
                others.setdefault(person, []).append(told)
    return [
        *(Notice(who, NEW_WARNINGS, state.as_of, {"warnings": rows}) for who, rows in sorted(by_owner.items())),
        *(Notice(who, TOLD_OF_TASKS, state.as_of, {"tasks": rows}) for who, rows in sorted(others.items())),
        *(Notice(who, HANDED_OVER, state.as_of, {"accounts": rows}) for who, rows in sorted(handed.by_owner.items())),
    ]


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values with None for what is no number."""
    return {name: None if value != value else value for name, value in values.items()}
