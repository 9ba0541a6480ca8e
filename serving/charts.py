"""Small charts as SVG text: plain data in, text out, no script, the same text for the same data.

A chart knows no words and no colours of its own: labels come from the caller, in any language, and colours from the
classes of ``pages/kizashi.css``. Nothing is told by colour alone: bars bear their sign and a hatching, lanes have
shapes, levels have a sign and a pattern. Charts are drawn 360 units wide, so that their words are legible on a phone.
Each is an image with a title and a description; whoever shows one puts its figures beside it as a table.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import zip_longest
from xml.sax.saxutils import escape, quoteattr

WIDTH = 360.0
#: Level -> its sign, which stands wherever its colour does.
SIGNS: Mapping[str, str] = {"red": "◆", "orange": "▲", "yellow": "■", "blue": "●", "none": "○"}
#: Shapes of the dots of a lane.
SHAPES = ("circle", "square", "triangle", "diamond", "cross")

_EDGE = 8.0
_ROW = 36.0
_FONT, _SMALL = 13.0, 11.0
#: Width of a character as a share of the font's size: of Latin ones on average, of those that fill a square, and of
#: those that take no room.
_NARROW, _WIDE = 0.56, 1.0
_NO_XML = "\ufffe\uffff"
#: Turn the order of all letters that follow, those of the page too.
_TURNING = "\u202a\u202b\u202d\u202e"
_SMALLEST_DOT, _LARGEST_DOT = 3.0, 8.0


@dataclass(frozen=True)
class About:
    """What a chart is to whoever cannot see it; `name` is unique in the page and part of its ids."""

    name: str
    title: str
    description: str


@dataclass(frozen=True)
class Bar:
    """A step of a waterfall: its label, its finite value, and how that is printed."""

    label: str
    value: float
    shown: str


@dataclass(frozen=True)
class Dot:
    """Something that happened on a day; `size` is from 0 to 1, `hollow` draws its outline alone."""

    on: date
    told: str
    size: float = 0.0
    hollow: bool = False


@dataclass(frozen=True)
class Span:
    """A warning of a level, from a day to before another."""

    start: date
    end: date
    level: str
    label: str


@dataclass(frozen=True)
class Lane:
    """One line of a timeline."""

    label: str
    shape: str = SHAPES[0]
    dots: Sequence[Dot] = ()
    spans: Sequence[Span] = ()


@dataclass(frozen=True)
class Meter:
    """A score from 0 to 100; None is unknown."""

    label: str
    value: float | None
    shown: str


@dataclass(frozen=True)
class Period:
    """A span of days: how often something happened, how often it would be expected, and from where on that is few."""

    begins: date
    ends: date
    actual: float
    expected: float
    limit: float


@dataclass(frozen=True)
class Mark:
    """A value that is drawn as a line, and what it is."""

    value: float
    label: str


def legible(words: str) -> str:
    """The words without what neither HTML nor XML can hold, and without marks that turn the letters around them."""
    if words.isprintable():  # nearly always, and much faster told
        return words
    return "".join(
        c for c in words if c in "\t\n" or (unicodedata.category(c) not in ("Cc", "Cs") and c not in _NO_XML + _TURNING)
    )


def waterfall(about: About, start: Bar, steps: Sequence[Bar], end: Bar, line: Mark | None = None) -> str:
    """How steps lead from one value to another: a bar each, to the right where it adds, from where the last one ended.

    Parameters
    ----------
    start, end
        Drawn as marks; the steps sum to their difference.
    line
        A value that is drawn across all rows, such as a threshold.
    """
    ends = [start.value]
    for step in steps:
        ends.append(ends[-1] + step.value)
    low, high = _bounds([*ends, end.value, *([line.value] if line else [])])
    place = _scale(low, high)
    height = _ROW * (len(steps) + 2) + (_ROW / 2 if line else 0) + _EDGE
    bottom = _ROW * (len(steps) + 2)
    drawn = [_hatching(about, "raises"), _line(place(start.value), _ROW / 2, place(start.value), bottom, "guide")]
    if line:
        drawn.append(_line(place(line.value), 0, place(line.value), bottom, "limit"))
        drawn.append(_centred(line.label, place(line.value), bottom + 14))
    drawn += _row(start.label, start.shown, 0)
    drawn.append(_pin(place(start.value), 0))
    for i, step in enumerate(steps, start=1):
        first, last = sorted((place(ends[i - 1]), place(ends[i])))
        top = i * _ROW + 18
        drawn.append(_line(place(ends[i - 1]), top - 6, place(ends[i - 1]), top + 12, "join"))
        raises = step.value > 0
        fill = {"fill": f"url(#{about.name}-raises)"} if raises else {}
        drawn.append(_rect(first, top, max(last - first, 1.0), 12, "hatched" if raises else "lowers", **fill))
        drawn += _row(step.label, step.shown, i)
    drawn += _row(end.label, end.shown, len(steps) + 1)
    drawn.append(_pin(place(end.value), len(steps) + 1))
    return _svg(about, height, drawn)


def timeline(
    about: About, lanes: Sequence[Lane], since: date, until: date, ticks: Sequence[tuple[date, str]] = ()
) -> str:
    """What happened between two days, a line for each kind; what lies outside is not drawn.

    Parameters
    ----------
    ticks
        Days of the axis and their words.
    """
    place = _days(since, until)
    bottom = _EDGE + _ROW * len(lanes)
    drawn = [_line(place(day), _EDGE, place(day), bottom, "grid") for day, _words in ticks]
    for i, lane in enumerate(lanes):
        top = _EDGE + i * _ROW
        drawn.append(_text(lane.label, _EDGE, top + 9, size=_SMALL, klass="quiet"))
        drawn.append(_line(_EDGE, top + 24, WIDTH - _EDGE, top + 24, "lane"))
        drawn += [_dot(dot, lane.shape, place(dot.on), top + 24) for dot in lane.dots if since <= dot.on <= until]
        spans = [span for span in lane.spans if span.end > since and span.start <= until]
        for span, following in zip_longest(spans, spans[1:]):
            first, last = place(max(span.start, since)), place(min(span.end, until))
            room = (place(following.start) if following else WIDTH - _EDGE) - first
            drawn += _span(about, span, first, max(last - first, 3.0), top, room)
    drawn += [_centred(words, place(day), bottom + 14) for day, words in ticks]
    levels = sorted({span.level for lane in lanes for span in lane.spans})
    return _svg(about, bottom + 22, [*(_level_pattern(about, level) for level in levels), *drawn])


def meters(about: About, rows: Sequence[Meter]) -> str:
    """Scores from 0 to 100 as bars; one that is unknown has an empty dashed bar."""
    full = WIDTH - 2 * _EDGE
    drawn = []
    for i, row in enumerate(rows):
        top = i * _ROW + 18
        drawn += _row(row.label, row.shown, i)
        drawn.append(_rect(_EDGE, top, full, 12, "track" if row.value is not None else "track unknown"))
        if row.value is not None:
            drawn.append(_rect(_EDGE, top, full * min(max(row.value, 0.0), 100.0) / 100, 12, "score"))
    return _svg(about, _ROW * len(rows) + _EDGE, drawn)


def history(
    about: About,
    points: Sequence[tuple[date, float, str]],
    reference: Mark | None = None,
    ticks: Sequence[tuple[date, str]] = (),
) -> str:
    """A score from 0 to 100 over time.

    Parameters
    ----------
    points
        Day, value and how it is printed, at least one, the oldest first.
    reference
        The usual value.
    """
    top, bottom = 14.0, 114.0
    left = 34.0
    place = _days(points[0][0], points[-1][0], left)

    def height(value: float) -> float:
        return bottom - (bottom - top) * min(max(value, 0.0), 100.0) / 100

    drawn = []
    for value in (0, 50, 100):
        drawn.append(_line(left, height(value), WIDTH - _EDGE, height(value), "grid"))
        drawn.append(_text(str(value), left - 6, height(value) + 4, size=_SMALL, anchor="end", klass="quiet"))
    if reference:
        drawn.append(_line(left, height(reference.value), WIDTH - _EDGE, height(reference.value), "limit"))
        # at the end from which the score is further away
        first, last = (abs(points[at][1] - reference.value) for at in (0, -1))
        x, anchor = (left + 4, "start") if first > last else (WIDTH - _EDGE, "end")
        drawn.append(_text(reference.label, x, height(reference.value) - 5, size=_SMALL, anchor=anchor))
    where = " ".join(f"{_n(place(day))},{_n(height(value))}" for day, value, _shown in points)
    drawn.append(f'<polyline class="trend" points="{where}"/>')
    drawn += [
        f'<circle class="point" cx="{_n(place(day))}" cy="{_n(height(value))}" r="3">{_title(shown)}</circle>'
        for day, value, shown in points
    ]
    drawn += [_centred(words, place(day), bottom + 18) for day, words in ticks]
    return _svg(about, bottom + 26, drawn)


def against_curve(about: About, periods: Sequence[Period], ticks: Sequence[tuple[date, str]] = ()) -> str:
    """What happened period by period, as dots, against the curve that was expected and its lower limit, dashed.

    Parameters
    ----------
    periods
        At least one, the oldest first; one at its limit or below it has a hollow dot.
    """
    top, bottom, left = 14.0, 114.0, 34.0
    highest = max(max(one.actual, one.expected) for one in periods) or 1.0
    place = _days(periods[0].ends, periods[-1].ends, left)

    def height(value: float) -> float:
        return bottom - (bottom - top) * value / highest

    drawn = []
    for value in (0.0, highest):
        drawn.append(_line(left, height(value), WIDTH - _EDGE, height(value), "grid"))
        drawn.append(_text(_n(value), left - 6, height(value) + 4, size=_SMALL, anchor="end", klass="quiet"))
    for klass, values in (("trend", [one.expected for one in periods]), ("limit", [one.limit for one in periods])):
        where = " ".join(f"{_n(place(one.ends))},{_n(height(v))}" for one, v in zip(periods, values, strict=True))
        drawn.append(f'<polyline class="{klass}" fill="none" points="{where}"/>')
    for one in periods:
        few = one.expected > 0 and one.actual <= one.limit
        drawn.append(_dot(Dot(one.ends, _n(one.actual), 0.4, few), SHAPES[0], place(one.ends), height(one.actual)))
    drawn += [_centred(words, place(day), bottom + 18) for day, words in ticks]
    return _svg(about, bottom + 26, drawn)


def fitted(words: str, room: float, size: float = _FONT) -> str:
    """The words, cut with an ellipsis where they would be wider than `room`."""
    words = legible(words)
    if width(words, size) <= room:
        return words
    kept = words
    while kept and width(kept + "…", size) > room:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def width(words: str, size: float = _FONT) -> float:
    """About how wide words are drawn."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in words)
    return size * (_WIDE * wide + _NARROW * (len(words) - wide))


