"""When a customer orders: recency, cycle, regularity.

A gap is the number of days between two consecutive order days. The cycle is the usual gap. Sums and spreads are
computed from integers, so that a value does not depend on the order of rows.
"""

import pandas as pd
from scipy import special

from features import cutoffs
from features.options import option
from features.registry import Baseline, feature
from features.relations import relation

WINDOWS = (30, 60, 90, 180, 365)
MEDIAN_GAP, LONG_GAP = "gap_median_days_ever", "gap_q90_days_ever"

#: Gaps of a typical customer that are added to an own history before its regularity is believed.
PRIOR_GAPS = 4.0

CHANGE_DAYS = option(
    "order_change_days", 90, "Length of each of the two windows whose order days are compared.", "days"
)
#: Days between orders of the filed patterns; an irregular one is learned from the customer's own gaps.
PATTERN_DAYS = {
    name: option(f"{name}_cycle_days", days, f"Days between orders of an account that orders {said}.", "days")
    for name, days, said in (("weekly", 7, "weekly"), ("semimonthly", 15, "twice a month"), ("monthly", 30, "monthly"))
}
CYCLE_MIN_GAPS = option("cycle_min_gaps", 3, "Gaps from which on a customer's own cycle is known.", "gaps")
PAUSE_CYCLES = option(
    "pause_cycles", 2, "Purchasing has paused beyond so many times the cycle and the usual long gap.", "cycles"
)

relation("order_days", ("transactions",), cutoffs.past("order_days"))
relation("order_patterns", ("transactions",), "SELECT as_of, customer_id, order_pattern FROM accounts")
relation(
    "gaps",
    ("transactions",),
    "SELECT * FROM (SELECT as_of, customer_id, days_ago, "
    "lag(days_ago) OVER (PARTITION BY as_of, customer_id ORDER BY days_ago DESC) - days_ago AS gap_days, "
    "row_number() OVER (PARTITION BY as_of, customer_id ORDER BY days_ago) AS gap_no "
    f"FROM ({cutoffs.past('order_days')}) WHERE is_order) WHERE gap_days IS NOT NULL",
)


@feature("order_days", unit="days", concept="order_rhythm", worse="more", usual=MEDIAN_GAP)
def days_since_last_order() -> str:
    """Days since the newest order."""
    return "min(days_ago) FILTER (is_order)"


@feature("order_days", unit="days", concept="background")
def days_since_first_order() -> str:
    """Days since the first known order."""
    return "max(days_ago) FILTER (is_order)"


@feature("order_days", unit="order days", concept="background", worse="less")
def order_days_ever() -> str:
    """Days with an order over the whole past."""
    return "count(*) FILTER (is_order)"


@feature("order_days", unit="order days", concept="order_rhythm", worse="less", windows=WINDOWS, baseline=Baseline(90))
def order_days(past: str) -> str:
    """Days with an order."""
    return f"count(*) FILTER (is_order AND {past})"


@feature("order_days", unit="order days", concept="order_rhythm", usual="order_days_90d_usual")
def order_days_prior_90d() -> str:
    """Days with an order in the 90 days before the last 90."""
    return "count(*) FILTER (is_order AND days_ago BETWEEN 91 AND 180)"


@feature("features", unit="ratio", concept="order_rhythm", worse="less")
def order_days_90d_vs_prior_90d() -> str:
    """Order days of the last 90 days against the 90 before, one added to both."""
    return "(order_days_90d + 1) / (order_days_prior_90d + 1)"


@feature("order_days", unit="change", concept="order_rhythm", worse="less")
def order_days_change() -> str:
    """Change of the order days against as many days before. A fall from 8 to 4 is -50%; unknown after none."""
    recent, before = (
        f"count(*) FILTER (is_order AND days_ago > {CHANGE_DAYS} * {n} AND days_ago <= {CHANGE_DAYS} * {n + 1})"
        for n in (0, 1)
    )
    return f"{recent} / nullif({before}, 0) - 1"


def _orders(first: int) -> str:
    """SQL of the number of orders in the 30 days of which the newest was so many days ago."""
    return f"coalesce(sum(orders) FILTER (days_ago BETWEEN {first} AND {first + 29}), 0)"


@feature("order_days", unit="orders", concept="order_rhythm", worse="more")
def orders_drop_30d() -> str:
    """Orders by which the last 30 days fell short of the 30 before. Unknown after none."""
    return f"CASE WHEN {_orders(31)} > 0 THEN {_orders(31)} - {_orders(1)} END"


@feature("order_days", unit="change", concept="order_rhythm", worse="less")
def orders_change_30d() -> str:
    """Change of the orders of the last 30 days against the 30 before. Unknown after none."""
    return f"{_orders(1)} / nullif({_orders(31)}, 0) - 1"


@feature("order_days", unit="change", concept="background", worse="less")
def orders_yearly_change_30d() -> str:
    """Change of the orders of the last 30 days against the same days a year ago. Unknown within the first 13 months."""
    return f"CASE WHEN max(days_ago) FILTER (is_order) >= 395 THEN {_orders(1)} / nullif({_orders(366)}, 0) - 1 END"


