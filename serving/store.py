"""The application's database: what was published, by which run, and nothing half done.

A day is published by *stage, then flip*: the rows are written under a run that no reader sees, a few thousand
at a time so that others may write between, and one short transaction then makes the run the published one.
Whatever dies in between leaves the day as it was; its rows are swept away by the next publication. Readers
use the views `scores` and `reasons`, which hold published runs alone.

Publications of one store wait for each other, so staged rows that a publisher finds belong to nobody alive.
Should that lock ever be lost (a connection pooler between us and PostgreSQL), the ledger is looked at again
in the last transaction and a unique index has the last word.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa  # noqa: TID251

from features.errors import StoreError
from serving.migrations.connection import (
    LOCK_FLIP,
    LOCK_WORD,
    alone,
    engine_of,
    first_line,
    no_store,
    prepare,
    target_of,
    told,
)
from serving.migrations.tables import INGEST_RUN, REASON, REASONS, SCORE, SCORES, SCORING_RUN
from serving.records import (
    IngestReport,
    Published,
    ScoringRun,
    TableCount,
    day_of,
    reason_rows,
    score_rows,
    zoned,
)

DEFAULT_URL = "sqlite:///var/kizashi.db"

#: Rows of one staging transaction: long enough to be fast, short enough that a user's write does not notice.
BATCH_ROWS = 5_000

Frames = pd.DataFrame | Iterable[pd.DataFrame]


class Store:
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

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a transaction for reading."""
        with told(self._engine.url), self._engine.begin() as connection:
            yield connection

    def publish(
        self,
        run: ScoringRun,
        scores: Frames,
        reasons: Frames,
        *,
        clock: Callable[[], datetime],
        supersede: bool = False,
    ) -> Published:
        """Publish the scores and reasons of a day, wholly or not at all.

        The same result again (same `as_of`, `model_version`, `input_fingerprint`) writes nothing and returns
        what is published, with `unchanged` set.

        Parameters
        ----------
        run : what the result stands on
        scores, reasons : one frame, or frames one after another, as `score_rows` and `reason_rows` want them;
            an iterator is read only when its rows are needed
        clock : gives the moment, with its zone, at which the ledger says that the run was published
        supersede : replace another result published for the day; the old run is kept, and no longer read

        Raises
        ------
        StoreError
            If the day is published with another model or other data and `supersede` is not set, if a row
            breaks a promise of the output tables, or if another publication does not end. Nothing was
            published then.
        """
        with told(self._engine.url), alone(self._engine, self._wait_seconds) as connection:
            self._sweep(connection)
            with connection.begin():
                settled = self._settled(connection, run, supersede)
            if settled is not None:
                return settled
            with connection.begin():
                self._enter(connection, run)
            customers = self._stage(connection, run, SCORE, scores, score_rows)
            if customers == 0:
                raise StoreError(f"scores of {run.as_of}: expected one row per customer, found none.")
            counts = (customers, self._stage(connection, run, REASON, reasons, reason_rows))
            moment = clock()
            zoned("The clock's answer", moment)
            published = self._flip(connection, run, counts, moment, supersede)
            if published.unchanged:  # somebody was faster, although we were alone
                self._sweep(connection)
            return published

    def _enter(self, connection: sa.Connection, run: ScoringRun) -> None:
        """Write the run into the ledger, staged."""
        known = sa.select(SCORING_RUN.c.state).where(SCORING_RUN.c.run_id == run.run_id)
        used = connection.execute(known).scalar()
        if used is not None:
            raise StoreError(f"run_id {run.run_id!r} is already in the ledger ({used}); every run needs its own.")
        row = {**asdict(run), "state": "staged", "customers": 0, "reasons": 0}
        connection.execute(SCORING_RUN.insert(), row)

    def _stage(
        self,
        connection: sa.Connection,
        run: ScoringRun,
        table: sa.Table,
        frames: Frames,
        checked: Callable[[pd.DataFrame, date], list[dict[str, object]]],
    ) -> int:
        """Write the checked rows under the unpublished run; return how many."""
        total = 0
        for frame in [frames] if isinstance(frames, pd.DataFrame) else frames:
            rows = [{"run_id": run.run_id, **row} for row in checked(frame, run.as_of)]
            for start in range(0, len(rows), BATCH_ROWS):
                try:
                    with connection.begin():
                        connection.execute(table.insert(), rows[start : start + BATCH_ROWS])
                except sa.exc.IntegrityError as error:
                    raise StoreError(
                        f"{table.name}s of {run.as_of}: a customer occurs twice, or a reason has no score "
                        f"({first_line(error)}). Nothing was published."
                    ) from None
            total += len(rows)
        return total

    def _flip(
        self, connection: sa.Connection, run: ScoringRun, counts: tuple[int, int], moment: datetime, supersede: bool
    ) -> Published:
        """Make the staged run the published one, unless one that says the same was published meanwhile."""
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_WORD, LOCK_FLIP)))
            settled = self._settled(connection, run, supersede)
            if settled is not None:
                return settled
            stored = tuple(
                connection.execute(sa.select(sa.func.count()).where(table.c.run_id == run.run_id)).scalar_one()
                for table in (SCORE, REASON)
            )
            if stored != counts:
                raise StoreError(
                    f"run {run.run_id}: wrote {counts} scores and reasons, found {stored} before publishing; "
                    "another publication cleared them. Nothing was published: run it again."
                )
            connection.execute(
                SCORING_RUN.update()
                .where(SCORING_RUN.c.as_of == run.as_of, SCORING_RUN.c.state == "published")
                .values(state="superseded", superseded_at=moment, superseded_by=run.run_id)
            )
            connection.execute(
                SCORING_RUN.update()
                .where(SCORING_RUN.c.run_id == run.run_id)
                .values(state="published", published_at=moment, customers=counts[0], reasons=counts[1])
            )
            return _found(connection.execute(_published(run.as_of)).one())

    def _settled(self, connection: sa.Connection, run: ScoringRun, supersede: bool) -> Published | None:
        """Return the published run that says the same; refuse one that says something else."""
        row = connection.execute(_published(run.as_of)).one_or_none()
        if row is None:
            return None
        found = _found(row)
        differ = [
            f"{name} {getattr(found.run, name)!r} is published, this run has {getattr(run, name)!r}"
            for name in ("model_version", "input_fingerprint")
            if getattr(found.run, name) != getattr(run, name)
        ]
        if not differ:
            return replace(found, unchanged=True)
        if not supersede:
            raise StoreError(
                f"{run.as_of} is already published by run {found.run.run_id}: {'; '.join(differ)}. "
                "Pass --supersede to replace it; the old run is kept."
            )
        return None

    def _sweep(self, connection: sa.Connection) -> None:
        """Remove what interrupted publications left, in short transactions."""
        with connection.begin():
            staged = sa.select(SCORING_RUN.c.run_id).where(SCORING_RUN.c.state == "staged")
            dead = connection.execute(staged).scalars().all()
        for run_id in dead:
            for table in (REASON, SCORE):
                some = sa.select(table.c.customer_id).where(table.c.run_id == run_id).limit(BATCH_ROWS)
                gone = table.delete().where(table.c.run_id == run_id, table.c.customer_id.in_(some))
                while self._removed(connection, gone):
                    pass
            self._removed(connection, SCORING_RUN.delete().where(SCORING_RUN.c.run_id == run_id))

    @staticmethod
    def _removed(connection: sa.Connection, statement: sa.Delete) -> int:
        with connection.begin():
            return connection.execute(statement).rowcount

    def published(self, as_of: date) -> Published | None:
        """Return the published run of a day, or None."""
        with told(self._engine.url), self._engine.begin() as connection:
            row = connection.execute(_published(day_of(as_of))).one_or_none()
        return None if row is None else _found(row)

    def latest_as_of(self) -> date | None:
        """Return the newest published day, or None."""
        newest = sa.select(sa.func.max(SCORING_RUN.c.as_of)).where(SCORING_RUN.c.state == "published")
        with told(self._engine.url), self._engine.begin() as connection:
            return connection.execute(newest).scalar()

    def scores(self, as_of: date, customer_id: str | None = None) -> pd.DataFrame:
        """Return the published scores of a day, by customer; no rows where nothing is published.

        The columns are those of the view `scores`; numbers are float64 and texts str, with NaN for unknown.
        Days published by a version that knew no interval have NaN in `churn_low`, `churn_high` and
        `completeness`, and "level" in `shown`.
        """
        return self._frame(SCORES, as_of, customer_id, ["customer_id"])

    def reasons(self, as_of: date, customer_id: str | None = None) -> pd.DataFrame:
        """Return the published reasons of a day, by customer and position; columns as the view `reasons`."""
        return self._frame(REASONS, as_of, customer_id, ["customer_id", "position"])

    def _frame(self, view: sa.TableClause, as_of: date, customer_id: str | None, order: list[str]) -> pd.DataFrame:
        chosen = sa.select(view).where(view.c.as_of == day_of(as_of))
        if customer_id is not None:
            chosen = chosen.where(view.c.customer_id == customer_id)
        with told(self._engine.url), self._engine.begin() as connection:
            rows = connection.execute(chosen).all()
        types: dict[str, Any] = {
            column.name: "float64" if isinstance(column.type, sa.Double) else "str"
            for column in view.columns
            if isinstance(column.type, sa.Double | sa.Text)
        }
        types |= {"as_of": "datetime64[s]"} | ({"position": "int64"} if "position" in order else {})
        frame = pd.DataFrame([tuple(row) for row in rows], columns=[column.name for column in view.columns])
        # Sorted here, not there: a database sorts by its own locale.
        return frame.astype(types).sort_values(order, ignore_index=True)

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


def _published(as_of: date) -> sa.Select[Any]:
    """Select the ledger's published row of a day, with the run that it replaced."""
    old = SCORING_RUN.alias("old")
    supersedes = sa.select(old.c.run_id).where(old.c.superseded_by == SCORING_RUN.c.run_id).scalar_subquery()
    return sa.select(SCORING_RUN, supersedes.label("supersedes")).where(
        SCORING_RUN.c.as_of == as_of, SCORING_RUN.c.state == "published"
    )


def _found(row: sa.Row[Any]) -> Published:
    """Return a row of the ledger as a record."""
    run = ScoringRun(row.run_id, row.as_of, row.model_version, row.input_fingerprint, row.created_at)
    return Published(run, row.customers, row.reasons, row.published_at, supersedes=row.supersedes)


def _make_folder(folder: Path) -> None:
    """Make the folder of a SQLite file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The store's folder {folder} cannot be made: {error.strerror}. Give another path.") from None
