"""The story in words: what happened, why the score moved, what would bring the level down, who stood alike."""

import re
from dataclasses import replace
from datetime import date
from itertools import product

import duckdb
import pytest
from stories import AS_OF, BARE, BEFORE, CHANGE, HAPPENINGS, ORDER, PAID, SIMILAR, STANDING, STEPS, STORY, reason

from features import timelines
from features.contract import CONTRACT
from features.errors import SettingsError
from models.warning_rule_list import WARNING_RULES
from serving.change_words import SHORTEST
from serving.records import STAGES
from serving.story import Case, Change, Happening, Similar, Step
from serving.story_words import (
    case_text,
    caution,
    change_short,
    change_text,
    clearing_texts,
    day_text,
    happening_name,
    happening_text,
    lane_of,
    log_odds,
    money,
    outlook_text,
    part_text,
    place_text,
    queue_text,
    reason_line_text,
    rule_text,
    similar_text,
    stage_text,
    step_text,
    threshold_texts,
    told,
    what_if_text,
    why_text,
)
from serving.words import changes

MINUS = "\N{MINUS SIGN}"
LOCALES = ("en", "ja", "zh_Hans_CN")
#: Values of the columns that make the kind of an event, beyond the lists of the contract.
MADE_OF = {
    "amount": (1.0, -1.0),
    "is_order": (True, False),
    "accepted": (True, False),
    "field": (*timelines.FILE_FIELDS, "note", "next_action", "colour", None),
}


def kinds():
    """Every kind that a timeline may hold, by running its own SQL on every value that the contract knows."""
    found = set()
    for table, (_rows, events) in timelines._TABLES.items():
        columns = {} if table == "deliveries" else {one.name: one.values for one in CONTRACT[table].columns}
        for event in events:
            kind = re.search(r"AS happened_at, (.*?) AS kind,", event)[1]
            read = set(re.findall(r"[a-z_]+", re.sub(r"'[^']*'", "", kind)))
            values = {name: MADE_OF.get(name) or (*columns[name], None) for name in sorted(read & {*columns, *MADE_OF})}
            # required by the contract, or not null where the event is told
            if table == "services" and "kind" in values:
                values["kind"] = values["kind"][:-1]
            for row in product(*values.values()) if values else [()]:
                named = ", ".join(f"{_sql(value)} AS {name}" for name, value in zip(values, row, strict=True))
                found |= {one for (one,) in duckdb.sql(f"SELECT {kind} FROM (SELECT {named or '1'})").fetchall()}
    return sorted(found)


def _sql(value):
    if value is None:
        return "CAST(NULL AS VARCHAR)"
    return f"'{value}'" if isinstance(value, str) else str(value)


def test_every_kind_of_the_timeline_has_a_name_and_every_name_a_kind():
    named = {kind for lane, kinds in changes.HAPPENINGS.items() if lane != "warnings" for kind in kinds}
    assert set(kinds()) == named
    assert "complaint resolved" in named
    assert "quote closed" in named


def test_a_kind_of_the_users_own_is_told_as_it_is_and_stands_among_the_others():
    assert happening_name("drone drop") == "drone drop"
    assert lane_of("drone drop") == "other"


def test_every_table_of_events_can_be_told_when_only_its_day_is_known_or_when_there_are_many():
    for table in timelines._TABLES:
        assert table in changes.SUBJECTS
        assert table in changes.SEVERAL


def test_every_warning_rule_and_every_stage_is_told_in_words():
    for rule in WARNING_RULES:
        assert rule_text(rule.code) == rule.meaning.rstrip(".")
    assert rule_text("very_own_rule") == "Very own rule"
    assert [stage_text(stage) for stage in STAGES][1:3] == ["Cooling", "Comparing offers"]
    assert stage_text(None) == "not known"


