"""Twenty customers' lives in the simulated world, and the mean paths before a loss, as pictures for docs/simulator.md.

Writes docs/simulator/lives-1.svg to lives-4.svg with their captions in lives.json, paths.svg, and what came out of the
assumptions in world.json. The same arguments give the same files.

Example: python benchmarks/simulator_lives.py
"""

from __future__ import annotations

import argparse
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.simulator_paths import LINES, Paths, paths, paths_figure, realised
from features.simulate import PRESETS, World, simulate
from features.simulate.signals import DRIVERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OUT = Path(__file__).parents[1] / "docs" / "simulator"
END = date(2026, 10, 1)
CUSTOMERS, MONTHS, SEED = 10_000, 36, 3
LEAST_ORDERS = 6  # a year: of rarer customers a picture shows next to nothing
EACH = 5  # customers in one picture
# By stage: grey and hatching, readable in print.
BANDS = {
    "healthy": ("white", ""),
    "cooling": ("0.88", ""),
    "comparison": ("0.72", "////"),
    "decision": ("0.5", "xxxx"),
    "lost": ("0.1", ""),
}
HIGH_MARGIN = 0.29  # of the list price that is not cost: between the dear and the cheap products
STRIPS = {  # what is shown, and from which table; the range of its axis
    "high-margin\nshare": ("transactions", (0, 1)),
    "technical\ncontacts": ("interactions", (0, 6)),
    "days until\nan answer": ("interactions", (0, 12)),
    "days paid\nafter due": ("finances", (-10, 40)),
}


@dataclass(frozen=True)
class Life:
    """A customer to be shown, and what kind of life it stands for."""

    customer_id: str
    kind: str


def choose(world: World, rng: np.random.Generator) -> list[Life]:
    """Twenty customers, drawn at random from those with each kind of life; fewer where a kind does not occur."""
    people = customers_of(world)
    people = people[people["orders_per_year"] >= LEAST_ORDERS]
    taken: list[Life] = []
    for kind, fits in kinds().items():
        free = people.index[fits(people) & ~people.index.isin([life.customer_id for life in taken])]
        if len(free):
            taken.append(Life(str(rng.choice(free.to_numpy(dtype=object))), kind))
    return taken


def kinds() -> dict[str, Callable[[pd.DataFrame], pd.Series[bool]]]:
    """The kinds of life that are shown, in order, each a condition on `customers_of`."""

    def pays_late(people: pd.DataFrame) -> pd.Series[bool]:
        return people["stays"] & (people["usual_pay_days"] > 13) & (people["orders_per_year"] > 8)

    found: dict[str, Callable[[pd.DataFrame], pd.Series[bool]]] = {
        f"lost, driver {driver.name}": lambda people, name=driver.name: people["shown"] & (people["driver"] == name)
        for driver in DRIVERS
    }
    found |= {
        "lost with deep symptoms": lambda people: people["shown"] & (people["depth"] > 1.6),
        "lost with hardly a trace": lambda people: people["shown"] & (people["depth"] < 0.35),
        "lost suddenly": lambda people: people["shown"] & people["sudden"],
        "lost suddenly, regular until then": lambda people: (
            people["shown"] & people["sudden"] & (people["regularity"] >= 4)
        ),
        "cooled and recovered": lambda people: people["recovered"] & ~people["compared"],
        "cooled twice and recovered": lambda people: people["recovered"] & (people["coolings"] >= 2),
        "compared offers and stayed": lambda people: people["recovered"] & people["compared"],
        "stays, orders like a clock": lambda people: people["stays"] & (people["regularity"] == 8),
        "stays, in spite of a long silence": lambda people: people["stays"] & (people["longest_gaps"] > 6),
        "stays, orders for projects": lambda people: people["stays"] & people["project"],
        "stays, always pays late": pays_late,
        "stays, often complains": lambda people: people["stays"] & (people["usual_complaints"] > 0.06),
        "lost and came back": lambda people: people["returned"],
        "won back by a talk": lambda people: people["won"],
        "lost in spite of a talk": lambda people: people["talk_in_vain"],
    }
    return found


