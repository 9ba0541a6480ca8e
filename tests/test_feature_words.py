"""The words of every registered feature: there are some, they need its own value alone, and any figures fit them."""

import json
import math
import re
from datetime import date

import pytest
from babel import Locale
from babel.support import NullTranslations
from hypothesis import given, settings
from hypothesis import strategies as st

from features.registry import REGISTRY, registered
from serving import wording
from serving.words.quantities import KINDS, Speaker
from serving.words.sentences import QUANTITIES, SENTENCES, telling
from serving.words.speech import Language, Part, Said, render

FEATURES = [feature.name for feature in registered()]
LOCALES = ("en", "ja", "zh_Hans_CN", "de")
#: A customer with contact on record.
ACCOUNT = {
    "days_since_last_order": 42.0,
    "gap_median_days_ever": 16.0,
    "gap_q90_days_ever": 29.0,
    "interactions_90d": 3.0,
    "interactions_90d_usual": 7.6,
    "reply_hours_90d": 100.0,
    "reply_hours_90d_usual": 5.0,
    "answered_share_90d": 0.38,
    "answered_share_90d_usual": 0.71,
    "days_since_last_visit": 50.0,
    "visit_gap_median_days": 30.0,
    "days_beyond_terms_90d": 12.0,
    "days_beyond_terms_90d_usual": -2.0,
}
#: What a salesman does not say.
UNSAID = r"_|\bnan\b|\binf\b|because|deviation|\blogs?\b|logarithm|median|percentile|score|herfindahl"


def reason(feature, value=None, usual=None, **more):
    return wording.ReasonFacts(feature, value, usual, 0.3, **more)


def of_account(feature, **more):
    return wording.reason_text(
        reason(feature, ACCOUNT.get(feature), ACCOUNT.get(REGISTRY[feature].usual), facts=ACCOUNT, **more)
    )


@pytest.mark.parametrize(
    ("feature", "sentence"),
    [
        ("interactions_90d", "Contacts with the account in the last 90 days: 3; usually about 8."),
        ("interactions_90d_z", "Contacts with the account in the last 90 days: 3; usually about 8."),
        ("interactions_90d_vs_usual", "Contacts with the account in the last 90 days: 3; usually about 8."),
        ("interactions_90d_vs_peers", "Contacts with the account in the last 90 days: 3; usually about 8."),
        ("interactions_90d_usual", "Contacts with the account: usually about 8 in 90 days."),
        ("reply_hours_90d", "Typical wait for a reply to our messages in the last 90 days: 4 days; usually 5 hours."),
        ("answered_share_90d_z", "Our messages that were answered in the last 90 days: 38%; usually 71%."),
        ("days_since_last_visit", "Last visit: 50 days ago; usually one every 30 days."),
        (
            "days_beyond_terms_90d_z",
            "Paid 12 days after the due date on average in the last 90 days; usually 2 days before it.",
        ),
    ],
)
def test_a_quantity_and_its_comparisons_tell_what_is_and_what_is_usual(feature, sentence):
    assert of_account(feature) == sentence


@pytest.mark.parametrize(
    ("feature", "value", "sentence"),
    [
        ("interactions_90d_z", -0.6, "Contacts with the account in the last 90 days: below the usual."),
        ("interactions_90d_z", -0.5, "Contacts with the account in the last 90 days: about as usual."),
        ("interactions_90d_z", 0.6, "Contacts with the account in the last 90 days: above the usual."),
        ("interactions_90d_vs_usual", 0.4, "Contacts with the account in the last 90 days: about 40% of the usual."),
        ("answered_share_90d_vs_usual", -0.2, "Our messages that were answered in the last 90 days: below the usual."),
        (
            "interactions_90d_vs_peers",
            0.8,
            "Contacts with the account in the last 90 days, against the usual: below similar customers.",
        ),
        ("overdue_share_vs_peers", 0.2, "Share of what is owed that is past its due date: above similar customers."),
        ("days_since_last_visit_vs_target", 1.1, "A visit is overdue."),
        ("days_since_last_response_vs_usual", 2.6, "Last response from the account: 2.6 times the usual time ago."),
        ("revenue_90d_z", 1.0, "Spending in the last 90 days: above the usual."),
        ("order_days_change", -0.5, "Days with an order, against the same time before: down 50%."),
        ("contact_lost", 1.0, "The account has answered none of our latest attempts to reach it."),
        ("contact_lost", 0.0, "The account can be reached."),
        ("relationship_stage", 2.0, "The account shows signs of comparing offers."),
        ("days_to_next_expected_order", -3.0, "An order has been overdue for 3 days."),
        ("orders_drop_30d", 3.0, "In the last 30 days, 3 orders fewer than in the 30 days before."),
    ],
)
def test_the_value_alone_is_enough_for_a_sentence(feature, value, sentence):
    assert wording.reason_text(reason(feature, value)) == sentence


