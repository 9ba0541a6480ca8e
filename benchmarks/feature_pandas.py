"""A part of the benchmark's features in plain pandas: one cutoff at a time, filtered and grouped anew each time.

How most people write features first. Without versions each cutoff goes through all lines again.
"""

import numpy as np
import pandas as pd

WINDOWS = (30, 60, 90, 180, 365)
_LISTED = """
days_since_first_order days_since_last_order days_since_last_order_vs_max_gap days_since_last_order_vs_mean_gap
days_since_last_order_vs_median_gap days_since_last_order_vs_q90_gap gap_before_last_3_mean_days gap_cv_ever
gap_max_days_ever gap_mean_days_ever gap_median_days_ever gap_q90_days_ever gap_sd_days_ever last_3_gaps_mean_days
last_gap_days lines_per_order_day_365d lines_per_order_day_90d lines_per_order_day_90d_usual
lines_per_order_day_90d_vs_usual margin_share_365d margin_share_90d margin_share_90d_usual margin_share_90d_vs_usual
new_products_90d order_days_180d order_days_30d order_days_365d order_days_60d order_days_90d order_days_90d_usual
order_days_90d_vs_usual order_days_ever order_value_mean_365d order_value_mean_90d order_value_mean_90d_usual
order_value_mean_90d_vs_usual order_value_mean_ever product_concentration_365d products_30d products_365d
products_90d products_per_order_day_365d return_share_365d return_share_90d return_share_90d_usual
return_share_90d_vs_usual returned_180d returned_30d returned_365d returned_90d revenue_180d revenue_30d
revenue_365d revenue_90d revenue_90d_usual revenue_90d_vs_usual revenue_ever units_per_order_day_365d
units_per_order_day_90d units_per_order_day_90d_usual units_per_order_day_90d_vs_usual
"""
#: What is computed here of the list.
NAMES = tuple(_LISTED.split())
MONEY = ("amount", "returned", "units", "margin", "margin_amount")


