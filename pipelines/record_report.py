"""What became of the warnings, told anew with every daily run as outcomes mature: levels, quarter, rules.

An outcome is known when the customer's own window after the opening has passed, whichever way it went: orders that come
early would otherwise make the newest warnings look false.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from features.passes import SnapshotParts
from models import claims
from models.losses import CONFIRMED_AFTER_DAYS, derived_losses
from models.track_record import EPISODES, Terms, first_alerts, quarter_report, track_record
from serving.loop_rows import frame
from serving.stepping import SUPERSEDED
from serving.store import Store
from serving.verification import fired_rules, rule_precision
from serving.warning_history import judged_signals, opening_scores

#: The track record is that of the warnings and losses of so many days.
RECORD_DAYS = 365
#: The first warning of a loss is looked for in so many days before it.
TOLD_WITHIN_DAYS = 365
#: A loss's revenue is that of so many days until its last order.
REVENUE_DAYS = 365
#: At most so many losses that nobody was warned of are named, the largest first; ``n`` counts all.
NAMED = 50
_NEVER = -1_000_000


@dataclass(frozen=True)
class Past:
    """What the store knows of the warnings before a day's run.

    Attributes
    ----------
    episodes
        The table of warnings, superseded ones left out, with ``churn_window_days`` and ``value_at_risk`` of the day
        they opened.
    rules
        Of :func:`serving.verification.rule_precision`.
    since
        The first published day; None where there is none.
    """

    episodes: pd.DataFrame
    rules: pd.DataFrame
    since: date | None


def read_past(store: Store) -> Past:
    """The warnings of the store with what was said of them."""
    episodes = frame(store, "episode")
    episodes = episodes[episodes["close_reason"] != SUPERSEDED]
    feedback, runs = frame(store, "feedback"), store.runs()
    fired = fired_rules(episodes[episodes["episode_id"].isin(feedback["episode_id"])], judged_signals(store))
    known = episodes.merge(opening_scores(store), on="episode_id", how="left", validate="1:1")
    return Past(known, rule_precision(feedback, fired), runs["as_of"].iloc[0].date() if len(runs) else None)


def record_reports(
    past: Past, orders: pd.DataFrame, eligible: Iterable[str], *, as_of: date, observed_until: date, cool_down_days: int
) -> dict[str, Any]:
    """The reports ``track_record``, ``warnings``, ``misses``, ``quarter`` and ``rules`` of a day.

    Parameters
    ----------
    past
        Of :func:`read_past`, before the day itself has moved anything.
    orders
        Of :func:`order_days`.
    eligible
        Customers who can be warned about today.
    observed_until
        The midnight before which orders count as known.

    Returns
    -------
    dict
        Contents as JSON holds them; without any day before this one there is only ``rules``.
    """
    reports: dict[str, Any] = {"rules": past.rules.to_dict("records")}
    if past.since is None or past.since >= as_of:
        return reports
    opened = past.episodes[past.episodes["opened_on"].map(lambda day: day <= as_of).astype(bool)]
    terms = Terms(max(past.since, as_of - timedelta(days=RECORD_DAYS)), as_of, cool_down_days=cool_down_days)
    outcomes, losses = what_came(opened, orders, observed_until)
    warned = _as_judged(opened)
    within = (losses["lost_on"] >= pd.Timestamp(terms.first)) & (losses["lost_on"] < pd.Timestamp(as_of))
    customers = set(eligible) | set(losses.loc[within, "customer_id"])
    terms = Terms(terms.first, as_of, len(customers), cool_down_days=cool_down_days)
    table = track_record(warned, outcomes, losses, terms)
    alerts = first_alerts(opened, losses[within], TOLD_WITHIN_DAYS)
    reports["track_record"] = {
        "first": terms.first,
        "until": as_of,
        "observed_until": observed_until,
        "customers": len(customers),
        "levels": table.to_dict("records"),
        "leads": _plain(claims.leads(alerts)),
        "ahead": _plain(claims.ahead(alerts)),
        "first_stages": {name: asdict(share) for name, share in claims.first_stages(alerts).items()},
    }
    reports["warnings"] = _each(opened, outcomes, terms)
    reports["misses"] = _misses(losses[within], opened)
    quarter = pd.Period(as_of, "Q") - 1
    if quarter.end_time.date() >= past.since:
        told = quarter_report(warned, outcomes, losses, str(quarter))
        reports["quarter"] = {"quarter": str(quarter), "whole": quarter.start_time.date() >= past.since, **asdict(told)}
    return reports


def _each(opened: pd.DataFrame, outcomes: pd.DataFrame, terms: Terms) -> dict[str, Any]:
    """What came of each warning of the time, as lists with one entry per warning: few bytes, as there may be many.

    ``lost`` is 1, 0, or None while it is not known, ``lost_on`` the day of the loss, ``treated`` whether somebody made
    contact within the own window.
    """
    rows = opened[(opened["opened_on"] >= terms.first) & (opened["opened_on"] < terms.until)]
    found = rows[["episode_id"]].merge(outcomes, on="episode_id", how="left", validate="1:1")
    return {
        "episode_id": found["episode_id"].tolist(),
        "lost": [None if value != value else int(value) for value in found["lost"].astype("float64")],
        "lost_on": [None if pd.isna(day) else day.date() for day in found["lost_on"]],
        "treated": [int(one) for one in treated_in_time(rows)],
    }


def _misses(losses: pd.DataFrame, opened: pd.DataFrame) -> dict[str, Any]:
    """The losses of the time that no warning had come before, those of the most revenue by name."""
    told = first_alerts(opened, losses, TOLD_WITHIN_DAYS)["lead_days"].notna().to_numpy()
    missed = losses[~told].sort_values(["revenue", "customer_id"], ascending=[False, True])
    rows = [
        {"customer_id": who, "lost_on": day.date(), "revenue": revenue}
        for who, day, revenue in zip(missed["customer_id"], missed["lost_on"], missed["revenue"], strict=True)
    ]
    return {"n": len(missed), "losses": rows[:NAMED]}


def order_days(parts: SnapshotParts, observed_until: date) -> pd.DataFrame:
    """Order days of all customers as known by then: ``customer_id``, ``day`` (datetime64), ``amount``."""
    found = []
    for bucket in range(parts.events.buckets):
        days = pd.read_parquet(parts.folder / f"days-{bucket}.parquet").astype({"customer_id": "str"})
        found.append(known_days(days, observed_until))
    return pd.concat(found, ignore_index=True)


def known_days(days: pd.DataFrame, observed_until: date) -> pd.DataFrame:
    """Of the versioned order days of a snapshot table those that were known at a midnight, as :func:`order_days`."""
    until = pd.Timestamp(observed_until)
    seen = (days["visible_from"] <= until) & (days["visible_until"] > until) & (days["day"] < until)
    return days.loc[days["is_order"] & seen, ["customer_id", "day", "amount"]]


def what_came(episodes: pd.DataFrame, orders: pd.DataFrame, observed_until: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What came of warnings, and every loss, as far as orders tell it.

    Parameters
    ----------
    episodes
        ``episode_id``, ``customer_id``, ``opened_on`` and ``churn_window_days``, the own window when it opened.
    orders
        Of :func:`order_days`.
    observed_until
        The midnight before which orders count as known.

    Returns
    -------
    tuple
        :data:`models.track_record.OUTCOMES` and :data:`models.track_record.LOSSES`. A customer is lost on the day on
        which its silence has lasted 90 days beyond the order that was due; its revenue is that of the year until its
        last order.
    """
    until = pd.Timestamp(observed_until)
    due = _due(orders, episodes, until)
    due = due.assign(lost_on=due["expected_at"] + pd.Timedelta(days=CONFIRMED_AFTER_DAYS))
    confirmed = due["returned_at"].fillna(until) >= due["lost_on"]
    losses = due.loc[confirmed, ["customer_id", "last_order_at", "lost_on"]]
    return _outcomes(episodes, orders, due.assign(lost_on=due["lost_on"].where(confirmed)), until), _valued(
        losses, orders
    )


