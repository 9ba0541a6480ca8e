"""The early-warning bench: everybody on the same rows, the overdue never warned about, and what it says of itself."""

from datetime import date

import pandas as pd
import pytest
from worlds import QUICK, table_of

from benchmarks import early_warning, standing_early
from benchmarks.standing_given import WARNS_BY
from benchmarks.standing_truth import Losses, Truth
from features.simulate import simulate
from features.snapshots import ELIGIBLE, SnapshotTable, monthly, silent
from models.early import Early, FittedEarly
from models.folds import KEYS, with_rhythms
from models.levels import OVERDUE, queue_of
from models.rules import RULES

CUTOFFS = (date(2024, 12, 1), date(2025, 1, 1))
#: Three hundred customers are few.
LEARNER = Early(min_losses=10)


@pytest.fixture(scope="module")
def table() -> SnapshotTable:
    lines = simulate(300, 24, seed=3, end=date(2025, 7, 1)).tables["transactions"]
    return with_rhythms(table_of(lines, monthly(date(2024, 2, 1), CUTOFFS[-1])), QUICK, silent)


@pytest.fixture(scope="module")
def cohort(table) -> pd.DataFrame:
    frame = table.frame
    held = frame["as_of"].isin(pd.to_datetime(list(CUTOFFS))) & (frame["cohort"] == ELIGIBLE)
    return frame[held].reset_index(drop=True)


@pytest.fixture(scope="module")
def said(table) -> pd.DataFrame:
    return early_warning.predictions(table, CUTOFFS, QUICK, LEARNER)


def test_everybody_of_the_cohort_has_a_place_and_the_overdue_the_last(said, cohort):
    both = cohort.merge(said, on=KEYS, validate="one_to_one")
    assert len(both) == len(said) == len(cohort)
    overdue = queue_of(both) == OVERDUE
    assert (both.loc[overdue, "probability"] == 0).all()
    assert (both.loc[~overdue, "probability"] > 0).all()
    assert (both[~overdue].groupby("as_of")["probability"].max() == 1).all()


def test_what_is_learnt_at_a_cutoff_is_applied_at_no_other(table, monkeypatch):
    seen = []
    places = FittedEarly.places
    monkeypatch.setattr(
        FittedEarly, "places", lambda self, frame: seen.append(set(frame["as_of"])) or places(self, frame)
    )
    early_warning.predictions(table, CUTOFFS, QUICK, LEARNER)
    assert seen == [{pd.Timestamp(day)} for day in CUTOFFS]


def test_an_oracle_of_some_customers_only_is_left_out(said, cohort):
    keys = cohort[KEYS].head(5)
    forecasts = {f"p_{what}_{days}": 0.5 for what in ("no_order", "lost") for days in (0, 30, 60, 90, 180)}
    forecasts.pop("p_no_order_0")
    oracles = keys.assign(oracle="particle_filter", **forecasts)
    losses = pd.DataFrame({"customer_id": [], "lost_at": [], "returned_at": []})
    rows = early_warning.contestants(said, cohort, Truth(losses, oracles, date(2025, 7, 1)))
    assert set(rows["contestant"]) == {"early", *(rule.name for rule in RULES)}
    assert (rows.groupby("contestant").size() == len(cohort)).all()


def test_the_table_of_the_standing_bench_can_be_made_of_it(said, cohort):
    rows = early_warning.contestants(said, cohort, None)
    assert (
        rows[rows["contestant"] == "early"].merge(said, on=KEYS)[[WARNS_BY, "probability"]].nunique(axis=1).eq(1).all()
    )
    gone = cohort.loc[cohort["as_of"] == pd.Timestamp(CUTOFFS[-1]), "customer_id"].head(20)
    events = pd.DataFrame({"customer_id": gone, "event_at": pd.Timestamp("2025-02-01"), "ends_at": pd.NaT})
    (found,) = standing_early.measured(rows, (Losses("a loss", events, date(2025, 7, 1)),), repeats=5, seed=0)
    assert {"early", "random", *(rule.name for rule in RULES)} == set(found.table["contestant"])


def test_dates_without_a_past_are_refused_in_one_line(tmp_path, capsys):
    given = ["--data", str(tmp_path / "none"), "--from", "2024-01-01", "--to", "2024-02-01", "--out", str(tmp_path)]
    assert early_warning.main(given) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
