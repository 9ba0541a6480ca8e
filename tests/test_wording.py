"""The words of the reasons: what a salesman reads, for every registered feature and any figure that may come."""

import io
import math
import re
import string
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from babel import Locale
from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.support import Translations

import serving
from features.errors import ArtefactError, SettingsError
from features.registry import REGISTRY, Feature, registered
from features.snapshots import Cohort, cohort_of
from models.level_parts import combine
from serving import wording
from serving.records import LEVELS, STAGES
from serving.words import names, speech
from serving.words.catalogue import collected
from serving.words.quantities import COUNTS, KINDS, Speaker
from serving.words.sentences import SENTENCES, telling

#: One customer: a workshop that used to order every 16 days and has been silent for 42.
WORKSHOP = {
    "days_since_last_order": 42.0,
    "days_since_first_order": 1243.0,
    "order_days_ever": 61.0,
    "order_days_30d": 0.0,
    "order_days_90d": 3.0,
    "order_days_90d_usual": 5.4,
    "order_days_90d_vs_usual": 0.62,
    "order_days_prior_90d": 7.0,
    "gap_median_days_ever": 16.0,
    "gap_mean_days_ever": 20.4,
    "gap_q90_days_ever": 34.2,
    "gap_sd_days_ever": 13.1,
    "gap_cv_ever": 0.64,
    "days_since_last_order_vs_q90_gap": 1.23,
    "longer_gap_probability": 0.06,
    "revenue_90d": 1243.2,
    "revenue_90d_usual": 3912.0,
    "revenue_90d_vs_usual": 0.4,
    "order_value_mean_ever": 523.4,
    "last_order_value": 310.0,
    "last_order_value_vs_usual": 0.59,
    "units_per_order_day_90d": 112.3,
    "units_per_order_day_90d_usual": 221.7,
    "return_share_90d": 0.048,
    "return_share_90d_usual": 0.004,
    "urgent_order_share_90d": 0.4,
    "urgent_order_share_90d_usual": 0.1,
    "urgent_order_share_90d_vs_usual": 0.3,
    "high_margin_share_90d": 0.42,
    "high_margin_share_90d_usual": 0.65,
    "products_30d": 0.0,
    "products_90d": 4.0,
    "products_90d_usual": 11.0,
    "products_90d_vs_usual": 0.42,
    "products_365d": 38.0,
    "product_concentration_365d": 0.11,
    "lapsed_product_share_90d": 0.72,
    "active_months_365d": 9.0,
}
SHORT_PAST = "Not a customer for long enough to tell what is usual."
FEATURES = [feature.name for feature in registered()]


def reason(feature, value=None, usual=None, contribution=0.3, **more):
    return wording.ReasonFacts(feature, value, usual, contribution, **more)


def of_workshop(feature, **changes):
    facts = {**WORKSHOP, **changes}
    known = REGISTRY[feature]
    return wording.reason_text(reason(feature, facts.get(feature), facts.get(known.usual), facts=facts))


