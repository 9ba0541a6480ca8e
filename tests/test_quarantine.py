"""Every row is clean, quarantined, or an exact duplicate: nothing else, nothing twice, nothing lost."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

import json
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import taking
from features.contract import CONTRACT
from features.errors import QuarantineLimit, SettingsError, SourceError, TooLittleData
from features.mapping import mappings_from_dict
from features.quarantine import ingest
from features.sources import open_source
from features.taking import RowsLost

RUN = datetime(2024, 6, 1, 12, 0)
ORDERS = """customer_id,order_id,ordered_at,amount
A,1,2024-01-10,100
B,2,2024-01-11,20.5
"""


def take_in(folder: Path, tables: dict[str, str], *, run_at=RUN, timezone="UTC", max_share=1.0, mappings=None):
    data = folder / "data"
    data.mkdir(exist_ok=True)
    for name, text in ({"transactions": ORDERS} | tables).items():
        (data / f"{name}.csv").write_text(text)
    source = open_source(data, mappings_from_dict(mappings or {}))
    return ingest(source, folder / "out", run_at=run_at, timezone=timezone, max_share=max_share)


def quarantined(folder: Path, table: str):
    path = folder / "out" / "quarantine" / f"{table}.parquet"
    return duckdb.sql(f"SELECT row_number, \"column\", value, reason FROM '{path}' ORDER BY row_number").fetchall()


def clean(report, query):
    connection = report.events.connect(0)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def kinds(report, table):
    return {(reason.kind, reason.column): reason.first_rows for reason in report.table(table).reasons}


# --- what breaks the contract -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "kind", "column", "value"),
    [
        (",3,2024-01-12,5", "missing", "customer_id", None),
        ("   ,3,2024-01-12,5", "missing", "customer_id", None),
        ("A,,2024-01-12,5", "missing", "order_id", None),
        ("A,3,,5", "missing", "ordered_at", None),
        ("A,3,2024-01-12,", "missing", "amount", None),
        ("A,3,12.01.2024,5", "not_a_date", "ordered_at", "12.01.2024"),
        ("A,3,2024-01-12,five", "not_a_number", "amount", "five"),
        ('A,3,2024-01-12,"1,000"', "not_a_number", "amount", "1,000"),
        ("A,3,2024-01-12,NaN", "not_finite", "amount", "NaN"),
        ("A,3,2024-01-12,-inf", "not_finite", "amount", "-inf"),
        ("A,3,2024-01-12,1e15", "out_of_range", "amount", "1e15"),
        ("A,3,2024-06-02,5", "in_the_future", "ordered_at", "2024-06-02"),
        ("A,3,1900-01-01,5", "out_of_range", "ordered_at", "1900-01-01"),
    ],
)
def test_an_order_that_breaks_the_contract_is_quarantined(tmp_path, row, kind, column, value):
    report = take_in(tmp_path, {"transactions": ORDERS + row + "\n"})
    assert kinds(report, "transactions") == {(kind, column): (3,)}
    assert [found[:3] for found in quarantined(tmp_path, "transactions")] == [(3, column, value)]
    assert clean(report, "SELECT customer_id FROM transactions ORDER BY 1") == [("A",), ("B",)]


@pytest.mark.parametrize(
    ("table", "head", "sound", "broken", "reason"),
    [
        ("customers", "customer_id,rank", "A,D", "B,E", "not one of A, B, C, D"),
        ("customers", "customer_id,growth", "A,shrinking", "B,down", "not one of expanding, flat, shrinking"),
        ("customers", "customer_id,budget_months", "A,10", "B,13", "not a list of months such as 10 or 3,9"),
        ("customers", "customer_id,competitor_present", "A,true", "B,perhaps", "neither true nor false"),
        ("customers", "customer_id,since", "A,1923-04-01", "B,long ago", "not a date such as"),
        ("contacts", "customer_id,contact_id,role", "A,p1,user", "B,p2,boss", "not one of technical, purchasing"),
        ("interactions", "customer_id,interaction_id,occurred_at,channel", "A,1,2024-01-01,visit",
         "A,2,2024-01-01,Visit", "not one of visit, call"),
        ("quotes", "customer_id,quote_id,quoted_at,asked_discount", "A,1,2024-01-01,1", "A,2,2024-01-01,1.01",
         "not between 0 and 1"),
        ("quotes", "customer_id,quote_id,quoted_at,asked_discount", "A,1,2024-01-01,0", "A,2,2024-01-01,nan",
         "NaN or infinite"),
        ("services", "customer_id,ticket_id,kind,opened_at,rating", "A,1,survey,2024-01-01,5",
         "A,2,survey,2024-01-01,6", "not between 1 and 5"),
        ("services", "customer_id,ticket_id,kind,opened_at,rating", "A,1,survey,2024-01-01,1",
         "A,2,gossip,2024-01-01,1", "not one of complaint, repair"),
        ("account_changes", "customer_id,changed_at,field,old,new", "A,2024-01-01,temperature,warm,cool",
         "A,2024-01-02,temperature,warm,tepid", "temperature: not one of hot, warm, cool, cold"),
        ("account_changes", "customer_id,changed_at,field,old,new", "A,2024-01-01,note,warm,tepid",
         "A,2024-01-02,risk,huge,low", "risk: not one of low, medium, high, urgent"),
    ],
)  # fmt: skip
def test_a_value_outside_its_enumeration_or_bounds_is_quarantined(tmp_path, table, head, sound, broken, reason):
    report = take_in(tmp_path, {table: f"{head}\n{sound}\n{broken}\n"})
    ((row, _, _, words),) = quarantined(tmp_path, table)
    assert row == 2
    assert words.startswith(reason)
    assert report.table(table).clean == 1


def test_an_optional_value_may_be_absent(tmp_path):
    head = "customer_id,ticket_id,kind,opened_at,resolved_at,accepted,rating"
    report = take_in(tmp_path, {"services": f"{head}\nA,1,repair,2024-01-01,,,\n"})
    assert report.table("services").quarantined == 0
    assert clean(report, "SELECT resolved_at, accepted, rating FROM services") == [(None, None, None)]


@pytest.mark.parametrize(
    ("moment", "sound"), [("2024-06-01T11:59:59", 1), ("2024-06-01T12:00:00", 1), ("2024-06-01T12:00:01", 0)]
)
def test_an_event_after_the_moment_of_the_run_is_in_the_future(tmp_path, moment, sound):
    interaction = f"customer_id,interaction_id,occurred_at\nA,1,{moment}\n"
    assert take_in(tmp_path, {"interactions": interaction}).table("interactions").clean == sound


@pytest.mark.parametrize(("hour", "sound"), [("20:59", 1), ("21:00", 1), ("21:01", 0)])
def test_the_moment_of_the_run_is_converted_to_the_project_s_zone(tmp_path, hour, sound):
    interaction = f"customer_id,interaction_id,occurred_at\nA,1,2024-06-01T{hour}\n"
    run_at = datetime(2024, 6, 1, 12, 0, tzinfo=UTC)
    report = take_in(tmp_path, {"interactions": interaction}, run_at=run_at, timezone="Asia/Tokyo")
    assert report.table("interactions").clean == sound


def test_a_plan_may_lie_ahead_but_not_the_record_of_it(tmp_path):
    tables = {
        "partnerships": "customer_id,activity_id,planned_at,recorded_at\nA,1,2025-01-01,2024-01-01\n"
        "A,2,2025-01-01,2024-07-01\n",
        "absences": "owner,starts_at\nkim,2024-12-01\n",
    }
    report = take_in(tmp_path, tables)
    assert kinds(report, "partnerships") == {("in_the_future", "recorded_at"): (2,)}
    assert clean(report, "SELECT known_at FROM partnerships") == [(datetime(2025, 1, 1),)]
    assert report.table("absences").clean == 1


def test_an_account_that_is_not_among_the_customers_is_quarantined(tmp_path):
    customers = "customer_id,rank\nA,A\nB,Z\n"
    report = take_in(tmp_path, {"customers": customers, "absences": "owner,starts_at\nkim,2024-01-01\n"})
    assert kinds(report, "transactions") == {("unknown_customer", "customer_id"): (2,)}
    assert report.table("absences").clean == 1


def test_without_a_table_of_customers_every_account_is_known(tmp_path):
    report = take_in(tmp_path, {})
    assert report.table("transactions").clean == 2
    assert "customers" not in report.events.columns


def test_a_row_with_two_problems_is_quarantined_once(tmp_path):
    report = take_in(tmp_path, {"transactions": ORDERS + ",,x,NaN\n"})
    assert report.table("transactions").quarantined == 1
    assert len(quarantined(tmp_path, "transactions")) == 1


# --- the two clocks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "known"),
    [
        ("2024-01-09", datetime(2024, 1, 10)),
        ("2024-01-10", datetime(2024, 1, 10)),
        ("2024-01-15", datetime(2024, 1, 15)),
        ("", datetime(2024, 1, 10)),
    ],
)
def test_a_row_is_known_from_its_own_time_or_its_record_whichever_is_later(tmp_path, recorded, known):
    lines = ORDERS.replace("amount\n", "amount,recorded_at\n").replace("100\n", f"100,{recorded}\n")
    report = take_in(tmp_path, {"transactions": lines.replace("20.5\n", "20.5,\n")})
    assert clean(report, "SELECT known_at FROM transactions WHERE customer_id = 'A'") == [(known,)]


@pytest.mark.parametrize(
    ("published", "recorded", "known"),
    [
        ("", "", datetime(2024, 1, 10)),
        ("2024-02-01", "", datetime(2024, 2, 1)),
        ("2024-02-01", "2024-01-20", datetime(2024, 1, 20)),
    ],
)
def test_an_act_of_the_market_is_known_once_it_is_published_or_recorded(tmp_path, published, recorded, known):
    head = "region,occurred_at,published_at,recorded_at\n"
    report = take_in(tmp_path, {"market_events": f"{head}north,2024-01-10,{published},{recorded}\n"})
    assert clean(report, "SELECT known_at FROM market_events") == [(known,)]


def test_an_account_is_always_known(tmp_path):
    report = take_in(tmp_path, {"customers": "customer_id\nA\nB\n"})
    assert clean(report, "SELECT DISTINCT known_at FROM customers") == [(datetime(1900, 1, 1),)]


# --- conservation and limits --------------------------------------------------------------------------------

FIELD = st.sampled_from(["A", "B", "", "2024-01-10", "2030-01-01", "x", "5", "NaN", "1e300", "q"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(FIELD, FIELD, FIELD, FIELD), max_size=12))
def test_whatever_the_rows_each_is_counted_once_and_only_sound_ones_are_clean(tmp_path, rows):
    sound = "A,q0,2024-01-10,5"
    lines = [",".join(row) for row in rows if any(row)]
    report = take_in(tmp_path, {"quotes": "\n".join(["customer_id,quote_id,quoted_at,amount", sound, *lines])})
    table = report.table("quotes")
    assert table.rows_in == 1 + len(lines) == table.clean + table.quarantined + table.duplicates
    assert table.duplicates == 1 + len(lines) - len({sound, *lines})
    assert len(quarantined(tmp_path, "quotes")) == table.quarantined == sum(one.rows for one in table.reasons)
    keys = {
        key for customer, key, day, amount in rows
        if customer and key and day == "2024-01-10" and amount in ("5", "")
    }  # fmt: skip
    assert clean(report, "SELECT quote_id FROM quotes ORDER BY 1") == sorted((key,) for key in keys | {"q0"})


def test_rows_that_do_not_add_up_stop_the_run_as_a_fault_of_the_programme(tmp_path, monkeypatch):
    monkeypatch.setattr(taking, "count_rows", lambda _connection, _judged: (1, 0, 0))
    with pytest.raises(RowsLost, match=r"2 rows in, 1 \+ 0 \+ 0 out"):
        take_in(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(("bad", "stops"), [(1, False), (2, False), (3, True)])
def test_a_run_goes_on_up_to_the_allowed_share_and_stops_above_it(tmp_path, bad, stops):
    lines = "".join(f"A,{n},{'never' if n < bad else '2024-01-01'},1\n" for n in range(100))
    tables = {"transactions": ORDERS.split("\n")[0] + "\n" + lines}
    if not stops:
        assert take_in(tmp_path, tables, max_share=0.02).table("transactions").quarantined == bad
        return
    with pytest.raises(QuarantineLimit) as error:
        take_in(tmp_path, tables, max_share=0.02)
    assert str(error.value) == (
        "transactions.csv: 3 of 100 rows (3.0%) break the contract, allowed are 2.0%: ordered_at not a date such as "
        "2024-01-31 or 2024-01-31T09:30:00+09:00: 3 (rows 1, 2, 3). Mend them, or allow max_quarantine_share = 0.03 "
        "under [sources.transactions] in kizashi.toml. Nothing was written."
    )


def test_the_share_is_per_table_and_the_mapping_s_own_comes_first(tmp_path):
    tables = {"quotes": "customer_id,quote_id,quoted_at\nA,1,2024-01-01\nA,2,never\n", "transactions": ORDERS}
    with pytest.raises(QuarantineLimit, match=r"^quotes.csv: 1 of 2 rows .50.0%."):
        take_in(tmp_path, tables, max_share=0.01)
    report = take_in(tmp_path, tables, max_share=0.01, mappings={"quotes": {"max_quarantine_share": 0.5}})
    assert report.table("quotes").allowed_share == 0.5
    assert report.table("transactions").allowed_share == 0.01


def test_all_tables_above_their_share_are_named_at_once(tmp_path):
    tables = {"quotes": "customer_id,quote_id,quoted_at\nA,2,never\n", "transactions": ORDERS + ",3,2024-01-01,1\n"}
    with pytest.raises(QuarantineLimit, match=r"transactions.csv: 1 of 3 .*quotes.csv: 1 of 1") as error:
        take_in(tmp_path, tables, max_share=0.1)
    assert "\n" not in str(error.value)


def test_nothing_at_all_is_written_above_the_share_and_earlier_events_stay(tmp_path):
    before = take_in(tmp_path, {}).events.fingerprint
    written = sorted(path.relative_to(tmp_path) for path in (tmp_path / "out").rglob("*"))
    with pytest.raises(QuarantineLimit):
        take_in(tmp_path, {"transactions": ORDERS + ",3,2024-01-01,1\n"}, max_share=0.01)
    assert sorted(path.relative_to(tmp_path) for path in (tmp_path / "out").rglob("*")) == written
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["fingerprint"] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out"]


def test_a_new_ingest_takes_the_place_of_the_earlier_one_as_a_whole(tmp_path):
    take_in(tmp_path, {"quotes": "customer_id,quote_id,quoted_at\nA,1,2024-01-01\n"})
    (tmp_path / "data" / "quotes.csv").unlink()
    report = take_in(tmp_path, {})
    assert not (tmp_path / "out" / "quotes").exists()
    assert clean(report, "SELECT * FROM quotes") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out"]


def test_a_folder_of_something_else_is_never_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(SourceError, match="holds something else than clean events"):
        take_in(tmp_path, {})
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"


def test_an_optional_table_without_rows_is_there_and_empty(tmp_path):
    report = take_in(tmp_path, {"quotes": "customer_id,quote_id,quoted_at\n"})
    assert report.table("quotes").rows_in == 0
    assert report.events.columns["quotes"] == ("customer_id", "quote_id", "quoted_at")
    assert clean(report, "SELECT * FROM quotes") == []


def test_a_run_in_which_no_order_is_left_is_refused(tmp_path):
    with pytest.raises(TooLittleData, match=r"transactions.csv: no order line is left"):
        take_in(tmp_path, {"transactions": ORDERS.replace("2024", "2034")})


@pytest.mark.parametrize(
    ("settings_", "message"), [({"max_share": 1.5}, "max_share = 1.5"), ({"buckets": 0}, "buckets = 0")]
)
def test_an_argument_out_of_range_is_refused(tmp_path, settings_, message):
    (tmp_path / "transactions.csv").write_text(ORDERS)
    source = open_source(tmp_path / "transactions.csv")
    with pytest.raises(SettingsError, match=message):
        ingest(source, tmp_path / "out", run_at=RUN, timezone="UTC", **settings_)


def test_the_report_is_plain_data(tmp_path):
    report = take_in(tmp_path, {"transactions": ORDERS + "A,3,never,1\n"})
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["tables"]["transactions"]["reasons"] == [
        {
            "kind": "not_a_date",
            "column": "ordered_at",
            "words": "not a date such as 2024-01-31 or 2024-01-31T09:30:00+09:00",
            "rows": 1,
            "first_rows": [3],
            "first_files": [],
        }
    ]
    assert (plain["data_end"], plain["buckets"]) == ("2024-01-12", 1)


def test_every_table_of_the_contract_goes_through(tmp_path):
    example = {"id": "A", "text": "x", "timestamp": "2024-01-01", "money": "1", "number": "1", "integer": "1"}
    example |= {"share": "0.5", "boolean": "true"}
    tables = {}
    for table in CONTRACT.values():
        values = [column.values[0] if column.values else example[column.type] for column in table.columns]
        if table.name == "customers":
            values[table.names.index("budget_months")] = "10"
        tables[table.name] = ",".join(table.names) + "\n" + ",".join(values) + "\n"
    report = take_in(tmp_path, tables)
    assert {table.table: (table.clean, table.quarantined) for table in report.tables} == dict.fromkeys(CONTRACT, (1, 0))
    assert {name: set(names) for name, names in report.events.columns.items()} == {
        name: set(table.names) for name, table in CONTRACT.items()
    }


def test_money_is_kept_exactly(tmp_path):
    lines = "".join(f"A,{n},2024-01-01,0.1\n" for n in range(1000))
    report = take_in(tmp_path, {"transactions": ORDERS.split("\n")[0] + "\n" + lines})
    assert clean(report, "SELECT sum(amount) FROM transactions") == [(Decimal("100.0000"),)]


def test_a_large_file_streams_through_little_memory(tmp_path):
    query = (
        "SELECT 'C' || i % 5000 AS customer_id, i AS order_id, DATE '2024-01-01' AS ordered_at, 1.5 AS amount "
        "FROM range(300000) t(i)"
    )
    duckdb.execute(f"COPY ({query}) TO '{tmp_path}/transactions.parquet' (FORMAT parquet)")
    source = open_source(tmp_path / "transactions.parquet")
    tracemalloc.start()
    report = ingest(source, tmp_path / "out", run_at=RUN, timezone="UTC", buckets=3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.table("transactions").clean == 300_000
    assert peak < 20_000_000, "rows must stay in DuckDB, never become Python objects"
