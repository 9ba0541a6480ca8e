"""The gates of the simulated world: conditions that make it neither trivial nor impossible, measured and printed.

They are set to the world and not to the product. Writes gates.json for docs/simulator.md (then `make docs`). The same
arguments give the same figures.

Example: python benchmarks/simulator_gates.py --customers 1500 --seeds 1 2 3
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.simulator_facts import best_reading
from benchmarks.simulator_judged import END, GONE, RECENCY, SILENT, Judged, judge
from benchmarks.standing_truth import FILTER, LATENT
from features.registry import registered
from models.book import resamples
from models.earliness import ALL, COMPARED_LEAD, RANDOM, earliness_table
from models.evaluation import difference, standing_table
from models.figures import ratio
from pipelines.simulate import ORACLE_HORIZON_DAYS

OUT = Path(__file__).parents[1] / "docs" / "simulator"
CUSTOMERS, SEEDS = 1500, (1, 2, 3)
NULL_TIMES = 4  # as many customers in `null`: among few, the best of hundreds of facts foretells by chance alone
#: What each oracle promises for an outcome.
PROMISES = {SILENT: f"p_no_order_{ORACLE_HORIZON_DAYS}", GONE: f"p_lost_{ORACLE_HORIZON_DAYS}"}
REPEATS, DRAWS = 300, 20_261_001  # resamples of customers, and the seed of them
MASTER = "customers: "  # facts of the accounts' file: what is told of a customer, not by it
OF_FILTER = (0.85, 0.93)
MOST_BY_RECENCY, MOST_BY_ONE, MOST_IN_NULL = 0.80, 0.85, 0.55
LEAST_UNPREDICTABLE = 0.15
SLOPES, SUDDEN = (0.85, 1.15), (0.20, 0.30)


@dataclass(frozen=True)
class Gate:
    """One condition: what was asked, what came out, and whether it holds (None where nothing was asked)."""

    name: str
    asked: str
    measured: str
    interval: str
    met: bool | None = None


def gates(normal: Judged, null: Judged, others: Mapping[str, Judged]) -> Iterator[Gate]:
    """All gates; `others` are the presets that `normal` is compared with, the easy one first."""
    yield filter_gate(normal)
    yield recency_gate(normal)
    yield one_fact_gate(normal)
    yield unpredictable_gate(normal)
    yield from calibration_gates(normal)
    yield from latent_gates(normal)
    yield null_facts_gate(null)
    yield null_filter_gate(null)
    yield null_lead_gate(null, normal)
    yield from report(normal)
    yield sudden_gate(normal)
    yield order_gate({"easy": others["easy"], "normal": normal, "hard": others["hard"]})


def filter_gate(normal: Judged) -> Gate:
    """The particle filter foretells silence well, and not too well."""
    low, high = OF_FILTER
    value, interval = _auc(normal.rows, normal.rows[f"{FILTER} {PROMISES[SILENT]}"], SILENT)
    return Gate(
        "particle filter: AUC for no order in 90 days",
        f"{low} to {high}",
        f"{value:.3f}",
        interval,
        low <= value <= high,
    )


def recency_gate(normal: Judged) -> Gate:
    """Days since the last order do not foretell it all."""
    value, interval = _auc(normal.rows, normal.rows[RECENCY], SILENT)
    asked = f"at most {MOST_BY_RECENCY:.2f}"
    name = "days since the last order: AUC for the same"
    return Gate(name, asked, f"{value:.3f}", interval, value <= MOST_BY_RECENCY)


def one_fact_gate(normal: Judged) -> Gate:
    """No single feature or plain fact foretells it all."""
    best = best_reading(normal.rows, normal.facts, SILENT)
    value, interval = _auc(normal.rows, best.score(normal.rows), SILENT)
    told = f"{value:.3f} (`{best.name}`)"
    asked = f"at most {MOST_BY_ONE:.2f}"
    name = f"best of {len(normal.facts)} features and plain facts: AUC for the same"
    return Gate(name, asked, told, interval, value <= MOST_BY_ONE)


def unpredictable_gate(normal: Judged) -> Gate:
    """Many a loss is announced by nothing that the filter sees."""
    chance = f"{FILTER} {PROMISES[GONE]}"
    there = normal.rows[~normal.rows["gone"]]
    usual = there.groupby("cutoff")[chance].mean()
    lost = normal.losses.merge(there, on=["customer_id", "cutoff"])
    blind = lost[chance] <= lost["cutoff"].map(usual)
    value, interval = _share(blind, np.ones(len(lost)), lost["customer_id"])
    return Gate(
        f"unpredictable: of {len(lost)} losses, those given no higher chance than the average customer not yet lost",
        f"at least {LEAST_UNPREDICTABLE:.0%}", f"{value:.1%}", interval, value >= LEAST_UNPREDICTABLE,
    )  # fmt: skip


def calibration_gates(normal: Judged) -> Iterator[Gate]:
    """Both oracles promise what comes."""
    low, high = SLOPES
    for outcome, words in ((SILENT, "no order"), (GONE, "lost")):
        for one in standing_table(_oracles(normal.rows, outcome), repeats=REPEATS, rng=_rng()).to_dict("records"):
            slope, error = one["calibration_slope"], one["ece"]
            yield Gate(
                f"{one['contestant'].replace('_', ' ')}, {words}: calibration slope (and ECE)",
                f"{low} to {high}", f"{slope:.2f} ({error:.3f})",
                _between(one["calibration_slope_low"], one["calibration_slope_high"], ".2f"), low <= slope <= high,
            )  # fmt: skip


def latent_gates(normal: Judged) -> Iterator[Gate]:
    """Who sees the hidden state is never worse than who sees the tables."""
    for outcome, words in ((SILENT, "no order"), (GONE, "lost")):
        told = difference(_oracles(normal.rows, outcome), LATENT, FILTER, "log_loss", repeats=REPEATS, rng=_rng())
        name = f"latent state less particle filter, {words}: log loss"
        yield Gate(name, "at most 0", f"{told.value:+.4f}", _between(told.low, told.high, "+.4f"), told.value <= 0)


def null_facts_gate(null: Judged) -> Gate:
    """Where nothing announces a loss, no table does."""
    there = null.rows[~null.rows["gone"]]
    product = {feature.name for feature in registered()}
    signals = [name for name in null.facts if name not in product and not name.startswith(MASTER)]
    best = best_reading(there, signals, GONE)
    value, interval = _auc(there, best.score(there), GONE)
    told = f"{value:.3f} (`{best.name}`)"
    return Gate(
        f"null: best of {len(signals)} plain facts beside the orders: AUC for a coming loss",
        f"at most {MOST_IN_NULL:.2f}", told, interval, value <= MOST_IN_NULL,
    )  # fmt: skip


def _ahead(rows: pd.DataFrame) -> pd.Series[float]:
    """The filter's chance that a loss comes within the horizon, given that there is none yet."""
    now = rows[f"{FILTER} p_lost_0"]
    return ((rows[f"{FILTER} {PROMISES[GONE]}"] - now) / np.maximum(1 - now, 1e-9)).clip(0, 1 - 1e-6)


