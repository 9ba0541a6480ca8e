"""The commands of whoever looks after rules and health: ``kizashi rules | health weights | revert | history``."""

import shlex
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from features.errors import SettingsError
from pipelines.cli_models import By
from pipelines.cli_options import DATA_HELP, DEFAULT_OUT, AsOf, Config, Data, Layout, Out, day_of, request_of

Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for the history.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module to an application."""
    app.command(epilog="Example: kizashi rules --data orders/ --from 2025-04-01 --to 2026-04-01 --csv rules.csv")(rules)
    health = typer.Typer(help="Weights of the health score: see, learn, put in use, go back.", rich_markup_mode=None)
    health.command(
        epilog='Example: kizashi health weights --data orders/ --use --by Kim --why "a year of losses of our own"'
    )(weights)
    health.command(epilog='Example: kizashi health revert --by Kim --why "too loud in spring"')(revert)
    health.command(epilog="Example: kizashi health history")(history)
    app.add_typer(health, name="health", epilog="Example: kizashi health history")


def rules(
    data: Data,
    first: Annotated[
        Any, typer.Option("--from", parser=day_of, metavar="DATE", help="No date before this one; default: a year.")
    ] = None,
    last: Annotated[
        Any,
        typer.Option(
            "--to", parser=day_of, metavar="DATE", help="Last date; default: the newest of which all is known by now."
        ),
    ] = None,
    weekly: Annotated[bool, typer.Option("--weekly", help="A date each week instead of each month; slower.")] = False,
    predictions: Annotated[
        Path | None, typer.Option("--predictions", help="File that `kizashi backtest` wrote; its dates are taken.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write every figure here.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the report as a page here.")] = None,
    hold: Annotated[
        bool, typer.Option("--keep", help="From now on give no level by a rule or by health that surely breaks it.")
    ] = False,
    by: By = "",
    as_of: AsOf = None,
    config: Config = None,
    out: Out = DEFAULT_OUT,
    layout: Layout = "",
) -> None:
    """Tell how precise and how early every rule was on the company's own past, beside chance, cycle and model."""
    if weekly and predictions is not None:
        raise SettingsError("--weekly and --predictions exclude each other: the dates are those of the backtest.")
    request = request_of(data, out, as_of, config, layout)
    from pipelines import console_rules
    from pipelines.engines import engine_of
    from pipelines.intake import take_in
    from pipelines.rule_report import rule_report

    with console_rules.bar() as report, engine_of(request.settings(), progress=report) as engine:
        intake = take_in(request, engine=engine)
        found = rule_report(
            intake,
            first=first,
            last=last,
            every_days=7 if weekly else None,
            predictions=predictions,
            progress=report,
        )
    console_rules.rules(found)
    dates = (("--from", first), ("--to", last), ("--layout", layout))
    told = " ".join(f"{name} {value}" for name, value in dates if value) + (" --weekly" if weekly else "")
    command = f"kizashi rules --data {shlex.quote(Path(request.shown).name)} {told}".strip()
    console_rules.files(console_rules.write(found, csv, markdown, command))
    if hold:
        from pipelines.caller import user
        from pipelines.kept_record import KeptRecord, keep

        record = KeptRecord(intake.as_of, datetime.now(UTC), by or user(), found.sources)
        keep(out, record)
        console_rules.held(record.limits(intake.walk_options().promises))


def weights(
    data: Annotated[str, typer.Option("--data", help=f"{DATA_HELP} Without it nothing is learned.")] = "",
    use: Annotated[bool, typer.Option("--use", help="Put the learned weights in use; needs --why.")] = False,
    by: By = "",
    why: Why = "",
    as_of: AsOf = None,
    config: Config = None,
    out: Out = DEFAULT_OUT,
    layout: Layout = "",
) -> None:
    """Show the weights of the health score: those set, those in use, and what the company's own losses teach."""
    if use and not (data and why.strip()):
        raise SettingsError("--use: give --data to learn the weights from, and --why with the reason for the history.")
    if not data:
        _shown(out, config, as_of, layout)
        return
    request = request_of(data, out, as_of, config, layout)
    from pipelines import console_rules, health_learning
    from pipelines.caller import user
    from pipelines.engines import engine_of
    from pipelines.intake import take_in

    with console_rules.bar() as report, engine_of(request.settings(), progress=report) as engine:
        intake = take_in(request, engine=engine)
        found = health_learning.learn(intake, progress=report)
    section = intake.settings.health
    console_rules.learned(found, health_learning.weights_in_use(out, section))
    if use:
        record = health_learning.use(out, section, found, who=by or user(), why=why, at=datetime.now(UTC))
        console_rules.changed(record, section.learned)


def revert(why: Why, by: By = "", config: Config = None, out: Out = DEFAULT_OUT) -> None:
    """Go back to the weights before those in use; once more, and it goes further back."""
    section = request_of("", out, None, config, "").settings().health
    from models.health_weight_history import revert_weights
    from pipelines import console_rules
    from pipelines.caller import user

    record = revert_weights(out, section.set_weights(), at=datetime.now(UTC), who=by or user(), why=why)
    console_rules.reverted(record)


def history(config: Config = None, out: Out = DEFAULT_OUT) -> None:
    """List every change of the weights: who, when, why, from what to what."""
    request_of("", out, None, config, "")
    from models.health_weight_history import read_changes
    from pipelines import console_rules

    console_rules.history(read_changes(out))


def _shown(out: Path, config: Path | None, as_of: date | None, layout: str) -> None:
    """The weights as they stand, without data."""
    if as_of is not None or layout:
        raise SettingsError("--as-of and --layout say how data are read: give --data, too, or leave them out.")
    section = request_of("", out, None, config, "").settings().health
    from pipelines import console_rules
    from pipelines.health_learning import weights_in_use

    console_rules.in_use(weights_in_use(out, section), section.set_weights(), section.learned)
