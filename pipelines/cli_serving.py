"""The commands of whoever serves others: ``kizashi serve | token | export``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli_options import DEFAULT_OUT, Config, Out

if TYPE_CHECKING:
    from serving.store import Store

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8640

token = typer.Typer(help="Make, list and revoke the tokens by which programs and people call the service.")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module to an application."""
    app.command(epilog="Example: kizashi serve --port 8640")(serve)
    app.command(epilog="Example: kizashi export red --format xlsx --out red.xlsx")(export)
    app.add_typer(token, name="token", epilog="Example: kizashi token create Ann --role rep --owner Ann")


def serve(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; one that others can reach needs an account first.")
    ] = DEFAULT_HOST,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 for any that is free.")] = DEFAULT_PORT,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="Name that the service is called by besides localhost; may be repeated."),
    ] = None,
    config: Config = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Serve the pages to whoever has an account (`kizashi user add`), and the API to whoever has a token."""
    from pipelines.settings import prepare_environment

    prepare_environment(out)
    from pipelines import server
    from pipelines.settings import load_settings

    server.run(load_settings(config), out, host=host, port=port, names=tuple(name or ()))


def export(
    name: Annotated[str, typer.Argument(metavar="LIST", help="The list, such as red; an unknown one names all.")],
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    kind: Annotated[str, typer.Option("--format", help="Either csv, or xlsx for up to 50,000 rows.")] = "csv",
    owner: Annotated[str | None, typer.Option("--owner", help="Customers of this owner alone.")] = None,
    config: Config = None,
    results: Annotated[Path, typer.Option("--results", help="Folder that `kizashi score` wrote into.")] = DEFAULT_OUT,
) -> None:
    """Write a list of today as a file for a spreadsheet, in which no text can run as a formula."""
    from pipelines.settings import prepare_environment

    prepare_environment(results)
    from pipelines import console, server
    from pipelines.caller import user
    from pipelines.settings import load_settings

    rows = server.export(load_settings(config), results, name, kind, out, owner=owner, actor=user())
    console.out.print(f"{rows:,} rows of {name}: {out}", markup=False)


@token.command(epilog="Example: kizashi token create Ann --role rep --owner Ann --days 90")
def create(
    name: Annotated[str, typer.Argument(help="Who will act with it: what the record of every change says.")],
    role: Annotated[str, typer.Option("--role", help="One of viewer, rep, manager, admin.")],
    owner: Annotated[
        str | None, typer.Option("--owner", help="For a rep: whose customers they see, as the data name it.")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="So many days it is valid.")] = 90,
    config: Config = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Make a token and show it, this once: only a hash is kept."""
    with store_of(out, config) as store, store.writing() as connection:
        from serving.access import create_token

        made, text = create_token(connection, name, role, owner=owner, now=datetime.now(UTC), days=days)
    from pipelines import console

    until = "" if made.expires_at is None else f", valid until {made.expires_at:%Y-%m-%d}"
    console.out.print(f"Token {made.token_id} of {made.name} ({made.role}{until}), shown this once:", markup=False)
    print(text)


@token.command("list", epilog="Example: kizashi token list")
def list_all(config: Config = None, out: Out = DEFAULT_OUT) -> None:
    """List every token with its role, its end and whether it is still good; never the token itself."""
    with store_of(out, config) as store, store.reading() as connection:
        from serving.access import tokens

        found = tokens(connection)
    from rich.markup import escape
    from rich.table import Table

    from pipelines import console

    now = datetime.now(UTC)
    table = Table(title=f"{len(found)} tokens", title_justify="left")
    for heading in ("token", "name", "role", "owner", "made", "until", "state"):
        table.add_column(heading, overflow="fold")
    for one in found:
        until = "" if one.expires_at is None else f"{one.expires_at:%Y-%m-%d}"
        cells = (one.token_id, one.name, one.role, one.owner or "", f"{one.created_at:%Y-%m-%d}", until, one.state(now))
        table.add_row(*map(escape, cells))
    console.out.print(table)


@token.command(epilog="Example: kizashi token revoke 1f3a9c02")
def revoke(
    token_id: Annotated[str, typer.Argument(help="The token's id: the part of it that `kizashi token list` shows.")],
    config: Config = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Make a token worthless from now on."""
    with store_of(out, config) as store, store.writing() as connection:
        from serving.access import revoke_token

        gone = revoke_token(connection, token_id, datetime.now(UTC))
    from pipelines import console

    console.out.print(f"Token {gone.token_id} of {gone.name} is revoked.", markup=False)


def store_of(out: Path, config: Path | None) -> "Store":
    """The application's database, made where there is none: tokens may come before the first score."""
    from pipelines.settings import database_url, load_settings, prepare_environment

    prepare_environment(out)
    settings = load_settings(config)
    from serving.store import Store

    return Store.open(database_url(settings, out))
