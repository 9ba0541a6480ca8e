"""What a company hands over of what happened: late entries, one midnight's extract, rows delivered twice."""

from datetime import date
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from simulated import END, normal, orders_alone

from features.contract import CONTRACT
from features.simulate import simulate
from features.simulate.arrays import Span
from features.simulate.recording import BEFORE, MASTER_TABLES, recorded

SPAN = Span(np.datetime64("2024-01-01"), 100)
MIDNIGHT = pd.Timestamp(2024, 4, 10)
SECOND = pd.Timedelta(seconds=1)
#: Just before the extract, at it, just after it.
BEFORE_AT_AFTER = [MIDNIGHT - SECOND, MIDNIGHT, MIDNIGHT + SECOND]
EVENT_TABLES = [table for table in CONTRACT.values() if table.time is not None]
LATER = [(table.name, column.name) for table in EVENT_TABLES for column in table.columns if column.later]


def stream(part: str) -> np.random.Generator:
    return np.random.default_rng(crc32(part.encode()))


def handed_over(name: str, rows: pd.DataFrame, **chances: float) -> pd.DataFrame:
    """One table as it is extracted, nobody being late and nothing delivered twice but as said."""
    preset = normal(**{"late_rows": 0.0, "duplicates": 0.0, **chances})
    return recorded({name: rows}, preset, SPAN, stream)[name]


def events(name: str, count: int, at: str = "2024-01-15 10:30") -> pd.DataFrame:
    """Many rows of a table with nothing but their time and a number; each order has one line."""
    rows = pd.DataFrame({CONTRACT[name].time: pd.Timestamp(at), "note": np.arange(count)})
    return rows.assign(order_id=rows["note"].astype("str")) if name == "transactions" else rows


# --- one midnight's extract -----------------------------------------------------------------------------------


@pytest.mark.parametrize("table", EVENT_TABLES, ids=lambda table: table.name)
def test_a_row_entered_at_the_extract_or_later_is_absent(table) -> None:
    rows = events(table.name, 3).assign(recorded_at=BEFORE_AT_AFTER)
    assert list(handed_over(table.name, rows)["note"]) == [0]


@pytest.mark.parametrize("table", EVENT_TABLES, ids=lambda table: table.name)
def test_an_event_after_the_extract_is_absent_unless_it_was_planned(table) -> None:
    rows = events(table.name, 3).assign(**{table.time: BEFORE_AT_AFTER, "recorded_at": pd.Timestamp(2024, 1, 2)})
    assert list(handed_over(table.name, rows)["note"]) == ([0, 1, 2] if table.planned else [0])


@pytest.mark.parametrize(("table", "column"), LATER)
def test_a_fact_that_came_at_the_extract_or_later_is_not_known(table: str, column: str) -> None:
    when = CONTRACT[table].column(column).later
    sample = {"boolean": True, "number": 3, "text": "done"}.get(CONTRACT[table].column(column).type)
    rows = events(table, 3).assign(**({when: BEFORE_AT_AFTER} if when else {}))
    if sample is not None:
        rows[column] = sample
    seen = handed_over(table, rows)
    assert seen[column].iloc[0] == (BEFORE_AT_AFTER[0] if sample is None else sample)
    assert seen[when].isna().tolist() == [False, True, True]
    before = BEFORE.get((table, column))
    if before is None:
        assert seen[column].isna().tolist() == [False, True, True]
    else:
        assert seen[column].tolist()[1:] == [before, before]


def test_a_quotation_not_yet_decided_is_open_and_a_milestone_not_yet_due_is_planned() -> None:
    quotes = events("quotes", 3).assign(status="won", closed_at=BEFORE_AT_AFTER)
    assert handed_over("quotes", quotes)["status"].tolist() == ["won", "open", "open"]
    # A postponed milestone has no day on which it was done: it is postponed from the day it was planned for.
    milestones = pd.DataFrame({"planned_at": BEFORE_AT_AFTER, "done_at": pd.NaT, "status": "postponed"})
    milestones["recorded_at"] = pd.Timestamp(2024, 1, 2)
    assert handed_over("partnerships", milestones)["status"].tolist() == ["postponed", "planned", "planned"]