def null_filter_gate(null: Judged) -> Gate:
    """Where nothing announces a loss, the filter knows of it what it knew on the first day: how prone each one is."""
    there = _watched(null.rows[~null.rows["gone"]])
    frame = pd.concat(
        [_scored(there, _ahead(there), GONE, "filter"), _scored(there, there["proneness"], GONE, "constant")]
    )
    told = difference(frame, "filter", "constant", "roc_auc", repeats=REPEATS, rng=_rng())
    return Gate(
        "null: AUC of the particle filter for a coming loss, less that of the customer's constant proneness",
        "not surely above 0", f"{told.value:+.3f}", _between(told.low, told.high, "+.3f"), told.low <= 0,
    )  # fmt: skip


def null_lead_gate(null: Judged, normal: Judged) -> Gate:
    """Where nothing announces a loss, warnings by what the filter has seen come no earlier than chance."""
    found, by_chance = _warned(null)
    with_signs, _ = _warned(normal)
    name = f"warned_{COMPARED_LEAD}"
    told = f"{found[name]:.1%} (at random {by_chance[name]:.1%}; in normal {with_signs[name]:.1%})"
    low, high = found[f"{name}_low"], found[f"{name}_high"]
    return Gate(
        f"null: losses warned about {COMPARED_LEAD} days ahead, where the filter's chance rises over what is usual for "
        "the customer, at 3 new warnings per 100 customers and month",
        "as at random", told, _between(low, high, ".1%"), bool(low <= by_chance[name] <= high),
    )  # fmt: skip


def _warned(judged: Judged) -> tuple[dict[str, float], dict[str, float]]:
    """The early warnings of the filter, and of chance at as many warnings.

    What is usual for a customer is its constant proneness, which the filter knows without any table.
    """
    rows = _watched(judged.rows)
    risen = -np.log1p(-_ahead(rows)) / rows["proneness"]
    frame = rows[["customer_id", "as_of", "overdue"]].assign(contestant=FILTER, probability=risen)
    losses = judged.losses.rename(columns={"lost_at": "event_at", "returned_at": "ends_at"})
    table = earliness_table(frame, losses, known_until=END, baseline=FILTER, repeats=REPEATS, rng=_rng())
    by_name = table[table["queue"] == ALL].set_index("contestant")
    return dict(by_name.loc[FILTER]), dict(by_name.loc[RANDOM])


