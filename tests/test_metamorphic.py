"""A feed that is shuffled, doubled and late ends in the same snapshots as the clean one.

The same rows reach the ingest in another way: in any order, some of them twice, spread over deliveries that come long
after the rows were recorded, one delivery taken in after the other. What was known at a past midnight depends on when a
row was recorded, not on when and how often it was delivered.
"""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from two_clocks import Tables, nasty, simulated

from features import snapshots
from features.buckets import Events
from features.quarantine import IngestReport, ingest
from features.sources import open_source

CUTOFFS = (date(2024, 9, 1), date(2025, 6, 12))
DELIVERIES = 4
WORLDS = {"world": simulated, "nasty": nasty}


def taken_in(source: Path, out: Path, buckets: int) -> IngestReport:
    return ingest(
        open_source(source),
        out,
        run_at=datetime(2030, 1, 1, tzinfo=UTC),
        timezone="UTC",
        max_share=1,
        buckets=buckets,
    )


def snapshots_of(events: Events) -> pd.DataFrame:
    return snapshots.take(events, CUTOFFS, cohort=snapshots.Cohort(), window=snapshots.Window()).frame


def clean_feed(tables: Tables, folder: Path) -> Events:
    """Every table in one file, in one delivery; of rows that the contract takes for the same, the first."""
    source = folder / "clean"
    source.mkdir(parents=True)
    for name, table in tables.items():
        table.to_parquet(source / f"{name}.parquet", index=False)
    return taken_in(source, folder / "clean-events", buckets=1).events


def unkind_feed(tables: Tables, folder: Path, seed: int) -> tuple[Events, int]:
    """The same rows in several deliveries; the events, and how many rows came twice."""
    rng = np.random.default_rng(seed)
    source = folder / "unkind"
    parts: list[dict[str, pd.DataFrame]] = [{} for _ in range(DELIVERIES)]
    doubled = 0
    for name, table in tables.items():
        if name == "customers":  # accounts must be known before their rows
            parts[0][name] = table.sample(frac=1, random_state=seed)
            continue
        again = table.sample(frac=0.2, random_state=seed)
        doubled += len(again)
        rows = pd.concat([table, again]).sample(frac=1, random_state=seed + 1)
        delivery = rng.integers(0, DELIVERIES, len(rows))
        for number in range(DELIVERIES):
            parts[number][name] = rows[delivery == number]
    for number, delivered in enumerate(parts):
        for name, rows in delivered.items():
            (source / name).mkdir(parents=True, exist_ok=True)
            rows.to_parquet(source / name / f"delivery-{number}.parquet", index=False)
        report = taken_in(source, folder / "unkind-events", buckets=3)
    return report.events, doubled


@pytest.mark.parametrize("world", WORLDS)
def test_a_shuffled_doubled_and_late_feed_ends_in_the_same_snapshots(world: str, tmp_path: Path) -> None:
    tables = dict(WORLDS[world]())
    for name, table in tables.items():  # exact duplicates in the world itself are another test's subject
        tables[name] = table.drop_duplicates(ignore_index=True)
    clean = clean_feed(tables, tmp_path)
    unkind, doubled = unkind_feed(tables, tmp_path, seed=3)
    assert doubled > 100
    assert unkind.fingerprint == clean.fingerprint
    pd.testing.assert_frame_equal(snapshots_of(unkind), snapshots_of(clean), check_exact=True)


def test_a_feed_that_lost_one_row_is_told_from_the_clean_one(tmp_path: Path) -> None:
    tables = dict(simulated())
    clean = clean_feed(tables, tmp_path / "whole")
    lines = tables["transactions"]
    known = lines[lines["recorded_at"] < pd.Timestamp(CUTOFFS[0])]
    less = clean_feed(tables | {"transactions": lines.drop(known.index[-1])}, tmp_path / "less")
    assert less.fingerprint != clean.fingerprint
    assert not snapshots_of(less).equals(snapshots_of(clean))
