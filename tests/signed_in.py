"""People who are signed in to the pages of the small company of `served.py`, and what they read and send."""

import re
from dataclasses import dataclass
from typing import Any

from served import Served
from starlette.testclient import TestClient

from serving.accounts import account_named
from serving.sessions import COOKIE

OURS = {"Sec-Fetch-Site": "same-origin"}
#: Accounts: name -> role, and whose customers are seen.
PEOPLE = {"Ann": ("rep", "Ann"), "Bob": ("rep", "Bob"), "Mia": ("manager", None), "Vic": ("viewer", None)}


@dataclass
class Person:
    """Somebody who is signed in, at a browser."""

    name: str
    served: Served
    client: TestClient

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=headers)

    def page(self, path: str, lang: str = "en") -> str:
        answer = self.client.get(path, headers={"Accept-Language": lang})
        assert answer.status_code == 200, answer.text[-2000:]
        return str(answer.text)

    def send(self, page: str, action: str, key: str | None = None, **fields: Any) -> Any:
        """Fill a form of a page and send it."""
        form = form_of(page, action)
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
        if key is not None:
            hidden["key"] = key
        return self.client.post(action, data={**hidden, **fields}, headers=OURS)


def form_of(page: str, action: str) -> str:
    found = re.search(rf'<form method="post" action="{re.escape(action)}".*?</form>', page, re.DOTALL)
    assert found, f"no form {action}"
    return found[0]


def person(site: Served, name: str) -> Person:
    sessions = site.service.sessions
    assert sessions is not None
    with site.service.store.reading() as connection:
        epoch = account_named(connection, name).epoch
    client = TestClient(site.app, base_url="http://localhost", follow_redirects=False)
    client.cookies.set(COOKIE, sessions.issue(name, epoch))
    return Person(name, site, client)


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def part(page: str, section: str) -> str:
    """One section of a page."""
    found = re.search(rf'<section id="{section}".*?</section>', page, re.DOTALL)
    assert found, f"no section {section}"
    return found[0]


def kinds(site: Served, customer: str = "K-AOKI") -> list[str]:
    return [told.event.kind for told in site.service.store.history(customer)]


def csrf(page: str) -> str:
    return str(re.findall(r'name="csrf" value="([^"]+)"', page)[0])
