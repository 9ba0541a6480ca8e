"""The story of one customer at one date, as codes and numbers: what `kizashi explain`, notebook, API and page all tell.

Nothing here is words, so that the same story is told in every language (:mod:`serving.story_words`), and nothing here
is computed: :mod:`pipelines.story` makes it. :meth:`Story.to_dict` is what the API answers.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from features.briefs import plain


@dataclass(frozen=True)
class Standing:
    """How a customer stands at a date.

    Attributes
    ----------
    as_of
        The cutoff.
    level, model_level
        The level in the end, and that of the probability alone.
    level_parts
        What made the level: ``("model:yellow", "rule:role_imbalance:orange")``.
    stage, queue, cohort, history, completeness
        As published of a score (:class:`serving.records.Score`).
    shown
        ``percent`` or ``level``: whether probabilities may be told.
    probability, low, high, window_days
        Of no order within the customer's own window, with its 90 % interval; None or NaN where unknown.
    horizons
        Days -> probability of no order within them.
    margin, base_margin
        Calibrated log-odds, and those of a customer with nothing unusual.
    value_at_risk, expected_loss
        Money.
    place, cohort_size
        Place in the cohort by probability, 1 the highest (None outside), and customers in it.
    model_version
        Of the champion.
    thresholds
        Level -> lowest probability that reaches it, loudest first; levels that are off are left out.
    """

    as_of: date
    level: str
    model_level: str
    level_parts: tuple[str, ...]
    stage: str | None
    queue: str | None
    cohort: str
    history: str
    completeness: str | None
    shown: str
    probability: float | None
    low: float | None
    high: float | None
    window_days: float | None
    horizons: Mapping[int, float]
    margin: float | None
    base_margin: float | None
    value_at_risk: float | None
    expected_loss: float | None
    place: int | None
    cohort_size: int
    model_version: str
    thresholds: Mapping[str, float]

    @property
    def percent(self) -> bool:
        """Whether probabilities may be told."""
        return self.shown == "percent"


@dataclass(frozen=True)
class ReasonLine:
    """One row of :func:`models.reasons.reasons`, with its fact as codes (:class:`serving.words.speech.Said`)."""

    role: str
    concept: str
    feature: str
    dimension: str
    value: float | None
    usual_value: float | None
    peer_value: float | None
    contribution: float
    contribution_points: float
    said: tuple[Any, ...]


@dataclass(frozen=True)
class Share:
    """What one concept adds to the log-odds; all of them, strongest first, are the bars of the waterfall."""

    concept: str
    dimension: str
    contribution: float


@dataclass(frozen=True)
class Happening:
    """One thing on the timeline: an event of the data, or a warning that opened, changed or closed.

    Attributes
    ----------
    on
        Its day.
    kind
        Code: a kind of :mod:`features.timelines`, or ``warning_opened``, ``warning_changed``, ``warning_closed``.
    amount
        Money, None without.
    detail
        What the data say of it.
    level
        Of a warning.
    """

    on: date
    kind: str
    amount: float | None = None
    detail: str = ""
    level: str | None = None


@dataclass(frozen=True)
class Step:
    """One part of a change of the log-odds.

    Attributes
    ----------
    kind
        ``restated`` (what is known today of the earlier date is not what was known then), ``time`` (days passed and
        what is usual for others moved), ``events`` (what became known), ``model`` (the model was replaced).
    contribution
        Log-odds.
    table, on, happenings
        Of events: their table, the day on which they became known, and what they are.
    shares
        By concept, strongest first; empty for a model.
    """

    kind: str
    contribution: float
    table: str | None = None
    on: date | None = None
    happenings: tuple[Happening, ...] = ()
    shares: tuple[Share, ...] = ()


@dataclass(frozen=True)
class Change:
    """Why a customer stands otherwise than at an earlier date.

    Attributes
    ----------
    before, after
        How it stood and stands. Sum of the steps = after.margin - before.margin, wherever both are known.
    steps
        In the order of :class:`Step`'s kinds, events by the day on which they became known.
    comparable
        False where one of the dates has no calibrated log-odds (outside the cohort): there are no steps then.
    threshold
        Change of the log-odds from which on the level in question is given (the louder of the two levels by the model);
        None where it was or is off. Distance to the level moved by sum of the steps - threshold.
    threshold_level
        That level.
    parts_gone, parts_new
        What made the earlier level and does not any more; what makes the present one and did not.
    """

    before: Standing
    after: Standing
    steps: tuple[Step, ...]
    comparable: bool
    threshold: float | None
    threshold_level: str | None
    parts_gone: tuple[str, ...] = ()
    parts_new: tuple[str, ...] = ()


@dataclass(frozen=True)
class WhatIf:
    """How the customer would stand had something happened: re-scored, nothing stored, and no promise.

    Attributes
    ----------
    kind
        ``order`` (one of usual size), ``payment`` (of all overdue invoices), ``both``, or ``given`` (by the caller).
    by
        The latest day by which it brings the level down; the day of the order for ``given``.
    amount
        Money of the order or of the invoices.
    as_of
        The cutoff at which it is looked at: the day after.
    level, probability, margin
        How it would stand then.
    level_otherwise, probability_otherwise
        How it would stand then had nothing happened.
    clears
        Whether the level is quieter than today's, and than it would be had nothing happened.
    """

    kind: str
    by: date
    amount: float | None
    as_of: date
    level: str
    probability: float | None
    margin: float | None
    level_otherwise: str
    probability_otherwise: float | None
    clears: bool


@dataclass(frozen=True)
class Case:
    """A customer who once stood as this one does, and what came of it.

    Attributes
    ----------
    as_of
        When it stood so.
    distance
        Between their contributions by concept, in log-odds; 0 is alike.
    lost
        Whether no order came within its own window.
    next_order_days
        Days to the next order, None where none came until the end of the data.
    """

    customer_id: str
    name: str
    as_of: date
    distance: float
    lost: bool
    next_order_days: int | None


@dataclass(frozen=True)
class Similar:
    """The nearest cases, of how many that were looked at; `lost_share` is of the nearest alone."""

    cases: tuple[Case, ...] = ()
    looked_at: int = 0

    @property
    def lost_share(self) -> float | None:
        """Share of the nearest that were lost."""
        return sum(case.lost for case in self.cases) / len(self.cases) if self.cases else None


@dataclass(frozen=True)
class HealthLine:
    """The health score at a date: `score` 0 to 100, `dimensions` likewise (None where unknown), reference and fall."""

    as_of: date
    score: float | None
    dimensions: Mapping[str, float | None]
    reference: float | None = None
    drop_share: float | None = None
    level: str = "none"
    past: Mapping[date, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Signal:
    """A rule that fired."""

    rule: str
    level: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class Story:
    """One customer at one date.

    Attributes
    ----------
    customer_id, name, owner, currency
        Who it is; "" where unknown.
    standing
        How it stands.
    reasons
        In the order of telling; last the rest. standing.base_margin + sum of contributions = standing.margin.
    concepts
        All concepts, strongest first; the same sum.
    dimensions
        Dimension -> sum of its concepts.
    signals
        Rules that fired.
    health
        None where unknown.
    timeline
        The newest last.
    change
        Since the date asked for; None where none was asked for.
    clearing
        What would bring the level down, the smallest first; empty where nothing tried does, or there is no level.
    similar
        Nearest cases.
    facts
        The snapshot: every feature that is known.
    """

    customer_id: str
    name: str
    owner: str
    currency: str
    standing: Standing
    reasons: tuple[ReasonLine, ...]
    concepts: tuple[Share, ...]
    dimensions: Mapping[str, float]
    signals: tuple[Signal, ...]
    health: HealthLine | None
    timeline: tuple[Happening, ...]
    change: Change | None
    clearing: tuple[WhatIf, ...]
    similar: Similar
    facts: Mapping[str, float] = field(repr=False, default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The whole as plain data for JSON."""
        told: dict[str, Any] = plain(asdict(self))
        return told


def change_of(data: Mapping[str, Any]) -> Change:
    """The inverse of a change as plain data, as the store keeps it."""
    return Change(
        **{
            **data,
            "before": _standing(data["before"]),
            "after": _standing(data["after"]),
            "steps": tuple(_step(one) for one in data["steps"]),
            "parts_gone": tuple(data["parts_gone"]),
            "parts_new": tuple(data["parts_new"]),
        }
    )


def _standing(data: Mapping[str, Any]) -> Standing:
    horizons = {int(days): chance for days, chance in data["horizons"].items()}
    parts, on = tuple(data["level_parts"]), date.fromisoformat(data["as_of"])
    return Standing(**{**data, "as_of": on, "level_parts": parts, "horizons": horizons})


def _step(data: Mapping[str, Any]) -> Step:
    events = [Happening(**{**one, "on": date.fromisoformat(one["on"])}) for one in data["happenings"]]
    shares, on = tuple(Share(**one) for one in data["shares"]), data["on"]
    known = None if on is None else date.fromisoformat(on)
    return Step(**{**data, "on": known, "happenings": tuple(events), "shares": shares})
