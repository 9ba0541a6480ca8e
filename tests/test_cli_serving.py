"""``kizashi serve | token | export`` as a stranger meets them: what is printed, kept, refused; one server for real."""

import csv
import json
import os
import re
import shutil
import sys
import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pytest
from companies import Finished
from served import DAY

from features.errors import SettingsError
from pipelines import cli, server
from pipelines.settings import load_settings
from serving.access import create_token
from serving.store import Store

pytest_plugins = ["served_company"]

Run = Callable[..., Finished]


@pytest.fixture
def run(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `main` in this process, in a folder where the company's day is published in `var`."""
    monkeypatch.setattr(os, "environ", os.environ.copy())  # noqa: TID251
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(cli, "_leave", sys.exit)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(published, tmp_path / "var")

    def called(*arguments: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["kizashi", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return Finished(int(end.value.code or 0), said.out, said.err)

    return called


def made(run: Run, *arguments: str) -> str:
    """A new token."""
    done = run("token", "create", *arguments)
    assert done.code == 0, done.err
    (text,) = re.findall(r"^kz_\S+$", done.out, re.MULTILINE)
    return str(text)


def test_a_token_is_shown_once_listed_without_its_secret_and_revoked(run: Run) -> None:
    text = made(run, "Ann", "--role", "rep", "--owner", "Ann")
    _, token_id, secret = text.split("_", 2)
    listed = run("token", "list")
    assert (token_id in listed.out, secret in listed.out) == (True, False)
    assert re.search(r"Ann\W+rep\W+Ann\W.*valid", listed.out)
    assert "is revoked" in run("token", "revoke", token_id).out
    assert "revoked" in run("token", "list").out
    with Store.open("sqlite:///var/kizashi.db") as store, store.reading() as connection:
        from serving.access import caller_of

        assert caller_of(connection, text, server.now()) is None


def test_a_token_may_be_made_before_anything_is_scored(run: Run) -> None:
    done = run("token", "create", "Zoe", "--role", "admin", "--days", "1", "--out", "elsewhere")
    assert done.code == 0
    assert Path("elsewhere/kizashi.db").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "Ann", "--role", "boss"), "expected one of viewer, rep, manager, admin"),
        (("create", "Ann", "--role", "rep"), "a rep needs the owner"),
        (("create", "Ann", "--role", "admin", "--days", "0"), "greater than or equal to 1"),
        (("revoke", "00000000"), "there is none"),
    ],
)
def test_a_mistake_with_a_token_is_one_line(run: Run, arguments: tuple[str, ...], words: str) -> None:
    done = run("token", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert words in done.err


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_list_is_written_as_the_service_gives_it(run: Run, kind: str) -> None:
    done = run("export", "red", "--format", kind, "--out", f"new/red.{kind}")
    assert done.code == 0, done.err
    assert done.out == f"1 rows of red: new/red.{kind}\n"
    if kind == "csv":
        with Path("new/red.csv").open(encoding="utf-8-sig", newline="") as file:
            (head, row) = csv.reader(file)
    else:
        (head, row) = openpyxl.load_workbook("new/red.xlsx").active.iter_rows(values_only=True)
    assert dict(zip(head, row, strict=True))["name"] == "Aoki Works"
    with Store.open("sqlite:///var/kizashi.db") as store:
        (event,) = store.history(kinds=["export_made"])
    assert event.event.payload == {"format": kind, "list": "red", "rows": 1}


@pytest.mark.parametrize(("multiple", "rows"), [("2.5", 1), ("2.6", 0)])
def test_the_lists_are_drawn_by_the_companys_own_thresholds(run: Run, multiple: str, rows: int) -> None:
    Path("kizashi.toml").write_text(f"[rules.options]\nstopped_order_multiple = {multiple}\n", encoding="utf-8")
    assert run("export", "red", "--out", "red.csv").out == f"{rows} rows of red: red.csv\n"


OWN = """
[[rules.own]]
id = "gold_and_late"
when = ["segment in [gold]", "days_since_last_order >= 60"]
working_list = "yellow"
words = "A key account has not ordered for two months."
"""


def test_op_01_a_rule_on_a_column_of_the_companys_own_puts_customers_on_a_list(run: Run) -> None:
    Path("kizashi.toml").write_text(f"[rules.options]\nstopped_order_multiple = 9.0\n{OWN}", encoding="utf-8")
    done = run("export", "yellow", "--out", "yellow.csv")
    assert done.out == "1 rows of yellow: yellow.csv\n", done.err
    assert "gold_and_late" in Path("yellow.csv").read_text(encoding="utf-8-sig")


def test_an_export_for_one_owner_holds_nobody_elses_customers(run: Run) -> None:
    assert run("export", "red", "--owner", "Bob", "--out", "bob.csv").out == "0 rows of red: bob.csv\n"
    assert "Aoki" not in Path("bob.csv").read_text(encoding="utf-8-sig")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("export", "purple", "--out", "x.csv"), "there is no list 'purple'. There are red, yellow, blue, grey,"),
        (("export", "red", "--out", "x.pdf", "--format", "pdf"), "expected csv or xlsx"),
        (("export", "red", "--out", "x.csv", "--results", "nowhere"), "there is no store yet; score a day first"),
        (("serve", "--host", "198.51.100.7", "--port", "0"), "Give an address of this machine"),
    ],
)
def test_what_cannot_be_exported_or_served_is_one_line_and_leaves_no_file(
    run: Run, arguments: tuple[str, ...], words: str
) -> None:
    run("user", "add", "Zoe", "--role", "admin")
    done = run(*arguments)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert words in done.err
    assert not list(Path().glob("x.*"))


