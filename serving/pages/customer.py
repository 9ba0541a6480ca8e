"""One customer: how it stands and why, what changed, what is to be done, and everything that people do about it."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from serving import api_customers, api_loop
from serving.access import ACT, LEAD
from serving.api_data import episode_of
from serving.api_models import (
    DecisionBody,
    EvaluateBody,
    FeedbackBody,
    HandOverBody,
    LearnBody,
    NextActionBody,
    OutcomeBody,
    PlanBody,
    ReviewBody,
    Seen,
    UpdateBody,
)
from serving.api_visit import Id
from serving.pages.customer_parts import (
    Known,
    change_part,
    headline,
    known_of,
    lists_of,
    rules_of,
    story_of,
    sum_of,
    tasks_of,
    told_of_update,
)
from serving.pages.customer_warning import choices_of, note_opened, records_of, warning_of
from serving.pages.forms import offer
from serving.pages.view import Reading, View, redirected
from serving.story_sections import Sections
from serving.words.speech import text

router = APIRouter()

#: The code under which an address says that the update after a contact was kept.
UPDATED = "customer_updated"


def shown(view: View, customer_id: str) -> Response:
    """The page of a customer whom the caller may see."""
    return page_of(view, known_of(view, customer_id))


def page_of(view: View, one: Known) -> Response:
    """The page of a customer."""
    customer_id = one.customer_id
    story = story_of(one, view.service.currency)
    sections = Sections(story, view.locale)
    address = view.link("customers", customer_id)
    updated = view.request.query_params.get("done") == UPDATED
    return view.page(
        "customer.html",
        title=one.name,
        address=address,
        account=view.link("customers", customer_id, "account"),
        story=view.link("customers", customer_id, "story"),
        sent=view.request.scope["path"].rpartition("/")[2] if view.problem else "",
        head=headline(view, one, story),
        lists=lists_of(view, one),
        updated=told_of_update(view, one) if updated else None,
        version=one.version,
        entered={
            "temperature": one.row["temperature"] or "",
            "risk": one.row["stated_risk"] or "",
            "by": one.row["updated_by"] or "",
            "at": view.moment(one.row["updated_at"]),
            "reviewed_by": one.row["reviewed_by"] or "",
            "reviewed_at": view.moment(one.row["reviewed_at"]),
            "next_on": str(one.row["next_action_on"] or ""),
            "next_text": one.row["next_action_text"] or "",
        },
        today=view.visit.today.isoformat(),
        choices=choices_of(view),
        why=sections.why(),
        sum=sum_of(sections, one),
        rules=rules_of(view, one),
        change=change_part(view, one, sections),
        health=None if story.health is None else sections.health(story.health),
        tasks=tasks_of(view, one),
        warning=warning_of(view, one),
        records=records_of(view, one),
        owners=_owners(view, one.row["owner"] or ""),
    )


def _owners(view: View, now: str) -> list[str]:
    """Whom a customer can be handed over to."""
    return [name for name in view.service.board.newest().values("owner") if name != now]


def _of_warning(view: View, episode_id: str) -> Response:
    """The page of the customer whom a warning is about."""
    return shown(view, episode_of(view.visit, episode_id)["customer_id"])


def _offered(
    address: str, act: Callable[..., Response], body: Any, done: tuple[str, str], right: str = ACT, **more: Any
) -> None:
    page = shown if "customer_id" in address else _of_warning
    offer(router, address, right=right, act=act, body=body, done=done, page=page, **more)


_CUSTOMER, _WARNING = "/customers/{customer_id:path}", "/episodes/{episode_id}"
_offered(f"{_CUSTOMER}/update", api_customers.update, UpdateBody, (UPDATED, text("The update is kept.")))
_offered(
    f"{_CUSTOMER}/next-action", api_customers.next_action, NextActionBody,
    ("customer_planned", text("The next action is kept.")),
)  # fmt: skip
_offered(
    f"{_CUSTOMER}/decision", api_customers.decision, DecisionBody, ("customer_decided", text("The decision is kept."))
)
_offered(
    f"{_CUSTOMER}/review", api_customers.review, ReviewBody,
    ("customer_review", text("Why the customer was lost is kept.")),
)  # fmt: skip
_offered(
    f"{_CUSTOMER}/reviewed", api_customers.reviewed, None,
    ("customer_reviewed", text("It is kept that you looked at this customer.")), LEAD,
)  # fmt: skip
_offered(
    f"{_CUSTOMER}/hand-over", api_customers.hand_over, HandOverBody,
    ("customer_handed", text("The customer was handed over, with its open tasks and its warning.")), LEAD,
)  # fmt: skip
_offered(f"{_WARNING}/acknowledge", api_loop.acknowledge, Seen, ("warning_taken", text("The warning is taken on.")))
_offered(f"{_WARNING}/plan", api_loop.plan, PlanBody, ("warning_planned", text("The plan is kept.")))
_offered(f"{_WARNING}/start", api_loop.start, Seen, ("warning_begun", text("The plan is in progress.")))
_offered(f"{_WARNING}/evaluate", api_loop.evaluate, EvaluateBody, ("warning_evaluated", text("The result is kept.")))
_offered(f"{_WARNING}/learn", api_loop.learn, LearnBody, ("warning_learned", text("What was learned is kept.")))
_offered(
    f"{_WARNING}/feedback", api_loop.give_feedback, FeedbackBody,
    ("warning_judged", text("Your word on the warning is kept.")),
)  # fmt: skip
_offered(
    f"{_WARNING}/outcome", api_loop.record_outcome, OutcomeBody,
    ("warning_recorded", text("The record is final.")),
)  # fmt: skip


# Where a form was refused, the browser stands at its address: whoever loads it again is sent to the customer.


def _back_to_customer(view: Reading, customer_id: Id) -> Response:
    return redirected(view.link("customers", customer_id))


def _back_from_warning(view: Reading, episode_id: Id) -> Response:
    return redirected(view.link("customers", episode_of(view.visit, episode_id)["customer_id"]) + "#warning")


for _act in ("update", "next-action", "decision", "review", "reviewed", "hand-over"):
    router.get(f"{_CUSTOMER}/{_act}")(_back_to_customer)
for _act in ("acknowledge", "plan", "start", "evaluate", "learn", "feedback", "outcome"):
    router.get(f"{_WARNING}/{_act}")(_back_from_warning)


@router.get("/episodes/{episode_id}")
def warning(view: Reading, episode_id: Id) -> Response:
    """A warning stands on the page of its customer."""
    return _back_from_warning(view, episode_id)


@router.get("/customers/{customer_id:path}")
def customer(view: Reading, customer_id: Id) -> Response:
    """The page of a customer."""
    one = known_of(view, customer_id)
    page = page_of(view, one)
    note_opened(view, one)
    return page
