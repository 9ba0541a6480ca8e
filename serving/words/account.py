"""Words of the account page: the items of a profile, roles and states of people, issues, and events of the ledger."""

import re
from collections.abc import Mapping

from serving.words.speech import Language, text

#: The fourteen items of :mod:`features.profiles`, in the order of the requirement.
ITEMS: Mapping[str, str] = {
    "basic_information": text("Basic information"),
    "customer_classification": text("Classification"),
    "contact_records": text("Contacts"),
    "customer_contact_files": text("Files on contacts"),
    "quotation_records": text("Quotes"),
    "current_orders": text("Orders under way"),
    "accounts_receivable": text("Open invoices"),
    "sales_expenses": text("Sales expenses"),
    "first_order_date": text("First order"),
    "last_order_date": text("Last order"),
    "cumulative_sales": text("Sales to date"),
    "sales_gross_profit": text("Gross profit to date"),
    "average_purchase_cycle_days": text("Usual time between orders"),
    "estimated_next_purchase_date": text("Next order expected"),
}
#: What an item of several values holds; a column of the company's own is told by its name.
FIELDS: Mapping[str, str] = {
    "customer_id": text("Customer number"),
    "name": text("Name"),
    "industry": text("Industry"),
    "region": text("Region"),
    "province": text("Province"),
    "city": text("City"),
    "type": text("Type"),
    "source": text("Source"),
    "rank": text("Rank"),
    "owner": text("Sales person"),
    "manager": text("Manager"),
    "order_pattern": text("Usual order pattern"),
    "since": text("Customer since"),
    "credit_limit": text("Credit limit"),
    "growth": text("Growth"),
    "competitor_present": text("Competitor present"),
    "budget_months": text("Budget months"),
    "parent_id": text("Parent company"),
    "terms": text("Terms"),
    "earned_rank": text("Rank by its trade"),
    "importance": text("Importance (points)"),
    "importance_factors": text("Points by factor"),
    "temperature": text("Temperature"),
    "stated_risk": text("Risk of leaving"),
    "interactions": text("Contacts in all"),
    "last_90_days": text("In the last 90 days"),
    "last_at": text("Last"),
    "last_channel": text("Channel of the last"),
    "last_owner": text("By whom"),
    "quotes": text("Quotes in all"),
    "amount": text("Amount"),
    "open": text("Still open"),
    "won": text("Quotes won"),
    "lost": text("Quotes lost"),
    "undelivered_lines": text("Lines not delivered yet"),
    "next_promised_on": text("Next promised delivery"),
    "late_lines": text("Lines delivered late"),
    "fill_rate_365d": text("Lines delivered in full, 12 months"),
    "owed": text("Owed"),
    "open_invoices": text("Open invoices"),
    "overdue": text("Of it overdue"),
    "oldest_issued_at": text("Oldest of"),
    "volume": text("Volume"),
    "frequency": text("Frequency"),
    "margin": text("Margin"),
    "competition": text("Competition"),
}
#: Fields that are amounts, and those that are shares.
MONEY = frozenset(("credit_limit", "amount", "owed", "overdue", "cumulative_sales", "sales_gross_profit"))
SHARES = frozenset(("fill_rate_365d",))
#: Values of the contract's closed lists.
VALUES: Mapping[str, Mapping[str, str]] = {
    "order_pattern": {
        "weekly": text("every week"), "semimonthly": text("twice a month"), "monthly": text("every month"),
        "irregular": text("irregular"),
    },
    "growth": {"expanding": text("growing"), "flat": text("steady"), "shrinking": text("shrinking")},
    "last_channel": {
        "visit": text("visit"), "call": text("phone call"), "email": text("e-mail"), "meeting": text("meeting"),
        "message": text("message"), "inquiry": text("inquiry"), "event": text("event"),
    },
}  # fmt: skip
YES, NO = text("Yes"), text("No")

