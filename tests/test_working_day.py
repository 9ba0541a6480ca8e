"""What a date says besides probabilities: facts, rules, health, levels, and what lists and warnings are made of."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from companies import DAY, SHORT, Company, written
from orders import known_at, lines

from features.contract import CONTRACT
from features.passes import take_parts
from features.snapshots import ELIGIBLE, Cohort, Window
from models.level_trust import HEALTH_LEVELS, THREE_FALLS
from models.levels import LOUDNESS
from models.warning_rules import signals
from pipelines import console
from pipelines.champions import champion_of
from pipelines.intake import Intake, Request, take_in
from pipelines.kept_record import KeptRecord, keep
from pipelines.levelling import company_frame
from pipelines.rule_sections import company_rules
from pipelines.score import Day, Scored, score, score_day
from pipelines.scoring import MissingFeatures
from pipelines.settings import database_url
from serving.list_rows import Terms
from serving.lists import morning
from serving.store import Store
from serving.story import change_of
from serving.story_words import change_text

pytest_plugins = ["trained"]

RUN_AT = datetime(2030, 1, 1, tzinfo=UTC)
#: Rules that hold a silence against the customer's own cycle.
RHYTHM_RULES = {"order_late", "orders_stopped", "important_orders_stopped", "churned", "order_overdue"}


@pytest.fixture(scope="module")
def days(
    company: Company, scored: tuple[Intake, Scored], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Scored]]:
    """Three days of the company, one after the other, in one store: its output folder, and what each day said."""
    out = Path(shutil.copytree(scored[0].request.out, tmp_path_factory.mktemp("days") / "out"))
    later = [score(company.taken_in(out, DAY + timedelta(days=number))) for number in (1, 2)]
    return out, [scored[1], *later]


@contextmanager
def store_of(intake: Intake, out: Path) -> Iterator[Store]:
    with Store.open(database_url(intake.settings, out), create=False) as store:
        yield store


def test_a_level_is_the_loudest_of_its_parts_and_one_louder_beside_a_competitor(
    days: tuple[Path, list[Scored]],
) -> None:
    for done in days[1]:
        scores = done.day.scores
        parts = scores[["model_level", "health_level", "rule_level"]].map(LOUDNESS.get).max(axis=1)
        told = scores["level_parts"].fillna("").str
        steps = told.contains("raised:competitor")
        expected = (parts + steps).clip(upper=LOUDNESS["red"])
        assert scores["level"].map(LOUDNESS.get).tolist() == expected.tolist()
        for source in ("model", "health"):
            assert (told.contains(f"{source}:") == (scores[f"{source}_level"] != "none")).all()
        assert (told.contains("rule:") == (scores["rule_level"] != "none")).all()


def test_health_that_the_companys_own_past_refutes_marks_and_gives_no_level(
    company: Company, days: tuple[Path, list[Scored]], tmp_path: Path
) -> None:
    before = days[1][0].day
    assert (before.scores["health_level"] != "none").any()
    assert before.working.frames.reports["held_down"] is None
    out = Path(shutil.copytree(days[0], tmp_path / "out"))
    sources = {**HEALTH_LEVELS, "red too": THREE_FALLS}
    levels = [level.partition(" ")[0] for level in sources]
    rows = pd.DataFrame({"what": list(sources.values()), "level": levels, "matured": 100, "precision_high": 0.1})
    keep(out, KeptRecord(DAY, RUN_AT, "kim", rows))
    held = score_day(company.taken_in(out, DAY), champion_of(out))
    assert set(held.scores["health_level"]) == {"none"}
    assert not held.scores["level_parts"].fillna("").str.contains("health:").any()
    assert held.working.frames.reports["held_down"] == dict.fromkeys(sources.values(), "none")
    assert held.scores["model_level"].tolist() == before.scores["model_level"].tolist()


def test_nobody_outside_the_cohort_bears_a_level_or_gets_a_warning(days: tuple[Path, list[Scored]]) -> None:
    for done in days[1]:
        outside = done.day.scores[done.day.scores["cohort"] != ELIGIBLE]
        assert len(outside) > 0
        assert set(outside["level"]) == {"none"}
        assert outside["level_parts"].isna().all()
        assert done.decided is not None
        assert not set(done.decided.moves.opened["customer_id"]) & set(outside["customer_id"])


def test_whoever_is_lost_has_been_silent_for_longer_than_its_own_window(days: tuple[Path, list[Scored]]) -> None:
    for done in days[1]:
        lost = done.day.scores.query("stage == 'lost'").set_index("customer_id")
        facts = done.day.working.today.facts.set_index("customer_id").loc[lost.index]
        assert len(lost) > 0
        assert (facts["days_since_last_order"] > facts["churn_window_days"]).all()
        assert (facts["days_since_last_order"] > 2 * facts["order_cycle_days"]).all()


def test_reasons_are_told_of_the_warned_and_of_whose_level_moved(days: tuple[Path, list[Scored]]) -> None:
    before, moved = pd.Series(dtype="object"), []
    for done in days[1]:
        level = done.day.scores.set_index("customer_id")["level"]
        was = before.reindex(level.index)
        changed = set(level.index[was.notna() & (was != level)])
        warned = set(level.index[level != "none"])
        assert set(done.day.reasons["customer_id"]) == warned | changed
        before = level
        moved.append((changed, changed - warned))
    quiet = [len(one) for _, one in moved]
    assert moved[0] == (set(), set())
    assert sum(quiet) > 0, "somebody is told why it is warned about no more"


def test_a_later_day_publishes_why_levels_moved_and_it_adds_up(
    scored: tuple[Intake, Scored], days: tuple[Path, list[Scored]]
) -> None:
    out, done = days
    with store_of(scored[0], out) as store:
        told = [store.changes(one.published.run.as_of) for one in done]
    assert told[0].empty
    for earlier, later, changes in zip(done[:-1], done[1:], told[1:], strict=True):
        both = earlier.day.scores.merge(later.day.scores, on="customer_id", suffixes=("_before", "_after"))
        moved = both[both["level_before"] != both["level_after"]].set_index("customer_id")
        assert len(moved) > 0
        assert changes["customer_id"].tolist() == sorted(moved.index)
        assert set(pd.to_datetime(changes["since"]).dt.date) == {earlier.published.run.as_of}
        for row in changes.to_dict("records"):
            stood = moved.loc[row["customer_id"]]
            levels = (row["level_before"], row["level_after"])
            assert levels == (stood["level_before"], stood["level_after"])
            change = row["change"]
            assert row["text"] == change_text(change_of(change), "en", scored[0].settings.project.currency)
            assert change["comparable"] == (stood["cohort_before"] == stood["cohort_after"] == ELIGIBLE)
            if change["comparable"]:
                steps = sum(step["contribution"] for step in change["steps"])
                assert steps == pytest.approx(stood["margin_after"] - stood["margin_before"], abs=1e-6)
                assert row["margin_after"] - row["margin_before"] == pytest.approx(steps, abs=1e-6)


def test_warnings_and_tasks_of_three_days_are_each_there_once(scored: tuple[Intake, Scored], days: Any) -> None:
    out, done = days
    with store_of(scored[0], out) as store:
        episodes, tasks, verified = store.episodes().rows, store.tasks().rows, store.verified()
    assert verified.whole
    opened = [len(one.decided.moves.opened) for one in done]
    assert len(episodes) == sum(opened)
    assert opened[0] > 0
    assert not episodes[episodes["closed_on"].isna()]["customer_id"].duplicated().any()
    assert not tasks[tasks["state"] == "open"].duplicated(["customer_id", "cause"]).any()
    assert len(tasks) == sum(len(one.decided.new_tasks) for one in done)
    # what sets tasks off is new on the first day alone: the days after it have what changed
    assert len(done[1].decided.new_tasks) < len(done[0].decided.new_tasks) / 4


def test_the_published_profile_makes_the_lists_that_the_days_own_frame_makes(
    scored: tuple[Intake, Scored], days: tuple[Path, list[Scored]]
) -> None:
    out, done = days
    last = done[-1]
    as_of = last.published.run.as_of
    with store_of(scored[0], out) as store:
        kept, scores, tasks = store.profiles(as_of), store.scores(as_of), store.tasks(state="open").rows
    facts = pd.DataFrame(
        [{**row, "customer_id": who} for who, row in zip(kept["customer_id"], kept["facts"], strict=True)]
    )
    said = scores[["customer_id", "level", "stage", "queue", "churn_probability", "value_at_risk", "expected_loss"]]
    published = facts.assign(owner=kept["owner"], as_of=pd.Timestamp(as_of)).merge(said, on="customer_id")
    own = last.day.working.today.facts.drop(columns=["level", "stage", "value_at_risk", "expected_loss"])
    own = own.merge(said, on="customer_id")
    lists = [morning(rows, None, as_of, terms=Terms(), tasks=tasks) for rows in (published, own)]
    assert lists[0].counts == lists[1].counts
    assert lists[0].counts["red"] > 0
    for name in ("red", "yellow", "grey"):
        assert lists[0].lists[name]["customer_id"].tolist() == lists[1].lists[name]["customer_id"].tolist()


def test_the_morning_says_what_became_of_warnings_and_tasks_and_which_rules_are_silent(
    days: tuple[Path, list[Scored]],
) -> None:
    first = days[1][0]
    assert first.decided is not None
    opened, (waiting, _) = len(first.decided.moves.opened), first.decided.moves.not_shown
    again = replace(first, decided=None, published=replace(first.published, unchanged=True))
    silent = {"two_low_ratings": ["last_rating"], "payment_slow": ["payment_days_mean_90d"]}
    working = first.day.working
    frames = replace(working.frames, reports={**working.frames.reports, "silent_rules": silent})
    lacking = replace(first, day=replace(first.day, working=replace(working, frames=frames)))
    said = []
    for one in (first, again, lacking):
        with console.out.capture() as told:
            console.morning(one, {}, 1, "")
        said.append(" ".join(told.get().split()))
    assert (
        f"Warnings: {opened} opened, 0 changed, 0 closed; {waiting} more wait, as their owners' week is full ("
        in said[0]
    )
    assert f"Tasks: {len(first.decided.new_tasks)} created. `kizashi serve` has the lists" in said[0]
    assert "Warnings and tasks: left as they are, as the date was published already." in said[1]
    lacks = "Rules that cannot fire here: 2, as nothing is known of services, finances (two_low_ratings, payment_slow)."
    assert lacks in said[2]


# Small companies, written by hand


def frame_of(
    folder: Path, tables: Mapping[str, str | pd.DataFrame], as_of: date, settings: str = SHORT
) -> pd.DataFrame:
    """The company's frame on a date, with the rules that fired in the column ``fired``."""
    data = folder / "data"
    for name, table in tables.items():
        written(lines(table) if isinstance(table, str) else table, data, settings, name)
    intake = take_in(Request(str(data), folder / "out", as_of), run_at=RUN_AT)
    rules, options = company_rules(intake.settings.rules, intake.events.further)
    (folder / "parts").mkdir()
    parts = take_parts(intake.events, [as_of], folder / "parts", cohort=Cohort(), window=Window(), options={})
    frame = company_frame(intake, parts, rules)
    fired = signals(frame, rules, options)
    said = fired.groupby("customer_id")["rule"].agg(set).reindex(frame["customer_id"])
    return frame.assign(fired=[one if isinstance(one, set) else set() for one in said]).set_index("customer_id")


