"""Figures of faithfulness: a mean over customers with its interval, what stands beside it, and what is aimed at."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

REPEATS = 2000
#: Seed of all resamples of customers.
DRAWS = 101


@dataclass(frozen=True)
class Figure:
    """One line of a table.

    Attributes
    ----------
    words
        What it is of.
    value, low, high
        The figure and its 95 % interval; NaN where it has none.
    n
        Customers behind it.
    beside
        Baselines: words and value.
    least, most
        What is aimed at; NaN where nothing is.
    """

    words: str
    value: float
    low: float = np.nan
    high: float = np.nan
    n: int = 0
    beside: tuple[tuple[str, float], ...] = ()
    least: float = np.nan
    most: float = np.nan

    @property
    def goal(self) -> str:
        """What is aimed at and whether it is met; empty where nothing is."""
        if np.isnan(self.least) and np.isnan(self.most):
            return ""
        aim = f">= {self.least:g}" if not np.isnan(self.least) else f"<= {self.most:g}"
        # Written so that a figure that is not there misses its goal.
        met = self.value >= self.least if not np.isnan(self.least) else self.value <= self.most
        return f"{aim}: {'met' if met else '**missed**'}"


@dataclass(frozen=True)
class Section:
    """Figures of one question: its title, what was done, the figures, and remarks below them."""

    title: str
    about: str
    figures: Sequence[Figure]
    remarks: Sequence[str] = field(default=())


def mean_of(
    words: str,
    values: npt.ArrayLike,
    customers: Sequence[str] | pd.Series | npt.NDArray[np.object_],
    *,
    beside: Sequence[tuple[str, float]] = (),
    least: float = np.nan,
    most: float = np.nan,
) -> Figure:
    """The mean with an interval by resampling customers, a customer with all its values; unknown values are left out.

    Parameters
    ----------
    values, customers
        One each, of equal length.
    """
    table = pd.DataFrame({"value": np.asarray(values, dtype="float64"), "who": np.asarray(customers)}).dropna()
    known = tuple(beside)
    if table.empty:
        return Figure(words, np.nan, n=0, beside=known, least=least, most=most)
    by = table.groupby("who")["value"].agg(["sum", "size"]).to_numpy(dtype="float64")
    times = np.random.default_rng(DRAWS).multinomial(len(by), np.full(len(by), 1 / len(by)), size=REPEATS)
    drawn = times @ by
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return Figure(words, float(table["value"].mean()), float(low), float(high), len(by), known, least, most)


def figure_text(value: float) -> str:
    """A figure as it is printed: three decimals, powers of ten where it is tiny, a dash where there is none."""
    if np.isnan(value):
        return "-"
    if value != 0 and abs(value) < 5e-4:
        return f"{value:.1e}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def table_of(section: Section) -> str:
    """The figures of a section as a Markdown table."""
    lines = ["| measure | figure | 95 % interval | customers | beside | goal |", "|---|---:|---|---:|---|---|"]
    for one in section.figures:
        interval = "" if np.isnan(one.low) else f"{figure_text(one.low)} to {figure_text(one.high)}"
        beside = "; ".join(f"{words} {figure_text(value)}" for words, value in one.beside)
        count = f"{one.n:,}" if one.n else ""
        lines.append(f"| {one.words} | {figure_text(one.value)} | {interval} | {count} | {beside} | {one.goal} |")
    return "\n".join(lines)
