"""What our office does by its own calendar, and the hours in which business is done."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.simulate.arrays import Booleans, Floats, Integers, Span
from features.simulate.office import last_order, opened
from features.simulate.scene import Scene
from features.simulate.transactions import DAY_OPENS, DAY_SECONDS

Moments = npt.NDArray[np.datetime64]

MISSED_GAPS, LEAST_PATIENCE = 2.0, 60.0  # usual gaps, and days, without an order until nobody is sent any more
JITTER = 0.15  # of the time between two rounds: how early or late one of them comes, at most
MARGIN_DAYS = 1000  # after the history, in which what it began comes to its end


@dataclass(frozen=True)
class WorkingTime:
    """A clock that runs during the hours of business alone: one working day from 08:00 to 18:00 of an open day."""

    span: Span
    open_days: Integers  # day numbers in order, some weeks before the history to `MARGIN_DAYS` after it

    @classmethod
    def of(cls, span: Span) -> "WorkingTime":
        """The clock of a history."""
        before = 30
        longer = Span(span.start - np.timedelta64(before, "D"), span.days + before + MARGIN_DAYS)
        return cls(span, np.flatnonzero(longer.open_days()) - before)

    def nearest(self, day: Integers) -> Integers:
        """The open day nearest to each day, so that on average closed days move nothing to and fro."""
        place = np.clip(np.searchsorted(self.open_days, day), 1, len(self.open_days) - 1)
        before, after = self.open_days[place - 1], self.open_days[place]
        return np.where(day - before < after - day, before, after)

    def after(self, begin: Moments, working_days: Floats) -> Moments:
        """The moments some working days after others, to the second."""
        total = self._reading(begin) + working_days
        place = np.minimum(np.floor(total), len(self.open_days) - 1).astype(np.int64)
        seconds = DAY_OPENS + np.rint(np.minimum(total - place, 1) * DAY_SECONDS).astype(np.int64)
        return self.span.dates(self.open_days[place]) + seconds.astype("timedelta64[s]")

    def between(self, begin: Moments, end: Moments) -> Floats:
        """Working days from one moment to another: what `after` was given, but for its rounding."""
        return self._reading(end) - self._reading(begin)

    def _reading(self, moments: Moments) -> Floats:
        """Working days on the clock at each moment."""
        day = self.span.day(moments)
        place = np.minimum(np.searchsorted(self.open_days, day), len(self.open_days) - 1)
        seconds = (moments - self.span.dates(day)).astype("timedelta64[s]").astype(np.int64)
        part = np.clip((seconds - DAY_OPENS) / DAY_SECONDS, 0, 1)
        return place + np.where(self.open_days[place] == day, part, 0.0)


def in_touch(scene: Scene, account: Integers, day: Integers) -> Booleans:
    """Whether each customer has ordered lately enough to be sent something on each day.

    The order book before the day decides, and nothing else: that somebody was asked then foretells nothing that the
    orders do not. Who was a customer before the history counts as having ordered on its first day.
    """
    patience = np.maximum(MISSED_GAPS * 365.25 / scene.accounts.orders_per_year[account], LEAST_PATIENCE)
    return (day >= scene.accounts.since_day[account]) & (day - last_order(scene, account, day) <= patience)


def rounds(scene: Scene, every_days: Floats, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Customers and open days of what comes round every so many days for each customer (`inf`: never).

    Each round comes a little early or late; it passes over customers who are not `in_touch`.
    """
    span = scene.span
    account = np.flatnonzero(np.isfinite(every_days))
    step = every_days[account]
    times = np.ceil(span.days / step).astype(np.int64) + 1
    row = np.repeat(np.arange(len(account)), times)
    number = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
    part = number + rng.random(len(account))[row] + JITTER * rng.uniform(-1, 1, len(row))
    account = account[row]
    begins = scene.known_since(account)
    day = opened(span, begins + (step[row] * part).astype(np.int64))
    kept = (part >= 0) & (day < span.days)
    kept[kept] = in_touch(scene, account[kept], day[kept])
    return account[kept], day[kept]
