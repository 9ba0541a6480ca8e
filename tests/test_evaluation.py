"""The figures against scikit-learn, tables done by hand, brute-force resampling and their own promises."""

import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as reference_log_loss

from features.errors import KizashiError
from models import book, evaluation
from models.evaluation import InvalidPredictions, difference, standing_table

RANKERS = [
    evaluation.roc_auc,
    evaluation.average_precision,
    evaluation.top_decile_lift,
    lambda p, y: evaluation.precision_at(p, y, 3),
    lambda p, y: evaluation.recall_at(p, y, 3),
]


def drawn(n, seed, decimals=6):
    """Calibrated probabilities, rounded to make ties, and outcomes drawn from them."""
    rng = np.random.default_rng(seed)
    p = np.clip(np.round(rng.beta(1.5, 3, n), decimals), 0.01, 0.99)
    return p, (rng.random(n) < p).astype(int)


def panel(customers, cutoffs, contestants, seed, effect=1.0):
    """Predictions on several cutoffs; the scores know only a part of a customer's lasting `effect`."""
    rng = np.random.default_rng(seed)
    lasting, rows = effect * rng.normal(size=customers), []
    for month in range(cutoffs):
        here = np.flatnonzero(rng.random(customers) < 0.8)
        margin = 0.7 * lasting[here] + rng.normal(size=here.size) - 0.4
        churned = (rng.random(here.size) < expit(margin + 0.8 * lasting[here])).astype(int)
        for name, noise in contestants.items():
            day, ids = pd.Timestamp(2024, month + 1, 1), [f"c{i}" for i in here]
            key = {"contestant": name, "customer_id": ids, "as_of": day}
            p = expit(margin + noise * rng.normal(size=here.size))
            rows.append(pd.DataFrame(key | {"probability": p, "outcome": churned}))
    return pd.concat(rows, ignore_index=True)


@pytest.mark.parametrize("decimals", [6, 1])
@pytest.mark.parametrize("n", [40, 2_000])
def test_the_shared_metrics_are_those_of_scikit_learn_with_and_without_ties(n, decimals):
    p, y = drawn(n, seed=n, decimals=decimals)
    assert evaluation.roc_auc(p, y) == pytest.approx(roc_auc_score(y, p), rel=1e-12)
    assert evaluation.average_precision(p, y) == pytest.approx(average_precision_score(y, p), rel=1e-12)
    assert evaluation.brier(p, y) == pytest.approx(brier_score_loss(y, p), rel=1e-12)
    assert evaluation.log_loss(p, y) == pytest.approx(reference_log_loss(y, p), rel=1e-12)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1_000).fit(logit(p)[:, None], y)
    line = evaluation.calibration_line(p, y)
    assert line.slope == pytest.approx(reference.coef_[0, 0], rel=1e-5)
    assert line.intercept == pytest.approx(reference.intercept_[0], rel=1e-5, abs=1e-6)
    assert expit(logit(p) + line.in_the_large).mean() == pytest.approx(y.mean(), rel=1e-9)


def test_a_tie_across_the_cut_counts_at_its_average_rate():
    # Two rows at the top (one churned), then four tied (three churned), then four (none).
    score = [0.9, 0.9, 0.5, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1]
    outcome = [1, 0, 1, 1, 1, 0, 0, 0, 0, 0]
    assert evaluation.lift_at(score, outcome, 0.2) == pytest.approx((1 / 2) / 0.4)
    assert evaluation.lift_at(score, outcome, 0.4) == pytest.approx(((1 + 2 * 0.75) / 4) / 0.4)
    assert evaluation.precision_at(score, outcome, 1) == pytest.approx(1 / 2)
    assert evaluation.precision_at(score, outcome, 3) == pytest.approx((1 + 0.75) / 3)
    assert evaluation.recall_at(score, outcome, 3) == pytest.approx((1 + 0.75) / 4)
    assert evaluation.precision_at(score, outcome, 99) == pytest.approx(0.4)
    assert evaluation.recall_at(score, outcome, 99) == 1
    # Of 24 pairs the top decides 1 x 5 and ties 1; the middle decides 3 x 4 and ties 3.
    assert evaluation.roc_auc(score, outcome) == pytest.approx((5 + 0.5 + 12 + 1.5) / 24)