def _svg(about: About, height: float, drawn: Sequence[str]) -> str:
    title, desc = f"{about.name}-title", f"{about.name}-desc"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" viewBox="0 0 {_n(WIDTH)} {_n(height)}" '
        f'width="100%" aria-labelledby="{title} {desc}">'
        f'<title id="{title}">{_words(about.title)}</title><desc id="{desc}">{_words(about.description)}</desc>'
        f"{''.join(drawn)}</svg>"
    )


def _row(label: str, shown: str, i: int) -> list[str]:
    """The words above a bar: what it is, and at the right its value."""
    room = WIDTH - 3 * _EDGE - width(legible(shown))
    at = i * _ROW + 13
    return [_text(label, _EDGE, at, room=room), _text(shown, WIDTH - _EDGE, at, anchor="end", klass="figure")]


def _text(
    words: str, x: float, y: float, *, size: float = _FONT, anchor: str = "start", klass: str = "label",
    room: float = WIDTH - 2 * _EDGE,
) -> str:  # fmt: skip
    cut = fitted(words, room, size)
    whole = _title(words) if cut != legible(words) else ""
    return (
        f'<text class="{klass}" x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" text-anchor="{anchor}">'
        f"{whole}{escape(cut)}</text>"
    )


def _centred(words: str, x: float, y: float) -> str:
    """Small words under a place."""
    return _text(words, _within(x, words), y, size=_SMALL, anchor="middle")


