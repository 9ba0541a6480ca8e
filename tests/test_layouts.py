"""Ready layouts: a publisher's own file, read without a word of configuration."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

import os
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from features.contract import CONTRACT
from features.errors import QuarantineLimit, SettingsError
from features.mapping import LAYOUTS, layout_names, load_layout
from features.quarantine import ingest
from features.sources import open_source

ORDERS_FILE = os.environ.get("KIZASHI_ORDERS_FILE")  # noqa: TID251

ONLINE_RETAIL = """Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country
489434,85048,"LIGHTS, 15CM",12,2009-12-01 07:45:00,6.95,13085.0,United Kingdom
489434,79323P,PINK CHERRY LIGHTS,12,2009-12-01 07:45:00,6.75,13085.0,United Kingdom
C489449,22087,PAPER BUNTING,-12,2009-12-01 10:33:00,2.95,16321.0,Australia
C489450,22087,PAPER BUNTING,1,2009-12-01 10:40:00,3.00,16321.0,Australia
489464,21733,85123a mixed,-96,2009-12-01 10:52:00,0.0,,United Kingdom
489521,21646,,-50,2009-12-01 11:44:00,0.0,13085.0,United Kingdom
A506401,B,Adjust bad debt,1,2010-04-29 13:36:00,-53594.36,17000.0,United Kingdom
"""


@pytest.mark.parametrize("name", ["online_retail_II.csv", "online_retail_ii.csv", "Online_Retail_II_2009.CSV"])
def test_the_publisher_s_own_file_is_read_in_its_own_columns(tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_text(ONLINE_RETAIL)
    source = open_source(tmp_path / "data", load_layout("online-retail-ii"))
    with pytest.raises(QuarantineLimit, match=r"3 of 7 rows .42.9%. break the contract, allowed are 30.0%"):
        ingest(source, tmp_path / "out", run_at=datetime(2011, 12, 10), timezone="Europe/London")


def test_credit_notes_are_negative_and_rows_without_customer_or_price_are_quarantined(tmp_path):
    lines = ONLINE_RETAIL.splitlines(keepends=True)
    filler = "".join(lines[1].replace("489434", str(490000 + number)) for number in range(5))
    (tmp_path / "online_retail_II.csv").write_text(ONLINE_RETAIL + filler)
    source = open_source(tmp_path / "online_retail_II.csv", load_layout("online-retail-ii"))
    report = ingest(source, tmp_path / "out", run_at=datetime(2011, 12, 10), timezone="Europe/London")
    connection = report.events.connect(0)
    query = (
        "SELECT customer_id, order_id, product_id, quantity, amount, currency FROM transactions "
        "WHERE order_id < '490000' OR order_id LIKE 'C%' ORDER BY ALL"
    )
    assert connection.execute(query).fetchall() == [
        ("13085", "489434", "79323P", 12, Decimal("81.00"), "GBP"),
        ("13085", "489434", "85048", 12, Decimal("83.40"), "GBP"),
        ("16321", "C489449", "22087", -12, Decimal("-35.40"), "GBP"),
        ("16321", "C489450", "22087", -1, Decimal("-3.00"), "GBP"),
    ]
    connection.close()
    refused = duckdb.sql(
        f"SELECT * EXCLUDE (\"table\") FROM '{tmp_path}/out/quarantine/transactions.parquet'"
    ).fetchall()
    assert refused == [
        (5, "customer_id", None, "missing"),
        (6, "Price", "0.0", "must be above 0"),
        (7, "Price", "-53594.36", "must be above 0"),
    ]


@pytest.mark.skipif(not ORDERS_FILE, reason="KIZASHI_ORDERS_FILE does not name the file of Online Retail II")
def test_the_real_file_gives_the_published_counts(tmp_path):
    source = open_source(Path(str(ORDERS_FILE)), load_layout("online-retail-ii"))
    report = ingest(source, tmp_path / "out", run_at=datetime(2011, 12, 10), timezone="Europe/London", buckets=1)
    table = report.table("transactions")
    assert (table.rows_in, table.clean, table.quarantined, table.duplicates) == (1_044_847, 809_490, 235_357, 0)
    assert [(reason.kind, reason.column, reason.rows) for reason in table.reasons] == [
        ("missing", "customer_id", 235_287),
        ("mapping_check", "Price", 70),
    ]
    assert report.events.data_end == date(2011, 12, 10)
    connection = report.events.connect(0)
    facts = connection.execute(
        "SELECT min(ordered_at), max(ordered_at), count(*) FILTER (amount > 0 AND order_id LIKE 'C%'), "
        "count(DISTINCT customer_id) FILTER (customer_id LIKE '%.%') FROM transactions"
    ).fetchall()
    connection.close()
    assert facts == [(datetime(2009, 12, 1, 7, 45), datetime(2011, 12, 9, 12, 50), 0, 0)]


def test_an_unknown_layout_names_the_known_ones():
    with pytest.raises(SettingsError, match=r"There is no layout 'online_retail'. Known: .*online-retail-ii"):
        load_layout("online_retail")


@pytest.mark.parametrize("name", layout_names())
def test_every_layout_maps_every_required_column_of_its_tables(name):
    for table, mapping in load_layout(name).items():
        assert set(CONTRACT[table].required) <= set(mapping.columns)
        assert mapping.file


def test_every_file_of_layouts_is_offered_by_name():
    assert [path.name for path in sorted(LAYOUTS.iterdir())] == [f"{name}.toml" for name in layout_names()]
