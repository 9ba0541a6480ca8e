"""Lists: every one by name in three languages, every column in words, and a file with the very rows of the page."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import quote
from zipfile import ZipFile

import pytest
from browser import Server, Site
from paged import Paged, words_of
from served import Served
from starlette.requests import Request
from starlette.testclient import TestClient

from features.issues import absent
from serving.access import Caller
from serving.api_data import NAMES, columns_of, listed
from serving.api_visit import Visit
from serving.list_register import VIEWS
from serving.list_rows import Choice
from serving.lists import LISTS
from serving.pages.list_cells import Cells
from serving.pages.lists import LINE
from serving.pages.view import DASH, LANGUAGE_COOKIE, View, stranger
from serving.sessions import COOKIE
from serving.wording import level_name, stage_name
from serving.words.choices import CHOICES
from serving.words.columns import CODES, COLUMNS, ON_LIST, column_of
from serving.words.list_answers import ANSWERS, DEFINITIONS, GROUPS
from serving.words.lists import list_name
from serving.words.speech import LANGUAGES, language

pytest_plugins = ["served_company", "trained", "browsed"]

#: The lists that have a page of their own.
OTHERS = [name for name in NAMES if name not in LISTS]


@pytest.fixture
def paged(served: Served) -> Paged:
    return Paged(served)


@pytest.fixture(scope="module")
def whole(pages: Server) -> Iterator[Site]:
    """A simulated company with every table, whom no test changes."""
    with pages.site() as site:
        yield site


def visit_of(site: Any, who: Caller | None = None) -> Visit:
    return Visit(site.service, who or Caller("t", "Mia", "manager"), site.service.clock(), "GET /")


def get(site: Site, path: str, who: str = "manager", locale: str = "en") -> Any:
    client = TestClient(site.app, base_url="http://localhost", follow_redirects=False)
    return client.get(path, headers={"Cookie": f"{COOKIE}={site.cookie(who)}; {LANGUAGE_COOKIE}={locale}"})


def test_every_list_stands_in_one_group_with_what_it_answers(paged: Paged) -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(NAMES)
    assert set(ANSWERS) == set(NAMES)
    words = words_of(paged.get("manager", "/lists"))
    for name in NAMES:
        assert list_name(name) in words
    assert "Who has not ordered for 180 days or more?" in words
    assert "Whose revenue of 30 days fell by 50% or more against the 30 days before?" in words


def test_a_changed_setting_shows_in_what_a_list_answers(paged: Paged) -> None:
    told = {"value": 45, "version": 0}
    assert paged.served.post("admin", "/settings/lists.silent_days", told).status_code == 200
    words = words_of(paged.get("manager", "/lists"))
    assert "How many customers of each sales person had no contact for 45 days or more?" in words


def test_the_four_lists_of_the_morning_lead_to_todays_page(paged: Paged) -> None:
    for name in LISTS:
        answer = paged.get("manager", f"/lists/{name}?owner=Ann")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/?owner=Ann&list={name}")
    assert paged.get("manager", "/lists/pink").status_code == 404
    assert paged.get("manager", "/lists/overdue?sort=weather").status_code == 422
    assert paged.get("manager", "/lists/overdue?page=99").status_code == 200


@pytest.mark.parametrize("name", NAMES)
def test_every_column_has_a_heading_and_its_values_fit_how_they_are_told(whole: Site, name: str) -> None:
    rows = listed(visit_of(whole), name, Choice()).rows
    assert tuple(rows.columns) == columns_of(name)
    for column in rows.columns:
        told, values = column_of(column, name), rows[column].dropna()
        words = {language(locale).words(told.heading) for locale in ("ja", "zh")}
        assert told.heading not in words, column
        for value in values.head(200).tolist():
            assert fits(told.kind, told.codes, value), (column, value)


def fits(kind: str, codes: str, value: Any) -> bool:
    """Whether a value is of the kind by which its column is told."""
    if kind in ("day", "month", "moment"):
        return isinstance(value, date)
    if kind in ("money", "share", "change", "number", "decimal", "times", "days", "year"):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        whole = kind != "number" or float(value) == int(value)
        small = kind not in ("share",) or -20 < value < 20
        return number and whole and small
    if kind in ("why", "reasons", "rules"):
        return isinstance(value, list)
    if kind == "step":
        return value is None or set(value) >= {"kind", "due_on"}
    if kind == "yes":
        return isinstance(value, bool)
    if kind == "choice":
        return value in CHOICES[codes]
    if kind == "code":
        return value in CODES[codes]
    if kind == "level":
        return value in ("none", "blue", "yellow", "orange", "red")
    if kind == "stage":
        return bool(stage_name(value))
    return isinstance(value, str)


def test_no_column_is_named_that_no_list_has() -> None:
    there = {(name, column) for name in NAMES for column in columns_of(name)}
    assert set(COLUMNS) == {column for _, column in there}
    assert set(ON_LIST) <= there
    assert {(name, column) for name, told in DEFINITIONS.items() for column in told} <= there


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("name", OTHERS)
def test_every_list_opens_in_words(whole: Site, name: str, locale: str) -> None:
    answer = get(whole, f"/lists/{name}", locale=locale)
    assert answer.status_code == 200
    words = words_of(answer)
    assert list_name(name, locale) in words
    rows = listed(visit_of(whole), name, Choice()).rows
    assert len(re.findall(r"<tr data-row", answer.text)) == min(len(rows), 50)
    if len(rows):
        for column in columns_of(name):
            assert column == "customer_id" or language(locale).words(column_of(column, name).heading) in words
    assert not re.search(r"\bnan\b|NaT|\bNone\b|\{\w+\}", words)
    assert len(answer.content) < 60_000


@pytest.mark.parametrize("name", [name for name in OTHERS if VIEWS[name].needs])
def test_a_list_without_its_table_says_which_one_to_add(paged: Paged, name: str) -> None:
    found = listed(visit_of(paged.served), name, Choice())
    words = words_of(paged.get("manager", f"/lists/{name}"))
    assert ("This list cannot be made." in words) == bool(found.source_absent)
    if found.source_absent:
        table, _, column = found.source_absent.partition(".")
        assert f"Add {table} with at least: {column}" in words
        assert "docs/contract.md" in words
        assert absent(paged.served.service.accounts.present(), found.source_absent)
    else:
        assert name == "silent_by_owner"


def test_a_column_without_its_table_is_noted_under_the_list(paged: Paged) -> None:
    words = words_of(paged.get("manager", "/lists/risk_by_owner"))
    assert "Risk entered by people: The table account_changes is not among your files." in words
    assert "Add account_changes with at least:" in words


def test_lv_24_what_counts_as_a_success_stands_under_the_rates(whole: Site) -> None:
    words = words_of(get(whole, "/lists/contact_rates"))
    for said in (
        "Effective contacts and those of high value as a share of all contacts; one that nobody judged is no success.",
        "Unsuccessful contacts as a share of all contacts", "recorded within 3 days",
    ):  # fmt: skip
        assert said in words


def test_lv_10_slumps_show_before_now_and_the_fall_in_their_own_units(paged: Paged) -> None:
    def told(name: str, before: float, now: float, drop: float) -> list[str]:
        cells = Cells(view_of(paged), name)
        row = {"previous": before, "current": now, "drop": drop}
        return [cells.cell(column, row)["text"] for column in row]

    assert told("amount_slump", 1000.0, 400.0, 0.6) == ["1,000", "400", "60%"]
    assert told("orders_slump", 5.0, 1.0, 4.0) == ["5", "1", "4"]


def view_of(paged: Paged) -> View:
    scope = {"type": "http", "app": paged.served.app, "headers": [], "query_string": b"", "path": "/", "method": "GET"}
    return stranger(Request(scope))


def test_lv_13_the_risk_list_leads_to_the_customer_where_it_is_reviewed(paged: Paged) -> None:
    page = paged.get("manager", "/lists/risk_list")
    assert 'href="/customers/K-AOKI"' in page.text
    assert "Review overdue" in words_of(page)
    paged.served.post("manager", "/customers/K-AOKI/reviewed")
    words = words_of(paged.get("manager", "/lists/risk_list"))
    assert "manager" in words[words.index("Aoki Works") :]


def test_no_chance_is_told_where_none_may_be(paged: Paged) -> None:
    cells = Cells(view_of(paged), "risk_list")
    assert cells.cell("churn_probability", {"churn_probability": 0.5, "shown": "percent"})["text"] == "50%"
    assert cells.cell("churn_probability", {"churn_probability": 0.5, "shown": "level"})["text"] == DASH
    assert "50%" in words_of(paged.get("manager", "/lists/risk_list"))


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("owner=Ann", True), ("owner=Bob", False), ("level=orange", True), ("level=red", False), ("q=aoki", True),
        ("q=zzz", False), ("region=North", True), ("region=South", False), ("industry=machinery", True),
        ("owner=(none)", False), ("owner=&level=&q=", True),
    ],
)  # fmt: skip
def test_a_list_is_cut_as_the_address_says_and_so_is_its_file(paged: Paged, asked: str, there: bool) -> None:
    words = words_of(paged.get("manager", f"/lists/act_now?{asked}"))
    assert ("K-AOKI" in words) == there
    assert ("Choose less, or show all." in words) == (not there)
    assert ("K-AOKI" in paged.get("manager", f"/export/act_now?format=csv&{asked}").text) == there


def test_a_heading_sorts_by_its_column_the_other_way_when_clicked_again(whole: Site) -> None:
    page = get(whole, "/lists/dormant").text
    assert 'href="/lists/dormant?sort=-days_since_last_order"' in page
    once = get(whole, "/lists/dormant?sort=-days_since_last_order&owner=&page=1")
    assert 'aria-sort="descending"' in once.text
    assert re.search(r'href="/lists/dormant\?owner=&amp;sort=days_since_last_order"', once.text)
    rows = listed(visit_of(whole), "dormant", Choice(sort="days_since_last_order", descending=True)).rows
    assert shown(once.text) == rows["customer_id"].head(50).tolist()
    assert (
        '<option value="days_since_last_order" selected>No order for, the other way round</option>'
        in get(whole, "/lists/dormant?sort=days_since_last_order").text
    )  # where a narrow screen has no headings
    assert "sort=level" not in page  # codes have no order that a reader would look for


def shown(page: str) -> list[str]:
    """The customers of a page's table, in its order."""
    return re.findall(r'<th scope="row"><a href="/customers/([^"]+)"', page)


