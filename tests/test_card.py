"""The model card: what it says follows from the facts, nothing breaks its Markdown, and nobody is named."""

import re
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.tracks import TRACKS as ALL_TRACKS
from features.windows import FalseChurn, WindowChoice
from models import card as module
from models.card import CardFacts, card, escaped
from models.certificate import Limits, certify
from models.selection import ALONE, LADDER, NAMES, Selection, Step

SECTIONS = [
    "In short",
    "Data",
    "Customers",
    "What counts as leaving",
    "How well it did",
    "Which model is in use, and why",
    "Calibration certificate",
    "Levels",
    "Intervals and completeness",
    "Known limits",
    "Data not used",
    "Made with",
]


def standing(**auc):
    rows = []
    for name, value in auc.items():
        row = {"contestant": name, "n": 16112, "n_customers": 3508, "n_cutoffs": 5, "base_rate": 0.508}
        for figure in module.FIGURES:
            row |= {figure: 0.5, f"{figure}_low": 0.4, f"{figure}_high": 0.6}
        rows.append(row | {"roc_auc": value, "roc_auc_low": value - 0.01, "roc_auc_high": value + 0.01})
    return pd.DataFrame(rows)


def certificate(customers=300, level="red"):
    rng = np.random.default_rng(0)
    parts = []
    for month in range(1, 5):
        p = rng.uniform(0.1, 0.9, customers)
        key = {"customer_id": [f"SECRET{i}" for i in range(customers)], "as_of": pd.Timestamp(2024, month, 1)}
        outcome = (rng.random(customers) < p).astype(float)
        parts.append(pd.DataFrame(key | {"probability": p, "outcome": outcome, "level": level, "segment": "a|b"}))
    return certify(pd.concat(parts), Limits(), np.random.default_rng(1), 30)


STEP = Step("logistic", "label_free", 0.0104, 0.0051, 0.0149, -0.004, -0.007, -0.001, 900, 300, True)
FUNNEL = {"eligible": 300, "no_order": 4, "closed": 0, "few_order_days": 80, "dormant": 60, "project": 5}


@pytest.fixture(scope="module")
def facts():
    tried = (FalseChurn(1.5, 0.31, 0.28, 0.34, 400, 200), FalseChurn(2.0, 0.22, 0.19, 0.25, 350, 180))
    steps = (STEP, replace(STEP, candidate="lightgbm", in_use="logistic", auc=0.001, auc_low=-0.002, taken=False))
    level = {"name": "red", "threshold": 0.8, "promised": 0.7, "largest_share": 0.05}
    level |= {"precision": 0.75, "low": 0.7, "high": 0.8, "n": 120}
    return CardFacts(
        as_of=date(2024, 10, 1),
        source="sales_2024 (north|south)",
        fingerprint="abc123",
        first_order=date(2021, 1, 4),
        data_end=date(2024, 10, 1),
        tables=pd.DataFrame(
            [{"table": "transactions", "rows_in": 10_000, "clean": 9_950, "quarantined": 30, "duplicates": 20}]
        ),
        tables_absent=("interactions", "quotes"),
        features_used=212,
        features_off=pd.DataFrame({"feature": ["x_90d", "y_90d"], "missing": ["interactions", "interactions"]}),
        funnel=pd.DataFrame(
            [
                {"track": k, "customers": n, "revenue_365d": n * 1000.0, "revenue_share": n / 449}
                for k, n in FUNNEL.items()
            ]
        ),
        learnt_share=1.0,
        window=WindowChoice(2.0, True, 0.25, tried).to_dict(),
        horizon_days=90,
        standing=standing(days_since_last_order=0.716, champion=0.788),
        selection=Selection("logistic", ALONE["logistic"], 90, 5, steps).to_dict(),
        regret=pd.DataFrame(
            [
                {"contestant": "champion", "own_level_log_loss": 0.551, "roc_auc": 0.788, "regret": 0.0},
                {"contestant": "lightgbm", "own_level_log_loss": 0.549, "roc_auc": 0.789, "regret": 0.002},
            ]
        ),
        certificate=certificate(),
        levels=[level, level | {"name": "orange", "threshold": None, "precision": None, "n": 0}],
        intervals={"median width": 0.21},
        grades=pd.DataFrame({"grade": list("ABCD"), "customers": [0, 200, 80, 20], "share": [0, 0.667, 0.267, 0.067]}),
        versions={"pandas": "3.1.0", "lightgbm": "4.7.0"},
        seed=7,
    )


