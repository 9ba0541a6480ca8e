"""The command line as a stranger meets it: help that runs, one line for a mistake, and what is printed."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import typer
from companies import DAY, SETTINGS, Company, Finished, Run, environment, kizashi, regulars, written
from typer.testing import CliRunner

from features.mapping import load_layout
from models.artefact import trees_file
from models.tracking import Tracking
from models.verdict import PERCENTAGES
from pipelines import cli
from pipelines.intake import Intake
from pipelines.score import Scored
from pipelines.settings import tracking_folder
from serving.words import names
from serving.words.names import CONCEPTS

pytest_plugins = ["trained"]

COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
HEAVY = (
    "mlflow",
    "prefect",
    "lightgbm",
    "shap",
    "duckdb",
    "sklearn",
    "pandas",
    "numpy",
    "scipy",
    "matplotlib",
    "sqlalchemy",
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_commands_help_ends_in_an_example_that_it_understands(name: str) -> None:
    shown = CliRunner().invoke(cli.app, [name, "--help"])
    assert shown.exit_code == 0
    example = " ".join(shown.output[shown.output.rindex("Example: ") :].split()).removeprefix("Example: ")
    program, command, *arguments = shlex.split(example)
    assert (program, command) == ("kizashi", name)
    parsed = COMMANDS[name].make_context(name, arguments).params
    if parsed.get("layout"):
        assert load_layout(parsed["layout"])


def test_the_help_of_all_ends_in_an_example_too() -> None:
    shown = CliRunner().invoke(cli.app, ["--help"])
    assert shown.output.strip().endswith("Example: kizashi demo")
    of_every_day = {"check", "train", "score", "backtest", "explain", "what-if", "demo", "simulate"}
    assert set(COMMANDS) == of_every_day | {
        *("features", "leaks", "account", "notes", "statistics", "economics"),
        *("models", "promote", "rollback"),
        *("serve", "token", "user", "export", "notify"),
        *("rules", "health", "start"),
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    for parameter in command.params:
        assert parameter.help, parameter.name
        assert parameter.help[0].isupper(), parameter.name


def test_help_comes_without_any_heavy_library(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pipelines import cli\nsys.argv = ['kizashi', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('HEAVY', sorted(set({HEAVY}) & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.splitlines()[-1] == "HEAVY []"


def test_a_command_without_arguments_shows_the_help(run: Run) -> None:
    assert "Commands:" in run().out


def test_the_matrix_library_of_a_command_has_one_thread(tmp_path: Path) -> None:
    # with more, its threads wait for each other: training took three times as long on a busy machine of two cores
    code = (
        "from pathlib import Path\nfrom pipelines import cli\ncli.request_of('.', Path('out'), None, None, '')\n"
        "import json, scipy.linalg, threadpoolctl\n"
        "print(json.dumps([[p['internal_api'], p['num_threads']] for p in threadpoolctl.threadpool_info()]))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    threads = [count for library, count in json.loads(shown.stdout) if library == "openblas"]
    assert set(threads) <= {1}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with one good company in `good` and others with one fault each."""
    until = date(2024, 5, 1)
    good = regulars(until)
    written(good, tmp_path / "good")
    written(good.drop(columns=["amount", "ordered_at"]), tmp_path / "columns")
    written(good.head(0), tmp_path / "no_orders")
    torn = written(good, tmp_path / "torn") / "transactions.parquet"
    torn.write_bytes(torn.read_bytes()[:-200])
    (tmp_path / "japanese").mkdir()
    text = good.assign(product_line="ボルト").to_csv(index=False)
    (tmp_path / "japanese" / "transactions.csv").write_bytes(text.encode("cp932"))
    written(good.assign(amount=float("nan")), tmp_path / "nonsense")
    written(good, tmp_path / "unknown_setting", "[training]\nthread = 1\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.toml").write_text("[training\n", encoding="utf-8")
    return tmp_path


