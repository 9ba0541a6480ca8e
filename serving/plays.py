"""What to do about a warning: plays for each class of reasons, ranked by what worked, and wake-up plans with facts.

A class of reasons is the concept of a warning's strongest reasons brought to one of :data:`REASON_CLASSES`. For each
there is a play that the sources name; where a company's own record is long enough, its own success decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from features.errors import StoreError
from serving.outcomes import SUCCESSES
from serving.rows import records
from serving.words.quantities import Speaker
from serving.words.speech import language, plural, text

TECHNICAL, ORDERS, SERVICE, FINANCE = "technical_talks", "order_frequency", "service_contacts", "finance"
ROLES = "role_imbalance"
#: The fewest cases from which on a company's own success ranks a play, where nothing else is set.
LEAST_CASES = 5
#: Classes of reasons with a play of their own.
REASON_CLASSES = (TECHNICAL, ORDERS, SERVICE, FINANCE, ROLES)

#: Play -> its words.
PLAYS: Mapping[str, str] = {
    "technology_seminar": text("Invite to a seminar on new technology"),
    "inventory_plan": text("Offer a tailored plan for stock and replenishment"),
    "health_check": text("Offer a free health check of the equipment"),
    "payment_options": text("Offer flexible ways to pay"),
    "cto_visit": text("Visit by the head of technology with a technical meeting"),
    "custom_product": text("Show a product chosen for this customer"),
    "live_stream": text("Invite in person to a live presentation"),
    "coupon": text("Give a coupon for what this customer buys"),
    "visit": text("Visit the customer"),
}

#: The sources' own mapping; a company may set another.
FIRST_PLAYS: Mapping[str, str] = {
    TECHNICAL: "technology_seminar",
    ORDERS: "inventory_plan",
    SERVICE: "health_check",
    FINANCE: "payment_options",
    ROLES: "cto_visit",
}

#: Dimension of a warning -> its class of reasons, where no reason tells it more exactly.
CLASS_OF_DIMENSION: Mapping[str, str] = {
    "transaction": ORDERS,
    "interaction": TECHNICAL,
    "service": SERVICE,
    "finance": FINANCE,
}


@dataclass(frozen=True)
class Advice:
    """A play with its record for the same class of reasons.

    Attributes
    ----------
    play, reason_class
        Codes.
    successes, n
        Cases in which it was planned, and how many of them ended well; both 0 where there are none.
    by
        ``record`` where the company's own cases put it in its place, ``mapping`` where the sources' mapping did.
    """

    play: str
    reason_class: str
    successes: int
    n: int
    by: str

    @property
    def share(self) -> float:
        """Share that ended well; NaN without cases."""
        return self.successes / self.n if self.n else float("nan")


def play_name(code: str, locale: str = "en") -> str:
    """The words of a play; one of the company's own is told by its code."""
    return language(locale).words(PLAYS[code]) if code in PLAYS else code.replace("_", " ").capitalize()


def contributions_of(reasons: pd.DataFrame, signals: pd.DataFrame | None = None) -> dict[str, float]:
    """How much each class of reasons adds to the risk of one customer.

    Parameters
    ----------
    reasons
        ``dimension`` and ``contribution`` (log-odds) of the customer's reasons; what lowers the risk adds nothing.
    signals
        The customer's rules that fired: ``rule``, ``evidence``. An imbalance whose weakest role is the technical one
        comes before all else.
    """
    found: dict[str, float] = {}
    for row in records(reasons):
        one = CLASS_OF_DIMENSION.get(row["dimension"])
        if one and row["contribution"] > 0:
            found[one] = found.get(one, 0.0) + float(row["contribution"])
    for row in [] if signals is None else records(signals):
        if row["rule"] == "role_imbalance" and (row["evidence"] or {}).get("weakest_role") == "technical":
            found[ROLES] = 1.0 + sum(found.values())
    return found


def advice(
    contributions: Mapping[str, float],
    record: pd.DataFrame | None = None,
    *,
    least: int = LEAST_CASES,
    mapping: Mapping[str, str] = FIRST_PLAYS,
) -> list[Advice]:
    """Plays for a warning, the first to be tried first.

    Parameters
    ----------
    contributions
        Class of reasons -> how much it adds to the risk; plays come in the order of the contributions, those of 0 and
        below not at all.
    record
        :func:`play_record`. Within a class, plays with at least `least` cases come in the order of their share of
        success; where no play has so many, the mapped one stands alone.
    """
    found: list[Advice] = []
    for one, weight in sorted(contributions.items(), key=lambda item: (-item[1], item[0])):
        if weight <= 0:
            continue
        kept = [] if record is None else records(record[record["reason_class"] == one])
        tried = [Advice(row["play"], one, int(row["successes"]), int(row["n"]), "record") for row in kept]
        proved = sorted((play for play in tried if play.n >= least), key=lambda play: (-play.share, -play.n, play.play))
        if not proved and one in mapping:
            known = next((play for play in tried if play.play == mapping[one]), None)
            successes, n = (known.successes, known.n) if known else (0, 0)
            proved = [Advice(mapping[one], one, successes, n, "mapping")]
        found += [play for play in proved if play.play not in {before.play for before in found}]
    return found


# What worked


def play_record(cases: pd.DataFrame) -> pd.DataFrame:
    """Plays by class of reasons: ``reason_class``, ``play``, ``n``, ``successes``; from :func:`case_book`."""
    told = cases[cases["result"].notna()]
    rows = [(row["reason_class"], play, row["result"] in SUCCESSES) for row in records(told) for play in row["plays"]]
    frame = pd.DataFrame(rows, columns=["reason_class", "play", "success"])
    found = frame.groupby(["reason_class", "play"], as_index=False).agg(n=("success", "size"), hits=("success", "sum"))
    return found.rename(columns={"hits": "successes"}).astype({"n": "int64", "successes": "int64"})


