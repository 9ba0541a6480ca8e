"""The daily run: every customer of a date scored by the champion, with reasons of the warnings, published once."""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from features.contact_curve import COLUMNS as CONTACTS
from features.engines import map_buckets
from features.own import installed
from features.passes import SnapshotParts
from features.snapshots import Progress, silent
from pipelines.champions import Champion, champion_of
from pipelines.changed_settings import REPORT as CHANGED
from pipelines.changed_settings import applied, of_the_day, with_changed
from pipelines.dated import DatedDay, dated
from pipelines.explaining import ExplainBucket
from pipelines.explaining import Terms as ExplainTerms
from pipelines.intake import Intake, run_id
from pipelines.level_changes import level_changes
from pipelines.loop_reports import LoopPast, read_loop
from pipelines.populations import Kept, keep
from pipelines.scoring import score_buckets, snapshots_of
from pipelines.settings import database_url
from pipelines.working_day import WorkingDay, working_day
from serving.decision import Decided
from serving.records import PERCENT, REASON_COLUMNS, SCORE_COLUMNS, Published, ScoringRun
from serving.store import Store


class ForesightWarning(UserWarning):
    """A date is scored by a model that was trained after it."""


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
    kept
        What the snapshots know of each other.
    """

    scores: pd.DataFrame
    reasons: pd.DataFrame
    working: WorkingDay
    funnel: pd.DataFrame
    digest: str
    kept: Kept

    def with_changes(self, changes: pd.DataFrame) -> "Day":
        """The same with why levels moved since the day before."""
        frames = replace(self.working.frames, changes=changes)
        return replace(self, working=replace(self.working, frames=frames))

    def with_report(self, name: str, content: Any) -> "Day":
        """The same with one more report."""
        frames = self.working.frames
        frames = replace(frames, reports={**frames.reports, name: content})
        return replace(self, working=replace(self.working, frames=frames))


@dataclass(frozen=True)
class Scored:
    """A published date; `decided` is what it made of warnings and tasks, None where it moved none."""

    day: Day
    champion: Champion
    published: Published
    decided: Decided | None


def now() -> datetime:
    """The moment."""
    return datetime.now(UTC)


def score(
    intake: Intake,
    *,
    supersede: bool = False,
    progress: Progress = silent,
    clock: Callable[[], datetime] = now,
) -> Scored:
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
        since, past, changed = store.day_before(intake.as_of), read_loop(store), of_the_day(store.settings())
        given = intake
        intake, champion = applied(intake, champion, changed)
        before = None if since is None else store.scores(since)
        day = score_day(intake, champion, since=since, before=before, past=past, progress=progress)
        run = ScoringRun(
            run_id("score"),
            intake.as_of,
            champion.version,
            with_changed(fingerprint(day, intake.settings.reasons.count, intake.settings.project.currency), changed),
            clock(),
        )
        if since is not None:
            progress("why levels moved", 0.88)
            earlier = dated(replace(given, as_of=since), progress=progress)
            day = day.with_changes(level_changes(earlier, of_day(intake, champion, day)))
        if changed:
            day = day.with_report(CHANGED, changed)
        progress("publishing", 0.9)
        loop, decided = day.working.loop()
        published = store.publish(
            run,
            day.scores[list(SCORE_COLUMNS)],
            day.reasons[list(REASON_COLUMNS)],
            day=day.working.frames,
            loop=loop,
            clock=clock,
            supersede=supersede,
        )
    moved = not (published.unchanged or published.late) and bool(decided)
    return Scored(day, champion, published, decided[0] if moved else None)


def score_day(
    intake: Intake,
    champion: Champion,
    *,
    since: date | None = None,
    before: pd.DataFrame | None = None,
    past: LoopPast | None = None,
    progress: Progress = silent,
) -> Day:
    """Everything about a date, published nowhere; scored bucket by bucket, so that memory holds one at a time.

    `since` is the date that was published before, `before` its scores: changes since then set off tasks, and whose
    level moved is told why; `past` are the warnings so far, for what is told of them.
    """
    with snapshots_of(intake, champion.model, progress=progress) as parts:
        return score_parts(intake, champion, parts, since=since, before=before, past=past, progress=progress)


def score_parts(
    intake: Intake,
    champion: Champion,
    parts: SnapshotParts,
    *,
    since: date | None = None,
    before: pd.DataFrame | None = None,
    past: LoopPast | None = None,
    progress: Progress = silent,
) -> Day:
    """Score every bucket, give the levels their room among all customers, add what rules and health say, and why."""
    progress("probabilities", 0.3)
    model, settings = champion.model, intake.settings
    scores, narrowed, digest = score_buckets(intake, model, parts)
    held = keep(intake, model, parts)
    terms = ExplainTerms(intake.as_of, settings.reasons.count, settings.project.currency, held.spread)
    earlier = pd.Series(dtype="str") if before is None else before.set_index("customer_id")["level"]

    def explain(scored: pd.DataFrame) -> pd.DataFrame:
        level, was = scored["level"], scored["customer_id"].map(earlier).astype("object")
        asked = frozenset(scored.loc[(level != "none") | (was.notna() & (was != level)), "customer_id"])
        percent = frozenset(scored.loc[scored["shown"] == PERCENT, "customer_id"])
        work = ExplainBucket(model, parts, terms, asked, percent, installed())
        told = pd.concat(map_buckets(work, intake.events, intake.engine, "reasons"), ignore_index=True)
        return told.sort_values(["customer_id", "position"], ignore_index=True)

    working = working_day(intake, model, parts, scores, explain, since, past=past, progress=progress)
    return Day(working.scores, working.reasons, working, narrowed, digest, held)


def of_day(intake: Intake, champion: Champion, day: Day) -> DatedDay:
    """The day as the story of a customer reads it."""
    facts, signals = day.working.today.facts, day.working.today.signals
    contacts = facts[["customer_id", *CONTACTS]]
    return DatedDay(intake, champion, day.scores, signals, contacts, day.kept, published=False)


def fingerprint(day: Day, reasons: int, currency: str) -> str:
    """Hex digest of what a date's results depend on besides the model: what was known, of whom, how it is told."""
    digest = hashlib.sha256(f"{reasons} {currency} {day.digest} {day.working.digest}".encode())
    known = day.scores[["customer_id", "history"]]
    digest.update(pd.util.hash_pandas_object(known, index=False).to_numpy().tobytes())
    return digest.hexdigest()
