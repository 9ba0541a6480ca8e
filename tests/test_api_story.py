"""The story over HTTP: the very story of the command line, to whoever may see the customer, and nothing is changed."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from companies import DAY
from fastapi import FastAPI
from served import NINE, Clock, Served, served_at
from two_days import LATER, TwoDays

from features.briefs import plain
from pipelines.stories import StoryFiles
from pipelines.what_if import Supposed, what_if
from serving.access import create_token
from serving.api_guard import Ration
from serving.store import Store
from serving.story import Story
from serving.story_words import caution, spoken_story, what_if_text

pytest_plugins = ["trained", "told", "served_company"]


@pytest.fixture(scope="module")
def files(two_days: TwoDays) -> StoryFiles:
    return StoryFiles(two_days.intake.settings, two_days.intake.request.out)


@pytest.fixture(scope="module")
def owner(two_days: TwoDays, told: Story) -> str:
    with two_days.store() as store:
        profiles = store.profiles(LATER).set_index("customer_id")
    return str(profiles.loc[told.customer_id, "owner"])


@pytest.fixture
def company_served(app: FastAPI, two_days: TwoDays, files: StoryFiles, owner: str, tmp_path: Path) -> Iterator[Served]:
    """The service of the two days' company; `own` has the account of the story, `ann` none of it."""
    shutil.copy(two_days.intake.request.out / "kizashi.db", tmp_path / "kizashi.db")
    clock = Clock()
    many = {name: Ration(clock, 100_000) for name in ("requests", "attempts")}
    with Store.open(f"sqlite:///{tmp_path / 'kizashi.db'}") as store:
        served = served_at(app, store, two_days.intake.request.out / "events", clock, stories=files, **many)
        with store.writing() as connection:
            served.tokens["own"] = create_token(connection, "own", "rep", owner=owner, now=NINE, days=90)[1]
        yield served


def without_stories(served: Served, stories: StoryFiles | None) -> Served:
    served.app.state.service = replace(served.service, stories=stories)
    return served


def refused(answer: Any) -> tuple[int, str, str]:
    """Status, code and message of an answer in the shape of every error."""
    told = answer.json()["error"]
    return answer.status_code, told["code"], told["message"]


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def test_the_story_is_the_one_of_the_command_line_in_the_callers_language(company_served: Served, told: Story) -> None:
    events = company_served.events()
    path = f"/api/v1/customers/{told.customer_id}/story?since={DAY}"
    for who, asked, locale in (
        ("viewer", "ja-JP, en;q=0.5", "ja"),
        ("admin", "zh", "zh_Hans_CN"),
        ("manager", "", "en"),
    ):
        headers = {**company_served.headers(who), "Accept-Language": asked}
        answer = company_served.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        data = answer.json()
        assert data.pop("words") == as_json(spoken_story(told, locale))
        assert data == as_json(plain(told.to_dict()))
        assert answer.headers["Content-Language"].split("-")[0] == locale.split("_")[0]
    assert company_served.events() == events


def test_a_rep_is_not_told_the_names_of_other_peoples_customers(
    company_served: Served, two_days: TwoDays, told: Story, owner: str
) -> None:
    path = f"/customers/{told.customer_id}/story"
    with two_days.store() as store:
        owners = store.profiles(LATER).set_index("customer_id")["owner"]
    cases = company_served.get("own", path).json()["similar"]["cases"]
    assert len(cases) == len(told.similar.cases)
    others = [case for case in told.similar.cases if owners.get(case.customer_id) != owner]
    assert others, "the company of the tests has similar customers of others"
    assert [case["name"] for case in cases].count("Another customer") == len(others)
    shown = company_served.get("own", path).text
    assert not [case for case in others if case.customer_id in shown or (case.name and case.name in shown)]


