"""How the company stands now and the lists made of it, kept in mind between requests.

What a published day says never changes, and everything that people enter is an event of the ledger. So the state of all
customers and the lists made of it are kept with the number of the newest event that is in them; of newer events, the
customers that they are about are made anew, by the same functions that make the whole. How far the store has come is
asked of the store at each look, since other processes write to it too.
"""

import gc
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from serving.access import Caller, within
from serving.api_board import Board, Day
from serving.kept import Kept
from serving.ledger import Event
from serving.list_register import VIEWS, Material, Standing
from serving.list_rows import READ, Choice, Order, Terms, asked, current, in_order, searchable, typed, wanted
from serving.list_settings import terms_with
from serving.lists import LISTS, ORDER, TASK_ORDER, open_tasks, reasons_to_list, rows_of
from serving.order_lists import RESTARTED
from serving.sheets import Mask, Places, Sheet
from serving.store import Store

#: What is kept for single callers is kept for so many.
CALLERS = 64
#: Where more customers than this have changed, everything is made anew.
MANY = 500
#: Sheets besides the lists: open tasks as lists tell them, and open tasks and warnings as the store gives them.
TOLD_TASKS, TASKS, WARNINGS = "told tasks", "tasks", "warnings"
_ORDERS: Mapping[str, Order] = {
    **ORDER,
    TOLD_TASKS: TASK_ORDER,
    TASKS: TASK_ORDER,
    WARNINGS: (("opened_on", False), ("customer_id", True), ("episode_id", True)),
}


def handed(profile: pd.DataFrame, events: Collection[Event]) -> pd.DataFrame:
    """A profile with its owners of today: an account that was handed over since is with the new owner.

    Where the source names another owner than the one who handed over, the source knows better.
    """
    if not events:
        return profile
    at = np.flatnonzero(profile["customer_id"].isin({event.customer_id for event in events})).tolist()
    places = dict(zip(profile["customer_id"].iloc[at], at, strict=True))
    owners = dict(zip(at, profile["owner"].iloc[at], strict=True))
    moved = {}
    for event in events:
        place = places.get(event.customer_id)
        if place is not None and owners[place] == event.payload["from_owner"]:
            owners[place] = moved[place] = event.payload["to_owner"]
    if not moved:
        return profile
    owner = profile["owner"].copy()
    owner.iloc[list(moved)] = list(moved.values())
    return profile.assign(owner=owner)


@dataclass(frozen=True)
class Company:
    """All customers at one mark of the store.

    Attributes
    ----------
    number
        Of the newest event that is in it.
    profile
        The profile of the day with its owners of today.
    state
        Of :func:`serving.list_rows.current`: row by row the customers of `profile`.
    memo
        What else was made of the company as it is here.
    """

    day: Day
    number: int
    profile: pd.DataFrame
    state: pd.DataFrame
    terms: Terms
    _places: Mapping[str, int]
    _scopes: Kept = field(default_factory=lambda: Kept(CALLERS), compare=False, repr=False)
    memo: Kept = field(default_factory=lambda: Kept(CALLERS), compare=False, repr=False)

    def place(self, customer_id: str) -> int | None:
        """The row of a customer; None where the day does not know it."""
        place = self._places.get(customer_id)
        return None if place is None or place >= len(self.profile) else place

    def known(self, customers: pd.Series) -> pd.DataFrame | None:
        """How some customers stand, in their order; None where the day does not know all of them."""
        at = [self._places.get(one, len(self.profile)) for one in customers]
        return self.state.take(at).reset_index(drop=True) if max(at, default=0) < len(self.profile) else None

    def mine(self, caller: Caller) -> Mask | None:
        """Whether the caller may see each customer; None where all may be seen."""
        if caller.scope is None:
            return None
        return self._scopes.get(caller.scope, lambda: self._mine(caller))[0]

    def profile_of(self, caller: Caller) -> pd.DataFrame:
        """The profile of the customers whom the caller may see."""
        if caller.scope is None:
            return self.profile
        return self._scopes.get(caller.scope, lambda: self._mine(caller))[1]

    def _mine(self, caller: Caller) -> tuple[Mask, pd.DataFrame]:
        seen = within(self.profile, caller)
        mask = np.zeros(len(self.profile), dtype=bool)
        mask[seen.index] = True
        return mask, seen

    def wanted(self, choice: Choice) -> Mask | None:
        """Whether each customer is wanted; None where all are.

        Raises
        ------
        SettingsError
            If a field of the choice is no column of the customers.
        """
        fields, search = asked(choice, self.state.columns), choice.search.strip()
        if not fields and not search:
            return None
        key = ("wanted", tuple(fields.items()), search)
        found: Mask = self.memo.get(key, lambda: self._wanted(choice, list(fields), search))
        return found

    def _wanted(self, choice: Choice, fields: list[str], search: str) -> Mask:
        texts = self.day.memo.get("searchable", lambda: searchable(self.state)) if search else None
        state = self.state[list(dict.fromkeys([*fields, "name", "customer_id"]))]
        return np.asarray(wanted(state, choice, texts), dtype=bool)

    def states_of(self, caller: Caller) -> pd.DataFrame:
        """How the customers stand whom the caller may see."""
        mine = self.mine(caller)
        if mine is None:
            return self.state
        state: pd.DataFrame = self.memo.get(("states", caller.scope), lambda: self.state[mine].reset_index(drop=True))
        return state


