"""Tables of many files: read in the order of their names, each row known by its file and its place there."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from features.errors import SourceError
from features.mapping import mappings_from_dict
from features.quarantine import ingest
from features.sources import SourceWarning, open_source

HEAD = "customer_id,order_id,ordered_at,amount\n"
LINES = HEAD + "A,1,2024-01-10,100\nB,2,2024-01-11,20.5\nC,3,2024-01-12,-3\n"


def take_in(data, folder: Path, mappings=None, max_share=0.01):
    source = open_source(data, mappings)
    return ingest(source, folder / "out", run_at=datetime(2024, 6, 1), timezone="UTC", max_share=max_share)


def clean(report):
    with report.events.connect(0) as connection:
        query = "SELECT customer_id, order_id, ordered_at, amount FROM transactions ORDER BY ALL"
        return connection.execute(query).fetchall()


def written(folder: Path, content: str | bytes, name: str) -> Path:
    path = folder / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "data"


def parquet(path: Path, query: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")


def test_a_table_may_be_a_folder_of_files_which_are_read_in_the_order_of_their_names(tmp_path):
    data = written(tmp_path, HEAD + "B,2,2024-01-11,x\n", "transactions/b.csv")
    written(tmp_path, HEAD.replace(",", ";") + "A;1;2024-01-10;100\nA;1;never;1\n", "transactions/a.tsv")
    parquet(data / "transactions" / "c.parquet", "SELECT 'C' AS customer_id, 3 AS order_id, DATE '2024-01-12' AS "
            "ordered_at, -3 AS amount UNION ALL SELECT 'C', 3, NULL, 5")  # fmt: skip
    report = take_in(data, tmp_path, max_share=1)
    assert clean(report) == [("A", "1", datetime(2024, 1, 10), 100), ("C", "3", datetime(2024, 1, 12), -3)]
    table = report.table("transactions")
    assert (table.source, table.rows_in) == ("transactions/", 5)
    assert [(reason.kind, reason.places) for reason in table.reasons] == [
        ("missing", "c.parquet 2"),
        ("not_a_date", "a.tsv 2"),
        ("not_a_number", "b.csv 1"),
    ]
    quarantine = duckdb.sql(f"FROM '{tmp_path}/out/quarantine/transactions.parquet'")
    assert quarantine.columns == ["table", "file", "row_number", "column", "value", "reason"]
    assert [row[1:4] for row in quarantine.fetchall()] == [
        ("a.tsv", 2, "ordered_at"),
        ("b.csv", 1, "amount"),
        ("c.parquet", 2, "ordered_at"),
    ]


def test_a_folder_of_another_name_is_the_table_that_the_mapping_says(tmp_path):
    data = written(tmp_path, LINES, "Orders/2024.csv")
    mappings = mappings_from_dict({"transactions": {"file": "orders"}})
    assert len(clean(take_in(data, tmp_path, mappings))) == 3


def test_a_folder_that_is_called_like_a_file_is_a_folder(tmp_path):
    path = tmp_path / "data" / "transactions.parquet" / "part-00000.parquet"
    parquet(path, f"FROM read_csv('{written(tmp_path, LINES, 'lines.csv')}/lines.csv')")
    (tmp_path / "data" / "lines.csv").unlink()
    (path.parent / "_SUCCESS").touch()
    assert len(clean(take_in(tmp_path / "data", tmp_path))) == 3


def test_a_file_and_a_folder_for_one_table_are_not_chosen_between(tmp_path):
    written(tmp_path, LINES, "transactions/1.csv")
    with pytest.raises(SourceError, match=r"several files for transactions: \['transactions/', 'transactions.csv'\]"):
        open_source(written(tmp_path, LINES, "transactions.csv"))


@pytest.mark.parametrize("name", ["transactions/notes.txt", "transactions/2023/1.csv"])
def test_what_cannot_be_read_in_a_folder_is_named_in_a_warning(tmp_path, name):
    written(tmp_path, LINES, name)
    data = written(tmp_path, LINES, "transactions/1.csv")
    with pytest.warns(SourceWarning, match=rf"transactions: not used: \['{name.split('/')[1]}'\]"):
        assert len(clean(take_in(data, tmp_path))) == 3


def test_an_empty_folder_is_no_table(tmp_path):
    data = written(tmp_path, LINES, "transactions.csv")
    (data / "quotes").mkdir()
    with pytest.warns(SourceWarning, match="quotes: no file in it"):
        assert "quotes" not in take_in(data, tmp_path).events.columns
    (data / "transactions.csv").unlink()
    (data / "transactions").mkdir()
    with (
        pytest.warns(SourceWarning),
        pytest.raises(SourceError, match=r"no file transactions.parquet .*'transactions/'"),
    ):
        open_source(data)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"^transactions/2.csv: the file is empty"),
        ("\n" + LINES, r"^transactions/2.csv: the first line is empty"),
        (HEAD.replace("amount", "amt"), r"^transactions/2.csv: 1 column is missing: \['amount'\]"),
        (HEAD + "A,1,2024-01-10,\xff\n", r"^transactions/2.csv: line 2, byte 55 \(0xff\) is not UTF-8"),
    ],
)
def test_of_many_files_the_one_that_cannot_be_read_is_named(tmp_path, content, message):
    for name in ("1.csv", "3.csv"):
        written(tmp_path, LINES, f"transactions/{name}")
    data = written(tmp_path, content.encode("latin-1"), "transactions/2.csv")
    with pytest.raises(SourceError, match=message) as error:
        take_in(data, tmp_path)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_of_many_files_the_damaged_one_is_named(tmp_path):
    query = "SELECT 'C' || i % 50 AS customer_id, i AS order_id, DATE '2024-01-01' AS ordered_at, i AS amount"
    for name in "123":
        path = tmp_path / "data" / "transactions" / f"{name}.parquet"
        parquet(path, f"{query} FROM range(5000) t(i)")
        if name == "2":
            whole = bytearray(path.read_bytes())
            whole[2000:2100] = bytes(byte ^ 0xFF for byte in whole[2000:2100])
            path.write_bytes(whole)
    with pytest.raises(SourceError, match=r"^transactions/2.parquet: cannot be read to its end"):
        take_in(tmp_path / "data", tmp_path, max_share=0)


@pytest.mark.parametrize("name", ["file", "row_number", "problem", "bucket", "filename", "kind", "row_hash", "waits"])
def test_a_source_may_call_its_columns_as_it_likes(tmp_path, name):
    lines = [f"{customer},{day},2024-01-0{day},5,{day}\n" for customer, day in (("A", 1), ("B", 2), ("A", 1))]
    for number in (1, 2):
        text = f"customer_id,order_id,ordered_at,amount,{name}\nC,9,2024-01-01,{number},x\n"
        data = written(tmp_path, text + "".join(lines), f"transactions/{number}.csv")
    table = take_in(data, tmp_path).table("transactions")
    assert (table.rows_in, table.clean, table.quarantined, table.duplicates) == (8, 4, 0, 4)
