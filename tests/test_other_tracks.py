"""Customers outside the cohort: a chance for each, by the model of its track, and the same again from the artefact."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from worlds import CUTOFFS, QUICK, latest, walk

from features.errors import ArtefactError
from features.labels import HORIZONS
from features.snapshots import ELIGIBLE
from models import second_order
from models.artefact import MANIFEST, OTHERS_FILE
from models.btyd import BTYD
from models.churn_model import ChurnModel
from models.folds import past_rows
from models.horizons import PROBABILITIES, curve
from models.label_free import VARIANTS, YEAR, FittedLabelFree
from models.other_tracks import NEW, PROJECT, OtherTracks, learn
from models.projects import SIGNS, FittedProjects, Line
from models.second_order import FittedSecondOrder

MBG = VARIANTS[1]
#: Three books of one kind: in the second one silences end sooner, in the third later.
USUAL, SOON, LATE = (
    BTYD(1, True, r=1.0, alpha=alpha, a=1.0, b=5.0, log_likelihood=None, n=100) for alpha in (60.0, 15.0, 300.0)
)
RHYTHM = FittedLabelFree(MBG, USUAL)
OTHERS = OtherTracks(FittedSecondOrder("label_free", MBG, SOON), FittedProjects("label_free", MBG, LATE))
SCORES = ["margin", "churn_probability", *PROBABILITIES, "churn_window_days"]


def outside() -> pd.DataFrame:
    """Customers with an order outside the cohort, of every track that the company has and of one that it has not."""
    frame = latest()[(latest()["cohort"] != ELIGIBLE) & (latest()["order_days_ever"] >= 1)]
    gone = frame[frame["cohort"] == "dormant"].index[:5]
    return frame.assign(cohort=frame["cohort"].mask(frame.index.isin(gone), "closed"))


@cache
def learnt() -> OtherTracks:
    rows = past_rows(walk().table, pd.Timestamp(CUTOFFS[-1]), QUICK)
    return learn(rows, book(), walk().champion.rhythm, QUICK.seed)


def book() -> pd.DataFrame:
    return latest()[latest()["order_days_ever"] >= 1]


# --- a chance for each


def test_everybody_outside_the_cohort_has_chances_that_fall_with_the_horizon():
    frame = outside()
    assert set(frame["cohort"]) == {"few_order_days", "dormant", "closed", "project", "off_season"}
    scores = learnt().probabilities(frame, walk().champion.rhythm)
    assert list(scores.columns) == SCORES
    assert list(scores.index) == list(frame.index)
    assert np.isfinite(scores.to_numpy(dtype="float64")).all()
    assert scores[["churn_probability", *PROBABILITIES]].gt(0).all(axis=None)
    assert scores[["churn_probability", *PROBABILITIES]].lt(1).all(axis=None)
    assert (np.diff(scores[list(PROBABILITIES)], axis=1) <= 0).all()
    np.testing.assert_allclose(expit(scores["margin"]), scores["churn_probability"], atol=1e-12)
    # The own window lies between 45 and 180 days, that of projects behind all horizons.
    assert (scores["churn_probability"] <= scores["p_no_order_30"]).all()
    projects = frame["cohort"] == PROJECT
    assert (scores.loc[~projects, "churn_probability"] >= scores.loc[~projects, "p_no_order_180"]).all()
    assert (scores.loc[projects, "churn_probability"] <= scores.loc[projects, "p_no_order_180"]).all()


def test_each_track_has_its_model():
    frame = outside()
    scores = OTHERS.probabilities(frame, RHYTHM)
    new, project = frame["cohort"] == NEW, frame["cohort"] == PROJECT
    told = {"rhythm": ~new & ~project, "second order": new & (frame["order_days_ever"] == 1)}
    assert min(rows.sum() for rows in told.values()) > 20
    for rows, model in zip(told.values(), (RHYTHM, OTHERS.second_order), strict=True):
        coherent, margin = curve(model.margins(frame[rows]), frame.loc[rows, "churn_window_days"])
        np.testing.assert_allclose(scores.loc[rows, list(PROBABILITIES)], expit(coherent), atol=1e-12)
        np.testing.assert_allclose(scores.loc[rows, "margin"], margin, atol=1e-12)
        assert (scores.loc[rows, "churn_window_days"] == frame.loc[rows, "churn_window_days"]).all()
    gap = OTHERS.second_order.margins(frame[new]) - RHYTHM.margins(frame[new])
    assert (np.abs(gap) > 0.01).mean() > 0.9


def test_customers_of_projects_are_asked_about_a_year():
    frame = outside()
    frame = frame[frame["cohort"] == PROJECT]
    scores = OTHERS.probabilities(frame, RHYTHM)
    assert set(scores["churn_window_days"]) == {YEAR} == {365}
    np.testing.assert_allclose(scores["margin"], OTHERS.projects.margin(frame), atol=1e-12)
    np.testing.assert_allclose(scores["churn_probability"], expit(OTHERS.projects.margin(frame)), atol=1e-12)
    assert len(frame) > 20


def test_who_is_silent_for_a_year_is_silent_for_less():
    # The line says that two of three will be silent for a year, whatever the rhythm believes of half a year.
    line = Line((), (float(logit(2 / 3)), -1.0), (0.0, 0.0), (1.0, 1.0))
    others = replace(OTHERS, projects=FittedProjects("line", MBG, USUAL, line))
    frame = outside()
    frame = frame[frame["cohort"] == PROJECT]
    scores, plain = (one.probabilities(frame, RHYTHM) for one in (others, OTHERS))
    assert scores["churn_probability"].tolist() == pytest.approx([2 / 3] * len(frame))
    assert (RHYTHM.margins(frame)[:, -1] < logit(2 / 3)).any()
    assert (scores[list(PROBABILITIES)] >= 2 / 3 - 1e-12).all(axis=None)
    assert (scores["p_no_order_30"] >= plain["p_no_order_30"]).all()


def test_a_customer_who_is_back_again_has_no_chance_of_a_second_order():
    # Order days of long ago do not count for the cohort, but they are there.
    frame = outside()
    frame = frame[(frame["cohort"] == NEW) & (frame["order_days_ever"] > 1)]
    assert len(frame) > 0
    scores = OTHERS.probabilities(frame, RHYTHM)
    coherent, _ = curve(RHYTHM.margins(frame), frame["churn_window_days"])
    np.testing.assert_allclose(scores[list(PROBABILITIES)], expit(coherent), atol=1e-12)


def test_nobody_and_a_track_alone_are_scored_as_among_the_others():
    frame = outside()
    whole = OTHERS.probabilities(frame, RHYTHM)
    assert list(OTHERS.probabilities(frame.head(0), RHYTHM).columns) == SCORES
    for _, part in frame.groupby("cohort"):
        alone = OTHERS.probabilities(part, RHYTHM)
        pd.testing.assert_frame_equal(alone, whole.loc[part.index], rtol=0, atol=1e-12)


# --- what is learnt


def test_each_model_learns_from_its_track_alone():
    rows = past_rows(walk().table, pd.Timestamp(CUTOFFS[-1]), QUICK)
    other = ~(((rows["cohort"] == NEW) & (rows["order_days_ever"] == 1)) | (rows["cohort"] == PROJECT))
    assert other.sum() > 5_000
    changed = rows.assign(days_to_next_order=rows["days_to_next_order"].mask(other, 1.0))
    assert learn(changed, book(), walk().champion.rhythm, QUICK.seed) == learnt()
    assert learnt().second_order.evidence["customers"] > 20
    assert learnt().projects.variant == walk().champion.rhythm.variant


def test_a_company_that_begins_has_the_label_free_model_for_everybody():
    rows = past_rows(walk().table, pd.Timestamp(CUTOFFS[-1]), QUICK).head(0)
    first = learn(rows, book(), walk().champion.rhythm, QUICK.seed)
    assert (first.second_order.in_use, first.projects.in_use) == ("label_free", "label_free")
    scores = first.probabilities(outside(), walk().champion.rhythm)
    assert np.isfinite(scores.to_numpy(dtype="float64")).all()


def test_all_that_the_models_may_read_is_named():
    assert set(learnt().reads) == {*second_order.READS, *SIGNS}


# --- what is said of it


def test_words_say_which_models_are_in_use_and_what_decided():
    new, project = OTHERS.words
    assert new == (
        "Customers with one order day have the chance of a second order by the label-free order rhythm "
        "(too little has matured to try others); they are not in the figures above."
    )
    assert "an order within a year by the label-free order rhythm (too little has matured" in project
    step = {"candidate": "hazard", "in_use": "label_free", "taken": True}
    tried = {"horizon_days": 90, "dates": 8, "customers": 1234, "steps": [step]}
    told = OtherTracks(
        replace(OTHERS.second_order, in_use="hazard", evidence=tried),
        replace(OTHERS.projects, in_use="pipeline", evidence=tried),
    ).words
    assert "by the hazard of a second order by the age of the first (tried on 8 earlier dates and 1,234 cus" in told[0]
    assert "by a regression on quotes and inquiries (tried on 8 earlier dates" in told[1]


@pytest.mark.parametrize("in_use", ["label_free", "label_free_by_segment", "hazard", "facts"])
def test_every_model_of_new_customers_has_a_name(in_use):
    assert replace(OTHERS, second_order=replace(OTHERS.second_order, in_use=in_use)).words[0].endswith("figures above.")


@pytest.mark.parametrize("in_use", ["label_free", "line", "pipeline"])
def test_every_model_of_projects_has_a_name(in_use):
    assert replace(OTHERS, projects=replace(OTHERS.projects, in_use=in_use)).words[1].endswith("figures above.")


# --- in the artefact


def champion() -> ChurnModel:
    line = Line(("quotes_90d",), (0.1, -0.2, 0.3), (0.0, 1.0, 0.5), (1.0, 2.0, 1.5))
    projects = replace(learnt().projects, in_use="pipeline", line=line)
    return replace(walk().champion, others=replace(learnt(), projects=projects))


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved champion. Not to be changed in place."""
    folder = tmp_path_factory.mktemp("others") / "champion"
    champion().save(folder)
    return folder