def customers_of(world: World) -> pd.DataFrame:
    """One row per customer with what the kinds of life are told by, from the truth alone."""
    stages, losses, talks = world.truth["stages"], world.truth["losses"], world.truth["interventions"]
    people = world.truth["customers"].set_index("customer_id")
    ids = people.index
    settings = world.settings
    end = pd.Timestamp(str(settings["end"]))
    start = end - pd.DateOffset(months=int(settings["months"]))
    begun = world.tables["customers"].set_index("customer_id")["since"].reindex(ids)
    old = begun < start

    def has(customers: pd.Series[Any]) -> pd.Series[bool]:
        return pd.Series(ids.isin(customers), index=ids)

    by_stage = {str(stage): part for stage, part in stages.groupby("stage")}
    none = stages.iloc[:0]
    coolings = by_stage.get("cooling", none)["customer_id"].value_counts().reindex(ids, fill_value=0)
    one = losses.drop_duplicates("customer_id", keep=False).set_index("customer_id")
    middle = (one["lost_at"] > start + pd.Timedelta(days=400)) & (one["lost_at"] < end - pd.Timedelta(days=120))
    depth = by_stage.get("lost", none).drop_duplicates("customer_id").set_index("customer_id")["depth"]
    ever_lost = has(losses["customer_id"])
    fine = talks["treated"] & (talks["kind"] == "persuadable")
    vain = talks["treated"] & (talks["kind"] == "lost_cause") & (talks["lost_at_if_not"] > talks["decided_at"])
    return people.assign(
        shown=(middle & one["returned_at"].isna()).reindex(ids, fill_value=False) & old,
        driver=one["driver"].reindex(ids),
        sudden=(~one["symptomatic"]).reindex(ids, fill_value=False),
        depth=depth.reindex(ids),
        coolings=coolings,
        compared=has(by_stage.get("comparison", none)["customer_id"]),
        recovered=(coolings > 0) & ~ever_lost & old & has(_well(stages)["customer_id"]),
        stays=old & (coolings == 0) & ~ever_lost,
        returned=has(losses.loc[losses["returned_at"] < end - pd.Timedelta(days=150), "customer_id"]) & old,
        won=has(talks.loc[fine, "customer_id"]) & ~ever_lost & old,
        talk_in_vain=has(talks.loc[vain, "customer_id"]) & old,
        longest_gaps=_longest_gap(world.tables["transactions"]).reindex(ids) * people["orders_per_year"] / 365.25,
    )


def _well(stages: pd.DataFrame) -> pd.DataFrame:
    """Customers who are healthy at the end."""
    return stages[(stages["stage"] == "healthy") & stages["ends_at"].isna()]


def _longest_gap(transactions: pd.DataFrame) -> pd.Series[float]:
    """Longest days between two orders, by customer."""
    orders = transactions.loc[transactions["amount"] > 0, ["customer_id", "ordered_at"]].drop_duplicates()
    orders = orders.sort_values(["customer_id", "ordered_at"])
    gaps = orders.groupby("customer_id")["ordered_at"].diff().dt.days
    return gaps.groupby(orders["customer_id"]).max()


def caption(world: World, life: Life) -> str:
    """A few sentences on what happened to a customer in truth."""
    who = world.truth["customers"].set_index("customer_id").loc[life.customer_id]
    rows = world.tables["customers"].set_index("customer_id")
    industry, region = rows.loc[life.customer_id, ["industry", "region"]]
    told = [f"**{life.kind[:1].upper()}{life.kind[1:]}** ({life.customer_id}, {industry}, {region}; usually "]
    told[0] += f"{who['orders_per_year']:.0f} orders a year)."
    stages = _of(world.truth["stages"], life)
    passed = stages["stage"].isin(["cooling", "comparison"]) & (stages["stage"].shift(-1) == "healthy")
    told += [
        f"A {row.stage} passed on {row.ends_at:%Y-%m-%d} (driver: {row.driver})." for row in stages[passed].itertuples()
    ]
    losses = _of(world.truth["losses"], life)
    for loss in losses.itertuples():
        until = "" if pd.isna(loss.returned_at) else f"; back on {loss.returned_at:%Y-%m-%d}"
        if not loss.symptomatic:
            until = f" without a sign{until}"
        else:
            days = (loss.lost_at - loss.cooling_at).days
            until = f", {days} days after it began to turn away (driver: {loss.driver}){until}"
        told.append(f"Lost on {loss.lost_at:%Y-%m-%d}{until}.")
    for talk in _of(world.truth["interventions"], life).query("treated").itertuples():
        gone = bool(((losses["lost_at"] <= talk.decided_at) & ~(losses["returned_at"] <= talk.decided_at)).any())
        told.append(f"Talked to on {talk.decided_at:%Y-%m-%d}: {'too late' if gone else _effect_of(talk)}.")
    return " ".join(told)


