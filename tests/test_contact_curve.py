"""The curve that contacts are expected to follow, from logs counted by hand. The cutoff is 1 July 2024."""

from pathlib import Path

import pandas as pd
import pytest
from accounts_at import InMemory
from orders import ingested, lines
from ruled import JULY_1, ago, fired, orders, rows

from features.contact_curve import COLUMNS, contact_columns, contact_periods, expected_contacts


def log(**customers: dict[int, int]) -> str:
    """Interactions: customer -> so many in each period, 1 being the newest; the oldest is not whole."""
    said = [
        f"{who} {who}{period}x{number} {ago(90 * (period - 1) + 1 + number % 90)} outbound"
        for who, periods in customers.items()
        for period, count in periods.items()
        for number in range(count)
    ]
    return "\n".join(["customer_id interaction_id occurred_at direction", *said])


def events(transactions: str, **others: str) -> InMemory:
    written = {"transactions": transactions, **others}
    return InMemory({name: lines(text) for name, text in written.items()})


def contacts(*newest_first: int) -> dict[int, int]:
    return dict(enumerate(newest_first, 1))


def columns(interactions: str, **more: str) -> pd.DataFrame:
    who = sorted(set(lines(interactions)["customer_id"]))
    found = contact_columns(
        contact_periods(events(orders(**{one: [600] for one in who}), interactions=interactions, **more), JULY_1)
    )
    return found.set_index("customer_id")


def test_rb_14_ten_contacts_a_quarter_are_what_is_expected_of_who_always_had_ten():
    even = columns(log(A=contacts(*[10] * 6), B=contacts(*[20] * 6)))
    assert even[["contacts_expected_last_period", "contacts_expected_period_before"]].to_numpy().tolist() == [
        [pytest.approx(10), pytest.approx(10)],
        [pytest.approx(20), pytest.approx(20)],
    ]


def test_rb_14_eight_and_eight_of_ten_expected_are_a_watch_and_eight_and_nine_are_not():
    held = columns(log(A=contacts(8, 8, *[10] * 5), B=contacts(8, 9, *[10] * 5), C=contacts(7, 10, 7, 11, 11, 11, 1)))
    assert held["contacts_expected_last_period"].tolist() == pytest.approx([10, 10, 10])
    assert held["contacts_last_period"].tolist() == [8, 8, 7]
    frame = rows(**{name: held[name].tolist() for name in COLUMNS})
    assert fired(frame, "contacts_below_curve") == [True, False, False]


def test_rb_14_what_is_under_test_changes_no_expectation():
    many, none = (columns(log(A=contacts(count, count, *[10] * 4))) for count in (40, 0))
    names = ["contacts_expected_last_period", "contacts_expected_period_before"]
    assert many[names].to_numpy().tolist() == none[names].to_numpy().tolist()


def test_rb_14_a_season_of_all_customers_is_expected_of_each():
    # a year ago the quarter that matches the newest one had half the contacts of the others
    yearly = contacts(40, 80, 80, 80, 40, 80, 80)
    held = columns(log(**{f"C{number}": yearly for number in range(4)}))
    assert held["contacts_expected_last_period"].tolist() == pytest.approx([40] * 4, rel=0.1)
    assert held["contacts_expected_period_before"].tolist() == pytest.approx([80] * 4, rel=0.1)


def test_rb_14_a_young_customer_is_held_against_the_curve_of_all():
    young = contacts(2, 2)
    text = log(**{f"C{number}": contacts(*[10] * 6) for number in range(3)}, young=young)
    found = contact_periods(
        events(orders(**{f"C{number}": [600] for number in range(3)}, young=[185]), interactions=text), JULY_1
    )
    curve = expected_contacts(found)
    assert curve.groupby("customer_id")["expected_by"].unique().map(list).to_dict()["young"] == ["all"]
    assert curve.loc[curve["customer_id"] == "C0", "expected_by"].unique().tolist() == ["own"]
    of_young = curve[curve["customer_id"] == "young"]
    assert of_young[["period", "age", "actual"]].to_numpy().tolist() == [[1, 1, 2], [2, 0, 2]]
    assert of_young["expected"].tolist() == pytest.approx([10, 10])


def test_rb_14_before_a_customer_or_the_log_began_nothing_is_expected():
    text = log(A=contacts(*[10] * 6), B=contacts(3))
    found = contact_periods(events(orders(A=[600], B=[100]), interactions=text), JULY_1)
    held = contact_columns(found).set_index("customer_id")
    assert held["contacts_period_before"].isna().tolist() == [False, True]
    assert expected_contacts(found).groupby("customer_id")["period"].max().to_dict() == {"A": 5, "B": 1}


def test_fe_29_a_declined_offer_is_no_contact_and_an_accepted_one_is():
    services = f"""
    customer_id ticket_id kind accepted opened_at answered_at
    A 1 maintenance true  {ago(10)} {ago(5)}
    A 2 training    false {ago(10)} {ago(5)}
    A 3 upgrade     -     {ago(10)} -
    A 4 complaint   -     {ago(10)} -
    """
    held = columns(log(A=contacts(*[10] * 6)), services=services)
    assert held.loc["A", "contacts_last_period"] == 12


def test_rb_10_follow_ups_are_what_went_out_and_are_counted_to_the_last_day():
    said = [(30, "outbound"), (31, "outbound"), (60, "outbound"), (61, "outbound"), (5, "inbound"), (120, "outbound")]
    text = "\n".join(
        [
            "customer_id interaction_id occurred_at direction",
            *(f"A i{days} {ago(days)} {direction}" for days, direction in said),
        ]
    )
    held = columns(text).loc["A"]
    assert held[["follow_ups_30d", "follow_ups_30d_before"]].tolist() == [1, 2]
    assert held[["follow_ups_60d", "follow_ups_60d_before"]].tolist() == [3, 2]
    untold = columns("\n".join(line.rsplit(" ", 1)[0] for line in text.splitlines())).loc["A"]
    assert untold[["follow_ups_60d", "follow_ups_60d_before"]].isna().all(), "unknown without a direction"


def test_without_a_log_nothing_is_known():
    found = contact_columns(contact_periods(events(orders(A=[600])), JULY_1))
    assert found["customer_id"].tolist() == ["A"]
    assert found[list(COLUMNS)].isna().all(axis=None)


def test_the_number_of_buckets_changes_nothing(tmp_path: Path):
    text = log(**{f"C{number}": contacts(*range(number, number + 6)) for number in range(5)})
    table = lines(orders(**{f"C{number}": [600] for number in range(5)}))
    found = [
        contact_columns(
            contact_periods(ingested(table, tmp_path / str(count), buckets=count, interactions=lines(text)), JULY_1)
        )
        for count in (1, 3)
    ]
    pd.testing.assert_frame_equal(*found)