def _title(words: str) -> str:
    return f"<title>{_words(words)}</title>"


def _words(words: str) -> str:
    return escape(legible(words))


def _rect(x: float, y: float, wide: float, high: float, klass: str, **more: str) -> str:
    further = "".join(f" {name}={quoteattr(value)}" for name, value in more.items())
    return f'<rect class="{klass}" x="{_n(x)}" y="{_n(y)}" width="{_n(wide)}" height="{_n(high)}" rx="1"{further}/>'


def _line(x1: float, y1: float, x2: float, y2: float, klass: str) -> str:
    return f'<line class="{klass}" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>'


def _pin(x: float, row: int) -> str:
    return _rect(x - 3, row * _ROW + 18, 6, 12, "pin")


def _dot(dot: Dot, shape: str, x: float, y: float) -> str:
    r = _SMALLEST_DOT + (_LARGEST_DOT - _SMALLEST_DOT) * min(max(dot.size, 0.0), 1.0)
    klass = "dot hollow" if dot.hollow else "dot"
    if shape == "circle":
        return f'<circle class="{klass}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}">{_title(dot.told)}</circle>'
    corners = {
        "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        "triangle": ((0, -1.2), (1.2, 1), (-1.2, 1)),
        "diamond": ((0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)),
        "cross": ((-1, -1), (0, -0.4), (1, -1), (0.4, 0), (1, 1), (0, 0.4), (-1, 1), (-0.4, 0)),
    }[shape]
    points = " ".join(f"{_n(x + r * dx)},{_n(y + r * dy)}" for dx, dy in corners)
    return f'<polygon class="{klass}" points="{points}">{_title(dot.told)}</polygon>'


