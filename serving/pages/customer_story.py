"""The full story of a customer: every group of reasons, what would end the warning, similar cases, and what if."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import ValidationError

from features.errors import KizashiError
from serving.api_data import customer_of
from serving.api_errors import Refused
from serving.api_models import WhatIfBody
from serving.api_story import story_of, supposed_text, what_if_of
from serving.api_visit import Id
from serving.pages.forms import problem_of
from serving.pages.view import Reading, View
from serving.story_sections import Sections
from serving.story_words import caution
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


def _whole(view: View, customer_id: str) -> dict[str, Any]:
    found = story_of(view.visit, customer_id, None, view.locale)
    return {part: told for part, told in Sections(found, view.locale, AT).whole().items() if part != "title"}


def _supposed(view: View, customer_id: str, asked: dict[str, Any]) -> str:
    """How the customer would stand, in words."""
    body = WhatIfBody.model_validate({name: value or None for name, value in asked.items() if name != "paid"})
    body = body.model_copy(update={"paid": asked["paid"]})
    return supposed_text(view.visit, customer_id, what_if_of(view.visit, customer_id, body), view.locale)


TITLE = text("{name}: the full story")
