"""Means over many customers of the simulated world: signals before a loss, and what comes out of the assumptions.

Used by simulator_lives.py, which is the command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.simulate import World
from features.simulate.arrays import Booleans, Floats, Integers
from features.simulate.observed import Observations
from features.simulate.oracles import OBSERVED
from features.simulate.scene import Scene
from features.simulate.signals import SIGNALS
from features.simulate.stages import COOLING, HEALTHY, LOST

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS, BIN_DAYS = 12, 30
STAYERS = 3  # customers who stay, drawn for each loss
SHOWN = {  # signal and what one reads on the axis, in order of the panels
    "orders": "orders per 30 days",
    "line_amount": "list price of a line",
    "high_margin": "share of high-margin lines",
    "discount": "discount",
    "contact_technical": "technical contacts per 30 days",
    "contact_purchasing": "contacts with buyers per 30 days",
    "reply_days": "days until an answer",
    "deferral": "share of texts that put off",
    "rival_mention": "share of texts with a rival",
    "maintenance_accepted": "maintenance taken",
    "complaints": "complaints per 30 days",
    "pay_days": "days paid after the due date",
    "disputed": "invoices disputed",
    "milestone_kept": "milestones kept",
    "quote_won": "quotations won",
    "warm": "temperature entered as warm",
}
Paths = dict[str, tuple[Floats, Floats]]
LINES = {"normal": "-", "hard": "--", "null": ":"}


def paths_figure(paths: Mapping[str, Paths]) -> Figure:
    """Mean of each shown signal over the year before a loss, by preset, and of customers who stay on the same dates.

    `paths` are those of the presets in `LINES`; a signal whose table does not exist is left out.
    """
    from matplotlib.figure import Figure

    shown = [signal for signal in SHOWN if signal in paths["normal"]]
    columns = 4
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(10, 2.1 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    for signal, axes in zip(shown, panels, strict=False):
        _panel(axes, signal, {name: path[signal] for name, path in paths.items()})
    lines, labels = panels[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=9)
    figure.supxlabel("months before the loss", fontsize=9)
    return figure


def _panel(axes: Axes, signal: str, paths: Mapping[str, tuple[Floats, Floats]]) -> None:
    months = np.arange(BINS, 0, -1) - 0.5
    axes.plot(months, paths["normal"][1], color="0.7", linewidth=3, label="stays (normal)")
    for name, (lost, _) in paths.items():
        axes.plot(months, lost, color="black", linewidth=1.2, linestyle=LINES[name], label=f"lost ({name})")
    highest = max(np.nanmax(lost) for lost, _ in paths.values())
    lowest = min(np.nanmin(lost) for lost, _ in paths.values())
    # From zero wherever that is meaningful, so that no small change looks large.
    axes.set_ylim(min(0.0, 1.1 * lowest), 1.15 * highest)
    axes.set_xlim(BINS, 0)
    axes.set_xticks([12, 9, 6, 3, 0])
    axes.tick_params(labelsize=7)
    axes.set_title(SHOWN[signal], fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def paths(world: World) -> Paths:
    """By signal: the means of customers who are lost and of those who stay, from the earliest bin to the last."""
    scene = world.scene
    lost, stays = _lost(scene), _stayers(scene, np.random.default_rng(7))
    seen = [part for read in OBSERVED for part in read(scene, world.tables)]
    ordered = np.ones(len(scene.orders.day))
    seen.append(Observations("orders", scene.orders.account, scene.orders.day, ordered))
    signals = [name for name in SHOWN if any(part.signal == name for part in seen)]
    return {name: (_means(name, seen, lost), _means(name, seen, stays)) for name in signals}


def _lost(scene: Scene) -> tuple[Integers, Integers]:
    """Customer and day of every loss before which the relationship lasted for a whole year of the history."""
    lives = scene.lives
    chosen = (lives.stage == LOST) & (lives.start < scene.span.days)
    account, day = lives.account[chosen], lives.start[chosen]
    whole = day - np.maximum(scene.accounts.since_day[account], 0) >= BINS * BIN_DAYS
    return account[whole], day[whole]


def _stayers(scene: Scene, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Customers who are there for the year before the day of a loss, and are not lost within half a year from it."""
    _, day = _lost(scene)
    day = np.repeat(day, STAYERS)
    account = rng.integers(0, len(scene.accounts), len(day))
    since = np.maximum(scene.accounts.since_day[account], 0)
    until = np.minimum(day + 180, scene.span.days - 1)
    gone = np.cumsum(np.pad(scene.lost, ((0, 0), (1, 0))), axis=1, dtype=np.int32)
    here = gone[account, until + 1] == gone[account, np.maximum(day - BINS * BIN_DAYS, 0)]
    kept = here & (day - since >= BINS * BIN_DAYS)
    return account[kept], day[kept]


