"""Rhythm, sequence of gaps and season of one customer's order days, in plain pandas."""

import math
from datetime import date

import numpy as np
import pandas as pd
from naive_rows import NAN, between, gross, orders, over
from scipy import stats


def rhythm(days: pd.DataFrame, found: dict[str, float]) -> dict[str, float]:
    agos = orders(days)["ago"].tolist()
    gaps = pd.Series(np.diff(agos), dtype=float)
    last, first = (agos[0], agos[-1]) if agos else (NAN, NAN)
    rate = 90 * len(agos) / max(first, 30)
    mean, sd, newest, older = gaps.mean(), gaps.std(), gaps[:3].mean(), gaps[3:].mean()
    newest_gap = gaps[0] if len(gaps) else NAN
    cycle = gaps.median() if len(gaps) >= 3 else NAN
    prior = len(orders(between(days, 91, 180)))
    count = [between(days, start, start + 29)["orders"].sum() for start in (1, 31, 366)]
    shrunk = (len(gaps) * (1 if math.isnan(sd) else (sd / mean) ** 2) + 4) / (len(gaps) + 4)
    longer = stats.gamma.sf(last / mean, 1 / max(shrunk, 0.05), scale=max(shrunk, 0.05))
    return {
        "days_since_last_order": last,
        "days_since_first_order": first,
        "order_days_ever": len(agos),
        "order_days_prior_90d": prior,
        "order_days_90d_vs_prior_90d": (found["order_days_90d"] + 1) / (prior + 1),
        "order_days_change": over(found["order_days_90d"], prior) - 1,
        "orders_drop_30d": count[1] - count[0] if count[1] else NAN,
        "orders_change_30d": over(count[0], count[1]) - 1,
        "orders_yearly_change_30d": over(count[0], count[2]) - 1 if first >= 395 else NAN,
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
        "days_since_last_order_own_z": (last - mean) / (sd if math.isnan(sd) else max(sd, 1)),
        "days_since_last_order_vs_tenure": last / first,
        "longer_gap_probability": longer,
        "order_cycle_days": cycle,
        "days_to_next_expected_order": cycle - last,
        "purchasing_paused": NAN if math.isnan(cycle) else float(last > 2 * max(cycle, gaps.quantile(0.9))),
    } | {
        f"so_few_order_days_{window}d_probability": stats.poisson.cdf(
            found[f"order_days_{window}d"], found["order_days_90d_usual"] * window / 90
        )
        for window in (30, 60, 90)
    }


def faded(rows: pd.DataFrame, column: str, half_life: int) -> float:
    """A mean with weights that halve with every half-life, in whole millionths."""
    weights = np.floor(1e6 * 0.5 ** (rows["ago"].to_numpy() / half_life) + 0.5)
    return over((weights * rows[column]).sum(), weights.sum())


def steps(days: pd.DataFrame) -> dict[str, float]:
    """What the order of the gaps tells; the newest gap comes first."""
    agos = orders(days)["ago"].to_numpy()
    gaps, ended = np.diff(agos), agos[:-1]
    n, logs = len(gaps), np.log(np.diff(agos))
    lapse = gaps > max(45, min(365, 2 * np.quantile(gaps, 0.9))) if n else np.zeros(0, bool)
    shares = gaps[:-1] / (gaps[:-1] + gaps[1:]) - 0.5
    variance = ((shares**2).sum() + 4 / 12) / (n - 1 + 4)
    spread = math.sqrt((((logs - logs.mean()) ** 2).sum() + 4 * math.pi**2 / 6) / (n - 1 + 4)) if n >= 4 else NAN
    drifts = [logs[:newest].sum() - newest * logs.mean() for newest in range(1, n + 1)]
    gap_rows = pd.DataFrame({"ago": ended, "gap": gaps})
    silent = gaps[gaps > 90].sum()
    return {
        "gap_regularity": (1 - 4 * variance) / (8 * variance) if n >= 2 else NAN,
        "gap_lengthening": max(0, *drifts) / (spread * math.sqrt(n)) if n >= 4 else NAN,
        "gap_fast_vs_slow": over(faded(gap_rows, "gap", 90), faded(gap_rows, "gap", 365)) if n else NAN,
        "earlier_lapses": lapse.sum(),
        "reactivated_365d": float((lapse & (ended <= 365)).any()),
        "order_bursts_ever": (gaps > 90).sum() + 1 if len(agos) else NAN,
        "silent_share_ever": over(silent, gaps.sum()) if n else NAN,
    }


