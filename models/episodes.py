"""Warning episodes: one warning per customer from the day it opens to the day it is over, however often it is scored.

A score that crosses its threshold back and forth is one warning, not ten. So a level by the model opens an episode only
where it was met in two of the last three scorings, at a jump of the probability, or where nothing was scored before; a
rule or a fall of the health score opens one at once. It is over only after days well below the threshold, and for a
while after that only news opens another one. An order lowers the level and never closes the episode at once. A dead
band with delays on both sides is what alarm management does in plants (EEMUA 191, ISA-18.2).

:func:`step` is one day: what it returns is what changes, :func:`after` the episodes with it. Nothing is stored here.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.levels import LEVELS, LOUDNESS, level_names, loudness

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Of every customer scored today; ``dimension`` is that of its first reason, ``priority`` money.
TODAY = (
    *("customer_id", "level", "model_level", "rule_level", "health_level"),
    *("churn_probability", "queue", "dimension", "priority", "owner"),
)
EARLIER = ("customer_id", "as_of", "churn_probability", "model_level")
#: Of every episode that is open, or was closed no longer ago than the cool-down. Dates are dates or None; ``dimension``
#: are those of its reasons so far, with commas between.
EPISODES = (
    *("episode_id", "customer_id", "opened_on", "level", "highest_level", "dimension", "below_since", "closed_on"),
    "owner",
)
#: What is said besides of an episode that opens.
OPENED = (*EPISODES, "opened_level", "queue", "stage", "priority", "reason")
_CHANGED = ("episode_id", "customer_id", "level", "highest_level", "dimension", "below_since", "reason")
_LOUDEST, _QUIETEST = LOUDNESS[LEVELS[0]], 1


@dataclass(frozen=True)
class Hysteresis:
    """When an episode opens and closes.

    Attributes
    ----------
    met, scorings
        A level by the model counts where it, or a louder one, was met in so many of the last so many scorings.
    jump
        A change of the probability by more than this since the last scoring counts at once, up or down.
    below
        An episode begins to end when the probability is lower than the lowest threshold by more than this, and nothing
        else speaks for a level.
    closed_after_days
        And it is over when that lasted so many days.
    cool_down_days
        For so many days after closing, another one opens only at a louder level or for a reason of another dimension.
    new_per_week
        New episodes per owner and calendar week, from Monday; None for no limit.
    """

    met: int = 2
    scorings: int = 3
    jump: float = 0.25
    below: float = 0.08
    closed_after_days: int = 14
    cool_down_days: int = 28
    new_per_week: int | None = 5


USUAL = Hysteresis()


@dataclass(frozen=True)
class Moves:
    """What changes on a day; every frame has a ``reason``.

    Attributes
    ----------
    opened
        :data:`OPENED`; reason: ``rule``, ``health``, ``first_scoring``, ``jump``, ``steady``, and within the
        cool-down ``louder`` or ``new_dimension``.
    changed
        ``episode_id``, ``customer_id``, and as they are now ``level``, ``highest_level``, ``dimension``,
        ``below_since``; reason, the first that holds: ``louder``, ``new_dimension``, ``quieter``, ``below``, ``back``.
    closed
        ``episode_id``, ``customer_id``, ``closed_on``; reason ``quiet``, or ``not_scored`` for who is not there any
        more.
    held_back
        Who would have got an episode if its owner's week were not full: ``customer_id``, ``owner``, ``level``,
        ``priority``; reason ``capacity``.
    """

    opened: pd.DataFrame
    changed: pd.DataFrame
    closed: pd.DataFrame
    held_back: pd.DataFrame

    @property
    def not_shown(self) -> tuple[int, float]:
        """How many customers are held back, and their money."""
        return len(self.held_back), float(self.held_back["priority"].fillna(0).sum())

    @property
    def empty(self) -> bool:
        """Whether nothing opens, changes or closes."""
        return not (len(self.opened) or len(self.changed) or len(self.closed))


@dataclass(frozen=True)
class Pilot:
    """Where warnings may open while the system is tried out; everybody is scored all the same.

    Attributes
    ----------
    column, values
        Only customers with one of these values there; all with no column.
    shadow
        Nobody: scores alone.
    """

    column: str | None = None
    values: tuple[str, ...] = ()
    shadow: bool = False

    def of(self, customers: pd.DataFrame) -> pd.Series:
        """Whether an episode or a task may open, bool on the index of `customers`; an unknown value is outside."""
        if self.shadow or self.column is None:
            return pd.Series(not self.shadow, index=customers.index)
        if self.column not in customers:
            raise ValueError(
                f"expected a column {self.column!r} to pilot on; found {list(customers)}: name one of them"
            )
        return customers[self.column].isin(self.values)


def episode_id(customer_id: str, opened_on: date) -> str:
    """The same for the same customer and day, wherever it is asked: 16 hex digits."""
    return hashlib.sha256(f"{opened_on}/{customer_id}".encode()).hexdigest()[:16]


def no_episodes() -> pd.DataFrame:
    """The episodes before the first day."""
    return pd.DataFrame({name: pd.Series(dtype=object) for name in OPENED[:-1]})


def step(
    today: pd.DataFrame,
    earlier: pd.DataFrame,
    episodes: pd.DataFrame,
    terms: Hysteresis = USUAL,
    *,
    as_of: date,
    entry: float | None,
) -> Moves:
    """One day of warnings.

    Parameters
    ----------
    today
        Today's scores: :data:`TODAY`, one row per customer. A level that is louder than its parts (competitor in the
        region) keeps that step. Optional: ``listed`` (bool: a rule that fired has a working list, so that it is never
        held back; without the column every rule has), ``may_open`` (bool, see :class:`Pilot`) and ``stage``.
    earlier
        The last scorings before today, :data:`EARLIER`, dates in ``as_of``; rows of today are passed over.
    episodes
        :data:`EPISODES`, open ones and those closed within the cool-down; for the limit of the week those opened in it.
    terms
        When they open and close.
    as_of
        The day, which everything that happens is dated by.
    entry
        The lowest threshold of the model's levels (:attr:`models.levels.Levels.entry`); None where all are off.

    Returns
    -------
    Moves
        The same for rows in any order; none for a day that was stepped before.

    Raises
    ------
    ValueError
        For a day before one that was stepped already, a customer with two rows or two open episodes, or a level that
        there is not.
    """
    _check(today, earlier, episodes, as_of)
    scored = _judged(today, earlier, terms, as_of, entry)
    opened_before = episodes["opened_on"].notna() & episodes["closed_on"].isna()
    changed, closed = _carried_on(scored, episodes[opened_before], terms, as_of)
    candidates = _candidates(scored, episodes, terms, as_of)
    opened, held_back = _within_the_week(candidates, episodes, terms, as_of)
    return Moves(opened, changed, closed, held_back)


def after(episodes: pd.DataFrame, moves: Moves) -> pd.DataFrame:
    """The episodes with a day's moves: what the next day's :func:`step` is given."""
    rows = episodes.set_index("episode_id", drop=False).astype(object)
    for frame in (moves.changed, moves.closed):
        new = frame.set_index("episode_id").drop(columns=["customer_id", "reason"]).astype(object)
        for name in new:
            rows.loc[new.index, name] = new[name]
    parts = [
        part for part in (rows.reset_index(drop=True), moves.opened.drop(columns="reason").astype(object)) if len(part)
    ]
    return pd.concat(parts, ignore_index=True) if parts else no_episodes()


def _check(today: pd.DataFrame, earlier: pd.DataFrame, episodes: pd.DataFrame, as_of: date) -> None:
    for name, frame, wanted in (
        ("today", today, TODAY),
        ("earlier", earlier, EARLIER),
        ("episodes", episodes, EPISODES),
    ):
        absent = [column for column in wanted if column not in frame]
        if absent:
            raise ValueError(f"expected the columns {list(wanted)} of {name}; {absent} are missing: add them")
    stepped = [episodes[name].dropna() for name in ("opened_on", "below_since", "closed_on")]
    dates = [_date(days.max()) for days in (*stepped, earlier["as_of"].dropna()) if len(days)]
    if dates and max(dates) > as_of:
        raise ValueError(
            f"expected a day from {max(dates)} on, the last one stepped; found {as_of}: step days in order"
        )
    is_open = episodes["closed_on"].isna()
    for name, who in (("today", today["customer_id"]), ("open episodes", episodes.loc[is_open, "customer_id"])):
        twice = who[who.duplicated()]
        if len(twice):
            raise ValueError(f"expected each customer once among {name}; found {twice.iloc[0]!r} twice: keep one row")


def _date(day: Any) -> date:
    return pd.Timestamp(day).date()


def _judged(
    today: pd.DataFrame, earlier: pd.DataFrame, terms: Hysteresis, as_of: date, entry: float | None
) -> pd.DataFrame:
    """Today's rows with how loud each customer is once single scorings are smoothed, why, and whether it is calm."""
    rows = today.reset_index(drop=True)
    loud = {name: loudness(rows[name]) for name in ("level", "model_level", "rule_level", "health_level")}
    others = np.maximum(loud["rule_level"], loud["health_level"])
    step_up = np.maximum(loud["level"] - np.maximum(others, loud["model_level"]), 0)
    probability = rows["churn_probability"].to_numpy(dtype="float64")
    before, last, known = _before(rows["customer_id"], earlier, terms, as_of)
    jumped = np.abs(probability - last) > terms.jump + 1e-12
    new = known == 0
    told = np.sort(np.column_stack([loud["model_level"], before]), axis=1)[:, ::-1]
    steady = told[:, terms.met - 1] if told.shape[1] >= terms.met else np.zeros(len(rows), dtype="int64")
    smooth = np.where(new | jumped, loud["model_level"], steady)
    base = np.maximum(smooth, others)
    low = np.full(len(rows), True) if entry is None else ~(probability >= entry - terms.below - 1e-12)
    why = np.select(
        [loud["rule_level"] > 0, loud["health_level"] > 0, new, jumped],
        ["rule", "health", "first_scoring", "jump"],
        default="steady",
    )
    return rows.assign(
        loud=np.minimum(np.where(base > 0, base + step_up, 0), _LOUDEST),
        # A level that is met today by one scoring alone is not calm either: it may be confirmed tomorrow.
        calm=low & (loud["level"] == 0),
        opens=(base > 0) & (loud["level"] > 0),
        by_rule=loud["rule_level"] > 0,
        why=why,
    )


