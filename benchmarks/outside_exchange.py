"""The exchange: one folder per cutoff with all that a contestant from outside may know, in plain files.

The product reads and checks the data, says who is eligible and what came of earlier cutoffs; nothing else of it goes
into the files::

    FOLDER/<cutoff>/task.json        as_of, horizon_days, seed, threads
    FOLDER/<cutoff>/orders.parquet   customer_id, order_id, ordered_at, known_at, amount, quantity, product_id: clean
                                     order lines, credit notes with negative amounts
    FOLDER/<cutoff>/rows.parquet     customer_id, as_of, role, outcome, days_to_next_order, observed_days

Of the rows, those with the role ``train`` are the snapshots whose outcome had matured by the cutoff, with the outcome
(1.0: no order within the horizon) and the days to the next order (NaN where none was seen in ``observed_days``); those
with the role ``test`` are to be predicted, and say nothing of what came. A contestant is given the folder of one cutoff
at a time.

Example: python benchmarks/outside_exchange.py --data orders/ --from 2026-01-01 --to 2026-06-01 --out var/exchange
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from benchmarks.standing_field import published
from features.buckets import Events
from features.errors import KizashiError, SettingsError
from features.labels import no_order_within
from features.snapshots import ELIGIBLE, SnapshotTable, take
from features.sql import text_sql
from models.folds import KEYS, MIN_ELIGIBLE
from pipelines.intake import Intake, Request, take_in

ORDERS = "orders.parquet"
ROWS = "rows.parquet"
TASK = "task.json"
TRAIN, TEST = "train", "test"
OUTCOMES = ["outcome", "days_to_next_order", "observed_days"]


@dataclass(frozen=True)
class Task:
    """What a contestant is asked: P(no order in [as_of, as_of + horizon_days)) of every row to be predicted."""

    as_of: str
    horizon_days: int
    seed: int
    threads: int


@dataclass(frozen=True)
class Limits:
    """What may be learnt from at a cutoff: how long an outcome takes, how late the books are, how many dates."""

    horizon_days: int
    latency_days: int = 0
    max_slices: int = 36


def exchange(intake: Intake, first: date, last: date, horizon_days: int, folder: Path) -> list[date]:
    """Write the folder of every cutoff from `first` to `last`, a month apart, and return the cutoffs.

    They are those of the product's own backtest, and what may be learnt from is what the product may learn from.

    Raises
    ------
    SettingsError
        If there is no such cutoff, or one that has no eligible customers or nothing to learn from.
    """
    dates = intake.dates_until(last)
    cutoffs = [day for day in dates if day >= first]
    if not cutoffs:
        raise SettingsError(f"no cutoff from {first} to {last} has a past to look back on: give a later --from.")
    options = intake.walk_options()
    limits = Limits(horizon_days, options.invoice_latency_days, options.max_slices)
    reach = intake.reach(dates, cutoffs[0])
    table = take(intake.events, reach, cohort=intake.cohort(), window=intake.window())
    for cutoff in cutoffs:
        rows = rows_at(table, cutoff, limits)
        missing = {TRAIN, TEST} - set(rows["role"])
        if missing:
            raise SettingsError(
                f"{cutoff}: expected at least {MIN_ELIGIBLE} eligible customers and outcomes known by then, found no "
                f"{' and no '.join(sorted(missing))} rows. Give a later --from, or more history."
            )
        place = folder / str(cutoff)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        rows.to_parquet(place / ROWS, index=False)
        write_orders(intake.events, cutoff, place / ORDERS)
        task = Task(str(cutoff), horizon_days, options.seed, options.threads)
        (place / TASK).write_text(json.dumps(asdict(task), indent=2) + "\n", encoding="utf-8")
    return cutoffs


def rows_at(table: SnapshotTable, cutoff: date, limits: Limits) -> pd.DataFrame:
    """The rows of one cutoff: the eligible customers of earlier dates that had matured by it, and its own.

    Returns
    -------
    DataFrame
        ``customer_id``, ``as_of`` (datetime64), ``role`` (``train`` or ``test``), ``outcome``, ``days_to_next_order``
        and ``observed_days`` (float64; NaN in every row to be predicted). Ordered by (as_of, customer_id).
    """
    stand = pd.Timestamp(cutoff)
    frame = table.frame[(table.frame["cohort"] == ELIGIBLE) & (table.frame["as_of"] <= stand)]
    frame = frame[frame.groupby("as_of")["customer_id"].transform("size") >= MIN_ELIGIBLE]
    # Outcomes as the books had them at the cutoff, not as they turned out to be.
    known = table.outcomes(cutoff - timedelta(days=limits.latency_days)).loc[frame.index]
    outcome = no_order_within(known, limits.horizon_days).where(frame["as_of"] < stand)
    rows = frame[KEYS].assign(
        role=(frame["as_of"] == stand).map({True: TEST, False: TRAIN}),
        outcome=outcome,
        days_to_next_order=known["days_to_next_order"].where(outcome.notna()),
        observed_days=known["observed_days"].astype("float64").where(outcome.notna()),
    )
    newest = sorted(rows.loc[rows["role"] == TRAIN, "as_of"].unique())[-limits.max_slices :]
    learnt = outcome.notna() & rows["as_of"].isin(newest)
    return rows[learnt | (rows["role"] == TEST)].sort_values(["as_of", "customer_id"], ignore_index=True)


def write_orders(events: Events, cutoff: date, path: Path) -> None:
    """Write the clean order lines that had happened and were known before `cutoff`, one bucket after another."""
    query = (
        "SELECT customer_id, order_id, CAST(ordered_at AS TIMESTAMP) AS ordered_at, CAST(known_at AS TIMESTAMP) AS "
        "known_at, CAST(amount AS DOUBLE) AS amount, CAST(quantity AS DOUBLE) AS quantity, product_id "
        f"FROM transactions WHERE greatest(ordered_at, known_at) < {text_sql(str(cutoff))}::TIMESTAMP "
        "ORDER BY ALL"
    )
    writer: pq.ParquetWriter | None = None
    for bucket in range(events.buckets):
        with events.connect(bucket) as con:
            lines = con.sql(query).to_arrow_table()
        writer = writer or pq.ParquetWriter(path, lines.schema)
        writer.write_table(lines)
    if writer is not None:
        writer.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Write what a contestant from outside may know at each cutoff, in plain files.",
        epilog="Example: python benchmarks/outside_exchange.py --data orders/ --from 2026-01-01 --to 2026-06-01 "
        "--out var/exchange",
    )
    parser.add_argument("--data", required=True, help="folder, file or database URL, as for `kizashi backtest`")
    parser.add_argument("--layout", default="", help="ready column mapping, such as online-retail-ii")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True, help="first cutoff")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True, help="last cutoff")
    parser.add_argument("--horizon", type=int, default=90, help="days without an order that count (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder for one folder per cutoff")
    return parser


def main(given: Sequence[str] | None = None) -> int:
    """Run the command; a user's mistake is one line and exit code 2."""
    from pipelines.settings import prepare_environment

    arguments = _parser().parse_args(given)
    with tempfile.TemporaryDirectory(prefix="kizashi-exchange-") as work:
        prepare_environment(Path(work))
        try:
            intake = take_in(published(Request(arguments.data, Path(work), layout=arguments.layout)))
            cutoffs = exchange(intake, arguments.first, arguments.last, arguments.horizon, arguments.out)
        except (KizashiError, FileNotFoundError) as error:
            print(error, file=sys.stderr)
            return 2
    print(f"{len(cutoffs)} cutoffs in {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
