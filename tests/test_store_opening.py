"""Opening a store: its schema, its URL, and what is said when it cannot be opened."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
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
            "columns": [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in inspector.get_columns(table)],
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


#: What version 0001 had published: a customer in the cohort with reasons, one outside, one who never ordered.
OLD_ROWS = """
INSERT INTO scoring_run VALUES
('r1', '2026-03-01', 'm1', 'f1', 'published', 3, 4, '2026-03-01 12:00:00', '2026-03-01 12:05:00', NULL, NULL);
INSERT INTO score VALUES
('r1', 'ann', 0.8, 45.5, 0.9, 0.7, 0.5, 0.2, 'red', 'eligible', 'enough', 900, 720, 1.4, -1),
('r1', 'bob', 0.1, 60.0, 0.3, 0.1, 0.1, 0.0, 'none', 'dormant', 'short', 50, 5, -2.2, -1),
('r1', 'cho', NULL, NULL, NULL, NULL, NULL, NULL, 'none', 'no_order', 'none', NULL, NULL, NULL, NULL);
INSERT INTO reason VALUES
('r1', 'ann', 1, 'orders_90d', 'transaction', 1, NULL, NULL, 2.75, 0.5, '1 order in 90 days.'),
('r1', 'ann', 2, 'tenure_days', 'transaction', 9, NULL, NULL, 0, 0, 'A customer for 9 days.'),
('r1', 'ann', 3, 'trials_180d', 'transaction', 2, NULL, NULL, -0.25, -0.1, '2 trials in 180 days.'),
('r1', 'ann', 4, 'other', 'transaction', NULL, NULL, NULL, -0.1, -0.1, 'The rest.');
CREATE VIEW red AS SELECT customer_id FROM scores WHERE level = 'red';
CREATE VIEW late AS SELECT customer_id FROM reasons WHERE feature = 'orders_90d'
"""


def as_version_0001_left_it(plain: sa.Engine) -> None:
    with plain.execution_options(writing=True).begin() as connection:
        command.upgrade(configuration(connection), "0001")
        for statement in OLD_ROWS.split(";"):
            connection.exec_driver_sql(statement)


def told_by(plain: sa.Engine, statement: str) -> list[tuple[object, ...]]:
    with plain.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def test_rows_of_the_first_version_stay_and_show_their_level_alone(url: str, plain: sa.Engine) -> None:
    as_version_0001_left_it(plain)
    before = told_by(plain, "SELECT * FROM scores ORDER BY customer_id")
    with Store.open(url, create=False) as opened:
        scores, reasons = opened.scores(date(2026, 3, 1)), opened.reasons(date(2026, 3, 1))
    after = told_by(plain, "SELECT * FROM scores ORDER BY customer_id")
    assert after == [(*row, None, None, None, "level", None, None, None, None) for row in before]
    assert scores["customer_id"].tolist() == ["ann", "bob", "cho"]
    assert scores["shown"].tolist() == ["level"] * 3
    assert scores[["churn_low", "churn_high", "completeness"]].isna().all(axis=None)
    assert reasons["text"].tolist()[0] == "1 order in 90 days."
    assert reasons["role"].tolist() == ["reason", "reason", "against", "rest"]
    assert reasons[["concept", "said"]].isna().all(axis=None)


@pytest.mark.parametrize(("view", "built"), [("scores", "red"), ("reasons", "late")])
def test_views_built_on_the_views_and_rights_to_read_them_outlive_the_upgrade(
    url: str, plain: sa.Engine, view: str, built: str
) -> None:
    as_version_0001_left_it(plain)
    rights = f"SELECT has_table_privilege('pg_monitor', '{view}', 'SELECT')"
    if plain.dialect.name == "postgresql":  # SQLite knows no rights
        assert told_by(plain, rights) == [(False,)]
        with plain.begin() as connection:
            connection.exec_driver_sql(f"GRANT SELECT ON {view} TO pg_monitor")
    Store.open(url).close()
    assert told_by(plain, f"SELECT * FROM {built}") == [("ann",)]
    if plain.dialect.name == "postgresql":
        assert told_by(plain, rights) == [(True,)]


def test_a_store_taken_back_by_one_version_keeps_its_rows(url: str, plain: sa.Engine) -> None:
    as_version_0001_left_it(plain)
    questions = tuple(f"SELECT * FROM {what} ORDER BY 1, 2, 3" for what in ("score", "reason", "scores", "reasons"))
    with plain.execution_options(writing=True).begin() as connection:
        connection.exec_driver_sql("DROP VIEW red")
        connection.exec_driver_sql("DROP VIEW late")
    before = [told_by(plain, question) for question in questions]
    structure = structure_of(plain)
    Store.open(url).close()
    with plain.execution_options(writing=True).begin() as connection:
        command.downgrade(configuration(connection), "0001")
    assert [told_by(plain, question) for question in questions] == before
    assert structure_of(plain) == structure
    with Store.open(url) as again:
        assert len(again.scores(date(2026, 3, 1))) == 3


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
