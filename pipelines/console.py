"""What the command line shows: tables, the morning's list, one customer's story. serving.wording has the sentences."""

import sys
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from features.quarantine import IngestReport
from features.registry import REGISTRY
from features.simulate import World
from features.snapshots import ELIGIBLE
from features.snapshots import Progress as Report
from models.levels import EARLY, OVERDUE, Levels, loudness
from models.reasons import AGAINST, REASON, REST, SMALL
from pipelines.score import Scored
from pipelines.train import SHOWN_HORIZON
from serving.records import PERCENT
from serving.wording import cohort_reason, level_name, no_clear_reason, outlook, quantity, role_name

STYLES = {"red": "bold red", "orange": "dark_orange", "yellow": "yellow", "blue": "blue", "none": "dim"}
QUEUES = {
    EARLY: "still within their own window, most to lose first",
    OVERDUE: "silent for longer than their own window, most to lose first",
}
#: Figures of the standing table as the terminal shows them: column, heading, decimals.
FIGURES = (
    ("roc_auc", "AUC", 3),
    ("average_precision", "AP", 3),
    ("top_decile_lift", "lift 10%", 2),
    ("brier", "Brier", 3),
    ("log_loss", "log loss", 3),
    ("ece", "ECE", 3),
)

#: So many things are named that rules lack.
SOURCES_SHOWN = 6

#: Columns of output that is no terminal: wide enough for a whole table on a line.
PLAIN_WIDTH = 150

out = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
err = Console(stderr=True, highlight=False)


@contextmanager
def bar() -> Iterator[Report]:
    """A progress bar on standard error for one command; nothing where that is no terminal but a line per stage."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("reading the data", total=1.0)
        said: list[str] = []

        def report(what: str, share: float) -> None:
            progress.update(task, description=what, completed=share)
            stage = what.split(" known on ")[0].split(" of bucket")[0]
            if not err.is_terminal and said[-1:] != [stage]:
                said.append(stage)
                err.print(f"- {stage}")

        yield report


def ingest_table(report: IngestReport) -> None:
    """Where each row went, and what was wrong with those set aside."""
    table = Table(title="Rows", title_justify="left")
    for heading in ("table", "rows in", "clean", "quarantined", "exact duplicates"):
        table.add_column(heading, justify="left" if heading == "table" else "right")
    for row in report.tables:
        table.add_row(row.table, *(f"{n:,}" for n in (row.rows_in, row.clean, row.quarantined, row.duplicates)))
    out.print(table)
    for row in report.tables:
        for reason in row.reasons:
            found = f"{reason.words} - {reason.rows:,} rows (first: {reason.places})"
            out.print(f"  {row.table}.{reason.column}: {found}", markup=False)
    out.print(report.taken.words, markup=False)
    out.print(f"Clean events and quarantine: {report.events.folder}", markup=False)


def simulated(world: World, rows: Mapping[str, int]) -> None:
    """A simulated company: the rows of each file, and how many of its customers were lost."""
    dirty = world.truth["dirty"]["table"].value_counts() if "dirty" in world.truth else None
    table = Table(title="A simulated company", title_justify="left")
    for heading in ("file", "rows") if dirty is None else ("file", "rows", "of them dirty"):
        table.add_column(heading, justify="left" if heading == "file" else "right")
    for file, count in rows.items():
        bad = [] if dirty is None else [f"{dirty.get(Path(file).stem, 0):,}"]
        table.add_row(file, f"{count:,}", *bad)
    out.print(table)
    losses = world.truth["losses"]
    who, back = losses["customer_id"].nunique(), losses["returned_at"].notna().sum()
    span = f"{world.settings['customers']:,} customers in {world.settings['months']} months"
    sudden = f"{(~losses['symptomatic']).sum():,} of the losses came without a sign"
    out.print(f"Lost: {who:,} of {span}; {sudden}, {back:,} customers came back.", markup=False)


def funnel_table(funnel: pd.DataFrame) -> None:
    """Where every customer and every order of the past year is: the cohort, each track that is not empty, the whole."""
    table = Table(title="Every customer by track, with the orders of 12 months", title_justify="left")
    for heading in ("as of", "track"):
        table.add_column(heading)
    for heading in ("customers", "order days", "revenue", "share"):
        table.add_column(heading, justify="right")
    for as_of, rows in funnel.groupby("as_of"):
        whole = rows[["customers", "order_days_365d", "revenue_365d"]].sum().to_dict()
        whole = {"track": "", **whole, "revenue_share": float(rows["revenue_share"].notna().any() or np.nan)}
        shown = rows[(rows["customers"] > 0) | (rows["track"] == ELIGIBLE)]
        for row in (*shown.to_dict("records"), whole):
            name = cohort_reason(row["track"]) if row["track"] else "all"
            share = "" if np.isnan(row["revenue_share"]) else f"{row['revenue_share']:.1%}"
            counts = (f"{row[column]:,.0f}" for column in ("customers", "order_days_365d", "revenue_365d"))
            table.add_row(f"{as_of:%Y-%m-%d}", name, *counts, share, end_section=not row["track"])
    out.print(table)


def standing(table: pd.DataFrame, title: str) -> None:
    """The standing table with 95 % intervals, best AUC first."""
    if table.empty:
        out.print(f"{title}: nothing has matured yet.", markup=False)
        return
    first = table.iloc[0]
    head = (
        f"{title}: {first['n']:,} predictions of {first['n_customers']:,} customers, base rate {first['base_rate']:.3f}"
    )
    printed = Table(
        title=head, title_justify="left", caption="95% intervals: bootstrap over customers", caption_justify="left"
    )
    printed.add_column("contestant")
    for _, heading, _ in FIGURES:
        printed.add_column(heading, justify="right")
    for row in table.sort_values("roc_auc", ascending=False).to_dict("records"):
        printed.add_row(row["contestant"], *(_figure(row, name, digits) for name, _, digits in FIGURES))
    out.print(printed)


def _figure(row: dict, name: str, digits: int) -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if not np.isfinite(value):
        return "-"
    interval = f" [{low:.{digits}f}, {high:.{digits}f}]" if np.isfinite([low, high]).all() else ""
    return f"{value:.{digits}f}{interval}"


def levels_table(levels: Levels) -> None:
    """Each level's threshold and record on the walk-forward."""
    table = Table(title="Levels and their record, out of time", title_justify="left")
    for heading in ("level", "from probability", "promised", "kept", "95% interval", "predictions"):
        table.add_column(heading, justify="left" if heading == "level" else "right")
    for level in levels.levels:
        name = f"[{STYLES[level.name]}]{level_name(level.name)}[/]"
        if level.threshold is None:
            table.add_row(name, "off: cannot keep it", f"{level.promised:.0%}", "-", "-", "-")
            continue
        kept = "not yet known" if level.precision is None else f"{level.precision:.0%}"
        interval = "-" if level.low is None else f"{level.low:.0%} to {level.high:.0%}"
        table.add_row(name, f"{level.threshold:.2f}", f"{level.promised:.0%}", kept, interval, f"{level.n:,}")
    out.print(table)


