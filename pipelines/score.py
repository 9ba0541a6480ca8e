"""The daily run: every customer of a date scored by the champion, with reasons, published once."""

import hashlib
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from features.engines import map_buckets
from features.own import installed
from features.passes import SnapshotParts, take_parts
from features.snapshots import ELIGIBLE, Cohort, Progress, Window, silent
from features.tracks import funnels_together
from models.artefact import MANIFEST
from models.churn_model import ChurnModel
from models.tracking import Tracking
from pipelines.intake import Intake, run_id
from pipelines.loop_reports import LoopPast, read_loop
from pipelines.scoring import Peers, ScoreBucket
from pipelines.settings import database_url, tracking_folder
from pipelines.working_day import WorkingDay, working_day
from serving.decision import Decided
from serving.records import REASON_COLUMNS, SCORE_COLUMNS, Published, ScoringRun
from serving.store import Store


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
    scores, reasons
        As they leave the system, see :mod:`serving.records`; scores have what their levels are made of, too.
    working
        Health, rules, lists' facts, and what warnings and tasks are decided by.
    funnel
        The cohort's funnel.
    digest
        Hex digest of every customer's snapshot.
    """

    scores: pd.DataFrame
    reasons: pd.DataFrame
    working: WorkingDay
    funnel: pd.DataFrame
    digest: str


@dataclass(frozen=True)
class Scored:
    """A published date; `decided` is what it made of warnings and tasks, None where it moved none."""

    day: Day
    champion: Champion
    published: Published
    decided: Decided | None


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
    with Store.open(database_url(intake.settings, intake.request.out)) as store:
        since, past = store.day_before(intake.as_of), read_loop(store)
        day = score_day(intake, champion, since=since, past=past, progress=progress)
        run = ScoringRun(
            run_id("score"),
            intake.as_of,
            champion.version,
            fingerprint(day, intake.settings.reasons.count, intake.settings.project.currency),
            datetime.now(UTC),
        )
        progress("publishing", 0.9)
        loop, decided = day.working.loop()
        published = store.publish(
            run,
            day.scores[list(SCORE_COLUMNS)],
            day.reasons[list(REASON_COLUMNS)],
            day=day.working.frames,
            loop=loop,
            clock=lambda: datetime.now(UTC),
            supersede=supersede,
        )
    moved = not (published.unchanged or published.late) and bool(decided)
    return Scored(day, champion, published, decided[0] if moved else None)


def score_day(
    intake: Intake,
    champion: Champion,
    *,
    since: date | None = None,
    past: LoopPast | None = None,
    progress: Progress = silent,
) -> Day:
    """Everything about a date, not stored anywhere; scored bucket by bucket, so that memory holds one at a time.

    `since` is the date that was published before: changes since then set off tasks; `past` are the warnings so far, for
    what is told of them.
    """
    with snapshots_of(intake, champion.model, progress=progress) as parts:
        return score_parts(intake, champion.model, parts, since=since, past=past, progress=progress)


@contextmanager
def snapshots_of(intake: Intake, model: ChurnModel, *, progress: Progress = silent) -> Iterator[SnapshotParts]:
    """The snapshots of the intake's date as the model was trained on them, in a folder that is gone afterwards."""
    intake.request.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=intake.request.out.absolute(), prefix=".snapshots-") as folder:
        yield take_parts(
            intake.events,
            [intake.as_of],
            Path(folder),
            cohort=Cohort(**model.facts["cohort"]),
            window=Window(**model.facts["window"]),
            options=model.facts["options"],
            engine=intake.engine,
            progress=progress,
        )


def score_parts(
    intake: Intake,
    model: ChurnModel,
    parts: SnapshotParts,
    *,
    since: date | None = None,
    past: LoopPast | None = None,
    progress: Progress = silent,
) -> Day:
    """Score every bucket, then give the levels their room among all customers, and add what rules and health say."""
    progress("probabilities and reasons", 0.3)
    settings = intake.settings
    work = ScoreBucket(
        model,
        parts,
        Peers.of(parts, intake.as_of),
        intake.as_of,
        settings.reasons.count,
        settings.project.currency,
        installed(),
    )
    found = map_buckets(work, intake.events, intake.engine, "scores")
    _warn_of_missing(pd.concat([one.known for one in found], axis=1).sum(axis=1))
    scores = pd.concat([one.scores for one in found], ignore_index=True)
    scores = scores.sort_values("customer_id", ignore_index=True)
    eligible = scores[scores["cohort"] == ELIGIBLE]
    scores.loc[eligible.index, "level"] = model.levels.of(eligible["churn_probability"], eligible["queue"])
    made = ("model:" + scores["level"]).where(scores["level"] != "none", None)
    scores = scores.assign(level_parts=made, stage=None, early_place=np.nan)
    told = pd.concat([one.reasons for one in found], ignore_index=True)
    told = told.sort_values(["customer_id", "position"], ignore_index=True)
    narrowed = funnels_together(one.funnel for one in found)
    working = working_day(intake, model, parts, scores, told, since, past=past, progress=progress)
    return Day(working.scores, told, working, narrowed, f"{sum(one.digest for one in found) % 2**64:016x}")


class MissingFeatures(UserWarning):
    """Features that the champion has learnt from are unknown for everybody."""


def _warn_of_missing(known: pd.Series) -> None:
    """Say it once where the data lack what the champion has learnt from."""
    missing = list(known.index[known == 0])
    if missing and known.any():
        warnings.warn(
            f"{len(missing)} of the {len(known)} features that the champion has learnt from are unknown for "
            f"everybody, such as {missing[0]}. Does a column lack that the training had? Mend that, or train again.",
            MissingFeatures,
            stacklevel=2,
        )


def fingerprint(day: Day, reasons: int, currency: str) -> str:
    """Hex digest of what a date's results depend on besides the model: what was known, of whom, how it is told."""
    digest = hashlib.sha256(f"{reasons} {currency} {day.digest} {day.working.digest}".encode())
    known = day.scores[["customer_id", "history"]]
    digest.update(pd.util.hash_pandas_object(known, index=False).to_numpy().tobytes())
    return digest.hexdigest()
