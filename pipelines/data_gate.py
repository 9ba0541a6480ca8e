"""Whether new data are still those of the company that the champion was trained on; asked before anything is learnt.

The profile of the new data (:mod:`pipelines.data_profile`) is held against the one that the champion keeps: tables and
columns that are gone, a past that was rewritten, and months that came since and are out of line with what the
champion's months looked like. Late lines and credit notes change the past a little, growth and seasons move the months;
both are let through. What is refused can be accepted by a person, with a reason.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log, sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import KizashiError
from features.registry import MAD_TO_SD
from pipelines.data_profile import FORMAT, LOOKBACK_MONTHS

#: Newest months of the champion that new ones are held against, and how few of them say nothing.
REFERENCE_MONTHS, FEWEST_MONTHS = 12, 3
#: Fewer months do not say how a share moves with the season.
FEWEST_SETTLED_MONTHS = 6
#: A month that has only begun is judged from this day on.
FEWEST_DAYS = 7
#: Fewer values have no usual size, and fewer customers no usual share.
FEWEST_VALUES = 10
#: Counts that differ by this much differ by chance.
FEW = 3
#: Standard errors beyond which a month is no accident, and the least drop that matters: of a share (0 to 1), and of the
#: inverse hyperbolic tangent of a correlation (Fisher 1921, Metron 1).
SURE, LEAST_DROP, LEAST_UNLIKENESS = 4.0, 0.1, 0.3
SHOWN = 6

WORDS = {
    "order_days": "order days",
    "customers": "customers who ordered",
    "revenue": "net revenue",
    "usual_order": "usual value of an order day",
    "returning_share": "share of customers who had ordered in the three months before",
    "repeated_share": "share of products that their customer had bought in the three months before",
    "alike": "likeness of a customer's orders to its earlier ones (correlation)",
}

#: Figures that fall where orders are not their customers', and what each is a figure of.
COUNTED = {"returning_share": "customers", "repeated_share": "products", "alike": "returning"}


@dataclass(frozen=True)
class Limits:
    """How far data may differ from those of the champion.

    Attributes
    ----------
    largest_factor
        A month out of line: by more than this factor above the highest, or below the lowest, of the champion's months.
    largest_rewrite
        A rewritten past: a month that the champion knew differs by more than this share (0 to 1).
    """

    largest_factor: float = 5.0
    largest_rewrite: float = 0.1


@dataclass(frozen=True)
class Finding:
    """Something in the data that is not as it was.

    Attributes
    ----------
    code
        ``table_gone``, ``column_gone``, ``table_shrunk``, ``history_gone``, ``past_rewritten``, ``volume``, ``size`` or
        ``shuffled``.
    words
        One sentence: the month, the figure, and what it was before.
    figures
        The numbers in it, by name.
    """

    code: str
    words: str
    figures: Mapping[str, float] = field(default_factory=dict)


class DataRefused(KizashiError):
    """Data that are not those of the champion any more; nothing was trained."""


def refusal(findings: Sequence[Finding], champion: str) -> DataRefused:
    """The error that says what was found, what it was before, and what to do."""
    more = len(findings) - SHOWN
    lines = [
        f"the data are not those of the champion ({champion}) any more. It stays in use, and nothing was trained:",
        *(f"  {finding.words}" for finding in findings[:SHOWN]),
        *([f"  and {more} more of the kind."] if more > 0 else []),
        'Mend the data. If they are right, say why: `kizashi train --accept-data "why"`.',
    ]
    return DataRefused("\n".join(lines))


def compare(old: Mapping[str, Any], new: Mapping[str, Any], limits: Limits | None = None) -> list[Finding]:
    """What is not as it was, the gravest first; nothing where the champion has no profile.

    Parameters
    ----------
    old, new
        Profiles of the champion's training and of the data at hand, see :func:`pipelines.data_profile.profile`.
    limits
        How far they may differ.
    """
    if old.get("format") != FORMAT or not old["months"]:
        return []
    limits = limits or Limits()
    return [*_gone(old, new, limits), *_rewritten(old, new, limits), *_out_of_line(old, new, limits)]


def _gone(old: Mapping[str, Any], new: Mapping[str, Any], limits: Limits) -> Iterator[Finding]:
    """Tables, columns and the beginning of the history that are no longer there."""
    since = f"at the last training ({old['as_of']})"
    for table, rows in old["tables"].items():
        now = new["tables"].get(table, 0)
        if rows and not now:
            yield Finding("table_gone", f"Table {table} is gone; it had {rows:,} rows {since}.", {"before": rows})
            continue
        lost = sorted(set(old["columns"].get(table, ())) - set(new["columns"].get(table, ())))
        if lost:
            yield Finding("column_gone", f"Table {table} no longer has {', '.join(lost)}, which were filled {since}.")
        if table not in old["rows"] and rows - now > max(limits.largest_rewrite * rows, FEW):
            words = f"Table {table} has {now:,} rows; it had {rows:,} {since}."
            yield Finding("table_shrunk", words, {"found": now, "before": rows})
    if new["first"] and _apart(old["first"], new["first"]) > max(0, _apart(old["as_of"][:7], new["as_of"][:7])) + 1:
        yield Finding("history_gone", f"The first order is of {new['first']}; it was of {old['first']} {since}.")


def _rewritten(old: Mapping[str, Any], new: Mapping[str, Any], limits: Limits) -> Iterator[Finding]:
    """Months that both know and tell differently; of each figure the month that differs most."""
    start, moved = max(old["first"], new["first"] or ""), old["first"] != new["first"]
    begin, end = min(new["months"], default="9999-12"), new["as_of"][:7]
    common = [month for month in _whole(old) if begin <= month < end and not (moved and month <= start)]
    settled = [month for month in common if not moved or _apart(start, month) > LOOKBACK_MONTHS]
    past, present = old["months"], new["months"]

    def told(profile: Mapping[str, Any], name: str) -> Callable[[str], float | None]:
        return lambda month: profile.get(month, {}).get(name)

    def enough(month: str) -> bool:
        return min(past[month]["order_days"], present.get(month, {}).get("order_days", 0)) >= 3 * FEWEST_VALUES

    for name in ("order_days", "customers"):
        counted = {month: (past[month][name], present.get(month, {}).get(name, 0)) for month in common}
        changes = {m: abs(b - a) / max(a, 1) for m, (a, b) in counted.items() if abs(b - a) > FEW}
        yield from _worst(name, changes, counted, limits.largest_rewrite)
    for name in COUNTED:
        pairs = _pairs([m for m in settled if enough(m)], told(past, name), told(present, name))
        yield from _worst(name, {m: abs(b - a) for m, (a, b) in pairs.items()}, pairs, limits.largest_rewrite)
    sizes = {"usual_order": _pairs(common, _orders_worth(past), _orders_worth(present))}
    for name, values in old["sizes"].items():
        sizes[name] = _pairs(common, _size(values), _size(new["sizes"].get(name, {})))
    for name, pairs in sizes.items():
        yield from _worst(
            name, {m: exp(abs(log(b / a))) - 1 for m, (a, b) in pairs.items()}, pairs, limits.largest_rewrite
        )
    for table, rows in old["rows"].items():
        here = new["rows"].get(table, {})
        months = [month for month in common if here and month > min(here)]
        before, now = (sum(of.get(month, 0) for month in months) for of in (rows, here))
        if before - now > max(limits.largest_rewrite * before, FEW):
            words = f"Until {months[-1]} table {table} had {before:,} rows at the last training; now it has {now:,}."
            yield Finding("past_rewritten", words, {"found": now, "before": before})


def _out_of_line(old: Mapping[str, Any], new: Mapping[str, Any], limits: Limits) -> Iterator[Finding]:
    """Months since the champion's training that look like none of its months."""
    whole = _whole(old)
    reference = [month for month in whole if month > old["first"]][-REFERENCE_MONTHS:]
    if len(reference) < FEWEST_MONTHS:
        return
    last = pd.Period(old["as_of"][:7], "M") - 1
    until = (pd.Timestamp(new["as_of"]) - pd.Timedelta(days=1)).to_period("M")
    for month in map(str, pd.period_range(last + 1, until, freq="M")):
        days = min(31, (pd.Timestamp(new["as_of"]) - pd.Timestamp(f"{month}-01")).days)
        if days >= FEWEST_DAYS:
            share = min(1.0, days / pd.Period(month, "M").days_in_month)
            yield from _volumes(month, share, reference, old, new, limits.largest_factor)
            yield from _sizes(month, reference, old, new, limits.largest_factor)
            yield from _shares(month, reference, old, new)


