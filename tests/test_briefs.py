"""The brief of an account: who is in charge, what people put on file, what is planned - as it stood at a date."""

import json
from datetime import date
from functools import cache

import pandas as pd
import pytest
from accounts_at import InMemory, brief_of
from orders import RUN_AT, lines
from two_clocks import as_it_was, nasty, scrambled, simulated

from features.briefs import NextAction, account_brief, owner_on
from features.quarantine import ingest
from features.sources import open_source
from serving.wording import ReasonFacts, reason_text

JULY_1 = date(2024, 7, 1)
ORDERS = "customer_id order_id ordered_at amount\nA 1 2024-01-05 10\nB 2 2024-01-05 10"
CUSTOMERS = """
customer_id name rank owner competitor_present budget_months
A           Aoki B    Cleo  true               10
B           Bolt A    Dan   -                  3,12
"""
CHANGES = """
customer_id changed_at field       old  new                                author
A           2024-03-01 owner       Ann  Bob                                admin
A           2024-06-01 owner       Bob  Cleo                               admin
A           2024-02-01 temperature -    hot                                Ann
A           2024-03-05 temperature hot  warm                               Ann
A           2024-06-10 temperature warm cool                               Bob
A           2024-06-11 risk        -    low                                Bob
A           2024-06-12 note        -    new_buyer,_#cost_cutting_in_autumn Bob
A           2024-05-20 next_action -    2024-07-03_call_about_the_drawings Bob
A           2024-06-30 rank        B    A                                  admin
"""
INTERACTIONS = """
customer_id interaction_id occurred_at channel owner contact_id
A           1              2024-01-10  visit   Ann   c1
A           2              2024-02-10  call    Ann   c2
A           3              2024-04-10  call    Bob   c1
"""
CONTACTS = """
customer_id contact_id name   title role       valid_from valid_to
A           c1         Tanaka chief purchasing -          -
A           c2         Mori   -     technical  2023-01-01 2024-06-20
A           c3         Sato   -     user       2024-08-01 -
B           c4         Ito    -     user       -          -
"""


@cache
def brief(as_of=JULY_1, customer="A"):
    tables = {"customers": CUSTOMERS, "account_changes": CHANGES, "interactions": INTERACTIONS, "contacts": CONTACTS}
    return brief_of(ORDERS, as_of, customer, **tables)


def test_dm_22_who_was_in_charge_is_told_for_every_date():
    owners = brief().owners
    assert [(one.owner, one.since, one.until) for one in owners] == [
        ("Ann", None, date(2024, 3, 1)),
        ("Bob", date(2024, 3, 1), date(2024, 6, 1)),
        ("Cleo", date(2024, 6, 1), None),
    ]
    days = (date(2024, 2, 29), date(2024, 3, 1), date(2024, 5, 31), date(2024, 6, 1), date(2030, 1, 1))
    assert [owner_on(owners, day) for day in days] == ["Ann", "Bob", "Bob", "Cleo", "Cleo"]
    assert [(one.owner, one.since, one.until) for one in brief(customer="B").owners] == [("Dan", None, None)]


def test_dm_22_after_a_change_of_owner_the_new_one_sees_all_interactions_and_the_open_task():
    now = brief()
    assert now.owner == "Cleo"
    talks = now.timeline[now.timeline["table"] == "interactions"]
    assert talks["detail"].tolist() == ["Ann", "Ann", "Bob"]
    assert now.next_action == NextAction(
        date(2024, 7, 3), "call about the drawings", "Cleo", pd.Timestamp(2024, 5, 20).to_pydatetime()
    )


def test_dm_11_the_last_contact_and_the_next_action_with_its_day_and_owner():
    now = brief()
    assert now.profile["contact_records"].value["last_at"].date() == date(2024, 4, 10)
    assert now.to_dict()["next_action"] == {
        "planned_on": "2024-07-03",
        "text": "call about the drawings",
        "owner": "Cleo",
        "noted_at": "2024-05-20T00:00:00",
    }
    assert brief(date(2024, 5, 20)).next_action is None


@pytest.mark.parametrize(
    ("text", "planned_on", "said"),
    [
        ("call_Tanaka", None, "call Tanaka"),
        ("2024-07-03", date(2024, 7, 3), ""),
        ("2024-07-03:_visit", date(2024, 7, 3), "visit"),
        ("2024-02-31_visit", None, "2024-02-31 visit"),
    ],
)
def test_a_next_action_without_a_day_is_kept_as_it_is_written(text, planned_on, said):
    noted = f"customer_id changed_at field new author\nA 2024-05-20 next_action {text} Bob"
    action = brief_of(ORDERS, JULY_1, account_changes=noted).next_action
    assert (action.planned_on, action.text) == (planned_on, said)


