"""What the command line shows of accounts: one at a date, notes, statistics, and what the tables leave blank."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
from rich.markup import escape
from rich.table import Table

from features.blanks import Blank
from features.briefs import AccountBrief
from features.profiles import Item
from features.statistics import Statistics, Totals
from pipelines.accounts import AccountStory
from pipelines.console import STYLES, bar, out
from serving.wording import level_name, quantity

__all__ = ["account", "bar", "blanks_list", "notes_table", "statistics_table"]

#: Rows of the category clocks, the notes and the people that are shown; the file of `--json` holds all.
SHOWN = 8
#: Characters of an event's or a note's text on one line.
LINE = 110
#: Items of the profile that are amounts of money, whole or by the names of their parts.
_MONEY = {"cumulative_sales", "sales_gross_profit", "sales_of_last_month", "owed", "overdue", "amount", "credit_limit"}


def account(told: AccountStory, currency: str, events: int) -> None:
    """One account for a sales manager: to be read in a minute."""
    brief = told.brief
    _head(told)
    _items("Card", brief.card, currency)
    _items("Profile", brief.profile, currency)
    _issues(brief, currency)
    _clocks(brief, currency)
    _people(brief)
    if brief.notes.empty:
        out.print("Notes: none.")
    else:
        notes_table(brief.notes.head(SHOWN), f"Notes, the newest of {len(brief.notes)}")
    _events(brief, currency, events)


def _head(told: AccountStory) -> None:
    brief = told.brief
    name, region = brief.file.get("name") or "", brief.file.get("region")
    known = {"rank": brief.card["abc_class"].value, "owner": brief.owner, "region": region}
    who = ", ".join(f"{what} {value or 'not known'}" for what, value in known.items())
    out.print(f"[bold]{escape(f'{brief.customer_id} {name}'.strip())}[/] as of {brief.as_of}: {escape(who)}")
    if len(brief.owners) > 1:
        spans = "; ".join(f"{one.owner or 'not known'} until {one.until}" for one in brief.owners[:-1])
        out.print(f"Owners before: {spans}.", markup=False)
    person, score = brief.newest("risk"), told.score
    by_person = f"{person['new']} ({person['author'] or 'unknown'}, {_day(person['changed_at'])})" if person else "none"
    engine = "nothing published"
    if score:
        level = f"[{STYLES[score['level']]}]{level_name(score['level'])}[/]"
        chance = score["churn_probability"]
        sure = "" if chance is None else f", {chance:.0%} chance of no order in {score['churn_window_days']:.0f} days"
        engine = f"{level}{sure} (of {_day(score['as_of'])})"
    out.print(f"Risk: a person says {escape(by_person)}; the engine says {engine}.")
    if brief.budget_months:
        near = ": it is now or next month" if brief.budget_is_near else ""
        out.print(f"Budget settled in month {', '.join(map(str, brief.budget_months))}{near}.", markup=False)
    action = brief.next_action
    if action:
        planned = f"{action.planned_on}: " if action.planned_on else ""
        out.print(
            f"Next action: {planned}{action.text} (for {action.owner or 'nobody'}, noted {_day(action.noted_at)}).",
            markup=False,
        )
    else:
        out.print("Next action: none planned.")


def _items(title: str, items: Mapping[str, Item], currency: str) -> None:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, item in items.items():
        shown = _shown(name, item.value, currency)
        table.add_row(_words(name), escape(f"{shown} ({item.note})" if item.note else shown))
    out.print(table)


def _shown(name: str, value: Any, currency: str) -> str:
    """A value of the profile in words; parts that are not known are left out."""
    if isinstance(value, Mapping):
        parts = {key: _shown(key, part, currency) for key, part in value.items() if part is not None}
        return ", ".join(f"{_words(key).lower()} {part}" for key, part in parts.items()) or "-"
    if value is None:
        return "-"
    if name in _MONEY and isinstance(value, Decimal | float | int):
        return quantity(float(value), "money", currency=currency)
    if name.endswith("fill_rate_365d"):
        return f"{value:.0%}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return _day(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _day(moment: Any) -> str:
    return "" if pd.isna(moment) else f"{moment:%Y-%m-%d}"


def _issues(brief: AccountBrief, currency: str) -> None:
    unknown = "; ".join(f"{kind} (source absent: {source})" for kind, source in brief.issues.unknown.items())
    if unknown:
        out.print(f"Not known whether open: {unknown}.", markup=False)
    if brief.issues.table.empty:
        out.print("Open issues: none.")
        return
    table = Table(title=f"Open issues: {len(brief.issues.table)}", title_justify="left")
    for heading in ("kind", "what", "since", "days", "amount"):
        table.add_column(heading, justify="right" if heading in ("days", "amount") else "left", overflow="fold")
    for row in brief.issues.table.to_dict("records"):
        amount = quantity(row["amount"], "money", currency=currency)
        table.add_row(row["kind"], escape(row["what"]), _day(row["since"]), str(row["days"]), amount)
    out.print(table)


def _clocks(brief: AccountBrief, currency: str) -> None:
    clocks = brief.clocks
    if clocks.empty:
        out.print("Category clocks: nothing was bought in 455 days that bears a product or a product line.")
        return
    shown = clocks.sort_values(["lapsed_revenue", "revenue_365d"], ascending=False, kind="stable").head(SHOWN)
    title = f"Category clocks: {clocks['overdue'].sum()} of {len(clocks)} overdue"
    table = Table(title=title, title_justify="left")
    for heading in ("category", "last bought", "usual cycle", "cycles passed", "12 months", "lapsed"):
        table.add_column(heading, justify="left" if heading in ("category", "last bought") else "right")
    for row in shown.to_dict("records"):
        cycle = "" if pd.isna(row["cycle_days"]) else f"{quantity(row['cycle_days'], 'days')} ({row['cycle_of']})"
        passed = "" if pd.isna(row["overdue_cycles"]) else f"{row['overdue_cycles']:.1f}"
        money = [quantity(row[name], "money", currency=currency) for name in ("revenue_365d", "lapsed_revenue")]
        style = "bold" if row["overdue"] else ""
        table.add_row(escape(row["category"]), _day(row["last_bought"]), cycle, passed, *money, style=style)
    out.print(table)


def _people(brief: AccountBrief) -> None:
    shown = [
        ", ".join(str(row[part]) for part in ("name", "title", "department", "role") if not pd.isna(row[part]))
        + (f" (last contact {_day(row['last_contact'])})" if _day(row["last_contact"]) else "")
        for row in brief.people.head(SHOWN).to_dict("records")
    ]
    out.print(f"People: {'; '.join(shown) or 'nobody is on file'}.", markup=False)


def _events(brief: AccountBrief, currency: str, number: int) -> None:
    every = brief.timeline
    out.print(f"Timeline, the last {min(number, len(every))} of {len(every)} events:")
    for row in every.tail(number).iloc[::-1].to_dict("records"):
        amount = quantity(row["amount"], "money", currency=currency)
        words = "; ".join(part for part in (amount, row["detail"]) if part)
        out.print(f"  {_day(row['happened_at'])} {row['kind']}: {_line(words)}".rstrip(": "), markup=False)


def _line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LINE else f"{text[: LINE - 3]}..."


def notes_table(found: pd.DataFrame, title: str) -> None:
    """Notes with their tags, the newest first."""
    table = Table(title=escape(title), title_justify="left")
    of_many = "customer_id" in found
    for heading in (*(("customer",) if of_many else ()), "day", "author", "tags", "note"):
        table.add_column(heading, overflow="fold")
    for row in found.to_dict("records"):
        who = (row["customer_id"],) if of_many else ()
        author = "" if pd.isna(row["author"]) else row["author"]
        cells = (*who, _day(row["changed_at"]), author, ", ".join(row["tags"]), row["text"])
        table.add_row(*(escape(cell) for cell in cells))
    out.print(table)


def statistics_table(found: Statistics, as_of: date) -> None:
    """Sales, orders and gross profit by a dimension, with the grand total."""
    table = Table(title=f"Cumulative, by {found.by}, known before {as_of}", title_justify="left")
    for heading in (found.by, "customers", "orders", "sales", "gross profit"):
        table.add_column(heading, justify="left" if heading == found.by else "right")
    for value, sums in found.rows.items():
        table.add_row(escape(value), *_figures(sums))
    table.add_section()
    table.add_row("all", *_figures(found.total), style="bold")
    out.print(table)
    if found.note:
        out.print(f"{found.note[0].upper()}{found.note[1:]}.", markup=False)


def _figures(sums: Totals) -> tuple[str, ...]:
    profit = "-" if sums.gross_profit is None else f"{sums.gross_profit:,.2f}"
    return f"{sums.customers:,}", f"{sums.orders:,}", f"{sums.sales:,.2f}", profit


def blanks_list(found: Iterable[Blank], off: pd.DataFrame) -> None:
    """What the tables leave blank, and how many features are off because of what is not there."""
    for one in found:
        more = ", ..." if one.rows > len(one.first) else ""
        out.print(
            f"  {one.table}: {one.words} - {one.rows:,} of {one.of:,} ({', '.join(one.first)}{more})", markup=False
        )
    if len(off):
        counts = ", ".join(f"{source} ({count})" for source, count in off["missing"].value_counts().items())
        out.print(f"Not there, and so many features off: {counts}. `kizashi features` names them.", markup=False)
