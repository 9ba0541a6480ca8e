"""Features: declared once, computed for many cutoffs in one pass.

A feature is a small documented function that returns one SQL aggregate over *past events* (rows known before the
cutoff, with ``days_ago``), or an arithmetic of other features, or - where SQL says it badly - a column computed from
the bucket's frame. The decorator turns it into one or more columns::

    @feature("order_days", unit="money", windows=(30, 90), baseline=Baseline(90, pseudo="order_value_mean_ever"))
    def revenue(past: str) -> str:
        \"\"\"Net revenue.\"\"\"
        return f"coalesce(sum(amount) FILTER ({past}), 0)"

gives ``revenue_30d``, ``revenue_90d``, ``revenue_90d_usual`` (the same over the 365 days before, scaled to 90 days) and
``revenue_90d_vs_usual`` (their ratio, shrunk towards 1 by `pseudo`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import duckdb
import pandas as pd

from features import cutoffs

Over = Literal["order_days", "gaps", "products", "product_lines", "features", "frame"]
Kind = Literal["flow", "mean", "level"]

#: Length of the customer's own baseline, which ends where the recent window begins.
BASELINE_DAYS = 365
#: A baseline shorter than this says nothing: the comparison is unknown.
BASELINE_MIN_DAYS = 60


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
        SQL added to both sides of a ratio, so that a short history moves it little. Below 0 counts as 0.
    """

    days: int
    kind: Kind = "flow"
    pseudo: str = "1"


@dataclass(frozen=True)
class Feature:
    """One column of the snapshot, with everything that a reader may ask of it."""

    name: str
    over: Over
    meaning: str
    unit: str
    dimension: str
    concept: str
    source: str = "transactions"
    window_days: int | None = None
    needs: tuple[str, ...] = ()
    usual: str | None = None
    expression: str = ""
    compute: Callable[[pd.DataFrame], pd.Series] | None = field(default=None, compare=False)


REGISTRY: dict[str, Feature] = {}


def feature(
    over: Over,
    *,
    unit: str,
    concept: str,
    dimension: str = "transaction",
    windows: Sequence[int] = (),
    baseline: Baseline | None = None,
    needs: tuple[str, ...] = (),
    usual: str | None = None,
) -> Callable[[Callable], Callable]:
    """Register the columns of a feature function.

    Parameters
    ----------
    over
        The relation that the expression aggregates: ``order_days``, ``gaps`` (days between consecutive order days),
        ``products`` and ``product_lines`` (one row per thing bought in the past year), ``features`` (arithmetic of
        columns registered before) or ``frame`` (a function of the bucket's frame, computed last).
    unit, concept, dimension
        The unit of the value; the idea that it belongs to when reasons are grouped; one of the five dimensions of
        health.
    windows
        Days before the cutoff. The function then takes the condition on ``days_ago`` and each window becomes a column
        ``<name>_<days>d``; without windows the column has the function's own name.
    baseline
        Also register ``..._usual`` and ``..._vs_usual`` against the customer's own past.
    needs
        Optional source columns without which the feature is unknown, not 0.
    usual
        The name of the column that says what is usual for this customer, for use in sentences.

    Raises
    ------
    ValueError
        If a name is taken, or the function has no docstring.
    """

    def register(function: Callable) -> Callable:
        meaning = " ".join((function.__doc__ or "").split())
        if not meaning:
            raise ValueError(f"feature {function.__name__} has no docstring")
        base = Feature(function.__name__, over, meaning, unit, dimension, concept, needs=needs, usual=usual)
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
        return function

    return register


def _add(new: Feature) -> None:
    if new.name in REGISTRY:
        raise ValueError(f"feature {new.name} is registered twice")
    REGISTRY[new.name] = new


def _add_baseline(base: Feature, function: Callable, baseline: Baseline) -> None:
    days = baseline.days
    recent = f"{base.name}_{days}d"
    value = function(f"days_ago BETWEEN {days + 1} AND {days + BASELINE_DAYS}")
    oldest = "max(days_ago) FILTER (is_order)"
    scaled = f"({value}) * {days} / least({BASELINE_DAYS}, {oldest} - {days})" if baseline.kind == "flow" else value
    usual = replace(
        base,
        name=f"{recent}_usual",
        meaning=f"{base.meaning[:-1]}, the customer's own usual per {days} days, from the year before them.",
        window_days=days + BASELINE_DAYS,
        expression=f"CASE WHEN {oldest} >= {days + BASELINE_MIN_DAYS} THEN {scaled} END",
        usual=None,
    )
    _add(usual)
    known = f"{recent} IS NOT NULL AND {usual.name} IS NOT NULL"
    ratio = f"CASE WHEN {known} THEN {ratio_of(recent, usual.name, baseline.pseudo)} END"
    _add(
        replace(
            base,
            name=f"{recent}_vs_usual",
            over="features",
            unit=base.unit if baseline.kind == "level" else "ratio",
            meaning=f"{base.meaning[:-1]}, last {days} days against the customer's own usual.",
            window_days=days + BASELINE_DAYS,
            expression=f"{recent} - {usual.name}" if baseline.kind == "level" else ratio,
            usual=usual.name,
        )
    )


