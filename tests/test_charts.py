"""Charts as SVG: well-formed whatever stands in them, true to their figures, legible without their colours."""

import re
from dataclasses import replace
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest

from serving import charts
from serving.charts import SHAPES, SIGNS, About, Bar, Dot, Lane, Mark, Meter, Span, fitted, legible, width
from serving.records import LEVELS

SVG = "{http://www.w3.org/2000/svg}"
ABOUT = About("one", 'A <title> & "quotes"', "What it shows > all")
SINCE, UNTIL = date(2025, 11, 16), date(2026, 11, 16)
TAGS = {
    "svg", "title", "desc", "defs", "pattern", "path", "rect", "line", "text", "circle", "polygon", "polyline", "g",
}  # fmt: skip
#: What a customer may be called.
NASTY = (
    "<script>alert(1)</script>",
    'O\'Brien & "Sons"',
    "株式会社山田製作所" * 9,
    "a\x00b\x0b\ud800\ufffec",
    "]]>",
    "🏭" * 60,
)


def parsed(svg):
    """The chart as a tree; its words are what `itertext` gives."""
    return ElementTree.fromstring(svg)


def boxes(tree, *classes):
    """Bars of a class: where they begin and end, from top to bottom."""
    found = [one for one in tree.iter(f"{SVG}rect") if one.get("class") in classes and one.get("y")]
    found.sort(key=lambda one: float(one.get("y")))
    return [(float(one.get("x")), float(one.get("x")) + float(one.get("width"))) for one in found]


def waterfall(values=(1.0, 0.5, -0.25), start=-2.0, line=None, label="Order rhythm"):
    steps = [Bar(label, value, f"{value:+.2f}") for value in values]
    return charts.waterfall(
        ABOUT, Bar("Base", start, f"{start:+.2f}"), steps, Bar("Score", start + sum(values), "end"), line
    )


def every(label):
    """One of each chart with the same words in all places."""
    day = SINCE + timedelta(100)
    about = About("one", label, label)
    step, mark = Bar(label, 1.0, label), Mark(0.5, label)
    lanes = [Lane(label, shape, [Dot(day, label)]) for shape in SHAPES]
    lanes.append(Lane(label, spans=[Span(day, UNTIL, "red", label)]))
    return [
        charts.waterfall(about, replace(step, value=0.0), [step], step, mark),
        charts.timeline(about, lanes, SINCE, UNTIL, [(day, label)]),
        charts.meters(about, [Meter(label, 5.0, label), Meter(label, None, label)]),
        charts.history(about, [(SINCE, 5.0, label), (UNTIL, 50.0, label)], mark, [(day, label)]),
    ]


@pytest.mark.parametrize("label", NASTY)
def test_every_chart_is_well_formed_and_keeps_the_words_as_words(label):
    for svg in every(label):
        tree = parsed(svg)
        assert {one.tag.removeprefix(SVG) for one in tree.iter()} <= TAGS
        assert tree.find(f"{SVG}title").text == legible(label)
        svg.encode("utf-8")


def test_a_chart_is_an_image_with_a_title_and_a_description():
    for svg in every("Orders"):
        tree = parsed(svg)
        title, desc = tree.find(f"{SVG}title"), tree.find(f"{SVG}desc")
        assert tree.get("role") == "img"
        assert tree.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
        assert tree.get("width") == "100%"
        assert tree.get("viewBox").startswith("0 0 360 ")


