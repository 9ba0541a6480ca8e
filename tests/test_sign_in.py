"""The way in and out, as a browser goes it: by password, by link, from our own pages alone, and not too often."""

import logging
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from served import Served
from starlette.testclient import TestClient

from serving.accounts import LOCAL, add_account, disable_account, link_for, set_password
from serving.api_guard import Ration
from serving.sessions import COOKIE, MOST_AGE, SECURE_COOKIE, Sessions

pytest_plugins = ["served_company"]

SECRET = "correct horse battery"
OURS = {"Sec-Fetch-Site": "same-origin"}
WRONG = "The user name or the password is wrong"


@dataclass
class Browser:
    """A browser at the service's pages."""

    served: Served
    client: TestClient

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=headers)

    def post(self, path: str, headers: dict[str, str] = OURS, **fields: str) -> Any:
        return self.client.post(path, data=fields, headers=headers)

    def enter(self, name: str = "Ann", password: str = SECRET, **fields: str) -> Any:
        return self.post("/sign-in", name=name, password=password, **fields)

    def inside(self) -> bool:
        """Whether the first page is shown."""
        answer = self.get("/")
        assert answer.status_code in (200, 303)
        return bool(answer.status_code == 200)


def browser_at(served: Served, address: str = "http://localhost") -> Browser:
    return Browser(served, TestClient(served.app, base_url=address, follow_redirects=False))


@pytest.fixture
def open_site(served: Served) -> Served:
    """The pages of a company without accounts."""
    service = replace(served.service, sessions=Sessions(b"k" * 32, served.clock))
    served.service = served.app.state.service = service
    return served


@pytest.fixture
def site(open_site: Served) -> Served:
    """The pages of a company where Ann has a password."""
    with open_site.service.store.writing() as connection:
        add_account(connection, "Ann", "rep", owner="Ann", language="ja", now=open_site.clock())
        set_password(connection, "Ann", SECRET)
    return open_site


@pytest.fixture
def browser(site: Served) -> Browser:
    return browser_at(site)


def link_of(served: Served, name: str = "Ann") -> str:
    with served.service.store.writing() as connection:
        return "/sign-in/" + link_for(connection, name, served.clock())


def csrf_in(page: str) -> str:
    return str(re.findall(r'name="csrf" value="([^"]+)"', page)[0])


def test_who_is_not_signed_in_is_sent_to_the_way_in_and_back(browser: Browser) -> None:
    answer = browser.get("/?list=yellow&owner=Ann%20B")
    assert answer.status_code == 303
    page = browser.get(answer.headers["location"])
    assert page.status_code == 200
    assert 'type="password"' in page.text
    (onward,) = re.findall(r'name="next" value="([^"]+)"', page.text)
    answer = browser.enter(next=onward.replace("&amp;", "&"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/?list=yellow&owner=Ann%20B")
    assert browser.inside()
    assert browser.get("/sign-in?next=/tasks").headers["location"] == "/tasks", "it goes straight on"


@pytest.mark.parametrize("language", ["en", "ja", "zh"])
def test_the_way_in_speaks_the_browsers_language_and_leaves_no_english_over(browser: Browser, language: str) -> None:
    page = browser.get("/sign-in", **{"Accept-Language": language})
    assert f'<html lang="{language}"' in page.text
    assert page.headers["referrer-policy"] == "same-origin", "or forms could not be told from foreign ones"
    assert ("Password" in page.text) == (language == "en")
    assert page.text.count("<h1") == 1


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "x:y"])
def test_nobody_is_sent_to_another_host(browser: Browser, to: str) -> None:
    page = browser.client.get("/sign-in", params={"next": to})
    assert "evil" not in page.text.split("<main", 1)[1]
    assert browser.enter(next=to).headers["location"] == "/"
    assert browser.client.get("/sign-in", params={"next": to}).headers["location"] == "/"


