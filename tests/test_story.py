"""The story of a customer: its numbers add up and are the published ones, whatever of a run is still there."""

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from companies import DAY, Company
from two_days import LATER, TwoDays

from features.errors import SettingsError
from models.health import DIMENSIONS
from models.levels import LOUDNESS
from pipelines.dated import dated
from pipelines.intake import Intake
from pipelines.story import explain
from serving.records import HORIZON_PROBABILITIES
from serving.story import Story
from serving.story_page import story_page
from serving.story_words import log_odds, reason_line_text

pytest_plugins = ["trained", "told"]


def at(intake: Intake, out: Path) -> Intake:
    """The same with its results in another folder."""
    return replace(intake, request=replace(intake.request, out=out))


def assert_adds_up(story: Story) -> None:
    standing = story.standing
    assert standing.base_margin is not None
    rise = sum(line.contribution for line in story.reasons)
    assert standing.base_margin + rise == pytest.approx(standing.margin, abs=1e-6)


def test_reasons_concepts_and_dimensions_add_up_to_the_margin(told: Story) -> None:
    assert_adds_up(told)
    base, margin = told.standing.base_margin, told.standing.margin
    assert base + sum(share.contribution for share in told.concepts) == pytest.approx(margin, abs=1e-6)
    assert base + sum(told.dimensions.values()) == pytest.approx(margin, abs=1e-6)
    assert [share.concept for share in told.concepts] == list(dict.fromkeys(share.concept for share in told.concepts))
    assert list(told.dimensions) == [name for name in DIMENSIONS if name in told.dimensions]
    worth = [abs(share.contribution) for share in told.concepts]
    assert worth == sorted(worth, reverse=True)
    assert [line.role for line in told.reasons].count("rest") == 1
    assert told.reasons[-1].role == "rest"


def test_a_concept_that_is_a_reason_has_the_same_worth_in_the_sum(told: Story) -> None:
    worth = {share.concept: share.contribution for share in told.concepts}
    for line in told.reasons[:-1]:
        assert line.contribution == pytest.approx(worth[line.concept], abs=1e-9)


def test_what_is_told_of_a_published_day_is_what_was_published(two_days: TwoDays, told: Story) -> None:
    with two_days.store() as store:
        score = store.scores(LATER).set_index("customer_id").loc[told.customer_id]
        reasons = store.reasons(LATER).query("customer_id == @told.customer_id").sort_values("position")
        signals = store.signals(LATER).query("customer_id == @told.customer_id")
    standing = told.standing
    same = ("level", "stage", "queue", "cohort", "history", "completeness", "shown")
    assert [getattr(standing, name) for name in same] == list(score[list(same)])
    numbers = {
        "probability": "churn_probability", "low": "churn_low", "high": "churn_high", "margin": "margin",
        "window_days": "churn_window_days", "base_margin": "base_margin", "value_at_risk": "value_at_risk",
        "expected_loss": "expected_loss",
    }  # fmt: skip
    assert [getattr(standing, ours) for ours in numbers] == list(score[list(numbers.values())])
    assert list(standing.horizons.values()) == list(score[list(HORIZON_PROBABILITIES)])
    assert standing.level_parts == tuple(score["level_parts"].split())
    assert [reason_line_text(line, told) for line in told.reasons] == list(reasons["text"])
    published = [() if one is None or one != one else tuple(json.loads(one)) for one in reasons["said"]]
    assert [line.said for line in told.reasons] == published
    for name in ("role", "concept", "feature", "dimension"):
        assert [getattr(line, name) for line in told.reasons] == list(reasons[name])
    assert [line.contribution for line in told.reasons] == pytest.approx(list(reasons["contribution"]), abs=1e-9)
    fired = sorted(zip(signals["rule"], signals["level"], signals["evidence"], strict=True))
    assert sorted((one.rule, one.level, one.evidence) for one in told.signals) == fired
    loudness = [LOUDNESS[one.level] for one in told.signals]
    assert loudness == sorted(loudness, reverse=True)


def test_the_place_counts_those_at_a_higher_risk(two_days: TwoDays, told: Story) -> None:
    cohort = two_days.later.scores.query("cohort == 'eligible'")["churn_probability"]
    assert told.standing.place == 1 + (cohort > told.standing.probability).sum()
    assert told.standing.cohort_size == len(cohort)


def test_the_customer_is_named_with_its_events_before_the_date(company: Company, told: Story) -> None:
    file = company.customers().set_index("customer_id").loc[told.customer_id]
    assert told.name == file["name"]
    days = [one.on for one in told.timeline]
    assert days == sorted(days)
    assert days[-1] < LATER
    lines = company.orders().query("customer_id == @told.customer_id")
    known = lines[lines[["ordered_at", "recorded_at"]].max(axis=1) < pd.Timestamp(LATER)]
    last = max(one.on for one in told.timeline if one.kind == "order")
    assert last == known["ordered_at"].max().date()
    assert (LATER - last).days == told.facts["days_since_last_order"]