def test_the_silence_is_told_with_its_own_range_and_with_that_of_similar_customers():
    said = of_account("days_since_last_order", last_order_on=date(2026, 5, 3), peer=21.0)
    assert said == (
        "No order for 42 days, since May 3, 2026; usually one every 16 days, nine times out of ten within 29 days. "
        "Similar customers: 21 days."
    )


@pytest.mark.parametrize(
    ("feature", "more", "tail"),
    [
        ("interactions_90d", {"peer": 6.4}, " Similar customers: 6."),
        ("interactions_90d", {"peers": {"interactions_90d": 6.4}}, " Similar customers: 6."),
        ("interactions_90d", {"peer": math.nan}, ""),
        ("interactions_90d", {"peer": math.inf}, ""),
        ("interactions_90d_z", {"peer": -0.2}, ""),
        ("interactions_90d_z", {"peer": -0.2, "peers": {"interactions_90d": 0.0}}, " Similar customers: none."),
        ("days_since_contract_end", {"peer": 20.0}, ""),
        ("contact_lost", {"peer": 1.0}, ""),
        ("temperature_level", {"peer": 2.0}, ""),
        ("interactions_90d_usual", {"peer": 6.0}, ""),
    ],
)
def test_similar_customers_are_told_of_a_quantity_and_of_nothing_else(feature, more, tail):
    facts = {**ACCOUNT, feature: ACCOUNT.get(feature, 1.0)}
    alone = wording.reason_text(reason(feature, facts[feature], facts=facts))
    assert wording.reason_text(reason(feature, facts[feature], facts=facts, **more)) == alone + tail


@pytest.mark.parametrize("locale", LOCALES)
def test_a_stored_fact_is_told_later_as_it_would_have_been_told_at_once(locale):
    for feature in FEATURES:
        told = reason(feature, 0.7, 0.1, last_order_on=date(2026, 5, 3), facts=ACCOUNT, peer=1 / 3, currency="EUR")
        said = wording.fact_of(told)
        stored = json.dumps(said.to_list(), allow_nan=False)
        assert Said.from_list(json.loads(stored)) == said
        assert wording.fact_text(Said.from_list(json.loads(stored)), locale, "EUR") == wording.reason_text(told, locale)


@pytest.mark.parametrize(
    ("locale", "joined"), [("en", "Visits. Visits."), ("ja", "Visits.Visits."), ("zh", "Visits.Visits.")]
)
def test_sentences_are_joined_as_the_language_does_it_and_said_in_english_where_untranslated(locale, joined):
    speaker = Speaker(Language(Locale(locale), NullTranslations()))
    assert render(Said((Part("{name}.", {"name": ("phrase", "Visits")}),) * 2), speaker) == joined


def test_a_reason_reads_only_the_columns_that_its_sentence_needs():
    class Read(dict):
        def get(self, name, default=None):
            self.setdefault("read", set()).add(name)
            return super().get(name, default)

    for feature in FEATURES:
        row = Read(dict.fromkeys(FEATURES, 0.7))
        wording.fact_of(reason(feature, 0.7, facts=row))
        assert len(row["read"]) < 15


def test_comparisons_are_worded_as_the_registry_computes_them():
    for feature in registered():
        base, _, view = re.sub(r"_(vs_usual|vs_peers)$", r" \1", feature.name).partition(" ")
        family = re.sub(r"_\d+d(?=_|$)", "_{days}d", base)
        measured = QUANTITIES.get(base) or QUANTITIES.get(family)
        if not view or measured is None or feature.name in SENTENCES:
            continue
        assert measured.level == (feature.unit != "ratio") or measured.since, feature.name
        if view == "vs_peers" and not measured.since:
            assert measured.direct == ("own usual, against" not in feature.meaning), feature.name


