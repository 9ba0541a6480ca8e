"""The daily run: every customer of a date scored by the champion, with reasons, published once."""

import hashlib
import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from features.buckets import Events
from features.registry import REGISTRY
from features.snapshots import ELIGIBLE, Cohort, Progress, Window, funnel, silent, take
from models import reasons as why
from models.churn_model import MANIFEST, ChurnModel
from models.horizons import PROBABILITIES, curve, probability_frame
from models.tracking import Tracking
from pipelines.intake import Intake, run_id
from pipelines.settings import database_url, tracking_folder
from serving.records import REASON_COLUMNS, SCORE_COLUMNS, Published, ScoringRun
from serving.store import Store
from serving.wording import ReasonFacts, reason_text, rest_text

ENOUGH_ORDER_DAYS = 3


class ForesightWarning(UserWarning):
    """A date is scored by a model that was trained after it."""


@dataclass(frozen=True)
class Champion:
    """The model in use and the version that it is registered as."""

    model: ChurnModel
    version: str


@dataclass(frozen=True)
class Day:
    """One date's results.

    Attributes
    ----------
    snapshots
        Features of every known customer.
    scores, reasons
        As they leave the system, see :mod:`serving.records`.
    funnel
        The cohort's funnel.
    """

    snapshots: pd.DataFrame
    scores: pd.DataFrame
    reasons: pd.DataFrame
    funnel: pd.DataFrame


@dataclass(frozen=True)
class Scored:
    """A published date."""

    day: Day
    champion: Champion
    published: Published


def champion_of(out: Path) -> Champion:
    """The registered champion, its checksums verified.

    Raises
    ------
    ArtefactError
        If there is none, or its files are not what was registered.
    """
    tracking = Tracking(tracking_folder(out))
    folder = tracking.champion_folder()
    number = next(entry.number for entry in tracking.versions() if entry.folder == folder)
    content = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    return Champion(ChurnModel.load(folder), f"kizashi/{number}@{content[:8]}")


def score(intake: Intake, *, supersede: bool = False, progress: Progress = silent) -> Scored:
    """Score every customer as of the intake's date and publish the result; the same result twice is published once."""
    champion = champion_of(intake.request.out)
    trained = date.fromisoformat(champion.model.facts["trained_as_of"])
    if intake.as_of < trained:
        warnings.warn(
            f"the champion has learnt from what was known on {trained}, which is after {intake.as_of}: these scores "
            "show how it sees that day, not what it would have warned of. `kizashi backtest` shows that.",
            ForesightWarning,
            stacklevel=2,
        )
    day = score_day(intake, champion, progress=progress)
    run = ScoringRun(
        run_id("score"),
        intake.as_of,
        champion.version,
        fingerprint(day, intake.settings.reasons.count, intake.settings.project.currency),
        datetime.now(UTC),
    )
    progress("publishing", 0.9)
    with Store.open(database_url(intake.settings, intake.request.out)) as store:
        published = store.publish(
            run,
            day.scores[list(SCORE_COLUMNS)],
            day.reasons[list(REASON_COLUMNS)],
            clock=lambda: datetime.now(UTC),
            supersede=supersede,
        )
    return Scored(day, champion, published)


def score_day(intake: Intake, champion: Champion, *, progress: Progress = silent) -> Day:
    """Scores and reasons of a date, not stored anywhere."""
    model = champion.model
    snapshots = take(
        intake.events,
        [intake.as_of],
        cohort=Cohort(**model.facts["cohort"]),
        window=Window(**model.facts["window"]),
        options=model.facts["options"],
        engine=intake.engine,
        progress=progress,
    ).frame
    progress("probabilities and levels", 0.3)
    snapshots = with_columns(snapshots, model)
    _warn_of_missing(model, snapshots)
    scores, told = _of_cohort(model, snapshots, intake.settings.reasons.count)
    outside, told_outside = _outside_cohort(model, snapshots)
    scores = pd.concat([scores, outside, without_orders(intake.events, snapshots)], ignore_index=True)
    progress("reasons in words", 0.6)
    told = pd.concat([told, told_outside], ignore_index=True)
    currency = intake.settings.project.currency
    return Day(
        snapshots,
        scores.sort_values("customer_id", ignore_index=True),
        told.assign(text=_sentences(told, snapshots, intake.as_of, currency)),
        funnel(snapshots),
    )


def with_columns(snapshots: pd.DataFrame, model: ChurnModel) -> pd.DataFrame:
    """The snapshots with a column for every feature that the model reads: unknown where its source is not there."""
    read = [REGISTRY[name] for name in model.boosting.columns]
    wanted = dict.fromkeys([*(one.name for one in read), *(one.usual for one in read if one.usual)])
    absent = [name for name in wanted if name not in snapshots]
    return pd.concat([snapshots, pd.DataFrame(np.nan, index=snapshots.index, columns=absent)], axis=1)


class MissingFeatures(UserWarning):
    """Features that the champion has learnt from are unknown for everybody."""