def case_book(episodes: pd.DataFrame, outcomes: pd.DataFrame, moves: pd.DataFrame) -> pd.DataFrame:
    """Every warning whose record is final, with what was planned and learned.

    Parameters
    ----------
    episodes, outcomes
        The tables.
    moves
        ``episode_id``, ``plays`` and ``lesson`` of the steps (:func:`serving.loop_rows.told` of ``step_moved``).

    Returns
    -------
    DataFrame
        ``episode_id``, ``customer_id``, ``reason_class``, ``level``, ``days_stopped``, ``why``, ``approach``,
        ``plays`` (list), ``result``, ``lesson`` and ``recorded_on``.
    """
    planned, lessons = _last(moves, "plays"), _last(moves, "lesson")
    by_id = {row["episode_id"]: row for row in records(episodes)}
    rows = []
    for row in records(outcomes[outcomes["state"] == "final"]):
        episode = by_id[row["episode_id"]]
        rows.append(
            {
                "episode_id": row["episode_id"],
                "customer_id": row["customer_id"],
                "reason_class": CLASS_OF_DIMENSION.get(episode["dimension"] or "", episode["dimension"]),
                "level": row["detected_level"],
                "days_stopped": row["days_stopped"],
                "why": row["why"],
                "approach": row["approach"],
                "plays": planned.get(row["episode_id"], []),
                "result": row["result"],
                "lesson": lessons.get(row["episode_id"]) or row["note"],
                "recorded_on": row["recorded_on"],
            }
        )
    return pd.DataFrame(rows, columns=list(_CASE), dtype="object")


_CASE = (
    "episode_id", "customer_id", "reason_class", "level", "days_stopped", "why", "approach", "plays", "result",
    "lesson", "recorded_on",
)  # fmt: skip


def knowledge(cases: pd.DataFrame, reason_class: str | None = None) -> pd.DataFrame:
    """Cases that ended well, the newest first: the entries of the knowledge base, of one class where it is given."""
    good = cases[cases["result"].isin(SUCCESSES)]
    if reason_class is not None:
        good = good[good["reason_class"] == reason_class]
    return good.sort_values(["recorded_on", "episode_id"], ascending=False, ignore_index=True)


def _last(moves: pd.DataFrame, name: str) -> dict[str, Any]:
    if name not in moves:
        return {}
    return {row["episode_id"]: row[name] for row in records(moves) if row[name]}


# Waking up silent customers


@dataclass(frozen=True)
class WakeUp:
    """One thing to say to a silent customer.

    Attributes
    ----------
    play
        What it goes with.
    message
        The words.
    cites
        The customer's own facts, in words, that the message is made of.
    """

    play: str
    message: str
    cites: tuple[str, ...]


_ASK_AFTER = text("You ordered {item} on {date}. How is it doing, and what do you need next?")
_LIVE = text("We present what is new around {item} live, and we would like to have you with us.")
_COUPON = text("Here is a coupon for {item}, which you used to order {times}.")
#: How often, which most languages tell apart from how many times as much.
_TIMES = plural("{n} time", "{n} times")
_SINCE = text("Your last order was on {date}. What has changed since then?")


def wake_up(facts: Mapping[str, Any], locale: str = "en") -> list[WakeUp]:
    """What to say to a silent customer, each message from facts that are this customer's own.

    Parameters
    ----------
    facts
        ``favourite_item`` (name of what was bought most), ``last_item``, ``last_order_on`` (date), ``item_orders``
        (how often the favourite was ordered); whatever is not known is left out, and what would need it is not said.

    Returns
    -------
    list of WakeUp
        Empty where nothing is known: a message that anybody could get is not sent.
    """
    words = language(locale)
    speaker = Speaker(words)
    item, last, on = (facts.get(name) for name in ("favourite_item", "last_item", "last_order_on"))
    told: dict[str, str] = {}
    if isinstance(on, date):
        told["date"] = speaker.phrase("date", on)
    if facts.get("item_orders"):
        orders = int(facts["item_orders"])
        told["times"] = words.count(_TIMES, orders, speaker.number(orders))
    ways = [
        ("custom_product", _ASK_AFTER, {"item": last or item, "date": told.get("date")}),
        ("live_stream", _LIVE, {"item": item or last}),
        ("coupon", _COUPON, {"item": item, "times": told.get("times")}),
    ]
    if not item and not last:
        ways = [("visit", _SINCE, {"date": told.get("date")})]
    made = []
    for play, message, slots in ways:
        phrases = {slot: str(value) for slot, value in slots.items() if value}
        if len(phrases) == len(slots):
            made.append(WakeUp(play, words.words(message, **phrases), tuple(phrases.values())))
    return made


def lint(message: str, cites: Iterable[str]) -> None:
    """Refuse a message that says nothing of this customer alone.

    Parameters
    ----------
    cites
        The customer's own facts in words; at least one must stand in the message.

    Raises
    ------
    StoreError
        If none of them does.
    """
    own: Sequence[str] = [fact for fact in cites if fact]
    if not any(fact in message for fact in own):
        raise StoreError(
            f"a message to a customer names at least one fact of its own ({', '.join(own) or 'none is known'}); "
            f"found {message!r}. Name an item or a date, or do not send it."
        )
