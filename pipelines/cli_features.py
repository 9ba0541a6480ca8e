"""The commands of whoever looks after the features: ``kizashi features | leaks``."""

from pathlib import Path
from typing import Annotated

import typer

from features.errors import SettingsError
from pipelines.cli_options import DATA_HELP, DEFAULT_OUT, AsOf, Config, Data, Layout, Out, request_of


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module to an application."""
    app.command(epilog="Example: kizashi features --data company/ --source interactions")(features)
    app.command(epilog="Example: kizashi leaks --data company/")(leaks)


def features(
    data: Annotated[str, typer.Option("--data", help=f"{DATA_HELP} Without it nothing is said of coverage.")] = "",
    as_of: AsOf = None,
    config: Config = None,
    out: Out = DEFAULT_OUT,
    layout: Layout = "",
    source: Annotated[str, typer.Option("--source", help="Only features of this table, such as finances.")] = "",
    options: Annotated[
        bool, typer.Option("--options", help="List the numbers that a company may set instead.")
    ] = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="Also write the list to this file.")] = None,
) -> None:
    """List every feature with source, window, unit, meaning and, with data, coverage and missing share."""
    request = request_of(data, out, as_of, config, layout)
    from pipelines import catalogue, console_features
    from pipelines.files import with_folder

    if options:
        console_features.options_table(catalogue.options(request))
        return
    with console_features.bar() as report:
        listed = catalogue.features(request, progress=report)
    if source:
        known = sorted(set(listed["source"]))
        if source not in known:
            raise SettingsError(f"--source {source}: no feature comes from it. Give one of {', '.join(known)}.")
        listed = listed[listed["source"] == source]
    if csv is not None:
        listed.to_csv(with_folder(csv), index=False)
    console_features.features_table(listed)


def leaks(data: Data, as_of: AsOf = None, config: Config = None, out: Out = DEFAULT_OUT, layout: Layout = "") -> None:
    """Probe features, the user's own too, and data for anything that knows the future; exit code 1 if it does."""
    request = request_of(data, out, as_of, config, layout)
    from pipelines import console_features
    from pipelines.engines import engine_of
    from pipelines.intake import take_in
    from pipelines.leaks import look

    with console_features.bar() as report, engine_of(request.settings(), progress=report) as engine:
        intake = take_in(request, engine=engine)
        findings = look(intake, progress=report)
    console_features.leaks_table(findings)
    if not all(one.passed for one in findings):
        raise typer.Exit(1)
