"""Training: one run, one version, and the right model in use afterwards."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from companies import FIRST, TRAINED, Company, regulars, written

from features.labels import HORIZONS
from features.snapshots import ELIGIBLE, SnapshotTable, monthly
from models.churn_model import ChurnModel
from models.tracking import Tracking, Version
from pipelines import train as training
from pipelines.intake import Request, take_in
from pipelines.score import champion_of
from pipelines.settings import load_settings, tracking_folder
from pipelines.train import label_purity, metrics, stand, train

pytest_plugins = ["trained"]

#: Three or four dates instead of twelve.
SHORT = """\
[training]
threads = 1
test_cutoffs = 1
max_slices = 3
[lightgbm]
rounds = 5
"""


def only_version(company: Company) -> Version:
    [version] = Tracking(tracking_folder(company.folder / "out")).versions()
    return version


def run_of(company: Company):
    from mlflow import MlflowClient  # noqa: TID251

    register = tracking_folder(company.folder / "out")
    client = MlflowClient(tracking_uri=f"sqlite:///{(register / 'mlflow.db').as_posix()}")
    return client.get_run(only_version(company).run_id)


def test_the_first_version_is_the_champion_the_next_a_challenger_until_one_is_promoted(tmp_path: Path) -> None:
    data = written(regulars(date(2025, 6, 1)), tmp_path / "data", SHORT)
    intake = take_in(Request(str(data), tmp_path / "out"))
    aliases = {}
    for promote in (False, False, True):
        trained = train(intake, promote=promote)
        register = Tracking(tracking_folder(tmp_path / "out"))
        aliases[trained.version.number] = {v.number: v.aliases for v in register.versions()}
    assert aliases[1] == {1: ("champion",)}
    assert aliases[2] == {1: ("champion",), 2: ("challenger",)}
    assert aliases[3] == {1: (), 2: ("challenger",), 3: ("champion",)}
    assert champion_of(tmp_path / "out").version.startswith("kizashi/3@")


def test_the_run_of_a_training_holds_settings_data_folds_and_figures(company: Company) -> None:
    run = run_of(company)
    settings = load_settings(company.data / "kizashi.toml")
    assert (run.info.status, run.info.run_name) == ("FINISHED", str(TRAINED))
    assert run.data.params == {name: str(value) for name, value in settings.flat().items()}
    assert run.data.params["training.threads"] == "1"
    assert run.data.tags["data_fingerprint"] == only_version(company).data_fingerprint != ""
    place = only_version(company).folder.parent
    folds = pd.read_csv(place / "folds.csv")
    assert folds["as_of"].iloc[[0, -1]].tolist() == [str(FIRST), str(TRAINED)]
    assert {f"rows_{days}" for days in HORIZONS} <= set(folds.columns)
    for name in ("reliability", "lift"):
        assert (place / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_every_contestant_has_its_figures_with_intervals_in_the_run(company: Company) -> None:
    logged = run_of(company).data.metrics
    contestants = set(pd.read_parquet(company.predictions, columns=["contestant"])["contestant"])
    assert {"champion", "bgnbd", "days_since_last_order"} < contestants
    for contestant in contestants:
        for figure in ("roc_auc", "brier", "log_loss"):
            name = f"{contestant}.{figure}"
            assert logged[f"{name}_low"] <= logged[name] <= logged[f"{name}_high"]


def test_the_manifest_says_what_the_model_stands_on(company: Company) -> None:
    version = only_version(company)
    manifest = json.loads((version.folder / "manifest.json").read_text(encoding="utf-8"))
    facts = manifest["facts"]
    assert facts["trained_as_of"] == str(TRAINED)
    assert facts["data_fingerprint"] == version.data_fingerprint
    assert facts["cohort"] == {"min_order_days": 2, "max_days_since_last_order": 365}
    assert facts["window"] == {"multiple_of_q90": 1.5, "min_days": 45, "max_days": 180, "shrink_gaps": 4.0}
    assert facts["versions"].keys() == {"kizashi", "lightgbm", "duckdb", "pandas", "scikit-learn"}
    folds = pd.read_csv(version.folder.parent / "folds.csv")
    assert facts["customers"] == folds["eligible"].iloc[-1] > 20
    assert facts["rows"] == {str(days): folds[f"rows_{days}"].iloc[-1] for days in HORIZONS}
    assert ChurnModel.load(version.folder).facts == facts


def test_the_training_table_is_kept_with_outcomes_that_were_known_and_no_others(company: Company) -> None:
    table = pd.read_parquet(company.folder / "out" / "snapshots" / f"{TRAINED}.parquet")
    assert not table.duplicated(["customer_id", "as_of"]).any()
    assert table["as_of"].max() == pd.Timestamp(TRAINED)
    for days in HORIZONS:
        matured = table["as_of"] + timedelta(days=days) <= pd.Timestamp(TRAINED)
        assert (table[f"no_order_{days}"].notna() == matured).all()


def test_what_a_user_sees_of_a_training(company: Company) -> None:
    said = company.said("train")
    assert "Registered version 1 as champion" in said
    assert "No order within 90 days" in said
    assert f"kizashi score --data data --as-of {TRAINED}" in said


def test_a_training_before_anything_can_be_judged_still_registers_a_model(tmp_path: Path) -> None:
    # 82 days of orders: one date to learn from, whose 30 days have passed, and none whose 90 have
    data = written(regulars(date(2024, 4, 1)), tmp_path / "data", SHORT)
    trained = train(take_in(Request(str(data), tmp_path / "out")))
    assert trained.standing.empty
    assert np.isnan(trained.purity)
    assert trained.champion.facts["rows"] == {"30": 0, "60": 0, "90": 0, "180": 0}
    assert trained.version.aliases == ("champion",)
    assert not (trained.version.folder.parent / "figures").exists()


@pytest.mark.parametrize(
    ("as_of", "first"),
    [
        (date(2026, 6, 29), date(2026, 3, 1)),
        (date(2026, 6, 30), date(2026, 4, 1)),
        (date(2026, 7, 1), date(2026, 4, 1)),
    ],
)
def test_dates_are_tried_from_the_newest_that_can_be_judged_to_the_training(as_of: date, first: date) -> None:
    # 90 days after 1 April is 30 June
    dates = [*monthly(date(2025, 7, 1), date(2026, 5, 1)), as_of]
    assert training.test_dates(dates, as_of, 1) == [day for day in dates if day >= first]


@pytest.mark.parametrize(("cutoffs", "expected"), [(2, 5), (6, 9), (99, 12)])
def test_as_many_judged_dates_are_tried_as_are_set(cutoffs: int, expected: int) -> None:
    dates = monthly(date(2025, 8, 1), TRAINED)
    assert training.test_dates(dates, TRAINED, cutoffs) == dates[-expected:]


def test_before_any_date_can_be_judged_only_the_training_date_is_tried() -> None:
    dates = [date(2026, 5, 1), date(2026, 6, 1), TRAINED]
    assert training.test_dates(dates, TRAINED, 6) == [TRAINED]


def purity_of(observed_until: date) -> float:
    """Purity over four customers with a window of 30 days at 1 January."""
    as_of = pd.Timestamp(2026, 1, 1)
    orders = {"back soon": 10, "back in the next window": 40, "gone": None, "outside": 40}
    frame = pd.DataFrame({"customer_id": list(orders), "as_of": as_of, "churn_window_days": 30})
    frame["cohort"] = np.where(frame["customer_id"] == "outside", "dormant", ELIGIBLE)
    days = pd.DataFrame(
        {
            "customer_id": [name for name, day in orders.items() if day],
            "day": [as_of + timedelta(days=day) for day in orders.values() if day],
            "is_order": True,
        }
    )
    days = days.assign(visible_from=days["day"] + timedelta(days=1), visible_until=pd.Timestamp(2200, 1, 1))
    return label_purity(SnapshotTable(frame, days, date(2027, 1, 1)), observed_until)


@pytest.mark.parametrize(
    ("observed_until", "expected"),
    [(date(2026, 3, 1), float("nan")), (date(2026, 3, 2), 0.5), (date(2026, 3, 3), 0.5)],
)
def test_purity_is_known_once_two_windows_have_passed(observed_until: date, expected: float) -> None:
    assert purity_of(observed_until) == pytest.approx(expected, nan_ok=True)


def test_figures_that_could_not_be_computed_are_left_out_of_the_run() -> None:
    judged = pd.DataFrame(
        {
            "contestant": "rule",
            "customer_id": [f"C{i}" for i in range(40)],
            "as_of": pd.Timestamp(2026, 1, 1),
            "probability": np.linspace(0.1, 0.9, 40),
            "outcome": 1.0,
        }
    )
    names = {metric.name for metric in metrics(stand(judged, 0))}
    assert "rule.brier" in names
    assert "rule.roc_auc" not in names  # nobody to tell the lost from
    assert metrics(stand(judged.iloc[:0], 0)) == []