def _effect_of(talk: Any) -> str:
    """What a talk changed, by the losses with it and without it."""
    treated, otherwise = talk.lost_at_if_treated, talk.lost_at_if_not
    if treated == otherwise or (pd.isna(treated) and pd.isna(otherwise)):
        return "it changed no loss"
    if pd.isna(otherwise):
        return "without the talk it would not have been lost"
    return f"without the talk it would have been lost on {otherwise:%Y-%m-%d}"


def _of(table: pd.DataFrame, life: Life) -> pd.DataFrame:
    return table[table["customer_id"] == life.customer_id]


def lives_figure(world: World, lives: Sequence[Life]) -> Figure:
    """One block per customer: the hidden stage, every order, and some of what the tables show."""
    from matplotlib.figure import Figure

    strips = {name: spec for name, spec in STRIPS.items() if spec[0] in world.tables}
    figure = Figure(figsize=(9, 0.5 + len(lives) * (0.85 + 0.5 * len(strips))))
    bottom = figure.add_gridspec(
        len(lives), 1, hspace=0.2, left=0.09, right=0.985, top=1 - 0.42 / figure.get_figheight(),
        bottom=0.3 / figure.get_figheight(),
    )  # fmt: skip
    for number, life in enumerate(lives):
        grid = bottom[number].subgridspec(1 + len(strips), 1, hspace=0.2, height_ratios=[1] + [0.95] * len(strips))
        band = figure.add_subplot(grid[0])
        _band(band, world, life)
        for row, (name, (_, limits)) in enumerate(strips.items(), start=1):
            axes = figure.add_subplot(grid[row], sharex=band)
            _strip(axes, world, life, name, limits)
            axes.tick_params(labelbottom=row == len(strips), labelsize=6.5, length=2)
        if strips:
            band.tick_params(labelbottom=False)
    _legend(figure)
    return figure


def _span(world: World) -> tuple[pd.Timestamp, pd.Timestamp]:
    end = pd.Timestamp(str(world.settings["end"]))
    return end - pd.DateOffset(months=int(world.settings["months"])), end


def _band(axes: Axes, world: World, life: Life) -> None:
    """The stage below, every order as a tick above, a talk as a triangle."""
    start, end = _span(world)
    begun = world.tables["customers"].set_index("customer_id").loc[life.customer_id, "since"]
    for episode in _of(world.truth["stages"], life).itertuples():
        left, right = max(episode.starts_at, start, begun), min(episode.ends_at, end)
        right = end if pd.isna(episode.ends_at) else right
        grey, hatch = BANDS[str(episode.stage)]
        axes.fill_between([left, right], 0, 0.5, facecolor=grey, hatch=hatch, edgecolor="0.25", linewidth=0.4)
    orders = _of(world.tables["transactions"], life)
    days = orders.loc[orders["amount"] > 0, "ordered_at"].dt.normalize().drop_duplicates()
    heights = _apart(np.full(len(days), 0.6), np.full(len(days), 1.0))
    axes.plot(_apart(days, days), heights, color="black", linewidth=0.7, solid_capstyle="butt")
    talks = _of(world.truth["interventions"], life)
    told = talks.loc[talks["treated"], "decided_at"]
    axes.plot(told, np.full(len(told), 0.55), linestyle="", marker="v", color="black", markersize=5, clip_on=False)
    axes.set(xlim=(start, end), ylim=(0, 1.05), yticks=[])
    axes.set_xticks(ticks := pd.date_range(start, end, freq="2QS", inclusive="left"), ticks.strftime("%Y-%m"))
    axes.set_ylabel("stage,\norders", fontsize=6.5, rotation=0, ha="right", va="center")
    axes.set_title(f"{life.kind} ({life.customer_id})", fontsize=8.5, loc="left", pad=2)
    axes.tick_params(labelsize=6.5, length=2)
    _losses(axes, world, life)


