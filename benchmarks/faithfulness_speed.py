"""What the reasons of many customers with their sentences cost, in processes of their own.

Run by itself it explains one file of snapshots: python benchmarks/faithfulness_speed.py FOLDER PART PARTS
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.faithfulness_exact import WORDS, of_kind
from benchmarks.faithfulness_figures import Figure, Section
from benchmarks.faithfulness_made import Company
from benchmarks.faithfulness_told import Told
from benchmarks.resources import MEGABYTE
from features.registry import registered
from models import reasons as why
from models.churn_model import ChurnModel
from models.classifiers import LIGHTGBM
from models.selection import ALONE, LABEL_FREE
from pipelines.explaining import Terms, explained

CUSTOMERS = 5_000
SECONDS = 20.0
CORES = 2
ROWS, SPREAD, MODEL = "rows.parquet", "spread.parquet", "model"


def speed(company: Company, held: Told, spread: pd.DataFrame, work: Path, customers: int = CUSTOMERS) -> Section:
    """Seconds and memory for the reasons of so many customers, by LightGBM alone and by the champion in use."""
    times = -(-customers // len(held.rows))
    rows = pd.concat([held.rows] * times, ignore_index=True).head(customers)
    rows = rows.assign(customer_id=[f"{who}-{i}" for i, who in enumerate(rows["customer_id"])])
    kinds = {LIGHTGBM: of_kind(company.model, LIGHTGBM)}
    if company.model.weights not in (ALONE[LIGHTGBM], ALONE[LABEL_FREE]):
        kinds[company.model.selection.in_use] = company.model
    figures = []
    for kind, model in kinds.items():
        folder = work / f"speed-{kind}"
        folder.mkdir()
        model.save(folder / MODEL)
        rows.to_parquet(folder / ROWS)
        spread.to_parquet(folder / SPREAD)
        alone = _run(folder, 1)
        both = _run(folder, CORES)
        slowest, cpu, peak = (max(one[name] for one in both) for name in ("seconds", "cpu_seconds", "peak_mb"))
        beside = (
            ("wall seconds, as busy as the machine was", slowest),
            ("one process for all", alone[0]["cpu_seconds"]),
            ("peak MB of each process", peak),
        )
        words = f"CPU seconds of the slower of {CORES} processes, {WORDS[kind]}"
        figures.append(Figure(words, cpu, n=len(rows), beside=beside, most=SECONDS))
    bags = max((len(bag) for bag in company.model.boosting.bags), default=0)
    about = (
        f"Reasons with their sentences (`pipelines.explaining.explained`) of {customers:,} customers: those warned "
        f"about at the first date, repeated. LightGBM with {bags} models for each horizon and "
        f"{len(company.model.boosting.columns)} columns. As many processes as cores, each with its share "
        "of the customers and one thread: on a machine left alone their CPU seconds are the wall time. Without the "
        "start of Python; memory is the largest resident size of a process, model and libraries included."
    )
    return Section("Speed", about, figures)


def _run(folder: Path, parts: int) -> list[dict[str, float]]:
    """What each of so many processes at the same time took, as :func:`explain` says it."""
    commands = [[sys.executable, __file__, str(folder), str(part), str(parts)] for part in range(parts)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    said = [one.communicate()[0] for one in running]
    if any(one.returncode for one in running):
        raise RuntimeError(f"explaining {folder.name} ended with {[one.returncode for one in running]}")
    return [json.loads(one) for one in said]


def explain(folder: Path, part: int, parts: int) -> dict[str, float]:
    """Explain every so-manieth row of a folder, and say what it took."""
    registered()
    model = ChurnModel.load(folder / MODEL)
    rows = pd.read_parquet(folder / ROWS).iloc[part::parts].reset_index(drop=True)
    spread = pd.read_parquet(folder / SPREAD)
    terms = Terms(rows["as_of"].iloc[0].date(), 5, "", spread)
    started, worked = time.perf_counter(), time.process_time()
    told = explained(model, rows.astype({"customer_id": "str"}), terms)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - worked
    if told.loc[told["feature"] != why.OTHER, "text"].eq("").any():
        raise RuntimeError("a reason has no sentence")
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """Largest resident size of this process; NaN where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return float(np.nan)
    (line,) = (one for one in status.read_text(encoding="utf-8").splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / MEGABYTE


def main(given: Sequence[str] | None = None) -> int:
    """Explain one part and print what it took as JSON."""
    folder, part, parts = sys.argv[1:] if given is None else given
    print(json.dumps(explain(Path(folder), int(part), int(parts))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
