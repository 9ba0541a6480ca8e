"""Charts of the track record as SVG text: promised against observed, shares with their intervals, counts, curves.

In the manner of :mod:`serving.charts`: no words and no colours of their own, 360 units wide, nothing told by colour
alone. Whoever shows one puts its figures beside it as a table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serving.charts import (
    _EDGE,
    _ROW,
    _SMALL,
    WIDTH,
    About,
    Mark,
    _centred,
    _line,
    _n,
    _rect,
    _row,
    _svg,
    _text,
    _title,
)

_LEFT, _TOP, _SIZE = 40.0, 8.0, 300.0
_LARGEST_POINT, _SMALLEST_POINT = 7.0, 3.0
_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same probability: what was promised, what came with its interval, and from how many."""

    promised: float
    observed: float
    low: float
    high: float
    n: int
    shown: str


@dataclass(frozen=True)
class Range:
    """A share from 0 to 1 with its interval, None where it is unknown; `mark` is what it is held against."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    shown: str
    mark: float | None = None


@dataclass(frozen=True)
class Count:
    """So many of something; None is unknown."""

    label: str
    value: float | None
    shown: str


@dataclass(frozen=True)
class Curve:
    """A share from 0 to 1 over another, and what it is called; from left to right."""

    label: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


def reliability(about: About, bins: Sequence[Bin], across: str, up: str, percent: Callable[[float], str]) -> str:
    """Observed shares over promised ones: on the dashed diagonal a promise was kept. The larger a dot, the more rows.

    Parameters
    ----------
    across, up
        What the axes are called.
    percent
        How a share is written on an axis.
    """
    most = max((one.n for one in bins), default=1)
    drawn = _square(percent)
    drawn.append(_line(_x(0), _y(0), _x(1), _y(1), "limit"))
    for one in bins:
        drawn.append(_line(_x(one.promised), _y(one.low), _x(one.promised), _y(one.high), "whisker"))
    for one in bins:
        # the area of a dot tells of its rows
        radius = max(_LARGEST_POINT * (one.n / most) ** 0.5, _SMALLEST_POINT)
        at = f'cx="{_n(_x(one.promised))}" cy="{_n(_y(one.observed))}" r="{_n(radius)}"'
        drawn.append(f'<circle class="point" {at}>{_title(one.shown)}</circle>')
    return _svg(about, _TOP + _SIZE + 40, [*drawn, *_axes(across, up)])


def curves(
    about: About, lines: Sequence[Curve], marks: Sequence[Mark], across: str, percent: Callable[[float], str]
) -> str:
    """Shares over a share, each named at the foot; `marks` are upright lines with their words."""
    drawn = _square(percent)
    for number, mark in enumerate(sorted(marks, key=lambda one: one.value)):
        drawn.append(_line(_x(mark.value), _y(0), _x(mark.value), _y(1), "limit"))
        drawn.append(_text(mark.label, _x(mark.value) + 3, _TOP + 12 + 15 * (number % 4), size=_SMALL))
    for one in lines:
        where = " ".join(f"{_n(_x(x))},{_n(_y(y))}" for x, y in one.points)
        drawn.append(f'<polyline class="{"trend dashed" if one.dashed else "trend"}" points="{where}"/>')
    foot = _TOP + _SIZE + 48
    for place, one in enumerate(lines):
        top = foot + 18 * place
        points = f"{_n(_LEFT)},{_n(top - 4)} {_n(_LEFT + 28)},{_n(top - 4)}"
        drawn.append(f'<polyline class="{"trend dashed" if one.dashed else "trend"}" points="{points}"/>')
        drawn.append(_text(one.label, _LEFT + 36, top, room=WIDTH - _LEFT - 44))
    drawn.append(_centred(across, _LEFT + _SIZE / 2, _TOP + _SIZE + 32))
    return _svg(about, foot + 18 * len(lines), drawn)


def ranges(about: About, rows: Sequence[Range], mark: str = "") -> str:
    """Shares with their intervals, a row each; `mark` says what the upright stroke in a row is."""
    full = WIDTH - 2 * _EDGE
    drawn = []
    for i, row in enumerate(rows):
        middle = i * _ROW + 24
        drawn += _row(row.label, row.shown, i)
        known = row.value is not None and row.low is not None and row.high is not None
        drawn.append(_rect(_EDGE, middle - 6, full, 12, "track" if known else "track unknown"))
        if row.value is not None and row.low is not None and row.high is not None:
            first, last = (_EDGE + full * min(max(end, 0.0), 1.0) for end in (row.low, row.high))
            drawn.append(_rect(first, middle - 4, max(last - first, 1.0), 8, "band"))
            drawn.append(_rect(_EDGE + full * row.value - 2, middle - 6, 4, 12, "pin"))
        if row.mark is not None:
            at = _EDGE + full * row.mark
            drawn.append(_line(at, middle - 10, at, middle + 10, "limit"))
    bottom = _ROW * len(rows) + _EDGE
    if mark:
        drawn.append(_line(_EDGE + 4, bottom, _EDGE + 4, bottom + 16, "limit"))
        drawn.append(_text(mark, _EDGE + 14, bottom + 12, size=_SMALL, klass="quiet"))
        bottom += 22
    return _svg(about, bottom, drawn)


def funnel(about: About, rows: Sequence[Count]) -> str:
    """How many are left at each step, as bars against the first."""
    full = WIDTH - 2 * _EDGE
    most = max((row.value for row in rows if row.value is not None), default=0) or 1
    drawn = []
    for i, row in enumerate(rows):
        top = i * _ROW + 18
        drawn += _row(row.label, row.shown, i)
        drawn.append(_rect(_EDGE, top, full, 12, "track" if row.value is not None else "track unknown"))
        if row.value:
            drawn.append(_rect(_EDGE, top, max(full * row.value / most, 1.0), 12, "score"))
    return _svg(about, _ROW * len(rows) + _EDGE, drawn)


def columns(about: About, bars: Sequence[Count], across: str = "", line: Mark | None = None) -> str:
    """Counts as columns from left to right, each with its figure above and its label below.

    Parameters
    ----------
    across
        What the labels count.
    line
        A value that is drawn across all columns.
    """
    top, bottom, left = 24.0, 144.0, _EDGE
    most = max([one.value or 0 for one in bars] + [line.value if line else 0]) or 1
    wide = (WIDTH - 2 * _EDGE) / max(len(bars), 1)
    drawn = []
    for i, one in enumerate(bars):
        x, high = left + i * wide, (bottom - top) * (one.value or 0) / most
        if high:
            drawn.append(_rect(x + 2, bottom - high, wide - 4, high, "score"))
        drawn.append(_text(one.shown, x + wide / 2, bottom - high - 4, size=_SMALL, anchor="middle", room=wide + 6))
        drawn.append(_text(one.label, x + wide / 2, bottom + 14, size=_SMALL, anchor="middle", room=wide + 6))
    drawn.append(_line(_EDGE, bottom, WIDTH - _EDGE, bottom, "lane"))
    if line:
        at = bottom - (bottom - top) * line.value / most
        drawn.append(_line(_EDGE, at, WIDTH - _EDGE, at, "limit"))
        drawn.append(_text(line.label, WIDTH - _EDGE, at - 4, size=_SMALL, anchor="end"))
    if across:
        drawn.append(_centred(across, WIDTH / 2, bottom + 32))
    return _svg(about, bottom + (38 if across else 20), drawn)


def _square(percent: Callable[[float], str]) -> list[str]:
    """The grid of a plot of shares over shares."""
    drawn = []
    for share in _QUARTERS:
        drawn.append(_line(_LEFT, _y(share), _LEFT + _SIZE, _y(share), "grid"))
        drawn.append(_line(_x(share), _TOP, _x(share), _TOP + _SIZE, "grid"))
        drawn.append(_text(percent(share), _LEFT - 5, _y(share) + 4, size=_SMALL, anchor="end", klass="quiet"))
        drawn.append(_centred(percent(share), _x(share), _TOP + _SIZE + 15))
    return drawn


def _axes(across: str, up: str) -> list[str]:
    return [
        _centred(across, _LEFT + _SIZE / 2, _TOP + _SIZE + 32),
        _text(up, _LEFT + 6, _TOP + 14, size=_SMALL, klass="quiet"),
    ]


def _x(share: float) -> float:
    return _LEFT + _SIZE * min(max(share, 0.0), 1.0)


def _y(share: float) -> float:
    return _TOP + _SIZE * (1 - min(max(share, 0.0), 1.0))