def section(text, title):
    return re.split(r"^## ", text, flags=re.MULTILINE)[1 + SECTIONS.index(title)]


def test_the_card_has_all_its_sections_in_order_and_is_the_same_every_time(facts):
    text = card(facts)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert text == card(replace(facts, versions=dict(reversed(facts.versions.items()))))
    assert text.startswith("# Model card: 2024-10-01\n")
    assert text.endswith("\n")


def test_the_figures_of_the_facts_stand_on_the_card(facts):
    text = card(facts)
    assert "300 of 449 customers" in section(text, "In short")
    assert "AUC 0.788 [0.778, 0.798]" in section(text, "In short")
    assert "| transactions | 10,000 | 9,950 | 30 | 20 |" in section(text, "Data")
    assert r"| few\_order\_days | 80 | 80,000 | 17.8% |" in section(text, "Customers")
    assert "| 1.5 | 31.0% [28.0%, 34.0%] | 400 | 200 |" in section(text, "What counts as leaving")
    assert "| 2 (taken) | 22.0% [19.0%, 25.0%] | 350 | 180 |" in section(text, "What counts as leaving")
    assert r"| days\_since\_last\_order | 0.716 [0.706, 0.726] |" in section(text, "How well it did")
    assert "| lightgbm | 0.549 | 0.789 | 0.002 |" in section(text, "Which model is in use, and why")
    assert "| red | 0.800 | 70% | 75.0% [70.0%, 80.0%] | 120 |" in section(text, "Levels")
    assert "| orange | off | 70% | - | 0 |" in section(text, "Levels")
    assert "- median width: 0.210" in section(text, "Intervals and completeness")
    assert "| B | 200 | 66.7% |" in section(text, "Intervals and completeness")
    assert "- 2 features are off for lack of interactions." in section(text, "Data not used")
    assert "212 features. Versions: lightgbm 4.7.0, pandas 3.1.0. Seed: 7." in section(text, "Made with")


def test_the_ladder_says_in_words_which_model_is_in_use_and_what_was_not_shown(facts):
    text = section(card(facts), "Which model is in use, and why")
    assert "In use is logistic regression. Not taken, as it has not been shown that they add anything" in text
    assert "on this company's data: LightGBM." in text
    assert r"| logistic | label\_free | +0.0104 [+0.0051, +0.0149] | -0.0040 [-0.0070, -0.0010] | taken |" in text
    assert "| lightgbm | logistic | +0.0010 [-0.0020, +0.0149] |" in text
    nothing = section(card(replace(facts, selection=Selection().to_dict())), "Which model is in use, and why")
    assert "too little has matured to compare models" in nothing


def test_the_certificate_stands_on_the_card_with_every_slice(facts):
    text = section(card(facts), "Calibration certificate")
    assert "- Percentages are shown" in text
    assert len(re.findall(r"^\| cutoff \|", text, re.MULTILINE)) == 4
    assert r"| segment | a\|b | 1,200 |" in text


