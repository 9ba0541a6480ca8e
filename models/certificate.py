"""The calibration certificate: whether the probabilities kept their promise on the company's own matured predictions.

Each training is judged on what its champion predicted out of time: pooled, and by cutoff, season, level, segment and
queue. Percentages are shown only where enough has matured and nothing of it speaks against them; else customers are
shown in the order of their risk and by level, which need the ranking alone. Too few rows are a reason to withhold
percentages, never a pass. Noise is allowed for everywhere: a slice fails only where its interval, widened for the
number of slices that were looked at, lies outside the limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from features.snapshots import drawn
from models import evaluation
from models.figures import FloatArray, InvalidPredictions, checked, mass_bins
from models.levels import LEVELS
from models.verdict import FIGURES, JUDGED, LEVELS_ONLY, PERCENTAGES, Certificate, Finding, Limits, plain, table_of

__all__ = [
    "KINDS",
    "LEVELS_ONLY",
    "PERCENTAGES",
    "Certificate",
    "Finding",
    "Limits",
    "certify",
    "holm",
    "interval_coverage",
]

#: What slices are made by, in the order of the table. Each cutoff is one; the season is its quarter of a year.
KINDS = ("cutoff", "season", "level", "segment", "queue")
#: A cutoff's decile with fewer rows has an observed share that is mostly chance: no interval is held to it.
MIN_DECILE_ROWS = 30
YEAR_DAYS = 365
#: Customers behind an interval; with so many it is far narrower than the limits, and more take their time.
MOST_CUSTOMERS = 5_000

_POOLED = tuple(name for name in FIGURES if name != "uncertainty")
_COLUMN = {name: f"calibration_{name}" for name in ("slope", "intercept", "in_the_large")}
_SAID = {"ece": "mean gap of promised and observed", "slope": "slope", "in_the_large": "level in log-odds"}
_NORMAL = float(ndtri(0.975))


def certify(rows: pd.DataFrame, limits: Limits, rng: np.random.Generator, repeats: int = 300) -> Certificate:
    """Judge the matured out-of-time predictions of a champion.

    Parameters
    ----------
    rows
        One row per customer and cutoff: `customer_id`, `as_of`, `probability`, `outcome` (0 or 1); optional `level`,
        `segment` and `queue` (missing where unknown), and `probability_low` and `probability_high`. May be empty.
    repeats
        Resamples of customers behind each interval.

    Raises
    ------
    InvalidPredictions
        If columns or values are missing, or a customer stands twice at a cutoff.
    """
    absent = [name for name in ("customer_id", "as_of", "probability", "outcome") if name not in rows]
    if absent:
        raise InvalidPredictions(f"Predictions to certify need {absent}; found {list(rows)}. Add these columns.")
    if rows.empty:
        nothing = Finding("nothing_matured", "no prediction has matured yet.", True)
        coverage = interval_coverage(rows)
        return Certificate(_overall(rows, 1, rng), table_of([]), LEVELS_ONLY, (nothing,), {}, coverage, limits)
    overall = _overall(rows, repeats, rng)
    groups = _judge([_group(kind, name, part, limits, repeats, rng) for kind, name, part in _slices(rows)], limits)
    table = table_of(groups)
    findings = (*_lacking(rows, table, limits), *_pooled(overall, limits), *_failed(groups, limits))
    findings = (*findings, *_notes(rows, table))
    withheld = any(finding.withholds for finding in findings)
    cutoffs = table[(table["kind"] == "cutoff") & table["in_the_large"].notna()]
    levels = {str(name): float(level) for name, level in zip(cutoffs["group"], cutoffs["in_the_large"], strict=True)}
    verdict = LEVELS_ONLY if withheld else PERCENTAGES
    return Certificate(overall, table, verdict, findings, levels, interval_coverage(rows), limits)


def holm(doubts: FloatArray, significance: float) -> np.ndarray:
    """Which hypotheses fall when all are tested at once: the chance of one false fall is at most `significance`.

    NaN is no test. Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    fallen = np.zeros(doubts.size, dtype=bool)
    tested = np.argsort(doubts)[: int(np.isfinite(doubts).sum())]
    for step, place in enumerate(tested):
        if doubts[place] > significance / (tested.size - step):
            break
        fallen[place] = True
    return fallen


def _overall(rows: pd.DataFrame, repeats: int, rng: np.random.Generator) -> dict[str, float]:
    """The pooled figures, all with intervals."""
    if rows.empty:
        ends = [name + end for name in _POOLED for end in ("", "_low", "_high")]
        unknown = dict.fromkeys(("base_rate", "promised", "uncertainty", *ends), float("nan"))
        return dict.fromkeys(("n", "n_customers", "n_cutoffs"), 0) | unknown
    point = _point(rows) | {"n_cutoffs": int(rows["as_of"].nunique())}
    return point | _bands(rows, point, _POOLED, repeats, rng)


