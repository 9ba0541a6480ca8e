"""The level of every customer of a date: from its probability, the fall of its health and the rules that fired.

Nothing here is stored and nothing knows of another day's warnings, so that a customer who is looked at under other
circumstances (:mod:`pipelines.what_if`) gets its level from the same code as the daily run.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from features.contact_curve import COLUMNS as CONTACTS
from features.contact_curve import contact_columns, contact_periods
from features.daily_facts import daily_facts
from features.snapshots import ELIGIBLE, Progress, silent
from features.windows import ALL_YEAR
from models import early, stages
from models.churn_model import ChurnModel
from models.health_history import health_dates, health_rows, with_history
from models.health_scheme import Scheme
from models.health_weight_history import in_use, read_changes
from models.level_parts import combine
from models.level_trust import HEALTH_LEVELS, THREE_FALLS, held_down
from models.warning_conditions import conditions
from models.warning_rules import WarningRule, rule_levels, signals
from pipelines.intake import Intake
from pipelines.kept_record import kept
from pipelines.rule_sections import company_rules

#: What lists and tasks read besides the facts and what the rules read.
SHOWN = (
    "days_since_last_order", "order_cycle_days", "days_to_next_expected_order", "days_since_last_interaction",
    "order_days_ever", "revenue_365d", "new_contact_hardly_known", "stated_risk_level", "days_until_budget_month",
)  # fmt: skip
#: What the cycle is stretched by, and nothing shows.
_RHYTHM_ALONE = ("open_season_days_since_last_order", "open_months", "cohort")
_SEASON = ("days_since_last_order", "order_cycle_days", "rhythm_class", *_RHYTHM_ALONE)


class Columns(Protocol):
    """Snapshots of all customers at one date."""

    def columns(self, names: Collection[str]) -> pd.DataFrame:
        """Those of these columns that the snapshots have."""


@dataclass(frozen=True)
class Levelled:
    """Customers of a date with their levels, and what made them.

    Attributes
    ----------
    scored
        The scores with level, its parts, stage, queue and place in the early queue.
    health
        Of :func:`health_of`, of those scored.
    fired
        The rules that fired, with the level that each may give.
    frame
        Of :func:`company_frame`.
    """

    scored: pd.DataFrame
    health: pd.DataFrame
    fired: pd.DataFrame
    frame: pd.DataFrame


def levelled(
    intake: Intake,
    model: ChurnModel,
    parts: Columns,
    scores: pd.DataFrame,
    *,
    contacts: pd.DataFrame | None = None,
    progress: Progress = silent,
) -> Levelled:
    """The level of every customer from its probability, its health and the rules; nothing is stored.

    Parameters
    ----------
    scores
        With the levels of the probability alone.
    contacts
        As for :func:`company_frame`.
    """
    rules, options = company_rules(intake.settings.rules, intake.events.further)
    limits = limits_in_use(intake) or {}
    progress("facts of every customer", 0.6)
    frame = company_frame(intake, parts, rules, contacts)
    progress("health and its past", 0.7)
    health = health_of(intake)
    progress("rules, levels and stages", 0.8)
    fired = signals(frame, rules, options)
    fired = fired.assign(level=held_down(fired["level"], fired["rule"], limits))
    health = health.assign(health_level=held_down(health["health_level"], fall_names(health), limits))
    scored, health = _levelled(scores, frame, fired, rules, health, model, intake)
    return Levelled(scored, health, fired, frame)


def limits_in_use(intake: Intake) -> dict[str, str] | None:
    """What rules and falls of the health may still give, by the record that was put in use; None without one."""
    record = kept(intake.request.out, intake.as_of)
    return None if record is None else record.limits(intake.walk_options().promises)


def fall_names(health: pd.DataFrame) -> pd.Series:
    """Under which name each level of the health stands in the record of rules."""
    by_level = health["drop_level"].map(HEALTH_LEVELS).astype("object")
    return by_level.where(health["health_level"] == health["drop_level"], THREE_FALLS)


def columns_read(rules: tuple[WarningRule, ...]) -> set[str]:
    """What rules, stages and lists read of facts, features and contacts; names of options among them."""
    read = {name for rule in rules for text in rule.texts for one in conditions(text) for name in _columns(one)}
    shown = {name for rule in rules for name in rule.shows}
    roles = {f"{role}_interactions_90d{view}" for role in ("technical", "purchasing", "user", "executive")
             for view in ("", "_usual", "_vs_usual")}  # fmt: skip
    return {"customer_id", *SHOWN, *_SEASON, *stages.READS, *read, *shown, *roles}


def company_frame(
    intake: Intake, parts: Columns, rules: tuple[WarningRule, ...], contacts: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row per known customer of the date: facts, the features that rules, stages and lists read, contacts.

    The cycle of a seasonal customer is stretched by the months in which it never orders, and a customer of projects has
    none: their silences are no delays.

    `contacts` are the columns of :mod:`features.contact_curve` where they are known already; they compare each customer
    with all others, so that a few cannot tell them.
    """
    events, as_of = intake.events, intake.as_of
    facts = daily_facts(events, as_of, options=intake.options(), engine=intake.engine)
    if contacts is None and "interactions" in events.columns:
        contacts = contact_columns(contact_periods(events, as_of, engine=intake.engine))
    if contacts is None:
        contacts = pd.DataFrame({"customer_id": facts["customer_id"], **dict.fromkeys(CONTACTS, np.nan)})
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


def in_parts(
    scores: pd.DataFrame, fired: pd.DataFrame, rules: tuple[WarningRule, ...], by_health: pd.Series
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each source contributes to every level, and the levels that come of it, see :func:`combine`.

    Parameters
    ----------
    scores
        ``customer_id``, ``cohort`` and ``level``, that of the probability alone.
    fired
        The rules that fired, with the level that each may give.
    by_health
        The level of the health, by customer.
    """
    customers = scores["customer_id"]
    inside = scores["cohort"] == ELIGIBLE
    lifting = [rule.code for rule in rules if rule.escalates]
    lifted = set(fired.loc[fired["rule"].isin(lifting), "customer_id"])
    parts = pd.DataFrame(
        {
            "customer_id": customers,
            "model_level": scores["level"],
            "health_level": pd.Series(by_health.reindex(customers).to_numpy(), index=scores.index).fillna("none"),
            "rule_level": rule_levels(fired).reindex(customers).fillna("none").to_numpy(),
            "escalated": customers.isin(lifted),
        }
    )
    # Outside the cohort nobody bears a level: their lists are drawn by the rules themselves.
    parts.loc[~inside, ["model_level", "health_level", "rule_level"]] = "none"
    return parts, combine(parts, fired[fired["customer_id"].isin(customers[inside])])


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
    parts, found = in_parts(scores, fired, rules, health.set_index("customer_id")["health_level"])
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
