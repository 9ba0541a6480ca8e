"""What came of a warning: the record of an order that came back, and the review of a customer that is lost.

The system fills what it knows (the level at detection, the days without an order, the first amount); what was done and
why the orders had stopped, a person chooses from closed lists. Until then the record is a draft.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from models.stages import LOST_AFTER_CYCLES
from serving.ledger import SYSTEM, Event
from serving.rows import records
from serving.words.speech import language, text

#: What was done. Visit, phone, new proposal and price are the source's own list.
APPROACHES: Mapping[str, str] = {
    "visit": text("Visit"),
    "phone": text("Phone call"),
    "new_proposal": text("New proposal"),
    "price": text("Price adjustment"),
    "service": text("Service"),
    "other": text("Something else"),
    "none": text("Nothing was done"),
}
#: Why the orders had stopped. The first four are the source's own list.
WHYS: Mapping[str, str] = {
    "competitor": text("A competitor"),
    "budget": text("The budget"),
    "contact_change": text("A change of the contact"),
    "need_change": text("A change of what is needed"),
    "service": text("Our service"),
    "season": text("The season"),
    "other": text("Something else"),
}
RESTARTED, KEPT, LOST = "restarted", "kept", "lost"
#: How it ended: orders came back, they never stopped, they ended.
RESULTS = (RESTARTED, KEPT, LOST)
SUCCESSES = (RESTARTED, KEPT)

#: The families of causes of a loss; the first three are the source's own.
FAMILIES = ("service", "care", "price_range", "other")
#: Cause of a loss -> its family and its name.
CAUSES: Mapping[str, tuple[str, str]] = {
    "slow_service": ("service", text("Slow service")),
    "slow_response": ("service", text("Slow response")),
    "delivery": ("service", text("Late or wrong deliveries")),
    "quality": ("service", text("Faulty goods")),
    "complaint": ("service", text("A complaint that was not settled")),
    "too_little_care": ("care", text("Too little attention")),
    "nobody_in_charge": ("care", text("Nobody in charge of the account")),
    "contact_lost": ("care", text("The contact left and the successor was not won")),
    "price": ("price_range", text("A lower price elsewhere")),
    "range": ("price_range", text("Better or more goods elsewhere")),
    "competitor": ("price_range", text("A competitor came in")),
    "closed": ("other", text("The business closed, moved or merged")),
    "no_need": ("other", text("No need any more")),
    "unknown": ("other", text("Not known")),
}


def name_of(table: Mapping[str, str | tuple[str, str]], code: str, locale: str = "en") -> str:
    """The name of an approach, a why or a cause."""
    entry = table[code]
    return language(locale).words(entry if isinstance(entry, str) else entry[1])


@dataclass(frozen=True)
class RestartTerms:
    """When an order is one that came back.

    Attributes
    ----------
    overdue_after_cycles
        An order that ended a silence of more than so many own cycles answers an open warning.
    lost_after_cycles
        ... of more than so many re-activates a customer that was marked as churned.
    told_within_days
        Older orders are history, not news: a store that is begun with years of data tells of none of them.
    """

    overdue_after_cycles: float = 1.5
    lost_after_cycles: float = LOST_AFTER_CYCLES
    told_within_days: int = 31


def restarts(
    today: pd.DataFrame, episodes: pd.DataFrame, outcomes: pd.DataFrame, terms: RestartTerms, as_of: date, at: datetime
) -> list[Event]:
    """Events of orders that came back: a draft record for a warning that was open, and ``customer_restarted``.

    Parameters
    ----------
    today
        Facts of every customer: ``customer_id``, ``last_order_on``, ``last_order_amount``,
        ``gap_before_last_order_days`` and ``order_cycle_days``.
    episodes
        All warnings, closed ones too: an order may be what closed it.
    outcomes
        The records that there are: what a person has begun is left alone.
    at
        The moment of the run.

    Returns
    -------
    list of Event
        Each happens once, however often the day is run again.
    """
    events: list[Event] = []
    gap, cycle = today["gap_before_last_order_days"], today["order_cycle_days"]
    ended = today.loc[gap > terms.overdue_after_cycles * cycle, list(_READS)]
    recorded = set(outcomes["episode_id"])
    warnings: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(records(episodes), key=lambda row: row["opened_on"], reverse=True):
        warnings.setdefault(row["customer_id"], []).append(row)
    for row in records(ended):
        if not _told(row["last_order_on"], terms, as_of):
            continue
        told = {
            "first_order_on": row["last_order_on"],
            "days_stopped": float(row["gap_before_last_order_days"]),
            "first_order_amount": _number(row.get("last_order_amount")),
        }
        if row["gap_before_last_order_days"] > terms.lost_after_cycles * row["order_cycle_days"]:
            once = f"restart:{row['customer_id']}:{told['first_order_on']}"
            payload = {**told, "as_of": as_of}
            events.append(Event("customer_restarted", SYSTEM, at, payload, row["customer_id"], once=once))
        warned = _warned(warnings.get(row["customer_id"], []), told["first_order_on"])
        if warned is not None and warned["episode_id"] not in recorded:
            events.append(_draft(warned, told, as_of, at))
    return events


def _told(day: date | None, terms: RestartTerms, as_of: date) -> bool:
    return day is not None and as_of - timedelta(days=terms.told_within_days) <= day < as_of


def _warned(warnings: list[dict[str, Any]], ordered_on: date) -> dict[str, Any] | None:
    """The first of a customer's warnings that stood open when the order came."""
    for row in warnings:
        if row["opened_on"] <= ordered_on and (row["closed_on"] is None or row["closed_on"] >= ordered_on):
            return row
    return None


