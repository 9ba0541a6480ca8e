"""What a company hands over: the input contract as data.

Thirteen tables, their columns, types, units, allowed values, keys and the two clocks stand here once. The
checks at the door, the types of the clean events, the words of the errors and ``docs/contract.md`` are all
derived from it.

``python -m features.contract > docs/contract.md`` writes the page again after a change.
"""

from collections.abc import Iterator

from features.tables import (
    ALWAYS_KNOWN,
    KNOWN_AT,
    RECORDED_AT,
    RESERVED,
    SQL_TYPES,
    Column,
    ColumnType,
    Table,
)

__all__ = [
    "ALWAYS_KNOWN",
    "CONTRACT",
    "KNOWN_AT",
    "RECORDED_AT",
    "REQUIRED_TABLE",
    "RESERVED",
    "SQL_TYPES",
    "Column",
    "ColumnType",
    "Table",
    "contract_page",
]

MONTHS = r"(0?[1-9]|1[0-2])(,\s*(0?[1-9]|1[0-2]))*"
RANKS = ("A", "B", "C", "D")
ORDER_PATTERNS = ("weekly", "semimonthly", "monthly", "irregular")
GROWTHS = ("expanding", "flat", "shrinking")
TEMPERATURES = ("hot", "warm", "cool", "cold")
RISKS = ("low", "medium", "high", "urgent")
ROLES = ("technical", "purchasing", "user", "executive")

_FIELD_VALUES = (
    ("field", "temperature", TEMPERATURES),
    ("field", "risk", RISKS),
    ("field", "rank", RANKS),
    ("field", "order_pattern", ORDER_PATTERNS),
    ("field", "growth", GROWTHS),
)


def _id(name: str, meaning: str, *, required: bool = True) -> Column:
    return Column(name, "id", meaning, required=required)


def _text(name: str, meaning: str, *values: str, required: bool = False, later: str | None = None) -> Column:
    return Column(name, "text", meaning, required=required, values=values, later=later)


def _at(name: str, meaning: str, *, required: bool = False, later: bool = False) -> Column:
    return Column(name, "timestamp", meaning, required=required, later=name if later else None)


def _money(name: str, meaning: str, *, required: bool = False) -> Column:
    return Column(name, "money", meaning, required=required, unit="base currency")


def _yes(name: str, meaning: str, *, later: str | None = None) -> Column:
    return Column(name, "boolean", meaning, later=later)


_CUSTOMER = _id("customer_id", "the account")
_RECORDED = _at(RECORDED_AT, "when the row became known to the company; default: its own time")


def _customers() -> Table:
    return Table(
        name="customers",
        row="one account (if the whole table is absent, the accounts are those in `transactions`)",
        key=("customer_id",),
        further=True,
        columns=(
            _CUSTOMER,
            _text("name", "name of the account"),
            _text("industry", "industry"),
            _text("region", "region, as in `market_events`"),
            _text("province", "province or prefecture"),
            _text("city", "city"),
            _text("type", "type of account"),
            _text("source", "how the account was won"),
            _text("rank", "importance, A the highest", *RANKS),
            _text("owner", "sales person, as in `absences`"),
            _text("manager", "the sales person's manager"),
            _text("order_pattern", "usual rhythm of orders", *ORDER_PATTERNS),
            _at("since", "first day of trade"),
            _money("credit_limit", "credit limit"),
            _text("growth", "how the account's own business goes", *GROWTHS),
            _yes("competitor_present", "another vendor is coming in"),
            Column("budget_months", "text", "months of the budget, e.g. `10` or `3,9`", pattern=MONTHS),
            _id("parent_id", "the account that this one belongs to", required=False),
        ),
    )


def _contacts() -> Table:
    return Table(
        name="contacts",
        row="one person at an account, for a time",
        key=("customer_id", "contact_id", "valid_from"),
        time="valid_from",
        planned=True,
        columns=(
            _CUSTOMER,
            _id("contact_id", "the person"),
            _text("name", "name of the person"),
            _text("department", "department"),
            _text("title", "title"),
            _text("role", "part in a purchase", *ROLES),
            _at("valid_from", "first day in this place; default: always"),
            _at("valid_to", "last day in this place", later=True),
            _RECORDED,
        ),
    )


