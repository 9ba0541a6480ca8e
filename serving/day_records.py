"""What a day publishes besides its scores, and what moves the loop: frames, checked as scores are, and decisions.

Facts, evidence and reports are kept as JSON: days and moments as text in ISO 8601, unknown as null. Read back, a name
that ends in ``_on`` is a day again, so that lists made of the stored profiles are those made of the frame.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from features.errors import StoreError
from serving.ledger import Event
from serving.records import LEVELS, Check, day_of

Frames = pd.DataFrame | Iterable[pd.DataFrame]

PROFILE_COLUMNS = ("customer_id", "owner", "facts")
HEALTH_SCORES = (
    "health", "health_transaction", "health_interaction", "health_service", "health_finance", "health_strategy",
)  # fmt: skip
HEALTH_NUMBERS = (*HEALTH_SCORES, "health_reference", "health_drop")
HEALTH_COLUMNS = ("customer_id", *HEALTH_NUMBERS, "known_dimensions")
SIGNAL_COLUMNS = ("customer_id", "rule", "level", "evidence")
CHANGE_NUMBERS = ("margin_before", "margin_after")
CHANGE_COLUMNS = ("customer_id", "since", "level_before", "level_after", *CHANGE_NUMBERS, "change", "text")


@dataclass(frozen=True)
class DayFrames:
    """What a run says besides scores and reasons; a frame, or frames one after another.

    Attributes
    ----------
    profiles
        :data:`PROFILE_COLUMNS`: one row per customer; ``facts`` a dict of what lists, filters and pages need.
    health
        :data:`HEALTH_COLUMNS`: scores are 0 to 100, NaN for unknown; ``known_dimensions`` a text, which may be empty.
    signals
        :data:`SIGNAL_COLUMNS`: the rules that fired; ``evidence`` a dict. Since when is found at publishing.
    reports
        What is told of the run as a whole, by name: anything that JSON can hold.
    changes
        :data:`CHANGE_COLUMNS`: customers whose level is another than on the day published before, one row each.
        ``since`` is that day, the margins are log-odds (NaN for unknown), ``change`` a dict - what
        :class:`serving.story.Change` gives as plain data - and ``text`` the English sentence.
    """

    profiles: Frames = field(default_factory=lambda: pd.DataFrame(columns=list(PROFILE_COLUMNS)))
    health: Frames = field(default_factory=lambda: pd.DataFrame(columns=list(HEALTH_COLUMNS)))
    signals: Frames = field(default_factory=lambda: pd.DataFrame(columns=list(SIGNAL_COLUMNS)))
    reports: Mapping[str, Any] = field(default_factory=dict)
    changes: Frames = field(default_factory=lambda: pd.DataFrame(columns=list(CHANGE_COLUMNS)))


@dataclass(frozen=True)
class Notice:
    """Something to be told to somebody; of one recipient, kind and day there is one.

    `payload` is what JSON can hold; whoever sends it makes the words.
    """

    recipient: str
    kind: str
    as_of: date
    payload: Mapping[str, Any]

    @property
    def dedupe_key(self) -> str:
        """The key that is unique in the outbox."""
        return f"{self.as_of.isoformat()}/{self.kind}/{self.recipient}"


@dataclass(frozen=True)
class LoopState:
    """What a day's decision starts from, read in the transaction that writes it; days are dates, or None.

    Attributes
    ----------
    as_of
        The day that is published.
    at
        The moment of its events.
    episodes
        Warnings that are open, and those closed within the cool-down, superseded ones left out; columns of the table.
    earlier
        ``customer_id``, ``as_of``, ``churn_probability``, ``level``, ``level_parts`` and ``model_level`` (the model's
        part of the level) of the last published days before `as_of`.
    tasks, ended_tasks
        Open tasks, and those that ended lately enough to hold back another of their cause; columns of the table.
    accounts
        What people have entered of accounts; columns of the table `account_state`.
    outcomes
        The records of warnings; columns of the table.
    handed
        ``customer_id``, ``from_owner``, ``to_owner`` of the newest hand-over by a person, of each account that had one.
    """

    as_of: date
    at: datetime
    episodes: pd.DataFrame
    earlier: pd.DataFrame
    tasks: pd.DataFrame
    ended_tasks: pd.DataFrame
    accounts: pd.DataFrame
    outcomes: pd.DataFrame
    handed: pd.DataFrame


@dataclass(frozen=True)
class Decision:
    """What a day does to the loop: events in the order in which they happen, and notices."""

    events: Sequence[Event] = ()
    notices: Sequence[Notice] = ()


@dataclass(frozen=True)
class Loop:
    """How a publication moves the loop.

    Attributes
    ----------
    decide
        A pure function of the state: it is called again if the publication is tried again.
    cool_down_days
        For how many days after its end a warning is still shown to `decide`: closed on the day that lies so many days
        back is shown, a day earlier is not.
    earlier_days
        How many published days before this one `decide` is told of.
    remembered_days
        For how many days after its end a task is still shown to `decide`; a review of a loss is for ever.
    """

    decide: Callable[[LoopState], Decision]
    cool_down_days: int = 0
    earlier_days: int = 3
    remembered_days: int = 120


def profile_rows(frame: pd.DataFrame, as_of: date) -> list[dict[str, object]]:
    """Return checked rows of `profile`.

    Raises
    ------
    StoreError
        As :func:`serving.records.score_rows`.
    """
    check = Check("profiles", frame, as_of, PROFILE_COLUMNS)
    check.text("customer_id")
    strange = [not (value is None or value != value or (isinstance(value, str) and value)) for value in frame["owner"]]
    check.none_where(np.array(strange, dtype=bool), "owner is not a text")
    check.unique(["customer_id"])
    held = _held(check, "facts")
    return [{**row, "facts": facts} for row, facts in zip(check.rows({}), held, strict=True)]


def health_rows(frame: pd.DataFrame, as_of: date) -> list[dict[str, object]]:
    """Return checked rows of `health`.

    Raises
    ------
    StoreError
        As :func:`serving.records.score_rows`.
    """
    check = Check("health", frame, as_of, HEALTH_COLUMNS)
    check.text("customer_id")
    numbers = {column: check.number(column) for column in HEALTH_NUMBERS}
    for column in (*HEALTH_SCORES, "health_reference"):
        check.none_where((numbers[column] < 0) | (numbers[column] > 100), f"{column} is outside 0 to 100")
    untold = [not isinstance(value, str) for value in frame["known_dimensions"]]
    check.none_where(np.array(untold, dtype=bool), "known_dimensions is not a text")
    check.unique(["customer_id"])
    return check.rows(numbers)


def signal_rows(frame: pd.DataFrame, as_of: date) -> list[dict[str, object]]:
    """Return checked rows of `signal`, still without ``since``.

    Raises
    ------
    StoreError
        As :func:`serving.records.score_rows`.
    """
    check = Check("signals", frame, as_of, SIGNAL_COLUMNS)
    for column in ("customer_id", "rule"):
        check.text(column)
    check.among("level", LEVELS)
    check.unique(["customer_id", "rule"])
    held = _held(check, "evidence")
    return [{**row, "evidence": evidence} for row, evidence in zip(check.rows({}), held, strict=True)]


def change_rows(frame: pd.DataFrame, as_of: date) -> list[dict[str, object]]:
    """Return checked rows of `level_change`.

    Raises
    ------
    StoreError
        As :func:`serving.records.score_rows`.
    """
    check = Check("changes", frame, as_of, CHANGE_COLUMNS)
    for column in ("customer_id", "text"):
        check.text(column)
    for column in ("level_before", "level_after"):
        check.among(column, LEVELS)
    same = [before == after for before, after in zip(frame["level_before"], frame["level_after"], strict=True)]
    check.none_where(np.array(same, dtype=bool), "the level is the same as before")
    days = [_midnight(value) for value in frame["since"]]
    late = [day is None or day >= as_of for day in days]
    check.none_where(np.array(late, dtype=bool), f"since is not a day before {as_of}")
    numbers = {column: check.number(column) for column in CHANGE_NUMBERS}
    check.unique(["customer_id"])
    held = _held(check, "change")
    rows = zip(check.rows(numbers), days, held, strict=True)
    return [{**row, "since": day, "change": change} for row, day, change in rows]


def report_rows(reports: Mapping[str, Any], as_of: date) -> list[dict[str, object]]:
    """Return rows of `report`.

    Raises
    ------
    StoreError
        If a name is no text, or JSON cannot hold a content.
    """
    rows: list[dict[str, object]] = []
    for name, content in reports.items():
        if not (isinstance(name, str) and name):
            raise StoreError(f"reports of {as_of}: expected names, found {name!r}. Nothing was published.")
        try:
            rows.append({"name": name, "content": kept(content)})
        except (TypeError, ValueError) as error:
            raise StoreError(f"report {name} of {as_of}: {error}. Nothing was published.") from None
    return rows


def kept(value: Any) -> Any:
    """Return a value as JSON holds it: days and moments as text, tuples as lists, unknown as None.

    Raises
    ------
    TypeError
        For what JSON cannot hold.
    ValueError
        For a number that is infinite.
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if isinstance(value, Mapping):
        return {str(name): kept(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [kept(one) for one in value]
    if isinstance(value, datetime):  # a day is kept as one, whichever clock it was told in
        midnight = value.tzinfo is None and value == datetime(value.year, value.month, value.day)  # noqa: DTZ001
        return (value.date() if midnight else value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and math.isinf(value):
        raise ValueError("a number is infinite")
    if isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"a value of type {type(value).__name__} cannot be kept")


def dated(value: Any) -> Any:
    """Return what was kept with its days: texts under names that end in ``_on`` become dates where they are one."""
    if isinstance(value, dict):
        return {name: _day(one) if name.endswith("_on") else dated(one) for name, one in value.items()}
    return [dated(one) for one in value] if isinstance(value, list) else value


def _day(value: Any) -> Any:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return value


def _midnight(value: Any) -> date | None:
    """A day, or a moment that is the start of one, as its day."""
    if not isinstance(value, date) or pd.isna(value):
        return None
    try:
        return day_of(value)
    except StoreError:
        return None


def _held(check: Check, column: str) -> list[Any]:
    """The dicts of a column as JSON holds them; what it cannot hold is noted."""
    held: list[Any] = []
    wrong: dict[str, list[bool]] = {}
    for place, value in enumerate(check.frame[column]):
        problem = "" if isinstance(value, Mapping) else "it is not a dict"
        try:
            held.append(kept(value) if not problem else None)
        except (TypeError, ValueError) as error:
            held.append(None)
            problem = str(error)
        if problem:
            wrong.setdefault(problem, [False] * len(check.frame))[place] = True
    for problem, rows in wrong.items():
        check.none_where(np.array(rows, dtype=bool), f"{column} cannot be kept: {problem}")
    return held
