"""What every feature is: the list behind `kizashi features` and ``docs/features.md``, made from the registry."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

import pandas as pd

from features.contract import CONTRACT
from features.options import OPTIONS
from features.own import own_names
from features.registry import Feature, registered

#: The views of a moving quantity besides its raw windows.
VIEWS = ("vs_usual", "usual", "z", "vs_peers")
_VIEW = re.compile(rf"_({'|'.join(VIEWS)})$")


def catalogue() -> pd.DataFrame:
    """Every feature of the snapshot, one row each, the user's own included.

    Returns
    -------
    DataFrame
        ``feature``, ``source`` (a table of the contract), ``window_days`` (Int64, missing where it has none), ``unit``,
        ``dimension``, ``concept``, ``worse`` (``more``, ``less`` or empty), ``needs``, ``own`` (bool), ``meaning``.
    """
    mine = set(own_names())
    rows = [
        {
            "feature": one.name,
            "source": one.source,
            "window_days": one.window_days,
            "unit": one.unit,
            "dimension": one.dimension,
            "concept": one.concept,
            "worse": one.worse,
            "needs": ", ".join(one.needs),
            "own": one.name in mine,
            "meaning": one.meaning,
        }
        for one in registered()
    ]
    return pd.DataFrame(rows).astype({"window_days": "Int64"})


def with_coverage(listed: pd.DataFrame, eligible: pd.DataFrame, began: Mapping[str, date]) -> pd.DataFrame:
    """The catalogue with what the user's own data give.

    Parameters
    ----------
    listed
        Of :func:`catalogue`.
    eligible
        Snapshots of those who can be warned about at one date.
    began
        Table -> the first day of its rows; an absent table is not named.

    Returns
    -------
    DataFrame
        With ``covered_from`` (first day of the source, missing where it is absent) and ``missing_share`` (of the
        snapshots, 0 to 1; 1 where the source is absent).
    """
    missing = [
        float(eligible[name].isna().mean()) if name in eligible and len(eligible) else 1.0 for name in listed["feature"]
    ]
    covered = pd.Series([began.get(source) for source in listed["source"]], index=listed.index, dtype="object")
    return listed.assign(covered_from=covered, missing_share=missing)


def page() -> str:
    """The text of ``docs/features.md``."""
    shipped = [one for one in registered() if one.name not in own_names()]
    return "\n".join([*_head(shipped), *_tables(shipped), *_options(), ""])


def _head(shipped: list[Feature]) -> Iterator[str]:
    moving = sum(one.name.endswith("_vs_usual") for one in shipped)
    yield f"""# The features

What was known about each customer at midnight of a date: {len(shipped)} columns, each declared in one function of
`features/`. This page is made from those functions (`make docs`); `kizashi features --data DIR` prints the same list
with what your own data cover, and `--csv FILE` writes it.

- **Time.** A feature sees the rows that happened *and* were recorded before its midnight, in the version that was the
  newest then, and later facts on a row only after their own time ([the two clocks](contract.md)).
- **Absent is not nothing.** A table that you do not have leaves its features out. A source that had not begun yet, a
  share of no events, a comparison without a past: unknown, never 0.
- **Three views.** {moving} quantities move with time. Each has its raw value over one or more windows and, for one of
  them, three comparisons: `_vs_usual` with the customer's own year before (a ratio with one usual event added to both
  sides, so that a short history moves little; shares as a difference; `_usual` is that reference), `_z` with the median
  and the spread of the customer's own earlier windows (median absolute deviation, pulled towards that of chance by four
  windows), and `_vs_peers`: `_vs_usual` against the median of the same segment at the same date, so that a slump of the
  whole market makes nobody look at risk. A segment of n customers counts n / (n + 20), all customers the rest.
- **Worse** is the side of the usual that worries a supplier: more complaints, fewer orders. A quantity without one is
  neither good nor bad by itself; `_usual`, a customer's own past level, never is. A fact is told as a reason only where
  it is unusual on that side.
- **Your own** features join these from a file of yours: [own features](own_features.md).
"""


def _tables(shipped: list[Feature]) -> Iterator[str]:
    yield "| source | columns | moving quantities |\n|---|---|---|"
    sources = [name for name in CONTRACT if any(one.source == name for one in shipped)]
    for source in sources:
        here = [one for one in shipped if one.source == source]
        moving = sum(one.name.endswith("_vs_usual") for one in here)
        yield f"| [{source}](#{source}) | {len(here)} | {moving} |"
    for source in sources:
        yield f"\n## {source}\n\n| feature | views | unit | dimension | worse | meaning |\n|---|---|---|---|---|---|"
        yield from _rows([one for one in shipped if one.source == source])


def _rows(features: Iterable[Feature]) -> Iterator[str]:
    """One line per feature; the views of a moving quantity stand in the line of its window."""
    held = {one.name: one for one in features}
    views: dict[str, list[str]] = {}
    for name in held:
        base = _VIEW.sub("", name)
        if base != name and base in held:
            views.setdefault(base, []).append(name.removeprefix(base))
    hidden = {base + view for base, found in views.items() for view in found}
    for name, one in held.items():
        if name not in hidden:
            shown = ", ".join(f"`{view}`" for view in views.get(name, []))
            needs = f" Needs `{'`, `'.join(one.needs)}`." if one.needs else ""
            cells = f"`{name}` | {shown} | {one.unit} | {one.dimension} | {one.worse}"
            yield f"| {cells} | {_cell(one.meaning + needs)} |"


def _options() -> Iterator[str]:
    yield """
## Options

Numbers that your company may want otherwise; write what you change under `[features.options]` in `kizashi.toml`.

| option | default | unit | meaning |
|---|---|---|---|"""
    for one in sorted(OPTIONS.values(), key=lambda one: one.name):
        default = ", ".join(one.default) if isinstance(one.default, tuple) else str(one.default)
        yield f"| `{one.name}` | {f'`{default}`' if default else 'none'} | {one.unit} | {_cell(one.meaning)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