GOOD = ("--data", "good")
MISTAKES = {
    "no folder": (("check", "--data", "nowhere"), "nowhere: there is no such folder or file"),
    "empty folder": (("check", "--data", "empty"), "empty: .*transactions"),
    "columns": (("check", "--data", "columns"), r"2 columns are missing: \['ordered_at', 'amount'\]"),
    "torn": (("check", "--data", "torn"), "transactions.parquet: the Parquet file is cut off"),
    "no orders": (("check", "--data", "no_orders"), "transactions has no rows"),
    "encoding": (("check", "--data", "japanese"), "transactions.csv: .*cp932"),
    "nonsense": (("check", "--data", "nonsense"), "192 of 192 rows .* break the contract, .*Nothing was written"),
    "layout": (("check", *GOOD, "--layout", "excel"), "excel.*online-retail-ii"),
    "database": (("check", "--data", "mysql://host/base"), "mysql://: not a database that can be read"),
    "date": (("check", *GOOD, "--as-of", "1.10.2026"), "'1.10.2026' is no date: write it as 2026-10-01"),
    "after the data": (("check", *GOOD, "--as-of", "2030-01-01"), "2030-01-01 is after the end of the data"),
    "before the data": (("check", *GOOD, "--as-of", "2020-01-01"), "no order is known before 2020-01-01"),
    "too early to train": (("train", *GOOD, "--as-of", "2024-02-01"), "less than 60 days after the first order"),
    "option": (("check", *GOOD, "--asof", "2024-04-01"), "--asof"),
    "no data": (("check",), "--data"),
    "command": (("chek",), "chek"),
    "limit": (("score", *GOOD, "--limit", "0"), "--limit"),
    "small demo": (("demo", "--customers", "5"), "--customers"),
    "no config": (("check", *GOOD, "--config", "none.toml"), "none.toml: cannot be read as a file of settings"),
    "broken config": (("check", *GOOD, "--config", "broken.toml"), "broken.toml: is not valid TOML"),
    "setting": (("check", "--data", "unknown_setting"), r"\[training\] thread is unknown, did you mean threads\?"),
    "span": (("backtest", *GOOD, "--from", "2024-05-01", "--to", "2024-04-01"), "--from 2024-05-01 is after --to"),
    "span after the data": (
        ("backtest", *GOOD, "--from", "2024-04-01", "--to", "2030-01-01"),
        "--to 2030-01-01 is after",
    ),
    "span too early": (("backtest", *GOOD, "--from", "2024-01-01", "--to", "2024-02-01"), "first order"),
    "no parquet": (
        ("backtest", *GOOD, "--from", "2024-04-01", "--to", "2024-04-30", "--out", "predictions.csv"),
        "--out predictions.csv: expected a file that ends in .parquet, such as predictions.parquet",
    ),
    "score before train": (("score", *GOOD), "no champion yet: run `kizashi train`"),
    "explain before train": (("explain", "T01", *GOOD), "no champion yet: run `kizashi train`"),
}


def one_line(done: Finished, pattern: str) -> None:
    said = [line for line in done.err.splitlines() if not line.startswith("- ")]  # what it was doing goes before
    assert done.code == 2, done
    assert len(said) == 1, done.err
    assert said[0].startswith("kizashi: ")
    assert re.search(pattern, said[0]), said[0]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line(place: Path, run: Run, mistake: str) -> None:
    arguments, pattern = MISTAKES[mistake]
    done = run(*arguments)
    one_line(done, pattern)
    assert done.out == ""
    assert not list(place.rglob("*.part"))
    assert not [path for path in place.iterdir() if path.name.startswith(".")], "nothing is left over"


@pytest.mark.parametrize("mistake", ["no folder", "columns", "date", "setting"])
def test_the_real_command_tells_it_just_so(place: Path, mistake: str) -> None:
    arguments, pattern = MISTAKES[mistake]
    one_line(kizashi(*arguments, folder=place), pattern)


@pytest.fixture
def trained_place(company: Company, tmp_path: Path) -> list[str]:
    """The options of a command that finds the company's champion in `out`."""
    company.register_at(tmp_path / "out")
    return ["--data", str(company.data), "--as-of", str(DAY), "--out", "out"]


def test_an_unknown_customer_is_told_in_one_line(trained_place: list[str], run: Run) -> None:
    one_line(run("explain", "C99999", *trained_place), "customer 'C99999' has no order known before .* for example")


