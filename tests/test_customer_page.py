"""The page of a customer: what it tells, to whom, what can be done on it, and that nothing typed is lost."""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from served import DAY, FACTS, NINE, OWNERS, Served, day, scores
from starlette.testclient import TestClient

from features.contract import ROLES
from features.profiles import FACTS as _  # noqa: F401 - the profile is made of features that are registered with it
from serving.accounts import account_named, add_account
from serving.charts import SIGNS
from serving.loop import STEPS
from serving.pages.customer_parts import lists_of
from serving.records import REASON_COLUMNS, ScoringRun
from serving.sessions import COOKIE, Sessions
from serving.words import account as words
from serving.words.choices import CHOICES, choice_name

pytest_plugins = ["served_company"]

OURS = {"Sec-Fetch-Site": "same-origin"}
PEOPLE = {"Ann": ("rep", "Ann"), "Bob": ("rep", "Bob"), "Mia": ("manager", None), "Vic": ("viewer", None)}
HOSTILE = """<script>alert("1")</script> & 'Söhne' \u202e株式会社"""


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


@pytest.fixture
def site(served: Served) -> Served:
    """The pages, with an account of each role."""
    service = replace(served.service, sessions=Sessions(b"k" * 32, served.clock))
    served.service = served.app.state.service = service
    with service.store.writing() as connection:
        for name, (role, owner) in PEOPLE.items():
            add_account(connection, name, role, owner=owner, language=None, now=served.clock())
    return served


def person(site: Served, name: str) -> Person:
    sessions = site.service.sessions
    assert sessions is not None
    with site.service.store.reading() as connection:
        epoch = account_named(connection, name).epoch
    client = TestClient(site.app, base_url="http://localhost", follow_redirects=False)
    client.cookies.set(COOKIE, sessions.issue(name, epoch))
    return Person(name, site, client)


@pytest.fixture
def ann(site: Served) -> Person:
    return person(site, "Ann")


@pytest.fixture
def mia(site: Served) -> Person:
    return person(site, "Mia")


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def part(page: str, section: str) -> str:
    """One section of a page."""
    found = re.search(rf'<section id="{section}".*?</section>', page, re.DOTALL)
    assert found, f"no section {section}"
    return found[0]


def kinds(site: Served, customer: str = "K-AOKI") -> list[str]:
    return [told.event.kind for told in site.service.store.history(customer)]


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
    published_again(site, name=HOSTILE, region="\"><img src=x onerror=alert(1)>")
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


def csrf(page: str) -> str:
    return str(re.findall(r'name="csrf" value="([^"]+)"', page)[0])


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
    from serving.ledger import SYSTEM, Event, append

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


# The warning


def test_a_warning_goes_its_six_steps_one_form_at_a_time(ann: Person) -> None:
    typed: dict[str, dict[str, Any]] = {
        "acknowledge": {}, "plan": {"plays": ["inventory_plan", "visit"], "note": "on <Monday>"}, "start": {},
        "evaluate": {"result": "kept"}, "learn": {"lesson": "ask early"},
    }  # fmt: skip
    for act, fields in typed.items():
        page = ann.page("/customers/K-AOKI")
        offered = set(re.findall(r'action="/episodes/e-K-AOKI/(\w+)"', page))
        assert offered == {act, "feedback", "outcome"}
        answer = ann.send(page, f"/episodes/e-K-AOKI/{act}", **fields)
        assert answer.status_code == 303, answer.text[-1500:]
        assert answer.headers["location"].endswith("#warning")
    page = part(ann.page("/customers/K-AOKI"), "warning")
    assert set(re.findall(r'action="/episodes/e-K-AOKI/(\w+)"', page)) == {"feedback", "outcome"}
    for told in ("Offer a tailored plan", "on &lt;Monday&gt;", "Was kept", "ask early"):
        assert told in page
    assert page.count('class="done"') == len(STEPS)
    rows = ann.served.service.store.episodes(customer_id="K-AOKI").rows
    assert rows["step"].iloc[0] == "learned"


def test_plays_are_advised_until_the_plan_is_made(ann: Person) -> None:
    page = part(ann.page("/customers/K-AOKI"), "warning")
    assert "Offer a tailored plan for stock and replenishment" in page
    ann.send(ann.page("/customers/K-AOKI"), "/episodes/e-K-AOKI/acknowledge")
    form = form_of(ann.page("/customers/K-AOKI"), "/episodes/e-K-AOKI/plan")
    assert 'value="inventory_plan" checked' in form


