"""The page of a customer: what it tells, to whom, and the update after a contact, of which nothing typed is lost."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from served import DAY, FACTS, NINE, OWNERS, Served, day, scores
from signed_in import OURS, Person, csrf, form_of, kinds, part, person, plain

from serving.charts import SIGNS
from serving.ledger import SYSTEM, Event, append
from serving.records import REASON_COLUMNS, ScoringRun

pytest_plugins = ["served_company", "signed_in_people"]

HOSTILE = """<script>alert("1")</script> & 'Söhne' \u202e株式会社"""


def published_again(site: Served, **facts: Any) -> None:
    """Another day, a week later, on which K-AOKI is quieter and facts of it are others."""
    later = DAY + timedelta(days=7)
    rows = [(who, OWNERS[who], {**FACTS[who], **(facts if who == "K-AOKI" else {})}) for who in FACTS]
    frames = replace(day(), profiles=pd.DataFrame(rows, columns=["customer_id", "owner", "facts"]))
    reason = ("K-AOKI", 1, "days_since_last_order", "transaction", 82.0, 30.0, None, 2.4, 0.1, "Silent.", "reason",
              "order_rhythm", None)  # fmt: skip
    reasons = pd.DataFrame([reason], columns=list(REASON_COLUMNS))
    run = ScoringRun("run-2", later, "m1", "f2", NINE)
    site.service.store.publish(run, scores(), reasons, day=frames, clock=lambda: NINE)
    site.clock.now = NINE + timedelta(days=7)


# What it tells


def test_the_page_tells_who_it_is_how_it_stands_and_what_can_be_done(ann: Person) -> None:
    page = ann.page("/customers/K-AOKI")
    head = page[page.index("<h1>") : page.index('id="why"')]
    for told in (
        "Aoki Works", "K-AOKI", f"{SIGNS['orange']}</span> Orange", "40%", "Ann", "North", "machinery", "Apr 17, 2024",
        "75 days ago", "30 days", "45 days", "Jun 1, 2024", "Cooling", "900", "450",
    ):  # fmt: skip
        assert told in head or told == "40%", told
    assert "50% (40% to 60%) chance of no order in 45 days" in plain(head)
    assert "Silent 75 days." in part(page, "why")
    assert "since Jul 1, 2024" in part(page, "why")
    assert "[To check] Aoki Works" in part(page, "tasks")
    assert 'href="/tasks/t-K-AOKI"' in part(page, "tasks")
    assert "60" in part(page, "health")
    assert "25%" in part(page, "health")  # from 80 to 60
    assert "This is the first day that was published" in part(page, "change")
    assert len(page.encode()) < 60_000


def test_the_reasons_and_what_is_left_add_up_to_the_score(ann: Person) -> None:
    why = part(ann.page("/customers/K-AOKI"), "why")
    table = why[why.index("<tbody>") : why.index("</tbody>")]
    figures = [float(told.replace("\N{MINUS SIGN}", "-")) for told in re.findall(r'class="number">([^<]+)<', table)]
    base, *steps, total = figures
    assert (base, total) == (-1.0, 1.4)
    assert base + sum(steps) == pytest.approx(total, abs=0.011)
    assert "\N{MINUS SIGN}1.00 for a customer with nothing unusual, +2.40 for what is told here: +1.40 in all." in why
    assert 'role="img"' in why


def test_the_lists_of_a_page_are_those_of_the_api(mia: Person) -> None:
    for customer, address in (("K-AOKI", "K-AOKI"), ("K-BOLT", "K-BOLT"), ("K/CORD", "K%2FCORD")):
        told = mia.served.get("manager", f"/customers/{customer}").json()["lists"]
        page = mia.page(f"/customers/{address}")
        shown = re.findall(r'<li class="on-(\w+)">', page)
        assert shown == [name for name in ("red", "yellow", "blue", "grey") if name in told]
    assert "order" in part(mia.page("/customers/K-AOKI"), "why")


def test_an_order_that_is_late_stands_with_the_rule_and_its_level(ann: Person) -> None:
    assert "level-yellow" in part(ann.page("/customers/K-AOKI"), "why")


def test_the_next_day_tells_what_changed_and_the_health_over_time(site: Served) -> None:
    published_again(site)
    page = person(site, "Ann").page("/customers/K-AOKI")
    assert "The level is the same as on Jul 1, 2024." in part(page, "change")
    assert "Health score over time" in part(page, "health")
    assert "Silent." in part(page, "why")  # published without codes: as it was told then


def test_names_that_mean_harm_are_only_words(site: Served) -> None:
    published_again(site, name=HOSTILE, region='"><img src=x onerror=alert(1)>')
    person_ = person(site, "Ann")
    for path in ("/customers/K-AOKI", "/customers/K-AOKI/account"):
        page = person_.page(path)
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page


def test_a_page_can_be_read_in_japanese_and_chinese(ann: Person) -> None:
    for lang, words_ in (("ja", ("連絡後の更新", "理由", "警告", "未完了のタスク")), ("zh", ("联系后更新", "预警"))):
        for path in ("/customers/K-AOKI", "/customers/K-AOKI/account", "/changes", "/customers/K-AOKI/story"):
            answer = ann.client.get(f"{path}?lang={lang}")
            assert f'<html lang="{lang}"' in answer.text
            if path == "/customers/K-AOKI":
                for told in words_:
                    assert told in answer.text
                left = re.findall(r">([A-Z][a-z]+(?: [a-z]+){2,}[^<]*)<", answer.text)
                # what was published without codes, and what people entered, stays as it is
                assert [told for told in left if "Silent" not in told] == []
    ann.client.cookies.delete("kizashi_language")


# Who may see and do what


def test_the_customer_of_another_owner_is_not_there(ann: Person) -> None:
    for path in ("", "/account", "/story"):
        assert ann.get(f"/customers/K-BOLT{path}").status_code == 404
        assert ann.get(f"/customers/K-NOBODY{path}").status_code == 404
    page = ann.page("/customers/K-AOKI")
    answer = ann.client.post(
        "/customers/K-BOLT/update",
        data={"csrf": csrf(page), "key": uuid4().hex, "temperature": "warm", "risk": "low"},
        headers=OURS,
    )
    assert answer.status_code == 404
    assert "account_updated" not in kinds(ann.served, "K-BOLT")
    assert ann.get("/episodes/e-K-BOLT").status_code == 404


def test_who_may_only_look_is_offered_nothing(site: Served) -> None:
    vic = person(site, "Vic")
    page = vic.page("/customers/K-AOKI")
    assert re.findall(r'action="([^"]+)"', page) == ["/sign-out"]
    sent = {"csrf": csrf(page), "key": uuid4().hex, "temperature": "warm", "risk": "low"}
    assert vic.client.post("/customers/K-AOKI/update", data=sent, headers=OURS).status_code == 403
    assert kinds(site).count("exposed") == 0


def test_that_a_warning_was_opened_is_kept_once_a_person(ann: Person, mia: Person) -> None:
    assert ann.get("/customers/K-AOKI", **{"Sec-Purpose": "prefetch"}).status_code == 200
    assert kinds(ann.served).count("exposed") == 0
    for who in (ann, ann, mia):
        who.page("/customers/K-AOKI")
    seen = [told.event for told in ann.served.service.store.history("K-AOKI", kinds=["exposed"])]
    assert [(event.actor, event.payload["kind"]) for event in seen] == [("Ann", "opened"), ("Mia", "opened")]


def test_without_a_warning_nothing_is_kept(mia: Person) -> None:
    page = mia.page("/customers/K%2FCORD")
    assert "No warning is open." in page
    assert mia.served.service.store.history("K/CORD") == []


# The update after a contact


def test_an_update_says_what_it_changed_and_on_which_lists_the_customer_is_now(ann: Person) -> None:
    page = ann.page("/customers/K-AOKI")
    names = {"red": "Red list", "yellow": "Yellow list"}
    stood = [names[code] for code in re.findall(r'<li class="on-(\w+)">', page)]
    before = [f"Before: {', '.join(stood)}." if stood else "Before: on none of them."]
    answer = ann.send(
        page, "/customers/K-AOKI/update", temperature="cold", risk="urgent", contacted_on="2024-06-30",
        next_action_on="2024-07-04", next_action_text="show the new bolts",
    )  # fmt: skip
    assert (answer.status_code, answer.headers["location"]) == (
        303, "/customers/K-AOKI?done=customer_updated#update",
    )  # fmt: skip
    page = ann.page("/customers/K-AOKI?done=customer_updated")
    told = plain(page)
    assert "The update is kept." in told
    assert "Temperature: Warm → Cold. Risk: Low risk → Urgent. Contact on Jun 30, 2024." in told
    assert "Now on: Red list, Yellow list, Blue list." in told
    assert re.findall(r"Before: [^.]*[.]", told) == before
    assert re.findall(r'<li class="on-(\w+)">', page) == ["red", "yellow", "blue"]
    assert "show the new bolts" in told
    assert 'value="cold" required checked' in page


def test_an_update_ends_the_tasks_that_ask_for_a_contact(ann: Person) -> None:
    task = {
        "kind": "follow_up_a", "cause": "contact_due", "team": "sales", "owner": "Ann", "created_on": DAY,
        "due_on": DAY, "facts": {"name": "Aoki Works"}, "checklist": ["call"], "needs": [], "state": "open",
    }  # fmt: skip
    with ann.served.service.store.writing() as connection:
        append(connection, [Event("task_created", SYSTEM, NINE, task, "K-AOKI", None, "t-contact")])
    page = ann.page("/customers/K-AOKI")
    assert 'href="/tasks/t-contact"' in page
    ann.send(page, "/customers/K-AOKI/update", temperature="warm", risk="low")
    page = ann.page("/customers/K-AOKI?done=customer_updated")
    assert "1 task is done with it." in plain(page)
    assert 'href="/tasks/t-contact"' not in page


def test_a_form_that_is_sent_twice_is_done_once(ann: Person) -> None:
    page = ann.page("/customers/K-AOKI")
    for _again in range(2):
        answer = ann.send(page, "/customers/K-AOKI/update", temperature="cool", risk="high")
        assert answer.status_code == 303
    assert kinds(ann.served).count("account_updated") == 1


def test_who_was_too_late_is_told_so_and_keeps_what_was_typed(ann: Person, mia: Person) -> None:
    old = ann.page("/customers/K-AOKI")
    mia.send(mia.page("/customers/K-AOKI"), "/customers/K-AOKI/update", temperature="hot", risk="low")
    answer = ann.send(
        old, "/customers/K-AOKI/update", temperature="cold", risk="urgent", next_action_text="ask <again>"
    )
    assert answer.status_code == 409
    form = form_of(answer.text, "/customers/K-AOKI/update")
    assert "Somebody else has changed this in the meantime." in answer.text
    assert 'value="cold" required checked' in form
    assert 'value="urgent" required checked' in form
    assert 'value="ask &lt;again&gt;"' in form
    # the page shows what the other one kept, and from it the form can be sent again
    assert ann.send(answer.text, "/customers/K-AOKI/update", temperature="cold", risk="urgent").status_code == 303
    assert kinds(ann.served).count("account_updated") == 2


def test_a_choice_that_is_none_and_a_day_to_come_are_refused(ann: Person) -> None:
    page = ann.page("/customers/K-AOKI")
    wrong = ann.send(page, "/customers/K-AOKI/update", temperature="lukewarm", risk="low", next_action_text="keep me")
    assert wrong.status_code == 422
    assert "Please look at what was entered here: temperature." in plain(wrong.text)
    assert 'value="keep me"' in wrong.text
    ahead = ann.send(page, "/customers/K-AOKI/update", temperature="warm", risk="low", contacted_on="2024-07-02")
    assert ahead.status_code == 422
    assert 'value="2024-07-02"' in ahead.text
    assert "account_updated" not in kinds(ann.served)


def test_what_was_typed_stands_in_its_own_form_alone(ann: Person) -> None:
    page = ann.page("/customers/K-AOKI")
    wrong = ann.send(page, "/customers/K-AOKI/review", lost_on="2024-07-09", cause="price", note="only here")
    assert wrong.status_code == 422
    assert wrong.text.count("only here") == 1
    assert "only here" in form_of(wrong.text, "/customers/K-AOKI/review")


def test_a_form_from_elsewhere_is_refused(ann: Person) -> None:
    page = ann.page("/customers/K-AOKI")
    data = {"csrf": csrf(page), "key": uuid4().hex, "temperature": "warm", "risk": "low"}
    foreign = ann.client.post("/customers/K-AOKI/update", data=data, headers={"Sec-Fetch-Site": "cross-site"})
    without = ann.client.post("/customers/K-AOKI/update", data={**data, "csrf": "x"}, headers=OURS)
    assert (foreign.status_code, without.status_code) == (403, 403)
    assert "account_updated" not in kinds(ann.served)


def test_an_id_with_a_slash_has_its_page_and_its_forms(mia: Person) -> None:
    page = mia.page("/customers/K%2FCORD")
    answer = mia.send(page, "/customers/K%2FCORD/update", temperature="cool", risk="low")
    assert answer.headers["location"] == "/customers/K%2FCORD?done=customer_updated#update"
    assert kinds(mia.served, "K/CORD") == ["account_updated"]
    assert mia.get("/customers/K%2FCORD/account").status_code == 200


def test_the_address_of_a_form_that_was_refused_leads_to_the_customer(ann: Person) -> None:
    for path in ("/customers/K-AOKI/update", "/customers/K-AOKI/hand-over"):
        assert ann.get(path).headers["location"] == "/customers/K-AOKI"
    for path in ("/episodes/e-K-AOKI/plan", "/episodes/e-K-AOKI"):
        assert ann.get(path).headers["location"] == "/customers/K-AOKI#warning"


# All changes


def test_without_a_day_before_there_are_no_changes(ann: Person) -> None:
    assert "This is the first day that was published." in ann.page("/changes")


def test_a_day_on_which_no_level_moved_says_so(site: Served) -> None:
    published_again(site)
    assert "No level has changed since Jul 1, 2024." in person(site, "Ann").page("/changes")
