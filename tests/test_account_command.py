"""``kizashi account | notes | statistics | check`` as a stranger meets them: what is printed, written and refused."""

import json
import os
import re
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from companies import Finished
from orders import lines

from pipelines import cli
from serving.records import REASON_COLUMNS, SCORE_COLUMNS, ScoringRun
from serving.store import Store

Run = Callable[..., Finished]

ORDERS = """
customer_id order_id ordered_at amount product_line
A           1        2024-03-01 1500   bolts
A           2        2024-04-01 1500   bolts
A           3        2024-05-01 1500   bolts
A           4        2024-06-29 40     nuts
B           5        2024-06-30 7      nuts
"""
CUSTOMERS = """
customer_id name        industry  region rank owner budget_months
A           Aoki_Works  machinery North  B    Ann   8
B           Bolt_[2]    food      North  -    -     3,9
"""
CHANGES = """
customer_id changed_at field       old  new                                author
A           2024-06-02 owner       Ann  Bob                                admin
A           2024-06-11 risk        -    low                                Bob
A           2024-06-12 note        -    new_buyer,_#cost-cutting_in_autumn Bob
A           2024-06-13 note        -    all_is_well_[red]                  Bob
A           2024-06-20 next_action -    2024-07-03_call_about_the_drawings Bob
"""
FINANCES = """
customer_id invoice_id issued_at  amount due_at     paid_at
A           f7         2024-05-01 1500   2024-06-01 -
B           f8         2024-06-30 7      2024-07-30 -
A           f0         2024-03-01 1500   2024-04-01 2024-04-03
"""
CONTACTS = "customer_id contact_id name role\nA c1 Tanaka purchasing\nA c2 Mori -"
TABLES = {"customers": CUSTOMERS, "account_changes": CHANGES, "finances": FINANCES, "contacts": CONTACTS}
HERE = ("--data", "data", "--as-of", "2024-07-01")
ROLE = ("reason", "order_rhythm", None)  # of a reason, with its concept and no sentence in codes


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `main` in this process, in a folder with a written company in `data`."""
    monkeypatch.setattr(os, "environ", os.environ.copy())  # noqa: TID251
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(cli, "_leave", sys.exit)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name, text in {"transactions": ORDERS, **TABLES}.items():
        lines(text).to_parquet(tmp_path / "data" / f"{name}.parquet")

    def called(*arguments: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["kizashi", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return Finished(int(end.value.code or 0), said.out, said.err)

    return called


def published(as_of: date, level: str, probability: float) -> None:
    """Put a score of account A into the store, as the daily run would."""
    said = (probability, 60.0, 0.6 * probability, 0.5 + 0.5 * probability, 0.9, 0.7, 0.5, 0.2)
    made = None if level == "none" else f"model:{level}"
    words = (level, "eligible", "enough", "B", "percent")
    score = ("A", *said, *words, 900.0, 720.0, 1.4, -1.0, "early", None, made, 0.5)
    reason = ("A", 1, "days_since_last_order", "transaction", 2.0, 30.0, None, 0.9, 0.1, "Silent 2 days.", *ROLE)
    moment = datetime(2024, 7, 1, tzinfo=UTC)
    with Store.open("sqlite:///var/kizashi.db") as store:
        store.publish(
            ScoringRun(f"run-{as_of}", as_of, "m1", "f1", moment),
            pd.DataFrame([score], columns=list(SCORE_COLUMNS)),
            pd.DataFrame([reason], columns=list(REASON_COLUMNS)),
            clock=lambda: moment,
        )


def test_an_account_is_told_from_who_it_is_to_its_last_events(run: Run) -> None:
    done = run("account", "A", *HERE, "--events", "3", "--json", "a.json")
    assert done.code == 0, done.err
    for words in (
        "A Aoki Works as of 2024-07-01: rank B, owner Bob, region North",
        "Owners before: Ann until 2024-06-02.",
        "Risk: a person says low (Bob, 2024-06-11); the engine says nothing published.",
        "Budget settled in month 8: it is now or next month.",
        "Next action: 2024-07-03: call about the drawings (for Bob, noted 2024-06-20).",
        "Not known whether open: overdue milestone (source absent: partnerships)",
        "People: Mori; Tanaka, purchasing.",
        "Timeline, the last 3 of",
        "all is well [red]",
    ):
        assert words in done.out
    assert re.search(r"Sales expenses\W+- \(source absent: no table of the contract holds expenses\)", done.out)
    assert re.search(r"Cumulative sales\W+4,540\W", done.out)
    assert re.search(r"overdue invoice\W+f7\W+2024-06-01\W+30\W+1,500", done.out)
    assert re.search(r"2024-06-12\W+Bob\W+cost cutting\W+new buyer, #cost-cutting in autumn", done.out)
    assert re.search(r"nuts\W+2024-06-29", done.out)
    told = json.loads(Path("a.json").read_text(encoding="utf-8"))
    assert len(told["profile"]) == 14
    assert (told["person"]["new"], told["engine"]) == ("low", None)
    assert [event["kind"] for event in told["timeline"][-3:]] == ["note", "next action", "order"]


def test_an_account_of_an_earlier_date_is_told_as_it_was_then(run: Run) -> None:
    done = run("account", "A", "--data", "data", "--as-of", "2024-06-02")
    assert "rank B, owner Ann, region North" in done.out, "before the first change the file of today is all there is"
    assert "Owners before" not in done.out
    assert "Risk: a person says none" in done.out
    assert "cost cutting" not in done.out
    assert re.search(r"Cumulative sales\W+4,500\W", done.out)
    assert re.search(r"overdue invoice", done.out)


def test_dm_12_what_a_person_says_of_the_risk_and_what_the_engine_says_are_both_there(run: Run) -> None:
    published(date(2024, 6, 25), "red", 0.8)
    published(date(2024, 7, 2), "none", 0.1)
    said = "a person says low (Bob, 2024-06-11); the engine says"
    assert f"{said} Red, 80% chance of no order in 60 days (of 2024-06-25)" in run("account", "A", *HERE).out
    published(date(2024, 7, 1), "orange", 0.6)
    done = run("account", "A", *HERE, "--json", "made/b.json")
    assert f"{said} Orange, 60% chance of no order in 60 days (of 2024-07-01)" in done.out
    told = json.loads(Path("made/b.json").read_text(encoding="utf-8"))
    assert (told["person"]["new"], told["person"]["author"], told["engine"]["level"]) == ("low", "Bob", "orange")


def test_an_unknown_account_is_one_line_with_examples(run: Run) -> None:
    done = run("account", "Z", *HERE)
    [line] = [line for line in done.err.splitlines() if not line.startswith("- ")]
    assert done.code == 2
    assert line.startswith("kizashi: customer 'Z' is not known before 2024-07-01. Known are for example ['A', 'B']")


def test_dm_10_notes_are_found_by_their_tag(run: Run) -> None:
    done = run("notes", "#cost cutting", *HERE)
    assert "1 notes with '#cost cutting', known before 2024-07-01" in done.out
    assert re.search(r"A\W+2024-06-12\W+Bob\W+cost cutting\W+new buyer", done.out)
    assert "0 notes" in run("notes", "policy change", *HERE).out


def test_dm_16_statistics_by_industry_with_their_grand_total(run: Run) -> None:
    done = run("statistics", *HERE, "--by", "industry", "--csv", "made/for/by.csv")
    assert re.search(r"machinery\W+1\W+4\W+4,540\.00\W+-", done.out)
    assert re.search(r"all\W+2\W+5\W+4,547\.00\W+-", done.out)
    assert "Source absent: transactions.margin." in done.out
    assert pd.read_csv("made/for/by.csv")["sales"].tolist() == [4540.0, 7.0]
    refused = run("statistics", *HERE, "--by", "colour")
    assert refused.code == 2
    assert "kizashi: --by colour: `customers` has no such column" in refused.err


def test_dm_01_a_check_tells_of_an_account_without_an_owner_and_of_a_contact_without_a_role(run: Run) -> None:
    done = run("check", *HERE)
    assert "  customers: no owner - 1 of 2 (B)" in done.out
    assert "  contacts: no role - 1 of 2 (c2)" in done.out
    assert re.search(r"Not there, and so many features off: .*interactions \(\d+\)", done.out)


def test_dm_24_with_orders_alone_the_list_says_what_is_off_and_delivery_columns_alone_switch_the_fill_rate_on(
    run: Run, tmp_path: Path
) -> None:
    for name in TABLES:
        (tmp_path / "data" / f"{name}.parquet").unlink()
    listed = []
    for orders in (lines(ORDERS), delivered(lines(ORDERS))):
        orders.to_parquet(tmp_path / "data" / "transactions.parquet")
        assert run("features", "--data", "data", "--csv", "made/list.csv").code == 0
        listed.append(pd.read_csv("made/list.csv").set_index("feature"))
    off = listed[0][listed[0]["missing_share"] == 1]
    assert off.loc["interactions_90d", "covered_from"] != off.loc["interactions_90d", "covered_from"], "absent"
    assert "filled_line_share_90d" in off.index
    assert "revenue_90d" not in off.index
    assert listed[1].loc["filled_line_share_90d", "missing_share"] == 0


def delivered(orders: pd.DataFrame) -> pd.DataFrame:
    """The same lines with what a delivery system knows of them."""
    day = pd.Timedelta(days=1)
    return orders.assign(
        product_id="p",
        quantity=1,
        delivered_quantity=1,
        promised_at=orders["ordered_at"] + day,
        delivered_at=orders["ordered_at"] + day,
    )
