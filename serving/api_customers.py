"""Customers: how one stands, its profile, what happened, who decides there; the update after a contact."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, TypeVar

import pandas as pd
from fastapi import APIRouter, Query
from fastapi.responses import Response

from features.briefs import records
from features.errors import KizashiError, SettingsError
from serving import loop
from serving.api_data import choice_of, customer_of, customers, one, page, plainly, profile_of, said_in
from serving.api_errors import Refused, documented
from serving.api_languages import Tongue
from serving.api_models import (
    DecisionBody,
    HandOverBody,
    NextActionBody,
    One,
    Page,
    ReviewBody,
    UpdateBody,
)
from serving.api_once import once
from serving.api_settings import terms_now
from serving.api_visit import Actor, Id, Key, Leader, Limit, Offset, Reader, Search, Sort, Visit, Where, Word, not_ahead
from serving.ledger import Event, append
from serving.list_rows import arranged, as_records, chosen, current
from serving.list_views import with_warnings
from serving.lists import reasons_to_list
from serving.loop_rows import found
from serving.migrations.loop_tables import ACCOUNT_STATE
from serving.words.speech import text

router = APIRouter(responses=documented(400, 401, 403, 404, 413, 422, 429, 500, 503))
MOVED: dict[str, Any] = {"response_model": One, "responses": documented(409), "tags": ["customers"]}

#: Columns of a row, before those that are asked for.
COLUMNS = (
    "customer_id", "name", "owner", "rank", "level", "stage", "queue", "region", "industry", "temperature",
    "stated_risk", "engine_risk", "last_order_on", "days_since_last_order", "order_cycle_days", "days_late",
    "last_contact_on", "next_action_on", "next_action_text", "churn_probability", "shown", "value_at_risk",
    "expected_loss",
)  # fmt: skip

T = TypeVar("T")

Column = Annotated[str, Query(max_length=100)]


@router.get("/customers", tags=["customers"])
def customer_list(
    visit: Reader,
    owner: Word = None,
    level: Word = None,
    rank: Word = None,
    region: Word = None,
    industry: Word = None,
    q: Search = "",
    where: Where = [],  # noqa: B006 - FastAPI copies it
    column: Annotated[list[Column], Query(max_length=20, description="Further columns of the rows.")] = [],  # noqa: B006
    sort: Sort = "-value_at_risk",
    limit: Limit = 50,
    offset: Offset = 0,
) -> Page:
    """Customers as they stand now; any column of theirs, the company's own fields too, filters and sorts."""
    named = {"owner": owner, "level": level, "rank": rank, "region": region, "industry": industry}
    choice = choice_of(where, q, sort, named)
    day, profile = profile_of(visit)
    rows = arranged(chosen(customers(visit, profile, day), choice), choice)
    if unknown := sorted(set(column) - set(rows.columns)):
        raise SettingsError(f"there are no columns {unknown}. Known: {sorted(map(str, rows.columns))}.")
    shown = dict.fromkeys([name for name in COLUMNS if name in rows.columns] + column)
    return page(rows[list(shown)], limit, offset, day)


# Parts of a customer come before the customer: an id may hold a slash.


@router.get("/customers/{customer_id:path}/profile", tags=["customers"])
def profile(visit: Reader, customer_id: Id) -> One:
    """The fourteen items of a customer, each a value or a note why there is none."""
    brief = told_of(visit, customer_id, visit.service.accounts.brief)
    return one({name: vars(item) for name, item in brief.profile.items()})


@router.get("/customers/{customer_id:path}/brief", tags=["customers"])
def brief(visit: Reader, customer_id: Id) -> One:
    """Everything that one wants to know before a call: the profile, people, notes, what is open, what happened."""
    return one(told_of(visit, customer_id, visit.service.accounts.brief).to_dict())


@router.get("/customers/{customer_id:path}/chain", tags=["customers"])
def chain(visit: Reader, customer_id: Id) -> One:
    """Who decides at a customer, how warm each one is, and where nobody is known."""
    return one(vars(told_of(visit, customer_id, visit.service.accounts.chain)))


