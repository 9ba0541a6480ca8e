"""The demonstration: a simulated company from orders to this morning's warnings, without a network or a file."""

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from features.errors import SettingsError
from features.simulate import simulate, write
from features.snapshots import Progress, silent
from pipelines.caller import user
from pipelines.intake import Intake, Request, take_in
from pipelines.score import Scored, score
from pipelines.settings import Settings
from pipelines.train import Asked, Trained, train

#: The simulated company's last day; fixed, so that the demonstration is the same for everybody.
END = date(2026, 10, 1)


@dataclass(frozen=True)
class Demo:
    """What the demonstration made."""

    intake: Intake
    trained: Trained
    scored: Scored


#: Says that a folder is a demonstration's own and may be emptied by the next one.
MARK = ".kizashi-demo"


def make_room(out: Path) -> None:
    """Make the demonstration's folder, emptied of an earlier demonstration.

    Raises
    ------
    SettingsError
        If it holds anything that no demonstration has made.
    """
    if out.is_dir() and not (out / MARK).exists() and any(path.name != "prefect" for path in out.iterdir()):
        raise SettingsError(f"--out {out}: holds files that are no demonstration's. Give an empty or a new folder.")
    for earlier in ("data", "events", "mlflow", "snapshots", "walks"):
        shutil.rmtree(out / earlier, ignore_errors=True)
    for database in out.glob("kizashi.db*"):
        database.unlink()
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).touch()


def run(out: Path, customers: int, months: int, seed: int, *, progress: Progress = silent) -> Demo:
    """Simulate, check, train and score below `out`, with the packaged settings and nothing of the user's own."""
    make_room(out)
    progress(f"simulating {customers} customers over {months} months", 0.0)
    data = out / "data"
    write(simulate(customers, months, seed=seed, preset="normal", end=END), data)
    intake = take_in(Request(str(data), out, given=Settings()))
    trained = train(intake, Asked(user(), datetime.now(UTC)), progress=progress)
    return Demo(intake, trained, score(intake, progress=progress))