def test_an_empty_plan_is_refused_with_a_line(ann: Person) -> None:
    ann.send(ann.page("/customers/K-AOKI"), "/episodes/e-K-AOKI/acknowledge")
    answer = ann.send(ann.page("/customers/K-AOKI"), "/episodes/e-K-AOKI/plan")
    assert answer.status_code == 409
    assert "a plan names at least one play or a note" in plain(answer.text)


def test_ones_word_on_a_warning_is_kept_and_shown(ann: Person) -> None:
    ann.send(ann.page("/customers/K-AOKI"), "/episodes/e-K-AOKI/feedback", verdict="known", note="told by <phone>")
    page = part(ann.page("/customers/K-AOKI"), "warning")
    assert "Known already" in page
    assert "told by &lt;phone&gt;" in page
    assert re.search(r'name="verdict" value="known" required checked', page)


def test_a_record_becomes_final_and_is_not_offered_again(ann: Person) -> None:
    page = ann.page("/customers/K-AOKI")
    wrong = ann.send(page, "/episodes/e-K-AOKI/outcome", approach="visit", why="", result="kept", note="mine")
    assert wrong.status_code == 422
    assert "mine" in form_of(wrong.text, "/episodes/e-K-AOKI/outcome")
    done = ann.send(page, "/episodes/e-K-AOKI/outcome", approach="visit", why="budget", result="kept")
    assert done.status_code == 303
    page = part(ann.page("/customers/K-AOKI"), "warning")
    assert "/outcome" not in page
    assert "Was kept · Visit · The budget" in plain(page)


def test_a_warning_that_is_left_alone_asks_nobody_for_anything(site: Served) -> None:
    from serving.ledger import SYSTEM, Event, append

    warning = {
        "opened_on": DAY, "opened_level": "yellow", "level": "yellow", "highest_level": "yellow", "priority": 9.0,
        "step": "raised", "step_since": NINE, "arm": "holdout", "propensity": 0.9,
    }  # fmt: skip
    with site.service.store.writing() as connection:
        append(connection, [Event("episode_opened", SYSTEM, NINE, warning, "K/CORD", "e-held")])
    page = part(person(site, "Mia").page("/customers/K%2FCORD"), "warning")
    assert "left alone on purpose" in page
    assert "<form" not in page
    assert "exposed" not in kinds(site, "K/CORD")


# More


def test_what_is_done_more_seldom_is_kept_too(ann: Person) -> None:
    page = ann.page("/customers/K-AOKI")
    assert ann.send(page, "/customers/K-AOKI/decision", visit="false", reason="far away").status_code == 303
    assert ann.send(page, "/customers/K-AOKI/review", lost_on="2024-06-30", cause="price").status_code == 303
    planned = ann.send(page, "/customers/K-AOKI/next-action", next_action_on="2024-07-05", next_action_text="call")
    assert planned.status_code == 303
    noted = ann.served.service.store.history("K-AOKI", kinds=["decision_noted"])[0].event.payload
    assert noted == {"decision": "no_visit", "reason": "far away"}
    page = ann.page("/customers/K-AOKI")
    assert 'value="2024-07-05"' in form_of(page, "/customers/K-AOKI/next-action")
    # both fields empty: nothing is planned any more
    ann.send(page, "/customers/K-AOKI/next-action", next_action_on="", next_action_text="")
    assert "Nothing planned" in ann.page("/customers/K-AOKI")
    assert "Send nobody" in ann.page("/customers/K-AOKI/account")
    assert "A lower price elsewhere" in ann.page("/customers/K-AOKI/account")


def test_only_who_leads_hands_over_and_says_that_it_was_looked_at(ann: Person, mia: Person) -> None:
    page = ann.page("/customers/K-AOKI")
    assert "/hand-over" not in page
    assert "/reviewed" not in page
    sent = {"csrf": csrf(page), "key": uuid4().hex, "to_owner": "Bob"}
    assert ann.client.post("/customers/K-AOKI/hand-over", data=sent, headers=OURS).status_code == 403
    page = mia.page("/customers/K-AOKI")
    assert mia.send(page, "/customers/K-AOKI/reviewed").status_code == 303
    assert "Last looked at by Mia" in mia.page("/customers/K-AOKI")
    assert mia.send(page, "/customers/K-AOKI/hand-over", to_owner="Bob").status_code == 303
    assert ann.get("/customers/K-AOKI").status_code == 404
    assert person(ann.served, "Bob").get("/customers/K-AOKI").status_code == 200
    assert "Ann → Bob" in mia.page("/customers/K-AOKI/account")


