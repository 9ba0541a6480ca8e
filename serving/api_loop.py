"""Warnings and tasks: what there is, and every move that people make."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from serving import loop
from serving.api_data import episode_of, one, open_tasks, open_warnings, page, plainly, room, seen, task_of
from serving.api_errors import Refused, documented
from serving.api_languages import Tongue
from serving.api_models import (
    Day,
    EvaluateBody,
    ExposureBody,
    FeedbackBody,
    LearnBody,
    One,
    OutcomeBody,
    Page,
    PlanBody,
    Seen,
    TaskAsleepBody,
    TaskDoneBody,
    TaskWaivedBody,
)
from serving.api_once import once
from serving.api_visit import Actor, Id, Key, Limit, Offset, Reader, Visit, Word, not_ahead
from serving.task_kinds import body_of, checklist_of, title_of
from serving.words.speech import text

router = APIRouter(responses=documented(400, 401, 403, 404, 413, 422, 429, 500, 503))
_WARNING: dict[str, Any] = {"response_model": One, "responses": documented(409), "tags": ["warnings"]}
_TASK: dict[str, Any] = {**_WARNING, "tags": ["tasks"]}

State = Annotated[Literal["open", "done", "waived"] | None, Query()]
Open = Annotated[bool | None, Query(alias="open", description="Only those that are open, or only those that are not.")]


@router.get("/episodes", tags=["warnings"])
def episodes(
    visit: Reader,
    is_open: Open = None,
    level: Word = None,
    step: Word = None,
    owner: Word = None,
    customer_id: Word = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Page:
    """Warnings, the newest first."""
    if is_open and customer_id is None:
        rows = open_warnings(visit)
    else:
        rows = seen(visit, visit.service.store.episodes(is_open=is_open, customer_id=customer_id).rows)
    for name, value in (("level", level), ("step", step), ("owner", owner)):
        rows = rows if value is None else rows[rows[name] == value]
    return page(rows, limit, offset)


@router.get("/episodes/{episode_id}", tags=["warnings"])
def episode(visit: Reader, episode_id: Id) -> One:
    """A warning with its way so far: every move of it, what was thought of it, what came of it."""
    row = episode_of(visit, episode_id)
    store = visit.service.store
    events = [told for told in store.history(row["customer_id"]) if told.event.episode_id == episode_id]
    whole = {
        **row,
        "history": [{"number": told.number, **vars(told.event)} for told in events],
        "feedback": _of(store.feedback(), episode_id),
        "exposures": _of(store.exposures(), episode_id),
        "outcome": next(iter(_of(store.outcomes(row["customer_id"]), episode_id)), None),
    }
    return one(whole)


def _of(rows: Any, episode_id: str) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = plainly(rows[rows["episode_id"] == episode_id])
    return told


def _who(visit: Visit) -> dict[str, Any]:
    return {"actor": visit.caller.name, "at": visit.now}


@router.post("/episodes/{episode_id}/acknowledge", **_WARNING)
def acknowledge(visit: Actor, episode_id: Id, body: Seen, key: Key) -> Response:
    """Take a warning as one's own: step 2 of 6."""
    episode_of(visit, episode_id)
    told = body.model_dump()
    return once(visit, key, body, lambda here: loop.acknowledge(here, episode_id, **told, **_who(visit)))


@router.post("/episodes/{episode_id}/plan", **_WARNING)
def plan(visit: Actor, episode_id: Id, body: PlanBody, key: Key) -> Response:
    """Decide what is to be done: step 3 of 6."""
    episode_of(visit, episode_id)
    told = body.model_dump()
    return once(visit, key, body, lambda here: loop.plan(here, episode_id, **told, **_who(visit)))


@router.post("/episodes/{episode_id}/start", **_WARNING)
def start(visit: Actor, episode_id: Id, body: Seen, key: Key) -> Response:
    """Begin to carry the plan out: step 4 of 6."""
    episode_of(visit, episode_id)
    told = body.model_dump()
    return once(visit, key, body, lambda here: loop.start(here, episode_id, **told, **_who(visit)))


@router.post("/episodes/{episode_id}/evaluate", **_WARNING)
def evaluate(visit: Actor, episode_id: Id, body: EvaluateBody, key: Key) -> Response:
    """Say what it came to: step 5 of 6."""
    episode_of(visit, episode_id)
    told = body.model_dump()
    return once(visit, key, body, lambda here: loop.evaluate(here, episode_id, **told, **_who(visit)))


@router.post("/episodes/{episode_id}/learn", **_WARNING)
def learn(visit: Actor, episode_id: Id, body: LearnBody, key: Key) -> Response:
    """Keep what was learned: the last step."""
    episode_of(visit, episode_id)
    told = body.model_dump()
    return once(visit, key, body, lambda here: loop.learn(here, episode_id, **told, **_who(visit)))


@router.post("/episodes/{episode_id}/feedback", **_WARNING)
def give_feedback(visit: Actor, episode_id: Id, body: FeedbackBody, key: Key) -> Response:
    """Say that a warning was true, false or known already; one's later word replaces the earlier."""
    episode_of(visit, episode_id)
    told = body.model_dump()
    return once(visit, key, body, lambda here: loop.give_feedback(here, episode_id, **told, **_who(visit)))


@router.post("/episodes/{episode_id}/exposures", **_WARNING)
def expose(visit: Actor, episode_id: Id, body: ExposureBody, key: Key) -> Response:
    """Keep that a warning was shown or opened, or its customer contacted; the first time counts."""
    episode_of(visit, episode_id)
    return once(visit, key, body, lambda here: loop.note_exposure(here, episode_id, body.kind, **_who(visit)))


