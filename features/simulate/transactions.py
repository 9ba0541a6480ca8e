"""The order book of the simulated world: what is in each order, when it is delivered, how it is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logit

from features.simulate.accounts import LINES_PER_CLASS, Accounts
from features.simulate.arrays import Booleans, Floats, Integers
from features.simulate.observed import Observations, known_day
from features.simulate.scene import Scene

PRODUCTS_PER_LINE = 12
HIGH, LOW = 0, 1
MARGINS = ((0.38, 0.50), (0.12, 0.20))  # share of the list price that is not cost: high, low
ZIPF = 1.1  # exponent of the shares of product lines and products: few make most of the sales
MOST_DISCOUNT = 0.45
MOST_LINES = 40  # of one order
DAY_OPENS, DAY_SECONDS = 8 * 3600, 10 * 3600  # orders come in between 08:00 and 18:00
TRIALS = 0.01  # orders that try a product out
LATE_USUAL, LATE_IN_SPELL = 0.08, 0.55  # deliveries that come late, usually and in a bad spell of ours
LATE_BY = 6.0  # mean days of a late delivery beyond the promise
SHORT = 0.02  # lines of which less is delivered than ordered
CREDIT_DAYS = 9.0  # mean days from an order to its credit note, two more at least
BOOKING_DAYS = 6  # a credit note is recorded 1 to 6 days after its date


@dataclass(frozen=True)
class Catalogue:
    """List price and unit cost per product line and product; the first lines are those with a high margin."""

    price: Floats
    cost: Floats


def transactions_table(scene: Scene, _made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The `transactions` table of the contract, in order of time.

    A credit note has a number of its own and is recorded days after its date.
    """
    catalogue = _draw_catalogue(rng)
    headers = _headers(scene, rng)
    lines = _lines(scene, catalogue, rng).join(headers, on="order")
    lines["delivered_quantity"] = _delivered(lines, rng)
    return _book(scene.accounts, lines, _credit_notes(lines, scene, rng))


def _draw_catalogue(rng: np.random.Generator) -> Catalogue:
    shape = (2 * LINES_PER_CLASS, PRODUCTS_PER_LINE)
    price = np.round(40 * np.exp(rng.standard_normal(shape)), 2)
    low, high = np.repeat(np.array(MARGINS), LINES_PER_CLASS, axis=0).T[:, :, None]
    return Catalogue(price, price * (1 - rng.uniform(low, high, shape)))


def _headers(scene: Scene, rng: np.random.Generator) -> pd.DataFrame:
    """What is said once per order: times, and whether it is urgent or a trial."""
    account, day = scene.orders.account, scene.orders.day
    count = len(day)
    seconds = DAY_OPENS + (DAY_SECONDS * rng.beta(2, 2.5, count)).astype(np.int64)
    ordered_at = scene.span.dates(day) + seconds.astype("timedelta64[s]")
    urgent = scene.happens("urgent", account, day, rng)
    promised = day + np.where(urgent, rng.integers(1, 3, count), rng.integers(3, 11, count))
    bad = scene.causes.in_spell("late_deliveries", account, day)
    late = rng.random(count) < np.where(bad, LATE_IN_SPELL, LATE_USUAL)
    by = np.where(late, 1 + np.floor(rng.exponential(LATE_BY, count)), -rng.integers(0, 2, count)).astype(np.int64)
    delivered = np.maximum(promised + by, day + 1)
    noon = np.timedelta64(12, "h")
    return pd.DataFrame(
        {
            "account": account,
            "ordered_at": ordered_at,
            "recorded_at": ordered_at,
            "urgent": urgent,
            "trial": rng.random(count) < TRIALS,
            "promised_at": scene.span.dates(promised),
            "delivered_at": scene.span.dates(delivered) + noon,
        }
    )


def _lines(scene: Scene, catalogue: Catalogue, rng: np.random.Generator) -> pd.DataFrame:
    """One row per line, `order` counting from 0: which product, how many, at what price."""
    orders = scene.orders
    extra = np.minimum(scene.counts("extra_lines", orders.account, orders.day, rng), MOST_LINES - 1)
    discount = np.clip(scene.values("discount", orders.account, orders.day, rng), 0, MOST_DISCOUNT)
    order = np.repeat(np.arange(len(extra)), 1 + extra)
    account, day = orders.account[order], orders.day[order]
    line, product = _choose(scene, account, day, rng)
    price = catalogue.price[line, product] * _price_level(scene, orders.account, orders.day)[order]
    wanted = np.exp(scene.values("line_amount", account, day, rng))
    quantity = np.maximum(1, np.rint(wanted / price)).astype(np.int64)
    list_amount = np.round(quantity * price, 2)
    amount = np.round(list_amount * (1 - discount[order]), 2)
    drawn = pd.DataFrame(
        {
            "order": order,
            "line": line,
            "product": product,
            "quantity": quantity,
            "amount": amount,
            "margin": np.round(amount - quantity * catalogue.cost[line, product], 2),
            "list_amount": list_amount,
        }
    )
    # A product stands on one line of an order: a second draw of it is not an order line.
    return drawn.drop_duplicates(["order", "line", "product"], ignore_index=True)


