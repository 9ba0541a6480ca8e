"""Rows of the model and of the way to it: what is wrong in the data, profiles, no future, the first list."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

import re
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from companies import SHORT, Run, regulars
from listed import TODAY, one
from made_days import MONDAY, publish
from ruled import ago, built, fired, told
from working_days import customer
from worlds import CUTOFFS, SOME_FEATURES, latest_cohort, table_of, walk

from features.blanks import blanks
from features.quarantine import IngestReport, ingest
from features.simulate import simulate
from features.snapshots import ELIGIBLE
from features.sources import open_source
from models.episodes import Pilot
from models.evaluation import roc_auc
from models.folds import CHAMPION, with_outcomes
from models.health import MARKS
from models.level_parts import combine
from models.track_record import first_alerts
from models.warning_rules import signals
from pipelines.rule_sections import company_rules
from pipelines.settings import load_settings
from serving.decision import Terms, Today, decide
from serving.list_rows import current
from serving.lists import morning
from serving.store import Store

pytest_plugins = ["trained"]

SOUND = {
    "customers": "customer_id,name,rank\nA,Aoki,A\nB,Bolt,B\n",
    "transactions": "customer_id,order_id,ordered_at,amount\nA,1,2024-01-10,100\nB,2,2024-01-11,20.5\n",
    "contacts": "customer_id,contact_id,role\nA,p1,user\n",
    "interactions": "customer_id,interaction_id,occurred_at,channel\nA,i1,2024-02-01,visit\n",
}
#: Table -> rows in a file, each with what the door is to say of it: kind and column, or that it is a second copy.
DIRTY = {
    "customers": [("C,Cord,E", ("unknown_value", "rank")), ("A,Aoki again,B", ("duplicate_key", "customer_id"))],
    "transactions": [
        ("A,1,2024-01-10,100", "copy"),
        ("A,3,12.01.2024,5", ("not_a_date", "ordered_at")),
        ("A,4,2029-01-01,5", ("in_the_future", "ordered_at")),
        ("A,5,,5", ("missing", "ordered_at")),
        ("A,6,2024-01-12,€ 5", ("not_a_number", "amount")),
        ("A,7,2024-01-12,5 USD", ("not_a_number", "amount")),
        ("A,8,2024-01-12,inf", ("not_finite", "amount")),
        (",9,2024-01-12,5", ("missing", "customer_id")),
        ("Z,10,2024-01-12,5", ("unknown_customer", "customer_id")),
    ],
    "contacts": [
        ("A,p2,boss", ("unknown_value", "role")),
        ("Z,p3,user", ("unknown_customer", "customer_id")),
    ],
    "interactions": [
        ("A,i1,2024-02-01,visit", "copy"),
        ("A,i2,2024-02-01,pigeon", ("unknown_value", "channel")),
        ("Z,i3,2024-02-01,visit", ("unknown_customer", "customer_id")),
    ],
}


def taken_in(folder: Path, tables: dict[str, str]) -> IngestReport:
    data = folder / "data"
    data.mkdir(parents=True)
    for name, text in tables.items():
        (data / f"{name}.csv").write_text(text, encoding="utf-8")
    moment = datetime(2024, 6, 1, 12)
    return ingest(open_source(data), folder / "events", run_at=moment, timezone="UTC", max_share=1.0)


def test_ml_01_every_kind_of_defect_is_counted_with_its_row_numbers_and_no_row_is_lost(tmp_path: Path) -> None:
    report = taken_in(
        tmp_path, {name: text + "".join(f"{row}\n" for row, _ in DIRTY[name]) for name, text in SOUND.items()}
    )
    for name, rows in DIRTY.items():
        counted = report.table(name)
        first = SOUND[name].count("\n")
        expected: dict[tuple[str, str], list[int]] = {}
        for number, (_, defect) in enumerate(rows, start=first):
            if defect != "copy":
                expected.setdefault(defect, []).append(number)
        assert {(one.kind, one.column): list(one.first_rows) for one in counted.reasons} == expected, name
        assert {(one.kind, one.column): one.rows for one in counted.reasons} == {
            defect: len(numbers) for defect, numbers in expected.items()
        }
        assert counted.duplicates == sum(defect == "copy" for _, defect in rows)
        assert counted.clean == first - 1
        assert counted.rows_in == first - 1 + len(rows) == counted.clean + counted.quarantined + counted.duplicates
        aside = duckdb.sql(f"SELECT row_number FROM '{tmp_path / 'events' / 'quarantine' / name}.parquet' ORDER BY 1")
        assert [number for (number,) in aside.fetchall()] == sorted(
            number for numbers in expected.values() for number in numbers
        )


def test_ml_01_contacts_that_are_not_on_file_are_counted_and_stay(tmp_path: Path) -> None:
    head, *_ = SOUND["interactions"].split("\n")
    said = [(1, "p1"), (2, "p2"), (3, ""), (4, "p1")]
    rows = [f"{'B' if number == 4 else 'A'},i{number},2024-02-01,visit,{who}" for number, who in said]
    report = taken_in(tmp_path, {**SOUND, "interactions": "\n".join([f"{head},contact_id", *rows]) + "\n"})
    [found] = [one for one in blanks(report.events) if one.table == "interactions"]
    # p2 is nobody's, and p1 is a person of another customer
    assert (found.words, found.rows, found.of, found.first) == ("contact not on file", 2, 4, ("i2", "i4"))
    assert report.table("interactions").clean == 4


def test_ml_01_clean_data_pass_whole(tmp_path: Path) -> None:
    report = taken_in(tmp_path, SOUND)
    for name, text in SOUND.items():
        counted = report.table(name)
        assert (counted.rows_in, counted.quarantined, counted.duplicates) == (text.count("\n") - 1, 0, 0)


STANDARD = '[health]\nprofile = "standard"\n[rules.options]\nlate_order_multiple = 1.5\n'
PROJECT = '[health]\nprofile = "project"\n[rules.options]\nlate_order_multiple = 3.0\n'


@pytest.mark.parametrize(
    ("profile", "health", "late"),
    [(STANDARD, 0.40 * 50 + 0.60 * 100, True), (PROJECT, 0.20 * 50 + 0.80 * 100, False)],
    ids=["standard goods", "project business"],
)
def test_ml_02_two_profiles_give_their_documented_results_on_the_same_data(
    tmp_path: Path, profile: str, health: float, late: bool
) -> None:
    (tmp_path / "kizashi.toml").write_text(profile)
    settings = load_settings(tmp_path / "kizashi.toml")
    # the orders are half way down, everything else is as usual; the last order lies 60 days back, the cycle is 30
    halves = {mark.feature: (mark.good + mark.bad) / 2 for mark in MARKS if mark.dimension == "transaction"}
    row = pd.DataFrame([{mark.feature: mark.good for mark in MARKS} | halves])
    assert settings.health.made().scored(row)["health"].tolist() == pytest.approx([health])
    rules, options = company_rules(settings.rules)
    silent = {"customer_id": ["c1"], "as_of": pd.Timestamp(2024, 7, 1), "days_since_last_order": [60.0]}
    found = signals(pd.DataFrame({**silent, "order_cycle_days": [30.0]}), rules, options)
    assert ("order_late" in set(found["rule"])) == late


def test_ml_03_whatever_happens_after_a_day_its_scores_stay_as_they_were() -> None:
    day = pd.Timestamp(CUTOFFS[-1])
    lines = simulate(800, 30, seed=3, end=walk().table.data_end).tables["transactions"]
    past = lines[lines["recorded_at"].fillna(lines["ordered_at"]) < day]
    past = past[past["ordered_at"] < day]
    everybody = past.drop_duplicates("customer_id")
    future = everybody.assign(order_id="new " + everybody["order_id"], ordered_at=day, recorded_at=day, amount=9e6)
    cancelled = everybody.assign(order_id="old " + everybody["order_id"], recorded_at=day, amount=-9e6)
    changed = table_of(pd.concat([past, future, cancelled], ignore_index=True), [CUTOFFS[-1]], SOME_FEATURES).frame
    champion, before = walk().champion, latest_cohort()
    after = changed[changed["cohort"] == ELIGIBLE]
    columns = ["customer_id", "as_of"]
    assert len(before) > 300
    pd.testing.assert_frame_equal(before[columns].reset_index(drop=True), after[columns].reset_index(drop=True))
    one, other = (champion.score(rows.reset_index(drop=True)) for rows in (before, after))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_ml_03_the_model_ranks_better_than_the_best_rule_of_silence_on_dates_it_had_not_seen() -> None:
    judged = with_outcomes(walk().predictions, walk().table).dropna(subset="no_order_90")
    assert judged["as_of"].nunique() == len(CUTOFFS)
    auc = {
        name: roc_auc(rows["p_no_order_90"].to_numpy(), rows["no_order_90"].to_numpy())
        for name, rows in judged.groupby("contestant")
    }
    recency = [auc[name] for name in ("days_since_last_order", "cycle")]
    assert auc[CHAMPION] > max(recency)


def test_ml_13_one_command_leads_from_csv_files_to_the_first_list_and_prints_its_time(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "orders"
    data.mkdir()
    regulars(pd.Timestamp(2025, 8, 1).date()).to_csv(data / "transactions.csv", index=False)
    (data / "kizashi.toml").write_text(SHORT)
    done = run("start", "--data", "orders")
    assert done.code == 0, done.err
    assert re.search(r"^Red on \d{4}-\d\d-\d\d", done.out, re.MULTILINE)
    assert "scores and" in done.out
    assert re.search(r"^From orders to the first list: \d+ seconds\.$", done.out, re.MULTILINE)


UNITS = {"ann": "north", "bob": "south"}


@pytest.mark.parametrize(
    ("pilot", "warned"),
    [(Pilot(), ["ann", "bob"]), (Pilot("region", ("north",)), ["ann"]), (Pilot(shadow=True), [])],
    ids=["everybody", "one unit", "shadow"],
)
def test_ml_05_neither_warnings_nor_tasks_open_outside_the_pilot_and_all_are_scored(
    tmp_path: Path, pilot: Pilot, warned: list[str]
) -> None:
    nothing = {"gap_before_last_order_days": None, "last_order_amount": None}
    facts = pd.DataFrame(
        [customer(name, region=unit, potential_churn=False, **nothing) for name, unit in UNITS.items()]
    )
    late = {"rule": "order_late", "level": "yellow", "evidence": {"days_since_last_order": 45.0}}
    signalled = pd.DataFrame([{"customer_id": name, **late} for name in UNITS])
    loud = {
        "level": "red", "model_level": "red", "rule_level": "yellow", "health_level": "none", "churn_probability": 0.9,
        "queue": "early", "dimension": "transaction", "priority": 9.0, "owner": "kim", "stage": "cooling",
        "listed": False,
    }  # fmt: skip
    scored = pd.DataFrame([{"customer_id": name, "region": unit, **loud} for name, unit in UNITS.items()])
    today = Today(scored, facts, signalled, pd.DataFrame(columns=["customer_id", "field", "old", "new", "on", "edit"]))
    with Store.open(f"sqlite:///{tmp_path / 'kizashi.db'}") as store:
        terms = Terms(pilot=pilot)
        publish(store, MONDAY, dict.fromkeys(UNITS, "red"), decide=lambda state: decide(state, today, terms).decision)
        assert sorted(store.episodes().rows["customer_id"]) == warned
        assert sorted(set(store.tasks().rows["customer_id"])) == warned
        assert store.scores(MONDAY)["customer_id"].tolist() == ["ann", "bob"]


def test_wl_10_the_red_mark_of_potential_churn_is_on_the_list_and_in_the_profile_without_anybody_s_doing() -> None:
    fall = {"customer_id": "A", "model_level": "none", "health_level": "red", "rule_level": "none", "escalated": False}
    found = combine(pd.DataFrame([fall]), pd.DataFrame(columns=["customer_id", "rule", "level"])).iloc[0]
    assert (found["level"], found["level_parts"]) == ("red", ("health:red",))
    profile = one(level=found["level"])
    [row] = morning(profile, None, TODAY).lists["red"].to_dict("records")
    assert (row["customer_id"], row["level"], row["engine_risk"]) == ("A", "red", "urgent")
    assert current(profile, None, TODAY)["engine_risk"].tolist() == ["urgent"]


def test_hr_07_an_alert_shows_the_revenue_of_twelve_months_that_is_at_risk() -> None:
    [row] = morning(one(level="red", value_at_risk=8.0e6), None, TODAY).lists["red"].to_dict("records")
    assert row["value_at_risk"] == 8.0e6


def test_hr_06_a_mix_that_shifts_to_low_margins_is_flagged_120_days_before_the_loss_at_unchanged_revenue() -> None:
    lost_on = ago(0)
    # an order of 100 every ten days; 65 of it are of high margin, and from 180 days before the loss on 42
    said = ["customer_id order_id ordered_at amount margin"]
    for days in range(900, 0, -10):
        high = 65 if days > 180 else 42
        said += [f"A A{days} {ago(days)} {high} {0.6 * high}", f"A A{days} {ago(days)} {100 - high} 1"]
    flagged = []
    for days in range(240, 60, -10):
        frame = built("\n".join(said), as_of=ago(days), facts={"as_of": pd.Timestamp(ago(days))})
        if fired(frame, "order_anomaly") == [True]:
            flagged.append((days, told(frame, "order_anomaly")["evidence"]))
    episodes = pd.DataFrame({"customer_id": "A", "opened_on": [ago(days) for days, _ in flagged]})
    losses = pd.DataFrame({"customer_id": ["A"], "lost_on": [lost_on]})
    [lead] = first_alerts(episodes, losses, 365)["lead_days"]
    assert 120 <= lead <= 180
    assert "high_margin_share_90d_z" in flagged[0][1]
