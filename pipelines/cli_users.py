"""The commands for the accounts of people who sign in to the pages: ``kizashi user``."""

import getpass
import sys
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from features.errors import SettingsError
from pipelines.cli_options import DEFAULT_OUT, Config, Out
from pipelines.cli_serving import DEFAULT_HOST, DEFAULT_PORT, store_of

user = typer.Typer(help="Make, list and disable the accounts by which people sign in to the pages.")

DEFAULT_URL = f"http://{DEFAULT_HOST}:{DEFAULT_PORT}"

Name = Annotated[str, typer.Argument(help="The account's name, as `kizashi user list` shows it.")]
Hours = Annotated[int, typer.Option("--hours", min=1, max=720, help="So many hours the link leads in, once.")]


def _url(text: str) -> str:
    """The address of the service, without a slash at its end."""
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
    except ValueError:
        fits = False
    if not fits or not text.isprintable() or " " in text:
        raise typer.BadParameter(f"{text!r} is no address: write it as https://kizashi.example.com.")
    return text.rstrip("/")


Url = Annotated[
    Any, typer.Option("--url", parser=_url, metavar="URL", help="Address by which people call the service.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module to an application."""
    app.add_typer(user, name="user", epilog="Example: kizashi user add Ann --role rep --owner Ann")


@user.command(epilog="Example: kizashi user add Ann --role rep --owner Ann --language ja")
def add(
    name: Annotated[str, typer.Argument(help="Who signs in: what the record of every change says.")],
    role: Annotated[str, typer.Option("--role", help="One of viewer, rep, manager, admin.")],
    owner: Annotated[
        str | None, typer.Option("--owner", help="For a rep: whose customers they see, as the data name it.")
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", help="Language of the pages: en, ja or zh; default: the browser's.")
    ] = None,
    password: Annotated[
        bool, typer.Option("--password", help="Ask for a password now, instead of making a link.")
    ] = False,
    url: Url = DEFAULT_URL,
    config: Config = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Make an account, and a link by which its owner signs in once; the link is shown this once."""
    typed = _typed() if password else None
    with store_of(out, config) as store, store.writing() as connection:
        from serving.accounts import add_account, link_for, set_password

        now = datetime.now(UTC)
        made = add_account(connection, name, role, owner=owner, language=language, now=now)
        secret = None
        if typed is None:
            secret = link_for(connection, made.name, now)
        else:
            set_password(connection, made.name, typed)
    _say(f"Account {made.name} ({made.role}) is made.")
    if secret is not None:
        _show_link(made.name, secret, url)


@user.command(epilog="Example: kizashi user link Ann --hours 48 --url https://kizashi.example.com")
def link(name: Name, hours: Hours = 24, url: Url = DEFAULT_URL, config: Config = None, out: Out = DEFAULT_OUT) -> None:
    """Make a link by which an account signs in once, and show it, this once; the one before it ends."""
    with store_of(out, config) as store, store.writing() as connection:
        from serving.accounts import account_named, link_for

        found = account_named(connection, name)
        secret = link_for(connection, found.name, datetime.now(UTC), hours)
    _show_link(found.name, secret, url, hours)


@user.command(epilog="Example: kizashi user password Ann")
def password(name: Name, config: Config = None, out: Out = DEFAULT_OUT) -> None:
    """Set an account's password; it is asked for twice, or read as one line where no terminal is there."""
    with store_of(out, config) as store:
        from serving.accounts import account_named, set_password

        with store.reading() as connection:
            account_named(connection, name)
        typed = _typed()
        with store.writing() as connection:
            changed = set_password(connection, name, typed)
    _say(f"The password of {changed.name} is set; whoever was signed in with the one before signs in again.")


@user.command("list", epilog="Example: kizashi user list")
def list_all(config: Config = None, out: Out = DEFAULT_OUT) -> None:
    """List every account with its role, whose customers it sees and whether it may sign in."""
    with store_of(out, config) as store, store.reading() as connection:
        from serving.accounts import accounts

        found = accounts(connection)
    from rich.markup import escape
    from rich.table import Table

    from pipelines import console

    table = Table(title=f"{len(found)} accounts", title_justify="left")
    for heading in ("name", "role", "owner", "language", "made", "signs in by", "state"):
        table.add_column(heading, overflow="fold")
    for one in found:
        made = "" if one.created_at is None else f"{one.created_at:%Y-%m-%d}"
        by = "password or link" if one.has_password else "link"
        state = "good" if one.disabled_at is None else f"disabled {one.disabled_at:%Y-%m-%d}"
        cells = (one.name, one.role, one.owner or "", one.language or "", made, by, state)
        table.add_row(*map(escape, cells))
    console.out.print(table)


@user.command(epilog="Example: kizashi user disable Ann")
def disable(name: Name, config: Config = None, out: Out = DEFAULT_OUT) -> None:
    """Let an account in no more, and sign it out at once; what it did stays on record."""
    with store_of(out, config) as store, store.writing() as connection:
        from serving.accounts import disable_account

        done = disable_account(connection, name, datetime.now(UTC))
    _say(f"Account {done.name} is disabled and signed out.")


@user.command(epilog="Example: kizashi user enable Ann")
def enable(name: Name, config: Config = None, out: Out = DEFAULT_OUT) -> None:
    """Let a disabled account in again; `kizashi user link` makes a link for it."""
    with store_of(out, config) as store, store.writing() as connection:
        from serving.accounts import enable_account

        done = enable_account(connection, name)
    _say(f"Account {done.name} may sign in again.")


@user.command("sign-out", epilog="Example: kizashi user sign-out Ann")
def sign_out(name: Name, config: Config = None, out: Out = DEFAULT_OUT) -> None:
    """Sign an account out in every browser, as after a laptop was lost; its unused link ends, too."""
    with store_of(out, config) as store, store.writing() as connection:
        from serving.accounts import end_sessions

        done = end_sessions(connection, name)
    _say(f"Account {done.name} is signed out everywhere.")


def _typed() -> str:
    """A password: asked for twice without showing it, or the first line of the input that is no terminal.

    Raises
    ------
    SettingsError
        If the two differ.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("The same again: ") != first:
        raise SettingsError("the two passwords differ; nothing was changed.")
    return first


def _show_link(name: str, secret: str, url: str, hours: int = 24) -> None:
    from serving.sessions import SIGN_IN

    _say(f"Link by which {name} signs in once, within {hours} hours, shown this once:")
    print(f"{url}{SIGN_IN}/{secret}")


def _say(words: str) -> None:
    from pipelines import console

    console.out.print(words, markup=False)
