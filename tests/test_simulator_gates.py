"""The gates of the simulated world hold in small worlds too, and each of them can fail.

Their seeds are not those of any published table.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import simulator_gates as gates
from benchmarks.simulator_facts import best_reading, plain_facts
from benchmarks.simulator_judged import GONE, SILENT, Judged, judge
from features.buckets import Events
from features.contract import CONTRACT
from features.quarantine import ingest
from features.sources import open_source

NORMAL_SEED, NULL_SEED = 51, 52


@pytest.fixture(scope="module")
def normal() -> Judged:
    return judge("normal", 1000, (NORMAL_SEED,), particles=400, cutoffs=4)


@pytest.fixture(scope="module")
def null() -> Judged:
    return judge("null", 3500, (NULL_SEED,), particles=100, watched=600, cutoffs=12)


def told_the_outcome(judged: Judged) -> Judged:
    """The same worlds with a table that gives everything away."""
    rows = judged.rows.assign(**{"interactions: oracle": judged.rows[SILENT] + judged.rows[GONE]})
    return replace(judged, rows=rows, facts=(*judged.facts, "interactions: oracle"))


def with_forecast(judged: Judged, column: str, values: pd.Series) -> Judged:
    return replace(judged, rows=judged.rows.assign(**{f"{gates.FILTER} {column}": values}))


def soon_lost(judged: Judged) -> pd.Series:
    """Whether each row's customer is lost within 150 days, missing where the filter did not watch it."""
    pairs = judged.rows[["customer_id", "as_of"]].reset_index().merge(judged.losses[["customer_id", "lost_at"]])
    ahead = pairs["lost_at"] - pairs["as_of"]
    soon = pairs.loc[(ahead > pd.Timedelta(0)) & (ahead <= pd.Timedelta(days=150)), "index"]
    watched = judged.rows[f"{gates.FILTER} p_lost_90"].notna()
    return pd.Series(judged.rows.index.isin(soon), index=judged.rows.index).astype(float).where(watched)


# --- the normal world -----------------------------------------------------------------------------------------


def test_the_filter_foretells_silence_well_and_not_too_well(normal: Judged) -> None:
    gate = gates.filter_gate(normal)
    assert gate.met, gate
    for knows in (normal.rows[SILENT], pd.Series(0.5, index=normal.rows.index)):
        assert not gates.filter_gate(with_forecast(normal, "p_no_order_90", knows)).met


def test_days_since_the_last_order_do_not_foretell_it_all(normal: Judged) -> None:
    gate = gates.recency_gate(normal)
    assert gate.met, gate
    sure = replace(normal, rows=normal.rows.assign(days_since_last_order=normal.rows[SILENT]))
    assert not gates.recency_gate(sure).met


def test_no_single_feature_or_plain_fact_foretells_it_all(normal: Judged) -> None:
    gate = gates.one_fact_gate(normal)
    assert len(normal.facts) > 400
    assert gate.met, gate
    found = gates.one_fact_gate(told_the_outcome(normal))
    assert not found.met
    assert "interactions: oracle" in found.measured


def test_many_losses_are_announced_by_nothing(normal: Judged) -> None:
    gate = gates.unpredictable_gate(normal)
    assert gate.met, gate
    assert not gates.unpredictable_gate(with_forecast(normal, "p_lost_90", normal.rows[GONE])).met


def test_both_oracles_promise_what_comes(normal: Judged) -> None:
    found = list(gates.calibration_gates(normal))
    assert len(found) == 4
    assert [gate for gate in found if not gate.met] == []
    chance = normal.rows[f"{gates.FILTER} p_lost_90"].clip(1e-4, 1 - 1e-4)
    extreme = chance**2 / (chance**2 + (1 - chance) ** 2)
    bold = gates.calibration_gates(with_forecast(normal, "p_lost_90", extreme))
    assert [gate.name.split(":")[0] for gate in bold if not gate.met] == ["particle filter, lost"]


def test_who_sees_the_hidden_state_foretells_better_than_who_sees_the_tables(normal: Judged) -> None:
    assert [gate for gate in gates.latent_gates(normal) if not gate.met] == []
    knows = with_forecast(normal, "p_lost_90", normal.rows[GONE])
    assert [gate.met for gate in gates.latent_gates(knows)] == [True, False]


def test_about_a_quarter_of_the_losses_has_no_symptom(normal: Judged) -> None:
    gate = gates.sudden_gate(normal)
    assert gate.met, gate
    assert not gates.sudden_gate(replace(normal, losses=normal.losses.assign(sudden=True))).met


def test_what_has_no_limit_is_reported_all_the_same(normal: Judged) -> None:
    base, purity = gates.report(normal)
    rows = normal.rows
    assert base.measured == f"{rows[SILENT].mean():.1%}"
    assert purity.measured == f"{rows.loc[rows[SILENT] == 1, GONE].mean():.1%}"
    assert base.met is purity.met is None


# --- the null world -------------------------------------------------------------------------------------------


def test_in_the_null_world_no_table_announces_a_loss_and_in_the_normal_one_some_do(
    null: Judged, normal: Judged
) -> None:
    gate = gates.null_facts_gate(null)
    assert gate.met, gate
    assert not gates.null_facts_gate(normal).met


def test_in_the_null_world_the_filter_knows_no_more_than_how_prone_each_customer_is(
    null: Judged, normal: Judged
) -> None:
    gate = gates.null_filter_gate(null)
    assert gate.met, gate
    assert not gates.null_filter_gate(normal).met


