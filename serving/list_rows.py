"""The rows that every list is made of: what a run published of each customer, and what people have entered since.

What was entered wins over what the run read from the file; of two days of contact the later one counts. The exit risk
that a person states and the engine's own stand side by side and are never merged.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from features.briefs import plain, records
from features.errors import SettingsError
from features.options import Value
from models.relationship import COLUMNS as RELATIONSHIP
from models.warning_rule_list import WARNING_RULES
from models.warning_rules import OFF, WarningRule, rule_options, signals

#: Columns that put rows in order, and whether each ascends; what is unknown stands last either way.
Order = tuple[tuple[str, bool], ...]
#: What a customer without a value is filed under.
NONE = "(none)"
#: The engine's level as a risk, to stand beside the one that people state.
ENGINE_RISK: Mapping[str, str] = {
    "red": "urgent",
    "orange": "high",
    "yellow": "medium",
    "blue": "low",
    "none": "low",
}
_DAYS = (
    "first_order_on",
    "last_order_on",
    "longest_gap_ended_on",
    "last_contact_on",
    "last_visit_on",
    "last_coupon_on",
    "last_file_change_on",
    "last_lost_quote_on",
    "next_action_on",
)
_TEXTS = (
    "customer_id",
    "name",
    "owner",
    "manager",
    "rank",
    "rank_by_trade",
    "region",
    "industry",
    "temperature",
    "risk",
    "level",
    "stage",
    "queue",
    "shown",
    "next_action_text",
    "order_pattern",
)
_NUMBERS = (
    "days_since_last_order",
    "order_cycle_days",
    "days_to_next_expected_order",
    "days_since_last_interaction",
    "churn_probability",
    "value_at_risk",
    "expected_loss",
    "amount_30d",
    "amount_30d_before",
    "orders_30d",
    "orders_30d_before",
    "longest_gap_ended_days",
)
#: The columns of a profile that :func:`current` reads; it hands on all others as they are.
READ = (*_DAYS, *_TEXTS, *_NUMBERS)
#: Columns of `account_state` that a list may show.
ENTERED = (
    "customer_id",
    "last_contact_on",
    "temperature",
    "risk",
    "next_action_on",
    "next_action_text",
    "reviewed_at",
    "reviewed_by",
    "updated_at",
    "updated_by",
)


@dataclass(frozen=True)
class Terms:
    """What the lists are drawn by. The thresholds of rules stand with the rules.

    Attributes
    ----------
    rules
        Shipped and own; those with a ``working_list`` put customers on it.
    options
        Values of the rules' options that differ from their defaults.
    red_risks, yellow_temperatures
        What puts a customer on the red and on the yellow list besides the rules.
    week_ends
        The last working day of a week, 0 (Monday) to 6 (Sunday): by then red customers are dealt with.
    silent_days
        Accounts without contact for so many days or longer are counted for each owner.
    important_silent_days
        Important accounts without an order for longer are told by name.
    recent_days
        What happened within so many days is recent.
    review_days
        The list of customers at risk is reviewed at least once in so many days.

    Raises
    ------
    SettingsError
        If an option of the rules is unknown, or `week_ends` is no day of the week.
    """

    rules: tuple[WarningRule, ...] = WARNING_RULES
    options: Mapping[str, object] = field(default_factory=dict)
    red_risks: tuple[str, ...] = ("urgent",)
    yellow_temperatures: tuple[str, ...] = ("cool", "cold")
    week_ends: int = 6
    silent_days: int = 30
    important_silent_days: int = 90
    recent_days: int = 30
    review_days: int = 30

    def __post_init__(self) -> None:
        """Refuse what is no day of the week, and options that no rule has."""
        if self.week_ends not in range(7):
            raise SettingsError(f"week_ends = {self.week_ends!r}: expected 0 (Monday) to 6 (Sunday).")
        _ = self.values

    @cached_property
    def values(self) -> Mapping[str, Value]:
        """Every option of the rules with its value."""
        return rule_options(self.options, self.rules)

    def limit(self, option: str) -> float:
        """A number among the options; infinite where it is switched off."""
        value = self.values[option]
        return float("inf") if value == OFF else float(str(value))

    def fired(self, state: pd.DataFrame, rules: Collection[WarningRule]) -> pd.DataFrame:
        """Which of some rules fire for the customers of :func:`current`."""
        # the other columns, hundreds of features, would be carried along for nothing
        texts = " ".join(text for rule in rules for text in (*rule.texts, *rule.shows))
        read = [name for name in state.columns if str(name) in texts or name in ("customer_id", "as_of")]
        if not any(name in texts for name in RELATIONSHIP):
            return signals(state[read].assign(relationship_score=np.nan), tuple(rules), self.values)
        roles = [name for name in state.columns if "_interactions_90d" in str(name)]
        return signals(state[list(dict.fromkeys((*read, *roles)))], tuple(rules), self.values)

    def named(self, *codes: str) -> tuple[WarningRule, ...]:
        """The rules with these codes."""
        return tuple(rule for rule in self.rules if rule.code in codes)


@dataclass(frozen=True)
class Choice:
    """Which customers are wanted, and in what order.

    Attributes
    ----------
    owner, level, rank, region, industry
        A value, or ``(none)`` for those without one; None for all.
    fields
        Any further column of the profile, the company's own among them, and its value.
    search
        Part of the name or of the customer's id; capitals do not matter.
    sort
        A column of the list; None for the list's own order.
    descending
        The largest first; what is unknown stands last either way.
    """

    owner: str | None = None
    level: str | None = None
    rank: str | None = None
    region: str | None = None
    industry: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    search: str = ""
    sort: str | None = None
    descending: bool = False


def current(profile: pd.DataFrame, entered: pd.DataFrame | None, as_of: date) -> pd.DataFrame:
    """How every customer stands now.

    Parameters
    ----------
    profile
        One row per customer: the facts (:mod:`features.daily_facts`), the published scores and features; days may be
        dates or ISO text.
    entered
        One row per customer of whom people entered something: columns of :data:`ENTERED`, as far as there are such.

    Returns
    -------
    DataFrame
        The profile in its order with ``as_of``, days as datetime64, ``stated_risk`` and ``engine_risk`` in the place of
        ``risk``, ``days_since_last_interaction`` up to the newest contact that is known, ``days_late`` (beyond the
        cycle; below 0 not yet), ``cycles`` (days since the last order in cycles), ``action_done`` (bool: there was
        contact on the planned day or later) and ``reviewed_at``, ``reviewed_by``, ``updated_at``, ``updated_by``.
    """
    state = typed(profile.reset_index(drop=True).assign(as_of=pd.Timestamp(as_of)))
    since = _entered(entered, state["customer_id"])
    contact = pd.concat([state["last_contact_on"], since["last_contact_on"]], axis=1).max(axis=1)
    planned = since["next_action_on"].notna() | since["next_action_text"].notna()
    state = state.assign(
        last_contact_on=contact,
        temperature=since["temperature"].fillna(state["temperature"]),
        stated_risk=since["risk"].fillna(state["risk"]),
        engine_risk=state["level"].map(ENGINE_RISK).astype("str"),
        next_action_on=since["next_action_on"].where(planned, state["next_action_on"]),
        next_action_text=since["next_action_text"].where(planned, state["next_action_text"]),
        **{name: since[name] for name in ("reviewed_at", "reviewed_by", "updated_at", "updated_by")},
    ).drop(columns="risk")
    return _derived(state, pd.Timestamp(as_of))


def typed(profile: pd.DataFrame) -> pd.DataFrame:
    """A profile whose columns of :data:`READ` are all there and of their kinds; what is so already is not touched."""
    unknown = {name: None for name in READ if name not in profile.columns}
    profile = profile.assign(**unknown) if unknown else profile
    kinds = {name: column.dtype for name, column in profile.items()}
    days = {name: as_days(profile[name]) for name in _DAYS if kinds[name] != "datetime64[s]"}
    texts = {name: profile[name].astype("str") for name in _TEXTS if kinds[name] != "str"}
    numbers = {name: profile[name].astype("float64") for name in _NUMBERS if kinds[name] != "float64"}
    return profile.assign(**days, **texts, **numbers) if days or texts or numbers else profile


def _derived(state: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """What follows from several columns; a figure that the profile gives is kept."""
    since = (now - state["last_contact_on"]).dt.days.clip(lower=0).astype("float64")
    silent = state["days_since_last_order"].fillna((now - state["last_order_on"]).dt.days)
    cycle = state["order_cycle_days"]
    more = {
        "days_since_last_interaction": since.fillna(state["days_since_last_interaction"]),
        "days_since_last_order": silent,
        "days_to_next_expected_order": state["days_to_next_expected_order"].fillna(cycle - silent),
        "days_late": silent - cycle,
        "cycles": silent / cycle,
        "action_done": state["last_contact_on"] >= state["next_action_on"],
    }
    for name, what in (("revenue_drop_share_30d", "amount"), ("orders_drop_30d", "orders")):
        if name not in state.columns:
            before = state[f"{what}_30d_before"].where(state[f"{what}_30d_before"] > 0)
            fall = before - state[f"{what}_30d"]
            more[name] = fall / before if what == "amount" else fall
    return state.assign(**more)


def _entered(entered: pd.DataFrame | None, customers: pd.Series) -> pd.DataFrame:
    """What was entered of each customer, in the order of the profile."""
    given = pd.DataFrame({"customer_id": []}) if entered is None else entered
    held = given.assign(**{name: None for name in ENTERED if name not in given.columns})[list(ENTERED)]
    held = held.astype({"customer_id": "str"}).set_index("customer_id").reindex(customers).reset_index(drop=True)
    text = {name: held[name].astype("str") for name in ENTERED[1:] if not name.endswith(("_on", "_at"))}
    days = {name: as_days(held[name]) for name in ("last_contact_on", "next_action_on")}
    moments = {name: _moments(held[name]) for name in ("reviewed_at", "updated_at")}
    return held.assign(**text, **days, **moments)


def _moments(column: pd.Series) -> pd.Series:
    return pd.to_datetime(column.astype("str"), format="ISO8601", utc=True).astype("datetime64[us, UTC]")


def are_of(customers: pd.Series, some: pd.Series) -> pd.Series:
    """Whether each customer is one of some."""
    known = set(some.tolist())  # a hundred times as fast as to ask a column of texts for those of another
    return pd.Series([one in known for one in customers.tolist()], index=customers.index, dtype="bool")


def as_days(column: pd.Series) -> pd.Series:
    """Days in any form as datetime64 without a time."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.astype("datetime64[s]")
    return pd.to_datetime(column.astype("str"), format="ISO8601").astype("datetime64[s]")


