"""The bench: anybody's files judged by outcomes from the data itself, beside rules, chance and, in a world, oracles."""

import json
import re
import shutil
from datetime import date
from functools import partial

import numpy as np
import pandas as pd
import pytest
from companies import written

from benchmarks import standing_early, standing_field, standing_given, standing_page, standing_table, standing_truth
from features.errors import SettingsError, SourceError
from features.simulate import simulate, write
from models.figures import InvalidPredictions
from pipelines.intake import Request
from pipelines.replay import COLUMNS as PREDICTED
from pipelines.settings import Settings

CUTOFFS = [f"2025-{month:02}-01" for month in range(2, 8)]
END = date(2026, 1, 1)


@pytest.fixture(scope="module", autouse=True)
def few_resamples():
    """The bench with intervals that are quickly had."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standing_table, "Measure", partial(standing_table.Measure, repeats=25))
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A simulated company with oracles for two thirds of its customers."""
    folder = tmp_path_factory.mktemp("world")
    write(simulate(200, 24, seed=5, end=END), folder)
    truth = standing_truth.read(str(folder))
    who = sorted(pd.read_parquet(folder / "customers.parquet")["customer_id"])[:150]
    rows = pd.DataFrame({"customer_id": who}).merge(pd.DataFrame({"as_of": pd.to_datetime(CUTOFFS)}), how="cross")
    rng = np.random.default_rng(0)
    parts = []
    for name, noise in (("particle_filter", 1.5), ("latent_state", 0.3)):
        chance = {
            f"p_lost_{days}": 1 / (1 + np.exp(3 - 6 * truth.lost_at(rows, days) - noise * rng.normal(size=len(rows))))
            for days in (0, 30, 60, 90, 180)
        }
        silent = {f"p_no_order_{days}": chance[f"p_lost_{days}"] for days in (30, 60, 90, 180)}
        parts.append(rows.assign(oracle=name, **chance, **silent))
    pd.concat(parts).to_parquet(folder / "truth" / "oracles.parquet", index=False)
    return folder


def handed_in(folder, name="mine", customers=190, **columns):
    """A file of predictions for the first customers at all cutoffs."""
    who = sorted(pd.read_parquet(folder / "customers.parquet")["customer_id"])[:customers]
    rows = pd.DataFrame({"customer_id": who}).merge(pd.DataFrame({"as_of": pd.to_datetime(CUTOFFS)}), how="cross")
    rows = rows.assign(probability=np.random.default_rng(1).random(len(rows)), **columns)
    (folder / "given").mkdir(exist_ok=True)
    rows.to_parquet(folder / "given" / f"{name}.parquet", index=False)
    return f"{name}={folder / 'given' / name}.parquet"


def judge(*arguments):
    return standing_table.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def judged(world, tmp_path_factory):
    """The files that judging one outside contestant in the simulated world writes."""
    out = tmp_path_factory.mktemp("out")
    spec = handed_in(world)
    cost = {"seconds": 12.5, "cpu_seconds": 20, "peak_mb": 321}
    (world / "given" / "mine.json").write_text(json.dumps(cost), encoding="utf-8")
    assert judge("--data", world, "--contestant", spec, "--no-product", "--out", out, "--capacity", 20) == 0
    return {path.name: path.read_text(encoding="utf-8") for path in out.glob("*.md")} | {
        path.name: None for path in out.glob("*.png")
    }


def test_one_command_judges_a_file_beside_rules_chance_and_oracles_without_training(judged):
    assert set(judged) == {
        "standing_table.md",
        "standing_detail.md",
        "early_warning.md",
        "reliability.png",
        "lift.png",
        "early_warning.png",
        "early_warning_one_list.png",
    }
    text = judged["standing_table.md"]
    first = text.split("**Set A: no order within 90 days.**")[1].split("\n\n")[1]
    named = {line.split("|")[1].strip() for line in first.splitlines()[2:]}
    assert named == {
        "mine",
        "random",
        "rule: days since last order ¹",
        "rule: days since last order / own mean cycle ¹",
        "rule: health score ¹",
        "oracle: particle filter ³",
        "oracle: latent state ³",
    }
    for outcome in ("no order within 90 days", "customer's own window", "lost 90 days later"):
        assert f"{outcome}" in text
    assert "--contestant mine=mine.parquet --no-product --capacity 20`" in text
    assert "mine's lead in AUC" in text
    assert "champion" not in text
    assert "| random | 0.500 [0.500, 0.500] |" in text
    assert "| mine | 12.5 | 321.0 |" in text


