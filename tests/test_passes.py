"""Snapshots on disk, bucket by bucket: the same as those in memory, with their outcomes, whoever computes them."""

from datetime import date

import pandas as pd
import pytest
from orders import ingested, world_lines

from features.errors import SourceError
from features.passes import take_parts
from features.snapshots import ELIGIBLE, Cohort, Window, take

DATES = (date(2024, 9, 1), date(2025, 3, 1))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    events = ingested(world_lines(), folder / "data", 3)
    parts = folder / "parts"
    parts.mkdir()
    return take(events, DATES, cohort=Cohort(), window=Window()), take_parts(
        events, DATES, parts, cohort=Cohort(), window=Window()
    )


def whole(frames):
    return pd.concat(frames).sort_values(["as_of", "customer_id"], ignore_index=True)


def test_the_parts_together_are_the_table(both):
    table, parts = both
    frames = [parts.frame(bucket) for bucket in range(3)]
    assert all(len(frame) for frame in frames)
    pd.testing.assert_frame_equal(whole(frames), table.frame, check_exact=True)


def test_the_outcomes_of_the_parts_are_those_of_the_table(both):
    table, parts = both
    until = date(2025, 6, 1)
    found = []
    for bucket in range(3):
        part = parts.table(bucket)
        found.append(part.outcomes(until))
    pd.testing.assert_frame_equal(whole(found), table.outcomes(until), check_exact=True)


def test_medians_are_those_of_the_eligible_of_the_date(both):
    table, parts = both
    here = table.frame[(table.frame["as_of"] == pd.Timestamp(DATES[1])) & (table.frame["cohort"] == ELIGIBLE)]
    medians = parts.medians(DATES[1])
    for name in ("revenue_90d", "days_since_last_order", "order_days_90d_vs_peers"):
        assert medians[name] == pytest.approx(here[name].median(), rel=1e-12)


def test_some_columns_of_all_customers_are_read_without_the_others(both):
    table, parts = both
    names = {"customer_id", "as_of", "segment", "revenue_90d", "open_months", "no_such_column"}
    found = parts.columns(names)
    assert set(found.columns) == names - {"no_such_column"}
    frames = [parts.frame(bucket)[list(found.columns)] for bucket in range(3)]
    pd.testing.assert_frame_equal(found, pd.concat(frames, ignore_index=True), check_exact=True)
    pd.testing.assert_frame_equal(whole([found]), table.frame[list(found.columns)], check_exact=True)


def test_no_column_has_a_row_of_nothing_for_every_snapshot(both):
    table, parts = both
    assert parts.columns({"no_such_column"}).columns.empty
    assert len(parts.columns(["revenue_90d"])) == len(table.frame)


def test_a_part_that_cannot_be_read_names_its_bucket(tmp_path):
    events = ingested(world_lines(), tmp_path / "data", 3)
    file = sorted((events.folder / "transactions" / "bucket=1").glob("*.parquet"))[0]
    file.write_bytes(file.read_bytes()[:200])
    (tmp_path / "parts").mkdir()
    with pytest.raises(SourceError, match="bucket 1 of "):
        take_parts(events, DATES, tmp_path / "parts", cohort=Cohort(), window=Window())
