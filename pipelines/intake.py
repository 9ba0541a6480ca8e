"""From what a user names on the command line to clean events and the options of each layer."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from features.buckets import Events, mirrored
from features.engines import ONE_BY_ONE, Engine
from features.errors import SettingsError, TooLittleData
from features.mapping import load_layout, mappings_from_dict
from features.options import resolved
from features.own import install, read_own
from features.quarantine import IngestReport, ingest
from features.snapshots import Cohort, Progress, SnapshotTable, Window, monthly, silent, take
from features.sources import open_source
from models.classifiers import BoostingOptions
from models.folds import WalkOptions
from models.levels import Promise
from pipelines.settings import Settings, database_url, load_settings
from serving import records
from serving.store import Store

#: The first snapshot is taken so many days after the first order: earlier there is nothing to look back on.
FIRST_LOOKBACK_DAYS = 60


@dataclass(frozen=True)
class Request:
    """What every command is given.

    Attributes
    ----------
    data
        A folder or a file, here or on object storage, or a database URL.
    out
        The folder that results are written to.
    as_of
        The date to stand on; None for the first midnight after the newest event.
    config
        The user's file of settings; None to look in the usual places.
    layout
        The name of a ready mapping; empty for none.
    given
        Settings that hold whatever stands in files and environment; None to read those.
    """

    data: str
    out: Path
    as_of: date | None = None
    config: Path | None = None
    layout: str = ""
    given: Settings | None = None

    @property
    def shown(self) -> str:
        """The data as it may be printed and logged: without a password."""
        return re.sub(r"(://[^/:@]*):[^@]*@", r"\1:***@", self.data)

    def settings(self) -> Settings:
        """The settings that hold for this request."""
        if self.given is not None:
            return self.given
        return load_settings(self.config, Path(self.data) if "://" not in self.data else None)


@dataclass(frozen=True)
class Intake:
    """Clean events with the account of how they became clean, and what maps their buckets."""

    request: Request
    settings: Settings
    report: IngestReport
    as_of: date
    engine: Engine = ONE_BY_ONE

    @property
    def events(self) -> Events:
        """The clean events."""
        return self.report.events

    @property
    def observed_until(self) -> date:
        """The date until which outcomes count as known: orders of later days may still be on their way."""
        return self.as_of - timedelta(days=self.settings.labels.invoice_latency_days)

    def cohort(self) -> Cohort:
        """Who is warned about."""
        return Cohort(**self.settings.cohort.model_dump())

    def window(self) -> Window:
        """The rule of the customer's own window."""
        return Window(**self.settings.window.model_dump())

    def options(self) -> dict[str, object]:
        """Options of features that differ from their defaults."""
        return dict(self.settings.features.options)

    def snapshots(
        self, dates: Sequence[date], *, max_rows: int | None = None, progress: Progress = silent
    ) -> SnapshotTable:
        """Snapshots of all customers at the given cutoffs, see :func:`features.snapshots.take`."""
        return take(
            self.events,
            dates,
            cohort=self.cohort(),
            window=self.window(),
            options=self.options(),
            engine=self.engine,
            max_rows=max_rows,
            progress=progress,
        )

    def walk_options(self) -> WalkOptions:
        """The options of a walk."""
        settings = self.settings
        promises = {name: Promise(**rule) for name, rule in settings.levels.model_dump().items()}
        return WalkOptions(
            boosting=BoostingOptions(**settings.lightgbm.model_dump()),
            window=self.window(),
            promises=promises,
            capacity=settings.capacity.by_level(),
            early_promise=settings.early.promise(),
            invoice_latency_days=settings.labels.invoice_latency_days,
            max_slices=settings.training.max_slices,
            max_rows=settings.training.max_rows,
            seed=settings.training.seed,
            threads=settings.training.threads,
        )

    def dates_until(self, last: date) -> list[date]:
        """Cutoffs to learn from, ending on `last`, oldest first.

        Raises
        ------
        TooLittleData
            If `last` is too soon after the first order.
        """
        first = self.first_order() + timedelta(days=FIRST_LOOKBACK_DAYS)
        if last < first:
            raise TooLittleData(
                f"{last} is less than {FIRST_LOOKBACK_DAYS} days after the first order ({self.first_order()}): "
                "there is nothing to look back on. Give a later --as-of."
            )
        every = self.settings.training.slice_every_months
        return monthly(first, last)[::-1][::every][::-1]

    def reach(self, dates: list[date], first_cutoff: date) -> list[date]:
        """Those of `dates` that a walk from `first_cutoff` can need: its warm-up and what that learns from included."""
        options = self.walk_options()
        start = dates.index(first_cutoff) - options.warm_up - options.max_slices
        return dates[max(start, 0) :]

    def first_order(self) -> date:
        """The day of the first known order line."""
        days = []
        for bucket in range(self.events.buckets):
            with self.events.connect(bucket) as con:
                days += [row[0] for row in con.execute("SELECT min(ordered_at) FROM transactions").fetchall() if row[0]]
        first: datetime = min(days)
        return first.date()


def take_in(request: Request, *, run_at: datetime | None = None, engine: Engine = ONE_BY_ONE) -> Intake:
    """Read, check and partition the data of a request, and write the account into the application's database.

    The intake has the `engine` (:func:`pipelines.engines.engine_of`) for what is then done with the buckets.

    Raises
    ------
    KizashiError
        With one line on whatever stands in the way. Data that are refused leave what was taken in before as it is.
    """
    settings = request.settings()
    install_features(settings)
    mappings = mappings_from_dict(settings.sources)
    if request.layout:
        mappings = {**load_layout(request.layout), **mappings}
    moment = run_at or datetime.now(UTC)
    report = ingest(
        open_source(request.data, mappings),
        request.out / "events",
        run_at=moment,
        timezone=settings.project.timezone,
        max_share=settings.quarantine.max_share,
    )
    if settings.engine.events:
        far = mirrored(report.events, settings.engine.events)
        if settings.engine.kind == "dask" and settings.engine.address:
            report = replace(report, events=far)
    with Store.open(database_url(settings, request.out)) as store:
        store.record_ingest(account(report, moment))
    as_of = request.as_of or report.events.data_end
    if as_of > report.events.data_end:
        raise SettingsError(
            f"--as-of {as_of} is after the end of the data: the newest event that is known is of "
            f"{report.events.data_end - timedelta(days=1)}. Give {report.events.data_end} or earlier, or newer data."
        )
    return Intake(request, settings, report, as_of, engine)


def install_features(settings: Settings) -> None:
    """Register the user's own features besides the shipped ones, and see that every option exists.

    Raises
    ------
    SettingsError
        If a file of features or an option cannot be used.
    """
    install(read_own([Path(name) for name in settings.features.files]))
    resolved(settings.features.options)


def account(report: IngestReport, moment: datetime) -> records.IngestReport:
    """The counts of an ingest as the store keeps them."""
    tables = {
        table.table: records.TableCount(
            table.rows_in,
            table.clean,
            table.quarantined,
            table.duplicates,
            {f"{reason.column}: {reason.words}": reason.rows for reason in table.reasons},
        )
        for table in report.tables
    }
    return records.IngestReport(run_id("ingest"), moment, report.events.fingerprint, tables)


def run_id(kind: str) -> str:
    """A new name for a run."""
    return f"{kind}-{uuid.uuid4().hex[:16]}"