def test_an_invoice_disputed_later_looks_like_one_that_never_is() -> None:
    rows = events("finances", 2).assign(disputed=[True, False], disputed_at=[MIDNIGHT, pd.NaT])
    seen = handed_over("finances", rows)
    assert seen["disputed"].tolist() == [False, False]
    assert seen["disputed_at"].isna().all()


def test_an_account_has_no_time_and_is_handed_over_as_it_is() -> None:
    rows = pd.DataFrame({"customer_id": ["A", "B"], "since": [MIDNIGHT, MIDNIGHT + SECOND]})
    pd.testing.assert_frame_equal(handed_over("customers", rows, late_rows=1.0, duplicates=1.0), rows)


def test_every_event_says_when_it_was_entered() -> None:
    for table in EVENT_TABLES:
        seen = handed_over(table.name, events(table.name, 2))
        assert seen["recorded_at"].tolist() == [pd.Timestamp("2024-01-15 10:30")] * 2
    published = events("market_events", 2).assign(published_at=[pd.Timestamp(2024, 2, 1), pd.NaT])
    seen = handed_over("market_events", published)["recorded_at"].tolist()
    assert seen == [pd.Timestamp(2024, 2, 1), pd.Timestamp("2024-01-15 10:30")]


def test_a_contact_who_was_always_there_has_no_time_and_stays() -> None:
    rows = pd.DataFrame({"contact_id": ["a", "b"], "valid_from": pd.to_datetime([None, "2024-01-05"])})
    seen = handed_over("contacts", rows, late_rows=1.0)
    assert seen["contact_id"].tolist() == ["a", "b"]
    assert pd.isna(seen["recorded_at"].iloc[0])


# --- late entries ---------------------------------------------------------------------------------------------


def test_a_late_row_keeps_its_date_and_is_entered_days_later_or_at_the_end_of_a_month() -> None:
    rows = events("interactions", 20_000)
    seen = handed_over("interactions", rows, late_rows=0.1)
    assert seen["occurred_at"].equals(rows["occurred_at"])
    waited = seen["recorded_at"] - seen["occurred_at"]
    assert (waited > pd.Timedelta(0)).mean() == pytest.approx(0.1, abs=0.007)
    late = seen[waited > pd.Timedelta(0)]
    days = waited[waited > pd.Timedelta(0)].dt.days
    back_dated = days > 12
    assert set(days[~back_dated]) == set(range(1, 13))
    assert back_dated.mean() == pytest.approx(0.1, abs=0.02)
    # 22 to 29 days after 15 January: the last working day of February.
    assert set(late.loc[back_dated, "recorded_at"]) == {pd.Timestamp("2024-02-29 10:30")}


def test_a_back_dated_row_is_entered_on_a_working_day_20_to_60_days_later() -> None:
    days = pd.Timestamp(2024, 1, 1) + pd.to_timedelta(np.arange(20_000) % 40, "D")
    rows = pd.DataFrame({"occurred_at": days, "note": np.arange(len(days))})
    seen = handed_over("interactions", rows, late_rows=1.0)
    waited = (seen["recorded_at"] - seen["occurred_at"]).dt.days
    entered = seen.loc[waited > 12, "recorded_at"]
    assert waited[waited > 12].between(20, 60).all()
    assert entered.dt.day_of_week.max() == 4
    assert set((entered + pd.offsets.BMonthEnd(0)) == entered) == {True}


def test_a_row_that_is_entered_late_anyway_keeps_the_later_time() -> None:
    rows = events("interactions", 500).assign(recorded_at=pd.Timestamp(2024, 1, 22, 9))
    seen = handed_over("interactions", rows, late_rows=1.0)["recorded_at"]
    assert seen.min() == pd.Timestamp(2024, 1, 22, 9)
    assert 0.3 < (seen > pd.Timestamp(2024, 1, 22, 9)).mean() < 0.7  # 8 to 12 days, and the ends of months


