"""A search of LightGBM's settings, for those who ask for it: on dates before the tested ones, and rarely worth it.

Thirty trials of a tree-structured Parzen estimator (Bergstra et al. 2011, Advances in Neural Information Processing
Systems 24) by Optuna, judged by the walk-forward log loss at each date's own level. The best trial replaces the
defaults only if it is better by more than one standard error over dates (Breiman et al. 1984, section 3.4.3).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from features.errors import SettingsError, TooLittleData
from features.labels import HORIZONS, no_order_within
from features.snapshots import ELIGIBLE, Progress, SnapshotTable, silent
from models.classifiers import LIGHTGBM, Boosting, BoostingOptions
from models.contestants import Training
from models.folds import WalkOptions, training_at, with_rhythms
from models.selection import losses_at_own_level

TRIALS = 30
#: Dates that a trial is judged on, the newest that had matured before the first tested one.
DATES = 5
HORIZON = 90


@dataclass(frozen=True)
class Tuned:
    """What a search came to.

    Attributes
    ----------
    options
        The settings to use: the best trial's, or those that the search began with.
    adopted
        Whether they are the best trial's.
    gain, error
        How much lower the best trial's loss was, mean over dates, and the standard error of that.
    trials
        One row per trial: its settings and ``log_loss``; the first one has the settings that were there before.
    """

    options: BoostingOptions
    adopted: bool
    gain: float
    error: float
    trials: pd.DataFrame


def tune(
    table: SnapshotTable,
    before: date,
    options: WalkOptions,
    *,
    trials: int = TRIALS,
    progress: Progress = silent,
) -> Tuned:
    """Search settings of LightGBM on dates whose outcome was known before the first tested date.

    Parameters
    ----------
    table
        Snapshots, as for a walk.
    before
        The first tested date: nothing that was known only after it is used.
    options
        Of the walk; its `boosting` is where the search begins.

    Raises
    ------
    SettingsError
        If Optuna is not installed.
    TooLittleData
        If fewer than two dates had matured.
    """
    try:
        import optuna
    except ImportError as absent:
        raise SettingsError("--tune needs Optuna: install kizashi[tune].") from absent
    judged = _judged(table, before, options, progress)
    losses: dict[int, list[float]] = {}

    def objective(trial: "optuna.Trial") -> float:
        progress(f"trial {trial.number + 1} of {trials}", trial.number / trials)
        tried = _tried(options.boosting, trial)
        losses[trial.number] = [_loss(tried, *one) for one in judged]
        return float(np.mean(losses[trial.number]))

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=options.seed))
        study.enqueue_trial({name: asdict(options.boosting)[name] for name in _SPACE})
        study.optimize(objective, n_trials=trials)
    finally:
        optuna.logging.set_verbosity(verbosity)
    gain, error = gained(losses[0], losses[study.best_trial.number])
    adopted = gain > error
    found = replace(options.boosting, **study.best_params) if adopted else options.boosting
    rows = [{**trial.params, "log_loss": trial.value} for trial in study.trials]
    return Tuned(found, adopted, gain, error, pd.DataFrame(rows))


def gained(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """How much lower the losses of some dates are than before: their mean difference and its standard error."""
    gains = np.array(before) - np.array(after)
    return float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))


#: Bounds of the search, wider where the settings that it begins with lie outside, and whether it runs on a logarithmic
#: scale.
_SPACE: dict[str, tuple[float, float, bool]] = {
    "rounds": (50, 250, True),
    "learning_rate": (0.02, 0.1, True),
    "num_leaves": (4, 31, True),
    "min_child_samples": (20, 200, True),
    "feature_fraction": (0.2, 0.9, False),
    "lambda_l2": (0.1, 50.0, True),
}
_WHOLE = ("rounds", "num_leaves", "min_child_samples")


def _tried(options: BoostingOptions, trial: Any) -> BoostingOptions:
    found: dict[str, Any] = {}
    for name, (low, high, log) in _SPACE.items():
        here = asdict(options)[name]
        low, high = min(low, here), max(high, here)
        # A logarithmic scale has no place for a penalty of 0.
        log = log and low > 0
        if name in _WHOLE:
            found[name] = trial.suggest_int(name, int(low), int(high), log=log)
        else:
            found[name] = trial.suggest_float(name, low, high, log=log)
    return replace(options, **found)


def _judged(
    table: SnapshotTable, before: date, options: WalkOptions, progress: Progress
) -> Sequence[tuple[Training, pd.DataFrame, pd.Series]]:
    """What was known at each judged date, its cohort, and what came of it."""
    last = pd.Timestamp(before) - pd.Timedelta(days=HORIZON + options.invoice_latency_days)
    past = table.frame[table.frame["as_of"] <= last].reset_index(drop=True)
    try:
        table = with_rhythms(replace(table, frame=past), options, progress)
    except TooLittleData as none:
        raise _too_little(before, 0) from none
    frame = table.frame
    outcome = no_order_within(table.outcomes(before), HORIZON)
    parts = []
    for day in sorted(frame["as_of"].unique())[-DATES:]:
        training = replace(training_at(table, day, options), horizons=(HORIZON,))
        here = frame[(frame["as_of"] == day) & (frame["cohort"] == ELIGIBLE)]
        fitted = Boosting(LIGHTGBM, replace(options.boosting, rounds=1, bags=1)).fit(training)
        if fitted.bags[HORIZONS.index(HORIZON)]:
            parts.append((training, here, outcome.loc[here.index]))
    if len(parts) < 2:
        raise _too_little(before, len(parts))
    return parts


def _too_little(before: date, found: int) -> TooLittleData:
    return TooLittleData(
        f"--tune needs two dates with {HORIZON} known days before {before}, and enough that had matured at each to "
        f"learn from; found {found}. Leave it out: the defaults were chosen on other data."
    )


def _loss(tried: BoostingOptions, training: Training, here: pd.DataFrame, outcome: pd.Series) -> float:
    margin = Boosting(LIGHTGBM, tried).fit(training).margins(here)[:, HORIZONS.index(HORIZON)]
    return float(losses_at_own_level(margin[:, None], outcome.to_numpy())[0])
