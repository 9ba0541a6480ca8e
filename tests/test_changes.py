"""Why a customer stands otherwise: steps that add up to the change, each with what happened, and nothing later."""

from dataclasses import replace

import pandas as pd
import pytest
from companies import DAY, Company
from two_clocks import as_it_was
from two_days import LATER, TwoDays

from features.variants import new_facts
from models.calibration import Affine
from pipelines import changes
from pipelines.champions import Champion
from pipelines.changes import Steps, steps_between
from pipelines.intake import Intake
from pipelines.story import changes_between
from serving.story import Step, Story

pytest_plugins = ["trained", "told"]

SOME = 30


@pytest.fixture(scope="module")
def some(two_days: TwoDays) -> list[str]:
    """Customers in the cohort on both days, among them the one warned of the most and some who ordered in between."""
    facts = new_facts(two_days.intake.events, two_days.rated_twice, DAY, LATER)
    ordered = facts.loc[facts["table"] == "transactions", "customer_id"].unique()[: SOME // 2]
    return list(dict.fromkeys([two_days.warned, *ordered, *two_days.rated_twice]))[:SOME]


@pytest.fixture(scope="module")
def by_day(two_days: TwoDays, some: list[str]) -> dict[str, Steps]:
    return steps_between(two_days.earlier, two_days.later, some)


def events(steps: Steps) -> list[Step]:
    return [step for step in steps.steps if step.kind == "events"]


def assert_alike(one: Steps, other: Steps) -> None:
    """The same steps, but for the last digits."""
    assert [(step.kind, step.table, step.on, step.happenings) for step in one.steps] == [
        (step.kind, step.table, step.on, step.happenings) for step in other.steps
    ]
    assert [step.contribution for step in one.steps] == pytest.approx(
        [step.contribution for step in other.steps], abs=1e-9
    )


def test_the_steps_add_up_to_the_change_between_the_published_log_odds(
    two_days: TwoDays, by_day: dict[str, Steps]
) -> None:
    assert len(by_day) == SOME
    for who, steps in by_day.items():
        before, after = two_days.earlier.score(who)["margin"], two_days.later.score(who)["margin"]
        assert (steps.before, steps.after) == pytest.approx((before, after), abs=1e-6)
        assert sum(step.contribution for step in steps.steps) == pytest.approx(after - before, abs=1e-6)


def test_the_shares_of_a_step_are_its_contribution_but_for_what_is_next_to_nothing(by_day: dict[str, Steps]) -> None:
    for steps in by_day.values():
        for step in steps.steps:
            told = [share.contribution for share in step.shares]
            assert [abs(worth) for worth in told] == sorted(map(abs, told), reverse=True)
            assert all(abs(worth) >= changes.TOLD_FROM for worth in told)
            assert sum(told) == pytest.approx(step.contribution, abs=16 * changes.TOLD_FROM)


def test_time_comes_first_then_what_became_known_in_its_order(by_day: dict[str, Steps]) -> None:
    for steps in by_day.values():
        assert [step.kind for step in steps.steps] == ["time", *["events"] * (len(steps.steps) - 1)]
        days = [step.on for step in events(steps) if step.on is not None]
        assert all(DAY < day <= LATER for day in days)
    assert any(len(events(steps)) > 1 for steps in by_day.values())


def test_by_day_every_new_fact_is_told_on_its_day(two_days: TwoDays, some: list[str], by_day: dict[str, Steps]) -> None:
    facts = new_facts(two_days.intake.events, some, DAY, LATER)
    for who, steps in by_day.items():
        mine = facts[facts["customer_id"] == who]
        pairs = sorted(zip(mine["day"].dt.date, mine["table"], strict=True))
        if len(pairs) <= changes.MOST_EVENTS:
            assert [(step.on, step.table) for step in events(steps)] == pairs
        else:
            assert {step.table for step in events(steps)} == {table for _, table in pairs}
    quiet = set(some) - set(facts["customer_id"])
    assert quiet
    for who in quiet:
        assert [step.kind for step in by_day[who].steps] == ["time"]


def test_an_order_lowers_the_risk(by_day: dict[str, Steps]) -> None:
    worth = [
        step.contribution
        for steps in by_day.values()
        for step in events(steps)
        if step.table == "transactions" and {one.kind for one in step.happenings} == {"order"}
    ]
    assert len(worth) > 8
    assert sum(worth) < 0
    assert sum(one < 0 for one in worth) >= 0.9 * len(worth)
    assert max(worth) < 0.05


def test_orders_are_told_with_their_days_and_amounts(company: Company, by_day: dict[str, Steps]) -> None:
    lines = company.orders()
    known = lines[["ordered_at", "recorded_at"]].max(axis=1).dt.normalize() + pd.Timedelta(days=1)
    compared = 0
    for who, steps in by_day.items():
        for step in events(steps):
            if step.table != "transactions" or step.on is None:
                continue
            mine = lines[(lines["customer_id"] == who) & (known == pd.Timestamp(step.on))]
            told = [one for one in step.happenings if one.kind == "order"]
            if (mine["amount"] > 0).all() and mine["order_id"].nunique() == 1:
                [order] = told
                assert order.on == mine["ordered_at"].iloc[0].date()
                assert order.amount == pytest.approx(mine["amount"].sum())
                compared += 1
    assert compared > 5


def test_what_happened_bears_no_trace_of_how_it_was_looked_for(by_day: dict[str, Steps]) -> None:
    told = [one for steps in by_day.values() for step in events(steps) for one in step.happenings]
    assert told
    assert not [one.detail for one in told if "#" in one.detail]
    assert all(one.on < LATER for one in told)


def test_nothing_of_a_later_date_is_seen(
    company: Company, two_days: TwoDays, by_day: dict[str, Steps], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("past")
    data = company.changed(folder / "data", **as_it_was(company.tables(), LATER))
    intake = company.taken_in(folder / "out", LATER, data)
    assert intake.events.fingerprint != two_days.intake.events.fingerprint

    def then(as_it_is: Intake) -> Intake:
        return replace(as_it_is, report=intake.report)

    past = [replace(day, intake=then(day.intake)) for day in (two_days.earlier, two_days.later)]
    few = list(by_day)[:8]
    for who, steps in steps_between(past[0], past[1], few).items():
        assert_alike(steps, by_day[who])


def test_it_does_not_matter_how_many_are_taken_apart_at_once(
    two_days: TwoDays, by_day: dict[str, Steps], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "AT_ONCE", 3)
    few = list(by_day)[:5]
    again = steps_between(two_days.earlier, two_days.later, few)
    assert list(again) == few
    for who in few:
        assert_alike(again[who], by_day[who])


def test_another_model_is_a_step_of_its_own(two_days: TwoDays, by_day: dict[str, Steps]) -> None:
    old = two_days.later.champion
    raised = replace(
        old.model, calibrations=tuple(Affine(one.intercept + 0.5, one.slope) for one in old.model.calibrations)
    )
    later = replace(two_days.later, champion=Champion(raised, "kizashi/2@00000000"))
    few = list(by_day)[:4]
    for who, steps in steps_between(two_days.earlier, later, few).items():
        *moved, replaced = steps.steps
        assert_alike(replace(steps, steps=tuple(moved)), by_day[who])
        assert (replaced.kind, replaced.shares) == ("model", ())
        assert replaced.contribution == pytest.approx(0.5, abs=0.2)
        assert sum(step.contribution for step in steps.steps) == pytest.approx(steps.after - steps.before, abs=1e-6)


def test_whoever_was_not_rated_on_both_days_has_a_change_without_steps(two_days: TwoDays) -> None:
    dormant = two_days.outside("dormant")
    change = changes_between(two_days.earlier, two_days.later, [dormant])[dormant]
    assert (change.comparable, change.steps) == (False, ())
    assert (change.before.as_of, change.after.as_of) == (DAY, LATER)


def test_the_daily_run_publishes_why_levels_moved(two_days: TwoDays) -> None:
    with two_days.store() as store:
        rows = store.changes(LATER).set_index("customer_id")
        before, after = (store.scores(day).set_index("customer_id") for day in (DAY, LATER))
    moved = after.index[(after["level"] != before["level"].reindex(after.index)) & (after["history"] != "none")]
    assert len(moved) > 3
    assert set(rows.index) == set(moved)
    assert list(rows["level_before"]) == list(before.loc[rows.index, "level"])
    assert list(rows["level_after"]) == list(after.loc[rows.index, "level"])
    comparable = 0
    for who, row in rows.iterrows():
        change = row["change"]
        assert row["text"].endswith(".")
        assert change["comparable"] == (before.loc[who, "cohort"] == after.loc[who, "cohort"] == "eligible")
        if change["comparable"]:
            comparable += 1
            worth = sum(step["contribution"] for step in change["steps"])
            assert worth == pytest.approx(row["margin_after"] - row["margin_before"], abs=1e-6)
    assert comparable > 3


def test_the_daily_run_takes_apart_by_table(two_days: TwoDays, by_day: dict[str, Steps]) -> None:
    with two_days.store() as store:
        rows = store.changes(LATER).set_index("customer_id")["change"]
    both = [who for who in by_day if who in rows.index]
    assert both
    for who in both:
        time, *tables = [step for step in rows[who]["steps"] if step["kind"] != "model"]
        names = [step["table"] for step in tables]
        assert len(names) == len(set(names))
        assert set(names) == {step.table for step in events(by_day[who])}
        assert time["contribution"] == pytest.approx(by_day[who].steps[0].contribution, abs=1e-9)


def test_a_change_tells_how_far_the_level_moved(told: Story) -> None:
    change = told.change
    assert change is not None
    assert change.threshold == 0.0  # of one model
    assert change.threshold_level == "orange"
    assert set(change.parts_gone) == set(change.before.level_parts) - set(change.after.level_parts)
    assert set(change.parts_new) == set(change.after.level_parts) - set(change.before.level_parts)