def _price_level(scene: Scene, account: Integers, day: Integers) -> Floats:
    """Our prices relative to those at the start, after the rises that each customer has seen."""
    rises = scene.causes.of("price_rise")
    order = np.lexsort((rises.day, rises.account))
    risen = np.concatenate([[0.0], np.cumsum(np.log1p(rises.size[order]))])
    first = np.searchsorted(rises.account[order], account)
    return np.exp(risen[first + rises.count_before("price_rise", account, day + 1)] - risen[first])


def _choose(scene: Scene, account: Integers, day: Integers, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Product line and product of each line: class of margin first, then a line of it, then a product."""
    accounts = scene.accounts
    margin_class = np.where(scene.happens("high_margin", account, day, rng), HIGH, LOW)
    breadth = accounts.breadth[account, margin_class]
    inner = (breadth + 1) // 2
    level = usual_outer(breadth) + scene.level("outer_lines", account, day) - accounts.usual["outer_lines"][account]
    outer = (breadth > 1) & (rng.random(len(account)) < 1 / (1 + np.exp(-level)))
    # The liked half of the customer's lines, or the other half; within each, the more liked the likelier.
    place = np.where(outer, inner + _zipf(breadth - inner, inner, rng), _zipf(inner, np.zeros_like(inner), rng))
    line = accounts.assortment[account, margin_class, place] + LINES_PER_CLASS * margin_class
    whole = np.full(len(account), PRODUCTS_PER_LINE)
    return line, (accounts.favourite[account, line] + _zipf(whole, np.zeros_like(whole), rng)) % PRODUCTS_PER_LINE


def usual_outer(breadth: Integers) -> Floats:
    """Log-odds that a line is of the less liked half of `breadth` product lines, by their shares alone."""
    mass = np.cumsum(np.arange(1, LINES_PER_CLASS + 1, dtype=float) ** -ZIPF)
    inner = (breadth + 1) // 2
    share = 1 - mass[inner - 1] / mass[breadth - 1]
    return np.where(breadth > 1, logit(np.clip(share, 1e-9, 1 - 1e-9)), 0.0)


def _zipf(choices: Integers, skipped: Integers, rng: np.random.Generator) -> Integers:
    """A place from 0 to `choices` - 1 each, the likeliest first, after `skipped` likelier ones; 0 without a choice."""
    longest = int((choices + skipped).max(initial=1))
    mass = np.concatenate([[0.0], np.cumsum(np.arange(1, longest + 1, dtype=float) ** -ZIPF)])
    low, high = mass[skipped], mass[skipped + choices]
    place = np.searchsorted(mass, low + rng.random(len(choices)) * (high - low), side="right") - 1 - skipped
    return np.clip(place, 0, np.maximum(choices - 1, 0))


def _delivered(lines: pd.DataFrame, rng: np.random.Generator) -> Integers:
    """What was delivered of each line: all of it, but for a few lines."""
    whole = lines["quantity"].to_numpy()
    short = rng.random(len(lines)) < SHORT
    return np.where(short, np.floor(whole * rng.random(len(lines))), whole).astype(np.int64)


def _credit_notes(lines: pd.DataFrame, scene: Scene, rng: np.random.Generator) -> pd.DataFrame:
    """Some orders have one line credited, all or part of it, on a later working day; booked later yet."""
    shuffled = lines.iloc[rng.permutation(len(lines))]
    one_each = shuffled.drop_duplicates("order").sort_values("order", ignore_index=True)
    notes = one_each[rng.random(len(one_each)) < scene.preset.credit_notes].reset_index(drop=True)
    whole = notes["quantity"].to_numpy()
    back = np.ceil(whole * np.where(rng.random(len(notes)) < 0.5, 1.0, rng.random(len(notes))))
    for column in ("amount", "margin", "list_amount"):
        notes[column] = -np.round(notes[column] * back / whole, 2)
    notes["quantity"] = -back.astype(np.int64)
    notes[["urgent", "trial"]] = False
    notes[["promised_at", "delivered_at"]] = pd.NaT
    days = (2 + rng.exponential(CREDIT_DAYS, len(notes))).astype("timedelta64[D]")
    dated = notes["ordered_at"].to_numpy() + days
    midnight = np.busday_offset(dated.astype("datetime64[D]"), 0, roll="forward")
    notes["ordered_at"] = midnight.astype("datetime64[us]") + (dated - dated.astype("datetime64[D]"))
    booked = rng.integers(1, BOOKING_DAYS + 1, len(notes)).astype("timedelta64[D]")
    notes["recorded_at"] = notes["ordered_at"] + booked
    notes["delivered_quantity"] = pd.array([pd.NA] * len(notes), dtype="Int64")
    return notes


def _book(accounts: Accounts, lines: pd.DataFrame, notes: pd.DataFrame) -> pd.DataFrame:
    """Orders and credit notes as one table with numbers in order of time."""
    lines["delivered_quantity"] = lines["delivered_quantity"].astype("Int64")
    both = pd.concat([lines.assign(kind="S"), notes.assign(kind="R")], ignore_index=True)
    both = both.sort_values(["ordered_at", "account", "order", "kind"], kind="stable", ignore_index=True)
    opens: Booleans = ~both.duplicated(["order", "kind"]).to_numpy()
    first = both.loc[opens, ["order", "kind"]].reset_index(drop=True)
    first["order_id"] = first["kind"] + (first.index + 1).astype(str).str.zfill(7)
    both = both.merge(first, on=["order", "kind"], how="left", validate="many_to_one")
    name = "L" + pd.Series(np.arange(1, 2 * LINES_PER_CLASS + 1)).astype(str).str.zfill(2)
    item = pd.Series(np.arange(1, PRODUCTS_PER_LINE + 1)).astype(str).str.zfill(2)
    line = both["line"].map(name)
    both["product_id"] = line + "-" + both["product"].map(item)
    both["product_line"] = line
    both["customer_id"] = pd.Series(accounts.customer_id[both["account"]], index=both.index, dtype="str")
    return both[list(COLUMNS)]


COLUMNS = (
    "customer_id", "order_id", "ordered_at", "recorded_at", "product_id", "product_line", "quantity", "amount",
    "margin", "list_amount", "urgent", "trial", "promised_at", "delivered_at", "delivered_quantity",
)  # fmt: skip


def orders_observed(scene: Scene, tables: Mapping[str, pd.DataFrame]) -> Observations:
    """Every order on the day on which it was known, but those that opened a relationship: they say nothing of it."""
    rows = tables["transactions"]
    rows = rows[rows["order_id"].str.startswith("S")].drop_duplicates("order_id").sort_values("order_id")
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(rows["customer_id"]))
    # A first order that is entered late must not be mistaken for the next one.
    again = pd.Series(account).duplicated().to_numpy()
    on_first_day = scene.span.day(rows["ordered_at"].to_numpy()) == opening_days(scene)[account]
    kept = again | ~on_first_day
    day = known_day(scene.span, rows[kept], "ordered_at")
    return Observations("orders", account[kept], day, np.ones(len(day)))


def opening_days(scene: Scene) -> Integers:
    """Day of the order with which each customer's relationship began; -1 where that was before the history."""
    account, first = np.unique(scene.orders.account, return_index=True)
    day = np.full(len(scene.accounts), scene.span.days)  # as long as there is none, the relationship is not open
    day[account] = scene.orders.day[first]
    return np.where(scene.accounts.since_day >= 0, day, -1)


def transactions_observed(scene: Scene, tables: Mapping[str, pd.DataFrame]) -> list[Observations]:
    """What the order book says of the signals but for when orders came: see `orders_observed`."""
    accounts = scene.accounts
    rows = tables["transactions"]
    rows = rows[(rows["amount"] > 0) & rows["order_id"].str.startswith("S")].drop_duplicates()
    account = pd.Index(accounts.customer_id).get_indexer(pd.Index(rows["customer_id"]))
    day = known_day(scene.span, rows, "ordered_at")
    line = rows["product_line"].str[1:].astype(int).to_numpy() - 1
    margin_class, own = np.divmod(line, LINES_PER_CLASS)
    place = np.argsort(accounts.assortment, axis=2)[account, margin_class, own]
    breadth = accounts.breadth[account, margin_class]
    wide = breadth > 1
    facts = pd.DataFrame({"account": account, "day": day, "order": rows["order_id"].to_numpy()})
    facts["off"] = 1 - rows["amount"].to_numpy() / rows["list_amount"].to_numpy()
    facts["urgent"] = rows["urgent"].to_numpy(dtype=float)
    facts["lines"] = 1.0
    orders = facts.groupby("order", sort=False).agg(
        account=("account", "first"), day=("day", "first"), off=("off", "mean"), urgent=("urgent", "max"),
        lines=("lines", "sum"),
    )  # fmt: skip
    who, when = orders["account"].to_numpy(), orders["day"].to_numpy()
    outer = (place >= (breadth + 1) // 2)[wide].astype(float)
    return [
        Observations("extra_lines", who, when, orders["lines"].to_numpy() - 1),
        Observations("discount", who, when, orders["off"].to_numpy()),
        Observations("urgent", who, when, orders["urgent"].to_numpy()),
        Observations("high_margin", account, day, (margin_class == HIGH).astype(float)),
        Observations("outer_lines", account[wide], day[wide], outer, usual_outer(breadth[wide])),
        Observations("line_amount", account, day, np.log(rows["list_amount"].to_numpy())),
    ]
