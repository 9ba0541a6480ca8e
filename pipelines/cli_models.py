"""The commands of whoever looks after the models: ``kizashi models | promote | rollback``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli_options import DEFAULT_OUT, Config, Out

if TYPE_CHECKING:
    from pipelines.settings import Settings

By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides; default: the user of this machine.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module to an application."""
    app.command(epilog="Example: kizashi models")(models)
    app.command(epilog='Example: kizashi promote 3 --because "better on the autumn cutoffs"')(promote)
    app.command(epilog='Example: kizashi rollback --because "too many warnings in the north"')(rollback)


def models(out: Out = DEFAULT_OUT) -> None:
    """List every registered model with its figures and the gate's verdict, and who put which in use, when and why."""
    _settings(out, None)
    from pipelines import console_models
    from pipelines.promotion import registered

    listed, history = registered(out)
    console_models.models_table(listed)
    console_models.history_list(history)


def promote(
    because: Annotated[str, typer.Option("--because", metavar="WHY", help="The reason, for the history.")],
    version: Annotated[
        int | None, typer.Argument(help="Number of the version; default: the newest challenger.")
    ] = None,
    by: By = "",
    force: Annotated[
        bool, typer.Option("--force", help="Overrule the gate, but for its load test; recorded as forced.")
    ] = False,
    config: Config = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Make a challenger the champion if it passes the gate."""
    settings = _settings(out, config)
    from pipelines import console_models
    from pipelines.caller import user
    from pipelines.intake import install_features
    from pipelines.model_gate import Limits
    from pipelines.promotion import promote as decide

    install_features(settings)
    limits = Limits.of(settings.promotion)
    when = datetime.now(UTC)
    console_models.decision(decide(out, version, who=by or user(), why=because, when=when, force=force, limits=limits))


def rollback(
    because: Annotated[str, typer.Option("--because", metavar="WHY", help="The reason, for the history.")],
    by: By = "",
    config: Config = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Return to the champion before the present one, if it still loads."""
    settings = _settings(out, config)
    from pipelines import console_models
    from pipelines.caller import user
    from pipelines.intake import install_features
    from pipelines.model_gate import Limits
    from pipelines.promotion import rollback as decide

    install_features(settings)
    limits = Limits.of(settings.promotion)
    console_models.rolled_back(decide(out, who=by or user(), why=because, when=datetime.now(UTC), limits=limits))


def _settings(out: Path, config: Path | None) -> "Settings":
    """The settings, with the environment prepared for what will be imported."""
    from pipelines.settings import load_settings, prepare_environment

    prepare_environment(out)
    return load_settings(config)
