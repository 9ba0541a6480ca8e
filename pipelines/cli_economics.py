"""The command of whoever pays for the contacts: ``kizashi economics``."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import DEFAULT_OUT, AsOf, Config, Data, Layout, Out, request_of

#: New warnings a month that are shown where none are asked for.
CAPACITIES = (10, 20, 50)


def add_to(app: typer.Typer) -> None:
    """Add the command of this module to an application."""
    app.command(
        epilog="Example: kizashi economics --data orders/ --predictions predictions.parquet --capacity 10 --capacity 20"
    )(economics)


def economics(
    data: Data,
    predictions: Annotated[Path, typer.Option("--predictions", help="File that `kizashi backtest` wrote.")],
    capacity: Annotated[
        list[int] | None,
        typer.Option("--capacity", min=1, help="Contacts a month; may be repeated. Default: 10, 20 and 50."),
    ] = None,
    horizon: Annotated[
        str, typer.Option("--horizon", help="What counts as lost: own (window), or no order in 30, 60, 90 or 180 days.")
    ] = "own",
    as_of: AsOf = None,
    config: Config = None,
    out: Out = DEFAULT_OUT,
    layout: Layout = "",
) -> None:
    """Tell what warnings would have cost and caught at any capacity and threshold, in the company's own numbers."""
    request = request_of(data, out, as_of, config, layout)
    from pipelines import console_economics
    from pipelines import economics as warned
    from pipelines.engines import engine_of
    from pipelines.intake import take_in

    given = warned.read_predictions(predictions, horizon)
    with console_economics.bar() as report, engine_of(request.settings(), progress=report) as engine:
        intake = take_in(request, engine=engine)
        found = warned.economics(intake, given, horizon=horizon, capacities=capacity or CAPACITIES, progress=report)
    console_economics.economics(found, intake.settings.project.currency)
    console_economics.files(warned.write(found, out / "economics"))
