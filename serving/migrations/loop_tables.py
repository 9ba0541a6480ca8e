"""The tables of the working day: what a run says besides its scores, and what people and the loop made of it.

All but the first four and the last five are a projection of `event`: :mod:`serving.projection` alone writes them.
"""

import sqlalchemy as sa  # noqa: TID251

from serving.migrations.tables import METADATA, UtcDateTime

LEVELS = "('none', 'blue', 'yellow', 'orange', 'red')"
STEPS = "('raised', 'acknowledged', 'planned', 'in_progress', 'evaluated', 'learned')"


def _of_run(*more: sa.schema.SchemaItem) -> list[sa.schema.SchemaItem]:
    run = sa.Column("run_id", sa.Text, sa.ForeignKey("scoring_run.run_id", ondelete="CASCADE"), primary_key=True)
    return [run, *more]


def _one_of(column: str, values: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN {values}", name=column)


def _only(name: str, *columns: str, where: str) -> sa.Index:
    """A unique index on the rows that a condition chooses."""
    return sa.Index(name, *columns, unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


#: What lists, filters and the customer's page need besides the score; kept for the newest published day alone.
PROFILE = sa.Table(
    "profile",
    METADATA,
    *_of_run(
        sa.Column("customer_id", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text),
        sa.Column("facts", sa.JSON, nullable=False),
    ),
    sqlite_with_rowid=False,
)

#: Health of every customer and day, kept.
HEALTH = sa.Table(
    "health",
    METADATA,
    *_of_run(
        sa.Column("customer_id", sa.Text, primary_key=True),
        sa.Column("health", sa.Double),
        sa.Column("health_transaction", sa.Double),
        sa.Column("health_interaction", sa.Double),
        sa.Column("health_service", sa.Double),
        sa.Column("health_finance", sa.Double),
        sa.Column("health_strategy", sa.Double),
        sa.Column("known_dimensions", sa.Text, nullable=False),
        sa.Column("health_reference", sa.Double),
        sa.Column("health_drop", sa.Double),
        sa.CheckConstraint("health BETWEEN 0 AND 100", name="health"),
    ),
    sqlite_with_rowid=False,
)

#: Rules that fired.
SIGNAL = sa.Table(
    "signal",
    METADATA,
    *_of_run(
        sa.Column("customer_id", sa.Text, primary_key=True),
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("since", sa.Date, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        _one_of("level", LEVELS),
    ),
    sqlite_with_rowid=False,
)

#: Pages of a run as a whole: workload, record of rules, track record, funnel, ...
REPORT = sa.Table(
    "report",
    METADATA,
    *_of_run(sa.Column("name", sa.Text, primary_key=True), sa.Column("content", sa.JSON, nullable=False)),
    sqlite_with_rowid=False,
)

#: Append-only, each row bound to the one before by its hash; a trigger forbids UPDATE and DELETE.
EVENT = sa.Table(
    "event",
    METADATA,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("customer_id", sa.Text),
    sa.Column("episode_id", sa.Text),
    sa.Column("task_id", sa.Text),
    # What may happen once only, such as the opening of an episode, has a key.
    sa.Column("once", sa.Text, unique=True),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.Index("ix_event_customer", "customer_id", "number"),
)

EPISODE = sa.Table(
    "episode",
    METADATA,
    sa.Column("episode_id", sa.Text, primary_key=True),
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
    sa.Column("step_since", UtcDateTime, nullable=False),
    sa.Column("arm", sa.Text, nullable=False),
    sa.Column("propensity", sa.Double, nullable=False),
    sa.Column("treated_at", UtcDateTime),
    sa.Column("version", sa.Integer, nullable=False),
    _one_of("level", LEVELS),
    _one_of("step", STEPS),
    _one_of("arm", "('shown', 'holdout')"),
    sa.UniqueConstraint("customer_id", "opened_on", name="uq_episode_opened"),
    _only("uq_episode_open", "customer_id", where="closed_on IS NULL"),
)

TASK = sa.Table(
    "task",
    METADATA,
    sa.Column("task_id", sa.Text, primary_key=True),
    sa.Column("customer_id", sa.Text, nullable=False),
    sa.Column("episode_id", sa.Text, sa.ForeignKey("episode.episode_id")),
    sa.Column("case_id", sa.Text),
    sa.Column("kind", sa.Text, nullable=False),
    # What it is about: one open task per customer and cause.
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
    sa.Column("closed_at", UtcDateTime),
    sa.Column("closed_by", sa.Text),
    sa.Column("version", sa.Integer, nullable=False),
    _one_of("state", "('open', 'done', 'waived')"),
    _only("uq_task_open", "customer_id", "cause", where="state = 'open'"),
    sa.Index("ix_task_owner", "owner", "state", "due_on"),
)

#: What people have entered of an account: the 30-second update, the next action, the review of a list.
ACCOUNT_STATE = sa.Table(
    "account_state",
    METADATA,
    sa.Column("customer_id", sa.Text, primary_key=True),
    sa.Column("last_contact_on", sa.Date),
    sa.Column("temperature", sa.Text),
    sa.Column("risk", sa.Text),
    sa.Column("next_action_on", sa.Date),
    sa.Column("next_action_text", sa.Text),
    sa.Column("reviewed_at", UtcDateTime),
    sa.Column("reviewed_by", sa.Text),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("updated_by", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    _one_of("temperature", "('hot', 'warm', 'cool', 'cold')"),
    _one_of("risk", "('low', 'medium', 'high', 'urgent')"),
)

OUTCOME = sa.Table(
    "outcome",
    METADATA,
    sa.Column("episode_id", sa.Text, sa.ForeignKey("episode.episode_id"), primary_key=True),
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
    _one_of("state", "('draft', 'final')"),
)

REVIEW = sa.Table(
    "review",
    METADATA,
    sa.Column("customer_id", sa.Text, primary_key=True),
    sa.Column("lost_on", sa.Date, primary_key=True),
    sa.Column("family", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    _one_of("family", "('service', 'care', 'price_range', 'other')"),
)

FEEDBACK = sa.Table(
    "feedback",
    METADATA,
    sa.Column("episode_id", sa.Text, sa.ForeignKey("episode.episode_id"), primary_key=True),
    sa.Column("author", sa.Text, primary_key=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("at", UtcDateTime, nullable=False),
    _one_of("verdict", "('true', 'false', 'known')"),
)

#: Who was shown, opened or acted upon a warning, and when first.
EXPOSURE = sa.Table(
    "exposure",
    METADATA,
    sa.Column("episode_id", sa.Text, sa.ForeignKey("episode.episode_id"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("actor", sa.Text, primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
    _one_of("kind", "('shown', 'opened', 'contacted')"),
)

#: Numbers that the loop or a person has changed: weights of the health score, thresholds, pilot scope.
SETTING = sa.Table(
    "setting",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.JSON, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
)

#: Notices on their way: whatever is to leave the system is written here in the transaction that decides it.
OUTBOX = sa.Table(
    "outbox",
    METADATA,
    sa.Column("dedupe_key", sa.Text, primary_key=True),
    # The run that decided it; unknown where a person or a clock did.
    sa.Column("run_id", sa.Text),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("not_before", UtcDateTime),
    sa.Column("leased_until", UtcDateTime),
    sa.Column("leased_by", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("sent_at", UtcDateTime),
    sa.Column("error", sa.Text),
    _one_of("state", "('pending', 'sending', 'sent', 'failed', 'dead')"),
)

#: Answers to requests that may come twice.
IDEMPOTENCY_KEY = sa.Table(
    "idempotency_key",
    METADATA,
    sa.Column("actor", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("request_hash", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

#: Who may call the API: of the token itself only a hash is kept.
API_TOKEN = sa.Table(
    "api_token",
    METADATA,
    sa.Column("token_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("role", sa.Text, nullable=False),
    # The owner whose customers a rep sees.
    sa.Column("owner", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("revoked_at", UtcDateTime),
    _one_of("role", "('viewer', 'rep', 'manager', 'admin')"),
)

#: Who may sign in to the pages.
ACCOUNT = sa.Table(
    "account",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    # The owner whose customers a rep sees.
    sa.Column("owner", sa.Text),
    # The language of the pages; unknown where the browser is asked.
    sa.Column("language", sa.Text),
    # With the parameters that it was made with; none where only links lead in.
    sa.Column("password_hash", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("disabled_at", UtcDateTime),
    # A session bears the number that it began under, and ends when this one is raised.
    sa.Column("epoch", sa.Integer, nullable=False),
    _one_of("role", "('viewer', 'rep', 'manager', 'admin')"),
)

#: Links that lead in once: of the link's secret only a hash is kept.
SIGN_IN_LINK = sa.Table(
    "sign_in_link",
    METADATA,
    sa.Column("link_hash", sa.Text, primary_key=True),
    # No foreign key: the built-in account of a new installation stands in no table.
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("used_at", UtcDateTime),
)

#: What is rebuilt from the events, parents first.
PROJECTED = (EPISODE, TASK, ACCOUNT_STATE, OUTCOME, REVIEW, FEEDBACK, EXPOSURE, SETTING)