def test_no_figure_depends_on_the_order_of_the_rows():
    p, y = drawn(500, seed=1, decimals=1)
    shuffle = np.random.default_rng(0).permutation(500)
    for ranker in [*RANKERS, evaluation.ece, lambda p, y: evaluation.murphy(p, y).resolution]:
        assert ranker(p, y) == pytest.approx(ranker(p[shuffle], y[shuffle]), rel=1e-12)
    pd.testing.assert_frame_equal(evaluation.decile_table(p, y), evaluation.decile_table(p[shuffle], y[shuffle]))


def test_a_constant_score_is_worth_a_coin_and_a_perfect_one_everything():
    y = np.array([1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    constant = np.full(10, 0.2)
    assert evaluation.roc_auc(constant, y) == 0.5
    assert evaluation.average_precision(constant, y) == pytest.approx(0.2)
    assert evaluation.top_decile_lift(constant, y) == pytest.approx(1)
    assert evaluation.decile_table(constant, y)["lift"].to_numpy() == pytest.approx(np.ones(10))
    assert evaluation.ece(constant, y) == pytest.approx(0)
    assert evaluation.roc_auc(y, y) == evaluation.average_precision(y, y) == evaluation.recall_at(y, y, 2) == 1
    assert evaluation.top_decile_lift(y, y) == pytest.approx(5)
    assert evaluation.roc_auc(1 - y, y) == 0


@pytest.mark.parametrize("outcome", [[0, 0, 0, 0], [1, 1, 1, 1]])
def test_one_class_cannot_be_ranked_and_says_nan(outcome):
    p = [0.1, 0.2, 0.3, 0.4]
    assert all(np.isnan(ranker(p, outcome)) for ranker in RANKERS)
    line = evaluation.calibration_line(p, outcome)
    assert np.isnan([line.slope, line.intercept, line.in_the_large]).all()
    assert evaluation.brier(p, outcome) == pytest.approx(np.mean((np.array(p) - outcome) ** 2))


def test_a_threshold_that_separates_the_classes_has_no_calibration_slope():
    line = evaluation.calibration_line([0.2, 0.3, 0.7, 0.8], [0, 0, 1, 1])
    assert np.isnan([line.slope, line.intercept]).all()
    assert line.in_the_large == pytest.approx(0, abs=1e-9)


def test_a_certain_mistake_costs_the_clip_and_not_infinity():
    assert evaluation.log_loss([0.0, 1.0], [1, 0]) == pytest.approx(-np.log(1e-6))


def test_bins_have_equal_mass_and_never_split_a_tie():
    distinct = np.random.default_rng(0).permutation(45) / 50
    assert np.bincount(evaluation.mass_bins(distinct)).tolist() == [3] * 15
    assert evaluation.mass_bins(np.full(7, 0.3)).tolist() == [7] * 7
    tied = np.array([0.1, 0.2, 0.2, 0.2, 0.2, 0.9])
    assert evaluation.mass_bins(tied, bins=3).tolist() == [0, 1, 1, 1, 1, 2]


def test_calibration_error_and_its_table_by_hand():
    # Two bins of four: promised .15 and observed .25, promised .8 and observed .5.
    p, y = [0.1, 0.1, 0.2, 0.2, 0.7, 0.8, 0.8, 0.9], [0, 0, 0, 1, 1, 0, 0, 1]
    table = evaluation.reliability_bins(p, y, bins=2)
    assert table["n"].tolist() == [4, 4]
    assert table["mean_probability"].tolist() == pytest.approx([0.15, 0.8])
    assert table["observed"].tolist() == pytest.approx([0.25, 0.5])
    assert ((table["low"] < table["observed"]) & (table["observed"] < table["high"])).all()
    assert evaluation.ece(p, y, bins=2) == pytest.approx((0.1 + 0.3) / 2)
    parts = evaluation.murphy(p, y, bins=2)
    assert parts.reliability == pytest.approx((0.01 + 0.09) / 2)
    assert parts.resolution == pytest.approx(0.125**2)
    assert parts.uncertainty == pytest.approx(0.375 * 0.625)


@pytest.mark.parametrize("decimals", [6, 1])
def test_the_parts_of_the_brier_score_add_up_to_it(decimals):
    p, y = drawn(1_000, seed=2, decimals=decimals)
    parts = evaluation.murphy(p, y)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within
    assert total == pytest.approx(evaluation.brier(p, y), rel=1e-12)
    # With no more distinct values than bins every bin holds one value, and nothing varies within.
    steps = np.round(p, 1)
    assert evaluation.murphy(steps, y, bins=1_000).within == pytest.approx(0, abs=1e-12)


def test_honest_probabilities_look_calibrated_and_inflated_ones_do_not():
    p, y = drawn(20_000, seed=3)
    inflated = expit(2 * logit(p))
    assert evaluation.ece(p, y) < 0.02 < evaluation.ece(inflated, y)
    assert evaluation.calibration_line(p, y).slope == pytest.approx(1, abs=0.1)
    assert evaluation.calibration_line(inflated, y).slope == pytest.approx(0.5, abs=0.05)
    assert evaluation.calibration_line(np.clip(p - 0.1, 0.01, 1), y).in_the_large > 0.3


def test_deciles_share_rows_and_ties_and_capture_everybody_in_the_end():
    # 15 rows: one and a half to a decile. The three highest churned, and one of the six tied in the middle.
    p = [0.9, 0.8, 0.7] + [0.5] * 6 + [0.1] * 6
    y = [1, 1, 1] + [1, 0, 0, 0, 0, 0] + [0] * 6
    table = evaluation.decile_table(p, y)
    assert table["n"].tolist() == [1.5] * 10
    assert table["outcome_rate"].tolist() == pytest.approx([1, 1] + [1 / 6] * 4 + [0] * 4)
    assert table["mean_probability"].iloc[:3].tolist() == pytest.approx([1.3 / 1.5, 1.1 / 1.5, 0.5])
    assert table["captured_share"].iloc[[0, 1, 5, 9]].tolist() == pytest.approx([0.375, 0.75, 1, 1])
    assert table["lift"].iloc[0] == pytest.approx(1 / (4 / 15)) == evaluation.top_decile_lift(p, y)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # From the closed form by hand with z = 1.959964; the second is the textbook's 10 in 20.
    [(0, 10, 0.0, 0.2775), (10, 20, 0.2993, 0.7007), (81, 263, 0.2553, 0.3662), (5, 5, 0.5655, 1.0)],
)
def test_wilson_intervals_are_those_of_the_textbook(hits, n, low, high):
    assert np.array(evaluation.wilson(hits, n)) == pytest.approx([low, high], abs=5e-5)


def test_an_empty_share_has_no_interval():
    assert np.isnan(evaluation.wilson([0, 1], [0, 2])).tolist() == [[True, False], [True, False]]


def test_the_standing_table_shows_the_figures_of_the_single_functions():
    frame = panel(150, 3, {"model": 0.2, "rule": 2.0}, seed=4)
    table = standing_table(frame, repeats=20, capacity=10, rng=np.random.default_rng(0)).set_index("contestant")
    for name, rows in frame.groupby("contestant"):
        shown, p, y = table.loc[name], rows["probability"].to_numpy(), rows["outcome"].to_numpy()
        cutoffs = [(part["probability"], part["outcome"]) for _, part in rows.groupby("as_of")]
        for metric, function in [
            ("roc_auc", evaluation.roc_auc),
            ("average_precision", evaluation.average_precision),
            ("top_decile_lift", evaluation.top_decile_lift),
            ("precision_at_capacity", lambda p, y: evaluation.precision_at(p, y, 10)),
            ("recall_at_capacity", lambda p, y: evaluation.recall_at(p, y, 10)),
        ]:
            assert shown[metric] == pytest.approx(np.mean([function(*cutoff) for cutoff in cutoffs]), rel=1e-12)
        line, parts = evaluation.calibration_line(p, y), evaluation.murphy(p, y)
        assert shown[list(evaluation.CALIBRATION)].tolist() == pytest.approx(
            [
                evaluation.brier(p, y),
                evaluation.log_loss(p, y),
                evaluation.ece(p, y),
                parts.reliability,
                parts.resolution,
                line.slope,
                line.intercept,
                line.in_the_large,
            ]
        )
        assert shown[["n", "n_customers", "n_cutoffs"]].tolist() == [
            len(rows),
            rows["customer_id"].nunique(),
            3,
        ]
        assert shown["base_rate"] == pytest.approx(y.mean())


def test_intervals_are_those_of_drawing_whole_customers_one_by_one():
    frame = panel(60, 3, {"model": 0.5}, seed=5)
    table = standing_table(frame, repeats=25, capacity=8, rng=np.random.default_rng(9)).iloc[0]
    order = frame["customer_id"].unique()
    draws = np.random.default_rng(9).multinomial(len(order), np.full(len(order), 1 / len(order)), size=25)
    naive = {
        "roc_auc": [],
        "average_precision": [],
        "top_decile_lift": [],
        "precision_at_capacity": [],
        "brier": [],
    }
    slopes = []
    for times in draws:
        repeated = frame.loc[frame.index.repeat(frame["customer_id"].map(dict(zip(order, times, strict=True))))]
        parts = [(part["outcome"], part["probability"]) for _, part in repeated.groupby("as_of")]
        naive["roc_auc"].append(np.mean([roc_auc_score(*part) for part in parts]))
        naive["average_precision"].append(np.mean([average_precision_score(*part) for part in parts]))
        naive["top_decile_lift"].append(np.mean([evaluation.top_decile_lift(p, y) for y, p in parts]))
        naive["precision_at_capacity"].append(np.mean([evaluation.precision_at(p, y, 8) for y, p in parts]))
        naive["brier"].append(brier_score_loss(repeated["outcome"], repeated["probability"]))
        slopes.append(evaluation.calibration_line(repeated["probability"], repeated["outcome"]).slope)
    for metric, values in naive.items():
        expected = np.quantile(values, [0.025, 0.975])
        assert [table[f"{metric}_low"], table[f"{metric}_high"]] == pytest.approx(expected, rel=1e-9)
    expected = np.quantile(slopes, [0.025, 0.975])
    assert [table["calibration_slope_low"], table["calibration_slope_high"]] == pytest.approx(expected, rel=1e-3)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    truth = standing_table(panel(40_000, 2, {"model": 0.5}, seed=6), repeats=1, rng=np.random.default_rng(0)).iloc[0]
    metrics = [*evaluation.RANKING, *evaluation.CALIBRATION]
    covered = []
    for seed in range(80):
        sample = panel(300, 2, {"model": 0.5}, seed=1_000 + seed)
        found = standing_table(sample, repeats=120, rng=np.random.default_rng(seed)).iloc[0]
        covered.append([found[f"{m}_low"] <= truth[m] <= found[f"{m}_high"] for m in metrics])
    # 95 % of 80 is 76; 66 or fewer would be chance once in 25,000, were the intervals right.
    assert (np.sum(covered, axis=0) >= 67).all(), dict(zip(metrics, np.sum(covered, axis=0), strict=True))


def test_customers_that_repeat_over_cutoffs_widen_the_interval():
    frame = panel(400, 1, {"model": 0.5}, seed=7)
    copies = pd.concat([frame.assign(as_of=pd.Timestamp(2024, month, 1)) for month in range(1, 7)])
    as_strangers = copies.assign(customer_id=copies["customer_id"] + copies["as_of"].astype(str))
    widths = []
    for rows in (copies, as_strangers):
        found = standing_table(rows, repeats=200, rng=np.random.default_rng(0)).iloc[0]
        widths.append([found[f"{m}_high"] - found[f"{m}_low"] for m in ("roc_auc", "brier", "log_loss")])
    # Six copies of a customer are one observation: sqrt(6) = 2.4 times the width of strangers.
    assert (np.array(widths[0]) > 1.8 * np.array(widths[1])).all()


def test_the_interval_of_the_calibration_error_holds_the_figure_and_reaches_down_to_none():
    found = standing_table(panel(500, 2, {"model": 0.0}, 8, effect=0.0), rng=np.random.default_rng(0)).iloc[0]
    for metric in ("ece", "reliability", "resolution"):
        assert 0 <= found[f"{metric}_low"] <= found[metric] <= found[f"{metric}_high"]
    # These probabilities are the true ones: what error they show is noise.
    assert found["ece_low"] == 0 < found["ece"]


def test_a_paired_difference_is_surer_than_the_two_intervals_suggest():
    frame = panel(400, 3, {"model": 0.3, "noisier": 0.8}, seed=9)
    table = standing_table(frame, repeats=200, rng=np.random.default_rng(0)).set_index("contestant")
    found = difference(frame, "model", "noisier", "roc_auc", repeats=200, rng=np.random.default_rng(0))
    assert found.value == pytest.approx(table["roc_auc"]["model"] - table["roc_auc"]["noisier"])
    assert found.low < found.value < found.high
    assert found.high - found.low < table["roc_auc_high"]["model"] - table["roc_auc_low"]["model"]
    assert found.excludes_zero
    for metric in ("roc_auc", "ece"):
        there, back = (
            difference(frame, *pair, metric, repeats=50, rng=np.random.default_rng(0))
            for pair in (("model", "noisier"), ("noisier", "model"))
        )
        assert [back.value, back.low, back.high] == pytest.approx([-there.value, -there.high, -there.low])
        assert back.excludes_zero == there.excludes_zero


def test_a_contestant_does_not_differ_from_itself():
    frame = panel(100, 2, {"model": 0.3, "same": 0.3}, seed=10)
    twin = frame["contestant"] == "same"
    frame.loc[twin, "probability"] = frame.loc[~twin, "probability"].to_numpy()
    for metric in (*evaluation.RANKING, *evaluation.CALIBRATION):
        found = difference(frame, "model", "same", metric, repeats=30, rng=np.random.default_rng(0))
        assert [found.value, found.low, found.high] == pytest.approx([0, 0, 0], abs=1e-12)
        assert not found.excludes_zero


def test_the_share_of_achievable_skill_is_the_part_of_the_way_from_floor_to_ceiling():
    frame = panel(400, 3, {"cycle": 2.0, "model": 0.8, "particle_filter": 0.0}, seed=17)
    table = standing_table(frame, repeats=1, rng=np.random.default_rng(0)).set_index("contestant")
    found = evaluation.achievable_share(
        frame, floor="cycle", ceiling="particle_filter", repeats=200, rng=np.random.default_rng(0)
    )
    assert found["contestant"].tolist() == ["model"]
    for metric in evaluation.SKILL:
        part = table[metric]["model"] - table[metric]["cycle"]
        whole = table[metric]["particle_filter"] - table[metric]["cycle"]
        assert found[metric][0] == pytest.approx(part / whole)
        assert found[f"{metric}_low"][0] < found[metric][0] < found[f"{metric}_high"][0] < 1.05
    # Both ends move with the sample: what is left is surer than the contestant's own interval lets expect.
    auc = difference(frame, "model", "cycle", "roc_auc", repeats=200, rng=np.random.default_rng(0))
    assert found["roc_auc_high"][0] - found["roc_auc_low"][0] < (auc.high - auc.low) / abs(auc.value) + 0.1


def test_a_contestant_as_good_as_the_floor_has_none_of_the_skill_and_one_as_the_ceiling_all_of_it():
    frame = panel(300, 2, {"cycle": 2.0, "low": 2.0, "high": 0.1, "particle_filter": 0.1}, seed=18)
    for copy, of in (("low", "cycle"), ("high", "particle_filter")):
        values = frame.loc[frame["contestant"] == of, "probability"].to_numpy()
        frame.loc[frame["contestant"] == copy, "probability"] = values
    found = evaluation.achievable_share(
        frame, floor="cycle", ceiling="particle_filter", repeats=50, rng=np.random.default_rng(0)
    ).set_index("contestant")
    for metric in evaluation.SKILL:
        assert found.loc["low", [metric, f"{metric}_low", f"{metric}_high"]].tolist() == pytest.approx([0, 0, 0])
        assert found.loc["high", [metric, f"{metric}_low", f"{metric}_high"]].tolist() == pytest.approx([1, 1, 1])


def test_where_the_ceiling_is_no_better_than_the_floor_there_is_nothing_to_share():
    frame = panel(150, 2, {"cycle": 0.5, "model": 0.5, "particle_filter": 0.5}, seed=19)
    found = evaluation.achievable_share(
        frame, floor="cycle", ceiling="particle_filter", repeats=50, rng=np.random.default_rng(0)
    )
    assert found.drop(columns="contestant").isna().all(axis=None)
    ranks = evaluation.achievable_share(
        panel(400, 2, {"cycle": 3.0, "model": 0.5, "particle_filter": 0.0}, seed=20),
        floor="cycle",
        ceiling="particle_filter",
        ranks_only=["cycle"],
        repeats=50,
        rng=np.random.default_rng(0),
    )
    assert ranks["roc_auc"].notna().all()
    assert ranks[["brier", "log_loss_low"]].isna().all(axis=None)
    with pytest.raises(InvalidPredictions, match="No predictions of"):
        evaluation.achievable_share(frame, floor="cycle", ceiling="absent", rng=np.random.default_rng(0))
    with pytest.raises(InvalidPredictions, match="calibration_slope"):
        evaluation.achievable_share(
            frame,
            floor="cycle",
            ceiling="particle_filter",
            metrics=["calibration_slope"],
            rng=np.random.default_rng(0),
        )


def test_a_score_that_is_no_probability_is_ranked_and_not_called_calibrated():
    frame = panel(100, 2, {"model": 0.3, "days": 0.5, "health": 0.5}, seed=11)
    frame.loc[frame["contestant"] == "days", "probability"] *= 400
    table = standing_table(frame, repeats=10, ranks_only=["health"], rng=np.random.default_rng(0))
    assert table["contestant"].tolist() == ["model", "days", "health"]
    assert table["roc_auc_low"].notna().all()
    assert table["brier"].isna().tolist() == table["ece_high"].isna().tolist() == [False, True, True]


def test_the_seed_decides_the_intervals_and_the_size_of_the_pieces_does_not(monkeypatch):
    frame = panel(80, 2, {"model": 0.3}, seed=12)
    first, other = (standing_table(frame, repeats=20, rng=np.random.default_rng(seed)) for seed in (1, 2))
    monkeypatch.setattr(book, "_CELLS", 300)
    pd.testing.assert_frame_equal(first, standing_table(frame, repeats=20, rng=np.random.default_rng(1)))
    assert first["roc_auc_low"][0] != other["roc_auc_low"][0]


def test_a_cutoff_with_one_class_is_left_out_of_the_average_and_alone_gives_nan():
    frame = panel(100, 2, {"model": 0.3}, seed=13)
    quiet = frame["as_of"] == pd.Timestamp(2024, 2, 1)
    frame.loc[quiet, "outcome"] = 0
    both, known, none = (
        standing_table(rows, repeats=10, rng=np.random.default_rng(0)).iloc[0]
        for rows in (frame, frame[~quiet], frame[quiet])
    )
    assert both["roc_auc"] == known["roc_auc"]
    assert np.isnan(none[["roc_auc", "roc_auc_low", "roc_auc_high"]].astype(float)).all()
    assert none["brier_low"] <= none["brier"] <= none["brier_high"]


@pytest.mark.parametrize(
    ("p", "y", "message"),
    [
        ([0.1, np.nan], [0, 1], "finite"),
        ([0.1, 0.2], [0, np.nan], "0 or 1"),
        ([0.1, 0.2], [0, 2], "0 or 1"),
        ([0.1, 0.2, 0.3], [0, 1], "one length"),
        ([], [], "at least one row"),
        (["low", "high"], [0, 1], "numbers"),
    ],
)
def test_rows_that_cannot_be_judged_are_refused_in_one_line(p, y, message):
    for figure in (evaluation.roc_auc, evaluation.ece, evaluation.decile_table):
        with pytest.raises(InvalidPredictions, match=message) as raised:
            figure(p, y)
        assert "\n" not in str(raised.value)
    assert issubclass(InvalidPredictions, ValueError)
    assert issubclass(InvalidPredictions, KizashiError)


@pytest.mark.parametrize("figure", [evaluation.brier, evaluation.log_loss, evaluation.ece, evaluation.murphy])
def test_a_score_outside_0_to_1_is_no_probability(figure):
    with pytest.raises(InvalidPredictions, match="position 1"):
        figure([0.5, 30.0], [0, 1])


def test_contestants_on_other_rows_are_not_compared():
    frame = panel(50, 2, {"model": 0.3, "rule": 0.5}, seed=14)
    rng = np.random.default_rng(0)
    other_outcome = frame.assign(outcome=frame["outcome"].where(frame.index != 0, 1 - frame["outcome"]))
    broken = {
        "fewer": frame.iloc[1:],
        "doubled": pd.concat([frame, frame]),
        "renamed": frame.assign(customer_id=frame["customer_id"].where(frame.index != 0, "stranger")),
        "no key": frame.assign(customer_id=frame["customer_id"].where(frame.index != 0, None)),
        "other outcome": other_outcome,
    }
    for rows in broken.values():
        with pytest.raises(InvalidPredictions, match="the same"):
            standing_table(rows, rng=rng)
    with pytest.raises(InvalidPredictions, match="need the columns"):
        standing_table(frame.drop(columns="as_of"), rng=rng)
    with pytest.raises(InvalidPredictions, match="No predictions of"):
        difference(frame, "model", "nobody", "roc_auc", rng=rng)
    with pytest.raises(InvalidPredictions, match="one of the metrics"):
        difference(frame, "model", "rule", "accuracy", rng=rng)


@pytest.mark.parametrize("wrong", [{"repeats": 0}, {"capacity": 0}])
def test_settings_of_the_table_that_mean_nothing_are_refused(wrong):
    frame = panel(20, 1, {"model": 0.3}, seed=15)
    with pytest.raises(InvalidPredictions, match="at least"):
        standing_table(frame, **wrong, rng=np.random.default_rng(0))
    with pytest.raises(InvalidPredictions, match="share must be"):
        evaluation.lift_at([0.1, 0.2], [0, 1], 0.0)


def test_plots_are_figures_of_their_own_that_differ_by_more_than_colour():
    frame = panel(200, 2, {"model": 0.3, "rule": 1.5}, seed=16)
    for plot in (evaluation.reliability_plot, evaluation.lift_plot):
        figure = plot(frame, title="Ninety days")
        (axes,) = figure.axes
        labels = [text.get_text() for text in axes.get_legend().get_texts()]
        assert labels[1:] == ["model", "rule"]
        lines = [line for line in axes.get_lines() if line.get_marker() in ("o", "s")]
        assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == len(lines) == 2
        assert axes.get_title() == "Ninety days"
        picture = io.BytesIO()
        figure.savefig(picture, format="png")
        assert picture.getvalue().startswith(b"\x89PNG")


def test_importing_and_plotting_touch_no_global_plotting_state():
    code = (
        "import sys, json, pandas as pd; from models import evaluation; before = 'matplotlib' in sys.modules;"
        "rows = pd.DataFrame({'contestant': 'a', 'customer_id': ['x', 'y'], 'as_of': 1, "
        "'probability': [.1, .9], 'outcome': [0, 1]}); evaluation.lift_plot(rows);"
        "print(json.dumps([before, 'matplotlib.pyplot' in sys.modules]))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [False, False]
