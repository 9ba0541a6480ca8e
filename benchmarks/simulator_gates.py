"""The gates of the simulated world: conditions that make it neither trivial nor impossible, measured and printed.

They are set to the world and not to the product. Writes gates.json for docs/simulator.md (then `make docs`). The same
arguments give the same figures.

Example: python benchmarks/simulator_gates.py --customers 1500 --seeds 1 2 3
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from benchmarks.simulator_facts import plain_facts
from benchmarks.standing_truth import FILTER, LATENT, ORACLES, Truth
from features.labels import no_order_within
from features.quarantine import ingest
from features.registry import registered
from features.simulate import World, simulate, write
from features.simulate.oracles import PARTICLES, oracles
from features.snapshots import ELIGIBLE, Cohort, SnapshotTable, Window, take
from features.sources import open_source
from models.book import resamples
from models.evaluation import difference, standing_table
from models.figures import FloatArray, ratio
from pipelines.simulate import ORACLE_HORIZON_DAYS, oracle_dates

OUT = Path(__file__).parents[1] / "docs" / "simulator"
END = date(2026, 10, 1)
CUSTOMERS, MONTHS, SEEDS, CUTOFFS = 1500, 36, (1, 2, 3), 6
SILENT, GONE = "no_order", "lost"  # outcomes: no order within, lost after `ORACLE_HORIZON_DAYS`
#: What each oracle promises for an outcome.
PROMISES = {SILENT: f"p_no_order_{ORACLE_HORIZON_DAYS}", GONE: f"p_lost_{ORACLE_HORIZON_DAYS}"}
RECENCY = "days_since_last_order"
REPEATS, DRAWS = 300, 20_261_001  # resamples of customers, and the seed of them
MASTER = "customers: "  # facts of the accounts' file: what is told of a customer, not by it
OF_FILTER = (0.85, 0.93)
MOST_BY_RECENCY, MOST_BY_ONE, MOST_IN_NULL = 0.80, 0.85, 0.55
LEAST_UNPREDICTABLE = 0.15
SLOPES, SUDDEN = (0.85, 1.15), (0.20, 0.30)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Gate:
    """One condition: what was asked, what came out, and whether it holds (None where nothing was asked)."""

    name: str
    asked: str
    measured: str
    interval: str
    met: bool | None = None


@dataclass(frozen=True)
class Judged:
    """Some worlds of one preset at their cutoffs.

    Attributes
    ----------
    rows
        One row per (customer, cutoff) of the product's cohort: `customer_id` and `as_of` (both with the seed, as each
        world is one of its own), the outcomes `no_order` and `lost` (0 or 1), `gone` (lost already at the cutoff),
        `proneness` (true constant factor of the hazards), `<oracle> p_...`, and the facts.
    facts
        Names of the columns of facts: the product's features, and those of `plain_facts`.
    losses
        Losses: `sudden` of all, `customer_id` and `as_of` (the last cutoff before it, missing where none is less than
        a month before).
    """

    rows: pd.DataFrame
    facts: tuple[str, ...]
    losses: pd.DataFrame


def judge(preset: str, customers: int, seeds: Sequence[int], *, particles: int = PARTICLES, cutoffs: int = CUTOFFS,
          with_facts: bool = True, say: Say = lambda _: None) -> Judged:  # fmt: skip
    """Worlds of a preset, one per seed, at the last `cutoffs` starts of a month whose outcome is known."""
    parts = []
    for seed in seeds:
        say(f"{preset}, seed {seed}: a world of {customers} customers")
        world = simulate(customers, MONTHS, seed=seed, preset=preset, end=END)
        dates = oracle_dates(world)[-cutoffs:]
        parts.append(_judged(world, dates, particles, with_facts, say))
    rows = pd.concat([part.rows for part in parts], ignore_index=True)
    return Judged(rows, parts[0].facts, pd.concat([part.losses for part in parts], ignore_index=True))


def _judged(world: World, dates: Sequence[date], particles: int, with_facts: bool, say: Say) -> Judged:
    """One world."""
    with tempfile.TemporaryDirectory(prefix="kizashi-gates-") as place:
        say("  its tables through an ingest, and what they show plainly")
        write(world, Path(place) / "data")
        later = datetime.combine(END, datetime.min.time(), UTC)
        events = ingest(open_source(Path(place) / "data"), Path(place) / "events", run_at=later, timezone="UTC").events
        table = take(events, dates, cohort=Cohort(), window=Window())
        facts = plain_facts(events, dates) if with_facts else None
    say(f"  the oracles, {particles} particles for each customer")
    told = oracles(world, dates, len(world.scene.accounts), particles=particles)
    rows = _rows(world, table, told)
    names = [feature.name for feature in registered()]
    if facts is not None:
        rows = rows.merge(facts, on=["customer_id", "as_of"], how="left", validate="one_to_one")
        names += [str(name) for name in facts.columns[2:]]
    losses = _losses(world, dates)
    seed = f"{world.settings['seed']}:"
    return Judged(_apart(rows, seed), tuple(names), _apart(losses, seed))


def _rows(world: World, table: SnapshotTable, told: pd.DataFrame) -> pd.DataFrame:
    """The cohort with outcomes and forecasts."""
    outcome = no_order_within(table.outcomes(), ORACLE_HORIZON_DAYS)
    rows = table.frame.assign(no_order=outcome).query(f"cohort == '{ELIGIBLE}'").reset_index(drop=True)
    rows["as_of"] = rows["as_of"].astype("datetime64[us]")
    truth = Truth(world.truth["losses"], told, END)
    rows[GONE] = truth.lost_at(rows, ORACLE_HORIZON_DAYS)
    rows["gone"] = truth.lost_at(rows, 0) == 1
    rows["proneness"] = rows["customer_id"].map(world.truth["customers"].set_index("customer_id")["proneness"])
    for oracle in ORACLES:
        mine = told[told["oracle"] == oracle].drop(columns="oracle").set_index(["customer_id", "as_of"])
        rows = rows.join(mine.add_prefix(f"{oracle} "), on=["customer_id", "as_of"], validate="one_to_one")
    return rows


def _losses(world: World, dates: Sequence[date]) -> pd.DataFrame:
    """Every loss with the last cutoff before it, if that is less than a month before."""
    losses = world.truth["losses"].assign(sudden=lambda table: ~table["symptomatic"])
    looks = pd.DataFrame({"as_of": pd.to_datetime(pd.Series(dates)).astype("datetime64[us]")})
    losses = pd.merge_asof(
        losses.sort_values(["lost_at", "customer_id"]), looks, left_on="lost_at", right_on="as_of",
        allow_exact_matches=False,
    )  # fmt: skip
    too_far = losses["lost_at"] > losses["as_of"] + pd.DateOffset(months=1)
    losses["as_of"] = losses["as_of"].mask(too_far)
    return losses[["customer_id", "as_of", "sudden"]]


def _apart(rows: pd.DataFrame, seed: str) -> pd.DataFrame:
    """The rows with keys that no other world has."""
    dated = rows["as_of"].dt.strftime("%Y-%m-%d")
    return rows.assign(customer_id=seed + rows["customer_id"].astype("str"), as_of=seed + dated)


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
    yield from report(normal)
    yield sudden_gate(normal)
    yield order_gate({"easy": others["easy"], "normal": normal, "hard": others["hard"]})


def filter_gate(normal: Judged) -> Gate:
    """The particle filter foretells silence well, and not too well."""
    low, high = OF_FILTER
    value, interval = _auc(normal.rows, normal.rows[f"{FILTER} {PROMISES[SILENT]}"], SILENT)
    return Gate("particle filter, AUC", f"{low} to {high}", f"{value:.3f}", interval, low <= value <= high)


def recency_gate(normal: Judged) -> Gate:
    """Days since the last order do not foretell it all."""
    value, interval = _auc(normal.rows, normal.rows[RECENCY], SILENT)
    asked = f"at most {MOST_BY_RECENCY:.2f}"
    return Gate("days since the last order, AUC", asked, f"{value:.3f}", interval, value <= MOST_BY_RECENCY)


def one_fact_gate(normal: Judged) -> Gate:
    """No single feature or plain fact foretells it all."""
    name, score = best_fact(normal.rows, normal.facts, SILENT)
    value, interval = _auc(normal.rows, score, SILENT)
    told = f"{value:.3f} (`{name}`)"
    asked = f"at most {MOST_BY_ONE:.2f}"
    return Gate(f"best of {len(normal.facts)} single facts, AUC", asked, told, interval, value <= MOST_BY_ONE)


def unpredictable_gate(normal: Judged) -> Gate:
    """Many a loss is announced by nothing that the filter sees."""
    chance = f"{FILTER} {PROMISES[GONE]}"
    there = normal.rows[~normal.rows["gone"]]
    usual = there.groupby("as_of")[chance].mean()
    lost = normal.losses.dropna(subset="as_of").merge(there, on=["customer_id", "as_of"])
    blind = lost[chance] <= lost["as_of"].map(usual)
    value, interval = _share(blind, np.ones(len(lost)), lost["customer_id"])
    return Gate(
        f"losses that the filter held for no likelier than others, of {len(lost)}",
        f"at least {LEAST_UNPREDICTABLE:.0%}", f"{value:.1%}", interval, value >= LEAST_UNPREDICTABLE,
    )  # fmt: skip


def calibration_gates(normal: Judged) -> Iterator[Gate]:
    """Both oracles promise what comes."""
    low, high = SLOPES
    for outcome, words in ((SILENT, "no order"), (GONE, "lost")):
        for one in standing_table(_oracles(normal.rows, outcome), repeats=REPEATS, rng=_rng()).to_dict("records"):
            slope, error = one["calibration_slope"], one["ece"]
            yield Gate(
                f"{one['contestant'].replace('_', ' ')}, {words}: calibration slope, ECE",
                f"{low} to {high}", f"{slope:.2f}, {error:.3f}",
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
    name, score = best_fact(there, signals, GONE)
    value, interval = _auc(there, score, GONE)
    return Gate(
        f"null: best of {len(signals)} plain facts beside the orders, AUC for a coming loss",
        f"at most {MOST_IN_NULL:.2f}", f"{value:.3f} (`{name}`)", interval, value <= MOST_IN_NULL,
    )  # fmt: skip


def null_filter_gate(null: Judged) -> Gate:
    """Where nothing announces a loss, the filter knows of it what it knew on the first day: how prone each one is.

    It is asked for the chance of a loss to come, given that there is none yet.
    """
    there = null.rows[~null.rows["gone"]]
    now = there[f"{FILTER} p_lost_0"]
    ahead = (there[f"{FILTER} {PROMISES[GONE]}"] - now) / np.maximum(1 - now, 1e-9)
    frame = pd.concat([_scored(there, ahead, GONE, "filter"), _scored(there, there["proneness"], GONE, "constant")])
    told = difference(frame, "filter", "constant", "roc_auc", repeats=REPEATS, rng=_rng())
    return Gate(
        "null: filter less the customer's constant proneness to leave, AUC for a coming loss",
        "not surely above 0", f"{told.value:+.3f}", _between(told.low, told.high, "+.3f"), told.low <= 0,
    )  # fmt: skip


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
    return Gate("particle filter, AUC for a coming loss", asked, measured, "; ".join(intervals), falls)


def best_fact(rows: pd.DataFrame, names: Sequence[str], outcome: str) -> tuple[str, pd.Series[float]]:
    """The fact with the highest AUC and its score, turned so that high means the outcome.

    A missing value counts as the lowest or as the highest, and a fact is read either way, whichever is best.
    """
    values = rows[list(names)].to_numpy(dtype=float)
    y = rows[outcome].to_numpy() == 1
    found = []
    for missing in (-np.inf, np.inf):
        filled = np.where(np.isnan(values), missing, values)
        each = [_aucs(filled[here], y[here]) for here in rows.groupby("as_of").indices.values()]
        found.append(np.mean(each, axis=0))
    either = np.maximum(found, 1 - np.array(found))
    fill, place = np.unravel_index(int(either.argmax()), either.shape)
    # Ranks keep the order, and hold no infinity.
    ranks = pd.Series(values[:, place], index=rows.index).rank(na_option="top" if fill == 0 else "bottom")
    return names[place], ranks if found[fill][place] >= 0.5 else -ranks


def _aucs(values: FloatArray, y: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> FloatArray:
    """AUC of every column."""
    hits = int(y.sum())
    above = rankdata(values, axis=0)[y].sum(axis=0) - hits * (hits + 1) / 2
    return np.asarray(above / (hits * (len(y) - hits)))


def _scored(rows: pd.DataFrame, score: pd.Series[float], outcome: str, name: str = "one") -> pd.DataFrame:
    """Predictions as the standing table reads them."""
    return rows[["customer_id", "as_of"]].assign(contestant=name, probability=score, outcome=rows[outcome])


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

    def judged(preset: str, *, with_facts: bool) -> Judged:
        def say(what: str) -> None:
            print(what, file=sys.stderr, flush=True)

        return judge(preset, asked.customers, asked.seeds, with_facts=with_facts, say=say)

    normal, null = (judged(preset, with_facts=True) for preset in ("normal", "null"))
    others = {preset: judged(preset, with_facts=False) for preset in ("easy", "hard")}
    found = list(gates(normal, null, others))
    seeds = " ".join(map(str, asked.seeds))
    command = f"python benchmarks/simulator_gates.py --customers {asked.customers} --seeds {seeds}"
    asked.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(kept(found, command), indent=2, ensure_ascii=False) + "\n"
    (asked.out / "gates.json").write_text(text, encoding="utf-8")
    print(table_of(found))


if __name__ == "__main__":
    main()
