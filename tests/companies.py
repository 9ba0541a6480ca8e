"""Two companies that go the whole way: a simulated one, trained and backtested once by the real commands, and a
written one whose future can be read off."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from os import killpg
from pathlib import Path

import pandas as pd

from features.simulate import simulate, write
from pipelines.intake import Intake, Request, take_in

KIZASHI = Path(sys.executable).with_name("kizashi")
#: The champion's date, and a later one that it scores; on the day before each somebody ordered.
TRAINED = date(2026, 7, 1)
DAY = date(2026, 8, 1)
#: The oldest cutoff that the training tests its contestants on, and the first one of the backtest.
FIRST = date(2026, 3, 1)
#: Few dates and trees, and one thread, because several processes share the machine.
SETTINGS = """\
[training]
threads = 1
test_cutoffs = 2
max_slices = 9
[lightgbm]
rounds = 5
bags = 2
most_columns = 20
learning_rate = 0.1
min_child_samples = 20
"""
#: As few of them as a training takes.
SHORT = """\
[training]
threads = 1
slice_every_months = 3
test_cutoffs = 1
max_slices = 3
[lightgbm]
rounds = 5
bags = 2
most_columns = 20
"""


#: Runs a command where no network is but the machine's own loopback, which has to be switched on.
ALONE = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


def started(arguments: list[str], folder: Path, network: bool = True, **variables: str) -> subprocess.Popen[str]:
    """The real command in a process group of its own, which is where Prefect's server goes, too."""
    return subprocess.Popen(
        [*([] if network else ALONE), str(KIZASHI), *arguments],
        cwd=folder,
        env=environment(folder) | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def environment(folder: Path) -> dict[str, str]:
    """That of a new user: nothing of this project is set."""
    ours = ("KIZASHI", "PREFECT", "MLFLOW", "OPENBLAS", "DO_NOT_TRACK", "PYTEST")
    inherited = dict(os.environ)  # noqa: TID251
    return {name: value for name, value in inherited.items() if not name.startswith(ours)} | {"HOME": str(folder)}


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str


#: A command run in the process of a test.
Run = Callable[..., Finished]


def finished(process: subprocess.Popen[str]) -> Finished:
    """Wait for a command; a hang is a failure."""
    try:
        out, err = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        killpg(process.pid, signal.SIGKILL)
        raise
    return Finished(process.returncode, out, err)


def kizashi(*arguments: str, folder: Path) -> Finished:
    """Run the real command in a folder."""
    return finished(started([*arguments], folder))


@dataclass(frozen=True)
class Company:
    """The simulated company: `folder` holds `data`, `out` with the champion of `TRAINED`, and `predictions.parquet`."""

    folder: Path
    data: Path

    @property
    def predictions(self) -> Path:
        """The file of `kizashi backtest` from `FIRST` to `TRAINED`."""
        return self.folder / "predictions.parquet"

    def said(self, command: str) -> str:
        """What a command printed."""
        return (self.folder / f"{command}.txt").read_text(encoding="utf-8")

    def register_at(self, out: Path) -> Path:
        """Put a copy of the register of models and their walks into another output folder, and return that."""
        for name in ("mlflow", "walks"):
            shutil.copytree(self.folder / "out" / name, out / name)
        return out

    def taken_in(self, out: Path, as_of: date, data: Path | None = None) -> Intake:
        """Clean events of the company, or of other data, to be scored at a date."""
        return take_in(Request(str(data or self.data), out, as_of, self.data / "kizashi.toml"))

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table as it stands in its file."""
        return {file.stem: pd.read_parquet(file) for file in sorted(self.data.glob("*.parquet"))}

    def changed(self, folder: Path, **tables: pd.DataFrame) -> Path:
        """A folder with the company's data and settings in which some tables say something else."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            written(table, folder, name=name)
        for file in self.data.glob("*.parquet"):
            if file.stem not in tables:
                shutil.copy(file, folder / file.name)
        return folder

    def orders(self) -> pd.DataFrame:
        """The order lines as they stand in the file."""
        return pd.read_parquet(self.data / "transactions.parquet")

    def customers(self) -> pd.DataFrame:
        """The customers as they stand in the file."""
        return pd.read_parquet(self.data / "customers.parquet")


def make(made: Company) -> None:
    """Write the data, train and backtest."""
    write(simulate(240, 30, seed=5, end=date(2026, 10, 1)), made.data)
    (made.data / "kizashi.toml").write_text(SETTINGS, encoding="utf-8")
    data = ["--data", "data", "--as-of", str(TRAINED)]
    span = ["--from", str(FIRST), "--to", str(TRAINED)]
    commands = {
        "train": started(["train", *data, "--out", "out"], made.folder),
        "backtest": started(["backtest", *data, *span, "--out", "predictions.parquet"], made.folder),
    }
    for name, process in commands.items():
        ended = finished(process)
        assert ended.code == 0, ended.err
        (made.folder / f"{name}.txt").write_text(ended.out, encoding="utf-8")


#: The written company: everybody orders on the first of these days and every 20 days from then on.
BEGIN = date(2024, 1, 10)
EVERY_DAYS = 20
#: Customers of the written company who stop, and the day of their last order.
STOPPED = {f"S{number:02d}": BEGIN + timedelta(days=EVERY_DAYS * 20) for number in range(8)}
STAYING = tuple(f"T{number:02d}" for number in range(24))


def regulars(until: date) -> pd.DataFrame:
    """Order lines of the written company before `until`, one line an order, all the same but for the customer."""
    rows = []
    for place, customer in enumerate((*STOPPED, *STAYING)):
        last = min(STOPPED.get(customer, until), until - timedelta(days=1))
        for number in range((last - BEGIN).days // EVERY_DAYS + 1):
            day = BEGIN + timedelta(days=EVERY_DAYS * number)
            rows.append((customer, f"{customer}-{number}", pd.Timestamp(day), 100.0 + (place + number) % 7))
    return pd.DataFrame(rows, columns=["customer_id", "order_id", "ordered_at", "amount"])


def written(lines: pd.DataFrame, folder: Path, settings: str = SETTINGS, name: str = "transactions") -> Path:
    """A folder with these order lines, or rows of another table, and settings."""
    folder.mkdir(parents=True, exist_ok=True)
    lines.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "kizashi.toml").write_text(settings, encoding="utf-8")
    return folder
