"""What the command line shows of models: the versions, the gate's verdict, and the history of the one in use."""

from collections.abc import Sequence

import pandas as pd
from rich.markup import escape
from rich.table import Table

from models.history import Change
from pipelines.console import out
from pipelines.promotion import Decision

__all__ = ["decision", "history_list", "models_table", "rolled_back"]

#: Figures of a version: column, heading, decimals.
FIGURES = (("auc", "AUC", 3), ("log_loss", "log loss", 4), ("brier", "Brier", 4))


def models_table(listed: pd.DataFrame) -> None:
    """Every version, the newest first; see :func:`pipelines.promotion.registered`."""
    if listed.empty:
        out.print("No model yet: run `kizashi train`.", markup=False)
        return
    title = f"{len(listed)} models; figures of 90 days, out of time"
    table = Table(title=title, title_justify="left")
    for heading in ("version", "trained as of", "in use as", *(heading for _, heading, _ in FIGURES), "gate"):
        table.add_column(heading, justify="right" if heading == "version" else "left", overflow="fold")
    for row in listed.to_dict("records"):
        figures = ["-" if pd.isna(row[name]) else f"{row[name]:.{digits}f}" for name, _, digits in FIGURES]
        cells = [str(row["version"]), row["trained_as_of"] or "-", row["aliases"] or "-", *figures, row["gate"]]
        table.add_row(*map(escape, cells))
    out.print(table)


def history_list(history: Sequence[Change]) -> None:
    """The history of the model in use, the newest first."""
    if not history:
        out.print("No promotion is on record.", markup=False)
        return
    out.print("History, the newest first:", markup=False)
    for line in reversed(history):
        out.print(f"  {line.at:%Y-%m-%d %H:%M} UTC, {line.who}: {_told(line)}", markup=False)
        out.print(f"      because: {line.why}", markup=False)
        for finding in line.findings:
            out.print(f"      - {finding}", markup=False)


def decision(decided: Decision) -> None:
    """What the gate said of a version, and what became of it."""
    for check in decided.verdict.checks:
        out.print(f"{'passed' if check.passed else 'FAILED'}: {check.words}", markup=False)
    if decided.change is not None:
        out.print(f"{_told(decided.change)[:1].upper()}{_told(decided.change)[1:]}.", markup=False)


def rolled_back(change: Change) -> None:
    """That an earlier champion is back in use."""
    for finding in change.findings:
        out.print(finding, markup=False)
    out.print(f"Version {change.after} is the champion again, in place of version {change.before}.", markup=False)


def _told(line: Change) -> str:
    """One line of the history in words."""
    instead = "" if line.before is None else f" in place of version {line.before}"
    stays = "there is no champion" if line.after is None else f"version {line.after} stays the champion"
    words = {
        "promoted": f"version {line.version} became the champion{instead}",
        "forced": f"version {line.version} became the champion{instead}, against the gate",
        "rolled back": f"back to version {line.version}{instead}",
        "refused": f"version {line.version} was refused by the gate; {stays}",
        "data refused": f"data were refused and nothing was trained; {stays}",
        "data accepted": f"data were accepted although they are not as they were; {stays}",
    }
    return words[line.what] + (" (not finished; the next command does that)" if line.pending else "")