def morning(scored: Scored, names: dict[str, str], limit: int, currency: str) -> None:
    """The red and orange customers with their reasons: first those with whom there is time, then the silent ones."""
    scores = scored.day.scores
    reasons = scored.day.reasons[scored.day.reasons["role"] != REST].groupby("customer_id")
    as_of = scored.published.run.as_of
    for queue, heading in QUEUES.items():
        for level in ("red", "orange"):
            here = scores[(scores["level"] == level) & (scores["queue"] == queue)].sort_values(
                "expected_loss", ascending=False
            )
            out.print(f"\n[{STYLES[level]}]{level_name(level)}[/] on {as_of}, {heading}: {len(here)} customers")
            for row in here.head(limit).to_dict("records"):
                told = reasons.get_group(row["customer_id"]) if row["customer_id"] in reasons.groups else None
                _warned(row, names.get(row["customer_id"], ""), told, currency)
            if len(here) > limit:
                rest = quantity(here["expected_loss"].iloc[limit:].sum(), "money", currency=currency)
                more = f"  ... and {len(here) - limit} more with {rest} expected to be lost (--limit shows more)"
                out.print(more, markup=False)
    counts = scores["level"].value_counts()
    told_counts = ", ".join(f"{level} {counts.get(level, 0):,}" for level in STYLES)
    outside = scores[scores["cohort"] != ELIGIBLE]["cohort"].value_counts()
    out.print(f"\nAll {len(scores):,} customers: {told_counts}.", markup=False)
    for code, n in outside.items():
        out.print(f"  outside the cohort: {n:,} ({cohort_reason(str(code))})", markup=False)
    _changed(scored, names, limit)
    _moved(scored, currency)
    _silent(scored)
    if scored.day.working.frames.reports["held_down"] is None:
        out.print("Rules and health are not held to your own past yet: `kizashi rules --keep` does that.", markup=False)


