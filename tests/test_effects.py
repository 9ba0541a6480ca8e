"""What may be called an effect: only what a lot can tell, and never a number of saved customers without one."""

import numpy as np
import pandas as pd
import pytest

from features.errors import SettingsError
from models.economics import warnings_needed
from serving.effects import (
    HOLDOUT,
    SHOWN,
    Rate,
    assigned,
    compared,
    detectable,
    effect,
    saved,
    top_values,
)


def matured(shown, shown_lost, alone, alone_lost, propensity=0.5, treated=0):
    """Warnings by lot: of `shown` so many lost, of `alone` so many lost; the first `treated` shown were acted upon."""
    lost = [n < shown_lost for n in range(shown)] + [n < alone_lost for n in range(alone)]
    return pd.DataFrame(
        {
            "arm": [SHOWN] * shown + [HOLDOUT] * alone,
            "propensity": propensity,
            "treated": [n >= shown - treated for n in range(shown)] + [False] * alone,
            "lost": lost,
        }
    )


def test_a_share_of_too_few_cases_is_none():
    assert Rate.of(pd.Series([True] * 9)).too_few
    found = Rate.of(pd.Series([True] * 5 + [False] * 5))
    assert (found.n, found.share, found.too_few) == (10, 0.5, False)
    assert found.low < 0.5 < found.high
    assert Rate.of(pd.Series([True] * 10 + [None] * 5, dtype="object")).n == 10
    assert Rate.of(pd.Series([], dtype="object"), least=0).too_few


def test_a_difference_to_nothing_has_no_relative_form():
    found = compared(pd.Series([True] * 10), pd.Series([False] * 10))
    assert (found.points, np.isnan(found.relative)) == (1.0, True)


def test_the_same_warning_gets_the_same_lot_and_about_the_share_is_left_alone():
    arms = [assigned(f"e{n}", "yellow", share=0.2, salt="s").arm for n in range(2000)]
    assert arms == [assigned(f"e{n}", "yellow", share=0.2, salt="s").arm for n in range(2000)]
    assert 330 < arms.count(HOLDOUT) < 470
    other = [assigned(f"e{n}", "yellow", share=0.2, salt="t").arm for n in range(2000)]
    assert arms != other


def test_a_larger_share_leaves_those_alone_whom_the_smaller_left_alone():
    few, many = (
        {n for n in range(500) if assigned(f"e{n}", "blue", share=share).arm == HOLDOUT} for share in (0.1, 0.3)
    )
    assert few < many


@pytest.mark.parametrize(
    ("level", "more"),
    [("red", {}), ("orange", {"top_value": True}), ("yellow", {"red_seen": True}), ("yellow", {"share": 0.0})],
)
def test_red_and_most_valuable_customers_are_never_left_alone(level, more):
    for n in range(200):
        found = assigned(f"e{n}", level, **{"share": 0.5, **more})
        assert (found.arm, found.propensity) == (SHOWN, 1.0)


def test_the_chance_of_being_shown_is_kept_with_the_lot():
    assert {assigned(f"e{n}", "orange", share=0.1).propensity for n in range(50)} == {0.9}
    for wrong in (-0.1, 0.51):
        with pytest.raises(SettingsError, match="lies in 0 to"):
            assigned("e1", "blue", share=wrong)


def test_the_most_valuable_are_a_share_of_the_customers_with_all_who_tie():
    assert top_values(pd.Series([5.0, 9.0, 7.0, 1.0]), 0.25).tolist() == [False, True, False, False]
    assert top_values(pd.Series([9.0, 9.0, 7.0, np.nan]), 0.4).tolist() == [True, True, False, False]


def test_an_effect_is_the_difference_between_the_groups_of_the_lot():
    found = effect(matured(100, 16, 100, 20))
    assert (found.shown.share, found.holdout.share, found.code) == (0.16, 0.2, None)
    assert found.points == pytest.approx(0.04)
    # by hand: sqrt(21/102 * 81/102 / 100 + 17/102 * 85/102 / 100) = .0550; 1.96 of them = .1078
    assert (round(found.low, 3), round(found.high, 3)) == (-0.068, 0.148)


def test_everybody_counts_in_the_group_of_the_lot_whether_acted_upon_or_not():
    assert effect(matured(100, 16, 100, 20, treated=60)).points == effect(matured(100, 16, 100, 20)).points


def test_untreated_treated_and_effect_are_three_columns_and_a_contacted_customer_that_stays_is_undetermined():
    found = effect(matured(100, 16, 50, 10, treated=40))
    # the 40 acted upon are among the 84 that were not lost
    assert (found.untreated.n, found.untreated.hits) == (110, 26)
    assert (found.treated.n, found.treated.hits, found.undetermined) == (40, 0, 40)


def test_a_share_that_changed_over_time_does_not_pass_for_an_effect():
    # two months without any effect: half is left alone where 40 % are lost, a tenth where 10 % are
    bad, good = matured(100, 40, 100, 40, 0.5), matured(180, 18, 20, 2, 0.9)
    both = pd.concat([bad, good])
    found = effect(both)
    assert found.points == pytest.approx(0.0)
    assert found.holdout.share - found.shown.share > 0.1


def test_without_a_comparison_no_number_of_saved_customers_is_told():
    nobody = matured(100, 16, 0, 0, propensity=1.0)
    assert effect(nobody).code == "no_comparison"
    refused = saved(effect(nobody), shown=100)
    assert (refused.customers, refused.low, refused.high, refused.code) == (None, None, None, "no_comparison")
    few = effect(matured(100, 16, 9, 2))
    assert (few.code, np.isnan(few.points), saved(few, 100).code) == ("too_few", True, "too_few")
    empty = effect(nobody[:0])
    assert (empty.code, np.isnan(empty.detectable)) == ("no_comparison", True)


def test_saved_customers_are_told_with_their_interval():
    found = saved(effect(matured(100, 16, 100, 20)), shown=500)
    assert (found.customers, found.code) == (20.0, None)
    assert found.low < 0 < found.high


def test_the_smallest_difference_that_can_be_shown_is_that_of_the_arithmetic_of_two_arms():
    needed = warnings_needed(0.2, 0.16)
    assert round(needed / 2) == 1447
    assert detectable(round(needed), 0.2, 0.5) == pytest.approx(0.04, abs=1e-4)
    found = effect(matured(100, 16, 100, 20))
    assert found.detectable > 0.1
    assert np.isnan(detectable(10, 0.2, 0.5))
