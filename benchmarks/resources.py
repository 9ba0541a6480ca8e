"""What each step costs: wall time, CPU seconds and peak memory, every step in a process of its own.

The steps are the commands of the product, so each one but the second reads and checks the file anew, as a user's run
does. CPU seconds and memory come from the operating system's account of the process when it has ended; they contain
the server that Prefect starts for ``train`` and ``score``.

Example: python benchmarks/resources.py --data online_retail_ii.parquet --layout online-retail-ii
"""

# The kernel counts the memory of whoever starts a process as memory that the process has had. This file therefore
# imports nothing heavy before the last step has run.
import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
CUTOFFS = 20
KIZASHI = (sys.executable, "-c", "from pipelines.cli import main; main()")
#: Bytes in the unit in which the system gives peak memory.
MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024
MEGABYTE = 1_000_000
#: First and last cutoff of the backtest, as reported for this layout.
REPORTED = {"online-retail-ii": ("2011-05-01", "2011-09-01")}


@dataclass(frozen=True)
class Usage:
    """What a process took: wall seconds, CPU seconds (with those that it started), peak of its largest process."""

    wall_seconds: float
    cpu_seconds: float
    peak_mb: float


class StepFailedError(RuntimeError):
    """A step ended with an error; the message ends with what it said last."""


