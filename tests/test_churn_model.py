"""The champion: what is saved is what was validated, and nothing in the artefact can run code."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from worlds import CUTOFFS, QUICK, drawn_rows, latest_cohort, training, walk

from features.errors import ArtefactError
from features.labels import HORIZONS
from features.windows import Window
from models import churn_model
from models.artefact import EARLY_FILE, LOGISTIC_FILE, MANIFEST
from models.calibration import USUAL_LEVEL_SPREAD, Affine
from models.churn_model import ChurnModel, assemble
from models.classifiers import LIGHTGBM, Boosting, BoostingOptions
from models.folds import CHAMPION
from models.levels import DEFAULT_PROMISES
from models.logistic import LOGISTIC, Logistic
from models.record import Record
from models.selection import Selection

AS_OF = pd.Timestamp(CUTOFFS[-1])

CHILD = """
import pickle, sys
def refuse(*_args, **_options):
    raise RuntimeError("something was unpickled")
pickle.load = pickle.loads = pickle.Unpickler = refuse
for name in ("joblib", "cloudpickle", "dill"):
    sys.modules[name] = None
from pathlib import Path
import pandas as pd
from models.churn_model import ChurnModel
model = ChurnModel.load(Path(sys.argv[1]))
model.score(pd.read_parquet(sys.argv[2])).to_parquet(sys.argv[3])
"""


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved champion. Not to be changed in place."""
    folder = tmp_path_factory.mktemp("artefact") / "champion"
    everything().save(folder)
    return folder


def everything() -> ChurnModel:
    """The walk's champion with all three components and a correction in use."""
    return replace(
        walk().champion,
        selection=replace(walk().champion.selection, weights=((0.5, 0.25, 0.25),) * 4),
        calibrations=(Affine(0.1, 0.9, "platt"), Affine(-0.2, 1.0, "season"), Affine(), Affine()),
    )


def copied(artefact: Path, place: Path) -> Path:
    folder = place / "copy"
    folder.mkdir()
    for path in artefact.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def change_manifest(folder: Path, **changes: Any) -> None:
    path = folder / MANIFEST
    manifest = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in manifest.items() if value is not None}))


# --- what was validated is what scores


def test_the_champion_gives_the_numbers_that_validation_saw(tmp_path):
    walk().champion.save(tmp_path / "champion")
    rows = walk().predictions
    reported = rows[(rows["contestant"] == CHAMPION) & (rows["as_of"] == AS_OF)].set_index("customer_id")
    cohort = latest_cohort().set_index("customer_id", drop=False)
    scores = ChurnModel.load(tmp_path / "champion").score(cohort)
    pd.testing.assert_frame_equal(scores, reported[list(scores.columns)], check_exact=True)
    assert len(scores) > 500
    assert (scores["level"] != "none").any()


def test_saving_and_loading_changes_no_bit(artefact):
    one, two = everything(), ChurnModel.load(artefact)
    cohort = latest_cohort()
    pd.testing.assert_frame_equal(one.score(cohort), two.score(cohort), check_exact=True)
    assert (one.components(cohort) == two.components(cohort)).all()
    for name in ("selection", "calibrations", "level_spreads", "levels", "reference", "logistic", "rhythm", "early"):
        assert getattr(one, name) == getattr(two, name)
    assert [len(bag) for bag in two.boosting.bags] == [QUICK.boosting.bags] * 4
    two.save(artefact.parent / "again")
    assert (artefact.parent / "again" / MANIFEST).read_text() == (artefact / MANIFEST).read_text()


def test_the_score_of_a_customer_does_not_depend_on_the_order_or_the_company_of_others(artefact):
    model, cohort = ChurnModel.load(artefact), latest_cohort()
    scores = model.score(cohort).drop(columns="level")
    some = cohort.sample(50, random_state=1)
    pd.testing.assert_frame_equal(model.score(some).drop(columns="level"), scores.loc[some.index], check_exact=True)


def test_scoring_needs_no_pickle(artefact, tmp_path):
    latest_cohort().to_parquet(tmp_path / "cohort.parquet")
    paths = [str(artefact), str(tmp_path / "cohort.parquet"), str(tmp_path / "scores.parquet")]
    subprocess.run([sys.executable, "-c", CHILD, *paths], check=True, timeout=120)
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    pd.testing.assert_frame_equal(scores, everything().score(latest_cohort()), check_exact=True)