def _transactions() -> Table:
    return Table(
        name="transactions",
        row="one order line",
        time="ordered_at",
        columns=(
            _CUSTOMER,
            _id("order_id", "the order; several lines may share it"),
            _at("ordered_at", "when it was ordered", required=True),
            _money("amount", "net; negative = return or credit note", required=True),
            _id("product_id", "the product", required=False),
            _text("product_line", "family of products"),
            Column("quantity", "number", "ordered quantity; negative = return", unit="pieces"),
            _money("margin", "gross profit of the line"),
            _money("list_amount", "the line at list prices"),
            _yes("urgent", "ordered as urgent"),
            _yes("trial", "a trial order"),
            _at("promised_at", "delivery as promised"),
            _at("delivered_at", "delivery as it came", later=True),
            Column("delivered_quantity", "number", "delivered quantity", unit="pieces", later="delivered_at"),
            _text("currency", "currency of the order; amounts are in the base currency all the same"),
            _RECORDED,
        ),
    )


def _interactions() -> Table:
    channels = ("visit", "call", "email", "meeting", "message", "inquiry", "event", "other")
    return Table(
        name="interactions",
        row="one contact with the account, either way",
        key=("interaction_id",),
        time="occurred_at",
        columns=(
            _CUSTOMER,
            _id("interaction_id", "the contact"),
            _at("occurred_at", "when it took place", required=True),
            _text("channel", "by what way", *channels),
            _text("direction", "inbound: the account came to us", "inbound", "outbound"),
            _id("contact_id", "the person, as in `contacts`", required=False),
            _text("role", "the person's part in a purchase", *ROLES),
            _text("owner", "our sales person"),
            _at("replied_at", "when the other side replied", later=True),
            _yes("invited", "the account was invited"),
            _yes("attended", "the account came"),
            _text("result", "what came of it", "effective", "high_value", "unsuccessful"),
            _text("text", "what was said or written"),
            _RECORDED,
        ),
    )


def _quotes() -> Table:
    return Table(
        name="quotes",
        row="one quotation",
        key=("quote_id",),
        time="quoted_at",
        columns=(
            _CUSTOMER,
            _id("quote_id", "the quotation"),
            _at("quoted_at", "when it was sent", required=True),
            _money("amount", "quoted amount"),
            Column("asked_discount", "share", "discount asked for", unit="0 to 1", lowest=0, highest=1),
            _text("status", "what became of it", "open", "won", "lost", later="closed_at"),
            _at("closed_at", "when it was won or lost", later=True),
            _RECORDED,
        ),
    )


def _services() -> Table:
    kinds = ("complaint", "repair", "maintenance", "training", "upgrade", "survey")
    rating = Column("rating", "number", "rating given", unit="1 to 5", lowest=1, highest=5, later="rated_at")
    return Table(
        name="services",
        row="one ticket, offer or appointment",
        key=("ticket_id",),
        time="opened_at",
        columns=(
            _CUSTOMER,
            _id("ticket_id", "the ticket"),
            _text("kind", "what it is about", *kinds, required=True),
            _at("opened_at", "when it was opened or offered", required=True),
            _at("resolved_at", "when it was resolved", later=True),
            _yes("accepted", "the offer was accepted", later="answered_at"),
            _at("answered_at", "when the offer was answered", later=True),
            rating,
            _at("rated_at", "when the rating was given", later=True),
            _RECORDED,
        ),
    )


def _finances() -> Table:
    return Table(
        name="finances",
        row="one invoice",
        key=("invoice_id",),
        time="issued_at",
        columns=(
            _CUSTOMER,
            _id("invoice_id", "the invoice"),
            _at("issued_at", "when it was issued", required=True),
            _money("amount", "invoiced amount", required=True),
            _at("due_at", "when payment is due"),
            _at("confirmed_at", "when the account confirmed it", later=True),
            _at("paid_at", "when it was paid", later=True),
            _yes("disputed", "the account disputes it", later="disputed_at"),
            _at("disputed_at", "when it was disputed", later=True),
            _RECORDED,
        ),
    )


