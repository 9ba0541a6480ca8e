"""Training: one run, one version, and the right model in use afterwards."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from companies import FIRST, SHORT, TRAINED, Company, regulars, written

from features.labels import HORIZONS
from features.snapshots import monthly
from features.windows import Window, WindowChoice, choose_multiple
from models.churn_model import ChurnModel
from models.tracking import Tracking, Version
from models.verdict import LEVELS_ONLY, PERCENTAGES
from pipelines import train as training
from pipelines.champions import champion_of
from pipelines.intake import Intake, Request, take_in
from pipelines.promotion import walk_file
from pipelines.settings import load_settings, tracking_folder
from pipelines.train import Asked, Trained, judge, metrics, train

pytest_plugins = ["trained"]

WHEN = datetime(2026, 8, 1, 6, 0, tzinfo=UTC)


def trained_on(intake: Intake, *, promote: bool = False) -> Trained:
    return train(intake, Asked("yuki", WHEN, promote))


def only_version(company: Company) -> Version:
    [version] = Tracking(tracking_folder(company.folder / "out")).versions()
    return version


def run_of(company: Company):
    from mlflow import MlflowClient  # noqa: TID251

    register = tracking_folder(company.folder / "out")
    client = MlflowClient(tracking_uri=f"sqlite:///{(register / 'mlflow.db').as_posix()}")
    return client.get_run(only_version(company).run_id)


def test_the_first_version_is_the_champion_and_the_next_replaces_it_only_if_asked_to_and_not_worse(
    tmp_path: Path,
) -> None:
    data, out = written(regulars(date(2025, 8, 1)), tmp_path / "data", SHORT), tmp_path / "out"
    intake = take_in(Request(str(data), out))

    def aliases() -> dict[int, tuple[str, ...]]:
        return {version.number: version.aliases for version in Tracking(tracking_folder(out)).versions()}

    first = trained_on(intake)
    assert aliases() == {1: ("champion",)}
    assert (first.decision.verdict.passed, first.version.aliases) == (True, ("champion",))
    assert first.decision.change is not None
    assert (first.decision.change.who, first.decision.change.at, first.decision.change.why) == (
        "yuki",
        WHEN,
        "the first model",
    )

    second = trained_on(intake)
    assert aliases() == {1: ("champion",), 2: ("challenger",)}
    assert second.decision.verdict.passed
    assert second.decision.verdict.figures == dict.fromkeys(second.decision.verdict.figures, 0.0)

    honest = pd.read_parquet(walk_file(out, 1))
    sharp = honest.assign(probability=honest["outcome"] * 0.998 + 0.001)
    sharp.to_parquet(walk_file(out, 1), index=False)
    worse = trained_on(intake, promote=True)
    assert aliases() == {1: ("champion",), 2: (), 3: ("challenger",)}
    [failure] = worse.decision.verdict.failures
    assert failure.startswith("It is worse in log loss")
    assert [line.what for line in Tracking(tracking_folder(out)).history()] == ["promoted", "refused"]
    assert champion_of(out).version.startswith("kizashi/1@")


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
    assert {f"rows_{days}" for days in HORIZONS} | {"in_use", "window_multiple"} <= set(folds.columns)
    for name in ("reliability", "lift"):
        assert (place / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_card_and_the_tables_that_it_stands_on_lie_beside_the_model(company: Company) -> None:
    place = only_version(company).folder.parent
    card = (place / "card.md").read_text(encoding="utf-8")
    facts = ChurnModel.load(only_version(company).folder).facts
    for words in (str(TRAINED), facts["data_fingerprint"], facts["certificate"]["findings"][0]["words"]):
        assert words in card
    logged = run_of(company).data.metrics
    standing = pd.read_csv(place / "standing.csv").set_index("contestant")
    assert standing.loc["champion", "roc_auc"] == pytest.approx(logged["champion.roc_auc"])
    assert pd.read_csv(place / "regret.csv")["contestant"].iloc[0] == "champion"
    tracks = pd.read_csv(place / "funnel.csv").set_index("track")["customers"]
    assert tracks["eligible"] == facts["customers"]
    groups = pd.read_csv(place / "certificate.csv")
    assert set(groups.loc[groups["kind"] == "cutoff", "group"]) == {str(FIRST), "2026-04-01"}
    for table in place.glob("*.csv"):
        assert "C00001" not in table.read_text(encoding="utf-8"), "no customer is named in the register"


def test_every_contestant_has_its_figures_with_intervals_in_the_run(company: Company) -> None:
    logged = run_of(company).data.metrics
    contestants = set(pd.read_parquet(company.predictions, columns=["contestant"])["contestant"])
    assert {"champion", "bgnbd", "days_since_last_order"} < contestants
    for contestant in contestants:
        for figure in ("roc_auc", "brier", "log_loss"):
            name = f"{contestant}.{figure}"
            assert logged[f"{name}_low"] <= logged[name] <= logged[f"{name}_high"]
    assert logged["percentages_shown"] in (0.0, 1.0)
    assert {"window_multiple", "regret.mbgcnbd"} <= set(logged)


def test_the_manifest_says_what_the_model_stands_on(company: Company) -> None:
    version = only_version(company)
    manifest = json.loads((version.folder / "manifest.json").read_text(encoding="utf-8"))
    facts = manifest["facts"]
    assert facts["trained_as_of"] == facts["profile"]["as_of"] == str(TRAINED)
    assert facts["data_fingerprint"] == version.data_fingerprint
    assert facts["cohort"]["min_order_days"] == 2
    choice = WindowChoice.from_dict(facts["window_choice"])
    assert facts["window"]["multiples"] == [choice.multiple]
    assert [one.multiple for one in choice.tried] == list(Window().multiples)
    assert facts["versions"].keys() == {"kizashi", "lightgbm", "duckdb", "pandas", "scikit-learn"}
    assert facts["certificate"]["verdict"] in (PERCENTAGES, LEVELS_ONLY)
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
    for words in (
        "Registered version 1 as champion",
        "Version 1 became the champion.",
        "Model card: ",
        "Every customer by track",
        "The window is ",
        "No order within 90 days",
        "In use is ",
        "Calibration certificate:",
        "passed: Load test",
        f"kizashi score --data data --as-of {TRAINED}",
    ):
        assert words in said


def test_a_training_before_anything_can_be_judged_still_registers_a_model(tmp_path: Path) -> None:
    # 82 days of orders: one date to learn from, whose 30 days have passed, and none whose 90 have
    data = written(regulars(date(2024, 4, 1)), tmp_path / "data", SHORT)
    trained = trained_on(take_in(Request(str(data), tmp_path / "out")))
    assert trained.judged.standing.empty
    assert trained.judged.regret.empty
    assert trained.choice.chosen.share is None
    assert trained.champion.facts["rows"] == {"30": 0, "60": 0, "90": 0, "180": 0}
    assert trained.champion.selection.in_use == "label_free"
    assert not trained.champion.shows_percentages
    assert "no prediction has matured yet" in trained.card
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


def test_figures_that_could_not_be_computed_are_left_out_of_the_run() -> None:
    predictions = pd.DataFrame(
        {
            "contestant": "champion",
            "customer_id": [f"C{i}" for i in range(40)],
            "as_of": pd.Timestamp(2026, 1, 1),
            "p_no_order_90": np.linspace(0.1, 0.9, 40),
            "no_order_90": 1.0,
            "churn_probability": np.linspace(0.1, 0.9, 40),
            "churn_low": 0.0,
            "churn_high": 1.0,
            "churned": np.nan,
            **dict.fromkeys(("level", "segment", "queue"), "none"),
        }
    )
    nothing = predictions.iloc[:0][["customer_id", "as_of"]].assign(
        long_gap_days=[], days_to_next_order=[], observed_days=[]
    )
    choice = choose_multiple(nothing, Window())
    names = {metric.name for metric in metrics(judge(predictions, 0), choice)}
    assert {"champion.brier", "window_multiple"} <= names
    assert names.isdisjoint({"champion.roc_auc", "false_churn_share", "interval_coverage"})  # nobody to tell apart
    unjudged = metrics(judge(predictions.assign(no_order_90=np.nan), 0), choice)
    assert {metric.name for metric in unjudged} == {"window_multiple", "percentages_shown"}