def test_percentages_that_are_withheld_are_told_at_the_top_and_among_the_limits(facts):
    text = card(replace(facts, certificate=certificate(customers=20)))
    assert "as levels and ranks only, without percentages" in section(text, "In short")
    assert "- Percentages are withheld: too little has matured." in section(text, "Known limits")
    assert "Percentages are withheld" not in card(facts)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"first_order": date(2024, 1, 1)}, "Only 274 days of history: some seasons were never seen"),
        ({"first_order": date(2023, 1, 1)}, "every season was seen once"),
        ({"tables_absent": ("interactions", "services", "finances")}, "From orders alone no early warning is promised"),
        ({"tables_absent": ("finances",)}, "No table of finances: late payments and disputes is not known."),
        (
            {"funnel": pd.DataFrame({"track": ["eligible"], "customers": [60], "revenue_365d": [1.0]})},
            "A small book: 60",
        ),
        (
            {"standing": standing(cycle=0.8, champion=0.79)},
            "Ranked better on these cutoffs, within the noise or not: cycle",
        ),
        ({"standing": pd.DataFrame()}, "No prediction has matured"),
        ({"notes": ("Two stores closed in May.",)}, "- Two stores closed in May."),
        (
            {"window": WindowChoice(1.5, None, 0.25, (FalseChurn(1.5, None, None, None, 3, 2),)).to_dict()},
            "the label itself is unproven",
        ),
        (
            {"window": WindowChoice(1.5, False, 0.25, (FalseChurn(1.5, 0.4, 0.3, 0.5, 90, 60),)).to_dict()},
            "40% of the silent came back within as long again, more than the 25% asked for",
        ),
    ],
)
def test_each_known_limit_follows_from_the_facts_and_from_nothing_else(facts, change, words):
    assert words in section(card(replace(facts, **change)), "Known limits")
    assert words not in card(facts)


def test_tracks_outside_the_cohort_and_levels_that_are_off_are_limits(facts):
    text = section(card(facts), "Known limits")
    assert "- 149 customers stand in tracks outside the cohort" in text
    assert "Levels that are off, as no threshold kept their promise: orange." in text
    assert "Customers outside the cohort, not learnt from at this date: no\\_order 4, few\\_order\\_days 80" in card(
        facts
    )


def test_customers_drawn_by_lot_are_told(facts):
    assert "25% of the customers were left out by lot" in card(replace(facts, learnt_share=0.75))
    assert "by lot" not in card(facts)


def test_a_source_cannot_break_a_table_or_the_page(facts):
    text = card(replace(facts, source="x\n# Owned | **bold** [link](javascript:alert(1)) <script>"))
    assert r"Source: x \# Owned \| \*\*bold\*\* \[link\](javascript:alert(1)) \<script\>." in text
    assert re.findall(r"^# ", text, re.MULTILINE) == ["# "]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b", r"a\_b"),
        ("3.1.0", "3.1.0"),
        ("a\\b `c`", r"a\\b \`c\`"),
        ("two\nlines", "two lines"),
    ],
)
def test_free_text_is_shown_as_it_is(text, shown):
    assert escaped(text) == shown


@pytest.mark.parametrize(
    ("note", "shown"), [("- item", r"- \- item"), ("1. item", r"- 1\. item"), ("2024 was", "- 2024 was")]
)
def test_a_note_that_begins_like_a_list_begins_none(facts, note, shown):
    assert f"{shown}\n" in section(card(replace(facts, notes=(note,))), "Known limits")


def test_no_customer_is_named_and_a_table_that_names_them_is_refused(facts):
    assert "SECRET" not in card(facts)
    with pytest.raises(ValueError, match=r"regret has \['customer_id'\]"):
        card(replace(facts, regret=pd.DataFrame({"customer_id": ["c1"]})))


def test_every_table_has_as_many_cells_in_each_row_as_in_its_head(facts):
    cells = re.compile(r"(?<!\\)\|")
    for block in re.findall(r"(?:^\|.*\n)+", card(facts), re.MULTILINE):
        assert len({len(cells.findall(line)) for line in block.splitlines()}) == 1


def test_every_track_and_every_step_of_the_ladder_has_its_words():
    assert set(module.TRACKS) == set(ALL_TRACKS)
    assert set(NAMES) == set(LADDER)


def test_a_company_that_begins_has_a_card_too(facts):
    empty = certify(
        pd.DataFrame(columns=["customer_id", "as_of", "probability", "outcome"]), Limits(), np.random.default_rng(0)
    )
    unknown = WindowChoice(1.5, None, 0.25, (FalseChurn(1.5, None, None, None, 0, 0),)).to_dict()
    text = card(
        replace(
            facts,
            standing=pd.DataFrame(),
            regret=pd.DataFrame(),
            certificate=empty,
            selection=Selection().to_dict(),
            window=unknown,
            intervals={},
            features_off=pd.DataFrame(columns=["feature", "missing"]),
        )
    )
    assert "no model of this company has been judged" in text
    assert "no prediction has matured yet" in text
    assert "nan" not in text
