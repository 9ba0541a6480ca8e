"""The story of one customer at one date: what `kizashi explain`, the notebook, the API and the page tell alike.

Where the date was published the story tells what was published; where the data of the date have been corrected since,
or it never was, the date is scored anew.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pandas as pd
from scipy import special

from features import cutoffs
from features.briefs import records
from features.errors import SettingsError
from features.narrowing import account_connection
from features.snapshots import ELIGIBLE, Progress, silent
from features.timelines import timeline
from features.variants import Variant, variants
from models.health import DIMENSIONS
from models.health_history import month_steps
from models.horizons import PROBABILITIES
from models.levels import LEVELS, LOUDNESS
from models.reasons import contributions
from pipelines.changes import happenings, margins_of, name_of, shares_of, steps_between
from pipelines.dated import SAME, DatedDay, dated, snapshots
from pipelines.explaining import Terms, explained, figures_of
from pipelines.intake import Intake
from pipelines.levelling import health_of
from pipelines.past_cases import similar
from pipelines.settings import database_url
from pipelines.what_if import clearing
from serving.records import INTERVAL, SCORE_NUMBERS
from serving.store import Store
from serving.story import Change, Happening, HealthLine, ReasonLine, Share, Signal, Similar, Standing, Step, Story

#: The timeline goes so many days back.
TIMELINE_DAYS = 730
#: So many customers are the background of interventional contributions.
BACKGROUND = 100


def explain(
    intake: Intake,
    customer_id: str,
    *,
    since: date | None = None,
    with_cases: bool = True,
    interventional: bool = False,
    progress: Progress = silent,
) -> Story:
    """The story of one customer as of the intake's date.

    Parameters
    ----------
    since
        An earlier date; the story then tells why the customer stands otherwise than on it.
    with_cases
        Whether similar past cases are looked for; the first story of a month scores a sample of past dates for them.
    interventional
        Hold the trees' contributions against :data:`BACKGROUND` customers of the date instead of the paths of their
        training (:func:`models.reasons.contributions`); the base is then those customers' mean.

    Raises
    ------
    SettingsError
        If no such customer had an order by then, or `since` is not earlier.
    ArtefactError
        If there is no model.
    """
    if since is not None and since >= intake.as_of:
        raise SettingsError(f"--since {since} is not before {intake.as_of}: name an earlier date.")
    day = dated(intake, progress=progress)
    _must_know(day, customer_id)
    frame = snapshots(day, [Variant(customer_id, customer_id)])
    if day.published and not _same(day, customer_id, frame):
        day = dated(intake, champion=day.champion, fresh=True, progress=progress)
        frame = snapshots(day, [Variant(customer_id, customer_id)])
    progress("the story", 0.9)
    standing = standing_of(day, customer_id)
    model, settings = day.champion.model, intake.settings
    terms = Terms(day.as_of, settings.reasons.count, settings.project.currency, day.kept.spread)
    background = background_of(day) if interventional else None
    told = explained(model, frame, terms, frozenset({customer_id} if standing.percent else ()), background)
    inside = frame["cohort"].iloc[0] == ELIGIBLE
    shares: tuple[Share, ...] = ()
    if inside:
        split = contributions(model, frame, background)
        shares, standing = shares_of(split.values)[0], replace(standing, base_margin=float(split.base.iloc[0]))
    account = _account(day, customer_id)
    sums = pd.Series({share.concept: share.contribution for share in shares}, dtype="float64")
    return Story(
        customer_id=customer_id,
        name=account.name,
        owner=account.owner,
        currency=settings.project.currency,
        standing=standing,
        reasons=tuple(_line(row) for row in records(told)),
        concepts=shares,
        dimensions=_by_dimension(shares),
        signals=_signals(day, customer_id),
        health=_health(day, customer_id),
        timeline=tuple(sorted([*account.events, *_warnings(day, customer_id)], key=lambda one: one.on)),
        change=None if since is None else change_since(day, customer_id, since, progress=progress),
        clearing=clearing(day, customer_id),
        similar=similar(day, sums, customer_id, progress=progress) if inside and with_cases else Similar(),
        facts=figures_of(frame.iloc[0].to_dict()),
    )


def background_of(day: DatedDay) -> pd.DataFrame:
    """Snapshots of :data:`BACKGROUND` customers of the cohort, the same for every story of the date."""
    cohort = day.scores.loc[day.scores["cohort"] == ELIGIBLE, "customer_id"].reset_index(drop=True)
    drawn = cohort[pd.util.hash_pandas_object(cohort, index=False).sort_values().index[:BACKGROUND]]
    return snapshots(day, [Variant(name_of(i), who) for i, who in enumerate(drawn)])


def _must_know(day: DatedDay, customer_id: str) -> None:
    score = day.score(customer_id)
    if score is None or score["history"] == "none":
        known = sorted(day.scores.loc[day.scores["history"] != "none", "customer_id"])
        raise SettingsError(
            f"customer {customer_id!r} has no order known before {day.as_of}. "
            f"Known are for example {known[:3]}; give one of them, or a later --as-of."
        )


def _same(day: DatedDay, customer_id: str, frame: pd.DataFrame) -> bool:
    """Whether the data still say of the date what was published of it."""
    score = day.score(customer_id)
    if score is None or frame.empty or score["cohort"] != frame["cohort"].iloc[0]:
        return False
    return score["cohort"] != ELIGIBLE or abs(margins_of(day.champion.model, frame)[0] - float(score["margin"])) < SAME


def standing_of(day: DatedDay, customer_id: str) -> Standing:
    """How a customer stands on a day; it must have a row of the scores."""
    score = day.score(customer_id)
    if score is None:
        raise SettingsError(f"customer {customer_id!r} is not known on {day.as_of}.")
    inside = score["cohort"] == ELIGIBLE
    cohort = day.scores.loc[day.scores["cohort"] == ELIGIBLE, "churn_probability"]
    levels = {one.name: one.threshold for one in day.champion.model.levels.levels if one.threshold is not None}
    numbers = (*SCORE_NUMBERS, *INTERVAL)
    number = {name: _number(score[name]) for name in numbers}
    return Standing(
        as_of=day.as_of,
        level=str(score["level"]),
        model_level=str(score["model_level"]),
        level_parts=tuple(score["level_parts"].split()) if isinstance(score["level_parts"], str) else (),
        stage=_text(score["stage"]),
        queue=_text(score["queue"]),
        cohort=str(score["cohort"]),
        history=str(score["history"]),
        completeness=_text(score["completeness"]),
        shown=str(score["shown"]),
        probability=number["churn_probability"],
        low=number["churn_low"],
        high=number["churn_high"],
        window_days=number["churn_window_days"],
        horizons={
            int(name.rsplit("_", 1)[1]): chance for name in PROBABILITIES if (chance := number[name]) is not None
        },
        margin=number["margin"],
        base_margin=number["base_margin"],
        value_at_risk=number["value_at_risk"],
        expected_loss=number["expected_loss"],
        place=1 + int((cohort > score["churn_probability"]).sum()) if inside else None,
        cohort_size=len(cohort),
        model_version=day.champion.version,
        thresholds=levels,
    )


def _number(value: Any) -> float | None:
    return None if isinstance(value, str) or pd.isna(value) else float(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _line(row: dict[str, Any]) -> ReasonLine:
    """A row of the reasons as the story has it."""
    said = () if row["said"] is None else tuple(json.loads(row["said"]))
    kept = {name: row[name] for name in ReasonLine.__dataclass_fields__ if name != "said"}
    return ReasonLine(**kept, said=said)


def _by_dimension(shares: Sequence[Share]) -> dict[str, float]:
    present = {share.dimension for share in shares}
    return {
        name: sum(share.contribution for share in shares if share.dimension == name)
        for name in DIMENSIONS
        if name in present
    }


def _signals(day: DatedDay, customer_id: str) -> tuple[Signal, ...]:
    """The loudest first, in one order whether they were published or found anew."""
    mine = day.signals[day.signals["customer_id"] == customer_id]
    found = [Signal(row["rule"], row["level"], row["evidence"] or {}) for row in records(mine)]
    return tuple(sorted(found, key=lambda one: (-LOUDNESS[one.level], one.rule)))


def _one(day: DatedDay, customer_id: str) -> Intake:
    """The intake with this customer alone, its sources beginning where the company's do."""
    events = variants(day.intake.events, [Variant(customer_id, customer_id)], day.kept.population.starts)
    return replace(day.intake, report=replace(day.intake.report, events=events))