@pytest.mark.parametrize("value", [0.0, 1.0, 0.38, 17.0, 1243.2, 1e9, -0.4, -3.0])
def test_no_feature_is_told_by_its_docstring_or_in_jargon(value):
    fallback = {way.message for way in (*wording._OWN, wording._UNKNOWN)}
    for feature in [*FEATURES, "btyd"]:
        said = wording.fact_of(reason(feature, value, window_days=45))
        assert not fallback & {part.message for part in said.parts}
        told = wording.fact_text(said)
        assert not re.search(UNSAID, told, re.I), told
        assert feature not in told


@pytest.mark.parametrize("feature", [*FEATURES, "btyd"])
def test_every_feature_has_sentences_whose_figures_exist(feature):
    told = telling(feature)
    ways, days = told.ways, told.days
    known = {*FEATURES, "value", "own", "usual", "window_days", "last_order_on", "as_of"}
    for way in ways:
        sources = [*way.slots.values(), *([way.peer] if way.peer else [])]
        cited = [source.replace("{days}", days).split() for source in sources]
        assert {kind for _, kind in cited} <= set(KINDS)
        compared = [condition.replace("{days}", days).split() for condition in way.when]
        figures = {name for name, _ in cited} | {side for left, _, right in compared for side in (left, right)}
        numbers = {figure for figure in figures if re.fullmatch(r"-?[\d.]+", figure)}
        missing = figures - numbers - known
        # a way shared by all windows may cite a usual that only one of them has; it is then never said
        assert {name for name in missing if not name.endswith("_usual")} == set()


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_can_be_told_by_its_value_alone(feature):
    (part,) = wording.fact_of(reason(feature, 0.7)).parts
    assert part.message not in {way.message for way in (*wording._OWN, wording._UNKNOWN)}
    said = wording.fact_text(Said((part,)))
    rhythms = feature.endswith(("_usual", "_gap_median_days")) or feature in (
        "gap_median_days_ever",
        "order_cycle_days",
    )
    assert not re.search(r"\busually\b", said, re.I) or rhythms


def test_no_sentence_is_kept_for_a_feature_that_is_gone():
    bare = {re.sub(r"_(vs_usual|vs_peers|usual|z)$", "", name) for name in FEATURES}
    families = {re.sub(r"_\d+d(?=_|$)", "_{days}d", name) for name in (*FEATURES, *bare)}
    assert {*SENTENCES, *QUANTITIES} <= {*families, *FEATURES, *bare, "btyd"}


def well_said(sentence, locale="en"):
    assert sentence[0].isupper() or locale.startswith(("ja", "zh"))
    assert sentence.endswith((".", "。"))
    assert not sentence.endswith("..")
    assert not re.search(r"_|\b(nan|NaN|None|inf|NULL)\b", sentence)
    assert "{" not in sentence
    assert "  " not in sentence
    assert not re.search(r"[-\u2212]0(?![.,]?\d)|about (less|about|none)", sentence)
    assert not re.search(r"(?<![\d.,-])1 (days|products|orders|lines|units|months|years)\b", sentence)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("value", [None, math.nan, math.inf, 0.0, -0.0, 1.0, 0.001, -0.3, -12.5, 0.9999, 1e15, 1e300])
def test_no_figure_spoils_a_sentence(value, locale):
    for feature in [*FEATURES, "btyd"]:
        for facts in ({}, ACCOUNT, dict.fromkeys(FEATURES, value or math.nan)):
            told = reason(feature, value, value, window_days=60, facts=facts, peer=value, peers=facts)
            well_said(wording.reason_text(told, locale), locale)


NUMBERS = st.none() | st.floats() | st.floats(-2, 400) | st.integers(-3, 40).map(float)


@settings(max_examples=300, deadline=None)
@given(
    feature=st.sampled_from([*FEATURES, "btyd"]),
    value=NUMBERS,
    usual=NUMBERS,
    facts=st.dictionaries(st.sampled_from(FEATURES), NUMBERS.filter(lambda number: number is not None)),
    cycle=NUMBERS,
    last=st.none() | st.dates(),
    as_of=st.none() | st.dates(),
    currency=st.sampled_from(["", "EUR", "JPY", "USD"]),
    locale=st.sampled_from(LOCALES),
)
def test_any_figures_make_a_whole_sentence(feature, value, usual, facts, cycle, last, as_of, currency, locale):
    told = reason(
        feature, value, usual, currency=currency, last_order_on=last, cycle_days=cycle, as_of=as_of, facts=facts
    )
    well_said(wording.reason_text(told, locale), locale)
