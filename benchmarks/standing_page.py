"""The standing table in words: the same figures as Markdown, short for the README and in full beside it."""

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.standing_given import Cost
from benchmarks.standing_truth import ORACLES
from models.folds import CHAMPION
from pipelines.intake import Intake

#: One contestant's line of the standing table.
Row = Mapping[Any, Any]

#: The champion with the probability that its levels go by, where warnings are judged.
OWN_WINDOW = "champion_own_window"
#: What a reader sees instead of a contestant's name in the code; 1 and 2 point to the notes.
NAMES = {
    "days_since_last_order": "rule: days since last order ¹",
    "cycle": "rule: days since last order / own mean cycle ¹",
    "health": "rule: health score ¹",
    "bgnbd": "BG/NBD ²",
    "mbgcnbd": "MBG/CNBD-k ²",
    "logistic": "logistic regression",
    "lightgbm_one_slice": "LightGBM on the newest slice",
    "lightgbm": "LightGBM on all matured slices",
    "blend": "blend of LightGBM, logistic regression and label-free",
    CHAMPION: "**champion**",
    OWN_WINDOW: "champion, by the customer's own window",
    "random": "random",
    "particle_filter": "oracle: particle filter ³",
    "latent_state": "oracle: latent state ³",
}
DATA = {"online-retail-ii": "Online Retail II (UCI, doi 10.24432/C5CG6D; real orders of a UK gift wholesaler)"}
ROLLING = "rolling origin; the model of a cutoff has learnt only from outcomes that had matured by it"
DISTRIBUTIONS = ("kizashi", "lightgbm", "scikit-learn", "pandas", "duckdb")

#: Column of the standing table, heading, decimals.
RANKING = (
    ("roc_auc", "AUC", 3),
    ("roc_auc_lead", "{subject}'s lead in AUC", 4),
    ("average_precision", "AP", 3),
    ("top_decile_lift", "lift, top 10 %", 2),
    ("precision_at_capacity", "precision at {capacity}", 3),
    ("recall_at_capacity", "recall at {capacity}", 3),
)
CALIBRATION = (
    ("brier", "Brier", 3),
    ("brier_lead", "{subject} minus it", 4),
    ("log_loss", "log loss", 3),
    ("ece", "ECE", 3),
    ("calibration_slope", "slope", 2),
    ("calibration_intercept", "intercept", 2),
)
SHORT = (RANKING[0], RANKING[1], RANKING[2], RANKING[3], CALIBRATION[0], CALIBRATION[1], CALIBRATION[3])
SKILL = (("roc_auc", "AUC", 3), ("log_loss", "log loss", 3), ("brier", "Brier", 3))
GROUPED = (RANKING[0], RANKING[2], RANKING[3], CALIBRATION[0], CALIBRATION[3])
#: Column of the standing table, its name in a sentence, and how good a value is: the higher, the better.
JUDGEMENT: tuple[tuple[str, str, Callable[[float], float]], ...] = (
    *(
        (name, heading.format(capacity="capacity", subject=""), float)
        for name, heading, _ in RANKING
        if "lead" not in name
    ),
    ("brier", "Brier score", lambda value: -value),
    ("log_loss", "log loss", lambda value: -value),
    ("ece", "ECE", lambda value: -value),
    ("calibration_slope", "slope", lambda value: -abs(value - 1)),
    ("calibration_intercept", "intercept", lambda value: -abs(value)),
)


@dataclass(frozen=True)
class Context:
    """What every figure of the report has in common, in words; `folder` is where the report lies."""

    data: str
    eligible: str
    command: str
    versions: str
    split: str = ROLLING
    folder: str = "benchmarks/results"


