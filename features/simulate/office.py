"""Our own office: its open days and hours, and which customers it still looks after."""

import numpy as np
import numpy.typing as npt

from features.simulate.accounts import Accounts
from features.simulate.arrays import Floats, Integers, Span
from features.simulate.scene import Scene
from features.simulate.transactions import DAY_OPENS, DAY_SECONDS

LISTED_DAYS = 365  # without an order, after which a customer is no longer looked after


def opened(span: Span, day: Integers) -> Integers:
    """Each day itself if business is done on it, else the next such day; also for days outside the history."""
    dates = span.start + day.astype("timedelta64[D]")
    if not len(dates):
        return day
    first, last = dates.min().astype("datetime64[Y]"), dates.max().astype("datetime64[Y]")
    turns = np.arange(first, last + 2).astype("datetime64[D]")
    # As in `Span.open_days`: closed from 29 December to 3 January.
    closed = (turns[:, None] + np.arange(-3, 3)).ravel()
    return (np.busday_offset(dates, 0, roll="forward", holidays=closed) - span.start).astype(np.int64)


def moments(span: Span, day: Integers, rng: np.random.Generator) -> npt.NDArray[np.datetime64]:
    """A moment within the hours of business on each day."""
    seconds = DAY_OPENS + (DAY_SECONDS * rng.random(len(day))).astype(np.int64)
    return span.dates(day) + seconds.astype("timedelta64[s]")


def listed(scene: Scene, account: Integers, day: Integers) -> npt.NDArray[np.bool_]:
    """Whether each customer is looked after on each day: here, and with an order in the `LISTED_DAYS` before it.

    The office knows no more than the order book does, so that whom it writes to foretells nothing beyond that book.
    Who was a customer before the history counts as having ordered on its first day.
    """
    return (day >= scene.accounts.since_day[account]) & (day - last_order(scene, account, day) <= LISTED_DAYS)


def last_order(scene: Scene, account: Integers, day: Integers) -> Integers:
    """Day of each customer's last order before each day; where there is none, its first day inside the history."""
    orders, lap = scene.orders, scene.span.days + 1
    # Orders stand in order of customer and time, so their keys ascend.
    place = np.searchsorted(orders.account * lap + orders.day, account * lap + np.clip(day, 0, lap - 1)) - 1
    first = scene.known_since(account)
    if not len(orders.day):
        return first
    mine = (place >= 0) & (orders.account[place] == account)
    return np.where(mine, orders.day[place], first)


def by_chance(scene: Scene, per_year: Floats, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Customers and open days of what our people do now and then, so often a year for each customer.

    Only with customers who are looked after; whether a customer is about to leave makes no difference.
    """
    span = scene.span
    account = np.repeat(np.arange(len(scene.accounts)), rng.poisson(per_year * span.days / 365.25))
    day = opened(span, rng.integers(0, span.days, len(account)))
    kept = (day < span.days) & listed(scene, account, day)
    return account[kept], day[kept]


def usual_order(accounts: Accounts) -> Floats:
    """Usual amount of an order at list prices per customer: it moves with nothing."""
    usual = accounts.usual
    return (1 + np.exp(usual["extra_lines"])) * np.exp(usual["line_amount"])


def usual_year(accounts: Accounts) -> Floats:
    """Usual sales of a year at list prices per customer."""
    return accounts.orders_per_year * usual_order(accounts)
