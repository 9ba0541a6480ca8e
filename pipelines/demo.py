"""The demonstration: a simulated company from orders to this morning's warnings, without a network or a file."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import version
from pathlib import Path

from features.errors import SettingsError
from features.simulate import simulate, write
from features.snapshots import Progress, silent
from pipelines import server
from pipelines.caller import user
from pipelines.intake import Intake, Request, take_in
from pipelines.score import Scored, score
from pipelines.settings import Settings, database_url
from pipelines.train import Asked, Trained, train
from serving.store import Store

#: The simulated company's last day; fixed, so that the demonstration is the same for everybody.
END = date(2026, 10, 1)
#: When its days are published, and when its pages are looked at: in the morning.
PUBLISHED, OPENED = time(6, tzinfo=UTC), time(8, 30, tzinfo=UTC)
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Demo:
    """What the demonstration made; `scored` is its last day, the day of a week before is published, too."""

    intake: Intake
    trained: Trained
    scored: Scored


#: Says that a folder is a demonstration's own and may be emptied by the next one; once it is finished, of what it is.
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
    # first of all: what is not whole is not served
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).write_bytes(b"")
    for earlier in ("data", "events", "mlflow", "populations", "snapshots", "walks"):
        shutil.rmtree(out / earlier, ignore_errors=True)
    for database in out.glob("kizashi.db*"):
        database.unlink()


def run(out: Path, customers: int, months: int, seed: int, *, progress: Progress = silent) -> Demo:
    """Simulate, check, train and score below `out`, with the packaged settings and nothing of the user's own.

    The day of a week before is scored, too, by the same model, so that there is something that changed since.
    """
    make_room(out)
    progress(f"simulating {customers} customers over {months} months", 0.0)
    data = out / "data"
    write(simulate(customers, months, seed=seed, preset="normal", end=END), data)
    intake = take_in(Request(str(data), out, given=Settings()))
    before = replace(intake, as_of=intake.as_of - WEEK)
    trained = train(before, Asked(user(), datetime.now(UTC)), progress=progress)
    score(before, progress=progress, clock=_at(before.as_of))
    scored = score(intake, progress=progress, clock=_at(intake.as_of))
    (out / MARK).write_text(_made_of(customers, months, seed), encoding="utf-8")
    return Demo(intake, trained, scored)


def is_made(out: Path, customers: int, months: int, seed: int) -> bool:
    """Whether a folder holds a finished demonstration of this version of the very company."""
    mark = out / MARK
    return mark.is_file() and mark.read_text(encoding="utf-8") == _made_of(customers, months, seed)


def serve(out: Path, *, host: str, port: int) -> None:
    """Serve a finished demonstration on its own last day, see :func:`pipelines.server.serving`.

    Raises
    ------
    SettingsError
        If the port is taken.
    """
    settings = Settings()
    with Store.open(database_url(settings, out), create=False) as store:
        clock = clock_of(store)
    server.run(settings, out, host=host, port=port, clock=clock)


def clock_of(store: Store, passing: Callable[[], datetime] = server.now) -> Callable[[], datetime]:
    """A clock that starts in the morning of the demonstration's last day, or after what was done there already."""
    newest = max((event.event.at for event in store.history()), default=datetime.combine(END, OPENED))
    shift = max(newest, datetime.combine(END, OPENED)) - passing()
    return lambda: passing() + shift


def _made_of(customers: int, months: int, seed: int) -> str:
    made_of = {"version": version("kizashi"), "customers": customers, "months": months, "seed": seed, "end": str(END)}
    return json.dumps(made_of) + "\n"


def _at(day: date) -> Callable[[], datetime]:
    moment = datetime.combine(day, PUBLISHED)
    return lambda: moment