def ratio_of(value: str, reference: str, pseudo: str) -> str:
    """SQL of a ratio of two quantities that are 0 or more in the long run, `pseudo` added to both sides."""
    return f"(greatest({value}, 0) + {pseudo}) / nullif(greatest({reference}, 0) + {pseudo}, 0)"


_GAPS = f"""
SELECT as_of, customer_id, days_ago,
       lag(days_ago) OVER (PARTITION BY as_of, customer_id ORDER BY days_ago DESC) - days_ago AS gap_days,
       row_number() OVER (PARTITION BY as_of, customer_id ORDER BY days_ago) AS gap_no
FROM ({cutoffs.past("order_days")}) WHERE is_order
"""


def _things_bought(column: str) -> str:
    """SQL of one row per (cutoff, customer, thing) bought in the 455 days before the cutoff, with its own clock."""
    quarters = ", ".join(
        f"bool_or(amount > 0 AND days_ago BETWEEN {90 * q + 1} AND {90 * (q + 1)}) AS quarter_{q}" for q in range(5)
    )
    return (
        f"SELECT as_of, customer_id, {column}, {quarters}, min(days_ago) FILTER (amount > 0) AS last_days_ago, "
        "max(days_ago) FILTER (amount > 0) AS first_days_ago, "
        "count(DISTINCT days_ago) FILTER (amount > 0 AND days_ago BETWEEN 91 AND 455) AS days_before, "
        "coalesce(sum(amount) FILTER (days_ago <= 365), 0) AS amount_365d, "
        "coalesce(sum(amount) FILTER (days_ago BETWEEN 91 AND 455), 0) AS amount_before "
        f"FROM ({cutoffs.past('product_days', 455)}) WHERE {column} IS NOT NULL GROUP BY ALL"
    )


_RELATIONS: dict[str, str] = {
    "order_days": cutoffs.past("order_days"),
    "gaps": f"SELECT * FROM ({_GAPS}) WHERE gap_days IS NOT NULL",
    "products": _things_bought("product_id"),
    "product_lines": _things_bought("product_line"),
}


def registered() -> tuple[Feature, ...]:
    """All features in the order of their registration, the shipped ones included."""
    from features import products, rhythm, transactions  # noqa: F401  (importing them registers them)

    return tuple(REGISTRY.values())


def build(con: duckdb.DuckDBPyConnection, as_ofs: Sequence[date], present: Iterable[str]) -> pd.DataFrame:
    """Every registered feature of every customer that is known at each cutoff, for one bucket.

    Parameters
    ----------
    con
        A connection on which :func:`features.cutoffs.lay_out_time` has run.
    as_ofs
        The cutoffs.
    present
        Columns of `transactions` that the source really has; a feature that needs another one is NaN throughout.

    Returns
    -------
    DataFrame
        ``customer_id`` (str), ``as_of`` (datetime64) and one float64 column per feature, ordered by (as_of,
        customer_id).
    """
    features = registered()
    cutoffs.set_cutoffs(con, as_ofs)
    held = set(present)
    aggregated = [f for f in features if f.over in _RELATIONS]
    for over, relation in _RELATIONS.items():
        columns = ", ".join(
            f"CAST({f.expression if held.issuperset(f.needs) else 'NULL'} AS DOUBLE) AS {f.name}"
            for f in aggregated
            if f.over == over
        )
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE built_{over} AS "
            f"SELECT as_of, customer_id, {columns} FROM ({relation}) GROUP BY as_of, customer_id"
        )
    joins = " ".join(
        f"LEFT JOIN built_{over} USING (as_of, customer_id)" for over in _RELATIONS if over != "order_days"
    )
    names = ", ".join(f.name for f in aggregated)
    query = f"SELECT as_of, customer_id, {names} FROM built_order_days {joins}"
    for derived in (f for f in features if f.over == "features"):
        held_expression = derived.expression if held.issuperset(derived.needs) else "NULL"
        query = f"SELECT *, CAST({held_expression} AS DOUBLE) AS {derived.name} FROM ({query})"
    frame = con.execute(f"SELECT * FROM ({query}) ORDER BY as_of, customer_id").df()
    frame["customer_id"] = frame["customer_id"].astype("str")  # those of an empty bucket come as objects
    frame["as_of"] = frame["as_of"].astype("datetime64[s]")
    computed = {f.name: f.compute(frame).astype("float64") for f in features if f.compute}
    return frame.assign(**computed)[["customer_id", "as_of", *(f.name for f in features)]]
