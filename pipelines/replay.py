"""The backtest: what every contestant would have said at past dates, beside what came of it."""

import warnings
from dataclasses import dataclass
from datetime import date

import pandas as pd

from features.errors import SettingsError
from features.labels import HORIZONS
from features.snapshots import Progress, silent
from features.tracks import funnel
from features.windows import WindowChoice
from models.folds import walk_forward, with_outcomes
from pipelines.intake import Intake
from pipelines.train import SHOWN_HORIZON, judged_by, judged_rows, stand

#: Columns of the file, in order.
COLUMNS = (
    "customer_id",
    "as_of",
    "contestant",
    "churn_probability",
    "churn_low",
    "churn_high",
    "churn_window_days",
    *(f"p_no_order_{days}" for days in HORIZONS),
    "level",
    "queue",
    "segment",
    "days_to_next_order",
    "observed_days",
    *(f"no_order_{days}" for days in HORIZONS),
    "churned",
    "revenue_expected",
    "revenue_after",
    "partial_defection",
    "categories_lost",
)


class ShortPast(UserWarning):
    """A backtest begins later than it was asked to, because nothing could be known earlier."""


@dataclass(frozen=True)
class Backtest:
    """A finished backtest.

    Attributes
    ----------
    predictions
        One row per (customer, cutoff, contestant), columns :data:`COLUMNS`; outcomes that have not matured are NaN.
    standing
        The standing table for no order within 90 days.
    own_window
        The same for no order within the customer's own window, on the dates that have wholly matured; may be empty.
    partial
        The same for partial defection within 90 days, which nobody gives a probability of: as rankings.
    funnel
        The tracks of all customers at each cutoff.
    choice
        How the own window was chosen at the last cutoff, and the purity of that label.
    """

    predictions: pd.DataFrame
    standing: pd.DataFrame
    own_window: pd.DataFrame
    partial: pd.DataFrame
    funnel: pd.DataFrame
    choice: WindowChoice


def backtest(intake: Intake, first: date, last: date, *, progress: Progress = silent) -> Backtest:
    """Predict the dates from `first` to `last`, counted back from `last`, with what was known then.

    Outcomes are read until the intake's date, less the lateness of the books.

    Raises
    ------
    SettingsError
        If the dates are the wrong way round or reach beyond the intake's date.
    """
    if first > last:
        raise SettingsError(f"--from {first} is after --to {last}: give the earlier date first.")
    if last > intake.as_of:
        raise SettingsError(f"--to {last} is after {intake.as_of}, where the data ends: give that date or earlier.")
    dates = intake.dates_until(last)
    cutoffs = [day for day in dates if day >= first]
    if not cutoffs:
        raise SettingsError(f"no cutoff from {first} to {last} has a past to look back on: give a later --from.")
    if cutoffs[0] == dates[0] and (cutoffs[0] - first).days >= 28:
        warnings.warn(
            f"the past reaches back too little for every cutoff from {first}: the first one is {cutoffs[0]}.",
            ShortPast,
            stacklevel=2,
        )
    dates = intake.reach(dates, cutoffs[0])
    table = intake.snapshots(dates, max_rows=intake.settings.training.max_rows, progress=progress)
    walk = walk_forward(table, cutoffs, intake.walk_options(), progress=progress)
    progress("standing table with intervals", 0.95)
    predictions = with_outcomes(walk.predictions, table, intake.observed_until)
    seed = intake.settings.training.seed
    here = table.frame[table.frame["as_of"].isin(pd.to_datetime(cutoffs))]
    return Backtest(
        predictions[list(COLUMNS)],
        stand(judged_rows(predictions, SHOWN_HORIZON), seed),
        stand(judged_by(predictions, "churn_probability", "churned"), seed),
        stand(judged_by(predictions, f"p_no_order_{SHOWN_HORIZON}", "partial_defection"), seed, ranks_only=True),
        funnel(here),
        walk.choice,
    )