def orders(**days: list[date]) -> str:
    """Orders of these customers, and of one who still orders after all dates here, so that the data reach them."""
    days = {**days, "clerk": [date(2026, 12, 30)]}
    rows = [f"{who} {who}{place} {day} 100" for who, held in days.items() for place, day in enumerate(held)]
    return "\n".join(["customer_id order_id ordered_at amount", *rows])


#: The years in which everybody ordered.
YEARS = range(2021, 2026)


@pytest.mark.parametrize(
    ("as_of", "fires"),
    [
        (date(2026, 2, 12), set()),
        (date(2026, 9, 10), {"order_overdue"}),
        (date(2026, 9, 11), {"order_overdue", "order_late"}),
    ],
)
def test_rb_03_a_yearly_buyer_at_month_eleven_is_not_late_and_not_on_the_red_list(
    tmp_path: Path, as_of: date, fires: set[str]
) -> None:
    # the newest order was on 12 March 2025, the cycle is 365 days: late is after 547.5 of them
    yearly = [date(year, 3, 12) for year in YEARS]
    monthly = [date(2025, 1, 5) + timedelta(days=30 * number) for number in range(12)]
    customers = "customer_id rank\nyearly A\nmonthly A\nclerk -"
    frame = frame_of(tmp_path, {"transactions": orders(yearly=yearly, monthly=monthly), "customers": customers}, as_of)
    assert frame.loc["yearly", "order_cycle_days"] == 365
    assert frame.loc["yearly", "fired"] & RHYTHM_RULES == fires
    assert "important_orders_stopped" in frame.loc["monthly", "fired"]


