"""As long as nothing is published, every page says how to begin, in each language; the programs' addresses say 503."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from served import NINE, Clock
from starlette.testclient import TestClient

from features.contract import CONTRACT
from features.errors import StoreError
from pipelines.server import service_at
from pipelines.settings import Settings
from serving.access import create_token
from serving.accounts import LOCAL, link_for
from serving.api import PREFIX, make_app
from serving.api_visit import Service
from serving.pages.view import PLACES
from serving.sessions import SIGN_IN, Sessions

WORDS = {"en": "Nothing to show yet", "ja": "表示できるものがまだありません", "zh": "暂无内容"}


@dataclass
class Begun:
    """A service of an empty folder."""

    service: Service
    client: TestClient


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Begun]:
    with service_at(Settings(), tmp_path, Clock(), create=True) as made:
        service = replace(made, sessions=Sessions(b"k" * 40, Clock()))
        client = TestClient(make_app(service), base_url="http://localhost", follow_redirects=False)
        yield Begun(service, client)


@pytest.mark.parametrize("locale", list(WORDS))
@pytest.mark.parametrize("path", [address for _, address, _, _ in PLACES])
def test_every_page_says_how_to_begin(begun: Begun, path: str, locale: str) -> None:
    answer = begun.client.get(path, headers={"Accept-Language": locale})
    assert answer.status_code == 200
    assert f"<h1>{WORDS[locale]}</h1>" in answer.text
    for command in ("kizashi start --data ", "kizashi demo --serve"):
        assert command in answer.text
    assert all(column in answer.text for column in CONTRACT["transactions"].required)
    assert "<nav" not in answer.text, "there is nowhere to go yet"


def test_who_has_signed_in_sees_the_same(begun: Begun) -> None:
    with begun.service.store.writing() as connection:
        secret = link_for(connection, LOCAL.name, NINE)
    form = begun.client.get(f"{SIGN_IN}/{secret}")
    assert (form.status_code, "kizashi start" in form.text) == (200, False)
    assert begun.service.sessions is not None
    begun.client.cookies.set("kizashi_session", begun.service.sessions.issue(LOCAL.name, LOCAL.epoch))
    for path in ("/", "/settings", "/data"):
        answer = begun.client.get(path)
        assert (answer.status_code, WORDS["en"] in answer.text, "<nav" in answer.text) == (200, True, False)


def test_programs_are_told_that_nothing_is_published(begun: Begun) -> None:
    with begun.service.store.writing() as connection:
        token = create_token(connection, "Zoe", "admin", owner=None, now=NINE, days=1)[1]
    answer = begun.client.get(f"{PREFIX}/lists/red", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "nothing_published")


def test_only_the_service_makes_a_store_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="score a day first"), service_at(Settings(), tmp_path / "nowhere", Clock()):
        pass
    assert not (tmp_path / "nowhere").exists()