def test_a_wrong_name_and_a_wrong_password_are_answered_alike(browser: Browser) -> None:
    with browser.served.service.store.writing() as connection:
        add_account(connection, "Bob", "rep", owner="Bob", language=None, now=browser.served.clock())
        set_password(connection, "Bob", SECRET)
        disable_account(connection, "Bob", browser.served.clock())
    answers = [browser.enter(*typed) for typed in (("Ann", "wrong"), ("Zoe", SECRET), ("Bob", SECRET), ("", ""))]
    assert {answer.status_code for answer in answers} == {401}
    pages = {re.sub(r'value="(Ann|Zoe|Bob|)"', 'value=""', answer.text) for answer in answers}
    assert len(pages) == 1
    assert WRONG in pages.pop()
    assert all("set-cookie" not in answer.headers for answer in answers)
    assert 'value="Zoe"' in answers[1].text, "what was typed is still there"
    assert SECRET not in "".join(answer.text for answer in answers)
    assert not browser.inside()


def test_what_was_typed_is_text_and_no_markup(browser: Browser) -> None:
    page = browser.enter('"><script>', next='/"><script>').text
    assert '"><script>' not in page


def test_a_link_shows_whose_it_is_and_leads_in_once(browser: Browser) -> None:
    link = link_of(browser.served)
    for _ in range(2):  # as a program that previews links does
        page = browser.get(link)
        assert (page.status_code, "<bdi>Ann</bdi>" in page.text) == (200, True)
        assert "set-cookie" not in page.headers
    answer = browser.post(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.inside()
    assert browser.get(link).headers["location"] == "/", "who holds a session goes straight in"
    other = browser_at(browser.served)
    assert [other.get(link).status_code, other.post(link).status_code] == [410, 410]
    assert "too old" in other.get(link).text
    assert not other.inside()


def test_a_link_of_somebody_else_is_not_passed_over(browser: Browser) -> None:
    with browser.served.service.store.writing() as connection:
        add_account(connection, "Zoe", "manager", owner=None, language=None, now=browser.served.clock())
    browser.enter()
    link = link_of(browser.served, "Zoe")
    assert "<bdi>Zoe</bdi>" in browser.get(link).text
    browser.post(link)
    assert "<bdi>Zoe</bdi>" in browser.get("/").text


def test_an_expired_link_leads_nobody_in(browser: Browser) -> None:
    link = link_of(browser.served)
    browser.served.clock.now += timedelta(days=1)
    assert [browser.get(link).status_code, browser.post(link).status_code] == [410, 410]
    assert not browser.inside()


def test_without_accounts_the_link_that_the_service_shows_leads_in_until_there_is_one(open_site: Served) -> None:
    browser = browser_at(open_site)
    assert "kizashi user add" in browser.get("/sign-in").text
    assert browser.post(link_of(open_site, LOCAL.name)).status_code == 303
    assert browser.inside()
    with open_site.service.store.writing() as connection:
        add_account(connection, "Zoe", "manager", owner=None, language=None, now=open_site.clock())
    assert not browser.inside()


FOREIGN: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_form_from_another_site_signs_nobody_in_or_out(browser: Browser, headers: dict[str, str]) -> None:
    link = link_of(browser.served)
    assert browser.post("/sign-in", headers, name="Ann", password=SECRET).status_code == 403
    assert browser.post(link, headers).status_code == 403
    assert browser.get(link).status_code == 200, "nothing was used up"
    assert not browser.inside()
    browser.enter()
    token = csrf_in(browser.get("/").text)
    assert browser.post("/sign-out", headers, csrf=token).status_code == 403
    assert browser.inside()


def test_who_signs_out_is_out_and_another_sessions_token_does_not_do_it(browser: Browser) -> None:
    other = browser_at(browser.served)
    for one in (browser, other):
        one.enter()
    token, others = csrf_in(browser.get("/").text), csrf_in(other.get("/").text)
    for sent in ({"key": "x"}, {"csrf": ""}, {"csrf": others}):
        assert browser.post("/sign-out", **sent).status_code == 403
    answer = browser.post("/sign-out", csrf=token)
    assert answer.status_code == 303
    assert "signed out" in browser.get(answer.headers["location"]).text
    assert not browser.inside()
    assert other.inside()
    assert browser.post("/sign-out", csrf=token).status_code == 303, "once more does no harm"


def test_a_session_is_made_anew_at_a_visit_and_ends_a_week_after_the_last(browser: Browser) -> None:
    clock = browser.served.clock
    browser.enter()
    first = browser.client.cookies[COOKIE]
    clock.now += timedelta(hours=23)
    assert "set-cookie" not in browser.get("/").headers
    clock.now += timedelta(days=5)
    assert browser.inside()
    assert browser.client.cookies[COOKIE] != first
    clock.now += timedelta(days=5)
    assert browser.inside(), "ten days after the sign-in"
    clock.now += MOST_AGE + timedelta(seconds=1)
    assert not browser.inside()


def test_behind_a_proxy_with_tls_the_cookie_is_for_this_host_alone(site: Served) -> None:
    browser = browser_at(site, "https://localhost")
    header = browser.enter().headers["set-cookie"]
    assert header.startswith(f"{SECURE_COOKIE}=")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(header.split("; "))
    assert "samesite=lax" in header.lower()
    assert browser.inside()
    tossed = browser_at(site, "https://localhost")
    plain = browser_at(site)
    plain.enter()
    tossed.client.cookies.set(COOKIE, plain.client.cookies[COOKIE])
    assert not tossed.inside()


@pytest.mark.parametrize("forged", ["x", "a.b.c", "é", "W10.aaQqQA.AAAA"])
def test_a_forged_cookie_is_nobody(browser: Browser, forged: str) -> None:
    answer = browser.client.get("/", headers={"Cookie": f"{COOKIE}={forged}".encode()})
    assert answer.status_code == 303


def test_attempts_are_rationed_per_address_and_per_name(site: Served) -> None:
    site.app.state.service = replace(site.service, attempts=Ration(site.clock, 3))
    link = link_of(site)

    def at(address: str) -> Browser:
        return Browser(site, TestClient(site.app, "http://localhost", client=(address, 1), follow_redirects=False))

    assert [at("192.0.2.1").enter(name).status_code for name in ("Bob", "Cho", "Dan", "Eve")] == [401, 401, 401, 429]
    refused = at("192.0.2.1").post(link)
    assert (refused.status_code, "Too many" in refused.text) == (429, True)
    guesses = [at(f"192.0.2.{10 + n}").enter(name, "guess") for n, name in enumerate(("Ann", "ann ", "ANN", "Ann"))]
    assert [answer.status_code for answer in guesses] == [401, 401, 401, 429]
    assert at("192.0.2.20").enter("Ann").status_code == 429, "the right password has to wait, too"
    assert at("192.0.2.21").post(link).status_code == 303, "a link does not"
    site.clock.now += timedelta(minutes=1)
    assert at("192.0.2.1").enter("Ann").status_code == 303


def test_no_log_holds_a_password_a_cookie_or_a_link(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    link = link_of(browser.served)
    browser.get(link)
    browser.post(link)
    browser.enter("Ann", SECRET + "!")
    browser.enter()
    said = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    assert "POST /sign-in 303" in said
    secret = link.removeprefix("/sign-in/")
    for hidden in (secret, SECRET, browser.client.cookies[COOKIE], csrf_in(browser.get("/").text)):
        assert hidden not in said


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/x", "/sign-out"])
def test_where_there_are_no_sessions_there_is_no_way_in(served: Served, path: str) -> None:
    served.app.state.service = replace(served.service, sessions=None)
    browser = browser_at(served)
    assert browser.post(path, name="Ann", password=SECRET).status_code == 404
