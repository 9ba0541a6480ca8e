"""What the API takes and gives. Choices are the contract's own; a test holds the two together."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from serving.api_visit import PRINTABLE

Version = Annotated[int, Field(ge=0, le=2**31 - 1, description="Of what was seen; another than the newest is refused.")]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 1, 1))]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=PRINTABLE)]
Note = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
Code = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[a-z0-9_]+$")]

Temperature = Literal["hot", "warm", "cool", "cold"]
Risk = Literal["low", "medium", "high", "urgent"]
Result = Literal["restarted", "kept", "lost"]
Approach = Literal["visit", "phone", "new_proposal", "price", "service", "other", "none"]
Why = Literal["competitor", "budget", "contact_change", "need_change", "service", "season", "other"]
Cause = Literal[
    "slow_service",
    "slow_response",
    "delivery",
    "quality",
    "complaint",
    "too_little_care",
    "nobody_in_charge",
    "contact_lost",
    "price",
    "range",
    "competitor",
    "closed",
    "no_need",
    "unknown",
]
Verdict = Literal["true", "false", "known"]
ExposureKind = Literal["shown", "opened", "contacted"]


class Body(BaseModel):
    """A request's body: no name but those told."""

    model_config = ConfigDict(extra="forbid")


class Seen(Body):
    """A move of what the caller has seen."""

    version: Version


class PlanBody(Seen):
    """What is to be done."""

    plays: Annotated[list[Code], Field(max_length=10)] = []
    note: Note = ""


class EvaluateBody(Seen):
    """What it came to."""

    result: Result


class LearnBody(Seen):
    """What was learned."""

    lesson: Words


class UpdateBody(Body):
    """The update after a contact: two choices; the rest has its default."""

    temperature: Temperature
    risk: Risk
    contacted_on: Annotated[Day | None, Field(description="By default today.")] = None
    next_action_on: Day | None = None
    next_action_text: Note | None = None
    version: Version | None = None


class NextActionBody(Body):
    """What comes next with an account; null for nothing."""

    next_action_on: Day | None
    next_action_text: Note | None = None
    version: Version | None = None


class DecisionBody(Body):
    """Whether a rep is to be sent again, and why."""

    visit: bool
    reason: Words


class WhatIfBody(Body):
    """What is supposed to happen: an order, a payment of all that is overdue, or both."""

    ordered_on: Annotated[Day | None, Field(description="Day of an order, from the day that is looked at on.")] = None
    amount: Annotated[
        float | None, Field(gt=0, le=1e12, description="Of the order; by default that of a usual one.")
    ] = None
    paid: bool = False


class HandOverBody(Body):
    """Who has the account from now on."""

    to_owner: Name


class ReviewBody(Body):
    """Why a customer was lost."""

    lost_on: Day
    cause: Cause
    note: Note | None = None


class FeedbackBody(Body):
    """What somebody thinks of a warning: true, false, or known already."""

    verdict: Verdict
    note: Note | None = None


class ExposureBody(Body):
    """What somebody did with a warning."""

    kind: ExposureKind


class OutcomeBody(Seen):
    """What was done about a warning and what came of it; the version is that of the draft, 0 where there is none."""

    approach: Approach
    why: Why
    result: Result
    note: Note | None = None


class TaskDoneBody(Seen):
    """A task's end, with all that its `needs` name."""

    result: Annotated[dict[Code, Note], Field(max_length=10)] = {}
    contacted_on: Day | None = None


class TaskWaivedBody(Seen):
    """A task's end undone."""

    reason: Words


class TaskAsleepBody(Seen):
    """A task's sleep."""

    until: Day


class SettingBody(Seen):
    """A new value of a setting."""

    value: Any


class Page(BaseModel):
    """A part of a list. `as_of` is the published day that it tells of; null where it is of no day."""

    model_config = ConfigDict(extra="allow")

    as_of: date | None = None
    total: int
    limit: int
    offset: int
    items: list[dict[str, Any]]


class One(BaseModel):
    """One thing, with all that is known of it; the names are those of the tables in docs/api.md."""

    model_config = ConfigDict(extra="allow")


class Health(BaseModel):
    """Whether the service can do its work."""

    status: Literal["ok", "no_data", "notices_dead"]
    version: str
    as_of: date | None
    published_at: str | None
    dead_notices: int