def test_a_port_that_is_taken_is_told(run: Run) -> None:
    with server.listening("127.0.0.1", 0) as taken:
        done = run("serve", "--port", str(taken.getsockname()[1]))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "in use" in done.err


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("a.b", False)],
)
def test_an_address_that_others_can_reach_is_known_as_one(host: str, own: bool) -> None:
    assert server.is_own(host) == own


@pytest.fixture
def address(run: Run, capsys: pytest.CaptureFixture[str]) -> Iterator[tuple[str, str]]:  # noqa: ARG001 - it lays out the folder
    """A real server on a free port of this machine, with a token of an administrator."""
    token = ""
    with Store.open("sqlite:///var/kizashi.db") as store, store.writing() as connection:
        token = create_token(connection, "Zoe", "admin", owner=None, now=server.now(), days=1)[1]
    with server.serving(load_settings(), Path("var"), host="127.0.0.1", port=0) as (running, bound):
        thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]})
        thread.start()
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/api/v1", token
        running.should_exit = True
        thread.join()
    assert "Serving http://127.0.0.1:" in capsys.readouterr().out


def test_a_real_server_answers_on_this_machine(address: tuple[str, str]) -> None:
    place, token = address

    def ask(path: str, **headers: str) -> tuple[int, dict[str, str], dict[str, object]]:
        request = urllib.request.Request(f"{place}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, dict(answer.headers), json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, dict(refusal.headers), json.load(refusal)

    status, headers, told = ask("/health")
    assert (status, told["status"], "server" in {name.lower() for name in headers}) == (200, "ok", False)
    assert ask("/me")[0] == 401
    assert ask("/me", Authorization=f"Bearer {token}")[2]["name"] == "Zoe"
    assert ask("/health", Host="evil.example")[0] == 400
    profile = ask("/customers/K%2FCORD/profile", Authorization=f"Bearer {token}")
    assert profile[0] == 200, "an id may hold a slash"


def test_a_service_that_others_can_reach_is_warned_of(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("user", "add", "Zoe", "--role", "admin")
    for host, warned in (("127.0.0.1", False), ("0.0.0.0", True)):
        with server.serving(load_settings(), Path("var"), host=host, port=0):
            assert ("can be reached from other machines" in capsys.readouterr().out) == warned


def test_what_the_service_says_of_an_account_is_read_once(published: Path) -> None:
    files = server.AccountFiles(published / "events")
    first = files.brief("K-AOKI", DAY)
    assert files.brief("K-AOKI", DAY) is first
    with pytest.raises(SettingsError):
        files.brief("nobody", DAY)
