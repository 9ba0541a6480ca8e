"""Why customers stand otherwise than at an earlier date, taken apart exactly.

The log-odds of the later date less those of the earlier one are the sum of these steps, each re-scored and not guessed:
the earlier knowledge at the later cutoff less that at the earlier one (*time*: silence grew, windows moved on, peers
moved), what became known since, piece by piece in the order in which it did (*events*), and the new model less the old
one on the same facts (*model*). Within a step every feature has its exact share (:mod:`models.moves`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

from features import cutoffs
from features.timelines import timeline
from features.variants import Variant, new_facts, variants
from models.churn_model import ChurnModel
from models.horizons import curve
from models.moves import moves
from models.reasons import Concepts, Floats
from pipelines.dated import DatedDay, snapshots
from serving.story import Happening, Share, Step

#: How finely what became known is taken apart: all of a table at once, or each day of it.
By = Literal["table", "day"]
#: More days than these are put together by table.
MOST_EVENTS = 12
#: Customers that are taken apart at once.
AT_ONCE = 2_000
#: What is worth less than this, in log-odds, is not told of a step.
TOLD_FROM = 0.005


@dataclass(frozen=True)
class Steps:
    """The steps of one customer, with its log-odds at both ends as re-scored now.

    `before` is by the earlier model, `after` by the later one. The steps sum to `after` - `before`.
    """

    before: float
    after: float
    steps: tuple[Step, ...]


def steps_between(earlier: DatedDay, later: DatedDay, customers: Sequence[str], *, by: By = "day") -> dict[str, Steps]:
    """What moved customers who were in the cohort at both dates.

    Parameters
    ----------
    earlier, later
        The two dates, each with the model that it was scored with.
    customers
        Their ids.
    by
        ``day`` tells each day of each table apart (up to :data:`MOST_EVENTS`), ``table`` each table.

    Returns
    -------
    dict
        By customer; the steps in order: time, events as they became known, model.
    """
    found: dict[str, Steps] = {}
    for start in range(0, len(customers), AT_ONCE):
        found |= _steps_of_some(earlier, later, customers[start : start + AT_ONCE], by)
    return found


def _steps_of_some(earlier: DatedDay, later: DatedDay, customers: Sequence[str], by: By) -> dict[str, Steps]:
    """The same of so many customers as memory holds."""
    old, new = earlier.champion.model, later.champion.model
    same = earlier.champion.version == later.champion.version
    facts = new_facts(later.intake.events, customers, earlier.as_of, later.as_of)
    paths = {who: _path(facts[facts["customer_id"] == who], by) for who in customers}
    chosen, places = _variants(paths, earlier.as_of)
    before = _in_order(
        snapshots(earlier, [Variant(name_of(i), who) for i, who in enumerate(customers)]), len(customers)
    )
    along = _in_order(snapshots(later, chosen, model=old), len(chosen))
    first = np.array([places[who][0] for who in customers])
    last = np.array([places[who][-1] for who in customers])
    margins = margins_of(old, along)
    start = margins_of(old, before)
    new_rows = (
        along.iloc[last]
        if same
        else _in_order(snapshots(later, [Variant(name_of(i), who) for i, who in enumerate(customers)]), len(customers))
    )
    end = margins_of(new, new_rows)
    time = moves(old, before, along.iloc[first].set_axis(before.index))
    pairs = [(a, b) for who in customers for a, b in zip(places[who], places[who][1:], strict=False)]
    came = np.array([b for _, b in pairs], dtype="int64")
    went = np.array([a for a, _ in pairs], dtype="int64")
    events = moves(old, along.iloc[went].set_axis(along.index[came]), along.iloc[came])
    happened = _happenings(later, chosen) if pairs else {}
    of_time, of_events = shares_of(time, TOLD_FROM), dict(zip(came, shares_of(events, TOLD_FROM), strict=True))
    found = {}
    for i, who in enumerate(customers):
        steps = [Step("time", float(margins[first[i]] - start[i]), shares=of_time[i])]
        for step, place in enumerate(places[who][1:]):
            table, day = paths[who][step].table, paths[who][step].day
            new_there = _added(happened.get(place - 1, ()), happened.get(place, ()))
            worth = float(margins[place] - margins[place - 1])
            steps.append(Step("events", worth, table, day, new_there, of_events[place]))
        if not same:
            steps.append(Step("model", float(end[i] - margins[last[i]])))
        found[who] = Steps(float(start[i]), float(end[i]), tuple(steps))
    return found


@dataclass(frozen=True)
class _Group:
    """What becomes known in one step: `pairs` of table and day."""

    table: str
    day: date | None
    pairs: frozenset[tuple[str, date]] = field(repr=False)


def _path(facts: pd.DataFrame, by: By) -> list[_Group]:
    """The steps in which a customer's new facts are let in, oldest first."""
    pairs = [(str(table), day.date()) for table, day in zip(facts["table"], facts["day"], strict=True)]
    if by == "day" and len(pairs) <= MOST_EVENTS:
        return [_Group(table, day, frozenset({(table, day)})) for table, day in sorted(pairs, key=lambda p: p[::-1])]
    tables = list(dict.fromkeys(table for table, _ in sorted(pairs, key=lambda pair: pair[::-1])))
    groups = []
    for table in tables:
        days = sorted(day for name, day in pairs if name == table)
        groups.append(_Group(table, days[0] if len(days) == 1 else None, frozenset((table, day) for day in days)))
    return groups


