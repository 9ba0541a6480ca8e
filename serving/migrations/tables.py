"""The tables as the newest migration leaves them.

A table here and its migration are changed together: a test compares the two on every engine. People and
programs that speak SQL read the views `scores`, `reasons` and `level_changes`, which hold published runs
alone; the tables below also hold runs that are being written and runs that were superseded.
"""

from datetime import UTC, datetime

import sqlalchemy as sa  # noqa: TID251

#: The newest migration, and the table that records it (MLflow and Prefect use Alembic's default name).
HEAD = "0005"
VERSION_TABLE = "kizashi_version"

METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment, kept in UTC without a zone, because SQLite cannot keep one."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment as UTC without its zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Return the stored moment with its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


def _finite(column: str) -> sa.CheckConstraint:
    """Neither NaN (above every number in PostgreSQL) nor infinite."""
    return sa.CheckConstraint(f"{column} BETWEEN -1e300 AND 1e300", name=f"{column}_finite")


def _share(column: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} BETWEEN 0 AND 1", name=f"{column}_share")


INGEST_RUN = sa.Table(
    "ingest_run",
    METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("ingested_at", UtcDateTime, nullable=False),
    sa.Column("input_fingerprint", sa.Text, nullable=False),
    sa.Column("rows_in", sa.BigInteger, nullable=False),
    sa.Column("clean", sa.BigInteger, nullable=False),
    sa.Column("quarantined", sa.BigInteger, nullable=False),
    sa.Column("duplicates", sa.BigInteger, nullable=False),
    # Per table: the four counts, and the quarantined rows by reason.
    sa.Column("tables", sa.JSON, nullable=False),
    sa.CheckConstraint("rows_in = clean + quarantined + duplicates", name="conservation"),
)

