"""What became of the warnings: per level and quarter, with what nobody can know left out and said.

Only the untreated ones tell whether a warning was right. A customer that was contacted and orders again was either
saved or never about to leave: it is undetermined, counted apart, and neither a hit nor a false alarm. Beside every
figure stands what as many warnings drawn by lot would have reached.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.evaluation import wilson
from models.levels import LEVELS, OVERDUE, Promise

Flags = NDArray[np.bool_]

#: Of every episode; ``level`` is the level that is judged, ``treated`` whether anything was done within its window,
#: ``value`` its value at risk. ``closed_on`` is missing while it is open.
EPISODES = ("episode_id", "customer_id", "opened_on", "closed_on", "level", "queue", "owner", "treated", "value")
#: What came of an episode, row by row as it becomes known: ``lost`` and ``reordered`` (within the own window) are 1.0,
#: 0.0 or NaN (not known yet). Event times of the loss: ``expected_on`` (the order that was to follow the last one),
#: ``window_ends_on`` (the own window after the last order), ``lost_on``.
OUTCOMES = ("episode_id", "lost", "reordered", "expected_on", "window_ends_on", "lost_on")
#: Every loss, whether warned about or not.
LOSSES = ("customer_id", "lost_on", "revenue")
ALL = "all"
_LEADS = {"expected": "expected_on", "window": "window_ends_on", "loss": "lost_on"}


@dataclass(frozen=True)
class Share:
    """A share with what it was counted from and its 95 % Wilson interval; NaN where `n` is 0."""

    hits: int
    n: int
    value: float
    low: float
    high: float

    @classmethod
    def of(cls, hits: float, n: float) -> "Share":
        """So many of so many."""
        low, high = wilson(hits, n)
        return cls(int(hits), int(n), hits / n if n else float("nan"), float(low), float(high))


@dataclass(frozen=True)
class Terms:
    """How warnings are judged.

    Attributes
    ----------
    first, until
        Warnings opened and losses that fell from the first day on and before the last one are judged.
    customers
        Customers who could have been warned about in that time; None where not known: then chance has no figures.
    hit_within_days
        A loss was warned about if an episode opened at most so many days before it.
    cool_down_days
        An episode that opens within so many days after the one before closed is the same warning flapping.
    """

    first: date
    until: date
    customers: int | None = None
    hit_within_days: int = 180
    cool_down_days: int = 28

    @property
    def weeks(self) -> float:
        """Length of the time."""
        return (self.until - self.first).days / 7


def track_record(episodes: pd.DataFrame, outcomes: pd.DataFrame, losses: pd.DataFrame, terms: Terms) -> pd.DataFrame:
    """The track record of each level, loudest first, and of all together.

    Parameters
    ----------
    episodes
        :data:`EPISODES`, also those from before the time, as a loss at its beginning was warned about before.
    outcomes, losses
        :data:`OUTCOMES` and :data:`LOSSES`.

    Returns
    -------
    DataFrame
        ``level``, ``episodes`` (opened in the time); of the untreated ``waiting`` (not matured), ``matured``, ``hits``,
        ``precision`` with ``low`` and ``high``; of the treated ``undetermined`` (how many), ``treated_lost``,
        ``treated_reordered``; the median days from a right warning to what `OUTCOMES` names, ``lead_expected_days``,
        ``lead_window_days``, ``lead_loss_days``, below 0 where it came later; ``losses``, ``warned``, ``recall`` with
        ``recall_low`` and ``recall_high``, ``revenue_recall``; ``false_alarms`` and ``reordered_share`` (who of them
        ordered within the own window, where that is known); ``per_owner_week``, ``overdue_share``, ``flapping``;
        ``null_precision`` and ``null_recall``, what as many customers drawn by lot would have reached. NaN where there
        is nothing to divide by.
    """
    rows = _joined(episodes, outcomes, terms)
    lost = _within(losses, "lost_on", terms)
    inside = _within(rows, "opened_on", terms)
    owners = inside["owner"].nunique()
    table = []
    for name in (*LEVELS[:-1], ALL):
        mine, every = (frame if name == ALL else frame[frame["level"] == name] for frame in (inside, rows))
        table.append(
            {"level": name, "episodes": len(mine)}
            | _precision(mine)
            | _recall(every, lost, terms)
            | {
                "per_owner_week": _ratio(len(mine), owners * terms.weeks),
                "overdue_share": _ratio((mine["queue"] == OVERDUE).sum(), len(mine)),
                "flapping": _ratio(mine["flapped"].sum(), len(mine)),
                "null_precision": _ratio(lost["customer_id"].nunique(), terms.customers or 0),
                "null_recall": _ratio(mine["customer_id"].nunique(), terms.customers or 0),
            }
        )
    return pd.DataFrame(table)


def _joined(episodes: pd.DataFrame, outcomes: pd.DataFrame, terms: Terms) -> pd.DataFrame:
    """Episodes with their outcomes, dates as timestamps, and whether each one flapped."""
    for name, frame, wanted in (("episodes", episodes, EPISODES), ("outcomes", outcomes, OUTCOMES)):
        absent = [column for column in wanted if column not in frame]
        if absent:
            raise ValueError(f"expected the columns {list(wanted)} of {name}; {absent} are missing: add them")
    rows = episodes.merge(outcomes[list(OUTCOMES)], on="episode_id", how="left", validate="one_to_one")
    dates = {name: pd.to_datetime(rows[name]) for name in ("opened_on", "closed_on", *_LEADS.values())}
    numbers = {name: rows[name].astype("float64") for name in ("lost", "reordered", "value")}
    rows = rows.assign(**dates, **numbers, treated=rows["treated"].eq(True)).sort_values(["customer_id", "opened_on"])
    since = (rows["opened_on"] - rows.groupby("customer_id")["closed_on"].shift()).dt.days
    return rows.assign(flapped=since <= terms.cool_down_days)


def _within(frame: pd.DataFrame, name: str, terms: Terms) -> pd.DataFrame:
    day = pd.to_datetime(frame[name])
    return frame[(day >= pd.Timestamp(terms.first)) & (day < pd.Timestamp(terms.until))]


def _precision(rows: pd.DataFrame) -> dict[str, float]:
    alone, treated = rows[~rows["treated"]], rows[rows["treated"]]
    matured = alone[alone["lost"].notna()]
    right, wrong = matured[matured["lost"] == 1], matured[matured["lost"] == 0]
    share = Share.of(len(right), len(matured))
    leads = {f"lead_{name}_days": (right[day] - right["opened_on"]).dt.days.median() for name, day in _LEADS.items()}
    return {
        "waiting": len(alone) - len(matured),
        "matured": share.n,
        "hits": share.hits,
        "precision": share.value,
        "low": share.low,
        "high": share.high,
        "undetermined": len(treated),
        "treated_lost": int((treated["lost"] == 1).sum()),
        "treated_reordered": int((treated["reordered"] == 1).sum()),
        **{name: float(days) for name, days in leads.items()},
        "false_alarms": len(wrong),
        "reordered_share": _ratio((wrong["reordered"] == 1).sum(), wrong["reordered"].notna().sum()),
    }


def _recall(rows: pd.DataFrame, lost: pd.DataFrame, terms: Terms) -> dict[str, float]:
    warned = first_alerts(rows, lost, terms.hit_within_days)["lead_days"].notna().to_numpy()
    revenue = lost["revenue"].fillna(0).to_numpy(dtype="float64")
    share = Share.of(int(warned.sum()), len(lost))
    return {
        "losses": share.n,
        "warned": share.hits,
        "recall": share.value,
        "recall_low": share.low,
        "recall_high": share.high,
        "revenue_recall": _ratio(revenue[warned].sum(), revenue.sum()),
    }


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below else float("nan")


def first_alerts(episodes: pd.DataFrame, losses: pd.DataFrame, within_days: int) -> pd.DataFrame:
    """Each loss with the first warning of it: on the index and with the columns of `losses`.

    Parameters
    ----------
    episodes
        ``customer_id``, ``opened_on`` and, if there is one, ``stage`` when it opened.
    losses
        ``customer_id``, ``lost_on``.
    within_days
        Of the warnings on the day of the loss or at most so many days before it the earliest is the first.

    Returns
    -------
    DataFrame
        Besides: ``first_alert_on``, ``lead_days`` (float64; NaN where nobody warned) and ``stage`` (missing likewise).
    """
    about = [name for name in ("customer_id", "opened_on", "stage") if name in episodes]
    alerts = episodes[about].rename(columns={"opened_on": "first_alert_on"})
    alerts = alerts.assign(first_alert_on=pd.to_datetime(alerts["first_alert_on"]))
    numbered = losses[["customer_id", "lost_on"]].assign(place=np.arange(len(losses)))
    pairs = numbered.merge(alerts, on="customer_id")
    lead = (pd.to_datetime(pairs["lost_on"]) - pairs["first_alert_on"]).dt.days
    pairs = pairs.assign(lead_days=lead.astype("float64"))[(lead >= 0) & (lead <= within_days)]
    first = pairs.sort_values("first_alert_on").drop_duplicates("place").set_index("place")
    found = first.reindex(np.arange(len(losses)))[[name for name in first if name not in ("customer_id", "lost_on")]]
    return losses.join(found.set_axis(losses.index))


def promises_kept(episodes: pd.DataFrame, outcomes: pd.DataFrame, promises: Mapping[str, Promise]) -> pd.DataFrame:
    """Per quarter in which warnings opened, whether each level kept its precision among the untreated that matured.

    Returns
    -------
    DataFrame
        ``quarter`` (such as ``2026Q1``), ``level``, ``promised``, ``episodes``, ``n``, ``hits``, ``precision``,
        ``low``, ``high`` and ``kept`` (True, False, or None where nothing has matured).
    """
    opened = pd.to_datetime(episodes["opened_on"])
    if opened.empty:
        return pd.DataFrame()
    rows = _joined(episodes, outcomes, Terms(opened.min().date(), opened.max().date()))
    rows = rows.assign(quarter=rows["opened_on"].dt.to_period("Q").astype("str"))
    table = []
    for quarter, here in rows.groupby("quarter", sort=True):
        for name, promise in promises.items():
            mine = here[here["level"] == name]
            known = mine[~mine["treated"] & mine["lost"].notna()]
            share = Share.of(int(known["lost"].sum()), len(known))
            kept = None if share.n == 0 else bool(share.value >= promise.precision)
            row = {"quarter": quarter, "level": name, "promised": promise.precision, "episodes": len(mine)}
            row |= {"n": share.n, "hits": share.hits, "precision": share.value, "low": share.low, "high": share.high}
            table.append(row | {"kept": kept})
    return pd.DataFrame(table).astype({"kept": object})


@dataclass(frozen=True)
class QuarterReport:
    """The numbers of a quarter.

    Attributes
    ----------
    alerts
        Episodes opened in it.
    precision
        Of the untreated that matured.
    recall
        Share of the quarter's losses that were warned about.
    lead_days
        Median days from the first warning to the loss, of the warned; NaN where there are none.
    saves, compared
        Share of the treated, and of the untreated, that was not lost. Both None without matured ones on both sides:
        without a comparison nobody knows what was saved.
    value
        Value at risk of the quarter's episodes, each customer once, at its highest.
    """

    alerts: int
    precision: Share
    recall: Share
    lead_days: float
    saves: Share | None
    compared: Share | None
    value: float


def quarter_report(
    episodes: pd.DataFrame, outcomes: pd.DataFrame, losses: pd.DataFrame, quarter: str, hit_within_days: int = 180
) -> QuarterReport:
    """What is said of a quarter (such as ``2026Q1``), by what is known by now; parameters as for the track record."""
    whole = pd.Period(quarter, "Q")
    terms = Terms(whole.start_time.date(), (whole + 1).start_time.date(), hit_within_days=hit_within_days)
    rows = _joined(episodes, outcomes, terms)
    mine, lost = _within(rows, "opened_on", terms), _within(losses, "lost_on", terms)
    known = mine[mine["lost"].notna()]
    kept = {one: Share.of(int((part["lost"] == 0).sum()), len(part)) for one, part in known.groupby("treated")}
    both = len(kept) == 2
    warned = first_alerts(rows, lost, hit_within_days)["lead_days"]
    alone = known[~known["treated"]]
    return QuarterReport(
        len(mine),
        Share.of(int(alone["lost"].sum()), len(alone)),
        Share.of(int(warned.notna().sum()), len(lost)),
        float(warned.median()),
        kept[True] if both else None,
        kept[False] if both else None,
        float(mine.groupby("customer_id")["value"].max().sum()),
    )


def confusion(cohort: pd.DataFrame, warned: pd.DataFrame) -> pd.DataFrame:
    """Who was warned about and who was lost, counted by level or by rule.

    Parameters
    ----------
    cohort
        One row per customer and date whose outcome is known: ``customer_id``, ``as_of``, ``lost`` (1 or 0); rows that
        have not matured (NaN) are left out.
    warned
        ``customer_id``, ``as_of``, ``name``: the level, or a rule that fired.

    Returns
    -------
    DataFrame
        Per name: ``n`` (rows of the cohort), ``lost_warned``, ``kept_warned``, ``lost_not_warned``,
        ``kept_not_warned``; ``precision``, ``recall``, each with ``_low`` and ``_high``, and ``lift``, the precision
        over the share lost of all.
    """
    keys = ["customer_id", "as_of"]
    known = cohort[cohort["lost"].notna()]
    n, lost = len(known), int(known["lost"].sum())
    hit = warned.drop_duplicates([*keys, "name"]).merge(known[[*keys, "lost"]], on=keys, validate="many_to_one")
    table = []
    for name in sorted(set(warned["name"])):
        mine = hit.loc[hit["name"] == name, "lost"]
        tp, all_warned = int(mine.sum()), len(mine)
        precision, recall = Share.of(tp, all_warned), Share.of(tp, lost)
        table.append(
            {"name": name, "n": n, "lost_warned": tp, "kept_warned": all_warned - tp}
            | {"lost_not_warned": lost - tp, "kept_not_warned": n - lost - (all_warned - tp)}
            | {"precision": precision.value, "precision_low": precision.low, "precision_high": precision.high}
            | {"recall": recall.value, "recall_low": recall.low, "recall_high": recall.high}
            | {"lift": _ratio(precision.value, _ratio(lost, n))}
        )
    return pd.DataFrame(table)
