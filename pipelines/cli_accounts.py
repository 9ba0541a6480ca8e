"""The commands of whoever looks after accounts: ``kizashi account | notes | statistics``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import DEFAULT_OUT, AsOf, Config, Data, Layout, Out, request_of


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module to an application."""
    app.command(epilog="Example: kizashi account C0042 --data company/ --as-of 2026-10-01")(account)
    app.command(epilog='Example: kizashi notes "cost cutting" --data company/')(notes)
    app.command(epilog="Example: kizashi statistics --data company/ --by industry")(statistics)


def account(
    customer: Annotated[str, typer.Argument(help="Id of the customer.")],
    data: Data,
    as_of: AsOf = None,
    config: Config = None,
    out: Out = DEFAULT_OUT,
    layout: Layout = "",
    events: Annotated[int, typer.Option("--events", min=0, help="Events of the timeline that are shown.")] = 15,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write everything to this file.")] = None,
) -> None:
    """Show one account as it was known at a date: who it is, fourteen facts, what is open, and what happened."""
    request = request_of(data, out, as_of, config, layout)
    from pipelines import accounts, console_accounts
    from pipelines.engines import engine_of
    from pipelines.files import with_folder
    from pipelines.intake import take_in

    with console_accounts.bar() as report, engine_of(request.settings(), progress=report) as engine:
        intake = take_in(request, engine=engine)
        told = accounts.account(intake, customer, progress=report)
    if json_file is not None:
        text = json.dumps(told.to_dict(), indent=1, ensure_ascii=False) + "\n"
        with_folder(json_file).write_text(text, encoding="utf-8")
    console_accounts.account(told, intake.settings.project.currency, events)


def notes(
    words: Annotated[str, typer.Argument(help="A tag, such as #cost-cutting, or a part of the text.")],
    data: Data,
    as_of: AsOf = None,
    config: Config = None,
    out: Out = DEFAULT_OUT,
    layout: Layout = "",
) -> None:
    """Find the notes on all accounts that bear a tag or hold some words, the newest first."""
    request = request_of(data, out, as_of, config, layout)
    from features.notes import search
    from pipelines import console_accounts
    from pipelines.engines import engine_of
    from pipelines.intake import take_in

    with console_accounts.bar() as report, engine_of(request.settings(), progress=report) as engine:
        intake = take_in(request, engine=engine)
        found = search(intake.events, intake.as_of, words, engine=engine)
    console_accounts.notes_table(found, f"{len(found)} notes with {words!r}, known before {intake.as_of}")


def statistics(
    data: Data,
    by: Annotated[
        str,
        typer.Option(
            "--by", help="Province, city, type, industry, level, source, or any other column of the customers' file."
        ),
    ] = "industry",
    as_of: AsOf = None,
    config: Config = None,
    out: Out = DEFAULT_OUT,
    layout: Layout = "",
    csv: Annotated[Path | None, typer.Option("--csv", help="Also write the table to this file.")] = None,
) -> None:
    """Show cumulative sales, orders and gross profit by a column of the customers' file."""
    request = request_of(data, out, as_of, config, layout)
    from features import statistics as sums
    from pipelines import console_accounts
    from pipelines.engines import engine_of
    from pipelines.files import with_folder
    from pipelines.intake import take_in

    with console_accounts.bar() as report, engine_of(request.settings(), progress=report) as engine:
        intake = take_in(request, engine=engine)
        found = sums.statistics(intake.events, intake.as_of, by, engine=engine)
    if csv is not None:
        sums.table(found).to_csv(with_folder(csv), index=False)
    console_accounts.statistics_table(found, intake.as_of)
