"""The customer's own window: how long it is, in the season too, and which multiple a company's past asks for."""

import json
from dataclasses import asdict
from datetime import date

import numpy as np
import pandas as pd
import pytest

from features import snapshots
from features.windows import (
    ALL_YEAR,
    MIN_CUSTOMERS,
    READS,
    Window,
    WindowChoice,
    choose_multiple,
    churn_windows,
    long_gaps,
    windows_of,
)

MAY_4 = date(2024, 5, 4)
#: Bounds wide enough that they decide nothing.
WIDE = Window(min_days=1, max_days=180)


def rows(**columns: list) -> pd.DataFrame:
    """Snapshots with the few columns that a test needs, all of one date unless it says otherwise."""
    table = pd.DataFrame(columns)
    return table.assign(as_of=pd.to_datetime(table.get("as_of", pd.Series([MAY_4] * len(table)))))


def window_days(q90: list[float], order_days: list[float], rule: Window | None = None, **more: list) -> list[int]:
    table = rows(gap_q90_days_ever=q90, order_days_ever=order_days, **more)
    if "cohort" not in table:
        table["cohort"] = "eligible"
    usual = table[table["cohort"] == "eligible"].groupby("as_of")["gap_q90_days_ever"].median()
    return churn_windows(table, rule or Window(), table["as_of"].map(usual)).tolist()


def test_a_window_is_the_multiple_of_the_own_gaps_pulled_towards_those_of_the_cohort():
    # The cohort's median is 60. 12 gaps of 40: (12 x 40 + 4 x 60) / 16 = 45; 4 gaps of 80: 70. 1.5 times each.
    assert window_days([40.0, 60.0, 80.0], [13.0, 5.0, 5.0]) == [68, 90, 105]


def test_the_long_gap_is_kept_beside_the_window_without_multiple_or_bounds():
    table = rows(gap_q90_days_ever=[40.0, 10.0, np.nan], order_days_ever=[13.0, 5.0, 1.0])
    found = long_gaps(table, Window(), pd.Series([60.0, 60.0, 60.0]))
    assert found.tolist() == [45.0, 35.0, 60.0]
    assert (found.name, str(found.dtype)) == ("long_gap_days", "float64")


def test_a_long_history_speaks_for_itself_and_a_short_one_for_the_cohort():
    short, long = window_days([100.0, 100.0, 60.0, 60.0, 60.0], [2.0, 5001.0, 9.0, 9.0, 9.0])[:2]
    assert (short, long) == (102, 150)  # 1.5 x (1 x 100 + 4 x 60) / 5; 1.5 x 100


def test_a_window_keeps_within_its_bounds():
    found = window_days([10.0, 30.0, 30.1, 119.0, 120.0, 121.0, 900.0], [9.0] * 7, Window(shrink_gaps=0.0))
    assert found == [45, 45, 45, 178, 180, 180, 180]


def test_without_pull_the_own_gaps_decide_alone():
    assert window_days([40.0, 80.0], [9.0, 2.0], Window(shrink_gaps=0.0)) == [60, 120]


def test_a_customer_with_one_order_has_the_window_of_the_cohort():
    assert window_days([np.nan, 60.0], [1.0, 9.0], cohort=["few_order_days", "eligible"]) == [90, 90]


def test_a_cohort_without_anybody_gives_the_longest_window():
    assert window_days([np.nan, np.nan], [1.0, 0.0], cohort=["few_order_days", "no_order"]) == [180, 180]


def test_only_the_eligible_of_the_same_date_set_what_is_usual():
    days = window_days(
        [np.nan, 40.0, 100.0, np.nan, 80.0],
        [1.0, 9.0, 9.0, 1.0, 9.0],
        cohort=["few_order_days", "eligible", "dormant", "few_order_days", "eligible"],
        as_of=[MAY_4, MAY_4, MAY_4, date(2024, 6, 1), date(2024, 6, 1)],
    )
    assert [days[0], days[3]] == [60, 120]


