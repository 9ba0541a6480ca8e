"""What people did reaches the next training: contacts leave snapshots out, reviews of a loss label them."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from companies import SHORT, STOPPED, regulars, written
from working_days import opened
from worlds import QUICK, told_company

from features.labels import HORIZONS, no_order_within
from models.cases import LOST, TREATED, Cases, Told
from models.churn_model import ChurnModel
from models.folds import WalkOptions, training_at, walk_forward, with_rhythms
from models.health_weight_history import change_weights
from models.levels import changes
from pipelines.intake import Intake, Request, take_in
from pipelines.learning import MOVED, Learnt, compared
from pipelines.settings import database_url
from pipelines.train import Asked, Trained, train
from serving import loop
from serving.store import Store

DAY = date(2026, 1, 1)
UNTIL = date(2026, 12, 1)
NINE = datetime(2026, 1, 1, 9, tzinfo=UTC)


def days(number: int) -> timedelta:
    return timedelta(days=number)


def cases(treated: list[tuple] = [], lost: list[tuple] = []) -> Cases:  # noqa: B006
    return Cases(pd.DataFrame(treated, columns=list(TREATED)), pd.DataFrame(lost, columns=list(LOST)))


def outcome(next_order: float, as_of: date = DAY, customer: str = "ann") -> pd.DataFrame:
    row = {"customer_id": customer, "as_of": pd.Timestamp(as_of), "days_to_next_order": next_order}
    return pd.DataFrame([{**row, "observed_days": (UNTIL - as_of).days}])


def labels(told: pd.DataFrame) -> list[float | None]:
    """No order within 30, 60, 90 and 180 days; None where it is unknown."""
    found = [no_order_within(told, horizon).iloc[0] for horizon in HORIZONS]
    return [None if one != one else one for one in found]


@pytest.mark.parametrize(
    ("contact", "known"), [(59, [0, None, None, None]), (60, [0, 0, None, None]), (61, [0, 0, None, None])]
)
def test_a_window_that_contains_the_first_contact_is_unknown_and_one_that_ended_before_it_is_not(contact, known):
    told = cases([("ann", DAY + days(contact), None)]).told(outcome(12.0), UNTIL)
    assert labels(told) == known
    assert list(told.columns) == list(outcome(12.0).columns)
    assert told.dtypes.equals(outcome(12.0).dtypes)


@pytest.mark.parametrize(("ended", "known"), [(-1, True), (0, True), (1, False)])
def test_a_snapshot_under_a_warning_that_is_acted_upon_is_unknown_until_that_has_ended(ended, known):
    told = cases([("ann", DAY - days(9), DAY + days(ended))]).told(outcome(12.0), UNTIL)
    assert labels(told) == ([0, 0, 0, 0] if known else [None] * 4)


def test_the_contacts_of_others_and_those_to_come_change_nothing():
    before = outcome(12.0)
    for one in (cases([("bob", DAY, None)]), cases([("ann", UNTIL, None)]), cases()):
        pd.testing.assert_frame_equal(one.told(before, UNTIL), before)


@pytest.mark.parametrize(
    ("reviewed", "known"), [(89, [1, 1, None, None]), (90, [1, 1, 1, None]), (91, [1, 1, 1, None])]
)
def test_a_confirmed_loss_labels_the_windows_that_ended_before_the_review_whatever_was_tried(reviewed, known):
    found = cases([("ann", DAY + days(5), None)], [("ann", DAY + days(20), DAY + days(reviewed))])
    assert labels(found.told(outcome(float("nan")), UNTIL)) == known
    assert labels(found.told(outcome(45.0), UNTIL)) == known, "a stray order after the loss is none"
    assert labels(found.told(outcome(12.0), UNTIL)) == [None] * 4, "it stayed until after that order"


@pytest.mark.parametrize(("reviewed", "known"), [(-1, True), (0, False), (1, False)])
def test_a_review_is_not_known_before_its_day_is_over(reviewed, known):
    until = DAY + days(120)
    told = cases([], [("ann", DAY + days(20), until + days(reviewed))]).told(outcome(45.0), until)
    assert labels(told)[1] == (1 if known else 0)


def test_cl_06_labelled_cases_change_the_training_set_by_their_number():
    table = with_rhythms(told_company(dates=12, customers=40), WalkOptions(), lambda *_: None)
    as_ofs = sorted(table.frame["as_of"].unique())
    cutoff, start = as_ofs[-1], as_ofs[2]
    known = table.outcomes(cutoff.date())
    later = (table.frame["as_of"] == start) & ~(known["days_to_next_order"] < 1)
    mine = table.frame.loc[later, "customer_id"].head(7).tolist()
    treated = [(one, start.date() + days(1), None) for one in mine]
    lost = [(one, start.date() + days(1), start.date() + days(200)) for one in mine[:3]]

    def size(told: Cases | None) -> int:
        return len(training_at(table, cutoff, WalkOptions(cases=told)).matured(90)[0])

    alone, acted, reviewed = (size(one) for one in (None, cases(treated), cases(treated, lost)))
    assert (alone - acted, reviewed - acted) == (7, 3)
    assert cases(treated, lost).counts(known, cutoff.date()) == Told(left_out=4, confirmed=3)


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Intake:
    folder = tmp_path_factory.mktemp("cases")
    data = written(regulars(date(2025, 8, 1)), folder / "data", SHORT)
    return take_in(Request(str(data), folder / "out"))


@pytest.fixture(scope="module")
def trainings(intake: Intake) -> tuple[Trained, Trained, Trained]:
    """Trained without anything in the store, so again, and with a contact and two reviews in it."""
    asked = Asked("yuki", datetime(2025, 8, 1, 6, tzinfo=UTC))
    first, second = train(intake, asked), train(intake, asked)
    with Store.open(database_url(intake.settings, intake.request.out)) as store:
        at = datetime(2025, 3, 2, 9, tzinfo=UTC)
        for customer in list(STOPPED)[:6]:
            episode = opened(store, "red", customer, date(2025, 3, 1))
            loop.note_exposure(store, episode, "contacted", actor="kim", at=at)
        for customer in list(STOPPED)[:2]:
            told = {"cause": "price", "actor": "kim", "at": at + days(120)}
            loop.record_review(store, customer, lost_on=date(2025, 3, 3), **told)
    out, default = intake.request.out, intake.settings.health.set_weights()
    other = replace(default, finance=default.finance + 5, strategy=default.strategy - 5)
    change_weights(out, other, default, at=NINE, who="yuki", what="edited", why="late payers leave")
    learned = intake.settings.model_copy(update={"health": intake.settings.health.model_copy(update={"learned": True})})
    return first, second, train(replace(intake, settings=learned), asked)


def test_without_anything_in_the_store_a_training_is_as_it_was(trainings: tuple[Trained, ...]) -> None:
    first, second, _ = trainings
    folders = first.version.folder, second.version.folder
    files = sorted(path.name for path in folders[0].iterdir())
    assert files == sorted(path.name for path in folders[1].iterdir())
    for name in files:
        one, other = ((folder / name).read_text(encoding="utf-8") for folder in folders)
        if name == "manifest.json":  # the last digits of sums in the data's profile depend on the order of threads
            one, other = ({**json.loads(text), "facts": _unprofiled(text)} for text in (one, other))
        assert one == other, name
    assert (first.learnt.cases, first.learnt.words, first.learnt.facts, first.learnt.against) == (None, (), {}, None)
    assert "cases" not in first.champion.facts
    assert (second.learnt.cases, second.learnt.against, len(second.learnt.moved)) == (None, 1, 0)


def _unprofiled(manifest: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(manifest)["facts"].items() if name != "profile"}


def test_cl_06_a_training_counts_the_cases_and_its_report_lists_what_moved(trainings: tuple[Trained, ...]) -> None:
    third = trainings[2]
    found = third.learnt
    assert (found.treated, found.reviews, found.restarts, found.against) == (6, 2, 0, 1)
    assert min(found.told.left_out, found.told.confirmed) > 0
    assert third.champion.facts["cases"] == {"treated": 6, "reviews": 2, "restarts": 0, **vars(found.told)}
    assert f"Treated snapshots left out: {found.told.left_out:,}" in third.card.replace("\\", "")
    assert found.moved.to_numpy().tolist() == [
        ["weight_finance", 15.0, 20.0, "weights", 0], ["weight_strategy", 10.0, 5.0, "weights", 0]
    ]  # fmt: skip
    written_down = pd.read_csv(third.version.folder.parent / "changes.csv")
    assert tuple(written_down.columns) == MOVED
    assert written_down["what"].tolist() == found.moved["what"].tolist()


def test_a_console_shows_cases_and_changes(trainings: tuple[Trained, ...], capsys: pytest.CaptureFixture[str]) -> None:
    from pipelines import console_training

    console_training.training(trainings[2])
    said = " ".join(capsys.readouterr().out.split())
    assert "6 warnings that were acted upon, 2 reviews of a loss, 0 customers that came back" in said
    assert "Treated snapshots left out:" in said
    assert "Changed against version 1: weight_finance 15.000 -> 20.000 (weights)" in said


def test_cl_06_thresholds_that_cases_move_are_in_the_report(intake: Intake, trainings: tuple[Trained, ...]) -> None:
    table = told_company()
    newest = table.frame["as_of"].max()
    options = replace(QUICK, warm_up=6)
    # contacts with customers of whom half would have left: what remains of their dates is not what it was
    low = table.frame[(table.frame["revenue_90d"] <= 4) & (table.frame["as_of"] < newest)]
    acted = pd.DataFrame(
        {"customer_id": low["customer_id"], "treated_from": low["as_of"].dt.date, "treated_until": None}
    )

    def champion(told: Cases | None) -> ChurnModel:
        one = replace(options, cases=told)
        return walk_forward(table, [newest.date()], one, every_contestant=False).champion

    before, after = champion(None), champion(Cases(acted, cases().lost))
    moved = {change.level: (change.was, change.now) for change in changes(before.levels, after.levels)}
    assert moved != {}
    # against the champion of a company without a record, whose thresholds are the promises themselves
    champion_now = trainings[0].champion
    report = compared(Learnt(), replace(champion_now, levels=before.levels), intake).moved
    expected = {f"threshold_{change.level}" for change in changes(champion_now.levels, before.levels)}
    assert set(report["what"]) == expected != set()
    assert set(report["why"]) <= {"promise", "off"}
