"""Names of the columns of all lists and of what sets tasks off, and how each value is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from features.errors import SettingsError
from serving.words.speech import language, text

#: How a value is told: who it is, a text as it stands, a figure, a day, a code by its name, or several sentences.
Kind = Literal[
    "customer", "name", "person", "text", "level", "stage", "choice", "code",
    "money", "share", "change", "number", "decimal", "times", "days", "day", "month", "moment", "year", "yes",
    "why", "reasons", "step", "rules",
]  # fmt: skip
#: Kinds that stand at the right edge, one figure under the other.
FIGURES = ("money", "share", "change", "number", "decimal", "times", "days")
#: Kinds in whose order a list makes sense to a reader; codes would stand in the order of their letters.
SORTABLE = (*FIGURES, "name", "person", "text", "day", "month", "moment", "year", "yes")
#: Kinds whose largest values are wanted first.
LARGEST_FIRST = (*FIGURES, "day", "month", "moment", "year", "yes")


@dataclass(frozen=True)
class Column:
    """A column: its heading, how its values are told, and for codes the table of their names."""

    heading: str
    kind: Kind
    codes: str = ""


#: Names of codes that people never choose: what they are of -> code -> name.
CODES: Mapping[str, Mapping[str, str]] = {
    "highlight": {"act": text("Act now"), "watch": text("Keep an eye on")},
    "important_by": {
        "rank": text("Its rank on file"), "trade": text("Its trade of the past year"),
        "order_pattern": text("Its regular orders"),
    },
    "status": {
        "potential": text("No order yet"), "active": text("Ordering"), "overdue": text("Order overdue"),
        "about_to_churn": text("About to be lost"), "lost": text("Lost"),
    },
    "outcome": {"draft": text("Draft"), "final": text("Final")},
    "was": {"overdue": text("Overdue"), "lost": text("Lost"), "dormant": text("Dormant")},
}  # fmt: skip

_TEMPERATURE, _RISK = "temperature", "risk"
_SALES_PERSON, _LAST_CONTACT = text("Sales person"), text("Last contact")
_NEXT_ACTION, _DUE_DAY = text("Next action"), text("Due day")

#: Every column of every list.
COLUMNS: Mapping[str, Column] = {
    "customer_id": Column(text("Customer number"), "customer"),
    "name": Column(text("Customer"), "name"),
    "owner": Column(_SALES_PERSON, "person"),
    "supervisor": Column(text("Supervisor"), "person"),
    "rank": Column(text("Customer rank"), "text"),
    "region": Column(text("Region"), "text"),
    "industry": Column(text("Industry"), "text"),
    "level": Column(text("Warning level"), "level"),
    "detected_level": Column(text("Level of the warning"), "level"),
    "stage": Column(text("Stage"), "stage"),
    "queue": Column(text("Queue"), "choice", "queue"),
    "temperature": Column(text("Temperature"), "choice", _TEMPERATURE),
    "risk": Column(text("Risk"), "choice", _RISK),
    "stated_risk": Column(text("Risk entered by people"), "choice", _RISK),
    "engine_risk": Column(text("Risk by the warning level"), "choice", _RISK),
    "status": Column(text("Status"), "code", "status"),
    "highlight": Column(text("What it calls for"), "code", "highlight"),
    "important_by": Column(text("Important by"), "code", "important_by"),
    "was": Column(text("Was before"), "code", "was"),
    "outcome": Column(text("State of the record"), "code", "outcome"),
    "approach": Column(text("What was done"), "choice", "approach"),
    "stopped_why": Column(text("Why the orders had stopped"), "choice", "why"),
    "shown": Column(text("Chance may be told"), "text"),
    "also_on": Column(text("Also on"), "rules"),
    "why": Column(text("Why on this list"), "why"),
    "reasons": Column(text("Strongest reasons"), "reasons"),
    "tags": Column(text("Why to follow up closely"), "rules"),
    "next_step": Column(text("Next step"), "step"),
    "next_action_on": Column(_NEXT_ACTION, "day"),
    "next_action_text": Column(text("What is planned"), "text"),
    "due_on": Column(_DUE_DAY, "day"),
    "days_since_last_order": Column(text("No order for"), "days"),
    "order_cycle_days": Column(text("Usual time between orders"), "days"),
    "days_late": Column(text("Days late"), "days"),
    "cycles": Column(text("Silence in usual times"), "times"),
    "days_since_last_interaction": Column(text("No contact for"), "days"),
    "days_not_visited": Column(text("No visit for"), "days"),
    "last_contact_on": Column(_LAST_CONTACT, "day"),
    "last_order_on": Column(text("Last order"), "day"),
    "first_order_on": Column(text("First order"), "day"),
    "last_visit_on": Column(text("Last visit"), "day"),
    "last_coupon_on": Column(text("Last coupon"), "day"),
    "last_lost_quote_on": Column(text("Last lost quote"), "day"),
    "year": Column(text("Year of the last order"), "year"),
    "churn_probability": Column(text("Chance of no order"), "share"),
    "value_at_risk": Column(text("Value at risk"), "money"),
    "expected_loss": Column(text("Expected loss"), "money"),
    "reviewed_at": Column(text("Last review"), "moment"),
    "reviewed_by": Column(text("Reviewed by"), "text"),
    "review_overdue": Column(text("Review overdue"), "yes"),
    "updated_on": Column(text("Last update"), "day"),
    "updated_by": Column(text("Updated by"), "text"),
    "signed_on": Column(text("Signed on"), "day"),
    "starts_on": Column(text("Begins on"), "day"),
    "ends_on": Column(text("Ends on"), "day"),
    "accounts": Column(text("Customers"), "number"),
    "silent": Column(text("Without contact for long"), "number"),
    "unknown": Column(text("Last contact not known"), "number"),
    "day": Column(text("Day"), "day"),
    "begins": Column(text("Month"), "month"),
    "days": Column(text("Days with contacts"), "number"),
    "customers": Column(text("Customers contacted"), "number"),
    "contacts": Column(text("Contacts"), "number"),
    "effective": Column(text("Effective"), "number"),
    "high_value": Column(text("Of high value"), "number"),
    "unsuccessful": Column(text("Unsuccessful"), "number"),
    "logged": Column(text("Recorded in time"), "number"),
    "success_rate": Column(text("Success rate"), "share"),
    "loss_rate": Column(text("Loss rate"), "share"),
    "logged_share": Column(text("Share recorded in time"), "share"),
    "contacts_per_day": Column(text("Contacts a day"), "decimal"),
    "orders_month_to_date": Column(text("Orders this month"), "number"),
    "orders_previous_month_to_date": Column(text("Orders by this day last month"), "number"),
    "orders_change": Column(text("Change of orders"), "change"),
    "revenue_month_to_date": Column(text("Revenue this month"), "money"),
    "revenue_previous_month_to_date": Column(text("Revenue by this day last month"), "money"),
    "revenue_change": Column(text("Change of revenue"), "change"),
    "revenue_previous_month": Column(text("Revenue last month"), "money"),
    "longest_gap_ended_on": Column(text("Ordered again on"), "day"),
    "longest_gap_ended_days": Column(text("Silent before for"), "days"),
    "longest_gap_ended_amount": Column(text("Amount of the order"), "money"),
    "previous": Column(text("30 days before"), "money"),
    "current": Column(text("Last 30 days"), "money"),
    "drop": Column(text("Fall"), "share"),
}

#: Columns that count something else on one list.
ON_LIST: Mapping[tuple[str, str], Column] = {
    ("orders_slump", "previous"): Column(text("Orders in the 30 days before"), "number"),
    ("orders_slump", "current"): Column(text("Orders in the last 30 days"), "number"),
    ("orders_slump", "drop"): Column(text("Fewer orders"), "number"),
}

#: What a task was set off by, fact by fact, as far as there are words for it.
FACTS: Mapping[str, Column] = {
    "level": Column(text("Level at that time"), "level"),
    "rank": Column(text("Customer rank"), "text"),
    "days_since_last_order": COLUMNS["days_since_last_order"],
    "order_cycle_days": COLUMNS["order_cycle_days"],
    "late_order_multiple": Column(text("Late from so many usual times on"), "times"),
    "stopped_order_multiple": Column(text("Stopped from so many usual times on"), "times"),
    "amount_30d": Column(text("Revenue in the last 30 days"), "money"),
    "amount_30d_before": Column(text("Revenue in the 30 days before"), "money"),
    "revenue_drop_share_30d": Column(text("Fall of revenue"), "share"),
    "slump_revenue_share": Column(text("A slump from a fall of"), "share"),
    "orders_30d": Column(text("Orders in the last 30 days"), "number"),
    "orders_30d_before": Column(text("Orders in the 30 days before"), "number"),
    "orders_drop_30d": Column(text("Fewer orders"), "number"),
    "slump_orders": Column(text("A slump from so many fewer orders"), "number"),
    "temperature": COLUMNS["temperature"],
    "days_since_temperature_fell": Column(text("Time since the temperature fell"), "days"),
    "last_rating": Column(text("Last rating"), "number"),
    "rating_before_last": Column(text("Rating before"), "number"),
    "low_rating": Column(text("Low up to a rating of"), "number"),
    "attempts_since_last_response": Column(text("Attempts without an answer"), "number"),
    "unanswered_attempts": Column(text("Too many from so many on"), "number"),
    "waiting_days": Column(text("Time since the last attempt"), "days"),
    "days_since_last_contact": COLUMNS["days_since_last_interaction"],
    "contact_days": Column(text("A contact is due after"), "days"),
    "changed_on": Column(text("Changed on"), "day"),
    "lost_on": Column(text("Counts as lost since"), "day"),
    "crossed_on": Column(text("True since"), "day"),
}


def column_of(name: str, of_list: str = "") -> Column:
    """A column of a list.

    Raises
    ------
    SettingsError
        If no list has such a column.
    """
    found = ON_LIST.get((of_list, name)) or COLUMNS.get(name)
    if found is None:
        raise SettingsError(f"no list has a column {name!r}.")
    return found


def code_name(codes: str, code: str, locale: str = "en") -> str:
    """The name of a code; one that has none stays as it is."""
    return language(locale).named(CODES.get(codes, {}).get(code, code))