def _draft(warned: Mapping[str, Any], told: Mapping[str, Any], as_of: date, at: datetime) -> Event:
    payload = {
        "state": "draft",
        "detected_level": warned["opened_level"],
        "days_stopped": told["days_stopped"],
        "first_order_amount": told["first_order_amount"],
        "result": RESTARTED,
        "recorded_on": as_of,
    }
    episode = warned["episode_id"]
    return Event(
        "outcome_recorded", SYSTEM, at, payload, warned["customer_id"], episode, once=f"outcome_draft:{episode}"
    )


#: What an order that came back is read from.
_READS = ("customer_id", "last_order_on", "last_order_amount", "gap_before_last_order_days", "order_cycle_days")


def lost_on(row: Mapping[str, Any], as_of: date) -> date:
    """The first day on which a customer of the stage ``lost`` was lost: silent beyond two cycles and its own window.

    `as_of` where the figures do not tell it.
    """
    last = row.get("last_order_on")
    needed = [_number(row.get("order_cycle_days")), _number(row.get("churn_window_days"))]
    if last is None or needed[0] is None:
        return as_of
    silence = max(LOST_AFTER_CYCLES * needed[0], needed[1] or 0.0)
    return min(as_of, last + timedelta(days=int(silence) + 1))


def unreviewed(tasks: pd.DataFrame, as_of: date, after_days: int) -> pd.DataFrame:
    """Losses whose review is still open more than `after_days` days after the loss, the oldest first.

    Returns
    -------
    DataFrame
        ``customer_id``, ``owner``, ``lost_on``, ``days``.
    """
    rows = []
    for row in records(tasks[(tasks["kind"] == "loss_review") & (tasks["state"] != "done")]):
        told = row["facts"].get("lost_on")
        on = date.fromisoformat(told) if told else row["created_on"]
        days = (as_of - on).days
        if days > after_days:
            rows.append((row["customer_id"], row["owner"], on, days))
    found = pd.DataFrame(rows, columns=["customer_id", "owner", "lost_on", "days"])
    return found.sort_values(["lost_on", "customer_id"], ignore_index=True)


def families(reviews: pd.DataFrame) -> pd.DataFrame:
    """Reviews by family of cause: ``family``, ``n``, ``share``; every family has a row and the shares add up to 1.

    Without reviews the shares are NaN.
    """
    n = reviews["family"].value_counts().reindex(list(FAMILIES), fill_value=0)
    share = n / n.sum() if n.sum() else n * float("nan")
    return pd.DataFrame({"family": list(FAMILIES), "n": n.to_numpy(), "share": share.to_numpy(dtype=float)})


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
