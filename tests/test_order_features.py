"""What the orders tell beyond the basics: change, size, cycle, prices, deliveries and trials, row by row."""

from datetime import date

import pandas as pd
import pytest
from histories import MAY_4, before, ordered, table
from orders import features_of, laid_out, lines, present, snapshots_of

from features import building, cutoffs
from features.registry import registered


def test_the_orders_alone_give_at_least_two_hundred_features():
    assert sum(one.source == "transactions" for one in registered()) >= 200


def test_fe_01_eight_order_days_and_then_four_are_a_fall_by_half_and_none_before_is_unknown():
    text = table(ordered(range(100, 180, 10)), ordered(range(10, 50, 10)), ordered([5], customer="B"))
    frame = snapshots_of(lines(text), [MAY_4]).set_index("customer_id")
    assert frame.loc["A", "order_days_change"] == -0.5
    assert pd.isna(frame.loc["B", "order_days_change"])


def test_fe_01_the_windows_are_configurable():
    text = table(ordered([1, 5, 9, 12, 15, 18, 20]))
    assert features_of(text, MAY_4, options={"order_change_days": 10})["order_days_change"] == pytest.approx(3 / 4 - 1)


@pytest.mark.parametrize(
    ("agos", "units", "fired"),
    [
        ([3, 23, 43, 63, 73, 83, 93, 103], 10, "longer_cycle"),
        ([*range(3, 90, 10), *range(93, 400, 10)], 4, "smaller_quantity"),
        (range(63, 400, 10), 10, "pause"),
        (range(3, 400, 10), 10, None),
    ],
)
def test_fe_13_a_longer_cycle_a_smaller_quantity_and_a_pause_each_show_in_their_own_figure_only(agos, units, fired):
    recent = ordered([ago for ago in agos if ago <= 90], more=str(units))
    text = table(recent, ordered([ago for ago in agos if ago > 90], more="10"), columns="quantity")
    row = features_of(text, MAY_4)
    signs = {
        "longer_cycle": row["last_3_gaps_vs_usual"] >= 1.5,
        "smaller_quantity": row["units_per_order_day_90d_vs_usual"] <= 0.67,
        "pause": row["purchasing_paused"] == 1.0,
    }
    assert {name for name, seen in signs.items() if seen} == ({fired} if fired else set())


def test_fe_15_nine_orders_after_twelve_a_year_ago_are_a_fall_by_a_quarter():
    a_year_ago, now = range(366, 390, 2), range(1, 19, 2)
    row = features_of(table(ordered([396]), ordered(a_year_ago), ordered(range(31, 49, 3)), ordered(now)), MAY_4)
    assert row["orders_yearly_change_30d"] == pytest.approx(9 / 12 - 1)
    assert row["orders_change_30d"] == pytest.approx(9 / 6 - 1)


@pytest.mark.parametrize(("first", "known"), [(394, False), (395, True), (396, True)])
def test_fe_15_less_than_thirteen_months_of_orders_leave_the_year_on_year_change_unknown(first, known):
    row = features_of(table(ordered([first, 380, 12])), MAY_4)
    assert pd.notna(row["orders_yearly_change_30d"]) == known


def test_fe_16_four_large_orders_and_then_one_at_the_same_count_are_a_fall_by_three_quarters():
    before_that = ordered(range(91, 123, 2), 100) + "\n" + ordered([130, 140, 150, 160], 1000)
    recent = ordered(range(1, 39, 2), 100) + "\n" + ordered([50], 1000)
    row = features_of(table(before_that, recent), MAY_4)
    assert row[["order_days_90d", "order_days_prior_90d"]].tolist() == [20.0, 20.0]
    # 16 values of 100 and 4 of 1000: the quantile at .8 lies a fifth of the way from 100 to 1000.
    assert row["large_orders_90d_change"] == -0.75
    assert row["large_orders_90d"] == 1.0


@pytest.mark.parametrize(("limit", "large"), [(99, 20.0), (101, 1.0), (1001, 0.0)])
def test_fe_16_the_value_from_which_an_order_is_large_can_be_set(limit, large):
    text = table(ordered(range(91, 131, 2)), ordered(range(1, 39, 2)), ordered([50], 1000))
    assert features_of(text, MAY_4, options={"large_order_amount": limit})["large_orders_90d"] == large