def _due(orders: pd.DataFrame, episodes: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    """Each order's expected successor, of the customers who were warned about or silent for long at some time."""
    days = orders.sort_values(["customer_id", "day"])
    after = days.groupby("customer_id")["day"].shift(-1).fillna(until)
    long = days.loc[(after - days["day"]).dt.days >= CONFIRMED_AFTER_DAYS, "customer_id"]
    wanted = set(long) | set(episodes["customer_id"])
    return derived_losses(days[days["customer_id"].isin(wanted)], until.date(), confirmed_after_days=_NEVER)


def _outcomes(episodes: pd.DataFrame, orders: pd.DataFrame, due: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "episode_id": episodes["episode_id"].to_numpy(),
            "customer_id": episodes["customer_id"].astype("str").reset_index(drop=True),
            "opened": pd.to_datetime(pd.Series(list(episodes["opened_on"]), dtype="object")).astype("datetime64[us]"),
            "window": pd.to_timedelta(episodes["churn_window_days"].to_numpy(dtype="float64"), unit="D"),
        }
    ).sort_values("opened")
    days = orders[["customer_id", "day"]].assign(next_on=orders["day"].astype("datetime64[us]")).sort_values("next_on")
    before = due.assign(last_order_at=due["last_order_at"].astype("datetime64[us]")).sort_values("last_order_at")
    rows = pd.merge_asof(
        rows, days[["customer_id", "next_on"]], left_on="opened", right_on="next_on", by="customer_id",
        direction="forward",
    )  # fmt: skip
    rows = pd.merge_asof(
        rows, before[["customer_id", "last_order_at", "expected_at", "lost_on"]], left_on="opened",
        right_on="last_order_at", by="customer_id", allow_exact_matches=False,
    )  # fmt: skip
    ends = rows["opened"] + rows["window"]
    ordered = rows["next_on"] < ends
    matured = ends <= until
    lost = (~ordered).astype("float64").where(matured)
    return pd.DataFrame(
        {
            "episode_id": rows["episode_id"],
            "lost": lost,
            "reordered": ordered.astype("float64").where(ordered | matured),
            "expected_on": rows["expected_at"],
            "window_ends_on": rows["last_order_at"] + rows["window"],
            "lost_on": rows["lost_on"].where(lost == 1),
        }
    )


