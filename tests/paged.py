"""The pages of a served company as a browser without scripts meets them: who is signed in opens pages, sends forms."""

import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

from served import Served
from starlette.testclient import TestClient

from serving.accounts import accounts, add_account
from serving.sessions import COOKIE, Sessions

KEY = b"a key of the tests, never of a service"
ROLES = {"viewer": None, "rep": "Ann", "manager": None, "admin": None}


@dataclass
class Paged:
    """The pages of a company for one person of each role; `bob` is a second rep."""

    served: Served
    client: TestClient = field(init=False)
    sessions: Sessions = field(init=False)

    def __post_init__(self) -> None:
        self.sessions = Sessions(KEY, self.served.clock)
        service = replace(self.served.service, sessions=self.sessions)
        self.served.service = self.served.app.state.service = service
        self.client = TestClient(self.served.app, base_url="http://localhost", follow_redirects=False)
        with service.store.writing() as connection:
            there = {account.name for account in accounts(connection)}
            for name, owner in {**ROLES, "bob": "Bob"}.items():
                if name not in there:
                    role = "rep" if name == "bob" else name
                    add_account(connection, name, role, owner=owner, language=None, now=self.served.clock())

    def cookies(self, who: str) -> dict[str, str]:
        """The session of a person; none for ""."""
        if not who:
            return {}
        with self.served.service.store.reading() as connection:
            account = next(one for one in accounts(connection) if one.name == who)
        return {COOKIE: self.sessions.issue(account.name, account.epoch)}

    def get(self, who: str, path: str, locale: str = "en", **headers: str) -> Any:
        """A page, in a language."""
        return self.client.get(
            path, headers={"Accept-Language": locale, "Cookie": _cookie(self.cookies(who)), **headers}
        )

    def post(self, who: str, path: str, fields: dict[str, Any], key: str | None = None, **headers: str) -> Any:
        """A form as a page of ours sends it."""
        cookies = self.cookies(who)
        session = self.sessions.read(cookies.get(COOKIE, ""))
        ours = {"csrf": session.token if session else "", "key": key or uuid4().hex, "back": "/"}
        told = {"Cookie": _cookie(cookies), "Sec-Fetch-Site": "same-origin", "Accept-Language": "en", **headers}
        return self.client.post(path, data={**ours, **fields}, headers=told)


def _cookie(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._quiet = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002
        self._quiet = tag in ("style", "script") or (self._quiet and tag != "body")

    def handle_endtag(self, tag: str) -> None:
        self._quiet = self._quiet and tag not in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.words.append(data)


def words_of(answer: Any) -> str:
    """What a page says, without its marks."""
    reader = _Words()
    reader.feed(answer.text)
    return re.sub(r"\s+", " ", "".join(reader.words)).strip()
