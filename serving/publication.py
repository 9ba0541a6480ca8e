"""A day's publication: *stage, then flip*.

The rows are written under a run that no reader sees, a few thousand at a time so that others may write between, and
one short transaction then moves the warnings and makes the run the published one. Whatever dies in between leaves the
day as it was; its rows are swept away by the next publication.

Publications of one store wait for each other, so staged rows that a publisher finds belong to nobody alive. Should that
lock ever be lost (a connection pooler between us and PostgreSQL), the ledger is looked at again in the last transaction
and a unique index has the last word.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa  # noqa: TID251

from features.errors import StoreError
from serving.day_records import (
    DayFrames,
    Frames,
    Loop,
    change_rows,
    health_rows,
    profile_rows,
    report_rows,
    signal_rows,
)
from serving.migrations.connection import LOCK_FLIP, LOCK_WORD, first_line
from serving.migrations.loop_tables import HEALTH, PROFILE, REPORT, SIGNAL
from serving.migrations.tables import LEVEL_CHANGE, REASON, SCORE, SCORING_RUN
from serving.reading import newest_day, published_of, published_run
from serving.records import Published, ScoringRun, reason_rows, score_rows, zoned
from serving.stepping import newest_step, step

#: Rows of one staging transaction: long enough to be fast, short enough that a user's write does not notice.
BATCH_ROWS = 5_000

#: The tables of a run, children first, each with the column that its rows are removed by.
OF_A_RUN = (
    (REPORT, REPORT.c.name), (SIGNAL, SIGNAL.c.customer_id), (HEALTH, HEALTH.c.customer_id),
    (PROFILE, PROFILE.c.customer_id), (LEVEL_CHANGE, LEVEL_CHANGE.c.customer_id), (REASON, REASON.c.customer_id),
    (SCORE, SCORE.c.customer_id),
)  # fmt: skip

Rows = list[dict[str, object]]
Counts = dict[str, int]


@dataclass(frozen=True)
class Publication:
    """One run on its way, on a connection whose owner is the only publisher."""

    connection: sa.Connection
    run: ScoringRun
    supersede: bool
    loop: Loop | None

    def publish(
        self, scores: Frames, reasons: Frames, day: DayFrames | None, clock: Callable[[], datetime]
    ) -> Published:
        """Publish, or return what says the same; see :meth:`serving.store.Store.publish`."""
        sweep(self.connection)
        with self.connection.begin():
            settled = self._settled()
        if settled is not None:
            return settled
        with self.connection.begin():
            self._enter()
        counts = {SCORE.name: self._stage(SCORE, scores, score_rows)}
        if counts[SCORE.name] == 0:
            raise StoreError(f"scores of {self.run.as_of}: expected one row per customer, found none.")
        counts[REASON.name] = self._stage(REASON, reasons, reason_rows)
        if day is not None:
            counts |= self._stage_day(day)
        moment = clock()
        zoned("The clock's answer", moment)
        published = self._flip(counts, moment)
        if published.unchanged:  # somebody was faster, although we were alone
            sweep(self.connection)
        else:
            sweep_profiles(self.connection)
        return published

    def _enter(self) -> None:
        """Write the run into the ledger, staged."""
        known = sa.select(SCORING_RUN.c.state).where(SCORING_RUN.c.run_id == self.run.run_id)
        used = self.connection.execute(known).scalar()
        if used is not None:
            raise StoreError(f"run_id {self.run.run_id!r} is already in the ledger ({used}); every run needs its own.")
        row = {**asdict(self.run), "state": "staged", "customers": 0, "reasons": 0}
        self.connection.execute(SCORING_RUN.insert(), row)

    def _stage(self, table: sa.Table, frames: Frames, checked: Callable[[pd.DataFrame, date], Rows]) -> int:
        """Write the checked rows of all frames; return how many."""
        each = [frames] if isinstance(frames, pd.DataFrame) else frames
        return sum(self._write(table, checked(frame, self.run.as_of)) for frame in each)

    def _write(self, table: sa.Table, rows: Rows) -> int:
        rows = [{"run_id": self.run.run_id, **row} for row in rows]
        for start in range(0, len(rows), BATCH_ROWS):
            try:
                with self.connection.begin():
                    self.connection.execute(table.insert(), rows[start : start + BATCH_ROWS])
            except sa.exc.IntegrityError as error:
                raise StoreError(
                    f"{table.name} rows of {self.run.as_of}: a customer occurs twice, or a row has no score "
                    f"({first_line(error)}). Nothing was published."
                ) from None
        return len(rows)

    def _stage_day(self, day: DayFrames) -> Counts:
        with self.connection.begin():
            since = _firing(self.connection, self.run.as_of)

        def begun(frame: pd.DataFrame, as_of: date) -> Rows:
            rows = signal_rows(frame, as_of)
            return [{**row, "since": since.get((row["customer_id"], row["rule"]), as_of)} for row in rows]

        counts = {
            PROFILE.name: self._stage(PROFILE, day.profiles, profile_rows),
            HEALTH.name: self._stage(HEALTH, day.health, health_rows),
            SIGNAL.name: self._stage(SIGNAL, day.signals, begun),
            LEVEL_CHANGE.name: self._stage(LEVEL_CHANGE, day.changes, change_rows),
            REPORT.name: self._write(REPORT, report_rows(day.reports, self.run.as_of)),
        }
        for table in (PROFILE, HEALTH, SIGNAL):
            self._all_scored(table)
        return counts

    def _all_scored(self, table: sa.Table) -> None:
        """Refuse rows of customers that the run has no score of."""
        scored = sa.and_(SCORE.c.run_id == table.c.run_id, SCORE.c.customer_id == table.c.customer_id)
        unknown = sa.select(table.c.customer_id).where(
            table.c.run_id == self.run.run_id, ~sa.exists().where(scored).correlate(table)
        )
        with self.connection.begin():
            first = self.connection.execute(unknown.limit(3)).scalars().all()
        if first:
            raise StoreError(
                f"{table.name} of {self.run.as_of}: expected customers of the scores, found {sorted(first)}, which "
                "have none. Nothing was published."
            )

    def _flip(self, counts: Mapping[str, int], moment: datetime) -> Published:
        """Move the warnings and make the staged run the published one, unless another that says the same is."""
        run, connection = self.run, self.connection
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_WORD, LOCK_FLIP)))
            settled = self._settled()
            if settled is not None:
                return settled
            self._check_counts(counts)
            newest = newest_step(connection)
            late = self.loop is not None and newest is not None and newest > run.as_of
            moved = None if self.loop is None or late else step(connection, run, self.loop, moment)
            connection.execute(
                SCORING_RUN.update()
                .where(SCORING_RUN.c.as_of == run.as_of, SCORING_RUN.c.state == "published")
                .values(state="superseded", superseded_at=moment, superseded_by=run.run_id)
            )
            connection.execute(
                SCORING_RUN.update()
                .where(SCORING_RUN.c.run_id == run.run_id)
                .values(
                    state="published",
                    published_at=moment,
                    customers=counts[SCORE.name],
                    reasons=counts[REASON.name],
                    **({} if moved is None else {"first_event": moved.first, "last_event": moved.last}),
                )
            )
            return replace(published_of(connection.execute(published_run(run.as_of)).one()), late=late)

    def _check_counts(self, counts: Mapping[str, int]) -> None:
        """Refuse to publish what is not there any more."""
        stored = {
            table.name: self.connection.execute(
                sa.select(sa.func.count()).select_from(table).where(table.c.run_id == self.run.run_id)
            ).scalar_one()
            for table, _ in OF_A_RUN
            if table.name in counts
        }
        gone = [f"{count} of {name}, found {stored[name]}" for name, count in counts.items() if stored[name] != count]
        if gone:
            raise StoreError(
                f"run {self.run.run_id}: wrote {', '.join(gone)} before publishing; another publication cleared them. "
                "Nothing was published: run it again."
            )

    def _settled(self) -> Published | None:
        """Return the published run that says the same; refuse one that says something else."""
        row = self.connection.execute(published_run(self.run.as_of)).one_or_none()
        if row is None:
            return None
        there = published_of(row)
        differ = [
            f"{name} {getattr(there.run, name)!r} is published, this run has {getattr(self.run, name)!r}"
            for name in ("model_version", "input_fingerprint")
            if getattr(there.run, name) != getattr(self.run, name)
        ]
        if not differ:
            return replace(there, unchanged=True)
        if not self.supersede:
            raise StoreError(
                f"{self.run.as_of} is already published by run {there.run.run_id}: {'; '.join(differ)}. "
                "Pass --supersede to replace it; the old run is kept."
            )
        return None


def _firing(connection: sa.Connection, as_of: date) -> dict[tuple[object, object], date]:
    """Since when each rule of each customer that fired in the published run before `as_of` has done so."""
    before = newest_day(connection, before=as_of)
    fired = sa.select(SIGNAL.c.customer_id, SIGNAL.c.rule, SIGNAL.c.since).join(
        SCORING_RUN, SCORING_RUN.c.run_id == SIGNAL.c.run_id
    )
    rows = connection.execute(fired.where(SCORING_RUN.c.as_of == before, SCORING_RUN.c.state == "published"))
    return {(row.customer_id, row.rule): row.since for row in rows}


def sweep(connection: sa.Connection) -> None:
    """Remove what interrupted publications left, in short transactions."""
    with connection.begin():
        staged = sa.select(SCORING_RUN.c.run_id).where(SCORING_RUN.c.state == "staged")
        dead = connection.execute(staged).scalars().all()
    for run_id in dead:
        for table, key in OF_A_RUN:
            _empty(connection, table, key, run_id)
        _removed(connection, SCORING_RUN.delete().where(SCORING_RUN.c.run_id == run_id))


def sweep_profiles(connection: sa.Connection) -> None:
    """Remove the profiles of every run but the newest day's, in short transactions."""
    with connection.begin():
        newest = sa.select(SCORING_RUN.c.run_id).where(
            SCORING_RUN.c.state == "published", SCORING_RUN.c.as_of == newest_day(connection)
        )
        others = sa.select(SCORING_RUN.c.run_id).where(
            SCORING_RUN.c.run_id.not_in(newest), sa.exists().where(PROFILE.c.run_id == SCORING_RUN.c.run_id)
        )
        old = connection.execute(others).scalars().all()
    for run_id in old:
        _empty(connection, PROFILE, PROFILE.c.customer_id, run_id)


def _empty(connection: sa.Connection, table: sa.Table, key: sa.Column[Any], run_id: str) -> None:
    some = sa.select(key).where(table.c.run_id == run_id).limit(BATCH_ROWS)
    gone = table.delete().where(table.c.run_id == run_id, key.in_(some))
    while _removed(connection, gone):
        pass


def _removed(connection: sa.Connection, statement: sa.Delete) -> int:
    with connection.begin():
        return connection.execute(statement).rowcount