@router.post("/episodes/{episode_id}/outcome", **_WARNING)
def record_outcome(visit: Actor, episode_id: Id, body: OutcomeBody, key: Key) -> Response:
    """Make the record of a warning final: what was done, why the orders had stopped, what came of it."""
    episode_of(visit, episode_id)
    told = body.model_dump()

    def work(here: Any) -> dict[str, Any]:
        return loop.record_outcome(here, episode_id, **told, **_who(visit), today=visit.today)

    return once(visit, key, body, work)


@router.get("/outcomes", tags=["warnings"])
def outcomes(
    visit: Reader, state: Word = None, customer_id: Word = None, limit: Limit = 50, offset: Offset = 0
) -> Page:
    """What came of warnings: drafts of the system, and the records that people made final."""
    rows = seen(visit, visit.service.store.outcomes(customer_id))
    return page(rows if state is None else rows[rows["state"] == state], limit, offset)


@router.get("/reviews", tags=["warnings"])
def reviews(visit: Reader, customer_id: Word = None, limit: Limit = 50, offset: Offset = 0) -> Page:
    """Why customers were lost, as people found."""
    return page(seen(visit, visit.service.store.reviews(customer_id)), limit, offset)


@router.get("/feedback", tags=["warnings"])
def feedback(visit: Reader, limit: Limit = 50, offset: Offset = 0) -> Page:
    """What people think of warnings."""
    return page(_seen_by_episode(visit, visit.service.store.feedback()), limit, offset)


@router.get("/exposures", tags=["warnings"])
def exposures(visit: Reader, limit: Limit = 50, offset: Offset = 0) -> Page:
    """Who was shown, opened or acted upon a warning, and when first."""
    return page(_seen_by_episode(visit, visit.service.store.exposures()), limit, offset)


def _seen_by_episode(visit: Visit, rows: Any) -> Any:
    whose = visit.service.store.episodes().rows[["episode_id", "customer_id"]]
    return seen(visit, rows.merge(whose, on="episode_id", how="left"))


@router.get("/tasks", tags=["tasks"])
def tasks(
    visit: Reader,
    locale: Tongue,
    state: State = "open",
    owner: Word = None,
    team: Word = None,
    kind: Word = None,
    customer_id: Word = None,
    due_until: Day | None = None,
    asleep: Annotated[bool, Query(description="Also those that are put off beyond today.")] = False,
    everything: Annotated[bool, Query(alias="all", description="Also open ones beyond what one is shown.")] = False,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Page:
    """Tasks in the caller's language, the first due first.

    `not_shown` counts the open ones that do not fit into their owners' day.
    """
    awake_on = None if asleep else visit.today
    if state == "open" and customer_id is None:
        rows = open_tasks(visit, due_until=due_until, awake_on=awake_on)
    else:
        store = visit.service.store
        held = store.tasks(state=state, customer_id=customer_id, due_until=due_until, awake_on=awake_on)
        rows = seen(visit, held.rows)
    for name, value in (("owner", owner), ("team", team), ("kind", kind)):
        rows = rows if value is None else rows[rows[name] == value]
    whole = everything or state != "open"
    beyond = rows["task_id"].isin([] if whole else list(room(visit, visit.today).left["task_id"]))
    told = page(rows[~beyond], limit, offset)
    return told.model_copy(
        update={"items": [_in_words(row, locale) for row in told.items], "not_shown": int(beyond.sum())}
    )


def _in_words(row: dict[str, Any], locale: str) -> dict[str, Any]:
    facts = {"customer_id": row["customer_id"], **row["facts"]}
    words = {"title": title_of(row["kind"], facts, locale), "body": body_of(row["kind"], locale)}
    return {**row, **words, "steps": checklist_of(row["checklist"], locale)}


@router.get("/tasks/{task_id}", tags=["tasks"])
def task(visit: Reader, locale: Tongue, task_id: Id) -> One:
    """A task in the caller's language, with what its end has to tell."""
    return one(_in_words(plainly(task_of(visit, task_id)), locale))


@router.post("/tasks/{task_id}/done", **_TASK)
def task_done(visit: Actor, task_id: Id, body: TaskDoneBody, key: Key) -> Response:
    """End a task, with all that its `needs` name; a contact is kept with the account, too."""
    task_of(visit, task_id)
    not_ahead("contacted_on", body.contacted_on, visit)
    told = body.model_dump()
    return once(visit, key, body, lambda here: loop.close_task(here, task_id, **told, **_who(visit)))


@router.post("/tasks/{task_id}/waive", **_TASK)
def task_waived(visit: Actor, task_id: Id, body: TaskWaivedBody, key: Key) -> Response:
    """End a task undone, for a reason."""
    task_of(visit, task_id)
    told = body.model_dump()
    return once(visit, key, body, lambda here: loop.waive_task(here, task_id, **told, **_who(visit)))


@router.post("/tasks/{task_id}/snooze", **_TASK)
def task_asleep(visit: Actor, task_id: Id, body: TaskAsleepBody, key: Key) -> Response:
    """Let a task sleep until a day, on which it comes back."""
    task_of(visit, task_id)
    most = visit.service.limits.most_days_asleep
    last = visit.today + timedelta(days=most)
    if body.until > last:
        why = text("A task sleeps for at most {n} days, until {day}.")
        details = [{"where": "body.until", "problem": f"it is after {last}"}]
        raise Refused(422, message=why, details=details, n=str(most), day=str(last))
    told = {**body.model_dump(), "today": visit.today, "most_days": most}
    return once(visit, key, body, lambda here: loop.snooze_task(here, task_id, **told, **_who(visit)))
