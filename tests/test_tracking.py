import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from features.errors import ArtefactError
from models.tracking import Metric, Tracking

FOLDS = pd.DataFrame(
    {"as_of": ["2011-08-01", "2011-09-01"], "contestant": ["lightgbm", "recency"], "auc": [0.79, 0.71]}
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved model, as far as the register cares."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    (folder / "trees").mkdir(parents=True)
    (folder / "manifest.json").write_text('{"made_for": "2011-09-01"}')
    (folder / "trees" / "30.txt").write_text("tree\nversion=v4\n")
    return folder


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory, saved):
    """A store in which one training failed, to be copied: MLflow takes seconds to make its tables."""
    folder = tmp_path_factory.mktemp("register")
    with pytest.raises(ArtefactError, match="no room"):
        training(Tracking(folder), saved, figures={"lift": Unwritable()})
    return folder


@pytest.fixture
def register(tmp_path, empty_store):
    return Tracking(shutil.copytree(empty_store, tmp_path / "register"))


class Unwritable(Figure):
    def savefig(self, *_, **__):
        raise OSError("no room")


def training(register, model, alias="champion", **changes):
    record = {
        "name": "2011-09-01",
        "params": {"lightgbm.rounds": 300, "labels.horizons": (30, 60, 90, 180)},
        "data_fingerprint": "5f1c",
        "folds": FOLDS,
        "metrics": [Metric("auc", 0.79, 0.78, 0.8), Metric("base_rate", 0.39)],
        "figures": {},
    }
    return register.log_training(**(record | changes), model=model, alias=alias)


def contents(folder):
    return {path.relative_to(folder): path.read_text() for path in folder.rglob("*") if path.is_file()}


def runs(register):
    from mlflow import MlflowClient  # noqa: TID251 - asks MLflow itself what was stored

    client = MlflowClient(f"sqlite:///{register.folder}/mlflow.db")
    experiments = [e.experiment_id for e in client.search_experiments()]
    return client.search_runs(experiments, order_by=["attributes.start_time DESC"])


def test_a_training_is_one_run_with_its_settings_figures_and_model(register, saved):
    figure = Figure()
    figure.subplots().plot([0, 1], [0, 1])
    version = training(register, saved, figures={"reliability": figure, "lift": figure})

    run = runs(register)[0]
    assert run.info.run_id == version.run_id
    assert (run.info.status, run.info.run_name) == ("FINISHED", "2011-09-01")
    assert run.data.params == {"lightgbm.rounds": "300", "labels.horizons": "(30, 60, 90, 180)"}
    assert run.data.metrics == {"auc": 0.79, "auc_low": 0.78, "auc_high": 0.8, "base_rate": 0.39}
    assert run.data.tags["data_fingerprint"] == version.data_fingerprint == "5f1c"
    assert abs(version.made_at - datetime.fromtimestamp(run.info.start_time / 1000, tz=UTC)) < timedelta(minutes=5)

    artefacts = version.folder.parent
    pd.testing.assert_frame_equal(pd.read_csv(artefacts / "folds.csv"), FOLDS)
    assert sorted(path.name for path in (artefacts / "figures").iterdir()) == ["lift.png", "reliability.png"]
    assert (artefacts / "figures" / "lift.png").read_bytes().startswith(b"\x89PNG")
    assert contents(version.folder) == contents(saved)


def test_more_settings_and_figures_than_mlflow_takes_at_once_are_all_there(register, saved):
    params = {f"p{i}": i for i in range(101)}
    metrics = [Metric(f"m{i}", i) for i in range(201)]
    training(register, saved, params=params, metrics=metrics)
    run = runs(register)[0]
    assert (len(run.data.params), len(run.data.metrics)) == (101, 201)


def test_the_champion_is_the_version_that_was_named_so_last(register, saved):
    first = training(register, saved)
    assert register.champion_folder() == first.folder
    second = training(register, saved, alias="challenger")
    assert register.champion_folder() == first.folder
    assert register.champion_folder("challenger") == second.folder
    third = training(register, saved)
    assert register.champion_folder() == third.folder
    assert [(v.number, v.aliases) for v in register.versions()] == [
        (third.number, ("champion",)),
        (second.number, ("challenger",)),
        (first.number, ()),
    ]


def test_before_the_first_training_there_is_no_champion_and_nothing_is_made(tmp_path, register):
    nowhere = Tracking(tmp_path / "nowhere")
    for empty in (nowhere, register):
        assert empty.versions() == []
        with pytest.raises(ArtefactError, match=r"no champion yet: run `kizashi train`$"):
            empty.champion_folder()
    assert not nowhere.folder.exists()


def test_a_training_that_fails_leaves_no_version_and_a_run_that_says_so(register, saved):
    # the store of these tests begins with such a training
    assert [run.info.status for run in runs(register)] == ["FAILED"]
    assert training(register, saved).number == 1


