"""The sheet for the weekly meeting: why, what, whose and until when, and the levels of a week before."""

from datetime import timedelta

from paged import words_of
from served import DAY
from teams import BOOK, MINUS, Team, entered, row_of, task

from serving.pages.view import DASH

pytest_plugins = ["served_company", "team_company"]


# The weekly meeting


def test_lv_08_the_sheet_has_of_each_red_customer_why_what_whose_and_until_when(team: Team) -> None:
    paged = team()
    entered(paged, task(1, "Ann", DAY + timedelta(days=2)))
    page = paged.get("manager", "/meeting")
    words = words_of(page)
    at = [words.index(said) for said in ("Ann 1 customer", "Name of A1", "Bob 1 customer", "Name of B1")]
    assert at == sorted(at)
    for said in (
        "Customers on the red list: 2, with 1,600 at risk.", "A1 · Rank A · Last order 75 days ago · 45 days beyond",
        "The warning level is red.", "Orders of an important customer have stopped", "Name of A1's order is late",
        "Jul 3, 2024", "900 at risk", "Deal with by", "Nothing planned",
    ):  # fmt: skip
        assert said in words, said
    assert words.count("Decision") == 2
    assert "Name of A2" not in words, "an orange customer is not on the red list"
    one = words_of(paged.get("manager", "/meeting?owner=Bob"))
    assert "Name of B1" in one
    assert "Name of A1" not in one
    assert 'href="/export/meeting?owner=Bob&amp;format=xlsx"' in paged.get("manager", "/meeting?owner=Bob").text


def test_the_sheet_compares_the_levels_with_those_a_week_before(team: Team) -> None:
    alone = team().get("manager", "/meeting")
    assert row_of(alone, "◆ Red") == ["2", DASH, DASH]
    assert "No day a week before or older is published yet" in words_of(alone)
    before = {**BOOK, "B1": ("Bob", "none", *BOOK["B1"][2:]), "N1": (None, "orange", *BOOK["N1"][2:])}
    page = team(before=before).get("manager", "/meeting")
    assert "On Jun 24, 2024" in words_of(page)
    told: dict[str, list[str]] = {
        name: row_of(page, name) for name in ("◆ Red", "▲ Orange", "■ Yellow", "● Blue", "○ No warning")
    }
    assert list(told.values()) == [
        ["2", "1", "+1"],
        ["1", "2", f"{MINUS}1"],
        ["1", "0", "+1"],
        ["0", "0", "0"],
        ["1", "2", f"{MINUS}1"],
    ]


def test_a_quiet_week_says_so(team: Team) -> None:
    calm = {name: (owner, "none", worth, 5, 5, *more) for name, (owner, _, worth, _, _, *more) in BOOK.items()}
    assert "Nobody is on the red list today." in words_of(team(calm).get("manager", "/meeting"))
