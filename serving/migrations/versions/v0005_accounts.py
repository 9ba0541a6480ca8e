"""Accounts of the people who sign in to the pages, and the links that lead them in once.

Revision ID: 0005
"""

import sqlalchemy as sa  # noqa: TID251
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables, empty."""
    op.create_table(
        "account",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("language", sa.Text),
        sa.Column("password_hash", sa.Text),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("disabled_at", sa.DateTime),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.CheckConstraint("role IN ('viewer', 'rep', 'manager', 'admin')", name=op.f("ck_account_role")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_account")),
    )
    op.create_table(
        "sign_in_link",
        sa.Column("link_hash", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("expires_at", sa.DateTime, nullable=False),
        sa.Column("used_at", sa.DateTime),
        sa.PrimaryKeyConstraint("link_hash", name=op.f("pk_sign_in_link")),
    )


def downgrade() -> None:
    """Remove both: nobody can sign in any more."""
    op.drop_table("sign_in_link")
    op.drop_table("account")
