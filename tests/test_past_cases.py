"""Customers who once stood as one stands now: of matured dates alone, with what really came of them."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from companies import Company
from two_days import LATER, TwoDays

from pipelines.dated import DatedDay
from pipelines.past_cases import TOLD, WINDOW_DAYS, past_cases, similar
from serving.story import Similar, Story

pytest_plugins = ["trained", "told"]

FACTS = ["customer_id", "as_of", "lost", "next_order_days"]


def standing_on(two_days: TwoDays, as_of: date, out: Path) -> DatedDay:
    """The company at another date, with its results elsewhere."""
    request = replace(two_days.intake.request, out=out)
    return replace(two_days.later, intake=replace(two_days.intake, as_of=as_of, request=request))


@pytest.fixture(scope="module")
def cases(two_days: TwoDays, told: Story) -> pd.DataFrame:
    """Those kept by the story."""
    assert told.similar.cases
    [kept] = (two_days.intake.request.out / "cases").iterdir()
    return pd.read_parquet(kept)


def test_before_anything_has_matured_there_are_no_cases_and_nothing_is_kept(two_days: TwoDays, tmp_path: Path) -> None:
    first = two_days.intake.first_order()
    day = standing_on(two_days, first + timedelta(days=2 * WINDOW_DAYS), tmp_path)
    assert past_cases(day).empty
    assert list(past_cases(day)) == FACTS
    assert similar(day, pd.Series({"order_rhythm": 1.0}), "C00001") == Similar()
    assert list(tmp_path.iterdir()) == []


def test_cases_are_of_dates_whose_outcome_was_known(cases: pd.DataFrame) -> None:
    dates = sorted(cases["as_of"].unique())
    assert len(dates) == 3
    assert max(dates) <= pd.Timestamp(LATER) - pd.Timedelta(days=WINDOW_DAYS)
    assert cases["lost"].dtype == bool
    assert 0 < cases["lost"].mean() < 1
    assert not cases.duplicated(["customer_id", "as_of"]).any()


def test_an_outcome_is_the_next_order_that_came(company: Company, cases: pd.DataFrame) -> None:
    lines = company.orders().assign(day=lambda rows: rows["ordered_at"].dt.normalize())
    lines = lines[lines["amount"] > 0]
    windows = []
    for case in cases.sample(60, random_state=1).to_dict("records"):
        mine = lines[(lines["customer_id"] == case["customer_id"]) & (lines["day"] >= case["as_of"])]
        gap = (mine["day"].min() - case["as_of"]).days if len(mine) else None
        if pd.isna(case["next_order_days"]):
            assert case["lost"]
            assert gap is None or case["as_of"] + pd.Timedelta(days=gap) >= pd.Timestamp(LATER) - pd.Timedelta(days=31)
        else:
            assert case["next_order_days"] == gap
            windows.append((case["lost"], gap))
    assert {lost for lost, _ in windows} == {True, False}
    assert all(gap < WINDOW_DAYS for lost, gap in windows if not lost)
    assert all(gap >= 14 for lost, gap in windows if lost)


def test_the_nearest_are_others_one_case_each_the_nearest_first(told: Story, cases: pd.DataFrame) -> None:
    found = told.similar
    who = [case.customer_id for case in found.cases]
    assert len(who) == len(set(who)) == TOLD
    assert told.customer_id not in who
    assert found.looked_at == (cases["customer_id"] != told.customer_id).sum()
    distances = [case.distance for case in found.cases]
    assert distances == sorted(distances)
    keys = cases.set_index(["customer_id", "as_of"])
    for case in found.cases:
        kept = keys.loc[(case.customer_id, pd.Timestamp(case.as_of))]
        assert case.lost == kept["lost"]
        assert (case.next_order_days is None) == pd.isna(kept["next_order_days"])
        assert case.name


def test_distance_is_told_in_log_odds_of_concepts(told: Story, cases: pd.DataFrame) -> None:
    own = {share.concept: share.contribution for share in told.concepts}
    concepts = [name for name in cases if name not in FACTS]
    assert set(concepts) == set(own)
    distance = sum((cases[name] - own[name]) ** 2 for name in concepts) ** 0.5
    others = distance[cases["customer_id"] != told.customer_id]
    assert told.similar.cases[0].distance == pytest.approx(others.min())
    best = others.groupby(cases["customer_id"]).min().nsmallest(TOLD)
    assert [case.distance for case in told.similar.cases] == pytest.approx(list(best))


def test_whoever_stood_exactly_so_is_the_nearest(two_days: TwoDays, cases: pd.DataFrame) -> None:
    one = cases.iloc[7]
    sums = one.drop(FACTS).astype("float64")
    nearest = similar(two_days.later, sums, "nobody").cases[0]
    assert (nearest.customer_id, pd.Timestamp(nearest.as_of), nearest.distance) == (one.customer_id, one.as_of, 0.0)
    itself = similar(two_days.later, sums, one.customer_id)
    assert one.customer_id not in [case.customer_id for case in itself.cases]


def test_what_was_kept_is_read_again_and_is_what_would_be_found_anew(
    two_days: TwoDays, cases: pd.DataFrame, tmp_path: Path
) -> None:
    [kept] = (two_days.intake.request.out / "cases").iterdir()
    written = kept.stat().st_mtime_ns
    pd.testing.assert_frame_equal(past_cases(two_days.later), cases)
    assert kept.stat().st_mtime_ns == written
    anew = past_cases(standing_on(two_days, LATER, tmp_path))
    pd.testing.assert_frame_equal(anew, cases, check_dtype=False)
    assert [file.name for file in (tmp_path / "cases").iterdir()] == [kept.name]


def test_the_stories_of_a_month_share_their_cases(two_days: TwoDays, cases: pd.DataFrame) -> None:
    later = standing_on(two_days, LATER + timedelta(days=2), two_days.intake.request.out)
    pd.testing.assert_frame_equal(past_cases(later), cases)
    assert len(list((two_days.intake.request.out / "cases").iterdir())) == 1
