"""The early-warning section: every contestant at the same number of new warnings, against when customers were lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.standing_given import WARNS_BY
from benchmarks.standing_page import OWN_WINDOW, figure, markdown, named
from benchmarks.standing_truth import Losses
from models.earliness import ALL, EARLY, OVERDUE, RANDOM, USUAL, Terms, earliness_table
from models.folds import CHAMPION, KEYS
from models.plots import earliness_plot
from models.rules import RULES

#: The rule that the others are compared with.
BASELINE = RULES[1].name
FILE = "early_warning.md"
PLOTS = {EARLY: "early_warning.png", ALL: "early_warning_one_list.png"}
QUEUES = {
    EARLY: "Not yet overdue: within their own window",
    OVERDUE: "Overdue: silent for longer than their own window",
    ALL: "All customers: both in one list",
}


@dataclass(frozen=True)
class Early:
    """Early warning against one kind of loss; `table` is that of :func:`models.earliness.earliness_table`."""

    losses: Losses
    table: pd.DataFrame
    terms: Terms


def measured(
    predictions: pd.DataFrame,
    kinds: Sequence[Losses],
    *,
    repeats: int,
    seed: int,
    terms: Terms = USUAL,
) -> tuple[Early, ...]:
    """Early warning against each kind of loss; nothing where the cutoffs are too few for a new warning.

    All answer one question, no order within the fixed horizon, as far as they answer any; the champion stands there
    once more with the chance for the customer's own window, which its levels go by. `predictions` have what every
    contestant warns by, ``overdue``, and ``revenue_365d``: a loss costs the revenue of the year before the last cutoff
    before it.
    """
    rows = predictions[["contestant", *KEYS, "overdue"]].assign(probability=predictions[WARNS_BY])
    champion = rows["contestant"] == CHAMPION
    levels = rows[champion].assign(contestant=OWN_WINDOW, probability=predictions.loc[champion, "churn_probability"])
    rows = pd.concat([rows, levels], ignore_index=True)
    sales = predictions.drop_duplicates(KEYS)[[*KEYS, "revenue_365d"]].sort_values("as_of")
    found = []
    for kind in kinds:
        events = kind.events[kind.events["customer_id"].isin(rows["customer_id"])]
        events = with_revenue(events, sales)
        table = earliness_table(
            rows,
            events,
            known_until=kind.known_until,
            baseline=BASELINE,
            terms=terms,
            repeats=repeats,
            rng=np.random.default_rng(seed),
        )
        if len(table):
            found.append(Early(kind, table, terms))
    return tuple(found)


def with_revenue(events: pd.DataFrame, sales: pd.DataFrame) -> pd.DataFrame:
    """The losses with the ``revenue`` that each cost: `sales` are revenues by ``as_of``, sorted by it."""
    before = sales.rename(columns={"as_of": "event_at", "revenue_365d": "revenue"})
    joined = pd.merge_asof(
        events.astype({"event_at": "datetime64[us]"}).sort_values("event_at"),
        before.astype({"event_at": "datetime64[us]"}),
        on="event_at",
        by="customer_id",
    )
    return joined.assign(revenue=joined["revenue"].clip(lower=0).fillna(0))


def write(sections: Sequence[Early], shown: Sequence[str], head: str, out: Path, options: dict[str, Any]) -> None:
    """Write the section and its plots into a folder; `shown` are the contestants of the plots."""
    (out / FILE).write_text(page(sections, head), encoding="utf-8")
    first = sections[0]
    for queue, name in _plots(first).items():
        title = f"{QUEUES[queue].split(':')[0].lower()}, {first.terms.per_100_a_month:g} warnings per 100 and month"
        plot = earliness_plot(first.table, contestants=[*shown, RANDOM], queue=queue, title=title)
        plot.savefig(out / name, **options)


def _plots(section: Early) -> dict[str, str]:
    return {queue: name for queue, name in PLOTS.items() if (section.table["queue"] == queue).any()}


def page(sections: Sequence[Early], head: str) -> str:
    """The section as Markdown."""
    terms = sections[0].terms
    parts = [
        "# Early warning",
        head,
        f"Every contestant opens {terms.per_100_a_month:g} new warnings per 100 customers and month, counted in "
        f"episodes: a warning is over after more than {terms.closed_after_days} days below the threshold, and a lost "
        "customer who stays high is one warning. Warnings that stand when the dates begin are not new. Thresholds are "
        "found on the dates that are judged. *Warned*: share of losses with a new warning that opened so many days "
        f"before, and at most {terms.hit_within_days}. *Precision*: share of new warnings followed by the loss within "
        f"{terms.hit_within_days} days, among those old enough to tell; a dash where none is. *Already lost*: share of "
        "new warnings that came after the loss. *Standing*: share of customers under a warning at a date. *Revenue*: "
        "share of the lost revenue that was newly warned about before the loss. In brackets 95 % intervals over "
        "customers, paired for the last column. What each figure means: `docs/evaluation.md`.",
    ]
    for section in sections:
        parts.append(f"## Loss: {section.losses.words}\n\nLosses are known until {section.losses.known_until}.")
        for queue, rows in section.table.groupby("queue", sort=False):
            parts.append(_queue(str(queue), rows, section.terms))
    plots = [f"![Share of losses warned about against days ahead]({name})" for name in _plots(sections[0]).values()]
    return "\n\n".join([*parts, *plots]) + "\n"


def _queue(queue: str, rows: pd.DataFrame, terms: Terms) -> str:
    facts = rows.iloc[0]
    counts = ", ".join(f"{facts[f'losses_{days}']:,} at {days}" for days in terms.leads)
    columns = [
        *((f"warned_{days}", f"warned >= {days} days ahead", 3) for days in terms.leads),
        ("precision", "precision", 3),
        ("already_lost", "already lost", 3),
        ("revenue_recall", "revenue", 3),
        ("warnings_per_100", "new warnings per 100 and month", 2),
        ("standing", "standing", 3),
        ("times_baseline", "times the cycle rule, >= 60 days", 2),
    ]
    order = rows.sort_values("warned_60", ascending=False, kind="stable")
    body = [
        [named(row["contestant"]), *(figure(row, name, digits) for name, _, digits in columns)]
        for row in order.to_dict("records")
    ]
    return (
        f"**{QUEUES[queue]}.** {facts['n_customers']:,} customers, {facts['months']:,.0f} customer-months. Losses that "
        f"could have been warned about so many days ahead: {counts}.\n\n"
        + markdown(["contestant", *(words for _, words, _ in columns)], body)
    )