def _warn_of_missing(model: ChurnModel, snapshots: pd.DataFrame) -> None:
    """Say it once where the data lack what the champion has learnt from."""
    here = snapshots.loc[snapshots["cohort"] == ELIGIBLE, list(model.boosting.columns)]
    missing = [name for name in here if here[name].isna().all()]
    if missing and len(here):
        warnings.warn(
            f"{len(missing)} of the {here.shape[1]} features that the champion has learnt from are unknown for "
            f"everybody, such as {missing[0]}. Does a column lack that the training had? Mend that, or train again.",
            MissingFeatures,
            stacklevel=2,
        )


def _of_cohort(model: ChurnModel, snapshots: pd.DataFrame, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores and reasons of the customers who are warned about, by the champion."""
    here = snapshots[snapshots["cohort"] == ELIGIBLE]
    scored = model.score(here)
    split = why.contributions(model, here)
    told = why.reasons(model, here, count=count, peers=snapshots, split=split)
    return _rows(here, scored.assign(base_margin=split.base)), told


def _outside_cohort(model: ChurnModel, snapshots: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of the others with an order, by the label-free model alone: it needs no habit. They get no level."""
    here = snapshots[(snapshots["cohort"] != ELIGIBLE) & (snapshots["order_days_ever"] >= 1)]
    window = here["churn_window_days"]
    scored = probability_frame(model.rhythm.margins(here), window).assign(level="none")
    _, base = curve(np.broadcast_to(np.array(model.reference), (len(here), len(PROBABILITIES))), window)
    contribution = scored["margin"].to_numpy() - base
    told = pd.DataFrame(
        {
            "customer_id": here["customer_id"].to_numpy(),
            "as_of": here["as_of"].to_numpy(),
            "position": 1,
            "concept": why.RHYTHM_CONCEPT,
            "feature": why.RHYTHM,
            "dimension": "transaction",
            "value": scored["churn_probability"].to_numpy(),
            "usual_value": np.nan,
            "peer_value": np.nan,
            "contribution": contribution,
            "contribution_points": special.expit(base + contribution) - special.expit(base),
        }
    )
    return _rows(here, scored.assign(base_margin=base)), told


def _rows(here: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """Scores with what the output table says besides."""
    value = here["revenue_365d"].clip(lower=0)
    return scored.assign(
        customer_id=here["customer_id"],
        churn_window_days=here["churn_window_days"],
        cohort=here["cohort"],
        history=np.where(here["order_days_ever"] >= ENOUGH_ORDER_DAYS, "enough", "short"),
        value_at_risk=value,
        expected_loss=value * scored["churn_probability"],
    )


def without_orders(events: Events, snapshots: pd.DataFrame) -> pd.DataFrame:
    """Customers that are known but never ordered: they have a row that says so, and no probability."""
    known = set(snapshots.loc[snapshots["order_days_ever"] < 1, "customer_id"])
    if "customers" in events.columns:
        for bucket in range(events.buckets):
            with events.connect(bucket) as con:
                known |= {row[0] for row in con.execute("SELECT customer_id FROM customers").fetchall()}
        known -= set(snapshots.loc[snapshots["order_days_ever"] >= 1, "customer_id"])
    blank = pd.DataFrame({"customer_id": sorted(known)}).reindex(columns=list(SCORE_COLUMNS))
    numbers = [name for name in SCORE_COLUMNS if name not in ("customer_id", "level", "cohort", "history")]
    blank = blank.astype(dict.fromkeys(numbers, "float64"))
    return blank.assign(level="none", cohort="no_order", history="none")


def _sentences(told: pd.DataFrame, snapshots: pd.DataFrame, as_of: date, currency: str) -> list[str]:
    rows = {row["customer_id"]: row for row in snapshots.drop(columns=["as_of", "cohort"]).to_dict("records")}
    return [sentence(reason, rows[reason["customer_id"]], as_of, currency) for reason in told.to_dict("records")]


def sentence(reason: dict, facts: dict, as_of: date, currency: str) -> str:
    """One reason as an English sentence."""
    if reason["feature"] == why.OTHER:
        return rest_text()
    since = facts["days_since_last_order"]
    return reason_text(
        ReasonFacts(
            feature=reason["feature"],
            value=reason["value"],
            usual=reason["usual_value"],
            contribution=reason["contribution"],
            window_days=facts["churn_window_days"],
            currency=currency,
            last_order_on=(pd.Timestamp(as_of) - pd.Timedelta(days=since)).date() if np.isfinite(since) else None,
            cycle_days=facts["gap_median_days_ever"],
            as_of=as_of,
            facts={name: value for name, value in facts.items() if not isinstance(value, str)},
        )
    )


def fingerprint(day: Day, reasons: int, currency: str) -> str:
    """Hex digest of what a date's results depend on besides the model: what was known, of whom, how it is told."""
    digest = hashlib.sha256(f"{reasons} {currency}".encode())
    for known in (day.snapshots, day.scores[["customer_id", "history"]]):
        digest.update(pd.util.hash_pandas_object(known, index=False).to_numpy().tobytes())
    return digest.hexdigest()
