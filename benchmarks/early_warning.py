"""How early losses to come are warned about: the learner of models/early.py beside rules, chance and oracles.

At each cutoff it learns what was known then, from monthly snapshots. What it says of everybody is kept as a file that
the standing table takes as one more contestant: ``--contestant early=early.parquet``.

Example: python benchmarks/early_warning.py --data world-normal --from 2025-08-01 --to 2026-07-01
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks import standing_early, standing_given, standing_truth
from benchmarks.standing_given import WARNS_BY, Given
from benchmarks.standing_page import DISTRIBUTIONS
from benchmarks.standing_truth import Truth
from features.errors import KizashiError
from features.snapshots import ELIGIBLE, SnapshotTable, monthly, silent, take
from models.early import Early
from models.folds import KEYS, WalkOptions, training_at, with_rhythms
from models.levels import OVERDUE, queue_of
from models.rules import RULES
from pipelines.intake import Intake, Request, take_in
from pipelines.train import REPEATS

OUT = Path(__file__).parent / "results" / "early"
FILE = "early.parquet"
NAME = "early"
#: Snapshots are learnt from so many days after the first order.
RUN_IN_DAYS = 60
USUAL = Early()


def snapshots(intake: Intake, last: date) -> SnapshotTable:
    """Monthly snapshots with label-free log-odds, up to the last cutoff."""
    dates = monthly(intake.first_order() + timedelta(days=RUN_IN_DAYS), last)
    table = take(intake.events, dates, cohort=intake.cohort(), window=intake.window(), options=intake.options())
    return with_rhythms(table, intake.walk_options(), silent)


def predictions(
    table: SnapshotTable, cutoffs: Sequence[date], options: WalkOptions, learner: Early = USUAL
) -> pd.DataFrame:
    """The place of each customer of the cohort among those not overdue at each cutoff.

    Returns
    -------
    DataFrame
        ``customer_id``, ``as_of``, ``probability``: 1 the first to warn about, 0 for the overdue, and for all of a
        cutoff by which too little could be learnt.
    """
    parts = []
    for day in pd.to_datetime(list(cutoffs)):
        here = table.frame[(table.frame["as_of"] == day) & (table.frame["cohort"] == ELIGIBLE)]
        fitted = learner.fit(training_at(table, day, options))
        score = np.zeros(len(here)) if fitted is None else fitted.places(here)
        parts.append(here[KEYS].assign(probability=score))
    return pd.concat(parts, ignore_index=True)


def contestants(said: pd.DataFrame, cohort: pd.DataFrame, truth: Truth | None) -> pd.DataFrame:
    """Everybody on the rows of the cohort, with what the early-warning tables need of a row.

    An oracle that does not speak of all of them is left out.
    """
    score = cohort[KEYS].merge(said, on=KEYS, how="left", validate="one_to_one")["probability"].to_numpy()
    given: list[Given] = [standing_given.ranking(NAME, cohort[KEYS], score), *standing_given.rules(cohort)]
    if truth is not None:
        given += [oracle for oracle in truth.contestants(cohort) if len(oracle.frame) == len(cohort)]
    facts = cohort[[*KEYS, "revenue_365d"]].assign(overdue=queue_of(cohort) == OVERDUE, churn_probability=np.nan)
    parts = [one.frame[[*KEYS, WARNS_BY]].merge(facts, on=KEYS).assign(contestant=one.name) for one in given]
    return pd.concat(parts, ignore_index=True)


def measured(
    data: str, layout: str, first: date, last: date, work: Path, repeats: int = REPEATS
) -> tuple[pd.DataFrame, tuple[standing_early.Early, ...]]:
    """What is said of everybody, and the early-warning tables of it.

    Raises
    ------
    KizashiError
        For data and dates that do not fit each other.
    """
    intake = take_in(Request(data, work, layout=layout))
    truth = standing_truth.read(data)
    table, cutoffs = snapshots(intake, last), monthly(first, last)
    options = intake.walk_options()
    said = predictions(table, cutoffs, options)
    held = table.frame["as_of"].isin(pd.to_datetime(cutoffs)) & (table.frame["cohort"] == ELIGIBLE)
    rows = contestants(said, table.frame[held].reset_index(drop=True), truth)
    until = intake.observed_until
    losses = standing_truth.losses_by_orders(table, until) if truth is None else standing_truth.true_losses(truth)
    return said, standing_early.measured(rows, losses, repeats=repeats, seed=options.seed)


def head(arguments: argparse.Namespace) -> str:
    """Where the figures come from."""
    from importlib.metadata import version

    made = standing_truth.simulated_by(arguments.data) or "real orders"
    name = Path(arguments.data).name
    layout = f" --layout {arguments.layout}" if arguments.layout else ""
    versions = ", ".join(f"{one} {version(one)}" for one in DISTRIBUTIONS)
    return (
        f"Made by `python benchmarks/early_warning.py --data {name}{layout} --from {arguments.first} --to "
        f"{arguments.last}`\n\n- data: {name}, {made}\n- *early*: ranked by the chance of a loss to come "
        "(`models/early.py`), learnt at each cutoff from monthly snapshots and what was known by then; by place within "
        f"the date\n- versions: {versions}"
    )


def main(given: Sequence[str] | None = None) -> int:
    """Run the command; a user's mistake is one line and exit code 2."""
    parser = argparse.ArgumentParser(description="Write how early losses to come are warned about.")
    parser.add_argument("--data", required=True, help="folder or file of a company")
    parser.add_argument("--layout", default="", help="ready column mapping, such as online-retail-ii")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True, help="first cutoff")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True, help="last cutoff")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for tables and plots (%(default)s)")
    arguments = parser.parse_args(given)
    from pipelines.settings import prepare_environment

    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as work:
            prepare_environment(Path(work))
            found = measured(arguments.data, arguments.layout, arguments.first, arguments.last, Path(work))
    except (KizashiError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    said, sections = found
    said.to_parquet(arguments.out / FILE)
    if sections:
        shown = [NAME, *(rule.name for rule in RULES)]
        standing_early.write(
            sections, shown, head(arguments), arguments.out, {"dpi": 80, "metadata": {"Software": None}}
        )
        print(standing_early.page(sections, head(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