@pytest.mark.parametrize(
    ("feature", "sentence"),
    [
        (
            "days_since_last_order",
            "No order for 42 days; usually one every 16 days, nine times out of ten within 34 days.",
        ),
        (
            "days_since_last_order_vs_q90_gap",
            "No order for 42 days; nine times out of ten the next one came within 34 days.",
        ),
        (
            "longer_gap_probability",
            "No order for 42 days; in this customer's usual rhythm, 6% of the pauses between orders last that long.",
        ),
        ("order_days_30d", "No order in the last 30 days; usually one every 16 days."),
        ("order_days_90d", "Ordered on 3 days in the last 90 days; usually on about 5."),
        ("order_days_90d_vs_usual", "Ordered on 3 days in the last 90 days; usually on about 5."),
        ("order_days_90d_vs_prior_90d", "Ordered on 3 days in the last 90 days, after 7 days in the 90 days before."),
        ("active_months_365d", "Ordered in 9 of the last 12 months."),
        ("gap_cv_ever", "Orders irregularly: on average one every 20 days, give or take 13 days."),
        ("revenue_90d", "Spent 1,240 in the last 90 days; usually about 3,900 in that time."),
        ("revenue_90d_vs_usual", "Spent 1,240 in the last 90 days; usually about 3,900 in that time."),
        ("last_order_value_vs_usual", "Spent 310 on the last order day; usually about 520."),
        ("units_per_order_day_90d", "Ordered 112 units per order day in the last 90 days; usually 222."),
        ("return_share_90d", "Returns and credit notes were 5% of purchases in the last 90 days; usually 0.4%."),
        ("products_30d", "Bought no products in the last 30 days; usually 11 in 90 days."),
        ("products_90d_vs_usual", "Bought 4 different products in the last 90 days; usually 11."),
        ("product_concentration_365d", "In the last 12 months, bought mainly 9 products out of 38."),
        ("lapsed_product_share_90d", "Did not buy 72% of its usual products in the last 90 days."),
        ("days_since_first_order", "First ordered 3 years ago."),
    ],
)
def test_a_salesman_reads_what_is_and_what_is_usual(feature, sentence):
    assert of_workshop(feature) == sentence


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        (1, "Last order 1 day ago; usually one every 16 days"),
        (16, "Last order 16 days ago; usually one every 16 days"),
        (17, "No order for 17 days; usually one every 16 days"),
    ],
)
def test_only_a_silence_beyond_the_usual_gap_is_called_no_order(days, sentence):
    said = of_workshop("days_since_last_order", days_since_last_order=days)
    assert said == f"{sentence}, nine times out of ten within 34 days."
    no_wider = of_workshop("days_since_last_order", days_since_last_order=days, gap_q90_days_ever=16.0)
    assert no_wider == f"{sentence}."


def test_the_date_of_the_last_order_is_told_in_the_reader_s_format():
    facts = reason("days_since_last_order", 42, 16, last_order_on=date(2011, 10, 20))
    assert wording.reason_text(facts) == "No order for 42 days, since Oct 20, 2011; usually one every 16 days."
    assert "20 Oct 2011" in wording.reason_text(facts, "en_GB")
    assert "2011/10/20" in wording.reason_text(facts, "ja")


def test_a_cycle_given_with_the_reason_serves_where_the_row_has_none():
    assert wording.reason_text(reason("days_since_last_order", 42, cycle_days=1)) == (
        "No order for 42 days; usually one every day."
    )


@pytest.mark.parametrize(
    ("value", "chance"),
    [(0.71, "71%"), (0.999, "more than 99%"), (1.0, "more than 99%"), (0.0, "less than 1%"), (0.01, "1%")],
)
def test_the_rhythm_model_tells_a_chance_that_is_never_certain(value, chance):
    said = wording.reason_text(reason("btyd", value, window_days=60))
    assert said == (
        "Judging only by when this customer has ordered so far, "
        f"the chance of no order in the next 60 days is {chance}."
    )


def test_the_rhythm_model_tells_the_silence_where_it_is_known():
    silence = "No order for 42 days; usually one every 16 days, nine times out of ten within 34 days."
    assert wording.reason_text(reason("btyd", None, facts=WORKSHOP)) == silence


@pytest.mark.parametrize(
    ("share", "tail"),
    [
        (0.09, "9% of all orders in the last 90 days; usually 10%."),
        (0.1, "10% of all orders in the last 90 days; usually 10%."),
    ],
)
def test_urgent_orders_go_with_running_down_stock_only_where_they_are_more_than_usual(share, tail):
    assert of_workshop("urgent_order_share_90d", urgent_order_share_90d=share) == f"Urgent orders were {tail}"
    assert of_workshop("urgent_order_share_90d_vs_usual") == (
        "Urgent orders were 40% of all orders in the last 90 days, usually 10%: "
        "this often goes with running down stock."
    )


