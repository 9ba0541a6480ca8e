"""What the command line shows of features, options and probes."""

import pandas as pd
from rich.markup import escape
from rich.table import Table

from pipelines.console import bar, out
from pipelines.leaks import Finding

__all__ = ["bar", "features_table", "leaks_table", "options_table"]

PROBES = {
    "future_blind": "Sees the future",
    "single_feature": "One feature knows the outcome",
    "shuffled_outcomes": "Learns from shuffled outcomes",
    "end_of_data": "Knows where the data end",
    "last_week": "The last week is not whole",
    "not_run": "Not run",
}


def features_table(listed: pd.DataFrame) -> None:
    """Every feature on a line of its own, by source."""
    covered = "missing_share" in listed
    table = Table(title=f"{len(listed)} features", title_justify="left")
    for heading in ("feature", "source", "days", "unit", *(("from", "missing") if covered else ()), "meaning"):
        table.add_column(heading, justify="right" if heading in ("days", "missing") else "left", overflow="fold")
    for row in listed.to_dict("records"):
        days = "" if pd.isna(row["window_days"]) else str(row["window_days"])
        since = "absent" if covered and pd.isna(row["covered_from"]) else str(row.get("covered_from"))
        known = (since, f"{row['missing_share']:.0%}") if covered else ()
        name = f"{row['feature']}{' (own)' if row['own'] else ''}"
        table.add_row(*(escape(str(cell)) for cell in (name, row["source"], days, row["unit"], *known, row["meaning"])))
    out.print(table)


def options_table(listed: pd.DataFrame) -> None:
    """Every option with its value in force."""
    table = Table(title="Options of features: [features.options] in kizashi.toml", title_justify="left")
    for heading in ("option", "value", "default", "unit", "meaning"):
        table.add_column(heading, overflow="fold")
    for row in listed.to_dict("records"):
        shown = [", ".join(cell) if isinstance(cell, tuple) else str(cell) for cell in row.values()]
        table.add_row(*(escape(cell) for cell in shown))
    out.print(table)


def leaks_table(findings: tuple[Finding, ...]) -> None:
    """What every probe found, and who is to blame."""
    table = Table(title="Probes", title_justify="left")
    for heading in ("probe", "result", "culprit", "what was measured"):
        table.add_column(heading, overflow="fold")
    for one in findings:
        result = "-" if one.probe == "not_run" else "passed" if one.passed else "[bold red]FAILED[/]"
        culprit = f"{one.culprit} (own)" if one.own else one.culprit
        table.add_row(PROBES[one.probe], result, escape(culprit), escape(one.words))
    out.print(table)
    failed = sum(not one.passed for one in findings)
    out.print("No leak was found." if not failed else f"{failed} probes failed: mend or leave out what they name.")