def features_at(lines: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Features of every customer known at a cutoff.

    Parameters
    ----------
    lines
        Clean order lines: ``customer_id``, ``order_id``, ``ordered_at``, ``known_at``, ``product_id`` and the numbers
        ``amount``, ``quantity``, ``margin``.

    Returns
    -------
    DataFrame
        ``customer_id``, ``as_of`` and the features, named as the product names them.
    """
    later = lines["ordered_at"].where(lines["ordered_at"] > lines["known_at"], lines["known_at"])
    seen = lines[later < as_of]
    days = _days(seen, as_of)
    found = pd.concat([_orders(days), _gaps(days), _products(seen, as_of)], axis=1).reindex(
        days["customer_id"].unique()
    )
    return _derived(found).rename_axis("customer_id").reset_index().assign(as_of=as_of)


def _days(seen: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """One row per customer and day, net of everything booked under the day's orders."""
    line = seen.assign(
        day=seen["ordered_at"].dt.normalize(),
        returned=-seen["amount"].clip(upper=0),
        margin_amount=seen["amount"].where(seen["margin"].notna()),
        units=seen["quantity"],
        lines=1,
    )
    sums = dict.fromkeys((*MONEY, "lines"), "sum")
    order = line.groupby(["customer_id", "order_id"]).agg({"day": "min", **sums})
    order["amount"] = order["amount"].round(4)  # sums of floats: what was taken back is not exactly 0
    order["orders"] = (order["amount"] > 0).astype("int64")
    day = order.groupby(["customer_id", "day"])[[*MONEY, "lines", "orders"]].sum().reset_index()
    return day.assign(ago=(as_of - day["day"]).dt.days, bought=day["orders"] > 0)


def _orders(days: pd.DataFrame) -> pd.DataFrame:
    found = {}
    orders = days[days["bought"]]
    by_customer = orders.groupby("customer_id")
    found["days_since_last_order"] = by_customer["ago"].min()
    found["days_since_first_order"] = by_customer["ago"].max()
    found["order_days_ever"] = by_customer.size()
    found["order_value_mean_ever"] = by_customer["amount"].mean()
    found["revenue_ever"] = days.groupby("customer_id")["amount"].sum()
    for window in WINDOWS:
        within = orders[orders["ago"] <= window].groupby("customer_id")
        found[f"order_days_{window}d"] = within.size()
        if window != 60:
            recent = days[days["ago"] <= window].groupby("customer_id")
            found[f"revenue_{window}d"] = recent["amount"].sum()
            found[f"returned_{window}d"] = recent["returned"].sum()
    spans = {name: days["ago"] <= int(name[:-1]) for name in ("90d", "365d")}
    spans["90d_before"] = days["ago"].between(91, 455)
    for name, inside in spans.items():
        part, own = days[inside].groupby("customer_id"), days[inside & days["bought"]].groupby("customer_id")
        found[f"order_value_mean_{name}"] = own["amount"].mean()
        found[f"lines_per_order_day_{name}"] = own["lines"].mean()
        found[f"units_per_order_day_{name}"] = own["units"].mean()
        total = part[list(MONEY)].sum()
        gross = (total["amount"] + total["returned"]).round(4)
        found[f"return_share_{name}"] = (total["returned"] / gross.where(gross > 0)).clip(upper=1)
        earned = total["margin_amount"].round(4)
        found[f"margin_share_{name}"] = total["margin"] / earned.where(earned != 0)
        found[f"_order_days_{name}"], found[f"_revenue_{name}"] = own.size(), total["amount"]
    columns = pd.DataFrame(found).reindex(days["customer_id"].unique())
    counts = [name for name in columns if name.lstrip("_").startswith(("order_days_", "revenue_", "returned_"))]
    return columns.assign(**{name: columns[name].fillna(0) for name in counts})


def _gaps(days: pd.DataFrame) -> pd.DataFrame:
    orders = days[days["bought"]].sort_values(["customer_id", "ago"])
    gaps = (orders.groupby("customer_id")["ago"].shift(-1) - orders["ago"]).dropna()
    place = gaps.groupby(orders["customer_id"]).cumcount()
    by_customer = gaps.groupby(orders["customer_id"].loc[gaps.index])
    found = {f"gap_{name}_days_ever": getattr(by_customer, name)() for name in ("mean", "median", "max")}
    found["gap_q90_days_ever"] = by_customer.quantile(0.9)
    found["gap_sd_days_ever"] = by_customer.std()
    found["last_gap_days"] = by_customer.first()
    for name, part in {
        "last_3_gaps_mean_days": gaps[place < 3],
        "gap_before_last_3_mean_days": gaps[place >= 3],
    }.items():
        found[name] = part.groupby(orders["customer_id"].loc[part.index]).mean()
    return pd.DataFrame(found)


def _products(seen: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    day = seen["ordered_at"].dt.normalize()
    bought = seen.groupby(["customer_id", "product_id", day])["amount"].sum().round(4).reset_index()
    bought["ago"] = (as_of - bought["ordered_at"]).dt.days
    bought = bought[bought["ago"] <= 455]
    kept = bought[bought["amount"] > 0].groupby(["customer_id", "product_id"])["ago"].agg(["min", "max"])
    year = bought[bought["ago"] <= 365].groupby(["customer_id", "product_id"])["amount"].sum().clip(lower=0)
    found = {}
    for window in (30, 90, 365):
        found[f"products_{window}d"] = kept[kept["min"] <= window].groupby("customer_id").size()
    found["new_products_90d"] = kept[kept["max"] <= 90].groupby("customer_id").size()
    whole = year.groupby("customer_id").sum()
    found["product_concentration_365d"] = (year**2).groupby("customer_id").sum() / whole.where(whole > 0) ** 2
    columns = pd.DataFrame(found).reindex(bought["customer_id"].unique())
    counts = [name for name in columns if name != "product_concentration_365d"]
    return columns.assign(**{name: columns[name].fillna(0) for name in counts})


def _derived(found: pd.DataFrame) -> pd.DataFrame:
    first, long_enough = found["days_since_first_order"], found["days_since_first_order"] >= 150
    value = found["order_value_mean_ever"].fillna(0).clip(lower=0)
    columns = {}
    for name, added in {"order_days": 1, "revenue": value}.items():
        usual = (found[f"_{name}_90d_before"] * 90 / (first - 90).clip(upper=365)).where(long_enough)
        columns |= _against(found, name, usual, added)
    for name, added in {"order_value_mean": value, "lines_per_order_day": 1, "units_per_order_day": 1}.items():
        columns |= _against(found, name, found[f"{name}_90d_before"].where(long_enough), added)
    for name in ("return_share", "margin_share"):
        usual = found[f"{name}_90d_before"].where(long_enough)
        columns |= {f"{name}_90d_usual": usual, f"{name}_90d_vs_usual": found[f"{name}_90d"] - usual}
    for gap in ("median", "mean", "q90", "max"):
        columns[f"days_since_last_order_vs_{gap}_gap"] = found["days_since_last_order"] / found[f"gap_{gap}_days_ever"]
    columns["gap_cv_ever"] = found["gap_sd_days_ever"] / found["gap_mean_days_ever"]
    columns["products_per_order_day_365d"] = found["products_365d"] / found["order_days_365d"].replace(0, np.nan)
    shown = [name for name in found if not name.startswith("_") and not name.endswith("_before")]
    return pd.concat([found[shown], pd.DataFrame(columns)], axis=1)


def _against(found: pd.DataFrame, name: str, usual: pd.Series, added: pd.Series | int) -> dict[str, pd.Series]:
    ratio = (found[f"{name}_90d"].clip(lower=0) + added) / (usual.clip(lower=0) + added)
    return {f"{name}_90d_usual": usual, f"{name}_90d_vs_usual": ratio}
