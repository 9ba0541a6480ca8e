"""Contacts and interactions of the simulated world say what they must, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from features.contract import CONTRACT
from features.quarantine import ingest
from features.simulate import phrases
from features.simulate.accounts import REGIONS
from features.simulate.arrays import WEEK, Span
from features.simulate.contacts import ROLES, contacts_table, person_on
from features.simulate.customers import customers_table, owner_names, owner_on
from features.simulate.interactions import PATIENCE, RESULT_SHARES, interactions_observed, interactions_table
from features.simulate.observed import Observations
from features.simulate.office import opened
from features.simulate.presets import NORMAL, PRESETS, Preset
from features.simulate.recording import recorded
from features.simulate.scene import Scene
from features.simulate.signals import SIGNALS
from features.simulate.transactions import transactions_table
from features.simulate.truth import truth_of_losses
from features.simulate.world import set_scene
from features.sources import open_source

OWN_SIGNALS = sorted(name for name, signal in SIGNALS.items() if signal.table == "interactions")
SPAN = Span(np.datetime64("2023-10-01"), 1096)  # until 2026-10-01
# Nobody leaves, all are alike and at their usual level: every observation is a draw from the declaration alone.
STILL = replace(NORMAL, signal=0.0, spread=0.0, yearly_loss=1e-9, causes=0.0, policy="none")


@dataclass(frozen=True)
class Drawn:
    """A scene with its customers, contacts and interactions."""

    scene: Scene
    tables: Mapping[str, pd.DataFrame]

    @property
    def interactions(self) -> pd.DataFrame:
        return self.tables["interactions"]

    def account(self, rows: pd.DataFrame) -> np.ndarray:
        return pd.Index(self.scene.accounts.customer_id).get_indexer(rows["customer_id"])


def draw(preset: Preset, customers: int, span: Span = SPAN, *, attentive: bool = True) -> Drawn:
    scene = set_scene(customers, preset, span, 5)
    if not attentive:
        scene = replace(scene, attention=np.zeros_like(scene.attention))
    tables = {"customers": customers_table(scene, {}, np.random.default_rng(1))}
    tables["contacts"] = contacts_table(scene, tables, np.random.default_rng(2))
    tables["interactions"] = interactions_table(scene, tables, np.random.default_rng(3))
    return Drawn(scene, tables)


def observed(world: Drawn, rows: pd.DataFrame | None = None) -> dict[str, Observations]:
    found = interactions_observed(world.scene, {"interactions": world.interactions if rows is None else rows})
    assert len({one.signal for one in found}) == len(found)
    return {one.signal: one for one in found}


@pytest.fixture(scope="module")
def normal() -> Drawn:
    return draw(NORMAL, 4000)


@pytest.fixture(scope="module")
def seen(normal: Drawn) -> dict[str, Observations]:
    return observed(normal)


@pytest.fixture(scope="module")
def still() -> Drawn:
    return draw(STILL, 1500, attentive=False)


def in_natural_units(name: str, level: np.ndarray) -> np.ndarray:
    return expit(level) if SIGNALS[name].family == "share" else level


def shifts(world: Drawn, one: Observations, days: int, *, symptomatic: bool) -> np.ndarray:
    """Observed minus usual, for each observation (for a rate: loss) in the `days` before a loss."""
    losses = truth_of_losses(world.scene)
    losses = losses[losses["symptomatic"] == symptomatic]
    account, lost = world.account(losses), SPAN.day(losses["lost_at"].to_numpy())
    watched = lost - 2 * days >= world.scene.known_since(account)
    ends = pd.DataFrame({"account": account, "lost": lost})[watched].reset_index(drop=True)
    near = ends.reset_index().merge(pd.DataFrame(vars(one) | {"usual": 0}), on="account")
    near = near[(near["day"] >= near["lost"] - days) & (near["day"] < near["lost"])]
    usual = world.scene.accounts.usual[one.signal]
    if SIGNALS[one.signal].family == "rate":
        number = near.groupby("index").size().reindex(ends.index, fill_value=0).to_numpy()
        return number - np.exp(usual[ends["account"]]) * days / WEEK
    return near["value"].to_numpy() - in_natural_units(one.signal, usual[near["account"]])


def test_an_ingest_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    world = draw(NORMAL, 300)
    tables = {**world.tables, "transactions": transactions_table(world.scene, {}, np.random.default_rng(1))}
    for name, rows in tables.items():
        rows.to_parquet(tmp_path / f"{name}.parquet", index=False)
    later = datetime(2030, 1, 1)  # noqa: DTZ001 - clean events are naive
    report = ingest(open_source(tmp_path), tmp_path / "events", run_at=later, timezone="UTC", buckets=1)
    for name in ("contacts", "interactions"):
        kept = report.table(name)
        assert (kept.quarantined, kept.duplicates) == (0, 0), kept.reasons
        assert kept.clean == len(tables[name]) > 0


@pytest.mark.parametrize("name", ["contacts", "interactions"])
def test_both_tables_have_the_columns_types_and_keys_of_the_contract(normal: Drawn, name: str) -> None:
    types = {"id": "str", "text": "str", "timestamp": "datetime64[us]"}
    booleans = {"invited": "bool", "attended": "boolean"}
    rows, table = normal.tables[name], CONTRACT[name]
    assert set(rows.columns) == set(table.names)
    for column in table.columns:
        assert str(rows[column.name].dtype) == booleans.get(column.name, types.get(column.type)), column.name
        if column.values:
            assert set(rows[column.name].dropna()) == set(column.values)
    assert rows[list(table.required)].notna().all(axis=None)
    assert not rows.duplicated(list(table.key)).any()


@pytest.mark.parametrize("name", OWN_SIGNALS)
def test_without_a_sign_every_signal_is_at_its_usual_level(still: Drawn, name: str) -> None:
    usual = still.scene.accounts.usual[name]
    if SIGNALS[name].family == "rate":
        weeks = (SPAN.days - still.scene.known_since(np.arange(len(usual)))) / WEEK
        expected = float(np.sum(np.exp(usual) * weeks))
        assert abs(len(observed(still)[name].day) - expected) < 4 * np.sqrt(expected) + 0.005 * expected
        return
    # Of a message that may still be answered, a yes is known and a no is not.
    settled = still.interactions[still.interactions["occurred_at"] < pd.Timestamp("2026-08-01")]
    gap = observed(still, settled)[name].value - in_natural_units(name, usual[0])
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap)), gap.mean()


def test_the_observations_are_of_the_signals_of_this_table(seen: dict[str, Observations]) -> None:
    assert sorted(seen) == OWN_SIGNALS


@pytest.mark.parametrize("name", OWN_SIGNALS)
def test_before_a_loss_with_symptoms_every_signal_moves_as_declared(
    normal: Drawn, seen: dict[str, Observations], name: str
) -> None:
    signal = SIGNALS[name]
    # Invitations are few: a longer look back finds enough of them.
    moved = shifts(normal, seen[name], 60 if name == "attended" else 30, symptomatic=True)
    way = np.sign(signal.comparing or signal.away)
    assert way * moved.mean() > 2 * moved.std() / np.sqrt(len(moved)), (moved.mean(), len(moved))


@pytest.mark.parametrize("name", OWN_SIGNALS)
def test_before_a_loss_without_symptoms_nothing_moves(normal: Drawn, seen: dict[str, Observations], name: str) -> None:
    moved = shifts(normal, seen[name], 90, symptomatic=False)
    assert len(moved) > 30
    # Attention wanders up and down: on the log of a rate that adds half its variance.
    usual = 0.06 * np.exp(normal.scene.accounts.usual[name]).mean() * 90 / WEEK if name.startswith("contact") else 0.0
    assert abs(moved.mean()) < 4 * moved.std() / np.sqrt(len(moved)) + usual, moved.mean()


def test_in_the_null_world_losses_announce_themselves_in_no_column() -> None:
    world = draw(PRESETS["null"], 3000)
    losses = truth_of_losses(world.scene)
    ends = pd.DataFrame({"customer_id": losses["customer_id"], "lost_at": losses["lost_at"]})
    ends = ends[losses["lost_at"] - pd.Timedelta(days=240) >= "2023-10-01"].drop_duplicates("customer_id")
    since = world.tables["customers"].set_index("customer_id")["since"]
    ends = ends[ends["lost_at"] - pd.Timedelta(days=240) >= ends["customer_id"].map(since)]
    both = ends.merge(world.interactions, on="customer_id")
    ago = (both["lost_at"] - both["occurred_at"]) / pd.Timedelta(days=1)
    late, early = (ago > 0) & (ago <= 120), (ago > 120) & (ago <= 240)
    flags = {
        "any": pd.Series(True, index=both.index),
        "text": both["text"].notna(),
        "contact": both["contact_id"].notna(),
        "invited": both["invited"],
        "unsuccessful": both["result"] == "unsuccessful",
        "high_value": both["result"] == "high_value",
    }
    for name, flag in flags.items():
        change = ((late & flag).astype(int) - (early & flag).astype(int)).groupby(both["customer_id"]).sum()
        change = change.reindex(ends["customer_id"], fill_value=0)
        assert abs(change.mean()) < 4 * change.std() / np.sqrt(len(change)), (name, change.mean())


def test_nothing_happens_before_the_relationship_began_nor_outside_business(normal: Drawn) -> None:
    since = normal.tables["customers"].set_index("customer_id")["since"]
    for name, column in (("interactions", "occurred_at"), ("contacts", "valid_from")):
        rows = normal.tables[name]
        assert (rows[column].to_numpy() >= rows["customer_id"].map(since).to_numpy()).all()
    open_days = np.append(SPAN.open_days(), np.zeros(7, dtype=bool))
    at = normal.interactions["occurred_at"]
    inside = at < "2026-10-01"
    assert inside.mean() > 0.999
    assert open_days[SPAN.day(at[inside].to_numpy())].all()
    for moment in (at, normal.interactions["replied_at"].dropna()):
        assert moment.dt.hour.between(8, 17).all()
        assert (moment.dt.day_of_week < 5).all()
    assert (normal.interactions["recorded_at"] == at).all()


def test_every_account_has_a_buyer_and_one_to_three_other_people(normal: Drawn) -> None:
    contacts = normal.tables["contacts"]
    first = contacts.drop_duplicates(["customer_id", "role"])
    people = first.groupby("customer_id").size().reindex(normal.scene.accounts.customer_id)
    assert set(people) == {2, 3, 4}
    assert (first["role"] == "purchasing").sum() == len(people)


def test_a_buyer_leaves_on_the_day_of_the_cause_and_another_one_begins_days_later(normal: Drawn) -> None:
    buyers = normal.tables["contacts"].query("role == 'purchasing'")
    left = normal.scene.causes.of("buyer_left")
    told = {(account, day) for account, day in zip(left.account.tolist(), left.day.tolist(), strict=True)}
    gone = buyers[buyers["valid_to"].notna()]
    days = SPAN.day(gone["valid_to"].to_numpy())
    assert set(zip(normal.account(gone).tolist(), days.tolist(), strict=True)) <= told
    was_there = left.day > normal.scene.known_since(left.account)
    assert len(gone) > 0.97 * was_there.sum()
    following = buyers.groupby("customer_id")["valid_from"].shift(-1)[gone.index]
    wait = (following - gone["valid_to"]).dt.days
    assert wait.notna().all()
    assert (wait >= 1).all()
    assert 10 < wait.median() < 25
    others = normal.tables["contacts"].query("role != 'purchasing'")
    assert 0.05 < others["valid_to"].notna().mean() < 0.3


def test_an_interaction_names_who_held_the_role_at_that_account_on_that_day(normal: Drawn) -> None:
    both = normal.interactions.merge(normal.tables["contacts"], on="contact_id", suffixes=("", "_of"))
    assert (both["customer_id"] == both["customer_id_of"]).all()
    assert (both["role"] == both["role_of"]).all()
    assert (both["occurred_at"] >= both["valid_from"]).all()
    assert not (both["occurred_at"] >= both["valid_to"] + pd.Timedelta(days=1)).any()
    nobody = normal.interactions[normal.interactions["contact_id"].isna() & (normal.interactions["role"] == "user")]
    place = nobody.merge(normal.tables["contacts"].query("role == 'user'"), on="customer_id")
    there = (place["occurred_at"] >= place["valid_from"]) & ~(
        place["occurred_at"] >= place["valid_to"] + pd.Timedelta(days=1)
    )
    assert not there.any()


def test_a_person_is_found_from_the_first_day_to_the_last() -> None:
    world = draw(STILL, 2)
    contacts = pd.DataFrame(
        {
            "customer_id": "C00002",
            "role": "purchasing",
            "valid_from": pd.to_datetime(["2020-01-01", "2024-01-20"]),
            "valid_to": pd.to_datetime(["2024-01-10", None]),
        }
    )
    days = SPAN.day(np.array(["2023-10-01", "2024-01-10", "2024-01-11", "2024-01-20"], dtype="datetime64[D]"))
    whose = np.ones(4, dtype=np.int64)
    assert person_on(world.scene, contacts, whose, whose, days).tolist() == [0, 0, -1, 1]
    assert person_on(world.scene, contacts, whose * 0, whose, days).tolist() == [-1] * 4
    assert person_on(world.scene, contacts, whose, whose * 0, days).tolist() == [-1] * 4


def test_the_owner_is_who_looked_after_the_account_on_that_day(normal: Drawn) -> None:
    rows = normal.interactions.sample(500, random_state=1)
    owner = owner_on(normal.scene, normal.account(rows), SPAN.day(rows["occurred_at"].to_numpy()))
    assert (owner_names(normal.scene, owner) == rows["owner"].to_numpy()).all()


def test_who_asks_for_prices_is_a_buyer_and_asks_in_words(normal: Drawn) -> None:
    rows = normal.interactions
    asked = rows[(rows["channel"] == "inquiry") & (rows["role"] == "purchasing")]
    assert (asked["direction"] == "inbound").all()
    assert (phrases.kinds_of(asked["text"]) == phrases.INQUIRY).all()
    said = phrases.kinds_of(rows["text"])
    assert (said == phrases.INQUIRY).sum() == len(asked)
    assert (said[rows["text"].notna()] >= 0).all()
    assert 0.75 < rows["text"].notna().mean() < 0.9


def test_a_call_that_reaches_nobody_any_more_is_unsuccessful_and_other_results_are_chance(normal: Drawn) -> None:
    rows = normal.interactions
    day = np.minimum(SPAN.day(rows["occurred_at"].to_numpy()), SPAN.days - 1)
    lost = normal.scene.lost[normal.account(rows), day]
    calls = (rows["channel"] == "call") & (rows["direction"] == "outbound") & ~phrases_are(rows, phrases.TALK)
    assert (calls & lost).sum() > 30
    assert (rows["result"][calls & lost] == "unsuccessful").all()
    assert rows["text"][calls & lost].isna().all()
    share = (rows["result"] == "unsuccessful")[calls & ~lost].mean()
    assert abs(share - RESULT_SHARES[2]) < 0.01
    assert rows["result"][~rows["channel"].isin(["call", "visit", "meeting"])].isna().all()


def phrases_are(rows: pd.DataFrame, kind: int) -> pd.Series:
    return pd.Series(phrases.kinds_of(rows["text"]) == kind, index=rows.index)


def test_invitations_alone_say_who_came(normal: Drawn) -> None:
    rows = normal.interactions
    assert (rows["attended"].notna() == rows["invited"]).all()
    assert (rows["channel"][rows["invited"]] == "event").all()
    assert (rows["channel"][~rows["invited"]] != "event").all()
    years = (SPAN.days - normal.scene.known_since(np.arange(len(normal.scene.accounts)))).sum() / 365.25
    assert 2.0 < rows["invited"].sum() / years < 3.0


def test_talks_of_the_policy_are_entered_as_often_as_declared_and_are_no_contact(normal: Drawn) -> None:
    rows = normal.interactions[phrases_are(normal.interactions, phrases.TALK)]
    account, day = normal.scene.talks.told()
    told = dict(zip(account.tolist(), opened(SPAN, day).tolist(), strict=True))
    assert [told[number] for number in normal.account(rows)] == SPAN.day(rows["occurred_at"].to_numpy()).tolist()
    chance = NORMAL.logged_share
    assert abs(len(rows) / len(told) - chance) < 4 * np.sqrt(chance * (1 - chance) / len(told))
    assert set(rows["channel"]) == {"visit", "call", "meeting"}
    assert set(rows["role"]) == {"executive", "purchasing"}
    found = observed(normal, rows)
    assert all(len(one.day) == 0 for one in found.values())


def test_an_answer_waits_in_business_hours_and_its_absence_is_known_after_some_patience(still: Drawn) -> None:
    rows = still.interactions
    sent = rows[(rows["direction"] == "outbound") & rows["channel"].isin(["email", "message"])].head(3).copy()
    sent["occurred_at"] = pd.to_datetime(["2024-03-01 17:00", "2024-03-01 17:00", "2026-09-01 17:00"])
    sent["replied_at"] = pd.to_datetime(["2024-03-04 09:00", None, None])
    found = observed(still, sent)
    # From Friday 17:00 to Monday 09:00 business runs for two of its ten hours a day.
    assert np.exp(found["reply_days"].value) == pytest.approx([0.2])
    assert found["reply_days"].day.tolist() == SPAN.day(np.array(["2024-03-04"], dtype="datetime64[D]")).tolist()
    given_up = np.busday_offset(np.datetime64("2024-03-01"), int(PATIENCE))
    assert found["replied"].value.tolist() == [1.0, 0.0]
    assert found["replied"].day.tolist() == SPAN.day(np.array(["2024-03-04", given_up], dtype="datetime64[D]")).tolist()


def test_rows_delivered_twice_or_cut_at_the_extract_say_nothing_else(normal: Drawn) -> None:
    def stream(part: str) -> np.random.Generator:
        return np.random.default_rng(len(part))

    often = replace(NORMAL, duplicates=0.05)
    handed_over = recorded({"interactions": normal.interactions}, often, SPAN, stream)["interactions"]
    assert handed_over.duplicated("interaction_id").any()
    once = handed_over.drop_duplicates()
    for one, again in zip(observed(normal, handed_over).values(), observed(normal, once).values(), strict=True):
        assert len(one.day) == len(again.day)
        assert one.value.sum() == pytest.approx(again.value.sum())
        assert (one.day < SPAN.days).all()


def test_no_two_neighbouring_texts_of_a_customer_share_a_sentence_and_people_differ_in_length(normal: Drawn) -> None:
    rows = normal.interactions.dropna(subset="text").sort_values(["customer_id", "occurred_at"], kind="stable")
    same = (rows["text"] == rows["text"].shift()) & (rows["customer_id"] == rows["customer_id"].shift())
    assert not same.any()
    letters = rows[rows["channel"].isin(["email", "message"]) & (rows["direction"] == "inbound")]
    script = letters["customer_id"].map(scripts(normal))
    english = letters[script == "latin"].assign(size=letters["text"].str.len())
    by_person = english.groupby(["customer_id", "role"])["size"].agg(["mean", "count"])
    usual = by_person["mean"][by_person["count"] >= 5]
    assert usual.quantile(0.9) > 1.5 * usual.quantile(0.1)


def scripts(world: Drawn) -> dict[str, str]:
    region = world.scene.accounts.region
    return {name: REGIONS[at][1] for name, at in zip(world.scene.accounts.customer_id, region, strict=True)}


def test_a_text_is_in_the_language_of_the_region(normal: Drawn) -> None:
    rows = normal.interactions.dropna(subset="text")
    script = rows["customer_id"].map(scripts(normal))
    kana, latin = rows["text"].str.contains("[ぁ-ん]"), rows["text"].str.contains("[a-z]{3}")
    assert latin[script == "latin"].all()
    assert not latin[script != "latin"].any()
    assert kana[script == "japanese"].mean() > 0.99
    assert not kana[script == "chinese"].any()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_world_of_one_customer_and_one_month_has_both_tables(preset: str) -> None:
    tiny = draw(PRESETS[preset], 1, Span(np.datetime64("2025-12-01"), 31))
    for name in ("contacts", "interactions"):
        assert set(tiny.tables[name].columns) == set(CONTRACT[name].names)
    assert sorted(observed(tiny)) == OWN_SIGNALS
    assert interactions_observed(tiny.scene, {}) == []
    assert set(ROLES) >= set(tiny.tables["contacts"]["role"])
