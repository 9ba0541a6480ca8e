"""Rolling origin: every model is fitted only on what had matured when it would have been needed.

One walk serves all: the backtest reports its predictions, calibration and levels are learnt from the earlier part of
it at every date, and the model of its last date is the champion that goes into production. What scores is the object
that was validated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import TooLittleData
from features.labels import HORIZONS, derive
from features.snapshots import ELIGIBLE, Progress, SnapshotTable, drawn, silent
from features.windows import Window, WindowChoice, choose_multiple, windows_of
from models import churn_model, early, label_free
from models.cases import Cases
from models.churn_model import ChurnModel
from models.classifiers import LIGHTGBM, Boosting, BoostingOptions
from models.columns import informative
from models.contestants import Contestant, Fitted, Training
from models.horizons import probability_frame
from models.levels import DEFAULT_PROMISES, Promise, queue_of
from models.logistic import LOGISTIC, Logistic
from models.record import Record
from models.rules import RULES
from models.selection import COMPONENTS, best_weights

Floats = NDArray[np.float64]

KEYS = ["customer_id", "as_of"]
CHAMPION = "champion"
BLEND = "blend"
#: A date with fewer eligible customers teaches nothing.
MIN_ELIGIBLE = 20


@dataclass(frozen=True)
class WalkOptions:
    """What a walk needs to know besides the snapshots.

    Attributes
    ----------
    boosting
        Settings of LightGBM.
    window
        The rule of the customer's own window; its multiple is chosen at each cutoff from what was known there.
    promises
        What each level is held to.
    capacity
        New episodes a week that there is room for at each level or a louder one; a level not named has no limit.
    early_promise
        What the mark of the early queue is held to.
    invoice_latency_days
        Days by which orders reach the books late: outcomes of a horizon count as matured only that much later.
    warm_up
        Dates before the first reported one that are predicted too, so that the first one has a record to calibrate on.
    max_slices
        Dates that are learnt from at each cutoff: the newest ones.
    max_rows
        Snapshots that are learnt from at most; beyond it customers are drawn, with all their snapshots.
    seed, threads
        Of everything random; of the learners.
    cases
        What people did and found out about customers; None where nothing of that is known.
    """

    boosting: BoostingOptions = field(default_factory=BoostingOptions)
    window: Window = field(default_factory=Window)
    promises: dict[str, Promise] = field(default_factory=lambda: dict(DEFAULT_PROMISES))
    capacity: dict[str, float] = field(default_factory=dict)
    early_promise: Promise = early.MARKED
    invoice_latency_days: int = 0
    warm_up: int = 8
    max_slices: int = 36
    max_rows: int = 500_000
    seed: int = 0
    threads: int = 2
    cases: Cases | None = None


@dataclass(frozen=True)
class Walk:
    """The result of a walk.

    Attributes
    ----------
    predictions
        Out-of-time, one row per (contestant, customer, cutoff): ``customer_id``, ``as_of``, ``contestant``,
        ``margin``, ``churn_probability``, ``p_no_order_*``, ``churn_window_days`` (as chosen at the cutoff),
        ``segment``, ``queue`` and, of the champion alone, ``level`` (else ``none``), ``churn_low`` and ``churn_high``
        (else NaN).
    champion
        The champion of the last cutoff.
    folds
        One row per cutoff: what was learnt from (dates, rows, newest matured date), which model was in use, its weights
        and the multiple of the window.
    choice
        How the window was chosen at the last cutoff.
    table
        The snapshots with label-free log-odds that the walk stood on.
    record
        What was predicted at every date, those of the warm-up too: what levels are learnt from.
    """

    predictions: pd.DataFrame
    champion: ChurnModel
    folds: pd.DataFrame
    choice: WindowChoice
    table: SnapshotTable
    record: Record = field(default_factory=Record)


def contestants(options: WalkOptions) -> tuple[Contestant, ...]:
    """Everything that stands in the table beside the blend and the champion, which are made of these."""
    return (
        *RULES,
        label_free.BGNBD_CONTESTANT,
        label_free.MBGCNBD_CONTESTANT,
        Logistic(LOGISTIC),
        Boosting("lightgbm_one_slice", replace(options.boosting, bags=1, bag_share=1.0), newest_slice_only=True),
        Boosting(LIGHTGBM, options.boosting),
    )


def walk_forward(
    table: SnapshotTable,
    cutoffs: Sequence[date],
    options: WalkOptions,
    *,
    every_contestant: bool = True,
    progress: Progress = silent,
) -> Walk:
    """Predict every cutoff, oldest first, with what was known at it.

    Parameters
    ----------
    table
        Snapshots at `cutoffs` and at all earlier dates that may be learnt from.
    cutoffs
        Dates to predict. Up to ``options.warm_up`` earlier dates of the table are predicted first, for calibration
        and levels only.
    every_contestant
        Also run those that the champion does not use.

    Raises
    ------
    TooLittleData
        If the last cutoff has too few eligible customers: it would have no champion.
    """
    table = with_rhythms(table, options, progress)
    frame = table.frame
    dates = sorted(frame["as_of"].unique())
    wanted = sorted(pd.Timestamp(day) for day in set(cutoffs))
    warm_up = [day for day in dates if day < wanted[0]][-options.warm_up :] if options.warm_up else []
    runners = contestants(options)
    if not every_contestant:
        runners = tuple(runner for runner in runners if runner.name in (LOGISTIC, LIGHTGBM))
    reported: list[pd.DataFrame] = []
    folds: list[dict[str, object]] = []
    record, places = Record(), early.EarlyRecord()
    champion: ChurnModel | None = None
    choice: WindowChoice | None = None
    steps = [*warm_up, *wanted]
    for step, as_of in enumerate(steps):
        here = frame[frame["as_of"] == as_of]
        if (here["cohort"] == ELIGIBLE).sum() < MIN_ELIGIBLE:
            continue
        progress(f"learning what was known on {as_of:%Y-%m-%d}", step / len(steps))
        training = training_at(table, as_of, options)
        choice = choose_multiple(training.rows, options.window)
        eligible = here[here["cohort"] == ELIGIBLE]
        eligible = eligible.assign(churn_window_days=windows_of(eligible, options.window, choice.multiple))
        needed = runners if as_of in wanted else [r for r in runners if r.name in (LOGISTIC, LIGHTGBM)]
        fitted = {runner.name: runner.fit(training) for runner in needed}
        known = record.known_at(training)
        window = (options.window, choice.multiple)
        champion = churn_model.assemble(fitted, known, training, options.promises, *window, options.capacity)
        champion = replace(champion, early=early.learn(training, champion.rhythm, places, options.early_promise))
        places = places.with_places(eligible, champion.early)
        components = champion.components(eligible)
        record = record.with_predictions(eligible, components, champion.calibrated(components))
        if as_of in wanted:
            blend = np.einsum("hc,cnh->nh", np.array(best_weights(known)), components)
            reported.append(_reported(eligible, champion, fitted, blend))
            folds.append({**_fold(as_of, training, eligible, champion), "window_multiple": choice.multiple})
    if champion is None or choice is None or champion.facts["trained_as_of"] != str(wanted[-1].date()):
        raise TooLittleData(
            f"{wanted[-1]:%Y-%m-%d} has fewer than {MIN_ELIGIBLE} eligible customers: "
            "give more history, later dates, or loosen [cohort] in kizashi.toml."
        )
    return Walk(pd.concat(reported, ignore_index=True), champion, pd.DataFrame(folds), choice, table, record)


def _reported(
    eligible: pd.DataFrame, champion: ChurnModel, fitted: Mapping[str, Fitted], blend: Floats
) -> pd.DataFrame:
    """Every contestant's predictions of one cutoff."""
    window = eligible["churn_window_days"]
    about = eligible[[*KEYS, "churn_window_days", "segment"]].assign(queue=queue_of(eligible))
    margins = {name: model.margins(eligible) for name, model in fitted.items()} | {BLEND: blend}
    parts = [
        about.join(probability_frame(values, window)).assign(
            contestant=name, level="none", churn_low=np.nan, churn_high=np.nan
        )
        for name, values in margins.items()
    ]
    return pd.concat([*parts, about.join(champion.score(eligible)).assign(contestant=CHAMPION)], ignore_index=True)