def test_in_the_null_world_warnings_come_no_earlier_than_at_random(null: Judged, normal: Judged) -> None:
    gate = gates.null_lead_gate(null, normal)
    assert gate.met, gate
    # The filter's own chances stay beside: without them the budget would be spent among rows that all tie at nothing.
    own = null.rows[f"{gates.FILTER} p_lost_90"]
    seen_ahead = with_forecast(null, "p_lost_90", own.where(soon_lost(null) != 1, 0.99))
    assert not gates.null_lead_gate(seen_ahead, normal).met


# --- the plain facts ------------------------------------------------------------------------------------------


def events_of(folder, **tables: pd.DataFrame) -> Events:
    """Clean events of two customers' orders, and of the tables given."""
    orders = pd.DataFrame({"customer_id": ["A", "B"], "order_id": ["1", "2"], "amount": [1.0, 1.0]})
    orders["ordered_at"] = pd.to_datetime("2025-01-02")
    source = folder / "source"
    source.mkdir()
    for name, rows in {"transactions": orders, **tables}.items():
        rows.to_parquet(source / f"{name}.parquet", index=False)
    later = pd.Timestamp("2027-01-01", tz="UTC").to_pydatetime()
    return ingest(open_source(source), folder / "events", run_at=later, timezone="UTC").events


AS_OF = pd.Timestamp("2026-05-01")


def facts_of(events: Events) -> pd.DataFrame:
    return plain_facts(events, [AS_OF.date()]).set_index("customer_id")


def test_a_row_counts_when_it_has_happened_and_is_recorded_and_a_later_fact_from_its_own_time(tmp_path) -> None:
    day = pd.Timedelta(days=1)
    rows = pd.DataFrame(
        [
            # quoted, recorded, amount, closed, how
            ("v", AS_OF - day, AS_OF - day, 100.0, AS_OF, "won"),  # won when the cutoff was over
            ("w", AS_OF - 11 * day, AS_OF - day, 200.0, AS_OF - day, "lost"),
            ("x", AS_OF, AS_OF, 800.0, AS_OF, "won"),  # not yet quoted
            ("y", AS_OF - 11 * day, AS_OF, 800.0, AS_OF - day, "won"),  # not yet recorded
            ("z", AS_OF - 240 * day, AS_OF - 240 * day, 50.0, AS_OF - 239 * day, "won"),
        ],
        columns=["quote_id", "quoted_at", "recorded_at", "amount", "closed_at", "status"],
    ).assign(customer_id="A")
    facts = facts_of(events_of(tmp_path, quotes=rows))
    mine = facts.loc["A"]
    assert mine["quotes: number of rows in 30 days"] == 2
    assert mine["quotes: number of rows in 365 days"] == 3
    assert mine["quotes: days since the last row"] == 1
    assert mine["quotes: amount"] == 150
    assert mine["quotes: amount, change"] == 100
    shares = [mine[f"quotes: status is {status}"] for status in ("open", "won", "lost")]
    assert shares == [0.5, 0.0, 0.5]
    assert mine["quotes: hours to closed_at"] == 240
    assert mine["quotes: whether closed_at is known"] == 0.5
    assert facts.loc["B", "quotes: number of rows in 365 days"] == 0
    assert np.isnan(facts.loc["B", "quotes: amount"])


def test_an_absence_counts_for_the_customers_of_the_sales_person(tmp_path) -> None:
    customers = pd.DataFrame({"customer_id": ["A", "B"], "owner": ["Abe", "Cho"], "rank": ["A", "B"]})
    absences = pd.DataFrame({"owner": ["Abe"], "starts_at": pd.to_datetime(["2026-04-01"])})
    facts = facts_of(events_of(tmp_path, customers=customers, absences=absences))
    assert facts["absences: number of rows in 90 days"].to_dict() == {"A": 1.0, "B": 0.0}
    assert facts["customers: rank is A"].to_dict() == {"A": 1.0, "B": 0.0}


def test_every_table_but_the_orders_gives_facts(normal: Judged) -> None:
    told = {name.split(":")[0] for name in normal.facts if ":" in name}
    assert told == set(CONTRACT) - {"transactions"}


def test_the_best_fact_is_found_whichever_way_it_points_and_wherever_missing_values_stand() -> None:
    rng = np.random.default_rng(3)
    lost = rng.random(400) < 0.3
    rows = pd.DataFrame({"cutoff": np.repeat(["a", "b"], 200), GONE: lost.astype(float), "noise": rng.random(400)})
    rows["low"] = 2 * rng.random(400) - lost
    rows["unknown"] = np.where(lost, np.nan, rng.random(400))
    for name, names in (("low", ["noise", "low"]), ("unknown", ["noise", "low", "unknown"])):
        best = best_reading(rows, names, GONE)
        assert best.name == name
        score = best.score(rows)
        assert score[lost].mean() > score[~lost].mean()
        assert score.notna().all()


# --- what is written ------------------------------------------------------------------------------------------


def test_a_gate_that_does_not_hold_says_so_on_the_page() -> None:
    found = [gates.Gate("one", "at most 1", "2", "1 to 3", met=False), gates.Gate("two", "reported", "5", "4 to 6")]
    first, second = gates.kept(found, "python x.py")["gates"]
    assert first == {
        "name": "one", "asked": "at most 1", "measured": "2 - **not held**", "interval": "1 to 3",
        "command": "python x.py",
    }  # fmt: skip
    assert second["measured"] == "5"
    assert [line.split()[0] for line in gates.table_of(found).splitlines()] == ["gate", "NOT", "two"]