@dataclass(frozen=True)
class Block:
    """All contestants on one set of customers and one outcome, best AUC first.

    `table` is that of :func:`models.evaluation.standing_table` with ``roc_auc_lead``, ``brier_lead`` (the figure of
    `subject`, usually the champion, minus the contestant's) and their ``_low`` and ``_high``; `skill` that of
    :func:`models.evaluation.achievable_share`, without rows where there is no oracle.
    """

    letter: str
    eligible: str
    outcome: str
    cutoffs: tuple[date, ...]
    table: pd.DataFrame
    subject: str = CHAMPION
    skill: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def title(self) -> str:
        """Set and outcome."""
        return f"Set {self.letter}: {self.outcome}"

    def scope(self) -> str:
        """Who and when, how many, how often: the line without which no figure stands."""
        first = self.table.iloc[0]
        apart = [(later - day).days for day, later in zip(self.cutoffs, self.cutoffs[1:], strict=False)]
        monthly = "monthly " if all(28 <= days <= 31 for days in apart) else ""
        several = f"{len(self.cutoffs)} {monthly}cutoffs, {self.cutoffs[0]} to {self.cutoffs[-1]}"
        when = several if len(self.cutoffs) > 1 else f"one cutoff, {self.cutoffs[0]}"
        return (
            f"Eligible: {self.eligible}. {when}. {first['n']:,} predictions of {first['n_customers']:,} customers, "
            f"base rate {first['base_rate']:.3f}."
        )

    def verdict(self, shown: Sequence[tuple[str, str, int]]) -> str:
        """Whom the subject beats, ties with and loses to by the intervals of the differences.

        Then the figures among those `shown` in which another contestant has the better value, whatever the intervals.
        """
        others, who = self.table[self.table["contestant"] != self.subject], _the(self.subject)
        auc = _verdict("AUC", who, others, lambda row: (row["roc_auc_lead_low"], row["roc_auc_lead_high"]))
        # Of a Brier score, the lower is the better.
        brier = _verdict("Brier score", who, others, lambda row: (-row["brier_lead_high"], -row["brier_lead_low"]))
        return " ".join([auc, brier, *self._better_elsewhere({name for name, _, _ in shown})])

    def _better_elsewhere(self, shown: set[str]) -> list[str]:
        found = []
        for name, words, goodness in JUDGEMENT:
            value = {row["contestant"]: goodness(row[name]) for row in self.table.to_dict("records") if name in shown}
            # An oracle is better by its making, and a figure that somebody does not have says nothing of who is best.
            value = {who: one for who, one in value.items() if who not in ORACLES and np.isfinite(one)}
            best = max(value, key=lambda who: value[who], default=self.subject)
            if value.get(best, np.nan) > value.get(self.subject, np.nan):
                found.append(f"{words} ({plain(best)})")
        return [f"Best value with another contestant, whatever the interval: {'; '.join(found)}."] if found else []


@dataclass(frozen=True)
class Page:
    """Everything that the report prints."""

    context: Context
    blocks: tuple[Block, ...]
    by_cutoff: pd.DataFrame
    by_history: pd.DataFrame
    deciles: pd.DataFrame
    capacity: int
    repeats: int
    by_segment: pd.DataFrame = field(default_factory=pd.DataFrame)
    costs: Mapping[str, Cost] = field(default_factory=dict)
    rows: str = ""

    @property
    def subject(self) -> str:
        """The contestant whose lead over the others is given."""
        return self.blocks[0].subject


def context_of(intake: Intake, layout: str, command: str, split: str = ROLLING, origin: str = "") -> Context:
    """The common facts of a report on an intake; `origin` says where its data comes from."""
    cohort, data = intake.cohort(), intake.request.data
    known = DATA.get(layout) or (data if "://" in data else Path(data).name)
    name = f"{known}, {origin}" if origin else known
    span = f"orders from {intake.first_order()}, known until {intake.as_of}"
    versions = ", ".join(f"{name} {version(name)}" for name in DISTRIBUTIONS)
    apart = {
        "of projects": cohort.projects_apart,
        "out of season": cohort.seasons_apart,
        "back with a first order": cohort.reactivated_apart,
    }
    without = f"; without customers {', '.join(name for name in apart if apart[name])}" if any(apart.values()) else ""
    return Context(
        f"{name}; {span}; fingerprint of the clean events {intake.events.fingerprint[:12]}",
        f"at least {cohort.min_order_days} order days, last order at most {cohort.max_days_since_last_order} days old"
        f"{without}",
        command,
        f"{versions}, Python {platform.python_version()}",
        split,
    )


def summary(page: Page) -> str:
    """The report's first page, made to be quoted unchanged: the first block in full, the others in short."""
    first, *others = page.blocks
    parts = [head(page), _full(first, page), _notes(page)]
    for block in others:
        parts.append(
            f"**{block.title}.** {block.scope()}\n\n{_contestants(block.table, SHORT, page)}\n\n"
            f"{block.verdict(SHORT)}{_skill(block)}"
        )
    if page.costs:
        parts.append(f"**Run time and memory**, as the contestants' files say.\n\n{_costs(page)}")
    return "\n\n".join(parts) + "\n"


