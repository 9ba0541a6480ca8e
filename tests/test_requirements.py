"""The page of requirements says what the tests hold, and no row is left without one."""

from pathlib import Path

import requirements_page

PAGE = Path(__file__).parent.parent / "docs" / "requirements.md"


def test_every_row_to_be_built_has_a_test_that_bears_its_id() -> None:
    tests = requirements_page.held_by()
    assert [row.id for row in requirements_page.rows() if requirements_page.state(row, tests) == "**open**"] == []


def test_no_test_bears_the_id_of_a_row_that_there_is_not() -> None:
    known = {row.id for row in requirements_page.rows()}
    assert sorted(set(requirements_page.held_by()) - known) == []


def test_the_page_is_made_from_the_tests_as_they_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == requirements_page.page(), "write it again with `make docs`"