def test_another_multiple_gives_another_window_of_the_same_gap():
    table = rows(long_gap_days=[20.0, 40.0, 70.0])
    assert windows_of(table, Window()).tolist() == [45, 60, 105]
    assert windows_of(table, Window(), 2.5).tolist() == [50, 100, 175]
    assert windows_of(table, Window(), 3.0).tolist() == [60, 120, 180]
    assert str(windows_of(table, Window()).dtype) == "int64"


def test_of_a_seasonal_customer_only_days_of_its_open_months_count():
    # On 20 May with open months May and December: 12 days of May (20 to 31) are left, the 13th is 1 December.
    may_and_december = (1 << 4) | (1 << 11)
    table = rows(
        long_gap_days=[8.0, 8.0, 10.0, 8.0],
        open_months=[may_and_december, ALL_YEAR, may_and_december, 1 << 11],
        as_of=[date(2024, 5, 20)] * 3 + [date(2024, 11, 25)],
    )
    assert windows_of(table, WIDE).tolist() == [12, 12, 180, 18]  # 12 x 1.5; 15 lie beyond the longest; 6 + 12 days
    assert windows_of(table.drop(columns="open_months"), WIDE).tolist() == [12, 12, 15, 12]


@pytest.mark.parametrize(
    ("as_of", "days"), [(date(2024, 11, 30), 13), (date(2024, 12, 1), 12), (date(2024, 12, 2), 12)]
)
def test_days_of_the_season_count_from_its_first_day_on(as_of, days):
    table = rows(long_gap_days=[8.0], open_months=[1 << 11], as_of=[as_of])
    assert windows_of(table, WIDE).tolist() == [days]


def test_what_a_window_reads_is_named():
    table = rows(long_gap_days=[40.0], open_months=[ALL_YEAR], further=[1])
    assert windows_of(table[list(READS)], Window()).tolist() == windows_of(table, Window()).tolist()


def test_a_rule_survives_json_and_is_the_same_where_it_was():
    assert Window(**json.loads(json.dumps(asdict(Window())))) == Window()
    assert snapshots.Window is Window
    assert snapshots.churn_windows is churn_windows


def silences(days: list[float | None], long_gap: float = 40.0, observed: int = 360, each: int = 25) -> pd.DataFrame:
    """Snapshots of `each` customers per entry, whose next order came after so many days."""
    return pd.DataFrame(
        {
            "customer_id": [f"C{entry}-{n}" for entry in range(len(days)) for n in range(each)],
            "as_of": pd.Timestamp(MAY_4),
            "long_gap_days": long_gap,
            "open_months": ALL_YEAR,
            "days_to_next_order": np.repeat([np.nan if day is None else float(day) for day in days], each),
            "observed_days": observed,
        }
    )


def test_the_smallest_multiple_within_bounds_is_taken():
    # Gaps of 40, windows of 60, 80, 100, 120. Next orders after 10, 70 and 90 days and never: of those silent for 60
    # days (three entries) two are back before 120; of 80 (two) one before 160; of 100 (one) none.
    choice = choose_multiple(silences([10, 70, 90, None]), Window())
    assert (choice.multiple, choice.reached) == (2.5, True)
    assert [one.share for one in choice.tried] == pytest.approx([2 / 3, 1 / 2, 0.0, 0.0])
    assert [one.positives for one in choice.tried] == [75, 50, 25, 25]
    assert choice.chosen.low == 0.0
    assert choose_multiple(silences([10, 70, 90, None]), Window(max_false_churn=0.5)).multiple == 2.0


@pytest.mark.parametrize(("day", "back"), [(59, None), (60, 1.0), (119, 1.0), (120, 0.0), (None, 0.0)])
def test_false_churn_is_an_order_within_the_next_window(day, back):
    # 50 others who never order again keep the share known.
    one = choose_multiple(silences([day, None, None]), Window(multiples=(1.5,))).chosen
    silent = 75 if back is not None else 50
    assert one.positives == silent
    assert one.share == pytest.approx(25 / 75 if back else 0.0)