def test_a_chart_is_the_same_for_the_same_data_and_reaches_for_nothing_outside():
    for svg in every("Orders"):
        assert svg in every("Orders")
        assert re.findall(r"https?://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
        assert set(re.findall(r"url\((.)", svg)) <= {"#"}
        assert "<script" not in svg
        used = set(re.findall(r"url\(#([^)]*)\)", svg))
        assert used <= set(re.findall(r'id="([^"]*)"', svg))


def test_a_waterfall_goes_right_where_it_adds_and_each_bar_begins_where_the_last_one_ended():
    tree = parsed(waterfall())
    up, more, down = boxes(tree, "hatched", "lowers")
    assert up[1] == pytest.approx(more[0], abs=0.2)
    assert down[1] == pytest.approx(more[1], abs=0.2)
    assert up[1] - up[0] == pytest.approx(2 * (more[1] - more[0]), abs=0.4)
    assert more[1] - more[0] == pytest.approx(2 * (down[1] - down[0]), abs=0.4)
    assert [len(boxes(tree, name)) for name in ("hatched", "lowers", "pin")] == [2, 1, 2]
    first, last = boxes(tree, "pin")
    assert (first[0] + first[1]) / 2 == pytest.approx(up[0], abs=0.2)
    assert (last[0] + last[1]) / 2 == pytest.approx(down[0], abs=0.2)


def test_a_waterfall_tells_every_label_and_figure_as_text():
    words = "".join(parsed(waterfall()).itertext())
    for figure in ("-2.00", "+1.00", "+0.50", "-0.25", "end", "Base", "Score"):
        assert figure in words


def test_bars_that_raise_are_hatched_and_those_that_lower_are_not():
    tree = parsed(waterfall())
    bars = [one for one in tree.iter(f"{SVG}rect") if one.get("class") in ("hatched", "lowers") and one.get("y")]
    assert [one.get("fill", "") for one in bars] == ["url(#one-raises)", "url(#one-raises)", ""]


def test_a_threshold_stands_where_its_value_is():
    tree = parsed(waterfall((1.0,), 0.0, Mark(0.5, "Orange")))
    (limit,) = [one for one in tree.iter(f"{SVG}line") if one.get("class") == "limit"]
    (bar,) = boxes(tree, "hatched")
    assert float(limit.get("x1")) == pytest.approx(sum(bar) / 2, abs=0.2)
    assert "Orange" in "".join(tree.itertext())
    # one beyond all bars is within the chart, too
    far = parsed(waterfall((1.0,), 0.0, Mark(5.0, "Red")))
    assert all(0 <= float(one.get("x1")) <= charts.WIDTH for one in far.iter(f"{SVG}line"))


def test_a_waterfall_of_nothing_is_drawn():
    assert len(boxes(parsed(waterfall((), 0.0)), "pin")) == 2
    assert len(boxes(parsed(waterfall((0.0,), 0.0)), "lowers")) == 1


def test_events_stand_in_the_order_of_time_and_only_within_the_days_drawn():
    days = [SINCE - timedelta(1), SINCE, SINCE + timedelta(100), UNTIL, UNTIL + timedelta(1)]
    tree = parsed(charts.timeline(ABOUT, [Lane("Orders", dots=[Dot(day, str(day)) for day in days])], SINCE, UNTIL))
    dots = list(tree.iter(f"{SVG}circle"))
    assert [one.find(f"{SVG}title").text for one in dots] == [str(day) for day in days[1:4]]
    places = [float(one.get("cx")) for one in dots]
    assert places == sorted(places)
    assert 0 <= places[0] < places[-1] <= charts.WIDTH


def test_larger_events_are_larger_and_lanes_have_shapes_of_their_own():
    dots = [Dot(SINCE, "small", 0.0), Dot(UNTIL, "large", 1.0), Dot(UNTIL, "beyond", 7.0)]
    tree = parsed(charts.timeline(ABOUT, [Lane("Orders", dots=dots)], SINCE, UNTIL))
    small, large, beyond = (float(one.get("r")) for one in tree.iter(f"{SVG}circle"))
    assert small < large == beyond
    drawn = {
        shape: charts.timeline(ABOUT, [Lane("x", shape, [Dot(SINCE, "a")])], SINCE, UNTIL).count("polygon")
        for shape in SHAPES
    }
    assert drawn.pop("circle") == 0
    assert set(drawn.values()) == {2}


def test_a_warning_bears_the_sign_of_its_level_and_its_name_where_there_is_room():
    def words(*spans):
        tree = parsed(charts.timeline(ABOUT, [Lane("Warnings", spans=spans)], SINCE, UNTIL))
        return [one.text for one in tree.iter(f"{SVG}text")][1:]

    day = UNTIL - timedelta(20)
    assert words(Span(SINCE, day, "blue", "Blue")) == ["● Blue"]
    assert words(Span(day, day + timedelta(3), "blue", "Blue"), Span(day + timedelta(3), UNTIL, "red", "Red")) == [
        "●",
        "◆",
    ]
    assert words(Span(SINCE - timedelta(9), SINCE, "red", "Red")) == []


def test_every_level_has_a_sign_and_a_pattern_of_its_own():
    assert set(SIGNS) == set(LEVELS)
    assert len(set(SIGNS.values())) == len(SIGNS)
    spans = [Span(SINCE, UNTIL, level, level) for level in LEVELS]
    tree = parsed(charts.timeline(ABOUT, [Lane("Warnings", spans=spans)], SINCE, UNTIL))
    patterns = {one.get("id"): one.find(f"{SVG}path").get("d") for one in tree.iter(f"{SVG}pattern")}
    assert len(set(patterns.values())) == len(LEVELS)


def test_meters_are_as_long_as_their_score_and_never_longer_than_full():
    rows = [Meter("a", 0.0, "0"), Meter("b", 50.0, "50"), Meter("c", 100.0, "100"), Meter("d", 140.0, "140")]
    lengths = [last - first for first, last in boxes(parsed(charts.meters(ABOUT, rows)), "score")]
    (full, *_others) = [last - first for first, last in boxes(parsed(charts.meters(ABOUT, rows)), "track")]
    assert lengths == pytest.approx([0.0, full / 2, full, full], abs=0.2)


def test_an_unknown_score_has_no_bar():
    tree = parsed(charts.meters(ABOUT, [Meter("a", None, "not known")]))
    assert boxes(tree, "score") == []
    assert len(boxes(tree, "track unknown")) == 1
    assert "not known" in "".join(tree.itertext())


def test_a_history_rises_with_the_score():
    points = [(SINCE, 20.0, "20"), (UNTIL, 80.0, "80")]
    tree = parsed(charts.history(ABOUT, points, Mark(50.0, "Usual: 50")))
    first, last = (float(one.get("cy")) for one in tree.iter(f"{SVG}circle"))
    (limit,) = [float(one.get("y1")) for one in tree.iter(f"{SVG}line") if one.get("class") == "limit"]
    assert first > limit > last
    assert "Usual: 50" in "".join(tree.itertext())


def test_a_label_that_is_too_long_is_cut_and_kept_whole_for_whoever_points_at_it():
    assert fitted("Order rhythm", 300) == "Order rhythm"
    cut = fitted("株式会社山田製作所" * 9, 100)
    assert cut.endswith("…")
    assert width(cut) <= 100
    assert width("山田") > width("ab")
    tree = parsed(waterfall(label="株式会社山田製作所" * 9))
    (title, *_more) = [
        one.find(f"{SVG}title") for one in tree.iter(f"{SVG}text") if one.find(f"{SVG}title") is not None
    ]
    assert title.text == "株式会社山田製作所" * 9


def test_what_no_page_can_hold_is_left_out():
    assert legible("a\x00b\ud800c\ufffe\td\n株🏭") == "abc\td\n株🏭"
