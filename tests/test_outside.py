"""Models from outside: they are told nothing of the future, none stops the others, and all are judged by the bench."""

import ast
import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from companies import STAYING, STOPPED, regulars, written
from orders import ingested, lines

from benchmarks import outside_exchange, outside_models
from benchmarks.outside import history
from benchmarks.outside_exchange import Limits, rows_at, write_orders
from benchmarks.resources import StepFailedError
from features.snapshots import Cohort, Window, take

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(path.parent for path in outside_models.SCRIPTS.glob("*/predict.py"))
CUTOFF = date(2025, 9, 1)
LIMITS = Limits(horizon_days=90)

LATE = """
customer_id order_id ordered_at           recorded_at          amount
A           before   2025-08-31T23:59:00  2025-08-31T23:59:00  10
A           at       2025-09-01T00:00:00  2025-09-01T00:00:00  10
A           after    2025-09-02T00:00:00  2025-09-02T00:00:00  10
B           late     2025-08-01T00:00:00  2025-09-01T00:00:00  10
B           returned 2025-08-01T00:00:00  2025-08-01T00:00:00  10
B           returned 2025-08-01T00:00:00  2025-08-02T00:00:00  -10
"""


def table_of(orders, folder, dates):
    return take(ingested(orders, folder), dates, cohort=Cohort(), window=Window())


def dates_before(cutoff, *days):
    return [*(cutoff - timedelta(days=ago) for ago in sorted(days, reverse=True)), cutoff]


def test_a_line_that_happened_or_was_recorded_on_the_cutoff_is_not_in_the_exchange(tmp_path):
    write_orders(ingested(lines(LATE), tmp_path), CUTOFF, tmp_path / "orders.parquet")
    orders = pd.read_parquet(tmp_path / "orders.parquet")
    assert sorted(orders["order_id"]) == ["before", "returned", "returned"]
    assert (orders[["ordered_at", "known_at"]].max(axis=1) < pd.Timestamp(CUTOFF)).all()


def test_orders_of_every_bucket_are_in_the_exchange(tmp_path):
    orders = regulars(CUTOFF)
    write_orders(ingested(orders, tmp_path, buckets=3), CUTOFF, tmp_path / "orders.parquet")
    kept = pd.read_parquet(tmp_path / "orders.parquet")
    assert sorted(kept["order_id"]) == sorted(orders["order_id"])
    assert kept["amount"].sum() == pytest.approx(orders["amount"].sum())


def test_the_rows_to_be_predicted_say_nothing_of_what_came(tmp_path):
    table = table_of(regulars(CUTOFF + timedelta(days=200)), tmp_path, dates_before(CUTOFF, 120, 150))
    rows = rows_at(table, CUTOFF, LIMITS)
    assert list(rows) == ["customer_id", "as_of", "role", *outside_exchange.OUTCOMES]
    asked = rows[rows["role"] == "test"]
    assert set(asked["as_of"]) == {pd.Timestamp(CUTOFF)}
    assert set(asked["customer_id"]) == {*STAYING, *STOPPED}
    assert asked[outside_exchange.OUTCOMES].isna().all(axis=None)
    assert rows.loc[rows["role"] == "train", ["outcome", "observed_days"]].notna().all(axis=None)


def test_a_date_is_learnt_from_when_its_horizon_has_passed_and_the_books_are_closed(tmp_path):
    table = table_of(regulars(CUTOFF + timedelta(days=200)), tmp_path, dates_before(CUTOFF, 89, 90, 91, 96, 97, 98))
    for latency, oldest in ((0, 90), (7, 97)):
        rows = rows_at(table, CUTOFF, Limits(90, latency_days=latency))
        ago = (pd.Timestamp(CUTOFF) - rows.loc[rows["role"] == "train", "as_of"]).dt.days
        assert set(ago) == {days for days in (90, 91, 96, 97, 98) if days >= oldest}
    newest = rows_at(table, CUTOFF, Limits(90, max_slices=3))
    assert set(newest["as_of"].dt.date) == {*(CUTOFF - timedelta(days=ago) for ago in (91, 90)), CUTOFF}