def test_where_none_keeps_to_the_bound_the_best_is_taken_and_it_is_said():
    # Silent for 60: 70, 130, never, of which 70 is back; for 80: 130 and never: 130 is back before 160; and so on.
    choice = choose_multiple(silences([70, 130, 130, 130, 130, None]), Window(multiples=(1.5, 2.0, 3.0)))
    assert [one.share for one in choice.tried] == pytest.approx([1 / 6, 4 / 5, 4 / 5])
    strict = choose_multiple(silences([70, 130, 130, 130, 130, None]), Window((1.5, 2.0, 3.0), 0.1))
    assert (strict.multiple, strict.reached) == (1.5, False)
    assert "no multiple keeps to the 10% asked for" in strict.words


def test_a_longer_window_must_show_that_it_is_purer():
    # Of 60 who were silent for 60 days 30 are back, of 59 silent for 80 days 29: less, but not beyond chance.
    days = [70] + [100] * 29 + [None] * 30
    table = silences(days, each=1)
    choice = choose_multiple(table, Window(multiples=(1.5, 2.0), max_false_churn=0.1))
    shares = [one.share for one in choice.tried]
    assert shares[1] < shares[0]
    assert (choice.multiple, choice.reached) == (1.5, False)


@pytest.mark.parametrize(("observed", "known"), [(359, False), (360, True), (361, True)])
def test_dates_count_once_twice_the_longest_window_has_passed(observed, known):
    choice = choose_multiple(silences([10, 70, None], observed=observed), Window())
    assert (choice.reached is not None) is known
    if not known:
        assert choice.multiple == 1.5
        assert choice.chosen.share is None
        assert "not known yet" in choice.words


@pytest.mark.parametrize(("customers", "known"), [(MIN_CUSTOMERS - 1, False), (MIN_CUSTOMERS, True)])
def test_a_share_of_few_customers_is_not_believed_however_many_rows_they_have(customers, known):
    one = silences([None], each=customers)
    many = pd.concat([one.assign(as_of=day) for day in pd.date_range(MAY_4, periods=9)], ignore_index=True)
    choice = choose_multiple(many, Window())
    assert (choice.reached is True) is known
    assert choice.chosen.positives == 9 * customers


def test_nothing_at_all_gives_the_first_multiple():
    assert choose_multiple(silences([10, None]).iloc[:0], Window()).to_dict() | {"tried": ()} == {
        "multiple": 1.5,
        "reached": None,
        "max_false_churn": 0.25,
        "tried": (),
    }


def test_one_multiple_is_fixed_and_its_purity_told_all_the_same():
    choice = choose_multiple(silences([10, 70, 90, None]), Window(multiples=(1.5,)))
    assert (choice.multiple, choice.reached) == (1.5, False)
    assert "1.5 times a customer's long gap, as set. Of 75 silences as long (75 customers), 67%" in choice.words


def test_rows_of_one_customer_are_worth_less_than_rows_of_many():
    alone = silences([70, None], each=50)
    again = pd.concat([alone.assign(as_of=day) for day in pd.date_range(MAY_4, periods=10)], ignore_index=True)
    many = silences([70, None], each=500)
    narrow, wide, few = (choose_multiple(t, Window(multiples=(1.5,))).chosen for t in (many, again, alone))
    assert narrow.positives == wide.positives == 1000
    assert narrow.share == wide.share == few.share == 0.5
    # Ten equal rows of a customer are worth one: the interval is that of 100 customers; Wilson's, near 0.5 +- 0.096.
    assert wide.high - wide.low == pytest.approx(few.high - few.low, abs=1e-6)
    assert few.high - 0.5 == pytest.approx(0.0962, abs=0.002)
    assert narrow.high - 0.5 == pytest.approx(0.0309, abs=0.001)


def test_a_choice_survives_the_manifest():
    for table in (silences([10, 70, 90, None]), silences([None]).iloc[:0]):
        choice = choose_multiple(table, Window())
        assert WindowChoice.from_dict(json.loads(json.dumps(choice.to_dict()))) == choice


def test_a_seasonal_window_is_judged_by_its_calendar_days():
    # Open in May and December: from 4 May a window of 60 open days ends at the longest, after 180 days.
    table = silences([100, None]).assign(open_months=(1 << 4) | (1 << 11))
    one = choose_multiple(table, Window(multiples=(1.5,))).chosen
    assert (one.positives, one.share) == (25, 0.0)
