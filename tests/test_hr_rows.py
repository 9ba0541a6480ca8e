"""What is claimed in the trade, counted from small tables, each figure with what it hides."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from models.claims import ahead, churn_change, first_stages, identified, leads, retained_revenue, saved
from models.economics import CompanyNumbers, replacement_cost, value_at_risk
from models.track_record import first_alerts

LOST_ON = date(2026, 6, 30)


def alerts(*lead_days: int | None, stages: list[str] | None = None) -> pd.DataFrame:
    """First alerts of one loss each, so many days before it; None where nobody warned."""
    named = [f"C{place}" for place in range(len(lead_days))]
    episodes = pd.DataFrame(
        {
            "customer_id": [who for who, days in zip(named, lead_days, strict=True) if days is not None],
            "opened_on": [LOST_ON - timedelta(days=days) for days in lead_days if days is not None],
            "stage": stages if stages is not None else ["cooling"] * sum(days is not None for days in lead_days),
        }
    )
    return first_alerts(episodes, pd.DataFrame({"customer_id": named, "lost_on": LOST_ON}), within_days=365)


def test_hr_01_the_share_first_warned_about_three_to_six_months_ahead_and_earlier():
    found = ahead(alerts(89, 90, 180, 181, None))
    assert (found.in_time.hits, found.in_time.n, found.in_time.value) == (2, 5, 0.4)
    assert (found.or_earlier.hits, found.or_earlier.value) == (3, 0.6)


def test_hr_02_identified_churners_have_an_interval_and_the_alerts_that_it_took_beside():
    found = identified(warned=28, lost=32, alerts=120, right=30, told=100)
    assert found.recall.value == 0.875
    assert (round(found.recall.low, 2), round(found.recall.high, 2)) == (0.72, 0.95)
    assert (found.alerts, found.precision.value, found.precision.n) == (120, 0.3, 100)


def test_hr_03_the_rate_of_those_kept_says_when_there_is_no_comparison():
    found = saved(21, 28)
    assert found.kept.value == 0.75
    assert (found.untreated, found.difference) == (None, None)
    assert saved(21, 28, (0, 0)) == found


def test_hr_03_beside_those_left_alone_the_difference_is_what_counts():
    found = saved(21, 28, (12, 20))
    assert found.untreated is not None
    assert found.untreated.value == 0.6
    assert found.difference == pytest.approx(0.15)


def test_hr_04_the_churn_rate_fell_from_82_to_31_in_a_thousand():
    found = churn_change((82, 1000), (31, 1000))
    assert (found.before.value, found.after.value) == (0.082, 0.031)
    assert round(found.points, 1) == -5.1
    assert round(100 * found.relative, 1) == -62.2
    assert np.isnan(churn_change((0, 10), (1, 10)).relative)


def test_hr_05_retained_revenue_is_that_of_twelve_months_and_each_customer_counts_once():
    saves = pd.DataFrame(
        {"customer_id": ["A", "A", "B", "C"], "saved_on": ["2025-03-01", "2025-06-01"] + ["2025-03-01"] * 2}
    )
    orders = pd.DataFrame(
        [
            ("A", "2025-02-28", 7.0),
            ("A", "2025-03-01", 100.0),
            ("A", "2026-02-28", 30.0),
            ("A", "2026-03-01", 500.0),
            ("B", "2025-12-31", -20.0),
            ("B", "2025-12-30", 70.0),
            ("D", "2025-12-30", 900.0),
        ],
        columns=["customer_id", "ordered_on", "amount"],
    )
    found = retained_revenue(saves, orders)
    assert found.to_dict() == {"A": 130.0, "B": 50.0, "C": 0.0}
    assert found.sum() == 180.0


def test_hr_06_the_lead_time_is_from_the_first_alert_to_the_loss():
    episodes = pd.DataFrame({"customer_id": ["A", "A"], "opened_on": ["2026-05-01", "2026-03-01"]})
    losses = pd.DataFrame({"customer_id": ["A"], "lost_on": ["2026-06-30"]})
    assert first_alerts(episodes, losses, 365)["lead_days"].tolist() == [121]  # four months


def test_hr_07_what_is_at_risk_is_the_revenue_of_the_past_twelve_months():
    row = pd.DataFrame(
        {
            "as_of": [pd.Timestamp("2026-01-01")],
            "segment": ["industry"],
            "days_since_first_order": [900.0],
            "order_days_365d": [24.0],
            "revenue_30d": [0.5e6],
            "revenue_90d": [1.8e6],
            "revenue_180d": [3.9e6],
            "revenue_365d": [8.0e6],
        }
    )
    assert value_at_risk(row).tolist() == [8.0e6]


def test_hr_08_the_multiples_of_replacing_a_customer_are_the_two_ends_of_the_range():
    numbers = CompanyNumbers(contact_cost=100.0, replacement_multiple=(5.0, 10.0))
    assert replacement_cost(1, numbers) == (500.0, 1000.0)
    assert replacement_cost(3, numbers) == (1500.0, 3000.0)
    assert replacement_cost(1, CompanyNumbers(contact_cost=100.0)) is None


def test_wl_09_every_loss_was_first_warned_about_in_one_stage_or_never():
    stages = ["cooling", "cooling", "comparison", "decision", "none", "lost"]
    found = first_stages(alerts(100, 90, 40, 5, 3, 2, None, None, stages=stages))
    assert {name: share.hits for name, share in found.items()} == {
        "cooling": 2,
        "comparison": 1,
        "decision": 1,
        "other": 2,
        "never": 2,
    }
    assert found["cooling"].value == 0.25
    assert sum(share.value for share in found.values()) == 1


@pytest.mark.parametrize(("days", "long"), [(59, 2), (60, 3), (61, 3)])
def test_rb_13_lead_times_have_a_median_and_the_share_of_sixty_days_and_more(days, long):
    found = leads(alerts(10, days, 80, 100, None))
    assert (found.losses, found.warned, found.long.hits, found.long.n) == (5, 4, long, 4)
    assert found.median_days == (days + 80) / 2
    assert found.quantiles[0.5] == found.median_days
    assert found.claimed_days == (60, 90)


def test_rb_13_without_a_warning_there_is_no_median():
    found = leads(alerts(None, None))
    assert (found.warned, found.quantiles) == (0, {})
    assert np.isnan(found.median_days)