@pytest.mark.parametrize(("ratio", "unchanged"), [(0.89, False), (0.9, True), (1.0, True), (1.1, True), (1.11, False)])
def test_fewer_high_margin_goods_at_the_same_total_are_told_so(ratio, unchanged):
    said = of_workshop("high_margin_share_90d", revenue_90d_vs_usual=ratio)
    assert said.startswith("High-margin goods made up 42% of purchases in the last 90 days")
    assert "usually 65%" in said
    assert ("total spending hardly changed" in said) == unchanged


@pytest.mark.parametrize(
    ("value", "usual", "sentence"),
    [
        (-350, 3912, "Returns exceeded purchases by 350 in the last 90 days; usually spends about 3,900 in that time."),
        (0, 3912, "Spent nothing in the last 90 days; usually about 3,900 in that time."),
        (4.5, 0, "Spent 4.50 in the last 90 days; usually nothing in that time."),
        (12_345_678, math.nan, "Spent 12,300,000 in the last 90 days."),
        (1240, -20, "Spent 1,240 in the last 90 days."),
    ],
)
def test_money_is_rounded_and_signed_in_words(value, usual, sentence):
    assert wording.reason_text(reason("revenue_90d", value, usual)) == sentence


@pytest.mark.parametrize(
    ("locale", "currency", "amount"),
    [("en", "", "1,240"), ("en", "USD", "$1,240"), ("de", "EUR", "1.240\xa0€"), ("ja", "JPY", "\uffe51,240")],
)
def test_amounts_follow_the_reader_s_format_and_name_the_currency(locale, currency, amount):
    assert amount in wording.reason_text(reason("revenue_30d", 1243.2, currency=currency), locale)


@pytest.mark.parametrize(
    ("changes", "feature", "sentence"),
    [
        ({"order_days_90d": 0.0}, "order_value_mean_90d", "No order in the last 90 days."),
        ({"order_days_ever": 1.0}, "gap_sd_days_ever", "Has ordered on one day only, so there is no usual rhythm yet."),
        ({"days_since_first_order": 149.0}, "revenue_90d_usual", SHORT_PAST),
        ({"days_since_first_order": 150.0}, "revenue_90d_usual", "Spending: no figure is known."),
        ({}, "days_since_last_return", "No return or credit note so far."),
        ({}, "margin_share_90d", "Prices and quotes: no figure is known."),
    ],
)
def test_an_unknown_value_is_explained_where_the_row_explains_it(changes, feature, sentence):
    facts = {name: number for name, number in {**WORKSHOP, **changes}.items() if name != feature}
    assert wording.reason_text(reason(feature, math.nan, math.nan, facts=facts)) == sentence


@pytest.mark.parametrize(
    ("usual", "tail"), [(0.4, "less than 1"), (1.0, "1"), (1.4, "about 1.4"), (2.96, "about 3"), (5.4, "about 5")]
)
def test_a_usual_count_is_as_exact_as_a_person_would_say_it(usual, tail):
    said = wording.reason_text(reason("order_days_90d", 4, usual))
    assert said == f"Ordered on 4 days in the last 90 days; usually on {tail}."


def test_thirteen_thirty_day_months_are_not_more_than_a_year():
    assert wording.reason_text(reason("active_months_365d", 13)) == "Ordered in 12 of the last 12 months."


def test_the_direction_is_a_word_of_its_own():
    codes = [wording.direction(reason("revenue_90d", 1.0, contribution=points)) for points in (-0.1, 0.0, 0.1)]
    assert codes == ["lowers", "lowers", "raises"]
    assert wording.direction_name("raises") == "Goes with a higher risk"
    said = {wording.reason_text(reason("revenue_90d", 1.0, contribution=points)) for points in (-0.1, 0.1)}
    assert len(said) == 1


def test_every_concept_dimension_and_unit_of_the_registry_has_its_words():
    for feature in registered():
        assert feature.concept in names.CONCEPTS
        assert feature.dimension in names.DIMENSIONS
        assert feature.unit in names.UNITS
        assert wording.quantity(12.0, feature.unit)
    assert set(names.KIND_OF_UNIT) <= set(names.UNITS)
    assert set(names.KIND_OF_UNIT.values()) <= set(KINDS)


