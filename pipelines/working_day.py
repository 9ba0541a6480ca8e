"""The working day of a date: health, rules, levels and stages of everybody, and what warnings and tasks come of them.

Everything here starts from finished scores and snapshots; what compares customers or needs the whole company is done
here and not in a bucket.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

import numpy as np
import pandas as pd

from features.contact_curve import COLUMNS as CONTACTS
from features.contact_curve import contact_columns, contact_periods
from features.daily_facts import daily_facts
from features.file_changes import new_changes
from features.passes import SnapshotParts
from features.snapshots import ELIGIBLE, Progress, silent
from features.windows import ALL_YEAR
from models import early, stages
from models.churn_model import ChurnModel
from models.episodes import TODAY
from models.health_history import health_dates, health_rows, with_history
from models.health_scheme import RATING_AGE, Scheme
from models.health_weight_history import in_use, read_changes
from models.level_parts import combine
from models.level_trust import HEALTH_LEVELS, THREE_FALLS, held_down
from models.warning_conditions import conditions
from models.warning_rules import WarningRule, rule_levels, signals, silent_rules
from pipelines.intake import Intake
from pipelines.kept_record import kept
from pipelines.loop_reports import LoopPast, contacts_of, loop_reports
from pipelines.loop_sections import task_terms
from pipelines.record_report import order_days, record_reports
from pipelines.rule_sections import company_rules
from serving.day_records import HEALTH_COLUMNS, PROFILE_COLUMNS, SIGNAL_COLUMNS, DayFrames, Decision, Loop, LoopState
from serving.decision import Decided, Terms, Today, decide
from serving.rows import records

#: What lists and tasks read besides the facts and what the rules read.
SHOWN = (
    "days_since_last_order", "order_cycle_days", "days_to_next_expected_order", "days_since_last_interaction",
    "order_days_ever", "revenue_365d", "new_contact_hardly_known", "stated_risk_level", "days_until_budget_month",
)  # fmt: skip
#: What the cycle is stretched by, and nothing shows.
_RHYTHM_ALONE = ("open_season_days_since_last_order", "open_months", "cohort")
_SEASON = ("days_since_last_order", "order_cycle_days", "rhythm_class", *_RHYTHM_ALONE)


@dataclass(frozen=True)
class WorkingDay:
    """What a date says besides probabilities and reasons.

    Attributes
    ----------
    scores
        The scores with ``level``, ``level_parts``, ``stage``, ``queue`` and ``early_place``.
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
    reasons: pd.DataFrame,
    since: date | None,
    *,
    past: LoopPast | None = None,
    progress: Progress = silent,
) -> WorkingDay:
    """Health, rules, levels, stages and lists' facts of a date.

    Parameters
    ----------
    scores, reasons
        Of :func:`pipelines.score.score_parts`; levels are still those of the probability alone.
    since
        The date that was published before, None for the first one: changes since then set off tasks.
    past
        The warnings so far, for what is told of them; None where nothing is to be told.
    """
    settings = intake.settings
    rules, options = company_rules(settings.rules, intake.events.further)
    progress("facts of every customer", 0.6)
    frame = company_frame(intake, parts, rules)
    progress("health and its past", 0.7)
    health = health_of(intake)
    progress("rules, levels and stages", 0.8)
    limits = _limits(intake)
    fired = signals(frame, rules, options)
    fired = fired.assign(level=held_down(fired["level"], fired["rule"], limits or {}))
    health = health.assign(health_level=held_down(health["health_level"], _fall(health), limits or {}))
    scored, health = _levelled(scores, frame, fired, rules, health, model, intake)
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
        reports={"silent_rules": silent_here, "held_down": limits, **record},
    )
    return WorkingDay(scored, frames, today, _terms(intake, model, rules), _digest(frame, fired, health, intake))


def _limits(intake: Intake) -> dict[str, str] | None:
    """What rules and falls of the health may still give, by the record that was put in use; None without one."""
    record = kept(intake.request.out, intake.as_of)
    return None if record is None else record.limits(intake.walk_options().promises)


def _fall(health: pd.DataFrame) -> pd.Series:
    """Under which name each level of the health stands in the record of rules."""
    by_level = health["drop_level"].map(HEALTH_LEVELS).astype("object")
    return by_level.where(health["health_level"] == health["drop_level"], THREE_FALLS)


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


class Columns(Protocol):
    """Snapshots of all customers at one date."""

    def columns(self, names: Collection[str]) -> pd.DataFrame:
        """Those of these columns that the snapshots have."""


def columns_read(rules: tuple[WarningRule, ...]) -> set[str]:
    """What rules, stages and lists read of facts, features and contacts; names of options among them."""
    read = {name for rule in rules for text in rule.texts for one in conditions(text) for name in _columns(one)}
    shown = {name for rule in rules for name in rule.shows}
    roles = {f"{role}_interactions_90d{view}" for role in ("technical", "purchasing", "user", "executive")
             for view in ("", "_usual", "_vs_usual")}  # fmt: skip
    return {"customer_id", *SHOWN, *_SEASON, *stages.READS, *read, *shown, *roles}


