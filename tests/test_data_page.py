"""The page of the data: its figures are the manifest's and the store's; rows set aside are shown, never run."""

import csv
import io
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from paged import Paged, words_of
from served import DAY, NINE, Served

from features.buckets import read_manifest
from features.quarantine import ingest
from features.sources import open_source
from pipelines.server import AccountFiles
from serving.day_records import Notice
from serving.outbox import enqueue
from serving.pages.data_parts import FAULTS, LONGEST_VALUE

pytest_plugins = ["served_company"]

RUN = datetime(2024, 6, 1, 12)  # noqa: DTZ001 - clean events are in the project's zone
HEAD = "customer_id,order_id,ordered_at,amount\n"
DIRTY = [
    "A,1,2024-01-10,100", "A,1,2024-01-10,100", "B,2,2024-01-11,20.5", "C,3,<script>alert(1)</script>,5",
    "C,4,=1+1,5", "C,5,2024-01-12,five", f"C,6,{'9' * 400}x,5", ",7,2024-01-12,5",
]  # fmt: skip


@pytest.fixture
def paged(served: Served) -> Paged:
    return Paged(served)


@pytest.fixture
def dirty(paged: Paged, tmp_path: Path) -> Paged:
    """The company with orders of which some are no orders, and 60 more that are none either."""
    (tmp_path / "data").mkdir()
    more = [f"D,{n},not a day {n},5" for n in range(100, 160)]
    (tmp_path / "data" / "transactions.csv").write_text(HEAD + "\n".join([*DIRTY, *more]) + "\n")
    source = open_source(str(tmp_path / "data"), {})
    ingest(source, tmp_path / "events", run_at=RUN, timezone="UTC", max_share=1.0)
    service = replace(paged.served.service, accounts=AccountFiles(tmp_path / "events"))
    paged.served.service = paged.served.app.state.service = service
    return paged


