"""``kizashi economics`` as a stranger meets it: what is printed, written and refused."""

import os
import re
import sys
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from companies import STAYING, STOPPED, Finished, regulars, written
from narrowed import registry_of

from features import registry
from models.economics import CompanyNumbers
from pipelines import cli
from pipelines.economics import numbers_of
from pipelines.settings import Settings

Run = Callable[..., Finished]

#: The customers who stop order for the last time between the first date and the second.
DATES = pd.to_datetime(["2025-02-01", "2025-03-01", "2025-04-01"])
UNTIL = date(2025, 8, 1)
#: A customer whose id a spreadsheet would run.
FORMULA = '=HYPERLINK("x")'
SPACE = 2 * 29.5 / (365.25 / 12)
ASKED = ("--data", "data", "--predictions", "p.parquet", "--horizon", "90", "--capacity", "4")
NUMBERS = '[project]\ncurrency = "EUR"\n[economics]\ncontact_cost = 50\n'


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `main` in this process, in a folder with the written company in `data` and what was said of it."""
    monkeypatch.setattr(os, "environ", os.environ.copy())  # noqa: TID251
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(cli, "_leave", sys.exit)
    money = [f"revenue_{days}d" for days in (30, 90, 180, 365)]
    monkeypatch.setattr(registry, "REGISTRY", registry_of(also=[*money, "order_days_365d"]))
    monkeypatch.chdir(tmp_path)
    written(orders(), tmp_path / "data", "")
    predictions().to_parquet("p.parquet")

    def called(*arguments: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["kizashi", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return Finished(int(end.value.code or 0), said.out, said.err)

    return called


def orders() -> pd.DataFrame:
    """The written company's order lines."""
    return regulars(UNTIL).replace({"customer_id": {"S00": FORMULA}})


def predictions() -> pd.DataFrame:
    """As of a backtest: the champion finds all who stopped in March and takes one who stays for another."""
    rows = []
    for who in [FORMULA, *list(STOPPED)[1:], *STAYING]:
        gone = who == FORMULA or who in STOPPED
        for number, day in enumerate(DATES):
            high = (0.8 if gone else 0.6 if who == "T00" else 0.1) if number else 0.1
            for name, said in {"champion": high, "cycle": 0.3, "days_since_last_order": 0.3}.items():
                rows.append((name, who, day, said, float(gone and number > 0)))
    table = pd.DataFrame(rows, columns=["contestant", "customer_id", "as_of", "p_no_order_90", "no_order_90"])
    return table.assign(churn_probability=table["p_no_order_90"], churned=float("nan"))


def at_stake() -> float:
    """What those who stop had ordered in the year before the second date."""
    lines = orders()
    year = lines["ordered_at"].between(DATES[1] - pd.Timedelta(days=365), DATES[1], inclusive="left")
    return float(lines.loc[year & lines["customer_id"].isin([FORMULA, *STOPPED]), "amount"].sum())


def problem(done: Finished) -> str:
    assert done.code == 2
    [line] = [line for line in done.err.splitlines() if not line.startswith("- ")]
    return line


def test_what_warnings_would_have_cost_and_caught_is_told_in_the_companys_numbers(run: Run) -> None:
    settings = "save_rate = 0.25\nmargin_share = 0.4\nreplacement_multiple = [5, 10]\n"
    Path("data/kizashi.toml").write_text(NUMBERS + settings, encoding="utf-8")
    done = run("economics", *ASKED)
    assert done.code == 0, done.err
    # 4 a month are 8 in the two months after the run-in: those 8 who stop
    assert round(4 * SPACE) == len(STOPPED) == 8
    table = pd.read_csv("var/economics/capacities.csv").set_index(["contestant", "capacity"]).loc[("champion", 4)]
    counts = ["warnings", "right", "lost", "caught", "missed", "caught_value_share", "cost"]
    assert table[counts].tolist() == [8, 8, 8, 8, 0, 1, 400]
    assert table["lost_value"] == pytest.approx(at_stake())
    assert table["break_even_save_rate"] == pytest.approx(400 / (0.4 * at_stake()))
    assert table["profit"] == pytest.approx(0.25 * 0.4 * at_stake() - 400)
    thresholds = pd.read_csv("var/economics/thresholds.csv").query("contestant == 'champion'").set_index("threshold")
    assert thresholds["false_alarms"].loc[[0.5, 0.7]].tolist() == [1, 0]
    assert Path("var/economics/portfolio.png").read_bytes().startswith(b"\x89PNG")
    assert "Value at risk on 2025-04-01: €" in done.out
    assert "of net revenue, as the orders have no margins, in 12 months" in done.out
    assert "had contacts kept 25% of the losses (your number, not a result): profit €" in done.out
    assert "New customers in the place of those 8: €2,000 to €4,000, at 5 to 10 times" in done.out
    # 8 in two months less a day or two are about 50 a year, all lost: the test of a half that is left alone
    assert re.search(r"4\W+50\W+100%\W", done.out)
    assert "Nothing is called saved without a group that was left alone." in done.out


