"""Forms are the API's own acts: what is typed becomes its body, once, from our own pages alone, and nothing is lost."""

from datetime import date
from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from serving.api_models import NextActionBody, OutcomeBody, PlanBody, TaskDoneBody, UpdateBody
from serving.pages.forms import filled, with_done


def fields(**values: str | list[str]) -> dict[str, list[str]]:
    return {name.replace("__", "."): value if isinstance(value, list) else [value] for name, value in values.items()}


def test_what_is_typed_becomes_the_body_of_the_act() -> None:
    typed = fields(temperature="cool", risk="high", contacted_on="2024-07-01", next_action_on="", version="3", csrf="x")
    body = filled(UpdateBody, typed)
    assert isinstance(body, UpdateBody)
    assert (body.temperature, body.risk, body.contacted_on, body.version) == ("cool", "high", date(2024, 7, 1), 3)
    assert body.model_fields_set == {"temperature", "risk", "contacted_on", "version"}


def test_a_field_of_several_values_is_a_list_and_one_with_a_point_goes_into_a_mapping() -> None:
    plan = filled(PlanBody, fields(version="1", plays=["visit", "", "price"], note=" "))
    assert isinstance(plan, PlanBody)
    assert (plan.plays, plan.note) == (["visit", "price"], "")
    done = filled(TaskDoneBody, fields(version="2", result__cause="price", result__note=""))
    assert isinstance(done, TaskDoneBody)
    assert (done.result, done.contacted_on) == ({"cause": "price"}, None)


def test_an_empty_field_that_may_be_nothing_is_nothing() -> None:
    body = filled(NextActionBody, fields(next_action_on="", next_action_text=""))
    assert isinstance(body, NextActionBody)
    assert (body.next_action_on, body.next_action_text) == (None, None)
    with pytest.raises(ValidationError):
        filled(NextActionBody, fields(next_action_text="call"))  # a form without the field says nothing of it


def test_a_choice_that_is_none_and_a_missing_version_are_refused() -> None:
    for typed in (fields(temperature="lukewarm", risk="high"), fields(risk="high")):
        with pytest.raises(ValidationError):
            filled(UpdateBody, typed)
    with pytest.raises(ValidationError):
        filled(OutcomeBody, fields(approach="visit", why="budget", result="kept"))


def test_a_body_may_hold_annotated_lists() -> None:
    class Body(BaseModel):
        """A body of a test."""

        names: Annotated[list[str], "several"] = []
        maybe: Annotated[int | None, "none"]

    body = filled(Body, fields(names=["a", "b"], maybe=""))
    assert body.model_dump() == {"names": ["a", "b"], "maybe": None}


def test_what_was_done_is_said_once_in_an_address() -> None:
    assert with_done("/", "told") == "/?done=told"
    assert with_done("/?list=red&done=older&q=a%26b#rows", "told") == "/?list=red&q=a%26b&done=told#rows"