class Ledgered:
    """The company of one published day, as the events move it; not safe to share without the lock of its desk."""

    def __init__(self, store: Store, day: Day, number: int, terms: Terms) -> None:
        self._store = store
        self._names = day.profile["customer_id"].tolist()
        self._places = {one: place for place, one in enumerate(self._names)}
        self._known = len(self._places)
        #: By place: the number of the newest event about each customer, about its tasks, and about its warnings.
        self._touched = {name: np.zeros(self._known, dtype="int64") for name in ("", TASKS, WARNINGS)}
        self._sheets: dict[str, Sheet] = {}
        #: What states are made of, once for all customers in the kinds that they want.
        self._read = typed(day.profile[[name for name in READ if name in day.profile.columns]])
        profile = handed(day.profile, [told.event for told in store.history(kinds=["owner_changed"])])
        state = current(profile, store.account_states(), day.as_of)
        self.company = Company(day, number, profile, state, terms, self._places)

    def move(self, number: int, terms: Terms) -> None:
        """Take in the events up to a number."""
        company = self.company
        events = [told.event for told in self._store.history(after=company.number)]
        for name, about in (("", "customer_id"), (TASKS, "task_id"), (WARNINGS, "episode_id")):
            touched = [event.customer_id for event in events if event.customer_id and getattr(event, about)]
            places = self._placed(touched)
            self._touched[name][places] = number
        profile = handed(company.profile, [event for event in events if event.kind == "owner_changed"])
        entered = {event.customer_id for event in events if event.kind.startswith(("account_", "owner_"))}
        at = sorted(place for one in entered if one is not None and (place := company.place(one)) is not None)
        state = company.state if len(at) <= MANY else current(profile, self._store.account_states(), company.day.as_of)
        if 0 < len(at) <= MANY:
            state = self._restated(profile, at)
        if terms != company.terms:
            self._sheets.clear()
        scopes = company._scopes if profile is company.profile else Kept(CALLERS)
        self.company = Company(company.day, number, profile, state, terms, self._places, scopes)

    def _restated(self, profile: pd.DataFrame, at: list[int]) -> pd.DataFrame:
        """How the company stands, with some customers anew."""
        before = self.company.state
        rows = self._read.take(at).assign(owner=profile["owner"].take(at).astype("str"))
        new = current(rows, self._store.account_states(customers=rows["customer_id"].tolist()), self.company.day.as_of)
        columns = [name for name in new.columns if name in before.columns]
        old = before[columns].take(at).reset_index(drop=True)
        state = before.copy(deep=False)
        for name in columns:
            if not new[name].equals(old[name]):
                column = before[name].copy()
                column.iloc[at] = new[name].array
                state[name] = column
        return state

    def _placed(self, customers: Collection[str]) -> Places:
        """The places of customers; those whom the day does not know come after all others."""
        for one in customers:
            if one not in self._places:
                self._places[one] = len(self._names)
                self._names.append(one)
        for name, touched in self._touched.items():
            if len(self._places) > len(touched):
                more = np.zeros(len(self._places) - len(touched), dtype="int64")
                self._touched[name] = np.append(touched, more)
        return np.fromiter((self._places[one] for one in customers), dtype=np.intp, count=len(customers))

    def sheet(self, name: str) -> Sheet:
        """A list of the whole company, or another sheet, with all events up to the company's number."""
        number = self.company.number
        if (there := self._sheets.get(name)) is not None and there.number >= number:
            return there
        names = (*LISTS, TOLD_TASKS) if name in (*LISTS, TOLD_TASKS) else (name,)
        when = self._touched.get(name, self._touched[""])
        touched = None if there is None else np.flatnonzero(when > there.number)
        if touched is None or len(touched) > MANY:
            for one, rows in self._made(names, None).items():
                self._sheets[one] = Sheet(number, rows, self._placed(rows["customer_id"]))
            gc.freeze()  # lasts as long as the day: a collection need not look through it each time
        elif len(touched):
            gone = np.zeros(len(self._names), dtype=bool)
            gone[touched] = True
            for one, rows in self._made(names, touched).items():
                old = self._sheets[one]
                places = self._placed(rows["customer_id"])
                self._sheets[one] = old.replaced(number, gone[old.places], rows, places, order_of(one))
        else:
            for one in names:
                self._sheets[one] = replace(self._sheets[one], number=number)
        return self._sheets[name]

    def _made(self, names: tuple[str, ...], at: Places | None) -> dict[str, pd.DataFrame]:
        """The rows of all customers or of some, in order, as the lists' own functions make them."""
        whose = None if at is None else [self._names[place] for place in at]
        if names == (TASKS,):
            return {TASKS: in_order(self._store.tasks(state="open", customers=whose).rows, TASK_ORDER)}
        if names == (WARNINGS,):
            return {WARNINGS: self._store.episodes(is_open=True, customers=whose).rows}
        company = self.company
        state = company.state if at is None else company.state.take(at[at < self._known]).reset_index(drop=True)
        material = Material(
            company.profile,
            company.day.as_of,
            {},
            reasons=company.day.reasons if at is None else company.day.of("reasons", state["customer_id"]),
            tasks=self._tasks_of(at),
            signals=company.day.signals if at is None else company.day.of("signals", state["customer_id"]),
            terms=company.terms,
            outcomes=self._store.outcomes() if names == (RESTARTED,) else None,
            known=state,
        )
        if TOLD_TASKS in names:
            return self._morning(material, at is None)
        view = VIEWS[names[0]]
        return {view.name: in_order(view.make(Standing(state, material, view)), view.order)}

    def _morning(self, given: Material, whole: bool) -> dict[str, pd.DataFrame]:
        """The rows of the four lists and of the open tasks."""
        why = reasons_to_list(given.state, given.terms, given.as_of)
        tasks = open_tasks(given.tasks, given.state)
        made = {TOLD_TASKS: tasks}
        for name in LISTS:
            if whole or why[name]:
                made[name] = rows_of(name, given.state, why, given.reasons, tasks, given.terms, given.as_of)
            else:  # what has no rows need not be laid out
                made[name] = self._sheets[name].rows.head(0)
        return made

    def _tasks_of(self, at: Places | None) -> pd.DataFrame:
        sheet = self.sheet(TASKS)
        return sheet.rows if at is None else sheet.of(np.isin(sheet.places, at))


