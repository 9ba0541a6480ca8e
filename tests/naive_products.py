"""What one customer bought, tried and was delivered, in plain pandas."""

import math
from datetime import date

import numpy as np
import pandas as pd
from naive_rows import NAN, between, over

PRODUCT_LINES = {
    "product_lines_90d",
    "product_lines_365d",
    "product_lines_90d_usual",
    "product_lines_90d_vs_usual",
    "product_lines_90d_change",
    "product_line_concentration_365d",
    "product_line_concentration_90d",
    "product_line_concentration_90d_usual",
    "product_line_concentration_90d_vs_usual",
    "overdue_product_lines",
    "overdue_product_line_share",
    "overdue_product_line_revenue_365d",
    "overdue_product_line_revenue_share",
    "strongest_product_line_cycles",
    "most_overdue_main_product_line_cycles",
}
ONLY_LINES = ("change", "concentration_90d", "overdue_product_revenue_365d", "strongest", "most_overdue")


def things(own: pd.DataFrame, as_of: date, found: dict[str, float]) -> dict[str, float]:
    products = bought(own, as_of, ["product_id", "product_line"], "product_id", "product")
    lines = bought(own, as_of, ["product_line"], "product_line", "product_line")
    products["lapsed_revenue_share_90d"] = products.pop("lapsed_product_revenue_share_90d")
    products["products_per_order_day_365d"] = over(products["products_365d"], found["order_days_365d"])
    on_time, lapsed = found["days_since_last_order_vs_median_gap"], products["overdue_product_revenue_share"]
    products["switched_product_revenue_share"] = NAN if math.isnan(on_time + lapsed) else lapsed * (on_time <= 2)
    products |= prices(own, as_of)
    products["volume_effect_90d"] = found["revenue_90d"] - found["revenue_90d_usual"] - products["price_effect_90d"]
    kept = {name: value for name, value in products.items() if not any(part in name for part in ONLY_LINES)}
    return kept | {name: value for name, value in lines.items() if name in PRODUCT_LINES}


def bought(own: pd.DataFrame, as_of: date, together: list[str], column: str, thing: str) -> dict[str, float]:
    """What was bought: a thing counts on a day on which what is known of it nets to more than 0."""
    ago = (pd.Timestamp(as_of) - own["ordered_at"].dt.normalize()).dt.days
    named = own.assign(ago=ago, amount=(own["amount"] * 10_000).round())[own[column].notna() & (ago <= 455)]
    net = named.groupby([*together, "ago"], dropna=False)["amount"].sum().reset_index()
    got = net[net["amount"] > 0]
    newest, oldest = got.groupby(column)["ago"].min(), got.groupby(column)["ago"].max()
    quarters = [set(between(got, 90 * quarter + 1, 90 * quarter + 90)[column]) for quarter in range(5)]
    again = [name for name in newest.index if sum(name in quarter for quarter in quarters[:4]) > 1]
    year, before = (between(net, *reach).groupby(column)["amount"].sum() for reach in ((1, 365), (91, 455)))
    year, earned = year.reindex(net[column].unique(), fill_value=0), before[before > 0]
    days_before = between(got, 91, 455).groupby(column)["ago"].nunique()
    regular = days_before[days_before >= 2].index
    usual = over(sum(len(quarter) for quarter in quarters[1:]), sum(1 for quarter in quarters[1:] if quarter))
    narrow = [herfindahl(between(net, 90 * q + 1, 90 * q + 90).groupby(column)["amount"].sum()) for q in range(5)]
    usual_narrow = np.mean([value for value in narrow[1:] if value == value] or [NAN])
    found = {
        f"{thing}s_30d": (newest <= 30).sum(),
        f"{thing}s_90d": (newest <= 90).sum(),
        f"{thing}s_365d": (newest <= 365).sum(),
        f"{thing}s_90d_usual": usual,
        f"{thing}s_90d_vs_usual": ((newest <= 90).sum() + 1) / (usual + 1),
        f"{thing}s_90d_change": over((newest <= 90).sum(), usual) - 1,
        f"new_{thing}s_90d": (oldest <= 90).sum(),
        f"repeat_{thing}_share_365d": over(len(again), (newest <= 365).sum()),
        f"lapsed_{thing}_share_90d": over((newest[regular] > 90).sum(), len(regular)),
        f"lapsed_{thing}_revenue_share_90d": over(earned[newest[earned.index] > 90].sum(), earned.sum()),
        f"top_{thing}_share_365d": over(year.max(), year.clip(lower=0).sum()),
        f"{thing}_concentration_365d": herfindahl(year),
        f"{thing}_concentration_90d": narrow[0],
        f"{thing}_concentration_90d_usual": usual_narrow,
        f"{thing}_concentration_90d_vs_usual": narrow[0] - usual_narrow,
    } | clocks(got, year, column, thing)
    return {name: float(value) if len(named) else NAN for name, value in found.items()}