@feature("features", unit="order days per 90 days", concept="order_rhythm")
def order_days_per_90d_ever() -> str:
    """Order days per 90 days since the first order."""
    return "CASE WHEN order_days_ever > 0 THEN 90 * order_days_ever / greatest(days_since_first_order, 30) END"


@feature("features", unit="ratio", concept="order_rhythm", worse="less")
def order_days_90d_vs_ever() -> str:
    """Order days of the last 90 days against the rate since the first order, one added to both."""
    return "(order_days_90d + 1) / (order_days_per_90d_ever + 1)"


@feature("order_days", unit="months", concept="order_rhythm", worse="less", windows=(365,))
def active_months(past: str) -> str:
    """30-day months with at least one order."""
    return f"count(DISTINCT (days_ago - 1) // 30) FILTER (is_order AND {past})"


@feature("gaps", unit="days", concept="order_rhythm")
def gap_mean_days_ever() -> str:
    """Mean gap between order days."""
    return "avg(gap_days)"


@feature("gaps", unit="days", concept="order_rhythm")
def gap_median_days_ever() -> str:
    """Median gap between order days: the order cycle."""
    return "quantile_cont(gap_days, 0.5)"


@feature("gaps", unit="days", concept="order_rhythm")
def gap_q90_days_ever() -> str:
    """Gap that nine of ten gaps do not exceed."""
    return "quantile_cont(gap_days, 0.9)"


@feature("gaps", unit="days", concept="order_rhythm", usual=MEDIAN_GAP)
def gap_max_days_ever() -> str:
    """Longest gap between order days."""
    return "max(gap_days)"


@feature("gaps", unit="days", concept="order_rhythm")
def gap_sd_days_ever() -> str:
    """Standard deviation of the gaps; unknown below two gaps."""
    return (
        "CASE WHEN count(*) > 1 THEN sqrt(greatest(0, sum(gap_days * gap_days) "
        "- sum(gap_days) * sum(gap_days) / count(*)) / (count(*) - 1)) END"
    )


@feature("features", unit="ratio", concept="order_rhythm")
def gap_cv_ever() -> str:
    """Standard deviation of the gaps against their mean: near 0 clockwork, near 1 by chance, above in bursts."""
    return "gap_sd_days_ever / nullif(gap_mean_days_ever, 0)"


@feature("gaps", unit="log days", concept="order_rhythm")
def gap_log_mean_ever() -> str:
    """Mean natural logarithm of the gaps, to a millionth."""
    return "sum(CAST(round(ln(gap_days) * 1000000) AS BIGINT)) / 1000000.0 / count(*)"


@feature("gaps", unit="days", concept="order_rhythm", worse="more", usual=MEDIAN_GAP)
def last_gap_days() -> str:
    """Gap before the newest order."""
    return "max(gap_days) FILTER (gap_no = 1)"


@feature("gaps", unit="days", concept="order_rhythm", worse="more", usual=MEDIAN_GAP)
def last_3_gaps_mean_days() -> str:
    """Mean of the three newest gaps."""
    return "avg(gap_days) FILTER (gap_no <= 3)"


@feature("gaps", unit="days", concept="order_rhythm")
def gap_before_last_3_mean_days() -> str:
    """Mean of all gaps but the three newest."""
    return "avg(gap_days) FILTER (gap_no > 3)"


@feature(
    "features", unit="ratio", concept="order_rhythm", worse="more", usual="gap_before_last_3_mean_days", peers="ratio"
)
def last_3_gaps_vs_usual() -> str:
    """Mean of the three newest gaps against the gaps before them, 7 days added to both."""
    return "(last_3_gaps_mean_days + 7) / (gap_before_last_3_mean_days + 7)"


@feature("features", unit="ratio", concept="order_rhythm", worse="more", usual=MEDIAN_GAP)
def last_gap_vs_usual() -> str:
    """Gap before the newest order against the mean gap, 7 days added to both."""
    return "(last_gap_days + 7) / (gap_mean_days_ever + 7)"


@feature("features", unit="cycles", concept="order_rhythm", worse="more", usual=MEDIAN_GAP, peers="ratio")
def days_since_last_order_vs_median_gap() -> str:
    """Days since the newest order, in own median gaps."""
    return "days_since_last_order / nullif(gap_median_days_ever, 0)"


@feature("features", unit="cycles", concept="order_rhythm", worse="more", usual="gap_mean_days_ever")
def days_since_last_order_vs_mean_gap() -> str:
    """Days since the newest order, in own mean gaps."""
    return "days_since_last_order / nullif(gap_mean_days_ever, 0)"


@feature("features", unit="cycles", concept="order_rhythm", worse="more", usual="gap_q90_days_ever", peers="ratio")
def days_since_last_order_vs_q90_gap() -> str:
    """Days since the newest order against the gap that nine of ten gaps do not exceed."""
    return "days_since_last_order / nullif(gap_q90_days_ever, 0)"


@feature("features", unit="cycles", concept="order_rhythm", worse="more", usual="gap_max_days_ever")
def days_since_last_order_vs_max_gap() -> str:
    """Days since the newest order against the longest gap."""
    return "days_since_last_order / nullif(gap_max_days_ever, 0)"


