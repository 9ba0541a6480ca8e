"""Weights of the health score from the company's own losses: learned on its past, put in use, logged."""

from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import SettingsError, TooLittleData
from features.snapshots import ELIGIBLE, Progress, monthly, silent
from models.health import Shares
from models.health_history import health_rows
from models.health_weight_history import WeightsChange, change_weights, in_use, read_changes
from models.health_weights import Learned, learn_weights, matured_scores
from pipelines.health_sections import Health
from pipelines.intake import FIRST_LOOKBACK_DAYS, Intake
from pipelines.rule_replay import windowed

#: Months of the past that weights are learned from at most.
MONTHS = 24


def learn(intake: Intake, *, progress: Progress = silent) -> Learned:
    """What the newest two years of which all is known say of the weights, beside the set ones.

    Raises
    ------
    TooLittleData
        If there is no such past.
    """
    section = intake.settings.health
    last = intake.observed_until - timedelta(days=intake.settings.window.max_days)
    first = intake.first_order() + timedelta(days=FIRST_LOOKBACK_DAYS)
    if first > last:
        raise TooLittleData(
            f"health weights: expected a past until {last}, of which all is known by now; the orders begin too late. "
            "Keep the weights that are set until more has happened."
        )
    dates = monthly(max(first, (pd.Timestamp(last) - pd.DateOffset(months=MONTHS)).date()), last)
    progress("outcomes of the past", 0.2)
    frame, _, _ = windowed(intake, dates)
    progress("health in the past", 0.4)
    health = health_rows(intake.events, dates, section.made(), options=intake.options(), engine=intake.engine)
    progress("weights that tell the losses", 0.8)
    scores = matured_scores(health, frame[frame["cohort"] == ELIGIBLE])
    return learn_weights(scores, section.set_weights(), rng=np.random.default_rng(intake.settings.training.seed))


def weights_in_use(out: Path, section: Health) -> Shares:
    """The newest weights of the log, those that are set where there are none."""
    return in_use(read_changes(out), section.set_weights())


def use(out: Path, section: Health, found: Learned, *, who: str, why: str, at: datetime) -> WeightsChange | None:
    """Put learned weights in use and keep a record of it; None where they are in use already.

    Raises
    ------
    SettingsError
        If nothing was learned.
    """
    if found.why != "learned":
        raise SettingsError(
            f"--use: expected learned weights, but nothing was learned ({found.why}). Keep those that are set."
        )
    told = {"n": found.n, "n_customers": found.n_customers, "n_lost": found.n_lost}
    facts: dict[str, float] = {name: float(value) for name, value in told.items()}
    if found.gain is not None and found.old_auc is not None and found.new_auc is not None:
        facts |= {"old_auc": found.old_auc, "new_auc": found.new_auc}
        facts |= {f"gain_{name}": float(value) for name, value in asdict(found.gain).items() if name in _GAIN}
    return change_weights(out, found.new, section.set_weights(), at=at, who=who, what="learned", why=why, facts=facts)


_GAIN = ("value", "low", "high")