def test_fe_16_the_slope_of_the_order_size_is_told_per_90_days_against_the_mean():
    # 40 -> 30 -> 20 at equal distances of 90 days: 10 less per 90 days, of a mean of 30.
    text = table(ordered([190], 40), ordered([100], 30), ordered([10], 20))
    row = features_of(text, MAY_4)
    assert row["order_value_slope_365d"] == pytest.approx(-1 / 3)
    assert row["order_value_fast_vs_slow"] < 1


def test_fe_17_five_product_lines_and_then_two_are_a_breadth_of_60_percent_less_and_a_higher_concentration():
    earlier = [ordered([first + 90 * quarter for quarter in range(1, 5)], more=f"l{first}") for first in range(1, 6)]
    text = table(*earlier, ordered([5], more="l1"), ordered([6], more="l2"), columns="product_line")
    row = features_of(text, MAY_4)
    assert row[["product_lines_90d", "product_lines_90d_usual"]].tolist() == [2.0, 5.0]
    assert row["product_lines_90d_change"] == pytest.approx(-0.6)
    assert row["product_line_concentration_90d"] == pytest.approx(1 / 2)
    assert row["product_line_concentration_90d_usual"] == pytest.approx(1 / 5)
    assert row["product_line_concentration_90d_vs_usual"] == pytest.approx(0.3)


def test_fe_26_gaps_of_10_give_or_take_2_and_a_present_gap_of_14_are_two_standard_deviations():
    text = table(ordered([14, 26, 36, 44]))
    row = features_of(text, MAY_4)
    assert row[["gap_mean_days_ever", "gap_sd_days_ever"]].tolist() == [10.0, 2.0]
    assert row["days_since_last_order_own_z"] == 2.0


def test_fe_26_gaps_without_any_spread_count_as_one_day_of_it():
    assert features_of(table(ordered([13, 23, 33])), MAY_4)["days_since_last_order_own_z"] == 3.0


def test_fe_27_one_urgent_order_of_ten_and_then_four_of_ten_are_30_points_more():
    text = table(
        ordered([450], more="false"),
        *(ordered([100 + 10 * n], more=str(n == 0).lower()) for n in range(9)),
        *(ordered([5 * n], more=str(n <= 4).lower()) for n in range(1, 11)),
        columns="urgent",
    )
    row = features_of(text, MAY_4)
    assert row[["urgent_order_share_90d", "urgent_order_share_90d_usual"]].tolist() == [0.4, 0.1]
    assert row["urgent_order_share_90d_vs_usual"] == pytest.approx(0.3)


def test_fe_27_a_promise_within_few_days_counts_as_urgent_where_no_flag_is_kept():
    def due(ago: int, lead: int) -> str:
        return ordered([ago], more=f"p {before(ago - lead)}")

    text = table(
        due(450, 9), due(100, 3), due(10, 3), due(20, 2), due(30, 1), due(40, 0), columns="product_id promised_at"
    )
    row = features_of(text, MAY_4)
    assert row["short_lead_line_share_90d"] == 0.75
    assert row["short_lead_line_share_90d_vs_usual"] == 0.75
    assert features_of(text, MAY_4, options={"short_lead_days": 4})["short_lead_line_share_90d"] == 1.0


@pytest.mark.parametrize(
    ("follow_up", "without"),
    [
        ("", 1.0),
        (ordered([20], 50, more="p l false"), 0.0),
        (ordered([20], 49, more="p l false"), 1.0),
        (ordered([20], 50, more="q l false"), 1.0),
        (ordered([120], 50, more="p l false"), 1.0),
    ],
)
def test_fe_28_a_trial_order_of_90_days_ago_waits_for_an_order_of_the_same_thing_in_volume(follow_up, without):
    trial = ordered([90], 50, more="p l true")
    text = table(trial, *([follow_up] if follow_up else []), columns="product_id product_line trial")
    assert features_of(text, MAY_4)["trials_without_follow_up"] == without


