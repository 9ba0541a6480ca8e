"""What people do on the page of a customer: the six steps of a warning, and what is done more seldom."""

import re
from typing import Any
from uuid import uuid4

from served import DAY, NINE, Served
from signed_in import OURS, Person, csrf, form_of, kinds, part, person, plain

from serving.ledger import SYSTEM, Event, append
from serving.loop import STEPS

pytest_plugins = ["served_company", "signed_in_people"]


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


def test_a_play_that_ended_well_says_so_with_the_next_warning(ann: Person, mia: Person) -> None:
    """The record of plays is kept in mind, and made anew as soon as a case is final."""
    mia.send(mia.page("/customers/K-BOLT"), "/episodes/e-K-BOLT/acknowledge")
    assert "ended well" not in ann.page("/customers/K-AOKI")
    mia.send(mia.page("/customers/K-BOLT"), "/episodes/e-K-BOLT/plan", plays=["inventory_plan"])
    done = {"approach": "visit", "why": "budget", "result": "kept"}
    mia.send(mia.page("/customers/K-BOLT"), "/episodes/e-K-BOLT/outcome", **done)
    assert "ended well 1 times of 1" in plain(part(ann.page("/customers/K-AOKI"), "warning"))


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
