"""What the command line shows of warnings in money."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from models.economics import MARGIN, replacement_cost
from models.folds import CHAMPION
from pipelines.console import bar, out
from pipelines.economics import OWN, Economics
from serving.wording import quantity

__all__ = ["bar", "economics", "files"]

#: Thresholds that are shown; the file has all.
SHOWN = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
READING = (
    "right: lost from that date on. caught: lost customers with a new warning. older: lost under a warning that stood "
    "before; the rest was missed. What they did, they did without our contacts."
)
MUST_KEEP = "must keep: the share of the losses that contacts must prevent to pay for themselves."
#: What a missing number is called.
_NUMBERS = {
    "contact_cost": "what a contact costs (contact_cost)",
    "save_rate": "the share of losses that a contact prevents (save_rate)",
    "margin_share": "the share of revenue that is margin (margin_share)",
}


def economics(found: Economics, currency: str) -> None:
    """Everything that was found, the answer first and what it rests on last."""
    _stake(found, currency)
    shown = found.capacities[found.capacities["capacity"].isin(found.asked)]
    _policies(shown.sort_values("capacity", kind="stable"), "capacity", found, currency)
    chosen = found.thresholds["threshold"].isin(SHOWN) & (found.thresholds["contestant"] == CHAMPION)
    _policies(found.thresholds[chosen], "threshold", found, currency)
    out.print(READING, markup=False)
    if found.numbers.contact_cost is not None:
        out.print(MUST_KEEP, markup=False)
    _profit(found, currency)
    _holdout(found)


def files(written: Sequence[Path]) -> None:
    """Where everything is."""
    out.print(f"All capacities, thresholds and customers: {', '.join(map(str, written))}", markup=False)


def _stake(found: Economics, currency: str) -> None:
    sums = found.customers[["value_at_risk", "expected_loss"]].sum()
    what = "margin" if found.measure == MARGIN else "net revenue, as the orders have no margins,"
    lost = "own window" if found.horizon == OWN else f"next {found.horizon} days"
    value, loss = (quantity(float(sums[name]), "money", currency=currency) for name in sums.index)
    out.print(
        f"Value at risk on {found.customers['as_of'].iloc[0]:%Y-%m-%d}: {value} of {what} in 12 months, seasonally "
        f"adjusted, of {len(found.customers):,} customers.",
        markup=False,
    )
    out.print(f"Expected loss: {loss} (no order in the {lost}).", markup=False)


def _policies(rows: pd.DataFrame, key: str, found: Economics, currency: str) -> None:
    """One line per policy: how many contacts, what came of them, what they cost."""
    by_score, priced = key == "capacity", found.numbers.contact_cost is not None
    title = "Contacting so many a month by each score" if by_score else "Contacting from a probability of the champion"
    one = rows.iloc[0]
    lost = quantity(float(one["lost_value"]), "money", currency=currency)
    table = Table(
        title=f"{title}, {found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}: {one['lost']:,.0f} lost with {lost}",
        title_justify="left",
        caption="95% intervals: Wilson for right, else bootstrap over customers",
        caption_justify="left",
    )
    first = ("a month", "contestant") if by_score else ("from",)
    names = (*first, "contacts", "right", "caught", "older", "value caught", "older", "ordered again")
    for name in (*names, *(("cost", "must keep") if priced else ())):
        left = name == "contestant"
        table.add_column(name, justify="left" if left else "right", no_wrap=left)
    for place, row in enumerate(rows.to_dict("records")):
        if by_score and place and row["capacity"] != rows["capacity"].iloc[place - 1]:
            table.add_section()
        cost = (quantity(row["cost"], "money", currency=currency), _share(row, "break_even_save_rate"))
        table.add_row(
            f"{row[key]:g}",
            *((row["contestant"],) if by_score else ()),
            f"{row['warnings']:,.0f}",
            _share(row, "precision"),
            f"{row['caught']:,.0f}",
            f"{row['under_older']:,.0f}",
            _share(row, "caught_value_share"),
            _percent(row["under_older_value"] / row["lost_value"]) if row["lost_value"] > 0 else "-",
            f"{row['false_alarms']:,.0f}",
            *(cost if priced else ()),
        )
    out.print(table)


def _share(row: dict[Any, Any], name: str) -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    return "-" if np.isnan(value) else f"{_percent(value)} [{_percent(low)}, {_percent(high)}]"


def _percent(share: float) -> str:
    if np.isnan(share) or share > 1:
        return "-" if np.isnan(share) else ">100%"
    return f"{share:.1%}" if 0 < share < 0.02 else f"{share:.0%}"


def _profit(found: Economics, currency: str) -> None:
    """The profit, or which number is missing for it."""
    missing = found.numbers.missing(found.measure)
    if missing:
        words = " and ".join(_NUMBERS[name] for name in missing)
        out.print(f"No profit is computed: not set under [economics] is {words}.", markup=False)
    if found.numbers.contact_cost is not None and "margin_share" in missing:
        out.print('"must keep" counts all revenue as earned: read it as "at least".', markup=False)
    champion = found.capacities[found.capacities["contestant"] == CHAMPION]
    rate = found.numbers.save_rate
    if rate is not None and not missing:
        for row in champion[champion["capacity"].isin(found.asked)].to_dict("records"):
            three = (quantity(row[f"profit{end}"], "money", currency=currency) for end in ("", "_low", "_high"))
            profit, low, high = three
            out.print(
                f"At {row['capacity']:g} a month, had contacts kept {100 * rate:g}% of the losses (your number, not a "
                f"result): profit {profit} [{low}, {high}].",
                markup=False,
            )
    if not found.sensitivity.empty:
        _sensitivity(found, currency)
    lost = float(champion["lost"].iloc[0])
    replaced = replacement_cost(lost, found.numbers)
    if replaced is not None and found.numbers.replacement_multiple is not None:
        low, high = (quantity(end, "money", currency=currency) for end in replaced)
        times = " to ".join(f"{end:g}" for end in found.numbers.replacement_multiple)
        out.print(
            f"New customers in the place of those {lost:,.0f}: {low} to {high}, at {times} times the cost of keeping "
            "one (your multiple, not a result).",
            markup=False,
        )


def _sensitivity(found: Economics, currency: str) -> None:
    table = Table(title="Profit by save rate: arithmetic, not a claim", title_justify="left")
    table.add_column("a month", justify="right")
    rates = [str(name) for name in found.sensitivity if name != "capacity"]
    for name in rates:
        table.add_column(f"{float(name):.0%} kept", justify="right")
    for row in found.sensitivity.to_dict("records"):
        table.add_row(
            f"{row['capacity']:g}", *(quantity(float(row[name]), "money", currency=currency) for name in rates)
        )
    out.print(table)


def _holdout(found: Economics) -> None:
    """What a group that is left alone could prove in a year."""
    table = Table(
        title="The smallest save rate that a year of warnings could prove",
        title_justify="left",
        caption="a share left alone, drawn at random; 80% power, 95% confidence",
        caption_justify="left",
    )
    shares = list(found.holdout["holdout_share"].unique())
    for heading in ("a month", "warnings a year", "lost of them", *(f"{share:.0%} left alone" for share in shares)):
        table.add_column(heading, justify="right")
    for capacity, rows in found.holdout.groupby("capacity"):
        one = rows.iloc[0]
        proven = ("none" if np.isnan(rate) else f"{rate:.0%}" for rate in rows["provable_save_rate"])
        table.add_row(f"{capacity:g}", f"{one['warnings_a_year']:,.0f}", _percent(one["lost"]), *proven)
    out.print(table)
    out.print("Nothing is called saved without a group that was left alone.", markup=False)