def test_the_future_changes_no_row_of_the_exchange(tmp_path):
    orders = regulars(CUTOFF + timedelta(days=200))
    orders["recorded_at"] = orders["ordered_at"]
    # Somebody who stopped is told only later to have ordered: nobody could know that at the cutoff.
    late = pd.DataFrame(
        {"customer_id": "S00", "order_id": "late", "ordered_at": pd.Timestamp(2025, 5, 10), "amount": 5.0}, index=[0]
    ).assign(recorded_at=pd.Timestamp(CUTOFF))
    # The newest event is of the day before the cutoff, so that both end there.
    eve = late.assign(customer_id="T00", order_id="eve", ordered_at=pd.Timestamp(CUTOFF) - pd.Timedelta(hours=1))
    eve = eve.assign(recorded_at=eve["ordered_at"])
    everything = pd.concat([orders, late, eve], ignore_index=True)
    past = everything[everything["recorded_at"] < pd.Timestamp(CUTOFF)]
    dates = dates_before(CUTOFF, 95, 120, 150)
    seen = []
    for name, data in (("all", everything), ("past", past)):
        table = table_of(data, tmp_path / name, dates)
        write_orders(ingested(data, tmp_path / name / "again"), CUTOFF, tmp_path / f"{name}.parquet")
        seen.append((rows_at(table, CUTOFF, LIMITS), pd.read_parquet(tmp_path / f"{name}.parquet")))
    for with_future, without in zip(*seen, strict=True):
        pd.testing.assert_frame_equal(with_future, without)
    rows = seen[0][0].set_index(["customer_id", "as_of"])
    assert rows.loc[("S00", pd.Timestamp(CUTOFF) - pd.Timedelta(days=120)), "outcome"] == 1.0


def test_columns_are_of_what_each_row_could_know():
    orders = lines(LATE).rename(columns={"recorded_at": "known_at"}).assign(product_id="p1", quantity=1.0)
    rows = pd.DataFrame({"customer_id": ["B", "A", "A", "A"]})
    rows["as_of"] = pd.to_datetime(["2025-08-02", "2025-09-03", "2025-09-01", "2025-09-02"])
    found = history.rfm(orders, rows)
    assert found["order_days"].tolist() == [1, 3, 1, 2]
    assert found["days_since_last_order"].tolist() == [1, 1, 1, 1]
    assert found["mean_amount"].tolist() == [10, 10, 10, 10]
    # On 2 September the return of B's first order is known, and so is the late order.
    later = rows.iloc[:1].assign(as_of=pd.Timestamp(2025, 9, 2))
    assert history.rfm(orders, later)["days_since_last_order"].tolist() == [32]
    assert history.wide(orders, later)[["order_days_30d", "order_days_60d", "returned_365d"]].to_numpy().tolist() == [
        [0, 1, 10]
    ]


def test_every_contestant_pins_all_that_it_needs_and_knows_nothing_of_kizashi():
    assert len(FOLDERS) >= 4
    for folder in FOLDERS:
        pins = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
        assert all("==" in pin for pin in pins if pin and not pin.startswith("#")), folder.name
        assert all(outside_models.Contestant(folder).library), folder.name
    for path in outside_models.SCRIPTS.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        ours = {"features", "models", "serving", "pipelines", "benchmarks"}
        assert not {name.split(".")[0] for name in names} & ours, path