def _means(signal: str, seen: Sequence[Observations], moments: tuple[Integers, Integers]) -> Floats:
    """Mean of a signal in each bin before the moments, oldest first: events per customer, or values per observation."""
    account = np.concatenate([part.account for part in seen if part.signal == signal])
    day = np.concatenate([part.day for part in seen if part.signal == signal])
    value = np.concatenate([part.value for part in seen if part.signal == signal])
    moment = pd.DataFrame({"account": moments[0], "moment": moments[1]})
    pairs = pd.DataFrame({"account": account, "day": day, "value": value}).merge(moment, on="account")
    before = (pairs["moment"] - pairs["day"] - 1) // BIN_DAYS
    pairs = pairs[(before >= 0) & (before < BINS)].assign(bin=before)
    groups = pairs.groupby("bin")["value"]
    if SIGNALS[signal].family in ("rate", "renewal"):
        result = groups.sum().reindex(range(BINS), fill_value=0.0) / len(moment)
    else:
        result = groups.mean().reindex(range(BINS))
    path = result.to_numpy(dtype=float)[::-1]
    return np.exp(path) if SIGNALS[signal].why.startswith("log of") else path


def realised(world: World) -> dict[str, float | None]:
    """What came out of the assumptions in one world: shares by name; None where there is nothing to share."""
    scene = world.scene
    lives, span = scene.lives, scene.span
    inside = (lives.start >= 0) & (lives.start < span.days)
    lost = inside & (lives.stage == LOST)
    there = np.arange(span.days) >= scene.accounts.since_day[:, None]
    years = float((there & ~scene.lost).sum()) / 365.25
    ended = (lives.stage == COOLING) & (lives.end < span.days) & (lives.end > 0)
    following = np.append(lives.stage[1:], HEALTHY)
    cohort, silent, gone = _ninety_days(scene)
    return {
        "customers lost per year": 1 - float(np.exp(-lost.sum() / years)),
        "losses without a sign": float((lives.driver[lost] < 0).mean()),
        "coolings that pass": float((following[ended] == HEALTHY).mean()) if ended.any() else None,
        "eligible customers without an order for the next 90 days": float(silent[cohort].mean()),
        "of these, lost in truth": float(gone[cohort & silent].mean()),
        "eligible customers lost 90 days later": float(gone[cohort].mean()),
    }


def _ninety_days(scene: Scene) -> tuple[Booleans, Booleans, Booleans]:
    """By customer and month of the last year: eligible (as the product), no order for 90 days, lost after them."""
    span, count = scene.span, len(scene.accounts)
    ordered = np.zeros((count, span.days + 1), dtype=np.int32)
    ordered[scene.orders.account, scene.orders.day + 1] = 1
    total = np.cumsum(ordered, axis=1)
    days = span.days - 91 - 30 * np.arange(9)
    recently = total[:, days] - total[:, np.maximum(days - 365, 0)] > 0
    # Whoever is lost already at the cutoff stays in, as long as the last order is not a year ago.
    cohort = (total[:, days] >= 2) & recently
    return cohort, total[:, days + 90] == total[:, days], scene.lost[:, days + 90]
