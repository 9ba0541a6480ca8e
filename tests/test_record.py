"""The record of a walk: what was said then, beside what is known now, read at any window."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from worlds import drawn_rows, matured_until, training

from features.labels import HORIZONS, churned
from features.windows import Window
from models.horizons import curve
from models.levels import queue_of
from models.record import Record, in_window, matured
from models.selection import COMPONENTS

NAMES = [f"{name}_{days}" for name in (*COMPONENTS, "champion") for days in HORIZONS]
#: Log-odds that fall with the horizon: .8, .6, .4 and .2.
FALLING = logit(np.array([0.8, 0.6, 0.4, 0.2]))


def recorded(rows: pd.DataFrame, champion: np.ndarray = FALLING) -> Record:
    """A record of all dates of the rows; the components count 0, 1, 2, ... over customers and horizons."""
    record = Record()
    for _, here in rows.groupby("as_of"):
        components = np.arange(3.0 * len(here) * 4).reshape(3, len(here), 4)
        record = record.with_predictions(here, components, np.tile(champion, (len(here), 1)))
    return record


def two_dates() -> pd.DataFrame:
    return drawn_rows(dates=2, customers=40)


def test_each_prediction_stands_beside_what_is_known_of_it():
    rows = two_dates()
    first, second = (rows[rows["as_of"] == day] for day in sorted(rows["as_of"].unique()))
    known = recorded(rows).known_at(training(first))
    assert len(known) == 40
    assert set(known["as_of"]) == set(first["as_of"])
    assert (known["customer_id"].to_numpy() == first["customer_id"].to_numpy()).all()
    assert (known["days_to_next_order"].to_numpy() == first["days_to_next_order"].to_numpy()).all()
    assert known.loc[0, ["lightgbm_30", "lightgbm_180", "logistic_30", "label_free_60"]].tolist() == [0, 3, 160, 321]
    assert known.loc[39, ["lightgbm_30", "logistic_180", "label_free_180"]].tolist() == [156, 319, 479]
    assert known.loc[0, [f"champion_{days}" for days in HORIZONS]].tolist() == FALLING.tolist()
    assert set(recorded(rows).known_at(training(second))["as_of"]) == set(second["as_of"])


def test_outcomes_are_those_of_the_date_that_asks():
    rows = two_dates()
    record, cutoff = recorded(rows), rows["as_of"].max() + pd.Timedelta(days=10)
    early, late = (record.known_at(training(given)) for given in (matured_until(rows, cutoff), rows))
    assert set(early["observed_days"]) == {40, 10}
    assert set(late["observed_days"]) == {400}
    assert early["days_to_next_order"].isna().sum() > late["days_to_next_order"].isna().sum()
    pd.testing.assert_frame_equal(early[NAMES], late[NAMES])


def test_a_record_grows_and_the_one_before_stays_as_it_was():
    rows = two_dates()
    one = recorded(rows[rows["as_of"] == rows["as_of"].min()])
    held = one.rows.copy()
    two = one.with_predictions(rows[rows["as_of"] == rows["as_of"].max()], np.zeros((3, 40, 4)), np.zeros((40, 4)))
    assert (len(one.rows), len(two.rows)) == (40, 80)
    pd.testing.assert_frame_equal(one.rows, held)
    pd.testing.assert_frame_equal(two.rows.head(40), held)


def test_before_the_first_prediction_nothing_is_known():
    assert Record().known_at(training(two_dates())).empty
    weighed = matured(Record().known_at(training(two_dates())), (0.5, 0.5, 0.0), 90)
    assert weighed.empty
    assert list(weighed.columns) == ["as_of", "margin", "label_free", "outcome"]


def test_a_customer_cannot_be_recorded_twice_at_a_date():
    rows = two_dates()
    twice = recorded(rows).with_predictions(rows.head(1), np.zeros((3, 1, 4)), np.zeros((1, 4)))
    with pytest.raises(pd.errors.MergeError):
        twice.known_at(training(rows))


# --- read at a window


@pytest.mark.parametrize("multiple", [1.0, 1.5, 2.0, 3.0])
def test_the_record_is_read_at_windows_of_any_multiple(multiple):
    rows = two_dates()
    rule = Window(min_days=30)
    read = in_window(recorded(rows).known_at(training(rows)), rule, multiple)
    window = (multiple * rows["long_gap_days"]).clip(30, 180).round()
    assert (read["churn_window_days"].to_numpy() == window.to_numpy()).all()
    assert (read["queue"] == queue_of(rows.reset_index(drop=True).assign(churn_window_days=window.to_numpy()))).all()
    _, margin = curve(np.tile(FALLING, (80, 1)), window)
    np.testing.assert_allclose(read["probability"], expit(margin), atol=1e-12)
    # The outcome of the window follows it as well.
    silent = churned(read)
    assert (silent == ~(read["days_to_next_order"] < read["churn_window_days"])).all()


def test_a_longer_window_is_likelier_to_see_an_order():
    rows = two_dates().assign(long_gap_days=40.0)
    known = recorded(rows).known_at(training(rows))
    # Windows of 60 and of 90 days: the horizons themselves.
    short, long = (in_window(known, Window(), multiple)["probability"] for multiple in (1.5, 2.25))
    assert short.tolist() == pytest.approx([0.6] * 80)
    assert long.tolist() == pytest.approx([0.4] * 80)


def test_a_seasonal_customer_is_read_in_its_open_months():
    # Open in January and July alone: 60 such days after 1 January are not over within half a year.
    rows = two_dates().assign(open_months=0b1111_1111_1111, long_gap_days=40.0)
    seasonal = rows.index[::2]
    rows.loc[seasonal, "open_months"] = 0b0000_0100_0001
    known = recorded(rows).known_at(training(rows))
    read = in_window(known, Window(), 1.5)
    first = (read["as_of"] == "2024-01-01").to_numpy()
    assert set(read.loc[first & (read["open_months"] == 0b0000_0100_0001), "churn_window_days"]) == {180}
    assert set(read.loc[read["open_months"] == 0b1111_1111_1111, "churn_window_days"]) == {60}


def test_curves_that_rise_are_made_coherent_before_they_are_read():
    rows = two_dates().assign(long_gap_days=40.0)
    known = recorded(rows, FALLING[::-1]).known_at(training(rows))
    read = in_window(known, Window(), 1.5)["probability"]
    np.testing.assert_allclose(read, expit(FALLING.mean()), atol=1e-12)


# --- weighed


@pytest.mark.parametrize("weights", [(1.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.25, 0.25, 0.5)])
def test_matured_predictions_are_the_weighted_components(weights):
    rows = two_dates()
    weighed = matured(recorded(rows).known_at(training(rows)), weights, 180)
    # The components of a date's first customer at 180 days are 3, 163 and 323.
    assert weighed["margin"].iloc[0] == pytest.approx(np.dot(weights, [3, 163, 323]))
    assert weighed["label_free"].iloc[0] == 323
    assert (weighed["outcome"] == (rows["days_to_next_order"] >= 180).to_numpy()).all()
    assert (weighed["as_of"].to_numpy() == rows["as_of"].to_numpy()).all()


def test_what_has_not_matured_is_left_out():
    rows = two_dates()
    rows = matured_until(rows, rows["as_of"].max() + pd.Timedelta(days=45))
    known = recorded(rows).known_at(training(rows))
    sizes = [len(matured(known, (1.0, 0.0, 0.0), days)) for days in HORIZONS]
    # 75 days have passed since the first date and 45 since the second.
    assert sizes == [80, 40, 0, 0]