def test_a_rep_sees_their_own_customers_on_every_list_and_in_every_file(whole: Site) -> None:
    profile = whole.profile()
    others = set(profile.loc[profile["owner"] != whole.owners["ann"], "customer_id"])
    mine = set(profile["customer_id"]) - others
    seen: set[str] = set()
    for name in OTHERS:
        page = get(whole, f"/lists/{name}", who="ann")
        assert page.status_code == 200
        seen |= set(shown(page.text))
        assert 'name="owner"' not in page.text
        if "customer_id" in columns_of(name):
            seen |= {row["Customer number"] for row in file_of(whole, f"/export/{name}?format=csv", "ann")}
    assert seen
    assert seen <= mine


def file_of(site: Site, path: str, who: str = "manager") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(get(site, path, who).content.decode("utf-8-sig"))))


def test_a_file_has_the_rows_of_the_page_in_the_same_order(whole: Site) -> None:
    for name, asked in (("dormant", "sort=-days_since_last_order"), ("churned", "level=red"), ("leadership", "q=1")):
        page = get(whole, f"/lists/{name}?{asked}").text
        address = re.search(rf'href="(/export/{name}\?[^"]+format=csv)"', page)
        assert address is not None
        rows = file_of(whole, address[1].replace("&amp;", "&"))
        assert [row["Customer number"] for row in rows][:50] == shown(page)


