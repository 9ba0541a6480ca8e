"""What can be read: the morning, lists, customers with the company's own fields, profiles, timelines, files."""

import csv
import io
from typing import Any

import openpyxl
import pytest
from served import Served

from serving.api_data import NAMES
from serving.exports import MEDIA_TYPES

pytest_plugins = ["served_company"]


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["customer_id"] for row in answer.json()["items"]]


def test_lv_01_one_call_gives_the_four_lists_with_counts_and_rows_that_say_what_to_do(served: Served) -> None:
    told = served.get("ann", "/morning").json()
    assert list(told["lists"]) == ["red", "yellow", "blue", "grey"]
    assert told["counts"] == {"red": 1, "yellow": 0, "blue": 0, "grey": 0}
    (row,) = told["lists"]["red"]
    assert (row["customer_id"], row["days_late"], row["owner"]) == ("K-AOKI", 45.0, "Ann")
    assert row["why"][0]["code"] == "important_orders_stopped"
    assert row["next_step"]["task_id"] == "t-K-AOKI"
    assert (told["as_of"], row["due_on"]) == ("2024-07-01", "2024-07-07")


@pytest.mark.parametrize("name", NAMES)
def test_every_registered_list_can_be_read_and_has_its_columns(served: Served, name: str) -> None:
    (columns,) = (row["columns"] for row in served.get("admin", "/lists").json()["items"] if row["name"] == name)
    told = served.get("admin", f"/lists/{name}").json()
    assert all(list(row) == columns for row in told["items"])
    assert told["total"] == len(told["items"])


def test_dm_14_a_profile_has_fourteen_items_and_says_which_source_is_absent(served: Served) -> None:
    told = served.get("ann", "/customers/K-AOKI/profile").json()
    assert list(told) == [
        "basic_information",
        "customer_classification",
        "contact_records",
        "customer_contact_files",
        "quotation_records",
        "current_orders",
        "accounts_receivable",
        "sales_expenses",
        "first_order_date",
        "last_order_date",
        "cumulative_sales",
        "sales_gross_profit",
        "average_purchase_cycle_days",
        "estimated_next_purchase_date",
    ]
    assert told["cumulative_sales"]["value"] == 4500.0
    assert told["last_order_date"]["value"] == "2024-04-17"
    for name in ("quotation_records", "accounts_receivable", "sales_expenses"):
        assert told[name]["value"] is None, "never a made-up 0"
        assert told[name]["note"].startswith("source absent")


def test_op_01_a_column_of_the_companys_own_filters_sorts_and_is_shown(served: Served) -> None:
    assert ids(served.get("admin", "/customers", where="segment=gold")) == ["K-AOKI"]
    assert ids(served.get("admin", "/customers", where="segment=(none)")) == ["K-BOLT", "K/CORD"]
    rows = served.get("admin", "/customers", sort="segment", column="segment").json()["items"]
    assert [row["segment"] for row in rows] == ["gold", None, None]
    assert ids(served.get("admin", "/lists/red", where="segment=silver")) == []
    assert ids(served.get("admin", "/scores", where="segment=gold")) == ["K-AOKI"]


def test_customers_are_found_by_a_part_of_the_name_filtered_and_sorted(served: Served) -> None:
    assert ids(served.get("admin", "/customers", q="WORKS")) == ["K-AOKI"]
    assert ids(served.get("admin", "/customers", region="South", sort="name")) == ["K-BOLT", "K/CORD"]
    assert ids(served.get("admin", "/customers", owner="(none)")) == ["K/CORD"]
    assert ids(served.get("admin", "/customers", sort="value_at_risk")) == ["K/CORD", "K-BOLT", "K-AOKI"]
    assert ids(served.get("admin", "/customers", sort="-value_at_risk")) == ["K-AOKI", "K-BOLT", "K/CORD"]


@pytest.mark.parametrize(
    ("limit", "offset", "found"),
    [(1, 0, ["K-AOKI"]), (2, 1, ["K-BOLT", "K/CORD"]), (200, 2, ["K/CORD"]), (200, 3, []), (1, 10_000_000, [])],
)
def test_a_list_comes_in_pages_and_every_page_says_how_many_there_are(
    served: Served, limit: int, offset: int, found: list[str]
) -> None:
    answer = served.get("admin", "/customers", limit=limit, offset=offset)
    assert ids(answer) == found
    assert (answer.json()["total"], answer.json()["limit"], answer.json()["offset"]) == (3, limit, offset)


