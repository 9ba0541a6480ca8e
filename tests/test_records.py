"""What may leave the system, and what may not."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from features.errors import StoreError
from models import reasons as why
from serving.records import (
    REASON_COLUMNS,
    ROLES,
    SCORE_COLUMNS,
    IngestReport,
    ScoringRun,
    TableCount,
    day_of,
    reason_rows,
    score_rows,
)

DAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

# customer, P(window), window, its interval, P(30) to P(180), level, cohort, history, completeness, shown,
# value at risk, loss, margin, base; queue, stage, parts of the level, early place
ANN = ("ann", 0.8, 45.0, 0.7, 0.9, 0.9, 0.7, 0.5, 0.2, "red", "eligible", "enough", "A", "percent", 900, 720, 1.4, -1)
BOB = ("bob", 0.1, 60.0, None, None, 0.3, 0.1, 0.1, 0, "none", "dormant", "short", "C", "level", 50, 5, -2.2, -1)
CHO = ("cho", *[None] * 8, "none", "no_order", "none", None, "level", *[None] * 4)
MORE = (("early", "cooling", "model:red health:blue", 0.75), (None, "lost", None, None), (None, None, None, None))
SCORES = pd.DataFrame(
    [(*row, *more) for row, more in zip((ANN, BOB, CHO), MORE, strict=True)], columns=list(SCORE_COLUMNS)
)
REASONS = pd.DataFrame(
    [
        (
            *("ann", 1, "days_since_last_order", "transaction", 42.0, 20.0, 21.0, 1.5, 0.3, "Silent for 42 days."),
            *("reason", "order_rhythm", '[{"message": "Silent for {n}.", "slots": {"n": ["days", 42]}}]'),
        ),
        (
            *("ann", 2, "orders_90d", "transaction", 1.0, None, None, -0.1, -0.1, "1 order in 90 days."),
            *("rest", "other", None),
        ),
    ],
    columns=list(REASON_COLUMNS),
)


def changed(frame: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    """Return a copy with one cell changed."""
    values = frame[column].astype(object)
    values[row] = value
    return frame.assign(**{column: values})


def test_rows_keep_every_number_and_give_none_for_unknown() -> None:
    rows = score_rows(SCORES, DAY)
    assert rows[0]["p_no_order_30"] == 0.9
    assert rows[2]["churn_probability"] is None
    assert [(row["churn_low"], row["churn_high"]) for row in rows] == [(0.7, 0.9), (None, None), (None, None)]
    assert [(row["completeness"], row["shown"]) for row in rows] == [("A", "percent"), ("C", "level"), (None, "level")]
    assert reason_rows(REASONS, DAY)[1]["usual_value"] is None
    assert [row["level_parts"] for row in rows] == ["model:red health:blue", None, None]
    assert [(row["queue"], row["stage"], row["early_place"]) for row in rows] == [
        ("early", "cooling", 0.75),
        (None, "lost", None),
        (None, None, None),
    ]
    assert [row["position"] for row in reason_rows(REASONS, DAY)] == [1, 2]
    assert [(row["role"], row["concept"], row["said"]) for row in reason_rows(REASONS, DAY)] == [
        ("reason", "order_rhythm", '[{"message": "Silent for {n}.", "slots": {"n": ["days", 42]}}]'),
        ("rest", "other", None),
    ]


def test_the_order_of_columns_does_not_matter() -> None:
    assert score_rows(SCORES[SCORES.columns[::-1]], DAY) == score_rows(SCORES, DAY)


@pytest.mark.parametrize(
    ("row", "column", "value", "said"),
    [
        (0, "churn_probability", np.nan, r"churn_probability is missing \(NaN\) though there is a history"),
        (1, "margin", None, r"margin is missing \(NaN\) though there is a history"),
        (0, "expected_loss", np.inf, "expected_loss is infinite"),
        (2, "value_at_risk", -np.inf, "value_at_risk is infinite"),
        (0, "churn_probability", 1.01, "churn_probability is outside 0 to 1"),
        (1, "p_no_order_180", -0.01, "p_no_order_180 is outside 0 to 1"),
        (0, "p_no_order_60", 0.91, "p_no_order_60 is above p_no_order_30"),
        (2, "p_no_order_30", 0.5, "only one of p_no_order_30 and p_no_order_60 is missing"),
        (0, "churn_window_days", 0.0, "churn_window_days is not above 0"),
        (0, "base_margin", "high", "base_margin is not a column of numbers"),
        (0, "churn_low", -0.01, "churn_low is outside 0 to 1"),
        (0, "churn_high", 1.01, "churn_high is outside 0 to 1"),
        (0, "churn_high", np.inf, "churn_high is infinite"),
        (0, "churn_low", 0.81, "churn_low is above churn_probability"),
        (0, "churn_high", 0.79, "churn_high is below churn_probability"),
        (0, "churn_low", None, "only one of churn_low and churn_high is missing"),
        (0, "churn_high", np.nan, "only one of churn_low and churn_high is missing"),
        (0, "cohort", "dormant", "churn_low and churn_high are given outside the cohort"),
        (0, "churn_probability", None, "churn_low and churn_high stand without a churn_probability"),
        (0, "completeness", "E", r"completeness is not one of \['A', 'B', 'C', 'D'\] though there is a history"),
        (1, "completeness", None, "completeness is not one of .* though there is a history"),
        (2, "completeness", "D", "completeness is given though there is no history"),
        (0, "shown", "percentage", r"shown is not one of \['percent', 'level'\]"),
        (1, "shown", None, "shown is not a text"),
        (2, "shown", "percent", "shown is percent without a churn_probability"),
        (0, "level", "purple", "level is not one of"),
        (0, "level", "none", "level_parts is given though the level is none"),
        (1, "level", "blue", "level_parts is not a text though there is a level"),
        (0, "level_parts", "", "level_parts is not a text though there is a level"),
        (0, "level_parts", 7, "level_parts is not a text though there is a level"),
        (0, "queue", None, "queue is not one of .* in the cohort"),
        (0, "queue", "late", "queue is not one of .* in the cohort"),
        (1, "queue", "overdue", "queue is given outside the cohort"),
        (0, "stage", "gone", "stage is not one of"),
        (0, "early_place", 1.01, "early_place is outside 0 to 1"),
        (1, "early_place", -0.01, "early_place is outside 0 to 1"),
        (2, "early_place", np.inf, "early_place is infinite"),
        (0, "history", "long", "history is not one of"),
        (0, "cohort", "", "cohort is not a text"),
        (0, "customer_id", None, "customer_id is not a text"),
        (1, "customer_id", "ann", "customer_id occurs more than once"),
    ],
)
def test_a_score_that_breaks_a_promise_is_refused(row: int, column: str, value: object, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        score_rows(changed(SCORES, row, column, value), DAY)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.8, 0.8), (None, None)])
def test_an_interval_may_touch_its_probability_and_may_be_unknown(low: float | None, high: float | None) -> None:
    row = score_rows(changed(changed(SCORES, 0, "churn_low", low), 0, "churn_high", high), DAY)[0]
    assert (row["churn_low"], row["churn_high"]) == (low, high)


@pytest.mark.parametrize("unknown", [None, np.nan, pd.NA])
@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_a_grade_that_is_unknown_leaves_as_none_however_the_frame_says_it(unknown: object, dtype: str) -> None:
    frame = SCORES.assign(completeness=pd.Series(["A", "C", unknown], dtype=dtype))
    assert [row["completeness"] for row in score_rows(frame, DAY)] == ["A", "C", None]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("contribution", np.nan, r"contribution is missing \(NaN\)"),
        ("contribution_points", np.inf, "contribution_points is infinite"),
        ("value", np.inf, "value is infinite"),
        ("position", 0, "position is not 1, 2, 3"),
        ("position", 1.5, "position is not 1, 2, 3"),
        ("position", None, "position is not 1, 2, 3"),
        ("position", 2, "customer_id and position occurs more than once"),
        ("text", "", "text is not a text"),
        ("concept", None, "concept is not a text"),
        ("role", "cause", r"role is not one of \['reason', 'against', 'small', 'rest'\]"),
        ("role", None, "role is not one of"),
        ("said", "Silent for 42 days.", "said is not a list as JSON"),
        ("said", '{"days": 42}', "said is not a list as JSON"),
        ("said", "[NaN]", "said is not a list as JSON"),
        ("said", [42], "said is not a list as JSON"),
        ("said", "", "said is not a list as JSON"),
    ],
)
def test_a_reason_that_breaks_a_promise_is_refused(column: str, value: object, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        reason_rows(changed(REASONS, 0, column, value), DAY)


@pytest.mark.parametrize("unknown", [None, np.nan, pd.NA])
@pytest.mark.parametrize("dtype", ["str", "object"])
def test_a_sentence_without_codes_leaves_as_none_however_the_frame_says_it(unknown: object, dtype: str) -> None:
    frame = REASONS.assign(said=pd.Series(["[]", unknown], dtype=dtype))
    assert [row["said"] for row in reason_rows(frame, DAY)] == ["[]", None]


def test_what_a_reason_may_be_is_what_the_model_says_of_one() -> None:
    assert ROLES == why.ROLES


def test_all_problems_of_a_frame_are_told_at_once_with_the_customers() -> None:
    bad = changed(changed(SCORES, 0, "level", "purple"), 1, "margin", np.inf)
    with pytest.raises(StoreError, match=r"level .* in 1 rows \(customers \['ann'\]\).*margin .*\['bob'\]"):
        score_rows(bad, DAY)


def test_a_missing_or_unknown_column_is_named() -> None:
    with pytest.raises(StoreError, match=r"missing: \['level'\], unknown: \['colour'\]"):
        score_rows(SCORES.rename(columns={"level": "colour"}), DAY)


@pytest.mark.parametrize(("day", "fits"), [("2026-02-28", False), ("2026-03-01", True), ("2026-03-02", False)])
def test_rows_of_another_day_are_refused(day: str, fits: bool) -> None:
    frame = SCORES.assign(as_of=pd.Timestamp(day))
    if fits:
        assert len(score_rows(frame, DAY)) == 3
    else:
        with pytest.raises(StoreError, match="as_of is of another day in 3 rows"):
            score_rows(frame, DAY)


@pytest.mark.parametrize("as_of", [DAY, datetime(2026, 3, 1), pd.Timestamp("2026-03-01")])  # noqa: DTZ001
def test_a_cutoff_is_a_day_however_it_is_given(as_of: date) -> None:
    assert day_of(as_of) == DAY
    assert type(ScoringRun("r", as_of, "m", "f", NOON).as_of) is date


@pytest.mark.parametrize("as_of", [datetime(2026, 3, 1, 0, 0, 1), pd.Timestamp("2026-02-28 23:59:59")])  # noqa: DTZ001
def test_a_moment_within_a_day_is_no_cutoff(as_of: date) -> None:
    with pytest.raises(StoreError, match="must be a midnight"):
        day_of(as_of)


def test_a_run_needs_its_names_and_a_time_zone() -> None:
    with pytest.raises(StoreError, match="needs a model_version"):
        ScoringRun("r", DAY, "", "f", NOON)
    with pytest.raises(StoreError, match="must carry its time zone"):
        ScoringRun("r", DAY, "m", "f", NOON.replace(tzinfo=None))


@pytest.mark.parametrize(("clean", "adds_up"), [(6, False), (7, True), (8, False)])
def test_an_ingest_account_must_add_up(clean: int, adds_up: bool) -> None:
    tables = {"transactions": TableCount(10, clean, 2, 1, {"amount: not finite": 2})}
    if adds_up:
        assert IngestReport("i", NOON, "f", tables).tables["transactions"].clean == 7
    else:
        with pytest.raises(StoreError, match="transactions: 10 rows came in"):
            IngestReport("i", NOON, "f", tables)


def test_an_ingest_account_has_no_negative_counts() -> None:
    with pytest.raises(StoreError, match="negative"):
        IngestReport("i", NOON, "f", {"quotes": TableCount(1, 2, -1, 0)})