def _changed(scored: Scored, names: dict[str, str], limit: int) -> None:
    """Whose level moved since the day published before, and why; most to lose first."""
    changes = scored.day.working.frames.changes
    if not isinstance(changes, pd.DataFrame) or changes.empty:
        return
    loss = scored.day.scores.set_index("customer_id")["expected_loss"]
    order = changes["customer_id"].map(loss).sort_values(ascending=False, kind="stable").index
    louder = (loudness(changes["level_after"]) > loudness(changes["level_before"])).sum()
    since = changes["since"].iloc[0]
    counts = f"{louder:,} to a louder level, {len(changes) - louder:,} to a quieter one"
    out.print(f"\nLevels that moved since {since}: {len(changes):,} ({counts}). Most to lose first:", markup=False)
    for row in changes.loc[order].head(limit).to_dict("records"):
        who = f"{row['customer_id']} {names.get(row['customer_id'], '')}".strip()
        out.print(f"  {who}: {row['text']}", markup=False)
    if len(changes) > limit:
        out.print("  `kizashi explain CUSTOMER --since DATE` tells each of them step by step.", markup=False)


def _moved(scored: Scored, currency: str) -> None:
    """What the day made of warnings and tasks."""
    decided = scored.decided
    if decided is None:
        why = "the date was published already" if scored.published.unchanged else "a newer date has moved them"
        out.print(f"Warnings and tasks: left as they are, as {why}.", markup=False)
        return
    if scored.day.working.terms.pilot.shadow:
        out.print("Warnings and tasks: none are opened, as [trial] has shadow = true.", markup=False)
        return
    moves = decided.moves
    waiting, money = moves.not_shown
    held = quantity(money, "money", currency=currency)
    wait = f"; {waiting:,} more wait, as their owners' week is full ({held} expected to be lost)" if waiting else ""
    counts = f"{len(moves.opened):,} opened, {len(moves.changed):,} changed, {len(moves.closed):,} closed"
    out.print(f"Warnings: {counts}{wait}.", markup=False)
    handed = sum(event.kind == "owner_changed" for event in decided.decision.events)
    moved = f"; {handed:,} accounts went to another owner" if handed else ""
    created = f"Tasks: {len(decided.new_tasks):,} created{moved}"
    out.print(f"{created}. `kizashi serve` has the lists, the tasks and every customer.", markup=False)


def _silent(scored: Scored) -> None:
    """Which rules cannot fire here, and for want of what."""
    silent = scored.day.working.frames.reports["silent_rules"]
    if silent:
        lacking = list(dict.fromkeys(_source(column) for columns in silent.values() for column in columns))
        more = f" and {len(lacking) - SOURCES_SHOWN} more" if len(lacking) > SOURCES_SHOWN else ""
        known = f"nothing is known of {', '.join(lacking[:SOURCES_SHOWN])}{more}"
        out.print(f"Rules that cannot fire here: {len(silent)}, as {known} ({', '.join(silent)}).", markup=False)


def _source(column: str) -> str:
    """The table that a column of a rule comes from, or the column itself where it is no feature."""
    return REGISTRY[column].source if column in REGISTRY else column.replace("_", " ")


def _warned(row: dict, name: str, told: pd.DataFrame | None, currency: str) -> None:
    """One customer of the morning's list."""
    who = escape(f"{row['customer_id']} {name}".strip())
    loss = quantity(row["expected_loss"], "money", currency=currency)
    risk = _outlook(row)
    out.print(f"  [{STYLES[row['level']]}]●[/] [bold]{who}[/]: {risk}, {loss} expected to be lost in a year")
    if f"model:{row['level']}" not in str(row["level_parts"]).split():
        out.print(f"      - The level comes from {_parts(row['level_parts'])}.", markup=False)
    if told is not None:
        small, against = told["role"] == SMALL, told["role"] == AGAINST
        if small.any() and not (told["role"] == REASON).any():
            out.print(f"      - {no_clear_reason()}", markup=False)
        for text in told.loc[small | (told["role"] == REASON), "text"].head(3):
            out.print(f"      - {text}", markup=False)
        for text in told.loc[against, "text"].head(1):
            out.print(f"      - {role_name(AGAINST)}: {text}", markup=False)


def _outlook(score: Mapping[Hashable, Any]) -> str:
    """A customer's risk in words: as a percentage where the certificate lets one be shown, else by its own level.

    What health or a rule made louder is no higher chance.
    """
    return outlook(
        score["model_level"],
        score["churn_window_days"],
        chance=score["churn_probability"] if score["shown"] == PERCENT else None,
        rated=score["cohort"] == ELIGIBLE,
    )


def _parts(level_parts: object) -> str:
    """What made a level, in words: each contribution with its own level."""
    words = []
    for part in level_parts.split() if isinstance(level_parts, str) else []:
        source, *names = part.split(":")
        by = {"model": "the probability", "health": "the fall of its health"}.get(source, f"the rule {names[0]}")
        words.append("a competitor in its region" if source == "raised" else f"{by} ({level_name(names[-1])})")
    return ", ".join(words)


def own_horizon() -> str:
    """What the standing table is about."""
    return f"No order within {SHOWN_HORIZON} days"