def test_a_customer_is_told_with_its_score_reasons_rules_warnings_and_tasks(served: Served) -> None:
    told = served.get("ann", "/customers/K-AOKI").json()
    assert (told["customer"]["level"], told["customer"]["churn_probability"]) == ("orange", 0.5)
    assert told["reasons"][0]["text"] == "Silent 75 days."
    assert told["signals"][0]["evidence"] == {"days_since_last_order": 75.0, "order_cycle_days": 30.0}
    assert list(told["lists"]) == ["red"]
    assert [row["episode_id"] for row in told["episodes"]] == ["e-K-AOKI"]
    assert [row["task_id"] for row in told["tasks"]] == ["t-K-AOKI"]
    assert told["entered"] is None


def test_lv_25_a_warning_stands_on_the_timeline_after_the_events_that_caused_it(served: Served) -> None:
    rows = served.get("ann", "/customers/K-AOKI/timeline").json()["items"]
    assert [(row["kind"], row["happened_at"][:10]) for row in rows] == [
        ("warning", "2024-07-01"),
        ("visit", "2024-06-01"),
        ("order", "2024-04-17"),
        ("order", "2024-03-18"),
        ("order", "2024-02-17"),
    ]
    assert rows[0]["level"] == "orange"


def test_lv_14_every_role_of_the_decision_chain_has_a_row_and_a_missing_one_is_a_gap(served: Served) -> None:
    people = served.get("ann", "/customers/K-AOKI/chain").json()["people"]
    assert {(row["role"], row["state"]) for row in people} == {
        (role, "gap") for role in ("technical", "purchasing", "user", "executive")
    }


def test_health_signals_and_plays_of_a_customer_are_those_of_the_day(served: Served) -> None:
    (health,) = served.get("ann", "/customers/K-AOKI/health").json()["items"]
    assert (health["health"], health["health_reference"], health["health_drop"]) == (60.0, 80.0, 25.0)
    (signal,) = served.get("ann", "/customers/K-AOKI/signals").json()["items"]
    assert (signal["rule"], signal["since"]) == ("order_late", "2024-07-01")
    (play,) = served.get("ann", "/episodes/e-K-AOKI/plays").json()["items"]
    assert (play["play"], play["by"], play["share"]) == ("inventory_plan", "mapping", None)


def test_a_report_is_told_as_it_was_published(served: Served) -> None:
    assert served.get("viewer", "/reports").json()["items"] == [{"name": "track_record"}]
    assert served.get("viewer", "/reports/track_record").json()["content"] == {"precision": 0.5, "n": 40}
    assert served.get("viewer", "/reports/nothing").status_code == 404
    (run,) = served.get("viewer", "/runs").json()["items"]
    assert (run["as_of"], run["model_version"], run["customers"]) == ("2024-07-01", "m1", 3)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_list_as_a_file_holds_the_rows_of_the_page(served: Served, kind: str) -> None:
    page = served.get("ann", "/lists/red").json()["items"]
    answer = served.get("ann", "/exports/red", format=kind)
    assert answer.headers["content-type"] == MEDIA_TYPES[kind]
    assert answer.headers["content-disposition"] == f'attachment; filename="red-2024-07-01.{kind}"'
    if kind == "csv":
        head, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    else:
        (head, *rows) = openpyxl.load_workbook(io.BytesIO(answer.content)).active.iter_rows(values_only=True)
    assert list(head) == list(page[0])
    assert [row[0] for row in rows] == ["K-AOKI"]
    assert float(rows[0][list(head).index("days_late")]) == 45


def test_who_took_a_file_is_in_the_ledger(served: Served) -> None:
    served.get("ann", "/exports/red")
    (made,) = served.service.store.history(kinds=["export_made"])
    assert (made.event.actor, made.event.payload) == ("ann", {"list": "red", "format": "csv", "rows": 1})
