"""The ablation: what a set leaves out is not there, what is compared is paired, and who knows more stands higher."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from benchmarks import ablation, ablation_walk
from benchmarks.ablation_walk import ALL, ALWAYS, ORDERS, SETS, Dates
from features.contract import CONTRACT
from features.errors import SettingsError
from features.simulate import simulate, write
from features.snapshots import SnapshotTable
from models.classifiers import LIGHTGBM
from models.folds import CHAMPION

FIRST, LAST = date(2025, 5, 1), date(2025, 8, 1)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write(simulate(60, 24, seed=5, end=date(2026, 1, 1)), folder)
    return folder


@pytest.fixture(scope="module")
def read(world, tmp_path_factory):
    """The company with its invoices beside the orders: intake, dates and snapshots."""
    intake = ablation_walk.intake_of(world, SETS["finances"], tmp_path_factory.mktemp("finances"))
    dates = Dates.between(FIRST, LAST, date(2024, 4, 1))
    return intake, dates, ablation_walk.snapshots(intake, dates)


def test_every_set_is_of_tables_that_there_are_and_has_its_words():
    assert list(ablation.WORDS) == list(SETS)
    assert {*ALWAYS, *SETS[ALL]} == set(CONTRACT)
    assert all(set(tables) <= set(CONTRACT) for tables in SETS.values())


def test_every_third_month_is_learnt_from_and_the_first_cutoff_is_one_of_them():
    dates = Dates.between(FIRST, LAST, date(2024, 4, 15))
    assert [str(day) for day in dates.cutoffs] == ["2025-05-01", "2025-06-01", "2025-07-01", "2025-08-01"]
    assert [str(day) for day in dates.learnt] == [
        "2024-05-01",
        "2024-08-01",
        "2024-11-01",
        "2025-02-01",
        "2025-05-01",
        "2025-08-01",
    ]
    assert [str(day) for day in dates.trainings] == [
        "2024-08-01",
        "2024-11-01",
        "2025-02-01",
        "2025-05-01",
        "2025-08-01",
    ]


def test_too_short_a_past_and_the_wrong_way_round_are_refused():
    for first, last, earliest in ((FIRST, LAST, date(2024, 6, 1)), (LAST, FIRST, date(2020, 1, 1))):
        with pytest.raises(SettingsError, match="Give later dates, or more history"):
            Dates.between(first, last, earliest)


def test_the_tables_that_a_set_leaves_out_are_not_there_for_it(read):
    intake, _, table = read
    assert set(intake.events.columns) == {*ALWAYS, "finances"}
    assert "payment_days_mean_90d" in table.frame
    assert "interactions_90d" not in table.frame
    assert "complaints_90d" not in table.frame


def test_a_folder_without_a_table_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"expected transactions\.parquet there"):
        ablation_walk.narrowed(tmp_path, (), tmp_path / "narrowed")


def test_the_champion_speaks_of_the_whole_cohort_at_every_cutoff_and_of_no_later_order(read):
    intake, dates, table = read
    known = ablation_walk.with_rhythms(table, ablation_walk.rhythms(table, seed=0))
    options = intake.walk_options()
    said = ablation_walk.predictions(known, dates, options)
    base = ablation_walk.base_rows(table, dates.cutoffs, intake.observed_until)
    for name in (CHAMPION, LIGHTGBM):
        rows = said[said["contestant"] == name]
        assert rows[["customer_id", "as_of"]].to_numpy().tolist() == base[["customer_id", "as_of"]].to_numpy().tolist()
    later = pd.Timestamp(dates.cutoffs[-1])
    past = known.order_days[known.order_days["visible_from"] <= later]
    blind = ablation_walk.predictions(SnapshotTable(known.frame, past, table.data_end), dates, options)
    pd.testing.assert_frame_equal(said, blind)


@pytest.fixture(scope="module")
def judged(world, tmp_path_factory):
    """Invented predictions: the orders know nothing, another table knows who will order."""
    work = tmp_path_factory.mktemp("work")
    who = sorted(pd.read_parquet(world / "customers.parquet")["customer_id"])
    rows = pd.DataFrame({"customer_id": who}).merge(
        pd.DataFrame({"as_of": pd.date_range("2025-01-01", "2025-08-01", freq="MS")}), how="cross"
    )
    rng = np.random.default_rng(0)
    silent = rng.random(len(rows)) < 0.4
    facts = {
        "overdue": rng.random(len(rows)) < 0.2,
        "revenue_365d": 1.0,
        "churn_window_days": 60,
        "days_to_next_order": np.where(silent, np.nan, 10.0),
        "observed_days": 120,
        "days_since_last_order": rng.random(len(rows)),
        "cycle": rng.random(len(rows)),
        "health": rng.random(len(rows)),
    }
    rows.assign(**facts).to_parquet(work / "base.parquet")
    for name, scores in ((ORDERS, rng.random(len(rows))), ("finances", np.where(silent, 0.8, 0.2))):
        parts = [
            rows.assign(contestant=model, p_no_order_90=scores, churn_probability=scores, columns=7)
            for model in (CHAMPION, LIGHTGBM)
        ]
        pd.concat(parts).to_parquet(work / f"{name}.parquet")
    return ablation.measured(world, [ORDERS, "finances"], work, repeats=40)


def test_a_table_that_knows_is_surely_ahead_of_the_orders_alone(judged):
    table = judged.table.set_index(["set", "model"])
    for model in (CHAMPION, LIGHTGBM):
        assert table.loc[("finances", model), "no_order_90"] == 1.0
        assert table.loc[("finances", model), "no_order_90_lead_low"] > 0.3
        assert np.isnan(table.loc[(ORDERS, model), "no_order_90_lead"])
        lead = table.loc[("finances", model), "no_order_90_lead"]
        assert lead == pytest.approx(1 - table.loc[(ORDERS, model), "no_order_90"])


def test_the_page_names_who_is_ahead_and_shows_rules_and_chance_beside(judged):
    text = ablation.page(judged, "Made by hand")
    assert "AUC for no order against the orders alone: surely more with: + finances" in text
    assert "| orders alone | 7 |" in text
    assert "| rule: cycle |" in text
    assert "| random | 0.500" in text
    assert len(ablation.plot(judged).axes) == 4


def test_data_without_a_truth_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="expected a folder `truth` there"):
        ablation.measured(tmp_path, [ORDERS], tmp_path)


def test_predictions_of_other_dates_are_not_taken_for_the_asked_ones(world, tmp_path):
    (tmp_path / f"{ORDERS}.parquet").touch()
    ablation.made(world, [ORDERS], FIRST, LAST, tmp_path)  # there already: nothing is made
    with pytest.raises(SettingsError, match="predictions of other data or dates"):
        ablation.made(world, [ORDERS], FIRST, date(2025, 9, 1), tmp_path)
