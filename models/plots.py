"""Reliability, lift and early warning as pictures, readable in black and white; no global plotting state is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.figures import BINS, complete, gains_of, lift_of_gains, mean_of_known, reliability_bins

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def reliability_plot(predictions: pd.DataFrame, *, bins: int = BINS, title: str = "") -> Figure:
    """Observed against promised churn rate in bins of equal mass, one line per contestant, with Wilson bars.

    `predictions` as for `standing_table`, probabilities only; one to five contestants stay readable in print.
    """
    figure, axes = _sheet("promised probability", "observed share", title)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="as promised")
    contestants = complete(predictions).groupby("contestant", sort=False)
    for (name, rows), style in zip(contestants, _styles(), strict=False):
        table = reliability_bins(rows["probability"], rows["outcome"], bins)
        spread = np.abs(table[["low", "high"]].to_numpy().T - table["observed"].to_numpy())
        axes.errorbar(table["mean_probability"], table["observed"], yerr=spread, capsize=2, label=str(name), **style)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend(frameon=False)
    return figure


def smooth_reliability_plot(rows: pd.DataFrame, curve: pd.DataFrame, *, bins: int = BINS, title: str = "") -> Figure:
    """Observed share over the promised probability of one contestant: a smooth line with its band, and the bins.

    `rows` has `probability` and `outcome`; `curve` is that of :func:`models.smooth_curve.smooth_curve`. The band is
    95 % over customers; the bars are Wilson's, which take rows as independent and are a little short.
    """
    figure, axes = _sheet("promised probability", "observed share", title)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="as promised")
    axes.fill_between(curve["probability"], curve["low"], curve["high"], color="0.85", linewidth=0, label="95 %")
    axes.plot(curve["probability"], curve["observed"], color="0", linewidth=1.2, label="smooth")
    table = reliability_bins(rows["probability"], rows["outcome"], bins)
    spread = np.abs(table[["low", "high"]].to_numpy().T - table["observed"].to_numpy())
    dots: dict[str, Any] = {"fmt": "o", "color": "0.35", "markersize": 4, "capsize": 2, "linewidth": 1}
    axes.errorbar(table["mean_probability"], table["observed"], yerr=spread, label=f"{bins} bins", **dots)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend(frameon=False)
    return figure


def lift_plot(predictions: pd.DataFrame, *, title: str = "") -> Figure:
    """Lift against the share of customers taken from the top, mean over cutoffs, one line per contestant.

    `predictions` as for `standing_table`; scores will do, ties are averaged.
    """
    figure, axes = _sheet("share of customers, highest risk first", "lift over the base rate", title)
    axes.axhline(1, color="0.6", linewidth=1, label="chance")
    shares = np.linspace(0.02, 1, 50)
    contestants = complete(predictions).groupby("contestant", sort=False)
    for (name, rows), style in zip(contestants, _styles(), strict=False):
        gains = [gains_of(part["probability"], part["outcome"]) for _, part in rows.groupby("as_of")]
        lifts = np.array([[lift_of_gains(*gain, share)[0] for share in shares] for gain in gains])
        axes.plot(shares, mean_of_known(lifts), markevery=5, label=str(name), **style)
    axes.set(xlim=(0, 1))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def earliness_plot(table: pd.DataFrame, *, contestants: Sequence[str], queue: str, title: str = "") -> Figure:
    """Share of losses warned about against the days before the loss, one line per contestant, with 95 % bars.

    `table` is that of `models.earliness.earliness_table`; `contestants` are drawn in this order, those that it does
    not have are left out.
    """
    figure, axes = _sheet("days before the loss, at least", "share of losses newly warned about by then", title)
    leads = sorted(int(name.removeprefix("losses_")) for name in map(str, table) if name.startswith("losses_"))
    rows = table[table["queue"] == queue].set_index("contestant")
    shown = [name for name in contestants if name in rows.index]
    for place, (name, style) in enumerate(zip(shown, _styles(), strict=False)):
        value, low, high = (
            rows.loc[name, [f"warned_{days}{end}" for days in leads]].to_numpy(dtype=float)
            for end in ("", "_low", "_high")
        )
        # Side by side, so that bars do not hide each other.
        days = np.array(leads) + 1.5 * (place - (len(shown) - 1) / 2)
        axes.errorbar(days, value, yerr=[value - low, high - value], capsize=2, label=str(name), **style)
    axes.set_xticks(leads)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def portfolio_plot(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Share of the value of lost customers that was caught against new warnings a month, one line per contestant.

    `table` is that of `models.portfolio.capacity_table`; bars are its 95 % intervals.
    """
    figure, axes = _sheet("new warnings a month", "share of the lost value that was caught", title)
    contestants = table.groupby("contestant", sort=False)
    for (name, unordered), style in zip(contestants, _styles(), strict=False):
        rows = unordered.sort_values("warnings_a_month")
        value = rows["caught_value_share"].to_numpy()
        ends = rows[["caught_value_share_low", "caught_value_share_high"]].to_numpy().T
        # An interval need not hold the figure itself where one customer is most of the value.
        spread = np.abs(np.stack([np.minimum(ends[0], value), np.maximum(ends[1], value)]) - value)
        axes.errorbar(rows["warnings_a_month"], value, yerr=spread, capsize=2, label=str(name), **style)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def _sheet(x_label: str, y_label: str, title: str) -> tuple[Figure, Axes]:
    """A figure of its own, drawn by Agg: no global plotting state is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel=x_label, ylabel=y_label, title=title)
    return figure, axes


def _styles() -> Iterator[dict[str, Any]]:
    """Line, mark and grey together tell contestants apart without colour."""
    for turn in range(1_000):
        line, mark, grey = (
            ["-", "--", "-.", ":"][turn % 4],
            "os^Dv"[turn % 5],
            ["0", "0.35", "0.55"][turn % 3],
        )
        yield {"linestyle": line, "marker": mark, "color": grey, "linewidth": 1.2, "markersize": 4}
