"""Rolling origin: whoever predicts a cutoff has seen what was known at it, all of it and nothing more."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache

import numpy as np
import pandas as pd
import pytest
from orders import visible_at
from scipy.special import logit
from worlds import CUTOFFS, SOME_FEATURES, table_of, walk

from features.errors import TooLittleData
from features.labels import HORIZONS
from features.simulate import PRESETS, simulate
from features.snapshots import ELIGIBLE, SnapshotTable, monthly
from models import folds
from models.classifiers import LIGHTGBM, BoostingOptions
from models.contestants import Contestant, Fitted, Training
from models.evaluation import roc_auc
from models.folds import BLEND, CHAMPION, Walk, WalkOptions, walk_forward, with_outcomes
from models.logistic import LOGISTIC
from models.rules import RULES
from models.selection import COMPONENTS, LADDER

#: The day before it has orders, so that a history that ends here has been observed until here.
CUTOFF = date(2024, 12, 3)
NEXT = date(2025, 1, 3)
DATES = monthly(date(2024, 3, 1), CUTOFF)
#: Warm enough for weights to be learnt, so that a leak through them would show, too.
SMALL = WalkOptions(boosting=BoostingOptions(rounds=10, learning_rate=0.2, bags=2), warm_up=4, threads=1)
EVERYONE = {
    *(rule.name for rule in RULES),
    "bgnbd",
    "mbgcnbd",
    LOGISTIC,
    "lightgbm_one_slice",
    LIGHTGBM,
    BLEND,
    CHAMPION,
}


@cache
def lines() -> pd.DataFrame:
    """A small company whose orders and credit notes often come to the books late. Not to be changed in place."""
    late = replace(PRESETS["normal"], credit_notes=0.15, late_rows=0.15)
    return simulate(260, 26, seed=5, preset=late, end=date(2025, 6, 4)).tables["transactions"]


def known_before(cutoff: date) -> pd.DataFrame:
    return lines()[visible_at(lines()) < pd.Timestamp(cutoff)]


def another_future() -> pd.DataFrame:
    """The same past; then everybody orders, and orders and returns of the past are booked after the fact."""
    past = known_before(CUTOFF)
    one_each = past.drop_duplicates("customer_id").assign(amount=5000.0)
    moment = pd.Timestamp(CUTOFF)
    extra = []
    for number, (ordered, recorded, amount) in enumerate(
        [(0, 0, 9.0), (3, 3, 5000.0), (40, 41, 700.0), (-20, 0, 5000.0), (-50, 2, -300.0)]
    ):
        extra.append(
            one_each.assign(
                order_id=f"extra {number} " + one_each["customer_id"],
                ordered_at=moment + pd.Timedelta(days=ordered),
                recorded_at=moment + pd.Timedelta(days=recorded),
                amount=amount,
            )
        )
    last_order = past.sort_values("ordered_at").drop_duplicates("customer_id", keep="last")
    cancelled = last_order.assign(amount=-9e6, recorded_at=moment + pd.Timedelta(hours=1))
    return pd.concat([past, *extra, cancelled], ignore_index=True)


@cache
def small_table() -> SnapshotTable:
    return table_of(lines(), [*DATES, NEXT], SOME_FEATURES)


@cache
def small_walk() -> Walk:
    return walk_forward(small_table(), [CUTOFF, NEXT], SMALL)


def at(result: Walk, as_of: date) -> pd.DataFrame:
    rows = result.predictions
    return rows[rows["as_of"] == pd.Timestamp(as_of)].reset_index(drop=True)


# --- the gap between what is learnt from and what is predicted


@pytest.mark.parametrize("days", HORIZONS)
def test_a_row_may_be_learnt_from_once_its_horizon_has_passed(days):
    as_ofs = [pd.Timestamp(CUTOFF) - pd.Timedelta(days=days + late) for late in (1, 0, -1)]
    frame = pd.DataFrame({"customer_id": "A", "as_of": as_ofs})
    seen = pd.DataFrame(
        {
            "customer_id": "A",
            "day": [pd.Timestamp(CUTOFF)],
            "is_order": True,
            "visible_from": pd.Timestamp(CUTOFF) + pd.Timedelta(days=1),
            "visible_until": pd.Timestamp("2200-01-01"),
        }
    )
    outcome = SnapshotTable(frame, seen, date(2025, 6, 1)).outcomes(CUTOFF)
    rows, silent = Training(outcome, frame, ()).matured(days)
    assert list(rows["as_of"]) == as_ofs[:2]
    assert list(silent) == [1.0, 1.0]


@dataclass(frozen=True)
class Recording:
    """A contestant that keeps what it was given to learn from."""

    inner: Contestant
    seen: list[Training]

    @property
    def name(self) -> str:
        return self.inner.name

    def fit(self, training: Training) -> Fitted:
        self.seen.append(training)
        return self.inner.fit(training)


def recorded(
    monkeypatch: pytest.MonkeyPatch, table: SnapshotTable, options: WalkOptions, *, everyone: bool = False
) -> tuple[Walk, list[Training]]:
    seen: list[Training] = []
    real = folds.contestants
    monkeypatch.setattr(folds, "contestants", lambda given: tuple(Recording(one, seen) for one in real(given)))
    return walk_forward(table, [CUTOFF, NEXT], options, every_contestant=everyone), seen


@pytest.mark.parametrize("latency", [0, 1, 7])
def test_nobody_is_given_an_outcome_that_had_not_matured_at_the_cutoff(latency, monkeypatch):
    # From 3 November to 3 December there are exactly 30 days: one day of latency moves the newest date to October.
    options = replace(SMALL, invoice_latency_days=latency, boosting=BoostingOptions(rounds=2))
    _, seen = recorded(monkeypatch, small_table(), options, everyone=latency == 0)
    assert len(seen) == (4 * 2 + 2 * 8 if latency == 0 else 6 * 2)
    for training in seen:
        (cutoff,) = training.book["as_of"].unique()
        assert (training.rows["as_of"] < cutoff).all()
        assert "days_to_next_order" not in training.book
        assert (training.rows["observed_days"] == (cutoff - training.rows["as_of"]).dt.days - latency).all()
        assert not (training.rows["days_to_next_order"] >= training.rows["observed_days"]).any()
        for days in HORIZONS:
            possible = [day for day in DATES if pd.Timestamp(day) + timedelta(days=days + latency) <= cutoff]
            used = training.matured(days)[0]["as_of"]
            assert sorted(used.unique()) == [pd.Timestamp(day) for day in possible]
    newest = {t.matured(30)[0]["as_of"].max() for t in seen if t.book["as_of"].iloc[0] == pd.Timestamp(CUTOFF)}
    assert newest == {pd.Timestamp(2024, 11, 3) if latency == 0 else pd.Timestamp(2024, 10, 3)}


def test_what_happened_after_a_cutoff_changes_no_bit_of_its_predictions():
    ended = table_of(known_before(CUTOFF), DATES, SOME_FEATURES)
    changed = table_of(another_future(), [*DATES, NEXT], SOME_FEATURES)
    assert ended.data_end == CUTOFF
    real = small_walk()
    without = walk_forward(ended, [CUTOFF], SMALL)
    otherwise = walk_forward(changed, [CUTOFF, NEXT], SMALL)
    assert set(at(real, CUTOFF)["contestant"]) == EVERYONE
    assert not halved(at(real, CUTOFF))  # the weights of the blend were learnt
    pd.testing.assert_frame_equal(at(without, CUTOFF), at(real, CUTOFF), check_exact=True)
    pd.testing.assert_frame_equal(at(otherwise, CUTOFF), at(real, CUTOFF), check_exact=True)
    # The next cutoff has seen the other future: each contestant says something else.
    both = at(real, NEXT).merge(at(otherwise, NEXT), on=["contestant", "customer_id"])
    assert both.groupby("contestant").apply(lambda rows: (rows["margin_x"] != rows["margin_y"]).any()).all()


def halved(rows: pd.DataFrame) -> bool:
    """Whether the blend lies halfway between LightGBM and logistic regression, as it does before anything matured."""
    chance = rows.pivot(index="customer_id", columns="contestant", values="p_no_order_30")
    margin = logit(chance[[BLEND, LIGHTGBM, LOGISTIC]])
    return bool(np.allclose(margin[BLEND], (margin[LIGHTGBM] + margin[LOGISTIC]) / 2))


def test_a_change_that_was_known_at_the_cutoff_changes_every_contestant():
    past = known_before(CUTOFF)
    late = past.drop_duplicates("customer_id").assign(
        order_id="late", ordered_at=pd.Timestamp(CUTOFF) - timedelta(days=2)
    )
    known = late.assign(recorded_at=late["ordered_at"]).iloc[::3]
    table = table_of(pd.concat([past, known], ignore_index=True), DATES, SOME_FEATURES)
    other = walk_forward(table, [CUTOFF], SMALL)
    both = at(small_walk(), CUTOFF).merge(at(other, CUTOFF), on=["contestant", "customer_id"])
    assert both.groupby("contestant").apply(lambda rows: (rows["margin_x"] != rows["margin_y"]).mean()).gt(0.3).all()


def test_shuffled_outcomes_leave_nothing_to_know():
    # Within each date the eligible customers swap names, and with their names their outcomes.
    rng = np.random.default_rng(4)
    frame = small_table().frame.copy()
    for _, rows in frame[frame["cohort"] == ELIGIBLE].groupby("as_of"):
        frame.loc[rows.index, "customer_id"] = rng.permutation(rows["customer_id"].to_numpy())
    table = replace(small_table(), frame=frame)
    cutoffs = DATES[-3:]
    told = with_outcomes(walk_forward(table, cutoffs, replace(SMALL, warm_up=0)).predictions, table)
    truth = with_outcomes(small_walk().predictions, small_table())
    for name in EVERYONE:
        assert abs(mean_auc(told, name) - 0.5) < 0.08
        assert mean_auc(truth, name) > 0.6


def mean_auc(predictions: pd.DataFrame, contestant: str, days: int = 90) -> float:
    """Mean over cutoffs of the area under the curve for silence within a horizon."""
    rows = predictions[predictions["contestant"] == contestant].dropna(subset=f"no_order_{days}")
    return float(
        np.mean(
            [
                roc_auc(r[f"p_no_order_{days}"].to_numpy(), r[f"no_order_{days}"].to_numpy())
                for _, r in rows.groupby("as_of")
            ]
        )
    )


# --- what comes back


def test_every_eligible_customer_has_a_prediction_of_every_contestant_at_every_cutoff():
    predictions = walk().predictions
    assert set(predictions["as_of"]) == {pd.Timestamp(day) for day in CUTOFFS}
    assert set(predictions["contestant"]) == EVERYONE
    frame = walk().table.frame
    eligible = frame[frame["cohort"] == ELIGIBLE].groupby("as_of")["customer_id"].apply(sorted)
    for (_, as_of), rows in predictions.groupby(["contestant", "as_of"]):
        assert sorted(rows["customer_id"]) == eligible[as_of]
    said = ["customer_id", "as_of", "contestant", "level", "segment", "queue", "churn_low", "churn_high"]
    assert np.isfinite(predictions.drop(columns=said).to_numpy()).all()
    assert (np.diff(predictions[[f"p_no_order_{days}" for days in HORIZONS]], axis=1) <= 0).all()


def test_only_the_champion_has_an_interval_and_it_holds_its_probability():
    predictions = walk().predictions
    champions = predictions["contestant"] == CHAMPION
    assert predictions.loc[~champions, ["churn_low", "churn_high"]].isna().all(axis=None)
    here = predictions[champions]
    assert (here["churn_low"] > 0).all()
    assert (here["churn_low"] < here["churn_probability"]).all()
    assert (here["churn_probability"] < here["churn_high"]).all()
    assert (here["churn_high"] < 1).all()


def test_only_the_champion_has_levels_and_it_is_that_of_the_last_cutoff():
    predictions = walk().predictions
    assert set(predictions.loc[predictions["contestant"] != CHAMPION, "level"]) == {"none"}
    newest = predictions[(predictions["contestant"] == CHAMPION) & (predictions["as_of"] == pd.Timestamp(CUTOFFS[-1]))]
    assert {"none", "blue"} < set(newest["level"])
    assert walk().champion.facts["trained_as_of"] == CUTOFFS[-1].isoformat()
    assert walk().champion.facts["record_dates"] == 3
    assert walk().champion.levels.levels[1].n > 0


def test_the_folds_say_what_was_learnt_from():
    table = walk().folds
    assert list(table["as_of"]) == [pd.Timestamp(day) for day in CUTOFFS]
    assert list(table["newest_90"]) == ["2024-01-01", "2024-04-01", "2024-07-01", "2024-10-01"]
    assert list(table["dates_90"]) == [5, 8, 11, 14]
    assert list(table["eligible"]) == list(
        walk().predictions[walk().predictions["contestant"] == CHAMPION].groupby("as_of").size()
    )
    for days in HORIZONS:
        assert (table[[f"weight_{name}_{days}" for name in COMPONENTS]].sum(axis=1) == 1).all()
    assert set(table["in_use"]) <= set(LADDER)
    assert set(table["window_multiple"]) <= {one.multiple for one in walk().choice.tried}
    assert table.filter(like="base_rate_").apply(lambda column: column.between(0.05, 0.95)).all(axis=None)


def test_two_walks_are_identical():
    again = walk_forward(small_table(), [NEXT, CUTOFF], SMALL)
    pd.testing.assert_frame_equal(again.predictions, small_walk().predictions, check_exact=True)
    pd.testing.assert_frame_equal(again.folds, small_walk().folds, check_exact=True)
    assert again.champion.levels == small_walk().champion.levels


def test_the_champion_is_the_same_without_those_that_it_is_not_made_of():
    alone = walk_forward(small_table(), [CUTOFF], SMALL, every_contestant=False)
    assert set(alone.predictions["contestant"]) == {LOGISTIC, LIGHTGBM, BLEND, CHAMPION}
    for name in (CHAMPION, BLEND, LIGHTGBM):
        one, all_ = (
            rows[rows["contestant"] == name].reset_index(drop=True)
            for rows in (at(alone, CUTOFF), at(small_walk(), CUTOFF))
        )
        pd.testing.assert_frame_equal(one, all_, check_exact=True)


def test_beyond_the_row_limit_some_customers_teach_with_all_their_snapshots_and_all_are_predicted(monkeypatch):
    options = replace(SMALL, max_rows=600, warm_up=0, boosting=BoostingOptions(rounds=2))
    result, seen = recorded(monkeypatch, small_table(), options)
    frame = small_table().frame
    for training in seen:
        (cutoff,) = training.book["as_of"].unique()
        past = frame[(frame["as_of"] < cutoff) & (frame["cohort"] == ELIGIBLE)]
        of_drawn = past[past["customer_id"].isin(training.rows["customer_id"])]
        assert 0.7 * 600 < len(training.rows) < 1.3 * 600 < len(past)
        assert len(training.rows) == len(of_drawn)
        assert len(training.book) == (frame[frame["as_of"] == cutoff]["order_days_ever"] >= 1).sum()
    everyone = small_walk().predictions["contestant"]
    assert len(result.predictions) == everyone.isin([LOGISTIC, LIGHTGBM, BLEND, CHAMPION]).sum()


def test_outcomes_stand_beside_predictions_once_they_have_matured():
    table = small_table()
    told = with_outcomes(small_walk().predictions, table, observed_until=CUTOFF + timedelta(days=60))
    assert len(told) == len(small_walk().predictions)
    early, late = (told[told["as_of"] == pd.Timestamp(day)] for day in (CUTOFF, NEXT))
    assert early[["no_order_30", "no_order_60"]].notna().all(axis=None)
    assert early[["no_order_90", "no_order_180", "churned"]].isna().all(axis=None)
    assert late[["no_order_60", "no_order_90", "no_order_180"]].isna().all(axis=None)
    assert (early["no_order_30"] == (~(early["days_to_next_order"] < 30)).astype("float64")).all()
    assert with_outcomes(at(small_walk(), CUTOFF), table)["churned"].notna().all()


@pytest.mark.parametrize(("customers", "enough"), [(19, False), (20, True)])
def test_a_date_with_fewer_than_twenty_eligible_customers_teaches_nothing(customers, enough):
    frame = small_table().frame
    here = frame[frame["cohort"] == ELIGIBLE].groupby("as_of").head(customers)
    table = replace(small_table(), frame=here.reset_index(drop=True))
    if enough:
        assert len(at(walk_forward(table, [CUTOFF], SMALL), CUTOFF)) == 20 * len(EVERYONE)
        return
    with pytest.raises(
        TooLittleData, match=r"no date has 20 eligible customers: give more customers or history.*\[cohort\]"
    ):
        walk_forward(table, [CUTOFF], SMALL)


def test_cutoffs_without_eligible_customers_are_named():
    with pytest.raises(TooLittleData, match="2026-02-01 has fewer than 20 eligible customers: give more"):
        walk_forward(small_table(), [date(2026, 1, 1), date(2026, 2, 1)], replace(SMALL, warm_up=1))


# --- quality, as an order


def test_the_champion_beats_the_rules_and_the_rules_beat_chance():
    told = with_outcomes(walk().predictions, walk().table)
    for days in (30, 90):
        auc = {name: mean_auc(told, name, days) for name in EVERYONE}
        assert auc[CHAMPION] > auc["cycle"] > 0.5
        assert auc[CHAMPION] > auc["days_since_last_order"] > 0.5
        assert auc[LIGHTGBM] >= max(auc["cycle"], auc["days_since_last_order"])
        assert auc["mbgcnbd"] > auc["cycle"]
