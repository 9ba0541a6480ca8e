"""The service as a stranger meets it: one shape for every error, safe headers, known hosts, small bodies, rations."""

import json
import logging
import re
from datetime import UTC, timedelta
from typing import Any

import pytest
from served import NINE, Served

from serving.access import create_token
from serving.api import PREFIX
from serving.api_guard import BODY_BYTES, HEADERS, Ration
from serving.api_visit import Service
from serving.store import Store

pytest_plugins = ["served_company"]

UPDATE = "/customers/K-AOKI/update"
GOOD = {"temperature": "hot", "risk": "low"}


def error(answer: Any) -> tuple[int, str]:
    """Status and code of an answer that has the shape of every error."""
    told = answer.json()
    assert set(told) == {"error"}
    assert set(told["error"]) == {"code", "message", "details"}
    assert re.fullmatch(r"[a-z_]+", told["error"]["code"])
    assert isinstance(told["error"]["details"], list)
    assert "Traceback" not in answer.text
    return answer.status_code, told["error"]["code"]


def send(served: Served, who: str, content: bytes, **headers: str) -> Any:
    told = {**served.headers(who), "Idempotency-Key": "key-of-a-test", "Content-Type": "application/json", **headers}
    return served.client.post(f"{PREFIX}{UPDATE}", content=content, headers=told)


def test_what_is_no_json_is_a_400(served: Served) -> None:
    for content in (b"{", b"\xff\xfe", b'{"temperature": NaN', b"[" * 30_000):
        assert error(send(served, "ann", content)) == (400, "bad_request")


def test_without_a_good_token_it_is_a_401_that_says_how(served: Served) -> None:
    for header in ("", "Bearer", "Bearer x", "Basic YTpi", f"Bearer {served.tokens['ann']}x", "Bearer kz_é_x"):
        answer = served.client.get(f"{PREFIX}/me", headers={"Authorization": header.encode()})
        assert error(answer) == (401, "not_signed_in")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_revoked_or_expired_token_is_a_401_at_once(served: Served) -> None:
    from serving.access import revoke_token

    with served.service.store.writing() as connection:
        revoke_token(connection, served.tokens["bob"].split("_")[1], NINE)
    assert error(served.get("bob", "/me")) == (401, "not_signed_in")
    served.clock.now = NINE + timedelta(days=90)
    assert error(served.get("ann", "/me")) == (401, "not_signed_in")


def test_without_the_right_it_is_a_403(served: Served) -> None:
    assert error(served.post("viewer", UPDATE, GOOD)) == (403, "not_allowed")


def test_what_is_not_there_is_a_404_and_a_wrong_method_a_405(served: Served) -> None:
    assert error(served.get("ann", "/customers/nobody")) == (404, "not_found")
    assert error(served.get("ann", "/nowhere")) == (404, "not_found")
    assert error(served.get("ann", "/lists/purple")) == (404, "no_such_list")
    assert error(served.client.delete(f"{PREFIX}/me")) == (405, "no_such_method")
    assert error(served.client.options(f"{PREFIX}/me", headers={"Origin": "http://evil"})) == (405, "no_such_method")


def test_what_contradicts_what_is_there_is_a_409(served: Served) -> None:
    assert error(served.post("ann", "/episodes/e-K-AOKI/start", {"version": 1})) == (409, "conflict")


def test_what_cannot_be_is_a_422_that_says_where_and_repeats_nothing(served: Served) -> None:
    answer = served.post("ann", UPDATE, {"temperature": "very secret words", "risk": "low"})
    assert error(answer) == (422, "invalid")
    assert answer.json()["error"]["details"][0]["where"] == "body.temperature"
    assert "secret" not in answer.text
    for path in ("/customers?limit=201", "/customers?limit=0", "/customers?offset=-1", "/customers?where=x"):
        assert error(served.get("ann", path)) == (422, "invalid")
    for path in ("/customers?where=colour=red", "/lists/red?sort=colour", "/customers?column=colour"):
        assert error(served.get("ann", path)) == (422, "invalid")
    assert error(served.get("ann", "/customers?q=%00")) == (422, "invalid")
    assert error(served.get("ann", "/customers/%00/profile")) == (422, "invalid")


def test_a_body_that_is_too_large_is_a_413_whether_its_length_is_told_or_not(served: Served) -> None:
    assert error(send(served, "ann", b" " * (BODY_BYTES + 1))) == (413, "too_large")
    headers = {**served.headers("ann"), "Idempotency-Key": "key-of-a-test", "Content-Type": "application/json"}
    pieces = (b" " * 10_000 for _ in range(8))
    assert error(served.client.post(f"{PREFIX}{UPDATE}", content=pieces, headers=headers)) == (413, "too_large")
    padded = json.dumps(GOOD).encode() + b" " * (BODY_BYTES - len(json.dumps(GOOD)))
    assert send(served, "ann", padded).status_code == 200, "the largest body that may be"


def test_whoever_asks_too_often_is_told_to_wait_a_minute(served: Served) -> None:
    object.__setattr__(served.service, "requests", Ration(served.clock, 3))
    assert [served.get("ann", "/me").status_code for _ in range(3)] == [200, 200, 200]
    answer = served.get("ann", "/me")
    assert error(answer) == (429, "too_many")
    assert answer.headers["Retry-After"] == "60"
    assert served.get("bob", "/me").status_code == 200, "a ration is each token's own"
    served.clock.now = NINE + timedelta(minutes=1)
    assert served.get("ann", "/me").status_code == 200


