"""The standing table: every contestant on the same customers and dates, rules and baselines included.

Runs the product's own backtest, or reads the file that ``kizashi backtest`` wrote, and writes the tables and plots of
docs/evaluation.md. Nothing is computed here that the product does not compute: this file only chooses who is judged
on what, models/evaluation.py measures, standing_page.py prints.

Example: python benchmarks/standing_table.py --data online_retail_ii.parquet --layout online-retail-ii
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import standing_page
from benchmarks.standing_page import Block, Context, Page
from features.errors import KizashiError, SettingsError
from features.snapshots import Progress, monthly, silent, take
from models import evaluation
from models.folds import CHAMPION, KEYS
from models.label_free import BGNBD
from models.plots import lift_plot, reliability_plot
from models.rules import RULES
from pipelines.intake import Intake, Request, take_in
from pipelines.replay import COLUMNS, backtest
from pipelines.train import REPEATS, SHOWN_HORIZON, judged_rows

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"
MARKERS = ("<!-- standing table -->", "<!-- /standing table -->")

#: Set B: customers whose last order is at most so many days old.
RECENT_DAYS = 180
#: Alerts that the sales team is taken to work on per cutoff.
CAPACITY = 100
#: First and last cutoff where neither is given, by layout.
REPORTED = {"online-retail-ii": (date(2011, 5, 1), date(2011, 9, 1))}
#: Other data: as many of the newest months whose outcome is known.
NEWEST_MONTHS = 6
#: Contestants of the breakdowns and the lift plot: the product, the best model without labels, the plainest rule.
SHOWN = (CHAMPION, BGNBD.name, RULES[0].name)
#: What a prediction is joined with to form set B and the groups.
FACTS = ("days_since_last_order", "days_since_first_order", "order_days_ever")
JUDGED = ["contestant", *KEYS, "probability", "outcome"]
OWN_WINDOW = "no order within the customer's own window"


@dataclass(frozen=True)
class Measure:
    """How figures get their intervals: resamples of customers, alerts per cutoff, seed."""

    repeats: int = REPEATS
    capacity: int = CAPACITY
    seed: int = 0

    def rng(self) -> np.random.Generator:
        """A fresh generator, so that no figure depends on which were computed before it."""
        return np.random.default_rng(self.seed)


def with_facts(predictions: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """Predictions beside what was known of each customer at the cutoff (:data:`FACTS`).

    Raises
    ------
    InvalidPredictions
        If a predicted customer is not in the snapshots: the predictions are of other data.
    """
    joined = predictions.merge(facts, on=KEYS, how="left", validate="many_to_one")
    stray = joined.loc[joined["order_days_ever"].isna(), "customer_id"]
    if len(stray):
        raise evaluation.InvalidPredictions(
            f"{len(stray)} predictions are of customers that the data does not have at that date, such as "
            f"{stray.iloc[0]!r}: give the file that was made from this data."
        )
    return joined


def judged_own_window(predictions: pd.DataFrame) -> pd.DataFrame:
    """The rows of wholly matured dates, judged by no order within the customer's own window."""
    named = predictions.rename(columns={"churn_probability": "probability", "churned": "outcome"})
    return named[JUDGED].dropna(subset="outcome").reset_index(drop=True)


def block(letter: str, eligible: str, outcome: str, judged: pd.DataFrame, measure: Measure) -> Block:
    """All contestants on `judged`, best AUC first, each with the champion's lead over it in AUC and Brier score."""
    table = evaluation.standing_table(judged, repeats=measure.repeats, capacity=measure.capacity, rng=measure.rng())
    leads = [_leads(judged, name, measure) for name in table["contestant"]]
    table = table.join(pd.DataFrame(leads)).sort_values("roc_auc", ascending=False, ignore_index=True)
    cutoffs = tuple(sorted(pd.Timestamp(day).date() for day in judged["as_of"].unique()))
    return Block(letter, eligible, outcome, cutoffs, table)


def _leads(judged: pd.DataFrame, name: str, measure: Measure) -> dict[str, float]:
    """The champion's figure minus that of `name`, paired, with its interval; NaN for the champion itself."""
    row: dict[str, float] = {}
    for metric in ("roc_auc", "brier"):
        if name == CHAMPION:
            values = (np.nan, np.nan, np.nan)
        else:
            lead = evaluation.difference(judged, CHAMPION, name, metric, repeats=measure.repeats, rng=measure.rng())
            values = (lead.value, lead.low, lead.high)
        row |= dict(zip((f"{metric}_lead", f"{metric}_lead_low", f"{metric}_lead_high"), values, strict=True))
    return row


