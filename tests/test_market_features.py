"""Competitors in a region and the index of its market: tables written by hand. The cutoff is 1 July 2024."""

from datetime import date

import pandas as pd
import pytest
from narrowed import registry_of
from orders import features_of, lines, snapshots_of

from features import registry

JULY_1 = date(2024, 7, 1)
ORDERS = "customer_id order_id ordered_at amount\nA 1 2023-01-10 100\nB 2 2023-01-10 100\nC 3 2023-01-10 100"
REGIONS = "customer_id region\nA north\nB south\nC -"
COUNTS = ["competitor_events_30d", "competitor_events_90d"]


@pytest.fixture(autouse=True)
def only_what_is_tested_here(monkeypatch):
    monkeypatch.setattr(registry, "REGISTRY", registry_of("market_events"))


def of_market(events: str, customer: str = "A", as_of: date = JULY_1, **options: object) -> pd.Series:
    table = f"region occurred_at competitor kind published_at value\n{events}"
    return features_of(ORDERS, as_of, customer, options=options, customers=REGIONS, market_events=table)


ACTS = """
north 2024-06-20 Acme campaign - -
north 2024-06-01 Acme campaign - -
north 2024-05-31 Bolt fair     - -
north 2024-04-01 Bolt fair     - -
north 2024-06-25 -    index    - 98
"""


def test_acts_of_competitors_count_for_the_accounts_of_their_region_within_the_window():
    row = of_market(ACTS)
    assert row[COUNTS].tolist() == [2.0, 3.0]  # 1 June is 30 days ago, 1 April 91
    assert row["days_since_competitor_event"] == 11.0


def test_an_account_of_a_quiet_region_has_no_such_acts_and_one_without_a_region_is_unknown():
    assert of_market(ACTS, "B")[COUNTS].tolist() == [0.0, 0.0]
    assert pd.isna(of_market(ACTS, "B")["days_since_competitor_event"])
    assert of_market(ACTS, "C")[COUNTS].isna().all()


def test_an_act_counts_from_when_it_could_be_known_and_leaves_the_window_by_when_it_happened():
    act = "north 2024-06-10 Acme campaign 2024-06-25 -\nsouth 2024-01-01 Acme fair - -"
    days = [date(2024, 6, 25), date(2024, 6, 26), date(2024, 7, 10), date(2024, 7, 11)]
    assert [of_market(act, as_of=day)["competitor_events_30d"] for day in days] == [0.0, 1.0, 1.0, 0.0]


def test_before_the_source_begins_nothing_is_known_of_competitors():
    row = of_market("north 2024-07-01 Acme campaign - -")
    assert row[COUNTS].isna().all()


def test_acts_are_compared_with_what_is_usual_in_the_region():
    # the source begins on 1 January 2024, 182 days ago: 92 days before the last 90
    events = f"{ACTS}north 2024-01-01 Acme fair - -\nnorth 2024-02-01 Acme fair - -\n"
    row = of_market(events)
    usual = 3 * 90 / 92
    assert row["competitor_events_90d_usual"] == pytest.approx(usual)
    assert row["competitor_events_90d_vs_usual"] == pytest.approx((3 + 1) / (usual + 1))
    younger = of_market(ACTS)  # 91 days
    assert younger[["competitor_events_90d_usual", "competitor_events_90d_vs_usual"]].isna().all()


INDEX = """
north 2024-06-30 - market_index - 90
north 2024-05-31 - market_index - 96
north 2024-03-31 - market_index - 50
north 2023-06-30 - market_index - 110
north 2023-05-31 - market_index - 90
north 2023-07-02 - market_index - 70
north 2024-06-30 - other_index  - 300
south 2024-06-30 - other_index  - 300
south 2023-06-30 - other_index  - 200
"""


def test_the_market_index_is_compared_with_the_same_quarter_a_year_ago():
    assert of_market(INDEX)["market_index_vs_last_year"] == pytest.approx(93 / 100)
    assert pd.isna(of_market(INDEX, "B")["market_index_vs_last_year"])
    assert of_market(INDEX, "B", market_index_kind="other_index")["market_index_vs_last_year"] == pytest.approx(1.5)


def test_without_regions_or_market_events_there_are_no_such_features():
    events = lines(f"region occurred_at competitor\n{'north 2024-06-20 Acme'}")
    assert not set(COUNTS) & set(snapshots_of(lines(ORDERS), [JULY_1], market_events=events))
    assert not set(COUNTS) & set(snapshots_of(lines(ORDERS), [JULY_1], customers=lines(REGIONS)))
