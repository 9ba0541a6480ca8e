"""When is ordered: a customer's own clock, which runs as fast as it needs goods.

Orders are renewals with Erlang gaps in operational time: the clock of each customer runs at its usual rate, bent by
season, drift, market, projects, pauses and the state of the relationship.
"""

from dataclasses import dataclass

import numpy as np

from features.simulate.accounts import Accounts
from features.simulate.arrays import WEEK, WORKING_DAYS_PER_WEEK, Booleans, Floats, Integers, Span, wander
from features.simulate.presets import Preset
from features.simulate.scene import lost_days, weekly_state
from features.simulate.signals import SIGNALS, State, shift
from features.simulate.stages import Lives

CHANGE_DAYS = 60  # over which a change of the times comes about
CHUNK = 1000  # customers at a time: bounds the memory of the daily grids to some tens of MB
BLOCK = 64  # gaps drawn at a time


@dataclass(frozen=True)
class Demand:
    """What moves the need for goods whatever the relationship.

    Phases are the days on which they end, by turns; a first end of 0 means that the second kind runs at the start.
    """

    market: Floats  # (days,) log demand that all customers share
    drift: Floats  # (customers, weeks) log demand around the customer's own mean
    projects: Integers  # (customers, phases) project, silence, project, ...
    pauses: Integers  # (customers, phases) buying, pause, buying, ...
    gap_seed: int  # of the gaps between orders


@dataclass(frozen=True)
class Orders:
    """Every order as parallel arrays, in order of customer and time."""

    account: Integers
    day: Integers
    due: Floats  # operational time at which it was placed


def draw_demand(accounts: Accounts, preset: Preset, span: Span, rng: np.random.Generator) -> Demand:
    """The demand of all customers; it depends on no relationship, so worlds of one seed share it."""
    count = len(accounts)
    on, off = preset.project_on_days, preset.project_off_days
    between = 365.25 / max(preset.pauses_per_year, 1e-3)
    market, drift, projects, pauses, gaps = rng.spawn(5)
    return Demand(
        market=_market(preset, span, market),
        drift=preset.drift_spread * wander(count, span.weeks, WEEK, preset.drift_memory_days, drift)
        - preset.drift_spread**2 / 2,
        projects=_phases(count, on, off, span, projects),
        pauses=_phases(count, between, preset.pause_days, span, pauses),
        gap_seed=int(gaps.integers(2**31)),
    )


def base_rate(accounts: Accounts, rows: slice | Integers, span: Span) -> Floats:
    """Expected orders per day by rate and season alone; shape (customers, days), 0 on closed days."""
    phase = 2 * np.pi * (span.day_of_year() - accounts.peak_day[rows, None]) / 365.25
    season = accounts.season[rows, None]
    # Divided by the Bessel function, a season moves orders within the year and leaves their number alone.
    level = np.exp(season * np.cos(phase)) / np.i0(season)
    rate = accounts.orders_per_year[rows, None] / 365.25 * 7 / WORKING_DAYS_PER_WEEK
    return rate * level * span.open_days()


def running(ends: Integers, span: Span) -> Booleans:
    """Whether the first kind of phase runs, per customer and day."""
    switches = np.zeros((len(ends), span.days + 1), dtype=np.int16)
    np.add.at(switches, (np.arange(len(ends))[:, None], ends), 1)
    return np.cumsum(switches[:, :-1], axis=1) % 2 == 0


def burst_factor(preset: Preset) -> float:
    """How much faster than usual a customer for projects orders while one runs."""
    return (preset.project_on_days + preset.project_off_days) / preset.project_on_days


def place_orders(accounts: Accounts, lives: Lives, demand: Demand, preset: Preset, span: Span) -> Orders:
    """Every order of every customer, given how the relationships go; the same gaps whatever the lives."""
    turned_away, comparing, driver = weekly_state(lives, len(accounts), preset, span)
    # Attention does not move orders: see the declaration of the signal.
    state = State(turned_away, comparing, driver, np.zeros(()))
    weekly = demand.drift + shift(SIGNALS["orders"], state, preset.signal)
    lost = lost_days(lives, len(accounts), span)
    parts: list[Orders] = []
    for number, first in enumerate(range(0, len(accounts), CHUNK)):
        rows = slice(first, min(first + CHUNK, len(accounts)))
        clock = _clocks(accounts, rows, weekly[rows], lost[rows], demand, preset, span)
        rng = np.random.default_rng([demand.gap_seed, number])
        parts.append(_renewals(accounts, rows, clock, rng))
    return Orders(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("account", "day", "due")))