def _volumes(
    month: str, share: float, reference: Sequence[str], old: Mapping[str, Any], new: Mapping[str, Any], factor: float
) -> Iterator[Finding]:
    """Far more or far fewer orders than in any month, more revenue, or a table whose rows stopped to come."""
    here = new["months"].get(month, {})
    for name in ("order_days", "revenue"):
        usual = [old["months"].get(m, {}).get(name, 0) for m in reference]
        found, low, high = here.get(name, 0), min(usual) * share, max(usual)
        few = name == "order_days" and found < low / factor and found < low - 5 * sqrt(low)
        many = high > 0 and found > high * factor and (name == "revenue" or found > high + 5 * sqrt(high + 1))
        if few or many:
            yield _beyond("volume", month, WORDS[name], found, usual)
    for table, rows in old["rows"].items():
        months = [m for m in reference if m > min(rows)]
        if table == "transactions" or table not in new["columns"] or len(months) < FEWEST_MONTHS:
            continue
        usual = [rows.get(m, 0) for m in months]
        found, low = new["rows"].get(table, {}).get(month, 0), min(usual) * share
        if found < low / factor and found < low - 5 * sqrt(low):
            yield _beyond("volume", month, f"rows of table {table}", found, usual)


def _sizes(
    month: str, reference: Sequence[str], old: Mapping[str, Any], new: Mapping[str, Any], factor: float
) -> Iterator[Finding]:
    """Values of another order of magnitude than in any month: other units, another currency."""
    figures = {"usual_order": (_orders_worth(old["months"]), _orders_worth(new["months"]))}
    figures |= {name: (_size(values), _size(new["sizes"].get(name, {}))) for name, values in old["sizes"].items()}
    for name, (before, now) in figures.items():
        usual = [value for m in reference if (value := before(m)) is not None]
        found = now(month)
        if found is None or len(usual) < FEWEST_MONTHS:
            continue
        if not min(usual) / factor <= found <= max(usual) * factor:
            yield _beyond("size", month, WORDS.get(name, f"usual size of {name}"), found, usual)


