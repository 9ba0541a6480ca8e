"""The search of settings: adopted where it surely helps, blind for what came later, one line where it cannot run."""

import sys
from dataclasses import asdict, replace
from datetime import date
from functools import cache

import pandas as pd
import pytest
from worlds import QUICK, told_company

from features.errors import SettingsError, TooLittleData
from features.snapshots import SnapshotTable, drawn
from models.classifiers import BoostingOptions
from models.tuning import Tuned, gained, tune

DATES = sorted(told_company().frame["as_of"].unique())
#: Four dates with 90 known days lie before it, each with three that had matured at it.
BEFORE = DATES[11].date()
#: It has hardly begun to learn when it stops.
WEAK = BoostingOptions(rounds=50, learning_rate=0.02, num_leaves=4, lambda_l2=50.0, bags=1)
OPTIONS = replace(QUICK, boosting=WEAK)


def searched(
    table: SnapshotTable | None = None, trials: int = 3, start: BoostingOptions = WEAK, seed: int = 0
) -> Tuned:
    options = replace(OPTIONS, boosting=start, seed=seed)
    return tune(told_company() if table is None else table, BEFORE, options, trials=trials)


@cache
def found() -> Tuned:
    return searched()


# --- when settings are adopted


def test_settings_that_surely_help_are_adopted():
    tuned = found()
    assert tuned.adopted
    assert tuned.gain > tuned.error > 0
    best = tuned.trials.loc[tuned.trials["log_loss"].idxmin()]
    assert tuned.options == replace(WEAK, **best.drop("log_loss").to_dict() | whole_numbers(best))
    assert tuned.options.rounds * tuned.options.learning_rate > WEAK.rounds * WEAK.learning_rate
    assert tuned.gain == pytest.approx(tuned.trials["log_loss"].iloc[0] - best["log_loss"])


def whole_numbers(row: pd.Series) -> dict[str, int]:
    return {name: int(row[name]) for name in ("rounds", "num_leaves", "min_child_samples")}


def test_the_first_trial_has_the_settings_that_were_there_before():
    first = found().trials.iloc[0].drop("log_loss").to_dict()
    assert first == {name: value for name, value in asdict(WEAK).items() if name in first}
    assert len(found().trials) == 3


def test_a_search_that_begins_with_the_best_settings_keeps_them():
    best = found().options
    tuned = searched(start=best)
    # The same seed draws the same settings again: a tie is no reason to change.
    assert tuned.trials["log_loss"].iloc[1] == tuned.trials["log_loss"].iloc[0] == tuned.trials["log_loss"].min()
    assert (tuned.adopted, tuned.options, tuned.gain) == (False, best, 0)


def test_the_gain_is_the_mean_over_dates_and_its_error_that_of_a_mean():
    # Gains of .10 and .08: their standard deviation is .02 / sqrt 2, that of their mean .01.
    assert gained([0.60, 0.60], [0.50, 0.52]) == pytest.approx((0.09, 0.01))
    # .10 and -.09: on the whole better, but by less than a standard error.
    gain, error = gained([0.60, 0.60], [0.50, 0.69])
    assert (gain, error) == pytest.approx((0.005, 0.095))
    assert gained([0.5, 0.6], [0.5, 0.6]) == (0, 0)


def test_a_gain_within_one_standard_error_keeps_the_settings(monkeypatch):
    gains = iter([(0.010, 0.011), (0.011, 0.011), (0.012, 0.011)])
    monkeypatch.setattr("models.tuning.gained", lambda _before, _after: next(gains))
    assert [searched(trials=1).adopted for _ in range(3)] == [False, False, True]


def test_settings_outside_the_usual_bounds_are_a_place_to_begin_without_a_warning():
    start = BoostingOptions(rounds=6, learning_rate=0.3, lambda_l2=0.0, min_child_samples=5, bags=1)
    first = searched(trials=2, start=start).trials.iloc[0]
    assert (first["rounds"], first["learning_rate"], first["lambda_l2"], first["min_child_samples"]) == (6, 0.3, 0, 5)


# --- what it sees