def test_the_report_says_on_how_many_rows_it_stands_and_who_lacks_how_many(judged):
    line = next(line for line in judged["standing_table.md"].splitlines() if line.startswith("- rows: "))
    kept, whole = (int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", line)[:2])
    assert 0 < kept < whole
    assert "mine " in line
    assert "oracle: particle filter " in line


def test_the_share_of_achievable_skill_is_given_for_the_true_loss_and_leaves_chance_and_oracles_out(judged):
    block = judged["standing_table.md"].split("**Set A: lost 90 days later")[1].split("**Set B")[0]
    share = block.split("Share of achievable skill")[1]
    assert "| mine |" in share
    assert "| rule: days since last order ¹ |" in share
    assert "random" not in share
    assert "latent" not in share


def test_early_warning_stands_on_the_true_losses_and_the_oracle_warns_before_chance(judged):
    text = judged["early_warning.md"]
    assert "## Loss: the true day of the loss\n\nLosses are known until 2026-01-01." in text
    queue = text.split("**Not yet overdue")[1].split("**Overdue")[0]
    share = {row.split("|")[1].strip(): float(row.split("|")[2].split()[0]) for row in queue.splitlines()[4:-1]}
    assert share["oracle: latent state ³"] > share["random"]
    assert {"mine", "rule: days since last order / own mean cycle ¹"} <= set(share)


def test_segments_come_from_the_table_of_customers(judged):
    section = judged["standing_detail.md"].split("## By segment")[1].split("##")[0]
    assert "| regular rhythm |" in section or "| irregular rhythm |" in section
    assert "| region: " in section or "| industry: " in section


def test_the_product_s_predictions_and_a_file_are_judged_on_the_rows_that_both_have(world, tmp_path, capsys):
    spec = handed_in(world)
    rows = pd.read_parquet(world / "given" / "mine.parquet")
    rng = np.random.default_rng(2)
    parts = []
    for name in ("champion", "cycle", "days_since_last_order", "bgnbd"):
        p = rng.random(len(rows))
        values = dict.fromkeys(["churn_probability", *(f"p_no_order_{days}" for days in (30, 60, 90, 180))], p)
        outcome = (rng.random(len(rows)) < 0.3).astype(float)
        parts.append(rows.assign(contestant=name, level="none", churn_window_days=90, observed_days=180, **values))
    ours = pd.concat(parts)
    outcome = rows[["customer_id", "as_of"]].assign(no_order_90=outcome, churned=outcome)
    ours = ours.merge(outcome).assign(days_to_next_order=5.0, no_order_30=0.0, no_order_60=0.0, no_order_180=0.0)
    table = pd.read_parquet(world / "transactions.parquet").groupby("customer_id")["ordered_at"].min()
    known = ours["customer_id"].map(table) < ours["as_of"]
    ours = ours.reindex(columns=list(PREDICTED))
    ours.loc[known].to_parquet(tmp_path / "ours.parquet", index=False)
    given = ["--predictions", tmp_path / "ours.parquet", "--contestant", spec]
    assert judge("--data", world, *given, "--out", tmp_path / "out") == 0, capsys.readouterr().err
    text = (tmp_path / "out" / "standing_table.md").read_text(encoding="utf-8")
    assert "champion's lead in AUC" in text
    assert "| mine |" in text
    assert "AUC: the champion is" in text


@pytest.fixture
def orders(tmp_path):
    """Real-looking data: no truth beside it. Half of the customers stop in July 2025."""
    rows = [
        (
            f"R{number:02}",
            f"{number}-{week}",
            pd.Timestamp("2024-06-03") + pd.Timedelta(weeks=week, days=number % 5),
            9.0,
        )
        for number in range(40)
        for week in range(0, 58 if number % 2 else 80, 2 + number % 3)
    ]
    lines = pd.DataFrame(rows, columns=["customer_id", "order_id", "ordered_at", "amount"])
    folder = written(lines, tmp_path / "orders")
    pd.DataFrame({"customer_id": sorted(lines["customer_id"].unique())}).to_parquet(folder / "customers.parquet")
    return folder


def test_without_a_truth_losses_are_dated_by_the_orders_and_there_is_no_oracle(orders, tmp_path, capsys):
    spec = handed_in(orders, customers=40)
    assert judge("--data", orders, "--contestant", spec, "--no-product", "--out", tmp_path / "out") == 0, (
        capsys.readouterr().err
    )
    early = (tmp_path / "out" / "early_warning.md").read_text(encoding="utf-8")
    assert "the day on which the last order's successor was due" in early
    assert "the day of the last order before such a silence" in early
    table = (tmp_path / "out" / "standing_table.md").read_text(encoding="utf-8")
    assert "oracle" not in table + early
    assert "nobody lacks any" in table
    assert "lost 90 days later" not in table


def test_a_customer_is_lost_from_the_true_day_until_the_return():
    losses = pd.DataFrame(
        {
            "customer_id": ["A", "A"],
            "lost_at": pd.to_datetime(["2025-03-01", "2025-09-01"]),
            "returned_at": pd.to_datetime(["2025-06-01", None]),
        }
    )
    truth = standing_truth.Truth(losses, pd.DataFrame(), date(2025, 12, 31))
    days = pd.to_datetime(["2025-02-28", "2025-03-01", "2025-05-31", "2025-06-01", "2025-09-01", "2026-01-01"])
    rows = pd.DataFrame({"customer_id": "A", "as_of": days})
    assert truth.lost_at(rows, 0).tolist()[:5] == [0, 1, 1, 0, 1]
    assert np.isnan(truth.lost_at(rows, 0).iloc[5])
    assert truth.lost_at(rows.assign(customer_id="B"), 0).tolist()[:5] == [0] * 5


def test_a_loss_costs_the_revenue_of_the_year_before_the_last_cutoff_before_it():
    sales = pd.DataFrame(
        {"customer_id": "A", "as_of": pd.to_datetime(["2025-01-01", "2025-02-01"]), "revenue_365d": [70.0, -5.0]}
    )
    events = pd.DataFrame(
        {"customer_id": ["A", "A", "A"], "event_at": pd.to_datetime(["2024-12-31", "2025-01-15", "2025-03-01"])}
    )
    found = standing_early.with_revenue(events, sales)
    assert found["revenue"].tolist() == [0, 70, 0]


def frame(**columns):
    rows = {"customer_id": ["A", "B"], "as_of": pd.to_datetime(["2025-02-01"] * 2), "probability": [0.1, 0.9]}
    return pd.DataFrame(rows | columns)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (frame().drop(columns="probability"), r"expected rows with the columns .* Rename or add \['probability'\]"),
        (frame().iloc[:0], "found 0 rows"),
        (frame(customer_id=["A", "A"]), "2 of 2 rows|1 of 2 rows repeat a customer_id and as_of"),
        (frame(probability=[0.1, np.nan]), "1 of 2 rows have no finite probability, first customer_id B"),
        (frame(probability=["low", "high"]), "give numbers"),
        (frame(customer_id=["A", None]), "have no customer_id"),
        (frame(customer_id=[1.0, 2.0]), "floating number"),
        (frame(as_of=pd.to_datetime(["2025-02-01 10:00"] * 2)), "no midnight"),
        (frame(as_of=["soon", "later"]), "holds no dates"),
        (frame(outcome="gone"), r"name an unknown outcome.*Name one of \['no_order_90', 'own_window', 'lost_90'\]"),
        (frame(outcome=["no_order_90", "lost_90"]), "must have all outcomes"),
    ],
)
def test_a_file_that_cannot_be_judged_is_refused_in_one_line(rows, message, tmp_path):
    rows.to_parquet(tmp_path / "mine.parquet")
    with pytest.raises(InvalidPredictions, match=message) as raised:
        standing_given.read("mine", tmp_path / "mine.parquet")
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("mine.parquet: ")


