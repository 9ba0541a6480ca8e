"""The store on both engines: published once, wholly or not at all, and read only when published."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa  # noqa: TID251

import serving.publication
from features.errors import StoreError
from serving.migrations.tables import LEVEL_CHANGES, REASONS, SCORES, SCORING_RUN
from serving.records import REASON_COLUMNS, SCORE_COLUMNS, IngestReport, ScoringRun, TableCount
from serving.store import Store

pytest_plugins = ["databases"]

DAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

# level, cohort, history, completeness, shown
LOW = ("none", "dormant", "short", "C", "level")
LOUD = ("early", "cooling", "model:red", 0.75)
HIGH = ("red", "eligible", "enough", "A", "percent")
# role, concept, said
TOLD = ("reason", "order_rhythm", '[{"message": "語 {n}", "slots": {"n": ["days", 42.5]}}]')
UNTOLD = ("rest", "other", None)


def clock() -> datetime:
    return NOON + timedelta(minutes=5)


def run_of(run_id: str = "run-1", as_of: date = DAY, model: str = "m1", data: str = "f1") -> ScoringRun:
    return ScoringRun(run_id, as_of, model, data, NOON)


def scores_of(probability: float = 0.8) -> pd.DataFrame:
    rows = [
        ("bob", 0.1, 60.0, None, None, *[0.3, 0.1, 0.1, 0.0], *LOW, 50.0, 5.0, -2.2, -1.0, *[None] * 4),
        ("ann", probability, 45.5, 0.125, 0.875, *[0.9, 0.7, 0.5, 0.2], *HIGH, 900.0, 720.0, 1.4, -1.0, *LOUD),
        ("cho", *[None] * 8, "none", "no_order", "none", None, "level", *[None] * 8),
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def reasons_of(customer: str = "ann") -> pd.DataFrame:
    rows = [
        (customer, 2, "orders_90d", "transaction", 1.0, None, None, 0.9, 0.1, "1 order in 90 days.", *UNTOLD),
        (customer, 1, "days_since_last_order", "transaction", 42.0, 20.0, 21.0, 1.5, 0.3, "Silent 42 days.", *TOLD),
    ]
    return pd.DataFrame(rows, columns=list(REASON_COLUMNS))


def count(plain: sa.Engine, what: str) -> int:
    with plain.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {what}").scalar_one())


def test_what_was_published_is_read_back_to_the_last_bit(store: Store) -> None:
    third = 1 / 3
    published = store.publish(run_of(), scores_of(third), reasons_of(), clock=clock)
    assert (published.customers, published.reasons, published.unchanged) == (3, 2, False)
    assert published.run == run_of()
    assert published.published_at == clock()
    scores = store.scores(DAY)
    assert scores["customer_id"].tolist() == ["ann", "bob", "cho"]
    assert scores.loc[0, "churn_probability"] == third
    assert np.isnan(scores.loc[2, "churn_probability"])
    assert scores.loc[0, ["churn_low", "churn_high"]].tolist() == [0.125, 0.875]
    assert scores[["churn_low", "churn_high"]].isna().all(axis=1).tolist() == [False, True, True]
    assert scores["completeness"].isna().tolist() == [False, False, True]
    assert scores["completeness"].tolist()[:2] == ["A", "C"]
    assert scores["shown"].tolist() == ["percent", "level", "level"]
    assert (scores["as_of"] == pd.Timestamp(DAY)).all()
    assert (scores["model_version"] == "m1").all()
    assert scores.loc[0, ["queue", "stage", "level_parts", "early_place"]].tolist() == list(LOUD)
    assert scores.loc[1:, ["queue", "stage", "level_parts", "early_place"]].isna().all(axis=None)
    reasons = store.reasons(DAY)
    assert reasons["position"].tolist() == [1, 2]
    assert reasons["text"].tolist() == ["Silent 42 days.", "1 order in 90 days."]
    assert reasons["usual_value"].tolist()[0] == 20.0
    assert np.isnan(reasons["usual_value"].tolist()[1])
    assert reasons["role"].tolist() == ["reason", "rest"]
    assert reasons["concept"].tolist() == ["order_rhythm", "other"]
    assert reasons["said"].tolist()[0] == TOLD[2]
    assert reasons["said"].isna().tolist() == [False, True]


def test_the_ledger_keeps_moments_whatever_the_zone_they_are_told_in(store: Store) -> None:
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    store.publish(run_of(), scores_of(), reasons_of(), clock=lambda: tokyo)
    published = store.published(DAY)
    assert published is not None
    assert (published.published_at, published.published_at.tzinfo) == (NOON, UTC)
    with pytest.raises(StoreError, match="must carry its time zone"):
        store.publish(
            run_of("r2", data="f2"), scores_of(), reasons_of(), clock=lambda: NOON.replace(tzinfo=None), supersede=True
        )


def test_one_customer_may_be_read_alone(store: Store) -> None:
    store.publish(run_of(), scores_of(), reasons_of(), clock=clock)
    assert store.scores(DAY, "bob")["level"].tolist() == ["none"]
    assert len(store.reasons(DAY, "ann")) == 2
    assert store.reasons(DAY, "bob").empty


def test_an_unpublished_day_is_an_empty_frame_of_the_same_shape(store: Store) -> None:
    store.publish(run_of(), scores_of(), reasons_of(), clock=clock)
    other = date(2026, 3, 2)
    assert store.published(other) is None
    assert store.scores(other).empty
    assert store.scores(other).dtypes.equals(store.scores(DAY).dtypes)
    assert store.reasons(other).dtypes.equals(store.reasons(DAY).dtypes)


@pytest.mark.parametrize("days", [[], [1], [3, 1, 2]])
def test_the_latest_day_is_the_newest_published_one(store: Store, days: list[int]) -> None:
    for day in days:
        store.publish(run_of(f"run-{day}", date(2026, 3, day)), scores_of(), reasons_of(), clock=clock)
    assert store.latest_as_of() == (date(2026, 3, max(days)) if days else None)


@pytest.mark.parametrize(("day", "before"), [(1, None), (2, 1), (3, 1), (4, 3), (5, 3)])
def test_the_day_before_is_the_newest_published_one_before(store: Store, day: int, before: int | None) -> None:
    for published in (1, 3):
        store.publish(run_of(f"run-{published}", date(2026, 3, published)), scores_of(), reasons_of(), clock=clock)
    assert store.day_before(date(2026, 3, day)) == (None if before is None else date(2026, 3, before))


def test_publishing_the_same_result_twice_changes_nothing_and_says_so(store: Store, plain: sa.Engine) -> None:
    first = store.publish(run_of("run-1"), scores_of(), reasons_of(), clock=clock)
    second = store.publish(run_of("run-2"), scores_of(), reasons_of(), clock=clock, supersede=True)
    assert second.unchanged
    assert second.run.run_id == "run-1"
    assert second.published_at == first.published_at
    assert (count(plain, "scoring_run"), count(plain, "score"), count(plain, "reason")) == (1, 3, 2)


def test_an_unchanged_result_is_not_even_read(store: Store) -> None:
    store.publish(run_of("run-1"), scores_of(), reasons_of(), clock=clock)

    def frames() -> Iterator[pd.DataFrame]:
        raise AssertionError("read")
        yield scores_of()

    assert store.publish(run_of("run-2"), frames(), frames(), clock=clock).unchanged


@pytest.mark.parametrize(
    ("model", "data", "said"),
    [
        ("m2", "f1", "model_version 'm1' is published, this run has 'm2'. Pass --supersede"),
        ("m1", "f2", "input_fingerprint 'f1' is published, this run has 'f2'. Pass --supersede"),
        ("m2", "f2", "model_version 'm1' .*; input_fingerprint 'f1' .*. Pass --supersede"),
    ],
)
def test_a_contradiction_of_a_published_day_is_refused(store: Store, model: str, data: str, said: str) -> None:
    store.publish(run_of(), scores_of(0.8), reasons_of(), clock=clock)
    with pytest.raises(StoreError, match=said) as refused:
        store.publish(run_of("run-2", model=model, data=data), scores_of(0.2), reasons_of(), clock=clock)
    assert "\n" not in str(refused.value)
    assert store.scores(DAY, "ann")["churn_probability"].tolist() == [0.8]


def test_a_superseding_run_is_read_and_the_old_one_is_kept(store: Store, plain: sa.Engine) -> None:
    store.publish(run_of("run-1"), scores_of(0.8), reasons_of(), clock=clock)
    published = store.publish(
        run_of("run-2", model="m2"), scores_of(0.2), reasons_of("bob"), clock=clock, supersede=True
    )
    assert published.supersedes == "run-1"
    assert store.published(DAY) == published
    assert store.scores(DAY, "ann")["churn_probability"].tolist() == [0.2]
    assert set(store.reasons(DAY)["customer_id"]) == {"bob"}
    assert count(plain, "score WHERE run_id = 'run-1'") == 3
    with plain.connect() as connection:
        old = connection.exec_driver_sql(
            "SELECT state, superseded_by, superseded_at IS NULL FROM scoring_run WHERE run_id = 'run-1'"
        ).one()
    assert tuple(old) == ("superseded", "run-2", False)


def test_nobody_sees_a_run_before_it_is_published_and_others_may_write(store: Store, url: str) -> None:
    seen: list[int] = []

    def frames() -> Iterator[pd.DataFrame]:
        for start in range(3):
            with Store.open(url, create=False) as reader:
                seen.append(len(reader.scores(DAY)))
                reader.record_ingest(IngestReport(f"ingest-{start}", NOON, "f", {}))
            yield scores_of()[start : start + 1]

    store.publish(run_of(), frames(), reasons_of(), clock=clock)
    assert seen == [0, 0, 0]
    assert len(store.scores(DAY)) == 3


def test_frames_of_any_size_are_staged_in_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving.publication, "BATCH_ROWS", 4)
    many = pd.concat([scores_of().assign(customer_id=[f"{i}a", f"{i}b", f"{i}c"]) for i in range(5)])
    assert store.publish(run_of(), many, [reasons_of("1a"), reasons_of("4c")], clock=clock).customers == 15
    assert len(store.scores(DAY)) == 15
    assert len(store.reasons(DAY)) == 4


def test_an_interrupted_publication_is_invisible_and_swept_by_the_next(
    store: Store, plain: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving.publication, "BATCH_ROWS", 2)

    def broken() -> Iterator[pd.DataFrame]:
        yield reasons_of()
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        store.publish(run_of("run-1"), scores_of(), broken(), clock=clock)
    assert (store.published(DAY), len(store.scores(DAY)), len(store.reasons(DAY))) == (None, 0, 0)
    assert (count(plain, "score"), count(plain, "reason")) == (3, 2)
    store.publish(run_of("run-2", date(2026, 3, 2)), scores_of(), reasons_of(), clock=clock)
    assert (count(plain, "scoring_run"), count(plain, "score"), count(plain, "reason")) == (1, 3, 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_is_refused_and_nothing_is_published(store: Store, value: float) -> None:
    with pytest.raises(StoreError, match=r"churn_probability is .* in 1 rows \(customers \['ann'\]\)"):
        store.publish(run_of(), scores_of(value), reasons_of(), clock=clock)
    assert store.published(DAY) is None


def test_a_customer_in_two_frames_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="a customer occurs twice"):
        store.publish(run_of(), [scores_of(), scores_of()], reasons_of(), clock=clock)
    assert store.published(DAY) is None


def test_a_reason_without_a_score_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match=r"reason rows of 2026-03-01: .* a row has no score"):
        store.publish(run_of(), scores_of(), reasons_of("zoe"), clock=clock)
    assert store.published(DAY) is None


def test_a_day_without_customers_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="expected one row per customer, found none"):
        store.publish(run_of(), scores_of()[:0], reasons_of()[:0], clock=clock)


def test_a_run_id_is_used_once(store: Store) -> None:
    store.publish(run_of("run-1"), scores_of(), reasons_of(), clock=clock)
    with pytest.raises(StoreError, match="'run-1' is already in the ledger"):
        store.publish(run_of("run-1", date(2026, 3, 2)), scores_of(), reasons_of(), clock=clock)


def test_two_publications_of_one_store_do_not_overlap(store: Store) -> None:
    def frames() -> Iterator[pd.DataFrame]:
        with pytest.raises(StoreError, match=r"another process has been writing for 0\.05 seconds"):
            store.publish(run_of("run-2"), scores_of(), reasons_of(), clock=clock)
        yield scores_of()

    assert store.publish(run_of("run-1"), frames(), reasons_of(), clock=clock).run.run_id == "run-1"


@pytest.mark.parametrize(("data", "unchanged"), [("f1", True), ("f2", False)])
def test_the_last_step_looks_again_should_the_lock_have_been_lost(
    store: Store, plain: sa.Engine, data: str, unchanged: bool
) -> None:
    def frames() -> Iterator[pd.DataFrame]:
        yield scores_of()
        with plain.execution_options(writing=True).begin() as connection:
            rival = {"customers": 0, "reasons": 0, "state": "published", "published_at": NOON}
            connection.execute(SCORING_RUN.insert(), {**asdict(run_of("rival")), **rival})

    if unchanged:
        published = store.publish(run_of(data=data), frames(), reasons_of(), clock=clock)
        assert (published.unchanged, published.run.run_id) == (True, "rival")
    else:
        with pytest.raises(StoreError, match="already published by run rival"):
            store.publish(run_of(data=data), frames(), reasons_of(), clock=clock)
    assert count(plain, "scoring_run WHERE state = 'published'") == 1
    assert store.scores(DAY).empty


def test_rows_that_vanish_before_the_last_step_are_noticed(store: Store, plain: sa.Engine) -> None:
    def frames() -> Iterator[pd.DataFrame]:
        yield scores_of()
        with plain.execution_options(writing=True).begin() as connection:
            connection.exec_driver_sql("DELETE FROM score WHERE customer_id = 'bob'")

    with pytest.raises(StoreError, match="wrote 3 of score, found 2 before publishing"):
        store.publish(run_of(), frames(), reasons_of(), clock=clock)
    assert store.published(DAY) is None


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE score SET level = 'purple'", "ck_score_level"),
        ("UPDATE score SET history = 'long'", "ck_score_history"),
        ("UPDATE score SET cohort = '' WHERE customer_id = 'bob'", "ck_score_cohort"),
        ("UPDATE score SET churn_probability = 1.01 WHERE customer_id = 'bob'", "ck_score_churn_probability_share"),
        ("UPDATE score SET p_no_order_180 = -0.01", "ck_score_p_no_order_180_share"),
        ("UPDATE score SET p_no_order_60 = 0.95 WHERE customer_id = 'ann'", "ck_score_horizons_fall"),
        ("UPDATE score SET p_no_order_90 = NULL WHERE customer_id = 'ann'", "ck_score_horizons_together"),
        ("UPDATE score SET margin = NULL WHERE customer_id = 'ann'", "ck_score_known_with_history"),
        ("UPDATE score SET churn_window_days = 0", "ck_score_churn_window_days"),
        ("UPDATE score SET churn_low = -0.01 WHERE customer_id = 'ann'", "ck_score_churn_low_share"),
        ("UPDATE score SET churn_high = 1.01 WHERE customer_id = 'ann'", "ck_score_churn_high_share"),
        ("UPDATE score SET churn_low = 0.81 WHERE customer_id = 'ann'", "ck_score_interval_order"),
        ("UPDATE score SET churn_high = 0.79 WHERE customer_id = 'ann'", "ck_score_interval_order"),
        ("UPDATE score SET churn_low = NULL WHERE customer_id = 'ann'", "ck_score_interval_together"),
        ("UPDATE score SET churn_low = 0, churn_high = 1 WHERE customer_id = 'bob'", "ck_score_interval_in_cohort"),
        ("UPDATE score SET completeness = 'E' WHERE customer_id = 'ann'", "ck_score_completeness"),
        ("UPDATE score SET completeness = 'D' WHERE customer_id = 'cho'", "ck_score_completeness_with_history"),
        ("UPDATE score SET shown = 'both'", "ck_score_shown"),
        ("UPDATE score SET shown = 'percent'", "ck_score_percent_with_probability"),
        ("UPDATE score SET queue = 'late' WHERE customer_id = 'ann'", "ck_score_queue"),
        ("UPDATE score SET stage = 'gone' WHERE customer_id = 'ann'", "ck_score_stage"),
        ("UPDATE score SET early_place = 1.01 WHERE customer_id = 'ann'", "ck_score_early_place_share"),
        ("UPDATE reason SET position = 0 WHERE position = 1", "ck_reason_position"),
        ("UPDATE reason SET role = 'cause'", "ck_reason_role"),
        ("UPDATE reason SET concept = ''", "ck_reason_concept"),
        ("UPDATE scoring_run SET state = 'done'", "ck_scoring_run_state"),
        ("UPDATE ingest_run SET clean = clean + 1", "ck_ingest_run_conservation"),
    ],
)
def test_the_database_itself_refuses_what_the_contract_forbids(
    store: Store, plain: sa.Engine, statement: str, constraint: str
) -> None:
    store.publish(run_of(), scores_of(), reasons_of(), clock=clock)
    store.record_ingest(IngestReport("ingest-1", NOON, "f1", {"quotes": TableCount(1, 1, 0, 0)}))
    with pytest.raises(sa.exc.IntegrityError, match=constraint), plain.begin() as connection:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("column", ["margin", "expected_loss", "p_no_order_30", "churn_low"])
def test_the_database_itself_refuses_what_is_not_finite(
    store: Store, plain: sa.Engine, column: str, value: str
) -> None:
    store.publish(run_of(), scores_of(), reasons_of(), clock=clock)
    changed = sa.text(f"UPDATE score SET {column} = :value WHERE customer_id = 'ann'")
    with pytest.raises(sa.exc.IntegrityError, match="ck_score_"), plain.begin() as connection:
        connection.execute(changed, {"value": float(value)})


def test_a_day_cannot_have_two_published_runs(store: Store, plain: sa.Engine) -> None:
    store.publish(run_of(), scores_of(), reasons_of(), clock=clock)
    with pytest.raises(sa.exc.IntegrityError), plain.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO scoring_run SELECT 'run-2', as_of, model_version, input_fingerprint, state,"
            " customers, reasons, created_at, published_at, superseded_at, superseded_by, NULL, NULL FROM scoring_run"
        )


def test_the_views_show_plain_sql_the_columns_that_the_store_reads(store: Store, plain: sa.Engine) -> None:
    assert store.latest_as_of() is None
    inspector = sa.inspect(plain)
    for view in (SCORES, REASONS, LEVEL_CHANGES):
        assert [column["name"] for column in inspector.get_columns(view.name)] == [c.name for c in view.columns]


def test_an_ingest_account_is_kept_once(store: Store) -> None:
    tables = {
        "transactions": TableCount(10, 7, 2, 1, {"amount: not finite": 2}),
        "quotes": TableCount(3, 3, 0, 0),
    }
    report = IngestReport("ingest-1", NOON, "f1", tables)
    store.record_ingest(report)
    store.record_ingest(report)
    assert store.ingest("ingest-1") == report
    assert store.ingest("ingest-2") is None
    with pytest.raises(StoreError, match="'ingest-1' already has another account"):
        store.record_ingest(IngestReport("ingest-1", NOON, "f2", tables))
