"""Every move of people: what it needs, what it refuses and what it leaves behind; one whole day on both engines."""

from datetime import timedelta

import pytest
from working_days import DAY, NINE, customer, days, fired, opened, run

from features.errors import StoreError
from serving import ledger, loop
from serving.loop_rows import frame, owner_on, told
from serving.projection import Stale, rebuild
from serving.store import Store

pytest_plugins = ["databases"]

KIM = {"actor": "kim", "at": NINE}
BRIEF = {
    "history": ["visit on 3 February"],
    "open_issues": ["late delivery"],
    "temperature": "cool",
    "budget_months": [10],
}


@pytest.fixture
def kept(tmp_path):
    with Store.open(f"sqlite:///{tmp_path / 'kizashi.db'}") as made:
        yield made


def late_task(store):
    """One open task of a customer whose order is late; returns its id."""
    return run(store, [customer()], signals=[fired("order_late")], warnings=[])["task_id"][0]


def rows(store, table):
    return frame(store, table).to_dict("records")


def test_a_whole_day_of_moves_is_the_same_on_every_engine_and_after_a_rebuild(store):
    episode = opened(store)
    run(store, [customer(rank="A", days_since_last_contact=21.0)], signals=[fired("order_late")])
    [late] = [row["task_id"] for row in rows(store, "task") if row["kind"] == "order_late"]
    loop.note_exposure(store, episode, "opened", **KIM)
    loop.acknowledge(store, episode, version=1, **KIM)
    loop.plan(store, episode, plays=["inventory_plan"], version=2, **KIM)
    loop.update_account(store, "ann", temperature="cool", risk="high", today=DAY, version=0, **KIM)
    loop.snooze_task(store, late, until=DAY + days(2), today=DAY, version=1, **KIM)
    loop.hand_over(store, "ann", from_owner="kim", to_owner="lee", on=DAY, brief=BRIEF, **KIM)
    loop.give_feedback(store, episode, verdict="true", **KIM)
    loop.record_review(store, "bob", lost_on=DAY, cause="price", **KIM)
    loop.record_outcome(
        store, episode, approach="visit", why="budget", result="kept", today=DAY, version=0, **KIM
    )  # fmt: skip
    tables = ("episode", "task", "account_state", "outcome", "review", "feedback", "exposure")
    before = {table: rows(store, table) for table in tables}
    assert all(before.values())
    assert {row["state"] for row in before["task"] if row["kind"] == "follow_up_a"} == {"done"}
    with store.writing() as connection:
        rebuild(connection)
        assert ledger.verify(connection).whole
    assert {table: rows(store, table) for table in tables} == before


def test_several_moves_in_one_transaction_are_all_written_or_none(kept):
    episode = opened(kept)

    def jump():
        with kept.writing() as connection:
            loop.acknowledge(connection, episode, version=1, **KIM)
            loop.start(connection, episode, version=2, **KIM)

    with pytest.raises(StoreError, match="the next step is"):
        jump()
    assert rows(kept, "episode")[0]["step"] == "raised"
    with kept.writing() as connection:
        loop.acknowledge(connection, episode, version=1, **KIM)
        loop.plan(connection, episode, plays=[], note="call first", version=2, **KIM)
    assert rows(kept, "episode")[0]["step"] == "planned"


def test_whoever_has_seen_an_older_version_is_told_so_whatever_they_do(kept):
    episode, task = opened(kept), late_task(kept)
    loop.acknowledge(kept, episode, version=1, **KIM)
    loop.snooze_task(kept, task, until=DAY + days(1), today=DAY, version=1, **KIM)
    loop.update_account(kept, "ann", temperature="hot", risk="low", today=DAY, version=0, **KIM)
    loop.record_outcome(kept, episode, approach="visit", why="budget", result="kept", today=DAY, version=0, **KIM)
    stale = (
        lambda: loop.plan(kept, episode, plays=["visit"], version=1, **KIM),
        lambda: loop.snooze_task(kept, task, until=DAY + days(1), today=DAY, version=1, **KIM),
        lambda: loop.close_task(kept, task, version=1, **KIM),
        lambda: loop.waive_task(kept, task, reason="no", version=1, **KIM),
        lambda: loop.set_account(kept, "ann", {"risk": "high"}, version=0, **KIM),
    )
    for move in stale:
        with pytest.raises(Stale, match="changed by somebody else"):
            move()


