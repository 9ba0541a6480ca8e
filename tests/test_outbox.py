"""Notices on both engines: decided once, leased to one, tried again, and dead after so many attempts."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa  # noqa: TID251

from features.errors import StoreError
from serving.day_records import Notice
from serving.idempotency import Answer, KeyReused, answered, forget, keep
from serving.outbox import ATTEMPTS, LONGEST_WAIT, back_off, enqueue
from serving.store import Store

pytest_plugins = ["databases"]

DAY = date(2026, 3, 2)
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def notice(recipient: str = "kim", n: int = 1) -> Notice:
    return Notice(recipient, "digest", DAY, {"n": n, "due_on": DAY})


def put(store: Store, *notices: Notice, at: datetime = NINE) -> int:
    with store.writing() as connection:
        return enqueue(connection, notices, at)


def leased(store: Store, at: datetime, by: str = "d1", seconds: float = 60, limit: int = 20) -> list[str]:
    return [one.notice.recipient for one in store.outbox.lease(by, seconds, at, limit)]


def states(store: Store) -> list[str]:
    return store.notices()["state"].tolist()


KIM = notice().dedupe_key


def test_a_recipient_hears_of_a_kind_and_day_once(store: Store) -> None:
    assert put(store, notice("kim"), notice("lee"), notice("kim", 2)) == 2
    assert put(store, notice("kim", 3)) == 0
    assert [payload["n"] for payload in store.notices()["payload"]] == [3, 1], "a waiting one tells the newest"
    assert put(store, Notice("kim", "red", DAY, {}), Notice("kim", "digest", DAY + timedelta(days=1), {})) == 2


def test_a_notice_is_written_with_what_decides_it_or_not_at_all(store: Store) -> None:
    def decided_and_lost() -> None:
        with store.writing() as connection:
            enqueue(connection, [notice()], NINE)
            raise StoreError("lost")

    with pytest.raises(StoreError, match="lost"):
        decided_and_lost()
    assert store.notices().empty


def test_a_lease_gives_a_notice_to_one_dispatcher_until_it_runs_out(store: Store) -> None:
    put(store, notice())
    [first] = store.outbox.lease("d1", 60, NINE)
    assert (first.notice, first.attempts, first.leased_until) == (notice(), 1, NINE + 60 * SECOND)
    assert leased(store, NINE + 59 * SECOND, "d2") == []
    assert leased(store, NINE + 60 * SECOND, "d2") == ["kim"]
    assert not store.outbox.sent(KIM, "d1", NINE + 61 * SECOND), "the first has lost its lease"
    assert store.outbox.failed(KIM, "d1", "late", NINE + 61 * SECOND) is None
    assert store.outbox.sent(KIM, "d2", NINE + 61 * SECOND)
    assert leased(store, NINE + timedelta(days=9), "d2") == []
    assert store.notices()["sent_at"].tolist() == [NINE + 61 * SECOND]


def test_the_oldest_are_leased_first_and_so_many(store: Store) -> None:
    put(store, notice("zoe"), at=NINE)
    put(store, notice("lee"), notice("kim"), at=NINE + SECOND)
    assert leased(store, NINE + 2 * SECOND, limit=2) == ["zoe", "kim"]
    assert leased(store, NINE + 2 * SECOND, limit=2) == ["lee"]


def test_a_notice_that_was_sent_is_neither_changed_nor_sent_again(store: Store) -> None:
    put(store, notice(n=1))
    leased(store, NINE)
    put(store, notice(n=2))
    assert store.outbox.sent(KIM, "d1", NINE)
    assert put(store, notice(n=3)) == 0
    assert [payload["n"] for payload in store.notices()["payload"]] == [1]
    assert states(store) == ["sent"]


@pytest.mark.parametrize(("seconds", "due"), [(59, False), (60, True), (61, True)])
def test_after_a_failure_a_notice_waits(store: Store, seconds: int, due: bool) -> None:
    put(store, notice())
    leased(store, NINE)
    assert store.outbox.failed(KIM, "d1", "503\n  try later", NINE) == "failed"
    assert store.notices()["error"].tolist() == ["503 try later"]
    assert leased(store, NINE + seconds * SECOND) == (["kim"] if due else [])


@pytest.mark.parametrize(("seconds", "due"), [(299, False), (300, True)])
def test_a_receiver_may_ask_for_a_longer_wait(store: Store, seconds: int, due: bool) -> None:
    put(store, notice())
    leased(store, NINE)
    store.outbox.failed(KIM, "d1", "429", NINE, wait=timedelta(seconds=300))
    assert leased(store, NINE + seconds * SECOND) == (["kim"] if due else [])


def test_each_wait_is_twice_the_last_up_to_an_hour() -> None:
    assert [back_off(n) // timedelta(minutes=1) for n in (1, 2, 3, 6, 7, 20)] == [1, 2, 4, 32, 60, 60]


def test_a_notice_is_dead_after_so_many_failures_and_may_be_revived(store: Store) -> None:
    put(store, notice())
    said = []
    for attempt in range(ATTEMPTS):
        now = NINE + attempt * LONGEST_WAIT
        assert leased(store, now) == ["kim"]
        said.append(store.outbox.failed(KIM, "d1", "500", now))
    assert said == ["failed"] * (ATTEMPTS - 1) + ["dead"]
    later = NINE + timedelta(days=2)
    assert leased(store, later) == []
    assert put(store, notice(n=2)) == 0
    assert states(store) == ["dead"]
    assert store.outbox.revive(KIM)
    assert not store.outbox.revive(KIM)
    assert leased(store, later) == ["kim"]


def test_a_failure_that_will_not_mend_kills_a_notice_at_once(store: Store) -> None:
    put(store, notice())
    leased(store, NINE)
    assert store.outbox.failed(KIM, "d1", "404 no such channel", NINE, final=True) == "dead"


def test_a_notice_that_kills_its_dispatchers_is_dead_after_as_many_leases(store: Store) -> None:
    put(store, notice(), notice("lee"))
    leased(store, NINE, limit=2)
    store.outbox.sent(notice("lee").dedupe_key, "d1", NINE)
    for attempt in range(1, ATTEMPTS):
        assert leased(store, NINE + attempt * timedelta(minutes=1)) == ["kim"]
    assert leased(store, NINE + timedelta(days=1)) == []
    assert sorted(states(store)) == ["dead", "sent"]
    assert "no answer from the dispatcher" in store.notices()["error"].tolist()


def test_moments_carry_their_zone(store: Store) -> None:
    for wrong in (
        lambda: put(store, notice(), at=NINE.replace(tzinfo=None)),
        lambda: store.outbox.lease("d1", 60, NINE.replace(tzinfo=None)),
        lambda: store.outbox.sent(KIM, "d1", NINE.replace(tzinfo=None)),
        lambda: store.outbox.failed(KIM, "d1", "x", NINE.replace(tzinfo=None)),
    ):
        with pytest.raises(StoreError, match="must carry its time zone"):
            wrong()


def test_the_same_request_is_answered_once_and_the_same_way(store: Store) -> None:
    for turn in range(2):
        with store.writing() as connection:
            before = answered(connection, "kim", "k1", "hash-a")
            assert before == (None if turn == 0 else Answer(201, "made"))
            if before is None:
                keep(connection, "kim", "k1", "hash-a", Answer(201, "made"), NINE)


def test_a_key_with_another_request_is_an_error_and_another_actors_key_is_another(store: Store) -> None:
    with store.writing() as connection:
        keep(connection, "kim", "k1", "hash-a", Answer(201, "made"), NINE)
    with pytest.raises(KeyReused, match="'k1' was used for another request"), store.writing() as connection:
        answered(connection, "kim", "k1", "hash-b")
    with store.writing() as connection:
        assert answered(connection, "lee", "k1", "hash-b") is None


def test_an_answer_is_kept_with_the_act_or_not_at_all(store: Store) -> None:
    def acted_and_lost() -> None:
        with store.writing() as connection:
            keep(connection, "kim", "k1", "hash-a", Answer(201, "made"), NINE)
            raise StoreError("lost")

    with pytest.raises(StoreError, match="lost"):
        acted_and_lost()
    with store.writing() as connection:
        assert answered(connection, "kim", "k1", "hash-a") is None


@pytest.mark.parametrize(("seconds", "left"), [(-1, 1), (0, 1), (1, 0)])
def test_answers_are_forgotten_when_they_are_older(store: Store, plain: sa.Engine, seconds: int, left: int) -> None:
    with store.writing() as connection:
        keep(connection, "kim", "k1", "hash-a", Answer(201, "made"), NINE)
        assert forget(connection, NINE + seconds * SECOND) == 1 - left
    with plain.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM idempotency_key").scalar_one() == left
