"""The command that begins: ``kizashi start``, from a company's files to its first list."""

import time

import typer

from pipelines.cli_options import DEFAULT_OUT, AsOf, Config, Data, Layout, Limit, Out, request_of


def add_to(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command(epilog="Example: kizashi start --data orders/")(start)


def start(
    data: Data,
    as_of: AsOf = None,
    config: Config = None,
    out: Out = DEFAULT_OUT,
    layout: Layout = "",
    limit: Limit = 10,
) -> None:
    """Check, train, score and print the first list, and say how long it took; `train` and `score` do each alone."""
    began = time.monotonic()
    from pipelines import cli

    cli.train(data, as_of, config, out, layout)
    cli.score(data, as_of, config, out, layout, limit=limit)
    from pipelines import console

    shown = request_of(data, out, as_of, config, layout).shown
    console.out.print(f"From {shown} to the first list: {time.monotonic() - began:,.0f} seconds.", markup=False)