def test_a_seasonal_buyer_out_of_its_season_is_not_late_and_in_it_is(tmp_path: Path) -> None:
    # every ten days from April to July, at last on 21 July 2025; the season after that begins without an order
    season = [date(year, 4, 2) + timedelta(days=10 * number) for year in YEARS for number in range(12)]
    steady = [date(2021, 1, 5) + timedelta(days=10 * number) for number in range(180)]
    tables = {"transactions": orders(season=season, steady=steady)}
    winter = frame_of(tmp_path / "winter", tables, date(2026, 3, 20)).loc["season"]
    assert winter["rhythm_class"] == "seasonal"
    # 242 days, of which 11 lay in its months; the usual gap is 10 days
    assert (winter["days_since_last_order"], winter["order_cycle_days"]) == (242, 220)
    assert winter["fired"] & RHYTHM_RULES == {"order_overdue"}
    spring = frame_of(tmp_path / "spring", tables, date(2026, 4, 20)).loc["season"]
    assert {"order_late", "orders_stopped"} <= spring["fired"], "30 days of its months"


def test_a_customer_of_projects_gets_no_rule_of_the_rhythm(tmp_path: Path) -> None:
    bursts = [date(2022, 2, 1), date(2023, 1, 10), date(2024, 6, 20)]
    project = [start + timedelta(days=4 * number) for start in bursts for number in range(5)]
    frame = frame_of(tmp_path, {"transactions": orders(project=project, other=project[:3])}, date(2025, 3, 1))
    assert frame.loc["project", "rhythm_class"] == "project"
    assert pd.isna(frame.loc["project", "order_cycle_days"])
    assert not frame.loc["project", "fired"] & RHYTHM_RULES


