"""What can be read of the store: published days, and the loop as it stands.

Frames have the columns of their tables: numbers float64, texts str, days datetime64[s], moments datetime64[us, UTC],
JSON as the objects that it holds. Unknown is NaN or NaT.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
import sqlalchemy as sa  # noqa: TID251

from serving import outbox
from serving.day_records import dated
from serving.ledger import Recorded, Verified, read, verify
from serving.migrations.connection import told
from serving.migrations.loop_tables import (
    ACCOUNT_STATE,
    EPISODE,
    EVENT,
    EXPOSURE,
    FEEDBACK,
    HEALTH,
    OUTBOX,
    OUTCOME,
    PROFILE,
    REPORT,
    REVIEW,
    SETTING,
    SIGNAL,
    TASK,
)
from serving.migrations.tables import LEVEL_CHANGES, REASONS, SCORES, SCORING_RUN, UtcDateTime
from serving.records import Published, ScoringRun, day_of

#: Kind of a column -> dtype in a frame.
_DTYPES: tuple[tuple[type[sa.types.TypeEngine[Any]], str], ...] = (
    (sa.Double, "float64"),
    (sa.Integer, "int64"),  # and BigInteger; none of ours may be unknown
    (UtcDateTime, "datetime64[us, UTC]"),
    (sa.Date, "datetime64[s]"),
    (sa.Text, "str"),
    (sa.JSON, "object"),
)


@dataclass(frozen=True)
class Mark:
    """How far a store has come: what was read at the same mark is still true.

    Attributes
    ----------
    run_id
        The published run of the newest day; None where nothing is published.
    number
        Of the newest event of the ledger; 0 where there is none.
    """

    run_id: str | None
    number: int


@dataclass(frozen=True)
class Page:
    """Some of the rows that were asked for, and how many there are in all."""

    rows: pd.DataFrame
    total: int


def frame_of(
    rows: Sequence[sa.Row[Any]], columns: Iterable[sa.ColumnElement[Any]], *, dates: bool = False
) -> pd.DataFrame:
    """Return rows as a frame of these columns, with the dtypes of this module; with `dates`, days as dates or None."""
    listed = list(columns)
    values = list(zip(*rows, strict=True)) if rows else [()] * len(listed)
    made: dict[str, Any] = {}
    for column, cells in zip(listed, values, strict=True):
        dtype = next(name for kind, name in _DTYPES if isinstance(column.type, kind))
        made[column.name] = pd.Series(list(cells), dtype="object" if dtype.startswith("datetime") else dtype)
        if dtype == "datetime64[us, UTC]":
            made[column.name] = pd.to_datetime(made[column.name], utc=True).astype(dtype)
        elif dtype == "datetime64[s]" and not dates:
            made[column.name] = made[column.name].astype(dtype)
    return pd.DataFrame(made)


def published_run(as_of: date) -> sa.Select[Any]:
    """Select the ledger's published row of a day, with the run that it replaced."""
    old = SCORING_RUN.alias("old")
    supersedes = sa.select(old.c.run_id).where(old.c.superseded_by == SCORING_RUN.c.run_id).scalar_subquery()
    return sa.select(SCORING_RUN, supersedes.label("supersedes")).where(
        SCORING_RUN.c.as_of == as_of, SCORING_RUN.c.state == "published"
    )


def published_of(row: sa.Row[Any]) -> Published:
    """Return a row of the ledger as a record."""
    run = ScoringRun(row.run_id, row.as_of, row.model_version, row.input_fingerprint, row.created_at)
    stepped = row.first_event is not None
    return Published(run, row.customers, row.reasons, row.published_at, supersedes=row.supersedes, stepped=stepped)


def newest_day(connection: sa.Connection, before: date | None = None) -> date | None:
    """Return the newest published day, of those before a day where one is given; or None."""
    newest = sa.select(sa.func.max(SCORING_RUN.c.as_of)).where(SCORING_RUN.c.state == "published")
    if before is not None:
        newest = newest.where(SCORING_RUN.c.as_of < before)
    return connection.execute(newest).scalar()