def test_dm_09_every_change_of_temperature_is_kept_with_its_date_and_author():
    changes = brief().changes
    kept = changes[changes["field"] == "temperature"]
    assert [(row.old, row.new, str(row.changed_at.date()), row.author) for row in kept.itertuples()][:2] == [
        ("warm", "cool", "2024-06-10", "Bob"),
        ("hot", "warm", "2024-03-05", "Ann"),
    ]
    assert len(kept) == 3
    assert brief().profile["customer_classification"].value["temperature"] == "cool"


def test_dm_12_what_a_person_says_of_the_risk_has_its_author_and_date():
    person = brief().newest("risk")
    assert (person["new"], person["author"], person["changed_at"].date()) == ("low", "Bob", date(2024, 6, 11))
    assert brief(date(2024, 6, 11)).newest("risk") is None


def test_dm_10_a_memo_with_its_tag_is_in_the_brief():
    noted = brief().notes
    assert noted[["author", "text"]].values.tolist() == [["Bob", "new buyer, #cost cutting in autumn"]]
    assert noted["tags"].tolist() == [("cost cutting",)]
    assert brief(date(2024, 6, 12)).notes.empty


@pytest.mark.parametrize(
    ("as_of", "near"),
    [(date(2024, 8, 31), False), (date(2024, 9, 1), True), (date(2024, 10, 31), True), (date(2024, 11, 1), False)],
)
def test_dm_13_the_budget_month_is_in_the_brief_and_near_in_september_and_october(as_of, near):
    assert brief(as_of).budget_months == (10,)
    assert brief(as_of).budget_is_near is near


def test_dm_13_a_budget_in_january_is_near_in_december():
    months = CUSTOMERS.replace("3,12", "1")
    found = brief_of(ORDERS, date(2024, 12, 1), "B", customers=months)
    assert (found.budget_months, found.budget_is_near) == ((1,), True)


def test_dm_08_shrinking_is_accepted_and_down_rejected_in_the_file_and_in_its_changes(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    lines(ORDERS).to_parquet(source / "transactions.parquet")
    lines("customer_id growth\nA shrinking\nB down").to_parquet(source / "customers.parquet")
    changes = "customer_id changed_at field old new\nA 2024-02-01 growth flat shrinking\nA 2024-03-01 growth flat down"
    lines(changes).to_parquet(source / "account_changes.parquet")
    report = ingest(open_source(source), tmp_path / "events", run_at=RUN_AT, timezone="UTC", max_share=1)
    refused = {name: report.table(name).reasons for name in ("customers", "account_changes")}
    assert {name: [(r.column, r.rows, r.first_rows) for r in found] for name, found in refused.items()} == {
        "customers": [("growth", 1, (2,))],
        "account_changes": [("new", 1, (2,))],
    }


def test_dm_08_a_present_competitor_is_told_of_the_account_and_has_words_as_a_reason():
    assert brief().profile["customer_classification"].value["competitor_present"] is True
    assert brief(customer="B").profile["customer_classification"].value["competitor_present"] is None
    facts = ReasonFacts("competitor_present", 1.0, None, None, 0.4, {"competitor_present": 1.0}, JULY_1)
    assert reason_text(facts).startswith("Another vendor is coming in at the account")


def test_the_file_is_that_of_the_date_and_people_who_left_or_are_to_come_are_not_in_place():
    assert [brief(day).file["rank"] for day in (date(2024, 6, 30), JULY_1)] == ["B", "A"]
    assert brief().people[["contact_id", "role"]].values.tolist() == [["c1", "purchasing"]]
    assert brief().people["last_contact"].tolist() == [pd.Timestamp(2024, 4, 10)]
    assert brief(date(2024, 6, 20)).people["contact_id"].tolist() == ["c1", "c2"]


def test_everything_can_be_written_as_json():
    told = json.loads(json.dumps(brief().to_dict()))
    assert told["customer_id"] == "A"
    assert len(told["profile"]) == 14
    assert told["timeline"][-1]["kind"] == "change"


CUT = date(2025, 1, 7)
WORLDS = {"world": simulated, "nasty": nasty}


@cache
def known_in(world, change):
    """What is told of some accounts of a world that was changed after the date."""
    tables = WORLDS[world]() if change is None else change(WORLDS[world](), CUT)
    accounts = sorted(WORLDS[world]()["customers"]["customer_id"])[6:31:8]
    return {account: account_brief(InMemory(tables), account, CUT).to_dict() for account in accounts}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("change", [as_it_was, scrambled])
def test_what_comes_later_changes_nothing_in_a_brief(world, change):
    then, now = known_in(world, change), known_in(world, None)
    for account in then:
        differing = [part for part in then[account] if then[account][part] != now[account][part]]
        assert differing == []


@pytest.mark.parametrize("world", WORLDS)
def test_the_briefs_that_are_compared_have_something_to_tell(world):
    told = known_in(world, None).values()
    for part in ("timeline", "changes", "people", "open_issues"):
        assert any(one[part] for one in told), part