def _point(rows: pd.DataFrame) -> dict[str, float]:
    p, y = checked(rows["probability"], rows["outcome"], probabilities=True)
    line, parts = evaluation.calibration_line(p, y), evaluation.murphy(p, y)
    return {
        "n": p.size,
        "n_customers": int(rows["customer_id"].nunique()),
        "base_rate": float(y.mean()),
        "promised": float(p.mean()),
        "slope": line.slope,
        "intercept": line.intercept,
        "in_the_large": line.in_the_large,
        "ece": evaluation.ece(p, y),
        "brier": evaluation.brier(p, y),
        "reliability": parts.reliability,
        "resolution": parts.resolution,
        "uncertainty": parts.uncertainty,
        "log_loss": evaluation.log_loss(p, y),
    }


def _bands(
    rows: pd.DataFrame, point: Mapping[str, Any], figures: Sequence[str], repeats: int, rng: np.random.Generator
) -> dict[str, float]:
    """The interval of each figure of `point`; of many customers some are drawn, and it is a little too wide."""
    kept = rows[drawn(rows["customer_id"], MOST_CUSTOMERS / point["n_customers"])].assign(contestant="")
    [row] = evaluation.standing_table(kept, repeats=repeats, rng=rng).to_dict("records")
    bands: dict[str, float] = {}
    for name in figures:
        column = _COLUMN.get(name, name)
        shift = point[name] - row[column]
        low, high = row[f"{column}_low"] + shift, row[f"{column}_high"] + shift
        bands |= {f"{name}_low": low if name in _COLUMN else max(low, 0.0), f"{name}_high": high}
    return bands


