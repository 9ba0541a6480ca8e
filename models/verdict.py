"""The calibration certificate as a record: its limits, its findings and its verdict, kept in the manifest and told.

How it is arrived at stands in :mod:`models.certificate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

PERCENTAGES, LEVELS_ONLY = "percentages", "levels_only"
#: Codes of findings that say nothing against the probabilities but that too little has matured to tell.
TOO_LITTLE = ("nothing_matured", "few_customers", "few_cutoffs", "undetermined", "level_uncertain")
#: The figures that have limits.
JUDGED = ("ece", "slope", "in_the_large")
FIGURES = ("slope", "intercept", "in_the_large", "ece", "brier", "reliability", "resolution", "uncertainty", "log_loss")
_COUNTS = ("n", "n_customers")
#: Columns of the table of slices.
COLUMNS = (
    *("kind", "group", *_COUNTS, "base_rate", "promised"),
    *(name + end for name in FIGURES for end in (("", "_low", "_high") if name in JUDGED else ("",))),
    "passed",
)


@dataclass(frozen=True)
class Limits:
    """What the certificate holds the probabilities to, and how much must have matured.

    Attributes
    ----------
    ece
        Largest expected calibration error (15 bins of equal mass); its interval without noise must not lie above.
    slope_low, slope_high
        Bounds of the calibration slope; its interval must touch them. That of a level is not judged.
    in_the_large
        Largest intercept in the large, in log-odds: .25 is 6 percentage points at one half, 2 at one tenth. That of all
        rows must lie within, not just its interval touch.
    cutoffs
        Cutoffs that must be large enough to be judged.
    customers
        Customers with a matured outcome of each kind that there must be: 100 events and 100 non-events are the usual
        least for a validation (Vergouwe et al. 2005, Journal of Clinical Epidemiology 58, 475-483).
    group_customers, group_outcomes
        Customers that a slice must have, and customers with an outcome of each kind; below, it is not judged.
    significance
        Chance, on each side, of failing what is exactly at its limit; for the slices of failing any of them.
    """

    ece: float = 0.05
    slope_low: float = 0.8
    slope_high: float = 1.25
    in_the_large: float = 0.25
    cutoffs: int = 4
    customers: int = 100
    group_customers: int = 100
    group_outcomes: int = 20
    significance: float = 0.025

    def of(self, figure: str) -> tuple[float, float]:
        """Lowest and highest value of `ece`, `slope` or `in_the_large`."""
        return {
            "ece": (0.0, self.ece),
            "slope": (self.slope_low, self.slope_high),
            "in_the_large": (-self.in_the_large, self.in_the_large),
        }[figure]


@dataclass(frozen=True)
class Finding:
    """One thing to know of the certificate; `withholds` says that it is a reason to show no percentages."""

    code: str
    words: str
    withholds: bool
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Certificate:
    """The account of one training's calibration.

    Attributes
    ----------
    overall
        `n`, `n_customers`, `n_cutoffs`, `base_rate`, `promised` (mean probability), and per figure its value with
        ``_low`` and ``_high`` (95 %); NaN where unknown.
    groups
        One row per slice with :data:`COLUMNS`; `passed` is True, False, or None where it was not judged.
    verdict
        :data:`PERCENTAGES` or :data:`LEVELS_ONLY`.
    findings
        Why percentages are withheld, then what else is worth knowing.
    season_levels
        Intercept in the large per matured cutoff (ISO date), in log-odds: what the season did to the level.
    interval_coverage
        Share of the deciles of the cutoffs whose observed share lay within their mean interval; NaN without intervals
        or deciles of enough rows.
    limits
        What it was held to.
    """

    overall: Mapping[str, float]
    groups: pd.DataFrame
    verdict: str
    findings: tuple[Finding, ...]
    season_levels: Mapping[str, float]
    interval_coverage: float
    limits: Limits

    @property
    def shows_percentages(self) -> bool:
        """Whether probabilities may be shown as percentages."""
        return self.verdict == PERCENTAGES

    @property
    def too_little(self) -> bool:
        """Whether too little has matured to tell: uncalibrated for this company, and not refuted either."""
        reasons = {finding.code for finding in self.findings if finding.withholds}
        return bool(reasons) and reasons <= set(TOO_LITTLE)

    @property
    def season_sd(self) -> float:
        """Standard deviation of the season levels, in log-odds; NaN below two cutoffs.

        That of the sample of customers is in it: a small book's levels move by chance as well.
        """
        levels = list(self.season_levels.values())
        return float(np.std(levels, ddof=1)) if len(levels) > 1 else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the manifest; what is unknown is None."""
        return {
            "overall": plain(self.overall),
            "groups": [plain(row) for row in self.groups.to_dict("records")],
            "verdict": self.verdict,
            "findings": [asdict(one) | {"figures": plain(one.figures)} for one in self.findings],
            "season_levels": dict(self.season_levels),
            "interval_coverage": plain({"": self.interval_coverage})[""],
            "limits": asdict(self.limits),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Certificate:
        """The inverse of :meth:`to_dict`."""
        unknown = float("nan")
        coverage = values["interval_coverage"]
        return cls(
            {name: unknown if value is None else value for name, value in values["overall"].items()},
            table_of(values["groups"]),
            values["verdict"],
            tuple(Finding(**one) for one in values["findings"]),
            dict(values["season_levels"]),
            unknown if coverage is None else coverage,
            Limits(**values["limits"]),
        )

    def to_words(self) -> list[str]:
        """The certificate in sentences: the verdict, what it rests on, and every finding."""
        lines = [_verdict_words(self)]
        if self.overall["n"]:
            lines.append(_overall_words(self))
        lines += [f"{'Withheld' if one.withholds else 'Note'}: {one.words}" for one in self.findings]
        if np.isfinite(self.season_sd):
            lines.append(
                f"From cutoff to cutoff the level moved with a standard deviation of {self.season_sd:.2f} in log-odds "
                f"over {len(self.season_levels)} cutoffs."
            )
        if np.isfinite(self.interval_coverage):
            lines.append(
                f"In {self.interval_coverage:.0%} of the deciles of the cutoffs the observed share lay within the mean "
                "interval of their customers."
            )
        return lines


def _verdict_words(one: Certificate) -> str:
    if one.shows_percentages:
        return "Percentages are shown: the probabilities kept their promise on this company's own matured predictions."
    shown = "Levels and the order of risk only, no percentages: "
    if one.too_little:
        return f"{shown}the levels are uncalibrated for this company, as too little has matured to confirm them."
    return f"{shown}the probabilities did not keep their promise on this company's own matured predictions."


def _overall_words(one: Certificate) -> str:
    said = partial(_said, one.overall)
    return (
        f"{one.overall['n']} predictions of {one.overall['n_customers']} customers at {one.overall['n_cutoffs']} "
        f"cutoffs: promised {one.overall['promised']:.1%}, observed {one.overall['base_rate']:.1%}; slope "
        f"{said('slope')}, level {said('in_the_large')}, ECE {said('ece')}, Brier {said('brier')} = reliability "
        f"{one.overall['reliability']:.4f} - resolution {one.overall['resolution']:.4f} + uncertainty "
        f"{one.overall['uncertainty']:.4f} + what varies within the bins, log loss {said('log_loss')}."
    )


def _said(figures: Mapping[str, float], name: str) -> str:
    return f"{figures[name]:.3f} [{figures[f'{name}_low']:.3f}, {figures[f'{name}_high']:.3f}]"


def plain(values: Mapping[Any, Any]) -> dict[str, Any]:
    """The values as Python's own numbers, None for what is not finite."""
    found = {str(name): value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value for name, value in found.items()
    }


def table_of(groups: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The slices as a table of :data:`COLUMNS`."""
    table = pd.DataFrame(groups, columns=list(COLUMNS)).astype({"kind": "str", "group": "str"})
    numbers = [name for name in COLUMNS if name not in ("kind", "group", "passed", *_COUNTS)]
    table = table.astype(dict.fromkeys(numbers, "float64") | dict.fromkeys(_COUNTS, "int64"))
    return table.assign(passed=pd.Series([row["passed"] for row in groups], dtype="object", index=table.index))