def test_whoever_guesses_tokens_is_stopped_and_whoever_has_one_is_not(served: Served) -> None:
    object.__setattr__(served.service, "attempts", Ration(served.clock, 3))
    guess = {"Authorization": "Bearer guess"}
    found = [error(served.client.get(f"{PREFIX}/me", headers=guess))[0] for _ in range(4)]
    assert found == [401, 401, 401, 429]
    assert served.get("ann", "/me").status_code == 200
    served.clock.now = NINE + timedelta(minutes=1)
    assert error(served.client.get(f"{PREFIX}/me", headers=guess)) == (401, "not_signed_in")


def test_a_fault_of_ours_is_a_500_with_a_reference_and_no_word_of_what_it_was(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    object.__setattr__(served.service, "accounts", None)  # a fault of ours: there is nothing to ask
    with caplog.at_level(logging.INFO, "kizashi.api"):
        answer = served.get("ann", "/customers/K-AOKI/brief?q=a+customers+name")
    assert error(answer) == (500, "fault")
    reference = answer.json()["error"]["details"][0]["reference"]
    assert answer.headers["X-Request-Id"] == reference
    assert "NoneType" not in answer.text
    assert f"{reference} AttributeError at " in caplog.text
    assert "a+customers+name" not in caplog.text
    assert served.tokens["ann"] not in caplog.text


def test_without_a_published_day_or_its_events_it_is_a_503(served: Served, tmp_path: Any) -> None:
    object.__setattr__(served.service.accounts, "folder", tmp_path / "nowhere")
    answer = served.get("ann", "/customers/K-AOKI/profile")
    assert error(answer) == (503, "no_events")
    assert str(tmp_path) not in answer.text
    assert served.get("ann", "/lists/red").status_code == 200, "lists need no events"
    with Store.open(f"sqlite:///{tmp_path / 'empty.db'}") as store:
        many = dict.fromkeys(("requests", "attempts"), served.service.requests)
        empty = Service.of(store, served.clock, UTC, served.service.accounts, **many)
        with store.writing() as connection:
            served.tokens["ann"] = create_token(connection, "ann", "rep", owner="Ann", now=served.clock(), days=1)[1]
        served.app.state.service = empty
        assert error(served.get("ann", "/customers")) == (503, "nothing_published")
        told = served.get("", "/health").json()
    assert (told["status"], told["as_of"]) == ("no_data", None)


def test_a_database_that_does_not_answer_is_a_503_that_does_not_say_where_it_is(served: Served, tmp_path: Any) -> None:
    with served.service.store.writing() as connection:
        connection.exec_driver_sql("DROP TABLE feedback")
    answer = served.get("admin", "/feedback")
    assert error(answer) == (503, "not_ready")
    assert str(tmp_path) not in answer.text
    assert "feedback" not in answer.text


@pytest.mark.parametrize("path", ["/health", "/me", "/nowhere", "/openapi.json"])
def test_every_answer_bears_the_headers_that_protect(served: Served, path: str) -> None:
    answer = served.get("", path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert not [name for name in answer.headers if name.startswith("access-control")], "no other page may read it"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True),
        ("LOCALHOST:8640", True),
        ("127.0.0.1:8640", True),
        ("[::1]:8640", True),
        ("[::1]", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("localhost@evil.example", False),
        ("127.0.0.1.nip.io", False),
        ("", False),
    ],
)
def test_a_name_that_the_service_is_not_called_by_is_refused(served: Served, host: str, known: bool) -> None:
    answer = served.client.get(f"{PREFIX}/health", headers={"Host": host})
    if known:
        assert answer.status_code == 200
    else:
        assert error(answer) == (400, "unknown_host")


def test_the_health_of_the_service_holds_no_secret_and_tells_of_notices_that_are_dead(served: Served) -> None:
    from serving.day_records import Notice
    from serving.outbox import enqueue

    told = served.get("", "/health").json()
    assert told == {
        "status": "ok",
        "version": told["version"],
        "as_of": "2024-07-01",
        "published_at": "2024-07-01T09:00:00+00:00",
        "dead_notices": 0,
    }
    store = served.service.store
    with store.writing() as connection:
        enqueue(connection, [Notice("Ann", "digest", NINE.date(), {"rows": 1})], NINE)
    (leased,) = store.outbox.lease("me", 60, NINE)
    store.outbox.failed(leased.dedupe_key, "me", "no such address", NINE, final=True)
    assert served.get("", "/health").json()["status"] == "notices_dead"
    (row,) = served.get("manager", "/notices", state="dead").json()["items"]
    assert (row["recipient"], row["error"]) == ("Ann", "no such address")
    assert "payload" not in row


def test_the_log_has_a_line_for_a_request_without_its_token_or_its_query(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "kizashi.api"):
        served.get("ann", "/customers", q="Aoki")
    line = next(record.getMessage() for record in caplog.records if "/customers" in record.getMessage())
    assert re.fullmatch(r"[0-9a-f]{12} GET /api/v1/customers 200 \d+ ms", line)
    assert served.tokens["ann"] not in caplog.text
