"""What people enter: the 30-second update, the six steps, tasks, outcomes; once, in order, and never over another's."""

from datetime import date, timedelta
from typing import Any, get_args

import pytest
from served import DAY, NINE, Served

from features.contract import RISKS, TEMPERATURES
from serving import api_models, loop, outcomes

pytest_plugins = ["served_company"]

UPDATE = {"temperature": "cold", "risk": "urgent"}


def error(answer: Any) -> tuple[int, str]:
    told = answer.json()["error"]
    assert set(told) == {"code", "message", "details"}
    assert told["message"]
    return answer.status_code, told["code"]


def lists_of(served: Served, customer: str) -> set[str]:
    found = served.get("admin", "/morning").json()["lists"]
    return {name for name, rows in found.items() if customer in [row["customer_id"] for row in rows]}


def test_wf_10_one_post_with_two_choices_updates_all_three_fields(served: Served) -> None:
    answer = served.post("bob", "/customers/K-BOLT/update", UPDATE)
    assert answer.status_code == 200, answer.text
    entered = served.get("bob", "/customers/K-BOLT").json()["entered"]
    assert (entered["last_contact_on"], entered["temperature"], entered["risk"]) == ("2024-07-01", "cold", "urgent")
    assert (entered["updated_by"], entered["version"]) == ("bob", 1)


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": "tepid", "risk": "low"},
        {"temperature": "hot", "risk": "none"},
        {"temperature": "hot"},
        {"risk": "low"},
        {"temperature": "hot", "risk": "low", "mood": "good"},
        {"temperature": None, "risk": "low"},
        [],
    ],
)
def test_wf_10_an_invalid_choice_is_rejected_and_nothing_is_written(served: Served, body: Any) -> None:
    before = served.events()
    assert error(served.post("bob", "/customers/K-BOLT/update", body)) == (422, "invalid")
    assert served.events() == before


@pytest.mark.parametrize(("days", "status"), [(-1, 200), (0, 200), (1, 422)])
def test_wf_10_the_day_of_a_contact_is_today_or_before(served: Served, days: int, status: int) -> None:
    body = {**UPDATE, "contacted_on": str(DAY + timedelta(days=days))}
    assert served.post("bob", "/customers/K-BOLT/update", body).status_code == status


def test_wf_11_the_lists_reflect_an_update_at_once(served: Served) -> None:
    assert lists_of(served, "K-BOLT") == set()
    answer = served.post("bob", "/customers/K-BOLT/update", UPDATE).json()
    assert set(answer["lists"]) == {"red", "yellow"}, "why it belongs there; it stands on the louder one"
    assert answer["lists"]["red"][0]["code"] == "stated_risk"
    assert lists_of(served, "K-BOLT") == {"red"}
    served.post("bob", "/customers/K-BOLT/update", {"temperature": "cool", "risk": "low"})
    assert lists_of(served, "K-BOLT") == {"yellow"}
    served.post("bob", "/customers/K-BOLT/update", {"temperature": "hot", "risk": "low"})
    assert lists_of(served, "K-BOLT") == set()


def test_wf_11_a_next_action_puts_a_customer_on_the_blue_list_and_null_takes_it_away(served: Served) -> None:
    planned = {"next_action_on": "2024-07-03", "next_action_text": "call about the drawings"}
    assert served.post("bob", "/customers/K-BOLT/next-action", planned).status_code == 200
    assert lists_of(served, "K-BOLT") == {"blue"}
    assert served.post("bob", "/customers/K-BOLT/update", {"temperature": "hot", "risk": "low"}).status_code == 200
    entered = served.get("bob", "/customers/K-BOLT").json()["entered"]
    assert entered["next_action_text"] == planned["next_action_text"], "an update that does not tell of it leaves it"
    assert served.post("bob", "/customers/K-BOLT/next-action", {"next_action_on": None}).status_code == 200
    assert lists_of(served, "K-BOLT") == set()


def test_cl_01_a_warning_goes_through_all_six_steps_in_order(served: Served) -> None:
    steps: list[tuple[str, dict[str, Any]]] = [
        ("acknowledge", {}),
        ("plan", {"plays": ["inventory_plan"], "note": "call first"}),
        ("start", {}),
        ("evaluate", {"result": "restarted"}),
        ("learn", {"lesson": "ask about stock in spring"}),
    ]
    for version, (step, body) in enumerate(steps, start=1):
        answer = served.post("ann", f"/episodes/e-K-AOKI/{step}", {"version": version, **body})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["step"], answer.json()["version"]) == (loop.STEPS[version], version + 1)
    history = served.get("ann", "/episodes/e-K-AOKI").json()["history"]
    moved = [(one["actor"], one["payload"]["step"]) for one in history if one["kind"] == "step_moved"]
    assert moved == [("ann", step) for step in loop.STEPS[1:]]


def test_cl_01_a_jump_is_refused_and_says_which_step_is_next(served: Served) -> None:
    answer = served.post("ann", "/episodes/e-K-AOKI/evaluate", {"version": 1, "result": "kept"})
    assert error(answer) == (409, "conflict")
    assert "'acknowledged'" in answer.json()["error"]["message"]


