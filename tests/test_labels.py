"""What happened after a cutoff: boundaries of a horizon, maturity, what was not yet known."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from orders import laid_out, lines, nasty_lines, visible_at, world_lines

from features.labels import CONFIRMED_DAYS, HORIZONS, PROJECT_HORIZON, derive, matures_on, no_order_within, outcomes

MAY_4 = date(2024, 5, 4)
LATE = date(2025, 5, 4)


def keys(*pairs: tuple[str, date]) -> pd.DataFrame:
    return pd.DataFrame({"customer_id": [who for who, _ in pairs], "as_of": pd.to_datetime([day for _, day in pairs])})


def outcome_of(text: str, observed_until: date, *pairs: tuple[str, date]) -> pd.DataFrame:
    with laid_out(lines(text)) as con:
        return outcomes(con, keys(*(pairs or [("A", MAY_4)])), observed_until)


def outcome(days_to_next_order: list[float], observed_days: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"days_to_next_order": days_to_next_order, "observed_days": observed_days})


def test_the_published_horizons():
    assert HORIZONS == (30, 60, 90, 180)


@pytest.mark.parametrize(
    ("ordered_at", "days"),
    [
        ("2024-05-03T23:59:59.999999", np.nan),
        ("2024-05-04T00:00", 0.0),
        ("2024-05-04T23:59", 0.0),
        ("2024-05-05T00:00", 1.0),
        ("2024-06-03T12:00", 30.0),
    ],
)
def test_an_order_of_the_day_of_the_cutoff_is_the_next_order_and_one_before_is_not(ordered_at, days):
    text = f"customer_id order_id ordered_at amount\nA 0 2024-04-01 10\nA 1 {ordered_at} 10"
    assert outcome_of(text, LATE)["days_to_next_order"].equals(pd.Series([days]))


@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize(
    ("days_after", "silent"), [(0, 0.0), (-1, 0.0), (None, 1.0)], ids=["at as_of", "last", "after"]
)
def test_a_horizon_holds_its_first_day_and_not_the_day_after_its_last(horizon, days_after, silent):
    day = MAY_4 + timedelta(days={0: 0, -1: horizon - 1, None: horizon}[days_after])
    found = outcome_of(f"customer_id order_id ordered_at amount\nA 0 2024-04-01 10\nA 1 {day}T09:00 10", LATE)
    assert no_order_within(found, horizon).tolist() == [silent]


def test_the_next_order_is_the_nearest_of_those_that_follow():
    text = """
    customer_id order_id ordered_at amount
    A           1        2024-04-30 10
    A           2        2024-05-20 10
    A           3        2024-05-10 10
    B           4        2024-05-05 10
    """
    assert outcome_of(text, LATE)["days_to_next_order"].tolist() == [6.0]


@pytest.mark.parametrize("observed_days", [29, 30, 31])
@pytest.mark.parametrize(("days", "silent"), [(0.0, 0.0), (29.0, 0.0), (30.0, 1.0), (np.nan, 1.0)])
def test_a_label_is_unknown_until_it_has_matured_whatever_was_seen(days, silent, observed_days):
    label = no_order_within(outcome([days], [observed_days]), 30)
    assert label.isna().tolist() == [observed_days < 30]
    assert label.dropna().tolist() == ([silent] if observed_days >= 30 else [])


def test_every_row_can_have_a_window_of_its_own():
    found = outcome([45.0, 45.0, 45.0, np.nan], [60, 60, 60, 60])
    labels = no_order_within(found, pd.Series([45, 46, 61, 60]))
    assert labels.fillna(-1).tolist() == [1.0, 0.0, -1.0, 1.0]


def test_windows_of_other_rows_are_refused_and_not_matched_by_place():
    found = outcome([10.0, 50.0], [90, 90]).set_axis([7, 3])
    with pytest.raises(ValueError, match="identically-labeled"):
        no_order_within(found, pd.Series([45, 60], index=[3, 7]))


def test_a_label_matures_after_as_many_days_as_it_covers():
    assert matures_on(pd.Series([pd.Timestamp(MAY_4)]), 30).dt.date.tolist() == [date(2024, 6, 3)]
    found = [
        outcome_of("customer_id order_id ordered_at amount\nA 1 2024-04-01 10", until)
        for until in (date(2024, 6, 2), date(2024, 6, 3), date(2024, 6, 4))
    ]
    assert [one["observed_days"].item() for one in found] == [29, 30, 31]
    assert [no_order_within(one, 30).fillna(-1).item() for one in found] == [-1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("observed_until", "days"),
    [(date(2024, 5, 10), np.nan), (date(2024, 5, 11), 6.0), (date(2024, 5, 12), 6.0)],
)
def test_an_order_on_the_day_that_observation_ends_is_not_seen(observed_until, days):
    text = "customer_id order_id ordered_at amount\nA 0 2024-04-01 10\nA 1 2024-05-10T08:00 10"
    assert outcome_of(text, observed_until)["days_to_next_order"].equals(pd.Series([days]))


@pytest.mark.parametrize(
    ("observed_until", "days"), [(date(2024, 6, 20), np.nan), (date(2024, 6, 21), 6.0), (date(2024, 6, 22), 6.0)]
)
def test_an_order_booked_late_is_not_seen_before_it_was_known(observed_until, days):
    text = """
    customer_id order_id ordered_at recorded_at      amount
    A           0        2024-04-01 2024-04-01       10
    A           1        2024-05-10 2024-06-20T10:00 10
    """
    assert outcome_of(text, observed_until)["days_to_next_order"].equals(pd.Series([days]))


def test_an_order_that_is_cancelled_under_its_number_was_no_order_once_that_is_known():
    text = """
    customer_id order_id ordered_at amount
    A           1        2024-05-10 10
    A           1        2024-06-01 -10
    A           2        2024-07-01 10
    """
    untils = (date(2024, 6, 1), date(2024, 6, 2), date(2024, 8, 1))
    found = pd.concat([outcome_of(text, until) for until in untils], ignore_index=True)
    assert found["days_to_next_order"].equals(pd.Series([6.0, np.nan, 58.0]))


def test_a_credit_note_is_not_the_next_order():
    text = "customer_id order_id ordered_at amount\nA C1 2024-05-10 -10\nA 2 2024-05-12 10"
    assert outcome_of(text, LATE)["days_to_next_order"].tolist() == [8.0]


def test_outcomes_stand_in_the_order_of_the_snapshots_each_with_its_own_key():
    text = """
    customer_id order_id ordered_at amount
    A           1        2024-05-10 10
    B           2        2024-05-05 10
    """
    pairs = [("B", MAY_4), ("A", date(2024, 6, 1)), ("unknown", MAY_4), ("A", MAY_4), ("B", MAY_4)]
    found = outcome_of(text, date(2024, 6, 4), *pairs)
    assert found["customer_id"].tolist() == ["B", "A", "unknown", "A", "B"]
    assert found["days_to_next_order"].equals(pd.Series([1.0, np.nan, np.nan, 6.0, 1.0]))
    assert found["observed_days"].tolist() == [31, 3, 31, 31, 31]
    assert found.dtypes.astype(str).tolist()[2:] == ["float64", "int64"]


def test_a_cutoff_after_the_end_of_observation_has_no_outcome_and_negative_days():
    found = outcome_of("customer_id order_id ordered_at amount\nA 1 2024-05-10 10", date(2024, 5, 1))
    assert found["observed_days"].tolist() == [-3]
    assert no_order_within(found, 30).isna().all()
    assert found["days_to_next_order"].isna().all()


@pytest.mark.parametrize("table", [world_lines, nasty_lines])
def test_outcomes_agree_with_a_search_through_the_documents(table):
    rows, until, as_of = table(), date(2025, 6, 12), date(2024, 10, 1)
    seen = rows[visible_at(rows) < pd.Timestamp(until)].assign(amount=lambda seen: (seen["amount"] * 100).round())
    documents = seen.groupby(["customer_id", "order_id"]).agg(day=("ordered_at", "min"), amount=("amount", "sum"))
    days = documents[documents["amount"] > 0]["day"].dt.normalize() - pd.Timestamp(as_of)
    wanted = days[days >= pd.Timedelta(0)].groupby("customer_id").min().dt.days
    customers = sorted(rows["customer_id"].unique())
    with laid_out(rows) as con:
        found = outcomes(con, keys(*((who, as_of) for who in customers)), until)
    expected = wanted.reindex(customers).astype("float64")
    assert expected.notna().any()
    assert expected.isna().any()
    assert found["days_to_next_order"].equals(expected.reset_index(drop=True))


def test_more_observation_never_unmakes_a_matured_label_but_by_what_is_booked_late():
    on_time = world_lines().assign(recorded_at=lambda table: table["ordered_at"])
    with laid_out(on_time) as con:
        pairs = keys(*((who, date(2024, 10, 1)) for who in sorted(on_time["customer_id"].unique())))
        early, late = (no_order_within(outcomes(con, pairs, until), 60) for until in (date(2024, 11, 30), LATE))
    assert early.notna().all()
    assert early.equals(late)
    assert set(early) == {0.0, 1.0}


def test_every_label_comes_with_the_date_on_which_it_is_known():
    outcome = pd.DataFrame(
        {
            "as_of": [pd.Timestamp(MAY_4)] * 2,
            "churn_window_days": [45, 60],
            "days_to_next_order": [50.0, 10.0],
            "observed_days": [60, 60],
        }
    )
    labels = derive(outcome)
    assert labels["no_order_30"].tolist() == [1.0, 0.0]
    assert labels["no_order_60"].tolist() == [0.0, 0.0]
    assert labels["no_order_90"].isna().all()
    assert labels["churned"].tolist() == [1.0, 0.0]
    assert labels["matures_on_own_window"].dt.date.tolist() == [date(2024, 6, 18), date(2024, 7, 3)]


@pytest.mark.parametrize(
    ("days", "observed", "in_a_year", "lost"),
    [
        (np.nan, 359, np.nan, np.nan),
        (np.nan, 360, np.nan, 1.0),
        (np.nan, 365, 1.0, 1.0),
        (359.0, 365, 0.0, 0.0),
        (360.0, 365, 0.0, 1.0),
        (364.0, 365, 0.0, 1.0),
        (365.0, 366, 1.0, 1.0),
    ],
)
def test_projects_are_judged_by_a_year_and_the_lost_are_confirmed_by_twice_the_longest_window(
    days, observed, in_a_year, lost
):
    assert (PROJECT_HORIZON, CONFIRMED_DAYS) == (365, 360)
    row = outcome([days], [observed]).assign(as_of=pd.Timestamp(MAY_4), churn_window_days=45)
    found = derive(row)
    assert found["no_order_365"].equals(pd.Series([in_a_year]))
    assert found["confirmed_lost"].equals(pd.Series([lost]))
    assert found["matures_on_365"].dt.date.tolist() == [date(2025, 5, 4)]


@pytest.mark.parametrize(("observed", "known"), [(59, False), (60, True), (61, True)])
def test_own_windows_of_a_date_are_known_together_when_the_longest_has_passed(observed, known):
    outcome = pd.DataFrame(
        {
            "as_of": [pd.Timestamp(MAY_4)] * 2,
            "churn_window_days": [45, 60],
            "days_to_next_order": [50.0, float("nan")],
            "observed_days": [observed, observed],
        }
    )
    assert derive(outcome)["churned"].notna().tolist() == [known, known]
