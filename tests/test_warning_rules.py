"""The language of rules: what conditions mean, what fires, what is told of it, and what a company may write itself."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruled import JULY_1, OPTIONS, fired, rows, told

from features.errors import SettingsError
from models.levels import LEVELS
from models.own_warning_rules import known_columns
from models.warning_conditions import conditions
from models.warning_rule_list import WARNING_RULES
from models.warning_rule_page import rules_page
from models.warning_rules import SIGNAL_COLUMNS, TEAMS, WORKING_LISTS, WarningRule, rule_options, signals, silent_rules

PAGE = Path(__file__).parents[1] / "docs" / "rules.md"


def rule(*when: str, **more: object) -> WarningRule:
    return WarningRule("own", "tried", "own", "Tried.", when=when, **more)


def meets(text: str, **columns: list[object]) -> list[bool]:
    return fired(rows(**columns), "tried", [rule(text)])


@pytest.mark.parametrize(
    ("how", "met"),
    [
        (">=", [False, True, True]),
        (">", [False, False, True]),
        ("<=", [True, True, False]),
        ("<", [True, False, False]),
        ("=", [False, True, False]),
    ],
)
def test_a_comparison_holds_before_at_and_after_its_limit_as_it_is_written(how, met):
    assert meets(f"orders_30d {how} 5", orders_30d=[4, 5, 6]) == met
    assert meets(f"orders_30d{how}2.5 * orders_30d_before", orders_30d=[4, 5, 6], orders_30d_before=[2, 2, 2]) == met
    assert meets(f"z {how} -anomaly_deviations", z=[-1.6, -1.5, -1.4]) == met


def test_decimal_fractions_are_what_they_say():
    assert meets("days >= 1.1 * cycle", days=[11, 10.99], cycle=[10.0, 10.0]) == [True, False]
    assert meets("fell >= 0.3", fell=[1 - 700 / 1000, 1 - 701 / 1000]) == [True, False]
    assert meets("fell > 0.2", fell=[1 - 0.8, 0.1 + 0.1]) == [False, False]


def test_a_list_takes_texts_numbers_and_options():
    assert meets("rank in [A, B]", rank=["A", "C", None]) == [True, False, False]
    assert meets("rank in important_ranks", rank=["A", "C", None]) == [True, False, False]
    assert meets("areas in [1, 2]", areas=[1.0, 3.0, math.nan]) == [True, False, False]
    assert meets('city in [東京, "New York", Research and Development]', city=["東京", "New York", "York"]) == [
        True,
        True,
        False,
    ]
    assert meets("city in [Research and Development] and n > 1", city=["Research and Development"] * 2, n=[1, 2]) == [
        False,
        True,
    ]


def test_a_flag_is_one_true_or_the_word():
    assert meets("present is true", present=[True, False, None]) == [True, False, False]
    assert meets("present is false", present=[1.0, 0.0, math.nan]) == [False, True, False]
    assert meets("present is true", present=["true", "False", "maybe"]) == [True, False, False]


def test_names_of_other_scripts_and_with_spaces_are_columns_too():
    assert meets("面積 > 100", 面積=[100, 101]) == [False, True]
    assert meets('"floor space" > 2 * "shop space"', **{"floor space": [5, 7], "shop space": [3, 3]}) == [False, True]


@pytest.mark.parametrize(
    "unknown",
    [
        [None, math.nan, math.inf, -math.inf],
        ["many", "", None, "n/a"],
        [JULY_1, None, JULY_1, JULY_1],
        [[1, 2], {}, None, ()],
        list(pd.to_datetime([JULY_1, None, JULY_1, JULY_1])),
        list(pd.to_timedelta([1, 2, None, 3], unit="D")),
    ],
)
@pytest.mark.parametrize("text", ["x >= 0", "x < 0", "x = 0", "y <= 3 * x", "x in [A]", "x is true"])
def test_what_is_unknown_or_of_another_kind_meets_no_condition_and_raises_nothing(text, unknown):
    frame = rows(x=unknown, y=[1.0] * 4)
    assert fired(frame, "tried", [rule(text)]) == [False] * 4
    assert fired(frame.drop(columns="x"), "tried", [rule(text)]) == [False] * 4
    assert fired(frame.astype({"x": "object"}).iloc[:0], "tried", [rule(text)]) == []


def test_whole_numbers_with_gaps_and_flags_with_gaps_are_read():
    frame = rows(n=[1, 2, 3]).assign(
        n=pd.array([1, None, 3], dtype="Int64"),
        flag=pd.array([True, None, False], dtype="boolean"),
        kind=pd.Categorical(["7", "A", None]),
    )
    assert fired(frame, "tried", [rule("kind >= 7")]) == [True, False, False]
    assert fired(frame, "tried", [rule("kind in [A]")]) == [False, True, False]
    assert fired(frame, "tried", [rule("n >= 1")]) == [True, False, True]
    assert fired(frame, "tried", [rule("flag is true")]) == [True, False, False]


@pytest.mark.parametrize(
    "text",
    ["", "days", "days => 3", "days == 3", "days != 3", "days >= ", ">= 3", "days >= 2 * 3 * x", "rank in []",
     "rank in [A", "days between 3 and 5", "days >= 3 or days < 1", "__import__('os')", "days >= 3; DROP TABLE x"],
)  # fmt: skip
def test_what_is_no_condition_is_refused_with_what_one_looks_like(text):
    with pytest.raises(ValueError, match=r"is no condition: expected \"column >= number\""):
        conditions(text)


def test_one_of_any_enough_of_at_least_and_none_of_the_others_are_asked_beside_all_of_when():
    tried = rule("a > 0", any_of=("b > 0", "c > 0"), at_least=(2, ("d > 0", "e > 0", "f > 0")), none_of=("g > 0",))
    met = {"a": 1, "b": 1, "c": 0, "d": 1, "e": 1, "f": 0, "g": 0}
    changes = [{}, {"a": 0}, {"b": 0}, {"b": 0, "c": 1}, {"d": 0}, {"d": 0, "f": 1}, {"g": 1}, {"g": math.nan}]
    frame = rows(**{name: [(met | one)[name] for one in changes] for name in met})
    assert fired(frame, "tried", [tried]) == [True, False, False, True, False, True, False, True]


def test_the_evidence_has_the_values_and_the_limits_of_what_was_met_and_of_nothing_else():
    tried = rule(
        "days_since_last_order >= late_order_multiple * order_cycle_days",
        "rank in important_ranks",
        any_of=("orders_30d <= 2", "orders_90d <= 0.5 * usual"),
        shows=("city", "absent", "unknown"),
    )
    frame = rows(
        days_since_last_order=[46],
        order_cycle_days=[30.0],
        rank=["A"],
        orders_30d=[9],
        orders_90d=[2],
        usual=[10.0],
        city=["Kobe"],
        unknown=[math.nan],
    )
    evidence = told(frame, "tried", [tried])["evidence"]
    assert evidence == {
        "days_since_last_order": 46.0,
        "order_cycle_days": 30.0,
        "late_order_multiple": 1.5,
        "rank": "A",
        "orders_90d": 2.0,
        "usual": 10.0,
        "orders_90d_at_most": 5.0,
        "city": "Kobe",
    }
    assert json.loads(json.dumps(evidence, allow_nan=False)) == evidence


def test_signals_are_one_row_per_rule_that_fired_in_the_order_of_dates_customers_and_rules():
    first, second = rule("x > 0"), WarningRule("own", "louder", "own", "Louder.", when=("x > 1",), level="red")
    frame = rows(x=[2, 1, 0]).iloc[::-1]
    frame = pd.concat([frame, frame.assign(as_of=pd.Timestamp("2024-06-01"))])
    found = signals(frame, [second, first], OPTIONS)
    assert list(found.columns) == list(SIGNAL_COLUMNS)
    assert found[["customer_id", "rule", "level"]].to_numpy().tolist() == 2 * [
        ["c1", "louder", "red"],
        ["c1", "tried", "none"],
        ["c2", "tried", "none"],
    ]
    assert found["as_of"].is_monotonic_increasing
    assert found.index.tolist() == list(range(6))


def test_where_nothing_fires_or_nobody_is_there_the_signals_are_empty_and_of_the_same_types():
    some, none = (signals(rows(x=[value]), [rule("x > 0")], OPTIONS) for value in (1, 0))
    nobody = signals(rows(x=[1]).iloc[:0], [rule("x > 0")], OPTIONS)
    assert none.empty
    assert nobody.empty
    assert none.dtypes.to_dict() == nobody.dtypes.to_dict() == some.dtypes.to_dict()
    assert signals(rows(x=[1]), [], OPTIONS).dtypes.to_dict() == some.dtypes.to_dict()


def test_the_order_of_rows_changes_no_signal():
    rng = np.random.default_rng(5)
    columns = {"days_since_last_order": rng.integers(0, 300, 200), "order_cycle_days": rng.integers(5, 90, 200)}
    frame = rows(**columns, rank=rng.choice(list("ABCD"), 200))
    shuffled = frame.sample(frac=1, random_state=1)
    found, again = (signals(one, WARNING_RULES, OPTIONS) for one in (frame, shuffled))
    assert len(found) > 200
    pd.testing.assert_frame_equal(found, again)


def test_a_rule_whose_columns_are_absent_or_unknown_for_everybody_is_told_with_them():
    shipped = {one.code: one for one in WARNING_RULES}
    frame = rows(days_since_last_order=[40, 50], order_cycle_days=[math.nan, math.nan], last_rating=[2, math.nan])
    asked = [shipped[code] for code in ("order_late", "two_low_ratings", "dormant", "about_to_churn")]
    assert silent_rules(frame, asked, OPTIONS) == {
        "order_late": ("order_cycle_days",),
        "two_low_ratings": ("rating_before_last",),
    }


def test_a_rule_with_alternatives_is_silent_where_all_of_them_are():
    either, two = rule(any_of=("a > 0", "b > 0")), rule(at_least=(2, ("a > 0", "b > 0", "c > 0")))
    assert silent_rules(rows(a=[0]), [either], OPTIONS) == {}
    assert silent_rules(rows(d=[0]), [either], OPTIONS) == {"tried": ("a", "b")}
    assert silent_rules(rows(a=[0], c=[0]), [two], OPTIONS) == {}
    assert silent_rules(rows(a=[0]), [two], OPTIONS) == {"tried": ("b", "c")}


def test_off_switches_a_condition_off_and_with_it_a_rule_that_cannot_do_without():
    frame = rows(days_since_last_order=[200], order_cycle_days=[10.0])
    assert fired(frame, "order_late", late_order_multiple="off") == [False]
    assert fired(frame, "about_to_churn", churned_cycle_multiple="off") == [True], "nobody is churned then"
    off = rule_options({"late_order_multiple": "off"}, WARNING_RULES)
    assert "order_late" not in silent_rules(frame, WARNING_RULES, off)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"late_orders": 2}, "there are no options ['late_orders']. docs/rules.md lists them all."),
        ({"late_order_multiple": "two"}, "late_order_multiple = 'two': expected a number, such as 1.5, or \"off\""),
        ({"late_order_multiple": True}, "expected a number"),
        ({"late_order_multiple": math.nan}, "expected a number"),
        ({"important_ranks": "A"}, "important_ranks = 'A': expected a list of texts, such as ['A', 'B']"),
        ({"important_ranks": []}, "expected a list of texts"),
    ],
)
def test_an_option_that_is_unknown_or_of_another_kind_is_refused_in_one_line(given, words):
    with pytest.raises(SettingsError) as refused:
        rule_options(given, WARNING_RULES)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_shipped_rule_reads_columns_that_exist_and_options_that_are_declared_once():
    columns, names = known_columns(), [one.name for rule in WARNING_RULES for one in rule.options]
    assert len(set(names)) == len(names)
    assert not set(names) & columns
    used = set()
    for one in WARNING_RULES:
        for condition in (condition for text in one.texts for condition in conditions(text)):
            assert set(condition.columns(OPTIONS)) <= columns, one.code
            used |= {name for name in condition.names if name in OPTIONS}
            for name in condition.names:
                assert isinstance(OPTIONS.get(name), tuple) == (condition.how == "in"), (one.code, name)
        assert set(one.shows) <= columns, one.code
    assert used == set(names) - {"weak_role_min_contacts"}, "which the relationship itself takes"


def test_every_shipped_rule_says_what_it_is():
    assert len({one.code for one in WARNING_RULES}) == len(WARNING_RULES)
    for one in WARNING_RULES:
        assert re.fullmatch("[a-z_]+", one.code)
        assert one.source in ("S0", "S1", "S2", "S3", "S4")
        assert one.meaning.endswith(".")
        assert one.level in LEVELS
        assert one.team in TEAMS
        assert one.working_list in (None, *WORKING_LISTS)
        assert one.when or one.any_of or one.at_least
        assert all(option.meaning.endswith(".") for option in one.options)


def test_every_row_of_the_requirements_but_the_two_without_a_shipped_rule_has_its_rule():
    ids = {one.id for one in WARNING_RULES}
    expected = {f"RB-{number:02d}" for number in range(1, 25)} - {"RB-10", "RB-13"}
    assert ids == expected | {"HS-11"}


def test_the_page_of_rules_is_current_and_has_every_rule_and_option():
    text = PAGE.read_text(encoding="utf-8")
    assert text == rules_page(), "run `python -m models.warning_rules > docs/rules.md`"
    assert all(f"`{one.code}`" in text for one in WARNING_RULES)
    assert all(f"| `{name}` |" in text for name in OPTIONS)
