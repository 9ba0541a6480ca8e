"""Names and notes by people who mean harm: every page shows them as the letters that they are."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from hostile import NAMES, OWNERS, PEOPLE, QUOTED, SCRIPT, TURNED, hostile_company
from page_routes import Address, addresses
from page_texts import Reader
from served import Served
from starlette.testclient import TestClient

from serving.api_data import NAMES as LISTS
from serving.sessions import COOKIE

pytest_plugins = ["served_company"]

SHOWN = [one for one in addresses() if one.method == "GET" and one.right]


@pytest.fixture(scope="module")
def hostile(app: FastAPI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch, hostile_company(tmp_path_factory.mktemp("hostile"), app, patch) as made:
        yield made


def told(hostile: Served, path: str, who: str) -> str:
    """What a page says to somebody; "" where it does not let them in or is a file."""
    cookie = hostile.service.sessions.issue(who, 0)
    client = TestClient(hostile.app, base_url="http://localhost")
    answer = client.get(path, headers={"cookie": f"{COOKIE}={cookie}"})
    assert answer.status_code in (200, 403, 404, 409)
    return answer.text if answer.headers["content-type"].startswith("text/html") else ""


def things(customer: str) -> dict[str, str]:
    return {
        "customer_id": customer,
        "episode_id": f"e-{customer}",
        "task_id": f"t-{customer}",
        "lists.name": LISTS[0],
        "export.name": LISTS[0],
        "manager.name": OWNERS[customer] or "-",
    }


@pytest.mark.parametrize("address", SHOWN, ids=lambda one: one.path)
def test_no_name_becomes_part_of_a_page(hostile: Served, address: Address) -> None:
    for who in PEOPLE:
        for customer in NAMES:
            read = Reader(told(hostile, address.filled(things(customer)), who))
            assert read.active == []
            assert not [attributes for _, attributes in read.elements if {"onerror", "src"} <= set(attributes)]
            assert "49" not in read.text.replace("7 * 7", "").split()
            assert TURNED[0] not in read.text


def test_the_letters_are_shown_as_they_are(hostile: Served) -> None:
    today = Reader(told(hostile, "/?list=red", "Lead \"'><i>"))
    assert SCRIPT in today.text
    assert "Lead \"'><i>" in today.text
    assert "{{ 7 * 7 }} {name} %(name)s {0.__class__}" in today.text
    other = Reader(told(hostile, "/customers/K-BOLT", "Admin {{ 7 * 7 }}"))
    assert QUOTED in other.text
    assert TURNED[1:] in other.text