def test_a_register_that_was_moved_still_answers_and_goes_on(tmp_path, register, saved):
    first = training(register, saved)
    moved = Tracking(shutil.move(register.folder, tmp_path / "restored here"))
    assert moved.champion_folder() == moved.folder / first.folder.relative_to(register.folder)
    second = training(moved, saved)
    assert second.number == first.number + 1
    assert moved.champion_folder() == second.folder
    assert not register.folder.exists()


def test_files_that_went_missing_are_named(register, saved):
    version = training(register, saved)
    shutil.rmtree(version.folder)
    with pytest.raises(ArtefactError, match=r"the files of version 1 .* are not there"):
        register.champion_folder()


@pytest.mark.parametrize(
    ("name", "content"),
    [("30.txt", b"\x80\x05\x95"), ("30.pkl", b"(dp0\n."), ("deep/30.JOBLIB", b"x"), ("30.skops", b"PK")],
)
def test_a_pickle_is_refused_under_any_name(register, saved, tmp_path, name, content):
    model = Path(shutil.copytree(saved, tmp_path / "model"))
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).write_bytes(content)
    with pytest.raises(ArtefactError, match="looks like a pickle"):
        training(register, model)
    assert register.versions() == []


@pytest.mark.parametrize("alias", ["newest", "Champion", ""])
def test_only_two_aliases_are_known(register, saved, alias):
    training(register, saved)
    with pytest.raises(ArtefactError, match="use one of champion, challenger"):
        training(register, saved, alias=alias)
    assert len(register.versions()) == 1


def test_nothing_is_noted_of_a_version_that_is_not_there(register, saved):
    training(register, saved)
    with pytest.raises(ArtefactError, match="there is no version 2 of the model; registered: 1"):
        register.note(2, "gate", "passed")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metrics": [Metric("auc", float("nan"))]}, "'auc' is nan"),
        ({"metrics": [Metric("auc", 0.7, high=float("inf"))]}, "'auc_high' is inf"),
        ({"metrics": [Metric("auc", 0.7, 0.6), Metric("auc_low", 0.6)]}, "'auc_low' is given twice"),
        ({"folds": FOLDS.assign(Customer_ID="C-1")}, "'folds' has"),
    ],
)
def test_figures_that_cannot_be_and_names_of_customers_are_refused(register, saved, changes, words):
    with pytest.raises(ValueError, match=words):
        training(register, saved, **changes)
    assert register.versions() == []


def test_what_is_no_saved_model_is_refused(register, tmp_path):
    with pytest.raises(ArtefactError, match=r"expected a saved model, found no manifest\.json"):
        training(register, tmp_path)


def test_a_store_that_is_no_database_is_named_in_one_line(tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to look like one")
    with pytest.raises(ArtefactError, match="not an SQLite database") as caught:
        Tracking(tmp_path).champion_folder()
    assert "\n" not in str(caught.value)


def test_a_store_of_another_mlflow_is_named_in_one_line(register, saved):
    import sqlite3

    training(register, saved)
    other = Path(shutil.copytree(register.folder, register.folder.with_name("other")))
    connection = sqlite3.connect(other / "mlflow.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    connection.close()
    with pytest.raises(ArtefactError, match="MLflow's store refused") as caught:
        Tracking(other).versions()
    assert "\n" not in str(caught.value)


def test_a_question_mark_in_the_path_is_refused_and_other_signs_are_not(tmp_path, empty_store, saved):
    with pytest.raises(ArtefactError, match="rename the folder"):
        Tracking(tmp_path / "what?")
    odd = Tracking(shutil.copytree(empty_store, tmp_path / "100%25 #1 兆し"))
    assert training(odd, saved).folder == odd.champion_folder()


TRAINING = """
import sys
from pathlib import Path
from pipelines.settings import prepare_environment, tracking_folder
prepare_environment(Path(sys.argv[1]))
import pandas as pd
from models.tracking import Tracking
register = Tracking(tracking_folder(Path(sys.argv[1])))
numbers = {"params": {}, "folds": pd.DataFrame(), "metrics": [], "figures": {}}
register.log_training(name="x", data_fingerprint="5f", model=Path(sys.argv[2]), alias="champion", **numbers)
"""


def test_two_processes_that_start_at_once_make_one_store_and_say_nothing_else(tmp_path, saved):
    command = [sys.executable, "-W", "error", "-c", TRAINING, str(tmp_path), str(saved)]
    pair = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=180) for process in pair]
    assert answers == [("", ""), ("", "")]
    assert [process.returncode for process in pair] == [0, 0]
    register = Tracking(tmp_path / "mlflow")
    assert [version.number for version in register.versions()] == [2, 1]
    assert sorted(path.name for path in register.folder.iterdir()) == ["artifacts", "mlflow.db"]
    assert json.loads((register.champion_folder() / "manifest.json").read_text())["made_for"] == "2011-09-01"
    assert sorted(path.name for path in tmp_path.iterdir() if path != saved.parent) == ["mlflow"]
