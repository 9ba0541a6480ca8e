"""Opening a store: its schema, its URL, and what is said when it cannot be opened."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa  # noqa: TID251
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from features.errors import StoreError
from serving.migrations.connection import engine_of, target_of
from serving.migrations.tables import HEAD, METADATA, VERSION_TABLE
from serving.migrations.upgrade import configuration
from serving.records import IngestReport, TableCount
from serving.store import Store

pytest_plugins = ["databases"]


def test_the_migrations_lead_to_the_tables_of_the_code(
    store: Store, plain: sa.Engine, new_url: Callable[[], str]
) -> None:
    assert store.latest_as_of() is None
    created = engine_of(target_of(new_url()))
    METADATA.create_all(created)
    try:
        assert structure_of(plain) == structure_of(created)
    finally:
        created.dispose()
    with plain.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []
        assert context.get_current_revision() == HEAD
        assert ScriptDirectory.from_config(configuration(connection)).get_current_head() == HEAD


def structure_of(engine: sa.Engine) -> dict[str, object]:
    """Everything that a database tells about its tables, checks and partial indexes included."""
    inspector = sa.inspect(engine)
    return {
        table: {
            "columns": [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)],
            "primary key": inspector.get_pk_constraint(table),
            "foreign keys": inspector.get_foreign_keys(table),
            "indexes": str([sorted(_said(index).items()) for index in inspector.get_indexes(table)]),
            "checks": sorted(inspector.get_check_constraints(table), key=lambda check: str(check["name"])),
            "options": inspector.get_table_options(table) if engine.dialect.name == "sqlite" else None,
        }
        for table in inspector.get_table_names()
        if table != VERSION_TABLE
    }


def _said(index: Mapping[str, Any]) -> dict[str, Any]:
    """An index with its condition as text."""
    options = index.get("dialect_options", {})
    return {**index, "dialect_options": {name: str(option) for name, option in options.items()}}


def test_the_migrations_can_be_taken_back(store: Store, plain: sa.Engine) -> None:
    assert store.latest_as_of() is None
    with plain.execution_options(writing=True).begin() as connection:
        command.downgrade(configuration(connection), "base")
    assert sa.inspect(plain).get_table_names() == [VERSION_TABLE]
    assert sa.inspect(plain).get_view_names() == []


def test_a_store_of_a_newer_version_is_refused(store: Store, plain: sa.Engine, url: str) -> None:
    assert store.latest_as_of() is None
    with plain.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(StoreError, match=f"has schema 9999, this Kizashi knows up to {HEAD}.*Update Kizashi"):
        Store.open(url)


def test_a_store_that_was_to_be_there_is_not_made(url: str, plain: sa.Engine) -> None:
    with pytest.raises(StoreError, match="there is no store yet"):
        Store.open(url, create=False)
    assert sa.inspect(plain).get_table_names() == []


def test_opening_again_keeps_everything(store: Store, url: str) -> None:
    report = IngestReport("ingest-1", datetime(2026, 3, 1, 12, tzinfo=UTC), "f1", {"quotes": TableCount(1, 1, 0, 0)})
    store.record_ingest(report)
    with Store.open(url, create=False) as again:
        assert again.ingest("ingest-1") == report


def test_sqlite_is_opened_to_survive_a_power_cut(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/folder/kizashi.db"
    Store.open(url).close()
    engine = engine_of(target_of(url))
    with engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://kizashi:hunter2@127.0.0.1:1/kizashi",
        "postgresql://kizashi@127.0.0.1:1/kizashi?password=hunter2",
        "postgresql://kizashi:hunter2@host:port/kizashi",
        "postgresql://kizashi:hunter2@[::1/kizashi",
        "mysql://kizashi:hunter2@127.0.0.1/kizashi",
        "hunter2",
    ],
)
def test_no_error_repeats_a_password(url: str) -> None:
    with pytest.raises(StoreError) as refused:
        Store.open(url)
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None or refused.value.__suppress_context__


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x.db?uri=true"])
def test_a_store_that_would_not_last_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="needs a plain file"):
        Store.open(url)


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, however long this text may be " * 50)
    with pytest.raises(StoreError, match=r"notes.txt: file is not a database"):
        Store.open(f"sqlite:///{tmp_path}/notes.txt")


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"store's folder .*/file/folder cannot be made"):
        Store.open(f"sqlite:///{tmp_path}/file/folder/kizashi.db")