def test_an_event_is_told_with_its_day_and_its_money():
    order = Happening(date(2026, 5, 12), "order", 430.0)
    assert happening_text(order, "en", "EUR", 2026) == "order of May 12, €430"
    assert happening_text(order, "en", "EUR") == "order of May 12, 2026, €430"
    assert happening_text(order, "ja", "JPY", 2026).startswith("5月12日")
    assert "430" in happening_text(order, "ja", "JPY", 2026)
    assert happening_text(replace(order, amount=float("nan")), "en", "EUR", 2026) == "order of May 12"
    assert happening_text(replace(order, kind="visit", amount=None), year=2026) == "visit of May 12"


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((Step("time", 0.3),), "12 more days without an order, and nothing else happened"),
        ((Step("time", 0.3), STEPS[2]), "12 more days without an order"),
        ((Step("time", 0.3), Step("events", -1.0, "transactions", AS_OF)), "12 more days"),
        (
            (Step("time", 0.3), Step("events", -1.0, "transactions", AS_OF, (Happening(AS_OF, "order", 5.0),))),
            "12 more days",
        ),
        (
            (Step("time", 0.3), Step("events", 0.1, "transactions", AS_OF, (Happening(AS_OF, "return", -5.0),))),
            "12 more days without an order",
        ),
    ],
)
def test_time_is_told_by_whether_an_order_came_and_whether_anything_happened(steps, said):
    assert step_text(steps[0], replace(CHANGE, steps=steps)) == said


def test_days_of_the_same_date_are_the_passing_of_time():
    same = replace(CHANGE, before=replace(BEFORE, as_of=AS_OF))
    assert step_text(STEPS[1], same) == "the passing of time"


def test_events_of_a_day_are_told_together():
    def step(table, *happenings):
        return step_text(Step("events", 0.1, table, AS_OF, happenings), CHANGE, "en", "EUR")

    days = [date(2026, 11, day) for day in (4, 9, 12, 13)]
    assert step("interactions", Happening(days[0], "visit"), Happening(days[1], "call")) == (
        "2 contacts of Nov 4 and Nov 9"
    )
    assert step("transactions", *(Happening(day, "order", 100.0) for day in days)) == (
        "4 orders of Nov 4 to Nov 13, €400"
    )
    # what an invoice and its payment add up to is nobody's money
    assert step("finances", Happening(days[0], "invoice", 5.0), Happening(days[0], "payment", 5.0)) == (
        "2 entries on invoices of Nov 4"
    )
    assert step("interactions") == "new data on contacts, known on Nov 16"
    assert step("customers_of_mine") == "new data on the customer, known on Nov 16"
    assert step_text(Step("model", 0.1), CHANGE) == "the model was updated"
    assert "corrected since" in step_text(Step("restated", 0.1), CHANGE)


def test_a_change_is_told_from_where_to_where_with_what_moved_and_the_threshold():
    text = change_text(CHANGE, "en", "EUR")
    assert text.startswith("Yellow (33%) on Nov 4, Orange (46%) on Nov 16, 2026.")
    assert "Goes with a higher risk: 12 more days without an order; complaint of Nov 7; the model was updated." in text
    assert "Goes with a lower risk: 2 contacts of Nov 4 and Nov 9; payment of an invoice of Nov 13, €610." in text
    assert text.index("higher") < text.index("lower")
    assert "the score reaches the threshold of Orange" in text
    assert "New: the rule “The next order is late: the customer cools” (Orange); one level higher" in text
    assert "No longer there: the health score (Blue)." in text
    assert "because" not in text.lower()


def test_the_direction_of_the_whole_comes_first():
    steps = tuple(replace(step, contribution=-step.contribution) for step in STEPS)
    text = change_text(replace(CHANGE, steps=steps))
    assert text.index("Goes with a lower risk: 12 more days") < text.index("Goes with a higher risk")


def test_a_fall_below_a_threshold_is_told_as_one():
    down = Change(STANDING, BEFORE, (Step("time", -0.55),), comparable=True, threshold=-0.39, threshold_level="orange")
    assert "With that the score is below the threshold of Orange." in change_text(down)
    assert "threshold" not in change_text(replace(down, threshold=None))
    assert "threshold" not in change_text(replace(down, after=replace(BEFORE, model_level="orange")))


def test_percentages_are_told_only_where_they_may_be_on_both_days():
    quiet = replace(CHANGE, before=replace(BEFORE, shown="level"))
    assert "%" not in change_text(quiet)
    assert "%" not in change_text(replace(CHANGE, after=replace(STANDING, shown="level")))
    assert "%" in change_text(CHANGE)


