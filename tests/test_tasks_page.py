"""Tasks: by when they are due, one click where nothing has to be told, all that an end needs, and nobody else's."""

import csv
import io
import re
from datetime import date, timedelta
from typing import Any
from zipfile import ZipFile

import pytest
from paged import Paged, words_of
from served import DAY, NINE, SYSTEM, Served

from models.warning_rule_list import WARNING_RULES
from serving.ledger import Event, append
from serving.task_kinds import KINDS, TEAMS
from serving.words.choices import CHOICES
from serving.words.columns import FACTS
from serving.words.speech import LANGUAGES
from serving.words.task_words import KIND_NAMES, NEEDS

pytest_plugins = ["served_company"]

EVIDENCE = {"amount_30d": 100.0, "amount_30d_before": 900.0, "revenue_drop_share_30d": 0.89, "slump_revenue_share": 0.5}


@pytest.fixture
def paged(served: Served) -> Paged:
    return Paged(served)


def task(paged: Paged, task_id: str, customer: str = "K-AOKI", **more: Any) -> None:
    """Another open task, as a run sets it off."""
    kind = KINDS[more.pop("kind", "slump")]
    told = {
        "kind": kind.code, "cause": task_id, "team": "sales", "owner": "Ann", "created_on": DAY,
        "due_on": DAY + timedelta(days=5), "facts": {"name": "Aoki Works"}, "checklist": list(kind.checklist),
        "needs": list(kind.needs), "state": "open", **more,
    }  # fmt: skip
    with paged.served.service.store.writing() as connection:
        append(connection, [Event("task_created", SYSTEM, NINE, told, customer, None, task_id)])


def held(paged: Paged, task_id: str) -> dict[str, Any]:
    rows = paged.served.service.store.tasks().rows
    [row] = rows[rows["task_id"] == task_id].to_dict("records")
    return row


def ledger(paged: Paged, kind: str) -> list[Event]:
    return [told.event for told in paged.served.service.store.history(kinds=[kind])]


def test_lv_18_tasks_stand_by_when_they_are_due_with_their_whole_row(paged: Paged) -> None:
    task(paged, "late", due_on=DAY - timedelta(days=3))
    task(paged, "now", due_on=DAY)
    words = words_of(paged.get("manager", "/tasks"))
    assert "All 4 Overdue 1 Today 1 This week 1 Later 1" not in words  # a task of the other customer is later, too
    assert "All 4 Overdue 1 Today 1 This week 0 Later 2" in words
    for said in (
        "[Slump] Aoki Works buys much less", "3 days late", "Jun 28, 2024", "Ann", "Sales", "Orange",
        "[To check] Bolt [2]'s order is late", "Jul 8, 2024",
    ):  # fmt: skip
        assert said in words, said
    assert words.index("Jun 28, 2024") < words.index("Jul 1, 2024", words.index("Jun 28, 2024")) < words.index("Jul 8")


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("", {"late", "t-K-AOKI", "t-K-BOLT"}), ("due=overdue", {"late"}), ("due=later", {"t-K-AOKI", "t-K-BOLT"}),
        ("due=today", set()), ("owner=Bob", {"t-K-BOLT"}), ("team=service", {"late"}),
        ("kind=order_late", {"t-K-AOKI", "t-K-BOLT"}), ("state=done", set()), ("owner=&team=&kind=", {
            "late", "t-K-AOKI", "t-K-BOLT"
        }),
    ],
)  # fmt: skip
def test_the_tasks_are_cut_as_the_address_says(paged: Paged, asked: str, shown: set[str]) -> None:
    task(paged, "late", team="service", due_on=DAY - timedelta(days=1))
    page = paged.get("manager", f"/tasks?{asked}").text
    assert set(re.findall(r'href="/tasks/([\w-]+)"', page)) == shown


def test_a_rep_begins_with_their_own_tasks_and_never_sees_those_of_others(paged: Paged) -> None:
    task(paged, "service", team="service", owner="Zoe")
    own = paged.get("rep", "/tasks").text
    assert "t-K-AOKI" in own
    assert "/tasks/service" not in own
    everybody = paged.get("rep", "/tasks?owner=").text
    assert "/tasks/service" in everybody
    for page in (own, everybody):
        assert "K-BOLT" not in page
        assert "Bolt" not in page
    assert paged.get("rep", "/tasks/t-K-BOLT").status_code == 404
    assert paged.post("rep", "/tasks/t-K-BOLT/done", {"version": "1"}).status_code == 404
    assert paged.get("rep", "/tasks/service").status_code == 200


