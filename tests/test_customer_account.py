"""The account of a customer: its fourteen items, its people, what happened, and who did what."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from served import Served
from signed_in import Person, part, person, plain
from starlette.requests import Request

from features.contract import ROLES
from features.decision_chain import CELLS, PEOPLE, DecisionChain
from pipelines.server import AccountFiles
from serving.pages.customer_people import people_of
from serving.pages.view import View, stranger
from serving.projection import KINDS
from serving.words import account as words
from serving.words.choices import CHOICES, choice_name
from serving.words.speech import language

pytest_plugins = ["served_company", "signed_in_people"]


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


def test_without_the_events_the_account_says_so_and_still_tells_the_history(site: Served, tmp_path: Path) -> None:
    site.app.state.service = site.service = replace(site.service, accounts=AccountFiles(tmp_path / "nowhere"))
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


# Words


def test_every_choice_and_event_has_its_name() -> None:
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
    assert words.note_text(note, language("en")) == told


# People


def looked_at(site: Served) -> View:
    """The view of somebody who reads English."""
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "app": site.app}
    return stranger(Request(scope))


def cells(key: str, *told: tuple[int, float, int, bool]) -> list[tuple[Any, ...]]:
    """A row of the matrix: contacts, the usual number, strength, and whether the usual is too small to tell."""
    return [
        ("role", key, date(2024, month, 30), n, usual, (n - usual) / usual, strength, few)
        for month, (n, usual, strength, few) in zip((4, 5, 6), told, strict=True)
    ]


def test_a_fall_of_seventy_per_cent_has_the_strongest_colour_and_says_so(site: Served) -> None:
    rows = [
        *cells("technical", (10, 10.0, 0, False), (5, 10.0, 2, False), (3, 10.0, 4, False)),
        *cells("purchasing", (1, 1.0, 0, True), (0, 1.0, 4, True), (2, 1.0, 0, True)),
        *cells("user", (9, 10.0, 1, False), (10, 10.0, 0, False), (12, 10.0, 0, False)),
        *cells("executive", (10, 10.0, 0, False), (10, 10.0, 0, False), (4, 10.0, 3, False)),
    ]
    contact = ("P1", "Sato", None, "technical", "cooling", date(2024, 6, 1), None, 3.0, 10.0, -0.7)
    chain = DecisionChain(
        people=pd.DataFrame([contact], columns=list(PEOPLE)),
        matrix=pd.DataFrame(rows, columns=list(CELLS)),
        board=pd.DataFrame(columns=["activity_id"]),
        service=pd.DataFrame(columns=["begins_on", "ends_on", "expected", "actual", "limit", "below"]),
        unknown={"board": "partnerships"},
    )
    told = people_of(looked_at(site), chain)
    shown = {row["label"]: [(one["n"], one["strength"], one["change"]) for one in row["cells"]]
             for row in told["heat"]["rows"]}  # fmt: skip
    minus = "\N{MINUS SIGN}"
    assert shown["Technical side"] == [("10", 0, ""), ("5", 2, f"{minus}50%"), ("3", 4, f"{minus}70%")]
    assert shown["Purchasing"] == [("1", 0, ""), ("0", 0, ""), ("2", 0, "")]  # too few to tell
    assert shown["Management"][2] == ("4", 3, f"{minus}60%")
    gaps = {row["label"]: row["gap"] for row in told["heat"]["rows"]}
    assert gaps == {"Technical side": False, "Purchasing": True, "User": True, "Management": True}
    assert told["people"][0]["trend"] == f"{minus}70%"
    assert told["lacking"]["board"] == "This cannot be told, since partnerships is not delivered."
