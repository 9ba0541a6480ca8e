"""The language of rules: what conditions mean, what fires, what is told of it, and what a company may write itself."""

import json
import math
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from ruled import JULY_1, OPTIONS, ago, built, fired, orders, rows, told

from features import contact_curve, daily_facts, own
from features.errors import SettingsError
from features.registry import registered
from models.levels import LEVELS
from models.own_warning_rules import known_columns, own_rule, own_rules
from models.relationship import COLUMNS as RELATIONSHIP
from models.warning_conditions import conditions
from models.warning_rule_list import WARNING_RULES
from models.warning_rule_page import rules_page
from models.warning_rules import SIGNAL_COLUMNS, TEAMS, WORKING_LISTS, WarningRule, rule_options, signals, silent_rules
from pipelines.rule_sections import Rules
from pipelines.setting_words import allowed

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


def test_the_own_rules_that_the_page_shows_are_rules():
    (shown,) = re.findall(r"```toml\n(.*?)```", rules_page(), re.DOTALL)
    tables = tomllib.loads(shown)["rules"]["own"]
    assert len(own_rules(tables, known_columns(["segment_code"]))) == len(tables) == 2


FEWER = {
    "id": "fewer_follow_ups",
    "when": ["follow_ups_60d <= 0.5 * follow_ups_60d_before"],
    "level": "yellow",
    "team": "service",
    "words": "Half as many follow-ups as in the 60 days before.",
}


def test_rb_10_a_rule_from_the_settings_on_half_the_follow_ups_in_60_days_fires():
    (mine,) = own_rules([FEWER], known_columns())
    frame = rows(follow_ups_60d=[5, 6, 0, 0], follow_ups_60d_before=[10, 10, 10, math.nan])
    assert fired(frame, "fewer_follow_ups", [*WARNING_RULES, mine]) == [True, False, True, False]
    signal = told(frame.iloc[[0]], "fewer_follow_ups", [mine])
    assert signal["level"] == "yellow"
    assert signal["evidence"] == {
        "follow_ups_60d": 5.0,
        "follow_ups_60d_before": 10.0,
        "follow_ups_60d_at_most": 5.0,
    }
    assert (mine.team, mine.source, mine.words) == ("service", "own", FEWER["words"])


def test_rb_10_a_rule_on_a_feature_of_the_company_s_own_fires(tmp_path):
    said = (
        "from features.registry import feature\n\n\n"
        '@feature("interactions", unit="change", concept="contact_frequency", dimension="interaction")\n'
        "def follow_ups_change_60d() -> str:\n"
        '    """Change of the follow-ups of 60 days against the 60 before."""\n'
        '    return "count(*) FILTER (days_ago <= 60) '
        '/ nullif(count(*) FILTER (days_ago BETWEEN 61 AND 120), 0) - 1"\n'
    )
    file = tmp_path / "own.py"
    file.write_text(said)
    log = "\n".join(
        [
            "customer_id interaction_id occurred_at",
            *(f"A a{days} {ago(days)}" for days in (10, 60, 61, 70, 80, 120)),
            *(f"B b{days} {ago(days)}" for days in (10, 20, 60, 61, 70, 80, 120)),
        ]
    )
    try:
        own.install(own.read_own([file]))
        table = FEWER | {"when": ["follow_ups_change_60d <= -0.5"]}
        (mine,) = own_rules([table], known_columns())
        frame = built(orders(A=[5], B=[5]), only=["follow_ups_change_60d"], interactions=log)
    finally:
        own.install([])
    assert fired(frame, mine.code, [mine]) == [True, False]
    assert told(frame, mine.code, [mine])["evidence"]["follow_ups_change_60d"] == -0.5


def test_op_01_a_rule_reads_a_further_column_of_the_company_s_own_customers():
    table = {
        "id": "big_site_silent",
        "when": ["floor_space >= 500", "days_since_last_order > about_to_churn_days"],
        "none_of": ["site_class in [C]"],
        "working_list": "yellow",
        "words": "A big site has not ordered for a month.",
    }
    (mine,) = own_rules([table], known_columns(["floor_space", "site_class"]))
    frame = rows(
        days_since_last_order=[31, 31, 31, 30],
        floor_space=["500", "499", "500", "500"],
        site_class=["A", "A", "C", "A"],
    )
    assert fired(frame, mine.code, [mine]) == [True, False, False, False]
    with pytest.raises(SettingsError, match=r"rules\.own\.big_site_silent\.when: there is no column 'floor_space'"):
        own_rules([table], known_columns())


