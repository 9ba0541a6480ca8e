"""The command that carries notices out: ``kizashi notify``."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import DEFAULT_OUT, Config, Out


def add_to(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command(epilog="Example: kizashi notify --to notices/")(notify)


def notify(
    to: Annotated[Path, typer.Option("--to", help="Folder that gets one JSON file per notice.")],
    revive: Annotated[bool, typer.Option("--revive", help="Try those again that were given up.")] = False,
    config: Config = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Write every notice that waits, and the day's digest of each owner, into a folder; each once."""
    from pipelines.settings import prepare_environment

    prepare_environment(out)
    from pipelines import console
    from pipelines import notify as notices
    from pipelines.settings import load_settings

    found = notices.notify(load_settings(config), out, to, revive=revive)
    if revive:
        console.out.print(f"{found.revived:,} notices that were given up are tried again.", markup=False)
    console.out.print(
        f"{found.as_of}: {len(found.delivered.sent):,} notices written into {to}, {found.digests:,} of them new "
        "digests.",
        markup=False,
    )
    for key, why in found.delivered.failed.items():
        console.out.print(f"Not written, will be tried again: {key} ({why})", markup=False)
    for key, why in found.dead.items():
        console.out.print(f"Given up: {key} ({why}). `kizashi notify --revive` tries it again.", markup=False)
