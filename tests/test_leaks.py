"""The probes on a company's own data: each finds its leak, names the culprit, and is silent where there is none."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import own, probes
from features.quarantine import ingest
from features.simulate import simulate, write
from features.sources import open_source
from models import leaks
from pipelines.intake import Request, take_in
from pipelines.leaks import look

END = date(2026, 10, 1)
#: A feature that reads the clean table instead of the past, and one that asks the later facts of its row.
AHEAD = '''
from features.registry import feature
from features.relations import relation

relation(
    "all_orders",
    ("transactions",),
    "SELECT as_of, customer_id, ordered_at FROM cutoffs JOIN transactions ON true",
)


@feature("all_orders", unit="days", concept="order_rhythm")
def days_to_last_order_of_all() -> str:
    """Days from the date to the newest order in the table."""
    return "max(as_of - CAST(ordered_at AS DATE)) - min(as_of - CAST(ordered_at AS DATE))"


@feature("all_orders", unit="orders", concept="order_rhythm")
def orders_still_to_come() -> str:
    """Order lines after the date."""
    return "count(*) FILTER (ordered_at >= as_of)"
'''


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    write(simulate(150, 26, seed=8, end=END, without=("contacts", "interactions", "partnerships")), folder)
    return folder


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    own.install(())


def intake_of(company: Path, out: Path, settings: str = ""):
    out.mkdir()
    config = out / "kizashi.toml"
    config.write_text(settings, encoding="utf-8")
    return take_in(Request(str(company), out / "var", config=config))


def test_the_shipped_features_of_a_clean_company_pass_every_probe(company, tmp_path):
    findings = look(intake_of(company, tmp_path / "out"))
    assert [one for one in findings if not one.passed] == []
    assert {one.probe for one in findings} == {
        "future_blind",
        "single_feature",
        "shuffled_outcomes",
        "end_of_data",
        "last_week",
    }


def test_a_feature_of_the_user_s_own_that_reads_ahead_is_named(company, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.py").write_text(AHEAD, encoding="utf-8")
    config = tmp_path / "out" / "kizashi.toml"
    config.write_text('[features]\nfiles = ["mine.py"]\n', encoding="utf-8")
    findings = look(take_in(Request(str(company), tmp_path / "var", config=config)))
    failed = {(one.probe, one.culprit) for one in findings if not one.passed}
    assert {("future_blind", "days_to_last_order_of_all"), ("future_blind", "orders_still_to_come")} <= failed
    assert ("single_feature", "orders_still_to_come") in failed
    assert all(one.own for one in findings if not one.passed)


def events_of(company: Path, tmp_path: Path, change) -> probes.Events:
    """Clean events of the company with a changed table of orders."""
    source = tmp_path / "changed"
    source.mkdir()
    for file in company.glob("*.parquet"):
        frame = pd.read_parquet(file)
        (change(frame) if file.stem == "transactions" else frame).to_parquet(source / file.name, index=False)
    return ingest(
        open_source(source), tmp_path / "events", run_at=datetime(2027, 1, 1, tzinfo=UTC), timezone="UTC"
    ).events


def test_an_export_that_was_cut_off_is_named_and_a_whole_one_is_not(company, tmp_path):
    def cut_off(orders: pd.DataFrame) -> pd.DataFrame:
        late = orders["ordered_at"] >= pd.Timestamp(END) - pd.Timedelta(days=7)
        return orders[~late | (np.arange(len(orders)) % 10 == 0)]

    weeks = {week.table: week for week in probes.last_weeks(events_of(company, tmp_path, cut_off))}
    assert not weeks["transactions"].whole
    assert weeks["transactions"].rows < 0.5 * weeks["transactions"].usual
    assert weeks["finances"].whole


def rows_of(n: int, dates: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "customer_id": np.tile([f"C{i:03d}" for i in range(n)], dates),
            "as_of": np.repeat(pd.date_range("2025-01-01", periods=dates, freq="MS"), n),
            "noise": rng.normal(size=n * dates),
            "rare": np.where(np.arange(n * dates) % 50 == 0, 1.0, np.nan),
        }
    )
    return frame.assign(cohort="eligible", calendar=frame["as_of"].dt.month.astype("float64"))


def test_a_single_feature_is_ranked_either_way_round_and_needs_enough_of_both_outcomes():
    rows = rows_of(200)
    outcome = pd.Series((np.arange(600) % 3 == 0).astype("float64"))
    rows = rows.assign(against=-outcome, knows=outcome.where(np.arange(600) >= 12, 0.5))
    found = {one.feature: one.auc for one in leaks.singles(rows, outcome, ["noise", "against", "knows", "rare"])}
    assert found["against"] == 1.0
    assert found["knows"] > leaks.TOO_GOOD
    assert 0.5 <= found["noise"] < 0.6
    assert "rare" not in found


def test_the_end_of_the_data_shows_in_a_feature_of_today_and_not_in_the_calendar():
    rows = rows_of(100)
    newest = rows["as_of"] == rows["as_of"].max()
    rows = rows.assign(today=np.where(newest, 5.0, 0.0) + rows["noise"] / 10)
    found = leaks.end_of_data(rows, ["noise", "calendar", "today"])
    assert [one.feature for one in found] == ["today", "noise"]
    assert found[0].auc > leaks.TOO_GOOD > found[1].auc


def test_a_model_of_shuffled_outcomes_ranks_as_chance_does_unless_the_outcome_is_among_its_columns():
    rows = rows_of(300)
    outcome = pd.Series(np.random.default_rng(1).integers(0, 2, len(rows)).astype("float64"))
    value, error = leaks.shuffled_auc(rows, outcome, ["noise"], seed=3)
    assert error == pytest.approx(1 / np.sqrt(3 * 300), rel=0.05)
    assert abs(value - 0.5) <= leaks.SHUFFLED_ERRORS * error