def test_op_01_a_rule_of_ones_own_reads_a_column_of_ones_own(tmp_path: Path) -> None:
    settings = (
        SHORT
        + """
[[rules.own]]
id = "few_machines"
words = "The customer has few machines and orders rarely."
when = ["machines <= 3 and days_since_last_order >= 20"]
level = "orange"
"""
    )
    customers = "customer_id machines\nA 2\nB 3\nC 4\nD -\nclerk -"
    held = {who: [date(2025, 1, 1), date(2025, 2, 1)] for who in "ABCD"}
    tables = {"transactions": orders(**held), "customers": customers}
    frame = frame_of(tmp_path, tables, date(2025, 2, 21), settings)
    assert {who: "few_machines" in fired for who, fired in frame["fired"].drop("clerk").items()} == {
        "A": True,
        "B": True,
        "C": False,
        "D": False,
    }
    assert frame["machines"].tolist()[:3] == [2, 3, 4]


def with_another_future(tables: Mapping[str, pd.DataFrame], as_of: date) -> dict[str, pd.DataFrame]:
    """The tables with the rows that become known on the date or later given to other customers."""
    moved = {}
    for name, table in tables.items():
        later = known_at(name, table) >= pd.Timestamp(as_of)
        if CONTRACT[name].time and "customer_id" in table and later.any():
            shuffled = table.loc[later, "customer_id"].sample(frac=1, random_state=1).to_numpy()
            customers = table["customer_id"].to_numpy(dtype="object", copy=True)
            customers[later] = shuffled
            table = table.assign(customer_id=pd.Series(customers, index=table.index, dtype="str"))
        moved[name] = table
    return moved


def test_what_comes_after_the_date_changes_no_fact_and_no_rule(tmp_path: Path, company: Company) -> None:
    some = company.customers()["customer_id"].iloc[:60]
    tables = {
        name: table[table["customer_id"].isin(some)] if "customer_id" in table else table
        for name, table in company.tables().items()
    }
    future = with_another_future(tables, DAY)
    assert not future["transactions"].equals(tables["transactions"])
    found = [frame_of(tmp_path / name, held, DAY) for name, held in (("as_is", tables), ("other", future))]
    pd.testing.assert_frame_equal(*(one.drop(columns="fired") for one in found), check_exact=True)
    assert found[0]["fired"].tolist() == found[1]["fired"].tolist()