def test_an_account_is_written_over_where_no_version_is_given_and_keeps_what_is_not_named(kept):
    loop.update_account(
        kept, "ann", temperature="hot", risk="low", today=DAY, next_action_on=DAY + days(3), next_action_text="call",
        **KIM,
    )  # fmt: skip
    row = loop.set_account(kept, "ann", {"risk": "urgent"}, actor="mara", at=NINE)
    assert (row["temperature"], row["risk"], row["next_action_text"]) == ("hot", "urgent", "call")
    assert (row["updated_by"], row["version"]) == ("mara", 2)
    for wrong in ({}, {"mood": "good"}):
        with pytest.raises(StoreError, match="give some of"):
            loop.set_account(kept, "ann", wrong, **KIM)


def test_dm_09_both_temperatures_are_kept_with_date_and_author(kept):
    for temperature, at in (("warm", NINE), ("cool", NINE + timedelta(days=9))):
        loop.update_account(kept, "ann", temperature=temperature, risk="low", actor="kim", at=at, today=at.date())
    history = told(kept, "account_updated", "ann")
    assert history[["temperature", "actor"]].to_numpy().tolist() == [["warm", "kim"], ["cool", "kim"]]
    assert [at.date() for at in history["at"]] == [DAY, DAY + days(9)]


def test_dm_11_the_last_contact_and_the_next_action_are_told(kept):
    row = loop.update_account(
        kept, "ann", temperature="warm", risk="low", today=DAY, contacted_on=DAY - days(12),
        next_action_on=DAY + days(4), next_action_text="send the offer", **KIM,
    )  # fmt: skip
    assert row["last_contact_on"] == DAY - days(12)
    assert (row["next_action_on"], row["next_action_text"]) == (DAY + days(4), "send the offer")


def test_dm_12_what_a_person_rates_has_an_author_and_a_moment(kept):
    row = loop.set_account(kept, "ann", {"risk": "low"}, **KIM)
    assert (row["risk"], row["updated_by"], row["updated_at"]) == ("low", "kim", NINE)


def test_dm_22_after_a_hand_over_the_new_owner_has_all_that_is_open_and_history_can_be_asked(kept):
    episode, task = opened(kept), late_task(kept)
    assert owner_on(kept, "ann", DAY) is None
    moved = loop.hand_over(kept, "ann", from_owner="kim", to_owner="lee", on=DAY, brief=BRIEF, **KIM)
    loop.hand_over(
        kept, "ann", from_owner="lee", to_owner="max", on=DAY + days(30), brief=BRIEF, actor="mara", at=NINE
    )  # fmt: skip
    assert moved["tasks"] == [task]
    assert rows(kept, "task")[0]["owner"] == rows(kept, "episode")[0]["owner"] == "max"
    assert rows(kept, "episode")[0]["episode_id"] == episode
    asked = (DAY - days(1), DAY, DAY + days(29), DAY + days(30))
    assert [owner_on(kept, "ann", day) for day in asked] == ["kim", "lee", "lee", "max"]


def test_dm_22_a_task_of_somebody_else_stays_where_it_is(kept):
    run(kept, [customer()], signals=[fired("two_low_ratings")], warnings=[])
    moved = loop.hand_over(kept, "ann", from_owner="kim", to_owner="lee", on=DAY, brief=BRIEF, **KIM)
    assert (moved["tasks"], rows(kept, "task")[0]["owner"]) == ([], "sam")


def test_op_03_a_hand_over_brings_a_brief_of_four_parts(kept):
    told_to = loop.hand_over(kept, "ann", from_owner="kim", to_owner="lee", on=DAY, brief=BRIEF, **KIM)
    assert set(told_to["brief"]) == {"history", "open_issues", "temperature", "budget_months"}
    assert told(kept, "owner_changed", "ann")["brief"][0] == BRIEF
    with pytest.raises(StoreError, match="lacks open_issues, temperature"):
        loop.hand_over(
            kept, "ann", from_owner="lee", to_owner="max", on=DAY,
            brief={"history": [], "budget_months": None}, **KIM,
        )  # fmt: skip
    with pytest.raises(StoreError, match="another owner"):
        loop.hand_over(kept, "ann", from_owner="lee", to_owner="lee", on=DAY, brief=BRIEF, **KIM)


