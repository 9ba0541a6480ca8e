"""Golden rows: a model that is damaged, or that would end the interpreter, is found out by a process of its own."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from companies import TRAINED, Company

from features.errors import ArtefactError
from features.own import OwnFile
from models import golden
from models.golden import GOLDEN, check, check_in_child, golden_rows, text_of
from models.tracking import Tracking
from pipelines.settings import tracking_folder

pytest_plugins = ["trained"]


class Line:
    """A scorer whose log-odds can be worked out by hand: days since the last order less 30, in tenths."""

    def margins(self, frame: pd.DataFrame) -> np.ndarray:
        tenths = (frame["days_since_last_order"].fillna(0).to_numpy(dtype="float64") - 30) / 10
        return np.column_stack([tenths, tenths + 1])


def snapshots(days: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": [f"C{number}" for number in range(len(days))],
            "as_of": pd.Timestamp(2026, 7, 1),
            "owner": "Sato",
            "segment": ["retail", None] * (len(days) // 2) + ["retail"] * (len(days) % 2),
            "days_since_last_order": days,
            "churn_window_days": np.arange(len(days)) + 45,
        }
    )


def test_golden_rows_span_the_ranking_and_name_nobody() -> None:
    rows = golden_rows(Line(), snapshots([float(day) for day in range(100)]), seed=1)
    kept = rows["columns"]["days_since_last_order"]["values"]
    assert rows["count"] == len(kept) == 20
    assert {0.0, 99.0} <= set(kept)
    assert rows["margins"] == [[(day - 30) / 10, (day - 30) / 10 + 1] for day in kept]
    assert not {"customer_id", "owner"} & set(rows["columns"])
    assert "Sato" not in text_of(rows)
    assert "C99" not in text_of(rows)


def test_the_same_seed_keeps_the_same_rows_and_another_one_others() -> None:
    frame = snapshots([float(day) for day in range(100)])
    assert text_of(golden_rows(Line(), frame, seed=1)) == text_of(golden_rows(Line(), frame, seed=1))
    assert text_of(golden_rows(Line(), frame, seed=1)) != text_of(golden_rows(Line(), frame, seed=2))


def test_fewer_snapshots_are_all_kept_with_what_is_unknown() -> None:
    frame = snapshots([0.1 + 0.2, float("nan"), 7.0]).assign(orders_vs_usual=[float("inf"), -1.5, float("-inf")])
    rows = golden_rows(Line(), frame, seed=1)
    assert rows["columns"]["days_since_last_order"]["values"] == [0.1 + 0.2, None, 7.0]
    assert rows["columns"]["orders_vs_usual"]["values"] == ["inf", -1.5, "-inf"]
    assert rows["columns"]["segment"]["values"] == ["retail", None, "retail"]
    with pytest.raises(ValueError, match="no snapshot to keep"):
        golden_rows(Line(), snapshots([]), seed=1)


class ByName(Line):
    """A scorer that looks at who somebody is."""

    def margins(self, frame: pd.DataFrame) -> np.ndarray:
        return super().margins(frame) + frame["customer_id"].str.startswith("C").to_numpy()[:, None]


def test_a_model_that_scores_by_what_is_not_kept_has_no_golden_rows() -> None:
    with pytest.raises(ArtefactError, match="3 of 3 golden rows do not score as recorded"):
        golden_rows(ByName(), snapshots([1.0, 2.0, 3.0]), seed=1)


@pytest.fixture
def model(company: Company, tmp_path: Path) -> Path:
    """A copy of the company's champion with golden rows."""
    kept = Tracking(tracking_folder(company.folder / "out")).champion_folder()
    folder = Path(shutil.copytree(kept, tmp_path / "model"))
    if not (folder / GOLDEN).is_file():
        from models.churn_model import ChurnModel

        table = pd.read_parquet(company.folder / "out" / "snapshots" / f"{TRAINED}.parquet")
        eligible = table[(table["as_of"] == pd.Timestamp(TRAINED)) & (table["cohort"] == "eligible")]
        rows = golden_rows(ChurnModel.load(folder), eligible, seed=1)
        (folder / GOLDEN).write_text(text_of(rows), encoding="utf-8")
    return folder


