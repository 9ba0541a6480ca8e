"""The calibration certificate on probabilities whose truth is known: kept, broken, or not to be told."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from models.certificate import Certificate, Limits, certify, holm, interval_coverage
from models.figures import InvalidPredictions
from models.plots import smooth_reliability_plot
from models.smooth_curve import smooth_curve
from models.verdict import COLUMNS, JUDGED, TOO_LITTLE


def book(customers=800, cutoffs=6, seed=0, shift=(), slope=1.0):
    """Monthly predictions; the truth is that of the probability, but for a cutoff's `shift` and the `slope`."""
    rng = np.random.default_rng(seed)
    parts = []
    for month in range(cutoffs):
        margin = rng.normal(-0.5, 1.2, customers)
        truth = expit(slope * margin + (shift[month] if month < len(shift) else 0.0))
        key = {"customer_id": [f"c{i}" for i in range(customers)], "as_of": pd.Timestamp(2024, month + 1, 1)}
        level = np.where(margin > 1, "red", np.where(margin > 0, "blue", "none"))
        outcome = (rng.random(customers) < truth).astype(float)
        parts.append(pd.DataFrame(key | {"probability": expit(margin), "outcome": outcome, "level": level}))
    return pd.concat(parts, ignore_index=True)


def certified(rows, repeats=40, **limits):
    return certify(rows, Limits(**limits), np.random.default_rng(1), repeats)


def codes(one, withholds=True):
    return {finding.code for finding in one.findings if finding.withholds == withholds}


@pytest.fixture(scope="module")
def kept():
    return certified(book())


def test_probabilities_that_kept_their_promise_are_shown_as_percentages(kept):
    assert (kept.verdict, kept.shows_percentages, codes(kept)) == ("percentages", True, set())
    assert set(kept.groups["passed"]) == {True}
    assert kept.overall["slope_low"] < 1 < kept.overall["slope_high"]
    assert kept.overall["in_the_large_low"] < 0 < kept.overall["in_the_large_high"]
    assert kept.to_words()[0].startswith("Percentages are shown")


def test_the_figures_are_those_of_the_evaluation_and_add_up():
    # Two bins: 4 rows at .25 of which 1 was silent, 4 at .75 of which 2 were.
    rows = pd.DataFrame(
        {
            "customer_id": list("abcdefgh"),
            "as_of": pd.Timestamp("2024-02-01"),
            "probability": [0.25] * 4 + [0.75] * 4,
            "outcome": [1, 0, 0, 0, 1, 1, 0, 0],
        }
    )
    found = certified(rows).overall
    assert (found["n"], found["n_customers"], found["n_cutoffs"]) == (8, 8, 1)
    assert (found["base_rate"], found["promised"]) == (0.375, 0.5)
    assert found["ece"] == pytest.approx(0.125)
    assert found["reliability"] == pytest.approx((0 + 0.25**2) / 2)
    assert found["resolution"] == pytest.approx(0.125**2)
    assert found["uncertainty"] == pytest.approx(0.375 * 0.625)
    assert found["brier"] == pytest.approx(found["reliability"] - found["resolution"] + found["uncertainty"])
    # The line through logit(1/4) at -log 3 and logit(1/2) at +log 3.
    assert found["slope"] == pytest.approx(0.5)
    assert found["intercept"] == pytest.approx(-np.log(3) / 2)


def test_one_season_that_went_another_way_withholds_percentages_and_is_named():
    one = certified(book(shift=(0, 0, 0, 0, 0, -0.9)))
    assert one.verdict == "levels_only"
    assert not one.too_little
    failed = one.groups[one.groups["passed"] == False]  # noqa: E712 - None is not False
    assert "2024-06-01" in set(failed["group"])
    assert not {f"2024-0{month}-01" for month in range(1, 6)} & set(failed["group"])
    told = next(one for one in one.findings if one.code == "group_in_the_large" and one.figures["kind"] == "cutoff")
    assert told.figures["group"] == "2024-06-01"
    assert told.figures["value"] == pytest.approx(one.season_levels["2024-06-01"])
    assert "cutoff 2024-06-01: level in log-odds -0." in told.words


@pytest.mark.parametrize(("slope", "shown"), [(0.55, False), (0.95, True), (1.8, False)])
def test_a_slope_outside_its_limits_withholds_percentages(slope, shown):
    one = certified(book(slope=slope))
    assert one.shows_percentages == shown
    assert ("pooled_slope" in codes(one)) != shown


