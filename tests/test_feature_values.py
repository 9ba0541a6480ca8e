"""The engine's numbers against a naive second version, and against rows that can be counted by hand."""

import re
from datetime import date

import numpy as np
import pandas as pd
import pytest
from naive_features import naive_features
from orders import features_of, lines, nasty_lines, snapshots_of, visible_at, world_lines

from features.registry import REGISTRY, registered
from features.snapshots import Cohort

MAY_4 = date(2024, 5, 4)
#: The engine rounds each logarithm, and each part of two gaps, to a millionth.
ROUNDED = {"gap_log_mean_ever": 1e-6, "gap_lengthening": 1e-5, "gap_regularity": 1e-5}


def with_deliveries(table: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    """The lines with promises, deliveries and trials, of which many are missing, late, short or beside the point."""
    rng = np.random.default_rng(seed)
    day, size = table["ordered_at"].dt.normalize(), len(table)
    promised = day + pd.to_timedelta(rng.integers(0, 40, size), "D")
    delivered = promised + pd.to_timedelta(rng.integers(-5, 30, size), "D")
    return table.assign(
        promised_at=promised.where(rng.random(size) < 0.8),
        delivered_at=delivered.where(rng.random(size) < 0.8).where(delivered >= day),
        delivered_quantity=table["quantity"] - rng.integers(0, 2, size),
        trial=pd.array(rng.choice([True, False, None], size, p=[0.2, 0.5, 0.3]), dtype="boolean"),
    )


def disagreements(table: pd.DataFrame, as_ofs: list[date]) -> dict[str, str]:
    """Features in which the engine and the naive version differ, with the first customer of whom they do."""
    found = {}
    # The naive version knows of no tracks: whoever has ordered twice, and within a year, is its cohort.
    everybody = Cohort(projects_apart=False, seasons_apart=False, reactivated_apart=False)
    engine = snapshots_of(table, as_ofs, cohort=everybody)
    for as_of in as_ofs:
        naive = naive_features(table, visible_at(table), as_of).astype("float64")
        mine = engine[engine["as_of"] == pd.Timestamp(as_of)].set_index("customer_id")
        assert mine.index.tolist() == naive.index.tolist()
        for name in naive:
            within = ROUNDED.get(name, 1e-9)
            same = np.isclose(mine[name], naive[name], rtol=within, atol=within, equal_nan=True)
            if not same.all():
                first = mine.index[~same][0]
                found[name] = f"{first} at {as_of}: {mine.loc[first, name]}, naive {naive.loc[first, name]}"
    return found


def test_the_naive_version_knows_nine_of_ten_features_of_the_orders_and_no_others():
    few = nasty_lines().pipe(with_deliveries)
    naive = naive_features(few, visible_at(few), date(2025, 6, 20))
    names = {one.name for one in registered() if one.source == "transactions"}
    assert set(naive.columns) <= names
    assert len(naive.columns) >= 0.9 * len(names)


def test_the_engine_agrees_with_the_naive_version_on_a_simulated_world():
    table = world_lines()
    some = table[table["customer_id"].isin(sorted(set(table["customer_id"]))[:32])]
    assert disagreements(some, [date(2023, 6, 1), date(2025, 6, 12)]) == {}


@pytest.mark.parametrize("seed", [3, 4])
def test_the_engine_agrees_with_the_naive_version_on_lines_that_are_as_unkind_as_can_be(seed):
    table = with_deliveries(nasty_lines(seed), seed)
    assert disagreements(table, [date(2024, 6, 1), date(2025, 6, 20)]) == {}


#: Each is one customer: order number, day, amount, product and product line.
HISTORIES = {
    "one_order": "1 2024-05-03 10 p l",
    "on_the_last_day_of_a_window": "1 2024-02-04 10 p l",
    "on_the_day_before_a_window": "1 2024-02-03 10 p l",
    "only_returns": "C1 2024-05-01 -10 p l, C2 2023-09-01 -4 p l, C3 2023-11-20 -4 p l",
    "returns_before_and_orders_after": "C1 2023-05-01 -10 p l, 2 2024-03-01 30 p l",
    "an_order_of_nothing": "1 2024-05-01 0 p l",
    "orders_and_nothing": "1 2024-05-01 0 p l, 2 2024-04-01 5 q l, 3 2023-06-01 0 q l",
    "an_order_given_back_whole": "1 2024-03-01 10 p l, C2 2024-03-04 -10 p l",
    "an_order_cancelled": "1 2024-03-01 10 p l, 1 2024-03-04 -10 p l",
    "more_returned_than_bought": "1 2023-08-01 10 p l, C2 2024-03-04 -90 p l, 3 2024-03-02 5 p l",
    "two_orders_a_day": "1 2024-04-01 1 p l, 2 2024-04-01 2 q l, 3 2024-04-09 3 p m, 4 2024-04-09 4 - l",
    "clockwork": "1 2024-01-01 7 p l, 2 2024-02-01 7 p l, 3 2024-03-03 7 p l, 4 2024-04-03 7 p l",
    "a_hole_of_a_year": "1 2022-04-01 1 p l, 2 2022-04-20 2 p l, 3 2023-12-09 3 p l, 4 2024-04-09 4 q l",
    "long_ago": "1 2021-04-01 1 p l, 2 2021-05-01 1 q l",
    "no_product_known": "1 2024-04-01 1 - -, 2 2023-10-09 2 - -",
    "some_products_known": "1 2024-04-01 1 - l, 2 2024-03-09 2 p -, 3 2023-10-09 2 p -, 4 2023-11-09 2 p -",
    "a_product_given_back_the_same_day": "1 2024-04-01 9 p l, C2 2024-04-01 -9 p l, 3 2023-08-01 5 q l",
    "a_year_ago_to_the_day": "1 2023-05-05 9 p l, 2 2023-05-04 9 p l, 3 2023-08-02 5 q l, 4 2023-08-03 5 q l",
}


def test_the_engine_agrees_with_the_naive_version_on_histories_written_by_hand():
    rows = [f"{who} {line}" for who, history in HISTORIES.items() for line in history.split(", ")]
    table = lines("\n".join(["customer_id order_id ordered_at amount product_id product_line", *rows]))
    table = with_deliveries(table.assign(quantity=2.0, margin=1.5, list_amount=12.0, urgent=False))
    assert disagreements(table, [MAY_4, date(2024, 5, 5), date(2024, 7, 30), date(2025, 5, 3)]) == {}


def test_values_that_have_four_decimals_are_not_rounded_on_the_way():
    text = "customer_id order_id ordered_at amount\nA 1 2024-05-01 10.0001\nA 2 2024-05-02 10.0002"
    assert features_of(text, MAY_4)["order_value_median_365d"] == pytest.approx(10.00015, abs=1e-12)


def test_sums_of_money_are_exact_whatever_their_number():
    table = lines("customer_id order_id ordered_at amount\nA 1 2024-05-01 0.1")
    many = pd.concat([table.assign(order_id=str(number)) for number in range(1000)], ignore_index=True)
    assert snapshots_of(many, [MAY_4])["revenue_30d"].tolist() == [100.0]


def test_the_windows_of_revenue_end_after_their_last_day():
    text = """
    customer_id order_id ordered_at amount
    A           1        2024-05-03 1
    A           2        2024-04-05 2
    A           3        2024-04-04 4
    A           4        2024-04-03 8
    A           5        2024-02-04 16
    A           6        2024-02-03 32
    """
    row = features_of(text, MAY_4)
    assert row[["revenue_30d", "revenue_90d", "revenue_180d", "revenue_prior_90d"]].tolist() == [7.0, 31.0, 63.0, 32.0]


def test_gaps_are_counted_between_order_days_and_not_between_documents():
    text = """
    customer_id order_id ordered_at       amount
    A           1        2024-04-01T08:00 10
    A           2        2024-04-01T18:00 10
    A           C3       2024-04-03       -1
    A           4        2024-04-11       10
    A           5        2024-05-01       10
    """
    row = features_of(text, MAY_4)
    names = ["days_since_last_order", "order_days_ever", "gap_mean_days_ever", "gap_max_days_ever", "last_gap_days"]
    assert row[names].tolist() == [3.0, 3.0, 15.0, 20.0, 20.0]
    assert row["gap_q90_days_ever"] == pytest.approx(19.0)
    assert row["gap_sd_days_ever"] == pytest.approx(50**0.5)


def test_the_usual_of_a_flow_is_scaled_to_the_window_over_the_days_that_the_customer_was_there():
    # First order 180 days ago: 90 days of baseline, in which 2 order days of 30 each.
    text = """
    customer_id order_id ordered_at amount
    A           1        2023-11-06 30
    A           2        2024-01-06 30
    A           3        2024-04-06 60
    """
    row = features_of(text, MAY_4)
    names = ["order_days_90d", "order_days_90d_usual", "order_days_90d_vs_usual", "revenue_90d_usual"]
    assert row[names].tolist() == [1.0, 2.0, pytest.approx(2 / 3), 60.0]
    assert row["revenue_90d_vs_usual"] == pytest.approx(1.0)


@pytest.mark.parametrize(("first", "known"), [("2023-12-07", False), ("2023-12-06", True), ("2023-12-05", True)])
def test_a_baseline_shorter_than_sixty_days_says_nothing(first, known):
    text = f"customer_id order_id ordered_at amount\nA 1 {first} 30\nA 2 2024-04-06 60"
    usual = [
        one.name
        for one in registered()
        if re.fullmatch(r"\w+_90d_usual", one.name) and one.sources == ("transactions",)
    ]
    usual = [name for name in usual if not REGISTRY[name].needs and not name.startswith("large_orders")]
    row = features_of(text, MAY_4)[usual]
    assert row.notna().all() if known else row.isna().all()


def test_a_customer_with_nothing_but_returns_has_no_usual_rhythm_or_order_value():
    text = """
    customer_id order_id ordered_at amount
    A           C1       2023-06-01 -10
    A           C2       2024-05-01 -10
    """
    row = features_of(text, MAY_4)
    assert row[["order_days_ever", "revenue_90d", "returned_90d", "return_days_365d"]].tolist() == [
        0.0,
        -10.0,
        10.0,
        2.0,
    ]
    unknown = ["days_since_last_order", "order_value_mean_ever", "revenue_90d_usual", "order_days_90d_vs_usual"]
    unknown += ["order_days_per_90d_ever", "order_days_90d_vs_ever", "return_share_90d_usual", "return_share_365d"]
    assert row[unknown].isna().all()


def test_a_quarter_without_orders_has_no_share_of_returns():
    text = "customer_id order_id ordered_at amount\nA 1 2023-12-01 10\nA C2 2024-05-01 -4\nB 1 2023-12-01 10"
    assert pd.isna(features_of(text, MAY_4, "A")["return_share_90d"])
    assert pd.isna(features_of(text, MAY_4, "B")["return_share_90d"])
    assert features_of(text, MAY_4, "A")["return_share_365d"] == pytest.approx(0.4)


def test_one_gap_has_no_spread_and_so_no_z():
    text = "customer_id order_id ordered_at amount\nA 1 2024-01-01 10\nA 2 2024-02-01 10"
    assert features_of(text, MAY_4)[["gap_sd_days_ever", "gap_cv_ever", "days_since_last_order_z"]].isna().all()
    clockwork = text + "\nA 3 2024-03-03 10"
    assert features_of(clockwork, MAY_4)["days_since_last_order_z"] == pytest.approx((62 - 31) / 3)


def test_the_quarter_to_come_and_the_quarter_gone_are_read_from_a_year_ago():
    # 4 May 2024 minus 365 days is 5 May 2023: the season to come begins there, the season gone ends before it.
    text = """
    customer_id order_id ordered_at amount
    A           1        2023-08-03 1
    A           2        2023-08-02 1
    A           3        2023-05-05 1
    A           4        2023-05-04 1
    A           5        2023-02-04 1
    A           6        2023-02-03 1
    """
    row = features_of(text, MAY_4)
    assert row[["order_days_next_90d_last_year", "order_days_same_90d_last_year"]].tolist() == [2.0, 2.0]
    assert row["season_ahead_vs_season_past"] == 1.0


@pytest.mark.parametrize(("elapsed", "later"), [(date(2024, 5, 11), date(2024, 5, 12))])
def test_a_longer_silence_is_a_rarer_gap_and_rarer_still_for_a_regular_customer(elapsed, later):
    text = """
    customer_id order_id ordered_at amount
    steady      1        2024-04-04 1
    steady      2        2024-04-11 1
    steady      3        2024-04-18 1
    steady      4        2024-04-25 1
    uneven      1        2024-04-04 1
    uneven      2        2024-04-05 1
    uneven      3        2024-04-07 1
    uneven      4        2024-04-25 1
    """
    steady, uneven = (features_of(text, elapsed, who)["longer_gap_probability"] for who in ("steady", "uneven"))
    assert 0 < steady < uneven < 1
    assert features_of(text, later, "steady")["longer_gap_probability"] < steady
    assert features_of(text, date(2024, 4, 26), "steady")["longer_gap_probability"] > 0.9


def test_the_time_of_the_year_turns_once_a_year():
    table = lines("customer_id order_id ordered_at amount\nA 1 2023-01-01 10")
    frame = snapshots_of(table, [date(2024, 1, 1), date(2024, 4, 1), date(2024, 7, 1), date(2024, 10, 1)])
    assert frame["time_of_year_cos"].round(1).tolist() == pytest.approx([1.0, 0.0, -1.0, 0.0], abs=0.05)
    assert frame["time_of_year_sin"].round(1).tolist() == pytest.approx([0.0, 1.0, 0.0, -1.0], abs=0.05)