def test_a_move_of_what_somebody_else_has_changed_is_refused(served: Served) -> None:
    assert served.post("manager", "/episodes/e-K-AOKI/acknowledge", {"version": 1}).status_code == 200
    assert error(served.post("ann", "/episodes/e-K-AOKI/acknowledge", {"version": 1})) == (409, "stale")
    served.post("bob", "/customers/K-BOLT/update", {**UPDATE, "version": 0})
    assert error(served.post("bob", "/customers/K-BOLT/update", {**UPDATE, "version": 0})) == (409, "stale")
    assert served.post("bob", "/customers/K-BOLT/update", {**UPDATE, "version": 1}).status_code == 200


def test_the_same_request_twice_is_done_once_and_answered_the_same(served: Served) -> None:
    before = served.events()
    body = {"visit": True, "reason": "asked"}
    first, second = (served.post("bob", "/customers/K-BOLT/decision", body, "double-click") for _ in "12")
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.status_code == 200
    assert served.events() == before + 1


@pytest.mark.parametrize(
    ("path", "reason"), [("/customers/K-BOLT/decision", "other words"), ("/customers/K-AOKI/decision", "asked")]
)
def test_a_key_that_comes_with_another_request_is_refused(served: Served, path: str, reason: str) -> None:
    served.post("manager", "/customers/K-BOLT/decision", {"visit": True, "reason": "asked"}, "used-before")
    answer = served.post("manager", path, {"visit": True, "reason": reason}, "used-before")
    assert error(answer) == (409, "key_reused")


def test_a_key_is_the_callers_own(served: Served) -> None:
    body = {"visit": True, "reason": "asked"}
    before = served.events()
    for who in ("bob", "manager"):
        assert served.post(who, "/customers/K-BOLT/decision", body, "the-same-key").status_code == 200
    assert served.events() == before + 2


@pytest.mark.parametrize(("hours", "times"), [(23, 1), (24, 1), (25, 2)])
def test_a_key_is_remembered_for_a_day(served: Served, hours: int, times: int) -> None:
    before = served.events()
    body = {"visit": True, "reason": "asked"}
    served.post("bob", "/customers/K-BOLT/decision", body, "much-later")
    served.clock.now = NINE + timedelta(hours=hours)
    served.post("bob", "/customers/K-BOLT/decision", body, "much-later")
    assert served.events() == before + times


def test_a_refused_request_may_come_again_with_its_key(served: Served) -> None:
    body = {"version": 2, "note": "call"}
    assert served.post("ann", "/episodes/e-K-AOKI/plan", body, "plan-it-now").status_code == 409
    assert served.post("ann", "/episodes/e-K-AOKI/acknowledge", {"version": 1}).status_code == 200
    assert served.post("ann", "/episodes/e-K-AOKI/plan", body, "plan-it-now").status_code == 200


@pytest.mark.parametrize("key", ["", "short", "with blanks in it", "x" * 101, "tab\there"])
def test_a_change_without_a_good_key_is_refused(served: Served, key: str) -> None:
    headers = {**served.headers("bob"), "Idempotency-Key": key}
    answer = served.client.post("/api/v1/customers/K-BOLT/update", headers=headers, json=UPDATE)
    assert error(answer) == (422, "invalid")


def test_a_task_sleeps_comes_back_and_ends(served: Served) -> None:
    assert served.post("ann", "/tasks/t-K-AOKI/snooze", {"version": 1, "until": "2024-07-05"}).status_code == 200
    assert served.get("ann", "/tasks").json()["total"] == 0
    assert served.get("ann", "/tasks", asleep=True).json()["total"] == 1
    served.clock.now = NINE + timedelta(days=4)
    (task,) = served.get("ann", "/tasks").json()["items"]
    assert task["title"] == "[To check] Aoki Works's order is late"
    done = {"version": task["version"], "result": {"note": "they wait for a budget"}, "contacted_on": "2024-07-05"}
    assert served.post("ann", "/tasks/t-K-AOKI/done", done).json()["state"] == "done"
    told = served.get("ann", "/customers/K-AOKI").json()
    assert told["entered"]["last_contact_on"] == "2024-07-05"
    assert told["episodes"][0]["treated_at"] is not None
    assert error(served.post("ann", "/tasks/t-K-AOKI/waive", {"version": 3, "reason": "late"})) == (409, "conflict")


def test_a_task_does_not_end_with_a_contact_of_tomorrow(served: Served) -> None:
    done = {"version": 1, "contacted_on": str(DAY + timedelta(days=1))}
    assert error(served.post("ann", "/tasks/t-K-AOKI/done", done)) == (422, "invalid")


