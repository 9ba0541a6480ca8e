"""The contract is the public promise: its tables, its columns, its page."""

from pathlib import Path

import pytest

from features.contract import CONTRACT, KNOWN_AT, RECORDED_AT, contract_page

PAGE = Path(__file__).parents[1] / "docs" / "contract.md"

PROMISED = {
    "customers": "customer_id* name industry region province city type source rank owner manager order_pattern "
    "since credit_limit growth competitor_present budget_months parent_id",
    "contacts": "customer_id* contact_id* name department title role valid_from valid_to",
    "transactions": "customer_id* order_id* ordered_at* amount* product_id product_line quantity margin "
    "list_amount urgent trial promised_at delivered_at delivered_quantity currency",
    "interactions": "customer_id* interaction_id* occurred_at* channel direction contact_id role owner replied_at "
    "invited attended result text",
    "quotes": "customer_id* quote_id* quoted_at* amount asked_discount status closed_at",
    "services": "customer_id* ticket_id* kind* opened_at* resolved_at accepted answered_at rating rated_at",
    "finances": "customer_id* invoice_id* issued_at* amount* due_at confirmed_at paid_at disputed disputed_at",
    "partnerships": "customer_id* activity_id* kind planned_at* done_at status explanation level",
    "account_changes": "customer_id* changed_at* field* old new author",
    "promotions": "customer_id* issued_at* amount used_at",
    "contracts": "customer_id* contract_id* signed_at* starts_at ends_at amount",
    "absences": "owner* starts_at* ends_at",
    "market_events": "region* occurred_at* competitor kind published_at value",
}

LATER = {
    "replied_at": "replied_at",
    "resolved_at": "resolved_at",
    "accepted": "answered_at",
    "rating": "rated_at",
    "confirmed_at": "confirmed_at",
    "paid_at": "paid_at",
    "disputed": "disputed_at",
    "delivered_at": "delivered_at",
    "done_at": "done_at",
    "closed_at": "closed_at",
}


def test_every_promised_table_has_its_promised_columns_and_no_other():
    written = {
        name: " ".join(column.name + "*" * column.required for column in table.columns if column.name != RECORDED_AT)
        for name, table in CONTRACT.items()
    }
    assert written == PROMISED


def test_every_event_table_may_say_when_a_row_was_recorded():
    assert {name for name, table in CONTRACT.items() if RECORDED_AT not in table.names} == {"customers"}


@pytest.mark.parametrize(("fact", "known_from"), LATER.items())
def test_a_later_fact_names_the_time_from_which_it_is_known(fact, known_from):
    columns = [column for table in CONTRACT.values() for column in table.columns if column.name == fact]
    assert [column.later for column in columns] == [known_from] * len(columns)
    assert columns


def test_the_outcome_of_a_quote_is_a_later_fact_too():
    assert CONTRACT["quotes"].column("status").later == "closed_at"
    assert CONTRACT["transactions"].column("delivered_quantity").later == "delivered_at"


@pytest.mark.parametrize("table", CONTRACT.values(), ids=lambda table: table.name)
def test_what_a_table_says_of_its_columns_is_about_its_own_columns(table):
    assert len(set(table.names)) == len(table.names)
    assert KNOWN_AT not in table.names
    assert set(table.key) <= set(table.names)
    times = [column.later for column in table.columns if column.later] + [table.time or "", table.published or ""]
    for name in filter(None, times):
        assert table.column(name).type == "timestamp"
    for column in table.columns:
        assert column.meaning
        assert column.type == "timestamp" or not column.name.endswith("_at")


@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        ("customers", "rank", "A B C D"),
        ("customers", "order_pattern", "weekly semimonthly monthly irregular"),
        ("customers", "growth", "expanding flat shrinking"),
        ("contacts", "role", "technical purchasing user executive"),
        ("interactions", "channel", "visit call email meeting message inquiry event other"),
        ("interactions", "direction", "inbound outbound"),
        ("interactions", "result", "effective high_value unsuccessful"),
        ("quotes", "status", "open won lost"),
        ("services", "kind", "complaint repair maintenance training upgrade survey"),
        ("partnerships", "kind", "strategy_meeting roadmap joint_rnd joint_marketing document_request"),
        ("partnerships", "status", "planned done postponed cancelled"),
    ],
)
def test_an_enumeration_holds_the_promised_values(table, column, values):
    assert " ".join(CONTRACT[table].column(column).values) == values


def test_an_unknown_column_is_an_error_that_names_the_table():
    with pytest.raises(KeyError, match="quotes has no column 'colour'"):
        CONTRACT["quotes"].column("colour")


def test_the_page_on_disk_is_what_the_contract_writes():
    assert PAGE.read_text(encoding="utf-8") == contract_page(), "python -m features.contract > docs/contract.md"


def test_the_page_tells_of_every_table_and_column():
    sections = contract_page().split("\n### ")[1:]
    assert [section.split("\n")[0] for section in sections] == list(CONTRACT)
    for section, table in zip(sections, CONTRACT.values(), strict=True):
        for column in table.columns:
            assert f"| `{column.name}`{'*' * column.required} | {column.type} | {column.meaning} |" in section