def _shares(month: str, reference: Sequence[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Finding]:
    """Orders that do not seem to be their customers': far below the usual, and no accident of few customers.

    How far is told in standard errors, of one figure or of all of them together (Stouffer 1949, The American Soldier).
    """
    here = new["months"].get(month, {})
    settled = [m for m in reference if _apart(old["first"], m) > LOOKBACK_MONTHS]
    below: dict[str, tuple[float, list[float]]] = {}
    for name in COUNTED:
        usual = [float(v) for m in settled if (v := old["months"].get(m, {}).get(name)) is not None]
        n = here.get(COUNTED[name], 0)
        if name in here and len(usual) >= FEWEST_SETTLED_MONTHS and n >= FEWEST_VALUES:
            below[name] = (_errors_below(name, here[name], np.array(usual), n), usual)
    together = sum(errors for errors, _ in below.values()) / sqrt(max(len(below), 1))
    for name, (errors, usual) in below.items():
        if errors > SURE or (together > SURE and errors > SURE / 2):
            yield _beyond("shuffled", month, WORDS[name], here[name], usual)


def _errors_below(name: str, found: float, usual: NDArray[np.float64], n: int) -> float:
    """By how many standard errors a figure of `n` is below the usual one; 0 where it is below by too little."""
    if name == "alike":
        usual, found = np.arctanh(np.clip(usual, -0.999, 0.999)), float(np.arctanh(np.clip(found, -0.999, 0.999)))
    centre = float(np.median(usual))
    spread = MAD_TO_SD * float(np.median(np.abs(usual - centre)))
    # The months differ by chance, too: their spread already holds what so few would make.
    chance = sqrt(1 / (n - 3) if name == "alike" else max(centre * (1 - centre), 1 / n) / n)
    drop = centre - found
    return drop / max(spread, chance) if drop > (LEAST_UNLIKENESS if name == "alike" else LEAST_DROP) else 0.0


def _beyond(code: str, month: str, what: str, found: float, usual: Sequence[float]) -> Finding:
    low, high = min(usual), max(usual)
    words = (
        f"{month}: {what} {_told(found)}; in the champion's {len(usual)} months it was {_told(low)} to {_told(high)}."
    )
    return Finding(code, words, {"found": float(found), "lowest": float(low), "highest": float(high)})


def _worst(
    name: str, changes: Mapping[str, float], pairs: Mapping[str, tuple[float, float]], limit: float
) -> Iterator[Finding]:
    """The month of which a figure has changed most, where that is more than the limit."""
    over = {month: change for month, change in changes.items() if change > limit}
    if over:
        month = max(over, key=lambda m: over[m])
        before, found = pairs[month]
        others = f" {len(over)} months changed by more than {limit:.0%}." if len(over) > 1 else ""
        what = WORDS.get(name, f"usual size of {name}")
        words = f"{month}, a month of the past: {what} {_told(found)}; at the last training {_told(before)}.{others}"
        figures = {"found": float(found), "before": float(before), "months": float(len(over))}
        yield Finding("past_rewritten", words, figures)


def _pairs(
    months: Sequence[str], before: Callable[[str], float | None], now: Callable[[str], float | None]
) -> dict[str, tuple[float, float]]:
    """By month what it was and what it is, where both are known."""
    both = {month: (before(month), now(month)) for month in months}
    return {month: (a, b) for month, (a, b) in both.items() if a is not None and b is not None}


def _size(values: Mapping[str, Sequence[float]]) -> Callable[[str], float | None]:
    """The usual size of a column by month; unknown where the month has too few values."""
    return lambda month: values[month][0] if month in values and values[month][1] >= FEWEST_VALUES else None


def _orders_worth(months: Mapping[str, Any]) -> Callable[[str], float | None]:
    """The usual value of an order day by month; unknown where the month has too few."""

    def worth(month: str) -> float | None:
        here = months.get(month, {})
        return here.get("usual_order") if here.get("order_days", 0) >= FEWEST_VALUES else None

    return worth


def _whole(profile: Mapping[str, Any]) -> list[str]:
    """The calendar months that had ended at the profile's date, oldest first."""
    return [month for month in sorted(profile["months"]) if month < profile["as_of"][:7]]


def _apart(first: str, last: str) -> int:
    """Months from one to the other."""
    return (int(last[:4]) - int(first[:4])) * 12 + int(last[5:7]) - int(first[5:7])


def _told(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
