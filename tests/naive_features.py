"""The features once more, customer by customer in plain pandas: slow, short, and written from their meaning alone.

The feature engine must agree with it. A sum of money is made of whole ten-thousandths, so that 0 is 0.
"""

import math
from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd

NAN = math.nan
HIGH = 0.35
#: What each feature that comes in windows does with the days of one of them.
MEASURES: dict[str, Callable[[pd.DataFrame], float]] = {
    "order_days": lambda days: len(orders(days)),
    "revenue": lambda days: days["amount"].sum(),
    "order_value_mean": lambda days: orders(days)["amount"].mean(),
    "order_value_median": lambda days: orders(days)["amount"].median(),
    "order_value_max": lambda days: orders(days)["amount"].max(),
    "lines_per_order_day": lambda days: orders(days)["lines"].mean(),
    "units_per_order_day": lambda days: orders(days)["units"].mean(),
    "orders_per_order_day": lambda days: orders(days)["orders"].mean(),
    "returned": lambda days: days["returned"].sum(),
    "return_share": lambda days: np.minimum(1, over(days["returned"].sum(), gross(days))),
    "return_days": lambda days: (days["returned"] > 0).sum(),
    "margin_share": lambda days: over(days["margin"].sum(), days["margin_amount"].sum()),
    "high_margin_share": lambda days: over(days["high_margin"].sum(), days["margin_amount"].sum()),
    "margin": lambda days: NAN if len(days) and days["margin"].isna().all() else days["margin"].sum(),
    "discount_share": lambda days: 1 - over(days["listed_amount"].sum(), days["listed"].sum()),
    "urgent_order_share": lambda days: over(days["urgent"].sum(), days["urgency_known"].sum()),
    "active_months": lambda days: ((orders(days)["ago"] - 1) // 30).nunique(),
}
WINDOWS = {
    "order_days": (30, 60, 90, 180, 365),
    "revenue": (30, 90, 180, 365),
    "returned": (30, 90, 180, 365),
    "order_value_median": (365,),
    "order_value_max": (365,),
    "active_months": (365,),
}
FLOWS = {"order_days", "revenue"}
MEANS = {"order_value_mean", "lines_per_order_day", "units_per_order_day"}
SHARES = {"return_share", "margin_share", "high_margin_share", "discount_share", "urgent_order_share"}
PRODUCT_LINES = {
    "product_lines_90d",
    "product_lines_365d",
    "product_lines_90d_usual",
    "product_lines_90d_vs_usual",
    "product_line_concentration_365d",
}


def over(part: float, whole: float) -> float:
    return part / whole if whole else NAN


def orders(days: pd.DataFrame) -> pd.DataFrame:
    return days[days["orders"] > 0]


def gross(days: pd.DataFrame) -> float:
    return days["amount"].sum() + days["returned"].sum()


def between(days: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    return days[days["ago"].between(first, last)]


def naive_features(lines: pd.DataFrame, visible_at: pd.Series, as_of: date) -> pd.DataFrame:
    """The features of every customer known at one cutoff, by customer."""
    seen = lines[visible_at < pd.Timestamp(as_of)]
    return pd.DataFrame({customer: of_customer(own, as_of) for customer, own in seen.groupby("customer_id")}).T


def of_customer(own: pd.DataFrame, as_of: date) -> dict[str, float]:
    days = order_days(own, as_of)
    found = {"order_value_mean_ever": orders(days)["amount"].mean(), "revenue_ever": days["amount"].sum()}
    found |= windows(days, max(0, np.nan_to_num(found["order_value_mean_ever"])))
    found |= rhythm(days, found) | values(days, found) | season(days, found)
    products = breadth(own, as_of, "product_id", "product")
    product_lines = breadth(own, as_of, "product_line", "product_line")
    found["lapsed_revenue_share_90d"] = products.pop("lapsed_product_revenue_share_90d")
    found["products_per_order_day_365d"] = over(products["products_365d"], found["order_days_365d"])
    return found | products | {name: value for name, value in product_lines.items() if name in PRODUCT_LINES}


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


def windows(days: pd.DataFrame, order_value: float) -> dict[str, float]:
    found = {
        f"{name}_{days_back}d": float(measure(between(days, 1, days_back)))
        for name, measure in MEASURES.items()
        for days_back in WINDOWS.get(name, (90, 365))
    }
    span = min(365, max(orders(days)["ago"], default=0) - 90)
    for name in FLOWS | MEANS | SHARES:
        usual = float(MEASURES[name](between(days, 91, 455))) if span >= 60 else NAN
        usual *= 90 / span if name in FLOWS and span >= 60 else 1
        recent = found[f"{name}_90d"]
        pseudo = order_value if name in ("revenue", "order_value_mean") else 1
        found[f"{name}_90d_usual"] = usual
        found[f"{name}_90d_vs_usual"] = recent - usual if name in SHARES else ratio(recent, usual, pseudo)
    return found


def ratio(recent: float, usual: float, pseudo: float) -> float:
    if math.isnan(recent) or math.isnan(usual):
        return NAN
    return over(max(recent, 0) + pseudo, max(usual, 0) + pseudo)


def rhythm(days: pd.DataFrame, found: dict[str, float]) -> dict[str, float]:
    agos = orders(days)["ago"].tolist()
    gaps = pd.Series(np.diff(agos), dtype=float)
    last, first = (agos[0], agos[-1]) if agos else (NAN, NAN)
    rate = 90 * len(agos) / max(first, 30)
    mean, sd, newest, older = gaps.mean(), gaps.std(), gaps[:3].mean(), gaps[3:].mean()
    newest_gap = gaps[0] if len(gaps) else NAN
    return {
        "days_since_last_order": last,
        "days_since_first_order": first,
        "order_days_ever": len(agos),
        "order_days_prior_90d": len(orders(between(days, 91, 180))),
        "order_days_90d_vs_prior_90d": (found["order_days_90d"] + 1) / (len(orders(between(days, 91, 180))) + 1),
        "order_days_per_90d_ever": rate,
        "order_days_90d_vs_ever": (found["order_days_90d"] + 1) / (rate + 1),
        "gap_mean_days_ever": mean,
        "gap_median_days_ever": gaps.median(),
        "gap_q90_days_ever": gaps.quantile(0.9),
        "gap_max_days_ever": gaps.max(),
        "gap_sd_days_ever": sd,
        "gap_cv_ever": sd / mean,
        "gap_log_mean_ever": np.log(gaps).mean(),
        "last_gap_days": newest_gap,
        "last_3_gaps_mean_days": newest,
        "gap_before_last_3_mean_days": older,
        "last_3_gaps_vs_usual": (newest + 7) / (older + 7),
        "last_gap_vs_usual": (newest_gap + 7) / (mean + 7),
        "days_since_last_order_vs_median_gap": last / gaps.median(),
        "days_since_last_order_vs_mean_gap": last / mean,
        "days_since_last_order_vs_q90_gap": last / gaps.quantile(0.9),
        "days_since_last_order_vs_max_gap": last / gaps.max(),
        "days_since_last_order_z": (last - mean) / (sd if math.isnan(sd) else max(sd, 3)),
        "days_since_last_order_vs_tenure": last / first,
    }


def values(days: pd.DataFrame, found: dict[str, float]) -> dict[str, float]:
    pseudo = max(0, np.nan_to_num(found["order_value_mean_ever"]))
    newest = orders(days)["amount"].iloc[0] if len(orders(days)) else NAN
    prior = between(days, 91, 180)["amount"].sum()
    returns = days.loc[days["returned"] > 0, "ago"]
    return {
        "revenue_prior_90d": prior,
        "revenue_90d_vs_prior_90d": ratio(found["revenue_90d"], prior, pseudo),
        "revenue_30d_vs_90d": ratio(found["revenue_30d"], found["revenue_90d"] / 3, pseudo),
        "revenue_recent_half_share_365d": over(gross(between(days, 1, 182)), gross(between(days, 1, 365))),
        "last_order_value": newest,
        "last_order_value_vs_usual": newest / found["order_value_mean_ever"],
        "order_value_mean_90d_vs_ever": found["order_value_mean_90d"] / found["order_value_mean_ever"],
        "days_since_last_return": returns.min() if len(returns) else NAN,
    }


def season(days: pd.DataFrame, found: dict[str, float]) -> dict[str, float]:
    oldest = max(orders(days)["ago"], default=0)
    ahead = len(orders(between(days, 276, 365))) if oldest > 275 else NAN
    same = len(orders(between(days, 366, 455))) if oldest > 365 else NAN
    year = gross(between(days, 1, 365))
    quarters = [gross(between(days, first, first + 90)) for first in (1, 92, 183, 274)]
    return {
        "order_days_next_90d_last_year": ahead,
        "order_days_same_90d_last_year": same,
        "order_days_90d_vs_last_year": (found["order_days_90d"] + 1) / (same + 1),
        "season_ahead_vs_season_past": (ahead + 1) / (same + 1),
        "revenue_next_90d_last_year_share": over(gross(between(days, 276, 365)), year) if oldest > 275 else NAN,
        "busiest_quarter_share_365d": over(max(quarters), sum(quarters)),
    }


def breadth(own: pd.DataFrame, as_of: date, column: str, thing: str) -> dict[str, float]:
    """What was bought: a thing counts on a day on which what is known of it nets to more than 0."""
    ago = (pd.Timestamp(as_of) - own["ordered_at"].dt.normalize()).dt.days
    named = own.assign(ago=ago, amount=(own["amount"] * 10_000).round())[own[column].notna() & (ago <= 455)]
    net = named.groupby(["product_id", "product_line", "ago"], dropna=False)["amount"].sum().reset_index()
    bought = net[net["amount"] > 0]
    newest, oldest = bought.groupby(column)["ago"].min(), bought.groupby(column)["ago"].max()
    quarters = [set(between(bought, 90 * quarter + 1, 90 * quarter + 90)[column]) for quarter in range(5)]
    again = [name for name in newest.index if sum(name in quarter for quarter in quarters[:4]) > 1]
    year, before = (between(net, *reach).groupby(column)["amount"].sum() for reach in ((1, 365), (91, 455)))
    year, earned = year.clip(lower=0), before[before > 0]
    days_before = between(bought, 91, 455).groupby(column)["ago"].nunique()
    regular = days_before[days_before >= 2].index
    usual = over(sum(len(quarter) for quarter in quarters[1:]), sum(1 for quarter in quarters[1:] if quarter))
    found = {
        f"{thing}s_30d": (newest <= 30).sum(),
        f"{thing}s_90d": (newest <= 90).sum(),
        f"{thing}s_365d": (newest <= 365).sum(),
        f"{thing}s_90d_usual": usual,
        f"{thing}s_90d_vs_usual": ((newest <= 90).sum() + 1) / (usual + 1),
        f"new_{thing}s_90d": (oldest <= 90).sum(),
        f"repeat_{thing}_share_365d": over(len(again), (newest <= 365).sum()),
        f"lapsed_{thing}_share_90d": over((newest[regular] > 90).sum(), len(regular)),
        f"lapsed_{thing}_revenue_share_90d": over(earned[newest[earned.index] > 90].sum(), earned.sum()),
        f"top_{thing}_share_365d": over(year.max(), year.sum()),
        f"{thing}_concentration_365d": over((year**2).sum(), year.sum() ** 2),
    }
    return {name: float(value) if len(named) else NAN for name, value in found.items()}
