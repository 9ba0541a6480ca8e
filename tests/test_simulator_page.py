"""The page about the simulated world says every assumption, as it stands in the code; its pictures are there."""

import json
import re
from dataclasses import fields
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import typer.main
from scipy.special import expit, logit

from features.simulate import PRESETS, Preset, simulate
from features.simulate.causes import CAUSES
from features.simulate.constants import LEFT_OUT, constants, modules
from features.simulate.page import effect, page, simulator_page
from features.simulate.page_words import TRUTH
from features.simulate.signals import DRIVERS, EVEN, SIGNALS, Signal, State, shift
from pipelines.cli import app

DOCS = Path(__file__).parents[1] / "docs"
KEPT = DOCS / "simulator"
LARGEST_BYTES = 300_000


@pytest.fixture(scope="module")
def text():
    return simulator_page()


@pytest.fixture(scope="module")
def world():
    return simulate(60, 15, seed=4, end=date(2026, 10, 1), dirty=0.02)


def rows_of(text, first_cell):
    return [line for line in text.splitlines() if line.startswith(f"| {first_cell} |")]


def section(text, title):
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_page_on_disk_is_what_the_code_writes(text):
    written = (DOCS / "simulator.md").read_text(encoding="utf-8")
    assert written == text, "python -m features.simulate.page > docs/simulator.md"


def test_every_parameter_stands_on_the_page_with_its_value_and_a_reason(text):
    parameters = section(text, "Every parameter")
    for field in fields(Preset):
        (row,) = rows_of(parameters, f"`{field.name}`")
        value, why = row.split(" | ")[1:]
        assert value in (str(field.default), f"{field.default:g}" if isinstance(field.default, float) else value)
        assert len(why.strip(" |").split()) >= 3
        assert field.metadata["why"] == why.removesuffix(" |")


def test_the_parameters_are_in_groups_that_have_a_name():
    first, *_ = fields(Preset)
    assert first.metadata["opens"]
    assert len([field for field in fields(Preset) if field.metadata["opens"]]) >= 5


def test_all_that_differs_between_presets_is_shown_and_nothing_else(text):
    presets = section(text, "Presets")
    for field in fields(Preset):
        differs = len({getattr(preset, field.name) for preset in PRESETS.values()}) > 1
        assert len(rows_of(presets, f"`{field.name}`")) == differs, field.name
    assert [name for name in PRESETS if f"- `{name}`: " not in presets] == []


def test_every_signal_stands_on_the_page_with_its_reason_and_its_weights(text):
    signals = section(text, "What each signal does")
    for signal in SIGNALS.values():
        does, weights = rows_of(signals, f"`{signal.name}`")
        assert does.endswith(f"| {signal.why} |")
        assert weights.split(" | ")[1:6] == [f"{weight:g}" if weight else "-" for weight in signal.drivers]
        assert signals.index(f"### {signal.table}\n") < signals.index(does)


def test_every_driver_and_cause_stands_on_the_page(text):
    told = section(text, "Causes and drivers")
    for driver in DRIVERS:
        assert rows_of(told, driver.name) == [f"| {driver.name} | {driver.share:.0%} |".replace("%", " %")]
    for cause in CAUSES:
        (row,) = rows_of(told, f"`{cause.name}`")
        assert f"| x {1 + cause.push:g} | {cause.days} days | {cause.trace} |" in row


def test_the_shown_effect_is_the_shift_that_the_tables_are_drawn_with():
    signal = Signal("s", "t", "share", 0.65, 0.5, "why", away=-0.94, comparing=0.0, drivers=EVEN)
    state = State(np.array([1.0]), np.array([1.0]), np.array([0]), np.array([0.0]))
    moved = float(expit(logit(0.65) + shift(signal, state, 1.0)[0]))
    assert effect(signal, 1.0, 1.0) == f"65 % -> {100 * moved:.0f} %"
    rate = Signal("s", "t", "rate", 0.1, 0.5, "why", away=np.log(0.3), comparing=0.0)
    assert effect(rate, 1.0, 0.0) == "x 0.30"
    assert effect(rate, 1.0, 0.0, strength=0.0) == "-"
    value = Signal("s", "t", "value", 2.0, 0.5, "days", away=8.0)
    assert effect(value, 0.5, 0.0) == "2 -> 6"
    logged = Signal("s", "t", "value", 0.3, 0.5, "log of the days", away=np.log(2))
    assert effect(logged, 1.0, 0.0) == "x 2.00"


