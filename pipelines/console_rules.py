"""What the command line shows of rules on the company's own past, and of the weights of the health; the page, too."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE
from rich.table import Table

from models.claims import NEVER, OTHER
from models.health import Shares
from models.health_weight_history import WeightsChange
from models.health_weights import Learned
from models.rule_record import RANDOM_DRAWS
from models.track_record import Share
from pipelines.console import bar, out
from pipelines.economics import opened_safely
from pipelines.rule_report import CYCLE, MODEL, RuleReport

__all__ = ["bar", "files", "history", "in_use", "learned", "markdown", "reverted", "rules", "write"]

READING = (
    "new: warnings that opened after the first date; one goes on until the rule has been silent for 45 days. lost: of "
    "them, no order within the own window, with the 95% interval. 60 days: share of the losses with a new "
    "warning 60 to 180 days before the order that never came was due. chance, cycle, model: what as many warnings "
    "drawn by lot, by the silence in own cycles and by the model's probability would have reached; none where no "
    "threshold opens as many. + and -: surely above or below chance. lead: median days from the first warning to the "
    "loss. long: share of those warned about 60 days before or more. warned: share of the losses warned about at all."
)
NO_MODEL = "No model stands beside: write a file with `kizashi backtest` and give it with --predictions."
_SIGNS = {1.0: " +", -1.0: " -"}
_WHY = {
    "too few losses": "too few customers were lost, or kept, to learn from",
    "health tells nothing": "no weights tell who was lost",
    "worse out of time": "what was learned is surely worse on the newest dates",
}


def rules(found: RuleReport) -> None:
    """Everything that was found: the table, the rules that cannot speak, how early."""
    headings, rows = _cells(found)
    out.print(_title(found), markup=False)
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False, caption=READING, caption_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place < 2 else "right", no_wrap=True)
    for place, row in enumerate(rows):
        later = found.table["kind"].iloc[place + 1] if place + 1 < len(rows) else ""
        table.add_row(*row, end_section=later != found.table["kind"].iloc[place])
    out.print(table)
    for line in _told(found):
        out.print(line, markup=False)


def markdown(found: RuleReport, title: str, command: str) -> str:
    """The page of a report.

    Parameters
    ----------
    title
        What the data are.
    command
        What makes the page again.
    """
    headings, rows = _cells(found)
    lines = [f"# Rules on the past of {title}", "", f"Made by `{command}`.", "", f"{_title(found)}.", ""]
    lines += [f"| {' | '.join(headings)} |", f"|---|---|{'---:|' * (len(headings) - 2)}"]
    lines += [f"| {' | '.join((f'`{row[0]}`', *row[1:]))} |" for row in rows]
    lines += ["", READING, "", *(f"- {line}" for line in _told(found))]
    return "\n".join(lines) + "\n"


def write(found: RuleReport, csv: Path | None, page: Path | None, command: str) -> list[Path]:
    """Write the figures as CSV and the page as Markdown, whichever is asked for; returns the files."""
    written = [path for path in (csv, page) if path is not None]
    for path in written:
        path.parent.mkdir(parents=True, exist_ok=True)
    if csv is not None:
        opened_safely(found.table).to_csv(csv, index=False)
    if page is not None:
        page.write_text(markdown(found, "this company", command), encoding="utf-8")
    return written


def files(written: Sequence[Path]) -> None:
    """Where everything is."""
    if written:
        out.print(f"Written: {', '.join(map(str, written))}", markup=False)


def held(limits: Mapping[str, str]) -> None:
    """What rules and falls of the health may give from now on."""
    if not limits:
        out.print("From now on every rule and every fall of the health gives the level that it was declared with.")
    for what, level in limits.items():
        told = "only marks, and gives no level" if level == "none" else f"gives {level} at most"
        out.print(f"From now on {what} {told}: its warnings of the past surely break what its level promises.")


def learned(found: Learned, used: Shares) -> None:
    """Weights of the profile, in use and learned, and what the learned ones are worth on later dates."""
    weights = {"set": found.old, "in use": used, "learned": found.new}
    _weights(weights, "Weights of the health score, per cent")
    seen = f"{found.n:,} matured snapshots of {found.n_customers:,} customers, {found.n_lost:,} of them lost"
    if found.why != "learned":
        out.print(f"The weights stay as they are set: {_WHY[found.why]} ({seen}).", markup=False)
    else:
        out.print(f"Learned from {seen}.", markup=False)
    if found.gain is None:
        out.print("What they are worth out of time could not be tried: too little matured before the newest dates.")
    else:
        gain = found.gain
        out.print(
            f"On the newest dates, with weights learned before them: AUC {found.new_auc:.3f} against "
            f"{found.old_auc:.3f} with the set ones, a difference of {gain.value:+.3f} (95% interval {gain.low:+.3f} "
            f"to {gain.high:+.3f}).",
            markup=False,
        )


def in_use(used: Shares, set_ones: Shares, follows: bool) -> None:
    """The weights in use, without learning any."""
    _weights({"set": set_ones, "in use": used}, "Weights of the health score, per cent")
    if not follows:
        out.print("The daily run uses those that are set: [health] learned is false.", markup=False)


def changed(record: WeightsChange | None, follows: bool) -> None:
    """What was put in use."""
    if record is None:
        out.print("These weights are in use already, nothing changed.", markup=False)
        return
    out.print(f"In use from now on: {_listed(record.new)}. `kizashi health revert` goes back.", markup=False)
    if not follows:
        out.print("The daily run follows them with learned = true under [health] in kizashi.toml.", markup=False)


def reverted(record: WeightsChange) -> None:
    """What was gone back to."""
    out.print(f"In use again: {_listed(record.new)}. Before: {_listed(record.old)}.", markup=False)


def history(changes: Sequence[WeightsChange]) -> None:
    """Every change of the weights, the newest first."""
    if not changes:
        out.print("No weights were ever changed: those of the settings are in use.", markup=False)
    for one in reversed(changes):
        out.print(f"{one.at:%Y-%m-%d %H:%M} UTC, {one.what} by {one.who}: {one.why}", markup=False)
        out.print(f"  from {_listed(one.old)}", markup=False)
        out.print(f"  to   {_listed(one.new)}", markup=False)


def _weights(sets: dict[str, Shares], title: str) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("dimension")
    for name in sets:
        table.add_column(name, justify="right")
    for dimension in next(iter(sets.values())).dimensions:
        table.add_row(dimension, *(f"{asdict(one)[dimension]:g}" for one in sets.values()))
    out.print(table)


def _listed(weights: Any) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in weights.items())


def _title(found: RuleReport) -> str:
    return (
        f"Rules at {len(found.dates) - 1} dates after {found.dates[0]} until {found.dates[-1]}: {found.customers:,} "
        f"customers, {_percent(found.churned)} of {found.rows:,} rows without an order in the own window, "
        f"{found.losses:,} losses"
    )


def _cells(found: RuleReport) -> tuple[list[str], list[list[str]]]:
    others = [("random", "chance"), (CYCLE, CYCLE), *([(MODEL, MODEL)] if found.with_model else [])]
    headings = ["rule", "row", "level", "new", "lost", *(name for _, name in others), "60 days"]
    headings += [*(name for _, name in others), "lead", "long", "warned"]
    rows = []
    for row in found.table.to_dict("records"):
        beside = {name: [_percent(row[f"{one}_{name}"]) for one, _ in others] for name in ("precision", "warned_60")}
        lost = _percent(row["precision"])
        if row["matured"]:
            lost += f" [{100 * row['precision_low']:.0f}, {100 * row['precision_high']:.0f}]"
        rows.append(
            [
                str(row["what"]),
                row["row"] or "",
                row["level"] if row["level"] != "none" else "",
                f"{row['episodes']:,}",
                lost + _SIGNS.get(row["right_than_chance"], ""),
                *beside["precision"],
                (_percent(row["warned_60"]) if row["episodes"] else "-") + _SIGNS.get(row["early_than_chance"], ""),
                *beside["warned_60"],
                "-" if pd.isna(row["lead_days"]) else f"{row['lead_days']:.0f}",
                _percent(row["lead_60_share"]),
                _percent(row["warned"]) if row["episodes"] else "-",
            ]
        )
    return headings, rows


def _told(found: RuleReport) -> list[str]:
    """What stands below the table."""
    leads, chance, ahead = found.leads, found.chance, found.ahead
    lines = [] if found.with_model else [NO_MODEL]
    alone = found.table[found.table["kind"] != "together"]
    never = alone.loc[alone["rows"] == 0, "what"]
    for code, columns in found.silent.items():
        lines.append(f"Silent: {code}, because nothing tells {', '.join(columns)}.")
    if quiet := [code for code in never if code not in found.silent]:
        lines.append(f"Never fired, though it could: {', '.join(quiet)}.")
    lines.append(
        f"Rules with a level and health together (RB-13): {leads.warned:,} of {leads.losses:,} losses were warned "
        f"about before they fell (by lot {_percent(chance.warned)}), the median {_days(leads.median_days)} ahead (by "
        f"lot {_days(chance.lead_days)}), {_told_share(leads.long)} of them 60 days or more (by lot "
        f"{_percent(chance.long)}). The trade claims two to three months."
    )
    lines.append(
        f"First warned about three to six months before (HR-01): {_told_share(ahead.in_time)} of {ahead.in_time.n:,} "
        f"losses that could be (by lot {_percent(chance.in_time)}); three months or more: "
        f"{_told_share(ahead.or_earlier)} (by lot {_percent(chance.or_earlier)}). The trade claims it of over 70% of "
        "companies, not of losses."
    )
    names = {OTHER: "no such stage, or lost already", NEVER: "never before the loss"}
    stages = "; ".join(f"{names.get(name, name)} {_percent(share.value)}" for name, share in found.stages.items())
    lines.append(f"Stage at the first warning of a loss (WL-09): {stages}.")
    lines.append(f"By lot: means over {RANDOM_DRAWS} draws in the table. {found.window}")
    return lines


def _told_share(share: Share) -> str:
    if share.n == 0:
        return "-"
    return f"{_percent(share.value)} [{_percent(share.low)}, {_percent(share.high)}]"


def _days(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.0f} days"


def _percent(share: float) -> str:
    if pd.isna(share):
        return "-"
    return f"{share:.1%}" if 0 < share < 0.02 else f"{share:.0%}"