def test_what_would_be_is_told_and_nothing_is_written(company_served: Served, two_days: TwoDays, told: Story) -> None:
    events = company_served.events()
    body = {"ordered_on": str(LATER + timedelta(days=7)), "amount": 1000.0}
    path = f"/customers/{told.customer_id}/what-if"
    answer = company_served.post("viewer", path, body)
    assert answer.status_code == 200, answer.text
    found = what_if(two_days.later, told.customer_id, Supposed(LATER + timedelta(days=7), 1000.0))
    data = answer.json()
    assert data.pop("text") == what_if_text(found, False, "en", told.currency)
    assert data.pop("caution") == caution("en")
    assert data == as_json(plain(asdict(found)))
    assert company_served.events() == events


def test_a_customer_of_another_owner_is_not_there(company_served: Served, told: Story) -> None:
    path = f"/customers/{told.customer_id}"
    assert refused(company_served.get("ann", f"{path}/story"))[:2] == (404, "not_found")
    assert refused(company_served.post("ann", f"{path}/what-if", {"paid": True}))[:2] == (404, "not_found")
    assert refused(company_served.get("viewer", "/customers/C99999/story"))[:2] == (404, "not_found")
    assert refused(company_served.get("", f"{path}/story"))[0] == 401


def test_what_cannot_be_told_is_a_422_with_the_reason(company_served: Served, two_days: TwoDays, told: Story) -> None:
    path = f"/customers/{told.customer_id}"
    status, _, message = refused(company_served.get("own", f"{path}/story", since=str(LATER)))
    assert (status, f"{LATER} is not before {LATER}" in message) == (422, True)
    past = {"ordered_on": str(LATER - timedelta(days=1))}
    status, _, message = refused(company_served.post("own", f"{path}/what-if", past))
    assert (status, f"lies in the past of {LATER}" in message) == (422, True)
    status, _, message = refused(company_served.post("own", f"{path}/what-if", {}))
    assert (status, "nothing is supposed to happen" in message) == (422, True)
    for body in ({"amount": 0, "ordered_on": str(LATER)}, {"ordered_on": "soon"}, {"surely": True}):
        assert company_served.post("own", f"{path}/what-if", body).status_code in (400, 422)
    silent = two_days.outside("no_order")
    status, _, message = refused(company_served.get("viewer", f"/customers/{silent}/story"))
    assert (status, f"customer '{silent}' has no order known before {LATER}" in message) == (422, True)


def test_without_events_or_model_it_is_a_409_that_says_what_lacks(
    company_served: Served, two_days: TwoDays, told: Story, tmp_path: Path
) -> None:
    path = f"/customers/{told.customer_id}"
    nowhere = without_stories(company_served, None)
    for answer in (nowhere.get("viewer", f"{path}/story"), nowhere.post("viewer", f"{path}/what-if", {"paid": True})):
        assert refused(answer)[:2] == (409, "no_events")
    out = tmp_path / "copied"
    shutil.copytree(two_days.intake.request.out / "events", out / "events")
    unmodelled = without_stories(company_served, StoryFiles(two_days.intake.settings, out))
    assert refused(unmodelled.get("viewer", f"{path}/story"))[:2] == (409, "no_model")
    eventless = without_stories(company_served, StoryFiles(two_days.intake.settings, tmp_path / "empty"))
    status, _, message = refused(eventless.get("viewer", f"{path}/story"))
    assert (status, bool(message)) == (422, True)


def test_both_are_in_the_description_of_the_service(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    told = {path.rsplit("/", 1)[1]: methods for path, methods in paths.items() if path.endswith(("/story", "/what-if"))}
    assert {name: list(methods) for name, methods in told.items()} == {"story": ["get"], "what-if": ["post"]}
    for methods in told.values():
        [operation] = methods.values()
        assert operation["description"]
        assert {"200", "404", "409", "422"} <= set(operation["responses"])


def test_an_answer_is_remembered_until_the_data_change(files: StoryFiles, told: Story) -> None:
    first = files.story(told.customer_id, LATER, DAY)
    assert files.story(told.customer_id, LATER, DAY) is first
    assert first == told
