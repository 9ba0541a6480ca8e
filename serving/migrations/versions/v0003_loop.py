"""The working day: profiles, health, signals and reports of a run; events and all that is a projection of them.

Revision ID: 0003
"""

import sqlalchemy as sa  # noqa: TID251
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_VIEW = """
SELECT score.customer_id, run.as_of, score.churn_probability, score.churn_window_days,
       score.p_no_order_30, score.p_no_order_60, score.p_no_order_90, score.p_no_order_180,
       score.level, score.cohort, score.history, score.value_at_risk, score.expected_loss,
       score.margin, score.base_margin, run.model_version, run.run_id,
       score.churn_low, score.churn_high, score.completeness, score.shown{}
FROM scoring_run AS run JOIN score ON score.run_id = run.run_id
WHERE run.state = 'published'
"""
_ADDED = ",\n       score.queue, score.stage, score.level_parts, score.early_place"
_CHECKS = {
    "queue": "queue IN ('early', 'overdue')",
    "stage": "stage IN ('none', 'cooling', 'comparison', 'decision', 'lost')",
    "early_place_share": "early_place BETWEEN 0 AND 1",
}
_CHANGED = {
    "sqlite": (
        "CREATE TRIGGER event_is_final_{0} BEFORE {0} ON event "
        "BEGIN SELECT RAISE(ABORT, 'events are never changed or removed'); END"
    ),
    "postgresql": (
        "CREATE TRIGGER event_is_final_{0} BEFORE {0} ON event "
        "FOR EACH STATEMENT EXECUTE FUNCTION kizashi_event_is_final()"
    ),
}
_FUNCTION = """
CREATE FUNCTION kizashi_event_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'events are never changed or removed'; END $$
"""
_TABLES = (
    "api_token", "idempotency_key", "outbox", "setting", "exposure", "feedback", "review", "outcome", "account_state",
    "task", "episode", "event", "report", "signal", "health", "profile",
)  # fmt: skip


def upgrade() -> None:
    """Create the tables of the working day; scores of earlier runs know no queue, no stage and no parts."""
    engine = op.get_context().dialect.name
    _create_pages()
    _create_events()
    _create_episodes()
    _create_tasks()
    if engine == "postgresql":
        op.execute(_FUNCTION)
    for what in ("update", "delete", *(("truncate",) if engine == "postgresql" else ())):
        op.execute(_CHANGED[engine].format(what))
    for column, kind in (("queue", sa.Text), ("stage", sa.Text), ("level_parts", sa.Text)):
        op.add_column("score", sa.Column(column, kind))
    for column in ("first_event", "last_event"):
        op.add_column("scoring_run", sa.Column(column, sa.BigInteger))
    checks = [sa.CheckConstraint(condition, name=op.f(f"ck_score_{name}")) for name, condition in _CHECKS.items()]
    op.add_column("score", sa.Column("early_place", sa.Double, *checks))
    if engine == "sqlite":  # it cannot replace a view, and knows no rights
        op.execute("DROP VIEW scores")
    op.execute(f"CREATE {'' if engine == 'sqlite' else 'OR REPLACE '}VIEW scores AS" + _VIEW.format(_ADDED))


def downgrade() -> None:
    """Remove the tables and what they held."""
    op.execute("DROP VIEW scores")
    for name in ("early_place", "level_parts", "stage", "queue"):
        op.drop_column("score", name)
    for name in ("last_event", "first_event"):
        op.drop_column("scoring_run", name)
    op.execute("CREATE VIEW scores AS" + _VIEW.format(""))
    for table in _TABLES:
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION kizashi_event_is_final()")


