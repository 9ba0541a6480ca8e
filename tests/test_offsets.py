"""The level of a date: one constant for each, which makes what is expected of it what was seen."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from worlds import drawn_rows

from models.classifiers import RHYTHM
from models.label_free import column
from models.offsets import level_offsets


def test_the_offset_gives_each_date_its_own_share_of_silent_customers():
    start = pd.Series([-1.0, 0.0, 1.0, 2.0, 0.0, 3.0, 3.0])
    outcome = pd.Series([0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    as_of = pd.Series(pd.to_datetime(["2024-01-01"] * 4 + ["2024-02-01"] * 3))
    offsets = level_offsets(start, outcome, as_of)
    p = expit(start + offsets)
    assert len(set(offsets[:4])) == len(set(offsets[4:])) == 1
    assert p[:4].mean() == pytest.approx((1 + 0.5) / 5)
    assert p[4:].mean() == pytest.approx((3 + 0.5) / 4)


def test_the_offset_does_not_depend_on_the_order_of_rows_or_on_other_dates():
    rows = drawn_rows()
    start, outcome = rows[column(RHYTHM.candidates[0], 90)], (rows["days_to_next_order"] >= 90).astype("float64")
    offsets = pd.Series(level_offsets(start, outcome, rows["as_of"]), index=rows.index)
    mixed = rows.index[np.random.default_rng(0).permutation(len(rows))]
    np.testing.assert_allclose(level_offsets(start[mixed], outcome[mixed], rows["as_of"][mixed]), offsets[mixed])
    first = rows.index[rows["as_of"] == rows["as_of"].min()]
    assert (level_offsets(start[first], outcome[first], rows["as_of"][first]) == offsets[first]).all()


@pytest.mark.parametrize(("silent", "share"), [(0, 0.5 / 5), (4, 4.5 / 5)])
def test_a_date_at_which_all_left_or_nobody_has_half_a_customer_of_each_kind(silent, share):
    start = pd.Series([-3.0, -1.0, 0.5, 6.0])
    outcome = pd.Series(np.arange(4) < silent).astype("float64")
    offset = level_offsets(start, outcome, pd.Series(pd.Timestamp("2024-01-01"), index=start.index))
    assert np.isfinite(offset).all()
    assert expit(start + offset).mean() == pytest.approx(share)


def test_no_row_has_no_offset():
    nothing = pd.Series(dtype="float64")
    assert level_offsets(nothing, nothing, pd.Series(dtype="datetime64[s]")).shape == (0,)