def test_what_is_no_table_or_no_cost_is_refused_in_one_line(tmp_path):
    (tmp_path / "mine.parquet").write_text("no parquet")
    for file in ("mine.parquet", "absent.parquet"):
        with pytest.raises(InvalidPredictions, match="expected a Parquet file") as raised:
            standing_given.read("mine", tmp_path / file)
        assert "\n" not in str(raised.value)
    frame().to_parquet(tmp_path / "mine.parquet")
    for wrong in ("[1]", '{"seconds": "fast"}', "{"):
        (tmp_path / "mine.json").write_text(wrong)
        with pytest.raises(InvalidPredictions, match=r"mine\.json: expected"):
            standing_given.read("mine", tmp_path / "mine.parquet")


def test_a_score_outside_0_to_1_and_an_outcome_that_is_not_named_are_judged_as_rankings(tmp_path):
    both = pd.concat([frame(outcome="no_order_90"), frame(outcome="lost_90", probability=[0.2, 3.0])])
    both.to_parquet(tmp_path / "mine.parquet")
    found = standing_given.read("mine", tmp_path / "mine.parquet")
    assert found.ranks_only == {"own_window", "lost_90"}
    last = found.frame.iloc[-1]
    assert last[["p_no_order_90", "churn_probability", "p_lost_90", "warns_by"]].tolist() == [0.9, 0.9, 3.0, 3.0]
    frame(customer_id=[7, 8], as_of=pd.to_datetime(["2025-02-01"] * 2, utc=True)).to_parquet(tmp_path / "plain.parquet")
    plain = standing_given.read("plain", tmp_path / "plain.parquet")
    assert plain.frame["customer_id"].tolist() == ["7", "8"]
    assert plain.frame["as_of"].tolist() == [pd.Timestamp("2025-02-01")] * 2
    assert plain.cost is None