def test_an_own_rule_may_say_all_that_a_shipped_one_may():
    table = {
        "id": "all_of_it",
        "when": ["orders_30d < 1"],
        "any_of": ["rank in important_ranks"],
        "at_least": 1,
        "of": ["open_problems >= 1", "overdue_amount > 0"],
        "none_of": ["competitor_present is true"],
        "shows": ["region"],
        "level": "orange",
        "working_list": "red",
        "team": "management",
        "tag": "key_follow_up",
        "words": " All of it. ",
    }
    mine = own_rule(table, known_columns())
    assert (mine.at_least, mine.shows, mine.level) == (
        (1, ("open_problems >= 1", "overdue_amount > 0")),
        ("region",),
        "orange",
    )
    assert (mine.working_list, mine.team, mine.tag, mine.words) == ("red", "management", "key_follow_up", "All of it.")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"id": None}, "rules.own, rule 1: id = None, expected a name of small letters, digits and underscores."),
        ({"id": "Fewer calls"}, "rules.own, rule 1: id = 'Fewer calls', expected a name"),
        ({"id": "order_late"}, "rules.own.order_late: a shipped rule is called so. Give yours another id."),
        ({"when": []}, "fewer_follow_ups: it never fires. Say `when`, `any_of`, or `at_least` with `of`."),
        ({"when": "orders_30d < 1"}, "when = 'orders_30d < 1': expected a list of texts"),
        ({"when": ["orders_30d => 1"]}, "fewer_follow_ups.when: 'orders_30d => 1' is no condition: expected"),
        ({"when": ["order_30d < 1"]}, "there is no column 'order_30d'. Did you mean orders_30d?"),
        ({"when": ["orders_30d < late_order_multipel"]}, "'late_order_multipel'. Did you mean late_order_multiple?"),
        ({"when": ["xyzzy < 1"]}, "there is no column 'xyzzy'. docs/features.md lists the features"),
        ({"when": ["orders_30d < important_ranks"]}, "is a list of texts. Write `orders_30d in important_ranks`."),
        ({"when": ["rank in A"]}, "A is no list of texts. Write `in [A]`."),
        ({"when": ["late_order_multiple > 1"]}, "begins with the option late_order_multiple. Begin with a column."),
        ({"shows": ["xyzzy"]}, "fewer_follow_ups.shows: there is no column 'xyzzy'"),
        ({"level": "loud"}, "level = 'loud': expected one of none, blue, yellow, orange, red."),
        ({"level": ["red"]}, "level = ['red']: expected one of"),
        ({"working_list": "blue"}, "working_list = 'blue': expected one of red, yellow, grey."),
        ({"team": "finance"}, "team = 'finance': expected one of sales, service, management."),
        ({"words": " "}, "words = ' ': expected a text that people will read."),
        ({"words": None}, "words = None: expected a text that people will read."),
        ({"at_least": 2, "of": ["orders_30d < 1"]}, "at_least = 2: expected a whole number from 1 to the 1 conditions"),
        ({"at_least": 1}, "at_least = 1: expected a whole number from 1 to the 0 conditions"),
        ({"wenn": ["x > 1"]}, "fewer_follow_ups: there is no wenn. Known are id, when, any_of"),
    ],
)  # fmt: skip
def test_an_own_rule_that_cannot_be_used_is_refused_in_one_line_with_the_place_and_the_mend(changed, words):
    with pytest.raises(SettingsError) as refused:
        own_rules([FEWER | changed], known_columns())
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_two_own_rules_of_one_name_are_refused():
    with pytest.raises(SettingsError, match=r"two rules are called 'fewer_follow_ups'\."):
        own_rules([FEWER, FEWER])


def test_the_columns_that_a_rule_may_read_are_features_facts_and_what_is_told_beside_them():
    columns = known_columns(["floor_space"])
    every = {*daily_facts.COLUMNS, *contact_curve.COLUMNS, *RELATIONSHIP, "floor_space"}
    assert columns == every | {one.name for one in registered()}


def test_the_section_of_the_settings_takes_options_and_own_rules():
    said = tomllib.loads(
        "[rules.options]\nabout_to_churn_days = 45\n"
        "[[rules.own]]\nid = 'few'\nwhen = ['orders_30d < 1']\nwords = 'Few.'"
    )
    section = Rules.model_validate(said["rules"])
    assert section.options == {"about_to_churn_days": 45}
    assert own_rules(section.own)[0].code == "few"
    assert Rules().own == ()
    assert "[[rules.own]]" in allowed(Rules.model_fields["own"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"options": {"late": 1}}, "options: there are no options ['late']"),
        ({"own": [{"id": "few", "when": ["x >"], "words": "Few."}]}, "own.few.when: 'x >' is no condition"),
        ({"own": "few"}, "valid tuple"),
        ({"rules": []}, "Extra inputs"),
    ],
)
def test_the_section_refuses_what_cannot_be_used(given, words):
    with pytest.raises(ValidationError) as refused:
        Rules.model_validate(given)
    assert words in str(refused.value)
