"""Ingest accounts, scoring runs, scores and reasons; the views of what is published.

Revision ID: 0001
"""

import sqlalchemy as sa  # noqa: TID251
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SCORES = """
CREATE VIEW scores AS
SELECT score.customer_id, run.as_of, score.churn_probability, score.churn_window_days,
       score.p_no_order_30, score.p_no_order_60, score.p_no_order_90, score.p_no_order_180,
       score.level, score.cohort, score.history, score.value_at_risk, score.expected_loss,
       score.margin, score.base_margin, run.model_version, run.run_id
FROM scoring_run AS run JOIN score ON score.run_id = run.run_id
WHERE run.state = 'published'
"""

_REASONS = """
CREATE VIEW reasons AS
SELECT reason.customer_id, run.as_of, reason.position, reason.feature, reason.dimension, reason.value,
       reason.usual_value, reason.peer_value, reason.contribution, reason.contribution_points, reason.text,
       run.run_id
FROM scoring_run AS run JOIN reason ON reason.run_id = run.run_id
WHERE run.state = 'published'
"""


def upgrade() -> None:
    """Create the first tables."""
    _create_runs()
    _create_score()
    _create_reason()
    op.execute(_SCORES)
    op.execute(_REASONS)


def downgrade() -> None:
    """Remove everything."""
    op.execute("DROP VIEW reasons")
    op.execute("DROP VIEW scores")
    for table in ("reason", "score", "scoring_run", "ingest_run"):
        op.drop_table(table)


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _finite(table: str, *columns: str) -> list[sa.CheckConstraint]:
    return [_check(table, f"{column}_finite", f"{column} BETWEEN -1e300 AND 1e300") for column in columns]


def _create_runs() -> None:
    op.create_table(
        "ingest_run",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("ingested_at", sa.DateTime, nullable=False),
        sa.Column("input_fingerprint", sa.Text, nullable=False),
        sa.Column("rows_in", sa.BigInteger, nullable=False),
        sa.Column("clean", sa.BigInteger, nullable=False),
        sa.Column("quarantined", sa.BigInteger, nullable=False),
        sa.Column("duplicates", sa.BigInteger, nullable=False),
        sa.Column("tables", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_ingest_run")),
        _check("ingest_run", "conservation", "rows_in = clean + quarantined + duplicates"),
    )
    op.create_table(
        "scoring_run",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("input_fingerprint", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("customers", sa.BigInteger, nullable=False),
        sa.Column("reasons", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("published_at", sa.DateTime),
        sa.Column("superseded_at", sa.DateTime),
        sa.Column("superseded_by", sa.Text),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_scoring_run")),
        sa.ForeignKeyConstraint(["superseded_by"], ["scoring_run.run_id"], name=op.f("fk_scoring_run_scoring_run")),
        _check("scoring_run", "state", "state IN ('staged', 'published', 'superseded')"),
        _check("scoring_run", "published_at", "(state = 'staged') = (published_at IS NULL)"),
        _check("scoring_run", "superseded_by", "(state = 'superseded') = (superseded_by IS NOT NULL)"),
    )
    op.create_index(
        "uq_scoring_run_published",
        "scoring_run",
        ["as_of"],
        unique=True,
        sqlite_where=sa.text("state = 'published'"),
        postgresql_where=sa.text("state = 'published'"),
    )


def _create_score() -> None:
    shares = ("churn_probability", "p_no_order_30", "p_no_order_60", "p_no_order_90", "p_no_order_180")
    op.create_table(
        "score",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Text, nullable=False),
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
        sa.PrimaryKeyConstraint("run_id", "customer_id", name=op.f("pk_score")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["scoring_run.run_id"], name=op.f("fk_score_scoring_run"), ondelete="CASCADE"
        ),
        _check("score", "level", "level IN ('none', 'blue', 'yellow', 'orange', 'red')"),
        _check("score", "history", "history IN ('enough', 'short', 'none')"),
        _check("score", "cohort", "cohort <> ''"),
        *(_check("score", f"{share}_share", f"{share} BETWEEN 0 AND 1") for share in shares),
        _check(
            "score",
            "horizons_fall",
            "p_no_order_30 >= p_no_order_60 AND p_no_order_60 >= p_no_order_90 AND p_no_order_90 >= p_no_order_180",
        ),
        _check(
            "score",
            "horizons_together",
            "(p_no_order_30 IS NULL) = (p_no_order_60 IS NULL)"
            " AND (p_no_order_60 IS NULL) = (p_no_order_90 IS NULL)"
            " AND (p_no_order_90 IS NULL) = (p_no_order_180 IS NULL)",
        ),
        _check(
            "score",
            "known_with_history",
            "history = 'none' OR (churn_probability IS NOT NULL AND churn_window_days IS NOT NULL"
            " AND p_no_order_30 IS NOT NULL AND value_at_risk IS NOT NULL AND expected_loss IS NOT NULL"
            " AND margin IS NOT NULL AND base_margin IS NOT NULL)",
        ),
        _check("score", "churn_window_days", "churn_window_days > 0 AND churn_window_days < 1e300"),
        *_finite("score", "value_at_risk", "expected_loss", "margin", "base_margin"),
        sqlite_with_rowid=False,
    )


def _create_reason() -> None:
    op.create_table(
        "reason",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("feature", sa.Text, nullable=False),
        sa.Column("dimension", sa.Text, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("usual_value", sa.Double),
        sa.Column("peer_value", sa.Double),
        sa.Column("contribution", sa.Double, nullable=False),
        sa.Column("contribution_points", sa.Double, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "customer_id", "position", name=op.f("pk_reason")),
        sa.ForeignKeyConstraint(
            ["run_id", "customer_id"],
            ["score.run_id", "score.customer_id"],
            name=op.f("fk_reason_score"),
            ondelete="CASCADE",
        ),
        _check("reason", "position", "position >= 1"),
        *_finite("reason", "value", "usual_value", "peer_value", "contribution", "contribution_points"),
        sqlite_with_rowid=False,
    )