def _valued(losses: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """Losses with their revenue."""
    numbered = losses.reset_index(drop=True).rename_axis("loss").reset_index()
    pairs = numbered.merge(orders, on="customer_id")
    back = (pairs["last_order_at"] - pairs["day"]).dt.days
    revenue = pairs[(back >= 0) & (back < REVENUE_DAYS)].groupby("loss")["amount"].sum()
    valued = numbered.assign(revenue=revenue.reindex(numbered["loss"]).to_numpy(dtype="float64"))
    return valued[["customer_id", "lost_on", "revenue"]]


def treated_in_time(episodes: pd.DataFrame) -> list[bool]:
    """Whether each warning was acted upon within the customer's own window after it opened."""
    columns = (episodes["treated_at"], episodes["opened_on"], episodes["churn_window_days"])
    return [
        at is not None and at == at and not (at.date() - opened).days >= window
        for at, opened, window in zip(*columns, strict=True)
    ]


def _as_judged(episodes: pd.DataFrame) -> pd.DataFrame:
    """Warnings as a track record wants them: judged by the level they opened with, treated if within their window."""
    treated = treated_in_time(episodes)
    found = episodes.assign(level=episodes["opened_level"], value=episodes["value_at_risk"], treated=treated)
    return found[list(EPISODES)]


def _plain(found: Any) -> dict[str, Any]:
    """A dataclass as JSON holds it."""
    told = asdict(found)
    return {name: {str(key): one for key, one in value.items()} if isinstance(value, dict) else value
            for name, value in told.items()}  # fmt: skip
