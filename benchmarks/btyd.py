"""Time, memory and parameters of the label-free model on customers drawn from the model itself.

Whoever has ordered once before the cutoff is in the book; the rates, the chances to leave and so the right parameters
are known. Every size and regularity is fitted twice, on all customers and on the sample that the product uses, and
scores all of them, each in a process of its own with one thread.

Example: python benchmarks/btyd.py --customers 1000000
"""

# The kernel counts the memory of whoever starts a process as memory that the process has had: nothing heavy is imported
# here before the last child has ended.
import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
MEGABYTE = 1_000_000
#: Bytes in the unit in which the system gives peak memory.
MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024
#: The law that customers are drawn from; the usual gap of all regularities is the same 25 days.
TRUTH = {"r": 0.8, "alpha": 20.0, "a": 0.7, "b": 3.0}
REGULARITIES = (1, 2, 3)
#: Customers that the product fits on where there are more.
SAMPLE = 20_000
HORIZON = 90
#: Seconds for one million customers.
GOALS = {"fit": 120.0, "score": 10.0}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def drawn_book(customers: int, k: int, seed: int) -> dict[str, Any]:
    """Repeat order days, age at the last one and age at the cutoff of customers whose law is known."""
    import numpy as np

    rng = np.random.default_rng(seed)
    rate = rng.gamma(TRUTH["r"], k / TRUTH["alpha"], customers)
    leaving = rng.beta(TRUTH["a"], TRUTH["b"], customers)
    age = rng.uniform(100, 900, customers)
    x, t_x = np.zeros(customers), np.zeros(customers)
    active = np.flatnonzero(rng.random(customers) >= leaving)
    clock = np.zeros(customers)
    while active.size:
        clock[active] += rng.gamma(k, 1 / rate[active])
        active = active[clock[active] <= age[active]]
        x[active] += 1
        t_x[active] = clock[active]
        active = active[rng.random(active.size) >= leaving[active]]
    return {"x": x, "t_x": t_x, "T": age}


def measure(customers: int, k: int, sample: int, seed: int) -> dict[str, float]:
    """CPU seconds of the draw, the fit and the score, peak memory and the parameters found: what a child prints."""
    import resource

    import numpy as np

    from models.btyd import BTYD

    book = drawn_book(customers, k, seed)
    before, started = time.process_time(), time.perf_counter()
    model = BTYD.fit(**book, k=k, sample=sample, rng=np.random.default_rng(seed))
    fitted, fitted_wall = time.process_time(), time.perf_counter()
    alive = model.p_alive(**book)
    silent = model.p_no_order(**book, days=HORIZON)
    scored, scored_wall = time.process_time(), time.perf_counter()
    truth = BTYD(k, True, TRUTH["r"], TRUTH["alpha"] / k, TRUTH["a"], TRUTH["b"], None, 0)
    error = np.abs(silent - truth.p_no_order(**book, days=HORIZON)).mean()
    return {
        "fit": fitted - before,
        "fit_wall": fitted_wall - started,
        "score": scored - fitted,
        "score_wall": scored_wall - fitted_wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MEMORY_UNIT / MEGABYTE,
        "fitted_on": float(model.n),
        "r": model.r,
        "alpha": model.alpha * k,
        "a": model.a,
        "b": model.b,
        "error": float(error),
        "mean_alive": float(alive.mean()),
        "mean_silent": float(silent.mean()),
    }


def run(customers: int, k: int, sample: int, seed: int) -> dict[str, float]:
    """One measurement, in a process of its own with one thread."""
    command = [sys.executable, __file__, "--measure", str(k), str(sample)]
    command += ["--customers", str(customers), "--seed", str(seed)]
    inherited = {name: value for name, value in os.environ.items() if name not in THREADS}
    found = subprocess.run(
        command, env=inherited | dict.fromkeys(THREADS, "1"), stdout=subprocess.PIPE, text=True, check=True
    )
    values: dict[str, float] = json.loads(found.stdout)
    return values


