"""Who may call what: every route by every role, and nothing of another owner's customers through any of them."""

from itertools import chain
from pathlib import Path

import pytest
from served import Served

from serving import api, api_company, api_customers, api_lists, api_loop, api_story
from serving.api import PREFIX
from serving.api_data import NAMES

pytest_plugins = ["served_company"]

EVERYBODY = {"viewer", "ann", "manager", "admin"}
OVERSEERS = {"viewer", "manager", "admin"}
ACTORS = {"ann", "manager", "admin"}
LEADERS = {"manager", "admin"}
ADMIN = {"admin"}

#: Who may call each route; None: whoever asks.
ALLOWED: dict[str, set[str] | None] = {
    "GET /health": None,
    **dict.fromkeys(
        (
            "GET /me", "GET /scores", "GET /reasons", "GET /lists", "GET /lists/{name}", "GET /morning",
            "GET /customers", "GET /customers/{customer_id}", "GET /customers/{customer_id}/profile",
            "GET /customers/{customer_id}/brief", "GET /customers/{customer_id}/chain",
            "GET /customers/{customer_id}/timeline", "GET /customers/{customer_id}/health",
            "GET /customers/{customer_id}/signals", "GET /customers/{customer_id}/history",
            "GET /episodes", "GET /episodes/{episode_id}", "GET /episodes/{episode_id}/plays",
            "GET /tasks", "GET /tasks/{task_id}", "GET /outcomes", "GET /reviews", "GET /feedback", "GET /exposures",
            "GET /runs", "GET /plays", "GET /knowledge", "GET /changes",
            "GET /customers/{customer_id}/story", "POST /customers/{customer_id}/what-if",
        ),
        EVERYBODY,
    ),
    **dict.fromkeys(
        ("GET /reports", "GET /reports/{name}", "GET /notices", "GET /settings"), OVERSEERS
    ),
    **dict.fromkeys(
        (
            "GET /exports/{name}",
            "POST /customers/{customer_id}/update", "POST /customers/{customer_id}/next-action",
            "POST /customers/{customer_id}/decision", "POST /customers/{customer_id}/review",
            "POST /episodes/{episode_id}/acknowledge", "POST /episodes/{episode_id}/plan",
            "POST /episodes/{episode_id}/start", "POST /episodes/{episode_id}/evaluate",
            "POST /episodes/{episode_id}/learn", "POST /episodes/{episode_id}/feedback",
            "POST /episodes/{episode_id}/exposures", "POST /episodes/{episode_id}/outcome",
            "POST /tasks/{task_id}/done", "POST /tasks/{task_id}/waive", "POST /tasks/{task_id}/snooze",
        ),
        ACTORS,
    ),
    **dict.fromkeys(
        ("POST /customers/{customer_id}/reviewed", "POST /customers/{customer_id}/hand-over"), LEADERS
    ),
    "POST /settings/{name}": ADMIN,
    "GET /ledger": ADMIN,
}  # fmt: skip

BODIES = {
    "update": {"temperature": "hot", "risk": "low"},
    "next-action": {"next_action_on": "2024-07-09"},
    "decision": {"visit": True, "reason": "they asked"},
    "review": {"lost_on": "2024-06-01", "cause": "price"},
    "hand-over": {"to_owner": "Zoe"},
    "what-if": {"ordered_on": "2024-07-09"},
    "plan": {"version": 1, "note": "call"},
    "evaluate": {"version": 1, "result": "kept"},
    "learn": {"version": 1, "lesson": "ask early"},
    "feedback": {"verdict": "true"},
    "exposures": {"kind": "opened"},
    "outcome": {"version": 0, "approach": "visit", "why": "budget", "result": "kept"},
    "waive": {"version": 1, "reason": "closed for the summer"},
    "snooze": {"version": 1, "until": "2024-07-09"},
    "{name}": {"version": 0, "value": 2},
}
NAMED = {"lists": "red", "exports": "red", "reports": "track_record", "settings": "late_order_multiple"}


def routes() -> list[str]:
    """Every route of the application, as method and path."""
    modules = (api_lists, api_story, api_customers, api_loop, api_company)
    routers = (api.open_to_all, *(module.router for module in modules))
    found = chain.from_iterable(router.routes for router in routers)
    return [f"{method} {route.path.replace(':path', '')}" for route in found for method in sorted(route.methods)]