@pytest.mark.parametrize(
    "spec", ["mine.parquet", "=mine.parquet", "mine=", "champion=mine.parquet", "random=x.parquet"]
)
def test_a_contestant_needs_a_name_of_its_own_and_a_file(spec):
    with pytest.raises(SettingsError, match="--contestant"):
        standing_given.read_all([spec], standing_page.NAMES)


def test_without_the_product_the_oracles_are_judged_and_without_oracles_nobody_is_left(world, tmp_path, capsys):
    assert judge("--data", world, "--out", tmp_path / "out", "--no-product") == 0
    assert "oracle: particle filter" in (tmp_path / "out" / "standing_table.md").read_text("utf-8")
    shutil.copytree(world, tmp_path / "bare", ignore=shutil.ignore_patterns("oracles.parquet"))
    capsys.readouterr()
    assert judge("--data", tmp_path / "bare", "--out", tmp_path / "none", "--no-product") == 2
    assert "nobody to judge" in capsys.readouterr().err


def test_options_that_contradict_each_other_and_rows_of_other_data_end_with_2_and_one_line(world, tmp_path, capsys):
    frame().to_parquet(tmp_path / "strangers.parquet")
    frame(as_of=pd.to_datetime(["2031-02-01"] * 2)).to_parquet(tmp_path / "future.parquet")
    given = ["--contestant", handed_in(world)]
    calls = {
        "file of the product": ["--no-product", *given, "--predictions", "x.parquet"],
        "No row is common to all": ["--no-product", "--contestant", f"other={tmp_path / 'strangers.parquet'}"],
        "no as_of in common": ["--no-product", *given, "--contestant", f"other={tmp_path / 'future.parquet'}"],
    }
    for words, arguments in calls.items():
        assert judge("--data", world, "--out", tmp_path / "out", *arguments) == 2
        said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("- ")]  # its progress
        assert len(said) == 1
        assert words in said[0]
    assert not (tmp_path / "out").exists()


def test_a_truth_that_is_incomplete_is_said_and_no_truth_is_none(tmp_path):
    assert standing_truth.read(str(tmp_path)) is None
    assert standing_truth.read("sqlite:///orders.db") is None
    (tmp_path / "truth").mkdir()
    with pytest.raises(SourceError, match="incomplete") as raised:
        standing_truth.read(str(tmp_path))
    assert "\n" not in str(raised.value)


def test_where_figures_are_published_nobody_stands_apart_from_set_a(tmp_path):
    settings = Settings(cohort={"min_order_days": 3})
    asked = Request("orders.parquet", tmp_path, layout="online-retail-ii", given=settings)
    cohort = standing_field.published(asked).settings().cohort.model_dump()
    assert cohort == {
        "min_order_days": 3,
        "max_days_since_last_order": 365,
        "projects_apart": False,
        "seasons_apart": False,
        "reactivated_apart": False,
    }
    own = Request("orders.parquet", tmp_path, given=settings)
    assert standing_field.published(own) is own
