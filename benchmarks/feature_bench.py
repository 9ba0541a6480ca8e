"""What the feature engine costs: against SQL written by hand, plain pandas and featuretools, from one million lines on.

Every contestant is a process of its own that computes features of every customer at monthly cutoffs from the same clean
order lines and writes them to Parquet. CPU seconds (user and system) and peak memory are the operating system's account
of that process; wall time is kept and never judged. A run adds its measurements to ``features.json``, where one of the
same contestant, size and cutoffs replaces the earlier one, and draws table and plot anew.

Example: python benchmarks/features.py --lines 1000000 --work var/features
"""

# Nothing heavy is imported before the last contestant has run: see resources.py.
import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from benchmarks.resources import RESULTS, StepFailedError, spent

HERE = Path(__file__).parent
CUTOFFS = (1, 6, 12, 24)
#: Lines an order; the second has as many customers and order days, and so many times the lines.
ORDER_SIZES = (10, 40)
FIRST_SIZE = 1_000_000
#: Cutoffs of pandas.
PANDAS = (3, max(CUTOFFS))
#: Lines and cutoffs of featuretools.
FEATURETOOLS = (100_000, 3)


def lines_for(work: Path, lines: int, lines_per_order: int = ORDER_SIZES[0]) -> Path:
    """The folder with the clean events of so many lines; they are made on the first call."""
    place = work / f"{lines}-{lines_per_order}"
    if not (place / "events" / "manifest.json").exists():
        place.mkdir(parents=True, exist_ok=True)
        given = [str(lines), "--lines-per-order", str(lines_per_order), "--out", str(place)]
        spent([sys.executable, str(HERE / "feature_lines.py"), *given, "--only-lines"], place / "lines.log")
        usage = spent([sys.executable, str(HERE / "feature_lines.py"), *given, "--written"], place / "ingest.log")
        record = _record("ingest", place, 0, usage.cpu_seconds, usage.peak_mb, usage.wall_seconds)
        (place / "ingest.json").write_text(json.dumps(record), encoding="utf-8")
    return place


def _record(contestant: str, place: Path, cutoffs: int, cpu: float, peak_mb: float, wall: float) -> dict[str, object]:
    """A measurement with the size of what was measured, as it is kept."""
    manifest = json.loads((place / "events" / "manifest.json").read_text(encoding="utf-8"))
    asked, per_order = place.name.split("-")
    return {
        "contestant": contestant,
        "asked_lines": int(asked),
        "lines_per_order": int(per_order),
        "cutoffs": cutoffs,
        "lines": manifest["sizes"]["transactions"],
        "customers": manifest["sizes"]["customers"],
        "buckets": manifest["buckets"],
        "cpu_seconds": round(cpu, 1),
        "peak_mb": round(peak_mb),
        "wall_seconds": round(wall, 1),
    }


def measured(contestant: str, place: Path, cutoffs: int) -> dict[str, object]:
    """Run one contestant in a process of its own; return its measurement.

    Raises
    ------
    StepFailedError
        If it does not end well.
    """
    print(f"- {contestant}, {place.name}, {cutoffs} cutoffs", file=sys.stderr, flush=True)
    out = place / f"{contestant}-{cutoffs}"
    script = [sys.executable, str(HERE / "feature_runs.py"), contestant, str(place / "events")]
    usage = spent([*script, "--cutoffs", str(cutoffs), "--out", str(out)], place / f"{contestant}-{cutoffs}.log")
    record = _record(contestant, place, cutoffs, usage.cpu_seconds, usage.peak_mb, usage.wall_seconds)
    if contestant == "by_relation":
        return record | {"relations": json.loads((out / "relations.json").read_text(encoding="utf-8"))}
    return record | {"columns": _columns(out)}


def _columns(out: Path) -> int:
    """How many features were written; another process reads it, so that this one stays small."""
    code = (
        "import sys, glob, pyarrow.parquet as pq; names = pq.read_schema(sorted(glob.glob(sys.argv[1]))[0]).names; "
        "keys = {'customer_id', 'as_of', 'segment', 'cohort', 'churn_window_days'}; "
        "print(sum(name not in keys and not name.startswith('__') for name in names))"
    )
    found = subprocess.run([sys.executable, "-c", code, f"{out}/*.parquet"], capture_output=True, check=True, text=True)
    return int(found.stdout)


