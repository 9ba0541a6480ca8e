"""What holds for every page and every form, whatever it shows: rights, languages, headers, size, and who is refused."""

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import LANGUAGES, Server, Site
from page_routes import Address, addresses, things_of
from page_texts import Reader
from starlette.testclient import TestClient

from serving.pages.view import LANGUAGE_COOKIE
from serving.sessions import COOKIE

pytest_plugins = ["trained", "browsed"]

ALL = addresses()
SHOWN = [one for one in ALL if one.method == "GET"]
SENT = [one for one in ALL if one.method == "POST"]
ROLES = {"viewer": "viewer", "ann": "rep", "bob": "rep", "manager": "manager", "admin": "admin"}
#: Every role, and every language.
LOOKED_AT = [
    *[(who, LANGUAGES[place % len(LANGUAGES)]) for place, who in enumerate(ROLES)],
    *[("manager", language) for language in LANGUAGES],
]
OURS = {"sec-fetch-site": "same-origin"}
#: Bytes of a page at most.
MOST_BYTES = 60_000
#: Addresses that people have before they are signed in.
OPEN = {"/sign-in", "/sign-in/{secret}", "/sign-out"}
HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
OF_PAGES = {"referrer-policy": "same-origin", "cross-origin-opener-policy": "same-origin"}
#: What a template tells where it forgot something.
SLIPS = re.compile(r"Traceback|\w\.py\b|[{}%]{2}|\{\w+\}|\b(?:nan|NaT|Undefined)\b")
#: What may be a word in English alone.
ENGLISH = re.compile(r"\bNone\b|\bTrue\b|\bFalse\b")


def named(one: Address) -> str:
    return one.words


@pytest.fixture(scope="module")
def shared(pages: Server) -> Iterator[Site]:
    """A company that no test changes: what they send is refused."""
    with pages.site() as site:
        yield site


def client_of(site: Site) -> TestClient:
    return TestClient(site.app, base_url="http://localhost", follow_redirects=False, raise_server_exceptions=True)


def asked(site: Site, path: str, who: str = "", language: str = "en", **headers: str) -> Any:
    """The answer to a browser of somebody."""
    cookies = {LANGUAGE_COOKIE: language, **({COOKIE: site.cookie(who)} if who else {})}
    told = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return client_of(site).get(path, headers={"cookie": told, **headers})


def sent(site: Site, path: str, cookie: str = "", headers: dict[str, str] = OURS, **fields: str) -> Any:
    return client_of(site).post(path, data=fields, headers={"cookie": f"{COOKIE}={cookie}", **headers})


def held(site: Site) -> str:
    """A digest of everything that is stored."""
    [place] = [Path(row[2]) for row in _rows(site, "PRAGMA database_list") if row[1] == "main"]
    with sqlite3.connect(place) as connection:
        digest = hashlib.sha256("\n".join(connection.iterdump()).encode("utf-8", "surrogateescape")).hexdigest()
    connection.close()
    return digest


def _rows(site: Site, statement: str) -> list[Any]:
    with site.service.store.reading() as connection:
        return list(connection.exec_driver_sql(statement))


def faults_of(answer: Any, language: str) -> list[str]:
    """What is wrong with an answer as an answer, whatever it tells."""
    policy = answer.headers.get("content-security-policy", "")
    found = [] if "unsafe" not in policy and "default-src 'none'" in policy else [f"policy: {policy}"]
    found += [] if "frame-ancestors 'none'" in policy else ["may be framed"]
    found += [name for name, value in HEADERS.items() if answer.headers.get(name) != value]
    return found + (page_faults(answer, language) if is_page(answer) else [])


def is_page(answer: Any) -> bool:
    return str(answer.headers.get("content-type", "")).startswith("text/html")


