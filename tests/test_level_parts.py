"""A customer's level is the loudest of its parts, and every part is listed."""

import pandas as pd
import pytest

from models.level_parts import combine, level_of


def parts(*rows: tuple[str | None, str | None, str | None, bool | None]) -> pd.DataFrame:
    """Customers A, B, ... with levels by the model, by health and by rules, and whether they are raised."""
    frame = pd.DataFrame(rows, columns=["model_level", "health_level", "rule_level", "escalated"])
    return frame.assign(customer_id=list("ABCDEFGH")[: len(rows)])


def told(*rows: tuple[str | None, str | None, str | None, bool | None]) -> list[tuple[str, tuple[str, ...]]]:
    found = combine(parts(*rows))
    return list(zip(found["level"], found["level_parts"], strict=True))


def test_the_loudest_part_is_the_level_and_all_of_them_are_listed():
    assert told(
        ("yellow", "blue", "none", False), ("none", "none", "orange", False), ("none", "none", "none", False)
    ) == [("yellow", ("model:yellow", "health:blue")), ("orange", ("rule:orange",)), ("none", ())]


@pytest.mark.parametrize(
    ("before", "level", "listed"),
    [
        ("none", "none", ()),
        ("blue", "yellow", ("model:blue", "raised:competitor")),
        ("yellow", "orange", ("model:yellow", "raised:competitor")),
        ("orange", "red", ("model:orange", "raised:competitor")),
        ("red", "red", ("model:red", "raised:competitor")),
    ],
)
def test_rb_15_competitor_activity_raises_a_level_by_one_step_up_to_red(before, level, listed):
    assert told((before, "none", "none", True)) == [(level, listed)]


def test_rb_15_when_the_activity_has_expired_the_level_returns():
    assert told(("yellow", "none", "none", False)) == [("yellow", ("model:yellow",))]


def test_what_is_not_known_says_nothing():
    assert told((None, None, None, None), ("blue", None, None, None)) == [("none", ()), ("blue", ("model:blue",))]


def test_rb_19_rules_are_listed_by_name_and_their_loudest_counts():
    signals = pd.DataFrame(
        {
            "customer_id": ["A", "A", "A", "C"],
            "rule": ["late_order", "role_imbalance", "restarted", "late_order"],
            "level": ["blue", "orange", "none", "red"],
        }
    )
    found = combine(parts(("yellow", "none", "orange", False), ("none", "none", "none", True)), signals)
    assert list(found["level"]) == ["orange", "none"]
    assert list(found["level_parts"]) == [("model:yellow", "rule:role_imbalance:orange", "rule:late_order:blue"), ()]


def test_a_signal_counts_although_the_column_does_not_say_so_yet():
    signals = pd.DataFrame({"customer_id": ["A"], "rule": ["dormant"], "level": ["yellow"]})
    found = combine(parts(("none", "none", "none", False)), signals)
    assert (found["level"].item(), found["level_parts"].item()) == ("yellow", ("rule:dormant:yellow",))


def test_the_level_of_a_source_can_be_read_back():
    told = pd.Series([("model:yellow", "rule:late_order:blue", "rule:role_imbalance:red"), [], None])
    assert list(level_of(told)) == ["yellow", "none", "none"]
    assert list(level_of(told, "rule")) == ["red", "none", "none"]


def test_customers_keep_their_rows_and_nobody_gives_none():
    frame = parts(("blue", "none", "none", False), ("red", "none", "none", False)).set_index(pd.Index([7, 3]))
    assert combine(frame)["level"].to_dict() == {7: "blue", 3: "red"}
    assert list(combine(frame.head(0)).columns) == ["customer_id", "level", "level_parts"]


def test_a_level_that_there_is_not_and_a_customer_twice_are_refused():
    with pytest.raises(ValueError, match=r"expected levels among .*found \['purple'\]: name one of them"):
        combine(parts(("purple", "none", "none", False)))
    with pytest.raises(ValueError, match="one row per customer; found several of 'A'"):
        combine(pd.concat([parts(("blue", "none", "none", False))] * 2))