def day_of(company: Company, folder: Path, settings: str = SHORT, layout: str = "", **tables: pd.DataFrame) -> Day:
    """The day of other data, by the company's champion."""
    for name, table in tables.items():
        written(table, folder / "data", settings, name)
    intake = take_in(Request(str(folder / "data"), company.register_at(folder / "out"), DAY, layout=layout))
    # a layout's file has no cohort in which features could be missing
    with nullcontext() if layout else pytest.warns(MissingFeatures):
        return score_day(intake, champion_of(intake.request.out))


def test_op_01_a_rule_of_ones_own_makes_a_level_and_a_competitor_makes_it_louder(
    company: Company, tmp_path: Path
) -> None:
    own = '[[rules.own]]\nid = "slow_machine"\nwords = "It is slow."\nwhen = ["machine_age >= 5"]\nlevel = "yellow"\n'
    filed = company.customers()[["customer_id", "region"]].assign(machine_age=lambda rows: range(len(rows))[::-1])
    fair = {
        "region": "Kanto",
        "occurred_at": pd.Timestamp(DAY - timedelta(days=3)),
        "competitor": "Acme",
        "kind": "fair",
    }
    tables = {"transactions": company.orders(), "customers": filed, "market_events": pd.DataFrame([fair])}
    day = day_of(company, tmp_path, SHORT + own, **tables)
    inside = day.scores[day.scores["cohort"] == ELIGIBLE].merge(filed, on="customer_id")
    old, near = inside["machine_age"] >= 5, inside["region"] == "Kanto"
    parts = inside["level_parts"].fillna("").str
    assert parts.contains("rule:slow_machine:yellow").tolist() == old.tolist()
    assert set(inside.loc[old, "rule_level"]) == {"yellow"}
    assert parts.contains("raised:competitor").tolist() == (near & (inside["level"] != "none")).tolist()
    assert {"orange", "red"} >= set(inside.loc[old & near, "level"])
    # the warnings of the day have it, too
    scored = day.working.today.scored.set_index("customer_id")
    assert (scored.loc[inside.loc[old, "customer_id"], "rule_level"] == "yellow").all()


def test_a_company_without_customers_has_its_working_day(company: Company, tmp_path: Path) -> None:
    needed = company.orders()[["customer_id", "order_id", "ordered_at", "amount"]].drop_duplicates(
        ["customer_id", "order_id"]
    )
    day = day_of(company, tmp_path, transactions=needed)
    profiles = day.working.frames.profiles
    assert isinstance(profiles, pd.DataFrame)
    assert set(profiles["customer_id"]) == set(day.scores["customer_id"])
    assert profiles["owner"].isna().all()
    assert set(day.scores["level"]) > {"none"}
    assert {"payment_slow", "temperature_fell"} <= set(day.working.frames.reports["silent_rules"])


def test_a_file_of_last_orders_has_its_working_day(company: Company, tmp_path: Path) -> None:
    lines = company.orders().loc[lambda rows: rows["ordered_at"] < pd.Timestamp(DAY)]
    last = lines.groupby("customer_id", as_index=False)["ordered_at"].max()
    last = last.assign(last_order_on=last["ordered_at"].dt.strftime("%Y-%m-%d"), order_pattern="weekly")
    day = day_of(
        company, tmp_path, layout="last-orders", last_orders=last[["customer_id", "last_order_on", "order_pattern"]]
    )
    assert set(day.scores["level"]) == {"none"}, "nobody has a habit to lose that one order could show"
    silence = (pd.Timestamp(DAY) - pd.to_datetime(last["last_order_on"])).dt.days.to_numpy()
    signals_of_day = day.working.frames.signals
    assert isinstance(signals_of_day, pd.DataFrame)
    stopped = set(signals_of_day.loc[signals_of_day["rule"] == "orders_stopped", "customer_id"])
    assert stopped == set(last.loc[silence >= 14, "customer_id"])
