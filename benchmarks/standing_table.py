"""The standing table: every contestant on the same customers and dates, rules and baselines included.

Runs the product's own backtest, or reads the file that ``kizashi backtest`` wrote, and judges beside it, or instead of
it, anybody's predictions (``--contestant NAME=FILE``). Writes the tables and plots of docs/evaluation.md. Nothing is
computed here that the product does not compute: standing_field.py chooses who is judged on what, models/evaluation.py
and models/earliness.py measure, standing_page.py and standing_early.py print.

Example: python benchmarks/standing_table.py --data online_retail_ii.parquet --layout online-retail-ii
"""

import argparse
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import standing_early, standing_field, standing_page, standing_truth
from benchmarks.standing_early import BASELINE, Early
from benchmarks.standing_field import SEGMENTS, Field
from benchmarks.standing_given import RANDOM, SCORES
from benchmarks.standing_page import OWN_WINDOW, Block, Context, Page
from benchmarks.standing_truth import FILTER, LATENT
from features.errors import KizashiError, SettingsError, TooLittleData
from features.snapshots import Progress, silent
from models import evaluation
from models.folds import CHAMPION, KEYS
from models.label_free import BGNBD
from models.plots import lift_plot, reliability_plot
from models.rules import RULES
from pipelines.intake import Request, take_in
from pipelines.train import REPEATS, SHOWN_HORIZON

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"
MARKERS = ("<!-- standing table -->", "<!-- /standing table -->")

#: Set B: customers whose last order is at most so many days old.
RECENT_DAYS = 180
#: Alerts that the sales team is taken to work on per cutoff.
CAPACITY = 100
#: Beside whom is judged, whom the breakdowns and plots show: the bound, the best without labels, the plainest rule.
SHOWN = (FILTER, BGNBD.name, RULES[0].name)
JUDGED = ["contestant", *KEYS, "probability", "outcome"]
#: Customers by the spread of their gaps against the mean gap: from clockwork to bursts.
REGULAR, BURSTS = 0.5, 1.0
#: A segment of fewer rows is not shown.
MIN_SEGMENT_ROWS = 100
FOREIGN = "as whoever made the files chose it; what they had learnt from is not seen here"


