"""Charts of the track record: images that are well formed, in which lengths and places are the figures."""

from xml.etree import ElementTree

import pytest
from test_charts import NASTY, SVG, TAGS

from serving.charts import About, Mark, legible
from serving.record_charts import Bin, Count, Curve, Range, columns, curves, funnel, ranges, reliability

ABOUT = About("one", "A title", "What it shows")


def percent(share: float) -> str:
    return f"{share:.0%}"


def every(label: str) -> list[str]:
    about = About("one", label, label)
    return [
        reliability(about, [Bin(0.2, 0.3, 0.1, 0.5, 9, label)], label, label, lambda _: label),
        curves(about, [Curve(label, [(0.0, 1.0), (1.0, 0.0)])], [Mark(0.5, label)], label, lambda _: label),
        ranges(about, [Range(label, 0.5, 0.2, 0.8, label, 0.3), Range(label, None, None, None, label)], label),
        funnel(about, [Count(label, 3.0, label), Count(label, None, label)]),
        columns(about, [Count(label, 3.0, label), Count(label, 0.0, label)], label, Mark(1.0, label)),
    ]


def found(svg: str, tag: str, klass: str) -> list[dict[str, float]]:
    """The figures of the elements of a class."""
    names = ("x", "y", "width", "height", "cx", "cy", "r", "x1", "x2", "y1", "y2")
    return [
        {name: float(one.get(name)) for name in names if one.get(name)}
        for one in ElementTree.fromstring(svg).iter(f"{SVG}{tag}")
        if one.get("class") == klass
    ]


@pytest.mark.parametrize("label", NASTY)
def test_every_chart_is_a_well_formed_image_with_a_title_and_keeps_words_as_words(label: str) -> None:
    for svg in every(label):
        tree = ElementTree.fromstring(svg)
        assert {one.tag.removeprefix(SVG) for one in tree.iter()} <= TAGS
        assert tree.get("role") == "img"
        assert tree.find(f"{SVG}title").text == legible(label)
        assert tree.get("aria-labelledby") == "one-title one-desc"


def test_what_kept_its_promise_lies_on_the_diagonal_with_its_interval_around_it() -> None:
    bins = [Bin(share, share, share - 0.1, share + 0.1, 10, "") for share in (0.2, 0.5, 0.8)]
    svg = reliability(ABOUT, bins, "promised", "came", percent)
    [line] = found(svg, "line", "limit")
    for point, whisker in zip(found(svg, "circle", "point"), found(svg, "line", "whisker"), strict=True):
        part = (point["cx"] - line["x1"]) / (line["x2"] - line["x1"])
        assert point["cy"] == pytest.approx(line["y1"] + part * (line["y2"] - line["y1"]), abs=0.2)
        assert whisker["y2"] < point["cy"] < whisker["y1"]
        assert whisker["x1"] == point["cx"]


def test_a_dot_of_more_rows_is_larger() -> None:
    svg = reliability(ABOUT, [Bin(0.2, 0.2, 0.1, 0.3, 10, ""), Bin(0.5, 0.5, 0.4, 0.6, 40, "")], "", "", percent)
    small, large = found(svg, "circle", "point")
    assert large["r"] == pytest.approx(2 * small["r"], abs=0.2)


def test_bars_are_as_long_as_their_share_of_the_first() -> None:
    first, second = found(funnel(ABOUT, [Count("a", 400.0, "400"), Count("b", 100.0, "100")]), "rect", "score")
    assert second["width"] == pytest.approx(first["width"] / 4, abs=0.1)
    assert found(funnel(ABOUT, [Count("a", 0.0, "0")]), "rect", "score") == []


def test_columns_stand_on_one_line_as_high_as_their_counts() -> None:
    bars = found(columns(ABOUT, [Count("0", 8.0, "8"), Count("30", 2.0, "2"), Count("60", 0.0, "0")]), "rect", "score")
    assert len(bars) == 2
    assert bars[1]["height"] == pytest.approx(bars[0]["height"] / 4, abs=0.1)
    assert {round(one["y"] + one["height"], 1) for one in bars} == {144.0}


def test_a_share_lies_within_its_interval_and_an_unknown_one_has_neither() -> None:
    svg = ranges(ABOUT, [Range("red", 0.5, 0.25, 0.75, "", 0.5), Range("blue", None, None, None, "too few")])
    [band], [pin], [mark] = found(svg, "rect", "band"), found(svg, "rect", "pin"), found(svg, "line", "limit")
    [track] = found(svg, "rect", "track")
    assert band["width"] == pytest.approx(track["width"] / 2, abs=0.1)
    assert pin["x"] + pin["width"] / 2 == pytest.approx(mark["x1"], abs=0.1) == pytest.approx(180.0, abs=0.1)
    assert len(found(svg, "rect", "track unknown")) == 1