def by_featuretools(place: Path, cutoffs: int, environments: Path) -> dict[str, object]:
    """The measurement of featuretools, in the environment of the contestant of that name of outside_models.py."""
    from benchmarks.outside_models import SCRIPTS, Contestant, environment

    print(f"- by_featuretools, {place.name}, {cutoffs} cutoffs", file=sys.stderr, flush=True)
    contestant = Contestant(SCRIPTS / "featuretools_lightgbm")
    python = environment(contestant, environments, place / "environment.log")
    code = (
        'import sys, duckdb; duckdb.sql(f"COPY (SELECT customer_id, order_id, ordered_at, known_at, '
        "CAST(amount AS DOUBLE) AS amount, product_id FROM '{sys.argv[1]}') TO '{sys.argv[2]}'\")"
    )
    lines, out = place / "lines.parquet", place / f"by_featuretools-{cutoffs}"
    out.mkdir(exist_ok=True)
    subprocess.run([sys.executable, "-c", code, f"{place}/events/transactions/*/*.parquet", str(lines)], check=True)
    script = [str(python), "-E", "-s", str(contestant.folder / "at_cutoffs.py"), str(lines), str(out / "0.parquet")]
    first = date(2025, 1, 1)
    as_ofs = [(first - timedelta(days=30 * n)).isoformat() for n in range(cutoffs)]
    usage = spent([*script, *as_ofs], place / "by_featuretools.log")
    record = _record("by_featuretools", place, cutoffs, usage.cpu_seconds, usage.peak_mb, usage.wall_seconds)
    return record | {"columns": _columns(out)}


def run(arguments: argparse.Namespace) -> None:
    """All measurements of the sizes that are asked for, each kept as soon as it is there."""
    most = max(CUTOFFS)
    for lines in arguments.lines:
        place = lines_for(arguments.work, lines)
        keep(json.loads((place / "ingest.json").read_text(encoding="utf-8")), arguments.out)
        for contestant in arguments.contestants or ("product", "by_hand", "everything"):
            keep(measured(contestant, place, most), arguments.out)
        if lines != FIRST_SIZE or arguments.contestants:
            continue
        for cutoffs in CUTOFFS[:-1]:
            for contestant in ("product", "by_hand"):
                keep(measured(contestant, place, cutoffs), arguments.out)
        larger = lines_for(arguments.work, lines * ORDER_SIZES[1] // ORDER_SIZES[0], ORDER_SIZES[1])
        for one in (place, larger):
            keep(measured("by_relation", one, most), arguments.out)
        for contestant in ("product", "by_hand"):
            keep(measured(contestant, larger, most), arguments.out)
        for cutoffs in PANDAS:
            for contestant in ("by_pandas", "product_as_pandas", "product"):
                keep(measured(contestant, place, cutoffs), arguments.out)
        small = lines_for(arguments.work, FEATURETOOLS[0])
        keep(by_featuretools(small, FEATURETOOLS[1], arguments.environments), arguments.out)
        keep(measured("product", small, FEATURETOOLS[1]), arguments.out)


def keep(record: dict[str, object], out: Path) -> None:
    """Put a measurement into ``features.json`` in the place of an earlier one of the same."""
    path = out / "features.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"runs": []}
    which = ("contestant", "asked_lines", "lines_per_order", "cutoffs")
    runs = [one for one in known["runs"] if any(one[name] != record[name] for name in which)]
    runs = sorted([*runs, record], key=lambda one: [str(one["contestant"]), *(int(one[name]) for name in which[1:])])
    machine = {"cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()}
    machine["memory_gb"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    known |= {"runs": runs, "machine": machine | {"system": platform.system()}, "date": date.today().isoformat()}
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measure the feature engine against SQL by hand, pandas and featuretools.",
        epilog="Example: python benchmarks/features.py --lines 1000000 --work var/features",
    )
    parser.add_argument(
        "--lines", type=int, nargs="*", default=[FIRST_SIZE], help="sizes (%(default)s); with none: page"
    )
    parser.add_argument("--contestants", nargs="*", help="only these, at the most cutoffs")
    parser.add_argument("--work", type=Path, default=Path("var") / "features", help="folder for lines (%(default)s)")
    parser.add_argument("--environments", type=Path, default=Path("var") / "outside", help="as of outside_models.py")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for features.md (%(default)s)")
    return parser


def main(given: Sequence[str] | None = None) -> int:
    """Run the command."""
    arguments = _parser().parse_args(given)
    try:
        run(arguments)
    except StepFailedError as error:
        print(error, file=sys.stderr)
        return 2
    from benchmarks.feature_page import write

    write(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
