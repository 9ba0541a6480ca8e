"""The backtest: everybody who could have been warned, what was said, and what came of it."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from companies import BEGIN, EVERY_DAYS, FIRST, SHORT, STAYING, STOPPED, TRAINED, Company, regulars, written

from features.labels import HORIZONS
from features.snapshots import ELIGIBLE, monthly, take
from models import folds
from models.evaluation import roc_auc
from pipelines.champions import champion_of
from pipelines.files import write_parquet
from pipelines.intake import Request, take_in
from pipelines.replay import COLUMNS, backtest
from pipelines.score import score_day

pytest_plugins = ["trained"]

#: The day after the last order of those who stop, when everybody has just ordered.
CUTOFF = STOPPED["S00"] + timedelta(days=1)


@pytest.fixture(scope="module")
def predictions(company: Company) -> pd.DataFrame:
    return pd.read_parquet(company.predictions)


def test_the_file_has_exactly_the_promised_columns(predictions: pd.DataFrame) -> None:
    assert tuple(predictions.columns) == COLUMNS
    assert not predictions.duplicated(["customer_id", "as_of", "contestant"]).any()


def test_everybody_eligible_has_a_row_at_every_cutoff_for_every_contestant(
    company: Company, predictions: pd.DataFrame, tmp_path: Path
) -> None:
    intake = company.taken_in(tmp_path, TRAINED)
    cutoffs = monthly(FIRST, TRAINED)
    frame = take(intake.events, cutoffs, cohort=intake.cohort(), window=intake.window()).frame
    eligible = frame[frame["cohort"] == ELIGIBLE]
    assert eligible.groupby("as_of").size().gt(20).sum() == len(cutoffs) == 5
    expected = set(zip(eligible["customer_id"], eligible["as_of"], eligible["churn_window_days"], strict=True))
    contestants = dict(iter(predictions.groupby("contestant")))
    runners = {one.name for one in folds.contestants(intake.walk_options())}
    assert set(contestants) == runners | {folds.BLEND, folds.CHAMPION}
    assert {"days_since_last_order", "cycle", "health", "mbgcnbd", "logistic", "lightgbm"} < runners
    for rows in contestants.values():
        assert set(zip(rows["customer_id"], rows["as_of"], rows["churn_window_days"], strict=True)) == expected


def test_what_was_said_is_a_coherent_probability(predictions: pd.DataFrame) -> None:
    said = predictions[[f"p_no_order_{days}" for days in HORIZONS]]
    assert (said.diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)
    assert predictions["churn_probability"].between(0, 1).all()
    champion = predictions["contestant"] == folds.CHAMPION
    assert set(predictions.loc[~champion, "level"]) == {"none"}
    assert predictions.loc[~champion, ["churn_low", "churn_high"]].isna().all(axis=None)
    here = predictions[champion]
    assert (here["churn_low"] <= here["churn_probability"]).all()
    assert (here["churn_probability"] <= here["churn_high"]).all()
    assert (here["churn_low"] < here["churn_high"]).any()


def test_the_champion_ranks_better_than_chance(predictions: pd.DataFrame) -> None:
    known = predictions.query("contestant == 'champion'").dropna(subset="no_order_90")
    assert roc_auc(known["p_no_order_90"], known["no_order_90"]) > 0.5


def test_a_champion_that_is_trained_and_used_says_what_the_backtest_said(
    company: Company, predictions: pd.DataFrame, tmp_path: Path
) -> None:
    """Through the saved artefact, another ingest and the daily run, bit for bit."""
    intake = company.taken_in(company.register_at(tmp_path / "out"), TRAINED)
    scores = score_day(intake, champion_of(intake.request.out)).scores
    here = predictions.query("contestant == 'champion'").loc[lambda rows: rows["as_of"] == pd.Timestamp(TRAINED)]
    columns = ["customer_id", "churn_probability", "churn_low", "churn_high", "churn_window_days"]
    columns += [*(f"p_no_order_{days}" for days in HORIZONS), "level", "queue"]
    # what a backtest calls a level is the probability's own, before health and rules
    by_model = scores.assign(level=scores["model_level"])
    scored = by_model.loc[scores["cohort"] == ELIGIBLE, columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        scored, here[columns].sort_values("customer_id", ignore_index=True), check_exact=True, check_dtype=False
    )


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """What came of the written company's customers after `CUTOFF`, known until 90 days later; one row each."""
    folder = tmp_path_factory.mktemp("written")
    until = CUTOFF + timedelta(days=90)
    everybody = regulars(until + timedelta(days=30))
    intake = take_in(Request(str(written(everybody, folder / "data", SHORT)), folder / "out", until))
    found = backtest(intake, CUTOFF, CUTOFF).predictions
    return found[found["contestant"] == "champion"].set_index("customer_id")


