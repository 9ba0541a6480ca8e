"""Losses to come: what counts as one by the orders alone, and what may warn of it."""

import json

import numpy as np
import pandas as pd
import pytest

from features.snapshots import ELIGIBLE
from models import label_free
from models.contestants import Training
from models.early import Early, EarlyTarget, FittedEarly, change_columns

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
