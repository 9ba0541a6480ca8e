"""The snapshot table: which dates, which rows, what of them can be read later."""

from datetime import date

import pandas as pd
import pytest
from orders import ingested, lines, world_lines

from features.errors import TooLittleData
from features.labels import no_order_within
from features.snapshots import Cohort, Window, monthly, take

MAY_4 = date(2024, 5, 4)
HEADER = "customer_id order_id ordered_at amount\n"


def taken(text: str, folder, *as_ofs: date, buckets: int = 1, cohort: Cohort | None = None):
    events = ingested(lines(HEADER + text), folder, buckets)
    return take(events, as_ofs or [MAY_4], cohort=cohort or Cohort(), window=Window())


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