def _slices(rows: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Kind, name and rows of every slice; rows whose level, segment or queue is unknown are in none of that kind."""
    dates = pd.to_datetime(rows["as_of"])
    of_dates = {"cutoff": dates.dt.strftime("%Y-%m-%d"), "season": dates.dt.to_period("Q").astype("str")}
    for kind in KINDS:
        if kind not in of_dates and kind not in rows:
            continue
        parts = dict(iter(rows.groupby(of_dates.get(kind, rows.get(kind)))))
        loudness = [name for name in LEVELS if name in parts]
        for name in loudness if kind == "level" else sorted(parts, key=str):
            yield kind, str(name), parts[name]


def _each_outcome(rows: pd.DataFrame) -> int:
    """Customers with an outcome of the rarer kind."""
    who = rows.groupby(rows["outcome"].astype(float))["customer_id"].nunique()
    return int(who.reindex([0.0, 1.0], fill_value=0).min())


def _group(
    kind: str, name: str, rows: pd.DataFrame, limits: Limits, repeats: int, rng: np.random.Generator
) -> dict[str, Any]:
    row: dict[str, Any] = {"kind": kind, "group": name} | _point(rows)
    enough = row["n_customers"] >= limits.group_customers and _each_outcome(rows) >= limits.group_outcomes
    bands = _bands(rows, row, JUDGED, repeats, rng) if enough else {}
    return row | bands | {"passed": None}


def _doubt(row: Mapping[str, Any], figure: str, limits: Limits) -> float:
    """Chance of lying so far outside for a figure that is exactly at its limit; NaN where it has no interval."""
    low, high = (row.get(f"{figure}{end}", np.nan) for end in ("_low", "_high"))
    floor, ceiling = limits.of(figure)
    # The middle of the interval, not the figure: that of the ECE aims at the value without noise.
    middle, spread = (low + high) / 2, (high - low) / (2 * _NORMAL)
    beyond = max(floor - middle, middle - ceiling)
    if spread == 0:
        return 0.0 if beyond > 0 else 1.0
    return float(ndtr(-beyond / spread))


def _judge(groups: list[dict[str, Any]], limits: Limits) -> list[dict[str, Any]]:
    """Every slice with `passed` and, for the findings, the figures that fell; one correction for all of them."""
    # A level is cut out of the probabilities themselves: its slope tells of a few points and swings with each of them.
    doubts = np.array(
        [
            [
                np.nan if (row["kind"], figure) == ("level", "slope") else _doubt(row, figure, limits)
                for figure in JUDGED
            ]
            for row in groups
        ]
    )
    fallen = holm(doubts.ravel(), limits.significance).reshape(doubts.shape)
    judged = []
    for row, doubt, fell in zip(groups, doubts, fallen, strict=True):
        passed = None if np.isnan(doubt).all() else not bool(fell.any())
        names = [figure for figure, one in zip(JUDGED, fell, strict=True) if one]
        judged.append(row | {"passed": passed, "fallen": names})
    return judged


def _lacking(rows: pd.DataFrame, groups: pd.DataFrame, limits: Limits) -> Iterator[Finding]:
    """What there is too little of."""
    customers = _each_outcome(rows)
    if customers < limits.customers:
        words = f"only {customers} customers have a matured outcome of the rarer kind; {limits.customers} are needed."
        yield Finding("few_customers", words, True, {"customers": customers, "needed": limits.customers})
    cutoffs = int(groups.loc[groups["kind"] == "cutoff", "passed"].notna().sum())
    if cutoffs < limits.cutoffs:
        words = f"only {cutoffs} matured cutoffs have customers enough to be judged; {limits.cutoffs} are needed."
        yield Finding("few_cutoffs", words, True, {"cutoffs": cutoffs, "needed": limits.cutoffs})


def _pooled(overall: Mapping[str, float], limits: Limits) -> Iterator[Finding]:
    """What is wrong with all rows together."""
    for figure in JUDGED:
        if not np.isfinite([overall[figure + end] for end in ("", "_low", "_high")]).all():
            words = f"the outcomes do not determine the {_SAID[figure]} of all predictions together."
            yield Finding("undetermined", words, True, {"figure": figure})
            continue
        words, edges = _outside(overall, figure, limits)
        if _doubt(overall, figure, limits) <= limits.significance:
            yield Finding(f"pooled_{figure}", f"all predictions together: {words}", True, edges)
        elif figure == "in_the_large" and abs(overall[figure]) > limits.in_the_large:
            yield Finding("level_uncertain", f"all predictions together, within chance: {words}", True, edges)


def _failed(groups: list[dict[str, Any]], limits: Limits) -> Iterator[Finding]:
    """Every figure of a slice that fell."""
    for row in groups:
        for figure in row["fallen"]:
            words, edges = _outside(row, figure, limits)
            kept = {name: row[name] for name in ("kind", "group", "n", "promised", "base_rate")}
            yield Finding(f"group_{figure}", f"{row['kind']} {row['group']}: {words}", True, kept | edges)


def _outside(row: Mapping[str, Any], figure: str, limits: Limits) -> tuple[str, dict[str, Any]]:
    """Words and figures of a value outside its limits."""
    value, low, high = (row[figure + end] for end in ("", "_low", "_high"))
    floor, ceiling = limits.of(figure)
    words = (
        f"{_SAID[figure]} {value:.3f} [{low:.3f}, {high:.3f}], outside {floor:g} to {ceiling:g}; "
        f"promised {row['promised']:.1%}, observed {row['base_rate']:.1%}."
    )
    edges = {"figure": figure, "value": value, "low": low, "high": high, "floor": floor, "ceiling": ceiling}
    return words, plain(edges)


def _notes(rows: pd.DataFrame, groups: pd.DataFrame) -> Iterator[Finding]:
    """What limits the certificate without withholding anything."""
    unjudged = {str(kind): int(part["passed"].isna().sum()) for kind, part in groups.groupby("kind", sort=False)}
    unjudged = {kind: count for kind, count in unjudged.items() if count}
    if unjudged:
        listed = ", ".join(f"{count} of the kind {kind}" for kind, count in unjudged.items())
        yield Finding("groups_not_judged", f"too few customers to judge these slices: {listed}.", False, unjudged)
    dates = pd.to_datetime(rows["as_of"])
    # The last cutoff stands for the month that follows it.
    days = int((dates.max() - dates.min()).days) + 31
    if days < YEAR_DAYS:
        words = f"the matured cutoffs span {days} days: not every season of the year has been seen."
        yield Finding("part_of_a_year", words, False, {"days": days})


def interval_coverage(rows: pd.DataFrame) -> float:
    """Share of the deciles of the cutoffs whose observed share lay within the mean interval of their customers.

    Parameters
    ----------
    rows
        Matured predictions as for :func:`certify`, of any customers; may be empty.

    Returns
    -------
    float
        In 0 to 1; NaN without ``probability_low`` and ``probability_high`` or deciles of :data:`MIN_DECILE_ROWS` rows.
    """
    bounds = ["probability_low", "probability_high"]
    if not set(bounds) <= set(rows):
        return float("nan")
    held: list[bool] = []
    for _, part in rows.groupby("as_of"):
        deciles = part.groupby(mass_bins(part["probability"].to_numpy(), 10))
        means = deciles[["outcome", *bounds]].mean()[deciles.size() >= MIN_DECILE_ROWS]
        held += means["outcome"].between(means[bounds[0]], means[bounds[1]]).tolist()
    return float(np.mean(held)) if held else float("nan")
