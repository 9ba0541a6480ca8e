"""Customers with one order: the hazard counted by hand, the facts that tell, and which contestant is in use."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from features.errors import ArtefactError
from features.labels import HORIZONS
from models import label_free
from models.btyd import BTYD
from models.hazard import AGES, MIN_REPEATS, SHRINK_REPEATS, Hazard, learn_hazard
from models.label_free import VARIANTS, column, fit_book, fit_segments, log_odds, segment_column
from models.second_order import (
    BY_SEGMENT,
    DECIDING_HORIZON,
    FACTS,
    HAZARD,
    LABEL_FREE,
    MIN_DATES,
    FittedSecondOrder,
    climb,
    fit,
    known_before,
    latency_of,
    learn_facts,
    starts,
)

MBG = VARIANTS[1]
LAST = pd.Timestamp("2025-01-01")
DATES = pd.date_range(end=LAST, periods=9, freq="30D")


def spells(**columns: list) -> pd.DataFrame:
    """Snapshots of customers of one segment unless it is said."""
    frame = pd.DataFrame(columns)
    default = {"customer_id": [f"C{i:04d}" for i in frame.index], "as_of": LAST, "segment": "trade"}
    return frame.assign(**{name: value for name, value in default.items() if name not in frame})


@cache
def company(tells: str) -> pd.DataFrame:
    """Snapshots at :data:`DATES` of a company of two trades with label-free columns; not to be changed in place.

    Of 1,600 customers a third goes on ordering. Of the others, with one order, the value of the order (`tells` is
    "value"), the trade ("trade") or nothing ("nothing") says who comes back soon.
    """
    rng = np.random.default_rng(7)
    n = 1_600
    first = LAST - pd.to_timedelta(rng.integers(1, 700, n), unit="D")
    trade, usual = rng.random(n) < 0.6, rng.gamma(1.0, 300.0, n) + 1
    lively = usual < 200
    value = np.exp(3 + (np.where(lively, 1.0, -1.0) if tells == "value" else 0.0) + rng.normal(0, 0.5, n))
    usual = np.where(trade, 60.0, 6_000.0) if tells == "trade" else usual
    repeats = rng.random(n) < (np.where(trade, 0.6, 0.05) if tells == "trade" else 0.33)
    gap = np.floor(rng.exponential(np.where(repeats, 20.0, usual)))
    parts = []
    for as_of in DATES:
        age = (as_of - first).days.to_numpy()
        known = age >= 0
        after = np.maximum(gap, 1)
        many = repeats & (after < age)
        orders = np.where(many, 1 + age // 20 + 1, 1)
        single = ~many & (age <= after)
        parts.append(
            pd.DataFrame(
                {
                    "customer_id": [f"C{i:04d}" for i in range(n)],
                    "as_of": as_of,
                    "segment": np.where(trade, "bakers", "tailors"),
                    "order_days_ever": orders.astype("float64"),
                    "days_since_first_order": age.astype("float64"),
                    "days_since_last_order": np.where(many, np.minimum(age - 1, 10), age).astype("float64"),
                    "last_order_value": value,
                    "products_365d": 1.0,
                    "days_to_next_order": np.where(many, 5.0, after - age),
                    "observed_days": 400,
                }
            )[known & (many | single)]
        )
    return label_free.attach(pd.concat(parts, ignore_index=True), seed=0)


def singles_before(frame: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    return known_before(frame[frame["order_days_ever"] == 1], day, 0)


def fitted(tells: str) -> tuple[FittedSecondOrder, pd.DataFrame]:
    frame = company(tells)
    book = frame[frame["as_of"] == LAST]
    return fit(singles_before(frame, LAST), book, seed=0), book[book["order_days_ever"] == 1]


def test_the_hazard_counts_second_orders_per_day_at_risk():
    # Thirty come back on the third day after a snapshot on the day of the first order: three days at risk each. Ten are
    # seen for the week and do not: seven each.
    rows = spells(
        days_since_first_order=[0.0] * 40,
        days_to_next_order=[2.0] * 30 + [np.nan] * 10,
        observed_days=[7] * 40,
    )
    hazard = learn_hazard(rows)
    assert hazard is not None
    overall = 30 / (30 * 3 + 10 * 7)
    assert hazard.pooled[0] == pytest.approx((30 + 1) / (160 + 1 / overall))
    # Nobody was older than a week: the curve goes on as it was.
    assert hazard.pooled[1:] == pytest.approx([hazard.pooled[0]] * (len(AGES) - 1))


@pytest.mark.parametrize(("age", "spans"), [(5.0, (2, 3)), (7.0, (0, 5)), (6.0, (1, 4))])
def test_a_customer_is_at_risk_from_when_it_was_first_seen_and_at_the_age_it_had_then(age, spans):
    rows = spells(
        days_since_first_order=[age] * 40,
        days_to_next_order=[1.0] * 30 + [np.nan] * 10,
        observed_days=[2] * 30 + [5] * 10,
    )
    hazard = learn_hazard(rows)
    assert hazard is not None
    # Up to a week old, and older: days at risk of the thirty (two each) and of the ten (five each).
    exposed = [30 * min(spans[0], 2) + 10 * spans[0], 30 * (2 - min(spans[0], 2)) + 10 * spans[1]]
    came = [30, 0] if age == 5 else [0, 30]
    rate = 30 / 110
    for place in range(2):
        rate = (came[place] + 1) / (exposed[place] + 1 / rate)
        assert hazard.pooled[place] == pytest.approx(rate)


def test_a_later_snapshot_of_the_same_customer_adds_nothing():
    rows = spells(days_since_first_order=[3.0] * 40, days_to_next_order=[40.0] * 40, observed_days=[60] * 40)
    again = rows.assign(as_of=LAST + pd.Timedelta(days=30), days_since_first_order=33.0, days_to_next_order=10.0)
    assert learn_hazard(pd.concat([again, rows], ignore_index=True)) == learn_hazard(rows)


def test_what_was_not_observed_yet_is_no_silence():
    rows = spells(days_since_first_order=[0.0] * 40, days_to_next_order=[2.0] * 40, observed_days=[7] * 40)
    unseen = rows.assign(customer_id=lambda r: "N" + r["customer_id"], observed_days=0, days_to_next_order=np.nan)
    assert learn_hazard(pd.concat([rows, unseen], ignore_index=True)) == learn_hazard(rows)


def test_a_segment_weighs_as_much_as_the_second_orders_expected_of_it():
    rows = spells(
        days_since_first_order=[0.0] * 80,
        days_to_next_order=[0.0] * 40 + [np.nan] * 40,
        observed_days=[5] * 80,
        segment=["fast"] * 40 + ["slow"] * 40,
    )
    hazard = learn_hazard(rows)
    assert hazard is not None
    pooled = hazard.pooled[0]
    for name, own, days in (("fast", 40 / 40, 40), ("slow", 0.0, 200)):
        weight = days * pooled / (days * pooled + SHRINK_REPEATS)
        assert hazard.segments[name][0] == pytest.approx(weight * own + (1 - weight) * pooled)


def test_too_few_second_orders_are_no_hazard():
    rows = spells(days_since_first_order=[0.0] * 99, days_to_next_order=[0.0] * 99, observed_days=[5] * 99)
    assert learn_hazard(rows.head(MIN_REPEATS - 1)) is None
    assert learn_hazard(rows.head(MIN_REPEATS)) is not None


def test_silence_is_the_product_of_silent_days_over_the_ages_to_come():
    hazard = Hazard(tuple(0.1 if low < 7 else 0.02 for low in AGES), {"bakers": (0.5,) * len(AGES)})
    frame = spells(days_since_first_order=[4.0, 4.0, 2_000.0], segment=["tailors", "bakers", None])
    assert expit(hazard.log_odds(frame, 10)) == pytest.approx([0.9**3 * 0.98**7, 0.5**10, 0.98**10])


def test_facts_move_customers_and_not_the_level():
    frame = company("value")
    rows, singles = singles_before(frame, LAST), frame[(frame["as_of"] == LAST) & (frame["order_days_ever"] == 1)]
    facts = learn_facts(rows, singles, starts(rows, LABEL_FREE, MBG, None))
    assert facts.corrections(singles).mean(axis=0) == pytest.approx(np.zeros(len(HORIZONS)), abs=1e-9)
    cheap, dear = (facts.corrections(singles.assign(last_order_value=value)) for value in (5.0, 80.0))
    assert (dear < cheap).all()


@pytest.mark.parametrize(
    ("tells", "in_use"),
    [("value", (FACTS,)), ("trade", (BY_SEGMENT, HAZARD, FACTS)), ("nothing", (LABEL_FREE, HAZARD))],
)
def test_what_tells_who_comes_back_is_put_into_use(tells, in_use):
    model, here = fitted(tells)
    assert model.in_use in in_use
    assert model.margins(here).shape == (len(here), len(HORIZONS))
    assert model.evidence["horizon_days"] == DECIDING_HORIZON
    taken = [step["candidate"] for step in model.evidence["steps"] if step["taken"]]
    assert (taken or [LABEL_FREE])[-1] == model.in_use
    assert (model.facts is not None) == (FACTS in taken)
    assert (model.hazard is not None) == (HAZARD in taken)


def test_the_chances_that_are_in_use_lose_less_than_the_rhythm_alone_on_the_next_date():
    model, here = fitted("value")
    y = (here["days_to_next_order"] >= 90).to_numpy(dtype="float64")
    ours, rhythm = model.margins(here)[:, 2], log_odds(model.model, here)[:, 2]
    assert np.mean(np.logaddexp(0, ours) - y * ours) < np.mean(np.logaddexp(0, rhythm) - y * rhythm)


@pytest.mark.parametrize("rows", ["none", "two dates"])
def test_without_matured_dates_the_label_free_model_is_in_use(rows):
    frame = company("value")
    book = frame[frame["as_of"] == LAST]
    past = singles_before(frame, LAST)
    matured = sorted(past.loc[past["observed_days"] >= DECIDING_HORIZON, "as_of"].unique())
    kept = past[past["as_of"].isin(matured[: MIN_DATES - 1])] if rows == "two dates" else past.head(0)
    model = fit(kept, book, seed=0)
    here = book[book["order_days_ever"] == 1]
    assert model.in_use == LABEL_FREE
    assert model.evidence == {"horizon_days": DECIDING_HORIZON, "dates": 0, "customers": 0, "steps": []}
    assert (model.margins(here) == log_odds(fit_book(book, model.variant, 0), here)).all()


@pytest.mark.parametrize("tells", ["value", "trade", "nothing"])
def test_a_model_survives_the_manifest(tells):
    model, here = fitted(tells)
    again = FittedSecondOrder.from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False)))
    assert again.to_dict() == model.to_dict()
    assert (again.margins(here) == model.margins(here)).all()


def test_every_kind_of_model_survives_the_manifest():
    model, here = fitted("value")
    whole = model.model
    curve = (0.01,) * len(AGES)
    for one in (
        FittedSecondOrder(HAZARD, MBG, whole, hazard=Hazard(curve, {"bakers": curve})),
        FittedSecondOrder(BY_SEGMENT, MBG, whole, {"bakers": BTYD(1, True, 1.0, 30.0, 1.0, 5.0, None, 500)}),
    ):
        again = FittedSecondOrder.from_dict(json.loads(json.dumps(one.to_dict(), allow_nan=False)))
        assert (again.margins(here) == one.margins(here)).all()
        assert (one.margins(here) != log_odds(whole, here)).any()


def test_a_record_that_lacks_something_is_refused_in_one_line():
    values = fitted("nothing")[0].to_dict()
    for name in values:
        with pytest.raises(ArtefactError, match="second-order model cannot be read"):
            FittedSecondOrder.from_dict({key: value for key, value in values.items() if key != name})


def test_outcomes_of_an_earlier_date_are_what_was_known_then():
    # From the first of May: an order ten days later, one forty days later, none.
    rows = spells(
        as_of=[pd.Timestamp("2024-05-01")] * 3, days_to_next_order=[10.0, 40.0, np.nan], observed_days=[90] * 3
    )
    then = known_before(rows, pd.Timestamp("2024-06-01"), 7)
    assert then["observed_days"].tolist() == [24] * 3
    assert then["days_to_next_order"].tolist()[0] == 10.0
    assert then["days_to_next_order"].isna().tolist() == [False, True, True]
    assert known_before(rows, pd.Timestamp("2024-05-01"), 0).empty


def test_days_that_orders_are_late_are_read_off_the_outcomes():
    rows = spells(as_of=[pd.Timestamp("2024-05-01"), pd.Timestamp("2024-06-01")], observed_days=[55, 24])
    assert latency_of(rows, spells(as_of=[pd.Timestamp("2024-07-02")])) == 7


def judged(shift: float, customers: int = 200) -> pd.DataFrame:
    """One date on which half come back, with a model that knows nothing and one that leans to the truth by `shift`."""
    came = np.arange(customers) % 2 == 0
    return spells(outcome=np.where(came, 0.0, 1.0)).assign(plain=0.0, better=np.where(came, -shift, shift) + logit(0.5))


@pytest.mark.parametrize(("shift", "in_use"), [(1.0, "better"), (-1.0, "plain"), (0.0, "plain")])
def test_a_step_is_taken_only_where_it_surely_loses_less(shift, in_use):
    name, steps = climb(judged(shift), ("plain", "better"), seed=0)
    assert name == in_use
    assert len(steps) == (shift != 0)
    for step in steps:
        assert step["taken"] == (in_use == "better")
        assert step["log_loss"] == pytest.approx(np.log1p(np.exp(-shift)) - np.log(2))
        json.dumps(step, allow_nan=False)


def test_a_step_that_chance_may_explain_is_not_taken():
    trials = judged(0.2, customers=8)
    trials.loc[0, "better"] = 0.9
    assert climb(trials, ("plain", "better"), seed=0)[0] == "plain"


def test_segments_of_five_hundred_are_fitted_by_themselves():
    book = company("trade")
    book = book[book["as_of"] == LAST]
    bakers = book[book["segment"] == "bakers"]
    assert len(bakers) >= 500
    few = pd.concat([bakers, book[book["segment"] == "tailors"].head(499)])
    whole = fit_book(few, MBG, 0)
    assert list(fit_segments(few, MBG, whole, 0)) == ["bakers"]
    assert fit_segments(bakers, MBG, whole, 0) == {}


def test_a_segment_s_fit_from_the_whole_book_is_the_one_from_scratch():
    book = company("trade")
    bakers = book[(book["as_of"] == LAST) & (book["segment"] == "bakers")]
    whole = fit_book(book[book["as_of"] == LAST], MBG, 0)
    near = fit_segments(book[book["as_of"] == LAST], MBG, whole, 0)["bakers"]
    alone = fit_book(bakers, MBG, 0)
    assert log_odds(near, bakers) == pytest.approx(log_odds(alone, bakers), abs=0.1)


def test_only_customers_with_one_order_have_log_odds_by_segment():
    frame = company("trade")
    names = [segment_column(MBG, days) for days in HORIZONS]
    single = frame["order_days_ever"] == 1
    large = frame["as_of"] == LAST
    assert frame.loc[large & single, names].notna().all(axis=None)
    assert frame.loc[~single, names].isna().all(axis=None)
    pooled = frame.loc[large & single, [column(MBG, days) for days in HORIZONS]].to_numpy()
    assert (frame.loc[large & single, names].to_numpy() != pooled).any()