def _create_pages() -> None:
    op.create_table(
        "health",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("health", sa.Double),
        sa.Column("health_transaction", sa.Double),
        sa.Column("health_interaction", sa.Double),
        sa.Column("health_service", sa.Double),
        sa.Column("health_finance", sa.Double),
        sa.Column("health_strategy", sa.Double),
        sa.Column("known_dimensions", sa.Text, nullable=False),
        sa.Column("health_reference", sa.Double),
        sa.Column("health_drop", sa.Double),
        sa.CheckConstraint("health BETWEEN 0 AND 100", name=op.f("ck_health_health")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["scoring_run.run_id"], name=op.f("fk_health_scoring_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "customer_id", name=op.f("pk_health")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "profile",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["scoring_run.run_id"], name=op.f("fk_profile_scoring_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "customer_id", name=op.f("pk_profile")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["scoring_run.run_id"], name=op.f("fk_report_scoring_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_report")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "signal",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("since", sa.Date, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.CheckConstraint("level IN ('none', 'blue', 'yellow', 'orange', 'red')", name=op.f("ck_signal_level")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["scoring_run.run_id"], name=op.f("fk_signal_scoring_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "customer_id", "rule", name=op.f("pk_signal")),
        sqlite_with_rowid=False,
    )


def _create_events() -> None:
    op.create_table(
        "api_token",
        sa.Column("token_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("expires_at", sa.DateTime),
        sa.Column("revoked_at", sa.DateTime),
        sa.CheckConstraint("role IN ('viewer', 'rep', 'manager', 'admin')", name=op.f("ck_api_token_role")),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_table(
        "event",
        sa.Column("number", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Text),
        sa.Column("episode_id", sa.Text),
        sa.Column("task_id", sa.Text),
        sa.Column("once", sa.Text),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_event")),
        sa.UniqueConstraint("hash"),
        sa.UniqueConstraint("once"),
    )
    op.create_index("ix_event_customer", "event", ["customer_id", "number"], unique=False)
    op.create_table(
        "idempotency_key",
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("request_hash", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("actor", "key", name=op.f("pk_idempotency_key")),
    )
    op.create_table(
        "outbox",
        sa.Column("dedupe_key", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("not_before", sa.DateTime),
        sa.Column("leased_until", sa.DateTime),
        sa.Column("leased_by", sa.Text),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("sent_at", sa.DateTime),
        sa.Column("error", sa.Text),
        sa.CheckConstraint("state IN ('pending', 'sending', 'sent', 'failed', 'dead')", name=op.f("ck_outbox_state")),
        sa.PrimaryKeyConstraint("dedupe_key", name=op.f("pk_outbox")),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setting")),
    )


def _create_episodes() -> None:
    op.create_table(
        "episode",
        sa.Column("episode_id", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("opened_on", sa.Date, nullable=False),
        sa.Column("opened_level", sa.Text, nullable=False),
        sa.Column("opened_reason", sa.Text),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("highest_level", sa.Text, nullable=False),
        sa.Column("queue", sa.Text),
        sa.Column("stage", sa.Text),
        sa.Column("dimension", sa.Text),
        sa.Column("owner", sa.Text),
        sa.Column("priority", sa.Double),
        sa.Column("below_since", sa.Date),
        sa.Column("closed_on", sa.Date),
        sa.Column("close_reason", sa.Text),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("step_since", sa.DateTime, nullable=False),
        sa.Column("arm", sa.Text, nullable=False),
        sa.Column("propensity", sa.Double, nullable=False),
        sa.Column("treated_at", sa.DateTime),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("arm IN ('shown', 'holdout')", name=op.f("ck_episode_arm")),
        sa.CheckConstraint("level IN ('none', 'blue', 'yellow', 'orange', 'red')", name=op.f("ck_episode_level")),
        sa.CheckConstraint(
            "step IN ('raised', 'acknowledged', 'planned', 'in_progress', 'evaluated', 'learned')",
            name=op.f("ck_episode_step"),
        ),
        sa.PrimaryKeyConstraint("episode_id", name=op.f("pk_episode")),
        sa.UniqueConstraint("customer_id", "opened_on", name="uq_episode_opened"),
    )
    op.create_index(
        "uq_episode_open",
        "episode",
        ["customer_id"],
        unique=True,
        sqlite_where=sa.text("closed_on IS NULL"),
        postgresql_where=sa.text("closed_on IS NULL"),
    )
    op.create_table(
        "review",
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("lost_on", sa.Date, nullable=False),
        sa.Column("family", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.CheckConstraint("family IN ('service', 'care', 'price_range', 'other')", name=op.f("ck_review_family")),
        sa.PrimaryKeyConstraint("customer_id", "lost_on", name=op.f("pk_review")),
    )
    op.create_table(
        "exposure",
        sa.Column("episode_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.CheckConstraint("kind IN ('shown', 'opened', 'contacted')", name=op.f("ck_exposure_kind")),
        sa.ForeignKeyConstraint(["episode_id"], ["episode.episode_id"], name=op.f("fk_exposure_episode")),
        sa.PrimaryKeyConstraint("episode_id", "kind", "actor", name=op.f("pk_exposure")),
    )
    op.create_table(
        "feedback",
        sa.Column("episode_id", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.CheckConstraint("verdict IN ('true', 'false', 'known')", name=op.f("ck_feedback_verdict")),
        sa.ForeignKeyConstraint(["episode_id"], ["episode.episode_id"], name=op.f("fk_feedback_episode")),
        sa.PrimaryKeyConstraint("episode_id", "author", name=op.f("pk_feedback")),
    )
    op.create_table(
        "outcome",
        sa.Column("episode_id", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("detected_level", sa.Text),
        sa.Column("days_stopped", sa.Double),
        sa.Column("approach", sa.Text),
        sa.Column("why", sa.Text),
        sa.Column("first_order_amount", sa.Double),
        sa.Column("result", sa.Text),
        sa.Column("note", sa.Text),
        sa.Column("recorded_on", sa.Date, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("state IN ('draft', 'final')", name=op.f("ck_outcome_state")),
        sa.ForeignKeyConstraint(["episode_id"], ["episode.episode_id"], name=op.f("fk_outcome_episode")),
        sa.PrimaryKeyConstraint("episode_id", name=op.f("pk_outcome")),
    )


def _create_tasks() -> None:
    op.create_table(
        "account_state",
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("last_contact_on", sa.Date),
        sa.Column("temperature", sa.Text),
        sa.Column("risk", sa.Text),
        sa.Column("next_action_on", sa.Date),
        sa.Column("next_action_text", sa.Text),
        sa.Column("reviewed_at", sa.DateTime),
        sa.Column("reviewed_by", sa.Text),
        sa.Column("updated_at", sa.DateTime, nullable=False),
        sa.Column("updated_by", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("risk IN ('low', 'medium', 'high', 'urgent')", name=op.f("ck_account_state_risk")),
        sa.CheckConstraint("temperature IN ('hot', 'warm', 'cool', 'cold')", name=op.f("ck_account_state_temperature")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_account_state")),
    )
    op.create_table(
        "task",
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("episode_id", sa.Text),
        sa.Column("case_id", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("created_on", sa.Date, nullable=False),
        sa.Column("due_on", sa.Date, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("checklist", sa.JSON, nullable=False),
        sa.Column("needs", sa.JSON, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("snoozed_until", sa.Date),
        sa.Column("result", sa.JSON),
        sa.Column("closed_at", sa.DateTime),
        sa.Column("closed_by", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("state IN ('open', 'done', 'waived')", name=op.f("ck_task_state")),
        sa.ForeignKeyConstraint(["episode_id"], ["episode.episode_id"], name=op.f("fk_task_episode")),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_task")),
    )
    op.create_index("ix_task_owner", "task", ["owner", "state", "due_on"], unique=False)
    op.create_index(
        "uq_task_open",
        "task",
        ["customer_id", "cause"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
