"""Tickets, invoices and milestones of the simulated world: as the contract wants them, telling what is declared."""

# ruff: noqa: DTZ001 - the simulated history is naive, in the project's zone

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from features.contract import CONTRACT
from features.quarantine import ingest
from features.simulate import PRESETS, Preset, simulate
from features.simulate.finances import finances_observed, finances_table
from features.simulate.observed import Observations
from features.simulate.partnerships import partnerships_observed, partnerships_table
from features.simulate.recording import recorded
from features.simulate.routine import WorkingTime, rounds
from features.simulate.scene import Scene
from features.simulate.services import SURVEY_DAYS, services_observed, services_table
from features.simulate.signals import SIGNALS, in_natural_units
from features.simulate.stages import LOST
from features.simulate.transactions import transactions_table
from features.sources import open_source

END = date(2026, 1, 1)
MINE = ("services", "finances", "partnerships")
DECLARED = [name for name, signal in SIGNALS.items() if signal.table in MINE]
Drawn = tuple[Scene, dict[str, pd.DataFrame]]


def drawn(customers: int, preset: Preset, *, calm: bool = False) -> Drawn:
    """A scene and its tables before anything is cut at the extract; `calm`: nobody's attention wanders."""
    scene = simulate(customers, 36, seed=5, preset=preset, end=END).scene
    if calm:
        scene = replace(scene, attention=np.zeros_like(scene.attention))
    streams = (np.random.default_rng([8, number]) for number in range(4))
    tables = {"transactions": transactions_table(scene, {}, next(streams))}
    tables["services"] = services_table(scene, tables, next(streams))
    tables["finances"] = finances_table(scene, tables, next(streams))
    tables["partnerships"] = partnerships_table(scene, tables, next(streams))
    return scene, tables


def observed(scene: Scene, tables: dict[str, pd.DataFrame]) -> dict[str, Observations]:
    """What the tables say of each signal, all its observations in one."""
    found: dict[str, list[Observations]] = {}
    for read in (services_observed, finances_observed, partnerships_observed):
        for one in read(scene, tables):
            found.setdefault(one.signal, []).append(one)
    return {
        name: Observations(name, *(np.concatenate([getattr(p, f) for p in parts]) for f in ("account", "day", "value")))
        for name, parts in found.items()
    }


@pytest.fixture(scope="module")
def normal() -> Drawn:
    return drawn(4000, PRESETS["normal"])


@pytest.fixture(scope="module")
def null() -> Drawn:
    return drawn(2500, PRESETS["null"])


@pytest.fixture(scope="module")
def alike() -> Drawn:
    return drawn(1500, replace(PRESETS["normal"], signal=0.0, spread=0.0), calm=True)


# --- the clock of the office ----------------------------------------------------------------------------------


def test_working_days_pass_over_nights_weekends_and_the_turn_of_the_year(alike: Drawn) -> None:
    office = WorkingTime.of(alike[0].span)
    begin = np.array(["2025-05-16T17:00", "2025-05-16T17:00", "2024-12-27T08:00"], dtype="datetime64[us]")
    end = office.after(begin, np.array([0.2, 2.05, 1.5]))
    assert end.tolist() == [datetime(2025, 5, 19, 9), datetime(2025, 5, 20, 17, 30), datetime(2025, 1, 6, 13)]
    assert office.between(begin, end) == pytest.approx([0.2, 2.05, 1.5], abs=1e-4)


def test_the_nearest_open_day_is_as_often_before_a_closed_day_as_after_it(alike: Drawn) -> None:
    span = alike[0].span
    saturday, sunday, monday = span.day(np.array(["2025-05-17", "2025-05-18", "2025-05-19"], dtype="datetime64[D]"))
    found = WorkingTime.of(span).nearest(np.array([saturday, sunday, monday]))
    assert found.tolist() == [saturday - 1, monday, monday]


def test_who_is_sent_something_depends_on_the_orders_and_not_on_the_relationship(normal: Drawn) -> None:
    scene = normal[0]
    lives = scene.lives
    other = replace(scene, lives=replace(lives, stage=np.where(lives.stage == LOST, 0, lives.stage)))
    every = np.full(len(scene.accounts), 90.0)
    mine, theirs = (rounds(one, every, np.random.default_rng(2)) for one in (scene, other))
    assert other.lost.sum() < scene.lost.sum()
    np.testing.assert_array_equal(mine, theirs)
    account, day = mine
    assert scene.span.open_days()[day].all()
    assert scene.lost[account, day].mean() < 0.1 < scene.lost.mean()


