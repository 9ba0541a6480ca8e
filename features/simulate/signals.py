"""What a customer that turns away does differently: every signal of every table, declared once.

A signal is one number that the tables show of a customer again and again: how often somebody calls, whether an
offer of maintenance is taken, how late an invoice is paid. Each customer has a usual level; the state of the
relationship shifts it. The tables are drawn from these declarations and the oracle reads them backwards.

No signal is a sure sign: customers differ in what is usual for them (`spread`), chance blurs each observation
(`noise`, or the chance in a count or a yes), attention wanders for reasons of its own (`attention`), and each
cause of leaving shows in some signals and hardly in others (`drivers`).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit

from features.simulate.arrays import Floats, Integers

Family = Literal["renewal", "rate", "count", "share", "value"]
EVEN = (1.0, 1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Driver:
    """A cause of leaving, and its share among the coolings that come about by themselves."""

    name: str
    share: float


DRIVERS = (
    Driver("competitor", 0.30),
    Driver("price", 0.25),
    Driver("service", 0.20),
    Driver("relationship", 0.15),
    Driver("demand", 0.10),
)


@dataclass(frozen=True)
class Signal:
    """One signal; effects are shifts on the scale of its family.

    Attributes
    ----------
    family
        `renewal`: orders, on the log of their rate. `rate`: events in time, on the log of their number a week.
        `count`: a number per order, on its log. `share`: a yes or no, on its log-odds. `value`: a number, as it is.
    usual
        Of the median customer, in natural units: a number a week, a number, a chance, a value.
    spread
        Standard deviation between customers, on the scale of the family.
    away, comparing
        Shift at the moment of loss, for a symptom of usual depth and a cause of weight 1: as the customer turns
        away, and as it compares other offers (from the comparison on).
    drivers
        Weight of both in each of `DRIVERS`: a cause shows here more, or less, or not at all.
    attention
        Shift per standard deviation of the wandering attention, which has nothing to do with leaving.
    sectors
        Shift of what is usual in wholesale, FMCG, industry.
    noise
        Standard deviation of one observation (`value` only).
    after_loss
        Events of a lost customer, as a multiple of what is usual (`rate` only).
    ends
        A lost customer never says yes (`share` only); else it answers as at the moment of the loss.
    """

    name: str
    table: str
    family: Family
    usual: float
    spread: float
    why: str
    away: float = 0.0
    comparing: float = 0.0
    drivers: tuple[float, float, float, float, float] = EVEN
    attention: float = 0.0
    sectors: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise: float = 0.0
    after_loss: float = 0.0
    ends: bool = False


@dataclass(frozen=True)
class State:
    """What shifts the signals, arrays of one shape.

    `turned_away` is 0 in health and rises to the depth of the episode at the loss; `comparing` likewise, from the
    comparison on; `driver` is an index into `DRIVERS`, meaningful where either is above 0; `attention` has mean 0
    and standard deviation 1.
    """

    turned_away: Floats
    comparing: Floats
    driver: Integers
    attention: Floats


def shift(signal: Signal, state: State, strength: float) -> Floats:
    """How far `state` moves the signal off its usual level, on the scale of its family; the shape of the state.

    `strength` is the difficulty of the world (`Preset.signal`).
    """
    moved = strength * (signal.away * state.turned_away + signal.comparing * state.comparing)
    if signal.drivers != EVEN:
        moved = moved * np.array(signal.drivers)[state.driver]
    return moved + signal.attention * state.attention if signal.attention else moved


def in_natural_units(signal: Signal, level: Floats) -> Floats:
    """Levels on the scale of the signal's family as numbers, chances or values."""
    if signal.family == "value":
        return level
    return np.asarray(expit(level) if signal.family == "share" else np.exp(level))


