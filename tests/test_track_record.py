"""What became of the warnings: the treated apart, chance beside, every loss counted."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from models.evaluation import wilson
from models.levels import Promise
from models.track_record import EPISODES, LOSSES, OUTCOMES, Terms, first_alerts, promises_kept, track_record

TERMS = Terms(date(2026, 1, 1), date(2026, 4, 2), customers=40)  # 13 weeks
ROWS = [
    # id, customer, opened, closed, level, queue, owner, treated, value
    ("1", "A", "2026-01-05", None, "red", "early", "Abe", False, 100.0),
    ("2", "B", "2026-01-05", "2026-02-01", "red", "overdue", "Abe", False, 50.0),
    ("3", "B", "2026-02-20", None, "red", "early", "Abe", True, 50.0),
    ("4", "C", "2026-01-12", "2026-02-12", "blue", "early", "Sato", False, 10.0),
    ("5", "D", "2026-01-12", None, "blue", "early", "Sato", False, 20.0),
    ("6", "E", "2026-03-30", None, "blue", "early", "Sato", False, 30.0),
    ("7", "F", "2025-12-01", "2026-01-20", "blue", "early", "Sato", False, 40.0),
]
CAME = [
    # id, lost, reordered, expected, window ends, lost on
    ("1", 1.0, 0.0, "2026-01-15", "2026-02-19", "2026-03-06"),
    ("2", 0.0, 1.0, None, None, None),
    ("3", 0.0, 1.0, None, None, None),
    ("4", 0.0, 0.0, None, None, None),
    ("5", 1.0, 0.0, "2026-01-07", "2026-02-11", "2026-02-16"),
    ("7", 1.0, 0.0, "2025-12-11", "2026-01-15", "2026-01-30"),
]
LOST = [("A", "2026-03-06", 300.0), ("D", "2026-02-16", 100.0), ("F", "2026-01-30", 50.0), ("G", "2026-03-01", 550.0)]


def tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    return (
        pd.DataFrame(ROWS, columns=list(EPISODES)),
        pd.DataFrame(CAME, columns=list(OUTCOMES)),
        pd.DataFrame(LOST, columns=list(LOSSES)),
    )


@pytest.fixture(scope="module")
def record() -> pd.DataFrame:
    return track_record(*tables(), TERMS).set_index("level")


def test_every_level_has_its_row_from_the_loudest_on_and_all_together(record):
    assert list(record.index) == ["red", "orange", "yellow", "blue", "all"]
    assert record["episodes"].tolist() == [3, 0, 0, 3, 6]  # the seventh opened before


def test_precision_is_that_of_the_untreated_that_matured_with_its_interval(record):
    red, blue = record.loc["red"], record.loc["blue"]
    assert (red["hits"], red["matured"], red["precision"]) == (1, 2, 0.5)
    assert (blue["hits"], blue["matured"], blue["waiting"]) == (1, 2, 1)
    assert (red["low"], red["high"]) == tuple(map(float, wilson(1, 2)))
    assert record.loc["orange", ["precision", "low", "recall_high"]].isna().tolist() == [True, True, False]


def test_a_treated_customer_that_ordered_again_is_neither_hit_nor_false_alarm(record):
    red = record.loc["red"]
    assert (red["undetermined"], red["treated_lost"], red["treated_reordered"], red["false_alarms"]) == (1, 0, 1, 1)


def test_lead_times_run_to_the_expected_order_to_the_end_of_the_window_and_to_the_loss(record):
    names = ["lead_expected_days", "lead_window_days", "lead_loss_days"]
    assert record.loc["red", names].tolist() == [10, 45, 60]
    assert record.loc["blue", names].tolist() == [-5, 30, 35]  # the order was five days late by then
    assert record.loc["all", names].tolist() == [2.5, 37.5, 47.5]


def test_recall_is_of_all_losses_and_of_their_revenue_warned_about_or_not(record):
    every = record.loc["all"]
    assert (every["losses"], every["warned"], every["recall"]) == (4, 3, 0.75)
    assert every["revenue_recall"] == 0.45
    # F was warned about before the time began, G never.
    assert record.loc["blue", ["warned", "revenue_recall"]].tolist() == [2, 0.15]


def test_false_alarms_say_how_many_ordered_within_their_window(record):
    assert record["reordered_share"].tolist() == pytest.approx([1, np.nan, np.nan, 0, 0.5], nan_ok=True)


def test_the_burden_is_told_per_owner_and_week(record):
    assert record["per_owner_week"].tolist() == pytest.approx([3 / 26, 0, 0, 3 / 26, 6 / 26])


def test_the_share_already_overdue_and_the_share_that_flapped_are_told(record):
    assert record["overdue_share"].tolist() == pytest.approx([1 / 3, np.nan, np.nan, 0, 1 / 6], nan_ok=True)
    assert record["flapping"].tolist() == pytest.approx([1 / 3, np.nan, np.nan, 0, 1 / 6], nan_ok=True)


@pytest.mark.parametrize(("opened", "flapped"), [("2026-02-28", 1), ("2026-03-01", 1), ("2026-03-02", 0)])
def test_an_episode_flaps_within_the_cool_down_after_the_one_before(opened, flapped):
    episodes, outcomes, losses = tables()
    episodes.loc[2, "opened_on"] = opened  # the one before closed 28 days before 2026-03-01
    found = track_record(episodes, outcomes, losses, TERMS).set_index("level")
    assert found.loc["red", "flapping"] * 3 == flapped


def test_chance_at_as_many_customers_stands_beside(record):
    assert record["null_precision"].tolist() == [0.1] * 5  # 4 of 40 were lost
    assert record["null_recall"].tolist() == [0.05, 0, 0, 0.075, 0.125]  # 2 customers at red, 3 at blue
    unknown = track_record(*tables(), Terms(TERMS.first, TERMS.until))
    assert unknown["null_precision"].isna().all()


def test_without_any_warning_all_losses_were_missed():
    episodes, outcomes, losses = tables()
    found = track_record(episodes.head(0), outcomes.head(0), losses, TERMS).set_index("level")
    assert found.loc["all", ["episodes", "warned", "losses"]].tolist() == [0, 0, 4]


@pytest.mark.parametrize(
    ("opened", "lead"), [("2025-09-06", np.nan), ("2025-09-07", 180), ("2026-03-06", 0), ("2026-03-07", np.nan)]
)
def test_a_loss_is_warned_about_by_an_episode_of_the_days_before_it(opened, lead):
    episodes = pd.DataFrame({"customer_id": ["A"], "opened_on": [opened]})
    losses = pd.DataFrame({"customer_id": ["A"], "lost_on": ["2026-03-06"]})
    assert first_alerts(episodes, losses, 180)["lead_days"].tolist() == pytest.approx([lead], nan_ok=True)


def test_the_first_warning_is_the_earliest_one_and_each_loss_has_its_own():
    episodes = pd.DataFrame(
        {"customer_id": ["A", "A", "A"], "opened_on": ["2026-02-01", "2026-01-01", "2024-01-01"], "stage": list("xyz")}
    )
    losses = pd.DataFrame({"customer_id": ["B", "A", "A"], "lost_on": ["2026-03-01", "2026-03-01", "2024-03-01"]})
    found = first_alerts(episodes, losses.set_index(pd.Index([9, 4, 6])), 100)
    assert found["lead_days"].to_dict() == pytest.approx({9: np.nan, 4: 59, 6: 60}, nan_ok=True)
    assert found.loc[[4, 6], "stage"].tolist() == ["y", "z"]


def test_a_promise_is_kept_or_not_in_each_quarter_by_what_has_matured_untreated():
    episodes, outcomes, _ = tables()
    kept = promises_kept(episodes, outcomes, {"red": Promise(0.5, 0.1), "blue": Promise(0.6, 0.5)})
    columns = ["quarter", "level", "episodes", "hits", "n", "kept"]
    assert kept[columns].to_numpy().tolist() == [
        ["2025Q4", "red", 0, 0, 0, None],
        ["2025Q4", "blue", 1, 1, 1, True],
        ["2026Q1", "red", 3, 1, 2, True],
        ["2026Q1", "blue", 3, 1, 2, False],
    ]


def test_a_table_without_its_columns_is_refused():
    episodes, outcomes, losses = tables()
    with pytest.raises(ValueError, match=r"columns .* of episodes; \['treated'\] are missing"):
        track_record(episodes.drop(columns="treated"), outcomes, losses, TERMS)