def test_cl_02_a_final_record_is_there_to_be_read_and_not_to_be_changed(served: Served) -> None:
    body = {"version": 0, "approach": "visit", "why": "budget", "result": "restarted"}
    assert served.post("ann", "/episodes/e-K-AOKI/outcome", body).json()["detected_level"] == "orange"
    (row,) = served.get("ann", "/outcomes", state="final").json()["items"]
    assert (row["approach"], row["why"], row["author"]) == ("visit", "budget", "ann")
    assert error(served.post("ann", "/episodes/e-K-AOKI/outcome", {**body, "version": 1})) == (409, "conflict")


def test_cl_09_feedback_is_kept_by_author(served: Served) -> None:
    for who, verdict in (("ann", "false"), ("manager", "true"), ("ann", "known")):
        assert served.post(who, "/episodes/e-K-AOKI/feedback", {"verdict": verdict}).status_code == 200
    kept = {row["author"]: row["verdict"] for row in served.get("admin", "/feedback").json()["items"]}
    assert kept == {"ann": "known", "manager": "true"}


def test_lv_13_marking_a_customer_as_reviewed_stores_who_and_when(served: Served) -> None:
    def row() -> dict[str, Any]:
        items: list[dict[str, Any]] = served.get("manager", "/lists/risk_list").json()["items"]
        return next(one for one in items if one["customer_id"] == "K-AOKI")

    assert row()["review_overdue"] is True
    assert served.post("manager", "/customers/K-AOKI/reviewed").status_code == 200
    told = row()
    assert (told["reviewed_by"], told["review_overdue"]) == ("manager", False)
    assert told["reviewed_at"].startswith("2024-07-01T09:00")


def test_op_03_a_hand_over_takes_the_four_parts_of_a_brief_along(served: Served) -> None:
    told = served.post("manager", "/customers/K-AOKI/hand-over", {"to_owner": "Bob"}).json()
    assert set(told["brief"]) == set(loop.BRIEF)
    assert told["brief"]["temperature"] == "warm"
    assert [one["kind"] for one in told["brief"]["history"]] == ["order", "order", "order", "visit"]


def test_a_setting_is_checked_versioned_and_kept_in_the_ledger(served: Served) -> None:
    path = "/settings/late_order_multiple"
    assert error(served.post("admin", path, {"version": 0, "value": "many"})) == (422, "invalid")
    assert served.post("admin", path, {"version": 0, "value": 1.8}).json()["value"] == 1.8
    assert error(served.post("admin", path, {"version": 0, "value": 2})) == (409, "stale")
    assert error(served.post("admin", "/settings/colour", {"version": 0, "value": 2})) == (404, "no_such_setting")
    rows = served.get("admin", "/settings").json()["items"]
    (row,) = (one for one in rows if one["name"] == "late_order_multiple")
    assert (row["value"], row["version"], row["author"]) == (1.8, 1, "admin")
    assert served.service.store.history(kinds=["setting_changed"])[0].event.actor == "admin"


@pytest.mark.parametrize(("days", "silent"), [(28, 2), (29, 2), (30, 1), (31, 0)])
def test_lv_02_a_changed_number_of_days_shows_in_the_next_list(served: Served, days: int, silent: int) -> None:
    """Ann's customer was last contacted 30 days ago, Bob's 29."""
    assert served.post("admin", "/settings/lists.silent_days", {"version": 0, "value": days}).status_code == 200
    rows = served.get("viewer", "/lists/silent_by_owner").json()["items"]
    assert sum(row["silent"] for row in rows) == silent


@pytest.mark.parametrize("value", [-1, 7, 1.5, True, "1", None, [1]])
def test_a_setting_of_the_lists_is_a_whole_number_within_its_bounds(served: Served, value: Any) -> None:
    answer = served.post("admin", "/settings/lists.week_ends", {"version": 0, "value": value})
    assert error(answer) == (422, "invalid")


def test_everything_that_was_entered_is_in_a_whole_ledger(served: Served) -> None:
    served.post("bob", "/customers/K-BOLT/update", UPDATE)
    assert served.get("admin", "/ledger").json() == {"events": 6, "broken_at": None, "whole": True}
    (treated, entered, *_) = served.get("bob", "/customers/K-BOLT/history").json()["items"]
    assert [one["kind"] for one in (treated, entered)] == ["exposed", "account_updated"]
    assert (entered["actor"], entered["at"]) == ("bob", "2024-07-01T09:00:00+00:00")


def test_the_choices_of_the_api_are_those_of_the_loop() -> None:
    pairs = {
        api_models.Temperature: TEMPERATURES,
        api_models.Risk: RISKS,
        api_models.Result: outcomes.RESULTS,
        api_models.Approach: outcomes.APPROACHES,
        api_models.Why: outcomes.WHYS,
        api_models.Cause: outcomes.CAUSES,
        api_models.Verdict: loop.VERDICTS,
        api_models.ExposureKind: loop.EXPOSURES,
    }
    for choices, known in pairs.items():
        assert get_args(choices) == tuple(known)


def test_today_is_the_day_of_the_companys_zone(served: Served) -> None:
    assert served.get("viewer", "/me").json()["today"] == str(date(2024, 7, 1))