def spent(command: Sequence[str], log: Path) -> Usage:
    """Run a command in a process of its own, its output in `log`, and say what it took.

    Raises
    ------
    StepFailedError
        If it does not end with 0.
    """
    started = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(list(command), stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    # Popen learns here that there is nobody left to wait for.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
        raise StepFailedError(f"{' '.join(command[-6:])} ended with {process.returncode}: {' / '.join(last)}")
    wall = time.perf_counter() - started
    return Usage(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * MEMORY_UNIT / MEGABYTE)


def measured(arguments: argparse.Namespace, work: Path) -> list[tuple[str, Usage]]:
    """Every step with what it took, in the order in which a user would take them."""
    given = ["--data", arguments.data, *(["--layout", arguments.layout] if arguments.layout else [])]
    common = [*given, "--out", str(work)]
    features = [sys.executable, __file__, "--features-of", str(work / "events"), "--cutoffs", str(arguments.cutoffs)]
    steps: list[tuple[str, Sequence[str]]] = [
        ("`kizashi check`: read, check, partition, count the cohort", [*KIZASHI, "check", *common]),
        (f"features and outcomes at {arguments.cutoffs} monthly cutoffs", features),
        ("`kizashi train`: walk forward, all contestants, register", [*KIZASHI, "train", *common]),
        ("`kizashi score`: every customer, reasons, publish", [*KIZASHI, "score", *common]),
    ]
    if arguments.only:
        steps = [one for one in steps if arguments.only in one[0]]
        return [_step(name, command, work) for name, command in steps]
    rows = [_step(name, command, work) for name, command in steps]
    customer = riskiest(work)
    rows.append(_step("`kizashi explain`: one customer", [*KIZASHI, "explain", customer, *common], work))
    first, last = arguments.first, arguments.last
    if first and last:
        replay = [*KIZASHI, "backtest", *given, "--from", first, "--to", last, "--out", str(work / "replay.parquet")]
        rows.append(_step(f"`kizashi backtest`: monthly, {first} to {last}, all contestants", replay, work))
    return rows


def _step(name: str, command: Sequence[str], work: Path) -> tuple[str, Usage]:
    print(f"- {name}", file=sys.stderr, flush=True)
    return name, spent(command, work / "step.log")


def riskiest(work: Path) -> str:
    """The customer with the highest published probability: the one whom a reader would ask about."""
    import sqlite3
    from contextlib import closing

    query = "SELECT customer_id FROM scores WHERE cohort = 'eligible' ORDER BY churn_probability DESC LIMIT 1"
    with closing(sqlite3.connect(work / "kizashi.db")) as database:
        return str(database.execute(query).fetchone()[0])


def take_features(folder: Path, cutoffs: int) -> None:
    """Features of all customers and their outcomes at the newest monthly cutoffs: what the second step runs."""
    from datetime import timedelta

    from features.buckets import read_events
    from features.snapshots import Cohort, Window, monthly, take

    events = read_events(folder)
    dates = monthly(events.data_end - timedelta(days=31 * cutoffs), events.data_end)[-cutoffs:]
    table = take(events, dates, cohort=Cohort(), window=Window())
    table.outcomes()


def page(rows: Sequence[tuple[str, Usage]], facts: Sequence[str]) -> str:
    """The table and the facts that it depends on, as Markdown."""
    lines = [
        "| step | wall seconds | CPU seconds | peak MB |",
        "|---|---:|---:|---:|",
        *(f"| {name} | {u.wall_seconds:.1f} | {u.cpu_seconds:.1f} | {u.peak_mb:,.0f} |" for name, u in rows),
        "",
        *(f"- {fact}" for fact in facts),
    ]
    return "\n".join(lines) + "\n"


def facts(arguments: argparse.Namespace, work: Path, load: tuple[float, float]) -> list[str]:
    """Data, machine, versions and how busy the machine was, without a path or a name of the machine."""
    from importlib.metadata import version

    from features.buckets import read_events

    events = read_events(work / "events")
    lines = customers = 0
    for bucket in range(events.buckets):
        with events.connect(bucket) as con:
            rows = con.execute("SELECT count(*), count(DISTINCT customer_id) FROM transactions").fetchall()
        lines, customers = lines + rows[0][0], customers + rows[0][1]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    data = arguments.data if "://" in arguments.data else Path(arguments.data).name
    layout = f" --layout {arguments.layout}" if arguments.layout else ""
    period = f" --from {arguments.first} --to {arguments.last}" if arguments.first and arguments.last else ""
    only = f" --only {arguments.only}" if arguments.only else ""
    names = ("kizashi", "duckdb", "lightgbm", "mlflow", "prefect")
    return [
        f"Made by `python benchmarks/resources.py --data {data}{layout}{period}{only}`.",
        f"Data: {lines:,} clean order lines of {customers:,} customers until {events.data_end}, in "
        f"{events.buckets} buckets; the commands read the whole file, rows without a customer included.",
        f"Machine: {cores} cores, {memory:.0f} GB of memory, {platform.system()}; mean number of processes that "
        f"wanted a core, ours included: {load[0]:.1f} before and {load[1]:.1f} at the end (last minute). Above the "
        "number of cores, wall time is that of a machine shared with others: then read the CPU seconds.",
        f"Peak MB is the largest resident size of any one process of the step ({MEGABYTE:,} bytes are 1 MB).",
        f"Versions: {', '.join(f'{name} {version(name)}' for name in names)}, Python {platform.python_version()}.",
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measure time and peak memory of each step, each in a process of its own.",
        epilog="Example: python benchmarks/resources.py --data online_retail_ii.parquet --layout online-retail-ii",
    )
    parser.add_argument("--data", help="folder, file or database URL, as for `kizashi train`")
    parser.add_argument("--layout", default="", help="ready column mapping, such as online-retail-ii")
    parser.add_argument("--from", dest="first", help="first cutoff of the backtest; without one it is left out")
    parser.add_argument("--to", dest="last", help="last cutoff of the backtest")
    parser.add_argument("--cutoffs", type=int, default=CUTOFFS, help="monthly cutoffs of the features (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for resources.md (%(default)s)")
    parser.add_argument("--only", default="", help="only the steps that have this in their name, such as train")
    parser.add_argument("--features-of", type=Path, help=argparse.SUPPRESS)
    return parser


def main(given: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = _parser()
    arguments = parser.parse_args(given)
    if arguments.features_of:
        take_features(arguments.features_of, arguments.cutoffs)
        return 0
    if not arguments.data:
        parser.error("give --data, the orders to measure on.")
    if not arguments.first and not arguments.last:
        arguments.first, arguments.last = REPORTED.get(arguments.layout, (None, None))
    with tempfile.TemporaryDirectory(prefix="kizashi-resources-") as place:
        work, before = Path(place), os.getloadavg()[0]
        try:
            rows = measured(arguments, work)
        except StepFailedError as error:
            print(error, file=sys.stderr)
            return 2
        text = page(rows, facts(arguments, work, (before, os.getloadavg()[0])))
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "resources.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
