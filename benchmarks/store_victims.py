"""Databases to be killed in, and children that are killed: what store_kills.py and store_naive.py share."""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from serving.migrations.connection import target_of
from serving.store import Store

TESTS = Path(__file__).parents[1] / "tests"


@dataclass(frozen=True)
class Databases:
    """Databases with the schema and nothing in it, one after another."""

    template: str
    create: Callable[[str], None]
    remove: Callable[[str], None]

    @contextmanager
    def new(self, name: str) -> Iterator[Store]:
        """An empty store, gone afterwards. It holds no connection between its uses, so that processes may fork."""
        self.create(name)
        store = Store.open(self.template.format(name), wait_seconds=60)
        store.close()
        try:
            yield store
        finally:
            store.close()
            self.remove(name)


@contextmanager
def databases(of: str) -> Iterator[Databases]:
    """On SQLite, on a PostgreSQL of its own, or on a server whose URL has ``{}`` for the database."""
    with ExitStack() as held:
        if of == "sqlite":
            folder = held.enter_context(tempfile.TemporaryDirectory(prefix="kizashi-kills-"))
            template = f"sqlite:///{folder}/{{}}.db"
            Store.open(template.format("empty")).close()

            def copy(name: str) -> None:
                shutil.copy(Path(folder) / "empty.db", Path(folder) / f"{name}.db")

            def unlink(name: str) -> None:
                for path in Path(folder).glob(f"{name}.db*"):
                    path.unlink()

            yield Databases(template, copy, unlink)
            return
        if of == "postgresql":
            sys.path.insert(0, str(TESTS))
            from databases import embedded_postgres

            of = held.enter_context(embedded_postgres())
        server = sa.create_engine(target_of(of.format("postgres")), isolation_level="AUTOCOMMIT")
        held.callback(server.dispose)

        def run(statement: str) -> None:
            with server.connect() as connection:
                connection.exec_driver_sql(statement)
            server.dispose()  # nothing may be open when a process forks

        run("CREATE DATABASE kills_empty")
        held.callback(run, "DROP DATABASE kills_empty WITH (FORCE)")
        Store.open(of.format("kills_empty")).close()
        yield Databases(
            of,
            lambda name: run(f"CREATE DATABASE {name} TEMPLATE kills_empty"),
            lambda name: run(f"DROP DATABASE {name} WITH (FORCE)"),
        )


def wait_for_the_dead(connection: sa.Connection) -> None:
    """Wait until a PostgreSQL server has noticed that its clients are gone: what they sent last may still be done."""
    if connection.dialect.name != "postgresql":
        return
    others = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> :pid")
    own = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    give_up = time.monotonic() + 60
    while connection.execute(others, {"pid": own}).scalar_one():
        connection.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
        if time.monotonic() > give_up:
            raise RuntimeError("a session of a killed process does not end")
        time.sleep(0.002)


def killed(work: Callable[[], None], point: int | None, seconds: float | None) -> bool:
    """Do the work in a child that dies at a statement or commit, or after a time; return whether it died."""
    child = os.fork()
    if child == 0:
        passed = 0

        def pass_by(*_: object) -> None:
            nonlocal passed
            if passed == point:
                os.kill(os.getpid(), signal.SIGKILL)
            passed += 1

        status = 1
        try:
            if point is not None:
                sa.event.listen(sa.Engine, "before_cursor_execute", pass_by)
                sa.event.listen(sa.Engine, "commit", pass_by)
            work()
            status = 0
        finally:
            os._exit(status)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status) != 0:
        raise RuntimeError("the child failed by itself")
    return os.WIFSIGNALED(status)
