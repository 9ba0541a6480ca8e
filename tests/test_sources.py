"""Folders, files and databases: read right, or refused in one line that says how to mend them."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

import sqlite3
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import adbc_driver_postgresql.dbapi
import duckdb
import pytest

from features.csv_files import guess_encoding
from features.errors import ColumnsMissing, SettingsError, SourceError
from features.mapping import TableMapping, mappings_from_dict
from features.quarantine import ingest
from features.sources import SourceWarning, open_source

pytest_plugins = ["databases"]

HEAD = "customer_id,order_id,ordered_at,amount\n"
LINES = HEAD + "A,1,2024-01-10,100\nB,2,2024-01-11,20.5\nC,3,2024-01-12,-3\n"


def take_in(data, folder: Path, mappings=None, timezone="UTC", max_share=0.01):
    source = open_source(data, mappings)
    return ingest(source, folder / "out", run_at=datetime(2024, 6, 1), timezone=timezone, max_share=max_share)


def clean(report, query="SELECT customer_id, order_id, ordered_at, amount FROM transactions ORDER BY ALL"):
    connection = report.events.connect(0)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def written(folder: Path, content: str | bytes, name="transactions.csv") -> Path:
    data = folder / "data"
    (data / name).parent.mkdir(parents=True, exist_ok=True)
    (data / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return data


def parquet(path: Path, query: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


# --- folders and files ---------------------------------------------------------------------------------------


def test_a_folder_holds_one_table_per_file(tmp_path):
    data = written(tmp_path, LINES)
    parquet(data / "Customers.parquet", "SELECT unnest(['A', 'B', 'C']) AS customer_id")
    report = take_in(data, tmp_path)
    assert [(table.table, table.source, table.clean) for table in report.tables] == [
        ("customers", "Customers.parquet", 3),
        ("transactions", "transactions.csv", 3),
    ]


def test_a_path_to_one_file_is_that_table(tmp_path):
    data = written(tmp_path, LINES)
    assert len(clean(take_in(data / "transactions.csv", tmp_path))) == 3


def test_a_path_to_one_file_of_any_name_is_the_mapped_table(tmp_path):
    data = written(tmp_path, LINES, "export.csv")
    mappings = mappings_from_dict({"transactions": {"file": "orders*"}})
    assert len(clean(take_in(data / "export.csv", tmp_path, mappings))) == 3


def test_a_file_is_found_by_its_glob_whatever_its_letters(tmp_path):
    data = written(tmp_path, LINES, "ORDERS_2024.CSV")
    mappings = mappings_from_dict({"transactions": {"file": "orders_*"}})
    assert len(clean(take_in(data, tmp_path, mappings))) == 3


def test_a_file_with_signs_of_a_pattern_in_its_name_is_read_as_it_is_called(tmp_path):
    data = written(tmp_path, HEAD + "X,9,2024-01-01,9\n", "transactions1.csv")
    path = data / "transactions[1].csv"
    path.write_text(LINES)
    mappings = mappings_from_dict({"transactions": {}})
    assert len(clean(take_in(path, tmp_path, mappings))) == 3


def test_a_file_that_is_no_table_is_named_in_a_warning(tmp_path):
    data = written(tmp_path, LINES)
    (data / "transaction_old.csv").write_text("a\n")
    with pytest.warns(SourceWarning, match=r"not used, .*\['transaction_old.csv'\]"):
        take_in(data, tmp_path)


def test_a_misspelt_optional_column_is_named_in_a_warning(tmp_path):
    data = written(tmp_path, LINES.replace("amount\n", "amount,quantitiy\n").replace("100\n", "100,1\n"))
    with pytest.warns(SourceWarning, match="'quantitiy' .is it 'quantity'"):
        take_in(data, tmp_path, max_share=1)


def test_letters_and_spaces_of_a_column_s_name_do_not_count(tmp_path):
    data = written(tmp_path, LINES.replace(HEAD.strip(), "Customer_ID, ORDER_ID,ordered_at ,Amount"))
    assert len(clean(take_in(data, tmp_path))) == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nothing.csv", LINES, r"no file transactions.parquet or transactions.csv .*Found: \['nothing.csv'\]"),
        ("transactions.csv", "", r"transactions.csv: the file is empty \(0 bytes\)"),
        ("transactions.parquet", "", r"transactions.parquet: the file is empty \(0 bytes\)"),
        ("transactions.parquet", LINES, "transactions.parquet: not a Parquet file .it begins with b'cust'"),
        ("transactions.csv", HEAD, "the table transactions has no rows"),
        ("transactions.csv", "\n" + LINES, "transactions.csv: the first line is empty"),
        ("transactions.csv", "a,,b\n1,2,3\n", r"the header names no column in place \[2\]"),
        ("transactions.csv", "a,A,b\n1,2,3\n", r"the header names these columns twice: \['a'\]"),
        ("transactions.csv", LINES + 'D,"4,2024-01-13,1\n', "transactions.csv: line 5: unexpected end of data"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path, name, content, message):
    data = written(tmp_path, content, name)
    with pytest.raises(SourceError, match=message) as error:
        take_in(data, tmp_path)
    one_line(error)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere: there is no such folder or file"):
        open_source(tmp_path / "nowhere")


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "transactions.xlsx").write_bytes(b"PK")
    with pytest.raises(SourceError, match=r"transactions.xlsx: neither Parquet nor CSV"):
        open_source(tmp_path / "transactions.xlsx")


def test_one_file_that_is_not_the_orders_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"customers.csv: not the table transactions"):
        open_source(written(tmp_path, "customer_id\nA\n", "customers.csv") / "customers.csv")


def test_two_files_for_one_table_are_not_chosen_between(tmp_path):
    data = written(tmp_path, LINES)
    written(tmp_path, LINES, "transactions.tsv")
    with pytest.raises(SourceError, match=r"several files for transactions: \['transactions.csv', 'transa"):
        open_source(data)


def test_a_mapped_file_that_is_missing_is_named_with_what_is_there(tmp_path):
    mappings = mappings_from_dict({"quotes": {"file": "offers_*"}})
    with pytest.raises(SourceError, match=r"no file offers_\* for the table quotes .*'transactions.csv'"):
        open_source(written(tmp_path, LINES), mappings)


@pytest.mark.parametrize("keep", [0.5, 0.9, 0.999])
def test_a_torn_parquet_file_is_refused(tmp_path, keep):
    path = parquet(tmp_path / "data" / "transactions.parquet", f"FROM read_csv('{written(tmp_path, LINES)}/*.csv')")
    (tmp_path / "data" / "transactions.csv").unlink()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(SourceError, match=r"transactions.parquet: the Parquet file is cut off"):
        take_in(tmp_path / "data", tmp_path)


@pytest.mark.parametrize("place", [0.3, 0.6, 0.8])
def test_a_parquet_file_with_flipped_bytes_is_refused_or_read_but_never_half_written(tmp_path, place):
    query = "SELECT 'C' || i % 50 AS customer_id, i AS order_id, DATE '2024-01-01' AS ordered_at, i AS amount"
    path = parquet(tmp_path / "data" / "transactions.parquet", f"{query} FROM range(5000) t(i)")
    whole = bytearray(path.read_bytes())
    start = int(len(whole) * place)
    whole[start : start + 40] = bytes(byte ^ 0xFF for byte in whole[start : start + 40])
    path.write_bytes(whole)
    with pytest.raises(SourceError) as error:
        take_in(tmp_path / "data", tmp_path, max_share=0)
    assert "transactions.parquet: " in one_line(error)
    assert [found.name for found in tmp_path.iterdir()] == ["data"]


# --- missing columns ----------------------------------------------------------------------------------------


def test_all_missing_columns_are_named_at_once(tmp_path):
    data = written(tmp_path, "customer_id,order_id,date,amt\nA,1,2024-01-01,5\n")
    with pytest.raises(ColumnsMissing) as error:
        take_in(data, tmp_path)
    assert one_line(error) == (
        "transactions.csv: 2 columns are missing: ['ordered_at', 'amount']. "
        "Found: ['customer_id', 'order_id', 'date', 'amt']. "
        "Rename them, or map them under [sources.transactions] in kizashi.toml."
    )


def test_missing_columns_of_several_tables_are_named_at_once(tmp_path):
    data = written(tmp_path, LINES.replace("amount", "amt"))
    written(tmp_path, "customer_id,kind\nA,repair\n", "services.csv")
    with pytest.raises(ColumnsMissing) as error:
        take_in(data, tmp_path)
    assert "transactions.csv: 1 column is missing: ['amount']." in one_line(error)
    assert "services.csv: 2 columns are missing: ['ticket_id', 'opened_at']." in one_line(error)


def test_a_mapped_column_that_is_not_there_is_missing_under_its_source_name(tmp_path):
    mappings = mappings_from_dict(
        {"transactions": {"columns": {"quantity": "Pieces"}, "require": {"Price": "positive"}}}
    )
    with pytest.raises(ColumnsMissing, match=r"2 columns are missing: \['Pieces', 'Price'\]"):
        take_in(written(tmp_path, LINES), tmp_path, mappings)


def test_a_further_column_may_not_bear_a_name_that_the_clean_events_need(tmp_path):
    data = written(tmp_path, LINES)
    written(tmp_path, "customer_id,known_at\nA,1\nB,2\nC,3\n", "customers.csv")
    with pytest.raises(SourceError, match=r"customers.csv: the columns \['known_at'\] bear names that are taken"):
        take_in(data, tmp_path)


# --- encodings, separators, torn rows -----------------------------------------------------------------------

NAMES = {
    "cp932": "株式会社山田製作所,ソニー表示,東京テレメッセージ",
    "gb18030": "上海机械有限公司,北京电子设备厂,广州贸易",
    "cp1252": "Müller GmbH,Société Générale,Señor Peña",
}


def coded(encoding: str) -> bytes:
    lines = "".join(f"{name},{n},2024-01-0{n},5\n" for n, name in enumerate(NAMES[encoding].split(","), start=1))
    return (HEAD + lines).encode(encoding)


@pytest.mark.parametrize("encoding", NAMES)
def test_a_file_in_another_encoding_is_read_right_where_the_mapping_says_so(tmp_path, encoding):
    mappings = mappings_from_dict({"transactions": {"encoding": encoding}})
    report = take_in(written(tmp_path, coded(encoding)), tmp_path, mappings)
    assert [row[0] for row in clean(report)] == sorted(NAMES[encoding].split(","))


@pytest.mark.parametrize("encoding", NAMES)
def test_a_file_in_another_encoding_is_refused_with_the_line_to_write(tmp_path, encoding):
    with pytest.raises(SourceError) as error:
        take_in(written(tmp_path, coded(encoding)), tmp_path)
    message = one_line(error)
    assert message.startswith("transactions.csv: line 2, byte ")
    assert f'It looks like {encoding}: write encoding = "{encoding}" under [sources.transactions]' in message


def test_the_line_and_byte_that_cannot_be_read_are_the_right_ones(tmp_path):
    sound = LINES.encode()
    data = written(tmp_path, sound + b"D,4,2024-01-13,\x83\n")
    with pytest.raises(SourceError, match=rf"line 5, byte {len(sound) + 16} \(0x83\) is not UTF-8"):
        take_in(data, tmp_path)


def test_the_wrong_encoding_in_the_mapping_is_refused_too(tmp_path):
    mappings = mappings_from_dict({"transactions": {"encoding": "cp932"}})
    data = written(tmp_path, (HEAD + "Ａ社😀,1,2024-01-01,5\n").encode())
    with pytest.raises(SourceError, match="is not CP932"):
        take_in(data, tmp_path, mappings)


def test_an_encoding_that_does_not_exist_is_named(tmp_path):
    mappings = mappings_from_dict({"transactions": {"encoding": "sjis-2000"}})
    with pytest.raises(SourceError, match="there is no encoding 'sjis-2000'"):
        take_in(written(tmp_path, LINES), tmp_path, mappings)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["without", "with"])
def test_a_byte_order_mark_changes_nothing(tmp_path, mark):
    data = written(tmp_path, mark + (HEAD + "東京,1,2024-01-01,5\n").encode())
    assert clean(take_in(data, tmp_path))[0][0] == "東京"


def test_utf_16_is_recognised_by_its_mark(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(LINES.encode("utf-16"))
    assert guess_encoding(path) == "utf-16"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_read_off_the_header(tmp_path, separator):
    data = written(tmp_path, LINES.replace(",", separator))
    assert len(clean(take_in(data, tmp_path))) == 3


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read(tmp_path, newline):
    data = written(tmp_path, LINES.replace("\n", newline))
    assert len(clean(take_in(data, tmp_path))) == 3


def test_mixed_line_ends_are_read(tmp_path):
    data = written(tmp_path, LINES.replace("100\n", "100\r\n").replace("-3\n", "-3\r"))
    assert [row[3] for row in clean(take_in(data, tmp_path))] == [100, 20.5, -3]


@pytest.mark.parametrize(
    ("row", "found"), [("D,4", "2 fields instead of 4: D,4"), ("D,4,2024-01-13,1,9,9", "6 fields instead of 4")]
)
def test_a_torn_row_goes_to_quarantine_with_its_number_and_text(tmp_path, row, found):
    first, second = LINES.split("B,2", 1)
    data = written(tmp_path, f'{first}{row}\nB,2{second}E,5,2024-01-14,"1"\n')
    report = take_in(data, tmp_path, max_share=0.5)
    assert len(clean(report)) == 4
    reason = report.table("transactions").reasons[0]
    assert (reason.kind, reason.rows, reason.first_rows) == ("ragged_row", 1, (2,))
    path = tmp_path / "out" / "quarantine" / "transactions.parquet"
    (value,) = duckdb.sql(f"SELECT value FROM '{path}'").fetchall()[0]
    assert value.startswith(found)


def test_a_field_in_quotes_may_hold_line_ends_and_separators(tmp_path):
    data = written(tmp_path, LINES + '"D, ""the\nbig"" one",4,2024-01-13,1\n')
    assert clean(take_in(data, tmp_path))[-1][0] == 'D, "the\nbig" one'


def test_row_numbers_are_those_of_the_file_however_long_it_is(tmp_path):
    lines = [f"C{n % 7},{n},2024-01-01,{'x' if n in (77_777, 250_000) else n}\n" for n in range(1, 250_001)]
    report = take_in(written(tmp_path, HEAD + "".join(lines)), tmp_path)
    assert report.table("transactions").reasons[0].first_rows == (77_777, 250_000)


# --- dates and ids ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("2024-01-10", datetime(2024, 1, 10)),
        ("2024/1/5", datetime(2024, 1, 5)),
        ("2024-01-10 09:30", datetime(2024, 1, 10, 9, 30)),
        ("2024-01-10T09:30:15.250", datetime(2024, 1, 10, 9, 30, 15, 250000)),
        ("2024-01-10T15:30:00Z", datetime(2024, 1, 11, 0, 30)),
        ("2024-01-10T15:30:00+0000", datetime(2024, 1, 11, 0, 30)),
        ("2024-01-10 09:30:00+09:00", datetime(2024, 1, 10, 9, 30)),
        ("2024-01-10 09:30:00-05", datetime(2024, 1, 10, 23, 30)),
    ],
)
def test_a_date_is_its_midnight_and_a_zone_is_converted(tmp_path, text, local):
    report = take_in(written(tmp_path, HEAD + f"A,1,{text},5\n"), tmp_path, timezone="Asia/Tokyo")
    assert clean(report)[0][2] == local


@pytest.mark.parametrize(
    "text", ["10.01.2024", "2024-02-30", "20240110", "yesterday", "infinity", "0000-01-01", "2024-01-10 09:30 PM"]
)
def test_what_is_not_a_date_year_first_goes_to_quarantine(tmp_path, text):
    report = take_in(written(tmp_path, LINES + f"A,1,{text},5\n"), tmp_path, max_share=0.5)
    assert [reason.kind for reason in report.table("transactions").reasons] == ["not_a_date"]


@pytest.mark.parametrize(
    ("kind", "local"),
    [
        ("TIMESTAMPTZ '2024-01-10 15:30:00+00'", datetime(2024, 1, 11, 0, 30)),
        ("TIMESTAMP '2024-01-10 15:30:00'", datetime(2024, 1, 10, 15, 30)),
        ("TIMESTAMP_NS '2024-01-10 15:30:00'", datetime(2024, 1, 10, 15, 30)),
        ("DATE '2024-01-10'", datetime(2024, 1, 10)),
        ("'2024-01-10'", datetime(2024, 1, 10)),
    ],
)
def test_dates_of_a_parquet_file_are_read_by_their_type(tmp_path, kind, local):
    query = f"SELECT 13085.0::DOUBLE AS customer_id, 7 AS order_id, {kind} AS ordered_at, 5 AS amount"
    path = parquet(tmp_path / "data" / "transactions.parquet", query)
    assert clean(take_in(path, tmp_path, timezone="Asia/Tokyo")) == [("13085", "7", local, 5)]


@pytest.mark.parametrize(
    ("text", "customer"),
    [("13085.0", "13085"), ("13085.00", "13085"), ("13085.5", "13085.5"), ("00123", "00123"), (" A 1 ", "A 1")],
)
def test_an_id_is_text_and_a_whole_float_loses_its_point(tmp_path, text, customer):
    assert clean(take_in(written(tmp_path, HEAD + f"{text},1,2024-01-01,5\n"), tmp_path))[0][0] == customer


def test_a_zone_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(SettingsError, match="timezone = 'Asia/Atlantis'"):
        take_in(written(tmp_path, LINES), tmp_path, timezone="Asia/Atlantis")


# --- databases ----------------------------------------------------------------------------------------------


def test_a_duckdb_file_is_read_by_tables_and_views(tmp_path):
    with duckdb.connect(tmp_path / "crm.duckdb") as base:
        base.execute("CREATE TABLE Orders AS SELECT 'A' AS customer_id, 1 AS order_id, 5.5 AS amount")
        base.execute("CREATE VIEW transactions AS SELECT *, TIMESTAMP '2024-01-10' AS ordered_at FROM Orders")
        base.execute("CREATE SCHEMA sales")
        base.execute("CREATE TABLE sales.offers AS SELECT 'A' AS customer_id, 'q' AS quote_id, DATE '2024-02-01' AS d")
    mappings = mappings_from_dict({"quotes": {"table": "sales.offers", "columns": {"quoted_at": "d"}}})
    report = take_in(f"duckdb:///{tmp_path}/crm.duckdb", tmp_path, mappings)
    assert clean(report) == [("A", "1", datetime(2024, 1, 10), 5.5)]
    assert clean(report, "SELECT quote_id, quoted_at FROM quotes") == [("q", datetime(2024, 2, 1))]


def test_a_sqlite_file_is_read_whatever_types_its_first_rows_have(tmp_path):
    base = sqlite3.connect(tmp_path / "crm [1].db")
    base.execute('CREATE TABLE transactions (customer_id, order_id, "ordered_at" TEXT, amount)')
    rows = [(n, n, "2024-01-10", None if n < 3 else n) for n in range(3_000)]
    base.executemany("INSERT INTO transactions VALUES (?, ?, ?, ?)", [*rows, ("X-1", 5.0, "2024-01-11", 2.5)])
    base.commit()
    base.close()
    report = take_in(f"sqlite:///{tmp_path}/crm [1].db", tmp_path)
    assert report.table("transactions").reasons[0].first_rows == (1, 2, 3)
    assert clean(report)[-1] == ("X-1", "5", datetime(2024, 1, 11), 2.5)


def test_a_postgresql_server_is_read_with_its_own_types(tmp_path, postgres):
    with adbc_driver_postgresql.dbapi.connect(postgres.format("postgres")) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA erp")
            cursor.execute("CREATE TYPE way AS ENUM ('visit', 'call')")
            cursor.execute(
                "CREATE TABLE erp.lines (customer uuid, order_id bigint, ordered_at timestamptz, amount numeric(12,2))"
            )
            cursor.execute(
                "INSERT INTO erp.lines SELECT '6f9619ff-8b86-d011-b42d-00c04fc964ff', n, '2024-01-10 15:30:00+00', "
                "CASE n WHEN 4 THEN 'NaN' ELSE n + 0.25 END FROM generate_series(1, 4) n"
            )
            cursor.execute("INSERT INTO erp.lines VALUES (NULL, 5, 'infinity', 1)")
            cursor.execute(
                "CREATE TABLE \"Interactions\" AS SELECT 'a'::char(4) AS customer_id, 1 AS interaction_id, "
                "date '2024-01-11' AS occurred_at, 'call'::way AS channel, true AS invited"
            )
        connection.commit()
    mappings = mappings_from_dict({"transactions": {"table": "erp.lines", "columns": {"customer_id": "customer"}}})
    report = take_in(postgres.format("postgres"), tmp_path, mappings, timezone="Asia/Tokyo", max_share=0.5)
    uuid = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
    assert clean(report) == [(uuid, str(n), datetime(2024, 1, 11, 0, 30), n + 0.25) for n in (1, 2, 3)]
    kinds = {(reason.kind, reason.first_rows) for reason in report.table("transactions").reasons}
    assert kinds == {("not_finite", (4,)), ("missing", (5,))}
    query = "SELECT customer_id, occurred_at, channel, invited FROM interactions"
    assert clean(report, query) == [("a", datetime(2024, 1, 11), "call", True)]


def test_a_table_that_the_database_does_not_have_is_named_with_those_it_has(tmp_path):
    with duckdb.connect(tmp_path / "crm.duckdb") as base:
        base.execute("CREATE TABLE orders (a INTEGER)")
    with pytest.raises(SourceError, match=r"crm.duckdb: there is no table or view 'transactions'. Found: \['orders'\]"):
        take_in(f"duckdb:///{tmp_path}/crm.duckdb", tmp_path)


@pytest.mark.parametrize("scheme", ["duckdb", "sqlite"])
def test_a_database_file_that_is_none_is_refused(tmp_path, scheme):
    (tmp_path / "crm.db").write_text("no database " * 100)
    with pytest.raises(SourceError, match=r"crm.db: ") as error:
        take_in(f"{scheme}:///{tmp_path}/crm.db", tmp_path)
    one_line(error)
    with pytest.raises(SourceError, match=r"there is no such file"):
        take_in(f"{scheme}:///{tmp_path}/gone.db", tmp_path)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://kim:s3cret@127.0.0.1:1/crm",
        "postgresql://kim@127.0.0.1:1/crm?password=s3cret",
        "postgresql://kim:s3cret@127.0.0.1:1/crm?password=s3cret",
    ],
)
def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path, address):
    with pytest.raises(SourceError) as error:
        take_in(address, tmp_path)
    message = one_line(error)
    assert message.startswith("postgresql://127.0.0.1:1/crm: ")
    assert "s3cret" not in message
    assert error.value.__cause__ is None


def test_a_scheme_that_cannot_be_read_names_those_that_can():
    with pytest.raises(
        SourceError, match=r"mysql://: not a database that can be read.* duckdb://, sqlite://, postgresql://"
    ):
        open_source("mysql://kim:s3cret@host/base")


# --- mapping ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "data", "message"),
    [
        ("orders", {}, r"\[sources.orders\]: there is no table 'orders'. Known: \['absences'"),
        ("quotes", {"columns": {"colour": "c"}}, r"the contract has no column \['colour'\]"),
        ("quotes", {"colums": {}}, r"`colums`: Extra inputs are not permitted"),
        ("quotes", {"columns": {"amount": {"sql": "1+1"}}}, r"`columns.amount.sql`"),
        ("quotes", {"columns": {"amount": {"column": "a", "value": "1"}}}, "exactly one of"),
        ("quotes", {"columns": {"amount": {"multiply": ["a"]}}}, "two columns or more"),
        ("quotes", {"columns": {"status": {"multiply": ["a", "b"]}}}, "`status` is no number"),
        ("quotes", {"columns": {"amount": {"column": "a", "format": "%d"}}}, "`amount` is no date"),
        ("quotes", {"require": {"amount": "big"}}, "`require.amount`: Input should be 'nonzero'"),
        ("quotes", {"max_quarantine_share": 2}, "`max_quarantine_share`: Input should be less than or equal to 1"),
        ("customers", {"columns": {"segment": {"value": "x"}}}, "beyond the contract"),
    ],
)
def test_a_mapping_that_says_what_the_language_does_not_have_is_refused(table, data, message):
    with pytest.raises(SettingsError, match=message) as error:
        TableMapping.from_dict(table, data)
    one_line(error)


def test_columns_are_renamed_multiplied_signed_and_filled_in(tmp_path):
    data = written(
        tmp_path,
        "Kunde,Beleg,Datum,Menge,Preis\nA,1001,31.01.2024,3,2.50\nA,C1002,01.02.2024,2,1.25\nB,C1003,02.02.2024,-1,0.1\n",
        "belege.csv",
    )
    sign = {"column": "Beleg", "starts_with": "C"}
    columns = {
        "customer_id": "Kunde",
        "order_id": "Beleg",
        "ordered_at": {"column": "Datum", "format": "%d.%m.%Y"},
        "amount": {"multiply": ["Menge", "Preis"], "negative_when": sign},
        "quantity": {"column": "Menge", "negative_when": sign},
        "currency": {"value": "EUR"},
    }
    report = take_in(data, tmp_path, mappings_from_dict({"transactions": {"file": "belege*", "columns": columns}}))
    query = "SELECT order_id, ordered_at, amount, quantity, currency FROM transactions ORDER BY ALL"
    assert clean(report, query) == [
        ("1001", datetime(2024, 1, 31), 7.5, 3, "EUR"),
        ("C1002", datetime(2024, 2, 1), -2.5, -2, "EUR"),
        ("C1003", datetime(2024, 2, 2), Decimal("-0.1"), -1, "EUR"),
    ]


@pytest.mark.parametrize(
    ("check", "bad"), [("nonzero", {2}), ("positive", {2, 3}), ("not_negative", {3})], ids=lambda value: str(value)
)
def test_a_check_of_the_mapping_quarantines_the_rows_that_break_it(tmp_path, check, bad):
    lines = "".join(f"A,{n},2024-01-0{n},5,{price}\n" for n, price in enumerate(["1", "0", "-1", "", "NaN", "x"], 1))
    data = written(tmp_path, HEAD.replace("\n", ",price\n") + lines)
    mappings = mappings_from_dict({"transactions": {"require": {"price": check}}})
    report = take_in(data, tmp_path, mappings, max_share=1)
    assert {row[1] for row in clean(report)} == {str(n) for n in (1, 2, 3) if n not in bad}
    (reason,) = report.table("transactions").reasons
    assert (reason.kind, reason.column, set(reason.first_rows)) == ("mapping_check", "price", bad | {4, 5, 6})


def test_further_columns_of_customers_are_kept_under_the_name_that_the_mapping_gives(tmp_path):
    data = written(tmp_path, LINES)
    written(tmp_path, "customer_id,Kundengruppe,abc\nA,x,1\nB,y,2\nC,,3\n", "customers.csv")
    mappings = mappings_from_dict({"customers": {"columns": {"segment": "Kundengruppe"}}})
    report = take_in(data, tmp_path, mappings)
    assert report.events.further == ("abc", "segment")
    query = "SELECT customer_id, segment, abc FROM customers ORDER BY 1"
    assert clean(report, query) == [("A", "x", "1"), ("B", "y", "2"), ("C", None, "3")]
