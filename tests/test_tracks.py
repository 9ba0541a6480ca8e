"""Tracks: who is warned, which track everybody else is in, and that no customer and no order is left out."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from histories import before, ordered, table
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import ingested, lines, snapshots_of, world_lines

from features import snapshots
from features.snapshots import Cohort, Window, take
from features.tracks import CLOSED, TRACKS, cohort_of, funnel, funnels_together
from features.windows import ALL_YEAR
from serving.words import names

MAY_4 = date(2024, 5, 4)
NOBODY_APART = Cohort(projects_apart=False, seasons_apart=False, reactivated_apart=False)


def rows(**columns: list) -> pd.DataFrame:
    """Snapshots with the few columns that a test needs, all of one date unless it says otherwise."""
    frame = pd.DataFrame(columns)
    return frame.assign(as_of=pd.to_datetime(frame.get("as_of", pd.Series([MAY_4] * len(frame)))))


def usual(count: int = 1, **columns: list) -> pd.DataFrame:
    """Customers in full swing, but for what the test changes."""
    plain = {"order_days_ever": [9.0] * count, "days_since_last_order": [5.0] * count}
    return rows(**(plain | columns))


def test_a_customer_belongs_to_the_cohort_up_to_the_last_day_of_the_silence_allowed():
    frame = usual(3, days_since_last_order=[364.0, 365.0, 366.0])
    assert cohort_of(frame, Cohort()).tolist() == ["eligible", "eligible", "dormant"]


def test_a_customer_needs_as_many_order_days_as_the_cohort_asks():
    frame = usual(4, order_days_ever=[0.0, 1.0, 2.0, 3.0])
    assert cohort_of(frame, Cohort()).tolist() == ["no_order", "few_order_days", "eligible", "eligible"]
    three = Cohort(min_order_days=3)
    assert cohort_of(frame, three).tolist() == ["no_order", "few_order_days", "few_order_days", "eligible"]


def test_of_several_conditions_that_hold_the_first_is_named():
    everything = {"rhythm_class": ["project"] * 6, "open_months": [1] * 6}
    frame = usual(
        6,
        order_days_ever=[np.nan, 1.0, 1.0, 9.0, 9.0, 9.0],
        days_since_last_order=[np.nan, 900.0, 900.0, 900.0, 9.0, 9.0],
        closed=[True, True, False, False, False, False],
        **(everything | {"rhythm_class": ["project"] * 5 + ["seasonal"]}),
    )
    assert cohort_of(frame, Cohort()).tolist() == list(TRACKS[1:])


def test_customers_of_projects_stand_apart_where_that_is_set():
    frame = usual(2, rhythm_class=["project", "irregular"])
    assert cohort_of(frame, Cohort()).tolist() == ["project", "eligible"]
    assert cohort_of(frame, Cohort(projects_apart=False)).tolist() == ["eligible", "eligible"]


def test_a_seasonal_customer_is_off_season_in_the_months_in_which_it_never_orders():
    days = [date(2024, 4, 30), date(2024, 5, 1), date(2024, 5, 31), date(2024, 6, 1)]
    frame = usual(4, rhythm_class=["seasonal"] * 4, open_months=[1 << 4] * 4, as_of=days)
    assert cohort_of(frame, Cohort()).tolist() == ["off_season", "eligible", "eligible", "off_season"]
    assert cohort_of(frame, Cohort(seasons_apart=False)).tolist() == ["eligible"] * 4
    assert cohort_of(frame.assign(open_months=ALL_YEAR), Cohort()).tolist() == ["eligible"] * 4


@pytest.mark.parametrize(("gap", "track"), [(np.nan, "eligible"), (365.0, "eligible"), (366.0, "few_order_days")])
def test_who_comes_back_after_having_been_dormant_is_new_until_the_second_order(gap, track):
    frame = usual(last_gap_days=[gap], rhythm_class=["irregular"])
    assert cohort_of(frame, Cohort()).tolist() == [track]
    assert cohort_of(frame, Cohort(reactivated_apart=False)).tolist() == ["eligible"]
    assert cohort_of(frame, Cohort(min_order_days=1)).tolist() == ["eligible"]
    assert cohort_of(frame.assign(rhythm_class="seasonal"), Cohort()).tolist() == ["eligible"]


def tracks_of(text: str, changes: str | None = None, as_of: date = MAY_4) -> dict[str, str]:
    others = {} if changes is None else {"account_changes": lines(changes)}
    return snapshots_of(lines(text), [as_of], **others).set_index("customer_id")["cohort"].to_dict()


def test_the_tracks_of_real_histories():
    text = table(
        ordered([489], customer="dormant"),
        ordered([366, 489], customer="dormant_too"),
        ordered([365, 489], customer="year"),
        ordered([3, 369], customer="back"),
        ordered([3, 20, 390], customer="back_twice"),
        ordered([3], customer="first"),
        ordered([3], customer="returns", amount=-10),
        ordered([20, 22, 25, 27, 30, 33, 700, 703, 705, 708, 1500, 1502, 1505], customer="builder"),
    )
    assert tracks_of(text) == {
        "back": "few_order_days",
        "back_twice": "eligible",
        "builder": "project",
        "dormant": "few_order_days",
        "dormant_too": "dormant",
        "first": "few_order_days",
        "returns": "no_order",
        "year": "eligible",
    }


WINTER = [(MAY_4 - date(year, 10, 1)).days - 14 * n for year in (2021, 2022, 2023) for n in range(7)]


def test_a_seasonal_customer_has_its_open_months_from_its_orders_and_its_window_from_those():
    text = table(ordered(WINTER, customer="W"), ordered(range(5, 900, 20), customer="R"))
    days = [date(2023, 9, 30), date(2023, 10, 1), MAY_4]
    frame = snapshots_of(lines(text), days).set_index(["customer_id", "as_of"])
    assert (frame.loc["R", "open_months"] == ALL_YEAR).all()
    winter = frame.loc["W"]
    # the seven orders of a year are from 1 October to 24 December
    assert winter["open_months"].tolist() == [0b1110_0000_0000] * 3
    assert winter["rhythm_class"].tolist() == ["seasonal"] * 3
    assert winter["cohort"].tolist() == ["off_season", "eligible", "off_season"]
    # on 4 May the 45th day of the season is 180 days or more away
    assert winter["churn_window_days"].iloc[2] == 180
    # on 30 September the first of the window's days is tomorrow
    assert winter["churn_window_days"].iloc[0] == winter["churn_window_days"].iloc[1] + 1


CHANGED = "customer_id changed_at field new recorded_at\n"
#: What an account's file says, a change per entry, and the track that this makes.
STATUS = {
    **{f"is_{one}": ([f"2024-04-01 status {one} -"], "closed") for one in (*CLOSED, "Closed", "_insolvent")},
    "active": (["2024-04-01 status active -"], "eligible"),
    "on_hold": (["2024-04-01 status on_hold -"], "eligible"),
    "owner": (["2024-04-01 owner closed -"], "eligible"),
    "opened": (["2024-04-01 status closed -", "2024-04-02 status active -"], "eligible"),
    "closed_again": (["2024-04-02 status closed -", "2024-04-01 status active -"], "closed"),
    "held": (["2024-04-01 status closed -", "2024-04-02 status on_hold -"], "closed"),
    "both_at_once": (["2024-04-01 status closed -", "2024-04-01 status active -"], "closed"),
    "at_the_last_minute": (["2024-05-03T23:59 status closed -"], "closed"),
    "at_midnight": (["2024-05-04T00:00 status closed -"], "eligible"),
    "known_in_time": (["2024-04-01 status closed 2024-05-03T12:00"], "closed"),
    "known_too_late": (["2024-04-01 status closed 2024-05-04T00:00"], "eligible"),
    "opening_not_yet_known": (
        ["2024-04-01 status closed 2024-04-01", "2024-04-20 status active 2024-05-10"],
        "closed",
    ),
}


def test_the_newest_status_of_an_account_that_was_known_counts():
    text = table(*(ordered(range(5, 400, 20), customer=name) for name in STATUS))
    changes = CHANGED + "\n".join(f"{name} {change}" for name, (said, _) in STATUS.items() for change in said)
    assert tracks_of(text, changes) == {name: track for name, (_, track) in STATUS.items()}


def test_only_the_eligible_say_what_is_usual():
    text = table(
        ordered(range(5, 300, 20), customer="A"),
        ordered(range(5, 300, 20), customer="B"),
        ordered(range(10, 399, 100), customer="C"),
    )
    closed = f"{CHANGED}A {before(9)} status closed -\nB {before(9)} status closed -"
    frame = snapshots_of(lines(text), [MAY_4], account_changes=lines(closed)).set_index("customer_id")
    assert frame["cohort"].tolist() == ["closed", "closed", "eligible"]
    # C's own long gap of 100 is all that is usual; A has 14 gaps of 20: (14 x 20 + 4 x 100) / 18
    assert frame["long_gap_days"].tolist() == pytest.approx([680 / 18, 680 / 18, 100.0])


def test_where_nobody_stands_apart_the_plain_conditions_decide_and_no_month_is_closed(tmp_path):
    events = ingested(world_lines(), tmp_path)
    plain = take(events, [date(2025, 3, 1)], cohort=NOBODY_APART, window=Window()).frame
    conditions = plain[["order_days_ever", "days_since_last_order"]]
    assert plain["cohort"].tolist() == cohort_of(conditions, NOBODY_APART).tolist()
    assert (plain["open_months"] == ALL_YEAR).all()
    apart = cohort_of(plain, Cohort())
    assert set(plain["cohort"][apart != plain["cohort"]]) <= {"eligible"}
    assert snapshots.cohort_of is cohort_of


def test_a_funnel_counts_who_is_in_each_track_what_they_spent_and_how_often():
    frame = rows(
        cohort=["eligible", "eligible", "dormant", "few_order_days", "no_order"],
        revenue_365d=[100.0, 50.0, 0.0, 53.0, -3.0],
        order_days_365d=[9.0, 4.0, 0.0, 1.0, 0.0],
    )
    found = funnel(frame)
    assert found["as_of"].unique().tolist() == [pd.Timestamp(MAY_4)]
    assert found["track"].tolist() == list(TRACKS)
    filled = found[found["customers"] > 0].drop(columns="as_of")
    assert list(filled.itertuples(index=False, name=None)) == [
        ("eligible", 2, 150.0, 13, 0.75),
        ("no_order", 1, -3.0, 0, -0.015),
        ("few_order_days", 1, 53.0, 1, 0.265),
        ("dormant", 1, 0.0, 0, 0.0),
    ]
    assert found.dtypes.astype(str).tolist()[2:] == ["int64", "float64", "int64", "float64"]


def test_a_funnel_says_of_every_cutoff_that_a_track_is_empty_and_has_no_shares_of_nothing():
    june = date(2024, 6, 1)
    frame = rows(
        cohort=["no_order", "eligible"], revenue_365d=[-3.0, 7.0], order_days_365d=[0.0, 1.0], as_of=[MAY_4, june]
    )
    found = funnel(frame)
    assert found["as_of"].tolist() == [pd.Timestamp(MAY_4)] * 7 + [pd.Timestamp(june)] * 7
    assert found["customers"].tolist() == [0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert found["revenue_share"].isna().tolist() == [True] * 7 + [False] * 7


def test_accounts_without_any_document_are_counted_too():
    frame = rows(cohort=["eligible"], revenue_365d=[7.0], order_days_365d=[1.0])
    found = funnel(frame, never_ordered=12).set_index("track")["customers"]
    assert (found["eligible"], found["no_order"], found.sum()) == (1, 12, 13)


SOMEBODY = st.tuples(
    st.sampled_from([MAY_4, date(2024, 6, 1)]),
    st.one_of(st.none(), st.integers(0, 4)),  # order days ever
    st.one_of(st.none(), st.integers(1, 800)),  # days since the last
    st.one_of(st.none(), st.integers(1, 800)),  # the gap before
    st.sampled_from(["regular", "irregular", "project", "seasonal", "new", "dormant"]),
    st.booleans(),  # closed
    st.integers(1, ALL_YEAR),  # open months
    st.integers(-500, 500),  # revenue
    st.one_of(st.none(), st.integers(0, 30)),  # order days of the year
)
NAMES = ["as_of", "order_days_ever", "days_since_last_order", "last_gap_days", "rhythm_class", "closed", "open_months"]


@settings(deadline=None, max_examples=40)
@given(st.lists(SOMEBODY, min_size=1, max_size=30), st.booleans(), st.integers(1, 3))
def test_every_customer_and_every_order_is_in_exactly_one_track(people, apart, buckets):
    frame = pd.DataFrame(people, columns=[*NAMES, "revenue_365d", "order_days_365d"])
    numbers = ["order_days_ever", "days_since_last_order", "last_gap_days", "revenue_365d", "order_days_365d"]
    frame = frame.assign(as_of=pd.to_datetime(frame["as_of"])).astype(dict.fromkeys(numbers, "float64"))
    frame["cohort"] = cohort_of(frame, Cohort() if apart else NOBODY_APART)
    assert set(frame["cohort"]) <= set(TRACKS)
    whole = funnel(frame)
    sums = whole.groupby("as_of")[["customers", "revenue_365d", "order_days_365d"]].sum()
    for as_of, here in frame.groupby("as_of"):
        assert sums.loc[as_of].tolist() == [len(here), here["revenue_365d"].sum(), here["order_days_365d"].sum()]
    known = whole["revenue_share"].dropna()
    assert len(known) == 0 or known.groupby(whole["as_of"]).sum().to_numpy() == pytest.approx(1.0)
    parts = [frame[np.arange(len(frame)) % buckets == number] for number in range(buckets)]
    together = funnels_together(funnel(part) for part in parts if len(part))
    pd.testing.assert_frame_equal(together, whole)


def test_the_funnel_of_a_world_holds_everybody(tmp_path):
    frame = take(ingested(world_lines(), tmp_path), [date(2024, 3, 1)], cohort=Cohort(), window=Window()).frame
    found = funnel(frame)
    assert found["customers"].sum() == len(frame)
    assert found["order_days_365d"].sum() == frame["order_days_365d"].sum()
    assert found["revenue_365d"].sum() == pytest.approx(frame["revenue_365d"].sum())
    assert found.set_index("track").loc["eligible", "customers"] == (frame["cohort"] == "eligible").sum() > 0


def test_every_track_has_its_words():
    assert set(names.COHORTS) == set(TRACKS)
