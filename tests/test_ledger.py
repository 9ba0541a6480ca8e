"""The ledger on both engines: append-only, chained, projected into tables that can be rebuilt from it."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa  # noqa: TID251

from features.errors import StoreError
from serving import ledger
from serving.ledger import Event
from serving.migrations.loop_tables import ACCOUNT_STATE, EPISODE, EVENT, EXPOSURE, PROJECTED, TASK
from serving.projection import Stale, rebuild
from serving.store import Store

pytest_plugins = ["databases"]

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = date(2026, 3, 2)


def opened(episode: str = "e1", customer: str = "ann", day: date = DAY) -> Event:
    payload = {
        "opened_on": day, "opened_level": "yellow", "level": "yellow", "highest_level": "yellow", "queue": "early",
        "stage": "cooling", "dimension": "transaction", "owner": "kim", "priority": 900.0, "step": "raised",
        "step_since": NINE, "arm": "shown", "propensity": 1.0,
    }  # fmt: skip
    return Event("episode_opened", ledger.SYSTEM, NINE, payload, customer, episode, once=f"open:{episode}")


def moved(step: str, version: int, at: datetime = NINE + timedelta(hours=1)) -> Event:
    return Event("step_moved", "kim", at, {"step": step, "version": version}, "ann", "e1")


def task(task_id: str = "t1", cause: str = "order_late") -> Event:
    payload = {
        "kind": "WF-01", "cause": cause, "team": "sales", "owner": "kim", "created_on": DAY,
        "due_on": DAY + timedelta(days=4), "facts": {"name": "Ann & Co"}, "checklist": [], "needs": [], "state": "open",
    }  # fmt: skip
    return Event("task_created", ledger.SYSTEM, NINE, payload, "ann", "e1", task_id)


def everything(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.reading() as connection:
        return {
            table.name: sorted(tuple(map(repr, row)) for row in connection.execute(sa.select(table)))
            for table in PROJECTED
        }


def test_events_are_numbered_and_each_holds_the_hash_of_the_one_before(store: Store) -> None:
    with store.writing() as connection:
        written = ledger.append(connection, [opened(), moved("acknowledged", 2)])
    assert [one.number for one in written] == [1, 2]
    with store.reading() as connection:
        rows = connection.execute(sa.select(EVENT).order_by(EVENT.c.number)).all()
        assert rows[0].before == ledger.GENESIS
        assert rows[1].before == rows[0].hash
        assert ledger.verify(connection) == ledger.Verified(2, None)
        assert [one.event.kind for one in ledger.read(connection, customer_id="ann")] == [
            "episode_opened",
            "step_moved",
        ]
        assert ledger.read(connection, customer_id="bob") == []


@pytest.mark.parametrize("statement", ["UPDATE event SET actor = 'eve'", "DELETE FROM event"])
def test_the_database_itself_refuses_to_change_an_event(store: Store, plain: sa.Engine, statement: str) -> None:
    with store.writing() as connection:
        ledger.append(connection, [opened()])
    with (
        pytest.raises(sa.exc.DBAPIError, match="never changed"),
        plain.execution_options(writing=True).begin() as connection,
    ):
        connection.exec_driver_sql(statement)


def test_an_event_altered_behind_the_triggers_back_is_found(store: Store, plain: sa.Engine) -> None:
    with store.writing() as connection:
        ledger.append(connection, [opened(), moved("acknowledged", 2), moved("planned", 3)])
    with plain.execution_options(writing=True).begin() as connection:
        postgres = connection.dialect.name == "postgresql"
        drop = "DROP TRIGGER event_is_final_update" + (" ON event" if postgres else "")
        connection.exec_driver_sql(drop)
        connection.exec_driver_sql("UPDATE event SET actor = 'eve' WHERE number = 2")
    with store.reading() as connection:
        found = ledger.verify(connection)
    assert (found.whole, found.broken_at) == (False, 2)


def test_what_may_happen_once_happens_once(store: Store) -> None:
    for _ in range(2):
        with store.writing() as connection:
            ledger.append(connection, [opened()])
    with store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(EPISODE)).scalar_one() == 1
        assert ledger.verify(connection).events == 1


def test_a_customer_has_one_open_warning_whatever_the_code_does(store: Store) -> None:
    with store.writing() as connection:
        ledger.append(connection, [opened()])
    with pytest.raises(StoreError), store.writing() as connection:
        ledger.append(connection, [opened("e2", day=DAY + timedelta(days=1))])
    with store.reading() as connection:
        assert ledger.verify(connection).events == 1


def test_one_open_task_per_cause(store: Store) -> None:
    with store.writing() as connection:
        ledger.append(connection, [opened(), task()])
    with pytest.raises(StoreError), store.writing() as connection:
        ledger.append(connection, [task("t2")])
    closed = Event("task_closed", "kim", NINE, {"state": "done", "result": {}, "version": 2}, "ann", "e1", "t1")
    with store.writing() as connection:
        ledger.append(connection, [closed, task("t2")])
    with store.reading() as connection:
        states = dict(connection.execute(sa.select(TASK.c.task_id, TASK.c.state)).all())
    assert states == {"t1": "done", "t2": "open"}


def test_whoever_acts_on_an_older_version_is_refused_and_nothing_is_written(store: Store) -> None:
    with store.writing() as connection:
        ledger.append(connection, [opened(), moved("acknowledged", 2)])
    before = everything(store)
    with pytest.raises(Stale, match="changed by somebody else"), store.writing() as connection:
        ledger.append(connection, [task(), moved("planned", 2)])
    assert everything(store) == before


def test_an_unknown_kind_or_column_is_refused_in_one_line(store: Store) -> None:
    with pytest.raises(StoreError, match="expected one of"), store.writing() as connection:
        ledger.append(connection, [Event("dreamt", "kim", NINE)])
    with pytest.raises(StoreError, match="no such columns"), store.writing() as connection:
        ledger.append(connection, [Event("account_updated", "kim", NINE, {"mood": "good"}, "ann")])


def test_the_first_contact_treats_a_warning_and_later_ones_leave_its_moment(store: Store) -> None:
    contact = {"kind": "contacted"}
    with store.writing() as connection:
        first = Event("exposed", "kim", NINE, contact, "ann", "e1")
        later = Event("exposed", "kim", NINE + timedelta(days=2), contact, "ann", "e1")
        ledger.append(connection, [opened(), first, later])
    with store.reading() as connection:
        assert connection.execute(sa.select(EPISODE.c.treated_at)).scalar_one() == NINE
        assert connection.execute(sa.select(EXPOSURE.c.at)).scalars().all() == [NINE]


def test_tables_rebuilt_from_the_ledger_are_the_tables(store: Store) -> None:
    at = NINE + timedelta(hours=2)
    events = [
        opened(),
        task(),
        moved("acknowledged", 2),
        Event("account_updated", "kim", at, {"temperature": "cool", "last_contact_on": DAY}, "ann"),
        Event("account_updated", "lee", at, {"risk": "high"}, "ann"),
        Event("account_reviewed", "lee", at, {}, "ann"),
        Event("exposed", "kim", at, {"kind": "contacted"}, "ann", "e1"),
        Event("task_changed", "kim", at, {"snoozed_until": DAY + timedelta(days=3), "version": 2}, "ann", None, "t1"),
        Event("outcome_recorded", "kim", at, {"state": "draft", "recorded_on": DAY, "days_stopped": 61.0}, "ann", "e1"),
        Event("outcome_recorded", "kim", at, {"state": "final", "recorded_on": DAY, "why": "budget"}, "ann", "e1"),
        Event("feedback_given", "kim", at, {"verdict": "true"}, "ann", "e1"),
        Event("review_recorded", "lee", at, {"lost_on": DAY, "family": "care", "cause": "no_visits"}, "bob"),
        Event("setting_changed", "lee", at, {"name": "health_weights", "value": {"finance": 20.0}}),
        Event("customer_restarted", ledger.SYSTEM, at, {"gap_days": 70}, "ann"),
        Event(
            "episode_closed", ledger.SYSTEM, at, {"closed_on": DAY, "close_reason": "below", "version": 3}, "ann", "e1"
        ),
    ]
    with store.writing() as connection:
        ledger.append(connection, events)
    before = everything(store)
    with store.reading() as connection:
        state = connection.execute(sa.select(ACCOUNT_STATE)).one()
    assert (state.temperature, state.risk, state.version, state.updated_by) == ("cool", "high", 3, "lee")
    with store.writing() as connection:
        rebuild(connection)
    assert everything(store) == before
    assert all(before[name] for name in before)


def test_a_payload_holds_no_number_that_is_none(store: Store) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"), store.writing() as connection:
        ledger.append(connection, [Event("customer_restarted", "kim", NINE, {"gap_days": float("nan")}, "ann")])