def test_a_task_of_ones_own_at_another_customer_leads_to_no_closed_door(paged: Paged) -> None:
    task(paged, "help", customer="K-BOLT", facts={"name": "Bolt [2]"}, kind="case_sales", owner="Ann")
    page = paged.get("rep", "/tasks/help")
    assert "Bolt [2]" in words_of(page)
    assert 'href="/customers/K-BOLT"' not in page.text
    assert 'href="/customers/K-BOLT"' not in paged.get("rep", "/tasks").text


def test_one_click_ends_a_task_once_and_leads_back(paged: Paged) -> None:
    version = held(paged, "t-K-AOKI")["version"]
    page = paged.get("rep", "/tasks?due=later").text
    assert f'name="version" value="{version}" formaction="/tasks/t-K-AOKI/done"' in page
    sent = {"version": str(version), "back": "/tasks?due=later"}
    for _ in range(2):  # the second is the same form again
        answer = paged.post("rep", "/tasks/t-K-AOKI/done", sent, key="the-same-form")
        assert answer.status_code == 303
        assert answer.headers["Location"] == "/tasks?due=later&done=task_done"
    assert held(paged, "t-K-AOKI")["state"] == "done"
    assert held(paged, "t-K-AOKI")["closed_by"] == "rep"
    assert len(ledger(paged, "task_closed")) == 1
    assert "The task is done." in words_of(paged.get("rep", answer.headers["Location"]))


def test_two_tasks_of_one_page_share_the_key_of_its_form(paged: Paged) -> None:
    for name in ("t-K-AOKI", "t-K-BOLT"):
        sent = {"version": str(held(paged, name)["version"])}
        assert paged.post("manager", f"/tasks/{name}/done", sent, key="one-key-of-the-page").status_code == 303
        assert held(paged, name)["state"] == "done"


def test_an_end_without_what_it_needs_is_refused_and_what_was_typed_stays(paged: Paged) -> None:
    task(paged, "why")
    assert 'formaction="/tasks/why/done"' not in paged.get("rep", "/tasks").text
    typed = {"version": "1", "result.note": "They <b>moved</b>", "back": "/tasks?kind=slump"}
    answer = paged.post("rep", "/tasks/why/done", typed)
    assert answer.status_code == 409
    assert "cause" in words_of(answer)
    assert "They &lt;b&gt;moved&lt;/b&gt;" in answer.text
    assert 'name="back" value="/tasks?kind=slump"' in answer.text
    assert held(paged, "why")["state"] == "open"
    answer = paged.post("rep", "/tasks/why/done", {**typed, "result.cause": "price"})
    assert answer.headers["Location"] == "/tasks?kind=slump&done=task_done"
    assert held(paged, "why")["result"] == {"cause": "price", "note": "They <b>moved</b>"}


def test_a_task_that_somebody_else_changed_is_shown_as_it_is_now(paged: Paged) -> None:
    sent = {"version": "1", "until": "2024-07-05"}
    assert paged.post("manager", "/tasks/t-K-AOKI/snooze", sent).status_code == 303
    answer = paged.post("rep", "/tasks/t-K-AOKI/done", {"version": "1", "result.note": "by phone"})
    assert answer.status_code == 409
    words = words_of(answer)
    assert "Put off until Jul 5, 2024" in words
    assert "by phone" in words
    assert held(paged, "t-K-AOKI")["state"] == "open"
    assert 'name="version" value="2"' in answer.text  # so that it can be decided again


def test_a_contact_told_at_the_end_is_kept_with_the_customer(paged: Paged) -> None:
    told = {"version": "1", "contacted_on": "2024-06-30"}
    assert paged.post("rep", "/tasks/t-K-AOKI/done", told).status_code == 303
    entered = paged.served.service.store.account_states("K-AOKI")
    assert entered["last_contact_on"].iloc[0].date() == date(2024, 6, 30)
    answer = paged.post("manager", "/tasks/t-K-BOLT/done", {"version": "1", "contacted_on": "2024-07-02"})
    assert answer.status_code == 422  # a day that has not come