def _strip(axes: Axes, world: World, life: Life, name: str, limits: tuple[float, float]) -> None:
    """One signal over time; what lies beyond the axis is drawn on its edge."""
    start, end = _span(world)
    rows = _of(world.tables[STRIPS[name][0]], life).drop_duplicates()
    if name.startswith("high"):
        lines = rows[rows["amount"] > 0]
        cost = lines["amount"] - lines["margin"]
        high = (1 - cost / lines["list_amount"] > HIGH_MARGIN).groupby(lines["ordered_at"].dt.to_period("Q")).mean()
        quarters = high.index.to_timestamp()
        axes.hlines(high, quarters, quarters + pd.DateOffset(months=3), color="0.25", linewidth=2, clip_on=False)
    elif name.startswith("technical"):
        months = pd.date_range(start, end, freq="MS")
        when = rows.loc[rows["role"] == "technical", "occurred_at"]
        number = when.groupby(when.dt.to_period("M").dt.to_timestamp()).size().reindex(months[:-1], fill_value=0)
        axes.bar(months[:-1], number.clip(upper=limits[1]), width=26, align="edge", color="0.45")
    else:
        begins, ends = ("occurred_at", "replied_at") if "answer" in name else ("due_at", "paid_at")
        known = rows.dropna(subset=[begins, ends])
        known = known[known[begins] < end]
        days = ((known[ends] - known[begins]).dt.total_seconds() / 86400).clip(*limits)
        # A dot is a very short stroke with round ends: all of them are one path, which keeps the file small.
        moments = _apart(known[begins], known[begins] + pd.Timedelta(hours=30))
        axes.plot(moments, _apart(days, days), color="0.25", linewidth=2.4, solid_capstyle="round", clip_on=False)
        axes.axhline(0, color="0.7", linewidth=0.5)
    axes.set_ylim(limits)
    # Only the top is named: the bottom of one strip and the top of the next one would cover each other.
    axes.set_yticks([limits[1]])
    axes.set_ylabel(name, fontsize=6.5, rotation=0, ha="right", va="center")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _losses(axes, world, life)


def _apart(first: Any, second: Any) -> Any:
    """Ends of strokes by turns, a gap after each: what one line needs to be drawn as many."""
    ends = np.stack([np.asarray(first), np.asarray(second), np.asarray(second)], axis=1)
    ends[:, 2] = np.datetime64("NaT") if ends.dtype.kind == "M" else np.nan
    return ends.ravel()


def _losses(axes: Axes, world: World, life: Life) -> None:
    for moment in _of(world.truth["losses"], life)["lost_at"]:
        axes.axvline(moment, color="black", linewidth=1, linestyle="--")


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks: list[Any] = [
        Patch(facecolor=grey, hatch=hatch, edgecolor="0.25", linewidth=0.4, label=stage)
        for stage, (grey, hatch) in BANDS.items()
    ]
    marks.append(Line2D([], [], linestyle="", marker="|", color="black", markersize=9, label="order"))
    marks.append(Line2D([], [], linestyle="", marker="v", color="black", markersize=5, label="talk"))
    marks.append(Line2D([], [], linestyle="--", color="black", linewidth=1, label="loss"))
    figure.legend(handles=marks, loc="upper center", ncols=len(marks), frameon=False, fontsize=8)


def save(figure: Figure, path: Path) -> None:
    """Write a picture so that the same picture gives the same bytes, and not more of them than can be seen."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    with mpl.rc_context({"svg.hashsalt": "kizashi", "hatch.linewidth": 0.5, "path.simplify": False}):
        FigureCanvasSVG(figure)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
    path.write_text(re.sub(r' (?:d|x|y)="[^"]*"', _rounded, drawn.getvalue()), encoding="utf-8")


def _rounded(attribute: re.Match[str]) -> str:
    """The coordinates of one attribute to a hundredth of a point."""
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), attribute[0])


def draw_lives(world: World, out: Path) -> None:
    """Write the pictures of twenty customers, and their captions."""
    lives = choose(world, np.random.default_rng(SEED))
    captions = {}
    for number, first in enumerate(range(0, len(lives), EACH), start=1):
        some = lives[first : first + EACH]
        save(lives_figure(world, some), out / f"lives-{number}.svg")
        captions[f"lives-{number}.svg"] = [caption(world, life) for life in some]
    _write(out / "lives.json", captions)


def draw(worlds: Iterable[tuple[str, World]], out: Path) -> None:
    """Write all pictures and figures into `out`; the worlds, by preset, are needed one at a time."""
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Paths] = {}
    record: dict[str, Any] = {"realised": {}}
    for name, world in worlds:
        record["realised"][name] = realised(world)
        if name in LINES:
            found[name] = paths(world)
        if name == "normal":
            draw_lives(world, out)
            record["settings"] = dict(world.settings)
            record["rows"] = {table: len(rows) for table, rows in world.tables.items()}
    save(paths_figure({name: found[name] for name in LINES}), out / "paths.svg")
    _write(out / "world.json", record)


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    made = ((it, simulate(asked.customers, MONTHS, seed=asked.seed, preset=it, end=END)) for it in PRESETS)
    draw(made, asked.out)
    print(f"written to {asked.out}: {', '.join(sorted(path.name for path in asked.out.iterdir()))}")


if __name__ == "__main__":
    main()
