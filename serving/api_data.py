"""What a caller may see: the published day, the loop and the lists, each cut to the caller's customers."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
from pydantic import BaseModel

from features.errors import KizashiError, SettingsError
from features.issues import absent
from models.reasons import REST
from serving.access import within
from serving.api_board import Day
from serving.api_errors import Refused
from serving.api_models import One, Page
from serving.api_settings import limits_now
from serving.api_visit import Service, Visit
from serving.desk import TASKS, TOLD_TASKS, WARNINGS, Look, handed
from serving.list_register import VIEWS, Listing, Material
from serving.list_rows import Choice, are_of, arranged, as_records, asked, chosen, current, period, week_end
from serving.list_views import columns_absent, listing, source_absent
from serving.lists import LISTS, ROW, Morning
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
    company = visit.look.company
    return company.day, company.profile_of(visit.caller)


def owned(service: Service, profile: pd.DataFrame) -> pd.DataFrame:
    """A profile with its owners of today, see :func:`serving.desk.handed`."""
    return handed(profile, [told.event for told in service.store.history(kinds=["owner_changed"])])


def customer_of(visit: Visit, customer_id: str) -> tuple[Day, pd.DataFrame]:
    """The newest day, and one customer's row of the profile.

    Raises
    ------
    Refused
        404 if there is no such customer, or it is not the caller's to see.
    """
    company = visit.look.company
    place = company.place(customer_id)
    seen = within(company.profile.take([] if place is None else [place]), visit.caller)
    if seen.empty:
        raise Refused(404)
    return company.day, seen.reset_index(drop=True)


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
    own = are_of(rows["customer_id"], profile["customer_id"])
    if "task_id" in rows.columns:
        own |= rows["owner"] == visit.caller.scope
    return rows[own].reset_index(drop=True)


def open_tasks(visit: Visit, *, due_until: date | None = None, awake_on: date | None = None) -> pd.DataFrame:
    """The open tasks that the caller may see, the first due first; columns and conditions as of the store's tasks."""
    rows = _of_caller(visit, TASKS)
    if due_until is not None:
        rows = rows[rows["due_on"] <= pd.Timestamp(due_until)]
    if awake_on is not None:
        rows = rows[~(rows["snoozed_until"] > pd.Timestamp(awake_on))]
    return rows.reset_index(drop=True)


def open_warnings(visit: Visit) -> pd.DataFrame:
    """The open warnings of the customers whom the caller may see, the newest first; columns as of the store's."""
    return _of_caller(visit, WARNINGS)


def _of_caller(visit: Visit, name: str) -> pd.DataFrame:
    """What the caller may see of the open tasks or warnings, kept until something is entered."""
    look = visit.look
    rows: pd.DataFrame = look.company.memo.get((name, visit.caller.scope), lambda: seen(visit, look.rows(name)))
    return rows


def material(visit: Visit) -> Material:
    """What the caller's lists are made of."""
    look, whole = visit.look, visit.caller.scope is None
    company = look.company
    profile, day = company.profile_of(visit.caller), company.day
    return Material(
        profile=profile,
        as_of=day.as_of,
        present=_present(visit),
        reasons=day.reasons,
        tasks=_of_caller(visit, TASKS),
        signals=day.signals if whole else day.signals[are_of(day.signals["customer_id"], profile["customer_id"])],
        terms=company.terms,
        known=company.states_of(visit.caller),
    )


def _present(visit: Visit) -> Mapping[str, tuple[str, ...]]:
    try:
        return visit.service.accounts.present()
    except KizashiError:  # lists need no events; without them no source counts as absent
        return {}


def four_lists(visit: Visit, choice: Choice) -> Morning:
    """The morning of a caller."""
    look = visit.look
    as_of, terms = look.company.day.as_of, look.company.terms
    rows = {name: arranged(look.rows(name, visit.caller, choice), choice) for name in LISTS}
    return Morning(
        as_of, rows, look.rows(TOLD_TASKS, visit.caller, choice), week_end(as_of, terms.week_ends), period(as_of, 3)[0]
    )


def room(visit: Visit, on: date) -> Room:
    """What fits into everybody's day: open tasks that are awake on a day, those of the red list in any case.

    It is the same whoever asks, so that a filter or a narrower right to see never brings up what did not fit.
    """
    look, most = visit.look, limits_now(visit.service).most_per_person
    fits: Room = look.company.memo.get(("room", on, most), lambda: _room(look, on, most))
    return fits


def _room(look: Look, on: date, most: int) -> Room:
    tasks = look.rows(TASKS)
    asleep = tasks["snoozed_until"] > pd.Timestamp(on)
    tasks = tasks[~asleep].reset_index(drop=True) if asleep.any() else tasks
    crowded = (tasks["owner"].value_counts(dropna=False) > most).any()
    return within_capacity(tasks, most, look.rows("red")["customer_id"] if crowded else ())


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
    look = visit.look
    if name in LISTS:
        return Listing(name, arranged(look.rows(name, visit.caller, choice), choice))
    view = VIEWS[name]
    if view.together:
        return _of_all(visit, name, choice)
    present = _present(visit) if view.needs or view.wants else {}
    lacking = ""
    if any(absent(present, source) for source in view.needs.values()):
        lacking = source_absent(view, chosen(look.company.states_of(visit.caller), choice), present)
    if lacking:
        return Listing(name, pd.DataFrame(columns=list(view.columns)), lacking)
    rows = look.rows(name, visit.caller, choice)[list(view.columns)]
    return Listing(name, arranged(rows, choice), columns_absent=columns_absent(view, present))


def _of_all(visit: Visit, name: str, choice: Choice) -> Listing:
    """A list that is made of all chosen customers together, kept until something is entered."""
    company, present = visit.look.company, _present(visit)
    contacts = visit.service.accounts.contacts(company.day.as_of) if name in OF_CONTACTS else None
    fields = tuple(asked(choice, company.state.columns).items())
    what = (name, visit.caller.scope, fields, choice.search, choice.sort, choice.descending)

    def made() -> tuple[object, Listing]:
        return contacts, listing(name, replace(material(visit), present=present, contacts=contacts), choice)

    # the contacts are kept with the list, so that no others can have their id
    key = (what, id(contacts), tuple(sorted((table, tuple(columns)) for table, columns in present.items())))
    found: tuple[object, Listing] = company.memo.get(key, made)
    return found[1]


def columns_of(name: str) -> tuple[str, ...]:
    """The columns of a list."""
    return ROW if name in LISTS else VIEWS[name].columns


def customers(visit: Visit, profile: pd.DataFrame, day: Day) -> pd.DataFrame:
    """How customers of a day stand now: what was published, with what people have entered since.

    `profile` holds rows of :func:`profile_of` or :func:`customer_of`.
    """
    company = visit.look.company
    known = company.known(profile["customer_id"]) if company.day is day else None
    return current(profile, visit.service.store.account_states(), day.as_of) if known is None else known


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