# --- the tables as the contract wants them --------------------------------------------------------------------


@pytest.mark.parametrize("name", MINE)
def test_a_table_is_as_the_contract_says(normal: Drawn, name: str) -> None:
    table, frame = CONTRACT[name], normal[1][name]
    assert tuple(column for column in table.names if column in frame.columns) == table.names
    assert not frame.duplicated(list(table.key)).any()
    assert frame[table.time].is_monotonic_increasing
    for column in table.columns:
        values = frame[column.name]
        if column.type in ("id", "text"):
            assert values.dtype == "str"
        if column.type == "timestamp":
            assert values.dtype == "datetime64[us]"
        if column.type == "boolean":
            assert values.dtype == ("boolean" if values.isna().any() else "bool")
        if column.values:
            assert set(values.dropna()) == set(column.values)
        assert not (column.required and values.isna().any())


def test_nothing_goes_to_quarantine(normal: Drawn, tmp_path: Path) -> None:
    scene, tables = normal
    end = pd.Timestamp(END)
    (tmp_path / "data").mkdir()
    for name, frame in tables.items():
        frame[frame["recorded_at"] < end].to_parquet(tmp_path / "data" / f"{name}.parquet", index=False)
    customers = pd.DataFrame({"customer_id": scene.accounts.customer_id})
    customers.to_parquet(tmp_path / "data" / "customers.parquet", index=False)
    source = open_source(tmp_path / "data")
    report = ingest(source, tmp_path / "out", run_at=datetime(2026, 1, 1), timezone="UTC", max_share=0.0)
    for name in MINE:
        assert report.table(name).clean == report.table(name).rows_in > 1000


def test_nothing_happens_before_a_relationship_began(normal: Drawn) -> None:
    scene, tables = normal
    since = pd.Series(scene.span.dates(scene.known_since(np.arange(len(scene.accounts)))), scene.accounts.customer_id)
    for name in MINE:
        frame = tables[name]
        for column in (CONTRACT[name].time, "recorded_at"):
            assert (frame[column].to_numpy() >= frame["customer_id"].map(since).to_numpy()).all()


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("services", "opened_at"),
        ("services", "resolved_at"),
        ("services", "answered_at"),
        ("services", "rated_at"),
        ("finances", "issued_at"),
        ("finances", "confirmed_at"),
        ("finances", "paid_at"),
        ("finances", "disputed_at"),
        ("partnerships", "done_at"),
        ("partnerships", "recorded_at"),
    ],
)
def test_business_is_done_in_business_hours(normal: Drawn, name: str, column: str) -> None:
    scene, tables = normal
    at = tables[name][column].dropna()
    assert np.isin(scene.span.day(at.to_numpy()), WorkingTime.of(scene.span).open_days).all()
    assert at.dt.hour.between(8, 18).all()


def test_answers_come_after_questions(normal: Drawn) -> None:
    tickets, invoices, milestones = (normal[1][name] for name in MINE)
    for column in ("resolved_at", "answered_at", "rated_at"):
        later = tickets[column].dropna()
        assert (later > tickets.loc[later.index, "opened_at"]).all()
    assert ((tickets["rated_at"] - tickets["opened_at"]).max()) < pd.Timedelta(days=SURVEY_DAYS)
    assert (invoices["confirmed_at"] > invoices["issued_at"]).all()
    assert (invoices["paid_at"].dt.normalize() > invoices["issued_at"].dt.normalize()).all()
    disputed = invoices[invoices["disputed_at"].notna()]
    assert invoices["disputed"].equals(invoices["disputed_at"].notna())
    assert disputed["disputed_at"].between(disputed["issued_at"], disputed["paid_at"]).all()
    done = milestones[milestones["done_at"].notna()]
    assert (done["done_at"].dt.normalize() <= done["planned_at"]).all()
    assert (done["done_at"].dt.normalize() > done["recorded_at"].dt.normalize()).all()


def test_every_kind_of_ticket_has_its_own_facts(normal: Drawn) -> None:
    tickets = normal[1]["services"]
    facts = tickets.set_index("kind")[["resolved_at", "accepted", "answered_at", "rating", "rated_at"]].notna()
    share = facts.groupby(level=0).mean()
    assert share.loc[["complaint", "repair"]].to_numpy().tolist() == [[1, 0, 0, 0, 0]] * 2
    assert share.loc[["maintenance", "training", "upgrade"]].to_numpy().tolist() == [[0, 1, 1, 0, 0]] * 3
    assert share.loc["survey", ["resolved_at", "accepted", "answered_at"]].tolist() == [0, 0, 0]
    assert 0.3 < share.loc["survey", "rating"] == share.loc["survey", "rated_at"] < 0.6
    assert set(tickets["rating"].dropna()) == {1, 2, 3, 4, 5}