class Reading:
    """The reading half of the store."""

    _engine: sa.Engine

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a transaction for reading."""
        with told(self._engine.url), self._engine.begin() as connection:
            yield connection

    def mark(self) -> Mark:
        """Return how far the store has come, whoever wrote to it."""
        newest = (
            sa.select(SCORING_RUN.c.run_id)
            .where(SCORING_RUN.c.state == "published")
            .order_by(SCORING_RUN.c.as_of.desc())
            .limit(1)
        )
        last = sa.select(sa.func.max(EVENT.c.number))
        with self.reading() as connection:
            found = connection.execute(sa.select(newest.scalar_subquery(), last.scalar_subquery())).one()
        return Mark(found[0], found[1] or 0)

    def published(self, as_of: date) -> Published | None:
        """Return the published run of a day, or None."""
        with self.reading() as connection:
            row = connection.execute(published_run(day_of(as_of))).one_or_none()
        return None if row is None else published_of(row)

    def latest_as_of(self) -> date | None:
        """Return the newest published day, or None."""
        with self.reading() as connection:
            return newest_day(connection)

    def day_before(self, as_of: date) -> date | None:
        """Return the newest day that was published before a day, or None."""
        with self.reading() as connection:
            return newest_day(connection, before=as_of)

    def runs(self) -> pd.DataFrame:
        """Return the published runs, the oldest day first: what each stands on, and how much it says."""
        told = ("as_of", "run_id", "model_version", "input_fingerprint", "customers", "reasons", "published_at")
        columns = [SCORING_RUN.c[name] for name in told]
        chosen = sa.select(*columns).where(SCORING_RUN.c.state == "published").order_by(SCORING_RUN.c.as_of)
        return self._frame(chosen, columns)

    def scores(self, as_of: date, customer_id: str | None = None) -> pd.DataFrame:
        """Return the published scores of a day, by customer; no rows where nothing is published.

        The columns are those of the view `scores`; numbers are float64 and texts str, with NaN for unknown.
        Days published by a version that knew no interval have NaN in `churn_low`, `churn_high` and
        `completeness`, and "level" in `shown`; those of one that knew no queue have NaN from `queue` on.
        """
        return self._of_view(SCORES, as_of, customer_id, ["customer_id"])

    def reasons(self, as_of: date, customer_id: str | None = None) -> pd.DataFrame:
        """Return the published reasons of a day, by customer and position; columns as the view `reasons`.

        Who was neither warned about nor changed may have none. Days published by a version that knew no concepts have
        NaN in `concept` and `said`; their `role` is what the sign of the contribution says.
        """
        return self._of_view(REASONS, as_of, customer_id, ["customer_id", "position"])

    def changes(self, as_of: date, customer_id: str | None = None) -> pd.DataFrame:
        """Return whose level was another on the day published before, and why, by customer.

        The columns are those of the view `level_changes`; `since` is the earlier day as it was known when this one was
        published, `change` the plain data of a :class:`serving.story.Change`, as JSON holds them.
        """
        return self._of_view(LEVEL_CHANGES, as_of, customer_id, ["customer_id"])

    def _of_view(self, view: sa.TableClause, as_of: date, customer_id: str | None, order: list[str]) -> pd.DataFrame:
        chosen = sa.select(view).where(view.c.as_of == day_of(as_of))
        if customer_id is not None:
            chosen = chosen.where(view.c.customer_id == customer_id)
        # Sorted here, not there: a database sorts by its own locale.
        return self._frame(chosen, view.columns).sort_values(order, ignore_index=True)

    def _frame(self, chosen: sa.Select[Any], columns: Iterable[sa.ColumnElement[Any]]) -> pd.DataFrame:
        with self.reading() as connection:
            rows = connection.execute(chosen).all()
        return frame_of(rows, columns)

    def _of_day(
        self, table: sa.Table, as_of: date | None, customer_id: str | None, newest: bool = False
    ) -> pd.DataFrame:
        """The published rows of a table of runs, with their day."""
        columns = [SCORING_RUN.c.as_of, *(column for column in table.columns if column.name != "run_id")]
        chosen = (
            sa.select(*columns)
            .join(SCORING_RUN, SCORING_RUN.c.run_id == table.c.run_id)
            .where(SCORING_RUN.c.state == "published")
        )
        if as_of is not None:
            chosen = chosen.where(SCORING_RUN.c.as_of == day_of(as_of))
        if newest:
            last = sa.select(sa.func.max(SCORING_RUN.c.as_of)).where(SCORING_RUN.c.state == "published")
            chosen = chosen.where(SCORING_RUN.c.as_of == last.correlate(None).scalar_subquery())
        if customer_id is not None:
            chosen = chosen.where(table.c.customer_id == customer_id)
        return self._frame(chosen, columns)

    def profiles(self, as_of: date, customer_id: str | None = None) -> pd.DataFrame:
        """Return `as_of`, `customer_id`, `owner` and `facts` of the newest published day; older ones are not kept.

        Facts are dicts; what JSON cannot hold comes back as :func:`serving.day_records.kept` left it, days as days.
        """
        frame = self._of_day(PROFILE, as_of, customer_id, newest=True).sort_values("customer_id", ignore_index=True)
        return frame.assign(facts=frame["facts"].map(dated).astype(object))

    def health(self, customer_id: str | None = None, as_of: date | None = None) -> pd.DataFrame:
        """Return health on published days, by day and customer: of one customer, of one day, or all of it."""
        return self._of_day(HEALTH, as_of, customer_id).sort_values(["as_of", "customer_id"], ignore_index=True)

    def signals(self, as_of: date, customer_id: str | None = None) -> pd.DataFrame:
        """Return the rules that fired on a published day, by customer and rule.

        `since` is the day from which the rule has fired on every published day, as it was known when this one was
        published.
        """
        frame = self._of_day(SIGNAL, as_of, customer_id).sort_values(["customer_id", "rule"], ignore_index=True)
        return frame.assign(evidence=frame["evidence"].map(dated).astype(object))

    def report(self, as_of: date, name: str) -> Any | None:
        """Return a report of a published day, or None."""
        return self.reports(as_of).get(name)

    def reports(self, as_of: date) -> dict[str, Any]:
        """Return the reports of a published day by name."""
        frame = self._of_day(REPORT, as_of, None)
        return dict(sorted(zip(frame["name"], frame["content"], strict=True)))

    def episodes(
        self,
        *,
        is_open: bool | None = None,
        owners: Collection[str] | None = None,
        customer_id: str | None = None,
        customers: Collection[str] | None = None,
        opened_from: date | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> Page:
        """Return warnings, the newest first, then by customer.

        Parameters
        ----------
        is_open : only those that are open, or only those that are closed
        owners : only those of these owners
        customer_id, customers : only those of this customer, or of these
        opened_from : only those opened on this day or later
        limit, offset : how many at most, after how many
        """
        chosen: list[sa.ColumnElement[bool]] = []
        if is_open is not None:
            chosen.append(EPISODE.c.closed_on.is_(None) if is_open else EPISODE.c.closed_on.is_not(None))
        if opened_from is not None:
            chosen.append(EPISODE.c.opened_on >= opened_from)
        order = (EPISODE.c.opened_on.desc(), EPISODE.c.customer_id, EPISODE.c.episode_id)
        return self._page(EPISODE, [*chosen, *_whose(EPISODE, owners, customer_id, customers)], order, limit, offset)

    def tasks(
        self,
        *,
        state: str | None = None,
        owners: Collection[str] | None = None,
        customer_id: str | None = None,
        customers: Collection[str] | None = None,
        due_until: date | None = None,
        awake_on: date | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> Page:
        """Return tasks, the first due first, then by customer.

        Parameters
        ----------
        state : "open", "done" or "waived"
        owners : only those of these owners
        customer_id, customers : only those of this customer, or of these
        due_until : only those due on this day or before
        awake_on : without those that are put off beyond this day
        limit, offset : how many at most, after how many
        """
        chosen: list[sa.ColumnElement[bool]] = [] if state is None else [TASK.c.state == state]
        if due_until is not None:
            chosen.append(TASK.c.due_on <= due_until)
        if awake_on is not None:
            chosen.append(sa.or_(TASK.c.snoozed_until.is_(None), TASK.c.snoozed_until <= awake_on))
        order = (TASK.c.due_on, TASK.c.customer_id, TASK.c.task_id)
        return self._page(TASK, [*chosen, *_whose(TASK, owners, customer_id, customers)], order, limit, offset)

    def _page(
        self,
        table: sa.Table,
        conditions: Sequence[sa.ColumnElement[bool]],
        order: Sequence[sa.ColumnElement[Any]],
        limit: int | None,
        offset: int,
    ) -> Page:
        with self.reading() as connection:
            counted = sa.select(sa.func.count()).select_from(table).where(*conditions)
            total = connection.execute(counted).scalar_one()
            chosen = sa.select(table).where(*conditions).order_by(*order).offset(offset)
            rows = connection.execute(chosen if limit is None else chosen.limit(limit)).all()
        return Page(frame_of(rows, table.columns), total)

    def account_states(self, customer_id: str | None = None, customers: Collection[str] | None = None) -> pd.DataFrame:
        """Return what people have entered of accounts, by customer; of one customer or of some where given."""
        return self._all(ACCOUNT_STATE, customer_id, customers)

    def outcomes(self, customer_id: str | None = None) -> pd.DataFrame:
        """Return what came of warnings, by warning."""
        return self._all(OUTCOME, customer_id)

    def reviews(self, customer_id: str | None = None) -> pd.DataFrame:
        """Return the causes that people found of losses, by customer and day of the loss."""
        return self._all(REVIEW, customer_id)

    def feedback(self) -> pd.DataFrame:
        """Return what people think of warnings, by warning and author."""
        return self._all(FEEDBACK)

    def exposures(self) -> pd.DataFrame:
        """Return who saw, opened or acted upon a warning, and when first."""
        return self._all(EXPOSURE)

    def settings(self) -> dict[str, Any]:
        """Return the numbers that the loop or people have changed, by name."""
        frame = self._all(SETTING)
        return dict(zip(frame["name"], frame["value"], strict=True))

    def notices(self, *, as_of: date | None = None, state: str | None = None) -> pd.DataFrame:
        """Return the outbox, the oldest first; of one day or in one state where given."""
        with self.reading() as connection:
            return frame_of(outbox.notices_of(connection, as_of=as_of, state=state), OUTBOX.columns)

    def history(self, customer_id: str | None = None, kinds: Iterable[str] = (), after: int = 0) -> list[Recorded]:
        """Return events in the order in which they were written; of one customer, of some kinds, or newer than one.

        `after` is the number of the newest event that is not wanted.
        """
        with self.reading() as connection:
            return read(connection, customer_id=customer_id, kinds=kinds, after=after)

    def verified(self) -> Verified:
        """Recompute every hash of the ledger."""
        with self.reading() as connection:
            return verify(connection)

    def _all(
        self, table: sa.Table, customer_id: str | None = None, customers: Collection[str] | None = None
    ) -> pd.DataFrame:
        chosen = sa.select(table).where(*_whose(table, None, customer_id, customers))
        order = [column.name for column in table.primary_key]
        return self._frame(chosen, table.columns).sort_values(order, ignore_index=True)


def _whose(
    table: sa.Table, owners: Collection[str] | None, customer_id: str | None, customers: Collection[str] | None
) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if owners is not None:
        conditions.append(table.c.owner.in_(sorted(owners)))
    if customer_id is not None:
        conditions.append(table.c.customer_id == customer_id)
    if customers is not None:
        conditions.append(table.c.customer_id.in_(sorted(customers)))
    return conditions
