"""The benchmark of the feature engine: its lines are always the same, and its contestants compute the same values."""

import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from benchmarks import feature_bench, feature_lines, feature_page, feature_pandas, feature_rivals, feature_runs
from features.registry import registered

ROOT = Path(__file__).parents[1]
KEYS = ["as_of", "customer_id"]
LINES, CUTOFFS = 20_000, 3


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Lines and their clean events in two buckets."""
    folder = tmp_path_factory.mktemp("features") / f"{LINES}-10"
    feature_lines.write_lines(LINES, folder / "lines")
    feature_lines.clean_events(folder / "lines", folder / "events", buckets=2)
    return folder


@pytest.fixture(scope="module")
def product(place):
    """What the product computes of them."""
    return features_of("product", place)


def features_of(contestant, place):
    out = place / contestant
    assert feature_runs.main([contestant, str(place / "events"), "--cutoffs", str(CUTOFFS), "--out", str(out)]) == 0
    found = pd.concat([pd.read_parquet(file) for file in sorted(out.glob("*.parquet"))])
    return found.astype({"as_of": "datetime64[s]"}).set_index(KEYS).sort_index()


def assert_same(found, product):
    assert found.index.equals(product.index)
    for name in found.columns:
        ours, theirs = product[name].to_numpy("float64"), found[name].to_numpy("float64")
        np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-6, err_msg=name)


def test_the_lines_are_the_same_on_every_run_and_hold_credit_notes_and_late_rows(place, tmp_path):
    assert feature_lines.write_lines(LINES, tmp_path) == LINES // 200
    one, other = (f"read_parquet('{folder}/transactions/*.parquet')" for folder in (place / "lines", tmp_path))
    with duckdb.connect() as con:
        assert (
            con.execute(f"(FROM {one} EXCEPT ALL FROM {other}) UNION ALL (FROM {other} EXCEPT ALL FROM {one})")
            .df()
            .empty
        )
        rows, credited, late = con.execute(
            f"SELECT count(*), avg((amount < 0)::INT), avg((recorded_at > ordered_at)::INT) FROM {one}"
        ).fetchall()[0]
    assert 0.9 * LINES < rows < 1.2 * LINES
    assert 0.01 < credited < 0.04
    assert late == 1.0  # of those that are marked at all


def test_four_times_the_lines_an_order_leave_customers_and_order_days_as_they_are(place, tmp_path):
    feature_lines.write_lines(4 * LINES, tmp_path, lines_per_order=40)
    with duckdb.connect() as con:
        counted = "SELECT count(*), count(DISTINCT order_id), count(DISTINCT customer_id) FROM read_parquet"
        few, many = (
            con.execute(f"{counted}('{folder}/transactions/*.parquet') WHERE amount > 0").fetchall()[0]
            for folder in (place / "lines", tmp_path)
        )
    assert few[1:] == many[1:]
    assert 3.5 < many[0] / few[0] < 4.5


def test_the_benchmark_has_more_than_a_hundred_features_of_the_product():
    names = feature_rivals.names()
    assert len(names) == len(set(names)) > 100
    assert set(names) <= {one.name for one in registered()}


@pytest.mark.parametrize("contestant", ["by_hand", "by_hand_at_once"])
def test_sql_by_hand_and_the_product_compute_the_same_values(contestant, place, product):
    found = features_of(contestant, place)
    assert tuple(found.columns) == feature_rivals.names()
    assert_same(found, product)


def test_plain_pandas_and_the_product_compute_the_same_values(place, product):
    found = features_of("by_pandas", place)
    assert sorted(found.columns) == sorted(feature_pandas.NAMES)
    assert_same(found, product)


def test_all_features_come_with_their_peers(place, product):
    found = features_of("everything", place)
    assert {"revenue_90d_z", "revenue_90d_vs_peers", "cohort", "churn_window_days"} <= set(found.columns)
    assert_same(found[list(feature_rivals.names())], product)


def test_a_measurement_replaces_the_one_of_the_same_and_the_page_shows_it(place, tmp_path):
    done = [feature_bench.measured("product", place, 1) for _ in range(2)]
    for one in done:
        feature_bench.keep(one, tmp_path)
    feature_page.write(tmp_path)
    text = (tmp_path / "features.md").read_text(encoding="utf-8")
    assert text.count("| the product, listed features |") == 0  # which is shown at 24 cutoffs
    feature_bench.keep(done[0] | {"cutoffs": 24, "buckets_done": 1, "cpu_seconds": 7.0}, tmp_path)
    feature_page.write(tmp_path)
    text = (tmp_path / "features.md").read_text(encoding="utf-8")
    assert "| 7.0 for 1 of 2 buckets: 14 for all |" in text
    assert (tmp_path / "features.png").stat().st_size > 1000


def test_the_command_does_not_hide_the_package_of_its_name_from_other_commands():
    code = "import sys; sys.path.insert(0, 'benchmarks'); import features.contract; print(features.contract.__file__)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()) == ROOT / "features" / "contract.py"
