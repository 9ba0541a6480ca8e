"""The record that rules and health are held to: kept as a file, and used by no day that could not know it."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from features.errors import ArtefactError
from models.levels import DEFAULT_PROMISES
from pipelines.kept_record import FILE, KeptRecord, keep, kept

DAY = date(2026, 3, 1)
ROWS = pd.DataFrame(
    [("role_imbalance", "orange", 76, 0.29, 0.40), ("milestone_late", "yellow", 0, None, None)],
    columns=["what", "level", "matured", "precision", "precision_high"],
)


def record() -> KeptRecord:
    return KeptRecord(DAY, datetime(2026, 3, 2, 9, tzinfo=UTC), "kim", ROWS)


@pytest.mark.parametrize(("as_of", "known"), [(date(2026, 2, 28), False), (DAY, True), (date(2026, 3, 2), True)])
def test_a_day_is_held_to_a_record_that_was_known_by_then(tmp_path, as_of, known) -> None:
    keep(tmp_path, record())
    found = kept(tmp_path, as_of)
    assert (found is not None) is known
    if found is not None:
        assert (found.as_of, found.by) == (DAY, "kim")
        assert found.limits(DEFAULT_PROMISES) == {"role_imbalance": "blue"}


def test_without_a_record_there_is_nothing_to_be_held_to(tmp_path) -> None:
    assert kept(tmp_path, DAY) is None


@pytest.mark.parametrize("content", ["{", "[]", '{"as_of": "soon"}'])
def test_a_damaged_record_is_told_in_one_line(tmp_path, content) -> None:
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    with pytest.raises(ArtefactError, match="kizashi rules --keep"):
        kept(tmp_path, DAY)
