"""Features: declared once, in one small documented function each.

A feature is a function that returns one SQL aggregate over *past events* (a relation of rows known before the cutoff,
with ``days_ago``), an arithmetic of other features, or - where SQL says it badly - a column computed from the bucket's
frame. The decorator turns it into one or more columns::

    @feature("order_days", unit="money", concept="revenue", windows=(30, 90), baseline=Baseline(90, pseudo=ORDER_VALUE))
    def revenue(past: str) -> str:
        \"\"\"Net revenue.\"\"\"
        return f"coalesce(sum(amount) FILTER ({past}), 0)"

gives ``revenue_30d``, ``revenue_90d`` and three views of the moving quantity: ``revenue_90d_usual`` (the same over the
365 days before, scaled to 90 days) and ``revenue_90d_vs_usual`` (their ratio, shrunk towards 1 by `pseudo`),
``revenue_90d_z`` (against the median and spread of the customer's own earlier windows, robust and shrunk) and
``revenue_90d_vs_peers`` (the ratio against that of the same segment at the same date).
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import pandas as pd

from features.relations import RELATIONS

#: Where a feature that aggregates no relation gets its value from: other columns of its row; the bucket's frame; the
#: rows of its segment at the same date; other columns, those of its segment included.
DERIVED = ("features", "frame", "segment", "peers")

Kind = Literal["flow", "mean", "level"]
Side = Literal["more", "less", ""]

#: Length of the customer's own baseline, which ends where the recent window begins.
BASELINE_DAYS = 365
#: A baseline shorter than this says nothing: the comparison is unknown.
BASELINE_MIN_DAYS = 60
#: How far back a relation must reach for the baselines of its features.
LOOKBACK_DAYS = BASELINE_DAYS + 90
#: Earlier windows that are added to a customer's own before their spread is believed.
PRIOR_WINDOWS = 4
#: A median absolute deviation times this is a standard deviation where values are normal (Rousseeuw & Croux 1993).
MAD_TO_SD = 1.4826


@dataclass(frozen=True)
class Baseline:
    """How a quantity is compared with the customer's own usual.

    Attributes
    ----------
    days
        The recent window, in days.
    kind
        ``flow``: adds up over time, so the baseline is scaled to `days` and compared as a ratio. ``mean``: an
        average, compared as a ratio. ``level``: a share, compared as a difference.
    pseudo
        SQL added to both sides of a ratio, so that a short history moves it little. Below 0 counts as 0. It is the size
        of one event, too: the spread of a quantity is never believed to be less than chance would give it.
    spread
        SQL of the standard deviation that a ``level`` has by itself from window to window.
    """

    days: int
    kind: Kind = "flow"
    pseudo: str = "1"
    spread: str = "0.1"


@dataclass(frozen=True)
class Feature:
    """One column of the snapshot, with everything that a reader may ask of it.

    Attributes
    ----------
    over
        The relation that it aggregates, or one of :data:`DERIVED`.
    needs
        ``table.column`` of optional columns without which it is unknown.
    optional
        Other features that it reads as unknown where their source is absent; without any other it reads, it is absent
        itself.
    empty
        Its value for a customer of whom the relation has no row, once the source is in use.
    internal
        A step on the way to other features; not part of the snapshot.
    worse
        On which side of the usual it worries a supplier: ``more`` (complaints), ``less`` (orders), ``""`` neither.
    module
        Where it is declared, which decides its place among the columns.
    """

    name: str
    over: str
    meaning: str
    unit: str
    dimension: str
    concept: str
    window_days: int | None = None
    needs: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    usual: str | None = None
    expression: str = ""
    reads: tuple[str, ...] = ()
    empty: float | None = None
    internal: bool = False
    worse: Side = ""
    module: str = field(default="", compare=False)
    compute: Callable[[pd.DataFrame], pd.Series] | None = field(default=None, compare=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """The tables that it comes from, the first one named for it."""
        if self.over in RELATIONS:
            return RELATIONS[self.over].tables
        found = [table for name in dependencies(self) for table in REGISTRY[name].sources]
        return tuple(dict.fromkeys(found)) or ("transactions",)

    @property
    def source(self) -> str:
        """The table that it is counted to: for arithmetic of several, the first that is not the orders."""
        others = [table for table in self.sources if table != "transactions"]
        return self.sources[0] if self.over in RELATIONS or not others else others[0]


REGISTRY: dict[str, Feature] = {}


def feature(
    over: str,
    *,
    unit: str,
    concept: str,
    dimension: str = "transaction",
    windows: Sequence[int] = (),
    baseline: Baseline | None = None,
    needs: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    usual: str | None = None,
    reads: tuple[str, ...] = (),
    empty: float | None = None,
    internal: bool = False,
    worse: Side = "",
    peers: Literal["ratio", "difference"] | None = None,
) -> Callable[[Callable], Callable]:
    """Register the columns of a feature function.

    Parameters
    ----------
    over
        The relation that the expression aggregates (:func:`features.relations.relation`); ``features``: arithmetic of
        other columns of the row; ``frame``: a function of the bucket's frame; ``segment``: an aggregate over all
        eligible customers of the same segment and date, shrunk towards all segments; ``peers``: arithmetic that may
        read those.
    unit, concept, dimension
        The unit of the value; the idea that it belongs to when reasons are grouped; one of the five dimensions of
        health (transaction, interaction, service, finance, strategy).
    windows
        Days before the cutoff. The function then takes the condition on ``days_ago`` and each window becomes a column
        ``<name>_<days>d``; without windows the column has the function's own name.
    baseline
        Also register the moving quantity against the customer's own past and against peers: ``..._usual``,
        ``..._vs_usual``, ``..._z`` and ``..._vs_peers``.
    needs
        Optional columns of the source without which the feature is unknown, not 0 (of another table: ``table.column``).
    optional
        Names of other features that may be absent with their source: they are then read as NULL.
    usual
        The name of the column that says what is usual for this customer, for use in sentences.
    reads
        For ``frame``: the columns that the function reads.
    empty
        The value for a customer of whom the relation has no row: 0 for a count. Unknown by default.
    internal
        Only a step on the way to other features.
    worse
        The side of the usual that worries, of all columns of the declaration but ``..._usual``: ``more``, ``less`` or,
        where the value by itself is neither good nor bad (a season, a customer's own past level), empty.
    peers
        Also register ``<name>_vs_peers`` of a feature without windows.

    Raises
    ------
    ValueError
        If a name is taken, the relation is not declared, `worse` is no side, or the function has no docstring.
    """

    def register(function: Callable) -> Callable:
        meaning = " ".join((function.__doc__ or "").split())
        if not meaning:
            raise ValueError(f"feature {function.__name__} has no docstring")
        if over not in RELATIONS and over not in DERIVED:
            raise ValueError(f"feature {function.__name__}: no relation is called {over!r}")
        if worse not in get_args(Side):
            raise ValueError(f"feature {function.__name__}: worse is 'more', 'less' or empty, not {worse!r}")
        needed = tuple(_qualified(column, over) for column in needs)
        base = Feature(function.__name__, over, meaning, unit, dimension, concept, needs=needed, optional=optional)
        base = replace(base, usual=usual, reads=reads, empty=empty, internal=internal, worse=worse)
        base = replace(base, module=function.__module__)
        if over == "frame":
            _add(replace(base, compute=function))
        elif not windows:
            _add(replace(base, expression=function()))
        for days in windows:
            name = f"{base.name}_{days}d"
            _add(
                replace(
                    base,
                    name=name,
                    window_days=days,
                    meaning=f"{meaning[:-1]}, last {days} days.",
                    expression=function(f"days_ago <= {days}"),
                    usual=f"{name}_usual" if baseline and baseline.days == days else usual,
                )
            )
        if baseline:
            _add_baseline(base, function, baseline)
        if peers:
            _add_peers(REGISTRY[base.name], base.meaning[:-1], peers)
        return function

    return register


def _qualified(column: str, over: str) -> str:
    if "." in column:
        return column
    return f"{RELATIONS[over].source if over in RELATIONS else 'transactions'}.{column}"


def _add(new: Feature) -> None:
    if new.name in REGISTRY:
        raise ValueError(f"feature {new.name} is registered twice")
    REGISTRY[new.name] = new


def history_of(over: str) -> str:
    """SQL of the days for which a relation can tell of a customer: as long as both the relationship and the source."""
    source = RELATIONS[over].source
    return "days_since_first_order" if source == "transactions" else f"least(days_since_first_order, days_of_{source})"


def _add_baseline(base: Feature, function: Callable, baseline: Baseline) -> None:
    days = baseline.days
    recent = f"{base.name}_{days}d"
    said = base.meaning[:-1]
    before = replace(
        base,
        name=f"{recent}_before",
        expression=function(f"days_ago BETWEEN {days + 1} AND {days + BASELINE_DAYS}"),
        internal=True,
        usual=None,
    )
    _add(before)
    history = history_of(base.over)
    scaled = f"{before.name} * {days} / least({BASELINE_DAYS}, {history} - {days})"
    value = scaled if baseline.kind == "flow" else before.name
    usual = replace(
        base,
        name=f"{recent}_usual",
        over="features",
        meaning=f"{said}, the customer's own usual per {days} days, from the year before them.",
        window_days=days + BASELINE_DAYS,
        expression=f"CASE WHEN {history} >= {days + BASELINE_MIN_DAYS} THEN {value} END",
        usual=None,
        empty=None,
        worse="",
    )
    _add(usual)
    known = f"{recent} IS NOT NULL AND {usual.name} IS NOT NULL"
    ratio = f"CASE WHEN {known} THEN {ratio_of(recent, usual.name, baseline.pseudo)} END"
    level = baseline.kind == "level"
    against = replace(
        usual,
        name=f"{recent}_vs_usual",
        unit=base.unit if level else "ratio",
        meaning=f"{said}, last {days} days against the customer's own usual.",
        expression=f"{recent} - {usual.name}" if level else ratio,
        usual=usual.name,
        worse=base.worse,
    )
    _add(against)
    _add_robust(base, function, baseline, usual)
    _add_peers(
        against, f"{said}, last {days} days against the customer's own usual", "difference" if level else "ratio"
    )


def _add_robust(base: Feature, function: Callable, baseline: Baseline, usual: Feature) -> None:
    """The deviation from the median of the customer's own earlier windows, in robust standard deviations.

    The variance of k earlier windows, from their median absolute deviation, is pulled towards that of chance by
    :data:`PRIOR_WINDOWS` windows, so that two quiet quarters make no certainty.
    """
    days, recent = baseline.days, f"{base.name}_{baseline.days}d"
    history, windows = history_of(base.over), []
    for number in range(1, LOOKBACK_DAYS // days):
        span = f"days_ago BETWEEN {days * number + 1} AND {days * (number + 1)}"
        step = replace(base, name=f"{recent}_w{number}", expression=function(span), internal=True, usual=None)
        _add(step)
        windows.append(f"CASE WHEN {history} >= {days * (number + 1)} THEN {step.name} END")
    if len(windows) < 2:
        return
    centre = replace(
        base,
        name=f"{recent}_median",
        over="features",
        expression=f"list_median([{', '.join(windows)}])",
        internal=True,
        usual=None,
        empty=None,
    )
    _add(centre)
    gaps = ", ".join(f"abs({window} - {centre.name})" for window in windows)
    count = " + ".join(f"CAST({window} IS NOT NULL AS INTEGER)" for window in windows)
    count = f"({count})"
    one = f"greatest({baseline.pseudo}, 0)"
    chance = {
        "flow": f"{one} * greatest({centre.name}, {one})",
        "mean": f"pow(greatest({centre.name}, {one}) / 2, 2)",
        "level": f"pow({baseline.spread}, 2)",
    }[baseline.kind]
    spread = f"({count} * pow({MAD_TO_SD} * list_median([{gaps}]), 2) + {PRIOR_WINDOWS} * {chance})"
    deviation = f"({recent} - {centre.name}) / nullif(sqrt({spread} / ({count} + {PRIOR_WINDOWS})), 0)"
    _add(
        replace(
            usual,
            name=f"{recent}_z",
            unit="standard deviations",
            meaning=f"{base.meaning[:-1]}, last {days} days, in robust standard deviations from the median of the "
            f"customer's own earlier {days} days.",
            expression=f"CASE WHEN {count} >= 2 THEN {deviation} END",
            usual=usual.name,
            worse=base.worse,
        )
    )


def _add_peers(own: Feature, said: str, how: Literal["ratio", "difference"]) -> None:
    """The quantity against the median of the same segment at the same date: what the whole market does is no sign."""
    median = replace(
        own,
        name=f"{own.name}_of_segment",
        over="segment",
        expression=f"median({own.name})",
        internal=True,
        usual=None,
    )
    _add(median)
    ratio = f"{own.name} / nullif({median.name}, 0)"
    _add(
        replace(
            own,
            name=f"{own.name.removesuffix('_vs_usual')}_vs_peers",
            over="peers",
            unit=own.unit if how == "difference" else "ratio",
            meaning=f"{said}, against that of the same segment at the same date.",
            expression=f"{own.name} - {median.name}" if how == "difference" else ratio,
        )
    )


def ratio_of(value: str, reference: str, pseudo: str) -> str:
    """SQL of a ratio of two quantities that are 0 or more in the long run, `pseudo` added to both sides."""
    return f"(greatest({value}, 0) + {pseudo}) / nullif(greatest({reference}, 0) + {pseudo}, 0)"


_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def dependencies(one: Feature) -> tuple[str, ...]:
    """Names of the other features that a derived feature reads, in the order in which it names them."""
    if one.over in RELATIONS:
        return ()
    words = (*_WORD.findall(one.expression), *one.reads)
    return tuple(dict.fromkeys(word for word in words if word in REGISTRY and word != one.name))


def registered() -> tuple[Feature, ...]:
    """All features of the snapshot in the order of their columns: the shipped ones, then the user's own."""
    return tuple(one for one in _all() if not one.internal)


def available(present: Mapping[str, Collection[str]], only: Collection[str] | None = None) -> tuple[Feature, ...]:
    """All features, internal ones included, whose sources are there.

    Parameters
    ----------
    present
        For each table that the source has, the columns that it fills. A feature whose table is absent is left out; one
        that lacks an optional column only stays, and is unknown.
    only
        Names of the features that are wanted; what they are made of comes with them. By default all.
    """
    kept: dict[str, Feature] = {}
    for one in _all():
        relation = RELATIONS.get(one.over)
        tables = relation.tables if relation else ()
        required = set(dependencies(one)) - set(one.optional)
        if all(table in present for table in tables) and required <= set(kept):
            kept[one.name] = one
    if only is None:
        return tuple(kept.values())
    wanted: set[str] = set()
    for one in reversed(kept.values()):  # registered after what they read
        if one.name in only or one.name in wanted:
            wanted |= {one.name, *dependencies(one)}
            if one.over in RELATIONS or one.over == "features":
                wanted.add("days_since_first_order")  # what every baseline is bounded by
    return tuple(one for one in kept.values() if one.name in wanted)


def _all() -> tuple[Feature, ...]:
    from features import shipped

    shipped.load()
    return tuple(sorted(REGISTRY.values(), key=lambda one: shipped.PLACES.get(one.module, len(shipped.PLACES))))
