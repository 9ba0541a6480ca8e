"""Why a customer stands as it does, and how it would stand had something happened: nothing here changes anything."""

import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date
from typing import Annotated, Any, TypeVar

import pandas as pd
from fastapi import APIRouter, Query

from features.briefs import plain
from features.errors import ArtefactError, KizashiError
from serving.access import within
from serving.api_board import Day
from serving.api_data import customer_of, one, page, profile_of
from serving.api_errors import Refused, documented
from serving.api_languages import Tongue
from serving.api_models import One, Page, WhatIfBody
from serving.api_visit import Id, Limit, Offset, Reader, Stories, Visit
from serving.records import PERCENT
from serving.story import Story, WhatIf, change_of
from serving.story_words import caution, change_text, spoken_story, what_if_text
from serving.words.speech import language, text

router = APIRouter(responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 500, 503))

T = TypeVar("T")

#: So many wait for a story at once: each takes seconds, one after another, and a thread that other pages then lack.
MOST_WAITING = 8
_PLACES = threading.BoundedSemaphore(MOST_WAITING)

Since = Annotated[date | None, Query(description="An earlier day: the answer also tells why it stands otherwise now.")]


@router.get("/customers/{customer_id:path}/story", tags=["customers"])
def story(visit: Reader, locale: Tongue, customer_id: Id, since: Since = None) -> One:
    """The story of a customer on the newest day: reasons, what changed, what would clear it, similar past cases.

    `words` are its sentences in the caller's language; all else is codes and numbers, as `kizashi explain --json` has
    them. It takes some seconds.
    """
    told = story_of(visit, customer_id, since, locale)
    return one({**told.to_dict(), "words": spoken_story(told, locale)})


@router.get("/changes", tags=["lists"])
def changes(visit: Reader, locale: Tongue, limit: Limit = 50, offset: Offset = 0) -> Page:
    """Whose level moved since the day published before, and why, in the caller's language; most to lose first."""
    day, rows = moved(visit)
    said = [change_text(change_of(change), locale, visit.service.currency) for change in rows["change"]]
    return page(rows.assign(text=said), limit, offset, day)


def moved(visit: Visit) -> tuple[Day, pd.DataFrame]:
    """The newest day, and the published changes of level of the caller's customers, most to lose first."""
    company = visit.look.company
    day, store = company.day, visit.service.store
    changes = day.memo.get("changes", lambda: store.changes(day.as_of).drop(columns=["as_of", "run_id"]))
    at = [place for one in changes["customer_id"] if (place := company.place(one)) is not None]
    known = within(company.profile.take(at), visit.caller)[["customer_id", "name", "owner", "expected_loss"]]
    rows = changes.merge(known, on="customer_id", how="inner")
    return day, rows.sort_values(["expected_loss", "customer_id"], ascending=[False, True], ignore_index=True)


@router.post("/customers/{customer_id:path}/what-if", tags=["customers"])
def what_if(visit: Reader, locale: Tongue, customer_id: Id, body: WhatIfBody) -> One:
    """How a customer would stand had it ordered, or paid what is overdue: re-scored, nothing is stored, no promise."""
    found = what_if_of(visit, customer_id, body)
    sentence = supposed_text(visit, customer_id, found, locale)
    values: dict[str, Any] = plain(asdict(found))
    return one({**values, "text": sentence, "caution": caution(locale)})


def story_of(visit: Visit, customer_id: str, since: date | None, locale: str) -> Story:
    """The story of a customer whom the caller may see, without the names of customers that are not the caller's to see.

    Raises
    ------
    Refused
        409 where the events or the model are not here, 422 where it cannot be told.
    """
    told = _told(visit, customer_id, lambda stories, as_of: stories.story(customer_id, as_of, since))
    if visit.caller.scope is None:
        return told
    _, profile = profile_of(visit)
    seen, nobody = set(profile["customer_id"]), language(locale).words(ANOTHER)
    cases = tuple(
        case if case.customer_id in seen else replace(case, customer_id="", name=nobody) for case in told.similar.cases
    )
    return replace(told, similar=replace(told.similar, cases=cases))


def what_if_of(visit: Visit, customer_id: str, body: WhatIfBody) -> WhatIf:
    """How a customer whom the caller may see would stand; raises as :func:`story_of`."""
    supposed = body.model_dump()
    return _told(visit, customer_id, lambda stories, as_of: stories.what_if(customer_id, as_of, **supposed))


def supposed_text(visit: Visit, customer_id: str, found: WhatIf, locale: str) -> str:
    """The same in words."""
    _, row = customer_of(visit, customer_id)
    return what_if_text(found, row["shown"].iloc[0] == PERCENT, locale, visit.service.currency)


def _told(visit: Visit, customer_id: str, tell: Callable[[Stories, date], T]) -> T:
    """What is told of a customer whom the caller may see."""
    day, _ = customer_of(visit, customer_id)
    stories = visit.service.stories
    if stories is None:
        raise Refused(409, "no_events", NO_STORIES)
    if not _PLACES.acquire(blocking=False):
        raise Refused(429)
    try:
        return tell(stories, day.as_of)
    except ArtefactError:
        raise Refused(409, "no_model", NO_MODEL) from None
    except KizashiError as mistake:
        raise Refused(422, error=mistake) from None
    finally:
        _PLACES.release()


ANOTHER = text("Another customer")
NO_STORIES = text("The customers' events cannot be read here: run a day, or serve the folder where it was run.")
NO_MODEL = text("The model that the day was scored with is not here: serve the folder where it was trained.")
