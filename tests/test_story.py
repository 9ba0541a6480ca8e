"""Why one customer was flagged: everything that is said adds up and is the daily run's."""

from pathlib import Path

import pandas as pd
import pytest
from companies import DAY, Company

from features.errors import SettingsError
from features.snapshots import ELIGIBLE
from pipelines.intake import Intake
from pipelines.score import Scored
from pipelines.story import Story, explain, probabilities

pytest_plugins = ["trained"]


@pytest.fixture(scope="module")
def story(scored: tuple[Intake, Scored]) -> Story:
    """That of the customer with the highest risk."""
    intake, done = scored
    here = done.day.scores[done.day.scores["cohort"] == ELIGIBLE]
    return explain(intake, here.sort_values("churn_probability")["customer_id"].iloc[-1])


def test_all_reasons_are_told_and_add_up_to_the_margin(story: Story) -> None:
    total = story.score["base_margin"] + story.reasons["contribution"].sum()
    assert total == pytest.approx(story.score["margin"], abs=1e-9)
    assert story.reasons["concept"].is_unique
    assert "other" not in set(story.reasons["feature"])
    assert story.reasons["contribution"].abs().is_monotonic_decreasing


def test_every_reason_is_told_in_a_sentence(story: Story) -> None:
    assert len(story.reasons) > 5
    assert story.reasons["text"].str.match(r"[A-Z0-9].*\.$").all()


def test_the_reasons_of_the_daily_run_are_the_strongest_of_the_story(
    scored: tuple[Intake, Scored], story: Story
) -> None:
    daily = scored[1].day.reasons.query("customer_id == @story.score.name and concept != 'other'").set_index("concept")
    strongest = story.reasons.head(len(daily)).set_index("concept")
    assert set(daily.index) == set(strongest.index)
    pd.testing.assert_series_equal(strongest["contribution"], daily["contribution"].loc[strongest.index])
    pd.testing.assert_series_equal(strongest["text"], daily["text"].loc[strongest.index])


def test_the_numbers_of_a_story_are_the_published_ones(scored: tuple[Intake, Scored], story: Story) -> None:
    row = scored[1].day.scores.set_index("customer_id").loc[story.score.name]
    pd.testing.assert_series_equal(story.score, row, check_exact=True)
    assert probabilities(story) == {days: row[f"p_no_order_{days}"] for days in (30, 60, 90, 180)}
    assert (story.place, story.model_version) == (1, scored[1].champion.version)
    assert story.cohort_size == (scored[1].day.scores["cohort"] == ELIGIBLE).sum()


def test_the_newest_order_days_before_the_date_are_shown(company: Company, story: Story) -> None:
    lines = company.orders().query("customer_id == @story.score.name")
    known = lines[lines[["ordered_at", "recorded_at"]].max(axis=1) < pd.Timestamp(DAY)]
    days = story.orders["day"]
    assert set(days) <= set(known["ordered_at"].dt.normalize())
    assert days.is_monotonic_decreasing
    assert len(days) <= 12
    assert (pd.Timestamp(DAY) - days.iloc[0]).days == story.facts["days_since_last_order"]


def test_the_customer_is_named(company: Company, story: Story) -> None:
    names = company.customers().set_index("customer_id")["name"]
    assert story.name == names[story.score.name]


def test_a_dormant_customer_has_a_story_without_a_place(scored: tuple[Intake, Scored]) -> None:
    intake, done = scored
    dormant = done.day.scores.query("cohort == 'dormant'")["customer_id"].iloc[0]
    told = explain(intake, dormant)
    assert told.place is None
    assert told.score["level"] == "none"
    total = told.score["base_margin"] + told.reasons["contribution"].sum()
    assert total == pytest.approx(told.score["margin"], abs=1e-9)


@pytest.mark.parametrize("who", ["nobody", "without_order"])
def test_whoever_has_not_ordered_has_no_story(scored: tuple[Intake, Scored], who: str) -> None:
    intake, done = scored
    silent = done.day.scores.query("cohort == 'no_order'")["customer_id"].iloc[0]
    customer = silent if who == "without_order" else "C99999"
    with pytest.raises(SettingsError, match=f"customer '{customer}' has no order known before {DAY}. .* later --as-of"):
        explain(intake, customer)


def test_a_story_writes_no_scores(company: Company, tmp_path: Path) -> None:
    intake = company.taken_in(company.register_at(tmp_path / "out"), DAY)
    known = company.orders()["customer_id"].iloc[0]
    before = sorted(path.name for path in intake.request.out.iterdir())
    explain(intake, known)
    assert sorted(path.name for path in intake.request.out.iterdir()) == before