def cells(text: str, heading: str) -> list[str]:
    """The cells of the rows that begin with a heading, of all tables."""
    found = re.findall(rf'<th scope="row"[^>]*>{re.escape(heading)}</th>(.*?)</tr>', text, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", cell).strip() for row in found for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]


def test_the_figures_are_those_of_the_manifest(paged: Paged, published: Path) -> None:
    answer = paged.get("viewer", "/data")
    assert answer.status_code == 200
    manifest = read_manifest(published / "events")["tables"]
    for name, heading in (("transactions", "Orders"), ("customers", "Customers")):
        table = manifest[name]
        found = cells(answer.text, heading)
        assert [str(table[key]) for key in ("rows_in", "clean", "quarantined", "duplicates")] == found[6:10]
        assert (found[0], found[1]) == (table["source"], str(table["clean"]))
    whole = [sum(one[key] for one in manifest.values()) for key in ("rows_in", "clean", "quarantined", "duplicates")]
    assert cells(answer.text, "In all")[:4] == [str(one) for one in whole]
    assert whole[0] == sum(whole[1:]), "rows in are clean, set aside or repeated"


def test_days_and_ages_stand_against_the_day_that_is_shown(paged: Paged) -> None:
    found = cells(paged.get("viewer", "/data").text, "Orders")
    assert found[3:6] == ["Feb 17, 2024", "Jun 30, 2024", "1 day"], f"the day is {DAY}"
    old = cells(paged.get("viewer", "/data").text, "Contacts and visits")[5]
    assert old.startswith("29 days"), "the newest contact is of June 2"
    assert "old" in old


def test_tables_that_are_absent_say_what_they_would_add(paged: Paged) -> None:
    told = words_of(paged.get("viewer", "/data"))
    assert re.search(r"Invoices and payments finances ?Would add \d+ features, of these sides of the relation: ", told)
    assert re.search(r"Market events market_events ?Would add", told)
    assert "Orders transactions" not in told


def test_how_much_is_known_is_counted_from_the_published_day(paged: Paged) -> None:
    text = paged.get("viewer", "/data").text
    assert cells(text, "eligible") == ["3", "100%"]
    grade = next(name for name in re.findall(r'scope="row"[^>]*>(A: [^<]*)</th>', text))
    assert cells(text, grade) == ["3", "100%"]
    assert "m1" in words_of(paged.get("viewer", "/data")), "the model of the day"
    assert cells(text, "Jul 1, 2024")[:3] == ["m1", "3", "1"], "model, customers and reasons of the run"


def test_rows_set_aside_are_counted_shown_and_told_what_to_do(dirty: Paged) -> None:
    record = dirty.served.service.accounts.sources()
    orders = next(one for one in record.tables if one.name == "transactions")
    assert (orders.rows_in, orders.clean, orders.quarantined, orders.duplicates) == (68, 2, 65, 1)
    told = words_of(dirty.get("viewer", "/data"))
    assert re.search(r"Not a date ?63 ?Write days as 2026-01-31", told)
    assert re.search(r"Not a number ?1 ?Write numbers", told)
    assert re.search(r"A required value is missing ?1 ?Fill the value", told)
    page = dirty.get("viewer", "/data/quarantine?table=transactions&reason=not_a_number")
    assert page.status_code == 200
    row, column, value, fault, mend = cells(page.text, "<bdi>transactions.csv</bdi>")
    assert (row, column, value) == ("6", "amount", "five")
    assert fault.startswith("Not a number")
    assert mend == "Write numbers without words and thousands separators."


def test_values_of_the_source_are_text_and_cut_where_they_are_long(dirty: Paged) -> None:
    page = dirty.get("viewer", "/data/quarantine?table=transactions")
    assert "<script>alert(1)" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "9" * 200 not in page.text
    assert "9" * (LONGEST_VALUE - 1) + "…" in page.text


def test_fifty_rows_are_shown_at_a_time(dirty: Paged) -> None:
    first = dirty.get("viewer", "/data/quarantine?table=transactions")
    second = dirty.get("viewer", "/data/quarantine?table=transactions&page=2")
    rows = [re.findall(r'<td class="number">(\d+)</td>', page.text) for page in (first, second)]
    assert [len(one) for one in rows] == [50, 15]
    assert not set(rows[0]) & set(rows[1])
    assert "51 to 65 of 65" in words_of(second)


def test_a_file_of_them_runs_no_formula_and_the_ledger_keeps_who_took_it(dirty: Paged) -> None:
    answer = dirty.get("manager", "/data/quarantine/file?table=transactions&format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 65
    assert "'=1+1" in {row["value"] for row in rows}
    taken = dirty.served.service.store.history(kinds=["export_made"])[-1].event
    assert (taken.actor, taken.payload["rows"]) == ("manager", 65)
    assert dirty.get("manager", "/data/quarantine/file?table=transactions&format=xlsx").content[:2] == b"PK"
    assert dirty.get("viewer", "/data/quarantine/file?table=transactions").status_code == 403


@pytest.mark.parametrize("asked", ["?table=nothing", "?table=quotes", "/file?table=nothing"])
def test_a_table_that_there_is_not_is_told_so(dirty: Paged, asked: str) -> None:
    assert dirty.get("manager", f"/data/quarantine{asked}").status_code == 404


def test_without_a_table_one_is_sent_to_where_they_stand(dirty: Paged) -> None:
    for path in ("/data/quarantine", "/data/quarantine/file"):
        assert dirty.get("manager", path).headers["location"] == "/data"


def test_a_notice_that_could_not_be_delivered_stands_above_the_days(paged: Paged) -> None:
    store = paged.served.service.store
    with store.writing() as connection:
        enqueue(connection, [Notice("Ann", "new_warnings", DAY, {"warnings": []})], NINE, run_id="run-1")
    (taken,) = store.outbox.lease("tests", 60, NINE)
    store.outbox.failed(taken.dedupe_key, "tests", "no <such> address", NINE, final=True)
    page = paged.get("viewer", "/data")
    assert "1 notice could not be delivered." in words_of(page)
    assert "no &lt;such&gt; address" in page.text


def test_a_reason_without_rows_says_so(dirty: Paged) -> None:
    page = dirty.get("viewer", "/data/quarantine?table=transactions&reason=ragged_row")
    assert (page.status_code, "No row of this table" in words_of(page)) == (200, True)


@pytest.mark.parametrize("path", ["/data", "/data/quarantine?table=transactions", "/data/ledger"])
def test_who_sees_one_owner_alone_sees_nothing_of_the_whole(paged: Paged, path: str) -> None:
    assert paged.get("rep", path).status_code == 403


def test_the_ledger_is_checked_for_administrators_and_a_change_behind_its_back_shows(paged: Paged) -> None:
    assert paged.get("manager", "/data/ledger").status_code == 403
    assert re.search(r"All \d+ events are as they were written", words_of(paged.get("admin", "/data/ledger")))


def test_without_events_the_rest_is_shown_all_the_same(paged: Paged, tmp_path: Path) -> None:
    service = replace(paged.served.service, accounts=AccountFiles(tmp_path / "nowhere"))
    paged.served.service = paged.served.app.state.service = service
    told = words_of(paged.get("viewer", "/data"))
    assert "The clean events are not in the folder" in told
    assert "Published days" in told


def test_every_kind_of_fault_has_its_words() -> None:
    page = Path("docs/contract.md").read_text(encoding="utf-8")
    part = page[page.index("| kind | what it is |") :]
    kinds = re.findall(r"`([a-z_]+)`", "\n".join(line.split("|")[1] for line in part.split("\n\n")[0].splitlines()))
    assert set(kinds) == set(FAULTS)