def test_a_file_of_today_is_cut_as_todays_page(whole: Site) -> None:
    line = whole.service.board.newest().values(LINE)[0]
    for asked in ("", "queue=overdue", f"line={quote(line)}", "sort=-value_at_risk", "level=none&line=(none)"):
        page = get(whole, f"/?list=red&{asked}")
        address = re.search(r'href="(/export/red\?[^"]*format=csv)"', page.text)
        rows = [] if address is None else file_of(whole, address[1].replace("&amp;", "&"))
        customers = re.findall(r'<th scope="row"><a href="/customers/([^"]+)" data-open', page.text)
        assert [row["Customer number"] for row in rows][:50] == customers, asked


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_in_words_what_its_page_says(whole: Site, name: str) -> None:
    rows = file_of(whole, f"/export/{name}?format=csv")
    listing = listed(visit_of(whole), name, Choice()).rows
    assert len(rows) == len(listing)
    for row, there in zip(rows, listing.to_dict("records"), strict=True):
        assert not [cell for cell in row.values() if cell.startswith(("[{", '["', "{"))], "codes of a program"
        if "level" in there:
            assert row["Warning level"] == level_name(there["level"])
        if "value_at_risk" in there and there["value_at_risk"] == there["value_at_risk"]:
            assert float(row["Value at risk"]) == there["value_at_risk"]
        if there.get("shown") not in (None, "percent"):
            assert row["Chance of no order"] == ""


def test_files_are_for_who_may_take_them_run_nothing_and_are_kept_in_the_ledger(paged: Paged) -> None:
    assert paged.get("viewer", "/export/act_now").status_code == 403
    assert "CSV" not in words_of(paged.get("viewer", "/lists/act_now"))
    update = {"temperature": "warm", "risk": "urgent", "next_action_text": "=1+1", "next_action_on": "2024-07-05"}
    paged.served.post("manager", "/customers/K-AOKI/update", update)
    assert '"\'=1+1"' in paged.get("manager", "/export/red?format=csv").text
    book = ZipFile(io.BytesIO(paged.get("manager", "/export/red?format=xlsx").content))
    assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")
    taken = [told.event for told in paged.served.service.store.history(kinds=["export_made"])]
    assert [(event.actor, event.payload["format"]) for event in taken] == [("manager", "csv"), ("manager", "xlsx")]
    assert paged.get("manager", "/export/act_now?format=pdf").status_code == 422
    assert paged.get("", "/export/act_now").status_code == 303


def test_what_is_asked_of_a_list_is_never_run(paged: Paged) -> None:
    page = paged.get("manager", "/lists/act_now?q=%3Cscript%3Ealert(1)%3C/script%3E&owner=%22onload=x").text
    assert "<script>alert" not in page
    assert '"onload' not in page