def company_frame(intake: Intake, parts: Columns, rules: tuple[WarningRule, ...]) -> pd.DataFrame:
    """One row per known customer of the date: facts, the features that rules, stages and lists read, contacts.

    The cycle of a seasonal customer is stretched by the months in which it never orders, and a customer of projects has
    none: their silences are no delays.
    """
    events, as_of = intake.events, intake.as_of
    facts = daily_facts(events, as_of, options=intake.options(), engine=intake.engine)
    contacts = pd.DataFrame({"customer_id": facts["customer_id"], **dict.fromkeys(CONTACTS, np.nan)})
    if "interactions" in events.columns:
        contacts = contact_columns(contact_periods(events, as_of, engine=intake.engine))
    features = parts.columns(columns_read(rules) - (set(facts) - {"customer_id"}))
    frame = facts.merge(features, on="customer_id", how="left").merge(contacts, on="customer_id", how="left")
    frame = frame.assign(as_of=pd.Timestamp(as_of).as_unit("s"))
    adjusted = {"order_cycle_days": _own_cycle(frame)}
    if "days_to_next_expected_order" in frame:
        adjusted["days_to_next_expected_order"] = adjusted["order_cycle_days"] - frame["days_since_last_order"]
    told = frame.assign(**adjusted)
    return told[[name for name in told if name not in _RHYTHM_ALONE]].copy()


def _own_cycle(frame: pd.DataFrame) -> pd.Series:
    """The days that a silence is held against, by row."""
    silence, counted = frame["days_since_last_order"], frame["open_season_days_since_last_order"]
    cycle, months = frame["order_cycle_days"], frame["open_months"].fillna(ALL_YEAR).astype("int64")
    closed_days = 365 * (1 - months.map(int.bit_count) / 12)
    # a usual gap of a year has the closed months in it already
    seasonal = (frame["rhythm_class"] == "seasonal") & counted.notna() & (cycle < closed_days)
    stretch = (silence / counted.where(counted > 0)).where(seasonal, 1.0)
    return (cycle * stretch).where(frame["cohort"] != "project")


def _columns(condition: Any) -> tuple[str, ...]:
    return (condition.column, *condition.names)


def health_of(intake: Intake) -> pd.DataFrame:
    """Health of every customer at the date with its reference and fall, by the weights in use."""
    reference = intake.settings.health.reference.made()
    dates = (*health_dates(intake.as_of, reference), intake.as_of)
    rows = health_rows(intake.events, dates, scheme_in_use(intake), options=intake.options(), engine=intake.engine)
    return with_history(rows, intake.as_of, reference)


def scheme_in_use(intake: Intake) -> Scheme:
    """The scheme of the settings, with the learned weights where those are wanted."""
    section = intake.settings.health
    return section.made(in_use(read_changes(intake.request.out), section.set_weights()) if section.learned else None)


def _levelled(
    scores: pd.DataFrame,
    frame: pd.DataFrame,
    fired: pd.DataFrame,
    rules: tuple[WarningRule, ...],
    health: pd.DataFrame,
    model: ChurnModel,
    intake: Intake,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores with their level, its parts, stage, queue and place in the early queue; health of those scored."""
    customers = scores["customer_id"]
    inside = scores["cohort"] == ELIGIBLE
    by_health = health.set_index("customer_id")["health_level"].reindex(customers).to_numpy()
    lifting = [rule.code for rule in rules if rule.escalates]
    lifted = set(fired.loc[fired["rule"].isin(lifting), "customer_id"])
    parts = pd.DataFrame(
        {
            "customer_id": customers,
            "model_level": scores["level"],
            "health_level": pd.Series(by_health, index=scores.index).fillna("none"),
            "rule_level": rule_levels(fired).reindex(customers).fillna("none").to_numpy(),
            "escalated": customers.isin(lifted),
        }
    )
    # Outside the cohort nobody bears a level: their lists are drawn by the rules themselves.
    parts.loc[~inside, ["model_level", "health_level", "rule_level"]] = "none"
    found = combine(parts, fired[fired["customer_id"].isin(customers[inside])])
    said = found["level_parts"].map(" ".join).where(found["level"] != "none", None).astype("object")
    stage = stages.stages(frame, intake.settings.warnings.lost_after_cycles).set_axis(frame["customer_id"])
    place = early.standing(model.early, scores.loc[inside, "queue"], scores.loc[inside, "churn_probability"],
                           scores.loc[inside, "early_margin"])  # fmt: skip
    known = scores["history"] != "none"
    scored = scores.assign(
        model_level=parts["model_level"],
        health_level=parts["health_level"],
        rule_level=parts["rule_level"],
        level=found["level"].astype("object"),
        level_parts=said,
        stage=stage.reindex(customers).set_axis(scores.index).where(known, None).astype("object"),
        queue=scores["queue"].where(inside, None).astype("object"),
        early_place=place["early_place"].reindex(scores.index),
        early_mark=place["early_mark"].reindex(scores.index),
        queue_position=place["queue_position"].reindex(scores.index),
    )
    return scored, health[health["customer_id"].isin(customers)].reset_index(drop=True)


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