#: Notes on items, as :mod:`features.profiles` writes them; what a group catches is put in as it is.
_NOTES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"source absent: no table of the contract holds (?P<what>.+)"),
        text("No source: the data contract has no table of {what}."),
    ),
    (re.compile(r"source absent: (?P<what>.+)"), text("No source: {what} is not delivered.")),
    (
        re.compile(r"source not in use before (?P<day>\S+): (?P<what>.+)"),
        text("Nothing was delivered of {what} before {day}."),
    ),
    (re.compile(r"no order is known by then"), text("No order is known yet.")),
    (re.compile(r"known for (?P<amount>\S+) of the sales"), text("Known for {amount} of the sales.")),
    (
        re.compile(r"not known below (?P<n>\d+) gaps between order days"),
        text("Not known yet: it takes {n} gaps between order days."),
    ),
    (re.compile(r"on file: (?P<pattern>.+)"), text("On file: {pattern}.")),
    (re.compile(r"median of its own gaps"), text("The middle of its own gaps.")),
    (re.compile(r"overdue by (?P<n>\d+) days"), text("Overdue by {n} days.")),
)
#: What the tables that notes name are called.
_TABLES: Mapping[str, str] = {
    "documents": text("documents"), "expenses": text("expenses"), **VALUES["order_pattern"],
}  # fmt: skip

ROLES: Mapping[str, str] = {
    "technical": text("Technical side"),
    "purchasing": text("Purchasing"),
    "user": text("User"),
    "executive": text("Management"),
    "unknown": text("Role not known"),
}
STATES: Mapping[str, str] = {
    "warm": text("Warm"), "cooling": text("Cooling down"), "lost": text("Contact lost"), "gap": text("Gap"),
}  # fmt: skip
ISSUES: Mapping[str, str] = {
    "overdue milestone": text("Overdue milestone"),
    "open complaint": text("Open complaint"),
    "open repair": text("Open repair"),
    "unanswered quote": text("Unanswered quote"),
    "overdue invoice": text("Overdue invoice"),
    "late delivery": text("Late delivery"),
}
#: Whose the cycle is that a product line is held against.
CYCLES: Mapping[str, str] = {
    "own": text("its own"), "category": text("of other customers"), "cohort": text("of all product lines"),
}  # fmt: skip
BOARD: Mapping[str, str] = {
    "strategy_meeting": text("Strategy meeting"),
    "roadmap": text("Shared roadmap"),
    "joint_rnd": text("Joint development"),
    "joint_marketing": text("Joint marketing"),
    "planned": text("Planned"),
    "in_progress": text("In progress"),
    "done": text("Done"),
    "postponed": text("Postponed"),
    "cancelled": text("Cancelled"),
}
TAGS: Mapping[str, str] = {
    "contact change": text("Change of contact"),
    "policy change": text("Change of policy"),
    "cost cutting": text("Cost cutting"),
}
#: Events of the ledger.
EVENTS: Mapping[str, str] = {
    "episode_opened": text("Warning raised"),
    "episode_changed": text("Warning changed"),
    "episode_closed": text("Warning ended"),
    "step_moved": text("Step of the warning"),
    "exposed": text("Warning seen"),
    "task_created": text("Task made"),
    "task_changed": text("Task changed"),
    "task_closed": text("Task ended"),
    "account_updated": text("Update after a contact"),
    "account_reviewed": text("Looked at"),
    "outcome_recorded": text("Record of the warning"),
    "review_recorded": text("Review of the loss"),
    "feedback_given": text("Word on the warning"),
    "customer_restarted": text("Orders again"),
    "owner_changed": text("Handed over"),
    "decision_noted": text("Decision on a visit"),
    "export_made": text("Exported"),
}
EXPOSURES: Mapping[str, str] = {
    "shown": text("shown"), "opened": text("opened"), "contacted": text("customer contacted"),
}  # fmt: skip


def named(table: Mapping[str, str], code: str, words: Language) -> str:
    """The name of a code; one of the company's own is told as it is written."""
    return words.words(table[code]) if code in table else code.replace("_", " ")


def note_text(note: str, words: Language) -> str:
    """A note on an item in the reader's language; one that is not known here stays as it is."""
    for pattern, message in _NOTES:
        if found := pattern.fullmatch(note):
            return words.words(
                message, **{name: named(_TABLES, told, words) for name, told in found.groupdict().items()}
            )
    return note
