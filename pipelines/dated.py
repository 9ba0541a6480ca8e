"""The whole company at a date, as far as one customer's story needs it: kept from the daily run, else scored anew.

A snapshot of one customer needs its peers, and its level the room among the others. The daily run keeps the first
beside its results and the second in the database; a date that was never published is scored in full, once.
"""

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from features.contact_curve import COLUMNS as CONTACTS
from features.passes import take_parts
from features.population import Population
from features.snapshots import ELIGIBLE, Cohort, Progress, Window, silent
from features.variants import Variant, variants
from models.churn_model import ChurnModel
from models.level_parts import level_of
from models.levels import queue_of
from pipelines.champions import Champion, champion_of, version_of
from pipelines.changed_settings import REPORT as CHANGED
from pipelines.changed_settings import applied
from pipelines.intake import Intake
from pipelines.levelling import Levelled, levelled
from pipelines.populations import Kept, keep, kept
from pipelines.scoring import outside_cohort, score_buckets, snapshots_of, with_columns
from pipelines.settings import database_url
from serving.store import Store

#: Two runs of one model over the same snapshot differ by less than this in log-odds.
SAME = 1e-6


@dataclass(frozen=True, eq=False)
class DatedDay:
    """The company at a date.

    Attributes
    ----------
    intake
        Standing on the date.
    champion
        The model that the date was, or is, scored with.
    scores
        Of every customer: the columns of :class:`serving.records.Score` and ``model_level``.
    signals
        The rules that fired: ``customer_id``, ``rule``, ``level``, ``evidence``.
    contacts
        ``customer_id`` and :data:`features.contact_curve.COLUMNS`, which compare each with all others.
    kept
        What its snapshots know of the others.
    published
        Whether the scores are those that were published.
    """

    intake: Intake
    champion: Champion
    scores: pd.DataFrame = field(repr=False)
    signals: pd.DataFrame = field(repr=False)
    contacts: pd.DataFrame = field(repr=False)
    kept: Kept = field(repr=False)
    published: bool

    @property
    def as_of(self) -> date:
        """The date."""
        return self.intake.as_of

    def score(self, customer_id: str) -> pd.Series | None:
        """The customer's row of the scores; None where it has none."""
        found = self.scores[self.scores["customer_id"] == customer_id]
        return None if found.empty else found.iloc[0]


def dated(
    intake: Intake, *, champion: Champion | None = None, fresh: bool = False, progress: Progress = silent
) -> DatedDay:
    """The company at the intake's date.

    Parameters
    ----------
    champion
        The model to score with where the date was not published; by default the champion.
    fresh
        Score anew even if it was published: the data of the date have been corrected since.

    Raises
    ------
    ArtefactError
        If there is no model.
    """
    found = None if fresh else _published(intake, progress)
    if found is not None:
        return found
    with Store.open(database_url(intake.settings, intake.request.out)) as store:
        changed = store.settings()
    return _scored(*applied(intake, champion or champion_of(intake.request.out), changed), progress)


def _published(intake: Intake, progress: Progress) -> DatedDay | None:
    """The date as it was published; None where it was not, or the model that scored it is gone."""
    with Store.open(database_url(intake.settings, intake.request.out)) as store:
        run = store.published(intake.as_of)
        champion = None if run is None else version_of(intake.request.out, run.run.model_version)
        if champion is None:
            return None
        intake, champion = applied(intake, champion, store.report(intake.as_of, CHANGED) or {})
        scores = store.scores(intake.as_of)
        signals = store.signals(intake.as_of)
        profiles = store.profiles(intake.as_of)
    contacts = pd.DataFrame([{name: facts.get(name) for name in CONTACTS} for facts in profiles["facts"]])
    contacts = contacts.reindex(columns=list(CONTACTS)).astype("float64")
    contacts.insert(0, "customer_id", profiles["customer_id"].to_numpy())
    scores = scores.assign(model_level=level_of(scores["level_parts"].map(_parts)))
    held = kept(intake, champion.model) or _kept_anew(intake, champion.model, progress)
    return DatedDay(intake, champion, scores, signals, contacts, held, published=True)


def _kept_anew(intake: Intake, model: ChurnModel, progress: Progress = silent) -> Kept:
    """What its snapshots know of each other, from a pass over the company."""
    with snapshots_of(intake, model, progress=progress) as parts:
        return keep(intake, model, parts)


def _parts(told: str | None) -> tuple[str, ...]:
    return tuple(told.split()) if isinstance(told, str) else ()