def known_outcomes(
    table: SnapshotTable, observed_until: date | None = None, cases: Cases | None = None
) -> pd.DataFrame:
    """Time to the next order of every snapshot as known at a date (the data's end by default), told by `cases`."""
    until = min(observed_until or table.data_end, table.data_end)
    outcome = table.outcomes(until)
    return cases.told(outcome, until) if cases else outcome


def with_outcomes(
    predictions: pd.DataFrame,
    table: SnapshotTable,
    observed_until: date | None = None,
    cases: Cases | None = None,
) -> pd.DataFrame:
    """Predictions beside what came of them, as known at `observed_until` (the end of the data by default).

    Adds ``days_to_next_order``, ``observed_days``, partial defection (:mod:`features.partial`) and the labels of
    :func:`features.labels.derive`.
    """
    known = known_outcomes(table, observed_until, cases).join(table.partial(observed_until))
    joined = predictions.merge(known, on=KEYS, how="left", validate="many_to_one")
    return joined.join(derive(joined))


def with_rhythms(table: SnapshotTable, options: WalkOptions, progress: Progress) -> SnapshotTable:
    """The table with label-free log-odds, without the dates that are too early to say anything."""
    frame = table.frame
    eligible = frame[frame["cohort"] == ELIGIBLE].groupby("as_of").size()
    teaches = eligible.index[eligible >= MIN_ELIGIBLE]
    if len(teaches) == 0:
        raise TooLittleData(
            f"no date has {MIN_ELIGIBLE} eligible customers: "
            "give more customers or history, or loosen [cohort] in kizashi.toml."
        )
    kept = frame[frame["as_of"].isin(teaches)].reset_index(drop=True)
    return replace(table, frame=label_free.attach(kept, options.seed, progress))


