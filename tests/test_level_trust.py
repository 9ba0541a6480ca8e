"""A rule or a fall of the health score is as loud as its own past allows."""

import pandas as pd
import pytest

from models.level_trust import allowed, held_down
from models.levels import DEFAULT_PROMISES


def record(*rows: tuple[str, str, int, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["what", "level", "matured", "precision", "precision_high"])


# promises: red 70 %, orange 60 %, yellow 50 %, blue 40 %
@pytest.mark.parametrize(
    ("level", "high", "expected"),
    [
        ("orange", 0.60, None),  # may just keep it
        ("orange", 0.599, "yellow"),
        ("orange", 0.45, "blue"),
        ("orange", 0.399, "none"),
        ("red", 0.65, "orange"),
        ("yellow", 0.95, None),  # nobody gets louder than declared
        ("none", 0.10, None),
    ],
)
def test_a_source_gives_the_loudest_level_whose_promise_it_does_not_surely_miss(level, high, expected) -> None:
    limits = allowed(record(("rule", level, 30, 0.3, high)), DEFAULT_PROMISES)
    assert limits == ({} if expected is None else {"rule": expected})


def test_too_few_warnings_refute_nothing() -> None:
    assert allowed(record(("rule", "red", 29, 0.0, 0.12)), DEFAULT_PROMISES) == {}
    assert allowed(record(("rule", "red", 30, 0.0, 0.11)), DEFAULT_PROMISES) == {"rule": "none"}


def test_levels_are_lowered_to_what_their_source_may_give_and_others_stand() -> None:
    levels = pd.Series(["orange", "blue", "red", "none"], index=[7, 3, 5, 1])
    sources = pd.Series(["imbalance", "imbalance", "silence", "imbalance"], index=levels.index)
    found = held_down(levels, sources, {"imbalance": "yellow"})
    assert found.to_dict() == {7: "yellow", 3: "blue", 5: "red", 1: "none"}