def _before(
    customers: pd.Series, earlier: pd.DataFrame, terms: Hysteresis, as_of: date
) -> tuple[Ints, NDArray[np.float64], Ints]:
    """Of each customer how loud it was in the last scorings, its last probability, and how many scorings there were."""
    n, back = len(customers), terms.scorings - 1
    when = pd.to_datetime(earlier["as_of"])
    rows = earlier.assign(as_of=when, place=pd.Index(customers).get_indexer(pd.Index(earlier["customer_id"])))
    rows = rows[(when < pd.Timestamp(as_of)) & (rows["place"] >= 0)].drop_duplicates(["place", "as_of"], keep="last")
    rows = rows.sort_values(["place", "as_of"], ascending=[True, False])
    nth = rows.groupby("place").cumcount().to_numpy()
    place = rows["place"].to_numpy()
    loud = np.zeros((n, back), dtype="int64")
    inside = nth < back
    loud[place[inside], nth[inside]] = loudness(rows["model_level"])[inside]
    last = np.full(n, np.nan)
    last[place[nth == 0]] = rows["churn_probability"].to_numpy(dtype="float64")[nth == 0]
    return loud, last, np.bincount(place, minlength=n)


def _carried_on(
    scored: pd.DataFrame, is_open: pd.DataFrame, terms: Hysteresis, as_of: date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What becomes of the open episodes: changed ones and closed ones."""
    rows = is_open.reset_index(drop=True)
    place = pd.Index(scored["customer_id"]).get_indexer(pd.Index(rows["customer_id"]))
    here = place >= 0
    calm, loud = np.full(len(rows), True), loudness(rows["level"])
    calm[here] = scored["calm"].to_numpy()[place[here]]
    was = loud.copy()
    loud[here] = np.maximum(scored["loud"].to_numpy()[place[here]], _QUIETEST)
    highest = np.maximum(loudness(rows["highest_level"]), loud)
    # The first reason of a customer without a level is no new one.
    said = scored["dimension"].where(scored["loud"] > 0, None).astype(object)
    today = [said.iat[at] if at >= 0 else None for at in place]
    dimensions = [_joined(old, new) for old, new in zip(rows["dimension"], today, strict=True)]
    since = [
        None if not still else as_of if pd.isna(old) else _date(old)
        for still, old in zip(calm, rows["below_since"], strict=True)
    ]
    over = np.array([day and (as_of - day).days >= terms.closed_after_days for day in since], dtype=bool)
    began, back = rows["below_since"].isna().to_numpy() & calm, rows["below_since"].notna().to_numpy() & ~calm
    news = np.array([old != new for old, new in zip(rows["dimension"], dimensions, strict=True)], dtype=bool)
    told = {"louder": loud > was, "new_dimension": news, "quieter": loud < was, "below": began, "back": back}
    now = rows.assign(
        level=level_names(loud),
        highest_level=level_names(highest),
        dimension=pd.Series(dimensions, dtype=object),
        below_since=pd.Series(since, dtype=object),
        closed_on=as_of,
        reason=np.select(list(told.values()), list(told), ""),
    )
    gone = now[over].assign(reason=np.where(here[over], "quiet", "not_scored"))
    return (
        _tidy(now[~over & (now["reason"] != "")], list(_CHANGED)),
        _tidy(gone, ["episode_id", "customer_id", "closed_on", "reason"]),
    )


def _joined(old: Any, new: Any) -> Any:
    """The dimensions of an episode with one more, each once, in the order in which they came."""
    if pd.isna(new):
        return old
    known = [] if pd.isna(old) or old == "" else str(old).split(",")
    return ",".join([*known, str(new)] if new not in known else known)


def _candidates(scored: pd.DataFrame, episodes: pd.DataFrame, terms: Hysteresis, as_of: date) -> pd.DataFrame:
    """Who would get an episode today if there were room for everybody, with what it would be."""
    may = scored["may_open"].eq(True) if "may_open" in scored else True
    has_one = scored["customer_id"].isin(episodes.loc[episodes["closed_on"].isna(), "customer_id"])
    rows = scored[scored["opens"] & may & ~has_one]
    closed = episodes[episodes["closed_on"].notna()]
    closed = closed.assign(closed_on=pd.to_datetime(closed["closed_on"])).sort_values(["closed_on", "opened_on"])
    closed = closed[closed["closed_on"] > pd.Timestamp(as_of - timedelta(days=terms.cool_down_days))]
    last = closed.drop_duplicates("customer_id", keep="last").set_index("customer_id")
    told = last.reindex(rows["customer_id"])
    cooling = rows["customer_id"].isin(last.index).to_numpy()
    louder = rows["loud"].to_numpy() > loudness(told["highest_level"])
    known = zip(rows["dimension"], told["dimension"], strict=True)
    new = np.array([pd.notna(now) and now not in str(old).split(",") for now, old in known], dtype=bool)
    reason = np.where(~cooling, rows["why"], np.where(louder, "louder", "new_dimension"))
    return rows.assign(reason=reason)[~cooling | louder | new]


def _within_the_week(
    candidates: pd.DataFrame, episodes: pd.DataFrame, terms: Hysteresis, as_of: date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Who gets an episode, by priority, and who is held back as the owner's week is full."""
    rows = candidates.assign(
        episode_id=[episode_id(who, as_of) for who in candidates["customer_id"]],
        opened_on=as_of,
        level=level_names(candidates["loud"].to_numpy()),
        highest_level=level_names(candidates["loud"].to_numpy()),
        opened_level=level_names(candidates["loud"].to_numpy()),
        dimension=candidates["dimension"].fillna(""),
        stage=candidates.get("stage"),
        below_since=None,
        closed_on=None,
        priority=candidates["priority"].astype("float64"),
    )
    rows = rows.sort_values(["priority", "loud", "customer_id"], ascending=[False, False, True], na_position="last")
    if terms.new_per_week is None:
        fits = pd.Series(True, index=rows.index)
    else:
        # Where nobody owns an account, nobody's week is filled by it: those accounts share one.
        owner = rows["owner"].fillna("")
        free = rows["listed"].eq(True) if "listed" in rows else rows["by_rule"]
        monday = pd.Timestamp(as_of - timedelta(days=as_of.weekday()))
        this_week = episodes[pd.to_datetime(episodes["opened_on"]) >= monday]
        used = this_week["owner"].fillna("").value_counts().add(owner[free].value_counts(), fill_value=0)
        room = terms.new_per_week - owner.map(used).astype("float64").fillna(0)
        nth = (~free).groupby(owner).cumsum()
        fits = free | (nth <= room)
    kept = rows[~fits].assign(reason="capacity")
    return _tidy(rows[fits], list(OPENED)), _tidy(kept, ["customer_id", "owner", "level", "priority", "reason"])


def _tidy(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """These columns in order of the customers."""
    return frame.sort_values("customer_id")[columns].reset_index(drop=True)