def training_at(table: SnapshotTable, as_of: pd.Timestamp, options: WalkOptions) -> Training:
    """What may be learnt from at a cutoff of a table with label-free log-odds (:func:`with_rhythms`)."""
    here = table.frame[table.frame["as_of"] == as_of]
    rows = past_rows(table, as_of, options, table.frame["cohort"] == ELIGIBLE)
    held = here[here["cohort"] == ELIGIBLE]
    known = tuple(name for name in churn_model.feature_names() if name in held and held[name].notna().any())
    columns = informative(rows, known, options.seed)
    return Training(
        rows, here[here["order_days_ever"] >= 1], columns, options.seed, options.threads, options.invoice_latency_days
    )


def past_rows(
    table: SnapshotTable, as_of: pd.Timestamp, options: WalkOptions, wanted: pd.Series | None = None
) -> pd.DataFrame:
    """Snapshots of the newest dates before a cutoff with their outcome as known at it; of the `wanted` rows alone."""
    frame = table.frame
    outcome = known_outcomes(table, (as_of - pd.Timedelta(days=options.invoice_latency_days)).date(), options.cases)
    newest = sorted(frame.loc[frame["as_of"] < as_of, "as_of"].unique())[-options.max_slices :]
    past = frame["as_of"].isin(newest)
    if wanted is not None:
        past &= wanted
    past &= drawn(frame["customer_id"], options.max_rows / max(int(past.sum()), 1))
    return frame[past].join(outcome.loc[past, ["days_to_next_order", "observed_days"]])


def _fold(as_of: pd.Timestamp, training: Training, eligible: pd.DataFrame, champion: ChurnModel) -> dict[str, object]:
    row: dict[str, object] = {"as_of": as_of, "eligible": len(eligible)}
    for days in HORIZONS:
        rows, outcome = training.matured(days)
        row |= {
            f"dates_{days}": int(rows["as_of"].nunique()),
            f"rows_{days}": len(rows),
            f"base_rate_{days}": float(outcome.mean()) if len(outcome) else None,
            f"newest_{days}": str(rows["as_of"].max().date()) if len(rows) else None,
        }
    row["in_use"] = champion.selection.in_use
    for days, weights in zip(HORIZONS, champion.weights, strict=True):
        row |= {f"weight_{name}_{days}": weight for name, weight in zip(COMPONENTS, weights, strict=True)}
    return row
