"""The order book of the simulated world: when is ordered, what is in it, and how it is recorded."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulate.accounts import LINES_PER_CLASS, Accounts, Booleans, Floats, Integers, Span
from features.simulate.demand import daily_orders, market_path
from features.simulate.presets import DRIVERS, Preset
from features.simulate.stages import Mood, Scene, moods

CHUNK = 1000  # customers at a time: bounds the memory of the daily grids to some tens of MB
PRODUCTS_PER_LINE = 12
HIGH, LOW = 0, 1
MARGINS = ((0.38, 0.50), (0.12, 0.20))  # share of the list price that is not cost: high, low
MOST_DISCOUNT = 0.45
MOST_URGENT = 0.6
MOST_LINES = 40  # of one order
DAY_OPENS, DAY_SECONDS = 8 * 3600, 10 * 3600  # orders come in between 08:00 and 18:00
LATE_DAYS = 12  # a late order is recorded 1 to 12 days after it was placed
CREDIT_DAYS = 9.0  # mean days from an order to its credit note, two more at least
BOOKING_DAYS = 6  # a credit note is recorded 1 to 6 days after its date


@dataclass(frozen=True)
class Catalogue:
    """List price and unit cost per product line and product; the first lines are those with a high margin."""

    price: Floats
    cost: Floats


@dataclass(frozen=True)
class Orders:
    """Orders of some customers as parallel arrays, with the customer's state when each was placed."""

    account: Integers
    day: Integers
    turned_away: Floats
    comparing: Floats
    driver: npt.NDArray[np.int8]


def transactions_table(scene: Scene, rng: np.random.Generator) -> pd.DataFrame:
    """The `transactions` table of the contract, as known at the extract, in order of time.

    `recorded_at` is the order's own time but for late orders and credit notes; a row that would be recorded
    after the extract is not in it.
    """
    accounts, preset, span = scene.accounts, scene.preset, scene.span
    catalogue = _draw_catalogue(rng)
    market = market_path(preset, span, rng)
    parts: list[pd.DataFrame] = []
    placed = 0
    for first in range(0, len(accounts), CHUNK):
        rows = slice(first, min(first + CHUNK, len(accounts)))
        # Streams apart: worlds of one seed share the demand and the gaps and differ in the signal alone.
        demand, gaps, content = rng.spawn(3)
        clock, mood = _clocks(scene, rows, market, demand)
        orders = _place_orders(scene, rows, clock, mood, gaps)
        headers = _headers(orders, preset, span, content)
        lines = _lines(accounts, catalogue, orders, preset, content)
        lines["order"] += placed
        headers.index = headers.index + placed
        placed += len(headers)
        parts.append(lines.join(headers, on="order"))
    lines = pd.concat(parts, ignore_index=True)
    notes = _credit_notes(lines, preset, rng)
    return _book(accounts, lines, notes, span)


def _draw_catalogue(rng: np.random.Generator) -> Catalogue:
    shape = (2 * LINES_PER_CLASS, PRODUCTS_PER_LINE)
    price = np.round(40 * np.exp(rng.standard_normal(shape)), 2)
    low, high = np.repeat(np.array(MARGINS), LINES_PER_CLASS, axis=0).T[:, :, None]
    return Catalogue(price, price * (1 - rng.uniform(low, high, shape)))


def _clocks(scene: Scene, rows: slice, market: Floats, rng: np.random.Generator) -> tuple[Floats, Mood]:
    """The customers' own clocks, running as fast as they would order (customers, days), and their state."""
    mood = moods(scene, rows.start, rows.stop)
    return np.cumsum(daily_orders(scene, rows, mood, market, rng), axis=1), mood