def _scored(intake: Intake, champion: Champion, progress: Progress) -> DatedDay:
    """The date scored in full; what its snapshots know of each other is kept for the next time."""
    model = champion.model
    with snapshots_of(intake, model, progress=progress) as parts:
        held = keep(intake, model, parts)
        progress("probabilities", 0.3)
        scores = score_buckets(intake, model, parts)[0]
        found = levelled(intake, model, parts, scores, progress=progress)
    contacts = found.frame[["customer_id", *CONTACTS]]
    return DatedDay(intake, champion, found.scored, found.fired, contacts, held, published=False)


def snapshots(
    day: DatedDay, chosen: Sequence[Variant], as_ofs: Sequence[date] = (), *, model: ChurnModel | None = None
) -> pd.DataFrame:
    """Snapshots of variants among the real peers of the day, with all that the model reads.

    Parameters
    ----------
    as_ofs
        Cutoffs; by default the day itself. At later ones the peers stand as on the day.
    model
        On whose terms; by default the day's own.
    """
    own = model or day.champion.model
    held = day.kept if model is None else kept(day.intake, own) or _kept_anew(day.intake, own)
    dates = tuple(as_ofs) or (day.as_of,)
    with tempfile.TemporaryDirectory(dir=day.intake.request.out.absolute(), prefix=".variants-") as folder:
        parts = take_parts(
            variants(day.intake.events, chosen, held.population.starts, day.as_of),
            dates,
            Path(folder),
            cohort=Cohort(**own.facts["cohort"]),
            window=Window(**own.facts["window"]),
            options=own.facts["options"],
            population=moved_to(held.population, dates),
        )
        return with_columns(parts.frame(0), own)


def moved_to(population: Population, as_ofs: Sequence[date]) -> Population:
    """The same population at other cutoffs, as if nothing had moved."""
    if set(as_ofs) <= set(population.as_ofs):
        return population
    newest = population.levels[population.levels["as_of"] == population.levels["as_of"].max()]
    levels = [newest.assign(as_of=pd.Series(pd.Timestamp(day), index=newest.index)) for day in as_ofs]
    typed = pd.concat(levels, ignore_index=True).astype({"as_of": population.levels["as_of"].dtype})
    return Population(tuple(as_ofs), population.starts, typed)


def levels_of(day: DatedDay, chosen: Sequence[Variant], as_of: date) -> pd.DataFrame:
    """How variants would stand at a cutoff, by probability, health and rules, everybody else as on the day.

    Returns
    -------
    DataFrame
        Index: the variants' names. ``cohort``, ``margin``, ``churn_probability``, ``model_level``, ``level`` and
        ``level_parts``; what is unknown is None or NaN.
    """
    model = day.champion.model
    frame = snapshots(day, chosen, (as_of,))
    inside = frame[frame["cohort"] == ELIGIBLE]
    scored = model.probabilities(inside).assign(
        customer_id=inside["customer_id"], cohort=ELIGIBLE, history="enough", level="none", queue=queue_of(inside)
    )
    of = {one.name: one.customer_id for one in chosen}
    for row, name in scored["customer_id"].items():
        cohort = day.scores[(day.scores["cohort"] == ELIGIBLE) & (day.scores["customer_id"] != of[str(name)])]
        both = pd.concat([cohort[["churn_probability", "queue"]], scored.loc[[row], ["churn_probability", "queue"]]])
        scored.loc[row, "level"] = model.levels.of(both["churn_probability"], both["queue"])[-1]
    known = pd.concat([scored, outside_cohort(model, frame)], ignore_index=True)
    known = known.assign(early_margin=np.nan, level_parts=None, stage=None, early_place=np.nan)
    found = _levelled(day, chosen, as_of, frame, known)
    columns = ["cohort", "margin", "churn_probability", "model_level", "level", "level_parts"]
    return found.scored.set_index("customer_id")[columns]


def _levelled(
    day: DatedDay, chosen: Sequence[Variant], as_of: date, frame: pd.DataFrame, scores: pd.DataFrame
) -> Levelled:
    """Health and rules of variants; contacts are those of the day, as they compare each customer with all."""
    events = variants(day.intake.events, chosen, day.kept.population.starts, day.as_of)
    intake = replace(day.intake, report=replace(day.intake.report, events=events), as_of=as_of)
    names = pd.DataFrame({"customer_id": [one.name for one in chosen], "of": [one.customer_id for one in chosen]})
    contacts = names.merge(day.contacts.rename(columns={"customer_id": "of"}), on="of", how="left").drop(columns="of")
    return levelled(intake, day.champion.model, _Frame(frame), scores, contacts=contacts)


@dataclass(frozen=True)
class _Frame:
    """Snapshots in memory, read as those on disk are."""

    frame: pd.DataFrame

    def columns(self, names: Collection[str]) -> pd.DataFrame:
        """Those of these columns that the snapshots have."""
        return self.frame[[name for name in self.frame if name in names]]