def page(rows: Sequence[tuple[int, dict[str, float]]], facts: Sequence[str]) -> str:
    """Both tables and what they depend on, as Markdown."""
    lines = [
        *facts[:1],
        "",
        "| gaps | fitted on | fit, CPU s | score, CPU s | fit, wall s | score, wall s | peak MB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for k, row in rows:
        times = " | ".join(f"{row[name]:.2f}" for name in ("fit", "score", "fit_wall", "score_wall"))
        lines.append(f"| Erlang-{k} | {row['fitted_on']:,.0f} | {times} | {row['peak_mb']:,.0f} |")
    lines += ["", f"| gaps | fitted on | r | alpha (days) | a | b | error of P(no order in {HORIZON} days) |"]
    lines += ["|---|---:|---:|---:|---:|---:|---:|"]
    right = " | ".join(f"{value:.3f}" for value in TRUTH.values())
    lines.append(f"| the law drawn from | | {right} | |")
    for k, row in rows:
        found = " | ".join(f"{row[name]:.3f}" for name in TRUTH)
        lines.append(f"| Erlang-{k} | {row['fitted_on']:,.0f} | {found} | {row['error']:.5f} |")
    worst = {name: max(row[f"{name}_wall"] for _, row in rows) for name in GOALS}
    told = [f"{name} {worst[name]:.1f} s of {goal:.0f} s" for name, goal in GOALS.items()]
    met = all(worst[name] < goal for name, goal in GOALS.items())
    verdict = (
        f"- Goals, set for 1,000,000 customers: {', '.join(told)} (wall time, at worst): {'met' if met else 'missed'}."
    )
    return "\n".join([*lines, "", *(f"- {fact}" for fact in facts[1:]), verdict]) + "\n"


def facts(customers: int, seed: int, load: tuple[float, float]) -> list[str]:
    """The command, the machine and how busy it was, without a path or a name of the machine."""
    from importlib.metadata import version

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return [
        f"Made by `python benchmarks/btyd.py --customers {customers} --seed {seed}`.",
        f"{customers:,} customers drawn from the model itself, first ordered 100 to 900 days before the cutoff. Every "
        "row scores all of them: P(alive) and P(no order). The time of the draw is not counted.",
        f"`alpha` is given for all regularities as that of Erlang-1 (k times the model's own), `error` is the mean "
        f"absolute difference from P(no order in {HORIZON} days) under the law that was drawn from.",
        f"One thread each. Machine: {cores} cores, {platform.system()}; mean number of processes that wanted a core, "
        f"ours included: {load[0]:.1f} before and {load[1]:.1f} at the end (last minute). Above the number of cores, "
        "read the CPU seconds.",
        f"Peak MB is the largest resident size, the drawn book included ({MEGABYTE:,} bytes are 1 MB).",
        f"Versions: numpy {version('numpy')}, scipy {version('scipy')}, Python {platform.python_version()}.",
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measure fit and score of the label-free model on customers whose law is known.",
        epilog="Example: python benchmarks/btyd.py --customers 1000000",
    )
    parser.add_argument("--customers", type=int, default=1_000_000, help="customers in the book (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for btyd.md (%(default)s)")
    parser.add_argument("--measure", nargs=2, type=int, help=argparse.SUPPRESS)
    return parser


def main(given: Sequence[str] | None = None) -> int:
    """Run the command."""
    arguments = _parser().parse_args(given)
    if arguments.measure:
        k, sample = arguments.measure
        print(json.dumps(measure(arguments.customers, k, sample, arguments.seed)))
        return 0
    before, rows = os.getloadavg()[0], []
    for k in REGULARITIES:
        for everybody in (True, False):
            print(f"- Erlang-{k}, {'all customers' if everybody else 'sample'}", file=sys.stderr, flush=True)
            sample = arguments.customers if everybody else SAMPLE
            rows.append((k, run(arguments.customers, k, sample, arguments.seed)))
    text = page(rows, facts(arguments.customers, arguments.seed, (before, os.getloadavg()[0])))
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "btyd.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