def test_a_horizon_without_trees_is_saved_and_loaded_without_them(tmp_path):
    model = everything()
    one = replace(model, boosting=replace(model.boosting, bags=((), *model.boosting.bags[1:3], ())))
    one.save(tmp_path / "champion")
    assert sorted(path.name for path in (tmp_path / "champion").iterdir()) == [
        EARLY_FILE,
        *(f"lightgbm_60_{bag}.txt" for bag in range(QUICK.boosting.bags)),
        *(f"lightgbm_90_{bag}.txt" for bag in range(QUICK.boosting.bags)),
        LOGISTIC_FILE,
        MANIFEST,
    ]
    two = ChurnModel.load(tmp_path / "champion")
    pd.testing.assert_frame_equal(one.score(latest_cohort()), two.score(latest_cohort()), check_exact=True)


def test_a_model_without_early_warning_and_one_from_before_there_was_any_load_without_it(artefact, tmp_path):
    model = replace(everything(), early=None)
    model.save(tmp_path / "champion")
    assert ChurnModel.load(tmp_path / "champion").early is None
    found, cohort = ChurnModel.load(artefact), latest_cohort()
    assert found.early == everything().early
    assert found.early is not None
    assert found.early.mark.n >= 30  # places of earlier cutoffs whose days were over at the last one
    assert found.standing(cohort)["early_place"].notna().any()
    assert model.standing(cohort)["early_place"].isna().all()


# --- what the artefact is


def test_the_artefact_is_plain_text_with_a_checksum_each(artefact):
    manifest = json.loads((artefact / MANIFEST).read_text())
    names = sorted(path.name for path in artefact.iterdir())
    assert names == sorted(
        [
            MANIFEST,
            EARLY_FILE,
            LOGISTIC_FILE,
            *(f"lightgbm_{days}_{bag}.txt" for days in HORIZONS for bag in range(QUICK.boosting.bags)),
        ]
    )
    assert sorted(manifest["sha256"]) == [name for name in names if name != MANIFEST]
    for name in names:
        (artefact / name).read_text(encoding="utf-8")
    assert (artefact / "lightgbm_30_0.txt").read_text().startswith("tree\n")


def test_the_manifest_is_json_without_nan_and_says_what_the_model_is(artefact):
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    manifest = json.loads((artefact / MANIFEST).read_text(), parse_constant=refuse)
    assert manifest["selection"]["weights"] == [[0.5, 0.25, 0.25]] * 4
    assert manifest["calibrations"][0] == {"intercept": 0.1, "slope": 0.9, "kind": "platt"}
    assert [level["name"] for level in manifest["levels"]] == ["red", "orange", "yellow", "blue"]
    assert manifest["facts"]["trained_as_of"] == CUTOFFS[-1].isoformat()
    assert set(manifest["facts"]["rows"]) == {str(days) for days in HORIZONS}


def test_facts_are_added_and_kept(tmp_path):
    model = walk().champion.with_facts(fingerprint="abc", trained_as_of="2025-01-02")
    assert "fingerprint" not in walk().champion.facts
    model.save(tmp_path / "champion")
    facts = ChurnModel.load(tmp_path / "champion").facts
    assert facts["fingerprint"] == "abc"
    assert facts["trained_as_of"] == "2025-01-02"
    assert facts["rows"] == walk().champion.facts["rows"]


def test_an_artefact_is_never_overwritten(artefact):
    with pytest.raises(FileExistsError):
        everything().save(artefact)


# --- what is refused


def cut(folder: Path) -> None:
    path = folder / "lightgbm_60_0.txt"
    path.write_bytes(path.read_bytes()[:-400])


def change_a_threshold(folder: Path) -> None:
    path = folder / "lightgbm_60_0.txt"
    path.write_bytes(path.read_bytes().replace(b"threshold=", b"threshold=9", 1))


def empty(folder: Path) -> None:
    (folder / "lightgbm_60_0.txt").write_bytes(b"")


def swap(folder: Path) -> None:
    (folder / "lightgbm_60_0.txt").write_bytes((folder / "lightgbm_90_0.txt").read_bytes())


def remove(folder: Path) -> None:
    (folder / "lightgbm_60_0.txt").unlink()


