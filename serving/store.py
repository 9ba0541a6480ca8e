"""The application's database: what was published, by which run, and nothing half done.

Readers see published runs alone; how a day becomes one is told in :mod:`serving.publication`, what it makes of warnings
and tasks in :mod:`serving.stepping`, and what can be read in :mod:`serving.reading`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa  # noqa: TID251

from features.errors import StoreError
from serving.day_records import DayFrames, Frames, Loop
from serving.migrations.connection import alone, engine_of, no_store, prepare, target_of, told
from serving.migrations.tables import INGEST_RUN
from serving.outbox import Outbox
from serving.publication import Publication
from serving.reading import Reading
from serving.records import IngestReport, Published, ScoringRun, TableCount

DEFAULT_URL = "sqlite:///var/kizashi.db"


class Store(Reading):
    """Published results and accounts of runs, in SQLite (one file on a local disk) or PostgreSQL.

    Made by `Store.open`; `close` it, or use it in a `with` statement. May be shared by threads.
    """

    def __init__(self, engine: sa.Engine, wait_seconds: float) -> None:
        self._engine = engine
        self._writing = engine.execution_options(writing=True)
        self._wait_seconds = wait_seconds

    @classmethod
    def open(cls, url: str = DEFAULT_URL, create: bool = True, wait_seconds: float = 600.0) -> "Store":
        """Return the store at a database URL, brought to the newest schema.

        Parameters
        ----------
        url : `sqlite:///relative/path.db`, `sqlite:////absolute/path.db` or `postgresql://user:password@host/database`
        create : whether to make a store where there is none; a PostgreSQL database itself must exist
        wait_seconds : how long to wait for another publication before giving up

        Raises
        ------
        StoreError
            If there is no store and none may be made, if a newer Kizashi wrote it, or if the database does
            not answer.
        """
        target = target_of(url)
        if target.drivername == "sqlite":
            path = Path(str(target.database))
            if not create and not path.exists():
                raise no_store(target)
            if create:
                _make_folder(path.parent)
        store = cls(engine_of(target), wait_seconds)
        try:
            with told(target):
                prepare(store._engine, create, wait_seconds)
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    def __enter__(self) -> "Store":
        """Return itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close."""
        self.close()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a transaction in which the loop's events are appended: all of them, or none after an error."""
        with told(self._engine.url), self._writing.begin() as connection:
            yield connection

    @property
    def outbox(self) -> Outbox:
        """The dispatcher's side of the notices on their way out."""
        return Outbox(self.writing)

    def publish(
        self,
        run: ScoringRun,
        scores: Frames,
        reasons: Frames,
        *,
        day: DayFrames | None = None,
        loop: Loop | None = None,
        clock: Callable[[], datetime],
        supersede: bool = False,
    ) -> Published:
        """Publish a day's results and what they make of warnings and tasks, wholly or not at all.

        The same result again (same `as_of`, `model_version`, `input_fingerprint`) writes nothing and returns
        what is published, with `unchanged` set.

        Parameters
        ----------
        run : what the result stands on
        scores, reasons : one frame, or frames one after another, as `score_rows` and `reason_rows` want them;
            an iterator is read only when its rows are needed
        day : what the run says besides: profiles, health, signals, reports
        loop : how the day moves warnings, tasks and notices; a day older than one that has moved them does not, and
            the answer says so (`late`)
        clock : gives the moment, with its zone, at which the ledger says that the run was published
        supersede : replace another result published for the day; the old run is kept, and no longer read, and what it
            made of warnings and tasks is taken back (:mod:`serving.stepping`)

        Raises
        ------
        StoreError
            If the day is published with another model or other data and `supersede` is not set, if a row
            breaks a promise of the output tables, or if another publication does not end. Nothing was
            published then.
        """
        with told(self._engine.url), alone(self._engine, self._wait_seconds) as connection:
            return Publication(connection, run, supersede, loop).publish(scores, reasons, day, clock)

    def record_ingest(self, report: IngestReport) -> None:
        """Keep the account of an ingest; the same account again changes nothing.

        Raises
        ------
        StoreError
            If the run already has another account.
        """
        tables = {name: asdict(count) for name, count in report.tables.items()}
        row: dict[str, Any] = {
            "run_id": report.run_id,
            "ingested_at": report.ingested_at,
            "input_fingerprint": report.input_fingerprint,
            **{
                name: sum(getattr(count, name) for count in report.tables.values())
                for name in ("rows_in", "clean", "quarantined", "duplicates")
            },
            "tables": tables,
        }
        with told(self._engine.url), self._writing.begin() as connection:
            kept = connection.execute(sa.select(INGEST_RUN).where(INGEST_RUN.c.run_id == report.run_id)).one_or_none()
            if kept is None:
                connection.execute(INGEST_RUN.insert(), row)
            elif (kept.input_fingerprint, kept.tables) != (report.input_fingerprint, tables):
                raise StoreError(
                    f"ingest {report.run_id!r} already has another account; every run needs its own run_id."
                )

    def ingest(self, run_id: str) -> IngestReport | None:
        """Return the account of an ingest, or None."""
        with told(self._engine.url), self._engine.begin() as connection:
            row = connection.execute(sa.select(INGEST_RUN).where(INGEST_RUN.c.run_id == run_id)).one_or_none()
        if row is None:
            return None
        tables = {name: TableCount(**count) for name, count in row.tables.items()}
        return IngestReport(row.run_id, row.ingested_at, row.input_fingerprint, tables)


def _make_folder(folder: Path) -> None:
    """Make the folder of a SQLite file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The store's folder {folder} cannot be made: {error.strerror}. Give another path.") from None
