"""How much is ordered each day: a customer's own rate, bent by season, drift, market, projects and stage."""

import numpy as np
import numpy.typing as npt

from features.simulate.accounts import Booleans, Floats, Span
from features.simulate.presets import DRIVERS, Preset
from features.simulate.stages import Mood, Scene

WORKING_DAYS_PER_WEEK = 5
STEP_DAYS = 7  # the drifts move weekly; days between are in a straight line
CHANGE_DAYS = 60  # over which a change of the times comes about


def market_path(preset: Preset, span: Span, rng: np.random.Generator) -> Floats:
    """Log demand per day that all customers share: a slow wander, one slump, and the change of the times."""
    day = np.arange(span.days)
    wander = preset.market_spread * _drift(1, preset, span, rng)[0]
    begin = rng.uniform(0.2, 0.7) * span.days
    inside = np.clip((day - begin) / preset.slump_days, 0, 1)
    slump = -preset.slump_depth * (1 - np.cos(2 * np.pi * inside)) / 2
    late = np.clip((day - (span.days - 365.25)) / CHANGE_DAYS, 0, 1)
    return wander + slump + np.log(preset.late_rate) * late


def daily_orders(scene: Scene, rows: slice, mood: Mood, market: Floats, rng: np.random.Generator) -> Floats:
    """Expected orders per day of the customers `rows`; shape (customers, days), 0 on days without any."""
    accounts, preset, span = scene.accounts, scene.preset, scene.span
    rate = accounts.orders_per_year[rows, None] / 365.25
    count = len(rate)
    phase = 2 * np.pi * (day_of_year(span) - accounts.peak_day[rows, None]) / 365.25
    season = accounts.season[rows, None]
    spread = preset.drift_spread
    drift = spread * _drift(count, preset, span, rng) - spread**2 / 2
    weight = np.array([driver.rate for driver in DRIVERS])[mood.driver]
    stage = -preset.signal * preset.rate_effect * weight * mood.turned_away
    # Divided by the Bessel function, a season moves orders within the year and leaves their number alone.
    level = np.exp(season * np.cos(phase) + drift + market + stage) / np.i0(season)
    on, off = preset.project_on_days, preset.project_off_days
    burst = _running(count, on, off, span, rng) * (on + off) / on
    level *= np.where(accounts.project[rows, None], burst, 1.0)
    buying = mood.active & open_days(span)
    if preset.pauses_per_year > 0:
        buying &= _running(count, 365.25 / preset.pauses_per_year, preset.pause_days, span, rng)
    return np.where(buying, rate * level * 7 / WORKING_DAYS_PER_WEEK, 0.0)


def open_days(span: Span) -> Booleans:
    """Days on which business is done: Monday to Friday, closed from 29 December to 3 January."""
    dates = span.start + np.arange(span.days)
    month = dates.astype("datetime64[M]")
    day = (dates - month).astype(int) + 1
    month_of_year = month.astype(int) % 12 + 1
    closed = ((month_of_year == 12) & (day >= 29)) | ((month_of_year == 1) & (day <= 3))
    return np.is_busday(dates) & ~closed


def day_of_year(span: Span) -> npt.NDArray[np.int64]:
    """Days since 1 January, per day of the history."""
    dates = span.start + np.arange(span.days)
    return (dates - dates.astype("datetime64[Y]")).astype(np.int64)


def _drift(count: int, preset: Preset, span: Span, rng: np.random.Generator) -> Floats:
    """Stationary AR(1) paths with variance 1; shape (count, days)."""
    steps = span.days // STEP_DAYS + 2
    keep = np.exp(-STEP_DAYS / preset.drift_memory_days)
    shocks = rng.standard_normal((steps, count))
    path = np.empty((steps, count))
    path[0] = shocks[0]
    for step in range(1, steps):
        path[step] = keep * path[step - 1] + np.sqrt(1 - keep**2) * shocks[step]
    week, part = np.divmod(np.arange(span.days), STEP_DAYS)
    share = (part / STEP_DAYS)[:, None]
    return ((1 - share) * path[week] + share * path[week + 1]).T


def _running(count: int, on: float, off: float, span: Span, rng: np.random.Generator) -> Booleans:
    """Whether each customer is in an `on` phase: exponential phases take turns; shape (count, days)."""
    pairs = int(4 * span.days / (on + off)) + 8  # far more than a history holds
    lengths = rng.exponential(np.tile([on, off], pairs), (count, 2 * pairs))
    opens_off = rng.random(count) < off / (on + off)
    lengths[opens_off, 0] = 0.0  # exponential lengths have no memory: a fresh one is as good as a running one
    ends = np.minimum(np.rint(np.cumsum(lengths, axis=1)), span.days).astype(np.int64)
    switches = np.zeros((count, span.days + 1), dtype=np.int64)
    np.add.at(switches, (np.arange(count)[:, None], ends), 1)
    return np.cumsum(switches[:, :-1], axis=1) % 2 == 0
