"""The levels of a fall in health, at their bounds: 10, 15, 25 and 35 % below the customer's own reference."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.errors import TooLittleData
from models.health_history import USUAL_REFERENCE, Reference, drop_level, health_dates, with_history

AS_OF = date(2026, 3, 31)


def history(now: float, back: list[float] | None = None, customer: str = "A") -> pd.DataFrame:
    """Health of a customer at the cutoff and on the four dates of its reference."""
    days = [*USUAL_REFERENCE.as_ofs(AS_OF), AS_OF]
    health = [*(back or [80.0] * 4), now]
    return pd.DataFrame({"customer_id": customer, "as_of": pd.to_datetime(days), "health": health})


def level(now: float, back: list[float] | None = None, reference: Reference = USUAL_REFERENCE) -> str:
    return with_history(history(now, back), AS_OF, reference)["health_level"].item()


@pytest.mark.parametrize(("now", "expected"), [(72.1, "none"), (72.0, "blue"), (68.1, "blue")])
def test_wl_01_a_fall_of_10_to_below_15_percent_is_blue(now, expected):
    assert level(now) == expected


@pytest.mark.parametrize(("now", "expected"), [(68.1, "blue"), (68.0, "yellow"), (60.1, "yellow")])
def test_wl_02_a_fall_of_15_to_below_25_percent_is_yellow(now, expected):
    assert level(now) == expected


@pytest.mark.parametrize(("now", "expected"), [(60.1, "yellow"), (60.0, "orange"), (52.1, "orange")])
def test_wl_03_a_fall_of_25_to_below_35_percent_is_orange(now, expected):
    assert level(now) == expected


@pytest.mark.parametrize(("now", "expected"), [(52.1, "orange"), (52.0, "red"), (0.0, "red")])
def test_wl_04_a_fall_of_35_percent_or_more_is_red(now, expected):
    assert level(now) == expected


def test_wl_04_every_fall_has_exactly_one_level_and_louder_ones_follow_quieter_ones():
    thousandths = np.arange(-1000, 1001)
    found = drop_level(pd.Series(thousandths / 1000))
    expected = ["none"] * 1100 + ["blue"] * 50 + ["yellow"] * 100 + ["orange"] * 100 + ["red"] * 651
    assert found.tolist() == expected


@pytest.mark.parametrize(("percent", "expected"), [(10, "blue"), (15, "yellow"), (25, "orange"), (35, "red")])
def test_wl_04_a_bound_is_reached_exactly_as_in_decimals_whatever_the_reference(percent, expected):
    parts = []
    for tenths in range(1, 1001, 3):
        usual = tenths / 10
        parts.append(history(usual * (100 - percent) / 100, [usual] * 4, f"C{tenths}"))
    found = with_history(pd.concat(parts), AS_OF)
    assert (found["health_level"] == expected).all()


def test_the_reference_is_the_median_of_four_dates_91_to_180_days_back():
    dates = USUAL_REFERENCE.as_ofs(AS_OF)
    assert [(AS_OF - day).days for day in dates] == [180, 150, 121, 91]
    found = with_history(history(60, [100.0, 20.0, 70.0, 90.0]), AS_OF).iloc[0]
    assert found["health_reference"] == 80
    assert found["health_drop"] == found["health_drop_share"] == 0.25
    assert found["health_drop_points"] == 20


def test_health_outside_the_window_of_the_reference_does_not_count():
    near = pd.DataFrame({"customer_id": "A", "as_of": pd.to_datetime(["2025-12-31"] * 2), "health": [0.0, 0.0]})
    near["as_of"] = [pd.Timestamp(AS_OF) - pd.Timedelta(days=days) for days in (90, 181)]
    found = with_history(pd.concat([history(72), near]), AS_OF).iloc[0]
    assert found["health_reference"] == 80


@pytest.mark.parametrize(
    ("known", "reference", "expected"),
    [(1, np.nan, "none"), (2, 80.0, "red"), (3, 80.0, "red")],
)
def test_without_health_on_two_dates_there_is_no_reference_no_drop_and_no_level(known, reference, expected):
    back = [np.nan] * (4 - known) + [80.0] * known
    found = with_history(history(40, back), AS_OF).iloc[0]
    assert found["health_reference"] == pytest.approx(reference, nan_ok=True)
    assert np.isnan(found["health_drop"]) == (known < 2)
    assert found["drop_level"] == found["health_level"] == expected


def test_a_new_customer_whose_earlier_rows_are_missing_has_no_drop():
    rows = history(40).iloc[[-1]]
    found = with_history(rows, AS_OF).iloc[0]
    assert (found["drop_level"], np.isnan(found["health_drop"])) == ("none", True)


def test_unknown_health_and_a_reference_of_0_give_no_level():
    assert level(np.nan) == "none"
    assert level(0.0, [0.0] * 4) == "none"


@pytest.mark.parametrize(("now", "expected"), [(45.1, "none"), (45.0, "blue"), (40.0, "yellow"), (20.0, "red")])
def test_falls_can_be_counted_in_points(now, expected):
    assert level(now, [55.0] * 4, Reference(drop_by="points")) == expected


def test_customers_do_not_mix_and_rows_keep_what_they_had():
    both = pd.concat([history(52, customer="B"), history(80, customer="A")], ignore_index=True).assign(segment="x")
    found = with_history(both, AS_OF)
    assert found[["customer_id", "segment", "health_level"]].to_numpy().tolist() == [
        ["B", "x", "red"],
        ["A", "x", "none"],
    ]
    assert found.columns.is_unique


def test_health_of_the_cutoff_itself_is_needed():
    with pytest.raises(TooLittleData, match=r"expected rows of 2026-04-01; found none\. Score health"):
        with_history(history(80), date(2026, 4, 1))


def test_wl_10_potential_churn_is_red_whatever_the_fall_from_the_reference_says():
    days = health_dates(AS_OF)
    assert [str(day) for day in days] == [
        *("2025-10-02", "2025-11-01", "2025-11-30", "2025-12-30", "2025-12-31"),
        *("2026-01-31", "2026-02-28"),
    ]
    # It had risen to 80 by December, so that 59 is only blue against the reference of 68.
    health = [60, 64, 72, 76, 80, 74, 66, 59]
    rows = pd.DataFrame({"customer_id": "A", "as_of": pd.to_datetime([*days, AS_OF]), "health": map(float, health)})
    found = with_history(rows, AS_OF).iloc[0]
    assert (found["health_reference"], found["drop_level"]) == (68, "blue")
    assert (found["potential_churn"], found["health_level"]) == (True, "red")
