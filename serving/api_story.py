"""Why a customer stands as it does, and how it would stand had something happened: nothing here changes anything."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response

from features.briefs import plain
from features.errors import ArtefactError, KizashiError
from serving.api_data import customer_of, one
from serving.api_errors import Refused, documented
from serving.api_languages import of_language, spoken
from serving.api_models import One, WhatIfBody
from serving.api_visit import Id, Reader, Stories, Visit
from serving.records import PERCENT
from serving.story_words import caution, spoken_story, what_if_text
from serving.words.speech import text

router = APIRouter(responses=documented(400, 401, 403, 404, 413, 422, 429, 500, 503))

T = TypeVar("T")

Since = Annotated[date | None, Query(description="An earlier day: the answer also tells why it stands otherwise now.")]


@router.get("/customers/{customer_id:path}/story", tags=["customers"])
def story(visit: Reader, request: Request, response: Response, customer_id: Id, since: Since = None) -> One:
    """The story of a customer on the newest day: reasons, what changed, what would clear it, similar past cases.

    `words` are its sentences in the caller's language; all else is codes and numbers, as `kizashi explain --json` has
    them. It takes some seconds.
    """
    locale = _language(request, response)
    told = _told(visit, customer_id, lambda stories, as_of: stories.story(customer_id, as_of, since))
    return one({**told.to_dict(), "words": spoken_story(told, locale)})


@router.post("/customers/{customer_id:path}/what-if", tags=["customers"])
def what_if(visit: Reader, request: Request, response: Response, customer_id: Id, body: WhatIfBody) -> One:
    """How a customer would stand had it ordered, or paid what is overdue: re-scored, nothing is stored, no promise."""
    locale = _language(request, response)
    supposed = body.model_dump()
    found = _told(visit, customer_id, lambda stories, as_of: stories.what_if(customer_id, as_of, **supposed))
    _, row = customer_of(visit, customer_id)
    currency = visit.service.stories.currency if visit.service.stories else ""
    sentence = what_if_text(found, row["shown"].iloc[0] == PERCENT, locale, currency)
    values: dict[str, Any] = plain(asdict(found))
    return one({**values, "text": sentence, "caution": caution(locale)})


def _language(request: Request, response: Response) -> str:
    """The caller's language, said in the answer."""
    locale = spoken(request.headers)
    response.headers.update(of_language(locale))
    return locale


def _told(visit: Visit, customer_id: str, tell: Callable[[Stories, date], T]) -> T:
    """What is told of a customer whom the caller may see."""
    day, _ = customer_of(visit, customer_id)
    stories = visit.service.stories
    if stories is None:
        raise Refused(503, "no_events", NO_STORIES)
    try:
        return tell(stories, day.as_of)
    except ArtefactError:
        raise Refused(503, "no_model", NO_MODEL) from None
    except KizashiError as mistake:
        raise Refused(422, error=mistake) from None


NO_STORIES = text("The customers' events cannot be read here: run a day, or serve the folder where it was run.")
NO_MODEL = text("The model that the day was scored with is not here: serve the folder where it was trained.")