def _watched(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of customers that the oracles watched."""
    return rows[rows[f"{FILTER} p_lost_0"].notna()]


def report(normal: Judged) -> Iterator[Gate]:
    """What is reported and has no limit."""
    rows = normal.rows
    for name, hits, of in (
        ("base rate: no order within 90 days", rows[SILENT], np.ones(len(rows))),
        ("purity of the label: of these, lost in truth", rows[SILENT] * rows[GONE], rows[SILENT]),
    ):
        value, interval = _share(hits, of, rows["customer_id"])
        yield Gate(name, "reported", f"{value:.1%}", interval)


def sudden_gate(normal: Judged) -> Gate:
    """About a quarter of the losses has no symptom."""
    low, high = SUDDEN
    value, interval = _share(normal.losses["sudden"], np.ones(len(normal.losses)), normal.losses["customer_id"])
    asked = f"{low:.0%} to {high:.0%}"
    return Gate("losses without a symptom", asked, f"{value:.1%}", interval, low <= value <= high)


def order_gate(worlds: Mapping[str, Judged]) -> Gate:
    """The filter finds coming losses the more easily the stronger the symptoms; `worlds` begin with the easiest."""
    values, intervals = [], []
    for judged in worlds.values():
        there = judged.rows[~judged.rows["gone"]]
        value, interval = _auc(there, there[f"{FILTER} {PROMISES[GONE]}"], GONE)
        values.append(value)
        intervals.append(interval)
    measured = ", ".join(f"{value:.3f}" for value in values)
    asked = " >= ".join(worlds)
    falls = all(np.diff(values) <= 0)
    return Gate("particle filter: AUC for a coming loss", asked, measured, "; ".join(intervals), falls)


def _scored(rows: pd.DataFrame, score: pd.Series[float], outcome: str, name: str = "one") -> pd.DataFrame:
    """Predictions as the standing table reads them."""
    keys = rows[["customer_id"]].assign(as_of=rows["cutoff"])
    return keys.assign(contestant=name, probability=score, outcome=rows[outcome])


def _oracles(rows: pd.DataFrame, outcome: str) -> pd.DataFrame:
    promised = PROMISES[outcome]
    return pd.concat([_scored(rows, rows[f"{oracle} {promised}"], outcome, oracle) for oracle in (FILTER, LATENT)])


def _auc(rows: pd.DataFrame, score: pd.Series[float], outcome: str) -> tuple[float, str]:
    """AUC by world and cutoff, averaged, and its interval."""
    frame = _scored(rows, score, outcome)
    one = standing_table(frame, repeats=REPEATS, ranks_only=["one"], rng=_rng()).iloc[0]
    return float(one["roc_auc"]), _between(one["roc_auc_low"], one["roc_auc_high"], ".3f")


def _share(hits: Iterable[float], of: Iterable[float], customers: pd.Series[str]) -> tuple[float, str]:
    """A quotient of sums, and its interval over customers."""
    who = pd.factorize(customers)[0]
    above, below = (np.bincount(who, weights=np.asarray(values, dtype=float)) for values in (hits, of))
    counts = np.hstack(list(resamples(len(above), REPEATS, _rng())))
    low, high = np.quantile(ratio(above @ counts, below @ counts), [0.025, 0.975])
    return float(above.sum() / below.sum()), _between(low, high, ".1%")


def _between(low: float, high: float, form: str) -> str:
    return f"{low:{form}} to {high:{form}}"


def _rng() -> np.random.Generator:
    return np.random.default_rng(DRAWS)


def table_of(found: Sequence[Gate]) -> str:
    """The gates as lines of text."""
    held = {True: "held", False: "NOT HELD", None: ""}
    lines = [(held[gate.met], gate.name, gate.asked, gate.measured, gate.interval) for gate in found]
    head = ("", "gate", "asked", "measured", "95 % interval")
    widths = [max(len(line[place]) for line in [head, *lines]) for place in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                     for line in [head, *lines])  # fmt: skip


def kept(found: Sequence[Gate], command: str) -> dict[str, object]:
    """The gates as `docs/simulator.md` reads them; one that does not hold says so."""
    rows = []
    for gate in found:
        row = {name: value for name, value in asdict(gate).items() if name != "met"}
        row["measured"] += " - **not held**" if gate.met is False else ""
        rows.append({**row, "command": command})
    return {"gates": rows}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()

    def say(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    normal = judge("normal", asked.customers, asked.seeds, say=say)
    null = judge("null", NULL_TIMES * asked.customers, asked.seeds, watched=asked.customers, say=say)
    others = {
        preset: judge(preset, asked.customers, asked.seeds, with_facts=False, say=say) for preset in ("easy", "hard")
    }
    found = list(gates(normal, null, others))
    seeds = " ".join(map(str, asked.seeds))
    command = f"python benchmarks/simulator_gates.py --customers {asked.customers} --seeds {seeds}"
    asked.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(kept(found, command), indent=2, ensure_ascii=False) + "\n"
    (asked.out / "gates.json").write_text(text, encoding="utf-8")
    print(table_of(found))


if __name__ == "__main__":
    main()
