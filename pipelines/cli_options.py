"""What all commands share: the application itself and the options that mean the same everywhere."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipelines.intake import Request

app = typer.Typer(
    name="kizashi",
    help="Warns a supplier, months ahead, which business customers are about to stop ordering, and why.",
    epilog="Example: kizashi demo",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DEFAULT_OUT = Path("var")


def day_of(text: str) -> date:
    """A date as it is given on the command line."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date: write it as 2026-10-01.") from None


DATA_HELP = (
    "Folder of Parquet or CSV files or one file, here or by URL (s3://bucket/folder), or a database URL (duckdb:///, "
    "sqlite:///, postgresql://)."
)
Data = Annotated[str, typer.Option("--data", help=DATA_HELP)]
AsOf = Annotated[
    Any,
    typer.Option(
        "--as-of", parser=day_of, metavar="DATE", help="Date to stand on; default: the day after the newest event."
    ),
]
Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file; default: kizashi.toml here or in the data.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder for events, models and results.")]
Layout = Annotated[str, typer.Option("--layout", help="Ready column mapping, such as online-retail-ii.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="Customers that are listed per level.")]


def request_of(data: str, out: Path, as_of: date | None, config: Path | None, layout: str) -> "Request":
    """What a command is asked to read, with the environment prepared for what it will import."""
    from pipelines.settings import prepare_environment

    prepare_environment(out)  # before NumPy is imported, which the next line does
    from pipelines.intake import Request

    return Request(data, out, as_of, config, layout)
