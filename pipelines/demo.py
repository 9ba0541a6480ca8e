"""The demonstration: a simulated company from orders to this morning's warnings, without a network or a file."""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from features.simulate import simulate, write
from features.snapshots import Progress, silent
from pipelines.intake import Intake, Request, take_in
from pipelines.score import Scored, score
from pipelines.train import Trained, train

#: The simulated company's last day; fixed, so that the demonstration is the same for everybody.
END = date(2026, 10, 1)


@dataclass(frozen=True)
class Demo:
    """What the demonstration made."""

    intake: Intake
    trained: Trained
    scored: Scored


def run(out: Path, customers: int, months: int, seed: int, *, progress: Progress = silent) -> Demo:
    """Simulate, check, train and score below `out`, which is emptied of an earlier demonstration first."""
    progress(f"simulating {customers} customers over {months} months", 0.0)
    data = out / "data"
    for earlier in (data, out / "events", out / "mlflow"):
        shutil.rmtree(earlier, ignore_errors=True)
    for database in out.glob("kizashi.db*"):
        database.unlink()
    write(simulate(customers, months, seed=seed, preset="normal", end=END), data)
    intake = take_in(Request(str(data), out))
    trained = train(intake, progress=progress)
    return Demo(intake, trained, score(intake, progress=progress))