def page_faults(answer: Any, language: str) -> list[str]:
    """What is wrong with a page, whatever it tells."""
    read = Reader(answer.text)
    found = [f"{len(answer.content)} bytes"] if len(answer.content) > MOST_BYTES else []
    found += read.active
    found += ["no or several h1"] if len(read.all("h1")) != 1 else []
    found += ["another language"] if [one.get("lang") for one in read.all("html")] != [language] else []
    found += [name for name, value in OF_PAGES.items() if answer.headers.get(name) != value]
    slips = {*SLIPS.findall(read.text), *(ENGLISH.findall(read.text) if language != "en" else ())}
    return found + [f"told: {slip}" for slip in sorted(slips)]


def arrived(answer: Any, address: Address, role: str) -> list[str]:
    """Whether an address was answered as the role's rights say; that of a form sends on to its page."""
    onward = answer.headers.get("location", "")
    if answer.status_code == 303 and re.match(r"/(?!/)", onward) and not onward.startswith("/sign-in"):
        return []
    usual = (200, 410) if address.path in OPEN else (200,)
    return [] if answer.status_code in (usual if address.open_to(role) else (403,)) else [str(answer.status_code)]


@pytest.mark.parametrize("address", SHOWN, ids=named)
def test_a_page_is_shown_to_whom_it_is_meant_in_every_language(shared: Site, address: Address) -> None:
    faults = []
    for who, language in LOOKED_AT:
        path = address.filled(things_of(shared, "bob" if who == "bob" else "ann"))
        answer = asked(shared, path, who, language)
        told = [*arrived(answer, address, ROLES[who]), *faults_of(answer, language)]
        faults += [f"{who} in {language}: {fault}" for fault in told]
    assert faults == []


@pytest.mark.parametrize("address", [one for one in SHOWN if one.open_to("rep")], ids=named)
def test_a_rep_reads_of_nobody_elses_customers(shared: Site, address: Address) -> None:
    profile = shared.profile()
    others = profile[profile["owner"] != shared.owners["ann"]]
    answer = asked(shared, address.filled(things_of(shared, "ann")), "ann")
    told = answer.text if is_page(answer) else ""
    names = set(others["name"].dropna()) - set(profile["name"][profile["owner"] == shared.owners["ann"]])
    assert [one for one in (*sorted(names), *others["customer_id"]) if one in told] == []


@pytest.mark.parametrize("address", [one for one in ALL if one.bears_a_customer], ids=named)
def test_what_is_another_reps_is_not_there(shared: Site, address: Address) -> None:
    path, cookie = address.filled(things_of(shared, "bob")), shared.cookie("ann")
    if address.method == "GET":
        answer = asked(shared, path, "ann")
        if answer.status_code == 303:  # the address of a form sends on to its page
            answer = asked(shared, answer.headers["location"], "ann")
    else:
        before = held(shared)
        answer = sent(shared, path, cookie, **genuine(shared, cookie), version="1", **ANSWERS)
        assert held(shared) == before
    assert answer.status_code == (404 if address.open_to("rep") else 403)
    assert faults_of(answer, "en") == []
    hers = shared.profile().set_index("customer_id").loc[things_of(shared, "bob")["customer_id"], "name"]
    assert hers not in answer.text


#: What several forms ask for.
ANSWERS = {"note": "seen", "contacted_on": "2026-08-14", "temperature": "cold", "risk": "high", "result": "done"}


def genuine(site: Site, cookie: str) -> dict[str, str]:
    """What the forms of a session bear."""
    return {"csrf": site.token(cookie), "key": "key-of-this-form", "back": "/"}