def rewritten(folder: Path, name: str, text: str) -> None:
    """Alter a file and the checksum of it that the manifest has, as whoever means harm would."""
    (folder / name).write_text(text, encoding="utf-8")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    if name in manifest["sha256"]:
        manifest["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_a_model_as_it_was_saved_scores_as_recorded_here_and_in_a_process_of_its_own(model: Path) -> None:
    content = json.loads((model / GOLDEN).read_text(encoding="utf-8"))
    assert content["golden"]["count"] == check(model) == 20
    assert np.ptp(np.array(content["golden"]["margins"])[:, 2]) > 0.5  # customers of different risk
    assert check_in_child(model).endswith("its 20 golden rows score as recorded")


def test_a_row_that_scores_otherwise_is_told_with_the_difference(model: Path) -> None:
    content = json.loads((model / GOLDEN).read_text(encoding="utf-8"))
    content["golden"]["margins"][3][0] += 1e-6
    rewritten(model, GOLDEN, text_of(content["golden"]))
    with pytest.raises(ArtefactError, match=r"1 of 20 golden rows do not score as recorded.* by up to 1e-06"):
        check_in_child(model)


def test_golden_rows_that_are_missing_or_altered_are_refused(model: Path) -> None:
    text = (model / GOLDEN).read_text(encoding="utf-8")
    rewritten(model, GOLDEN, text.replace('"count": 20', '"count": 19'))
    with pytest.raises(ArtefactError, match="altered since training"):
        check(model)
    rewritten(model, GOLDEN, text[:100])
    with pytest.raises(ArtefactError, match="not readable"):
        check(model)
    (model / GOLDEN).unlink()
    with pytest.raises(ArtefactError, match="nothing says how the model should score"):
        check(model)


def trees(model: Path) -> Path:
    return sorted(model.glob("lightgbm_*.txt"))[0]


def test_a_file_that_is_not_what_its_checksum_says_is_refused_by_the_child_in_one_line(model: Path) -> None:
    trees(model).write_text("tree", encoding="utf-8")
    with pytest.raises(ArtefactError, match="altered since training") as caught:
        check_in_child(model)
    assert "\n" not in str(caught.value)


def test_trees_that_end_the_interpreter_end_the_childs_alone(model: Path) -> None:
    # cut in half under a checksum that fits: LightGBM's reader writes where it may not
    text = trees(model).read_text(encoding="utf-8")
    rewritten(model, trees(model).name, text[: len(text) // 2])
    with pytest.raises(ArtefactError, match=r"ended the interpreter|does not load") as caught:
        check_in_child(model)
    assert "Train again or restore it." in str(caught.value)


KILLS = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
ALONE = """
import os, sys
assert "SECRET" not in os.environ and not os.listdir(), "the child sees what is not its own"
assert sys.flags.isolated and sys.flags.ignore_environment
"""


def test_a_child_that_is_killed_is_told_with_the_signal(model: Path) -> None:
    with pytest.raises(ArtefactError, match=r"ended the interpreter \(signal 9\)"):
        check_in_child(model, own=[OwnFile("own.py", KILLS)])


def test_the_child_has_the_users_features_and_nothing_else_of_this_process(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of the database")
    assert "20 golden rows" in check_in_child(model, own=[OwnFile("own.py", ALONE)])
    with pytest.raises(ArtefactError, match=r"own\.py:1: ZeroDivisionError"):
        check_in_child(model, own=[OwnFile("own.py", "1 / 0")])


def test_a_child_that_takes_too_long_or_too_much_is_ended(model: Path) -> None:
    with pytest.raises(ArtefactError, match=r"did not load and score within 0\.01 seconds"):
        check_in_child(model, seconds=0.01)
    with pytest.raises(ArtefactError, match=r"does not load|ended the interpreter"):
        check_in_child(model, megabytes=64)
    assert golden.MEGABYTES > 1024