def test_the_level_of_a_cutoff_is_its_intercept_in_the_large_and_their_spread_is_told():
    shifts = (0.3, -0.3, 0.3, -0.3, 0.3, -0.3)
    one = certified(book(customers=4_000, shift=shifts))
    assert list(one.season_levels.values()) == pytest.approx(shifts, abs=0.13)
    assert one.season_sd == pytest.approx(np.std(shifts, ddof=1), abs=0.08)


@pytest.mark.parametrize("customers", [8, 40])
def test_a_small_book_gets_levels_that_say_they_are_uncalibrated(customers):
    one = certified(book(customers=customers, cutoffs=12))
    assert one.verdict == "levels_only"
    assert one.too_little
    assert "few_customers" in codes(one)
    assert codes(one) <= set(TOO_LITTLE)
    assert "uncalibrated for this company" in one.to_words()[0]
    assert set(one.groups["passed"]) == {None}
    assert "groups_not_judged" in codes(one, withholds=False)


def test_a_small_book_that_is_far_off_is_told_so():
    one = certified(book(customers=40, cutoffs=12, shift=(-3.0,) * 12))
    assert not one.too_little
    assert "pooled_in_the_large" in codes(one)


def test_a_slice_with_too_few_customers_is_not_judged_and_does_not_pass():
    rows = book().assign(
        segment=lambda frame: np.where(frame["customer_id"].isin([f"c{i}" for i in range(99)]), "a", "b")
    )
    groups = certified(rows).groups.set_index("group")
    assert (groups.loc["a", "n_customers"], groups.loc["a", "passed"]) == (99, None)
    assert groups.loc["b", "passed"] is True
    assert np.isnan(groups.loc["a", "ece_low"])
    assert groups.loc["a", "ece"] > 0
    assert certified(rows, group_customers=99).groups.set_index("group").loc["a", "passed"] is True


def test_three_cutoffs_are_too_few_and_four_are_enough():
    assert codes(certified(book(cutoffs=3))) == {"few_cutoffs"}
    assert codes(certified(book(cutoffs=4))) == set()


def test_nothing_matured_is_a_certificate_too():
    one = certified(book().head(0))
    assert (one.verdict, codes(one), one.too_little) == ("levels_only", {"nothing_matured"}, True)
    assert Certificate.from_dict(json.loads(json.dumps(one.to_dict(), allow_nan=False))).to_dict() == one.to_dict()
    assert len(one.groups) == 0


def test_outcomes_of_one_kind_determine_nothing():
    one = certified(book().query("outcome == 1"))
    assert "undetermined" in codes(one)
    assert not one.shows_percentages


def test_the_certificate_survives_the_manifest(kept):
    again = Certificate.from_dict(json.loads(json.dumps(kept.to_dict(), allow_nan=False)))
    pd.testing.assert_frame_equal(again.groups, kept.groups)
    assert again.to_dict() == kept.to_dict()
    assert again.to_words() == kept.to_words()
    assert list(again.groups) == list(COLUMNS)


def test_slices_stand_in_their_order_and_those_without_a_name_are_left_out():
    rows = book(cutoffs=4).assign(queue="early", segment=None)
    groups = certified(rows).groups
    assert list(dict.fromkeys(groups["kind"])) == ["cutoff", "season", "level", "queue"]
    assert groups.loc[groups["kind"] == "season", "group"].tolist() == ["2024Q1", "2024Q2"]
    assert groups.loc[groups["kind"] == "level", "group"].tolist() == ["red", "blue", "none"]


def test_part_of_a_year_is_a_note_and_a_whole_year_is_none():
    assert "part_of_a_year" in codes(certified(book(customers=300, cutoffs=11)), withholds=False)
    assert "part_of_a_year" not in codes(certified(book(customers=300, cutoffs=12)), withholds=False)


def test_the_same_rows_and_the_same_generator_give_the_same_certificate(kept):
    assert certified(book()).to_dict() == kept.to_dict()
    assert certified(book().sample(frac=1, random_state=3)).overall["ece"] == pytest.approx(kept.overall["ece"])


def test_holm_is_stricter_with_more_tests_and_stops_at_the_first_that_stands():
    # .025 / 3 = .0083, .025 / 2 = .0125, .025 / 1
    assert holm(np.array([0.008, 0.012, 0.025]), 0.025).tolist() == [True, True, True]
    assert holm(np.array([0.009, 0.001, 0.013]), 0.025).tolist() == [True, True, True]
    assert holm(np.array([0.013, 0.001, 0.024]), 0.025).tolist() == [False, True, False]
    assert holm(np.array([0.009, 0.009, 0.009]), 0.025).tolist() == [False, False, False]
    assert holm(np.array([np.nan, 0.012, 0.9]), 0.025).tolist() == [False, True, False]


