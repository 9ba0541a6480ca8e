"""The story on one page: complete, safe whatever it says, and readable without script, network or colour."""

import inspect
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from stories import AS_OF, BARE, CHANGE, HEALTH, SHARES, SIMILAR, STANDING, STORY, reason

from features.errors import SettingsError
from serving.charts import SIGNS, legible
from serving.pages.templating import TEMPLATES
from serving.records import LEVELS
from serving.story import Happening, Similar
from serving.story_page import story_page
from serving.story_sections import Sections
from serving.story_words import log_odds
from serving.words import changes

LOCALES = ("en", "ja", "zh_Hans_CN")
NASTY = (
    "<script>alert(1)</script>",
    'O\'Brien & "Sons" --> ]]>',
    "株式会社山田製作所",
    "</style><img src=x onerror=a>",
    "{{ 7*7 }}",
    "a\x00b",
)
SECTIONS = ["why", "sum", "change", "clearing", "timeline", "health", "similar", "small-print"]
_VOID = ("meta", "br")
CSS = (TEMPLATES / "kizashi.css").read_text("utf-8")


class Page(HTMLParser):
    """A page taken apart: its tags, its words, its tables; it fails where tags do not match."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.words, self.tables, self.sections = [], [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "section":
            self.sections.append(dict(attrs)["id"])
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.words.append(data)
        if self.open[-1:] in (["td"], ["th"]):
            self.tables[-1][-1][-1] += data

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def table_with(page, heading):
    """The table that has such a column."""
    return next(table for table in page.tables if heading in table[0])


def charts_of(html):
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("story", [STORY, BARE], ids=["full", "bare"])
def test_a_page_is_whole_in_every_language(story, locale):
    html = story_page(story, locale)
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert dict(page.tags)["html"]["lang"] == locale.replace("_", "-")
    assert [name for name in SECTIONS if name != "change" or story.change] == page.sections
    assert not re.search(r"\bnan\b|None(?! of)|Undefined|\{\{|[a-z]_[a-z]", page.text)
    assert html == story_page(story, locale)


def test_a_language_without_a_catalogue_is_told_in_english_and_says_so():
    assert '<html lang="en">' in story_page(STORY, "de")
    assert '<html lang="en-GB">' in story_page(STORY, "en_GB")
    with pytest.raises(SettingsError):
        story_page(STORY, "xx_nowhere")


@pytest.mark.parametrize("name", NASTY)
def test_whatever_a_customer_is_called_it_is_text(name):
    happening = Happening(AS_OF, "visit", detail=name)
    case = replace(SIMILAR.cases[0], name=name)
    own = replace(reason("reason", name, "visits_90d", 0.5, 1.0), concept=name)
    nasty = replace(
        STORY, name=name, owner=name, customer_id=name,
        timeline=(*STORY.timeline, happening, replace(happening, kind=name)), similar=Similar((case,)), reasons=(own,),
        concepts=(replace(SHARES[0], concept=name), *SHARES[1:]),
        standing=replace(STANDING, model_version=name),
    )  # fmt: skip
    html = story_page(nasty)
    page, plain = Page(html), Page(story_page(STORY))
    assert {tag for tag, _attrs in page.tags} <= {tag for tag, _attrs in plain.tags}
    assert {attr for _tag, attrs in page.tags for attr in attrs} <= {
        attr for _tag, attrs in plain.tags for attr in attrs
    }
    assert page.words.count(legible(name)) >= 5
    assert charts_of(html)
    html.encode("utf-8")


def test_a_page_stands_alone():
    html = story_page(STORY)
    page = Page(html)
    assert set(re.findall(r"https?://[^\"' )]*", html)) == {"http://www.w3.org/2000/svg"}
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _attrs in page.tags}
    assert "@import" not in html
    assert re.findall(r"url\([^#]", html) == []
    policy = [attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    ids = [attrs["id"] for _tag, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_every_chart_is_an_image_with_words_and_stands_beside_a_table():
    html = story_page(STORY)
    found = charts_of(html)
    assert [one.find("{http://www.w3.org/2000/svg}title").text for one in found] == [
        "How the score of Müller & Söhne GmbH adds up", "What changed", "Events from Nov 16, 2025 to Nov 16, 2026",
        "Health", "Health score over time",
    ]  # fmt: skip
    assert {one.get("role") for one in found} == {"img"}
    for part in re.split(r'<div class="both">', html)[1:]:
        assert part.index("<svg") < part.index("<table")
    assert "<details" not in html
    for table in Page(html).tables:
        assert all(len(row) == len(table[0]) for row in table)


def test_the_table_of_the_score_has_every_concept_and_sums_to_the_score():
    heading, base, *concepts, total = table_with(Page(story_page(STORY)), "Dimension")
    assert heading == ["Group", "Dimension", "Log-odds"]
    assert base[2] == log_odds(STANDING.base_margin)
    assert [row[2] for row in concepts] == [log_odds(share.contribution) for share in SHARES]
    assert total == ["Score of this customer", "", log_odds(STANDING.margin)]
    figures = [float(row[2].replace("\N{MINUS SIGN}", "-")) for row in (base, *concepts)]
    assert sum(figures) == pytest.approx(STANDING.margin, abs=0.01)


def test_the_chart_of_the_score_ends_with_the_rest():
    words = list(charts_of(story_page(STORY))[0].itertext())
    assert words[-4:] == ["Everything else", "−0.05", "Score of this customer", "−0.16"]  # noqa: RUF001
    assert "Range of products" not in words


def test_the_table_of_the_change_has_every_step_and_the_threshold():
    table = table_with(Page(story_page(STORY)), "Step")
    assert [row[1] for row in table[1:]] == [
        log_odds(value) for value in (-0.71, *(step.contribution for step in CHANGE.steps), -0.16, -0.71 + 0.39)
    ]
    assert table[-1][0] == "Threshold: Orange"
    assert "Threshold: Orange" in charts_of(story_page(STORY))[1].itertext()


def test_steps_beyond_what_a_chart_can_hold_are_summed_in_it_and_all_in_the_table():
    many = tuple(replace(CHANGE.steps[2], contribution=0.01 * (i + 1)) for i in range(30))
    html = story_page(replace(STORY, change=replace(CHANGE, steps=many)))
    assert len(table_with(Page(html), "Step")) == 1 + 30 + 3
    words = list(charts_of(html)[1].itertext())
    assert words[words.index("Other steps") + 1] == log_odds(sum(0.01 * (i + 1) for i in range(21)))


def test_the_newest_events_come_first_with_their_money_and_the_level_of_a_warning():
    table = table_with(Page(story_page(STORY)), "What")
    assert table[1] == ["Nov 13, 2026", "Payment of an invoice", "€610", "INV-17"]
    assert table[2][1:] == ["Warning changed", "\N{EN DASH}", "Orange"]
    assert len(table) == 16


def test_health_and_past_cases_are_told_in_figures():
    page = Page(story_page(STORY))
    health = table_with(page, "Points of 100")
    assert health[1] == ["Health score", "48"]
    assert health[-1] == ["Partnership", "not known"]
    assert "Fallen by 32% from the usual" in page.text
    cases = table_with(page, "What came of it")
    assert [row[0] for row in cases[1:]] == [case.name for case in SIMILAR.cases]
    assert cases[3][2] == "Lost: no order within its window, nor since"


def test_what_is_missing_is_said_and_never_left_as_a_gap():
    text = Page(story_page(BARE)).text
    for said in (
        "K-1", "No warning", "Too little is known of this customer", "This customer is not rated (too few order days)",
        "There is no score that could be added up.", "There is no warning to bring down.",
        "Nothing is known to have happened.", "No health score is known.", "No past cases are known",
    ):  # fmt: skip
        assert said in text
    assert text.count("not known") >= 5
    assert charts_of(story_page(BARE)) == []


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ({"health": None}, "No health score is known."),
        ({"health": replace(HEALTH, past={}, drop_share=None, reference=None)}, "Points of 100"),
        ({"health": replace(HEALTH, score=None, dimensions={}, past={})}, "not known"),
        ({"change": None}, "What would clear it"),
        ({"change": replace(CHANGE, comparable=False, steps=())}, "cannot be told step by step"),
        ({"change": replace(CHANGE, threshold=None, threshold_level=None)}, "What changed"),
        ({"timeline": STORY.timeline[:1]}, "The newest events"),
        ({"timeline": STORY.timeline[-1:]}, "Payment of an invoice"),
        ({"reasons": ()}, "No reasons are on record"),
        ({"reasons": (reason("small", "contact", "visits_90d", 0.1, 1.0),)}, "No single clear reason; small changes"),
        ({"concepts": ()}, "There is no score that could be added up."),
        ({"standing": replace(STANDING, margin=float("nan"))}, "There is no score that could be added up."),
        ({"clearing": ()}, "Nothing that was tried brings the level down."),
        ({"similar": Similar()}, "No past cases are known"),
    ],
)
def test_a_story_that_lacks_one_thing_reads_well(lacking, said):
    page = Page(story_page(replace(STORY, **lacking)))
    assert said in page.text
    assert not re.search(r"\bnan\b|None(?! of)", page.text)


def test_no_percentage_is_told_where_only_the_level_may_be():
    quiet = replace(STANDING, shown="level")
    shown = replace(
        STORY, standing=quiet, health=None, timeline=(),
        change=replace(CHANGE, after=quiet, before=replace(quiet, level="blue")),
    )  # fmt: skip
    assert "%" not in Page(story_page(shown)).text
    assert "46%" in Page(story_page(STORY)).text


def test_templates_hold_no_words_of_their_own():
    for path in sorted(TEMPLATES.glob("*.html")):
        left = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", path.read_text("utf-8"), flags=re.DOTALL)
        # what is the same in every language: commands, and names that say of themselves that they are
        bare = re.sub(
            r"<code>.*?</code>|<span [^>]*(translate=\"no\"|lang=\"ja\")[^>]*>.*?</span>", "", left, flags=re.DOTALL
        )
        bare = re.sub(r"<title>(.*?) · Kizashi</title>", r"\1", bare)
        assert not re.search(r"[^\W\d_]", re.sub(r"<[^>]*>", "", bare).replace("CSV", "").replace("Excel", "")), (
            path.name
        )
        assert not re.search(r'\b(title|alt|aria-label|placeholder)="[^"]*[^\W\d_]', left), path.name


def test_every_label_of_the_page_is_used():
    places = ("_story.html", "story.html")
    laid_out = [(TEMPLATES / place).read_text("utf-8") for place in places if (TEMPLATES / place).exists()]
    code = "".join([Path(inspect.getfile(Sections)).read_text("utf-8"), *laid_out])
    unused = [name for name in changes.PAGE if f'"{name}"' not in code and f"words.{name} " not in code]
    assert unused == []


def variables(css):
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", css))


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


LIGHT = variables(CSS[: CSS.index("@media (prefers-color-scheme")])
DARK = {**LIGHT, **variables(CSS[CSS.index("@media (prefers-color-scheme") : CSS.index("* {")])}
PAPER = {**LIGHT, **variables(CSS[CSS.index("@media print") :])}


@pytest.mark.parametrize("colours", [LIGHT, DARK, PAPER], ids=["light", "dark", "print"])
def test_words_and_marks_stand_out_from_what_they_stand_on(colours):
    for ink in ("ink", "muted"):
        assert contrast(colours[ink], colours["paper"]) >= 4.5
    for level in LEVELS:
        assert contrast(colours[f"{level}-ink"], colours[level]) >= 4.5
    for mark in ("raises", "lowers", "score", "accent", "line"):
        assert contrast(colours[mark], colours["paper"]) >= 3.0


def test_every_level_has_its_colours_and_its_sign_on_the_page():
    page = Page(story_page(STORY))
    for level in LEVELS:
        assert f".level-{level} {{" in CSS
        assert f".ground-{level} {{" in CSS
        assert SIGNS[level] in page.text
    assert re.findall(r"#[0-9a-f]{3,6}", re.sub(r"--[a-z-]+: #[0-9a-f]{6}", "", CSS)) == []
