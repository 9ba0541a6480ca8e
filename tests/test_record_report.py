"""The track record of a small company, told anew with each day as outcomes mature; everything counted by hand."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from companies import DAY, TRAINED, Company
from made_days import MONDAY, act, at, opened, publish

from features.passes import take_parts
from features.simulate import simulate, write
from pipelines.intake import Request, take_in
from pipelines.record_report import order_days, read_past, record_reports, what_came
from pipelines.score import score
from pipelines.settings import database_url
from serving.day_records import DayFrames, Decision, LoopState
from serving.ledger import Event
from serving.store import Store

pytest_plugins = ["databases", "trained"]

#: Customer -> the order days before and after Monday, 2 March 2026: all had ordered every 20 days.
ORDERS = {
    "ann": (-50, -30, -10),  # nothing any more: the next one was due on 12 March
    "bob": (-50, -30, -10, 44),  # back on the last day of its window
    "cid": (-50, -30, -10, 45),  # back on the day after
    "dan": (-50, -30, -10, 5),  # back, and treated
    "eve": (-130, -110, -90),  # never warned about
}
WINDOW = 45.0


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


def orders(until: date) -> pd.DataFrame:
    """Order days known before a midnight."""
    rows = [(who, day(one), 100.0) for who, days in ORDERS.items() for one in days if day(one) < until]
    found = pd.DataFrame(rows, columns=["customer_id", "day", "amount"])
    return found.assign(day=pd.to_datetime(found["day"])).astype({"customer_id": "str"})


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as one:
        yield one


def open_all(state: LoopState) -> Decision:
    levels = {"ann": "red", "bob": "red", "cid": "yellow", "dan": "red"}
    return Decision([event for who, level in levels.items() for event in opened(state, who, level, stage="cooling")])


def monday(store: Store) -> None:
    """The day on which the warnings open."""
    signal = pd.DataFrame(
        [("ann", "order_late", "none", {}), ("bob", "order_late", "none", {}), ("bob", "weak_link", "none", {})],
        columns=["customer_id", "rule", "level", "evidence"],
    )
    levels = dict.fromkeys(("ann", "bob", "cid", "dan"), "red")
    publish(store, MONDAY, levels, decide=open_all, frames=DayFrames(signals=signal))


def treat(store: Store, customer: str, number: int) -> None:
    moment = datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(days=number)
    act(store, Event("exposed", "kim", moment, {"kind": "contacted"}, customer, f"{customer}-{MONDAY}"))


def told(store: Store, number: int, eligible=("ann", "bob", "cid", "dan", "eve", "fay")):
    as_of = day(number)
    past = read_past(store)
    return record_reports(past, orders(as_of), eligible, as_of=as_of, observed_until=as_of, cool_down_days=28)


def levels(store: Store, number: int) -> pd.DataFrame:
    return pd.DataFrame(told(store, number)["track_record"]["levels"]).set_index("level")


@pytest.mark.parametrize(
    ("number", "waiting", "matured", "hits"),
    [(1, 2, 0, 0), (44, 2, 0, 0), (45, 0, 2, 1), (60, 0, 2, 1)],
)
def test_outcomes_mature_on_the_day_on_which_the_own_window_ends(store, number, waiting, matured, hits):
    monday(store)
    treat(store, "dan", 1)
    red = levels(store, number).loc["red"]
    assert (red["episodes"], red["waiting"], red["matured"], red["hits"]) == (3, waiting, matured, hits)
    assert red["undetermined"] == 1, "dan was treated: nobody can know"
    assert red["false_alarms"] == matured - hits


def test_an_order_on_the_last_day_of_the_window_refutes_the_warning_and_one_of_the_day_after_does_not(store):
    monday(store)
    table = levels(store, 60)
    assert table.loc["yellow", ["matured", "hits"]].tolist() == [1, 1]  # cid
    assert table.loc["red", ["matured", "hits"]].tolist() == [3, 1]  # ann; bob and dan were back


@pytest.mark.parametrize(("number", "undetermined"), [(44, 1), (45, 0), (46, 0)])
def test_only_what_was_done_within_the_window_leaves_an_outcome_undetermined(store, number, undetermined):
    monday(store)
    treat(store, "ann", number)
    assert levels(store, 60).loc["red", "undetermined"] == undetermined


def test_a_treated_customer_that_came_back_is_counted_apart_as_soon_as_it_orders(store):
    monday(store)
    treat(store, "dan", 1)
    assert levels(store, 5).loc["red", "treated_reordered"] == 0
    assert levels(store, 6).loc["red", "treated_reordered"] == 1


def test_a_loss_is_one_when_the_silence_has_lasted_90_days_beyond_the_order_that_was_due(store):
    monday(store)
    # eve was due on 22 December, 70 days before Monday; ann on 12 March
    assert levels(store, 20).loc["all", "losses"] == 0
    assert levels(store, 21).loc["all", ["losses", "warned"]].tolist() == [1, 0]
    late = levels(store, 101).loc["all"]
    assert late[["losses", "warned", "recall", "revenue_recall"]].tolist() == [2, 1, 0.5, 0.5]
    assert levels(store, 100).loc["all", "losses"] == 1
    red = levels(store, 101).loc["red"]
    # to 12 March, to the end of 45 days after the last order, to 10 June
    assert red[["lead_expected_days", "lead_window_days", "lead_loss_days"]].tolist() == [10, 35, 100]


def test_chance_stands_beside(store):
    monday(store)
    table = levels(store, 101)
    assert table.loc["all", "null_precision"] == 2 / 6
    assert table.loc["red", "null_recall"] == 3 / 6


def test_rb_13_hr_01_wl_09_lead_times_and_stages_of_the_first_warnings_are_told(store):
    monday(store)
    report = told(store, 101)["track_record"]
    assert report["leads"]["median_days"] == 100
    assert (report["ahead"]["in_time"]["hits"], report["ahead"]["in_time"]["n"]) == (1, 2)
    assert {name: one["hits"] for name, one in report["first_stages"].items() if one["hits"]} == {
        "cooling": 1, "never": 1,
    }  # fmt: skip


def test_ml_07_the_last_whole_quarter_has_its_report_by_what_is_known_now(store):
    monday(store)
    treat(store, "dan", 1)
    assert "quarter" not in told(store, 20), "the first day lies after the last quarter's end"
    quarter = told(store, 101)["quarter"]
    assert (quarter["quarter"], quarter["whole"], quarter["alerts"]) == ("2026Q1", False, 4)
    assert (quarter["precision"]["hits"], quarter["precision"]["n"]) == (2, 3)  # ann and cid of ann, bob and cid
    assert quarter["saves"]["value"] == 1.0
    assert quarter["compared"]["value"] == pytest.approx(1 / 3)
    assert quarter["value"] == 4 * 9.0
    assert (quarter["recall"]["hits"], quarter["recall"]["n"]) == (0, 1)  # eve


def test_ml_08_rules_have_the_precision_that_people_gave_the_warnings_behind_which_they_stood(store):
    monday(store)
    for who, verdict in (("ann", "true"), ("bob", "false")):
        said = {"author": "kim", "verdict": verdict}
        act(store, Event("feedback_given", "kim", at(day(1)), said, who, f"{who}-{MONDAY}"))
    rules = {row["rule"]: (row["n"], row["true"], row["precision"]) for row in told(store, 2)["rules"]}
    assert rules == {"order_late": (2, 1, 0.5), "weak_link": (1, 0, 0.0)}


def test_both_engines_tell_the_same_of_the_warnings(new_url):
    with Store.open(new_url()) as store:
        monday(store)
        said = {"author": "kim", "verdict": "known"}
        act(store, Event("feedback_given", "kim", at(day(1)), said, "bob", f"bob-{MONDAY}"))
        past = read_past(store)
    assert past.since == MONDAY
    assert past.episodes["churn_window_days"].tolist() == [WINDOW] * 4
    assert past.rules[["rule", "n", "known", "precision"]].to_numpy().tolist() == [
        ["order_late", 1, 1, 1.0], ["weak_link", 1, 1, 1.0],
    ]  # fmt: skip


def test_before_the_first_day_there_is_nothing_to_tell(store):
    assert told(store, 0) == {"rules": []}
    monday(store)
    assert "track_record" not in told(store, 0)


def test_days_without_a_warning_have_a_record_with_their_losses_alone(store):
    publish(store, MONDAY, {"ann": "none"})
    report = told(store, 101)
    every = report["track_record"]["levels"][-1]
    assert (every["level"], every["episodes"], every["losses"], every["warned"]) == ("all", 0, 2, 0)
    assert report["quarter"]["alerts"] == 0
    assert report["track_record"]["first_stages"]["never"]["hits"] == 2


def test_the_day_s_report_is_published_as_it_is(store):
    monday(store)
    publish(store, day(101), {"ann": "red"}, frames=DayFrames(reports=told(store, 101)))
    kept = store.report(day(101), "track_record")
    assert kept["first"] == "2026-03-02"
    assert kept["levels"][0]["level"] == "red"
    assert kept["levels"][1]["precision"] is None, "orange never warned"


def test_warnings_without_an_order_before_or_a_published_window_are_waited_for():
    episodes = pd.DataFrame(
        {"episode_id": ["1", "2"], "customer_id": ["ann", "new"], "opened_on": [MONDAY, MONDAY]}
    ).assign(churn_window_days=[float("nan"), WINDOW])
    outcomes, losses = what_came(episodes, orders(day(101)), day(101))
    assert outcomes.set_index("episode_id")["lost"].isna().to_dict() == {"1": True, "2": False}
    assert losses["customer_id"].tolist() == ["ann", "eve"]


def test_order_days_are_those_of_the_snapshots_as_known_then(tmp_path):
    lacking = ("finances", "partnerships", "quotes", "services", "contracts", "promotions", "interactions")
    write(simulate(20, 12, seed=1, end=date(2026, 7, 1), without=lacking), tmp_path / "data")
    intake = take_in(Request(str(tmp_path / "data"), tmp_path / "out"))
    (tmp_path / "parts").mkdir()
    parts = take_parts(
        intake.events, [intake.as_of], tmp_path / "parts", cohort=intake.cohort(), window=intake.window()
    )
    found = order_days(parts, date(2026, 6, 1))
    assert found["day"].max() < pd.Timestamp(2026, 6, 1)
    assert found.duplicated(["customer_id", "day"]).sum() == 0
    assert len(found) > 20


def test_the_daily_run_publishes_the_record_of_the_days_before_it(company: Company, tmp_path: Path) -> None:
    out = company.register_at(tmp_path)
    days = [company.taken_in(out, as_of) for as_of in (TRAINED, DAY)]
    for intake in days:
        score(intake)
    with Store.open(database_url(days[0].settings, out)) as store:
        assert store.report(TRAINED, "track_record") is None
        report = store.report(DAY, "track_record")
        opened_then = store.episodes().rows["opened_on"].eq(pd.Timestamp(TRAINED)).sum()
    every = next(row for row in report["levels"] if row["level"] == "all")
    assert (report["first"], report["until"]) == (TRAINED.isoformat(), DAY.isoformat())
    assert every["episodes"] == every["waiting"] == opened_then > 0


def test_each_warning_is_told_with_what_became_of_it(store) -> None:
    monday(store)
    treat(store, "dan", 3)
    found = told(store, 120)["warnings"]
    rows = dict(
        zip(found["episode_id"], zip(found["lost"], found["treated"], found["lost_on"], strict=True), strict=True)
    )
    assert rows == {
        f"ann-{MONDAY}": (1, 0, day(100)), f"bob-{MONDAY}": (0, 0, None),
        f"cid-{MONDAY}": (1, 0, None), f"dan-{MONDAY}": (0, 1, None),
    }  # fmt: skip
    assert told(store, 44)["warnings"]["lost"] == [None] * 4, "no window has passed"


def test_losses_without_a_warning_are_named_and_those_that_were_warned_of_are_not(store) -> None:
    monday(store)
    found = told(store, 120)["misses"]
    assert found == {"n": 1, "losses": [{"customer_id": "eve", "lost_on": day(20), "revenue": 300.0}]}