@pytest.mark.parametrize("harm", [cut, change_a_threshold, empty, swap, remove])
def test_a_harmed_file_is_refused_before_lightgbm_reads_it(harm, artefact, tmp_path, monkeypatch):
    folder = copied(artefact, tmp_path)
    harm(folder)
    # Without LightGBM an intact artefact cannot be read at all; a harmed one is refused before that matters.
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(ImportError):
        ChurnModel.load(artefact)
    with pytest.raises(ArtefactError, match=r"lightgbm_60_0\.txt.*(altered|missing).*Train again"):
        ChurnModel.load(folder)


def test_a_folder_without_a_manifest_is_not_a_model(tmp_path):
    with pytest.raises(ArtefactError, match=r"not a model\. Run `kizashi train`"):
        ChurnModel.load(tmp_path)
    with pytest.raises(ArtefactError, match="not a model"):
        ChurnModel.load(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 2', b"\xff\xfe\x00", b"\x80\x04\x95"])
def test_a_manifest_that_is_not_json_is_refused(content, artefact, tmp_path):
    folder = copied(artefact, tmp_path)
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(ArtefactError, match="not readable as JSON"):
        ChurnModel.load(folder)


@pytest.mark.parametrize("content", ["[]", "{}", "null", '{"format": "2"}', '{"format": 1}', '{"format": 0}'])
def test_another_format_is_refused(content, artefact, tmp_path):
    folder = copied(artefact, tmp_path)
    (folder / MANIFEST).write_text(content)
    with pytest.raises(ArtefactError, match="expected a manifest of format 2"):
        ChurnModel.load(folder)


def test_a_feature_that_this_version_does_not_have_is_refused_by_name(artefact, tmp_path):
    folder = copied(artefact, tmp_path)
    change_manifest(folder, features=["days_since_last_order", "phase_of_the_moon"])
    with pytest.raises(ArtefactError, match=r"does not have: \['phase_of_the_moon'\]. Train again"):
        ChurnModel.load(folder)


@pytest.mark.parametrize("section", ["sha256", "features", "rhythm", "bags", "selection", "levels", "reference"])
def test_a_manifest_without_a_section_is_refused(section, artefact, tmp_path):
    folder = copied(artefact, tmp_path)
    change_manifest(folder, **{section: None})
    with pytest.raises(ArtefactError, match=section):
        ChurnModel.load(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"bags": [1]},
        {"bags": 1},
        {"rhythm": {}},
        {"selection": {"steps": [{}], "weights": []}},
        {"calibrations": [{"tilt": 1}]},
        {"levels": 3},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_a_manifest_that_no_training_wrote_is_refused_in_one_line(changes, artefact, tmp_path):
    folder = copied(artefact, tmp_path)
    change_manifest(folder, **changes)
    with pytest.raises(ArtefactError, match=r"not readable as a model .* Train again or restore the folder\.$"):
        ChurnModel.load(folder)


def test_trees_that_the_manifest_does_not_know_are_refused(artefact, tmp_path):
    folder = copied(artefact, tmp_path)
    known = json.loads((folder / MANIFEST).read_text())["sha256"]
    del known["lightgbm_30_0.txt"]
    change_manifest(folder, sha256=known)
    with pytest.raises(ArtefactError, match=r"lightgbm_30_0\.txt"):
        ChurnModel.load(folder)


# --- what it is made of


def test_the_margin_is_the_calibrated_mean_of_the_components():
    model, cohort = everything(), latest_cohort()
    boosting, logistic, free = model.components(cohort)
    blend = 0.5 * boosting + 0.25 * logistic + 0.25 * free
    expected = np.column_stack([0.1 + 0.9 * blend[:, 0], blend[:, 1] - 0.2, blend[:, 2], blend[:, 3]])
    np.testing.assert_allclose(model.margins(cohort), expected, atol=1e-12)


@pytest.mark.parametrize("component", range(3))
def test_a_component_alone_is_a_weight_of_one(component):
    weights = (tuple(float(i == component) for i in range(3)),) * 4
    model = replace(everything(), selection=replace(everything().selection, weights=weights))
    model = replace(model, calibrations=(Affine(),) * 4)
    np.testing.assert_allclose(model.margins(latest_cohort()), model.components(latest_cohort())[component], atol=1e-12)


def test_only_the_known_learners_make_a_champion():
    rows = training(drawn_rows())
    logistic = Logistic(LOGISTIC).fit(rows)
    with pytest.raises(TypeError, match="FittedBoosting"):
        assemble({LIGHTGBM: logistic, LOGISTIC: logistic}, pd.DataFrame(), rows, DEFAULT_PROMISES, Window(), 1.5)


def test_the_first_champion_has_no_record_and_says_so():
    rows = training(drawn_rows())
    few = BoostingOptions(rounds=3)
    fitted = {LIGHTGBM: Boosting(LIGHTGBM, few).fit(rows), LOGISTIC: Logistic(LOGISTIC).fit(rows)}
    model = assemble(fitted, Record().known_at(rows), rows, DEFAULT_PROMISES, Window(), 1.5)
    assert model.selection == Selection()
    assert model.weights == ((0.0, 0.0, 1.0),) * 4
    assert model.level_spreads == pytest.approx([USUAL_LEVEL_SPREAD] * 4)
    assert model.calibrations == (Affine(),) * 4
    assert [level.threshold for level in model.levels.levels] == [p.precision for p in DEFAULT_PROMISES.values()]
    assert model.facts == {
        "trained_as_of": "2024-03-31",
        "rows": {"30": 480, "60": 480, "90": 480, "180": 480},
        "record_dates": 0,
    }
    assert model.reference == pytest.approx(model.rhythm.margins(rows.book).mean(axis=0))


def test_the_choice_of_a_model_allows_for_late_books(monkeypatch):
    late = replace(training(drawn_rows()), latency_days=7)
    few = BoostingOptions(rounds=3)
    fitted = {LIGHTGBM: Boosting(LIGHTGBM, few).fit(late), LOGISTIC: Logistic(LOGISTIC).fit(late)}
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(churn_model, "select", lambda _, *given: asked.append(given) or Selection())
    assemble(fitted, Record().known_at(late), late, DEFAULT_PROMISES, Window(), 1.5)
    assert asked == [(late.seed, 7)]


# --- how sure it is


def test_the_interval_holds_the_probability_and_widens_with_the_season_and_the_bags():
    model, cohort = everything(), latest_cohort()
    scores = model.probabilities(cohort)
    assert (scores["churn_low"] < scores["churn_probability"]).all()
    assert (scores["churn_probability"] < scores["churn_high"]).all()
    certain = replace(model, level_spreads=(0.0,) * 4)
    alone = certain.probabilities(cohort)
    assert (alone["churn_high"] - alone["churn_low"] < scores["churn_high"] - scores["churn_low"]).all()
    assert (alone["churn_high"] > alone["churn_low"]).all()
    free = replace(certain, selection=Selection())
    without = free.probabilities(cohort)
    np.testing.assert_allclose(without["churn_low"], without["churn_high"], atol=1e-12)


def test_the_level_alone_gives_an_interval_of_1_645_standard_deviations_of_the_log_odds():
    model = replace(everything(), selection=Selection(), level_spreads=(0.2,) * 4)
    scores = model.probabilities(latest_cohort())
    np.testing.assert_allclose(logit(scores["churn_high"]) - scores["margin"], 1.644854 * 0.2, atol=1e-6)
    np.testing.assert_allclose(scores["margin"] - logit(scores["churn_low"]), 1.644854 * 0.2, atol=1e-6)


def test_the_spread_of_the_bags_is_that_of_the_window_they_are_read_at():
    alone = replace(everything().selection, weights=((1.0, 0.0, 0.0),) * 4)
    model = replace(everything(), selection=alone, level_spreads=(0.0,) * 4)
    model = replace(model, calibrations=(Affine(),) * 4)
    cohort = latest_cohort().assign(churn_window_days=90)
    margins = model.margins(cohort)
    whole = (np.diff(margins, axis=1) <= 0).all(axis=1)
    seen = model.boosting.share
    own = model.boosting.corrections(cohort, 2).var(axis=0, ddof=1)
    expected = np.sqrt(own * (seen / (1 - seen) + 1 / QUICK.boosting.bags))
    np.testing.assert_allclose(model.spread(cohort, margins)[whole], expected[whole], atol=1e-9)
    assert whole.sum() > 100