def scripts(folder, **sources):
    """A folder of contestants, each the lines of its ``predict``."""
    for name, source in sources.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "predict.py").write_text(f"def predict(task):\n    {source}\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    """One cutoff of the written company, 120 days after eight of its customers stopped."""
    folder = tmp_path_factory.mktemp("exchange")
    data = written(regulars(CUTOFF + timedelta(days=120)), folder / "data")
    given = ["--data", str(data), "--from", str(CUTOFF), "--to", str(CUTOFF), "--out", str(folder / "out")]
    call = [sys.executable, "benchmarks/outside_exchange.py", *given]
    subprocess.run(call, cwd=ROOT, check=True, capture_output=True)
    return folder / "out" / str(CUTOFF)


def run(script, exchange, out):
    call = [sys.executable, "-E", "-s", str(outside_models.RUN), str(script), str(exchange), str(out)]
    return subprocess.run(call, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["sklearn_rfm", "sklearn_wide"])
def test_a_contestant_ranks_who_stopped_above_who_stayed(name, exchange, tmp_path):
    answer = run(outside_models.SCRIPTS / name / "predict.py", exchange, tmp_path / "out.parquet")
    assert answer.returncode == 0, answer.stderr
    predictions = pd.read_parquet(tmp_path / "out.parquet")
    assert list(predictions) == ["customer_id", "as_of", "probability"]
    chance = predictions.set_index("customer_id")["probability"]
    assert chance[list(STOPPED)].min() > chance[list(STAYING)].max()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("return [0.5]", "expected 32 probabilities, one per row to be predicted; found (1,)."),
        ("return [1.5] + [float('nan')] + [0.5] * 30", "within 0 to 1; 2 of 32 are not, or are missing."),
    ],
)
def test_a_contestant_that_gives_something_else_than_probabilities_is_refused(source, said, exchange, tmp_path):
    place = scripts(tmp_path, wrong=source)
    answer = run(place / "wrong" / "predict.py", exchange, tmp_path / "out.parquet")
    assert answer.returncode == 1
    assert answer.stderr.strip().endswith(said)
    assert not (tmp_path / "out.parquet").exists()


def test_one_that_fails_is_named_with_its_reason_and_the_others_are_judged(tmp_path, capfd):
    data = written(regulars(CUTOFF + timedelta(days=120)), tmp_path / "data")
    last = "task.orders.groupby('customer_id')['ordered_at'].max()[task.test['customer_id']]"
    place = scripts(
        tmp_path / "scripts",
        breaks="raise ValueError('no such | curve')",
        ranks=f"return (task.as_of - {last}).dt.days.to_numpy() / 400",
        unmakeable="return [0.5] * len(task.test)",
    )
    (place / "unmakeable" / "requirements.txt").write_text("./nowhere/missing-1.0-py3-none-any.whl\n", encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    (out / "breaks.parquet").write_bytes(b"of an earlier run")
    first = CUTOFF.replace(month=CUTOFF.month - 1)
    given = ["--data", str(data), "--from", str(first), "--to", str(CUTOFF), "--out", str(out)]
    places = ["--scripts", str(place), "--environments", str(tmp_path / "environments")]
    assert outside_models.main([*given, *places]) == 0, capfd.readouterr().err
    printed = capfd.readouterr().out
    assert "| breaks | - | did not run: ValueError: no such / curve | | |" in printed
    assert "| unmakeable | ./nowhere/missing-1.0-py3-none-any.whl | did not run: " in printed
    judged = [line for line in printed.splitlines() if line.startswith("| ranks |")]
    assert len(judged) >= 2, "once with what it took, and in the standing table"
    predictions = pd.read_parquet(out / "ranks.parquet")
    assert predictions.groupby("as_of").size().tolist() == [32, 32]
    assert json.loads((out / "ranks.json").read_text())["peak_mb"] > 20
    assert json.loads((out / "breaks.json").read_text())["failed"] == "ValueError: no such | curve"
    assert not (out / "breaks.parquet").exists()


def test_an_environment_is_kept_until_its_pins_change(tmp_path):
    contestant = outside_models.Contestant(scripts(tmp_path / "scripts", empty="return []") / "empty")
    assert outside_models.environment(contestant, tmp_path / "kept", tmp_path / "log") == Path(sys.executable)
    contestant.requirements.write_text("# nothing\n", encoding="utf-8")
    python = outside_models.environment(contestant, tmp_path / "kept", tmp_path / "log")
    call = [str(python), "-c", "import sys; print(sys.prefix)"]
    answer = subprocess.run(call, capture_output=True, text=True, check=True)
    assert Path(answer.stdout.strip()).parent == tmp_path / "kept"
    (tmp_path / "log").unlink()
    assert outside_models.environment(contestant, tmp_path / "kept", tmp_path / "log") == python
    assert not (tmp_path / "log").exists(), "nothing was run the second time"
    contestant.requirements.write_text("./nowhere/missing-1.0-py3-none-any.whl\n", encoding="utf-8")
    with pytest.raises(StepFailedError):
        outside_models.environment(contestant, tmp_path / "kept", tmp_path / "log")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--data", "orders/", "--out", "out", "--from", "2025-01-01"], "give --from and --to"),
        (["--data", "orders/", "--out", "out", "--from", "2025-01-01", "--to", "2025-03-01", "--only", "x"], "['x']"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_is_written(given, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        code = outside_models.main(given)
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