def test_the_invoices_add_up_to_what_was_delivered(normal: Drawn) -> None:
    lines, invoices = normal[1]["transactions"], normal[1]["finances"]
    ordered = lines[lines["amount"] > 0].groupby("customer_id")["amount"].sum()
    invoiced = invoices.groupby("customer_id")["amount"].sum()
    pd.testing.assert_series_equal(ordered, invoiced, rtol=1e-9)
    assert len(invoices) < lines.loc[lines["amount"] > 0, "order_id"].nunique()


def test_nothing_is_known_of_a_milestone_that_lies_ahead(normal: Drawn) -> None:
    milestones = normal[1]["partnerships"]
    ahead = milestones["planned_at"] >= pd.Timestamp(END)
    assert (milestones["status"] == "planned").equals(ahead)
    assert milestones.loc[ahead, ["done_at", "explanation"]].isna().all(axis=None)
    off = milestones["status"].isin(["postponed", "cancelled"])
    assert milestones["explanation"].notna().equals(off)


# --- what causes leave behind ---------------------------------------------------------------------------------


def test_tickets_of_a_bad_spell_wait_for_weeks(normal: Drawn) -> None:
    scene, tables = normal
    tickets = tables["services"][tables["services"]["resolved_at"].notna()]
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(tickets["customer_id"]))
    bad = scene.causes.in_spell("open_tickets", account, scene.span.day(tickets["opened_at"].to_numpy()))
    waited = (tickets["resolved_at"] - tickets["opened_at"]).dt.days
    assert waited[~bad].median() <= 7 < 21 <= waited[bad].min()
    assert (tickets.loc[bad, "kind"] == "complaint").any()


def test_late_deliveries_bring_repairs_and_no_complaints(normal: Drawn) -> None:
    scene, tables = normal
    tickets = tables["services"]
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(tickets["customer_id"]))
    day = scene.span.day(tickets["opened_at"].to_numpy())
    others = ~scene.causes.in_spell("open_tickets", account, day)
    # A fortnight, more or less, from the order to the late delivery and the repair.
    bad = scene.causes.in_spell("late_deliveries", account, day - 14)
    share = pd.Series(bad[others]).groupby(tickets["kind"].to_numpy()[others]).mean()
    assert share["repair"] > 2 * share["complaint"]


# --- there and back: what the tables say of the signals -------------------------------------------------------


def test_every_signal_is_observed(normal: Drawn) -> None:
    assert set(observed(*normal)) == set(DECLARED)


def test_without_a_table_there_is_nothing_to_see(normal: Drawn) -> None:
    assert observed(normal[0], {}) == {}


def test_an_extract_shows_what_was_known_by_then_and_rows_sent_twice_count_once(null: Drawn) -> None:
    scene, tables = null
    preset = replace(scene.preset, late_rows=0.0, duplicates=0.05)
    delivered = recorded(tables, preset, scene.span, lambda part: np.random.default_rng(len(part)))
    assert len(delivered["services"]) > len(tables["services"])
    at_last, in_the_end = observed(scene, delivered), observed(scene, tables)
    for name, seen in in_the_end.items():
        known = seen.day < scene.span.days
        expected = sorted(zip(seen.account[known], seen.day[known], seen.value[known], strict=True))
        found = at_last[name]
        assert sorted(zip(found.account, found.day, found.value, strict=True)) == expected


@pytest.mark.parametrize("name", [name for name in DECLARED if SIGNALS[name].family != "rate"])
def test_the_mean_of_what_is_seen_is_what_is_usual(alike: Drawn, name: str) -> None:
    signal, found = SIGNALS[name], observed(*alike)[name]
    gone = alike[0].lost[found.account, np.minimum(found.day, alike[0].span.days - 1)]
    # Who is lost says yes to nothing that ends with the relationship; what was said before may become known after.
    long_gone = gone & alike[0].lost[found.account, np.clip(found.day - 60, 0, alike[0].span.days - 1)]
    assert not (signal.ends and found.value[long_gone].any())
    seen = found.value[~gone] if signal.ends else found.value
    spread = signal.noise if signal.family == "value" else np.sqrt(signal.usual * (1 - signal.usual))
    assert len(seen) > 400
    assert seen.mean() == pytest.approx(signal.usual, abs=4 * spread / np.sqrt(len(seen)))
    assert seen.std() == pytest.approx(spread, rel=0.15)