def _variants(paths: Mapping[str, list[_Group]], unseen_from: date) -> tuple[list[Variant], dict[str, list[int]]]:
    """A variant for each state of knowledge, from that of the earlier date to that of the later one, in order."""
    chosen: list[Variant] = []
    places: dict[str, list[int]] = {}
    for who, groups in paths.items():
        seen: frozenset[tuple[str, date]] = frozenset()
        for group in (None, *groups):
            seen = seen | group.pairs if group else seen
            places.setdefault(who, []).append(len(chosen))
            chosen.append(Variant(name_of(len(chosen)), who, unseen_from, seen))
    return chosen, places


def name_of(number: int) -> str:
    """The name of a variant, which no id of a company's begins with by chance."""
    return f"#{number}"


def _in_order(frame: pd.DataFrame, count: int) -> pd.DataFrame:
    """Snapshots in the order of their variants' numbers."""
    found = frame.set_index(frame["customer_id"].str[1:].astype("int64")).sort_index()
    if list(found.index) != list(range(count)):
        raise ValueError("a customer has no snapshot: it had no order by the earlier date")
    return found


def margins_of(model: ChurnModel, frame: pd.DataFrame) -> Floats:
    """Calibrated log-odds of each snapshot's own window, shape (n,)."""
    return curve(model.margins(frame), frame["churn_window_days"])[1]


def shares_of(rows: pd.DataFrame, least: float = 0.0) -> list[tuple[Share, ...]]:
    """Rows of contributions or moves by concept, strongest first, without what is less than `least` in size."""
    concepts = Concepts.of(rows)
    names = list(zip(concepts.names, map(str, concepts.dimension), strict=True))
    found = []
    for sums in concepts.sums.tolist():
        told = [Share(*name, worth) for name, worth in zip(names, sums, strict=True) if abs(worth) >= least]
        found.append(tuple(sorted(told, key=lambda share: (-abs(share.contribution), share.concept))))
    return found


_Events = tuple[Happening, ...]


def _happenings(day: DatedDay, chosen: Sequence[Variant]) -> dict[int, _Events]:
    """What the timelines of a customer's variants do not all hold, by the variant's number."""
    events = variants(day.intake.events, chosen, day.kept.population.starts)
    with events.connect(0) as con:
        cutoffs.lay_out_time(con)
        cutoffs.set_cutoffs(con, [day.as_of])
        cutoffs.set_accounts(con, "industry")
        rows = timeline(con)
    number = rows["customer_id"].str[1:].astype("int64")
    whose = pd.Series([one.customer_id for one in chosen])
    copies = whose.map(whose.value_counts())
    detail = _without_names(rows)
    key = rows.drop(columns=["as_of", "customer_id"]).assign(detail=detail, whose=number.map(whose))
    held = number.groupby([key[name] for name in key], dropna=False).transform("nunique")
    told: dict[int, _Events] = {}
    for name, some in rows.assign(detail=detail)[held < number.map(copies)].groupby(number, sort=False):
        told[int(str(name))] = tuple(happenings(some))
    return told


def _without_names(rows: pd.DataFrame) -> pd.Series:
    """The details of events without the variants' names, with which the ids of their rows begin."""
    own = zip(rows["detail"], rows["customer_id"], strict=True)
    return pd.Series([detail.replace(f"{name}/", "") for detail, name in own], index=rows.index, dtype="str")


def happenings(rows: pd.DataFrame) -> Iterable[Happening]:
    """Rows of a timeline as they are told."""
    for row in rows.to_dict("records"):
        amount = None if pd.isna(row["amount"]) else float(row["amount"])
        yield Happening(row["happened_at"].date(), row["kind"], amount, row["detail"])


def _added(before: _Events, after: _Events) -> _Events:
    """What the later timeline holds and the earlier one did not."""
    left = list(before)
    found = []
    for one in after:
        if one in left:
            left.remove(one)
        else:
            found.append(one)
    return tuple(found)
