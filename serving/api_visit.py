"""One request: who asks, when, and what they may do; the beginning of every route."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from functools import cached_property
from typing import Annotated, Any, Protocol, Self

import pandas as pd
from fastapi import Depends, Header, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from features.briefs import AccountBrief
from features.decision_chain import DecisionChain
from features.source_record import SourceRecord
from serving.access import ACT, EVERYONE, EXPORT, LEAD, READ, SET, Caller, caller_of
from serving.api_board import Board
from serving.api_errors import Refused
from serving.api_guard import Ration
from serving.desk import Desk, Look
from serving.list_rows import Terms
from serving.loop import MOST_DAYS_ASLEEP
from serving.plays import LEAST_CASES
from serving.sessions import Sessions
from serving.store import Store
from serving.story import Story, WhatIf
from serving.workload import MOST_PER_PERSON

log = logging.getLogger("kizashi.api")

#: Requests a minute of one token; attempts a minute without a good token from one address.
REQUESTS, ATTEMPTS = 600, 30

#: No control characters, which databases refuse and logs are forged with.
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

Id = Annotated[str, Path(min_length=1, max_length=200, pattern=PRINTABLE)]
Limit = Annotated[int, Query(ge=1, le=200, description="Rows of one page.")]
Offset = Annotated[int, Query(ge=0, le=10_000_000, description="Rows to skip.")]
Search = Annotated[str, Query(max_length=100, pattern=PRINTABLE, description="Part of a name or an id.")]
Word = Annotated[str | None, Query(max_length=100, pattern=PRINTABLE)]
Sort = Annotated[
    str,
    Query(max_length=60, pattern=PRINTABLE, description="Column to sort by, with - in front for the largest first."),
]
Where = Annotated[
    list[Annotated[str, Query(max_length=200, pattern=PRINTABLE)]],
    Query(max_length=10, description="`column=value`; any column of the rows, the company's own fields, too."),
]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[A-Za-z0-9_.:-]{8,100}$",
        description="Of your making, such as a UUID. The same request with the same key is done once.",
    ),
]


class Accounts(Protocol):
    """What the data say of one account, read from the clean events; raises SettingsError where it is not known."""

    def present(self) -> Mapping[str, tuple[str, ...]]:
        """For each table that the source has, the columns that it fills."""
        ...

    def sources(self) -> SourceRecord:
        """Where the rows of each table went, the days that they span, and what is wrong with some."""
        ...

    def contacts(self, as_of: date) -> pd.DataFrame:
        """Of :func:`features.contact_records.contact_records`, for a year."""
        ...

    def brief(self, customer_id: str, as_of: date) -> AccountBrief:
        """Everything that was known of an account."""
        ...

    def chain(self, customer_id: str, as_of: date) -> DecisionChain:
        """Who decides at an account, and how it goes with them."""
        ...


class Effects(Protocol):
    """What holds by file and training, and what a changed setting would do; nothing is stored."""

    def usual(self) -> Mapping[str, Any]:
        """What holds where nobody has changed it, by the name of the setting."""
        ...

    def of_the_file(self) -> Mapping[str, Mapping[str, Any]]:
        """What only the file changes, by section and key."""
        ...

    def profiles(self) -> Mapping[str, Mapping[str, float]]:
        """The industry profiles with the weights of their dimensions."""
        ...

    def model(self) -> Mapping[str, Any] | None:
        """What the model of the newest published day says of itself; None where it is not here."""
        ...

    def levels(self, name: str, value: Any) -> pd.DataFrame:
        """Every customer's level now (``before``) and were the day scored anew with a value (``after``)."""
        ...


class Stories(Protocol):
    """Why a customer stands as it does; raises KizashiError where that cannot be told."""

    def story(self, customer_id: str, as_of: date, since: date | None = None) -> Story:
        """The story of a customer at a date, and why it stands otherwise than on an earlier one."""
        ...

    def what_if(
        self, customer_id: str, as_of: date, *, ordered_on: date | None, amount: float | None, paid: bool
    ) -> WhatIf:
        """How a customer would stand had it ordered, or paid."""
        ...


