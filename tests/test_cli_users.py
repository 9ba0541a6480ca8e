"""``kizashi user`` as a stranger meets it, and what `serve` asks for before others can reach it."""

import io
import os
import pty
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from companies import Finished

from pipelines import cli, server
from pipelines.settings import load_settings
from serving.accounts import LOCAL, Account, account_of_link, accounts, by_password
from serving.store import Store

pytest_plugins = ["served_company"]

Run = Callable[..., Finished]
SECRET = "correct horse battery"
LINK = re.compile(r"^(http\S+)/sign-in/(\S+)$", re.MULTILINE)


@pytest.fixture
def run(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `main` in this process, in a folder where the company's day is published in `var`."""
    monkeypatch.setattr(os, "environ", os.environ.copy())  # noqa: TID251
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(cli, "_leave", sys.exit)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(published, tmp_path / "var")

    def called(*arguments: str, typed: str = "") -> Finished:
        monkeypatch.setattr(sys, "argv", ["kizashi", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return Finished(int(end.value.code or 0), said.out, said.err)

    return called


def done(run: Run, *arguments: str, typed: str = "") -> str:
    finished = run(*arguments, typed=typed)
    assert finished.code == 0, finished.err
    return str(finished.out)


def kept() -> list[Account]:
    with Store.open("sqlite:///var/kizashi.db") as store, store.reading() as connection:
        return accounts(connection)


def leads_in(secret: str) -> str | None:
    with Store.open("sqlite:///var/kizashi.db") as store, store.reading() as connection:
        found = account_of_link(connection, secret, server.now())
    return found.name if found else None


def enters(name: str, password: str) -> bool:
    with Store.open("sqlite:///var/kizashi.db") as store, store.reading() as connection:
        return by_password(connection, name, password) is not None


def link_in(said: str) -> tuple[str, str]:
    (found,) = LINK.findall(said)
    return found


def test_an_account_is_made_with_a_link_listed_disabled_and_let_in_again(run: Run) -> None:
    said = done(run, "user", "add", "Ann", "--role", "rep", "--owner", "Ann", "--language", "ja")
    address, secret = link_in(said)
    assert (address, leads_in(secret)) == ("http://127.0.0.1:8640", "Ann")
    listed = done(run, "user", "list")
    assert re.search(r"Ann\W+rep\W+Ann\W+ja\W.*link.*good", listed)
    assert secret not in listed
    assert "disabled and signed out" in done(run, "user", "disable", "ann")
    assert "disabled" in done(run, "user", "list")
    assert leads_in(secret) is None
    assert "may sign in again" in done(run, "user", "enable", "Ann")
    address, secret = link_in(done(run, "user", "link", "Ann", "--hours", "2", "--url", "https://kizashi.example/"))
    assert (address, leads_in(secret)) == ("https://kizashi.example", "Ann")
    (before,) = kept()
    assert "signed out everywhere" in done(run, "user", "sign-out", "Ann")
    (after,) = kept()
    assert (after.epoch > before.epoch, leads_in(secret)) == (True, None)


def test_a_password_is_read_as_one_line_where_no_terminal_is_there(run: Run) -> None:
    said = done(run, "user", "add", "Zoe", "--role", "manager", "--password", typed=f"{SECRET}\r\nmore\n")
    assert (LINK.findall(said), SECRET in said) == ([], False)
    assert enters("Zoe", SECRET)
    assert "is set" in done(run, "user", "password", "zoe", typed="another long one")
    assert (enters("Zoe", SECRET), enters("Zoe", "another long one")) == (False, True)
    assert "password or link" in done(run, "user", "list")


@pytest.mark.parametrize(("again", "code"), [(SECRET, 0), ("something else", 2)])
def test_a_password_is_asked_for_twice_in_a_terminal_and_never_shown(run: Run, again: str, code: int) -> None:
    done(run, "user", "add", "Zoe", "--role", "admin")
    ours, theirs = pty.openpty()
    asking = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "user", "password", "Zoe"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},  # noqa: TID251
    )
    os.close(theirs)
    said = b""
    for question, typed in ((b"Password: ", SECRET), (b"The same again: ", again)):
        while question not in said:
            said += os.read(ours, 1000)
        os.write(ours, f"{typed}\n".encode())
    try:
        while piece := os.read(ours, 1000):
            said += piece
    except OSError:  # how a terminal tells that its last process has gone
        pass
    assert asking.wait() == code, said
    os.close(ours)
    assert SECRET.encode() not in said
    assert again.encode() not in said
    assert (b"differ; nothing was changed" in said) == (code == 2)
    assert enters("Zoe", SECRET) == (code == 0)


def test_an_account_may_be_made_before_anything_is_scored(run: Run) -> None:
    done(run, "user", "add", "Zoe", "--role", "admin", "--out", "elsewhere")
    assert Path("elsewhere/kizashi.db").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "Bob", "--role", "boss"), "expected one of viewer, rep, manager, admin"),
        (("add", "Bob", "--role", "rep"), "a rep needs the owner"),
        (("add", "Bob", "--role", "admin", "--language", "fr"), "expected one of en, ja, zh"),
        (("add", "ann", "--role", "admin"), "there is an account 'Ann'"),
        (("add", "local", "--role", "admin"), "Give another name"),
        (("add", "Bob", "--role", "admin", "--password"), "the password has 5 characters"),
        (("add", "Bob", "--role", "admin", "--url", "kizashi.example"), "write it as https://kizashi.example.com"),
        (("link", "Bob"), "there is none"),
        (("link", "Ann", "--hours", "0"), "greater than or equal to 1"),
        (("link", "Ann", "--url", "javascript://x"), "is no address"),
        (("password", "Bob"), "there is none"),
        (("password", "Ann"), "the password has 5 characters"),
        (("disable", "Bob"), "there is none"),
        (("enable", "Bob"), "there is none"),
        (("sign-out", "Bob"), "there is none"),
    ],
)
def test_a_mistake_with_an_account_is_one_line_and_changes_nothing(
    run: Run, arguments: tuple[str, ...], words: str
) -> None:
    done(run, "user", "add", "Ann", "--role", "rep", "--owner", "Ann")
    before = kept()
    finished = run("user", *arguments, typed="short\n")
    assert (finished.code, finished.out, finished.err.count("\n")) == (2, "", 1)
    assert words in finished.err
    assert kept() == before


