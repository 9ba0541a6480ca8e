"""What a caller may see: the published day, the loop and the lists, each cut to the caller's customers."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
from pydantic import BaseModel

from features.errors import KizashiError, SettingsError
from models.reasons import REST
from serving.access import within
from serving.api_board import Day
from serving.api_errors import Refused
from serving.api_models import One, Page
from serving.api_settings import terms_now
from serving.api_visit import Service, Visit
from serving.list_register import VIEWS, Listing, Material
from serving.list_rows import Choice, as_records, current
from serving.list_views import listing
from serving.lists import LISTS, ROW, Morning, morning, reasons_to_list
from serving.loop_rows import found
from serving.migrations.loop_tables import EPISODE, TASK
from serving.wording import fact_text, rest_text
from serving.words.speech import Said, text
from serving.workload import Room, within_capacity

Row = dict[str, Any]

#: The four lists of the morning, then all others.
NAMES = (*LISTS, *VIEWS)
#: Lists that are made of the records of contacts, which are read for them alone.
OF_CONTACTS = ("contact_days", "contact_rates")


def profile_of(visit: Visit) -> tuple[Day, pd.DataFrame]:
    """The newest day, and the profile of the customers whom the caller may see."""
    day = visit.service.board.newest()
    return day, within(owned(visit.service, day.profile), visit.caller)


def owned(service: Service, profile: pd.DataFrame) -> pd.DataFrame:
    """The profile with its owners of today: an account that was handed over since is with the new owner.

    Where the source names another owner than the one who handed over, the source knows better.
    """
    for recorded in service.store.history(kinds=["owner_changed"]):
        told, customer = recorded.event.payload, recorded.event.customer_id
        moved = (profile["customer_id"] == customer) & (profile["owner"] == told["from_owner"])
        if moved.any():
            profile = profile.assign(owner=profile["owner"].mask(moved, told["to_owner"]))
    return profile


def customer_of(visit: Visit, customer_id: str) -> tuple[Day, pd.DataFrame]:
    """The newest day, and one customer's row of the profile.

    Raises
    ------
    Refused
        404 if there is no such customer, or it is not the caller's to see.
    """
    day = visit.service.board.newest()
    one = day.profile[day.profile["customer_id"] == customer_id]
    seen = within(owned(visit.service, one), visit.caller)
    if seen.empty:
        raise Refused(404)
    return day, seen.reset_index(drop=True)


def episode_of(visit: Visit, episode_id: str) -> Row:
    """A warning, if its customer is the caller's to see; else Refused (404)."""
    with visit.service.store.reading() as connection:
        row = found(connection, EPISODE, episode_id)
    if row is None:
        raise Refused(404)
    if visit.caller.scope is not None:
        customer_of(visit, row["customer_id"])
    return row


def task_of(visit: Visit, task_id: str) -> Row:
    """A task, if its customer is the caller's to see or the task is the caller's own; else Refused (404)."""
    with visit.service.store.reading() as connection:
        row = found(connection, TASK, task_id)
    if row is None:
        raise Refused(404)
    if visit.caller.scope not in (None, row["owner"]):
        customer_of(visit, row["customer_id"])
    return row