def season(days: pd.DataFrame, found: dict[str, float], as_of: date) -> dict[str, float]:
    agos = orders(days)["ago"]
    oldest = max(agos, default=0)
    month = len(orders(between(days, 336, 365))) if oldest > 335 else NAN
    ahead = len(orders(between(days, 276, 365))) if oldest > 275 else NAN
    same = len(orders(between(days, 366, 455))) if oldest > 365 else NAN
    year = gross(between(days, 1, 365))
    quarters = [gross(between(days, first, first + 90)) for first in (1, 92, 183, 274)]
    turn = 2 * math.pi * pd.Timestamp(as_of).day_of_year / 365.25
    return (
        {
            "order_days_next_30d_last_year": month,
            "order_days_next_90d_last_year": ahead,
            "order_days_same_90d_last_year": same,
            "order_days_90d_vs_last_year": (found["order_days_90d"] + 1) / (same + 1),
            "season_ahead_vs_season_past": (ahead + 1) / (same + 1),
            "revenue_next_90d_last_year_share": over(gross(between(days, 276, 365)), year) if oldest > 275 else NAN,
            "busiest_quarter_share_365d": over(max(quarters), sum(quarters)),
            "time_of_year_cos": math.cos(turn),
            "time_of_year_sin": math.sin(turn),
        }
        | strongest_months(days)
        | open_season(orders(days), as_of)
    )


def strongest_months(days: pd.DataFrame) -> dict[str, float]:
    """The share of each of two years that fell in the four of twelve parts of a year that were strong in both."""
    rows = between(days, 1, 730)
    part = (rows["ago"] - 1) % 365 * 12 // 365
    value = ((rows["amount"] + rows["returned"]) * 100).round() / 100
    years = [value[rows["ago"].between(*reach)].groupby(part).sum().round(2) for reach in ((1, 365), (366, 730))]
    names = ("season_revenue_share_365d", "season_revenue_share_prior_365d")
    if not all(year.sum() > 0 for year in years):
        return dict.fromkeys(names, NAN)
    shares = [(year / year.sum()).reindex(range(12), fill_value=0.0) for year in years]
    again = sorted(range(12), key=lambda month: (-min(share[month] for share in shares), month))[:4]
    season = [month for month in again if min(share[month] for share in shares) > 0]
    return {name: share[season].sum() for name, share in zip(names, shares, strict=True)}


def open_season(ordered: pd.DataFrame, as_of: date) -> dict[str, float]:
    """Days since the newest order in months in which the customer has ordered, day by day."""
    names = ("open_season_share", "open_season_days_since_last_order", "open_season_days_since_last_order_vs_gap")
    if ordered.empty:
        return dict.fromkeys(names, NAN)
    last, first = ordered["day"].max(), ordered["day"].min()
    months = set(ordered["day"].dt.month) if (last - first).days >= 330 else set(range(1, 13))
    lengths = [31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    share = sum(lengths[month - 1] for month in months) / 365.25
    passed = sum(day.month in months for day in pd.date_range(last, pd.Timestamp(as_of), inclusive="left"))
    mean_gap = over((last - first).days, len(ordered) - 1)
    return dict(zip(names, (share, passed, passed / (mean_gap * share)), strict=True))


def season_of_peers(frame: pd.DataFrame, eligible: pd.DataFrame) -> dict[str, pd.Series | float]:
    """The season of all eligible customers, and each customer's usual at this time of the year."""
    year = eligible[eligible["days_since_first_order"] > 365]
    longer = eligible[eligible["days_since_first_order"] > 455]
    ahead = over(year["order_days_next_90d_last_year"].sum(), year["order_days_365d"].sum() * 90 / 365)
    past = over(longer["order_days_same_90d_last_year"].sum(), longer["order_days_90d_usual"].sum())
    value = frame["order_value_mean_ever"].fillna(0).clip(lower=0)
    span = frame["days_since_first_order"].clip(90, 365)
    return {
        "segment_season_next_30d_vs_even": over(
            year["order_days_next_30d_last_year"].sum(), year["order_days_365d"].sum() * 30 / 365
        ),
        "segment_season_next_90d_vs_even": ahead,
        "segment_season_past_90d_vs_even": past,
        "order_days_90d_vs_season_usual": (frame["order_days_90d"] + 1) / (frame["order_days_90d_usual"] * past + 1),
        "revenue_90d_vs_season_usual": (frame["revenue_90d"].clip(lower=0) + value)
        / (frame["revenue_90d_usual"] * past).clip(lower=0).add(value).replace(0, NAN),
        "order_days_expected_next_90d": frame["order_days_365d"] * 90 / span * ahead,
    }