def by_cutoff(judged: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The standing table of every cutoff alone, with a column ``group`` that names it."""
    days = judged["as_of"].dt.strftime("%Y-%m-%d")
    return _by_group(judged, {day: days == day for day in sorted(days.unique())}, measure)


def by_history(predictions: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The standing table of :data:`SHOWN` by tenure and by number of order days, with a column ``group``.

    `predictions` have the columns :data:`FACTS`; a group in which nobody or everybody churned is left out.
    """
    shown = predictions[predictions["contestant"].isin(SHOWN)].reset_index(drop=True)
    tenure, days = shown["days_since_first_order"], shown["order_days_ever"]
    groups = {
        "customer for under a year": tenure < 365,
        "customer for a year or more": tenure >= 365,
        "2 to 3 order days": days <= 3,
        "4 to 9 order days": (days > 3) & (days < 10),
        "10 or more order days": days >= 10,
    }
    return _by_group(shown[JUDGED], groups, measure)


def _by_group(judged: pd.DataFrame, groups: dict[str, pd.Series], measure: Measure) -> pd.DataFrame:
    """The standing table of each group's rows, best AUC first; a group with a single outcome is left out."""
    tables = []
    for name, inside in groups.items():
        rows = judged[inside]
        if rows["outcome"].nunique() == 2:
            table = evaluation.standing_table(rows, repeats=measure.repeats, rng=measure.rng())
            tables.append(table.sort_values("roc_auc", ascending=False).assign(group=name))
    return pd.concat(tables, ignore_index=True)


def page(predictions: pd.DataFrame, context: Context, measure: Measure, progress: Progress = silent) -> Page:
    """Every table of the report from predictions that carry :data:`FACTS`; their order does not matter."""
    predictions = predictions.sort_values([*KEYS, "contestant"], ignore_index=True)
    recent = predictions[predictions["days_since_last_order"] <= RECENT_DAYS]
    sets = (
        ("A", context.eligible, predictions),
        ("B", f"those of A whose last order is at most {RECENT_DAYS} days old", recent),
    )
    blocks: list[Block] = []
    for letter, eligible, rows in sets:
        fixed, own = judged_rows(rows, SHOWN_HORIZON), judged_own_window(rows)
        for outcome, judged in ((f"no order within {SHOWN_HORIZON} days", fixed), (OWN_WINDOW, own)):
            progress(f"standing table {letter}: {outcome}", len(blocks) / 4)
            if not judged.empty:
                blocks.append(block(letter, eligible, outcome, judged, measure))
    named = {f"p_no_order_{SHOWN_HORIZON}": "probability", f"no_order_{SHOWN_HORIZON}": "outcome"}
    matured = predictions.rename(columns=named).dropna(subset="outcome")
    champion = matured[matured["contestant"] == CHAMPION]
    progress("breakdowns", 0.9)
    return Page(
        context,
        tuple(blocks),
        by_cutoff(matured[JUDGED], measure),
        by_history(matured, measure),
        evaluation.decile_table(champion["probability"], champion["outcome"]),
        measure.capacity,
        measure.repeats,
    )


def write(result: Page, predictions: pd.DataFrame, out: Path) -> None:
    """Write the tables and plots into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "standing_table.md").write_text(standing_page.summary(result), encoding="utf-8")
    (out / "standing_detail.md").write_text(standing_page.detail(result), encoding="utf-8")
    judged = judged_rows(predictions, SHOWN_HORIZON)
    title = f"no order within {SHOWN_HORIZON} days, out of time, set A"
    # Without the software's version in it, the same figures give the same file.
    options: dict[str, Any] = {"dpi": 80, "metadata": {"Software": None}}
    champion = judged[judged["contestant"] == CHAMPION]
    reliability_plot(champion, title=title).savefig(out / "reliability.png", **options)
    shown = pd.concat([judged[judged["contestant"] == name] for name in SHOWN])
    lift_plot(shown, title=title).savefig(out / "lift.png", **options)


def update_readme(readme: Path = README, table: Path = RESULTS / "standing_table.md") -> bool:
    """Put the table between the README's markers; whether that changed anything.

    Raises
    ------
    SettingsError
        If the README does not have both markers once, in this order.
    """
    text = readme.read_text(encoding="utf-8")
    start, end = (text.find(marker) for marker in MARKERS)
    if start < 0 or end < start or any(text.count(marker) != 1 for marker in MARKERS):
        raise SettingsError(f"{readme.name}: expected {' ... '.join(MARKERS)} once. Put both where the table belongs.")
    new = f"{text[: start + len(MARKERS[0])]}\n{table.read_text(encoding='utf-8').strip()}\n{text[end:]}"
    if new != text:
        readme.write_text(new, encoding="utf-8")
    return new != text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Write the standing table: every contestant on the same customers and dates.",
        epilog="Example: python benchmarks/standing_table.py --data online_retail_ii.parquet --layout online-retail-ii",
    )
    parser.add_argument("--data", help="folder, file or database URL, as for `kizashi backtest`")
    parser.add_argument("--layout", default="", help="ready column mapping, such as online-retail-ii")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, help="first cutoff")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, help="last cutoff; one a month until then")
    parser.add_argument("--predictions", type=Path, help="file of `kizashi backtest`, instead of running it")
    parser.add_argument("--capacity", type=int, default=CAPACITY, help="alerts per cutoff (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for tables and plots (%(default)s)")
    parser.add_argument(
        "--update-readme", action="store_true", help="copy the table into README.md; alone: without measuring again"
    )
    return parser


def _period(arguments: argparse.Namespace, intake: Intake) -> tuple[date, date]:
    """First and last cutoff: as given, else those that are always reported, else the newest matured months."""
    newest = intake.as_of - timedelta(days=SHOWN_HORIZON)
    first, last = REPORTED.get(arguments.layout, (None, newest))
    last = arguments.last or last
    return arguments.first or first or monthly(intake.first_order(), last)[-NEWEST_MONTHS:][0], last


def _predictions(arguments: argparse.Namespace, intake: Intake, progress: Progress) -> pd.DataFrame:
    if arguments.predictions is None:
        return backtest(intake, *_period(arguments, intake), progress=progress).predictions
    predictions = pd.read_parquet(arguments.predictions)
    missing = [name for name in COLUMNS if name not in predictions]
    if missing:
        raise evaluation.InvalidPredictions(
            f"{arguments.predictions.name}: columns are missing: {missing}. Give a file that `kizashi backtest` wrote."
        )
    day = predictions["as_of"].dt.date
    kept = (day >= (arguments.first or date.min)) & (day <= (arguments.last or date.max))
    return predictions[kept].reset_index(drop=True)


def measured(arguments: argparse.Namespace, work: Path, progress: Progress) -> tuple[Page, pd.DataFrame]:
    """The report and the predictions that it is about."""
    intake = take_in(Request(arguments.data, work, layout=arguments.layout))
    predictions = _predictions(arguments, intake, progress)
    cutoffs = [pd.Timestamp(day).date() for day in sorted(predictions["as_of"].unique())]
    snapshots = take(intake.events, cutoffs, cohort=intake.cohort(), window=intake.window(), progress=progress).frame
    predictions = with_facts(predictions, snapshots[[*KEYS, *FACTS]])
    context = standing_page.context_of(intake, arguments.layout, command(arguments, cutoffs))
    measure = Measure(capacity=arguments.capacity, seed=intake.settings.training.seed)
    return page(predictions, context, measure, progress), predictions


def command(arguments: argparse.Namespace, cutoffs: Sequence[date]) -> str:
    """The command that gives the same tables again; files by their names alone."""
    data = arguments.data if "://" in arguments.data else Path(arguments.data).name
    layout = f" --layout {arguments.layout}" if arguments.layout else ""
    period = f"--from {cutoffs[0]} --to {cutoffs[-1]}"
    again = f"python benchmarks/standing_table.py --data {data}{layout} {period}"
    return again if arguments.capacity == CAPACITY else f"{again} --capacity {arguments.capacity}"


def run(arguments: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    from pipelines import console
    from pipelines.settings import prepare_environment

    if arguments.data:
        with tempfile.TemporaryDirectory(prefix="kizashi-standing-") as work:
            prepare_environment(Path(work))
            with console.bar() as report:
                result, predictions = measured(arguments, Path(work), report)
        write(result, predictions, arguments.out)
        console.out.print(standing_page.summary(result), markup=False, soft_wrap=True)
    elif not arguments.update_readme:
        raise SettingsError("give --data, the orders to measure on, or --update-readme. --help says more.")
    if arguments.update_readme:
        update_readme(table=arguments.out / "standing_table.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; a user's mistake is one line and exit code 2."""
    try:
        run(_parser().parse_args(arguments))
    except (KizashiError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