def _span(about: About, span: Span, x: float, wide: float, top: float, room: float) -> list[str]:
    """A warning's bar, with its level above it: by its name where there is room, else by its sign."""
    sign = SIGNS[span.level]
    whole = f"{sign} {span.label}"
    bar = _rect(x, top + 18, wide, 12, "span", fill=f"url(#{about.name}-{span.level})")
    words = whole if width(whole, _SMALL) <= room else sign
    return [f"<g>{_title(whole)}{bar}</g>", _text(words, x, top + 14, size=_SMALL)]


def _hatching(about: About, klass: str) -> str:
    return (
        f'<defs><pattern id="{about.name}-{klass}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<rect class="{klass}" width="6" height="6"/><path class="hatch" d="M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2"/>'
        "</pattern></defs>"
    )


def _level_pattern(about: About, level: str) -> str:
    strokes = {
        "red": "",
        "orange": "M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2",
        "yellow": "M0,3 l6,0",
        "blue": "M3,0 l0,6",
        "none": "M3,3 l0.1,0",
    }[level]
    return (
        f'<defs><pattern id="{about.name}-{level}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<rect class="ground-{level}" width="6" height="6"/><path class="stroke-{level}" d="{strokes}"/>'
        "</pattern></defs>"
    )


def _scale(low: float, high: float, left: float = _EDGE + 4) -> Callable[[float], float]:
    """Value -> place between the edges."""
    factor = (WIDTH - _EDGE - 4 - left) / (high - low)
    return lambda value: left + (value - low) * factor


def _days(since: date, until: date, left: float = _EDGE + 4) -> Callable[[date], float]:
    """Day -> place between the edges."""
    place = _scale(0.0, max((until - since).days, 1), left)
    return lambda day: place((day - since).days)


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest, never the same."""
    low, high = min(values), max(values)
    return (low, high) if high - low > 1e-9 else (low - 0.5, high + 0.5)


def _within(x: float, words: str) -> float:
    """The place nearest to `x` at which small words, centred, stay within the chart."""
    half = min(width(legible(words), _SMALL), WIDTH) / 2
    return min(max(x, half), WIDTH - half)


def _n(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{round(value, 1) + 0.0:g}"