def herfindahl(amounts: pd.Series) -> float:
    earned = amounts.clip(lower=0)
    return over((earned**2).sum(), earned.sum() ** 2)


def clocks(got: pd.DataFrame, year: pd.Series, column: str, thing: str) -> dict[str, float]:
    """How overdue each thing is by the median of the days between the days on which it was bought, from 3 on."""
    days = {name: sorted(set(rows["ago"])) for name, rows in got.groupby(column)}
    cycle = {name: days[name][0] / np.median(np.diff(days[name])) for name in days if len(days[name]) >= 3}
    overdue = [name for name, cycles in cycle.items() if cycles > 2]
    main = sorted(cycle, key=lambda name: (year[name], name), reverse=True)
    lapsed = year.clip(lower=0)[overdue].sum()
    return {
        f"overdue_{thing}s": len(overdue),
        f"overdue_{thing}_share": over(len(overdue), len(cycle)),
        f"overdue_{thing}_revenue_365d": lapsed / 10_000,
        f"overdue_{thing}_revenue_share": over(lapsed, year.clip(lower=0).sum()),
        f"strongest_{thing}_cycles": cycle[main[0]] if main else NAN,
        f"most_overdue_main_{thing}_cycles": max((cycle[name] for name in main[:3]), default=NAN),
    }


def prices(own: pd.DataFrame, as_of: date) -> dict[str, float]:
    """What the units of the last 90 days cost against what they would have cost before, in cents by product."""
    ago = (pd.Timestamp(as_of) - own["ordered_at"].dt.normalize()).dt.days
    known = own.assign(ago=ago, exact=(own["amount"] * 10_000).round())[own["quantity"].notna()]
    sums = [
        known[ago[known.index].between(*reach)].groupby("product_id")[["quantity", "exact"]].sum()
        for reach in ((1, 90), (91, 455))
    ]
    both = sums[0].join(sums[1], how="inner", suffixes=("", "_before"))
    both = both[(both > 0).all(axis=1)]
    cost = 100 * both["quantity"] * (both["exact_before"] / 10_000) / both["quantity_before"]
    then, now = np.floor(cost + 0.5).sum(), np.floor(both["exact"] / 100 + 0.5).sum()
    return {"price_90d_vs_usual": over(now, then), "price_effect_90d": (now - then) / 100 if len(both) else NAN}


def deliveries(own: pd.DataFrame, as_of: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Promised lines that still stand: those due by now, aged by the day of the promise; and all, by the order's."""
    day, cut = own["ordered_at"].dt.normalize(), pd.Timestamp(as_of)
    promised, arrived = own["promised_at"].dt.normalize(), own["delivered_at"].dt.normalize()
    arrived = arrived.where(arrived < cut)
    line = pd.DataFrame(
        {
            "ago": (cut - day).dt.days,
            "due": (cut - promised).dt.days,
            "lead": (promised - day).dt.days,
            "open": arrived.isna(),
            "late": ~(arrived <= promised),
            "short": (own["delivered_quantity"] < own["quantity"]) & arrived.notna(),
            "delay": (arrived.fillna(cut) - promised).dt.days,
        }
    )
    line["filled"] = ~line["late"] & ~line["short"]
    line = line[(own["amount"] > 0) & promised.notna() & ~cancelled(own, arrived)]
    due = line[line["due"].between(1, 455) & (line["ago"] <= 455 + 180)]
    return due.assign(ago=due["due"]), between(line, 1, 455)


def cancelled(own: pd.DataFrame, arrived: pd.Series) -> pd.Series:
    """Lines that were taken back whole, under the same order and product, before they arrived."""
    gone = pd.Series(False, index=own.index)
    credited = own[own["order_id"].isin(own.loc[own["amount"] < 0, "order_id"])]
    for _, rows in credited.groupby(["order_id", "product_id"], dropna=False):
        for moment in sorted(rows["visible_at"].dt.normalize().unique()):
            known = rows[rows["visible_at"].dt.normalize() <= moment]
            if known["amount"].gt(0).any() and round(known["amount"].sum(), 4) <= 0:
                credit = known.loc[known["amount"] < 0, "ordered_at"].max().normalize()
                gone[rows.index] = ~(arrived[rows.index] <= credit)
                break
    return gone


def counts(own: pd.DataFrame, due: pd.DataFrame, as_of: date) -> dict[str, float]:
    ago = (pd.Timestamp(as_of) - own["ordered_at"].dt.normalize()).dt.days
    failed = 0
    trial, value = own["trial"].fillna(False).astype(bool), (own["amount"] * 10_000).round()
    for _, rows in value[ago <= 455].groupby(own["product_id"], dropna=False):
        tried = rows[trial].groupby(ago).sum()
        tried = tried[tried > 0]
        if len(tried) and tried.index.min() >= 60:
            after = rows.groupby(ago).sum()
            failed += not (after[after.index < tried.index.min()] >= tried.iloc[0]).any()
    return {"undelivered_lines": due["open"].sum(), "trials_without_follow_up": failed}