# The account


def test_the_profile_has_fourteen_items_each_with_a_value_or_why_there_is_none(ann: Person) -> None:
    profile = part(ann.page("/customers/K-AOKI/account"), "profile")
    items = re.findall(r"<div><dt>([^<]+)</dt><dd>(.*?)</dd></div>", profile, re.DOTALL)
    assert [name for name, _ in items] == list(words.ITEMS.values())
    assert len(items) == 14
    assert all(plain(told).strip() for _, told in items)
    told = dict(items)
    assert "No source: the data contract has no table of documents." in told["Files on contacts"]
    assert "Aoki Works" in told["Basic information"]
    assert told["First order"] == "Feb 17, 2024"
    assert told["Sales to date"] == "4,500"


def test_every_role_is_shown_and_one_that_nobody_bears_is_a_gap(ann: Person) -> None:
    people = part(ann.page("/customers/K-AOKI/account"), "people")
    for role in ROLES:
        assert f"<td>{words.ROLES[role]}</td>" in people
        assert f"<b>{words.ROLES[role]}</b>" in people
    assert people.count("Nobody is known") == len(ROLES)
    assert people.count("nobody in this role") == len(ROLES)
    assert "Contacts by role and month" in people


def test_the_timeline_holds_events_and_warnings_and_the_history_says_who_did_what(ann: Person) -> None:
    page = ann.page("/customers/K-AOKI/account")
    timeline = plain(part(page, "timeline"))
    told = timeline[timeline.index("Details") :]
    assert told.index("Warning") < told.index("Visit") < told.index("Apr 17, 2024")
    assert 'role="img"' in part(page, "timeline")
    history = plain(part(page, "history"))
    assert "Kizashi Warning raised" in history
    assert "[To check] Aoki Works" in history
    assert "bolts" in part(page, "clocks")
    assert len(page.encode()) < 60_000


def test_without_the_events_the_account_says_so_and_still_tells_the_history(site: Served) -> None:
    from pipelines.server import AccountFiles

    events = AccountFiles(site.service.accounts.events.parent / "nowhere")  # type: ignore[attr-defined]
    site.app.state.service = site.service = replace(site.service, accounts=events)
    answer = person(site, "Ann").get("/customers/K-AOKI/account")
    assert answer.status_code == 503
    assert 'id="account-parts"' in answer.text
    assert "The customers' events cannot be read here" in answer.text.replace("&#39;", "'")
    assert "Who did what" in answer.text


def test_what_the_page_loads_is_there_without_a_script_too(ann: Person) -> None:
    page = ann.page("/customers/K-AOKI")
    for address, target in (("account", "account-parts"), ("story", "story-parts")):
        assert f'hx-get="/customers/K-AOKI/{address}"' in page
        assert f'href="/customers/K-AOKI/{address}"' in page
        assert f'id="{target}"' in ann.get(f"/customers/K-AOKI/{address}").text


def test_a_story_that_cannot_be_told_is_one_clear_line(ann: Person) -> None:
    answer = ann.get("/customers/K-AOKI/story")
    assert answer.status_code == 409
    assert "run a day, or serve the folder where it was run" in answer.text


# All changes


def test_without_a_day_before_there_are_no_changes(ann: Person) -> None:
    assert "This is the first day that was published." in ann.page("/changes")


def test_a_day_on_which_no_level_moved_says_so(site: Served) -> None:
    published_again(site)
    assert "No level has changed since Jul 1, 2024." in person(site, "Ann").page("/changes")


# Words


def test_every_choice_and_event_has_its_name() -> None:
    from serving.projection import KINDS

    assert set(KINDS) - set(words.EVENTS) == {"setting_changed"}
    for kind in ("temperature", "risk", "result", "approach", "why", "verdict", "visit", "cause"):
        assert all(choice_name(kind, code, "ja") for code in CHOICES[kind])


@pytest.mark.parametrize(
    ("note", "told"),
    [
        ("source absent: services", "No source: services is not delivered."),
        ("known for 1,200.00 of the sales", "Known for 1,200.00 of the sales."),
        ("overdue by 12 days", "Overdue by 12 days."),
        ("something of one's own", "something of one's own"),
    ],
)
def test_notes_on_items_are_told_in_the_readers_language(note: str, told: str) -> None:
    from serving.words.speech import language

    assert words.note_text(note, language("en")) == told


