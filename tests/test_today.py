"""Today: the four lists with their counts, cut and sorted as the address says, in three languages, each rep's own."""

from datetime import date
from urllib.parse import quote

import pytest
from markupsafe import escape
from paged import Paged, words_of
from served import Served

from serving.words.speech import LANGUAGES

pytest_plugins = ["served_company"]


@pytest.fixture
def paged(served: Served) -> Paged:
    return Paged(served)


def red(paged: Paged) -> None:
    """Aoki Works becomes red by the word of a person."""
    told = {"temperature": "cool", "risk": "urgent"}
    assert paged.served.post("manager", "/customers/K-AOKI/update", told).status_code == 200


def test_lv_01_one_page_has_the_four_lists_with_counts_and_each_row_its_whole_story(paged: Paged) -> None:
    red(paged)
    words = words_of(paged.get("manager", "/"))
    assert "Red list 1 Yellow list 0 Blue list 0 Grey list 0" in words
    for said in (
        "Aoki Works", "K-AOKI · Rank A", "Orders of an important customer have stopped",
        "The risk that a person entered is urgent.", "Silent 75 days.",
        "Off the list with: an order and a lower risk in the update after a contact.",
        "[To check] Aoki Works's order is late", "Jul 8, 2024", "900", "Ann", "Overdue", "50%",
    ):  # fmt: skip
        assert said in words, said


def test_what_is_entered_shows_without_another_run(paged: Paged) -> None:
    assert "Yellow list 0" in words_of(paged.get("manager", "/"))
    paged.served.post("manager", "/customers/K-BOLT/update", {"temperature": "cold", "risk": "low"})
    words = words_of(paged.get("manager", "/?list=yellow"))
    assert "Yellow list 1" in words
    assert "Bolt [2]" in words


def test_a_rep_sees_their_own_customers_and_no_other_pages(paged: Paged) -> None:
    red(paged)
    mine, other = words_of(paged.get("rep", "/")), words_of(paged.get("bob", "/"))
    assert "Aoki Works" in mine
    assert "Aoki Works" not in other
    assert "Red list 0" in other
    assert "Settings" not in mine
    assert "Settings" in words_of(paged.get("viewer", "/"))


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("owner=Ann", True), ("owner=Bob", False), ("q=aoki", True), ("q=bolt", False), ("level=orange", True),
        ("level=red", False), ("region=North", True), ("region=South", False), ("industry=machinery", True),
        ("queue=overdue", True), ("queue=early", False), ("owner=Ann&q=&level=", True),
    ],
)  # fmt: skip
def test_the_list_is_cut_as_the_address_says(paged: Paged, asked: str, there: bool) -> None:
    red(paged)
    answer = paged.get("manager", f"/?{asked}")
    assert ("Aoki Works" in words_of(answer)) == there
    assert ("Choose less, or show all." in words_of(answer)) == (not there)


def test_a_wrong_address_says_so_on_a_page(paged: Paged) -> None:
    for asked in ("sort=weather", "list=pink", "page=0"):
        answer = paged.get("manager", f"/?{asked}")
        assert answer.status_code == 422
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "Go to today's list" in words_of(answer)
    assert paged.get("manager", "/?page=99").status_code == 200


@pytest.mark.parametrize("locale", LANGUAGES)
def test_the_page_is_in_the_readers_language_and_the_choice_lasts(paged: Paged, locale: str) -> None:
    red(paged)
    said = {"en": "Red list 1", "ja": "赤リスト 1", "zh": "红色名单 1"}[locale]
    assert said in words_of(paged.get("manager", "/", locale))
    chosen = paged.get("manager", f"/?lang={locale}", "en")
    assert said in words_of(chosen)
    assert f'<html lang="{locale}">' in chosen.text
    assert f"kizashi_language={locale}" in chosen.headers["Set-Cookie"]


def test_an_old_day_says_that_it_is_old(paged: Paged) -> None:
    assert "no newer day is published" not in words_of(paged.get("manager", "/"))
    paged.served.clock.now = paged.served.clock.now.replace(day=8)
    assert "These lists are of Jul 1, 2024: no newer day is published." in words_of(paged.get("manager", "/"))
    assert paged.served.service.board.newest().as_of == date(2024, 7, 1)


def test_what_is_asked_is_told_back_and_never_run(paged: Paged) -> None:
    hostile = "<script>alert(1)</script>\"' onload=x"
    answer = paged.get("manager", f"/?q={quote(hostile)}&owner={quote(hostile)}")
    assert "<script>alert" not in answer.text
    assert f'value="{escape(hostile)}"' in answer.text


def test_nobody_who_is_not_signed_in_sees_anything(paged: Paged) -> None:
    answer = paged.get("", "/?list=yellow&q=a")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/sign-in?next=%2F%3Flist%3Dyellow%26q%3Da"
    assert answer.text == ""


def test_a_fault_of_ours_is_a_page_without_a_traceback(paged: Paged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(paged.served.service.board), "newest", lambda self: self.no_such_thing)
    answer = paged.get("manager", "/")
    assert answer.status_code == 500
    assert "no_such_thing" not in answer.text
    assert answer.headers["X-Request-Id"] in words_of(answer)
    assert "Go to today's list" in words_of(answer)