def test_a_task_sleeps_no_longer_than_allowed_and_is_back_on_its_day(paged: Paged) -> None:
    answer = paged.post("rep", "/tasks/t-K-AOKI/snooze", {"version": "1", "until": "2025-07-01"})
    assert answer.status_code == 422
    most = paged.served.service.limits.most_days_asleep
    assert f"A task sleeps for at most {most} days" in words_of(answer)
    assert "2025-07-01" in answer.text
    assert re.search(r"<details open>\s*<summary>Put it off", answer.text)
    sent = {"version": "1", "until": "2024-07-03", "back": "/tasks"}
    assert paged.post("rep", "/tasks/t-K-AOKI/snooze", sent).headers["Location"] == "/tasks?done=task_asleep"
    assert "t-K-AOKI" not in paged.get("rep", "/tasks").text
    assert "Put off until Jul 3, 2024" in words_of(paged.get("rep", "/tasks?asleep=true"))
    paged.served.clock.now += timedelta(days=2)
    assert "t-K-AOKI" in paged.get("rep", "/tasks").text


def test_a_task_is_dropped_for_a_reason_alone(paged: Paged) -> None:
    assert paged.post("rep", "/tasks/t-K-AOKI/waive", {"version": "1", "reason": " "}).status_code == 422
    sent = {"version": "1", "reason": "Sold to us by mistake", "back": "/tasks"}
    assert paged.post("rep", "/tasks/t-K-AOKI/waive", sent).headers["Location"] == "/tasks?done=task_dropped"
    words = words_of(paged.get("rep", "/tasks/t-K-AOKI"))
    assert "Dropped" in words
    assert ", by rep" in words
    assert "Sold to us by mistake" in words
    assert "It is done" not in words
    assert "t-K-AOKI" in paged.get("rep", "/tasks?state=waived").text


def test_whoever_may_only_look_has_no_forms(paged: Paged) -> None:
    for path in ("/tasks", "/tasks/t-K-AOKI"):
        page = paged.get("viewer", path)
        assert page.status_code == 200
        assert "/done" not in page.text
        assert "CSV" not in words_of(page)
    assert paged.post("viewer", "/tasks/t-K-AOKI/done", {"version": "1"}).status_code == 403
    assert paged.get("viewer", "/export/tasks").status_code == 403


def test_a_task_tells_why_it_was_set_off_and_what_belongs_to_it(paged: Paged) -> None:
    facts = {"name": "Aoki Works", "rule": "revenue_slump", "evidence": EVIDENCE, "crossed_on": "2024-06-30"}
    more = {"recipients": ["Ann", "Max"], "missing": ["no_top"], "budget_months": [8]}
    task(paged, "slump", facts={**facts, **more}, case_id="c1")
    task(paged, "other", kind="case_service", owner="Zoe", team="service", case_id="c1")
    words = words_of(paged.get("rep", "/tasks/slump"))
    for said in (
        "Call the customer and ask how things stand", "The revenue of 30 days has slumped", "Fall of revenue 89%",
        "Revenue in the 30 days before 900", "A slump from a fall of 50%", "True since Jun 30, 2024", "Told to: Max",
        "Nobody is named for the top management.", "in the months: 8", "The cause", "Too little attention",
        "look for dissatisfaction and open complaints Open · Zoe",
    ):  # fmt: skip
        assert said.lower() in words.lower(), said
    assert "It belongs to the warning of Jul 1, 2024: ▲ Orange Raised" in words_of(paged.get("rep", "/tasks/t-K-AOKI"))


def test_what_people_changed_is_told_in_their_words(paged: Paged) -> None:
    facts = {"name": "Aoki Works", "old": "warm", "new": "cool", "changed_on": "2024-06-29"}
    task(paged, "colder", kind="temperature_down", facts=facts)
    words = words_of(paged.get("rep", "/tasks/colder"))
    assert "It changed from Warm to Cool." in words
    assert "Changed on Jun 29, 2024" in words


def test_what_a_day_has_no_room_for_is_counted_and_one_click_away(paged: Paged) -> None:
    for number in range(20):
        task(paged, f"more-{number:02}", customer="K-BOLT", kind="case_sales", owner="Bob")
    most = paged.served.service.limits.most_per_person
    page = paged.get("bob", "/tasks")
    assert f"{21 - most} more tasks do not fit" in words_of(page)
    assert len(re.findall(r'formaction="', page.text)) == most
    found = re.search(r'href="(/tasks\?all=[^"]+)"', page.text)
    assert found is not None
    assert len(re.findall(r'formaction="', paged.get("bob", found[1]).text)) == 21


def test_fifty_tasks_stand_on_a_page_and_the_groups_go_on(paged: Paged) -> None:
    for number in range(60):
        task(paged, f"n-{number:02}", kind="case_sales", due_on=DAY + timedelta(days=number))
    first, second = (paged.get("rep", f"/tasks?all=true&page={page}") for page in (1, 2))
    assert len(re.findall(r"<tr data-row", first.text)) == 50
    assert len(re.findall(r"<tr data-row", second.text)) == 11
    assert "51 to 61 of 61" in words_of(second)
    assert len(first.content) < 60_000


