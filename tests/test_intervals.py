"""The interval of a probability means something: what happened to groups of customers lies within it."""

from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pandas as pd
import pytest
from worlds import QUICK, SOME_FEATURES, table_of

from features.labels import churned
from features.simulate import simulate
from features.snapshots import ELIGIBLE, monthly
from models.churn_model import ChurnModel
from models.folds import CHAMPION, Walk, walk_forward, with_outcomes
from models.selection import LABEL_FREE

#: Their windows, 180 days at most, have passed at the end of the data.
CUTOFFS = monthly(date(2024, 11, 1), date(2025, 1, 1))
GROUPS = 10


@cache
def large_walk() -> Walk:
    """So many customers that the share of a tenth of them says what its probability was. Not to be changed in place."""
    lines = simulate(2_000, 34, seed=1, end=date(2025, 7, 1)).tables["transactions"]
    table = table_of(lines, monthly(date(2024, 3, 1), CUTOFFS[-1]), SOME_FEATURES)
    return walk_forward(table, CUTOFFS, replace(QUICK, warm_up=2), every_contestant=False)


def held(told: pd.DataFrame) -> pd.Series:
    """Of each tenth of the customers of a date, whether the share that was lost lies in the mean interval."""
    place = told.groupby("as_of")["churn_probability"].rank(method="first", pct=True)
    group = np.minimum((place * GROUPS).astype("int64"), GROUPS - 1)
    means = told.groupby(["as_of", group.rename("group")])[["churn_low", "churn_high", "churned"]].mean()
    return means["churned"].between(means["churn_low"], means["churn_high"])


def newest(model: ChurnModel) -> pd.DataFrame:
    """What a model says of the cohort of the last cutoff, beside what came of it."""
    table = large_walk().table
    frame = table.frame
    here = frame[(frame["as_of"] == pd.Timestamp(CUTOFFS[-1])) & (frame["cohort"] == ELIGIBLE)]
    outcome = table.outcomes().loc[here.index].assign(churn_window_days=here["churn_window_days"])
    return model.probabilities(here).assign(as_of=here["as_of"], churned=churned(outcome))


def test_the_share_of_most_groups_lies_in_their_mean_interval():
    told = with_outcomes(large_walk().predictions, large_walk().table)
    found = held(told[told["contestant"] == CHAMPION].dropna(subset="churned"))
    assert len(found) == GROUPS * len(CUTOFFS)
    assert found.mean() >= 0.8


def test_without_the_season_and_the_bags_it_holds_next_to_nothing():
    champion = large_walk().champion
    assert champion.selection.in_use != LABEL_FREE
    seasonless = replace(champion, level_spreads=(0.0,) * 4)
    one = tuple(bag[:1] for bag in champion.boosting.bags)
    bare = replace(seasonless, boosting=replace(champion.boosting, bags=one))
    told = [newest(model) for model in (champion, seasonless, bare)]
    whole, by_bags, nothing = ((rows["churn_high"] - rows["churn_low"]).mean() for rows in told)
    assert whole > by_bags > nothing == pytest.approx(0, abs=1e-12)
    assert held(told[0]).mean() >= 0.8
    assert held(told[2]).mean() <= 0.1


def test_the_interval_is_no_wider_than_it_need_be():
    told = newest(large_walk().champion)
    width = told["churn_high"] - told["churn_low"]
    assert width.mean() < 0.25
    assert width.quantile(0.9) < 0.5
    # Who is surely gone or surely there has a narrower one than who may be either.
    sure = (told["churn_probability"] - 0.5).abs()
    assert width[sure > 0.4].mean() < width[sure < 0.1].mean()


@pytest.mark.parametrize("times", [0.5, 2.0])
def test_half_the_season_makes_it_narrower_and_twice_the_season_wider(times):
    champion = large_walk().champion
    changed = replace(champion, level_spreads=tuple(times * spread for spread in champion.level_spreads))
    widths = [rows["churn_high"] - rows["churn_low"] for rows in (newest(champion), newest(changed))]
    assert ((widths[1] > widths[0]) == (times > 1)).all()