@pytest.mark.parametrize(("ago", "without"), [(59, 0.0), (60, 1.0), (61, 1.0)])
def test_fe_28_a_trial_has_its_time_and_the_time_can_be_set(ago, without):
    text = table(ordered([ago], more="p true"), columns="product_id trial")
    assert features_of(text, MAY_4)["trials_without_follow_up"] == without
    assert features_of(text, MAY_4, options={"trial_wait_days": 62})["trials_without_follow_up"] == 0.0


def test_fe_28_a_first_order_that_is_small_for_the_segment_and_stayed_alone_is_a_trial_too():
    others = [ordered([10, 40], 100, name) for name in "BCD"]
    small, fair, new, two = (
        ordered([90], 49),
        ordered([90], 50, "F"),
        ordered([59], 49, "N"),
        ordered([90, 5], 9, "T"),
    )
    frame = snapshots_of(lines(table(*others, small, fair, new, two)), [MAY_4]).set_index("customer_id")
    assert frame.loc[[*"AFNTB"], "small_first_order_alone"].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]


def test_fe_32_the_share_of_high_margin_goods_falls_from_65_to_42_percent_at_the_same_total():
    text = table(
        *(ordered([ago], 65, more="30") for ago in (100, 190, 280, 450)),
        *(ordered([ago], 35, more="1") for ago in (101, 191, 281, 449)),
        ordered([10], 42, more="20"),
        ordered([11], 58, more="2"),
        columns="margin",
    )
    row = features_of(text, MAY_4)
    assert row[["revenue_90d", "revenue_90d_usual", "revenue_90d_unchanged"]].tolist() == [100.0, 100.0, 1.0]
    assert row["high_margin_share_90d_vs_usual"] == pytest.approx(-0.23)
    assert row["high_margin_share_90d_change"] == pytest.approx(-0.354, abs=5e-4)
    assert row["high_margin_share_drop_at_same_revenue"] == pytest.approx(0.23)


@pytest.mark.parametrize(
    ("now", "unchanged", "drop"), [(89, 0.0, 0.0), (90, 1.0, 1.0), (110, 1.0, 1.0), (111, 0.0, 0.0)]
)
def test_fe_32_a_total_that_moved_by_more_than_the_configured_share_is_not_unchanged(now, unchanged, drop):
    text = table(ordered([100, 190, 280, 450], more="50"), ordered([10], now, more="0"), columns="margin")
    row = features_of(text, MAY_4)
    assert row[["revenue_90d_unchanged", "high_margin_share_drop_at_same_revenue"]].tolist() == [unchanged, drop]


def test_fe_35_from_1000_to_400_is_a_drop_of_60_percent_and_from_10_to_6_orders_4_fewer():
    text = table(ordered(range(31, 51, 2), 100), ordered([1, 2, 3, 4, 5], 66), ordered([6], 70), ordered([9], 5, "B"))
    frame = snapshots_of(lines(text), [MAY_4]).set_index("customer_id")
    assert frame.loc["A", "revenue_drop_share_30d"] == pytest.approx(0.6)
    assert frame.loc["A", "orders_drop_30d"] == 4.0
    assert frame.loc["B", ["revenue_drop_share_30d", "orders_drop_30d"]].isna().all()


def test_dm_02_orders_of_90_120_and_nothing_in_three_months_are_70_a_month():
    row = features_of(table(ordered([80], 90), ordered([50], 120), ordered([100], 500)), MAY_4)
    assert row["revenue_monthly_mean_90d"] == 70.0
    assert row["revenue_365d"] == 710.0


def test_dm_03_the_last_order_is_the_newest_one_before_the_cutoff():
    text = "customer_id order_id ordered_at amount\nA 1 2024-01-05 1\nA 2 2024-03-01 1\nA 3 2024-04-09 1"
    as_of = date(2024, 3, 15)
    days = features_of(text, as_of)["days_since_last_order"]
    assert (pd.Timestamp(as_of) - pd.Timedelta(days=days)).date() == date(2024, 3, 1)


