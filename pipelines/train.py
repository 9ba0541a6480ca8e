"""Monthly training: snapshots, walk-forward, contestants, champion, one MLflow run, one registered version."""

import tempfile
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from features.labels import derive
from features.snapshots import ELIGIBLE, Progress, SnapshotTable, funnel, silent, take
from models import evaluation
from models.churn_model import ChurnModel
from models.folds import CHAMPION, Walk, walk_forward, with_outcomes
from models.plots import lift_plot, reliability_plot
from models.tracking import Alias, Metric, Tracking, Version
from pipelines.intake import Intake
from pipelines.settings import tracking_folder

#: The horizon whose figures are shown first: long enough for a quarter, short enough to mature.
SHOWN_HORIZON = 90
REPEATS = 300


@dataclass(frozen=True)
class Trained:
    """What a training leaves behind.

    Attributes
    ----------
    version
        The registered version.
    champion
        The model that was registered.
    standing
        The standing table of all contestants on the matured test cutoffs; empty where none had matured.
    funnel
        The cohort's funnel at the training date.
    purity
        Of those who were silent for their own window, the share that ordered again within the next one; NaN where
        unknown.
    """

    version: Version
    champion: ChurnModel
    standing: pd.DataFrame
    funnel: pd.DataFrame
    purity: float


def train(intake: Intake, *, promote: bool = False, progress: Progress = silent) -> Trained:
    """Train on everything that was known at the intake's date and register the result.

    The new version becomes the champion where there is none yet or `promote` is set, else the challenger.
    """
    dates = intake.dates_until(intake.as_of)
    tried = test_dates(dates, intake.observed_until, intake.settings.training.test_cutoffs)
    dates = intake.reach(dates, tried[0])
    table = take(
        intake.events,
        dates,
        cohort=intake.cohort(),
        window=intake.window(),
        options=intake.options(),
        engine=intake.engine,
        max_rows=intake.settings.training.max_rows,
        progress=progress,
    )
    walk = walk_forward(table, tried, intake.walk_options(), progress=progress)
    progress("figures and plots", 0.0)
    store_snapshots(table, intake)
    predictions = with_outcomes(walk.predictions, table, intake.observed_until)
    judged = judged_rows(predictions, SHOWN_HORIZON)
    here = table.frame[table.frame["as_of"] == pd.Timestamp(intake.as_of)]
    champion = walk.champion.with_facts(**facts(intake, here))
    standing = stand(judged, intake.settings.training.seed)
    purity = label_purity(table, intake.observed_until)
    tracking = Tracking(tracking_folder(intake.request.out))
    alias: Alias = "champion" if promote or not _has_champion(tracking) else "challenger"
    progress("registering the model", 0.9)
    registered = _register(tracking, alias, champion, walk, judged, standing, purity, intake)
    return Trained(registered, champion, standing, funnel(here), purity)


def store_snapshots(table: SnapshotTable, intake: Intake) -> Path:
    """Write the training table: every snapshot with its time to the next order and all labels; returns the file."""
    outcome = table.outcomes(intake.observed_until)[["days_to_next_order", "observed_days"]]
    rows = table.frame.join(outcome)
    path = intake.request.out / "snapshots" / f"{intake.as_of}.parquet"
    write_parquet(rows.join(derive(rows)), path)
    return path


def test_dates(dates: list[date], observed_until: date, cutoffs: int) -> list[date]:
    """The newest `cutoffs` dates whose shown horizon has matured at `observed_until`, and all dates after them.

    The last is the training date, whose model is the champion. Those in between cannot be judged yet, but what shorter
    horizons learnt at them belongs to the champion's record, as it does in a backtest from the first of these dates.
    """
    matured = [day for day in dates if day + timedelta(days=SHOWN_HORIZON) <= observed_until][-cutoffs:]
    return [day for day in dates if day >= matured[0]] if matured else dates[-1:]


def judged_rows(predictions: pd.DataFrame, days: int) -> pd.DataFrame:
    """Matured predictions of one horizon as the evaluation wants them."""
    named = predictions.rename(columns={f"p_no_order_{days}": "probability", f"no_order_{days}": "outcome"})
    kept = named[["contestant", "customer_id", "as_of", "probability", "outcome"]]
    return kept.dropna(subset="outcome").reset_index(drop=True)


def stand(judged: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The standing table with intervals; empty where nothing has matured."""
    if judged.empty:
        return pd.DataFrame()
    return evaluation.standing_table(judged, repeats=REPEATS, rng=np.random.default_rng(seed))


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a table aside first, then rename it, so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    frame.to_parquet(aside, index=False)
    aside.replace(path)


def label_purity(table: SnapshotTable, observed_until: date) -> float:
    """Share of customers silent for their own window who ordered again within the next one (the false-churn rate).

    Over eligible snapshots for which both windows had passed by `observed_until`; NaN where there are none.
    """
    outcome = table.outcomes(observed_until)
    window = table.frame["churn_window_days"]
    known = (table.frame["cohort"] == ELIGIBLE) & (outcome["observed_days"] >= 2 * window.max())
    silent_first = known & ~(outcome["days_to_next_order"] < window)
    back = outcome.loc[silent_first, "days_to_next_order"] < 2 * window[silent_first]
    return float(back.mean()) if len(back) else float("nan")


def facts(intake: Intake, here: pd.DataFrame) -> dict[str, object]:
    """What the manifest says besides the model itself."""
    return {
        "data_fingerprint": intake.events.fingerprint,
        "cohort": asdict(intake.cohort()),
        "window": asdict(intake.window()),
        "options": intake.options(),
        "customers": int((here["cohort"] == ELIGIBLE).sum()),
        "versions": {name: version(name) for name in ("kizashi", "lightgbm", "duckdb", "pandas", "scikit-learn")},
    }


def _has_champion(tracking: Tracking) -> bool:
    return any("champion" in entry.aliases for entry in tracking.versions())


def _register(
    tracking: Tracking,
    alias: Alias,
    champion: ChurnModel,
    walk: Walk,
    judged: pd.DataFrame,
    standing: pd.DataFrame,
    purity: float,
    intake: Intake,
) -> Version:
    shown = judged[judged["contestant"].isin([CHAMPION, "bgnbd", "days_since_last_order"])]
    figures = {}
    if not judged.empty:
        title = f"no order within {SHOWN_HORIZON} days, out of time"
        figures = {
            "reliability": reliability_plot(judged[judged["contestant"] == CHAMPION], title=title),
            "lift": lift_plot(shown, title=title),
        }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        champion.save(folder)
        return tracking.log_training(
            name=str(intake.as_of),
            params=intake.settings.flat(),
            data_fingerprint=intake.events.fingerprint,
            folds=walk.folds,
            metrics=[*metrics(standing), *_purity(purity)],
            figures=figures,
            model=folder,
            alias=alias,
        )


def metrics(standing: pd.DataFrame) -> list[Metric]:
    """Every finite figure of the standing table as ``<contestant>.<figure>`` with its interval."""
    rows = []
    for row in standing.to_dict("records"):
        for name in (*evaluation.RANKING, *evaluation.CALIBRATION):
            value, low, high = (float(row[key]) for key in (name, f"{name}_low", f"{name}_high"))
            if np.isfinite(value):
                known = np.isfinite([low, high]).all()
                rows.append(
                    Metric(f"{row['contestant']}.{name}", value, low if known else None, high if known else None)
                )
    return rows


def _purity(purity: float) -> list[Metric]:
    return [Metric("false_churn_share", purity)] if np.isfinite(purity) else []