def test_as_many_complaints_come_as_are_usual(alike: Drawn) -> None:
    scene, _ = alike
    since = scene.known_since(np.arange(len(scene.accounts)))
    here = (np.arange(scene.span.days) >= since[:, None]) & ~scene.lost
    expected = SIGNALS["complaints"].usual * here.sum() / 7
    seen = observed(*alike)["complaints"]
    assert len(seen.value) == pytest.approx(expected, abs=4 * np.sqrt(expected))
    assert not scene.lost[seen.account, seen.day].any()


def before_loss(scene: Scene, seen: Observations, days: int) -> np.ndarray:
    """By how much each observation in some days before a customer's first loss, or each loss, is off the usual."""
    signal, usual = SIGNALS[seen.signal], scene.accounts.usual[seen.signal]
    lost_on = np.full(len(scene.accounts), scene.span.days + 10_000)
    lives = scene.lives
    mine = (lives.stage == LOST) & (lives.start - days >= scene.known_since(lives.account))
    np.minimum.at(lost_on, lives.account[mine], lives.start[mine])
    soon = (seen.day < lost_on[seen.account]) & (seen.day >= lost_on[seen.account] - days)
    if signal.family == "rate":
        losing = np.flatnonzero(lost_on < scene.span.days)
        number = np.bincount(seen.account[soon], minlength=len(usual))[losing]
        return number - np.exp(usual[losing]) * days / 7
    return seen.value[soon] - in_natural_units(signal, usual[seen.account[soon]])


@pytest.mark.parametrize("name", DECLARED)
def test_a_signal_moves_as_declared_in_the_two_months_before_a_loss_with_symptoms(normal: Drawn, name: str) -> None:
    scene, tables = normal
    lives = scene.lives
    sudden = (lives.stage == LOST) & (lives.driver < 0)
    symptomatic = replace(scene, lives=replace(lives, stage=np.where(sudden, 0, lives.stage)))
    off = before_loss(symptomatic, observed(scene, tables)[name], 60)
    assert len(off) > 30
    assert np.sign(off.mean()) == np.sign(SIGNALS[name].away)


@pytest.mark.parametrize("name", DECLARED)
def test_nothing_moves_before_a_loss_in_the_null_world(null: Drawn, name: str) -> None:
    off = before_loss(null[0], observed(*null)[name], 60)
    assert len(off) > 30
    assert abs(off.mean()) < 4 * off.std() / np.sqrt(len(off))


def test_a_survey_without_an_answer_is_a_no_once_no_answer_can_come(alike: Drawn) -> None:
    scene, _ = alike
    sent = pd.Timestamp(END) - pd.to_timedelta([SURVEY_DAYS + 5, SURVEY_DAYS - 1], "D")
    rows = pd.DataFrame(
        {
            "customer_id": pd.array(["C00002", "C00003"], dtype="str"),
            "ticket_id": ["T1", "T2"],
            "kind": "survey",
            "opened_at": sent,
            "accepted": pd.array([pd.NA, pd.NA], dtype="boolean"),
            "answered_at": pd.NaT,
            "rating": pd.array([pd.NA, pd.NA], dtype="Int64"),
            "rated_at": pd.Series(pd.NaT, index=range(2), dtype="datetime64[us]"),
        }
    )
    found = next(one for one in services_observed(scene, {"services": rows}) if one.signal == "survey_answered")
    assert (found.account.tolist(), found.day.tolist(), found.value.tolist()) == ([1], [scene.span.days - 5], [0.0])


def test_the_chance_of_a_yes_is_the_one_declared_for_the_day_of_the_question(normal: Drawn) -> None:
    scene, tables = normal
    rows = tables["services"][tables["services"]["kind"] == "maintenance"]
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(rows["customer_id"]))
    chance = expit(scene.level("maintenance_accepted", account, scene.span.day(rows["opened_at"].to_numpy())))
    accepted = rows["accepted"].to_numpy(dtype=float)
    for low, high in ((0.0, 0.5), (0.5, 0.75), (0.75, 1.0)):
        here = (chance >= low) & (chance < high)
        assert accepted[here].mean() == pytest.approx(chance[here].mean(), abs=4 * 0.5 / np.sqrt(here.sum()))