def test_outcomes_are_what_came_of_it(outcomes: pd.DataFrame) -> None:
    # everybody ordered on the eve; those who stay order again 19 days into the window, those who stop never
    assert BEGIN + timedelta(days=EVERY_DAYS * 20 + 1) == CUTOFF
    staying, stopped = outcomes.loc[list(STAYING)], outcomes.loc[sorted(STOPPED)]
    assert set(staying["days_to_next_order"]) == {19.0}
    assert stopped["days_to_next_order"].isna().all()
    assert set(outcomes["observed_days"]) == {90}
    assert set(outcomes["churn_window_days"]) == {45}  # 1.5 times 20 days is below the least window
    for label in ("no_order_30", "no_order_60", "no_order_90", "churned"):
        assert (set(staying[label]), set(stopped[label])) == ({0.0}, {1.0})


def test_an_outcome_that_has_not_matured_is_unknown_even_of_those_who_have_ordered(outcomes: pd.DataFrame) -> None:
    assert outcomes["no_order_180"].isna().all()


@pytest.mark.parametrize(("observed", "known"), [(89, False), (90, True), (91, True)])
def test_an_outcome_is_known_from_the_end_of_its_horizon_on(tmp_path: Path, observed: int, known: bool) -> None:
    until = CUTOFF + timedelta(days=observed)
    lines = regulars(CUTOFF + timedelta(days=200))
    quick = SHORT.replace("slice_every_months = 3", "slice_every_months = 6")
    intake = take_in(Request(str(written(lines, tmp_path / "data", quick)), tmp_path / "out", until))
    found = backtest(intake, CUTOFF, CUTOFF)
    assert found.predictions["no_order_90"].notna().all() == known
    assert found.predictions["no_order_60"].notna().all()
    assert found.standing.empty != known


def test_a_prediction_does_not_depend_on_what_came_after_its_cutoff(tmp_path: Path) -> None:
    said = {}
    for name, days in (("short", 1), ("long", 120)):
        lines = regulars(CUTOFF + timedelta(days=days))
        intake = take_in(Request(str(written(lines, tmp_path / name, SHORT)), tmp_path / f"{name}-out"))
        said[name] = backtest(intake, CUTOFF, CUTOFF).predictions[list(COLUMNS[: COLUMNS.index("level") + 1])]
    pd.testing.assert_frame_equal(said["short"], said["long"], check_exact=True)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, predictions: pd.DataFrame) -> None:
    path = tmp_path / "deep" / "predictions.parquet"
    write_parquet(predictions, path)
    write_parquet(predictions.head(3), path)
    assert len(pd.read_parquet(path)) == 3
    assert [file.name for file in path.parent.iterdir()] == ["predictions.parquet"]


def test_what_a_user_sees_of_a_backtest(company: Company, predictions: pd.DataFrame) -> None:
    said = company.said("backtest")
    assert f"{len(predictions):,} predictions: predictions.parquet" in said
    for words in ("Every customer by track", "Partial defection within 90 days", "The window is "):
        assert words in said
    assert not list(company.folder.glob(".predictions*")), "the clean events of a backtest are taken away again"