def detail(page: Page) -> str:
    """Everything: all blocks in full, by cutoff, by history, deciles and plots."""
    parts = ["# Standing table in full", head(page), _notes(page)]
    parts += [_full(block, page) for block in page.blocks]
    first = page.blocks[0]
    parts += [
        f"## By cutoff\n\n{first.title}. AUC of each cutoff alone.\n\n{_cutoffs(page.by_cutoff, first)}",
        f"## By history\n\n{first.title}. Within a group there is less to tell customers apart "
        f"by, so its AUC may lie below that of the whole.\n\n{_history(page.by_history)}",
        *([f"## By segment\n\n{first.title}.\n\n{_history(page.by_segment)}"] if len(page.by_segment) else []),
        *([f"## Run time and memory\n\n{_costs(page)}"] if page.costs else []),
    ]
    if len(page.deciles):
        parts.append(
            f"## Deciles of {_the(page.subject)}\n\n{first.title}, all cutoffs pooled, highest probability first; "
            f"ties share their average.\n\n{_deciles(page.deciles)}"
        )
    reliability = "![Observed against promised share of customers without an order](reliability.png)\n\n"
    lift = "![Lift against the share of customers taken](lift.png)"
    parts.append(f"## Plots\n\n{reliability if len(page.deciles) else ''}{lift}")
    return "\n\n".join(parts) + "\n"


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, the first column to the left and the others to the right."""
    lines = ["| " + " | ".join(headings) + " |", "|---" + "|---:" * (len(headings) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def figure(row: Row, name: str, digits: int) -> str:
    """A figure with its interval, or a dash where there is none."""
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    sign = "+" if name.endswith("_lead") else ""
    if not np.isfinite(value):
        return "-"
    interval = "" if np.isnan([low, high]).any() else f" [{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"
    return f"{value:{sign}.{digits}f}{interval}"


def head(page: Page) -> str:
    """What all figures of the report have in common: command, data, split, intervals, versions."""
    context = page.context
    return (
        f"Made by `{context.command}`\n\n"
        f"- data: {context.data}\n"
        f"- split: {context.split}\n"
        f"{page.rows}"
        f"- figures: ranking is averaged over cutoffs, calibration is pooled; in brackets 95 % intervals from "
        f"{page.repeats} resamples of customers, paired for differences; capacity is {page.capacity} customers per "
        f"cutoff\n"
        f"- versions: {context.versions}"
    )


def _full(block: Block, page: Page) -> str:
    ranking = _contestants(block.table, RANKING, page)
    calibration = _contestants(block.table, CALIBRATION, page)
    said = block.verdict((*RANKING, *CALIBRATION))
    return f"**{block.title}.** {block.scope()}\n\n{ranking}\n\n{calibration}\n\n{said}{_skill(block)}"


def _notes(page: Page) -> str:
    judged = set(page.blocks[0].table["contestant"])
    product = CHAMPION in judged
    curve = (
        " Its probability is read off a logistic curve of that one variable, fitted on matured outcomes; its Brier "
        "score, log loss and calibration are those of the curve."
    )
    notes = [f"¹ A rule only ranks.{curve if product else ''}"]
    if product:
        notes.append("² Read as P(no order in the window), never as 1 - P(alive); fitted without any outcome.")
    if judged & set(ORACLES):
        notes.append(
            "³ Knows the parameters of the simulated world, the latent state even the hidden stage: what could be "
            "achieved at best, and by nobody with real data."
        )
    if product and len({block.letter for block in page.blocks}) > 1:
        notes.append(
            "Set B takes the same predictions and leaves customers out: no model was fitted again, all learnt "
            "from the cohort of set A."
        )
    notes += [
        "The own window counts only dates on which the longest window has passed.",
        "How to read each figure: `docs/evaluation.md`; by cutoff, by history, deciles and plots: "
        f"`{page.context.folder}/standing_detail.md`.",
    ]
    return "\n".join(f"- {note}" for note in notes)


def _skill(block: Block) -> str:
    """The share of achievable skill, where there is an oracle."""
    if block.skill.empty:
        return ""
    known = block.skill.dropna(how="all", subset=[name for name, _, _ in SKILL])
    if known.empty:
        return "\n\nThe particle filter is not surely better than the cycle rule here: there is no skill to share out."
    rows = [
        [named(row["contestant"]), *(figure(row, name, digits) for name, _, digits in SKILL)]
        for row in known.to_dict("records")
    ]
    table = markdown(["contestant", *(heading for _, heading, _ in SKILL)], rows)
    return f"\n\nShare of achievable skill, (contestant - cycle rule) / (particle filter - cycle rule):\n\n{table}"


def _costs(page: Page) -> str:
    rows = [
        [name, *("-" if value is None else f"{value:,.1f}" for value in (cost.seconds, cost.peak_mb))]
        for name, cost in page.costs.items()
    ]
    return markdown(["contestant", "seconds", "peak MB"], rows)


def _contestants(table: pd.DataFrame, columns: Sequence[tuple[str, str, int]], page: Page) -> str:
    words = {"capacity": page.capacity, "subject": plain(page.subject).strip("*")}
    headings = ["contestant", *(heading.format(**words) for _, heading, _ in columns)]
    rows = [
        [named(row["contestant"]), *(figure(row, name, digits) for name, _, digits in columns)]
        for row in table.to_dict("records")
    ]
    return markdown(headings, rows)


def named(contestant: str) -> str:
    """A contestant as printed."""
    return NAMES.get(contestant, contestant)


def plain(contestant: str) -> str:
    """A contestant in a sentence."""
    return named(contestant).rstrip(" ¹²³").replace("rule: ", "")


def _the(contestant: str) -> str:
    """The contestant whose lead is given, in a sentence."""
    return "the champion" if contestant == CHAMPION else plain(contestant)


def _cutoffs(table: pd.DataFrame, block: Block) -> str:
    if table.empty:
        return "No cutoff has both outcomes."
    groups = list(dict.fromkeys(table["group"]))
    facts = {row["group"]: row for row in table.to_dict("records")}
    headings = ["contestant", *(f"{g}: n {facts[g]['n']:,}, base rate {facts[g]['base_rate']:.3f}" for g in groups)]
    cells = {(row["contestant"], row["group"]): figure(row, "roc_auc", 3) for row in table.to_dict("records")}
    rows = [[named(who), *(cells[who, group] for group in groups)] for who in block.table["contestant"]]
    return markdown(headings, rows)


def _history(table: pd.DataFrame) -> str:
    headings = ["group", "n", "customers", "base rate", "contestant", *(heading for _, heading, _ in GROUPED)]
    rows = [
        [
            row["group"],
            f"{row['n']:,}",
            f"{row['n_customers']:,}",
            f"{row['base_rate']:.3f}",
            named(row["contestant"]),
            *(figure(row, name, digits) for name, _, digits in GROUPED),
        ]
        for row in table.to_dict("records")
    ]
    return markdown(headings, rows)


def _deciles(table: pd.DataFrame) -> str:
    headings = ["decile", "n", "promised", "observed", "lift", "share of all churned, from the top"]
    rows = [
        [
            f"{row['decile']:.0f}",
            f"{row['n']:,.1f}",
            f"{row['mean_probability']:.3f}",
            f"{row['outcome_rate']:.3f}",
            f"{row['lift']:.2f}",
            f"{row['captured_share']:.3f}",
        ]
        for row in table.to_dict("records")
    ]
    return markdown(headings, rows)


def _verdict(metric: str, who: str, others: pd.DataFrame, lead: Callable[[Row], tuple[float, float]]) -> str:
    """One sentence: ahead of, level with, behind; `lead` gives the bounds of how much better the subject is."""
    ahead: list[str] = []
    level: list[str] = []
    behind: list[str] = []
    for row in others.to_dict("records"):
        low, high = lead(row)
        if not np.isfinite([low, high]).all():
            continue  # one of the two only ranks
        place = ahead if low > 0 else behind if high < 0 else level
        place.append(plain(row["contestant"]))
    said = [f"{words} {', '.join(names)}" for words, names in _places(ahead, level, behind) if names]
    return f"{metric}: {who} is {'; '.join(said)}." if said else f"{metric}: nobody to compare with."


def _places(ahead: list[str], level: list[str], behind: list[str]) -> Iterable[tuple[str, list[str]]]:
    return (("ahead of", ahead), ("level within the interval with", level), ("behind", behind))