def seen(visit: Visit, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table of the loop whose customer the caller may see, or that are the caller's own tasks."""
    if visit.caller.scope is None:
        return rows
    _, profile = profile_of(visit)
    own = rows["customer_id"].isin(profile["customer_id"])
    if "task_id" in rows.columns:
        own |= rows["owner"] == visit.caller.scope
    return rows[own].reset_index(drop=True)


def material(visit: Visit) -> Material:
    """What the caller's lists are made of."""
    day, profile = profile_of(visit)
    store = visit.service.store
    try:
        present = visit.service.accounts.present()
    except KizashiError:  # lists need no events; without them no source counts as absent
        present = {}
    return Material(
        profile=profile,
        as_of=day.as_of,
        present=present,
        entered=store.account_states(),
        reasons=day.reasons,
        tasks=seen(visit, store.tasks(state="open").rows),
        signals=day.signals[day.signals["customer_id"].isin(profile["customer_id"])],
        terms=terms_now(visit.service),
    )


def four_lists(visit: Visit, choice: Choice) -> Morning:
    """The morning of a caller."""
    given = material(visit)
    return morning(
        given.profile,
        given.entered,
        given.as_of,
        reasons=given.reasons,
        tasks=given.tasks,
        terms=given.terms,
        choice=choice,
    )


def room(visit: Visit, on: date) -> Room:
    """What fits into everybody's day: open tasks that are awake on a day, those of the red list in any case.

    It is the same whoever asks, so that a filter or a narrower right to see never brings up what did not fit.
    """
    service = visit.service
    tasks, most = service.store.tasks(state="open", awake_on=on).rows, service.limits.most_per_person
    crowded = (tasks["owner"].value_counts(dropna=False) > most).any()
    return within_capacity(tasks, most, _red(visit) if crowded else ())


def _red(visit: Visit) -> list[str]:
    """The customers on the red list, of all owners."""
    day = visit.service.board.newest()
    state = customers(visit, owned(visit.service, day.profile), day)
    return list(reasons_to_list(state, terms_now(visit.service), day.as_of)["red"])


def listed(visit: Visit, name: str, choice: Choice) -> Listing:
    """A list by its name, of the caller's customers.

    Raises
    ------
    Refused
        404 if there is no such list.
    SettingsError
        If a field or column of the choice is unknown.
    """
    if name not in NAMES:
        words = text("There is no list of that name. Known: {names}.")
        raise Refused(404, "no_such_list", words, names=", ".join(NAMES))
    if name in LISTS:
        return Listing(name, four_lists(visit, choice).lists[name])
    given = material(visit)
    if name in OF_CONTACTS:
        contacts = visit.service.accounts.contacts(given.as_of)
        given = replace(given, contacts=contacts[contacts["customer_id"].isin(given.profile["customer_id"])])
    return listing(name, given, choice)


def columns_of(name: str) -> tuple[str, ...]:
    """The columns of a list."""
    return ROW if name in LISTS else VIEWS[name].columns


def customers(visit: Visit, profile: pd.DataFrame, day: Day) -> pd.DataFrame:
    """How customers stand now: what was published, with what people have entered since."""
    return current(profile, visit.service.store.account_states(), day.as_of)


def choice_of(where: list[str], q: str, sort: str, named: Mapping[str, str | None] | None = None) -> Choice:
    """A choice from the words of a request.

    Raises
    ------
    SettingsError
        If a condition is not of the form ``column=value``.
    """
    fields = {}
    for condition in where:
        column, equals, value = condition.partition("=")
        if not equals or not column:
            raise SettingsError(f"where={condition!r}: expected column=value.")
        fields[column] = value
    return Choice(
        **(named or {}), fields=fields, search=q, sort=sort.removeprefix("-") or None, descending=sort.startswith("-")
    )


def page(rows: pd.DataFrame | list[Row], limit: int, offset: int, day: Day | None = None) -> Page:
    """A part of some rows."""
    part = rows[offset : offset + limit]
    items = as_records(part) if isinstance(part, pd.DataFrame) else part
    as_of = None if day is None else day.as_of
    return Page(as_of=as_of, total=len(rows), limit=limit, offset=offset, items=[plainly(item) for item in items])


def one(told: Mapping[str, Any]) -> One:
    """One thing as it is told."""
    return One.model_validate(plainly(told))


def plainly(value: Any) -> Any:
    """Anything of ours as JSON holds it: moments and days as text, what is unknown as null."""
    if isinstance(value, BaseModel):
        return plainly(value.model_dump())
    if isinstance(value, pd.DataFrame):
        return [plainly(row) for row in as_records(value)]
    if isinstance(value, Mapping):
        return {str(name): plainly(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [plainly(one) for one in value]
    if hasattr(value, "isoformat"):
        return None if value is pd.NaT else value.isoformat()
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, str | bool | int) or value is None:
        return value
    number = float(value)
    return number if abs(number) < float("inf") else None


def said_in(reasons: pd.DataFrame, locale: str, currency: str) -> pd.DataFrame:
    """Published reasons with their sentences in a language, without the codes behind them.

    A reason that was published before there were codes keeps its English sentence.
    """
    texts = []
    for role, said, text_then in zip(reasons["role"], reasons["said"], reasons["text"], strict=True):
        if isinstance(said, str):
            texts.append(fact_text(Said.from_list(json.loads(said)), locale, currency))
        else:
            texts.append(rest_text(locale) if role == REST else text_then)
    return reasons.drop(columns="said").assign(text=texts)