def test_every_stage_role_and_part_of_a_level_has_its_words():
    told = [wording.stage_name(stage) for stage in STAGES]
    assert told == ["No sign", "Cooling", "Comparing offers", "Deciding", "Lost"]
    headings = [wording.role_name(role) for role in ("reason", "against", "small", "rest")]
    assert headings == ["What goes with a higher risk", "What speaks against it", "Small changes", "Everything else"]
    assert wording.no_clear_reason() == "No single clear reason; small changes in several areas:"
    parts = {"customer_id": ["A"], "model_level": ["blue"], "health_level": ["blue"], "rule_level": ["blue"]}
    (told,) = combine(pd.DataFrame({**parts, "escalated": [True]}))["level_parts"]
    assert [wording.level_part(part) for part in told] == [
        "the model",
        "the health score",
        "a rule",
        "one level higher while a competitor is active in the region",
    ]
    assert wording.level_part("rule:role_imbalance:orange", "One role is silent") == "the rule: One role is silent"


def test_a_risk_is_told_as_a_percentage_with_its_interval_or_by_its_level_alone():
    assert wording.outlook("orange", 45, chance=0.46) == "46% chance of no order in 45 days"
    between = wording.outlook("orange", 45, chance=0.46, interval=(0.31, 0.62))
    assert between == "46% (31% to 62%) chance of no order in 45 days"
    unproved = "(no percentage: its calibration is not proved)"
    assert [wording.outlook(level, 45) for level in LEVELS] == [
        f"risk of no order in 45 days below every warning level {unproved}",
        f"slightly raised risk of no order in 45 days {unproved}",
        f"raised risk of no order in 45 days {unproved}",
        f"high risk of no order in 45 days {unproved}",
        f"very high risk of no order in 45 days {unproved}",
    ]
    outside = wording.outlook("none", 1, rated=False)
    assert outside == "risk of no order in 1 day not rated, as no level is given outside the cohort"


def test_every_level_and_every_cohort_has_its_words():
    assert [wording.level_name(level) for level in LEVELS] == ["No warning", "Blue", "Yellow", "Orange", "Red"]
    rows = pd.DataFrame({"order_days_ever": [5, math.nan, 1, 5], "days_since_last_order": [366, math.nan, 3, 365]})
    codes = cohort_of(rows, Cohort(min_order_days=2, max_days_since_last_order=365))
    assert [wording.cohort_reason(code, n) for code, n in zip(codes, [365, None, 2, None], strict=True)] == [
        "no order for more than 365 days",
        "no order yet",
        "fewer than 2 order days",
        "eligible",
    ]
    assert wording.cohort_reason("few_order_days", 1) == "fewer than 1 order day"
    assert wording.cohort_reason("dormant") == "no order for too long"


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (1, "days", "1 day"),
        (42.4, "days", "42 days"),
        (0.38, "share", "38%"),
        (2.6, "cycles", "2.6 times"),
        (math.nan, "days", ""),
    ],
)
def test_a_bare_value_is_told_with_its_unit(value, unit, words):
    assert wording.quantity(value, unit) == words


def test_a_feature_of_the_user_s_own_is_told_by_its_docstring(monkeypatch):
    own = Feature(
        "grumbles_90d", "order_days", "Days with a {complaint}, last 90 days.", "days", "service", "price_war"
    )
    monkeypatch.setitem(REGISTRY, own.name, own)
    assert (
        wording.reason_text(reason(own.name, 4, 2)) == "Days with a {complaint}, last 90 days: 4 days; usually 2 days."
    )
    assert wording.reason_text(reason(own.name, 4)) == "Days with a {complaint}, last 90 days: 4 days."
    assert wording.reason_text(reason(own.name)) == "Price war: no figure is known."


