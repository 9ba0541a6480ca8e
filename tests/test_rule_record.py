"""What each rule's warnings were worth, against a company done by hand and one drawn at random."""

import numpy as np
import pandas as pd
import pytest

from models.evaluation import InvalidPredictions, wilson
from models.rule_record import rule_record

DATES = ("2025-01-01", "2025-02-01", "2025-03-01", "2025-04-01", "2025-05-01", "2025-06-01")
#: customer -> (outcome on each of the dates, day of the loss)
BY_HAND = {
    "A": ((0, 1, 1, 1, 1, np.nan), "2025-05-10"),
    "B": ((0, 0, 0, np.nan, np.nan, np.nan), None),
    "C": ((0, 0, 0, 0, 0, np.nan), None),
    "D": ((1, 1, 1, 1, 1, np.nan), "2025-03-20"),
}


def outcomes(with_losses: bool = True) -> pd.DataFrame:
    rows = [
        {"customer_id": who, "as_of": day, "churned": churned, "lost_at": lost}
        for who, (told, lost) in BY_HAND.items()
        for day, churned in zip(DATES, told, strict=True)
    ]
    frame = pd.DataFrame(rows).assign(as_of=lambda f: pd.to_datetime(f["as_of"]))
    frame["lost_at"] = pd.to_datetime(frame["lost_at"])
    return frame if with_losses else frame.drop(columns="lost_at")


def signals(rule: str, **months: list[int]) -> pd.DataFrame:
    """The rule fired for these customers in these months, 1 is January."""
    rows = [(who, pd.Timestamp(2025, month, 1), rule) for who, fired in months.items() for month in fired]
    return pd.DataFrame(rows, columns=["customer_id", "as_of", "rule"])


def record(fired: pd.DataFrame, judged: pd.DataFrame | None = None, **options) -> pd.DataFrame:
    judged = outcomes() if judged is None else judged
    return rule_record(fired, judged, rng=np.random.default_rng(0), **options).set_index("rule")


def test_a_record_done_by_hand():
    found = record(signals("late_order", A=[2, 3, 4], B=[1, 2, 5], C=[3], D=[2])).loc["late_order"]
    # A in February, B in May (that of January stood before the dates), C in March, D in February
    assert (found["rows"], found["episodes"]) == (8, 4)
    # B is not known yet, C stayed
    assert (found["matured"], found["right"]) == (3, 2)
    assert found["precision"] == pytest.approx(2 / 3)
    assert (found["precision_low"], found["precision_high"]) == tuple(map(float, wilson(2, 3)))
    # A: 1 February to 10 May is 98 days; D: 1 February to 20 March is 47
    assert found["lead_days_median"] == (98 + 47) / 2
    # D's loss came too soon after the first date that counts for a warning 60 days ahead
    assert (found["losses_60"], found["warned_60"]) == (1, 1)


def test_a_rule_that_goes_on_firing_is_one_warning_and_a_month_without_it_ends_it():
    found = record(pd.concat([signals("on", A=[2, 3, 4, 5]), signals("off_on", A=[2, 4])]))
    assert found["episodes"].to_dict() == {"on": 1, "off_on": 2}
    assert found["lead_days_median"].to_dict() == {"on": 98, "off_on": (98 + 39) / 2}


@pytest.mark.parametrize(("month", "lead", "warned"), [(2, 98, 1), (3, 70, 1), (4, 39, 0), (5, 9, 0)])
def test_a_loss_counts_as_warned_only_60_days_ahead_or_more(month, lead, warned):
    found = record(signals("rule", A=[month])).loc["rule"]
    assert (found["lead_days_median"], found["warned_60"]) == (lead, warned)
    assert found["precision"] == 1


def test_without_the_days_of_losses_there_is_a_precision_and_no_lead():
    found = record(signals("rule", A=[2], C=[2]), outcomes(with_losses=False)).loc["rule"]
    assert found["precision"] == 0.5
    assert found["losses_60"] == 0
    assert found[["lead_days_median", "warned_60", "random_warned_60", "random_lead_days_median"]].isna().all()


def test_rules_that_never_fired_and_signals_of_nobody_judged():
    found = record(signals("rule", A=[2], Z=[2, 3]), rules=["quiet", "rule"])
    assert found.index.tolist() == ["quiet", "rule"]
    assert found["rows"].tolist() == [0, 1]
    assert found.loc["quiet", ["episodes", "matured", "warned_60"]].tolist() == [0, 0, 0]
    assert found.loc["quiet", ["precision", "precision_low", "random_precision"]].isna().all()
    assert record(signals("rule")).empty


def drawn(customers: int = 300, dates: int = 12) -> pd.DataFrame:
    """Monthly rows of a company in which half of the customers are lost, each on a day of its own."""
    rng = np.random.default_rng(4)
    days = pd.date_range("2024-01-01", periods=dates, freq="30D")
    frame = pd.DataFrame({"customer_id": [f"C{i:03}" for i in range(customers)]})
    lost = days[0] + pd.to_timedelta(rng.integers(100, 30 * dates + 90, customers), unit="D")
    frame["lost_at"] = lost.where(np.arange(customers) % 2 == 0)
    frame = frame.merge(pd.DataFrame({"as_of": days}), how="cross")
    frame["ahead"] = (frame["lost_at"] - frame["as_of"]).dt.days
    return frame[~(frame["ahead"] < 0)].assign(churned=lambda f: f["ahead"].between(0, 120).astype("float64"))


def test_a_rule_that_sees_losses_beats_the_policy_that_knows_nothing_and_one_that_is_drawn_does_not():
    judged = drawn()
    sees = judged[judged["ahead"].between(0, 100)].assign(rule="sees")
    rng = np.random.default_rng(9)
    blind = judged[rng.random(len(judged)) < 0.1].assign(rule="blind")
    found = record(pd.concat([sees, blind]), judged, draws=20)
    assert found.loc["sees", "precision"] > 0.95 > 2 * found.loc["sees", "random_precision"]
    assert found.loc["sees", "warned_60"] > 2 * found.loc["sees", "random_warned_60"]
    low, high = found.loc["blind", ["precision_low", "precision_high"]]
    assert low < found.loc["blind", "random_precision"] < high
    again = record(pd.concat([sees, blind]), judged, draws=20)
    pd.testing.assert_frame_equal(found, again)


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(InvalidPredictions, match=r"signals with the columns .*; \['rule'\] missing"):
        record(signals("rule", A=[2]).drop(columns="rule"))
    with pytest.raises(InvalidPredictions, match=r"outcomes with the columns .*; \['churned'\] missing"):
        record(signals("rule", A=[2]), outcomes().drop(columns="churned"))
    with pytest.raises(InvalidPredictions, match="each customer and date once; found 48 rows"):
        record(signals("rule", A=[2]), pd.concat([outcomes(), outcomes()]))
