"""Losses to come: what counts as one by the orders alone, and what may warn of it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.snapshots import ELIGIBLE
from models import early, label_free
from models.classifiers import RHYTHM
from models.contestants import Training
from models.early import Early, EarlyRecord, EarlyTarget, FittedEarly, change_columns, learn, standing
from models.evaluation import wilson
from models.levels import EARLY, Level, Promise, queue_of
from models.ranks import Ranks

DAY_0 = pd.Timestamp("2024-01-01")
SIGNAL = "reply_hours_90d_vs_usual"
STATE = "revenue_365d"
#: The first so many of the 200 drawn customers leave.
LEAVE = 60


def book_of(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"as_of": pd.Timestamp("2024-12-31"), **columns})


# --- the label


def labels(dates: list[str], dropped_out: float = 0.8, silent: float = 100.0, gap: float = 20.0) -> list[float]:
    """Of one customer, whose loss is dated half a gap after its last order: by default on 2024-10-02."""
    rows = pd.DataFrame({"customer_id": "A", "as_of": pd.to_datetime(dates)})
    book = book_of(customer_id=["A"], days_since_last_order=[silent], gap_median_days_ever=[gap])
    return EarlyTarget().label(rows, book, np.array([dropped_out])).tolist()


def test_the_chance_of_a_loss_counts_for_the_snapshots_in_the_days_before_it():
    assert labels(["2024-06-03", "2024-06-04", "2024-07-01", "2024-09-02"]) == pytest.approx([0.0, 0.8, 0.8, 0.8])


def test_whoever_had_probably_gone_by_the_snapshot_teaches_nothing_about_losses_to_come():
    gone = {"silent": 200.0}  # lost on 2024-06-24
    assert labels(["2024-06-23", "2024-07-01"], **gone) == pytest.approx([0.8, np.nan], nan_ok=True)
    assert labels(["2024-06-23", "2024-07-01"], dropped_out=0.2, **gone) == pytest.approx([0.2, 0.0])


def test_a_snapshot_has_no_label_before_its_days_are_over_however_much_is_known_by_then():
    assert labels(["2024-09-02", "2024-09-03"], dropped_out=0.0) == pytest.approx([0.0, np.nan], nan_ok=True)


def test_without_a_gap_of_its_own_a_loss_is_dated_by_the_usual_one_and_strangers_have_no_label():
    rows = pd.DataFrame({"customer_id": ["A", "B"], "as_of": pd.Timestamp("2024-06-03")})
    book = book_of(customer_id=["A", "C"], days_since_last_order=[100.0, 5.0], gap_median_days_ever=[np.nan, 18.0])
    # Half of 18 days after 2024-09-22 is 2024-10-01, 120 days after the snapshot; with A's own 20 it would be 121.
    found = EarlyTarget().label(rows, book, np.array([0.8, 0.1]))
    assert found.tolist() == pytest.approx([0.8, np.nan], nan_ok=True)


# --- what it is learnt from


def test_only_comparisons_with_the_own_usual_the_past_or_peers_may_warn():
    names = ("days_since_last_order", "revenue_90d", "revenue_90d_usual", "revenue_90d_z", "orders_change_30d")
    assert change_columns((*names, SIGNAL, "order_value_slope_365d", "zone")) == (
        "revenue_90d_z",
        "orders_change_30d",
        SIGNAL,
        "order_value_slope_365d",
    )


def company(dates: int = 8, customers: int = 200) -> Training:
    """Customers who order every ten days; the first of them answer later than usual and order last about day 135."""
    rng = np.random.default_rng(0)
    leaves = np.tile(np.arange(customers) < LEAVE, dates)
    day = np.repeat(30.0 * np.arange(dates), customers)
    last = np.where(leaves, np.minimum(day, 140.0), day) - rng.integers(1, 8, dates * customers)
    rows = pd.DataFrame(
        {
            "customer_id": np.tile([f"C{i:03d}" for i in range(customers)], dates),
            "as_of": DAY_0 + pd.to_timedelta(day, unit="D"),
            "segment": "all",
            "cohort": ELIGIBLE,
            "churn_window_days": 45,
            "days_since_first_order": 400 + day,
            "days_since_last_order": day - last,
            "order_days_ever": np.floor((400 + last) / 10),
            "gap_median_days_ever": 10.0,
            SIGNAL: rng.normal(0, 1, dates * customers) + leaves,
            STATE: rng.normal(0, 1, dates * customers) + 3 * leaves,
            "days_to_next_order": np.nan,
            "observed_days": (30 * (dates - 1) - day).astype("int64"),
        }
    )
    rows = label_free.attach(rows, seed=0)
    book = rows[rows["as_of"] == rows["as_of"].max()]
    return Training(rows[rows["as_of"] < book["as_of"].max()], book, (SIGNAL, STATE), seed=0, threads=1)


@pytest.fixture(scope="module")
def learnt() -> tuple[Training, FittedEarly]:
    training = company()
    fitted = Early(strength=0.1).fit(training)
    assert fitted is not None
    return training, fitted


def test_signals_before_a_loss_raise_the_chance_and_states_have_no_say(learnt):
    training, fitted = learnt
    assert fitted.columns == (SIGNAL,)
    assert fitted.line[0] > 0
    first = training.rows[training.rows["as_of"] == DAY_0].sort_values(SIGNAL)
    assert (np.diff(fitted.chances(first)) >= 0).all()


def test_the_mean_chance_is_that_of_the_labels(learnt):
    training, fitted = learnt
    # Lost about day 140: of the dates whose days are over on day 210 those of day 30, 60 and 90 lie within 120 days.
    over = training.rows[training.rows["as_of"] <= DAY_0 + pd.Timedelta(days=90)]
    assert fitted.chances(over).mean() == pytest.approx(3 * LEAVE / (4 * 200), abs=0.02)


def test_what_the_columns_add_makes_up_the_log_odds_and_an_unknown_value_adds_nothing(learnt):
    training, fitted = learnt
    rows = training.rows.head(5).assign(**{SIGNAL: [np.nan, -2.0, 0.0, 1.0, 3.0]})
    added = fitted.contributions(rows)
    assert added[0].tolist() == [0.0]
    np.testing.assert_allclose(fitted.intercept + added.sum(axis=1), fitted.margins(rows))


def test_it_is_the_same_after_a_manifest(learnt):
    training, fitted = learnt
    again = FittedEarly.from_dict(json.loads(json.dumps(fitted.to_dict())))
    np.testing.assert_array_equal(again.margins(training.rows), fitted.margins(training.rows))


def test_places_are_among_those_of_a_date_who_are_not_overdue(learnt):
    _, fitted = learnt
    frame = pd.DataFrame(
        {
            "as_of": [DAY_0] * 3 + [DAY_0 + pd.Timedelta(days=30)],
            "days_since_last_order": [10.0, 20.0, 60.0, 10.0],
            "churn_window_days": 45,
            SIGNAL: [0.0, 2.0, 3.0, -1.0],
        }
    )
    assert fitted.places(frame).tolist() == [0.5, 1.0, 0.0, 1.0]


def test_nothing_is_learnt_from_too_few_losses_or_dates():
    training = company()
    assert Early(min_losses=181).fit(training) is None  # 60 customers at three dates
    assert Early(min_slices=4, min_losses=1).fit(training) is not None
    assert Early(min_slices=5, min_losses=1).fit(training) is None


# --- the mark, and who comes first


def told(mark: Level | None = None) -> FittedEarly:
    """Warns by the signal itself."""
    ranks = Ranks((SIGNAL,), (tuple(np.linspace(-1, 1, 64)),))
    return FittedEarly(ranks, (1.0,), 0.0, Level("early", None, 0.2, 0.1) if mark is None else mark)


def remembered(lost: int) -> tuple[EarlyRecord, Training, Level]:
    """The mark after one date with 400 customers, of whom so many of the first 40 places are lost soon after."""
    rows = pd.DataFrame(
        {"customer_id": [f"C{i}" for i in range(400)], "as_of": DAY_0, "place": 1 - np.arange(400) / 400}
    )
    soon = np.where(np.arange(400) < lost, 245.0, 5.0)  # lost 110 days after the snapshot, or not at all
    book = rows[["customer_id"]].assign(
        as_of=DAY_0 + pd.Timedelta(days=365), days_since_last_order=soon, gap_median_days_ever=0.0
    )
    training = Training(rows, book, ())
    dropped_out = (soon > 100).astype("float64")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(early, "_dropped_out", lambda *_: dropped_out)
        record = EarlyRecord(rows)
        return record, training, record.mark(training, None, EarlyTarget(), Promise(0.2, 0.1))


@pytest.mark.parametrize(
    ("lost", "from_place", "precision", "n"),
    [(7, 0.9150, 0.2, 35), (8, 0.9025, 0.2, 40), (20, 0.9025, 0.5, 40), (5, None, 0.125, 40), (0, None, 0.0, 40)],
)
def test_the_mark_is_the_lowest_place_that_kept_the_promise_or_off_with_its_record(lost, from_place, precision, n):
    _, _, mark = remembered(lost)
    assert (mark.threshold, mark.precision, mark.n) == (pytest.approx(from_place), precision, n)
    assert (mark.low, mark.high) == tuple(map(float, wilson(precision * n, n)))
    assert mark.promised == 0.2


def test_without_places_of_earlier_dates_there_is_no_mark_and_no_record(learnt):
    training, fitted = learnt
    assert (fitted.mark.threshold, fitted.mark.n) == (None, 0)
    record = EarlyRecord()
    assert record.with_places(training.book, None) is record
    rows = record.with_places(training.book, fitted).rows
    assert (rows["place"] > 0).all()
    assert len(rows) == (queue_of(training.book) == EARLY).sum()


def test_what_is_learnt_at_a_cutoff_has_the_mark_of_the_places_before_it(learnt):
    training, fitted = learnt
    past = EarlyRecord().with_places(training.rows[training.rows["as_of"] == DAY_0], fitted)
    rhythm = RHYTHM.fit(training)
    found = learn(training, rhythm, past, Promise(0.2, 0.5), Early(strength=0.1))
    assert found is not None
    assert found.mark.n >= 30
    assert replace(found, mark=fitted.mark) == fitted
    assert learn(training, rhythm, past, learner=Early(min_losses=181)) is None


QUEUES = pd.Series(["early", "overdue", "early", "overdue", "early"], index=[5, 6, 7, 8, 9])
CHANCES = pd.Series([0.2, 0.6, 0.4, 0.9, 0.4], index=QUEUES.index)


def test_the_early_queue_is_ordered_by_places_and_the_overdue_one_by_probability():
    margin = pd.Series([3.0, 9.0, 1.0, 9.0, 2.0], index=QUEUES.index)
    found = standing(told(Level("early", 0.9, 0.2, 0.34)), QUEUES, CHANCES, margin)
    assert found["queue_position"].tolist() == [1, 2, 3, 1, 2]
    assert found["early_place"].tolist() == pytest.approx([1, np.nan, 1 / 3, np.nan, 2 / 3], nan_ok=True)
    assert found["early_mark"].tolist() == [True, pd.NA, False, pd.NA, False]


def test_with_nothing_learnt_all_is_ordered_by_probability_and_nothing_is_marked():
    found = standing(None, QUEUES, CHANCES)
    assert found["queue_position"].tolist() == [3, 2, 1, 1, 2]
    assert found["early_place"].isna().all()
    assert found["early_mark"].isna().all()


def test_a_mark_that_is_off_marks_nobody():
    found = standing(told(), QUEUES, CHANCES, pd.Series(1.0, index=QUEUES.index))
    assert found["early_mark"].isna().all()
    assert found["queue_position"].tolist() == [3, 2, 1, 1, 2]  # equal places: by probability