def _health(day: DatedDay, customer_id: str) -> HealthLine | None:
    """The health score with its months; None where nothing is known."""
    row = records(health_of(_one(day, customer_id)))[0]
    if row["health"] is None:
        return None
    months = dict(zip(month_steps(day.as_of), (row[f"health_{n}m"] for n in (3, 2, 1)), strict=True))
    return HealthLine(
        as_of=day.as_of,
        score=row["health"],
        dimensions={name: row[f"health_{name}"] for name in DIMENSIONS},
        reference=row["health_reference"],
        drop_share=row["health_drop_share"],
        level=row["health_level"],
        past={pd.Timestamp(on).date(): float(score) for on, score in months.items() if score is not None},
    )


@dataclass(frozen=True)
class _Account:
    """Who a customer is, "" where unknown, and what happened to it within :data:`TIMELINE_DAYS`."""

    name: str
    owner: str
    events: tuple[Happening, ...]


def _account(day: DatedDay, customer_id: str) -> _Account:
    with account_connection(day.intake.events, customer_id, day.as_of) as con:
        cutoffs.set_accounts(con, "industry")
        rows = timeline(con)
        names = con.execute("SELECT name FROM customers").fetchall()
        owners = con.execute("SELECT owner FROM accounts").fetchall()
    name, owner = (str(found[0][0]) if found and found[0][0] else "" for found in (names, owners))
    rows = rows[rows["happened_at"] >= pd.Timestamp(day.as_of - timedelta(days=TIMELINE_DAYS))]
    return _Account(name, owner, tuple(happenings(rows)))


