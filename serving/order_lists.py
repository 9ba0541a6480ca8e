"""Lists that the orders make: who is late, silent, lost, back, slumping or new."""

from dataclasses import replace

import pandas as pd

from features.contract import ORDER_PATTERNS
from serving.list_register import AT_RISK, WHO, Standing, view, with_columns
from serving.list_rows import NONE, as_days

#: Order patterns of customers who order regularly: important where nothing else tells who is.
REGULAR = ORDER_PATTERNS[:3]
_MONTHS = (
    "orders_month_to_date",
    "orders_previous_month_to_date",
    "revenue_month_to_date",
    "revenue_previous_month_to_date",
)


@view("orders_by_owner", ("LV-03",), ("owner", *_MONTHS, "orders_change", "revenue_change"), together=True)
def _orders_by_owner(standing: Standing) -> pd.DataFrame:
    rows = standing.state.reindex(columns=["owner", *_MONTHS])
    table = rows.assign(owner=rows["owner"].fillna(NONE)).groupby("owner", sort=True)[list(_MONTHS)].sum(min_count=1)
    for what in ("orders", "revenue"):
        before = table[f"{what}_previous_month_to_date"]
        table[f"{what}_change"] = table[f"{what}_month_to_date"] / before.where(before > 0) - 1
    return table.reset_index()


#: What came of a warning that a new order answered, with the name that it has in the list.
_CAME_OF_IT = {"state": "outcome", "detected_level": "detected_level", "approach": "approach", "why": "stopped_why"}


#: The list that also tells what came of warnings.
RESTARTED = "restarted"


@view(
    RESTARTED,
    ("LV-05",),
    (
        *WHO[:4],
        "was",
        "longest_gap_ended_on",
        "longest_gap_ended_days",
        "order_cycle_days",
        "longest_gap_ended_amount",
        *_CAME_OF_IT.values(),
    ),
    by=("-longest_gap_ended_on",),
)
def _restarted(standing: Standing) -> pd.DataFrame:
    state = with_columns(standing.state, "longest_gap_ended_amount")
    gap, cycle = state["longest_gap_ended_days"], state["order_cycle_days"]
    was = pd.Series(None, index=state.index, dtype="object")
    was = was.mask(gap >= standing.terms.limit("late_order_multiple") * cycle, "overdue")
    was = was.mask(gap > standing.terms.limit("churned_cycle_multiple") * cycle, "lost")
    was = was.mask(gap >= standing.terms.limit("dormant_from_days"), "dormant")
    return replace(standing, state=state.assign(was=was, **_outcomes(standing))).rows(was.notna())


def _outcomes(standing: Standing) -> dict[str, pd.Series]:
    """What is recorded of each customer since the order that ended its gap; the newest where there is more."""
    customers, since = standing.state["customer_id"], standing.state["longest_gap_ended_on"]
    given = standing.material.outcomes
    if given is None or given.empty:
        return {name: pd.Series(None, index=customers.index, dtype="object") for name in _CAME_OF_IT.values()}
    newest = given.sort_values("recorded_on").drop_duplicates("customer_id", keep="last").set_index("customer_id")
    recorded = as_days(customers.map(newest["recorded_on"]))
    return {name: customers.map(newest[column]).where(recorded >= since) for column, name in _CAME_OF_IT.items()}


@view(
    "act_now",
    ("LV-06",),
    (*WHO, "days_since_last_order", "order_cycle_days", "stated_risk", "highlight"),
    by=("highlight", "-days_since_last_order"),
)
def _act_now(standing: Standing) -> pd.DataFrame:
    state = standing.state
    urgent = state["stated_risk"].isin(standing.terms.red_risks)
    late, stopped = standing.fires("order_late"), standing.fires("orders_stopped")
    highlight = pd.Series(None, index=state.index, dtype="object")
    highlight = highlight.mask(late | state["stated_risk"].isin(AT_RISK), "watch").mask(stopped | urgent, "act")
    return replace(standing, state=state.assign(highlight=highlight)).rows(highlight.notna())


