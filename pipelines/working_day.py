"""The working day of a date: health, rules, levels and stages of everybody, and what warnings and tasks come of them.

Everything here starts from finished scores and snapshots; what compares customers or needs the whole company is done
here and not in a bucket.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from features.file_changes import new_changes
from features.passes import SnapshotParts
from features.snapshots import ELIGIBLE, Progress, silent
from models.churn_model import ChurnModel
from models.episodes import TODAY
from models.health_scheme import RATING_AGE
from models.warning_rules import WarningRule, silent_rules
from pipelines import model_record
from pipelines.intake import Intake
from pipelines.levelling import levelled, limits_in_use
from pipelines.loop_reports import LoopPast, contacts_of, loop_reports
from pipelines.loop_sections import task_terms
from pipelines.record_report import order_days, record_reports
from pipelines.rule_sections import company_rules
from serving.day_records import HEALTH_COLUMNS, PROFILE_COLUMNS, SIGNAL_COLUMNS, DayFrames, Decision, Loop, LoopState
from serving.decision import Decided, Terms, Today, decide
from serving.rows import records


@dataclass(frozen=True)
class WorkingDay:
    """What a date says besides probabilities and reasons.

    Attributes
    ----------
    scores
        The scores with ``level``, ``level_parts``, ``stage``, ``queue`` and ``early_place``.
    reasons
        Of those who are warned about, and whose level moved.
    frames
        What is published beside them.
    today
        What warnings and tasks are decided by.
    terms
        What the company has set about them.
    digest
        Hex digest of all of it, so that another rule or setting is another result.
    """

    scores: pd.DataFrame
    reasons: pd.DataFrame
    frames: DayFrames
    today: Today
    terms: Terms
    digest: str

    def loop(self) -> tuple[Loop, list[Decided]]:
        """How the publication moves warnings and tasks, and the place where it leaves what was decided."""
        told: list[Decided] = []

        def move(state: LoopState) -> Decision:
            told[:] = [decide(state, self.today, self.terms)]
            return told[0].decision

        days = self.terms.hysteresis.cool_down_days
        return Loop(move, cool_down_days=max(days, 7), earlier_days=self.terms.hysteresis.scorings), told


def working_day(
    intake: Intake,
    model: ChurnModel,
    parts: SnapshotParts,
    scores: pd.DataFrame,
    explain: Callable[[pd.DataFrame], pd.DataFrame],
    since: date | None,
    *,
    past: LoopPast | None = None,
    progress: Progress = silent,
) -> WorkingDay:
    """Health, rules, levels, stages and lists' facts of a date.

    Parameters
    ----------
    scores
        Of :func:`pipelines.score.score_parts`; levels are still those of the probability alone.
    explain
        Gives the reasons that are told of the day, from the scores with their levels.
    since
        The date that was published before, None for the first one: changes since then set off tasks.
    past
        The warnings so far, for what is told of them; None where nothing is to be told.
    """
    settings = intake.settings
    rules, options = company_rules(settings.rules, intake.events.further)
    limits = limits_in_use(intake)
    found = levelled(intake, model, parts, scores, progress=progress)
    frame, fired, scored, health = found.frame, found.fired, found.scored, found.health
    progress("reasons", 0.85)
    reasons = explain(scored)
    facts = _with_scores(frame, scored, health)
    listing = {rule.code for rule in rules if rule.working_list}
    listed = set(fired.loc[fired["rule"].isin(listing), "customer_id"])
    unit = settings.trial.pilot().column
    today = Today(_for_episodes(scored, facts, listed, reasons, unit), facts, fired, _changes(intake, since))
    silent_here = {name: list(columns) for name, columns in silent_rules(frame, rules, options).items()}
    record = {} if past is None else _record(intake, parts, scored, facts, health, past)
    frames = DayFrames(
        profiles=_profiles(frame, scored),
        health=_health_frame(health, scored),
        signals=fired[fired["customer_id"].isin(scored["customer_id"])][list(SIGNAL_COLUMNS)],
        reports={"silent_rules": silent_here, "held_down": limits, **model_record.reports(intake, model), **record},
    )
    return WorkingDay(
        scored, reasons, frames, today, _terms(intake, model, rules), _digest(frame, fired, health, intake)
    )


def _record(
    intake: Intake,
    parts: SnapshotParts,
    scored: pd.DataFrame,
    facts: pd.DataFrame,
    health: pd.DataFrame,
    past: LoopPast,
) -> dict[str, Any]:
    """What became of the warnings so far, and what people made of them, by what is known at the date."""
    orders = order_days(parts, intake.observed_until)
    record = record_reports(
        past,
        orders,
        scored.loc[scored["cohort"] == ELIGIBLE, "customer_id"],
        as_of=intake.as_of,
        observed_until=intake.observed_until,
        cool_down_days=intake.settings.warnings.terms().cool_down_days,
    )
    known = scored[["customer_id", "churn_window_days"]].merge(
        health[["customer_id", RATING_AGE]], on="customer_id", how="left", validate="1:1"
    )
    read = ["customer_id", "cohort", "level", "risk", "contact_changed_on", "last_two_ratings"]
    today = facts[read].merge(known, on="customer_id", validate="1:1")
    loop = loop_reports(
        past,
        today,
        contacts_of(intake, past, today),
        orders,
        outcomes=intake.settings.outcomes,
        records_kept=intake.settings.records,
        oldest_rating_days=intake.settings.health.oldest_rating_days,
        as_of=intake.as_of,
        observed_until=intake.observed_until,
    )
    return {**record, **loop}


def _with_scores(frame: pd.DataFrame, scored: pd.DataFrame, health: pd.DataFrame) -> pd.DataFrame:
    """The frame of the company with what was found of each customer."""
    found = scored[["customer_id", "level", "stage", "cohort", "value_at_risk", "expected_loss"]]
    fall = health[["customer_id", "potential_churn"]]
    whole = frame.merge(found, on="customer_id", how="inner").merge(fall, on="customer_id", how="left")
    contact = (whole["as_of"] - pd.to_datetime(whole["last_contact_on"])).dt.days.astype("float64")
    return whole.assign(
        potential_churn=whole["potential_churn"].eq(True) & (whole["cohort"] == ELIGIBLE),
        days_since_last_contact=contact,
    )


def _for_episodes(
    scored: pd.DataFrame, facts: pd.DataFrame, listed: set[str], reasons: pd.DataFrame, unit: str | None
) -> pd.DataFrame:
    """Everybody who can be warned about, as the step of a day wants them."""
    here = scored[scored["cohort"] == ELIGIBLE].reset_index(drop=True)
    first = reasons[reasons["contribution"] > 0].sort_values("position").drop_duplicates("customer_id")
    names = [name for name in TODAY if name in here] + ["stage"]
    own = facts.set_index("customer_id")[list(dict.fromkeys(["owner", *([unit] if unit in facts else [])]))]
    return here[names].assign(
        dimension=here["customer_id"].map(first.set_index("customer_id")["dimension"]).astype("object"),
        priority=here["expected_loss"],
        listed=here["customer_id"].isin(listed),
        **{str(name): own[name].reindex(here["customer_id"]).to_numpy() for name in own},
    )


def _changes(intake: Intake, since: date | None) -> pd.DataFrame:
    """Changes of the file since the date before; on the first one those of the day alone."""
    before = since or intake.as_of - timedelta(days=1)
    changes = new_changes(intake.events, before, intake.as_of, engine=intake.engine)
    return changes.assign(edit=False)


def _profiles(frame: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """What lists and pages need of every scored customer."""
    marks = scored.set_index("customer_id")[["early_mark", "queue_position"]]
    whole = frame[frame["customer_id"].isin(scored["customer_id"])].reset_index(drop=True)
    told = whole.drop(columns=["customer_id", "owner", "as_of"]).assign(
        **{str(name): marks[name].reindex(whole["customer_id"]).to_numpy() for name in marks}
    )
    numbers = told.select_dtypes("number")
    rows = records(told.assign(**{str(name): numbers[name].where(np.isfinite(numbers[name])) for name in numbers}))
    filled = pd.DataFrame(
        {"customer_id": whole["customer_id"], "owner": whole["owner"], "facts": pd.Series(rows, dtype="object")}
    )
    missing = scored.loc[~scored["customer_id"].isin(whole["customer_id"]), "customer_id"]
    more = pd.DataFrame({"customer_id": missing, "owner": None, "facts": [{} for _ in missing]})
    together = pd.concat([filled, more], ignore_index=True) if len(missing) else filled
    return together.astype({"owner": "object"})[list(PROFILE_COLUMNS)]


def _health_frame(health: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """Health as it is kept; of customers whose health is unknown nothing is."""
    kept = health[health["customer_id"].isin(scored["customer_id"])]
    return kept[list(HEALTH_COLUMNS)].reset_index(drop=True)


def _terms(intake: Intake, model: ChurnModel, rules: tuple[WarningRule, ...]) -> Terms:
    settings = intake.settings
    own = {rule.code: rule.team for rule in rules if rule.source == "own"}
    return Terms(
        hysteresis=settings.warnings.terms(),
        entry=model.levels.entry,
        holdout_share=settings.holdout.share,
        top_value_share=settings.holdout.top_value_share,
        salt=settings.holdout.salt,
        tasks=task_terms(settings.contacts, settings.tasks, settings.organisation, own),
        restarts=settings.outcomes.restart_terms(),
        pilot=settings.trial.pilot(),
    )


def _digest(frame: pd.DataFrame, fired: pd.DataFrame, health: pd.DataFrame, intake: Intake) -> str:
    """What the day's results depend on besides the scores."""
    sections: Mapping[str, Any] = intake.settings.model_dump(
        include={"warnings", "trial", "contacts", "tasks", "organisation", "outcomes", "records", "holdout"}
    )
    digest = hashlib.sha256(json.dumps(sections, sort_keys=True, default=str).encode())
    for part in (frame, fired, health):
        # dicts and lists have no hash of their own
        told = part.assign(**{str(name): part[name].map(str) for name in part if part[name].dtype == object})
        digest.update(pd.util.hash_pandas_object(told, index=False).to_numpy().tobytes())
    return digest.hexdigest()