@pytest.mark.parametrize("address", [one for one in SENT if one.path not in OPEN], ids=named)
def test_a_form_that_is_not_ours_changes_nothing(shared: Site, address: Address) -> None:
    path, cookie, before = address.filled(things_of(shared, "ann")), shared.cookie("admin"), held(shared)
    ours = genuine(shared, cookie)
    nobody = sent(shared, path, **ours)
    assert (nobody.status_code, nobody.headers["location"]) == (303, "/sign-in")
    without = sent(shared, path, cookie, **{**ours, "csrf": ""})
    anothers = sent(shared, path, cookie, **{**ours, "csrf": shared.token(shared.cookie("admin"))})
    elsewhere = sent(shared, path, cookie, {"sec-fetch-site": "cross-site"}, **ours)
    neighbour = sent(shared, path, cookie, {"sec-fetch-site": "same-site"}, **ours)
    origin = sent(shared, path, cookie, {"origin": "http://elsewhere.example"}, **ours)
    unsaid = sent(shared, path, cookie, {}, **ours)
    keyless = sent(shared, path, cookie, **{**ours, "key": ""})
    told = {"cookie": f"{COOKIE}={cookie}", **OURS}
    as_json = client_of(shared).post(path, json=ours, headers=told)
    as_text = client_of(shared).post(path, content="csrf=1", headers={**told, "content-type": "text/plain"})
    answers = (without, anothers, elsewhere, neighbour, origin, unsaid, keyless, as_json, as_text)
    assert [answer.status_code for answer in answers[:6]] == [403] * 6
    assert keyless.status_code in (400, 422)
    assert (as_json.status_code, as_text.status_code) == (400, 400)
    assert [faults_of(answer, "en") for answer in answers] == [[]] * len(answers)
    assert held(shared) == before


@pytest.mark.parametrize("address", [one for one in SENT if one.right], ids=named)
def test_a_form_of_another_role_changes_nothing(shared: Site, address: Address) -> None:
    before = held(shared)
    refused = [who for who, role in ROLES.items() if not address.open_to(role)]
    for who in refused:
        cookie = shared.cookie(who)
        answer = sent(shared, address.filled(things_of(shared, "ann")), cookie, **genuine(shared, cookie), **ANSWERS)
        assert (who, answer.status_code) == (who, 403)
    assert "viewer" in refused
    assert held(shared) == before


@pytest.mark.parametrize("address", [one for one in SHOWN if one.path not in OPEN], ids=named)
def test_nobody_sees_a_page_without_signing_in(shared: Site, address: Address) -> None:
    answer = asked(shared, address.filled(things_of(shared, "ann")))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")
    assert answer.content == b""


def test_every_page_but_those_to_sign_in_asks_for_a_right() -> None:
    assert {one.path for one in ALL if not one.right} == OPEN
    assert len(SHOWN) > 10
    assert len(SENT) > 10


@pytest.mark.parametrize(
    "path", ["/nothing-here", "/customers/NOBODY", "/tasks/none", "/lists/none", "/static/none.js"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_not_there_is_said_in_the_readers_language(shared: Site, path: str, language: str) -> None:
    answer = asked(shared, path, "manager", language)
    assert answer.status_code == 404
    assert faults_of(answer, language) == []
    words = {"en": "There is no such thing", "ja": "ありません", "zh": "不存在"}
    assert words[language] in answer.text
    programs = asked(shared, f"/api/v1{path}", language=language)
    assert programs.headers["content-type"] == "application/json"
    assert programs.status_code in (401, 404)


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused_as_a_page(shared: Site, method: str) -> None:
    answer = getattr(client_of(shared), method)("/", headers={"accept-language": "ja"})
    assert answer.status_code == 405
    assert faults_of(answer, "ja") == []


#: What people and their machines write into addresses.
QUESTIONS = (
    *("page=0", "page=x", "page=99999999999999999999", "q=%00", "q=" + "x" * 300, "sort=-nothing", "days=-1"),
    *("owner=%F0%9F%98%80", "list=none", "level=none&level=red", "done=x", "lang=xx", "month=2026-99", "format=exe"),
)


@pytest.mark.parametrize("address", [one for one in SHOWN if one.right and "story" not in one.path], ids=named)
def test_no_question_breaks_a_page(shared: Site, address: Address) -> None:
    path, faults = address.filled(things_of(shared, "ann")), []
    for query in QUESTIONS:
        answer = asked(shared, path + ("&" if "?" in path else "?") + query, "admin")
        faults += [] if answer.status_code in (200, 303, 404, 422) else [f"{query}: {answer.status_code}"]
        faults += [f"{query}: {fault}" for fault in faults_of(answer, "en")]
    assert faults == []
