"""What each level of a warning brings with it: who is told, what is written for them, what is asked of whom.

Blue to red are four lists of actions, one for each level. The tasks and cases among them are made by
:mod:`serving.tasks`; the rest is made here, from figures that the day has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from serving.organisation import OrgChart
from serving.plays import Advice
from serving.task_kinds import CASE, KINDS

Form = Literal["notice", "report", "advice", "task", "case", "budget"]


@dataclass(frozen=True)
class Action:
    """One action of a level: its code, its form, and the roles that it goes to."""

    code: str
    form: Form
    to: tuple[str, ...] = ("owner",)


#: Level -> its actions, in the order of the source.
ACTIONS: Mapping[str, tuple[Action, ...]] = {
    "blue": (
        Action("remind_owner", "notice"),
        Action("activity_brief", "report"),
        Action("more_contact", "advice"),
    ),
    "yellow": (
        Action("escalate", "notice", ("regional_manager",)),
        Action("diagnosis", "report", ("regional_manager", "owner")),
        Action("call_back", "task"),
        Action("technical_assessment", "advice"),
    ),
    "orange": (
        Action("tell_director", "notice", ("director", "top")),
        Action("retention_team", "case"),
        Action("root_of_the_fall", "report", ("director", "owner")),
        Action("retention_plan", "report", ("director", "owner")),
    ),
    "red": (
        Action("top_management", "notice", ("top",)),
        Action("retention_budget", "budget", ("top",)),
        Action("recovery_plan", "case", ("top",)),
        Action("executive_visit", "task", ("top",)),
    ),
}


@dataclass(frozen=True)
class Output:
    """An action for one customer: whom it goes to, what it holds, and what the data lacked.

    Attributes
    ----------
    code, form
        Of the action.
    recipients
        Names.
    content
        Codes and numbers; see :func:`outputs`.
    missing
        Gaps of the organisation's chart, such as ``no_regional_manager``.
    """

    code: str
    form: Form
    recipients: tuple[str, ...]
    content: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figures:
    """What the reports on one customer are written from.

    Attributes
    ----------
    health, reference, drop
        Score, the customer's own reference, and the fall in per cent.
    dimensions
        Dimension -> its score today and at the reference; None where unknown.
    weights
        Dimension -> weight in the score.
    reasons
        ``feature``, ``dimension``, ``value``, ``contribution`` of the reasons, the strongest first.
    signals
        ``rule`` and ``evidence`` of the rules that fired.
    plays
        What is advised.
    recent
        Figures of the newest activity, for the brief.
    """

    health: float | None = None
    reference: float | None = None
    drop: float | None = None
    dimensions: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    reasons: Sequence[Mapping[str, Any]] = ()
    signals: Sequence[Mapping[str, Any]] = ()
    plays: Sequence[Advice] = ()
    recent: Mapping[str, Any] = field(default_factory=dict)


def outputs(level: str, row: Mapping[str, Any], org: OrgChart, figures: Figures) -> list[Output]:
    """What a level brings with it for a customer.

    Parameters
    ----------
    row
        The customer's facts: ``owner``, ``manager``, ``region``.

    Returns
    -------
    list of Output
        Three for blue, four for each louder level, none for ``none``. ``diagnosis`` holds score, drop, the dimensions
        and the top reasons; ``root_of_the_fall`` the dimension that explains most of it, its share and its signals;
        ``retention_plan`` cites both; ``retention_budget`` has a budget line, ``recovery_plan`` its departments.
    """
    content: Mapping[str, Mapping[str, Any]] = {
        "activity_brief": dict(figures.recent),
        "diagnosis": _diagnosis(figures),
        "root_of_the_fall": root_of(figures),
        "retention_plan": {"plays": [play.play for play in figures.plays], "answers": root_of(figures)},
        "retention_team": {"teams": [KINDS[code].team for code in CASE]},
        "retention_budget": {"budget_line": "retention"},
        "recovery_plan": {"departments": [KINDS[code].team for code in CASE]},
    }
    made = []
    for action in ACTIONS.get(level, ()):
        people = [org.role(role, row) for role in action.to]
        names = tuple(dict.fromkeys(person.name for person in people if person.name))
        missing = tuple(person.missing for person in people if person.missing)
        made.append(Output(action.code, action.form, names, content.get(action.code, {}), missing))
    return made


def falls(figures: Figures) -> pd.Series:
    """Points of the score that each dimension has lost since the reference, by dimension, the most first."""
    total = sum(figures.weights.get(name, 0.0) for name in figures.dimensions) or 1.0
    lost = {
        name: figures.weights.get(name, 0.0) / total * (before - now)
        for name, (now, before) in figures.dimensions.items()
        if now is not None and before is not None
    }
    return pd.Series(lost, dtype="float64").sort_values(ascending=False, kind="stable")


def root_of(figures: Figures) -> dict[str, Any]:
    """The dimension that explains most of the fall, its share of all that was lost, and what speaks for it.

    Where no score is known, the dimension whose reasons weigh most; ``dimension`` is None where there is neither.
    """
    lost = falls(figures)
    lost = lost[lost > 0]
    if lost.empty:
        weigh = pd.DataFrame(list(figures.reasons), columns=["feature", "dimension", "value", "contribution"])
        lost = weigh[weigh["contribution"] > 0].groupby("dimension")["contribution"].sum()
        lost = lost.astype("float64").sort_values(ascending=False, kind="stable")
    dimension = None if lost.empty else str(lost.index[0])
    return {
        "dimension": dimension,
        "share": None if lost.empty else float(lost.iloc[0] / lost.sum()),
        "reasons": [dict(one) for one in figures.reasons if one.get("dimension") == dimension],
        "signals": [str(one["rule"]) for one in figures.signals],
    }


def _diagnosis(figures: Figures) -> dict[str, Any]:
    return {
        "health": figures.health,
        "reference": figures.reference,
        "drop": figures.drop,
        "dimensions": {name: {"now": now, "reference": was} for name, (now, was) in figures.dimensions.items()},
        "reasons": [dict(one) for one in figures.reasons],
    }
