"""The analyst's commands: the same story on the terminal, as a page and as JSON, and what would be had it ordered."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from companies import DAY, Company, Run
from two_days import LATER, TwoDays

from features.briefs import plain
from pipelines.what_if import Supposed, what_if
from serving.story import Story
from serving.story_words import caution, change_text, log_odds, reason_line_text, what_if_text
from serving.wording import concept_name, level_name

pytest_plugins = ["trained", "told"]


@pytest.fixture
def options(company: Company, two_days: TwoDays) -> list[str]:
    return ["--data", str(company.data), "--as-of", str(LATER), "--out", str(two_days.intake.request.out)]


def refused(told: Any) -> str:
    """The one line of a command that was refused."""
    assert told.code == 2
    [line] = told.err.strip().splitlines()
    return str(line)


def test_a_story_is_told_on_the_terminal_as_a_page_and_as_json(
    told: Story, options: list[str], run: Run, tmp_path: Path
) -> None:
    page, data = tmp_path / "made" / "story.html", tmp_path / "made" / "story.json"
    given = ["--since", str(DAY), "--language", "ja", "--html", str(page), "--json", str(data)]
    done = run("explain", told.customer_id, *options, *given)
    assert done.code == 0, done.err

    def strict(name: str) -> Any:
        raise AssertionError(f"{name} is no JSON")

    kept = json.loads(data.read_text(encoding="utf-8"), parse_constant=strict)
    assert kept == json.loads(json.dumps(plain(told.to_dict())))
    html = page.read_text(encoding="utf-8")
    assert '<html lang="ja"' in html
    said = "".join(done.out.split())
    for line in told.reasons[:-1]:
        words = reason_line_text(line, told, "ja")
        assert words.replace(" ", "") in said
        assert words in html
    for share in told.concepts:
        assert concept_name(share.concept, "ja") in done.out
        assert log_odds(share.contribution, "ja") in done.out
        assert log_odds(share.contribution, "ja") in html
    assert log_odds(told.standing.margin, "ja") in done.out
    assert told.change is not None
    assert change_text(told.change, "ja", told.currency).replace(" ", "") in said
    assert level_name(told.standing.level, "ja") in done.out.splitlines()[0]
    assert str(page) in done.out.replace("\n", "")


def test_what_would_be_is_told_with_its_caution(two_days: TwoDays, told: Story, options: list[str], run: Run) -> None:
    on = LATER + timedelta(days=7)
    done = run("what-if", told.customer_id, *options, "--order", str(on), "--amount", "1000")
    assert done.code == 0, done.err
    found = what_if(two_days.later, told.customer_id, Supposed(on, 1000.0))
    said = " ".join(done.out.split())
    assert " ".join(what_if_text(found, False, "en", told.currency).split()) in said
    assert said.endswith(" ".join(caution().split()))


@pytest.mark.parametrize("command", ["explain", "what-if"])
def test_a_language_without_words_is_refused_in_a_line(options: list[str], run: Run, command: str) -> None:
    line = refused(run(command, "C00001", *options, "--language", "fr"))
    assert "--language 'fr': there are words for en, ja, zh" in line


def test_what_cannot_be_supposed_is_refused_in_a_line(told: Story, options: list[str], run: Run) -> None:
    line = refused(run("what-if", told.customer_id, *options))
    assert line.endswith("nothing is supposed to happen: name the day of an order, or that the invoices are paid.")


def test_a_customer_without_an_order_is_refused_in_a_line(options: list[str], run: Run) -> None:
    line = refused(run("explain", "C99999", *options))
    assert f"customer 'C99999' has no order known before {LATER}" in line
