"""What the company does about a customer, and what would have come without it.

A policy picks candidates; chance decides who is talked to, with a probability that is kept. Every candidate lives
twice from that day on, with and without the talk, and the world shows one of the two lives. To whom a talk does
what is a trait of the customer; which of the four kinds it was (persuadable, sure thing, lost cause, sleeping dog)
follows from the two lives, as it does in the definition of these words.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from features.simulate.accounts import Accounts
from features.simulate.arrays import WEEK, Booleans, Floats, Integers, Span
from features.simulate.demand import Orders
from features.simulate.presets import Preset
from features.simulate.signals import DRIVERS
from features.simulate.stages import (
    COMPARISON,
    COOLING,
    HEALTHY,
    LOST,
    NEVER,
    Hazards,
    Lives,
    live_on,
    lives_of,
    opening,
)

RESPONSES = ("indifferent", "responsive", "irritable")
# By lost if treated + 2 * lost if not; the last one: not known by the extract.
KINDS = np.array(["sure_thing", "sleeping_dog", "persuadable", "lost_cause", None], dtype=object)
INDIFFERENT, RESPONSIVE, IRRITABLE = range(3)
WORKS_WITHIN = 21  # days in which a talk ends a cooling, at most
OVERDUE = 1.5  # times the usual gap since the last order: the policy's idea of a customer who needs a talk
AFTER_DAYS = 180  # over which the two lives of a candidate are compared
RELATIONSHIP = [driver.name for driver in DRIVERS].index("relationship")  # index into DRIVERS, of the annoyed


@dataclass(frozen=True)
class Talks:
    """The candidates of the policy as parallel arrays, at most one moment for each customer."""

    account: Integers
    day: Integers
    propensity: Floats
    treated: Booleans
    response: Integers  # index into RESPONSES
    lost_if_treated: Integers  # first day of the first loss after the moment; NEVER if none
    lost_if_not: Integers
    orders_if_treated: Integers  # orders within AFTER_DAYS, or until the extract if that is sooner
    orders_if_not: Integers

    def told(self) -> tuple[Integers, Integers]:
        """Customers who were talked to, and the day."""
        return self.account[self.treated], self.day[self.treated]


def nobody() -> Talks:
    """No candidate at all."""
    none = np.empty(0, dtype=np.int64)
    return Talks(none, none, np.empty(0), np.empty(0, dtype=bool), none, none, none, none, none)


def pick(accounts: Accounts, orders: Orders, preset: Preset, span: Span, rng: np.random.Generator) -> Talks:
    """The candidates of the preset's policy in a world without talks, and who of them is talked to.

    `overdue`: the first start of a week after a moment of chance on which the last order is `OVERDUE` usual gaps ago;
    `random`: the start of the week of that moment. Until then the lives with and without a talk are one.
    """
    count = len(accounts)
    start = rng.integers(0, span.days, count)
    response = rng.choice(3, size=count, p=response_shares(preset))
    lucky = rng.random(count) < preset.treated_share
    if preset.policy == "none" or preset.sudden_share >= 1:
        return nobody()
    # The state of a relationship is kept by the week: a talk in the middle of one would reach back to its start.
    start = start // WEEK * WEEK
    day = start if preset.policy == "random" else _first_overdue(accounts, orders, start, span)
    who = np.flatnonzero((day < span.days) & (day > accounts.since_day))
    never = np.full(len(who), NEVER)
    zero = np.zeros(len(who), dtype=np.int64)
    share = np.full(len(who), preset.treated_share)
    return Talks(who, day[who], share, lucky[who], response[who], never, never, zero, zero)


def response_shares(preset: Preset) -> list[float]:
    """The shares of `RESPONSES` among customers."""
    return [1 - preset.responsive_share - preset.irritable_share, preset.responsive_share, preset.irritable_share]


def _first_overdue(accounts: Accounts, orders: Orders, start: Integers, span: Span) -> Integers:
    """First start of a week from `start` on which each customer is overdue; the length of the history if none."""
    patience = np.ceil(OVERDUE * 365.25 / accounts.orders_per_year).astype(np.int64)
    begins = np.append(orders.day[1:], span.days)
    last_of = np.append(orders.account[1:] != orders.account[:-1], True) if len(orders.day) else np.empty(0, bool)
    begins = np.where(last_of, span.days, begins)
    due = np.maximum(orders.day + patience[orders.account], start[orders.account])
    due = -(-due // WEEK) * WEEK
    first = np.full(len(accounts), span.days)
    fits = due < begins
    np.minimum.at(first, orders.account[fits], due[fits])
    return first


def talked_to(
    talks: Talks, lives: Lives, hazards: Hazards, preset: Preset, span: Span, rng: np.random.Generator
) -> Lives:
    """The lives of all customers if every candidate is talked to."""
    at = np.full(int(lives.account.max()) + 1, NEVER)
    at[talks.account] = talks.day
    response = np.full(len(at), INDIFFERENT)
    response[talks.account] = talks.response
    now = (lives.start <= at[lives.account]) & (lives.end > at[lives.account])
    stage, trait = lives.stage, response[lives.account]
    won = now & (trait == RESPONSIVE) & ((stage == COOLING) | (stage == COMPARISON))
    annoyed = now & (trait == IRRITABLE) & ((stage == HEALTHY) | (stage == COOLING))
    changed = np.flatnonzero(won | annoyed)
    who, day = lives.account[changed], at[lives.account[changed]]
    end = np.where(won[changed], np.minimum(lives.end[changed], day + rng.integers(7, WORKS_WITHIN + 1, len(day))), day)
    end = np.maximum(end, lives.start[changed] + 1)
    frame = pd.DataFrame({name: getattr(lives, name) for name in Lives.__dataclass_fields__})
    moved = np.isin(lives.account, who)
    until = np.full(len(at), -1)
    until[who] = end
    kept = frame[~moved | (lives.start < until[lives.account])].copy()
    cut = until[kept["account"]] >= 0
    kept.loc[cut, "end"] = np.minimum(kept.loc[cut, "end"], until[kept.loc[cut, "account"]])
    goes_on = end < span.days
    fresh = [kept]
    for part, first_stage in ((won[changed], HEALTHY), (~won[changed], COMPARISON)):
        mine = part & goes_on
        chain = opening(who[mine], first_stage, end[mine])
        if first_stage == COMPARISON:
            chain["driver"] = np.full(int(mine.sum()), RELATIONSHIP)
            chain["depth"] = rng.gamma(preset.depth_shape, 1 / preset.depth_shape, int(mine.sum()))
        if mine.any():
            fresh.append(live_on(chain, hazards, preset, span, rng))
    return lives_of(pd.concat(fresh, ignore_index=True))


def shown(talks: Talks, without: Lives, with_talk: Lives) -> Lives:
    """The lives that the world shows: with the talk for those who were talked to."""
    treated = np.zeros(int(without.account.max()) + 1, dtype=bool)
    treated[talks.account[talks.treated]] = True
    parts = [
        pd.DataFrame({name: getattr(lives, name)[chosen] for name in Lives.__dataclass_fields__})
        for lives, chosen in ((without, ~treated[without.account]), (with_talk, treated[with_talk.account]))
    ]
    return lives_of(pd.concat(parts, ignore_index=True))


def compared(talks: Talks, without: tuple[Lives, Orders], with_talk: tuple[Lives, Orders], span: Span) -> Talks:
    """The talks with both outcomes of every candidate."""
    return replace(
        talks,
        lost_if_treated=_lost_after(talks, with_talk[0]),
        lost_if_not=_lost_after(talks, without[0]),
        orders_if_treated=_orders_after(talks, with_talk[1], span),
        orders_if_not=_orders_after(talks, without[1], span),
    )


def _lost_after(talks: Talks, lives: Lives) -> Integers:
    at = np.full(int(lives.account.max()) + 1, NEVER)
    at[talks.account] = talks.day
    # Whoever is lost already on the day counts as lost on that day: no talk reaches them.
    mine = (lives.stage == LOST) & (lives.end > at[lives.account])
    first = np.full(len(at), NEVER)
    np.minimum.at(first, lives.account[mine], np.maximum(lives.start, at[lives.account])[mine])
    return first[talks.account]


def _orders_after(talks: Talks, orders: Orders, span: Span) -> Integers:
    keys = orders.account * (span.days + 1) + orders.day
    base = talks.account * (span.days + 1)
    until = np.minimum(talks.day + AFTER_DAYS, span.days)
    return np.searchsorted(keys, base + until) - np.searchsorted(keys, base + talks.day)


def truth_of_interventions(talks: Talks, accounts: Accounts, span: Span) -> pd.DataFrame:
    """Every candidate with both lives.

    `customer_id, decided_at, propensity, treated, response, lost_at_if_treated, lost_at_if_not` (missing: not lost
    again by the extract; whoever is lost already counts as lost on the day of the decision),
    `orders_180d_if_treated, orders_180d_if_not`, and `kind` by the losses within 180 days: persuadable (lost unless
    talked to), sure_thing (stays either way), lost_cause (lost either way), sleeping_dog (lost only if talked to).
    Missing where the 180 days are not over by the extract.
    """
    soon = talks.day + AFTER_DAYS
    treated, untreated = talks.lost_if_treated < soon, talks.lost_if_not < soon
    kind = KINDS[np.where(soon <= span.days, treated + 2 * untreated, len(KINDS) - 1)]
    missing = np.datetime64("NaT", "us")

    def date(day: Integers) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
        return np.where(day < span.days, span.dates(np.minimum(day, span.days)), missing)

    return pd.DataFrame(
        {
            "customer_id": pd.array(accounts.customer_id[talks.account], dtype="str"),
            "decided_at": span.dates(talks.day),
            "propensity": talks.propensity,
            "treated": talks.treated,
            "response": pd.array(np.array(RESPONSES, dtype=object)[talks.response], dtype="str"),
            "lost_at_if_treated": date(talks.lost_if_treated),
            "lost_at_if_not": date(talks.lost_if_not),
            "orders_180d_if_treated": talks.orders_if_treated,
            "orders_180d_if_not": talks.orders_if_not,
            "kind": pd.array(kind, dtype="str"),
        }
    )
