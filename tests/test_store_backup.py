"""A copy of the store: whole, made while others write, and as good as the store itself."""

from pathlib import Path

import pytest
from made_days import MONDAY, opened, state_on

from features.errors import StoreError
from serving.backup import back_up
from serving.ledger import append
from serving.store import Store


def filled(url: str) -> Store:
    store = Store.open(url)
    with store.writing() as connection:
        append(connection, opened(state_on(MONDAY), "ann"))
    return store


def test_a_copy_made_while_somebody_writes_opens_as_a_store_with_the_same_chain(tmp_path: Path) -> None:
    url, copy = f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "copy.db"
    with filled(url) as store:
        with store.writing() as connection:
            append(connection, opened(state_on(MONDAY), "bob"))
            assert back_up(url, copy).events == 2
        assert store.verified().events == 4
        before = store.history("ann")
    with Store.open(f"sqlite:///{copy}", create=False) as restored:
        assert restored.history() == before
        assert restored.episodes().rows["customer_id"].tolist() == ["ann"]
    assert [path.name for path in tmp_path.glob("copy*") if path.suffix not in (".db-wal", ".db-shm")] == ["copy.db"]


def test_a_copy_of_a_store_whose_ledger_was_altered_is_refused(tmp_path: Path) -> None:
    url, copy = f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "copy.db"
    with filled(url) as store, store.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER event_is_final_update")
        connection.exec_driver_sql("UPDATE event SET actor = 'eve' WHERE number = 2")
    with pytest.raises(StoreError, match="broken at event 2"):
        back_up(url, copy)
    assert not list(tmp_path.glob("copy*"))


def test_a_copy_needs_a_sqlite_store_and_a_new_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with pytest.raises(StoreError, match="no store to copy"):
        back_up(url, tmp_path / "copy.db")
    filled(url).close()
    (tmp_path / "copy.db").touch()
    with pytest.raises(StoreError, match="is there already"):
        back_up(url, tmp_path / "copy.db")
    with pytest.raises(StoreError, match="pg_dump"):
        back_up("postgresql://someone@nowhere/kizashi", tmp_path / "other.db")