@pytest.mark.parametrize("given", [("--host", "0.0.0.0"), ("--host", "::"), ("--name", "kizashi.example")])
def test_nobody_else_can_reach_the_service_before_there_is_an_account(run: Run, given: tuple[str, ...]) -> None:
    finished = run("serve", *given, "--port", "0")
    assert (finished.code, finished.out, finished.err.count("\n")) == (2, "", 1)
    assert f"{' '.join(given)}: there are no accounts yet" in finished.err
    assert "kizashi user add NAME --role admin" in finished.err
    assert not Path("var/session.key").exists()


def test_without_accounts_a_link_leads_in_once_and_with_one_the_address_alone_is_shown(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    def served(host: str = "127.0.0.1", names: tuple[str, ...] = ()) -> tuple[str, str]:
        with server.serving(load_settings(), Path("var"), host=host, port=0, names=names) as (_, bound):
            return str(bound.getsockname()[1]), capsys.readouterr().out

    port, said = served()
    address, secret = link_in(said)
    assert address == f"http://127.0.0.1:{port}"
    assert leads_in(secret) == LOCAL.name
    assert "kizashi user add NAME --role manager" in said
    assert Path("var/session.key").stat().st_mode & 0o777 == 0o600
    done(run, "user", "add", "Zoe", "--role", "admin")
    assert leads_in(secret) is None, "the built-in account is gone"
    port, said = served()
    assert f"Serving http://127.0.0.1:{port}/ " in said
    assert "sign-in" not in said
    assert "can be reached from other machines" in served("0.0.0.0", ("kizashi.example",))[1]


@pytest.mark.usefixtures("run")
def test_a_folder_where_nothing_was_scored_is_served_with_a_link_too(capsys: pytest.CaptureFixture[str]) -> None:
    with server.serving(load_settings(), Path("nowhere"), host="127.0.0.1", port=0):
        assert LINK.search(capsys.readouterr().out)


def test_a_session_key_that_others_may_read_stops_the_service(run: Run) -> None:
    Path("var/session.key").write_text("0" * 64, encoding="ascii")
    Path("var/session.key").chmod(0o644)
    finished = run("serve", "--port", "0")
    assert (finished.code, finished.err.count("\n")) == (2, 1)
    assert "chmod 600 var/session.key" in finished.err
