"""An ingest in a process of its own, to be killed: run by test_ingest_crashes.py, never by hand.

``FOLDER HOW`` ingests data that changed into a folder of events, in a child process that is killed with SIGKILL before
its first step, its second, and so on until one survives. Steps are what is written before anything is published, and
then every file and folder that is made, moved or deleted. Prints what a reader saw after each kill, and what
was there after the ingest was repeated.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb

import features.publication
import features.taking
from features.batches import State
from features.buckets import MANIFEST, read_events, read_manifest
from features.errors import SourceError
from features.quarantine import ingest
from features.sources import open_source

EARLY = ("remembered", "write_refused", "write_parts", "measure")
BUCKETS = (2, 4)
LATE = ("mkdir", "rename", "replace", "unlink", "rmdir")


def publish_carelessly(new: Path, out: Path, _tables: object, manifest: str) -> None:
    """Publish as one would without thinking: the manifest, and then what it names, over what is there."""
    (out / MANIFEST).write_text(manifest)
    for path in sorted(path for path in new.rglob("*") if path.is_file()):
        target = out / path.relative_to(new)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


def killed(work: Callable[[], None]) -> bool:
    """Do the work in a child; return whether it was killed. DuckDB's threads live in children only."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            sys.stdout.flush()
            status = 0
        finally:
            os._exit(status)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return False


def dying(point: int, work: Callable[[], object]) -> Callable[[], None]:
    """The work, by a process that dies before its `point`-th step."""
    passed = 0

    def step(function: Callable[..., object]) -> Callable[..., object]:
        def stepped(*given: object, **named: object) -> object:
            nonlocal passed
            if passed == point:
                os.kill(os.getpid(), signal.SIGKILL)
            passed += 1
            return function(*given, **named)

        return stepped

    def published(*given: object) -> None:
        for name in LATE:
            setattr(os, name, step(getattr(os, name)))
        publish(*given)

    def prepared() -> None:
        for name in EARLY:
            setattr(features.taking, name, step(getattr(features.taking, name)))
        features.publication.publish = published
        work()

    publish = features.publication.publish
    return prepared


def rows_of(out: Path) -> str:
    """All that a reader gets from the events in a folder; empty where there are none."""
    if not out.exists():
        return ""
    try:
        events = read_events(out)
        held = [events.fingerprint]
        for bucket in range(events.buckets):
            with events.connect(bucket) as connection:
                held += [repr(sorted(connection.execute(f"FROM {name}").fetchall(), key=repr)) for name in events.parts]
    except SourceError as error:
        return f"torn: {error}"
    return "\n".join(held)


def seen(folder: Path) -> str:
    """Which events a reader sees: those before, those after, or something torn."""
    found = rows_of(folder / "out")
    states = [name for name in ("before", "after") if (folder / f"{name}.txt").read_text() == found]
    return states[0] if states else "torn"


def quarantine(out: Path) -> str:
    return repr(duckdb.sql(f"FROM '{out}/quarantine/transactions.parquet'").fetchall())


def left_over(folder: Path) -> list[str]:
    """Files that no events consist of."""
    out = folder / "out"
    state = State.from_manifest(read_manifest(out))
    named = {out / MANIFEST, *features.publication.files_of(out, state.tables)}
    found = [path for path in out.rglob("*") if path.is_file() and path not in named]
    return [path.name for path in [*found, *folder.glob(".*")]]


def take(folder: Path, out: str, buckets: int = 2) -> None:
    run_at = datetime(2024, 6, 1)  # noqa: DTZ001 - in the project's zone
    ingest(open_source(folder / "data"), folder / out, run_at=run_at, timezone="UTC", max_share=1, buckets=buckets)


def write(folder: Path, day: int, lines: str) -> None:
    path = folder / "data" / "transactions" / f"{day}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"customer_id,order_id,ordered_at,amount\n{lines}")


def prepare(folder: Path, how: str) -> None:
    """Write the data and the events before and after they changed, and what a reader sees of each."""
    write(folder, 1, "A,1,2024-05-01,1\nB,2,2024-05-01,2\nB,3,never,3\n")
    if how != "first":
        take(folder, "before")
    write(folder, 2, "A,4,2024-05-02,4\nB,5,2024-05-02,5\nB,6,never,6\n")
    if how == "whole":
        write(folder, 1, "A,1,2024-05-01,9\nB,2,2024-05-01,x\n")
    take(folder, "after", BUCKETS[how == "full"])
    for name in ("before", "after"):
        (folder / f"{name}.txt").write_text(rows_of(folder / name))


def main(place: str, how: str) -> None:
    folder = Path(place)
    assert not killed(lambda: prepare(folder, how))
    if how == "careless":
        features.publication.publish = publish_carelessly
    for point in range(400):
        shutil.rmtree(folder / "out", ignore_errors=True)
        if (folder / "before").exists():
            shutil.copytree(folder / "before", folder / "out")
        died = killed(dying(point, lambda: take(folder, "out", BUCKETS[how == "full"])))

        def told(died: bool = died) -> None:
            after_kill = seen(folder)
            take(folder, "out", BUCKETS[how == "full"])
            same = quarantine(folder / "out") == quarantine(folder / "after")
            line = {"died": died, "seen": after_kill, "then": seen(folder), "quarantine": same}
            print(json.dumps({**line, "left": left_over(folder)}))

        assert not killed(told)
        if not died:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