@dataclass(frozen=True)
class Limits:
    """How much people are shown, and what they may put off.

    Attributes
    ----------
    most_per_person
        Open tasks that one person is shown, see :func:`serving.workload.within_capacity`.
    most_days_asleep
        Days for which a task may be put off, see :func:`serving.loop.snooze_task`.
    least_cases_of_a_play
        Cases from which on own success ranks a play, see :func:`serving.plays.advice`.
    """

    most_per_person: int = MOST_PER_PERSON
    most_days_asleep: int = MOST_DAYS_ASLEEP
    least_cases_of_a_play: int = LEAST_CASES


@dataclass(frozen=True)
class Service:
    """What all requests share.

    Attributes
    ----------
    clock
        Gives the moment with its zone: the only clock there is.
    zone
        The company's time zone, in which a day begins.
    terms
        What the lists are drawn by.
    changeable
        Settings that may be changed while the service runs besides those of the lists: name -> what checks a value and
        gives it back, or raises SettingsError.
    limits
        How much people are shown, and what they may put off.
    stories
        Tells of one customer; None where the events or the model are not here.
    effects
        Tells what settings do; None where that cannot be told.
    currency
        ISO code of all amounts, "" for none.
    sessions
        Whoever is signed in to the pages; None where there are none.
    desk
        How the company stands now and the lists made of it, kept in mind.
    """

    store: Store
    clock: Callable[[], datetime]
    zone: tzinfo
    accounts: Accounts
    board: Board
    requests: Ration
    attempts: Ration
    terms: Terms = field(default_factory=Terms)
    changeable: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    stories: Stories | None = None
    effects: Effects | None = None
    currency: str = ""
    sessions: Sessions | None = None
    desk: Desk = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Begin to keep in mind how the company stands."""
        object.__setattr__(self, "desk", Desk(self.store, self.board, self.terms))

    @classmethod
    def of(cls, store: Store, clock: Callable[[], datetime], zone: tzinfo, accounts: Accounts, **more: Any) -> Self:
        """A service with the usual rations; `more` are the further attributes."""
        rations = {"requests": Ration(clock, REQUESTS), "attempts": Ration(clock, ATTEMPTS)}
        return cls(store, clock, zone, accounts, Board(store), **{**rations, **more})


@dataclass(frozen=True)
class Visit:
    """One request of a known caller.

    Attributes
    ----------
    now
        The moment of the request.
    doing
        Method and address, for the keys of requests that come twice.
    """

    service: Service
    caller: Caller
    now: datetime
    doing: str

    @property
    def look(self) -> Look:
        """How the company stands now; while somebody only reads, the same at each look.

        Raises
        ------
        Refused
            503 as long as nothing is published.
        """
        return self._first_look if self.doing.startswith("GET ") else self.service.desk.look()

    @cached_property
    def _first_look(self) -> Look:
        return self.service.desk.look()

    @property
    def today(self) -> date:
        """The company's day."""
        return self.now.astimezone(self.service.zone).date()


def not_ahead(what: str, day: date | None, visit: Visit) -> None:
    """Refuse (422) a day that has not come yet."""
    if day is not None and day > visit.today:
        raise Refused(422, details=[{"where": f"body.{what}", "problem": f"it is after today, {visit.today}"}])


def service_of(request: Request) -> Service:
    """The service that an application was made for."""
    service: Service = request.app.state.service
    return service


_bearer = HTTPBearer(auto_error=False, description="A token of `kizashi token create`.")


@dataclass(frozen=True)
class May:
    """Lets a caller in whose role has a right; the dependency of every route but those open to all."""

    right: str

    def __call__(
        self, request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Visit:
        """The visit of the caller.

        Raises
        ------
        Refused
            401 without a good token, 403 without the right, 429 where the ration is used up.
        """
        service = service_of(request)
        address = request.client.host if request.client else ""
        now = service.clock()
        caller = None
        if given is not None:
            with service.store.reading() as connection:
                caller = caller_of(connection, given.credentials, now)
        if caller is None:
            service.attempts.take(address)
            raise Refused(401)
        service.requests.take(caller.token_id)
        if not caller.may(self.right):
            log.warning("token %s may not %s", caller.token_id, self.right)
            raise Refused(403)
        return Visit(service, caller, now, f"{request.method} {request.scope['path']}")


Reader = Annotated[Visit, Depends(May(READ))]
Actor = Annotated[Visit, Depends(May(ACT))]
Overseer = Annotated[Visit, Depends(May(EVERYONE))]
Exporter = Annotated[Visit, Depends(May(EXPORT))]
Leader = Annotated[Visit, Depends(May(LEAD))]
Setter = Annotated[Visit, Depends(May(SET))]
