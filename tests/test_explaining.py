"""Reasons with their sentences: alike for one and for many, and told of exactly those who are warned about or moved."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from companies import DAY
from two_days import LATER, TwoDays

from features.variants import Variant
from models.reasons import OTHER, REST
from pipelines.dated import snapshots
from pipelines.explaining import Terms, explained
from serving.wording import fact_text, rest_text
from serving.words.speech import Said

pytest_plugins = ["trained", "told"]


@pytest.fixture(scope="module")
def frame(two_days: TwoDays) -> pd.DataFrame:
    """Snapshots of some who are warned about, of some whose level moved and of some outside the cohort."""
    scores = two_days.later.scores
    warned = scores.loc[scores["level"] != "none", "customer_id"]
    with two_days.store() as store:
        moved = store.changes(LATER)["customer_id"]
    some = dict.fromkeys([*warned.head(10), *moved.head(4), *map(two_days.outside, ("dormant", "few_order_days"))])
    return snapshots(two_days.later, [Variant(who, who) for who in some])


@pytest.fixture(scope="module")
def terms(two_days: TwoDays) -> Terms:
    settings = two_days.intake.settings
    return Terms(LATER, settings.reasons.count, settings.project.currency, two_days.later.kept.spread)


@pytest.fixture(scope="module")
def rows(two_days: TwoDays, frame: pd.DataFrame, terms: Terms) -> pd.DataFrame:
    return explained(two_days.later.champion.model, frame, terms)


def test_a_customer_is_told_of_alike_alone_and_among_others(
    two_days: TwoDays, frame: pd.DataFrame, terms: Terms, rows: pd.DataFrame
) -> None:
    for who in frame["customer_id"]:
        alone = explained(two_days.later.champion.model, frame[frame["customer_id"] == who], terms)
        together = rows[rows["customer_id"] == who].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, together, check_dtype=False, rtol=0, atol=1e-9)


def test_what_is_said_in_codes_is_the_sentence(rows: pd.DataFrame) -> None:
    assert len(rows) > 20
    for row in rows.to_dict("records"):
        if row["role"] == REST:
            assert (row["said"], row["text"]) == (None, rest_text())
        else:
            said = Said.from_list(json.loads(row["said"]))
            assert fact_text(said) == row["text"]
            assert row["text"][0].isupper() or row["text"][0].isdigit()
            assert row["text"].endswith(".")
            assert fact_text(said, "ja") != row["text"]


def test_outside_the_cohort_all_of_the_log_odds_is_one_row(
    two_days: TwoDays, frame: pd.DataFrame, rows: pd.DataFrame
) -> None:
    outside = frame.loc[frame["cohort"] != "eligible", "customer_id"]
    assert len(outside) == 2
    for who in outside:
        [row] = rows[rows["customer_id"] == who].to_dict("records")
        score = two_days.later.score(who)
        assert (row["position"], row["role"], row["feature"]) == (1, REST, OTHER)
        assert score["base_margin"] + row["contribution"] == pytest.approx(score["margin"], abs=1e-9)


def test_who_is_asked_of_a_chance_that_may_be_told_is_told_it_alone(
    two_days: TwoDays, frame: pd.DataFrame, terms: Terms, rows: pd.DataFrame
) -> None:
    open_to = explained(two_days.later.champion.model, frame, terms, frozenset(frame["customer_id"]))
    facts = ["customer_id", "position", "role", "concept", "feature", "value", "contribution"]
    pd.testing.assert_frame_equal(open_to[facts], rows[facts])
    rhythm = rows["feature"] == "btyd"
    pd.testing.assert_series_equal(open_to.loc[~rhythm, "text"], rows.loc[~rhythm, "text"])
    assert (open_to.loc[rhythm, "text"] != rows.loc[rhythm, "text"]).all()
    assert not rows.loc[rhythm, "text"].str.contains("%").any()


def test_money_is_told_in_the_currency(
    two_days: TwoDays, frame: pd.DataFrame, terms: Terms, rows: pd.DataFrame
) -> None:
    in_yen = explained(two_days.later.champion.model, frame, replace(terms, currency="JPY"))
    pd.testing.assert_series_equal(in_yen["said"], rows["said"])
    other = in_yen["text"] != rows["text"]
    assert in_yen.loc[other, "text"].str.contains("¥").all()


def test_a_run_of_the_same_day_publishes_the_same_reasons(two_days: TwoDays, rows: pd.DataFrame) -> None:
    with two_days.store() as store:
        published = store.reasons(LATER).set_index(["customer_id", "position"])
    again = rows.set_index(["customer_id", "position"])
    names = ["role", "concept", "feature", "dimension", "text"]
    shared = again.index.intersection(published.index)
    asked = again[again.index.get_level_values("customer_id").isin(published.index.get_level_values("customer_id"))]
    assert len(shared) == len(asked) > 20
    assert again.loc[shared, names].to_numpy().tolist() == published.loc[shared, names].to_numpy().tolist()
    assert list(again.loc[shared, "contribution"]) == pytest.approx(
        list(published.loc[shared, "contribution"]), abs=1e-9
    )


def test_reasons_are_published_of_exactly_the_warned_and_the_moved(two_days: TwoDays) -> None:
    with two_days.store() as store:
        for day, before in ((DAY, None), (LATER, DAY)):
            scores = store.scores(day).set_index("customer_id")
            asked = scores["level"] != "none"
            if before is not None:
                earlier = store.scores(before).set_index("customer_id")["level"].reindex(scores.index)
                asked |= earlier.notna() & (earlier != scores["level"]) & (scores["history"] != "none")
                assert (asked & (scores["level"] == "none")).any()
            assert set(store.reasons(day)["customer_id"]) == set(scores.index[asked])
            assert not asked.all()