def _place_orders(scene: Scene, rows: slice, clock: Floats, mood: Mood, rng: np.random.Generator) -> Orders:
    """Renewals with Erlang gaps on the customers' own clocks."""
    accounts = scene.accounts
    since = accounts.since_day[rows]
    shape = accounts.regularity[rows, None]
    # A relationship older than the history is met in the middle of a gap; a new one opens with an order.
    first = rng.random(shape.shape) * rng.gamma(shape + 1, 1 / shape)
    first = np.where(since[:, None] < 0, first, 0.0)
    due = first
    while due[:, -1].min() < clock[:, -1].max():
        more = rng.gamma(shape, 1 / shape, (len(since), 64))
        due = np.hstack([due, due[:, -1:] + np.cumsum(more, axis=1)])
    account, number = np.nonzero(due < clock[:, -1:])
    # One search over all customers: their clocks are laid end to end.
    lap = clock[:, -1].max() + 1
    laps = lap * np.arange(len(since))
    due_by_then = due[account, number] + laps[account]
    flat = np.searchsorted((clock + laps[:, None]).ravel(), due_by_then, side="right")
    day = flat - account * scene.span.days
    cell = (account, day)
    return Orders(account + rows.start, day, mood.turned_away[cell], mood.comparing[cell], mood.driver[cell])


def _headers(orders: Orders, preset: Preset, span: Span, rng: np.random.Generator) -> pd.DataFrame:
    """What is said once per order: `account, ordered_at, recorded_at, urgent`."""
    count = len(orders.day)
    seconds = DAY_OPENS + (DAY_SECONDS * rng.beta(2, 2.5, count)).astype(np.int64)
    ordered_at = span.dates(orders.day) + seconds.astype("timedelta64[s]")
    late = rng.random(count) < preset.late_orders
    delay = np.where(late, rng.integers(1, LATE_DAYS + 1, count), 0).astype("timedelta64[D]")
    more = preset.signal * preset.urgent_effect * _weights("urgent", orders) * orders.turned_away
    urgent = rng.random(count) < np.minimum(preset.urgent + more, MOST_URGENT)
    return pd.DataFrame(
        {
            "account": orders.account,
            "ordered_at": ordered_at,
            "recorded_at": ordered_at + delay,
            "urgent": urgent,
        }
    )


def _lines(
    accounts: Accounts, catalogue: Catalogue, orders: Orders, preset: Preset, rng: np.random.Generator
) -> pd.DataFrame:
    """One row per line, `order` counting from 0: which product, how many, at what price."""
    smaller = np.exp(-preset.signal * preset.size_effect * _weights("size", orders) * orders.turned_away)
    extra = np.minimum(rng.poisson(accounts.extra_lines[orders.account] * smaller), MOST_LINES - 1)
    discount = accounts.discount[orders.account] + preset.discount_noise * rng.standard_normal(len(extra))
    discount += preset.signal * preset.discount_effect * _weights("discount", orders) * orders.comparing
    order = np.repeat(np.arange(len(extra)), 1 + extra)
    line, product = _choose(accounts, orders, order, preset, rng)
    price, cost = catalogue.price[line, product], catalogue.cost[line, product]
    usual = (accounts.line_amount[orders.account] * smaller)[order]
    wanted = usual * np.exp(preset.line_size_spread * rng.standard_normal(len(order)))
    quantity = np.maximum(1, np.rint(wanted / price)).astype(np.int64)
    list_amount = np.round(quantity * price, 2)
    amount = np.round(list_amount * (1 - np.clip(discount, 0, MOST_DISCOUNT)[order]), 2)
    drawn = pd.DataFrame(
        {
            "order": order,
            "line": line,
            "product": product,
            "quantity": quantity,
            "amount": amount,
            "margin": np.round(amount - quantity * cost, 2),
            "list_amount": list_amount,
        }
    )
    # A product stands on one line of an order: a second draw of it is not an order line.
    return drawn.drop_duplicates(["order", "line", "product"], ignore_index=True)


