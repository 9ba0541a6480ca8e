"""The features of the orders once more, customer by customer in plain pandas: slow, short, and written from their
meaning alone.

The feature engine must agree with it. A sum of money is made of whole ten-thousandths, so that 0 is 0.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

import naive_products
import naive_rhythm
import numpy as np
import pandas as pd
from naive_rows import NAN, between, gross, orders, over

HIGH = 0.35


@dataclass(frozen=True)
class Measure:
    """A quantity of the rows of a window; `kind` says how it is compared with the customer's own past."""

    of: Callable[[pd.DataFrame], float]
    windows: Iterable[int] = (90, 365)
    kind: str = ""
    pseudo: str = "one"


DAYS: dict[str, Measure] = {
    "order_days": Measure(lambda days: len(orders(days)), (30, 60, 90, 180, 365), "flow"),
    "revenue": Measure(lambda days: days["amount"].sum(), (30, 90, 180, 365), "flow", "order"),
    "order_value_mean": Measure(lambda days: orders(days)["amount"].mean(), kind="mean", pseudo="order"),
    "order_value_median": Measure(lambda days: orders(days)["amount"].median(), (365,)),
    "order_value_max": Measure(lambda days: orders(days)["amount"].max(), (365,)),
    "lines_per_order_day": Measure(lambda days: orders(days)["lines"].mean(), kind="mean"),
    "units_per_order_day": Measure(lambda days: orders(days)["units"].mean(), kind="mean"),
    "orders_per_order_day": Measure(lambda days: orders(days)["orders"].mean()),
    "returned": Measure(lambda days: days["returned"].sum(), (30, 90, 180, 365)),
    "return_share": Measure(lambda days: np.minimum(1, over(days["returned"].sum(), gross(days))), kind="level"),
    "return_days": Measure(lambda days: (days["returned"] > 0).sum()),
    "margin_share": Measure(lambda days: over(days["margin"].sum(), days["margin_amount"].sum()), kind="level"),
    "high_margin_share": Measure(
        lambda days: over(days["high_margin"].sum(), days["margin_amount"].sum()), kind="level"
    ),
    "margin": Measure(lambda days: NAN if len(days) and days["margin"].isna().all() else days["margin"].sum()),
    "discount_share": Measure(lambda days: 1 - over(days["listed_amount"].sum(), days["listed"].sum()), kind="level"),
    "urgent_order_share": Measure(lambda days: over(days["urgent"].sum(), days["urgency_known"].sum()), kind="level"),
    "active_months": Measure(lambda days: ((orders(days)["ago"] - 1) // 30).nunique(), (365,)),
}
LARGE = {"large_orders": Measure(lambda days: days["large"].sum() if len(days) else 0, (90,), "flow")}
DUE = {
    "filled_line_share": Measure(lambda due: over(due["filled"].sum(), len(due)), kind="level"),
    "late_line_share": Measure(lambda due: over(due["late"].sum(), len(due)), (90,), "level"),
    "short_line_share": Measure(lambda due: over(due["short"].sum(), len(due)), (90,), "level"),
    "longest_delay_days": Measure(lambda due: max(0, due["delay"].max()) if len(due) else NAN, (90,)),
}
PROMISED = {"short_lead_line_share": Measure(lambda rows: over((rows["lead"] < 3).sum(), len(rows)), (90,), "level")}
#: What is compared with the same of the segment, and how; every `_vs_usual` of a baseline is, too.
PEERS = {
    "last_3_gaps_vs_usual": "ratio",
    "days_since_last_order_vs_median_gap": "ratio",
    "days_since_last_order_vs_q90_gap": "ratio",
    "overdue_product_line_revenue_share": "difference",
    "discount_share_365d": "difference",
} | {
    f"{name}_90d_vs_usual": "difference" if measure.kind == "level" else "ratio"
    for name, measure in (DAYS | LARGE | DUE | PROMISED).items()
    if measure.kind
}


def naive_features(lines: pd.DataFrame, visible_at: pd.Series, as_of: date) -> pd.DataFrame:
    """The features of every customer known at one cutoff, by customer; no customer has a segment."""
    seen = lines[visible_at < pd.Timestamp(as_of)].assign(visible_at=visible_at)
    found = {customer: of_customer(own, as_of) for customer, own in seen.groupby("customer_id")}
    return beside_peers(pd.DataFrame(found).T.astype("float64"))


def of_customer(own: pd.DataFrame, as_of: date) -> dict[str, float]:
    days = order_days(own, as_of)
    due, promised = naive_products.deliveries(own, as_of)
    found = {"order_value_mean_ever": orders(days)["amount"].mean(), "revenue_ever": days["amount"].sum()}
    history = max(orders(days)["ago"], default=0)
    value = max(0, np.nan_to_num(found["order_value_mean_ever"]))
    for rows, measures in ((days, DAYS), (large(days), LARGE), (due, DUE), (promised, PROMISED)):
        for name, measure in measures.items():
            found |= views(name, measure, rows, history, value if measure.pseudo == "order" else 1)
    if large(days)["large"].isna().all():
        found |= {name: NAN for name in found if name.startswith("large_orders")}
    found |= values(days, found)
    found |= naive_rhythm.rhythm(days, found) | naive_rhythm.steps(days) | naive_rhythm.season(days, found, as_of)
    return found | naive_products.things(own, as_of, found) | naive_products.counts(own, due, as_of)


def order_days(own: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """One row per day: everything that is booked under the orders of the day, in money of whole ten-thousandths."""
    exact = {name: (own[name] * 10_000).round() for name in ("amount", "margin", "list_amount")}
    line = own.assign(**exact, day=own["ordered_at"].dt.normalize())
    line["returned"] = -line["amount"].clip(upper=0)
    line["margin_amount"] = line["amount"].where(line["margin"].notna())
    high = (line["amount"] > 0) & (line["margin"] >= HIGH * line["amount"])
    line["high_margin"] = line["amount"].where(high, 0).where(line["margin"].notna())
    line["listed_amount"] = line["amount"].where(line["list_amount"].notna())
    order = line.groupby("order_id").agg(
        day=("day", "min"),
        amount=("amount", "sum"),
        returned=("returned", "sum"),
        lines=("amount", "size"),
        units=("quantity", total),
        margin=("margin", total),
        margin_amount=("margin_amount", total),
        high_margin=("high_margin", total),
        listed=("list_amount", total),
        listed_amount=("listed_amount", total),
        rush=("urgent", lambda flags: NAN if flags.isna().all() else float(flags.dropna().any())),
    )
    order["orders"] = (order["amount"] > 0).astype(int)
    order["urgent"] = order["rush"].where(order["amount"] > 0)
    order["urgency_known"] = order["urgent"].notna().astype(int)
    day = order.drop(columns="rush").groupby("day").agg(total).sort_index(ascending=False).reset_index()
    money = ["amount", "returned", "margin", "margin_amount", "high_margin", "listed", "listed_amount"]
    return day.assign(ago=(pd.Timestamp(as_of) - day["day"]).dt.days, **{name: day[name] / 10_000 for name in money})


def total(values: pd.Series) -> float:
    return values.sum(min_count=1)


def large(days: pd.DataFrame) -> pd.DataFrame:
    """Order days with a flag for those of a value that eight of ten in the year before the last 90 days stay below."""
    held = orders(between(days, 1, 455))
    from_value = between(held, 91, 455)["amount"].quantile(0.8)
    return held.assign(large=(held["amount"] >= from_value).astype(float) if from_value == from_value else NAN)


def views(name: str, measure: Measure, rows: pd.DataFrame, history: float, pseudo: float) -> dict[str, float]:
    """The quantity in its windows, and its last 90 days against the customer's own year before."""
    found = {f"{name}_{days}d": float(measure.of(between(rows, 1, days))) for days in measure.windows}
    if not measure.kind:
        return found
    recent, span = found[f"{name}_90d"], min(365, history - 90)
    usual = float(measure.of(between(rows, 91, 455))) if span >= 60 else NAN
    usual *= 90 / span if measure.kind == "flow" and span >= 60 else 1
    against = recent - usual if measure.kind == "level" else ratio(recent, usual, pseudo)
    earlier = [
        float(measure.of(between(rows, 90 * k + 1, 90 * k + 90))) for k in range(1, 5) if history >= 90 * (k + 1)
    ]
    found |= {f"{name}_90d_usual": usual, f"{name}_90d_vs_usual": against}
    return found | {f"{name}_90d_z": robust_z(recent, earlier, measure.kind, pseudo)}


def robust_z(recent: float, earlier: list[float], kind: str, one: float) -> float:
    """Deviation from the median of earlier windows; their variance weighs as many windows as there are, chance 4."""
    known = [value for value in earlier if not math.isnan(value)]
    if len(known) < 2:
        return NAN
    centre = np.median(known)
    spread = 1.4826 * np.median(np.abs(np.array(known) - centre))
    chance = {"flow": one * max(centre, one), "mean": (max(centre, one) / 2) ** 2, "level": 0.1**2}[kind]
    variance = (len(known) * spread**2 + 4 * chance) / (len(known) + 4)
    return (recent - centre) / math.sqrt(variance) if variance else NAN


def ratio(recent: float, usual: float, pseudo: float) -> float:
    if math.isnan(recent) or math.isnan(usual):
        return NAN
    return over(max(recent, 0) + pseudo, max(usual, 0) + pseudo)


def values(days: pd.DataFrame, found: dict[str, float]) -> dict[str, float]:
    pseudo = max(0, np.nan_to_num(found["order_value_mean_ever"]))
    newest = orders(days)["amount"].iloc[0] if len(orders(days)) else NAN
    prior = between(days, 91, 180)["amount"].sum()
    month_before = between(days, 31, 60)["amount"].sum()
    returns = days.loc[days["returned"] > 0, "ago"]
    held = large(days)
    large_before = between(held, 91, 180)["large"].sum()
    usual, share = found["revenue_90d_usual"], found["high_margin_share_90d_vs_usual"]
    unchanged = float(abs(found["revenue_90d"] - usual) <= 0.1 * usual) if usual > 0 else NAN
    fast, slow = (naive_rhythm.faded(orders(days), "amount", half_life) for half_life in (60, 365))
    return {
        "revenue_prior_90d": prior,
        "revenue_90d_vs_prior_90d": ratio(found["revenue_90d"], prior, pseudo),
        "revenue_30d_vs_90d": ratio(found["revenue_30d"], found["revenue_90d"] / 3, pseudo),
        "revenue_monthly_mean_90d": found["revenue_90d"] / 3,
        "revenue_drop_share_30d": 1 - found["revenue_30d"] / month_before if month_before > 0 else NAN,
        "revenue_90d_unchanged": unchanged,
        "revenue_recent_half_share_365d": over(gross(between(days, 1, 182)), gross(between(days, 1, 365))),
        "last_order_value": newest,
        "last_order_value_vs_usual": newest / found["order_value_mean_ever"],
        "order_value_mean_90d_vs_ever": found["order_value_mean_90d"] / found["order_value_mean_ever"],
        "order_value_slope_365d": slope(orders(between(days, 1, 365))),
        "order_value_fast_vs_slow": fast / slow if slow > 0 else NAN,
        "large_orders_90d_change": over(found["large_orders_90d"], large_before) - 1,
        "days_since_last_return": returns.min() if len(returns) else NAN,
        "high_margin_share_90d_change": over(found["high_margin_share_90d"], found["high_margin_share_90d_usual"]) - 1,
        "high_margin_share_drop_at_same_revenue": unchanged * max(0, -share) if share == share else NAN,
    }


def slope(days: pd.DataFrame) -> float:
    """Change of the order value per 90 days, by least squares, as a share of its mean."""
    if len(days) < 3 or days["amount"].sum() <= 0:
        return NAN
    return -90 * np.polyfit(days["ago"].astype(float), days["amount"], 1)[0] / days["amount"].mean()


def beside_peers(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with what compares customers: all eligible ones are the peers of each."""
    eligible = frame[(frame["order_days_ever"] >= 2) & (frame["days_since_last_order"] <= 365)]
    if eligible.empty:
        eligible = frame.head(0)
    found = {}
    for name, how in PEERS.items():
        median = eligible[name].median()
        against = frame[name] - median if how == "difference" else frame[name] / (median or NAN)
        found[f"{name.removesuffix('_vs_usual')}_vs_peers"] = against
    mean = eligible["revenue_365d"].sum() / len(eligible) if len(eligible) else NAN
    found["revenue_365d_vs_segment"] = frame["revenue_365d"] / mean if mean > 0 else frame["revenue_365d"] * NAN
    usual_value = eligible["order_value_mean_ever"].median()
    alone = (frame["order_days_ever"] == 1) & (frame["days_since_first_order"] >= 60)
    small = alone & (frame["order_value_mean_ever"] < 0.5 * usual_value)
    known = frame["order_value_mean_ever"].notna() & (usual_value == usual_value)
    found["small_first_order_alone"] = small.astype(float).where(known)
    return frame.assign(**found, **naive_rhythm.season_of_peers(frame, eligible))
