"""Rules that a company writes into its settings, and the section that holds them."""

import math
import re
import tomllib

import pytest
from orders import ingested, lines
from pydantic import ValidationError
from ruled import JULY_1, OPTIONS, ago, built, fired, orders, rows, told

from features import contact_curve, daily_facts, own
from features.errors import SettingsError
from features.registry import registered
from models.own_warning_rules import known_columns, own_rule, own_rules
from models.relationship import COLUMNS as RELATIONSHIP
from models.warning_rule_list import WARNING_RULES
from models.warning_rule_page import rules_page
from pipelines.rule_sections import Rules, company_rules
from pipelines.setting_words import allowed

FEWER = {
    "id": "fewer_follow_ups",
    "when": ["follow_ups_60d <= 0.5 * follow_ups_60d_before"],
    "level": "yellow",
    "team": "service",
    "words": "Half as many follow-ups as in the 60 days before.",
}


def test_the_own_rules_that_the_page_shows_are_rules():
    (shown,) = re.findall(r"```toml\n(.*?)```", rules_page(), re.DOTALL)
    tables = tomllib.loads(shown)["rules"]["own"]
    assert len(own_rules(tables, known_columns(["segment_code"]))) == len(tables) == 2


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
        '@feature("interactions", unit="change", concept="contact", dimension="interaction")\n'
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


def test_op_01_a_further_column_of_a_file_reaches_the_rule_that_reads_it(tmp_path):
    customers = lines("customer_id floor_space site_class\nA 500 K1\nB 499 K1\nC 500 -")
    events = ingested(lines(orders(A=[31], B=[31], C=[31])), tmp_path, customers=customers)
    table = {"id": "big_site", "when": ["floor_space >= 500", "site_class in [K1, K2]"], "words": "A big site."}
    (mine,) = own_rules([table], known_columns(events.further))
    frame = daily_facts.daily_facts(events, JULY_1).assign(as_of=JULY_1)
    assert fired(frame, mine.code, [mine]) == [True, False, False]


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


def test_the_section_of_the_settings_makes_the_rules_and_thresholds_of_a_company():
    said = tomllib.loads(
        "[rules.options]\nabout_to_churn_days = 45\n"
        "[[rules.own]]\nid = 'few'\nwhen = ['orders_30d < floor_space']\nwords = 'Few.'"
    )
    rules, options = company_rules(Rules.model_validate(said["rules"]), ["floor_space"])
    assert [one.code for one in rules] == [*(one.code for one in WARNING_RULES), "few"]
    assert options == OPTIONS | {"about_to_churn_days": 45}
    assert company_rules(Rules()) == (WARNING_RULES, OPTIONS)
    assert "[[rules.own]]" in allowed(Rules.model_fields["own"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"options": {"late": 1}}, "rules.options: there are no options ['late']"),
        ({"own": [{"id": "few", "when": ["x >"], "words": "Few."}]}, "rules.own.few.when: 'x >' is no condition"),
        ({"own": [{"id": "few", "when": ["floor_space > 1"], "words": "Few."}]}, "no column 'floor_space'"),
    ],
)
def test_a_section_that_cannot_be_used_is_refused_in_one_line(given, words):
    with pytest.raises(SettingsError, match=re.escape(words)):
        company_rules(Rules.model_validate(given))


@pytest.mark.parametrize("given", [{"own": "few"}, {"own": [1]}, {"options": 1}, {"rules": []}])
def test_a_section_of_another_shape_is_refused(given):
    assert shape_is_refused(given)


def shape_is_refused(given: dict[str, object]) -> bool:
    try:
        Rules.model_validate(given)
    except ValidationError:
        return True
    return False