def _choose(
    accounts: Accounts, orders: Orders, order: Integers, preset: Preset, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Product line and product of each line: class of margin first, then a line of it, then a product."""
    who = orders.account[order]
    away = (preset.signal * orders.turned_away)[order]
    fall = np.minimum(preset.mix_effect * _weights("mix", orders)[order] * away, 0.9)
    margin_class = np.where(rng.random(len(order)) < accounts.high_share[who] * (1 - fall), HIGH, LOW)
    kept = np.maximum(1 - preset.breadth_effect * _weights("breadth", orders)[order] * away, 0.0)
    # Rounded at random, so that the least liked line fades out and is not cut off on a day.
    breadth = np.floor(accounts.breadth[who, margin_class] * kept + rng.random(len(order))).astype(np.int64)
    place = _zipf(np.clip(breadth, 1, LINES_PER_CLASS), preset.zipf, rng)
    line = accounts.assortment[who, margin_class, place] + LINES_PER_CLASS * margin_class
    liked = _zipf(np.full(len(order), PRODUCTS_PER_LINE), preset.zipf, rng)
    return line, (accounts.favourite[who, line] + liked) % PRODUCTS_PER_LINE


def _zipf(choices: Integers, exponent: float, rng: np.random.Generator) -> Integers:
    """A place from 0 to `choices` - 1 each, the first the likeliest."""
    cumulative = np.cumsum(np.arange(1, choices.max(initial=1) + 1, dtype=float) ** -exponent)
    return np.searchsorted(cumulative, rng.random(len(choices)) * cumulative[choices - 1], side="right")


def _weights(symptom: str, orders: Orders) -> Floats:
    """How strongly the cause at work shows in `symptom`, per order."""
    return np.array([getattr(driver, symptom) for driver in DRIVERS])[orders.driver]


def _credit_notes(lines: pd.DataFrame, preset: Preset, rng: np.random.Generator) -> pd.DataFrame:
    """Some orders have one line credited, all or part of it, on a later working day; booked later yet."""
    shuffled = lines.iloc[rng.permutation(len(lines))]
    one_each = shuffled.drop_duplicates("order").sort_values("order", ignore_index=True)
    notes = one_each[rng.random(len(one_each)) < preset.credit_notes].reset_index(drop=True)
    whole = notes["quantity"].to_numpy()
    back = np.ceil(whole * np.where(rng.random(len(notes)) < 0.5, 1.0, rng.random(len(notes))))
    for column in ("amount", "margin", "list_amount"):
        notes[column] = -np.round(notes[column] * back / whole, 2)
    notes["quantity"] = -back.astype(np.int64)
    notes["urgent"] = False
    days = (2 + rng.exponential(CREDIT_DAYS, len(notes))).astype("timedelta64[D]")
    dated = notes["ordered_at"].to_numpy() + days
    midnight = np.busday_offset(dated.astype("datetime64[D]"), 0, roll="forward")
    notes["ordered_at"] = midnight.astype("datetime64[us]") + (dated - dated.astype("datetime64[D]"))
    booked = rng.integers(1, BOOKING_DAYS + 1, len(notes)).astype("timedelta64[D]")
    notes["recorded_at"] = notes["ordered_at"] + booked
    return notes


def _book(accounts: Accounts, lines: pd.DataFrame, notes: pd.DataFrame, span: Span) -> pd.DataFrame:
    """Orders and credit notes as one table with numbers in order of time, cut at the extract."""
    both = pd.concat([lines.assign(kind="S"), notes.assign(kind="R")], ignore_index=True)
    both = both.sort_values(["ordered_at", "account", "order", "kind"], kind="stable", ignore_index=True)
    opens: Booleans = ~both.duplicated(["order", "kind"]).to_numpy()
    first = both.loc[opens, ["order", "kind"]].reset_index(drop=True)
    first["order_id"] = first["kind"] + (first.index + 1).astype(str).str.zfill(7)
    both = both.merge(first, on=["order", "kind"], how="left", validate="many_to_one")
    both = both[both["recorded_at"] < span.start + np.timedelta64(span.days, "D")]
    name = "L" + pd.Series(np.arange(1, 2 * LINES_PER_CLASS + 1)).astype(str).str.zfill(2)
    item = pd.Series(np.arange(1, PRODUCTS_PER_LINE + 1)).astype(str).str.zfill(2)
    line = both["line"].map(name)
    return pd.DataFrame(
        {
            "customer_id": pd.Series(accounts.customer_id[both["account"]], index=both.index, dtype="str"),
            "order_id": both["order_id"],
            "ordered_at": both["ordered_at"],
            "recorded_at": both["recorded_at"],
            "product_id": line + "-" + both["product"].map(item),
            "product_line": line,
            "quantity": both["quantity"],
            "amount": both["amount"],
            "margin": both["margin"],
            "list_amount": both["list_amount"],
            "urgent": both["urgent"],
        }
    ).reset_index(drop=True)
