"""Alembic's entry: runs the migrations on the connection that `serving.migrations.upgrade` hands over."""

from alembic import context

from serving.migrations import loop_tables  # noqa: F401  (declares its tables in METADATA)
from serving.migrations.tables import METADATA, VERSION_TABLE


def run() -> None:
    """Run the steps that Alembic chose, inside the transaction of the connection's owner."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        render_as_batch=True,  # SQLite cannot alter a table in place
    )
    with context.begin_transaction():
        context.run_migrations()


# Alembic loads this file under this name; an ordinary import does nothing.
if __name__ == "env_py":
    run()
