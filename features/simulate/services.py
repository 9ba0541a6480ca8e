"""The tickets of the simulated world: complaints, repairs, offers of service with their answers, surveys."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.simulate.arrays import Booleans, Floats, Integers
from features.simulate.causes import SPELL_DAYS
from features.simulate.observed import Observations, known_day
from features.simulate.office import moments, opened
from features.simulate.routine import Moments, WorkingTime, in_touch, rounds
from features.simulate.scene import Scene


@dataclass(frozen=True)
class Offer:
    """A kind of ticket that we open ourselves: days between two of them in wholesale, FMCG, industry."""

    kind: str
    signal: str
    every_days: tuple[float, float, float]


OFFERS = (
    Offer("maintenance", "maintenance_accepted", (365.0, 548.0, 182.0)),
    Offer("training", "training_accepted", (365.0, 365.0, 365.0)),
    Offer("upgrade", "upgrade_accepted", (548.0, 548.0, 548.0)),
)
SURVEY_EVERY = 365.0  # days
ASKED = 0.85  # of the surveys, by chance: the others were forgotten
ANSWER_DAYS, ANSWER_SPREAD = 4.0, 0.6  # median working days until an answer and sd of their log: they foretell nothing
ANSWER_MOST = 15.0  # working days
SURVEY_DAYS = 31  # days after which a survey that was not answered never is
RESOLVE_DAYS, RESOLVE_SPREAD = 3.0, 0.7  # median working days until a ticket is resolved, and sd of their log
WAITING = (15.0, 45.0)  # working days of waiting for those of a bad spell, from and to
REPAIRS, LATE_REPAIRS = 0.015, 0.20  # orders that bring a repair, usually and where the delivery came late
REPAIR_AFTER = 7.0  # mean days from the delivery to the repair
SPELL_REPAIRS = 1.0  # repairs of a spell of open tickets beyond the first, on average


def services_table(scene: Scene, made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The `services` table of the contract, in order of time; needs `transactions`.

    A customer with cause to complain opens a `complaint`. What late deliveries and spells of ours bring about, or
    chance, is a `repair`. Both are resolved; offers are answered; a survey that was not answered has no rating.
    """
    office = WorkingTime.of(scene.span)
    tickets = [_tickets(scene, "complaint", *scene.events("complaints", rng), office, rng)]
    tickets.append(_tickets(scene, "repair", *_repairs(scene, made["transactions"], rng), office, rng))
    tickets += [_offers(scene, offer, office, rng) for offer in OFFERS]
    tickets.append(_surveys(scene, office, rng))
    table = pd.concat(tickets, ignore_index=True)
    table = table.sort_values(["opened_at", "account", "kind"], kind="stable", ignore_index=True)
    number = pd.Series(np.arange(1, len(table) + 1)).astype("str").str.zfill(7)
    table["ticket_id"] = ("T" + number).astype("str")
    table["customer_id"] = pd.array(scene.accounts.customer_id[table["account"]], dtype="str")
    table["recorded_at"] = table["opened_at"]
    return table[list(COLUMNS)]


COLUMNS = (
    "customer_id", "ticket_id", "kind", "opened_at", "resolved_at", "accepted", "answered_at", "rating", "rated_at",
    "recorded_at",
)  # fmt: skip