@dataclass(frozen=True)
class Outcome:
    """What a prediction is judged by: its name in files, its words, and the column that holds it."""

    name: str
    words: str
    column: str

    def of(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """The rows whose outcome is known, with ``probability`` and ``outcome``."""
        named = predictions[["contestant", *KEYS]].assign(
            probability=predictions[SCORES[self.name]], outcome=predictions[self.column]
        )
        return named[JUDGED].dropna(subset="outcome").reset_index(drop=True)


FIXED = Outcome("no_order_90", f"no order within {SHOWN_HORIZON} days", f"no_order_{SHOWN_HORIZON}")
OUTCOMES = (
    FIXED,
    Outcome("own_window", "no order within the customer's own window", "churned"),
    Outcome("lost_90", f"lost {SHOWN_HORIZON} days later, by the true day of the loss", "lost_90"),
)


@dataclass(frozen=True)
class Measure:
    """How figures get their intervals: resamples of customers, alerts per cutoff, seed."""

    repeats: int = REPEATS
    capacity: int = CAPACITY
    seed: int = 0

    def rng(self) -> np.random.Generator:
        """A fresh generator, so that no figure depends on which were computed before it."""
        return np.random.default_rng(self.seed)


def block(
    letter: str,
    eligible: str,
    outcome: str,
    judged: pd.DataFrame,
    measure: Measure,
    subject: str = CHAMPION,
    ranks_only: Collection[str] = (),
) -> Block:
    """All contestants on `judged`, best AUC first, each with the subject's lead over it in AUC and Brier score."""
    table = evaluation.standing_table(
        judged, repeats=measure.repeats, capacity=measure.capacity, ranks_only=ranks_only, rng=measure.rng()
    )
    leads = [_leads(judged, name, measure, subject, ranks_only) for name in table["contestant"]]
    skill = pd.DataFrame()
    if {FILTER, BASELINE} <= set(table["contestant"]):
        skill = evaluation.achievable_share(
            judged, floor=BASELINE, ceiling=FILTER, repeats=measure.repeats, ranks_only=ranks_only, rng=measure.rng()
        )
        skill = skill[~skill["contestant"].isin([LATENT, RANDOM])]
        skill = skill.sort_values("roc_auc", ascending=False, ignore_index=True)
    table = table.join(pd.DataFrame(leads)).sort_values("roc_auc", ascending=False, ignore_index=True)
    cutoffs = tuple(sorted(pd.Timestamp(day).date() for day in judged["as_of"].unique()))
    return Block(letter, eligible, outcome, cutoffs, table, subject, skill)


def _leads(
    judged: pd.DataFrame, name: str, measure: Measure, subject: str, ranks_only: Collection[str]
) -> dict[str, float]:
    """The subject's figure minus that of `name`, paired, with its interval; NaN for the subject itself."""
    row: dict[str, float] = {}
    for metric in ("roc_auc", "brier"):
        if name == subject:
            values = (np.nan, np.nan, np.nan)
        else:
            lead = evaluation.difference(
                judged, subject, name, metric, repeats=measure.repeats, ranks_only=ranks_only, rng=measure.rng()
            )
            values = (lead.value, lead.low, lead.high)
        row |= dict(zip((f"{metric}_lead", f"{metric}_lead_low", f"{metric}_lead_high"), values, strict=True))
    return row


def by_cutoff(judged: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The standing table of every cutoff alone, with a column ``group`` that names it."""
    days = judged["as_of"].dt.strftime("%Y-%m-%d")
    return _by_group(judged, {day: days == day for day in sorted(days.unique())}, measure)


def by_history(
    predictions: pd.DataFrame, measure: Measure, subject: str = CHAMPION, ranks_only: Collection[str] = ()
) -> pd.DataFrame:
    """The standing table of :data:`SHOWN` by tenure and by number of order days, with a column ``group``.

    `predictions` have the columns :data:`standing_field.FACTS`; a group in which nobody or everybody churned is left
    out.
    """
    shown = _shown(predictions, subject)
    tenure, days = shown["days_since_first_order"], shown["order_days_ever"]
    groups = {
        "customer for under a year": tenure < 365,
        "customer for a year or more": tenure >= 365,
        "2 to 3 order days": days <= 3,
        "4 to 9 order days": (days > 3) & (days < 10),
        "10 or more order days": days >= 10,
    }
    return _by_group(shown[JUDGED], groups, measure, ranks_only)


def by_segment(
    predictions: pd.DataFrame, measure: Measure, subject: str = CHAMPION, ranks_only: Collection[str] = ()
) -> pd.DataFrame:
    """The same by rhythm class, industry and region, as far as those are known; small segments are left out.

    A rhythm is regular where the standard deviation of the gaps is below :data:`REGULAR` of their mean, irregular up
    to :data:`BURSTS`, and bursts above; it is unknown below two gaps.
    """
    shown = _shown(predictions, subject)
    groups = {}
    if "gap_cv_ever" in shown:
        spread = shown["gap_cv_ever"]
        groups = {
            "regular rhythm": spread < REGULAR,
            "irregular rhythm": spread.between(REGULAR, BURSTS),
            "bursts": spread > BURSTS,
            "rhythm unknown": spread.isna(),
        }
    for segment in (name for name in SEGMENTS if name in shown):
        groups |= {f"{segment}: {value}": shown[segment] == value for value in sorted(shown[segment].dropna().unique())}
    least = MIN_SEGMENT_ROWS * shown["contestant"].nunique()
    groups = {name: inside for name, inside in groups.items() if inside.sum() >= least}
    return _by_group(shown[JUDGED], groups, measure, ranks_only)


def _shown(predictions: pd.DataFrame, subject: str) -> pd.DataFrame:
    return predictions[predictions["contestant"].isin([subject, *SHOWN])].reset_index(drop=True)


def _by_group(
    judged: pd.DataFrame, groups: dict[str, pd.Series], measure: Measure, ranks_only: Collection[str] = ()
) -> pd.DataFrame:
    """The standing table of each group's rows, best AUC first; a group with a single outcome is left out."""
    tables = []
    for name, inside in groups.items():
        rows = judged[inside]
        if rows["outcome"].nunique() == 2:
            table = evaluation.standing_table(rows, repeats=measure.repeats, ranks_only=ranks_only, rng=measure.rng())
            tables.append(table.sort_values("roc_auc", ascending=False).assign(group=name))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def page(
    predictions: pd.DataFrame,
    context: Context,
    measure: Measure,
    progress: Progress = silent,
    field: Field | None = None,
) -> Page:
    """Every table of the report from predictions with their facts, in whatever order.

    `field` says who among them is the subject and who only ranks; without it all are the product's.

    Raises
    ------
    TooLittleData
        If no outcome is known yet.
    """
    subject = CHAMPION if field is None else field.subject
    ranks = {} if field is None else field.ranks_only
    predictions = predictions.sort_values([*KEYS, "contestant"], ignore_index=True)
    recent = predictions[predictions["days_since_last_order"] <= RECENT_DAYS]
    sets = (
        ("A", context.eligible, predictions),
        ("B", f"those of A whose last order is at most {RECENT_DAYS} days old", recent),
    )
    blocks: list[Block] = []
    asked = [outcome for outcome in OUTCOMES if outcome.column in predictions]
    for number, (letter, eligible, rows) in enumerate(sets):
        for place, outcome in enumerate(asked):
            progress(f"standing table {letter}: {outcome.words}", (number + place / len(asked)) / 2)
            judged = outcome.of(rows)
            if not judged.empty:
                rankings = ranks.get(outcome.name, ())
                blocks.append(block(letter, eligible, outcome.words, judged, measure, subject, rankings))
    if not blocks:
        raise TooLittleData("no outcome of these cutoffs is known yet: give earlier ones, or newer data.")
    matured = predictions.assign(probability=predictions[SCORES[FIXED.name]], outcome=predictions[FIXED.column])
    matured = matured.dropna(subset="outcome")
    progress("breakdowns", 0.9)
    only = ranks.get(FIXED.name, ())
    promised = matured[matured["contestant"] == subject]
    if subject in only:
        promised = promised.iloc[:0]
    return Page(
        context,
        tuple(blocks),
        by_cutoff(matured[JUDGED], measure),
        by_history(matured, measure, subject, only),
        evaluation.decile_table(promised["probability"], promised["outcome"]) if len(promised) else pd.DataFrame(),
        measure.capacity,
        measure.repeats,
        by_segment(matured, measure, subject, only),
        {} if field is None else field.costs,
        "" if field is None else field.rows,
    )


#: Without the software's version in it, the same figures give the same file.
PICTURE: dict[str, Any] = {"dpi": 80, "metadata": {"Software": None}}


def write(result: Page, predictions: pd.DataFrame, out: Path) -> None:
    """Write the tables and plots into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "standing_table.md").write_text(standing_page.summary(result), encoding="utf-8")
    (out / "standing_detail.md").write_text(standing_page.detail(result), encoding="utf-8")
    judged = FIXED.of(predictions)
    ahead = "out of time, " if result.context.split == standing_page.ROLLING else ""
    title = f"no order within {SHOWN_HORIZON} days, {ahead}set A"
    if len(result.deciles):
        promised = judged[judged["contestant"] == result.subject]
        reliability_plot(promised, title=title).savefig(out / "reliability.png", **PICTURE)
    shown = pd.concat([judged[judged["contestant"] == name] for name in (result.subject, *SHOWN)])
    lift_plot(shown, title=title).savefig(out / "lift.png", **PICTURE)


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
    parser.add_argument(
        "--contestant",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="Parquet file with customer_id, as_of, probability, judged on the same rows; may be given several times",
    )
    parser.add_argument("--no-product", action="store_true", help="train nothing: judge the files beside the rules")
    parser.add_argument("--capacity", type=int, default=CAPACITY, help="alerts per cutoff (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for tables and plots (%(default)s)")
    parser.add_argument(
        "--update-readme", action="store_true", help="copy the table into README.md; alone: without measuring again"
    )
    return parser


def measured(
    arguments: argparse.Namespace, work: Path, progress: Progress
) -> tuple[Page, tuple[Early, ...], pd.DataFrame]:
    """The report, its early-warning section, and the predictions that both are about."""
    intake = take_in(standing_field.published(Request(arguments.data, work, layout=arguments.layout)))
    field = standing_field.assemble(arguments, intake, progress)
    split = FOREIGN if arguments.no_product else standing_page.ROLLING
    origin = standing_truth.simulated_by(arguments.data)
    context = standing_page.context_of(intake, arguments.layout, command(arguments, field.cutoffs), split, origin)
    context = replace(context, folder=_shown_folder(arguments.out))
    measure = Measure(capacity=arguments.capacity, seed=intake.settings.training.seed)
    result = page(field.predictions, context, measure, progress, field)
    progress("early warning", 0.95)
    early = standing_early.measured(field.predictions, field.losses, repeats=measure.repeats, seed=measure.seed)
    return result, early, field.predictions


def _shown_folder(out: Path) -> str:
    """A folder as a reader of the project finds it; one elsewhere by its name alone."""
    place = out.resolve()
    return place.relative_to(ROOT).as_posix() if place.is_relative_to(ROOT) else place.name


def command(arguments: argparse.Namespace, cutoffs: Sequence[date]) -> str:
    """The command that gives the same tables again; files by their names alone."""
    data = arguments.data if "://" in arguments.data else Path(arguments.data).name
    layout = f" --layout {arguments.layout}" if arguments.layout else ""
    period = f"--from {cutoffs[0]} --to {cutoffs[-1]}"
    again = f"python benchmarks/standing_table.py --data {data}{layout} {period}"
    for name, _, file in (spec.partition("=") for spec in arguments.contestant):
        again += f" --contestant {name}={Path(file).name}"
    again += " --no-product" if arguments.no_product else ""
    return again if arguments.capacity == CAPACITY else f"{again} --capacity {arguments.capacity}"


def run(arguments: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    from pipelines import console
    from pipelines.settings import prepare_environment

    if arguments.data:
        with tempfile.TemporaryDirectory(prefix="kizashi-standing-") as work:
            prepare_environment(Path(work))
            with console.bar() as report:
                result, early, predictions = measured(arguments, Path(work), report)
        write(result, predictions, arguments.out)
        console.out.print(standing_page.summary(result), markup=False, soft_wrap=True)
        if early:
            head = standing_page.head(result)
            given = [spec.partition("=")[0] for spec in arguments.contestant]
            shown = list(dict.fromkeys([result.subject, OWN_WINDOW, BASELINE, *given, BGNBD.name, FILTER, LATENT]))
            standing_early.write(early, shown, head, arguments.out, PICTURE)
            console.out.print(standing_early.page(early, head), markup=False, soft_wrap=True)
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