# Drivers in order: competitor, price, service, relationship, demand.
_ALL = (
    Signal(
        "orders", "transactions", "renewal", 9.0, 0.8, away=-0.9, drivers=(0.8, 0.7, 1.2, 1.5, 1.3),
        sectors=(0.0, 0.7, -0.35),
        why="per year; orders thin out before they stop: 41 % of the usual rate at the loss, 64 % after the cooling",
    ),
    Signal(
        "extra_lines", "transactions", "count", 1.6, 0.5, away=-0.30, drivers=(1.0, 0.8, 0.8, 0.9, 1.8),
        sectors=(0.3, 0.2, -0.3), why="lines of an order beyond the first; part of the need is bought elsewhere",
    ),
    Signal(
        "line_amount", "transactions", "value", float(np.log(420)), 0.9, away=-0.30, noise=0.6,
        drivers=(1.0, 0.8, 0.8, 0.9, 1.8), sectors=(0.0, -0.4, 0.5),
        why="log of a line's amount at list price; the rest of the need is bought elsewhere",
    ),
    Signal(
        "high_margin", "transactions", "share", 0.60, 0.55, away=-0.94, drivers=(1.5, 1.4, 0.5, 0.3, 0.2),
        why="line of a high-margin product; from 65 % to 42 %: what is worth copying is bought elsewhere first",
    ),
    Signal(
        "outer_lines", "transactions", "share", 0.3, 0.0, away=-1.3, drivers=(1.6, 0.8, 1.0, 0.5, 0.5),
        why="line of a product line that the customer likes less; usual by its own breadth; the fringe goes first",
    ),
    Signal(
        "discount", "transactions", "value", 0.06, 0.025, comparing=0.06, noise=0.015,
        drivers=(0.8, 2.0, 0.5, 0.4, 0.3), why="off the list price of an order; obtained with another offer in hand",
    ),
    Signal(
        "urgent", "transactions", "share", 0.04, 0.5, away=1.1, drivers=(0.4, 0.5, 2.2, 0.8, 0.3),
        why="rush order; stock of our goods is no longer kept",
    ),
    Signal(
        "contact_technical", "interactions", "rate", 0.2, 0.6, away=-1.2, drivers=(1.6, 0.9, 0.8, 1.0, 0.5),
        attention=0.35, sectors=(-0.3, -0.5, 0.5), after_loss=0.03,
        why="contacts with technical people; engineers work with the next supplier: down 70 %, and often they alone",
    ),
    Signal(
        "contact_purchasing", "interactions", "rate", 0.28, 0.6, away=-0.35, comparing=0.6,
        drivers=(0.8, 1.3, 0.5, 1.6, 1.0), attention=0.35, after_loss=0.15,
        why="contacts with buyers; fewer while cooling, more again while offers are compared",
    ),
    Signal(
        "contact_user", "interactions", "rate", 0.1, 0.6, away=-0.6, drivers=(0.8, 0.5, 1.2, 1.2, 1.0),
        attention=0.35, after_loss=0.05, why="contacts with users of the goods",
    ),
    Signal(
        "contact_executive", "interactions", "rate", 0.05, 0.6, away=-0.6, drivers=(0.8, 0.6, 0.8, 2.2, 0.6),
        attention=0.3, after_loss=0.05, why="contacts with executives",
    ),
    Signal(
        "inbound", "interactions", "share", 0.40, 0.5, away=-1.0, drivers=(0.9, 0.8, 1.0, 1.4, 1.0), attention=0.2,
        why="contact that the customer began; silence before silence",
    ),
    Signal(
        "price_inquiry", "interactions", "share", 0.12, 0.5, comparing=1.7, drivers=(1.2, 1.8, 0.5, 0.5, 0.3),
        why="inbound contact with a buyer that is an inquiry about prices; ours are the yardstick of another offer",
    ),
    Signal(
        "replied", "interactions", "share", 0.85, 0.7, away=-1.3, drivers=(0.9, 0.8, 1.0, 1.5, 0.7), attention=0.2,
        why="message of ours that is answered at all",
    ),
    Signal(
        "reply_days", "interactions", "value", 0.3, 0.5, away=1.0, drivers=(0.9, 0.8, 1.0, 1.5, 0.7),
        attention=-0.15, noise=0.9, why="log of the working days until the answer",
    ),
    Signal(
        "deferral", "interactions", "share", 0.06, 0.5, away=2.0, drivers=(1.0, 1.0, 0.8, 1.2, 1.2), attention=-0.2,
        why="text that puts us off: next quarter, still under review, no budget now",
    ),
    Signal(
        "rival_mention", "interactions", "share", 0.03, 0.5, comparing=2.4, drivers=(1.8, 1.3, 0.6, 0.5, 0.0),
        why="text that names another supplier",
    ),
    Signal(
        "price_pressure", "interactions", "share", 0.08, 0.6, comparing=1.6, drivers=(1.0, 2.0, 0.4, 0.4, 0.6),
        why="text that asks for a lower price",
    ),
    Signal(
        "attended", "interactions", "share", 0.60, 0.6, away=-1.6, drivers=(1.0, 0.7, 0.8, 1.7, 0.8), attention=0.3,
        ends=True, why="invitation to an event that is followed",
    ),
    Signal(
        "maintenance_accepted", "services", "share", 0.72, 0.6, away=-2.0, drivers=(1.3, 1.0, 1.1, 0.8, 0.8),
        attention=0.2, ends=True, why="offer of maintenance that is taken; nobody services what is to be replaced",
    ),
    Signal(
        "training_accepted", "services", "share", 0.55, 0.6, away=-2.2, drivers=(1.4, 0.8, 0.8, 1.2, 0.8),
        attention=0.3, ends=True, why="offer of training that is taken; nobody learns what is to be replaced",
    ),
    Signal(
        "upgrade_accepted", "services", "share", 0.30, 0.6, away=-1.8, drivers=(1.3, 1.2, 0.8, 0.8, 1.0),
        ends=True, why="offer of an upgrade that is taken",
    ),
    Signal(
        "complaints", "services", "rate", 0.02, 0.8, away=0.5, drivers=(0.5, 0.3, 2.6, 0.6, 0.2), attention=0.1,
        why="complaints; some customers always complain, and stay",
    ),
    Signal(
        "survey_answered", "services", "share", 0.50, 0.7, away=-1.5, attention=0.3,
        drivers=(1.0, 0.8, 1.0, 1.5, 0.8), ends=True, why="survey that is answered; not answering is an answer",
    ),
    Signal(
        "rating", "services", "value", 3.9, 0.45, away=-0.9, noise=0.8, drivers=(0.7, 0.7, 2.0, 1.0, 0.3),
        why="rating of 1 to 5 in a survey, before it is rounded",
    ),
    Signal(
        "pay_days", "finances", "value", 2.0, 7.0, away=11.0, noise=6.0, drivers=(0.8, 1.0, 1.2, 0.8, 1.8),
        why="days from the due date to the payment; some customers always pay late, and stay",
    ),
    Signal(
        "confirm_days", "finances", "value", 0.6, 0.5, away=0.9, noise=0.7, drivers=(0.8, 0.8, 1.2, 1.4, 0.8),
        why="log of the working days until an invoice is confirmed",
    ),
    Signal(
        "disputed", "finances", "share", 0.02, 0.7, away=1.6, drivers=(0.6, 1.3, 1.8, 0.5, 0.8),
        why="invoice that is disputed",
    ),
    Signal(
        "milestone_kept", "partnerships", "share", 0.75, 0.5, away=-1.8, drivers=(1.3, 0.8, 0.8, 1.4, 1.0),
        attention=0.25, ends=True, why="milestone that is done when planned, not postponed or cancelled",
    ),
    Signal(
        "quotes", "quotes", "rate", 0.06, 0.6, away=-0.2, comparing=0.6, drivers=(1.0, 1.4, 0.6, 0.5, 0.8),
        sectors=(0.0, -0.7, 0.4), after_loss=0.05, why="quotations asked for; more while offers are compared",
    ),
    Signal(
        "asked_discount", "quotes", "value", 0.06, 0.03, comparing=0.08, noise=0.04,
        drivers=(1.0, 1.8, 0.4, 0.4, 0.6), why="discount asked for with a quotation",
    ),
    Signal(
        "quote_won", "quotes", "share", 0.45, 0.5, away=-1.6, drivers=(1.4, 1.4, 0.7, 0.7, 0.8),
        ends=True, why="quotation that becomes an order",
    ),
    Signal(
        "warm", "account_changes", "share", 0.72, 0.5, away=-1.7, drivers=(0.6, 0.8, 1.2, 1.4, 0.6), attention=0.3,
        why="temperature entered as hot or warm; entered by people, now and then, late and carelessly",
    ),
    Signal(
        "renewed", "contracts", "share", 0.90, 0.4, away=-2.0, drivers=(1.2, 1.2, 0.8, 0.8, 1.0),
        ends=True, why="yearly contract that is signed again",
    ),
    Signal(
        "coupon_used", "promotions", "share", 0.35, 0.6, away=-1.4, drivers=(1.2, 0.6, 0.8, 0.8, 1.3),
        attention=0.2, ends=True, why="promotion that is used",
    ),
)  # fmt: skip
SIGNALS = {signal.name: signal for signal in _ALL}
"""Every signal by name. A table draws from these alone: what is not declared here foretells nothing."""
