"""What a reason is and what its sentence says in codes; customers whose level changed, and why.

Revision ID: 0004
"""

import sqlalchemy as sa  # noqa: TID251
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_VIEW = """
SELECT reason.customer_id, run.as_of, reason.position, reason.feature, reason.dimension, reason.value,
       reason.usual_value, reason.peer_value, reason.contribution, reason.contribution_points, reason.text,
       run.run_id{}
FROM scoring_run AS run JOIN reason ON reason.run_id = run.run_id
WHERE run.state = 'published'
"""
_ADDED = ", reason.role, reason.concept, reason.said"
_CHECKS = {"role": "role IN ('reason', 'against', 'small', 'rest')", "concept": "concept <> ''"}

_CHANGES = """
CREATE VIEW level_changes AS
SELECT level_change.customer_id, run.as_of, level_change.since, level_change.level_before, level_change.level_after,
       level_change.margin_before, level_change.margin_after, level_change.change, level_change.text, run.run_id
FROM scoring_run AS run JOIN level_change ON level_change.run_id = run.run_id
WHERE run.state = 'published'
"""
_LEVELS = "('none', 'blue', 'yellow', 'orange', 'red')"


def upgrade() -> None:
    """Add them; of the reasons that are there the role is what their sign says, the concept is unknown."""
    op.add_column("reason", sa.Column("role", sa.Text, nullable=False, server_default="rest"))
    op.add_column("reason", sa.Column("concept", sa.Text))
    # All checks come with the last column: each column that brings one has the database read every row again.
    checks = [sa.CheckConstraint(condition, name=op.f(f"ck_reason_{name}")) for name, condition in _CHECKS.items()]
    op.add_column("reason", sa.Column("said", sa.Text, *checks))
    op.execute(
        "UPDATE reason SET role = CASE WHEN contribution < 0 THEN 'against' ELSE 'reason' END WHERE feature <> 'other'"
    )
    engine = op.get_context().dialect.name
    if engine == "sqlite":  # it cannot replace a view, and knows no rights
        op.execute("DROP VIEW reasons")
    op.execute(f"CREATE {'' if engine == 'sqlite' else 'OR REPLACE '}VIEW reasons AS" + _VIEW.format(_ADDED))
    _create_level_change()
    op.execute(_CHANGES)


def downgrade() -> None:
    """Remove the columns and the table, and what they held."""
    op.execute("DROP VIEW level_changes")
    op.drop_table("level_change")
    op.execute("DROP VIEW reasons")
    for name in ("said", "concept", "role"):  # the first one's checks read the others
        op.drop_column("reason", name)
    op.execute("CREATE VIEW reasons AS" + _VIEW.format(""))


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_level_change_{name}"))


def _create_level_change() -> None:
    op.create_table(
        "level_change",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("since", sa.Date, nullable=False),
        sa.Column("level_before", sa.Text, nullable=False),
        sa.Column("level_after", sa.Text, nullable=False),
        sa.Column("margin_before", sa.Double),
        sa.Column("margin_after", sa.Double),
        sa.Column("change", sa.JSON, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "customer_id", name=op.f("pk_level_change")),
        sa.ForeignKeyConstraint(
            ["run_id", "customer_id"],
            ["score.run_id", "score.customer_id"],
            name=op.f("fk_level_change_score"),
            ondelete="CASCADE",
        ),
        _check("level_before", f"level_before IN {_LEVELS}"),
        _check("level_after", f"level_after IN {_LEVELS}"),
        _check("levels_differ", "level_before <> level_after"),
        *(
            _check(f"{column}_finite", f"{column} BETWEEN -1e300 AND 1e300")
            for column in ("margin_before", "margin_after")
        ),
        sqlite_with_rowid=False,
    )
