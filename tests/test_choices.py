"""What a walk chooses at each cutoff, in a company whose customers tell who leaves: the window and the champion."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
from scipy.special import logit
from worlds import QUICK, told_company

from features.labels import HORIZONS
from models.classifiers import LIGHTGBM
from models.folds import BLEND, CHAMPION, Walk, walk_forward, with_outcomes
from models.logistic import LOGISTIC
from models.selection import ALONE, regret

TOLD = [pd.Timestamp(day) for day in sorted(told_company().frame["as_of"].unique())]
#: At the first one only dates have matured for the choice of the window at whose end many came back.
EARLY, LATE = TOLD[14], TOLD[20]
OPTIONS = replace(QUICK, warm_up=6)


@cache
def told_walk() -> Walk:
    return walk_forward(told_company(), [EARLY.date(), LATE.date()], OPTIONS, every_contestant=False)


def test_the_window_is_chosen_at_each_cutoff_from_what_was_known_there():
    # Silences of 90 and of 120 days: half of them end on day 130; of 150: none does. Later nobody comes back at all.
    assert told_walk().folds["window_multiple"].tolist() == [2.5, 1.5]
    assert (told_walk().choice.multiple, told_walk().choice.reached) == (1.5, True)
    rows = told_walk().predictions
    assert set(rows.loc[rows["as_of"] == EARLY, "churn_window_days"]) == {150}
    assert set(rows.loc[rows["as_of"] == LATE, "churn_window_days"]) == {90}
    assert set(told_company().frame["churn_window_days"]) == {90}


def test_the_probability_is_read_at_the_window_that_was_chosen():
    rows = told_walk().predictions
    late = rows[rows["as_of"] == LATE]
    np.testing.assert_allclose(late["churn_probability"], late["p_no_order_90"], atol=1e-12)
    early = rows[rows["as_of"] == EARLY]
    assert (early["churn_probability"] <= early["p_no_order_90"]).all()
    assert (early["churn_probability"] >= early["p_no_order_180"]).all()
    assert (early["churn_probability"] < early["p_no_order_90"]).mean() > 0.9


def test_choices_do_not_see_what_came_later():
    table = told_company()
    later = table.frame["as_of"] > EARLY
    unknown = table.order_days["visible_from"] > EARLY
    day = table.order_days["day"].mask(unknown, EARLY + pd.Timedelta(days=1))
    orders = table.order_days.assign(day=day, visible_from=day + pd.Timedelta(days=1))
    frame = table.frame.assign(
        revenue_90d=table.frame["revenue_90d"].mask(later, -table.frame["revenue_90d"]),
        long_gap_days=table.frame["long_gap_days"].mask(later, 100.0),
    )
    cutoffs = [EARLY.date(), LATE.date()]
    other = walk_forward(replace(table, frame=frame, order_days=orders), cutoffs, OPTIONS, every_contestant=False)
    pd.testing.assert_frame_equal(other.folds.head(1), told_walk().folds.head(1), check_exact=True)
    one, two = (rows[rows["as_of"] == EARLY] for rows in (other.predictions, told_walk().predictions))
    pd.testing.assert_frame_equal(one.reset_index(drop=True), two.reset_index(drop=True), check_exact=True)
    assert other.folds["base_rate_90"].iloc[1] != told_walk().folds["base_rate_90"].iloc[1]


def test_the_champion_is_the_model_that_the_selection_put_into_use():
    champion, rows = told_walk().champion, told_walk().predictions
    assert told_walk().folds["in_use"].tolist() == [LIGHTGBM, LIGHTGBM]
    assert champion.selection.in_use == LIGHTGBM
    assert [step.candidate for step in champion.selection.steps if step.taken][-1] == LIGHTGBM
    assert champion.weights == ALONE[LIGHTGBM]
    here = rows[rows["as_of"] == LATE].pivot(index="customer_id", columns="contestant", values="p_no_order_90")
    calibrated = champion.calibrations[HORIZONS.index(90)](logit(here[LIGHTGBM].to_numpy()))
    cohort = told_company().frame[told_company().frame["as_of"] == LATE].set_index("customer_id")
    coherent = (np.diff(champion.margins(cohort), axis=1) <= 0).all(axis=1)
    coherent &= (np.diff(champion.boosting.margins(cohort), axis=1) <= 0).all(axis=1)
    assert coherent.mean() > 0.5
    np.testing.assert_allclose(logit(here[CHAMPION].to_numpy())[coherent], calibrated[coherent], atol=1e-9)


def test_what_the_choice_of_the_champion_cost_is_told():
    told = with_outcomes(told_walk().predictions, told_walk().table)
    judged = told.rename(columns={"p_no_order_90": "probability", "no_order_90": "outcome"})
    table = regret(judged.dropna(subset="outcome"), CHAMPION, (LIGHTGBM, LOGISTIC, BLEND)).set_index("contestant")
    assert table.loc[CHAMPION, "regret"] == 0
    # LightGBM is the champion but for its calibration; the regression would have lost much more.
    assert abs(table.loc[LIGHTGBM, "regret"]) < 0.01
    assert table.loc[LOGISTIC, "regret"] < -0.05
    assert table.loc[LOGISTIC, "roc_auc"] < table.loc[CHAMPION, "roc_auc"]