def test_nothing_is_made_up_where_nothing_moved_or_nothing_can_be_compared():
    still = Change(replace(STANDING, as_of=BEFORE.as_of), STANDING, (Step("time", 0.004),), True, None, None)
    text = change_text(still)
    assert text == "Orange (46%) on Nov 4 and on Nov 16, 2026. Nothing has moved the score in between."
    apart = replace(CHANGE, steps=(), comparable=False, before=replace(BEFORE, margin=None, probability=None))
    assert "cannot be told step by step" in change_text(apart)
    assert "Goes with" not in change_text(apart)
    assert change_text(replace(CHANGE, steps=(Step("time", float("nan")),))).count("Nothing has moved") == 1


def test_of_a_part_that_grew_louder_both_levels_are_told():
    louder = replace(CHANGE, parts_gone=("health:blue", "rule:a:blue"), parts_new=("health:red", "model:red"))
    text = change_text(louder)
    assert "Changed: the health score (Blue → Red)." in text
    assert "No longer there: the rule “A” (Blue)." in text


def test_the_short_form_fits_a_line_of_a_list_and_still_names_the_first_step():
    short = change_short(CHANGE, "en", "EUR")
    assert short.startswith("Yellow → Orange: 12 more days without an order; complaint of Nov 7")
    assert len(short) <= SHORTEST
    many = replace(CHANGE, parts_new=tuple(f"rule:{rule.code}:red" for rule in WARNING_RULES))
    assert len(change_short(many)) <= SHORTEST
    by_rule = replace(CHANGE, before=replace(BEFORE, model_level="orange"))
    assert change_short(by_rule).startswith("Yellow → Orange: new: the rule “The next order is late")
    same = replace(CHANGE, before=replace(BEFORE, level="orange"), steps=(), parts_new=(), parts_gone=())
    assert change_short(same) == "Orange as before"


def test_what_would_clear_a_level_is_told_with_its_day_and_its_caution():
    assert what_if_text(ORDER, percent=True, currency="EUR") == (
        "An order of usual size (€612) by Nov 30, 2026 would bring this customer to Yellow."
    )
    assert what_if_text(PAID, percent=True, currency="EUR") == (
        "If the overdue invoices (€1,200) were paid by Nov 19, 2026, the warning would end."
    )
    assert what_if_text(replace(ORDER, amount=None), percent=True).startswith("An order of usual size by Nov 30")
    both = what_if_text(replace(ORDER, kind="both"), percent=True, currency="EUR")
    assert both.startswith("An order of usual size and payment of the overdue invoices by Nov 30")
    assert clearing_texts(STORY)[-1] == caution()
    assert "no promise" in caution()
    assert "risk falls" not in " ".join(clearing_texts(STORY))


def test_what_does_not_clear_and_what_was_asked_about_is_told_with_it_and_without_it():
    given = replace(ORDER, kind="given", by=date(2026, 11, 20), as_of=date(2026, 11, 21))
    assert what_if_text(given, percent=True, currency="EUR") == (
        "On Nov 21, 2026, with an order of €612 on Nov 20, 2026: Yellow (31%). Without it: Red (71%)."
    )
    assert "%" not in what_if_text(given, percent=False)
    idle = what_if_text(replace(PAID, clears=False, level="orange"), percent=False, currency="EUR")
    assert idle == ("On Dec 1, 2026, with the overdue invoices (€1,200) paid on Nov 19, 2026: Orange. Without it: Red.")


def test_where_nothing_clears_or_nothing_is_to_be_cleared_it_is_said():
    assert clearing_texts(replace(STORY, clearing=())) == ["Nothing that was tried brings the level down."]
    assert clearing_texts(BARE) == ["There is no warning to bring down."]


def test_similar_cases_are_counted_as_they_are():
    assert similar_text(SIMILAR) == (
        "Of the 7 most similar past cases, 4 were lost within their windows. 4,210 past cases were looked at."
    )
    one_lost = replace(SIMILAR, cases=tuple(replace(case, lost=not i) for i, case in enumerate(SIMILAR.cases)))
    assert "cases, 1 was lost within its window." in similar_text(one_lost)
    lost = Similar((Case("C1", "", AS_OF, 0.1, True, None),))
    assert similar_text(lost) == "The most similar past case was lost within its window."
    assert "No past cases" in similar_text(Similar())
    assert case_text(lost.cases[0]) == "Lost: no order within its window, nor since"
    assert case_text(replace(lost.cases[0], next_order_days=1)).endswith("after 1 day")
    assert case_text(replace(lost.cases[0], lost=False, next_order_days=9)) == (
        "Not lost: the next order came after 9 days"
    )


