"""Customers of projects: a year's silence, the line through the log-odds, and signs that a project is coming."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from features.errors import ArtefactError
from models.btyd import BTYD
from models.label_free import VARIANTS, YEAR, FittedLabelFree, column
from models.projects import LABEL_FREE, LINE, PIPELINE, FittedProjects, Line, fit, learn_line, signs_of
from models.second_order import known_before

RHYTHM = FittedLabelFree(VARIANTS[1], BTYD(1, True, r=1.0, alpha=60.0, a=1.0, b=5.0, log_likelihood=None, n=100))
LAST = pd.Timestamp("2025-06-01")


def snapshots(tells: str, dates: int = 36, customers: int = 60, end: pd.Timestamp = LAST) -> pd.DataFrame:
    """Monthly snapshots of customers of projects; the rhythm believes that one in twenty stays silent for a year.

    Half do, if anything `tells`: "level" says no more than that, "quotes" that those are silent who asked for no quote.
    With "nothing" the rhythm is right.
    """
    rng = np.random.default_rng(3)
    as_of = np.repeat(pd.date_range(end=end, periods=dates, freq="30D").to_numpy(), customers)
    n = len(as_of)
    quotes = rng.integers(0, 3, n).astype("float64")
    silent = {
        "level": rng.random(n) < 0.5,
        "quotes": rng.random(n) < np.where(quotes == 0, 0.9, 0.3),
        "nothing": rng.random(n) < 0.05,
    }[tells]
    return pd.DataFrame(
        {
            "customer_id": np.tile([f"P{i:03d}" for i in range(customers)], dates),
            "as_of": as_of,
            "order_days_ever": 6.0,
            "days_since_first_order": 900.0,
            "days_since_last_order": rng.integers(1, 300, n).astype("float64"),
            "quotes_90d": quotes,
            "days_since_last_quote": np.where(quotes > 0, 20.0, np.nan),
            "inquiries_90d": np.nan,
            "days_to_next_order": np.where(silent, 900.0, rng.integers(0, YEAR, n)),
            "observed_days": 1_000,
            column(RHYTHM.variant, YEAR): logit(0.05) + rng.normal(0, 0.01, n),
        }
    )


def fitted(tells: str, dates: int = 36) -> tuple[FittedProjects, pd.DataFrame]:
    frame = snapshots(tells, dates)
    here = frame[frame["as_of"] == LAST]
    return fit(known_before(frame, LAST, 0), here, RHYTHM, seed=0), here


@pytest.mark.parametrize(("tells", "in_use"), [("nothing", LABEL_FREE), ("level", LINE), ("quotes", PIPELINE)])
def test_what_tells_of_a_year_is_put_into_use(tells, in_use):
    model, here = fitted(tells)
    assert model.in_use == in_use
    assert model.margin(here).shape == (len(here),)
    assert model.evidence["horizon_days"] == YEAR
    taken = [step["candidate"] for step in model.evidence["steps"] if step["taken"]]
    assert (taken or [LABEL_FREE])[-1] == in_use


def test_the_line_promises_what_has_happened():
    rows = snapshots("level")
    line = learn_line(rows, RHYTHM.variant, ())
    assert line is not None
    start = rows[column(RHYTHM.variant, YEAR)].to_numpy()
    happened = (rows["days_to_next_order"] >= YEAR).mean()
    assert expit(start).mean() == pytest.approx(0.05, abs=0.01)
    assert expit(line.margin(start, rows)).mean() == pytest.approx(happened, abs=0.05)


def test_who_asks_for_a_quote_is_likelier_to_order():
    rows = snapshots("quotes")
    line = learn_line(rows, RHYTHM.variant, signs_of(rows))
    assert line is not None
    two = rows.head(2).assign(quotes_90d=[0.0, 2.0], days_since_last_quote=[np.nan, 20.0])
    silent, asking = line.margin(np.full(2, logit(0.05)), two)
    assert asking < silent


def test_only_signs_that_the_company_s_tables_give_are_read():
    rows = snapshots("level")
    assert signs_of(rows) == ("quotes_90d", "days_since_last_quote")
    assert signs_of(rows.drop(columns=["quotes_90d", "days_since_last_quote"])) == ()


def test_label_free_is_the_chance_of_a_year_without_an_order():
    model = FittedProjects(LABEL_FREE, RHYTHM.variant, RHYTHM.model)
    here = pd.DataFrame({"order_days_ever": [4.0], "days_since_first_order": [500.0], "days_since_last_order": [100.0]})
    assert expit(model.margin(here)) == pytest.approx(RHYTHM.model.p_no_order(3, 400, 500, 365))


@pytest.mark.parametrize("dates", [1, 12, 26])
def test_before_two_years_and_three_dates_have_passed_the_label_free_model_is_in_use(dates):
    # The newest of 26 dates a month apart can have one learnable date a year before it, which is not enough.
    model, here = fitted("level", dates)
    assert model.in_use == LABEL_FREE
    assert model.evidence["steps"] == []
    assert model.line is None
    assert model.margin(here).shape == (len(here),)


def test_nothing_is_learnt_from_outcomes_of_which_one_is_missing():
    rows = snapshots("level").assign(days_to_next_order=900.0)
    assert learn_line(rows, RHYTHM.variant, ()) is None
    assert fit(known_before(rows, LAST, 0), rows[rows["as_of"] == LAST], RHYTHM, seed=0).in_use == LABEL_FREE


def test_nobody_of_projects_is_no_trouble():
    frame = snapshots("level")
    model = fit(frame.head(0), frame[frame["as_of"] == LAST], RHYTHM, seed=0)
    assert model.in_use == LABEL_FREE
    assert model.margin(frame.head(0)).shape == (0,)


@pytest.mark.parametrize("tells", ["nothing", "level", "quotes"])
def test_a_model_survives_the_manifest(tells):
    model, here = fitted(tells)
    again = FittedProjects.from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False)))
    assert again.to_dict() == model.to_dict()
    assert (again.margin(here) == model.margin(here)).all()


def test_a_record_that_lacks_something_is_refused_in_one_line():
    values = FittedProjects(LINE, RHYTHM.variant, RHYTHM.model, Line((), (0.0, 0.0), (0.0, 0.0), (1.0, 1.0))).to_dict()
    for name in values:
        with pytest.raises(ArtefactError, match="model of projects cannot be read"):
            FittedProjects.from_dict({key: value for key, value in values.items() if key != name})
