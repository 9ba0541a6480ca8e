"""The full story on its page, what if, and all changes: those of the API, of the caller's own customers alone."""

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from browser import Server, Site, customer_address
from starlette.testclient import TestClient
from two_days import LATER

from serving.access import Caller
from serving.api_data import customer_of, customers
from serving.api_settings import terms_now
from serving.api_story import moved
from serving.api_visit import Visit
from serving.lists import reasons_to_list
from serving.pages.customer_parts import read_by
from serving.records import PERCENT
from serving.sessions import COOKIE
from serving.story import change_of
from serving.story_words import caution, change_text, clearing_texts, what_if_text

pytest_plugins = ["trained", "browsed"]


@pytest.fixture(scope="module")
def shared(pages: Server) -> Iterator[Site]:
    """A company that no test changes."""
    with pages.site() as site:
        yield site


def asked(site: Site, path: str, who: str = "manager", lang: str = "en") -> Any:
    client = TestClient(site.app, base_url="http://localhost", follow_redirects=False)
    headers = {"cookie": f"{COOKIE}={site.cookie(who)}", "Accept-Language": lang}
    return client.get(path, headers=headers)


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.text)))


@pytest.fixture(scope="module")
def warned(shared: Site) -> str:
    """A customer of Ann's with a level."""
    profile = shared.profile()
    mine = profile[(profile["owner"] == shared.owners["ann"]) & (profile["level"] != "none")]
    return str(mine.sort_values("value_at_risk")["customer_id"].iloc[-1])


def visit(site: Site) -> Visit:
    return Visit(site.service, Caller("", "Mia", "manager"), site.clock(), "")


def test_the_story_is_that_of_the_api_and_names_nobody_elses_customers(shared: Site, warned: str) -> None:
    path = f"{customer_address(warned)}/story"
    assert shared.service.stories is not None
    told = shared.service.stories.story(warned, LATER)
    for who in ("manager", "ann"):
        page = words(asked(shared, path, who))
        for line in clearing_texts(told, "en"):
            assert line in page
        assert "Similar past cases" in page
        assert "What if?" in page
    owners = shared.profile().set_index("customer_id")["owner"]
    others = [case for case in told.similar.cases if owners.get(case.customer_id) != shared.owners["ann"]]
    mine = words(asked(shared, path, "ann"))
    assert others
    assert mine.count("Another customer") == len(others)
    assert [case.name for case in others if case.name and case.name in mine] == []


def test_what_if_says_what_the_api_says(shared: Site, warned: str) -> None:
    day = LATER + timedelta(days=7)
    assert shared.service.stories is not None
    found = shared.service.stories.what_if(warned, LATER, ordered_on=day, amount=1000.0, paid=False)
    _, row = customer_of(visit(shared), warned)
    for lang in ("en", "ja"):
        answer = asked(shared, f"{customer_address(warned)}/story?ordered_on={day}&amount=1000&paid=", "ann", lang)
        answer = (
            answer
            if answer.status_code == 200
            else asked(shared, f"{customer_address(warned)}/story?ordered_on={day}&amount=1000", "ann", lang)
        )
        page = words(answer)
        locale = {"en": "en", "ja": "ja"}[lang]
        assert what_if_text(found, row["shown"].iloc[0] == PERCENT, locale, shared.service.currency) in page
        assert caution(locale) in page


def test_what_cannot_be_supposed_is_refused_and_what_was_typed_stays(shared: Site, warned: str) -> None:
    early = LATER - timedelta(days=1)
    answer = asked(shared, f"{customer_address(warned)}/story?ordered_on={early}&amount=12", "ann")
    assert answer.status_code == 422
    assert "lies in the past" in words(answer)
    assert f'value="{early}"' in answer.text
    assert 'value="12"' in answer.text
    wrong = asked(shared, f"{customer_address(warned)}/story?ordered_on={LATER}&amount=much", "ann")
    assert wrong.status_code == 422
    assert "Please look at what was entered here: amount." in words(wrong)


def test_all_changes_are_those_of_the_api_most_to_lose_first(shared: Site) -> None:
    _, rows = moved(visit(shared))
    assert len(rows) > 0
    for lang in ("en", "zh"):
        page = words(asked(shared, "/changes", lang=lang))
        said = [change_text(change_of(one), lang, shared.service.currency) for one in rows["change"].head(50)]
        places = [page.index(re.sub(r"\s+", " ", one)) for one in said]
        assert places == sorted(places)
    own = set(shared.profile().query("owner == @owner", local_dict={"owner": shared.owners["ann"]})["customer_id"])
    shown = set(re.findall(r'href="/customers/([^"#]+)#change"', asked(shared, "/changes", "ann").text))
    assert shown == {one for one in rows["customer_id"] if one in own}


def test_a_customer_whose_level_moved_says_why_with_the_steps(shared: Site) -> None:
    _, rows = moved(visit(shared))
    one = rows.iloc[0]
    answer = asked(shared, customer_address(one["customer_id"]))
    assert change_text(change_of(one["change"]), "en", shared.service.currency) in words(answer)
    if change_of(one["change"]).steps:
        assert 'id="change-chart-title"' in answer.text


def test_the_lists_are_drawn_by_the_columns_that_are_kept_alone(shared: Site) -> None:
    here = visit(shared)
    terms, profile = terms_now(shared.service), shared.profile()
    day = shared.service.board.newest()
    state = customers(here, profile, day)
    assert reasons_to_list(read_by(terms, state), terms, LATER) == reasons_to_list(state, terms, LATER)


def test_pages_are_small_whoever_is_shown(shared: Site) -> None:
    for customer in shared.profile().sort_values("value_at_risk")["customer_id"].tail(5):
        for part in ("", "/account"):
            answer = asked(shared, customer_address(customer) + part, lang="ja")
            assert answer.status_code == 200
            assert len(answer.content) < 60_000, (customer, part)