def test_calibrated_slices_seldom_fail_however_many_there_are():
    rng = np.random.default_rng(5)
    failed = 0
    for seed in range(6):
        rows = book(customers=400, cutoffs=4, seed=seed)
        one = certified(rows.assign(segment=rng.choice(list("abcd"), len(rows))), repeats=40)
        failed += not one.shows_percentages
    assert failed <= 1


def test_the_slope_within_a_level_is_not_held_against_it():
    rows = book(customers=3_000)
    red = rows["level"] == "red"
    middle = rows.loc[red, "probability"].mean()
    shy = rows["probability"].mask(red, middle + 0.3 * (rows["probability"] - middle))
    groups = certified(rows.assign(probability=shy)).groups.set_index("group")
    assert groups.loc["red", "slope_low"] > 1.25
    assert groups.loc["red", "passed"] is True


@pytest.mark.parametrize(("half", "share"), [(0.5, 1.0), (0.0, 0.0)])
def test_interval_coverage_is_the_share_of_deciles_within_their_mean_interval(half, share):
    rows = book(customers=600, cutoffs=4)
    bounds = {"probability_low": rows["probability"] - half, "probability_high": rows["probability"] + half}
    assert certified(rows.assign(**bounds)).interval_coverage == share
    assert interval_coverage(rows.assign(**bounds)) == share


def test_deciles_of_fewer_than_thirty_rows_say_nothing_of_intervals():
    rows = book(customers=299, cutoffs=1).assign(probability_low=0.0, probability_high=1.0)
    more = book(customers=300, cutoffs=1).assign(probability_low=0.0, probability_high=1.0)
    assert np.isnan(certified(rows.iloc[:290]).interval_coverage)
    assert certified(more).interval_coverage == 1.0
    assert np.isnan(certified(book(customers=300, cutoffs=1)).interval_coverage)


def test_missing_columns_and_doubled_customers_are_refused():
    with pytest.raises(InvalidPredictions, match=r"need \['outcome'\]"):
        certified(book().drop(columns="outcome"))
    with pytest.raises(InvalidPredictions, match="each once"):
        certified(pd.concat([book(), book().head(1)]))


def test_many_customers_are_drawn_for_the_intervals_but_the_figures_are_of_all(monkeypatch):
    from models import certificate

    rows = book(customers=2_000, cutoffs=4)
    whole = certified(rows).overall
    monkeypatch.setattr(certificate, "MOST_CUSTOMERS", 500)
    drawn = certified(rows).overall
    for name in JUDGED:
        assert drawn[name] == whole[name]
        assert drawn[f"{name}_low"] <= drawn[name] <= drawn[f"{name}_high"]
    assert drawn["slope_high"] - drawn["slope_low"] > 1.5 * (whole["slope_high"] - whole["slope_low"])


def test_the_smooth_curve_of_perfect_probabilities_lies_on_the_diagonal_and_its_band_holds_it():
    curve = smooth_curve(book(customers=3_000, cutoffs=4), rng=np.random.default_rng(2))
    inner = curve[curve["probability"].between(0.05, 0.9)]
    assert (inner["observed"] - inner["probability"]).abs().max() < 0.05
    assert ((inner["low"] <= inner["probability"]) & (inner["probability"] <= inner["high"])).mean() > 0.8
    assert curve["probability"].is_monotonic_increasing
    assert curve[["observed", "low", "high"]].stack().between(0, 1).all()


def test_the_smooth_curve_shows_a_level_that_is_off():
    curve = smooth_curve(book(customers=3_000, cutoffs=4, shift=(1.0,) * 4), rng=np.random.default_rng(2))
    middle = curve.iloc[(curve["probability"] - 0.5).abs().argmin()]
    assert middle["observed"] == pytest.approx(expit(logit(middle["probability"]) + 1), abs=0.05)
    assert middle["low"] > middle["probability"]


def test_the_smooth_reliability_plot_has_the_curve_its_band_and_the_bins():
    rows = book(customers=300, cutoffs=4)
    curve = smooth_curve(rows, rng=np.random.default_rng(2), repeats=50)
    [axes] = smooth_reliability_plot(rows, curve, title="out of time").axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["as promised", "95 %", "smooth", "15 bins"]
    drawn = axes.lines[1].get_xydata()
    assert drawn.shape == (len(curve), 2)
    assert drawn[0].tolist() == curve[["probability", "observed"]].iloc[0].tolist()