def call(served: Served, who: str, route: str, customer: str = "K-AOKI") -> int:
    """Call a route with good values; the status."""
    method, path = route.split(" ")
    name = NAMED.get(path.split("/")[1], "")
    filled = path.replace("{name}", name).replace("{customer_id}", customer)
    filled = filled.replace("{episode_id}", f"e-{customer}").replace("{task_id}", f"t-{customer}")
    if method == "GET":
        return int(served.get(who, filled).status_code)
    return int(served.post(who, filled, BODIES.get(path.rsplit("/", 1)[1], {"version": 1})).status_code)


def test_every_route_says_who_may_call_it_and_none_is_hidden(served: Served) -> None:
    assert sorted(routes()) == sorted(ALLOWED)
    document = served.client.get(f"{PREFIX}/openapi.json").json()["paths"]
    told = [f"{method.upper()} {path}" for path, methods in document.items() for method in methods]
    assert sorted(told) == sorted(f"{one.split(' ')[0]} {PREFIX}{one.split(' ')[1]}" for one in ALLOWED)


@pytest.mark.parametrize("who", ["viewer", "ann", "manager", "admin"])
def test_each_role_may_call_its_routes_and_no_other(served: Served, who: str) -> None:
    for route, allowed in ALLOWED.items():
        status = call(served, who, route)
        if allowed is None or who in allowed:
            assert status in (200, 409), (route, who, status)
        else:
            assert status == 403, (route, who, status)


def test_without_a_token_nothing_but_health_is_told(served: Served) -> None:
    for route, allowed in ALLOWED.items():
        assert call(served, "", route) == (200 if allowed is None else 401), route


def test_a_refused_call_changes_nothing(served: Served) -> None:
    before = served.events()
    for route, allowed in ALLOWED.items():
        if route.startswith("POST"):
            for who in {"viewer", "ann", "manager"} - (allowed or set()):
                call(served, who, route)
            call(served, "", route)
    assert served.events() == before


OF_ONE = [route for route in ALLOWED if "_id}" in route]


@pytest.mark.parametrize("customer", ["K-BOLT", "K/CORD", "nobody"])
def test_another_owners_customer_warning_or_task_is_not_there(served: Served, customer: str) -> None:
    before = served.events()
    for route in OF_ONE:
        if "ann" in (ALLOWED[route] or set()):
            assert call(served, "ann", route, customer) == 404, route
    assert served.events() == before


def test_ones_own_customer_is_there(served: Served) -> None:
    for route in OF_ONE:
        if "ann" in (ALLOWED[route] or set()):
            assert call(served, "ann", route) in (200, 409), route


def test_no_list_page_or_file_tells_of_another_owners_customer(served: Served) -> None:
    """Names, ids and warnings of Ann's customer appear in nothing that Bob can read."""
    for key in ("feedback", "exposures", "outcome"):
        served.post("ann", f"/episodes/e-K-AOKI/{key}", BODIES[key])
    served.post("ann", "/customers/K-AOKI/review", BODIES["review"])
    plain = {route.split(" ")[1] for route in ALLOWED if route.startswith("GET") and "{" not in route}
    paths = [*plain - {"/health"}, *(f"/lists/{name}" for name in NAMES), "/exports/red", "/exports/leadership"]
    assert [path for path in paths if "AOKI" in served.get("bob", path).text.upper()] == []
    of_loop = {"/episodes", "/tasks", "/outcomes", "/reviews", "/feedback", "/exposures", "/knowledge"}
    of_day = {"/scores", "/reasons", "/customers", "/morning", "/lists/red", "/exports/red"}
    assert [path for path in of_loop | of_day if "AOKI" not in served.get("ann", path).text.upper()] == []
    asked = {path: served.get("bob", path, customer_id="K-AOKI").json()["total"] for path in (of_loop | {"/reasons"})}
    assert set(asked.values()) == {0}


def test_a_customer_without_owner_is_seen_by_those_who_see_all(served: Served) -> None:
    assert served.get("viewer", "/customers/K/CORD").status_code == 200
    assert served.get("bob", "/customers/K/CORD").status_code == 404


def test_a_task_that_was_given_to_somebody_is_theirs_to_see(served: Served) -> None:
    moved = served.post("manager", "/customers/K-AOKI/hand-over", {"to_owner": "Bob"})
    assert moved.json()["tasks"] == ["t-K-AOKI"]
    assert served.get("bob", "/tasks/t-K-AOKI").status_code == 200
    assert served.get("bob", "/customers/K-AOKI").status_code == 200, "the account went with it"
    assert served.get("ann", "/customers/K-AOKI").status_code == 404
    assert served.get("bob", "/lists/red").json()["total"] == 1


def test_the_page_of_the_service_names_every_address() -> None:
    page = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    assert [route for route in ALLOWED if f"`{route}`" not in page] == []
