"""What became known of accounts' files between two cutoffs: each change once, on the first day that knows it."""

from datetime import date, timedelta

import pytest
from accounts_at import InMemory
from orders import lines

from features.file_changes import COLUMNS, new_changes

TODAY = date(2026, 3, 3)
DAY = timedelta(days=1)
ORDERS = "customer_id order_id ordered_at amount\nA 1 2026-01-05 100\nB 2 2026-01-06 100"


def told(changes: str, since: date = TODAY - DAY, as_of: date = TODAY) -> list[tuple[object, ...]]:
    """What is new, from rows of `account_changes`."""
    events = InMemory({"transactions": lines(ORDERS), "account_changes": lines(changes)})
    return list(new_changes(events, since, as_of).itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("changed_at", "new"),
    [("2026-03-01", False), ("2026-03-02", True), ("2026-03-03", False)],
)
def test_a_change_is_news_on_the_day_after_it_and_on_no_other(changed_at: str, new: bool) -> None:
    # the cutoff is midnight: what happens on the day itself is not known yet, what happened before yesterday was known
    found = told(f"customer_id changed_at field old new author\nA {changed_at} temperature warm cool kim")
    day = date.fromisoformat(changed_at)
    assert found == ([("A", "temperature", "warm", "cool", day)] if new else [])


def test_a_change_that_was_recorded_late_is_news_when_it_is_recorded_and_bears_its_own_day() -> None:
    rows = (
        "customer_id changed_at field old new author recorded_at\n"
        "A 2026-02-01 contact Mori Tanaka kim {}\n"
        "A 2026-02-10 temperature hot cool kim 2026-02-10"
    )
    recorded = {day: told(rows.format(day)) for day in ("2026-03-01", "2026-03-02", "2026-03-03")}
    assert recorded["2026-03-01"] == recorded["2026-03-03"] == []
    assert recorded["2026-03-02"] == [("A", "contact", "Mori", "Tanaka", date(2026, 2, 1))]


def test_a_change_recorded_late_makes_no_news_of_the_one_after_it() -> None:
    # without a value before, a change has that of the one before it, which is another one from now on
    rows = (
        "customer_id changed_at field old new author recorded_at\n"
        "A 2026-02-01 temperature - hot kim 2026-03-02\n"
        "A 2026-02-10 temperature - cool kim 2026-02-10"
    )
    assert told(rows) == [("A", "temperature", None, "hot", date(2026, 2, 1))]


def test_a_run_after_missed_days_tells_of_all_of_them_in_order() -> None:
    rows = (
        "customer_id changed_at field old new author\n"
        "B 2026-02-20 risk low high kim\n"
        "A 2026-02-27 contact Mori Tanaka kim\n"
        "A 2026-02-21 owner kim lee admin\n"
        "A 2026-02-19 risk low urgent kim"
    )
    assert told(rows, since=date(2026, 2, 20)) == [
        ("A", "owner", "kim", "lee", date(2026, 2, 21)),
        ("A", "contact", "Mori", "Tanaka", date(2026, 2, 27)),
        ("B", "risk", "low", "high", date(2026, 2, 20)),
    ]


def test_what_changes_nothing_or_is_no_field_of_the_kind_is_no_news() -> None:
    rows = (
        "customer_id changed_at field old new author\n"
        "A 2026-03-02 contact Mori Mori kim\n"
        "A 2026-03-02 note - spoke_to_him kim"
    )
    assert told(rows) == []


def test_on_the_first_run_a_value_that_was_never_there_before_is_told_without_one() -> None:
    # the first run asks for the day alone: its day before is the day before
    rows = "customer_id changed_at field old new author\nA 2026-03-02 risk - urgent kim\nB 2026-01-02 risk - high kim"
    assert told(rows) == [("A", "risk", None, "urgent", date(2026, 3, 2))]


def test_a_company_without_such_a_table_has_no_news() -> None:
    found = new_changes(InMemory({"transactions": lines(ORDERS)}), TODAY - DAY, TODAY)
    assert (len(found), tuple(found)) == (0, COLUMNS)
    assert found["customer_id"].dtype == "str"