@feature("features", unit="standard deviations", concept="order_rhythm", worse="more", usual=MEDIAN_GAP)
def days_since_last_order_z() -> str:
    """Days since the newest order beyond the mean gap, in standard deviations of the gaps (at least 3 days); unknown
    below two gaps.
    """
    spread = "CASE WHEN gap_sd_days_ever IS NOT NULL THEN greatest(gap_sd_days_ever, 3) END"
    return f"(days_since_last_order - gap_mean_days_ever) / ({spread})"


@feature("features", unit="standard deviations", concept="order_rhythm", worse="more")
def days_since_last_order_own_z() -> str:
    """Days since the newest order beyond the mean gap, in the customer's own standard deviations of the gaps. These
    count as at least 1 day; unknown below two gaps.
    """
    spread = "CASE WHEN gap_sd_days_ever IS NOT NULL THEN greatest(gap_sd_days_ever, 1) END"
    return f"(days_since_last_order - gap_mean_days_ever) / ({spread})"


@feature("order_patterns", unit="days", concept="order_rhythm", internal=True)
def pattern_days() -> str:
    """Days between orders of the pattern on file."""
    cases = " ".join(f"WHEN '{name}' THEN {days}" for name, days in PATTERN_DAYS.items())
    return f"max(CASE order_pattern {cases} END)"


@feature("features", unit="days", concept="order_rhythm")
def order_cycle_days() -> str:
    """Usual days between orders. As filed for the account; where nothing regular is filed, its own median gap."""
    return f"coalesce(pattern_days, CASE WHEN order_days_ever > {CYCLE_MIN_GAPS} THEN {MEDIAN_GAP} END)"


@feature("features", unit="days", concept="order_rhythm", worse="less")
def days_to_next_expected_order() -> str:
    """Days until the next order is expected, one cycle after the newest. Below 0 it is overdue by so many."""
    return "order_cycle_days - days_since_last_order"


@feature("features", unit="flag", concept="order_rhythm", worse="more")
def purchasing_paused() -> str:
    """No order for far longer than this customer's cycle and usual long gap (1 = yes)."""
    usual = f"greatest(order_cycle_days, {LONG_GAP})"
    return f"CASE WHEN order_cycle_days IS NOT NULL THEN days_since_last_order > {PAUSE_CYCLES} * {usual} END"


@feature("features", unit="share", concept="background", worse="more")
def days_since_last_order_vs_tenure() -> str:
    """Days since the newest order as a share of the time since the first."""
    return "days_since_last_order / nullif(days_since_first_order, 0)"


@feature(
    "frame",
    unit="probability",
    concept="order_rhythm",
    worse="less",
    usual=MEDIAN_GAP,
    reads=("order_days_ever", "gap_cv_ever", "days_since_last_order", "gap_mean_days_ever"),
)
def longer_gap_probability(frame: pd.DataFrame) -> pd.Series:
    """Chance of a gap as long as the present one if nothing has changed: gamma gaps with the customer's mean and a
    shrunk spread.

    The spread's square is pulled towards that of chance (1) by :data:`PRIOR_GAPS` gaps.
    """
    gaps = frame["order_days_ever"] - 1
    spread = (gaps * frame["gap_cv_ever"].fillna(1.0) ** 2 + PRIOR_GAPS) / (gaps + PRIOR_GAPS)
    shape = (1 / spread.clip(lower=0.05)).to_numpy()
    elapsed = frame["days_since_last_order"] / frame["gap_mean_days_ever"].where(lambda mean: mean > 0)
    return pd.Series(special.gammaincc(shape, shape * elapsed.to_numpy()), index=frame.index)


def _as_few(frame: pd.DataFrame, days: int) -> pd.Series:
    """Poisson chance of no more order days than there were, at the rate of the year before the last 90 days."""
    usual = (frame["order_days_90d_usual"] * days / 90).to_numpy()
    return pd.Series(special.pdtr(frame[f"order_days_{days}d"].to_numpy(), usual), index=frame.index)


@feature(
    "frame",
    unit="probability",
    concept="order_rhythm",
    worse="less",
    reads=("order_days_30d", "order_days_90d_usual"),
)
def so_few_order_days_30d_probability(frame: pd.DataFrame) -> pd.Series:
    """Chance of so few order days in 30 days if the customer's usual rate still held."""
    return _as_few(frame, 30)


@feature(
    "frame",
    unit="probability",
    concept="order_rhythm",
    worse="less",
    reads=("order_days_60d", "order_days_90d_usual"),
)
def so_few_order_days_60d_probability(frame: pd.DataFrame) -> pd.Series:
    """Chance of so few order days in 60 days if the customer's usual rate still held."""
    return _as_few(frame, 60)


@feature(
    "frame",
    unit="probability",
    concept="order_rhythm",
    worse="less",
    reads=("order_days_90d", "order_days_90d_usual"),
)
def so_few_order_days_90d_probability(frame: pd.DataFrame) -> pd.Series:
    """Chance of so few order days in 90 days if the customer's usual rate still held."""
    return _as_few(frame, 90)
