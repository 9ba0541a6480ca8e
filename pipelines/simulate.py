"""A simulated company in a folder: `kizashi simulate`."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from features.errors import SettingsError
from features.simulate import World, simulate, write
from features.snapshots import Progress, monthly, silent

#: How the folder begins in which a world is written before it takes its place; a killed run leaves one.
WORK = ".simulating-"
#: What tells a folder that this command has made; it lists the files of the tables.
RECORD = Path("truth", "world.json")
#: How many customers the oracles forecast where nobody says: half a minute's work.
ORACLE_CUSTOMERS = 500
#: The oracles look at the last so many starts of a month.
ORACLE_MONTHS = 12
#: The horizon of the outcomes that the oracles are compared by: it must be over at the end of the history.
ORACLE_HORIZON_DAYS = 90


def run(
    out: Path,
    customers: int,
    months: int,
    *,
    preset: str,
    seed: int,
    end: date,
    policy: str | None = None,
    without: Sequence[str] = (),
    dirty: float = 0.0,
    oracle_customers: int | None = None,
    progress: Progress = silent,
) -> World:
    """Simulate a company and write it into `out`, in place of one that this command has made there before.

    Parameters
    ----------
    oracle_customers
        How many customers the two oracles forecast (`truth/oracles.parquet`); 0 for none of it. Where it is not given,
        `ORACLE_CUSTOMERS`, as far as the history is long enough for it.

    Raises
    ------
    SettingsError
        If `out` holds anything else, or for arguments out of range; nothing is written then.
    """
    made = what_was_made(out)
    world = simulate(
        customers, months, seed=seed, preset=preset, end=end, policy=policy, without=without, dirty=dirty,
        progress=progress,
    )  # fmt: skip
    dates = oracle_dates(world)
    if oracle_customers and not dates:
        raise SettingsError(
            f"--oracle-customers: expected a start of a month with {ORACLE_HORIZON_DAYS} days after it in a history "
            f"of {months} months; found none. Give more --months."
        )
    count = ORACLE_CUSTOMERS if oracle_customers is None else oracle_customers
    if dates and count:
        from features.simulate.oracles import oracles

        told = oracles(world, dates, count, progress=progress)
        world = replace(world, truth={**world.truth, "oracles": told})
    progress("writing the files", 0.95)
    _put(world, out, made)
    return world


def oracle_dates(world: World) -> list[date]:
    """The starts of months on which the oracles look ahead: the last ones whose horizon is over by the end, if any."""
    end = date.fromisoformat(world.settings["end"])
    newest = (end - timedelta(days=ORACLE_HORIZON_DAYS)).replace(day=1)
    start = world.scene.span.start.astype(date)
    return [day for day in monthly(start, newest)[-ORACLE_MONTHS:] if day > start]


def what_was_made(out: Path) -> list[str]:
    """The files and folders in `out` that an earlier run of this command has put there.

    Raises
    ------
    SettingsError
        If there is anything else in it.
    """
    found = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    made: list[str] = []
    if (out / RECORD).is_file():
        made = [*_rows_of(out / RECORD), RECORD.parts[0]]
    others = [name for name in found if name not in made and not name.startswith(WORK)]
    if others or (out.exists() and not out.is_dir()):
        shown = f"holds {', '.join(others[:3])}, which no simulation has made" if others else "is a file"
        raise SettingsError(f"--out {out}: {shown}. Give an empty or a new folder.")
    return [name for name in found if name in made or name.startswith(WORK)]


def _rows_of(record: Path) -> dict[str, int]:
    """Rows by file as a world's record has them; nothing where it cannot be read as one."""
    try:
        rows = json.loads(record.read_text(encoding="utf-8"))["rows"]
        return {name: int(count) for name, count in rows.items()} if isinstance(rows, dict) else {}
    except (ValueError, KeyError, TypeError):
        return {}


def _put(world: World, out: Path, made: Sequence[str]) -> None:
    """Write the world beside what is there, and let it take the place of that only when it is complete."""
    new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=out, prefix=WORK))
    try:
        write(world, work)
        for name in made:
            shutil.rmtree(out / name) if (out / name).is_dir() else (out / name).unlink()
        for path in work.iterdir():
            path.rename(out / path.name)
    finally:
        shutil.rmtree(work)
        if new and not any(out.iterdir()):
            out.rmdir()


def rows_written(out: Path) -> dict[str, int]:
    """Rows by name of the file, as the world's record has them."""
    return _rows_of(out / RECORD)