def _rows(
    account: Integers, kind: str, opened_at: Moments, *, resolved_at: Moments | None = None,
    answered_at: Moments | None = None, accepted: Booleans | None = None, rated_at: Moments | None = None,
    rating: Floats | None = None, rated: Booleans | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Tickets of one kind; what is not given is missing."""
    count = len(account)
    never = np.full(count, np.datetime64("NaT", "us"))
    unsaid, unrated = np.full(count, accepted is None), np.ones(count, bool) if rated is None else ~rated
    answers = np.zeros(count, bool) if accepted is None else accepted
    ratings = np.zeros(count, np.int64) if rating is None else rating.astype(np.int64)
    return pd.DataFrame(
        {
            "account": account,
            "kind": pd.array(np.full(count, kind, dtype=object), dtype="str"),
            "opened_at": opened_at,
            "resolved_at": never if resolved_at is None else resolved_at,
            "accepted": pd.arrays.BooleanArray(answers, unsaid),
            "answered_at": never if answered_at is None else answered_at,
            "rating": pd.arrays.IntegerArray(ratings, unrated),
            "rated_at": never if rated_at is None else np.where(unrated, never, rated_at),
        }
    )


def _tickets(
    scene: Scene, kind: str, account: Integers, day: Integers, office: WorkingTime, rng: np.random.Generator
) -> pd.DataFrame:
    """Tickets of customers: resolved within days, or after weeks where they were opened in a spell of ours."""
    opened_at = moments(scene.span, day, rng)
    usual = RESOLVE_DAYS * np.exp(RESOLVE_SPREAD * rng.standard_normal(len(day)))
    waiting = rng.uniform(*WAITING, len(day))
    bad = scene.causes.in_spell("open_tickets", account, day)
    return _rows(account, kind, opened_at, resolved_at=office.after(opened_at, np.where(bad, waiting, usual)))


def _repairs(scene: Scene, transactions: pd.DataFrame, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Customers and days of repairs: of deliveries, and in spells of open tickets.

    Their chances hang on orders, deliveries and causes alone, so they foretell nothing that those do not.
    """
    span = scene.span
    rows = transactions[transactions["delivered_at"].notna()].drop_duplicates("order_id")
    late = (rows["delivered_at"].dt.normalize() > rows["promised_at"]).to_numpy()
    broken = rng.random(len(rows)) < np.where(late, LATE_REPAIRS, REPAIRS)
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(rows["customer_id"]))[broken]
    delivered = span.day(rows["delivered_at"].to_numpy())[broken]
    day = delivered + 1 + rng.exponential(REPAIR_AFTER, len(delivered)).astype(np.int64)

    spells = scene.causes.of("open_tickets")
    times = 1 + rng.poisson(SPELL_REPAIRS, len(spells.account))
    waiting = np.repeat(spells.account, times)
    when = np.repeat(spells.day, times)
    when = opened(span, when + rng.integers(0, SPELL_DAYS, len(when)))
    known = in_touch(scene, waiting, when)
    account, day = np.concatenate([account, waiting[known]]), np.concatenate([opened(span, day), when[known]])
    inside = day < span.days
    return account[inside], day[inside]


def _answered_after(count: int, rng: np.random.Generator) -> Floats:
    """Working days until an answer."""
    return np.minimum(ANSWER_DAYS * np.exp(ANSWER_SPREAD * rng.standard_normal(count)), ANSWER_MOST)


def _offers(scene: Scene, offer: Offer, office: WorkingTime, rng: np.random.Generator) -> pd.DataFrame:
    account, day = rounds(scene, np.array(offer.every_days)[scene.accounts.sector], rng)
    opened_at = moments(scene.span, day, rng)
    answered_at = office.after(opened_at, _answered_after(len(day), rng))
    accepted = scene.happens(offer.signal, account, day, rng)
    return _rows(account, offer.kind, opened_at, accepted=accepted, answered_at=answered_at)


def _surveys(scene: Scene, office: WorkingTime, rng: np.random.Generator) -> pd.DataFrame:
    account, day = rounds(scene, np.full(len(scene.accounts), SURVEY_EVERY), rng)
    asked = rng.random(len(day)) < ASKED
    account, day = account[asked], day[asked]
    opened_at = moments(scene.span, day, rng)
    rated_at = office.after(opened_at, _answered_after(len(day), rng))
    answered = scene.happens("survey_answered", account, day, rng)
    rating = np.clip(np.rint(scene.values("rating", account, day, rng)), 1, 5)
    return _rows(account, "survey", opened_at, rating=rating, rated_at=rated_at, rated=answered)


def services_observed(scene: Scene, tables: Mapping[str, pd.DataFrame]) -> list[Observations]:
    """What the tickets say of the signals; repairs say nothing.

    An answer is known on its day. A survey without one is a no `SURVEY_DAYS` after it was sent. A rating stands for
    the number that was rounded to it.
    """
    if "services" not in tables:
        return []
    span = scene.span
    rows = tables["services"].drop_duplicates()
    account = pd.Series(
        pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(rows["customer_id"])), index=rows.index
    )

    def seen(signal: str, chosen: pd.Series, at: pd.Series, value: pd.Series) -> Observations:
        day = known_day(span, rows[chosen], at[chosen])
        # Known by the extract alone: a survey of its last weeks may yet be answered.
        known = day < span.days
        return Observations(
            signal, account[chosen].to_numpy()[known], day[known], value[chosen].to_numpy(dtype=float)[known]
        )

    kind = rows["kind"]
    found = [seen("complaints", kind == "complaint", rows["opened_at"], pd.Series(1.0, index=rows.index))]
    answered = rows["accepted"].notna() & rows["answered_at"].notna()
    for offer in OFFERS:
        found.append(seen(offer.signal, (kind == offer.kind) & answered, rows["answered_at"], rows["accepted"]))
    rated = rows["rating"].notna() & rows["rated_at"].notna()
    replied = rows["rated_at"].where(rated, rows["opened_at"] + pd.Timedelta(days=SURVEY_DAYS))
    found.append(seen("survey_answered", kind == "survey", replied, rated))
    found.append(seen("rating", (kind == "survey") & rated, rows["rated_at"], rows["rating"]))
    return found