def copied(artefact: Path, place: Path) -> Path:
    folder = place / "copy"
    folder.mkdir()
    for path in artefact.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_saving_and_loading_changes_no_bit_of_a_chance(artefact):
    loaded = ChurnModel.load(artefact)
    assert loaded.others == champion().others
    frame = outside().assign(quotes_90d=np.arange(len(outside())) % 4.0)
    one, two = (model.others.probabilities(frame, model.rhythm) for model in (champion(), loaded))
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    loaded.save(artefact.parent / "again")
    assert (artefact.parent / "again" / OTHERS_FILE).read_bytes() == (artefact / OTHERS_FILE).read_bytes()


def test_the_manifest_holds_its_checksum_and_a_model_without_other_tracks_has_no_such_file(artefact, tmp_path):
    assert OTHERS_FILE in json.loads((artefact / MANIFEST).read_text())["sha256"]
    replace(champion(), others=None).save(tmp_path / "cohort-only")
    assert not (tmp_path / "cohort-only" / OTHERS_FILE).exists()
    assert ChurnModel.load(tmp_path / "cohort-only").others is None


def alter(path: Path) -> None:
    path.write_text(path.read_text().replace("pipeline", "pipelinE"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("harm", [alter, cut, Path.unlink])
def test_a_harmed_file_of_other_tracks_is_refused(harm, artefact, tmp_path):
    folder = copied(artefact, tmp_path)
    harm(folder / OTHERS_FILE)
    with pytest.raises(ArtefactError, match=r"other_tracks\.json.*(altered|missing).*Train again"):
        ChurnModel.load(folder)


def test_other_tracks_that_the_manifest_does_not_know_are_refused(artefact, tmp_path):
    folder = copied(artefact, tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["sha256"][OTHERS_FILE]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtefactError, match=r"no checksum for \['other_tracks\.json'\]"):
        ChurnModel.load(folder)


@pytest.mark.parametrize(
    ("absent", "said"), [("second_order", "second-order model"), ("projects", "model of projects")]
)
def test_a_track_that_is_not_there_is_refused_in_one_line(absent, said):
    values = {name: value for name, value in OTHERS.to_dict().items() if name != absent}
    with pytest.raises(ArtefactError, match=rf"the {said} cannot be read \(KeyError.*Train again"):
        OtherTracks.from_dict(values)


def test_the_horizons_are_those_of_everybody():
    assert [f"p_no_order_{days}" for days in HORIZONS] == list(PROBABILITIES)