@pytest.mark.parametrize(
    ("ask", "error", "found"),
    [
        (lambda: wording.reason_text(reason("gone_90d", 1.0)), ArtefactError, "gone_90d"),
        (lambda: wording.reason_text(reason("revenue_90d", 1.0), "elvish"), SettingsError, "elvish"),
        (lambda: wording.level_name("purple"), SettingsError, "purple"),
        (lambda: wording.cohort_reason("lost"), SettingsError, "lost"),
        (lambda: wording.dimension_name("luck"), SettingsError, "luck"),
        (lambda: wording.direction_name("sideways"), SettingsError, "sideways"),
        (lambda: wording.stage_name("gone"), SettingsError, "gone"),
        (lambda: wording.role_name("hero"), SettingsError, "hero"),
        (lambda: wording.level_part("luck:red"), SettingsError, "luck"),
    ],
)
def test_what_has_no_words_is_named(ask, error, found):
    with pytest.raises(error, match=found):
        ask()


def extracted():
    """The messages that Babel finds in serving/, as a translator's catalogue gets them."""
    keywords = {**DEFAULT_KEYWORDS, **speech.KEYWORDS}
    found = extract_from_dir(Path(serving.__file__).parent, [("**.py", "python")], keywords=keywords)
    return {message for _, _, message, _, _ in found}


def test_every_message_is_extracted_with_the_placeholders_that_it_is_given():
    found = extracted()
    free = {"{meaning}: {actual}; usually {usual}.": {"meaning"}, "{meaning}: {actual}.": {"meaning"}}
    free |= {"{concept}: no figure is known.": {"concept"}, "Similar customers: {peer}.": {"peer"}}
    ways = [*wording._OWN, wording._UNKNOWN, wording._PEER, *(way for name in FEATURES for way in telling(name).ways)]
    ways += [way for ways in SENTENCES.values() for way in ways]
    for way in ways:
        assert way.message in found
        slots = {name for _, name, _, _ in string.Formatter().parse(way.message) if name}
        assert slots == {*way.slots, *way.phrases} | free.get(way.message, set())
        assert set(way.phrases.values()) <= found
    assert {(count.one, count.many) for count in COUNTS.values()} <= found
    tables = (names.CONCEPTS, names.DIMENSIONS, names.LEVELS, names.RISKS, names.DIRECTIONS, names.UNITS)
    tables += (names.STAGES, names.ROLES, names.LEVEL_PARTS)
    assert {name for table in tables for name in table.values()} <= found


#: Where the record of the model is judged, and where people tell why a customer was lost: there the words are right.
OF_THE_RECORD = ("serving/pages/", "serving/words/task_words.py")


def test_no_message_speaks_of_statistics_or_calls_anything_a_cause():
    always = r"quantile|deviation|ratio\b|coefficient|herfindahl|percentile|z-score|because|due to\b"
    of_customers = rf"{always}|median|probab|(?<!None of it is a )caus"
    judged = 0
    for message, places in collected().items():
        jargon = always if all(place.startswith(OF_THE_RECORD) for place in places) else of_customers
        judged += jargon == of_customers
        for form in message if isinstance(message, tuple) else (message,):
            assert not re.search(jargon, form, re.I), form
    assert judged > 1000, "most messages are told of customers"


def test_a_catalogue_gives_the_sentence_its_own_words_and_order():
    catalogue = Catalog(locale="ja")
    catalogue.add("No order for {since}; usually one {every}.", "通常は{every}、現在{since}注文なし。")
    catalogue.add(("{n} day", "{n} days"), ("{n}日",))
    catalogue.add(("every day", "every {n} days"), ("{n}日ごと",))
    file = io.BytesIO()
    write_mo(file, catalogue)
    file.seek(0)
    speaker = Speaker(speech.Language(Locale("ja"), Translations(file)))
    phrases = {"since": speaker.phrase("days", 42.0), "every": speaker.phrase("every", 16.0)}
    said = speaker.language.words("No order for {since}; usually one {every}.", **phrases)
    assert said == "通常は16日ごと、現在42日注文なし。"
