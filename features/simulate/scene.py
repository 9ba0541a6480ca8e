"""All that is settled before any table is drawn; every table of the world is a function of it."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from features.simulate.accounts import Accounts
from features.simulate.arrays import WEEK, Booleans, Floats, Integers, Span
from features.simulate.causes import Causes
from features.simulate.presets import Preset
from features.simulate.signals import SIGNALS, State, shift
from features.simulate.stages import COMPARING, COMPARISON, COOLING, HEALTHY, LOST, TURNED_AWAY, Hazards, Lives

if TYPE_CHECKING:
    from features.simulate.demand import Demand, Orders
    from features.simulate.interventions import Talks


@dataclass(frozen=True)
class Scene:
    """Customers, what happens to them, how their relationships go, and when they order."""

    accounts: Accounts
    causes: Causes
    hazards: Hazards
    lives: Lives
    demand: "Demand"
    attention: Floats  # (customers, weeks) mean 0, standard deviation 1
    orders: "Orders"
    talks: "Talks"
    preset: Preset
    span: Span

    @cached_property
    def state(self) -> State:
        """The state in the middle of every week; arrays of shape (customers, weeks)."""
        turned_away, comparing, driver = weekly_state(self.lives, len(self.accounts), self.preset, self.span)
        return State(turned_away, comparing, driver, self.attention)

    @cached_property
    def lost(self) -> Booleans:
        """Whether each customer is lost on each day; shape (customers, days)."""
        return lost_days(self.lives, len(self.accounts), self.span)

    def level(self, name: str, account: Integers, day: Integers) -> Floats:
        """The level of a signal for customers on days, on the scale of its family; one entry per pair."""
        week = np.clip(day // WEEK, 0, self.span.weeks - 1)
        cell = (account, week)
        state = self.state
        here = State(state.turned_away[cell], state.comparing[cell], state.driver[cell], state.attention[cell])
        return self.accounts.usual[name][account] + shift(SIGNALS[name], here, self.preset.signal)

    def happens(self, name: str, account: Integers, day: Integers, rng: np.random.Generator) -> Booleans:
        """Draws of a signal that is a `share`, one per pair of customer and day."""
        yes = rng.random(len(account)) < expit(self.level(name, account, day))
        if SIGNALS[name].ends:
            yes &= ~self.lost[account, np.clip(day, 0, self.span.days - 1)]
        return yes

    def values(self, name: str, account: Integers, day: Integers, rng: np.random.Generator) -> Floats:
        """Draws of a signal that is a `value`, one per pair of customer and day."""
        return self.level(name, account, day) + SIGNALS[name].noise * rng.standard_normal(len(account))

    def counts(self, name: str, account: Integers, day: Integers, rng: np.random.Generator) -> Integers:
        """Draws of a signal that is a `count`, one per pair of customer and day."""
        return rng.poisson(np.exp(self.level(name, account, day)))

    def events(self, name: str, rng: np.random.Generator) -> tuple[Integers, Integers]:
        """Draws of a signal that is a `rate`: customer and day of every event, on open days, in order of both."""
        signal = SIGNALS[name]
        rate = np.exp(self.accounts.usual[name][:, None] + shift(signal, self.state, self.preset.signal))
        account, week = np.nonzero(number := rng.poisson(rate))
        times = number[account, week]
        account, week = np.repeat(account, times), np.repeat(week, times)
        day = week * WEEK + rng.integers(0, WEEK, len(week))
        opens = self.span.open_days()
        inside = np.minimum(day, self.span.days - 1)
        # An event that falls on a closed day is moved to the open day before it or, at the very start, is dropped.
        last_open = np.maximum.accumulate(np.where(opens, np.arange(self.span.days), -1))
        moved = last_open[inside]
        kept = (day < self.span.days) & (moved >= self.accounts.since_day[account]) & (moved >= 0)
        gone = self.lost[account, np.maximum(moved, 0)]
        kept &= ~gone | (rng.random(len(day)) < signal.after_loss)
        order = np.lexsort((moved[kept], account[kept]))
        return account[kept][order], moved[kept][order]

    def known_since(self, account: Integers) -> Integers:
        """First day of each customer's relationship inside the history."""
        return np.maximum(self.accounts.since_day[account], 0)


def weekly_state(lives: Lives, customers: int, preset: Preset, span: Span) -> tuple[Floats, Floats, Integers]:
    """How far each customer has turned away and compares other offers, and why; shape (customers, weeks) each."""
    middle = np.minimum(np.arange(span.weeks) * WEEK + WEEK // 2, span.days - 1)
    turned_away, comparing = np.zeros((customers, span.weeks)), np.zeros((customers, span.weeks))
    driver = np.zeros((customers, span.weeks), dtype=np.int64)
    caused = lives.driver >= 0

    # A talk ends a stage before its time, and cannot have hastened what came before the talk.
    reached = (lives.end - lives.start) / (lives.planned - lives.start)

    past = np.flatnonzero(_recovered(lives) & caused)
    row, week, part = _every_week(lives.end[past], lives.end[past] + int(preset.fade_days), middle)
    row = past[row]
    cell = (lives.account[row], week)
    for state, knots in ((turned_away, TURNED_AWAY), (comparing, COMPARING)):
        at_start, at_end = knots[lives.stage[row]].T
        state[cell] = lives.depth[row] * (at_start + (at_end - at_start) * reached[row]) * (1 - part)
    driver[cell] = lives.driver[row]

    unwell = np.flatnonzero((lives.stage != HEALTHY) & caused)
    row, week, part = _every_week(lives.start[unwell], lives.end[unwell], middle)
    row = unwell[row]
    part *= reached[row]
    cell = (lives.account[row], week)
    for state, knots in ((turned_away, TURNED_AWAY), (comparing, COMPARING)):
        at_start, at_end = knots[lives.stage[row]].T
        # A new cooling may begin before the traces of the last one are gone: the deeper of the two shows.
        state[cell] = np.maximum(state[cell], lives.depth[row] * (at_start + (at_end - at_start) * part))
    driver[cell] = lives.driver[row]
    return turned_away, comparing, driver


def lost_days(lives: Lives, customers: int, span: Span) -> Booleans:
    """Whether each customer is lost on each day; shape (customers, days)."""
    lost = lives.stage == LOST
    edge = np.zeros((customers, span.days + 1), dtype=np.int8)
    for days, step in ((lives.start[lost], 1), (lives.end[lost], -1)):
        np.add.at(edge, (lives.account[lost], np.clip(days, 0, span.days)), step)
    return np.cumsum(edge[:, :-1], axis=1, dtype=np.int8) > 0


def _recovered(lives: Lives) -> Booleans:
    """Coolings and comparisons after which the customer was healthy again, per episode."""
    unwell = (lives.stage[:-1] == COOLING) | (lives.stage[:-1] == COMPARISON)
    back = unwell & (lives.stage[1:] == HEALTHY) & (lives.account[:-1] == lives.account[1:])
    return np.append(back, False)


def _every_week(start: Integers, end: Integers, middle: Integers) -> tuple[Integers, Integers, Floats]:
    """One entry per mid-week day inside each episode: its row, the week, the part of it that is over."""
    first, last = np.searchsorted(middle, start), np.searchsorted(middle, end)
    length = last - first
    row = np.repeat(np.arange(len(start)), length)
    week = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length) + first[row]
    return row, week, (middle[week] - start[row]) / (end - start)[row]