def order_of(name: str) -> Order:
    """The order of a sheet."""
    return _ORDERS[name] if name in _ORDERS else VIEWS[name].order


class Desk:
    """Gives how the company stands and its lists, as new as the store is; safe to share between threads."""

    def __init__(self, store: Store, board: Board, terms: Terms) -> None:
        self._store, self._board, self._usual = store, board, terms
        self._kept: Ledgered | None = None
        self._terms: tuple[int, Terms] | None = None
        self._settings: Mapping[str, Any] = {}
        self._lock = threading.RLock()

    def terms(self) -> Terms:
        """What the lists are drawn by, with what was changed since the service began."""
        return self._terms_at(self._store.mark().number)

    def settings(self) -> Mapping[str, Any]:
        """The values that people have changed, by name."""
        number = self._store.mark().number
        with self._lock:
            self._terms_at(number)
            return self._settings

    def _terms_at(self, number: int) -> Terms:
        with self._lock:
            if self._terms is None or self._terms[0] < number:
                self._settings = self._store.settings()
                self._terms = (number, terms_with(self._usual, self._settings))
            return self._terms[1]

    def look(self) -> "Look":
        """How the company stands now, and its lists.

        Raises
        ------
        Refused
            503 as long as nothing is published.
        """
        kept = self._now()
        return Look(kept, kept.company, self._lock)

    def _now(self) -> Ledgered:
        """The company of the newest day with all events that the store has."""
        mark = self._store.mark()
        with self._lock:
            kept = self._kept
            if kept is None or kept.company.day.published.run.run_id != mark.run_id:
                self._kept = None  # what was kept of another day makes room
                day = self._board.newest()
                kept = self._kept = Ledgered(self._store, day, mark.number, self._terms_at(mark.number))
                gc.unfreeze()
                gc.collect()
                gc.freeze()
            elif kept.company.number < mark.number:
                kept.move(mark.number, self._terms_at(mark.number))
            return kept


@dataclass(frozen=True)
class Look:
    """The company as one request sees it."""

    _kept: Ledgered
    company: Company
    _lock: threading.RLock = field(repr=False)

    def rows(self, name: str, caller: Caller | None = None, choice: Choice | None = None) -> pd.DataFrame:
        """The rows of a sheet in its own order.

        Parameters
        ----------
        name
            One of the four lists, of the other lists that are not made of all customers together, or of the sheets.
        caller
            Who may see which customers; None for all of the company.
        choice
            Which of these customers are wanted.

        Raises
        ------
        SettingsError
            If a field of the choice is no column of the customers.
        """
        with self._lock:
            sheet = self._kept.sheet(name)
        masks = [] if caller is None else [self.company.mine(caller)]
        masks += [] if choice is None else [self.company.wanted(choice)]
        among = [_among(mask, sheet.places) for mask in masks if mask is not None]
        return sheet.of(np.logical_and.reduce(among) if among else None)


def _among(mine: Mask, places: Places) -> Mask:
    """Whether the customers at some places are among some; those whom the day does not know are not."""
    known = places < len(mine)
    found: Mask = np.zeros(len(places), dtype=bool)
    found[known] = mine[places[known]]
    return found
