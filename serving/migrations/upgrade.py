"""Bring a database to the newest schema, without a command line or a settings file."""

from pathlib import Path

import sqlalchemy as sa  # noqa: TID251
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from features.errors import StoreError


def upgrade(connection: sa.Connection, found: str | None) -> None:
    """Run every migration after the revision `found` (None: an empty database), in the caller's transaction.

    Raises
    ------
    StoreError
        If this code does not know the revision: the database was written by a newer Kizashi.
    """
    settings = configuration(connection)
    if found is not None:
        scripts = ScriptDirectory.from_config(settings)
        try:
            scripts.get_revision(found)
        except CommandError:
            raise StoreError(
                f"The store has schema {found}, this Kizashi knows up to {scripts.get_current_head()}: "
                "a newer version wrote it. Update Kizashi."
            ) from None
    command.upgrade(settings, "head")


def configuration(connection: sa.Connection) -> Config:
    """Return Alembic's settings for a connection; also what a new revision is made with."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings
