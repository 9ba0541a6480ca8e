"""The snapshot table: who belongs to the cohort, whose window is how long, how many are left, which dates."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from orders import ingested, lines, world_lines

from features.errors import TooLittleData
from features.labels import no_order_within
from features.snapshots import Cohort, Window, churn_windows, cohort_of, funnel, monthly, take

MAY_4 = date(2024, 5, 4)
HEADER = "customer_id order_id ordered_at amount\n"


def taken(text: str, folder, *as_ofs: date, buckets: int = 1, cohort: Cohort | None = None):
    events = ingested(lines(HEADER + text), folder, buckets)
    return take(events, as_ofs or [MAY_4], cohort=cohort or Cohort(), window=Window())


def rows(**columns: list) -> pd.DataFrame:
    """Snapshots with the few columns that a test needs, all of one date unless it says otherwise."""
    table = pd.DataFrame(columns)
    return table.assign(as_of=pd.to_datetime(table.get("as_of", pd.Series([MAY_4] * len(table)))))


def test_a_customer_belongs_to_the_cohort_up_to_the_last_day_of_the_silence_allowed():
    table = rows(order_days_ever=[2.0, 2.0, 2.0], days_since_last_order=[364.0, 365.0, 366.0])
    assert cohort_of(table, Cohort()).tolist() == ["eligible", "eligible", "dormant"]


def test_a_customer_needs_as_many_order_days_as_the_cohort_asks():
    table = rows(order_days_ever=[0.0, 1.0, 2.0, 3.0], days_since_last_order=[np.nan, 5.0, 5.0, 5.0])
    assert cohort_of(table, Cohort()).tolist() == ["no_order", "few_order_days", "eligible", "eligible"]
    three = Cohort(min_order_days=3)
    assert cohort_of(table, three).tolist() == ["no_order", "few_order_days", "few_order_days", "eligible"]


def test_of_several_conditions_that_fail_the_first_is_named():
    table = rows(order_days_ever=[np.nan, 1.0], days_since_last_order=[np.nan, 900.0])
    assert cohort_of(table, Cohort()).tolist() == ["no_order", "few_order_days"]


def test_the_cohort_of_a_real_history_is_cut_at_the_same_days(tmp_path):
    text = """
    year        1 2023-01-01T10:00 10
    year        2 2023-05-05T10:00 10
    dormant     1 2023-01-01T10:00 10
    dormant     2 2023-05-04T10:00 10
    sameday     1 2024-05-01T09:00 10
    sameday     2 2024-05-01T17:00 10
    returns     1 2024-05-01T10:00 -10
    """
    frame = taken(text, tmp_path).frame.set_index("customer_id")
    assert frame["cohort"].to_dict() == {
        "dormant": "dormant",
        "returns": "no_order",
        "sameday": "few_order_days",
        "year": "eligible",
    }
    assert frame.loc[["year", "dormant"], "days_since_last_order"].tolist() == [365.0, 366.0]


def window_days(q90: list[float], order_days: list[float], rule: Window | None = None, **more: list) -> list[int]:
    table = rows(gap_q90_days_ever=q90, order_days_ever=order_days, **more)
    if "cohort" not in table:
        table["cohort"] = "eligible"
    usual = table[table["cohort"] == "eligible"].groupby("as_of")["gap_q90_days_ever"].median()
    return churn_windows(table, rule or Window(), table["as_of"].map(usual)).tolist()


def test_a_window_is_the_multiple_of_the_own_gaps_pulled_towards_those_of_the_cohort():
    # The cohort's median is 60. 12 gaps of 40: (12 x 40 + 4 x 60) / 16 = 45; 4 gaps of 80: 70. 1.5 times each.
    assert window_days([40.0, 60.0, 80.0], [13.0, 5.0, 5.0]) == [68, 90, 105]


def test_a_long_history_speaks_for_itself_and_a_short_one_for_the_cohort():
    short, long = window_days([100.0, 100.0, 60.0, 60.0, 60.0], [2.0, 5001.0, 9.0, 9.0, 9.0])[:2]
    assert (short, long) == (102, 150)  # 1.5 x (1 x 100 + 4 x 60) / 5; 1.5 x 100


def test_a_window_keeps_within_its_bounds():
    alone = Window(shrink_gaps=0.0)
    assert window_days([10.0, 30.0, 30.1, 119.0, 120.0, 121.0, 900.0], [9.0] * 7, alone) == [
        45,
        45,
        45,
        178,
        180,
        180,
        180,
    ]


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


def test_a_funnel_counts_who_is_left_after_each_condition_and_what_they_spent():
    table = rows(
        cohort=["eligible", "eligible", "dormant", "few_order_days", "no_order"],
        revenue_365d=[100.0, 50.0, 0.0, 10.0, -3.0],
    )
    found = funnel(table)
    assert found["as_of"].unique().tolist() == [pd.Timestamp(MAY_4)]
    assert list(found[["condition", "customers", "revenue_365d"]].itertuples(index=False, name=None)) == [
        ("known", 5, 157.0),
        ("with_order", 4, 160.0),
        ("enough_order_days", 3, 150.0),
        ("eligible", 2, 150.0),
    ]


def test_a_funnel_says_of_every_cutoff_that_nobody_is_left():
    june = date(2024, 6, 1)
    table = rows(cohort=["no_order", "eligible"], revenue_365d=[-3.0, 7.0], as_of=[MAY_4, june])
    found = funnel(table)
    assert found["customers"].tolist() == [1, 0, 0, 0, 1, 1, 1, 1]
    assert found["revenue_365d"].tolist() == [-3.0, 0.0, 0.0, 0.0, 7.0, 7.0, 7.0, 7.0]
    assert found["as_of"].tolist() == [pd.Timestamp(MAY_4)] * 4 + [pd.Timestamp(june)] * 4
    assert found["customers"].dtype == "int64"


def test_the_funnel_of_a_world_only_narrows(tmp_path):
    table = take(ingested(world_lines(), tmp_path), [date(2024, 3, 1)], cohort=Cohort(), window=Window())
    left = funnel(table.frame)["customers"].tolist()
    assert left[0] == len(table.frame)
    assert left == sorted(left, reverse=True)
    assert left[-1] == (table.frame["cohort"] == "eligible").sum() > 0


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2024, 1, 31), date(2024, 3, 31), ["2024-01-31", "2024-02-29", "2024-03-31"]),
        (date(2023, 1, 31), date(2023, 3, 31), ["2023-01-31", "2023-02-28", "2023-03-31"]),
        (date(2023, 12, 1), date(2024, 2, 29), ["2023-12-29", "2024-01-29", "2024-02-29"]),
        (date(2023, 12, 15), date(2024, 1, 15), ["2023-12-15", "2024-01-15"]),
        (date(2023, 12, 16), date(2024, 1, 15), ["2024-01-15"]),
        (date(2024, 1, 15), date(2024, 1, 15), ["2024-01-15"]),
        (date(2024, 1, 16), date(2024, 1, 15), []),
        (date(2025, 2, 1), date(2024, 1, 15), []),
    ],
)
def test_monthly_cutoffs_end_on_the_last_and_keep_its_day_where_the_month_has_it(first, last, expected):
    assert [day.isoformat() for day in monthly(first, last)] == expected


def test_three_years_of_months_are_thirty_seven_cutoffs():
    cuts = monthly(date(2021, 5, 4), MAY_4)
    assert (len(cuts), cuts[0], cuts[-1]) == (37, date(2021, 5, 4), MAY_4)


@pytest.mark.parametrize("buckets", [1, 3])
@pytest.mark.parametrize(("as_of", "known"), [(date(2024, 5, 3), 0), (date(2024, 5, 4), 0), (date(2024, 5, 5), 1)])
def test_cutoffs_before_the_first_order_are_refused_with_the_mend(tmp_path, as_of, known, buckets):
    text = "A 1 2024-05-04T09:00 10"
    if known:
        assert len(taken(text, tmp_path, as_of, buckets=buckets).frame) == known
        return
    with pytest.raises(TooLittleData, match=rf"no order is known before {as_of}: .* Give a later --as-of"):
        taken(text, tmp_path, as_of, buckets=buckets)


def test_buckets_without_a_customer_change_neither_rows_nor_types(tmp_path):
    text = "A 1 2024-03-01 10\nA 2 2024-04-01 10\nB 3 2024-04-01 20\nB 4 2024-04-21 20"
    cuts = [date(2024, 3, 2), MAY_4]
    one, many = (taken(text, tmp_path / str(buckets), *cuts, buckets=buckets) for buckets in (1, 8))
    pd.testing.assert_frame_equal(one.frame, many.frame, check_exact=True)
    assert one.frame["customer_id"].tolist() == ["A", "A", "B"]
    pd.testing.assert_frame_equal(one.outcomes(), many.outcomes(), check_exact=True)
    pd.testing.assert_frame_equal(
        one.order_days.sort_values(["customer_id", "day"], ignore_index=True),
        many.order_days.sort_values(["customer_id", "day"], ignore_index=True),
    )


def test_outcomes_are_observed_until_the_end_of_the_data_and_never_beyond(tmp_path):
    table = taken("A 1 2024-03-01 10\nA 2 2024-05-10 10\nB 3 2024-06-02T12:00 20", tmp_path)
    assert table.data_end == date(2024, 6, 3)
    by_default, beyond, before = (table.outcomes(until) for until in (None, date(2030, 1, 1), date(2024, 5, 10)))
    pd.testing.assert_frame_equal(by_default, beyond)
    assert by_default[["days_to_next_order", "observed_days"]].to_numpy().tolist() == [[6.0, 30.0]]
    assert before["days_to_next_order"].isna().all()
    assert before["observed_days"].tolist() == [6]


def test_outcomes_go_row_by_row_with_the_frame_and_mature_by_the_own_window(tmp_path):
    table = take(
        ingested(world_lines(), tmp_path, buckets=3),
        monthly(date(2024, 9, 1), date(2025, 3, 1)),
        cohort=Cohort(),
        window=Window(),
    )
    outcomes = table.outcomes()
    assert outcomes[["customer_id", "as_of"]].equals(table.frame[["customer_id", "as_of"]])
    churned = no_order_within(outcomes, table.frame["churn_window_days"])
    matured = table.frame["as_of"] + pd.to_timedelta(table.frame["churn_window_days"], "D") <= pd.Timestamp(
        table.data_end
    )
    assert churned.notna().equals(matured)
    assert {0.0, 1.0} <= set(churned.dropna())
    assert 0 < matured.mean() < 1


def test_progress_names_each_bucket_and_the_share_that_is_done(tmp_path):
    said = []
    events = ingested(lines(HEADER + "A 1 2024-03-01 10"), tmp_path, 2)
    take(events, [MAY_4], cohort=Cohort(), window=Window(), progress=lambda *words: said.append(words))
    assert [words for words in said if "bucket" in words[0]] == [
        ("features of bucket 1 of 2", 0.0),
        ("features of bucket 2 of 2", 0.5),
    ]


def test_beyond_the_most_rows_customers_are_drawn_with_all_their_snapshots(tmp_path):
    events = ingested(world_lines(), tmp_path, 3)
    dates = [date(2024, 9, 1), date(2025, 3, 1)]
    whole = take(events, dates, cohort=Cohort(), window=Window()).frame
    some = take(events, dates, cohort=Cohort(), window=Window(), max_rows=60)
    kept = set(some.frame["customer_id"])
    assert 0 < len(kept) < whole["customer_id"].nunique()
    same = whole[whole["customer_id"].isin(kept)].reset_index(drop=True)
    local = ["customer_id", "as_of", "cohort", "revenue_90d_vs_usual", "gap_cv_ever"]
    pd.testing.assert_frame_equal(some.frame[local], same[local], check_exact=True)
    assert set(some.order_days["customer_id"]) >= kept
    assert some.order_days["customer_id"].nunique() < world_lines()["customer_id"].nunique()
    assert take(events, dates, cohort=Cohort(), window=Window(), max_rows=10**9).frame.equals(whole)