@router.get("/customers/{customer_id:path}/timeline", tags=["customers"])
def timeline(visit: Reader, customer_id: Id, limit: Limit = 50, offset: Offset = 0) -> Page:
    """What happened at a customer and the warnings about it on one axis, the newest first."""
    brief = told_of(visit, customer_id, visit.service.accounts.brief)
    episodes = visit.service.store.episodes(customer_id=customer_id).rows
    rows = with_warnings(brief.timeline, episodes).iloc[::-1].reset_index(drop=True)
    return page([dict(row) for row in records(rows)], limit, offset)


@router.get("/customers/{customer_id:path}/health", tags=["customers"])
def health_history(visit: Reader, customer_id: Id, limit: Limit = 50, offset: Offset = 0) -> Page:
    """The health of a customer on every published day, the newest first."""
    day, _ = customer_of(visit, customer_id)
    rows = visit.service.store.health(customer_id=customer_id)
    return page(rows.iloc[::-1].reset_index(drop=True), limit, offset, day)


@router.get("/customers/{customer_id:path}/signals", tags=["customers"])
def customer_signals(visit: Reader, customer_id: Id) -> Page:
    """The rules that fired for a customer on the newest day, with the numbers that fired them."""
    day, _ = customer_of(visit, customer_id)
    rows = day.of("signals", [customer_id])
    return page(rows, 200, 0, day)


@router.get("/customers/{customer_id:path}/history", tags=["customers"])
def history(visit: Reader, customer_id: Id, limit: Limit = 50, offset: Offset = 0) -> Page:
    """Every event of the ledger about a customer, the newest first: who did what, when."""
    customer_of(visit, customer_id)
    events = visit.service.store.history(customer_id)[::-1]
    return page([{"number": told.number, **vars(told.event)} for told in events], limit, offset)


@router.get("/customers/{customer_id:path}", tags=["customers"])
def customer(visit: Reader, locale: Tongue, customer_id: Id) -> One:
    """How a customer stands now: its score and reasons, its lists, its warnings and tasks, what people entered.

    The sentences of the reasons are in the caller's language.
    """
    return one(_standing(visit, customer_id, locale))


def _standing(visit: Visit, customer_id: str, locale: str) -> dict[str, Any]:
    day, row = customer_of(visit, customer_id)
    store = visit.service.store
    state = customers(visit, row, day)
    why = reasons_to_list(state, terms_now(visit.service), day.as_of)
    states = store.account_states(customer_id)
    mine = day.of("reasons", [customer_id]).drop(columns=["as_of", "run_id"])
    return {
        "as_of": day.as_of,
        "customer": as_records(state)[0],
        "lists": {name: told[customer_id] for name, told in why.items() if customer_id in told},
        "reasons": said_in(mine, locale, visit.service.currency),
        "signals": day.of("signals", [customer_id]),
        "episodes": store.episodes(customer_id=customer_id).rows,
        "tasks": store.tasks(customer_id=customer_id, state="open").rows,
        "entered": None if states.empty else as_records(states)[0],
    }


@router.post("/customers/{customer_id:path}/update", **MOVED)
def update(visit: Actor, customer_id: Id, body: UpdateBody, key: Key) -> Response:
    """The update after a contact: temperature and risk by choice; the day of the contact is today.

    The answer holds the lists on which the customer stands from now on.
    """
    customer_of(visit, customer_id)
    not_ahead("contacted_on", body.contacted_on, visit)
    values = body.model_dump()
    if not {"next_action_on", "next_action_text"} & body.model_fields_set:
        values = {name: value for name, value in values.items() if not name.startswith("next_action")}

    def work(connection: Any) -> dict[str, Any]:
        told = loop.update_account(
            connection, customer_id, **values, actor=visit.caller.name, at=visit.now, today=visit.today
        )
        return {"account": told, "lists": _lists_with(visit, customer_id, told)}

    return once(visit, key, body, work)