@pytest.mark.parametrize(
    ("pattern", "gaps", "cycle"),
    [
        ("weekly", 1, 7),
        ("semimonthly", 1, 15),
        ("monthly", 1, 30),
        ("irregular", 3, 12),
        ("irregular", 2, None),
        ("-", 3, 12),
    ],
)
def test_dm_04_a_pattern_on_file_is_a_cycle_and_an_irregular_one_is_learned_from_three_gaps(pattern, gaps, cycle):
    text = table(ordered([5 + 12 * n for n in range(gaps + 1)]))
    row = features_of(text, MAY_4, customers=f"customer_id order_pattern\nA {pattern}\nB weekly")
    names = ["order_cycle_days", "days_to_next_expected_order", "purchasing_paused"]
    if cycle is None:
        assert row[names].isna().all()
    else:
        assert row[names].tolist() == [cycle, cycle - 5, 0.0]


def test_dm_04_the_cycle_of_a_pattern_and_the_gaps_that_are_asked_for_can_be_set():
    filed = {"customers": "customer_id order_pattern\nA monthly"}
    text = table(ordered([5, 17]))
    assert features_of(text, MAY_4, options={"monthly_cycle_days": 28}, **filed)["order_cycle_days"] == 28
    assert features_of(text, MAY_4, options={"cycle_min_gaps": 1})["order_cycle_days"] == 12


def test_dm_04_the_pattern_is_the_one_that_was_on_file_at_the_cutoff():
    changes = """
    customer_id changed_at field         old    new
    A           2024-05-01 order_pattern weekly monthly
    A           2024-05-09 order_pattern monthly weekly
    """
    row = features_of(
        table(ordered([5])), MAY_4, customers="customer_id order_pattern\nA weekly", account_changes=changes
    )
    assert row["order_cycle_days"] == 30


def test_dm_15_orders_every_10_days_to_day_30_let_the_next_be_expected_on_day_40():
    day_0 = 35
    text = table(ordered([day_0, day_0 - 10, day_0 - 20, day_0 - 30]), "A again 2024-04-29 1")
    row = features_of(text, MAY_4)
    assert row["order_cycle_days"] == 10.0
    assert day_0 + row["days_to_next_expected_order"] == 40.0


#: Ten lines due 20 days ago, ordered 30 days ago: 8 come in full and on time, one a day late, one short.
DELIVERED = ["10 2024-04-14 10"] * 8 + ["10 2024-04-15 10", "10 2024-04-13 9"]
DELIVERY_COLUMNS = "product_id quantity promised_at delivered_at delivered_quantity"


def due_lines(*more: str) -> str:
    rows = [f"A 1 {before(30)} 100 p{n} {line.replace(' ', ' 2024-04-14 ', 1)}" for n, line in enumerate(DELIVERED)]
    return table(*rows, *more, columns=DELIVERY_COLUMNS)


def test_dm_23_eight_of_ten_lines_in_full_and_on_time_are_a_rate_of_80_percent():
    row = features_of(due_lines(), MAY_4)
    assert row[["filled_line_share_90d", "late_line_share_90d", "short_line_share_90d"]].tolist() == [0.8, 0.1, 0.1]
    assert row[["undelivered_lines", "longest_delay_days_90d"]].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("credit", "rate"),
    [
        (f"A 1 {before(25)} -100 p10 -10 - - -", 8 / 10),
        (f"A 1 {before(25)} -60 p10 -6 - - -", 8 / 11),
        (f"A 2 {before(25)} -100 p10 -10 - - -", 8 / 11),
        (f"A 1 {before(25)} -100 p3 -10 - - -", 7 / 10),
        (f"A 1 {before(19)} -100 p3 -10 - - -", 8 / 11),
    ],
    ids=["taken back", "in part", "under another order", "before it came", "after it came"],
)
def test_dm_23_a_line_that_the_customer_took_back_before_it_was_delivered_is_left_out(credit, rate):
    never_came = f"A 1 {before(30)} 100 p10 10 2024-04-14 - -"
    row = features_of(due_lines(never_came, credit), MAY_4)
    assert row["filled_line_share_90d"] == pytest.approx(rate)


def test_dm_23_a_delivery_is_unknown_before_it_came_and_a_promise_before_it_is_due():
    text = table("A 1 2024-04-01 5 p 10 2024-04-20 2024-04-25 9", columns=DELIVERY_COLUMNS)
    names = ["late_line_share_90d", "short_line_share_90d", "undelivered_lines", "longest_delay_days_90d"]
    seen = {day: features_of(text, date(2024, 4, day))[names].tolist() for day in (20, 21, 25, 26)}
    assert pd.isna(seen[20][0])
    assert seen[20][2] == 0.0
    assert seen[21] == [1.0, 0.0, 1.0, 1.0]
    assert seen[25] == [1.0, 0.0, 1.0, 5.0]
    assert seen[26] == [1.0, 1.0, 0.0, 5.0]