@pytest.mark.parametrize("file", [trees_file(30, 0), "logistic.json", "manifest.json"])
def test_an_altered_model_is_told_in_one_line(trained_place: list[str], run: Run, tmp_path: Path, file: str) -> None:
    [altered] = (tmp_path / "out" / "mlflow").rglob(file)
    altered.write_text(altered.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    one_line(run("score", *trained_place), f"{file}: (altered since training|not readable as JSON)")


def test_a_model_that_is_gone_is_told_in_one_line(trained_place: list[str], run: Run, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "out" / "mlflow" / "artifacts")
    one_line(run("score", *trained_place), "the files of version 1 .* are not there")


def test_a_date_is_published_once_and_contradicted_only_on_demand(
    company: Company, scored: tuple[Intake, Scored], trained_place: list[str], run: Run, tmp_path: Path
) -> None:
    shutil.copytree(scored[0].request.out, tmp_path / "out", dirs_exist_ok=True)
    assert "were published already, nothing changed" in run("score", *trained_place).out
    lines = company.orders()
    lines["amount"] *= 1.01
    data = company.changed(tmp_path / "other", transactions=lines)
    other = ["--data", str(data), *trained_place[2:]]
    one_line(run("score", *other), f"{DAY} is already published .* Pass --supersede to replace it")
    done = run("score", *other, "--supersede")
    assert done.code == 0
    assert re.search(
        rf"{DAY}: [\d,]+ scores and [\d,]+ reasons published \(run score-\w+, model kizashi/1@\w+\)", done.out
    )


def test_a_check_prints_where_every_row_went(run: Run, tmp_path: Path) -> None:
    good = regulars(date(2024, 5, 1))
    lines = pd.concat([good, good.head(2), good.head(1).assign(amount=float("nan"))], ignore_index=True)
    written(lines, tmp_path / "data", "[quarantine]\nmax_share = 0.1\n")
    done = run("check", "--data", "data", "--as-of", "2024-04-20")
    assert done.code == 0
    [row] = [line for line in done.out.splitlines() if "transactions " in line]
    rows_in, clean, quarantined, duplicates = map(int, re.findall(r"\d+", row.replace(",", "")))
    assert (rows_in, quarantined, duplicates) == (len(lines), 1, 2)
    assert rows_in == clean + quarantined + duplicates
    assert re.search(rf"transactions.amount: .* - 1 rows \(first: {len(lines)}\)", done.out)
    assert re.search(r"eligible\W+32\W", done.out)


def test_a_morning_lists_the_loud_with_reasons_and_counts_everybody(
    company: Company, trained_place: list[str], run: Run
) -> None:
    done = run("score", *trained_place, "--limit", "1")
    assert f"All {len(company.customers())} customers: " in done.out
    # two cutoffs prove no calibration
    assert re.search(
        r"● C\d+ .*: high risk of no order in \d+ days \(no percentage: its calibration is not pr", done.out
    )
    assert "% chance" not in done.out
    assert f"Next: kizashi explain CUSTOMER --data {company.data} --as-of {DAY}" in done.out
    assert "outside the cohort" in done.out


UNPROVED = re.escape("(no percentage: its calibration is not proved)")


def explained(scored: tuple[Intake, Scored], options: list[str], run: Run) -> tuple[pd.Series, str]:
    """The score of one of the day's orange customers and what is told of it."""
    here = scored[1].day.scores.query("cohort == 'eligible'")
    row = here.loc[here.loc[here["level"] == "orange", "churn_probability"].idxmin()]
    place = 1 + (here["churn_probability"] > row["churn_probability"]).sum()
    done = run("explain", row["customer_id"], *options)
    assert done.code == 0, done.err
    shown = done.out.replace("\N{MINUS SIGN}", "-")
    table = shown[shown.index("How the score adds up") : shown.index("Log-odds are the scale")]
    base, *shares, total = map(float, re.findall(r"[+-]?\d+\.\d\d", table))
    assert (base, total) == pytest.approx((row["base_margin"], row["margin"]), abs=0.005)
    assert len(shares) == len(CONCEPTS), "every concept has its line"
    assert base + sum(shares) == pytest.approx(total, abs=0.005 * len(shares))
    said = " ".join(done.out.split())
    assert f"; {place} of {len(here)}, 1 being the highest risk" in said
    return row, said


def test_an_explanation_shows_its_sum_and_no_percentage_that_is_not_proved(
    scored: tuple[Intake, Scored], trained_place: list[str], run: Run
) -> None:
    row, said = explained(scored, trained_place, run)
    days = f"{row['churn_window_days']:.0f} days"
    # what health or a rule made louder is no higher chance
    risk = names.RISKS[row["model_level"]].format(days=days)
    assert re.search(f"{row['customer_id']} .* {DAY}: Orange {risk[:1].upper()}{risk[1:]} {UNPROVED};", said)
    assert "chance of no order" not in said
    assert f"Model: {scored[1].champion.version}" in said


def test_an_explanation_shows_the_interval_of_a_probability_that_is_proved(
    scored: tuple[Intake, Scored], trained_place: list[str], run: Run, tmp_path: Path
) -> None:
    path = Tracking(tracking_folder(tmp_path / "out")).champion_folder() / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["facts"]["certificate"]["verdict"] = PERCENTAGES
    path.write_text(json.dumps(manifest), encoding="utf-8")
    row, said = explained(scored, trained_place, run)
    chance, low, high = (f"{row[name]:.0%}" for name in ("churn_probability", "churn_low", "churn_high"))
    days = f"{row['churn_window_days']:.0f} days"
    assert f"{DAY}: Orange {chance} ({low} to {high}) chance of no order in {days};" in said
    assert "(no percentage" not in said
    assert "Model: kizashi/1@" in said


def test_a_warning_is_one_line_too(tmp_path: Path) -> None:
    written(regulars(date(2024, 5, 1)).assign(quantitty=1.0), tmp_path / "data")
    done = kizashi("check", "--data", "data", folder=tmp_path)
    assert done.code == 0
    said = [line for line in done.err.splitlines() if not line.startswith("- ")]
    assert len(said) == 1
    assert said[0].startswith("Note: transactions.parquet: not used: 'quantitty' (is it 'quantity'?)")


def test_settings_are_found_beside_the_data(run: Run, tmp_path: Path) -> None:
    written(regulars(date(2024, 5, 1)), tmp_path / "data", SETTINGS + "[cohort]\nmin_order_days = 7\n")
    # with 6 order days by then nobody is left
    done = run("check", "--data", "data", "--as-of", "2024-04-20")
    assert re.search(r"eligible\W+0\W", done.out)
