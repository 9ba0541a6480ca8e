"""The command line: ``kizashi check | train | score | backtest | explain | demo | simulate`` and what looks closer.

A user's mistake is one line on standard error and exit code 2. Heavy libraries are imported by the command that needs
them, so that help comes at once.
"""

import atexit
import json
import os
import shlex
import shutil
import sys
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import KizashiError, SettingsError
from pipelines import (
    cli_accounts,
    cli_economics,
    cli_explain,
    cli_features,
    cli_models,
    cli_notify,
    cli_rules,
    cli_serving,
    cli_start,
    cli_users,
)
from pipelines.cli_models import By
from pipelines.cli_options import DEFAULT_OUT, AsOf, Config, Data, Layout, Limit, Out, app, day_of, request_of

if TYPE_CHECKING:
    from pipelines.intake import Request

DEFAULT_DEMO = DEFAULT_OUT / "demo"
#: The demonstration's company where nothing else is asked for.
USUAL_DEMO = {"customers": 400, "months": 30, "seed": 1}


def _watched(flow_name: str, request: "Request | None" = None, **parameters: Any) -> Any:
    """Run a flow with a progress bar; Prefect's own server runs inside this process's time and is gone afterwards."""
    from pipelines import console

    # Prefect does not make the parents of its home.
    (Path(parameters["out"]) / "prefect").mkdir(parents=True, exist_ok=True)
    with console.bar() as report:
        report("starting Prefect", 0.0)
        from pipelines import caller, flows

        caller.WATCHER.set(report)
        caller.REQUEST.set(request)
        flow: Callable[..., Any] = getattr(flows, flow_name)
        return flow(**parameters)


def _flow_parameters(request: "Request") -> dict[str, Any]:
    # A wrong file of settings is better said before a server is started.
    request.settings()
    return {
        "data": request.shown,
        "out": str(request.out),
        "as_of": request.as_of,
        "config": str(request.config) if request.config else None,
        "layout": request.layout,
    }


@app.command(epilog="Example: kizashi check --data orders/ --layout online-retail-ii")
def check(data: Data, as_of: AsOf = None, config: Config = None, out: Out = DEFAULT_OUT, layout: Layout = "") -> None:
    """Read the data, say where each row went and who would be in the cohort."""
    request = request_of(data, out, as_of, config, layout)
    from features.blanks import blanks, features_off
    from features.snapshots import funnel, take
    from pipelines import console, console_accounts
    from pipelines.engines import engine_of
    from pipelines.intake import take_in

    with console.bar() as report, engine_of(request.settings(), progress=report) as engine:
        intake = take_in(request, engine=engine)
        table = take(
            intake.events,
            [intake.as_of],
            cohort=intake.cohort(),
            window=intake.window(),
            options=intake.options(),
            engine=engine,
            progress=report,
        )
    console.ingest_table(intake.report)
    console_accounts.blanks_list(blanks(intake.events), features_off(intake.events.columns))
    console.funnel_table(funnel(table.frame))


@app.command(epilog="Example: kizashi train --data orders/ --as-of 2026-10-01")
def train(
    data: Data,
    as_of: AsOf = None,
    config: Config = None,
    out: Out = DEFAULT_OUT,
    layout: Layout = "",
    promote: Annotated[
        bool, typer.Option("--promote", help="Make the new model the champion, if it passes the gate.")
    ] = False,
    accept_data: Annotated[
        str, typer.Option("--accept-data", metavar="WHY", help="Train on data that are not as the champion's were.")
    ] = "",
    tune: Annotated[
        bool, typer.Option("--tune", help="Search LightGBM's settings first; slow, and rarely worth it.")
    ] = False,
    by: By = "",
) -> None:
    """Hold the data against the champion's, walk forward, register the new model, put it through the gate."""
    request = request_of(data, out, as_of, config, layout)
    asked = {"promote": promote, "accept_data": accept_data, "tune": tune, "by": by}
    intake, trained = _watched("train", request, **_flow_parameters(request), **asked)
    from pipelines import console_training

    console_training.training(trained)
    _next("score", request, intake.as_of)


@app.command(epilog="Example: kizashi score --data orders/ --as-of 2026-10-01")
def score(
    data: Data,
    as_of: AsOf = None,
    config: Config = None,
    out: Out = DEFAULT_OUT,
    layout: Layout = "",
    supersede: Annotated[bool, typer.Option("--supersede", help="Replace what is published for the date.")] = False,
    limit: Limit = 10,
) -> None:
    """Score every customer with the champion, publish the date, print the morning's list."""
    request = request_of(data, out, as_of, config, layout)
    intake, scored = _watched("score", request, **_flow_parameters(request), supersede=supersede)
    from pipelines import console

    console.morning(scored, customer_names(intake), limit, intake.settings.project.currency)
    published = scored.published
    state = "were published already, nothing changed" if published.unchanged else "published"
    console.out.print(
        f"{intake.as_of}: {published.customers:,} scores and {published.reasons:,} reasons {state} "
        f"(run {published.run.run_id}, model {published.run.model_version}).",
        markup=False,
    )
    _next("explain CUSTOMER", request, intake.as_of)