def test_planned_contacts_stand_beside_the_tasks(paged: Paged) -> None:
    update = {
        "temperature": "warm",
        "risk": "low",
        "contacted_on": "2024-06-01",
        "next_action_text": "Show the new bolts",
    }
    paged.served.post("manager", "/customers/K-AOKI/update", {**update, "next_action_on": "2024-07-01"})
    words = words_of(paged.get("rep", "/tasks"))
    assert "Contacts planned for today 1" in words
    assert "Show the new bolts" in words
    assert "Show the new bolts" not in words_of(paged.get("bob", "/tasks"))
    assert "Show the new bolts" not in words_of(paged.get("manager", "/tasks?owner=Bob"))


def test_the_file_holds_the_tasks_of_the_page_and_runs_nothing(paged: Paged) -> None:
    task(paged, "evil", facts={"name": '=HYPERLINK("http://x")'}, due_on=DAY)
    shown = re.findall(
        r'formaction="/tasks/([\w-]+)/done"|href="/tasks/([\w-]+)#done"', paged.get("manager", "/tasks").text
    )
    answer = paged.get("manager", "/export/tasks?format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["Task number"] for row in rows] == [one or other for one, other in shown]
    assert rows[0]["Customer"] == '\'=HYPERLINK("http://x")'
    assert rows[0]["Task"].startswith("[Slump] =HYPERLINK")
    book = ZipFile(io.BytesIO(paged.get("manager", "/export/tasks?format=xlsx&owner=Ann").content))
    assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")
    taken = [event.payload for event in ledger(paged, "export_made")]
    assert taken == [{"list": "tasks", "format": "csv", "rows": 3}, {"list": "tasks", "format": "xlsx", "rows": 2}]
    assert paged.get("rep", "/export/tasks").text.count("K-BOLT") == 0


def test_a_task_knows_the_page_that_one_came_from_if_it_is_ours(paged: Paged) -> None:
    for came, back in (
        ("http://localhost/customers/K-AOKI", "/customers/K-AOKI"),
        ("http://localhost/tasks?due=later&page=2", "/tasks?due=later&amp;page=2"),
        ("http://elsewhere/tasks?due=later", "/tasks"),
        ("http://localhost/tasks/t-K-AOKI?lang=ja", "/tasks"),
        ("", "/tasks"),
    ):
        page = paged.get("rep", "/tasks/t-K-AOKI", Referer=came).text
        assert f'name="back" value="{back}"' in page, came


def test_whoever_loads_a_refused_form_again_is_sent_to_the_task(paged: Paged) -> None:
    for act in ("done", "waive", "snooze"):
        answer = paged.get("rep", f"/tasks/t-K-AOKI/{act}")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/tasks/t-K-AOKI")
    assert paged.get("rep", "/tasks?due=someday").status_code == 422
    assert paged.get("rep", "/tasks/nothing").status_code == 404


@pytest.mark.parametrize("locale", LANGUAGES)
def test_tasks_speak_the_readers_language(paged: Paged, locale: str) -> None:
    task(paged, "slump", facts={"name": "Aoki Works", "rule": "revenue_slump", "evidence": EVIDENCE})
    said = {"en": "Fall of revenue 89%", "ja": "売上の減少率 89%", "zh": "销售额跌幅 89%"}[locale]
    assert said in words_of(paged.get("rep", "/tasks/slump", locale))
    late = {"en": "is late", "ja": "発注が遅れています", "zh": "订单迟迟未到"}[locale]
    assert late in words_of(paged.get("rep", "/tasks", locale))


def test_every_kind_every_need_and_every_figure_of_its_rules_has_a_name() -> None:
    assert set(KIND_NAMES) == set(KINDS)
    assert {need for kind in KINDS.values() for need in kind.needs} == set(NEEDS)
    assert set(NEEDS) <= set(CHOICES)
    assert set(TEAMS) == set(CHOICES["team"])
    mine = {rule for kind in KINDS.values() for rule in kind.rules}
    read = {
        word for rule in WARNING_RULES if rule.code in mine for text in rule.texts for word in re.findall(r"\w+", text)
    }
    figures = {word for word in read if "_" in word and word not in ("temperature_alarms", "temperature_fell_days")}
    assert figures <= set(FACTS)
