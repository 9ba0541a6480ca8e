"""The pictures of the simulated world: who is chosen, what is said of them, and that they come out the same again."""

import re
from datetime import date

import numpy as np
import pandas as pd
import pytest

from benchmarks.simulator_lives import choose, customers_of, draw, kinds, lives_figure, save
from benchmarks.simulator_paths import paths, realised
from features.simulate import simulate

END = date(2026, 10, 1)


@pytest.fixture(scope="module")
def world():
    return simulate(900, 30, seed=5, end=END)


def test_each_chosen_customer_lives_the_life_it_stands_for(world):
    people = customers_of(world)
    chosen = choose(world, np.random.default_rng(1))
    assert len({life.customer_id for life in chosen}) == len(chosen) >= 15
    for life in chosen:
        assert bool(kinds()[life.kind](people)[life.customer_id]), life
    lost = world.truth["losses"].set_index("customer_id")["driver"]
    for life in chosen:
        if life.kind.startswith("lost, driver "):
            assert lost[life.customer_id] == life.kind.removeprefix("lost, driver ")
        if life.kind.startswith("stays"):
            assert life.customer_id not in lost.index


def test_the_same_picture_is_the_same_file(world, tmp_path):
    some = choose(world, np.random.default_rng(1))[:2]
    for name in ("a.svg", "b.svg"):
        save(lives_figure(world, some), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_every_payment_and_every_order_day_is_in_the_picture(world, tmp_path):
    orders = world.tables["transactions"]["customer_id"].value_counts()
    life = max(choose(world, np.random.default_rng(1)), key=lambda life: orders[life.customer_id])
    save(lives_figure(world, [life]), tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text("utf-8")
    strokes = [path.count("M") for path in re.findall(r'<path d="([^"]*)"[^>]*stroke-linecap: round', drawn)]
    paid = (
        world.tables["finances"].query("customer_id == @life.customer_id").drop_duplicates().dropna(subset=["paid_at"])
    )
    replied = world.tables["interactions"].query("customer_id == @life.customer_id").drop_duplicates()
    assert strokes == [replied["replied_at"].notna().sum(), (paid["due_at"] < pd.Timestamp(END)).sum()]
    orders = world.tables["transactions"].query("customer_id == @life.customer_id and amount > 0")["ordered_at"]
    assert (days := orders.dt.normalize().nunique()) > 8
    assert days in [path.count("M") for path in re.findall(r'<path d="([^"]*)"', drawn)]


def test_a_customer_is_drawn_without_the_sources_that_a_company_lacks(tmp_path):
    small = simulate(300, 26, seed=5, end=END, without=["interactions", "finances"])
    save(lives_figure(small, choose(small, np.random.default_rng(1))[:1]), tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text("utf-8")
    assert "<svg" in drawn


def test_mean_paths_fall_before_a_loss_where_there_are_symptoms_and_not_where_there_are_none():
    # Months of a few hundred losses: fewer customers would show chance.
    orders, stays = paths(simulate(4000, 30, seed=5, end=END))["orders"]
    assert orders[-1] < 0.8 * orders[:6].mean()
    assert stays[-1] > 0.85 * stays[:6].mean()
    null, _ = paths(simulate(4000, 30, seed=5, preset="null", end=END))["orders"]
    assert null[-1] > 0.85 * null[:6].mean()


def test_what_came_out_is_near_what_was_assumed(world):
    found = realised(world)
    assert found["customers lost per year"] == pytest.approx(world.preset.yearly_loss, abs=0.04)
    assert found["losses without a sign"] == pytest.approx(world.preset.sudden_share, abs=0.08)
    assert found["coolings that pass"] == pytest.approx(world.preset.cooling_recovers, abs=0.06)
    assert 0 < found["eligible customers lost 90 days later"] < 1


def test_everything_that_the_page_needs_is_written(world, tmp_path):
    draw(((name, world) for name in ("normal", "hard", "null")), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "lives-1.svg", "lives-2.svg", "lives-3.svg", "lives-4.svg", "lives.json", "paths.svg", "world.json",
    }  # fmt: skip
    assert pd.read_json(tmp_path / "world.json", typ="series")["settings"]["customers"] == 900