def clock_at(accounts: Accounts, lives: Lives, demand: Demand, preset: Preset, span: Span, days: Integers) -> Floats:
    """Operational time of every customer at the start of each of `days`; shape (customers, days given)."""
    turned_away, comparing, driver = weekly_state(lives, len(accounts), preset, span)
    weekly = demand.drift + shift(SIGNALS["orders"], State(turned_away, comparing, driver, np.zeros(())), preset.signal)
    lost = lost_days(lives, len(accounts), span)
    times = np.zeros((len(accounts), len(days)))
    for first in range(0, len(accounts), CHUNK):
        rows = slice(first, min(first + CHUNK, len(accounts)))
        clock = _clocks(accounts, rows, weekly[rows], lost[rows], demand, preset, span)
        times[rows] = np.where(days > 0, clock[:, np.maximum(days, 1) - 1], 0.0)
    return times


def _clocks(
    accounts: Accounts, rows: slice, weekly: Floats, lost: Booleans, demand: Demand, preset: Preset, span: Span
) -> Floats:
    """The customers' clocks at the end of every day; shape (customers, days)."""
    rate = base_rate(accounts, rows, span) * np.exp(demand.market)
    rate *= np.repeat(np.exp(weekly), WEEK, axis=1)[:, : span.days]
    project = accounts.project[rows, None]
    rate *= np.where(project, running(demand.projects[rows], span) * burst_factor(preset), 1.0)
    buying = (np.arange(span.days) >= accounts.since_day[rows, None]) & ~lost
    if preset.pauses_per_year > 0:
        buying &= running(demand.pauses[rows], span)
    return np.cumsum(np.where(buying, rate, 0.0), axis=1)


def _renewals(accounts: Accounts, rows: slice, clock: Floats, rng: np.random.Generator) -> Orders:
    """Renewals with Erlang gaps on the customers' own clocks."""
    since, shape = accounts.since_day[rows], accounts.regularity[rows, None]
    # A relationship older than the history is met in the middle of a gap; a new one opens with an order.
    first = rng.random(shape.shape) * rng.gamma(shape + 1, 1 / shape)
    due = np.where(since[:, None] < 0, first, 0.0)
    while due[:, -1].min() < clock[:, -1].max():
        more = rng.gamma(shape, 1 / shape, (len(since), BLOCK))
        due = np.hstack([due, due[:, -1:] + np.cumsum(more, axis=1)])
    account, number = np.nonzero(due < clock[:, -1:])
    # One search over all customers: their clocks are laid end to end.
    lap = clock[:, -1].max() + 1
    laps = lap * np.arange(len(since))
    placed = due[account, number]
    flat = np.searchsorted((clock + laps[:, None]).ravel(), placed + laps[account], side="right")
    return Orders(account + rows.start, flat - account * clock.shape[1], placed)


def _market(preset: Preset, span: Span, rng: np.random.Generator) -> Floats:
    """Log demand per day that all customers share: a slow wander, one slump, and the change of the times."""
    day = np.arange(span.days)
    weeks = np.arange(span.weeks + 1) * WEEK
    path = wander(1, span.weeks + 1, WEEK, preset.drift_memory_days, rng)[0]
    begin = rng.uniform(0.2, 0.7) * span.days
    inside = np.clip((day - begin) / preset.slump_days, 0, 1)
    slump = -preset.slump_depth * (1 - np.cos(2 * np.pi * inside)) / 2
    late = np.clip((day - (span.days - 365.25)) / CHANGE_DAYS, 0, 1)
    return preset.market_spread * np.interp(day, weeks, path) + slump + np.log(preset.late_rate) * late


def _phases(count: int, first: float, second: float, span: Span, rng: np.random.Generator) -> Integers:
    """Ends of exponential phases of mean lengths `first` and `second` that take turns."""
    pairs = int(4 * span.days / (first + second)) + 8  # far more than a history holds
    lengths = rng.exponential(np.tile([first, second], pairs), (count, 2 * pairs))
    opens = rng.random(count) < second / (first + second)
    lengths[opens, 0] = 0.0  # exponential lengths have no memory: a fresh one is as good as a running one
    return np.minimum(np.rint(np.cumsum(lengths, axis=1)), span.days).astype(np.int64)