def test_nothing_that_was_known_later_changes_any_trial():
    table = told_company()
    later = table.frame["as_of"] >= pd.Timestamp(BEFORE)
    frame = table.frame.assign(revenue_90d=table.frame["revenue_90d"].mask(later, 1e6), cohort="eligible")
    unknown = table.order_days["visible_from"] > pd.Timestamp(BEFORE)
    moved = pd.Series(pd.Timestamp(BEFORE), index=table.order_days.index) + pd.Timedelta(days=1)
    # Every third order of before is cancelled a day after, all others come on that day.
    cancelled = ~unknown & (table.order_days.index % 3 == 0)
    orders = table.order_days.assign(
        day=table.order_days["day"].mask(unknown, moved),
        visible_from=table.order_days["visible_from"].mask(unknown, moved + pd.Timedelta(days=1)),
        visible_until=table.order_days["visible_until"].mask(cancelled, moved),
    )
    assert later.any()
    assert unknown.any()
    otherwise = searched(replace(table, frame=frame, order_days=orders))
    assert otherwise.options == found().options
    pd.testing.assert_frame_equal(otherwise.trials, found().trials, check_exact=True)


def test_what_was_known_before_changes_the_trials():
    table = told_company()
    first = table.frame["as_of"] <= DATES[3]
    frame = table.frame.assign(revenue_90d=table.frame["revenue_90d"].mask(first, 1.0))
    assert (searched(replace(table, frame=frame)).trials["log_loss"] != found().trials["log_loss"]).all()


def test_the_same_seed_tries_the_same_settings_and_another_one_others():
    pd.testing.assert_frame_equal(searched().trials, found().trials, check_exact=True)
    other = searched(seed=1).trials
    assert (other["learning_rate"].iloc[1:] != found().trials["learning_rate"].iloc[1:]).all()


def test_every_trial_is_announced():
    said = []
    tune(told_company(), BEFORE, OPTIONS, trials=2, progress=lambda what, share: said.append((what, share)))
    assert said[-2:] == [("trial 1 of 2", 0.0), ("trial 2 of 2", 0.5)]


# --- when it cannot run


def test_without_optuna_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SettingsError) as raised:
        searched()
    assert str(raised.value) == "--tune needs Optuna: install kizashi[tune]."


@pytest.mark.parametrize(
    ("before", "dates"),
    [(date(2023, 1, 1), 0), (DATES[3].date(), 0), (DATES[8].date(), 1), (DATES[9].date(), 2)],
    ids=str,
)
def test_two_dates_with_enough_before_them_are_needed(before, dates):
    # A date teaches once 90 days have passed, and three such dates are needed: the sixth date is the first to be tried.
    if dates >= 2:
        assert len(tune(told_company(), before, OPTIONS, trials=1).trials) == 1
        return
    with pytest.raises(TooLittleData) as raised:
        tune(told_company(), before, OPTIONS, trials=1)
    said = str(raised.value)
    assert said.startswith(f"--tune needs two dates with 90 known days before {before}, and enough that had matured")
    assert f"found {dates}. Leave it out" in said
    assert "\n" not in said


def test_a_company_of_a_few_customers_is_told_the_same():
    table = told_company()
    few = table.frame[drawn(table.frame["customer_id"], 0.05)].reset_index(drop=True)
    with pytest.raises(TooLittleData, match=r"--tune needs two dates .* found 0\. Leave it out"):
        searched(replace(table, frame=few))


def interrupt(what: str, _share: float) -> None:
    if what.startswith("trial"):
        raise KeyboardInterrupt


def test_the_logging_of_optuna_is_left_as_it_was():
    import optuna

    before = optuna.logging.get_verbosity()
    try:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        searched(trials=1)
        assert optuna.logging.get_verbosity() == optuna.logging.ERROR
        with pytest.raises(KeyboardInterrupt):
            tune(told_company(), BEFORE, OPTIONS, trials=1, progress=interrupt)
        assert optuna.logging.get_verbosity() == optuna.logging.ERROR
    finally:
        optuna.logging.set_verbosity(before)