def chosen(state: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """The customers of :func:`current` that are wanted.

    Raises
    ------
    SettingsError
        If a field is no column of the profile.
    """
    kept = wanted(state, choice)
    return state if kept.all() else state[kept].reset_index(drop=True)


def asked(choice: Choice, columns: Collection[Any]) -> dict[str, str]:
    """The columns that a choice asks for a value of.

    Raises
    ------
    SettingsError
        If one is none of the columns of the profile.
    """
    named = {name: getattr(choice, name) for name in ("owner", "level", "rank", "region", "industry")}
    fields = {name: value for name, value in named.items() if value is not None} | dict(choice.fields)
    if unknown := sorted(set(fields) - set(columns)):
        raise SettingsError(f"there are no fields {unknown} to choose by. Known: {sorted(map(str, columns))}.")
    return fields


def searchable(state: pd.DataFrame) -> list[str]:
    """What a search looks through, of each customer: its name and its id."""
    texts = [state[name].fillna("").tolist() for name in ("name", "customer_id")]
    return [f"{name}\0{customer}".casefold() for name, customer in zip(*texts, strict=True)]


def wanted(state: pd.DataFrame, choice: Choice, sought_in: list[str] | None = None) -> pd.Series:
    """Whether each customer of :func:`current` is wanted; raises as :func:`asked` does.

    `sought_in` is :func:`searchable` of them, where somebody has it already.
    """
    kept = pd.Series(True, index=state.index)
    for name, value in asked(choice, state.columns).items():
        column = state[name]
        kept &= column.isna() if value == NONE else _as_text(column) == value.casefold()
    if sought := choice.search.strip().casefold():
        texts = searchable(state) if sought_in is None else sought_in
        kept &= np.array([sought in one for one in texts], dtype=bool)
    return kept


def _as_text(column: pd.Series) -> pd.Series:
    """Values as a person types them: 3 for 3.0, true for True; missing is empty."""
    if column.dtype == "object":  # may hold lists, and True beside 1
        return pd.Series([_typed(value) for value in column], index=column.index, dtype="str")
    codes, values = pd.factorize(column)
    typed = np.array([*map(_typed, values), ""], dtype="object")  # a missing value has the code -1
    return pd.Series(typed[codes], index=column.index, dtype="str")


def _typed(value: Any) -> str:
    if isinstance(value, list | tuple | dict):
        return str(value).casefold()
    if pd.isna(value):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(plain(value)).casefold()


def in_order(rows: pd.DataFrame, order: Order) -> pd.DataFrame:
    """Rows in an order of their own; as they are where there is none."""
    if not order:
        return rows
    names, ascending = [name for name, _ in order], [up for _, up in order]
    return rows.sort_values(names, ascending=ascending, kind="stable", ignore_index=True)


def arranged(rows: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """A list in the order that is wanted; rows that are alike keep the list's own.

    Raises
    ------
    SettingsError
        If there is no such column, or it cannot be put in an order.
    """
    if choice.sort is None:
        return rows
    if choice.sort not in rows.columns:
        raise SettingsError(f"there is no column {choice.sort!r} to sort by. Known: {list(rows.columns)}.")
    if any(isinstance(value, list | dict) for value in rows[choice.sort]):
        raise SettingsError(f"the column {choice.sort!r} has no order. Sort by another one.")
    return rows.sort_values(
        choice.sort, ascending=not choice.descending, kind="stable", na_position="last", ignore_index=True
    )


def as_records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data for JSON; unknown is None."""
    return [plain({name: _known(value) for name, value in row.items()}) for row in records(rows)]


def _known(value: Any) -> Any:
    return value.date() if isinstance(value, pd.Timestamp) and value.tzinfo is None else value


def monday(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def week_end(day: date, week_ends: int) -> date:
    """The last working day of a day's week; of the next week where it has passed."""
    return day + timedelta(days=(week_ends - day.weekday()) % 7)


def period(day: date, months: int) -> tuple[date, date]:
    """The month (1), quarter (3) or year (12) of a day: its first day and the first day after it."""
    first = date(day.year, (day.month - 1) // months * months + 1, 1)
    return first, later(first, months)


def later(first: date, months: int) -> date:
    """The first day of a month, so many months later (or earlier)."""
    count = first.year * 12 + first.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)