def _lists_with(visit: Visit, customer_id: str, entered: dict[str, Any]) -> dict[str, Any]:
    """Why the customer belongs on which lists, with what is being entered."""
    day, row = customer_of(visit, customer_id)
    state = current(row, pd.DataFrame([entered], dtype="object"), day.as_of)
    why = reasons_to_list(state, terms_now(visit.service), day.as_of)
    return {name: told[customer_id] for name, told in why.items() if customer_id in told}


@router.post("/customers/{customer_id:path}/next-action", **MOVED)
def next_action(visit: Actor, customer_id: Id, body: NextActionBody, key: Key) -> Response:
    """Plan what comes next with a customer, or nothing."""
    customer_of(visit, customer_id)
    values = body.model_dump(exclude={"version"})
    return once(
        visit,
        key,
        body,
        lambda connection: loop.set_account(
            connection, customer_id, values, actor=visit.caller.name, at=visit.now, version=body.version
        ),
    )


@router.post("/customers/{customer_id:path}/decision", **MOVED)
def decision(visit: Actor, customer_id: Id, body: DecisionBody, key: Key) -> Response:
    """Keep whether a rep is to be sent again, and why."""
    customer_of(visit, customer_id)
    told = body.model_dump()
    return once(
        visit,
        key,
        body,
        lambda connection: loop.note_decision(connection, customer_id, **told, actor=visit.caller.name, at=visit.now),
    )


@router.post("/customers/{customer_id:path}/review", **MOVED)
def review(visit: Actor, customer_id: Id, body: ReviewBody, key: Key) -> Response:
    """Keep why a customer was lost; the task that asked for it is done."""
    customer_of(visit, customer_id)
    not_ahead("lost_on", body.lost_on, visit)
    told = body.model_dump()
    return once(
        visit,
        key,
        body,
        lambda connection: loop.record_review(connection, customer_id, **told, actor=visit.caller.name, at=visit.now),
    )


@router.post("/customers/{customer_id:path}/reviewed", **MOVED)
def reviewed(visit: Leader, customer_id: Id, key: Key) -> Response:
    """Say that a customer on the list of those at risk was looked at: who and when are kept."""
    customer_of(visit, customer_id)

    def work(connection: Any) -> dict[str, Any]:
        append(connection, [Event("account_reviewed", visit.caller.name, visit.now, {}, customer_id)])
        return found(connection, ACCOUNT_STATE, customer_id) or {}

    return once(visit, key, None, work)


@router.post("/customers/{customer_id:path}/hand-over", **MOVED)
def hand_over(visit: Leader, customer_id: Id, body: HandOverBody, key: Key) -> Response:
    """Give a customer to another owner, with its open tasks and warning and a brief of how things stand."""
    day, row = customer_of(visit, customer_id)
    told = told_of(visit, customer_id, visit.service.accounts.brief)
    entered = customers(visit, row, day).iloc[0]
    brief = plainly(
        {
            "history": told.timeline.tail(10),
            "open_issues": told.issues.table,
            "temperature": None if pd.isna(entered["temperature"]) else entered["temperature"],
            "budget_months": list(told.budget_months) or None,
        }
    )
    owner = "" if pd.isna(entered["owner"]) else str(entered["owner"])
    return once(
        visit,
        key,
        body,
        lambda connection: loop.hand_over(
            connection,
            customer_id,
            from_owner=owner,
            to_owner=body.to_owner,
            on=visit.today,
            brief=brief,
            actor=visit.caller.name,
            at=visit.now,
        ),
    )


def told_of(visit: Visit, customer_id: str, read: Callable[[str, date], T]) -> T:
    """What the data say of a customer whom the caller may see."""
    day, _ = customer_of(visit, customer_id)
    try:
        return read(customer_id, day.as_of)
    except SettingsError:
        raise Refused(404, message=text("The data at hand do not know this customer by then.")) from None
    except KizashiError:
        words = text("The customers' events cannot be read here: run a day, or serve the folder where it was run.")
        raise Refused(503, "no_events", words) from None
