"""The contestants of the benchmark of the feature engine: each call is one process that works bucket by bucket.

What a bucket gives is written to a Parquet file and dropped, so the memory that is needed is that of one bucket.
"""

import argparse
import json
import resource
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from features.buckets import Events, read_events
from features.sql import path_sql, quiet_connection

END = date(2025, 1, 1)
#: What the listed features aggregate.
RELATIONS = ("order_days", "gaps", "products", "product_lines")


def cutoffs_of(number: int) -> list[date]:
    """So many monthly cutoffs, the newest at the end of the lines."""
    from features.snapshots import monthly

    return monthly(date(2022, 1, 1), END)[-number:]


def product(events: Events, as_ofs: Sequence[date], out: Path) -> None:
    """The listed features by the product."""
    from benchmarks.feature_rivals import names

    _build(events, as_ofs, out, names())


def product_as_pandas(events: Events, as_ofs: Sequence[date], out: Path) -> None:
    """Only the features that pandas computes, by the product."""
    from benchmarks.feature_pandas import NAMES

    _build(events, as_ofs, out, NAMES)


def everything(events: Events, as_ofs: Sequence[date], out: Path) -> None:
    """All features that the lines give by the product, those against peers in a second pass over what was written."""
    import pyarrow.parquet as pq

    from features import peers
    from features.options import resolved
    from features.snapshots import Cohort, Window, cohort_of, finish

    _build(events, as_ofs, out, None, lambda frame: frame.assign(cohort=cohort_of(frame, Cohort())))
    with quiet_connection() as con:
        levels = peers.market_levels(f"SELECT * FROM read_parquet({path_sql(out, '*.parquet')})", con, events.columns)
    for file in sorted(out.glob("*.parquet")):
        frame = pq.read_table(file).to_pandas()
        finish(frame, levels, Window(), events.columns, resolved({})).to_parquet(file, index=False)


def _build(
    events: Events,
    as_ofs: Sequence[date],
    out: Path,
    only: Sequence[str] | None,
    then: Callable = lambda frame: frame,
) -> None:
    from features import building, cutoffs
    from features.snapshots import all_starts

    starts = all_starts(events)
    for bucket in range(events.buckets):
        with events.connect(bucket) as con:
            cutoffs.lay_out_time(con)
            frame = building.build(con, as_ofs, events.columns, starts=starts, only=only)
        then(frame).to_parquet(out / f"{bucket:04}.parquet", index=False)
        _tell(bucket)


def by_hand(events: Events, as_ofs: Sequence[date], out: Path) -> None:
    """The listed features by hand-written SQL, over the same files one bucket after another."""
    from benchmarks.feature_rivals import write_by_hand

    for bucket in range(events.buckets):
        with quiet_connection() as con:
            write_by_hand(con, _files(events, [bucket]), as_ofs, str(out / f"{bucket:04}.parquet"))
        _tell(bucket)


def by_hand_at_once(events: Events, as_ofs: Sequence[date], out: Path) -> None:
    """The same SQL over all customers at once."""
    from benchmarks.feature_rivals import write_by_hand

    with quiet_connection(temp_directory=str(out / "spilled")) as con:
        write_by_hand(con, _files(events, range(events.buckets)), as_ofs, str(out / "0000.parquet"))


def by_pandas(events: Events, as_ofs: Sequence[date], out: Path) -> None:
    """The part of the list that plain pandas says in few lines, one cutoff after another, all customers at once."""
    import pandas as pd

    from benchmarks.feature_pandas import features_at

    columns = ["customer_id", "order_id", "ordered_at", "known_at", "amount", "quantity", "margin", "product_id"]
    places = [file.strip("'") for file in _files(events, range(events.buckets))]
    lines = pd.concat([pd.read_parquet(place, columns=columns) for place in places], ignore_index=True)
    for name in ("amount", "quantity", "margin"):
        lines[name] = lines[name].astype("float64")
    found = pd.concat([features_at(lines, pd.Timestamp(as_of)) for as_of in as_ofs], ignore_index=True)
    found.to_parquet(out / "0000.parquet", index=False)


def by_relation(events: Events, as_ofs: Sequence[date], out: Path) -> None:
    """CPU seconds of the product by what it aggregates: writes ``relations.json`` instead of features."""
    from benchmarks.feature_rivals import names
    from features import building, cutoffs
    from features.registry import REGISTRY, available

    available(events.columns)  # registers the features
    seconds: dict[str, float] = {}

    def timed(step: str, work: Callable[[], object]) -> None:
        before = _cpu_seconds()
        work()
        seconds[step] = seconds.get(step, 0.0) + _cpu_seconds() - before

    for bucket in range(events.buckets):
        with events.connect(bucket) as con:
            timed("laid out once", lambda con=con: cutoffs.lay_out_time(con))
            for over in RELATIONS:
                only = [name for name in names() if REGISTRY[name].over == over]
                timed(over, lambda con=con, only=only: building.build(con, as_ofs, events.columns, only=only))
    (out / "relations.json").write_text(json.dumps(seconds), encoding="utf-8")


def _files(events: Events, buckets: Sequence[int]) -> list[str]:
    names = [name for bucket in buckets for name in events.files(bucket) if name.startswith("transactions/")]
    return [path_sql(Path(str(events.folder)) / name) for name in names]


def _tell(bucket: int) -> None:
    """Say how far the process is and what it has taken so far, for whoever watches a run of hours."""
    print(bucket + 1, round(_cpu_seconds(), 1), flush=True)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


CONTESTANTS: dict[str, Callable[[Events, Sequence[date], Path], None]] = {
    one.__name__: one
    for one in (product, product_as_pandas, everything, by_hand, by_hand_at_once, by_pandas, by_relation)
}


def main(given: Sequence[str] | None = None) -> int:
    """Run one contestant."""
    parser = argparse.ArgumentParser(
        description="Run one contestant of the benchmark of features over a folder of clean events.",
        epilog="Example: python benchmarks/feature_runs.py product var/lines/events --cutoffs 24 --out var/product",
    )
    parser.add_argument("contestant", choices=sorted(CONTESTANTS))
    parser.add_argument("events", type=Path)
    parser.add_argument("--cutoffs", type=int, default=24)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(given)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for old in arguments.out.glob("*.parquet"):
        old.unlink()
    events, as_ofs = read_events(arguments.events), cutoffs_of(arguments.cutoffs)
    CONTESTANTS[arguments.contestant](events, as_ofs, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