def test_dm_23_deliveries_switch_the_rate_on_and_nothing_else_makes_one_up():
    row = features_of(table(ordered([5, 40])), MAY_4)
    assert row[["filled_line_share_90d", "undelivered_lines", "trials_without_follow_up"]].isna().all()


def test_late_deliveries_are_held_against_the_customer_s_own_past():
    def line(ago: int, delay: int) -> str:
        return f"A {ago} {before(ago)} 10 p 1 {before(ago - 5)} {before(ago - 5 - delay)} 1"

    text = table(
        line(450, 0), *(line(ago, 0) for ago in range(100, 190, 10)), line(20, 0), line(30, 8), columns=DELIVERY_COLUMNS
    )
    row = features_of(text, MAY_4)
    assert row[["late_line_share_90d", "late_line_share_90d_usual"]].tolist() == [0.5, 0.0]
    assert row["late_line_share_90d_vs_usual"] == 0.5
    assert row["longest_delay_days_90d"] == 8.0


def test_dearer_goods_and_fewer_units_are_told_apart():
    # p: 10 units at 10 before, 4 units at 15 now. q is new: no price of before.
    text = table(
        f"A 1 {before(450)} 50 p 5",
        f"A 2 {before(100)} 50 p 5",
        f"A 3 {before(10)} 60 p 4",
        f"A 4 {before(10)} 40 q 1",
        columns="product_id quantity",
    )
    row = features_of(text, MAY_4)
    assert row["price_90d_vs_usual"] == pytest.approx(1.5)
    assert row["price_effect_90d"] == 20.0
    assert row["revenue_90d_usual"] == 25.0
    assert row["volume_effect_90d"] == 100.0 - 25.0 - 20.0


def test_so_few_order_days_as_the_last_90_had_are_rare_at_the_usual_rate():
    # 12 order days in 360 days before: 3 in a usual quarter; Poisson(3): P(0) = exp(-3), P(<= 1) = 4 exp(-3).
    silent = features_of(table(ordered([450]), ordered(range(95, 425, 30))), MAY_4)
    assert silent["order_days_90d_usual"] == 3.0
    assert silent["so_few_order_days_90d_probability"] == pytest.approx(0.049787, abs=1e-6)
    assert silent["so_few_order_days_30d_probability"] == pytest.approx(0.367879, abs=1e-6)
    one = features_of(table(ordered([450]), ordered(range(95, 425, 30)), ordered([45])), MAY_4)
    assert one["so_few_order_days_90d_probability"] == pytest.approx(0.199148, abs=1e-6)
    assert one["so_few_order_days_30d_probability"] == pytest.approx(0.367879, abs=1e-6)


def test_a_customer_is_held_against_the_mean_revenue_and_the_usual_silence_of_its_segment():
    text = table(ordered([10, 20, 30], 100), ordered([10, 20, 30], 300, "B"), ordered([20, 30, 40], 200, "C"))
    frame = snapshots_of(lines(text), [MAY_4]).set_index("customer_id")
    assert frame["revenue_365d_vs_segment"].tolist() == [0.5, 1.5, 1.0]
    assert frame["days_since_last_order_vs_median_gap"].tolist() == [1.0, 1.0, 2.0]
    assert frame["days_since_last_order_vs_median_gap_vs_peers"].tolist() == [1.0, 1.0, 2.0]


def test_what_nobody_promised_or_tried_costs_no_rows():
    text = lines(table(ordered([5, 40], more="p"), columns="product_id"))
    with laid_out(text) as con:
        cutoffs.set_cutoffs(con, [MAY_4])
        counts = [
            con.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("deliveries", "trial_days", "line_days")
        ]
        frame = building.build(con, [MAY_4], present(text), only=("order_days_90d",))
    assert counts == [0, 0, 0]
    assert frame["order_days_90d"].tolist() == [2.0]