@app.command(
    epilog="Example: kizashi backtest --data orders/ --from 2026-01-01 --to 2026-06-01 --out predictions.parquet"
)
def backtest(
    data: Data,
    first: Annotated[Any, typer.Option("--from", parser=day_of, metavar="DATE", help="No cutoff before this date.")],
    last: Annotated[
        Any,
        typer.Option(
            "--to", parser=day_of, metavar="DATE", help="Last cutoff; the others are counted back from it, one a month."
        ),
    ],
    as_of: AsOf = None,
    config: Config = None,
    out: Annotated[Path, typer.Option("--out", help="Parquet file for the predictions.")] = DEFAULT_OUT
    / "predictions.parquet",
    layout: Layout = "",
) -> None:
    """Write every out-of-time prediction of every contestant beside what came of it."""
    if out.suffix != ".parquet":
        raise SettingsError(
            f"--out {out}: expected a file that ends in .parquet, such as {out.with_suffix('.parquet')}."
        )
    work = out.parent / f".{out.stem}.work"
    request = request_of(data, work, as_of, config, layout)
    from pipelines import console
    from pipelines.engines import engine_of
    from pipelines.intake import take_in
    from pipelines.replay import backtest as replay
    from pipelines.train import write_parquet

    try:
        with console.bar() as report, engine_of(request.settings(), progress=report) as engine:
            intake = take_in(request, engine=engine)
            result = replay(intake, first, last, progress=report)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    write_parquet(result.predictions, out)
    account = out.with_suffix(".json")
    account.write_text(json.dumps(intake.report.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console.funnel_table(result.funnel)
    console.standing(result.standing, console.own_horizon())
    console.standing(result.own_window, "No order within the own window, dates that have wholly matured")
    console.standing(result.partial, "Partial defection within 90 days (rankings alone)")
    console.out.print(result.choice.words, markup=False)
    console.out.print(
        f"{len(result.predictions):,} predictions: {out}; where each row of the data went: {account}", markup=False
    )


@app.command(epilog="Example: kizashi demo --serve")
def demo(
    customers: Annotated[
        int, typer.Option("--customers", min=100, help="Customers of the simulated company.")
    ] = USUAL_DEMO["customers"],
    months: Annotated[int, typer.Option("--months", min=24, help="Months of its history.")] = USUAL_DEMO["months"],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, another company.")] = USUAL_DEMO["seed"],
    serve: Annotated[
        bool, typer.Option("--serve", help="Then serve its pages on this machine; what is made already is kept.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port of the pages; 0 for any that is free.")
    ] = cli_serving.DEFAULT_PORT,
    out: Annotated[Path, typer.Option("--out", help="Folder of the demonstration.")] = DEFAULT_DEMO,
    limit: Limit = 5,
) -> None:
    """Simulate a company, train on it and print this morning's warnings: no network, no file, one command."""
    from pipelines.settings import prepare_environment

    prepare_environment(out)
    from pipelines import console
    from pipelines import demo as demonstration

    made_of = {"customers": customers, "months": months, "seed": seed}
    if serve and demonstration.is_made(out, **made_of):
        console.out.print(f"The demonstration in {out} is made already.", markup=False)
    else:
        result = _watched("demo", out=str(out), customers=customers, months=months, seed=seed)
        console.out.print(
            f"A simulated company: {customers} customers, {months} months of orders in {out / 'data'}", markup=False
        )
        console.ingest_table(result.intake.report)
        console.standing(result.trained.judged.standing, console.own_horizon())
        console.out.print(result.trained.champion.selection.words, markup=False)
        console.levels_table(result.trained.champion.levels)
        console.morning(result.scored, customer_names(result.intake), limit, "")
        _where_next(result.scored.day.scores, out, made_of)
    if serve:
        demonstration.serve(out, host=cli_serving.DEFAULT_HOST, port=port)


def _where_next(scores: Any, out: Path, made_of: dict[str, int]) -> None:
    """Say what else a demonstration can show."""
    from pipelines import console

    warned = scores[scores["level"].isin(["red", "orange"])]
    shown = (scores if warned.empty else warned).sort_values("expected_loss", ascending=False)
    folder, program = shlex.quote(str(out)), _program()
    data = f"--data {shlex.quote(str(out / 'data'))} --out {folder}"
    options = "".join(f" --{name} {value}" for name, value in made_of.items() if value != USUAL_DEMO[name])
    options += "" if out == DEFAULT_DEMO else f" --out {folder}"
    own = "what your own data says; docs/contract.md has the columns"
    console.out.print("\nWhere to look next:", markup=False)
    console.out.print(f"  {program} explain {shown['customer_id'].iloc[0]} {data}    why this customer", markup=False)
    console.out.print(f"  {program} check --data YOUR_FOLDER    {own}", markup=False)
    console.out.print(f"  {out / 'kizashi.db'}    views `scores` and `reasons` hold the published days", markup=False)
    console.out.print(f"  {program} demo --serve{options}    this company's pages, in your browser", markup=False)


@app.command(epilog="Example: kizashi simulate --customers 500 --preset hard --without finances --out company/")
def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder for the company: an empty, a new, or a simulated one.")],
    customers: Annotated[int, typer.Option("--customers", min=1, help="Customers in its file.")] = 2000,
    months: Annotated[int, typer.Option("--months", min=1, help="Months of its history.")] = 36,
    preset: Annotated[str, typer.Option("--preset", help="Difficulty: easy, normal, hard, null or drift.")] = "normal",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, another company.")] = 1,
    end: Annotated[
        Any, typer.Option("--end", parser=day_of, metavar="DATE", help="Day of the extract; default: that of the demo.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option("--policy", help="Whom sales talk to: none, random, overdue; default: the preset's."),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", help="Table that this company does not have; may be repeated.")
    ] = None,
    dirty: Annotated[
        float, typer.Option("--dirty", min=0, max=0.5, help="Share of rows that break the contract (CSV files then).")
    ] = 0.0,
    oracle_customers: Annotated[
        int | None,
        typer.Option("--oracle-customers", min=0, help="Customers of the best possible forecasts; default: 500."),
    ] = None,
) -> None:
    """Write a company whose truth is known: the tables of the contract, and beside them who left, when and why."""
    from pipelines.settings import prepare_environment

    prepare_environment(out)
    from pipelines import console, demo
    from pipelines import simulate as company

    with console.bar() as report:
        world = company.run(
            out,
            customers,
            months,
            preset=preset,
            seed=seed,
            end=end or demo.END,
            policy=policy,
            without=without or (),
            dirty=dirty,
            oracle_customers=oracle_customers,
            progress=report,
        )
    console.simulated(world, company.rows_written(out))
    console.out.print(f"The truth, which no command reads: {out / 'truth'}", markup=False)
    data = f"--data {shlex.quote(str(out))}"
    console.out.print(f"Next: {_program()} check {data}, then {_program()} train {data}", markup=False)


cli_features.add_to(app)
cli_explain.add_to(app)
cli_accounts.add_to(app)
cli_economics.add_to(app)
cli_models.add_to(app)
cli_rules.add_to(app)
cli_serving.add_to(app)
cli_users.add_to(app)
cli_notify.add_to(app)
cli_start.add_to(app)


def _next(command: str, request: "Request", as_of: date) -> None:
    """Say which command comes next, with the options that this one was given."""
    from pipelines import console

    options = {
        "--data": request.shown,
        "--as-of": str(as_of),
        "--layout": request.layout,
        "--config": str(request.config or ""),
        "--out": "" if request.out == DEFAULT_OUT else str(request.out),
    }
    words = " ".join(f"{name} {shlex.quote(value)}" for name, value in options.items() if value)
    console.out.print(f"Next: {_program()} {command} {words}", markup=False)


def _program() -> str:
    """How this program can be called again: by its name where that is found, else by its place."""
    place = os.path.relpath(sys.argv[0])
    return "kizashi" if shutil.which("kizashi") else shlex.quote(sys.argv[0] if place.startswith("..") else place)


def customer_names(intake: Any) -> dict[str, str]:
    """Names by customer id, where the data has them."""
    if "name" not in intake.events.columns.get("customers", ()):
        return {}
    names: dict[str, str] = {}
    for bucket in range(intake.events.buckets):
        with intake.events.connect(bucket) as con:
            names |= dict(con.execute("SELECT customer_id, name FROM customers WHERE name IS NOT NULL").fetchall())
    return names


def main() -> None:
    """Run the command line; a mistake of the user's is one line and exit code 2."""
    warnings.formatwarning = lambda message, *_: f"Note: {message}\n"
    code = 0
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0
    except typer.TyperException as mistake:
        # its own way of telling takes four lines
        told = getattr(mistake, "format_message", mistake.__str__)()
        words = " ".join(told.split())
        words += "" if words.endswith((".", "?")) else "."
        print(f"kizashi: {words} `{' '.join(['kizashi', *sys.argv[1:2]])} --help` says more.", file=sys.stderr)
        code = 2
    except KizashiError as mistake:
        print(f"kizashi: {mistake}", file=sys.stderr)
        code = 2
    except OSError as fault:
        if fault.filename is None:
            raise
        print(f"kizashi: {fault.filename}: {fault.strerror}. Mend that, or give another --out.", file=sys.stderr)
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        print("kizashi: stopped; nothing half-written was left.", file=sys.stderr)
        code = 130
    _leave(code)


def _leave(code: int) -> None:
    """End the process; after a flow without taking modules apart.

    Prefect's threads outlive the flow and keep DuckDB's types alive, whose binding would fill standard error with
    reports of leaks while the interpreter is torn down. Everything registered for the end (Prefect's server, too) runs.
    """
    if "prefect" in sys.modules:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