def test_an_id_that_a_spreadsheet_would_run_is_written_as_text(run: Run) -> None:
    assert run("economics", *ASKED).code == 0
    customers = pd.read_csv("var/economics/customers.csv")
    assert f"'{FORMULA}" in set(customers["customer_id"])
    assert set(STAYING) < set(customers["customer_id"])
    assert not customers["customer_id"].str.match(r"[=+\-@]").any()


def test_without_numbers_of_its_own_the_company_is_told_which_are_missing_and_no_profit(run: Run) -> None:
    done = run("economics", *ASKED)
    assert "No profit is computed: not set under [economics] is what a contact costs (contact_cost) and" in done.out
    assert not re.search("kept|must keep|profit €", done.out)
    assert pd.read_csv("var/economics/capacities.csv")[["cost", "break_even_save_rate", "profit"]].isna().all(axis=None)
    Path("data/kizashi.toml").write_text(NUMBERS, encoding="utf-8")
    priced = run("economics", *ASKED)
    assert '"must keep" counts all revenue as earned: read it as "at least".' in priced.out
    found = pd.read_csv("var/economics/capacities.csv").set_index(["contestant", "capacity"]).loc[("champion", 4)]
    assert found["break_even_save_rate"] == pytest.approx(400 / at_stake())
    assert pd.isna(found["profit"])


def test_without_settings_nothing_is_claimed() -> None:
    assert numbers_of(Settings()) == CompanyNumbers()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("--predictions", "none.parquet"), "--predictions none.parquet: there is no such file."),
        (("--predictions", "data/kizashi.toml"), "--predictions data/kizashi.toml: is no Parquet file."),
        (("--predictions", "data/transactions.parquet"), "missing are ['contestant', 'as_of', 'p_no_order_90'"),
        (("--horizon", "45"), "--horizon 45: expected one of own, 30, 60, 90, 180."),
        (("--capacity", "0"), "Invalid value for '--capacity': Input should be greater than or equal to 1."),
    ],
)
def test_what_cannot_be_used_is_one_line(run: Run, asked: tuple[str, ...], words: str) -> None:
    assert words in problem(run("economics", *ASKED, *asked))


def test_predictions_of_other_customers_or_later_dates_are_refused(run: Run) -> None:
    predictions().replace({"customer_id": {"T00": "X00"}}).to_parquet("p.parquet")
    assert "1 customers of the predictions are not known in the data at their dates, such as ['X00']" in problem(
        run("economics", *ASKED)
    )
    assert "the predictions reach to 2025-04-01, the data only to 2025-03-15" in problem(
        run("economics", *ASKED, "--as-of", "2025-03-15")
    )


def test_outcomes_that_are_not_known_yet_are_said_so(run: Run) -> None:
    line = problem(run("economics", *ASKED, "--horizon", "own"))
    assert "No outcome of --horizon own is known yet. Give a shorter one" in line
    predictions().loc[lambda rows: rows["as_of"] == DATES[2]].to_parquet("p.parquet")
    assert "The outcomes of 1 date(s) are known; at least 2" in problem(run("economics", *ASKED))