@pytest.mark.parametrize(("until", "fine"), [(0, False), (1, True), (30, True), (31, False)])
def test_a_task_sleeps_for_a_time_that_ends(kept, until, fine):
    task = late_task(kept)
    if fine:
        row = loop.snooze_task(kept, task, until=DAY + days(until), today=DAY, version=1, **KIM)
        assert row["snoozed_until"] == DAY + days(until)
    else:
        with pytest.raises(StoreError, match="a task sleeps until"):
            loop.snooze_task(kept, task, until=DAY + days(until), today=DAY, version=1, **KIM)


def test_a_task_that_has_ended_is_not_changed_any_more(kept):
    task = late_task(kept)
    loop.close_task(kept, task, version=1, **KIM)
    for move in (
        lambda: loop.snooze_task(kept, task, until=DAY + days(1), today=DAY, version=2, **KIM),
        lambda: loop.close_task(kept, task, version=2, **KIM),
        lambda: loop.waive_task(kept, task, reason="no", version=2, **KIM),
    ):
        with pytest.raises(StoreError, match="only an open one changes"):
            move()
    with pytest.raises(StoreError, match="there is none"):
        loop.close_task(kept, "t-9", version=1, **KIM)


def test_closing_a_task_with_a_contact_tells_the_account_and_treats_the_warning(kept):
    episode, task = opened(kept), late_task(kept)
    loop.update_account(kept, "bob", temperature="hot", risk="low", today=DAY, **KIM)
    loop.close_task(kept, task, contacted_on=DAY - days(1), version=1, **KIM)
    [account] = [row for row in rows(kept, "account_state") if row["customer_id"] == "ann"]
    assert account["last_contact_on"] == DAY - days(1)
    [warned] = rows(kept, "episode")
    assert (warned["episode_id"], warned["treated_at"]) == (episode, NINE)


def test_an_older_contact_does_not_hide_a_newer_one(kept):
    task = late_task(kept)
    loop.update_account(kept, "ann", temperature="hot", risk="low", today=DAY, **KIM)
    loop.close_task(kept, task, contacted_on=DAY - days(9), version=1, **KIM)
    assert rows(kept, "account_state")[0]["last_contact_on"] == DAY


def test_an_exposure_counts_the_first_time_and_only_a_contact_treats(kept):
    episode = opened(kept)
    for kind, later in (("shown", 0), ("opened", 1), ("shown", 2)):
        row = loop.note_exposure(kept, episode, kind, actor="kim", at=NINE + timedelta(hours=later))
    assert row["treated_at"] is None
    assert len(rows(kept, "exposure")) == 2
    assert loop.note_exposure(kept, episode, "contacted", **KIM)["treated_at"] == NINE
    with pytest.raises(StoreError, match="exposure is one of"):
        loop.note_exposure(kept, episode, "forgotten", **KIM)


def test_an_outcome_is_final_once_and_by_choice_from_closed_lists(kept):
    episode = opened(kept)
    right = {"approach": "phone", "why": "competitor", "result": "lost", "today": DAY, "version": 0, **KIM}
    for wrong in ({"approach": "prayer"}, {"why": "fate"}, {"result": "draw"}):
        with pytest.raises(StoreError, match="is one of"):
            loop.record_outcome(kept, episode, **{**right, **wrong})
    assert loop.record_outcome(kept, episode, **right)["detected_level"] == "yellow"
    with pytest.raises(StoreError, match="is final"):
        loop.record_outcome(kept, episode, **{**right, "version": 1})
    with pytest.raises(StoreError, match="there is none"):
        loop.record_outcome(kept, "e-9", **right)


def test_the_word_of_a_person_replaces_an_earlier_one_and_not_that_of_others(kept):
    episode = opened(kept)
    for actor, verdict in (("kim", "true"), ("lee", "known"), ("kim", "false")):
        loop.give_feedback(kept, episode, verdict=verdict, actor=actor, at=NINE)
    assert {row["author"]: row["verdict"] for row in rows(kept, "feedback")} == {"kim": "false", "lee": "known"}
    with pytest.raises(StoreError, match="verdict is one of"):
        loop.give_feedback(kept, episode, verdict="maybe", **KIM)


def test_a_table_that_is_not_there_is_named(kept):
    with pytest.raises(StoreError, match="a table of the loop is one of"):
        frame(kept, "score")