def test_all_lines_of_an_order_are_entered_at_one_time() -> None:
    rows = events("transactions", 6000)
    rows["order_id"] = (rows["note"] // 3).astype("str")
    seen = handed_over("transactions", rows, late_rows=0.5)
    assert seen.groupby("order_id")["recorded_at"].nunique().max() == 1
    assert (seen["recorded_at"] > seen["ordered_at"]).mean() == pytest.approx(0.5, abs=0.04)


def test_what_is_entered_after_the_extract_is_missing_from_it_though_it_happened_before() -> None:
    seen = handed_over("interactions", events("interactions", 2000, "2024-04-05 10:30"), late_rows=1.0)
    assert 0 < len(seen) < 1000  # 5 of 12 days are left until the extract
    assert (seen["recorded_at"] < MIDNIGHT).all()


# --- rows delivered twice -------------------------------------------------------------------------------------


def test_some_rows_come_twice_anywhere_in_the_file_and_the_others_keep_their_order() -> None:
    rows = events("interactions", 5000)
    seen = handed_over("interactions", rows, duplicates=0.1)
    times = seen["note"].value_counts()
    assert set(times) == {1, 2}
    assert (times == 2).mean() == pytest.approx(0.1, abs=0.015)
    assert seen.duplicated().sum() == (times == 2).sum()
    [place] = np.nonzero(seen.duplicated(keep=False).to_numpy())
    first, last = pd.Series(place).groupby(seen["note"].to_numpy()[place]).agg(["min", "max"]).to_numpy().T
    assert (last - first).max() > 3000
    once = seen[~seen["note"].isin(times.index[times == 2])]
    assert once["note"].is_monotonic_increasing


@pytest.mark.parametrize("name", MASTER_TABLES)
def test_accounts_and_people_are_kept_in_one_place_and_come_once(name: str) -> None:
    rows = pd.DataFrame({"customer_id": ["A", "B"], "valid_from": pd.Timestamp(2024, 1, 5)})
    assert len(handed_over(name, rows, duplicates=1.0)) == 2


# --- no step moves what another one draws ---------------------------------------------------------------------


def test_duplicates_and_absent_tables_change_no_other_row() -> None:
    def world(without: tuple[str, ...] = (), **changes: float):
        return simulate(80, 12, seed=5, preset=normal(**changes), end=END, without=without).tables

    plain, twice, fewer = world(duplicates=0.0), world(duplicates=0.2), world(("customers",), duplicates=0.0)
    for name, rows in plain.items():
        pd.testing.assert_frame_equal(twice[name].drop_duplicates().pipe(_ordered), _ordered(rows))
    assert len(twice["transactions"]) > 1.1 * len(plain["transactions"])
    assert "customers" not in fewer
    for name, rows in fewer.items():
        pd.testing.assert_frame_equal(rows, plain[name])


def test_a_late_entry_in_one_world_is_an_event_of_the_other() -> None:
    with orders_alone():
        prompt, late = (
            simulate(80, 12, seed=5, preset=normal(duplicates=0.0, late_rows=share), end=END).tables["transactions"]
            for share in (0.0, 0.3)
        )
    joined = prompt.merge(late, on=["order_id", "product_id"], suffixes=("", "_late"))
    assert len(joined) == len(late) < len(prompt)  # what was entered after the extract is not there
    assert (joined["ordered_at"] == joined["ordered_at_late"]).all()
    assert 0.2 < (joined["recorded_at"] < joined["recorded_at_late"]).mean() < 0.35


def test_a_company_of_a_single_day_is_recorded_too() -> None:
    for day in (date(2024, 2, 29), date(2024, 12, 31)):
        tables = simulate(3, 1, seed=1, preset=normal(late_rows=1.0, duplicates=1.0), end=day).tables
        assert set(tables) >= {"customers", "transactions"}


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(list(rows.columns), ignore_index=True)