def _warnings(day: DatedDay, customer_id: str) -> list[Happening]:
    """The warnings that were open before the day, as far as they had gone by then."""
    url = database_url(day.intake.settings, day.intake.request.out)
    with Store.open(url) as store:
        episodes = store.episodes(customer_id=customer_id).rows
    found = []
    for row in records(episodes):
        opened, closed = _date(row["opened_on"]), _date(row["closed_on"])
        if opened is not None and opened <= day.as_of:
            found.append(Happening(opened, "warning_opened", level=row["opened_level"]))
        if closed is not None and closed <= day.as_of:
            found.append(Happening(closed, "warning_closed", level=row["level"]))
    return found


def _date(value: Any) -> date | None:
    return None if value is None or pd.isna(value) else pd.Timestamp(value).date()


def change_since(day: DatedDay, customer_id: str, since: date, *, progress: Progress = silent) -> Change:
    """Why a customer stands otherwise than on an earlier date.

    Raises
    ------
    SettingsError
        If it had no order by then.
    """
    progress(f"how it stood on {since}", 0.5)
    earlier = dated(replace(day.intake, as_of=since), champion=day.champion, progress=progress)
    _must_know(earlier, customer_id)
    return changes_between(earlier, day, [customer_id])[customer_id]


def changes_between(
    earlier: DatedDay, later: DatedDay, customers: Sequence[str], *, by: Any = "day"
) -> dict[str, Change]:
    """Why customers stand otherwise on the later day; both days must have scores of them."""
    stood = {who: (standing_of(earlier, who), standing_of(later, who)) for who in customers}
    comparable = [who for who, pair in stood.items() if all(one.cohort == ELIGIBLE for one in pair)]
    steps = steps_between(earlier, later, comparable, by=by)
    return {
        who: _change(*stood[who], earlier, later, (steps[who].before, steps[who].steps) if who in steps else None)
        for who in customers
    }


def _change(
    before: Standing,
    after: Standing,
    earlier: DatedDay,
    later: DatedDay,
    found: tuple[float, tuple[Step, ...]] | None,
) -> Change:
    """The change with its steps, what the data say otherwise of the earlier date now before all others."""
    steps: tuple[Step, ...] = ()
    if found is not None and before.margin is not None:
        restated = found[0] - before.margin
        steps = (*([Step("restated", restated)] if abs(restated) > SAME else []), *found[1])
    level = max(before.model_level, after.model_level, key=lambda name: LOUDNESS[name])
    old, new = (_threshold(day, level) for day in (earlier, later))
    return Change(
        before=before,
        after=after,
        steps=steps,
        comparable=found is not None,
        threshold=None if old is None or new is None else new - old,
        threshold_level=None if level == LEVELS[-1] else level,
        parts_gone=tuple(part for part in before.level_parts if part not in after.level_parts),
        parts_new=tuple(part for part in after.level_parts if part not in before.level_parts),
    )


def _threshold(day: DatedDay, level: str) -> float | None:
    """Log-odds from which on a level is given; None where it is off."""
    lowest = {one.name: one.threshold for one in day.champion.model.levels.levels}.get(level)
    return None if lowest is None else float(special.logit(lowest))
