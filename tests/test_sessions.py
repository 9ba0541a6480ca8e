"""A cookie is believed if we signed it, lately; a form if its page is ours; and the key is nobody else's to read."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from itsdangerous import URLSafeTimedSerializer
from served import Clock
from starlette.requests import Request
from starlette.responses import Response

from features.errors import SettingsError
from pipelines.session_key import session_key
from serving.accounts import LOCAL, Account, add_account, disable_account, end_sessions
from serving.sessions import (
    COOKIE,
    LONGEST,
    MOST_AGE,
    RENEWED,
    SECURE_COOKIE,
    Session,
    Sessions,
    by_https,
    cookie_of,
    let_in,
    let_out,
    local_path,
    same_origin,
    session_of,
)
from serving.store import Store

KEY = b"k" * 32
SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(KEY, clock)


def read(sessions: Sessions, cookie: str) -> Session:
    session = sessions.read(cookie)
    assert session is not None
    return session


def request(scheme: str = "http", host: str = "kizashi.example:8640", **headers: str) -> Request:
    named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    scope = {"type": "http", "method": "POST", "scheme": scheme, "path": "/sign-in", "query_string": b""}
    return Request({**scope, "server": ("kizashi.example", 8640), "headers": raw})


@pytest.mark.parametrize("name", ["Ann", "安 藤", "O'Hara; Path=/", "local"])
def test_a_cookie_says_whose_session_it_is_and_since_when(sessions: Sessions, clock: Clock, name: str) -> None:
    cookie = sessions.issue(name, 3)
    session = read(sessions, cookie)
    assert (session.name, session.epoch, session.issued_at, session.began_at) == (name, 3, clock.now, clock.now)
    assert cookie.isascii()
    assert not set(cookie) & set(' ";,\\')


@pytest.mark.parametrize(
    "forged",
    [
        lambda _: "",
        lambda _: "x",
        lambda _: "a.b.c",
        lambda cookie: cookie[:-1] + ("A" if cookie[-1] != "A" else "B"),
        lambda cookie: "A" + cookie,
        lambda cookie: cookie + "\ud800",
        lambda cookie: ".".join(cookie.split(".")[:2]),
        lambda cookie: cookie * 100,
    ],
)
def test_what_is_not_the_very_cookie_is_no_session(sessions: Sessions, forged) -> None:
    assert sessions.read(forged(sessions.issue("Ann", 0))) is None


def test_a_cookie_of_another_key_or_made_for_something_else_is_no_session(sessions: Sessions, clock: Clock) -> None:
    assert sessions.read(Sessions(b"j" * 32, clock).issue("Ann", 0)) is None
    assert sessions.read(str(URLSafeTimedSerializer(KEY).dumps(["Ann", 0, "mark", 0]))) is None
    payload, _, rest = sessions.issue("Ann", 0).partition(".")
    other = sessions.issue("Bob", 0).partition(".")[0]
    assert payload != other
    assert sessions.read(f"{other}.{rest}") is None


@pytest.mark.parametrize(("more", "good"), [(timedelta(0), True), (SECOND, False), (timedelta(days=400), False)])
def test_a_cookie_ends_after_a_week(sessions: Sessions, clock: Clock, more: timedelta, good: bool) -> None:
    cookie = sessions.issue("Ann", 0)
    clock.now += MOST_AGE + more
    assert (sessions.read(cookie) is not None) == good


def test_a_cookie_from_the_future_is_no_session(sessions: Sessions, clock: Clock) -> None:
    cookie = sessions.issue("Ann", 0)
    clock.now -= SECOND
    assert sessions.read(cookie) is None


def test_a_session_is_made_anew_after_a_day_and_its_open_forms_stay_good(sessions: Sessions, clock: Clock) -> None:
    began = clock.now
    first = read(sessions, sessions.issue("Ann", 2))
    clock.now += RENEWED - SECOND
    assert sessions.renewed(first) is None
    clock.now += SECOND
    renewed = sessions.renewed(first)
    assert renewed is not None
    second = read(sessions, renewed)
    assert (second.issued_at, second.began_at) == (clock.now, began)
    assert replace(second, issued_at=began) == first
    assert second.bears(first.token)


def test_a_session_that_is_used_every_day_ends_after_a_month(sessions: Sessions, clock: Clock) -> None:
    began, cookie = clock.now, sessions.issue("Ann", 0)
    while (session := sessions.read(cookie)) is not None:
        cookie = sessions.renewed(session) or cookie
        clock.now += timedelta(hours=30)
    assert LONGEST < clock.now - began <= LONGEST + timedelta(hours=30)


def test_the_token_of_forms_is_the_sessions_own(sessions: Sessions, clock: Clock) -> None:
    mine, again = (read(sessions, sessions.issue("Ann", 0)) for _ in range(2))
    assert mine.bears(mine.token)
    assert mine.token != again.token, "each sign-in has its own"
    for sent in (again.token, "", mine.token[:-1], mine.token + "0", "\ud800", "é"):
        assert not mine.bears(sent)
    other = Sessions(b"j" * 32, clock)
    assert not mine.bears(read(other, other.issue("Ann", 0)).token)
    assert mine.token not in sessions.issue("Ann", 0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'kizashi.db'}")


def test_a_session_lasts_as_long_as_its_account_and_epoch(store: Store, sessions: Sessions, clock: Clock) -> None:
    def present(cookie: str) -> Account | None:
        with store.reading() as connection:
            found = session_of(connection, sessions, cookie)
        return found[1] if found else None

    with store:
        local = sessions.issue(LOCAL.name, LOCAL.epoch)
        assert present(local) == LOCAL
        assert present("") is None
        assert present("x") is None
        with store.writing() as connection:
            ann = add_account(connection, "Ann", "rep", owner="Ann", language=None, now=clock.now)
        assert present(local) is None, "there is an account now"
        first = sessions.issue("Ann", ann.epoch)
        assert present(first) == ann
        with store.writing() as connection:
            later = end_sessions(connection, "Ann")
        assert present(first) is None
        second = sessions.issue("Ann", later.epoch)
        assert present(second) == later
        with store.writing() as connection:
            ended = disable_account(connection, "Ann", clock.now)
        assert present(second) is None
        assert present(sessions.issue("Ann", ended.epoch)) is None


@pytest.mark.parametrize(
    ("asked", "name", "secure"),
    [
        (request(), COOKIE, False),
        (request("https"), SECURE_COOKIE, True),
        (request(x_forwarded_proto="HTTPS"), SECURE_COOKIE, True),
        (request(origin="https://kizashi.example:8640"), SECURE_COOKIE, True),
        (request(origin="http://kizashi.example:8640", x_forwarded_proto="http"), COOKIE, False),
    ],
)
def test_the_cookie_is_kept_from_scripts_other_sites_and_open_wires(asked: Request, name: str, secure: bool) -> None:
    assert by_https(asked) == secure
    answer = Response()
    let_in(answer, asked, "abc")
    kept = SimpleCookie(answer.headers["set-cookie"])[name]
    assert (kept.value, kept["path"], kept["samesite"], kept["max-age"]) == ("abc", "/", "lax", "604800")
    assert (bool(kept["httponly"]), bool(kept["secure"]), kept["domain"]) == (True, secure, "")


def test_the_browser_is_told_to_forget_both_cookies() -> None:
    answer = Response()
    let_out(answer)
    gone = SimpleCookie()
    for header in answer.headers.getlist("set-cookie"):
        gone.load(header)
    assert {name: (kept.value, kept["max-age"]) for name, kept in gone.items()} == {
        COOKIE: ("", "0"),
        SECURE_COOKIE: ("", "0"),
    }
    assert gone[SECURE_COOKIE]["secure"]


@pytest.mark.parametrize(
    ("asked", "cookie"),
    [
        (request(), ""),
        (request(cookie=f"{COOKIE}=a"), "a"),
        (request(cookie=f"{COOKIE}=a; {SECURE_COOKIE}=b"), "b"),
        (request("https", cookie=f"{COOKIE}=a"), ""),
        (request("https", cookie=f"{SECURE_COOKIE}=b"), "b"),
    ],
)
def test_by_https_only_the_cookie_is_read_that_no_other_host_can_set(asked: Request, cookie: str) -> None:
    assert cookie_of(asked) == cookie


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "none"}, True),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "cross-site", "origin": "http://kizashi.example:8640"}, False),
        ({"sec_fetch_site": ""}, False),
        ({"origin": "http://kizashi.example:8640"}, True),
        ({"origin": "https://KIZASHI.example:8640"}, True),
        ({"origin": "http://kizashi.example"}, False),
        ({"origin": "http://kizashi.example:8640.evil.example"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://[x"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({}, False),
        ({"host": "", "origin": "null"}, False),
    ],
)
def test_a_form_is_ours_if_the_browser_says_so(headers: dict[str, str], own: bool) -> None:
    assert same_origin(request(**headers)) == own


@pytest.mark.parametrize(
    ("wanted", "onward"),
    [
        ("/", "/"),
        ("/tasks?team=sales&page=2", "/tasks?team=sales&page=2"),
        ("/customers/K%2FCORD", "/customers/K%2FCORD"),
        ("/customers/青木", "/customers/%E9%9D%92%E6%9C%A8"),
        ("/x?to=//evil.example", "/x?to=//evil.example"),
        *((evil, "/") for evil in (
            "", "tasks", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
            "/\n/evil.example", "http://evil.example", "https:evil.example", "javascript:alert(1)", " //evil.example",
            "/x\r\nSet-Cookie: a=b", "/" + "x" * 2000,
        )),
    ],
)  # fmt: skip
def test_nobody_is_sent_to_another_host(wanted: str, onward: str) -> None:
    assert local_path(wanted) == onward


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    key = session_key(tmp_path / "var")
    path = tmp_path / "var" / "session.key"
    assert len(bytes.fromhex(key.decode())) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert session_key(tmp_path / "var") == key
    assert session_key(tmp_path / "other") != key
    assert [file.name for file in path.parent.iterdir()] == ["session.key"], "nothing is left beside it"


def test_of_several_that_make_the_key_at_once_all_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: session_key(tmp_path), range(8)))) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_may_read_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    key = session_key(tmp_path)
    path = tmp_path / "session.key"
    path.chmod(mode)
    with pytest.raises(SettingsError, match=f"chmod 600 {path}"):
        session_key(tmp_path)
    path.chmod(0o600)
    assert session_key(tmp_path) == key


@pytest.mark.parametrize("held", [b"", b"abc\n", b"x" * 64, b"\xff" * 64])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, held: bytes) -> None:
    path = tmp_path / "session.key"
    path.write_bytes(held)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="holds no key: remove it"):
        session_key(tmp_path)


def test_a_key_that_cannot_be_kept_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file", encoding="utf-8")
    with pytest.raises(SettingsError, match="KIZASHI_SESSION_KEY"):
        session_key(tmp_path / "var")


def test_the_environments_key_comes_first_and_has_to_be_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())  # noqa: TID251
    monkeypatch.setenv("KIZASHI_SESSION_KEY", "é" * 32)
    assert session_key(tmp_path) == ("é" * 32).encode()
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("KIZASHI_SESSION_KEY", "x" * 31)
    with pytest.raises(SettingsError, match=r"31 characters: expected at least 32.*token_hex"):
        session_key(tmp_path)