def _partnerships() -> Table:
    kinds = ("strategy_meeting", "roadmap", "joint_rnd", "joint_marketing", "document_request")
    statuses = ("planned", "done", "postponed", "cancelled")
    return Table(
        name="partnerships",
        row="one milestone or joint activity",
        key=("activity_id",),
        time="planned_at",
        planned=True,
        columns=(
            _CUSTOMER,
            _id("activity_id", "the milestone or activity"),
            _text("kind", "what it is", *kinds),
            _at("planned_at", "the day it was planned for", required=True),
            _at("done_at", "when it was done", later=True),
            _text("status", "where it stands", *statuses, later="done_at"),
            _text("explanation", "why it is late or off"),
            _text("level", "rank of the people who take part"),
            _RECORDED,
        ),
    )


def _account_changes() -> Table:
    fields = "temperature, risk, contact, owner, rank, order_pattern, terms, credit_limit, competitor, growth"
    status = "status (closed, blocked, insolvent, merged or moved ends all warnings, active brings them back)"
    return Table(
        name="account_changes",
        row="one change of an account's file",
        time="changed_at",
        columns=(
            _CUSTOMER,
            _at("changed_at", "when it was changed", required=True),
            _text("field", f"what was changed: {fields}, {status}, next_action, note, ...", required=True),
            Column("old", "text", "value before", values_where=_FIELD_VALUES),
            Column("new", "text", "value after", values_where=_FIELD_VALUES),
            _text("author", "who changed it"),
            _RECORDED,
        ),
    )


def _promotions_and_contracts() -> Iterator[Table]:
    yield Table(
        name="promotions",
        row="one coupon or promotion given",
        time="issued_at",
        columns=(
            _CUSTOMER,
            _at("issued_at", "when it was given", required=True),
            _money("amount", "what it is worth"),
            _at("used_at", "when it was used", later=True),
            _RECORDED,
        ),
    )
    yield Table(
        name="contracts",
        row="one contract",
        key=("contract_id",),
        time="signed_at",
        columns=(
            _CUSTOMER,
            _id("contract_id", "the contract"),
            _at("signed_at", "when it was signed", required=True),
            _at("starts_at", "first day"),
            _at("ends_at", "last day"),
            _money("amount", "agreed amount"),
            _RECORDED,
        ),
    )


def _absences_and_market_events() -> Iterator[Table]:
    yield Table(
        name="absences",
        row="one absence of a sales person",
        time="starts_at",
        planned=True,
        columns=(
            _text("owner", "the sales person", required=True),
            _at("starts_at", "first day", required=True),
            _at("ends_at", "last day"),
            _RECORDED,
        ),
    )
    yield Table(
        name="market_events",
        row="one act of a competitor or of the market",
        time="occurred_at",
        published="published_at",
        columns=(
            _text("region", "region, as in `customers`", required=True),
            _at("occurred_at", "when it happened", required=True),
            _text("competitor", "which competitor"),
            _text("kind", "what it is"),
            _at("published_at", "when it could be known; default of `recorded_at` here"),
            Column("value", "number", "size, in the source's own unit"),
            _RECORDED,
        ),
    )


def _tables() -> Iterator[Table]:
    yield _customers()
    yield _contacts()
    yield _transactions()
    yield _interactions()
    yield _quotes()
    yield _services()
    yield _finances()
    yield _partnerships()
    yield _account_changes()
    yield from _promotions_and_contracts()
    yield from _absences_and_market_events()


CONTRACT: dict[str, Table] = {table.name: table for table in _tables()}
"""The input contract: table name to table, in the order of the page."""

REQUIRED_TABLE = "transactions"
"""The one table that no source may lack."""


def contract_page() -> str:
    """The text of ``docs/contract.md``, in Markdown."""
    from features.contract_page import page
    from features.mapping import layout_names

    return page(CONTRACT, layout_names())


if __name__ == "__main__":
    print(contract_page(), end="")
