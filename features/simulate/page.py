"""The page `docs/simulator.md`: every assumption of the simulated world, written from the code that makes it.

``python -m features.simulate.page > docs/simulator.md`` writes the page again after a change.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import gamma

from features.simulate import page_words as words
from features.simulate.accounts import INDUSTRIES, REGIONS, SECTORS
from features.simulate.causes import CAUSES
from features.simulate.constants import constants, modules
from features.simulate.interventions import AFTER_DAYS, OVERDUE, WORKS_WITHIN
from features.simulate.oracles import PARTICLES
from features.simulate.presets import NORMAL, PRESETS, PURPOSES, Preset
from features.simulate.signals import DRIVERS, SIGNALS, Signal, in_natural_units
from features.simulate.stages import (
    COMPARING,
    COOLING,
    DECISION,
    HEALTHY,
    INSTEAD,
    LOST,
    RUN_IN_WEEKS,
    STAGES,
    TURNED_AWAY,
    stage_laws,
)

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "simulator"
Kept = Mapping[str, Any] | None
_KINDS = {
    "renewal": "order rate",
    "rate": "events a week",
    "count": "number per order",
    "share": "chance",
    "value": "value",
}


def page(gates: Kept = None, lives: Kept = None, world: Kept = None) -> str:
    """The page in Markdown, with what is kept beside it in `docs/simulator/`; None: nothing is kept.

    Parameters
    ----------
    gates
        `gates.json`: `{"gates": [{"name", "asked", "measured", "interval", "command"}]}`.
    lives
        `lives.json`: captions of the pictures of customers by file name.
    world
        `world.json`: `{"settings": {...}, "rows": {table: number}, "realised": {preset: {name: share or null}}}`.
    """
    sections = (
        words.HEAD.format(
            sudden=_percent(NORMAL.sudden_share), drivers=len(DRIVERS), causes=len(CAUSES), signals=len(SIGNALS)
        ),
        words.MAKING.format(presets=", ".join(f"`{name}`" for name in PRESETS)),
        _presets(),
        _life(),
        _pictures(lives or {}),
        _signals(),
        _causes(),
        _kinds(),
        _interventions(),
        words.RECORDING.format(late=NORMAL.late_rows, credit=NORMAL.credit_notes, duplicates=NORMAL.duplicates),
        _realised(world),
        _parameters(),
        _constants(),
        _truth(),
        words.ORACLES.format(particles=PARTICLES),
        _gates(gates),
    )
    return re.sub(r"(?<=\d)%", " %", "\n".join(section for section in sections if section))


def _table(head: str, rows: Iterable[Iterable[object]]) -> str:
    """A table in Markdown; `head` holds the column names with bars between them."""
    names = head.split(" | ")
    lines = [f"| {head} |", "|" + "---|" * len(names)]
    for row in rows:
        cells = [str(cell).replace("|", "\\|") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _presets() -> str:
    names = [field.name for field in fields(Preset)]
    rows = []
    for name in names:
        values = [getattr(preset, name) for preset in PRESETS.values()]
        if len(set(values)) > 1:
            usual = getattr(NORMAL, name)
            rows.append([f"`{name}`", *(f"**{_value(it)}**" if it != usual else _value(it) for it in values)])
    purposes = "".join(f"- `{name}`: {PURPOSES[name]}\n" for name in PRESETS)
    head = f"parameter | {' | '.join(PRESETS)}"
    return f"## Presets\n\n{purposes}\nAll that differs between them:\n\n{_table(head, rows)}"


def _life() -> str:
    mean, shape, instead = stage_laws(NORMAL)
    cooling, sudden = NORMAL.hazards
    rows = []
    for number, stage in enumerate(STAGES):
        law = gamma(shape[number], scale=mean[number] / shape[number])
        lasts = f"{law.ppf(0.05):.0f} to {law.ppf(0.95):.0f} days, mean {mean[number]:g}"
        leads = STAGES[min(number + 1, LOST)]
        ways = f"{leads} ({1 - instead[number]:.0%}), {STAGES[INSTEAD[number]]} ({instead[number]:.0%})"
        if number == HEALTHY:
            lasts, ways = "by the hazards below", "cooling, or lost without a symptom"
        elif number == LOST:
            lasts = f"for good ({1 - instead[number]:.0%}); else {lasts}"
            ways = f"{STAGES[INSTEAD[number]]} ({instead[number]:.0%})"
        elif number == DECISION:
            ways = leads
        levels = [f"{knots[number, 0]:g} to {knots[number, 1]:g}" for knots in (TURNED_AWAY, COMPARING)]
        rows.append([stage, lasts, ways, *levels])
    depth = gamma(NORMAL.depth_shape, scale=1 / NORMAL.depth_shape)
    notes = words.LIFE_NOTES.format(
        cooling=cooling, sudden=sudden, lost=NORMAL.lost_after_cooling, fade=NORMAL.fade_days,
        returns=NORMAL.returns, shallow=depth.ppf(0.1), deep=depth.ppf(0.9), run_in=RUN_IN_WEEKS,
    )  # fmt: skip
    table = _table("stage | lasts (middle 90 %) | leads to | turned away | compares", rows)
    return f"{words.LIFE}\n{table}\n{notes}"


def _signals() -> str:
    parts = [words.SIGNALS_HEAD]
    for table, group in groupby(SIGNALS.values(), key=lambda signal: signal.table):
        signals = list(group)
        parts.append(f"### {table}\n")
        head = "signal | kind | usual | between customers | after cooling | at the loss | hard | easy | what and why"
        parts.append(_table(head, map(_signal_row, signals)))
    parts.append(words.SIGNALS_NOTES.format(attention=NORMAL.attention_memory_days))
    drivers = " | ".join(driver.name for driver in DRIVERS)
    sectors = " | ".join(f"shift in {sector.name}" for sector in SECTORS)
    head = f"signal | {drivers} | attention | {sectors} | noise | after loss"
    parts.append(_table(head, map(_weight_row, SIGNALS.values())))
    return "\n".join(parts)


def _signal_row(signal: Signal) -> list[str]:
    cooled = (TURNED_AWAY[COOLING, 1], COMPARING[COOLING, 1])
    between = f"{_level(signal, -signal.spread)} to {_level(signal, signal.spread)}" if signal.spread else "all alike"
    strengths = [PRESETS[name].signal for name in ("normal", "hard", "easy")]
    return [
        f"`{signal.name}`", _KINDS[signal.family], _level(signal, 0.0), between, effect(signal, *cooled),
        *(effect(signal, 1.0, 1.0, strength) for strength in strengths), signal.why,
    ]  # fmt: skip


def _weight_row(signal: Signal) -> list[str]:
    rest = [*signal.drivers, signal.attention, *signal.sectors]
    shown = [f"{number:g}" if number else "-" for number in rest]
    noise = f"{signal.noise:g}" if signal.family == "value" else "-"
    after = f"{signal.after_loss:.0%}" if signal.family == "rate" else "ends" if signal.ends else "-"
    return [f"`{signal.name}`", *shown, noise, after]


def effect(signal: Signal, turned_away: float, comparing: float, strength: float = 1.0) -> str:
    """What the signal of the median customer does in a state, for a cause of weight 1, in natural units."""
    moved = strength * (signal.away * turned_away + signal.comparing * comparing)
    if moved == 0:
        return "-"
    if signal.family in ("renewal", "rate", "count") or _logged(signal):
        return f"x {np.exp(moved):.2f}"
    return f"{_level(signal, 0.0)} -> {_level(signal, moved)}"


def _logged(signal: Signal) -> bool:
    """Whether a value is declared on the log scale."""
    return signal.family == "value" and signal.why.startswith("log of")


def _level(signal: Signal, moved: float) -> str:
    """The usual level, moved on the scale of the family, in natural units."""
    if signal.family == "value":
        value = float(np.exp(signal.usual + moved)) if _logged(signal) else signal.usual + moved
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    usual = np.log(signal.usual / (1 - signal.usual)) if signal.family == "share" else np.log(signal.usual)
    value = float(in_natural_units(signal, np.asarray(usual + moved)))
    return _percent(value) if signal.family == "share" else f"{value:.2g}"


def _causes() -> str:
    drivers = _table("driver | share of coolings", ((it.name, f"{it.share:.0%}") for it in DRIVERS))
    rows = (
        [
            f"`{it.name}`", it.driver, f"{it.per_year * it.reach:.2g}", f"each {it.whom}", f"x {1 + it.push:g}",
            f"{it.days} days", it.trace,
        ]
        for it in CAUSES
    )  # fmt: skip
    head = "cause | driver | times a year for a customer | falls on | hazard of cooling | for | trace in the tables"
    return "\n".join([words.CAUSES_HEAD, drivers, words.CAUSES_NOTES, _table(head, rows), words.CAUSES_TAIL])


def _kinds() -> str:
    shapes = ", ".join(f"{shape}" for shape in NORMAL.regularity)
    sectors = _table(
        f"sector | customers with projects | Erlang shapes {shapes}",
        ([it.name, f"{it.project_share:.0%}", " / ".join(f"{share:.0%}" for share in it.regularity)] for it in SECTORS),
    )
    industries = _table(
        "industry | sector | share of customers | season, log amplitude | most is ordered on day of the year",
        ([it.name, it.sector, f"{it.share:.0%}", f"{it.season:g}", f"{it.peak_day:g}"] for it in INDUSTRIES),
    )
    regions = _table(
        "region | names and texts | share of customers",
        ([name, script, f"{share:.0%}"] for name, script, share in REGIONS),
    )
    return "\n".join([words.KINDS_HEAD, sectors, industries, regions])


def _interventions() -> str:
    return words.INTERVENTIONS.format(
        overdue=OVERDUE, treated=NORMAL.treated_share, logged=NORMAL.logged_share, responsive=NORMAL.responsive_share,
        irritable=NORMAL.irritable_share, indifferent=1 - NORMAL.responsive_share - NORMAL.irritable_share,
        works=WORKS_WITHIN, after=AFTER_DAYS,
    )  # fmt: skip


def _parameters() -> str:
    parts = [
        "## Every parameter\n\nThe values of `normal`: durations in days, rates per year, effects as logs or shares.\n"
    ]
    rows: list[list[str]] = []
    for field in fields(Preset):
        if field.metadata["opens"]:
            parts.append(_table("parameter | value | why", rows) if rows else "")
            parts.append(f"### {_upper(field.metadata['opens'])}\n")
            rows = []
        rows.append([f"`{field.name}`", _value(field.default), field.metadata["why"]])
    parts.append(_table("parameter | value | why", rows))
    return "\n".join(part for part in parts if part)


def _constants() -> str:
    rows = [
        [found.module, f"`{found.name}`", found.value, found.why or _spoken(found.name)]
        for module in modules()
        for found in constants(module)
    ]
    return (
        "## Every other number\n\nWhat stands in the modules of `features/simulate/` itself, and is the same in all "
        "presets. None of them differs between customers who leave and customers who stay.\n\n"
        + _table("module | name | value | why", rows)
    )


def _truth() -> str:
    parts = [words.TRUTH_HEAD]
    for name, columns in words.TRUTH.items():
        parts.append(f"### truth/{name}.parquet\n")
        parts.append(_table("column | meaning", ([f"`{column}`", meaning] for column, meaning in columns.items())))
    return "\n".join(parts)


def _realised(kept: Kept) -> str:
    if not kept:
        return ""
    presets = list(kept["realised"])
    names = list(kept["realised"][presets[0]])
    shares = [[kept["realised"][preset][name] for preset in presets] for name in names]
    rows = (
        [name, *("-" if it is None else f"{it:.0%}" for it in row)] for name, row in zip(names, shares, strict=True)
    )
    settings = kept["settings"]
    made = words.REALISED.format(
        customers=f"{settings['customers']:,}", months=settings["months"], seed=settings["seed"]
    )
    tables = _table("table of normal | rows", ([name, f"{number:,}"] for name, number in kept["rows"].items()))
    return "\n".join([made, _table(f"what came out | {' | '.join(presets)}", rows), tables])


def _gates(kept: Kept) -> str:
    if not kept or not kept.get("gates"):
        return f"{words.GATES}\nNo figures are kept beside this page yet (`docs/simulator/gates.json`).\n"
    names = ("name", "asked", "measured", "interval")
    rows = ([_value(gate.get(name, "")) for name in names] for gate in kept["gates"])
    commands = dict.fromkeys(gate["command"] for gate in kept["gates"] if gate.get("command"))
    made = "".join(f"```sh\n{command}\n```\n" for command in commands)
    table = _table("gate | asked | measured | 95 % interval", rows)
    return f"{words.GATES}\n{table}" + (f"\nMade by:\n\n{made}" if made else "")


def _pictures(lives: Mapping[str, Any]) -> str:
    parts = [words.PICTURES]
    for name, captions in lives.items():
        parts.append(f"![Customers' lives](simulator/{name})\n")
        parts.append("".join(f"{number}. {caption}\n" for number, caption in enumerate(captions, start=1)))
    parts.append(f"{words.PATHS}\n![Mean paths before a loss](simulator/paths.svg)\n")
    return "\n".join(parts)


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_value, value))})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _spoken(name: str) -> str:
    """The words of a name: `MOST_LINES` is "most lines"."""
    return re.sub(r"_+", " ", name.strip("_")).lower()


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _kept(name: str) -> Kept:
    """What a file beside the page holds; None if it is not there."""
    path = FOLDER / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def simulator_page() -> str:
    """The page with what is kept in `docs/simulator/`."""
    return page(_kept("gates.json"), _kept("lives.json"), _kept("world.json"))


if __name__ == "__main__":
    print(simulator_page(), end="")
