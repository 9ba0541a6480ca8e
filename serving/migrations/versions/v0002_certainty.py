"""How sure a score is: the interval of the probability, the grade of the data, what may be shown.

Revision ID: 0002

Columns are added in place: nothing is copied, and on SQLite no table is dropped whose rows others refer to. In the
view `scores` they stand last, because PostgreSQL can replace a view only so; dropping it would take away every right
to read it, and fail where somebody built another view upon it.
"""

import sqlalchemy as sa  # noqa: TID251
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_VIEW = """
SELECT score.customer_id, run.as_of, score.churn_probability, score.churn_window_days,
       score.p_no_order_30, score.p_no_order_60, score.p_no_order_90, score.p_no_order_180,
       score.level, score.cohort, score.history, score.value_at_risk, score.expected_loss,
       score.margin, score.base_margin, run.model_version, run.run_id{}
FROM scoring_run AS run JOIN score ON score.run_id = run.run_id
WHERE run.state = 'published'
"""
_ADDED = ",\n       score.churn_low, score.churn_high, score.completeness, score.shown"

_CHECKS = {
    "churn_low_share": "churn_low BETWEEN 0 AND 1",
    "churn_high_share": "churn_high BETWEEN 0 AND 1",
    "interval_together": "(churn_low IS NULL) = (churn_high IS NULL)",
    "interval_order": "churn_low <= churn_probability AND churn_probability <= churn_high",
    "interval_in_cohort": "churn_low IS NULL OR (cohort = 'eligible' AND churn_probability IS NOT NULL)",
    "completeness": "completeness IN ('A', 'B', 'C', 'D')",
    "completeness_with_history": "history <> 'none' OR completeness IS NULL",
    "shown": "shown IN ('percent', 'level')",
    "percent_with_probability": "shown = 'level' OR churn_probability IS NOT NULL",
}


def upgrade() -> None:
    """Add the columns; rows that are there already know no interval and no grade, and show their level alone."""
    op.add_column("score", sa.Column("churn_low", sa.Double))
    op.add_column("score", sa.Column("churn_high", sa.Double))
    op.add_column("score", sa.Column("completeness", sa.Text))
    # All checks come with the last column: each column that brings one has the database read every row again.
    checks = [sa.CheckConstraint(condition, name=op.f(f"ck_score_{name}")) for name, condition in _CHECKS.items()]
    op.add_column("score", sa.Column("shown", sa.Text, *checks, nullable=False, server_default="level"))
    if op.get_context().dialect.name == "sqlite":  # it cannot replace a view, and knows no rights
        op.execute("DROP VIEW scores")
        op.execute("CREATE VIEW scores AS" + _VIEW.format(_ADDED))
    else:
        op.execute("CREATE OR REPLACE VIEW scores AS" + _VIEW.format(_ADDED))


def downgrade() -> None:
    """Remove the columns and what they held."""
    op.execute("DROP VIEW scores")
    op.drop_column("score", "shown")  # first, for its checks read the others
    for name in ("completeness", "churn_high", "churn_low"):
        op.drop_column("score", name)
    op.execute("CREATE VIEW scores AS" + _VIEW.format(""))
