"""Category clocks: how overdue an account is in each product line, and what revenue has lapsed."""

import pandas as pd
import pytest
from histories import MAY_4, ordered, table
from orders import features_of, ingested, lines

from features.clocks import category_clocks
from features.errors import SettingsError

#: A is bought monthly until now, B was until three cycles ago; C was bought twice only, long ago.
MONTHLY = [10, 40, 70, 100, 130, 160]
LAPSED = [ago for ago in MONTHLY if ago >= 100]
TEXT = table(
    ordered(MONTHLY, 100, more="a"), ordered(LAPSED, 200, more="b"), ordered([300, 310], 30, more="c"), columns="{}"
)
LINES, PRODUCTS = TEXT.format("product_line"), TEXT.format("product_id")


def clocks(text: str, tmp_path, **more) -> pd.DataFrame:
    return category_clocks(ingested(lines(text), tmp_path, **more), MAY_4).set_index(["customer_id", "category"])


def test_fe_08_an_item_that_is_absent_for_three_cycles_is_lapsed_with_its_past_revenue(tmp_path):
    found = clocks(PRODUCTS, tmp_path)
    assert found.loc[("A", "b"), ["overdue", "cycle_days", "cycle_of", "lapsed_revenue"]].tolist() == [
        True,
        30.0,
        "own",
        600.0,
    ]
    assert found.loc[("A", "b"), "overdue_cycles"] == pytest.approx(100 / 30)
    assert found.loc[("A", "a"), ["overdue", "lapsed_revenue"]].tolist() == [False, 0.0]


def test_fe_08_the_share_of_the_revenue_that_lapsed_while_the_customer_still_orders_is_a_feature():
    row = features_of(PRODUCTS, MAY_4)
    assert row[["overdue_products", "overdue_product_share"]].tolist() == [1.0, 0.5]
    assert row["overdue_product_revenue_share"] == pytest.approx(600 / 1260)
    assert row["switched_product_revenue_share"] == pytest.approx(600 / 1260)


def test_fe_08_a_customer_that_orders_nothing_at_all_has_not_switched():
    later = pd.Timestamp(MAY_4) + pd.Timedelta(days=100)
    row = features_of(PRODUCTS, later.date())
    assert row["overdue_product_revenue_share"] == 1.0
    assert row["switched_product_revenue_share"] == 0.0


def test_fe_08_the_cycles_after_which_an_item_is_lapsed_can_be_set():
    assert features_of(PRODUCTS, MAY_4, options={"overdue_cycles": 3.4})["overdue_products"] == 0.0
    assert features_of(PRODUCTS, MAY_4, options={"overdue_cycles": 3.3})["overdue_products"] == 1.0


def test_each_product_line_has_its_own_clock():
    row = features_of(LINES, MAY_4)
    assert row[["overdue_product_lines", "overdue_product_line_share"]].tolist() == [1.0, 0.5]
    assert row["overdue_product_line_revenue_365d"] == 600.0
    assert row["overdue_product_line_revenue_share"] == pytest.approx(600 / 1260)
    assert row["overdue_product_line_revenue_share_vs_peers"] == 0.0
    # a has 600 of the year's revenue and b, too: the later name counts as the stronger.
    assert row["strongest_product_line_cycles"] == pytest.approx(100 / 30)
    assert row["most_overdue_main_product_line_cycles"] == pytest.approx(100 / 30)
    assert features_of(PRODUCTS, MAY_4)[["overdue_product_lines", "strongest_product_line_cycles"]].isna().all()


def test_a_line_is_bought_once_on_a_day_whatever_the_number_of_its_products():
    twice = table(
        *(ordered([ago], more=f"l {name}") for ago in (10, 40) for name in "pq"), columns="product_line product_id"
    )
    assert pd.isna(features_of(twice, MAY_4)["strongest_product_line_cycles"])
    thrice = twice + "\n" + ordered([100], more="l p")
    assert features_of(thrice, MAY_4)["strongest_product_line_cycles"] == pytest.approx(10 / 45)


def test_a_line_bought_too_seldom_for_a_cycle_of_its_own_is_clocked_by_that_of_others(tmp_path):
    others = ordered([5, 25, 45], 10, "X", more="c") + "\n" + ordered([20], 10, "Y", more="d")
    found = clocks(f"{LINES}\n{others}", tmp_path)
    assert found.loc[("A", "c"), ["cycle_of", "cycle_days", "overdue"]].tolist() == ["category", 20.0, True]
    # own cycles are 30, 30 and 20 days
    assert found.loc[("Y", "d"), ["cycle_of", "cycle_days", "overdue"]].tolist() == ["cohort", 30.0, False]
    assert found.loc[("A", "c"), "purchase_days"] == 2


def test_without_any_cycle_nothing_is_overdue(tmp_path):
    found = clocks(table(ordered([300], more="a"), columns="product_line"), tmp_path)
    assert found[["overdue"]].to_numpy().tolist() == [[False]]
    assert found[["cycle_days", "cycle_of", "overdue_cycles"]].isna().all(axis=None)


def test_dm_02_the_main_items_are_a_set_of_the_strongest(tmp_path):
    names = {"a": 50, "b": 90, "c": 70, "d": 10, "e": 60}
    rows = [ordered([20 + n], value, more=name) for n, (name, value) in enumerate(names.items())]
    events = ingested(lines(table(*rows, columns="product_line")), tmp_path)
    main = {count: category_clocks(events, MAY_4, options={"main_things": count}) for count in (2, 3)}
    assert {count: set(found.loc[found["main"], "category"]) for count, found in main.items()} == {
        2: {"b", "c"},
        3: {"b", "c", "e"},
    }


def test_the_table_is_the_same_from_any_number_of_buckets_and_in_order(tmp_path):
    text = "\n".join([LINES, *(ordered(MONTHLY[n:], 10 * n + 5, f"C{n}", more="b") for n in range(5))])
    one, four = (category_clocks(ingested(lines(text), tmp_path / str(buckets), buckets), MAY_4) for buckets in (1, 4))
    pd.testing.assert_frame_equal(one, four, check_exact=True)
    assert one["customer_id"].is_monotonic_increasing
    assert one.loc[one["customer_id"] == "A", "category"].tolist() == ["b", "c", "a"]


def test_an_unknown_option_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="overdue_circles"):
        category_clocks(ingested(lines(LINES), tmp_path), MAY_4, options={"overdue_circles": 1})