def test_every_file_and_column_of_the_truth_is_explained_and_exists(text, world):
    told = section(text, "The truth")
    for name, table in world.truth.items():
        columns = set(table.columns)
        if name == "customers":
            columns = {re.sub(r"^usual_.*", "usual_<signal>", column) for column in columns}
        assert set(TRUTH[name]) == columns, name
        part = told.split(f"### truth/{name}.parquet\n")[1].split("\n### ")[0]
        assert [column for column in columns if f"| `{column}` |" not in part] == []
    assert set(TRUTH) - set(world.truth) == {"oracles"}


def test_every_option_of_the_command_stands_on_the_page(text):
    options = {option for it in typer.main.get_command(app).commands["simulate"].params for option in it.opts}
    told = section(text, "How to make one")
    assert [option for option in options - {"--help"} if f"| `{option} " not in told] == []
    assert set(re.findall(r"^\| `(--[\w-]+)", told, re.MULTILINE)) <= options


def test_every_table_of_a_world_names_its_signals_and_every_signal_has_a_table(world):
    assert {signal.table for signal in SIGNALS.values()} <= set(world.tables)


def test_the_numbers_of_all_modules_are_shown(text):
    told = section(text, "Every other number")
    shown = [found for module in modules() for found in constants(module)]
    assert {found.module for found in shown} >= {"accounts", "causes", "stages", "transactions", "recording"}
    assert [found for found in shown if f"| {found.module} | `{found.name}` |" not in told] == []
    assert {module.__name__.rpartition(".")[2] for module in modules()}.isdisjoint(LEFT_OUT)


def test_a_number_is_shown_with_the_comment_beside_or_above_it(tmp_path, monkeypatch):
    lines = [
        "# of an order", "MOST = 3", "EARLY, LATE = 0.1, 0.5  # early, and late", "A, B, C = range(3)",
        "PLACE = 3  # index into STAGES", "NAMES = ('a', 'b')", "YES = True", "lower = 4", "SHARES = {'A': 0.5}",
    ]  # fmt: skip
    (tmp_path / "numbers_of_a_test.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import numbers_of_a_test

    assert [(found.name, found.value, found.why) for found in constants(numbers_of_a_test)] == [
        ("MOST", "3", "of an order"),
        ("EARLY, LATE", "0.1, 0.5", "early, and late"),
        ("SHARES", "A 0.5", ""),
    ]


def test_gates_are_printed_as_they_are_kept_and_their_absence_is_said():
    assert "gates.json" in section(page(), "Gates")
    gate = {"name": "recency alone", "asked": "at most .80", "measured": 0.71, "interval": "", "command": "pytest x"}
    told = section(page({"gates": [gate]}), "Gates")
    assert "| recency alone | at most .80 | 0.71 |  |" in told
    assert "```sh\npytest x\n```" in told


def test_links_and_pictures_of_the_page_exist_and_are_small(text):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    assert sorted(link for link in set(links) if not (DOCS / link).is_file()) == []
    pictures = [DOCS / link for link in links if link.endswith(".svg")]
    assert len(pictures) == len(set(pictures)) >= 5
    assert [picture.name for picture in pictures if picture.stat().st_size > LARGEST_BYTES] == []
    anchors = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.M)
    }
    assert [anchor for anchor in re.findall(r"\]\(#([^)]+)\)", text) if anchor not in anchors] == []


def test_twenty_customers_are_shown_each_once():
    captions = [caption for some in json.loads((KEPT / "lives.json").read_text("utf-8")).values() for caption in some]
    names = [re.search(r"\((C\d+),", caption).group(1) for caption in captions]
    assert len(names) == len(set(names)) == 20
    assert [driver.name for driver in DRIVERS if f"**Lost, driver {driver.name}**" not in " ".join(captions)] == []