@view(
    "important_silent",
    ("LV-07",),
    (*WHO[:4], "important_by", "last_order_on", "days_since_last_order", "order_cycle_days", "days_late"),
    by=("-days_late",),
    together=True,
)
def _important_silent(standing: Standing) -> pd.DataFrame:
    state = standing.state
    ranks = standing.terms.values["important_ranks"]
    important = ranks if isinstance(ranks, tuple) else ()
    everybody = standing.material.state
    by = pd.Series(None, index=state.index, dtype="object")
    if not everybody[["rank", "rank_by_trade"]].isin(important).any(axis=None):
        by = by.mask(state["order_pattern"].isin(REGULAR), "order_pattern")
    by = by.mask(state["rank_by_trade"].isin(important), "trade").mask(state["rank"].isin(important), "rank")
    silent = state["days_since_last_order"] > standing.terms.important_silent_days
    return replace(standing, state=state.assign(important_by=by)).rows(by.notna() & silent)


_ABOUT = (*WHO[:4], "revenue_previous_month", "days_since_last_order", "last_order_on", "last_visit_on")


@view(
    "about_to_churn",
    ("LV-09", "LV-11"),
    (*_ABOUT, "days_not_visited", "last_coupon_on"),
    wants={
        "last_visit_on": "interactions.channel",
        "days_not_visited": "interactions.channel",
        "last_coupon_on": "promotions",
    },
    by=("-days_since_last_order",),
)
def _about_to_churn(standing: Standing) -> pd.DataFrame:
    state = with_columns(standing.state, "revenue_previous_month")
    visited = (standing.as_of - state["last_visit_on"]).dt.days.astype("float64")
    rows = replace(standing, state=state.assign(days_not_visited=visited))
    due = standing.fires("about_to_churn") & ~standing.lost()
    return rows.rows(due)


@view(
    "churned",
    ("LV-11",),
    (*WHO[:4], "last_order_on", "days_since_last_order", "order_cycle_days", "cycles"),
    by=("days_since_last_order",),
)
def _churned(standing: Standing) -> pd.DataFrame:
    return standing.rows(standing.lost())


@view("amount_slump", ("LV-10",), (*WHO[:4], "previous", "current", "drop"), by=("-drop",))
def _amount_slump(standing: Standing) -> pd.DataFrame:
    return _slump(standing, "revenue_slump", "amount", "revenue_drop_share_30d")


@view("orders_slump", ("LV-10",), (*WHO[:4], "previous", "current", "drop"), by=("-drop",))
def _orders_slump(standing: Standing) -> pd.DataFrame:
    return _slump(standing, "orders_slump", "orders", "orders_drop_30d")


def _slump(standing: Standing, rule: str, what: str, drop: str) -> pd.DataFrame:
    state = standing.state
    shown = {"previous": state[f"{what}_30d_before"], "current": state[f"{what}_30d"], "drop": state[drop]}
    rows = replace(standing, state=state.assign(**shown))
    return rows.rows(standing.fires(rule))


_DATED = (*WHO, "last_order_on", "days_since_last_order", "order_cycle_days")


@view("ordered_recently", ("LV-19",), _DATED, by=("-last_order_on",))
def _ordered_recently(standing: Standing) -> pd.DataFrame:
    recent = standing.state["last_order_on"] >= standing.since(standing.terms.recent_days)
    return standing.rows(recent)


@view("overdue", ("LV-19", "RB-23"), (*_DATED, "days_late"), by=("-days_late",))
def _overdue(standing: Standing) -> pd.DataFrame:
    return standing.rows(standing.overdue() & ~standing.lost())


@view("lost_by_year", ("LV-19",), ("year", *_DATED), by=("-last_order_on",))
def _lost_by_year(standing: Standing) -> pd.DataFrame:
    rows = replace(standing, state=standing.state.assign(year=standing.state["last_order_on"].dt.year.astype("Int64")))
    return rows.rows(standing.lost())


@view("dormant", ("RB-22",), _DATED, by=("days_since_last_order",))
def _dormant(standing: Standing) -> pd.DataFrame:
    return standing.rows(standing.fires("dormant"))


@view("new", ("LV-20",), (*WHO, "first_order_on"), by=("-first_order_on",))
def _new(standing: Standing) -> pd.DataFrame:
    recent = standing.state["first_order_on"] >= standing.since(standing.terms.recent_days)
    return standing.rows(recent)