def test_the_reasons_say_what_they_go_with_or_that_no_single_one_is_clear():
    assert why_text(STORY) == "What goes with a higher risk"
    small = replace(STORY, reasons=(reason("small", "contact", "visits_90d", 0.1, 1.0),))
    assert why_text(small).startswith("No single clear reason; small changes")
    assert [(heading, [line.concept for line in lines]) for heading, lines in told(small)] == [
        ("No single clear reason; small changes in several areas:", ["contact"])
    ]
    beside = replace(STORY, reasons=(STORY.reasons[0], *small.reasons, *STORY.reasons[1:]))
    assert [heading for heading, _ in told(beside)] == [
        "What goes with a higher risk", "Small changes", "What speaks against it",
    ]  # fmt: skip
    assert why_text(replace(STORY, reasons=STORY.reasons[-1:])) == "No single clear reason."
    assert why_text(replace(STORY, reasons=())) == "No reasons are on record for this customer at this date."
    assert why_text(BARE) == "This customer is not rated (too few order days), so no reasons are told."
    assert [line.role for line in told(STORY)[1][1]] == ["against"]


def test_a_fact_is_told_from_its_codes_and_without_them_from_its_numbers():
    line = STORY.reasons[0]
    assert reason_line_text(line, STORY).startswith("No order for 42 days, since Oct 5, 2026")
    assert "42" in reason_line_text(replace(line, said=()), STORY)
    assert reason_line_text(STORY.reasons[-1], STORY) == "Everything else taken together."


def test_how_a_customer_stands_is_told_as_far_as_it_is_known():
    assert outlook_text(STANDING) == "46% (31% to 62%) chance of no order in 45 days"
    assert "%" not in outlook_text(replace(STANDING, shown="level"))
    assert outlook_text(replace(STANDING, low=None)) == "46% chance of no order in 45 days"
    assert outlook_text(BARE.standing) == "Too little is known of this customer to tell a risk."
    assert place_text(STANDING) == "7 of 312, 1 being the highest risk"
    assert place_text(BARE.standing).startswith("none")
    assert queue_text("overdue").startswith("The customer has been silent for longer")
    assert queue_text(None) == ""
    assert threshold_texts(STANDING)[0] == "Red from 70% on"
    assert threshold_texts(replace(STANDING, shown="level")) == []
    assert [part_text(part) for part in ("health:blue", "rule:orange", "raised:competitor")] == [
        "the health score (Blue)", "a rule (Orange)", "one level higher while a competitor is active in the region",
    ]  # fmt: skip


def test_contributions_bear_a_sign_and_are_never_percentage_points():
    assert [log_odds(value) for value in (0.424, -0.306, 0.0, -0.004, None, float("nan"))] == [
        "+0.42", f"{MINUS}0.31", "0.00", "0.00", "not known", "not known",
    ]  # fmt: skip
    assert log_odds(-1.5, "de") == f"{MINUS}1,50"
    assert money(None) == "not known"
    assert money(1234.0, "de", "EUR") == "1.230\N{NO-BREAK SPACE}€"
    assert day_text(date(2026, 5, 12), "ja") == "2026/05/12"


@pytest.mark.parametrize("locale", LOCALES)
def test_all_of_it_is_told_in_every_language(locale):
    lines = [
        change_text(CHANGE, locale, "EUR"),
        change_short(CHANGE, locale, "EUR"),
        similar_text(SIMILAR, locale),
        *clearing_texts(STORY, locale),
        *(step_text(step, CHANGE, locale, "EUR") for step in STEPS),
        *(happening_text(event, locale, "EUR") for event in HAPPENINGS),
        *(case_text(case, locale) for case in SIMILAR.cases),
        *(reason_line_text(line, STORY, locale) for line in STORY.reasons),
    ]
    assert all(lines)
    assert not re.findall(r"[{}]|nan|None", " ".join(lines))
    with pytest.raises(SettingsError):
        change_text(CHANGE, "xx_nowhere")