def test_the_open_warnings_are_on_the_timeline(two_days: TwoDays, told: Story) -> None:
    with two_days.store() as store:
        opened = store.episodes(customer_id=told.customer_id).rows["opened_on"]
    assert len(opened)
    assert [one.on for one in told.timeline if one.kind == "warning_opened"] == sorted(
        pd.Timestamp(day).date() for day in opened
    )


def test_the_page_tells_the_same_numbers(told: Story) -> None:
    page = story_page(told)
    for share in told.concepts:
        assert log_odds(share.contribution) in page
    assert log_odds(told.standing.base_margin) in page
    assert log_odds(told.standing.margin) in page


@pytest.mark.parametrize("cohort", ["dormant", "few_order_days"])
def test_whoever_is_not_rated_has_a_story_without_a_place_and_a_level(two_days: TwoDays, cohort: str) -> None:
    story = explain(two_days.intake, two_days.outside(cohort))
    assert (story.standing.cohort, story.standing.level, story.standing.place) == (cohort, "none", None)
    assert [line.role for line in story.reasons] == ["rest"]
    assert_adds_up(story)
    assert (story.concepts, story.clearing, story.similar.cases) == ((), (), ())
    json.dumps(story.to_dict(), allow_nan=False)


@pytest.mark.parametrize("who", ["nobody", "without_order"])
def test_whoever_has_not_ordered_has_no_story(two_days: TwoDays, who: str) -> None:
    customer = two_days.outside("no_order") if who == "without_order" else "C99999"
    words = f"customer '{customer}' has no order known before {LATER}\\. .* later --as-of"
    with pytest.raises(SettingsError, match=words) as caught:
        explain(two_days.intake, customer)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("since", [LATER, date(2026, 9, 1)])
def test_a_story_changes_since_an_earlier_date_alone(two_days: TwoDays, since: date) -> None:
    with pytest.raises(SettingsError, match=f"--since {since} is not before {LATER}: name an earlier date") as caught:
        explain(two_days.intake, two_days.warned, since=since)
    assert "\n" not in str(caught.value)


def test_a_day_that_was_never_published_is_scored_for_the_story(company: Company, told: Story, tmp_path: Path) -> None:
    intake = company.taken_in(company.register_at(tmp_path / "out"), LATER)
    story = explain(intake, told.customer_id, with_cases=False)
    assert story.standing == told.standing
    assert (story.concepts, story.signals, story.facts) == (told.concepts, told.signals, told.facts)
    assert story.reasons == told.reasons
    assert story.clearing == told.clearing
    assert {one.kind for one in story.timeline}.isdisjoint({"warning_opened", "warning_closed"})


def test_what_was_kept_of_a_published_day_is_taken_anew_where_it_is_gone(two_days: TwoDays, tmp_path: Path) -> None:
    out = shutil.copytree(two_days.intake.request.out, tmp_path / "out")
    shutil.rmtree(out / "populations")
    day = dated(at(two_days.intake, out))
    assert day.published, "the scores are there, and what its snapshots know of each other is taken anew"
    names = ["level", "model_level", "cohort", "margin", "base_margin", "churn_probability", "value_at_risk"]
    anew, published = (one.scores.set_index("customer_id").sort_index()[names] for one in (day, two_days.later))
    pd.testing.assert_frame_equal(anew, published)
    here, there = day.kept, two_days.later.kept
    pd.testing.assert_frame_equal(here.spread, there.spread)
    pd.testing.assert_frame_equal(here.population.levels, there.population.levels)
    pd.testing.assert_frame_equal(here.population.starts, there.population.starts)


def test_a_day_whose_data_were_corrected_is_told_as_it_is_known_now(
    company: Company, two_days: TwoDays, told: Story, tmp_path: Path
) -> None:
    lines = company.orders()
    before = (lines["customer_id"] == told.customer_id) & (lines["ordered_at"] < pd.Timestamp(DAY))
    lines.loc[before, "ordered_at"] -= pd.Timedelta(days=20)
    lines.loc[before, "recorded_at"] -= pd.Timedelta(days=20)
    data = company.changed(tmp_path / "corrected", transactions=lines)
    out = shutil.copytree(two_days.intake.request.out, tmp_path / "out")
    story = explain(company.taken_in(out, LATER, data), told.customer_id, since=DAY, with_cases=False)
    assert story.facts["days_since_last_order"] == told.facts["days_since_last_order"] + 20
    assert story.standing.margin != pytest.approx(told.standing.margin, abs=1e-3)
    assert_adds_up(story)
    change = story.change
    assert change is not None
    assert change.before == told.change.before
    assert change.steps[0].kind == "restated"
    assert sum(step.contribution for step in change.steps) == pytest.approx(
        change.after.margin - change.before.margin, abs=1e-6
    )
