"""The full story of a customer: every group of reasons, what would end the warning, similar cases, and what if."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import ValidationError

from features.errors import ArtefactError, KizashiError
from serving.api_data import customer_of, profile_of
from serving.api_errors import Refused
from serving.api_models import WhatIfBody
from serving.api_story import NO_MODEL, NO_STORIES
from serving.api_visit import Id, Stories
from serving.pages.forms import problem_of
from serving.pages.view import Reading, View
from serving.records import PERCENT
from serving.story import Story
from serving.story_sections import Sections
from serving.story_words import caution, what_if_text
from serving.words.speech import text

router = APIRouter()

#: Begins the ids of the story's sections, since it may be loaded into the page of the customer.
AT = "story-"

T = TypeVar("T")
Typed = Annotated[str, Query(max_length=40)]


@router.get("/customers/{customer_id:path}/story")
def story(
    view: Reading, customer_id: Id, ordered_on: Typed = "", amount: Typed = "", paid: Annotated[bool, Query()] = False
) -> Response:
    """The story; with what is supposed to happen, how the customer would stand."""
    _, row = customer_of(view.visit, customer_id)
    name = row["name"].iloc[0] if isinstance(row["name"].iloc[0], str) else customer_id
    asked = {"ordered_on": ordered_on, "amount": amount, "paid": paid}
    here: dict[str, Any] = {
        "title": view.say(TITLE, name=name),
        "here": "today",
        "today": view.visit.today.isoformat(),
        "customer": view.link("customers", customer_id),
        "address": view.link("customers", customer_id, "story"),
        "asked": asked,
        "caution": caution(view.locale),
        "currency": view.service.currency,
    }
    found = _tried(view, lambda: _whole(view, customer_id))
    if isinstance(found, Line):
        return view.page("customer_story.html", **here, status=found.status, story=None, refusal=found.text, answer="")
    supposed = bool(ordered_on or amount or paid)
    answer = _tried(view, lambda: _supposed(view, customer_id, asked)) if supposed else ""
    refused = isinstance(answer, Line)
    return view.page(
        "customer_story.html",
        **here,
        **found,
        status=answer.status if isinstance(answer, Line) else 200,
        story=True,
        refusal=answer.text if isinstance(answer, Line) else "",
        answer="" if refused else answer,
    )


@dataclass(frozen=True)
class Line:
    """Why something cannot be told, and the status that goes with it."""

    text: str
    status: int


def _tried(view: View, make: Callable[[], T]) -> T | Line:
    """What is made, or why it cannot be."""
    try:
        return make()
    except (Refused, ValidationError, KizashiError) as refusal:
        return Line(*problem_of(refusal, view))


def _told(view: View, customer_id: str, tell: Callable[[Stories, date], T]) -> T:
    day, _ = customer_of(view.visit, customer_id)
    if view.service.stories is None:
        raise Refused(409, "no_events", NO_STORIES)
    try:
        return tell(view.service.stories, day.as_of)
    except ArtefactError:
        raise Refused(409, "no_model", NO_MODEL) from None


def _whole(view: View, customer_id: str) -> dict[str, Any]:
    found = _told(view, customer_id, lambda stories, as_of: stories.story(customer_id, as_of))
    return {
        part: told for part, told in Sections(_own(view, found), view.locale, AT).whole().items() if part != "title"
    }


def _own(view: View, story: Story) -> Story:
    """The story without the names of customers that are not the caller's to see: what came of them stays."""
    if view.visit.caller.scope is None:
        return story
    _, profile = profile_of(view.visit)
    seen, nobody = set(profile["customer_id"]), view.say(ANOTHER)
    cases = tuple(
        case if case.customer_id in seen else replace(case, customer_id="", name=nobody) for case in story.similar.cases
    )
    return replace(story, similar=replace(story.similar, cases=cases))


def _supposed(view: View, customer_id: str, asked: dict[str, Any]) -> str:
    """How the customer would stand, in words."""
    body = WhatIfBody.model_validate({name: value or None for name, value in asked.items() if name != "paid"})
    body = body.model_copy(update={"paid": asked["paid"]})
    found = _told(view, customer_id, lambda stories, as_of: stories.what_if(customer_id, as_of, **body.model_dump()))
    _, row = customer_of(view.visit, customer_id)
    return what_if_text(found, row["shown"].iloc[0] == PERCENT, view.locale, view.service.currency)


TITLE, ANOTHER = text("{name}: the full story"), text("Another customer")