SCORING_RUN = sa.Table(
    "scoring_run",
    METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("model_version", sa.Text, nullable=False),
    sa.Column("input_fingerprint", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("customers", sa.BigInteger, nullable=False),
    sa.Column("reasons", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("published_at", UtcDateTime),
    sa.Column("superseded_at", UtcDateTime),
    sa.Column("superseded_by", sa.Text, sa.ForeignKey("scoring_run.run_id")),
    # The events by which the run moved warnings and tasks: numbers from `first_event` to `last_event`, the latter one
    # less where it moved nothing; unknown where the run left them alone.
    sa.Column("first_event", sa.BigInteger),
    sa.Column("last_event", sa.BigInteger),
    sa.CheckConstraint("state IN ('staged', 'published', 'superseded')", name="state"),
    sa.CheckConstraint("(state = 'staged') = (published_at IS NULL)", name="published_at"),
    sa.CheckConstraint("(state = 'superseded') = (superseded_by IS NOT NULL)", name="superseded_by"),
    # The last word on "one published run per day", whatever the code above it does.
    sa.Index(
        "uq_scoring_run_published",
        "as_of",
        unique=True,
        sqlite_where=sa.text("state = 'published'"),
        postgresql_where=sa.text("state = 'published'"),
    ),
)

SCORE = sa.Table(
    "score",
    METADATA,
    sa.Column("run_id", sa.Text, sa.ForeignKey("scoring_run.run_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("customer_id", sa.Text, primary_key=True),
    sa.Column("churn_probability", sa.Double),
    sa.Column("churn_window_days", sa.Double),
    sa.Column("p_no_order_30", sa.Double),
    sa.Column("p_no_order_60", sa.Double),
    sa.Column("p_no_order_90", sa.Double),
    sa.Column("p_no_order_180", sa.Double),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("cohort", sa.Text, nullable=False),
    sa.Column("history", sa.Text, nullable=False),
    sa.Column("value_at_risk", sa.Double),
    sa.Column("expected_loss", sa.Double),
    sa.Column("margin", sa.Double),
    sa.Column("base_margin", sa.Double),
    # Columns stand in the order in which they came: a database adds them last.
    sa.Column("churn_low", sa.Double),
    sa.Column("churn_high", sa.Double),
    sa.Column("completeness", sa.Text),
    # Whoever does not say gets the cautious word: a percentage has to be earned.
    sa.Column("shown", sa.Text, nullable=False, server_default="level"),
    sa.Column("queue", sa.Text),
    sa.Column("stage", sa.Text),
    # What the level was made of, such as "model:yellow rule:role_imbalance:orange".
    sa.Column("level_parts", sa.Text),
    # Place among those not overdue by what warns of losses to come, 1 the first to warn about.
    sa.Column("early_place", sa.Double),
    sa.CheckConstraint("level IN ('none', 'blue', 'yellow', 'orange', 'red')", name="level"),
    sa.CheckConstraint("history IN ('enough', 'short', 'none')", name="history"),
    sa.CheckConstraint("cohort <> ''", name="cohort"),
    _share("churn_probability"),
    _share("p_no_order_30"),
    _share("p_no_order_60"),
    _share("p_no_order_90"),
    _share("p_no_order_180"),
    sa.CheckConstraint(
        "p_no_order_30 >= p_no_order_60 AND p_no_order_60 >= p_no_order_90 AND p_no_order_90 >= p_no_order_180",
        name="horizons_fall",
    ),
    sa.CheckConstraint(
        "(p_no_order_30 IS NULL) = (p_no_order_60 IS NULL)"
        " AND (p_no_order_60 IS NULL) = (p_no_order_90 IS NULL)"
        " AND (p_no_order_90 IS NULL) = (p_no_order_180 IS NULL)",
        name="horizons_together",
    ),
    sa.CheckConstraint(
        "history = 'none' OR (churn_probability IS NOT NULL AND churn_window_days IS NOT NULL"
        " AND p_no_order_30 IS NOT NULL AND value_at_risk IS NOT NULL AND expected_loss IS NOT NULL"
        " AND margin IS NOT NULL AND base_margin IS NOT NULL)",
        name="known_with_history",
    ),
    sa.CheckConstraint("churn_window_days > 0 AND churn_window_days < 1e300", name="churn_window_days"),
    _share("churn_low"),
    _share("churn_high"),
    sa.CheckConstraint("(churn_low IS NULL) = (churn_high IS NULL)", name="interval_together"),
    sa.CheckConstraint("churn_low <= churn_probability AND churn_probability <= churn_high", name="interval_order"),
    sa.CheckConstraint(
        "churn_low IS NULL OR (cohort = 'eligible' AND churn_probability IS NOT NULL)", name="interval_in_cohort"
    ),
    sa.CheckConstraint("completeness IN ('A', 'B', 'C', 'D')", name="completeness"),
    sa.CheckConstraint("history <> 'none' OR completeness IS NULL", name="completeness_with_history"),
    sa.CheckConstraint("shown IN ('percent', 'level')", name="shown"),
    sa.CheckConstraint("shown = 'level' OR churn_probability IS NOT NULL", name="percent_with_probability"),
    sa.CheckConstraint("queue IN ('early', 'overdue')", name="queue"),
    sa.CheckConstraint("stage IN ('none', 'cooling', 'comparison', 'decision', 'lost')", name="stage"),
    _share("early_place"),
    _finite("value_at_risk"),
    _finite("expected_loss"),
    _finite("margin"),
    _finite("base_margin"),
    sqlite_with_rowid=False,  # the key is the table: no second copy of run and customer
)

REASON = sa.Table(
    "reason",
    METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("customer_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("feature", sa.Text, nullable=False),
    sa.Column("dimension", sa.Text, nullable=False),
    sa.Column("value", sa.Double),
    sa.Column("usual_value", sa.Double),
    sa.Column("peer_value", sa.Double),
    sa.Column("contribution", sa.Double, nullable=False),
    sa.Column("contribution_points", sa.Double, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    # Whoever does not say gets the cautious word: to be a reason has to be earned.
    sa.Column("role", sa.Text, nullable=False, server_default="rest"),
    # Unknown in rows of earlier versions.
    sa.Column("concept", sa.Text),
    # The sentence as codes, a list as JSON; text, because nobody asks the database for its parts.
    sa.Column("said", sa.Text),
    sa.ForeignKeyConstraint(["run_id", "customer_id"], ["score.run_id", "score.customer_id"], ondelete="CASCADE"),
    sa.CheckConstraint("position >= 1", name="position"),
    sa.CheckConstraint("role IN ('reason', 'against', 'small', 'rest')", name="role"),
    sa.CheckConstraint("concept <> ''", name="concept"),
    _finite("value"),
    _finite("usual_value"),
    _finite("peer_value"),
    _finite("contribution"),
    _finite("contribution_points"),
    sqlite_with_rowid=False,
)

#: Customers whose level is another than on the day published before, and why.
LEVEL_CHANGE = sa.Table(
    "level_change",
    METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("customer_id", sa.Text, primary_key=True),
    # The earlier day.
    sa.Column("since", sa.Date, nullable=False),
    sa.Column("level_before", sa.Text, nullable=False),
    sa.Column("level_after", sa.Text, nullable=False),
    sa.Column("margin_before", sa.Double),
    sa.Column("margin_after", sa.Double),
    # What `serving.story.Change` gives as plain data.
    sa.Column("change", sa.JSON, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(["run_id", "customer_id"], ["score.run_id", "score.customer_id"], ondelete="CASCADE"),
    sa.CheckConstraint("level_before IN ('none', 'blue', 'yellow', 'orange', 'red')", name="level_before"),
    sa.CheckConstraint("level_after IN ('none', 'blue', 'yellow', 'orange', 'red')", name="level_after"),
    sa.CheckConstraint("level_before <> level_after", name="levels_differ"),
    _finite("margin_before"),
    _finite("margin_after"),
    sqlite_with_rowid=False,
)

#: Columns of `score` and `reason` that came after their views: they stand behind the others in the views, too.
_LATER = ("churn_low", "churn_high", "completeness", "shown", "queue", "stage", "level_parts", "early_place")
_LATER_OF_REASON = ("role", "concept", "said")
_FIRST = tuple(name for name in SCORE.columns.keys() if name not in ("run_id", "customer_id", *_LATER))  # noqa: SIM118

#: The views of published runs, as `serving/store.py` reads them.
SCORES = sa.table(
    "scores",
    sa.column("customer_id", sa.Text),
    sa.column("as_of", sa.Date),
    *(sa.column(name, SCORE.c[name].type) for name in _FIRST),
    sa.column("model_version", sa.Text),
    sa.column("run_id", sa.Text),
    *(sa.column(name, SCORE.c[name].type) for name in _LATER),
)
REASONS = sa.table(
    "reasons",
    sa.column("customer_id", sa.Text),
    sa.column("as_of", sa.Date),
    *(
        sa.column(column.name, column.type)
        for column in REASON.columns
        if column.name not in ("run_id", "customer_id", *_LATER_OF_REASON)
    ),
    sa.column("run_id", sa.Text),
    *(sa.column(name, REASON.c[name].type) for name in _LATER_OF_REASON),
)
LEVEL_CHANGES = sa.table(
    "level_changes",
    sa.column("customer_id", sa.Text),
    sa.column("as_of", sa.Date),
    *(
        sa.column(column.name, column.type)
        for column in LEVEL_CHANGE.columns
        if column.name not in ("run_id", "customer_id")
    ),
    sa.column("run_id", sa.Text),
)
